#!/usr/bin/python3
"""The fault matrix; ./dev faults calls it. See --help."""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]

import harness  # noqa: E402 - found by the line above
import report  # noqa: E402
from play import play  # noqa: E402
from rows import BY_NAME, ROWS  # noqa: E402

RUN_SECONDS = 90  # scaled: one row, one kind, one driver
TOGETHER = 3  # runs at a time


def child(name, kind, io):
    """Plays one row in this process; the last line of its output is the result."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    result = {"row": name, "kind": kind, "io": io, "failed": ""}
    began = time.monotonic()
    try:
        result.update(play(BY_NAME[name], kind, io))
    except Exception as failure:  # noqa: BLE001 - it is the result
        result["failed"] = f"{type(failure).__name__}: {failure}"
        if not isinstance(failure, harness.Failed):
            import traceback
            traceback.print_exc()
    result["seconds"] = round(time.monotonic() - began, 1)
    print(json.dumps(result), flush=True)
    return 1 if result["failed"] else 0


class Run:
    def __init__(self, row, kind, io):
        self.row, self.kind, self.io, self.tries = row, kind, io, 0
        self.process = self.deadline = None

    def start(self):
        self.tries += 1
        self.deadline = time.monotonic() + RUN_SECONDS * harness.SCALE
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", sys.executable, "-B", str(HERE / "run.py"), "--one", self.row.name,
             self.kind, self.io], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def ended(self):
        """The result once there is one."""
        if self.process.poll() is None:
            if time.monotonic() < self.deadline:
                return None
            self.end()
        text = self.process.communicate()[0]
        try:
            result = json.loads(text.splitlines()[-1])
        except (ValueError, IndexError):
            result = {"row": self.row.name, "kind": self.kind, "io": self.io, "seconds": 0,
                      "failed": f"ended with {self.process.returncode} and no result: {text[-1500:]}"}
        if result["failed"]:
            result["output"] = "\n".join(text.splitlines()[:-1])
        return result

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def chosen_drivers(row, kind, half):
    """Both io drivers; of half a matrix one, so that each protocol and each driver has every other row."""
    drivers = harness.io_drivers()
    return [drivers[(ROWS.index(row) + row.kinds.index(kind)) % len(drivers)]] if half else drivers


def matrix(names, together, kinds=None, half=False):
    """Plays the rows and answers their results, in order. A run that fails is tried once more, alone."""
    waiting, results, skipped = [], [], {}
    for row in [BY_NAME[n] for n in names] if names else ROWS:
        why = row.needs() if row.needs else ""
        if why:
            skipped[row.name] = why
            continue
        waiting += [Run(row, kind, io) for kind in row.kinds if not kinds or kind in kinds
                    for io in chosen_drivers(row, kind, half)]
    waiting.sort(key=lambda run: run.row.alone)
    running, again = [], []
    try:
        while waiting or running or again:
            while waiting and len(running) < together and (not running or not waiting[0].row.alone):
                running.append(waiting.pop(0))
                running[-1].start()
                if running[-1].row.alone:
                    break
            if not running:
                running.append(again.pop(0))
                running[-1].start()
            for run in list(running):
                result = run.ended()
                if result is None:
                    continue
                running.remove(run)
                report.progress(result, run.tries)
                if result["failed"] and run.tries == 1 and "hold" not in os.environ.get("OVERLORD_FAULTS", ""):
                    again.append(run)
                else:
                    result["tries"] = run.tries
                    results.append(result)
            time.sleep(0.02)
    finally:
        for run in running:
            run.end()
    return results, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--kind", action="append")
    parser.add_argument("--half", action="store_true", help="each row and protocol on one driver, in turns")
    parser.add_argument("--together", type=int, default=TOGETHER)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return child(*options.one)
    unknown = [name for name in options.rows if name not in BY_NAME]
    if unknown:
        parser.error(f"no row {', '.join(unknown)}: {', '.join(BY_NAME)}")
    if options.list:
        for row in ROWS:
            print(f"{row.name:18} {row.what}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not harness.PROXY.exists():
        parser.error(f"{harness.PROXY} is missing: build it, or set OVERLORD_BIN_DIR")
    results, skipped = matrix(options.rows, options.together, options.kind, options.half)
    report.table(results, skipped)
    if path := os.environ.get("FAULTS_RESULTS"):
        report.verdicts(pathlib.Path(path), results, skipped)
    if options.write:
        report.write(results, skipped)
    return 1 if any(r["failed"] for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
