#include "executor/node_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "base/text_escape.h"
#include "executor/files.h"
#include "net/socket.h"

namespace overlord::executor {
namespace {

constexpr size_t kTail = 4096;

uint64_t size_of(const std::string& path) {
  struct stat facts{};
  return ::lstat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) ? static_cast<uint64_t>(facts.st_size) : 0;
}

int64_t changed_at(const std::string& path) {
  constexpr int64_t kNanoseconds = 1'000'000'000;
  struct stat facts{};
  return ::stat(path.c_str(), &facts) == 0 ? facts.st_mtim.tv_sec * kNanoseconds + facts.st_mtim.tv_nsec : 0;
}

std::string numbered(const std::string& path, uint32_t number) { return path + "." + std::to_string(number); }

// F.1 becomes F.2 and so on; F.1 is free afterwards.
void make_room(const std::string& path, uint32_t count) {
  for (uint32_t number = count; number > 1; --number) {
    if (::rename(numbered(path, number - 1).c_str(), numbered(path, number).c_str()) != 0 && errno != ENOENT) {
      log_warn("cannot rename ", numbered(path, number - 1), ": ", std::strerror(errno));
    }
  }
}

void copy_and_empty(const std::string& path) {
  std::error_code failure;
  std::filesystem::copy_file(path, numbered(path, 1), std::filesystem::copy_options::overwrite_existing, failure);
  if (failure) log_warn("cannot copy ", path, ": ", failure.message());
  // Emptied even so: a log must not fill the disk.
  if (::truncate(path.c_str(), 0) != 0) log_warn("cannot empty ", path, ": ", std::strerror(errno));
}

// A line with what a server says, without its pid and time.
std::string last_line(const std::string& text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    while (rest.ends_with('\n') || rest.ends_with('\r')) rest.remove_suffix(1);
    const size_t begin = rest.rfind('\n') + 1;
    const std::string_view line = rest.substr(begin);
    if (line.find_first_not_of(" \t") != std::string_view::npos) return std::string(line);
    rest = rest.substr(0, begin);
  }
  return {};
}

}  // namespace

void rotate_node_logs(const std::string& folder, const NodeLogOptions& options) {
  const std::string redis = folder + "/" + std::string(kRedisLog);
  if (size_of(redis) > options.bytes) {
    make_room(redis, options.count);
    if (::rename(redis.c_str(), numbered(redis, 1).c_str()) != 0) {
      log_warn("cannot rename ", redis, ": ", std::strerror(errno));
    }
  }
  const std::string console = folder + "/" + std::string(kConsoleLog);
  if (size_of(console) > options.bytes) {
    make_room(console, options.count);
    copy_and_empty(console);
  }
}

std::string last_words(const std::string& folder) {
  std::string newer = folder + "/" + std::string(kConsoleLog);
  std::string older = folder + "/" + std::string(kRedisLog);
  if (changed_at(older) > changed_at(newer)) std::swap(newer, older);
  std::string line = last_line(end_of_file(newer, kTail));
  if (line.empty()) line = last_line(end_of_file(older, kTail));
  constexpr size_t kMost = 300;
  if (line.size() > kMost) line.resize(kMost);
  std::string out;
  append_one_line(out, line);
  return out;
}

}  // namespace overlord::executor
