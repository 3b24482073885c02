// What a process that takes over reads: any bytes are a message or a client's state, or refused; what is taken comes out
// of encoding again as it was.

#include <cstdlib>
#include <string_view>

#include "handover/client_state.h"
#include "handover/messages.h"

namespace {

template <typename Message>
void check(std::string_view bytes) {
  Message message;
  if (overlord::handover::decode(bytes, message) && overlord::handover::encode(message) != bytes) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace handover = overlord::handover;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto state = handover::decode_client(bytes); state && handover::encode(*state) != bytes) std::abort();
  check<handover::Hello>(bytes);
  check<handover::Refusal>(bytes);
  check<handover::Welcome>(bytes);
  check<handover::Listener>(bytes);
  check<handover::Remaining>(bytes);
  check<handover::Go>(bytes);
  check<handover::Input>(bytes);
  check<handover::Client>(bytes);
  check<handover::Taken>(bytes);
  check<handover::Refused>(bytes);
  check<handover::Done>(bytes);
  return 0;
}
