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
// (SSL_MODE_RELEASE_BUFFERS): an idle connection has none, and a busy one goes to the heap twice a message. The store
// keeps a few such blocks. Blocks are known by their size, so they carry no mark.
constexpr size_t kLeast = 16 * 1024;
constexpr size_t kMost = 20 * 1024;
constexpr unsigned kKept = 16;

struct Block {
  Block* next;
};

thread_local Block* t_free = nullptr;
thread_local unsigned t_count = 0;
thread_local bool t_ended = false;

struct Ending {
  ~Ending() {
    t_ended = true;
    while (Block* block = t_free) {
      t_free = block->next;
      std::free(block);
    }
  }
};

void* take(size_t size, const char*, int) {
  if (size < kLeast || size > kMost) return size == 0 ? nullptr : std::malloc(size);
  if (Block* block = t_free) {
    t_free = block->next;
    --t_count;
    return block;
  }
  return std::malloc(kMost);
}

void give(void* memory, const char*, int) {
  if (memory == nullptr) return;
  const size_t size = ::malloc_usable_size(memory);
  if (size < kMost || size >= kMost + 64 || t_count >= kKept || t_ended) return std::free(memory);
  static thread_local const Ending ending;
  (void)ending;
  auto* block = static_cast<Block*>(memory);
  block->next = t_free;
  t_free = block;
  ++t_count;
}

void* resize(void* memory, size_t size, const char*, int) {
  if (size == 0) {
    give(memory, nullptr, 0);
    return nullptr;
  }
  return std::realloc(memory, size < kLeast || size > kMost ? size : kMost);
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
