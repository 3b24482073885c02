#include "executor/limits.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "executor/files.h"
#include "net/socket.h"

namespace overlord::executor {
namespace {

constexpr size_t kSmallFile = 64 * 1024;

Result<void> put(const std::string& path, const std::string& value) {
  const net::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return fail("cannot open " + path + ": " + std::strerror(errno));
  if (::write(fd.get(), value.data(), value.size()) < 0)
    return fail("cannot write " + path + ": " + std::strerror(errno));
  return {};
}

// The group of this process: the line "0::/path" of /proc/self/cgroup.
Result<std::string> own_group(const std::string& mounted) {
  if (!exists(mounted + "/cgroup.controllers")) return fail("there is no cgroup version 2 at " + mounted);
  const auto text = read_file("/proc/self/cgroup", kSmallFile);
  if (!text) return fail(text.error().message);
  const size_t at = text->starts_with("0::") ? 0 : text->find("\n0::");
  if (at == std::string::npos) return fail("this process is in no group of cgroup version 2");
  const size_t begin = text->find("::", at) + 2;
  std::string path = mounted + text->substr(begin, text->find('\n', begin) - begin);
  while (path.ends_with('/')) path.pop_back();
  const auto members = read_file(path + "/cgroup.procs", kSmallFile);
  if (!members) return fail(members.error().message);
  if (*members != std::to_string(::getpid()) + "\n") return fail("other processes are in " + path + " too");
  if (const auto made = make_folder(path + "/executor"); !made) return fail(made.error().message);
  if (const auto moved = put(path + "/executor/cgroup.procs", "0"); !moved) return fail(moved.error().message);
  return path;
}

}  // namespace

Limits Limits::make(const std::string& wish, const std::string& mounted) {
  Limits limits;
  limits.text_ = "none";
  if (wish == "none") return limits;
  Result<std::string> folder = wish;
  if (wish == "auto") folder = own_group(mounted);
  std::string why = folder ? "" : folder.error().message;
  if (folder) {
    const auto enabled = put(*folder + "/cgroup.subtree_control", "+memory +cpu");
    if (!enabled) why = enabled.error().message;
  }
  if (why.empty()) {
    limits.folder_ = *folder;
    limits.text_ = "groups in " + *folder;
    log_info("limits: nodes get groups in ", *folder, ": memory, swap and a share of the cpus are limited");
  } else {
    limits.fence_ = true;
    limits.text_ = "address space";
    log_warn("limits: no cgroups (", why, "), so only the address space of nodes is limited and their cpu is not");
  }
  return limits;
}

std::string Limits::group_of(const model::NodeTask& task) const {
  return folder_ + "/node-" + std::to_string(task.port);
}

Result<Limits::OfNode> Limits::prepare(const model::NodeTask& task) const {
  constexpr uint64_t kMib = 1024 * 1024;
  constexpr uint64_t kFenceAbove = 2048 * kMib;  // stacks, arenas and libraries, which are address space and no memory
  OfNode out;
  const uint64_t memory = task.spec.memory_mib * kMib;
  if (fence_) out.address_space = 2 * memory + kFenceAbove;
  if (folder_.empty()) return out;
  const std::string group = group_of(task);
  if (const auto made = make_folder(group); !made) return fail(made.error().message);
  if (const auto set = put(group + "/memory.max", std::to_string(memory)); !set) return fail(set.error().message);
  constexpr uint32_t kMilliPerWeight = 10;  // one cpu is 100, which is what every group has
  const uint32_t weight = std::clamp(task.spec.cpu_milli / kMilliPerWeight, 1U, 10'000U);
  for (const auto& [file, value] : {std::pair<std::string, std::string>{"/memory.swap.max", "0"},
                                    {"/memory.oom.group", "1"},
                                    {"/cpu.weight", std::to_string(weight)}}) {
    // Kernels without swap, or without a controller, have not all of these.
    if (const auto set = put(group + file, value); !set) log_warn("limits: ", set.error().message);
  }
  out.procs = group + "/cgroup.procs";
  return out;
}

void Limits::remove(const model::NodeTask& task) const {
  if (!folder_.empty() && ::rmdir(group_of(task).c_str()) != 0 && errno != ENOENT) {
    log_warn("limits: cannot remove ", group_of(task), ": ", std::strerror(errno));
  }
}

}  // namespace overlord::executor
