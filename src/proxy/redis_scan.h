#pragma once
// SCAN over all nodes, one after the other. The cursor that a client holds names the node and has the node's own
// cursor in it:
//
//   bit  62 ............ 15 | 14 .... 0
//        the node's cursor  | node tag
//
// It is below 2^63, for clients that take it as a signed number, and below 2^53, for those that take it as a double,
// while the node's is below 2^38: redis' own has no more bits than its hash table has, and in a cluster of newer
// servers 14 more for the slot. A larger one than 2^48 is an error.
//
// The tag is made of the backend's name, so that all workers, and all proxies with the same configuration, mean the
// same node by a cursor. Nodes are scanned in the order of their tags. A cursor whose node holds no keys any more goes
// on with the next one: what was there at the beginning and stays on its node is returned, and a scan always ends,
// because the tag only grows. What moves to a node that the scan has passed is missed, as it must be.

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/chunk.h"
#include "protocol/redis/request_parser.h"
#include "proxy/cluster.h"
#include "routing/request.h"

namespace overlord::proxy {

struct ScanCursor {
  static constexpr unsigned kTagBits = 15;
  static constexpr uint64_t kMaxNodeCursor = (uint64_t{1} << 48) - 1;
  static constexpr uint32_t kMaxTag = (1u << kTagBits) - 1;

  uint32_t tag = 0;  // 0: none, so that the cursor 0 means the beginning and the end
  uint64_t node = 0;

  uint64_t packed() const { return node << kTagBits | tag; }
  static ScanCursor unpack(uint64_t value) { return {static_cast<uint32_t>(value & kMaxTag), value >> kTagBits}; }
};

// As the server reads a cursor: what strtoul takes, without blanks in front; nothing is 0. False when it is none.
bool parse_cursor(std::string_view text, uint64_t& value);

// Different tags from 1 up for different names; they do not depend on the order of the names.
std::vector<uint32_t> scan_tags(const std::vector<std::string_view>& names);

// As send_to_nodes and write_merged_answer, for SCAN.
void send_scan(routing::Request& parent, const redis::RequestParser& request, Cluster& cluster);
void write_scan(routing::Request& parent, routing::RequestPool& pool, ChunkQueue& out);

}  // namespace overlord::proxy
