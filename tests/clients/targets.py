"""What the clients are driven against: real servers on free ports, and before them the proxy under test.

A target is a kind of backends and whether clients speak TLS to the proxy. Every run of a client has a proxy of its
own, so that a client that restarts the proxy disturbs no other; the backends are shared, and keys have a prefix.
"""

import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import harness  # noqa: E402 - found by the line above

PASSWORD = "correct-horse-battery"
USER = "default"
CLUSTER = "redis cluster"


class RedisNode(harness.Redis):
    """A redis-server in cluster mode; its bus has a free port of its own."""

    def __init__(self):
        self.bus = harness.free_port()
        super().__init__(options=["--cluster-enabled", "yes", "--cluster-port", str(self.bus),
                                  "--cluster-node-timeout", "15000", "--cluster-config-file", "nodes.conf",
                                  "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"])

    def ask(self, *words):
        """The reply to one command as redis-cli prints it."""
        done = subprocess.run(["redis-cli", "-p", str(self.port), *map(str, words)], capture_output=True, text=True,
                              timeout=20 * harness.SCALE)
        if done.returncode != 0 or done.stdout.startswith("ERR"):
            raise harness.Failed(f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}")
        return done.stdout.strip()


class TlsRedis(harness.Redis):
    def __init__(self, certificates, options=()):
        self.made = certificates
        super().__init__(options=options)

    def argv(self):
        return [*super().argv(), "--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no",
                "--tls-cert-file", self.made.cert, "--tls-key-file", self.made.key, "--tls-ca-cert-file", self.made.ca]


class RedisCluster:
    """Three masters that share the slots, and a replica of each."""

    def __init__(self, masters=3):
        self.nodes = [RedisNode() for _ in range(2 * masters)]
        first = self.nodes[0]
        for i, node in enumerate(self.nodes):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
            if i < masters:
                node.ask("CLUSTER", "ADDSLOTSRANGE", 16384 * i // masters, 16384 * (i + 1) // masters - 1)
            if i > 0:
                node.ask("CLUSTER", "MEET", "127.0.0.1", first.port, first.bus)
        ids = [node.ask("CLUSTER", "MYID") for node in self.nodes]
        for i, node in enumerate(self.nodes[masters:]):
            harness.wait_until(lambda n=node, master=ids[i]: master in n.ask("CLUSTER", "NODES"), 30, "nodes to meet")
            harness.wait_until(lambda n=node, master=ids[i]: self.replicates(n, master), 30, "a replica's master")
        for node in self.nodes:
            harness.wait_until(lambda n=node: self.complete(n), 60, "the Redis Cluster to be complete")

    @staticmethod
    def replicates(node, master):
        done = subprocess.run(["redis-cli", "-p", str(node.port), "CLUSTER", "REPLICATE", master],
                              capture_output=True, text=True)
        return done.stdout.strip() == "OK"

    def complete(self, node):
        lines = node.ask("CLUSTER", "NODES").splitlines()
        return ("cluster_state:ok" in node.ask("CLUSTER", "INFO") and len(lines) == len(self.nodes)
                and sum(" slave " in f" {line.split()[2].replace('myself,', '')} " for line in lines)
                == len(self.nodes) // 2
                and ("role:master" in node.ask("INFO", "replication")
                     or "master_link_status:up" in node.ask("INFO", "replication")))

    @property
    def seeds(self):
        return [node.spec for node in self.nodes]

    def stop(self):
        for node in self.nodes:
            node.kill_now()


class Certificates:
    """An authority of our own, and a certificate for 127.0.0.1 and localhost that it signed."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="overlord-tls-"))
        self.ca, self.cert, self.key = (str(self.folder / name) for name in ("ca.pem", "cert.pem", "key.pem"))
        ca_key, request = str(self.folder / "ca-key.pem"), str(self.folder / "request.pem")
        extensions = self.folder / "extensions"
        extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n")
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        self.openssl("req", "-x509", *key, "-keyout", ca_key, "-out", self.ca, "-days", "30", "-subj", "/CN=test CA")
        self.openssl("req", *key, "-keyout", self.key, "-out", request, "-subj", "/CN=localhost")
        self.openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial", "-days",
                     "30", "-extfile", str(extensions), "-out", self.cert)

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60 * harness.SCALE)


class Proxy(harness.Proxy):
    """A proxy that can be killed and started again on its ports."""

    def listening(self, argv, env):
        self.started = (argv, env)
        return super().listening(argv, env)

    def restart(self):
        self.kill9()
        for _ in range(self.start_attempts):
            if self.listening(*self.started):
                break
        self.check_alive()


class Direct:
    """A server in the proxy's place, to try a runner itself: what it says no to then is the runner's fault."""

    def __init__(self, target):
        self.servers = {}
        if target.kind == "memcache":
            self.servers[""] = harness.Memcached(options=["-I", "8m", "-F"])
            self.servers["flush"] = harness.Memcached()
        elif target.name == CLUSTER:
            self.servers[""] = target.session.cluster.nodes[0]
        else:
            for name, more in (("", []), ("auth", ["--requirepass", PASSWORD])):
                options = ["--appendonly", "yes", "--appendfsync", "always", *more]
                self.servers[name] = (TlsRedis(target.session.certificates, options=options) if target.tls
                                      else harness.Redis(options=options))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in set(self.servers.values()):
            if not isinstance(server, RedisNode):
                server.kill_now()

    def restart(self):
        if not isinstance(self.servers[""], RedisNode):
            self.servers[""].kill9()
            self.servers[""].start()

    def check_alive(self):
        pass


class TlsCluster(harness.Cluster):
    """A cluster whose one listener speaks TLS."""

    def toml(self):
        return super().toml().replace("listen_addr =", "listen_tls_addr =")


class Target:
    """number: its place in the document; name: what that calls it; kind: memcache or redis, which clients it is for."""

    def __init__(self, session, number, name, kind, tls):
        self.session, self.number, self.name, self.kind, self.tls = session, number, name, kind, tls
        self.title = f"{name}, TLS" if tls else name

    def keys(self):
        """The keys of the cluster table that make this target."""
        if self.name == CLUSTER:
            keys = {"cache_type": "redis_cluster", "servers": self.session.cluster.seeds, "hash_method": None,
                    "hash_distribution": None, "hash_tag": None, "aliases": False}
        elif self.kind == "redis":
            keys = {"cache_type": "redis", "servers": self.session.redis}
        else:
            keys = {"cache_type": "memcache", "servers": self.session.memcached}
        if self.tls:
            keys |= {"tls_cert": self.session.certificates.cert, "tls_key": self.session.certificates.key}
        return keys

    def clusters(self, flushed, peers):
        """The clusters of a run's proxy: the plain one; where the proxy takes such a file, one with a password, and
        one that lets flush_all through, before servers that only this run uses; with peers two that cluster clients see
        as proxies of one Redis Cluster. With them, for each that it does not take, what it says against it."""
        wanted = {"": {}, "auth": {"password": PASSWORD}}
        if flushed:
            wanted["flush"] = {"flush_all_enabled": True, "servers": flushed}
        if self.name == CLUSTER and peers:
            addresses = [f"127.0.0.1:{harness.free_port()}" for _ in range(2)]
            for name, address in zip(("peer", "peer2"), addresses, strict=True):
                wanted[name] = {"listen_addr": address, "cluster_announce": address, "cluster_proxies": addresses}
        taken, refused = {}, {}
        for name, more in wanted.items():
            made = (TlsCluster if self.tls else harness.Cluster)(**{**self.keys(), "name": f"clients{name}", **more})
            problem = self.session.problem_of(made)
            if problem:
                refused[name] = problem
            else:
                taken[name] = made
                if "listen_addr" in more:
                    made.port = int(more["listen_addr"].rsplit(":", 1)[1])
        return taken, refused


def plain_words(line):
    """A line of -t without the file's name and place, which differ from run to run."""
    line = re.sub(r"^\S*cluster\.toml:\d+:\d+: (error|warning): ", "", line.strip())
    return "configuration: " + re.sub(r"clusters\[\d+\]\.", "", line).split("; ")[0]


class Session:
    """The servers of one run of the suite, and what the proxy says against files it does not take."""

    def __init__(self):
        self.certificates = Certificates()
        self.memcached = [harness.Memcached(options=["-I", "8m"]) for _ in range(3)]
        self.redis = [harness.Redis() for _ in range(3)]
        self.cluster = None
        self.known = {}
        shapes = [(name, kind, tls) for name, kind in (("memcached", "memcache"), ("redis", "redis"),
                                                       (CLUSTER, "redis")) for tls in (False, True)]
        self.targets = [Target(self, number, *shape) for number, shape in enumerate(shapes)]

    def start_cluster(self):
        """Takes seconds in which other targets can be run. Not in a thread that ends: servers end with theirs."""
        self.cluster = RedisCluster()

    def problem_of(self, cluster):
        """What overlord-proxy -t says against a file with this cluster; nothing when it serves it."""
        cluster.port = 1
        text = cluster.toml()
        cluster.port = None
        if text not in self.known:
            with tempfile.NamedTemporaryFile("w", suffix="cluster.toml") as file:
                file.write(text)
                file.flush()
                done = harness.run_proxy("-t", "-cluster", file.name)
            lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            bad = [line for line in lines if ": error: " in line or "has no effect" in line or "later version" in line]
            self.known[text] = plain_words(bad[0]) if bad else ("" if done.returncode == 0 else " ".join(lines)[:200])
        return self.known[text]

    def stop(self):
        for server in [*self.memcached, *self.redis]:
            server.kill_now()
        if self.cluster:
            self.cluster.stop()
