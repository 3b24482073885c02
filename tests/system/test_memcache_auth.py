"""Names and passwords for memcached backends: memcached -Y in text, SASL PLAIN in binary."""

import pytest

import harness
from clients import BinaryConn, McConn
from harness import wait_until


def asking(resources, tmp_path, name="one"):
    """A memcached that wants user "someone" with password "pass.word"."""
    path = tmp_path / f"{name}.auth"
    path.write_text("nobody:x\nsomeone:pass.word\n")
    return resources(harness.Memcached(options=["-Y", str(path)]))


def test_login_in_text(resources, tmp_path, io, keys):
    servers = [asking(resources, tmp_path, f"s{n}") for n in range(2)]
    secret = tmp_path / "secret"
    secret.write_text("someone:pass.word\n")
    clusters = [harness.memcache(servers, memcache_auth="someone:pass.word", node_connections=2),
                harness.memcache(servers, name="file", memcache_auth_file=secret)]
    names = keys.many(50)
    with McConn(servers[0].address) as direct:
        direct.send(b"get a\r\n")
        assert direct.line() == b"CLIENT_ERROR unauthenticated\r\n"
    with harness.Proxy(*clusters, io=io) as proxy:
        for cluster in clusters:
            with McConn(cluster.address) as mc, BinaryConn(cluster.address) as binary:
                for key in names:
                    assert mc.set(key, key) == b"STORED\r\n" and mc.value(key) == key
                assert binary.value(names[0]) == names[0]
        for server in servers:  # every new connection logs in
            server.kill9()
            server.start()

        def back():
            with McConn(proxy.address) as mc:
                return all(mc.set(key, b"again") == b"STORED\r\n" for key in names)

        wait_until(back, 15, "the proxy to be back")


@pytest.mark.parametrize("auth", ["someone:wrong", "other:pass.word", None])
def test_wrong_login(resources, tmp_path, io, auth):
    server = asking(resources, tmp_path)
    with harness.Proxy(harness.memcache([server], memcache_auth=auth), io=io) as proxy:
        wait_until(lambda: "check memcache_auth" in proxy.output(), 15, "the log to say so")
        assert "wrong" not in proxy.output() and "pass.word" not in proxy.output()
        with McConn(proxy.address) as mc:
            mc.send(b"get a\r\n")
            assert mc.line().startswith(b"SERVER_ERROR ")


def test_a_server_that_does_not_ask(resources, io, keys):
    """It takes the login for an item, which is gone at once."""
    server = resources(harness.Memcached())
    with harness.Proxy(harness.memcache([server], memcache_auth="someone:secret"), io=io) as proxy, \
            McConn(proxy.address) as mc, McConn(server.address) as direct:
        key = keys.any()
        assert mc.set(key, b"v") == b"STORED\r\n" and mc.value(key) == b"v"
        direct.send(b"get login\r\n")
        assert direct.line() == b"END\r\n"


def test_login_in_binary(resources, io, keys):
    """The server is a proxy that asks for SASL; Debian's memcached takes it only with a system-wide set-up."""
    behind = resources(harness.Memcached())
    inner = harness.Cluster("memcache_binary", [behind], backend_protocol="text", password="pass word")
    with harness.Proxy(inner, io=io) as server:
        spec = "%s:%d" % server.address

        def before(auth, name):
            return harness.memcache([f"{spec}:1 a"], name=name, backend_protocol="binary", memcache_auth=auth)

        good, bad = before("default:pass word", "good"), before("default:wrong", "bad")
        with harness.Proxy(good, bad, io=io) as proxy:
            key = keys.any()
            with McConn(good.address) as mc, BinaryConn(good.address) as binary:
                assert mc.set(key, b"v") == b"STORED\r\n" and mc.value(key) == b"v"
                assert binary.value(key) == b"v"
            wait_until(lambda: "check memcache_auth of cluster bad" in proxy.output(), 15, "the log to say so")
            with McConn(bad.address) as mc:
                mc.send(b"get a\r\n")
                assert mc.line().startswith(b"SERVER_ERROR ")


@pytest.mark.parametrize("kind,lines,words", [
    ("memcache", 'memcache_auth = "noname"', "is not USER:PASSWORD"),
    ("memcache", 'memcache_auth = ":x"', "is not USER:PASSWORD"),
    ("memcache", 'memcache_auth = "a:"', "is not USER:PASSWORD"),
    ("memcache", 'memcache_auth = "a b:c"', "is not USER:PASSWORD"),
    ("memcache", 'memcache_auth = "a:b"\nmemcache_auth_file = "/tmp/x"', "set together with memcache_auth"),
    ("redis", 'memcache_auth = "a:b"', "has no effect"),
])
def test_check(tmp_path, kind, lines, words):
    path = tmp_path / "c.toml"
    path.write_text(f'[[clusters]]\nname = "a"\ncache_type = "{kind}"\nlisten_addr = "127.0.0.1:1"\n'
                    f'servers = ["127.0.0.1:2:1"]\n{lines}\n')
    done = harness.run_proxy("-t", f"-cluster={path}")
    assert words in done.stderr, done.stderr
