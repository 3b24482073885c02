#pragma once
// A store in one SQLite file, for the processes of one machine: any number may have it open, each sees what the others
// commit, and a watch is told of it by the kernel (sqlite_attendant.h). The file must be on a disk of this machine.
//
// Disk full, read-only file, damaged file: errors, and nothing is changed. A process that is killed leaves nothing to
// repair; its leases go on until their time is over, whoever has the file open then ends them.

#include <memory>
#include <string>

#include "store/store.h"

namespace overlord::store {

struct SqliteOptions {
  std::chrono::milliseconds busy_wait{5000};  // for another process that is writing
  // Of the file; a put that would need more finds the store full, as on a full disk. There is some room beyond it, so that
  // a full store can be emptied. 0: no bound.
  uint64_t max_bytes = 8ULL << 30;
};

Answer<std::unique_ptr<Store>> open_sqlite(const std::string& path, const SqliteOptions& options = {});

}  // namespace overlord::store
