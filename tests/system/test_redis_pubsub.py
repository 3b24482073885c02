"""SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, PUBLISH and PUBSUB through the proxy (RESP2)."""

import pytest

import harness
from clients import Closed, RedisConn, RedisError, resp
from harness import SCALE, wait_until
from ring import Keys
from test_redis_transactions import Own


@pytest.fixture
def own(io, resources):
    with Own(io, resources) as made:
        yield made


@pytest.fixture
def three():
    return Keys(3)


CONVERSATIONS = [
    "SUBSCRIBE {k} {j} {k} | PSUBSCRIBE {k}* | GET x | MULTI | ECHO a | CLIENT ID | PING | PING a b | PING hello | SUBSCRIBE"
    " | NOSUCH | PUNSUBSCRIBE | UNSUBSCRIBE {j} nosuch | UNSUBSCRIBE | PING | ECHO a",
    "UNSUBSCRIBE | PUNSUBSCRIBE | SUNSUBSCRIBE | UNSUBSCRIBE a b | SUNSUBSCRIBE a | PING",
    "SSUBSCRIBE {k} {k} | SUBSCRIBE {k} | SSUBSCRIBE {k} | SUNSUBSCRIBE | UNSUBSCRIBE {k} | ECHO a",
    "SUBSCRIBE {k} | QUIT",
    "MULTI | PING | SUBSCRIBE | EXEC | PUBLISH {k} x | SPUBLISH {k} x",
    "PSUBSCRIBE {k}? {k}? | PUNSUBSCRIBE {k}? | PUNSUBSCRIBE {k}?",
]


def answers(client, line):
    """How many answers the line gets."""
    words = line.split()
    if words[0] in ("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"):
        return max(1, len(words) - 1)
    return 1


@pytest.mark.parametrize("pipelined", [False, True], ids=["stepwise", "pipelined"])
@pytest.mark.parametrize("number", range(len(CONVERSATIONS)))
def test_as_the_server_answers(rd, rd_direct, keys, number, pipelined):
    talk = CONVERSATIONS[number].format(k=keys.on(2).decode(), j=keys.on(1).decode())
    talk = [line.strip() for line in talk.split("|")]
    got = []
    for client in (rd(), rd_direct()):
        if pipelined:
            client.send(b"".join(resp(*line.split()) for line in talk))
        found = []
        for line in talk:
            if not pipelined:
                client.send(resp(*line.split()))
            found += [client.raw() for _ in range(answers(client, line))]
        got.append(found)
    assert got[0] == got[1]


def test_as_the_server_answers_in_resp3(rd, rd_direct, keys):
    """Confirmations and messages are pushes, and everything else goes on working meanwhile."""
    k, h = keys.on(2), keys.on(1)
    got = []
    for connect in (rd, rd_direct):
        client, publisher = connect(), connect()
        client.send(resp("HELLO", 3))
        client.raw()
        client.send(resp("HSET", h, "a", 1) + resp("SUBSCRIBE", k) + resp("HGETALL", h) + resp("PING"))
        answers = [client.raw() for _ in range(4)]
        client.send(resp("PSUBSCRIBE", k + b"*") + resp("SSUBSCRIBE", k) + resp("GET", "none" + "{%s}" % k.decode()))
        answers += [client.raw() for _ in range(3)]
        publisher.cmd("PUBLISH", k, "m")
        answers += sorted(client.raw() for _ in range(2))
        publisher.cmd("SPUBLISH", k, "m")
        answers.append(client.raw())
        client.send(resp("UNSUBSCRIBE") + resp("PUNSUBSCRIBE") + resp("SUNSUBSCRIBE") + resp("UNSUBSCRIBE"))
        answers += [client.raw() for _ in range(4)]
        got.append(answers)
    assert got[0] == got[1]


def test_messages_during_a_waiting_command_in_resp3(rd, keys):
    k, channel = keys.on(2), keys.on(1)
    client, other = rd(), rd()
    client.send(resp("HELLO", 3))
    client.raw()
    client.send(resp("SUBSCRIBE", channel))
    assert client.raw().startswith(b">3\r\n$9\r\nsubscribe")
    client.send(resp("BLPOP", k, 0))
    wait_until(lambda: other.cmd("PUBLISH", channel, "m") == 1)
    assert client.raw() == b">3\r\n$7\r\nmessage\r\n$16\r\n%s\r\n$1\r\nm\r\n" % channel
    other.cmd("RPUSH", k, "v")
    assert client.raw() == b"*2\r\n$16\r\n%s\r\n$1\r\nv\r\n" % k


def test_messages_reach_every_subscriber(own, three):
    """Channels of every node, several subscribers, patterns and shard channels; other answers keep their places."""
    channels = [b"c:" + three.any() for _ in range(12)]
    first, second, patterns, shards, publisher = (RedisConn(own.proxy.address) for _ in range(5))
    for client in (first, second):
        client.send(resp("SUBSCRIBE", *channels))
        assert [client.reply() for _ in channels] == [[b"subscribe", c, n + 1] for n, c in enumerate(channels)]
    assert patterns.cmd("PSUBSCRIBE", "c:*") == [b"psubscribe", b"c:*", 1]
    for n, channel in enumerate(channels):
        assert shards.cmd("SSUBSCRIBE", channel) == [b"ssubscribe", channel, n + 1]
    for n, channel in enumerate(channels):
        assert publisher.cmd("PUBLISH", channel, b"m%d" % n) == 2  # the proxy's subscription and its pattern
        assert publisher.cmd("SPUBLISH", channel, b"s%d" % n) == 1
    for n, channel in enumerate(channels):
        for client in (first, second):
            assert client.reply() == [b"message", channel, b"m%d" % n]
    assert sorted(patterns.reply()[2] for _ in channels) == sorted(channels)
    assert sorted(tuple(shards.reply()) for _ in channels) == sorted(
        (b"smessage", c, b"s%d" % n) for n, c in enumerate(channels))
    assert first.cmd("PING") == [b"pong", b""]
    # Who has unsubscribed gets nothing more, the other does.
    first.send(resp("UNSUBSCRIBE"))
    assert sorted(first.reply()[1] for _ in channels) == sorted(channels)
    publisher.cmd("PUBLISH", channels[0], "again")
    assert second.reply() == [b"message", channels[0], b"again"]
    assert first.cmd("ECHO", "free") == b"free"
    for client in (first, second, patterns, shards):
        client.close()
    wait_until(lambda: publisher.cmd("PUBLISH", channels[0], "x") == 0, 10, "the subscriptions to be given up")
    publisher.close()
    own.back_at_base()


def test_pubsub_of_all_nodes(own, three):
    here, there = b"n:" + three.any(), b"n:" + three.any()
    with RedisConn(own.proxy.address) as one, RedisConn(own.proxy.address) as two, \
            RedisConn(own.proxy.address) as asker:
        for channel in (here, there):
            one.cmd("SUBSCRIBE", channel)
        two.cmd("PSUBSCRIBE", "n:*")
        two.cmd("SSUBSCRIBE", here)
        assert sorted(asker.cmd("PUBSUB", "CHANNELS", "n:*")) == sorted([here, there])
        assert asker.cmd("PUBSUB", "CHANNELS", "m:*") == []
        assert asker.cmd("PUBSUB", "NUMSUB", here, "none", there) == [here, 1, b"none", 0, there, 1]
        assert asker.cmd("PUBSUB", "NUMSUB") == []
        assert asker.cmd("PUBSUB", "NUMPAT") == 1
        assert asker.cmd("PUBSUB", "SHARDCHANNELS") == [here]
        assert asker.cmd("PUBSUB", "SHARDNUMSUB", here) == [here, 1]
        assert isinstance(asker.cmd("PUBSUB", "NOSUCH"), RedisError)


def test_a_thousand_subscribers_share_connections(own, three):
    count = harness.load(1000)
    channels = [three.on(n) for n in range(3)]
    rss = own.proxy.rss()
    clients = [RedisConn(own.proxy.address) for _ in range(count)]
    with RedisConn(own.proxy.address) as publisher:
        for n, client in enumerate(clients):
            client.send(resp("SUBSCRIBE", channels[n % 3]) + resp("PSUBSCRIBE", channels[n % 3][:-1] + b"?"))
        for client in clients:
            assert [client.reply()[0], client.reply()[0]] == [b"subscribe", b"psubscribe"]
        assert own.connections() == own.base + 1
        for n, channel in enumerate(channels):
            assert publisher.cmd("PUBLISH", channel, b"to %d" % n) == 2
        for n, client in enumerate(clients):
            got = sorted((client.reply(), client.reply()), key=len)
            assert [reply[-1] for reply in got] == [b"to %d" % (n % 3)] * 2
        for client in clients:
            client.close()
        wait_until(lambda: publisher.cmd("PUBLISH", channels[0], "x") == 0, 20, "the subscriptions to be given up")
    own.back_at_base()
    assert own.proxy.rss() < rss + 16 * 1024 * 1024 * harness.MEMORY


def test_subscriptions_come_back_with_their_backend(own, three):
    here, there = three.on(0), three.on(1)
    with RedisConn(own.proxy.address) as client, RedisConn(own.proxy.address) as pattern, \
            RedisConn(own.proxy.address) as publisher:
        client.send(resp("SUBSCRIBE", here, there))
        client.reply(), client.reply()
        pattern.cmd("PSUBSCRIBE", here[:-1] + b"*")
        own.servers[0].kill9()
        wait_until(lambda: isinstance(publisher.cmd("PUBLISH", here, "x"), RedisError), 10, "the backend to be missed")
        with RedisConn(own.proxy.address) as late:
            assert isinstance(late.cmd("SUBSCRIBE", here), RedisError)
            assert late.cmd("SUBSCRIBE", there) == [b"subscribe", there, 1]
            assert isinstance(late.cmd("SUBSCRIBE", here), RedisError)
        assert publisher.cmd("PUBLISH", there, "still") == 1
        assert client.reply() == [b"message", there, b"still"]
        own.servers[0].start()
        wait_until(lambda: publisher.cmd("PUBLISH", here, "back") == 2, 15, "the subscription to be back")
        assert client.reply() == [b"message", here, b"back"]
        assert pattern.reply()[-1] == b"back"
        assert client.cmd("PING", "x") == [b"pong", b"x"]
    own.direct = RedisConn(own.servers[0].address)


def test_a_silent_backend_is_noticed(io, resources):
    timeout = int(300 * SCALE)
    with Own(io, resources, 1, read_timeout=timeout, dial_timeout=timeout) as own, \
            RedisConn(own.proxy.address) as client:
        own.servers[0].freeze()
        client.send(resp("SUBSCRIBE", "c"))
        assert isinstance(client.reply(), RedisError)
        own.servers[0].thaw()
        wait_until(lambda: client.cmd("SUBSCRIBE", "c") == [b"subscribe", b"c", 1], 10, "the backend to be back")


def test_a_slow_subscriber_is_closed(io, resources):
    with Own(io, resources, 1, max_client_buffer=262144) as own, RedisConn(own.proxy.address) as fast, \
            RedisConn(own.proxy.address) as publisher, RedisConn(own.proxy.address, rcvbuf=4096) as slow:
        for client in (slow, fast):
            client.cmd("SUBSCRIBE", "c")
        payload = b"x" * 65536
        sent = 0
        while b"slow_subscribers:0\r\n" in publisher.cmd("INFO", "stats"):
            assert publisher.cmd("PUBLISH", "c", payload) == 1
            sent += 1
            assert fast.reply() == [b"message", b"c", payload]
            assert sent < 2000
        assert b"slow_subscribers:1\r\n" in publisher.cmd("INFO", "stats")
        with pytest.raises(Closed):
            for _ in range(sent + 1):
                slow.reply()
        # A message larger than the buffer reaches who is not behind.
        assert publisher.cmd("PUBLISH", "c", b"y" * 1_000_000) == 1
        assert fast.reply() == [b"message", b"c", b"y" * 1_000_000]


def test_keyspace_notifications_of_every_node(own, three):
    for server in own.servers:
        with RedisConn(server.address) as direct:
            direct.ok("CONFIG", "SET", "notify-keyspace-events", "KEA")
    with RedisConn(own.proxy.address) as client, RedisConn(own.proxy.address) as other:
        assert client.cmd("SUBSCRIBE", "__keyevent@0__:set") == [b"subscribe", b"__keyevent@0__:set", 1]
        mine = [three.on(n) for n in range(3)]
        for key in mine:
            other.ok("SET", key, 1)
        assert sorted(client.reply()[2] for _ in mine) == sorted(mine)


def test_redis_py_pubsub(proxy, keys):
    redis = pytest.importorskip("redis")
    client = redis.Redis(port=proxy.clusters[1].port, socket_timeout=20 * SCALE)
    channel = keys.any()
    pubsub = client.pubsub()
    pubsub.subscribe(channel)
    pubsub.psubscribe(channel[:-1] + b"*")
    assert [pubsub.get_message(timeout=20)["type"] for _ in range(2)] == ["subscribe", "psubscribe"]
    assert client.publish(channel, "hello") == 2
    got = sorted((pubsub.get_message(timeout=20) for _ in range(2)), key=lambda m: m["type"])
    assert [(m["type"], m["channel"], m["data"]) for m in got] == [
        ("message", channel, b"hello"), ("pmessage", channel, b"hello")]
    pubsub.unsubscribe()
    pubsub.punsubscribe()
    assert [pubsub.get_message(timeout=20)["type"] for _ in range(2)] == ["unsubscribe", "punsubscribe"]
    pubsub.close()


def test_client_reply_off_does_not_silence_messages(rd, rd_direct):
    """As the server: what a subscriber is told is no answer to a command."""
    told = []
    for connect in (rd, rd_direct):
        client, other = connect(), connect()
        client.send(b"".join([resp("CLIENT", "REPLY", "OFF"), resp("SUBSCRIBE", "quiet"), resp("PSUBSCRIBE", "qui*")]))
        lines = [client.reply(), client.reply()]
        other.cmd("PUBLISH", "quiet", "m")
        lines += [client.reply(), client.reply()]
        client.send(resp("UNSUBSCRIBE", "quiet") + resp("PUNSUBSCRIBE", "qui*"))
        told.append(lines + [client.reply(), client.reply()])
    assert told[0] == told[1]
