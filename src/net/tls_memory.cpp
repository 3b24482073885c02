#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "net/tls_internal.h"

namespace overlord::net {
namespace {

// OpenSSL takes a buffer of a record's size when bytes come or go and gives it back when the record is done
// (SSL_MODE_RELEASE_BUFFERS): an idle connection has none, and a busy one goes to the heap twice a message. For every
// record it also takes a few small blocks for a moment, to write its header with. The stores keep some of each. Blocks
// are known by their size, so they carry no mark.
struct Kind {
  size_t least;  // of a request that the store serves
  size_t most;   // and the size of its blocks
  unsigned kept;
};
constexpr Kind kRecords{16 * 1024, 20 * 1024, 64};
constexpr Kind kSmall{1, 64, 256};
constexpr size_t kSlack = 64;       // that the heap may add to a large block
constexpr size_t kSmallSlack = 16;  // and to a small one

struct Block {
  Block* next;
};

struct Store {
  Block* free = nullptr;
  unsigned count = 0;

  void* take() {
    Block* const block = free;
    if (block != nullptr) {
      free = block->next;
      --count;
    }
    return block;
  }
  bool keep(void* memory, unsigned most) {
    if (count >= most) return false;
    auto* block = static_cast<Block*>(memory);
    block->next = free;
    free = block;
    ++count;
    return true;
  }
};

thread_local constinit Store t_records;
thread_local constinit Store t_small;
thread_local constinit bool t_ended = false;

struct Ending {
  ~Ending() {
    t_ended = true;
    for (Store* store : {&t_records, &t_small}) {
      while (void* block = store->take()) std::free(block);
    }
  }
};

// From the first block on: OpenSSL gives back what it has of a thread when the thread's own objects are gone already, and
// one that were made then would never be destroyed.
void await_end() {
  static thread_local const Ending ending;
  (void)ending;
}

void* take_from(Store& store, const Kind& kind) {
  if (!t_ended) await_end();
  void* const block = store.take();
  return block != nullptr ? block : std::malloc(kind.most);
}

void* take(size_t size, const char*, int) {
  if (size == 0) return nullptr;
  if (size <= kSmall.most) return take_from(t_small, kSmall);
  if (size >= kRecords.least && size <= kRecords.most) return take_from(t_records, kRecords);
  return std::malloc(size);
}

void give(void* memory, const char*, int) {
  if (memory == nullptr) return;
  const size_t size = ::malloc_usable_size(memory);
  const bool record = size >= kRecords.most && size < kRecords.most + kSlack;
  const bool small = size >= kSmall.most && size < kSmall.most + kSmallSlack;
  if (t_ended || (!record && !small)) return std::free(memory);
  await_end();
  const bool kept = record ? t_records.keep(memory, kRecords.kept) : t_small.keep(memory, kSmall.kept);
  if (!kept) std::free(memory);
}

void* resize(void* memory, size_t size, const char*, int) {
  if (size == 0) {
    give(memory, nullptr, 0);
    return nullptr;
  }
  return std::realloc(memory, size < kRecords.least || size > kRecords.most ? size : kRecords.most);
}

thread_local std::string t_error;

}  // namespace

void use_tls_buffer_store() {
  static const int done = CRYPTO_set_mem_functions(take, resize, give);
  (void)done;
}

std::string take_tls_error() {
  std::string text;
  while (const unsigned long code = ERR_get_error()) {
    // The first is the cause; what follows says who was told.
    if (!text.empty()) continue;
    const char* reason = ERR_reason_error_string(code);
    text = ERR_SYSTEM_ERROR(code) ? std::strerror(ERR_GET_REASON(code)) : reason != nullptr ? reason : "unknown error";
  }
  return text;
}

void set_tls_error(std::string text) { t_error = std::move(text); }

std::string error_text(int error) {
  if (error == EPROTO && !t_error.empty()) return t_error;
  return std::strerror(error);
}

}  // namespace overlord::net
