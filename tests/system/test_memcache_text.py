"""memcache text: the same conversation with the proxy and with a plain memcached gives the same bytes."""

import re
import pytest

import harness
from clients import Closed, McConn
from harness import wait_until


def converse(client, script, marker):
    """Sends script and then a get of the marker key; the bytes answered to script, '<closed>' at its end if so."""
    value = marker + b"-value"
    assert client.set(marker, value) == b"STORED\r\n"
    ending = b"VALUE %s 0 %d\r\n%s\r\nEND\r\n" % (marker, len(value), value)
    try:
        client.send(script + b"get %s\r\n" % marker)
        return client.until(ending)[:-len(ending)]
    except (Closed, BrokenPipeError, ConnectionResetError) as closed:
        return getattr(closed, "data", b"") + b"<closed>"


K250 = b"k" * 250
K251 = b"k" * 251

# K, L, M are three fresh keys. Answers must equal memcached's.
SAME = {
    "set-get": b"set K 0 0 5\r\nhello\r\nget K\r\n",
    "classic": b"set K 0 0 5\r\nhello\r\nget K\r\ndelete K\r\nget K\r\n",
    "flags": b"set K 4294967295 0 1\r\nx\r\nget K\r\nset K 12 0 1\r\ny\r\nget K\r\n",
    "empty-value": b"set K 0 0 0\r\n\r\nget K\r\n",
    "binary-value": b"set K 0 0 8\r\n\x00\r\n\xff\r\nab\r\nget K\r\n",
    "value-looks-like-reply": b"set K 0 0 10\r\nEND\r\nEND\r\n\r\nget K\r\n",
    "add": b"add K 0 0 1\r\na\r\nadd K 0 0 1\r\nb\r\nget K\r\n",
    "replace": b"replace K 0 0 1\r\na\r\nset K 0 0 1\r\nx\r\nreplace K 7 0 2\r\nbb\r\nget K\r\n",
    "append": b"append K 0 0 1\r\na\r\nset K 0 0 1\r\nx\r\nappend K 0 0 2\r\nyy\r\nget K\r\n",
    "prepend": b"prepend K 0 0 1\r\na\r\nset K 0 0 1\r\nx\r\nprepend K 0 0 2\r\nyy\r\nget K\r\n",
    "cas-missing": b"cas K 0 0 1 99\r\na\r\nget K\r\n",
    "cas-wrong": b"set K 0 0 1\r\na\r\ncas K 0 0 1 1844674407370955\r\nb\r\nget K\r\n",
    "incr": b"set K 0 0 2\r\n10\r\nincr K 5\r\ndecr K 3\r\nget K\r\ndecr K 100\r\n",
    "incr-missing": b"incr K 1\r\ndecr K 1\r\n",
    "incr-big": b"set K 0 0 1\r\n0\r\nincr K 18446744073709551615\r\nincr K 2\r\n",
    "incr-not-a-number": b"set K 0 0 3\r\nabc\r\nincr K 1\r\ndecr K 1\r\n",
    "incr-bad-delta": b"set K 0 0 1\r\n1\r\nincr K abc\r\nincr K -1\r\ndecr K 1x\r\nget K\r\n",
    "incr-no-delta": b"incr K\r\ndecr K\r\n",
    "delete": b"delete K\r\nset K 0 0 1\r\na\r\ndelete K\r\ndelete K\r\n",
    "delete-zero": b"set K 0 0 1\r\na\r\ndelete K 0\r\nget K\r\n",
    "delete-time": b"set K 0 0 1\r\na\r\ndelete K 10\r\nget K\r\n",
    "touch": b"touch K 10\r\nset K 0 0 1\r\na\r\ntouch K 10\r\nget K\r\ntouch K 0\r\n",
    "touch-bad": b"touch K abc\r\ntouch K\r\n",
    "touch-negative": b"set K 0 0 1\r\na\r\ntouch K -1\r\nget K\r\n",
    "expired-at-once": b"set K 0 -1 1\r\na\r\nget K\r\n",
    "gat": b"gat 10 K\r\nset K 3 0 1\r\na\r\ngat 10 K\r\ngat 0 K L\r\n",
    "gat-bad": b"gat abc K\r\n",
    "gat-missing-args": b"gat\r\ngats\r\n",
    "get-none": b"get K\r\ngets K\r\n",
    "get-no-key": b"get\r\nget \r\ngets\r\ngets  \r\n",
    "set-too-few": b"set\r\nset K\r\nset K 0\r\nset K 0 0\r\nadd K\r\ncas K 0\r\n",
    "delete-no-key": b"delete\r\nincr\r\ntouch\r\n",
    "spaces": b"set  K   0 0  5\r\nhello\r\nget   K  L\r\n  get K\r\n",
    "trailing-space": b"set K 0 0 1 \r\na\r\nget K \r\n",
    "unknown": b"foo\r\nGET K\r\nbar baz\r\n\r\n",
    "bare-lf": b"set K 0 0 5\nhello\r\nget K\ndelete K\n",
    "mixed-ends": b"set K 0 0 1\na\r\nset L 0 0 1\r\nb\r\nget K L\n",
    "key-250": b"set " + K250 + b" 0 0 1\r\na\r\nget " + K250 + b"\r\ndelete " + K250 + b"\r\n",
    "key-251-get": b"get " + K251 + b"\r\n",
    "key-251-delete": b"delete " + K251 + b"\r\nincr " + K251 + b" 1\r\ntouch " + K251 + b" 1\r\n",
    "key-high-bytes": b"set K\xc3\xa9\xff 0 0 1\r\na\r\nget K\xc3\xa9\xff\r\n",
    "bad-data-chunk-long": b"set K 0 0 3\r\nabcde\r\nget K\r\n",
    "bad-length": b"set K 0 0 abc\r\n",
    "negative-length": b"set K 0 0 -1\r\n",
    "length-very-negative": b"set K 0 0 -20\r\n",
    "verbosity": b"verbosity 0\r\n",
    "verbosity-no-arg": b"verbosity\r\n",
    "set-noreply": b"set K 0 0 1 noreply\r\na\r\nget K\r\n",
    "add-noreply": b"add K 0 0 1 noreply\r\na\r\nadd K 0 0 1 noreply\r\nb\r\nget K\r\n",
    "replace-noreply": b"replace K 0 0 1 noreply\r\na\r\nget K\r\n",
    "append-noreply": b"set K 0 0 1\r\na\r\nappend K 0 0 1 noreply\r\nb\r\nget K\r\n",
    "prepend-noreply": b"set K 0 0 1\r\na\r\nprepend K 0 0 1 noreply\r\nb\r\nget K\r\n",
    "cas-noreply": b"cas K 0 0 1 12 noreply\r\na\r\nget K\r\n",
    "delete-noreply": b"set K 0 0 1\r\na\r\ndelete K noreply\r\nget K\r\ndelete K noreply\r\n",
    "delete-zero-noreply": b"set K 0 0 1\r\na\r\ndelete K 0 noreply\r\nget K\r\n",
    "incr-noreply": b"set K 0 0 1\r\n1\r\nincr K 5 noreply\r\ndecr K 2 noreply\r\nget K\r\n",
    "incr-noreply-error": b"set K 0 0 1\r\na\r\nincr K 5 noreply\r\nget K\r\n",
    "touch-noreply": b"set K 0 0 1\r\na\r\ntouch K 100 noreply\r\nget K\r\n",
    "verbosity-noreply": b"verbosity 0 noreply\r\nget K\r\n",
    "noreply-part-of-word": b"set K 0 0 1 noreplyx\r\na\r\nget K\r\n",
    "noreply-as-key": b"set noreply 0 0 1\r\na\r\nget noreply\r\ndelete noreply\r\n",
}


BAD_LINE = b"CLIENT_ERROR bad command line format\r\n"
# Where we differ on purpose (docs/protocols-memcache.md): the value behind a refused line is dropped with it instead
# of being run as commands, numbers beyond 32 bits are refused, answers that came before an error are not lost.
DIFFERENT = {
    "gat-without-key": (b"gat 10\r\ngats 10\r\n", b"ERROR\r\nERROR\r\n"),
    "key-251-second": (b"set K 0 0 1\r\na\r\nget K " + K251 + b"\r\n", b"STORED\r\n" + BAD_LINE),
    "key-251-set": (b"set " + K251 + b" 0 0 3\r\nget\r\nget K\r\n", BAD_LINE + b"END\r\n"),
    "flags-word": (b"set K abc 0 9\r\nflush_all\r\nget K\r\n", BAD_LINE + b"END\r\n"),
    "flags-big": (b"set K 4294967296 0 9\r\nflush_all\r\nget K\r\n", BAD_LINE + b"END\r\n"),
    "flags-negative": (b"set K -1 0 9\r\nflush_all\r\nget K\r\n", BAD_LINE + b"END\r\n"),
    "exptime-word": (b"set K 0 abc 9\r\nflush_all\r\nget K\r\n", BAD_LINE + b"END\r\n"),
    "exptime-big": (b"set K 0 99999999999 9\r\nflush_all\r\nget K\r\n", BAD_LINE + b"END\r\n"),
    "size-big": (b"set K 0 0 4294967297\r\nget K\r\n", BAD_LINE + b"END\r\n"),
    "cas-word": (b"cas K 0 0 9 abc\r\nflush_all\r\nget K\r\n", BAD_LINE + b"END\r\n"),
    "cas-missing": (b"cas K 0 0 9\r\nflush_all\r\nget K\r\n", b"ERROR\r\nEND\r\n"),
    "flags-word-noreply": (b"set K abc 0 9 noreply\r\nflush_all\r\nget K\r\n", b"END\r\n"),
    "tab": (b"get K\tK\r\n", BAD_LINE), "nul": (b"get K\x00K\r\n", BAD_LINE), "cr": (b"get K\rK\r\n", BAD_LINE),
    "incr-plus": (b"set K 0 0 1\r\n1\r\nincr K +1\r\n",
                  b"STORED\r\nCLIENT_ERROR invalid numeric delta argument\r\n"),
    "admin": (b"slabs automove 0\r\nshutdown\r\ncache_memlimit 1\r\nlru_crawler enable\r\nwatch\r\n", b"ERROR\r\n" * 5),
}


@pytest.mark.parametrize("pieces", ["whole", "bytes"])
@pytest.mark.parametrize("name", DIFFERENT)
def test_different_on_purpose(mc, keys, name, pieces):
    script, want = DIFFERENT[name]
    script = fresh_script(script, keys)
    client = mc()
    for at in range(0, len(script), len(script) if pieces == "whole" else 1):
        client.send(script[at:at + (len(script) if pieces == "whole" else 1)])
    client.send(b"verbosity 0\r\n")
    assert client.exact(len(want) + 4) == want + b"OK\r\n"


def fresh_script(script, keys):
    for letter in (b"K", b"L", b"M"):
        script = re.sub(rb"(?<![A-Za-z\xc3])" + letter + rb"(?![A-Za-z0-9\"])", keys.any().replace(b"\\", b""), script)
    return script


@pytest.mark.parametrize("name", SAME)
def test_same_as_memcached(mc, mc_direct, keys, name):
    script = fresh_script(SAME[name], keys)
    marker = keys.any()
    proxied, direct = mc(), mc_direct()
    want = converse(direct, script, marker)
    got = converse(proxied, script, marker)
    assert got == want


@pytest.mark.parametrize("name", [n for n in SAME if "closed" not in n])
def test_same_in_single_bytes(mc, mc_direct, keys, name):
    """The same, every byte in a packet of its own (in effect: the proxy sees every cut)."""
    script = fresh_script(SAME[name], keys)
    marker = keys.any()
    want = converse(mc_direct(), script, marker)
    client = mc()
    value = marker + b"-value"
    assert client.set(marker, value) == b"STORED\r\n"
    ending = b"VALUE %s 0 %d\r\n%s\r\nEND\r\n" % (marker, len(value), value)
    try:
        for at in range(len(script)):
            client.send(script[at:at + 1])
        client.send(b"get %s\r\n" % marker)
        got = client.until(ending)[:-len(ending)]
    except (Closed, BrokenPipeError, ConnectionResetError) as closed:
        got = getattr(closed, "data", b"") + b"<closed>"
    assert got == want


def test_all_in_one_pipeline(mc, mc_direct, keys):
    """Every conversation that does not end the connection, in one send."""
    # memcached forgets answers it has not sent yet when a key is too long
    skip = {"negative-length", "length-very-negative", "bad-length", "key-251-get", "key-251-delete"}
    script = b"".join(fresh_script(text, keys) for name, text in SAME.items() if name not in skip)
    marker = keys.any()
    assert converse(mc(), script, marker) == converse(mc_direct(), script, marker)


CAS_VALUE = re.compile(rb"^(VALUE \S+ \d+ \d+) (\d+)\r$", re.M)


def test_cas_ids_work(mc, keys):
    client = mc()
    for key in keys.spread(3):
        assert client.set(key, b"one") == b"STORED\r\n"
        (_, _, value, cas), = client.get(key, verb=b"gets")
        assert value == b"one" and cas
        assert client.ask(b"cas %s 5 0 3 %d\r\ntwo\r\n" % (key, cas)) == b"STORED\r\n"
        assert client.ask(b"cas %s 5 0 3 %d\r\nbad\r\n" % (key, cas)) == b"EXISTS\r\n"
        (_, flags, value, newer), = client.get(key, verb=b"gets")
        assert (flags, value) == (5, b"two") and newer != cas
        client.send(b"cas %s 0 0 5 %d noreply\r\nthree\r\n" % (key, newer))
        assert client.value(key) == b"three"
        client.send(b"gats 100 %s\r\n" % key)
        (_, _, _, again), = client.items()
        assert client.ask(b"cas %s 0 0 4 %d\r\nfour\r\n" % (key, again)) == b"STORED\r\n"


def test_touch_and_gat_set_the_time(mc, keys):
    client = mc()
    touched, gatted, kept = keys.on(0), keys.on(1), keys.on(2)
    for key in (touched, gatted, kept):
        assert client.set(key, b"x") == b"STORED\r\n"
    assert client.ask(b"touch %s 1\r\n" % touched) == b"TOUCHED\r\n"
    # memcached counts in whole seconds of its own clock: 1 may be over at once, 4 leaves time for the next line.
    assert client.get(b"4", gatted, kept, verb=b"gat") == [(gatted, 0, b"x", None), (kept, 0, b"x", None)]
    client.send(b"gat 0 %s\r\n" % kept)
    assert client.items()
    wait_until(lambda: not client.get(touched, gatted), 20, "the items to expire")
    assert client.value(kept) == b"x"


def test_version_is_the_proxys(mc):
    client = mc()
    line = client.ask(b"version\r\n")
    assert line.startswith(b"VERSION ") and line.endswith(b"\r\n") and re.search(rb"\d+\.\d+", line)
    client.send(b"version\r\nversion\r\n")
    assert client.line() == client.line() == line


def test_quit_answers_what_came_before(mc, keys):
    client = mc()
    key = keys.any()
    client.send(b"set %s 0 0 1\r\na\r\nget %s\r\nquit\r\nget %s\r\n" % (key, key, key))
    assert client.rest() == b"STORED\r\nVALUE %s 0 1\r\na\r\nEND\r\n" % key


def test_half_close_is_answered(mc, keys):
    client = mc()
    client.send(b"".join(b"set %s 0 0 1\r\na\r\n" % k for k in keys.many(50)))
    client.half_close()
    assert client.rest() == b"STORED\r\n" * 50


def test_flush_all_is_off_by_default(mc, keys):
    client = mc()
    every = keys.spread(2)
    for key in every:
        client.set(key, b"v")
    line = client.ask(b"flush_all\r\n")
    assert line.split()[0] in (b"CLIENT_ERROR", b"SERVER_ERROR", b"ERROR"), line
    assert len(client.get(*every)) == len(every)
    client.send(b"flush_all noreply\r\n")
    assert len(client.get(*every)) == len(every)


def test_flush_all_reaches_all_nodes_when_enabled(io, resources, keys):
    servers = [resources(harness.Memcached()) for _ in range(3)]
    with harness.Proxy(harness.memcache(servers, flush_all_enabled=True), io=io) as proxy, \
            McConn(proxy.address) as client:
        for form in (b"flush_all\r\n", b"flush_all 0\r\n", b"flush_all noreply\r\n", b"flush_all 0 noreply\r\n"):
            every = keys.many(30)
            for key in every:
                assert client.set(key, b"v") == b"STORED\r\n"
            assert len(client.get(*every)) == 30
            client.send(form)
            if b"noreply" not in form:
                assert client.line() == b"OK\r\n"
            wait_until(lambda: not client.get(*every), 5, "the flush")
        assert client.ask(b"flush_all abc\r\n").startswith(b"CLIENT_ERROR")
        keep = keys.any()
        assert client.set(keep, b"v") == b"STORED\r\n"
        assert client.ask(b"flush_all 1000\r\n") == b"OK\r\n"
        assert client.value(keep) == b"v"


def test_stats_are_merged(mc, keys, pool):
    """Counters of the nodes are sums; the conversation ends with END and nothing follows."""
    client = mc()

    def stats():
        client.send(b"stats\r\n")
        found = {}
        while (line := client.line()) != b"END\r\n":
            word, name, value = line.rstrip(b"\r\n").split(b" ", 2)
            assert word == b"STAT"
            assert name not in found, name
            found[name] = value
        return found

    before = stats()
    for key in keys.spread(5):
        client.set(key, b"v")
    after = stats()
    assert int(after[b"cmd_set"]) - int(before[b"cmd_set"]) >= 20
    assert int(after[b"curr_items"]) >= 20
    assert client.ask(b"version\r\n").startswith(b"VERSION")


def test_stats_between_other_requests(mc, keys):
    client = mc()
    key = keys.any()
    client.send(b"set %s 0 0 1\r\na\r\nstats\r\nget %s\r\n" % (key, key))
    assert client.line() == b"STORED\r\n"
    while (line := client.line()) != b"END\r\n":
        assert line.startswith(b"STAT ")
    assert client.items() == [(key, 0, b"a", None)]


# --- requests that must not upset others ---------------------------------------------------------------------------


REFUSED = [b"set K abc 0 3\r\nget\r\n", b"set K 0 abc 3\r\nget\r\n", b"set K 0 0 3 foo bar\r\nget\r\n",
           b"cas K 0 0 3\r\nget\r\n", b"cas K 0 0 3 x\r\nget\r\n", b"set K 0 0 3\r\ngetXX\r\n", b"incr K abc\r\n",
           b"touch K abc\r\n", b"gat abc K\r\n", b"delete K 5\r\n", b"delete K 0 0\r\n", b"verbosity x y z\r\n",
           b"set " + K251 + b" 0 0 3\r\nget\r\n", b"add K -1 0 3\r\nget\r\n", b"incr K 99999999999999999999999\r\n",
           b"set K 99999999999 0 3\r\nget\r\n", b"set K 0 99999999999999999999 3\r\nget\r\n",
           b"set K 0 0 3 noreply extra\r\nget\r\n", b"incr K 1 extra\r\n", b"touch K 1 extra\r\n",
           b"append K x x 3\r\nabc\r\n", b"mg K v\r\n", b"me K\r\n", b"mn\r\n", b"watch\r\n", b"lru tune\r\n"]


def test_refused_lines_do_not_shift_replies_of_others(mc, keys):
    """After each line that memcached refuses, others on the same backend connections still get their own."""
    witness = mc()
    mine = keys.spread(4)
    for n, key in enumerate(mine):
        assert witness.set(key, b"witness-%d" % n) == b"STORED\r\n"
    want = [(key, 0, b"witness-%d" % n, None) for n, key in enumerate(mine)]
    for line in REFUSED:
        for node in range(4):
            villain = mc()
            villain.send(line.replace(b"K", keys.on(node)))
            assert witness.get(*mine) == want, line
            for n, key in enumerate(mine):
                assert witness.value(key) == b"witness-%d" % n, line
            villain.close()


def test_line_feed_injection(mc, keys):
    """A bare LF ends the line; what follows is a request of its own that the proxy answers or refuses."""
    client = mc()
    victim, key = keys.on(0), keys.on(0)
    assert client.set(victim, b"safe") == b"STORED\r\n"
    assert client.set(key, b"1") == b"STORED\r\n"
    client.send(b"incr %s 1\nflush_all\r\n" % key)
    assert client.line() == b"2\r\n"
    assert client.line().split()[0] in (b"CLIENT_ERROR", b"SERVER_ERROR", b"ERROR")
    client.send(b"touch %s 0\nflush_all\r\n" % key)
    assert client.line() == b"TOUCHED\r\n"
    client.line()
    client.send(b"set %s 0 0 1\nflush_all\r\n" % key)  # the value is "f" and its end is missing
    client.line()
    other = mc()
    assert other.value(victim) == b"safe"


def test_carriage_return_inside_a_line(mc, keys):
    """A CR that no LF follows never reaches a backend as part of a command line that says more."""
    witness = mc()
    key = keys.on(1)
    assert witness.set(key, b"v") == b"STORED\r\n"
    villain = mc()
    villain.send(b"get %s\rflush_all\r\n" % keys.on(1))
    villain.send(b"delete a\rb\r\n")
    assert witness.value(key) == b"v"


# --- many clients --------------------------------------------------------------------------------------------------


def test_gets_of_many_clients_in_one_turn(mc, keys, proxy):
    """200 clients send while the proxy stands still: hits, misses, duplicates go to the right ones."""
    setter = mc()
    hits, misses = keys.spread(15), keys.spread(10)
    for n, key in enumerate(hits):
        assert setter.set(key, b"value-%d" % n, flags=n) == b"STORED\r\n"
    clients = mc.many(200)
    for c in clients:
        assert c.get(misses[0]) == []
    for _ in range(5):
        asked = []
        proxy.freeze()
        try:
            for c in clients:
                key = keys.random.choice(hits if keys.random.random() < 0.7 else misses)
                verb = keys.random.choice([b"get", b"get", b"get", b"gets"])
                c.send(b"%s %s\r\n" % (verb, key))
                asked.append((verb, key))
        finally:
            proxy.thaw()
        for c, (verb, key) in zip(clients, asked):
            found = c.items()
            if key in misses:
                assert found == []
            else:
                n = hits.index(key)
                (got_key, flags, value, cas), = found
                assert (got_key, flags, value) == (key, n, b"value-%d" % n)
                assert (cas is not None) == (verb == b"gets")


def test_cas_ids_of_many_clients_in_one_turn(mc, keys, proxy):
    """gets answers with the id of its own key, also when many leave together."""
    setter = mc()
    every = keys.spread(20)
    for key in every:
        setter.set(key, key)
    ids = {key: cas for key, _, _, cas in setter.get(*every, verb=b"gets")}
    assert len(ids) == len(every)
    clients = mc.many(160)
    proxy.freeze()
    try:
        for n, c in enumerate(clients):
            c.send(b"gets %s\r\n" % every[n % len(every)])
    finally:
        proxy.thaw()
    for n, c in enumerate(clients):
        key = every[n % len(every)]
        assert c.items() == [(key, 0, key, ids[key])]


def test_writes_and_gets_of_many_clients_in_one_turn(mc, keys, proxy):
    """Reads that are joined never overtake a write of the same client."""
    clients = mc.many(100)
    own = [keys.any() for _ in clients]
    for turn in range(5):
        proxy.freeze()
        try:
            for n, (c, key) in enumerate(zip(clients, own)):
                value = b"%d-%d" % (turn, n)
                c.send(b"set %s 0 0 %d\r\n%s\r\nget %s\r\ndelete %s\r\nget %s\r\nset %s 0 0 %d\r\n%s\r\nget %s\r\n" % (
                    key, len(value), value, key, key, key, key, len(value), value, key))
        finally:
            proxy.thaw()
        for n, (c, key) in enumerate(zip(clients, own)):
            value = b"%d-%d" % (turn, n)
            assert c.line() == b"STORED\r\n"
            assert c.items() == [(key, 0, value, None)]
            assert c.line() == b"DELETED\r\n"
            assert c.items() == []
            assert c.line() == b"STORED\r\n"
            assert c.items() == [(key, 0, value, None)]


def test_a_client_leaves_with_gets_under_way(mc, keys, proxy):
    """Clients that vanish before their answer do not shift those of others."""
    setter = mc()
    every = keys.spread(10)
    for key in every:
        setter.set(key, key)
    stay, leave = mc.many(50), mc.many(50)
    for _ in range(3):
        proxy.freeze()
        try:
            for n in range(50):
                leave[n].send(b"get %s\r\n" % every[n % 40])
                stay[n].send(b"get %s\r\n" % every[(n * 7) % 40])
            for c in leave:
                c.reset()
        finally:
            proxy.thaw()
        for n, c in enumerate(stay):
            key = every[(n * 7) % 40]
            assert c.items() == [(key, 0, key, None)]
        leave = mc.many(50)


def test_mixed_verbs_in_a_long_pipeline(mc, mc_direct, keys):
    """2,000 random requests of all verbs in one send: byte for byte as memcached answers."""
    names = keys.many(40)
    r = keys.random
    parts = []
    for _ in range(2000):
        key = r.choice(names)
        value = b"%d" % r.randrange(10**r.randrange(1, 9))
        tail = b" noreply" if r.random() < 0.2 else b""
        parts.append(r.choice([
            b"set %s %d 0 %d%s\r\n%s\r\n" % (key, r.randrange(100), len(value), tail, value),
            b"add %s 0 0 %d%s\r\n%s\r\n" % (key, len(value), tail, value),
            b"replace %s 1 0 %d%s\r\n%s\r\n" % (key, len(value), tail, value),
            b"append %s 0 0 1%s\r\n7\r\n" % (key, tail),
            b"prepend %s 0 0 1%s\r\n3\r\n" % (key, tail),
            b"incr %s 3%s\r\n" % (key, tail), b"decr %s 2%s\r\n" % (key, tail),
            b"delete %s%s\r\n" % (key, tail), b"touch %s 0%s\r\n" % (key, tail),
            b"get %s\r\n" % key, b"get %s\r\n" % b" ".join(r.choices(names, k=r.randrange(1, 12))),
            b"gat 0 %s %s\r\n" % (key, r.choice(names)),
        ]))
    script = b"".join(parts)
    marker = keys.any()
    want = converse(mc_direct(), script, marker)
    assert converse(mc(), script, marker) == want
