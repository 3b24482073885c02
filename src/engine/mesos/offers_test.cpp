#include "engine/mesos/offers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace overlord::engine {
namespace {

using mesos::Offer;
using mesos::Resource;
using mesos::ResourceKind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

const Clock::time_point kStart{};

Offer offer(const std::string& id, std::vector<Resource> resources, const std::string& role = "g",
            const std::string& agent = "a") {
  return {.id = id,
          .agent_id = agent,
          .hostname = "10.0.0.1",
          .role = role,
          .resources = std::move(resources),
          .attributes = {{"zone", "z1"}, {"rack", "r1"}}};
}

std::vector<Resource> room(uint64_t cpu, uint64_t memory, std::vector<mesos::PortRange> ports) {
  return {{ResourceKind::ports, "*", 0, std::move(ports)},
          {ResourceKind::cpus, "*", cpu, {}},
          {ResourceKind::memory, "*", memory, {}}};
}

TEST(OfferBook, AHostIsItsAddress) {
  EXPECT_EQ(host_of({.hostname = "10.0.0.1", .address = "192.168.0.1"}), "10.0.0.1");
  EXPECT_EQ(host_of({.hostname = "::1", .address = "192.168.0.1"}), "::1");
  EXPECT_EQ(host_of({.hostname = "db7.example", .address = "192.168.0.1"}), "192.168.0.1");
  EXPECT_EQ(host_of({.hostname = "db7.example", .address = ""}), "db7.example");
}

TEST(OfferBook, AddsOffersOfOneAgentUp) {
  OfferBook book;
  book.add(offer("o1", room(1000, 1024, {{7000, 7009}})), kStart);
  book.add(offer("o2", room(500, 512, {{7010, 7019}})), kStart);
  book.add(offer("o2", room(500, 512, {{7010, 7019}})), kStart);  // said twice
  auto hosts = book.hosts({});
  ASSERT_EQ(hosts.size(), 1U);
  EXPECT_EQ(hosts[0].host.name, "10.0.0.1");
  EXPECT_EQ(hosts[0].host.group, "g");
  EXPECT_EQ(hosts[0].free.zone, "z1");
  EXPECT_EQ(hosts[0].free.rack, "r1");
  EXPECT_EQ(hosts[0].free.cpu_milli, 1500U);
  EXPECT_EQ(hosts[0].free.memory_mib, 1536U);
  EXPECT_THAT(hosts[0].free.ports, ElementsAre(placement::PortRange{7000, 7019}));
  EXPECT_EQ(hosts[0].host.capacity.memory_mib, 1536U);

  // More than either holds: both are used.
  const auto taken =
      book.take({.host = "10.0.0.1", .group = "g", .task = {1200, 1200}, .executor = {50, 32}, .port = 7010});
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(taken->agent_id, "a");
  EXPECT_EQ(book.hosts({})[0].free.cpu_milli, 250U);
  EXPECT_EQ(book.hosts({})[0].free.memory_mib, 304U);
  EXPECT_THAT(book.use("a", "g"), ElementsAre("o1", "o2"));
  EXPECT_THAT(book.use("a", "g"), IsEmpty());
  EXPECT_EQ(book.hosts({})[0].free.memory_mib, 0U);
  EXPECT_EQ(book.hosts({})[0].host.capacity.memory_mib, 1536U) << "what a host has is remembered";
}

TEST(OfferBook, SaysWhatIsShort) {
  OfferBook book;
  Need need{.host = "10.0.0.1", .group = "g", .task = {900, 900}, .executor = {50, 32}, .port = 7000};
  EXPECT_THAT(book.take(need).error().message, HasSubstr("no agent is known on 10.0.0.1"));
  book.add(offer("o1", room(1000, 1024, {{7000, 7001}})), kStart);
  need.group = "other";
  EXPECT_THAT(book.take(need).error().message, HasSubstr("for the group other"));
  need.group.clear();
  need.port = 7002;
  EXPECT_THAT(book.take(need).error().message, HasSubstr("port 7002 of 10.0.0.1 is not on offer"));
  need.port = 7000;
  need.task.memory_mib = 1000;
  EXPECT_THAT(book.take(need).error().message, HasSubstr("1032 MiB needed, 1024 on offer"));
  need.task = {1000, 900};
  EXPECT_THAT(book.take(need).error().message, HasSubstr("1050 thousandths of a core needed, 1000"));
  need.task = {950, 992};
  ASSERT_TRUE(book.take(need));
  EXPECT_THAT(book.take(need).error().message, HasSubstr("0 on offer"));
}

TEST(OfferBook, WhatIsKeptForTheRoleGoesFirst) {
  OfferBook book;
  book.add(offer("o1", {{ResourceKind::memory, "*", 1000, {}},
                        {ResourceKind::memory, "g", 100, {}},
                        {ResourceKind::cpus, "g", 1000, {}},
                        {ResourceKind::ports, "g", 0, {{1, 10}}}}),
           kStart);
  const auto taken = book.take({.host = "10.0.0.1", .task = {100, 150}, .executor = {50, 32}, .port = 5});
  ASSERT_TRUE(taken);
  EXPECT_THAT(taken->executor,
              ElementsAre(Resource{ResourceKind::cpus, "g", 50, {}}, Resource{ResourceKind::memory, "g", 32, {}}));
  EXPECT_THAT(
      taken->task,
      ElementsAre(Resource{ResourceKind::cpus, "g", 100, {}}, Resource{ResourceKind::memory, "g", 68, {}},
                  Resource{ResourceKind::memory, "*", 82, {}}, Resource{ResourceKind::ports, "g", 0, {{5, 5}}}));
  EXPECT_THAT(book.hosts({})[0].free.ports, ElementsAre(placement::PortRange{1, 4}, placement::PortRange{6, 10}));
}

TEST(OfferBook, ABusPortIsTakenWhereTheAgentHasItAndLeftWhereItDoesNot) {
  OfferBook book;
  book.add(offer("o1", room(4000, 4096, {{7000, 7001}, {17000, 17001}})), kStart);
  Need need{.host = "10.0.0.1", .task = {100, 100}, .port = 7000, .bus = 17000};
  ASSERT_TRUE(book.take(need));
  need = {.host = "10.0.0.1", .task = {100, 100}, .port = 7001, .bus = 17000};
  EXPECT_THAT(book.take(need).error().message, HasSubstr("port 17000 of 10.0.0.1, the bus port of 7001"));
  need.bus = 17900;  // of nobody's range
  const auto taken = book.take(need);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->task.back().ports, (std::vector<mesos::PortRange>{{7001, 7001}}));
  // What is not on offer any more somebody has.
  const auto hosts = book.hosts({});
  EXPECT_THAT(hosts[0].free.taken, ElementsAre(7000, 7001, 17000));
}

TEST(OfferBook, APromiseFallsWithItsOffer) {
  OfferBook book;
  book.add(offer("o1", room(1000, 1024, {{7000, 7009}})), kStart);
  book.add(offer("o2", room(500, 512, {{7010, 7019}})), kStart);
  EXPECT_FALSE(book.remove("nobody's").promised);
  ASSERT_TRUE(book.take({.host = "10.0.0.1", .task = {1200, 1200}, .port = 7010}));
  const auto gone = book.remove("o1");
  EXPECT_TRUE(gone.promised);
  EXPECT_EQ(gone.agent_id, "a");
  EXPECT_EQ(book.hosts({})[0].free.memory_mib, 512U) << "all of what is left is free again";
  EXPECT_FALSE(book.remove("o2").promised);
  EXPECT_EQ(book.hosts({})[0].free.memory_mib, 0U);
}

TEST(OfferBook, OldOffersAreGivenBackUnlessPromised) {
  OfferBook book;
  book.add(offer("o1", room(1000, 1024, {{7000, 7009}})), kStart);
  book.add(offer("o2", room(500, 512, {{7010, 7019}}), "g", "b"), kStart + 5s);
  EXPECT_THAT(book.expire(kStart - 1s), IsEmpty());
  EXPECT_THAT(book.expire(kStart + 1s), ElementsAre("o1"));
  book.add(offer("o3", room(1000, 1024, {{7000, 7009}}), "g", "c"), kStart);
  ASSERT_TRUE(book.take({.host = "10.0.0.1", .task = {1, 1}, .port = 7000}));
  EXPECT_THAT(book.expire(kStart + 10s), ElementsAre("o2"));
  EXPECT_THAT(book.use("c", "g"), ElementsAre("o3"));
}

TEST(OfferBook, RolesAreKeptApart) {
  OfferBook book;
  book.add(offer("o1", room(1000, 1024, {{7000, 7009}}), "g1"), kStart);
  book.add(offer("o2", room(1000, 1024, {{7010, 7019}}), "g2"), kStart);
  const auto taken = book.take({.host = "10.0.0.1", .group = "g2", .task = {1, 1}, .port = 7010});
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->role, "g2");
  EXPECT_FALSE(book.take({.host = "10.0.0.1", .group = "g1", .task = {1, 1}, .port = 7011}));
  EXPECT_THAT(book.use("a", "g2"), ElementsAre("o2"));
  EXPECT_THAT(book.use("a", "g1"), ElementsAre("o1"));
}

TEST(OfferBook, ALostAgentIsKnownAndNotReachable) {
  OfferBook book;
  book.add(offer("o1", room(1000, 1024, {{7000, 7009}})), kStart);
  book.agent_failed("a");
  ASSERT_EQ(book.hosts({}).size(), 1U);
  EXPECT_FALSE(book.hosts({})[0].reachable);
  book.agent_heard("a", "10.0.0.1");
  EXPECT_TRUE(book.hosts({})[0].reachable);
  book.agent_heard("b", "10.0.0.2");  // of a task that was there before us
  EXPECT_EQ(book.hosts({}).size(), 2U);
  EXPECT_EQ(book.agent_of("10.0.0.2"), "b");
}

}  // namespace
}  // namespace overlord::engine
