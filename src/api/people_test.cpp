// Who may do what: tokens, users, logins, the audit; and the description of all that.
#include <netinet/in.h>

#include <nlohmann/json.hpp>

#include "api/api_fixture.h"
#include "api/call.h"
#include "api/node_command.h"
#include "api/secrets.h"
#include "net/socket.h"

namespace overlord::api {
namespace {

namespace keys = store::keys;
using testing::HasSubstr;

using PeopleTest = ApiTest;

TEST_F(PeopleTest, TheFirstTokenIsMadeOnce) {
  EXPECT_TRUE(admin.starts_with("ovl_"));
  EXPECT_EQ(ask("GET", "/me").body["access"], "admin");
  Api other(*store, config);
  const auto token = other.prepare();
  ASSERT_TRUE(token);
  EXPECT_EQ(*token, "");
  EXPECT_EQ(store->get("/overlord/tokens/" + admin)->has_value(), false);
  const auto tokens = store->list(keys::kTokens);
  EXPECT_EQ(tokens->records.front().key, keys::of(keys::kTokens, sha256_hex(admin)));
}

// Every route with every kind of token: who may not, gets 401 or 403; who may, gets something else.
TEST_F(PeopleTest, EveryRouteAsksForItsAccess) {
  const std::string viewer = token_of("vera", "viewer");
  const std::string oper = token_of("oskar", "operator");
  int checked = 0;
  for (const Route* route : all_routes()) {
    if (route->path == "/api/v1/events" || route->path == "/api/v1/logout") continue;
    std::string path(route->path);
    for (size_t open = path.find('{'); open != std::string::npos; open = path.find('{')) {
      path.replace(open, path.find('}') - open + 1, "none");
    }
    const std::string method(route->method);
    const auto with = [&](const std::string& token) { return ask_as(token, method, path).status; };
    const auto expect = [&](int status, bool may, int refusal) {
      if (may) {
        EXPECT_TRUE(status != 401 && status != 403) << method << " " << path << ": " << status;
      } else {
        EXPECT_EQ(status, refusal) << method << " " << path;
      }
    };
    if (route->path != "/api/v1/login") {
      expect(with(""), route->need == Need::nothing, 401);
      expect(with(viewer), route->need <= Need::viewer, 403);
      expect(with(oper), route->need <= Need::operator_, 403);
      expect(with(admin), true, 0);
      if (route->need != Need::nothing) {
        EXPECT_EQ(with("ovl_wrong"), 401) << path;
      }
      ++checked;
    }
  }
  EXPECT_GT(checked, 50);
}

TEST_F(PeopleTest, AccessThatIsTakenAwayIsGoneAtOnce) {
  const std::string token = token_of("oskar", "operator");
  EXPECT_EQ(ask_as(token, "POST", "/api/v1/specs", R"({"spec":"1c1g"})").status, 200);
  ASSERT_EQ(ask("PATCH", "/users/oskar", R"({"access":"viewer"})").status, 200);
  EXPECT_EQ(ask_as(token, "POST", "/api/v1/specs", R"({"spec":"2c1g"})").status, 403);
  EXPECT_EQ(ask_as(token, "GET", "/api/v1/specs").status, 200);
  ASSERT_EQ(ask("DELETE", "/users/oskar").status, 200);
  EXPECT_EQ(ask_as(token, "GET", "/api/v1/specs").status, 401);
}

TEST_F(PeopleTest, OneAdminRemains) {
  EXPECT_EQ(ask("DELETE", "/users/admin").status, 409);
  EXPECT_EQ(ask("PATCH", "/users/admin", R"({"access":"viewer"})").status, 409);
  token_of("ada", "admin");
  EXPECT_EQ(ask("PATCH", "/users/admin", R"({"access":"viewer"})").status, 200);
}

TEST_F(PeopleTest, TokensReachNoFurtherThanTheirMaker) {
  const std::string oper = token_of("oskar", "operator");
  const auto own = ask_as(oper, "POST", "/api/v1/tokens", R"({"access":"admin","note":"ci"})");
  ASSERT_EQ(own.status, 200) << own.text;
  EXPECT_EQ(own.body["access"], "operator");
  EXPECT_EQ(ask_as(oper, "POST", "/api/v1/tokens", R"({"user":"admin"})").status, 403);
  const auto list = ask_as(oper, "GET", "/api/v1/tokens");
  EXPECT_EQ(list.body["count"], 2) << "only his own";
  EXPECT_EQ(list.text.find("ovl_"), std::string::npos);
  const std::string text = own.body["token"];
  EXPECT_EQ(ask_as(text, "GET", "/api/v1/me").status, 200);
  EXPECT_EQ(ask_as(oper, "DELETE", "/api/v1/tokens/" + own.body["id"].get<std::string>()).status, 200);
  EXPECT_EQ(ask_as(text, "GET", "/api/v1/me").status, 401);
  // One that is over.
  const std::string past = new_token();
  put(keys::of(keys::kTokens, sha256_hex(past)),
      to_json(model::Token{.user = "oskar", .access = model::Access::operator_, .created = 1, .ends = 2}));
  EXPECT_EQ(ask_as(past, "GET", "/api/v1/me").status, 401);
}

TEST_F(PeopleTest, LoginsAreCountedWhenTheyFail) {
  ASSERT_EQ(ask("POST", "/users", R"({"name":"lea","access":"viewer","password":"correct horse"})").status, 200);
  EXPECT_EQ(ask("POST", "/users", R"({"name":"lou","access":"viewer","password":"short"})").status, 400);
  const auto login = [&](const std::string& password) {
    return ask_as("", "POST", "/api/v1/login", R"({"user":"lea","password":")" + password + "\"}");
  };
  const auto good = login("correct horse");
  ASSERT_EQ(good.status, 200) << good.text;
  const std::string token = good.body["token"];
  EXPECT_EQ(ask_as(token, "GET", "/api/v1/me").body["user"], "lea");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(login("wrong").status, 401) << i;
  EXPECT_EQ(login("correct horse").status, 429);
  EXPECT_EQ(ask_as(token, "POST", "/api/v1/logout").status, 200);
  EXPECT_EQ(ask_as(token, "GET", "/api/v1/me").status, 401);
  const auto audit = ask("GET", "/audit?pc=1000");
  EXPECT_EQ(audit.text.find("correct horse"), std::string::npos);
  EXPECT_EQ(ask("GET", "/users").text.find("$y$"), std::string::npos);
}

TEST_F(PeopleTest, ChangesAndRefusalsAreInTheAudit) {
  const std::string viewer = token_of("vera", "viewer");
  ask("POST", "/specs", R"({"spec":"1c1g"})", {"X-Request-Id: mine-1"});
  ask_as(viewer, "POST", "/api/v1/specs", R"({"spec":"2c1g"})", {"X-Request-Id: mine-2"});
  ask("POST", "/specs", R"({"spec":"1c1g"})", {"X-Request-Id: mine-3"});
  ask("GET", "/specs", "", {"X-Request-Id: mine-4"});
  const auto of = [&](const std::string& id) { return ask("GET", "/audit?request_id=" + id).body["items"]; };
  ASSERT_EQ(of("mine-1").size(), 1U);
  EXPECT_EQ(of("mine-1")[0]["user"], "admin");
  EXPECT_EQ(of("mine-1")[0]["status"], 200);
  EXPECT_EQ(of("mine-1")[0]["target"], "spec 1c1g");
  EXPECT_EQ(of("mine-1")[0]["from"], "127.0.0.1");
  ASSERT_EQ(of("mine-2").size(), 1U);
  EXPECT_EQ(of("mine-2")[0]["user"], "vera");
  EXPECT_EQ(of("mine-2")[0]["status"], 403);
  EXPECT_EQ(of("mine-3")[0]["status"], 409);
  EXPECT_EQ(of("mine-4").size(), 0U) << "reading is not recorded";
}

TEST_F(PeopleTest, TheAuditIsBounded) {
  config.audit_records = 100;
  stop();
  start();
  for (int i = 1; i <= 130; ++i) {
    const std::string spec = std::to_string(i) + "c1g";
    ASSERT_EQ(ask("POST", "/specs", R"({"spec":")" + spec + "\"}").status, 200);
  }
  const auto left = ask("GET", "/audit?pc=1").body["count"].get<int>();
  EXPECT_GE(left, 100);
  EXPECT_LT(left, 130);
}

TEST_F(PeopleTest, CommandsGoToKnownRedisNodesAlone) {
  make("one");
  const auto send = [&](const std::string& node, const std::string& command) {
    return ask("POST", "/commands/" + node, R"({"command":")" + command + "\"}").status;
  };
  EXPECT_EQ(send("127.0.0.1/6379", "PING"), 404);
  EXPECT_EQ(send("10.0.0.1/31000", "SHUTDOWN NOSAVE"), 403);
  EXPECT_EQ(send("10.0.0.1/31000", "Config  Set dir /tmp"), 403);
  EXPECT_EQ(send("10.0.0.1/31000", ""), 403);
  EXPECT_EQ(ask("POST", "/commands/10.0.0.1/31000", "{}").status, 400);
}

TEST(NodeCommand, DeniesWhatHurts) {
  EXPECT_EQ(denied({"GET", "k"}), "");
  EXPECT_EQ(denied({"CONFIG", "GET", "*"}), "");
  EXPECT_EQ(denied({"CLUSTER", "NODES"}), "");
  for (const auto& command : std::vector<std::vector<std::string>>{{"shutdown"},
                                                                   {"DEBUG", "SLEEP", "9"},
                                                                   {"FlushAll"},
                                                                   {"MONITOR"},
                                                                   {"config", "SET", "a", "b"},
                                                                   {"CLUSTER", "RESET"},
                                                                   {"EVAL", "x", "0"},
                                                                   {"BLPOP", "k", "0"},
                                                                   {"REPLICAOF", "no", "one"},
                                                                   {}}) {
    EXPECT_NE(denied(command), "") << (command.empty() ? "" : command.front());
  }
}

TEST(NodeCommand, ReadsRepliesWithinBounds) {
  size_t used = 0;
  const auto nested = parse_reply("*3\r\n$3\r\nfoo\r\n:7\r\n*-1\r\nrest", used);
  ASSERT_TRUE(nested && *nested);
  EXPECT_EQ(used, 22U);
  EXPECT_EQ((*nested)->items[0].text, "foo");
  EXPECT_EQ((*nested)->items[1].type, ':');
  EXPECT_TRUE((*nested)->items[2].null_array);
  const auto null = parse_reply("$-1\r\n", used);
  EXPECT_EQ((**null).text, std::nullopt);
  for (const char* part : {"", "*2\r\n", "$3\r\nfo", "+OK\r"}) {
    const auto reply = parse_reply(part, used);
    EXPECT_TRUE(reply && !*reply) << part;
  }
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "*1\r\n";
  for (const std::string& bad : {std::string("?x\r\n"), std::string("$x\r\n"), std::string("*99999999\r\n"),
                                 std::string("$999999999999\r\n"), std::string("$1\r\nabc"), deep}) {
    const auto reply = parse_reply(bad, used);
    EXPECT_FALSE(reply) << bad.substr(0, 20);
  }
}

TEST(NodeCommand, DoesNotWaitForever) {
  // It is connected to, and never answers.
  const auto listening = net::listen_socket(*net::numeric_address("127.0.0.1", 0), false, 1);
  ASSERT_TRUE(listening);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(listening->get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const auto reply = ask_node("127.0.0.1", ntohs(address.sin_port), "", {"PING"}, std::chrono::milliseconds(50));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, "timeout");
  EXPECT_EQ(ask_node("not an address", 1, "", {"PING"}).error().code, "bad_gateway");
}

TEST_F(PeopleTest, TheDescriptionNamesEveryRoute) {
  const auto document = ask_as("", "GET", "/api/v1/openapi.json");
  ASSERT_EQ(document.status, 200);
  for (const Route* route : all_routes()) {
    std::string method(route->method);
    for (char& c : method) c = static_cast<char>(c + ('a' - 'A'));
    EXPECT_TRUE(document.body["paths"].contains(std::string(route->path)) &&
                document.body["paths"][std::string(route->path)].contains(method))
        << method << " " << route->path;
  }
}

TEST_F(PeopleTest, ErrorsHaveOneForm) {
  for (const auto& [method, target] : {std::pair{"GET", "/nothing"},
                                       {"DELETE", "/api/v1/clusters"},
                                       {"POST", "/api/v1/clusters"},
                                       {"GET", "/api/v1/clusters/none"}}) {
    const auto said = ask_as(admin, method, target, method == std::string("POST") ? "[" : "");
    EXPECT_GE(said.status, 400);
    EXPECT_FALSE(said.code().empty()) << said.text;
    EXPECT_FALSE(said.body["error"]["request_id"].get<std::string>().empty());
  }
  EXPECT_EQ(ask("POST", "/specs", std::string(400 * 1024, ' ')).code(), "too_large");
}

TEST_F(PeopleTest, HealthAndMetrics) {
  EXPECT_EQ(ask_as("", "GET", "/healthz").status, 200);
  make("one");  // before the first look: later ones are remembered for a while
  const auto page = ask_as("", "GET", "/metrics");
  EXPECT_THAT(page.text, HasSubstr("overlord_platform_clusters{state=\"done\"} 1\n"));
  EXPECT_THAT(page.text, HasSubstr("overlord_platform_nodes{state=\"running\"} 4\n"));
  EXPECT_THAT(page.text, HasSubstr("overlord_api_store_up 1\n"));
}

}  // namespace
}  // namespace overlord::api
