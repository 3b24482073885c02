"""Commands that the proxy learns from its backends: a real module (redisearch), and what no real server says of its commands."""

import pytest

import harness
from clients import RedisConn, RedisError
from fakes import Fake
from harness import wait_until
from ring import Keys

NODES = 3
MODULE = ["--loadmodule", "/usr/lib/redis/modules/redisearch.so"]


@pytest.fixture
def keys():
    return Keys(NODES)


def knows(client, name):
    return client.cmd("COMMAND", "INFO", name)[0] is not None


@pytest.fixture(scope="module")
def servers():
    made = [harness.Redis(options=MODULE) for _ in range(NODES)]
    yield made
    for server in made:
        server.kill_now()


def test_a_modules_commands_pass_by_their_keys(io, servers, keys):
    with harness.Proxy(harness.redis(servers), io=io, workers=2) as proxy, RedisConn(proxy.address) as client:
        direct = [RedisConn(server.address) for server in servers]
        wait_until(lambda: knows(client, "ft.add"), 10, "the module's commands")
        for node in range(NODES):
            index = keys.on(node)
            client.ok("FT.CREATE", index, "SCHEMA", "t", "TEXT")
            client.ok("ft.add", index, b"doc-" + index, "1.0", "FIELDS", "t", "hello")
            assert client.cmd("FT.SEARCH", index, "hello") == [1, b"doc-" + index, [b"t", b"hello"]]
            assert direct[node].cmd("FT.SEARCH", index, "hello")[0] == 1
            assert client.cmd_raw("FT.SEARCH", index) == direct[node].cmd_raw("FT.SEARCH", index)
        # It names no keys, so it has no place; the connection stays.
        assert client.cmd("FT.MGET", index, "a") == "ERR 'ft.mget' is not supported through this proxy"
        assert "unknown command" in client.cmd("FT.NOSUCH", index)
        got = client.pipeline([("SET", index, 1), ("FT.SEARCH", index, "hello"), ("GET", index)])
        assert got[0] == "OK" and got[1][0] == 1 and got[2] == b"1"

        assert client.cmd("COMMAND", "COUNT") == direct[0].cmd("COMMAND", "COUNT")
        theirs = {name.lower() for name in direct[0].cmd("COMMAND", "LIST")}
        assert theirs <= set(client.cmd("COMMAND", "LIST"))
        ours, real = client.cmd("COMMAND", "INFO", "Ft.Add")[0], direct[0].cmd("COMMAND", "INFO", "ft.add")[0]
        assert ours[0] == b"ft.add" and ours[1] == real[1] and ours[3:6] == real[3:6] and set(ours[2]) == set(real[2]) - {"module"}
        assert client.cmd("COMMAND", "GETKEYS", "FT.ADD", "idx", "x") == [b"idx"]
        assert {bytes(c[0]) for c in client.cmd("COMMAND")} == {bytes(c[0]).lower() for c in direct[0].cmd("COMMAND")}
        for conn in direct:
            conn.close()


def test_a_backend_that_comes_back_with_more_commands(io, resources, keys):
    servers = [resources(harness.Redis()) for _ in range(NODES)]
    with harness.Proxy(harness.redis(servers), io=io) as proxy, RedisConn(proxy.address) as client:
        index = keys.on(1)
        assert "unknown command" in client.cmd("FT.CREATE", index, "SCHEMA", "t", "TEXT")
        servers[1].kill9()
        servers[1].options += MODULE
        servers[1].start()
        wait_until(lambda: knows(client, "ft.create"), 20, "the module's commands")
        wait_until(lambda: client.cmd("FT.CREATE", index, "SCHEMA", "t", "TEXT") == "OK", 10, "the node to be back")
        assert "unknown command" in client.cmd("FT.CREATE", keys.on(0), "SCHEMA", "t", "TEXT")  # that node says so itself


def test_a_module_that_is_loaded_later(io, resources):
    server = resources(harness.Redis(options=["--enable-module-command", "yes"]))
    with harness.Proxy(harness.redis([server]), io=io) as proxy, RedisConn(proxy.address) as client, RedisConn(server.address) as direct:
        direct.ok("MODULE", "LOAD", MODULE[1])
        wait_until(lambda: client.cmd("FT.CREATE", "idx", "SCHEMA", "t", "TEXT") == "OK", 20, "a client's try to make the proxy ask")


# ---------------------------------------------------------------------------------------------------------------
# a backend that says of its commands what no real one says


def encode(value):
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, str):
        return b"$%d\r\n%s\r\n" % (len(value), value.encode())
    return b"*%d\r\n" % len(value) + b"".join(map(encode, value))


def spec(begin, find, flags=("RW", "access", "update")):
    def part(fact):
        kind, facts = fact
        return ["type", kind, "spec", [x for pair in facts.items() for x in pair]]
    return ["flags", list(flags), "begin_search", part(begin), "find_keys", part(find)]


FIRST = spec(("index", {"index": 1}), ("range", {"lastkey": 0, "keystep": 1, "limit": 0}))
ALL = spec(("index", {"index": 1}), ("range", {"lastkey": -1, "keystep": 1, "limit": 0}))
COUNTED = spec(("index", {"index": 2}), ("keynum", {"keynumidx": 0, "firstkey": 1, "keystep": 1}))
WORD = spec(("keyword", {"keyword": "KEYS", "startfrom": 1}), ("range", {"lastkey": -1, "keystep": 1, "limit": 0}))
UNKNOWN = spec(("unknown", {}), ("unknown", {}))
LOOP = spec(("index", {"index": 1}), ("range", {"lastkey": -1, "keystep": 0, "limit": 0}))
BEFORE = spec(("index", {"index": 1}), ("keynum", {"keynumidx": -2, "firstkey": -3, "keystep": 1}))


def entry(name, arity=-2, flags=("write",), specs=(FIRST,), subs=(), places=(1, 1, 1)):
    return [name, arity, list(flags), *places, ["@write", "@nosuch"], ["a_tip"], list(specs), list(subs), "later field"]


TABLE = [
    entry("GET", 2, specs=(ALL,)), entry("m.one"), entry("m.all", specs=(ALL,), places=(1, -1, 1)),
    entry("m.counted", -3, flags=("write", "movablekeys"), specs=(COUNTED,), places=(0, 0, 0)),
    entry("m.word", flags=("readonly", "movablekeys"), specs=(WORD,), places=(0, 0, 0)),
    entry("m.two", specs=(FIRST, WORD)),
    ["m.old", 3, ["readonly"], 2, 2, 1], ["m.oldall", -2, ["write"], 1, -1, 1], ["m.none", 1, ["readonly"], 0, 0, 0],
    entry("m.box", flags=(), specs=(), places=(0, 0, 0), subs=[entry("m.box|in", 3, specs=[spec(
        ("index", {"index": 2}), ("range", {"lastkey": 0, "keystep": 1, "limit": 0}))], places=(2, 2, 1))]),
    entry("XINFO", subs=[entry("xinfo|newer", 3, specs=[spec(
        ("index", {"index": 2}), ("range", {"lastkey": 0, "keystep": 1, "limit": 0}))], places=(2, 2, 1))]),
    entry("m.far", places=(100000, 1, 1)), entry("m.deep", specs=[spec(("index", {"index": 30000}), ("range", {
        "lastkey": 0, "keystep": 1, "limit": 0}))]),
    entry("m.unknown", specs=(UNKNOWN,)), entry("m.loop", specs=(LOOP,)), entry("m.before", specs=(BEFORE,)),
    entry("m.asked", flags=("movablekeys",)),
    entry("m.incomplete", specs=[spec(("index", {"index": 1}), ("range", {"lastkey": 0, "keystep": 1, "limit": 0}), ("RW", "incomplete"))]),
    *[entry("m." + flag, flags=(flag,)) for flag in ("admin", "blocking", "pubsub")],
]


def describing(table):
    """Behaviour: says what its commands are, and answers any other with its words."""
    def behave(peer, _):
        while True:
            args = peer.redis_request(probes=False)
            words = [a.decode("latin-1") for a in args]
            if words[0] == "PING":
                peer.send(b"+PONG\r\n")
            elif words[0] == "INFO":
                peer.send(encode("redis_version:99.0\r\n"))
            elif words == ["COMMAND", "COUNT"]:
                peer.send(encode(len(table) if isinstance(table, list) else 1))
            elif words == ["COMMAND"]:
                peer.send(encode(table) if isinstance(table, list) else table)
            else:
                peer.send(encode(words))
    return behave


@pytest.fixture
def strange(io, resources):
    fakes = [resources(Fake(describing(TABLE))) for _ in range(NODES)]
    with harness.Proxy(harness.redis(fakes), io=io) as proxy, RedisConn(proxy.address) as client:
        wait_until(lambda: knows(client, "m.one"), 10, "the commands")
        yield client, fakes


def test_key_specs_decide_where_a_command_goes(strange, keys):
    client, fakes = strange

    def reaches(node, *words):
        assert client.cmd(*words) == [w if isinstance(w, bytes) else str(w).encode() for w in words], words
        line = b" ".join(w if isinstance(w, bytes) else str(w).encode() for w in words) + b"\n"
        assert [line in fake.received for fake in fakes] == [i == node for i in range(NODES)], words

    for node in range(NODES):
        a, b, elsewhere = keys.on(node), keys.on(node), keys.on((node + 1) % NODES)
        reaches(node, "m.one", a, elsewhere)
        reaches(node, "M.All", a, b)
        reaches(node, "m.counted", elsewhere, 2, a, b, elsewhere)
        reaches(node, "m.word", "x", "KEYS", a, b)
        reaches(node, "m.two", a, "KEYS", b)
        reaches(node, "m.old", elsewhere, a)
        reaches(node, "m.oldall", a, b, a)
        reaches(node, "m.box", "IN", a)
        reaches(node, "xinfo", "newer", a)
        reaches(node, "GET", a)  # the built-in table wins
        for words in (["m.all", a, elsewhere], ["m.counted", "x", 2, a, elsewhere], ["m.word", "keys", a, elsewhere],
                      ["m.two", a, "keys", elsewhere], ["m.oldall", a, elsewhere]):
            assert client.cmd(*words).startswith("CROSSSLOT"), words
    assert "wrong number of arguments for 'get'" in client.cmd("GET", a, b)
    assert "wrong number of arguments for 'm.old'" in client.cmd("m.old", a)
    assert "unknown subcommand 'out'. Try M.BOX HELP." in client.cmd("m.box", "out", a)
    assert "unknown subcommand" in client.cmd("xinfo", "newest", a)
    for words in (["m.counted", "x", 0], ["m.counted", "x", "y"], ["m.counted", "x", 5, a], ["m.word", "x"]):
        assert "finds no keys" in client.cmd(*words), words


def test_what_cannot_be_placed_is_refused(strange):
    client, fakes = strange
    for name in ("none", "far", "unknown", "loop", "before", "asked", "incomplete", "admin", "blocking", "pubsub"):
        words = ["m." + name] + ["a"] * (name != "none")
        assert client.cmd(*words) == f"ERR 'm.{name}' is not supported through this proxy"
    assert "finds no keys" in client.cmd("m.deep", "a")
    assert not any(b"m." in fake.received for fake in fakes)
    assert client.cmd("PING") == "PONG"


def test_what_command_says_of_learned_ones(strange):
    client, _ = strange
    names = {b"m." + n for n in (b"one", b"all", b"counted", b"box", b"loop")}
    assert names <= set(client.cmd("COMMAND", "LIST")) and {b"m.box|in", b"xinfo|newer"} <= set(client.cmd("COMMAND", "LIST"))
    assert set(client.cmd("COMMAND", "LIST", "FILTERBY", "PATTERN", "m.b*")) == {b"m.box", b"m.box|in", b"m.before", b"m.blocking"}
    assert client.cmd("COMMAND", "GETKEYS", "m.counted", "x", "2", "a", "b") == [b"a", b"b"]
    box = client.cmd("COMMAND", "INFO", "m.box")[0]
    assert box[0] == b"m.box" and [sub[0] for sub in box[9]] == [b"m.box|in"]
    one, missing, sub, new = client.cmd("COMMAND", "INFO", "M.ONE", "m.nosuch", "m.box|in", "xinfo|newer")
    assert one[:6] == [b"m.one", -2, ["write"], 1, 1, 1] and one[6] == ["@write"] and one[7] == [b"a_tip"]
    assert missing is None and sub[0] == b"m.box|in" and new[0] == b"xinfo|newer"
    assert client.cmd("COMMAND", "DOCS", "m.one")[1][1] == b"Through the proxy: goes to the key's node"
    names = client.cmd("COMMAND", "DOCS", "xinfo|newer", "m.box|in", "M.BOX", "get", "m.nosuch", "m.one")[::2]
    assert names == [b"get", b"xinfo|newer", b"m.box|in", b"m.box", b"m.one"]
    assert {b"m.one", b"m.box", b"get"} <= set(client.cmd("COMMAND", "DOCS")[::2])


@pytest.mark.parametrize("reply", [
    b"+OK\r\n", b"*-1\r\n", b"-ERR unknown command\r\n", b"*1\r\n*0\r\n", b"*1\r\n:1\r\n", b"*1\r\n*6\r\n$1\r\na\r\n:1\r\n+x\r\n:1\r\n:1\r\n:1\r\n",
    encode([["a b", 1, [], 0, 0, 0]]), encode([["", 1, [], 0, 0, 0]]), encode([entry("m.x", subs=[entry("other|sub")])]), encode([["m.x", 1, [1], 0, 0, 0]]),
    b"*2\r\n" + encode(entry("m.x")) + b"$-1\r\n", b"*100000\r\n" + b"*0\r\n" * 100000,
], ids=lambda reply: reply[:30].decode("latin-1").replace("\r\n", "~"))
def test_a_table_that_is_none_teaches_nothing(io, resources, reply):
    fake = resources(Fake(describing(reply)))
    with harness.Proxy(harness.redis([fake]), io=io) as proxy, RedisConn(proxy.address) as client:
        wait_until(lambda: b"COMMAND\n" in fake.received, 10, "the question")
        assert client.cmd("GET", "a") == [b"GET", b"a"]  # behind the table on the same connection
        assert "unknown command" in client.cmd("m.x", "a")
        assert client.cmd("SET", "a", "b") == [b"SET", b"a", b"b"]
        assert not isinstance(client.cmd("COMMAND", "COUNT"), RedisError)


def test_a_backend_that_hangs_up_is_left_alone(io, resources):
    def behave(peer, fake):
        while True:
            args = peer.redis_request(probes=False)
            if args[0] == b"COMMAND":
                return  # and closes, as some proxies do with what they do not know
            peer.send({b"PING": b"+PONG\r\n", b"INFO": b"-ERR no\r\n"}.get(args[0], b"+OK\r\n"))

    fake = resources(Fake(behave))
    with harness.Proxy(harness.redis([fake]), io=io) as proxy, RedisConn(proxy.address) as client:
        wait_until(lambda: "it is not asked again" in proxy.output(), 30, "the proxy to give up")
        wait_until(lambda: client.cmd("GET", "a") == "OK", 10, "the backend to be back")
        asked = fake.received.count(b"COMMAND")
        assert asked == 3
        for _ in range(20):
            client.cmd("NOSUCH")
        wait_until(lambda: client.cmd("SET", "a", "b") == "OK", 10)
        assert fake.received.count(b"COMMAND") == asked


def test_learning_can_be_off(io, resources):
    fake = resources(Fake(describing(TABLE)))
    with harness.Proxy(harness.redis([fake], learn_commands=False), io=io) as proxy, RedisConn(proxy.address) as client:
        assert client.cmd("GET", "a") == [b"GET", b"a"]
        assert "unknown command" in client.cmd("m.one", "a")
        assert b"GET a\n" in fake.received and b"COMMAND" not in fake.received


def test_one_table_is_asked_for_per_version(io, resources):
    fakes = [resources(Fake(describing(TABLE))) for _ in range(5)]
    with harness.Proxy(harness.redis(fakes), io=io, workers=2) as proxy, RedisConn(proxy.address) as client:
        wait_until(lambda: all(b"COMMAND COUNT\n" in fake.received for fake in fakes), 10, "the questions")
        assert sum(bytes(fake.received).split(b"\n").count(b"COMMAND") for fake in fakes) == 1
        assert sum(bytes(fake.received).split(b"\n").count(b"COMMAND COUNT") for fake in fakes) == 5
        assert knows(client, "m.one")
