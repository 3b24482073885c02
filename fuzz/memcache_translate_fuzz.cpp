// Text and meta commands into the binary requests of a binary backend, and such a backend's replies into text. What
// must hold for any input:
//  - a command becomes one whole frame of the sizes it says, or a refusal in one line;
//  - a reply becomes nothing but whole lines without control characters inside, of the kind that its command has.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/memcache/binary_command.h"
#include "protocol/memcache/meta_reply.h"

namespace {

using namespace overlord::memcache;
using namespace overlord::memcache::binary;

void require(bool holds) {
  if (!holds) std::abort();
}

// One line, and for ma with v the number behind it.
void check_line(std::string_view text, size_t lines) {
  for (; lines > 0 && !text.empty(); --lines) {
    const size_t end = text.find("\r\n");
    require(end != text.npos);
    for (const char c : text.substr(0, end)) {
      const auto byte = static_cast<unsigned char>(c);
      require(byte >= 0x20 && byte != 0x7f);
    }
    text.remove_prefix(end + 2);
  }
  require(text.empty());
}

void check_frame(std::string_view text, const Command& command) {
  const overlord::memcache::binary::Header header = read_header(command.frame.data());
  require(header.magic == kRequestMagic && header.opaque == 77 && !is_quiet(header.opcode));
  require(command.frame_size == kHeaderSize + header.extras_size + header.key_size);
  require(command.frame_size <= command.frame.size());
  require(header.body_size == header.extras_size + header.key_size + command.value_size);
  require(command.value_at <= text.size());
  require(header.key_size <= kMaxKey);
}

void check_reply(Form form, std::string_view meta_line, std::string_view reply) {
  if (reply.size() < kHeaderSize) return;
  Reply parsed{.header = read_header(reply.data()), .extras = {}, .key = {}, .body = {}};
  reply.remove_prefix(kHeaderSize);
  if (parsed.header.extras_size + size_t{parsed.header.key_size} > reply.size()) return;
  parsed.extras = reply.substr(0, parsed.header.extras_size);
  parsed.key = reply.substr(parsed.header.extras_size, parsed.header.key_size);
  parsed.body = reply.substr(parsed.header.extras_size + parsed.header.key_size);
  parsed.value_size = parsed.header.cas & 0xffff;
  std::string line;
  if (append_value_line(parsed, true, line)) {
    check_line(line, 1);
    const ReplyLine again = parse_reply_line(line);
    require(again.kind == ReplyKind::value && again.key == parsed.key && again.value_size == parsed.value_size);
  }
  line.clear();
  if (append_stat_line(parsed, line)) check_line(line, 1);
  line.clear();
  if (form == Form::meta) {
    if (!append_meta_reply(meta_line, parsed, line)) return;
    check_line(line, 2);
    const ReplyKind kind = parse_meta_reply_line(line).kind;
    require(kind == ReplyKind::line || kind == ReplyKind::value || kind == ReplyKind::error);
  } else if (append_line_reply(form, parsed, line)) {
    check_line(line, 1);
    const ReplyKind kind = parse_reply_line(line).kind;
    require(form == Form::version || kind == ReplyKind::line || kind == ReplyKind::error);
  }
}

}  // namespace

// The command up to its first line feed and what the first byte adds to it, then the reply.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t end = bytes.find('\n');
  if (end == bytes.npos) return 0;
  const size_t cut = std::min(bytes.size(), end + 1 + data[0]);
  Command command;
  translate(bytes.substr(0, cut), 77, command);
  if (!command.error.empty()) {
    check_line(command.error, 1);
    return 0;
  }
  check_frame(bytes.substr(0, cut), command);
  check_reply(command.form, command.meta_line, bytes.substr(end + 1));
  return 0;
}
