"""Sentinels that speak TLS, before masters that do; and what of certificates is checked there."""

import pytest

import certs
import harness
from certs import TlsRedis, secure
from clients import Closed, RedisConn, RedisError
from harness import wait_until


@pytest.fixture(scope="module")
def made():
    created = certs.Certs()
    yield created
    created.close()


def tls_lines(made, signed):
    return ["tls-replication yes", f"tls-cert-file {signed.cert}", f"tls-key-file {signed.key}",
            f"tls-ca-cert-file {made.ca.cert}"]


class Sentinel(harness.Server):
    """Watches the master "one" with TLS. tls: for its own clients too, who must show a certificate."""

    def __init__(self, made, master, tls=True, signed=None):
        self.lines = [*tls_lines(made, signed or made.server), f"sentinel monitor one {master.host} {master.port} 1",
                      "sentinel down-after-milliseconds one 60000", "sentinel failover-timeout one 2000"]
        self.tls = tls
        super().__init__("sentinel")

    def argv(self):
        where = [f"port {'0' if self.tls else self.port}", f"tls-port {self.port if self.tls else '0'}"]
        path = self.folder / "sentinel.conf"
        path.write_text("\n".join([*where, "bind 127.0.0.1", f"dir {self.folder}", "protected-mode no", *self.lines]))
        return ["redis-server", str(path), "--sentinel"]


class Replica(TlsRedis):
    def __init__(self, made, master=None, signed=None):
        self.master = master
        super().__init__(made, mutual=True, signed=signed)

    def argv(self):
        of = ["--replicaof", self.master.host, str(self.master.port)] if self.master is not None else []
        return [*super().argv(), "--tls-replication", "yes", "--repl-diskless-sync-delay", "0", *of]


def behind(made, sentinel, **keys):
    cluster = harness.redis([], sentinels=[sentinel.spec], masters=["one"], **{**made.backend(made.client), **keys})
    cluster.keys["servers"] = None
    return cluster


def serves(proxy):
    with RedisConn(proxy.address) as client:
        return client.cmd("SET", "k", "v") == "OK"


def test_follows_a_master_with_tls_everywhere(made, io, resources):
    master = resources(Replica(made))
    replica = resources(Replica(made, master))
    sentinel = resources(Sentinel(made, master))
    context = made.context(made.client)

    def of_replica(*call):
        """A connection for each call, for a Sentinel cuts them when it promotes a server; also those that just came."""
        def asked():
            try:
                with secure(RedisConn, replica.address, context) as direct:
                    return [direct.cmd(*call)]
            except (Closed, OSError):
                return None
        return wait_until(asked, 10, "the replica to answer")[0]

    with secure(RedisConn, sentinel.address, context) as ask:
        wait_until(lambda: b"master_link_status:up" in of_replica("INFO", "replication"), 20, "replication")

        def known():  # with the offset that makes it fit for promotion
            fields = [dict(zip(r[::2], r[1::2])) for r in ask.cmd("SENTINEL", "REPLICAS", "one")]
            return fields and fields[0][b"master-link-status"] == b"ok"

        with harness.Proxy(behind(made, sentinel), io=io) as proxy:
            wait_until(lambda: serves(proxy), 15, "the master to be found")
            # Sentinels look at their replicas every ten seconds.
            wait_until(known, 25, "the sentinel to know the replica")
            assert ask.cmd("SENTINEL", "FAILOVER", "one") == "OK"
            wait_until(lambda: of_replica("ROLE")[0] == b"master", 25, "the failover")
            of_replica("DEL", "k")
            wait_until(lambda: serves(proxy) and of_replica("GET", "k") == b"v", 15, "the proxy to follow")


def test_a_sentinel_in_plain_text(made, io, resources):
    master = resources(Replica(made))
    sentinel = resources(Sentinel(made, master, tls=False))
    with harness.Proxy(behind(made, sentinel, sentinel_tls=False), io=io) as proxy:
        wait_until(lambda: serves(proxy), 15, "the master to be found")


@pytest.mark.parametrize("who", ["sentinel", "master"])
def test_a_certificate_for_another_host(made, io, resources, who):
    """Signed by the right authority, but not for the address that is asked, or that the Sentinel told."""
    other = made.ca.make(f"other-{who}-{io}", hosts="DNS:elsewhere.example")
    master = resources(Replica(made, signed=other if who == "master" else None))
    sentinel = resources(Sentinel(made, master, signed=other if who == "sentinel" else None))
    with harness.Proxy(behind(made, sentinel), io=io) as proxy:
        wait_until(lambda: "mismatch" in proxy.output(), 15, "the log to say so")
        assert (f"sentinel {sentinel.spec}: TLS: certificate verify failed" in proxy.output()) == (who == "sentinel")
        with RedisConn(proxy.address) as client:
            assert isinstance(client.cmd("GET", "k"), RedisError)
    name = "elsewhere.example"
    if who == "master":  # the name is for all, so the Sentinel needs it too
        return
    resources(master).kill_now()
    both = resources(Replica(made, signed=other))
    again = resources(Sentinel(made, both, signed=other))
    with harness.Proxy(behind(made, again, backend_tls_server_name=name), io=io) as proxy:
        wait_until(lambda: serves(proxy), 15, "the name to be taken")


def test_a_sentinel_that_speaks_no_tls_or_nothing(made, io, resources):
    plain = resources(harness.Redis())
    with harness.Proxy(behind(made, plain), io=io) as proxy:
        wait_until(lambda: f"sentinel {plain.spec}: " in proxy.output(), 15, "the log to say so")
        with RedisConn(proxy.address) as client:
            assert isinstance(client.cmd("GET", "k"), RedisError)


@pytest.mark.parametrize("lines,words", [
    ("sentinel_tls = true", "has no effect without sentinels"),
    ('sentinel_tls = true\nbackend_tls_ca = "/nowhere/ca.pem"', "/nowhere/ca.pem"),
])
def test_check(tmp_path, lines, words):
    path = tmp_path / "c.toml"
    where = ('servers = ["127.0.0.1:1:1"]' if "effect" in words else 'sentinels = ["127.0.0.1:1"]\nmasters = ["a"]')
    path.write_text(f'[[clusters]]\nname = "a"\ncache_type = "redis"\nlisten_addr = "127.0.0.1:1"\n{where}\n{lines}\n')
    done = harness.run_proxy("-t", f"-cluster={path}")
    assert words in done.stderr, done.stderr
