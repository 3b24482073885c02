"""Limits on clients: how many, how fast, how long silent, and how much memory they may make the proxy hold."""

import pathlib
import socket
import time

import pytest

import harness
from clients import Closed, McConn, RedisConn, resp
from harness import wait_until

REDIS_FULL = b"-ERR max number of clients reached\r\n"
MEMCACHE_FULL = b"SERVER_ERROR max number of clients reached\r\n"


def admitted(address, kind):
    """A client that was let in, or the bytes that it got instead."""
    client = (RedisConn if kind == "redis" else McConn)(address)
    try:
        client.send(b"PING\r\n" if kind == "redis" else b"version\r\n")
        line = client.line()
    except (Closed, ConnectionResetError, BrokenPipeError) as closed:
        client.close()
        return getattr(closed, "data", b"")
    if line.startswith((b"+PONG", b"VERSION")):
        return client
    assert client.rest() == b""
    client.close()
    return line


@pytest.mark.parametrize("workers", [1, 2])
def test_max_clients_is_exact_for_each_cluster(io, pool, workers):
    """Five are let in, the sixth is refused in its protocol; the others serve on, and so does the other cluster."""
    rd = harness.redis(pool.backends("redis")[:2], name="rd", max_clients=5)
    mc = harness.memcache(pool.backends("memcached")[:2], name="mc", max_clients=3)
    free = harness.redis(pool.backends("redis")[:2], name="free")
    with harness.Proxy(rd, mc, free, io=io, workers=workers) as proxy:
        cases = ((rd, "redis", 5, REDIS_FULL), (mc, "memcache", 3, MEMCACHE_FULL))
        for cluster, kind, limit, full in cases:
            held = []

            def fill(cluster=cluster, kind=kind, limit=limit, held=held):
                while len(held) < limit:  # the harness' own probes may still be on their way out
                    client = admitted(cluster.address, kind)
                    if isinstance(client, bytes):
                        return False
                    held.append(client)
                return True

            wait_until(fill)
            for _ in range(3):
                # A reset may overtake the line.
                assert admitted(cluster.address, kind) in (full, b"")
            for client in held:
                if kind == "redis":
                    assert client.cmd("SET", "k", "v") == "OK"
                else:
                    assert client.set(b"limits:k", b"v") == b"STORED\r\n"
            other = admitted(free.address, "redis")
            assert not isinstance(other, bytes)
            other.close()
            held.pop().close()
            held.append(wait_until(lambda: not isinstance(c := admitted(cluster.address, kind), bytes) and c))
            assert admitted(cluster.address, kind) in (full, b"")
            if kind == "redis":
                info = held[0].cmd("INFO", "stats").decode()
                assert int(info.split("rejected_connections:")[1].split()[0]) >= 4
            for client in held:
                client.close()
        wait_until(lambda: "refused a client, max_clients = 5" in proxy.output())


def test_connections_beyond_the_rate_wait_and_are_served(io, pool):
    cluster = harness.redis(pool.backends("redis")[:1])
    with harness.Proxy(cluster, io=io, workers=2, conf={"max_accepts_per_second": 50}) as proxy:
        begin = time.monotonic()
        clients = [RedisConn(proxy.address) for _ in range(40)]
        for client in clients:
            client.send(b"PING\r\n")
        for client in clients:
            assert client.line() == b"+PONG\r\n"
            client.close()
        # A tenth of a second's worth may come at once, and each worker may be one too far ahead.
        assert time.monotonic() - begin >= (40 - 5 - 2 - 1) / 50


def test_idle_time_of_each_cluster(io, pool):
    idle = int(300 * harness.SCALE)
    quick = harness.redis(pool.backends("redis")[:1], name="quick", client_idle_timeout=idle)
    slow = harness.memcache(pool.backends("memcached")[:1], name="slow")
    with harness.Proxy(quick, slow, io=io) as proxy:
        with RedisConn(quick.address) as silent, McConn(slow.address) as patient:
            assert silent.cmd("PING") == "PONG"
            assert silent.rest() == b""
            assert patient.ask(b"version\r\n").startswith(b"VERSION")
        assert proxy.alive()


def keepalive_timer(local, remote):
    """Seconds until the kernel asks after the other end of this connection; None: it never will."""
    def words(port):
        return f"0100007F:{port:04X}"

    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        part = line.split()
        if (part[1], part[2], part[3]) == (words(local), words(remote), "01"):
            kind, left = part[5].split(":")
            return int(left, 16) / 100 if kind == "02" else None
    raise AssertionError("no such connection")


def backend_port(proxy_pid, backend):
    """The proxy's port of its connection to this backend."""
    inodes = set()
    for file in pathlib.Path(f"/proc/{proxy_pid}/fd").glob("*"):
        try:
            inodes.add(str(file.readlink()))
        except OSError:
            continue
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        part = line.split()
        if part[3] == "01" and part[2] == f"0100007F:{backend.port:04X}" and f"socket:[{part[9]}]" in inodes:
            return int(part[1].rsplit(":", 1)[1], 16)
    return None


@pytest.mark.parametrize("seconds", [0, 10, None])
def test_keepalive(io, pool, seconds):
    backend = pool.backends("redis")[0]
    keys = {} if seconds is None else {"tcp_keepalive": seconds, "backend_tcp_keepalive": seconds}
    with harness.Proxy(harness.redis([backend], **keys), io=io) as proxy, RedisConn(proxy.address) as client:
        assert client.cmd("SET", "k", "v") == "OK"
        port = wait_until(lambda: backend_port(proxy.pid, backend))
        # A timer that was set for sending is replaced when that is acknowledged.
        for local, remote in ((proxy.address[1], client.sock.getsockname()[1]), (port, backend.port)):
            if seconds == 0:
                wait_until(lambda local=local, remote=remote: keepalive_timer(local, remote) is None)
                continue
            least, most = (60 / 2, 60) if seconds is None else (0, seconds)
            wait_until(lambda local=local, remote=remote, least=least, most=most:
                       (left := keepalive_timer(local, remote)) is not None and least <= left <= most + 0.1)


def test_memory_is_taken_from_the_largest_and_comes_back(io, pool):
    """Clients that send large requests and never finish them use up max_memory: the largest is closed, a small one is
    served all the same, and what was held is given back."""
    cluster = harness.redis(pool.backends("redis")[:1])
    with harness.Proxy(cluster, io=io, conf={"max_memory": 48 << 20}) as proxy:
        with RedisConn(proxy.address) as client:
            assert client.cmd("SET", "small", "v") == "OK"
            before = proxy.rss()
            part = b"$1000\r\n" + b"x" * 1000 + b"\r\n"
            greedy = []
            for count in (1000, 12000, 18000, 24000):
                hog = RedisConn(proxy.address)
                greedy.append(hog)
                hog.sock.settimeout(0.2 * harness.SCALE)
                try:
                    hog.sock.sendall(b"*100001\r\n$4\r\nMSET\r\n" + part * count)
                except OSError:
                    pass  # not read from, or closed already
            wait_until(lambda: "max_memory is used up" in proxy.output() and ": closed client" in proxy.output())
            client.sock.settimeout(20 * harness.SCALE)
            for _ in range(20):
                assert client.cmd("GET", "small") == b"v"
            # The smallest of them was not what memory was short of.
            greedy[0].sock.settimeout(0.05)
            with pytest.raises(socket.timeout):
                greedy[0].sock.recv(1)
            for hog in greedy:
                hog.close()
            if not harness.SANITIZER:
                wait_until(lambda: proxy.rss() < before + (24 << 20), what="the memory to come back")
            assert client.cmd("GET", "small") == b"v"


def test_memory_of_replies_that_nobody_reads(io, pool):
    """Each of many clients stays below max_client_buffer, all together are above max_memory; who reads is served."""
    cluster = harness.redis(pool.backends("redis")[:1])
    with harness.Proxy(cluster, io=io, conf={"max_memory": 4 << 20}) as proxy:
        with RedisConn(proxy.address) as reader:
            assert reader.cmd("SET", "large", "v" * 30000) == "OK"
            deaf = []
            for _ in range(12):
                client = RedisConn(proxy.address, rcvbuf=4096)
                client.send(resp("GET", "large") * 400)
                deaf.append(client)
            wait_until(lambda: ": closed client" in proxy.output(), 20)
            for _ in range(20):
                assert reader.cmd("GET", "large") == b"v" * 30000
            for client in deaf:
                client.close()
