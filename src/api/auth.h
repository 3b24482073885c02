#pragma once
// Who asks: tokens, users, and the first of both.

#include <string>

#include "api/call.h"
#include "api/records.h"

namespace overlord::api {

// By the header Authorization: Bearer. Nobody: there is no such header. An error: there is one that is not good, or the
// store does not answer. A token reaches no further than its user does now, and goes with its user.
Result<Who> who_asks(store::Store& store, const http::Request& request);

constexpr bool may(model::Access access, Need need) {
  return need == Need::nothing || static_cast<int>(access) + 1 >= static_cast<int>(need);
}

// Where a token of this text stands.
std::string token_key(std::string_view text);

// When the store has no user at all: makes the user admin, without a password, and a token for it. The token's text, once;
// empty: there are users already.
Result<std::string> make_first_user(store::Store& store);

}  // namespace overlord::api
