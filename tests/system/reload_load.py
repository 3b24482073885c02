"""What the tests of reloads share: a proxy whose files are written anew, and a load that checks every value."""

import itertools
import os
import re
import signal
import threading

import harness
from clients import McConn, RedisConn, resp
from harness import wait_until

OUTCOME = re.compile(r"reload: (?:cluster |proxy: |nothing)|reload refused; ")


class Live(harness.Proxy):
    """A proxy whose cluster file is rewritten from `clusters`."""

    def outcomes(self):
        return len(OUTCOME.findall(self.output()))

    def write(self, text=None):
        fresh = self.cluster_file.with_suffix(".new")
        fresh.write_text(text if text is not None else "\n".join(c.toml() for c in self.clusters))
        os.rename(fresh, self.cluster_file)

    def reload(self, text=None):
        """Returns what the log says of it."""
        before, said = self.outcomes(), len(self.output())
        self.write(text)
        self.signal(signal.SIGHUP)
        wait_until(lambda: self.outcomes() > before, 20, "the reload to end")
        return self.output()[said:]


class Load:
    """Clients that write and read their own keys, pipelined, and check every answer.

    strict: keys stay where they are, so what is read is what was written last. Otherwise a key may be at another server
    by now, which has never seen it or has an earlier value of it."""

    numbers = itertools.count()

    def __init__(self, address, kind="redis", clients=4, strict=True, depth=16):
        self.address, self.strict, self.depth, self.kind = address, strict, depth, kind
        self.name = f"load{next(Load.numbers)}"  # two loads may share servers
        self.failures, self.rounds, self.stopping = [], [0] * clients, False
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.progress()
        return self

    def __exit__(self, kind, *_):
        self.stopping = True
        for thread in self.threads:
            thread.join(60 * harness.SCALE)
        assert not any(thread.is_alive() for thread in self.threads), "a client hangs"
        if kind is None:
            assert not self.failures, self.failures[:3]

    def progress(self, rounds=5):
        """Every client has done some more."""
        goal = [done + rounds for done in self.rounds]
        wait_until(lambda: self.failures or all(d >= g for d, g in zip(self.rounds, goal)), 30, "the load to go on")
        assert not self.failures, self.failures[:3]

    def run(self, number):
        try:
            client = (RedisConn if self.kind == "redis" else McConn)(self.address)
            history = {f"{self.name}:{number}:{k}": [] for k in range(24)}
            while not self.stopping:
                (self.redis_round if self.kind == "redis" else self.memcache_round)(client, history, number)
                self.rounds[number] += 1
            client.close()
        except Exception as failure:  # noqa: BLE001 - shown by the test
            self.failures.append(f"client {number}, round {self.rounds[number]}: {failure!r}")

    def judge(self, key, got, written):
        if got is not None:
            got = got.decode()
        if got == (written[-1] if written else None):
            return
        assert not self.strict and (got is None or got in written), (key, got, written[-3:])

    def redis_round(self, client, history, number):
        sent, expected = [], []
        for at, key in enumerate(history):
            value = f"{key}={self.rounds[number]}.{at}"
            sent.append(resp("SET", key, value))
            expected.append(("set", key, value))
            sent.append(resp("GET", key))
            expected.append(("get", key, None))
        keys = list(history)[:5]
        sent.append(resp("MGET", *keys))
        for start in range(0, len(sent), 2 * self.depth):
            client.send(b"".join(sent[start:start + 2 * self.depth]))
        for what, key, value in expected:
            got = client.reply()
            if what == "set":
                assert got == "OK", (key, got)
                history[key].append(value)
            else:
                assert got is None or isinstance(got, bytes), (key, got)
                self.judge(key, got, history[key])
        got = client.reply()
        assert isinstance(got, list) and len(got) == len(keys), got
        for key, value in zip(keys, got):
            self.judge(key, value, history[key])

    def memcache_round(self, client, history, number):
        keys = list(history)
        client.send(b"".join(b"set %s 0 0 %d\r\n%s\r\n" % (k.encode(), len(v), v) for k, v in
                             ((k, f"{k}={self.rounds[number]}".encode()) for k in keys)))
        for key in keys:
            assert client.line() == b"STORED\r\n", key
            history[key].append(f"{key}={self.rounds[number]}")
        client.send(b"".join(b"get %s\r\n" % k.encode() for k in keys) + b"get %s\r\n" % " ".join(keys).encode())
        for key in keys:
            found = client.items()
            self.judge(key, found[0][2] if found else None, history[key])
        found = {item[0].decode(): item[2] for item in client.items()}
        for key in keys:
            self.judge(key, found.get(key), history[key])


def connection_ids(server):
    """Of the proxy's connections to a redis server."""
    with RedisConn(server.address) as client:
        own = str(client.cmd("CLIENT", "ID"))
        lines = client.cmd("CLIENT", "LIST").decode().splitlines()
    return {line.split()[0] for line in lines if line.split()[0] != f"id={own}"}
