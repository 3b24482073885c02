"""TLS and mutual TLS towards clients and backends: real redis-server and memcached with TLS behind."""

import contextlib
import hashlib
import random
import socket
import ssl
import subprocess

import pytest

import certs
import harness
from certs import TlsCluster, TlsMemcached, TlsRedis, secure
from clients import Closed, Conn, McConn, RedisConn, RedisError, resp
from harness import wait_until


@pytest.fixture(scope="module")
def made():
    created = certs.Certs()
    yield created
    created.close()


class Both:
    """A proxy with TLS to its clients and mutual TLS to its backends."""

    def __init__(self, made, io, servers):
        self.certs = made
        self.context = made.context(made.client)
        self.redis, self.memcache = (
            TlsCluster(kind, servers[kind], name=kind, **made.listener("optional"), **made.backend(made.client))
            for kind in ("redis", "memcache"))
        self.proxy = harness.Proxy(self.redis, self.memcache, io=io)

    def rd(self, **keywords):
        return secure(RedisConn, self.redis.address, self.context, **keywords)

    def mc(self, **keywords):
        return secure(McConn, self.memcache.address, self.context, **keywords)


@pytest.fixture(scope="module")
def servers(made):
    running = {"redis": [TlsRedis(made, mutual=True), TlsRedis(made, mutual=True)],
               "memcache": [TlsMemcached(made, mutual=True, options=["-I", "8m"])]}
    yield running
    for group in running.values():
        for server in group:
            server.kill_now()


@pytest.fixture(scope="module", params=harness.io_drivers())
def both(request, made, servers):
    running = Both(made, request.param, servers)
    yield running
    running.proxy.stop()


def refused(connect):
    """True when the handshake or the first command over it fails."""
    try:
        with connect() as client:
            return isinstance(client.cmd("PING"), str) and False
    except (ssl.SSLError, ConnectionError, Closed):
        return True


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_and_plain_clients_side_by_side(both, keys, version):
    key = keys.any()
    context = both.certs.context(both.certs.client, version=version)
    with secure(RedisConn, both.redis.address, context) as rd, RedisConn(both.redis.plain_address) as plain, \
            secure(McConn, both.memcache.address, context) as mc, McConn(both.memcache.plain_address) as mc_plain:
        assert rd.sock.version() == {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
        rd.ok("SET", key, "of redis")
        assert plain.cmd("GET", key) == b"of redis"
        assert rd.cmd("MGET", key, key + b"-none") == [b"of redis", None]
        assert mc.set(key, b"of memcache") == b"STORED\r\n"
        assert mc_plain.value(key) == b"of memcache"


def test_pipeline_of_10000(both, keys):
    key = keys.any()
    with both.rd() as rd:
        assert rd.pipeline([("INCR", key)] * 10000) == list(range(1, 10001))


def test_64_mib_value(both, keys):
    key, value = keys.any(), random.Random(5).randbytes(64 << 20)
    with both.rd(timeout=60) as rd:
        rd.ok("SET", key, value)
        rd.send(resp("GET", key))
        assert rd.line() == b"$%d\r\n" % len(value)
        digest = hashlib.sha256()
        rd.skip(len(value), digest=digest)
        assert rd.exact(2) == b"\r\n" and digest.digest() == hashlib.sha256(value).digest()
        assert rd.cmd("DEL", key) == 1


def test_values_of_all_sizes_in_and_out(both, keys):
    """Around the sizes of chunks, records and receive buffers."""
    sizes = [0, 1, 100, 16000, 16360, 16368, 16384, 16400, 32736, 40000, 65536, 131072, 131073, 700000]
    with both.rd() as rd, both.mc() as mc:
        for size in sizes:
            key, value = keys.any(), random.Random(size).randbytes(size)
            rd.send(resp("SET", key, value) + resp("GET", key) + resp("STRLEN", key))
            assert (rd.reply(), rd.reply(), rd.reply()) == ("OK", value, size)
            assert mc.set(key, value) == b"STORED\r\n"
            assert mc.value(key) == value


def test_slow_reader_holds_little_memory(both, keys):
    key, size = keys.any(), 24 << 20
    with both.rd(timeout=60) as writer, both.rd(timeout=60, rcvbuf=65536) as slow:
        writer.ok("SET", key, b"s" * size)
        before = both.proxy.rss()
        both.proxy.reset_peak_rss()
        slow.send(resp("GET", key) * 4)
        assert slow.line() == b"$%d\r\n" % size
        for _ in range(20):
            assert writer.cmd("PING") == "PONG"
        assert both.proxy.peak_rss() - before < (8 << 20) * harness.MEMORY
        slow.skip(size)
        assert slow.exact(2) == b"\r\n"
        writer.cmd("DEL", key)


def test_bytes_one_by_one(both, keys):
    """A handshake and requests in which every byte is a segment, and every command many records."""
    key = keys.any()
    with Conn(both.redis.address) as raw:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = both.context.wrap_bio(incoming, outgoing, server_hostname="localhost")

        def send():
            for byte in outgoing.read():
                raw.sock.send(bytes([byte]))

        def until(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    send()
                    incoming.write(raw.sock.recv(1))

        until(tls.do_handshake)
        for byte in resp("SET", key, "v") + resp("GET", key):
            tls.write(bytes([byte]))
        send()
        got = b""
        while len(got) < len(b"+OK\r\n$1\r\nv\r\n"):
            got += until(lambda: tls.read(100))
        assert got == b"+OK\r\n$1\r\nv\r\n"


def test_half_close_and_close_notify(both, keys):
    """A client that sends no more gets its answers, and then a proper end."""
    key = keys.any()
    with both.rd() as rd:
        rd.sock.suppress_ragged_eofs = False  # an end without close_notify would be an error
        rd.send(resp("SET", key, "v") + resp("GET", key))
        socket.socket.shutdown(rd.sock, socket.SHUT_WR)
        assert rd.rest() == b"+OK\r\n$1\r\nv\r\n"
    with both.rd() as rd:
        rd.sock.suppress_ragged_eofs = False
        rd.send(resp("QUIT"))
        assert rd.rest() == b"+OK\r\n"


@pytest.mark.parametrize("bytes_sent", [b"GET / HTTP/1.1\r\n\r\n", resp("PING"), bytes(range(256)) * 40, b"\x16\x03\x01\xff\xff"],
                         ids=["http", "plain redis", "garbage", "huge record"])
def test_no_tls_on_the_tls_port(both, bytes_sent):
    with Conn(both.redis.address) as raw, both.rd() as other:
        raw.send(bytes_sent)
        raw.half_close()
        assert b"PONG" not in raw.rest()
        assert other.cmd("PING") == "PONG"


def test_tls_on_the_plain_port(both):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        secure(RedisConn, both.redis.plain_address, both.context)
    with RedisConn(both.redis.plain_address) as plain:
        assert plain.cmd("PING") == "PONG"


def test_real_clients(both, keys):
    key, made = keys.any().decode(), both.certs
    port = str(both.redis.port)
    files = ["--cacert", made.ca.cert, "--cert", made.client.cert, "--key", made.client.key]
    done = subprocess.run(["redis-cli", "-p", port, "--tls", *map(str, files), "SET", key, "by redis-cli"],
                          capture_output=True, text=True, timeout=30 * harness.SCALE)
    assert done.stdout == "OK\n", done.stderr
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", str(made.ca.cert),
                           "-verify_return_error", "-quiet", "-ign_eof"],
                          input=f"GET {key}\r\nQUIT\r\n", capture_output=True, text=True, timeout=30 * harness.SCALE)
    assert "by redis-cli" in done.stdout, done.stderr


# ---- Clients' certificates


def test_client_certificates(made, io, pool):
    def listener(mode, **keys):
        return TlsCluster("redis", pool.backends("redis", 1), name=mode, plain=False, **made.listener(mode), **keys)

    required = listener("required", tls_min_version="1.3")
    optional = listener("optional")
    with harness.Proxy(required, optional, io=io) as proxy:
        def connect(cluster, client, **keywords):
            return lambda: secure(RedisConn, cluster.address, made.context(client, **keywords))

        assert not refused(connect(required, made.client))
        assert refused(connect(required, None))
        assert refused(connect(required, made.stranger))
        assert refused(connect(required, made.client, version=ssl.TLSVersion.TLSv1_2))
        assert not refused(connect(optional, made.client, version=ssl.TLSVersion.TLSv1_2))
        assert not refused(connect(optional, None))
        assert refused(connect(optional, made.stranger))
        assert not refused(connect(required, made.client))
        assert "peer did not return a certificate" in proxy.output()
        assert proxy.clients() == 0 or wait_until(lambda: proxy.clients() == 0)


def counters(client):
    """What INFO and stats count of TLS and PROXY headers, as numbers."""
    text = client.cmd("INFO", "stats").decode()
    lines = dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)
    return {name: int(value) for name, value in lines.items() if "tls_" in name or name == "bad_proxy_headers"}


def test_sessions_are_resumed_at_every_worker(made, io, pool):
    cluster = TlsCluster("redis", pool.backends("redis", 1), **made.listener("required"))
    with harness.Proxy(cluster, io=io, workers=3):
        resumed = 0
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = made.context(made.client, version=version)
            with secure(RedisConn, cluster.address, context) as first:
                assert first.cmd("PING") == "PONG" and not first.sock.session_reused
                session = first.sock.session
            for _ in range(12):
                with secure(RedisConn, cluster.address, context, session=session) as again:
                    assert again.cmd("PING") == "PONG" and again.sock.session_reused
                    resumed += 1
                    counted = counters(again)  # of all workers
                    assert counted["tls_resumed_sessions"] == resumed < counted["tls_handshakes"]
                    assert counted["tls_failures"] == 0


def test_clients_that_leave_or_wait_in_the_handshake(made, io, pool):
    cluster = TlsCluster("redis", pool.backends("redis", 1), tls_handshake_timeout=300, **made.listener())
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = made.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read()
    with harness.Proxy(cluster, io=io, conf={"max_connections": 50}) as proxy:
        for cut in (0, 1, 5, 100, len(hello) - 1, len(hello)):
            for end in (Conn.close, Conn.reset, Conn.half_close):
                left = Conn(cluster.address)
                left.send(hello[:cut])
                end(left)
                left.close()
        waiting = [Conn(cluster.address) for _ in range(8)]
        for index, one in enumerate(waiting):
            one.send(hello[:index * 60])
        for one in waiting:
            one.rest()  # the deadline ends it
            one.close()
        wait_until(lambda: proxy.clients() == 0)
        with secure(RedisConn, cluster.address, made.context()) as rd:
            assert rd.cmd("PING") == "PONG"


@pytest.mark.skipif(bool(harness.SANITIZER), reason="the sanitizers' memory is not the proxy's")
def test_idle_connections_hold_no_buffers(made, io, pool):
    cluster = TlsCluster("redis", pool.backends("redis", 1), **made.listener())
    context = made.context()
    with harness.Proxy(cluster, io=io) as proxy:
        def connect(count):
            clients = [secure(RedisConn, cluster.address, context) for _ in range(count)]
            for client in clients:
                assert client.cmd("PING") == "PONG"
            return clients

        first = connect(20)
        before = proxy.rss()
        more = connect(200)
        each = (proxy.rss() - before) / 200
        for client in first + more:
            client.close()
        # Two buffers of a record each would be 33 KiB.
        assert each < 20 * 1024, each


# ---- Backends


def get_error(cluster):
    with RedisConn(cluster.plain_address) as rd:
        return rd.cmd("GET", "key")


def test_backends_that_are_not_trusted(made, io, resources):
    other_name = made.ca.make("other", hosts="DNS:cache.test")
    servers = {"mutual": resources(TlsRedis(made, mutual=True)), "named": resources(TlsRedis(made, signed=other_name)),
               "plain": resources(harness.Redis())}

    def cluster(name, server, **keys):
        return TlsCluster("redis", [servers[server]], name=name, **made.listener(), **keys)

    stranger = {"backend_tls": True, "backend_tls_ca": made.stranger_ca.cert}
    bad = {
        cluster("wrong-authority", "mutual", **stranger): "certificate verify failed (self-signed certificate in certificate chain)",
        cluster("wrong-name", "named", **made.backend()): "IP address mismatch",
        cluster("wrong-sni", "named", backend_tls_server_name="web.test", **made.backend()): "hostname mismatch",
        cluster("no-certificate", "mutual", **made.backend()): "certificate required",
        cluster("no-tls", "plain", **made.backend()): "timed out",
    }
    good = [
        cluster("unchecked", "named", backend_tls=True, backend_tls_verify=False),
        cluster("right-name", "named", backend_tls_server_name="cache.test", **made.backend()),
        cluster("mutual", "mutual", **made.backend(made.client)),
    ]
    with harness.Proxy(*bad, *good, io=io) as proxy:
        for one in good:
            wait_until(lambda: get_error(one) is None)
            with secure(RedisConn, one.address, made.context()) as rd:
                counted = counters(rd)
                assert counted["backend_tls_handshakes"] >= 1 and counted["backend_tls_failures"] == 0
                assert counted["tls_handshakes"] == 1
        for one, reason in bad.items():
            assert isinstance(get_error(one), RedisError)
            name = one.keys["name"]
            wait_until(lambda: any(f"backend {name}/" in line and reason in line
                                   for line in proxy.output().splitlines()), what=reason)
            with RedisConn(one.plain_address) as rd:
                failed = counters(rd)["backend_tls_failures"]
                assert (failed > 0) == (name != "no-tls"), failed  # that one only took too long


def test_tls_backend_dies_and_comes_back(made, io, resources):
    server = resources(TlsRedis(made))
    cluster = TlsCluster("redis", [server], **made.listener(), **made.backend())
    with harness.Proxy(cluster, io=io), secure(RedisConn, cluster.address, made.context()) as rd:
        for round_number in range(3):
            rd.ok("SET", "k", str(round_number))
            server.kill9()
            assert isinstance(rd.cmd("GET", "k"), RedisError)
            server.start()
            wait_until(lambda: rd.cmd("GET", "k") is None)


def test_backend_that_never_answers_the_handshake(made, io, resources):
    listener = socket.create_server(("127.0.0.1", 0))
    resources(listener)
    line = f"127.0.0.1:{listener.getsockname()[1]}:1 silent"
    cluster = TlsCluster("redis", [line], **made.listener(), **made.backend(), dial_timeout=200)
    with harness.Proxy(cluster, io=io):
        answer = get_error(cluster)
        assert isinstance(answer, RedisError) and "down" in answer


# ---- -t and the start


def test_check_finds_what_a_start_would(made, tmp_path):
    ca, server, client = made.ca, made.server, made.client
    empty, garbage, secret = tmp_path / "empty", tmp_path / "garbage", tmp_path / "secret.key"
    empty.write_text("")
    garbage.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    subprocess.run(["openssl", "ec", "-in", str(server.key), "-aes128", "-passout", "pass:x", "-out", str(secret)],
                   check=True, capture_output=True)
    good = {"tls_cert": server.cert, "tls_key": server.key}

    def check(**keys):
        cluster = TlsCluster("redis", ["127.0.0.1:6379:1"], aliases=False, **keys)
        cluster.port = harness.free_port()
        file = tmp_path / "c.toml"
        file.write_text(cluster.toml())
        done = harness.run_proxy("-t", "-cluster", file)
        if done.returncode:
            assert harness.run_proxy("-cluster", file).returncode == 1
        return done.returncode, done.stdout + done.stderr

    assert check(**good) == (0, "")
    assert check(**made.listener("required"), **made.backend(client)) == (0, "")
    bad = [
        ({}, "tls_cert: missing"),
        ({"tls_cert": server.cert}, "tls_key: missing"),
        ({**good, "tls_cert": tmp_path / "nowhere"}, "nowhere: No such file"),
        ({**good, "tls_cert": empty}, "tls_cert: cannot read"),
        ({**good, "tls_cert": garbage}, "tls_cert: "),
        ({**good, "tls_cert": server.key}, "holds no certificate"),
        ({**good, "tls_key": server.cert}, "holds no private key"),
        ({**good, "tls_key": client.key}, "does not belong to"),
        ({**good, "tls_key": secret}, "passphrase"),
        ({**good, "tls_verify_client": "required"}, "tls_ca: missing"),
        ({**good, "tls_verify_client": "always"}, "unknown mode"),
        ({**good, "tls_verify_client": "required", "tls_ca": garbage}, "tls_ca: "),
        ({**good, "tls_min_version": "1.1"}, "tls_min_version: "),
        ({**good, "tls_ciphers": "NO-SUCH"}, "tls_ciphers: "),
        ({**good, "tls_ciphersuites": "NO-SUCH"}, "tls_ciphersuites: "),
        ({**good, "backend_tls": True, "backend_tls_ca": tmp_path / "nowhere"}, "backend_tls_ca: cannot read"),
        ({**good, "backend_tls": True, "backend_tls_cert": server.cert}, "backend_tls_key: missing"),
        ({**good, "backend_tls": True, "backend_tls_cert": server.cert, "backend_tls_key": ca.key}, "backend_tls_key: "),
    ]
    for keys, expected in bad:
        code, text = check(**keys)
        assert code == 2 and "error" in text and expected in text, (keys, text)
    for keys, expected in [({**good, "backend_tls_ca": ca.cert}, "no effect without backend_tls"),
                           ({**good, "tls_ca": ca.cert}, "clients are not asked"),
                           ({**good, "backend_tls": True, "backend_tls_verify": False}, "any server will be believed")]:
        code, text = check(**keys)
        assert code == 0 and "warning" in text and expected in text, (keys, text)




def test_refused_clients_of_a_full_cluster(made, io, pool):
    """One more than max_clients is closed before its handshake, without a word that it would take for one; who is in stays."""
    cluster = TlsCluster("redis", pool.backends("redis", 1), max_clients=2, **made.listener())
    with harness.Proxy(cluster, io=io) as proxy:
        wait_until(lambda: proxy.clients() == 0)
        with secure(RedisConn, cluster.address, made.context()) as first, RedisConn(cluster.plain_address) as second:
            assert first.cmd("PING") == second.cmd("PING") == "PONG"
            for _ in range(3):
                with contextlib.suppress(ConnectionResetError, BrokenPipeError), Conn(cluster.address) as refused:
                    assert refused.rest() == b""
                with pytest.raises((ssl.SSLError, ConnectionResetError, BrokenPipeError)):
                    secure(RedisConn, cluster.address, made.context())
            assert first.cmd("PING") == second.cmd("PING") == "PONG"
            wait_until(lambda: "refused a client, max_clients = 2" in proxy.output())
