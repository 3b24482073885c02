"""redis: inline commands, fragments, pipelines, and bytes that are not RESP."""

import pytest

from clients import Closed, resp

INLINE = [
    b"PING\r\n", b"PING\n", b"  PING  \r\n", b"ping hello\r\n", b"SET {k} v\r\nGET {k}\r\n",
    b'SET {k} "a b"\r\nGET {k}\r\n', b"SET {k} 'a b'\r\nGET {k}\r\n", b'SET {k} "\\x41\\n\\r\\t\\a\\b\\\\\\""\r\nGET {k}\r\n',
    b"SET {k} 'it\\'s'\r\nGET {k}\r\n", b'SET {k} ""\r\nGET {k}\r\n', b"SET  {k}\tv\r\nGET {k}\r\n",
    b"\r\nPING\r\n", b"\n\nPING\r\n", b"   \r\nPING\r\n", b"GET\r\nPING\r\n", b"NOSUCH a b\r\nPING\r\n",
    b'MSET {k} 1 {l} "2 2"\r\nMGET {k} {l} {k}\r\n', b'"PING"\r\n', b"'pi'ng\r\nPING\r\n", b'ECHO "\\xff\\x00"\r\n',
    b'ECHO "\\xg1"\r\n', b"*0\r\nPING\r\n", b"*-1\r\nPING\r\n", b"ECHO " + b"x" * 60000 + b"\r\n",
]
# redis answers and closes
BROKEN = [
    b'GET "unbalanced\r\n', b"GET 'unbalanced\r\n", b'GET "a"b\r\n', b"*x\r\n", b"*1x\r\n", b"*99999999999\r\n",
    b"*1\r\n$x\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$-5\r\n", b"*2\r\n$3\r\nGET\r\n$-1\r\n", b"*2\r\n$3\r\nGET\r\n$-5\r\n",
    b"*1\r\nPING\r\n", b"*1\r\n:1\r\n", b"*2\r\n$3\r\nGET\r\n+a\r\n", b"*1\r\n*1\r\n", b"*1\r\n$99999999999999999999\r\n",
    b"*1\r\n$600000000\r\n", b"*2147483648\r\n", b"*1\r\n$4 \r\n", b"x" * 70000,
    b"*1" + b"0" * 70000, b"*1\r\n$" + b"1" * 70000, b"*1\r\n\r\n",
]


def compare(client, direct, wire):
    """Sends wire and a mark to both; compares all bytes up to the mark's echo or the end."""
    answers = []
    for conn in (direct, client):
        try:
            conn.send(wire + resp("ECHO", "the-mark"))
            answers.append(conn.until(b"$8\r\nthe-mark\r\n"))
        except (Closed, ConnectionResetError, BrokenPipeError) as closed:
            answers.append(getattr(closed, "data", b"") + b"<closed>")
    assert answers[1] == answers[0]
    return answers[1]


@pytest.mark.parametrize("n", range(len(INLINE)))
def test_inline_as_redis(rd, rd_direct, keys, n):
    wire = INLINE[n].replace(b"{k}", keys.any()).replace(b"{l}", keys.any())
    compare(rd(), rd_direct(), wire)


def test_inline_in_single_bytes(rd, rd_direct, keys):
    wire = b"".join(line for line in INLINE[:20] if b"'pi'ng" not in line).replace(b"{k}", keys.any()).replace(b"{l}", keys.any())
    direct, client = rd_direct(), rd()
    direct.send(wire + resp("ECHO", "the-mark"))
    want = direct.until(b"the-mark\r\n")
    for at in range(len(wire)):
        client.send(wire[at:at + 1])
    client.send(resp("ECHO", "the-mark"))
    assert client.until(b"the-mark\r\n") == want


@pytest.mark.parametrize("n", range(len(BROKEN)))
def test_broken_requests_as_redis(rd, rd_direct, n):
    """The error line of redis and then the end, where redis ends it."""
    answers = []
    for conn in (rd_direct(), rd()):
        try:
            conn.send(BROKEN[n])
            conn.half_close()
        except OSError:
            pass
        answers.append(conn.rest())
    assert answers[1] == answers[0]


def test_more_arguments_than_the_limit(rd):
    """redis 7.0 has no bound on them for a client it knows; we have."""
    client = rd()
    client.send(b"*1048577\r\n")
    assert client.rest() == b"-ERR Protocol error: invalid multibulk length\r\n"


def test_valid_requests_before_a_broken_one_are_answered(rd, keys):
    client = rd()
    key = keys.any()
    client.send(resp("SET", key, "v") + resp("GET", key) + resp("MGET", key, keys.any(), key) + b"*1\r\n$x\r\n")
    got = client.rest()
    assert got.startswith(b"+OK\r\n$1\r\nv\r\n*3\r\n$1\r\nv\r\n$-1\r\n$1\r\nv\r\n-ERR Protocol error"), got


def test_every_cut_of_a_request(rd, keys):
    client = rd()
    key = keys.any()
    wire = resp("SET", key, b"\r\n$3\r\nabc") + resp("MGET", key, b"x", key) + resp("PING") + b"ECHO 'a b'\r\n"
    want = None
    for cut in range(len(wire) + 1):
        client.send(wire[:cut])
        client.send(wire[cut:])
        got = [client.reply() for _ in range(4)]
        want = want or got
        assert got == want == ["OK", [b"\r\n$3\r\nabc", None, b"\r\n$3\r\nabc"], "PONG", b"a b"], cut


def test_pipeline_of_ten_thousand(rd, keys):
    client = rd()
    names = keys.many(2500)
    commands = [c for k in names for c in (("SET", k, k), ("GET", k), ("MGET", k, names[0]), ("DEL", k + b"x"))]
    client.send(b"".join(resp(*c) for c in commands))
    for k in names:
        assert [client.reply() for _ in range(4)] == ["OK", k, [k, names[0]], 0]


def test_pipeline_of_ten_thousand_gets_of_one_key(rd, keys):
    client = rd()
    key = keys.any()
    client.ok("SET", key, "v" * 100)
    client.send(resp("GET", key) * 10000)
    for _ in range(10000):
        assert client.reply() == b"v" * 100


def test_requests_end_at_any_buffer_border(rd, keys):
    """A pipeline of odd sizes, so that requests straddle receive buffers everywhere."""
    client = rd()
    names = keys.spread(2)
    commands = [("SET", keys.random.choice(names), keys.random.randbytes(keys.random.randrange(0, 9000)))
                for _ in range(800)]
    state = {}
    wire = b""
    for _, k, v in commands:
        wire += resp("SET", k, v) + resp("GET", k)
    client.send(wire)
    for _, k, v in commands:
        assert client.reply() == "OK"
        assert client.reply() == v
        state[k] = v
    assert client.cmd("MGET", *names) == [state.get(k) for k in names]
