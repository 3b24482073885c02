"""The API server as clients see it: documents, conditions, pages, garbage, access."""

import http.client
import json
import socket

import pytest

import api_server
import harness
from api_server import ApiServer, body


@pytest.fixture(scope="module")
def api():
    server = ApiServer()
    yield server
    if server.alive():
        server.stop()
    server.kill_now()


def test_flags_and_configuration(tmp_path):
    def run(*args):
        import subprocess
        return subprocess.run([api_server.APISERVER, *args], capture_output=True, text=True, timeout=30 * harness.SCALE)

    assert run("-version").stdout.strip() == (harness.REPO / "VERSION").read_text().strip()
    assert "-conf" in run("-help").stdout
    assert run("-cnf", "x").returncode == 2
    good = run("-check", "-conf", harness.REPO / "etc/apiserver.toml")
    assert (good.returncode, good.stderr) == (0, "")
    bad = tmp_path / "bad.toml"
    bad.write_text('listn = "x"\nstore = "sqlite:///x"\nworkers = "many"\n')
    said = run("-check", "-conf", bad)
    assert said.returncode == 2
    assert f"{bad}:1:1: error: listn: unknown key; did you mean listen?" in said.stderr
    assert "workers: must be a whole number" in said.stderr
    missing = run("-conf", tmp_path / "none.toml")
    assert missing.returncode == 2 and "none.toml" in missing.stderr


def test_the_first_token_is_for_its_owner_alone(api):
    assert (api.folder / "token").stat().st_mode & 0o777 == 0o600
    assert api.token not in api.output()
    assert api.api("GET", "/me").json == {"user": "admin", "access": "admin"}


def check_against(document, schema, value, where):
    """value is as the document says, and has no field that the document lacks."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        assert isinstance(value, dict), where
        for name in schema.get("required", []):
            assert name in value, f"{where} lacks {name}"
        for name, item in value.items():
            assert name in schema["properties"], f"{where}: {name} is not documented"
            check_against(document, schema["properties"][name], item, f"{where}.{name}")
    elif kind == "array":
        assert isinstance(value, list), where
        for item in value:
            check_against(document, schema["items"], item, where + "[]")
    elif kind:
        types = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict}
        assert isinstance(value, types[kind]), f"{where}: {value!r} is no {kind}"
        if "enum" in schema:
            assert value in schema["enum"], f"{where}: {value!r}"


# What is sent so that each route answers with its good status: method and path -> target and body.
CALLS = {
    "post /api/v1/clusters": ("/api/v1/clusters", body("doc-two")),
    "get /api/v1/clusters": ("/api/v1/clusters", None),
    "get /api/v1/clusters/{name}": ("/api/v1/clusters/doc", None),
    "patch /api/v1/clusters/{name}": ("/api/v1/clusters/doc", {"proxy": {"read_timeout": 9}}),
    "get /api/v1/clusters/{name}/instances": ("/api/v1/clusters/doc/instances", None),
    "post /api/v1/clusters/{name}/appid": ("/api/v1/clusters/doc/appid", {"appid": "doc.b"}),
    "delete /api/v1/clusters/{name}/appid": ("/api/v1/clusters/doc/appid", {"appid": "doc.b"}),
    "get /api/v1/jobs": ("/api/v1/jobs?steps=1", None),
    "get /api/v1/jobs/{id}": ("/api/v1/jobs/{job}", None),
    "post /api/v1/jobs/{id}/pause": ("/api/v1/jobs/{job}/pause", None),
    "post /api/v1/jobs/{id}/resume": ("/api/v1/jobs/{job}/resume", None),
    "post /api/v1/jobs/{id}/cancel": ("/api/v1/jobs/{job}/cancel", None),
    "post /api/v1/appids": ("/api/v1/appids", {"appid": "doc.new"}),
    "get /api/v1/appids": ("/api/v1/appids?format=tree", None),
    "get /api/v1/appids/{appid}": ("/api/v1/appids/doc.a", None),
    "delete /api/v1/appids/{appid}": ("/api/v1/appids/doc.new", None),
    "post /api/v1/specs": ("/api/v1/specs", {"spec": "1c2g"}),
    "get /api/v1/specs": ("/api/v1/specs", None),
    "delete /api/v1/specs/{spec}": ("/api/v1/specs/1c2g", None),
    "get /api/v1/versions": ("/api/v1/versions", None),
    "put /api/v1/versions/{type}/{version}": ("/api/v1/versions/redis/9.9", {"sha256": "0" * 64}),
    "delete /api/v1/versions/{type}/{version}": ("/api/v1/versions/redis/9.9", None),
    "get /api/v1/groups": ("/api/v1/groups", None),
    "get /api/v1/hosts": ("/api/v1/hosts", None),
    "post /api/v1/users": ("/api/v1/users", {"name": "doc", "access": "viewer", "password": "long enough"}),
    "get /api/v1/users": ("/api/v1/users", None),
    "patch /api/v1/users/{user}": ("/api/v1/users/doc", {"access": "operator"}),
    "post /api/v1/login": ("/api/v1/login", {"user": "doc", "password": "long enough"}),
    "post /api/v1/tokens": ("/api/v1/tokens", {"user": "doc", "seconds": 60}),
    "get /api/v1/tokens": ("/api/v1/tokens", None),
    "delete /api/v1/tokens/{id}": ("/api/v1/tokens/{token}", None),
    "delete /api/v1/users/{user}": ("/api/v1/users/doc", None),
    "get /api/v1/me": ("/api/v1/me", None),
    "get /api/v1/audit": ("/api/v1/audit?pc=5", None),
    "get /api/v1/proxies": ("/api/v1/proxies", None),
}
# Their good answers need nodes or hosts that nobody runs here, or are no JSON; the tests of the module have them.
ELSEWHERE = ("instances/{addr}", "instance/{addr}", "/scale", "/resize", "/restart", "/replace", "/recover",
             "/rebalance", "/configure", "/upgrade", "/hosts/{host}", "/commands/", "/retry", "/events", "/metrics",
             "/healthz", "/readyz", "/openapi.json", "/proxies/config", "/sd/", "/logout", "/api/v1/job",
             "patch /api/v1/clusters/{name}/instances", "delete /api/v1/clusters/{name}")


def test_routes_answer_as_documented(api):
    document = api.api("GET", "/openapi.json", token="").json
    documented = {f"{method} {path}": operation for path, operations in document["paths"].items()
                  for method, operation in operations.items()}
    assert api.api("POST", "/clusters", body("doc", appids=["doc.a"])).status == 200
    job = api.api("GET", "/jobs?cluster=doc").json["items"][0]["id"]
    token = ""
    for name, (target, sent) in CALLS.items():
        operation = documented[name]
        answer = api.ask(name.split()[0].upper(), target.replace("{job}", job).replace("{token}", token), sent)
        assert str(answer.status) in operation["responses"], f"{name}: {answer.status} {answer.text}"
        schema = operation["responses"][str(answer.status)]["content"]["application/json"]["schema"]
        check_against(document, schema, answer.json, name)
        assert answer.headers["X-Request-Id"]
        if name == "post /api/v1/tokens":
            token = answer.json["id"]
    for name, operation in documented.items():
        assert name in CALLS or any(part in name for part in ELSEWHERE), f"{name} is not tested"
        if operation.get("security") == []:
            continue
        refused = api.ask(name.split()[0].upper(), name.split()[1].replace("{", "").replace("}", ""), token="")
        assert refused.status == 401, name
        check_against(document, operation["responses"]["default"]["content"]["application/json"]["schema"],
                      refused.json, name)
        assert refused.headers["WWW-Authenticate"] == "Bearer"


def test_conditions(api):
    assert api.api("POST", "/clusters", body("cond")).status == 200
    shown = api.api("GET", "/clusters/cond")
    tag = shown.headers["ETag"]
    assert api.api("GET", "/clusters/cond", headers={"If-None-Match": tag}).status == 304
    change = {"proxy": {"read_timeout": 123}}
    changed = api.api("PATCH", "/clusters/cond", change, headers={"If-Match": tag})
    assert changed.status == 200
    late = api.api("PATCH", "/clusters/cond", change, headers={"If-Match": tag})
    assert (late.status, late.code) == (412, "precondition_failed")
    again = api.api("GET", "/clusters/cond", headers={"If-None-Match": tag})
    assert again.status == 200 and again.json["read_timeout"] == 123
    # The answer to a change has the tag that the next change names.
    assert api.api("PATCH", "/clusters/cond", change, headers={"If-Match": changed.headers["ETag"]}).status == 200


def test_request_ids(api):
    kept = api.api("GET", "/clusters/none", headers={"X-Request-Id": "mine.1"})
    assert kept.headers["X-Request-Id"] == "mine.1" == kept.json["error"]["request_id"]
    made = api.api("GET", "/me", headers={"X-Request-Id": "no good\tid"})
    assert len(made.headers["X-Request-Id"]) == 32


@pytest.mark.parametrize("sent", [
    b"", b"[]", b"null", b"{", b'{"name":', b"\xff\xfe", b'{"name":"a","name":"b"}', b"[" * 50_000,
    b'{"a":' * 5_000, b'{"name":1e999}', b'{"name":{"a":{}}}', b"name=a&name=b", b'{"name":"' + b"x" * 100_000 + b'"}',
])
def test_garbage_is_a_client_error(api, sent):
    for type_ in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
        answer = api.api("POST", "/clusters", sent, headers={"Content-Type": type_})
        assert answer.status == 400, answer.text
        assert answer.code in ("bad_request", "invalid")


def test_oversize_is_refused(api):
    large = api.api("POST", "/clusters", b" " * (300 * 1024))
    assert (large.status, large.code) == (413, "too_large")
    try:
        answer = api.api("POST", "/clusters", b"x" * (3 * 1024 * 1024))
        assert answer.status == 413
    except (ConnectionError, http.client.HTTPException):
        pass  # it may close while we still send
    try:
        assert api.api("GET", "/me?" + "x" * 40_000).status >= 400
    except (ConnectionError, http.client.HTTPException):
        pass
    assert api.api("GET", "/me").status == 200


@pytest.mark.parametrize("sent", [
    b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"POST /api/v1/clusters HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5000 + b"\r\n", b"\0" * 1000,
    b"POST /api/v1/login HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
])
def test_what_is_no_http_is_dropped(api, sent):
    with socket.create_connection(("127.0.0.1", api.port), timeout=20 * harness.SCALE) as client:
        try:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
        except ConnectionError:
            pass
    assert api.api("GET", "/me").status == 200


@pytest.mark.parametrize("path", ["/api/v1/clusters/..%2f..%2fusers", "/api/v1/clusters/%00", "/api/v1/clusters/%zz",
                                  "/api/v1/users/..", "/api/v1/clusters/a%2Finfo", "/api/v1/jobs/../tokens",
                                  "/api/v1/hosts/a%20b", "//", "/api/v1//clusters"])
def test_paths_reach_nothing_else(api, path):
    for method in ("GET", "DELETE"):
        answer = api.ask(method, path)
        assert answer.status in (404, 405), (method, answer.status, answer.text)
        assert answer.code in ("not_found", "method_not_allowed")


def test_pages_of_other_sites_change_nothing(api):
    foreign = api.api("POST", "/specs", {"spec": "3c1g"}, headers={"Origin": "http://evil"})
    assert (foreign.status, foreign.code) == (403, "forbidden")
    own = api.api("POST", "/specs", {"spec": "3c1g"}, headers={"Origin": f"http://127.0.0.1:{api.port}"})
    assert own.status == 200


def test_access(api):
    tokens = {}
    for access in ("viewer", "operator"):
        assert api.api("POST", "/users", {"name": "acc-" + access, "access": access}).status == 200
        tokens[access] = api.api("POST", "/tokens", {"user": "acc-" + access}).json["token"]
    expected = [("GET", "/clusters", None, (401, 200, 200)), ("POST", "/clusters", body("acc"), (401, 403, 200)),
                ("GET", "/proxies/config", None, (401, 403, 200)), ("GET", "/users", None, (401, 403, 403)),
                ("GET", "/audit", None, (401, 403, 403))]
    for method, target, sent, statuses in expected:
        for token, status in zip(("", tokens["viewer"], tokens["operator"]), statuses):
            assert api.api(method, target, sent, token=token).status == status, (method, target, status)
    refusals = api.api("GET", "/audit?user=acc-viewer").json["items"]
    assert [(one["action"], one["status"]) for one in refusals].count(("POST /api/v1/clusters", 403)) == 1


def test_the_api_stays_up_under_many_at_once(api):
    """More requests than workers, some of them waiting for long: nobody waits for those."""
    tag = api.api("GET", "/proxies/config?cluster=").headers["ETag"]
    waiting = []
    for _ in range(30):
        connection = api.connect()
        connection.request("GET", "/api/v1/proxies/config?cluster=&wait=60s",
                           headers={"Authorization": f"Bearer {api.token}", "If-None-Match": tag})
        waiting.append(connection)
    assert api.api("GET", "/me").status == 200
    made = api.api("POST", "/clusters", body("waited"))
    assert made.status == 200
    for connection in waiting:
        answer = connection.getresponse()
        assert answer.status == 200, "the configuration has changed"
        assert b"# waited is not made yet." in answer.read()
        connection.close()


def test_a_long_poll_ends_without_a_change(api):
    shown = api.api("GET", "/proxies/config?group=none")
    tag = shown.headers["ETag"]
    assert api.api("GET", "/proxies/config?group=none&wait=300ms", headers={"If-None-Match": tag}).status == 304
    assert api.api("GET", "/proxies/config?group=none", headers={"If-None-Match": "\"other\""}).status == 200
    assert json.loads(api.ask("GET", "/api/v1/proxies").data)["count"] == 0
