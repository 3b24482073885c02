"""The proxy as a service: what it tells its manager, sockets that it is given, and how it stops."""

import fcntl
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest

import fakes
import harness
from clients import Closed, McConn, RedisConn
from harness import wait_until
from hung_worker import held

UNITS = harness.REPO / "etc/systemd"


class Manager:
    """The socket of a service manager, in the file system or with an abstract name."""

    def __init__(self, name):
        self.env = {"NOTIFY_SOCKET": name}
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("\0" + name[1:] if name[0] == "@" else name)
        self.sock.settimeout(20 * harness.SCALE)

    def message(self):
        return self.sock.recv(4096).decode().split("\n")

    def until(self, word):
        while True:
            message = self.message()
            if word in message:
                return message

    def drain(self):
        self.sock.setblocking(False)
        try:
            while True:
                self.sock.recv(4096)
        except BlockingIOError:
            self.sock.settimeout(20 * harness.SCALE)

    def close(self):
        self.sock.close()


@pytest.mark.parametrize("abstract", [False, True])
def test_manager_is_told_of_the_start_and_the_stop(io, pool, resources, tmp_path, abstract):
    manager = resources(Manager(f"@overlord-test-{os.getpid()}-{io}" if abstract else str(tmp_path / "notify")))
    proxy = resources(harness.Proxy(harness.redis(pool.backends("redis")[:1]), io=io, env=manager.env))
    ready = manager.until("READY=1")
    assert ready[0] == "READY=1" and ready[1].startswith("STATUS=serving ")
    with RedisConn(proxy.address) as client:
        assert client.cmd("PING") == "PONG"
    proxy.signal(signal.SIGTERM)
    assert manager.until("STOPPING=1")
    assert proxy.child.wait(20 * harness.SCALE) == 0


def test_a_wrong_notify_socket_is_refused(pool, tmp_path):
    file = tmp_path / "cluster.toml"
    file.write_text(harness.Cluster("redis", ["127.0.0.1:1:1"], listen_addr=f"127.0.0.1:{harness.free_port()}").toml())
    done = harness.run_proxy("-cluster", file, env=dict(os.environ, NOTIFY_SOCKET="relative/path"))
    assert done.returncode == 1 and "NOTIFY_SOCKET=relative/path" in done.stderr


def test_a_hung_worker_stops_the_watchdog(io, pool, resources, tmp_path):
    """One of two workers is held by a debugger: the other serves on, but the manager hears no more that all is well."""
    manager = resources(Manager(str(tmp_path / "notify")))
    env = {**manager.env, "WATCHDOG_USEC": str(int(400_000 * harness.SCALE))}
    with harness.Proxy(harness.redis(pool.backends("redis")[:1]), io=io, workers=2, env=env) as proxy:
        manager.until("READY=1")
        for _ in range(3):
            manager.until("WATCHDOG=1")
        with held(proxy, 1):
            wait_until(lambda: "a worker does not turn" in proxy.output())
            manager.drain()
            manager.sock.settimeout(1)
            with pytest.raises(TimeoutError):
                manager.message()
            manager.sock.settimeout(20 * harness.SCALE)
        manager.until("WATCHDOG=1")
        wait_until(lambda: "all workers turn again" in proxy.output())


START = """
import os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[1], sys.argv[1:])
"""


class Activated(harness.Process):
    """The proxy with listening sockets from its 'manager' as descriptors 3 and up."""

    def __init__(self, cluster_file, sockets, io, workers):
        super().__init__("activated")
        fds = [s.fileno() for s in sockets]
        move = "".join(f"exec {3 + i}<&{fd};" for i, fd in enumerate(fds))
        with open(self.folder / "stdout", "wb") as out, open(self.folder / "stderr", "wb") as err:
            self.stdout_path, self.stderr_path = self.folder / "stdout", self.folder / "stderr"
            self.child = subprocess.Popen(
                ["bash", "-c", move + 'exec "$@"', "bash", sys.executable, "-c", START, harness.PROXY, "-cluster",
                 cluster_file, "-std", "-workers", str(workers), "-io", io], stdout=out, stderr=err, pass_fds=fds,
                env=dict(os.environ, LISTEN_FDS=str(len(fds))), start_new_session=True)
        harness._live.add(self)


def listening(address=None, path=None):
    sock = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    sock.bind(path or address)
    sock.listen(100)
    # Out of the way of the numbers that they get in the proxy.
    moved = socket.socket(fileno=fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD, 50))
    sock.close()
    return moved


@pytest.mark.parametrize("workers", [1, 2])
def test_sockets_of_a_manager_survive_the_proxy(io, pool, resources, tmp_path, workers):
    """A client that comes while no proxy runs waits and is served; the sockets are still open when the proxy ends."""
    path = str(tmp_path / "mc.sock")
    port, other = harness.free_port(), harness.free_port()
    sockets = [listening(("127.0.0.1", port)), listening(path=path), listening(("127.0.0.1", other))]
    for sock in sockets:
        resources(sock)
    rd = harness.redis(pool.backends("redis")[:1], listen_addr=f"127.0.0.1:{port}")
    mc = harness.Cluster("memcache", pool.backends("memcached")[:1], listen=path)
    file = tmp_path / "cluster.toml"
    file.write_text(rd.toml() + mc.toml())
    for _ in range(2):
        early = [RedisConn(("127.0.0.1", port)) for _ in range(4)]  # in the backlog: nobody has accepted
        proxy = resources(Activated(file, sockets, io, workers))
        for client in early:
            assert client.cmd("PING") == "PONG"
            client.close()
        with McConn(path) as client:
            assert client.ask(b"version\r\n").startswith(b"VERSION")
        for words in (f"127.0.0.1:{port} is a socket of the service manager",
                      f"passed a socket on 127.0.0.1:{other}, which no cluster names"):
            wait_until(lambda words=words: words in proxy.output())
        proxy.signal(signal.SIGTERM)
        assert proxy.child.wait(20 * harness.SCALE) == 0, proxy.output()
        assert os.path.exists(path)
        proxy.kill_now()


def never_answers(peer, fake):
    while True:
        peer.redis_request()


@pytest.fixture
def waiting(io, resources):
    """waiting(stop_timeout): a proxy, and a client whose request its backend will never answer."""

    def start(stop_timeout):
        silent = resources(fakes.Fake(never_answers))
        proxy = resources(harness.Proxy(harness.redis([silent], read_timeout=3600000, learn_commands=False), io=io,
                                        conf={"stop_timeout": stop_timeout}))
        client = resources(RedisConn(proxy.address))
        client.send(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")
        wait_until(lambda: b"GET k" in silent.received)
        return proxy, client

    return start


def test_stop_timeout_and_what_was_in_flight(waiting):
    """A request that its backend never answers is given up at the deadline, and the log says so."""
    proxy, client = waiting(200)
    proxy.signal(signal.SIGTERM)
    assert client.rest() == b""
    assert proxy.child.wait(20 * harness.SCALE) == 0
    assert "closed 1 clients with 1 requests in flight: stop_timeout is over" in proxy.output()


def test_a_second_term_ends_at_once(waiting):
    proxy, _ = waiting(3600000)
    proxy.signal(signal.SIGTERM)
    wait_until(lambda: "stopping; requests in flight have 3600000 ms" in proxy.output())
    assert proxy.alive()
    proxy.signal(signal.SIGTERM)
    assert proxy.child.wait(20 * harness.SCALE) == 1
    assert "again: ends at once" in proxy.output()


# ---------------------------------------------------------------------------------------------------------------
# the units


def settings(name):
    """{section: {key: [values]}} of a unit file."""
    found, section = {}, None
    for line in (UNITS / name).read_text().splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = found.setdefault(header.group(1), {})
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals and section is not None, line
            section.setdefault(key, []).append(value)
    return found


def test_units_start_what_the_examples_configure():
    service = settings("overlord-proxy.service")["Service"]
    program, *flags = service["ExecStart"][0].split()
    assert pathlib.Path(program).name == "overlord-proxy"
    for flag in flags:
        name, path = flag.lstrip("-").split("=")
        assert name in ("cluster", "conf") and (harness.REPO / "etc" / pathlib.Path(path).name).exists(), flag
    assert service["Type"] == ["notify"]
    listens = settings("overlord-proxy.socket")["Socket"]["ListenStream"]
    named = re.findall(r'^listen_addr = "([^"]+)"', (harness.REPO / "etc/proxy-cluster.toml").read_text(), re.M)
    assert listens == named


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path):
    for name in ("overlord-proxy.service", "overlord-proxy.socket"):
        text = (UNITS / name).read_text().replace("/usr/local/bin/overlord-proxy", str(harness.PROXY))
        (tmp_path / name).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())],
                          capture_output=True, text=True, timeout=60 * harness.SCALE)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "overlord" in line]
    assert done.returncode == 0 and not ours, done.stdout + done.stderr
