"""`overlord ctl` against a running proxy: tables, JSON, changes, and what it says when things are wrong."""

import json
import os
import subprocess

import pytest

import harness
from clients import RedisConn
from metrics_page import Watched

OVERLORD = harness.BIN_DIR / "overlord"


@pytest.fixture
def watched(pool, resources):
    return resources(Watched(harness.redis(pool.backends("redis"), name="rd"),
                             harness.memcache(pool.backends("memcached"), name="mc"), workers=2))


@pytest.fixture
def ctl(watched):
    def run(*arguments, code=0, **environment):
        """Its standard output; of a run that fails its standard error."""
        done = subprocess.run([OVERLORD, "ctl", *arguments], capture_output=True, text=True, timeout=60 * harness.SCALE,
                              stdin=subprocess.DEVNULL,
                              env={**os.environ, "OVERLORD_ADMIN": "%s:%d" % watched.http, **environment})
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stderr

    return run


def rows(table):
    lines = [line.split() for line in table.splitlines()]
    return lines[0], lines[1:]


def test_what_there_is_as_tables_and_as_json(ctl, watched, keys):
    hot = keys.any()
    with RedisConn(watched.address) as client:
        for _ in range(30):
            client.pipeline([("GET", hot)] * 100)
        client.ok("SET", hot, b"x" * 100_000)
        titles, lines = rows(ctl("clusters"))
        assert titles[:3] == ["NAME", "TYPE", "CLIENTS"]
        assert [line[:3] for line in lines] == [["rd", "redis", "1"], ["mc", "memcache", "0"]]
        assert json.loads(ctl("clusters", "-o", "json"))["clusters"][0]["name"] == "rd"
        titles, lines = rows(ctl("backends", "--cluster", "mc"))
        assert len(lines) == 4 and all(line[0] == "mc" for line in lines)
        _, lines = rows(ctl("clients", "-n", "5"))
        assert len(lines) == 1 and lines[0][3] == "%s:%d" % client.sock.getsockname()[:2]
        assert rows(ctl("hotkeys"))[1][0][:2] == ["rd", hot.decode()]
        assert rows(ctl("bigkeys", "--cluster", "rd"))[1][0][:2] == ["rd", hot.decode()]
        assert rows(ctl("slowlog"))[0][0] == "TIME"
    assert "backend: " in ctl("explain", "--cluster", "rd", hot.decode(), "--cmd", "GET")
    assert json.loads(ctl("config"))
    assert "overlord_proxy_conns" in ctl("metrics")


def test_top_shows_what_goes_on(ctl, watched, keys):
    screens = ctl("top", "-n", "2", "-i", "0.1")
    assert screens.count("requests/s, ") == 2
    assert "\x1b" not in screens  # no terminal
    assert screens.count("rd ") >= 10


def test_changes(ctl, watched):
    assert ctl("diff") == "nothing would change\n"
    watched.clusters[0].keys["max_key_size"] = 99
    watched.cluster_file.write_text("\n".join(c.toml() for c in watched.clusters))
    assert "max_key_size 65536 -> 99" in ctl("diff")
    assert "max_key_size 65536 -> 99" in ctl("reload")
    assert "max_key_size 99 -> 65536" in ctl("rollback")
    watched.cluster_file.write_text("this is no TOML")
    assert "cluster.toml:1" in ctl("reload", code=1)


def test_level_of_the_log(ctl, watched):
    assert json.loads(ctl("log"))["level"] == "info"
    assert json.loads(ctl("log", "debug", "--detail", "3"))["detail"] == 3
    assert json.loads(ctl("log"))["level"] == "debug"
    ctl("log", "info")
    assert json.loads(ctl("log"))["detail"] == 0
    ctl("log", "loud", code=2)


def test_what_is_wrong_is_said(ctl, watched):
    assert "'none'" in ctl("backends", "--cluster", "none", code=1)
    assert "--admin" in ctl("clusters", code=3, OVERLORD_ADMIN="127.0.0.1:1")
    proxy = "%s:%d" % watched.address[:2]
    assert proxy in ctl("clusters", code=3, OVERLORD_ADMIN=proxy)  # a cache port is no admin address
    for wrong in (["nonsense"], ["clusters", "-o", "xml"], ["clients", "-n", "0"], ["explain", "x"], []):
        ctl(*wrong, code=2)
