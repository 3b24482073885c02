"""The Mesos engine's tool against the fake Mesos: what the tests of both need."""

import json
import subprocess
import sys
import threading

import harness
from harness import BIN_DIR, REPO, wait_until

sys.path.insert(0, str(REPO / "tests" / "mesos"))

import replay  # noqa: E402, F401 - the tests take these from here
from doors import Door, Refused  # noqa: E402, F401
from fake import Fake  # noqa: E402, F401

ENGINE = BIN_DIR / "mesos_engine_tool"
EXECUTOR = BIN_DIR / "mesos_executor_tool"


class Engine:
    """One mesos_engine_tool; what it says of tasks is collected."""

    def __init__(self, mesos, folder, masters=None, name="framework", **options):
        folder.mkdir(parents=True, exist_ok=True)
        self.id_file = folder / name
        self.log = open(folder / f"{name}.log", "ab")
        addresses = masters or [f"127.0.0.1:{master.port}" for master in mesos.masters]
        told = {"masters": addresses, "id_file": str(self.id_file), "executor_url": str(EXECUTOR), **options}
        self.mesos = mesos
        self.states = {}  # of each task, in order
        self.messages = {}
        self.talk = threading.Lock()
        self.child = subprocess.Popen([ENGINE, json.dumps(told)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=self.log, text=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.child.stdin.close()
        try:
            self.child.wait(15 * harness.SCALE)
        finally:
            self.child.kill()
            self.child.wait()
            self.child.stdout.close()
            self.log.close()
        assert kind is not None or self.child.returncode == 0, f"it ended with {self.child.returncode}"

    def ask(self, do, **details):
        with self.talk:
            self.child.stdin.write(json.dumps({"do": do, **details}) + "\n")
            self.child.stdin.flush()
            line = self.child.stdout.readline()
            assert line, f"the engine is gone: {self.child.poll()}"
            return json.loads(line)

    def look(self):
        """Takes what there is to be told."""
        for one in self.ask("changes"):
            self.states.setdefault(one["id"], []).append(one["state"])
            self.messages[one["id"]] = one["message"]
        return self.states

    def state(self, task):
        self.look()
        return self.states.get(task, ["-"])[-1]

    def until(self, task, *states, timeout=10):
        wait_until(lambda: self.state(task) in states, timeout, f"{task} {states}, not {self.states.get(task)}")

    def until_settled(self):
        wait_until(lambda: self.look() is not None and self.ask("settled"), what="settled")

    def host(self, name):
        return next((host for host in self.ask("hosts") if host["name"] == name), None)

    def until_offered(self, name="127.0.0.1", memory=1):
        return wait_until(lambda: (host := self.host(name)) and host["memory"] >= memory and host,
                          what=f"an offer of {name}")

    def launch(self, port, host="127.0.0.1", play=None, incarnation=0, **details):
        """The task's id, once the engine has taken it."""
        task = {"id": f"{host}:{port}-rc-{incarnation}", "cluster": "rc", "type": "redis", "host": host, "port": port,
                "spec": "0.5c256m", "settings": {"play": play} if play else {}, **details}
        answers = []

        def taken():
            answers.append(self.ask("launch", task=task))
            return "ok" in answers[-1]

        wait_until(taken, what=lambda: answers[-1:])
        return task["id"]

    def run(self, port, **details):
        self.ask("want", offers=True)
        task = self.launch(port, **details)
        self.until(task, "running")
        return task

    def framework_id(self):
        return self.id_file.read_text().strip() if self.id_file.exists() else ""


def calls(mesos, kind):
    with mesos.lock:
        return [call for call in mesos.calls if call["type"] == kind]


def pids(mesos):
    """Of the executors that run, by id."""
    found = {}
    for agent in mesos.state()["agents"]:
        found |= agent["executors"]
    return found


def ended(mesos, executor):
    return wait_until(lambda: executor not in pids(mesos), what=f"the end of executor {executor}")


def sandbox_text(mesos, name):
    """What the executors wrote, all in one."""
    return "".join(path.read_text(errors="replace") for path in mesos.folder.rglob(name))


