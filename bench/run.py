#!/usr/bin/python3
"""Measures overlord-proxy, nutcracker and a bare backend under the same load and prints the comparison.

docs/benchmark.md says how to read it. Only the standard library is used.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import measure, processes, reload, report, targets, works  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def parse(argv):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", help="works to run, comma-separated; a trailing * matches the rest (--list names them); "
                                  "memory stands for the idle connections, reload for those of a big pool")
    p.add_argument("--list", action="store_true", help="list the works and leave")
    p.add_argument("--quick", action="store_true", help="one short round of each work, 1,000 idle connections only")
    p.add_argument("--repeats", type=int, help="rounds per work (3; 1 with --quick)")
    p.add_argument("--seconds", type=float, help="measured seconds per round (1.2; 0.7 with --quick)")
    p.add_argument("--peers", default="nutcracker,direct", help="compared with: nutcracker, direct (both)")
    p.add_argument("--io", default="epoll", help="drivers of overlord-proxy, each a row: epoll,io_uring (epoll)")
    p.add_argument("--no-overlord", action="store_true", help="peers only")
    p.add_argument("--bin-dir", action="append", help="folder of overlord-proxy and overlord-loadgen")
    p.add_argument("--proxy-cmd", help="command that stands for overlord-proxy; {cluster}, {nutcracker} and {io} become "
                                       "its configuration in either format and the driver")
    p.add_argument("--no-pin", action="store_true", help="leave the choice of cores to the scheduler")
    p.add_argument("--realtime", action="store_true", help="run everything under SCHED_RR: for a machine that others use "
                                                           "meanwhile, whom it starves (needs root)")
    p.add_argument("--no-memory", action="store_true", help="skip the idle connections")
    p.add_argument("--no-syscalls", action="store_true", help="skip counting system calls")
    p.add_argument("--json", metavar="FILE", help="also write every sample as JSON")
    p.add_argument("--markdown", nargs="?", const=str(ROOT / "docs" / "benchmark.md"), metavar="FILE",
                   help="also put the tables between the markers of FILE (docs/benchmark.md)")
    args = p.parse_args(argv)
    args.repeats = args.repeats or (1 if args.quick else 3)
    args.seconds = args.seconds or (0.7 if args.quick else 1.2)
    return args


def target_names(args):
    """In the order in which each round visits them: ours stands between the peers."""
    peers = [p for p in args.peers.split(",") if p]
    for peer in peers:
        if peer not in ("nutcracker", "direct"):
            raise SystemExit(f"--peers {peer}: must be nutcracker or direct")
    drivers = [d for d in args.io.split(",") if d]
    ours = [] if args.no_overlord else (["overlord"] if drivers == ["epoll"] else [f"overlord-{d}" for d in drivers])
    return [p for p in peers if p != "direct"] + ours + [p for p in peers if p == "direct"]


def find_tools(args):
    folders = args.bin_dir or sorted(str(p) for p in ROOT.glob("build/*/bin"))
    if not args.bin_dir:
        folders = [str(ROOT / "build" / "release" / "bin"), *folders]
    loadgen = processes.find_binary("overlord-loadgen", folders)
    if loadgen is None:
        raise SystemExit(f"overlord-loadgen is not built (looked in {', '.join(folders)}); ./dev bench builds it")
    command = args.proxy_cmd
    if command is None and not args.no_overlord:
        proxy = processes.find_binary("overlord-proxy", folders)
        if proxy is None:
            raise SystemExit(f"overlord-proxy is not built (looked in {', '.join(folders)}); ./dev bench builds it, "
                             "--no-overlord measures the peers alone")
        command = f"{proxy} -cluster {{cluster}} -workers 1 -io {{io}}"
    return loadgen, command


def version(command, pattern):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except OSError:
        return "missing"
    found = re.search(pattern, done.stdout + done.stderr)
    return found.group(1) if found else "unknown"


def machine(cores, tool):
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "cpu": model.group(1).strip() if model else platform.machine(),
        "kernel": platform.release().split("-")[0],
        "pinning": cores.text(),
        "syscall_tool": tool,
        "versions": {
            "redis": version(["redis-server", "--version"], r"v=([\d.]+)"),
            "memcached": version(["memcached", "-V"], r"memcached ([\d.]+)"),
            "nutcracker": version(["nutcracker", "-V"], r"nutcracker-([\d.]+)"),
        },
        "load_before": f"{os.getloadavg()[0]:.1f}",
    }


def progress(text):
    print(text, file=sys.stderr, flush=True)


def run_work(work, running, loadgen, args, tool, loaded):
    """All rounds of one work. Returns (rows, failures)."""
    lanes = {lane.name(target.name): (lane, target) for lane, target in work.rows(running)}
    samples = {name: [] for name in lanes}
    calls = {}
    failures = {}
    # With thousands of connections the first wave takes its time.
    warmup = 1.0 if work.connections >= 1000 else min(0.5, args.seconds / 3)
    for number in range(args.repeats):
        for name, (lane, target) in lanes.items():
            if name in failures:
                continue
            try:
                load_data(work, lane, target, loadgen, loaded)
                samples[name].append(measure.sample(loadgen, target, lane, work, args.seconds, warmup))
            except (measure.LoadFailed, subprocess.TimeoutExpired) as problem:
                failures[name] = str(problem)
                progress(f"  {problem}")
        progress(f"  {work.name}: round {number + 1} of {args.repeats}: " + ", ".join(
            f"{name} {s[-1]['proxy_cpu'] or s[-1]['backend_cpu']:.2f}" for name, s in samples.items() if s))
    for name, (lane, target) in lanes.items():
        if tool and target.pid and name not in failures and work.counts_calls():
            try:
                calls[name] = measure.count_syscalls(tool, loadgen, target, lane, work)
            except measure.LoadFailed as problem:
                progress(f"  system calls not counted: {problem}")
    good = {name: s for name, s in samples.items() if s and name not in failures}
    rows = [report.row(work, lane, target, good[name], base_of(work, lane, target, good), calls.get(name))
            for name, (lane, target) in lanes.items() if name in good]
    return rows, [{"work": work.name, "target": name, "why": why} for name, why in failures.items()]


def base_of(work, lane, target, samples):
    """The samples that this row is compared with, or None."""
    if not work.lanes:
        return None if target.server in (report.PEER, "direct") else samples.get(report.PEER)
    if not target.is_ours or lane.label == work.base:
        return None
    return samples.get(f"{target.name} {work.base}")


def load_data(work, lane, target, loadgen, loaded):
    """Writes the keys through the target, unless the backends hold this very data set already: targets place keys
    on backends by their own rules, and values of two sizes share their keys."""
    if loaded.get(lane.pool, (None,))[0] != work.data():
        loaded[lane.pool] = (work.data(), set())
    if target.name not in loaded[lane.pool][1]:
        measure.preload(loadgen, target, lane, work)
        loaded[lane.pool][1].add(target.name)


def run_stage(pools, group, names, cores, command, loadgen, args, tool, results):
    """The works of one stage, in front of the same processes."""
    with tempfile.TemporaryDirectory(prefix="overlord-bench-") as folder, processes.Stack(folder, cores) as stack:
        launcher = targets.Launcher(stack, {pool: stack.start_backends(pool) for pool in pools}, command)
        running = []
        for name in names:
            ours = name.startswith("overlord")
            running += [launcher.start(name, server) for server in (works.servers(group) if ours else [name])]
        loaded = {}
        for work in group:
            progress(f"{work.name}: {work.text()}")
            rows, failures = run_work(work, running, loadgen, args, tool, loaded)
            results["works"][work.name] = rows
            results["failures"] += failures


def run_memory(names, cores, command, loadgen, counts, results):
    protos = ["redis", "memcache"]
    with tempfile.TemporaryDirectory(prefix="overlord-bench-") as folder, processes.Stack(folder, cores) as stack:
        launcher = targets.Launcher(stack, {proto: stack.start_backends(proto) for proto in protos}, command)
        entries, failures = measure_memory(names, launcher, loadgen, protos, counts)
    results["memory"] = entries
    results["failures"] += failures


def run_reload(names, cores, command, loadgen, args, results):
    for name in names:
        if not name.startswith("overlord"):
            continue
        with tempfile.TemporaryDirectory(prefix="overlord-bench-") as folder, processes.Stack(folder, cores) as stack:
            try:
                figures = reload.compare(stack, command, name, loadgen, args.repeats, max(3 * args.seconds, 2))
                results["reload"].append(figures)
                progress(f"  reload, {name}: {figures['reloads']} reloads add {figures['added_p99_ms']:.2f} ms to the p99")
            except (measure.LoadFailed, subprocess.TimeoutExpired) as problem:
                results["failures"].append({"work": reload.NAME, "target": name, "why": str(problem)})
                progress(f"  {problem}")


def measure_memory(names, launcher, loadgen, protos, counts):
    entries, failures = [], []
    for proto in protos:
        for count in counts:
            for name in names:
                if name == "direct":
                    continue
                target = launcher.start(name)
                try:
                    lane = works.Lane(target.server, proto, proto)
                    measure.preload(loadgen, target, lane, next(w for w in works.WORKS if w.proto == proto))
                    # The preload has touched the proxy's buffers; what connections cost is the figure wanted.
                    figures = measure.idle_memory(loadgen, target, lane, count)
                    entries.append({"proto": proto, "target": name, "ours": target.is_ours, "connections": count,
                                    "figures": figures})
                    progress(f"  {proto}, {count} idle connections, {name}: "
                             f"{figures['served']['own_per_connection']:.0f} bytes each")
                except (measure.LoadFailed, FileNotFoundError) as problem:
                    failures.append({"work": f"{proto}, {count} idle connections", "target": name, "why": str(problem)})
                    progress(f"  {problem}")
                finally:
                    launcher.stop(target)
    return entries, failures


def split_at_markers(path):
    """The text of the file before and after the place of the tables."""
    try:
        before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    except OSError as problem:
        raise SystemExit(f"--markdown {path}: {problem.strerror}") from None
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"--markdown {path}: has no {BEGIN} ... {END} markers")
    return before, after


def write_markdown(path, text):
    before, after = split_at_markers(path)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def main(argv):
    args = parse(argv)
    if args.list:
        for work in works.WORKS:
            print(f"{work.name:20} {work.proto}: {work.text()}")
        for name, text in works.EXTRAS.items():
            print(f"{name:20} {text}")
        return 0
    chosen, extras = works.select(args.only)
    if args.markdown:
        split_at_markers(pathlib.Path(args.markdown))
    names = target_names(args)
    binary, command = find_tools(args)
    processes.raise_file_limit()
    cores = processes.Cores.choose(not args.no_pin, args.realtime)
    loadgen = measure.Loadgen(binary, cores)
    tool = None if args.no_syscalls else measure.syscall_tool()
    if args.no_memory:
        extras.discard("memory")
    results = {"machine": machine(cores, tool), "repeats": args.repeats, "seconds": args.seconds, "works": {},
               "memory": [], "reload": [], "failures": []}
    for pools, group in works.stages(chosen):
        run_stage(pools, group, names, cores, command, loadgen, args, tool, results)
    if "reload" in extras:
        run_reload(names, cores, command, loadgen, args, results)
    if "memory" in extras:
        run_memory(names, cores, command, loadgen, works.IDLE_COUNTS[:1] if args.quick else works.IDLE_COUNTS, results)
    results["machine"]["load_after"] = f"{os.getloadavg()[0]:.1f}"
    print(report.render(results, report.plain))
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(results, indent=1), encoding="utf-8")
    if args.markdown:
        write_markdown(pathlib.Path(args.markdown), report.render(results, report.markdown))
    return 1 if results["failures"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
