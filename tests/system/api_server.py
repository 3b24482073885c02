"""overlord-apiserver under test, and a client for it."""

import http.client
import json
import ssl
import sys

import harness
from harness import Failed, wait_until
from ports import free_port

APISERVER = harness.BIN_DIR / "overlord-apiserver"

CONFIG = """
listen = "127.0.0.1:{port}"
store = "{store}"
token_file = "{folder}/token"
stdout = true
{more}
[groups]
local = "here"
[[versions]]
cache_type = "redis"
versions = ["7.0.15"]
[[versions]]
cache_type = "redis_cluster"
versions = ["7.0.15"]
[[versions]]
cache_type = "memcache"
versions = ["1.6.18"]
"""


class Etcd(harness.Server):
    def __init__(self):
        self.peer = free_port()
        super().__init__("etcd")

    def argv(self):
        client, peer = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.peer}"
        return ["etcd", "--data-dir", self.folder / "data", "--listen-client-urls", client,
                "--advertise-client-urls", client, "--listen-peer-urls", peer,
                "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]

    @property
    def store(self):
        return f"etcd://127.0.0.1:{self.port}"


class ApiServer(harness.Process):
    """token: of the first user; given when another server has made it."""

    def __init__(self, store=None, more="", token="", tls=None):
        super().__init__("apiserver")
        self.store = store or f"sqlite://{self.folder}/state.db"
        self.more, self.token, self.tls = more, token, tls
        self.port = 0
        self.start()

    def start(self):
        for _ in range(5):
            fresh = not self.port
            self.port = self.port or free_port()
            config = self.folder / "apiserver.toml"
            config.write_text(CONFIG.format(port=self.port, store=self.store, folder=self.folder, more=self.more))
            self.spawn([APISERVER, "-conf", config])
            wait_until(lambda: not self.alive() or harness.listens(self.pid, ("127.0.0.1", self.port)), 20,
                       "the API server to listen")
            if self.alive():
                token = self.folder / "token"
                if token.exists():
                    self.token = token.read_text().strip()
                wait_until(lambda: self.ask("GET", "/readyz").status == 200, 20, "the API server to be ready")
                return self
            if fresh:
                self.port = 0
        raise Failed(f"the API server did not start: {self.output()}")

    def connect(self, timeout=60):
        if self.tls:
            context = ssl.create_default_context(cafile=self.tls)
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, method, target, body=None, token=None, headers=None):
        """token: "" for none."""
        connection = self.connect()
        head = dict(headers or {})
        token = self.token if token is None else token
        if token:
            head["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
            head.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, target, body, head)
            answer = connection.getresponse()
            return Answer(answer, answer.read())
        finally:
            connection.close()

    def api(self, method, target, body=None, **keywords):
        return self.ask(method, "/api/v1" + target, body, **keywords)

    def stop(self):
        self.signal(harness.signal.SIGTERM)
        code = self.child.wait(timeout=30 * harness.SCALE)
        output = self.output()
        if code != 0:
            print(output, file=sys.stderr)
        assert code == 0, f"exit code {code}"


class Answer:
    def __init__(self, answer, data):
        self.status, self.headers, self.data = answer.status, answer.headers, data

    @property
    def json(self):
        return json.loads(self.data)

    @property
    def text(self):
        return self.data.decode()

    @property
    def code(self):
        return self.json["error"]["code"]


class Events:
    """A stream of events as they come."""

    def __init__(self, server, query="", last=None, token=None):
        self.connection = server.connect(timeout=20 * harness.SCALE)
        head = {"Authorization": f"Bearer {token or server.token}"}
        if last is not None:
            head["Last-Event-ID"] = str(last)
        self.connection.request("GET", "/api/v1/events" + query, headers=head)
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.read()
        self.last = last
        # The greeting: what happens from here on is seen.
        while self.answer.readline().strip() != b": events of Overlord":
            pass

    def next(self):
        """The data of the next event; None at the end."""
        data = None
        while True:
            line = self.answer.readline()
            if not line:
                return None
            line = line.decode().rstrip("\n")
            if line.startswith("data: "):
                data = json.loads(line[6:])
            elif line.startswith("id: "):
                self.last = int(line[4:])
            elif not line and data is not None:
                return data

    def close(self):
        self.connection.close()


def body(name, **more):
    made = {"name": name, "cache_type": "redis", "spec": "0.1c64m", "version": "7.0.15", "group": "local", "number": 3}
    made.update(more)
    return made
