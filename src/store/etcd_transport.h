#pragma once
// EtcdTransport: calls to an etcd cluster by its JSON gateway: which member is asked, what is tried again and where, and
// what became of a call that has no answer. Any thread.

#include <mutex>
#include <string>
#include <vector>

#include "http/client.h"
#include "store/etcd_json.h"
#include "store/etcd_store.h"

namespace overlord::store::etcd {

class EtcdTransport {
 public:
  explicit EtcdTransport(EtcdOptions options);

  enum class Kind {
    repeatable,  // a read, or a change that done twice is as done once
    once,        // without an answer it is `uncertain`
  };
  // The answer's body. Goes to other members, and waits for an election, for as long as options.patience. `too_long` is
  // set where the answer is longer than kMaxAnswer; the error is `refused` then.
  Answer<std::string> call(const char* path, const std::string& body, Kind kind, bool* too_long = nullptr);

  // For streams, which watch over their connection themselves.
  size_t preferred();
  void avoid(size_t member);  // the next one is preferred from now on
  const std::string& member(size_t index) const { return options_.members[index]; }
  Answer<std::vector<std::string>> headers();
  void forget_token();  // the next call logs in again
  // Whether this member answers at all, within options.silence.
  bool answers(size_t member);
  http::ClientOptions client_options() const;
  std::chrono::milliseconds silence() const { return options_.silence; }
  // What the refusal means for who asked.
  Error judge(const Refusal& refusal, Kind kind);

 private:
  struct Verdict {
    Error error;
    bool again = false;  // elsewhere, or later
  };
  Answer<std::string> try_once(const char* path, const std::string& body, Kind kind, bool* too_long, bool& again);
  Verdict verdict(const Refusal& refusal, Kind kind);
  std::unique_ptr<http::Client> borrow(size_t member);
  void give_back(size_t member, std::unique_ptr<http::Client> client);
  Answer<std::string> token();

  const EtcdOptions options_;
  std::mutex mutex_;
  size_t preferred_ = 0;
  std::vector<std::vector<std::unique_ptr<http::Client>>> idle_;  // for each member
  std::string token_;
  bool has_token_ = false;
};

}  // namespace overlord::store::etcd
