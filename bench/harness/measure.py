"""Takes the figures: load runs, system calls, memory of idle connections."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time

SETTLE_TIMEOUT = 20
RETURN_TIMEOUT = 3


class LoadFailed(Exception):
    """The load generator saw wrong replies, errors or lost connections: the figures mean nothing."""


class Loadgen:
    """Runs overlord-loadgen on its core."""

    def __init__(self, binary, cores):
        self.binary = binary
        self.cores = cores

    def command(self, target, lane, options):
        address = f"127.0.0.1:{target.ports[lane.listener()]}"
        return self.cores.wrap(self.cores.load, [self.binary, "--addr", address, "--proto", lane.proto, *lane.options,
                                                *[str(o) for o in options]])

    def run(self, target, lane, options, timeout=300):
        """One run; returns the JSON of its last part."""
        done = subprocess.run(self.command(target, lane, [*options, "--json"]), capture_output=True, text=True,
                              timeout=timeout, check=False)
        if done.returncode != 0:
            lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise LoadFailed(f"{target.name}: load generator ended with {done.returncode}: "
                             + (lines[0] if lines else "no message"))
        return json.loads(done.stdout.strip().splitlines()[-1])


def preload(loadgen, target, lane, work):
    loadgen.run(target, lane, ["--connections", 8, "--preload", *work.data_options()])


def sample(loadgen, target, lane, work, seconds, warmup):
    """One measured window. CPU figures are microseconds per client request."""
    backends = target.backend_pids[lane.pool]
    watched = backends + ([target.pid] if target.pid else [])
    options = [*work.load_options(), "--warmup", warmup, "--duration", seconds]
    for pid in watched:
        options += ["--watch-pid", pid]
    for _ in range(3):
        result = loadgen.run(target, lane, options)
        requests = result["requests"]
        if requests:  # else others had the whole machine for so long
            break
    if result["total"]["misses"] or not requests:
        raise LoadFailed(f"{target.name}: {result['total']['misses']} misses of keys that were written, "
                         f"{requests} requests")

    def cpu(pids, field):
        return sum(result["watched"][str(pid)][field] for pid in pids) / 1000 / requests

    return {
        "requests_per_second": result["requests_per_second"],
        **{name: result["latency_us"][name] for name in ("p50", "p99", "p999", "max")},
        "proxy_cpu": cpu([target.pid], "cpu_ns") if target.pid else 0.0,
        "proxy_cpu_ticks": cpu([target.pid], "ticks_ns") if target.pid else 0.0,
        "backend_cpu": cpu(backends, "cpu_ns"),
        "loadgen_cpu": result["own_cpu_us_per_request"],
        "unsent": result["unsent"],
    }


def perf_works():
    """Whether this machine lets perf count system calls: the cheap way, which does not slow the proxy down."""
    if not shutil.which("perf"):
        return False
    done = subprocess.run(["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", str(os.getpid()), "--", "true"],
                          capture_output=True, text=True, check=False)
    return done.returncode == 0 and "raw_syscalls" in done.stderr


def syscall_tool():
    return "perf" if perf_works() else "strace" if shutil.which("strace") else None


def count_syscalls(tool, loadgen, target, lane, work):
    """System calls of the proxy per client request. Two runs of different length; the difference leaves out what
    connecting costs."""
    base = work.connections * work.pipeline
    more = max(4 * base, 30_000)
    for _ in range(3):
        calls = [count_run(tool, loadgen, target, lane, work, n) for n in (base, base + more)]
        # On a crowded machine the tracer may come too late to see anything; such a run is no figure.
        if None not in calls and calls[1] > calls[0]:
            return (calls[1] - calls[0]) / more
    return None


def count_run(tool, loadgen, target, lane, work, requests):
    with tempfile.NamedTemporaryFile("r", prefix="bench-calls-") as out:
        if tool == "perf":
            command = ["perf", "stat", "-x,", "-o", out.name, "-e", "raw_syscalls:sys_enter", "-p", str(target.pid)]
        else:
            command = ["strace", "-c", "-f", "-o", out.name, "-p", str(target.pid)]
        tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        wait_attached(tool, tracer, target.pid)
        try:
            loadgen.run(target, lane, [*work.load_options(), "--requests", requests])
        finally:
            tracer.send_signal(2)
            tracer.wait()
        text = out.read()
    if tool == "perf":
        found = re.search(r"^(\d+),,raw_syscalls", text, re.M)
    else:
        found = re.search(r"^100\.00\s+\S+\s+\S*\s+(\d+)\s.*total$", text, re.M)
    return int(found.group(1)) if found else None


def wait_attached(tool, tracer, pid):
    """Until the tracer counts: strace is the tracer of every thread, perf holds its counters open."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and tracer.poll() is None:
        if tool == "strace":
            states = []
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/status", encoding="ascii", errors="replace") as status:
                    states.append(re.search(r"TracerPid:\s+(\d+)", status.read()).group(1))
            if all(state != "0" for state in states):
                return
        else:
            folder = f"/proc/{tracer.pid}/fd"
            if any("perf_event" in link_of(f"{folder}/{fd}") for fd in list_folder(folder)):
                return
        time.sleep(0.01)


def list_folder(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def link_of(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def memory(pid):
    """(resident, own) bytes of a process. Own is what the process itself has asked for: anonymous and shared memory,
    but no pages of files, which come and go as the kernel likes."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as text:
        fields = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text.read(), re.M))
    own = int(fields["Anonymous"]) + int(fields.get("Pss_Shmem", 0))
    return int(fields["Rss"]) * 1024, own * 1024


def wait_for_files(pid, reached):
    """Until the number of open files of the process satisfies `reached`. False when it does not in time."""
    deadline = time.monotonic() + SETTLE_TIMEOUT
    while not reached(len(list_folder(f"/proc/{pid}/fd"))):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def settled_files(pid):
    """The number of open files once it has stopped changing: the preload's connections are gone then."""
    last, same = -1, 0
    while same < 10:
        now = len(list_folder(f"/proc/{pid}/fd"))
        same = same + 1 if now == last else 0
        last = now
        time.sleep(0.02)
    return last


def idle_memory(loadgen, target, lane, count):
    """Memory of a fresh proxy before, with `count` idle connections, after one get on each, and after they close."""
    figures = {}

    def note(step):
        resident, own = memory(target.pid)
        figures[step] = {"resident": resident, "own": own}

    files = settled_files(target.pid)
    note("start")
    command = loadgen.command(target, lane, ["--idle", count, "--keys", 100_000, "--value-size", 100])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:

        def step(line, answer):
            if line:
                holder.stdin.write(line + "\n")
                holder.stdin.flush()
            got = holder.stdout.readline().strip()
            if got != answer:
                raise LoadFailed(f"{target.name}: {count} idle connections: wanted '{answer}', got '{got}'")

        try:
            step("", f"open {count}")
            # The kernel completes connections that the proxy has yet to accept. Should it never, the gets will tell.
            wait_for_files(target.pid, lambda n: n >= files + count)
            note("idle")
            step("get", f"got {count}")
            note("served")
            step("close", "closed")
            if not wait_for_files(target.pid, lambda n: n < files + max(16, count // 100)):
                raise LoadFailed(f"{target.name} keeps connections open that the clients have closed")
            # Giving memory back may be a matter of a timer: wait while it still shrinks, a few seconds at most.
            deadline = time.monotonic() + RETURN_TIMEOUT
            while memory(target.pid)[1] > figures["start"]["own"] * 1.05 and time.monotonic() < deadline:
                time.sleep(0.1)
            note("closed")
        finally:
            holder.stdin.close()
            holder.wait()
    for kind in ("idle", "served", "closed"):
        figures[kind]["own_per_connection"] = (figures[kind]["own"] - figures["start"]["own"]) / count
    return figures
