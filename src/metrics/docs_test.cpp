// docs/metrics.md and the table say the same, and the table keeps the rules of Prometheus' naming.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "metrics/families.h"

namespace overlord::metrics {
namespace {

std::string manual() {
  std::ifstream in(OVERLORD_SOURCE_DIR "/docs/metrics.md", std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string row(const Family& family) {
  std::string labels;
  for (const char c : family.labels) labels.append(c == ',' ? "`, `" : std::string(1, c));
  if (!labels.empty()) labels = "`" + labels + "`";
  return "| `" + std::string(family.name) + "` | " + std::string(type_name(family.type)) + " | " + labels + " | " +
         std::string(family.help) + " |\n";
}

TEST(Manual, HasTheRowOfEveryFamily) {
  const std::string text = manual();
  ASSERT_FALSE(text.empty());
  for (const Family& family : families()) {
    EXPECT_NE(text.find("\n" + row(family)), std::string::npos) << "docs/metrics.md lacks\n" << row(family);
  }
}

TEST(Manual, HasNoRowOfAFamilyThatIsNotThere) {
  std::istringstream lines(manual());
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    EXPECT_NE(find_family(line.substr(3, line.find('`', 3) - 3)), nullptr) << line;
  }
}

TEST(Families, NamesAreUniqueAndCountersEndInTotal) {
  std::set<std::string_view> seen;
  for (const Family& family : families()) {
    EXPECT_TRUE(seen.insert(family.name).second) << family.name;
    EXPECT_EQ(family.name.ends_with("_total"), family.type == Type::counter) << family.name;
    EXPECT_FALSE(family.help.empty()) << family.name;
    EXPECT_EQ(family.help.find('\n'), std::string_view::npos) << family.name;
    EXPECT_EQ(family.help.find('|'), std::string_view::npos) << family.name;
  }
  EXPECT_EQ(find_family("overlord_proxy_con"), nullptr);
}

TEST(Families, ThoseOfTheGoProgramAreThere) {
  for (const auto& [name, labels] : {std::pair{"overlord_proxy_conns", "cluster"},
                                     {"overlord_proxy_err", "cluster,node,cmd,error"},
                                     {"overlord_proxy_version", "version"},
                                     {"overlord_proxy_timer", "cluster,cmd"},
                                     {"overlord_proxy_handler_timer", "cluster,node,cmd"}}) {
    const Family* family = find_family(name);
    ASSERT_NE(family, nullptr) << name;
    EXPECT_EQ(family->labels, labels);
  }
}

}  // namespace
}  // namespace overlord::metrics
