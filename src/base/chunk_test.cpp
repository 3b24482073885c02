#include "base/chunk.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace overlord {
namespace {

class ChunkTest : public testing::Test {
 protected:
  void TearDown() override {
    for (ChunkQueue* queue : {&queue_, &other_}) queue->clear(pool_);
    EXPECT_EQ(pool_.in_use(), 0u);
  }

  static std::string bytes_of(const ChunkQueue& queue) {
    std::vector<iovec> parts(1000);
    parts.resize(queue.fill(parts));
    std::string out;
    for (const iovec& part : parts) out.append(static_cast<const char*>(part.iov_base), part.iov_len);
    return out;
  }
  static std::string sequence(size_t size, size_t from = 0) {
    std::string out(size, '\0');
    for (size_t i = 0; i < size; ++i) out[i] = static_cast<char>((from + i) * 131 % 251);
    return out;
  }

  ChunkPool pool_;
  ChunkQueue queue_;
  ChunkQueue other_;
};

TEST_F(ChunkTest, PoolReusesAndCounts) {
  Chunk* first = pool_.take();
  Chunk* second = pool_.take();
  EXPECT_NE(first, second);
  EXPECT_EQ(pool_.in_use(), 2u);
  EXPECT_EQ(first->size(), 0u);
  first->begin = 3;
  first->end = 7;
  pool_.give(first);
  EXPECT_EQ(pool_.in_use(), 1u);
  EXPECT_EQ(pool_.free_count(), 1u);
  Chunk* again = pool_.take();
  EXPECT_EQ(again, first);
  EXPECT_EQ(again->begin, 0u);
  EXPECT_EQ(again->end, 0u);
  EXPECT_EQ(again->next, nullptr);
  pool_.give(again);
  pool_.give(second);
}

TEST_F(ChunkTest, TrimKeepsWhatThePeriodNeededAndThenLetsGo) {
  constexpr size_t kMany = 1000;
  std::vector<Chunk*> chunks;
  for (size_t i = 0; i < kMany; ++i) chunks.push_back(pool_.take());
  pool_.trim();
  EXPECT_EQ(pool_.in_use(), kMany);
  for (Chunk* chunk : chunks) pool_.give(chunk);
  pool_.trim();
  EXPECT_EQ(pool_.free_count(), kMany);  // this period began with all of them
  Chunk* one = pool_.take();
  pool_.trim();
  EXPECT_LT(pool_.free_count(), kMany / 4);
  pool_.give(one);
  const size_t left = pool_.free_count();
  pool_.trim();
  pool_.trim();
  EXPECT_LE(pool_.free_count(), left);
}

TEST_F(ChunkTest, AppendsOfEverySizeKeepOrder) {
  std::mt19937 random(3);
  std::string expected;
  for (int i = 0; i < 400; ++i) {
    const size_t size = i % 20 == 0 ? random() % 60'000 : random() % 600;
    const std::string part = sequence(size, expected.size());
    queue_.append(pool_, part);
    expected += part;
  }
  EXPECT_EQ(queue_.size(), expected.size());
  EXPECT_EQ(bytes_of(queue_), expected);
}

TEST_F(ChunkTest, AnEmptyAppendTakesNoChunk) {
  queue_.append(pool_, "");
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(pool_.in_use(), 0u);
}

TEST_F(ChunkTest, FillsAChunkToItsLastByte) {
  queue_.append(pool_, sequence(Chunk::capacity()));
  EXPECT_EQ(pool_.in_use(), 1u);
  queue_.append(pool_, "x");
  EXPECT_EQ(pool_.in_use(), 2u);
  EXPECT_EQ(bytes_of(queue_), sequence(Chunk::capacity()) + "x");
}

TEST_F(ChunkTest, ReserveIsContiguousAndCommitsWhatWasWritten) {
  queue_.append(pool_, sequence(Chunk::capacity() - 10));
  char* at = queue_.reserve(pool_, 11);  // does not fit behind it
  EXPECT_EQ(queue_.size(), Chunk::capacity() - 10);
  std::memcpy(at, "hello", 5);
  queue_.commit(5);
  at = queue_.reserve(pool_, Chunk::capacity() - 5);
  std::memcpy(at, " world", 6);
  queue_.commit(6);
  EXPECT_EQ(pool_.in_use(), 2u);
  EXPECT_EQ(bytes_of(queue_), sequence(Chunk::capacity() - 10) + "hello world");
}

TEST_F(ChunkTest, ConsumeGivesChunksBackAsTheyEmpty) {
  const size_t capacity = Chunk::capacity();
  const std::string bytes = sequence(3 * capacity);
  queue_.append(pool_, bytes);
  EXPECT_EQ(pool_.in_use(), 3u);
  queue_.consume(pool_, 0);
  EXPECT_EQ(queue_.size(), bytes.size());
  queue_.consume(pool_, capacity - 1);
  EXPECT_EQ(pool_.in_use(), 3u);
  queue_.consume(pool_, 1);
  EXPECT_EQ(pool_.in_use(), 2u);
  EXPECT_EQ(bytes_of(queue_), bytes.substr(capacity));
  queue_.consume(pool_, capacity + 5);
  EXPECT_EQ(pool_.in_use(), 1u);
  EXPECT_EQ(bytes_of(queue_), bytes.substr(2 * capacity + 5));
  queue_.consume(pool_, queue_.size());
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(queue_.front(), nullptr);
  EXPECT_EQ(pool_.in_use(), 0u);
  queue_.append(pool_, "again");
  EXPECT_EQ(bytes_of(queue_), "again");
}

TEST_F(ChunkTest, AReservedChunkThatWasNeverWrittenIsCleared) {
  queue_.reserve(pool_, 100);
  EXPECT_TRUE(queue_.empty());
  EXPECT_NE(queue_.front(), nullptr);
  std::array<iovec, 4> parts;
  EXPECT_EQ(queue_.fill(parts), 0u);
  queue_.clear(pool_);
  EXPECT_EQ(pool_.in_use(), 0u);
}

TEST_F(ChunkTest, SpliceMovesEverythingWithoutCopying) {
  queue_.append(pool_, "front ");
  other_.append(pool_, "back");
  const Chunk* moved = other_.front();
  queue_.splice(other_);
  EXPECT_TRUE(other_.empty());
  EXPECT_EQ(other_.front(), nullptr);
  EXPECT_EQ(queue_.front()->next, moved);
  EXPECT_EQ(bytes_of(queue_), "front back");
  queue_.splice(other_);  // of nothing
  EXPECT_EQ(bytes_of(queue_), "front back");
  queue_.append(pool_, "!");
  EXPECT_EQ(bytes_of(queue_), "front back!");
  other_.splice(queue_);  // into an empty queue
  EXPECT_EQ(bytes_of(other_), "front back!");
}

TEST_F(ChunkTest, SpliceFrontMovesWholeChunksAndCopiesTheRest) {
  const size_t capacity = Chunk::capacity();
  const std::string bytes = sequence(3 * capacity);
  other_.append(pool_, bytes);
  Chunk* first = other_.front();
  queue_.splice_front(pool_, other_, capacity + 100);
  EXPECT_EQ(queue_.front(), first);
  EXPECT_EQ(bytes_of(queue_), bytes.substr(0, capacity + 100));
  EXPECT_EQ(bytes_of(other_), bytes.substr(capacity + 100));
  EXPECT_EQ(queue_.size() + other_.size(), bytes.size());
  queue_.splice_front(pool_, other_, other_.size());
  EXPECT_EQ(other_.front(), nullptr);
  EXPECT_EQ(bytes_of(queue_), bytes);
  other_.append(pool_, "usable");
  EXPECT_EQ(bytes_of(other_), "usable");
}

TEST_F(ChunkTest, FillStopsWhereTheVectorEnds) {
  queue_.append(pool_, sequence(5 * Chunk::capacity()));
  std::array<iovec, 2> parts;
  EXPECT_EQ(queue_.fill(parts), 2u);
  EXPECT_EQ(parts[0].iov_len, Chunk::capacity());
}

// Every operation against a plain string that does the same.
TEST_F(ChunkTest, BehavesLikeAString) {
  std::mt19937 random(17);
  std::array<ChunkQueue*, 2> queues{&queue_, &other_};
  std::array<std::string, 2> models;
  for (int step = 0; step < 4'000; ++step) {
    const size_t which = random() % 2;
    ChunkQueue& queue = *queues[which];
    std::string& model = models[which];
    switch (random() % 6) {
      case 0:
      case 1: {
        const std::string part = sequence(random() % 3'000, static_cast<size_t>(step));
        queue.append(pool_, part);
        model += part;
        break;
      }
      case 2: {
        const size_t room = random() % Chunk::capacity() + 1;
        const std::string part = sequence(random() % (room + 1), static_cast<size_t>(step));
        std::memcpy(queue.reserve(pool_, room), part.data(), part.size());
        queue.commit(part.size());
        model += part;
        break;
      }
      case 3: {
        const size_t size = random() % (model.size() + 1);
        queue.consume(pool_, size);
        model.erase(0, size);
        break;
      }
      case 4: {
        const size_t size = random() % (models[1 - which].size() + 1);
        queue.splice_front(pool_, *queues[1 - which], size);
        model += models[1 - which].substr(0, size);
        models[1 - which].erase(0, size);
        break;
      }
      case 5:
        if (random() % 20 == 0) {
          queue.splice(*queues[1 - which]);
          model += models[1 - which];
          models[1 - which].clear();
        } else if (random() % 20 == 0) {
          queue.clear(pool_);
          model.clear();
        }
        break;
    }
    ASSERT_EQ(queue.size(), model.size()) << step;
    if (step % 50 == 0) {
      ASSERT_EQ(bytes_of(queue), model) << step;
    }
  }
}

}  // namespace
}  // namespace overlord
