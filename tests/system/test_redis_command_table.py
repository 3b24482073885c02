"""redis: what the proxy says of commands, and its error texts, against the live server."""

import subprocess
import sys

import pytest

import harness
from clients import RedisConn, RedisError, resp
from harness import REPO, wait_until


def test_the_table_in_the_tree_is_current():
    run = subprocess.run([sys.executable, "-B", REPO / "scripts/redis-commands.py", "--check"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def by_name(commands):
    return {command[0]: command for command in commands}


EXTRA = {b"client|setinfo", b"client|no-touch", b"client|maint_notifications"}  # of later versions


def comparable(command):
    """A COMMAND entry without the intended differences: notes of key specs, CLIENT SETINFO, the order of subcommands."""
    command = list(command)
    specs = [pairs(spec) for spec in command[8]]
    for spec in specs:
        spec.pop(b"notes", None)
    command[8] = [[list(spec.keys()), spec] for spec in specs]
    command[9] = {sub[0]: comparable(sub) for sub in command[9] if sub[0] not in EXTRA}
    return command


FIELDS = ["name", "arity", "flags", "first key", "last key", "step", "categories", "tips", "key specs", "subcommands"]


def differences(ours, theirs):
    assert len(ours) == len(theirs) == len(FIELDS)
    return [f"{theirs[0]}: {field}: {a} instead of {b}" for field, a, b in zip(FIELDS, ours, theirs) if a != b]


@pytest.mark.parametrize("words", [["COMMAND"], ["command", "info"]])
def test_command_describes_all_commands_as_the_server_does(rd, rd_direct, words):
    ours, theirs = by_name(rd().cmd(*words)), by_name(rd_direct().cmd(*words))
    assert ours.keys() == theirs.keys()
    found = [line for name in sorted(theirs)
             for line in differences(comparable(ours[name]), comparable(theirs[name]))]
    assert not found, "\n".join(found)


def test_command_info_of_named_commands(rd, rd_direct):
    ours, theirs = rd(), rd_direct()
    # Of commands that have no part that differs: byte for byte.
    for names in (["get"], ["GeT", "mset"], ["nosuch"], ["client|list"], ["CLIENT|GETNAME", "nosuch|x", "client|nosuch"],
                  ["xinfo|stream"], [""], ["|"], ["get|x"]):
        assert ours.cmd_raw("COMMAND", "INFO", *names) == theirs.cmd_raw("COMMAND", "INFO", *names), names


def test_command_count_and_list(rd, rd_direct):
    ours, theirs = rd(), rd_direct()
    assert ours.cmd("COMMAND", "COUNT") == theirs.cmd("COMMAND", "COUNT")
    listed = ours.cmd("COMMAND", "LIST")
    assert len(set(listed)) == len(listed)
    assert set(listed) - EXTRA == set(theirs.cmd("COMMAND", "LIST"))
    categories = [name.decode() for name in theirs.cmd("ACL", "CAT")]
    filters = [("ACLCAT", name) for name in [*categories, "GEO", "nosuch"]]
    filters += [("MODULE", "nosuch")]
    filters += [("PATTERN", p) for p in ("*", "xg*", "XG*", "g[ae]t", "[^a-w]*", "client|*", "?et", "h*l*", "\\get", "", "[", "[a", "*[s-z]",
                                         "[\\]g]et", "get*", "z*store", "*a*e*i*")]
    for what, value in filters:
        words = ("COMMAND", "LIST", "FILTERBY", what, value)
        assert set(ours.cmd(*words)) - EXTRA == set(theirs.cmd(*words)), words


def test_command_docs(rd, rd_direct):
    ours, theirs = rd(), rd_direct()

    def facts(flat):
        out = {}
        for name, doc in pairs(flat).items():
            doc = pairs(doc)
            out[name] = (doc[b"since"], doc[b"group"], facts(doc.get(b"subcommands", [])))
            for extra in EXTRA:
                out[name][2].pop(extra, None)
        return out

    assert facts(ours.cmd("COMMAND", "DOCS")) == facts(theirs.cmd("COMMAND", "DOCS"))
    for names in (["get"], ["nosuch"], ["get", "nosuch", "SET"], ["client|list"], ["client"]):
        assert facts(ours.cmd("COMMAND", "DOCS", *names)) == facts(theirs.cmd("COMMAND", "DOCS", *names)), names


def test_docs_are_the_nodes_where_the_proxy_does_the_same(io, rd, rd_direct, resources):
    for version in (2, 3):
        ours, theirs = rd(), rd_direct()
        for client in (ours, theirs):
            client.cmd_raw("HELLO", version)
        for names in (["get"], ["SET", "nosuch", "sort", "xadd"], ["config|get", "zadd"], ["nosuch"]):
            assert ours.cmd_raw("COMMAND", "DOCS", *names) == theirs.cmd_raw("COMMAND", "DOCS", *names), names
    client = rd()
    for name in ("monitor", "config|set"):
        doc = pairs(client.cmd("COMMAND", "DOCS", "get", name)[3])
        assert doc[b"summary"] == b"Not supported through the proxy"
    whole = pairs(client.cmd("COMMAND", "DOCS"))
    assert b"arguments" in pairs(whole[b"hset"]) and b"arguments" not in pairs(whole[b"debug"])
    assert b"arguments" in pairs(pairs(pairs(whole[b"xgroup"])[b"subcommands"])[b"xgroup|create"])
    names = client.cmd("COMMAND", "DOCS", "client|setinfo", "GET", "client|SETINFO")
    assert names[::2] == [b"get", b"client|setinfo"]
    # Nobody there to ask: the proxy's own.
    server = resources(harness.Redis())
    with harness.Proxy(harness.redis([server]), io=io) as proxy, RedisConn(proxy.address) as client:
        server.kill9()
        wait_until(lambda: str(client.cmd("GET", "x")).startswith("ERR"), 10, "the backend to be down")
        docs = pairs(client.cmd("COMMAND", "DOCS", "get", "nosuch"))
        assert list(docs) == [b"get"] and pairs(docs[b"get"])[b"group"] == b"string"
        assert len(client.cmd("COMMAND", "DOCS")) == 2 * client.cmd("COMMAND", "COUNT")


CALLS = [
    "get k", "set k v", "set k v EX 1 get", "set k get", "bitfield k", "bitfield k get u8 0 GET u4 0", "bitfield k get u8 0 set u8 0 1",
    "bitfield k overflow wrap", "bitfield k overflow sat incrby u8 0 1", "bitfield k get", "bitfield_ro k get u8 0",
    "mset a 1 b 2", "mset a 1 b", "mget a b a", "del a b", "rename a b", "bitop and d a b", "getex k",
    "eval x 2 a b c", "eval x 0", "eval x 0 a", "eval x 1 k", "fcall f 1 k", "evalsha x 2 a b",
    "eval x abc a", "eval x 3 a", "zunionstore d 2 a b", "zunionstore d abc a b",
    "lmpop 1 a left", "lmpop 2 a b left", "zmpop 1 a min", "sintercard 2 a b limit 1", "blmpop 0 1 a left",
    "xread streams a b 1 2", "xread count 2 STREAMS a 0", "xreadgroup group g c streams k >", "xreadgroup group streams c streams k >",
    "georadius k 1 1 1 m", "georadius k 1 1 1 m store d", "georadius k 1 1 1 m storedist e", "georadius k 1 1 1 m store d storedist e",
    "sort k", "sort k store d", "sort k limit store x store a store b", "sort k by store store d", "sort_ro k", "sort k store",
    "object encoding k", "memory usage k", "xgroup create k g $", "xinfo stream k", "spublish c m", "migrate h 1 x 0 1", "migrate h 1 k 0 1",
    "ping x", "client list", "command count", "nosuch a", "object nosuch k", "client nosuch", "get a b", "set k", "mset a", "copy a b", "copy a",
    "lcs a b", "smove a b c", "pfcount a b", "pfmerge a", "rpoplpush a b", "restore k 0 v", "zadd k 1 m", "blpop a b 0", "brpoplpush a b 0",
]


@pytest.mark.parametrize("verb", ["GETKEYS", "GETKEYSANDFLAGS"])
def test_command_getkeys(rd, rd_direct, verb):
    ours, theirs = rd(), rd_direct()
    found = []
    for call in CALLS:
        words = ["COMMAND", verb, *call.split()]
        got, want = ours.cmd_raw(*words), theirs.cmd_raw(*words)
        if got != want:
            found.append(f"{call}: {got!r} instead of {want!r}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("words", [
    ["COMMAND", "COUNT", "x"], ["COMMAND", "NOSUCH"], ["COMMAND", "GETKEYS"], ["COMMAND", "LIST", "x"], ["COMMAND", "GETKEYS", "get"],
    ["COMMAND", "LIST", "FILTERBY"], ["COMMAND", "LIST", "FILTERBY", "x", "y"], ["COMMAND", "LIST", "FILTERBY", "PATTERN", "y", "z"],
    ["NOSUCH"], ["nosuch", "a"], ["NoSuch", "a", "b c", "d\r\ne"], ["x" * 127], ["x" * 128, "a"], ["x" * 129], ["x" * 400],
    ["nosuch", "a" * 123], ["nosuch", "a" * 124, "b"], ["nosuch", "a" * 125, "b"], ["nosuch", "a" * 126, "b"], ["nosuch", "a" * 128, "b"],
    ["nosuch", "a" * 300, "b"], ["nosuch", "a" * 100, "b" * 100, "c"], ["nosuch", *["", "x"] * 100], ["nosuch", *["ab"] * 26], ["nosuch", *[""] * 60],
    [b"nos\0uch", b"a\0b"], [b"nos\r\nuch"], [b"\xff\xfe"], ["", "a"], ["client|list"], ["get\0"],
    ["GET"], ["get", "a", "b"], ["SET", "k"], ["mget"], ["Client"], ["client", "SETNAME"], ["client", "getname", "x"],
    ["client", "nosuch"], ["CLIENT", "NoSuch", "x", "y"], ["client", "x" * 200], ["client", b"a\r\nb"], ["object", "nosuch", "k"], ["object"],
    ["object", "encoding"], ["xgroup", "create", "k"], ["memory", ""], ["xinfo", b"st\0ream", "k"],
], ids=lambda words: str(words)[:60])
def test_error_texts(rd, rd_direct, words):
    """Unknown names and wrong numbers of arguments, byte by byte; the connection stays."""
    ours = rd()
    assert ours.cmd_raw(*words) == rd_direct().cmd_raw(*words)
    assert ours.cmd("PING") == "PONG"


def ending(conn, wire):
    """All that comes until the peer closes, as it must."""
    try:
        conn.send(wire)
    except (ConnectionResetError, BrokenPipeError):
        pass
    return conn.rest()


BAD_NUMBERS = [b"+1", b"01", b"", b" 1", b"1 ", b"1a", b"-", b"-0", b"00", b"0x1", b"--1", b"9223372036854775808", b"18446744073709551617",
               b"-9223372036854775809", b"9" * 40, b"1\n", b"\xb1", b"1.0", b"1\t"]
PROTOCOL_ERRORS = (
    [b"*" + n + b"\r\n$4\r\nPING\r\n" for n in BAD_NUMBERS] + [b"*1\r\n$" + n + b"\r\nPING\r\n" for n in BAD_NUMBERS] +
    [b"*2\r\n$3\r\nGET\r\n" + bytes([c]) + b"1\r\n" for c in range(1, 256) if c != ord("$")] +
    [b"*1\r\n$-1\r\n", b"*2\r\n$3\r\nGET\r\n$-5\r\n", b"*1\r\n$536870913\r\n", b"*2147483648\r\n", b"*1\r\n*1\r\n", b"*1\r\n" * 1000,
     b'GET "a\r\n', b"GET 'a\r\n", b'GET "a"b\r\n', b"GET 'a'b\r\n", b'GET "a\\"\r\n', b"x" * 70000, b"*" + b"1" * 70000,
     b"*1\r\n$" + b"1" * 70000])


def test_protocol_errors(rd, rd_direct):
    found = []
    for wire in PROTOCOL_ERRORS:
        got, want = ending(rd(), wire), ending(rd_direct(), wire)
        assert want.startswith(b"-ERR Protocol error"), (wire[:60], want)
        if got != want:
            found.append(f"{wire[:60]!r}: {got} instead of {want}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("wire, text", [
    (b"*1\r\n$4\r\nPINGXX", b"bulk not followed by CRLF"),
    (b"*1\r\n$4\rXPING\r\n", b"invalid bulk length"),
    (b"*1\rX$4\r\nPING\r\n", b"invalid multibulk length"),
    (b"ECHO a\0b\r\n", b"NUL in inline request"),
    (b"*1\r\n\0\r\n", b"expected '$', got '\0'"),
    (b"*1048577\r\n", b"invalid multibulk length"),
])
def test_stricter_than_the_server(rd, wire, text):
    """Where the server is lenient in ways that must not reach a connection that others share."""
    assert ending(rd(), wire) == b"-ERR Protocol error: " + text + b"\r\n"


NOT_A_REQUEST = [b"*0\r\n", b"*-1\r\n", b"*-5\r\n", b"*-9223372036854775808\r\n", b"\r\n", b"\n", b"  \t\r\n", b"\r\n\r\n*0\r\n"]


@pytest.mark.parametrize("wire", NOT_A_REQUEST)
def test_bytes_that_carry_no_request(rd, rd_direct, wire):
    for conn in (rd(), rd_direct()):
        conn.send(wire + resp("ECHO", "the-mark"))
        assert conn.reply() == b"the-mark"


REFUSED = ["SORT k BY w_*", "SORT k GET w_*", "COPY a b DB 1",
           "FLUSHALL", "CONFIG SET x y", "MOVE k 1", "MONITOR"]


@pytest.mark.parametrize("call", REFUSED)
def test_refused_calls_keep_the_connection(rd, call):
    client = rd()
    assert isinstance(client.cmd(*call.split()), RedisError)
    assert client.cmd("PING") == "PONG"
