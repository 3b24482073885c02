#include "api/secrets.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include <array>
#include <memory>

namespace overlord::api {
namespace {

constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kHex = "0123456789abcdef";

template <size_t kSize>
bool fill(std::array<unsigned char, kSize>& bytes) {
  static_assert(kSize <= 256);  // which the kernel gives whole
  return ::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
}

// Of a power of two letters, so that all are as likely.
template <size_t kSize>
std::string random_text(std::string_view letters) {
  std::array<unsigned char, kSize> bytes{};
  if (!fill(bytes)) return {};
  std::string out;
  for (const unsigned char byte : bytes) out.push_back(letters[byte % letters.size()]);
  return out;
}

std::string crypted(const std::string& password, const std::string& setting) {
  const auto data = std::make_unique<crypt_data>();
  const char* const made = ::crypt_r(password.c_str(), setting.c_str(), data.get());
  std::string out = made == nullptr || *made == '*' ? "" : made;
  ::OPENSSL_cleanse(data.get(), sizeof *data);
  return out;
}

std::string new_setting() {
  std::array<unsigned char, 32> salt{};
  if (!fill(salt)) return {};
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  const char* const made = ::crypt_gensalt_rn("$y$", 0, reinterpret_cast<const char*>(salt.data()),
                                              static_cast<int>(salt.size()), setting, sizeof setting);
  return made == nullptr ? "" : made;
}

}  // namespace

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  ::EVP_Digest(text.data(), text.size(), digest.data(), &size, ::EVP_sha256(), nullptr);
  std::string out;
  for (unsigned int i = 0; i < size; ++i) {
    out.push_back(kHex[digest[i] >> 4]);
    out.push_back(kHex[digest[i] & 15]);
  }
  return out;
}

std::string new_token() {
  const std::string text = random_text<43>(kLetters);
  return text.empty() ? "" : "ovl_" + text;
}

std::string new_password() { return random_text<32>(kLetters); }

std::string new_id() { return random_text<32>(kHex); }

std::string hash_password(const std::string& password) {
  const std::string setting = new_setting();
  return setting.empty() ? "" : crypted(password, setting);
}

bool password_matches(const std::string& password, const std::string& hash) {
  // A user without a password takes as long as one with it.
  const std::string made = crypted(password, hash.empty() ? new_setting() : hash);
  return !hash.empty() && made.size() == hash.size() && ::CRYPTO_memcmp(made.data(), hash.data(), made.size()) == 0;
}

}  // namespace overlord::api
