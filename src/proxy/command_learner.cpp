#include "proxy/command_learner.h"

#include <utility>

#include "base/log.h"

namespace overlord::proxy {

using redis::LearnedList;
using routing::Answer;
using routing::Failure;
using routing::Request;
using routing::Wire;

namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kRefresh = 10 * kSecond;
constexpr size_t kMaxKinds = 64;
constexpr uint32_t kMostLost = 3;
constexpr std::string_view kQuestions[] = {"*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n",
                                           "*2\r\n$7\r\nCOMMAND\r\n$5\r\nCOUNT\r\n", "*1\r\n$7\r\nCOMMAND\r\n"};

// "redis_version:7.0.15" of INFO; forks have lines of their own besides.
std::string version_lines(std::string_view info) {
  std::string found;
  while (!info.empty()) {
    const size_t end = info.find('\n');
    const std::string_view line = info.substr(0, end);
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos && line.substr(0, colon).ends_with("_version")) found.append(line);
    info = end == std::string_view::npos ? std::string_view{} : info.substr(end + 1);
  }
  return found;
}

}  // namespace

CommandLearner::CommandLearner(Turn& turn, Pool& pool, LearnedCommands& learned, std::string cluster)
    : turn_(turn), pool_(pool), learned_(learned), cluster_(std::move(cluster)) {
  timer_.set([](void* self) { static_cast<CommandLearner*>(self)->step(); }, this);
}

CommandLearner::~CommandLearner() {
  timer_.cancel();
  if (request_ != nullptr) turn_.requests.release_owner(*request_);
}

void CommandLearner::step() {
  if (request_ != nullptr) {
    if (!request_->finished) return;
    take_answer();
  }
  if (request_ != nullptr || ask_next()) return;
  turn_.loop.timers().arm(timer_, turn_.now(), kSecond);
}

bool CommandLearner::ask_next() {
  if (turn_.now() - last_refresh_ >= kRefresh && learned_.take_miss()) {
    last_refresh_ = turn_.now();
    for (auto& [id, node] : nodes_) node.asked = false;
  }
  const size_t known = nodes_.size();
  std::erase_if(nodes_, [this](const auto& node) { return pool_.find(node.first) == nullptr; });
  if (nodes_.size() != known) publish();
  for (const auto& backend : pool_.backends()) {
    Node& node = nodes_[backend->id()];
    const uint64_t faults = backend->counters().failures.get();
    if (node.lost >= kMostLost || (node.asked && node.faults == faults) || backend->ejected() ||
        turn_.now() < node.not_before)
      continue;
    node.asked = true;
    node.faults = faults;
    kind_.clear();
    ask(*backend, Question::version);
    return true;
  }
  return false;
}

void CommandLearner::ask(Backend& backend, Question question) {
  request_ = &turn_.requests.take(Wire::redis, Answer::reply, this);
  request_->internal = true;
  request_->bytes = kQuestions[static_cast<size_t>(question)];
  question_ = question;
  backend_ = backend.id();
  backend.send(*request_);
}

// The answer is looked at outside of the connection's turn of events.
void CommandLearner::on_finished(Request&) noexcept { turn_.loop.timers().arm(timer_, turn_.now(), 0); }

void CommandLearner::take_answer() {
  Request& request = *std::exchange(request_, nullptr);
  const std::string reply(turn_.requests.flatten_reply(request));
  const Failure failure = request.failure;
  const bool error = request.error_reply;
  turn_.requests.release_owner(request);
  Backend* const backend = pool_.find(backend_);
  if (backend == nullptr) return;
  Node& node = nodes_[backend_];
  if (failure != Failure::none) {
    const bool hung_up = failure == Failure::connection_lost || failure == Failure::bad_reply;
    if (hung_up && ++node.lost == kMostLost) {
      log_warn("backend ", backend->name(), ": does not answer what commands it has; it is not asked again");
    }
    node.asked = false;
    node.not_before = turn_.now() + kSecond;
    return;
  }
  switch (question_) {
    case Question::version: kind_ = error ? "unknown" : version_lines(reply); return ask(*backend, Question::count);
    case Question::count:
      kind_ += reply;
      if (error) return;  // it has no COMMAND, or we may not ask
      if (!tables_.contains(kind_)) return ask(*backend, Question::table);
      break;
    case Question::table:
      if (!error) learn_table(reply);
      break;
  }
  node.lost = 0;
  node.kind = kind_;
  publish();
}

void CommandLearner::learn_table(std::string_view reply) {
  LearnedList list;
  if (!redis::parse_command_table(reply, list)) {
    log_warn("cluster ", cluster_, ": the answer of a backend to COMMAND is malformed; its commands are not learned");
    return;
  }
  if (tables_.size() >= kMaxKinds) return;
  LearnedCommands::List& table = tables_[kind_];
  for (auto& learned : list) {
    if (const redis::Command* const kept = learned_.keep(std::move(learned))) table.push_back(kept);
  }
}

void CommandLearner::publish() {
  LearnedCommands::List all;
  std::set<std::string_view> kinds;
  for (const auto& [id, node] : nodes_) {
    if (!kinds.insert(node.kind).second) continue;
    if (const auto table = tables_.find(node.kind); table != tables_.end()) {
      all.insert(all.end(), table->second.begin(), table->second.end());
    }
  }
  const size_t before = learned_.all().size();
  learned_.publish(std::move(all));
  const size_t after = learned_.all().size();
  if (after != before) log_info("cluster ", cluster_, ": ", after, " commands learned from the backends");
}

}  // namespace overlord::proxy
