"""Commands that wait at their node: they hold up nobody, and leave nothing behind."""

import random

import pytest

import harness
from clients import Closed, RedisConn, RedisError, resp
from harness import SCALE, wait_until
from ring import Keys
from test_redis_transactions import CROSS, Own


def blocked(own, count):
    """Waits until so many clients wait at the first server."""
    wait_until(lambda: b"blocked_clients:%d\r\n" % count in own.direct.cmd("INFO", "clients"), 15, f"{count} blocked")


@pytest.fixture
def own(io, resources):
    with Own(io, resources) as made:
        yield made


@pytest.fixture
def three():
    return Keys(3)


# What is asked, what somebody else does then, what is answered. {k}, {j}: keys of one node.
WAITS = [
    ("BLPOP {k} 0", "RPUSH {k} v", b"*2\r\n{k}$1\r\nv\r\n"),
    ("BRPOP {j} {k} 60", "RPUSH {k} v", b"*2\r\n{k}$1\r\nv\r\n"),
    ("BLMOVE {k} {j} LEFT RIGHT 0", "RPUSH {k} v", b"$1\r\nv\r\n"),
    ("BRPOPLPUSH {k} {j} 0.0", "RPUSH {k} v", b"$1\r\nv\r\n"),
    ("BLMPOP 0 2 {j} {k} LEFT COUNT 5", "RPUSH {k} v w", b"*2\r\n{k}*2\r\n$1\r\nv\r\n$1\r\nw\r\n"),
    ("BZPOPMIN {k} 0", "ZADD {k} 1 v", b"*3\r\n{k}$1\r\nv\r\n$1\r\n1\r\n"),
    ("BZPOPMAX {k} 60", "ZADD {k} 1 v", b"*3\r\n{k}$1\r\nv\r\n$1\r\n1\r\n"),
    ("BZMPOP 60 1 {k} MIN", "ZADD {k} 1 v", b"*2\r\n{k}*1\r\n*2\r\n$1\r\nv\r\n$1\r\n1\r\n"),
    ("XREAD BLOCK 0 STREAMS {k} $", "XADD {k} 1-1 f v",
     b"*1\r\n*2\r\n{k}*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"),
    ("XREADGROUP GROUP g c BLOCK 0 STREAMS {k} >", "XADD {k} 1-1 f v",
     b"*1\r\n*2\r\n{k}*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"),
]


def test_each_waits_and_is_answered(own, three):
    """All at once, beyond read_timeout, while the shared connection serves others."""
    talks = []
    with RedisConn(own.proxy.address) as other:
        for ask, then, answer in WAITS:
            k, j = three.on(0).decode(), three.on(0).decode()
            if "GROUP" in ask:
                other.ok("XGROUP", "CREATE", k, "g", "$", "MKSTREAM")
            client = RedisConn(own.proxy.address)
            client.send(resp(*ask.format(k=k, j=j).split()))
            talks.append((client, then.format(k=k), answer.replace(b"{k}", b"$16\r\n%s\r\n" % k.encode())))
        blocked(own, len(WAITS))
        for _client, then, _answer in talks:
            assert not isinstance(other.cmd(*then.split()), RedisError)
        for client, _then, answer in talks:
            assert client.raw() == answer
            assert client.cmd("PING") == "PONG"
            client.close()
    own.back_at_base()


def test_time_outs_and_errors_are_the_servers(rd, rd_direct, keys):
    k, j, text = keys.on(1), keys.on(1), keys.on(1)
    for client in (rd(), rd_direct()):
        client.ok("SET", text, 1)
    for line in (["BLPOP", k, j, "0.05"], ["BLMOVE", k, j, "LEFT", "LEFT", "0.01"], ["BZMPOP", "0.01", 1, k, "MAX"],
                 ["XREAD", "BLOCK", 20, "STREAMS", k, "0"], ["BLPOP", k, "-1"], ["BLPOP", k, "x"], ["BLPOP", k],
                 ["BLPOP", text, 0], ["BLMPOP", 0, 0, k, "LEFT"], ["BLMPOP", 0, "x", k, "LEFT"], ["BLPOP", k, "1e30"],
                 ["XREAD", "BLOCK", "x", "STREAMS", k, "0"], ["XREAD", "BLOCK", 0, "STREAMS", k],
                 ["XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", k, ">"], ["BLMPOP", "0.01", 2, k, j, "LEFT"]):
        assert rd().cmd_raw(*line) == rd_direct().cmd_raw(*line), line


def test_keys_of_several_nodes_are_refused(rd, keys):
    client, here, there = rd(), keys.on(0), keys.on(1)
    assert client.cmd("BLPOP", here, there, 0) == CROSS
    assert client.cmd("XREAD", "BLOCK", 0, "STREAMS", here, there, "$", "$") == CROSS
    assert client.cmd("PING") == "PONG"


def test_longer_than_read_timeout(io, resources):
    timeout = int(100 * SCALE)
    with Own(io, resources, 1, read_timeout=timeout) as own, RedisConn(own.proxy.address) as waiter, \
            RedisConn(own.proxy.address) as timed, RedisConn(own.proxy.address) as other:
        waiter.send(resp("BLPOP", "k", 0))
        timed.send(resp("BLPOP", "k2", timeout * 2.5 / 1000))
        assert timed.reply() is None
        assert other.cmd("RPUSH", "k", "v") == 1
        assert waiter.reply() == [b"k", b"v"]


def test_info_counts_those_who_wait(own, three):
    key = three.on(0)
    with RedisConn(own.proxy.address) as client, RedisConn(own.proxy.address) as gone, \
            RedisConn(own.proxy.address) as other:
        def count():
            lines = dict(line.partition(b":")[::2] for line in other.cmd("INFO", "clients").split(b"\r\n"))
            return int(lines[b"blocked_clients"])
        assert count() == 0
        client.send(resp("BLPOP", key, 0))
        gone.send(resp("BRPOP", three.on(1), 0))
        wait_until(lambda: count() == 2, 10, "two to wait")
        gone.close()
        wait_until(lambda: count() == 1, 10, "one to wait")
        other.cmd("RPUSH", key, "v")
        assert client.reply() == [key, b"v"]
        assert count() == 0


def test_order_around_a_waiting_command(own, three):
    """What came before is done before; what comes behind is not begun before it is answered."""
    k, j = three.on(0), three.on(0)
    far = three.on(1)
    client, other = RedisConn(own.proxy.address), RedisConn(own.proxy.address)
    client.send(b"".join([resp("RPUSH", k, "first"), resp("BLPOP", k, 0), resp("SET", far, "before"),
                          resp("BLPOP", k, 0), resp("SET", far, "after"), resp("INCR", j), resp("BLPOP", k, 0.01)]))
    assert [client.reply() for _ in range(3)] == [1, [k, b"first"], "OK"]
    blocked(own, 1)
    client.send(resp("GET", far))
    assert other.cmd("GET", far) == b"before"
    other.cmd("RPUSH", k, "second")
    assert [client.reply() for _ in range(5)] == [[k, b"second"], "OK", 1, None, b"after"]
    # A lot behind it, in pieces.
    client.send(resp("BLPOP", k, 0))
    blocked(own, 1)
    count = harness.load(20000)
    client.send(b"".join(resp("SET", far, "x" * 40) for _ in range(count)))
    other.cmd("RPUSH", k, "third")
    assert client.reply() == [k, b"third"]
    assert [client.reply() for _ in range(count)] == ["OK"] * count
    client.close()
    other.close()


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
def test_a_client_that_leaves_takes_nothing(own, three, how):
    k = three.on(0)
    client = RedisConn(own.proxy.address)
    client.send(resp("BLPOP", k, 0))
    blocked(own, 1)
    client.send(resp("GET", k) * 100)  # read, and never answered
    getattr(client, how)()
    blocked(own, 0)
    with RedisConn(own.proxy.address) as other:
        assert other.cmd("RPUSH", k, "v") == 1
        assert other.cmd("BLPOP", k, 1) == [k, b"v"]
    own.back_at_base()


def test_many_waiting_clients(own, three):
    """200 wait; half of them leave; every element goes to exactly one of the others."""
    k = three.on(0)
    count = harness.load(200)
    with RedisConn(own.proxy.address) as other:
        rss = own.proxy.rss()
        clients = [RedisConn(own.proxy.address) for _ in range(count)]
        for client in clients:
            client.send(resp("BLPOP", k, 0))
        blocked(own, count)
        assert own.connections() == own.base + count
        random.Random(1).shuffle(clients)
        gone, kept = clients[:count // 2], clients[count // 2:]
        for client in gone:
            client.close()
        blocked(own, len(kept))
        values = [b"v%d" % n for n in range(len(kept) + 5)]
        for value in values:
            other.cmd("RPUSH", k, value)
        got = [client.reply()[1] for client in kept]
        assert sorted(got) == sorted(values[:len(kept)])
        assert other.cmd("LRANGE", k, 0, -1) == values[len(kept):]
        # A second round uses the connections again.
        for client in kept:
            client.send(resp("BLPOP", b"none{%s}" % k, 0.02))
        assert [client.reply() for client in kept] == [None] * len(kept)
        for client in kept:
            client.close()
        own.back_at_base()
        assert own.proxy.rss() < rss + 8 * 1024 * 1024 * harness.MEMORY


def test_backend_dies_while_clients_wait(own, three):
    k = three.on(0)
    clients = [RedisConn(own.proxy.address) for _ in range(10)]
    for client in clients:
        client.send(resp("BLPOP", k, 0))
    blocked(own, 10)
    own.servers[0].kill9()
    assert {client.reply() for client in clients} == {"ERR backend connection lost"}
    own.servers[0].start()
    wait_until(lambda: clients[0].cmd("RPUSH", k, "v") == 1, 10, "the backend to be up again")
    assert clients[1].cmd("BLPOP", k, 0) == [k, b"v"]
    for client in clients:
        client.close()
    own.direct = RedisConn(own.servers[0].address)


def test_the_proxy_stops_while_clients_wait(io, resources):
    server = resources(harness.Redis())
    proxy = resources(harness.Proxy(harness.redis([server]), io=io))
    with RedisConn(proxy.address) as client, RedisConn(server.address) as direct:
        client.send(resp("BLPOP", "k", 0))
        wait_until(lambda: b"blocked_clients:1\r\n" in direct.cmd("INFO", "clients"), 15, "it to wait")
        proxy.stop()
        with pytest.raises(Closed):
            client.reply()
        direct.cmd("RPUSH", "k", "v")
        assert direct.cmd("LLEN", "k") == 1


def test_redis_py_waits(proxy, keys):
    redis = pytest.importorskip("redis")
    client = redis.Redis(port=proxy.clusters[1].port, socket_timeout=20 * SCALE)
    k, j = keys.on(3), keys.on(3)
    assert client.blpop([k, j], timeout=1) is None
    client.rpush(j, 1, 2)
    assert client.blpop([k, j], timeout=1) == (j, b"1")
    assert client.blmove(j, k, timeout=1) == b"2"
    client.xadd(b"s" + k, {"a": 1}, id="5-1")
    assert client.xread({b"s" + k: "0"}, block=1000) == [[b"s" + k, [(b"5-1", {b"a": b"1"})]]]
    assert client.xread({b"s" + k: "$"}, block=10) == []
