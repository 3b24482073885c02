#include "metrics/exposition.h"

#include <gtest/gtest.h>

namespace overlord::metrics {
namespace {

TEST(Exposition, WritesHelpAndTypeOnceAndOnlyWithSamples) {
  Exposition out;
  out.family("overlord_proxy_version");
  out.family("overlord_proxy_conns");
  out.sample({"a"}, uint64_t{18446744073709551615ULL});
  out.sample({"b"}, 0.25);
  EXPECT_EQ(out.text(),
            "# HELP overlord_proxy_conns Client connections that are open.\n"
            "# TYPE overlord_proxy_conns gauge\n"
            "overlord_proxy_conns{cluster=\"a\"} 18446744073709551615\n"
            "overlord_proxy_conns{cluster=\"b\"} 0.25\n");
}

TEST(Exposition, FamiliesWithoutLabelsHaveNoBraces) {
  Exposition out;
  out.family("overlord_proxy_workers");
  out.sample({}, uint64_t{2});
  EXPECT_TRUE(out.text().ends_with("\noverlord_proxy_workers 2\n")) << out.text();
}

std::string shown(std::string_view label) {
  Exposition out;
  out.family("overlord_proxy_conns");
  out.sample({label}, uint64_t{1});
  const size_t begin = out.text().find("cluster=\"") + 9;
  return out.text().substr(begin, out.text().rfind('"') - begin);
}

TEST(Exposition, EscapesLabels) {
  EXPECT_EQ(shown("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
  EXPECT_EQ(shown(""), "");
  EXPECT_EQ(shown("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
}

// Prometheus refuses a page with a byte that is not UTF-8.
TEST(Exposition, ShowsWhatIsNotUtf8AsQuestionMarks) {
  EXPECT_EQ(shown("\xff"), "?");
  EXPECT_EQ(shown("a\xc3"), "a?");
  EXPECT_EQ(shown("\xc0\x80"), "??");
  EXPECT_EQ(shown("\xed\xa0\x80"), "???");       // a surrogate
  EXPECT_EQ(shown("\xf4\x90\x80\x80"), "????");  // beyond Unicode
  EXPECT_EQ(shown("\xe2\x82z"), "??z");
}

TEST(Exposition, HistogramsAreCumulativeAndInMicroseconds) {
  Histogram histogram;
  histogram.add(50'000);
  histogram.add(60'500);
  histogram.add(3'600'000'000'000);
  Exposition out;
  out.family("overlord_proxy_timer");
  out.histogram({"c", "get"}, histogram.counts());
  const std::string& text = out.text();
  const std::string labels = "{cluster=\"c\",cmd=\"get\"";
  EXPECT_NE(text.find("overlord_proxy_timer_bucket" + labels + ",le=\"50\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("overlord_proxy_timer_bucket" + labels + ",le=\"100\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("overlord_proxy_timer_bucket" + labels + ",le=\"5000000\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("overlord_proxy_timer_bucket" + labels + ",le=\"+Inf\"} 3\n"), std::string::npos) << text;
  EXPECT_NE(text.find("overlord_proxy_timer_sum" + labels + "} 3600000110.5\n"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("overlord_proxy_timer_count" + labels + "} 3\n")) << text;
}

}  // namespace
}  // namespace overlord::metrics
