"""python-binary-memcached: the binary protocol, SASL PLAIN, and TLS where asked."""

import hashlib
import importlib.metadata
import os
import ssl
import time

import bmemcached
from bmemcached.exceptions import AuthenticationNotSupported, InvalidCredentials, MemcachedException

import report
from report import NotInClient, expect, expect_error

ERRORS = (MemcachedException, InvalidCredentials, AuthenticationNotSupported)
BYTES = bytes(range(256))
BIG = hashlib.sha256(b"big").digest() * (4 * 1024 * 1024 // 32)


class Bmemcached(report.Runner):
    def version(self):
        return importlib.metadata.version("python-binary-memcached")

    def open(self, port=None, **more):
        if self.ca:
            more["tls_context"] = ssl.create_default_context(cafile=self.ca)
        return bmemcached.Client((f"127.0.0.1:{port or self.port}",), socket_timeout=10, **more)

    def connect(self):
        expect(self.open().set(self.key("hello"), "x"), True, "set")

    def auth(self):
        port, user = self.port_for("auth"), self.given["user"]
        client = self.open(port, username=user, password=self.given["password"])
        expect((client.set(self.key("auth"), "in"), client.get(self.key("auth"))), (True, "in"))
        expect_error(ERRORS, lambda: self.open(port, username=user, password="wrong").set("a", "b"))
        expect_error(ERRORS, lambda: self.open(port).set("a", "b"))

    def get_set(self):
        client, k = self.open(), self.key("k")
        expect(client.get(k), None, "get of nothing")
        expect((client.set(k, "text"), client.get(k)), (True, "text"))
        client.set(k, 42)  # the type is kept in the flags
        expect(client.get(k), 42, "get of a number")
        expect((client.delete(k), client.get(k)), (True, None), "delete")

    def add_replace(self):
        client, k = self.open(), self.key("add")
        expect((client.add(k, "1"), client.add(k, "2")), (True, False), "add")
        expect((client.replace(k, "3"), client.replace(k + "-none", "4")), (True, False), "replace")
        expect(client.get(k), "3")

    def cas(self):
        client, k = self.open(), self.key("cas")
        client.set(k, "1")
        value, token = client.gets(k)
        expect(value, "1", "gets")
        expect((client.cas(k, "2", token), client.cas(k, "3", token)), (True, False), "cas")
        expect(client.get(k), "2")

    def append(self):
        raise NotInClient("bmemcached has no append")

    def incr(self):
        client, k = self.open(), self.key("incr")
        expect(client.incr(k, 1, default=10), 10, "incr of nothing, which gives the default")
        expect((client.incr(k, 5), client.decr(k, 3), client.decr(k, 100)), (15, 12, 0), "incr, decr")

    def touch(self):
        raise NotInClient("bmemcached has no touch")

    def gat(self):
        raise NotInClient("bmemcached has no gat")

    def multi_get(self):
        """Both with quiet requests and a last one that is not."""
        client, names = self.open(), [self.key(f"m{n}") for n in range(1000)]
        expect(client.set_multi({name: name for name in names}), [], "set_multi")
        expect(client.get_multi([*names, self.key("none")]), {name: name for name in names}, "get_multi")
        expect(client.delete_multi(names), True, "delete_multi")
        expect(client.get_multi(names), {}, "get_multi of nothing")

    def quiet(self):
        client = self.open()
        for turn in range(10):
            client.set_multi({self.key(f"q{n}"): f"{turn} {n}" for n in range(1000)})
        expect(client.get(self.key("q999")), "9 999", "the last of the quiet sets")

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
        got = self.open().stats()
        expect("pid" in next(iter(got.values())), True, "stats")

    def flush_guard(self):
        client, k = self.open(), self.key("flush")
        client.set(k, "1")
        expect_error(ERRORS, client.flush_all)
        expect(self.open().get(k), "1", "get after a refused flush")
        enabled = self.open(self.port_for("flush"))
        enabled.set_multi({self.key(f"flush{n}"): "1" for n in range(20)})
        expect(enabled.flush_all(), True, "flush where it is enabled")
        expect(enabled.get_multi([self.key(f"flush{n}") for n in range(20)]), {}, "what was stored before it")

    def errors(self):
        client, k = self.open(), self.key("large")
        try:
            stored = client.set(k, os.urandom(9 << 20))  # which cannot be compressed
        except ERRORS:
            stored = False
        expect(stored, False, "set of 9 MiB")
        expect((client.set(k, "text"), client.get(k)), (True, "text"))

    def reconnect(self):
        client, k = self.open(), self.key("before")
        client.set(k, "kept")
        report.restart_proxy()
        expect(report.until(lambda: client.get(k), ERRORS), "kept")


Bmemcached().main()
