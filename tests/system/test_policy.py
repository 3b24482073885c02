"""deny_commands and read_only: what a cluster lets nobody do."""

import struct

import pytest

import harness
from clients import McConn, RedisConn


@pytest.fixture
def limited(io, resources):
    """A read-only redis and memcached, a redis with denied commands, and the servers themselves."""
    redis, memcached = resources(harness.Redis()), resources(harness.Memcached())
    with harness.Proxy(harness.redis([redis], name="ro", read_only=True),
                       harness.redis([redis], name="deny", deny_commands=["KEYS", "script", "client|list", "set", "mod.thing"]),
                       harness.memcache([memcached], name="mc", read_only=True), io=io) as proxy:
        yield proxy, redis, memcached


def test_a_read_only_redis(limited):
    proxy, redis, _ = limited
    with RedisConn(proxy.clusters[0].address) as client, RedisConn(redis.address) as direct:
        direct.ok("SET", "a", "1")
        for words in (["SET", "a", 2], ["DEL", "a"], ["MSET", "a", 2], ["EXPIRE", "a", 1], ["EVAL", "return 1", 0], ["EVALSHA", "f" * 40, 0],
                      ["FCALL", "f", 0], ["FLUSHALL"], ["RENAME", "a", "b"], ["FUNCTION", "FLUSH"], ["SET", "a", "x" * 1000000]):
            assert client.cmd(*words).startswith("READONLY "), words[:2]
        assert client.cmd("GET", "a") == b"1" and client.cmd("MGET", "a", "b") == [b"1", None]
        assert client.cmd("EVAL_RO", "return redis.call('GET', KEYS[1])", 1, "a") == b"1"
        assert client.cmd("KEYS", "*") == [b"a"] and client.cmd("DBSIZE") == 1
        assert client.cmd("SET").startswith("ERR wrong number")
        assert direct.cmd("GET", "a") == b"1"


def test_denied_commands(limited):
    proxy, redis, _ = limited
    with RedisConn(proxy.clusters[1].address) as client, RedisConn(redis.address) as direct:
        for words, name in ((["keys", "*"], "keys"), (["SCRIPT", "LOAD", "return 1"], "script|load"), (["CLIENT", "LIST"], "client|list"),
                            (["SET", "a", 1], "set"), (["SET", "a", "x" * 1000000], "set")):
            assert client.cmd(*words) == f"NOPERM the '{name}' command is denied by the proxy's configuration"
        got = client.pipeline([("SETEX", "a", 100, "v"), ("KEYS", "*"), ("GET", "a")])
        assert got[0] == "OK" and got[1].startswith("NOPERM") and got[2] == b"v"
        assert isinstance(client.cmd("CLIENT", "ID"), int)
        assert direct.cmd("SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db") == [0]


READ_ONLY = b"SERVER_ERROR read only\r\n"


def test_a_read_only_memcache(limited):
    proxy, _, memcached = limited
    with McConn(proxy.clusters[2].address) as client, McConn(memcached.address) as direct:
        assert direct.set("a", b"v") == b"STORED\r\n" and direct.set("n", b"1") == b"STORED\r\n"
        for line in (b"set a 0 0 1\r\nx", b"add b 0 0 1\r\nx", b"append a 0 0 1\r\nx", b"cas a 0 0 1 1\r\nx", b"delete a", b"incr n 1", b"decr n 1",
                     b"touch a 1", b"gat 1 a", b"gats 1 a", b"flush_all", b"ms a 1\r\nx", b"md a", b"ma n", b"mg a v T1", b"mg a v N1",
                     b"set a 0 0 200000\r\n" + b"x" * 200000, b"ms a 200000\r\n" + b"x" * 200000):
            assert client.ask(line + b"\r\n") == READ_ONLY, line[:20]
        for line in (b"set a 0 0 1 noreply\r\nx", b"delete a noreply", b"incr n 1 noreply", b"set a 0 0 200000 noreply\r\n" + b"x" * 200000):
            client.send(line + b"\r\n")
        assert client.value("a") == b"v" and client.value("n") == b"1"
        assert client.ask(b"mg a v\r\n") == b"VA 1\r\n" and client.line() == b"v\r\n"
        assert client.ask(b"mn\r\n") == b"MN\r\n"
        assert client.ask(b"version\r\n").startswith(b"VERSION")
        assert direct.value("a") == b"v" and direct.value("n") == b"1"


def frame(opcode, key=b"", extras=b"", value=b""):
    return struct.pack(">BBHBBHIIQ", 0x80, opcode, len(key), len(extras), 0, 0, len(extras) + len(key) + len(value), 7, 0) + extras + key + value


def test_a_read_only_memcache_in_binary(limited):
    proxy, _, memcached = limited
    with McConn(proxy.clusters[2].address) as client, McConn(memcached.address) as direct:
        assert direct.set("a", b"v") == b"STORED\r\n"

        def status(request):
            client.send(request)
            head = struct.unpack(">BBHBBHIIQ", client.exact(24))
            client.exact(head[6])
            return head[5]

        for request in (frame(1, b"a", bytes(8), b"x"), frame(1, b"a", bytes(8), b"x" * 300000), frame(4, b"a"), frame(5, b"n", bytes(20)),
                        frame(8), frame(0x0e, b"a", b"", b"x"), frame(0x1c, b"a", bytes(4)), frame(0x1d, b"a", bytes(4)), frame(0x11, b"a", bytes(8), b"x")):
            assert status(request) == 0x83, request[:2]
        assert status(frame(0, b"a")) == 0 and status(frame(0x0a)) == 0 and status(frame(0x0b)) == 0
        assert direct.value("a") == b"v"


def test_names_are_checked(tmp_path):
    def problems(line):
        file = tmp_path / "cluster.toml"
        file.write_text('[[clusters]]\nname = "c"\ncache_type = "redis"\nlisten_addr = "127.0.0.1:1"\nservers = ["127.0.0.1:2:1"]\n' + line + "\n")
        run = harness.run_proxy("-t", "-cluster", file)
        return run.returncode, run.stdout + run.stderr

    assert problems('deny_commands = ["keys", "Client|Kill", "config"]')[0] == 0
    code, text = problems('deny_commands = ["flushal"]')
    assert code != 0 and "unknown command \"flushal\"" in text and "did you mean flushall?" in text
    code, text = problems('deny_commands = "keys"')
    assert code != 0 and "array of strings" in text
    code, text = problems("deny_commands = [1]")
    assert code != 0 and "expected a string" in text
    code, text = problems('deny_commands = ["ft.search"]')
    assert code == 0 and "unknown command \"ft.search\"" in text
