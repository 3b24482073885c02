#pragma once
// Compat: whose placement a cluster keeps. It switches every difference between the two proxies
// at once, so that a cluster that moves here keeps its keys where they are:
//
//                          overlord (Go)              twemproxy (x86-64, 0.5.0)
//   hash tag with nothing  the empty text is hashed    the whole key is hashed
//   bytes above 127        unsigned                    sign-extended by fnv*, one_at_a_time and
//                                                      one tail case of hsieh
//   no alias, port 11211   "host:11211" on the ring    "host" on the ring
//   points of a node       double precision            single precision
//   text of a ring point   first 64 bytes              first 272 bytes
//   order of servers       as written                sorted: shorter names first, then by bytes
//   one server             a ring as usual             no hashing; the same answer either way

#include <cstdint>

namespace overlord::hashing {

enum class Compat : std::uint8_t { overlord, twemproxy };

}  // namespace overlord::hashing
