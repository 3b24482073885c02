"""Time limits and the limit on connections."""

import threading
import time

import pytest

import harness
from clients import Closed, Conn, McConn, RedisConn, RedisError, resp
from fakes import Fake, full_backlog
from harness import SCALE, wait_until

IDLE = int(250 * SCALE)


def closed_after(conn):
    began = time.monotonic()
    data = conn.rest()
    return time.monotonic() - began, data


def test_idle_clients_are_closed(io, pool, keys):
    with harness.Proxy(harness.redis(pool.backends("redis")), harness.memcache(pool.backends("memcached")), io=io,
                       conf={"read_timeout": IDLE}) as proxy:
        for cluster in proxy.clusters:
            fresh, half = Conn(cluster.address), Conn(cluster.address)
            half.send(b"*3\r\n$3\r\nSET\r\n" if cluster.cache_type == "redis" else b"set k 0 0 10\r\nabc")
            waited, data = closed_after(fresh)
            assert data == b"" and IDLE / 1000 * 0.7 < waited < IDLE / 1000 * 8 + SCALE
            assert half.rest() == b""
        with RedisConn(proxy.clusters[0].address) as busy:
            end = time.monotonic() + IDLE / 1000 * 4
            while time.monotonic() < end:  # activity keeps it open, well beyond the limit
                assert busy.cmd("PING") == "PONG"
                busy.expect_silence(0.02)
            waited, _ = closed_after(busy)
            assert waited > IDLE / 1000 * 0.5


def test_no_limit_by_default(rd, mc):
    client, other = rd(), mc()
    client.expect_silence(1.2)
    other.expect_silence(0.1)
    assert client.cmd("PING") == "PONG"


def test_stuck_reader_is_closed(io, pool, keys):
    """write_timeout: a client that takes nothing for so long is closed; one that reads slowly is not."""
    with harness.Proxy(harness.redis(pool.backends("redis")), io=io, conf={"write_timeout": IDLE}) as proxy:
        key = keys.any()
        with RedisConn(proxy.address) as setup:
            setup.ok("SET", key, "v" * 1000000)
        wait_until(lambda: proxy.clients() == 0, 5)
        stuck = RedisConn(proxy.address, rcvbuf=4096)
        stuck.send(resp("GET", key) * 30)
        assert stuck.line() == b"$1000000\r\n"
        wait_until(lambda: proxy.clients() == 0, 10, "the stuck reader to be closed")
        stuck.close()
        slow = RedisConn(proxy.address, rcvbuf=65536)
        slow.send(resp("GET", key) * 30)
        pace = IDLE / 1000 / 10
        for _ in range(30):
            assert slow.line() == b"$1000000\r\n"
            for _ in range(2):
                slow.skip(500000)
                time.sleep(pace)  # the reader's pace is what is tested
            assert slow.exact(2) == b"\r\n"
        slow.close()


def test_dial_timeout(io, pool, keys):
    """A backend whose connections never complete: an error after dial_timeout, others are not held."""
    address, things = full_backlog()
    try:
        servers = [*pool.backends("redis")[:3], f"{address[0]}:{address[1]}:1"]
        servers = harness.server_lines(servers[:3]) + [servers[3] + " n3"]
        with harness.Proxy(harness.Cluster("redis", servers, dial_timeout=IDLE, read_timeout=60000), io=io) as proxy:
            client, other = RedisConn(proxy.address), RedisConn(proxy.address)
            fine = keys.on(0)
            began = time.monotonic()
            client.send(resp("GET", keys.on(3)))
            for n in range(20):
                other.ok("SET", fine, n)
            error = client.reply()
            waited = time.monotonic() - began
            assert isinstance(error, RedisError) and error.startswith("ERR "), error
            assert waited < IDLE / 1000 * 6 + SCALE, waited
            client.close()
            other.close()
    finally:
        for thing in things:
            thing.close()


def test_backend_write_timeout(io, pool, resources, keys):
    """A backend that takes no bytes: its requests fail after write_timeout (or read_timeout), not others'."""
    def behave(peer, fake):
        fake.release.wait(120)

    fake = resources(Fake(behave))
    with harness.Proxy(harness.redis([*pool.backends("redis")[:3], fake], read_timeout=IDLE, write_timeout=IDLE,
                                     dial_timeout=IDLE), io=io) as proxy:
        client, other = RedisConn(proxy.address), RedisConn(proxy.address)
        client.sock.settimeout(30 * SCALE)
        sender = threading.Thread(target=client.send, args=(resp("SET", keys.on(3), b"x" * 30000000),))
        sender.start()
        fine = keys.on(0)
        for n in range(100):
            other.ok("SET", fine, n)
        error = client.reply()
        assert isinstance(error, RedisError), error
        sender.join()
        assert client.cmd("GET", fine) == b"99"
        client.close()
        other.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_max_connections_is_exact(io, pool, workers):
    """Ten are admitted over both clusters, the eleventh gets an error line and the end."""
    with harness.Proxy(harness.redis(pool.backends("redis")), harness.memcache(pool.backends("memcached")), io=io,
                       workers=workers, conf={"max_connections": 10}) as proxy:
        rd, mc = (c.address for c in proxy.clusters)

        def admitted(address):
            conn = (RedisConn if address == rd else McConn)(address)
            try:
                conn.send(b"PING\r\n" if address == rd else b"version\r\n")
                line = conn.line()
            except (Closed, ConnectionResetError, BrokenPipeError) as closed:
                conn.close()
                return None, getattr(closed, "data", b"")
            if line.startswith((b"+PONG", b"VERSION")):
                return conn, line
            assert conn.rest() == b""
            conn.close()
            return None, line

        def all_gone():
            conn, _ = admitted(rd)
            if conn:
                conn.close()
            return conn is not None

        wait_until(all_gone, 5)
        for _ in range(3):
            held = []

            def fill():
                while len(held) < 10:
                    conn, _ = admitted((rd, mc)[len(held) % 2])
                    if conn is None:
                        return False
                    held.append(conn)
                return True

            wait_until(fill, 10, "ten connections to be admitted")
            for address, start in ((rd, b"-"), (mc, b"SERVER_ERROR ")):
                conn, line = admitted(address)
                assert conn is None and line.startswith(start), line
            held.pop().close()
            again = wait_until(lambda: admitted(rd)[0], 10, "the free place")
            held.append(again)
            assert admitted(mc)[0] is None
            for conn in held:
                conn.close()


def test_stalled_upload_is_closed(io, resources):
    """A client that stops in the middle of a large value is closed after 10 s; its backend connection serves on."""
    with harness.Proxy(harness.redis([resources(harness.Redis())]), io=io) as proxy:
        stalled = RedisConn(proxy.address, timeout=60 * SCALE)
        stalled.send(b"*3\r\n$3\r\nSET\r\n$3\r\ncut\r\n$1000000\r\n" + b"x" * 500_000)
        with RedisConn(proxy.address) as other:
            other.ok("SET", "whole", "w" * 500_000)
            waited, data = closed_after(stalled)
            assert data == b"" and waited > 5
            assert other.cmd("EXISTS", "cut") == 0
            assert other.cmd("STRLEN", "whole") == 500_000
