"""What is measured: the works of the benchmark, and the goals that the project has set itself."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Pool:
    """Servers that hold data together, and how proxies are told to use them."""

    software: str
    count: int
    cache_type: str
    tls: bool = False  # overlord-proxy listens with TLS too


POOLS = {
    "redis": Pool("redis", 4, "redis"),
    "memcache": Pool("memcache", 4, "memcache"),
    "ketama": Pool("redis", 3, "redis"),
    "cluster": Pool("redis", 3, "redis_cluster"),
    "secure": Pool("redis", 4, "redis", tls=True),
}


@dataclasses.dataclass(frozen=True)
class Lane:
    """One row of a work: who takes the load, which pool is behind it, and what the clients speak."""

    server: str  # nutcracker, overlord, observed, unobserved or direct
    pool: str
    proto: str
    label: str = ""  # what the row says besides the server
    options: tuple = ()
    goal: float | None = None  # CPU of the proxy, in parts of the base row's

    def name(self, target):
        return f"{target} {self.label}".strip()

    def listener(self):
        """The key of the port in Target.ports."""
        return self.pool + "+tls" if "--tls" in self.options else self.pool


@dataclasses.dataclass(frozen=True)
class Work:
    """One load. Goals are ratios in the same run: to nutcracker, or where the work has lanes of its own, to the lane
    `base` on the same server."""

    name: str
    proto: str = "redis"
    connections: int = 50
    pipeline: int = 1
    multi_get: int = 1
    keys: int = 100_000
    value_size: int = 100
    rate: int = 0
    reconnect: bool = False
    shape: str = "string"
    set_ratio: float = 0.1
    goal_cpu: float | None = None
    goal_cpu_with_backends: float | None = None
    lanes: tuple = ()
    base: str | None = None

    def load_options(self):
        options = ["--connections", self.connections, "--pipeline", self.pipeline, "--multi-get", self.multi_get,
                   "--set-ratio", self.set_ratio, *self.data_options()]
        if self.rate:
            options += ["--rate", self.rate]
        if self.reconnect:
            options.append("--reconnect")
        return [str(option) for option in options]

    def data(self):
        """What the backends must hold."""
        return (self.shape, self.keys, self.value_size)

    def data_options(self):
        shape = [] if self.shape == "string" else ["--shape", self.shape]
        return [*shape, "--keys", self.keys, "--key-size", 32, "--value-size", self.value_size]

    def counts_calls(self):
        """Whether system calls per request are counted: not where that takes long or says nothing."""
        return not self.rate and not self.reconnect and self.connections < 1000

    def pools(self):
        return list(dict.fromkeys(lane.pool for lane in self.lanes)) or [self.proto]

    def rows(self, targets):
        """(lane, target) of each row, for the targets that this run has."""
        if not self.lanes:
            return [(Lane(t.server, self.proto, self.proto), t) for t in targets]
        return [(lane, t) for lane in self.lanes for t in targets if t.server == lane.server]

    def text(self):
        """The work in words."""
        parts = [f"{self.connections:,} connections"]
        if self.reconnect:
            parts.append("each for one get, then the next")
        elif self.rate:
            parts.append(f"{self.rate:,} requests/s offered, at most {self.pipeline} in flight per connection")
        else:
            parts.append(f"pipeline {self.pipeline}")
        if self.multi_get > 1:
            parts.append(f"reads of {self.multi_get} keys")
        if self.shape != "string":
            parts.append({"hash": "HGETALL of 10 fields", "zset": "ZRANGE WITHSCORES of 10 members"}[self.shape])
        parts.append(f"{self.value_size // 1024} KiB values" if self.value_size >= 1024
                     else f"{self.value_size}-byte values")
        return ", ".join(parts)


# Fewer keys of the big values: every data set must fit into the memory of one backend.
BIG = {"value_size": 16 * 1024, "keys": 4_000}

PROTOCOLS = {"base": "RESP2", "lanes": (Lane("overlord", "redis", "redis", "RESP2"),
                                        Lane("overlord", "redis", "resp3", "RESP3", goal=1.3))}
TENS = {"value_size": 20, "keys": 20_000, "set_ratio": 0, **PROTOCOLS}
DIALECTS = {"base": "text", "lanes": (Lane("nutcracker", "memcache", "memcache", "text"),
                                      Lane("overlord", "memcache", "memcache", "text"),
                                      Lane("overlord", "memcache", "meta", "meta"),
                                      Lane("overlord", "memcache", "binary", "binary"))}
# Asked directly, one master can only be asked for keys of its own slots.
CLUSTER = {"base": "ketama", "lanes": (Lane("nutcracker", "ketama", "redis", "ketama"),
                                       Lane("overlord", "ketama", "redis", "ketama"),
                                       Lane("overlord", "cluster", "redis", "redis_cluster", goal=1.1),
                                       Lane("direct", "cluster", "redis", "master", ("--slots", "0-5460")))}
TLS = {"base": "plain", "lanes": (Lane("overlord", "secure", "redis", "plain"),
                                  Lane("overlord", "secure", "redis", "TLS", ("--tls",)))}
HANDSHAKES = {"base": "plain", "lanes": (Lane("overlord", "secure", "redis", "plain"),
                                         Lane("overlord", "secure", "redis", "TLS, full", ("--tls",)),
                                         Lane("overlord", "secure", "redis", "TLS, resumed", ("--tls", "--resume")))}

# One proxy with everything that watches it on, one with all of that off.
def observation(proto, pipeline):
    lanes = (Lane("unobserved", proto, proto, "unobserved"), Lane("observed", proto, proto, "observed", goal=1.05))
    return Work(f"observation-{proto}-p{pipeline}", proto, pipeline=pipeline, set_ratio=0, base="unobserved", lanes=lanes)


WORKS = [
    Work("redis-c50p1", "redis", goal_cpu=0.85),
    Work("redis-c200p1", "redis", connections=200, goal_cpu=0.80),
    Work("redis-c50r20k", "redis", rate=20_000),
    Work("redis-c50p16", "redis", pipeline=16, goal_cpu=0.45),
    Work("redis-c200p16", "redis", connections=200, pipeline=16),
    Work("redis-c50p64", "redis", pipeline=64, goal_cpu=0.25),
    Work("redis-mget10", "redis", multi_get=10, goal_cpu=0.60),
    Work("redis-mget10p16", "redis", multi_get=10, pipeline=16, goal_cpu=0.30),
    Work("redis-c10000p1", "redis", connections=10_000),
    Work("redis-16k", "redis", **BIG),
    Work("memcache-c50p1", "memcache", goal_cpu=0.85),
    Work("memcache-c200p1", "memcache", connections=200),
    Work("memcache-c50r20k", "memcache", rate=20_000),
    Work("memcache-c50p16", "memcache", pipeline=16, goal_cpu=0.35, goal_cpu_with_backends=0.40),
    Work("memcache-c200p16", "memcache", connections=200, pipeline=16),
    Work("memcache-c50p64", "memcache", pipeline=64),
    Work("memcache-get10", "memcache", multi_get=10, goal_cpu=0.40),
    Work("memcache-get10p16", "memcache", multi_get=10, pipeline=16),
    Work("memcache-16k", "memcache", **BIG),
    Work("resp3-c50p1", **PROTOCOLS),
    Work("resp3-c50p16", pipeline=16, **PROTOCOLS),
    Work("resp3-hgetall10", shape="hash", **TENS),
    Work("resp3-hgetall10p16", pipeline=16, shape="hash", **TENS),
    Work("resp3-zrange10", shape="zset", **TENS),
    Work("resp3-zrange10p16", pipeline=16, shape="zset", **TENS),
    Work("dialects-c50p1", "memcache", **DIALECTS),
    Work("dialects-c50p16", "memcache", pipeline=16, **DIALECTS),
    Work("cluster-c50p1", **CLUSTER),
    Work("cluster-c50p16", pipeline=16, **CLUSTER),
    Work("cluster-c50p64", pipeline=64, **CLUSTER),
    Work("tls-c50p1", **TLS),
    Work("tls-c50p16", pipeline=16, **TLS),
    Work("tls-connect", reconnect=True, **HANDSHAKES),
    *(observation(proto, pipeline) for proto in ("redis", "memcache") for pipeline in (1, 16)),
]

# Keys of every cluster, and of the process, for the two proxies of `observation`. {stat}: an address of its own.
OBSERVED = {
    "observed": ("watch_keys = true\nslowlog_slower_than = 100000\n", 'stat = "{stat}"\n[proxy]\nuse_metrics = true\n'),
    "unobserved": ("watch_keys = false\nslowlog_slower_than = 0\n", "[proxy]\nuse_metrics = false\n"),
}

# CPU per request of the first work is at most this many times that of the second.
MANY_CONNECTIONS = ("redis-c10000p1", "redis-c200p1", 1.3)

# Bytes of user-space memory per idle connection that has served a request.
MEMORY_GOAL = 512
IDLE_COUNTS = (1_000, 10_000)


def stages(chosen):
    """The works in groups, each with the pools that it needs: what one needs does not run beside another."""
    groups = {}
    for work in chosen:
        groups.setdefault(work.name.partition("-")[0] if work.lanes else "", []).append(work)
    return [(list(dict.fromkeys(pool for work in group for pool in work.pools())), group) for group in groups.values()]


def servers(group):
    """The kinds of overlord-proxy that the works of a stage need."""
    kinds = {lane.server for work in group for lane in work.lanes} - {"nutcracker", "direct"}
    return sorted(kinds) or ["overlord"]


# What is measured in other ways than works are.
EXTRAS = {"memory": "both: memory of the proxy with idle connections",
          "reload": "redis: latency while a pool of 1,000 nodes is reloaded"}


def select(only):
    """The works named in `only` (comma-separated; a name may be a prefix ending in *), in the order of WORKS, and the
    set of the EXTRAS that were asked for."""
    if not only:
        return WORKS, set(EXTRAS)
    names = [name.strip() for name in only.split(",") if name.strip()]
    known = {work.name for work in WORKS} | set(EXTRAS)
    unknown = [n for n in names if n not in known and not (n.endswith("*") and any(k.startswith(n[:-1]) for k in known))]
    if unknown or not names:
        raise SystemExit(f"unknown work {', '.join(unknown) or only!r}; known: {', '.join(sorted(known))}")
    chosen = [work for work in WORKS
              if any(work.name == n or (n.endswith("*") and work.name.startswith(n[:-1])) for n in names)]
    return chosen, set(EXTRAS) & set(names)
