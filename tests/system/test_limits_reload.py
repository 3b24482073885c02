"""Each limit on requests changes while clients are connected: they stay, and meet the new limit from their next request on."""

import contextlib

import pytest

import harness
from clients import Closed, McConn, RedisConn, RedisError, resp
from harness import wait_until
from metrics_page import Watched, fetch


@pytest.fixture
def proxy(pool, io, resources):
    return resources(Watched(harness.redis(pool.backends("redis")[:1], name="rd"),
                             harness.memcache(pool.backends("memcached")[:1], name="mc"), io=io))


def set_limits(proxy, **keys):
    """In force when it returns; None takes a key away."""
    for cluster in proxy.clusters:
        cluster.keys.update(keys)
        for name in [name for name, value in keys.items() if value is None]:
            del cluster.keys[name]
    proxy.cluster_file.write_text("\n".join(c.toml() for c in proxy.clusters))
    status, text = fetch(proxy.http, "/reload", "POST")
    assert status == 200 and all(name in text for name in keys), text


def hits(proxy, limit):
    return proxy.scrape().sum("overlord_proxy_limit_hits_total", limit=limit)


def test_key_size(proxy):
    with RedisConn(proxy.clusters[0].address) as rd, McConn(proxy.clusters[1].address) as mc:
        assert rd.cmd("SET", "k" * 20, "v") == "OK" and mc.set(b"k" * 20, b"v") == b"STORED\r\n"
        set_limits(proxy, max_key_size=10)
        assert isinstance(rd.cmd("GET", "k" * 20), RedisError)
        assert mc.value(b"k" * 20) == b"v"  # memcache has a limit of its own
        assert mc.ask(b"get " + b"k" * 251 + b"\r\n").startswith(b"CLIENT_ERROR")
        assert proxy.scrape().one("overlord_proxy_limit_hits_total", cluster="rd", limit="max_key_size") == 1
        assert rd.cmd("GET", "short") is None and mc.value(b"short") is None
        set_limits(proxy, max_key_size=None)
        assert rd.cmd("GET", "k" * 20) == b"v" and mc.value(b"k" * 20) == b"v"


def test_size_of_a_request(proxy):
    with RedisConn(proxy.clusters[0].address) as greedy, RedisConn(proxy.clusters[0].address) as other:
        large = resp("MSET", *(part for n in range(5) for part in (f"k{n}", "v" * 1000)))
        greedy.send(large)
        assert greedy.reply() == "OK" and other.cmd("PING") == "PONG"
        set_limits(proxy, max_request_size=2048, max_value_size=2000)
        greedy.send(large[:-1])
        assert greedy.rest().startswith(b"-ERR")
        assert other.cmd("PING") == "PONG" and hits(proxy, "max_request_size") == 1


def test_pipeline(proxy):
    """More than may be in flight wait in the socket, and are answered all the same."""
    with RedisConn(proxy.clusters[0].address) as rd, McConn(proxy.clusters[1].address) as mc:
        many = [("GET", f"limits:{n}") for n in range(200)]
        assert rd.pipeline(many) == [None] * 200 and hits(proxy, "max_pipeline") == 0
        set_limits(proxy, max_pipeline=2)
        assert rd.pipeline(many) == [None] * 200
        mc.send(b"get limits:none\r\n" * 200)
        assert [mc.line() for _ in range(200)] == [b"END\r\n"] * 200
        page = proxy.scrape()
        assert all(page.one("overlord_proxy_limit_hits_total", cluster=name, limit="max_pipeline") > 0
                   for name in ("rd", "mc"))


def test_answers_that_wait_for_a_client(proxy):
    """Who does not read its answers is not read from; then it gets every one of them."""
    with RedisConn(proxy.clusters[0].address, rcvbuf=4096) as deaf, RedisConn(proxy.clusters[0].address) as other:
        assert deaf.cmd("SET", "large", "v" * 30_000) == "OK"
        set_limits(proxy, max_client_buffer=65536)
        deaf.send(resp("GET", "large") * 300)
        wait_until(lambda: hits(proxy, "max_client_buffer") > 0)
        assert other.cmd("PING") == "PONG"
        assert [deaf.reply() for _ in range(300)] == [b"v" * 30_000] * 300


def test_requests_that_wait_for_a_backend(io, resources):
    """Above max_node_queue a request fails at once, in its place; what was queued is answered."""
    server = resources(harness.Redis())
    proxy = resources(Watched(harness.redis([server], name="c", node_connections=1, read_timeout=60_000), io=io))
    with RedisConn(proxy.address) as client, RedisConn(proxy.address) as other:
        client.ok("SET", "k", "v")
        set_limits(proxy, max_node_queue=5)
        client.ok("SET", "k", "v")
        server.freeze()
        try:
            client.send(resp("GET", "k") * 20)
            wait_until(lambda: proxy.scrape().one("overlord_proxy_backend_queue_requests", cluster="c") == 5)
            assert other.cmd("PING") == "PONG"
            assert isinstance(other.cmd("GET", "k"), RedisError)
            assert hits(proxy, "max_node_queue") == 1
        finally:
            server.thaw()
        replies = [client.reply() for _ in range(20)]
        assert replies[:5] == [b"v"] * 5 and all(isinstance(r, RedisError) for r in replies[5:])
        assert hits(proxy, "max_node_queue") == 16


def test_established_clients_come_first(proxy):
    """A limit below what is connected closes nobody: new ones are refused, until enough have left."""
    address = proxy.clusters[0].address
    held = [RedisConn(address) for _ in range(5)]
    try:
        assert all(client.cmd("PING") == "PONG" for client in held)
        set_limits(proxy, max_clients=2)
        assert all(client.cmd("PING") == "PONG" for client in held)
        with RedisConn(address) as late, contextlib.suppress(Closed, ConnectionResetError, BrokenPipeError):
            assert "max number of clients" in str(late.cmd("PING"))  # which a reset may overtake
        wait_until(lambda: hits(proxy, "max_clients") > 0)
        for client in held[:4]:
            client.close()

        def let_in():
            with RedisConn(address) as late:
                try:
                    return late.cmd("PING") == "PONG"
                except (Closed, ConnectionResetError, BrokenPipeError):
                    return False

        wait_until(let_in)
        assert held[4].cmd("PING") == "PONG"
    finally:
        for client in held:
            client.close()
