"use strict";
// memjs: the binary protocol.

const memjs = require("memjs");
const { BYTES, NotInClient, bigValue, expect, expectError, main, pause, restartProxy, until } = require("./report.js");

let opened = [];
const quiet = { log() {} };

function open(t, port = t.port, more = {}) {
  const client = memjs.Client.create(`${t.host}:${port}`, { timeout: 10, conntimeout: 5, retries: 1, logger: quiet, ...more });
  opened.push(client);
  return client;
}

async function cleanUp() {
  for (const client of opened) client.close();
  opened = [];
}

const get = async (client, key) => (await client.get(key)).value;
const text = async (client, key) => (await get(client, key))?.toString() ?? null;
const stats = (client) =>
  new Promise((resolve, reject) => client.stats((error, _, got) => (error ? reject(error) : resolve(got))));
const flush = (client) =>
  new Promise((resolve) => client.flush((error, results) => resolve(error ?? Object.values(results ?? {})[0])));

const features = {
  async connect(t) {
    expect(await open(t).set(t.key("hello"), "x", {}), true, "set");
  },

  async auth(t) {
    const port = t.portFor("auth");
    const client = open(t, port, { username: t.user, password: t.password });
    expect(await client.set(t.key("auth"), "in", {}), true);
    expect(await text(client, t.key("auth")), "in");
    await expectError(open(t, port, { username: t.user, password: "wrong", timeout: 1 }).set("a", "b", {}));
    await expectError(open(t, port, { timeout: 1 }).set("a", "b", {}));
  },

  async get_set(t) {
    const client = open(t);
    const k = t.key("k");
    expect(await text(client, k), null, "get of nothing");
    expect(await client.set(k, "one", {}), true, "set");
    expect(await text(client, k), "one", "get");
    expect([await client.delete(k), await client.delete(k)], [true, false], "delete");
  },

  async add_replace(t) {
    const client = open(t);
    const k = t.key("add");
    expect([await client.add(k, "1", {}), await client.add(k, "2", {})], [true, false], "add");
    expect([await client.replace(k, "3", {}), await client.replace(`${k}-none`, "4", {})], [true, false], "replace");
    expect(await text(client, k), "3");
  },

  async cas() {
    throw new NotInClient("memjs has no cas");
  },

  async append(t) {
    const client = open(t);
    const k = t.key("append");
    await client.set(k, "b", {});
    expect([await client.append(k, "c"), await text(client, k)], [true, "bc"]); // its prepend() sends an append
    await expectError(client.append(`${k}-none`, "x"), "not stored");
  },

  async incr(t) {
    const client = open(t);
    const k = t.key("incr");
    const value = async (promise) => (await promise).value;
    expect(await value(client.increment(k, 1, { initial: 10 })), 10, "increment of nothing");
    expect(await value(client.increment(k, 5, {})), 15, "increment");
    expect(await value(client.decrement(k, 3, {})), 12, "decrement");
  },

  async touch(t) {
    const client = open(t);
    const k = t.key("touch");
    await client.set(k, "1", {});
    expect([await client.touch(k, 100), await client.touch(`${k}-none`, 100)], [true, false], "touch");
    expect(await text(client, k), "1");
  },

  async gat() {
    throw new NotInClient("memjs has no gat");
  },

  async multi_get(t) {
    // memjs has no multi-get: it sends the gets one behind the other
    const client = open(t);
    const names = Array.from({ length: 1000 }, (_, n) => t.key(`m${n}`));
    await Promise.all(names.map((name) => client.set(name, name, {})));
    expect(await Promise.all(names.map((name) => text(client, name))), names, "1,000 gets");
  },

  async quiet() {
    throw new NotInClient("memjs sends no quiet requests");
  },

  async big_values(t) {
    const client = open(t);
    const big = bigValue(4 * 1024 * 1024);
    expect(await client.set(t.key("big"), big, {}), true, "set of 4 MiB");
    expect(big.equals(await get(client, t.key("big"))), true, "get of 4 MiB");
    await client.delete(t.key("big"));
  },

  async binary_values(t) {
    const client = open(t);
    expect(await client.set(t.key("binary"), BYTES, {}), true, "set");
    expect(await get(client, t.key("binary")), BYTES, "get");
  },

  async expiry(t) {
    const client = open(t);
    const k = t.key("expiry");
    await client.set(k, "1", { expires: 1 });
    await client.set(`${k}2`, "1", { expires: Math.floor(Date.now() / 1000) + 1000 });
    await until(async () => (await text(client, k)) === null);
    expect(await text(client, `${k}2`), "1", "what expires at a time of the calendar");
  },

  async stats(t) {
    expect("pid" in (await stats(open(t))), true, "stats");
  },

  async flush_guard(t) {
    const client = open(t);
    const k = t.key("flush");
    await client.set(k, "1", {});
    // It takes the status of a refused flush, which is memcached -F's, for a failed login, and may not come back from it.
    await Promise.race([flush(client), pause(1000)]);
    expect(await text(open(t), k), "1", "get after a refused flush");
    const enabled = open(t, t.portFor("flush"));
    await enabled.set(k, "1", {});
    expect(await flush(enabled), true, "flush where it is enabled");
    expect(await text(enabled, k), null, "what was stored before it");
  },

  async errors(t) {
    const client = open(t);
    const k = t.key("large");
    await expectError(client.set(k, Buffer.alloc(9 << 20), {}));
    expect(await until(() => client.set(k, "text", {})), true, "set after it");
    await expectError(client.increment(k, 1, {}), "non-numeric", "NON_NUMERIC");
  },

  async reconnect(t) {
    const client = open(t, t.port, { timeout: 1, conntimeout: 1 });
    await client.set(t.key("before"), "kept", {});
    await restartProxy();
    expect(await until(() => text(client, t.key("before"))), "kept", "get after the restart");
  },
};

main("memjs", features, cleanUp);
