"""What is measured: the works of the benchmark, and the goals that the project has set itself."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Work:
    """One load. Goals are ratios to nutcracker in the same run."""

    name: str
    proto: str
    connections: int = 50
    pipeline: int = 1
    multi_get: int = 1
    keys: int = 100_000
    value_size: int = 100
    rate: int = 0
    goal_cpu: float | None = None
    goal_cpu_with_backends: float | None = None

    def load_options(self):
        options = ["--proto", self.proto, "--connections", self.connections, "--pipeline", self.pipeline,
                   "--multi-get", self.multi_get, *self.data_options()]
        if self.rate:
            options += ["--rate", self.rate]
        return [str(option) for option in options]

    def data_options(self):
        return ["--keys", self.keys, "--key-size", 32, "--value-size", self.value_size]

    def text(self):
        """The work in words."""
        parts = [f"{self.connections:,} connections"]
        if self.rate:
            parts.append(f"{self.rate:,} requests/s offered, at most {self.pipeline} in flight per connection")
        else:
            parts.append(f"pipeline {self.pipeline}")
        if self.multi_get > 1:
            parts.append(f"reads of {self.multi_get} keys")
        parts.append(f"{self.value_size // 1024} KiB values" if self.value_size >= 1024
                     else f"{self.value_size}-byte values")
        return ", ".join(parts)


# Fewer keys of the big values: every data set must fit into the memory of one backend.
BIG = {"value_size": 16 * 1024, "keys": 4_000}

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
]

# CPU per request of the first work is at most this many times that of the second.
MANY_CONNECTIONS = ("redis-c10000p1", "redis-c200p1", 1.3)

# Bytes of user-space memory per idle connection that has served a request.
MEMORY_GOAL = 512
IDLE_COUNTS = (1_000, 10_000)


def select(only):
    """The works named in `only` (comma-separated; a name may be a prefix ending in *), in the order of WORKS, and
    whether the memory of idle connections was asked for."""
    if not only:
        return WORKS, True
    names = [name.strip() for name in only.split(",") if name.strip()]
    known = {work.name for work in WORKS} | {"memory"}
    unknown = [n for n in names if n not in known and not (n.endswith("*") and any(k.startswith(n[:-1]) for k in known))]
    if unknown or not names:
        raise SystemExit(f"unknown work {', '.join(unknown) or only!r}; known: {', '.join(sorted(known))}")
    chosen = [work for work in WORKS
              if any(work.name == n or (n.endswith("*") and work.name.startswith(n[:-1])) for n in names)]
    return chosen, "memory" in names
