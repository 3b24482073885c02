"""overlord-executor as a program: its socket, its signals, and that nothing it dies of ends a cache."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import tempfile

import pytest
from harness import BIN_DIR, SCALE, wait_until
from ports import free_port

PROGRAM = BIN_DIR / "overlord-executor"


class UnixHttp(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("executor", timeout=10 * SCALE)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Executor:
    """One overlord-executor; its folder, and so its nodes, stay when it ends."""

    def __init__(self, host="127.0.0.1"):
        self.host = host
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ovx-"))
        self.child = None

    @property
    def socket(self):
        return self.folder / "executor.sock"

    def start(self, *more):
        with open(self.folder / "out", "ab") as out:
            self.child = subprocess.Popen(
                [PROGRAM, "--host", self.host, "--dir", self.folder, "--cgroup", "none", "--probe-interval-ms", "100",
                 "--first-pause-ms", "50", *map(str, more)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        wait_until(self.answers, 20, "the executor to answer")
        return self

    def answers(self):
        try:
            return self.ask("GET", "/healthz")[1]["pid"] == self.child.pid
        except OSError:
            return False

    def ask(self, method, target, body=None):
        connection = UnixHttp(self.socket)
        try:
            connection.request(method, target, body)
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, json.loads(text) if answer.status == 200 else text
        finally:
            connection.close()

    def task(self, name):
        return next((each for each in self.ask("GET", "/tasks")[1]["tasks"] if each["id"] == name), None)

    def running(self, name):
        return wait_until(lambda: (task := self.task(name)) and task["health"] == "running" and task, 30, f"{name} to run")

    def signal(self, number):
        self.child.send_signal(number)
        self.child.wait(30 * SCALE)

    def remove(self):
        """Ends it and every node that any of its lives has left."""
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        for file in self.folder.glob("*/task.json"):
            pid = json.loads(file.read_text())["pid"]
            try:
                if pid and os.readlink(f"/proc/{pid}/cwd") == str(file.parent):
                    os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def executor():
    one = Executor()
    yield one
    one.remove()


def redis_task(executor, **more):
    port = free_port(executor.host)
    return {"id": f"{executor.host}:{port}-c-1", "cluster": "c", "type": "redis", "version": "7.0", "host": executor.host,
            "port": port, "spec": "0.1c32m", "password": "secret", **more}


def launch(executor, task):
    status, answer = executor.ask("PUT", "/tasks", json.dumps(task))
    assert status == 200, answer
    return executor.running(task["id"])


def redis(task, words, end):
    with socket.create_connection((task["host"], task["port"]), 10 * SCALE) as link:
        link.sendall(b"AUTH secret\r\n" + words + b"\r\n")
        answer = b""
        while end not in answer:
            piece = link.recv(4096)
            assert piece, answer
            answer += piece
        return answer


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nodes_outlive_their_executor(executor, number):
    executor.start()
    task = redis_task(executor)
    first = launch(executor, task)
    redis(task, b"SET k value", b"+OK\r\n+OK")
    executor.signal(number)
    assert b"value" in redis(task, b"GET k", b"value"), "it serves on without an executor"
    executor.start()
    assert executor.running(task["id"])["pid"] == first["pid"]
    os.kill(first["pid"], signal.SIGKILL)
    wait_until(lambda: (now := executor.task(task["id"]))["pid"] not in (0, first["pid"]) and now["health"] == "running", 30)


def test_stop_nodes_ends_them(executor):
    executor.start("--stop-nodes")
    pid = launch(executor, redis_task(executor))["pid"]
    executor.signal(signal.SIGTERM)
    assert executor.child.returncode == 0
    assert not pathlib.Path(f"/proc/{pid}").exists()


def test_only_its_owner_may_ask_it_and_there_is_one(executor):
    executor.start()
    assert stat.S_IMODE(executor.socket.stat().st_mode) == 0o600
    second = subprocess.run([PROGRAM, "--host", executor.host, "--dir", executor.folder], capture_output=True, text=True,
                            timeout=30 * SCALE, check=False)
    assert second.returncode == 1
    assert f"held by another process (pid {executor.child.pid})" in second.stderr
    assert executor.answers(), "the first has kept its socket"


def test_wrong_requests_are_answered(executor):
    executor.start()
    task = redis_task(executor)
    for body, what in [("", "JSON"), ("{", "JSON"), ("[]", ""), (json.dumps({**task, "port": "x"}), "port"),
                       (json.dumps({**task, "settings": {"bind": "0.0.0.0"}}), "settings.bind"),
                       (json.dumps({**task, "host": "127.0.0.9"}), "this is the executor of 127.0.0.1"),
                       ("\x00" * 100, ""), ("[" * 100_000, "")]:
        status, text = executor.ask("PUT", "/tasks", body)
        assert status == 400, body[:50]
        assert what.lower() in text.lower()
    assert executor.ask("DELETE", "/tasks?id=none")[0] == 404
    assert executor.ask("DELETE", "/tasks")[0] == 400
    assert executor.ask("DELETE", "/tasks?id=none&grace_ms=-1")[0] == 400
    assert executor.ask("GET", "/events?from=x")[0] == 400
    assert executor.ask("GET", "/nothing")[0] == 404
    assert executor.ask("GET", "/tasks")[1]["tasks"] == []


def test_events_go_on_where_a_reader_left(executor):
    executor.start()
    begin = executor.ask("GET", "/tasks")[1]["next"]
    task = redis_task(executor)
    launch(executor, task)

    def read(start, until):
        connection = UnixHttp(executor.socket)
        connection.request("GET", f"/events?from={start}")
        answer = connection.getresponse()
        lines = []
        while not lines or not until(lines[-1]):
            line = answer.readline().strip()
            if line:
                lines.append(json.loads(line))
        connection.close()
        return lines

    lines = read(begin, lambda line: line.get("task", {}).get("health") == "running")
    assert lines[0] == {"next": begin}
    assert [line["number"] for line in lines[1:]] == list(range(begin, begin + len(lines) - 1))
    middle = lines[2]["number"]
    assert read(middle, lambda line: line.get("task", {}).get("health") == "running")[1:] == lines[2:]
    assert "secret" not in json.dumps(lines)
    executor.signal(signal.SIGKILL)
    executor.start()
    hello = read(middle, lambda line: True)[0]
    assert hello["reset"] and hello["next"] > middle, "events of an earlier life are not there"


def test_flags_are_documented():
    page = pathlib.Path(__file__).resolve().parents[2].joinpath("docs/platform-executor.md").read_text()
    told = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, timeout=30 * SCALE, check=True).stdout
    flags = {word.rstrip(",").split("{")[0] for word in told.replace(",", " ").split() if word.startswith("--")}
    flags.discard("--help")
    flags.discard("--version")
    assert len(flags) > 15
    assert not [flag for flag in flags if f"`{flag}`" not in page]
