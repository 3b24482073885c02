#include "base/log_line.h"

#include <cstdio>

#include "base/text_escape.h"

namespace overlord {

namespace {

// The time to the second, and the offset from UTC in minutes. localtime_r takes a lock, so it is asked once a second.
struct Second {
  time_t at = -1;
  char text[40];   // "2026-01-31 12:00:00"
  char offset[8];  // "+01:00"
};

const Second& second_of(time_t at) {
  thread_local Second known;
  if (known.at == at) return known;
  tm parts{};
  ::localtime_r(&at, &parts);
  (void)std::strftime(known.text, sizeof known.text, "%Y-%m-%d %H:%M:%S", &parts);
  const long minutes = parts.tm_gmtoff / 60;
  const long size = minutes < 0 ? -minutes : minutes;
  (void)std::snprintf(known.offset, sizeof known.offset, "%c%02ld:%02ld", minutes < 0 ? '-' : '+', size / 60 % 24,
                      size % 60);
  known.at = at;
  return known;
}

void append_millis(std::string& out, long nanoseconds) {
  const long millis = nanoseconds / 1'000'000;
  out.push_back('.');
  out.push_back(static_cast<char>('0' + millis / 100 % 10));
  out.push_back(static_cast<char>('0' + millis / 10 % 10));
  out.push_back(static_cast<char>('0' + millis % 10));
}

}  // namespace

void append_log_line(std::string& out, LogFormat format, LogLevel level, const LogPlace& place, std::string_view text) {
  const Second& second = second_of(place.time.tv_sec);
  const std::string_view name = to_string(level);
  if (format == LogFormat::text) {
    out.append(second.text);
    append_millis(out, place.time.tv_nsec);
    out.append(" ").append(name).append(name.size() < 5 ? 6 - name.size() : 1, ' ');
    append_one_line(out, text);
  } else {
    const std::string_view time = second.text;
    out.append(R"({"time":")").append(time.substr(0, 10)).append("T").append(time.substr(11));
    append_millis(out, place.time.tv_nsec);
    out.append(second.offset).append(R"(","level":")").append(name).append(R"(","pid":)");
    out.append(std::to_string(place.pid)).append(R"(,"thread":")");
    append_json_text(out, place.thread);
    out.append(R"(","msg":")");
    append_json_text(out, text);
    out.append(R"("})");
  }
  out.push_back('\n');
}

}  // namespace overlord
