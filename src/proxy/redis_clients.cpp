#include "proxy/redis_clients.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include "proxy/cluster.h"
#include "proxy/redis_session.h"

namespace overlord::proxy {
namespace {

using Found = std::vector<std::pair<uint64_t, std::string>>;

Found denials(Cluster& share, const ClientQuery& query) {
  Found found;
  if (query.act == ClientQuery::Act::forget_denials) {
    share.acl_log().clear();
    return found;
  }
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  for (const access::AclLog::Entry& entry : share.acl_log().entries()) {
    if (found.size() == query.most) break;
    found.emplace_back(static_cast<uint64_t>(entry.time), std::string());
    access::append_entry(found.back().second, entry, now);
  }
  return found;
}

// On the worker of `share`.
Found look_up(Cluster& share, const ClientQuery& query, const RedisSession* asking) {
  if (query.act != ClientQuery::Act::list && query.act != ClientQuery::Act::kill) return denials(share, query);
  Found found;
  for (Session* each = share.first_session(); each != nullptr;) {
    auto& session = static_cast<RedisSession&>(*each);
    each = each->list_next;
    if (!session.matches(query)) continue;
    const bool list = query.act == ClientQuery::Act::list;
    found.emplace_back(session.id(), list ? session.describe() : std::string());
    if (list) continue;
    if (&session == asking) {
      session.close_behind_answer();
    } else {
      session.cut();
    }
  }
  return found;
}

void add(ClientGathering& gathering, Found part) {
  std::ranges::move(part, std::back_inserter(gathering.found));
  if (--gathering.left == 0 && gathering.session != nullptr) gathering.session->gathered();
}

}  // namespace

void ask_clients(Cluster& home, const std::shared_ptr<const ClientQuery>& query,
                 const std::shared_ptr<ClientGathering>& gathering) {
  // The asking session may be gone before its question arrives, and the cluster behind it: it is looked up there.
  const std::shared_ptr<SharedCluster>& all = home.all();
  gathering->left = 1;
  for (size_t worker = 0; worker < all->parts.size(); ++worker) {
    Cluster* const part = all->parts[worker].load();
    if (part == nullptr || part == &home) continue;
    ++gathering->left;
    part->turn().loop.post([&back = home.turn().loop, all, worker, query, gathering] {
      Cluster* const here = all->parts[worker].load();
      auto found = std::make_shared<Found>(here == nullptr ? Found() : look_up(*here, *query, nullptr));
      back.post([gathering, found] { add(*gathering, std::move(*found)); });
    });
  }
  add(*gathering, look_up(home, *query, gathering->session));
}

}  // namespace overlord::proxy
