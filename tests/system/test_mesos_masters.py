"""The Mesos engine and masters that do not lead, die, begin anew, say nothing, or ask who we are."""

import pytest
from harness import wait_until
from mesos_tools import Engine, Fake, calls, pids


@pytest.fixture
def mesos(tmp_path):
    with Fake(masters=2, folder=tmp_path / "mesos") as made:
        made.set(speed=0.05)
        yield made


def address(master):
    return f"127.0.0.1:{master.port}"


def test_follows_to_the_leader(mesos, tmp_path):
    with Engine(mesos, tmp_path, masters=[address(mesos.masters[1])]) as engine:
        engine.run(31000)
        assert engine.ask("trouble") == ""


def test_another_master_takes_over(mesos, tmp_path):
    with Engine(mesos, tmp_path) as engine:
        task = engine.run(31000)
        pid = pids(mesos)["127.0.0.1:31000"]
        framework = engine.framework_id()
        before = len(calls(mesos, "SUBSCRIBE"))
        mesos.fail_over(to=1)
        wait_until(lambda: len(calls(mesos, "SUBSCRIBE")) > before)
        engine.until_settled()
        engine.until(task, "running")
        assert engine.framework_id() == framework and pids(mesos)["127.0.0.1:31000"] == pid
        engine.ask("kill", id=task)
        engine.until(task, "stopped")


def test_a_follower_may_point_to_the_dead(mesos, tmp_path):
    with Engine(mesos, tmp_path) as engine:
        task = engine.run(31000)
        mesos.kill_leader()
        wait_until(lambda: address(mesos.masters[0]) in engine.ask("trouble"), what="its trouble")
        mesos.elect(1)
        engine.until_settled()
        engine.until(task, "running")


def test_what_a_new_master_does_not_know_yet_is_not_gone(mesos, tmp_path):
    with Engine(mesos, tmp_path) as engine:
        task = engine.run(31000)
        mesos.fail_over(agents=False)
        wait_until(lambda: engine.ask("trouble") == "" and "lost" in engine.look()[task])
        mesos.return_agents()
        engine.until(task, "running")
        assert "gone" not in engine.states[task]


def test_no_answer_is_no_answer(mesos, tmp_path):
    """A master with a registry says nothing of agents that have not come back."""
    with Engine(mesos, tmp_path) as engine:
        task = engine.run(31000)
        asked = len(calls(mesos, "RECONCILE"))
        mesos.fail_over(registry=True, agents=False)
        wait_until(lambda: len(calls(mesos, "RECONCILE")) >= asked + 4, what="it is asked again and again")
        assert not engine.ask("settled")
        assert engine.state(task) == "running"
        mesos.return_agents()
        engine.until_settled()
        assert engine.state(task) == "running"


def test_heartbeats_are_missed(mesos, tmp_path):
    mesos.set(heartbeat=0.1)
    with Engine(mesos, tmp_path) as engine:
        engine.until_settled()
        subscribed = len(calls(mesos, "SUBSCRIBE"))
        mesos.set(mute=True)
        wait_until(lambda: len(calls(mesos, "SUBSCRIBE")) > subscribed)
        mesos.set(mute=False)
        engine.until_settled()


def test_waits_for_a_master_that_recovers(mesos, tmp_path):
    mesos.set(silent=True)
    with Engine(mesos, tmp_path) as engine:
        wait_until(lambda: "has not finished recovery" in engine.ask("trouble"))
        mesos.set(silent=False)
        engine.run(31000)


def test_says_who_it_is(mesos, tmp_path):
    mesos.password("overlord", "s3cret")
    with Engine(mesos, tmp_path / "wrong", principal="overlord", secret="wrong") as engine:
        wait_until(lambda: "the principal or its secret is wrong" in engine.ask("trouble"))
    with Engine(mesos, tmp_path, principal="overlord", secret="s3cret") as engine:
        engine.run(31000)
    assert calls(mesos, "SUBSCRIBE")[-1]["subscribe"]["framework_info"]["principal"] == "overlord"


def test_a_refusal_is_told(mesos, tmp_path):
    with Engine(mesos, tmp_path, roles=["bad/../role"]) as engine:
        wait_until(lambda: "invalid role" in engine.ask("trouble"))
        assert "invalid role" in engine.ask("launch", task={"id": "127.0.0.1:1-a-0", "host": "127.0.0.1", "port": 1,
                                                            "spec": "1c1g"})["error"]


def test_does_not_subscribe_before_it_knows_who_it_was(mesos, tmp_path):
    (tmp_path / "framework").write_text("unreadable\n")
    with Engine(mesos, tmp_path) as engine:
        wait_until(lambda: "the store is away" in engine.ask("trouble"))
        assert calls(mesos, "SUBSCRIBE") == []
        (tmp_path / "framework").write_text("")
        engine.run(31000)


def test_runs_nothing_before_its_id_is_stored(mesos, tmp_path):
    (tmp_path / "framework").mkdir()  # cannot be written
    with Engine(mesos, tmp_path) as engine:
        engine.ask("want", offers=True)
        wait_until(lambda: "cannot be stored" in engine.ask("trouble"))
        engine.until_offered()
        refusal = engine.ask("launch", task={"id": "127.0.0.1:31000-rc-0", "host": "127.0.0.1", "port": 31000, "spec": "1c1g"})
        assert "not stored yet" in refusal["error"]
        (tmp_path / "framework").rmdir()
        engine.run(31000)
        assert engine.framework_id()
