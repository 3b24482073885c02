// Commands that admins send to a node by hand.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/change.h"
#include "api/node_command.h"
#include "api/views.h"
#include "base/base64.h"
#include "base/log.h"
#include "store/keys.h"

namespace overlord::api {
namespace {

namespace keys = store::keys;

constexpr size_t kMaxCommand = 64 * 1024;  // bytes, all words together

constexpr Field kCommandFields[] = {
    {.name = "command", .what = "Words with blanks between, such as GET foo."},
    {.name = "words", .type = FieldType::texts, .what = "In place of command, where a word has a blank."},
};
constexpr Schema kCommandSchema{"NodeCommand", kCommandFields};
constexpr Field kReplyFields[] = {
    {.name = "Reply",
     .type = FieldType::any,
     .what = "RType: the first byte of the reply as a number; Data: base64, or null; Array: replies, or null.",
     .required = true}};
constexpr Schema kReplySchema{"NodeReply", kReplyFields};

std::vector<std::string> words_of(const Body& body) {
  if (body.has("words")) return body.texts("words");
  std::vector<std::string> out;
  const std::string text = body.text("command");
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    if (!word.empty()) out.emplace_back(word);
  }
  return out;
}

Json view(const NodeReply& reply) {
  Json out{{"RType", static_cast<int>(reply.type)}, {"Data", nullptr}, {"Array", nullptr}};
  if (reply.text) out["Data"] = to_base64(*reply.text);
  if (reply.type == '*' && !reply.null_array) {
    Json items = Json::array();
    for (const NodeReply& item : reply.items) items.push_back(view(item));
    out["Array"] = std::move(items);
  }
  return out;
}

// Before the command is sent, so that none goes out that is not in the audit.
Result<http::Response> audited(Call& call) {
  return change(call, [](Draft& draft) -> Result<http::Response> {
    draft.audit_only = true;
    return done();
  });
}

Result<http::Response> command(Call& call) {
  const std::string address = call.capture("ip") + ":" + call.capture("port");
  call.target = "node " + address.substr(0, 128);
  const std::vector<std::string> words = words_of(call.body);
  size_t size = 0;
  for (const std::string& word : words) size += word.size();
  Problems problems;
  if (call.body.has("words") == call.body.has("command")) problems.add("command", "say either command or words");
  if (size > kMaxCommand) problems.add("command", "longer than 65536 bytes");
  if (!problems.none()) return problems.refusal();
  if (const std::string why = denied(words); !why.empty()) return refuse("forbidden", why);

  const auto parts = model::host_port(address);
  if (!parts || !keys::valid_part(address)) return not_found("there is no such node");
  const auto node = read<model::Node>(call.store(), keys::instance(model::address_of(parts->host, parts->port)));
  if (!node) return std::unexpected(node.error());
  if (!*node) return not_found("there is no node " + address);
  if ((*node)->record.type == model::CacheType::memcache) return conflict("only redis nodes take commands this way");
  const auto cluster = read<model::Cluster>(call.store(), keys::cluster_info((*node)->record.cluster));
  if (!cluster) return std::unexpected(cluster.error());
  if (!*cluster) return not_found("the node's cluster is no more");
  if (auto noted = audited(call); !noted) return noted;
  const auto reply = ask_node(parts->host, parts->port, (*cluster)->record.password, words);
  if (!reply) return std::unexpected(reply.error());
  return json_response({{"Reply", view(*reply)}});
}

constexpr Route kRoutes[] = {
    {.method = "POST",
     .path = "/api/v1/commands/{ip}/{port}",
     .what = "Sends a command to a redis node.",
     .need = Need::admin,
     .handler = command,
     .body = &kCommandSchema,
     .answer = &kReplySchema},
};

}  // namespace

std::span<const Route> command_routes() { return kRoutes; }

}  // namespace overlord::api
