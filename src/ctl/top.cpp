#include "ctl/top.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "ctl/table.h"

namespace overlord::ctl {
namespace {

using Json = nlohmann::json;

double number_of(const Json& row, const char* name) {
  const auto found = row.find(name);
  return found != row.end() && found->is_number() ? found->get<double>() : 0;
}

std::string text_of(const Json& row, const char* name) {
  const auto found = row.find(name);
  return found != row.end() && found->is_string() ? found->get<std::string>() : "";
}

double sum_of(const Json& row, const char* name) {
  double sum = 0;
  const auto found = row.find(name);
  if (found == row.end()) return sum;
  for (const Json& part : *found) sum += part.is_number() ? part.get<double>() : 0;
  return sum;
}

}  // namespace

Result<std::string> Top::screen(std::string_view clusters, std::string_view backends, double seconds, size_t rows,
                                size_t width) {
  const Json first = Json::parse(clusters, nullptr, false);
  const Json second = Json::parse(backends, nullptr, false);
  if (!first.is_object() || !first.contains("clusters") || !second.is_object() || !second.contains("backends")) {
    return fail("the answer is not that of an overlord-proxy");
  }
  std::map<std::string, Seen> now;
  const auto rate_of = [&](const std::string& name, const Json& row) {
    const Seen seen{number_of(row, "requests"), sum_of(row, "failures"), number_of(row, "bytes_in"),
                    number_of(row, "bytes_out")};
    now[name] = seen;
    const auto before = before_.find(name);
    if (before == before_.end() || seconds <= 0) return Seen{};
    const auto rate = [seconds](double a, double b) { return std::max(0.0, b - a) / seconds; };
    return Seen{rate(before->second.requests, seen.requests), rate(before->second.failed, seen.failed),
                rate(before->second.in, seen.in), rate(before->second.out, seen.out)};
  };

  double requests = 0;
  double clients = 0;
  Table of_clusters({"CLUSTER", "CLIENTS", "REQ/S", "FAILED/S", "IN/S", "OUT/S", "BACKENDS"});
  for (const Json& row : first["clusters"]) {
    const Seen rate = rate_of(text_of(row, "name"), row);
    requests += rate.requests;
    clients += number_of(row, "clients");
    of_clusters.add({text_of(row, "name"), short_number(number_of(row, "clients")), short_number(rate.requests),
                     short_number(rate.failed), short_number(rate.in), short_number(rate.out),
                     short_number(number_of(row, "backends_usable")) + "/" + short_number(number_of(row, "backends"))});
  }

  struct Line {
    double requests;
    std::vector<std::string> cells;
  };
  std::vector<Line> lines;
  for (const Json& row : second["backends"]) {
    const std::string cluster = text_of(row, "cluster");
    const std::string node = text_of(row, "node");
    const Seen rate = rate_of(cluster + " " + node, row);
    lines.push_back({rate.requests,
                     {cluster, node, text_of(row, "state"), short_number(rate.requests), short_number(rate.failed),
                      short_number(number_of(row, "queued_requests")), short_number(rate.in), short_number(rate.out)}});
  }
  std::ranges::stable_sort(lines, std::ranges::greater(), &Line::requests);
  Table of_backends({"CLUSTER", "NODE", "STATE", "REQ/S", "FAILED/S", "QUEUED", "IN/S", "OUT/S"});
  for (Line& line : lines) {
    if (of_backends.rows() < rows) of_backends.add(std::move(line.cells));
  }
  before_ = std::move(now);
  return short_number(requests) + " requests/s, " + short_number(clients) + " clients\n\n" + of_clusters.text(width) +
         "\n" + of_backends.text(width);
}

}  // namespace overlord::ctl
