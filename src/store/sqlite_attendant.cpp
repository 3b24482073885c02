#include "store/sqlite_attendant.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"

namespace overlord::store {
namespace {

constexpr int kLongestWaitMs = 1000;
constexpr int kFirstLookMs = 1;    // doubled then
constexpr int kBlindWaitMs = 100;  // where the kernel tells nothing
constexpr int kAfterTroubleMs = 200;
constexpr int kMostExpiriesInARow = 100;

// True: there was something.
bool drain(int fd) {
  char bytes[4096];
  bool any = false;
  while (::read(fd, bytes, sizeof bytes) > 0) any = true;
  return any;
}

}  // namespace

SqliteAttendant::SqliteAttendant(std::string path, std::unique_ptr<Database> db, LeaseClock clock)
    : path_(std::move(path)),
      db_(std::move(db)),
      clock_(std::move(clock)),
      inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      nudged_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  // The log exists while a connection is open that has used it, and ours is.
  if (const auto known = revisions(*db_)) revision_ = known->now;
  if (inotify_.valid() && ::inotify_add_watch(inotify_.get(), (path_ + "-wal").c_str(), IN_MODIFY) < 0) {
    inotify_.reset();
  }
  if (!inotify_.valid()) log_warn("store ", path_, ": no inotify; looking for changes every ", kBlindWaitMs, " ms");
  thread_ = std::thread([this] { work(); });
}

SqliteAttendant::~SqliteAttendant() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  nudge();
  thread_.join();
}

bool SqliteAttendant::wait_for(Revision revision, const bool& stopped, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [&] { return stopped || revision_ >= revision; });
  return !stopped && revision_ >= revision;
}

void SqliteAttendant::stop(bool& stopped) {
  {
    const std::scoped_lock lock(mutex_);
    stopped = true;
  }
  changed_.notify_all();
}

bool SqliteAttendant::is_set(const bool& stopped) {
  const std::scoped_lock lock(mutex_);
  return stopped;
}

void SqliteAttendant::nudge() {
  const uint64_t one = 1;
  (void)!::write(nudged_.get(), &one, sizeof one);
}

void SqliteAttendant::work() {
  for (int look_again = kLongestWaitMs;; look_again = std::min(2 * look_again, kLongestWaitMs)) {
    int wait = std::min(attend(), look_again);
    if (!inotify_.valid()) wait = std::min(wait, kBlindWaitMs);
    pollfd fds[] = {{nudged_.get(), POLLIN, 0}, {inotify_.get(), POLLIN, 0}};
    ::poll(fds, inotify_.valid() ? 2 : 1, wait);
    drain(nudged_.get());
    if (inotify_.valid() && drain(inotify_.get())) look_again = kFirstLookMs;
    const std::scoped_lock lock(mutex_);
    if (stopping_) return;
  }
}

int SqliteAttendant::attend() {
  const auto next = next_expiry(*db_, clock_);
  if (next && *next <= LeaseClock::now_ms()) expire();
  const auto known = revisions(*db_);
  if (!known) {
    static LogEvery every(std::chrono::seconds(10));
    if (auto turn = every.next()) log_warn("store ", known.error().message, turn.suffix());
    return kAfterTroubleMs;
  }
  bool grown = false;
  {
    const std::scoped_lock lock(mutex_);
    grown = known->now > revision_;
    revision_ = std::max(revision_, known->now);
  }
  if (grown) changed_.notify_all();
  const auto then = next_expiry(*db_, clock_);
  if (!then) return kAfterTroubleMs;
  const int64_t left = *then - LeaseClock::now_ms();
  // A lease that could not be ended just now.
  if (left <= 0) return kAfterTroubleMs;
  return static_cast<int>(std::min<int64_t>(left, kLongestWaitMs));
}

void SqliteAttendant::expire() {
  for (int count = 0; count < kMostExpiriesInARow; ++count) {
    auto section = Section::begin(*db_, Section::Kind::write);
    Answer<bool> ended = section ? expire_one(*db_, clock_) : std::unexpected(section.error());
    if (ended && *ended) {
      if (auto good = section->commit(); !good) ended = std::unexpected(good.error());
    }
    if (!ended) {
      static LogEvery every(std::chrono::seconds(10));
      if (auto turn = every.next())
        log_warn("store: a lease could not be ended: ", ended.error().message, turn.suffix());
      return;
    }
    if (!*ended) return;
  }
}

}  // namespace overlord::store
