"""Bytes and connections that mean harm: the proxy goes on, and its memory comes back."""

import os
import resource
import socket
import struct
import threading

import pytest

import harness
from clients import Conn, McConn, RedisConn, resp
from harness import MEMORY, SANITIZER, SCALE, wait_until

MIB = 1 << 20

# Packets that ended the Go proxy, and their relatives.
MC_KILLERS = {
    "get-crlf": b"get\r\n", "get-space": b"get \r\n", "gets": b"gets\r\n", "gat": b"gat\r\n", "gat-1": b"gat 1\r\n",
    "negative-size": b"set k 0 0 -20\r\n", "minus-one": b"set k 0 0 -1\r\n", "minus-two": b"set k 0 0 -2\r\n",
    "huge-size": b"set k 0 0 18446744073709551615\r\n", "big-size": b"set k 0 0 2147483647\r\n",
    "wrap-size": b"set k 0 0 4294967295\r\n", "wrap-size-2": b"set k 0 0 18446744073709551614\r\nabc\r\n",
    "only-crlf": b"\r\n\r\n\r\n", "only-lf": b"\n\n\n", "only-cr": b"\r\r\r\r", "nul": b"\x00" * 100,
    "nul-line": b"get \x00\r\n", "binary-protocol": b"\x80\x00\xea\x60\x00\x00\x00\x00\x00\x00\x00\x01" + b"\x00" * 12,
    "spaces": b" " * 100000 + b"\r\n", "long-line": b"get " + b"k " * 200000 + b"\r\n",
    "endless": b"x" * 5 * MIB, "endless-get": b"get " + b"k" * 5 * MIB, "endless-keys": b"get " + b"key " * MIB,
    "high": bytes(range(128, 256)) + b"\r\n", "tabs": b"get\tk\r\n",
    "many-errors": b"x\r\n" * 100000,
}
RESP_KILLERS = {
    "null-name": b"*1\r\n$-1\r\n", "null-arg": b"*2\r\n$3\r\nGET\r\n$-1\r\n", "minus-5": b"$-5\r\n",
    "minus-5-in": b"*1\r\n$-5\r\n", "nesting": b"*1\r\n" * (2 * MIB), "plus-arg": b"*2\r\n$3\r\nGET\r\n+a\r\n",
    "huge-array": b"*2147483647\r\n", "huge-array-2": b"*99999999999999999999\r\n",
    "huge-bulk": b"*1\r\n$2147483647\r\n", "wrap-bulk": b"*1\r\n$18446744073709551615\r\n",
    "max-args": b"*1048576\r\n" + b"$1\r\nx\r\n" * 1000, "many-empty": b"*1048576\r\n" + b"$0\r\n\r\n" * 100000,
    "empty-name": b"*1\r\n$0\r\n\r\n", "endless-inline": b"x" * 5 * MIB, "endless-header": b"*" + b"1" * MIB,
    "endless-bulk-header": b"*1\r\n$" + b"1" * MIB, "nul": b"\x00" * 1000, "cr": b"\r" * 1000, "lf": b"\n" * 100000,
    "empty-arrays": b"*0\r\n" * 100000, "mset-odd": resp("MSET", "a"), "mget-none": resp("MGET"),
    "del-none": resp("DEL"), "eval-bad": resp("EVAL", "return 1", "99999999999999999999", "k"),
    "eval-neg": resp("EVAL", "return 1", "-1", "k"), "zunion-bad": resp("ZUNION", "999999", "k"),
    "xread-bad": resp("XREAD", "STREAMS"), "xread-odd": resp("XREAD", "STREAMS", "a", "b", "c"),
    "sort": resp("SORT", "k", "STORE"), "georadius": resp("GEORADIUS", "k", "1", "2", "3", "km", "STORE"),
    "migrate": resp("MIGRATE", "h", "1", "", "0", "1", "KEYS"), "bitop": resp("BITOP"), "lmpop": resp("LMPOP", "0"),
    "object": resp("OBJECT"), "xgroup": resp("XGROUP"), "command": resp("COMMAND", "GETKEYS"),
    "getkeys": resp("COMMAND", "GETKEYS", "EVAL", "x", "1000000", "k"), "client": resp("CLIENT"),
    "hello": resp("HELLO", "2", "AUTH"), "hello-2": resp("HELLO", "2", "AUTH", "a", "b", "SETNAME"),
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "post": b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
}


def throw(address, data, how):
    """Sends data and leaves; how: read to the end, half close, reset."""
    conn = Conn(address, timeout=20)
    answers = threading.Thread(target=conn.rest_quietly)  # or both sides would wait with full buffers
    answers.start()
    try:
        conn.send(data)
        if how == "reset":
            conn.abort()
        else:
            conn.half_close()
    except OSError:
        pass
    answers.join()
    conn.close()


def still_serves(proxy, keys):
    with McConn(proxy.clusters[0].address) as mc:
        for key in keys.spread(1):
            assert mc.set(key, key) == b"STORED\r\n"
            assert mc.value(key) == key
    with RedisConn(proxy.clusters[1].address) as rd:
        for key in keys.spread(1):
            rd.ok("SET", key, key)
            assert rd.cmd("GET", key) == key


@pytest.mark.parametrize("how", ["read", "reset"])
@pytest.mark.parametrize("name", MC_KILLERS)
def test_memcache_packet(proxy, keys, name, how):
    throw(proxy.clusters[0].address, MC_KILLERS[name], how)
    throw(proxy.clusters[1].address, MC_KILLERS[name], how)
    still_serves(proxy, keys)


@pytest.mark.parametrize("how", ["read", "reset"])
@pytest.mark.parametrize("name", RESP_KILLERS)
def test_resp_packet(proxy, keys, name, how):
    throw(proxy.clusters[1].address, RESP_KILLERS[name], how)
    throw(proxy.clusters[0].address, RESP_KILLERS[name], how)
    still_serves(proxy, keys)


def test_random_bytes(proxy, keys):
    """Random and randomly damaged requests on both protocols."""
    r = keys.random
    seeds = [*MC_KILLERS.values(), *RESP_KILLERS.values(), resp("SET", "k", "v"), resp("MGET", "a", "b"),
             b"set hostile 0 0 3\r\nabc\r\nget hostile\r\n"]
    seeds = [s[:300] for s in seeds]
    for _ in range(harness.load(400)):
        if r.random() < 0.3:
            data = r.randbytes(r.randrange(1, 500))
        else:
            data = bytearray(b"".join(r.choices(seeds, k=r.randrange(1, 6))))
            for _ in range(r.randrange(1, 6)):
                at = r.randrange(len(data))
                data[at:at + r.randrange(0, 3)] = r.randbytes(r.randrange(0, 3))
                if not data:
                    data = bytearray(b"x")
        if b"flush" in data.lower():
            continue
        throw(r.choice(proxy.clusters).address, bytes(data), r.choice(["read", "reset"]))
    still_serves(proxy, keys)


def test_endless_input_is_bounded(io, pool):
    """100 clients that never end their line: a bounded piece is kept of each, none of it after they are gone."""
    with harness.Proxy(harness.memcache(pool.backends("memcached")), harness.redis(pool.backends("redis")),
                       io=io) as proxy:
        before = proxy.rss()
        proxy.reset_peak_rss()
        open_ones = []
        for n in range(100):
            conn = Conn(proxy.clusters[n % 2].address, timeout=5)
            try:
                conn.send((b"get " if n % 4 == 0 else b"*1\r\n$" if n % 4 == 1 else b"") + b"1" * MIB)
            except OSError:
                pass
            open_ones.append(conn)
        assert proxy.peak_rss() - before < 40 * MIB * MEMORY
        for conn in open_ones:
            conn.close()


def idle_cost(proxy, address, count, wire, answer):
    conns = []
    for _ in range(count):
        conn = socket.socket()
        conn.connect(address)
        conn.sendall(wire)
        conns.append(conn)
    for conn in conns:
        conn.settimeout(30 * SCALE)
        got = b""
        while len(got) < len(answer):
            data = conn.recv(65536)
            assert data, "closed"
            got += data
        assert got == answer
    return conns


def comes_back(proxy, before, more):
    """Waits until the proxy's memory is at most `more` above `before`."""
    high = proxy.rss()
    try:
        wait_until(lambda: proxy.rss() - before <= more, 10)
    except harness.Failed:
        raise harness.Failed(f"memory went from {before} to {high} and only back to {proxy.rss()}") from None


@pytest.mark.skipif(bool(SANITIZER), reason="sanitizers bring their own allocator")
def test_memory_of_idle_connections(io, pool, keys):
    """A connection that was served and waits costs at most 512 bytes; when all have left it is all back."""
    with harness.Proxy(harness.redis(pool.backends("redis")), io=io) as proxy:
        wire, answer = resp("GET", keys.any()) + b"PING\r\n", b"$-1\r\n+PONG\r\n"
        for conn in idle_cost(proxy, proxy.address, 200, wire, answer):
            conn.close()
        wait_until(lambda: proxy.clients() == 0, 10)
        before = proxy.rss()
        conns = idle_cost(proxy, proxy.address, 1000, wire, answer)
        some = proxy.rss()
        for _ in range(10):  # as they come, not 5,000 at work in one moment
            conns += idle_cost(proxy, proxy.address, 500, wire, answer)
        # What they needed while they were served goes back within seconds, how many were at work at once or not.
        wait_until(lambda: proxy.rss() - some <= 5000 * 512, 15, "5,000 idle connections to cost 512 bytes each")
        for conn in conns:
            conn.close()
        wait_until(lambda: proxy.clients() == 0, 10)
        comes_back(proxy, before, MIB)


@pytest.mark.skipif(bool(SANITIZER), reason="sanitizers bring their own allocator")
def test_memory_of_a_burst_comes_back(io, pool, keys):
    """5,000 connections at work in one moment, with values of 4 KiB; after they left it is all back."""
    with harness.Proxy(harness.redis(pool.backends("redis")), io=io) as proxy:
        key = keys.any()
        with RedisConn(proxy.address) as client:
            client.ok("SET", key, "v" * 4096)
        wire, answer = resp("GET", key), b"$4096\r\n" + b"v" * 4096 + b"\r\n"
        for conn in idle_cost(proxy, proxy.address, 200, wire, answer):
            conn.close()
        wait_until(lambda: proxy.clients() == 0, 10)
        before = proxy.rss()
        for _ in range(2):
            for conn in idle_cost(proxy, proxy.address, 5000, wire, answer):
                conn.close()
        wait_until(lambda: proxy.clients() == 0, 10)
        comes_back(proxy, before, 3 * MIB)


def storm(proxy, count, keys):
    """count connections, at most 2,000 at a time, each doing one of many bad things."""
    half = [resp("SET", "k", "v" * 100)[:20], b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\nabc", b"set k 0 0 1000000\r\nabc",
            b"get kkkkk", b"*", b"", b"*1\r\n$4\r\nPI", b"\r", b"x" * 3000, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5000\r\n" + b"v" * 4000,
            resp("GET", "k") * 50, b"get a b c d e f\r\n" * 50, b"*x\r\n", b"set k 0 0 -1\r\n",
            resp("MGET", *[b"key%d" % n for n in range(100)])]
    held = []
    linger = struct.pack("ii", 1, 0)
    for n in range(count):
        sock = socket.socket()
        sock.settimeout(20 * SCALE)
        sock.connect(proxy.clusters[n % 2].address)
        data = half[(n // 2) % len(half)]
        try:
            if data:
                sock.sendall(data)
            if n % 5 == 0:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        held.append(sock)
        if len(held) >= 2000:
            for k, old in enumerate(held):
                if k % 3 == 0:
                    old.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                old.close()
            held = []
            still_serves(proxy, keys)
    for old in held:
        old.close()


def run_storm(io, pool, keys, count):
    with harness.Proxy(harness.memcache(pool.backends("memcached")), harness.redis(pool.backends("redis")),
                       io=io) as proxy:
        storm(proxy, 2000, keys)
        wait_until(lambda: proxy.clients() == 0, 20, "the connections to be closed")
        before = proxy.rss()
        storm(proxy, count, keys)
        wait_until(lambda: proxy.clients() == 0, 20, "the connections to be closed")
        still_serves(proxy, keys)
        if not SANITIZER:
            comes_back(proxy, before, 16 * MIB)


def test_storm_of_bad_connections(io, pool, keys):
    run_storm(io, pool, keys, harness.load(10000))


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_long_storm_of_bad_connections(io, pool, keys):
    run_storm(io, pool, keys, int(os.environ.get("OVERLORD_STORM", "100000")))


def test_slow_reader_with_a_long_pipeline(io, pool, keys):
    """A client asks for 500 MB in small pieces and reads nothing: the proxy stops taking requests from it."""
    with harness.Proxy(harness.redis(pool.backends("redis")), harness.memcache(pool.backends("memcached")),
                       io=io) as proxy:
        rd, mc = (c.address for c in proxy.clusters)
        key = keys.any()
        with RedisConn(rd) as setup:
            setup.ok("SET", key, "v" * 10000)
        with McConn(mc) as setup:
            assert setup.set(key, b"v" * 10000) == b"STORED\r\n"
        before = proxy.rss()
        proxy.reset_peak_rss()
        greedy = []
        for address, wire in ((rd, resp("GET", key)), (mc, b"get %s\r\n" % key), (rd, resp("MGET", *[key] * 10)),
                              (rd, resp("ECHO", "e" * 10000)), (rd, resp("COMMAND"))):
            conn = Conn(address, rcvbuf=4096)
            conn.sock.settimeout(0.3)
            data = wire * 5000
            sent = 0
            try:
                while sent < len(data):
                    sent += conn.sock.send(data[sent:sent + 65536])
            except OSError:
                pass  # it takes no more, or has enough of us
            greedy.append(conn)
        with RedisConn(rd) as other, McConn(mc) as other_mc:
            for n in range(100):
                assert other.cmd("STRLEN", key) == 10000
                assert len(other_mc.value(key)) == 10000
        assert proxy.peak_rss() - before < 64 * MIB * MEMORY
        greedy[0].sock.settimeout(20 * SCALE)
        for _ in range(20):
            assert greedy[0].line() == b"$10000\r\n"
            assert greedy[0].exact(10002) == b"v" * 10000 + b"\r\n"
        for conn in greedy:
            conn.close()


def test_descriptors_run_out_and_come_back(io, pool, keys):
    """With no descriptor left the proxy waits without spinning and serves again when some are free."""
    with harness.Proxy(harness.redis(pool.backends("redis")), io=io) as proxy:
        with RedisConn(proxy.address) as first:
            for key in keys.spread(1):
                first.ok("SET", key, "v")
            limit = proxy.fds() + 50
            resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (limit, limit))
            conns = []
            for _ in range(120):
                sock = socket.socket()
                sock.settimeout(5)
                sock.connect(proxy.address)
                sock.sendall(b"PING\r\n")
                conns.append(sock)
            before = proxy.cpu_seconds()
            for _ in range(50):
                assert first.cmd("GET", key) == b"v"
            first.expect_silence(0.5)
            assert proxy.cpu_seconds() - before < 0.35 * SCALE
            for sock in conns:
                sock.close()
            wait_until(lambda: proxy.fds() < limit - 40, 10)
            with RedisConn(proxy.address) as later:
                assert later.cmd("PING") == "PONG"
