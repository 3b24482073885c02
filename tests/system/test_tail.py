"""Requests live: /tail and `overlord ctl tail`, their filters, their bounds, and that nobody waits for who reads them."""

import contextlib
import http.client
import json
import socket
import subprocess
import time

import pytest

import harness
from clients import McConn, RedisConn
from harness import SCALE, wait_until
from metrics_page import Watched, fetch


class Tail:
    """One stream; next() is its next line."""

    def __init__(self, proxy, query="", patient=True):
        """patient: until there is room for one more."""
        wait_until(lambda: self.begin(proxy, query) != 503 or not patient, what="room for a tail")

    def begin(self, proxy, query):
        self.connection = http.client.HTTPConnection(*proxy.http, timeout=20 * SCALE)
        self.connection.request("GET", "/tail" + query)
        self.answer = self.connection.getresponse()
        self.status = self.answer.status
        return self.status

    def next(self):
        """An entry, or None at the end."""
        while True:
            line = self.answer.readline()
            if not line.endswith(b"\n"):
                return None
            if line != b"\n":
                return json.loads(line)

    def many(self, count):
        return [self.next() for _ in range(count)]

    def close(self):
        self.answer.close()
        self.connection.close()

    stop = close


@pytest.fixture
def watched(io, pool, resources):
    return resources(Watched(harness.redis(pool.backends("redis"), name="rd"),
                             harness.memcache(pool.backends("memcached"), name="mc"), io=io, workers=2))


def test_what_is_answered_is_shown(watched, resources, keys):
    tail = resources(Tail(watched))
    assert tail.status == 200 and tail.answer.headers["Content-Type"] == "application/x-ndjson"
    key = keys.any()
    with RedisConn(watched.clusters[0].address) as rd:
        rd.ok("SET", key, "a-secret-value")
        seen = tail.next()
        assert (seen["cluster"], seen["cmd"], seen["key"], seen["parts"]) == ("rd", "set", key.decode(), 1)
        assert seen["client"] == "%s:%d" % rd.sock.getsockname()[:2]
        assert seen["node"] in {f"n{n} ({s.split(':1 ')[0]})" for n, s in enumerate(watched.clusters[0].keys["servers"])}
        assert seen["total_us"] >= seen["backend_us"] and "error" not in seen and "number" not in seen
        rd.cmd("NONSENSE", "x")
        assert [(e["cmd"], e["error"], e["node"]) for e in tail.many(1)] == [("other", "error_reply", "")]
    with McConn(watched.clusters[1].address) as mc:
        assert mc.set(key, b"a-secret-value") == b"STORED\r\n"
        mc.send(b"get %s none-1 none-2\r\n" % key)
        while mc.line() != b"END\r\n":
            pass
        stored, got = tail.many(2)
    assert (stored["cluster"], stored["cmd"], stored["key"]) == ("mc", "set", key.decode())
    assert (got["cmd"], got["parts"]) == ("get", 3)
    assert "secret" not in json.dumps([seen, stored, got])


def test_filters(watched, resources):
    with RedisConn(watched.clusters[0].address) as rd, RedisConn(watched.clusters[0].address) as other, \
            McConn(watched.clusters[1].address) as mc:
        rd.ok("SET", "tail:text", "x")
        me = "%s:%d" % rd.sock.getsockname()[:2]
        node = json.loads(watched.page("/explain?cluster=rd&key=tail:text"))["backend"]["node"]
        wanted = {
            "?cluster=mc": [("get", "tail:text")],
            "?cmd=GET": [("get", "tail:text"), ("get", "tail:text"), ("get", "tail:other"), ("get", "tail:text")],
            "?cmd=mg*": [("mget", "tail:other")],
            "?key=tail:te": [("get", "tail:text"), ("get", "tail:text"), ("lpush", "tail:text"), ("mget", "tail:text"),
                             ("get", "tail:text")],
            "?key=*:o*r&cluster=rd": [("get", "tail:other"), ("mget", "tail:other")],
            f"?client={me}&cmd=get": [("get", "tail:text"), ("get", "tail:other")],
            f"?client=127.0.0.1&backend={node}&key=tail:text&cmd=get": [("get", "tail:text"), ("get", "tail:text")],
            "?errors=1": [("lpush", "tail:text")],
            "?slower_than=999999999": [],
            "?cmd=get&sample=2": None,
        }
        # As many at a time as there may be.
        for some in range(0, len(wanted), 4):
            tails = {query: resources(Tail(watched, query)) for query in list(wanted)[some:some + 4]}
            assert rd.cmd("GET", "tail:text") == b"x"
            assert other.cmd("GET", "tail:text") == b"x"
            rd.cmd("GET", "tail:other")
            assert "WRONGTYPE" in str(rd.cmd("LPUSH", "tail:text", "y"))
            rd.cmd("MGET", "tail:other", "tail:text")
            assert mc.value(b"tail:text") is None
            rd.cmd("PING")
            for query, tail in tails.items():
                entries = wanted[query]
                if entries is None:
                    continue
                # Workers are drained one after the other: order is kept within one.
                shown = tail.many(len(entries))
                if query.startswith("?key=*"):
                    assert shown[1]["key"] == "tail:other" and shown[1]["parts"] >= 1
                elif "mget" in dict(entries):
                    for entry in shown:
                        entry["key"] = dict(entries)[entry["cmd"]] if entry["cmd"] == "mget" else entry["key"]
                assert sorted((e["cmd"], e["key"]) for e in shown) == sorted(entries), query
            for tail in tails.values():
                tail.close()


def test_sample_and_limit(watched, resources):
    with RedisConn(watched.clusters[0].address) as rd:
        tail = resources(Tail(watched, "?cmd=get&sample=10&limit=7"))
        for n in range(100):
            rd.cmd("GET", f"key-{n}")
        assert [e["key"] for e in tail.many(7)] == [f"key-{n}" for n in range(9, 70, 10)]
        assert tail.next() is None


def test_who_reads_slowly_keeps_nobody_waiting(watched, resources):
    """All requests are answered; what was not shown is counted to the last."""
    tail = resources(Tail(watched, "?cmd=get"))
    count = 30_000
    with RedisConn(watched.clusters[0].address) as rd:
        for at in range(0, count, 1000):
            rd.pipeline([("GET", f"key-{n:07}-" + "x" * 40) for n in range(at, at + 1000)])
        rd.cmd("PING")
    shown = dropped = 0
    while shown + dropped < count:
        entry = tail.next()
        dropped += entry.get("dropped", 0)
        shown += "cmd" in entry
    assert shown + dropped == count and dropped > 0 and shown >= 1024


def test_hidden_keys_stay_hidden(io, resources):
    server = resources(harness.Redis())
    proxy = resources(Watched(harness.redis([server], name="h", slowlog_hash_keys=True), io=io))
    tail = resources(Tail(proxy))
    by_text = resources(Tail(proxy, "?key=hidden"))
    with RedisConn(proxy.address) as client:
        for key in ("hidden:1", "hidden:2", "hidden:1"):
            client.cmd("GET", key)
        entries = tail.many(3)
        assert all("key" not in e and e["key_bytes"] == 8 for e in entries)
        first, second, third = (e["key_hash"] for e in entries)
        assert first == third != second
        by_number = resources(Tail(proxy, f"?key={second}&limit=1"))
        client.cmd("GET", "hidden:1")
        client.cmd("GET", "hidden:2")
        assert by_number.next()["key_hash"] == second and by_number.next() is None
    proxy.stop()
    assert by_text.next() is None  # a text finds no number


def test_how_many_there_may_be(watched, resources):
    tails = [resources(Tail(watched, "?cmd=nothing")) for _ in range(4)]
    assert [tail.status for tail in tails] == [200] * 4
    status, text = fetch(watched.http, "/tail")
    assert status == 503 and "4" in text
    tails.pop().close()
    tail = resources(Tail(watched))
    with RedisConn(watched.clusters[0].address) as rd:
        rd.cmd("PING")
    assert tail.next()["cmd"] == "ping"


def test_wrong_parameters(watched):
    for query in ("colour=red", "sample=0", "limit=x", "errors=yes", "slower_than=-1", "key=" + "k" * 300):
        status, text = fetch(watched.http, "/tail?" + query)
        assert status == 400 and query.split("=")[0] in text
    assert fetch(watched.http, "/tail?cluster=none")[0] == 404
    assert fetch(watched.http, "/tail", "POST")[0] == 405
    assert fetch(watched.http, "/tail", "HEAD") == (200, "")
    for _ in range(4):  # none of these has kept a place
        assert Tail(watched, "?cmd=nothing").status == 200


def test_other_pages_and_the_end_do_not_wait(watched, resources):
    with socket.create_connection(watched.http, timeout=20 * SCALE) as reader, reader.makefile("rb") as lines:
        reader.sendall(b"GET /tail HTTP/1.1\r\nHost: h\r\n\r\n")
        while lines.readline() != b"\r\n":
            pass
        reader.sendall(b"x" * 10_000)  # nobody reads this
        assert watched.page("/healthz") == "ok\n"
        with RedisConn(watched.clusters[0].address) as rd:
            rd.cmd("PING")
            assert int(lines.readline(), 16) > 100 and json.loads(lines.readline())["cmd"] == "ping"
        watched.stop()
        with contextlib.suppress(ConnectionResetError):  # for what it did not read
            assert b"cmd" not in lines.read()


def test_ctl(watched):
    process = subprocess.Popen([harness.BIN_DIR / "overlord", "ctl", "--admin", "%s:%d" % watched.http, "tail",
                                "--cmd", "get", "--key", "k*", "-n", "3"], stdout=subprocess.PIPE, text=True)
    try:
        with RedisConn(watched.clusters[0].address) as rd:
            # It has begun when something is shown.
            deadline = time.monotonic() + 20 * SCALE
            while process.poll() is None and time.monotonic() < deadline:
                rd.cmd("GET", "key-1")
                rd.cmd("GET", "other")
                time.sleep(0.02)
        lines = process.communicate(timeout=20 * SCALE)[0].splitlines()
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert lines[0].split() == ["TIME", "CLUSTER", "CLIENT", "NODE", "US", "CMD", "KEY", "ERROR"]
    assert len(lines) == 4 and all(line.split()[1] == "rd" and line.split()[6:] == ["get", "key-1"] for line in lines[1:])
    wrong = subprocess.run([harness.BIN_DIR / "overlord", "ctl", "--admin", "%s:%d" % watched.http, "tail", "--cluster",
                            "none"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 1 and "'none'" in wrong.stderr
