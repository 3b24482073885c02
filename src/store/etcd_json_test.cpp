#include "store/etcd_json.h"

#include <gtest/gtest.h>

#include "store/open.h"

namespace overlord::store::etcd {
namespace {

TEST(EtcdRequests, SayWhatIsMeant) {
  EXPECT_EQ(get_request("foo", 7), R"({"key":"Zm9v","revision":"7"})");
  EXPECT_EQ(list_request("", prefix_end(""), 3, 0, true),
            R"({"key":"AA==","range_end":"AA==","limit":"3","keys_only":true})");
  EXPECT_EQ(commit_request({{absent("a")}, {put("a", "b", 5), remove("c"), remove_prefix("d")}}),
            R"({"compare":[{"key":"YQ==","target":"CREATE","result":"EQUAL","create_revision":"0"}],)"
            R"("success":[{"request_put":{"key":"YQ==","value":"Yg==","lease":"5"}},)"
            R"({"request_delete_range":{"key":"Yw=="}},{"request_delete_range":{"key":"ZA==","range_end":"ZQ=="}}],)"
            R"("failure":[{"request_range":{"key":"YQ==","keys_only":true}}]})");
  EXPECT_EQ(login_request("a\"b", "c\\d\n"), R"({"name":"a\"b","password":"c\\d\u000a"})");
}

TEST(EtcdAnswers, HaveTheirDefaultsLeftOut) {
  const auto range = parse_range(R"({"header":{"revision":"9007199254740993"},"kvs":[)"
                                 R"({"key":"Zm9v","create_revision":"2","mod_revision":3,"lease":"-5"}],"more":true})");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->revision, 9007199254740993);
  EXPECT_TRUE(range->more);
  EXPECT_EQ(range->records, (std::vector<Record>{{"foo", "", 2, 3, -5}}));
  const auto commit = parse_commit(R"({"header":{"revision":"5"},"responses":[{"response_range":{}}]})");
  ASSERT_TRUE(commit);
  EXPECT_FALSE(commit->done);
  EXPECT_EQ(commit->found, (std::vector<std::optional<Record>>{std::nullopt}));
  const auto lease = parse_lease(R"({"result":{"header":{},"ID":"7"}})");
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->ttl.count(), 0);
  const auto refusal = parse_refusal(R"({"error":{"grpc_code":14,"message":"etcdserver: no leader"}})");
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, 14);
  EXPECT_EQ(parse_refusal(R"({"error":"x","code":5})")->message, "x");
}

TEST(EtcdAnswers, ThatAreNoneAreNotRead) {
  for (const char* text :
       {"", "[]", "null", "{", "{}", R"({"header":{}})", R"({"header":{"revision":"-1"}})", R"({"header":[]})",
        R"({"header":{"revision":"5x"}})", R"({"header":{"revision":"99999999999999999999"}})",
        R"({"header":{"revision":18446744073709551615}})", R"({"header":{"revision":5.5}})",
        R"({"header":{"revision":"5"},"kvs":{}})", R"({"header":{"revision":"5"},"kvs":[1]})",
        R"({"header":{"revision":"5"},"kvs":[{"key":"A","mod_revision":"1"}]})",
        R"({"header":{"revision":"5"},"kvs":[{"key":"AA=="}]})", R"({"header":{"revision":"5"},"more":"yes"})"}) {
    EXPECT_FALSE(parse_range(text)) << text;
  }
  EXPECT_FALSE(parse_lease(R"({"ID":"0","TTL":"1"})"));
  EXPECT_FALSE(parse_token(R"({"token":"a\r\nX: y"})"));
  EXPECT_FALSE(parse_refusal(R"({"code":5})"));
  EXPECT_FALSE(parse_watch(R"({"events":[]})"));
  EXPECT_FALSE(parse_watch(R"({"result":{"events":[{"type":"PUT"}]}})"));
  EXPECT_FALSE(parse_watch(R"({"result":{"events":[{"kv":{"key":"AA==","mod_revision":"2"}},)"
                           R"({"kv":{"key":"AA==","mod_revision":"1"}}]}})"));
  EXPECT_FALSE(parse_watch(std::string(100'000, '[')));
}

TEST(OpenStore, NamesWhatIsWrong) {
  for (const char* url :
       {"", "state.db", "sqlite://state.db", "etcd://", "etcd://a:1,,b:2", "etcd://a/b", "redis://a"}) {
    const auto opened = open_store(url);
    ASSERT_FALSE(opened) << url;
    EXPECT_EQ(opened.error().trouble, Trouble::refused) << url;
  }
  EXPECT_TRUE(open_store("etcd://127.0.0.1:1,127.0.0.1:2/"));
  EXPECT_TRUE(open_store("etcds://[::1]:2379"));
}

}  // namespace
}  // namespace overlord::store::etcd
