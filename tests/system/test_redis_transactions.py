"""MULTI, EXEC, DISCARD, WATCH, UNWATCH through the proxy: as the server answers them, and nothing left behind."""

import pytest

import harness
from clients import RedisConn, RedisError, resp
from harness import SCALE, wait_until

ABORTED = "EXECABORT Transaction discarded because of previous errors."
CROSS = "CROSSSLOT Keys in request don't hash to the same slot"


def lines(*texts):
    return [text.split() for text in texts]


# Each is one conversation; {k} is one key, {j} another on the same node.
CONVERSATIONS = [
    lines("MULTI", "SET {k} 1", "INCR {k}", "LPUSH {k} x", "GET {j}", "EXEC", "GET {k}"),
    lines("MULTI", "EXEC"),
    lines("MULTI", "DISCARD", "EXEC", "DISCARD"),
    lines("MULTI", "SET {k} 1", "DISCARD", "GET {k}"),
    lines("MULTI", "MULTI", "SET {k} 1", "EXEC"),
    lines("MULTI", "WATCH {k}", "SET {k} 1", "EXEC"),
    lines("MULTI", "NOSUCH a b", "SET {k} 1", "EXEC", "GET {k}"),
    lines("MULTI", "GET", "SET {k} 1", "EXEC", "EXEC"),
    lines("MULTI", "XGROUP NOSUCH", "EXEC"),
    lines("MULTI", "SET {k} 1", "EXEC 1", "GET {k}", "EXEC"),
    lines("MULTI 1", "DISCARD 1", "WATCH", "UNWATCH 1", "UNWATCH", "EXEC"),
    lines("MULTI", "UNWATCH", "EXEC"),
    lines("MULTI", "PING", "SET {k} 1", "ECHO x", "GET {k}", "SELECT 0", "SELECT 99", "PING a", "EXEC"),
    lines("MULTI", "PING", "EXEC"),
    lines("MULTI", "CLIENT SETNAME me", "EXEC", "CLIENT GETNAME"),
    lines("MULTI", "EVAL return{1,2} 0", "EXEC"),
    lines("MULTI", "EVAL x 1 {k}", "EVAL return(1) notanumber", "EXEC"),
    lines("MULTI", "MSET {k} 1 {j} 2", "MGET {k} {j} {k}", "DEL {k} {j}", "EXISTS {k} {j}", "EXEC"),
    lines("MULTI", "BLPOP {k} 0", "LPUSH {k} a", "BLPOP {k} {j} 0", "XREAD BLOCK 0 STREAMS {j} $", "EXEC"),
    lines("MULTI", "QUIT"),
    lines("WATCH {k}", "GET {k}", "MULTI", "SET {k} 1", "EXEC", "GET {k}"),
    lines("WATCH {k} {j}", "SET {j} 1", "MULTI", "SET {k} 1", "EXEC", "GET {k}"),
    lines("WATCH {k}", "SET {k} 1", "UNWATCH", "MULTI", "INCR {k}", "EXEC"),
    lines("WATCH {k}", "SET {k} 1", "MULTI", "INCR {k}", "DISCARD", "MULTI", "INCR {k}", "EXEC"),
    lines("WATCH {k}", "WATCH {j}", "SET {j} 1", "MULTI", "EXEC", "MULTI", "EXEC"),
    lines("WATCH {k}", "MULTI", "NOSUCH", "EXEC", "SET {k} 1", "MULTI", "INCR {k}", "EXEC"),
    lines("WATCH {k}", "MULTI", "PING", "EXEC", "WATCH {k}", "SET {k} 1", "MULTI", "PING", "EXEC"),
]


@pytest.mark.parametrize("pipelined", [False, True], ids=["stepwise", "pipelined"])
@pytest.mark.parametrize("number", range(len(CONVERSATIONS)))
def test_as_the_server_answers(rd, rd_direct, keys, number, pipelined):
    k = keys.on(2)
    words = {"{k}": k, "{j}": keys.on(2)}
    talk = [resp(*[words.get(word, word) for word in line]) for line in CONVERSATIONS[number]]
    got = []
    for client in (rd(), rd_direct()):
        if pipelined:
            client.send(b"".join(talk))
            got.append([client.raw() for _ in talk])
        else:
            answers = []
            for request in talk:
                client.send(request)
                answers.append(client.raw())
            got.append(answers)
    assert got[0] == got[1]


def test_replies_in_resp3(rd, rd_direct, keys):
    """Each in the type that its command has, nulls and the proxy's own answers too."""
    k = keys.on(2)
    word = {"{k}": k, "{h}": b"h{%s}" % k, "{z}": b"z{%s}" % k}
    talk = lines("HSET {h} a 1", "ZADD {z} 1.5 m", "MULTI", "HGETALL {h}", "PING", "ZSCORE {z} m", "GET {k}", "ECHO x",
                 "ZRANGE {z} 0 -1 WITHSCORES", "LPUSH {k} a", "INCR {k}", "EXEC", "WATCH {h}", "HSET {h} a 2", "MULTI",
                 "EXEC", "MULTI", "HGETALL {h}", "SMEMBERS {k}", "EXEC", "MULTI", "EXEC")
    got = []
    for client in (rd(), rd_direct()):
        client.send(resp("HELLO", 3))
        client.raw()
        answers = []
        for line in talk:
            client.send(resp(*[word.get(part, part) for part in line]))
            answers.append(client.raw())
        got.append(answers)
    assert got[0] == got[1]


def test_time_and_command_stand_in_their_places(rd, keys):
    client, key = rd(), keys.any()
    for line in (["MULTI"], ["SET", key, "v"], ["TIME"], ["COMMAND", "COUNT"], ["GET", key], ["CLIENT", "ID"]):
        client.cmd(*line)
    first, time, count, value, number = client.cmd("EXEC")
    assert (first, value) == ("OK", b"v") and len(time) == 2 and count > 200 and number > 0


def test_keys_of_several_nodes(rd, keys):
    client, here, there = rd(), keys.on(0), keys.on(1)
    client.ok("MULTI")
    assert client.cmd("SET", here, 1) == "QUEUED"
    assert client.cmd("SET", there, 1) == CROSS
    assert client.cmd("EXEC") == ABORTED
    client.ok("MULTI")
    assert client.cmd("MSET", here, 1, there, 1) == CROSS
    assert client.cmd("EXEC") == ABORTED
    assert client.cmd("WATCH", here, there) == CROSS
    client.ok("WATCH", here)
    assert client.cmd("WATCH", there) == CROSS
    client.ok("MULTI")
    assert client.cmd("GET", there) == CROSS
    assert client.cmd("EXEC") == ABORTED
    assert client.cmd("MGET", here, there) == [None, None]


@pytest.mark.parametrize("words", [["HELLO", "2"], ["AUTH", "x"], ["MONITOR"], ["SUBSCRIBE", "x"]], ids="_".join)
def test_what_may_not_stand_in_a_transaction(rd, keys, words):
    client, key = rd(), keys.any()
    client.ok("MULTI")
    client.cmd("SET", key, 1)
    assert isinstance(client.cmd(*words), RedisError)
    assert client.cmd("EXEC") == ABORTED
    assert client.cmd("GET", key) is None


def test_large_transactions(rd, keys):
    client, key = rd(), keys.any()
    value = b"v" * 400_000
    client.ok("MULTI")
    assert client.pipeline([["SET", key, value]] + [["GET", key]] * 30 + [["PING"]]) == ["QUEUED"] * 32
    assert client.cmd("EXEC") == ["OK"] + [value] * 30 + ["PONG"]
    client.ok("MULTI")
    assert client.pipeline([["GET", key]] * 30) == ["QUEUED"] * 30
    assert client.cmd("EXEC") == [value] * 30
    assert client.pipeline([["MULTI"]] + [["APPEND", key, "x"]] * 5000 + [["EXEC"]])[-1] == list(
        range(400_001, 405_001))


def test_many_pipelined_transactions(rd, keys):
    client, mine = rd(), keys.spread(2)
    talk, expected = [], []
    for turn in range(harness.load(200)):
        for key in mine:
            talk += [["MULTI"], ["SET", key, turn], ["INCR", key], ["EXEC"], ["GET", key]]
            expected += ["OK", "QUEUED", "QUEUED", ["OK", turn + 1], b"%d" % (turn + 1)]
    assert client.pipeline(talk) == expected


def test_a_queued_command_that_the_node_refuses(io, resources, keys):
    """What the proxy cannot know when it answers QUEUED comes as the reason of EXECABORT."""
    server = resources(harness.Redis(options=["--maxmemory", "1mb"]))
    direct = RedisConn(server.address)
    with harness.Proxy(harness.redis([server]), io=io) as proxy, RedisConn(proxy.address) as client, direct:
        for talk in ([["GET", "x"], ["SET", "x", 1], ["SET", "x", 2], ["EXEC"]], [["SET", "x", 1], ["PING"], ["EXEC"]]):
            client.ok("MULTI")
            answers = client.pipeline(talk)
            assert set(answers[:-1]) == {"QUEUED"}
            assert answers[-1].startswith("EXECABORT Transaction discarded because of: OOM command not allowed")
        assert client.cmd("GET", "x") is None


def test_redis_py_transactions(proxy, keys):
    redis = pytest.importorskip("redis")
    client = redis.Redis(port=proxy.clusters[1].port, socket_timeout=20 * SCALE)
    key, other = keys.on(3), keys.on(3)
    with client.pipeline(transaction=True) as pipe:
        assert pipe.set(key, 1).incr(key).get(other).execute() == [True, 2, None]
        with pytest.raises(redis.ResponseError):
            pipe.set(key, 1).lpush(key, 1).execute()
    with client.pipeline() as pipe:
        pipe.watch(key)
        assert pipe.get(key) == b"1"
        pipe.multi()
        assert pipe.set(key, 5).execute() == [True]
        pipe.watch(key)
        client.set(key, 6)
        pipe.multi()
        pipe.set(key, 7)
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert client.transaction(lambda pipe: (pipe.multi(), pipe.incr(key)), key) == [7]
    with client.lock(b"lock-" + key, timeout=5):
        pass


class Own:
    """Servers and a proxy of the test's own; how many connections the proxy has to server 0."""

    def __init__(self, io, resources, count=3, **keys):
        self.servers = [resources(harness.Redis()) for _ in range(count)]
        self.proxy = harness.Proxy(harness.redis(self.servers, **keys), io=io)
        self.direct = RedisConn(self.servers[0].address)
        self.base = 1 + self.proxy.clusters[0].keys["node_connections"]
        self.back_at_base()

    def connections(self):
        return self.direct.cmd("CLIENT", "LIST").count(b"\n")

    def back_at_base(self):
        wait_until(lambda: self.connections() == self.base, 10, "only the usual connections to be open")

    def __enter__(self):
        self.proxy.__enter__()
        return self

    def __exit__(self, *what):
        self.proxy.__exit__(*what)
        self.direct.close()


def test_watch_uses_connections_again(io, resources):
    from ring import Keys
    keys = Keys(3)
    with Own(io, resources) as own:
        key = keys.on(0)
        with RedisConn(own.proxy.address) as client:
            for turn in range(20):
                client.ok("WATCH", key)
                client.ok("MULTI")
                client.cmd("SET", key, turn)
                assert client.cmd("EXEC") == ["OK"]
            assert own.connections() == own.base + 1
        clients = [RedisConn(own.proxy.address) for _ in range(30)]
        for client in clients:
            client.ok("WATCH", key)
        assert own.connections() == own.base + 30
        # One changes the key; all the others have to find out.
        clients[0].ok("SET", key, "changed")
        for client in clients[:10]:
            client.ok("MULTI")
            assert client.cmd("SET", key, "lost") == "QUEUED"
            assert client.cmd("EXEC") is None
        for client in clients:
            client.close()
        own.back_at_base()
        assert own.direct.cmd("GET", key) == b"changed"
        # What a client left watched does not disturb the next one on that connection.
        with RedisConn(own.proxy.address) as one:
            one.ok("WATCH", key)
        with RedisConn(own.proxy.address) as two, RedisConn(own.proxy.address) as three:
            two.ok("WATCH", b"x{" + key + b"}")
            three.ok("SET", key, "again")
            two.ok("MULTI")
            assert two.cmd("GET", key) == "QUEUED"
            assert two.cmd("EXEC") == [b"again"]


def test_limit_of_leased_connections(io, resources):
    with Own(io, resources, 1, max_leased_connections=3) as own:
        clients = [RedisConn(own.proxy.address) for _ in range(4)]
        for client in clients[:3]:
            client.ok("WATCH", "k")
        assert "max_leased_connections" in clients[3].cmd("WATCH", "k")
        assert b"failures_no_lease:1\r\n" in clients[3].cmd("INFO", "stats")
        clients[3].ok("SET", "k", 1)
        clients[0].ok("UNWATCH")
        clients[3].ok("WATCH", "k")
        for client in clients:
            client.close()


def test_backend_dies_in_a_transaction(io, resources):
    from ring import Keys
    keys = Keys(3)
    with Own(io, resources) as own:
        key = keys.on(0)
        watcher, queued, blind = (RedisConn(own.proxy.address) for _ in range(3))
        watcher.ok("WATCH", key)
        queued.ok("WATCH", key)
        queued.ok("MULTI")
        queued.cmd("SET", key, 1)
        blind.ok("MULTI")
        blind.cmd("SET", key, 1)
        own.servers[0].kill9()
        own.direct.close()
        assert wait_until(lambda: isinstance(RedisConn(own.proxy.address).cmd("GET", key), RedisError), 10, "an error")
        assert isinstance(queued.cmd("EXEC"), RedisError)
        assert isinstance(blind.cmd("EXEC"), RedisError)
        own.servers[0].start()
        wait_until(lambda: blind.cmd("SET", key, 2) == "OK", 10, "the backend to be up again")
        # The watch is gone, so nothing is known about the key: an error, not a transaction.
        watcher.ok("MULTI")
        assert watcher.cmd("SET", key, 1) == "QUEUED"
        assert watcher.cmd("EXEC") == "ERR backend connection lost"
        for client in (watcher, queued, blind):
            client.ok("WATCH", key)
            client.ok("MULTI")
            assert client.cmd("INCR", key) == "QUEUED"
        assert watcher.cmd("EXEC") == [3]
        assert queued.cmd("EXEC") is None
        assert blind.cmd("EXEC") is None
        for client in (watcher, queued, blind):
            client.close()


def test_backend_hangs_in_a_transaction(io, resources):
    """EXEC that is not answered in time is an error; its late answer reaches nobody."""
    timeout = int(400 * SCALE)
    with Own(io, resources, 1, read_timeout=timeout, dial_timeout=timeout) as own:
        plain, watcher = RedisConn(own.proxy.address), RedisConn(own.proxy.address)
        watcher.ok("WATCH", "k")
        for client in (plain, watcher):
            client.ok("MULTI")
            for n in range(3):
                client.cmd("SET", "k", n)
        own.servers[0].freeze()
        plain.send(resp("EXEC"))
        watcher.send(resp("EXEC"))
        assert plain.reply() == "ERR backend timed out"
        assert watcher.reply() == "ERR backend timed out"
        own.servers[0].thaw()
        wait_until(lambda: plain.cmd("SET", "other", "v") == "OK", 10, "the backend to be up again")
        assert plain.cmd("GET", "other") == b"v"
        assert watcher.cmd("GET", "other") == b"v"
        plain.close()
        watcher.close()


def test_what_the_proxy_answers_has_its_place(rd, keys):
    key = keys.on(1)
    for version in (2, 3):
        client = rd()
        client.cmd_raw("HELLO", version)
        client.ok("MULTI")
        asked = [("SET", key, "v"), ("INFO", "server"), ("ACL", "WHOAMI"), ("CONFIG", "GET", "databases"), ("ROLE",),
                 ("ACL", "DRYRUN", "default", "GET", "x"), ("GET", key), ("COMMAND", "COUNT"), ("SELECT", "7")]
        for line in asked:
            assert client.cmd(*line) == "QUEUED", line
        raw = client.cmd_raw("EXEC")
        assert raw.startswith(b"*9\r\n+OK\r\n" + (b"$" if version == 2 else b"="))
        assert b"\r\n$7\r\ndefault\r\n" + (b"*2" if version == 2 else b"%1") + b"\r\n$9\r\ndatabases\r\n" in raw
        assert b"+OK\r\n$1\r\nv\r\n:" in raw and raw.endswith(b"\r\n-ERR DB index is out of range\r\n")
        for refused in (("CLIENT", "LIST"), ("ACL", "LOG"), ("HELLO", "2"), ("CLIENT", "REPLY", "OFF"), ("DBSIZE",)):
            client.ok("MULTI")
            assert "not supported inside a transaction" in client.cmd(*refused)
            assert client.cmd("EXEC").startswith("EXECABORT")
