#include "executor_mesos/updates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace overlord::executor_mesos {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

TEST(UpdateBook, SendsUntilItIsAcknowledged) {
  UpdateBook book(5s);
  const UpdateBook::Clock::time_point start{};
  book.add({.task_id = "t", .state = mesos::State::starting, .uuid = "u1"});
  book.add({.task_id = "t", .state = mesos::State::running, .uuid = "u2"});
  ASSERT_THAT(book.due(start), SizeIs(2));
  EXPECT_EQ(book.due(start)[0].uuid, "u1");
  book.sent("u1", start);
  book.sent("u2", start);
  EXPECT_THAT(book.due(start + 4s), IsEmpty());
  EXPECT_THAT(book.due(start + 5s), SizeIs(2));
  book.acknowledged("t", "u1");
  book.acknowledged("t", "nobody's");
  ASSERT_THAT(book.due(start + 5s), SizeIs(1));
  EXPECT_THAT(book.unacknowledged(), SizeIs(1));
  book.acknowledged("t", "u2");
  EXPECT_THAT(book.unacknowledged(), IsEmpty());
}

TEST(UpdateBook, ATaskIsUnacknowledgedUntilItsFirstUpdateIsNot) {
  UpdateBook book(5s);
  EXPECT_TRUE(book.launched({.task_id = "t", .data = {}, .task = "{\"x\":1}"}));
  EXPECT_FALSE(book.launched({.task_id = "t", .data = {}, .task = "{\"x\":1}"})) << "it is no second task";
  EXPECT_THAT(book.unacknowledged_tasks(), ElementsAre("{\"x\":1}"));
  book.acknowledged("t", "u");
  EXPECT_THAT(book.unacknowledged_tasks(), IsEmpty());
  EXPECT_FALSE(book.launched({.task_id = "t", .data = {}, .task = "{}"}));
}

}  // namespace
}  // namespace overlord::executor_mesos
