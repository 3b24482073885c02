"""The proxy's HTTP pages as a test reads them."""

import http.client
import re
import socket

import harness

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')


def fetch(address, path, method="GET", body=None):
    """(status, text) of one request on a connection of its own; address: (host, port), or a unix socket's path."""
    if isinstance(address, str):
        connection = http.client.HTTPConnection("local", timeout=20 * harness.SCALE)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(20 * harness.SCALE)
        connection.sock.connect(address)
    else:
        connection = http.client.HTTPConnection(*address, timeout=20 * harness.SCALE)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Page:
    """The samples of one scrape."""

    def __init__(self, text):
        self.text = text
        self.types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
        self.samples = []
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, labels, value = SAMPLE.match(line).groups()
                self.samples.append((name, dict(LABEL.findall(labels or "")), float(value)))

    def find(self, name, **labels):
        return [value for n, have, value in self.samples
                if n == name and all(have.get(k) == v for k, v in labels.items())]

    def sum(self, name, **labels):
        return sum(self.find(name, **labels))

    def one(self, name, **labels):
        found = self.find(name, **labels)
        assert len(found) == 1, (name, labels, found)
        return found[0]

    def family(self, name):
        """The family that a sample belongs to."""
        if name in self.types:
            return name
        base = re.sub("_(bucket|sum|count)$", "", name)
        assert self.types.get(base) == "histogram", name
        return base


class Watched(harness.Proxy):
    """A proxy with its HTTP pages on a free port."""

    def __init__(self, *clusters, flags=(), **keywords):
        self.http = ("127.0.0.1", harness.free_port())
        super().__init__(*clusters, flags=[*flags, "-stat", f"{self.http[0]}:{self.http[1]}"], **keywords)

    def listening(self, argv, env):
        if not super().listening(argv, env):
            return False
        harness.wait_until(lambda: not self.alive() or harness.listens(self.pid, self.http), 20, "the pages")
        return self.alive() or "in use" not in self.output()

    def page(self, path):
        status, text = fetch(self.http, path)
        assert status == 200, (path, status, text)
        return text

    def scrape(self):
        return Page(self.page("/metrics"))
