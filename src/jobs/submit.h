#pragma once
// Submit: how jobs come to be, for the apiserver and for healing. Each call is one transaction: a job and the lock of its
// cluster (its record's `job`) are made together, so a cluster never has two jobs that were let in.
//
// Any process may call these; none of them acts.

#include <expected>
#include <string>
#include <vector>

#include "model/cluster.h"
#include "model/job.h"
#include "model/validate.h"
#include "store/store.h"

namespace overlord::jobs {

struct Denied {
  enum class Kind : uint8_t {
    invalid,      // see problems
    missing,      // no such cluster or job
    busy,         // another job has the cluster, or the job's state does not allow it
    taken,        // the name is in use
    unavailable,  // the store: try again
  };
  Kind kind = Kind::invalid;
  std::string message;
  std::vector<model::Problem> problems{};
};

template <typename T>
using Submitted = std::expected<T, Denied>;

// A new cluster, with a front port of its own unless it has one already. `created`, `created_by` and `job` are set here.
Submitted<model::Job> submit_create(store::Store& store, model::Cluster cluster, const std::string& user,
                                    model::Moment now);
// A change of one that is there.
Submitted<model::Job> submit(store::Store& store, const model::Intent& intent, const std::string& user,
                             model::Moment now);

enum class Wish : uint8_t { pause, resume, cancel, retry };
Submitted<model::Job> ask_of_job(store::Store& store, const std::string& id, Wish wish, model::Moment now);

// What is wrong with an intent, of a cluster as it is.
std::vector<model::Problem> problems_of(const model::Intent& intent, const model::Cluster& cluster);

}  // namespace overlord::jobs
