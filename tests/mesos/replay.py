"""Plays the recorded requests of a real scheduler and its executors to the fake, and compares what the fake answers, message by
message: status lines, texts of errors, events. Times, offers' pieces and ids do not count; ids are matched up as they appear.

Executors are no processes here: their recorded requests are played too.
"""

import collections
import http.client
import json
import pathlib
import re
import threading
import time

DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "mesos"
PASSED_OVER = {"OFFERS", "HEARTBEAT", "RESCIND"}  # their time is the master's own; looked at in test_mesos_fake.py
# Of no interest: times, and what a process brings with it.
IGNORED = {"timestamp", "uuid", "container_status", "container_id", "master_info", "unreachable_time", "executor_info",
           "framework_info", "agent_info", "task"}
HEADERS = ("Allow", "Location", "Transfer-Encoding", "Content-Type")


class Mismatch(AssertionError):
    pass


def entries():
    """Both recordings, in order of time."""
    found = []
    for name in ("scheduler", "executor"):
        for number, line in enumerate((DATA / f"{name}.jsonl").read_text().splitlines()):
            entry = json.loads(line)
            entry["of"], entry["line"] = name, number + 1
            found.append(entry)
    return sorted(found, key=lambda entry: entry["t"])


class Subscription:
    """A stream that is being read."""

    def __init__(self, connection, answer):
        self.connection = connection
        self.events = []
        self.ended = None  # "chunk", "cut"
        self.changed = threading.Condition()
        connection.sock.settimeout(None)
        self.thread = threading.Thread(target=self.read, args=(answer,), daemon=True)
        self.thread.start()

    def read(self, answer):
        kept = b""
        ended = "chunk"
        try:
            while True:
                some = answer.read1(65536)
                if not some:
                    break
                kept += some
                while b"\n" in kept:
                    length, rest = kept.split(b"\n", 1)
                    if len(rest) < int(length):
                        break
                    with self.changed:
                        self.events.append(json.loads(rest[: int(length)]))
                        self.changed.notify_all()
                    kept = rest[int(length):]
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            ended = "cut"
        with self.changed:
            self.ended = ended
            self.changed.notify_all()

    def close(self):
        sock = self.connection.sock
        if sock is not None:
            try:
                sock.shutdown(2)
            except OSError:
                pass


class Player:
    def __init__(self, fake, patience=5.0):
        self.fake = fake
        self.patience = patience
        self.ids = {"127.0.0.1:5050": fake.points_to(), "127.0.0.1:5150": fake.points_to()}  # recorded -> ours
        self.streams = {}  # name -> Subscription
        self.answers = {}  # stream name -> (status line, headers, body)
        self.offers = {}  # framework's name -> subscription that has them
        self.used = set()
        self.seen = set()  # uuids of updates
        self.played = collections.Counter()
        self.phase = ""

    # Ids.

    def ours(self, value):
        """A recorded value with our ids in it."""
        if isinstance(value, dict):
            return {key: self.ours(field) for key, field in value.items()}
        if isinstance(value, list):
            return [self.ours(item) for item in value]
        if isinstance(value, str) and value in self.ids:
            return self.ids[value]
        if isinstance(value, str):
            for recorded in sorted(self.ids, key=len, reverse=True):
                if recorded in value:
                    value = re.sub(rf"(?<![\w-]){re.escape(recorded)}(?![\w])", self.ids[recorded], value)
        return value

    def match(self, recorded, got, where):
        if isinstance(recorded, dict) and isinstance(got, dict):
            keys = (set(recorded) | set(got)) - IGNORED
            for key in sorted(keys):
                if (key in recorded) != (key in got):
                    raise Mismatch(f"{where}.{key}: {'missing' if key in recorded else 'not recorded'}: "
                                   f"{recorded.get(key, got.get(key))}")
                self.match(recorded[key], got[key], f"{where}.{key}")
        elif isinstance(recorded, list) and isinstance(got, list):
            if len(recorded) != len(got):
                raise Mismatch(f"{where}: {len(recorded)} recorded, {len(got)} here")
            for at, (one, other) in enumerate(zip(recorded, got)):
                self.match(one, other, f"{where}[{at}]")
        elif self.ours(recorded) != got:
            if where.endswith("framework_id.value") and recorded not in self.ids:
                self.ids[recorded] = got
                return
            if isinstance(recorded, str) and isinstance(got, str) and self.like(self.ours(recorded), got):
                return
            raise Mismatch(f"{where}: recorded {self.ours(recorded)!r}, here {got!r}")

    @staticmethod
    def like(recorded, got):
        """Texts that hold amounts, containers and dumps of messages of a real process."""
        for pattern in (r"Total resources .* required by task and its executor is more than available .*",
                        r"ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID\.\n-{60}\nExisting.*",
                        r"Failed to launch container: Failed to fetch all URIs for container '.*': exited with status 1"):
            if re.fullmatch(pattern, recorded, re.S) and re.fullmatch(pattern, got, re.S):
                return True
        return False

    # Requests.

    def offer_for(self, name, recorded, needed):
        """An offer of ours in place of a recorded one: the largest that is open, or the one that it already stands for. There
        the recorded master had more pieces, given back, ours may have none."""
        if recorded in self.ids or not re.search(r"-O\d+$", recorded):
            return
        def largest():
            if self.fake.agents[0].server is None:
                self.fake.find_agent(0)
            with self.fake.lock:
                for framework in self.fake.leader.frameworks.values():
                    if framework.info["name"].split("-")[0] != name:
                        continue
                    open_offers = [one for one in self.fake.leader.offers.values()
                                   if one.framework is framework and one.id not in self.used]
                    if open_offers:
                        return max(open_offers, key=lambda one: one.amount.mem).id
            return None
        found = self.wait(largest, f"an offer in place of {recorded}") if needed else largest()
        if found:
            self.ids[recorded] = found
            self.used.add(found)

    def wait(self, predicate, what):
        until = time.monotonic() + self.patience
        while True:
            found = predicate()
            if found:
                return found
            if time.monotonic() > until:
                raise Mismatch(f"not here: {what}")
            time.sleep(0.005)

    def learn_agents(self, recorded):
        """Agents of ours in place of recorded ones."""
        for text in re.findall(r"master\d+-S\d+", recorded):
            self.ids.setdefault(text, self.fake.agents[0].id)

    def request(self, entry):
        body = entry.get("body", "")
        text = body if isinstance(body, str) else json.dumps(body)
        self.learn_agents(text)
        name = entry["stream"].split()[0]
        if isinstance(body, dict):
            for part in ("accept", "decline"):
                for one in body.get(part, {}).get("offer_ids", []):
                    self.offer_for(name, one["value"], part == "accept" or bool(entry.get("note", "").startswith("refuse")))
            body = self.ours(body)
            text = json.dumps(body)
        method, path = entry.get("request_line", f"POST /api/v1/{entry['of']} HTTP/1.1").split()[:2]
        headers = {"Content-Type": "application/json", **entry.get("headers", {})}
        headers.pop("Connection", None)
        if entry.get("note") == "no Content-Type":
            del headers["Content-Type"]
        if entry.get("note") == "no Mesos-Stream-Id":
            headers.pop("Mesos-Stream-Id", None)
        if "Mesos-Stream-Id" in headers:
            headers["Mesos-Stream-Id"] = self.ids.get(headers["Mesos-Stream-Id"], headers["Mesos-Stream-Id"])
        door = self.fake.leader if entry["of"] == "scheduler" else self.fake.agents[0]
        if self.phase == "20b" or "nonleader" in entry["stream"] or "5151" in entry["stream"]:
            door = self.fake.masters[1]
        if entry["of"] == "executor":
            if door.server is None:
                self.fake.find_agent(0)
            self.wait(lambda: door.server is not None and door.executors, "an agent with executors")
        connection = http.client.HTTPConnection(*door.address, timeout=self.patience)
        connection.putrequest(method, path, skip_accept_encoding=True)
        for key, field in headers.items():
            connection.putheader(key, field)
        connection.putheader("Content-Length", str(len(text)))
        connection.endheaders(text.encode())
        answer = connection.getresponse()
        if answer.status == 200 and isinstance(body, dict) and body.get("type") == "SUBSCRIBE":
            self.answers[entry["stream"]] = (answer, "(streamed: see the events that follow)")
            self.streams[entry["stream"]] = Subscription(connection, answer)
        else:
            self.answers[entry["stream"]] = (answer, answer.read().decode())
            connection.close()

    def response(self, entry):
        answer, body = self.answers.pop(entry["stream"])
        line = f"HTTP/1.1 {answer.status} {answer.reason}"
        if line != entry["status_line"]:
            raise Mismatch(f"recorded {entry['status_line']} {entry['body']}, here {line} {body}")
        recorded = entry.get("headers", {})
        for name in HEADERS:
            if name in recorded and answer.headers.get(name) != self.ours(recorded[name]):
                raise Mismatch(f"header {name}: recorded {recorded[name]}, here {answer.headers.get(name)}")
        if "Mesos-Stream-Id" in recorded:
            self.ids[recorded["Mesos-Stream-Id"]] = answer.headers["Mesos-Stream-Id"]
        self.match(entry["body"], body, "body")

    # Events.

    def event(self, entry):
        body = entry["body"]
        if not isinstance(body, dict) or body["type"] in PASSED_OVER:
            return
        self.played[body["type"]] += 1
        self.learn_agents(json.dumps(body))
        stream = self.streams[entry["stream"]]
        problems = []
        update = body.get("update", {}).get("status", {}).get("uuid")
        if self.phase == "11b" and self.ids.get(update) in self.seen:
            return  # the agent that came back said it twice within a moment, as it may

        def found():
            del problems[:]
            for at, event in enumerate(stream.events):
                if event["type"] in PASSED_OVER:
                    continue
                kept = dict(self.ids)
                try:
                    self.match(body, event, body["type"])
                except Mismatch as mismatch:
                    self.ids = kept
                    problems.append(str(mismatch))
                    continue
                del stream.events[at]
                update_id = body.get("update", {}).get("status", {}).get("uuid")
                if update_id is not None:
                    self.ids[update_id] = event["update"]["status"]["uuid"]
                    self.seen.add(self.ids[update_id])
                return True
            return False

        with stream.changed:
            if not stream.changed.wait_for(found, self.patience):
                raise Mismatch(f"no such event: {json.dumps(self.ours(body))[:400]}\n  " + "\n  ".join(problems))

    def subscribed(self, name):
        with self.fake.lock:
            return self.fake.leader and any(one.stream is not None for one in self.fake.leader.frameworks.values()
                       if one.info["name"].split("-")[0] == name)

    def close(self, entry):
        stream = self.streams[entry["stream"]]
        how = "chunk" if "terminating 0-length chunk" in entry["note"] else "cut"
        if how == "cut" and entry["of"] == "scheduler" and "peer closed" in entry["note"] and not stream.ended:
            stream.close()  # the recorded scheduler broke it itself
            self.wait(lambda: not self.subscribed(entry["stream"].split()[0]), "the fake knows that the stream is broken")
        if "Bad file descriptor" in entry["note"]:  # and so did the recorded executor
            stream.close()
            executor = entry["stream"].split("@")[0]
            self.wait(lambda: all(one.stream is None for one in self.fake.agents[0].executors.values() if one.id == executor),
                      "the fake knows that the stream is broken")
        with stream.changed:
            if not stream.changed.wait_for(lambda: stream.ended, self.patience):
                raise Mismatch("the stream goes on")
        if how == "chunk" and stream.ended != "chunk":
            raise Mismatch(f"the stream ended by {stream.ended}")

    def leftovers(self):
        """Events that nobody recorded. An update that is sent once more is none: how often depends on the machine."""
        return [f"{name}: {json.dumps(event)[:300]}" for name, stream in self.streams.items() for event in stream.events
                if event["type"] not in PASSED_OVER
                and event.get("update", {}).get("status", {}).get("uuid") not in self.seen]

    # What happened to the recorded processes, done to the fake at the moment at which it was seen.

    def hurt(self, entry):
        body = entry.get("body")
        status = body.get("update", {}).get("status", {}) if isinstance(body, dict) else {}
        agent = self.fake.agents[0]
        if entry["kind"] == "note" and entry["note"].startswith("kill -9 executor"):
            self.fake.kill_executor("e1", 137 << 8)
        elif entry["kind"] == "exit":
            code = int(re.search(r"exit (\d+)", entry["note"])[1])
            self.fake.kill_executor(entry["stream"].split("@")[0], code << 8)
        elif entry["kind"] == "event" and status.get("reason") == "REASON_CONTAINER_LAUNCH_FAILED" or (
                entry["kind"] == "event" and body["type"] == "FAILURE" and body["failure"].get("status") == 256):
            with self.fake.lock:
                for one in list(agent.executors.values()):
                    if one.id == "e3":
                        agent.ended(one, 256, "REASON_CONTAINER_LAUNCH_FAILED", "Failed to launch container: Failed to fetch "
                                    f"all URIs for container '{one.container}': exited with status 1")
        elif entry["kind"] == "event" and self.phase == "31" and body["type"] == "FAILURE":
            with self.fake.lock:
                executor = next(iter(agent.executors.values()))
                agent.ended(executor, 9, "REASON_EXECUTOR_REGISTRATION_TIMEOUT", "Executor did not register within 5secs")
        elif entry["kind"] == "event" and body["type"] == "FAILURE" and body["failure"].get("status") == 768:
            self.fake.kill_executor("e4", 3 << 8)
        elif entry["kind"] == "close" and entry["of"] == "executor" and "peer closed" in entry["note"]:
            if agent.server is not None:
                self.fake.lose_agent(0)
        elif status.get("reason") == "REASON_AGENT_REMOVED" and entry["dir"] == "recv":
            if "the agent unregistered" not in status["message"]:
                self.fake.time_out_agent(0)
            elif agent.active:
                self.fake.unregister_agent(0)
        elif entry["kind"] == "event" and body["type"] == "SHUTDOWN" and self.phase in ("12c", "15") and agent.active:
            self.fake.unregister_agent(0)
        elif status.get("reason") == "REASON_AGENT_REREGISTERED":
            if agent.server is None:
                self.fake.find_agent(0)
            elif not agent.active:
                self.fake.return_agents()
        elif entry["kind"] == "close" and self.phase == "11c" and entry["of"] == "scheduler":
            self.fake.fail_over(agents=False)
        elif entry["kind"] == "close" and self.phase == "20b" and entry["stream"] == "zk sub-1":
            self.fake.kill_leader()
        elif entry["kind"] == "request" and entry["stream"] == "zk sub-7":  # ZooKeeper has noticed
            self.fake.elect(1)

    def play(self, entry):
        if entry["kind"] == "phase":
            self.phase = entry["note"].split(":")[0]
        self.hurt(entry)
        deed = {"request": self.request, "response": self.response, "event": self.event, "close": self.close}
        if entry["kind"] not in deed:
            return
        try:
            deed[entry["kind"]](entry)
        except Mismatch as mismatch:
            raise Mismatch(f"{entry['of']}.jsonl:{entry['line']} {entry['stream']} {entry['kind']} "
                           f"{entry.get('note', '')}: {mismatch}") from None
        except KeyError as missing:
            raise Mismatch(f"{entry['of']}.jsonl:{entry['line']} {entry['stream']}: unknown {missing}") from None
        self.played[entry["kind"]] += 1

    def stop(self):
        for stream in self.streams.values():
            stream.close()
