"""redis-cli as people and scripts use it: commands as arguments, on standard input, and its own modes."""

import hashlib
import subprocess
import tempfile
import time

import report
from report import expect

BIG = hashlib.sha256(b"big").hexdigest().encode() * (8 * 1024 * 1024 // 64)


class RedisCli(report.Runner):
    def version(self):
        return subprocess.run(["redis-cli", "--version"], capture_output=True, text=True).stdout.strip()

    def argv(self, *words, port=None):
        tls = ["--tls", "--cacert", self.ca] if self.ca else []
        return ["redis-cli", "-h", "127.0.0.1", "-p", str(port or self.port), *tls, *map(str, words)]

    def run(self, *words, stdin=None, port=None):
        """What it prints; an error of the program itself is one of ours."""
        done = subprocess.run(self.argv(*words, port=port), input=stdin if stdin is not None else b"",
                              capture_output=True, timeout=report.FEATURE_SECONDS - 1)
        if done.returncode != 0 and not done.stdout:
            raise AssertionError(f"it ended with {done.returncode}: {done.stderr.decode(errors='replace')[-200:]}")
        return done.stdout

    def lines(self, *commands, flags=()):
        """The replies to commands given on standard input, as lines."""
        return self.run(*flags, stdin="".join(f"{c}\n" for c in commands).encode()).decode().splitlines()

    def talk(self, *pairs, flags=()):
        """Commands with the one line that each must print; several lines are a list."""
        wanted = [line for _, reply in pairs for line in (reply if isinstance(reply, list) else [str(reply)])]
        expect(self.lines(*(command for command, _ in pairs), flags=flags), wanted, "replies")

    def connect(self):
        expect(self.run("PING"), b"PONG\n", "PING")

    def auth(self):
        port, password = self.port_for("auth"), self.given["password"]
        quiet = "--no-auth-warning"
        expect(self.run("-a", password, quiet, "SET", self.key("auth"), "in", port=port), b"OK\n")
        expect(self.run("-u", f"redis{'s' if self.ca else ''}://{self.given['user']}:{password}@127.0.0.1:{port}", quiet,
                        "GET", self.key("auth")), b"in\n")
        expect(b"NOAUTH" in self.run("GET", "x", port=port), True, "NOAUTH")
        wrong = subprocess.run(self.argv("-a", "wrong", quiet, "GET", "x", port=port), capture_output=True)
        expect(b"WRONGPASS" in wrong.stdout + wrong.stderr, True, "WRONGPASS")

    def resp3(self):
        k = self.key("resp3")
        shown = {f"HSET {k}h a 1": "(integer) 1", f"HGETALL {k}h": '1# "a" => "1"', f"SADD {k}s b": "(integer) 1",
                 f"SMEMBERS {k}s": '1~ "b"', f"ZADD {k}z 3.5 c": "(integer) 1", f"ZSCORE {k}z c": "(double) 3.5",
                 f"GET {k}": "(nil)", f"EXISTS {k}": "(integer) 0"}
        self.talk(*shown.items(), flags=("-3", "--no-raw"))

    def strings(self):
        k, n = self.key("string"), self.key("n")
        self.talk((f"GET {k}", ""), (f"SET {k} one", "OK"), (f"SET {k} two NX", ""), (f"APPEND {k} more", 7),
                  (f"GETRANGE {k} 3 -1", "more"), (f"SET {k} timed PX 50000 GET", "onemore"), (f"GETDEL {k}", "timed"),
                  (f"INCRBY {n} 41", 41), (f"INCR {n}", 42), (f"TYPE {n}", "string"), (f"INCRBYFLOAT {n} 0.5", "42.5"))

    def hashes(self):
        k = self.key("hash")
        self.talk((f"HSET {k} a 1 b two", 2), (f"HGETALL {k}", ["a", "1", "b", "two"]), (f"HMGET {k} a none", ["1", ""]),
                  (f"HINCRBY {k} a 4", 5), (f"HDEL {k} b none", 1), (f"HLEN {k}", 1))

    def lists(self):
        k = self.key("{list}")
        self.talk((f"RPUSH {k} a b c", 3), (f"LPUSH {k} z", 4), (f"LRANGE {k} 0 -1", ["z", "a", "b", "c"]),
                  (f"LPOP {k} 2", ["z", "a"]), (f"LMOVE {k} {k}2 RIGHT LEFT", "c"), (f"LLEN {k}", 1))

    def sets(self):
        k = self.key("{set}")
        self.talk((f"SADD {k} a b", 2), (f"SADD {k}2 b c", 2), (f"SINTER {k} {k}2", "b"), (f"SISMEMBER {k} a", 1),
                  (f"SUNIONSTORE {k}3 {k} {k}2", 3), (f"SREM {k} a", 1), (f"SMEMBERS {k}", "b"))

    def sorted_sets(self):
        k = self.key("zset")
        self.talk((f"ZADD {k} 1 a 2.5 b", 2), (f"ZRANGE {k} 0 -1 WITHSCORES", ["a", "1", "b", "2.5"]),
                  (f"ZSCORE {k} b", "2.5"), (f"ZINCRBY {k} 2 a", 3), (f"ZRANK {k} a", 1), (f"ZPOPMIN {k}", ["b", "2.5"]))

    def streams(self):
        k = self.key("stream")
        self.talk((f"XADD {k} 1-1 n 1", "1-1"), (f"XADD {k} 1-2 n 2", "1-2"), (f"XLEN {k}", 2),
                  (f"XRANGE {k} 1-2 +", ["1-2", "n", "2"]), (f"XREAD STREAMS {k} 1-1", [k, "1-2", "n", "2"]),
                  (f"XGROUP CREATE {k} group 0", "OK"),
                  (f"XREADGROUP GROUP group reader COUNT 1 STREAMS {k} >", [k, "1-1", "n", "1"]),
                  (f"XACK {k} group 1-1", 1), (f"XTRIM {k} MAXLEN 1", 1))

    def multi_key(self):
        names = [self.key(f"many-{n}") for n in range(200)]
        all_names = " ".join(names)
        self.talk(("MSET " + " ".join(f"{n} {n}" for n in names), "OK"), (f"MGET {all_names}", names),
                  (f"EXISTS {all_names}", 200), (f"UNLINK {' '.join(names[:100])}", 100), (f"DEL {all_names}", 100))

    def pipeline(self):
        """Mass insertion: it sends requests without looking, then an ECHO, and counts replies up to that one's."""
        requests = []
        for n in range(10_000):
            name = self.key(f"pipe-{n}")
            requests.append(f"*3\r\n$3\r\nSET\r\n${len(name)}\r\n{name}\r\n${len(str(n))}\r\n{n}\r\n")
        out = self.run("--pipe", stdin="".join(requests).encode()).decode()
        expect("errors: 0, replies: 10000" in out, True, f"what --pipe counted in {out.strip().splitlines()[-1:]}")
        expect(self.run("GET", self.key("pipe-9999")), b"9999\n")

    def transactions(self):
        k = self.key("{t}")
        self.talk(("MULTI", "OK"), (f"SET {k}a 1", "QUEUED"), (f"INCR {k}b", "QUEUED"), ("EXEC", ["OK", "1"]),
                  (f"WATCH {k}a", "OK"), (f"SET {k}a 2", "OK"), ("MULTI", "OK"), (f"SET {k}a lost", "QUEUED"),
                  ("EXEC", ""), ("MULTI", "OK"), (f"SET {k}a lost", "QUEUED"), ("DISCARD", "OK"), (f"GET {k}a", 2))

    def scripts(self):
        k = self.key("script")
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
            file.write("return redis.call('SET', KEYS[1], ARGV[1])")
            file.flush()
            expect(self.run("--eval", file.name, k, ",", "v"), b"OK\n", "--eval")
        body = f"return redis.call('GET', KEYS[1]) .. '{self.prefix}'"
        digest = hashlib.sha1(body.encode()).hexdigest()
        expect(self.run("SCRIPT", "LOAD", body).decode().strip(), digest, "SCRIPT LOAD")
        for n in range(5):
            self.talk((f"SET {k}{n} {n}", "OK"), (f"EVALSHA {digest} 1 {k}{n}", f"{n}{self.prefix}"))
        expect(self.lines(f"EVALSHA {'f' * 40} 1 {k}")[0].startswith("NOSCRIPT"), True, "NOSCRIPT")

    def pubsub(self):
        channel = self.key("channel")
        with subprocess.Popen(self.argv("SUBSCRIBE", channel), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as child:
            try:
                confirmed = [child.stdout.readline().strip() for _ in range(3)]
                expect(confirmed, [b"subscribe", channel.encode(), b"1"], "the confirmation")
                self.run("PUBLISH", channel, "hello")
                expect([child.stdout.readline().strip() for _ in range(3)], [b"message", channel.encode(), b"hello"])
            finally:
                child.kill()

    def blocking(self):
        k = self.key("queue")
        expect(self.run("BLPOP", k, "1"), b"\n", "BLPOP of nothing")
        with subprocess.Popen(self.argv("BLPOP", k, "5"), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as child:
            try:
                time.sleep(0.2)  # either order of the two is a right one
                self.run("RPUSH", k, "job")
                expect(child.communicate(timeout=10)[0], f"{k}\njob\n".encode(), "BLPOP")
            finally:
                child.kill()

    def scan(self):
        names = {self.key(f"scan-{n}") for n in range(300)}
        self.lines(*(f"SET {name} 1" for name in names))
        found = self.run("--scan", "--pattern", self.key("scan-*")).decode().split()
        expect(sorted(found), sorted(names), "--scan")

    def big_values(self):
        k = self.key("big")
        expect(self.run("-x", "SET", k, stdin=BIG), b"OK\n", "SET of 8 MiB")
        expect(self.run("GET", k) == BIG + b"\n", True, "GET of 8 MiB")
        self.run("DEL", k)

    def binary_keys(self):
        k = f'"{self.prefix}' + "".join(f"\\x{n:02x}" for n in range(256)) + '"'
        self.talk((f"SET {k} {k}", "OK"), (f"STRLEN {k}", 256 + len(self.prefix)))
        expect(self.run(stdin=f"GET {k}\n".encode()), self.prefix.encode() + bytes(range(256)) + b"\n", "GET")

    def introspection(self):
        expect(b"redis_version" in self.run("INFO"), True, "INFO")
        expect(int(self.run("CLIENT", "ID")) > 0, True, "CLIENT ID")
        expect(int(self.run("COMMAND", "COUNT")) > 200, True, "COMMAND COUNT")
        self.run("SET", self.key("counted"), "1")
        expect(int(self.run("DBSIZE")) >= 1, True, "DBSIZE")
        expect(b"rror" not in self.run("--bigkeys", "-i", "0"), True, "--bigkeys has no error")

    def administration(self):
        for words in (("CLIENT", "INFO"), ("CLIENT", "LIST")):
            got = self.run(*words)
            expect(b"addr=" in got, True, f"addr= in what {' '.join(words)} says, {got[:80]}")
        expect(self.run("CONFIG", "GET", "maxmemory").splitlines()[:1], [b"maxmemory"], "CONFIG GET")

    def errors(self):
        k = self.key("error")
        got = self.lines(f"SET {k} text", f"LPUSH {k} 1", f"INCR {k}", f"NOSUCH {k}", "GET", f"GET {k}")
        got = [line for line in got if line]
        for line, word in zip(got, ("OK", "WRONGTYPE", "not an integer", "unknown command", "wrong number of", "text"),
                              strict=True):
            expect(word in line, True, f"{word} in {line}")

    def reconnect(self):
        with subprocess.Popen(self.argv(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
            def ask(text):
                child.stdin.write(text.encode() + b"\n")
                child.stdin.flush()
                return child.stdout.readline().strip()
            try:
                expect(ask(f"SET {self.key('before')} kept"), b"OK")
                report.restart_proxy()
                report.until(lambda: ask(f"GET {self.key('before')}") == b"kept", ())
            finally:
                child.kill()


RedisCli().main()
