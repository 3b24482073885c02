#pragma once
// Session: talks to the API servers for one run of `overlord`, and says what came of it in its exit code.

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "http/client.h"

namespace overlord::cli {

// Exit codes; docs/platform-cli.md lists them.
inline constexpr int kRefused = 1;      // the server said no
inline constexpr int kUsage = 2;        // wrong arguments
inline constexpr int kUnreachable = 3;  // no server answered, or it cannot serve now
inline constexpr int kJobFailed = 4;    // the job that was waited for failed or was cancelled

struct SessionOptions {
  std::string server = "http://127.0.0.1:8880";
  std::string token{};
  std::string token_file{};
  std::string ca_file{};
  bool json = false;
  bool wait = false;                          // for the job that is submitted
  size_t width = 0;                           // of the terminal; 0: lines are not cut
  std::chrono::milliseconds look_every{500};  // at a job that is followed
};

class Session {
 public:
  Session(SessionOptions options, std::ostream& out, std::ostream& err);

  // Carries a command out; the exit code.
  int run(const Command& command, const Values& values);
  // Shows how a job goes until it is over.
  int follow(const std::string& job);

 private:
  int follow_events(const std::string& target);
  // The answer's body, when there is a good one; else the exit code in `code`.
  bool ask(const std::string& method, const std::string& target, const std::string& body, std::string& answer,
           int& code);
  int complain(const std::string& what, int code);

  const SessionOptions options_;
  std::ostream& out_;
  std::ostream& err_;
  std::unique_ptr<http::Client> client_;
};

}  // namespace overlord::cli
