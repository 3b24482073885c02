#pragma once
// Error: what a failed operation reports. One text for a person, no codes to look up.
// Result<T> is either the value or an Error; errors never travel as exceptions.

#include <expected>
#include <string>
#include <utility>

namespace overlord {

struct Error {
  std::string message;  // says what failed and, where there is one, the fix
};

template <typename T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string message) { return std::unexpected<Error>(Error{std::move(message)}); }

}  // namespace overlord
