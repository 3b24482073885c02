"use strict";
// ioredis, plain or (argument 2: cluster) as a client of a Redis Cluster. RESP3 unless the server does not know it.

const crypto = require("node:crypto");
const fs = require("node:fs");
const { Redis, Cluster } = require("ioredis");
const { BYTES, bigValue, expect, expectError, main, restartProxy, until } = require("./report.js");

const asCluster = process.argv[3] === "cluster";
let opened = [];

async function open(t, port = t.port, more = {}) {
  const options = { connectionName: "suite", connectTimeout: 5000, maxRetriesPerRequest: 2, ...more };
  if (t.ca) options.tls = { ca: fs.readFileSync(t.ca) };
  let failure;
  const client = asCluster
    ? new Cluster([{ host: t.host, port }], {
        redisOptions: options,
        clusterRetryStrategy: (times) => (times > 100 ? null : 50),
        dnsLookup: (address, callback) => callback(null, address),
        lazyConnect: true,
      })
    : new Redis({ host: t.host, port, retryStrategy: (times) => (times > 100 ? null : 50), lazyConnect: true, ...options });
  client.on("error", (error) => (failure = error));
  opened.push(client);
  await client.connect().catch((error) => {
    throw failure ?? error;
  });
  return client;
}

async function cleanUp() {
  for (const client of opened) client.disconnect();
  opened = [];
}

const features = {
  async connect(t) {
    const client = await open(t);
    expect(await client.ping(), "PONG", "PING");
  },

  async auth(t) {
    const port = t.portFor("auth");
    const client = await open(t, port, { password: t.password });
    expect(await client.set(t.key("auth"), "in"), "OK");
    expect(await client.get(t.key("auth")), "in");
    const refused = (more) => open(t, port, { ...more, retryStrategy: null, maxRetriesPerRequest: 0 }).then((c) => c.get("x"));
    if (!asCluster) {
      await expectError(refused({ password: "wrong" }), "WRONGPASS", "invalid");
      await expectError(refused({ enableReadyCheck: false }), "NOAUTH");
    }
  },

  async resp3(t) {
    const client = await open(t);
    // a map in RESP3, a list of names and values in RESP2, where the client had to do without
    const hello = await client.call("HELLO");
    expect(Array.isArray(hello) ? hello[hello.indexOf("proto") + 1] : plainPairs(hello).proto, 3, "the protocol in use");
    await client.zadd(t.key("resp3"), 2.5, "a");
    expect(Number(await client.zscore(t.key("resp3"), "a")), 2.5, "ZSCORE");
  },

  async strings(t) {
    const client = await open(t);
    const k = t.key("string");
    expect(await client.get(k), null, "GET of nothing");
    expect(await client.set(k, "one"), "OK", "SET");
    expect(await client.set(k, "two", "NX"), null, "SET NX");
    expect(await client.append(k, " more"), 8, "APPEND");
    expect(await client.getrange(k, 4, -1), "more", "GETRANGE");
    expect(await client.set(k, "timed", "PX", 50000, "GET"), "one more", "SET GET PX");
    expect((await client.pttl(k)) > 0, true, "PTTL");
    expect(await client.getdel(k), "timed", "GETDEL");
    expect([await client.incrby(t.key("count"), 41), await client.incr(t.key("count"))], [41, 42], "INCR");
    expect(await client.incrbyfloat(t.key("float"), 1.5), "1.5", "INCRBYFLOAT");
    expect(await client.type(t.key("count")), "string", "TYPE");
  },

  async hashes(t) {
    const client = await open(t);
    const k = t.key("hash");
    expect(await client.hset(k, { a: 1, b: "two" }), 2, "HSET");
    expect(await client.hgetall(k), { a: "1", b: "two" }, "HGETALL");
    expect(await client.hgetall(t.key("none")), {}, "HGETALL of nothing");
    expect(await client.hmget(k, "a", "none"), ["1", null], "HMGET");
    expect([await client.hincrby(k, "a", 4), await client.hincrbyfloat(k, "a", 0.5)], [5, "5.5"], "HINCRBY");
    expect([await client.hdel(k, "b", "none"), await client.hlen(k), await client.hexists(k, "a")], [1, 1, 1], "HDEL");
    expect([await client.hkeys(k), await client.hvals(k)], [["a"], ["5.5"]], "HKEYS, HVALS");
  },

  async lists(t) {
    const client = await open(t);
    const k = t.key("{list}");
    expect([await client.rpush(k, "a", "b", "c"), await client.lpush(k, "z")], [3, 4], "RPUSH, LPUSH");
    expect(await client.linsert(k, "BEFORE", "b", "x"), 5, "LINSERT");
    expect(await client.lrange(k, 0, -1), ["z", "a", "x", "b", "c"], "LRANGE");
    expect(await client.lpop(k, 2), ["z", "a"], "LPOP");
    expect(await client.lmove(k, `${k}2`, "RIGHT", "LEFT"), "c", "LMOVE");
    expect([await client.llen(k), await client.lindex(k, 0), await client.lrem(k, 0, "x")], [2, "x", 1], "LLEN, LREM");
  },

  async sets(t) {
    const client = await open(t);
    const k = t.key("{set}");
    expect([await client.sadd(k, "a", "b", "c"), await client.sadd(`${k}2`, "b", "c", "d")], [3, 3], "SADD");
    expect((await client.smembers(k)).sort(), ["a", "b", "c"], "SMEMBERS");
    expect([await client.sismember(k, "a"), await client.smismember(k, "a", "d")], [1, [1, 0]], "SISMEMBER");
    expect((await client.sinter(k, `${k}2`)).sort(), ["b", "c"], "SINTER");
    expect(await client.sunionstore(`${k}3`, k, `${k}2`), 4, "SUNIONSTORE");
    expect([await client.srem(k, "a"), await client.scard(k)], [1, 2], "SREM, SCARD");
  },

  async sorted_sets(t) {
    const client = await open(t);
    const k = t.key("zset");
    expect(await client.zadd(k, 1, "a", 2.5, "b", "inf", "c"), 3, "ZADD");
    const scores = (await client.zrange(k, 0, -1, "WITHSCORES")).flat().map(String);
    expect([scores.length, scores.slice(0, 5)], [6, ["a", "1", "b", "2.5", "c"]], "ZRANGE WITHSCORES");
    expect(Number(await client.zscore(k, "b")), 2.5, "ZSCORE");
    expect(await client.zscore(k, "none"), null, "ZSCORE of nothing");
    expect(Number(await client.zincrby(k, 2, "a")), 3, "ZINCRBY");
    expect(await client.zrangebyscore(k, 2, 3), ["b", "a"], "ZRANGEBYSCORE");
    expect([await client.zrank(k, "a"), await client.zcount(k, 0, 3)], [1, 2], "ZRANK, ZCOUNT");
    expect((await client.zpopmin(k)).flat().map(String), ["b", "2.5"], "ZPOPMIN");
  },

  async streams(t) {
    const client = await open(t);
    const k = t.key("stream");
    const ids = [];
    for (let n = 0; n < 3; n++) ids.push(await client.xadd(k, "*", "n", n));
    expect(await client.xlen(k), 3, "XLEN");
    expect(await client.xrange(k, ids[1], ids[1]), [[ids[1], ["n", "1"]]], "XRANGE");
    expect(entries(await client.xread("STREAMS", k, ids[1]), k), [[ids[2], ["n", "2"]]], "XREAD");
    expect(await client.xgroup("CREATE", k, "group", "0"), "OK", "XGROUP CREATE");
    const got = entries(await client.xreadgroup("GROUP", "group", "reader", "COUNT", 2, "STREAMS", k, ">"), k);
    expect(got.map((entry) => entry[0]), ids.slice(0, 2), "XREADGROUP");
    expect(await client.xack(k, "group", ids[0]), 1, "XACK");
    expect((await client.xpending(k, "group"))[0], 1, "XPENDING");
    expect(await client.xtrim(k, "MAXLEN", 1), 2, "XTRIM");
  },

  async multi_key(t) {
    const client = await open(t);
    const names = Array.from({ length: 200 }, (_, n) => t.key(`many-${n}`));
    expect(await client.mset(new Map(names.map((name) => [name, name]))), "OK", "MSET");
    expect(await client.mget(...names, t.key("none")), [...names, null], "MGET");
    expect(await client.exists(...names), 200, "EXISTS");
    expect(await client.unlink(...names.slice(0, 100)), 100, "UNLINK");
    expect(await client.del(...names), 100, "DEL");
  },

  async pipeline(t) {
    const client = await open(t);
    const pipe = client.pipeline();
    // as a Cluster's client it takes one node's keys; all slots are the proxy's where it stands for one
    for (let n = 0; n < 5000; n++) pipe.set(t.key(`pipe-${n}`), n).get(t.key(`pipe-${n}`));
    const wanted = Array.from({ length: 5000 }, (_, n) => [[null, "OK"], [null, `${n}`]]).flat();
    expect(await pipe.exec(), wanted, "10,000 replies");
  },

  async transactions(t) {
    const client = await open(t);
    const other = await open(t);
    const [k, second] = [t.key("{t}a"), t.key("{t}b")];
    expect(await client.multi().set(k, 1).incr(second).get(k).exec(), [[null, "OK"], [null, 1], [null, "1"]], "EXEC");
    expect(await client.watch(k), "OK", "WATCH");
    await other.set(k, "changed");
    expect(await client.multi().set(k, "lost").exec(), null, "EXEC after a change");
    expect(await other.get(k), "changed", "the value after it");
    expect(await client.ping(), "PONG");
  },

  async scripts(t) {
    const client = await open(t);
    const k = t.key("script");
    expect(await client.eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, k, "v"), "OK", "EVAL");
    expect(await client.eval("return {1, 'two', {3}, false}", 1, k), [1, "two", [3], null], "EVAL");
    const body = `return redis.call('GET', KEYS[1]) .. '${t.prefix}'`;
    const digest = crypto.createHash("sha1").update(body).digest("hex");
    expect(await client.script("LOAD", body), digest, "SCRIPT LOAD");
    for (let n = 0; n < 20; n++) {
      await client.set(`${k}${n}`, n);
      expect(await client.evalsha(digest, 1, `${k}${n}`), `${n}${t.prefix}`, "EVALSHA");
    }
    expect(await client.script("EXISTS", digest, "0".repeat(40)), [1, 0], "SCRIPT EXISTS");
    await expectError(client.evalsha("f".repeat(40), 1, k), "NOSCRIPT");
    client.defineCommand("suite", { numberOfKeys: 1, lua: `return '${t.prefix}' .. KEYS[1]` });
    expect(await client.suite(k), t.prefix + k, "a defined command");
  },

  async pubsub(t) {
    const client = await open(t);
    const sender = await open(t);
    const [channel, pattern] = [t.key("channel"), t.key("chan*")];
    const got = [];
    const both = new Promise((resolve) => {
      const note = (kind, body) => {
        got.push(`${kind} ${body.length}`);
        if (got.length === 2) resolve();
      };
      client.on("messageBuffer", (_, body) => note("message", body));
      client.on("pmessageBuffer", (_, __, body) => note("pmessage", body));
    });
    expect([await client.subscribe(channel), await client.psubscribe(pattern)], [1, 2], "SUBSCRIBE");
    await sender.publish(channel, BYTES);
    await both;
    expect(got.sort(), ["message 256", "pmessage 256"], "messages");
    expect([await client.unsubscribe(channel), await client.punsubscribe(pattern)], [1, 0], "UNSUBSCRIBE");
    expect(await client.set(t.key("after"), 1), "OK", "SET after UNSUBSCRIBE");
  },

  async blocking(t) {
    const client = await open(t);
    const other = await open(t);
    const k = t.key("queue");
    expect(await client.blpop(k, 1), null, "BLPOP of nothing");
    setTimeout(() => other.rpush(k, "job").catch(() => {}), 200);
    expect(await client.blpop(k, 5), [k, "job"], "BLPOP");
    const stream = t.key("blocked-stream");
    setTimeout(() => other.xadd(stream, "*", "n", 1).catch(() => {}), 200);
    expect(entries(await client.xread("BLOCK", 5000, "STREAMS", stream, "$"), stream).length, 1, "XREAD BLOCK");
    expect(await client.ping(), "PONG");
  },

  async scan(t) {
    const client = await open(t);
    const names = Array.from({ length: 300 }, (_, n) => t.key(`scan-${n}`));
    await Promise.all(names.map((name) => client.set(name, 1)));
    const found = new Set();
    for (const node of asCluster ? client.nodes("master") : [client]) {
      for await (const page of node.scanStream({ match: t.key("scan-*"), count: 50 })) page.forEach((k) => found.add(k));
    }
    expect([...found].sort(), names.sort(), "SCAN");
    await client.hset(t.key("wide"), Object.fromEntries(names.map((name) => [name, "v".repeat(100)])));
    const fields = new Set();
    for await (const page of client.hscanStream(t.key("wide"), { count: 50 })) page.forEach((f, i) => i % 2 || fields.add(f));
    expect(fields.size, 300, "HSCAN");
  },

  async big_values(t) {
    const client = await open(t);
    const big = bigValue(8 * 1024 * 1024);
    expect(await client.set(t.key("big"), big), "OK", "SET of 8 MiB");
    expect(big.equals(await client.getBuffer(t.key("big"))), true, "GET of 8 MiB");
    expect(await client.del(t.key("big")), 1);
  },

  async binary_keys(t) {
    const client = await open(t);
    const k = Buffer.concat([Buffer.from(t.prefix), BYTES]);
    expect(await client.set(k, BYTES), "OK", "SET");
    expect(await client.getBuffer(k), BYTES, "GET");
    expect(await client.get(Buffer.concat([k, Buffer.from([0])])), null, "GET of another key");
    const hash = Buffer.concat([k, Buffer.from("h")]);
    expect(await client.hset(hash, BYTES, BYTES), 1, "HSET");
    expect(await client.hgetBuffer(hash, BYTES), BYTES, "HGET");
  },

  async introspection(t) {
    const client = await open(t);
    if (!asCluster) expect(await client.client("GETNAME"), "suite", "CLIENT GETNAME");
    expect(Number.isInteger(await client.client("ID")), true, "CLIENT ID");
    expect((await client.info()).includes("redis_version"), true, "INFO");
    expect((await client.command("COUNT")) > 200, true, "COMMAND COUNT");
    expect((await client.command("INFO", "get"))[0][0], "get", "COMMAND INFO");
    expect(Number((await client.time())[0]) > 1700000000, true, "TIME");
    expect(await client.echo("hello"), "hello", "ECHO");
    await client.set(t.key("counted"), 1);
    expect((await client.dbsize()) >= 1, true, "DBSIZE");
  },

  async administration(t) {
    const client = await open(t);
    expect((await client.client("INFO")).includes("addr="), true, "CLIENT INFO");
    expect((await client.client("LIST")).includes("addr="), true, "CLIENT LIST");
    const config = await client.config("GET", "maxmemory");
    expect(JSON.stringify(plainPairs(config)).includes("maxmemory"), true, "CONFIG GET");
  },

  async errors(t) {
    const client = await open(t);
    const k = t.key("error");
    await client.set(k, "text");
    await expectError(client.lpush(k, 1), "WRONGTYPE");
    await expectError(client.incr(k), "not an integer");
    await expectError(client.call("NOSUCH", k), "unknown command");
    await expectError(client.call("GET", k, "more"), "wrong number of arguments");
    const got = await client.pipeline().set(k, 1).lpush(k, 1).get(k).exec();
    expect([got[0][1], `${got[1][0]}`.includes("WRONGTYPE"), got[2][1]], ["OK", true, "1"], "a pipeline with an error");
    expect(await client.get(k), "1");
  },

  async reconnect(t) {
    const client = await open(t, t.port, { maxRetriesPerRequest: null });
    await client.set(t.key("before"), "kept");
    await restartProxy();
    expect(await until(() => client.get(t.key("before"))), "kept", "GET after the restart");
  },
};

// The entries of one stream in a reply of XREAD: a list of pairs in RESP2, a map in RESP3.
function entries(reply, key) {
  if (Array.isArray(reply)) {
    const pair = reply.find((one) => `${one[0]}` === key);
    return pair ? pair[1] : [];
  }
  return plainPairs(reply)[key] ?? [];
}

function plainPairs(reply) {
  return reply instanceof Map ? Object.fromEntries(reply) : (reply ?? {});
}

main("ioredis", features, cleanUp);
