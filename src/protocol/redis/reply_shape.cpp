#include "protocol/redis/reply_shape.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "protocol/redis/command.h"
#include "protocol/redis/key_positions.h"
#include "protocol/redis/length_line.h"

namespace overlord::redis {
namespace {

// What makes the other shape of a command apply.
enum class Option : uint8_t {
  none,
  keyword,      // the word stands at `from` or behind it
  behind_keys,  // the same, behind the keys, whose number is the argument `from`
  more          // there are more than `from` arguments
};

struct ShapeRow {
  std::string_view name;
  ShapeId shape;
  Option option = Option::none;
  uint8_t from = 0;
  std::string_view word = {};
  ShapeId with_option = ShapeId::plain;
};

#include "protocol/redis/reply_shapes.inc"

constexpr bool by_name(const ShapeRow& a, const ShapeRow& b) { return a.name < b.name; }
static_assert(std::is_sorted(std::begin(kRows), std::end(kRows), by_name));

constexpr size_t kShapeCount = static_cast<size_t>(ShapeId::kCount);

constexpr std::array<Shape, kShapeCount> kShapes = [] {
  std::array<Shape, kShapeCount> made;
  for (size_t i = 0; i < kShapeCount; ++i) made[i] = make_shape(static_cast<ShapeId>(i));
  return made;
}();

const ShapeRow* find_row(std::string_view name) {
  const auto* row = std::lower_bound(std::begin(kRows), std::end(kRows), ShapeRow{name, ShapeId::plain}, by_name);
  return row != std::end(kRows) && row->name == name ? row : nullptr;
}

// The row of each command of the table, so that most requests cost one look.
const ShapeRow* row_of(const Command& command) {
  static const std::vector<const ShapeRow*> rows = [] {
    std::vector<const ShapeRow*> made;
    for (const Command& each : all_commands()) made.push_back(find_row(each.name));
    return made;
  }();
  const std::span<const Command> table = all_commands();
  if (&command >= table.data() && &command < table.data() + table.size()) {
    return rows[static_cast<size_t>(&command - table.data())];
  }
  return find_row(command.name);
}

bool has_option(const ShapeRow& row, const RequestParser& request) {
  if (row.option == Option::more) return request.argc() > row.from;
  RequestArgs args(request);
  uint32_t from = row.from;
  if (row.option == Option::behind_keys) {
    int64_t keys = 0;
    if (args.size() <= from || !parse_number(args.at(from), keys) || keys < 0 || keys >= args.size()) return false;
    from += 1 + static_cast<uint32_t>(keys);
  }
  for (uint32_t i = from; i < args.size(); ++i) {
    if (equals_upper(args.at(i), row.word)) return true;
  }
  return false;
}

}  // namespace

ShapeId reply_shape(const Command& command, const RequestParser& request) {
  const ShapeRow* row = row_of(command);
  if (row == nullptr) [[likely]]
    return ShapeId::plain;
  return row->option != Option::none && has_option(*row, request) ? row->with_option : row->shape;
}

bool shape_needs_arguments(const Command& command) {
  const ShapeRow* row = row_of(command);
  return row != nullptr && row->option != Option::none;
}

const Shape& shape_of(ShapeId id) { return kShapes[static_cast<size_t>(id)]; }

}  // namespace overlord::redis
