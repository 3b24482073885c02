"""Transactions, commands that wait and subscriptions with a Redis Cluster behind, also while slots move."""

import pytest

import harness
from clients import RedisConn, RedisError, resp
from conftest import Clients
from harness import SCALE, wait_until
from redis_cluster import RedisCluster, cluster_of, key_in, slot_of

CROSS = "CROSSSLOT Keys in request don't hash to the same slot"


@pytest.fixture(scope="module")
def cluster():
    made = RedisCluster()
    yield made
    made.close()


@pytest.fixture(scope="module", params=harness.io_drivers())
def proxy(request, cluster):
    with harness.Proxy(cluster_of(cluster.seeds[:2]), io=request.param) as running:
        with RedisConn(running.address) as client:
            client.ok("SET", "ready", 1)  # it waits until the proxy knows the slots
        yield running


@pytest.fixture
def rd(proxy):
    made = Clients(proxy.address, RedisConn)
    yield made
    made.close()
    proxy.check_alive()


_slots = iter(range(100, 1000))


@pytest.fixture
def moving(cluster):
    """A key of the first master, and a function that moves its slot to the second."""
    slot = next(_slots)
    source, target = cluster.masters[:2]
    tag = key_in(slot)

    def move(*keys):
        cluster.begin_move(slot, source, target)
        if keys:
            cluster.move_keys(source, target, *keys)
        cluster.end_move(slot, target)

    return tag, move


def test_keys_of_a_slot(rd, cluster):
    key = key_in(slot_of(b"counted"))
    slot = slot_of(key)
    client = rd()
    for n in range(5):
        client.ok("SET", key + b"%d" % n, n)
    assert client.cmd("CLUSTER", "COUNTKEYSINSLOT", slot) == 5
    assert sorted(client.cmd("CLUSTER", "GETKEYSINSLOT", slot, 9)) == [key + b"%d" % n for n in range(5)]
    assert len(client.cmd("CLUSTER", "GETKEYSINSLOT", slot, 2)) == 2
    for line in (("COUNTKEYSINSLOT", "x"), ("COUNTKEYSINSLOT", 16384), ("COUNTKEYSINSLOT", -1), ("GETKEYSINSLOT", 0, "x"),
                 ("GETKEYSINSLOT", 99999, 1), ("GETKEYSINSLOT", 0, -1), ("COUNTKEYSINSLOT",), ("GETKEYSINSLOT", 0)):
        assert client.cmd("CLUSTER", *line) == cluster.masters[0].ask("CLUSTER", *line), line
    client.ok("MULTI")
    assert "not supported inside" in client.cmd("CLUSTER", "COUNTKEYSINSLOT", 0)


def test_transactions_in_one_slot(rd):
    client, one, other = rd(), key_in(1), key_in(2)
    assert client.pipeline([["MULTI"], ["SET", one, 1], ["PING"], ["INCR", one], ["EXEC"]])[-1] == ["OK", "PONG", 2]
    client.ok("WATCH", one)
    client.ok("MULTI")
    client.cmd("SET", one, 5)
    assert client.cmd("EXEC") == ["OK"]
    client.ok("WATCH", one)
    rd().ok("SET", one, 6)
    assert client.pipeline([["MULTI"], ["SET", one, 7], ["EXEC"]]) == ["OK", "QUEUED", None]
    client.ok("MULTI")
    client.cmd("SET", one, 1)
    assert client.cmd("SET", other, 1) == CROSS  # the same node, and yet
    assert client.cmd("EXEC").startswith("EXECABORT")
    client.cmd("DEL", one)


def test_a_transaction_follows_its_slot(rd, moving):
    tag, move = moving
    client = rd()
    client.ok("SET", tag, 1)
    client.ok("MULTI")
    assert client.pipeline([["INCR", tag], ["PING"], ["INCR", tag]]) == ["QUEUED"] * 3
    move(tag)
    assert client.cmd("EXEC") == [2, "PONG", 3]
    assert client.pipeline([["MULTI"], ["INCR", tag], ["EXEC"]])[-1] == [4]


def test_a_watch_that_finds_its_slot_gone(rd, moving):
    tag, move = moving
    client, watcher = rd(), rd()
    client.ok("SET", tag, 1)
    watcher.ok("WATCH", tag)
    move(tag)
    # The proxy has not heard of it yet; WATCH is the first to be sent on.
    client.ok("WATCH", tag)
    client.ok("MULTI")
    client.cmd("INCR", tag)
    assert client.cmd("EXEC") == [2]
    watcher.ok("MULTI")
    watcher.cmd("INCR", tag)
    assert isinstance(watcher.cmd("EXEC"), (RedisError, type(None)))
    assert client.cmd("GET", tag) == b"2"


def test_waiting_while_the_slot_moves(rd, moving, cluster):
    tag, move = moving
    waiter, late, other = rd(), rd(), rd()
    waiter.send(resp("BLPOP", tag, 0))
    wait_until(lambda: b"blocked_clients:1\r\n" in cluster.masters[0].ask("INFO", "clients"), 15, "it to wait")
    move()
    # The node sends it away, and it waits at the other.
    wait_until(lambda: b"blocked_clients:1\r\n" in cluster.masters[1].ask("INFO", "clients"), 15, "it to wait there")
    assert other.cmd("RPUSH", tag, "v") == 1
    assert waiter.reply() == [tag, b"v"]
    assert late.cmd("BLPOP", tag, 0.01) is None
    assert late.cmd("BLPOP", tag, b"x" + key_in(7000), 0) == CROSS


def test_what_has_a_connection_of_its_own_waits_out_a_slot_on_the_move(rd, cluster):
    """Keys on both sides make a node say TRYAGAIN, until all are on one."""
    slot = next(_slots)
    tag, (a, b) = key_in(slot), cluster.masters[:2]
    stays, goes = tag + b"stays", tag + b"goes"
    client, watcher, leaver = rd(), rd(), rd()
    client.cmd("RPUSH", stays, "s")
    client.cmd("RPUSH", goes, "g")
    cluster.begin_move(slot, a, b)
    cluster.move_keys(a, b, goes)
    before = errors_of(a, "TRYAGAIN")
    client.send(resp("BLPOP", goes, stays, 0) + resp("PING"))
    watcher.send(resp("WATCH", stays, goes) + resp("MULTI") + resp("LLEN", goes) + resp("EXEC"))
    leaver.send(resp("BLPOP", goes, stays, 0))
    wait_until(lambda: errors_of(a, "TRYAGAIN") >= before + 9, 10, "all to have been told to try again")
    leaver.reset()
    cluster.move_keys(a, b, stays)
    cluster.end_move(slot, b)
    assert client.reply() == [goes, b"g"] and client.reply() == "PONG"
    assert watcher.reply() == "OK" and [watcher.reply(), watcher.reply()] == ["OK", "QUEUED"]
    assert watcher.reply() in ([1], [0], None)  # before, after, or around the pop
    assert rd().cmd("LRANGE", stays, 0, -1) == [b"s"]


def test_trying_again_has_an_end(io, cluster):
    slot = next(_slots)
    tag, (a, b) = key_in(slot), cluster.masters[:2]
    stays, goes = tag + b"stays", tag + b"goes"
    with harness.Proxy(cluster_of(cluster.seeds, read_timeout=int(300 * SCALE)), io=io) as proxy:
        with RedisConn(proxy.address) as client:
            client.cmd("RPUSH", stays, "s")
            client.cmd("RPUSH", goes, "g")
            cluster.begin_move(slot, a, b)
            cluster.move_keys(a, b, goes)
            try:
                assert client.cmd("BLPOP", stays, goes, 0).startswith("TRYAGAIN")
                assert client.cmd("WATCH", stays, goes).startswith("TRYAGAIN")
                assert client.cmd("MULTI") == "OK" and client.cmd("EXEC") == []
            finally:
                cluster.move_keys(a, b, stays)
                cluster.end_move(slot, b)
            assert client.cmd("BLPOP", stays, goes, 0) == [stays, b"s"]


def errors_of(node, kind):
    for line in node.ask("INFO", "errorstats").decode().splitlines():
        if line.startswith(f"errorstat_{kind}:"):
            return int(line.split("count=")[1])
    return 0


def test_channels(rd):
    subscriber, shard, publisher = rd(), rd(), rd()
    channels = [b"c%d" % n for n in range(20)]
    for n, channel in enumerate(channels):
        assert subscriber.cmd("SUBSCRIBE", channel) == [b"subscribe", channel, n + 1]
        assert shard.cmd("SSUBSCRIBE", channel) == [b"ssubscribe", channel, n + 1]
    pattern = rd()
    pattern.cmd("PSUBSCRIBE", "c*")
    for channel in channels:
        publisher.cmd("PUBLISH", channel, "m")
        assert publisher.cmd("SPUBLISH", channel, "s") == 1
    assert [subscriber.reply() for _ in channels] == [[b"message", c, b"m"] for c in channels]
    assert sorted(pattern.reply()[2] for _ in channels) == sorted(channels)
    assert sorted(shard.reply()[1] for _ in channels) == sorted(channels)


def test_a_shard_channel_follows_its_slot(rd, moving):
    tag, move = moving
    client, publisher = rd(), rd()
    assert client.cmd("SSUBSCRIBE", tag) == [b"ssubscribe", tag, 1]
    move()
    wait_until(lambda: publisher.cmd("SPUBLISH", tag, "m") == 1, 15, "the subscription to follow")
    assert client.reply() == [b"smessage", tag, b"m"]
    late = rd()
    assert late.cmd("SSUBSCRIBE", tag) == [b"ssubscribe", tag, 1]
