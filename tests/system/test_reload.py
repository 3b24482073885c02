"""Changes of the configuration while clients are at work: what changes takes effect, nothing else is disturbed, and no
client gets a wrong answer, none at all, or loses its connection."""

import json
import re
import signal
import socket

import pytest

import certs
import harness
from clients import McConn, RedisConn, RedisError, resp
from harness import wait_until
from metrics_page import fetch
from redis_cluster import RedisCluster
from reload_load import Live, Load, connection_ids


def test_servers_come_and_go_under_load(io, resources, pool):
    """Added, removed, reweighted, renamed, moved; the other cluster keeps its connections."""
    servers = [resources(harness.Redis()) for _ in range(4)]
    still = resources(harness.Redis())
    moving = harness.redis(servers[:2], name="moving")
    with Live(moving, harness.redis([still], name="still"), io=io, workers=2) as proxy:
        with Load(proxy.clusters[0].address, strict=False) as load, Load(proxy.clusters[1].address) as other:
            before = connection_ids(still)
            line = [f"{s.spec}:1 n{i}" for i, s in enumerate(servers)]
            for servers_now, said in (
                    (line[:3], r"cluster moving: \+1 server"),
                    (line[1:3], r"cluster moving: -1 server"),
                    ([f"{servers[1].spec}:5 n1", line[2]], "cluster moving: 1 server reweighted"),
                    ([f"{servers[1].spec}:5 other", line[2]], "cluster moving: 1 server renamed"),
                    ([f"{servers[3].spec}:5 other", line[2]], "cluster moving: 1 server moved"),
                    (line, r"cluster moving: \+2 servers, 1 server reweighted, 1 server renamed")):
                moving.keys["servers"] = servers_now
                assert re.search(said, proxy.reload())
                load.progress()
                other.progress()
            assert connection_ids(still) == before
        # The whole list is in use now: each has keys.
        with RedisConn(proxy.address) as client:
            for n in range(200):
                client.ok("SET", f"{n * 2654435761}:spread", "x")
        for server in servers:
            with RedisConn(server.address) as client:
                assert client.cmd("KEYS", "*:spread")


def test_a_removed_server_is_left_by_everybody(io, resources):
    servers = [resources(harness.Redis()) for _ in range(2)]
    cluster = harness.redis(servers, name="shrinking")
    with Live(cluster, io=io, workers=2) as proxy, Load(proxy.address, strict=False) as load:
        wait_until(lambda: len(connection_ids(servers[1])) == 2, 10, "connections to both")
        cluster.keys["servers"] = [f"{servers[0].spec}:1 n0"]
        proxy.reload()
        load.progress()
        wait_until(lambda: not connection_ids(servers[1]), 15, "the removed server's connections to close")


def test_clusters_come_and_go(io, pool):
    """A new one is served; one that goes answers what is in flight and closes; an address may change its cluster."""
    servers = pool.backends("redis", 2)
    first = harness.redis(servers[:1], name="first")
    with Live(first, io=io, workers=2) as proxy, Load(first.address) as load:
        second = harness.redis(servers[1:], name="second")
        second.port = harness.free_port()
        mc = harness.memcache(pool.backends("memcached", 1), name="mc")
        mc.port = harness.free_port()
        proxy.clusters += [second, mc]
        said = proxy.reload()
        assert "cluster second: added" in said and "cluster mc: added" in said
        with RedisConn(second.address) as client, McConn(mc.address) as old:
            client.ok("SET", "a", "1")
            assert old.set("reload-a", b"1") == b"STORED\r\n"
            proxy.clusters.remove(mc)
            # The address of `second` goes over to a cluster of another name: nobody is refused meanwhile.
            second.keys["name"] = "third"
            said = proxy.reload()
            assert "cluster second: removed" in said and "cluster third: added" in said and "mc: removed" in said
            assert client.rest() == b"" and old.rest() == b""
        with RedisConn(second.address) as client:
            assert client.cmd("GET", "a") == b"1"
        assert not harness.can_connect(mc.address)
        load.progress()


def test_what_is_in_flight_at_a_removed_cluster_is_answered(io, resources):
    server = resources(harness.Redis())
    keep = harness.redis([server], name="keep")
    goes = harness.redis([server], name="goes", node_connections=2)
    with Live(keep, goes, io=io) as proxy, RedisConn(goes.address) as client, RedisConn(keep.address) as other:
        client.ok("SET", "a", "1")
        other.ok("SET", "b", "2")
        server.freeze()
        client.send(resp("GET", "a") * 3)
        wait_until(lambda: proxy.alive() and True, 1)
        proxy.clusters.remove(goes)
        proxy.reload()
        server.thaw()
        assert client.rest() == b"$1\r\n1\r\n" * 3
        assert other.cmd("GET", "b") == b"2"


def test_another_cache_type(io, pool):
    cluster = harness.memcache(pool.backends("memcached", 1), name="one")
    with Live(cluster, io=io, workers=2) as proxy:
        with McConn(proxy.address) as client:
            assert client.set("reload-type", b"x") == b"STORED\r\n"
            cluster.keys.update(cache_type="redis", servers=harness.server_lines(pool.backends("redis", 1)))
            said = proxy.reload()
            assert "cluster one: removed" in said and "cluster one: added" in said
            assert client.rest() == b""
        with RedisConn(proxy.address) as client:
            client.ok("SET", "reload-type", "y")


def test_keys_of_new_work(io, pool):
    """They hold from now on, for clients that are there already, and no connection is touched."""
    servers = pool.backends("redis", 2)
    cluster = harness.redis(servers, name="keys", max_key_size=100)
    with Live(cluster, io=io, workers=2, conf={"read_timeout": 0}) as proxy, RedisConn(proxy.address) as client:
        client.ok("SET", "k", "v")
        before = [connection_ids(s) for s in servers]
        assert isinstance(client.cmd("GET", "k" * 50), type(None))
        cluster.keys.update(max_key_size=10, deny_commands=["append"], read_timeout=4321, slowlog_slower_than=7,
                            max_pipeline=3, ping_auto_eject=True, ping_interval=50)
        said = proxy.reload()
        for text in ("max_key_size 100 -> 10", "deny_commands [] -> [append]", "-> 4321", "max_pipeline 1024 -> 3"):
            assert text in said, said
        assert client.cmd("GET", "k" * 50) == RedisError("ERR key is longer than max_key_size")
        assert isinstance(client.cmd("APPEND", "k", "x"), RedisError)
        assert client.cmd("CONFIG", "GET", "slowlog-log-slower-than") == [b"slowlog-log-slower-than", b"7"]
        assert client.pipeline([("GET", "k")] * 50) == [b"v"] * 50
        assert [connection_ids(s) for s in servers] == before
        assert "nothing has changed" in proxy.reload()


def test_users_change_for_those_who_are_there(io, pool):
    cluster = harness.redis(pool.backends("redis", 1), name="users",
                            users=["default on nopass ~* &* +@all", "app on >one ~* &* +@all", "gone on >x ~* &* +@all"])
    with Live(cluster, io=io) as proxy:
        with RedisConn(proxy.address) as app, RedisConn(proxy.address) as gone, RedisConn(proxy.address) as plain:
            app.ok("AUTH", "app", "one")
            gone.ok("AUTH", "gone", "x")
            app.ok("SET", "users:a", "1")
            cluster.keys["users"] = ["default on nopass ~* &* +@all", "app on >two ~* &* +@read"]
            assert "users changed" in proxy.reload()
            assert app.cmd("GET", "users:a") == b"1"
            assert app.cmd("SET", "users:a", "2").startswith("NOPERM")
            assert gone.rest() == b""
            plain.ok("SET", "users:a", "3")
        with RedisConn(proxy.address) as app:
            assert app.cmd("AUTH", "app", "one").startswith("WRONGPASS")
            app.ok("AUTH", "app", "two")


@pytest.mark.parametrize("kind", ["redis", "memcache"])
def test_keys_of_connections_replace_them_under_load(io, resources, kind):
    """Every value is read back: nothing overtakes on the way from the old connections to the new ones."""
    make = harness.Redis if kind == "redis" else harness.Memcached
    servers = [resources(make()) for _ in range(2)]
    cluster = harness.Cluster(kind, servers, name="replaced")
    with Live(cluster, io=io, workers=2) as proxy, Load(proxy.address, kind) as load:
        changes = [{"node_connections": 3}, {"node_connections": 1}]
        changes += [{"redis_auth": "secret"}] if kind == "redis" else [{"backend_protocol": "binary"},
                                                                      {"backend_protocol": "text"}]
        for change in changes:
            cluster.keys.update(change)
            if "redis_auth" in change:  # the connections that are there stay in use meanwhile
                for server in servers:
                    with RedisConn(server.address) as client:
                        client.ok("CONFIG", "SET", "requirepass", "secret")
            said = proxy.reload()
            assert "cluster replaced: " + next(iter(change)) in said and "secret" not in said.replace("(secret)", "")
            load.progress()


def test_hash_keys_move_the_keys(io, resources):
    servers = [resources(harness.Redis()) for _ in range(3)]
    cluster = harness.redis(servers, name="hashed")
    with Live(cluster, io=io, workers=2) as proxy, Load(proxy.address, strict=False) as load:
        for change in ({"hash_method": "crc32"}, {"hash_distribution": "modula"}, {"hash_tag": "none"},
                       {"hash_compat": "twemproxy"}):
            cluster.keys.update(change)
            assert next(iter(change)) in proxy.reload()
            load.progress()
        with RedisConn(proxy.address) as client:
            client.ok("SET", "{tag}a", "1")
            assert client.cmd("GET", "{tag}a") == b"1"


def test_a_bad_file_changes_nothing(io, pool):
    servers = pool.backends("redis", 2)
    cluster = harness.redis(servers, name="good")
    with Live(cluster, io=io, workers=2) as proxy, Load(proxy.address) as load:
        text = proxy.cluster_file.read_text()
        bad = text.replace("fnv1a_64", "sha1") + "no_such_key = 1\n"
        said = proxy.reload(bad)
        checked = harness.run_proxy("-t", "-cluster", proxy.cluster_file)
        assert checked.returncode == 2
        for line in checked.stderr.splitlines():
            assert line in said, said
        assert "nothing was changed" in said
        # An address that somebody else has.
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            extra = harness.redis(servers, name="extra")
            extra.port = taken.getsockname()[1]
            free = harness.redis(servers, name="free")
            free.port = harness.free_port()
            cluster.keys["max_key_size"] = 50
            proxy.clusters += [free, extra]
            said = proxy.reload()
            assert f"cluster extra: cannot listen on 127.0.0.1:{extra.port}" in said and "nothing was changed" in said
        assert not harness.can_connect(free.address)
        with RedisConn(proxy.address) as client:
            client.ok("SET", "k" * 60, "x")  # the smaller max_key_size is not in force
        load.progress()
        del proxy.clusters[1:]
        assert "max_key_size 65536 -> 50" in proxy.reload()


def test_keys_of_the_proxy_file(io, pool):
    """Those that can change do; of the others the log says that they wait for a restart, and the rest is applied."""
    cluster = harness.redis(pool.backends("redis", 1), name="conf")
    with Live(cluster, io=io, conf={"max_connections": 10}) as proxy, RedisConn(proxy.address) as first:
        first.ok("SET", "conf", "x")
        proxy.conf_file.write_text("[proxy]\nmax_connections = 1\nread_timeout = 300\nworkers = 2\nio = \"epoll\"\n")
        said = proxy.reload()
        assert "max_connections 10 -> 1" in said and "read_timeout 0 -> 300" in said
        with RedisConn(proxy.address) as second:
            assert second.rest() == b"-ERR max number of clients reached\r\n"
        assert first.rest() == b""  # idle for read_timeout
        proxy.conf_file.write_text("[proxy]\nuse_metrics = false\n")
        said = proxy.reload()
        assert re.search("use_metrics has changed.*started again", said) and "max_connections 1 -> 0" in said


@pytest.mark.timeout(300)
def test_a_storm_of_reloads_under_pipelined_load(io, resources):
    """A hundred, of all kinds, as fast as they go; of redis and of memcache."""
    redis = [resources(harness.Redis()) for _ in range(4)]
    cached = [resources(harness.Memcached()) for _ in range(3)]
    one = harness.redis(redis[:2], name="one")
    two = harness.memcache(cached[:2], name="two")
    fixed = harness.redis(redis[3:], name="fixed")
    extra = harness.redis(redis[:1], name="extra")
    with Live(one, two, fixed, io=io, workers=2) as proxy:
        extra.port = harness.free_port()
        with Load(one.address, strict=False) as a, Load(two.address, "memcache", strict=False) as b, \
                Load(fixed.address, depth=64) as c:
            for n in range(harness.load(100)):
                one.keys["servers"] = harness.server_lines(redis[n % 3:n % 3 + 1 + n % 2] or redis[:1])
                two.keys["servers"] = harness.server_lines(cached[:1 + n % 3], weight=1 + n % 5)
                if n % 4 == 0:
                    one.keys["node_connections"] = 1 + n // 4 % 3
                    two.keys["read_timeout"] = 5000 + n
                if n % 10 == 5:
                    proxy.clusters = [one, two, fixed, extra] if extra not in proxy.clusters else [one, two, fixed]
                if n % 10 == 7:
                    proxy.reload("no = toml")
                proxy.reload()
                if n % 20 == 0:
                    for load in (a, b, c):
                        load.progress(1)
            for load in (a, b, c):
                load.progress()


def test_reloads_at_once_follow_each_other(io, pool):
    cluster = harness.redis(pool.backends("redis", 2), name="queue")
    with Live(cluster, io=io, flags=["-reload"]) as proxy, Load(proxy.address) as load:
        for n in range(5):
            cluster.keys["max_key_size"] = 1000 + n
            proxy.write()
            proxy.signal(signal.SIGHUP)
        wait_until(lambda: "-> 1004" in proxy.output(), 20, "the last change")
        load.progress()


def test_subscriptions_move_to_the_new_owner(io, resources):
    servers = [resources(harness.Redis()) for _ in range(2)]
    cluster = harness.redis(servers, name="topics")
    with Live(cluster, io=io, workers=2) as proxy, RedisConn(proxy.address) as listener, \
            RedisConn(proxy.address) as speaker:
        names = [f"news:{n}" for n in range(8)]
        listener.send(resp("SUBSCRIBE", *names))
        for n in range(len(names)):
            assert listener.reply()[2] == n + 1
        listener.send(resp("PSUBSCRIBE", "news:*"))
        listener.reply()

        def all_arrive(tag):
            """Each once by its name and once by the pattern."""
            for name in names:
                speaker.send(resp("PUBLISH", name, tag + name))
                assert speaker.reply() == 2
                got = sorted(tuple(listener.reply()) for _ in range(2))
                text = (tag + name).encode()
                assert got == [(b"message", name.encode(), text), (b"pmessage", b"news:*", name.encode(), text)]

        all_arrive("a")
        third = resources(harness.Redis())
        for servers_now in ([third], [third, *servers]):
            cluster.keys["servers"] = harness.server_lines(servers_now)
            proxy.reload()

            def settled():
                counts = [0] * len(names)
                for server in servers_now:
                    with RedisConn(server.address) as direct:
                        got = direct.cmd("PUBSUB", "NUMSUB", *names)
                        counts = [a + b for a, b in zip(counts, got[1::2])]
                        if direct.cmd("PUBSUB", "NUMPAT") != 1:
                            return False
                return counts == [1] * len(names)

            wait_until(settled, 10, "the subscriptions to have moved")
            all_arrive("b")


def test_transactions_and_blocked_clients_of_a_removed_server(io, resources):
    """Each gets an answer that its protocol has for this; none waits for ever."""
    servers = [resources(harness.Redis()) for _ in range(2)]
    cluster = harness.redis(servers[:1], name="held")
    with Live(cluster, io=io) as proxy, RedisConn(proxy.address, timeout=30) as waits, \
            RedisConn(proxy.address) as watches, RedisConn(proxy.address) as queues, RedisConn(proxy.address) as other:
        other.ok("SET", "held:w", "1")
        watches.ok("WATCH", "held:w")
        watches.ok("MULTI")
        assert watches.cmd("SET", "held:w", "2") == "QUEUED"
        queues.ok("MULTI")
        assert queues.cmd("SET", "held:q", "1") == "QUEUED"
        waits.send(resp("BLPOP", "held:list", "0"))
        wait_until(lambda: b"blocked_clients:1" in RedisConn(servers[0].address).cmd("INFO", "clients"), 10)
        cluster.keys["servers"] = harness.server_lines(servers[1:])
        proxy.reload()
        # Watched keys are elsewhere now: as if they had changed.
        assert watches.cmd("EXEC") is None
        assert queues.cmd("EXEC") == ["OK"]
        assert RedisConn(servers[1].address).cmd("GET", "held:q") == b"1"
        assert isinstance(waits.reply(), RedisError)
        waits.send(resp("BLPOP", "held:list", "0"))
        wait_until(lambda: b"blocked_clients:1" in RedisConn(servers[1].address).cmd("INFO", "clients"), 10)
        assert other.cmd("RPUSH", "held:list", "x") == 1
        assert waits.reply() == [b"held:list", b"x"]


def test_tls_comes_on_both_sides_and_goes(io, resources):
    """While a load goes on: a listener with TLS, then TLS to the backends, then other certificates, then none."""
    made = certs.Certs()
    tls_port = harness.free_port()  # of the same server: what is sent before and after must not change places
    server = resources(harness.Redis(options=["--tls-port", str(tls_port), "--tls-auth-clients", "no", "--tls-cert-file",
                                              str(made.server.cert), "--tls-key-file", str(made.server.key),
                                              "--tls-ca-cert-file", str(made.ca.cert)]))
    cluster = harness.redis([server], name="secured")
    try:
        with Live(cluster, io=io, workers=2) as proxy, Load(proxy.address) as load:
            tls_address = ("127.0.0.1", harness.free_port())
            wrong = {"listen_tls_addr": "%s:%d" % tls_address, "tls_cert": str(made.server.cert), "tls_key": "/nowhere"}
            cluster.keys.update(wrong)
            assert "tls_key" in proxy.reload() and not harness.can_connect(tls_address)
            cluster.keys["tls_key"] = str(made.server.key)
            assert "listen_tls_addr [] -> [" in proxy.reload()
            with certs.secure(RedisConn, tls_address, made.context()) as client:
                client.ok("SET", "tls", "1")
                cluster.keys.update(servers=[f"127.0.0.1:{tls_port}:1 n0"], **made.backend())
                assert "backend_tls false -> true" in proxy.reload()
                load.progress()
                assert client.cmd("GET", "tls") == b"1"
                cluster.keys["listen_tls_addr"] = None
                for key in made.backend():
                    cluster.keys[key] = None
                cluster.keys["servers"] = harness.server_lines([server])
                proxy.reload()
                load.progress()
                assert client.cmd("GET", "tls") == b"1"  # it keeps its connection
            assert not harness.can_connect(tls_address)
    finally:
        made.close()


def test_another_redis_cluster_by_its_seeds(io, resources):
    """Other seeds of the same one change nothing; those of another one bring its nodes in, and the old ones go."""
    first, second = RedisCluster(masters=3, replicas=0), RedisCluster(masters=2, replicas=0)
    try:
        cluster = harness.Cluster("redis_cluster", first.seeds[:1], name="slots", aliases=False)
        with Live(cluster, io=io, workers=2) as proxy, Load(proxy.address, strict=False) as load:
            before = connection_ids(first.nodes[0])
            cluster.keys["servers"] = first.seeds
            proxy.reload()
            load.progress()
            assert connection_ids(first.nodes[0]) == before
            cluster.keys["node_connections"] = 2
            proxy.reload()
            load.progress()
            cluster.keys["servers"] = second.seeds[:1]
            proxy.reload()
            wait_until(lambda: all(node.ask("DBSIZE") > 0 for node in second.nodes), 15, "keys at the new nodes")
            load.progress()
    finally:
        first.kill_now()
        second.kill_now()


def test_reload_diff_and_rollback_over_http(io, pool):
    port = harness.free_port()
    cluster = harness.redis(pool.backends("redis", 2), name="http")
    with Live(cluster, io=io, workers=2, flags=["-stat", f"127.0.0.1:{port}"]) as proxy, Load(proxy.address) as load:
        def ask(method, path):
            status, body = fetch(("127.0.0.1", port), path, method)[:2]
            return status, body.decode() if isinstance(body, bytes) else body

        assert ask("GET", "/diff") == (200, "nothing would change\n")
        assert json.loads(ask("GET", "/reload")[1])["outcome"] == "none"
        assert ask("POST", "/rollback")[0] == 422
        cluster.keys["max_key_size"] = 77
        proxy.write()
        assert ask("GET", "/diff") == (200, "cluster http: max_key_size 65536 -> 77\n")
        with RedisConn(proxy.address) as client:
            client.ok("SET", "k" * 100, "x")  # the dry run has changed nothing
            status, text = ask("POST", "/reload")
            assert status == 200 and json.loads(text)["text"] == "cluster http: max_key_size 65536 -> 77"
            assert isinstance(client.cmd("SET", "k" * 100, "x"), RedisError)
            assert json.loads(ask("POST", "/reload")[1])["outcome"] == "unchanged"
            status, text = ask("POST", "/rollback")
            assert status == 200 and json.loads(text)["text"] == "cluster http: max_key_size 77 -> 65536"
            client.ok("SET", "k" * 100, "x")
        proxy.write("no = toml")
        assert ask("GET", "/diff")[0] == ask("POST", "/reload")[0] == 422
        last = json.loads(ask("GET", "/reload")[1])
        assert last["outcome"] == "refused" and "cluster.toml:1" in last["text"]
        assert (last["applied"], last["unchanged"], last["refused"]) == (2, 1, 2)
        assert 'overlord_proxy_reloads_total{outcome="applied"} 2' in ask("GET", "/metrics")[1]
        load.progress()
