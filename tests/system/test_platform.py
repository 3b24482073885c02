"""The whole platform on one machine, as a user sees it: an API server, a scheduler with its executors, a proxy that follows
them, and the command line."""

import json
import os
import random
import signal
import subprocess

import pytest

import harness
from clients import McConn, RedisConn, RedisError
from harness import SCALE, wait_until

BIN = harness.PROXY.parent
SERVERS = ("overlord-executor", "memcached", "redis-server", "redis-check-rdb")  # Debian's redis-server is the latter


class Service(harness.Process):
    """A program of the platform."""

    def __init__(self, name, *argv):
        super().__init__(name)
        self.spawn([BIN / name, *argv], env=dict(os.environ))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            print(f"--- {self.name} said ---\n{self.output()[-6000:]}")
        self.signal(signal.SIGTERM)
        try:
            assert self.child.wait(30 * SCALE) == 0, self.output()[-4000:]
        finally:
            self.kill_now()


class Platform:
    """Three virtual hosts on loopback addresses that nobody else has."""

    def __init__(self, folder):
        self.folder = folder
        net = f"127.{random.randrange(2, 250)}.{random.randrange(250)}"
        self.hosts = [f"{net}.{n}" for n in (1, 2, 3)]
        self.url = f"http://127.0.0.1:{harness.free_port('127.0.0.1')}"
        self.token = folder / "token"
        (folder / "api.toml").write_text(
            f'listen = "{self.url.removeprefix("http://")}"\nstore = "sqlite://{folder}/state.db"\n'
            f'token_file = "{self.token}"\n[groups]\nlocal = "this machine"\n' + "".join(
                f'[[versions]]\ncache_type = "{kind}"\nversions = ["{version}"]\n' for kind, version in VERSIONS.items()))
        (folder / "scheduler.toml").write_text(
            f'store = "sqlite://{folder}/state.db"\nengine = "local"\nfolder = "{folder}/n"\n'
            'executor_arguments = ["--stop-nodes"]\n' + "".join(
                f'[[hosts]]\naddress = "{host}"\ngroup = "local"\nspec = "8c4g"\n' for host in self.hosts))
        self.services = []

    def __enter__(self):
        self.services.append(Service("overlord-apiserver", "-conf", self.folder / "api.toml", "-std").__enter__())
        self.services.append(Service("overlord-scheduler", "-conf", self.folder / "scheduler.toml", "-std").__enter__())
        wait_until(lambda: self.token.exists() and self.lives() == 3, 30 * SCALE, "the hosts to be known")
        return self

    def __exit__(self, *why):
        try:
            for service in reversed(self.services):
                service.__exit__(*why)
        finally:
            for pid in self.executors():
                os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not self.pids(self.hosts), 30 * SCALE, "executors and nodes to end")

    def run(self, *words, code=0):
        done = subprocess.run(
            [BIN / "overlord", *map(str, words), "--server", self.url, "--token-file", self.token], text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=120 * SCALE)
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def ask(self, *words):
        return json.loads(self.run(*words, "-o", "json"))

    def lives(self):
        done = subprocess.run([BIN / "overlord", "host", "list", "-o", "json", "--server", self.url, "--token-file",
                               self.token], capture_output=True, text=True)
        return len(json.loads(done.stdout)["items"]) if done.returncode == 0 else 0

    def create(self, name, kind, number):
        return self.run("cluster", "create", name, "--type", kind, "--version", VERSIONS[kind], "--group", "local",
                        "--spec", "0.25c32m", "--number", number, "--wait")

    @staticmethod
    def pids(hosts):
        """Executors and servers that say one of these addresses in their command line."""
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                line = open(f"/proc/{entry}/cmdline", "rb").read()
                program = os.path.basename(os.readlink(f"/proc/{entry}/exe"))
            except OSError:
                continue
            if any(host.encode() in line for host in hosts) and program in SERVERS:
                found.append((int(entry), program))
        return found

    def executors(self):
        return [pid for pid, program in self.pids(self.hosts) if program == "overlord-executor"]

    def lose(self, host):
        """Everything on it ends at once."""
        for pid, _ in self.pids([host]):
            os.kill(pid, signal.SIGKILL)


def version_of(program, word):
    said = subprocess.run([program, word], capture_output=True, text=True).stdout
    return next(part.removeprefix("v=") for part in said.split() if part.removeprefix("v=")[0].isdigit())


VERSIONS = {"redis": version_of("redis-server", "-v"), "redis_cluster": version_of("redis-server", "-v"),
            "memcache": version_of("memcached", "-V")}


@pytest.fixture
def platform(tmp_path_factory):
    with Platform(tmp_path_factory.mktemp("p")) as platform:
        yield platform


def proxy_of(platform, io):
    """A proxy that has all its clusters from the platform."""
    clusters = []
    for cluster in platform.ask("cluster", "list")["items"]:
        kind = harness.memcache if cluster["cache_type"] == "memcache" else harness.redis
        clusters.append(kind([], listen=("127.0.0.1", cluster["front_end_port"]), name=cluster["name"]))

    class Following(harness.Proxy):
        def listening(self, argv, env):
            self.cluster_file.unlink()
            return super().listening(argv, env)

    for cluster in clusters:
        cluster.toml = lambda: ""
    return Following(*clusters, io=io, flags=["-platform", platform.url, "-platform-token", platform.token])


def test_clusters_are_made_served_scaled_and_healed(platform, io):
    for name, kind in (("mc", "memcache"), ("rd", "redis"), ("rc", "redis_cluster")):
        assert platform.create(name, kind, 6 if kind != "redis_cluster" else 3).rstrip().endswith("done")
    assert {c["name"]: (c["state"], c["running"]) for c in platform.ask("cluster", "list")["items"]} == {
        "mc": ("done", 6), "rd": ("done", 6), "rc": ("done", 6)}
    with proxy_of(platform, io) as proxy:
        addresses = {c.keys["name"]: c.address for c in proxy.clusters}
        with McConn(addresses["mc"]) as mc, RedisConn(addresses["rd"]) as rd, RedisConn(addresses["rc"]) as rc:
            keys = [f"key{n}" for n in range(100)]
            for key in keys:
                assert mc.set(key.encode(), b"v") == b"STORED\r\n"
                rd.ok("SET", key, "v")
                rc.ok("SET", key, "v")

            def all_there():
                try:
                    return all(rc.cmd("GET", key) == b"v" for key in keys)
                except (RedisError, OSError):
                    return False

            # A host is lost with all that was on it: replicas take over, and no key of the redis_cluster is gone, neither
            # while it is away nor when its nodes come back empty.
            platform.lose(platform.hosts[2])
            wait_until(all_there, 60 * SCALE, "the replicas to take over")
            wait_until(lambda: all(c["running"] == 6 for c in platform.ask("cluster", "list")["items"]), 90 * SCALE,
                       "the lost nodes to run again")
            wait_until(all_there, 30 * SCALE, "the keys")
            # Live scaling: nothing is lost, and the same connection goes on.
            assert platform.run("cluster", "scale", "rc", "--number", 6, "--wait").rstrip().endswith("done")
            assert platform.ask("cluster", "show", "rc")["running"] == 12
            assert all_there()
    assert platform.run("cluster", "delete", "rd", "--yes", "--wait").rstrip().endswith("done")
    assert platform.run("cluster", "show", "rd", code=1) == ""
    assert platform.run("cluster", "create", "x", "--type", "redis", "--version", "1.0", "--group", "nowhere", "--spec",
                        "1c1g", "--number", 1, code=1) == ""
