"""Masters that Sentinels watch: found at start, followed when they move; a demoted one never gets a write."""

import signal

import pytest

import harness
from clients import Closed, RedisConn, RedisError


class Sentinel(harness.Server):
    def __init__(self, masters, secret=""):
        self.masters, self.secret = masters, secret
        super().__init__("sentinel")

    def argv(self):
        lines = [f"port {self.port}", "bind 127.0.0.1", f"dir {self.folder}", "protected-mode no"]
        if self.secret:
            lines += [f"requirepass {self.secret}", f"sentinel sentinel-pass {self.secret}"]
        for name, server in self.masters.items():
            lines += [f"sentinel monitor {name} {server.host} {server.port} 2",
                      f"sentinel down-after-milliseconds {name} 400", f"sentinel failover-timeout {name} 2000"]
        path = self.folder / "sentinel.conf"
        if not path.exists():  # it writes what it learns into the file
            path.write_text("\n".join(lines) + "\n")
        return ["redis-server", str(path), "--sentinel"]


class Replicated:
    """A master with one replica."""

    def __init__(self, keep):
        at_once = ["--repl-diskless-sync-delay", "0"]
        self.master = keep(harness.Redis(options=at_once))
        self.replica = keep(harness.Redis(options=["--replicaof", self.master.host, str(self.master.port), *at_once]))
        with RedisConn(self.replica.address) as client:
            harness.wait_until(lambda: b"master_link_status:up" in client.cmd("INFO", "replication"), 15, "replication")


@pytest.fixture
def watched(resources):
    pairs = {"one": Replicated(resources), "two": Replicated(resources)}
    masters = {name: pair.master for name, pair in pairs.items()}
    sentinels = [resources(Sentinel(masters, "say")) for _ in range(3)]
    for sentinel in sentinels:
        with RedisConn(sentinel.address) as client:
            client.ok("AUTH", "say")

            def knows_all():
                return all(client.cmd("SENTINEL", "CKQUORUM", name).startswith("OK 3") and
                           len(client.cmd("SENTINEL", "REPLICAS", name)) == 1 for name in masters)

            harness.wait_until(knows_all, 20, "the sentinels to know each other")
    return pairs, sentinels


def without_servers(**keys):
    cluster = harness.redis([], **keys)
    cluster.keys["servers"] = None
    return cluster


def behind(sentinels, **keys):
    cluster = without_servers(sentinels=[s.spec for s in sentinels], masters=["one:1", "two:1"],
                            sentinel_auth="say", **keys)
    return cluster


# Failovers take seconds and nothing in them depends on the driver: one is enough.
one_driver = pytest.mark.parametrize("io", harness.io_drivers()[:1])


@one_driver
def test_finds_and_follows_the_masters(watched, io):
    pairs, sentinels = watched
    with harness.Proxy(behind(sentinels), io=io) as proxy, RedisConn(proxy.address) as client:
        names = [b"key-%d" % n for n in range(200)]
        harness.wait_until(lambda: not any(isinstance(r, RedisError) for r in client.pipeline(
            [("SET", k, k) for k in names])), 10, "both masters to be found")
        with RedisConn(pairs["one"].master.address) as one, RedisConn(pairs["two"].master.address) as two:
            assert one.cmd("DBSIZE") + two.cmd("DBSIZE") == 200 and one.cmd("DBSIZE") > 30
            kept = set(two.cmd("KEYS", "*"))
            one.cmd("WAIT", "1", "5000")

        # The master dies: its replica is promoted, and every key is where it was.
        pairs["one"].master.kill9()
        wrong = []

        def all_back():
            for k, reply in zip(names, client.pipeline([("SET", k, k) for k in names])):
                if k in kept and reply != "OK":
                    wrong.append((k, reply))
            return all(r == k for k, r in zip(names, client.pipeline([("GET", k) for k in names])))

        harness.wait_until(all_back, 30, "the promoted replica to serve")
        assert not wrong, "the other master's keys were not affected"
        with RedisConn(pairs["one"].replica.address) as promoted:
            assert promoted.cmd("ROLE")[0] == b"master"

        # The old one comes back, first as a master, then as a replica: no write goes there, no error comes of it.
        pairs["one"].master.start()
        promoted = pairs["one"].replica

        def writes_pass():
            assert all(r == "OK" for r in client.pipeline([("SET", k, b"new") for k in names]))

        writes_pass()
        with RedisConn(pairs["one"].master.address) as old:
            assert old.cmd("DBSIZE") == 0
            try:
                old.ok("REPLICAOF", promoted.host, promoted.port)  # as a Sentinel does in its time
            except Closed:
                pass  # it has done so just now, and cut the clients
        writes_pass()


@one_driver
def test_orderly_failover_and_dead_sentinels(watched, io):
    pairs, sentinels = watched
    with harness.Proxy(behind(sentinels), io=io) as proxy, RedisConn(proxy.address) as client:
        harness.wait_until(lambda: client.cmd("SET", "{a}", "1") == "OK" and client.cmd("SET", "{b}", "1") == "OK", 10,
                           "the masters to be found")
        sentinels[0].kill9()  # the one that the proxy asks
        with RedisConn(sentinels[1].address) as ask:
            ask.ok("AUTH", "say")
            harness.wait_until(lambda: ask.cmd("SENTINEL", "FAILOVER", "two") == "OK", 15, "the failover to begin")
            where = {s.port for s in (pairs["two"].replica,)}
            harness.wait_until(lambda: int(ask.cmd("SENTINEL", "get-master-addr-by-name", "two")[1]) in where, 20,
                               "the failover to end")

        def served_by_the_new_one():
            replies = client.pipeline([("SET", f"k{n}", "v") for n in range(50)])
            with RedisConn(pairs["two"].replica.address) as new:
                return all(r == "OK" for r in replies) and new.cmd("ROLE")[0] == b"master" and new.cmd("DBSIZE") > 5

        harness.wait_until(served_by_the_new_one, 20, "the proxy to follow")


def test_sentinels_that_know_nothing(resources, io):
    """The proxy starts, says what is wrong, and serves as soon as a Sentinel knows."""
    master = resources(harness.Redis())
    sentinel = resources(Sentinel({}))
    cluster = without_servers(sentinels=[sentinel.spec], masters=["late"])
    with harness.Proxy(cluster, io=io) as proxy, RedisConn(proxy.address) as client:
        assert client.cmd("GET", "k").startswith("ERR")
        harness.wait_until(lambda: "does not know the master 'late'" in proxy.output(), 10, "the log line")
        with RedisConn(sentinel.address) as ask:
            ask.ok("SENTINEL", "MONITOR", "late", master.host, master.port, 1)
        harness.wait_until(lambda: client.cmd("SET", "k", "v") == "OK", 10, "the master to be found")


@pytest.mark.parametrize("lines,words", [
    ('sentinels = ["127.0.0.1:1"]', "masters"),
    ('masters = ["a:1"]', "sentinels"),
    ('sentinels = ["127.0.0.1:1"]\nmasters = ["a:0"]', "weight"),
    ('sentinels = ["127.0.0.1:1"]\nmasters = ["a"]\nservers = ["127.0.0.1:2:1"]', "take servers out"),
    ('sentinels = ["nonsense"]\nmasters = ["a"]', "port"),
])
def test_check_names_what_is_wrong(tmp_path, lines, words):
    path = tmp_path / "c.toml"
    path.write_text(f'[[clusters]]\nname = "a"\ncache_type = "redis"\nlisten_addr = "127.0.0.1:1"\n{lines}\n')
    done = harness.run_proxy("-t", f"-cluster={path}")
    assert done.returncode == 2 and words in done.stderr, done.stderr


@one_driver
def test_masters_added_by_a_reload_are_found(watched, io):
    """One comes, one goes; what is known of the one that stays is kept, and no request fails."""
    _, sentinels = watched
    cluster = behind(sentinels)
    cluster.keys["masters"] = ["one:1"]
    with harness.Proxy(cluster, io=io, workers=2) as proxy, RedisConn(proxy.address) as client:
        harness.wait_until(lambda: client.cmd("SET", "a", "1") == "OK", 10, "the first master to be found")
        for masters in (["one:1", "two:1"], ["two:1"], ["two:1", "one:3"]):
            cluster.keys["masters"] = masters
            applied = proxy.output().count("reload: cluster ")
            proxy.cluster_file.write_text(cluster.toml())
            proxy.signal(signal.SIGHUP)

            def all_pass():
                got = client.pipeline([("SET", b"key-%d" % n, "x") for n in range(50)])
                assert set(got) == {"OK"}, got
                return proxy.output().count("reload: cluster ") > applied

            harness.wait_until(all_pass, 10, "the reload")
            assert set(client.pipeline([("GET", b"key-%d" % n) for n in range(50)])) <= {b"x", None}
