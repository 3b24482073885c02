"""Generated binary conversations with the proxy and with a bare memcached give the same answers."""

import random
import struct

import pytest

import harness
from clients import BinaryConn, Closed, Frame, McConn, Op, arithmetic, frame, store, touching

STORES = [Op.SET, Op.ADD, Op.REPLACE, Op.SETQ, Op.ADDQ, Op.REPLACEQ]
EXTENDS = [Op.APPEND, Op.PREPEND, Op.APPENDQ, Op.PREPENDQ]
GETS = [Op.GET, Op.GETQ, Op.GETK, Op.GETKQ]
TOUCHES = [Op.TOUCH, Op.GAT, Op.GATQ, Op.GATK, Op.GATKQ]
COUNTS = [Op.INCR, Op.DECR, Op.INCRQ, Op.DECRQ]
DELETES = [Op.DELETE, Op.DELETEQ]


# Servers of their own: keys made of sizes at random are those of other tests now and then.
@pytest.fixture(scope="module")
def nodes():
    made = [harness.Memcached(options=["-I", "8m"]) for _ in range(3)]
    yield made
    for node in made:
        node.kill_now()


@pytest.fixture(scope="module", params=harness.io_drivers())
def proxy(request, nodes):
    with harness.Proxy(harness.memcache(nodes[1:]), io=request.param) as running:
        yield running


@pytest.fixture
def mc_direct(nodes):
    return nodes[0]


@pytest.fixture
def pair(proxy, mc_direct):
    made = [BinaryConn(proxy.clusters[0].address), BinaryConn(mc_direct.address)]
    yield made
    for client in made:
        client.close()


class Uniques:
    """Uniques of one side by key, in the order of their first appearance: what both sides must agree on."""

    def __init__(self):
        self.seen = {}

    def place(self, key, cas):
        if cas == 0:
            return None
        known = self.seen.setdefault(key, [])
        if cas not in known:
            known.append(cas)
        return known.index(cas)

    def at(self, key, place):
        return self.seen[key][place]


def names_of(keys, rng):
    """Plain keys, and keys that the text protocol cannot carry."""
    base = keys.any()
    return [keys.any(), keys.any(), base, base + b" with blanks", base + b"\r\nget x\r\n", b"\x00\x01" + base, base + b"\xff\x7f",
            base + bytes(rng.choices(range(256), k=40)), b"\x80" + base * 11, base.ljust(250, b"k")]


# Counts are compared apart: what memcached leaves in an item that was counted down depends on its threads' timing.
READING = [STORES, STORES, EXTENDS, GETS, GETS, GETS, TOUCHES, DELETES]


def one_request(rng, groups, names, uniques):
    """(key, function of the side's unique -> frame without opaque, place of the unique or None)."""
    key = rng.choice(names)
    number = rng.choice([b"0", b"7", b"99", b"18446744073709551615"])
    # Never a digit before a blank: what memcached takes for a number then depends on how it stored the last count.
    value = rng.choice([b"", b"v", number, number, b"v" + bytes(rng.choices(range(256), k=rng.randrange(2000)))])
    exptime = rng.choice([0, 0, 100, 0x7fffffff, 0xffffffff])
    place = None
    if rng.random() < 0.25 and uniques.seen.get(key):
        place = rng.randrange(len(uniques.seen[key]))
    group = rng.choice(groups)
    op = rng.choice(group)
    flags = rng.choice([0, 5, 0xffffffff])
    delta, initial = rng.choice([0, 1, 2**63, 2**64 - 1]), rng.choice([0, 10, 2**64 - 1])

    def make(cas, opaque):
        more = {"cas": cas, "opaque": opaque}
        if group is STORES:
            return store(op, key, value, flags, exptime, **more)
        if group is EXTENDS:
            return frame(op, key, b"", value, **more)
        if group is TOUCHES:
            return touching(op, key, min(exptime, 0x7fffffff), **more)
        if group is COUNTS:
            return arithmetic(op, key, delta, initial, exptime, **more)
        return frame(op, key, **more)

    return key, make, place


@pytest.mark.parametrize("seed", range(4))
def test_valid_conversations(pair, keys, seed):
    converse(pair, keys, seed)


def test_valid_conversations_before_binary_servers(io, resources, mc_direct, keys):
    """The same through two translations: the servers speak binary only."""
    servers = [resources(harness.Memcached(options=["-I", "8m", "-B", "binary"])) for _ in range(4)]
    with harness.Proxy(harness.memcache(servers, backend_protocol="binary"), io=io) as running:
        with BinaryConn(running.address) as ours, BinaryConn(mc_direct.address) as direct:
            converse([ours, direct], keys, 5)


def converse(pair, keys, seed):
    rng = random.Random(seed)
    names = names_of(keys, rng)
    sides = [Uniques(), Uniques()]
    for _ in range(harness.load(60)):
        asked = {}
        sent = [b"", b""]
        for _ in range(rng.randrange(1, 30)):
            key, make, place = one_request(rng, READING, names, sides[0])
            opaque = rng.getrandbits(32)
            asked[opaque] = key
            for n, side in enumerate(sides):
                sent[n] += make(0 if place is None else side.at(key, place), opaque)
        got = []
        for client, side, data in zip(pair, sides, sent):
            replies = client.fenced(data)
            got.append([r._replace(cas=side.place(asked[r.opaque], r.cas)) for r in replies])
        assert got[0] == got[1]


EXTRAS = b"\0" * 8
COUNT = struct.pack(">QQI", 1, 1, 0)
# Requests that memcached refuses and closes after, or refuses and goes on.
LIES = {
    "key longer than body": frame(Op.GET, b"k" * 10, body_size=5),
    "key and extras longer than body": frame(Op.SET, b"k" * 10, EXTRAS, body_size=12),
    "extras longer than body": frame(Op.SET, b"", EXTRAS, body_size=4),
    "key of 251": frame(Op.GET, b"k" * 251),
    "key of 251 with value": store(Op.SET, b"k" * 251, b"v"),
    "key of 2000": frame(Op.GET, b"k" * 2000),
    "get with extras": frame(Op.GET, b"k", b"abcd"),
    "get with value": frame(Op.GET, b"k", b"", b"abcd"),
    "get without key": frame(Op.GET),
    "getq without key": frame(Op.GETQ),
    "getkq with extras": frame(Op.GETKQ, b"k", b"abcd"),
    "get with a body of 4 GiB": frame(Op.GET, b"k", body_size=0xffffffff),
    "set without extras": frame(Op.SET, b"k", b"", b"12345678"),
    "set with extras of 4": frame(Op.SET, b"k", b"1234", b"12345678"),
    "set without key": frame(Op.SET, b"", EXTRAS, b"v"),
    "setq without key": frame(Op.SETQ, b"", EXTRAS, b"v"),
    "set with a body of 4 GiB": frame(Op.SET, b"k", EXTRAS, body_size=0xffffffff),
    "set beyond the item limit": store(Op.SET, b"k", b"x" * (9 << 20)),
    "setq beyond the item limit": store(Op.SETQ, b"k", b"x" * (9 << 20)),
    "append beyond the item limit": frame(Op.APPEND, b"k", b"", b"x" * (9 << 20)),
    "append with extras": frame(Op.APPEND, b"k", b"abcd", b"x"),
    "append without key": frame(Op.APPEND, b"", b"", b"x"),
    "delete with extras": frame(Op.DELETE, b"k", b"abcd"),
    "delete with value": frame(Op.DELETE, b"k", b"", b"abcd"),
    "increment with extras of 8": frame(Op.INCR, b"k", EXTRAS),
    "increment with value": frame(Op.INCR, b"k", COUNT, b"x"),
    "increment without key": frame(Op.INCR, b"", COUNT),
    "noop with body": frame(Op.NOOP, b"", b"", b"xx"),
    "noop with key": frame(Op.NOOP, b"xx"),
    "version with body": frame(Op.VERSION, b"", b"", b"xx"),
    "quit with body": frame(Op.QUIT, b"", b"", b"xx"),
    "quitq with body": frame(Op.QUITQ, b"", b"", b"xx"),
    "flush with extras of 3": frame(Op.FLUSH, b"", b"\0\0\0"),
    "flush with key": frame(Op.FLUSH, b"k"),
    "touch without extras": frame(Op.TOUCH, b"k"),
    "gat without key": frame(Op.GAT, b"", b"\0\0\0\0"),
    "stat with extras": frame(Op.STAT, b"items", b"abcd"),
    "stat of nothing known": frame(Op.STAT, b"nosuch"),
    "sasl list": frame(Op.SASL_LIST),
    "sasl list with key": frame(Op.SASL_LIST, b"k"),
    "sasl auth": frame(Op.SASL_AUTH, b"PLAIN", b"", b"\0u\0p"),
    "sasl auth without key": frame(Op.SASL_AUTH, b"", b"", b"\0u\0p"),
    "sasl step": frame(Op.SASL_STEP, b"PLAIN", b"", b"\0u\0p"),
    "unknown opcode": frame(0x1f),
    "opcode 0xff": frame(0xff),
    "magic of a reply": frame(Op.GET, b"k", magic=0x81),
    "text": b"version\r\n" + b" " * 24,
    "data type and vbucket": frame(Op.GET, b"never-stored", data_type=5, vbucket=9),
    "quit": frame(Op.QUIT),
    "quitq": frame(Op.QUITQ),
}


@pytest.mark.parametrize("name", LIES)
def test_lies(pair, name):
    """A miss before it, a Noop behind it: the same frames, and closed or not."""
    got = []
    for client in pair:
        # memcached may lose what it has answered when it closes without a word: wait for that.
        assert client.ask(frame(Op.GETK, b"none-such")).status == 1
        client.send(LIES[name][:12] + b"\0\0\0\x02" + LIES[name][16:])
        try:
            client.send(frame(Op.NOOP, opaque=3))
        except OSError:
            pass  # closed already
        answers = []
        try:
            while not answers or answers[-1].opaque != (2 if "set with a body" in name else 3):
                answers.append(client.reply())
        except (Closed, ConnectionError):
            answers.append("closed")
        got.append(answers)
    assert got[0] == got[1]


@pytest.mark.parametrize("seed", range(2))
def test_random_headers(proxy, mc_direct, seed):
    """Sizes and opcodes at random on connections of their own."""
    rng = random.Random(seed)
    for _ in range(harness.load(150)):
        # Opcodes by which memcached loses its place: see Differences in docs/protocols-memcache-binary.md.
        op = rng.choice([o for o in range(0x25) if o not in (Op.VERSION, Op.VERBOSITY, Op.STAT, Op.FLUSH, Op.FLUSHQ, 0x1f)])
        touches = op in (Op.TOUCH, Op.GAT, Op.GATQ, Op.GATK, Op.GATKQ)
        extras = rng.choice([0, 0, 4, 8, 20, rng.randrange(256)])
        key = rng.choice([0, 1, 5, 250, rng.randrange(300)])
        body = rng.choice([extras + key, extras + key, rng.randrange(700), extras + key + (0 if touches else rng.randrange(50))])
        if touches and body > extras + key:
            body = extras + key
        data = frame(Op.NOOP, opaque=1) + frame(op, b"", key_size=key, extras_size=extras, body_size=body, opaque=2)
        # A key that text cannot carry travels as base64, which makes it longer: see Differences.
        data += rng.choice([b"k", b"7", b"\0" if key <= 186 else b"k"]) * max(body, key + extras)
        got = []
        for address in (proxy.clusters[0].address, mc_direct.address):
            with BinaryConn(address) as client:
                client.send(data)
                client.half_close()
                got.append([r._replace(cas=r.cas != 0) for r in client.until_closed()])
        assert got[0] == got[1], data
    with McConn(proxy.clusters[0].address) as client:  # what was stored on the way
        client.get("k")


def test_every_segmentation(proxy, keys):
    """Cut anywhere, a conversation gets the same answers."""
    k = keys.any()
    data = (store(Op.SETQ, k, b"value", 7) + frame(Op.GETK, k, opaque=1) + frame(Op.GETKQ, k + b" \n", opaque=2)
            + frame(Op.APPENDQ, k, b"", b"!") + frame(Op.GETQ, k, opaque=3) + frame(0xf0, b"", b"", b"xyz", opaque=4)
            + frame(Op.DELETEQ, k) + frame(Op.DELETEQ, k, opaque=5) + frame(Op.NOOP, opaque=6))
    want = None
    for cut in range(1, len(data), 1 if harness.LOAD == 1 else 7):
        with BinaryConn(proxy.clusters[0].address) as client:
            client.send(data[:cut])
            client.send(data[cut:])
            got = []
            while not got or got[-1].opaque != 6:
                got.append(client.reply()._replace(cas=0))
        want = want or got
        assert got == want, cut
    assert want == [Frame(Op.GETK, 0, 1, 0, b"\0\0\0\7", k, b"value"), Frame(Op.GETQ, 0, 3, 0, b"\0\0\0\7", b"", b"value!"),
                    Frame(0xf0, 0x81, 4, 0, b"", b"", b"Unknown command"),
                    Frame(Op.DELETEQ, 1, 5, 0, b"", b"", b"Not found"), Frame(Op.NOOP, 0, 6, 0, b"", b"", b"")]
    with BinaryConn(proxy.clusters[0].address) as client:
        for n in range(len(data)):
            client.send(data[n:n + 1])
        assert [client.reply()._replace(cas=0) for _ in want] == want
