#include "handover/client_state.h"

#include <sys/socket.h>

#include "handover/fields.h"

namespace overlord::handover {

std::string encode(ClientState& state) {
  FieldWriter out;
  out(ClientState::kVersion);
  state.visit(out);
  return out.take();
}

Result<ClientState> decode_client(std::string_view bytes) {
  FieldReader in(bytes);
  uint32_t version = 0;
  in(version);
  if (version != ClientState::kVersion) return fail("a client's state of version " + std::to_string(version));
  ClientState state;
  state.visit(in);
  if (!in.whole()) return fail("a client's state that is not whole");
  const bool good = state.user <= static_cast<uint8_t>(ClientState::User::named) &&
                    (state.protocol == 2 || state.protocol == 3) && state.reply_mode <= ClientState::kMostReplyMode &&
                    state.dialect <= ClientState::kMostDialect && state.source.size() <= sizeof(sockaddr_storage) &&
                    state.destination.size() <= sizeof(sockaddr_storage);
  if (!good) return fail("a client's state with a value that there is not");
  return state;
}

}  // namespace overlord::handover
