"""The same generated calls to the proxy and straight to a server: the replies are the same bytes."""

import os
import pathlib
import re

import pytest

import harness
from clients import RedisConn, resp
from redis_differences import excused, not_compared
from redis_grammar import Grammar

TABLE = (pathlib.Path(__file__).parents[2] / "src/protocol/redis/commands.inc").read_text()
REFUSED = set(re.findall(r'\{"([^"]+)", -?\d+, Treatment::refused', TABLE))
CALLS = int(os.environ.get("OVERLORD_CALLS", "8000"))
SEED = int(os.environ.get("OVERLORD_SEED", "1"))
BATCH = 50

PREPARED = [
    "SET {k}string value", "SET {k}number 10", "RPUSH {k}list 1 2 3 a b", "SADD {k}set 1 2 3 17", "HSET {k}hash a 1 b 2",
    "ZADD {k}zset 1 a 2 b 3 17", "XADD {k}stream 1-1 a 1", "XADD {k}stream 2-0 b 2", "XGROUP CREATE {k}stream a 0",
    "GEOADD {k}geo 13.361389 38.115556 a 15.087269 37.502669 b",
]

# Made of a hash table, or of a set, whose order differs from server to server.
UNORDERED = {"smembers", "sunion", "sinter", "sdiff", "hgetall", "hkeys", "hvals", "sort", "sort_ro"}


def elements(reply):
    """The lines of a reply, in any order."""
    return sorted(reply.split(b"\r\n"))


def same(name, mine, theirs):
    if mine == theirs:
        return True
    if name in UNORDERED and elements(mine) == elements(theirs):
        return True
    # Times that have gone on between the two servers.
    if name in ("ttl", "expiretime", "getex") and mine[:1] == theirs[:1] == b":":
        return abs(int(mine[1:]) - int(theirs[1:])) <= 2
    return False


@pytest.mark.parametrize("protocol", ["2", "3"])
@pytest.mark.parametrize("backends", [1, 3])
def test_random_calls_answer_alike(resources, io, protocol, backends):
    server = resources(harness.Redis())
    behind = [resources(harness.Redis()) for _ in range(backends)]
    with harness.Proxy(harness.redis(behind), io=io) as proxy, RedisConn(proxy.address) as mine, \
            RedisConn(server.address) as theirs:
        grammar = Grammar(theirs.cmd("COMMAND", "DOCS"), SEED * 10 + backends)
        names = sorted(set(grammar.commands) - REFUSED - not_compared())
        names = [n for n in names if f'"{n}"' in TABLE]
        assert len(names) > 100
        for client in (mine, theirs):
            client.cmd_raw("HELLO", protocol)
            assert not any(r.startswith("ERR") for r in client.pipeline([p.split() for p in PREPARED])
                           if isinstance(r, str))
        wrong, asked, compared = [], 0, 0
        fresh = 0  # batches since both had the same data by force: types go astray with time
        for _ in range(CALLS // BATCH // (4 if harness.SANITIZER else 1)):
            if fresh == 0:
                for one in (server, *behind):
                    with RedisConn(one.address) as direct:
                        direct.ok("FLUSHALL")
                mine.pipeline([p.split() for p in PREPARED])
                theirs.pipeline([p.split() for p in PREPARED])
                fresh = 20
            calls = [(name, grammar.call(name)) for name in grammar.random.choices(names, k=BATCH)]
            # An id of the server's clock cannot be the same.
            calls = [(name, words) for name, words in calls if name != "xadd" or "*" not in words]
            data = b"".join(resp(*(w.encode("latin-1") for w in words)) for _, words in calls)
            mine.send(data)
            theirs.send(data)
            fresh -= 1
            asked += len(calls)
            for name, words in calls:
                a, b = mine.raw(), theirs.raw()
                if fresh == 0:
                    continue
                compared += 1
                if same(name, a, b):
                    continue
                fresh = 0  # what one has done and the other has not shows in all that follows
                if not excused(name, a):
                    wrong.append(f"{' '.join(words)!r}\n    proxy  {a[:200]!r}\n    server {b[:200]!r}")
        assert not wrong, f"seed {SEED}:\n" + "\n".join(wrong)
        assert compared > asked // 2, f"only {compared} of {asked} replies were compared"


def test_every_exception_names_commands_that_exist():
    known = set(re.findall(r'\{"([^"]+)", -?\d+, Treatment::', TABLE))
    assert not_compared() <= known | {"client|setinfo"}, not_compared() - known
