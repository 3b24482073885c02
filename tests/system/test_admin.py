"""The HTTP pages for operators: what they tell is true, and none of it is a secret."""

import json
import re
import socket

import pytest

import harness
from clients import McConn, RedisConn, RedisError
from harness import wait_until
from metrics_page import Watched, fetch

SECRETS = ("front-door-secret", "back-door-secret", "sentinel-secret")


@pytest.fixture
def watched(io, pool, resources):
    guarded = resources(harness.Redis(options=["--requirepass", SECRETS[1]]))
    made = Watched(harness.redis(pool.backends("redis"), name="rd"),
                   harness.memcache(pool.backends("memcached"), name="mc", aliases=False),
                   harness.redis([guarded], name="guarded", password=SECRETS[0], redis_auth=SECRETS[1]),
                   io=io, workers=2)
    yield made
    made.stop()


def ask(proxy, path):
    return json.loads(proxy.page(path))


def test_clusters_and_backends(watched, keys):
    with RedisConn(watched.clusters[0].address) as rd, McConn(watched.clusters[1].address) as mc:
        for key in keys.many(30):
            rd.ok("SET", key, "x")
            assert mc.value(key) is None
        clusters = {c["name"]: c for c in ask(watched, "/clusters")["clusters"]}
        assert list(clusters) == ["rd", "mc", "guarded"]
        assert (clusters["rd"]["type"], clusters["rd"]["clients"], clusters["rd"]["requests"]) == ("redis", 1, 30)
        assert clusters["rd"]["commands"]["set"]["count"] == 30
        assert clusters["mc"]["commands"]["get"]["count"] == 30
        assert clusters["mc"]["backends"] == clusters["mc"]["backends_usable"] == 4
    backends = ask(watched, "/backends")["backends"]
    assert [b["node"] for b in backends if b["cluster"] == "rd"] == [s.split(":1 ")[0] for s in
                                                                     watched.clusters[0].keys["servers"]]
    assert [b["alias"] for b in backends if b["cluster"] == "rd"] == ["n0", "n1", "n2", "n3"]
    assert all(b["state"] == "up" and b["version"].startswith("7.") for b in backends if b["cluster"] == "rd")
    assert sum(b["requests"] for b in backends if b["cluster"] == "mc") == 30
    only = ask(watched, "/backends?cluster=mc")["backends"]
    assert len(only) == 4 and all(b["cluster"] == "mc" for b in only)
    assert fetch(watched.http, "/backends?cluster=nobody")[0] == 404


def test_clients(watched):
    address = watched.clusters[0].address
    with RedisConn(address) as one, RedisConn(address) as two, McConn(watched.clusters[1].address) as mc:
        for client in (one, two):
            assert client.cmd("PING") == "PONG"
        mc.send(b"set k 0 0 100\r\nhalf")
        want = {"%s:%d" % c.sock.getsockname()[:2] for c in (one, two, mc)}
        wait_until(lambda: {c["address"] for c in ask(watched, "/clients")["clients"]} == want)
        wait_until(lambda: [c["unparsed_bytes"] for c in ask(watched, "/clients?cluster=mc")["clients"]] == [19])
        page = ask(watched, "/clients?cluster=rd&limit=1")
        assert page["connected"] == 2 and 1 <= len(page["clients"]) <= 2  # at most one of each worker
    for wrong in ("limit=0", "limit=1001", "limit=x"):
        assert fetch(watched.http, f"/clients?{wrong}")[0] == 400
    assert fetch(watched.http, "/clients?cluster=nobody")[0] == 404


def test_config_hides_secrets(watched):
    text = watched.page("/config")
    assert not any(secret in text for secret in SECRETS)
    page = json.loads(text)
    assert page["process"]["workers"] == 2
    guarded = page["clusters"][2]
    assert (guarded["name"], guarded["password"], guarded["redis_auth"]) == ("guarded", "(set)", "(set)")
    assert page["clusters"][0]["password"] == ""
    assert page["clusters"][0]["servers"][1]["alias"] == "n1"
    assert page["clusters"][1]["limits"]["max_pipeline"] == 1024
    assert not any(secret in watched.page(path) for secret in SECRETS
                   for path in ("/clusters", "/backends", "/clients", "/metrics"))


def test_config_shows_every_key(watched):
    """All keys of docs/config.md, but those that only say where a value is read from."""
    elsewhere = {"debug", "masters", "listen_proto", "listen_tls_proto", "password_file", "users_file"}
    page = json.loads(watched.page("/config"))
    process, cluster = page["process"], page["clusters"][0]
    shown = {"The proxy file": process, "The proxy file: [proxy]": process,
             "The cluster file: [[clusters]]": {**cluster, **cluster["limits"]}}
    manual = (harness.REPO / "docs" / "config.md").read_text()
    for heading, where in shown.items():
        part = manual.split(f"\n## {heading}\n")[1].split("\n## ")[0]
        keys = set(re.findall(r"^\| `(\w+)` \|", part, re.M))
        assert len(keys) >= 8, heading
        missing = {key for key in keys - elsewhere if not key.endswith("_auth_file")} - set(where)
        assert not missing, heading


def test_explain_names_the_node_that_has_the_key(watched, pool, keys):
    """Its answer against where the key is found after a write."""
    servers = pool.backends("redis")
    with RedisConn(watched.clusters[0].address) as client:
        for key in keys.many(12):
            answer = ask(watched, f"/explain?cluster=rd&key={key.decode()}&cmd=SET")
            assert answer["treatment"] == "single" and answer["key"] == key.decode()
            assert answer["backend"]["alias"] == f"n{keys.ring.node(key)}"
            assert answer["backend"]["node"] in answer["steps"][-1]
            client.ok("SET", key, "here")
            with RedisConn(servers[keys.ring.node(key)].address) as direct:
                assert direct.cmd("GET", key) == b"here"
    assert ask(watched, "/explain?cluster=rd&cmd=client%20getname")["treatment"] == "local"
    assert ask(watched, "/explain?cluster=rd&cmd=nonsense")["treatment"] == "unknown"
    # bytes that are no text
    assert ask(watched, "/explain?cluster=rd&key=%01%ff%22")["backend"]["cluster"] == "rd"
    assert fetch(watched.http, "/explain?cluster=nobody&key=a")[0] == 404
    assert fetch(watched.http, "/explain?cluster=rd")[0] == 400
    assert fetch(watched.http, "/explain")[0] == 400


def test_explain_says_where_a_key_goes_without_its_node(io, resources, keys):
    servers = [resources(harness.Redis()) for _ in range(2)]
    with Watched(harness.redis(servers, name="c", ping_auto_eject=True, ping_fail_limit=1,
                               ping_interval=100, eject_retry_interval=60000), io=io) as proxy:
        key = next(k for k in keys.many(100) if
                   ask(proxy, f"/explain?cluster=c&key={k.decode()}")["backend"]["node"] == servers[0].spec)
        servers[0].kill9()
        wait_until(lambda: ask(proxy, "/backends")["backends"][0]["state"] == "ejected")
        assert ask(proxy, f"/explain?cluster=c&key={key.decode()}")["backend"]["node"] == servers[1].spec


def test_the_index_lists_every_page(watched):
    index = watched.page("/")
    for path in ("/metrics", "/healthz", "/clusters", "/backends", "/config", "/explain", "/clients"):
        assert f"GET {path} " in index
        assert f"GET {path} " in fetch(watched.http, "/no-such-page")[1]
    assert fetch(watched.http, "/metrics", "POST", "x")[0] == 405


def test_hostile_clients_of_the_pages(watched):
    """Garbage, half requests and many connections to the pages harm neither them nor the caches' clients."""
    many = [socket.create_connection(watched.http) for _ in range(200)]
    for n, one in enumerate(many):
        one.sendall([b"\x00\xff" * 50, b"GET / HTTP/1.1\r\n", b"GET " + b"a" * 60000, b"POST / HTTP/1.1\r\nContent-Length: 9"
                     b"9999999999\r\nHost: h\r\n\r\n"][n % 4])
    with RedisConn(watched.clusters[0].address) as client:
        assert client.cmd("PING") == "PONG"
        assert not isinstance(client.cmd("SET", "k", "v"), RedisError)
    assert watched.page("/healthz") == "ok\n"
    for one in many:
        one.close()
    assert watched.page("/healthz") == "ok\n"
    watched.check_alive()
