"""Several API servers, on SQLite and on etcd: what one says holds for the other, and for who comes after a crash."""

import base64
import concurrent.futures
import http.client
import json
import subprocess
import urllib.request

import pytest

import harness
from api_server import ApiServer, Etcd, Events, body
from certs import Authority
from harness import wait_until


@pytest.fixture(params=["sqlite", "etcd"])
def store(request, resources, tmp_path):
    return f"sqlite://{tmp_path}/state.db" if request.param == "sqlite" else resources(Etcd()).store


@pytest.fixture
def two(store, resources):
    first = resources(ApiServer(store))
    return first, resources(ApiServer(store, token=first.token))


def test_two_give_each_number_once(two):
    names = [f"c{i}" for i in range(16)]

    def create(i):
        return two[i % 2].api("POST", "/clusters", body(names[i]))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(len(names))))
    assert [a.status for a in answers] == [200] * len(names), [a.text for a in answers if a.status != 200]
    assert len({a.json["id"] for a in answers}) == len(names)
    for server in two:
        items = server.api("GET", "/clusters").json["items"]
        assert sorted(one["front_end_port"] for one in items) == list(range(20000, 20000 + len(names)))
    # One name, many who want it.
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: two[i % 2].api("POST", "/clusters", body("wanted")).status, range(8)))
    assert sorted(answers) == [200] + [409] * 7


def test_what_was_answered_survives_kill9(two):
    first, second = two
    assert first.api("POST", "/clusters", body("kept", appids=["kill.a"])).status == 200
    first.kill9()
    shown = second.api("GET", "/clusters/kept").json
    assert shown["appids"] == ["kill.a"]
    assert second.api("POST", "/clusters", body("more")).status == 200
    first.start()
    assert first.api("GET", "/clusters/more").status == 200
    audit = first.api("GET", "/audit").json["items"]
    assert [one["target"] for one in audit] == ["cluster kept", "cluster more"]


def test_a_kill9_in_the_middle_leaves_nothing_half_made(two):
    first, second = two
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(first.api, "POST", "/clusters", body(f"k{i}", appids=[f"kill.k{i}"]))
                   for i in range(40)]
        wait_until(lambda: any(f.done() for f in futures), 20, "the first answer")
        first.kill9()
        said = set()
        for i, future in enumerate(futures):
            try:
                if future.result().status == 200:
                    said.add(f"k{i}")
            except (OSError, http.client.HTTPException):
                pass
    there = {one["name"]: one for one in second.api("GET", "/clusters").json["items"]}
    assert said <= set(there)
    jobs = {one["cluster"] for one in second.api("GET", "/jobs").json["items"]}
    assert jobs == set(there)
    for name, one in there.items():
        assert one["appids"] == [f"kill.{name}"]
    assert {name.split(".")[1] for name in second.api("GET", "/appids").json["items"]} == set(there)
    assert len(second.api("GET", "/audit").json["items"]) == len(there)


def test_events_reach_all_and_go_on_elsewhere(two):
    first, second = two
    stream = Events(second, "?types=cluster,job")
    first.api("POST", "/clusters", body("seen"))
    seen = [stream.next(), stream.next()]
    job = first.api("GET", "/jobs").json["items"][0]["id"]
    assert {(one["type"], one["name"]) for one in seen} == {("cluster", "seen"), ("job", job)}
    assert len({one["revision"] for one in seen}) == 1
    last = stream.last
    stream.close()
    # What happens while nobody listens is not missed, at whatever server one comes back, or when it is a new one.
    first.api("PATCH", "/clusters/seen", {"fault_tolerant": False})
    second.kill9()
    second.start()
    for server in two:
        resumed = Events(server, "?types=cluster", last=last)
        event = resumed.next()
        assert (event["type"], event["name"], event["action"]) == ("cluster", "seen", "put")
        assert event["revision"] > last
        resumed.close()


def test_a_stream_ends_with_its_token(two):
    first, second = two
    assert first.api("POST", "/users", {"name": "eva", "access": "viewer"}).status == 200
    made = first.api("POST", "/tokens", {"user": "eva"}).json
    stream = Events(second, token=made["token"])
    assert first.api("DELETE", f"/tokens/{made['id']}").status == 200
    while stream.next() is not None:
        pass
    stream.close()


def test_without_its_store_it_says_so_and_comes_back(resources):
    etcd = resources(Etcd())
    api = resources(ApiServer(etcd.store))
    assert api.api("POST", "/clusters", body("before")).status == 200
    etcd.kill9()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:  # both wait for the store for a while
        create = pool.submit(api.api, "POST", "/clusters", body("during"))
        ready = pool.submit(api.ask, "GET", "/readyz")
        assert api.ask("GET", "/healthz").status == 200
        refused = create.result()
        assert (refused.status, refused.code) in ((503, "unavailable"), (503, "uncertain"))
        assert ready.result().status == 503
    etcd.start()
    wait_until(lambda: api.ask("GET", "/readyz").status == 200, 30, "the API server to be ready again")
    assert api.api("GET", "/clusters/before").status == 200
    assert api.api("GET", "/clusters/during").status == 404
    # It watches again, too.
    stream = Events(api, "?types=cluster")
    assert api.api("POST", "/clusters", body("after")).status == 200
    assert stream.next()["name"] == "after"
    stream.close()


def test_tls(resources):
    authority = resources(Authority())
    made = authority.make("server")
    server = resources(ApiServer(more=f'tls_cert = "{made.cert}"\ntls_key = "{made.key}"', tls=authority.cert))
    assert server.api("GET", "/me").json["access"] == "admin"
    stream = Events(server)
    server.api("POST", "/specs", {"spec": "1c1g"})
    assert stream.next()["type"] == "spec"
    stream.close()
    server.stop()


def test_a_command_reaches_a_node(resources):
    """The one thing that goes to nodes: with the record of a node that the scheduler would have made."""
    redis = resources(harness.Redis(options=["--requirepass", "pass-word-1"]))
    etcd = resources(Etcd())
    api = resources(ApiServer(etcd.store))
    assert api.api("POST", "/clusters", body("cmd", password="pass-word-1")).status == 200
    put_node(etcd, redis)
    path = f"/commands/127.0.0.1/{redis.port}"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert api.api("POST", path, "command=SET k v", headers=form).json["Reply"]["RType"] == ord("+")
    reply = api.api("POST", path, {"words": ["GET", "k"]}).json["Reply"]
    assert reply == {"RType": ord("$"), "Data": "dg==", "Array": None}
    reply = api.api("POST", path, {"command": "MGET k none"}).json["Reply"]
    assert [one["Data"] for one in reply["Array"]] == ["dg==", None]
    assert api.api("POST", path, {"command": "FLUSHALL"}).code == "forbidden"
    redis.kill9()
    gone = api.api("POST", path, {"command": "PING"})
    assert (gone.status, gone.code) == (502, "bad_gateway")
    audit = api.api("GET", f"/audit?target=node%20127.0.0.1:{redis.port}").json["items"]
    assert [one["status"] for one in audit] == [200, 200, 200, 403, 200]
    assert "SET k v" in audit[0]["detail"]


def test_a_proxy_takes_its_configuration(resources, tmp_path):
    redis = resources(harness.Redis())
    etcd = resources(Etcd())
    api = resources(ApiServer(etcd.store))
    assert api.api("POST", "/clusters", body("served", password='quote"back\\slash')).status == 200
    put_node(etcd, redis, "served")
    key = "/overlord/clusters/served/info"
    put(etcd, key, {**get(etcd, key), "state": "done"})
    answer = api.api("GET", "/proxies/config?cluster=served&listen=127.0.0.1")
    assert answer.headers["Content-Type"].startswith("application/toml")
    assert f'"127.0.0.1:{redis.port}:1 00000000000000000001"' in answer.text
    file = tmp_path / "cluster.toml"
    file.write_bytes(answer.data)
    checked = subprocess.run([harness.PROXY, "-t", f"-cluster={file}"], capture_output=True, text=True,
                             timeout=60 * harness.SCALE)
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stderr


def ask_etcd(etcd, path, document):
    sent = json.dumps(document).encode()
    return json.load(urllib.request.urlopen(f"http://127.0.0.1:{etcd.port}/v3/kv/{path}", sent, timeout=20))


def coded(text):
    return base64.b64encode(text.encode()).decode()


def put(etcd, key, record):
    ask_etcd(etcd, "put", {"key": coded(key), "value": coded(json.dumps(record))})


def get(etcd, key):
    return json.loads(base64.b64decode(ask_etcd(etcd, "range", {"key": coded(key)})["kvs"][0]["value"]))


def put_node(etcd, redis, cluster="cmd"):
    """What the scheduler would have written."""
    address = f"127.0.0.1:{redis.port}"
    put(etcd, f"/overlord/instances/{address}/info",
        {"alias": 1, "cluster": cluster, "type": "redis", "host": "127.0.0.1", "port": redis.port})
    ask_etcd(etcd, "put", {"key": coded(f"/overlord/clusters/{cluster}/instances/{1:020}"), "value": coded(address)})
