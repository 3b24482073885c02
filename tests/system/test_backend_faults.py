"""Real backends that die, hang and come back."""

import threading
import time

import pytest

import harness
from clients import McConn, RedisConn, RedisError, resp
from harness import SCALE, wait_until

READ_TIMEOUT = int(400 * SCALE)


def start(io, resources, kind, **keys):
    make = {"redis": harness.Redis, "memcache": harness.Memcached}[kind]
    servers = [resources(make()) for _ in range(4)]
    settings = {"read_timeout": READ_TIMEOUT, "dial_timeout": READ_TIMEOUT, "write_timeout": READ_TIMEOUT, **keys}
    return servers, harness.Proxy(getattr(harness, kind)(servers, **settings), io=io)


class Kind:
    """The two protocols under one set of words; get answers the value, None, or an error text."""

    def __init__(self, kind, address):
        self.kind = kind
        self.conn = {"redis": RedisConn, "memcache": McConn}[kind](address)

    def close(self):
        self.conn.close()

    def set(self, key, value):
        if self.kind == "redis":
            answer = self.conn.cmd("SET", key, value)
            return None if answer == "OK" else str(answer)
        answer = self.conn.set(key, value)
        return None if answer == b"STORED\r\n" else answer.decode()

    def send_get(self, key):
        self.conn.send(resp("GET", key) if self.kind == "redis" else b"get %s\r\n" % key)

    def take(self):
        if self.kind == "redis":
            answer = self.conn.reply()
            return ("error", str(answer)) if isinstance(answer, RedisError) else ("value", answer)
        line = self.conn.line()
        if line == b"END\r\n":
            return ("value", None)
        if not line.startswith(b"VALUE"):
            return ("error", line.decode())
        value = self.conn.exact(int(line.split()[3]) + 2)[:-2]
        assert self.conn.line() == b"END\r\n"
        return ("value", value)

    def get(self, key):
        self.send_get(key)
        return self.take()

    def error_ok(self, text):
        """Errors are what the protocol knows and tell nothing about addresses."""
        assert text.startswith("ERR " if self.kind == "redis" else "SERVER_ERROR "), text
        assert "127.0.0.1" not in text, text
        return True


KINDS = ["redis", "memcache"]


@pytest.mark.parametrize("kind", KINDS)
def test_kill_one_of_four_under_load(io, resources, keys, kind):
    """Only the dead node's keys fail, with protocol errors, in time; after the restart all works by itself."""
    servers, proxy = start(io, resources, kind)
    with proxy:
        mine = keys.spread(10)
        node_of = {k: keys.ring.node(k) for k in mine}
        setup = Kind(kind, proxy.address)
        for key in mine:
            assert setup.set(key, key) is None
        stop = threading.Event()
        problems, slowest, seen_errors, phase = [], [0.0], [0], ["before"]

        def load(seed):
            client = Kind(kind, proxy.address)
            try:
                n = seed
                while not stop.is_set():
                    batch = [mine[(n + i * 7) % len(mine)] for i in range(8)]
                    n += 1
                    began = time.monotonic()
                    for key in batch:
                        client.send_get(key)
                    for key in batch:
                        what, value = client.take()
                        if what == "error":
                            client.error_ok(value)
                            if node_of[key] != 2:
                                problems.append(f"{phase[0]}: {key} of node {node_of[key]}: {value}")
                            seen_errors[0] += 1
                        elif value != key and not (value is None and node_of[key] == 2):
                            problems.append(f"{phase[0]}: {key} answered {value!r}")
                    slowest[0] = max(slowest[0], time.monotonic() - began)
            except BaseException as failure:  # noqa: BLE001 - judged below
                problems.append(f"{phase[0]}: {failure!r}")
            finally:
                client.close()

        threads = [threading.Thread(target=load, args=(n,)) for n in range(6)]
        for t in threads:
            t.start()
        try:
            wait_until(lambda: not problems and slowest[0] > 0 or problems, 10)
            phase[0] = "dead"
            servers[2].kill9()
            wait_until(lambda: seen_errors[0] > 20 or problems, 10, "errors of the dead node")
            phase[0] = "back"
            servers[2].start()
            probe = Kind(kind, proxy.address)
            lost = keys.on(2)
            wait_until(lambda: probe.set(lost, b"again") is None, 10, "the node to work again")
            assert probe.get(lost) == ("value", b"again")
            seen_errors[0] = 0
            for key in mine:
                assert probe.set(key, key) is None
                assert probe.get(key) == ("value", key)
            probe.close()
        finally:
            stop.set()
            for t in threads:
                t.join()
        assert not problems, problems[:5]
        assert slowest[0] < 10 * READ_TIMEOUT / 1000, slowest
        setup.close()


@pytest.mark.parametrize("kind", KINDS)
def test_dead_node_answers_at_once(io, resources, keys, kind):
    """After the first failures a request to a dead node does not wait for a dial each time."""
    servers, proxy = start(io, resources, kind)
    with proxy:
        client = Kind(kind, proxy.address)
        key = keys.on(1)
        assert client.set(key, b"v") is None
        servers[1].kill9()
        wait_until(lambda: client.get(key)[0] == "error", 10)
        before = proxy.cpu_seconds()
        for _ in range(300):
            what, text = client.get(key)
            assert what == "error" and client.error_ok(text)
        assert proxy.cpu_seconds() - before < 2 * SCALE
        client.close()


@pytest.mark.parametrize("kind", KINDS)
def test_backend_down_at_start(io, resources, keys, kind):
    make = {"redis": harness.Redis, "memcache": harness.Memcached}[kind]
    servers = [resources(make()) for _ in range(4)]
    servers[3].kill9()
    with harness.Proxy(getattr(harness, kind)(servers, dial_timeout=READ_TIMEOUT), io=io) as proxy:
        client = Kind(kind, proxy.address)
        up, down = keys.on(0), keys.on(3)
        assert client.set(up, b"v") is None and client.get(up) == ("value", b"v")
        what, text = client.get(down)
        assert what == "error" and client.error_ok(text)
        servers[3].start()
        wait_until(lambda: client.set(down, b"v") is None, 10, "the late node")
        assert client.get(down) == ("value", b"v")
        client.close()


@pytest.mark.parametrize("kind", KINDS)
def test_all_nodes_gone(io, resources, keys, kind):
    servers, proxy = start(io, resources, kind)
    with proxy:
        client = Kind(kind, proxy.address)
        mine = keys.spread(2)
        for key in mine:
            assert client.set(key, b"v") is None
        for server in servers:
            server.kill9()
        for _ in range(3):
            for key in mine:
                client.send_get(key)
            for key in mine:
                what, text = client.take()
                assert what == "error" and client.error_ok(text)
        if kind == "redis":
            for command in (("MGET", *mine), ("DEL", *mine), ("MSET", mine[0], 1, mine[3], 2)):
                answer = client.conn.cmd(*command)
                assert isinstance(answer, RedisError) and client.error_ok(answer)
            assert client.conn.cmd("PING") == "PONG"
        else:
            client.conn.send(b"get %s\r\n" % b" ".join(mine))
            client.error_ok(client.conn.line().decode())
            assert client.conn.ask(b"version\r\n").startswith(b"VERSION")
        for server in servers:
            server.start()
        for key in mine:
            wait_until(lambda: client.set(key, b"w") is None, 10)
        client.close()


@pytest.mark.parametrize("kind", KINDS)
def test_multi_key_with_one_node_down(io, resources, keys, kind):
    """A request that needs the dead node ends in one error; others are not touched, nothing is out of step."""
    servers, proxy = start(io, resources, kind)
    with proxy:
        client = Kind(kind, proxy.address)
        mine = keys.spread(2)
        for key in mine:
            assert client.set(key, key) is None
        alive = [k for k in mine if keys.ring.node(k) != 0]
        servers[0].kill9()
        wait_until(lambda: client.get(next(k for k in mine if k not in alive))[0] == "error", 10)
        for _ in range(10):
            if kind == "redis":
                got = client.conn.pipeline([("MGET", *mine), ("MGET", *alive), ("EXISTS", *mine), ("DEL", "x" + "y"),
                                            ("MSET", *[x for k in mine for x in (k, k)]), ("GET", alive[0])])
                assert isinstance(got[0], RedisError) and got[1] == alive and isinstance(got[2], RedisError)
                assert isinstance(got[4], RedisError) and got[5] == alive[0]
            else:
                client.conn.send(b"get %s\r\nget %s\r\nget %s\r\n" % (
                    b" ".join(mine), b" ".join(alive), alive[0]))
                seen = []
                while True:  # hits before the error are allowed
                    line = client.conn.line()
                    if line.startswith(b"SERVER_ERROR"):
                        break
                    assert line.startswith(b"VALUE"), (line, seen)
                    seen.append(line)
                    client.conn.exact(int(line.split()[3]) + 2)
                assert client.conn.items() == [(k, 0, k, None) for k in alive]
                assert client.conn.items() == [(alive[0], 0, alive[0], None)]
        client.close()


@pytest.mark.parametrize("kind", KINDS)
def test_hung_node_times_out_and_late_replies_go_nowhere(io, resources, keys, kind):
    """SIGSTOP: an error after read_timeout, not much later. After SIGCONT nobody gets an old answer."""
    servers, proxy = start(io, resources, kind)
    with proxy:
        client, other = Kind(kind, proxy.address), Kind(kind, proxy.address)
        mine = [keys.on(1) for _ in range(10)]
        for n, key in enumerate(mine):
            assert client.set(key, b"value-%d" % n) is None
        free = keys.on(0)
        assert other.set(free, b"free") is None
        servers[1].freeze()
        try:
            began = time.monotonic()
            for key in mine:
                client.send_get(key)
            assert other.get(free) == ("value", b"free")
            for key in mine:
                what, text = client.take()
                assert what == "error" and client.error_ok(text)
            waited = time.monotonic() - began
            assert READ_TIMEOUT / 1000 * 0.5 < waited < READ_TIMEOUT / 1000 * 4 + 1 * SCALE, waited
            for _ in range(3):
                assert client.get(mine[0])[0] == "error"
        finally:
            servers[1].thaw()
        wait_until(lambda: client.get(mine[3]) == ("value", b"value-3"), 10, "the node to answer again")
        for _ in range(20):
            for n, key in enumerate(mine):
                who = client if n % 2 else other
                assert who.get(key) == ("value", b"value-%d" % n)
        client.close()
        other.close()


@pytest.mark.parametrize("kind", KINDS)
def test_hangs_again_and_again_under_load(io, resources, keys, kind):
    """Short and long stops during load: a client sees its own values or errors, never something else."""
    servers, proxy = start(io, resources, kind)
    with proxy:
        stop = threading.Event()
        problems, counts = [], [0, 0]

        def load(seed):
            client = Kind(kind, proxy.address)
            mine = [b"%d-" % seed + k for k in keys.many(20)]
            have = {}
            try:
                n = 0
                while not stop.is_set():
                    n += 1
                    key = mine[n % 20]
                    value = b"%s=%d" % (key, n)
                    failed = client.set(key, value)
                    have[key] = {value} if failed is None else have.get(key, {None}) | {value}
                    batch = [mine[(n * 3 + i) % 20] for i in range(5)]
                    for k in batch:
                        client.send_get(k)
                    for k in batch:
                        what, got = client.take()
                        if what == "error":
                            counts[1] += 1
                            client.error_ok(got)
                        else:
                            counts[0] += 1
                            if got is not None and not got.startswith(k + b"="):
                                problems.append(f"{k} answered {got!r}")
            except BaseException as failure:  # noqa: BLE001 - judged below
                problems.append(repr(failure))
            finally:
                client.close()

        threads = [threading.Thread(target=load, args=(n,)) for n in range(5)]
        for t in threads:
            t.start()
        try:
            for turn in range(6):
                victim = servers[turn % 4]
                good = counts[0]
                wait_until(lambda: counts[0] > good + 50 or problems, 20)
                victim.freeze()
                bad = counts[1]
                if turn % 2:
                    wait_until(lambda: counts[1] > bad or problems, 20)
                victim.thaw()
        finally:
            stop.set()
            for server in servers:
                server.thaw()
            for t in threads:
                t.join()
        assert not problems, problems[:5]


@pytest.mark.parametrize("kind", KINDS)
def test_noreply_and_unread_requests_survive_a_restart(io, resources, keys, kind):
    """A client that pipelines through a backend's death gets exactly one answer per request."""
    servers, proxy = start(io, resources, kind)
    with proxy:
        client = Kind(kind, proxy.address)
        mine = keys.spread(50)
        for key in mine:
            client.send_get(key)
        servers[0].kill9()
        servers[0].start()
        for key in mine:
            what, value = client.take()
            assert value is None or what == "error"
        wait_until(lambda: client.set(mine[0], b"v") is None, 10)
        wait_until(lambda: all(client.set(k, b"v") is None for k in mine), 10)
        for key in mine:
            assert client.get(key) == ("value", b"v")
        client.close()
