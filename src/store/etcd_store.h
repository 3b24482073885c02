#pragma once
// A store in an etcd cluster (3.4 and later), by the JSON gateway of its client port. Members that do not answer are
// passed over; an election is waited for. A change that got no answer is `uncertain`, and never sent twice.
//
// Compaction: a watch that begins right behind a compaction of the last moment can miss a removal at exactly its first
// revision (etcd before 3.4.34), so compact what is old: some minutes, not the present.

#include <memory>
#include <string>
#include <vector>

#include "http/client.h"
#include "store/store.h"

namespace overlord::store {

struct EtcdOptions {
  std::vector<std::string> members{};  // "http://HOST:PORT" or "https://HOST:PORT"
  std::string user{};                  // empty: no login
  std::string password{};
  http::ClientTls tls{};
  std::chrono::milliseconds connect_timeout{2000};
  std::chrono::milliseconds timeout{5000};    // of one request to one member
  std::chrono::milliseconds patience{10000};  // for any of them to answer
  std::chrono::milliseconds silence{5000};    // of a watch, after which its member is asked whether it is there
};

// Does not connect; an unreachable etcd is `unavailable` in each call.
Answer<std::unique_ptr<Store>> open_etcd(EtcdOptions options);

}  // namespace overlord::store
