"""A Redis Cluster of real servers: masters with slots spread evenly, and replicas, up in about two seconds.

Every node starts with a nodes.conf that knows all the others, so nothing has to meet.
"""

import binascii
import subprocess
import threading

import harness
from clients import RedisConn, RedisError
from harness import SCALE, wait_until

SLOTS = 16384


def slot_of(key):
    if isinstance(key, str):
        key = key.encode()
    start = key.find(b"{")
    if start >= 0:
        stop = key.find(b"}", start + 1)
        if stop > start + 1:
            key = key[start + 1:stop]
    return binascii.crc_hqx(key, 0) % SLOTS


def key_in(slot, start=0):
    """A key of the slot, as a hash tag: other keys with the same tag are in it too."""
    n = start
    while True:
        tag = b"{%d}" % n
        if slot_of(tag) == slot:
            return tag
        n += 1


def keys_in(first, last, count, prefix=b"key"):
    """`count` keys whose slots are first to last."""
    found, n = [], 0
    while len(found) < count:
        key = b"%s:%d" % (prefix, n)
        if first <= slot_of(key) <= last:
            found.append(key)
        n += 1
    return found


class Node(harness.Redis):
    """One server; it starts only when it knows the others."""

    def __init__(self, number, options):
        self.number = number
        self.id = f"{number + 1:040x}"
        self.bus = harness.free_port()
        super().__init__(options=options)

    def start(self):
        if not self.port:  # the first call, from the constructor: only choose a port
            self.port = harness.free_port()
            return self
        return super().start()

    def argv(self):
        return [*super().argv(), "--cluster-enabled", "yes", "--cluster-port", str(self.bus)]

    def connect(self):
        return RedisConn(self.address)

    def ask(self, *args):
        with self.connect() as client:
            return client.cmd(*args)

    def ok(self, *args):
        got = self.ask(*args)
        assert got == "OK", (args, got)


class RedisCluster:
    def __init__(self, masters=3, replicas=1, slots=None, options=(), start=True, node=Node):
        """slots: of each master a (first, last); together all 16384 unless the test wants a hole."""
        self.timeout = int(1000 * min(SCALE, 4))
        base = ["--cluster-node-timeout", str(self.timeout), "--cluster-replica-validity-factor", "0",
                "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", *options]
        self.nodes = [node(n, base) for n in range(masters * (1 + replicas))]
        self.masters = self.nodes[:masters]
        self.replicas = self.nodes[masters:]
        if slots is None:
            edges = [SLOTS * i // masters for i in range(masters + 1)]
            slots = [(edges[i], edges[i + 1] - 1) for i in range(masters)]
        self.slots = slots
        for node in self.nodes:
            (node.folder / "nodes.conf").write_text(self._config(node))
        if start:
            self.start()

    def start(self):
        for node in self.nodes:
            node.start()
        wait_until(self._formed, 30, "the cluster to form")

    def master_of(self, replica):
        return self.masters[(replica.number - len(self.masters)) % len(self.masters)]

    def replica_of(self, master):
        return next(r for r in self.replicas if self.master_of(r) is master)

    def _config(self, me):
        lines = []
        for node in self.nodes:
            myself = "myself," if node is me else ""
            place = f"{node.id} {node.host}:{node.port}@{node.bus}"
            if node in self.masters:
                first, last = self.slots[node.number]
                span = f" {first}-{last}" if last >= first else ""
                lines.append(f"{place} {myself}master - 0 0 {node.number + 1} connected{span}")
            else:
                master = self.master_of(node)
                lines.append(f"{place} {myself}slave {master.id} 0 0 {master.number + 1} connected")
        return "\n".join(lines) + f"\nvars currentEpoch {len(self.nodes)} lastVoteEpoch 0\n"

    def _formed(self):
        for node in self.nodes:
            info = node.ask("CLUSTER", "INFO")
            if isinstance(info, RedisError) or (b"cluster_state:ok" not in info and self._whole()):
                return False
            role = node.ask("ROLE")
            if node in self.replicas and (isinstance(role, RedisError) or role[3] != b"connected"):
                return False
        return True

    def _whole(self):
        return sum(max(0, last - first + 1) for first, last in self.slots) == SLOTS

    @property
    def seeds(self):
        return [f"{n.host}:{n.port}" for n in self.nodes]

    def owner(self, slot):
        """The master that has the slot by the word of most nodes."""
        votes = {}
        for node in self.nodes:
            if not node.alive():
                continue
            for entry in node.ask("CLUSTER", "SLOTS"):
                if entry[0] <= slot <= entry[1]:
                    votes[entry[2][1]] = votes.get(entry[2][1], 0) + 1
        port = max(votes, key=votes.get)
        return next(n for n in self.nodes if n.port == port)

    def cli(self, *args, timeout=60):
        """redis-cli --cluster ... against this cluster."""
        return subprocess.run(["redis-cli", "--cluster", *map(str, args)], capture_output=True, text=True,
                              timeout=timeout * SCALE, stdin=subprocess.DEVNULL)

    def wait_agreed(self):
        """Until all nodes that are alive tell the same, and know the same epoch: a node takes the next one that it knows
        of when it claims a slot, and when two have taken the same, some node may believe the wrong one for good."""

        def agreed():
            views = {str(sorted((e[0], e[1], e[2][1]) for e in node.ask("CLUSTER", "SLOTS")))
                     for node in self.nodes if node.alive()}
            return len(views) == 1 and self._one_epoch()

        try:
            wait_until(agreed, 20, "the nodes to agree")
        except harness.Failed as failure:
            raise harness.Failed(f"{failure}\n{self.describe()}") from None

    def describe(self):
        """What each node says of the others and of the slots on the move, for a test that failed."""
        return "\n".join(f"node {node.number} ({node.address}) says:\n{node.ask('CLUSTER', 'NODES').decode()}"
                         for node in self.nodes if node.alive())

    # A slot by hand, so that a test can stop half-way.
    def begin_move(self, slot, source, target):
        target.ok("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ok("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)

    def move_keys(self, source, target, *keys):
        answer = source.ask("MIGRATE", target.host, target.port, "", 0, 5000, "KEYS", *keys)
        assert answer == "OK", answer

    def end_move(self, slot, target):
        others = [m for m in self.masters if m is not target and m.alive()]
        for node in others:  # keys of other tests: a source does not let go of a slot that it has keys in
            rest = node.ask("CLUSTER", "GETKEYSINSLOT", slot, 1000)
            if rest:
                self.move_keys(node, target, *rest)
        wait_until(self._one_epoch, 20, "the nodes to agree on the epoch")
        # Without the highest epoch its claim loses against what others last heard: they would even talk it out of it.
        target.ask("CLUSTER", "BUMPEPOCH")
        for node in [target, *others]:
            node.ok("CLUSTER", "SETSLOT", slot, "NODE", target.id)

    def _one_epoch(self):
        return len({line for node in self.nodes if node.alive()
                    for line in node.ask("CLUSTER", "INFO").decode().splitlines()
                    if line.startswith("cluster_current_epoch:")}) == 1

    def stats(self, what="cluster"):
        """How often the nodes were asked `what` (a command, or the subcommands of a container)."""
        calls = 0
        for node in self.nodes:
            if not node.alive():
                continue
            for line in node.ask("INFO", "commandstats").decode().splitlines():
                if line.startswith(f"cmdstat_{what}"):
                    calls += int(line.split("calls=")[1].split(",")[0])
        return calls

    def kill_now(self):
        for node in self.nodes:
            node.kill_now()

    close = kill_now


class Load:
    """Clients that check every answer, until stop(). Each has keys of its own.

    A key must hold what was acknowledged last, or what a command since then that got an error has written.
    forgive: errors are counted only, and a key may hold any value that was acknowledged: a master that dies takes
    with it what its replica had not yet got.
    after: a Load that has ended, of the same keys and as many threads. What it has left is what the keys hold at first,
    and what they may hold again when writes are lost; replicated() makes sure that nothing older can come back.
    """

    def __init__(self, address, names, threads, forgive=False, after=None):
        self.address, self.forgive = address, forgive
        self.stopping = threading.Event()
        self.problems, self.errors = [], []
        self.done = [0] * threads
        self.acknowledged = [dict(model) for model in after.acknowledged] if after else [{} for _ in range(threads)]
        self.threads = [threading.Thread(target=self._guard, args=(n, names[n::threads])) for n in range(threads)]
        for thread in self.threads:
            thread.start()

    def _guard(self, number, names):
        try:
            with RedisConn(self.address) as client:
                self._run(client, number, names)
        except Exception as failure:  # noqa: BLE001 - reported by stop()
            self.problems.append(f"client {number}: {failure!r}")

    def _run(self, client, number, names):
        model = self.acknowledged[number]  # key: what it may be; more than one after an error
        count = 0
        while not self.stopping.is_set():
            count += 1
            batch = [names[(count * 7 + i) % len(names)] for i in range(1 if count % 2 else 16)]
            commands = []
            for i, key in enumerate(batch):
                commands += [("SET", key, b"%s=%d.%d" % (key, count, i)), ("GET", key)]
            self._judge(commands, client.pipeline(commands), model)
            if count % 5 == 0:
                some = names[:10]
                got = client.cmd("MGET", *some)
                if isinstance(got, RedisError):
                    self._error(("MGET",), got)
                else:
                    for key, value in zip(some, got):
                        self._check(key, value, model)
            self.done[number] += len(commands)

    def _judge(self, commands, answers, model):
        for command, answer in zip(commands, answers):
            key = command[1]
            if isinstance(answer, RedisError):
                self._error(command, answer)
                if command[0] == "SET":
                    model[key] = model.get(key, {None}) | {command[2]}
            elif command[0] == "SET":
                if answer != "OK":
                    self.problems.append(f"{command} -> {answer}")
                model[key] = {command[2]} | (model.get(key, {None}) if self.forgive else set())
            else:
                self._check(key, answer, model)

    def _check(self, key, value, model):
        if value not in model.get(key, {None}):
            self.problems.append(f"{key} is {value}, should be {model.get(key)}")

    def _error(self, command, answer):
        self.errors.append(answer)
        if not self.forgive:
            self.problems.append(f"{command} -> {answer}")

    def clean(self, more):
        """Waits for so many requests without an error among them."""

        def quiet():
            errors, start = len(self.errors), self.total()
            wait_until(lambda: self.problems or len(self.errors) > errors or self.total() >= start + more, 30)
            return self.problems or len(self.errors) == errors

        wait_until(quiet, 30, f"{more} requests without an error, last {self.errors[-3:]}")

    def replicated(self):
        """Waits until the replicas have all that was written."""
        with RedisConn(self.address) as client:
            wait_until(lambda: client.cmd("WAIT", 1, 1000) == 1, 30, "the replicas to be in step")

    def total(self):
        return sum(self.done)

    def progress(self, more):
        start = self.total()
        wait_until(lambda: self.problems or self.total() >= start + more, 30, f"{more} requests")

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        assert not self.problems, "\n".join(self.problems[:20])


def cluster_of(servers, **keys):
    """A [[clusters]] table with these seeds."""
    return harness.Cluster("redis_cluster", servers, **keys)
