"""The data path allocates nothing, with metrics on: counted in the running proxy over a steady mixed load."""

import base64
import mmap
import struct
import subprocess

import pytest

import certs
import harness
from clients import BinaryConn, McConn, Op, RedisConn, frame, resp, store
from metrics_page import Watched
from redis_cluster import RedisCluster, cluster_of
from ring import Keys

LIBRARY = harness.BIN_DIR / "liballoc_count.so"


class Counter:
    """The page that alloc_count keeps."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(b"\0" * 4096)
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 4096)

    def count(self):
        return struct.unpack_from("<Q", self.page, 0)[0]

    def arm(self):
        self.page[12:16] = b"\0" * 4
        self.page[8:12] = struct.pack("<I", 1)

    def disarm(self):
        self.page[8:12] = b"\0" * 4

    def callers(self, proxy):
        """Where the recorded allocations came from, as function names."""
        maps, base = [], {}
        for line in open(f"/proc/{proxy.pid}/maps"):
            part = line.split()
            if len(part) >= 6:
                low, high = (int(x, 16) for x in part[0].split("-"))
                maps.append((low, high, base.setdefault(part[5], low), part[5]))
        texts = {}
        for n in range(min(struct.unpack_from("<I", self.page, 12)[0], 8)):
            names = []
            for address in struct.unpack_from("<16Q", self.page, 16 + n * 128):
                for low, high, start, path in maps:
                    if low <= address < high and "alloc_count" not in path:
                        done = subprocess.run(["addr2line", "-Cfsp", "-e", path, hex(address - start)],
                                              capture_output=True, text=True)
                        names.append(done.stdout.strip() or f"{path}+{address - start:x}")
            text = "\n    ".join(names)
            texts[text] = texts.get(text, 0) + 1
        return "\n".join(f"{count} x\n    {text}" for text, count in texts.items())


def redis_round(clients, names, values, when_sent=None):
    """50 clients x 20 requests; all replies are checked."""
    sent = []
    for n, client in enumerate(clients):
        batch, want = [], []
        for i in range(20):
            k = names[(n * 7 + i * 3) % len(names)]
            if i % 5 == 0:
                batch.append(resp("SET", k, values[k]))
                want.append(b"+OK\r\n")
            elif i % 5 == 4:
                several = [names[(n + i + j * 5) % len(names)] for j in range(10)]
                batch.append(resp("MGET", *several))
                want.append(b"*10\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(values[k]), values[k]) for k in several))
            elif i % 5 == 3:
                batch.append(resp("EXISTS", k, names[n]))
                want.append(b":2\r\n")
            else:
                batch.append(resp("GET", k))
                want.append(b"$%d\r\n%s\r\n" % (len(values[k]), values[k]))
        client.send(b"".join(batch))
        sent.append(b"".join(want))
    if when_sent is not None:
        when_sent()
    for client, want in zip(clients, sent):
        assert client.exact(len(want)) == want
    return 20 * len(clients)


def memcache_round(clients, names, values, when_sent=None):
    def hit(k):
        return b"VALUE %s 0 %d\r\n%s\r\n" % (k, len(values[k]), values[k])

    sent = []
    for n, client in enumerate(clients):
        batch, want = [], []
        for i in range(20):
            k = names[(n * 7 + i * 3) % len(names)]
            if i % 5 == 0:
                batch.append(b"set %s 0 0 %d\r\n%s\r\n" % (k, len(values[k]), values[k]))
                want.append(b"STORED\r\n")
            elif i % 5 == 4:
                several = [names[(n + i + j * 5) % len(names)] for j in range(10)]
                batch.append(b"get %s\r\n" % b" ".join(several))
                want.append(b"".join(hit(k) for k in several) + b"END\r\n")
            elif i % 5 == 3:
                batch.append(b"get missing-%s\r\n" % k)
                want.append(b"END\r\n")
            else:
                batch.append(b"get %s\r\n" % k)
                want.append(hit(k) + b"END\r\n")
        client.send(b"".join(batch))
        sent.append(b"".join(want))
    if when_sent is not None:
        when_sent()
    for client, want in zip(clients, sent):
        assert client.exact(len(want)) == want
    return 20 * len(clients)


def meta_round(clients, names, values, when_sent=None):
    """Loud and quiet, plain and base64 keys, one of them with a line feed; mn behind them."""
    sent = []
    for n, client in enumerate(clients):
        batch, want = [], []
        for i in range(19):
            k = names[(n * 7 + i * 3) % len(names)]
            if i % 5 == 0:
                batch.append(b"ms %s %d%s\r\n%s\r\n" % (k, len(values[k]), b" q" if i else b" k", values[k]))
                want.append(b"" if i else b"HD k%s\r\n" % k)
            elif i % 5 == 1:
                batch.append(b"mg missing-%s v q\r\n" % k)
            elif i % 5 == 2:
                absent = base64.b64encode(k + b"\n")
                batch.append(b"mg %s b k O1\r\n" % absent)
                want.append(b"EN k%s b O1\r\n" % absent)
            elif i % 5 == 3:
                batch.append(b"mg %s b v s\r\n" % base64.b64encode(k))
                want.append(b"VA %d s%d\r\n%s\r\n" % (len(values[k]), len(values[k]), values[k]))
            else:
                batch.append(b"mg %s v f Oabc q\r\n" % k)
                want.append(b"VA %d f0 Oabc\r\n%s\r\n" % (len(values[k]), values[k]))
        client.send(b"".join(batch) + b"mn\r\n")
        sent.append(b"".join(want) + b"MN\r\n")
    if when_sent is not None:
        when_sent()
    for client, want in zip(clients, sent):
        assert client.exact(len(want)) == want
    return 20 * len(clients)


def text_and_meta_round(clients, names, values, when_sent=None):
    asked = memcache_round(clients, names, values, when_sent)
    return asked + meta_round(clients, names, values)


def binary_round(clients, names, values, when_sent=None):
    """Quiet and loud ones, a key that travels as base64, and a Noop behind them."""
    def hit(op, k, shown=b""):
        return frame(op, shown, b"\0\0\0\0", values[k], magic=0x81)

    sent = []
    for n, client in enumerate(clients):
        batch, want = [], []
        for i in range(19):
            k = names[(n * 7 + i * 3) % len(names)]
            if i % 5 == 0:
                op = Op.SET if i else Op.SETQ
                batch.append(store(op, k, values[k]))
                want.append(frame(Op.SET, magic=0x81) if i else b"")
            elif i % 5 == 1:
                batch.append(frame(Op.GETQ, b"missing-" + k))
            elif i % 5 == 2:
                batch.append(frame(Op.GETK, b"missing " + k))
                want.append(frame(Op.GETK, b"missing " + k, magic=0x81)[:6] + b"\0\1" +
                            frame(Op.GETK, b"missing " + k, magic=0x81)[8:])
            else:
                batch.append(frame(Op.GETKQ if i % 5 == 3 else Op.GET, k))
                want.append(hit(Op.GETKQ, k, k) if i % 5 == 3 else hit(Op.GET, k))
        client.send(b"".join(batch) + frame(Op.NOOP))
        sent.append([*filter(None, want), frame(Op.NOOP, magic=0x81)])
    if when_sent is not None:
        when_sent()
    for client, want in zip(clients, sent):
        got = client.exact(sum(map(len, want)))
        at = 0
        for one in want:  # all but the cas
            assert got[at:at + 16] == one[:16] and got[at + 24:at + len(one)] == one[24:]
            at += len(one)
    return 20 * len(clients)


class Clusters:
    """What the kinds need besides the pool: made when first asked for."""

    def __init__(self):
        self.made = []

    def _keep(self, thing):
        self.made.append(thing)
        return thing

    def redis_cluster(self, **keys):
        return cluster_of(self._keep(RedisCluster(masters=3, replicas=0)).seeds, **keys)

    def tls(self, kind):
        """TLS on both sides. Returns the cluster and what opens a client of it."""
        signed = self._keep(certs.Certs())
        context = signed.context()
        real, client = {"redis": (certs.TlsRedis, RedisConn), "memcache": (certs.TlsMemcached, McConn)}[kind]
        servers = [self._keep(real(signed)) for _ in range(2)]
        return (certs.TlsCluster(kind, servers, **signed.listener(), **signed.backend()),
                lambda address: certs.secure(client, address, context))

    def close(self):
        for thing in reversed(self.made):
            (thing.kill_now if isinstance(thing, harness.Process) else thing.close)()


@pytest.fixture
def clusters():
    made = Clusters()
    yield made
    made.close()


@pytest.mark.skipif(bool(harness.SANITIZER), reason="sanitizers bring their own allocator")
@pytest.mark.parametrize("kind", ["redis", "memcache", "meta", "binary", "binary-backend", "redis-cluster", "redis-tls",
                                  "memcache-tls"])
def test_no_allocation_per_request(io, pool, clusters, tmp_path, kind):
    counter = Counter(tmp_path / "allocations")
    keys = Keys(4, seed=11)
    names = keys.spread(25)
    values = {k: k * (1 + n % 12 * (n % 3)) for n, k in enumerate(names)}
    cluster, kind_of_client, one_round = {
        "redis": lambda: (harness.redis(pool.backends("redis")), RedisConn, redis_round),
        "memcache": lambda: (harness.memcache(pool.backends("memcached")), McConn, memcache_round),
        "meta": lambda: (harness.memcache(pool.backends("memcached")), McConn, meta_round),
        "binary": lambda: (harness.memcache(pool.backends("memcached")), BinaryConn, binary_round),
        "binary-backend": lambda: (harness.memcache(pool.backends("memcached"), backend_protocol="binary"), McConn,
                                   text_and_meta_round),
        "redis-cluster": lambda: (clusters.redis_cluster(), RedisConn, redis_round),
        "redis-tls": lambda: (*clusters.tls("redis"), redis_round),
        "memcache-tls": lambda: (*clusters.tls("memcache"), memcache_round)}[kind]()
    with Watched(cluster, io=io, preload=LIBRARY, env={"ALLOC_COUNT_FILE": str(counter.path)}) as proxy:
        clients = [kind_of_client(proxy.address) for _ in range(50)]
        for k in names:
            assert (clients[0].cmd("SET", k, values[k]) if kind.startswith("redis") else clients[0].set(k, values[k]))
        assert counter.count() > 0, "the library is not loaded"
        asked = 0
        while asked < 50000:  # until the pools have grown to what this load needs
            asked += one_round(clients, names, values)
        for _ in range(20):  # and to the most that it can ask for at once: everything in one turn
            proxy.freeze()
            one_round(clients, names, values, when_sent=proxy.thaw)
        counter.arm()
        before = counter.count()
        asked = 0
        while asked < 50000:
            asked += one_round(clients, names, values)
        made = counter.count() - before
        counter.disarm()
        # What allocates per request shows as thousands. A machine that stops a thread for a moment makes a burst that
        # the pools have not seen in their last seconds, and they grow for it: that is a handful.
        assert made * 200 < asked, f"{made} allocations in {asked} requests:\n    {counter.callers(proxy)}"
        for client in clients:
            client.close()
