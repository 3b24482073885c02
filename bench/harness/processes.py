"""Starts and stops what a benchmark needs: backends, proxies, their configuration and the cores they run on."""

import dataclasses
import os
import pathlib
import resource
import shlex
import shutil
import socket
import subprocess
import time

BACKENDS = 4
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
    """Ports of 127.0.0.1 that nothing listens on. All are held until the last is found, so they differ."""
    held = []
    for _ in range(count):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        held.append(s)
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

    def start_backends(self, proto):
        """BACKENDS servers without persistence. Returns (process, port) of each."""
        started = []
        for number, port in enumerate(free_ports(BACKENDS), 1):
            if proto == "redis":
                command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                           "--maxclients", "12000"]
            else:
                command = ["memcached", "-l", "127.0.0.1", "-p", port, "-U", "0", "-t", "1", "-m", "1024", "-c",
                           "12000"]
                if os.geteuid() == 0:
                    command += ["-u", "root"]
            command = [str(part) for part in command]
            started.append((self.start(f"{proto}{number}", command, self.cores.backends, [port]), port))
        return started


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


def cluster_toml(listen, backends):
    """The configuration of overlord-proxy: one cluster per protocol."""
    text = ""
    for proto, port in listen.items():
        servers = ", ".join(f'"127.0.0.1:{p}:1 {proto}{i}"' for i, (_, p) in enumerate(backends[proto], 1))
        text += f"""[[clusters]]
name = "bench-{proto}"
cache_type = "{proto}"
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
servers = [{servers}]

"""
    return text


def nutcracker_yml(listen, backends):
    """The same for nutcracker."""
    text = ""
    for proto, port in listen.items():
        text += f"""bench_{proto}:
  listen: 127.0.0.1:{port}
  hash: fnv1a_64
  distribution: ketama
  redis: {"true" if proto == "redis" else "false"}
  preconnect: true
  auto_eject_hosts: false
  server_connections: 1
  timeout: 5000
  backlog: 4096
  servers:
"""
        text += "".join(f"   - 127.0.0.1:{p}:1 {proto}{i}\n" for i, (_, p) in enumerate(backends[proto], 1))
    return text


def find_binary(name, folders):
    """The first executable `name` in `folders`, else on PATH, else None."""
    for folder in folders:
        path = pathlib.Path(folder) / name
        if os.access(path, os.X_OK):
            return str(path.resolve())
    return shutil.which(name)
