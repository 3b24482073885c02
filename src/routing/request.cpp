#include "routing/request.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "routing/route.h"

namespace overlord::routing {

void Request::push_hop(Route* route, uint64_t scratch) {
  if (hop_count == kMaxHops) std::abort();  // the tree's depth is checked when it is built
  hops[hop_count++] = {route, scratch};
}

void finish(Request& request) noexcept {
  // Walks up: a child that completes its parent makes the parent run its own hops in turn.
  for (Request* r = &request; r != nullptr;) {
    assert(!r->finished);
    while (r->hop_count > 0) {
      const Hop hop = r->hops[--r->hop_count];
      if (hop.route->on_reply(*r, hop.scratch) == HopResult::taken) return;
    }
    r->finished = true;
    Request* parent = r->parent;
    if (parent == nullptr) {
      if (r->owner != nullptr) r->owner->on_finished(*r);
      return;
    }
    if (--parent->pending > 0) return;
    r = parent;
  }
}

RequestPool::~RequestPool() {
  while (free_ != nullptr) {
    Request* next = free_->next;
    free_->~Request();
    std::free(free_);
    free_ = next;
  }
}

Request& RequestPool::take(Wire wire, Answer answer, RequestOwner* owner) {
  Request* r = free_;
  if (r != nullptr) [[likely]] {
    free_ = r->next;
    --free_count_;
  } else {
    void* memory = std::malloc(sizeof(Request));
    if (memory == nullptr) throw std::bad_alloc();
    r = new (memory) Request;
  }
  high_water_ = std::max(high_water_, ++in_use_);
  // All zeros but for these; one wide fill is far cheaper than a store per member. The hops need none.
  std::memset(static_cast<void*>(r), 0, offsetof(Request, hops));
  r->owner = owner;
  r->wire = wire;
  r->answer = answer;
  r->held_by_owner = true;
  r->in_order = true;
  r->weight = 1;
  return *r;
}

Request& RequestPool::take_child(Request& parent, Wire wire) {
  Request& child = take(wire, Answer::reply, nullptr);
  child.parent = &parent;
  child.lane = parent.lane;
  child.in_order = parent.in_order || parent.child_count > 0;
  child.began_at = parent.began_at;
  child.tag = parent.tag;
  (parent.last_child == nullptr ? parent.children : parent.last_child->next) = &child;
  parent.last_child = &child;
  ++parent.pending;
  ++parent.child_count;
  return child;
}

void RequestPool::recycle(Request& r) {
  if (r.reply_chain.front() != nullptr) r.reply_chain.clear(chunks_);
  if (r.reply_buffer) buffers_.give(r.reply_buffer);
  if (r.key_map) buffers_.give(r.key_map);
  if (r.copy) {
    copied_ -= r.copy.capacity;
    buffers_.give(r.copy);
  }
  r.reply_volatile = false;
  r.next = free_;
  free_ = &r;
  ++free_count_;
  --in_use_;
}

void RequestPool::release_children(Request& parent) {
  for (Request* child = parent.children; child != nullptr;) {
    Request* next = child->next;
    child->parent = nullptr;
    child->owner = nullptr;
    release_owner(*child);
    child = next;
  }
  parent.children = parent.last_child = nullptr;
  parent.pending = parent.child_count = 0;
}

void RequestPool::release_owner(Request& request) {
  if (request.children != nullptr) release_children(request);
  request.owner = nullptr;
  request.held_by_owner = false;
  if (!request.held_by_queue) recycle(request);
}

void RequestPool::release_queue(Request& request) {
  request.held_by_queue = false;
  request.source = nullptr;
  if (!request.held_by_owner) recycle(request);
}

bool RequestPool::keep_bytes(Request& request) {
  const size_t size = request.bytes.size();
  if (size > kMostCopied || copied_ >= kMostCopiedInAll) [[unlikely]]
    return false;
  request.copy = buffers_.take(size);
  request.copy_size = size;
  copied_ += request.copy.capacity;
  std::memcpy(request.copy.data, request.bytes.data(), size);
  return true;
}

void RequestPool::move_reply(Request& from, Request& to) {
  drop_reply(to);
  to.failure = from.failure;
  to.error_reply = from.error_reply;
  to.queue_error = from.queue_error;
  to.reached = from.reached;
  to.reply = std::exchange(from.reply, nullptr);
  to.reply_size = std::exchange(from.reply_size, 0);
  to.reply_buffer = std::exchange(from.reply_buffer, {});
  to.reply_volatile = from.reply_volatile;
  from.reply_volatile = false;
  to.reply_chain.splice(from.reply_chain);
}

void RequestPool::set_reply(Request& request, std::string_view text) {
  buffers_.give(request.reply_buffer);
  request.reply_buffer = buffers_.take(text.size());
  if (!text.empty()) std::memcpy(request.reply_buffer.data, text.data(), text.size());
  request.reply = request.reply_buffer.data;
  request.reply_size = text.size();
  request.reply_volatile = false;
}

void RequestPool::keep_reply(Request& request) {
  if (request.reply_volatile) set_reply(request, request.reply_view());
}

std::string_view RequestPool::flatten_reply(Request& request) {
  if (request.reply_chain.empty()) return request.reply_view();
  Buffer whole = buffers_.take(request.reply_size + request.reply_chain.size());
  size_t used = 0;
  if (request.reply_size > 0) std::memcpy(whole.data, request.reply, request.reply_size);
  used += request.reply_size;
  for (const Chunk* c = request.reply_chain.front(); c != nullptr; c = c->next) {
    std::memcpy(whole.data + used, c->data() + c->begin, c->size());
    used += c->size();
  }
  request.reply_chain.clear(chunks_);
  buffers_.give(request.reply_buffer);
  request.reply_buffer = whole;
  request.reply = whole.data;
  request.reply_size = used;
  request.reply_volatile = false;
  return request.reply_view();
}

void RequestPool::drop_reply(Request& request) {
  request.reply_chain.clear(chunks_);
  buffers_.give(request.reply_buffer);
  request.reply = nullptr;
  request.reply_size = 0;
  request.reply_volatile = false;
}

void RequestPool::trim() {
  while (free_ != nullptr && free_count_ + in_use_ > std::max(2 * high_water_, kAlwaysKept)) {
    Request* next = free_->next;
    free_->~Request();
    std::free(free_);
    free_ = next;
    --free_count_;
  }
  high_water_ = in_use_;
}

}  // namespace overlord::routing
