"""memcache meta commands: the same bytes to the proxy and to a plain memcached give the same answers."""

import base64
import random
import re

import pytest

import harness
from clients import Closed, McConn

K251 = b"k" * 251


def b64(key):
    return base64.b64encode(key)


@pytest.fixture
def pair(io, resources):
    """A client of a proxy before one fresh memcached, and one of another fresh memcached: even their cas agree.

    Without background threads: a new item of memcached 1.6.18 inherits flags (stale, fetched, ...) from the memory it
    takes, so which of the freed items it gets must not depend on the time.
    """
    options = ["-I", "8m", "-o", "no_lru_crawler,no_lru_maintainer"]
    behind, plain = (resources(harness.Memcached(options=options)) for _ in range(2))
    with harness.Proxy(harness.memcache([behind]), io=io) as proxy:
        with McConn(proxy.address) as through, McConn(plain.address) as direct:
            yield through, direct


def answers(client, script):
    """What is answered to script, whole."""
    ending = b"MN\r\nEN kend-of-script\r\n"
    try:
        client.send(script + b"mn\r\nmg end-of-script k\r\n")
        return client.until(ending)[:-len(ending)]
    except (Closed, BrokenPipeError, ConnectionResetError) as closed:
        return getattr(closed, "data", b"") + b"<closed>"


def timeless(text):
    """Ages and times to live may differ by the tick of a second."""
    return re.sub(rb" (t|l|exp=-|la=)[0-9]+", rb" \1N", text)


# In order, on one connection: later ones see what earlier ones left.
SCRIPT = b"""\
mn|mn foo|mn q|mg|mg |ms|md|ma|me|mx|mset k|MG k|
ms K 3~abc|mg K|mg K v|mg K v q|mg K q|mg K s v f t c k Oabc|mg K v f t c s k O|mg K h l t u|
mg M|mg M q|mg M k Oabc|mg M k O1 q|mg M v q k|mg M b q|mg K vfoo|
mg K v v|mg K z|mg K zabc q|mg K q q|mg K \x80|mg K Tx|mg K T|mg K T10abc|mg K Fx|mg K Cx|mg K M|mg K noreply|
mg K O12345678901234567890123456789012|mg M O12345678901234567890123456789012 q|mg K R|mg K E5 v|
mg V N30 v t|mg V N30 v t|mg V N30 v t q|mg K T30 t|mg K R60 t|mg K R60 t|mg K T-1|mg K v|
mg LONG v|md LONG q|ma LONG|me LONG|
ms K 3 q~abc|ms K 3 k Oo c~abc|ms K 3 k Oo c q~abc|ms K 3 T0 F5 c~abc|mg K v f c t|
ms K|ms K S3|ms K x~abc|ms K 3x~abc|ms K -1~abc|ms K 3 z~abc|ms K 3 z q~abc|ms K 3 q Tx~abc|ms K 3 Fx q~abc|
ms K 3 C1~abc|ms K 3 C1 q~abc|ms N 3 C1 q~abc|ms N 3 C1 q I~abc|ms K 3 I C1 c~abc|mg K v c|mg K v c|
ms K 3 ME~abc|ms K 3 ME q~abc|ms P 3 ME q~abc|ms K 3 MA~def|ms K 3 MP~ghi|mg K v|ms Q 3 MA q~abc|
ms Q 3 MR q k~abc|ms K 3 MS~abc|ms K 3 MX q~abc|ms K 3 M~abc|ms K 3 MSS~abc|ms K 03~abc|ms K 0~|mg K v s|
ms K 3~abcde|ms K 3 q~abcde|ms K 2147483646|ms K 3 b b~abc|ms  K  3  T0 ~abc|
md K|md K|md K q|md K q k Oo|ms K 3~abc|md K q|ms K 3~abc|md K C1 q|md K C1 k Oo|md K Cx q|md K z q|md K I T30|
mg K v t c|mg K v t c|md K I q|mg K R30 v t k Oo q|mg K R30 v t k Oo q|md K v v|md K x|md K 0|md K|md K k O9 q|
ma N|ma N q|ma N k Oo q|ma N N0|ma N v|ma N v t c k Oo|ma N q|ma N v q|ma X N0 J5 v c|ma X N30 J5 v c t|ma X D5 v|
ma X MD D3 v|ma X M- v|ma X M+ v|ma X MI v|ma X Mi v|ma X Mx v q|ma X M|ma X D-1|ma X Jx|ma X C1 v|ma X C1 v q|
ma X T30 t v|ma X Tx|ms Y 3~abc|ma Y|ma Y q|ma X z|ma X v v|
me X|me gone|me X x|me X q|me X v v z|me X a b|
get K|set K 5 0 3~abc|mg K v f|gets K|mg K v c|delete K|
""".replace(b"\n", b"")


def expand(step, fresh):
    """K, M, ... stand for keys of this test, ~ is the line end before a value."""
    head, tilde, value = step.partition(b"~")
    words = head.split(b" ")
    if len(words) > 1 and re.fullmatch(rb"[A-Z]|LONG", words[1]):
        words[1] = K251 if words[1] == b"LONG" else fresh + words[1]
    return b" ".join(words) + b"\r\n" + (value + b"\r\n" if tilde else b"")


def test_same_as_memcached(pair):
    through, direct = pair
    for step in SCRIPT.split(b"|"):
        script = expand(step, b"same-")
        assert timeless(answers(through, script)) == timeless(answers(direct, script)), script


def test_same_in_one_pipeline(pair):
    through, direct = pair
    # What closes a value wrongly, or is too large to be sent, would make the rest of the pipeline part of it.
    steps = [s for s in SCRIPT.split(b"|") if not re.search(rb"~abcde|S3|ms K$", s)]
    script = b"".join(expand(step, b"pipe-") for step in steps)

    def plain(text):  # when items are freed, and so what new ones inherit, depends on when replies have left
        return re.sub(rb" (W|X|Z|h[01])(?=[ \r])", b"", timeless(text))

    assert plain(answers(through, script)) == plain(answers(direct, script))


class Generator:
    KEYS = [b"a", b"b", b"num", b"key:with:colons", b"caf\xc3\xa9", b"x" * 250]
    BINARY = [b"a", b"num", b"bin\xff\xfe", b"four", b"y" * 186]

    def __init__(self, seed):
        self.random = random.Random(seed)

    def one_in(self, count):
        return self.random.randrange(count) == 0

    def flags(self, letters, quiet):
        chosen = []
        for letter in self.random.sample(letters, self.random.randrange(min(len(letters), 6) + 1)):
            number = {"T": "0 30 -1 2591999 x", "N": "0 30 x", "R": "0 30 60 x", "F": "0 5 4294967295 x",
                      "C": "1 7 0 x -1", "D": "1 5 100 x", "J": "0 7 x", "O": " 1 opaque 12345678901234567890123456789012",
                      "L": " path", "P": " path", "M": "S E A P R I D + - X "}.get(letter)
            word = letter + (self.random.choice(number.split(" ")) if number else "")
            if number and word.endswith("x") and not self.one_in(4):
                word = letter + number.split(" ")[0]
            chosen.append(word.encode())
        if quiet and self.one_in(3):
            chosen.insert(self.random.randrange(len(chosen) + 1), b"q")
        if chosen and self.one_in(25):
            chosen.append(self.random.choice(chosen))
        if self.one_in(40):
            chosen.append(self.random.choice([b"z", b"E1", b"@", b"0", b"\xc3\xa9"]))
        return chosen

    def line(self):
        verb = self.random.choice([b"mg"] * 4 + [b"ms"] * 4 + [b"md", b"ma", b"ma", b"me", b"mn"])
        if verb == b"mn":
            return b"mn" + self.random.choice([b"", b" x", b" q"]) + b"\r\n"
        binary = self.one_in(5)
        key = b64(self.random.choice(self.BINARY)) if binary else self.random.choice(self.KEYS)
        if verb == b"me":
            return b"me " + key + (b" b" if binary else b"") + self.random.choice([b"", b" x"]) + b"\r\n"
        letters = {b"mg": "cfhklstuvNORTLP", b"ms": "ckOFICMT", b"md": "kOCIT", b"ma": "cktvONDJCMT"}[verb]
        # The one answer of ma that differs: HD to q and N when that makes the item.
        quiet = True
        if verb == b"ma" and self.one_in(2):
            letters = letters.replace("N", "")
        elif verb == b"ma":
            quiet = False
        words = [verb, key]
        value = b""
        if verb == b"ms":
            value = self.random.choice([b"", b"1", b"12", b"value", b"HD\r\nEN\r\nMN", b"\x00\xff", b"v" * 3000])
            words.append(b"%d" % len(value))
        flags = self.flags(letters, quiet)
        if binary:
            flags.insert(self.random.randrange(len(flags) + 1), b"b")
        words += flags
        return b" ".join(words) + b"\r\n" + (value + b"\r\n" if verb == b"ms" else b"")


@pytest.mark.parametrize("seed", [1, 2])
def test_generated_lines(pair, seed):
    through, direct = pair
    generator = Generator(seed)
    seen = set()
    for _ in range(harness.load(2000)):
        line = generator.line()
        got, wanted = timeless(answers(through, line)), timeless(answers(direct, line))
        assert got == wanted, line
        seen.update(re.findall(rb"(?m)^(HD|EN|NS|EX|NF|VA|MN|ME|CLIENT_ERROR [a-z ]*)", wanted))
    assert {b"HD", b"EN", b"NS", b"EX", b"NF", b"VA", b"MN", b"ME"} <= seen
    assert len(seen) > 12, seen


# What differs on purpose: the proxy's answer, and memcached's.
DIFFERENT = {
    "control characters": (b"mg a\tb v\r\n", b"CLIENT_ERROR bad command line format\r\n", b"EN\r\n"),
    "signs": (b"ms a +3\r\n", b"CLIENT_ERROR bad command line format\r\n", None),
    "lengths over 32 bits": (b"ms a 4294967299\r\nabc\r\n", b"CLIENT_ERROR bad command line format\r\nERROR\r\n",
                             b"HD\r\n"),
    "base64 with padding inside": (b"mg enp6eg==YWJj b\r\n", b"CLIENT_ERROR error decoding key\r\n", b"EN\r\n"),
    "a value behind a refused line": (b"ms %s 4\r\nmn\r\n\r\n" % K251, b"CLIENT_ERROR bad command line format\r\n",
                                      b"CLIENT_ERROR bad command line format\r\nMN\r\nERROR\r\n"),
    "me of a key that may break its line": (b"me %s b\r\n" % b64(b"a\r\nHD"),
                                            b"CLIENT_ERROR bad command line format\r\n", b"EN\r\n"),
    "quiet ma that makes an item": (b"ma made-quietly N0 q\r\n", b"", b"HD\r\n"),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_differences(mc, mc_direct, keys, name):
    script, ours, theirs = DIFFERENT[name]
    unique = keys.any()
    script = script.replace(b"made-quietly", unique)
    assert answers(mc(), script) == ours
    if theirs is not None:
        assert answers(mc_direct(), script) == theirs


def test_plain_and_base64_keys_meet(mc, keys):
    client = mc()
    for node in range(4):
        for _ in range(3):
            key = keys.on(node)
            assert client.ask(b"ms %s 4 b\r\ndata\r\n" % b64(key)) == b"HD\r\n"
            assert client.value(key) == b"data"
            client.send(b"mg %s v\r\nmg %s b v\r\nmg %s k b\r\n" % (key, b64(key), b64(key)))
            assert client.exact(24) == b"VA 4\r\ndata\r\nVA 4\r\ndata\r\n"
            assert client.line() == b"HD k%s b\r\n" % b64(key)
            assert client.ask(b"md %s\r\n" % key) == b"HD\r\n"


def test_me_finds_its_node(mc, keys):
    client = mc()
    for node in range(4):
        key = keys.on(node)
        assert client.ask(b"me %s\r\n" % key) == client.ask(b"me %s b\r\n" % b64(key)) == b"EN\r\n"
        assert client.set(key, b"x") == b"STORED\r\n"
        for line in (b"me %s\r\n" % key, b"me %s b v\r\n" % b64(key)):
            assert client.ask(line).startswith(b"ME %s exp=-1 la=" % key)


def test_a_key_cannot_break_the_replies_of_others(mc, keys):
    """memcached 1.6.18 echoes such a key undecoded from an item that mg or ma made."""
    evil, other = mc(), mc()
    name = keys.any()
    for tail in (b"\r\nHD stolen\r\n", b"\nVA 3\r\nabc", b"\x00 \x7f", b" x"):
        key = b64(name + tail)
        assert evil.ask(b"ma %s b N0 k\r\n" % key) == b"HD k%s b\r\n" % key
        for _ in range(20):
            evil.send(b"mg %s b t k Oo v\r\nmg %s b k\r\nmg %s b O1 k q\r\nma %s b k\r\n" % (key, key, key, key))
            other.send(b"mg %s k\r\nget %s\r\n" % (name, name))
            assert other.line() == b"EN k%s\r\n" % name
            assert other.line() == b"END\r\n"
            assert evil.line() == b"VA 1 t-1 k%s b Oo\r\n" % key
            assert len(evil.line()) == 3
            assert [evil.line() for _ in range(3)] == [
                b"HD k%s b\r\n" % key, b"HD O1 k%s b\r\n" % key, b"HD k%s b\r\n" % key]
            assert evil.ask(b"ma %s b J0 MD D9\r\n" % key) == b"HD\r\n"
        assert evil.ask(b"md %s b\r\n" % key) == b"HD\r\n"
        assert evil.ask(b"mg %s b O1 k\r\n" % key) == b"EN O1 k%s b\r\n" % key
        assert evil.ask(b"mg %s b O1 k q\r\nmn\r\n" % key) == b"MN\r\n"


def test_quiet_pipeline_over_nodes_keeps_its_order(mc, keys):
    client = mc()
    names = [keys.on(node) for node in range(4) for _ in range(25)]
    random.Random(7).shuffle(names)
    client.send(b"".join(b"ms %s 1 q O%d\r\nx\r\n" % (k, i) for i, k in enumerate(names)) + b"mn\r\n")
    assert client.line() == b"MN\r\n"
    gone = set(names[::3])
    client.send(b"".join(b"md %s q\r\n" % k for k in gone) + b"mn\r\n")
    assert client.line() == b"MN\r\n"
    client.send(b"".join(b"mg %s v q k O%d\r\n" % (k, i) for i, k in enumerate(names)) + b"mn\r\n")
    wanted = b"".join(b"VA 1 k%s O%d\r\nx\r\n" % (k, i) for i, k in enumerate(names) if k not in gone)
    assert client.until(b"MN\r\n") == wanted + b"MN\r\n"


@pytest.mark.parametrize("size", [100_000, 131_073, 3_000_000])
def test_large_values(mc, keys, size):
    client = mc()
    key = keys.any()
    value = random.Random(size).randbytes(size)
    client.send(b"mn\r\nms %s %d k q\r\n%s\r\nms %s %d k c ME\r\n%s\r\nmn\r\n" % (key, size, value, key, size, value))
    assert client.line() == b"MN\r\n"
    assert client.line().startswith(b"NS k%s c" % key)
    assert client.line() == b"MN\r\n"
    client.send(b"mg %s v s k q\r\nmn\r\n" % key)
    assert client.line() == b"VA %d s%d k%s\r\n" % (size, size, key)
    assert client.exact(size + 2) == value + b"\r\n"
    assert client.line() == b"MN\r\n"
    client.send(b"ms %s %d MA\r\n%s\r\n" % (key, 8 << 20, b"x" * (8 << 20)))
    assert client.line() == b"SERVER_ERROR object too large for cache\r\n"


def test_large_value_with_a_key_that_is_hidden(mc, keys):
    client = mc()
    key = b64(keys.any() + b"\r\n")
    value = b"v" * 400_000
    assert client.ask(b"ms %s %d b\r\n%s\r\n" % (key, len(value), value)) == b"HD\r\n"
    client.send(b"mg %s b s k v t\r\nmn\r\n" % key)
    assert client.line() == b"VA %d s%d k%s b t-1\r\n" % (len(value), len(value), key)
    assert client.exact(len(value) + 2) == value + b"\r\n"
    assert client.line() == b"MN\r\n"


def test_every_split_of_a_request(mc, keys):
    client = mc()
    key = keys.any()
    script = b"ms %s 3 q\r\nabc\r\nmg %s v k q\r\nmd %s q\r\nmn\r\n" % (key, key, key)
    wanted = b"VA 3 k%s\r\nabc\r\nMN\r\n" % key
    for cut in range(1, len(script)):
        client.send(script[:cut])
        client.send(script[cut:])
        assert client.exact(len(wanted)) == wanted, cut
