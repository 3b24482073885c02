"""Turns samples into figures and figures into tables."""

import statistics

from . import works

PEER = "nutcracker"


def median_of(samples, field):
    return statistics.median(s[field] for s in samples)


def spread_of(samples, field):
    """Distance of the extremes in parts of the median: how far to trust it."""
    values = [s[field] for s in samples]
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def ratio_of(samples, peer_samples, fields):
    """Median of the ratios of the rounds: both sides of one ratio ran seconds apart, so drift of the machine
    cancels out."""
    ratios = []
    for ours, peers in zip(samples, peer_samples):
        below = sum(peers[f] for f in fields)
        if below > 0:
            ratios.append(sum(ours[f] for f in fields) / below)
    return statistics.median(ratios) if ratios else None


def row(work, lane, target, samples, base, calls):
    """The figures of one row of a work, as they go into the JSON and the tables. base: the samples it is compared
    with, or None."""
    figures = {"target": lane.name(target.name), "server": target.server, "ours": target.is_ours,
               "rounds": len(samples), "syscalls": calls, "samples": samples}
    for field in ("requests_per_second", "p50", "p99", "p999", "max", "proxy_cpu", "proxy_cpu_ticks", "backend_cpu",
                  "loadgen_cpu"):
        figures[field] = median_of(samples, field)
    figures["spread"] = spread_of(samples, "backend_cpu" if target.server == "direct" else "proxy_cpu")
    if base:
        figures["ratio_cpu"] = ratio_of(samples, base, ["proxy_cpu"])
        figures["ratio_sum"] = ratio_of(samples, base, ["proxy_cpu", "backend_cpu"])
    if target.is_ours:
        figures["goals"] = goals((lane.goal if work.lanes else work.goal_cpu, work.goal_cpu_with_backends), figures)
    return figures


def goals(wanted, figures):
    out = []
    for kind, goal in zip(("ratio_cpu", "ratio_sum"), wanted):
        got = figures.get(kind)
        if goal is not None and got is not None:
            out.append({"kind": kind, "goal": goal, "got": got, "met": got <= goal})
    return out


def number(value, digits=2):
    return "-" if value is None else f"{value:,.{digits}f}"


def milliseconds(microseconds):
    return number(microseconds / 1000, 2)


def head(base):
    return ["work", "target", "requests/s", "p50 ms", "p99 ms", "p99.9 ms", "proxy CPU us", f"to {base}", "goal",
            "backend CPU us", "both CPU us", f"both to {base}", "calls/request", "spread"]


def verdict(figures):
    texts = []
    for g in figures.get("goals", []):
        name = "both " if g["kind"] == "ratio_sum" else ""
        texts.append(f"{name}<= {g['goal']:.2f} {'met' if g['met'] else 'MISSED'}")
    return "; ".join(texts)


def cells(name, f):
    direct = f["server"] == "direct"
    return [name, f["target"], number(f["requests_per_second"], 0), milliseconds(f["p50"]), milliseconds(f["p99"]),
            milliseconds(f["p999"]), "" if direct else number(f["proxy_cpu"]),
            number(f["ratio_cpu"]) if f.get("ratio_cpu") is not None else "", verdict(f), number(f["backend_cpu"]),
            number(f["proxy_cpu"] + f["backend_cpu"]),
            number(f["ratio_sum"]) if f.get("ratio_sum") is not None else "",
            "" if direct else ("n/a" if f["syscalls"] is None else number(f["syscalls"])), f"{f['spread'] * 100:.0f} %"]


BASES = {work.name: work.base for work in works.WORKS}


def work_rows(results, base):
    """The rows of the works that compare with `base`; None stands for nutcracker."""
    rows = []
    for name, figures in results["works"].items():
        if BASES[name] == base:
            rows += [cells(name, f) for f in figures]
    return rows


def memory_rows(results):
    rows = []
    for entry in results["memory"]:
        f = entry["figures"]
        kib = [number(f[step]["resident"] / 1024, 0) for step in ("start", "idle", "served", "closed")]
        per = [number(f[step]["own_per_connection"], 0) for step in ("idle", "served", "closed")]
        goal = ""
        if entry["ours"]:
            met = f["served"]["own_per_connection"] <= works.MEMORY_GOAL
            goal = f"<= {works.MEMORY_GOAL} {'met' if met else 'MISSED'}"
        rows.append([entry["proto"], entry["target"], f"{entry['connections']:,}", *kib, *per, goal])
    return rows


MEMORY_HEAD = ["protocol", "target", "connections", "start KiB", "idle KiB", "after a get KiB", "closed KiB",
               "idle B/conn", "after a get B/conn", "closed B/conn", "goal"]


def many_connections_rows(results):
    """CPU per request with many connections against few, for every target that ran both works."""
    many, few, goal = works.MANY_CONNECTIONS
    of_few = {f["target"]: f for f in results["works"].get(few, [])}
    rows = []
    for f in results["works"].get(many, []):
        base = of_few.get(f["target"])
        if base is None or not base["proxy_cpu"]:
            continue
        ratio = f["proxy_cpu"] / base["proxy_cpu"]
        text = f"<= {goal:.2f} {'met' if ratio <= goal else 'MISSED'}" if f["ours"] else ""
        rows.append([f["target"], number(base["proxy_cpu"]), number(f["proxy_cpu"]), number(ratio), text])
    return rows


MANY_HEAD = ["target", "CPU us at 200", "CPU us at 10,000", "ratio", "goal"]


RELOAD_HEAD = ["target", "reloads", "p99 ms without", "p99 ms with", "added ms", "goal", "p99.9 ms without",
               "p99.9 ms with", "longest ms without", "longest ms with"]


def reload_rows(results):
    rows = []
    for f in results["reload"]:
        def pair(field, f=f):
            return [milliseconds(median_of(f[when], field)) for when in ("quiet", "busy")]
        met = f["added_p99_ms"] < f["goal_ms"]
        rows.append([f["target"], f["reloads"], *pair("p99"), number(f["added_p99_ms"]),
                     f"< {f['goal_ms']:.0f} {'met' if met else 'MISSED'}", *pair("p999"), *pair("max")])
    return rows


def plain(titles, rows):
    """A table for the terminal; a blank line where the first column changes."""
    rows = [[str(c) for c in r] for r in rows]
    widths = [max(len(r[i]) for r in [titles, *rows]) for i in range(len(titles))]
    left = {i for i, title in enumerate(titles) if title in ("work", "target", "protocol", "goal")}

    def line(r):
        return "  ".join(c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(r, widths))).rstrip()

    out = [line(titles)]
    last = None
    for r in rows:
        if r[0] != last and titles[0] == "work":
            out.append("")
        last = r[0]
        out.append(line(r))
    return "\n".join(out)


def markdown(titles, rows):
    out = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    out += ["| " + " | ".join(str(c) for c in r) + " |" for r in rows]
    return "\n".join(out)


def failures(results):
    return [f"{f['work']}, {f['target']}: {f['why']}" for f in results["failures"]]


def render(results, table):
    """The whole report; `table` is plain or markdown."""
    parts = [conditions(results)]
    for base in dict.fromkeys(BASES.values()):
        rows = work_rows(results, base)
        if rows:
            parts.append(table(head(base or PEER), rows))
    if results["works"]:
        parts.append(f"The load generator itself used {loadgen_range(results)} us of CPU per request.")
    many = many_connections_rows(results)
    if many:
        parts.append("Redis, pipeline 1: 10,000 connections against 200")
        parts.append(table(MANY_HEAD, many))
    if results["reload"]:
        parts.append("Latency while a pool of 1,000 redis nodes is reloaded once a second (20,000 requests/s offered), "
                     "and without that, in turns")
        parts.append(table(RELOAD_HEAD, reload_rows(results)))
    if results["memory"]:
        parts.append("Memory of the proxy process, fresh for each row (KiB: resident; B/conn: anonymous memory above "
                     "the start, per connection)")
        parts.append(table(MEMORY_HEAD, memory_rows(results)))
    if results["failures"]:
        parts.append("Failed, and left out above:\n\n" + "\n".join("- " + text for text in failures(results)))
    return "\n\n".join(parts) + "\n"


def loadgen_range(results):
    values = [f["loadgen_cpu"] for figures in results["works"].values() for f in figures]
    return f"{min(values):.2f} to {max(values):.2f}"


def conditions(results):
    m = results["machine"]
    counted = {"perf": "perf", "strace": "strace (which slows the proxy down while it counts)"}
    return (f"{m['date']}, {m['cores']} cores ({m['cpu']}), kernel {m['kernel']}; {m['pinning']}; "
            f"{results['repeats']} rounds of {results['seconds']:g} s, median; "
            f"{', '.join(f'{k} {v}' for k, v in m['versions'].items())}; system calls counted with "
            f"{counted.get(m['syscall_tool'], 'nothing (neither perf nor strace works here)')}; "
            f"load average before {m['load_before']}, after {m['load_after']}.")
