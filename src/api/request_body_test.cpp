#include "api/request_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace overlord::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr Field kInner[] = {{.name = "timeout", .type = FieldType::integer, .lowest = 1, .highest = 10}};
constexpr Schema kInnerSchema{"Inner", kInner};
constexpr Field kFields[] = {
    {.name = "name", .what = "Of it.", .required = true},
    {.name = "kind", .words = "red,green"},
    {.name = "number", .type = FieldType::integer, .lowest = 1, .highest = 1024},
    {.name = "memory", .type = FieldType::number},
    {.name = "yes", .type = FieldType::boolean},
    {.name = "list", .type = FieldType::texts},
    {.name = "map", .type = FieldType::text_map},
    {.name = "inner", .type = FieldType::object, .schema = &kInnerSchema},
};
constexpr Schema kSchema{"Test", kFields};

Result<Body> read(std::string_view text) { return read_body(text, "application/json", kSchema); }

std::string problem(std::string_view text) {
  const auto body = read(text);
  return body ? "none" : body.error().code + ": " + body.error().message;
}

TEST(RequestBody, ReadsWhatTheSchemaAllows) {
  const auto body = read(R"({"name":"a","kind":"red","number":7,"memory":1.5,"yes":true,"list":["x","y"],
                             "map":{"k":"v","n":5},"inner":{"timeout":3}})");
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_EQ(body->text("name"), "a");
  EXPECT_EQ(body->integer("number"), 7);
  EXPECT_EQ(body->number("memory"), 1.5);
  EXPECT_TRUE(body->boolean("yes"));
  EXPECT_THAT(body->texts("list"), ElementsAre("x", "y"));
  const auto* map = body->get<std::map<std::string, std::string>>("map");
  ASSERT_NE(map, nullptr);
  EXPECT_EQ(map->at("n"), "5");
  EXPECT_EQ(body->integer("inner.timeout"), 3);
}

TEST(RequestBody, TellsAllProblemsAtOnce) {
  const auto body = read(R"({"kind":"blue","number":0,"nmae":"a","yes":1,"inner":{"timeout":99,"more":1}})");
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().status, 400);
  EXPECT_EQ(body.error().code, "invalid");
  std::vector<std::string> fields;
  for (const FieldProblem& one : body.error().fields) fields.push_back(one.field);
  EXPECT_THAT(fields,
              testing::UnorderedElementsAre("kind", "number", "nmae", "yes", "inner.timeout", "inner.more", "name"));
}

TEST(RequestBody, RefusesWhatIsNoJson) {
  EXPECT_THAT(problem("{"), HasSubstr("bad_request"));
  EXPECT_THAT(problem("[1]"), HasSubstr("must be a JSON object"));
  EXPECT_THAT(problem(R"({"name":"a"} x)"), HasSubstr("bad_request"));
  EXPECT_THAT(problem(R"({"name":"a","name":"b"})"), HasSubstr("stands twice"));
  EXPECT_THAT(problem("{\"name\":\"\xff\"}"), HasSubstr("bad_request"));
  EXPECT_THAT(problem(R"({"name":"a\u0000b"})"), HasSubstr("zero byte"));
}

TEST(RequestBody, IsBounded) {
  std::string deep = R"({"name":)";
  for (int i = 0; i < 100'000; ++i) deep += "[";
  EXPECT_THAT(problem(deep), HasSubstr("nested too deeply"));
  EXPECT_THAT(problem("{\"name\":\"" + std::string(kMaxBody, 'x') + "\"}"), HasSubstr("too_large"));
  EXPECT_THAT(problem("{\"name\":\"" + std::string(kMaxText + 1, 'x') + "\"}"), HasSubstr("longer than"));
}

TEST(RequestBody, NumbersAreWhatTheySay) {
  EXPECT_EQ(problem(R"({"name":"a","number":7.0})"), "none");
  EXPECT_THAT(problem(R"({"name":"a","number":7.5})"), HasSubstr("whole number"));
  EXPECT_THAT(problem(R"({"name":"a","number":18446744073709551615})"), HasSubstr("from 1 to 1024"));
  EXPECT_THAT(problem(R"({"name":"a","memory":1e300})"), HasSubstr("memory"));
  EXPECT_THAT(problem(R"({"name":"a","number":"7"})"), HasSubstr("must be a whole number"));
}

TEST(RequestBody, TakesAFormInPlaceOfJson) {
  const std::string type = "application/x-www-form-urlencoded";
  const auto body = read_body("name=a+b%2Fc&kind=green", type, kSchema);
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_EQ(body->text("name"), "a b/c");
  EXPECT_EQ(body->text("kind"), "green");
  EXPECT_FALSE(read_body("name=%zz", type, kSchema));
  EXPECT_FALSE(read_body("name=a&name=b", type, kSchema));
  // What curl -d sends without a word about its type.
  EXPECT_TRUE(read_body(R"({"name":"a"})", type, kSchema));
}

TEST(RequestBody, TheAuditHasNoSecrets) {
  EXPECT_EQ(body_for_audit(R"({"user":"a","password":"secret","inner":{"token":"t"}})", ""),
            R"({"inner":{"token":"***"},"password":"***","user":"a"})");
  EXPECT_EQ(body_for_audit("user=a&password=secret", "application/x-www-form-urlencoded"),
            R"({"password":"***","user":"a"})");
  EXPECT_EQ(body_for_audit("garbage", ""), "");
  EXPECT_LT(body_for_audit("{\"a\":\"" + std::string(100'000, 'x') + "\"}", "").size(), 3000U);
}

}  // namespace
}  // namespace overlord::api
