"""The fake Mesos says what a real one said: the recorded requests are played to it, and its answers compared one by one."""

import http.client
import json
import subprocess
import sys

import pytest
from harness import REPO, SCALE, free_port, wait_until
from mesos_tools import Engine, Fake, replay

from fake import ControlDoor  # of tests/mesos, which mesos_tools makes known

ATTRIBUTES = [{"name": "rack", "type": "TEXT", "text": {"value": "r1"}}, {"name": "zone", "type": "TEXT", "text": {"value": "z1"}},
              {"name": "cores", "type": "SCALAR", "scalar": {"value": 4.0}}]
# Name of a part: its first phase, the one behind it, how many masters there are, and what is compared at least.
PARTS = {"one master": ("0", "20", 1, {"response": 181, "UPDATE": 50, "LAUNCH": 14, "FAILURE": 8, "ACKNOWLEDGED": 15}), "two masters": ("20", "30", 2, {"response": 18, "UPDATE": 3}),
         "executors": ("30", None, 1, {"response": 40, "UPDATE": 15, "ACKNOWLEDGED": 10})}


def phases(first, end):
    """The entries from one phase to another."""
    on = False
    for entry in replay.entries():
        if entry["kind"] == "phase":
            name = entry["note"].split(":")[0]
            on = (on or name == first) and name != end
        if on:
            yield entry


@pytest.mark.parametrize("part", PARTS)
def test_answers_as_recorded(part, tmp_path):
    first, end, masters, least = PARTS[part]
    with Fake(masters=masters, folder=tmp_path, spawn=False, attributes=ATTRIBUTES) as mesos:
        mesos.set(speed=0.05, allocation=0.03)
        player = replay.Player(mesos, patience=5 * SCALE)
        try:
            for entry in phases(first, end):
                player.play(entry)
            assert not player.leftovers(), "\n".join(player.leftovers())
        finally:
            player.stop()
    for kind, count in least.items():
        assert player.played[kind] >= count, player.played


class Framework:
    def __init__(self, mesos, **info):
        body = json.dumps({"type": "SUBSCRIBE", "subscribe": {"framework_info": {
            "user": "root", "name": "t", "roles": ["sh001"], "capabilities": [{"type": "MULTI_ROLE"}], **info}}})
        connection = http.client.HTTPConnection(*mesos.leader.address, timeout=10 * SCALE)
        connection.request("POST", "/api/v1/scheduler", body, {"Content-Type": "application/json"})
        self.stream = replay.Subscription(connection, connection.getresponse())

    def first(self, kind):
        return wait_until(lambda: next((one for one in self.stream.events if one["type"] == kind), None), what=kind)

    def count(self, kind):
        return sum(one["type"] == kind for one in self.stream.events)

    def close(self):
        self.stream.close()


def test_an_offer_is_as_recorded(tmp_path):
    recorded = next(entry["body"] for entry in replay.entries()
                    if isinstance(entry.get("body"), dict) and entry["body"].get("type") == "OFFERS")
    with Fake(folder=tmp_path, spawn=False, attributes=ATTRIBUTES) as mesos:
        framework = Framework(mesos)
        offers = framework.first("OFFERS")
        framework.close()
    player = replay.Player(mesos)
    ours, theirs = offers["offers"]["offers"][0], recorded["offers"]["offers"][0]
    for name in ("id", "framework_id", "agent_id"):
        player.ids[theirs[name]["value"]] = ours[name]["value"]
    theirs["url"]["address"]["port"] = ours["url"]["address"]["port"]
    player.match(theirs, ours, "offer")


@pytest.mark.parametrize("pieces", ["record", "bytes", "merged"])
def test_events_are_the_same_however_they_are_cut(pieces, tmp_path):
    with Fake(folder=tmp_path, spawn=False) as mesos:
        mesos.set(pieces=pieces, heartbeat=0.05)
        framework = Framework(mesos)
        framework.first("OFFERS")
        wait_until(lambda: framework.count("HEARTBEAT") >= 3)
        assert [event["type"] for event in framework.stream.events][:2] == ["SUBSCRIBED", "HEARTBEAT"]
        framework.close()


def test_an_offer_is_taken_back_when_its_agent_is_lost(tmp_path):
    with Fake(folder=tmp_path, spawn=False) as mesos:
        framework = Framework(mesos)
        offered = framework.first("OFFERS")["offers"]["offers"][0]["id"]
        mesos.lose_agent(0)
        assert framework.first("RESCIND")["rescind"]["offer_id"] == offered
        framework.close()


def test_the_control_door_hurts(tmp_path):
    with Fake(folder=tmp_path, spawn=False) as mesos:
        door = ControlDoor(mesos, 0)
        door.open()
        try:
            def ask(body):
                connection = http.client.HTTPConnection(*door.address, timeout=10 * SCALE)
                connection.request("POST", "/", json.dumps(body))
                answer = connection.getresponse()
                text = answer.read()
                connection.close()
                return answer.status, text

            assert ask({"do": "lose_agent", "with": {"agent": 0}})[0] == 200
            assert mesos.agents[0].server is None
            assert json.loads(ask({"do": "state"})[1])["agents"][0]["active"] is False
            assert ask({"do": "find_agent", "with": {"agent": 0}})[0] == 200
            for bad in ({"do": "stop"}, {"do": "lose_agent"}, {"do": "lose_agent", "with": {"agent": 7}}, {},
                        {"do": "set", "with": {"nothing": 1}}):
                assert ask(bad)[0] == 400, bad
        finally:
            door.close()


def test_runs_by_itself(tmp_path):
    """As a platform is tried on it: a process with a port, hurt by its control door."""
    port, control = free_port(), free_port()
    child = subprocess.Popen([sys.executable, "-B", REPO / "tests/mesos/fake.py", "--port", str(port), "--control", str(control),
                              "--agents", "127.0.0.1,127.0.0.2,127.0.0.3"], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == f"masters on 127.0.0.1:{port}; control on 127.0.0.1:{control}\n"
        with Engine(None, tmp_path, masters=[f"127.0.0.1:{port}"]) as engine:
            task = engine.run(31000, host="127.0.0.3")
            connection = http.client.HTTPConnection("127.0.0.1", control, timeout=10 * SCALE)
            connection.request("POST", "/", json.dumps({"do": "kill_executor", "with": {"executor": "127.0.0.3:31000"}}))
            assert connection.getresponse().status == 200
            connection.close()
            engine.until(task, "failed")
            engine.run(31001, host="127.0.0.2")
    finally:
        child.terminate()
        try:
            assert child.wait(20 * SCALE) == 0
        finally:
            child.kill()
            child.stdout.close()
