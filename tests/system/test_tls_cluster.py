"""TLS to a real Redis Cluster that speaks nothing else, and on connections that clients have for themselves."""

import pytest

import certs
import harness
import redis_cluster
from certs import TlsCluster, TlsRedis, secure
from clients import RedisConn, RedisError, resp
from harness import SCALE, wait_until
from redis_cluster import Load, RedisCluster, key_in, keys_in, slot_of


@pytest.fixture(scope="module")
def made():
    created = certs.Certs()
    yield created
    created.close()


class TlsNode(redis_cluster.Node):
    """Clients, bus and replication with TLS, and client certificates required."""

    def __init__(self, number, options, made):
        self.certs, self.context = made, made.context(made.client)
        super().__init__(number, options)

    def argv(self):
        base = super().argv()
        base[base.index("--port") + 1] = "0"
        return [*base, "--tls-port", str(self.port), "--tls-cluster", "yes", "--tls-replication", "yes",
                "--tls-cert-file", self.certs.server.cert, "--tls-key-file", self.certs.server.key,
                "--tls-ca-cert-file", self.certs.ca.cert]

    def connect(self):
        return secure(RedisConn, self.address, self.context)


def tls_cluster(made, **keywords):
    return RedisCluster(node=lambda number, options: TlsNode(number, options, made), **keywords)


def before(made, seeds, kind="redis_cluster", **keys):
    return TlsCluster(kind, seeds, **made.listener(), **made.backend(made.client), **keys)


class Setup:
    """A proxy before a cluster and before a single server, with TLS on both sides."""

    def __init__(self, made, cluster, single, io):
        self.context, self.nodes = made.context(), {"redis_cluster": cluster.masters, "redis": [single]}
        self.tables = {"redis_cluster": before(made, cluster.seeds[:2]), "redis": before(made, [single], "redis")}
        self.replicas = before(made, cluster.seeds, read_from="replica", name="replicas")
        self.proxy = harness.Proxy(*self.tables.values(), self.replicas, io=io)
        for kind in self.tables:
            with self.connect(kind) as client:
                client.ok("SET", "ready", 1)

    def connect(self, kind="redis_cluster"):
        return secure(RedisConn, self.tables[kind].address, self.context)

    def info(self, kind, section):
        """INFO of all masters, joined."""
        if kind == "redis_cluster":
            return b"".join(node.ask("INFO", section) for node in self.nodes[kind])
        with secure(RedisConn, self.nodes[kind][0].address, self.nodes["redis_cluster"][0].context) as direct:
            return direct.cmd("INFO", section)

    def blocked(self, kind):
        return sum(int(line.split(b":")[1]) for line in self.info(kind, "clients").split(b"\r\n")
                   if line.startswith(b"blocked_clients:"))


@pytest.fixture(scope="module")
def cluster(made):
    running = tls_cluster(made)
    yield running
    running.close()


@pytest.fixture(scope="module")
def single(made):
    running = TlsRedis(made, mutual=True)
    yield running
    running.kill_now()


@pytest.fixture(scope="module", params=harness.io_drivers())
def setup(request, made, cluster, single):
    running = Setup(made, cluster, single, request.param)
    yield running
    running.proxy.stop()


both_kinds = pytest.mark.parametrize("kind", ["redis_cluster", "redis"])


def test_keys_of_every_node(setup, cluster, keys):
    assert all(entry[2][1] in {n.port for n in cluster.nodes} for entry in cluster.masters[0].ask("CLUSTER", "SLOTS"))
    names = keys.many(300)
    with setup.connect() as client, RedisConn(setup.tables["redis_cluster"].plain_address) as plain:
        assert client.pipeline([("SET", k, b"v" + k) for k in names]) == ["OK"] * len(names)
        assert plain.pipeline([("GET", k) for k in names]) == [b"v" + k for k in names]
        assert client.cmd("MGET", *names) == [b"v" + k for k in names]
        for node, (first, last) in zip(cluster.masters, cluster.slots):
            mine = [k for k in names if first <= slot_of(k) <= last]
            with node.connect() as direct:
                assert mine and direct.pipeline([("GET", k) for k in mine]) == [b"v" + k for k in mine]
        for size in (20_000, 200_000, 3_000_000):  # copied, passed on as it comes, both
            value = keys.random.randbytes(size)
            client.ok("SET", names[0], value)
            assert client.cmd("GET", names[0]) == value
        assert client.cmd("DEL", *names) == len(names)


def test_redirections(setup, cluster, keys):
    slot = keys.random.randrange(1000, 5000)
    tag, (a, b) = key_in(slot), cluster.masters[:2]
    stays, goes = tag + b"stays", tag + b"goes"
    with setup.connect() as client:
        client.ok("MSET", stays, 1, goes, 2)
        cluster.begin_move(slot, a, b)
        cluster.move_keys(a, b, goes)
        assert client.pipeline([("INCR", goes), ("INCR", stays)] * 20) == [x for n in range(20) for x in (n + 3, n + 2)]
        cluster.move_keys(a, b, stays)
        cluster.end_move(slot, b)
        assert client.pipeline([("GET", stays), ("GET", goes)] * 20) == [b"21", b"22"] * 20
        cluster.begin_move(slot, b, a)
        cluster.move_keys(b, a, goes, stays)
        cluster.end_move(slot, a)
        assert client.cmd("DEL", stays, goes) == 2


def test_reads_from_replicas(setup, cluster, keys):
    names = keys.many(60)

    def replica_reads():
        return sum(int(line.split(b"calls=")[1].split(b",")[0]) for node in cluster.replicas
                   for line in node.ask("INFO", "commandstats").split(b"\r\n") if line.startswith(b"cmdstat_get:"))

    asked = replica_reads()
    with secure(RedisConn, setup.replicas.address, setup.context) as client:
        client.pipeline([("SET", k, k) for k in names])
        wait_until(lambda: client.pipeline([("GET", k) for k in names]) == names, 15, "the replicas to have them")
    assert replica_reads() >= asked + len(names)


@both_kinds
def test_transactions(setup, kind, keys):
    key = keys.any()
    with setup.connect(kind) as client, setup.connect(kind) as other:
        assert client.pipeline([("MULTI",), ("SET", key, 1), ("INCR", key), ("EXEC",)])[-1] == ["OK", 2]
        for n in range(3):  # the lease is taken, given back and taken again
            client.ok("WATCH", key)
            assert client.cmd("GET", key) == b"2"
            if n == 1:
                other.ok("SET", key, 2)
            client.ok("MULTI")
            client.cmd("SET", key, 2)
            assert client.cmd("EXEC") == (None if n == 1 else ["OK"])
        client.ok("WATCH", key)
        client.ok("UNWATCH")
        client.cmd("DEL", key)


@both_kinds
def test_waiting_clients(setup, kind, keys):
    names, idle = keys.many(20), setup.blocked(kind)
    waiting = [setup.connect(kind) for _ in names]
    with setup.connect(kind) as other:
        for client, key in zip(waiting, names):
            client.send(resp("BLPOP", key, 0))
        wait_until(lambda: setup.blocked(kind) == idle + len(names), 15, "all to wait")
        waiting[0].reset()  # leaves without its answer, and nothing stays behind
        wait_until(lambda: setup.blocked(kind) == idle + len(names) - 1, 15, "the first to be gone")
        assert other.pipeline([("RPUSH", key, b"v" * 30_000) for key in names]) == [1] * len(names)
        for client, key in zip(waiting[1:], names[1:]):
            assert client.reply() == [key, b"v" * 30_000]
            assert client.cmd("PING") == "PONG"
            client.close()
        assert other.cmd("DEL", *names) == 1
    wait_until(lambda: setup.blocked(kind) == idle, 15)


@both_kinds
def test_a_lease_that_breaks(setup, kind, keys):
    key = keys.any()
    node = next(n for n, (first, last) in zip(setup.nodes[kind], [(0, 5460), (5461, 10921), (10922, 16383)])
                if kind == "redis" or first <= slot_of(key) <= last)
    context = setup.nodes["redis_cluster"][0].context
    with setup.connect(kind) as client, secure(RedisConn, node.address, context) as direct:
        client.send(resp("BLPOP", key, 0))

        def waiting():
            return [line for line in direct.cmd("CLIENT", "LIST").split(b"\n") if b" flags=b " in line]

        wait_until(lambda: len(waiting()) == 1, 15, "it alone to wait")
        assert direct.cmd("CLIENT", "KILL", "ID", waiting()[0].split(b" ")[0][3:]) == 1
        assert isinstance(client.reply(), RedisError)
        client.ok("SET", key, 1)
        assert client.cmd("DEL", key) == 1


@both_kinds
def test_subscriptions(setup, kind, keys):
    channels = [b"c:" + keys.any() for _ in range(12)]
    with setup.connect(kind) as subscriber, setup.connect(kind) as shard, setup.connect(kind) as third, \
            setup.connect(kind) as publisher:
        assert third.cmd_raw("HELLO", 3).startswith(b"%")
        for n, channel in enumerate(channels):
            assert subscriber.cmd("SUBSCRIBE", channel) == [b"subscribe", channel, n + 1]
            assert shard.cmd("SSUBSCRIBE", channel) == [b"ssubscribe", channel, n + 1]
        third.send(resp("SUBSCRIBE", channels[0]) + resp("PING"))
        assert third.raw().startswith(b">3\r\n$9\r\nsubscribe") and third.raw() == b"+PONG\r\n"
        for channel in channels:
            publisher.cmd("PUBLISH", channel, b"m" * 20_000)
            assert publisher.cmd("SPUBLISH", channel, "s") == 1
        assert [subscriber.reply() for _ in channels] == [[b"message", c, b"m" * 20_000] for c in channels]
        assert sorted(shard.reply()[1] for _ in channels) == sorted(channels)
        assert third.raw().startswith(b">3\r\n$7\r\nmessage\r\n")
        subscriber.send(resp("UNSUBSCRIBE"))
        assert sorted(subscriber.reply()[1] for _ in channels) == sorted(channels)
        assert subscriber.cmd("PING") == "PONG"


def test_commands_over_all_nodes(setup, keys):
    tag = keys.any()
    names = [b"%s:%d" % (tag, n) for n in range(50)]
    with setup.connect() as client:
        client.pipeline([("SET", k, 1) for k in names])
        found, cursor = set(), b"0"
        while True:
            cursor, part = client.cmd("SCAN", cursor, "MATCH", tag + b":*", "COUNT", 1000)
            found |= set(part)
            if cursor == b"0":
                break
        assert found == set(names)
        assert sorted(client.cmd("KEYS", tag + b":*")) == sorted(names)
        assert client.cmd("DEL", *names) == 50


@pytest.mark.parametrize("io", harness.io_drivers()[-1:])  # the cluster's time-outs cost seconds
def test_master_fails_under_load(made, io):
    cluster = tls_cluster(made)
    try:
        a, b, _ = cluster.masters
        table = before(made, cluster.seeds, read_timeout=int(1000 * SCALE))
        with harness.Proxy(table, io=io, workers=2):
            load = Load(table.plain_address, keys_in(0, 16383, 60, b"load"), 4)
            load.progress(200)
            replica = cluster.replica_of(a)
            replica.ok("CLUSTER", "FAILOVER")
            wait_until(lambda: replica.ask("ROLE")[0] == b"master", 20, "the switch")
            load.progress(300)
            load.stop()
            load.replicated()
            load = Load(table.plain_address, keys_in(0, 16383, 60, b"load"), 4, forgive=True, after=load)
            load.progress(200)
            b.kill9()
            wait_until(lambda: cluster.replica_of(b).ask("ROLE")[0] == b"master", 30, "the replica of the dead master")
            load.clean(300)
            load.stop()
    finally:
        cluster.close()
