"""Certificates that change are used without a restart, and nobody notices but new connections."""

import os
import shutil
import signal
import threading

import pytest

import certs
import harness
from certs import TlsCluster, TlsRedis, secure
from clients import RedisConn, RedisError
from harness import wait_until


@pytest.fixture(scope="module")
def made():
    created = certs.Certs()
    yield created
    created.close()


class Installed:
    """A pair of files that are replaced by renaming."""

    def __init__(self, folder, signed):
        self.cert, self.key = folder / "tls.crt", folder / "tls.key"
        self.put(signed)

    def put(self, signed):
        for source, target in ((signed.key, self.key), (signed.cert, self.cert)):
            shutil.copy(source, f"{target}.new")
            os.rename(f"{target}.new", target)


def shown(cluster, context):
    """The serial number of the certificate that a new client sees."""
    with secure(RedisConn, cluster.address, context) as client:
        assert client.cmd("PING") == "PONG"
        return client.sock.getpeercert()["serialNumber"]


def number(signed):
    return f"{certs.serial(signed.cert):X}".rjust(2, "0")


def same(left, right):
    return int(left, 16) == int(right, 16)


class Load(threading.Thread):
    """One connection that stays and short ones beside it, all under load; any failure is kept."""

    def __init__(self, cluster, context):
        super().__init__(daemon=True)
        self.cluster, self.context = cluster, context
        self.ended = threading.Event()
        self.failure = None
        self.rounds = 0
        self.start()

    def run(self):
        try:
            with secure(RedisConn, self.cluster.address, self.context) as stays:
                while not self.ended.is_set():
                    key = f"load-{self.rounds}"
                    assert stays.pipeline([("SET", key, "v" * 3000), ("GET", key)]) == ["OK", b"v" * 3000]
                    with secure(RedisConn, self.cluster.address, self.context) as short:
                        assert short.cmd("GET", key) == b"v" * 3000
                    self.rounds += 1
        except Exception as failure:  # noqa: BLE001 - told by stop()
            self.failure = failure

    def stop(self):
        self.ended.set()
        self.join()
        assert self.failure is None, repr(self.failure)


def test_new_certificates_under_load(made, io, tmp_path, resources):
    backend = resources(TlsRedis(made))
    files = Installed(tmp_path, made.server)
    cluster = TlsCluster("redis", [backend], tls_cert=files.cert, tls_key=files.key, **made.backend())
    context = made.context()
    with harness.Proxy(cluster, io=io, workers=2) as proxy:
        load = Load(cluster, context)
        assert same(shown(cluster, context), number(made.server))
        for name in ("second", "third"):
            new = made.ca.make(f"{name}-{io}")
            before = load.rounds
            files.put(new)
            if name == "third":
                proxy.signal(signal.SIGHUP)  # at once
            # Each of the workers has it when several new connections in a row show it.
            wait_until(lambda: all(same(shown(cluster, context), number(new)) for _ in range(6)))
            wait_until(lambda: load.rounds > before + 2 or load.failure)
        load.stop()
        assert proxy.output().count("reloaded the TLS files for clients") == 2


def test_a_bad_certificate_leaves_the_old_one(made, io, tmp_path, pool):
    files = Installed(tmp_path, made.server)
    cluster = TlsCluster("redis", pool.backends("redis", 1), tls_cert=files.cert, tls_key=files.key)
    context = made.context()
    new = made.ca.make(f"good-{io}")
    with harness.Proxy(cluster, io=io) as proxy:
        for spoil, complaint in ((lambda: files.cert.write_text("nonsense"), "holds no certificate"),
                                 (lambda: shutil.copy(new.cert, files.cert), "does not belong to"),
                                 (files.key.unlink, "tls_key: cannot read")):
            spoil()
            proxy.signal(signal.SIGHUP)
            wait_until(lambda: any(complaint in line and "the files read before stay in use" in line
                                   for line in proxy.output().splitlines()))
            assert same(shown(cluster, context), number(made.server))
        files.put(new)
        wait_until(lambda: same(shown(cluster, context), number(new)))


def test_another_authority_for_backends(made, io, tmp_path, resources):
    """A backend that was not trusted is up once its authority stands in the file."""
    backend = resources(TlsRedis(made))
    authority = tmp_path / "ca.crt"
    shutil.copy(made.stranger_ca.cert, authority)
    cluster = TlsCluster("redis", [backend], **made.listener(), backend_tls=True, backend_tls_ca=authority)
    with harness.Proxy(cluster, io=io), RedisConn(cluster.plain_address) as client:
        assert isinstance(client.cmd("GET", "key"), RedisError)
        shutil.copy(made.ca.cert, f"{authority}.new")
        os.rename(f"{authority}.new", authority)
        wait_until(lambda: client.cmd("GET", "key") is None)
