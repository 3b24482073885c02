#pragma once
// RedisSession: a client that speaks RESP2 or RESP3 (or inline commands). Commands with keys go down the route tree, those of
// the connection are answered here (redis_local.cpp), commands over several nodes are split (redis_split.h).

#include <memory>
#include <string>

#include "protocol/redis/command.h"
#include "protocol/redis/request_parser.h"
#include "protocol/redis/resp3.h"
#include "proxy/redis_clients.h"
#include "proxy/redis_subscriptions.h"
#include "proxy/redis_transaction.h"
#include "proxy/redis_wait.h"
#include "proxy/session.h"

namespace overlord::proxy {

class RedisSession final : public Session {
 public:
  RedisSession(Cluster& cluster, uint64_t id);
  ~RedisSession() override;

  // For CLIENT LIST and KILL, on the session's worker.
  std::string describe() const;
  bool matches(const ClientQuery& query) const;
  void close_behind_answer() { close_when_answered(); }
  void gathered();

 protected:
  Step consume(std::string_view bytes, size_t& used) override;
  Step consume_upload(std::string_view bytes, size_t& used) override;
  void write_answer(routing::Request& request, ChunkQueue& out) override;
  void write_part(routing::Request& request, ChunkQueue& out) override;
  std::string_view failure_line(routing::Failure failure) const override { return routing::redis_error_line(failure); }
  void on_leave() noexcept override;
  bool can_move() const override;  // redis_move.cpp, with the next two
  void save(handover::ClientState& state) const override;
  void restore(const handover::ClientState& state) override;
  bool follow_user(const access::Users& before) noexcept override { return follow(user_, before); }

 private:
  void handle();
  // The message is to be handled once everything before it has been answered.
  void handle_later() { later_ = true; }
  void unresolved(const redis::Resolved& resolved);
  void step_reply_mode();
  void abort_http();
  Step consider_upload(std::string_view bytes, size_t& used);
  void route_single(const redis::Command& command);
  void route_one_node(const redis::Command& command);
  void send_whole(const redis::Command& command, std::string_view key);
  void over_nodes(const redis::Command& command);
  void refuse(const redis::Command& command);
  void note_exceeded();
  void refuse_key();
  void error(std::string_view text);        // without "-" and CRLF; aborts an open transaction
  void plain_error(std::string_view text);  // does not

  // Where the keys of the command at hand are.
  struct Placed {
    std::string_view first{};
    int32_t group = routing::kNoTarget;  // of the first (Route::group)
    int found = 0;                       // keys; negative: the arguments do not fit the command
    bool one = true;                     // all are of that group
  };
  Placed place(const redis::Command& command);

  // redis_transaction.cpp
  bool in_transaction() const;
  void transaction(const redis::Command& command);
  void queue_command(const redis::Command& command);
  void refuse_queued(const redis::Command& command);
  bool place_queued(const redis::Command& command);  // false: answered with an error
  bool keys_have_moved() const;
  bool still_on_one_node();
  void exec(const redis::Command& command);
  void answer_locals(routing::Request& request);
  void watch(const redis::Command& command);
  void unwatch(const redis::Command& command);
  void end_transaction();

  // The pool when its nodes redirect requests; else null.
  Pool* moving_pool() const {
    return cluster_.config().cache_type == config::CacheType::redis_cluster ? &cluster_.pool() : nullptr;
  }
  // redis_blocking.cpp
  void block(const redis::Command& command);
  void wait_for_replicas(const redis::Command& command);

  // redis_pubsub.cpp
  friend class RedisSubscriptions;
  RedisSubscriptions& subscriptions();
  bool subscribed() const;
  void handle_subscribed(const redis::Command& command);  // instead of anything else
  void pubsub(const redis::Command& command);
  void subscribe(const redis::Command& command);
  void unsubscribe(const redis::Command& command);
  void answer_subscribed();
  void tell(std::string_view text);
  void append_subscribed(std::string& out, std::string_view word, const std::string* name, size_t count);
  std::string push_header(size_t elements) const;
  void push(std::string_view bytes);  // a message
  void end_subscriptions() noexcept;

  // redis_access.cpp
  void local_auth();
  bool log_in(std::string_view user, std::string_view password);  // answers when they are wrong
  bool permitted(const redis::Command& command);                  // answers when it is not
  bool surely_permitted(const redis::Command& command, std::string_view key) const;
  void note_denial(std::string_view reason, std::string_view object, std::string_view user);
  // redis_acl.cpp
  void local_acl(const redis::Command& command);
  void local_acl_cat();
  void local_acl_dryrun();
  void local_acl_genpass();
  void local_acl_getuser();
  void local_acl_log();

  // redis_local.cpp
  void local(const redis::Command& command);
  void local_hello();
  void set_name(std::string_view name);
  // redis_local_client.cpp
  void local_client(const redis::Command& command);
  std::string flags_text(bool unix_socket) const;
  void client_list();
  void client_kill();
  void client_reply();
  void client_setinfo();
  void client_tracking();
  void gather(const std::shared_ptr<const ClientQuery>& query, bool by_address);
  void local_reset();
  // redis_local_server.cpp
  void local_server(const redis::Command& command);
  void config_get();
  void local_slowlog(std::string_view sub);
  void local_latency(std::string_view sub);
  void local_swapdb();
  void local_select();
  // redis_local_cluster.cpp
  bool shown_as_cluster() const;
  void local_cluster(const redis::Command& command);
  void ask_slot_owner(const redis::Command& command);
  void local_info();
  std::string info_text() const;

  // The parser of the message at hand: the worker's shared one, or, while a message is not whole, one of our own.
  redis::RequestParser* parser_ = nullptr;
  std::unique_ptr<redis::RequestParser> kept_parser_;
  redis::MessageScanner& upload_scanner();

  std::unique_ptr<redis::MessageScanner> scanner_;  // of an upload
  // Of the reply that is passed on in pieces to a client that speaks RESP3.
  std::unique_ptr<redis::Resp3Converter> converter_;
  // What few clients need: an idle connection must not pay for it.
  struct Told {
    std::string name;          // CLIENT SETNAME
    std::string library_name;  // CLIENT SETINFO
    std::string library_version;
    bool wants_moving = false;  // CLIENT MAINT_NOTIFICATIONS ON
    std::shared_ptr<ClientGathering> gathering;
  };
  Told& told() {
    if (told_ == nullptr) told_ = std::make_unique<Told>();
    return *told_;
  }

  std::unique_ptr<Told> told_;
  std::unique_ptr<RedisSubscriptions> subscriptions_;  // null until the first
  std::unique_ptr<LeasedConnection> blocked_;          // null until the first blocking command
  std::unique_ptr<ReplicaWait> replica_wait_;          // null until the first WAIT
  std::unique_ptr<RedisTransaction> transaction_;      // null until the first MULTI or WATCH
  const access::User* user_;                           // null: not authenticated
  const redis::Command* last_command_ = nullptr;
  uint32_t born_;         // loop time in seconds
  uint8_t protocol_ = 2;  // 2 or 3
  bool later_ = false;
  enum class ReplyMode : uint8_t { on, off, skip_next, skip_this };
  ReplyMode reply_mode_ = ReplyMode::on;  // CLIENT REPLY
};

}  // namespace overlord::proxy
