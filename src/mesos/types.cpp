#include "mesos/types.h"

#include <array>
#include <random>
#include <utility>

#include "base/base64.h"

namespace overlord::mesos {
namespace {

constexpr std::array<std::pair<State, std::string_view>, 14> kStates{{
    {State::staging, "TASK_STAGING"},
    {State::starting, "TASK_STARTING"},
    {State::running, "TASK_RUNNING"},
    {State::killing, "TASK_KILLING"},
    {State::finished, "TASK_FINISHED"},
    {State::killed, "TASK_KILLED"},
    {State::failed, "TASK_FAILED"},
    {State::error, "TASK_ERROR"},
    {State::lost, "TASK_LOST"},
    {State::dropped, "TASK_DROPPED"},
    {State::unreachable, "TASK_UNREACHABLE"},
    {State::gone, "TASK_GONE"},
    {State::gone_by_operator, "TASK_GONE_BY_OPERATOR"},
    {State::unknown, "TASK_UNKNOWN"},
}};

}  // namespace

std::string_view to_string(State state) { return kStates[static_cast<size_t>(state)].second; }

std::optional<State> state(std::string_view text) {
  for (const auto& [value, name] : kStates) {
    if (name == text) return value;
  }
  return std::nullopt;
}

std::string make_uuid() {
  std::random_device device;
  std::string bytes;
  for (int word = 0; word < 4; ++word) {
    const auto random = device();
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(random >> shift & 0xFF));
  }
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  return to_base64(bytes);
}

}  // namespace overlord::mesos
