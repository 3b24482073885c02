#include <nlohmann/json.hpp>

#include "jobs/step.h"

namespace overlord::jobs {
namespace {

using nlohmann::json;

constexpr std::string_view kNames[] = {"place",     "launch",        "await_tasks",    "enlist",        "ramp",
                                       "stop",      "await_cluster", "meet",           "replicate",     "promote",
                                       "step_down", "await_master",  "move_slots",     "adopt_slots",   "forget",
                                       "restart",   "configure",     "update_cluster", "remove_cluster"};
constexpr size_t kKinds = std::size(kNames);
static_assert(kKinds == static_cast<size_t>(StepKind::remove_cluster) + 1);

// A field that is not what it should be makes the whole unreadable: half a step must not be carried out.
class Reader {
 public:
  explicit Reader(const json& from) : from_(from) {}
  bool good() const { return good_; }

  template <typename Number>
    requires std::is_integral_v<Number>
  void read(const char* name, Number& value) {
    const json* found = field(name);
    if (found == nullptr) return;
    if constexpr (std::is_same_v<Number, bool>) {
      good_ = good_ && found->is_boolean();
      if (good_) value = found->get<bool>();
    } else {
      good_ = good_ && found->is_number_unsigned() && found->get<uint64_t>() <= std::numeric_limits<Number>::max();
      if (good_) value = found->get<Number>();
    }
  }
  void read(const char* name, std::string& value) {
    const json* found = field(name);
    if (found == nullptr) return;
    good_ = good_ && found->is_string();
    if (good_) value = found->get<std::string>();
  }
  void read(const char* name, std::vector<std::string>& value) {
    each(name, [&](const json& one) {
      good_ = good_ && one.is_string();
      if (good_) value.push_back(one.get<std::string>());
    });
  }
  void read(const char* name, std::map<std::string, std::string>& value) {
    const json* found = field(name);
    if (found == nullptr) return;
    good_ = good_ && found->is_object();
    for (auto one = found->begin(); good_ && one != found->end(); ++one) {
      good_ = one->is_string();
      if (good_) value[one.key()] = one->get<std::string>();
    }
  }
  void read(const char* name, std::vector<placement::SlotRange>& value) {
    each(name, [&](const json& one) {
      good_ = good_ && one.is_array() && one.size() == 2 && one[0].is_number_unsigned() &&
              one[1].is_number_unsigned() && one[0].get<uint64_t>() <= one[1].get<uint64_t>() &&
              one[1].get<uint64_t>() < 16384;
      if (good_) value.push_back({one[0].get<uint16_t>(), one[1].get<uint16_t>()});
    });
  }
  void read(const char* name, std::vector<Place>& value) {
    each(name, [&](const json& one) {
      Reader reader(one);
      Place place;
      bool replica = false;
      reader.read("alias", place.alias);
      reader.read("host", place.host);
      reader.read("port", place.port);
      reader.read("shard", place.shard);
      reader.read("replica", replica);
      reader.read("id", place.node_id);
      place.role = replica ? model::Role::replica : model::Role::master;
      good_ = good_ && reader.good();
      value.push_back(std::move(place));
    });
  }

 private:
  const json* field(const char* name) {
    good_ = good_ && from_.is_object();
    if (!good_) return nullptr;
    const auto found = from_.find(name);
    return found == from_.end() ? nullptr : &*found;
  }
  template <typename Take>
  void each(const char* name, const Take& take) {
    const json* found = field(name);
    if (found == nullptr) return;
    good_ = good_ && found->is_array();
    for (size_t i = 0; good_ && i < found->size(); ++i) take((*found)[i]);
  }

  const json& from_;
  bool good_ = true;
};

// Leaves out what is as it begins.
class Writer {
 public:
  template <typename Value>
  void write(const char* name, const Value& value) {
    if (value != Value{}) to_[name] = value;
  }
  void write(const char* name, const std::vector<placement::SlotRange>& value) {
    for (const placement::SlotRange& range : value) to_[name].push_back({range.first, range.last});
  }
  void write(const char* name, const std::vector<Place>& value) {
    for (const Place& place : value) {
      Writer writer;
      writer.write("alias", place.alias);
      writer.write("host", place.host);
      writer.write("port", place.port);
      writer.write("shard", place.shard);
      writer.write("replica", place.role == model::Role::replica);
      writer.write("id", place.node_id);
      to_[name].push_back(std::move(writer.to_));
    }
  }
  std::string text() const { return to_.dump(-1, ' ', false, json::error_handler_t::replace); }

 private:
  json to_ = json::object();
};

template <typename Visitor, typename Of>
void visit(Visitor& visitor, Of& act) {
  auto each = [&](const char* name, auto& value) {
    if constexpr (std::is_same_v<Visitor, Reader>) {
      visitor.read(name, value);
    } else {
      visitor.write(name, value);
    }
  };
  each("places", act.places);
  each("nodes", act.nodes);
  each("ids", act.ids);
  each("from", act.from);
  each("to", act.to);
  each("slots", act.slots);
  each("number", act.number);
  each("hold", act.hold);
  each("flag", act.flag);
  each("shards", act.shards);
  each("memory_mib", act.memory_mib);
  each("version", act.version);
  each("settings", act.settings);
  each("old_shards", act.old_shards);
}

uint32_t weight_of(const Act& act) {
  switch (act.kind) {
    case StepKind::move_slots: return 20;
    case StepKind::await_tasks:
    case StepKind::await_cluster:
    case StepKind::restart:
    case StepKind::ramp: return 10;
    default: return 2;
  }
}

}  // namespace

std::string_view to_string(StepKind kind) {
  const auto at = static_cast<size_t>(kind);
  return at < kKinds ? kNames[at] : "unknown";
}

model::Step make_step(const Act& act) {
  Writer writer;
  visit(writer, act);
  return {.kind = std::string(to_string(act.kind)),
          .what = describe(act),
          .detail = writer.text(),
          .weight = weight_of(act)};
}

Result<Act> act_of(const model::Step& step) {
  Act act;
  const auto* const name = std::ranges::find(kNames, std::string_view(step.kind));
  if (name == std::end(kNames)) return fail("a step of kind \"" + step.kind + "\" is unknown to this version");
  act.kind = static_cast<StepKind>(name - std::begin(kNames));
  const json detail = json::parse(step.detail, nullptr, false);
  Reader reader(detail);
  if (!detail.is_discarded()) visit(reader, act);
  if (detail.is_discarded() || !detail.is_object() || !reader.good()) {
    return fail("the detail of a step of kind \"" + step.kind + "\" cannot be read");
  }
  return act;
}

}  // namespace overlord::jobs
