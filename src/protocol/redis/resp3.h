#pragma once
// Resp3Converter: one RESP2 reply, as its bytes arrive, into the RESP3 reply that redis-server 7.0 would give.
// Source: the RESP3 specification; the forms of replies are in reply_shape.h.
//
// Use: start(), then convert() with the bytes in the order received, in any pieces, until done(). Strings pass in the
// pieces in which they come; only headers, doubles and the keys of some maps are held back until they are whole, within
// the object. Nothing is allocated but the chunks of the output.
//
// The bytes must be one reply that ReplyScanner accepts; the output then is one whole reply too, whatever its elements
// hold: what does not fit its shape keeps its form. RESP3 types in the input stay what they are. After bytes that are
// no reply, everything is passed as it is.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/chunk.h"
#include "protocol/redis/reply_shape.h"

namespace overlord::redis {

class Resp3Converter {
 public:
  void start(ShapeId shape);
  // A list of which each element has its own shape (EXEC). `elements` must live until done().
  void start_list(std::span<const ShapeId> elements);

  void convert(std::string_view bytes, ChunkPool& pool, ChunkQueue& out);
  bool done() const { return state_ == State::done; }

  // So many of the coming bytes are passed as they are. A caller that moves them instead (ChunkQueue::splice_front)
  // says so with passed(n).
  uint64_t passing() const { return state_ == State::body && keep_ == Keep::nothing ? body_left_ : 0; }
  void passed(uint64_t n);

 private:
  enum class State : uint8_t { type, simple, line, body, done, broken };
  enum class Keep : uint8_t { nothing, number, key };
  // An array that is being read. Of a plain one, those inside it are counted in `left` too.
  struct Frame {
    uint64_t left;   // elements not begun
    uint64_t index;  // of the element that comes next
    const Shape* shape;
    ShapeId value;  // map with fields: of the value that comes next
  };
  static constexpr size_t kDepth = 16;  // what is deeper is plain
  static constexpr size_t kKept = 64;

  struct Output;

  const char* take_value(const char* p, const char* end, Output& out);
  const char* take_plain_strings(const char* p, const char* end);
  const char* take_scores(const char* p, const char* end, Output& out);
  const char* take_simple(const char* p, const char* end);
  const char* take_line(const char* p, const char* end, Output& out);
  const char* take_body(const char* p, const char* end, Output& out);
  bool line_whole(std::string_view line, bool in_place, const char* from, const char* next, Output& out);
  char string_header(uint64_t length, bool& drop);
  char array_header(uint64_t& count, bool& drop);
  void body_whole(Output& out);
  void push(uint64_t left, const Shape& shape);
  const Shape* next_shape();
  std::string_view prefix(bool is_pair) const;
  void value_done();
  bool in_plain() const { return depth_ > 0 && frames_[depth_ - 1].shape->array == ArrayForm::plain; }

  std::span<const ShapeId> elements_;
  const Shape* shape_ = nullptr;  // of the value that has begun
  State state_ = State::done;
  Keep keep_ = Keep::nothing;
  char type_ = 0;
  bool key_ = false;    // it is a key of a map of which the values differ
  bool entry_ = false;  // it is an element of a pair_map
  bool first_ = false;  // it is the first of a pair
  uint32_t kept_size_ = 0;
  uint64_t body_left_ = 0;  // with CRLF
  size_t depth_ = 0;
  std::array<Frame, kDepth> frames_;
  std::array<char, kKept> kept_;  // a header, a double or a key that is not whole
};

// A reply that is whole and has no array, or is not of interest: true when it was written.
inline bool write_plain_resp3(std::string_view reply, ChunkPool& pool, ChunkQueue& out) {
  if (reply.size() < 4) return false;
  if (reply[0] == '$' && reply[1] == '-') {
    out.append(pool, "_\r\n");
    return true;
  }
  if (reply[0] == '*') return false;
  out.append(pool, reply);
  return true;
}

}  // namespace overlord::redis
