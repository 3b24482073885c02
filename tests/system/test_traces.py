"""Traces of sampled requests: what a collector gets, again and again where it has to, and that no client waits for it."""

import pathlib

import pytest

import harness
from clients import McConn, RedisConn
from harness import wait_until
from metrics_page import Watched
from otlp_receiver import Receiver, attributes

OUTCOMES = "overlord_proxy_traced_requests_total"


@pytest.fixture
def receiver(resources):
    return resources(Receiver())


@pytest.fixture
def start(io, pool, resources, receiver):
    def run(sample=1, workers=1):
        return resources(Watched(harness.redis(pool.backends("redis"), name="rd"),
                                 harness.memcache(pool.backends("memcached"), name="mc", aliases=False), io=io,
                                 workers=workers, conf={"otlp_endpoint": receiver.url, "otlp_sample": sample}))

    return run


def test_each_request_is_a_trace_of_its_stages(start, receiver, pool, keys):
    proxy = start(workers=2)
    key = keys.any()
    with RedisConn(proxy.clusters[0].address) as rd, McConn(proxy.clusters[1].address) as mc:
        rd.ok("SET", key, "a-secret-value")
        rd.cmd("PING")
        assert "WRONGTYPE" in str(rd.cmd("LPUSH", key, "x"))
        assert mc.set(key, b"a-secret-value") == b"STORED\r\n"
        client = rd.sock.getsockname()
    wait_until(lambda: len(receiver.roots()) == 4, what="all traces")
    assert "secret" not in str(receiver.bodies)
    resource = attributes(receiver.bodies[0]["resourceSpans"][0]["resource"])
    assert resource["service.name"] == "overlord-proxy" and resource["process.pid"] == str(proxy.pid)
    roots = {root["name"]: root for root in receiver.roots()}
    assert set(roots) == {"set rd", "ping rd", "lpush rd", "set mc"}
    assert len({root["traceId"] for root in roots.values()}) == 4
    spans = receiver.spans()
    assert len({span["spanId"] for span in spans}) == len(spans)
    for name, root in roots.items():
        stages = [span for span in spans if span.get("parentSpanId") == root["spanId"]]
        assert [s["name"] for s in stages] == ([] if name == "ping rd" else ["wait", "queue", "backend", "write"])
        at = root["startTimeUnixNano"]
        for stage in stages:
            assert stage["traceId"] == root["traceId"] and stage["startTimeUnixNano"] == at
            at = stage["endTimeUnixNano"]
        assert not stages or at == root["endTimeUnixNano"]
        assert root["kind"] == 2
        about = attributes(root)
        assert about["db.system.name"] == about["db.system"] == ("memcached" if name == "set mc" else "redis")
        assert about["db.operation.name"] == name.split()[0] and about["overlord.cluster"] == name.split()[1]
        assert ("status" in root) == (name == "lpush rd")
    about = attributes(roots["set rd"])
    assert (about["client.address"], about["client.port"]) == (client[0], str(client[1]))
    assert about["overlord.key"] == key.decode()
    assert roots["lpush rd"]["status"]["code"] == 2 and attributes(roots["lpush rd"])["error.type"] == "error_reply"
    backend = next(s for s in spans if s["name"] == "backend" and s["traceId"] == roots["set mc"]["traceId"])
    ports = {server.port for server in pool.backends("memcached")}
    place = attributes(backend)
    assert backend["kind"] == 3 and place["server.address"] == place["network.peer.address"] == "127.0.0.1"
    assert int(place["server.port"]) in ports
    wait_until(lambda: proxy.scrape().one(OUTCOMES, outcome="sent") == 4)


def test_one_of_so_many(start, receiver):
    proxy = start(sample=100)
    with RedisConn(proxy.clusters[0].address) as rd:
        rd.pipeline([("GET", f"key-{n}") for n in range(1000)])
    proxy.stop()  # which sends what waits
    assert [attributes(root)["overlord.key"] for root in receiver.roots()] == [f"key-{n}" for n in range(99, 1000, 100)]


def test_what_may_go_well_later_is_sent_again(start, receiver):
    receiver.answers = [(503, {"Retry-After": "1"}, ""), (429, {}, ""), (200, {}, "{}")]
    proxy = start()
    with RedisConn(proxy.clusters[0].address) as rd:
        rd.cmd("PING")
        wait_until(lambda: proxy.scrape().sum(OUTCOMES) > 0, what="an outcome")
    assert proxy.scrape().one(OUTCOMES, outcome="sent") == 1
    assert len(receiver.roots()) == 3
    assert "takes no traces: HTTP 503" in proxy.output() and "takes traces again" in proxy.output()


def test_what_cannot_go_well_is_not(start, receiver):
    receiver.answers = [(400, {}, "no"), (200, {}, '{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too odd"}}')]
    proxy = start()
    with RedisConn(proxy.clusters[0].address) as rd:
        rd.cmd("PING")
        wait_until(lambda: proxy.scrape().one(OUTCOMES, outcome="rejected") == 1)
        rd.cmd("PING")
        wait_until(lambda: proxy.scrape().one(OUTCOMES, outcome="sent") == 1)
    assert len(receiver.roots()) == 2
    wait_until(lambda: "too odd" in proxy.output())


def test_nobody_waits_for_a_collector_that_hangs(start, receiver):
    """What it does not take is bounded and counted to the last request."""
    receiver.held.clear()
    proxy = start()
    count = 10_000
    with RedisConn(proxy.clusters[0].address) as rd:
        for at in range(0, count, 1000):
            rd.pipeline([("GET", f"key-{n}") for n in range(at, at + 1000)])
        wait_until(lambda: proxy.scrape().one(OUTCOMES, outcome="dropped") > 0)
        receiver.held.set()
        wait_until(lambda: proxy.scrape().sum(OUTCOMES) == count, 40)
        assert rd.cmd("PING") == "PONG"


def test_without_an_endpoint_there_is_nothing(io, pool, resources):
    proxy = resources(Watched(harness.redis(pool.backends("redis")[:1]), io=io))
    assert OUTCOMES not in proxy.page("/metrics")
    assert "otlp" not in {name.read_text().strip() for name in
                          pathlib.Path(f"/proc/{proxy.pid}/task").glob("*/comm")}


@pytest.mark.parametrize("value", ["collector:4318", "http://", "http://h:4318/v1/traces", "ftp://h", "http://h x"])
def test_wrong_endpoints(tmp_path, value):
    cluster = tmp_path / "cluster.toml"
    cluster.write_text(harness.redis(["127.0.0.1:1:1"], listen=str(tmp_path / "proxy.sock")).toml())
    conf = tmp_path / "proxy.toml"
    conf.write_text(f'[proxy]\notlp_endpoint = "{value}"\n')
    done = harness.run_proxy("-t", "-cluster", cluster, "-conf", conf)
    assert done.returncode == 2 and "otlp_endpoint" in done.stderr and "http://HOST:4318" in done.stderr
