"""redis commands of several keys over four nodes."""

import pytest

from clients import RedisError, resp


def fill(client, names):
    client.pipeline([("SET", k, b"v-" + k) for k in names])
    return {k: b"v-" + k for k in names}


def test_mget_order_duplicates_misses(rd, keys):
    client = rd()
    names = keys.spread(20)
    stored = fill(client, names)
    for size in (1, 2, 3, 5, 10, 40, 80):
        for _ in range(10):
            asked = keys.random.choices(names + keys.many(20), k=size)
            assert client.cmd("MGET", *asked) == [stored.get(k) for k in asked]


def test_mget_is_the_same_each_time(rd, keys):
    """Repeated on one connection, alone and among other commands."""
    client = rd()
    names = keys.spread(3)
    stored = fill(client, names)
    want = [stored[k] for k in names]
    for _ in range(200):
        assert client.cmd("MGET", *names) == want
    got = client.pipeline([("MGET", *names), ("EXISTS", *names), ("GET", names[0]), ("MGET", names[1], names[0])] * 100)
    assert got == [want, 12, want[0], [want[1], want[0]]] * 100


def test_mget_of_ten_thousand(rd, keys):
    client = rd()
    names = keys.many(10000)
    pairs = [x for k in names for x in (k, b"v-" + k)]
    client.ok("MSET", *pairs)
    assert client.cmd("MGET", *names) == [b"v-" + k for k in names]
    assert client.cmd("EXISTS", *names) == 10000
    assert client.cmd("TOUCH", *names) == 10000
    half = names[::2]
    assert client.cmd("UNLINK", *half) == 5000
    assert client.cmd("MGET", *names) == [
        None if n % 2 == 0 else b"v-" + k for n, k in enumerate(names)]
    assert client.cmd("DEL", *names) == 5000
    assert client.cmd("EXISTS", *names) == 0


def test_mget_wrong_type_is_nil(rd, keys):
    client = rd()
    names = keys.spread(1)
    for k in names[:2]:
        client.cmd("LPUSH", k, "x")
    for k in names[2:]:
        client.ok("SET", k, "v")
    assert client.cmd("MGET", *names) == [None, None, b"v", b"v"]


def test_mget_of_very_different_sizes(rd, keys):
    client = rd()
    names = keys.spread(6)
    sizes = [0, 1, 10, 100, 1000, 4096, 10000, 16384, 50000, 65536, 100000, 200000, 400000, 700000, 1 << 20, 5,
             33, 70000, 16383, 16385, 2, 3, 4, 300000]
    for k, size in zip(names, sizes):
        client.ok("SET", k, k[:1] * size)
    values = {k: k[:1] * size for k, size in zip(names, sizes)}
    for _ in range(5):
        keys.random.shuffle(names)
        assert client.cmd("MGET", *names) == [values[k] for k in names]
    got = client.pipeline([("MGET", *names)] * 5)
    assert got == [[values[k] for k in names]] * 5


def test_mset(rd, keys, rd_direct):
    client = rd()
    for size in (1, 2, 3, 10, 100):
        names = keys.many(size)
        client.ok("MSET", *[x for k in names for x in (k, k + b"!")])
        assert client.cmd("MGET", *names) == [k + b"!" for k in names]
    a = keys.any()
    client.ok("MSET", a, 1, a, 2, keys.any(), 3, a, 4)  # the last one wins
    assert client.cmd("GET", a) == b"4"
    for bad in (("MSET",), ("MSET", a), ("MSET", a, 1, "b")):
        assert client.cmd_raw(*bad) == rd_direct().cmd_raw(*bad)
    value = keys.random.randbytes(500000)
    names = keys.spread(1)
    client.ok("MSET", *[x for k in names for x in (k, value)])
    assert client.cmd("MGET", *names) == [value] * 4


def test_sums(rd, keys):
    client = rd()
    names = keys.spread(5)
    fill(client, names)
    missing = keys.spread(2)
    assert client.cmd("EXISTS", *names, *missing) == 20
    assert client.cmd("EXISTS", *names, *names) == 40
    assert client.cmd("EXISTS", names[0], names[0], names[0]) == 3
    assert client.cmd("TOUCH", *names, *missing) == 20
    assert client.cmd("DEL", names[0], names[0], names[1]) == 2
    assert client.cmd("UNLINK", names[2], names[2], names[3], missing[0]) == 2
    assert client.cmd("EXISTS", *names) == 16
    assert client.cmd("DEL", *names) == 16
    assert client.cmd("DEL", *names) == 0


def test_msetnx_within_a_node(rd, keys):
    client = rd()
    a, b, c = keys.on(1), keys.on(1), keys.on(1)
    assert client.cmd("MSETNX", a, 1, b, 2) == 1
    assert client.cmd("MSETNX", b, 3, c, 4) == 0
    assert client.cmd("MGET", a, b, c) == [b"1", b"2", None]


# {0} is replaced by a key on node 0, {1} by one on node 1 or, for the passing form, on node 0 too
SEVERAL = """MSETNX {0} 1 {1} 2
SINTER {0} {1}
SUNION {0} {1}
SDIFF {0} {1}
SINTERSTORE {0} {1} {1}
SUNIONSTORE {0} {1}
SDIFFSTORE {0} {1}
SINTERCARD 2 {0} {1}
SMOVE {0} {1} x
ZUNIONSTORE {0} 1 {1}
ZINTERSTORE {0} 2 {0} {1}
ZDIFFSTORE {0} 1 {1}
ZUNION 2 {0} {1}
ZINTER 2 {0} {1}
ZDIFF 2 {0} {1}
ZINTERCARD 2 {0} {1}
ZRANGESTORE {0} {1} 0 -1
RPOPLPUSH {0} {1}
LMOVE {0} {1} LEFT RIGHT
LMPOP 2 {0} {1} LEFT
ZMPOP 2 {0} {1} MIN
RENAME {0} {1}
RENAMENX {0} {1}
COPY {0} {1}
PFCOUNT {0} {1}
PFMERGE {0} {1}
BITOP AND {0} {1} {1}
LCS {0} {1}
GEOSEARCHSTORE {0} {1} FROMLONLAT 15 37 BYRADIUS 200 km
EVAL return(1) 2 {0} {1}
XREAD COUNT 1 STREAMS {0} {1} 0 0
SORT {0} STORE {1}""".splitlines()


@pytest.mark.parametrize("line", SEVERAL, ids=[line.split()[0] for line in SEVERAL])
def test_keys_on_one_node_pass_and_over_nodes_fail(rd, rd_direct, keys, line):
    proxied, direct = rd(), rd_direct()
    a, b, c = keys.on(0), keys.on(0), keys.on(1)
    same = [w.encode().replace(b"{0}", a).replace(b"{1}", b) for w in line.split()]
    across = [w.encode().replace(b"{0}", a).replace(b"{1}", c) for w in line.split()]
    assert proxied.cmd_raw(*same) == direct.cmd_raw(*same)
    answer = proxied.cmd(*across)
    assert isinstance(answer, RedisError) and answer.startswith("CROSSSLOT"), answer
    assert proxied.cmd("EXISTS", c) == 0
    assert proxied.cmd("PING") == "PONG"


def test_hash_tags_bring_keys_together(rd, keys):
    client = rd()
    for _ in range(20):
        tag = keys.any()
        a, b = b"a{%s}" % tag, b"{%s}b" % tag
        client.ok("SET", a, "v")
        client.ok("RENAME", a, b)
        assert client.cmd("GET", b) == b"v"


def test_errors_in_a_pipeline_keep_their_place(rd, keys):
    client = rd()
    a, b = keys.on(0), keys.on(1)
    got = client.pipeline([("SET", a, 1), ("RENAME", a, b), ("GET", a), ("MGET",), ("NOSUCH", a), ("MGET", a, b)])
    assert got[0] == "OK" and got[1].startswith("CROSSSLOT") and got[2] == b"1"
    assert got[3].startswith("ERR wrong number") and got[4].startswith("ERR unknown command")
    assert got[5] == [b"1", None]


def test_split_commands_in_small_packets(rd, keys):
    client = rd()
    names = keys.spread(3)
    wire = (resp("MSET", *[x for k in names for x in (k, k)]) + resp("MGET", *names) + resp("EXISTS", *names)
            + resp("DEL", *names))
    for size in (1, 5, 13):
        for at in range(0, len(wire), size):
            client.send(wire[at:at + size])
        assert [client.reply() for _ in range(4)] == ["OK", names, 12, 12]
