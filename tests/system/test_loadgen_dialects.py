"""The load generator's other protocols and shapes: each notices lies as redis and memcache text do (test_loadgen)."""

import ssl

import pytest

import harness
from certs import Authority, TlsCluster
from lying_server import (Server, bare_lf, binary_reply, cut_and_close, every_nth_read, garbage, honest, one_byte_off,
                          swap_neighbours, twice, value_of_another)
from test_loadgen import run

DIALECTS = {
    "resp3": ("resp3", (), b"_\r\n", b"-ERR broken\r\n"),
    "hash": ("redis", ("--shape", "hash", "--value-size", "50"), b"*0\r\n", b"-ERR broken\r\n"),
    "zset": ("redis", ("--shape", "zset", "--value-size", "50"), b"*0\r\n", b"-ERR broken\r\n"),
    "resp3 hash": ("resp3", ("--shape", "hash", "--value-size", "50"), b"%0\r\n", b"-ERR broken\r\n"),
    "resp3 zset": ("resp3", ("--shape", "zset", "--value-size", "50"), b"*0\r\n", b"-ERR broken\r\n"),
    "meta": ("meta", (), b"EN\r\n", b"SERVER_ERROR broken\r\n"),
    "binary": ("binary", (), None, None),
}
LIES = (value_of_another, one_byte_off, cut_and_close, twice, bare_lf, garbage)


@pytest.fixture(params=DIALECTS)
def dialect(request):
    return DIALECTS[request.param]


@pytest.mark.parametrize("pipeline", ["1", "8"])
def test_the_honest_server_passes(dialect, pipeline):
    with Server(dialect[0], honest) as server:
        done = run(dialect[0], server.address, "--pipeline", pipeline, *dialect[1])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("dialect, lie", [(name, lie) for name in DIALECTS for lie in LIES
                                          if lie is not bare_lf or name != "binary"], indirect=["dialect"])
def test_a_wrong_reply_fails_the_run(dialect, lie):
    with Server(dialect[0], every_nth_read(50, lie)) as server:
        done = run(dialect[0], server.address, "--pipeline", "4", *dialect[1])
    assert done.returncode == 1, done.stdout + done.stderr
    assert "wrong reply" in done.stderr


def test_swapped_replies_fail_the_run(dialect):
    with Server(dialect[0], swap_neighbours) as server:
        assert run(dialect[0], server.address, "--pipeline", "8", *dialect[1]).returncode == 1


@pytest.mark.parametrize("counted", ["misses", "errors"])
def test_errors_and_misses_are_counted_apart(dialect, counted):
    proto, options, miss, error = dialect

    def lie(server, keys, reply):
        if proto == "binary":
            return binary_reply(0, int.from_bytes(reply[12:16], "big"), value=b"broken",
                                status=1 if counted == "misses" else 0x84)
        return miss if counted == "misses" else error

    with Server(proto, every_nth_read(50, lie)) as server:
        done = run(proto, server.address, *options)
    assert done.returncode == 3 and f"{counted} 0" not in done.stdout.splitlines()[-2], done.stdout


@pytest.mark.parametrize("options, written", [((), 60), (("--slots", "0-8191"), 30), (("--slots", "8192-16383"), 30)])
def test_slots_choose_the_keys(options, written):
    """Of 60 keys, those that a master with these slots has."""
    with Server("redis", honest) as server:
        assert run("redis", server.address, *options).returncode == 0
        assert len(server.data) == written


def test_a_server_without_resp3_is_no_resp3_server():
    with Server("redis", lambda server, replies: b"-ERR unknown command 'HELLO'\r\n+PONG\r\n") as server:
        done = run("resp3", server.address)
    assert done.returncode == 2 and "Protocol error" in done.stderr


@pytest.mark.parametrize("dialect, kind", [("resp3", "redis"), ("hash", "redis"), ("zset", "redis"),
                                           ("resp3 hash", "redis"), ("resp3 zset", "redis"), ("meta", "memcached"),
                                           ("binary", "memcached")])
def test_real_servers_pass(pool, dialect, kind):
    proto, options = DIALECTS[dialect][:2]
    done = run(proto, "127.0.0.1:%d" % pool.backends(kind)[0].port, "--pipeline", "16", *options, requests=3000)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def certificate():
    authority = Authority()
    yield authority.make("server")
    authority.close()


@pytest.fixture
def secure(resources, certificate):
    server = resources(harness.Redis())
    keys = {"tls_cert": certificate.cert, "tls_key": certificate.key}
    with harness.Proxy(TlsCluster("redis", [server], plain=False, **keys)) as proxy:
        yield "127.0.0.1:%d" % proxy.clusters[0].port


@pytest.mark.parametrize("options", [("--pipeline", "16"), ("--value-size", "100000"), ("--reconnect",),
                                     ("--reconnect", "--resume")])
def test_tls(secure, options):
    done = run("redis", secure, "--tls", *options, requests=300)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("lie, code", [(honest, 0), (every_nth_read(50, value_of_another), 1),
                                       (every_nth_read(50, cut_and_close), 1), (every_nth_read(50, twice), 1),
                                       (every_nth_read(50, lambda *_: b"-ERR broken\r\n"), 3)])
def test_connections_for_one_get_each(lie, code):
    with Server("redis", lie) as server:
        done = run("redis", server.address, "--reconnect", requests=300)
    assert done.returncode == code, done.stdout + done.stderr


@pytest.mark.parametrize("tickets, code", [(0, 3), (2, 0)])
def test_a_server_that_resumes_nothing_is_noticed(certificate, tickets, code):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    context.num_tickets = tickets
    with Server("redis", honest, context) as server:
        done = run("redis", server.address, "--tls", "--reconnect", "--resume", requests=100)
    assert done.returncode == code, done.stdout + done.stderr
