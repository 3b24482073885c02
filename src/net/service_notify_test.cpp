#include "net/service_notify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>

namespace overlord::net {
namespace {

class ServiceNotifyTest : public testing::Test {
 protected:
  void TearDown() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  }
  static ServiceNotify from(const char* socket, const char* usec = nullptr, const char* pid = nullptr) {
    ::setenv("NOTIFY_SOCKET", socket, 1);
    if (usec != nullptr) ::setenv("WATCHDOG_USEC", usec, 1);
    if (pid != nullptr) ::setenv("WATCHDOG_PID", pid, 1);
    auto made = ServiceNotify::from_environment();
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return std::move(*made);
  }
};

TEST_F(ServiceNotifyTest, WithoutAManagerNothingIsSent) {
  const auto notify = ServiceNotify::from_environment();
  ASSERT_TRUE(notify.has_value());
  EXPECT_FALSE(notify->wanted());
  notify->send("READY=1");
}

TEST_F(ServiceNotifyTest, ReachesAPathAndAnAbstractName) {
  const std::string path = testing::TempDir() + "overlord-notify-" + std::to_string(::getpid());
  const std::string name = "@overlord-notify-" + std::to_string(::getpid());
  for (const std::string& where : {path, name}) {
    const auto bound = unix_address(path);
    ASSERT_TRUE(bound.has_value());
    SocketAddress address = *bound;
    if (where[0] == '@') {
      auto* raw = reinterpret_cast<sockaddr_un*>(&address.storage);
      std::copy(where.begin(), where.end(), raw->sun_path);
      raw->sun_path[0] = '\0';
      address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + where.size());
    }
    const UniqueFd manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(::bind(manager.get(), address.get(), address.length), 0) << where;
    const ServiceNotify notify = from(where.c_str());
    EXPECT_TRUE(notify.wanted());
    EXPECT_EQ(::getenv("NOTIFY_SOCKET"), nullptr);
    notify.send("READY=1\nSTATUS=well");
    std::array<char, 100> got{};
    EXPECT_EQ(::recv(manager.get(), got.data(), got.size(), 0), 19);
    EXPECT_STREQ(got.data(), "READY=1\nSTATUS=well");
  }
  ::unlink(path.c_str());
}

TEST_F(ServiceNotifyTest, AManagerThatIsGoneIsNoError) { from("/nonexistent/notify").send("READY=1"); }

TEST_F(ServiceNotifyTest, TheWatchdogIsForTheProcessThatItNames) {
  EXPECT_EQ(from("/x", "2000000").watchdog_ns(), 2'000'000'000U);
  EXPECT_EQ(from("/x", "2000000", std::to_string(::getpid()).c_str()).watchdog_ns(), 2'000'000'000U);
  EXPECT_EQ(from("/x", "2000000", "1").watchdog_ns(), 0U);
  EXPECT_EQ(from("/x", "soon").watchdog_ns(), 0U);
}

TEST_F(ServiceNotifyTest, WhatIsNoSocketsNameIsAnError) {
  for (const std::string& wrong : {std::string("relative"), std::string("@"), "/" + std::string(200, 'x')}) {
    ::setenv("NOTIFY_SOCKET", wrong.c_str(), 1);
    const auto made = ServiceNotify::from_environment();
    ASSERT_FALSE(made.has_value()) << wrong;
    EXPECT_THAT(made.error().message, testing::HasSubstr("NOTIFY_SOCKET"));
  }
}

TEST(ReloadingState, HasTheTime) {
  EXPECT_THAT(reloading_state(), testing::MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+"));
}

}  // namespace
}  // namespace overlord::net
