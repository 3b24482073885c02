// resp3_convert: requests and their RESP2 replies from stdin, one after the other; the RESP3 replies to stdout, one line
// in front of each saying its length. Each is converted at once and byte by byte, which must give the same.

#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>

#include "protocol/redis/command.h"
#include "protocol/redis/reply_scanner.h"
#include "protocol/redis/request_parser.h"
#include "protocol/redis/resp3.h"

using namespace overlord;

namespace {

int give_up(const char* why) {
  std::cerr << why << '\n';
  return 1;
}

std::string convert(redis::ShapeId shape, std::string_view reply, size_t piece) {
  ChunkPool pool;
  ChunkQueue out;
  redis::Resp3Converter converter;
  converter.start(shape);
  for (; !reply.empty(); reply.remove_prefix(std::min(piece, reply.size()))) {
    converter.convert(reply.substr(0, piece), pool, out);
  }
  std::string text;
  for (const Chunk* c = out.front(); c != nullptr; c = c->next) text.append(c->data() + c->begin, c->size());
  out.clear(pool);
  return converter.done() ? text : "not done";
}

}  // namespace

int main() {
  const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
  std::string_view rest = input;
  while (!rest.empty()) {
    redis::RequestParser request;
    if (request.parse(rest) != redis::ParseStatus::complete) return give_up("a request is not whole");
    const redis::Resolved resolved = redis::resolve_command(request);
    std::string_view reply = rest.substr(request.size());
    redis::ReplyScanner scanner;
    size_t size = 0;
    if (scanner.advance(reply, size) != redis::ReplyScanner::Status::done) return give_up("a reply is not whole");
    reply = reply.substr(0, size);
    const auto shape =
        resolved.command == nullptr ? redis::ShapeId::plain : redis::reply_shape(*resolved.command, request);
    const std::string whole = convert(shape, reply, reply.size());
    if (whole != convert(shape, reply, 1)) return give_up("byte by byte it is another reply");
    std::cout << whole.size() << '\n' << whole;
    rest.remove_prefix(request.size() + size);
  }
  return 0;
}
