#!/usr/bin/python3
"""The compatibility stage of ./dev test: drives real clients through the proxy and keeps docs/compatibility.md.

Called by scripts/test.py. --write: write the document from this run. --strict: a cell that got better fails as well,
until the document is written again. --only TEXT: only the runs whose client or target has the text; nothing is
compared then. Every run of a client is a process of its own (see report.py) with a proxy of its own (targets.py).
CLIENTS_RESULTS names a file for the verdicts, one a line: "ok" or "failed", and the cell.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import secrets
import select
import shutil
import subprocess
import sys
import threading
import time

import clients
import document
import npm
import table
import targets
from table import NO, NONE, YES, Cell
from targets import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOGS = ROOT / "build" / "test" / "clients"
# A runner ends a feature itself after 15 s; this is for one that hangs below its own timer.
SILENCE_SECONDS = 25 * harness.SCALE
FEW = 3  # so many runs are tried a second time
RUN_SECONDS = 60 * harness.SCALE  # a client that hangs in many features is not waited for in all of them


@dataclasses.dataclass(eq=False)
class Run:
    """One client against one target, and what came of it: cells by feature."""

    client: clients.Client
    target: targets.Target
    version: str = ""
    cells: dict = dataclasses.field(default_factory=dict)
    started: float = 0
    seconds: float = 0

    def all_are(self, reason, features=None):
        for feature in features or self.client.features:
            self.cells[feature] = Cell(NO, reason)


class Lines:
    """Lines of a child's output with a time limit."""

    def __init__(self, pipe):
        self.pipe, self.buffer = pipe, b""

    def next(self, seconds):
        """A line, "" at the end of the output; None when nothing came in time."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            if not select.select([self.pipe], [], [], max(0, deadline - time.monotonic()))[0]:
                return None
            more = os.read(self.pipe.fileno(), 65536)
            if not more:
                return ""
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode(errors="replace") + "\n"


def drive(run, direct=False):
    """Runs one client against one target."""
    run.started = time.monotonic()
    flushed = [harness.Memcached(options=["-I", "8m"]) for _ in range(2)] if run.target.kind == "memcache" else []
    try:
        taken, refused = run.target.clusters(flushed, peers=run.client.tool)
        if "" in refused and not direct:
            run.all_are(refused[""])
            return
        with targets.Direct(run.target) if direct else targets.Proxy(*taken.values(), io="auto", workers=2) as proxy:
            if direct:
                taken, refused = proxy.servers, {"auth": "not tried directly", "flush": "not tried directly"}
            given = {"host": "127.0.0.1", "port": taken[""].port, "password": targets.PASSWORD, "user": targets.USER,
                     "refused": refused, "cluster": run.target.name == targets.CLUSTER,
                     "prefix": f"s{secrets.token_hex(4)}:", "ca": None,
                     **{f"{name}_port": cluster.port for name, cluster in taken.items() if name}}
            if run.target.tls:
                given["ca"] = run.target.session.certificates.ca
            features = list(run.client.features)
            while features:
                features = drive_features(run, proxy, given | {"features": features}, features)
    except AssertionError as failure:
        run.all_are(str(failure).splitlines()[0], [f for f in run.client.features if f not in run.cells])
    finally:
        for server in flushed:
            server.kill_now()
        run.seconds = time.monotonic() - run.started


def drive_features(run, proxy, given, features):
    """Runs the features; returns those that are left when the runner had to be ended or ended itself."""
    left, current = list(features), None
    with open(log_of(run), "a") as log, subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *run.client.command(given)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=log, start_new_session=True, env={**os.environ, **run.client.env}) as child:
        lines = Lines(child.stdout)
        try:
            while line := lines.next(SILENCE_SECONDS):
                if time.monotonic() > run.started + RUN_SECONDS:
                    run.all_are(f"not reached: the run took longer than {RUN_SECONDS:.0f} s", left)
                    return []
                if not line.startswith("{"):
                    continue  # a client's own words
                said = json.loads(line)
                if "version" in said:
                    run.version = said["version"]
                elif "start" in said:
                    current = said["start"]
                elif said.get("restart"):
                    proxy.restart()
                    child.stdin.write(b"restarted\n")
                    child.stdin.flush()
                else:
                    verdict = {"yes": YES, "no": NO, "none": NONE}[said["verdict"]]
                    reason = clean(said["reason"], given)
                    run.cells[said["feature"]] = Cell(verdict, reason)
                    left.remove(said["feature"])
                    if said["feature"] == "connect" and verdict != YES:
                        run.all_are(reason, left)
                        return []
            if line == "":
                child.wait(10)
        finally:
            if child.poll() is None:
                child.kill()
    proxy.check_alive()
    if not left:
        return []
    if not run.version:
        run.all_are("the client does not start", left)
        return []
    lost = current if current in left else left[0]
    run.cells[lost] = Cell(NO, "the client hung" if line is None else f"the client's process ended "
                                                                       f"with {child.returncode}")
    left.remove(lost)
    return left


def log_of(run):
    """The file for what the client's process says on its standard error."""
    LOGS.mkdir(parents=True, exist_ok=True)
    return LOGS / (re.sub(r"\W+", "-", f"{run.target.title} {run.client.title}") + ".log")


def clean(reason, given):
    """A client's error text as it would be in every run: without ports, random prefixes and folders; one line."""
    reason = reason.replace(given["prefix"], "")
    for name in ("port", "auth_port", "flush_port", "peer_port"):
        if given.get(name):
            reason = reason.replace(str(given[name]), "PORT")
    reason = re.sub(r"(/\S+)?/tests/clients/", "", reason)
    reason = re.sub(r"\b\d{5}\b", "PORT", reason)
    reason = re.sub(r"(?i)\b(MOVED:?) \w+ ", r"\1 SLOT ", reason)
    reason = re.sub(r"0x[0-9a-f]+", "0x…", reason)
    reason = " ".join(reason.split())
    return reason if len(reason) <= 200 else reason[:197] + "..."


def main():
    parser = argparse.ArgumentParser(prog="./dev test clients")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true", help="every cell that is not yes, and why")
    parser.add_argument("--direct", action="store_true", help="against a server of the target's kind; compares nothing")
    given = parser.parse_args()
    session = targets.Session()
    try:
        runs = [Run(client, target) for target in session.targets for client in clients.ALL if client.speaks(target)]
        words = given.only.split("+") if given.only else []
        runs = [run for run in runs if all(word in f"{run.client.title}, {run.target.title}," for word in words)]
        if given.direct:  # a node of a Redis Cluster is for clients of clusters, and ours have no TLS
            runs = [run for run in runs if (run.target.name == targets.CLUSTER) == run.client.cluster
                    and not (run.client.cluster and run.target.tls)]
        runs.sort(key=lambda run: -run.client.weight)
        if any(isinstance(run.client, clients.NodeClient) for run in runs):
            npm.install()
        shutil.rmtree(LOGS, ignore_errors=True)
        in_cluster = [run for run in runs if run.target.name == targets.CLUSTER]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
            jobs = [pool.submit(drive_and_tell, run, given) for run in runs if run not in in_cluster]
            if in_cluster:
                session.start_cluster()
            jobs += [pool.submit(drive_and_tell, run, given) for run in in_cluster]
            for job in jobs:
                job.result()
        if words or given.direct:
            return 0
        known = table.verdicts(document.PATH.read_text()) if document.PATH.exists() else {}
        again = second_try(runs, known, given)
    finally:
        session.stop()
    return judge(runs, known, again, given)


TELLING = threading.Lock()


def drive_and_tell(run, given):
    drive(run, given.direct)
    with TELLING:
        counts = {v: sum(cell.verdict == v for cell in run.cells.values()) for v in (YES, NO, NONE)}
        print(f"    {run.seconds:5.1f} s  {run.target.title:20} {run.client.title:24} "
              f"{counts[YES]} yes, {counts[NO]} no, {counts[NONE]} not in the client", flush=True)
        said = {}
        for feature, cell in run.cells.items() if given.verbose else ():
            if cell.verdict != YES:
                said.setdefault(f"{cell.verdict}: {cell.reason}", []).append(feature)
        for reason, features in said.items():
            print(f"             {', '.join(features)}: {reason}", flush=True)


def second_try(runs, known, given):
    """Runs the few whose cells got worse once more, with the machine to themselves: a machine that stood still for a
    moment is not a defect. Answers the cells that passed only then."""
    worse = set(table.worse(known, document.tables(runs)))
    failed = [run for run in runs if any(place in worse for place in document.places(run).values())]
    if len(failed) > FEW:
        return []
    passed = []
    for run in failed:
        print(f"    again, alone: {run.target.title}: {run.client.title}")
        before = dict(run.cells)
        drive_and_tell(run, given)
        passed += [f"{run.target.title}: {run.client.title}: {feature}: {before[feature].reason}"
                   for feature, cell in run.cells.items() if cell.verdict == YES and before[feature].verdict != YES]
        for feature, cell in before.items():  # what passed once has passed
            if cell.verdict == YES:
                run.cells[feature] = cell
    return passed


def judge(runs, known, again, given):
    """Compares, tells, and writes what was asked for; the status of the suite."""
    tables = document.tables(runs)
    if given.write:
        document.PATH.write_text(document.render(tables, runs))
        print(f"wrote {document.PATH.relative_to(ROOT)}")
        known = table.verdicts(document.PATH.read_text())
    worse, better, strange = table.compare(known, tables)
    for word, lines in (("WORSE", worse), ("better", better), ("differs", strange)):
        for line in lines:
            print(f"{word:7} {line}")
    if better or strange:
        print(f"{len(better) + len(strange)} cells differ from docs/compatibility.md without being worse: "
              "./dev test clients --write writes it again")
    bad = worse + (better + strange if given.strict else [])
    if results := os.environ.get("CLIENTS_RESULTS"):
        good = [f"ok {t.title}: {column}: {row}" for t in tables for (row, column), cell in t.cells.items()
                if cell.verdict == YES]
        lines = good + [f"again {line}" for line in again] + [f"failed {line}" for line in bad]
        pathlib.Path(results).write_text("".join(f"{line}\n" for line in lines))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
