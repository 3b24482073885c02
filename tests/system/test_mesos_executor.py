"""The executor's side of Mesos: the agent begins anew, hears nothing, ends us."""

import pytest
from harness import wait_until
from mesos_tools import EXECUTOR, Door, Engine, Fake, Refused, calls, ended, pids, replay, sandbox_text

NODE = "127.0.0.1:31000"


@pytest.fixture
def mesos(tmp_path):
    with Fake(folder=tmp_path / "mesos") as made:
        made.set(speed=0.05, executor_away=10)
        yield made


@pytest.fixture
def engine(mesos, tmp_path):
    with Engine(mesos, tmp_path) as made:
        yield made


def executor_calls(mesos, kind):
    with mesos.lock:
        return [call for call in mesos.executor_calls if call["type"] == kind]


def test_survives_its_agent(mesos, engine):
    task = engine.run(31000)
    pid = pids(mesos)[NODE]
    mesos.lose_agent(0)
    mesos.find_agent(0)
    wait_until(lambda: len(executor_calls(mesos, "SUBSCRIBE")) == 2)
    assert pids(mesos)[NODE] == pid
    assert executor_calls(mesos, "SUBSCRIBE")[-1]["subscribe"] == {"unacknowledged_tasks": [], "unacknowledged_updates": []}
    wait_until(lambda: "ok" in engine.ask("message", id=task, executor=NODE, data="say sick") and engine.state(task) == "sick")
    engine.ask("kill", id=task)
    engine.until(task, "stopped")


def test_says_what_happened_while_the_agent_was_away(mesos, engine):
    task = engine.run(31000)
    engine.ask("message", id=task, executor=NODE, data="say pause,finished")
    wait_until(lambda: calls(mesos, "MESSAGE"))
    mesos.lose_agent(0)
    mesos.find_agent(0)
    engine.until(task, "stopped")
    again = executor_calls(mesos, "SUBSCRIBE")[-1]["subscribe"]["unacknowledged_updates"]
    assert [update["status"]["state"] for update in again] == ["TASK_FINISHED"]
    ended(mesos, NODE)


def test_comes_back_when_its_stream_breaks(mesos, engine):
    task = engine.run(31000)
    mesos.cut_executor(NODE)
    wait_until(lambda: len(executor_calls(mesos, "SUBSCRIBE")) == 2)
    engine.ask("kill", id=task)
    engine.until(task, "stopped")


def test_tells_of_tasks_that_the_agent_may_not_know(mesos, engine):
    engine.ask("want", offers=True)
    task = engine.launch(31000, play="deaf")  # and says nothing of it
    wait_until(lambda: NODE in pids(mesos) and executor_calls(mesos, "SUBSCRIBE"))
    wait_until(lambda: mesos.agents[0].executors and next(iter(mesos.agents[0].executors.values())).told == {task})
    mesos.cut_executor(NODE)
    wait_until(lambda: len(executor_calls(mesos, "SUBSCRIBE")) == 2)
    told = executor_calls(mesos, "SUBSCRIBE")[-1]["subscribe"]["unacknowledged_tasks"]
    assert [one["task_id"]["value"] for one in told] == [task] and told[0]["executor"]["executor_id"]["value"] == NODE


def test_ends_with_its_agent_where_nobody_would_know_it(mesos, tmp_path):
    with Engine(mesos, tmp_path, checkpoint=False) as engine:
        task = engine.run(31000)
        mesos.lose_agent(0)
        engine.until(task, "lost")
        wait_until(lambda: "end 2" in sandbox_text(mesos, "stdout"))
        ended(mesos, NODE)


def test_gives_up_when_the_agent_stays_away(mesos, engine):
    mesos.set(recovery_timeout="300ms")
    engine.run(31000)
    mesos.lose_agent(0)
    wait_until(lambda: "end 2" in sandbox_text(mesos, "stdout"))
    ended(mesos, NODE)


def test_gives_up_when_the_agent_does_not_know_it(mesos, engine):
    engine.run(31000)
    mesos.lose_agent(0)
    with mesos.lock:
        mesos.agents[0].executors.clear()  # as when its work_dir is lost
    mesos.find_agent(0)
    wait_until(lambda: "end 2 SUBSCRIBE is answered with status 400" in sandbox_text(mesos, "stdout"))


def test_updates_are_sent_until_they_are_acknowledged(mesos, engine):
    mesos.set(deaf=True)
    task = engine.run(31000)

    def sent():
        return [call["update"]["status"]["uuid"] for call in executor_calls(mesos, "UPDATE")]

    wait_until(lambda: len(sent()) >= 4)
    assert len(set(sent())) == 2
    mesos.set(deaf=False)
    engine.ask("kill", id=task)
    engine.until(task, "stopped")
    ended(mesos, NODE)
    assert "0 updates are not acknowledged" in sandbox_text(mesos, "stdout")


def test_is_shut_down(mesos, engine):
    task = engine.run(31000)
    agent = mesos.agents[0]
    mesos.set(speed=1)  # it is not killed before it has ended by itself
    with mesos.lock:
        agent.shutdown(engine.framework_id(), NODE)
    engine.until(task, "stopped")
    assert "shut down" in engine.messages[task]
    ended(mesos, NODE)
    assert "end 0" in sandbox_text(mesos, "stdout")


def test_a_task_that_cannot_be_read_has_failed(mesos, engine):
    engine.ask("want", offers=True)
    engine.until_offered()
    agent = mesos.agents[0]
    launch = agent.launch
    agent.launch = lambda framework, task: launch(framework, {**task, "data": "e30="})
    task = engine.launch(31000)
    engine.until(task, "failed")
    assert "cannot be read" in engine.messages[task]


def test_messages_go_both_ways(mesos, engine):
    task = engine.run(31000)
    assert "ok" in engine.ask("message", id=task, executor=NODE, data="hello")
    wait_until(lambda: "message of 127.0.0.1:31000: echo:hello" in open(engine.log.name).read())


def test_its_environment_is_as_recorded(mesos, tmp_path):
    recorded = next(entry["body"] for entry in replay.entries() if entry["kind"] == "environment")
    with Engine(mesos, tmp_path, executor_url="", executor_command="env > environment") as engine:
        engine.ask("want", offers=True)
        engine.until(engine.launch(31000), "failed")
    ours = dict(line.split("=", 1) for line in sandbox_text(mesos, "environment").splitlines())
    names = set(recorded) - {"GREETING", "PROBE"}
    assert names <= set(ours) and set(ours) - names <= {"PATH", "PWD", "OLDPWD", "SHLVL", "_"}
    for name in ("MESOS_CHECKPOINT", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "MESOS_HTTP_COMMAND_EXECUTOR", "LIBPROCESS_PORT"):
        assert ours[name] == recorded[name]
    assert ours["MESOS_EXECUTOR_ID"] == NODE and ours["PWD"] == ours["MESOS_SANDBOX"]


class Files(Door):
    """A file server with the executor."""

    def handle(self, request, body):
        if request.path != f"/files/{EXECUTOR.name}":
            raise Refused(404, "no such file")
        return 200, EXECUTOR.read_bytes()


def test_is_fetched(mesos, tmp_path):
    files = Files("127.0.0.1")
    files.open()
    try:
        url = f"http://127.0.0.1:{files.port}/files/"
        with Engine(mesos, tmp_path, executor_url=url + EXECUTOR.name) as engine:
            engine.run(31000)
        with Engine(mesos, tmp_path, name="other", executor_url=url + "nothing") as engine:
            engine.ask("want", offers=True)
            task = engine.launch(31001)
            engine.until(task, "failed")
            assert "Failed to fetch all URIs" in engine.messages[task]
    finally:
        files.close()
