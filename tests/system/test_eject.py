"""ping_auto_eject: a node that fails leaves the ring and comes back."""

import socket
import threading

import pytest

import harness
from clients import McConn, RedisConn, RedisError, resp
from harness import SCALE, wait_until
from ring import Keys, Ring
from test_backend_faults import KINDS, Kind

SETTINGS = {"ping_auto_eject": True, "ping_fail_limit": 3, "ping_interval": int(50 * SCALE),
            "eject_retry_interval": int(100 * SCALE), "read_timeout": int(300 * SCALE),
            "dial_timeout": int(300 * SCALE)}


@pytest.mark.parametrize("how", ["kill", "stop"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_failing_node_leaves_and_returns(io, resources, keys, kind, how):
    make = {"redis": harness.Redis, "memcache": harness.Memcached}[kind]
    servers = [resources(make()) for _ in range(4)]
    with harness.Proxy(getattr(harness, kind)(servers, **SETTINGS), io=io) as proxy:
        client = Kind(kind, proxy.address)
        mine = keys.spread(8)
        for key in mine:
            assert client.set(key, b"old") is None
        (servers[2].kill9() if how == "kill" else servers[2].freeze())
        lost = [k for k in mine if keys.ring.node(k) == 2]
        wait_until(lambda: all(client.set(k, b"new") is None for k in lost), 15, "the node to be ejected")
        # the lost node's keys live where the ring of the other three says, the rest did not move
        smaller = Ring(["n0", "n1", "n3"])
        left = [servers[0], servers[1], servers[3]]
        for key in mine:
            what, value = client.get(key)
            assert (what, value) == ("value", b"new" if key in lost else b"old")
            direct = Kind(kind, left[smaller.node(key)].address)
            assert direct.get(key) == ("value", value)
            direct.close()
        (servers[2].start() if how == "kill" else servers[2].thaw())
        # what a stopped node had in its socket it still carries out, so only a value put there now tells
        direct = Kind(kind, servers[2].address)
        for key in lost:
            assert direct.set(key, b"direct") is None
        direct.close()
        wait_until(lambda: all(client.get(k) == ("value", b"direct") for k in lost), 15, "the node to be back")
        for key in lost:
            assert client.set(key, b"again") is None
            direct = Kind(kind, servers[2].address)
            assert direct.get(key) == ("value", b"again")
            direct.close()
        client.close()


@pytest.mark.parametrize("kind", KINDS)
def test_all_nodes_ejected(io, resources, keys, kind):
    make = {"redis": harness.Redis, "memcache": harness.Memcached}[kind]
    servers = [resources(make()) for _ in range(2)]
    with harness.Proxy(getattr(harness, kind)(servers, **SETTINGS), io=io) as proxy:
        client = Kind(kind, proxy.address)
        for server in servers:
            server.kill9()
        for _ in range(200):
            for key in keys.many(3):
                what, text = client.get(key)
                assert what == "error" and client.error_ok(text)
        for server in servers:
            server.start()
        wait_until(lambda: all(client.set(k, b"v") is None for k in keys.many(10)), 15)
        client.close()


def test_without_auto_eject_keys_stay(io, resources, keys):
    servers = [resources(harness.Redis()) for _ in range(2)]
    two = Keys(2)
    with harness.Proxy(harness.redis(servers, **{**SETTINGS, "ping_auto_eject": False}), io=io) as proxy, \
            RedisConn(proxy.address) as client:
        key = two.on(1)
        client.ok("SET", key, "v")
        servers[1].kill9()
        for _ in range(300):
            assert isinstance(client.cmd("GET", key), RedisError)
        servers[1].start()
        wait_until(lambda: client.cmd("GET", key) is None, 10)


@pytest.mark.parametrize("kind", KINDS)
def test_probes_write_nothing(io, resources, kind):
    """After many probes the servers hold no item and have seen no write."""
    server = resources({"redis": harness.Redis, "memcache": harness.Memcached}[kind]())
    with harness.Proxy(getattr(harness, kind)([server], **SETTINGS), io=io):
        if kind == "redis":
            with RedisConn(server.address) as direct:
                def probes():
                    text = direct.cmd("INFO", "commandstats").decode()
                    calls = {line.split(":")[0][8:]: int(line.split("calls=")[1].split(",")[0])
                             for line in text.splitlines() if line.startswith("cmdstat_")}
                    assert set(calls) <= {"ping", "info", "command", "command|count"}, calls  # the last two: what it learns
                    return calls.get("ping", 0) >= 5
                wait_until(probes, 10)
                assert direct.cmd("DBSIZE") == 0
        else:
            with McConn(server.address) as direct:
                def written():
                    direct.send(b"stats\r\n")
                    stats = dict(line.split()[1:3] for line in iter(direct.line, b"END\r\n"))
                    assert stats[b"total_items"] == stats[b"cmd_set"] == b"0"
                    return int(stats[b"bytes_read"]) > 7 + 10 * 5 + before
                before = 7 * 40
                wait_until(written, 15)


def test_flapping_node_under_load(io, resources, keys):
    """Ejected and back several times while clients work: no wrong value, no hang, no crash."""
    servers = [resources(harness.Memcached()) for _ in range(3)]
    with harness.Proxy(harness.memcache(servers, **SETTINGS), io=io) as proxy:
        stop, problems, done = threading.Event(), [], [0]

        def load():
            try:
                with McConn(proxy.address) as client:
                    mine = keys.many(30)
                    while not stop.is_set():
                        for key in mine:
                            line = client.set(key, key)
                            if line != b"STORED\r\n" and not line.startswith(b"SERVER_ERROR "):
                                problems.append(line)
                        client.send(b"get %s\r\n" % b" ".join(mine))
                        answer = client.raw_items()
                        if not answer.endswith(b"END\r\n") and b"SERVER_ERROR " not in answer:
                            problems.append(answer)
                        done[0] += 1
            except BaseException as failure:  # noqa: BLE001 - judged below
                problems.append(repr(failure))

        threads = [threading.Thread(target=load) for _ in range(4)]
        for t in threads:
            t.start()
        try:
            for _ in range(3):
                servers[1].kill9()
                mark = done[0]
                wait_until(lambda: done[0] > mark + 40 or problems, 20)
                servers[1].start()
                mark = done[0]
                wait_until(lambda: done[0] > mark + 40 or problems, 20)
        finally:
            stop.set()
            for t in threads:
                t.join()
        assert not problems, problems[:5]


def bytes_taken(kind, server):
    """So many bytes has the server received."""
    if kind == "redis":
        with RedisConn(server.address) as client:
            return int(client.cmd("INFO", "stats").split(b"total_net_input_bytes:")[1].split()[0])
    with McConn(server.address) as client:
        client.send(b"stats\r\n")
        return int(client.until(b"END\r\n").split(b"STAT bytes_read ")[1].split()[0])


@pytest.mark.parametrize("kind", KINDS)
def test_clients_that_leave_in_mid_value_eject_nobody(io, resources, kind):
    """One aborted upload would do, if it counted; and nobody else finds the backend down meanwhile."""
    make = {"redis": harness.Redis, "memcache": harness.Memcached}[kind]
    servers = [resources(make()) for _ in range(2)]
    settings = {**SETTINGS, "ping_fail_limit": 1, "read_timeout": int(5000 * SCALE), "dial_timeout": int(5000 * SCALE)}
    with harness.Proxy(getattr(harness, kind)(servers, **settings), io=io) as proxy:
        client = Kind(kind, proxy.address)
        mine = Keys(2).spread(2)
        for key in mine:
            assert client.set(key, b"v") is None
        for _ in range(5):
            before = [bytes_taken(kind, server) for server in servers]
            leaving = [socket.create_connection(proxy.address) for _ in mine]
            for one, key in zip(leaving, mine):
                one.sendall((resp("SET", key, b"x" * 900_000) if kind == "redis" else
                             b"set %s 0 0 900000\r\n" % key + b"x" * 900_000)[:300_000])
            wait_until(lambda before=before: all(bytes_taken(kind, server) > was + 400_000
                                                 for server, was in zip(servers, before)), 10, "half of the values")
            for one in leaving:
                one.close()
            for key in mine:
                assert client.get(key) == ("value", b"v")
        client.close()
        assert "out of the ring" not in proxy.output() and "trying again" not in proxy.output()
