"""Starts and stops what a benchmark needs: backends, proxies, their configuration and the cores they run on."""

import dataclasses
import os
import pathlib
import random
import resource
import shlex
import shutil
import socket
import subprocess
import time

from . import works

SLOTS = 16384
FILES_WANTED = 65_536
START_TIMEOUT = 20


def raise_file_limit():
    """Room for 10,000 connections; children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (FILES_WANTED, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
            return
        except (ValueError, OSError):
            continue


@dataclasses.dataclass(frozen=True)
class Cores:
    """Which cores run what; None leaves a process to the scheduler."""

    proxy: int | None
    load: int | None
    backends: int | None
    realtime: bool = False

    @staticmethod
    def choose(pin, realtime):
        cores = sorted(os.sched_getaffinity(0))
        if not pin or len(cores) < 2:
            return Cores(None, None, None, realtime)
        return Cores(cores[0], cores[1], cores[2] if len(cores) > 2 else cores[1], realtime)

    def text(self):
        if self.proxy is None:
            where = "nothing pinned"
        elif self.load == self.backends:
            where = f"proxy on core {self.proxy}, load generator and backends on core {self.load}"
        else:
            where = f"proxy on core {self.proxy}, load generator on {self.load}, backends on {self.backends}"
        return where + (", all under SCHED_RR" if self.realtime else "")

    def wrap(self, core, command):
        """The command line that runs `command` on `core`."""
        scheduler = ["chrt", "--rr", "1"] if self.realtime else []
        return scheduler + ([] if core is None else ["taskset", "-c", str(core)]) + command


def free_ports(count):
    """Ports of 127.0.0.1 that nothing listens on, above the ephemeral ones where there is room: an outgoing connection
    could take those before the server does. All are held until the last is found, so they differ."""
    low, high = map(int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split())
    wanted = range(high + 1, 65536) if high < 64_000 else range(10_000, max(low, 20_000))
    held = []
    for port in random.SystemRandom().sample(wanted, len(wanted)):
        s = socket.socket()
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            s.close()
            continue
        held.append(s)
        if len(held) == count:
            break
    else:
        raise SystemExit(f"{count} free ports are wanted, and there are only {len(held)}")
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


class Stack:
    """The processes of one benchmark run. Leaving the `with` block stops them all."""

    def __init__(self, folder, cores):
        self.folder = pathlib.Path(folder)
        self.cores = cores
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.running):
            stop(process)

    def start(self, name, command, core, ports):
        """Starts a server and waits until it listens on all `ports`."""
        log = self.folder / f"{name}.log"
        with open(log, "ab") as out:
            process = subprocess.Popen(self.cores.wrap(core, command), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                       cwd=self.folder)
        self.running.append(process)
        deadline = time.monotonic() + START_TIMEOUT
        for port in ports:
            while not listens(port):
                if process.poll() is not None:
                    raise SystemExit(f"{name} ended with code {process.returncode}: {shlex.join(command)}\n"
                                     + log.read_text(errors="replace")[-2000:])
                if time.monotonic() > deadline:
                    raise SystemExit(f"{name} does not listen on port {port}: {shlex.join(command)}")
                time.sleep(0.02)
        return process

    def stop(self, process):
        self.running.remove(process)
        stop(process)

    def start_backends(self, pool):
        """The servers of works.POOLS[pool], without persistence. Returns (process, port) of each."""
        kind = works.POOLS[pool]
        ports = free_ports(kind.count * 2)
        ports, buses = ports[:kind.count], ports[kind.count:]
        started = []
        for number, port in enumerate(ports):
            name = f"{pool}{number + 1}"
            if kind.software == "redis":
                command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                           "--maxclients", "12000"]
                if kind.cache_type == "redis_cluster":
                    nodes = self.folder / f"{name}-nodes.conf"
                    nodes.write_text(nodes_conf(number, ports, buses))
                    command += ["--cluster-enabled", "yes", "--cluster-config-file", nodes.name, "--cluster-port",
                                buses[number]]
            else:
                command = ["memcached", "-l", "127.0.0.1", "-p", port, "-U", "0", "-t", "1", "-m", "1024", "-c",
                           "12000"]
                if os.geteuid() == 0:
                    command += ["-u", "root"]
            command = [str(part) for part in command]
            started.append((self.start(name, command, self.cores.backends, [port]), port))
        if kind.cache_type == "redis_cluster":
            for port in ports:
                wait_for_cluster(port)
        return started


def master_slots(number, count):
    """First and last slot of one of `count` masters."""
    return SLOTS * number // count, SLOTS * (number + 1) // count - 1


def nodes_conf(me, ports, buses):
    """A Redis Cluster's masters as each of them knows them from the start: nothing has to meet."""
    lines = []
    for number, (port, bus) in enumerate(zip(ports, buses)):
        first, last = master_slots(number, len(ports))
        lines.append(f"{number + 1:040x} 127.0.0.1:{port}@{bus} {'myself,' if number == me else ''}master - 0 0 "
                     f"{number + 1} connected {first}-{last}")
    return "\n".join(lines) + f"\nvars currentEpoch {len(ports)} lastVoteEpoch 0\n"


def wait_for_cluster(port):
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as node:
            node.sendall(b"CLUSTER INFO\r\n")
            if b"cluster_state:ok" in node.recv(4096):
                return
        time.sleep(0.05)
    raise SystemExit(f"the Redis Cluster node on port {port} does not see the whole cluster")


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def stop(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def make_certificate(folder):
    """(certificate, key): ECDSA with P-256, signed by itself."""
    paths = folder / "proxy.crt", folder / "proxy.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", "/CN=localhost", "-out", paths[0], "-keyout", paths[1]], check=True,
                   capture_output=True)
    return paths


def one_cluster_toml(name, cache_type, port, servers):
    return f"""[[clusters]]
name = "{name}"
cache_type = "{cache_type}"
listen_proto = "tcp"
listen_addr = "127.0.0.1:{port}"
hash_method = "fnv1a_64"
hash_distribution = "ketama"
hash_tag = ""
node_connections = 1
dial_timeout = 1000
read_timeout = 5000
write_timeout = 5000
ping_fail_limit = 3
ping_auto_eject = false
servers = [{", ".join(f'"{server}"' for server in servers)}]
"""


def cluster_toml(listen, backends, certificate=None, more=""):
    """The configuration of overlord-proxy: one cluster per pool. more: keys of each."""
    text = ""
    for pool in backends:
        if pool not in listen:
            continue
        port = listen[pool]
        cache_type = works.POOLS[pool].cache_type
        servers = [f"127.0.0.1:{p}:1 {pool}{i}" for i, (_, p) in enumerate(backends[pool], 1)]
        if cache_type == "redis_cluster":
            servers = [f"127.0.0.1:{p}" for _, p in backends[pool]]
        text += one_cluster_toml(f"bench-{pool}", cache_type, port, servers) + more
        if works.POOLS[pool].tls:
            text += f"""listen_tls_addr = "127.0.0.1:{listen[pool + '+tls']}"
tls_cert = "{certificate[0]}"
tls_key = "{certificate[1]}"
"""
        text += "\n"
    return text


def nutcracker_yml(listen, backends):
    """The same for nutcracker."""
    text = ""
    for pool, port in listen.items():
        text += f"""bench_{pool}:
  listen: 127.0.0.1:{port}
  hash: fnv1a_64
  distribution: ketama
  redis: {"true" if works.POOLS[pool].software == "redis" else "false"}
  preconnect: true
  auto_eject_hosts: false
  server_connections: 1
  timeout: 5000
  backlog: 4096
  servers:
"""
        text += "".join(f"   - 127.0.0.1:{p}:1 {pool}{i}\n" for i, (_, p) in enumerate(backends[pool], 1))
    return text


def find_binary(name, folders):
    """The first executable `name` in `folders`, else on PATH, else None."""
    for folder in folders:
        path = pathlib.Path(folder) / name
        if os.access(path, os.X_OK):
            return str(path.resolve())
    return shutil.which(name)
