"use strict";
// node-redis, plain or (argument 2: cluster) as a client of a Redis Cluster. Its default is RESP3.

const crypto = require("node:crypto");
const fs = require("node:fs");
const { createClient, createCluster, RESP_TYPES, WatchError } = require("redis");
const { BYTES, bigValue, expect, expectError, main, pause, restartProxy, until, within } = require("./report.js");

const asCluster = process.argv[3] === "cluster";
const AS_BUFFERS = { [RESP_TYPES.BLOB_STRING]: Buffer };
let opened = [];

async function open(t, port = t.port, more = {}) {
  const socket = { host: t.host, port, connectTimeout: 5000, reconnectStrategy: (retries) => (retries > 100 ? false : 50) };
  if (more.once) socket.reconnectStrategy = false;
  delete more.once;
  if (t.ca) Object.assign(socket, { tls: true, ca: fs.readFileSync(t.ca) });
  const options = { name: "suite", ...more };
  const { host, port: _, ...defaults } = socket;
  const client = asCluster
    ? createCluster({ rootNodes: [{ socket }], defaults: { ...options, socket: defaults }, minimizeConnections: true })
    : createClient({ socket, ...options });
  let failure;
  client.on("error", (error) => (failure = error));
  opened.push(client);
  await Promise.race([
    client.connect(),
    // With reconnects on it would try for ever: a second without a connection is an answer.
    pause(asCluster ? 8000 : 3000).then(() => {
      if (!client.isReady && !asCluster) throw failure ?? new Error("no connection after 3 s");
    }),
  ]);
  return client;
}

async function cleanUp() {
  for (const client of opened) {
    try {
      await client.destroy();
    } catch {
      // was never open
    }
  }
  opened = [];
}

const sorted = (list) => [...list].sort();

const features = {
  async connect(t) {
    const client = await open(t);
    expect(asCluster ? await client.set(t.key("hello"), "x") : await client.ping(), asCluster ? "OK" : "PONG", "PING");
  },

  async auth(t) {
    const port = t.portFor("auth");
    const client = await open(t, port, { password: t.password });
    expect(await client.set(t.key("auth"), "in"), "OK");
    expect(await client.get(t.key("auth")), "in");
    if (!asCluster) {
      await expectError(open(t, port, { password: "wrong", once: true }), "WRONGPASS", "invalid");
      await expectError(open(t, port, { once: true }).then((c) => c.get("x")), "NOAUTH");
    }
  },

  async resp3(t) {
    const client = await open(t);
    const call = asCluster
      ? (...words) => client.sendCommand(words[1], false, words)
      : (...words) => client.sendCommand(words);
    const [h, z] = [t.key("resp3h"), t.key("resp3z")];
    if (!asCluster) expect(pairs(await call("HELLO")).proto, 3, "the protocol in use");
    await client.hSet(h, "a", "1");
    expect(pairs(await call("HGETALL", h)), { a: "1" }, "HGETALL");
    await client.zAdd(z, { value: "a", score: 2.5 });
    expect(await call("ZSCORE", z, "a"), 2.5, "ZSCORE");
  },

  async strings(t) {
    const client = await open(t);
    const k = t.key("string");
    expect(await client.get(k), null, "GET of nothing");
    expect(await client.set(k, "one"), "OK", "SET");
    expect(await client.set(k, "two", { condition: "NX" }), null, "SET NX");
    expect(await client.append(k, " more"), 8, "APPEND");
    expect(await client.getRange(k, 4, -1), "more", "GETRANGE");
    expect(await client.set(k, "timed", { expiration: { type: "PX", value: 50000 }, GET: true }), "one more", "SET GET PX");
    expect((await client.pTTL(k)) > 0, true, "PTTL");
    expect(await client.getDel(k), "timed", "GETDEL");
    expect([await client.incrBy(t.key("count"), 41), await client.incr(t.key("count"))], [41, 42], "INCR");
    expect(Number(await client.incrByFloat(t.key("float"), 1.5)), 1.5, "INCRBYFLOAT");
    expect(await client.type(t.key("count")), "string", "TYPE");
  },

  async hashes(t) {
    const client = await open(t);
    const k = t.key("hash");
    expect(await client.hSet(k, { a: 1, b: "two" }), 2, "HSET");
    expect(await client.hGetAll(k), { a: "1", b: "two" }, "HGETALL");
    expect(await client.hGetAll(t.key("none")), {}, "HGETALL of nothing");
    expect(await client.hmGet(k, ["a", "none"]), ["1", null], "HMGET");
    expect([await client.hIncrBy(k, "a", 4), await client.hIncrByFloat(k, "a", 0.5)], [5, "5.5"], "HINCRBY");
    expect([await client.hDel(k, ["b", "none"]), await client.hLen(k)], [1, 1], "HDEL");
    expect(Boolean(await client.hExists(k, "a")), true, "HEXISTS");
    expect([await client.hKeys(k), await client.hVals(k)], [["a"], ["5.5"]], "HKEYS, HVALS");
    expect(await client.hRandFieldCountWithValues(k, 1), [{ field: "a", value: "5.5" }], "HRANDFIELD WITHVALUES");
  },

  async lists(t) {
    const client = await open(t);
    const k = t.key("{list}");
    expect([await client.rPush(k, ["a", "b", "c"]), await client.lPush(k, "z")], [3, 4], "RPUSH, LPUSH");
    expect(await client.lInsert(k, "BEFORE", "b", "x"), 5, "LINSERT");
    expect(await client.lRange(k, 0, -1), ["z", "a", "x", "b", "c"], "LRANGE");
    expect(await client.lPopCount(k, 2), ["z", "a"], "LPOP");
    expect(await client.lMove(k, `${k}2`, "RIGHT", "LEFT"), "c", "LMOVE");
    expect([await client.lLen(k), await client.lIndex(k, 0), await client.lRem(k, 0, "x")], [2, "x", 1], "LLEN, LREM");
  },

  async sets(t) {
    const client = await open(t);
    const k = t.key("{set}");
    expect([await client.sAdd(k, ["a", "b", "c"]), await client.sAdd(`${k}2`, ["b", "c", "d"])], [3, 3], "SADD");
    expect(sorted(await client.sMembers(k)), ["a", "b", "c"], "SMEMBERS");
    expect((await client.smIsMember(k, ["a", "d"])).map(Boolean), [true, false], "SMISMEMBER");
    expect(sorted(await client.sInter([k, `${k}2`])), ["b", "c"], "SINTER");
    expect(await client.sUnionStore(`${k}3`, [k, `${k}2`]), 4, "SUNIONSTORE");
    expect([await client.sRem(k, "a"), await client.sCard(k)], [1, 2], "SREM, SCARD");
  },

  async sorted_sets(t) {
    const client = await open(t);
    const k = t.key("zset");
    const members = [{ value: "a", score: 1 }, { value: "b", score: 2.5 }, { value: "c", score: Infinity }];
    expect(await client.zAdd(k, members), 3, "ZADD");
    expect((await client.zRangeWithScores(k, 0, -1)).map((m) => `${m.value} ${m.score}`), ["a 1", "b 2.5", "c Infinity"],
      "ZRANGE WITHSCORES");
    expect([await client.zScore(k, "b"), await client.zScore(k, "none")], [2.5, null], "ZSCORE");
    expect(await client.zmScore(k, ["a", "none"]), [1, null], "ZMSCORE");
    expect(await client.zIncrBy(k, 2, "a"), 3, "ZINCRBY");
    expect(await client.zRangeByScore(k, 2, 3), ["b", "a"], "ZRANGEBYSCORE");
    expect([await client.zRank(k, "a"), await client.zCount(k, 0, 3)], [1, 2], "ZRANK, ZCOUNT");
    expect(await client.zPopMin(k), { value: "b", score: 2.5 }, "ZPOPMIN");
  },

  async streams(t) {
    const client = await open(t);
    const k = t.key("stream");
    const ids = [];
    for (let n = 0; n < 3; n++) ids.push(await client.xAdd(k, "*", { n: `${n}` }));
    expect(await client.xLen(k), 3, "XLEN");
    const range = await client.xRange(k, ids[1], ids[1]);
    expect([range.length, range[0].id, { ...range[0].message }], [1, ids[1], { n: "1" }], "XRANGE");
    expect(entries(await client.xRead({ key: k, id: ids[1] }), k).map((e) => e.id), [ids[2]], "XREAD");
    expect(await client.xGroupCreate(k, "group", "0"), "OK", "XGROUP CREATE");
    const got = entries(await client.xReadGroup("group", "reader", { key: k, id: ">" }, { COUNT: 2 }), k);
    expect(got.map((entry) => entry.id), ids.slice(0, 2), "XREADGROUP");
    expect(await client.xAck(k, "group", ids[0]), 1, "XACK");
    expect((await client.xPending(k, "group")).pending, 1, "XPENDING");
    expect((await client.xInfoStream(k)).length, 3, "XINFO STREAM");
    expect(await client.xTrim(k, "MAXLEN", 1), 2, "XTRIM");
  },

  async multi_key(t) {
    const client = await open(t);
    const names = Array.from({ length: 200 }, (_, n) => t.key(`many-${n}`));
    expect(await client.mSet(names.map((name) => [name, name])), "OK", "MSET");
    expect(await client.mGet([...names, t.key("none")]), [...names, null], "MGET");
    expect(await client.exists(names), 200, "EXISTS");
    expect(await client.unlink(names.slice(0, 100)), 100, "UNLINK");
    expect(await client.del(names), 100, "DEL");
  },

  async pipeline(t) {
    const client = await open(t);
    const waiting = []; // what is asked in one turn of the event loop leaves as one pipeline
    for (let n = 0; n < 5000; n++) {
      waiting.push(client.set(t.key(`pipe-${n}`), `${n}`), client.get(t.key(`pipe-${n}`)));
    }
    expect(await Promise.all(waiting), Array.from({ length: 5000 }, (_, n) => ["OK", `${n}`]).flat(), "10,000 replies");
  },

  async transactions(t) {
    const client = await open(t);
    const [k, second] = [t.key("{t}a"), t.key("{t}b")];
    expect(await client.multi().set(k, "1").incr(second).get(k).exec(), ["OK", 1, "1"], "EXEC");
    if (asCluster) return; // WATCH is of a single connection's client
    const other = await open(t);
    expect(await client.watch(k), "OK", "WATCH");
    await other.set(k, "changed");
    const lost = await client.multi().set(k, "lost").exec().catch((error) => error);
    expect(lost instanceof WatchError, true, `EXEC after a change gave ${lost}, which is a WatchError`);
    expect(await other.get(k), "changed", "the value after it");
    expect(await client.ping(), "PONG");
  },

  async scripts(t) {
    const client = await open(t);
    const k = t.key("script");
    const set = "return redis.call('SET', KEYS[1], ARGV[1])";
    expect(await client.eval(set, { keys: [k], arguments: ["v"] }), "OK", "EVAL");
    expect(await client.eval("return {1, 'two', {3}, false}", { keys: [k] }), [1, "two", [3], null], "EVAL");
    const body = `return redis.call('GET', KEYS[1]) .. '${t.prefix}'`;
    const digest = crypto.createHash("sha1").update(body).digest("hex");
    if (!asCluster) {
      expect(await client.scriptLoad(body), digest, "SCRIPT LOAD");
      for (let n = 0; n < 20; n++) {
        await client.set(`${k}${n}`, `${n}`);
        expect(await client.evalSha(digest, { keys: [`${k}${n}`] }), `${n}${t.prefix}`, "EVALSHA");
      }
      expect(await client.scriptExists([digest, "0".repeat(40)]), [1, 0], "SCRIPT EXISTS");
    }
    await expectError(client.evalSha("f".repeat(40), { keys: [k] }), "NOSCRIPT");
  },

  async pubsub(t) {
    const client = await open(t);
    const sender = await open(t);
    const [channel, pattern] = [t.key("channel"), t.key("chan*")];
    const got = [];
    let both;
    const arrived = new Promise((resolve) => (both = resolve));
    const note = (kind) => (body) => {
      got.push(`${kind} ${body.length}`);
      if (got.length === 2) both();
    };
    await client.subscribe(channel, note("message"), true);
    await client.pSubscribe(pattern, note("pmessage"), true);
    await sender.publish(channel, BYTES);
    await within(arrived, 5000, "waiting for messages");
    expect(got.sort(), ["message 256", "pmessage 256"], "messages");
    await client.unsubscribe(channel);
    await client.pUnsubscribe(pattern);
    expect(await client.set(t.key("after"), "1"), "OK", "SET after UNSUBSCRIBE");
  },

  async blocking(t) {
    const client = await open(t);
    const other = await open(t);
    const k = t.key("queue");
    expect(await client.blPop(k, 1), null, "BLPOP of nothing");
    setTimeout(() => other.rPush(k, "job").catch(() => {}), 200);
    expect(await client.blPop(k, 5), { key: k, element: "job" }, "BLPOP");
    const stream = t.key("blocked-stream");
    setTimeout(() => other.xAdd(stream, "*", { n: "1" }).catch(() => {}), 200);
    expect(entries(await client.xRead({ key: stream, id: "$" }, { BLOCK: 5000 }), stream).length, 1, "XREAD BLOCK");
    expect(await client.set(k, "after"), "OK");
  },

  async scan(t) {
    const client = await open(t);
    const names = Array.from({ length: 300 }, (_, n) => t.key(`scan-${n}`));
    await Promise.all(names.map((name) => client.set(name, "1")));
    const found = new Set();
    const nodes = asCluster ? await Promise.all(client.masters.map((node) => client.nodeClient(node))) : [client];
    for (const node of nodes) {
      for await (const page of node.scanIterator({ MATCH: t.key("scan-*"), COUNT: 50 })) page.forEach((k) => found.add(k));
    }
    expect([...found].sort(), names.sort(), "SCAN");
    await client.hSet(t.key("wide"), Object.fromEntries(names.map((name) => [name, "v".repeat(100)])));
    const fields = new Set();
    for (let cursor = "0"; ; ) {
      const page = await client.hScan(t.key("wide"), cursor, { COUNT: 50 });
      page.entries.forEach((entry) => fields.add(entry.field));
      cursor = `${page.cursor}`;
      if (cursor === "0") break;
    }
    expect(fields.size, 300, "HSCAN");
  },

  async big_values(t) {
    const client = await open(t);
    const big = bigValue(8 * 1024 * 1024);
    expect(await client.set(t.key("big"), big), "OK", "SET of 8 MiB");
    expect(big.equals(await client.withTypeMapping(AS_BUFFERS).get(t.key("big"))), true, "GET of 8 MiB");
    expect(await client.del(t.key("big")), 1);
  },

  async binary_keys(t) {
    const client = await open(t);
    const raw = client.withTypeMapping(AS_BUFFERS);
    const k = Buffer.concat([Buffer.from(t.prefix), BYTES]);
    expect(await client.set(k, BYTES), "OK", "SET");
    expect(await raw.get(k), BYTES, "GET");
    expect(await client.get(Buffer.concat([k, Buffer.from([0])])), null, "GET of another key");
    const hash = Buffer.concat([k, Buffer.from("h")]);
    expect(await client.hSet(hash, BYTES, BYTES), 1, "HSET");
    expect(await raw.hGet(hash, BYTES), BYTES, "HGET");
  },

  async introspection(t) {
    const opened = await open(t);
    const client = asCluster ? await opened.nodeClient(opened.masters[0]) : opened;
    if (!asCluster) expect(await client.clientGetName(), "suite", "CLIENT GETNAME");
    expect(Number.isInteger(await client.clientId()), true, "CLIENT ID");
    expect((await client.info()).includes("redis_version"), true, "INFO");
    expect((await client.commandCount()) > 200, true, "COMMAND COUNT");
    expect((await client.commandInfo(["get"]))[0].name, "get", "COMMAND INFO");
    expect(Number((await client.time())[0]) > 1700000000, true, "TIME");
    expect(await client.echo("hello"), "hello", "ECHO");
    await opened.set(t.key("counted"), "1");
    expect((await client.dbSize()) >= 1, true, "DBSIZE");
  },

  async administration(t) {
    const opened = await open(t);
    const client = asCluster ? await opened.nodeClient(opened.masters[0]) : opened;
    expect(typeof (await client.clientInfo()).addr, "string", "CLIENT INFO");
    expect((await client.clientList()).length >= 1, true, "CLIENT LIST");
    expect("maxmemory" in (await client.configGet("maxmemory")), true, "CONFIG GET");
  },

  async errors(t) {
    const client = await open(t);
    const k = t.key("error");
    await client.set(k, "text");
    await expectError(client.lPush(k, "1"), "WRONGTYPE");
    await expectError(client.incr(k), "not an integer");
    if (!asCluster) {
      await expectError(client.sendCommand(["NOSUCH", k]), "unknown command");
      await expectError(client.sendCommand(["GET", k, "more"]), "wrong number of arguments");
    }
    const got = await Promise.allSettled([client.set(k, "1"), client.lPush(k, "1"), client.get(k)]);
    expect([got[0].value, got[1].reason?.message.includes("WRONGTYPE"), got[2].value], ["OK", true, "1"],
      "a pipeline with an error");
  },

  async reconnect(t) {
    const client = await open(t);
    await client.set(t.key("before"), "kept");
    await restartProxy();
    expect(await until(() => client.get(t.key("before"))), "kept", "GET after the restart");
  },
};

// A map of RESP3; nothing where it is a list of RESP2.
function pairs(reply) {
  if (Array.isArray(reply)) throw new Error("a list, not a map");
  return reply instanceof Map ? Object.fromEntries(reply) : { ...reply };
}

// The messages of one stream in a reply of XREAD: a list in RESP2, a map's values in RESP3.
function entries(reply, key) {
  if (Array.isArray(reply)) return reply.find((one) => `${one.name}` === key)?.messages ?? [];
  const found = reply instanceof Map ? reply.get(key) : reply?.[key];
  return found ?? [];
}

main("redis", features, cleanUp);
