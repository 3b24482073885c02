#include "cli/show.h"

#include <nlohmann/json.hpp>

#include "ctl/table.h"

namespace overlord::cli {
namespace {

using Json = nlohmann::ordered_json;

Result<Json> parsed(std::string_view body) {
  Json document = Json::parse(body, nullptr, false);
  if (document.is_discarded()) return fail("the answer is no JSON; is this the address of an overlord-apiserver?");
  return document;
}

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "";
  if (value.is_array() || value.is_object()) {
    std::string text;
    for (const auto& [key, each] : value.items()) {
      text += (text.empty() ? "" : ",") + (value.is_object() ? key + "=" : "") + text_of(each);
    }
    return text;
  }
  return value.dump();
}

std::string cell_of(const Json& row, std::string_view field) {
  if (field.empty()) return row.is_object() && row.contains("name") ? text_of(row["name"]) : text_of(row);
  if (!row.is_object()) return "";
  const auto found = row.find(std::string(field));
  return found == row.end() ? "" : text_of(*found);
}

std::string table_of(const Json& rows, std::span<const Column> columns, size_t width) {
  if (columns.size() == 1 && columns[0].title.empty()) {
    std::string lines;
    for (const Json& row : rows) lines += ctl::printable(cell_of(row, "")) + "\n";
    return lines;
  }
  std::vector<std::string> titles;
  for (const Column& column : columns) titles.emplace_back(column.title);
  ctl::Table table(std::move(titles));
  for (const Json& row : rows) {
    std::vector<std::string> cells;
    for (const Column& column : columns) cells.push_back(cell_of(row, column.field));
    table.add(std::move(cells));
  }
  return table.text(width);
}

std::string sheet_of(const Json& object, const Command& command, size_t width) {
  size_t longest = 0;
  for (const auto& [key, value] : object.items()) longest = std::max(longest, key.size());
  std::string text;
  const Json* rows = nullptr;
  for (const auto& [key, value] : object.items()) {
    if (key == command.rows_field) {
      rows = &value;
    } else if (std::string line = text_of(value); !line.empty()) {
      text += key + std::string(longest + 2 - key.size(), ' ') + ctl::printable(line) + "\n";
    }
  }
  if (rows != nullptr && rows->is_array() && !rows->empty()) text += "\n" + table_of(*rows, command.columns, width);
  return text;
}

}  // namespace

Result<std::string> text_of(const Command& command, std::string_view body, size_t width) {
  if (command.answer == Answer::text) return std::string(body);
  const auto document = parsed(body);
  if (!document) return std::unexpected(document.error());
  if (command.answer == Answer::rows) {
    const auto items = document->is_object() ? document->find("items") : document->end();
    if (!document->is_object() || items == document->end() || !items->is_array())
      return fail("the answer has no items");
    return table_of(*items, command.columns, width);
  }
  if (!document->is_object()) return fail("the answer is no object");
  if (command.answer == Answer::word && document->contains("message")) return cell_of(*document, "message") + "\n";
  return sheet_of(*document, command, width);
}

std::string refusal_of(int status, std::string_view body) {
  const auto document = parsed(body);
  if (!document || !document->is_object() || !document->contains("error") || !(*document)["error"].is_object()) {
    constexpr size_t kShown = 400;
    return "the server answered " + std::to_string(status) + ": " + ctl::printable(body.substr(0, kShown));
  }
  const Json& error = (*document)["error"];
  std::string text = ctl::printable(cell_of(error, "message"));
  if (const auto fields = error.find("fields"); fields != error.end() && fields->is_array()) {
    for (const Json& field : *fields) {
      text += "\n  " + ctl::printable(cell_of(field, "field") + ": " + cell_of(field, "message"));
    }
  }
  const std::string id = cell_of(error, "request_id");
  return id.empty() ? text : text + "\n  (" + cell_of(error, "code") + ", request " + ctl::printable(id) + ")";
}

std::string job_of(std::string_view body) {
  const auto document = parsed(body);
  if (!document || !document->is_object() || !document->contains("state")) return {};
  return cell_of(*document, "id");
}

Result<Progress> progress_of(std::string_view body) {
  const auto document = parsed(body);
  if (!document) return std::unexpected(document.error());
  Progress progress{cell_of(*document, "state"), cell_of(*document, "reason"), cell_of(*document, "eta"), 0, {}};
  if (progress.state.empty()) return fail("the answer is no job");
  if (const auto percent = document->find("progress"); percent != document->end() && percent->is_number_integer()) {
    progress.percent = percent->get<int64_t>();
  }
  if (const auto steps = document->find("steps"); steps != document->end() && steps->is_array()) {
    for (const Json& step : *steps) {
      progress.steps.push_back({cell_of(step, "what"), cell_of(step, "state"), cell_of(step, "note")});
    }
  }
  return progress;
}

std::string news(const Progress& before, const Progress& now) {
  std::string text;
  const std::string percent = std::to_string(now.percent);
  for (size_t i = 0; i < now.steps.size(); ++i) {
    const Progress::Step& step = now.steps[i];
    const bool known = i < before.steps.size();
    if (step.state == "pending" || (known && before.steps[i].state == step.state)) continue;
    text += std::string(3 - std::min<size_t>(3, percent.size()), ' ') + percent + " %  " + step.state +
            std::string(8 - std::min<size_t>(8, step.state.size()), ' ') + step.what;
    text += step.note.empty() ? "\n" : " (" + step.note + ")\n";
  }
  if (now.state != before.state || now.reason != before.reason) {
    text += "       " + now.state + (now.reason.empty() ? "" : ": " + now.reason) + "\n";
  }
  std::string safe;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    safe += ctl::printable(text.substr(at, end - at)) + "\n";
    at = end + 1;
  }
  return safe;
}

std::string EventLines::take(std::string_view bytes) {
  constexpr size_t kMost = 1 << 20;
  kept_ += bytes;
  std::string out;
  size_t begin = 0;
  for (size_t end = kept_.find('\n'); end != std::string::npos; end = kept_.find('\n', begin)) {
    std::string_view line(kept_.data() + begin, end - begin);
    begin = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto value = [&](std::string_view name) {
      line.remove_prefix(name.size());
      if (line.starts_with(' ')) line.remove_prefix(1);
      return line;
    };
    if (line.empty()) {
      if (!data_.empty()) out += id_ + (id_.empty() ? "" : " ") + event_ + (event_.empty() ? "" : " ") + data_ + "\n";
      data_.clear();
      event_.clear();
    } else if (line.starts_with("data:")) {
      data_ += value("data:");
    } else if (line.starts_with("event:")) {
      event_ = value("event:");
    } else if (line.starts_with("id:")) {
      id_ = value("id:");
    }
  }
  kept_.erase(0, begin);
  if (kept_.size() > kMost) kept_.clear();
  return out;
}

}  // namespace overlord::cli
