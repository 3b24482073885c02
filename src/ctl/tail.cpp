#include "ctl/tail.h"

#include <nlohmann/json.hpp>

#include "ctl/table.h"

namespace overlord::ctl {
namespace {

using Json = nlohmann::json;

struct TailColumn {
  std::string_view title;
  const char* field;
  size_t width;
};

// The key comes last but one: it is what differs most in length.
constexpr TailColumn kColumns[] = {{"TIME", "time", 15}, {"CLUSTER", "cluster", 12}, {"CLIENT", "client", 21},
                                   {"NODE", "node", 21}, {"US", "total_us", 8},      {"CMD", "cmd", 10},
                                   {"KEY", "key", 24},   {"ERROR", "error", 0}};

void add_cell(std::string& line, std::string_view text, size_t width) {
  line.append(text);
  if (width > 0) line.append(text.size() < width ? width - text.size() + 1 : 1, ' ');
}

std::string trimmed(std::string line) {
  line.resize(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string cell_of(const Json& entry, const std::string& field) {
  const auto found = entry.find(field == "key" && entry.contains("key_hash") ? "key_hash" : field);
  if (found == entry.end()) return field == "key" || field == "node" ? "-" : "";
  std::string text = found->is_string() ? found->get<std::string>() : found->dump();
  if (field == "node" && text.empty()) return "-";
  // The day is known to who watches.
  if (const size_t day = text.find('T'); field == "time" && day != std::string::npos) {
    text = text.substr(day + 1, text.find('Z') - day - 1);
  }
  return printable(text);
}

Result<std::string> shown(std::string_view line) {
  const Json entry = Json::parse(line, nullptr, false);
  if (!entry.is_object()) return fail("the answer is no tail of an overlord-proxy");
  if (entry.contains("dropped")) return "(" + entry["dropped"].dump() + " more came too fast to be shown)\n";
  std::string text;
  for (const TailColumn& column : kColumns) add_cell(text, cell_of(entry, column.field), column.width);
  return trimmed(std::move(text));
}

}  // namespace

std::string TailLines::title() {
  std::string text;
  for (const TailColumn& column : kColumns) add_cell(text, column.title, column.width);
  return trimmed(std::move(text));
}

Result<std::string> TailLines::take(std::string_view piece) {
  rest_.append(piece);
  std::string out;
  size_t at = 0;
  for (size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', at)) {
    const std::string_view line = std::string_view(rest_).substr(at, end - at);
    at = end + 1;
    if (line.empty()) continue;  // nothing happened for a while
    auto text = shown(line);
    if (!text) return text;
    out.append(*text);
  }
  rest_.erase(0, at);
  if (rest_.size() > kLongestLine) return fail("the answer is no tail of an overlord-proxy");
  return out;
}

}  // namespace overlord::ctl
