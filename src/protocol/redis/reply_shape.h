#pragma once
// The form of a command's reply in RESP3, where redis-server 7.0 answers in other types than in RESP2. A shape says
// what becomes of a RESP2 reply: which array is a map or a set, which string a double. The table (reply_shapes.inc) was
// measured on a live server; a system test compares it with one for every command and option.
//
// A request has its shape from when it is parsed (reply_shape); what converts the bytes is in resp3.h.

#include <cstdint>
#include <span>
#include <string_view>

namespace overlord::redis {

struct Command;
class RequestParser;

// `resp2`: the reply is passed on as it is. `plain`: only nulls differ. Both are known by their place.
enum class ShapeId : uint8_t {
  resp2,
  plain,
  number,       // a double
  text,         // a verbatim string
  list_number,  // [double]
  set,
  map,
  map_deep,   // all arrays inside are maps too
  key_flags,  // [key, set]
  list_key_flags,
  pair_score,    // [member, double]
  pairs_scores,  // member, double, ... becomes [[member, double], ...]
  pairs,
  key_scores,   // [key, member, double]
  popped,       // [key, [[member, double], ...]]
  list_scores,  // [[member, double], ...]
  streams,      // [[key, entries], ...] becomes a map
  positions,    // [[double, double], null, ...]
  geo_items,    // [[member, ..., [double, double]], ...]
  geo_item,
  list_map,
  push,
  // maps of which some values have a form of their own
  stream_info,
  stream_group,
  list_stream_group,
  numbers,  // MEMORY STATS: strings are doubles, arrays maps
  library,
  list_library,
  function,
  list_function,
  function_stats,
  tracking,
  acl_user,
  acl_log,
  list_acl_log,
  hello,
  docs,
  doc,
  doc_argument,
  list_doc_argument,
  command_info,
  list_command_info,
  subcommands,
  key_spec,
  set_key_spec,
  key_part,
  shard,
  list_shard,
  slots,
  slot_range,
  slot_node,
  kCount
};

// The shape of the reply to a complete request of this command, for a client that speaks RESP3.
ShapeId reply_shape(const Command& command, const RequestParser& request);
// The shape may depend on arguments: it is known only when the request is whole.
bool shape_needs_arguments(const Command& command);
// For a pushed message (pub/sub) that a RESP2 connection received as an array.
inline constexpr ShapeId kPushShape = ShapeId::push;

// What follows is for the converter.

enum class ScalarForm : uint8_t { plain, number, text };
enum class ArrayForm : uint8_t {
  plain,
  list,
  set,
  push,
  map,      // values by key where `fields` names it, else `value`
  pairs,    // k v k v: a list of pairs
  pair_map  // [[k, v], ...]: a map
};

struct ShapeField {
  std::string_view key;
  ShapeId shape;
};

struct Shape {
  ScalarForm scalar = ScalarForm::plain;
  ArrayForm array = ArrayForm::plain;
  ShapeId value = ShapeId::plain;           // of the elements, the values of a map, the seconds of pairs
  std::span<const ShapeId> places = {};     // list: elements by place; behind the last: `value`
  std::span<const ShapeField> fields = {};  // map
  bool empty_is_set = false;                // list: without elements it is a set
};

const Shape& shape_of(ShapeId id);

}  // namespace overlord::redis
