"""The command line: flags, checks, start and stop."""

import os
import re
import signal
import socket
import time

import pytest

import harness
from clients import McConn, RedisConn, resp
from harness import run_proxy, wait_until

VERSION = (harness.REPO / "VERSION").read_text().strip()


@pytest.mark.parametrize("flag", ["-version", "--version"])
def test_version(flag):
    done = run_proxy(flag)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{VERSION}\n", "")


def test_unknown_flag():
    done = run_proxy("-no-such-flag")
    assert done.returncode == 2
    assert "no-such-flag" in done.stderr and "-cluster" in done.stderr and not done.stdout


def test_help():
    for flag in ("-h", "-help", "--help"):
        done = run_proxy(flag)
        text = done.stdout + done.stderr
        for name in ("-cluster", "-conf", "-stat", "-slowlog", "-std", "-log-vl", "-version", "-workers", "-io"):
            assert name in text, name


def test_no_cluster_file():
    done = run_proxy("-std")
    assert done.returncode not in (0, -11, -6) and "-cluster" in done.stdout + done.stderr


GOOD = """[[clusters]]
name = "a"
cache_type = "redis"
listen_addr = "127.0.0.1:%d"
servers = ["127.0.0.1:6379:1"]
"""

BAD = """[[clusters]]
name = "a"
cache_type = "rediss"
hash_metod = "fnv1a_64"
listen_addr = "127.0.0.1:99999"
servers = ["127.0.0.1:6379"]

[[clusters]]
name = "a"
cache_type = "redis"
listen_addr = "127.0.0.1:%d"
servers = []
read_timeout = "soon"
"""


def test_check_good_file(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text(GOOD % harness.free_port())
    done = run_proxy("-t", "-cluster", file)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_check_reports_every_error_at_once(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text(BAD % harness.free_port())
    done = run_proxy("-t", f"--cluster={file}")
    assert done.returncode not in (0, -6, -11)
    text = done.stdout + done.stderr
    for key, line in (("cache_type", 3), ("hash_metod", 4), ("listen_addr", 5), ("servers", 6), ("name", 9),
                      ("servers", 12), ("read_timeout", 13)):
        assert any(f"{file}:{line}" in row and key in row for row in text.splitlines()), (key, line, text)
    assert "hash_method" in text  # the suggestion
    # starting says the same
    started = run_proxy("-cluster", file, "-std")
    assert started.returncode not in (0, -6, -11)
    assert "hash_metod" in started.stdout + started.stderr


def test_check_unreadable_and_broken(tmp_path):
    done = run_proxy("-t", "-cluster", tmp_path / "missing.toml")
    assert done.returncode not in (0, -6, -11) and "missing.toml" in done.stdout + done.stderr
    broken = tmp_path / "broken.toml"
    broken.write_text('[[clusters]]\nname = "a\n')
    done = run_proxy("-t", "-cluster", broken)
    assert done.returncode not in (0, -6, -11) and f"{broken}:2" in done.stdout + done.stderr


def test_port_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = tmp_path / "c.toml"
        file.write_text(GOOD % port)
        done = run_proxy("-cluster", file, "-std")
        assert done.returncode not in (0, -6, -11)
        text = done.stdout + done.stderr
        assert str(port) in text and "in use" in text.lower(), text


def test_two_proxies_cannot_share_a_port(io, pool):
    """The listeners of one process share its port; a second process does not slip in."""
    with harness.Proxy(harness.redis(pool.backends("redis")), io=io, workers=2) as proxy:
        done = run_proxy("-cluster", proxy.cluster_file, "-std", "-workers", "2", "-io", io)
        assert done.returncode not in (0, -6, -11)
        assert "in use" in (done.stdout + done.stderr).lower()
        with RedisConn(proxy.address) as client:
            assert client.cmd("PING") == "PONG"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_cleanly_with_clients_connected(io, pool, keys, number):
    proxy = harness.Proxy(harness.redis(pool.backends("redis")), harness.memcache(pool.backends("memcached")), io=io,
                          workers=2)
    try:
        clients = [RedisConn(proxy.clusters[0].address) for _ in range(50)]
        for client in clients:
            client.send(resp("SET", keys.any(), "v" * 10000) * 50)
            client.send(b"*3\r\n$3\r\nSET")
        began = time.monotonic()
        proxy.signal(number)
        wait_until(lambda: not proxy.alive(), 10, "the proxy to end")
        assert proxy.child.returncode == 0, proxy.output()
        assert time.monotonic() - began < 8 * harness.SCALE
        assert not any(word in proxy.output() for word in harness.SANITIZER_WORDS), proxy.output()
        for client in clients:
            client.close()
    finally:
        proxy.kill_now()


def test_starts_again_on_the_same_port_at_once(io, pool, keys):
    first = harness.Proxy(harness.redis(pool.backends("redis")), io=io)
    clients = [RedisConn(first.address) for _ in range(20)]
    for client in clients:
        assert client.cmd("PING") == "PONG"
    port = first.clusters[0].port
    first.stop()
    again = harness.Cluster("redis", pool.backends("redis"), listen_addr=f"127.0.0.1:{port}")
    again.port = port
    with harness.Proxy(again, io=io) as proxy, RedisConn(proxy.address) as client:
        assert client.cmd("PING") == "PONG"
    for client in clients:
        client.close()


def test_hup_does_not_end_it(proxy):
    proxy.signal(signal.SIGHUP)
    proxy.signal(signal.SIGUSR1)
    proxy.signal(signal.SIGPIPE)
    with RedisConn(proxy.clusters[1].address) as client:
        assert client.cmd("PING") == "PONG"


def test_logs_what_it_listens_on(io, pool):
    with harness.Proxy(harness.redis(pool.backends("redis"), name="my-cluster"), io=io) as proxy:
        wait_until(lambda: str(proxy.clusters[0].port) in proxy.output() and "my-cluster" in proxy.output(), 5)


def test_log_file(io, pool, tmp_path):
    base = tmp_path / "proxy.log"
    with harness.Proxy(harness.redis(pool.backends("redis")), io=io, flags=["-log", base]) as proxy:
        wait_until(lambda: any(str(proxy.clusters[0].port) in f.read_text() for f in tmp_path.glob("proxy.log*")), 5)


def test_an_old_file_of_the_go_program_starts(io, pool, tmp_path):
    """The keys and the layout of its example, with unused keys of old files."""
    mc, rd = pool.backends("memcached")[0], pool.backends("redis")[0]
    ports = harness.free_port(), harness.free_port()
    cluster = tmp_path / "old.toml"
    cluster.write_text("".join(f'''
[[clusters]]
# comment
name = "{name}"
hash_method = "fnv1a_64"
hash_distribution = "ketama"
hash_tag = ""
cache_type = "{kind}"
listen_proto = "tcp"
listen_addr = "0.0.0.0:{port}"
redis_auth = ""
dial_timeout = 1000
read_timeout = 1000
write_timeout = 1000
node_connections = 2
ping_fail_limit = 3
ping_auto_eject = true
slowlog_slower_than = 10
close_front_conn_when_conf_change = false
servers = [
    "{server.spec}:1 {alias}",
]
''' for name, kind, port, server, alias in (("test-mc", "memcache", ports[0], mc, "mc1"),
                                             ("test-redis", "redis", ports[1], rd, "redis1"))))
    conf = tmp_path / "proxy.toml"
    conf.write_text('pprof = "0.0.0.0:2110"\ndebug = false\nlog = ""\nlog_lv = 0\n[proxy]\nread_timeout = 0\n'
                    'write_timeout = 0\nmax_connections = 0\nuse_metrics = true\n')
    assert run_proxy("-t", "-cluster", cluster, "-conf", conf).returncode == 0
    runner = harness.Process("old")
    try:
        runner.spawn([harness.PROXY, f"-cluster={cluster}", f"-conf={conf}", "-std", f"-io={io}"])
        wait_until(lambda: not runner.alive() or harness.can_connect(("127.0.0.1", ports[1])), 10)
        with RedisConn(("127.0.0.1", ports[1])) as client:
            client.ok("SET", "k", "v")
        with McConn(("127.0.0.1", ports[0])) as client:
            assert client.ask(b"set a_11 0 0 5\r\nhello\r\n") == b"STORED\r\n"
        runner.signal(signal.SIGTERM)
        wait_until(lambda: not runner.alive(), 10)
        assert runner.child.returncode == 0
    finally:
        runner.kill_now()


@pytest.mark.parametrize("kind", ["redis", "memcache"])
def test_converted_nutcracker_file_starts(io, pool, resources, tmp_path, kind, keys):
    """The converted file places keys where the running nutcracker places them."""
    servers = pool.backends({"redis": "redis", "memcache": "memcached"}[kind])
    lines = [f"{s.spec}:1 server{n}" for n, s in enumerate(servers)]
    nutcracker = resources(harness.Nutcracker(lines, redis=kind == "redis", timeout=5000))
    done = run_proxy("--convert-nutcracker", nutcracker.file)
    assert done.returncode == 0, done.stderr
    file = tmp_path / "converted.toml"
    port = harness.free_port()
    file.write_text(re.sub(rf":{nutcracker.port}\b", f":{port}", done.stdout))
    runner = harness.Process("converted")
    try:
        runner.spawn([harness.PROXY, "-cluster", file, "-std", "-io", io])
        wait_until(lambda: not runner.alive() or harness.can_connect(("127.0.0.1", port)), 10)
        assert runner.alive(), runner.output()
        names = keys.many(100)
        if kind == "redis":
            with RedisConn(nutcracker.address) as old, RedisConn(("127.0.0.1", port)) as new:
                for key in names:
                    old.ok("SET", key, key)
                for key in names:
                    assert new.cmd("GET", key) == key
        else:
            with McConn(nutcracker.address) as old, McConn(("127.0.0.1", port)) as new:
                for key in names:
                    assert old.set(key, key) == b"STORED\r\n"
                for key in names:
                    assert new.value(key) == key
        runner.signal(signal.SIGTERM)
        wait_until(lambda: not runner.alive(), 10)
        assert runner.child.returncode == 0
    finally:
        runner.kill_now()


def test_io_driver_is_the_one_asked_for(io, pool):
    with harness.Proxy(harness.redis(pool.backends("redis")), io=io) as proxy:
        wait_until(lambda: re.search(rf"\b{io}\b", proxy.output()), 5, "the log to name the driver")
        links = [os.readlink(f"/proc/{proxy.pid}/fd/{n}") for n in os.listdir(f"/proc/{proxy.pid}/fd")]
        assert any("io_uring" in link for link in links) == (io == "io_uring"), links
