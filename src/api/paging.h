#pragma once
// Lists: {"count": all that match, "items": [a page of them], "next": "where the next page begins, or absent"}.
//
// pn and pc as the Go platform documented them: the number of the page from 1, and its size (1000 unless said). cursor in
// place of pn: what "next" was; nothing is shown twice or left out when the list changes meanwhile. sort: a field of the
// items, with '-' in front from the highest down; "next" is there only in the list's own order.

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "api/call.h"
#include "api/views.h"

namespace overlord::api {

inline constexpr Field kPagingFields[] = {
    {.name = "pn",
     .type = FieldType::integer,
     .what = "Number of the page, from 1.",
     .lowest = 1,
     .highest = 1'000'000},
    {.name = "pc",
     .type = FieldType::integer,
     .what = "Items on a page; 1000 unless said.",
     .lowest = 1,
     .highest = 1000},
    {.name = "cursor", .what = "What \"next\" of the page before was."},
    {.name = "sort", .what = "A field of the items; with '-' in front from the highest down."},
};

// key: the field of the items that orders the list and that no two of them share.
Result<http::Response> list_response(const Call& call, std::vector<Json> items, std::string_view key);

// Whether a query parameter was not given, or equals the value.
bool asked_for(const Call& call, std::string_view parameter, std::string_view value);
// The query against the route's table: unknown parameters and wrong numbers, all at once.
Result<void> check_query(const Call& call);

}  // namespace overlord::api
