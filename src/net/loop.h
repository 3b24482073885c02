#pragma once
// Loop: one worker's event loop. Completion style: received bytes are handed over, sends finish by themselves.
// Two drivers implement it, epoll_loop and uring_loop (make_loop chooses); everything above this header works
// with either and every test runs on both.
//
// A turn is: wait for events, call the handlers, call TurnHandler::end_of_turn, then reuse the receive buffers.
// So a span given to on_data stays valid and unchanged until the end_of_turn of the same turn has returned.
// All calls are made on the loop's own thread, except post() and stop().
//
// Handlers may call any Loop function from any callback, also close() on the stream that is being called.
// The loop never calls a handler from inside a function that the handler's owner called (no reentrancy): a send
// that fails inside flush() is reported by on_error later. After on_error, or close(), the stream is detached:
// its fd is closed, its unsent bytes are dropped, and no further callback comes; the Stream object may be
// destroyed or used again at once (the driver keeps what the kernel may still read or write by itself).

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/chunk.h"
#include "base/error.h"
#include "net/address.h"
#include "net/layer.h"
#include "net/socket.h"
#include "net/timer.h"

namespace overlord::net {

class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  virtual void on_connected() {}  // only after Loop::connect
  // Bytes arrived, at least one. Mutable so that a parser may fold case in place.
  virtual void on_data(std::span<char> bytes) = 0;
  // The peer shut down its sending side; ours still works. No on_data follows. Called once.
  virtual void on_end() = 0;
  // All of `out` has left, after Stream::notify_drained was set (which this call clears). When nothing is unsent
  // as it is set, the next flush() makes it come.
  virtual void on_drained() {}
  // Connecting failed or the connection broke; error is an errno. The stream is already detached.
  virtual void on_error(int error) = 0;
};

class AcceptHandler {
 public:
  virtual ~AcceptHandler() = default;
  virtual void on_accept(UniqueFd fd) = 0;  // non-blocking, close-on-exec
  // Asked before each connection is taken. Not 0: none is taken for so many ns; they wait in the kernel's backlog.
  virtual uint64_t accept_delay() { return 0; }
};

class TurnHandler {
 public:
  virtual ~TurnHandler() = default;
  virtual void end_of_turn() = 0;  // the place to flush what the turn produced
  // Work is waiting that gets cheaper when more input is taken first: the next turn begins without waiting for
  // events, and comes even when there are none.
  virtual bool hurry() const { return false; }
};

// One connected (or connecting) socket. Embedded in its owner; not copyable or movable.
class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  ChunkQueue out;               // append here (with Loop::chunks()), then Loop::flush
  bool notify_drained = false;  // ask for one on_drained

  bool attached() const { return slot != kDetached; }
  // Bytes not yet taken by the kernel.
  size_t unsent() const {
    if (slot == kLayered) [[unlikely]]
      return out.size() + layer->unsent();
    return out.size() + sending;
  }

  // For the driver and the layer only.
  static constexpr uint32_t kDetached = UINT32_MAX;
  static constexpr uint32_t kLayered = UINT32_MAX - 1;  // the driver knows the layer's stream instead
  uint32_t slot = kDetached;                            // index into the driver's table
  uint32_t sending = 0;                                 // bytes handed to the kernel whose send has not completed
  StreamLayer* layer = nullptr;                         // exactly when layered
};

struct ListenerId {
  uint32_t slot = UINT32_MAX;
};

// A connection that the loop has let go of (Loop::try_release).
struct ReleasedStream {
  UniqueFd fd;           // may be blocking
  std::string received;  // read from the socket and not delivered
};

class Loop {
 public:
  virtual ~Loop() = default;

  // Takes over a connected non-blocking socket and starts receiving.
  virtual void adopt(Stream& stream, UniqueFd fd, StreamHandler& handler) = 0;
  // Starts connecting; on_connected or on_error follows, never from inside this call.
  virtual void connect(Stream& stream, const SocketAddress& address, StreamHandler& handler) = 0;
  // Everything further of the stream goes to this handler; for who reads its beginning for another. Not of a layered
  // stream (layer.h).
  virtual void redirect(Stream& stream, StreamHandler& handler) = 0;
  // Sends stream.out. What the kernel does not take at once is sent when it can. No-op when empty,
  // still connecting (sent on connect), or already blocked.
  virtual void flush(Stream& stream) = 0;
  // Stops and restarts on_data for this stream (backpressure). Bytes that the driver had already received are
  // kept, at most what one turn received for this stream, and delivered after resume, never during resume.
  virtual void pause_receive(Stream& stream) = 0;
  virtual void resume_receive(Stream& stream) = 0;
  // Closes now, dropping unsent bytes. No-op when detached.
  virtual void close(Stream& stream) = 0;
  // Detaches the stream and closes its socket once all of `out` has left or `linger_ns` has passed; input is
  // discarded meanwhile, so that the peer gets our bytes instead of a reset.
  virtual void close_after_flush(Stream& stream, uint64_t linger_ns) = 0;
  // The socket's fd, for getsockname and the like; -1 when detached. Not for reading or writing: a driver may
  // have made it blocking.
  virtual int fd(const Stream& stream) const = 0;

  // Accepts from a listening socket until unlisten. When descriptors run out, accepting pauses and is tried
  // again by timer; it never spins. `exclusive`: several loops share this listening socket.
  virtual ListenerId listen(UniqueFd fd, AcceptHandler& handler, bool exclusive) = 0;
  virtual void unlisten(ListenerId id) = 0;
  // Stops accepting and gives the socket back, which listens on: what comes waits in the kernel's backlog.
  virtual UniqueFd release_listener(ListenerId id) = 0;
  // Takes a stream that is paused and has nothing unsent away from the loop without closing its socket, so that another
  // process can go on with it. Nothing while the kernel still works for the stream: ask again in a later turn. Until it
  // succeeds resume_receive() makes everything as it was. Never for a layered stream.
  virtual std::optional<ReleasedStream> try_release(Stream& stream) = 0;

  virtual ChunkPool& chunks() = 0;
  virtual TimerWheel& timers() = 0;
  LayerHost& layers() { return layers_; }
  // Monotonic nanoseconds, read once a turn, after waiting. Not virtual: it is asked several times per request.
  uint64_t now() const { return now_; }

  // Runs fn on the loop's thread in a later turn. Any thread.
  virtual void post(std::function<void()> fn) = 0;
  // Runs until stop(). Always on the same thread, which need not be the one that made the loop; before the first
  // run() any one thread may adopt, connect and listen.
  virtual void run(TurnHandler& turns) = 0;
  // Makes run() return after the current turn. Any thread.
  virtual void stop() = 0;

  virtual std::string_view driver() const = 0;  // "epoll" or "io_uring"
  virtual uint64_t turns() const = 0;           // turns so far
  virtual uint64_t accept_pauses() const = 0;   // how often accepting paused because descriptors or memory ran out

 protected:
  explicit Loop(uint64_t now) : now_(now) {}

  uint64_t now_;

 private:
  LayerHost layers_;
};

enum class Driver { automatic, epoll, io_uring };

// automatic: io_uring when the kernel has and allows what it needs (probed by doing it), else epoll.
// io_uring asked for by name and not usable is an error that says why.
Result<std::unique_ptr<Loop>> make_loop(Driver driver);
// Why io_uring cannot be used here; empty when it can.
std::string uring_unavailable_reason();

}  // namespace overlord::net
