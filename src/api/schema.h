#pragma once
// Schemas: the fields of bodies, queries and answers, each told once. Requests are read by them (request_body.h), and the
// OpenAPI document is made of them (openapi.h).

#include <cstdint>
#include <span>
#include <string_view>

namespace overlord::api {

enum class FieldType : uint8_t {
  text,
  integer,
  number,
  boolean,
  texts,     // an array of texts
  text_map,  // an object of texts
  object,    // of `schema`
  objects,   // an array of them
  any,       // answers alone
};

struct Schema;

struct Field {
  std::string_view name;
  FieldType type = FieldType::text;
  std::string_view what{};  // one sentence, for the document
  bool required = false;    // of a body; of an answer: it is always there
  int64_t lowest = 0;       // integers and numbers: the range, both ends included; equal: none
  int64_t highest = 0;
  std::string_view words{};  // texts: one of these, with commas between; empty: any
  const Schema* schema = nullptr;
};

struct Schema {
  std::string_view name;  // "Cluster"
  std::span<const Field> fields;
};

inline constexpr size_t kMaxText = 4096;   // bytes of one text in a body
inline constexpr size_t kMaxItems = 1024;  // of an array or object in a body
inline constexpr size_t kMaxBody = 256 * 1024;

}  // namespace overlord::api
