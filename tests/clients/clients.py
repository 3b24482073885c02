"""The clients that the suite drives: how each is started, and against which targets."""

import json
import pathlib
import sys

import npm
import table

HERE = pathlib.Path(__file__).resolve().parent


class Client:
    """title: its column in the tables. weight: about how long a run takes; the longest start first.
    note: what the document says beside its version."""

    env: dict = {}

    def __init__(self, title, kind, runner, *words, targets=None, tls=True, weight=1, note="", tool=None, cluster=False):
        self.title, self.kind, self.runner, self.words = title, kind, runner, words
        self.only_targets, self.tls, self.weight, self.note = targets, tls, weight, note
        self.tool = tool
        self.cluster = cluster
        self.features = tool or (table.REDIS if kind == "redis" else table.MEMCACHE)

    def speaks(self, target):
        return (target.kind == self.kind and (self.tls or not target.tls)
                and (self.only_targets is None or target.name in self.only_targets))

    def command(self, given):
        return [sys.executable, str(HERE / self.runner), json.dumps(given), *self.words]


class NodeClient(Client):
    env = {"NODE_PATH": str(npm.MODULES)}

    def command(self, given):
        return [str(npm.node()), str(HERE / "node" / self.runner), json.dumps(given), *self.words]


class PerlClient(Client):
    def command(self, given):
        return ["perl", str(HERE / self.runner), json.dumps(given), *self.words]


CLUSTER = ("redis cluster",)
REDIS_TOOLS = {name: title for name, title in table.TOOLS.items() if name.startswith("redis")}
MEMCACHE_TOOLS = {name: title for name, title in table.TOOLS.items() if name.startswith("mem")}

ALL = [
    Client("redis-py", "redis", "redis_py.py", "python", weight=4, note="Debian's python3-redis"),
    Client("redis-py, hiredis", "redis", "redis_py.py", "hiredis", weight=3, note="Debian's python3-hiredis"),
    Client("redis-cli", "redis", "redis_cli.py", weight=3),
    NodeClient("ioredis", "redis", "ioredis.js", weight=4),
    Client("redis-py RedisCluster", "redis", "redis_py.py", "cluster", targets=CLUSTER, cluster=True, weight=4,
           note="as a client of a Redis Cluster, which the proxy stands for"),
    NodeClient("node-redis", "redis", "node_redis.js", weight=4),
    NodeClient("valkey-glide", "redis", "valkey_glide.js", weight=4),
    NodeClient("ioredis Cluster", "redis", "ioredis.js", "cluster", targets=CLUSTER, cluster=True, weight=4),
    NodeClient("node-redis cluster", "redis", "node_redis.js", "cluster", targets=CLUSTER, cluster=True, weight=4),
    NodeClient("valkey-glide cluster", "redis", "valkey_glide.js", "cluster", targets=CLUSTER, cluster=True, weight=4),
    Client("redis-benchmark", "redis", "redis_benchmark.py", weight=5, tool=REDIS_TOOLS),
    Client("pymemcache", "memcache", "pymemcache_client.py", weight=3, note="text; Debian's python3-pymemcache"),
    Client("libmemcached, text", "memcache", "pylibmc_client.py", "text", tls=False, weight=3,
           note="by Debian's python3-pylibmc; it has no TLS"),
    Client("libmemcached, binary", "memcache", "pylibmc_client.py", "binary", tls=False, weight=3,
           note="by Debian's python3-pylibmc; it has no TLS"),
    NodeClient("memjs", "memcache", "memjs.js", tls=False, weight=3, note="binary; it has no TLS"),
    Client("bmemcached", "memcache", "bmemcached_client.py", weight=3, note="binary; Debian's python3-binary-memcached"),
    PerlClient("Cache::Memcached::Fast", "memcache", "cache_memcached_fast.pl", tls=False, weight=3,
               note="text; Debian's libcache-memcached-fast-perl; it has no TLS"),
    Client("libmemcached-tools", "memcache", "memcached_tools.py", tls=False, weight=5, tool=MEMCACHE_TOOLS,
           note="Debian calls memcapable memccapable and memslap memcslap; they have no TLS"),
]
