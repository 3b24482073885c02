#include "store/open.h"

#include "store/sqlite_store.h"

namespace overlord::store {
namespace {

Answer<std::unique_ptr<Store>> open_members(std::string_view members, std::string_view scheme,
                                            const OpenOptions& options) {
  EtcdOptions etcd{.user = options.user, .password = options.password, .tls = options.tls};
  while (members.ends_with('/')) members.remove_suffix(1);
  while (!members.empty()) {
    const size_t comma = members.find(',');
    const std::string_view member = members.substr(0, comma);
    members.remove_prefix(comma == std::string_view::npos ? members.size() : comma + 1);
    if (member.empty() || member.find_first_of("/@ ") != std::string_view::npos) {
      return fail(Trouble::refused, "\"" + std::string(member) + "\" is no HOST:PORT of etcd");
    }
    etcd.members.push_back(std::string(scheme) + std::string(member));
  }
  return open_etcd(std::move(etcd));
}

}  // namespace

Answer<std::unique_ptr<Store>> open_store(std::string_view url, const OpenOptions& options) {
  const auto after = [&](std::string_view scheme) { return url.substr(scheme.size()); };
  if (url.starts_with("sqlite://")) {
    const std::string path(after("sqlite://"));
    if (path.starts_with('/')) return open_sqlite(path);
    return fail(Trouble::refused,
                "the file of a sqlite store is an absolute path: sqlite:///var/lib/overlord/state.db");
  }
  if (url.starts_with("etcd://")) return open_members(after("etcd://"), "http://", options);
  if (url.starts_with("etcds://")) return open_members(after("etcds://"), "https://", options);
  return fail(Trouble::refused, "a store is sqlite:///PATH, etcd://HOST:PORT,... or etcds://HOST:PORT,..., not \"" +
                                    std::string(url) + "\"");
}

}  // namespace overlord::store
