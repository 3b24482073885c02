"""The log of the running proxy: formats, levels, rotation, and that nothing about it holds up a client."""

import fcntl
import json
import os
import re
import signal
import subprocess

import pytest

import harness
from clients import RedisConn
from harness import wait_until
from metrics_page import Watched, fetch


@pytest.fixture
def start(pool, io, resources, tmp_path):
    """start(top) runs a proxy whose proxy file has these keys at its top; returns it and the log file's path."""

    def run(workers=1, **top):
        log = tmp_path / "proxy.log"
        conf = tmp_path / "proxy.toml"
        keys = {"log": str(log), **top}
        conf.write_text("".join(f"{k} = {harness.toml_value(v)}\n" for k, v in keys.items()))
        proxy = resources(harness.Proxy(harness.redis(pool.backends("redis")[:1]), io=io, workers=workers,
                                        flags=["-conf", conf]))
        return proxy, log

    return run


def lines_of(path):
    return path.read_text().splitlines() if path.exists() else []


def has(path, words):
    return lambda: any(words in line for line in lines_of(path))


def test_json_lines(start):
    proxy, log = start(log_format="json")
    wait_until(has(log, '"msg":"ready"'))
    proxy.stop()
    entries = [json.loads(line) for line in lines_of(log)]
    assert {"ready", "stopped"} <= {entry["msg"] for entry in entries}
    for entry in entries:
        assert list(entry) == ["time", "level", "pid", "thread", "msg"]
        assert entry["pid"] == proxy.pid and entry["level"] in ("info", "warn", "error"), entry
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", entry["time"])


def test_level(start):
    proxy, log = start(log_level="error")
    with RedisConn(proxy.address) as client:
        assert client.cmd("PING") == "PONG"
    proxy.stop()
    assert lines_of(log) == []


def test_debug_tells_of_clients_and_usr1_steps_the_detail(start):
    proxy, log = start()
    with RedisConn(proxy.address) as client:
        assert client.cmd("PING") == "PONG"
    assert not has(log, "connected from")()
    proxy.signal(signal.SIGUSR1)
    wait_until(has(log, "debug messages up to 1 are written now"))
    with RedisConn(proxy.address) as client:
        port = client.sock.getsockname()[1]
        wait_until(has(log, f"connected from 127.0.0.1:{port}"))
    wait_until(has(log, "is gone"))
    for detail in (2, 3, 0):
        proxy.signal(signal.SIGUSR1)
        wait_until(has(log, f"debug messages up to {detail} are written now"))
    proxy.stop()


def test_the_file_is_rotated_by_size(start, tmp_path):
    proxy, log = start(log_vl=1, log_max_bytes=2000, log_backup_count=2)
    third = tmp_path / "proxy.log.3"

    def connected_often():
        for _ in range(10):
            RedisConn(proxy.address).close()
        return (tmp_path / "proxy.log.2").exists()

    wait_until(connected_often)
    connected_often()
    proxy.stop()
    assert not third.exists()
    for path in (log, tmp_path / "proxy.log.1", tmp_path / "proxy.log.2"):
        text = path.read_text()
        assert 0 < len(text) <= 2000 and text.endswith("\n")
        assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (debug|info|warn)", line) for line in text.splitlines())


def test_hup_follows_a_file_that_logrotate_moved(start, tmp_path):
    proxy, log = start()
    wait_until(has(log, "ready"))
    moved = tmp_path / "moved.log"
    os.rename(log, moved)
    proxy.signal(signal.SIGHUP)
    wait_until(lambda: lines_of(log))
    proxy.stop()
    assert has(log, "stopped")() and not has(moved, "stopped")() and has(moved, "ready")()


def test_a_reader_of_the_log_that_stands_still_delays_no_client(io, pool, tmp_path):
    """stdout is a pipe that nobody reads, as a stuck log collector's: clients are served all the same, and when it
    reads again the log says how many lines are missing."""
    cluster = harness.redis(pool.backends("redis")[:1])
    cluster.port = harness.free_port()
    file = tmp_path / "cluster.toml"
    file.write_text(cluster.toml())
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
    with open(read_end, "rb") as reader:
        child = subprocess.Popen([harness.PROXY, "-cluster", file, "-std", "-log-vl", "1", "-workers", "1", "-io", io],
                                 stdout=write_end, stderr=subprocess.DEVNULL)
        os.close(write_end)
        try:
            wait_until(lambda: harness.listens(child.pid, cluster.address), 20)
            # Each connection is two lines; the pipe holds about 50 of them.
            for _ in range(100):
                with RedisConn(cluster.address) as client:
                    assert client.cmd("PING") == "PONG"
            child.send_signal(signal.SIGTERM)
            text = reader.read().decode()
            assert child.wait(20 * harness.SCALE) == 0
        finally:
            child.kill()
            child.wait()
    assert text.count(" is gone") >= 100 and text.endswith("stopped\n")


def test_a_full_disk_costs_lines_and_nothing_else(start, tmp_path):
    log = tmp_path / "proxy.log"
    log.symlink_to("/dev/full")
    proxy, _ = start(log_max_bytes=1000)
    with RedisConn(proxy.address) as client:
        assert client.cmd("PING") == "PONG"
    wait_until(lambda: "the log file cannot be written, lines are lost: No space left" in proxy.output())
    log.unlink()
    proxy.signal(signal.SIGHUP)  # a new file, on a disk with room
    wait_until(lambda: any(re.search(r"\d+ log lines were lost here: No space left", line) for line in lines_of(log)))
    proxy.stop()


def test_wrong_values_name_the_right_ones(tmp_path):
    cluster = tmp_path / "cluster.toml"
    cluster.write_text(harness.Cluster("redis", ["127.0.0.1:1:1"], listen_addr="127.0.0.1:1").toml())
    conf = tmp_path / "proxy.toml"
    conf.write_text('log_level = "loud"\nlog_format = "xml"\nlog_max_bytes = -1\n')
    done = harness.run_proxy("-t", "-cluster", str(cluster), "-conf", str(conf))
    assert done.returncode == 2
    for words in ("log_level: unknown level", "debug, info, warn, error", "log_format: unknown format",
                  "text or json", "log_max_bytes: -1 is out of range"):
        assert words in done.stderr, done.stderr


def test_level_by_http(start, resources, pool, io):
    """/log shows and changes the level; what is wrong changes nothing."""
    proxy = resources(Watched(harness.redis(pool.backends("redis")[:1]), io=io, workers=1))
    client = resources(RedisConn(proxy.address))

    def connections():
        with RedisConn(proxy.address) as other:
            assert other.cmd("PING") == "PONG"
        return proxy.output().count("connected from")

    assert json.loads(proxy.page("/log")) == {"level": "info", "detail": 0, "lost_lines": 0}
    assert connections() == 0
    status, text = fetch(proxy.http, "/log?level=debug&detail=2", "POST")
    assert status == 200 and json.loads(text)["detail"] == 2 and json.loads(proxy.page("/log"))["level"] == "debug"
    wait_until(lambda: connections() > 0, what="debug messages")
    for wrong in ("", "?level=loud", "?level=off", "?level=debug&detail=0", "?level=info&detail=2"):
        assert fetch(proxy.http, "/log" + wrong, "POST")[0] == 400, wrong
    assert json.loads(proxy.page("/log"))["detail"] == 2
    fetch(proxy.http, "/log?level=error", "POST")
    assert json.loads(proxy.page("/log")) == {"level": "error", "detail": 0, "lost_lines": 0}
    wait_until(lambda: "from debug to error" in proxy.output())
    fetch(proxy.http, "/log?level=info", "POST")
    wait_until(lambda: "from error to info" in proxy.output())
    assert client.cmd("PING") == "PONG"
