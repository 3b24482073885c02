"""WAIT: over all nodes the smallest number of replicas that have what was written, on whatever connection it went."""

import pytest

import harness
from clients import RedisConn, RedisError, resp
from harness import SCALE, wait_until
from redis_cluster import RedisCluster, cluster_of, keys_in
from ring import Keys

SHORT = int(100 * SCALE)


def master():
    return harness.Redis(options=["--repl-diskless-sync-delay", "0"])


def replica_of(server):
    quick = ["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"]
    return harness.Redis(options=["--replicaof", server.host, str(server.port), *quick])


def connected(replica):
    with RedisConn(replica.address) as client:
        return client.cmd("ROLE")[3] == b"connected"


@pytest.fixture(scope="module")
def pairs():
    """Two masters with a replica each."""
    masters = [master() for _ in range(2)]
    replicas = [replica_of(server) for server in masters]
    for replica in replicas:
        wait_until(lambda replica=replica: connected(replica), 20, "a replica to be in step")
    yield masters, replicas
    for server in masters + replicas:
        server.kill_now()


# A version decides what is sent in front of WAIT; either must do on a server of 7.0.
@pytest.fixture(params=[None, "7.4.1"])
def proxy_of_pairs(request, io, pairs):
    with harness.Proxy(harness.redis(pairs[0], shown_version=request.param), io=io) as proxy:
        yield proxy


def test_counts_what_went_over_shared_connections(proxy_of_pairs, pairs):
    masters, replicas = pairs
    keys = Keys(2)
    with RedisConn(proxy_of_pairs.address) as client, RedisConn(proxy_of_pairs.address) as other:
        assert client.cmd("WAIT", 0, 0) in (0, 1)
        client.ok("SET", keys.on(0), 1)
        assert client.cmd("WAIT", 1, int(20000 * SCALE)) == 1
        for number in (0, 1):
            replicas[number].freeze()
            try:
                # The connections of the WAIT before are used again, which did not carry this write.
                client.ok("SET", keys.on(number), "unseen")
                assert client.cmd("WAIT", 1, SHORT) == 0
                assert client.cmd("WAIT", 0, 0) == 0
                # It may wait for ever, and holds up nobody.
                client.send(resp("WAIT", 1, 0) + resp("PING"))
                with RedisConn(masters[number].address) as direct:
                    wait_until(lambda: b"blocked_clients:1\r\n" in direct.cmd("INFO", "clients"), 10, "WAIT to wait")
                for node in (0, 1):
                    key = keys.on(node)
                    other.ok("SET", key, "x")
                    assert other.cmd("GET", key) == b"x"
            finally:
                replicas[number].thaw()
            assert client.reply() == 1
            assert client.reply() == "PONG"
        assert client.cmd("WAIT", 5, SHORT) == 1
        client.cmd_raw("HELLO", 3)
        assert client.cmd_raw("WAIT", 1, int(20000 * SCALE)) == b":1\r\n"
    with RedisConn(masters[0].address) as direct:
        assert direct.cmd("FUNCTION", "LIST") == []


def test_errors_are_the_servers(proxy_of_pairs, pairs):
    with RedisConn(proxy_of_pairs.address) as client, RedisConn(pairs[0][0].address) as direct:
        for line in ("WAIT", "WAIT 1", "WAIT x 1", "WAIT 1 x", "WAIT 1 -1", "WAIT 1 1.5", "WAIT 1 1 1"):
            assert client.cmd_raw(*line.split()) == direct.cmd_raw(*line.split()), line
        client.ok("MULTI")
        assert "not supported inside a transaction" in client.cmd("WAIT", 0, 0)
        assert client.cmd("EXEC").startswith("EXECABORT")


def test_a_client_that_leaves_waits_no_longer(proxy_of_pairs, pairs):
    masters, replicas = pairs
    replicas[0].freeze()
    try:
        with RedisConn(masters[0].address) as direct, RedisConn(proxy_of_pairs.address) as client:
            client.ok("SET", Keys(2).on(0), 1)
            client.send(resp("WAIT", 1, 0))
            wait_until(lambda: b"blocked_clients:1\r\n" in direct.cmd("INFO", "clients"), 10, "WAIT to wait")
            client.reset()
            wait_until(lambda: b"blocked_clients:0\r\n" in direct.cmd("INFO", "clients"), 10, "nobody to wait")
    finally:
        replicas[0].thaw()


def test_a_node_that_is_lost_makes_it_an_error(io, resources):
    masters = [resources(master()) for _ in range(2)]
    replica = resources(replica_of(masters[0]))
    wait_until(lambda: connected(replica), 20, "a replica to be in step")
    with harness.Proxy(harness.redis(masters), io=io) as proxy, RedisConn(proxy.address) as client:
        assert client.cmd("WAIT", 1, SHORT) == 0  # the other has none
        client.send(resp("WAIT", 1, 0))
        with RedisConn(masters[1].address) as direct:
            wait_until(lambda: b"blocked_clients:1\r\n" in direct.cmd("INFO", "clients"), 10, "WAIT to wait")
        masters[1].kill9()
        assert isinstance(client.reply(), RedisError)
        assert isinstance(client.cmd("WAIT", 0, SHORT), RedisError)
        assert client.cmd("PING") == "PONG"


def test_a_redis_cluster(io, resources):
    cluster = resources(RedisCluster(masters=2))
    with harness.Proxy(cluster_of(cluster.seeds), io=io) as proxy, RedisConn(proxy.address) as client:
        first, second = (keys_in(*span, 1)[0] for span in cluster.slots)
        client.ok("SET", first, 1)
        client.ok("SET", second, 1)
        assert client.cmd("WAIT", 1, int(20000 * SCALE)) == 1
        cluster.replicas[1].freeze()
        try:
            client.ok("SET", second, 2)
            assert client.cmd("WAIT", 1, SHORT) == 0
        finally:
            cluster.replicas[1].thaw()
        assert client.cmd("WAIT", 1, int(20000 * SCALE)) == 1
