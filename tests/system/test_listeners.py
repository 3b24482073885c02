"""Where the proxy listens and what it connects to; several clusters and workers in one process."""

import os
import socket

import pytest

import harness
from clients import McConn, RedisConn, resp
from ring import Keys


def works(address, kind, count=20):
    names = Keys(4).many(count)
    if kind == "redis":
        with RedisConn(address) as client:
            client.ok("MSET", *[x for k in names for x in (k, k)])
            assert client.cmd("MGET", *names) == names
    else:
        with McConn(address) as client:
            for key in names:
                assert client.set(key, key) == b"STORED\r\n"
            assert client.get(*names) == [(k, 0, k, None) for k in names]


@pytest.mark.parametrize("kind", ["redis", "memcache"])
def test_ipv6_on_both_sides(io, resources, kind):
    make = {"redis": harness.Redis, "memcache": harness.Memcached}[kind]
    servers = [resources(make(host="::1")) for _ in range(2)]
    with harness.Proxy(harness.Cluster(kind, servers, host="::1"), io=io) as proxy:
        works(proxy.address, kind)


@pytest.mark.parametrize("aliases", [True, False])
@pytest.mark.parametrize("kind", ["redis", "memcache"])
def test_unix_sockets_on_both_sides(io, resources, tmp_path, kind, aliases):
    make = {"redis": harness.Redis, "memcache": harness.Memcached}[kind]
    servers = [resources(make(unix=True)) for _ in range(2)]
    path = str(tmp_path / "proxy.sock")
    with harness.Proxy(harness.Cluster(kind, servers, listen=path, aliases=aliases), io=io) as proxy:
        works(proxy.address, kind)
    # a socket file left behind by a crash does not stop the next start
    left = socket.socket(socket.AF_UNIX)
    try:
        left.bind(path)
    except OSError:
        pass
    left.close()
    with harness.Proxy(harness.Cluster(kind, servers, listen=path), io=io) as proxy:
        works(proxy.address, kind)


def test_unix_prefix_form(io, pool, tmp_path):
    path = str(tmp_path / "p.sock")
    cluster = harness.Cluster("redis", pool.backends("redis"), listen=path, listen_proto="tcp",
                              listen_addr=f"unix:{path}")
    with harness.Proxy(cluster, io=io) as proxy:
        works(proxy.address, "redis")


def test_host_names(io, pool):
    servers = [f"localhost:{s.port}:1 n{n}" for n, s in enumerate(pool.backends("redis"))]
    port = harness.free_port()
    cluster = harness.Cluster("redis", servers, listen_addr=f"localhost:{port}")
    cluster.port = port
    with harness.Proxy(cluster, io=io) as proxy:
        works(("127.0.0.1", port), "redis")
        assert proxy.alive()


def test_a_port_alone_means_all_addresses(io, pool):
    port = harness.free_port("0.0.0.0")
    cluster = harness.Cluster("memcache", pool.backends("memcached"), listen_addr=str(port))
    cluster.port = port
    with harness.Proxy(cluster, io=io):
        works(("127.0.0.1", port), "memcache")
        works(("127.0.0.2", port), "memcache")


@pytest.mark.parametrize("workers", [1, 2])
def test_several_clusters(io, pool, workers):
    clusters = [harness.redis(pool.backends("redis")[:2], name="a"), harness.memcache(pool.backends("memcached")[:2], name="b"),
                harness.redis(pool.backends("redis")[2:], name="c"), harness.memcache(pool.backends("memcached")[2:], name="d")]
    with harness.Proxy(*clusters, io=io, workers=workers) as proxy:
        for cluster in proxy.clusters:
            works(cluster.address, cluster.cache_type)


def thread_ticks(proxy):
    ticks = []
    for task in os.listdir(f"/proc/{proxy.pid}/task"):
        fields = open(f"/proc/{proxy.pid}/task/{task}/stat").read().rsplit(")", 1)[1].split()
        ticks.append(int(fields[11]) + int(fields[12]))
    return sorted(ticks, reverse=True)


def test_two_workers_share_the_load(io, pool):
    """100 busy connections: two threads do work, none of them nearly all of it."""
    with harness.Proxy(harness.redis(pool.backends("redis")), io=io, workers=2) as proxy:
        clients = [RedisConn(proxy.address) for _ in range(100)]
        wire = resp("MGET", *Keys(4).many(50)) * 10

        def busy_enough():
            for client in clients:
                client.send(wire)
            for client in clients:
                client.skip(255 * 10)
            return sum(thread_ticks(proxy)) >= 25

        harness.wait_until(busy_enough, 60)
        ticks = thread_ticks(proxy)
        assert ticks[1] >= ticks[0] / 6, ticks
        for client in clients:
            client.close()


def test_a_few_long_connections_spread_over_workers(io, pool):
    """Even 8 connections do not all land on one of two workers."""
    with harness.Proxy(harness.redis(pool.backends("redis")), io=io, workers=2) as proxy:
        clients = [RedisConn(proxy.address) for _ in range(8)]
        wire = resp("MGET", *Keys(4).many(50)) * 100

        def busy_enough():
            for client in clients:
                client.send(wire)
            for client in clients:
                client.skip(255 * 100)
            return sum(thread_ticks(proxy)) >= 25

        harness.wait_until(busy_enough, 60)
        ticks = thread_ticks(proxy)
        assert ticks[1] >= ticks[0] / 10, ticks
        for client in clients:
            client.close()


def test_weights(io, pool):
    """A heavier server holds more."""
    servers = pool.backends("memcached")[:2]
    lines = [f"{servers[0].spec}:1 n0", f"{servers[1].spec}:4 n1"]
    with harness.Proxy(harness.Cluster("memcache", lines), io=io) as proxy, McConn(proxy.address) as client, \
            McConn(servers[0].address) as light, McConn(servers[1].address) as heavy:
        names = Keys(2).many(500)
        for key in names:
            assert client.set(key, b"v") == b"STORED\r\n"
        on_light, on_heavy = len(light.get(*names)), len(heavy.get(*names))
        assert on_light + on_heavy == 500 and on_heavy > 2 * on_light > 0


def test_the_other_protocol_is_not_served(io, pool):
    """A redis client at a memcache port and the other way round: an error, no crash, no hang."""
    with harness.Proxy(harness.redis(pool.backends("redis")), harness.memcache(pool.backends("memcached")),
                       io=io) as proxy:
        rd, mc = (c.address for c in proxy.clusters)
        with McConn(rd) as client:
            assert client.ask(b"set k 0 0 1\r\n").startswith(b"-")
        with RedisConn(mc) as client:
            client.send(resp("GET", "k"))
            assert client.line().startswith((b"ERROR", b"CLIENT_ERROR"))
