"""/metrics of a running proxy: true numbers, whatever happens to backends and clients meanwhile."""

import re
import shutil
import struct
import subprocess
import threading

import pytest

import harness
from clients import BinaryConn, Closed, McConn, Op, RedisConn, RedisError, frame, resp, store
from harness import SCALE, wait_until
from metrics_page import Page, Watched, fetch


@pytest.fixture
def watched(io, pool, resources):
    made = Watched(harness.redis(pool.backends("redis"), name="rd"),
                   harness.memcache(pool.backends("memcached"), name="mc"), io=io, workers=2)
    yield made
    made.stop()


def test_numbers_are_true(watched, keys):
    """Known traffic of both protocols, every number counted by hand."""
    names = keys.many(40)
    sent = got = 0
    with RedisConn(watched.clusters[0].address) as rd:
        for n, key in enumerate(names):
            for call in (("SET", key, "v" * n), ("GET", key)):
                rd.send(resp(*call))
                sent += len(resp(*call))
                got += len(rd.raw())
        for call in (("MGET", *names), ("PING",), ("CLIENT", "GETNAME"), ("NOSUCH", "x"), ("DEL", names[0])):
            rd.send(resp(*call))
            sent += len(resp(*call))
            got += len(rd.raw())
        during = watched.scrape()
    assert during.one("overlord_proxy_conns", cluster="rd") == 1
    assert during.one("overlord_proxy_requests_total", cluster="rd") == 85
    for cmd, count in (("set", 40), ("get", 40), ("mget", 1), ("ping", 1), ("client|getname", 1), ("other", 1),
                       ("del", 1)):
        assert during.one("overlord_proxy_timer_count", cluster="rd", cmd=cmd) == count, cmd
    assert during.sum("overlord_proxy_timer_count", cluster="rd") == 85
    assert during.one("overlord_proxy_client_receive_bytes_total", cluster="rd") == sent
    assert during.one("overlord_proxy_client_transmit_bytes_total", cluster="rd") == got
    # MGET went to each of the four nodes.
    assert during.sum("overlord_proxy_handler_timer_count", cluster="rd", cmd="read") == 44
    assert during.sum("overlord_proxy_handler_timer_count", cluster="rd", cmd="write") == 41
    for key in names[:4]:
        node = watched.clusters[0].keys["servers"][keys.ring.node(key)].rsplit(":", 1)[0]
        assert during.one("overlord_proxy_backend_in_ring", cluster="rd", node=node) == 1
        assert during.one("overlord_proxy_backend_requests_total", cluster="rd", node=node) >= 3
        assert during.one("overlord_proxy_backend_transmit_bytes_total", cluster="rd", node=node) > 100
        assert during.one("overlord_proxy_backend_receive_bytes_total", cluster="rd", node=node) > 10

    before = during.one("overlord_proxy_client_accepts_total", cluster="mc")
    with McConn(watched.clusters[1].address) as mc, BinaryConn(watched.clusters[1].address) as binary:
        for key in names:
            assert mc.set(key, b"x") == b"STORED\r\n"
            assert mc.value(key) == b"x"
        assert len(mc.get(*names[:10])) == 10
        mc.send(b"mg %s v\r\n" % names[0])
        assert mc.line() == b"VA 1\r\n" and mc.line() == b"x\r\n"
        assert binary.ask(store(Op.SET, names[0], b"y")).status == 0
        assert binary.value(names[0]) == b"y"
        assert binary.ask(frame(Op.NOOP)).status == 0
        assert mc.ask(b"nonsense\r\n") == b"ERROR\r\n"
        wait_until(lambda: watched.scrape().one("overlord_proxy_conns", cluster="rd") == 0)
        during = watched.scrape()
    assert during.one("overlord_proxy_conns", cluster="mc") == 2
    for cmd, count in (("set", 41), ("get", 42), ("mg", 1), ("noop", 1), ("other", 1)):
        assert during.one("overlord_proxy_timer_count", cluster="mc", cmd=cmd) == count, cmd
    # Each key of a retrieval is a request to its node.
    assert during.sum("overlord_proxy_handler_timer_count", cluster="mc", cmd="read") == 40 + 10 + 1 + 1
    assert during.sum("overlord_proxy_handler_timer_count", cluster="mc", cmd="write") == 41
    assert during.one("overlord_proxy_client_accepts_total", cluster="mc") == before + 2
    assert during.sum("overlord_proxy_failures_total") == 0
    assert during.find("overlord_proxy_err") == []
    assert during.sum("overlord_proxy_worker_up") == during.one("overlord_proxy_workers") == 2
    assert during.one("process_open_fds") > 10
    assert during.one("process_resident_memory_bytes") > 1e6


def test_the_text_is_as_prometheus_wants_it(watched, keys):
    """promtool finds nothing to say, and every family is one that docs/metrics.md explains."""
    with RedisConn(watched.clusters[0].address) as rd, McConn(watched.clusters[1].address) as mc:
        rd.ok("SET", keys.any(), "x")
        assert mc.set(keys.any(), b"x") == b"STORED\r\n"
        page = watched.scrape()
    manual = (harness.REPO / "docs/metrics.md").read_text()
    for name, labels, _ in page.samples:
        row = re.search(rf"^\| `{page.family(name)}` \| (\w+) \| (.*?) \|", manual, re.M)
        assert row and row.group(1) == page.types[page.family(name)], name
        assert set(labels) - {"le"} == set(re.findall(r"`(\w+)`", row.group(2))), (name, labels)
    series = [(name, tuple(sorted(labels.items()))) for name, labels, _ in page.samples]
    assert len(series) == len(set(series))
    for cumulative in page.find("overlord_proxy_timer_count", cluster="rd", cmd="set"):
        buckets = page.find("overlord_proxy_timer_bucket", cluster="rd", cmd="set")
        assert buckets == sorted(buckets) and buckets[-1] == cumulative == 1
    assert shutil.which("promtool"), "Debian's prometheus is missing: scripts/packages.txt, group test"
    done = subprocess.run(["promtool", "check", "metrics"], input=page.text, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_limits_that_are_hit(io, pool, keys):
    cluster = harness.redis(pool.backends("redis"), name="small", max_key_size=100, max_pipeline=4,
                            max_value_size=20000, max_request_size=65536, max_arguments=100)
    with Watched(cluster, io=io, conf={"max_connections": 3}) as proxy:
        with RedisConn(proxy.address) as one, RedisConn(proxy.address) as two, RedisConn(proxy.address) as three:
            assert isinstance(one.cmd("GET", "k" * 101), RedisError)
            assert one.pipeline([("GET", keys.any())] * 100) == [None] * 100
            two.send(resp("MSET", *(part for n in range(5) for part in (f"k{n}", "v" * 15000)))[:-1])
            assert b"-ERR" in two.rest()
            wait_until(lambda: proxy.scrape().one("overlord_proxy_conns", cluster="small") == 2)
            with RedisConn(proxy.address) as two, RedisConn(proxy.address) as four:
                assert three.cmd("PING") == two.cmd("PING") == "PONG"
                with pytest.raises(Closed):
                    four.exact(1000)
        for beyond in (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$20001\r\n", b"*101\r\n$4\r\nMGET\r\n"):
            wait_until(lambda: proxy.scrape().one("overlord_proxy_conns", cluster="small") == 0)
            with RedisConn(proxy.address) as gone:
                gone.send(beyond)
                assert gone.rest().startswith(b"-ERR Protocol error")
        page = proxy.scrape()
        hits = {limit: page.one("overlord_proxy_limit_hits_total", limit=limit)
                for limit in ("max_key_size", "max_request_size", "max_connections", "max_pipeline", "max_node_queue",
                              "max_value_size", "max_arguments")}
        assert hits["max_key_size"] == hits["max_request_size"] == hits["max_connections"] == 1, hits
        assert hits["max_value_size"] == hits["max_arguments"] == 1, hits
        assert hits["max_pipeline"] >= 1 and hits["max_node_queue"] == 0, hits
        assert page.one("overlord_proxy_client_refusals_total", reason="max_connections") == 1


def test_values_that_are_too_large_for_memcache(io, pool, keys):
    """Counted in each dialect, also where nobody is told."""
    cluster = harness.memcache(pool.backends("memcached"), name="small", max_value_size=1000)
    key = keys.any()
    large = b"v" * 1001
    binary = struct.pack(">BBHBBHIIQ", 0x80, 1, len(key), 8, 0, 0, 8 + len(key) + 1001, 0, 0)
    with Watched(cluster, io=io) as proxy:
        with McConn(proxy.address) as text, McConn(proxy.address) as meta, McConn(proxy.address) as frames:
            text.send(b"set %s 0 0 1001 noreply\r\n%s\r\nversion\r\n" % (key, large))
            assert text.line().startswith(b"VERSION")
            meta.send(b"ms %s 1001\r\n%s\r\n" % (key, large))
            assert meta.line() == b"SERVER_ERROR object too large for cache\r\n"
            frames.send(binary + bytes(8) + key + large)
            assert frames.exact(24)[6:8] == b"\0\3"
        assert proxy.scrape().one("overlord_proxy_limit_hits_total", limit="max_value_size") == 3


def test_a_killed_backend(io, resources, keys):
    servers = [resources(harness.Redis()) for _ in range(2)]
    with Watched(harness.redis(servers, name="c"), io=io) as proxy, RedisConn(proxy.address) as client:
        names = keys.many(20)
        for key in names:
            client.ok("SET", key, "x")
        servers[0].kill9()
        wait_until(lambda: any(isinstance(client.cmd("GET", key), RedisError) for key in names))
        wait_until(lambda: proxy.scrape().one("overlord_proxy_backend_up", node=servers[0].spec) == 0)
        failed = [client.cmd("GET", key) for key in names]
        lost = sum(isinstance(reply, RedisError) for reply in failed)
        assert 0 < lost < len(names)
        page = proxy.scrape()
        assert page.one("overlord_proxy_backend_up", node=servers[1].spec) == 1
        assert page.one("overlord_proxy_backend_failures_total", node=servers[0].spec, cmd="read",
                        error="backend_down") >= lost
        assert page.find("overlord_proxy_backend_failures_total", node=servers[1].spec) == []
        assert page.sum("overlord_proxy_err", node=servers[0].spec, cmd="read", error="network err") == \
            page.sum("overlord_proxy_backend_failures_total", node=servers[0].spec) == page.sum(
                "overlord_proxy_failures_total", cluster="c")
        assert page.one("overlord_proxy_backend_faults_total", node=servers[0].spec) >= 1
        assert page.one("overlord_proxy_backend_connections", node=servers[0].spec, state="up") == 0
        servers[0].start()
        wait_until(lambda: proxy.scrape().one("overlord_proxy_backend_up", node=servers[0].spec) == 1)


def test_a_stopped_backend_that_is_ejected(io, resources, keys):
    """A scrape waits for no backend, shows what waits for it, and then that it is out of the ring."""
    servers = [resources(harness.Memcached()) for _ in range(2)]
    cluster = harness.memcache(servers, name="c", ping_auto_eject=True, ping_fail_limit=2,
                               ping_interval=int(100 * SCALE), eject_retry_interval=int(60000 * SCALE),
                               read_timeout=int(1000 * SCALE), dial_timeout=int(1000 * SCALE))
    with Watched(cluster, io=io) as proxy, McConn(proxy.address) as client:
        assert client.set("a", b"x") == b"STORED\r\n"
        servers[0].freeze()
        try:
            with McConn(proxy.address) as waiting:
                waiting.send(b"".join(b"get %s\r\n" % key for key in keys.many(40)))
                wait_until(lambda: proxy.scrape().one("overlord_proxy_backend_queue_requests",
                                                      node=servers[0].spec) > 0)
                wait_until(lambda: proxy.scrape().one("overlord_proxy_backend_in_ring", node=servers[0].spec) == 0)
            page = proxy.scrape()
            assert page.one("overlord_proxy_backend_in_ring", node=servers[1].spec) == 1
            assert page.one("overlord_proxy_err", node=servers[0].spec, error="del node") == 1
            assert page.one("overlord_proxy_backend_ejections_total", node=servers[0].spec) == 1
            assert page.sum("overlord_proxy_backend_failures_total", node=servers[0].spec, error="timed_out") > 0
        finally:
            servers[0].thaw()


def test_scrapes_while_clients_hammer(watched, keys):
    names = keys.many(50)
    stop = threading.Event()
    done, wrong = [], []

    def hammer(n):
        count = 0
        try:
            with RedisConn(watched.clusters[0].address) as client:
                while not stop.is_set():
                    calls = [("SET", names[(n + i) % 50], "v") for i in range(16)]
                    assert client.pipeline(calls) == ["OK"] * 16
                    count += 16
        except Exception as error:  # noqa: BLE001 - shown by the test
            wrong.append(error)
        done.append(count)

    threads = [threading.Thread(target=hammer, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    try:
        last = Page("")
        for _ in range(20):
            page = watched.scrape()
            for name in ("overlord_proxy_requests_total", "overlord_proxy_timer_count", "overlord_proxy_timer_sum",
                         "overlord_proxy_client_receive_bytes_total", "overlord_proxy_worker_turns_total"):
                assert page.sum(name) >= last.sum(name), name
            assert page.sum("overlord_proxy_worker_up") == 2
            last = page
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not wrong
    assert watched.scrape().one("overlord_proxy_timer_count", cluster="rd", cmd="set") == sum(done) > 0


def test_off_and_elsewhere(io, pool, tmp_path):
    servers = pool.backends("redis")
    with Watched(harness.redis(servers), io=io, conf={"use_metrics": False}) as proxy:
        status, text = fetch(proxy.http, "/metrics")
        assert status == 404 and "/healthz" in text
        assert fetch(proxy.http, "/healthz") == (200, "ok\n")
        # The port is taken: a start says so and names the key.
        done = harness.run_proxy("-cluster", proxy.cluster_file, "-stat", f"{proxy.http[0]}:{proxy.http[1]}", "-t")
        assert done.returncode == 0
        other = tmp_path / "c.toml"
        other.write_text(proxy.cluster_file.read_text().replace(f":{proxy.clusters[0].port}\"",
                                                                f":{harness.free_port()}\""))
        done = harness.run_proxy("-cluster", other, "-stat", f"{proxy.http[0]}:{proxy.http[1]}")
        assert done.returncode == 1
        assert "stat = " in done.stderr and "in use" in done.stderr, done.stderr
    path = str(tmp_path / "http.sock")
    with harness.Proxy(harness.redis(servers), io=io, conf={"use_metrics": False},
                       flags=["-stat", f"unix:{path}", "-metrics"]) as proxy:
        wait_until(lambda: (tmp_path / "http.sock").exists())
        status, text = fetch(path, "/metrics")
        assert status == 200 and Page(text).one("overlord_proxy_workers") == 1
