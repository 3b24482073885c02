#include "executor/cluster_memory.h"

#include <array>
#include <string>

namespace overlord::executor {
namespace {

// id, address, flags, master, ping, pong, epoch, link state, slots or marks of slots
constexpr size_t kFields = 9;

std::array<std::string_view, kFields> fields_of(std::string_view line) {
  std::array<std::string_view, kFields> fields;
  for (std::string_view& field : fields) {
    const size_t end = std::min(line.find(' '), line.size());
    field = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return fields;
}

template <typename Each>
void each_line(std::string_view text, const Each& each) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    each(fields_of(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

bool has_heirs(std::string_view nodes_conf) {
  std::string_view self;
  each_line(nodes_conf, [&](const auto& fields) {
    // What begins with '[' is a slot on its way, which may be all that there is.
    if (fields[2].contains("myself") && fields[2].contains("master") && !fields[8].empty()) self = fields[0];
  });
  bool found = false;
  each_line(nodes_conf, [&](const auto& fields) { found = found || (!self.empty() && fields[3] == self); });
  return found;
}

}  // namespace overlord::executor
