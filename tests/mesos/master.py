"""A Mesos master that does what the recorded one did (tests/data/mesos, v1 scheduler HTTP API, JSON).

All state is guarded by the lock of the world (fake.py).
"""

import socket
import struct
import time
import uuid

from calls import read_call
from doors import Door, Refused, Stream
from resources import Amount, amount_of

TERMINAL = {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_GONE",
            "TASK_GONE_BY_OPERATOR"}


def value(text):
    return {"value": text}


class Framework:
    def __init__(self, info):
        self.info = info
        self.id = info["id"]["value"]
        self.stream = None
        self.stream_id = None
        self.suppressed = False
        self.filters = {}  # agent -> the time until which it is not offered
        self.tasks = {}  # id -> the latest status, and what the task takes
        self.beat = 0
        self.lost_at = None  # since when it has no stream

    def can(self, capability):
        return any(one.get("type") == capability for one in self.info.get("capabilities", []))

    @property
    def role(self):
        return self.info.get("roles", ["*"])[0]

    def send(self, event):
        if self.stream is not None:
            self.stream.send(event)


class Task:
    def __init__(self, info, agent_id, status):
        self.info, self.agent_id, self.status = info, agent_id, status
        self.executor_id = info.get("executor", {}).get("executor_id", {}).get("value")
        self.amount = amount_of(info.get("resources"))


class Offer:
    def __init__(self, number, framework, agent, amount):
        self.id, self.framework, self.agent, self.amount = number, framework, agent, amount


class Master(Door):
    def __init__(self, world, host="127.0.0.1", port=0):
        super().__init__(host, port)
        self.world = world
        self.id = str(uuid.uuid4())
        self.frameworks = {}
        self.removed = set()
        self.offers = {}
        self.agents = {}  # id -> agent, registered
        self.recovering = set()  # ids of agents that the registry knows and that have not come back
        self.unreachable = {}  # id -> since
        self.next_offer = self.next_framework = 0

    # What comes in.

    def handle(self, request, body):
        with self.world.lock:
            return self.serve(request, body)

    def serve(self, request, body):
        world = self.world
        if request.path == "/master/redirect" and world.points_to():
            raise Refused(307, "", {"Location": f"//{world.points_to()}"})
        if world.leader is not self:
            where = world.points_to()
            if where is None:
                raise Refused(503, "No leader elected")
            raise Refused(307, "", {"Location": f"//{where}/master/api/v1/scheduler"})
        if world.silent:
            raise Refused(503, "Master has not finished recovery")
        if world.credentials and request.headers.get("Authorization") != world.credentials:
            raise Refused(401, "", {"WWW-Authenticate": 'Basic realm="mesos-master-scheduler"'})
        call = read_call(request, body, "scheduler")
        world.calls.append(call)
        stream_id = request.headers.get("Mesos-Stream-Id")
        if call["type"] == "SUBSCRIBE":
            if stream_id is not None:
                raise Refused(400, "Subscribe calls should not include the 'Mesos-Stream-Id' header")
            return self.subscribe(call)
        framework = self.frameworks.get(call["framework_id"].get("value"))
        if framework is None:
            raise Refused(400, "Framework cannot be found")
        if framework.stream is None:
            raise Refused(403, "Framework is not subscribed")
        if stream_id is None:
            raise Refused(400, "All non-subscribe calls should include the 'Mesos-Stream-Id' header")
        if stream_id != framework.stream_id:
            raise Refused(400, f"The stream ID '{stream_id}' included in this request didn't match the stream ID "
                               f"currently associated with framework ID {framework.id}")
        getattr(self, "on_" + call["type"].lower())(framework, call)
        return (200 if call["type"] == "UPDATE_FRAMEWORK" else 202), b""

    def subscribe(self, call):
        info = dict(call["subscribe"]["framework_info"])
        stream = Stream(self.world.pieces, {"Mesos-Stream-Id": str(uuid.uuid4())})
        error = self.refuses(info)
        if error:
            stream.send({"type": "ERROR", "error": {"message": error}})
            stream.end()
            return stream
        known = info.get("id", {}).get("value")
        if known is None:
            info["id"] = value(f"{self.id}-{self.next_framework:04}")
            self.next_framework += 1
        framework = self.frameworks.setdefault(info["id"]["value"], Framework(info))
        if framework.stream is not None:
            framework.send({"type": "ERROR", "error": {"message": "Framework failed over"}})
            framework.stream.end()
        framework.info = {**info, "user": framework.info["user"], "checkpoint": framework.info.get("checkpoint", False)}
        for offer in [one for one in self.offers.values() if one.framework is framework]:
            del self.offers[offer.id]
        framework.stream, framework.stream_id = stream, stream.headers["Mesos-Stream-Id"]
        framework.suppressed, framework.filters, framework.lost_at = False, {}, None
        for agent in self.agents.values():
            agent.adopt(framework, self)
        host, port = self.address
        stream.send({"type": "SUBSCRIBED", "subscribed": {
            "framework_id": value(framework.id), "heartbeat_interval_seconds": self.world.heartbeat,
            "master_info": {
                "id": self.id, "ip": struct.unpack("<I", socket.inet_aton(host))[0], "port": port,
                "pid": f"master@{host}:{port}", "hostname": host, "version": "1.12.0",
                "address": {"hostname": host, "ip": host, "port": port},
                "capabilities": [{"type": "AGENT_UPDATE"}, {"type": "AGENT_DRAINING"}, {"type": "QUOTA_V2"}]}}})
        stream.send({"type": "HEARTBEAT"})
        framework.beat = time.monotonic() + self.world.heartbeat
        self.allocate()
        return stream

    def refuses(self, info):
        known = info.get("id", {}).get("value")
        if known in self.removed:
            return "Framework has been removed"
        roles = info.get("roles", [])
        if roles and not any(one.get("type") == "MULTI_ROLE" for one in info.get("capabilities", [])):
            return "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable"
        for role in roles:
            for part in (".", ".."):
                if part in role.split("/"):
                    return f"'FrameworkInfo.roles' contains invalid role: Role '{role}' cannot include '{part}' as a component"
        return None

    def gone(self, stream):
        with self.world.lock:
            for framework in self.frameworks.values():
                if framework.stream is stream:
                    framework.stream, framework.lost_at = None, time.monotonic()
                    self.drop_offers(lambda offer, of=framework: offer.framework is of, rescind=False)

    # Calls.

    def on_teardown(self, framework, _):
        self.remove(framework)

    def remove(self, framework):
        self.removed.add(framework.id)
        del self.frameworks[framework.id]
        self.drop_offers(lambda offer: offer.framework is framework, rescind=False)
        if framework.stream is not None:
            framework.stream.end()
        for agent in self.agents.values():
            agent.framework_removed(framework.id)

    def on_update_framework(self, framework, call):
        info = call["update_framework"]["framework_info"]
        framework.info = {**framework.info, "name": info["name"], "failover_timeout": info.get("failover_timeout", 0)}

    def on_revive(self, framework, _):
        framework.suppressed, framework.filters = False, {}
        self.allocate()

    def on_suppress(self, framework, _):
        framework.suppressed = True

    def on_decline(self, framework, call):
        for one in call["decline"].get("offer_ids", []):
            offer = self.offers.get(one["value"])
            if offer is not None and offer.framework is framework:
                del self.offers[offer.id]
                self.refuse(framework, offer, call["decline"])

    def refuse(self, framework, offer, body):
        seconds = body.get("filters", {}).get("refuse_seconds", 5.0) * self.world.speed
        if seconds > 0:
            framework.filters[offer.agent.id] = time.monotonic() + seconds

    def on_accept(self, framework, call):
        body = call["accept"]
        ids = [one["value"] for one in body.get("offer_ids", [])]
        tasks = [task for operation in body.get("operations", []) if operation.get("type") == "LAUNCH"
                 for task in operation.get("launch", {}).get("task_infos", [])]
        stale = [one for one in ids if one not in self.offers or self.offers[one].framework is not framework]
        if stale or not ids:
            for task in tasks:
                self.reject(framework, task, "TASK_DROPPED" if framework.can("PARTITION_AWARE") else "TASK_LOST",
                            f"Task launched with invalid offers: Offer {stale[0]} is no longer valid",
                            "REASON_INVALID_OFFERS")
            return
        offers = [self.offers.pop(one) for one in ids]
        agent = offers[0].agent
        left = sum((offer.amount for offer in offers), Amount())
        for task in tasks:
            left = self.launch(framework, agent, task, left)
        for offer in offers:
            self.refuse(framework, offer, body)

    def launch(self, framework, agent, task, left):
        """What is left behind it."""
        executor = task.get("executor")
        running = executor and agent.executors.get((framework.id, executor["executor_id"]["value"]))
        needed = amount_of(task.get("resources"), agent.role)
        if executor and not running:
            needed += amount_of(executor.get("resources"), agent.role)
        error = None
        if task["agent_id"]["value"] != agent.id:
            error = f"Task uses invalid agent {task['agent_id']['value']} while agent {agent.id} is expected"
        elif (executor is None) == ("command" not in task):
            error = "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present"
        elif task["task_id"]["value"] in framework.tasks:
            error = f"Task has duplicate ID: {task['task_id']['value']}"
        elif executor and executor.get("type") == "CUSTOM" and "command" not in executor:
            error = "'ExecutorInfo.command' must be set for 'CUSTOM' executor"
        elif running and not running.same(executor):
            error = ("ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.\n"
                     + "-" * 60 + "\nExisting ExecutorInfo:\n")
        elif not needed <= left or amount_of(task.get("resources")) + (
                amount_of(executor.get("resources")) if executor and not running else Amount()) != needed:
            whole = amount_of(task.get("resources")) + (amount_of(executor.get("resources")) if executor else Amount())
            error = (f"Total resources {whole.text(framework.role)} required by task and its executor is more than "
                     f"available {left.text(framework.role)}")
        if error:
            self.reject(framework, task, "TASK_ERROR", error, "REASON_TASK_INVALID")
            return left
        status = {"task_id": task["task_id"], "state": "TASK_STAGING", "source": "SOURCE_MASTER",
                  "agent_id": value(agent.id)}
        framework.tasks[task["task_id"]["value"]] = Task(task, agent.id, status)
        agent.launch(framework, task)
        return left - needed

    def reject(self, framework, task, state, message, reason):
        self.update(framework, {"task_id": task["task_id"], "state": state, "message": message,
                                "source": "SOURCE_MASTER", "reason": reason, "agent_id": task["agent_id"],
                                "timestamp": time.time()})

    def update(self, framework, status):
        self.world.deliver(framework, {"type": "UPDATE", "update": {"status": status}})

    def on_acknowledge(self, framework, call):
        body = call["acknowledge"]
        agent = self.agents.get(body["agent_id"]["value"])
        if agent is not None:
            agent.acknowledge(framework.id, body["task_id"]["value"], body["uuid"])

    def on_kill(self, framework, call):
        body = call["kill"]
        task = framework.tasks.get(body["task_id"]["value"])
        if task is None or task.status["state"] in TERMINAL:
            return self.reconcile(framework, body)
        agent = self.agents.get(task.agent_id)
        if agent is not None:
            agent.kill(framework.id, task, body)

    def on_shutdown(self, framework, call):
        agent = self.agents.get(call["shutdown"]["agent_id"]["value"])
        if agent is not None:
            agent.shutdown(framework.id, call["shutdown"]["executor_id"]["value"])

    def on_message(self, framework, call):
        body = call["message"]
        agent = self.agents.get(body["agent_id"]["value"])
        if agent is not None:
            agent.message(framework.id, body["executor_id"]["value"], body["data"])

    def on_reconcile(self, framework, call):
        asked = call["reconcile"].get("tasks", [])
        for one in asked:
            self.reconcile(framework, one)
        if not asked:
            for task in list(framework.tasks.values()):
                if task.status["state"] not in TERMINAL:
                    self.say(framework, task)

    def reconcile(self, framework, asked):
        task = framework.tasks.get(asked["task_id"]["value"])
        agent_id = asked.get("agent_id", {}).get("value")
        if task is not None and task.status["state"] not in TERMINAL | {"TASK_UNREACHABLE"}:
            return self.say(framework, task)
        if self.recovering and (agent_id is None or agent_id in self.recovering):
            return None  # nothing is said of them until they are back
        aware = framework.can("PARTITION_AWARE")
        state, text = "TASK_UNKNOWN", "Task is unknown"
        if agent_id in self.agents:
            state, text = "TASK_GONE", "Task is unknown to the agent"
        elif agent_id in self.unreachable:
            state, text = "TASK_UNREACHABLE", "Task is unreachable"
        status = {"task_id": asked["task_id"], "state": state if aware else "TASK_LOST",
                  "message": "Reconciliation: " + text, "source": "SOURCE_MASTER", "reason": "REASON_RECONCILIATION"}
        if agent_id is not None:
            status["agent_id"] = asked["agent_id"]
        status["timestamp"] = time.time()
        if agent_id in self.unreachable and agent_id not in self.agents:
            status["unreachable_time"] = {"nanoseconds": self.unreachable[agent_id]}
        return self.update(framework, status)

    def say(self, framework, task):
        status = {"task_id": value(task.info["task_id"]["value"]), "state": task.status["state"],
                  "message": "Reconciliation: Latest task state", "source": "SOURCE_MASTER",
                  "reason": "REASON_RECONCILIATION", "agent_id": value(task.agent_id)}
        if task.executor_id:
            status["executor_id"] = value(task.executor_id)
        status["timestamp"] = time.time()
        for name in ("healthy", "container_status"):
            if name in task.status:
                status[name] = task.status[name]
        self.update(framework, status)

    # Offers.

    def drop_offers(self, which, rescind=True):
        for offer in [one for one in self.offers.values() if which(one)]:
            del self.offers[offer.id]
            if rescind:
                offer.framework.send({"type": "RESCIND", "rescind": {"offer_id": value(offer.id)}})

    def allocate(self):
        now = time.monotonic()
        for framework in self.frameworks.values():
            if framework.stream is None or framework.suppressed:
                continue
            made = []
            for agent in self.agents.values():
                if not agent.active or framework.filters.get(agent.id, 0) > now:
                    continue
                if agent.role not in ("*", framework.role):
                    continue
                offered = sum((one.amount for one in self.offers.values() if one.agent is agent), Amount())
                free = agent.free() - offered
                if free:
                    offer = Offer(f"{self.id}-O{self.next_offer}", framework, agent, free)
                    self.next_offer += 1
                    self.offers[offer.id] = offer
                    made.append(self.offer_json(offer))
            if made:
                framework.send({"type": "OFFERS", "offers": {"offers": made}})

    @staticmethod
    def offer_json(offer):
        agent, role = offer.agent, offer.framework.role
        found = {"id": value(offer.id), "framework_id": value(offer.framework.id), "agent_id": value(agent.id),
                 "hostname": agent.hostname,
                 "url": {"scheme": "http", "path": "/slave(1)",
                         "address": {"hostname": agent.hostname, "ip": agent.address[0], "port": agent.port}},
                 "resources": offer.amount.to_json(agent.role, role), "attributes": agent.attributes}
        ids = [executor_id for (framework_id, executor_id) in agent.executors if framework_id == offer.framework.id]
        if ids:
            found["executor_ids"] = [value(one) for one in ids]
        found["allocation_info"] = {"role": role}
        return found

    # What agents say.

    def status_of(self, framework_id, status):
        """An update of an agent, on its way to the framework."""
        framework = self.frameworks.get(framework_id)
        if framework is None:
            return
        task = framework.tasks.get(status["task_id"]["value"])
        if task is not None and task.status["state"] not in TERMINAL:
            task.status = status
        self.update(framework, status)

    def forget_task(self, framework_id, task_id):
        """The framework has acknowledged its end."""
        framework = self.frameworks.get(framework_id)
        if framework is not None and framework.tasks.get(task_id, None) is not None \
                and framework.tasks[task_id].status["state"] in TERMINAL:
            del framework.tasks[task_id]

    def tick(self):
        now = time.monotonic()
        for framework in list(self.frameworks.values()):
            if framework.stream is not None and now >= framework.beat and not self.world.mute:
                framework.beat = now + self.world.heartbeat
                framework.send({"type": "HEARTBEAT"})
            away = framework.info.get("failover_timeout", 0) * self.world.speed
            if framework.lost_at is not None and now - framework.lost_at > away:
                self.remove(framework)
        self.allocate()


