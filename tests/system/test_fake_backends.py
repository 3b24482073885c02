"""Backends that do not speak the protocol as they should: the right client gets an error, nobody a foreign reply."""

import time

import pytest

import harness
from clients import McConn, RedisConn, RedisError, resp
from fakes import Fake, answers_redis
from harness import SCALE, wait_until

READ_TIMEOUT = int(1000 * SCALE)


def redis_proxy(io, servers, **keys):
    settings = {"read_timeout": READ_TIMEOUT, "dial_timeout": READ_TIMEOUT, "write_timeout": READ_TIMEOUT, **keys}
    return harness.Proxy(harness.redis(servers, **settings), io=io)


def mc_proxy(io, servers, **keys):
    settings = {"read_timeout": READ_TIMEOUT, "dial_timeout": READ_TIMEOUT, "write_timeout": READ_TIMEOUT, **keys}
    return harness.Proxy(harness.memcache(servers, **settings), io=io)


def once(bad):
    """Behaviour: the first request of a connection gets what bad(peer) does; then the connection closes."""
    def behave(peer, fake):
        peer.redis_request()
        bad(peer)
    return behave


def slow_drip(peer):
    for byte in b"$5\r\nhel":
        peer.send(bytes([byte]))
    peer.fake.release.wait(60)


REDIS_BAD = {
    "garbage": lambda p: p.send(b"\x00\x01garbage\r\n"),
    "http": lambda p: p.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "half-a-bulk": lambda p: p.send(b"$100\r\nabc"),
    "half-a-header": lambda p: p.send(b"$10"),
    "half-an-array": lambda p: p.send(b"*3\r\n$1\r\na\r\n"),
    "nothing": lambda p: None,
    "reset": lambda p: p.reset(),
    "bad-length": lambda p: p.send(b"$abc\r\n"),
    "negative-length": lambda p: p.send(b"$-7\r\n"),
    "huge-length": lambda p: p.send(b"$99999999999999999999\r\n"),
    "huge-array": lambda p: p.send(b"*2147483647\r\n"),
    "wrong-end": lambda p: p.send(b"$3\r\nabcXX"),
    "half-a-line": lambda p: p.send(b"+" + b"x" * 60000),
    "nesting": lambda p: p.send(b"*1\r\n" * 10000),
    "never": lambda p: p.fake.release.wait(60),
    "drip-and-stop": slow_drip,
}


@pytest.mark.parametrize("name", REDIS_BAD)
def test_redis_bad_reply(io, resources, pool, keys, name):
    fake = resources(Fake(once(REDIS_BAD[name])))
    good = pool.backends("redis")[:3]
    with redis_proxy(io, [*good, fake]) as proxy:
        client, other = RedisConn(proxy.address), RedisConn(proxy.address)
        fine, bad = keys.on(0), keys.on(3)
        client.ok("SET", fine, "fine")
        client.send(resp("GET", fine) + resp("GET", bad) + resp("GET", fine) + resp("MGET", fine, bad, fine)
                    + resp("PING"))
        assert client.reply() == b"fine"
        error = client.reply()
        assert isinstance(error, RedisError) and error.startswith("ERR "), error
        assert "127.0.0.1" not in error
        assert client.reply() == b"fine"
        assert isinstance(client.reply(), RedisError)
        assert client.reply() == "PONG"
        for _ in range(5):
            assert other.cmd("GET", fine) == b"fine"
        client.close()
        other.close()


def mc_once(bad):
    """Behaviour: the first request of a connection gets bad's bytes, K replaced by its key; then it closes."""
    def behave(peer, fake):
        words = peer.mc_request()
        if bad is None:
            fake.release.wait(60)
        else:
            peer.send(bad.replace(b"K", words[1]))
    return behave


MC_BAD = {
    "garbage": b"\x00\x01\x02\x03 garbage\r\n", "half-a-value": b"VALUE K 0 100\r\nabc", "half-a-line": b"VALUE K 0",
    "no-end": b"VALUE K 0 1\r\na\r\n", "wrong-key": b"VALUE otherkey 0 1\r\na\r\nEND\r\n",
    "twice": b"VALUE K 0 1\r\na\r\nVALUE K 0 1\r\nb\r\nEND\r\n", "bad-length": b"VALUE K 0 abc\r\na\r\nEND\r\n",
    "huge-length": b"VALUE K 0 99999999999999999999\r\na\r\nEND\r\n", "wrong-value-end": b"VALUE K 0 1\r\naXXEND\r\n",
    "nothing": b"", "endless-line": b"x" * 200000, "never": None, "stored": b"STORED\r\n",
}
# The value was whole before anything was wrong: it may have been passed on by then.
MC_VALUE_FIRST = ("no-end", "twice")


@pytest.mark.parametrize("name", MC_BAD)
def test_memcache_bad_reply(io, resources, pool, keys, name):
    fake = resources(Fake(mc_once(MC_BAD[name])))
    good = pool.backends("memcached")[:3]
    with mc_proxy(io, [*good, fake]) as proxy:
        client, other = McConn(proxy.address), McConn(proxy.address)
        fine, bad = keys.on(0), keys.on(3)
        assert client.set(fine, b"fine") == b"STORED\r\n"
        want = b"VALUE %s 0 4\r\nfine\r\nEND\r\n" % fine
        client.send(b"get %s\r\nget %s\r\nget %s\r\n" % (fine, bad, fine))
        assert client.raw_items() == want
        error = client.line()
        if name in MC_VALUE_FIRST and error == b"VALUE %s 0 1\r\n" % bad:
            assert client.exact(3) == b"a\r\n"
            error = client.line()
        else:
            assert error.startswith(b"SERVER_ERROR ") and b"127.0.0.1" not in error, error
        assert client.raw_items() == want
        client.send(b"get %s %s\r\nversion\r\n" % (bad, fine))
        while not (line := client.line()).startswith(b"SERVER_ERROR "):
            if name in MC_VALUE_FIRST and line == b"END\r\n":
                break
            assert line.startswith((b"VALUE %s " % fine, b"VALUE %s " % bad)), line
            client.exact(int(line.split()[3]) + 2)
        assert client.line().startswith(b"VERSION")
        for _ in range(5):
            assert other.get(fine) == [(fine, 0, b"fine", None)]
        client.close()
        other.close()


BROKEN_OFF = {
    "half": b"*2\r\n$1000000\r\n" + b"x" * 500000,
    "garbage": b"*2\r\n$1000000\r\n" + b"x" * 1000000 + b"garbage",
    "endless-line": b"+" + b"x" * 300000,
    "nesting": b"*1\r\n" * 100000,
}


@pytest.mark.parametrize("name", BROKEN_OFF)
def test_redis_large_reply_that_breaks_off(io, resources, pool, keys, name):
    """What has been passed on cannot be taken back: the client sees the beginning and then the end, no other data."""
    def behave(peer, fake):
        peer.redis_request()
        peer.send(BROKEN_OFF[name])

    fake = resources(Fake(behave))
    with redis_proxy(io, [*pool.backends("redis")[:3], fake]) as proxy:
        client, other = RedisConn(proxy.address), RedisConn(proxy.address)
        fine, bad = keys.on(0), keys.on(3)
        other.ok("SET", fine, "fine")
        client.send(resp("GET", fine) + resp("HGETALL", bad) + resp("GET", fine))
        assert client.reply() == b"fine"
        client.half_close()
        got = client.rest()
        if got.startswith(b"-ERR "):  # found before anything was passed on: then all goes on
            assert got.endswith(b"\r\n$4\r\nfine\r\n"), got
        else:
            assert BROKEN_OFF[name].startswith(got), (len(got), got[:50], got[-50:])
        assert other.cmd("GET", fine) == b"fine"
        client.close()
        other.close()


def test_redis_too_many_replies(io, resources):
    """An extra reply never becomes the answer to the next request."""
    fake = resources(Fake(answers_redis(lambda args: b"$5\r\nright\r\n$5\r\nwrong\r\n")))
    with redis_proxy(io, [fake]) as proxy:
        a, b = RedisConn(proxy.address), RedisConn(proxy.address)
        for _ in range(20):
            for client in (a, b):
                answer = client.cmd("GET", "k")
                assert answer == b"right" or (isinstance(answer, RedisError) and answer.startswith("ERR ")), answer
        a.close()
        b.close()


def test_redis_unasked_reply_on_an_idle_connection(io, resources):
    def behave(peer, fake):
        while True:
            args = peer.redis_request()
            peer.send(b"$5\r\nright\r\n")
            if args[1] == b"trigger":
                fake.release.wait(60)
                peer.send(b"$5\r\nwrong\r\n")

    fake = resources(Fake(behave))
    with redis_proxy(io, [fake]) as proxy:
        a, b = RedisConn(proxy.address), RedisConn(proxy.address)
        assert a.cmd("GET", "trigger") == b"right"
        before = fake.connections
        fake.release.set()
        wait_until(lambda: fake.connections > before or isinstance(b.cmd("GET", "x"), RedisError)
                   or b.cmd("GET", "x") == b"right", 5)
        for _ in range(20):
            answer = b.cmd("GET", "k")
            assert answer == b"right" or isinstance(answer, RedisError), answer
        a.close()
        b.close()


def test_memcache_too_many_replies(io, resources):
    def behave(peer, fake):
        while True:
            words = peer.mc_request()
            if words[0] == b"get":
                for key in words[1:]:
                    peer.send(b"VALUE %s 0 5\r\nright\r\n" % key)
                peer.send(b"END\r\nVALUE %s 0 5\r\nwrong\r\nEND\r\n" % words[1])
            else:
                peer.send(b"STORED\r\nNOT_STORED\r\n")

    fake = resources(Fake(behave))
    with mc_proxy(io, [fake]) as proxy:
        a, b = McConn(proxy.address), McConn(proxy.address)
        for n in range(20):
            for client in (a, b):
                client.send(b"get key-%d\r\n" % n)
                answer = client.raw_items()
                assert answer in (b"VALUE key-%d 0 5\r\nright\r\nEND\r\n" % n,) or answer.startswith(b"SERVER_ERROR "), answer
                line = client.set(b"key-%d" % n, b"v")
                assert line == b"STORED\r\n" or line.startswith(b"SERVER_ERROR "), line
        a.close()
        b.close()


def test_memcache_values_of_keys_nobody_asked(io, resources):
    """A joined get is answered with foreign, doubled and misplaced keys: nobody gets a value of another key."""
    def behave(peer, fake):
        while True:
            words = peer.mc_request()
            out = b""
            for n, key in enumerate(words[1:]):
                name = (key, b"foreign", words[1], words[-1])[n % 4]
                out += b"VALUE %s 0 %d\r\n%s\r\n" % (name, len(name), name)
            peer.send(out + b"END\r\n")

    fake = resources(Fake(behave))
    with mc_proxy(io, [fake]) as proxy:
        clients = [McConn(proxy.address) for _ in range(40)]
        for _ in range(5):
            for n, client in enumerate(clients):
                client.send(b"get key-%d\r\n" % n)
            for n, client in enumerate(clients):
                answer = client.raw_items()
                assert answer in (b"VALUE key-%d 0 %d\r\nkey-%d\r\nEND\r\n" % (n, len(b"key-%d" % n), n), b"END\r\n") \
                    or answer.startswith(b"SERVER_ERROR "), answer
        for client in clients:
            client.close()


def test_memcache_error_lines_pass(io, resources):
    """A backend's own error is the client's answer and the connection stays in step."""
    def behave(peer, fake):
        while True:
            words = peer.mc_request()
            if words[1].startswith(b"bad"):
                peer.send(b"SERVER_ERROR out of memory\r\n")
            elif words[0] == b"get":
                peer.send(b"".join(b"VALUE %s 0 1\r\nv\r\n" % k for k in words[1:]) + b"END\r\n")
            else:
                peer.send(b"STORED\r\n")

    fake = resources(Fake(behave))
    with mc_proxy(io, [fake], coalesce_gets=False) as proxy, McConn(proxy.address) as client:
        for _ in range(10):
            client.send(b"get bad1\r\nget good\r\nset bad2 0 0 1\r\nx\r\nset good 0 0 1\r\nx\r\n")
            assert client.raw_items() == b"SERVER_ERROR out of memory\r\n"
            assert client.raw_items() == b"VALUE good 0 1\r\nv\r\nEND\r\n"
            assert client.line() == b"SERVER_ERROR out of memory\r\n"
            assert client.line() == b"STORED\r\n"


def test_redis_errors_in_split_commands(io, resources, pool, keys):
    """A part that the backend refuses makes the whole an error, in its place."""
    fake = resources(Fake(answers_redis(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n")))
    with redis_proxy(io, [*pool.backends("redis")[:3], fake]) as proxy, RedisConn(proxy.address) as client:
        a, b = keys.on(0), keys.on(3)
        for _ in range(5):
            got = client.pipeline([("MSET", a, 1, b, 2), ("DEL", a, b), ("MGET", a, b), ("EXISTS", a, b), ("PING",)])
            assert all(isinstance(g, RedisError) and g.startswith("OOM") for g in got[:4]), got
            assert got[4] == "PONG"


def test_redis_wrong_types_in_split_commands(io, resources, pool, keys):
    """Parts of the wrong shape: an error, never a wrong sum or a short array."""
    replies = {b"MGET": b"*1\r\n$1\r\nx\r\n", b"DEL": b"$1\r\nx\r\n", b"EXISTS": b"*0\r\n", b"MSET": b":1\r\n"}
    fake = resources(Fake(answers_redis(lambda args: replies[args[0].upper()])))
    with redis_proxy(io, [*pool.backends("redis")[:3], fake]) as proxy, RedisConn(proxy.address) as client:
        a, b, c = keys.on(0), keys.on(3), keys.on(3)
        for _ in range(5):
            got = client.pipeline([("MGET", a, b, c), ("DEL", a, b), ("EXISTS", a, b), ("PING",)])
            assert all(isinstance(g, RedisError) for g in got[:3]), got
            assert got[3] == "PONG"


def test_slow_drip_is_not_a_timeout_for_others(io, resources, pool, keys):
    """A backend that sends a reply byte by byte delivers it; the others are not delayed by it."""
    def behave(peer, fake):
        while True:
            peer.redis_request()
            for byte in b"$5\r\nhello\r\n":
                peer.send(bytes([byte]))
                fake.release.wait(0.02 * SCALE)

    fake = resources(Fake(behave))
    with redis_proxy(io, [*pool.backends("redis")[:3], fake], read_timeout=READ_TIMEOUT * 10) as proxy:
        a, b = RedisConn(proxy.address), RedisConn(proxy.address)
        fine, slow = keys.on(0), keys.on(3)
        a.send(resp("GET", slow))
        for _ in range(20):
            b.ok("SET", fine, "v")
        assert a.reply() == b"hello"
        a.close()
        b.close()


def test_a_backend_that_closes_idle_connections(io, resources):
    """Each connection serves three requests and goes away between them: later requests find a new one."""
    def behave(peer, fake):
        for _ in range(3):
            peer.redis_request()
            peer.send(b"+OK\r\n")

    fake = resources(Fake(behave))
    with redis_proxy(io, [fake]) as proxy, RedisConn(proxy.address) as client:
        good = 0
        deadline = time.monotonic() + 20 * SCALE
        while good < 30:
            answer = client.cmd("SET", "k", "v")
            assert answer == "OK" or isinstance(answer, RedisError)
            good += answer == "OK"
            assert time.monotonic() < deadline
        assert fake.connections >= 10


def test_reconnects_back_off(io, resources):
    """A backend that closes every connection at once is not hammered."""
    fake = resources(Fake(lambda peer, fake: None))
    with redis_proxy(io, [fake]) as proxy, RedisConn(proxy.address) as client:
        end = time.monotonic() + 1
        asked = 0
        while time.monotonic() < end:
            assert isinstance(client.cmd("GET", "k"), RedisError)
            asked += 1
        assert fake.connections < 60, (fake.connections, asked)


def test_requests_before_a_connection_is_up(io, resources):
    """A slow accept and slow validation: requests wait for it, and fail after dial_timeout at most."""
    def behave(peer, fake):
        fake.release.wait(60)
        while True:
            peer.redis_request()
            peer.send(b"+fine\r\n")

    fake = resources(Fake(behave))
    with redis_proxy(io, [fake], read_timeout=READ_TIMEOUT) as proxy, RedisConn(proxy.address) as client:
        client.send(resp("GET", "a") * 10)
        assert all(isinstance(client.reply(), RedisError) for _ in range(10))
        fake.release.set()
        wait_until(lambda: client.cmd("GET", "a") == "fine", 10)
