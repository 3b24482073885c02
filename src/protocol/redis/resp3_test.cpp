#include "protocol/redis/resp3.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "protocol/redis/reply_scanner.h"

namespace overlord::redis {
namespace {

class Resp3Test : public testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(pool_.in_use(), 0u); }

  std::string finish(Resp3Converter& converter, std::string_view reply, size_t piece) {
    ChunkQueue out;
    for (; !reply.empty(); reply.remove_prefix(std::min(piece, reply.size()))) {
      EXPECT_FALSE(converter.done());
      converter.convert(reply.substr(0, piece), pool_, out);
    }
    EXPECT_TRUE(converter.done());
    std::string text;
    for (const Chunk* c = out.front(); c != nullptr; c = c->next) text.append(c->data() + c->begin, c->size());
    out.clear(pool_);
    return text;
  }

  // The same in one piece and in pieces of every size.
  std::string convert(ShapeId shape, std::string_view reply) {
    Resp3Converter converter;
    converter.start(shape);
    const std::string whole = finish(converter, reply, reply.size());
    for (size_t piece = 1; piece < reply.size(); ++piece) {
      converter.start(shape);
      EXPECT_EQ(finish(converter, reply, piece), whole) << piece;
    }
    return whole;
  }

  ChunkPool pool_;
};

TEST_F(Resp3Test, OnlyNullsOfAPlainReplyDiffer) {
  for (const std::string_view same : {"+OK\r\n", "-ERR x\r\n", ":5\r\n", "$0\r\n\r\n", "$3\r\na\r\n\r\n", "*0\r\n",
                                      "*2\r\n$1\r\na\r\n*2\r\n:1\r\n*1\r\n*0\r\n", "%1\r\n+a\r\n~1\r\n_\r\n"}) {
    EXPECT_EQ(convert(ShapeId::plain, same), same);
  }
  EXPECT_EQ(convert(ShapeId::plain, "$-1\r\n"), "_\r\n");
  EXPECT_EQ(convert(ShapeId::plain, "*-1\r\n"), "_\r\n");
  EXPECT_EQ(convert(ShapeId::plain, "*3\r\n$-1\r\n*2\r\n*-1\r\n$1\r\na\r\n$-1\r\n"),
            "*3\r\n_\r\n*2\r\n_\r\n$1\r\na\r\n_\r\n");
}

TEST_F(Resp3Test, ErrorsAndOtherTypesKeepTheirFormInEveryShape) {
  for (size_t i = 1; i < static_cast<size_t>(ShapeId::kCount); ++i) {
    const auto shape = static_cast<ShapeId>(i);
    EXPECT_EQ(convert(shape, "-WRONGTYPE x\r\n"), "-WRONGTYPE x\r\n");
    EXPECT_EQ(convert(shape, "$-1\r\n"), "_\r\n");
    EXPECT_EQ(convert(shape, ":3\r\n"), ":3\r\n");
  }
}

TEST_F(Resp3Test, MapsAndSets) {
  EXPECT_EQ(convert(ShapeId::map, "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$-1\r\n"),
            "%2\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n_\r\n");
  EXPECT_EQ(convert(ShapeId::map, "*3\r\n:1\r\n:2\r\n:3\r\n"), "*3\r\n:1\r\n:2\r\n:3\r\n");
  EXPECT_EQ(convert(ShapeId::map_deep, "*2\r\n$1\r\na\r\n*2\r\n:1\r\n*0\r\n"), "%1\r\n$1\r\na\r\n%1\r\n:1\r\n%0\r\n");
  EXPECT_EQ(convert(ShapeId::set, "*2\r\n$1\r\na\r\n*1\r\n:1\r\n"), "~2\r\n$1\r\na\r\n*1\r\n:1\r\n");
  EXPECT_EQ(convert(ShapeId::acl_user, "*4\r\n$5\r\nflags\r\n*1\r\n$2\r\non\r\n$4\r\nkeys\r\n*1\r\n$1\r\n*\r\n"),
            "%2\r\n$5\r\nflags\r\n~1\r\n$2\r\non\r\n$4\r\nkeys\r\n*1\r\n$1\r\n*\r\n");
}

TEST_F(Resp3Test, Scores) {
  EXPECT_EQ(convert(ShapeId::number, "$3\r\n1.5\r\n"), ",1.5\r\n");
  EXPECT_EQ(convert(ShapeId::number, "$4\r\n-inf\r\n"), ",-inf\r\n");
  EXPECT_EQ(convert(ShapeId::pairs_scores, "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$3\r\n2.5\r\n"),
            "*2\r\n*2\r\n$1\r\na\r\n,1\r\n*2\r\n$1\r\nb\r\n,2.5\r\n");
  EXPECT_EQ(convert(ShapeId::pairs_scores, "*0\r\n"), "*0\r\n");
  EXPECT_EQ(convert(ShapeId::streams, "*1\r\n*2\r\n$1\r\nx\r\n*1\r\n$-1\r\n"), "%1\r\n$1\r\nx\r\n*1\r\n_\r\n");
}

// A double's bytes stand without their length: what is none must not pass for one.
TEST_F(Resp3Test, AStringThatIsNoDoubleStaysAString) {
  for (const std::string_view same : {"$0\r\n\r\n", "$9\r\n1\r\n+hello\r\n", "$2\r\n1\n\r\n", "$3\r\nabc\r\n"}) {
    EXPECT_EQ(convert(ShapeId::number, same), same);
  }
  const std::string digits(100, '7');
  EXPECT_EQ(convert(ShapeId::number, "$100\r\n" + digits + "\r\n"), "$100\r\n" + digits + "\r\n");
}

// The count of a map is written before its elements are known: each must give a key and a value.
TEST_F(Resp3Test, WhatIsNoPairGetsAnEmptyKey) {
  EXPECT_EQ(convert(ShapeId::streams, "*3\r\n$1\r\nx\r\n*3\r\n:1\r\n:2\r\n:3\r\n:5\r\n"),
            "%3\r\n_\r\n$1\r\nx\r\n_\r\n*3\r\n:1\r\n:2\r\n:3\r\n_\r\n:5\r\n");
}

TEST_F(Resp3Test, EachElementOfAListOfAnswersHasItsShape) {
  const std::vector<ShapeId> shapes = {ShapeId::number, ShapeId::map, ShapeId::plain};
  const std::string_view reply = "*4\r\n$1\r\n2\r\n*2\r\n+a\r\n+b\r\n*1\r\n$-1\r\n$-1\r\n";
  Resp3Converter converter;
  converter.start_list(shapes);
  EXPECT_EQ(finish(converter, reply, 3), "*4\r\n,2\r\n%1\r\n+a\r\n+b\r\n*1\r\n_\r\n_\r\n");
  converter.start_list(shapes);
  EXPECT_EQ(finish(converter, "*-1\r\n", 1), "_\r\n");
}

TEST_F(Resp3Test, DeepArraysNeedNoMoreRoom) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "*1\r\n";
  deep += "$-1\r\n";
  const std::string wanted = deep.substr(0, deep.size() - 5) + "_\r\n";
  for (const ShapeId shape : {ShapeId::plain, ShapeId::list_command_info, ShapeId::list_doc_argument}) {
    Resp3Converter converter;
    converter.start(shape);
    EXPECT_EQ(finish(converter, deep, 1000), wanted);
  }
}

TEST_F(Resp3Test, TheInsideOfAStringMayBeMoved) {
  Resp3Converter converter;
  converter.start(ShapeId::plain);
  ChunkQueue out;
  converter.convert("*2\r\n$1000000\r\nabc", pool_, out);
  EXPECT_EQ(converter.passing(), 999'999u);
  converter.passed(999'999);
  EXPECT_EQ(converter.passing(), 0u);
  converter.convert("$-1\r\n", pool_, out);
  EXPECT_TRUE(converter.done());
  out.clear(pool_);
}

TEST_F(Resp3Test, AfterBytesThatAreNoReplyAllIsPassed) {
  Resp3Converter converter;
  converter.start(ShapeId::map);
  ChunkQueue out;
  const std::string_view bytes = "*x\r\n$-1\r\n";
  converter.convert(bytes, pool_, out);
  EXPECT_EQ(out.size(), bytes.size());
  EXPECT_FALSE(converter.done());
  out.clear(pool_);
}

}  // namespace
}  // namespace overlord::redis
