#pragma once
// Answers of the API as people read them.

#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/command.h"

namespace overlord::cli {

// A table or a sheet, as the command's answer is. width: lines of tables are cut to so many columns; 0: not at all.
Result<std::string> text_of(const Command& command, std::string_view body, size_t width = 0);

// What an answer that is no success says: the message, a line for each field, and the request's id.
std::string refusal_of(int status, std::string_view body);

// The job that a request submitted, in what it answered; empty: none.
std::string job_of(std::string_view body);

// How far a job is.
struct Progress {
  std::string state;
  std::string reason;
  std::string eta;
  int64_t percent = 0;
  struct Step {
    std::string what;
    std::string state;
    std::string note;
  };
  std::vector<Step> steps;
  bool over() const { return state == "done" || state == "failed" || state == "cancelled"; }
};
Result<Progress> progress_of(std::string_view body);
// Lines for what is new since: steps that begin or end, reasons to wait, the end.
std::string news(const Progress& before, const Progress& now);

// The data lines of server-sent events, one event a line, as the bytes come.
class EventLines {
 public:
  std::string take(std::string_view bytes);

 private:
  std::string kept_;
  std::string data_;
  std::string event_;
  std::string id_;
};

}  // namespace overlord::cli
