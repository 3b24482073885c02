#include "protocol/redis/learned_command.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "protocol/redis/acl_names.h"
#include "protocol/redis/command_lookup.h"
#include "protocol/redis/command_names.h"
#include "protocol/redis/reply_scanner.h"

namespace overlord::redis {
namespace {

constexpr int64_t kMaxCommands = 8192;
constexpr int64_t kMaxItems = 1024;  // of one list in a command's description
constexpr size_t kMaxName = 128;

// Reads values one after the other; every function is false when the next value is something else.
class Reader {
 public:
  explicit Reader(std::string_view reply) : rest_(reply) {}

  std::string_view rest() const { return rest_; }

  // Elements of an array, a set, or a map (two for each pair) or a null, which has none.
  bool list(int64_t& count, int64_t limit) {
    char type = 0;
    std::string_view line;
    if (!header(type, line)) return false;
    if (type == '_') return (count = 0, true);
    if ((type != '*' && type != '~' && type != '%') || !number(line, count)) return false;
    if (type == '%') count *= 2;
    count = std::max<int64_t>(count, 0);
    return count <= limit;
  }
  bool text(std::string_view& value) {
    char type = 0;
    std::string_view line;
    if (!header(type, line)) return false;
    if (type == '+') return (value = line, true);
    int64_t size = 0;
    if (type != '$' || !number(line, size) || size < 0 || rest_.size() < static_cast<uint64_t>(size) + 2) return false;
    value = rest_.substr(0, static_cast<size_t>(size));
    rest_.remove_prefix(static_cast<size_t>(size) + 2);
    return true;
  }
  bool integer(int64_t& value) {
    char type = 0;
    std::string_view line;
    return header(type, line) && type == ':' && number(line, value);
  }
  bool skip() {
    ReplyScanner scanner;
    size_t size = 0;
    if (scanner.advance(rest_, size) != ReplyScanner::Status::done) return false;
    rest_.remove_prefix(size);
    return true;
  }

 private:
  bool header(char& type, std::string_view& line) {
    const size_t end = rest_.find("\r\n");
    if (end == std::string_view::npos || end == 0) return false;
    type = rest_[0];
    line = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 2);
    return true;
  }
  static bool number(std::string_view text, int64_t& value) {
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failed == std::errc{} && end == text.data() + text.size() && value > -(int64_t{1} << 31) &&
           value < int64_t{1} << 31;
  }

  std::string_view rest_;
};

// A place in an argument list. Out of range it is one that no request has.
bool narrow(int64_t value, int16_t& out) {
  if (value < std::numeric_limits<int16_t>::min() || value > std::numeric_limits<int16_t>::max()) return false;
  out = static_cast<int16_t>(value);
  return true;
}

class Describer {
 public:
  Describer(Reader& reader, LearnedCommand& to) : reader_(reader), to_(to) {}

  // container: null, or the name of the command that this is a subcommand of.
  bool run(const std::string* container) {
    const std::string_view begin = reader_.rest();
    int64_t fields = 0;
    std::string_view name;
    int64_t arity = 0;
    int64_t places[3] = {};
    if (!reader_.list(fields, kMaxItems) || fields < 6 || !reader_.text(name) || !set_name(name, container))
      return false;
    if (!reader_.integer(arity) || !flags()) return false;
    for (int64_t& place : places) {
      if (!reader_.integer(place)) return false;
    }
    Command& command = to_.command;
    usable_ = narrow(arity, command.arity) && command.arity != 0;
    usable_ = narrow(places[0], command.first_key) && narrow(places[1], command.last_key) &&
              narrow(places[2], command.step) && usable_;
    if (fields > 6 && !categories()) return false;
    if (fields > 7 && !tips()) return false;
    if (fields > 8 ? !key_specs() : !place_from_old_fields()) return false;
    if (fields > 9 && !subcommands(container == nullptr)) return false;
    for (int64_t i = 10; i < fields; ++i) {
      if (!reader_.skip()) return false;
    }
    to_.bytes = begin.substr(0, begin.size() - reader_.rest().size());
    finish();
    return true;
  }

 private:
  bool set_name(std::string_view name, const std::string* container) {
    if (name.empty() || name.size() > kMaxName) return false;
    const bool good = std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~'; });
    if (!good) return false;
    to_.name.assign(name);
    std::ranges::transform(to_.name, to_.name.begin(), lower);
    return container == nullptr || (to_.name.starts_with(*container) && to_.name.size() > container->size() + 1 &&
                                    to_.name[container->size()] == '|');
  }

  template <typename Each>
  bool texts(Each each) {
    int64_t count = 0;
    if (!reader_.list(count, kMaxItems)) return false;
    for (int64_t i = 0; i < count; ++i) {
      std::string_view text;
      if (!reader_.text(text)) return false;
      each(text);
    }
    return true;
  }

  bool flags() {
    return texts([this](std::string_view flag) { to_.command.flags |= bit_of(flag, kFlagNames); });
  }
  bool categories() {
    return texts([this](std::string_view name) { to_.command.acl |= bit_of(name, kAclNames); });
  }
  bool tips() {
    return texts([this](std::string_view tip) {
      to_.words.push_back(std::make_unique<std::string>(tip.substr(0, kMaxName)));
      to_.tips.emplace_back(*to_.words.back());
    });
  }
  template <size_t N>
  static uint32_t bit_of(std::string_view name, const std::array<std::string_view, N>& names) {
    const auto found = std::ranges::find(names, name);
    return found == names.end() ? 0 : 1u << (found - names.begin());
  }

  bool key_specs() {
    int64_t count = 0;
    if (!reader_.list(count, kMaxItems)) return false;
    for (int64_t i = 0; i < count; ++i) {
      KeySpec spec;
      if (!facts([&](std::string_view name) { return spec_part(name, spec); })) return false;
      if (!sane(spec)) spec.begin = KeySpec::Begin::unknown;
      to_.specs.push_back(spec);
    }
    return true;
  }
  // A map, which RESP2 gives as a list: each(name) reads the value.
  template <typename Each>
  bool facts(Each each) {
    int64_t count = 0;
    if (!reader_.list(count, kMaxItems) || count % 2 != 0) return false;
    for (int64_t i = 0; i < count; i += 2) {
      std::string_view name;
      if (!reader_.text(name) || !each(name)) return false;
    }
    return true;
  }
  bool spec_part(std::string_view name, KeySpec& spec) {
    if (name == "flags") {
      return texts(
          [&](std::string_view flag) { spec.flags = static_cast<uint16_t>(spec.flags | bit_of(flag, kKeyFlagNames)); });
    }
    if (name != "begin_search" && name != "find_keys") return reader_.skip();
    return facts([&](std::string_view part) {
      std::string_view type;
      if (part == "spec") return facts([&](std::string_view fact) { return spec_fact(fact, spec); });
      if (part != "type") return reader_.skip();
      if (!reader_.text(type)) return false;
      if (name == "begin_search") {
        spec.begin = type == "index"     ? KeySpec::Begin::index
                     : type == "keyword" ? KeySpec::Begin::keyword
                                         : KeySpec::Begin::unknown;
      } else {
        spec.find = type == "range"    ? KeySpec::Find::range
                    : type == "keynum" ? KeySpec::Find::keynum
                                       : KeySpec::Find::unknown;
      }
      return true;
    });
  }
  bool spec_fact(std::string_view fact, KeySpec& spec) {
    if (fact == "keyword") {
      std::string_view word;
      if (!reader_.text(word)) return false;
      to_.words.push_back(std::make_unique<std::string>(word.substr(0, kMaxName)));
      spec.keyword = *to_.words.back();
      return true;
    }
    int16_t* const to = fact == "index" || fact == "startfrom" ? &spec.begin_index
                        : fact == "lastkey"                    ? &spec.last
                        : fact == "keystep"                    ? &spec.step
                        : fact == "limit"                      ? &spec.limit
                        : fact == "keynumidx"                  ? &spec.keynum_index
                        : fact == "firstkey"                   ? &spec.first_key
                                                               : nullptr;
    int64_t value = 0;
    if (to == nullptr) return reader_.skip();
    if (!reader_.integer(value)) return false;
    if (!narrow(value, *to)) usable_ = false;
    return true;
  }
  // What KeyWalk counts on.
  static bool sane(const KeySpec& spec) {
    if (spec.step < 1 || spec.limit < 0 || spec.keynum_index < 0 || spec.first_key < 0) return false;
    return spec.begin == KeySpec::Begin::keyword ? spec.begin_index != 0 && !spec.keyword.empty()
                                                 : spec.begin_index > 0;
  }

  // Servers before 7.0 say only the first key, the last, and the step between them.
  bool place_from_old_fields() {
    const Command& command = to_.command;
    if (command.first_key == 0) return true;
    KeySpec spec;
    spec.flags = (command.flags & kReadOnly) != 0 ? kKeyRo | kKeyAccess : kKeyRw | kKeyAccess | kKeyUpdate;
    spec.begin = KeySpec::Begin::index;
    spec.begin_index = command.first_key;
    spec.find = KeySpec::Find::range;
    const int last = command.last_key < 0 ? command.last_key : command.last_key - command.first_key;
    if (!narrow(last, spec.last)) usable_ = false;
    spec.step = command.step;
    if (!sane(spec) || (last < 0 && command.last_key >= 0)) spec.begin = KeySpec::Begin::unknown;
    to_.specs.push_back(spec);
    return true;
  }

  bool subcommands(bool wanted) {
    int64_t count = 0;
    if (!reader_.list(count, kMaxItems)) return false;
    for (int64_t i = 0; i < count; ++i) {
      if (!wanted) {
        if (!reader_.skip()) return false;
        continue;
      }
      auto sub = std::make_unique<LearnedCommand>();
      if (!Describer(reader_, *sub).run(&to_.name)) return false;
      to_.learned_subs.push_back(std::move(sub));
    }
    return true;
  }

  Treatment treatment() const {
    constexpr uint32_t kNever = kAdmin | kBlocking | kPubSub | kContainer;
    if (!usable_ || (to_.command.flags & kNever) != 0 || to_.specs.empty()) return Treatment::refused;
    bool searched = false;
    for (const KeySpec& spec : to_.specs) {
      if (spec.begin == KeySpec::Begin::unknown || spec.find == KeySpec::Find::unknown) return Treatment::refused;
      if ((spec.flags & (kKeyIncomplete | kKeyNotKey)) != 0) return Treatment::refused;
      searched = searched || spec.begin == KeySpec::Begin::keyword || spec.find == KeySpec::Find::keynum;
    }
    // The server asks the module itself for the keys: fixed places are not all there is.
    if ((to_.command.flags & kMovableKeys) != 0 && !searched) return Treatment::refused;
    const KeySpec& first = to_.specs.front();
    const bool one = to_.specs.size() == 1 && !searched && first.last == 0;
    const bool reached = one && first.begin_index == to_.command.first_key;
    return reached ? Treatment::single : Treatment::one_node;
  }

  void finish() {
    Command& command = to_.command;
    command.name = to_.name;
    command.rule = CallRule::none;
    command.flags |= kLearned;
    command.group = "module";
    command.since = "unknown";
    command.key_specs = to_.specs;
    command.tips = to_.tips;
    if (!to_.learned_subs.empty()) {
      command.flags |= kContainer;
      for (const auto& sub : to_.learned_subs) to_.subs.push_back(sub->command);
      command.subcommands = to_.subs;
    }
    command.treatment = treatment();
  }

  Reader& reader_;
  LearnedCommand& to_;
  bool usable_ = true;
};

}  // namespace

bool parse_command_table(std::string_view reply, LearnedList& out) {
  Reader reader(reply);
  int64_t count = 0;
  if (!reader.list(count, kMaxCommands)) return false;
  for (int64_t i = 0; i < count; ++i) {
    auto learned = std::make_unique<LearnedCommand>();
    if (!Describer(reader, *learned).run(nullptr)) return false;
    const Command* const known = find_command(learned->name);
    if (known == nullptr) {
      out.push_back(std::move(learned));
      continue;
    }
    for (auto& sub : learned->learned_subs) {
      const std::string_view name = std::string_view(sub->name).substr(known->name.size() + 1);
      if (find_subcommand(*known, name) == nullptr && (known->flags & kContainer) != 0) out.push_back(std::move(sub));
    }
  }
  return reader.rest().empty();
}

}  // namespace overlord::redis
