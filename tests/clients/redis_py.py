"""redis-py, with its own parser or hiredis's, or as a client of a Redis Cluster. Argument 2: python, hiredis, cluster."""

import hashlib
import sys
import threading

import redis
from redis.connection import HiredisParser, PythonParser

import report
from report import NotInClient, expect, expect_error

KIND = sys.argv[2] if len(sys.argv) > 2 else "python"
BYTES = bytes(range(256))
BIG = hashlib.sha256(b"big").digest() * (8 * 1024 * 1024 // 32)


class RedisPy(report.Runner):
    def version(self):
        if KIND != "hiredis":
            return redis.__version__
        import hiredis
        return f"{redis.__version__}, hiredis {hiredis.__version__}"

    def open(self, port=None, **more):
        keys = {"host": "127.0.0.1", "port": port or self.port, "socket_timeout": 10, "client_name": "suite"}
        if self.ca:
            keys |= {"ssl": True, "ssl_ca_certs": self.ca}
        keys |= more
        if KIND == "cluster":
            return redis.RedisCluster(**keys)
        if not self.ca:
            parser = HiredisParser if KIND == "hiredis" else PythonParser
            keys.pop("client_name", None)
            pool = redis.ConnectionPool(parser_class=parser, client_name="suite", **keys)
        else:
            keys.pop("ssl")
            pool = redis.ConnectionPool(connection_class=redis.SSLConnection, **keys,
                                        parser_class=HiredisParser if KIND == "hiredis" else PythonParser)
        return redis.Redis(connection_pool=pool)

    def connect(self):
        with self.open() as client:
            expect(client.ping(), True, "PING")

    def auth(self):
        port, password = self.port_for("auth"), self.given["password"]
        with self.open(port, password=password) as client:
            expect(client.set(self.key("auth"), "in"), True)
            expect(client.get(self.key("auth")), b"in")
        refused = (redis.RedisError, redis.exceptions.RedisClusterException)
        expect_error(refused, lambda: self.open(port, password="wrong").ping(), "invalid", "WRONGPASS")
        expect_error(refused, lambda: self.open(port).ping(), "Authentication required",
                     "cannot be connected")

    def resp3(self):
        raise NotInClient("redis-py of this version speaks RESP2")

    def strings(self):
        with self.open() as client:
            k = self.key("string")
            expect(client.get(k), None, "GET of nothing")
            expect(client.set(k, "one"), True, "SET")
            expect(client.set(k, "two", nx=True), None, "SET NX")
            expect(client.append(k, " more"), 8, "APPEND")
            expect(client.getrange(k, 4, -1), b"more", "GETRANGE")
            expect(client.set(k, "timed", px=50_000, get=True), b"one more", "SET GET PX")
            expect(0 < client.pttl(k) <= 50_000, True, "PTTL")
            expect(client.getdel(k), b"timed", "GETDEL")
            expect(client.incrby(self.key("count"), 41) + client.incr(self.key("count")), 83, "INCR")
            expect(client.incrbyfloat(self.key("float"), 1.5), 1.5, "INCRBYFLOAT")
            expect(client.setbit(self.key("bits"), 7, 1) + client.bitcount(self.key("bits")), 1, "BITCOUNT")
            expect(client.type(self.key("count")), b"string", "TYPE")

    def hashes(self):
        with self.open() as client:
            k = self.key("hash")
            expect(client.hset(k, mapping={"a": 1, "b": "two"}), 2, "HSET")
            expect(client.hgetall(k), {b"a": b"1", b"b": b"two"}, "HGETALL")
            expect(client.hmget(k, "a", "none"), [b"1", None], "HMGET")
            expect(client.hincrby(k, "a", 4), 5, "HINCRBY")
            expect(client.hincrbyfloat(k, "a", 0.5), 5.5, "HINCRBYFLOAT")
            expect(client.hdel(k, "b", "none"), 1, "HDEL")
            expect((client.hlen(k), client.hexists(k, "a"), client.hkeys(k)), (1, True, [b"a"]), "HLEN, HEXISTS, HKEYS")

    def lists(self):
        with self.open() as client:
            k = self.key("{list}")
            expect(client.rpush(k, "a", "b", "c"), 3, "RPUSH")
            expect(client.lpush(k, "z"), 4, "LPUSH")
            expect(client.linsert(k, "before", "b", "x"), 5, "LINSERT")
            expect(client.lrange(k, 0, -1), [b"z", b"a", b"x", b"b", b"c"], "LRANGE")
            expect(client.lpop(k, 2), [b"z", b"a"], "LPOP")
            expect(client.rpoplpush(k, k + "2"), b"c", "RPOPLPUSH")
            expect((client.llen(k), client.lindex(k, 0), client.lrem(k, 0, "x")), (2, b"x", 1), "LLEN, LINDEX, LREM")

    def sets(self):
        with self.open() as client:
            k, other = self.key("{set}"), self.key("{set}2")
            expect(client.sadd(k, "a", "b", "c"), 3, "SADD")
            expect(client.sadd(other, "b", "c", "d"), 3, "SADD")
            expect(client.smembers(k), {b"a", b"b", b"c"}, "SMEMBERS")
            expect((client.sismember(k, "a"), client.sismember(k, "d")), (True, False), "SISMEMBER")
            expect(client.smismember(k, "a", "d"), [1, 0], "SMISMEMBER")
            expect(client.sinter(k, other), {b"b", b"c"}, "SINTER")
            expect(client.sunionstore(self.key("{set}3"), k, other), 4, "SUNIONSTORE")
            expect((client.srem(k, "a"), client.scard(k)), (1, 2), "SREM, SCARD")

    def sorted_sets(self):
        with self.open() as client:
            k = self.key("zset")
            expect(client.zadd(k, {"a": 1, "b": 2.5, "c": float("inf")}), 3, "ZADD")
            expect(client.zrange(k, 0, -1, withscores=True), [(b"a", 1.0), (b"b", 2.5), (b"c", float("inf"))], "ZRANGE")
            expect(client.zscore(k, "b"), 2.5, "ZSCORE")
            expect(client.zscore(k, "none"), None, "ZSCORE of nothing")
            expect(client.zincrby(k, 2, "a"), 3.0, "ZINCRBY")
            expect(client.zrangebyscore(k, 2, 3), [b"b", b"a"], "ZRANGEBYSCORE")
            expect((client.zrank(k, "a"), client.zcount(k, 0, 3)), (1, 2), "ZRANK, ZCOUNT")
            expect(client.zpopmin(k), [(b"b", 2.5)], "ZPOPMIN")

    def streams(self):
        with self.open() as client:
            k = self.key("stream")
            ids = [client.xadd(k, {"n": n}) for n in range(3)]
            expect(client.xlen(k), 3, "XLEN")
            expect(client.xrange(k, ids[1], ids[1]), [(ids[1], {b"n": b"1"})], "XRANGE")
            expect(client.xread({k: ids[1]}), [[k.encode(), [(ids[2], {b"n": b"2"})]]], "XREAD")
            expect(client.xgroup_create(k, "group", "0"), True, "XGROUP CREATE")
            got = client.xreadgroup("group", "reader", {k: ">"}, count=2)
            expect([entry[0] for entry in got[0][1]], ids[:2], "XREADGROUP")
            expect(client.xack(k, "group", ids[0]), 1, "XACK")
            expect(client.xpending(k, "group")["pending"], 1, "XPENDING")
            expect(client.xinfo_stream(k)["length"], 3, "XINFO STREAM")
            expect(client.xtrim(k, maxlen=1, approximate=False), 2, "XTRIM")

    def multi_key(self):
        with self.open() as client:
            names = [self.key(f"many-{n}") for n in range(200)]
            set_all, get_all = ((client.mset_nonatomic, client.mget_nonatomic) if KIND == "cluster"
                                else (client.mset, client.mget))
            expect(bool(set_all({name: name for name in names})), True, "MSET")
            expect(get_all([*names, self.key("none")]), [*(name.encode() for name in names), None], "MGET")
            expect(client.exists(*names), 200, "EXISTS")
            expect(client.unlink(*names[:100]), 100, "UNLINK")
            expect(client.delete(*names), 100, "DEL")

    def pipeline(self):
        with self.open() as client:
            pipe = client.pipeline() if KIND == "cluster" else client.pipeline(transaction=False)
            for n in range(5000):
                pipe.set(self.key(f"pipe-{n}"), n)
                pipe.get(self.key(f"pipe-{n}"))
            expect(pipe.execute(), [got for n in range(5000) for got in (True, str(n).encode())], "10,000 replies")

    def transactions(self):
        if KIND == "cluster":
            raise NotInClient("RedisCluster of this version has no transactions")
        with self.open() as client, self.open() as other:
            k, second = self.key("{t}a"), self.key("{t}b")
            with client.pipeline() as pipe:
                pipe.set(k, 1)
                pipe.incr(second)
                pipe.get(k)
                expect(pipe.execute(), [True, 1, b"1"], "EXEC")
                pipe.watch(k)
                expect(pipe.get(k), b"1", "GET while watching")
                other.set(k, "changed")
                pipe.multi()
                pipe.set(k, "lost")
                expect_error(redis.WatchError, pipe.execute)
            expect(other.get(k), b"changed", "the value after a failed EXEC")
            expect(client.ping(), True)

    def scripts(self):
        with self.open() as client:
            k = self.key("script")
            expect(client.eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, k, "v"), b"OK", "EVAL")
            expect(client.eval("return {1, 'two', {3}, false}", 1, k), [1, b"two", [3], None], "EVAL")
            body = f"return redis.call('GET', KEYS[1]) .. '{self.prefix}'"
            digest = client.script_load(body)
            expect(digest, hashlib.sha1(body.encode()).hexdigest(), "SCRIPT LOAD")
            for n in range(20):  # keys of all nodes
                client.set(f"{k}{n}", n)
                expect(client.evalsha(digest, 1, f"{k}{n}"), f"{n}{self.prefix}".encode(), "EVALSHA")
            expect(client.script_exists(digest, "0" * 40), [True, False], "SCRIPT EXISTS")
            expect_error(redis.exceptions.NoScriptError, lambda: client.evalsha("f" * 40, 1, k))

    def pubsub(self):
        with self.open() as client, self.open() as sender:
            channel = self.key("channel")
            listener = client.pubsub()
            listener.subscribe(channel)
            listener.psubscribe(self.key("chan*"))
            kinds = [listener.get_message(timeout=5)["type"] for _ in range(2)]
            expect(kinds, ["subscribe", "psubscribe"], "confirmations")
            sender.publish(channel, BYTES)
            got = {listener.get_message(timeout=5)["type"]: None for _ in range(2)}
            expect(set(got), {"message", "pmessage"}, "messages")
            listener.unsubscribe(channel)
            listener.punsubscribe(self.key("chan*"))
            kinds = [listener.get_message(timeout=5)["type"] for _ in range(2)]
            expect(kinds, ["unsubscribe", "punsubscribe"], "confirmations")
            listener.close()

    def blocking(self):
        with self.open() as client, self.open() as other:
            k = self.key("queue")
            expect(client.blpop(k, 1), None, "BLPOP of nothing")
            timer = threading.Timer(0.2, other.rpush, (k, "job"))
            timer.start()
            expect(client.blpop(k, 5), (k.encode(), b"job"), "BLPOP")
            timer.join()
            stream = self.key("blocked-stream")
            timer = threading.Timer(0.2, other.xadd, (stream, {"n": 1}))
            timer.start()
            expect(client.xread({stream: "$"}, block=5000)[0][0], stream.encode(), "XREAD BLOCK")
            timer.join()
            expect(client.ping(), True)

    def scan(self):
        with self.open() as client:
            names = {self.key(f"scan-{n}").encode() for n in range(300)}
            for name in names:
                client.set(name, 1)
            expect(sorted(client.scan_iter(match=self.key("scan-*"), count=50)), sorted(names), "SCAN")
            client.hset(self.key("wide"), mapping={f"f{n}": "v" * 100 for n in range(300)})
            expect(len(dict(client.hscan_iter(self.key("wide"), count=50))), 300, "HSCAN")

    def big_values(self):
        with self.open() as client:
            expect(client.set(self.key("big"), BIG), True, "SET of 8 MiB")
            expect(client.get(self.key("big")) == BIG, True, "GET of 8 MiB")
            expect(client.delete(self.key("big")), 1)

    def binary_keys(self):
        with self.open() as client:
            k = self.prefix.encode() + BYTES
            expect(client.set(k, BYTES), True, "SET")
            expect(client.get(k), BYTES, "GET")
            expect(client.get(k + b"\0"), None, "GET of another key")
            expect(client.hset(k + b"h", BYTES, BYTES), 1, "HSET")
            expect(client.hgetall(k + b"h"), {BYTES: BYTES}, "HGETALL")

    def introspection(self):
        with self.open() as client:
            where = {"target_nodes": client.get_default_node()} if KIND == "cluster" else {}
            expect(client.client_getname(**where), "suite", "CLIENT GETNAME")
            expect(isinstance(client.client_id(**where), int), True, "CLIENT ID")
            expect("redis_version" in client.info(**where), True, "INFO")
            expect(client.command_count(**where) > 200, True, "COMMAND COUNT")
            expect(b"GET" in str(client.execute_command("COMMAND INFO", "GET", **where)).upper().encode(), True, "COMMAND INFO")
            expect(client.time(**where)[0] > 1_700_000_000, True, "TIME")
            expect(client.echo("hello", **where), b"hello", "ECHO")
            client.set(self.key("counted"), 1)
            expect(client.dbsize(**where) >= 1, True, "DBSIZE")

    def administration(self):
        with self.open() as client:
            where = {"target_nodes": client.get_default_node()} if KIND == "cluster" else {}
            expect(client.execute_command("CLIENT INFO", **where)["name"], "suite", "CLIENT INFO")
            expect(any(c["name"] == "suite" for c in client.client_list(**where)), True, "CLIENT LIST")
            expect("maxmemory" in client.config_get("maxmemory", **where), True, "CONFIG GET")

    def errors(self):
        with self.open() as client:
            k = self.key("error")
            client.set(k, "text")
            expect_error(redis.ResponseError, lambda: client.lpush(k, 1), "WRONGTYPE", "wrong kind of value")
            expect_error(redis.ResponseError, lambda: client.incr(k), "not an integer")
            if KIND != "cluster":
                expect_error(redis.ResponseError, lambda: client.execute_command("NOSUCH", k), "unknown command")
                expect_error(redis.ResponseError, lambda: client.execute_command("GET"), "wrong number of arguments")
                pipe = client.pipeline(transaction=False)
                pipe.set(k, 1)
                pipe.lpush(k, 1)
                pipe.get(k)
                got = pipe.execute(raise_on_error=False)
                expect((got[0], type(got[1]), got[2]), (True, redis.ResponseError, b"1"), "a pipeline with an error")
            expect(client.get(k) is not None, True)

    def reconnect(self):
        with self.open() as client:
            client.set(self.key("before"), "kept")
            report.restart_proxy()
            got = report.until(lambda: client.get(self.key("before")), (redis.RedisError, OSError))
            expect(got, b"kept", "GET after the restart")


RedisPy().main()
