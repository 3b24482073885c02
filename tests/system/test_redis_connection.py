"""redis: what the proxy answers itself, refuses, and how connections end."""

import re
import time

import pytest

import harness
from clients import Closed, RedisConn, RedisError, resp


def test_ping_echo(rd, rd_direct):
    client, direct = rd(), rd_direct()
    for command in (("PING",), ("ping",), ("PING", "hello"), ("PING", b"\x00\r\n"), ("PING", "a", "b"),
                    ("ECHO", "x"), ("ECHO", b"\r\n"), ("ECHO", ""), ("ECHO",), ("ECHO", "a", "b")):
        assert client.cmd_raw(*command) == direct.cmd_raw(*command), command


def test_quit_closes(rd, keys):
    client = rd()
    key = keys.any()
    client.send(resp("SET", key, "v") + resp("GET", key) + resp("QUIT") + resp("GET", key))
    assert client.rest() == b"+OK\r\n$1\r\nv\r\n+OK\r\n"


def test_half_close_is_answered(rd, keys):
    client = rd()
    names = keys.many(100)
    client.send(b"".join(resp("SET", k, k) for k in names) + resp("MGET", *names))
    client.half_close()
    want = b"+OK\r\n" * 100 + b"*100\r\n" + b"".join(b"$16\r\n%s\r\n" % k for k in names)
    assert client.rest() == want


def test_select(rd):
    client = rd()
    client.ok("SELECT", 0)
    assert client.cmd("SELECT", 1).startswith("ERR")
    assert client.cmd("SELECT", "x").startswith("ERR")
    assert client.cmd("SELECT").startswith("ERR wrong number of arguments for 'select' command")
    assert client.cmd("PING") == "PONG"


def test_command(rd):
    client = rd()
    every = client.cmd("COMMAND")
    names = {entry[0] for entry in every}
    assert {b"get", b"set", b"mget", b"ping"} <= names
    get = next(entry for entry in every if entry[0] == b"get")
    assert get[1] == 2 and get[3:6] == [1, 1, 1]
    assert client.cmd("COMMAND", "COUNT") == len(every)
    info = client.cmd("COMMAND", "INFO", "get", "nosuch")
    assert info[0][0] == b"get" and info[1] is None
    docs = client.cmd("COMMAND", "DOCS", "get")
    assert isinstance(docs, list)
    assert client.cmd("COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2") == [b"a", b"b"]
    assert b"get" in client.cmd("COMMAND", "LIST")
    assert client.cmd("COMMAND", "NOSUCH").startswith("ERR")


def test_client(rd, rd_direct):
    client, other = rd(), rd()
    assert client.cmd("CLIENT", "GETNAME") in (None, b"")
    client.ok("CLIENT", "SETNAME", "someone")
    assert client.cmd("CLIENT", "GETNAME") == b"someone"
    assert other.cmd("CLIENT", "GETNAME") in (None, b"")
    ids = client.cmd("CLIENT", "ID"), other.cmd("CLIENT", "ID")
    assert all(isinstance(i, int) for i in ids) and ids[0] != ids[1]
    assert client.cmd("CLIENT", "ID") == ids[0]
    client.ok("CLIENT", "SETINFO", "LIB-NAME", "redis-py")
    client.ok("CLIENT", "SETINFO", "LIB-VER", "1.2.3")
    assert client.cmd("CLIENT", "SETNAME", "two words").startswith("ERR")
    for bad in (("CLIENT",), ("CLIENT", "NOSUCH"), ("CLIENT", "SETNAME"), ("CLIENT", "GETNAME", "x")):
        assert client.cmd_raw(*bad) == rd_direct().cmd_raw(*bad)


def test_hello(rd, rd_direct):
    client = rd()
    for command in (("HELLO",), ("HELLO", "2"), ("HELLO", "2", "SETNAME", "me")):
        answer = client.cmd(*command)
        assert isinstance(answer, list) and len(answer) % 2 == 0, answer
        fields = dict(zip(answer[::2], answer[1::2]))
        assert fields[b"proto"] == 2 and fields[b"server"] and fields[b"version"], fields
        assert {b"server", b"version", b"proto", b"id", b"mode", b"role", b"modules"} <= set(fields)
    assert client.cmd("CLIENT", "GETNAME") == b"me"
    assert client.cmd("HELLO", "9").startswith("NOPROTO")
    assert client.cmd_raw("HELLO", "x") == rd_direct().cmd_raw("HELLO", "x")
    assert client.cmd("PING") == "PONG"


def test_info(rd):
    client = rd()
    text = client.cmd("INFO").decode()
    assert re.search(r"^# Server\r$", text, re.M) and re.search(r"^redis_version:\d+\.\d+", text, re.M)
    assert client.cmd("INFO", "server")
    assert client.cmd("PING") == "PONG"


def test_time(rd):
    client = rd()
    seconds, micros = client.cmd("TIME")
    assert abs(int(seconds) - time.time()) < 60 and 0 <= int(micros) < 1000000


UNKNOWN = [("NOSUCH",), ("nosuch", "a"), ("NoSuch", "a", "b", "c"), ("FOO" * 60, "x"), ("X",) + ("y" * 200,) * 3,
           ("BAD\r\nNAME", "a\r\nb"), ("",), ("", "x"), ("GETT", "k"), (b"\xff\xfe", b"\x00")]


@pytest.mark.parametrize("n", range(len(UNKNOWN)))
def test_unknown_commands_as_redis_says(rd, rd_direct, n):
    client = rd()
    assert client.cmd_raw(*UNKNOWN[n]) == rd_direct().cmd_raw(*UNKNOWN[n])
    assert client.cmd("PING") == "PONG"


REFUSED = """MONITOR
SHUTDOWN
SHUTDOWN NOSAVE
FLUSHALL
FLUSHDB
CONFIG SET maxmemory 1
DEBUG SLEEP 5
SAVE
BGSAVE
REPLICAOF NO ONE
SLAVEOF a 1
SYNC
PSYNC ? -1
MIGRATE h 1 k 0 1
SWAPDB 0 1
MOVE k 1
LASTSAVE
ACL SETUSER x
MODULE LIST
FAILOVER
CLIENT PAUSE 1000""".splitlines()


@pytest.mark.parametrize("line", REFUSED, ids=[line.replace(" ", "-") for line in REFUSED])
def test_commands_that_no_proxy_can_pass(rd, keys, pool, line):
    """Refused with an error, without harm; the connection goes on."""
    client, other = rd(), rd()
    key = keys.any()
    client.ok("SET", key, "v")
    answer = client.cmd(*line.split())
    assert isinstance(answer, RedisError) and re.match(r"[A-Z]+ ", answer), answer
    assert client.cmd("GET", key) == b"v"
    assert other.cmd("GET", key) == b"v"


def test_flushall_when_enabled(io, resources, keys):
    servers = [resources(harness.Redis()) for _ in range(2)]
    with harness.Proxy(harness.redis(servers, flush_all_enabled=True), io=io) as proxy, \
            RedisConn(proxy.address) as client:
        for command in (("FLUSHALL",), ("FLUSHDB",), ("FLUSHALL", "ASYNC")):
            names = keys.many(20)
            client.pipeline([("SET", k, 1) for k in names])
            client.ok(*command)
            assert client.cmd("EXISTS", *names) == 0


# --- AUTH ------------------------------------------------------------------------------------------------------------


def test_password(io, pool, keys):
    with harness.Proxy(harness.redis(pool.backends("redis"), password="s3cret"), io=io) as proxy:
        key = keys.any()
        with RedisConn(proxy.address) as client:
            for command in (("GET", key), ("SET", key, 1), ("MGET", key, "b"), ("PING",), ("INFO",), ("DEL", key)):
                assert client.cmd(*command) == "NOAUTH Authentication required.", command
            assert client.cmd("AUTH", "wrong").startswith("WRONGPASS")
            assert client.cmd("GET", key).startswith("NOAUTH")
            assert client.cmd("AUTH").startswith("ERR wrong number of arguments for 'auth' command")
            client.ok("AUTH", "s3cret")
            client.ok("SET", key, "v")
            assert client.cmd("AUTH", "wrong").startswith("WRONGPASS")
            assert client.cmd("GET", key) == b"v"
        with RedisConn(proxy.address) as client:
            client.ok("AUTH", "default", "s3cret")
            assert client.cmd("GET", key) == b"v"
            assert client.cmd("AUTH", "nobody", "s3cret").startswith("WRONGPASS")
        with RedisConn(proxy.address) as client:
            assert client.cmd("HELLO", "2").startswith("NOAUTH")
            assert isinstance(client.cmd("HELLO", "2", "AUTH", "default", "s3cret"), list)
            assert client.cmd("GET", key) == b"v"
        with RedisConn(proxy.address) as client:
            got = client.pipeline([("GET", key), ("AUTH", "s3cret"), ("GET", key), ("NOSUCH",)])
            assert got[0].startswith("NOAUTH") and got[1:3] == ["OK", b"v"] and got[3].startswith("ERR unknown")
        with RedisConn(proxy.address) as client:
            client.ok("QUIT")
            assert client.rest() == b""


def test_auth_without_a_password(rd, rd_direct):
    assert rd().cmd_raw("AUTH", "x") == rd_direct().cmd_raw("AUTH", "x")


def test_big_requests_before_auth_are_bounded(io, pool, keys):
    """Who has not said the password cannot make the proxy hold a big value."""
    with harness.Proxy(harness.redis(pool.backends("redis"), password="s3cret"), io=io) as proxy:
        with RedisConn(proxy.address) as client:
            client.cmd("PING")
            before = proxy.rss()
            try:
                client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000000\r\n")
                for _ in range(100):
                    client.send(b"x" * 1000000)
                client.send(b"\r\n")
                assert client.reply().startswith(("NOAUTH", "ERR"))
            except (Closed, ConnectionResetError, BrokenPipeError):
                pass
            assert proxy.rss() - before < 32 << 20 or harness.SANITIZER  # its allocator keeps what was freed
        with RedisConn(proxy.address) as client:
            client.ok("AUTH", "s3cret")


def test_backend_password(io, resources, keys):
    servers = [resources(harness.Redis(options=["--requirepass", "inner"])) for _ in range(2)]
    with harness.Proxy(harness.redis(servers, redis_auth="inner"), io=io) as proxy, RedisConn(proxy.address) as client:
        names = keys.many(20)
        for key in names:
            client.ok("SET", key, key)
        assert client.cmd("MGET", *names) == names
        servers[0].kill9()
        servers[0].start()
        harness.wait_until(lambda: not isinstance(client.cmd("DEL", *names), RedisError), 10, "the node to be back")
        for key in names:
            client.ok("SET", key, key)


def test_wrong_backend_password_is_an_error(io, resources, keys):
    server = resources(harness.Redis(options=["--requirepass", "inner"]))
    with harness.Proxy(harness.redis([server], redis_auth="other"), io=io) as proxy, \
            RedisConn(proxy.address) as client:
        for _ in range(5):
            assert isinstance(client.cmd("GET", keys.any()), RedisError)
        assert client.cmd("PING") == "PONG"
