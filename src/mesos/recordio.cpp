#include "mesos/recordio.h"

#include <algorithm>

namespace overlord::mesos {
namespace {

constexpr size_t kMostDigits = 10;

}  // namespace

void RecordIo::clear() {
  length_ = digits_ = 0;
  reading_ = broken_ = false;
  record_.clear();
}

Result<void> RecordIo::feed(std::string_view bytes, std::vector<std::string>& records) {
  if (broken_) return fail("an event stream that is broken already");
  const auto bad = [this](std::string why) {
    broken_ = true;
    record_ = {};
    return fail(std::move(why));
  };
  while (!bytes.empty() || (reading_ && record_.size() == length_)) {
    if (reading_) {
      const size_t part = std::min(bytes.size(), length_ - record_.size());
      record_.append(bytes.substr(0, part));
      bytes.remove_prefix(part);
      if (record_.size() < length_) return {};
      records.push_back(std::move(record_));
      clear();
      continue;
    }
    const char c = bytes.front();
    bytes.remove_prefix(1);
    if (c == '\n' && digits_ > 0) {
      reading_ = true;
    } else if (c >= '0' && c <= '9' && digits_ < kMostDigits) {
      ++digits_;
      length_ = length_ * 10 + static_cast<size_t>(c - '0');
      if (length_ > longest_) return bad("an event of more than " + std::to_string(longest_) + " bytes");
    } else {
      return bad("no length of an event where one should be");
    }
  }
  return {};
}

}  // namespace overlord::mesos
