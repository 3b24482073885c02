"""Certificates made by the openssl command, and TLS forms of the servers and clients of harness.py and clients.py."""

import pathlib
import shutil
import ssl
import subprocess
import tempfile

import harness
from clients import McConn, RedisConn


def _openssl(*args, text=None):
    done = subprocess.run(["openssl", *map(str, args)], input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise harness.Failed(f"openssl {args}: {done.stderr}")
    return done.stdout


class Signed:
    """A certificate and its key: .cert and .key are files."""

    def __init__(self, folder, name):
        self.name = name
        self.cert = folder / f"{name}.crt"
        self.key = folder / f"{name}.key"


class Authority(Signed):
    """A certificate authority of its own; make() issues certificates."""

    def __init__(self, name="ca"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="overlord-certs-"))
        super().__init__(self.folder, name)
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                 "-subj", f"/CN=test {name}", "-keyout", self.key, "-out", self.cert)

    def make(self, name, hosts="DNS:localhost,IP:127.0.0.1,IP:::1"):
        made = Signed(self.folder, name)
        request = self.folder / f"{name}.csr"
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={hosts}\n")
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                 "-keyout", made.key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", "30",
                 "-extfile", extensions, "-out", made.cert)
        return made

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def serial(cert):
    """The serial number of a certificate file, or of PEM text."""
    text = cert if isinstance(cert, str) else cert.read_text()
    return int(_openssl("x509", "-noout", "-serial", text=text).strip().split("=")[1], 16)


class Certs:
    """What most tests need."""

    def __init__(self):
        self.ca = Authority()
        self.server = self.ca.make("server")
        self.client = self.ca.make("client")
        self.stranger_ca = Authority("stranger")
        self.stranger = self.stranger_ca.make("client")

    def close(self):
        self.ca.close()
        self.stranger_ca.close()

    def context(self, client=None, ca=None, version=None):
        """For a Python client that checks the server's certificate."""
        made = ssl.create_default_context(cafile=str((ca or self.ca).cert))
        if client is not None:
            made.load_cert_chain(client.cert, client.key)
        if version is not None:
            made.minimum_version = made.maximum_version = version
        return made

    def listener(self, verify=None):
        """The keys of a cluster that listens with TLS (with harness.TlsCluster)."""
        keys = {"tls_cert": self.server.cert, "tls_key": self.server.key}
        if verify:
            keys |= {"tls_verify_client": verify, "tls_ca": self.ca.cert}
        return keys

    def backend(self, client=None):
        keys = {"backend_tls": True, "backend_tls_ca": self.ca.cert}
        if client is not None:
            keys |= {"backend_tls_cert": client.cert, "backend_tls_key": client.key}
        return keys


class TlsCluster(harness.Cluster):
    """A cluster that listens with TLS on .address and, when `plain`, without on .plain_address."""

    def __init__(self, cache_type, servers, plain=True, **keys):
        self.plain = plain
        super().__init__(cache_type, servers, **keys)

    @property
    def port(self):
        return self._port

    @port.setter
    def port(self, value):
        self._port = value
        if value is None:
            return
        self.keys["listen_tls_addr"] = f"{self.host}:{value}"
        if self.plain:
            self.plain_port = harness.free_port(self.host)
            self.keys["listen_addr"] = f"{self.host}:{self.plain_port}"
        else:
            self.keys["listen_addr"] = None

    @property
    def plain_address(self):
        return (self.host, self.plain_port)


class TlsRedis(harness.Redis):
    """A redis-server that speaks TLS only. mutual: clients must show a certificate of the same authority."""

    def __init__(self, certs, mutual=False, signed=None, **keywords):
        self.certs, self.mutual, self.signed = certs, mutual, signed or certs.server
        super().__init__(**keywords)

    def argv(self):
        base = super().argv()
        at = base.index("--port")
        base[at + 1] = "0"
        return [*base, "--tls-port", str(self.port), "--tls-cert-file", self.signed.cert, "--tls-key-file",
                self.signed.key, "--tls-ca-cert-file", self.certs.ca.cert, "--tls-auth-clients",
                "yes" if self.mutual else "no"]


class TlsMemcached(harness.Memcached):
    """A memcached that speaks TLS only."""

    def __init__(self, certs, mutual=False, **keywords):
        self.certs, self.mutual = certs, mutual
        super().__init__(**keywords)

    def argv(self):
        settings = f"ssl_chain_cert={self.certs.server.cert},ssl_key={self.certs.server.key}"
        if self.mutual:
            settings += f",ssl_ca_cert={self.certs.ca.cert},ssl_verify_mode=2"
        return [*super().argv(), "-Z", "-o", settings]


def secure(kind, address, context, session=None, server_hostname="localhost", **keywords):
    """A client of clients.py (McConn, RedisConn) over TLS."""
    made = kind(address, **keywords)
    try:
        made.sock = context.wrap_socket(made.sock, server_hostname=server_hostname, session=session)
    except BaseException:
        made.sock.close()
        raise
    return made


def kind_of(cache_type):
    return RedisConn if cache_type == "redis" else McConn
