#include "config/access_reader.h"

#include <set>
#include <sstream>
#include <vector>

#include "config/file_text.h"

namespace overlord::config {
namespace {

using Reader = TableReader<ClusterConfig>;

constexpr size_t kMostAuth = 250;

// The first line of a file that holds one secret.
std::string read_secret(const Reader& reader, std::string_view file_key, std::string_view plain_key, std::string plain,
                        Reporter& reporter) {
  const std::string path = reader.text(file_key, "");
  if (path.empty()) return plain;
  const Position at = reader.find(file_key)->value.at;
  if (!plain.empty()) {
    reporter.error(at, reader.path(file_key), "set together with " + std::string(plain_key), "keep one of the two");
    return plain;
  }
  auto text = read_text_file(path);
  if (!text) {
    reporter.error(at, reader.path(file_key), text.error().message, "write the path of a file with one line");
    return plain;
  }
  std::string secret = text->substr(0, text->find('\n'));
  if (secret.ends_with('\r')) secret.pop_back();
  if (secret.empty()) reporter.error(at, reader.path(file_key), quoted(path) + " begins with an empty line");
  return secret;
}

class UserList {
 public:
  UserList(Reporter& reporter, std::string key) : reporter_(reporter), key_(std::move(key)) {}

  void add(std::string_view line, Position at, const std::string& where) {
    auto user = access::parse_user(line);
    if (!user) return reporter_.error(at, key_, where + user.error().message);
    if (!names_.insert(user->name()).second)
      return reporter_.error(at, key_, where + "user " + quoted(user->name()) + " is there twice", "take one out");
    if (access::has_plain_password(line))
      reporter_.warning(at, key_, where + "user " + quoted(user->name()) + " has its password in plain text",
                        "write # and the output of: printf %s PASSWORD | sha256sum");
    if (user->on() && user->needs_password() && !user->has_password())
      reporter_.warning(at, key_, where + "user " + quoted(user->name()) + " is on and has no password",
                        "give it one with #SHA256, or nopass");
    users_.push_back(std::move(*user));
  }

  std::vector<access::User> take() { return std::move(users_); }

 private:
  Reporter& reporter_;
  std::string key_;
  std::set<std::string> names_;
  std::vector<access::User> users_;
};

void read_lines(const Reader& reader, UserList& users, Reporter& reporter) {
  const TomlEntry* entry = reader.find("users");
  if (entry == nullptr) return;
  const auto* array = entry->value.get<TomlArray>();
  const char* example = "write users = [\"NAME on #SHA256 ~* &* +@all\"]";
  if (array == nullptr)
    return reporter.error(entry->value.at, reader.path("users"),
                          "expected an array of strings, found " + std::string(entry->value.type_name()), example);
  for (const TomlValue& item : array->items) {
    if (const auto* text = item.get<std::string>())
      users.add(*text, item.at, "");
    else
      reporter.error(item.at, reader.path("users"), "expected a string, found " + std::string(item.type_name()),
                     example);
  }
}

void read_file(const Reader& reader, UserList& users, Reporter& reporter) {
  const std::string path = reader.text("users_file", "");
  if (path.empty()) return;
  const Position at = reader.find("users_file")->value.at;
  auto text = read_text_file(path);
  if (!text) return reporter.error(at, reader.path("users_file"), text.error().message);
  std::istringstream lines(*text);
  uint32_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string::npos || line[begin] == '#') continue;
    if (line.ends_with('\r')) line.pop_back();
    users.add(line, at, path + " line " + std::to_string(number) + ": ");
  }
}

void read_memcache_auth(const Reader& reader, ClusterConfig& cluster, Reporter& reporter) {
  const std::string plain(reader.text("memcache_auth", ""));
  const std::string text = read_secret(reader, "memcache_auth_file", "memcache_auth", plain, reporter);
  if (text.empty()) return;
  const char* name = plain.empty() ? "memcache_auth_file" : "memcache_auth";
  const Position at = reader.find(name)->value.at;
  const size_t colon = text.find(':');
  // What text clients send has a blank between the two, and the line is not shown: it is a secret.
  if (colon == 0 || colon == std::string::npos || colon + 1 == text.size() || text.find(' ') < colon)
    return reporter.error(at, reader.path(name), "is not USER:PASSWORD", "write the name, a colon and the password");
  if (is_redis(cluster.cache_type))
    return reporter.warning(at, reader.path(name), "has no effect: it is for memcached", "use redis_auth");
  if (text.size() > kMostAuth) return reporter.error(at, reader.path(name), "is too long", "memcached takes 250 bytes");
  cluster.memcache_user = text.substr(0, colon);
  cluster.memcache_password = text.substr(colon + 1);
}

}  // namespace

void read_access(const Reader& reader, ReadCluster& read, Reporter& reporter) {
  ClusterConfig& cluster = read.config;
  cluster.redis_auth = read_secret(reader, "redis_auth_file", "redis_auth", cluster.redis_auth, reporter);
  read_memcache_auth(reader, cluster, reporter);
  cluster.password = read_secret(reader, "password_file", "password", cluster.password, reporter);
  UserList users(reporter, reader.path("users"));
  read_lines(reader, users, reporter);
  read_file(reader, users, reporter);
  std::vector<access::User> list = users.take();
  for (const access::User& user : list) {
    if (user.name() == access::kDefaultUser && !cluster.password.empty())
      reporter.error(read.at, reader.path("password"), "set together with a user " + quoted(user.name()),
                     "give that user the password in its rules");
  }
  cluster.users = access::Users(std::move(list), cluster.password);
}

}  // namespace overlord::config
