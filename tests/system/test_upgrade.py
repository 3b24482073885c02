"""Zero-downtime upgrades: a new process takes the sockets and the clients of the one that runs, and nobody notices."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading

import pytest

import certs
import harness
from certs import TlsCluster, secure
from clients import BinaryConn, Closed, McConn, RedisConn, resp
from harness import wait_until
from metrics_page import Page, fetch
from reload_load import Load
from test_service import Manager
from upgrades import Line


@pytest.fixture
def line(io, pool, resources):
    """line(...): a proxy with redis (0) and memcache (1) clients."""

    def start(*more, rd=None, mc=None, **keywords):
        return resources(Line(harness.redis(pool.backends("redis")[:2], name="rd", **(rd or {})),
                              harness.memcache(pool.backends("memcached")[:2], name="mc", **(mc or {})), *more, io=io,
                              **keywords))

    return start


def info(client):
    return dict(part.split("=", 1) for part in client.cmd("CLIENT", "INFO").decode().split())


def by_name(client):
    lines = client.cmd("CLIENT", "LIST").decode().splitlines()
    clients = [dict(part.split("=", 1) for part in one.split()) for one in lines]
    return {one["name"]: one for one in clients}


def test_idle_clients_move_with_what_they_have_set(line, resources, keys):
    users = {"users": ["user default on nopass ~* &* +@all", "user joe on >secret ~* &* +@all"]}
    proxy = line(rd=users, workers=2)
    redis, memcache = proxy.clusters[0].address, proxy.clusters[1].address
    key = keys.any().decode()
    two, three = resources(RedisConn(redis)), resources(RedisConn(redis))
    two.ok("AUTH", "joe", "secret")
    two.ok("SELECT", "0")
    two.ok("CLIENT", "SETNAME", "first")
    two.ok("CLIENT", "SETINFO", "LIB-NAME", "mylib")
    three.ok("SET", key, "1")
    three.send(resp("HELLO", "3", "SETNAME", "second"))
    three.until(b"modules\r\n*0\r\n")
    mute = resources(RedisConn(redis))
    mute.send(resp("CLIENT", "REPLY", "OFF"))
    text, binary = resources(McConn(memcache)), resources(BinaryConn(memcache))
    fresh = resources(RedisConn(redis))
    assert text.set(key.encode(), b"x") == b"STORED\r\n"
    binary.set(key.encode() + b"b", b"y")
    before = by_name(two)
    page = proxy.upgrade()
    assert (page["moved"], page["drained"], page["closed"]) == (6, 0, 0), page
    after = by_name(two)
    for name in ("first", "second"):
        for field in ("id", "addr", "laddr", "user", "resp", "lib-name"):
            assert after[name].get(field) == before[name].get(field), field
        assert int(after[name]["age"]) >= int(before[name]["age"])
    assert after["first"]["user"] == "joe" and after["second"]["resp"] == "3"
    assert three.cmd("GET", key) == b"1"
    three.send(resp("HGETALL", key + "none"))
    assert three.line() == b"%0\r\n"  # still RESP3
    assert text.value(key.encode()) == b"x" and text.ask(b"mg %s v\r\n" % key.encode()) == b"VA 1\r\n"
    assert text.line() == b"x\r\n"
    assert binary.value(key.encode() + b"b") == b"y"
    assert fresh.cmd("PING") == "PONG"
    mute.send(resp("SET", key, "2") + resp("CLIENT", "REPLY", "ON"))
    assert mute.reply() == "OK" and three.cmd("GET", key) == b"2"
    assert info(resources(RedisConn(redis)))["id"] not in {was["id"] for was in before.values()}
    metrics = Page(fetch(proxy.stat, "/metrics")[1])
    assert metrics.one("overlord_proxy_upgrades_total", outcome="taken_over") == 1
    assert metrics.one("overlord_proxy_moved_clients_total", direction="in") == 6


def test_half_a_request_before_and_the_rest_after(line, resources, keys):
    proxy = line()
    key = keys.any()
    value = os.urandom(50_000)
    redis, text = resources(RedisConn(proxy.clusters[0].address)), resources(McConn(proxy.clusters[1].address))
    binary = resources(BinaryConn(proxy.clusters[1].address))
    one, two = resp("SET", key, value), b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value)
    redis.send(resp("PING") + one[:30_000])
    text.send(b"version\r\n" + two[:100])
    binary.send(b"\x80\x0a")
    assert redis.reply() == "PONG" and text.line().startswith(b"VERSION")
    assert proxy.upgrade()["moved"] == 3
    redis.send(one[30_000:] + resp("GET", key))
    text.send(two[100:])
    assert redis.reply() == "OK" and redis.reply() == value
    assert text.line() == b"STORED\r\n" and text.value(key) == value
    binary.send(bytes(22))
    assert binary.reply().status == 0


@pytest.mark.parametrize("workers", [(1, 1), (2, 1), (1, 2)])
def test_nobody_is_refused_and_no_answer_is_wrong(line, workers):
    """Connections come all the time, and a pipelined load goes on, over upgrades that change the number of workers."""
    proxy = line(workers=workers[0])
    failures, opened, stop = [], [0], threading.Event()

    def connect():
        try:
            while not stop.is_set():
                with RedisConn(proxy.clusters[0].address) as client:
                    assert client.cmd("ECHO", "hello") == b"hello"
                opened[0] += 1
        except Exception as failure:  # noqa: BLE001 - shown by the test
            failures.append(repr(failure))

    threads = [threading.Thread(target=connect, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    with Load(proxy.clusters[0].address, clients=3) as rd, Load(proxy.clusters[1].address, "memcache", clients=3) as mc:
        for count in (workers[1], workers[0], workers[1]):
            page = take_by_hand(proxy, count)
            assert page["closed"] == 0 and page["drained"] <= opened[0], page
            rd.progress()
            mc.progress()
    stop.set()
    for thread in threads:
        thread.join(20 * harness.SCALE)
    assert not failures and opened[0] > 10, (failures[:3], opened)


def take_by_hand(proxy, workers):
    """As ctl does it, but with another number of workers: by a program in front of the real one."""
    script = proxy.folder / "overlord-proxy-other-workers"
    script.write_text('#!/bin/bash\nexec %s "$@" -workers %d\n' % (harness.PROXY, workers))
    script.chmod(0o755)
    return proxy.upgrade("--binary", str(script))


def test_a_new_process_comes_by_itself(line, resources, tmp_path):
    """With upgrade_socket a new one can be started by anybody of the same user; the next one too."""
    path = str(tmp_path / "upgrade.sock")
    proxy = line(conf={"upgrade_socket": path, "stop_timeout": int(5000 * harness.SCALE)})
    client = resources(RedisConn(proxy.clusters[0].address))
    assert os.stat(path).st_mode & 0o777 == 0o600
    for _ in range(2):
        with open(proxy.stdout_path, "ab") as out:
            child = subprocess.Popen([harness.PROXY, "-cluster", proxy.cluster_file, "-conf", proxy.conf_file, "-std",
                                      "-io", proxy.io, "-workers", "1", "-stat", f"unix:{proxy.stat}",
                                      f"-upgrade-from={path}"], stdout=out, stderr=out, cwd=proxy.folder)
        resources(Killed(child))
        proxy.upgraded_to(child.pid)
        assert client.cmd("PING") == "PONG"
    assert pathlib.Path(path).exists()


class Killed:
    def __init__(self, child):
        self.child = child

    def close(self):
        self.child.kill()
        try:
            self.child.wait()
        except ChildProcessError:
            pass


@pytest.mark.parametrize("how", ["ends at once", "has bad files", "another takes its address"])
def test_a_new_process_that_fails_changes_nothing(line, resources, keys, how):
    proxy = line()
    client = resources(RedisConn(proxy.clusters[0].address))
    script = proxy.folder / "overlord-proxy-fails"
    before = proxy.cluster_file.read_text()
    script.write_text("#!/bin/bash\n" + ("exit 3\n" if how == "ends at once" else f'exec {harness.PROXY} "$@"\n'))
    script.chmod(0o755)
    reason = "it exited with 3"
    if how == "has bad files":
        proxy.cluster_file.write_text(before + "nonsense = 1\n[[clusters]]\n")
        reason = "could not start"
    elif how == "another takes its address":
        taken = resources(socket.create_server(("127.0.0.1", 0)))
        proxy.cluster_file.write_text(before + harness.redis(["127.0.0.1:1:1 x"], name="more", listen_addr=(
            "127.0.0.1:%d" % taken.getsockname()[1])).toml())
        reason = "in use"
    for _ in range(2):
        done = proxy.ctl("upgrade", "--binary", str(script))
        assert done.returncode == 1 and reason in done.stderr, (done.stdout, done.stderr)
    assert "this process goes on" in proxy.output()
    assert client.cmd("PING") == "PONG"
    with RedisConn(proxy.clusters[0].address) as another:
        assert another.cmd("PING") == "PONG"
    assert Page(fetch(proxy.stat, "/metrics")[1]).one("overlord_proxy_upgrades_total", outcome="failed") == 2
    proxy.cluster_file.write_text(before)
    assert proxy.upgrade()["moved"] == 1
    assert client.cmd("PING") == "PONG"


def test_what_may_not_be_started(line):
    proxy = line()
    writable = proxy.folder / "overlord-proxy-writable"
    shutil.copy("/bin/true", writable)
    writable.chmod(0o777)
    for path, why in ((str(writable), "everybody may write"), ("/etc/passwd", "is no program"), ("/none", "No such file"), ("/bin/true", "must begin with overlord-proxy")):
        done = proxy.ctl("upgrade", "--binary", path)
        assert done.returncode == 1 and why in done.stderr, done.stderr


def test_a_new_process_that_dies_half_way(line, resources):
    """It is killed while clients move: the doors open again, and who had not gone is served on."""
    proxy = line(conf={"stop_timeout": 3600000})
    address = proxy.clusters[0].address
    stays = resources(RedisConn(address))
    stays.ok("MULTI")
    goes = resources(RedisConn(address))
    assert goes.cmd("PING") == "PONG"
    done = {}
    ctl = threading.Thread(target=lambda: done.update(ctl=proxy.ctl("upgrade")), daemon=True)
    ctl.start()
    wait_until(lambda: "took over from" in proxy.output())
    wait_until(lambda: goes.cmd("INFO", "server").count(b"process_id:%d" % proxy.pid) == 0)
    new = int(goes.cmd("INFO", "server").split(b"process_id:")[1].split()[0])
    os.kill(new, signal.SIGKILL)
    ctl.join(60 * harness.SCALE)
    assert done["ctl"].returncode == 1 and "ended by signal 9" in done["ctl"].stderr, done
    with RedisConn(address) as another:
        assert another.cmd("PING") == "PONG"
    assert stays.cmd("PING") == "QUEUED" and stays.cmd("EXEC") == ["PONG"]
    with pytest.raises((Closed, OSError)):
        goes.cmd("PING")
    assert proxy.upgrade()["moved"] >= 1
    assert stays.cmd("PING") == "PONG"


def test_what_only_the_old_process_can_finish(line, resources, keys):
    """MULTI, WATCH and BLPOP are ended there; a subscriber is closed at the deadline."""
    proxy = line(conf={"stop_timeout": int(3000 * harness.SCALE)})
    address = proxy.clusters[0].address
    multi, watch, blocked, subscriber = (resources(RedisConn(address)) for _ in range(4))
    key = keys.any().decode()
    multi.ok("MULTI")
    assert multi.cmd("SET", key, "1") == "QUEUED"
    watch.ok("WATCH", key)
    blocked.send(resp("BLPOP", key + "list", "0"))
    assert subscriber.cmd("SUBSCRIBE", "news")[0] == b"subscribe"
    wait_until(lambda: b"flags=b" in client_list(address))
    end = {}
    thread = threading.Thread(target=lambda: end.update(page=proxy.upgrade()), daemon=True)
    thread.start()
    wait_until(lambda: "took over from" in proxy.output())
    assert multi.cmd("EXEC") == ["OK"]
    watch.ok("MULTI")
    assert watch.cmd("GET", key) == "QUEUED"
    assert watch.cmd("EXEC") is None  # the key has changed
    with RedisConn(address) as other:
        assert other.cmd("RPUSH", key + "list", "x") == 1
    assert blocked.reply() == [(key + "list").encode(), b"x"]
    thread.join(60 * harness.SCALE)
    assert end["page"]["moved"] == 3, end
    for client in (multi, watch, blocked):
        assert client.cmd("PING") == "PONG"
    with pytest.raises((Closed, OSError)):
        subscriber.reply()


def client_list(address):
    with RedisConn(address) as client:
        return client.cmd("CLIENT", "LIST")


def test_tls_clients_stay_until_they_are_silent(io, pool, resources, tmp_path):
    made = resources(certs.Certs())
    cluster = TlsCluster("redis", pool.backends("redis")[:1], name="rd", **made.listener())
    proxy = resources(Line(cluster, io=io, conf={"stop_timeout": int(10_000 * harness.SCALE)}))
    client = secure(RedisConn, cluster.address, made.context())
    assert client.cmd("PING") == "PONG"
    page = proxy.upgrade()
    assert (page["moved"], page["drained"], page["closed"]) == (0, 1, 0), page
    with pytest.raises((Closed, OSError)):
        client.cmd("PING")
        client.cmd("PING")
    again = secure(RedisConn, cluster.address, made.context())
    assert again.cmd("PING") == "PONG"


def test_who_asked_is_told_to_move(io, pool, resources):
    """RESP3 clients that cannot move and sent CLIENT MAINT_NOTIFICATIONS ON: with TLS, and subscribers."""
    made = resources(certs.Certs())
    cluster = TlsCluster("redis", pool.backends("redis")[:1], name="rd", **made.listener())
    proxy = resources(Line(cluster, io=io, conf={"stop_timeout": int(4000 * harness.SCALE)}))
    told = resources(secure(RedisConn, cluster.address, made.context()))
    subscriber, moves = resources(RedisConn(cluster.plain_address)), resources(RedisConn(cluster.plain_address))
    for client in (told, subscriber, moves):
        client.send(resp("HELLO", "3"))
        client.until(b"modules\r\n*0\r\n")
        client.ok("CLIENT", "MAINT_NOTIFICATIONS", "ON", "moving-endpoint-type", "none")
    subscriber.send(resp("SUBSCRIBE", "news"))
    subscriber.until(b"news\r\n:1\r\n")
    old, end = proxy.pid, {}
    thread = threading.Thread(target=lambda: end.update(page=proxy.upgrade()), daemon=True)
    thread.start()
    push = b">4\r\n$6\r\nMOVING\r\n:%d\r\n:%d\r\n_\r\n" % (old, int(4 * harness.SCALE))
    for client in (told, subscriber):
        assert client.exact(len(push)) == push
        client.close()  # as a client library does, once it has connected anew
    thread.join(60 * harness.SCALE)
    page = end["page"]
    assert (page["moved"], page["drained"], page["closed"]) == (1, 2, 0), page
    assert moves.cmd("PING") == "PONG"


def test_limits_and_addresses_go_along(line, resources):
    """max_clients counts who is in either process, and whom a PROXY header named is still that."""
    proxy = line(rd={"max_clients": 3, "proxy_protocol": True})
    address = proxy.clusters[0].address

    def connect():
        client = resources(RedisConn(address))
        client.send(b"PROXY TCP4 192.0.2.7 192.0.2.8 1234 80\r\n")
        return client

    clients = [connect() for _ in range(3)]
    for client in clients:
        assert info(client)["addr"] == "192.0.2.7:1234"
    for _ in range(2):
        assert proxy.upgrade()["moved"] == 3
        assert info(clients[0])["addr"] == "192.0.2.7:1234"
        with RedisConn(address) as refused:
            assert "max number of clients" in refused.reply()
    clients.pop().close()
    wait_until(lambda: b"connected_clients:2" in clients[0].cmd("INFO", "clients"))
    assert info(connect())["addr"] == "192.0.2.7:1234"


def test_unix_sockets_and_a_changed_file(line, resources, tmp_path, pool, io):
    """A cluster that the new file has not: its clients stay and are closed; the others move. Paths stay where they are."""
    path = str(tmp_path / "p.sock")
    rd = harness.redis(pool.backends("redis")[:1], name="rd", listen=path)
    mc = harness.memcache(pool.backends("memcached")[:1], name="mc")
    proxy = resources(Line(rd, mc, io=io, conf={"stop_timeout": int(1000 * harness.SCALE)}))
    one, two = resources(RedisConn(path)), resources(McConn(mc.address))
    assert one.cmd("PING") == "PONG" and two.ask(b"version\r\n").startswith(b"VERSION")
    proxy.cluster_file.write_text(rd.toml())
    page = proxy.upgrade()
    assert page["moved"] == 1 and page["drained"] + page["closed"] == 1, page
    assert one.cmd("PING") == "PONG" and two.rest() == b""
    with RedisConn(path) as more:
        assert more.cmd("PING") == "PONG"
    proxy.stop()
    assert not os.path.exists(path)


def test_the_service_manager_follows(io, pool, resources, tmp_path):
    manager = resources(Manager(str(tmp_path / "notify")))
    proxy = resources(Line(harness.redis(pool.backends("redis")[:1]), io=io,
                           env={**manager.env, "WATCHDOG_USEC": str(int(400_000 * harness.SCALE))}))
    manager.until("READY=1")
    proxy.signal(signal.SIGUSR2)
    message = next(m for m in iter(manager.message, None) if m[0].startswith("MAINPID="))
    manager.until("READY=1")
    proxy.upgraded_to(int(message[0].split("=")[1]))
    manager.drain()
    manager.until("WATCHDOG=1")
    with RedisConn(proxy.address) as client:
        assert client.cmd("PING") == "PONG"
