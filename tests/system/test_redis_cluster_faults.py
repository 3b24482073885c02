"""Redis Cluster behind the proxy: nodes that die, hang, are not there yet, and slots that nobody has."""

import pytest

import harness
from clients import RedisConn, RedisError
from harness import SCALE, wait_until
from redis_cluster import Load, RedisCluster, cluster_of, key_in, keys_in


@pytest.fixture
def own(request):
    """A cluster that the test may harm: own(**what RedisCluster takes)."""
    made = []

    def make(**keywords):
        made.append(RedisCluster(**keywords))
        return made[-1]

    yield make
    for cluster in made:
        cluster.close()


def takes_over(cluster, replica):
    role = replica.ask("ROLE")
    return not isinstance(role, RedisError) and role[0] == b"master"


def test_masters_fail_under_load(io, own):
    """A switch by hand, a kill, a hang: errors only until the cluster has a new master, no wrong value, no restart."""
    cluster = own()
    names = keys_in(0, 16383, 60, b"load")
    a, b, c = cluster.masters
    with harness.Proxy(cluster_of(cluster.seeds, read_timeout=int(1000 * SCALE)), io=io, workers=2) as proxy:
        load = Load(proxy.address, names, 4)
        load.progress(200)
        cluster.replica_of(a).ok("CLUSTER", "FAILOVER")
        wait_until(lambda: takes_over(cluster, cluster.replica_of(a)), 20, "the switch")
        load.progress(500)
        load.stop()
        load.replicated()

        load = Load(proxy.address, names, 4, forgive=True, after=load)
        load.progress(200)
        b.kill9()
        wait_until(lambda: takes_over(cluster, cluster.replica_of(b)), 30, "the replica of the dead master")
        load.clean(500)
        c.freeze()
        wait_until(lambda: takes_over(cluster, cluster.replica_of(c)), 30, "the replica of the hanging master")
        load.clean(500)
        c.thaw()
        wait_until(lambda: not takes_over(cluster, c), 20, "the old master to become a replica")
        load.clean(500)
        b.start()
        load.progress(200)
        load.stop()
        # two workers, each at most about five questions a second, and a few at the start
        asked = cluster.stats("cluster|shards")
        assert asked < 600, asked


def test_the_other_slots_go_on(io, own):
    """Without full coverage required, a dead master without a replica takes only its own slots along."""
    cluster = own(replicas=0, options=["--cluster-require-full-coverage", "no"])
    with harness.Proxy(cluster_of(cluster.seeds, read_timeout=int(300 * SCALE)), io=io) as proxy:
        with RedisConn(proxy.address) as client:
            alive, dead = key_in(0), key_in(16383)
            client.ok("MSET", alive, 1, dead, 2)
            cluster.masters[2].kill9()
            answer = wait_until(lambda: isinstance(got := client.cmd("GET", dead), RedisError) and got, 10)
            assert "down" in answer.lower() or "lost" in answer, answer
            assert client.pipeline([("GET", alive), ("INCR", alive)] * 20) == [
                x for n in range(20) for x in (b"%d" % (n + 1), n + 2)]
            cluster.masters[2].start()
            wait_until(lambda: client.cmd("GET", dead) is None, 20, "the master to serve again")


def test_a_hole_in_the_map(io, own):
    cluster = own(replicas=0, slots=[(0, 5000), (5001, 10000), (10100, 16383)],
                  options=["--cluster-require-full-coverage", "no"])
    with harness.Proxy(cluster_of(cluster.seeds[:1]), io=io) as proxy:
        with RedisConn(proxy.address) as client:
            hole, fine = key_in(10050), key_in(10100)
            client.ok("SET", fine, "v")
            assert client.cmd("GET", hole) == "CLUSTERDOWN Hash slot not served"
            got = client.pipeline([("GET", fine), ("SET", hole, 1), ("GET", fine)])
            assert got == [b"v", "CLUSTERDOWN Hash slot not served", b"v"]
            assert client.cmd("MGET", fine, hole).startswith("CLUSTERDOWN")
            cluster.masters[1].ok("CLUSTER", "ADDSLOTSRANGE", 10001, 10099)
            wait_until(lambda: client.cmd("SET", hole, 2) == "OK", 20, "the new slots to be served")


def test_all_seeds_down_at_the_start(io, own):
    """The listener works, requests get an error in time, and all is well once the nodes are there."""
    cluster = own(start=False)
    with harness.Proxy(cluster_of([f"localhost:{n.port}" for n in cluster.nodes], read_timeout=int(100 * SCALE)),
                       io=io) as proxy:
        with RedisConn(proxy.address) as client:
            assert client.cmd("PING") == "PONG"
            assert client.cmd("GET", "a").startswith("CLUSTERDOWN")
            assert client.cmd("MGET", "a", "b").startswith("CLUSTERDOWN")
            cluster.start()
            wait_until(lambda: client.cmd("SET", "a", 1) == "OK", 20, "the proxy to find the cluster")
            client.ok("MSET", "a", 1, "b", 2, "c", 3)
            assert client.cmd("MGET", "a", "b", "c") == [b"1", b"2", b"3"]
            # the cluster's own addresses take the place of the seeds' names
            def settled():
                lines = client.cmd("INFO", "backends").decode()
                return "localhost" not in lines and lines.count("127.0.0.1:") == 6
            wait_until(settled, 60, "the seeds to be dropped")


def test_a_password_for_the_nodes(io, own):
    cluster = own(start=False, masters=1, replicas=0,
                  options=["--requirepass", "se cret", "--masterauth", "se cret"])
    for node in cluster.nodes:
        node.start()
    with harness.Proxy(cluster_of(cluster.seeds, redis_auth="se cret"), io=io) as proxy:
        with RedisConn(proxy.address) as client:
            wait_until(lambda: client.cmd("SET", "a", 1) == "OK", 20, "the cluster to serve")


def test_not_a_cluster(io, resources):
    """A server without cluster mode is told in the log and to the client."""
    server = resources(harness.Redis())
    with harness.Proxy(cluster_of([server.spec], read_timeout=int(100 * SCALE)), io=io) as proxy:
        with RedisConn(proxy.address) as client:
            assert client.cmd("GET", "a").startswith("CLUSTERDOWN")
        wait_until(lambda: "cluster support disabled" in proxy.output(), 10)
