"""Clients that press and check every reply against a model, until stop().

A client has keys of its own on every backend and values that nobody else writes (key, client, counter), so a reply that
belongs to another client, another key or another time is seen. The model of a key is the set of what it may hold:

* after an acknowledged write: that value alone, whatever happens to other keys;
* after a write that failed without having been sent ("backend is down"): what it was;
* after a write that failed otherwise: what it was, or the new value; until the next acknowledged write;
* with a backend that was killed and kept nothing: also nothing, on that backend's keys;
* where a replica may take over (`forgiven`): also what it held before, but nothing from before load.forgiven was set, when
  the replica had everything. What Redis Cluster acknowledges before the replica has it, it may lose.

Errors count as wrong, too, unless they are `allowed`: of those backends, with those texts.
"""

import contextlib
import re
import socket
import threading
import time

from clients import Closed, McConn, RedisConn, RedisError, resp
from harness import SCALE, Failed, wait_until

PATIENCE = 12  # seconds without an answer, scaled by the harness: the client hangs
NOT_SENT = re.compile("backend is down|queue is full|no backend is available|CLUSTERDOWN|TRYAGAIN")
# What a server under the proxy would say of itself, and what no client may see of the machines behind.
SECRET = re.compile(r"127\.0\.0\.|/tmp/")


class Redis:
    """Operations as bytes, and their answers: (value, None) or (None, error text)."""

    def __init__(self, address):
        self.conn = RedisConn(address, timeout=PATIENCE)

    def encode(self, op):
        what, key, value = op
        if what == "many":
            return resp("MGET", *key)
        if what == "set":
            return resp("SET", key, value)
        return resp({"get": "GET", "incr": "INCR", "echo": "ECHO"}[what], key)

    def take(self, op):
        got = self.conn.reply()
        if isinstance(got, RedisError):
            if not got.startswith(("ERR ", "CLUSTERDOWN ", "TRYAGAIN ")):
                raise Failed(f"{op[:2]} -> no error of the protocol: {got!r}")
            return None, str(got)
        if op[0] == "set":
            return got == "OK", None
        return (b"%d" % got if isinstance(got, int) else got), None


class Memcache:
    def __init__(self, address):
        self.conn = McConn(address, timeout=PATIENCE)

    def encode(self, op):
        what, key, value = op
        if what == "many":
            return b"get " + b" ".join(key) + b"\r\n"
        if what == "set":
            return b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value)
        if what == "mg":
            return b"mg %s v O%s\r\n" % (key, value)
        return {"get": b"get %s\r\n", "incr": b"incr %s 1\r\n"}[what] % key

    def take(self, op):
        what, key = op[0], op[1]
        found = {}
        while True:
            line = self.conn.line()
            if line.startswith(b"SERVER_ERROR "):
                return None, line.decode().strip()
            if what == "set":
                return line == b"STORED\r\n", None
            if what == "incr":
                return (None if line == b"NOT_FOUND\r\n" else line.strip()), None
            if what == "mg":
                return self.meta(op, line), None
            if line == b"END\r\n":
                break
            words = line.split()
            if not line.startswith(b"VALUE ") or len(words) != 4:
                raise Failed(f"{op[:2]} -> {line!r}")
            data = self.conn.exact(int(words[3]) + 2)
            if data[-2:] != b"\r\n" or words[1] in found:
                raise Failed(f"{op[:2]} -> {line!r} {data[-20:]!r}")
            found[words[1]] = data[:-2]
        keys = key if what == "many" else [key]
        if not set(found) <= set(keys):
            raise Failed(f"{keys} -> {sorted(found)}")
        values = [found.get(k) for k in keys]
        return (values if what == "many" else values[0]), None

    def meta(self, op, line):
        words = line.split()
        if words == [b"EN", b"O" + op[2]]:
            return None
        if words[0] != b"VA" or words[2:] != [b"O" + op[2]]:
            raise Failed(f"{op} -> {line!r}")
        return self.conn.exact(int(words[1]) + 2)[:-2]


WIRES = {"redis": Redis, "memcache": Memcache, "redis_cluster": Redis}


class Client(threading.Thread):
    KEYS_PER_NODE = 6

    def __init__(self, load, number):
        super().__init__(daemon=True)
        self.load, self.number = load, number
        self.depth = (1, 16, 5)[number % 3]
        self.count = 0
        self.model, self.node = {}, {}
        self.keys, self.counters = [], []
        prefix = b"c%d." % number
        have = [0] * load.nodes
        n = 0
        while min(have) < self.KEYS_PER_NODE:
            key = prefix + b"%d" % n
            n += 1
            node = load.node_of(key)
            if have[node] < self.KEYS_PER_NODE:
                have[node] += 1
                self.node[key] = node
                self.model[key] = {None}
                (self.counters if have[node] == 1 else self.keys).append(key)
        self.mixed = [k for pair in zip(self.keys[::2], reversed(self.keys)) for k in pair]
        self.calm = [0] * load.nodes  # good answers of each backend since its last error
        self.answered = 0
        self.passes = 0  # of `sweep`
        self.since = None
        self.resting = False

    def run(self):
        try:
            self.wire = WIRES[self.load.kind](self.load.address)
            seen = self.load.generation
            while not self.load.stopping.is_set():
                if self.load.generation != seen:
                    seen = self.load.generation
                    self.sweep()
                if self.load.rest.is_set():
                    self.resting = True
                    time.sleep(0.01)
                    continue
                self.resting = False
                if not self.batch(self.plan()):
                    time.sleep(0.003)  # as clients do after an error
            self.wire.conn.close()
        except (TimeoutError, socket.timeout):
            self.load.problem(f"client {self.number} hangs: no answer for {PATIENCE * SCALE:.0f} s")
        except Closed as end:
            self.load.problem(f"client {self.number} was closed after {end.data[:100]!r}")
        except Exception as failure:  # noqa: BLE001 - reported
            self.load.problem(f"client {self.number}: {failure!r}")

    def value(self, key):
        text = b"%s=%d.%d" % (key, self.number, self.count)
        return text + b"~" * 6000 if self.load.big and self.count % 40 == 0 else text

    def plan(self):
        ops = []
        for _ in range(self.depth):
            self.count += 1
            key = self.mixed[self.count * 7 % len(self.mixed)]
            turn = self.count % 8
            if turn in (0, 1, 2):
                ops.append(("set", key, self.value(key)))
            elif turn == 3:
                ops.append(("incr", self.counters[self.count // 8 % len(self.counters)], None))
            elif turn == 4:
                start = self.count // 8 % len(self.mixed)
                some = list(dict.fromkeys(self.mixed[(start + i) % len(self.mixed)] for i in range(5)))
                ops.append(("many", some, None))
            elif turn == 5:
                token = b"%d:%d" % (self.number, self.count)
                ops.append(("mg", key, token) if self.load.kind == "memcache" else ("echo", token, None))
            else:
                ops.append(("get", key, None))
        return ops

    def batch(self, ops):
        """Sends all, then checks all. Whether none was answered with an error."""
        self.since = time.monotonic()
        self.wire.conn.send(b"".join(self.wire.encode(op) for op in ops))
        good = True
        for op in ops:
            answer, error = self.wire.take(op)
            nodes = {self.node[k] for k in op[1]} if op[0] == "many" else {self.node.get(op[1])}
            if error is not None:
                good = False
                self.failed(op, nodes, error)
            elif op[0] == "echo":
                if answer != op[1]:
                    raise Failed(f"ECHO {op[1]} -> {answer!r}")
            else:
                self.check(op, answer)
                for node in nodes:
                    self.calm[node] += 1
            self.answered += 1
        took = time.monotonic() - self.since
        self.since = None
        self.load.slowest = max(self.load.slowest, took)
        return good

    def failed(self, op, nodes, error):
        load = self.load
        load.errors[error] = load.errors.get(error, 0) + 1
        load.last_error = time.monotonic()
        for node in nodes & load.allowed_nodes or nodes:
            self.calm[node] = 0
        if not nodes & load.allowed_nodes:
            load.problem(f"{op[:2]} of backends {sorted(nodes)}: {error}, which is not hurt")
        elif not load.allowed_errors.search(error):
            load.problem(f"{op[:2]}: unexpected error {error!r}")
        if SECRET.search(error):
            load.problem(f"the error tells an address: {error!r}")
        if op[0] in ("set", "incr") and not NOT_SENT.search(error):
            self.model[op[1]] = self.may_be(op[1]) | self.after(op)

    def may_be(self, key):
        return self.model[key] | ({None} if self.node[key] in self.load.volatile else set())

    def after(self, op):
        """What the key may be when the write was done. A counter that is not there: redis counts from 0, memcached not."""
        if op[0] == "set":
            return {op[2]}
        done = {b"%d" % (int(v) + 1) for v in self.may_be(op[1]) if v is not None}
        if None in self.may_be(op[1]):
            done.add(None if self.load.kind == "memcache" else b"1")
        return done

    def forgiven(self, key):
        """What it may hold again, though a later write was acknowledged."""
        return self.model[key] if self.node[key] in self.load.forgiven else set()

    def check(self, op, answer):
        what, key = op[0], op[1]
        if what == "set":
            if answer is not True:
                raise Failed(f"set {key} was not acknowledged")
            self.model[key] = {op[2]} | self.forgiven(key)
            return
        if what == "incr":
            may = self.after(op)
            if answer not in may:
                raise Failed(f"incr {key} -> {answer!r}, may be {sorted(may, key=str)[:5]}")
            self.model[key] = {answer} | self.forgiven(key)
            return
        pairs = zip(key, answer, strict=True) if what == "many" else [(key, answer)]
        for one, value in pairs:
            if value not in self.may_be(one):
                may = [str(v and v[:60]) for v in self.may_be(one)]
                raise Failed(f"get {one} -> {value and value[:80]!r}, may be {may[:5]}")

    def sweep(self):
        """Reads everything, then writes everything: what was lost is seen, and the model is one value a key again."""
        everything = self.keys + self.counters
        for start in range(0, len(everything), 8):
            some = everything[start:start + 8]
            self.batch([("get", k, None) for k in some])
        self.count += 1
        for start in range(0, len(everything), 8):
            some = everything[start:start + 8]
            self.batch([("set", k, b"0" if k in self.counters else self.value(k)) for k in some])
        self.passes += 1


class Load:
    def __init__(self, kind, address, nodes, node_of, clients=6, big=True):
        self.kind, self.address, self.nodes, self.node_of, self.big = kind, address, nodes, node_of, big
        self.stopping, self.rest = threading.Event(), threading.Event()
        self.forgiven = frozenset()
        self.problems, self.errors = [], {}
        self.allowed_nodes, self.allowed_errors, self.volatile = frozenset(), re.compile("$^"), frozenset()
        self.last_error, self.slowest, self.generation = 0.0, 0.0, 0
        self.clients = [Client(self, n) for n in range(clients)]

    def start(self):
        for client in self.clients:
            client.start()
        return self

    def problem(self, text):
        self.problems.append(text)

    def allow(self, nodes, errors, loses=False):
        self.allowed_errors = re.compile("|".join(errors) or "$^")
        if loses:
            self.volatile = frozenset(nodes)
        self.allowed_nodes = frozenset(nodes)

    def until(self, condition, seconds, what):
        wait_until(lambda: self.problems or condition(), seconds, what)
        if self.problems:
            raise Failed("; ".join(self.problems[:5]))

    @contextlib.contextmanager
    def resting(self):
        """Meanwhile nothing is asked, and nothing waits for an answer."""
        self.rest.set()
        self.until(lambda: all(c.resting for c in self.clients), 30, "the load to rest")
        yield
        self.rest.clear()

    def total(self):
        return sum(c.answered for c in self.clients)

    def error_count(self):
        return sum(self.errors.values())

    def progress(self, each, seconds=30):
        """Until every client has had so many answers more."""
        marks = [c.answered for c in self.clients]
        self.until(lambda: all(c.answered >= m + each for c, m in zip(self.clients, marks)), seconds,
                   f"{each} answers more for each client")

    def swept(self):
        self.generation += 1
        marks = [c.passes for c in self.clients]
        self.until(lambda: all(c.passes > m for c, m in zip(self.clients, marks)), 30, "every key to be read and written")

    def recovered(self, nodes, since, within, watch=50):
        """Until every client is served by these backends again, and for `watch` answers more of each; the seconds from
        `since` to the last error."""
        for client in self.clients:
            for node in nodes:
                client.calm[node] = 0
        self.until(lambda: all(c.calm[n] >= 30 for c in self.clients for n in nodes), within, "everything to be served again")
        took = max(0.0, self.last_error - since)
        self.allowed_nodes = frozenset()
        self.swept()  # reads by what was lost; from its writes on nothing may be missing
        self.volatile = frozenset()
        if self.forgiven:
            self.forgiven = frozenset()
            self.swept()
        self.progress(watch)
        return took

    def stop(self):
        self.stopping.set()
        for client in self.clients:
            client.join(2 * PATIENCE * SCALE)
            if client.is_alive():
                self.problem(f"client {client.number} hangs")
        if self.problems:
            raise Failed("; ".join(self.problems[:5]))
