#pragma once
// What the tests of memcache backend connections share.

#include "proxy/connection_fixture.h"
#include "proxy/memcache_answer.h"

namespace overlord::proxy {

inline constexpr std::string_view kVersion = "VERSION 1.6.18\r\n";

class MemcacheConnectionTest : public ConnectionTest {
 protected:
  void up(std::string_view version = kVersion) {
    make(config::CacheType::memcache);
    bring_up(version);
  }
  Asker& meta(std::string_view bytes) { return ask(routing::Wire::memcache_meta, bytes); }
  // One client's get of one key, in the present turn.
  Asker& get(std::string_view key, std::string_view retrieval = "get") {
    Asker& asker = new_asker(routing::Wire::memcache_value, routing::Answer::retrieval);
    send_value(*asker.request, key, retrieval);
    return asker;
  }
  // One client's get of several keys.
  Asker& get_all(const std::vector<std::string>& keys) {
    Asker& asker = new_asker(routing::Wire::none, routing::Answer::retrieval);
    for (size_t i = 0; i < keys.size(); ++i) turn.requests.take_child(*asker.request, routing::Wire::memcache_value);
    routing::Request* child = asker.request->children;
    for (const std::string& key : keys) {
      send_value(*child, key, "get");
      child = child->next;
    }
    return asker;
  }
  void send_value(routing::Request& request, std::string_view key, std::string_view retrieval) {
    const std::string key_bytes(key), retrieval_bytes(retrieval);  // the client's, gone afterwards
    request.key = key_bytes;
    request.retrieval = retrieval_bytes;
    connection->send(request);
  }
  // What the client is written; it leaves with that.
  std::string answer(Asker& asker) {
    EXPECT_TRUE(asker.done);
    ChunkQueue out;
    write_memcache_answer(*asker.request, turn.requests, out);
    std::string text;
    for (const Chunk* c = out.front(); c != nullptr; c = c->next) text.append(c->data() + c->begin, c->size());
    out.clear(turn.chunks());
    leave(asker);
    return text;
  }
  static std::string item(std::string_view key, std::string_view value) {
    return "VALUE " + std::string(key) + " 0 " + std::to_string(value.size()) + "\r\n" + std::string(value) + "\r\n";
  }
  // Expects that a bad answer to "get a b" or "delete c" ends the connection and fails who still waits.
  void expect_bad(std::string_view reply) {
    SCOPED_TRACE(std::string(reply));
    up();
    Asker& a = get("a");
    Asker& b = get("b");
    Asker& behind = ask(routing::Wire::memcache_line, "delete c\r\n");
    end_turn();
    receive(reply);
    EXPECT_TRUE(a.done && b.done);
    EXPECT_TRUE(behind.failed(routing::Failure::bad_reply));
    EXPECT_FALSE(link().open);
    leave_all();
    connection.reset();
  }
};

}  // namespace overlord::proxy
