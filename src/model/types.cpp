#include "model/types.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "model/names.h"

namespace overlord::model {
namespace {

constexpr uint32_t kMibOfGib = 1024;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// Thousandths of a decimal number with three digits behind its point at most.
std::optional<uint32_t> thousandths(std::string_view text) {
  const size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view part = point == std::string_view::npos ? std::string_view{} : text.substr(point + 1);
  constexpr size_t kMostDigits = 6;
  if (whole.empty() || whole.size() > kMostDigits || part.size() > 3) return std::nullopt;
  if (point != std::string_view::npos && part.empty()) return std::nullopt;
  if (!std::ranges::all_of(whole, is_digit) || !std::ranges::all_of(part, is_digit)) return std::nullopt;
  std::string digits = std::string(whole) + std::string(part);
  digits.append(3 - part.size(), '0');
  uint32_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

}  // namespace

std::string_view to_string(CacheType type) { return name_of(type); }

std::optional<CacheType> cache_type(std::string_view text) { return value_of<CacheType>(text); }

std::string_view to_string(Role role) { return name_of(role); }

std::string to_string(const Spec& spec) {
  std::string out = std::to_string(spec.cpu_milli / 1000);
  if (uint32_t rest = spec.cpu_milli % 1000; rest != 0) {
    std::string digits = std::to_string(1000 + rest).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    out += "." + digits;
  }
  const bool whole = spec.memory_mib != 0 && spec.memory_mib % kMibOfGib == 0;
  return out + "c" + std::to_string(whole ? spec.memory_mib / kMibOfGib : spec.memory_mib) + (whole ? "g" : "m");
}

std::optional<Spec> spec(std::string_view text) {
  const size_t c = text.find('c');
  if (c == std::string_view::npos || text.size() < c + 3) return std::nullopt;
  const auto cpu = thousandths(text.substr(0, c));
  const char unit = text.back();
  if (!cpu || *cpu == 0 || (unit != 'm' && unit != 'g')) return std::nullopt;
  const auto memory = thousandths(text.substr(c + 1, text.size() - c - 2));
  if (!memory) return std::nullopt;
  const uint64_t mib = uint64_t{*memory} * (unit == 'g' ? kMibOfGib : 1) / 1000;
  if (mib == 0 || mib > UINT32_MAX) return std::nullopt;
  return Spec{*cpu, static_cast<uint32_t>(mib)};
}

Moment now() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::string to_text(Moment moment) {
  if (moment == 0) return {};
  const time_t seconds = moment / 1000;
  tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return {};
  char text[64];
  const size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + size, sizeof text - size, ".%03dZ", static_cast<int>(moment % 1000));
  return text;
}

std::string address_of(std::string_view host, uint16_t port) {
  const bool v6 = host.contains(':');
  return (v6 ? "[" : "") + std::string(host) + (v6 ? "]:" : ":") + std::to_string(port);
}

std::optional<HostPort> host_port(std::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = address.substr(0, colon);
  const std::string_view digits = address.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.contains(':')) {
    return std::nullopt;
  }
  uint16_t port = 0;
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (host.empty() || wrong != std::errc{} || end != digits.data() + digits.size() || port == 0) return std::nullopt;
  return HostPort{std::string(host), port};
}

bool valid_name(std::string_view name) {
  constexpr size_t kLongest = 64;
  if (name.empty() || name.size() > kLongest || !is_word(name.front()) || name.front() == '_') return false;
  return std::ranges::all_of(name, [](char c) { return is_word(c) || c == '-' || c == '.'; });
}

bool valid_appid(std::string_view appid) {
  constexpr size_t kLongest = 128;
  if (appid.size() > kLongest || !appid.contains('.') || appid.starts_with('.') || appid.ends_with('.')) return false;
  if (appid.contains("..")) return false;
  return std::ranges::all_of(appid, [](char c) { return is_word(c) || c == '-' || c == '.'; });
}

}  // namespace overlord::model
