"""Reads from replicas of a Redis Cluster: read_from and max_replica_lag."""

import pytest

import harness
from clients import RedisConn, RedisError
from harness import wait_until
from redis_cluster import RedisCluster, cluster_of, key_in


@pytest.fixture(scope="module")
def cluster():
    made = RedisCluster(masters=2, replicas=1)
    yield made
    made.close()


def calls(node, command="get"):
    for line in node.ask("INFO", "commandstats").decode().splitlines():
        if line.startswith(f"cmdstat_{command}:calls="):
            return int(line.split("calls=")[1].split(",")[0])
    return 0


def replicated(cluster, key, value):
    """Waits until the replicas of the first slot's master have the value."""
    master = cluster.owner(0)
    for replica in (r for r in cluster.replicas if cluster.master_of(r) is master):

        def there(node=replica):
            with RedisConn(node.address) as direct:
                direct.ok("READONLY")
                return direct.cmd("GET", key) == value

        wait_until(there, what="the replica to have it")


@pytest.mark.parametrize("policy", ["replica", "prefer_replica", "nearest", "master"])
def test_policies(cluster, io, policy):
    key = key_in(0)
    master = cluster.owner(0)
    replica = cluster.replica_of(master)
    with harness.Proxy(cluster_of(cluster.seeds, read_from=policy), io=io) as proxy:
        with RedisConn(proxy.address) as client:
            client.ok("SET", key, policy)
            replicated(cluster, key, policy.encode())
            if policy == "nearest":
                # both are as near: clients are spread over them
                def both():
                    before = calls(master), calls(replica)
                    for _ in range(8):
                        with RedisConn(proxy.address) as other:
                            assert other.cmd("GET", key) == policy.encode()
                    return calls(master) > before[0] and calls(replica) > before[1]

                wait_until(both, 20, "reads at both nodes")
                return
            reads_at = master if policy == "master" else replica

            def arrives():
                before = calls(reads_at)
                return client.cmd("GET", key) == policy.encode() and calls(reads_at) > before

            wait_until(arrives, 20, "the connection to the node that is read from")
            before = calls(master) + calls(replica) - calls(reads_at)
            count = calls(reads_at)
            assert client.pipeline([("GET", key)] * 50) == [policy.encode()] * 50
            assert client.cmd("GET", key) == policy.encode()
            assert calls(reads_at) == count + 51
            assert calls(master) + calls(replica) - calls(reads_at) == before
            # behind a write that is in flight the master answers
            got = client.pipeline([x for n in range(200) for x in (("SET", key, n), ("GET", key))])
            assert got == [x for n in range(200) for x in ("OK", b"%d" % n)]


def test_a_replica_that_is_left_out(io, resources):
    """One that cannot follow its master is not read from once it is too far behind; nor is one that died."""
    cluster = resources(RedisCluster(masters=1, replicas=1))
    master, replica = cluster.nodes
    with harness.Proxy(cluster_of(cluster.seeds, read_from="prefer_replica", max_replica_lag=100_000, name="lag"),
                       cluster_of(cluster.seeds, read_from="replica", name="strict"), io=io) as proxy:
        with RedisConn(proxy.clusters[0].address) as client, RedisConn(proxy.clusters[1].address) as strict:
            client.ok("SET", "a", "old")
            replicated(cluster, "a", b"old")
            assert client.cmd("GET", "a") == b"old"
            assert strict.cmd("GET", "a") == b"old"
            # The link breaks and cannot come back.
            replica.ok("CONFIG", "SET", "masteruser", "nobody", "masterauth", "wrong")
            assert replica.ask("CLIENT", "KILL", "TYPE", "master") == 1
            client.ok("SET", "a", "new")
            assert client.cmd("GET", "a") == b"old"  # a little behind is allowed
            client.ok("SET", "b", b"x" * 200_000)
            wait_until(lambda: client.cmd("GET", "a") == b"new", 30, "the replica to be left out")
            served = calls(replica)
            assert client.pipeline([("GET", "a")] * 50) == [b"new"] * 50
            assert calls(replica) == served
            assert strict.cmd("GET", "a") == b"old"  # without a limit
            replica.kill9()
            assert client.pipeline([("GET", "a")] * 50) == [b"new"] * 50
            answer = wait_until(lambda: isinstance(got := strict.cmd("GET", "a"), RedisError) and got, 20)
            assert answer.startswith("ERR "), answer
            strict.ok("SET", "a", "newer")


def test_a_replica_that_dies_costs_no_read(io, resources):
    cluster = resources(RedisCluster(masters=1, replicas=2))
    with harness.Proxy(cluster_of(cluster.seeds, read_from="prefer_replica"), io=io) as proxy:
        clients = resources(Many(proxy.address, 8))
        clients.each("SET", "a", 1)
        replicated(cluster, "a", b"1")
        for node in cluster.replicas:
            clients.each("GET", "a", want=b"1")
            node.kill9()
            clients.each("GET", "a", want=b"1")


class Many:
    def __init__(self, address, count):
        self.clients = [RedisConn(address) for _ in range(count)]

    def each(self, *command, want="OK"):
        for _ in range(20):
            assert [client.cmd(*command) for client in self.clients] == [want] * len(self.clients)

    def close(self):
        for client in self.clients:
            client.close()
