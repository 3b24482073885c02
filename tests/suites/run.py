#!/usr/bin/python3
"""Runs the servers' own test suites through the proxy; ./dev suites calls it. Usage: run.py FOLDER [NAME...]

FOLDER holds the unpacked sources. redis.txt and memcached.txt beside this file list what is run: a line "name" begins a
unit or a script, an indented line below it is one of its tests that is left out, with the reason behind " # ".
"""

import contextlib
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

import harness  # noqa: E402 - found by the line above

UNIT_SECONDS = 300
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Tests that need another server, its files or its innards.
TAGS = "-needs:repl -needs:debug -needs:config-maxmemory -needs:save -needs:reset -needs:pfdebug -external:skip"
# What a test asks about or does to the server itself goes straight there: through a proxy it would concern the proxy.
STRAIGHT = """
rename r r_through
proc r {args} {
    if {[string tolower [lindex $args 0]] in {config debug save bgsave bgrewriteaof slowlog latency memory info}} {
        if {![info exists ::straight]} { set ::straight [redis 127.0.0.1 $::env(STRAIGHT_PORT) 0 0] }
        return [$::straight {*}$args]
    }
    return [uplevel 1 [list r_through {*}$args]]
}
"""


def plan(path):
    """name -> {test: why it is left out}"""
    units, current = {}, None
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line[0] == " ":
            test, _, why = line.strip().partition(" # ")
            if not why:
                raise SystemExit(f"{path.name}: no reason behind '{test}'")
            units[current][test] = why
        else:
            current = line.strip()
            units[current] = {}
    return units


def source(folder, name, inside):
    found = sorted(folder.glob(f"{name}-*/{inside}"))
    if not found:
        raise SystemExit(f"no {name}-*/{inside} in {folder}")
    return found[-1].parent


@contextlib.contextmanager
def running(server):
    try:
        yield server
    finally:
        server.kill_now()


def link_programs(folder, names):
    folder.mkdir(exist_ok=True)
    for name in names:
        link = folder / name
        if not link.exists():
            link.symlink_to(f"/usr/bin/{name.removesuffix('-debug')}")


class Redis:
    def __init__(self, folder):
        self.root = source(folder, "redis", "tests")
        link_programs(self.root / "src", ["redis-server", "redis-cli", "redis-benchmark"])
        helper = self.root / "tests" / "test_helper.tcl"
        text = helper.read_text()
        if STRAIGHT not in text:
            helper.write_text(text.replace("\nproc Rn ", STRAIGHT + "\nproc Rn ", 1))

    def run(self, unit, left_out, log):
        """(passed, failed: {name: what it said})"""
        with running(harness.Redis()) as server, harness.Proxy(
                harness.redis([server], flush_all_enabled=True, read_timeout=10000), io="auto", workers=2) as proxy:
            port = proxy.clusters[0].port
            command = ["./runtest", "--host", "127.0.0.1", "--port", str(port), "--singledb", "--ignore-encoding",
                       "--ignore-digest", "--durable", "--tags", TAGS, "--single", unit]
            for test in left_out:
                command += ["--skiptest", test]
            text = output(command, self.root, {"STRAIGHT_PORT": str(server.port)}, log)
        failed = {}
        for line in text.splitlines():
            if match := re.match(r"\[err\]: (.*) in tests/", line):
                failed[match[1]] = ""
            elif line.startswith("[exception]"):
                failed["(the unit broke off)"] = line
        passed = len(re.findall(r"^\[ok\]", text, re.M))
        if passed == 0 and not failed:
            failed["(nothing ran)"] = text[-300:]
        return passed, failed


class Memcached:
    def __init__(self, folder):
        self.root = source(folder, "memcached", "t")
        for name in ("memcached", "memcached-debug"):
            link_programs(self.root, [name])
        for name in ("timedrun", "sizes", "testapp"):
            (self.root / name).touch(mode=0o755)

    def run(self, script, left_out, log):
        def lines(address):
            text = output(["perl", "-It/lib", "-I.", script], self.root, {"T_MEMD_USE_DAEMON": address}, log)
            return re.findall(r"^(ok|not ok) \d+(?: - )?(.*)", text, re.M)

        with running(harness.Memcached(options=["-m", "100"])) as server, \
                running(harness.Memcached(options=["-m", "100"])) as alone, harness.Proxy(harness.memcache([server], flush_all_enabled=True), io="auto") as proxy:
            # What fails with a server that runs already fails without us.
            straight = lines(f"127.0.0.1:{alone.port}")
            through = lines(f"127.0.0.1:{proxy.clusters[0].port}")
        broken = {name for verdict, name in straight if verdict == "not ok"}
        failed = {name or "(a test without a name)": "" for verdict, name in through
                  if verdict == "not ok" and name not in broken and name not in left_out}
        if len(through) < len(straight) and "(broke off)" not in left_out:
            failed["(broke off)"] = f"{len(through)} of {len(straight)} tests ran"
        return sum(verdict == "ok" for verdict, _ in through), failed


def output(command, folder, env, log):
    done = subprocess.run(command, cwd=folder, env={**os.environ, **env}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=UNIT_SECONDS, check=False)
    text = COLOUR.sub("", done.stdout.decode(errors="replace"))
    with log.open("a") as out:
        out.write(f"$ {' '.join(command)}\n{text}\n")
    return text


def main(folder, names):
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    passed, failures, known = 0, [], 0
    for kind, listed in ((Redis, "redis.txt"), (Memcached, "memcached.txt")):
        units = plan(HERE / listed)
        wanted = [name for name in units if not names or name in names]
        if not wanted:
            continue
        suite = kind(folder)
        for name in wanted:
            log = logs / (name.replace("/", "-") + ".log")
            log.unlink(missing_ok=True)
            try:
                good, failed = suite.run(name, units[name], log)
            except subprocess.TimeoutExpired:
                good, failed = 0, {"(no end)": f"after {UNIT_SECONDS} s"}
            passed += good
            known += len(units[name])
            failures += [f"{name}: {test} {said}".rstrip() for test, said in failed.items()]
            print(f"{name}: {good} passed, {len(failed)} failed, {len(units[name])} left out", flush=True)
    for failure in failures:
        print(f"    FAILED: {failure}")
    print(f"\n{passed} passed, {len(failures)} failed, {known} left out (logs: {logs})")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]))
