"""Backends that know no meta commands, memcached before 1.6 and twemproxy: binary and meta clients work before them."""

import random

import pytest

import harness
import test_memcache_binary_compare as compare
from clients import BinaryConn, McConn, Op, arithmetic, frame, store, touching
from harness import wait_until
from old_memcached import OldMemcached
from ring import Keys


@pytest.fixture(params=["memcached 1.4", "twemproxy"])
def backends(request, resources):
    servers = [resources(harness.Memcached(options=["-I", "8m"])) for _ in range(2)]
    if request.param == "twemproxy":
        made = [resources(harness.Nutcracker([f"{server.spec}:1 n"])) for server in servers]
        return [f"127.0.0.1:{n.port}:1 n{i}" for i, n in enumerate(made)]
    return [resources(OldMemcached(server)) for server in servers]


@pytest.fixture
def old(io, backends):
    """A proxy that has found out what its backends know."""
    with harness.Proxy(harness.memcache(backends), io=io) as running:
        with BinaryConn(running.address) as client:
            for key in Keys(2).spread(1):
                wait_until(lambda key=key: client.ask(store(Op.SET, key, b"x")).status == 0, 20, "a backend to be known")
        yield running


@pytest.fixture
def client(old):
    with BinaryConn(old.address) as made:
        yield made


class KnownByReading(compare.Uniques):
    """The uniques that replies to retrievals show; a backend without meta commands tells no others."""

    def place(self, key, cas):
        return None

    def learn(self, key, cas):
        return super().place(key, cas)


READING = [[Op.SET, Op.ADD, Op.REPLACE, Op.SETQ, Op.ADDQ, Op.REPLACEQ], compare.GETS, compare.GETS, compare.TOUCHES,
           compare.DELETES]
SHOWN = {*compare.GETS, *compare.TOUCHES}


@pytest.mark.parametrize("seed", range(2))
def test_conversations_are_those_of_memcached(client, mc_direct, keys, seed):
    """Also with uniques that gets have told: set, add, replace and delete of what is still the same."""
    rng = random.Random(seed)
    names = [keys.any() for _ in range(4)] + [keys.any().ljust(250, b"k")]
    sides = [KnownByReading(), KnownByReading()]
    compare_stores, compare.STORES = compare.STORES, READING[0]
    try:
        with BinaryConn(mc_direct.address) as direct:
            for _ in range(harness.load(60)):
                asked, sent = {}, [b"", b""]
                for _ in range(rng.randrange(1, 30)):
                    key, make, place = compare.one_request(rng, READING, names, sides[0])
                    opaque = rng.getrandbits(32)
                    asked[opaque] = key
                    for n, side in enumerate(sides):
                        sent[n] += make(0 if place is None else side.at(key, place), opaque)
                got = []
                for one, side, data in zip([client, direct], sides, sent):
                    replies = one.fenced(data)
                    got.append([r._replace(cas=side.learn(asked[r.opaque], r.cas)
                                           if r.op in SHOWN and r.status == 0 else None) for r in replies])
                assert got[0] == got[1]
    finally:
        compare.STORES = compare_stores


def test_counting(client, keys):
    k = keys.any()
    assert client.ask(arithmetic(Op.INCR, k, 5, 10, 0xffffffff)).status == 1
    assert [client.ask(arithmetic(Op.INCR, k, 5, 10, 100)).value for _ in range(3)] == [
        bytes(7) + bytes([n]) for n in (10, 15, 20)]
    assert client.ask(arithmetic(Op.DECR, k, 100, 10, 100)).value == bytes(8)
    assert client.ask(store(Op.SET, k, b"x")).status == 0
    assert client.ask(arithmetic(Op.INCR, k, 5, 10, 100)).status == 6
    assert client.fenced(arithmetic(Op.INCRQ, keys.any(), 1, 7, 0) + store(Op.SETQ, k, b"y") + frame(Op.DELETEQ, k)) == []


def test_joining_and_large_values(client, keys):
    k, big = keys.many(2)
    assert client.ask(frame(Op.APPEND, k, b"", b"x")).status == 5
    assert client.ask(store(Op.SET, k, b"b", 9)).status == 0
    assert client.ask(frame(Op.APPEND, k, b"", b"c")).status == client.ask(frame(Op.PREPEND, k, b"", b"a")).status == 0
    got = client.ask(frame(Op.GET, k))
    assert (got.extras, got.value) == (b"\0\0\0\x09", b"abc")
    value = bytes(range(256)) * 3000
    assert client.ask(store(Op.SET, big, value, 9)).status == 0
    assert client.ask(frame(Op.GETK, big)).value == value == client.ask(touching(Op.GAT, big, 100)).value
    assert client.ask(touching(Op.TOUCH, big, 100)).extras == b"\0\0\0\x09"
    cas = client.ask(frame(Op.GET, k)).cas
    assert client.ask(store(Op.SET, k, value, cas=cas)).status == 0
    assert client.ask(store(Op.SET, k, value, cas=cas)).status == 2


def test_what_it_cannot_keep_is_told(client, keys):
    """A unique for what was stored, which only a get tells; and what has no words in text."""
    k = keys.any()
    assert client.ask(store(Op.SET, k, b"1")).cas == 0 == client.ask(arithmetic(Op.INCR, k, 1)).cas
    cas = client.ask(frame(Op.GET, k)).cas
    assert cas > 0
    for request in (frame(Op.APPEND, k, b"", b"x", cas=cas), arithmetic(Op.INCR, k, 1, cas=cas),
                    frame(Op.GET, b"with blanks"), store(Op.SET, b"with\r\nblanks", b"x")):
        got = client.ask(request)
        assert got.status == 0x83 and got.value.endswith(b"not possible with a backend without meta commands")
    assert client.ask(frame(Op.GET, k)).value == b"2"


def test_meta_and_text_clients(old, keys):
    k, t = keys.many(2)
    with McConn(old.address) as meta:
        for sent, want in ((b"ms %s 3 F5 c\r\nabc\r\n" % k, b"HD c0\r\n"), (b"mg %s v f k\r\n" % k, b"VA 3 f5 k%s\r\nabc\r\n" % k),
                           (b"ms %s 1 ME\r\nx\r\n" % k, b"NS\r\n"), (b"md %s\r\n" % k, b"HD\r\n"), (b"mg %s v\r\n" % k, b"EN\r\n"),
                           (b"ma %s N60 J5 v\r\n" % k, b"VA 1\r\n5\r\n"), (b"ma %s MD v\r\n" % k, b"VA 1\r\n4\r\n"),
                           (b"mg %s T30 v\r\n" % k, b"VA 1\r\n4\r\n"), (b"mg %s q v\r\nmn\r\n" % t, b"MN\r\n"),
                           (b"mg %s N30 v\r\n" % t, b"CLIENT_ERROR flag not possible with a backend without meta commands\r\n"),
                           (b"set %s 1 0 2\r\nhi\r\n" % t, b"STORED\r\n"), (b"gat 60 %s\r\n" % t, b"VALUE %s 1 2\r\nhi\r\nEND\r\n" % t)):
            meta.send(sent)
            assert meta.exact(len(want)) == want
