#pragma once
// The store that a configuration names.

#include <memory>
#include <string>
#include <string_view>

#include "store/etcd_store.h"
#include "store/store.h"

namespace overlord::store {

struct OpenOptions {
  std::string user{};  // of etcd; empty: no login
  std::string password{};
  http::ClientTls tls{};
};

// "sqlite:///var/lib/overlord/state.db", "etcd://10.0.0.1:2379,10.0.0.2:2379", or "etcds://..." for etcd behind TLS.
// `refused` names what is wrong with another text.
Answer<std::unique_ptr<Store>> open_store(std::string_view url, const OpenOptions& options = {});

}  // namespace overlord::store
