"""The ways to hurt: generators of a stage and its load. Up to the first yield they begin, behind it they end.

A generator that yields nothing more than once; what it needs to undo it does behind the yield. What it finds wrong it
raises as Failed.
"""

import os
import pathlib
import resource
import selectors
import signal
import socket
import time

import droppackets
import harness
import stage as stages
from clients import RedisConn, resp
from harness import Failed, wait_until


def killed(stage, load):
    stage.server.kill9()
    yield
    stage.server.start()


def stopped(stage, load):
    stage.server.freeze()
    yield
    stage.server.thaw()


def half_open(stage, load):
    lost = stage.keep(droppackets.Dropping(stage.server.pid))
    yield
    lost.close()


def relayed(mode):
    def hurt(stage, load):
        stage.relay.tell(mode)
        yield
        stage.relay.tell("pass")

    return hurt


def other_kind(stage, load):
    """The backend ends, and a server that speaks something else has its port."""
    old = stage.server
    old.kill9()
    other = harness.Memcached if stage.kind == "redis" else harness.Redis
    usurper = stages.at(other, old.host, old.port)
    yield
    usurper.kill_now()
    old.start()


def gone_at_start(stage, load):
    yield  # they were killed before the proxy started
    for server in stage.servers:
        server.start()


def kill_all(stage):
    for server in stage.servers:
        server.kill9()
    return {}


def all_killed(stage, load):
    kill_all(stage)
    yield
    for server in stage.servers:
        server.start()


# ---- names


def named(stage):
    """The backend by a host name, which the proxy finds in a hosts file of its own."""
    stage.hosts = stage.own_folder() / "hosts"
    stage.hosts.write_text("127.0.0.1 localhost backend.test\n")
    stage.specs[0] = f"backend.test:{stage.servers[0].port}"
    return {"wrapper": ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', stage.hosts]}


def moved(stage, load):
    """The backend ends, and starts again on another machine; then its name follows."""
    old = stage.server
    old.kill9()
    yield
    new = stages.at(type(old), "127.0.0.2", old.port)
    stage.servers.append(new)
    stage.hosts.write_text("127.0.0.1 localhost\n127.0.0.2 backend.test\n")


# ---- the proxy's own machine


def few_descriptors(stage, load):
    """The proxy may open ten more, 60 clients come; half of them leave, and the other half must be served then."""
    limit = stage.proxy.fds() + 10
    _, hard = resource.prlimit(stage.proxy.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(stage.proxy.pid, resource.RLIMIT_NOFILE, (limit, hard))
    more = stage.keep(Crowd(stage, 60))
    more.ask()
    yield
    more.leave(30)
    resource.prlimit(stage.proxy.pid, resource.RLIMIT_NOFILE, (hard, hard))
    more.answered()


def small_disk(stage):
    """The log on a disk of 256 KiB that nobody but the proxy sees."""
    stage.disk = stage.own_folder() / "disk"
    stage.disk.mkdir()
    return {"wrapper": ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=256k none "$0" && exec "$@"', stage.disk],
            "flags": ["-log", stage.disk / "proxy.log"]}


def disk_full(stage, load):
    """Not a byte is free while a backend dies and comes back, of which the proxy has much to say."""
    inside = pathlib.Path(f"/proc/{stage.proxy.pid}/root{stage.disk}")
    before = (inside / "proxy.log").read_text()
    if "ready" not in before:
        raise Failed(f"no log: {before!r}")
    junk = os.open(inside / "junk", os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(junk, b"j" * 4096)
    except OSError:
        pass
    os.close(junk)
    room = (inside / "proxy.log").stat().st_size // 4096 * 4096 + 4096
    stage.server.kill9()
    yield
    if (inside / "proxy.log").stat().st_size > room:
        raise Failed("the disk was not full")
    (inside / "junk").unlink()
    stage.server.start()

    def written():
        """Something was, after the disk had room."""
        text = (inside / "proxy.log").read_text()
        return len(text) > room or len(text) > len(before) and "missing" in text

    def talk():
        """A death that must be told."""
        stage.server.kill9()
        stage.server.start()
        return written()

    wait_until(talk, 20, "the log to go on")
    torn = stages.log_lines((inside / "proxy.log").read_text())
    if torn:
        raise Failed(f"torn lines in the log: {torn[:3]}")


def own_clock(stage):
    stage.clock = stage.own_folder() / "clock"
    stage.clock.write_text("+0")
    return {"preload": stages.faketime(),
            "env": {"FAKETIME_TIMESTAMP_FILE": str(stage.clock), "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}}


def jump(stage, offset):
    """Sets the proxy's wall clock; makes sure that it sees it, where it can be asked."""
    replacement = stage.clock.with_name("new")
    replacement.write_text(f"{offset:+d}")
    replacement.rename(stage.clock)
    if stage.kind == "redis":
        with RedisConn(stage.address) as client:
            off = int(client.cmd("TIME")[0]) - time.time() - offset
            if abs(off) > 600:
                raise Failed(f"the proxy's clock is {off} s off: it did not jump")


def clock_jumps(stage, load):
    """A day on, a day back, and on again."""
    for offset in (86400, -86400, 86400):
        jump(stage, offset)
        load.progress(30)
    yield
    jump(stage, 0)


def clock_back_stopped(stage, load):
    """A backend hangs and the clock goes back a day: the time-outs must come all the same."""
    stage.server.freeze()
    jump(stage, -86400)
    yield
    stage.server.thaw()


def short_memory(stage, load):
    """120 clients ask for 16 MiB each and read nothing; the proxy has 192 MiB more than it needs for the load."""
    parent, limit = stages.memory_group()
    group = parent / f"overlord-faults-{os.getpid()}"
    group.mkdir()
    stage.keep(Group(group, parent))
    (group / limit).write_text(str(stage.proxy.rss() + 192 * harness.MEMORY * (1 << 20)))
    (group / "cgroup.procs").write_text(str(stage.proxy.pid))
    greedy = []
    request = resp("GET", "greedy") if stage.kind == "redis" else b"get greedy\r\n"
    with harness.socket.create_connection(stage.address) as setup:
        value = b"g" * 16384
        setup.sendall(resp("SET", "greedy", value) if stage.kind == "redis" else
                      b"set greedy 0 0 %d\r\n%s\r\n" % (len(value), value))
        setup.recv(100)
    for _ in range(120):
        sock = socket.create_connection(stage.address, timeout=10)
        stage.keep(sock)
        sock.setblocking(False)
        try:
            sock.send(request * 1000)
        except BlockingIOError:
            pass
        greedy.append(sock)
    yield
    stage.proxy.check_alive()
    for sock in greedy:
        sock.close()


class Group:
    def __init__(self, path, parent):
        self.path, self.parent = path, parent

    def close(self):
        for pid in (self.path / "cgroup.procs").read_text().split():
            (self.parent / "cgroup.procs").write_text(pid)
        self.path.rmdir()


def reloads(count):
    """So many reloads, each of which changes the pool: time-outs, and every fourth the number of connections."""
    said = "reload: cluster "

    def hurt(stage, load):
        for n in range(count):
            before = stage.proxy.output().count(said)
            stage.cluster.keys["read_timeout"] += 1
            stage.cluster.keys["node_connections"] = 1 + (n // 4 + 1) % 3
            replacement = stage.proxy.cluster_file.with_suffix(".new")
            replacement.write_text(stage.cluster.toml())
            replacement.rename(stage.proxy.cluster_file)
            stage.proxy.signal(signal.SIGHUP)
            wait_until(lambda before=before: stage.proxy.output().count(said) > before, 20, f"reload {n + 1} of {count}")
        yield

    return hurt


def upgrades(count):
    """So many upgrades, one after another; every client has asked something between two of them."""

    def hurt(stage, load):
        for n in range(count):
            stage.proxy.hand_over(n + 1)
            load.progress(5)
        yield

    return hurt


# ---- many clients


class Crowd:
    """Connections made in one go, none waiting for another; each asks one thing."""

    def __init__(self, stage, count):
        self.ping, self.pong = ((b"PING\r\n", b"+PONG\r\n") if stage.kind == "redis" else (b"mn\r\n", b"MN\r\n"))
        self.poll = selectors.DefaultSelector()
        self.got, self.socks = {}, []
        for n in range(count):
            sock = socket.socket()
            sock.setblocking(False)
            # Addresses of its own: the ports of one could run out.
            sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
            sock.bind((f"127.{1 + os.getpid() % 250}.{1 + n // 2000}.1", 0))
            sock.connect_ex(stage.address)
            self.socks.append(sock)
            self.got[sock] = b""

    def ask(self):
        for sock in self.socks:
            self.poll.register(sock, selectors.EVENT_WRITE)

    def turn(self, seconds=0.05):
        for key, events in self.poll.select(seconds):
            sock = key.fileobj
            if events & selectors.EVENT_WRITE:
                sock.send(self.ping)
                self.poll.modify(sock, selectors.EVENT_READ)
                continue
            data = sock.recv(1000)
            self.got[sock] += data
            if not data or not self.pong.startswith(self.got[sock]):
                raise Failed(f"one of the crowd got {self.got[sock]!r} and {'the end' if not data else 'more'}")
            if self.got[sock] == self.pong:
                self.poll.unregister(sock)

    def answered(self):
        wait_until(lambda: self.turn() or all(g == self.pong for g in self.got.values()), 30, "the whole crowd to be served")

    def leave(self, count):
        for sock in self.socks[:count]:
            try:
                self.poll.unregister(sock)
            except KeyError:
                pass
            del self.got[sock]
            sock.close()
        self.socks = self.socks[count:]

    def close(self):
        self.leave(len(self.socks))
        self.poll.close()


def connect_storm(count):
    def hurt(stage, load):
        crowd = stage.keep(Crowd(stage, count))
        crowd.ask()
        crowd.answered()
        yield
        crowd.close()

    return hurt


def slow_loris(stage, load):
    """300 clients send a write byte by byte, all at the same time, and no reply is theirs before they are through."""
    body = b"loris"
    names = (b"%d.loris" % (n * 2654435761 % 2**32) for n in range(1000))
    key = next(name for name in names if stage.node_of(name) not in load.allowed_nodes)
    if stage.kind == "redis":
        request, answer = resp("SET", key, body), b"+OK\r\n"
    else:
        request, answer = b"set %s 0 0 5\r\n%s\r\n" % (key, body), b"STORED\r\n"
    slow = [stage.keep(socket.create_connection(stage.address, timeout=20 * harness.SCALE)) for _ in range(300)]
    for byte in request[:-1]:
        for sock in slow:
            sock.sendall(bytes([byte]))
    yield
    for sock in slow:
        sock.setblocking(False)
        try:
            raise Failed(f"a slow client got {sock.recv(100)!r} before it was through")
        except BlockingIOError:
            sock.setblocking(True)
            sock.settimeout(20 * harness.SCALE)
    for sock in slow:
        sock.sendall(request[-1:])
    for sock in slow:
        got = b""
        while len(got) < len(answer):
            data = sock.recv(100)
            if not data:
                raise Failed("a slow client was closed")
            got += data
        if got != answer:
            raise Failed(f"a slow client got {got!r}")
