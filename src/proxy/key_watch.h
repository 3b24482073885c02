#pragma once
// KeyWatch: the hot and the big keys of one cluster in one worker, from its requests and their answers. Always on unless
// watch_keys says no; a few nanoseconds a request, memory as the sketches say.

#include <cstdint>
#include <string_view>

#include "routing/request.h"
#include "sketch/big_keys.h"
#include "sketch/hot_keys.h"

namespace overlord::proxy {

class KeyWatch {
 public:
  // secret: the same in all workers of the process, because what they see is merged.
  KeyWatch(uint64_t secret, bool on) : on_(on), hot_(secret), big_(secret) {}

  void enable(bool on) { on_ = on; }

  // A key of a request that has several.
  void touch(std::string_view key) {
    if (on_) hot_.touch(key);
  }
  // A request that is about to be sent: its key and bytes are there.
  void on_request(routing::Request& request, uint64_t now) {
    request.note_key(request.key);
    if (!on_) return;
    hot_.touch(request.key);
    if (big_.wants(request.bytes.size())) [[unlikely]]
      big_.note(request.noted_front(), request.noted_size, request.bytes.size(), now);
  }
  // Its answer has so many bytes.
  void on_answer(const routing::Request& request, uint64_t bytes, uint64_t now) {
    if (on_ && big_.wants(bytes)) [[unlikely]]
      note_answer(request, bytes, now);
  }
  // A value that was passed on while it came from the client.
  void on_upload(const routing::Request& request, uint64_t bytes, uint64_t now) {
    if (on_ && big_.wants(bytes)) big_.note(request.noted_front(), request.noted_size, bytes, now);
  }

  void housekeeping(uint64_t now);
  const sketch::HotKeys& hot() const { return hot_; }
  const sketch::BigKeys& big() const { return big_; }

 private:
  [[gnu::cold]] void note_answer(const routing::Request& request, uint64_t bytes, uint64_t now);

  bool on_;
  sketch::HotKeys hot_;
  sketch::BigKeys big_;
};

// For the ids of keys: unpredictable.
uint64_t make_secret();

}  // namespace overlord::proxy
