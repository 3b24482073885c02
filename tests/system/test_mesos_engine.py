"""The Mesos engine against the fake Mesos, which runs its executors as processes."""

import os

import pytest
from harness import wait_until
from mesos_tools import Engine, Fake, calls, ended, pids


@pytest.fixture
def mesos(tmp_path):
    attributes = [{"name": "zone", "type": "TEXT", "text": {"value": "z1"}}]
    with Fake(["127.0.0.1", "127.0.0.2"], folder=tmp_path / "mesos", attributes=attributes) as made:
        made.set(speed=0.05)
        yield made


@pytest.fixture
def engine(mesos, tmp_path):
    with Engine(mesos, tmp_path) as made:
        yield made


def resource(task, name):
    parts = task["resources"] + task["executor"]["resources"]
    return sum(one["scalar"]["value"] for one in parts if one["name"] == name)


def ports(task):
    return [(one["begin"], one["end"]) for part in task["resources"] if part["name"] == "ports"
            for one in part["ranges"]["range"]]


@pytest.mark.parametrize("pieces", ["record", "bytes", "merged"])
def test_runs_and_ends_tasks(mesos, engine, pieces):
    mesos.set(pieces=pieces)
    mesos.cut()
    engine.ask("want", offers=True)
    engine.until_offered("127.0.0.1")
    host = engine.until_offered("127.0.0.2")
    assert host["labels"] == {"zone": "z1"} and host["zone"] == "z1" and host["group"] == "sh001"
    assert host["capacity"] == [4000, 4096] and host["ports"] == [[31000, 31999]]
    first = engine.launch(31000)
    second = engine.launch(31001, type="redis_cluster")
    third = engine.launch(31000, host="127.0.0.2")
    for task in (first, second, third):
        engine.until(task, "running")
        states = engine.states[task]
        assert states == [state for state in ("staging", "starting", "running") if state in states]
    launched = [task for call in calls(mesos, "ACCEPT") for task in call["accept"]["operations"][0]["launch"]["task_infos"]]
    for task in launched:
        assert resource(task, "cpus") == 0.5 and resource(task, "mem") == 256
        assert task["executor"]["executor_id"]["value"] == task["name"]
    # The bus port of 31001 is not the agents' to give.
    assert sorted(ports(task)[0] for task in launched) == [(31000, 31000), (31000, 31000), (31001, 31001)]
    assert engine.host("127.0.0.1")["capacity"] == [4000, 4096]
    assert 31000 in engine.host("127.0.0.1")["taken"]
    assert "ok" in engine.ask("kill", id=first, host="127.0.0.1")
    engine.until(first, "stopped")
    ended(mesos, "127.0.0.1:31000")
    assert set(pids(mesos)) == {"127.0.0.1:31001", "127.0.0.2:31000"}
    # What has ended can be run again, as the next incarnation.
    again = engine.launch(31000, incarnation=1)
    engine.until(again, "running")


def test_tasks_of_one_agent_go_in_one_call(mesos, tmp_path):
    with Engine(mesos, tmp_path, gather=1000) as engine:
        engine.ask("want", offers=True)
        engine.until_offered()
        for task in [engine.launch(31000 + i) for i in range(4)]:
            engine.until(task, "running")
    accepts = [call["accept"]["operations"][0]["launch"]["task_infos"] for call in calls(mesos, "ACCEPT")]
    assert [len(tasks) for tasks in accepts] == [4]


def test_a_bus_port_is_taken_where_agents_have_it(tmp_path):
    from resources import Amount

    room = Amount(4000, 4096, 0, [*range(21000, 21010), *range(31000, 31010)])
    with Fake(folder=tmp_path / "mesos", amount=room) as mesos, Engine(mesos, tmp_path) as engine:
        engine.ask("want", offers=True)
        engine.until_offered()
        engine.until(engine.launch(21003, type="redis_cluster"), "running")
        task = calls(mesos, "ACCEPT")[0]["accept"]["operations"][0]["launch"]["task_infos"][0]
        assert ports(task) == [(21003, 21003), (31003, 31003)]
        engine.until_offered()
        refusal = engine.ask("launch", task={"id": "127.0.0.1:31003-rc-0", "host": "127.0.0.1", "port": 31003, "spec": "0.5c256m"})
        assert "31003" in refusal["error"]


def test_resources_kept_for_the_role_are_used(tmp_path):
    with Fake(folder=tmp_path / "mesos", role="sh001") as mesos, Engine(mesos, tmp_path) as engine:
        engine.run(31000)


def test_says_why_there_is_no_room(mesos, engine):
    engine.ask("want", offers=True)
    engine.until_offered()

    def refusal(**details):
        task = {"id": "127.0.0.1:31000-rc-0", "host": "127.0.0.1", "port": 31000, "spec": "1c1g", **details}
        return engine.ask("launch", task=task)["error"]

    assert "9000 thousandths of a core needed, 4000 on offer" in refusal(spec="9c1g")
    assert "65536 MiB needed, 4096 on offer" in refusal(spec="1c64g")
    assert "port 80 of 127.0.0.1 is not on offer" in refusal(port=80)
    assert "no agent is known on 10.1.1.1" in refusal(host="10.1.1.1")
    assert "for the group bj001" in refusal(group="bj001")


def test_offers_are_held_while_they_are_wanted(mesos, tmp_path):
    with Engine(mesos, tmp_path, hold=200) as engine:
        wait_until(lambda: calls(mesos, "SUPPRESS"), what="SUPPRESS, as nothing is wanted")
        wait_until(lambda: mesos.state()["frameworks"][0]["suppressed"])
        declined = len(calls(mesos, "DECLINE"))
        assert declined and not mesos.leader.offers
        assert engine.host("127.0.0.1")["memory"] == 0, "known, and nothing of it on offer"
        engine.ask("want", offers=True)
        wait_until(lambda: calls(mesos, "REVIVE"))
        engine.until_offered()
        # Held for 200 ms, and given back, so that others have a chance; and so on.
        wait_until(lambda: len(calls(mesos, "DECLINE")) > declined + 1)
        assert calls(mesos, "DECLINE")[-1]["decline"]["filters"]["refuse_seconds"] == 1.0
        engine.ask("want", offers=False)
        wait_until(lambda: mesos.state()["frameworks"][0]["suppressed"])


def test_comes_back_after_the_connection_is_lost(mesos, engine):
    task = engine.run(31000)
    framework = engine.framework_id()
    subscribed = len(calls(mesos, "SUBSCRIBE"))
    mesos.cut()
    wait_until(lambda: len(calls(mesos, "SUBSCRIBE")) > subscribed)
    again = calls(mesos, "SUBSCRIBE")[-1]
    assert again["framework_id"]["value"] == again["subscribe"]["framework_info"]["id"]["value"] == framework
    engine.until_settled()
    assert engine.state(task) == "running"
    asked = [one["task_id"]["value"] for call in calls(mesos, "RECONCILE") for one in call["reconcile"]["tasks"]]
    assert task in asked and {"tasks": []} in [call["reconcile"] for call in calls(mesos, "RECONCILE")]
    assert engine.ask("trouble") == ""


def test_the_next_one_finds_what_runs(mesos, tmp_path):
    with Engine(mesos, tmp_path) as first:
        task = first.run(31000)
        framework = first.framework_id()
    with Engine(mesos, tmp_path) as second:
        second.until(task, "running")
        second.until_settled()
        assert second.framework_id() == framework
        assert second.host("127.0.0.1")["reachable"]
        second.ask("kill", id=task)
        second.until(task, "stopped")


def test_does_not_fight_when_another_takes_over(mesos, tmp_path):
    with Engine(mesos, tmp_path) as first:
        task = first.run(31000)
        with Engine(mesos, tmp_path) as second:
            second.until(task, "running")
            wait_until(lambda: "another scheduler has taken over" in first.ask("trouble"))
            second.until_settled()
            assert len(calls(mesos, "SUBSCRIBE")) == 2
            assert not first.ask("settled")
            assert "another scheduler" in first.ask("launch", task={"id": "127.0.0.1:31001-rc-0", "host": "127.0.0.1",
                                                                    "port": 31001, "spec": "1c1g"})["error"]


def test_a_removed_framework_begins_anew(mesos, engine):
    task = engine.run(31000)
    framework = engine.framework_id()
    mesos.remove_framework()
    wait_until(lambda: engine.framework_id() not in ("", framework), what="another framework")
    engine.until(task, "gone")
    ended(mesos, "127.0.0.1:31000")
    engine.run(31000, incarnation=1)


def test_a_lost_agent_may_come_back(mesos, engine):
    task = engine.run(31000)
    pid = pids(mesos)["127.0.0.1:31000"]
    engine.until_offered()
    mesos.lose_agent(0)
    wait_until(lambda: engine.host("127.0.0.1")["memory"] == 0, what="its offer is taken back")
    assert engine.state(task) == "running", "nobody has said otherwise"
    mesos.time_out_agent(0)
    engine.until(task, "lost")
    assert engine.host("127.0.0.1")["reachable"] is False
    assert engine.host("127.0.0.2")["reachable"] is True
    mesos.find_agent(0)
    engine.until(task, "running")
    assert engine.host("127.0.0.1")["reachable"] is True
    assert pids(mesos)["127.0.0.1:31000"] == pid


def test_a_lost_host_comes_back_without_its_tasks(mesos, engine):
    task = engine.run(31000)
    mesos.lose_agent(0, with_executors=True)
    mesos.time_out_agent(0)
    engine.until(task, "lost")
    mesos.find_agent(0)
    engine.ask("reconcile", tasks=[{"id": task, "host": "127.0.0.1"}])
    engine.until(task, "gone")


def test_an_executor_that_dies_has_failed(mesos, engine):
    task = engine.run(31000)
    mesos.kill_executor("127.0.0.1:31000")
    engine.until(task, "failed")
    assert "Executor terminated" in engine.messages[task]
    task = engine.launch(31001, play="starting,exit")
    engine.until(task, "failed")


def test_health_is_passed_on(mesos, engine):
    task = engine.run(31000)
    for said, state in (("sick", "sick"), ("running", "running"), ("finished", "stopped")):
        assert "ok" in engine.ask("message", id=task, executor="127.0.0.1:31000", data=f"say {said}")
        engine.until(task, state)


def test_updates_may_come_twice(mesos, engine):
    mesos.set(twice=True)
    task = engine.run(31000)
    engine.ask("kill", id=task)
    engine.until(task, "stopped")
    assert engine.states[task] == [state for state in ("staging", "starting", "running", "stopped")
                                   if state in engine.states[task]]
    engine.look()
    said = [call["acknowledge"] for call in calls(mesos, "ACKNOWLEDGE")]
    assert len({one["uuid"] for one in said}) >= 2


def test_updates_may_come_late(mesos, engine):
    engine.ask("want", offers=True)
    mesos.hold_updates()
    task = engine.launch(31000)
    wait_until(lambda: mesos.held, what="updates on their way")
    assert engine.state(task) == "staging"
    mesos.release_updates()
    engine.until(task, "running")


def test_what_is_not_taken_is_not_acknowledged(mesos, engine):
    """Who asked and did not come again may have crashed: the agent says it once more."""
    engine.ask("want", offers=True)
    task = engine.launch(31000, play="running")
    wait_until(lambda: "127.0.0.1:31000" in pids(mesos) and mesos.state()["frameworks"][0]["tasks"].get(task) == "TASK_RUNNING")
    assert calls(mesos, "ACKNOWLEDGE") == []
    engine.until(task, "running")
    wait_until(lambda: engine.look() and calls(mesos, "ACKNOWLEDGE"))


def test_a_stale_offer_means_that_nothing_was_started(mesos, engine):
    engine.ask("want", offers=True)
    engine.until_offered()
    with mesos.lock:
        mesos.leader.offers.clear()  # rescinded, and the word of it is on its way
        task = engine.launch(31000)
    engine.until(task, "gone")
    assert "no longer valid" in engine.messages[task]
    engine.run(31000, incarnation=1)


def test_rescinded_offers_are_not_offered_any_more(mesos, engine):
    engine.ask("want", offers=True)
    engine.until_offered()
    mesos.set(allocation=60)
    mesos.rescind()
    wait_until(lambda: engine.host("127.0.0.1")["memory"] == 0)
    refusal = engine.ask("launch", task={"id": "127.0.0.1:31000-rc-0", "host": "127.0.0.1", "port": 31000, "spec": "1c1g"})
    assert "nothing of 127.0.0.1 is on offer" in refusal["error"]


def test_kills_are_repeated(mesos, engine):
    task = engine.run(31000)
    agent = mesos.agents[0]
    taken = []
    agent.kill = lambda *_: taken.append(1)  # the executor is cut off just then
    engine.ask("kill", id=task)
    wait_until(lambda: len(taken) >= 2)
    del agent.kill
    engine.until(task, "stopped")


def test_unknown_tasks_are_told_of(mesos, engine):
    engine.until_offered()
    engine.ask("kill", id="127.0.0.1:31009-rc-0", host="127.0.0.1")
    engine.until("127.0.0.1:31009-rc-0", "lost", "gone")
    engine.ask("reconcile", tasks=[{"id": "127.0.0.1:31008-rc-0", "host": "127.0.0.1"}])
    engine.until("127.0.0.1:31008-rc-0", "gone")
    engine.ask("reconcile", tasks=[{"id": "10.9.9.9:31008-rc-0", "host": "10.9.9.9"}])
    engine.until("10.9.9.9:31008-rc-0", "lost")


def test_tasks_are_asked_about_now_and_then(mesos, tmp_path):
    with Engine(mesos, tmp_path, reconcile=200) as engine:
        task = engine.run(31000)
        wait_until(lambda: sum(any(one["task_id"]["value"] == task for one in call["reconcile"]["tasks"])
                               for call in calls(mesos, "RECONCILE")) >= 2)


def test_ends_when_it_is_told_to_though_nobody_answers(mesos, tmp_path):
    mesos.set(silent=True)
    with Engine(mesos, tmp_path) as engine:
        wait_until(lambda: "503" in engine.ask("trouble"))
    assert os.path.exists(engine.id_file) is False
