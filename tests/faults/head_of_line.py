"""The row head-of-line: a backend hangs, again and again, and the keys of the others are timed."""

import json
import pathlib
import statistics
import subprocess
import sys

import harness
from harness import Failed

RATIO = 1.2  # of the p99 while a backend hangs to the p99 while none does
PAIRS = (5, 21)  # of windows: so many decide; when they say it is too slow, so many new ones, and those alone
WINDOW = 0.5  # seconds, scaled: longer than read_timeout


class Prober(harness.Process):
    """prober.py, whose time the load's interpreter lock must not take."""

    def __init__(self, stage):
        super().__init__("prober")
        keys = [f"{n * 2654435761 % 2**32}.probe" for n in range(400)]
        parts = {"calm": [k for k in keys if stage.node_of(k) != stage.victim],
                 "hurt": [k for k in keys if stage.node_of(k) == stage.victim]}
        host, port = stage.address
        self.child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, "-B", str(pathlib.Path(__file__).with_name("prober.py")),
             stage.kind, host, str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        harness._live.add(self)
        self.tell(parts)

    def tell(self, what):
        self.child.stdin.write(json.dumps(what) + "\n")
        self.child.stdin.flush()

    def p99(self, settle=False):
        self.tell({"seconds": WINDOW * harness.SCALE, "settle": settle})
        line = self.child.stdout.readline()
        try:
            got = json.loads(line)
        except ValueError:
            raise Failed(f"the prober says {line}{self.child.stdout.read()}") from None
        if got["count"] < 100:
            raise Failed(f"only {got['count']} answers in {WINDOW} s")
        return got["p99"]

    def close(self):
        self.kill_now()
        self.child.stdin.close()
        self.child.stdout.close()


def head_of_line(stage, load):
    """The load rests while it is measured: it has less to do while a backend hangs, which would hide what waits."""
    with load.resting():
        prober = stage.keep(Prober(stage))
        prober.p99()
        for count in PAIRS:  # numbers of their own: to add pairs until the median is low would favour that
            ratios = []
            for _ in range(count):
                calm = prober.p99(settle=True)
                stage.server.freeze()
                ratios.append(prober.p99() / calm)
                stage.server.thaw()
            ratio = statistics.median(ratios)
            if ratio < RATIO:
                break
        if ratio >= RATIO:
            raise Failed(f"p99 of the others' keys is {ratio:.2f} times as long: {[round(r, 2) for r in ratios]}")
        stage.figure = round(ratio, 2)
        prober.p99(settle=True)
        prober.close()
    stage.server.freeze()
    yield
    stage.server.thaw()
