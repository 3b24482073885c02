"""Every reply belongs to its request: random pipelines of many clients, checked against a model."""

import random
import threading

import pytest

import harness
from clients import McConn, RedisConn, resp
from ring import Keys


class RedisModel:
    """Commands on keys that only this client uses, and what they must answer."""

    def __init__(self, keys, rng):
        self.names = keys.spread(6)
        self.rng = rng
        self.state = {}

    def one(self):
        r, s = self.rng, self.state
        kind = r.random()
        k = r.choice(self.names)
        if kind < 0.3:
            v = b"%s:%d" % (k, r.randrange(10**9))
            if r.random() < 0.05:
                v *= r.randrange(1, 3000)
            s[k] = v
            return resp("SET", k, v), "OK"
        if kind < 0.6:
            return resp("GET", k), s.get(k)
        if kind < 0.75:
            asked = r.choices(self.names, k=r.randrange(1, 15))
            return resp("MGET", *asked), [s.get(a) for a in asked]
        if kind < 0.8:
            asked = r.choices(self.names, k=r.randrange(1, 8))
            pairs = []
            for a in asked:
                s[a] = b"%d" % r.randrange(10**6)
                pairs += [a, s[a]]
            return resp("MSET", *pairs), "OK"
        if kind < 0.85:
            asked = r.choices(self.names, k=r.randrange(1, 6))
            return resp("DEL", *asked), sum(s.pop(a, None) is not None for a in asked)
        if kind < 0.9:
            asked = r.choices(self.names, k=r.randrange(1, 10))
            return resp("EXISTS", *asked), sum(a in s for a in asked)
        if kind < 0.94:
            word = b"%d" % r.randrange(10**9)
            return resp("ECHO", word), word
        if kind < 0.96:
            return b"PING\r\n", "PONG"
        if kind < 0.98:
            return resp("GET", k, "extra"), "ERR wrong number of arguments for 'get' command"
        return resp("STRLEN", k), len(s.get(k, b""))


class McModel:
    def __init__(self, keys, rng):
        self.names = keys.spread(6)
        self.rng = rng
        self.state = {}

    def hits(self, asked):
        return b"".join(b"VALUE %s 0 %d\r\n%s\r\n" % (a, len(self.state[a]), self.state[a])
                        for a in asked if a in self.state) + b"END\r\n"

    def one(self):
        r, s = self.rng, self.state
        kind = r.random()
        k = r.choice(self.names)
        if kind < 0.3:
            v = b"%s:%d" % (k, r.randrange(10**9))
            if r.random() < 0.05:
                v *= r.randrange(1, 3000)
            s[k] = v
            quiet = r.random() < 0.3
            return (b"set %s 0 0 %d%s\r\n%s\r\n" % (k, len(v), b" noreply" if quiet else b"", v),
                    b"" if quiet else b"STORED\r\n")
        if kind < 0.65:
            return b"get %s\r\n" % k, self.hits([k])
        if kind < 0.85:
            asked = r.choices(self.names, k=r.randrange(1, 15))
            return b"get %s\r\n" % b" ".join(asked), self.hits(asked)
        if kind < 0.9:
            return b"delete %s\r\n" % k, b"DELETED\r\n" if s.pop(k, None) is not None else b"NOT_FOUND\r\n"
        if kind < 0.93:
            return b"incr nokey-%s 1\r\n" % k, b"NOT_FOUND\r\n"
        if kind < 0.96:
            if k in s:
                return b"add %s 0 0 1\r\nx\r\n" % k, b"NOT_STORED\r\n"
            s[k] = b"x"
            return b"add %s 0 0 1\r\nx\r\n" % k, b"STORED\r\n"
        if kind < 0.98:
            return b"set %s x 0 1\r\n" % k, None  # replaced below: refused lines are checked in test_memcache_text
        return b"touch %s 0\r\n" % k, b"TOUCHED\r\n" if k in s else b"NOT_FOUND\r\n"


def redis_client(address, seed, rounds):
    rng = random.Random(seed)
    model = RedisModel(Keys(4, seed=f"r{seed}-{random.random()}"), rng)
    with RedisConn(address, timeout=60) as client:
        for _ in range(rounds):
            batch = [model.one() for _ in range(rng.choice([1, 1, 2, 5, 20, 100, 400]))]
            client.send(b"".join(wire for wire, _ in batch))
            for wire, want in batch:
                got = client.reply()
                assert got == want, (wire[:200], str(got)[:200], str(want)[:200])


def mc_client(address, seed, rounds):
    rng = random.Random(seed)
    model = McModel(Keys(4, seed=f"m{seed}-{random.random()}"), rng)
    with McConn(address, timeout=60) as client:
        for _ in range(rounds):
            batch = [b for b in (model.one() for _ in range(rng.choice([1, 1, 2, 5, 20, 100, 400])))
                     if b[1] is not None]
            client.send(b"".join(wire for wire, _ in batch))
            for wire, want in batch:
                got = client.exact(len(want)) if want else b""
                assert got == want, (wire[:200], got[:200], want[:200])


def run_all(jobs):
    failures = []

    def guarded(job):
        try:
            job()
        except BaseException as failure:  # noqa: BLE001 - reported by the main thread
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise failures[0]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("connections", [1, 2])
def test_random_pipelines(io, pool, workers, connections):
    """20 clients of each protocol at once, over 4 nodes."""
    with harness.Proxy(
            harness.redis(pool.backends("redis"), node_connections=connections),
            harness.memcache(pool.backends("memcached"), node_connections=connections),
            io=io, workers=workers) as proxy:
        rounds = harness.load(40)
        base = random.randrange(10**9)
        jobs = []
        for n in range(16):
            jobs.append(lambda n=n: redis_client(proxy.clusters[0].address, base + n, rounds))
            jobs.append(lambda n=n: mc_client(proxy.clusters[1].address, base + n, rounds))
        run_all(jobs)


def test_one_client_sees_its_own_writes(rd, keys):
    """Requests of one client on one key keep their order whatever goes to other nodes between them."""
    client = rd()
    counter = keys.on(0)
    others = keys.spread(2)
    wire = b"".join(resp("INCR", counter) + resp("SET", others[n % 8], n) + resp("MGET", *others) for n in range(2000))
    client.send(wire)
    for n in range(2000):
        assert client.reply() == n + 1
        assert client.reply() == "OK"
        assert client.reply()[n % 8] == b"%d" % n


def test_slow_node_holds_only_what_waits_for_it(io, resources, pool, keys):
    """With one node stopped, other clients' requests to the other nodes go on."""
    servers = [*pool.backends("redis")[:3], resources(harness.Redis())]
    with harness.Proxy(harness.redis(servers), io=io) as proxy:
        stuck, free = RedisConn(proxy.address), RedisConn(proxy.address)
        slow, quick = keys.on(3), [keys.on(n) for n in (0, 1, 2)]
        stuck.ok("SET", slow, "v")
        stuck.ok("SET", quick[0], quick[0])
        servers[3].freeze()
        try:
            stuck.send(resp("GET", slow) + resp("GET", quick[0]))
            for _ in range(50):
                for key in quick:
                    free.ok("SET", key, key)
                    assert free.cmd("GET", key) == key
            stuck.expect_silence(0.05)
        finally:
            servers[3].thaw()
        assert stuck.reply() == b"v"
        assert stuck.reply() == quick[0]
        stuck.close()
        free.close()
