"""Backends that take nothing but the binary protocol: what text and meta clients say and hear is the same."""

import base64
import re
import struct

import pytest

import harness
import test_big_values as big
import test_memcache_binary as binary
import test_memcache_binary_compare as compare
import test_memcache_multiget as multiget
import test_memcache_text as text
from clients import McConn
from fakes import Fake
from harness import SCALE, wait_until
from test_memcache_meta import SCRIPT, Generator, answers, b64, expand, timeless
from test_memcache_meta import (test_every_split_of_a_request, test_large_values,  # noqa: F401
                                test_plain_and_base64_keys_meet, test_quiet_pipeline_over_nodes_keeps_its_order)

BINARY = ["-I", "8m", "-B", "binary"]


@pytest.fixture(scope="module")
def binary_backends():
    servers = [harness.Memcached(options=BINARY) for _ in range(4)]
    yield servers
    for server in servers:
        server.kill_now()


@pytest.fixture
def proxy(io, binary_backends):
    """In place of the standard proxy: the tests of other files that stand below run before binary backends."""
    with harness.Proxy(harness.memcache(binary_backends, backend_protocol="binary"), io=io) as running:
        yield running


@pytest.fixture
def own_mc(io, resources):
    servers = [resources(harness.Memcached(options=BINARY)) for _ in range(2)]
    with harness.Proxy(harness.memcache(servers, backend_protocol="binary", read_timeout=60000, write_timeout=60000,
                                        node_connections=2), io=io) as running:
        yield running


stored = multiget.stored
test_order_and_content = multiget.test_order_and_content
test_misses_leave_no_trace = multiget.test_misses_leave_no_trace
test_duplicates_are_answered_each_time = multiget.test_duplicates_are_answered_each_time
test_gets_gat_gats = multiget.test_gets_gat_gats
test_a_thousand_keys = multiget.test_a_thousand_keys
test_a_hundred_keys_of_250_bytes = multiget.test_a_hundred_keys_of_250_bytes
test_large_values_in_order = multiget.test_large_values_in_order
test_text_same_as_memcached = text.test_same_as_memcached
test_all_in_one_pipeline = text.test_all_in_one_pipeline
test_cas_ids_work = text.test_cas_ids_work
test_stats_between_other_requests = text.test_stats_between_other_requests
test_refused_lines_do_not_shift_replies_of_others = text.test_refused_lines_do_not_shift_replies_of_others
test_gets_of_many_clients_in_one_turn = text.test_gets_of_many_clients_in_one_turn
test_writes_and_gets_of_many_clients_in_one_turn = text.test_writes_and_gets_of_many_clients_in_one_turn
test_a_client_leaves_with_gets_under_way = text.test_a_client_leaves_with_gets_under_way
test_memcache_item = big.test_memcache_item
test_memcache_item_too_large = big.test_memcache_item_too_large
test_memcache_slow_reader = big.test_memcache_slow_reader

# Binary clients: their requests are translated twice.
client = binary.client
test_quiet_commands_say_only_what_is_new = binary.test_quiet_commands_say_only_what_is_new
test_answers_keep_the_order_of_the_requests = binary.test_answers_keep_the_order_of_the_requests
test_unique_guards = binary.test_unique_guards
test_counters = binary.test_counters
test_large_values_of_binary_clients = binary.test_large_values
test_large_quiet_stores_in_a_row = binary.test_large_quiet_stores_in_a_row
test_a_client_that_leaves_in_a_quiet_group = binary.test_a_client_that_leaves_in_a_quiet_group
binary_pair = compare.pair


@pytest.mark.parametrize("seed", range(2))
def test_valid_binary_conversations(binary_pair, keys, seed):
    compare.test_valid_conversations(binary_pair, keys, seed)


@pytest.fixture
def pair(io, resources):
    """A client of a proxy before one fresh binary memcached, and one of another fresh memcached."""
    behind = resources(harness.Memcached(options=BINARY))
    plain = resources(harness.Memcached(options=["-I", "8m"]))
    with harness.Proxy(harness.memcache([behind], backend_protocol="binary"), io=io) as running:
        with McConn(running.address) as through, McConn(plain.address) as direct:
            yield through, direct


# Which binary has no words for, by command.
IMPOSSIBLE = {b"mg": rb" [NRhltu]", b"ms": rb" I", b"md": rb" I", b"ma": rb" [Tt]", b"me": rb""}


def possible(line):
    head = line.split(b"~")[0]
    return not re.search(IMPOSSIBLE.get(head[:2], b"\x00"), head[4:])


def plain_flags(answer):
    """Win, stale and sent marks are left by commands that binary has no words for, and so is what an item remembers of
    how its key was written when it was stored: binary nodes' keys are shown as they were asked."""
    answer = re.sub(rb" [WXZ](?=[ \r])", b"", timeless(answer))
    return re.sub(rb" k([A-Za-z0-9+/=]+) b(?=[ \r])", lambda found: b" k" + base64.b64decode(found[1]), answer)


def test_meta_same_as_memcached(pair):
    through, direct = pair
    steps = [step for step in SCRIPT.split(b"|") if possible(step)]
    assert len(steps) > 120
    for step in steps:
        script = expand(step, b"same-")
        assert plain_flags(answers(through, script)) == plain_flags(answers(direct, script)), script


@pytest.mark.parametrize("seed", [3, 4])
def test_generated_lines(pair, seed):
    through, direct = pair
    generator = Generator(seed)
    seen = set()
    compared = 0
    while compared < harness.load(2000):
        line = generator.line()
        # memcached looks at the opaque when it has done half of it; here nothing is done.
        if not possible(line.split(b"\r\n")[0]) or b" O1234" in line:
            continue
        compared += 1
        got, wanted = plain_flags(answers(through, line)), plain_flags(answers(direct, line))
        assert got == wanted, line
        seen.update(re.findall(rb"(?m)^(HD|EN|NS|EX|NF|VA|MN|CLIENT_ERROR [a-z ]*)", wanted))
    assert {b"HD", b"EN", b"NS", b"EX", b"NF", b"VA", b"MN"} <= seen
    assert len(seen) > 10, seen


def test_what_binary_cannot_say_is_refused(mc, keys):
    client = mc()
    flag = b"CLIENT_ERROR flag not possible with a binary backend\r\n"
    for line in (b"mg K N30", b"mg K R30 v", b"mg K t", b"mg K h", b"mg K l q", b"mg K u v", b"md K I", b"ma K T30",
                 b"ma K t", b"ms K 3 I C1"):
        key = keys.any()
        data = b"\r\nabc\r\n" if line.startswith(b"ms") else b"\r\n"
        assert client.ask(line.replace(b"K", key) + data) == flag, line
        assert client.ask(b"mg %s\r\n" % key) == b"EN\r\n"
    assert client.ask(b"me %s\r\n" % keys.any()) == b"CLIENT_ERROR command not possible with a binary backend\r\n"


def test_any_key(mc, keys):
    """A base64 key of any bytes, shown where it was asked for."""
    client = mc()
    for tail in (b"\r\nHD\r\n", b"\x00\x7f ", b"\xff\xfe"):
        key = b64(keys.any() + tail)
        assert client.ask(b"ms %s 3 b c k T0\r\nabc\r\n" % key).startswith(b"HD c")
        client.send(b"mg %s b f k Oo v s\r\nmg %s b k q O1\r\nmn\r\n" % (key, key))
        assert client.line() == b"VA 3 f0 k%s b Oo s3\r\n" % key
        assert client.exact(5) == b"abc\r\n"
        assert client.line() == b"HD k%s b O1\r\n" % key
        assert client.line() == b"MN\r\n"
        assert client.ask(b"md %s b k\r\n" % key) == b"HD k%s b\r\n" % key
        assert client.ask(b"mg %s b k\r\n" % key) == b"EN k%s b\r\n" % key


def test_times(mc, keys):
    client = mc()
    for line, expired in ((b"set %s 0 -1 1\r\na\r\n", True), (b"set %s 0 0 1\r\na\r\n", False),
                          (b"ms %s 1 T-1\r\na\r\n", True), (b"ms %s 1 T100\r\na\r\n", False)):
        key = keys.any()
        client.ask(line % key)
        assert (client.value(key) is None) == expired, line
    for line, answer in ((b"touch %s -1\r\n", b"TOUCHED\r\n"), (b"mg %s T-1\r\n", b"HD\r\n")):
        key = keys.any()
        assert client.set(key, b"x") == b"STORED\r\n"
        assert client.ask(line % key) == answer
        assert client.value(key) is None
    key = keys.any()
    assert client.ask(b"ma %s N-1 J5\r\n" % key) == b"HD\r\n"
    assert client.value(key) is None
    assert client.set(key, b"x") == b"STORED\r\n"
    assert client.get(b"-1", key, verb=b"gat") == [(key, 0, b"x", None)]
    assert client.value(key) is None


def test_a_cas_of_zero_is_no_items_cas(mc, mc_direct, keys):
    key = keys.any()
    for client in (mc(), mc_direct()):
        got = [client.ask(b"cas %s 0 0 1 0\r\na\r\n" % key), client.ask(b"ms %s 1 C0\r\na\r\n" % key),
               client.ask(b"md %s C0\r\n" % key), client.set(key, b"x"), client.ask(b"cas %s 0 0 1 0\r\na\r\n" % key),
               client.ask(b"ms %s 1 C0\r\na\r\n" % key), client.ask(b"md %s C0\r\n" % key), client.value(key)]
        assert got == [b"NOT_FOUND\r\n", b"NF\r\n", b"NF\r\n", b"STORED\r\n", b"EXISTS\r\n", b"EX\r\n", b"EX\r\n", b"x"]


def test_a_large_value_with_a_wrong_end_is_not_stored(mc, keys):
    client, other = mc(), mc()
    key, near = keys.on(1), keys.on(1)
    assert other.set(near, b"near") == b"STORED\r\n"
    assert client.set(key, b"old") == b"STORED\r\n"
    value = b"v" * 400_000
    assert client.ask(b"set %s 0 0 %d\r\n%sXX" % (key, len(value), value)) == b"CLIENT_ERROR bad data chunk\r\n"
    assert other.value(near) == b"near"
    assert client.value(key) == b"old"
    assert client.ask(b"ms %s 3\r\nabcde\r\n" % key) == b"CLIENT_ERROR bad data chunk\r\n"
    assert client.line() == b"ERROR\r\n"
    assert client.value(key) == b"old"


def test_stats_and_flush(io, resources, keys):
    servers = [resources(harness.Memcached(options=BINARY)) for _ in range(4)]
    with harness.Proxy(harness.memcache(servers, backend_protocol="binary", flush_all_enabled=True), io=io) as proxy:
        with McConn(proxy.address) as client:
            for key in keys.spread(2):
                assert client.set(key, b"x") == b"STORED\r\n"
            client.send(b"stats\r\n")
            stats = dict(line.split(b" ", 2)[1:] for line in client.until(b"END\r\n").split(b"\r\n")[:-2])
            assert stats[b"curr_items"] == b"8" and stats[b"version"] == b"1.6.18" and b"overlord_version" in stats
            client.send(b"stats settings\r\nstats foo\r\nstats reset\r\n")
            assert b"STAT binding_protocol binary\r\n" in client.until(b"END\r\n")
            assert client.line() == b"ERROR\r\n"
            assert client.line() == b"RESET\r\n"
            assert client.ask(b"flush_all\r\n") == b"OK\r\n"
            client.send(b"stats items\r\n")
            client.until(b"END\r\n")
            assert client.get(*keys.many(3)) == []


def test_text_backends_that_are_spoken_to_in_binary(io, resources, keys):
    """memcached -B ascii closes on binary: an error at once, and nothing hangs."""
    server = resources(harness.Memcached(options=["-B", "ascii"]))
    with harness.Proxy(harness.memcache([server], backend_protocol="binary"), io=io) as proxy:
        with McConn(proxy.address) as client:
            for _ in range(3):
                assert client.ask(b"get %s\r\n" % keys.any()).startswith(b"SERVER_ERROR ")


# --- faults --------------------------------------------------------------------------------------------------------


def test_hung_node_and_late_replies(io, resources, keys):
    servers = [resources(harness.Memcached(options=BINARY)) for _ in range(4)]
    timeout = int(400 * SCALE)
    with harness.Proxy(harness.memcache(servers, backend_protocol="binary", read_timeout=timeout), io=io) as proxy:
        with McConn(proxy.address) as client, McConn(proxy.address) as other:
            mine = [keys.on(1) for _ in range(10)]
            for n, key in enumerate(mine):
                assert client.set(key, b"value-%d" % n) == b"STORED\r\n"
            servers[1].freeze()
            try:
                client.send(b"get %s\r\n" % b" ".join(mine) + b"".join(b"mg %s v\r\n" % key for key in mine))
                for _ in range(11):
                    assert client.line().startswith(b"SERVER_ERROR ")
            finally:
                servers[1].thaw()
            wait_until(lambda: (client.send(b"get %s\r\n" % mine[3]), client.raw_items())[1].startswith(b"VALUE"), 10)
            for _ in range(10):
                for n, key in enumerate(mine):
                    assert (client if n % 2 else other).value(key) == b"value-%d" % n


def test_killed_and_started_again(io, resources, keys):
    servers = [resources(harness.Memcached(options=BINARY)) for _ in range(4)]
    with harness.Proxy(harness.memcache(servers, backend_protocol="binary"), io=io) as proxy:
        with McConn(proxy.address) as client:
            gone, stays = keys.on(2), keys.on(0)
            assert client.set(stays, b"stays") == b"STORED\r\n"
            servers[2].kill9()
            client.send(b"get %s\r\nget %s\r\n" % (gone, stays))
            assert client.line().startswith(b"SERVER_ERROR ")
            assert client.items() == [(stays, 0, b"stays", None)]
            servers[2].start()
            wait_until(lambda: client.set(gone, b"back") == b"STORED\r\n", 10, "the node to be back")
            assert client.value(gone) == b"back"


def reply(opaque, opcode=0x0c, status=0, extras=b"\0\0\0\0", key=b"", value=b"", magic=0x81, size=None):
    body = len(extras) + len(key) + len(value) if size is None else size
    return struct.pack(">BBHBBHIIQ", magic, opcode, len(key), len(extras), 0, status, body, opaque, 7) + extras + key + value


def binary_node(answer):
    """Behaves until the first retrieval, which gets answer(opaque, key), and then the end."""
    def behave(peer, fake):
        while True:
            head = peer.exact(24)
            _, opcode, key_size, extras, _, _, body, opaque, _ = struct.unpack(">BBHBBHIIQ", head)
            rest = peer.exact(body)
            if opcode == 0x0b:
                peer.send(reply(opaque, 0x0b, extras=b"", value=b"1.6.18"))
                continue
            peer.send(answer(opaque, rest[extras:extras + key_size]))
            return
    return behave


BAD = {
    "garbage": lambda opaque, key: b"VALUE k 0 1\r\nx\r\nEND\r\n" * 5,
    "request-magic": lambda opaque, key: reply(opaque, key=key, value=b"x", magic=0x80),
    "opaque-of-later": lambda opaque, key: reply(opaque + 1, key=key, value=b"x"),
    "opaque-of-earlier": lambda opaque, key: reply(opaque - 1, key=key, value=b"x"),
    "half-a-value": lambda opaque, key: reply(opaque, key=key, value=b"x" * 10, size=4 + len(key) + 100),
    "half-a-header": lambda opaque, key: reply(opaque, key=key, value=b"x")[:20],
    "half-a-key": lambda opaque, key: reply(opaque, key=key, value=b"x")[:30],
    "lengths-that-lie": lambda opaque, key: reply(opaque, key=key, value=b"x", size=3),
    "huge": lambda opaque, key: reply(opaque, key=key, value=b"x", size=0xffffffff),
    "huge-error": lambda opaque, key: reply(opaque, status=0x84, extras=b"", size=0x7fffffff),
    "no-flags": lambda opaque, key: reply(opaque, extras=b"", key=key, value=b"x"),
    "no-key": lambda opaque, key: reply(opaque, value=b"x"),
    "key-with-line-end": lambda opaque, key: reply(opaque, key=b"a\r\nEND", value=b"x"),
    "nothing": lambda opaque, key: b"",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_reply(io, resources, binary_backends, keys, name):
    fake = resources(Fake(binary_node(BAD[name])))
    with harness.Proxy(harness.memcache([*binary_backends[:3], fake], backend_protocol="binary"), io=io) as proxy:
        with McConn(proxy.address) as client, McConn(proxy.address) as other:
            fine, bad = keys.on(0), keys.on(3)
            assert client.set(fine, b"fine") == b"STORED\r\n"
            client.send(b"get %s\r\nget %s\r\nget %s\r\n" % (fine, bad, fine))
            assert client.items() == [(fine, 0, b"fine", None)]
            error = client.line()
            assert error.startswith(b"SERVER_ERROR ") and b"127.0.0.1" not in error, error
            assert client.items() == [(fine, 0, b"fine", None)]
            assert other.get(fine) == [(fine, 0, b"fine", None)]
            assert client.ask(b"get %s\r\n" % bad).startswith(b"SERVER_ERROR ")
