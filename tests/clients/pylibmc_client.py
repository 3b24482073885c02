"""libmemcached by pylibmc. Argument 2: text or binary."""

import hashlib
import sys
import time

import pylibmc

import report
from report import NotInClient, expect, expect_error

BINARY = sys.argv[2:] == ["binary"]
BYTES = bytes(range(256))
BIG = hashlib.sha256(b"big").digest() * (4 * 1024 * 1024 // 32)


class Pylibmc(report.Runner):
    def version(self):
        return f"{pylibmc.__version__}, libmemcached {pylibmc.libmemcached_version}"

    def open(self, port=None, behaviors=(), **more):
        return pylibmc.Client([f"127.0.0.1:{port or self.port}"], binary=BINARY, behaviors={
            "tcp_nodelay": True, "connect_timeout": 10_000, "receive_timeout": 10_000_000, "send_timeout": 10_000_000,
            "cas": True, **dict(behaviors)}, **more)

    def connect(self):
        expect(self.open().set(self.key("hello"), "x"), True, "set")

    def auth(self):
        port = self.port_for("auth")
        if not BINARY:  # as memcached -Y has it: a set of user and password
            client = self.open(port)
            expect_error(pylibmc.Error, lambda: client.set(self.key("auth"), "out"))
            client.disconnect_all()
            expect(client.set("login", f"{self.given['user']} {self.given['password']}"), True, "the set that logs in")
            expect((client.set(self.key("auth"), "in"), client.get(self.key("auth"))), (True, "in"))
            return
        client = self.open(port, username=self.given["user"], password=self.given["password"])
        expect(client.set(self.key("auth"), "in"), True)
        expect(client.get(self.key("auth")), "in")
        expect_error(pylibmc.Error, lambda: self.open(port, username=self.given["user"], password="no").set("a", "b"))
        expect_error(pylibmc.Error, lambda: self.open(port).set("a", "b"))

    def get_set(self):
        client, k = self.open(), self.key("k")
        expect(client.get(k), None, "get of nothing")
        expect(client.set(k, "text"), True, "set")
        expect(client.get(k), "text", "get")
        client.set(k, 42)  # the type is kept in the flags
        expect(client.get(k), 42, "get of a number")
        expect((client.delete(k), client.delete(k)), (True, False), "delete")

    def add_replace(self):
        client, k = self.open(), self.key("add")
        expect((client.add(k, "1"), client.add(k, "2")), (True, False), "add")
        expect(client.replace(k, "3"), True, "replace")
        try:
            replaced = client.replace(k + "-none", "4")
        except pylibmc.NotFound:  # so it says in binary
            replaced = False
        expect(replaced, False, "replace of nothing")
        expect(client.get(k), "3")

    def cas(self):
        client, k = self.open(), self.key("cas")
        client.set(k, "1")
        value, token = client.gets(k)
        expect(value, "1", "gets")
        expect(client.cas(k, "2", token), True, "cas")
        expect(client.cas(k, "3", token), False, "cas with an old token")
        expect(client.get(k), "2")

    def append(self):
        client, k = self.open(), self.key("append")
        client.set(k, "b")
        expect((client.append(k, "c"), client.prepend(k, "a"), client.get(k)), (True, True, "abc"))

    def incr(self):
        client, k = self.open(), self.key("incr")
        expect_error(pylibmc.NotFound, lambda: client.incr(k))
        client.set(k, 10)
        expect((client.incr(k, 5), client.decr(k, 3), client.decr(k, 100)), (15, 12, 0))

    def touch(self):
        client, k = self.open(), self.key("touch")
        client.set(k, "1")
        expect((client.touch(k, 100), client.touch(k + "-none", 100)), (True, False))
        expect(client.get(k), "1")

    def gat(self):
        raise NotInClient("pylibmc has no gat")

    def multi_get(self):
        client, names = self.open(), [self.key(f"m{n}") for n in range(1000)]
        expect(client.set_multi({name: name for name in names}), [], "set_multi")
        expect(client.get_multi([*names, self.key("none")]), {name: name for name in names}, "get_multi")
        expect(client.delete_multi(names), True, "delete_multi")

    def quiet(self):
        client = self.open(behaviors={"_noreply": True})
        for n in range(10_000):
            client.set(self.key(f"q{n % 100}"), n)
        # Read by another connection, which may be served before the last of them.
        reader = self.open()
        wanted = {self.key(f"q{n}"): 9900 + n for n in range(100)}
        report.until(lambda: reader.get_multi(list(wanted)) == wanted, ())

    def big_values(self):
        client, k = self.open(), self.key("big")
        expect(client.set(k, BIG), True, "set of 4 MiB")
        expect(client.get(k) == BIG, True, "get of 4 MiB")
        client.delete(k)

    def binary_values(self):
        client, k = self.open(), self.key("binary")
        expect((client.set(k, BYTES), client.get(k)), (True, BYTES))

    def expiry(self):
        client, k = self.open(), self.key("expiry")
        client.set(k, "1", time=1)
        client.set(k + "2", "1", time=int(time.time()) + 1000)
        report.until(lambda: client.get(k) is None, ())
        expect(client.get(k + "2"), "1", "what expires at a time of the calendar")

    def stats(self):
        got = self.open().get_stats()
        expect(len(got) == 1 and b"pid" in {name if isinstance(name, bytes) else name.encode() for name in got[0][1]},
               True, "stats")

    def flush_guard(self):
        client, k = self.open(), self.key("flush")
        client.set(k, "1")
        try:
            refused = not client.flush_all()
        except pylibmc.Error:
            refused = True
        # In binary it does not look at the status, of memcached -F neither.
        expect(refused or BINARY, True, "flush_all is refused")
        expect(self.open().get(k), "1", "get after a refused flush_all")
        enabled = self.open(self.port_for("flush"))
        names = [self.key(f"flush{n}") for n in range(20)]
        enabled.set_multi({name: "1" for name in names})
        expect(enabled.flush_all(), True, "flush_all where it is enabled")
        expect(enabled.get_multi(names), {}, "what was stored before it")

    def errors(self):
        client, k = self.open(), self.key("large")
        expect_error(pylibmc.Error, lambda: client.set(k, b"x" * (9 << 20)))
        expect(report.until(lambda: client.set(k, "1"), (pylibmc.Error,)), True)

    def reconnect(self):
        client, k = self.open(), self.key("before")
        client.set(k, "kept")
        report.restart_proxy()
        expect(report.until(lambda: client.get(k), (pylibmc.Error,)), "kept")


Pylibmc().main()
