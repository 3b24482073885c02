#include "routing/request.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "routing/route.h"

namespace overlord::routing {
namespace {

class Owner final : public RequestOwner {
 public:
  void on_finished(Request& request) noexcept override { finished.push_back(&request); }
  std::vector<Request*> finished;
};

// Notes every reply that it sees, and may do something then.
class Recorder : public Route {
 public:
  Recorder(std::string name, std::vector<std::string>& journal) : name_(std::move(name)), journal_(journal) {}
  void send(Request& request) noexcept override { request.push_hop(this); }
  HopResult on_reply(Request& request, uint64_t scratch) noexcept override {
    EXPECT_FALSE(request.finished);
    journal_.push_back(name_ + ":" + std::to_string(scratch));
    if (then) then(request);
    return result;
  }
  int32_t target(std::string_view) const noexcept override { return kNoTarget; }
  void broadcast(Request&, Wire, std::string_view) noexcept override {}
  void explain(std::string_view, std::string&) const override {}

  void (*then)(Request&) = nullptr;
  HopResult result = HopResult::done;

 private:
  std::string name_;
  std::vector<std::string>& journal_;
};

class RequestTest : public testing::Test {
 protected:
  void TearDown() override {
    EXPECT_EQ(pool_.in_use(), 0u);
    EXPECT_EQ(chunks_.in_use(), 0u);
  }

  Request& take(Wire wire = Wire::redis, Answer answer = Answer::reply) { return pool_.take(wire, answer, &owner_); }
  static void hold_by_queue(Request& request) { request.held_by_queue = true; }
  void chain(Request& request, std::string_view text) { request.reply_chain.append(chunks_, text); }

  ChunkPool chunks_;
  BufferPool buffers_;
  RequestPool pool_{chunks_, buffers_};
  Owner owner_;
};

TEST_F(RequestTest, ATakenRequestIsCleanAfterAnyUse) {
  Request& used = take();
  used.failure = Failure::timed_out;
  used.noreply = used.error_reply = used.streaming = used.take_in = used.source_paused = true;
  used.uploading = used.internal = true;
  used.in_order = false;
  used.key = used.bytes = used.retrieval = "text";
  used.weight = used.key_hash = used.key_count = 7;
  used.sent_at = used.ready_size = 9;
  used.key_map = buffers_.take(100);
  pool_.set_reply(used, "reply");
  chain(used, "more");
  used.finished = true;
  pool_.release_owner(used);
  EXPECT_EQ(chunks_.in_use(), 0u);

  Request& r = take(Wire::memcache_value, Answer::retrieval);
  ASSERT_EQ(&r, &used);  // the pool gave the same memory again
  EXPECT_EQ(r.wire, Wire::memcache_value);
  EXPECT_EQ(r.answer, Answer::retrieval);
  EXPECT_EQ(r.owner, &owner_);
  EXPECT_EQ(r.failure, Failure::none);
  EXPECT_TRUE(r.held_by_owner);
  EXPECT_TRUE(r.in_order);
  EXPECT_FALSE(r.finished || r.held_by_queue || r.noreply || r.error_reply || r.reply_volatile || r.streaming ||
               r.take_in || r.source_paused || r.uploading || r.internal);
  EXPECT_TRUE(r.key.empty() && r.bytes.empty() && r.retrieval.empty() && r.reply_view().empty());
  EXPECT_TRUE(r.reply_chain.empty());
  EXPECT_FALSE(r.reply_buffer);
  EXPECT_FALSE(r.key_map);
  EXPECT_EQ(r.weight, 1u);
  EXPECT_EQ(r.key_hash + r.key_count + r.pending + r.child_count, 0u);
  EXPECT_EQ(r.sent_at + r.ready_size, 0u);
  EXPECT_EQ(r.parent, nullptr);
  EXPECT_EQ(r.children, nullptr);
  EXPECT_EQ(r.members, nullptr);
  EXPECT_EQ(r.source, nullptr);
  EXPECT_EQ(r.hop_count, 0);
  pool_.release_owner(r);
}

TEST_F(RequestTest, TheLastHolderGivesItBack) {
  Request& owner_first = take();
  hold_by_queue(owner_first);
  pool_.release_owner(owner_first);
  EXPECT_EQ(pool_.in_use(), 1u);
  EXPECT_EQ(owner_first.owner, nullptr);
  finish(owner_first);  // the late reply: nobody is told
  pool_.release_queue(owner_first);
  EXPECT_EQ(pool_.in_use(), 0u);
  EXPECT_TRUE(owner_.finished.empty());

  Request& queue_first = take();
  hold_by_queue(queue_first);
  finish(queue_first);
  pool_.release_queue(queue_first);
  EXPECT_EQ(pool_.in_use(), 1u);
  EXPECT_EQ(queue_first.source, nullptr);
  EXPECT_EQ(owner_.finished, std::vector<Request*>{&queue_first});
  pool_.release_owner(queue_first);
  EXPECT_EQ(pool_.in_use(), 0u);

  Request& never_queued = take();
  pool_.release_owner(never_queued);
}

TEST_F(RequestTest, FinishTellsTheOwnerOnceAndAtTheEnd) {
  Request& r = take();
  fail(r, Failure::backend_down);
  EXPECT_TRUE(r.finished);
  EXPECT_EQ(r.failure, Failure::backend_down);
  EXPECT_EQ(owner_.finished, std::vector<Request*>{&r});
  pool_.release_owner(r);
}

TEST_F(RequestTest, ChildrenAreInOrderAndCompleteTheirParent) {
  Lane lane;
  Request& parent = take(Wire::none, Answer::sum);
  parent.lane = &lane;
  parent.in_order = false;
  Request& a = pool_.take_child(parent, Wire::redis);
  Request& b = pool_.take_child(parent, Wire::redis);
  Request& c = pool_.take_child(parent, Wire::redis);
  EXPECT_EQ(parent.children, &a);
  EXPECT_EQ(a.next, &b);
  EXPECT_EQ(b.next, &c);
  EXPECT_EQ(c.next, nullptr);
  EXPECT_EQ(parent.child_count, 3u);
  EXPECT_EQ(parent.pending, 3u);
  EXPECT_EQ(c.lane, &lane);
  // The first child of a client with nothing else in flight may change the lane; the others follow it.
  EXPECT_FALSE(a.in_order);
  EXPECT_TRUE(b.in_order);

  finish(c);
  fail(a, Failure::timed_out);
  EXPECT_FALSE(parent.finished);
  EXPECT_TRUE(owner_.finished.empty());
  finish(b);
  EXPECT_TRUE(parent.finished);
  EXPECT_EQ(parent.failure, Failure::none);  // what a child's failure means is for whoever merges
  EXPECT_EQ(owner_.finished, std::vector<Request*>{&parent});
  pool_.release_owner(parent);
}

TEST_F(RequestTest, QueuedChildrenOutliveAParentThatLeft) {
  Request& parent = take(Wire::none, Answer::sum);
  Request& answered = pool_.take_child(parent, Wire::redis);
  Request& queued = pool_.take_child(parent, Wire::redis);
  Request& queued_too = pool_.take_child(parent, Wire::redis);
  hold_by_queue(answered);
  hold_by_queue(queued);
  hold_by_queue(queued_too);
  finish(answered);
  pool_.release_queue(answered);
  EXPECT_EQ(pool_.in_use(), 4u);

  pool_.release_owner(parent);
  EXPECT_EQ(pool_.in_use(), 2u);
  EXPECT_EQ(queued.parent, nullptr);
  // New requests take the memory of what left while the old ones still wait.
  Request& other = take();
  Request& other_too = take();
  finish(queued_too);
  pool_.release_queue(queued_too);
  finish(queued);
  pool_.release_queue(queued);
  EXPECT_FALSE(other.finished || other_too.finished);
  EXPECT_TRUE(owner_.finished.empty());
  pool_.release_owner(other);
  pool_.release_owner(other_too);
}

TEST_F(RequestTest, ChildrenOfChildrenGoToo) {
  Request& top = take(Wire::none, Answer::sum);
  Request& middle = pool_.take_child(top, Wire::none);
  Request& leaf = pool_.take_child(middle, Wire::redis);
  pool_.take_child(middle, Wire::redis);
  hold_by_queue(leaf);
  pool_.release_owner(top);
  EXPECT_EQ(pool_.in_use(), 1u);
  EXPECT_EQ(leaf.parent, nullptr);
  finish(leaf);
  pool_.release_queue(leaf);
}

TEST_F(RequestTest, HopsRunInReverseOrderBeforeTheOwner) {
  std::vector<std::string> journal;
  Recorder outer("outer", journal), inner("inner", journal);
  Request& r = take();
  r.push_hop(&outer, 1);
  r.push_hop(&inner, 2);
  r.push_hop(&outer, 3);
  finish(r);
  EXPECT_EQ(journal, (std::vector<std::string>{"outer:3", "inner:2", "outer:1"}));
  EXPECT_EQ(r.hop_count, 0);
  EXPECT_EQ(owner_.finished.size(), 1u);
  pool_.release_owner(r);
}

TEST_F(RequestTest, HopsOfTheParentRunAfterThoseOfTheLastChild) {
  std::vector<std::string> journal;
  Recorder above("above", journal), below("below", journal);
  Request& parent = take(Wire::none, Answer::sum);
  parent.push_hop(&above, 1);
  Request& a = pool_.take_child(parent, Wire::redis);
  Request& b = pool_.take_child(parent, Wire::redis);
  a.push_hop(&below, 1);
  b.push_hop(&below, 2);
  finish(b);
  EXPECT_EQ(journal, std::vector<std::string>{"below:2"});
  finish(a);
  EXPECT_EQ(journal, (std::vector<std::string>{"below:2", "below:1", "above:1"}));
  EXPECT_EQ(owner_.finished, std::vector<Request*>{&parent});
  pool_.release_owner(parent);
}

TEST_F(RequestTest, AHopThatTakesARequestFinishesItLater) {
  std::vector<std::string> journal;
  Recorder outer("outer", journal);
  Recorder inner("inner", journal);
  inner.result = HopResult::taken;
  Request& r = take();
  r.push_hop(&outer, 1);
  r.push_hop(&inner, 2);
  finish(r);
  EXPECT_FALSE(r.finished);
  EXPECT_TRUE(owner_.finished.empty());
  EXPECT_EQ(journal, std::vector<std::string>{"inner:2"});
  finish(r);
  EXPECT_EQ(owner_.finished, std::vector<Request*>{&r});
  EXPECT_EQ(journal, (std::vector<std::string>{"inner:2", "outer:1"}));
  pool_.release_owner(r);
}

TEST_F(RequestTest, AHopMayChangeTheAnswer) {
  std::vector<std::string> journal;
  Recorder mender("mender", journal);
  mender.then = [](Request& request) {
    if (request.failure == Failure::none) return;
    request.failure = Failure::none;
    request.set_static_reply("$-1\r\n");
  };
  Request& r = take();
  r.push_hop(&mender);
  fail(r, Failure::timed_out);
  EXPECT_EQ(r.failure, Failure::none);
  EXPECT_EQ(r.reply_view(), "$-1\r\n");
  pool_.release_owner(r);
}

TEST_F(RequestTest, AHopMayPushHopsThatThenRun) {
  static std::vector<std::string> journal;
  journal.clear();
  static Recorder second("second", journal);
  Recorder first("first", journal);
  first.then = [](Request& request) { request.push_hop(&second, 5); };
  Request& r = take();
  r.push_hop(&first, 4);
  finish(r);
  EXPECT_EQ(journal, (std::vector<std::string>{"first:4", "second:5"}));
  EXPECT_EQ(owner_.finished.size(), 1u);
  pool_.release_owner(r);
}

TEST_F(RequestTest, MoreHopsThanTheTreeMayBeDeepEndTheProcess) {
  std::vector<std::string> journal;
  Recorder route("route", journal);
  Request& r = take();
  for (size_t i = 0; i < Request::kMaxHops; ++i) r.push_hop(&route, i);
  EXPECT_DEATH(r.push_hop(&route, 9), "");
  finish(r);
  EXPECT_EQ(journal.size(), Request::kMaxHops);
  pool_.release_owner(r);
}

TEST_F(RequestTest, SetReplyCopies) {
  Request& r = take();
  std::string text(300, 'x');
  pool_.set_reply(r, text);
  text.assign(300, '#');
  EXPECT_EQ(r.reply_view(), std::string(300, 'x'));
  EXPECT_FALSE(r.reply_volatile);
  pool_.set_reply(r, "");
  EXPECT_EQ(r.reply_view(), "");
  pool_.set_reply(r, "again");
  EXPECT_EQ(r.reply_view(), "again");
  pool_.release_owner(r);
  EXPECT_GT(buffers_.free_bytes(), 0u);
}

TEST_F(RequestTest, KeepReplyCopiesOnlyWhatIsVolatile) {
  Request& r = take();
  static constexpr std::string_view kText = "static";
  r.set_static_reply(kText);
  pool_.keep_reply(r);
  EXPECT_EQ(r.reply, kText.data());

  std::string receive_buffer = "volatile";
  r.reply = receive_buffer.data();
  r.reply_size = receive_buffer.size();
  r.reply_volatile = true;
  pool_.keep_reply(r);
  receive_buffer.assign(8, '#');
  EXPECT_EQ(r.reply_view(), "volatile");
  EXPECT_FALSE(r.reply_volatile);

  r.reply = receive_buffer.data();
  r.reply_size = 0;
  r.reply_volatile = true;
  pool_.keep_reply(r);
  EXPECT_EQ(r.reply_view(), "");
  EXPECT_NE(r.reply, receive_buffer.data());
  pool_.release_owner(r);
}

TEST_F(RequestTest, FlattenJoinsSliceAndChain) {
  Request& r = take();
  EXPECT_EQ(pool_.flatten_reply(r), "");

  const std::string large(3 * kChunkSize + 17, 'c');
  chain(r, large);
  EXPECT_EQ(pool_.flatten_reply(r), large);
  EXPECT_TRUE(r.reply_chain.empty());
  EXPECT_EQ(chunks_.in_use(), 0u);
  EXPECT_EQ(pool_.flatten_reply(r), large);  // once more changes nothing

  pool_.set_reply(r, "head ");
  chain(r, "tail");
  EXPECT_EQ(pool_.flatten_reply(r), "head tail");

  std::string receive_buffer = "slice ";
  r.reply = receive_buffer.data();
  r.reply_size = receive_buffer.size();
  r.reply_volatile = true;
  chain(r, "and chain");
  EXPECT_EQ(pool_.flatten_reply(r), "slice and chain");
  receive_buffer.assign(6, '#');
  EXPECT_EQ(r.reply_view(), "slice and chain");
  EXPECT_FALSE(r.reply_volatile);
  pool_.release_owner(r);
}

TEST_F(RequestTest, FlattenReadsBehindWhatWasConsumed) {
  Request& r = take();
  chain(r, "gone kept");
  r.reply_chain.consume(chunks_, 5);
  EXPECT_EQ(pool_.flatten_reply(r), "kept");
  pool_.release_owner(r);
}

TEST_F(RequestTest, DropReplyGivesEverythingBack) {
  Request& r = take();
  pool_.set_reply(r, "text");
  chain(r, "chain");
  r.reply_volatile = true;
  pool_.drop_reply(r);
  EXPECT_EQ(r.reply_view(), "");
  EXPECT_TRUE(r.reply_chain.empty());
  EXPECT_FALSE(r.reply_buffer);
  EXPECT_FALSE(r.reply_volatile);
  EXPECT_EQ(chunks_.in_use(), 0u);
  pool_.release_owner(r);
}

TEST_F(RequestTest, TrimLeavesWhatIsInUseAlone) {
  std::vector<Request*> burst;
  for (int i = 0; i < 20000; ++i) burst.push_back(&take());
  Request& kept = *burst.back();
  burst.pop_back();
  kept.key_hash = 77;
  for (Request* r : burst) pool_.release_owner(*r);
  for (int i = 0; i < 3; ++i) pool_.trim();
  EXPECT_EQ(kept.key_hash, 77u);
  EXPECT_EQ(pool_.in_use(), 1u);
  // The pool serves as before.
  for (Request*& r : burst) r = &take();
  for (Request* r : burst) pool_.release_owner(*r);
  pool_.release_owner(kept);
}

}  // namespace
}  // namespace overlord::routing
