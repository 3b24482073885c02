"""Big values pass with bounded memory of the proxy and without holding up others."""

import hashlib
import random
import threading
import time

import pytest

import harness
from clients import McConn, RedisConn, resp
from harness import MEMORY, SANITIZER, SCALE, wait_until
from ring import Keys

MIB = 1 << 20
BOUND = 64 * MIB

BLOCK = random.Random(7).randbytes(MIB)


def stream(client, size, digest, pause=None):
    """Sends size bytes of a repeating block that differs a little each time."""
    sent = 0
    n = 0
    while sent < size:
        piece = (n.to_bytes(8, "big") + BLOCK[8:])[:min(MIB, size - sent)]
        client.send(piece)
        digest.update(piece)
        sent += len(piece)
        n += 1
        if pause:
            pause.wait(0.005)


def redis_set(client, key, size):
    digest = hashlib.blake2b()
    client.send(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n" % (len(key), key, size))
    stream(client, size, digest)
    client.send(b"\r\n")
    assert client.reply() == "OK"
    return digest.hexdigest()


def redis_get(client, key, size):
    digest = hashlib.blake2b()
    client.send(resp("GET", key))
    assert client.line() == b"$%d\r\n" % size
    client.skip(size, digest=digest)
    assert client.exact(2) == b"\r\n"
    return digest.hexdigest()


@pytest.fixture
def own(io, resources):
    """A proxy and servers of its own, so that memory can be judged: (proxy, redis servers)."""
    servers = [resources(harness.Redis()) for _ in range(2)]
    with harness.Proxy(harness.redis(servers, read_timeout=60000, write_timeout=60000, node_connections=2), io=io) as proxy:
        yield proxy


SIZES = [1, 5, 32, 128] + ([] if SANITIZER else [512])


@pytest.mark.parametrize("mib", SIZES)
def test_redis_value(own, keys, mib):
    """SET and GET of one big value; the proxy stays within 64 MiB of where it was."""
    size = mib * MIB
    with RedisConn(own.address, timeout=60) as client:
        client.ok("SET", "warm", b"x" * MIB)
        client.cmd("GET", "warm")
        before = own.rss()
        own.reset_peak_rss()
        wrote = redis_set(client, b"big", size)
        assert redis_get(client, b"big", size) == wrote
        client.send(resp("PING") + resp("STRLEN", "big") + resp("DEL", "big"))
        assert [client.reply() for _ in range(3)] == ["PONG", size, 1]
        assert own.peak_rss() - before < BOUND * MEMORY


def test_value_over_the_limit_is_refused(own):
    with RedisConn(own.address) as client:
        client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % (512 * MIB + 1))
        assert client.reply().startswith("ERR Protocol error: invalid bulk length")
        assert client.rest() == b""


def test_slow_reader_of_a_big_value(own, keys):
    """One client does not read its 100 MiB: the proxy keeps little of it, others on the same backend go on."""
    size = 100 * MIB
    with RedisConn(own.address, timeout=60) as writer, RedisConn(own.address, timeout=60, rcvbuf=65536) as slow, \
            RedisConn(own.address) as other:
        wrote = redis_set(writer, b"big", size)
        before = own.rss()
        own.reset_peak_rss()
        slow.send(resp("GET", "big"))
        assert slow.line() == b"$%d\r\n" % size
        slowest = 0
        for n in range(50):
            began = time.monotonic()
            other.ok("SET", b"small", n)
            assert other.cmd("MGET", "small", "x") == [b"%d" % n, None]
            assert other.cmd("STRLEN", "big") == size
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 5 * SCALE
        assert own.peak_rss() - before < BOUND * MEMORY
        digest = hashlib.blake2b()
        slow.skip(size, digest=digest)
        assert slow.exact(2) == b"\r\n"
        assert digest.hexdigest() == wrote
        assert slow.cmd("PING") == "PONG"


def test_slow_writer_of_a_big_value(own, keys):
    """One client stops in the middle of a big SET: others on the same backend go on."""
    size = 64 * MIB
    with RedisConn(own.address, timeout=60) as slow, RedisConn(own.address) as other:
        before = own.rss()
        digest = hashlib.blake2b()
        slow.send(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n" % size)
        stream(slow, size // 2, digest)
        for n in range(50):
            other.ok("SET", b"small", n)
            assert other.cmd("MGET", "small", "x") == [b"%d" % n, None]
            assert other.cmd("EXISTS", "big") == 0
        stream(slow, size // 2, digest)
        slow.send(b"\r\n")
        assert slow.reply() == "OK"
        assert redis_get(other, b"big", size) == digest.hexdigest()
        assert own.rss() - before < BOUND * MEMORY


def test_a_client_leaves_in_the_middle(own, keys):
    """Big values cut off while being written or read: the next ones are whole, memory comes back."""
    with RedisConn(own.address, timeout=60) as steady:
        wrote = redis_set(steady, b"whole", 20 * MIB)
        before = own.rss()
        for turn in range(6):
            with RedisConn(own.address) as client:
                client.send(b"*3\r\n$3\r\nSET\r\n$3\r\ncut\r\n$%d\r\n" % (50 * MIB))
                stream(client, (turn + 1) * MIB, hashlib.blake2b())
                if turn % 2:
                    client.reset()
            client = RedisConn(own.address)
            client.send(resp("GET", "whole"))
            client.skip(turn * MIB)
            (client.reset if turn % 2 else client.close)()
            assert steady.cmd("EXISTS", "cut") == 0
            assert redis_get(steady, b"whole", 20 * MIB) == wrote
        wait_until(lambda: own.rss() - before < BOUND, 10, "memory to come back")


def test_many_big_values_at_once(own, keys):
    """20 clients move 10 MiB each, at the same time, half of them slowly."""
    before = own.rss()
    own.reset_peak_rss()
    failures = []

    def one(n):
        try:
            with RedisConn(own.address, timeout=60) as client:
                key = b"many-%d" % n
                wrote = redis_set(client, key, 10 * MIB)
                for _ in range(2):
                    if redis_get(client, key, 10 * MIB) != wrote:
                        failures.append(key)
        except BaseException as failure:  # noqa: BLE001 - judged below
            failures.append(repr(failure))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures
    assert own.peak_rss() - before < 2 * BOUND * MEMORY


def test_big_values_inside_split_commands(own):
    """MSET and MGET with values of several MiB over both nodes."""
    names = Keys(2).spread(3)
    values = {k: k * (MIB // 16 * (n + 1)) for n, k in enumerate(names)}
    with RedisConn(own.address, timeout=60) as client:
        client.ok("MSET", *[x for k in names for x in (k, values[k])])
        assert client.cmd("MGET", *names) == [values[k] for k in names]
        assert client.cmd("MGET", *names[::-1]) == [values[k] for k in names[::-1]]
        got = client.pipeline([("GET", names[0]), ("MGET", *names[:2]), ("PING",)])
        assert got == [values[names[0]], [values[k] for k in names[:2]], "PONG"]


@pytest.mark.parametrize("driver", ["slow", "fast"])
def test_pipelined_big_gets(own, driver):
    """30 pipelined GETs of 8 MiB: memory is bounded although 240 MiB are on their way."""
    with RedisConn(own.address, timeout=60) as writer, RedisConn(own.address, timeout=60, rcvbuf=65536) as client:
        wrote = redis_set(writer, b"eight", 8 * MIB)
        before = own.rss()
        own.reset_peak_rss()
        client.send(resp("GET", "eight") * 30 + resp("PING"))
        if driver == "slow":
            for n in range(30):
                assert writer.cmd("STRLEN", "eight") == 8 * MIB
        for _ in range(30):
            digest = hashlib.blake2b()
            assert client.line() == b"$%d\r\n" % (8 * MIB)
            client.skip(8 * MIB, digest=digest)
            assert client.exact(2) == b"\r\n"
            assert digest.hexdigest() == wrote
        assert client.reply() == "PONG"
        assert own.peak_rss() - before < BOUND * MEMORY


# --- memcache -------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_mc(io, resources):
    servers = [resources(harness.Memcached(options=["-I", "8m"])) for _ in range(2)]
    with harness.Proxy(harness.memcache(servers, read_timeout=60000, write_timeout=60000, node_connections=2), io=io) as proxy:
        yield proxy


@pytest.mark.parametrize("size", [MIB - 1000, MIB, 2 * MIB, 8 * MIB - 2048])
def test_memcache_item(own_mc, size):
    with McConn(own_mc.address, timeout=60) as client:
        value = (BLOCK * 8)[:size]
        for key in (b"a", b"b", b"c"):
            assert client.set(key, value) == b"STORED\r\n"
        assert client.get("a", "x", "b", "c", "a") == [(k, 0, value, None) for k in (b"a", b"b", b"c", b"a")]
        assert client.ask(b"append a 0 0 1\r\nx\r\n") == b"STORED\r\n"
        assert client.value("a") == value + b"x"


def test_memcache_item_too_large(own_mc, resources):
    """memcached's own words come back; the connection stays in step for everybody."""
    server = resources(harness.Memcached(options=["-I", "8m"]))
    value = (BLOCK * 12)[:12 * MIB]
    with McConn(own_mc.address, timeout=60) as client, McConn(own_mc.address) as other, McConn(server.address) as direct:
        want = direct.set("k", value)
        other.set("small", b"v")
        for _ in range(3):
            assert client.set("k", value) == want
            assert client.value("small") == other.value("small") == b"v"
            assert client.value("k") is None


def test_memcache_slow_reader(own_mc):
    with McConn(own_mc.address, timeout=60) as writer, McConn(own_mc.address, timeout=60, rcvbuf=65536) as slow:
        value = (BLOCK * 4)[:4 * MIB]
        assert writer.set("k", value) == b"STORED\r\n"
        before = own_mc.rss()
        own_mc.reset_peak_rss()
        slow.send(b"get k\r\n" * 25)
        assert slow.exact(7) == b"VALUE k"
        for n in range(50):
            assert writer.set("small", b"%d" % n) == b"STORED\r\n"
            assert writer.value("small") == b"%d" % n
        assert slow.exact(len(b" 0 4194304\r\n")) == b" 0 4194304\r\n"
        assert slow.exact(4 * MIB + 7) == value + b"\r\nEND\r\n"
        for _ in range(24):
            assert slow.items() == [(b"k", 0, value, None)]
        assert own_mc.peak_rss() - before < BOUND * MEMORY
