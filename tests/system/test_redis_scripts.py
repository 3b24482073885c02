"""Scripts and functions over three nodes: where calls go, and scripts that a node has lost."""

import hashlib

import pytest

import harness
from clients import RedisConn, RedisError, resp
from harness import wait_until
from ring import Keys

NODES = 3
NOSCRIPT = "NOSCRIPT No matching script. Please use EVAL."


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
            made[io] = harness.Proxy(harness.redis(servers), harness.redis(servers, name="none", script_cache_size=0), io=io, workers=2)
        return made[io]

    yield get
    for proxy in made.values():
        proxy.stop()


@pytest.fixture
def ring(servers, proxies, io):
    direct = [RedisConn(server.address) for server in servers]
    client = RedisConn(proxies(io).address)
    client.ok("SCRIPT", "FLUSH")
    for conn in direct:
        conn.ok("FLUSHALL")
    yield client, direct
    for conn in [client, *direct]:
        conn.close()
    proxies(io).check_alive()


@pytest.fixture
def keys():
    return Keys(NODES)


COUNT = 0


def script():
    """A script that nothing has seen."""
    global COUNT
    COUNT += 1
    text = f"redis.call('SET', KEYS[1] or 'none', ARGV[1] or 'x') return {{{COUNT}, KEYS[1] or 'none', ARGV[1] or 'x'}}"
    return text, hashlib.sha1(text.encode()).hexdigest(), COUNT


def test_noscript_is_the_servers(ring, keys):
    client, direct = ring
    for words in (["EVALSHA", "f" * 40, 1, keys.any()], ["EVALSHA", "x", 0], ["EVALSHA_RO", "f" * 40, 0], ["EVALSHA", "", 0],
                  ["EVALSHA", "f" * 41, 1, "k"]):
        answer = client.cmd(*words)
        assert answer == NOSCRIPT == direct[0].cmd(*words), words


def test_calls_with_wrong_arguments_get_the_servers_words(ring, keys):
    client, direct = ring
    key = keys.any()
    for words in (["EVAL", "return 1"], ["EVAL", "return 1", "x"], ["EVAL", "return 1", -1], ["EVAL", "return 1", 2, key], ["EVAL", "nonsense", 0],
                  ["EVALSHA", "f" * 40], ["EVALSHA", "f" * 40, 3, key], ["FCALL", "nosuch", 0], ["FCALL", "nosuch", 1, key],
                  ["FCALL", "nosuch", "x"], ["EVAL", "return redis.call('NOSUCH')", 1, key], ["EVAL", "x" * 100000, "z"],
                  ["EVAL_RO", "return redis.call('SET', KEYS[1], 1)", 1, key], ["XREAD", "COUNT", 1, "x"], ["ZUNION", 0, key], ["LMPOP", 0, "a", "LEFT"]):
        assert client.cmd_raw(*words) == direct[0].cmd_raw(*words), str(words)[:80]


def test_a_loaded_script_comes_back_on_a_node_that_lost_it(ring, keys):
    client, direct = ring
    text, sha, number = script()
    assert client.cmd("SCRIPT", "LOAD", text) == sha.encode()
    for node in range(NODES):
        direct[node].ok("SCRIPT", "FLUSH")
        key = keys.on(node)
        assert client.cmd("EVALSHA", sha, 1, key, "one") == [number, key, b"one"]
        assert direct[node].cmd("SCRIPT", "EXISTS", sha) == [1]
        assert direct[node].cmd("GET", key) == b"one"
    assert client.cmd("SCRIPT", "EXISTS", sha) == [1]
    direct[0].ok("SCRIPT", "FLUSH")
    assert client.cmd("EVALSHA", sha.upper(), 0) == [number, b"none", b"x"]


def test_a_script_seen_by_eval_comes_back_through_any_worker(ring, keys, proxies, io):
    client, direct = ring
    text, sha, number = script()
    assert client.cmd("EVAL", text, 1, keys.on(0)) is not None
    others = [RedisConn(proxies(io).address) for _ in range(6)]
    for conn, node in zip(others, [0, 1, 2, 0, 1, 2]):
        direct[node].ok("SCRIPT", "FLUSH")
        key = keys.on(node)
        assert conn.cmd("EVALSHA", sha, 1, key, "v") == [number, key, b"v"]
    for conn in others:
        conn.close()


def test_evalsha_ro_comes_back_too(ring, keys):
    client, direct = ring
    text = "return redis.call('GET', KEYS[1])"
    sha = client.cmd("SCRIPT", "LOAD", text)
    for conn in direct:
        conn.ok("SCRIPT", "FLUSH")
    key = keys.any()
    client.ok("SET", key, "v")
    assert client.cmd("EVALSHA_RO", sha, 1, key) == b"v"
    assert client.cmd("EVALSHA_RO", sha, 1, keys.any()) is None


def test_a_pipeline_of_lost_scripts_keeps_its_answers_in_place(ring, keys):
    client, direct = ring
    text, sha, number = script()
    client.cmd("SCRIPT", "LOAD", text)
    names = keys.spread(30)
    for conn in direct:
        conn.ok("SCRIPT", "FLUSH")
    got = client.pipeline([c for name in names for c in (("EVALSHA", sha, 1, name, name), ("PING",), ("EVALSHA", "0" * 40, 1, name))])
    for i, name in enumerate(names):
        assert got[3 * i] == [number, name, name]
        assert got[3 * i + 1] == "PONG" and got[3 * i + 2] == NOSCRIPT
    assert client.pipeline([("GET", name) for name in names]) == names


def test_flush_through_the_proxy_forgets(ring, keys):
    client, direct = ring
    text, sha, number = script()
    client.cmd("EVAL", text, 1, keys.any())
    client.ok("SCRIPT", "FLUSH")
    for node in range(NODES):
        assert client.cmd("EVALSHA", sha, 1, keys.on(node)) == NOSCRIPT
    client.cmd("EVAL", text, 1, keys.any())  # and it is learned anew
    for node in range(NODES):
        assert client.cmd("EVALSHA", sha, 1, keys.on(node))[0] == number


def test_without_a_cache_the_server_decides(ring, keys, proxies, io):
    _, direct = ring
    text, sha, number = script()
    with RedisConn(proxies(io).clusters[1].address) as client:
        client.cmd("SCRIPT", "LOAD", text)
        key = keys.on(1)
        assert client.cmd("EVALSHA", sha, 1, key)[0] == number
        direct[1].ok("SCRIPT", "FLUSH")
        assert client.cmd("EVALSHA", sha, 1, key) == NOSCRIPT
        assert client.cmd("EVALSHA", sha, 1, keys.on(2))[0] == number


def test_calls_with_many_arguments_get_the_nodes_answer(ring, keys):
    """The bytes of a large call are not kept for a second attempt."""
    client, direct = ring
    text, sha, number = script()
    client.cmd("SCRIPT", "LOAD", text)
    key = keys.on(0)
    assert client.cmd("EVALSHA", sha, 1, key, "v" * 100000)[0] == number
    direct[0].ok("SCRIPT", "FLUSH")
    assert client.cmd("EVALSHA", sha, 1, key, "v" * 100000) == NOSCRIPT
    assert client.cmd("EVALSHA", sha, 1, key, "v")[0] == number


def test_large_and_odd_answers_of_a_second_attempt(ring, keys):
    client, direct = ring
    key = keys.on(2)
    for text, want in (("return string.rep('x', 300000)", b"x" * 300000), ("return redis.error_reply('MY own')", "MY own"),
                       ("return redis.call('GET', KEYS[1])", None), ("return nosuch", "-ERR"), ("return {}", [])):
        sha = client.cmd("SCRIPT", "LOAD", text)
        direct[2].ok("SCRIPT", "FLUSH")
        got = client.cmd("EVALSHA", sha, 1, key)
        assert got == want or (want == "-ERR" and got.startswith("ERR")), (text, got)


def test_clients_that_leave_during_a_second_attempt(ring, keys, proxies, io):
    client, direct = ring
    text, sha, number = script()
    client.cmd("SCRIPT", "LOAD", text)
    for node in range(NODES):
        for conn in direct:
            conn.ok("SCRIPT", "FLUSH")
        for _ in range(10):
            gone = RedisConn(proxies(io).address)
            gone.send(resp("EVALSHA", sha, 1, keys.on(node)) * 20)
            gone.reset()
    key = keys.any()
    assert client.cmd("EVALSHA", sha, 1, key, "v") == [number, key, b"v"]


def test_a_node_that_is_new_is_given_the_script(io, resources, keys):
    servers = [resources(harness.Redis()) for _ in range(NODES)]
    with harness.Proxy(harness.redis(servers), io=io) as proxy, RedisConn(proxy.address) as client:
        text, sha, number = script()
        assert client.cmd("SCRIPT", "LOAD", text) == sha.encode()
        servers[1].kill9()
        servers[1].start()
        key = keys.on(1)
        wait_until(lambda: client.cmd("GET", key) is None, 10, "the node to be back")
        assert client.cmd("EVALSHA", sha, 1, key, "v") == [number, key, b"v"]


def test_calls_without_keys_stay_on_one_node(ring):
    client, direct = ring
    used = set()
    for number in range(40):
        text = f"redis.call('INCR', 'calls-{number}') return {number}"
        sha = client.cmd("SCRIPT", "LOAD", text)
        for words in (["EVAL", text, 0], ["EVALSHA", sha, 0], ["EVALSHA", sha.upper(), 0], ["EVAL", text, 0, "argument"]):
            assert client.cmd(*words) == number
        counts = [conn.cmd("GET", f"calls-{number}") for conn in direct]
        assert sorted(counts, key=str) == [None, None, b"4"] or sorted(map(str, counts)) == ["None", "None", "b'4'"]
        used.add(counts.index(b"4"))
    assert used == {0, 1, 2}


def test_functions_without_keys_stay_on_one_node(ring):
    client, direct = ring
    code = "#!lua name=lib%d\nredis.register_function('fn%d', function() return redis.call('INCR', 'fcalls-%d') end)"
    for number in range(6):
        client.cmd("FUNCTION", "LOAD", "REPLACE", code % (number, number, number))
        assert [client.cmd("FCALL", f"fn{number}", 0) for _ in range(3)] == [1, 2, 3]
    client.ok("FUNCTION", "FLUSH")


def test_keys_on_several_nodes_are_refused(ring, keys):
    client, _ = ring
    a, b = keys.on(0), keys.on(1)
    for words in (["EVAL", "return 1", 2, a, b], ["EVALSHA", "f" * 40, 2, a, b], ["FCALL", "f", 2, a, b]):
        answer = client.cmd(*words)
        assert isinstance(answer, RedisError) and answer.startswith("CROSSSLOT")
