"""/hotkeys and /bigkeys: what is asked most and what is largest, over all workers."""

import json

import pytest

import harness
from clients import McConn, RedisConn, resp
from harness import wait_until
from metrics_page import Watched, fetch


@pytest.fixture
def watched(io, pool, resources):
    return resources(Watched(harness.redis(pool.backends("redis"), name="rd"),
                             harness.memcache(pool.backends("memcached"), name="mc"),
                             harness.redis(pool.backends("redis"), name="off", watch_keys=False), io=io, workers=2))


def page(proxy, path):
    status, text = fetch(proxy.http, path)
    assert status == 200, text
    return json.loads(text)


def hammer(client, commands, rounds):
    for _ in range(rounds):
        client.pipeline(commands)


def test_the_hottest_keys_of_both_protocols(watched, keys):
    """A third of all requests are for one key, a sixth for another: with MGET as with GET."""
    hot, warm = keys.many(2)
    others = keys.many(200)
    address = watched.clusters[0].address
    with RedisConn(address) as one, RedisConn(address) as two:
        for n in range(60):
            batch = [("GET", hot), ("MGET", hot, warm, others[n % 200])] * 20 + [("GET", k) for k in others[:40]]
            (one if n % 2 else two).pipeline(batch)
    found = page(watched, "/hotkeys?cluster=rd&count=5")
    assert [k["key"] for k in found[:2]] == [hot.decode(), warm.decode()], found
    assert found[0]["cluster"] == "rd" and found[0]["key_bytes"] == len(hot)
    assert found[0]["per_second"] >= found[0]["at_least_per_second"] > 0

    with McConn(watched.clusters[1].address) as mc:
        for _ in range(40):
            mc.send(b"".join(b"get %s\r\n" % hot for _ in range(100)))
            for _ in range(100):
                assert mc.line() == b"END\r\n"
    assert page(watched, "/hotkeys?cluster=mc")[0]["key"] == hot.decode()
    assert {k["cluster"] for k in page(watched, "/hotkeys")} == {"rd", "mc"}


def test_the_biggest_values_however_they_travel(watched, keys):
    """Written whole, written in a stream, read in pieces, read by one command with others."""
    whole, streamed, read, small = keys.many(4)
    sizes = {whole: 50_000, streamed: 700_000, read: 300_000, small: 100}
    with RedisConn(watched.clusters[0].address) as rd:
        for key in (whole, streamed, small):
            rd.ok("SET", key, b"x" * sizes[key])
        rd.ok("SET", read, "")
        for _ in range(30):
            rd.cmd("APPEND", read, b"y" * 10_000)
        assert len(rd.cmd("GET", read)) == 300_000
        found = {k["key"]: k["bytes"] for k in page(watched, "/bigkeys?cluster=rd")}
        assert small.decode() not in found
        for key in (whole, streamed, read):
            assert sizes[key] <= found[key.decode()] <= sizes[key] + 200, found
        # Replaced by something small: what was seen last counts.
        rd.ok("SET", streamed, b"x" * 20_000)
        rd.cmd("GET", streamed)
        rd.cmd("MGET", whole, read)
    with McConn(watched.clusters[1].address) as mc:
        assert mc.set(whole, b"z" * 60_000) == b"STORED\r\n"
        assert len(mc.value(whole)) == 60_000
    first = page(watched, "/bigkeys?cluster=mc")[0]
    assert first["key"] == whole.decode() and 60_000 <= first["bytes"] <= 60_200
    assert first["seen_seconds_ago"] < 600


def test_nothing_is_watched_where_it_is_switched_off(watched, keys):
    key = keys.any()
    with RedisConn(watched.clusters[2].address) as rd:
        rd.ok("SET", key, b"x" * 50_000)
        hammer(rd, [("GET", key)] * 100, 20)
    assert page(watched, "/hotkeys?cluster=off") == []
    assert page(watched, "/bigkeys?cluster=off") == []


def test_a_key_of_any_bytes_is_shown(watched):
    key = b"\xff\x00\n\"" + b"long" * 50
    with RedisConn(watched.clusters[0].address) as rd:
        hammer(rd, [("GET", key)] * 100, 30)
    found = wait_until(lambda: [k for k in page(watched, "/hotkeys?cluster=rd") if k["key_bytes"] == len(key)])
    assert found[0]["key"].startswith("\ufffd\x00\n\"long") and len(found[0]["key"]) <= 80
