#!/usr/bin/env python3
"""Makes the table of redis commands from the installed redis-server 7.0, and the page about it.

  scripts/redis-commands.py            writes src/protocol/redis/commands.inc and the table in docs/protocols.md
  scripts/redis-commands.py --check    writes nothing; exits 1 and says what differs when they are not current

What the server says of itself (names, arity, flags, key specs, ...) is taken from COMMAND and COMMAND DOCS. How the
proxy treats a command is decided here: by one rule and the lists below.
"""

import argparse
import itertools
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

REPO = pathlib.Path(__file__).resolve().parents[1]
TABLE = REPO / "src/protocol/redis/commands.inc"
PAGE = REPO / "docs/protocols.md"
PAGE_BEGIN = "<!-- redis commands: made by scripts/redis-commands.py -->"
PAGE_END = "<!-- end of redis commands -->"

# The rule: a command whose key specs name exactly one key is `single`, anything else is `refused`. Except:
TREATMENT = {
    "split_mget": "mget",
    "split_mset": "mset",
    "split_sum": "del unlink touch exists",
    "one_node": """
        bitop copy georadius georadiusbymember geosearchstore lcs lmove
        lmpop msetnx pfcount pfmerge rename renamenx rpoplpush sdiff sdiffstore sinter sintercard sinterstore smove
        sort sort_ro sunion sunionstore xread xreadgroup zdiff zdiffstore zinter zintercard zinterstore zmpop
        zrangestore zunion zunionstore""",
    "script": "eval eval_ro evalsha evalsha_ro fcall fcall_ro",
    "scan": "scan",
    "all_keys": "keys",
    "all_sum": "dbsize",
    "all_ok": "flushall flushdb function|delete function|flush function|restore script|flush",
    "all_same": "function|load script|load",
    "all_and": "script|exists",
    "all_any": "function|kill script|kill",
    "all_running": "function|stats",
    "all_random": "randomkey",
    "any_node": "pubsub|help function|dump function|help function|list lolwut memory|help acl|help client|help config|help latency|help slowlog|help object|help script|help xgroup|help xinfo|help",
    "local": """
        auth echo hello info ping quit select time
        cluster|info cluster|keyslot cluster|links cluster|myid cluster|nodes cluster|replicas cluster|shards
        cluster|slaves cluster|slots
        acl|cat acl|dryrun acl|genpass acl|getuser acl|list acl|log acl|users acl|whoami
        command command|count command|getkeys command|getkeysandflags command|help command|info
        command|list
        client client|caching client|getname client|getredir client|id client|info client|kill client|list
        client|maint_notifications client|no-evict client|no-touch client|reply client|setinfo client|setname
        client|tracking client|trackinginfo
        config|get slowlog|get slowlog|len slowlog|reset
        latency|doctor latency|graph latency|histogram latency|history latency|latest latency|reset
        asking readonly readwrite reset role swapdb""",
    "blocking": "blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin",
    "channel": "publish spublish",
    "pubsub": "subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe",
    "all_channels": "pubsub|channels pubsub|shardchannels",
    "all_counts": "pubsub|numsub pubsub|shardnumsub",
    "all_most": "pubsub|numpat",
    "all_least": "wait",
    "docs": "command|docs",
    "slot": "cluster|countkeysinslot cluster|getkeysinslot",
    "transaction": "multi exec discard watch unwatch",
    # One key, and yet: another database, a part of other mechanisms, or debugging.
    "refused": "move pfdebug restore-asking",
}
CALL_RULE = {"xread": "may_block", "xreadgroup": "may_block", "sort": "no_patterns", "sort_ro": "no_patterns",
             "copy": "no_db"}

# Known to clients newer than the server, and harmless.
EXTRA_SUBCOMMANDS = {
    "client": [[name, arity, ["noscript", "loading", "stale"], 0, 0, 0, ["@slow", "@connection"], [], [], []]
               for name, arity in (("client|maint_notifications", -3), ("client|no-touch", 3), ("client|setinfo", 4))],
}
EXTRA_DOCS = {"client|maint_notifications": {"since": "8.0.0", "group": "connection"},
              "client|no-touch": {"since": "7.2.0", "group": "connection"},
              "client|setinfo": {"since": "7.2.0", "group": "connection"}}

# In the order of the enums in command.h, which is the server's.
FLAGS = {"write": "kWrite", "readonly": "kReadOnly", "denyoom": "kDenyOom", "admin": "kAdmin", "pubsub": "kPubSub",
         "noscript": "kNoScript", "blocking": "kBlocking", "loading": "kLoading", "stale": "kStale",
         "skip_monitor": "kSkipMonitor", "skip_slowlog": "kSkipSlowlog", "asking": "kAsking", "fast": "kFast",
         "no_auth": "kNoAuth", "no_mandatory_keys": "kNoMandatoryKeys", "no_async_loading": "kNoAsyncLoading",
         "no_multi": "kNoMulti", "movablekeys": "kMovableKeys", "allow_busy": "kAllowBusy"}
ACL = {"@keyspace": "kAclKeyspace", "@read": "kAclRead", "@write": "kAclWrite", "@set": "kAclSet",
       "@sortedset": "kAclSortedSet", "@list": "kAclList", "@hash": "kAclHash", "@string": "kAclString",
       "@bitmap": "kAclBitmap", "@hyperloglog": "kAclHyperLogLog", "@geo": "kAclGeo", "@stream": "kAclStream",
       "@pubsub": "kAclPubSub", "@admin": "kAclAdmin", "@fast": "kAclFast", "@slow": "kAclSlow",
       "@blocking": "kAclBlocking", "@dangerous": "kAclDangerous", "@connection": "kAclConnection",
       "@transaction": "kAclTransaction", "@scripting": "kAclScripting"}
KEY_FLAGS = {"RO": "kKeyRo", "RW": "kKeyRw", "OW": "kKeyOw", "RM": "kKeyRm", "access": "kKeyAccess",
             "update": "kKeyUpdate", "insert": "kKeyInsert", "delete": "kKeyDelete", "not_key": "kKeyNotKey",
             "incomplete": "kKeyIncomplete", "variable_flags": "kKeyVariableFlags"}

TREATMENT_WORDS = [
    ("single", "one key: goes to the key's node"),
    ("one_node", "several keys: passes when all are on one node, else an error"),
    ("split_mget", "split by node, the values merged in key order"),
    ("split_mset", "split by node, OK when all parts are OK"),
    ("split_sum", "split by node, the integers added"),
    ("script", "to the node of its keys, which must all be on one; without keys to the node that the script's SHA-1, or the "
     "function's name, hashes to; after NOSCRIPT once more with the text, if that came through the proxy"),
    ("scan", "one node after the other; the cursor names the node and holds the node's own cursor"),
    ("all_keys", "to every node, the arrays appended to each other"),
    ("all_sum", "to every node, the integers added"),
    ("all_ok", "to every node, OK when all say OK, else the first error"),
    ("all_same", "to every node, the reply of the first, or the first error"),
    ("all_and", "to every node, 1 where all say 1"),
    ("all_any", "to every node, OK when one says OK"),
    ("all_running", "to every node, the reply of the first that is running a function, else of the first"),
    ("all_random", "to every node, one of their keys by chance, each as likely as any other"),
    ("any_node", "to the first node; all would say the same"),
    ("docs", "what the first node says; the proxy's own words about what it refuses, or what only it knows"),
    ("slot", "to the node that owns the slot; refused unless a Redis Cluster is behind"),
    ("local", "answered by the proxy"),
    ("blocking", "several keys on one node; waits there without keeping anybody else waiting"),
    ("all_channels", "to every node, the arrays merged, each channel once"),
    ("all_counts", "to every node, the numbers of each channel added"),
    ("all_most", "to every node, the greatest number"),
    ("all_least", "to every node, on connections of the client's own; the smallest number"),
    ("channel", "goes to the node that the name of the channel hashes to, as a key would"),
    ("pubsub", "clients share subscriptions: one for each channel and worker"),
    ("transaction", "queued by the proxy and sent in one piece to the node of its keys"),
    ("refused", "an error: not supported through the proxy"),
]


class RedisServer:
    """The installed server on a unix socket of its own."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="redis-commands-")
        path = self.folder.name + "/sock"
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", self.folder.name],
            stdout=subprocess.DEVNULL)
        self.socket = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 30
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        self.file = self.socket.makefile("rb")
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def __call__(self, *args):
        return exchange(self.socket, self.file, *args)


def exchange(sock, file, *args):
    encoded = [arg if isinstance(arg, bytes) else arg.encode() for arg in args]
    sock.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(arg), arg) for arg in encoded))
    return read_reply(file)


def read_reply(file):
    line = file.readline()
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest.decode()
    if kind == b"-":
        return RuntimeError(rest.decode(errors="replace"))
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if int(rest) < 0 else file.read(int(rest) + 2)[:-2].decode()
    if kind == b"*":
        return None if int(rest) < 0 else [read_reply(file) for _ in range(int(rest))]
    raise ValueError(f"not RESP2: {line!r}")


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def treatments():
    return {name: treatment for treatment, names in TREATMENT.items() for name in names.split()}


def names_one_key(specs):
    """True when the specs are one fixed position."""
    if len(specs) != 1:
        return False
    spec = pairs(specs[0])
    if "not_key" in spec["flags"]:
        return False
    begin, find = pairs(spec["begin_search"]), pairs(spec["find_keys"])
    return begin["type"] == "index" and find["type"] == "range" and pairs(find["spec"])["lastkey"] == 0


def treatment_of(command, chosen):
    return chosen.get(command[0]) or ("single" if names_one_key(command[8]) else "refused")


def bits(names, constants, what):
    known = list(constants)
    places = [known.index(name) for name in names]
    assert places == sorted(places), f"{what}: the server lists {names} in another order"
    return " | ".join(constants[name] for name in names) or "0"


def spec_text(flat):
    spec = pairs(flat)
    begin, find = pairs(spec["begin_search"]), pairs(spec["find_keys"])
    at, to = pairs(begin["spec"]), pairs(find["spec"])
    parts = [f".flags = {bits(spec['flags'], KEY_FLAGS, 'key flags')}"]
    if begin["type"] == "index":
        parts += [".begin = KeySpec::Begin::index", f".begin_index = {at['index']}"]
    elif begin["type"] == "keyword":
        parts += [".begin = KeySpec::Begin::keyword", f".begin_index = {at['startfrom']}",
                  f".keyword = \"{at['keyword']}\""]
    if find["type"] == "range":
        parts += [".find = KeySpec::Find::range", f".last = {to['lastkey']}", f".step = {to['keystep']}",
                  f".limit = {to['limit']}"]
    elif find["type"] == "keynum":
        parts += [".find = KeySpec::Find::keynum", f".step = {to['keystep']}", f".keynum_index = {to['keynumidx']}",
                  f".first_key = {to['firstkey']}"]
    return "{" + ", ".join(parts) + "}"


class Arrays:
    """Constant arrays that commands share: equal ones are written once."""

    def __init__(self, kind, prefix):
        self.kind, self.prefix, self.known = kind, prefix, {}

    def name(self, items):
        if not items:
            return "{}"
        return self.known.setdefault(tuple(items), f"{self.prefix}{len(self.known)}")

    def text(self):
        out = []
        for items, name in self.known.items():
            out.append(f"constexpr {self.kind} {name}[] = {{")
            out += [f"    {item}," for item in items]
            out.append("};")
        return out


class Table:
    def __init__(self, commands, docs, version):
        self.commands, self.docs, self.version = commands, docs, version
        self.chosen = treatments()
        self.specs, self.tips = Arrays("KeySpec", "kSpecs"), Arrays("std::string_view", "kTips")
        self.used = set()

    def row(self, command, subcommands="{}"):
        name, arity, flags, first, last, step, acl, tips, specs, _ = command
        self.used.add(name)
        flag_bits = bits(flags, FLAGS, "flags")
        if subcommands != "{}":
            flag_bits = "kContainer" if flag_bits == "0" else flag_bits + " | kContainer"
        docs = self.docs[name]
        return (f'{{"{name}", {arity}, Treatment::{treatment_of(command, self.chosen)}, '
                f'CallRule::{CALL_RULE.get(name, "none")}, {flag_bits}, {first}, {last}, {step}, '
                f'{self.specs.name([spec_text(spec) for spec in specs])}, {subcommands}, '
                f'{bits(acl, ACL, "categories")}, {self.tips.name([chr(34) + tip + chr(34) for tip in tips])}, '
                f'"{docs["since"]}", "{docs["group"]}"}}')

    def text(self):
        groups, rows = [], []
        for command in self.commands:
            array = "{}"
            if command[9]:
                array = "kSub" + re.sub("[^a-z]", "", command[0]).capitalize()
                groups.append(f"constexpr Command {array}[] = {{")
                groups += [f"    {self.row(sub)}," for sub in command[9]]
                groups.append("};")
            rows.append(f"    {self.row(command, array)},")
        unknown = set(self.chosen) | set(CALL_RULE)
        assert unknown <= self.used, f"no such command: {sorted(unknown - self.used)}"
        # Ids from 1 in the order of the rows: they live no longer than a build.
        ids = itertools.count(1)
        groups, rows = ([re.sub(r"\},$", lambda _: f", {next(ids)}}},", line) if line.startswith("    {") else line
                         for line in lines] for lines in (groups, rows))
        return "\n".join([f"// Made by scripts/redis-commands.py from redis-server {self.version}: do not edit.", "",
                          *self.specs.text(), "", *self.tips.text(), "", *groups, "",
                          "constexpr Command kCommands[] = {", *rows, "};"]) + "\n"


def load():
    """Commands sorted by name (subcommands too), the docs by name, the server's version."""
    with RedisServer() as server:
        commands, flat = server("COMMAND"), server("COMMAND", "DOCS")
        version = re.search("redis_version:(.*)\r", server("INFO", "server")).group(1)
    if not version.startswith("7.0."):
        sys.exit(f"redis-commands.py: this is redis-server {version}; the table is of 7.0")
    docs = {}
    for name, facts in pairs(flat).items():
        docs[name] = pairs(facts)
        docs.update((sub, pairs(sub_facts)) for sub, sub_facts in pairs(docs[name].get("subcommands", [])).items())
    docs.update(EXTRA_DOCS)
    for command in commands:
        command[9] = sorted(command[9] + EXTRA_SUBCOMMANDS.get(command[0], []))
    return sorted(commands), docs, version


def page_text(commands):
    chosen = treatments()
    groups = {treatment: [] for treatment, _ in TREATMENT_WORDS}
    for command in commands:
        if command[9] and command[0] != "command":
            # A container is what its subcommands are.
            for sub in command[9]:
                groups[treatment_of(sub, chosen)].append(sub[0].replace("|", " ").upper())
            continue
        groups[treatment_of(command, chosen)].append(command[0].upper())
        groups[treatment_of(command, chosen)] += [sub[0].replace("|", " ").upper() for sub in command[9]]
    lines = [PAGE_BEGIN, "| treatment | what the proxy does | commands |", "|---|---|---|"]
    lines += [f"| `{treatment}` | {words} | {', '.join(groups[treatment])} |" for treatment, words in TREATMENT_WORDS]
    return "\n".join([*lines, PAGE_END])


def with_table(page, table):
    pattern = re.compile(re.escape(PAGE_BEGIN) + ".*?" + re.escape(PAGE_END), re.S)
    if not pattern.search(page):
        sys.exit(f"redis-commands.py: {PAGE} has no place for the table ({PAGE_BEGIN} ... {PAGE_END})")
    return pattern.sub(lambda _: table, page)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when a file is not current")
    options = parser.parse_args()
    commands, docs, version = load()
    page = PAGE.read_text()
    wanted = {TABLE: Table(commands, docs, version).text(), PAGE: with_table(page, page_text(commands))}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if options.check:
            print(f"{path.relative_to(REPO)} is not current: run scripts/redis-commands.py")
        else:
            path.write_text(wanted[path])
            print(f"wrote {path.relative_to(REPO)}")
    sys.exit(1 if options.check and stale else 0)


if __name__ == "__main__":
    main()
