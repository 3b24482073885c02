"""memcache retrieval of many keys: split over nodes, put together in the order asked."""

import pytest

import harness
from clients import McConn
from fakes import Fake
from ring import Keys


@pytest.fixture
def stored(mc, keys):
    client = mc()
    every = keys.spread(25)
    for n, key in enumerate(every):
        assert client.set(key, b"value-%d" % n, flags=n) == b"STORED\r\n"
    return {key: (key, n, b"value-%d" % n, None) for n, key in enumerate(every)}


def test_order_and_content(mc, keys, stored):
    client = mc()
    for size in (1, 2, 3, 4, 5, 10, 50, 100):
        for _ in range(5):
            asked = keys.random.sample(list(stored), size)
            assert client.get(*asked) == [stored[k] for k in asked]


def test_misses_leave_no_trace(mc, keys, stored):
    client = mc()
    for _ in range(20):
        asked = keys.random.sample(list(stored), 10) + keys.spread(2)
        keys.random.shuffle(asked)
        assert client.get(*asked) == [stored[k] for k in asked if k in stored]
    assert client.get(*keys.spread(5)) == []


def test_duplicates_are_answered_each_time(mc, keys, stored):
    """As memcached: a key asked twice is answered twice."""
    client = mc()
    a, b, c = list(stored)[:3]
    assert client.get(a, a) == [stored[a], stored[a]]
    assert client.get(a, b, a, c, b, a) == [stored[k] for k in (a, b, a, c, b, a)]
    miss = keys.any()
    assert client.get(miss, a, miss, a) == [stored[a], stored[a]]
    assert client.get(*[a] * 100) == [stored[a]] * 100
    for _ in range(20):
        asked = keys.random.choices(list(stored)[:8], k=30)
        assert client.get(*asked) == [stored[k] for k in asked]


def test_gets_gat_gats(mc, keys, stored):
    client = mc()
    asked = keys.random.sample(list(stored), 40)
    found = client.get(*asked, verb=b"gets")
    assert [f[:3] for f in found] == [stored[k][:3] for k in asked] and all(f[3] for f in found)
    ids = {f[0]: f[3] for f in found}
    assert client.get(b"0", *asked, verb=b"gat") == [stored[k] for k in asked]
    assert client.get(b"0", *asked, verb=b"gats") == [(*stored[k][:3], ids[k]) for k in asked]
    dup = [asked[0], asked[1], asked[0]]
    assert client.get(b"0", *dup, verb=b"gat") == [stored[k] for k in dup]


def test_a_thousand_keys(mc, keys):
    client = mc()
    every = keys.many(1000)
    client.send(b"".join(b"set %s 0 0 %d noreply\r\n%s\r\n" % (k, len(k), k) for k in every))
    assert client.get(*every) == [(k, 0, k, None) for k in every]
    back = every[::-1]
    assert client.get(*back) == [(k, 0, k, None) for k in back]
    assert client.get(*every, verb=b"get") == [(k, 0, k, None) for k in every]


def test_a_hundred_keys_of_250_bytes(mc, keys):
    client = mc()
    every = [(k * 16)[:250] for k in keys.many(100)]
    for k in every:
        assert client.set(k, k) == b"STORED\r\n"
    assert client.get(*every) == [(k, 0, k, None) for k in every]


def test_pipelined_multi_gets(mc, keys, stored):
    client = mc()
    batches = [keys.random.choices(list(stored) + keys.many(30), k=keys.random.randrange(1, 20)) for _ in range(300)]
    client.send(b"".join(b"get %s\r\n" % b" ".join(b) for b in batches))
    for b in batches:
        assert client.items() == [stored[k] for k in b if k in stored]


def test_large_values_in_order(mc, keys):
    """Values of very different sizes over all nodes."""
    client = mc()
    every = keys.spread(4)
    sizes = [0, 1, 100, 1000, 4000, 5000, 16384, 40000, 65536, 100000, 262144, 500000, 700000, 1000000, 10, 70000]
    for key, size in zip(every, sizes):
        assert client.set(key, key[:1] * size) == b"STORED\r\n"
    for _ in range(4):
        keys.random.shuffle(every)
        found = client.get(*every)
        assert [f[0] for f in found] == every
        assert all(f[2] == f[0][:1] * len(f[2]) for f in found)
    assert sorted(len(f[2]) for f in found) == sorted(sizes)


def test_three_nodes_two_workers(io, pool, keys):
    names = Keys(3)
    with harness.Proxy(harness.memcache(pool.backends("memcached")[:3]), io=io, workers=2) as proxy:
        clients = [McConn(proxy.address) for _ in range(20)]
        every = names.spread(20)
        for n, key in enumerate(every):
            assert clients[n % 20].set(key, b"v%d" % n) == b"STORED\r\n"
        want = {key: (key, 0, b"v%d" % n, None) for n, key in enumerate(every)}
        for client in clients:
            asked = names.random.choices(every, k=30)
            assert client.get(*asked) == [want[k] for k in asked]
        for client in clients:
            client.close()


@pytest.mark.parametrize("coalesce", [True, False])
def test_coalescing_on_and_off(io, pool, keys, coalesce):
    with harness.Proxy(harness.memcache(pool.backends("memcached"), coalesce_gets=coalesce), io=io) as proxy:
        clients = [McConn(proxy.address) for _ in range(50)]
        every = keys.spread(10)
        for key in every:
            assert clients[0].set(key, key) == b"STORED\r\n"
        for _ in range(5):
            asked = [keys.random.choice(every + [b"missing"]) for _ in clients]
            for client, key in zip(clients, asked):
                client.send(b"get %s\r\n" % key)
            for client, key in zip(clients, asked):
                assert client.items() == ([(key, 0, key, None)] if key != b"missing" else [])
        for client in clients:
            client.close()


def test_coalescing_joins_gets(io, resources, keys):
    """Gets of 100 clients that wait together leave in fewer commands than clients."""
    def behave(peer, fake):
        while True:
            words = peer.mc_request()
            peer.send(b"".join(b"VALUE %s 0 %d\r\n%s\r\n" % (k, len(k), k) for k in words[1:]) + b"END\r\n")

    fake = resources(Fake(behave))
    with harness.Proxy(harness.memcache([fake]), io=io) as proxy:
        clients = [McConn(proxy.address) for _ in range(100)]
        every = keys.many(100)
        for client, key in zip(clients, every):
            assert client.get(key) == [(key, 0, key, None)]
        fake.received.clear()
        proxy.freeze()
        for client, key in zip(clients, every):
            client.send(b"get %s\r\n" % key)
        proxy.thaw()
        for client, key in zip(clients, every):
            assert client.items() == [(key, 0, key, None)]
        commands = bytes(fake.received).splitlines()
        assert sorted(k for c in commands for k in c.split()[1:]) == sorted(every)
        assert len(commands) <= 50, commands
        for client in clients:
            client.close()
