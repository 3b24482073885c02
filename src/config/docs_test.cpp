// docs/config.md and the tables in the code say the same: each key and flag has its row there, word for word, no
// row is left over, and the examples load.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "config/flags.h"
#include "config/keys.h"
#include "config/loader.h"

namespace overlord::config {
namespace {

std::string manual() {
  std::ifstream in(OVERLORD_SOURCE_DIR "/docs/config.md", std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<KeyInfo> all_keys() {
  std::vector<KeyInfo> keys;
  for (const auto& key : process_keys()) keys.push_back(key.info);
  for (const auto& key : cluster_keys()) keys.push_back(key.info);
  return keys;
}

std::string row(const KeyInfo& key) {
  std::string range;
  if (key.highest != 0) range = std::to_string(key.lowest) + " to " + std::to_string(key.highest);
  if (!key.unit.empty()) range += " " + std::string(key.unit);
  std::string text = "| `" + std::string(key.name) + "` | " + std::string(key.type) + " | ";
  text += key.default_value == "-" ? "-" : "`" + std::string(key.default_value) + "`";
  text += " | " + range + " | " + std::string(key.doc);
  if (!key.reloadable) text += " *Needs a restart.*";
  if (key.state == KeyState::later) text += " *Accepted, but not in this version yet.*";
  return text + " |\n";
}

// The part of the manual from a heading to the next of the same level.
std::string part(const std::string& text, const std::string& heading) {
  const size_t begin = text.find("\n## " + heading + "\n");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find("\n## ", begin + 1) - begin);
}

const char* heading_of(const KeyInfo& key) {
  if (key.state == KeyState::old) return "Keys of old files";
  switch (key.section) {
    case Section::process: return "The proxy file";
    case Section::proxy: return "The proxy file: [proxy]";
    case Section::cluster: return "The cluster file: [[clusters]]";
  }
  return "";
}

// The names of the rows of a part's tables: what stands in back-quotes in the first column.
std::set<std::string> row_names(const std::string& text) {
  std::set<std::string> names;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("| `")) names.insert(line.substr(3, line.find('`', 3) - 3));
  return names;
}

std::vector<std::string> examples(const std::string& text, const std::string& language) {
  std::vector<std::string> all;
  const std::string open = "\n```" + language + "\n";
  for (size_t at = text.find(open); at != std::string::npos; at = text.find(open, at + 1)) {
    const size_t begin = at + open.size();
    all.push_back(text.substr(begin, text.find("```", begin) - begin));
  }
  return all;
}

TEST(Manual, HasTheRowOfEveryKey) {
  const std::string text = manual();
  ASSERT_FALSE(text.empty());
  for (const KeyInfo& key : all_keys()) {
    const std::string heading = heading_of(key);
    EXPECT_TRUE(part(text, heading).find(row(key)) != std::string::npos) << heading << " lacks\n" << row(key);
  }
}

TEST(Manual, HasNoRowOfAKeyThatIsNotThere) {
  const std::string text = manual();
  for (const KeyInfo& of : all_keys()) {
    std::set<std::string> known;
    for (const KeyInfo& key : all_keys())
      if (std::string(heading_of(key)) == heading_of(of)) known.insert(std::string(key.name));
    EXPECT_EQ(row_names(part(text, heading_of(of))), known) << heading_of(of);
  }
}

TEST(Manual, HasEveryFlagAndNoOther) {
  std::set<std::string> flags;
  for (std::string_view name : flag_names()) flags.insert("-" + std::string(name));
  EXPECT_EQ(row_names(part(manual(), "Flags")), flags);
}

TEST(Manual, ExamplesLoadAndShowEveryKey) {
  const std::string text = manual();
  const std::string clusters = part(text, "The cluster file: [[clusters]]");
  const std::string process = part(text, "The proxy file");
  ASSERT_FALSE(examples(clusters, "toml").empty());
  ASSERT_FALSE(examples(process, "toml").empty());
  std::string shown;
  for (const std::string& example : examples(clusters, "toml")) {
    const auto outcome = load_cluster_text(example, "example");
    for (const Problem& problem : outcome.problems)
      EXPECT_NE(problem.severity, Problem::Severity::error) << format(problem);
    shown += "\n" + example;
  }
  for (const std::string& example : examples(process, "toml")) {
    const auto outcome = load_process_text(example, "example");
    for (const Problem& problem : outcome.problems)
      EXPECT_NE(problem.severity, Problem::Severity::error) << format(problem);
    shown += "\n" + example;
  }
  for (const KeyInfo& key : all_keys())
    EXPECT_TRUE(key.state == KeyState::old || shown.find("\n" + std::string(key.name) + " = ") != std::string::npos)
        << key.name << " is in no example";
}

// ---- The tables themselves

TEST(Keys, NamesAreUniqueInTheirSection) {
  std::set<std::pair<Section, std::string_view>> seen;
  for (const KeyInfo& key : all_keys()) EXPECT_TRUE(seen.emplace(key.section, key.name).second) << key.name;
}

// Loading a file that states every default gives what an empty one gives, so the table's defaults are true.
TEST(Keys, StatedDefaultsAreTheDefaults) {
  std::string cluster =
      "[[clusters]]\nname = \"a\"\ncache_type = \"redis\"\nlisten_addr = \"1\"\nservers = [\"h:1:1\"]\n";
  std::string stated = cluster;
  std::string process;
  std::string proxy = "[proxy]\n";
  for (const KeyInfo& key : all_keys()) {
    if (key.default_value == "-") continue;
    std::string& into = key.section == Section::cluster ? stated : key.section == Section::proxy ? proxy : process;
    into += std::string(key.name) + " = " + std::string(key.default_value) + "\n";
  }
  const auto plain = load_cluster_text(cluster, "f");
  const auto full = load_cluster_text(stated, "f");
  ASSERT_TRUE(plain.ok() && full.ok());
  EXPECT_TRUE(full.problems.empty());
  const ClusterConfig& a = plain.value->clusters[0];
  const ClusterConfig& b = full.value->clusters[0];
  EXPECT_EQ(a.backend_protocol, b.backend_protocol);
  EXPECT_EQ(a.hash_method, b.hash_method);
  EXPECT_EQ(a.distribution, b.distribution);
  EXPECT_EQ(a.hash_compat, b.hash_compat);
  EXPECT_EQ(a.hash_tag.trim("x{y}"), b.hash_tag.trim("x{y}"));
  EXPECT_EQ(a.dial_timeout, b.dial_timeout);
  EXPECT_EQ(a.read_timeout, b.read_timeout);
  EXPECT_EQ(a.write_timeout, b.write_timeout);
  EXPECT_EQ(a.node_connections, b.node_connections);
  EXPECT_EQ(a.node_pipe_count, b.node_pipe_count);
  EXPECT_EQ(a.ping_auto_eject, b.ping_auto_eject);
  EXPECT_EQ(a.ping_fail_limit, b.ping_fail_limit);
  EXPECT_EQ(a.ping_interval, b.ping_interval);
  EXPECT_EQ(a.eject_retry_interval, b.eject_retry_interval);
  EXPECT_EQ(a.slowlog_slower_than, b.slowlog_slower_than);
  EXPECT_EQ(a.slowlog_hash_keys, b.slowlog_hash_keys);
  EXPECT_EQ(a.watch_keys, b.watch_keys);
  EXPECT_EQ(a.read_from, b.read_from);
  EXPECT_EQ(a.max_replica_lag, b.max_replica_lag);
  EXPECT_EQ(a.flush_all_enabled, b.flush_all_enabled);
  EXPECT_EQ(a.coalesce_gets, b.coalesce_gets);
  EXPECT_EQ(a.policy.read_only(), b.policy.read_only());
  EXPECT_EQ(a.policy.restricts(), b.policy.restricts());
  EXPECT_EQ(a.learn_commands, b.learn_commands);
  EXPECT_EQ(a.script_cache_size, b.script_cache_size);
  EXPECT_EQ(a.max_clients, b.max_clients);
  EXPECT_EQ(a.client_idle_timeout, b.client_idle_timeout);
  EXPECT_EQ(a.tcp_keepalive, b.tcp_keepalive);
  EXPECT_EQ(a.backend_tcp_keepalive, b.backend_tcp_keepalive);
  EXPECT_EQ(a.limits.max_key_size, b.limits.max_key_size);
  EXPECT_EQ(a.limits.max_value_size, b.limits.max_value_size);
  EXPECT_EQ(a.limits.max_request_size, b.limits.max_request_size);
  EXPECT_EQ(a.limits.max_arguments, b.limits.max_arguments);
  EXPECT_EQ(a.limits.max_pipeline, b.limits.max_pipeline);
  EXPECT_EQ(a.limits.max_client_buffer, b.limits.max_client_buffer);
  EXPECT_EQ(a.limits.max_node_queue, b.limits.max_node_queue);

  const auto stated_process = load_process_text(process + proxy, "f");
  ASSERT_TRUE(stated_process.ok());
  EXPECT_TRUE(stated_process.problems.empty());
  const ProcessConfig& p = *stated_process.value;
  const ProcessConfig q;
  EXPECT_EQ(p.stat, q.stat);
  EXPECT_EQ(p.log.file, q.log.file);
  EXPECT_EQ(p.log.to_stdout, q.log.to_stdout);
  EXPECT_EQ(p.log.verbosity, q.log.verbosity);
  EXPECT_EQ(p.log.level, q.log.level);
  EXPECT_EQ(p.log.format, q.log.format);
  EXPECT_EQ(p.log.max_bytes, q.log.max_bytes);
  EXPECT_EQ(p.log.backup_count, q.log.backup_count);
  EXPECT_EQ(p.log.daily, q.log.daily);
  EXPECT_EQ(p.read_timeout, q.read_timeout);
  EXPECT_EQ(p.write_timeout, q.write_timeout);
  EXPECT_EQ(p.max_connections, q.max_connections);
  EXPECT_EQ(p.max_accepts_per_second, q.max_accepts_per_second);
  EXPECT_EQ(p.max_memory, q.max_memory);
  EXPECT_EQ(p.stop_timeout, q.stop_timeout);
  EXPECT_EQ(p.use_metrics, q.use_metrics);
  EXPECT_EQ(p.otlp.endpoint, q.otlp.endpoint);
  EXPECT_EQ(p.otlp.sample, q.otlp.sample);
  EXPECT_EQ(p.workers, q.workers);
  EXPECT_EQ(p.io, q.io);
}

TEST(Keys, SuggestionsAreNearOrNone) {
  const std::string_view names[] = {"node_connections", "hash_tag", "t"};
  EXPECT_EQ(nearest("node_conection", names), "node_connections");
  EXPECT_EQ(nearest("HASHTAG", names), "hash_tag");
  EXPECT_EQ(nearest("timeout", names), "");
  EXPECT_EQ(nearest("", names), "");
  EXPECT_EQ(nearest("x", names), "");
  EXPECT_EQ(nearest("T", names), "t");
  EXPECT_EQ(nearest(std::string(100, 'x'), names), "");
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("ABC", "abc"), 0U);
}

}  // namespace
}  // namespace overlord::config
