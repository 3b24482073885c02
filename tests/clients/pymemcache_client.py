"""pymemcache: the text protocol, with TLS where asked."""

import hashlib
import ssl
import time

import pymemcache
from pymemcache.client.base import Client

import report
from report import NotInClient, expect, expect_error

BYTES = bytes(range(256))
BIG = hashlib.sha256(b"big").digest() * (4 * 1024 * 1024 // 32)


class Flags:
    """Shows the flags that an item came with."""

    def serialize(self, key, value):
        return value, 0

    def deserialize(self, key, value, flags):
        return value, flags


class Pymemcache(report.Runner):
    def version(self):
        return pymemcache.__version__

    def open(self, port=None, **more):
        context = ssl.create_default_context(cafile=self.ca) if self.ca else None
        return Client(("127.0.0.1", port or self.port), timeout=10, connect_timeout=10, default_noreply=False,
                      tls_context=context, **more)

    def connect(self):
        client = self.open()
        expect(bool(client.version()), True, "version")
        client.close()

    def auth(self):
        client = self.open(self.port_for("auth"))  # as memcached -Y has it: a set of user and password
        expect_error((pymemcache.MemcacheError, OSError), lambda: client.get("x"))
        client.close()
        login = f"{self.given['user']} {self.given['password']}"
        expect_error((pymemcache.MemcacheError, OSError), lambda: client.set("login", login + "?"))
        client.close()
        expect(client.set("login", login), True, "the set that logs in")
        expect((client.set(self.key("auth"), "in"), client.get(self.key("auth"))), (True, b"in"))

    def get_set(self):
        client, k = self.open(serde=Flags()), self.key("k")
        expect(client.get(k), None, "get of nothing")
        expect(client.set(k, b"one", flags=77), True, "set")
        expect(client.get(k), (b"one", 77), "get with flags")
        expect((client.delete(k), client.delete(k)), (True, False), "delete")

    def add_replace(self):
        client, k = self.open(), self.key("add")
        expect((client.add(k, b"1"), client.add(k, b"2")), (True, False), "add")
        expect((client.replace(k, b"3"), client.replace(k + "-none", b"4")), (True, False), "replace")
        expect(client.get(k), b"3")

    def cas(self):
        client, k = self.open(), self.key("cas")
        client.set(k, b"1")
        value, token = client.gets(k)
        expect(value, b"1", "gets")
        expect(client.cas(k, b"2", token), True, "cas")
        expect(client.cas(k, b"3", token), False, "cas with an old token")
        expect(client.cas(k + "-none", b"3", token), None, "cas of nothing")
        expect(client.get(k), b"2")

    def append(self):
        client, k = self.open(), self.key("append")
        expect(client.append(k, b"x"), False, "append to nothing")
        client.set(k, b"b")
        expect((client.append(k, b"c"), client.prepend(k, b"a"), client.get(k)), (True, True, b"abc"))

    def incr(self):
        client, k = self.open(), self.key("incr")
        expect(client.incr(k, 1), None, "incr of nothing")
        client.set(k, b"10")
        expect((client.incr(k, 5), client.decr(k, 3), client.decr(k, 100)), (15, 12, 0))

    def touch(self):
        client, k = self.open(), self.key("touch")
        client.set(k, b"1")
        expect((client.touch(k, 100), client.touch(k + "-none", 100)), (True, False))
        expect(client.touch(k, -1), True)
        expect(client.get(k), None, "get of what touch let expire")

    def gat(self):
        raise NotInClient("pymemcache of this version has no gat")

    def multi_get(self):
        client, names = self.open(), [self.key(f"m{n}") for n in range(1000)]
        expect(client.set_many({name: name for name in names}), [], "set_many")
        expect(client.get_many([*names, self.key("none")]), {name: name.encode() for name in names}, "get_many")
        expect(len(client.gets_many(names)), 1000, "gets_many")

    def quiet(self):
        client = self.open()
        for n in range(10_000):
            client.set(self.key(f"q{n % 100}"), str(n), noreply=True)
        expect(client.get_many([self.key(f"q{n}") for n in range(100)]),
               {self.key(f"q{n}"): str(9900 + n).encode() for n in range(100)}, "what was set without replies")

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
        client.set(k, b"1", expire=1)
        client.set(k + "2", b"1", expire=int(time.time()) + 1000)
        report.until(lambda: client.get(k) is None, ())
        expect(client.get(k + "2"), b"1", "what expires at a time of the calendar")

    def stats(self):
        expect(b"pid" in self.open().stats(), True, "stats")

    def flush_guard(self):
        client, k = self.open(), self.key("flush")
        client.set(k, b"1")
        expect_error(pymemcache.MemcacheError, client.flush_all)
        expect(client.get(k), b"1", "get after a refused flush_all")
        enabled = self.open(self.port_for("flush"))
        names = [self.key(f"flush{n}") for n in range(20)]
        enabled.set_many({name: b"1" for name in names})
        expect(enabled.flush_all(), True, "flush_all where it is enabled")
        expect(enabled.get_many(names), {}, "what was stored before it")

    def errors(self):
        client, k = self.open(), self.key("large")
        expect_error(pymemcache.MemcacheServerError, lambda: client.set(k, b"x" * (9 << 20)), "too large")
        expect(client.set(k, b"1"), True)
        client.set(k, b"text")
        expect_error(pymemcache.MemcacheClientError, lambda: client.incr(k, 1), "non-numeric")
        expect(client.get(k), b"text")

    def reconnect(self):
        client, k = self.open(), self.key("before")
        client.set(k, b"kept")
        report.restart_proxy()
        expect(report.until(lambda: client.get(k), (OSError, pymemcache.MemcacheError)), b"kept")


Pymemcache().main()
