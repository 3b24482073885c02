#include "executor/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "net/socket.h"

namespace overlord::executor {
namespace {

constexpr size_t kPiece = 64 * 1024;
constexpr unsigned kModes = 0777;

// "./a/b" as "a/b"; nothing for a path that does not stay within the folder.
std::optional<std::string> inside(const char* name) {
  if (name == nullptr) return std::nullopt;
  std::string_view rest = name;
  if (rest.starts_with('/')) return std::nullopt;
  std::string path;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    if (part == "..") return std::nullopt;
    if (part.empty() || part == ".") continue;
    path.append(path.empty() ? "" : "/").append(part);
  }
  return path;
}

using Reader = std::unique_ptr<archive, int (*)(archive*)>;

std::string text_of(archive* from) {
  const char* const text = ::archive_error_string(from);
  return text == nullptr ? "cannot be read" : text;
}

// Makes the entry one of `folder`; the error says why it cannot be.
Result<void> confine(archive_entry& entry, const std::string& folder) {
  const char* const name = ::archive_entry_pathname(&entry);
  const auto path = inside(name);
  if (!path) return fail("names a place outside: " + std::string(name == nullptr ? "(no name)" : name));
  const char* const hard = ::archive_entry_hardlink(&entry);
  const auto type = ::archive_entry_filetype(&entry);
  if (hard != nullptr) {
    const auto target = inside(hard);
    if (!target) return fail(*path + " is a link to a place outside");
    ::archive_entry_set_hardlink(&entry, (folder + "/" + *target).c_str());
  } else if (type == AE_IFLNK) {
    if (!inside(::archive_entry_symlink(&entry))) return fail(*path + " is a link to a place outside");
  } else if (type != AE_IFREG && type != AE_IFDIR) {
    return fail(*path + " is neither a file nor a folder");
  }
  ::archive_entry_set_perm(&entry, ::archive_entry_perm(&entry) & kModes);
  ::archive_entry_set_pathname(&entry, (folder + "/" + *path).c_str());
  return {};
}

Result<uint64_t> copy_data(archive* from, archive* to, uint64_t room) {
  uint64_t total = 0;
  while (true) {
    const void* bytes = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    const int got = ::archive_read_data_block(from, &bytes, &size, &offset);
    if (got == ARCHIVE_EOF) return total;
    if (got < ARCHIVE_OK) return fail(text_of(from));
    total = std::max(total, static_cast<uint64_t>(offset) + size);
    if (total > room) return fail("holds more than " + std::to_string(kMostUnpacked) + " bytes");
    if (::archive_write_data_block(to, bytes, size, offset) < ARCHIVE_OK) return fail(text_of(to));
  }
}

}  // namespace

Result<std::string> sha256_of(const std::string& path) {
  const net::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail("cannot open " + path + ": " + std::strerror(errno));
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> digest(::EVP_MD_CTX_new(), ::EVP_MD_CTX_free);
  if (digest == nullptr || ::EVP_DigestInit_ex(digest.get(), ::EVP_sha256(), nullptr) != 1) {
    return fail("SHA-256 is not available");
  }
  std::string piece(kPiece, '\0');
  while (true) {
    const ssize_t got = ::read(fd.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail("cannot read " + path + ": " + std::strerror(errno));
    if (got == 0) break;
    ::EVP_DigestUpdate(digest.get(), piece.data(), static_cast<size_t>(got));
  }
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (::EVP_DigestFinal_ex(digest.get(), sum, &size) != 1) return fail("SHA-256 failed");
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    constexpr std::string_view kHex = "0123456789abcdef";
    hex += {kHex[sum[i] >> 4U], kHex[sum[i] & 15U]};
  }
  return hex;
}

Result<void> unpack(const std::string& archive_path, const std::string& folder, const std::atomic<bool>& cancelled) {
  const Reader from(::archive_read_new(), ::archive_read_free);
  ::archive_read_support_format_tar(from.get());
  ::archive_read_support_filter_all(from.get());
  const Reader to(::archive_write_disk_new(), ::archive_write_free);
  ::archive_write_disk_set_options(to.get(), ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
                                                 ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT);
  const auto wrong = [&](const std::string& why) { return fail("the archive " + archive_path + ": " + why); };
  if (::archive_read_open_filename(from.get(), archive_path.c_str(), kPiece) != ARCHIVE_OK) {
    return wrong(text_of(from.get()));
  }
  uint64_t room = kMostUnpacked;
  for (uint32_t entries = 0;; ++entries) {
    archive_entry* entry = nullptr;
    const int got = ::archive_read_next_header(from.get(), &entry);
    if (got == ARCHIVE_EOF && entries == 0) return wrong("is empty");
    if (got == ARCHIVE_EOF) return {};
    if (got < ARCHIVE_WARN) return wrong(text_of(from.get()));
    if (cancelled.load()) return wrong("unpacking it was cancelled");
    if (entries >= kMostEntries) return wrong("has more than " + std::to_string(kMostEntries) + " entries");
    if (const auto good = confine(*entry, folder); !good) return wrong(good.error().message);
    if (::archive_write_header(to.get(), entry) < ARCHIVE_OK) return wrong(text_of(to.get()));
    const auto copied = copy_data(from.get(), to.get(), room);
    if (!copied) return wrong(copied.error().message);
    room -= *copied;
    if (::archive_write_finish_entry(to.get()) < ARCHIVE_OK) return wrong(text_of(to.get()));
  }
}

}  // namespace overlord::executor
