#include "otlp/spans.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace overlord::otlp {
namespace {

using nlohmann::json;

slowlog::Entry request(std::string_view node) {
  slowlog::Entry entry;
  entry.began_us = 1'700'000'000'000'001;
  entry.stages = {.wait = 10, .queue = 200, .backend = 3000, .write = 40'000};
  entry.command = "get";
  entry.cluster.set("c");
  entry.node.set(node);
  entry.client.set("10.0.0.9:4000");
  entry.key.set("k\xff");
  entry.key_size = 2;
  entry.redis = true;
  return entry;
}

json spans_of(const slowlog::Entry& entry) {
  uint64_t next = 0;
  // 0 first: it is no id.
  const auto body = json::parse(traces_body({"2.0", "host", 7}, std::span(&entry, 1), [&next] { return next++; }));
  return body["resourceSpans"][0]["scopeSpans"][0]["spans"];
}

TEST(Spans, AreARootAndItsStagesOneAfterTheOther) {
  const json spans = spans_of(request("n1 (127.0.0.1:6379)"));
  ASSERT_EQ(spans.size(), 5U);
  EXPECT_EQ(spans[0]["name"], "get c");
  EXPECT_EQ(spans[0]["startTimeUnixNano"], "1700000000000001000");
  EXPECT_EQ(spans[0]["endTimeUnixNano"], "1700000000000044210");
  EXPECT_FALSE(spans[0].contains("status"));
  for (size_t i = 1; i < spans.size(); ++i) {
    EXPECT_EQ(spans[i]["parentSpanId"], spans[0]["spanId"]);
    EXPECT_EQ(spans[i]["traceId"], spans[0]["traceId"]);
    EXPECT_EQ(spans[i]["startTimeUnixNano"], i == 1 ? spans[0]["startTimeUnixNano"] : spans[i - 1]["endTimeUnixNano"]);
  }
  EXPECT_EQ(spans[4]["endTimeUnixNano"], spans[0]["endTimeUnixNano"]);
  EXPECT_EQ(spans[0]["spanId"].get<std::string>().size(), 16U);
  EXPECT_EQ(spans[0]["traceId"].get<std::string>().size(), 32U);
  EXPECT_NE(spans[0]["traceId"].get<std::string>().substr(0, 16), std::string(16, '0'));
}

TEST(Spans, OfTheProxysOwnAnswersAndOfErrors) {
  slowlog::Entry own = request("");
  own.parts = 0;
  own.error = slowlog::kErrorReply;
  const json spans = spans_of(own);
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(spans[0]["status"]["code"], 2);
}

TEST(Spans, PlacesAreTakenApart) {
  const auto expect = [](std::string_view text, const std::string& host, uint16_t port) {
    const Place place = place_of(text);
    EXPECT_EQ(place.host, host) << text;
    EXPECT_EQ(place.port, port) << text;
  };
  expect("n1 (127.0.0.1:6379)", "127.0.0.1", 6379);
  expect("cache.example:11211", "cache.example", 11211);
  expect("[::1]:6379", "::1", 6379);
  expect("/run/a:1/redis.sock", "/run/a:1/redis.sock", 0);
  expect("n2 (/run/redis.sock)", "/run/redis.sock", 0);
  expect("host:99999", "host:99999", 0);
  expect("", "", 0);
}

TEST(Spans, WhatACollectorDidNotTake) {
  EXPECT_EQ(partial_success("{}").rejected, 0U);
  EXPECT_EQ(partial_success("").rejected, 0U);
  EXPECT_EQ(partial_success("[1]").rejected, 0U);
  EXPECT_EQ(partial_success(R"({"partialSuccess":{"rejectedSpans":"3","errorMessage":"why"}})").rejected, 3U);
  EXPECT_EQ(partial_success(R"({"partialSuccess":{"rejectedSpans":4}})").rejected, 4U);
  EXPECT_EQ(partial_success(R"({"partialSuccess":{"rejectedSpans":"x","errorMessage":7}})").rejected, 0U);
  EXPECT_EQ(partial_success(R"({"partialSuccess":{"rejectedSpans":"3","errorMessage":"why"}})").message, "why");
}

}  // namespace
}  // namespace overlord::otlp
