#pragma once
// SqliteAttendant: the thread behind an open SQLite store. It ends leases when their time is over, and tells watches of
// this process when anybody, in any process, has committed: the kernel reports writes to the store's log (inotify), and
// the revision is looked at then, a few times with growing gaps, as what is written is not yet committed, and once a
// second in any case.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "net/socket.h"
#include "store/sqlite_database.h"
#include "store/sqlite_entries.h"

namespace overlord::store {

class SqliteAttendant {
 public:
  // The connection becomes the thread's own; the tables exist.
  SqliteAttendant(std::string path, std::unique_ptr<Database> db, LeaseClock clock);
  ~SqliteAttendant();
  SqliteAttendant(const SqliteAttendant&) = delete;
  SqliteAttendant& operator=(const SqliteAttendant&) = delete;

  // Waits until the store's revision is at least that, until stop(stopped), or so long; true: it is.
  bool wait_for(Revision revision, const bool& stopped, std::chrono::milliseconds patience);
  // Sets it, and wakes who waits with it.
  void stop(bool& stopped);
  bool is_set(const bool& stopped);
  // A commit of this process, which need not wait for the kernel; or a lease whose end may be the next.
  void nudge();

 private:
  void work();
  // Tells who waits, and ends leases. How long nothing will have to be done, ms.
  int attend();
  void expire();

  const std::string path_;
  const std::unique_ptr<Database> db_;
  const LeaseClock clock_;
  net::UniqueFd inotify_;
  net::UniqueFd nudged_;  // eventfd
  std::mutex mutex_;
  std::condition_variable changed_;
  Revision revision_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace overlord::store
