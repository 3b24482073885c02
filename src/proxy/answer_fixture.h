#pragma once
// What the tests of merged answers share: parents with children whose replies are written by hand.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "routing/request.h"

namespace overlord::proxy {

class AnswerTest : public testing::Test, public routing::RequestOwner {
 public:
  void on_finished(routing::Request&) noexcept override { ++finished_; }

 protected:
  using Answer = routing::Answer;
  using Failure = routing::Failure;
  using Request = routing::Request;
  using Wire = routing::Wire;

  void TearDown() override {
    EXPECT_EQ(pool_.in_use(), 0u);
    EXPECT_EQ(chunks_.in_use(), 0u);
  }

  Request& parent(Answer answer) { return pool_.take(Wire::none, answer, this); }

  // A child with its reply. chained: the reply lies in the chain, cut into pieces, as one that came in pieces does.
  Request& child(Request& of, std::string_view reply, bool chained = false) {
    Request& r = pool_.take_child(of, Wire::redis);
    give_reply(r, reply, chained);
    return r;
  }
  Request& error_child(Request& of, std::string_view reply) {
    Request& r = child(of, reply);
    r.error_reply = true;
    return r;
  }
  Request& failed_child(Request& of, Failure failure) {
    Request& r = pool_.take_child(of, Wire::redis);
    r.failure = failure;
    return r;
  }
  void give_reply(Request& r, std::string_view reply, bool chained = false) {
    if (!chained) return pool_.set_reply(r, reply);
    pool_.set_reply(r, reply.substr(0, reply.size() / 3));
    r.reply_chain.append(chunks_, reply.substr(reply.size() / 3));
  }

  // Takes what was written and lets the request go.
  std::string text_of(ChunkQueue& out, Request& request) {
    std::string text;
    for (const Chunk* c = out.front(); c != nullptr; c = c->next) text.append(c->data() + c->begin, c->size());
    EXPECT_EQ(text.size(), out.size());
    out.clear(chunks_);
    pool_.release_owner(request);
    return text;
  }

  ChunkPool chunks_;
  BufferPool buffers_;
  routing::RequestPool pool_{chunks_, buffers_};
  int finished_ = 0;
};

}  // namespace overlord::proxy
