#pragma once
// What the two processes of an upgrade say to each other: the giver, which runs, and the taker, which was just started.
//
//   taker  hello                                            giver
//                      welcome, listener..., all_listeners
//          ready (or failed)                                it closes its doors: nobody accepts for a moment
//                      go                                   clients move
//                      client, remaining...
//          taken, refused...
//                      done                                 it ends
//
// Until `go` the giver serves as if there were no taker. When the channel breaks before `done`, it opens its doors again
// and goes on with every client that it has not heard `taken` of.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "handover/fields.h"

namespace overlord::handover {

// Of the messages; that of a client's state is its own.
inline constexpr uint32_t kVersion = 1;

enum class Kind : uint8_t {
  hello = 1,
  refusal,
  welcome,
  listener,
  all_listeners,
  ready,
  failed,
  go,
  input,
  client,
  taken,
  refused,
  remaining,
  done
};

struct Hello {
  static constexpr Kind kKind = Kind::hello;
  uint32_t version = kVersion;
  uint32_t pid = 0;
  std::string program;  // its version
  void visit(auto& io) { io(version), io(pid), io(program); }
};

struct Refusal {
  static constexpr Kind kKind = Kind::refusal;
  std::string reason;
  void visit(auto& io) { io(reason); }
};

struct Welcome {
  static constexpr Kind kKind = Kind::welcome;
  uint32_t pid = 0;
  std::string program;
  std::string notify_address;  // of the service manager; empty: there is none
  uint64_t watchdog_ns = 0;
  void visit(auto& io) { io(pid), io(program), io(notify_address), io(watchdog_ns); }
};

// With one descriptor.
struct Listener {
  static constexpr Kind kKind = Kind::listener;
  enum class Role : uint8_t { clients, admin, upgrade };
  uint8_t role = 0;
  std::string address;      // as the configuration writes it
  bool one_socket = false;  // all workers accept from it
  std::string path = {};    // of a unix socket: to be removed at the end; empty: not by us
  void visit(auto& io) { io(role), io(address), io(one_socket), io(path); }
};

struct AllListeners {
  static constexpr Kind kKind = Kind::all_listeners;
  void visit(auto&) {}
};

struct Ready {
  static constexpr Kind kKind = Kind::ready;
  void visit(auto&) {}
};

struct Failed {
  static constexpr Kind kKind = Kind::failed;
  std::string reason;
  void visit(auto& io) { io(reason); }
};

// Clients that the giver still has, so that limits hold for both together: all, and those of a cluster.
struct Remaining {
  static constexpr Kind kKind = Kind::remaining;
  std::string cluster;
  uint32_t clients = 0;
  void visit(auto& io) { io(cluster), io(clients); }
};

// After a Remaining for each cluster.
struct Go {
  static constexpr Kind kKind = Kind::go;
  uint64_t next_client_id = 0;
  void visit(auto& io) { io(next_client_id); }
};

// In front of a client: a piece of its input.
struct Input {
  static constexpr Kind kKind = Kind::input;
  static constexpr size_t kMost = 64 * 1024;
  std::string bytes;
  void visit(auto& io) { io(bytes); }
};

// With its descriptor.
struct Client {
  static constexpr Kind kKind = Kind::client;
  uint64_t number = 0;
  std::string state;
  void visit(auto& io) { io(number), io(state); }
};

struct Taken {
  static constexpr Kind kKind = Kind::taken;
  uint64_t number = 0;
  void visit(auto& io) { io(number); }
};

struct Refused {
  static constexpr Kind kKind = Kind::refused;
  uint64_t number = 0;
  std::string reason;
  void visit(auto& io) { io(number), io(reason); }
};

struct Done {
  static constexpr Kind kKind = Kind::done;
  uint64_t moved = 0;
  uint64_t drained = 0;
  uint64_t closed = 0;
  void visit(auto& io) { io(moved), io(drained), io(closed); }
};

template <typename Message>
std::string encode(Message message) {
  FieldWriter out;
  out(static_cast<uint8_t>(Message::kKind));
  message.visit(out);
  return out.take();
}

// Kind 0: there is no message.
inline Kind kind_of(std::string_view bytes) {
  return bytes.empty() ? Kind{} : static_cast<Kind>(static_cast<uint8_t>(bytes.front()));
}

// False: it is none of that kind.
template <typename Message>
bool decode(std::string_view bytes, Message& message) {
  if (kind_of(bytes) != Message::kKind) return false;
  FieldReader in(bytes.substr(1));
  message.visit(in);
  return in.whole();
}

}  // namespace overlord::handover
