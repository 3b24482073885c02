"use strict";
// What a Node runner shares; the protocol between a runner and the suite is in ../report.py.

const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const fs = require("node:fs");
const readline = require("node:readline");

const FEATURE_MILLISECONDS = 15000;
const BYTES = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

class NotInClient extends Error {}

function say(what) {
  process.stdout.write(JSON.stringify(what) + "\n");
}

let lines = null;

function restartProxy() {
  lines ??= readline.createInterface({ input: process.stdin });
  const done = new Promise((resolve) => lines.once("line", resolve));
  say({ restart: true });
  return done;
}

function short(value) {
  const text = Buffer.isBuffer(value) ? `<${value.length} bytes>` : JSON.stringify(value);
  return text === undefined || text.length <= 80 ? `${text}` : `${text.slice(0, 77)}...`;
}

// Both sides as what their JSON would be, but for buffers; objects without prototypes and maps are plain objects.
function plain(value) {
  if (Buffer.isBuffer(value) || value === null || value === undefined) return value;
  if (value instanceof Map) return plain(Object.fromEntries(value));
  if (value instanceof Set) return plain([...value]);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
  return value;
}

function expect(got, wanted, what = "a reply") {
  try {
    assert.deepEqual(plain(got), plain(wanted));
  } catch {
    throw new Error(`${what}: ${short(plain(got))}, not ${short(plain(wanted))}`);
  }
}

async function expectError(promise, ...words) {
  let got;
  try {
    got = await promise;
  } catch (error) {
    const text = reason(error);
    if (words.length && !words.some((word) => text.toLowerCase().includes(word.toLowerCase()))) {
      throw new Error(`the error is ${short(text)}, without ${words.join(" or ")}`);
    }
    return;
  }
  throw new Error(`no error but ${short(plain(got))}, wanted ${words.join(" or ")}`);
}

function reason(error) {
  const inner = error?.errors?.length ? error.errors : error?.errorReplies;
  const text = inner?.length ? inner.map((e) => e.message).join("; ") : `${error?.message ?? error}`;
  return error?.lastNodeError && !text.includes(error.lastNodeError.message)
    ? `${text}: ${error.lastNodeError.message}`
    : text;
}

function within(promise, milliseconds, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end of ${what} after ${milliseconds / 1000} s`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Calls until it gives something without an error.
async function until(call, milliseconds = 10000) {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    try {
      const got = await within(call(), 3000, "a try");
      if (got) return got;
      if (Date.now() > deadline) throw new Error(`still ${short(got)}`);
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await pause(20);
  }
}

function bigValue(bytes) {
  return Buffer.concat(Array(bytes / 32).fill(crypto.createHash("sha256").update("big").digest()));
}

// Runs the features that the first argument asks for. name: the client's package; features: async functions by name, called with the JSON;
// cleanUp is called after each, whatever became of it.
async function main(name, features, cleanUp = async () => {}) {
  const given = JSON.parse(process.argv[2]);
  given.key = (name) => given.prefix + name;
  given.portFor = (what) => {
    if (given[`${what}_port`] === undefined) throw new Error(given.refused[what]);
    return given[`${what}_port`];
  };
  // A client may reject promises that nobody has seen when its connection dies; the feature's own fails all the same.
  process.on("unhandledRejection", () => {});
  say({ version: JSON.parse(fs.readFileSync(`${process.env.NODE_PATH}/${name}/package.json`)).version });
  for (const feature of given.features) {
    say({ start: feature });
    if (!features[feature]) {
      say({ feature, verdict: "none", reason: "" });
      continue;
    }
    try {
      await within(features[feature](given), FEATURE_MILLISECONDS, "the test");
      say({ feature, verdict: "yes", reason: "" });
    } catch (error) {
      say({ feature, verdict: error instanceof NotInClient ? "none" : "no", reason: reason(error) });
    }
    await within(cleanUp(), 3000, "closing").catch(() => {});
  }
  process.exit(0);
}

module.exports = { BYTES, NotInClient, bigValue, expect, expectError, main, pause, restartProxy, until, within };
