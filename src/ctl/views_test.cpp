#include "ctl/views.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ctl/top.h"

namespace overlord::ctl {
namespace {

const View& view(std::string_view name) { return *std::ranges::find(views(), name, &View::name); }

TEST(Views, TurnAPageIntoATable) {
  const auto table = table_of(view("clusters"), R"({"clusters": [{"name": "main", "type": "redis", "clients": 3,
      "clients_blocked": 0, "clients_refused": 1, "requests": 1234567, "bytes_in": 2500000, "bytes_out": 10,
      "failures": {"timed_out": 2, "backend_down": 3}, "backends": 4, "backends_usable": 3}]})");
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(*table,
            "NAME  TYPE   CLIENTS  BLOCKED  REFUSED  REQUESTS  FAILED  BACKENDS     IN  OUT\n"
            "main  redis        3        0        1   1234567       5  3/4       2.50M   10\n");
}

TEST(Views, FieldsThatAreMissingAreEmpty) {
  const auto table = table_of(view("slowlog"), R"([{"cmd": "get", "total_us": 5}])");
  ASSERT_TRUE(table.has_value());
  EXPECT_NE(table->find("get"), std::string::npos);
}

TEST(Views, AnotherDocumentIsAnError) {
  EXPECT_FALSE(table_of(view("clusters"), "<html>").has_value());
  EXPECT_FALSE(table_of(view("clusters"), "[1]").has_value());
  EXPECT_FALSE(table_of(view("slowlog"), "{}").has_value());
  EXPECT_FALSE(explanation_of("no").has_value());
}

TEST(Views, AnExplanationIsItsSteps) {
  const auto text = explanation_of(R"({"treatment": "single", "steps": ["a -> b", "b\u001b -> c"],
                                       "backend": {"node": "1.2.3.4:5", "state": "up"}})");
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(*text, "command: single\na -> b\nb? -> c\nbackend: 1.2.3.4:5, up\n");
}

TEST(Views, WorkersThatAreMissingAreTold) {
  EXPECT_EQ(missing_of(R"({"clusters": []})"), "");
  EXPECT_NE(missing_of(R"({"clusters": [], "workers_without_answer": [1]})").find("[1]"), std::string::npos);
}

TEST(TopTest, ShowsRatesBetweenTwoLooks) {
  Top top;
  const auto clusters = [](int requests) {
    return R"({"clusters": [{"name": "c", "clients": 2, "backends": 2, "backends_usable": 2, "requests": )" +
           std::to_string(requests) + "}]}";
  };
  const auto backends = [](int a, int b) {
    return R"({"backends": [{"cluster": "c", "node": "slow", "state": "up", "requests": )" + std::to_string(a) +
           R"(}, {"cluster": "c", "node": "busy", "state": "up", "requests": )" + std::to_string(b) + "}]}";
  };
  const auto first = top.screen(clusters(1000), backends(500, 500), 0, 10, 0);
  ASSERT_TRUE(first.has_value());
  EXPECT_TRUE(first->starts_with("0 requests/s, 2 clients\n"));
  const auto second = top.screen(clusters(5000), backends(600, 4400), 2, 1, 0);
  ASSERT_TRUE(second.has_value());
  EXPECT_TRUE(second->starts_with("2.00k requests/s, 2 clients\n")) << *second;
  EXPECT_NE(second->find("busy"), std::string::npos);
  EXPECT_EQ(second->find("slow"), std::string::npos);
  EXPECT_NE(second->find("1.95k"), std::string::npos);
  EXPECT_FALSE(top.screen("x", "{}", 1, 1, 0).has_value());
}

}  // namespace
}  // namespace overlord::ctl
