#pragma once
// CLIENT LIST, CLIENT KILL and ACL LOG over all workers: a question goes to the cluster's share in every worker (Loop::post), the
// parts come back to the session that asked, which answers when the last has come.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "routing/request.h"

namespace overlord::proxy {

class Cluster;
class RedisSession;

// Which clients; what is empty or 0 does not matter.
struct ClientQuery {
  enum class Act : uint8_t { list, kill, denials, forget_denials } act = Act::list;
  size_t most = 0;                                                            // denials: so many, the newest
  enum class Type : uint8_t { any, normal, pubsub, other } type = Type::any;  // other: no client of a proxy is that
  std::vector<uint64_t> ids;                                                  // one of them
  std::string address;
  std::string local_address;
  std::string user;
  uint64_t except = 0;  // not this one
};

// The parts that have come. Shared by the session that asked and what is under way between the workers; used on the
// asking worker's thread only.
struct ClientGathering {
  RedisSession* session;  // null: it left
  routing::Request* request;
  bool by_address;  // KILL in its old form: an error when nobody was found
  ClientQuery::Act act;
  size_t most;  // as in the query
  size_t left;  // workers that have not answered
  // Clients by their ids, denials by their times; the text that stands for each.
  std::vector<std::pair<uint64_t, std::string>> found;
};

// Asks every worker. The gathering's session is told (RedisSession::gathered) when the last has answered; at once when
// there is no other worker.
void ask_clients(Cluster& home, const std::shared_ptr<const ClientQuery>& query,
                 const std::shared_ptr<ClientGathering>& gathering);

}  // namespace overlord::proxy
