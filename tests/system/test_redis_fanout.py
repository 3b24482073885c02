"""redis commands over all nodes: three servers behind one ring, compared with what the servers say themselves."""

import collections
import threading

import pytest

import harness
from clients import RedisConn, RedisError, resp
from harness import load, wait_until
from ring import Keys

NODES = 3


@pytest.fixture(scope="module")
def servers():
    made = [harness.Redis() for _ in range(NODES)]
    yield made
    for server in made:
        server.kill_now()


@pytest.fixture(scope="module")
def proxies(servers):
    made = {}

    def get(io):
        if io not in made or not made[io].alive():
            made[io] = harness.Proxy(harness.redis(servers, flush_all_enabled=True), io=io, workers=2)
        return made[io]

    yield get
    for proxy in made.values():
        proxy.stop()


@pytest.fixture
def ring(servers, proxies, io):
    """(a client of the proxy, clients of its servers), all empty; rings of keys over them."""
    direct = [RedisConn(server.address) for server in servers]
    client = RedisConn(proxies(io).address)
    for conn in direct:
        conn.ok("FLUSHALL")
        conn.ok("SCRIPT", "FLUSH")
        conn.ok("FUNCTION", "FLUSH")
    yield client, direct
    for conn in [client, *direct]:
        conn.close()
    proxies(io).check_alive()


@pytest.fixture
def keys():
    return Keys(NODES)


def fill(client, names):
    client.pipeline([("SET", name, b"v") for name in names])
    return set(names)


def scan_all(client, *options, cursor=b"0", limit=100000):
    """All that SCAN returns, with duplicates, and the cursors it went through."""
    found, cursors = [], []
    for _ in range(limit):
        answer = client.cmd("SCAN", cursor, *options)
        assert isinstance(answer, list), answer
        cursor, page = answer
        assert int(cursor) < 1 << 53
        found += page
        cursors.append(cursor)
        if cursor == b"0":
            return found, cursors
    raise AssertionError("the scan does not end")


# ---------------------------------------------------------------------------------------------------------------
# SCAN


def test_scan_returns_every_key_once_while_nothing_changes(ring, keys):
    client, direct = ring
    names = fill(client, keys.many(load(3000)))
    for options in ([], ["COUNT", 100], ["COUNT", 100000]):
        found, _ = scan_all(client, *options)
        assert collections.Counter(found) == collections.Counter(names)
    assert sum(conn.cmd("DBSIZE") for conn in direct) == len(names)


def test_scan_takes_one_call_a_node_when_count_is_large(ring, keys):
    client, _ = ring
    fill(client, keys.spread(5))
    _, cursors = scan_all(client, "COUNT", 10000)
    assert len(cursors) == NODES


def test_scan_of_nothing(ring):
    client, _ = ring
    found, cursors = scan_all(client)
    assert found == [] and len(cursors) == NODES


def test_scan_passes_match_and_type_on(ring, keys):
    client, direct = ring
    names = keys.spread(20)
    fill(client, names)
    lists = [b"l-" + name for name in names]
    client.pipeline([("RPUSH", name, "x") for name in lists])
    assert sorted(scan_all(client, "MATCH", "l-*")[0]) == sorted(lists)
    assert sorted(scan_all(client, "TYPE", "list", "COUNT", 7)[0]) == sorted(lists)
    assert sorted(scan_all(client, "COUNT", 3, "TYPE", "string", "MATCH", "*")[0]) == sorted(names)
    assert scan_all(client, "TYPE", "zset")[0] == []


def test_scan_errors_are_the_servers(ring):
    client, direct = ring
    for words in (["SCAN"], ["SCAN", "x"], ["SCAN", " 1"], ["SCAN", "1x"], ["SCAN", "99999999999999999999999"],
                  ["SCAN", "0", "COUNT"], ["SCAN", "0", "COUNT", "0"], ["SCAN", "0", "COUNT", "x"], ["SCAN", "0", "NOSUCH", "1"],
                  ["SCAN", "0", "MATCH"]):
        assert client.cmd_raw(*words) == direct[0].cmd_raw(*words), words


@pytest.mark.parametrize("cursor", ["1", "32767", "32768", "-1", "+5", "18446744073709551615", "9223372036854775807", "123456789012345"])
def test_scan_with_a_cursor_that_nobody_gave_ends(ring, keys, cursor):
    client, _ = ring
    fill(client, keys.spread(50))
    scan_all(client, cursor=cursor, limit=10000)
    assert client.cmd("PING") == "PONG"


def test_scan_goes_on_through_other_workers_and_connections(ring, keys, servers, proxies, io):
    """A cursor means the same to every worker and to another proxy with the same configuration."""
    client, _ = ring
    names = fill(client, keys.many(500))
    with harness.Proxy(harness.redis(servers), io=io) as other:
        conns = [RedisConn(proxies(io).address) for _ in range(4)] + [RedisConn(other.address)]
        found, cursor, turn = [], b"0", 0
        while True:
            cursor, page = conns[turn % len(conns)].cmd("SCAN", cursor, "COUNT", 20)
            found += page
            turn += 1
            if cursor == b"0":
                break
        for conn in conns:
            conn.close()
    assert set(found) == names and turn > len(conns)


def test_scan_under_writes_returns_what_stays(ring, keys, proxies, io):
    client, _ = ring
    stay = fill(client, keys.many(load(2000)))
    stop = threading.Event()
    wrote = []

    def churn():
        with RedisConn(proxies(io).address) as writer:
            count = 0
            while not stop.is_set():
                name = "t-%d" % (count % 5000)  # the hash tables grow and shrink meanwhile
                writer.pipeline([("SET", name, "x"), ("DEL", "t-%d" % ((count + 2500) % 5000)), ("SET", f"g-{count}", "x")])
                count += 1
            wrote.append(count)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(3):
            found, _ = scan_all(client, "COUNT", 25)
            assert stay <= set(found)
    finally:
        stop.set()
        thread.join()
    assert wrote and wrote[0] > 0


def test_scan_while_a_node_leaves_and_returns(io, resources, keys):
    """The keys of the nodes that stay come all; the scan never fails once the node is out of the ring, and ends."""
    servers = [resources(harness.Redis()) for _ in range(NODES)]
    cluster = harness.redis(servers, ping_auto_eject=True, ping_fail_limit=1, ping_interval=20, eject_retry_interval=50)
    with harness.Proxy(cluster, io=io) as proxy, RedisConn(proxy.address) as client:
        names = keys.spread(300)
        fill(client, names)

        def state(word, index):
            line = f"n{index}:state={word}"
            wait_until(lambda: line in client.cmd("INFO", "backends").decode(), 10, line)

        for gone in range(NODES):
            stay = {name for name in names if keys.ring.node(name) != gone}
            client.pipeline([("SET", name, b"v") for name in names])
            found, cursor = [], b"0"
            for _ in range(3):
                cursor, page = client.cmd("SCAN", cursor, "COUNT", 10)
                found += page
            servers[gone].kill9()
            state("ejected", gone)
            for step in range(100000):
                if step == 20:
                    servers[gone].start()
                    state("in_ring", gone)
                answer = client.cmd("SCAN", cursor, "COUNT", 10)
                assert not isinstance(answer, RedisError), answer
                cursor, page = answer
                found += page
                if cursor == b"0":
                    break
            assert cursor == b"0"
            assert stay <= set(found)
            if not servers[gone].alive():
                servers[gone].start()
            state("in_ring", gone)


def test_scan_of_a_node_that_is_down_is_an_error_and_goes_on_later(io, resources, keys):
    servers = [resources(harness.Redis()) for _ in range(NODES)]
    with harness.Proxy(harness.redis(servers), io=io) as proxy, RedisConn(proxy.address) as client:
        names = fill(client, keys.spread(20))
        servers[1].freeze()
        servers[1].kill9()

        found, cursor = [], b"0"
        while True:
            answer = client.cmd("SCAN", cursor, "COUNT", 1000)
            if isinstance(answer, RedisError):
                break
            cursor, page = answer
            found += page
            assert cursor != b"0"
        servers[1].start()
        wait_until(lambda: not isinstance(client.cmd("SCAN", cursor), RedisError), 10, "the node to be back")
        rest, _ = scan_all(client, "COUNT", 1000, cursor=cursor)
        on_it = {name for name in names if keys.ring.node(name) == 1}
        assert set(found + rest) == names - on_it


# ---------------------------------------------------------------------------------------------------------------
# KEYS, DBSIZE, RANDOMKEY, FLUSH


def test_keys_are_those_of_all_nodes(ring, keys):
    client, direct = ring
    assert client.cmd("KEYS", "*") == []
    names = fill(client, keys.many(load(5000)))
    found = client.cmd("KEYS", "*")
    assert collections.Counter(found) == collections.Counter(names)
    for pattern in ("a*", "*z", "?[a-f]*", "nosuch"):
        assert sorted(client.cmd("KEYS", pattern)) == sorted(k for conn in direct for k in conn.cmd("KEYS", pattern))
    assert client.cmd_raw("KEYS") == direct[0].cmd_raw("KEYS")


def test_keys_in_a_pipeline_keep_their_place(ring, keys):
    client, _ = ring
    names = sorted(fill(client, keys.spread(100)))
    got = client.pipeline([("KEYS", "*"), ("GET", names[0]), ("DBSIZE",), ("NOSUCH",), ("KEYS", "-*")] * 20)
    for at in range(0, 100, 5):
        assert sorted(got[at]) == names and got[at + 1] == b"v" and got[at + 2] == 300
        assert got[at + 3].startswith("ERR unknown command") and got[at + 4] == []


def test_keys_beyond_what_is_held_are_an_error(ring, proxies, io):
    client, direct = ring
    assert direct[1].cmd("EVAL", "for i = 1, 70000 do redis.call('SET', string.rep('k', 1000) .. i, '') end", 0) is None
    answer = client.cmd("KEYS", "*")
    assert isinstance(answer, RedisError) and "larger than the proxy may hold" in answer
    assert client.cmd("DBSIZE") == 70000
    direct[1].ok("FLUSHALL")
    assert client.cmd("KEYS", "*") == []
    assert proxies(io).rss() < 250 * 2**20 * harness.MEMORY


def test_dbsize_is_the_sum(ring, keys):
    client, direct = ring
    assert client.cmd("DBSIZE") == 0
    fill(client, keys.many(777))
    assert client.cmd("DBSIZE") == 777 == sum(conn.cmd("DBSIZE") for conn in direct)
    assert client.cmd_raw("DBSIZE", "x") == direct[0].cmd_raw("DBSIZE", "x")


def test_randomkey(ring, keys):
    client, direct = ring
    assert client.cmd("RANDOMKEY") is None
    only = keys.on(2)
    client.ok("SET", only, "v")
    assert {client.cmd("RANDOMKEY") for _ in range(20)} == {only}
    # Each key is as likely as any other, so a node with few keys gives few.
    few, many = keys.on(0), [keys.on(1) for _ in range(99)]
    fill(client, [few, *many])
    got = collections.Counter(client.pipeline([("RANDOMKEY",)] * 2000))
    nodes = collections.Counter(keys.ring.node(name) for name in got.elements())
    assert set(nodes) == {0, 1, 2} and nodes[1] > 1800
    assert client.cmd_raw("RANDOMKEY", "x") == direct[0].cmd_raw("RANDOMKEY", "x")


@pytest.mark.parametrize("words", [["FLUSHALL"], ["FLUSHDB"], ["flushall", "async"], ["FLUSHDB", "SYNC"]], ids=" ".join)
def test_flush_empties_all_nodes(ring, keys, words):
    client, direct = ring
    fill(client, keys.spread(5))
    client.ok(*words)
    assert [conn.cmd("DBSIZE") for conn in direct] == [0] * NODES


def test_flush_errors_and_guard(ring, rd):
    client, direct = ring
    assert client.cmd_raw("FLUSHALL", "NOW") == direct[0].cmd_raw("FLUSHALL", "NOW")
    for words in (["FLUSHALL"], ["FLUSHDB", "ASYNC"]):  # the standard proxy does not let them through
        assert "flush_all_enabled" in rd().cmd(*words)


def test_one_dead_node_is_an_error_not_a_part(io, resources, keys):
    servers = [resources(harness.Redis()) for _ in range(NODES)]
    with harness.Proxy(harness.redis(servers), io=io) as proxy, RedisConn(proxy.address) as client:
        fill(client, keys.spread(5))
        servers[0].kill9()
        wait_until(lambda: isinstance(client.cmd("GET", keys.on(0)), RedisError), 10, "the node to be missed")
        for words in (["KEYS", "*"], ["DBSIZE"], ["SCRIPT", "LOAD", "return 1"], ["SCRIPT", "EXISTS", "a"]):
            assert isinstance(client.cmd(*words), RedisError), words
        assert client.cmd("RANDOMKEY") is not None  # any key of the others is right
        assert client.cmd("GET", keys.on(1)) is None


# ---------------------------------------------------------------------------------------------------------------
# scripts and functions on all nodes

LIBRARY = "#!lua name=mylib\nredis.register_function('f', function(keys, args) return 'f of ' .. (keys[1] or 'none') end)"


def test_script_load_exists_flush(ring):
    client, direct = ring
    sha = client.cmd("SCRIPT", "LOAD", "return 1")
    assert sha == b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
    other = direct[1].cmd("SCRIPT", "LOAD", "return 2")  # on one node only
    assert [conn.cmd("SCRIPT", "EXISTS", sha) for conn in direct] == [[1]] * NODES
    assert client.cmd("SCRIPT", "EXISTS", sha, other, "nosuch", sha) == [1, 0, 0, 1]
    client.ok("SCRIPT", "FLUSH", "SYNC")
    assert [conn.cmd("SCRIPT", "EXISTS", sha, other) for conn in direct] == [[0, 0]] * NODES
    for words in (["SCRIPT", "LOAD", "this is no lua"], ["SCRIPT", "FLUSH", "x"], ["SCRIPT", "KILL"], ["SCRIPT", "LOAD"],
                  ["SCRIPT", "EXISTS"], ["SCRIPT", "HELP"], ["FUNCTION", "KILL"], ["FUNCTION", "HELP"], ["FUNCTION", "LIST", "x"],
                  ["FUNCTION", "LOAD", "x"], ["FUNCTION", "DELETE", "nosuch"], ["FUNCTION", "FLUSH", "x"], ["FUNCTION", "STATS"],
                  ["FUNCTION", "RESTORE", "x"], ["OBJECT", "HELP"], ["MEMORY", "HELP"], ["XINFO", "HELP"], ["XGROUP", "HELP"]):
        assert client.cmd_raw(*words) == direct[0].cmd_raw(*words), words


def test_functions_are_on_all_nodes(ring, keys):
    client, direct = ring
    assert client.cmd("FUNCTION", "LOAD", LIBRARY) == b"mylib"
    assert client.cmd("FUNCTION", "LOAD", LIBRARY).startswith("ERR Library 'mylib' already exists")
    assert client.cmd("FUNCTION", "LOAD", "REPLACE", LIBRARY) == b"mylib"
    want = direct[0].cmd("FUNCTION", "LIST", "WITHCODE")
    assert client.cmd("FUNCTION", "LIST", "WITHCODE") == want == direct[2].cmd("FUNCTION", "LIST", "WITHCODE")
    for node in range(NODES):
        name = keys.on(node)
        assert client.cmd("FCALL", "f", 1, name) == b"f of " + name
    dump = client.cmd("FUNCTION", "DUMP")
    client.ok("FUNCTION", "DELETE", "mylib")
    assert [conn.cmd("FUNCTION", "LIST") for conn in direct] == [[]] * NODES
    client.ok("FUNCTION", "RESTORE", dump)
    assert [conn.cmd("FUNCTION", "LIST", "WITHCODE") for conn in direct] == [want] * NODES
    client.ok("FUNCTION", "FLUSH")
    assert [conn.cmd("FUNCTION", "LIST") for conn in direct] == [[]] * NODES


def test_script_kill_ends_a_script_wherever_it_runs(ring, keys, proxies, io):
    client, direct = ring
    for conn in direct:
        conn.ok("CONFIG", "SET", "busy-reply-threshold", 50)
    for node in range(NODES):
        with RedisConn(direct[node].sock.getpeername()) as runner, RedisConn(direct[node].sock.getpeername()) as other:
            runner.send(resp("EVAL", "while true do end", 0))
            wait_until(lambda: str(other.cmd("PING")).startswith("BUSY"), 10, "the script to run")
            client.ok("SCRIPT", "KILL")
            assert "killed" in runner.reply()
    assert client.cmd("SCRIPT", "KILL").startswith("NOTBUSY")
