// A backend's reply for a client that speaks RESP3: whatever the shape, a whole reply becomes one whole reply, the
// same in any pieces.
//
// The first byte of the input is the shape (the highest ones: a list of shapes, as for EXEC), the next four say how to
// cut the rest.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/redis/reply_scanner.h"
#include "protocol/redis/resp3.h"

using namespace overlord;
using namespace overlord::redis;

namespace {

constexpr ReplyLimits kLimits{.max_bulk = 3000, .max_elements = 500, .max_line = 200};
constexpr ReplyLimits kOutput{.max_bulk = 4000, .max_elements = 5000, .max_line = 200};
constexpr std::array kList = {ShapeId::number, ShapeId::streams, ShapeId::plain, ShapeId::docs, ShapeId::set};

void require(bool condition) {
  if (!condition) std::abort();
}

std::string convert(uint8_t shape, std::string_view bytes, uint32_t seed, bool whole, ChunkPool& pool) {
  Resp3Converter converter;
  if (shape < static_cast<uint8_t>(ShapeId::kCount)) {
    converter.start(static_cast<ShapeId>(shape));
  } else {
    converter.start_list(kList);
  }
  ChunkQueue out;
  while (!bytes.empty()) {
    require(!converter.done());
    seed = seed * 1664525u + 1013904223u;
    const std::string_view piece = bytes.substr(0, whole ? bytes.size() : 1 + (seed >> 26));
    if (const uint64_t passing = converter.passing(); !whole && (seed & 64) != 0 && passing >= piece.size()) {
      out.append(pool, piece);
      converter.passed(piece.size());
    } else {
      converter.convert(piece, pool, out);
    }
    bytes.remove_prefix(piece.size());
  }
  require(converter.done());
  std::string text;
  for (const Chunk* c = out.front(); c != nullptr; c = c->next) text.append(c->data() + c->begin, c->size());
  out.clear(pool);
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 5) return 0;
  static ChunkPool pool;
  const uint8_t shape = data[0] % (static_cast<uint8_t>(ShapeId::kCount) + 2);
  const uint32_t seed = static_cast<uint32_t>(data[1]) << 24 | static_cast<uint32_t>(data[2]) << 16 |
                        static_cast<uint32_t>(data[3]) << 8 | data[4];
  std::string_view bytes(reinterpret_cast<const char*>(data) + 5, size - 5);
  ReplyScanner scanner(kLimits);
  size_t end = 0;
  if (scanner.advance(bytes, end) != ReplyScanner::Status::done || scanner.is_push()) return 0;
  bytes = bytes.substr(0, end);
  const std::string whole = convert(shape, bytes, seed, true, pool);
  require(whole == convert(shape, bytes, seed, false, pool));
  ReplyScanner check(kOutput);
  require(check.advance(whole, end) == ReplyScanner::Status::done);
  require(end == whole.size());
  return 0;
}
