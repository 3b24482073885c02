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
  const std::vector<Cluster*>& shares = home.shares();
  gathering->left = shares.size();
  for (Cluster* const share : shares) {
    if (share == &home) continue;
    share->turn().loop.post([&home, share, query, gathering] {
      auto part = std::make_shared<Found>(look_up(*share, *query, nullptr));
      home.turn().loop.post([gathering, part] { add(*gathering, std::move(*part)); });
    });
  }
  add(*gathering, look_up(home, *query, gathering->session));
}

}  // namespace overlord::proxy
