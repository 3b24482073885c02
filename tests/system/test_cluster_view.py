"""Cluster clients pointed at the proxy: it shows itself, or a row of proxies, as a Redis Cluster."""

import pytest
import redis
from redis.cluster import ClusterNode, RedisCluster

import harness
from clients import RedisConn


def announced(pool, port, **keys):
    cluster = harness.redis(pool.backends("redis"), listen_addr=f"127.0.0.1:{port}",
                            cluster_announce=f"127.0.0.1:{port}", **keys)
    cluster.port = port
    return cluster


def test_a_cluster_client_finds_the_proxy(pool, io):
    port = harness.free_port()
    with harness.Proxy(announced(pool, port), io=io):
        client = RedisCluster(host="127.0.0.1", port=port)
        for n in range(200):
            assert client.set(f"key-{n}", n)
        assert [client.get(f"key-{n}") for n in range(200)] == [b"%d" % n for n in range(200)]
        assert client.mget_nonatomic([f"key-{n}" for n in range(50)]) == [b"%d" % n for n in range(50)]
        assert client.delete("key-1") == 1 and client.get("key-1") is None
        assert client.cluster_keyslot("123456789") == 0x31c3 and client.cluster_keyslot("a{b}c") == \
            client.cluster_keyslot("b")
        info = client.info(target_nodes=client.get_default_node())
        assert (info["redis_mode"], info["cluster_enabled"]) == ("cluster", 1)
        with pytest.raises(redis.exceptions.ResponseError, match="not in slots"):
            client.cluster_countkeysinslot(0)
        assert client.cluster_info(target_nodes=client.get_default_node())["cluster_state"] == "ok"
        client.close()


def test_two_proxies_share_the_slots(pool, io):
    ports = [harness.free_port(), harness.free_port()]
    row = [f"127.0.0.1:{port}" for port in ports]
    with harness.Proxy(announced(pool, ports[0], cluster_proxies=row), io=io) as first, \
            harness.Proxy(announced(pool, ports[1], cluster_proxies=row), io=io) as second:
        client = RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", ports[1])])
        names = [f"name-{n}" for n in range(100)]
        for name in names:
            assert client.set(name, name)
        client.close()
        used = []
        for proxy in (first, second):
            with RedisConn(proxy.address) as one:
                assert [one.cmd("GET", name) for name in names] == [name.encode() for name in names]
                myself = one.cmd("CLUSTER", "MYID")
                assert one.cmd("CLUSTER", "NODES").count(b"master") == 2
                assert myself + b" 127.0.0.1:%d@" % proxy.address[1] in one.cmd("CLUSTER", "NODES")
                shards = one.cmd("CLUSTER", "SHARDS")
                assert [shard[1] for shard in shards] == [[0, 8191], [8192, 16383]]
                used.append(one.cmd("CLUSTER", "SLOTS"))
        assert used[0] == used[1]


def test_without_it_cluster_is_off_as_in_a_server(rd, rd_direct):
    client = rd()
    for call in (("CLUSTER", "SLOTS"), ("CLUSTER", "INFO"), ("CLUSTER", "KEYSLOT", "a"), ("CLUSTER", "NODES"),
                 ("CLUSTER", "COUNTKEYSINSLOT", "0"), ("CLUSTER", "GETKEYSINSLOT", "0", "1")):
        assert client.cmd_raw(*call) == rd_direct().cmd_raw(*call)
    assert b"redis_mode:standalone\r\n" in client.cmd("INFO", "server")
    with pytest.raises(redis.exceptions.RedisClusterException):
        RedisCluster(host=client.sock.getpeername()[0], port=client.sock.getpeername()[1])


@pytest.mark.parametrize("lines,words", [
    ('cluster_announce = "nonsense"', "port"),
    ('cluster_announce = "unix:/x"', "HOST:PORT"),
    ('cluster_proxies = ["127.0.0.1:1"]', "cluster_announce"),
    ('cluster_announce = "127.0.0.1:2"\ncluster_proxies = ["127.0.0.1:1"]', "not among them"),
])
def test_check_names_what_is_wrong(tmp_path, lines, words):
    path = tmp_path / "c.toml"
    path.write_text('[[clusters]]\nname = "a"\ncache_type = "redis"\nlisten_addr = "127.0.0.1:1"\n'
                    f'servers = ["127.0.0.1:2:1"]\n{lines}\n')
    done = harness.run_proxy("-t", f"-cluster={path}")
    assert done.returncode == 2 and words in done.stderr, done.stderr
