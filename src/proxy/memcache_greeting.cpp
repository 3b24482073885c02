// How a memcache client begins: its first byte chooses the protocol, and where a password is asked of a text client it
// has to log in, as with memcached -Y: by a set, of whatever key, whose value is "user password".

#include "protocol/memcache/text.h"
#include "proxy/memcache_session.h"

namespace overlord::proxy {

using memcache::ParseStatus;
using memcache::Verb;

namespace {

constexpr uint64_t kMaxLogin = 2048;  // bytes of the value
constexpr std::string_view kUnauthenticated = "CLIENT_ERROR unauthenticated\r\n";
constexpr std::string_view kLoginFailed = "CLIENT_ERROR authentication failure\r\n";

}  // namespace

Session::Step MemcacheSession::consume_greeting(std::string_view bytes, size_t& used) {
  if (dialect_ == Dialect::unknown) {
    const bool binary = static_cast<uint8_t>(bytes.front()) == memcache::binary::kRequestMagic;
    dialect_ = binary ? Dialect::binary : (user_ != nullptr ? Dialect::text : Dialect::login);
  }
  if (dialect_ == Dialect::binary) return MemcacheBinarySession::consume(bytes, used);
  return dialect_ == Dialect::login ? consume_login(bytes, used) : consume(bytes, used);
}

Session::Step MemcacheSession::consume_login(std::string_view bytes, size_t& used) {
  memcache::Limits limits;
  limits.max_value = kMaxLogin;
  if (memcache::is_meta(bytes)) {
    memcache::MetaRequest parsed;
    const ParseStatus status = memcache::parse_meta_request(bytes, limits, parsed);
    if (status == ParseStatus::incomplete) return Step::need_more;
    if (status != ParseStatus::fatal) return refuse(kUnauthenticated, parsed.size, parsed.swallow, bytes, used);
    answer_and_close(parsed.error);
    return Step::stop;
  }
  memcache::Request parsed;
  switch (memcache::parse_request(bytes, limits, parsed)) {
    case ParseStatus::incomplete:
    case ParseStatus::value: return Step::need_more;
    case ParseStatus::complete: break;
    case ParseStatus::refused: return refuse(kUnauthenticated, parsed.size, parsed.swallow, bytes, used);
    case ParseStatus::fatal: answer_and_close(parsed.error); return Step::stop;
  }
  cluster_.counters().requests.add();
  used = parsed.size;
  if (parsed.verb != Verb::set) {
    answer_static(kUnauthenticated);
    return Step::consumed;
  }
  std::string_view value = bytes.substr(parsed.line_size, parsed.value_size + memcache::kCrlf.size());
  if (!value.ends_with(memcache::kCrlf)) {
    answer_static(memcache::kBadDataChunk);
    return Step::consumed;
  }
  value.remove_suffix(memcache::kCrlf.size());
  const size_t blank = value.find(' ');
  const access::User* who =
      blank == std::string_view::npos ? nullptr : authenticate(value.substr(0, blank), value.substr(blank + 1));
  if (who == nullptr) {
    answer_late(kLoginFailed);
    return Step::consumed;
  }
  user_ = who;
  dialect_ = Dialect::text;
  answer_static("STORED\r\n");
  return Step::consumed;
}

}  // namespace overlord::proxy
