"""The slow log: SLOWLOG, /slowlog and the file, with the stages of each slow request."""

import json
import time

import pytest

import harness
from clients import McConn, RedisConn, resp
from harness import SCALE, wait_until
from metrics_page import Watched, fetch

SLOW = 30_000  # us


@pytest.fixture
def slow_file(tmp_path):
    return tmp_path / "slow.log"


@pytest.fixture
def start(io, resources):
    """A proxy before one server of its own that may be stopped."""

    def made(kind, flags=(), **keys):
        server = resources((harness.Redis if kind == "redis" else harness.Memcached)())
        cluster = getattr(harness, "redis" if kind == "redis" else "memcache")(
            [server], name="main", **{"slowlog_slower_than": SLOW, "node_connections": 1, **keys})
        return server, resources(Watched(cluster, io=io, flags=flags))

    return made


def slowly(server, client, requests, seconds=3 * SLOW / 1e6):
    """Sends what takes at least this long to be answered: a stopped server answers nothing."""
    server.freeze()
    client.send(requests)
    time.sleep(seconds)
    server.thaw()


def entries(proxy, query=""):
    status, text = fetch(proxy.http, "/slowlog" + query)
    assert status == 200, text
    return json.loads(text)


def entry_of(proxy, key):
    """The only slow request of this key, once it is there."""
    found = wait_until(lambda: [e for e in entries(proxy) if e.get("key") == key], what=f"{key} in the slow log")
    assert len(found) == 1, found
    return found[0]


def check_stages(entry):
    parts = [entry[f"{stage}_us"] for stage in ("wait", "queue", "backend", "write")]
    assert abs(sum(parts) - entry["total_us"]) <= 4, entry
    assert entry["total_us"] > SLOW


def test_a_slow_request_is_told_everywhere(start, slow_file):
    server, proxy = start("redis", ["-slowlog", str(slow_file)])
    with RedisConn(proxy.address) as client:
        client.ok("SET", "quick", "x")
        slowly(server, client, resp("GET", "slow:key"))
        assert client.reply() is None
        entry = entry_of(proxy, "slow:key")
        check_stages(entry)
        assert entry["cmd"] == "get" and entry["cluster"] == "main" and entry["parts"] == 1
        assert entry["client"] == "%s:%d" % client.sock.getsockname()[:2]
        assert entry["node"].endswith("%s:%d)" % server.address) or entry["node"] == "%s:%d" % server.address
        assert entry["backend_us"] > SLOW / 2 and "error" not in entry
        told = [e for e in client.cmd("SLOWLOG", "GET", -1) if e[3] == [b"get", b"slow:key"]]
        assert len(told) == 1
        assert told[0][0] == entry["number"] and told[0][2] == entry["total_us"]
        assert client.cmd("SLOWLOG", "LEN") >= 1
        client.ok("SLOWLOG", "RESET")
        assert client.cmd("SLOWLOG", "LEN") == 0 and client.cmd("SLOWLOG", "GET") == []
        assert entries(proxy) == []
    lines = [json.loads(line) for line in slow_file.read_text().splitlines()]
    assert entry in lines


def test_behind_another_request_is_queue_and_behind_an_earlier_answer_is_write(start):
    """Two clients wait for one connection: the backend has the second request only when the first is answered."""
    server, proxy = start("redis")
    with RedisConn(proxy.address) as first:
        first.ok("SET", "warm", "x")
        slowly(server, first, resp("GET", "one") + resp("GET", "two"))
        assert first.reply() is None and first.reply() is None
    one, two = entry_of(proxy, "one"), entry_of(proxy, "two")
    check_stages(one)
    check_stages(two)
    assert one["backend_us"] > SLOW / 2
    assert two["queue_us"] + two["backend_us"] > SLOW / 2


def test_memcache_and_commands_of_several_keys(start):
    server, proxy = start("memcache")
    with McConn(proxy.address) as client:
        assert client.set(b"a", b"1") == b"STORED\r\n"
        slowly(server, client, b"get a b c\r\n")
        assert client.line() == b"VALUE a 0 1\r\n"
        found = wait_until(lambda: [e for e in entries(proxy) if e["cmd"] == "get" and e["parts"] == 3])
        check_stages(found[0])
        assert found[0]["key"] in ("a", "b", "c")


def test_a_request_that_failed_says_why(start):
    server, proxy = start("redis", read_timeout=int(100 * SCALE))
    with RedisConn(proxy.address) as client:
        client.ok("SET", "warm", "x")
        server.freeze()
        answer = client.cmd("GET", "lost")
        assert "timed out" in str(answer)
        server.thaw()
    entry = entry_of(proxy, "lost")
    check_stages(entry)
    assert entry["error"] == "timed_out"


def test_keys_can_be_hidden(start, slow_file):
    server, proxy = start("redis", ["-slowlog", str(slow_file)], slowlog_hash_keys=True)
    with RedisConn(proxy.address) as client:
        client.ok("SET", "warm", "x")
        slowly(server, client, resp("GET", "secret:1") + resp("GET", "secret:2") + resp("GET", "secret:1"))
        for _ in range(3):
            assert client.reply() is None
    found = wait_until(lambda: (lambda e: e if len(e) >= 3 else None)([e for e in entries(proxy) if e["cmd"] == "get"]))
    assert all("key" not in e and len(e["key_hash"]) == 16 and e["key_bytes"] == 8 for e in found)
    assert len({e["key_hash"] for e in found}) == 2
    assert "secret" not in slow_file.read_text()


def test_nothing_is_slow_without_a_threshold(start):
    server, proxy = start("redis", slowlog_slower_than=0)
    with RedisConn(proxy.address) as client:
        slowly(server, client, resp("GET", "x"))
        assert client.reply() is None
        # What waits at a node by its nature is never slow either.
        assert client.cmd("SLOWLOG", "LEN") == 0
    assert entries(proxy) == []


def test_waiting_is_not_slow(start):
    _, proxy = start("redis")
    with RedisConn(proxy.address) as client:
        assert client.cmd("BLPOP", "nothing", "0.1") is None
        assert all(e[3][0] != b"blpop" for e in client.cmd("SLOWLOG", "GET", -1))


def test_the_page_wants_good_parameters(start):
    _, proxy = start("redis")
    for query in ("?count=0", "?count=x", "?count=1025", "?count=-1"):
        status, text = fetch(proxy.http, "/slowlog" + query)
        assert status == 400 and "count" in text
    status, text = fetch(proxy.http, "/slowlog?cluster=none")
    assert status == 404 and "none" in text


def test_the_file_is_moved_aside(start, slow_file):
    """By size, keeping so many; every line whole."""
    server, proxy = start("redis", ["-slowlog", str(slow_file), "-slower-max-bytes", "4000", "-slower-backup-count", "2"])
    with RedisConn(proxy.address) as client:
        client.ok("SET", "warm", "x")
        slowly(server, client, b"".join(resp("GET", f"key:{n}") for n in range(60)))
        for _ in range(60):
            assert client.reply() is None
    wait_until(lambda: slow_file.with_name("slow.log.1").exists(), what="a rotated file")
    proxy.stop()
    files = sorted(slow_file.parent.glob("slow.log*"))
    assert [f.name for f in files] == ["slow.log", "slow.log.1", "slow.log.2"]
    for file in files:
        assert file.stat().st_size <= 4000
        for line in file.read_text().splitlines():
            assert json.loads(line)["cluster"] == "main"


def test_a_file_that_cannot_be_opened_is_an_error_at_start(tmp_path):
    path = tmp_path / "cluster.toml"
    path.write_text(harness.redis(["127.0.0.1:1:1"], listen=str(tmp_path / "proxy.sock")).toml())
    done = harness.run_proxy("-cluster", str(path), "-slowlog", "/nonexistent/slow.log")
    assert done.returncode == 1
    assert "-slowlog" in done.stderr and "/nonexistent/slow.log" in done.stderr
