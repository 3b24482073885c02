"""RESP3 in front: HELLO, and replies in the protocol that the client asked for."""

import pytest

import harness
from clients import RedisConn, resp
from test_resp3_shapes import form

WIDE = 25000  # elements: their reply is passed on in pieces


@pytest.fixture
def three(rd):
    client = rd()
    assert client.cmd_raw("HELLO", "3").startswith(b"%7\r\n$6\r\nserver\r\n")
    return client


def test_hello_answers_as_the_server_does(rd, rd_direct):
    for commands in ([("HELLO",)], [("HELLO", "2")], [("HELLO", "3")], [("HELLO", "3"), ("HELLO",)], [("HELLO", "3"), ("HELLO", "2")],
                     [("HELLO", "3", "SETNAME", "me"), ("CLIENT", "GETNAME")], [("HELLO", "3", "AUTH", "default", "x")],
                     [("HELLO", "3", "AUTH", "default", "x", "SETNAME", "me"), ("CLIENT", "GETNAME")],
                     [("HELLO", "2", "SETNAME", "me", "AUTH", "default", "")]):
        ours, direct = rd(), rd_direct()
        got = [(form(ours.cmd_raw(*c)), form(direct.cmd_raw(*c))) for c in commands]
        assert all(a == b for a, b in got), (commands, got)
    for wrong in (("HELLO", "1"), ("HELLO", "4"), ("HELLO", "x"), ("HELLO", "3.0"), ("HELLO", "-3"), ("HELLO", "03"), ("HELLO", ""),
                  ("HELLO", "SETNAME", "x"), ("HELLO", "3", "SETNAME"), ("HELLO", "3", "SETNAME", "a b"), ("HELLO", "3", "AUTH", "default"),
                  ("HELLO", "3", "AUTH", "nobody", "x"), ("HELLO", "3", "NOSUCH"), ("HELLO", "3", "SETNAME", "x", "WHAT", "y"),
                  ("HELLO", "99999999999999999999"), ("HELLO", "3", "AUTH", "default", "x", "AUTH")):
        ours, direct = rd(), rd_direct()
        assert ours.cmd_raw(*wrong) == direct.cmd_raw(*wrong), wrong
        assert ours.cmd_raw("GET", "nokey") == b"$-1\r\n", wrong  # the protocol has not changed


def test_hello_with_a_password(resources, io):
    direct = resources(harness.Redis(options=["--requirepass", "secret"]))
    server = resources(harness.Redis())
    with harness.Proxy(harness.redis([server], password="secret"), io=io) as proxy:
        for commands in ([("HELLO", "3")], [("HELLO",)], [("HELLO", "3", "AUTH", "default", "wrong")], [("HELLO", "9")],
                         [("HELLO", "3", "SETNAME", "me")], [("HELLO", "3", "AUTH", "nobody", "secret")],
                         [("HELLO", "3", "AUTH", "default", "wrong"), ("GET", "nokey")],
                         [("HELLO", "3", "AUTH", "default", "secret"), ("GET", "nokey")],
                         [("HELLO", "3", "AUTH", "default", "secret", "SETNAME", "me"), ("CLIENT", "GETNAME")],
                         [("HELLO", "3", "AUTH", "default", "secret", "NOSUCH"), ("PING",)],
                         [("HELLO", "3", "AUTH", "default", "secret", "SETNAME", "a b"), ("PING",)],
                         [("HELLO", "3", "AUTH", "default", "secret", "AUTH", "default", "wrong"), ("PING",)],
                         [("AUTH", "wrong"), ("AUTH", "nobody", "secret"), ("AUTH", "default", "secret"), ("PING",)],
                         [("AUTH", "secret"), ("HELLO", "3"), ("GET", "nokey")]):
            with RedisConn(proxy.address) as ours, RedisConn(direct.address) as theirs:
                for command in commands:
                    a, b = ours.cmd_raw(*command), theirs.cmd_raw(*command)
                    assert a == b or form(a) == form(b) and a[:1] == b"%", (commands, a, b)


def test_the_version_shown(resources, io):
    def versions(proxy):
        with RedisConn(proxy.address) as client:
            info = client.cmd("INFO", "server").decode()
            return client.cmd("HELLO")[3].decode(), info.split("redis_version:")[1].split("\r\n")[0]

    server = resources(harness.Redis())
    with RedisConn(server.address) as direct:
        real = direct.cmd("HELLO")[3].decode()
    with harness.Proxy(harness.redis([server], shown_version="6.2.99"), io=io) as proxy:
        assert versions(proxy) == ("6.2.99", "6.2.99")
    with harness.Proxy(harness.redis([server]), io=io) as proxy:
        harness.wait_until(lambda: versions(proxy) == (real, real), what="the server's version")


def test_the_protocol_may_change_in_a_pipeline(rd, keys):
    client = rd()
    name = keys.any()
    client.send(resp("HSET", name, "f", "v") + resp("HGETALL", name) + resp("HELLO", "3") + resp("HGETALL", name) + resp("GET", "nokey:" + "x")
                + resp("HELLO", "2") + resp("HGETALL", name) + resp("GET", "nokey:x"))
    flat = b"\r\n$1\r\nf\r\n$1\r\nv\r\n"
    got = [client.raw() for _ in range(8)]
    assert got[:2] == [b":1\r\n", b"*2" + flat] and got[3:5] == [b"%1" + flat, b"_\r\n"] and got[6:] == [b"*2" + flat, b"$-1\r\n"]
    assert got[2][:1] == b"%" and got[5][:1] == b"*"


def test_merged_answers(three, keys):
    a, b, c = keys.on(0), keys.on(1), keys.on(2)
    assert three.cmd_raw("MGET", a, b, c, a) == b"*4\r\n" + b"_\r\n" * 4
    assert three.cmd_raw("MGET", a) == b"*1\r\n_\r\n"
    assert three.cmd_raw("MSET", a, "1", c, "3") == b"+OK\r\n"
    assert three.cmd_raw("MGET", a, b, c) == b"*3\r\n$1\r\n1\r\n_\r\n$1\r\n3\r\n"
    assert three.cmd_raw("DEL", a, b, c) == b":2\r\n"


def test_local_answers(three):
    assert three.cmd_raw("CLIENT", "GETNAME") == b"_\r\n"
    assert three.cmd_raw("INFO", "server").startswith(b"=")
    assert three.cmd_raw("COMMAND", "INFO", "get", "nosuch").endswith(b"_\r\n")
    assert three.cmd_raw("COMMAND", "DOCS", "get").startswith(b"%1\r\n$3\r\nget\r\n%")
    assert three.cmd_raw("NOSUCH").startswith(b"-ERR unknown command")


FILL = "for i = 1, %d do redis.call(%s) end"


@pytest.mark.parametrize("fill, ask", [
    ("'HSET', KEYS[1], 'field:' .. i, string.rep('x', i % 40)", ("HGETALL",)),
    ("'ZADD', KEYS[1], i + 0.5, 'member:' .. i", ("ZRANGE", 0, -1, "WITHSCORES")),
    ("'HSET', KEYS[1], i, string.rep('y', 30)", ("HMGET", *range(0, 2 * WIDE, 2))),
    ("'SADD', KEYS[1], i", ("SMEMBERS",)),
    ("'APPEND', KEYS[1], string.rep('z', 100)", ("GET",)),
    ("'RPUSH', KEYS[1], string.rep('z', i * 7)", ("LRANGE", 0, 2000)),
    ("'XADD', KEYS[1], i .. '-1', 'f', string.rep('v', 20)", ("XREAD", "STREAMS", 0)),
], ids=lambda value: value[0] if isinstance(value, tuple) else "")
def test_large_replies_are_converted_as_they_come(pool, rd, keys, fill, ask):
    """Replies far beyond what is held at once: the same bytes as from the backend itself."""
    name = keys.on(2)
    command = (*ask[:-1], name, ask[-1]) if ask[0] == "XREAD" else (ask[0], name, *ask[1:])
    with RedisConn(pool.backends("redis")[2].address) as direct:
        direct.cmd("EVAL", FILL % (2000 if ask[0] == "LRANGE" else WIDE, fill), 1, name)
        answers = []
        for client in (rd(rcvbuf=16384), direct):
            client.cmd_raw("HELLO", "3")
            client.send(resp(*command) + resp("GET", "nokey:x"))
            answers.append(client.raw())
            assert client.raw() == b"_\r\n"
        direct.cmd_raw("DEL", name)
    assert len(answers[1]) > 250_000
    assert answers[0] == answers[1]


def test_failures_are_errors_in_both_protocols(resources, io):
    server = resources(harness.Redis())
    with harness.Proxy(harness.redis([server]), io=io) as proxy, RedisConn(proxy.address) as client:
        client.cmd_raw("HELLO", "3")
        server.kill_now()
        assert client.cmd_raw("HGETALL", "x").startswith(b"-")
        assert client.cmd_raw("MGET", "x", "y").startswith(b"-")
