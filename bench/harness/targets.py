"""What the load is sent to: overlord-proxy, nutcracker, or one backend directly."""

import dataclasses
import shlex
import shutil
import subprocess

from . import processes, works


@dataclasses.dataclass
class Target:
    """A running server that takes the load. `pid` is None for `direct`, whose CPU is the backend's."""

    name: str
    server: str
    pid: int | None
    ports: dict
    backend_pids: dict
    is_ours: bool = False
    process: subprocess.Popen | None = None


class Launcher:
    """Starts targets by name in front of the backends of a stack."""

    def __init__(self, stack, backends, proxy_command):
        self.stack = stack
        self.backends = backends
        self.proxy_command = proxy_command
        self.backend_pids = {pool: [p.pid for p, _ in servers] for pool, servers in backends.items()}
        self.count = 0
        self.certificate = None
        if any(works.POOLS[pool].tls for pool in backends):
            self.certificate = processes.make_certificate(stack.folder)

    def start(self, name, server="overlord"):
        """server: of an overlord-proxy, as in works.Lane."""
        if name == "direct":
            return Target(name, name, None, {pool: servers[0][1] for pool, servers in self.backends.items()},
                          {pool: [servers[0][0].pid] for pool, servers in self.backends.items()})
        self.count += 1
        pools = self.backends
        if name == "nutcracker":
            pools = [pool for pool in pools if works.POOLS[pool].cache_type != "redis_cluster"]
        names = [*pools, *(f"{pool}+tls" for pool in pools if works.POOLS[pool].tls)]
        ports = processes.free_ports(len(names) + 1)
        listen = dict(zip(names, ports))
        more, process = works.OBSERVED.get(server, ("", ""))
        yml = self.stack.folder / f"{name}-{self.count}.yml"
        yml.write_text(processes.nutcracker_yml({pool: listen[pool] for pool in pools}, self.backends))
        toml = self.stack.folder / f"{name}-{self.count}.toml"
        toml.write_text(processes.cluster_toml(listen, self.backends, self.certificate, more))
        if name == "nutcracker":
            binary = shutil.which("nutcracker") or "/usr/sbin/nutcracker"
            command = [binary, "-c", str(yml), "-s", str(ports[-1]), "-a", "127.0.0.1"]
        else:
            io = name.partition("-")[2] or "epoll"
            command = [part.format(cluster=toml, nutcracker=yml, io=io) for part in shlex.split(self.proxy_command)]
            if process:
                conf = toml.with_suffix(".proxy.toml")
                conf.write_text(process.format(stat=f"127.0.0.1:{processes.free_ports(1)[0]}"))
                command += ["-conf", str(conf)]
        listening = [port for key, port in listen.items() if name != "nutcracker" or not key.endswith("+tls")]
        process = self.stack.start(f"{name}-{self.count}", command, self.stack.cores.proxy, listening)
        ours = name != "nutcracker"
        return Target(name, server if ours else name, process.pid, listen, self.backend_pids, ours, process)

    def stop(self, target):
        if target.process is not None:
            self.stack.stop(target.process)
