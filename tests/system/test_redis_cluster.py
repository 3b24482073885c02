"""Redis Cluster behind the proxy: placement, redirections, commands of several keys, slots on the move."""

import pytest

import harness
from clients import RedisConn, RedisError, resp
from conftest import Clients
from harness import wait_until
from redis_cluster import Load, RedisCluster, cluster_of, key_in, keys_in, slot_of


@pytest.fixture(scope="module")
def cluster():
    made = RedisCluster()
    yield made
    made.close()


@pytest.fixture(scope="module", params=harness.io_drivers())
def proxy(request, cluster):
    with harness.Proxy(cluster_of(cluster.seeds[:2]), io=request.param) as running:
        yield running


@pytest.fixture
def rd(proxy):
    made = Clients(proxy.address, RedisConn)
    yield made
    made.close()
    proxy.check_alive()


@pytest.fixture
def slot(cluster, request):
    """A slot of the first master that no other test uses; given back to it, empty, at the end."""
    number = next(_slots)
    yield number
    for node in cluster.masters:
        for key in node.ask("CLUSTER", "GETKEYSINSLOT", number, 1000):
            with RedisConn(node.address) as direct:
                direct.cmd("ASKING")
                direct.cmd("DEL", key)
        node.ok("CLUSTER", "SETSLOT", number, "STABLE")
    cluster.end_move(number, cluster.masters[0])


_slots = iter(range(1000, 5000))


def test_keys_of_every_slot_are_placed(cluster, rd, keys):
    client = rd()
    names = keys.many(2000)
    assert client.pipeline([("SET", k, b"v" + k) for k in names]) == ["OK"] * len(names)
    assert client.pipeline([("GET", k) for k in names]) == [b"v" + k for k in names]
    for node, (first, last) in zip(cluster.masters, cluster.slots):
        with RedisConn(node.address) as direct:
            mine = [k for k in names if first <= slot_of(k) <= last][:100]
            assert direct.pipeline([("GET", k) for k in mine]) == [b"v" + k for k in mine]


def test_hash_tags_as_the_cluster_has_them(rd, keys):
    client = rd()
    tag = keys.any()
    client.ok("MSET", b"{%s}a" % tag, 1, b"{%s}b" % tag, 2)
    client.ok("RENAME", b"{%s}a" % tag, b"x{%s}" % tag)
    for odd in (b"{}" + tag, tag + b"{}x", b"{" + tag, b"{}{" + tag + b"}", b"}{" + tag + b"}"):
        client.ok("SET", odd, "v")
        assert client.cmd("GET", odd) == b"v"


def test_several_keys_are_split_by_slot(rd, keys):
    client = rd()
    names = keys.many(300)
    client.ok("MSET", *[x for k in names for x in (k, k + b"!")])
    asked = names + keys.many(10) + names[:5]
    assert client.cmd("MGET", *asked) == [k + b"!" if k in names else None for k in asked]
    assert client.cmd("EXISTS", *names, names[0]) == 301
    assert client.cmd("TOUCH", *names) == 300
    assert client.cmd("UNLINK", *names[:100]) == 100
    assert client.cmd("DEL", *names) == 200


def test_commands_of_one_node_need_one_slot(cluster, rd):
    """As the cluster itself: two slots of one node are still two slots."""
    client = rd()
    a, b = key_in(7), key_in(8)
    with RedisConn(cluster.masters[0].address) as direct:
        for command in (("RENAME", a, b), ("SUNIONSTORE", a, b), ("MSETNX", a, 1, b, 1), ("EVAL", "return 1", 2, a, b)):
            want = direct.cmd_raw(*command)
            assert want.startswith(b"-CROSSSLOT")
            assert client.cmd_raw(*command) == want
    client.ok("MSET", a, 1, b, 2)
    client.ok("RENAME", a, a + b"x")
    assert client.cmd("EVAL", "return redis.call('GET', KEYS[1])", 1, a + b"x") == b"1"
    assert client.cmd("DEL", a + b"x", b) == 2


def test_large_values(rd, keys):
    client = rd()
    for size in (10_000, 100_000, 200_000, 3_000_000):
        key, value = keys.any(), keys.random.randbytes(size)
        client.ok("SET", key, value)
        assert client.cmd("GET", key) == value


def test_moved_teaches_the_map(cluster, rd, slot):
    client = rd()
    key, (a, b) = key_in(slot), cluster.masters[:2]
    client.ok("SET", key, "here")
    cluster.begin_move(slot, a, b)
    cluster.move_keys(a, b, key)
    cluster.end_move(slot, b)
    # Any node may be asked for the map, and one that has not heard of the move would take the proxy back to the old owner.
    cluster.wait_agreed()
    assert client.cmd("GET", key) == b"here"
    redirected = errors_of(a, "MOVED")
    assert client.pipeline([("GET", key)] * 100) == [b"here"] * 100
    assert errors_of(a, "MOVED") <= redirected + 1  # a refresh may be older than the move


def errors_of(node, kind):
    for line in node.ask("INFO", "errorstats").decode().splitlines():
        if line.startswith(f"errorstat_{kind}:"):
            return int(line.split("count=")[1])
    return 0


def test_ask_is_followed_and_not_learned(cluster, rd, slot):
    client = rd()
    tag, (a, b) = key_in(slot), cluster.masters[:2]
    stays, goes, fresh = tag + b"stays", tag + b"goes", tag + b"new"
    client.ok("MSET", stays, 1, goes, 2)
    cluster.begin_move(slot, a, b)
    cluster.move_keys(a, b, goes)
    for _ in range(20):
        assert client.cmd("GET", goes) == b"2"
        assert client.cmd("GET", stays) == b"1"
    assert client.pipeline([("INCR", goes), ("INCR", stays)] * 50) == [x for n in range(50) for x in (n + 3, n + 2)]
    client.ok("SET", fresh, "n")  # keys that do not exist are made at the target
    with RedisConn(b.address) as direct:
        direct.ok("ASKING")
        assert direct.cmd("GET", fresh) == b"n"
    assert [client.cmd("DEL", k) for k in (stays, goes, fresh)] == [1, 1, 1]


def test_keys_on_both_sides_wait_for_each_other(cluster, rd, slot):
    """TRYAGAIN: the command is sent again until its keys are together."""
    client = rd()
    tag, (a, b) = key_in(slot), cluster.masters[:2]
    one, two = tag + b"1", tag + b"2"
    client.ok("MSET", one, 1, two, 2)
    cluster.begin_move(slot, a, b)
    cluster.move_keys(a, b, one)
    before = errors_of(a, "TRYAGAIN") + errors_of(b, "TRYAGAIN")
    client.send(resp("MGET", one, two))
    wait_until(lambda: errors_of(a, "TRYAGAIN") + errors_of(b, "TRYAGAIN") > before, what="TRYAGAIN")
    client.send(resp("SET", one, "later") + resp("GET", one))
    cluster.move_keys(a, b, two)
    assert client.reply() == [b"1", b"2"]  # what was sent later did not overtake
    assert client.reply() == "OK"
    assert client.reply() == b"later"


def test_a_client_that_leaves_while_its_request_waits(cluster, rd, slot):
    tag, (a, b) = key_in(slot), cluster.masters[:2]
    one, two = tag + b"1", tag + b"2"
    rd().ok("MSET", one, 1, two, 2)
    cluster.begin_move(slot, a, b)
    cluster.move_keys(a, b, one)
    before = errors_of(a, "TRYAGAIN") + errors_of(b, "TRYAGAIN")
    leavers = rd.many(20)
    for client in leavers:
        client.send(resp("MSET", one, "gone", two, "gone") + resp("GET", one))
    wait_until(lambda: errors_of(a, "TRYAGAIN") + errors_of(b, "TRYAGAIN") >= before + 20, what="TRYAGAIN")
    for client in leavers:
        client.reset()
    client = rd()
    assert client.cmd("GET", one) == b"1"
    cluster.move_keys(a, b, two)
    assert client.cmd("MGET", one, two)[0] in (b"1", b"gone")


def test_an_upload_whose_slot_has_moved(cluster, rd, slot):
    """Its bytes are gone; the error says that it may be tried again, and then it works."""
    client = rd()
    key, (a, b) = key_in(slot), cluster.masters[:2]
    client.ok("SET", key, "small")
    cluster.begin_move(slot, a, b)
    cluster.move_keys(a, b, key)
    cluster.end_move(slot, b)
    value = b"x" * 2_000_000
    answer = client.cmd("SET", key, value)
    assert isinstance(answer, RedisError) and answer.startswith("TRYAGAIN"), answer
    # A node that has not heard of the move yet may be asked for the map meanwhile.
    wait_until(lambda: client.cmd("SET", key, value) == "OK", what="the large value to be taken")
    assert client.cmd("STRLEN", key) == len(value)


def test_resharding_under_load(cluster, proxy, rd):
    """Slot by slot with redis-cli: no error, no wrong value, and the nodes are not asked all the time."""
    a, b = cluster.masters[:2]
    slots = harness.load(150)
    names = keys_in(0, slots - 1, 60, b"reshard") + keys_in(5000, 16383, 20, b"rest")
    asked = cluster.stats("cluster|shards")
    load = Load(proxy.address, names, 4)
    load.progress(200)
    for source, target in ((a, b), (b, a)):
        cluster.wait_agreed()
        done = cluster.cli("reshard", f"{a.host}:{a.port}", "--cluster-from", source.id, "--cluster-to", target.id,
                           "--cluster-slots", slots, "--cluster-yes")
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr
        load.progress(100)
    load.stop()
    # a MOVED for every slot and direction, but at most 20 questions a second
    assert cluster.stats("cluster|shards") - asked < 250
    assert cluster.owner(0) is a
