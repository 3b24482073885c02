#include "cli/session.h"

#include <fstream>
#include <ostream>
#include <thread>

#include "cli/request.h"
#include "cli/show.h"

namespace overlord::cli {
namespace {

constexpr int kOk = 200;
constexpr int kFirstBeyond = 300;
constexpr int kFirstOfServer = 500;
constexpr int kUnauthorized = 401;

std::string first_line(const std::string& path) {
  std::string line;
  std::ifstream in(path);
  std::getline(in, line);
  return line.substr(0, line.find_last_not_of(" \t\r") + 1);
}

http::ClientOptions client_options(const SessionOptions& options) {
  http::ClientOptions out;
  out.content_type = "application/json";
  out.tls.ca_file = options.ca_file;
  const std::string token = options.token.empty() ? first_line(options.token_file) : options.token;
  if (!token.empty()) out.headers.push_back("Authorization: Bearer " + token);
  return out;
}

}  // namespace

Session::Session(SessionOptions options, std::ostream& out, std::ostream& err)
    : options_(std::move(options)),
      out_(out),
      err_(err),
      client_(std::make_unique<http::Client>(options_.server, client_options(options_))) {}

int Session::complain(const std::string& what, int code) {
  err_ << "overlord: " << what << (what.ends_with('\n') ? "" : "\n");
  return code;
}

bool Session::ask(const std::string& method, const std::string& target, const std::string& body, std::string& answer,
                  int& code) {
  auto got = client_->ask(method, target, body);
  if (!got) {
    code = complain(got.error().message + "\nis overlord-apiserver running, and is this its address (--server)?",
                    kUnreachable);
    if (client_->fate() == http::Fate::lost && method != "GET") complain("it may have been done all the same", 0);
    return false;
  }
  answer = std::move(got->body);
  if (got->status >= kOk && got->status < kFirstBeyond) return true;
  std::string text = refusal_of(got->status, answer);
  if (got->status == kUnauthorized) text += "\na token is given by --token-file, --token or OVERLORD_TOKEN";
  code = complain(text, got->status >= kFirstOfServer ? kUnreachable : kRefused);
  return false;
}

int Session::run(const Command& command, const Values& values) {
  const auto request = request_of(command, values);
  if (!request) return complain(request.error().message, kUsage);
  if (command.answer == Answer::stream) return follow_events(request->target);
  std::string body;
  int code = 0;
  if (!ask(request->method, request->target, request->body, body, code)) return code;
  const std::string job = command.answer == Answer::job ? job_of(body) : std::string();
  if (options_.json) {
    out_ << body << (body.ends_with('\n') ? "" : "\n");
  } else if (!job.empty()) {
    out_ << "job " << job << "\n";
  } else {
    const auto text = text_of(command, body, options_.width);
    if (!text) return complain(text.error().message, kUnreachable);
    out_ << *text;
  }
  out_.flush();
  return options_.wait && !job.empty() ? follow(job) : 0;
}

int Session::follow(const std::string& job) {
  Progress before;
  for (;;) {
    std::string body;
    int code = 0;
    if (!ask("GET", "/api/v1/jobs/" + http::encoded(job), {}, body, code)) return code;
    auto now = progress_of(body);
    if (!now) return complain(now.error().message, kUnreachable);
    if (!options_.json) out_ << news(before, *now) << std::flush;
    if (now->over()) {
      if (options_.json) out_ << body << std::flush;
      return now->state == "done" ? 0 : kJobFailed;
    }
    before = std::move(*now);
    std::this_thread::sleep_for(options_.look_every);
  }
}

int Session::follow_events(const std::string& target) {
  EventLines lines;
  const auto answer = client_->follow(target, [&](std::string_view piece) {
    return !(out_ << (options_.json ? std::string(piece) : lines.take(piece)) << std::flush).fail();
  });
  if (!answer) return complain(answer.error().message, kUnreachable);
  if (answer->status != kOk) return complain(refusal_of(answer->status, answer->body), kRefused);
  return 0;
}

}  // namespace overlord::cli
