// Bodies of API requests: whatever they hold, reading them gives values within their bounds or all that is wrong. The
// first byte chooses the type that the body claims to have; replies of nodes are read from the same bytes.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "api/node_command.h"
#include "api/request_body.h"

using namespace overlord::api;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

constexpr Field kInner[] = {{.name = "timeout", .type = FieldType::integer, .lowest = 1, .highest = 10}};
constexpr Schema kInnerSchema{"Inner", kInner};
constexpr Field kFields[] = {
    {.name = "name", .required = true},
    {.name = "kind", .words = "red,green"},
    {.name = "number", .type = FieldType::integer, .lowest = 1, .highest = 1024},
    {.name = "memory", .type = FieldType::number},
    {.name = "yes", .type = FieldType::boolean},
    {.name = "list", .type = FieldType::texts},
    {.name = "map", .type = FieldType::text_map},
    {.name = "inner", .type = FieldType::object, .schema = &kInnerSchema},
};
constexpr Schema kSchema{"Fuzz", kFields};

void check(const Body& body) {
  require(body.has("name") && body.text("name").size() <= kMaxText && !body.text("name").contains('\0'));
  if (body.has("number")) require(body.integer("number") >= 1 && body.integer("number") <= 1024);
  if (body.has("inner.timeout")) require(body.integer("inner.timeout") >= 1 && body.integer("inner.timeout") <= 10);
  if (body.has("kind")) require(body.text("kind") == "red" || body.text("kind") == "green");
  require(body.texts("list").size() <= kMaxItems);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const char* const type = data[0] % 2 == 0 ? "application/json" : "application/x-www-form-urlencoded";
  if (const auto body = read_body(text, type, kSchema)) {
    check(*body);
  } else {
    require(body.error().status == 400 || body.error().status == 413);
    require(body.error().code != "invalid" || !body.error().fields.empty());
    require(!error_body(body.error(), "id").empty());
  }
  require(body_for_audit(text, type).size() < 16 * 1024);
  size_t used = 0;
  if (const auto reply = parse_reply(text, used); reply && *reply) require(used > 0 && used <= text.size());
  return 0;
}
