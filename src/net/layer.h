#pragma once
// StreamLayer: a protocol between a stream's owner and its socket, such as TLS (tls.h). The driver knows only the
// layer's own stream, the wire; what the owner asks of its stream goes to the layer, and the layer calls the owner's
// handler. To the owner nothing differs: all promises of loop.h hold, also that a handler is never called from inside
// a function that its owner called.
//
// LayerHost: what a loop gives to its layers. Room for bytes that stay valid until the turn has ended, a call later
// on, and a grave: a layer whose owner closed it may still be on the call stack, so it dies when the turn ends.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace overlord::net {

class StreamLayer {
 public:
  StreamLayer() = default;
  virtual ~StreamLayer() = default;
  StreamLayer(const StreamLayer&) = delete;
  StreamLayer& operator=(const StreamLayer&) = delete;

  // The owner's calls; see Loop.
  virtual void flush() = 0;
  virtual void pause_receive() = 0;
  virtual void resume_receive() = 0;
  virtual void close() = 0;
  virtual void close_after_flush(uint64_t linger_ns) = 0;
  virtual int fd() const = 0;
  virtual size_t unsent() const = 0;  // bytes of the wire that the kernel has not taken

  // What LayerHost::run_later asked for. Not called once buried.
  virtual void on_later() = 0;

 private:
  friend class LayerHost;
  bool waiting_ = false;
  bool buried_ = false;
};

class LayerHost {
 public:
  // Calls layer.on_later() in this turn or the next.
  void run_later(StreamLayer& layer);
  // Destroys the layer when the turn ends.
  void bury(std::unique_ptr<StreamLayer> layer);

  // At least kLeastRoom contiguous bytes; what use() takes of them stays as it is until the turn has ended.
  static constexpr size_t kLeastRoom = 16 * 1024;
  std::span<char> room();
  void use(size_t size) { used_ += size; }

  // Between the beginning of a turn and its end. Outside, while things are taken down, nothing can be sent.
  bool in_turn() const { return in_turn_; }

  // For the loop.
  void begin_turn() { in_turn_ = true; }
  bool waiting() const { return !waiting_.empty(); }
  void run();
  void end_turn() {
    in_turn_ = false;
    if (used_ > 0 || block_ > 0) reset_room();
    if (!graves_.empty()) [[unlikely]]
      empty_graves();
  }

 private:
  static constexpr size_t kBlockSize = 256 * 1024;
  static constexpr size_t kBlocksKept = 4;

  void reset_room();
  void empty_graves();

  bool in_turn_ = false;
  std::vector<StreamLayer*> waiting_;
  std::vector<StreamLayer*> running_;
  std::vector<std::unique_ptr<StreamLayer>> graves_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t block_ = 0;  // the one being filled
  size_t used_ = 0;   // of it
};

}  // namespace overlord::net
