"""overlord-proxy -platform: the cluster file comes from the platform's API and is followed, and the proxy does without it."""

import hashlib
import http.server
import threading
import time
import urllib.parse

import pytest

import harness
from clients import RedisConn
from harness import SCALE, wait_until


class Platform:
    """Serves a cluster file as the API does: with an ETag, and waiting for a change of it."""

    def __init__(self, text):
        self.changed = threading.Condition()
        self.text = text
        self.asked = []
        platform = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path, _, query = self.path.partition("?")
                query = dict(urllib.parse.parse_qsl(query))
                with platform.changed:
                    platform.asked.append((path, query, self.headers))
                    deadline = time.monotonic() + min(float(query["wait"].rstrip("s")), 2)
                    while platform.etag() == self.headers.get("If-None-Match") and time.monotonic() < deadline:
                        platform.changed.wait(deadline - time.monotonic())
                    text, etag = platform.text, platform.etag()
                known = etag == self.headers.get("If-None-Match")
                self.send_response(304 if known else 200)
                self.send_header("ETag", etag)
                self.send_header("Content-Length", "0" if known else str(len(text)))
                self.end_headers()
                if not known:
                    self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def etag(self):
        return '"' + hashlib.sha256(self.text.encode()).hexdigest() + '"'

    def say(self, text):
        with self.changed:
            self.text = text
            self.changed.notify_all()

    def stop(self):
        if self.thread.is_alive():
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def pong(cluster):
    try:
        with RedisConn(cluster.address) as client:
            return client.cmd("PING") == "PONG"
    except OSError:
        return False


def test_the_platforms_file_is_followed(io, pool, keys, tmp_path):
    first = harness.redis(pool.backends("redis")[:2], name="first")
    (tmp_path / "token").write_text("s3cret\n")
    with Platform("") as platform:
        later = harness.redis(pool.backends("redis")[:2], name="later")
        later.port = harness.free_port("127.0.0.1")
        flags = ["-platform", f"http://127.0.0.1:1,{platform.url}", "-platform-token", tmp_path / "token",
                 "-platform-clusters", "first,later"]

        class Told(harness.Proxy):
            def listening(self, argv, env):
                platform.say("\n".join(c.toml() for c in self.clusters))
                self.cluster_file.unlink()  # there is no copy yet
                return super().listening(argv, env)

        with Told(first, io=io, flags=flags) as proxy:
            assert proxy.cluster_file.read_text() == platform.text
            assert proxy.cluster_file.stat().st_mode & 0o777 == 0o600
            path, query, headers = platform.asked[0]
            assert path == "/api/v1/proxies/config" and query["cluster"] == "first,later"
            assert headers["Authorization"] == "Bearer s3cret"
            with RedisConn(first.address) as client:
                key = keys.any()
                client.ok("SET", key, "1")
                good = first.toml() + later.toml()
                platform.say(good)
                wait_until(lambda: pong(later), 10 * SCALE, "the new cluster to be served")
                platform.say(good + "[[clusters]]\nname = 7\n")
                wait_until(lambda: "is not taken" in proxy.output(), 10 * SCALE, "a bad file to be refused")
                assert proxy.cluster_file.read_text() == good
                platform.say(first.toml())
                wait_until(lambda: not pong(later), 10 * SCALE, "the cluster to go")
                platform.stop()
                assert client.cmd("GET", key) == b"1"  # the same connection, all the time
                wait_until(lambda: "stays in force" in proxy.output(), 10 * SCALE, "the lost platform to be told")
                assert client.cmd("GET", key) == b"1"


def test_without_a_platform_the_copy_serves(io, pool):
    cluster = harness.redis(pool.backends("redis")[:2], name="rd")
    with harness.Proxy(cluster, io=io, flags=["-platform", "http://127.0.0.1:1"]) as proxy:
        assert pong(cluster)
        assert "stays in force" in proxy.output()


def test_without_platform_and_copy_it_says_so(tmp_path):
    done = harness.run_proxy("-platform", "http://127.0.0.1:1", "-cluster", tmp_path / "none.toml")
    assert done.returncode == 1
    assert "there is no copy at" in done.stderr and "none.toml" in done.stderr


@pytest.mark.parametrize("flags, said", [
    (["-platform-token", "x"], "go with -platform"),
    (["-platform", "http://a", "-reload"], "exclude each other")])
def test_flags_that_do_not_go_together(flags, said):
    done = harness.run_proxy(*flags, "-cluster", "x")
    assert done.returncode == 2 and said in done.stderr
