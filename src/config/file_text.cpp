#include "config/file_text.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace overlord::config {

namespace {
constexpr size_t kLargest = 16U << 20;
}

Result<std::string> read_text_file(const std::string& path) {
  const auto failed = [](int code) { return fail(std::string("cannot be read: ") + std::strerror(code)); };
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Closer> file(std::fopen(path.c_str(), "rbe"));
  if (!file) return failed(errno);
  std::string text;
  char block[64 << 10];
  for (;;) {
    const size_t got = std::fread(block, 1, sizeof(block), file.get());
    text.append(block, got);
    if (text.size() > kLargest) return fail("larger than 16 MiB; this is no configuration");
    if (got < sizeof(block)) break;
  }
  if (std::ferror(file.get()) != 0) return failed(errno);
  return text;
}

}  // namespace overlord::config
