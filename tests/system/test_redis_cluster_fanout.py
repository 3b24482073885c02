"""Commands over all nodes, scripts and learned commands in front of a Redis Cluster."""

import collections

import pytest

import harness
from clients import RedisConn
from harness import wait_until
from redis_cluster import RedisCluster, cluster_of, slot_of


@pytest.fixture(scope="module")
def cluster():
    made = RedisCluster()
    yield made
    made.close()


@pytest.fixture
def client(io, cluster):
    with harness.Proxy(cluster_of(cluster.seeds[:2], flush_all_enabled=True), io=io, workers=2) as proxy, RedisConn(proxy.address) as conn:
        wait_until(lambda: conn.cmd("SET", "ready", 1) == "OK", 20, "the cluster to be known")
        conn.ok("FLUSHALL")
        yield conn


def test_all_masters_are_asked_and_no_replica(client, cluster, keys):
    names = keys.many(2000)
    client.pipeline([("SET", name, b"v") for name in names])
    assert client.cmd("DBSIZE") == 2000
    assert collections.Counter(client.cmd("KEYS", "*")) == collections.Counter(names)
    found, cursor = [], b"0"
    while True:
        cursor, page = client.cmd("SCAN", cursor, "COUNT", 100)
        found += page
        if cursor == b"0":
            break
    assert collections.Counter(found) == collections.Counter(names)
    assert client.cmd("RANDOMKEY") in set(names)
    client.ok("FLUSHDB")
    assert client.cmd("DBSIZE") == 0 and client.cmd("RANDOMKEY") is None


def test_scripts_on_all_masters(client, cluster, keys):
    text = "redis.call('SET', KEYS[1], ARGV[1]) return ARGV[1]"
    sha = client.cmd("SCRIPT", "LOAD", text)
    assert client.cmd("SCRIPT", "EXISTS", sha) == [1]
    for master, (first, last) in zip(cluster.masters, cluster.slots):
        with RedisConn(master.address) as direct:
            assert direct.cmd("SCRIPT", "EXISTS", sha) == [1]
            direct.ok("SCRIPT", "FLUSH")
            name = next(k for k in iter(keys.any, None) if first <= slot_of(k) <= last)
            assert client.cmd("EVALSHA", sha, 1, name, "x") == b"x"
            assert direct.cmd("GET", name) == b"x"
    for number in range(10):
        assert client.cmd("EVAL", f"return {number}", 0) == number


def test_resp3_of_merged_replies(client, keys):
    client.send(b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n")
    assert client.raw().startswith(b"%")
    client.ok("SET", "a", 1)
    assert client.cmd_raw("DBSIZE") == b":1\r\n"
    assert client.cmd_raw("KEYS", "*") == b"*1\r\n$1\r\na\r\n"
    assert client.cmd_raw("RANDOMKEY") == b"$1\r\na\r\n"
    assert client.cmd_raw("SCAN", 0, "COUNT", 100).startswith(b"*2\r\n$")
    assert client.cmd_raw("SCRIPT", "EXISTS", "x") == b"*1\r\n:0\r\n"
    assert client.cmd_raw("FUNCTION", "STATS").startswith(b"%2\r\n$14\r\nrunning_script\r\n_\r\n")
    client.ok("FLUSHALL")
    assert client.cmd_raw("RANDOMKEY") == b"_\r\n"
