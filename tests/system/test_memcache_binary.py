"""Binary clients: quiet commands, fences, large values, one port for all protocols, faults, tools."""

import base64
import hashlib
import os
import subprocess
import threading

import pytest

import harness
from clients import BinaryConn, Closed, Frame, McConn, Op, arithmetic, frame, store, touching
from fakes import Fake
from ring import Keys


@pytest.fixture
def client(proxy):
    with BinaryConn(proxy.clusters[0].address) as made:
        yield made


# quiet commands and fences


def test_quiet_commands_say_only_what_is_new(client, keys):
    hit, miss = keys.many(2)
    assert client.fenced(store(Op.SETQ, hit, b"10") + store(Op.REPLACEQ, hit, b"11") + frame(Op.APPENDQ, hit, b"", b"1")
                         + arithmetic(Op.INCRQ, hit, 4) + arithmetic(Op.DECRQ, hit, 1)
                         + frame(Op.GETQ, miss) + frame(Op.GETKQ, miss) + touching(Op.GATQ, miss, 9)
                         + touching(Op.GATKQ, miss, 9)) == []
    got = client.fenced(store(Op.ADDQ, hit, b"x", opaque=1) + frame(Op.GETKQ, hit, opaque=2) + frame(Op.GETQ, miss, opaque=3)
                        + frame(Op.DELETEQ, hit) + frame(Op.DELETEQ, hit, opaque=4)
                        + store(Op.REPLACEQ, hit, b"", opaque=5) + frame(Op.PREPENDQ, hit, b"", b"x", opaque=6)
                        + arithmetic(Op.INCRQ, hit, 1, opaque=7))
    assert [(r.opaque, r.status, r.key, r.value) for r in got] == [
        (1, 2, b"", b"Data exists for key."), (2, 0, hit, b"114"), (4, 1, b"", b"Not found"),
        (5, 1, b"", b"Not found"), (6, 5, b"", b"Not stored."), (7, 1, b"", b"Not found")]


def test_answers_keep_the_order_of_the_requests(client, keys):
    """Hits, misses, stores and fences over four nodes in one go."""
    names = keys.spread(50)
    for n, k in enumerate(names):
        if n % 3:
            client.send(store(Op.SETQ, k, k * (n % 7), flags=n))
    data, want = b"", []
    for n in range(1000):
        k = names[n * 7 % 200]
        at = names.index(k)
        there = at % 3 != 0
        op = [Op.GETQ, Op.GETKQ, Op.GET, Op.GETK, Op.NOOP, Op.VERSION][n % 6]
        data += frame(op, b"" if op in (Op.NOOP, Op.VERSION) else k, opaque=n)
        if op in (Op.NOOP, Op.VERSION) or there or op in (Op.GET, Op.GETK):
            value = k * (at % 7) if there else (b"" if op == Op.GETK else b"Not found")
            want.append((op, n, None if op in (Op.NOOP, Op.VERSION) else value))
    got = client.fenced(data)
    assert [(r.op, r.opaque, None if r.op in (Op.NOOP, Op.VERSION) else r.value) for r in got] == want


def test_a_noop_alone_flushes_what_waits(client, keys):
    """Quiet commands are carried out without a fence, and the fence comes when they have been."""
    k = keys.any()
    client.send(store(Op.SETQ, k, b"1"))
    other = BinaryConn((client.sock.getpeername()))
    harness.wait_until(lambda: other.value(k) == b"1", what="the quiet set to happen")
    other.close()
    client.expect_silence()
    assert client.fenced(b"") == []


def test_unique_guards(client, keys):
    k = keys.any()
    first = client.set(k, b"a")
    second = client.ask(store(Op.SET, k, b"b", cas=first))
    assert second.status == 0 and second.cas not in (0, first)
    assert client.ask(store(Op.SET, k, b"c", cas=first))[:2] == (Op.SET, 2)
    assert client.ask(frame(Op.DELETE, k, cas=first)).status == 2
    assert client.ask(frame(Op.GET, k))[1:4] == (0, 0, second.cas)
    assert client.ask(frame(Op.DELETE, k, cas=second.cas)).status == 0


def test_counters(client, keys):
    k = keys.any()
    assert client.ask(arithmetic(Op.INCR, k, 5)).status == 1
    made = client.ask(arithmetic(Op.INCR, k, 5, initial=2**64 - 1, exptime=0))
    assert (made.status, made.value) == (0, b"\xff" * 8) and made.cas
    assert client.ask(arithmetic(Op.INCR, k, 3, exptime=0)).value == b"\0" * 7 + b"\2"
    assert client.ask(arithmetic(Op.DECR, k, 9)).value == b"\0" * 8
    client.set(k, b"text")
    assert client.ask(arithmetic(Op.DECR, k, 1))[:2] == (Op.DECR, 6)


# one port


def test_one_port_serves_binary_text_and_meta(proxy, keys):
    address = proxy.clusters[0].address
    with BinaryConn(address) as binary, McConn(address) as text:
        k = keys.any()
        binary.set(k, b"from binary", flags=77)
        assert text.get(k) == [(k, 77, b"from binary", None)]
        assert text.ask(b"ms %s 9 F5\r\nfrom meta\r\n" % k) == b"HD\r\n"
        assert binary.ask(frame(Op.GETK, k))[4:] == (b"\0\0\0\5", k, b"from meta")
        odd = k + b" \x00\x7f\r\n"
        binary.set(odd, b"odd")
        encoded = base64.b64encode(odd)
        assert text.ask(b"mg %s b v\r\n" % encoded) == b"VA 3\r\n" and text.line() == b"odd\r\n"
        # 0x80 begins the binary protocol at the beginning only.
        text.send(frame(Op.NOOP))
        assert text.rest() == b"ERROR\r\n"


def test_the_first_byte_decides_whenever_it_comes(proxy):
    address = proxy.clusters[0].address
    with BinaryConn(address) as binary, McConn(address) as text:
        binary.send(b"\x80")
        text.send(b"v")
        binary.send(frame(Op.NOOP, opaque=9)[1:])
        text.send(b"ersion\r\n")
        assert binary.reply().opaque == 9
        assert text.line().startswith(b"VERSION ")


def test_a_port_for_binary_clients_only(io, pool, keys):
    cluster = harness.Cluster("memcache_binary", pool.backends("memcached"))
    with harness.Proxy(cluster, io=io) as running:
        with BinaryConn(running.address) as binary, McConn(running.address) as text:
            k = keys.any()
            binary.set(k, b"v")
            assert binary.value(k) == b"v"
            text.send(b"version\r\n")
            assert text.rest() == b""


# large values


def test_large_values(client, mc, keys):
    """Those that are passed on in pieces, both ways, between small ones and with odd keys."""
    for k in (keys.any(), keys.any() + b" \r\n"):
        value = os.urandom(3_000_000)
        assert client.set(k, value, flags=3)
        small = keys.any()
        client.send(store(Op.SETQ, small, b"s"))
        client.send(b"".join([frame(Op.GETQ, small, opaque=1), frame(Op.GETKQ, k, opaque=2), frame(Op.GETQ, b"none"),
                              frame(Op.GETK, k, opaque=3), touching(Op.GATQ, k, 0, opaque=4), frame(Op.NOOP, opaque=5)]))
        assert client.reply()[6] == b"s"
        for opaque, key in ((2, k), (3, k), (4, b"")):
            got = client.reply()
            assert got[1:3] == (0, opaque) and got[4:6] == (b"\0\0\0\3", key)
            assert hashlib.md5(got.value).digest() == hashlib.md5(value).digest()
        assert client.reply().opaque == 5


def test_large_quiet_stores_in_a_row(client, keys):
    names = keys.many(4)
    values = [os.urandom(200_000 + n) for n in range(4)]
    data = b"".join(store(Op.SETQ, k, v) + frame(Op.GETKQ, k, opaque=n) for n, (k, v) in enumerate(zip(names, values)))
    got = client.fenced(data + store(Op.ADDQ, names[0], values[0], opaque=9))
    assert [(r.opaque, r.key) for r in got] == [*enumerate(names), (9, b"")]
    assert [r.value for r in got[:4]] == values and got[4].status == 2


def test_a_value_beyond_the_limit_is_skipped(io, pool, keys):
    k = keys.any()
    with harness.Proxy(harness.memcache(pool.backends("memcached"), max_value_size=100_000), io=io) as running:
        with BinaryConn(running.address) as client:
            got = client.fenced(store(Op.SETQ, k, b"x" * 1_000_000, opaque=1) + frame(Op.GETQ, k)
                                + store(Op.SET, k, b"x" * 100_000, opaque=2))
            assert [(r.opaque, r.status, r.value) for r in got] == [(1, 3, b"Too large."), (2, 0, b"")]


# commands that ask all nodes


def test_stats(client, mc, proxy, keys):
    def stats(kind=b""):
        client.send(frame(Op.STAT, kind, opaque=5))
        found = {}
        while True:
            got = client.reply()
            assert (got.op, got.status, got.opaque, got.cas, got.extras) == (Op.STAT, 0, 5, 0, b"")
            if not got.key:
                assert not got.value
                return found
            found[got.key.decode()] = got.value.decode()

    general = stats()
    text = mc()
    text.send("stats\r\n")
    lines = text.until(b"END\r\n").decode().splitlines()[:-1]
    assert [line.split()[1] for line in lines] == list(general)
    assert general["overlord_pid"] == str(proxy.pid) and int(general["threads"]) == 4
    assert stats(b"settings")["maxbytes"] == str(128 << 20)
    assert "sizes_status" in stats(b"sizes")
    client.set(keys.any(), b"v")
    assert any(name.endswith(":number") for name in stats(b"items"))
    assert client.ask(frame(Op.STAT, b"cachedump 1 1"))[:2] == (Op.STAT, 1)


def test_flush_needs_permission(client, io, resources, keys):
    assert client.ask(frame(Op.FLUSH))[:2] == (Op.FLUSH, 0x20)
    assert client.ask(frame(Op.FLUSHQ))[:2] == (Op.FLUSHQ, 0x20)
    servers = [resources(harness.Memcached()) for _ in range(2)]
    with harness.Proxy(harness.memcache(servers, flush_all_enabled=True), io=io) as running:
        with BinaryConn(running.address) as allowed:
            names = Keys(2).spread(3)
            for k in names:
                allowed.set(k, b"v")
            assert allowed.fenced(touching(Op.FLUSHQ, b"", 1000) + frame(Op.GETQ, names[0]))[0].value == b"v"
            assert allowed.ask(frame(Op.FLUSH))[:2] == (Op.FLUSH, 0)
            assert allowed.fenced(b"".join(frame(Op.GETQ, k) for k in names)) == []
            servers[1].kill9()
            got = harness.wait_until(lambda: [r for r in [allowed.ask(frame(Op.FLUSHQ) + frame(Op.NOOP))]
                                              if r.op == Op.FLUSHQ or not allowed.reply()], what="the loss to be seen")
            assert got[0].status == 0x86 and allowed.reply().op == Op.NOOP


def test_version_verbosity_quit(client, proxy):
    assert client.ask(frame(Op.VERSION)).value == subprocess.run(
        [str(harness.PROXY), "-version"], capture_output=True, check=True).stdout.split()[-1]
    assert client.ask(frame(Op.VERBOSITY, b"", b"\0\0\0\1"))[:2] == (Op.VERBOSITY, 0)
    client.send(frame(Op.GETK, b"none-such") + frame(Op.QUIT, opaque=3) + frame(Op.NOOP))
    assert [r.op for r in client.until_closed()] == [Op.GETK, Op.QUIT]
    with BinaryConn(proxy.clusters[0].address) as other:
        other.send(frame(Op.GETK, b"none-such") + frame(Op.QUITQ) + frame(Op.NOOP))
        assert [r.op for r in other.until_closed()] == [Op.GETK]


# faults


def test_a_lost_node_fails_what_was_in_flight_quiet_or_not(io, pool, resources, keys):
    """Each request gets its own error; those of the other node their answers."""
    asked = threading.Event()

    def behave(peer, fake):
        peer.mc_request()
        asked.set()
        fake.release.wait(60 * harness.SCALE)

    fake = resources(Fake(behave))
    names = Keys(2)
    lost, kept = [names.on(1) for _ in range(20)], [names.on(0) for _ in range(20)]
    with harness.Proxy(harness.memcache([pool.backends("memcached")[0], fake]), io=io) as running:
        with BinaryConn(running.address) as client:
            client.send(b"".join(store(Op.SETQ, k, k) for k in kept))
            ops = [lambda k, n: frame(Op.GETQ, k, opaque=n), lambda k, n: store(Op.SETQ, k, b"v", opaque=n),
                   lambda k, n: frame(Op.DELETEQ, k, opaque=n), lambda k, n: arithmetic(Op.INCRQ, k, 1, opaque=n),
                   lambda k, n: frame(Op.GETK, k, opaque=n), lambda k, n: touching(Op.GATKQ, k, 9, opaque=n)]
            data = b""
            for n in range(20):
                data += ops[n % 6](lost[n], 2 * n) + frame(Op.GETKQ, kept[n], opaque=2 * n + 1)
            client.send(data + frame(Op.NOOP, opaque=99))
            assert asked.wait(20 * harness.SCALE)
            fake.close()
            for n in range(20):
                assert client.reply()[1:3] == (0x86, 2 * n)
                got = client.reply()
                assert (got.status, got.opaque, got.key, got.value) == (0, 2 * n + 1, kept[n], kept[n])
            assert client.reply().opaque == 99


def test_a_node_that_is_down_or_late(io, pool, resources):
    def never(peer, fake):
        while True:
            peer.mc_request()

    late = resources(Fake(never))
    names = Keys(3)
    servers = [pool.backends("memcached")[0], "127.0.0.1:1:1 n1", late.spec + ":1 n2"]
    servers[0] = servers[0].spec + ":1 n0"
    with harness.Proxy(harness.memcache(servers, read_timeout=200), io=io) as running:
        with BinaryConn(running.address) as client:
            here, down, slow = (names.on(n) for n in range(3))
            client.set(here, b"v")
            down_error = harness.wait_until(
                lambda: [r for r in [client.ask(frame(Op.GETQ, down, opaque=7) + frame(Op.GET, here))]
                         if r.value == b"backend is down" or not client.reply()], what="the refused connection")
            assert down_error[0][:3] == (Op.GETQ, 0x86, 7) and client.reply().value == b"v"
            got = client.fenced(frame(Op.GETQ, slow, opaque=1) + store(Op.SETQ, slow, b"x", opaque=2)
                                + frame(Op.GETKQ, here, opaque=3))
            assert [(r.opaque, r.status, r.value) for r in got] == [
                (1, 0x86, b"backend timed out"), (2, 0x86, b"backend timed out"), (3, 0, b"v")]


def test_a_full_queue_is_busy(io, resources):
    """Beyond max_node_queue a request fails at once, quiet or not, and those before it are not touched."""
    def behave(peer, fake):
        while peer.mc_request() != [b"gets", b"held"]:
            peer.send(b"END\r\n")
        fake.release.wait(60 * harness.SCALE)
        peer.send(b"END\r\n")
        peer.mc_request()

    fake = resources(Fake(behave))
    with harness.Proxy(harness.memcache([fake], max_node_queue=1), io=io) as running:
        with BinaryConn(running.address) as first, BinaryConn(running.address) as second:
            harness.wait_until(lambda: first.ask(frame(Op.GET, b"k")).status == 1, what="the connection to be up")
            first.send(frame(Op.GETQ, b"held", opaque=1) + frame(Op.NOOP, opaque=2))
            harness.wait_until(lambda: b"gets held" in fake.received, what="the first request")
            got = second.fenced(store(Op.SETQ, b"k", b"v", opaque=3) + frame(Op.DELETEQ, b"k", opaque=4))
            assert [(r.status, r.opaque, r.value) for r in got] == [
                (0x85, 3, b"backend queue is full"), (0x85, 4, b"backend queue is full")]
            fake.release.set()
            assert first.reply()[:3] == (Op.NOOP, 0, 2)


def test_a_large_value_that_breaks_off_closes(io, resources):
    """Half of it has been passed on: the client must not take anything else for the rest."""
    k = Keys(1).any()

    def behave(peer, fake):
        peer.mc_request()
        peer.send(b"VALUE %s 0 1000000 1\r\n" % k + b"x" * 500_000)
        fake.release.wait(60 * harness.SCALE)

    fake = resources(Fake(behave))
    with harness.Proxy(harness.memcache([fake]), io=io) as running:
        with BinaryConn(running.address) as client:
            client.send(frame(Op.GETQ, k) + frame(Op.NOOP))
            head = client.exact(28)
            assert head[:2] == b"\x81\x09" and int.from_bytes(head[8:12]) == 1_000_004
            client.skip(300_000)
            fake.close()
            with pytest.raises(Closed):
                client.skip(700_000)


def test_a_client_that_leaves_in_a_quiet_group(proxy, keys):
    """Its answers reach nobody, and everybody else's are right."""
    names = keys.spread(10)
    address = proxy.clusters[0].address
    with BinaryConn(address) as other:
        for k in names:
            other.set(k, k)
        for _ in range(harness.load(30)):
            with BinaryConn(address) as leaving:
                leaving.send(b"".join(frame(Op.GETKQ, k, opaque=1) for k in names) + store(Op.SET, names[0], b"cut")[:-1])
                leaving.reset()
            got = other.fenced(b"".join(frame(Op.GETKQ, k, opaque=2) for k in names))
            assert [(r.key, r.value, r.opaque) for r in got] == [(k, k, 2) for k in names]


# tools


@pytest.fixture
def open_proxy(io, resources):
    """A proxy that may be flushed, before two servers of its own."""
    servers = [resources(harness.Memcached()) for _ in range(2)]
    with harness.Proxy(harness.memcache(servers, flush_all_enabled=True), io=io) as running:
        yield running


def tool(*argv):
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=100 * harness.SCALE)


def test_memcapable(open_proxy):
    """libmemcached's test of a server, for text and binary; Debian calls it memccapable."""
    done = tool("memccapable", "-h", "127.0.0.1", "-p", open_proxy.address[1], "-t", int(10 * harness.SCALE))
    assert done.returncode == 0 and "All tests passed" in done.stdout + done.stderr, done
    verdicts = [line for line in done.stdout.splitlines() if line.startswith(("ascii", "binary"))]
    assert len(verdicts) == 54 and all("[pass]" in line for line in verdicts), done.stdout


@pytest.mark.parametrize("flags", [[], ["--binary"]])
def test_libmemcached_tools(open_proxy, tmp_path, flags):
    servers = f"--servers=127.0.0.1:{open_proxy.address[1]}"
    path = tmp_path / "tool-key"
    path.write_text("a value")
    assert tool("memccp", *flags, servers, path).returncode == 0
    assert tool("memccat", *flags, servers, "tool-key").stdout.strip() == "a value"
    assert tool("memcexist", *flags, servers, "tool-key").returncode == 0
    assert tool("memctouch", *flags, servers, "--expire=100", "tool-key").returncode == 0
    assert tool("memcrm", *flags, servers, "tool-key").returncode == 0
    assert tool("memcexist", *flags, servers, "tool-key").returncode != 0
    assert "overlord_pid" in tool("memcstat", *flags, servers).stdout
    assert tool("memcping", servers).returncode == 0
    done = tool("memcslap", *flags, servers, "--test=mget", f"--execute-number={harness.load(20)}", "--concurrency=2",
                "--initial-load=200")
    assert done.returncode == 0 and "error" not in (done.stdout + done.stderr).lower(), done


def test_memcaslap(open_proxy):
    """Checks every tenth value that it reads back."""
    done = tool("memcaslap", "-s", f"127.0.0.1:{open_proxy.address[1]}", "-B", "-x", harness.load(5000), "-c", 8, "-T", 1,
                "-d", 20, "-v", 0.1)
    assert done.returncode == 0 and "CLIENT_ERROR" not in done.stderr, done
    for what in ("get_misses", "verify_misses", "verify_failed"):
        assert f"{what}: 0\n" in done.stdout, done.stdout
