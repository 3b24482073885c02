#include "ctl/table.h"

#include <gtest/gtest.h>

namespace overlord::ctl {
namespace {

TEST(Table, AlignsWordsToTheLeftAndNumbersToTheRight) {
  Table table({"NAME", "COUNT", "RATE"});
  table.add({"a", "5", "1.5k"});
  table.add({"longer", "1000", "7"});
  EXPECT_EQ(table.text(),
            "NAME    COUNT  RATE\n"
            "a           5  1.5k\n"
            "longer   1000     7\n");
}

TEST(Table, WithoutRowsThereAreTitlesOnly) { EXPECT_EQ(Table({"A", "B"}).text(), "A  B\n"); }

TEST(Table, CutsLinesAtCharactersAndNotInsideThem) {
  Table table({"NAME"});
  table.add({"h\u00e9h\u00e9h\u00e9"});
  EXPECT_EQ(table.text(3), "NAM\nh\u00e9h\n");
}

TEST(Table, ANameCannotSteerTheTerminal) {
  Table table({"KEY"});
  table.add({"a\x1b[2Jb\n"});
  EXPECT_EQ(table.text(), "KEY\na?[2Jb?\n");
}

TEST(ShortNumber, HasThreeDigits) {
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(7), "7");
  EXPECT_EQ(short_number(7.25), "7.25");
  EXPECT_EQ(short_number(999), "999");
  EXPECT_EQ(short_number(999.7), "1.00k");
  EXPECT_EQ(short_number(1234), "1.23k");
  EXPECT_EQ(short_number(12'345), "12.3k");
  EXPECT_EQ(short_number(123'456'789), "123M");
  EXPECT_EQ(short_number(5e15), "5000T");
}

}  // namespace
}  // namespace overlord::ctl
