"""PROXY protocol v1 and v2 before client listeners, plain and with TLS: headers made here, and those of a real haproxy."""

import os
import socket
import ssl
import struct

import pytest

import certs
import harness
from certs import TlsCluster
from clients import BinaryConn, Closed, Conn, McConn, RedisConn, resp
from harness import wait_until

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(source="192.0.2.7", destination="198.51.100.9", ports=(4711, 6379), family="TCP4"):
    return f"PROXY {family} {source} {destination} {ports[0]} {ports[1]}\r\n".encode()


def v2(family, addresses, tlvs=b"", command=1):
    block = addresses + tlvs
    return SIGNATURE + bytes([0x20 + command, family]) + struct.pack(">H", len(block)) + block


def inet(source="192.0.2.7", destination="198.51.100.9", ports=(4711, 6379), family=socket.AF_INET):
    return (socket.inet_pton(family, source) + socket.inet_pton(family, destination) + struct.pack(">HH", *ports))


def paths(source, destination):
    return source.ljust(108, b"\0") + destination.ljust(108, b"\0")


TOLD = ("192.0.2.7:4711", "198.51.100.9:6379")
TOLD6 = ("[2001:db8::7]:4711", "[2001:db8::9]:6379")
HEADERS = {
    "v1-tcp4": (v1(), TOLD),
    "v1-tcp6": (v1("2001:db8::7", "2001:db8::9", family="TCP6"), TOLD6),
    "v1-unknown": (b"PROXY UNKNOWN\r\n", None),
    "v1-unknown-with-more": (b"PROXY UNKNOWN " + b"f" * 91 + b"\r\n", None),
    "v2-inet": (v2(0x11, inet()), TOLD),
    "v2-inet6": (v2(0x21, inet("2001:db8::7", "2001:db8::9", family=socket.AF_INET6)), TOLD6),
    "v2-unix": (v2(0x31, paths(b"/run/app.sock", b"/run/lb.sock")), ("/run/lb.sock:0", "/run/lb.sock:0")),
    "v2-local": (v2(0, b"", command=0), None),
    "v2-tlvs": (v2(0x11, inet(), b"\x01\0\2h2" + b"\x04\x0c\0" + b"\0" * 3072), TOLD),
}
WRONG = {
    "no-header": resp("PING"),
    "memcache": b"get key\r\n",
    "tls": b"\x16\x03\x01\x02\0",
    "line-without-end": b"PROXY UNKNOWN " + b"x" * 200,
    "wrong-address": v1("192.0.2.777"),
    "version-3": SIGNATURE + b"\x31\x11\0\0",
    "too-long": SIGNATURE + b"\x21\x11\xff\xff",
    "checksum": v2(0x11, inet(), b"\x03\0\4abcd"),
}


@pytest.fixture(scope="module")
def made():
    created = certs.Certs()
    yield created
    created.close()


@pytest.fixture(scope="module")
def servers():
    running = {"redis": [harness.Redis()], "memcache": [harness.Memcached()]}
    yield running
    for group in running.values():
        group[0].kill_now()


class Setup:
    def __init__(self, made, servers, io):
        self.context = made.context()
        keys = {"proxy_protocol": True, "users": ["default on nopass ~* +@all", "someone on >secret ~* +@all"]}
        self.redis, self.memcache = (
            TlsCluster(kind, servers[kind], name=kind, **made.listener(), **(keys if kind == "redis" else
                                                                            {"proxy_protocol": True}))
            for kind in ("redis", "memcache"))
        self.hasty = harness.redis(servers["redis"], name="hasty", proxy_protocol=True, proxy_protocol_timeout=100)
        self.proxy = harness.Proxy(self.redis, self.memcache, self.hasty, io=io, workers=2)


@pytest.fixture(scope="module", params=harness.io_drivers())
def setup(request, made, servers):
    running = Setup(made, servers, request.param)
    yield running
    running.proxy.stop()


def behind(client, header, context=None):
    """The client after its header, with a handshake behind that where there is a context."""
    client.send(header)
    if context is not None:
        client.sock = context.wrap_socket(client.sock, server_hostname="localhost")
    return client


def ends_of(client):
    fields = dict(part.split("=", 1) for part in client.cmd("CLIENT", "INFO").decode().strip().split(" "))
    return fields["addr"], fields["laddr"]


def real_ends(client):
    return tuple("%s:%d" % name for name in (client.sock.getsockname(), client.sock.getpeername()))


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("kind", HEADERS)
def test_header_tells_whose_the_connection_is(setup, kind, tls):
    header, told = HEADERS[kind]
    address = setup.redis.address if tls else setup.redis.plain_address
    with RedisConn(address) as client:
        behind(client, header, setup.context if tls else None)
        assert ends_of(client) == (told or real_ends(client))
        assert (b" addr=" + (told or real_ends(client))[0].encode() + b" ") in client.cmd("CLIENT", "LIST")


def test_requests_in_the_segment_of_the_header(setup, keys):
    key = keys.any()
    with RedisConn(setup.redis.plain_address) as client:
        client.send(v1() + resp("SET", key, b"v" * 3000) + resp("GET", key))
        assert (client.reply(), client.reply()) == ("OK", b"v" * 3000)
    with McConn(setup.memcache.plain_address) as client:
        client.send(v2(0x11, inet()) + b"set %s 0 0 1\r\nv\r\nget %s\r\n" % (key, key))
        assert client.line() == b"STORED\r\n"
        assert client.exact(len(key) + 20) == b"VALUE %s 0 1\r\nv\r\nEND\r\n" % key
    with BinaryConn(setup.memcache.plain_address) as client:
        assert behind(client, v1()).value(key) == b"v"


@pytest.mark.parametrize("header", [v1(), v2(0x11, inet(), b"\x04\0\3abc")], ids=["v1", "v2"])
def test_header_byte_by_byte(setup, header):
    for address, context in ((setup.redis.plain_address, None), (setup.redis.address, setup.context)):
        with RedisConn(address) as client:
            for byte in header[:-1]:
                client.send(bytes([byte]))
            assert ends_of(behind(client, header[-1:], context)) == TOLD


def test_kill_by_the_address_that_was_told(setup):
    with RedisConn(setup.redis.plain_address) as a, RedisConn(setup.redis.plain_address) as b:
        behind(a, v1("192.0.2.200")), behind(b, v1("192.0.2.201"))
        assert a.cmd("PING") == b.cmd("PING") == "PONG"
        assert b.cmd("CLIENT", "KILL", "ADDR", "192.0.2.200:4711") == 1
        with pytest.raises(Closed):
            a.cmd("PING")
        assert b.cmd("PING") == "PONG"


def test_wrong_password_is_logged_with_the_address_that_was_told(setup):
    with RedisConn(setup.redis.plain_address) as client:
        behind(client, v1("203.0.113.5"))
        assert b"WRONGPASS" in client.cmd_raw("AUTH", "someone", "wrong")
    wait_until(lambda: "wrong user name or password from 203.0.113.5:4711" in setup.proxy.output())


def test_failed_handshake_is_logged_with_the_address_that_was_told(setup):
    with Conn(setup.redis.address) as client:
        client.send(v1("203.0.113.6") + b"no handshake at all")
        with pytest.raises(Closed):
            client.skip(1000)
    wait_until(lambda: "closed a TLS client: 203.0.113.6:4711: " in setup.proxy.output())


@pytest.mark.parametrize("kind", WRONG)
def test_without_a_good_header_it_is_closed(setup, kind):
    for address in (setup.redis.plain_address, setup.redis.address, setup.memcache.plain_address):
        with Conn(address) as client:
            client.send(WRONG[kind])
            with pytest.raises(Closed) as closed:
                client.exact(1)
            assert closed.value.data == b""


def test_header_that_does_not_come(setup):
    for sent in (b"", b"PROXY TCP4 192", v2(0x11, inet())[:20]):
        with Conn(setup.hasty.address) as client:
            client.send(sent)
            with pytest.raises(Closed):
                client.exact(1)


def refused(setup):
    """What both protocols count, of all workers."""
    with RedisConn(setup.redis.plain_address) as rd, McConn(setup.memcache.plain_address) as mc:
        behind(rd, v1()), behind(mc, v1())
        mc.send(b"stats\r\n")
        stats = {}
        while (line := mc.line()) != b"END\r\n":
            stats[line.split()[1]] = line.split()[2]
        info = dict(line.split(b":", 1) for line in rd.cmd("INFO", "stats").split(b"\r\n") if b":" in line)
        return int(info[b"bad_proxy_headers"]), int(stats[b"overlord_bad_proxy_headers"])


def test_refusals_are_counted_and_logged_once_a_second(setup):
    before = refused(setup)
    for address in [setup.redis.plain_address] * 3 + [setup.redis.address] * 2 + [setup.memcache.plain_address]:
        with Conn(address) as client:
            client.send("GET / HTTP/1.1\r\n")
            with pytest.raises(Closed):
                client.exact(1)
    assert refused(setup) == (before[0] + 5, before[1] + 1)
    said = [line for line in setup.proxy.output().splitlines() if "without a good PROXY header" in line]
    assert said and len(said) < 40, said


def test_open_and_close_is_a_health_check(setup):
    """No line for each look of a load balancer whether the port is open."""
    def said():
        return setup.proxy.output().count("without a good PROXY header")

    before, closed = said(), []
    for _ in range(5):
        for address in (setup.hasty.address, setup.redis.address):
            with Conn(address) as client:
                client.half_close()
                with pytest.raises(Closed):
                    client.exact(1)
                closed.append(address)
    assert said() == before and len(closed) == 10


class HaProxy(harness.Process):
    """Debian's haproxy: one listener for each kind of header, before the proxy's plain and TLS listeners."""

    KINDS = {"v1": "send-proxy", "v2": "send-proxy-v2", "v2-options": "send-proxy-v2 proxy-v2-options crc32c,unique-id"}

    def __init__(self, setup):
        super().__init__("haproxy")
        text = ["defaults", " mode tcp", " unique-id-format %ci:%cp", " timeout connect 10s", " timeout client 60s",
                " timeout server 60s"]
        self.ports = {}
        targets = {"redis": setup.redis.plain_address, "tls": setup.redis.address, "memcache": setup.memcache.plain_address}
        for kind, options in self.KINDS.items():
            for name, (host, port) in targets.items():
                self.ports[kind, name] = harness.free_port()
                text += [f"listen {kind}-{name}", f" bind 127.0.0.1:{self.ports[kind, name]}",
                         f" server s {host}:{port} {options}"]
        self.file = self.folder / "haproxy.cfg"
        self.file.write_text("\n".join(text) + "\n")
        self.spawn(["haproxy", "-db", "-f", self.file])
        wait_until(lambda: not self.alive() or all(harness.can_connect(("127.0.0.1", p)) for p in self.ports.values()),
                   10, "haproxy to listen")
        assert self.alive(), self.output()


@pytest.fixture(scope="module")
def haproxy(setup):
    if not any(os.access(f"{folder}/haproxy", os.X_OK) for folder in ("/usr/sbin", "/usr/local/sbin", "/usr/bin")):
        pytest.fail("haproxy is missing: ./dev test installs it")
    running = HaProxy(setup)
    yield running
    running.kill_now()


@pytest.mark.parametrize("kind", HaProxy.KINDS)
def test_behind_haproxy(setup, haproxy, kind, keys):
    key = keys.any()

    def at(name):
        return ("127.0.0.1", haproxy.ports[kind, name])

    with RedisConn(at("redis")) as plain, RedisConn(at("tls")) as tls, McConn(at("memcache")) as mc:
        tls.sock = setup.context.wrap_socket(tls.sock, server_hostname="localhost")
        assert isinstance(tls.sock, ssl.SSLSocket)
        for client in (plain, tls):
            assert ends_of(client) == real_ends(client)
        plain.ok("SET", key, b"x" * 300000)
        assert tls.cmd("GET", key) == b"x" * 300000
        assert plain.pipeline([("INCR", key + b"n")] * 2000) == list(range(1, 2001))
        assert mc.set(key, b"v") == b"STORED\r\n" and mc.value(key) == b"v"
