"""What a reload of a big pool costs the clients: latency with and without reloads, in turns, in front of one proxy.

All nodes of the pool are one redis-server under a thousand addresses of 127.1.0.0/16, so that a key is found wherever
the ring sends it. A reload takes ten nodes out and puts ten others in: connections are made and closed, and a new ring
is built.
"""

import re
import shlex
import signal
import statistics
import threading
import time

from . import measure, processes, targets, works

NAME = "reload"
NODES = 1_000
CHANGED = 10
EVERY = 1.0  # seconds between reloads
GOAL_MS = 1.0  # that they may add to the p99
LOAD = works.Work(NAME, rate=20_000)


class Reloads:
    """Reloads the pool again and again, until the `with` block ends."""

    def __init__(self, process, write, log):
        self.process, self.write, self.log = process, write, log
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        number = 0
        while not self.ending.wait(EVERY / 2 if number == 0 else EVERY):
            number += 1
            self.write(number % 2 * CHANGED)
            self.process.send_signal(signal.SIGHUP)

    def applied(self):
        return len(re.findall("reload: cluster", self.log.read_text(errors="replace")))

    def __enter__(self):
        self.before = self.applied()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()
        deadline = time.monotonic() + 5
        while "refused" not in self.log.read_text() and self.applied() == self.before and time.monotonic() < deadline:
            time.sleep(0.05)
        self.count = self.applied() - self.before


def start(stack, command, name):
    """A proxy before the pool: (target, function that writes its file with the nodes from a number on, its log)."""
    redis_port, = processes.free_ports(1)
    # Not reachable from outside: without a password, protected mode serves loopback addresses only.
    server = stack.start("reload-redis", ["redis-server", "--port", str(redis_port), "--bind", "0.0.0.0", "--protected-mode",
                                          "yes", "--save", "", "--appendonly", "no", "--maxclients", "12000"],
                         stack.cores.backends, [redis_port])
    port, = processes.free_ports(1)
    file = stack.folder / f"reload-{name}.toml"

    def write(first):
        servers = [f"127.1.{n // 250}.{n % 250 + 1}:{redis_port}:1" for n in range(first, first + NODES)]
        fresh = file.with_suffix(".new")
        fresh.write_text(processes.one_cluster_toml("bench-reload", "redis", port, servers))
        fresh.rename(file)

    write(0)
    io = name.partition("-")[2] or "epoll"
    command = [part.format(cluster=file, nutcracker="", io=io) for part in shlex.split(command)]
    log = f"reload-{name}"
    process = stack.start(log, command, stack.cores.proxy, [port])
    target = targets.Target(name, "overlord", process.pid, {"redis": port}, {"redis": [server.pid]}, True, process)
    return target, write, stack.folder / f"{log}.log"


def compare(stack, command, name, loadgen, repeats, seconds):
    """The figures of one driver. Each round is a window without reloads and one with them."""
    target, write, log = start(stack, command, name)
    lane = works.Lane("overlord", "redis", "redis")
    measure.preload(loadgen, target, lane, LOAD)
    quiet, busy, count = [], [], 0
    for _ in range(repeats):
        quiet.append(measure.sample(loadgen, target, lane, LOAD, seconds, 0.5))
        with Reloads(target.process, write, log) as reloads:
            busy.append(measure.sample(loadgen, target, lane, LOAD, seconds, 0.5))
        count += reloads.count
        if reloads.count == 0:
            raise measure.LoadFailed(f"{name}: no reload was applied")
    added = [(b["p99"] - q["p99"]) / 1000 for q, b in zip(quiet, busy)]
    return {"target": name, "reloads": count, "added_p99_ms": statistics.median(added), "goal_ms": GOAL_MS,
            "quiet": quiet, "busy": busy}
