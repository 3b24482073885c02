"""What a row is played on: backends, relays before some of them, the proxy, all ended together."""

import os
import pathlib
import re
import signal
import subprocess
import sys

import harness
import upgrades
from relay_process import RelayProcess
from redis_cluster import RedisCluster, slot_of
from ring import ring_of

READ_TIMEOUT = int(400 * harness.SCALE)
SERVERS = {"redis": harness.Redis, "memcache": harness.Memcached}


class WrappedProxy(harness.Proxy):
    """The proxy started by a command before it: a mount namespace, mostly."""

    def __init__(self, *clusters, wrapper=(), **keywords):
        self.wrapper = list(wrapper)
        super().__init__(*clusters, **keywords)

    def spawn(self, argv, env=None):
        super().spawn([*self.wrapper, *argv], env)
        self.processes = [self.child.pid]

    @property
    def pid(self):
        return self.processes[-1]

    def signal(self, number):
        os.kill(self.pid, number)

    def hand_over(self, number):
        """The `number`-th upgrade; the process that gave way has ended then, and closed nobody."""
        old = self.pid
        self.signal(signal.SIGUSR2)
        harness.wait_until(lambda: self.output().count("ended; the new process serves") == number, 30,
                           f"upgrade {number}")
        starts = re.findall(r"overlord-proxy \S+, pid (\d+)", self.output())
        self.processes.append(int(starts[-1]))
        upgrades.ended(old)
        told = re.findall(r"upgrade: (\d+) clients moved, (\d+) left or were idle, (\d+) are closed", self.output())[-1]
        if told[1:] != ("0", "0"):
            raise harness.Failed(f"upgrade {number}: {told}")

    def stop(self):
        if len(self.processes) == 1:
            return super().stop()
        try:
            self.signal(signal.SIGTERM)
            code = upgrades.ended(self.pid)
            if code != 0 or any(word in self.output() for word in harness.SANITIZER_WORDS):
                raise harness.Failed(f"the proxy exited with {code}:\n{self.output()[-8000:]}")
        finally:
            self.kill_now()

    def kill_now(self):
        for pid in self.processes[1:]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        super().kill_now()


def at(make, host, port):
    """A server of the class `make` on this address."""

    class Fixed(make):
        def start(self):
            self.port = port
            return super().start()

    return Fixed(host=host)


class Stage:
    """kind, io: of the cluster. row: what is played (rows.Row). victim: the number of the backend that is hurt first."""

    def __init__(self, kind, io, row, relayed=()):
        self.kind, self.io, self.row, self.victim = kind, io, row, 0
        self.servers, self.relays, self.proxy, self.kept = [], {}, None, []
        self.folder = None
        self.figure = None  # what the row measures, for the table
        self.nodes = None  # of a Redis Cluster; the servers are its masters, each with a replica
        try:
            if kind == "redis_cluster":
                # Else all nodes refuse all keys while one of them is gone.
                self.nodes = RedisCluster(row.backends, 1, options=["--cluster-require-full-coverage", "no"])
            self.servers = self.nodes.masters if self.nodes else [SERVERS[kind]() for _ in range(row.backends)]
            for number in relayed or (range(row.backends) if row.relayed else ()):
                self.relays[number] = RelayProcess(self.servers[number])
            self.specs = [self.relays.get(n, s).spec for n, s in enumerate(self.servers)]
            self.ring = ring_of(row.backends)
            more = row.prepare(self) if row.prepare else {}
            specs = self.nodes.seeds if self.nodes else [f"{spec}:1 n{n}" for n, spec in enumerate(self.specs)]
            self.cluster = harness.Cluster(kind, specs, **{
                "read_timeout": READ_TIMEOUT, "write_timeout": READ_TIMEOUT, "dial_timeout": READ_TIMEOUT,
                "node_connections": 2, **row.settings})
            self.proxy = WrappedProxy(self.cluster, io=io, workers=2, **more)
        except BaseException:
            self.close()
            raise

    @property
    def server(self):
        return self.servers[self.victim]

    @property
    def relay(self):
        return self.relays[self.victim]

    @property
    def address(self):
        return self.proxy.address

    def node_of(self, key):
        """The number of the server that has the key at first."""
        if self.nodes is None:
            return self.ring.node(key)
        slot = slot_of(key)
        return next(n for n, (first, last) in enumerate(self.nodes.slots) if first <= slot <= last)

    def own_folder(self):
        """A folder of this stage's own."""
        if self.folder is None:
            self.folder = harness.Process("stage")
        return self.folder.folder

    def keep(self, thing):
        self.kept.append(thing)
        return thing

    def close(self):
        for thing in reversed(self.kept):
            thing.close()
        for process in [self.proxy, *self.relays.values(), *self.servers, self.nodes, self.folder]:
            if process is not None:
                process.kill_now()


def can(*command):
    """Whether the command succeeds here."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def mounts():
    """Why no private mounts can be made, or ''."""
    return "" if can("unshare", "-m", "true") else "no mount namespace without privileges"


def memory_group():
    """A folder of cgroups with the memory controller, or None: version 1 or 2."""
    for folder in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup"):
        path = pathlib.Path(folder)
        limit = "memory.limit_in_bytes" if folder.endswith("memory") else "memory.max"
        probe = path / f"overlord-probe-{os.getpid()}"
        try:
            probe.mkdir()
            found = (probe / limit).exists()
            probe.rmdir()
        except OSError:
            continue
        if found:
            return path, limit
    return None


def groups():
    return "" if memory_group() else "no memory cgroup can be made"


def faketime():
    """The path of libfaketime, or None."""
    found = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return found[0] if found else None


def clock():
    if harness.SANITIZER:
        return "the sanitizers do not bear libfaketime"
    return "" if faketime() else "no libfaketime"


def packets():
    """Whether another process's sockets can be reached (pidfd_getfd), to have them drop packets."""
    import droppackets
    child = subprocess.Popen([sys.executable, "-c", "import socket; s = socket.socket(); print(1, flush=True); input()"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        child.stdout.readline()
        droppackets.sockets_of(child.pid)
        return ""
    except OSError as failure:
        return f"the backend's sockets are out of reach: {failure.strerror}"
    finally:
        child.kill()
        child.communicate()


def log_lines(text):
    """Lines that do not begin as the log's lines do."""
    return [line for line in text.splitlines() if not re.match(r"\d{4}-\d\d-\d\d|\d{4}/\d\d/\d\d|\{", line)]
