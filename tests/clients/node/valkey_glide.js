"use strict";
// valkey-glide, plain or (argument 2: cluster) as a client of a Redis Cluster. Its default is RESP3.

const crypto = require("node:crypto");
const fs = require("node:fs");
const glide = require("@valkey/valkey-glide");
const { BYTES, bigValue, expect, expectError, main, restartProxy, until } = require("./report.js");

const asCluster = process.argv[3] === "cluster";
const { Decoder, GlideClient, GlideClusterClient, Batch, ClusterBatch, ClusterScanCursor, Script, TimeUnit } = glide;
const BUFFERS = { decoder: Decoder.Bytes };
const Requests = asCluster ? ClusterBatch : Batch;
let opened = [];

glide.Logger.setLoggerConfig("off");

async function open(t, port = t.port, more = {}) {
  const options = {
    addresses: [{ host: t.host, port }],
    useTLS: Boolean(t.ca),
    requestTimeout: 10000,
    clientName: "suite",
    connectionBackoff: { numberOfRetries: 50, factor: 50, exponentBase: 1 },
    advancedConfiguration: { connectionTimeout: 4000 },
    ...more,
  };
  if (t.ca) options.advancedConfiguration.tlsAdvancedConfiguration = { rootCertificates: fs.readFileSync(t.ca) };
  const client = await (asCluster ? GlideClusterClient : GlideClient).createClient(options);
  opened.push(client);
  return client;
}

async function cleanUp() {
  for (const client of opened) client.close();
  opened = [];
}

const sorted = (list) => [...list].sort();
const values = (reply) => (Array.isArray(reply) ? reply : Object.values(reply ?? {}));

// The one answer of a request that a cluster's client sends to all masters, of which the proxy is one.
const one = (reply) => (asCluster && reply && typeof reply === "object" && !Array.isArray(reply) ? Object.values(reply)[0] : reply);

const features = {
  async connect(t) {
    const client = await open(t);
    expect(await client.ping(), "PONG", "PING");
  },

  async auth(t) {
    const port = t.portFor("auth");
    const client = await open(t, port, { credentials: { password: t.password } });
    expect(await client.set(t.key("auth"), "in"), "OK");
    expect(await client.get(t.key("auth")), "in");
    const once = { connectionBackoff: { numberOfRetries: 1, factor: 1, exponentBase: 1 } };
    await expectError(open(t, port, { credentials: { password: "wrong" }, ...once }), "WRONGPASS", "invalid", "AuthenticationFailed");
    await expectError(open(t, port, once).then((c) => c.get("x")), "NOAUTH", "Authentication");
  },

  async resp3(t) {
    const client = await open(t);
    const [h, z] = [t.key("resp3h"), t.key("resp3z")];
    if (!asCluster) {
      const hello = await client.customCommand(["HELLO"]);
      expect(hello.find((pair) => pair.key === "proto")?.value, 3, "the protocol in use");
    }
    await client.hset(h, { a: "1" });
    expect(await client.customCommand(["HGETALL", h]), [{ key: "a", value: "1" }], "HGETALL");
    await client.zadd(z, { a: 2.5 });
    expect(await client.customCommand(["ZSCORE", z, "a"]), 2.5, "ZSCORE");
  },

  async strings(t) {
    const client = await open(t);
    const k = t.key("string");
    expect(await client.get(k), null, "GET of nothing");
    expect(await client.set(k, "one"), "OK", "SET");
    expect(await client.set(k, "two", { conditionalSet: "onlyIfDoesNotExist" }), null, "SET NX");
    expect(await client.append(k, " more"), 8, "APPEND");
    expect(await client.getrange(k, 4, -1), "more", "GETRANGE");
    const timed = { expiry: { type: TimeUnit.Milliseconds, count: 50000 }, returnOldValue: true };
    expect(await client.set(k, "timed", timed), "one more", "SET GET PX");
    expect((await client.pttl(k)) > 0, true, "PTTL");
    expect(await client.getdel(k), "timed", "GETDEL");
    expect([await client.incrBy(t.key("count"), 41), await client.incr(t.key("count"))], [41, 42], "INCR");
    expect(await client.incrByFloat(t.key("float"), 1.5), 1.5, "INCRBYFLOAT");
    expect(await client.type(t.key("count")), "string", "TYPE");
  },

  async hashes(t) {
    const client = await open(t);
    const k = t.key("hash");
    expect(await client.hset(k, { a: "1", b: "two" }), 2, "HSET");
    const all = await client.hgetall(k);
    expect(Object.fromEntries(all.map(({ field, value }) => [field, value])), { a: "1", b: "two" }, "HGETALL");
    expect(await client.hmget(k, ["a", "none"]), ["1", null], "HMGET");
    expect([await client.hincrBy(k, "a", 4), await client.hincrByFloat(k, "a", 0.5)], [5, 5.5], "HINCRBY");
    expect([await client.hdel(k, ["b", "none"]), await client.hlen(k), await client.hexists(k, "a")], [1, 1, true], "HDEL");
    expect([await client.hkeys(k), await client.hvals(k)], [["a"], ["5.5"]], "HKEYS, HVALS");
    expect(await client.hrandfieldWithValues(k, 1), [["a", "5.5"]], "HRANDFIELD WITHVALUES");
  },

  async lists(t) {
    const client = await open(t);
    const k = t.key("{list}");
    expect([await client.rpush(k, ["a", "b", "c"]), await client.lpush(k, ["z"])], [3, 4], "RPUSH, LPUSH");
    expect(await client.linsert(k, "before", "b", "x"), 5, "LINSERT");
    expect(await client.lrange(k, 0, -1), ["z", "a", "x", "b", "c"], "LRANGE");
    expect(await client.lpopCount(k, 2), ["z", "a"], "LPOP");
    expect(await client.lmove(k, `${k}2`, "RIGHT", "LEFT"), "c", "LMOVE");
    expect([await client.llen(k), await client.lindex(k, 0), await client.lrem(k, 0, "x")], [2, "x", 1], "LLEN, LREM");
  },

  async sets(t) {
    const client = await open(t);
    const k = t.key("{set}");
    expect([await client.sadd(k, ["a", "b", "c"]), await client.sadd(`${k}2`, ["b", "c", "d"])], [3, 3], "SADD");
    expect(sorted(await client.smembers(k)), ["a", "b", "c"], "SMEMBERS");
    expect(await client.smismember(k, ["a", "d"]), [true, false], "SMISMEMBER");
    expect(sorted(await client.sinter([k, `${k}2`])), ["b", "c"], "SINTER");
    expect(await client.sunionstore(`${k}3`, [k, `${k}2`]), 4, "SUNIONSTORE");
    expect([await client.srem(k, ["a"]), await client.scard(k)], [1, 2], "SREM, SCARD");
  },

  async sorted_sets(t) {
    const client = await open(t);
    const k = t.key("zset");
    expect(await client.zadd(k, { a: 1, b: 2.5, c: Infinity }), 3, "ZADD");
    const all = await client.zrangeWithScores(k, { start: 0, end: -1 });
    expect(all.map((m) => `${m.element} ${m.score}`), ["a 1", "b 2.5", "c Infinity"], "ZRANGE WITHSCORES");
    expect([await client.zscore(k, "b"), await client.zscore(k, "none")], [2.5, null], "ZSCORE");
    expect(await client.zmscore(k, ["a", "none"]), [1, null], "ZMSCORE");
    expect(await client.zincrby(k, 2, "a"), 3, "ZINCRBY");
    expect([await client.zrank(k, "a"), await client.zcount(k, { value: 0 }, { value: 3 })], [1, 2], "ZRANK, ZCOUNT");
    expect((await client.zpopmin(k)).map((m) => `${m.element} ${m.score}`), ["b 2.5"], "ZPOPMIN");
  },

  async streams(t) {
    const client = await open(t);
    const k = t.key("stream");
    const ids = [];
    for (let n = 0; n < 3; n++) ids.push(await client.xadd(k, [["n", `${n}`]]));
    expect(await client.xlen(k), 3, "XLEN");
    const range = await client.xrange(k, { value: ids[1] }, { value: ids[1] });
    expect(range, { [ids[1]]: [["n", "1"]] }, "XRANGE");
    expect(entries(await client.xread({ [k]: ids[1] })), [ids[2]], "XREAD");
    expect(await client.xgroupCreate(k, "group", "0"), "OK", "XGROUP CREATE");
    const got = await client.xreadgroup("group", "reader", { [k]: ">" }, { count: 2 });
    expect(entries(got), ids.slice(0, 2), "XREADGROUP");
    expect(await client.xack(k, "group", [ids[0]]), 1, "XACK");
    expect((await client.xpending(k, "group"))[0], 1, "XPENDING");
    expect((await client.xinfoStream(k)).length, 3, "XINFO STREAM");
    expect(await client.xtrim(k, { method: "maxlen", threshold: 1, exact: true }), 2, "XTRIM");
  },

  async multi_key(t) {
    const client = await open(t);
    const names = Array.from({ length: 200 }, (_, n) => t.key(`many-${n}`));
    expect(await client.mset(Object.fromEntries(names.map((name) => [name, name]))), "OK", "MSET");
    expect(await client.mget([...names, t.key("none")]), [...names, null], "MGET");
    expect(await client.exists(names), 200, "EXISTS");
    expect(await client.unlink(names.slice(0, 100)), 100, "UNLINK");
    expect(await client.del(names), 100, "DEL");
  },

  async pipeline(t) {
    const client = await open(t);
    const batch = new Requests(false);
    for (let n = 0; n < 5000; n++) batch.set(t.key(`pipe-${n}`), `${n}`).get(t.key(`pipe-${n}`));
    const got = await client.exec(batch, true, { timeout: 12000 });
    expect(got, Array.from({ length: 5000 }, (_, n) => ["OK", `${n}`]).flat(), "10,000 replies");
  },

  async transactions(t) {
    const client = await open(t);
    const other = await open(t);
    const [k, second] = [t.key("{t}a"), t.key("{t}b")];
    expect(await client.exec(new Requests(true).set(k, "1").incr(second).get(k), true), ["OK", 1, "1"], "EXEC");
    expect(await client.watch([k]), "OK", "WATCH");
    await other.set(k, "changed");
    expect(await client.exec(new Requests(true).set(k, "lost"), true), null, "EXEC after a change");
    expect(await other.get(k), "changed", "the value after it");
    expect(await client.ping(), "PONG");
  },

  async scripts(t) {
    const client = await open(t);
    const k = t.key("script");
    const set = "return redis.call('SET', KEYS[1], ARGV[1])";
    expect(await client.customCommand(["EVAL", set, "1", k, "v"]), "OK", "EVAL");
    expect(await client.customCommand(["EVAL", "return {1, 'two', {3}, false}", "1", k]), [1, "two", [3], null], "EVAL");
    const body = `return redis.call('GET', KEYS[1]) .. '${t.prefix}'`;
    const script = new Script(body); // sent as EVALSHA, and loaded on NOSCRIPT
    for (let n = 0; n < 20; n++) {
      await client.set(`${k}${n}`, `${n}`);
      expect(await client.invokeScript(script, { keys: [`${k}${n}`] }), `${n}${t.prefix}`, "EVALSHA");
    }
    const digest = crypto.createHash("sha1").update(body).digest("hex");
    expect(one(await client.scriptExists([digest, "0".repeat(40)])), [true, false], "SCRIPT EXISTS");
    await expectError(client.customCommand(["EVALSHA", "f".repeat(40), "1", k]), "NOSCRIPT", "NoScript");
  },

  async pubsub(t) {
    const client = await open(t);
    const sender = await open(t);
    const [channel, pattern] = [t.key("channel"), t.key("chan*")];
    await client.subscribe([channel], 5000);
    await client.psubscribe([pattern], 5000);
    await sender.publish("hello", channel);
    const got = [await client.getPubSubMessage(), await client.getPubSubMessage()];
    expect(got.map((m) => `${m.message} ${m.pattern ?? ""}`).sort(), ["hello ", `hello ${pattern}`], "messages");
    await client.unsubscribe([channel], 5000);
    await client.punsubscribe([pattern], 5000);
    expect(await client.set(t.key("after"), "1"), "OK", "SET after UNSUBSCRIBE");
  },

  async blocking(t) {
    const client = await open(t);
    const other = await open(t);
    const k = t.key("queue");
    expect(await client.blpop([k], 1), null, "BLPOP of nothing");
    setTimeout(() => other.rpush(k, ["job"]).catch(() => {}), 200);
    expect(await client.blpop([k], 5), [k, "job"], "BLPOP");
    const stream = t.key("blocked-stream");
    setTimeout(() => other.xadd(stream, [["n", "1"]]).catch(() => {}), 200);
    expect(entries(await client.xread({ [stream]: "$" }, { block: 5000 })).length, 1, "XREAD BLOCK");
    expect(await client.ping(), "PONG");
  },

  async scan(t) {
    const client = await open(t);
    const names = Array.from({ length: 300 }, (_, n) => t.key(`scan-${n}`));
    await Promise.all(names.map((name) => client.set(name, "1")));
    const found = new Set();
    for (let cursor = asCluster ? new ClusterScanCursor() : "0"; ; ) {
      const [next, page] = await client.scan(cursor, { match: t.key("scan-*"), count: 50 });
      page.forEach((k) => found.add(`${k}`));
      if (asCluster ? next.isFinished() : next === "0") break;
      cursor = next;
    }
    expect([...found].sort(), names.sort(), "SCAN");
    await client.hset(t.key("wide"), Object.fromEntries(names.map((name) => [name, "v".repeat(100)])));
    const fields = new Set();
    for (let cursor = "0"; ; ) {
      const [next, page] = await client.hscan(t.key("wide"), cursor, { count: 50 });
      page.forEach((f, i) => i % 2 || fields.add(f));
      if (next === "0") break;
      cursor = next;
    }
    expect(fields.size, 300, "HSCAN");
  },

  async big_values(t) {
    const client = await open(t);
    const big = bigValue(8 * 1024 * 1024);
    expect(await client.set(t.key("big"), big), "OK", "SET of 8 MiB");
    expect(big.equals(await client.get(t.key("big"), BUFFERS)), true, "GET of 8 MiB");
    expect(await client.del([t.key("big")]), 1);
  },

  async binary_keys(t) {
    const client = await open(t);
    const k = Buffer.concat([Buffer.from(t.prefix), BYTES]);
    expect(await client.set(k, BYTES), "OK", "SET");
    expect(await client.get(k, BUFFERS), BYTES, "GET");
    expect(await client.get(Buffer.concat([k, Buffer.from([0])])), null, "GET of another key");
    const hash = Buffer.concat([k, Buffer.from("h")]);
    expect(await client.hset(hash, [{ field: BYTES, value: BYTES }]), 1, "HSET");
    expect(await client.hget(hash, BYTES, BUFFERS), BYTES, "HGET");
  },

  async introspection(t) {
    const client = await open(t);
    expect(one(await client.clientGetName()), "suite", "CLIENT GETNAME");
    expect(Number.isInteger(one(await client.clientId())), true, "CLIENT ID");
    expect(values(await client.info()).join("").includes("redis_version"), true, "INFO");
    expect(one(await client.customCommand(["COMMAND", "COUNT"])) > 200, true, "COMMAND COUNT");
    expect(Number(one(await client.time())[0]) > 1700000000, true, "TIME");
    expect(one(await client.echo("hello")), "hello", "ECHO");
    await client.set(t.key("counted"), "1");
    expect((await client.dbsize()) >= 1, true, "DBSIZE");
  },

  async administration(t) {
    const client = await open(t);
    expect(`${text(await client.customCommand(["CLIENT", "INFO"]))}`.includes("addr="), true, "CLIENT INFO");
    expect(`${text(await client.customCommand(["CLIENT", "LIST"]))}`.includes("addr="), true, "CLIENT LIST");
    expect(JSON.stringify(await client.configGet(["maxmemory"])).includes("maxmemory"), true, "CONFIG GET");
  },

  async errors(t) {
    const client = await open(t);
    const k = t.key("error");
    await client.set(k, "text");
    await expectError(client.lpush(k, ["1"]), "WRONGTYPE");
    await expectError(client.incr(k), "not an integer");
    await expectError(client.customCommand(["NOSUCH", k]), "unknown command");
    await expectError(client.customCommand(["GET", k, "more"]), "wrong number of arguments");
    const got = await client.exec(new Requests(false).set(k, "1").lpush(k, ["1"]).get(k), false);
    expect([got[0], `${got[1]}`.includes("WRONGTYPE"), got[2]], ["OK", true, "1"], "a pipeline with an error");
  },

  async reconnect(t) {
    const client = await open(t);
    await client.set(t.key("before"), "kept");
    await restartProxy();
    expect(await until(() => client.get(t.key("before"))), "kept", "GET after the restart");
  },
};

// The ids of the entries in a reply of XREAD about one stream.
function entries(reply) {
  const [stream] = reply ?? [];
  return Object.keys(stream?.value ?? {});
}

// What one or all nodes said, as one text.
function text(reply) {
  if (Array.isArray(reply)) return reply.map(text).join(" ");
  return reply && typeof reply === "object" ? JSON.stringify(reply) : reply;
}

main("@valkey/valkey-glide", features, cleanUp);
