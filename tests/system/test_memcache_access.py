"""Logins of memcache clients, and what their users may do: text, meta and binary."""

import base64
import time

import harness
from clients import BinaryConn, McConn, Op, arithmetic, frame, store, touching

USERS = ["reader on >rpw ~app:* +@read", "writer on >wpw ~app:* %R~other:* +@all -flushall", "off >x ~* +@all"]
DENIED = b"CLIENT_ERROR permission denied\r\n"


def plain(name, password):
    return frame(Op.SASL_AUTH, b"PLAIN", b"", b"\0%s\0%s" % (name, password))


def text_login(name, password):
    secret = b"%s %s" % (name, password)
    return b"set - 0 0 %d\r\n%s\r\n" % (len(secret), secret)


def test_sasl_plain(io, pool, keys):
    k = keys.any()
    right = b"\0default\0pass word"
    with harness.Proxy(harness.memcache(pool.backends("memcached"), password="pass word"), io=io) as running:
        def dial():
            return BinaryConn(running.address)

        for refused in (frame(Op.GET, k), frame(Op.NOOP), frame(Op.QUITQ), frame(Op.SETQ, k), frame(0xfe),
                        frame(Op.GET, k, b"abcd")):
            with dial() as client:
                client.send(refused + frame(Op.VERSION))
                assert [r[1:] for r in client.until_closed()] == [(0x20, 0, 0, b"", b"", b"Auth failure.")]
        with dial() as client:
            assert client.ask(frame(Op.VERSION)).status == 0
            assert client.ask(frame(Op.SASL_LIST))[1:] == (0, 0, 0, b"", b"", b"PLAIN")
            for secret in (b"\0", b"\0default", b"x" * 5000):
                assert client.ask(frame(Op.SASL_AUTH, b"PLAIN", b"", secret)).status == 0x20
            assert client.ask(frame(Op.SASL_AUTH, b"CRAM-MD5", b"", right)).status == 0x20
            assert client.ask(frame(Op.SASL_AUTH, b"M" * 33, b"", b"x")).status == 4
            assert client.ask(frame(Op.SASL_STEP, b"PLAIN", b"", right)).status == 0x20
            assert client.ask(frame(Op.SASL_AUTH, b"PLAIN", b"", b"id" + right))[1:] == (0, 0, 0, b"", b"", b"Authenticated")
            assert client.set(k, b"v") and client.value(k) == b"v"
        for secret in (b"\0default\0", b"\0default\0pass", b"\0other\0pass word", right + b"\0"):
            with dial() as client:
                client.send(frame(Op.SASL_AUTH, b"PLAIN", b"", secret) + frame(Op.NOOP))
                assert [r.status for r in client.until_closed()] == [0x20, 0x20]
        with dial() as client:  # the message in a step of its own
            assert client.ask(frame(Op.SASL_AUTH, b"PLAIN"))[1:3] == (0x21, 0)
            assert client.ask(frame(Op.SASL_STEP, b"PLAIN", b"", right)).status == 0
            assert client.value(k) == b"v"


def test_text_login(io, pool, keys):
    k = keys.any()
    right = text_login(b"default", b"pass word")
    with harness.Proxy(harness.memcache(pool.backends("memcached"), password="pass word"), io=io) as running:
        with McConn(running.address) as client:
            for refused in (b"get k\r\n", b"version\r\n", b"mn\r\n", b"mg k v\r\n", b"set\r\n", b"get " + b"k" * 300 + b"\r\n",
                            b"add k 0 0 17\r\ndefault pass word\r\n", b"ms k 3\r\nabc\r\n", b"set k 0 0 9000\r\n" + b"x" * 9002):
                assert client.ask(refused) == b"CLIENT_ERROR unauthenticated\r\n", refused
            assert client.ask(b"set k 0 0 3\r\nabcde") == b"CLIENT_ERROR bad data chunk\r\n"
            client.send(right[:20])
            client.send(right[20:] + b"set %s 0 0 1\r\nv\r\nmg %s v\r\n" % (k, k))
            assert [client.line() for _ in range(4)] == [b"STORED\r\n", b"STORED\r\n", b"VA 1\r\n", b"v\r\n"]
        with McConn(running.address) as client:
            client.send(b"set k 0 0 17\r\ndefault pass_word\r\n" + b"get k\r\n")
            assert client.line() == b"CLIENT_ERROR authentication failure\r\n"
            assert client.line() == b"CLIENT_ERROR unauthenticated\r\n"
            client.send(right)
            assert client.line() == b"STORED\r\n"


def test_a_wrong_password_takes_longer_each_time(io, pool):
    """And meanwhile others are served."""
    with harness.Proxy(harness.memcache(pool.backends("memcached"), password="pw"), io=io) as running:
        with BinaryConn(running.address) as guesser, McConn(running.address) as text, McConn(running.address) as other:
            assert other.ask(text_login(b"default", b"pw")) == b"STORED\r\n"
            begun = time.monotonic()
            guesser.send(plain(b"default", b"a") + plain(b"default", b"b") + plain(b"default", b"pw"))
            text.send(text_login(b"default", b"c") + text_login(b"default", b"pw"))
            assert other.get("none-such") == []
            assert [guesser.reply().status for _ in range(3)] == [0x20, 0x20, 0]
            assert time.monotonic() - begun > 0.29  # 100 and 200 ms at least
            assert [text.line() for _ in range(2)] == [b"CLIENT_ERROR authentication failure\r\n", b"STORED\r\n"]


def test_rules_of_users(io, pool, keys):
    mine, theirs, other = b"app:" + keys.any(), b"our:" + keys.any(), b"other:" + keys.any()
    cluster = harness.memcache(pool.backends("memcached"), users=USERS, flush_all_enabled=True)
    with harness.Proxy(cluster, io=io) as running:
        with BinaryConn(running.address) as reader, BinaryConn(running.address) as writer:
            assert reader.ask(plain(b"off", b"x")).status == 0x20
            assert reader.ask(plain(b"reader", b"rpw")).status == 0
            assert writer.ask(plain(b"writer", b"wpw")).status == 0
            writer.set(mine, b"10")

            def denied(client, *requests):
                got = client.fenced(b"".join(requests))
                assert [(r.status, r.value) for r in got] == [(0x20, b"Permission denied")] * len(requests)

            assert [r.value for r in reader.fenced(frame(Op.GETQ, mine))] == [b"10"]
            denied(reader, frame(Op.GETQ, theirs), frame(Op.GETK, other), store(Op.SETQ, mine, b"x"),
                   store(Op.SET, mine, b"x" * 300_000), frame(Op.APPENDQ, mine, b"", b"x"), frame(Op.DELETEQ, mine),
                   arithmetic(Op.INCRQ, mine, 1), touching(Op.TOUCH, mine, 1), touching(Op.GATQ, mine, 1),
                   frame(Op.FLUSHQ))
            denied(writer, frame(Op.GETQ, theirs), store(Op.SETQ, other, b"x"), arithmetic(Op.INCR, other, 1),
                   touching(Op.GAT, other, 1), frame(Op.FLUSH))
            assert writer.ask(frame(Op.GET, other)).status == 1
            assert writer.ask(arithmetic(Op.DECR, mine, 1)).value[-1] == 9
        with McConn(running.address) as reader, McConn(running.address) as writer:
            assert reader.ask(text_login(b"reader", b"rpw")) == b"STORED\r\n"
            assert writer.ask(text_login(b"writer", b"wpw")) == b"STORED\r\n"
            assert reader.get(mine)[0][2] == b"9 "
            encoded = base64.b64encode(theirs)
            for line in (b"get %s" % theirs, b"get %s %s" % (mine, theirs), b"gat 5 %s" % mine, b"delete %s" % mine,
                         b"incr %s 1" % mine, b"touch %s 5" % mine, b"set %s 0 0 1\r\nx" % mine, b"flush_all",
                         b"set %s 0 0 300000\r\n%s" % (mine, b"x" * 300_000), b"mg %s v" % theirs, b"mg %s b v" % encoded,
                         b"mg %s v T5" % mine, b"mg %s v N5" % mine, b"ms %s 1\r\nx" % mine, b"md %s q" % mine, b"ma %s" % mine,
                         b"ms %s 300000 q\r\n%s" % (mine, b"x" * 300_000), b"stats"):
                assert reader.ask(line + b"\r\n") == DENIED, line[:60]
            reader.send(b"set %s 0 0 1 noreply\r\nx\r\ndelete %s noreply\r\nmn\r\n" % (mine, mine))
            assert reader.line() == b"MN\r\n"
            assert writer.ask(b"ms %s 1 MA\r\n5\r\n" % mine) == b"HD\r\n"
            assert writer.ask(b"ms %s 1 MA\r\n5\r\n" % other) == DENIED
            assert writer.ask(b"ma %s MD D1\r\n" % other) == DENIED
            assert writer.get(other) == [] and reader.ask(b"version\r\n").startswith(b"VERSION")
