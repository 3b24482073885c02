#!/usr/bin/python3
"""A Mesos of one process: masters and agents that say what the recorded ones said (tests/data/mesos), start executors as real
processes, and can be hurt. Started by a test in its own process:

    with Fake(agents=["127.0.0.1", "127.0.0.2"], folder=tmp_path) as mesos:
        mesos.masters[0].port; mesos.lose_agent(0); mesos.find_agent(0) ...

or by itself, to run a platform on: tests/mesos/fake.py --port 5050 --agents 127.0.0.1,127.0.0.2,127.0.0.3; its control door
takes POSTs of {"do": "lose_agent", "with": {"agent": 0}} and answers with JSON.
"""

import argparse
import base64
import json
import pathlib
import signal
import sys
import tempfile
import threading
import time

from agent import Agent, kill_group, value
from doors import Door, Refused
from master import Master
from resources import Amount


class Fake:
    def __init__(self, agents=("127.0.0.1",), masters=1, folder=None, spawn=True, port=0, role="*", amount=None,
                 attributes=None):
        self.lock = threading.RLock()
        self.kept = tempfile.TemporaryDirectory(prefix="mesos-") if folder is None else None
        self.folder = pathlib.Path(self.kept.name if self.kept else folder)
        self.speed = 1.0  # of filters, retries and graces: 0.1 makes them ten times shorter
        self.heartbeat = 15.0
        self.allocation = 0.1  # seconds between allocations; a real master's are 1
        self.ping_timeout = 75.0
        self.executor_away = 2.0
        self.executor_registration = 60.0
        self.recovery_timeout = "15mins"
        self.pieces = "record"
        self.spawn = spawn
        self.environment = {}  # of executors, besides what agents give them
        # Faults.
        self.credentials = None  # what Authorization must be
        self.silent = False  # no master has recovered
        self.mute = False  # no heartbeats
        self.deaf = False  # agents acknowledge nothing to executors
        self.twice = False  # every update comes twice
        self.held = None  # a list: updates wait in it
        self.calls = []  # all that masters took
        self.executor_calls = []  # and agents
        self.stopping = threading.Event()
        self.processes = set()
        self.masters = [Master(self, port=port + i if port else 0) for i in range(masters)]
        self.leader = self.masters[0]
        self.stale = None  # where followers point to though nobody leads
        self.agents = [Agent(self, i, host, role, amount, attributes) for i, host in enumerate(agents)]
        for door in self.masters + self.agents:
            door.open()
        for agent in self.agents:
            self.register(agent)
        self.ticker = threading.Thread(target=self.run, daemon=True)
        self.ticker.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        with self.lock:
            self.stopping.set()
            for process in list(self.processes):
                kill_group(process.pid)
        self.ticker.join()
        for door in self.masters + self.agents:
            door.close()
        if self.kept:
            self.kept.cleanup()

    def run(self):
        while not self.stopping.wait(self.allocation):
            with self.lock:
                if self.leader is not None:
                    for agent in self.agents:
                        self.look(agent)
                    self.leader.tick()

    def look(self, agent):
        away = agent.away_since is not None and time.monotonic() - agent.away_since > self.ping_timeout
        if away and agent.id in self.leader.agents:
            self.remove_agent(agent, "health check timed out", unreachable=True)
        elif agent.active:
            agent.tick()

    def points_to(self):
        if self.leader is not None:
            return f"{self.leader.address[0]}:{self.leader.port}"
        return self.stale

    def deliver(self, framework, event):
        if self.held is not None:
            self.held.append((framework, event))
            return
        framework.send(event)
        if self.twice:
            framework.send(event)

    # Agents.

    def register(self, agent):
        with self.lock:
            master = self.leader
            back = master.unreachable.pop(agent.id, None) is not None
            master.agents[agent.id] = agent
            master.recovering.discard(agent.id)
            agent.active, agent.away_since = True, None
            for framework in master.frameworks.values():
                known = {one for one, task in framework.tasks.items() if task.agent_id == agent.id}
                agent.adopt(framework, master)
                for task_id, task in framework.tasks.items():
                    if task.agent_id != agent.id:
                        continue
                    alive = any(task_id in executor.tasks for executor in agent.executors.values())
                    if alive and (back or task_id not in known):
                        self.tell_reregistered(master, framework, agent, task, back)

    @staticmethod
    def tell_reregistered(master, framework, agent, task, back):
        known = agent.updates.get((framework.id, task.info["task_id"]["value"]))
        if known is None or not hasattr(known, "last"):
            return
        task.status = known.last
        status = {"task_id": task.info["task_id"], "state": known.last["state"],
                  "message": "Unreachable agent re-reregistered" if back else "Unknown agent reregistered",
                  "source": "SOURCE_MASTER", "reason": "REASON_AGENT_REREGISTERED", "agent_id": value(agent.id),
                  "executor_id": value(task.executor_id), "timestamp": time.time()}
        for name in ("healthy", "container_status"):
            if name in known.last:
                status[name] = known.last[name]
        master.update(framework, status)

    def remove_agent(self, agent, why, unreachable):
        master = self.leader
        master.agents.pop(agent.id, None)
        if unreachable:
            master.unreachable[agent.id] = time.time_ns()
        for framework in master.frameworks.values():
            for task_id, task in list(framework.tasks.items()):
                if task.agent_id != agent.id:
                    continue
                aware = unreachable and framework.can("PARTITION_AWARE")
                status = {"task_id": value(task_id), "state": "TASK_UNREACHABLE" if aware else "TASK_LOST", "message": why,
                          "source": "SOURCE_MASTER", "reason": "REASON_AGENT_REMOVED", "agent_id": value(agent.id),
                          "executor_id": value(task.executor_id), "timestamp": time.time()}
                if unreachable:
                    status["unreachable_time"] = {"nanoseconds": master.unreachable[agent.id]}
                task.status = status
                master.update(framework, status)
                if not unreachable:
                    del framework.tasks[task_id]
            master.drop_offers(lambda offer, of=framework: offer.agent is agent and offer.framework is of)
            framework.send({"type": "FAILURE", "failure": {"agent_id": value(agent.id)}})

    def lose_agent(self, agent, with_executors=False):
        """The agent is killed; with its executors: its host is off."""
        lost = self.agents[agent]
        lost.close()
        with self.lock:
            lost.active, lost.away_since = False, time.monotonic()
            self.leader.drop_offers(lambda offer: offer.agent is lost)
            for executor in list(lost.executors.values()):
                executor.stream = None
                if with_executors:
                    kill_group(executor.pid)
                    del lost.executors[(executor.framework_id, executor.id)]
            for framework in self.leader.frameworks.values():
                if not framework.info.get("checkpoint", False):
                    self.disconnected(framework, lost)

    def disconnected(self, framework, agent):
        for task_id, task in list(framework.tasks.items()):
            if task.agent_id == agent.id:
                del framework.tasks[task_id]
                self.leader.update(framework, {
                    "task_id": value(task_id), "state": "TASK_LOST", "message": f"Agent {agent.hostname} disconnected",
                    "source": "SOURCE_MASTER", "reason": "REASON_AGENT_DISCONNECTED", "agent_id": value(agent.id),
                    "executor_id": value(task.executor_id), "timestamp": time.time()})

    def time_out_agent(self, agent):
        """The master has missed its pings."""
        with self.lock:
            self.remove_agent(self.agents[agent], "health check timed out", unreachable=True)

    def find_agent(self, agent):
        """It is back, with the executors that live."""
        found = self.agents[agent]
        with self.lock:
            for executor in found.executors.values():
                executor.known_for = time.monotonic()
        found.open()
        self.register(found)

    def unregister_agent(self, agent):
        """It goes for good, and ends its executors (SIGUSR1)."""
        gone = self.agents[agent]
        with self.lock:
            gone.active = False
            self.remove_agent(gone, f"Agent {gone.hostname} removed: the agent unregistered", unreachable=False)
            streams = [one.stream for one in gone.executors.values() if one.stream is not None]
            for executor in list(gone.executors.values()):
                gone.shutdown(executor.framework_id, executor.id)
                executor.tasks.clear()  # of their ends nobody hears
            gone.updates.clear()
            for stream in streams:
                stream.cut()
        for stream in streams:
            stream.over.wait(5)
        gone.close()

    def kill_executor(self, executor, status=None):
        """kill -9; where executors are no processes, it has ended with that wait status."""
        with self.lock:
            for agent in self.agents:
                for one in list(agent.executors.values()):
                    if one.id == executor:
                        if one.process is not None:
                            kill_group(one.pid)
                        else:
                            agent.ended(one, status, "REASON_EXECUTOR_TERMINATED", "Executor terminated")

    def cut_executor(self, executor):
        """Its stream breaks."""
        with self.lock:
            for agent in self.agents:
                for one in agent.executors.values():
                    if one.id == executor and one.stream is not None:
                        one.stream.cut()
                        one.stream = None

    # Masters and frameworks.

    def cut(self):
        """All connections with the leading master break."""
        self.leader.cut_all()

    def rescind(self):
        with self.lock:
            self.leader.drop_offers(lambda _: True)

    def hold_updates(self):
        with self.lock:
            self.held = []

    def release_updates(self):
        with self.lock:
            held, self.held = self.held, None
            for framework, event in held:
                framework.send(event)

    def fail_over(self, to=None, registry=False, agents=True):
        """The leading master dies and another one leads, or the same one begins anew. registry: it knows what agents there
        were, and waits for them. agents: they come back at once."""
        with self.lock:
            old, new = self.leader, self.masters[to if to is not None else self.masters.index(self.leader)]
            self.leader = None
        old.close()
        with self.lock:
            if new is old:
                new = Master(self, *old.address)
                self.masters[self.masters.index(old)] = new
                new.open()
            new.removed = set(old.removed)
            if registry:
                new.recovering = set(old.agents)
            self.leader = new
            for agent in self.agents:
                agent.active = False
        if agents:
            self.return_agents()

    def kill_leader(self):
        """Nobody leads now, and the others still point to it."""
        with self.lock:
            old, self.stale, self.leader = self.leader, self.points_to(), None
            for agent in self.agents:
                agent.active = False
        old.close()

    def elect(self, master):
        with self.lock:
            self.leader = self.masters[master]
        self.return_agents()

    def return_agents(self):
        for agent in self.agents:
            if agent.server is not None:
                self.register(agent)

    def remove_framework(self):
        """Torn down by an operator."""
        with self.lock:
            for framework in list(self.leader.frameworks.values()):
                self.leader.remove(framework)

    def set(self, **facts):
        with self.lock:
            for name, fact in facts.items():
                if not hasattr(self, name):
                    raise ValueError(f"there is no {name}")
                setattr(self, name, fact)

    def password(self, principal, secret):
        self.credentials = "Basic " + base64.b64encode(f"{principal}:{secret}".encode()).decode()

    def state(self):
        with self.lock:
            return {
                "masters": [f"{one.address[0]}:{one.port}" for one in self.masters],
                "frameworks": [{"id": one.id, "subscribed": one.stream is not None, "suppressed": one.suppressed,
                                "tasks": {task_id: task.status["state"] for task_id, task in one.tasks.items()}}
                               for one in (self.leader.frameworks.values() if self.leader else ())],
                "agents": [{"id": one.id, "host": one.hostname, "port": one.port, "active": one.active,
                            "executors": {executor.id: executor.pid for executor in one.executors.values()}}
                           for one in self.agents]}


class ControlDoor(Door):
    DEEDS = ("lose_agent", "time_out_agent", "find_agent", "unregister_agent", "kill_executor", "cut_executor", "cut", "rescind",
             "hold_updates", "release_updates", "fail_over", "kill_leader", "elect", "return_agents", "remove_framework", "set",
             "password", "state")

    def __init__(self, fake, port):
        super().__init__("127.0.0.1", port)
        self.fake = fake

    def handle(self, request, body):
        try:
            asked = json.loads(body or b'{"do":"state"}')
            if asked["do"] not in self.DEEDS:
                raise ValueError(f"one of {', '.join(self.DEEDS)}")
            made = getattr(self.fake, asked["do"])(**asked.get("with", {}))
        except (ValueError, KeyError, TypeError, IndexError) as failure:
            raise Refused(400, f"{failure}\n") from None
        return 200, (json.dumps(made) + "\n").encode()


def main():
    parser = argparse.ArgumentParser(description="masters and agents of Mesos in one process, for tests")
    parser.add_argument("--port", type=int, default=5050, help="of the first master; more masters follow it")
    parser.add_argument("--masters", type=int, default=1)
    parser.add_argument("--agents", default="127.0.0.1,127.0.0.2,127.0.0.3", help="their hosts")
    parser.add_argument("--control", type=int, default=5049, help="port of the control door")
    parser.add_argument("--role", default="*", help="that the agents' resources are kept for")
    parser.add_argument("--cpus", type=float, default=4.0)
    parser.add_argument("--mem", type=int, default=4096, help="MiB")
    parser.add_argument("--ports", default="21000-21999,31000-31999", help="of each agent")
    options = parser.parse_args()
    ports = set()
    for span in options.ports.split(","):
        first, last = map(int, span.split("-"))
        ports |= set(range(first, last + 1))
    fake = Fake(options.agents.split(","), options.masters, port=options.port, role=options.role,
                amount=Amount(round(options.cpus * 1000), options.mem, 10240, ports))
    control = ControlDoor(fake, options.control)
    control.open()
    print(f"masters on {', '.join(fake.state()['masters'])}; control on 127.0.0.1:{control.port}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        signal.pause()
    except (KeyboardInterrupt, SystemExit):
        pass
    control.close()
    fake.stop()


if __name__ == "__main__":
    main()
