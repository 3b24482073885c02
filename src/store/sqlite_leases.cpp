// The leases of a SQLite store (sqlite_entries.h).
#include <fcntl.h>
#include <unistd.h>

#include <ctime>
#include <limits>

#include "store/sqlite_entries.h"

namespace overlord::store {

LeaseClock LeaseClock::of_this_boot() {
  char id[64];
  ssize_t size = 0;
  if (const int fd = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC); fd >= 0) {
    size = ::read(fd, id, sizeof id);
    ::close(fd);
  }
  while (size > 0 && id[size - 1] == '\n') --size;
  return {size > 0 ? std::string(id, static_cast<size_t>(size)) : "unknown"};
}

int64_t LeaseClock::now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

Answer<void> add_lease(Database& db, const LeaseClock& clock, const Lease& lease) {
  const int64_t ttl = std::chrono::milliseconds(lease.ttl).count();
  Query query = db.query("INSERT INTO leases (id, ttl, expires, boot) VALUES (?, ?, ?, ?)");
  query.bind(1, lease.id);
  query.bind(2, ttl);
  query.bind(3, LeaseClock::now_ms() + ttl);
  query.bind_text(4, clock.boot);
  return query.run();
}

Answer<std::optional<Lease>> renew_lease(Database& db, const LeaseClock& clock, LeaseId lease) {
  const auto lives = lease_lives(db, clock, lease);
  if (!lives) return std::unexpected(lives.error());
  if (!*lives) return std::nullopt;
  Query query = db.query("UPDATE leases SET expires = ttl + ?, boot = ? WHERE id = ? RETURNING ttl");
  query.bind(1, LeaseClock::now_ms());
  query.bind_text(2, clock.boot);
  query.bind(3, lease);
  std::optional<Lease> renewed;
  if (query.step()) {
    renewed =
        Lease{lease, std::chrono::duration_cast<std::chrono::seconds>(std::chrono::milliseconds(query.number(0)))};
  }
  if (auto good = query.run(); !good) return std::unexpected(good.error());
  return renewed;
}

Answer<bool> lease_lives(Database& db, const LeaseClock& clock, LeaseId lease) {
  Query query = db.query("SELECT 1 FROM leases WHERE id = ? AND (boot <> ? OR expires > ?)");
  query.bind(1, lease);
  query.bind_text(2, clock.boot);
  query.bind(3, LeaseClock::now_ms());
  const bool lives = query.step();
  if (auto good = query.result(); !good) return std::unexpected(good.error());
  return lives;
}

Answer<void> drop_lease(Database& db, LeaseId lease) {
  Query query = db.query("DELETE FROM leases WHERE id = ?");
  query.bind(1, lease);
  return query.run();
}

Answer<int64_t> next_expiry(Database& db, const LeaseClock& clock) {
  Query query = db.query("SELECT expires FROM leases WHERE boot = ? ORDER BY expires LIMIT 1");
  query.bind_text(1, clock.boot);
  const int64_t next = query.step() ? query.number(0) : std::numeric_limits<int64_t>::max();
  if (auto good = query.result(); !good) return std::unexpected(good.error());
  return next;
}

Answer<bool> expire_one(Database& db, const LeaseClock& clock) {
  LeaseId over = 0;
  {
    Query query = db.query("SELECT id FROM leases WHERE boot = ? AND expires <= ? ORDER BY expires LIMIT 1");
    query.bind_text(1, clock.boot);
    query.bind(2, LeaseClock::now_ms());
    if (query.step()) over = query.number(0);
    if (auto good = query.result(); !good) return std::unexpected(good.error());
  }
  if (over == 0) return false;
  const auto known = revisions(db);
  if (!known) return std::unexpected(known.error());
  const auto removed = remove_of_lease(db, over, known->now + 1);
  if (!removed) return std::unexpected(removed.error());
  if (auto good = drop_lease(db, over); !good) return std::unexpected(good.error());
  if (*removed > 0) {
    if (auto good = set_revision(db, known->now + 1); !good) return std::unexpected(good.error());
  }
  return true;
}

Answer<void> adopt_leases(Database& db, const LeaseClock& clock) {
  Query query = db.query("UPDATE leases SET expires = ttl + ?, boot = ? WHERE boot <> ?");
  query.bind(1, LeaseClock::now_ms());
  query.bind_text(2, clock.boot);
  query.bind_text(3, clock.boot);
  return query.run();
}

}  // namespace overlord::store
