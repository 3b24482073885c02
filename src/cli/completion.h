#pragma once
// A script by which a shell completes the words of `overlord`: made of the same table as the commands.

#include <string>
#include <string_view>

namespace overlord::cli {

// shell: "bash" or "zsh"; empty for others.
std::string completion_of(std::string_view shell);

}  // namespace overlord::cli
