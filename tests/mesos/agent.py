"""A Mesos agent that does what the recorded one did (tests/data/mesos, v1 executor HTTP API, JSON): takes tasks from the
master, starts their executors as processes, and passes updates on until they are acknowledged.

All state is guarded by the lock of the world (fake.py).
"""

import base64
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time
import urllib.parse
import urllib.request
import uuid

from calls import read_call
from doors import Door, Refused, Stream
from master import TERMINAL, value
from resources import Amount, amount_of


def new_uuid():
    return base64.b64encode(uuid.uuid4().bytes).decode()


class Executor:
    def __init__(self, framework_id, info):
        self.framework_id, self.info = framework_id, info
        self.id = info["executor_id"]["value"]
        self.container = str(uuid.uuid4())
        self.amount = amount_of(info.get("resources"))
        self.grace = info.get("shutdown_grace_period", {}).get("nanoseconds", 5e9) / 1e9
        self.tasks = {}  # id -> TaskInfo: those that have not ended
        self.queued = []  # ids that were not told to it
        self.told = set()
        self.launched = set()  # all there ever were
        self.stream = None
        self.process = None
        self.pid = 0
        self.known_for = time.monotonic()  # since when it should have subscribed
        self.ever = False
        self.ending = None  # the time at which it is killed

    def same(self, info):
        ours = {key: field for key, field in self.info.items() if key not in ("framework_id", "type")}
        return ours == {key: field for key, field in info.items() if key not in ("framework_id", "type")}


class Updates:
    """Of one task, in order; the first is on its way until it is acknowledged."""

    def __init__(self):
        self.waiting = []
        self.seen = set()
        self.pause = 0
        self.next = 0
        self.over = False  # the terminal one is among them


class Agent(Door):
    def __init__(self, world, number, host="127.0.0.1", role="*", amount=None, attributes=None):
        super().__init__(host)
        self.world = world
        self.id = f"{uuid.uuid4()}-S{number}"
        self.hostname = host
        self.role = role
        self.amount = amount or Amount(cpus=4000, mem=4096, disk=10240, ports=range(31000, 32000))
        self.attributes = attributes or []
        self.executors = {}  # (framework, executor) -> Executor
        self.updates = {}  # (framework, task) -> Updates
        self.active = False  # registered, and the master hears it
        self.away_since = None
        self.folder = world.folder / f"agent{number}"

    def free(self):
        used = Amount()
        for executor in self.executors.values():
            used += executor.amount
            used = sum((amount_of(task.get("resources")) for task in executor.tasks.values()), used)
        return self.amount - used

    # The master's side.

    def adopt(self, framework, master):
        """A master that does not know this framework's tasks learns of them."""
        from master import Task  # noqa: PLC0415

        for (framework_id, _), executor in self.executors.items():
            if framework_id != framework.id:
                continue
            for task_id, info in executor.tasks.items():
                if task_id not in framework.tasks:
                    framework.tasks[task_id] = Task(info, self.id, self.latest(framework_id, info, executor))

    def latest(self, framework_id, info, executor):
        known = self.updates.get((framework_id, info["task_id"]["value"]))
        if known and getattr(known, "last", None):
            return known.last
        return {"task_id": info["task_id"], "state": "TASK_STAGING", "executor_id": value(executor.id)}

    def launch(self, framework, task):
        executor_info = task["executor"]
        key = (framework.id, executor_info["executor_id"]["value"])
        executor = self.executors.get(key)
        task = {**task, "executor": {**executor_info, "framework_id": value(framework.id)}}
        task_id = task["task_id"]["value"]
        if executor is not None:
            executor.tasks[task_id] = task
            executor.launched.add(task_id)
            return self.tell(executor, task_id)
        executor = self.executors[key] = Executor(framework.id, task["executor"])
        executor.checkpoint = framework.info.get("checkpoint", False)
        executor.framework_info = framework.info
        executor.tasks[task_id] = task
        executor.launched.add(task_id)
        executor.queued.append(task_id)
        if self.world.spawn:
            threading.Thread(target=self.start, args=(executor,), daemon=True).start()
        return None

    def tell(self, executor, task_id):
        if executor.stream is not None:
            executor.told.add(task_id)
            executor.stream.send({"type": "LAUNCH", "launch": {"task": executor.tasks[task_id]}})
        elif not executor.ever:
            executor.queued.append(task_id)
        # Else it is lost: the executor is told nothing while it is cut off.

    def acknowledge(self, framework_id, task_id, update_uuid):
        known = self.updates.get((framework_id, task_id))
        if known is None or not known.waiting or known.waiting[0]["uuid"] != update_uuid:
            return
        ended = known.waiting.pop(0)["state"] in TERMINAL
        known.pause = 0
        if ended:
            self.world.leader.forget_task(framework_id, task_id)
        self.flush(framework_id, task_id)

    def kill(self, framework_id, task, call):
        executor = self.executors.get((framework_id, task.executor_id))
        task_id = call["task_id"]["value"]
        if executor is None:
            return
        if task_id in executor.queued and not executor.ever:
            self.make(executor, task_id, "TASK_KILLED", "Killed before delivery to the executor",
                      "REASON_TASK_KILLED_DURING_LAUNCH")
            return
        if executor.stream is not None:
            body = {"task_id": value(task_id)}
            if "kill_policy" in call:
                body["kill_policy"] = call["kill_policy"]
            executor.stream.send({"type": "KILL", "kill": body})

    def shutdown(self, framework_id, executor_id):
        executor = self.executors.get((framework_id, executor_id))
        if executor is None:
            return
        if executor.stream is not None:
            executor.stream.send({"type": "SHUTDOWN"})
        executor.ending = time.monotonic() + executor.grace * self.world.speed

    def message(self, framework_id, executor_id, data):
        executor = self.executors.get((framework_id, executor_id))
        if executor is not None and executor.stream is not None:
            executor.stream.send({"type": "MESSAGE", "message": {"data": data}})

    def framework_removed(self, framework_id):
        for (owner, executor_id) in list(self.executors):
            if owner == framework_id:
                self.shutdown(framework_id, executor_id)

    # Updates.

    def make(self, executor, task_id, state, message, reason):
        """An update of the agent's own."""
        self.note(executor, {"task_id": value(task_id), "state": state, "message": message, "source": "SOURCE_AGENT",
                             "reason": reason, "agent_id": value(self.id), "executor_id": value(executor.id),
                             "timestamp": time.time(), "uuid": new_uuid()})

    def note(self, executor, status):
        task_id = status["task_id"]["value"]
        known = self.updates.setdefault((executor.framework_id, task_id), Updates())
        known.last = status
        if status["uuid"] in known.seen or known.over:
            return
        known.seen.add(status["uuid"])
        known.waiting.append(status)
        if status["state"] in TERMINAL:
            known.over = True
            executor.tasks.pop(task_id, None)
            if task_id in executor.queued:
                executor.queued.remove(task_id)
            if not executor.tasks and not executor.ever:
                self.shutdown(executor.framework_id, executor.id)
        self.flush(executor.framework_id, task_id)

    def flush(self, framework_id, task_id):
        known = self.updates[(framework_id, task_id)]
        now = time.monotonic()
        if not known.waiting or not self.active or (known.pause and now < known.next):
            return
        known.pause = min(2 * known.pause, 600) if known.pause else 10
        known.next = now + known.pause * self.world.speed
        self.world.leader.status_of(framework_id, known.waiting[0])

    # Executors.

    def start(self, executor):
        """On a thread of its own."""
        sandbox = self.folder / executor.container
        sandbox.mkdir(parents=True)
        with open(sandbox / "stdout", "wb") as out, open(sandbox / "stderr", "wb") as err:
            try:
                for uri in executor.info["command"].get("uris", []):
                    fetch(uri, sandbox)
            except OSError as failure:
                err.write(f"{failure}\n".encode())
                with self.world.lock:
                    self.ended(executor, 256, "REASON_CONTAINER_LAUNCH_FAILED",
                               "Failed to launch container: Failed to fetch all URIs for container "
                               f"'{executor.container}': exited with status 1")
                return
            with self.world.lock:
                if self.world.stopping.is_set():
                    return
                executor.process = subprocess.Popen(
                    ["sh", "-c", executor.info["command"]["value"]], cwd=sandbox, stdin=subprocess.DEVNULL, stdout=out,
                    stderr=err, env=self.environment(executor, sandbox), start_new_session=True)
                executor.pid = executor.process.pid
                self.world.processes.add(executor.process)
        status = executor.process.wait()
        with self.world.lock:
            self.world.processes.discard(executor.process)
            kill_group(executor.pid)
            raw = -status if status < 0 else status << 8
            self.ended(executor, raw, "REASON_EXECUTOR_TERMINATED", "Executor terminated")

    def environment(self, executor, sandbox):
        found = {
            "LIBPROCESS_IP": self.address[0], "LIBPROCESS_PORT": "0", "MESOS_AGENT_ENDPOINT": f"{self.address[0]}:{self.port}",
            "MESOS_CHECKPOINT": "1" if executor.checkpoint else "0", "MESOS_DIRECTORY": str(sandbox),
            "MESOS_EXECUTOR_ID": executor.id, "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": f"{executor.grace:g}secs",
            "MESOS_FRAMEWORK_ID": executor.framework_id, "MESOS_HTTP_COMMAND_EXECUTOR": "0", "MESOS_SANDBOX": str(sandbox),
            "MESOS_SLAVE_ID": self.id, "MESOS_SLAVE_PID": f"slave(1)@{self.address[0]}:{self.port}",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PWD": str(sandbox)}
        if executor.checkpoint:
            found |= {"MESOS_RECOVERY_TIMEOUT": self.world.recovery_timeout, "MESOS_SUBSCRIPTION_BACKOFF_MAX": "2secs"}
        for one in executor.info["command"].get("environment", {}).get("variables", []):
            found[one["name"]] = one["value"]
        return found | self.world.environment

    def ended(self, executor, status, reason, message):
        key = (executor.framework_id, executor.id)
        if self.executors.get(key) is not executor:
            return
        if executor.stream is not None:
            executor.stream.cut()
        framework = self.world.leader.frameworks.get(executor.framework_id) if self.active else None
        if framework is not None:
            framework.send({"type": "FAILURE", "failure": {"agent_id": value(self.id), "executor_id": value(executor.id),
                                                           "status": status}})
        for task_id in list(executor.tasks):
            state = "TASK_LOST" if reason == "REASON_EXECUTOR_REREGISTRATION_TIMEOUT" else "TASK_FAILED"
            if state == "TASK_LOST" and framework is not None and framework.can("PARTITION_AWARE"):
                state = "TASK_GONE"
            self.make(executor, task_id, state, message, reason)
        del self.executors[key]

    # The executor API.

    def handle(self, request, body):
        with self.world.lock:
            return self.serve(request, body)

    def serve(self, request, body):
        call = read_call(request, body, "Executor")
        self.world.executor_calls.append(call)
        framework_id = call["framework_id"]["value"]
        if all(owner != framework_id for owner, _ in self.executors):
            raise Refused(400, "Framework cannot be found")
        executor = self.executors.get((framework_id, call["executor_id"]["value"]))
        if executor is None:
            raise Refused(400, "Executor cannot be found")
        if call["type"] == "SUBSCRIBE":
            return self.subscribe(executor, call["subscribe"])
        if call["type"] == "HEARTBEAT":
            return 202, b""
        if executor.stream is None:
            raise Refused(403, "Executor is not subscribed")
        if call["type"] == "UPDATE":
            self.take(executor, call["update"]["status"])
        else:
            framework = self.world.leader.frameworks.get(framework_id) if self.active else None
            if framework is not None:
                framework.send({"type": "MESSAGE", "message": {
                    "agent_id": value(self.id), "executor_id": value(executor.id), "data": call["message"]["data"]}})
        return 202, b""

    def subscribe(self, executor, body):
        stream = Stream(self.world.pieces)
        if executor.ending is not None and not executor.ever:
            stream.send({"type": "SHUTDOWN"})  # all it was started for is over
            return stream
        if executor.stream is not None:
            executor.stream.end()
        again, executor.ever = executor.ever, True
        executor.stream, executor.known_for = stream, None
        stream.send({"type": "SUBSCRIBED", "subscribed": {
            "executor_info": executor.info, "framework_info": executor.framework_info,
            "agent_info": {"hostname": self.hostname, "port": self.port,
                           "resources": [{key: field for key, field in one.items() if key not in ("role", "allocation_info")}
                                         for one in self.amount.to_json("*", "*")],
                           "attributes": self.attributes, "id": value(self.id)},
            "container_id": value(executor.container)}})
        for update in body.get("unacknowledged_updates", []):
            self.take(executor, update["status"])
        if again:
            kept = {task["task_id"]["value"] for task in body.get("unacknowledged_tasks", [])} | executor.told
            for task_id in [one for one in executor.tasks if one not in kept]:
                self.make(executor, task_id, "TASK_LOST", "Task launched during agent restart", "REASON_AGENT_RESTARTED")
        queued, executor.queued = executor.queued, []
        for task_id in queued:
            self.tell(executor, task_id)
        return stream

    def take(self, executor, status):
        status = {**status, "agent_id": value(self.id),
                  "container_status": {"container_id": value(executor.container),
                                       "network_infos": [{"ip_addresses": [{"protocol": "IPv4", "ip_address": self.address[0]}]}],
                                       "executor_pid": executor.pid}}
        status.setdefault("timestamp", time.time())
        task_id = status["task_id"]["value"]
        known = task_id in executor.launched
        self.note(executor, status)
        if known and executor.stream is not None and not self.world.deaf:
            executor.stream.send({"type": "ACKNOWLEDGED", "acknowledged": {"task_id": status["task_id"],
                                                                           "uuid": status["uuid"]}})

    def gone(self, stream):
        with self.world.lock:
            for executor in self.executors.values():
                if executor.stream is stream:
                    executor.stream = None

    def tick(self):
        now = time.monotonic()
        for framework_id, task_id in list(self.updates):
            self.flush(framework_id, task_id)
        for executor in list(self.executors.values()):
            if executor.ending is not None and now >= executor.ending and executor.process is not None:
                kill_group(executor.pid)
            limit = self.world.executor_away if executor.ever else self.world.executor_registration
            if executor.known_for is not None and now - executor.known_for > limit and self.server is not None:
                executor.known_for = None
                kill_group(executor.pid)
                reason = "REREGISTRATION" if executor.ever else "REGISTRATION"
                self.ended(executor, 9, f"REASON_EXECUTOR_{reason}_TIMEOUT",
                           f"Executor did not {'reregister' if executor.ever else 'register'} within {limit:g}secs")


def fetch(uri, sandbox):
    source = uri["value"]
    target = pathlib.Path(sandbox, uri.get("output_file") or pathlib.PurePosixPath(urllib.parse.urlsplit(source).path).name)
    target.parent.mkdir(parents=True, exist_ok=True)
    if "://" in source:
        with urllib.request.urlopen(source, timeout=10) as answer, open(target, "wb") as out:  # noqa: S310
            shutil.copyfileobj(answer, out)
    else:
        shutil.copyfile(source, target)
    if uri.get("executable"):
        os.chmod(target, 0o755)  # noqa: S103
    elif uri.get("extract", True) and target.name.endswith((".tar.gz", ".tgz")):
        shutil.unpack_archive(target, sandbox, filter="data")


def kill_group(pid):
    try:
        if pid > 1:
            os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
