#!/usr/bin/python3
"""The soak; ./dev soak calls it. See --help.

A lane is a protocol: redis, memcache, and from three minutes on redis_cluster. It plays episodes, one after the other. An
episode is a proxy with four backends and a load that checks every reply; in rounds, up to three faults of the matrix
begin one after the other, on backends of their own, and end in another order; then everything must be served again. In
the lane of redis_cluster an episode is one of its rows. What an episode does follows from the seed, its lane and its
number alone; how far it comes, and how the faults meet the requests, does not.
"""

import argparse
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]
# Time-outs that a sanitizer build keeps on a busy machine, and that still come often within a minute.
os.environ.setdefault("OVERLORD_SCALE", "3")

import harness  # noqa: E402 - found by the line above
import hurts  # noqa: E402
from load import Load  # noqa: E402
from play import play  # noqa: E402
from rows import BY_NAME, LATE, ROWS, Row  # noqa: E402
from stage import Stage  # noqa: E402

BACKENDS, RELAYED = 4, (2, 3)
ROUNDS = 8  # of an episode
OF_A_BACKEND = ("killed", "stopped", "half-open", "other-server", "slow", "too-slow", "resets", "garbage")
# Whose whole row would take too long here, and who have no victim.
OF_CLIENTS = {"crowd": hurts.connect_storm(300), "slow-loris": BY_NAME["slow-loris"].hurt, "reloads": hurts.reloads(3)}
CLUSTER_ROWS = [row for row in ROWS if row.kinds == ("redis_cluster",)]


class View:
    """The stage as the hurt of one fault sees it: with a victim of its own."""

    def __init__(self, stage, victim):
        self.stage, self.victim = stage, victim

    def __getattr__(self, name):
        return getattr(self.stage, name)

    @property
    def server(self):
        return self.stage.servers[self.victim]

    @property
    def relay(self):
        return self.stage.relays[self.victim]


class Episode:
    def __init__(self, seed, lane, number):
        self.kind, self.name = lane, f"{lane} episode {number}"
        self.random = random.Random(f"{seed}/{lane}/{number}")
        self.io = self.random.choice(harness.io_drivers())
        self.possible = [name for name in OF_A_BACKEND if not (BY_NAME[name].needs and BY_NAME[name].needs())]
        self.rounds = self.faults = self.answers = 0
        self.began = time.monotonic()

    def say(self, text):
        print(f"{time.monotonic() - self.began:6.1f} s  {self.name} ({self.io}): {text}", flush=True)

    def play(self, deadline):
        if self.kind == "redis_cluster":
            row = self.random.choice(CLUSTER_ROWS)
            self.say(row.name)
            self.answers = play(row, self.kind, self.io)["answers"]
            self.rounds = self.faults = 1
            return
        row = Row("soak", "", "", None, backends=BACKENDS, settings={"max_client_buffer": 1 << 20})
        stage = Stage(self.kind, self.io, row, relayed=RELAYED)
        try:
            load = Load(self.kind, stage.address, BACKENDS, stage.node_of, big=False).start()
            load.progress(50)
            load.swept()
            while self.rounds < ROUNDS and time.monotonic() < deadline:
                self.round(stage, load)
            self.answers = load.total()
            load.stop()
            stage.proxy.stop()
        except BaseException:
            if stage.proxy is not None and stage.proxy.child is not None:
                print("---- the proxy said\n" + stage.proxy.output()[-12000:])
            raise
        finally:
            stage.close()

    def choose(self):
        """Up to three faults: (name, victim or None); no backend twice."""
        free = list(range(BACKENDS))
        chosen = []
        for _ in range(self.random.randint(1, 3)):
            name = self.random.choice([*self.possible, *OF_CLIENTS])
            if name in OF_CLIENTS:
                chosen.append((name, None))
                continue
            places = [n for n in free if (n in RELAYED) == BY_NAME[name].relayed]
            if places:
                victim = self.random.choice(places)
                free.remove(victim)
                chosen.append((name, victim))
        return chosen

    def round(self, stage, load):
        faults = self.choose()
        self.say(" + ".join(name if victim is None else f"{name} of {victim}" for name, victim in faults) or "nothing")
        # A victim's relay shares the cores with everything here: whatever else it does, it may be late.
        hurt = [(BY_NAME[name], victim) for name, victim in faults if victim is not None]
        load.allow({victim for _, victim in hurt}, [text for row, _ in hurt for text in (*row.errors, *LATE)])
        load.volatile = frozenset(victim for row, victim in hurt if row.loses)
        running = []
        for name, victim in faults:
            how = OF_CLIENTS.get(name) or BY_NAME[name].hurt
            running.append(how(View(stage, victim), load))
            next(running[-1])
            load.progress(self.random.randint(5, 30))
        self.random.shuffle(running)
        for one in running:
            if next(one, "ended") != "ended":
                raise AssertionError(f"one of {faults} yields more than once")
            load.progress(self.random.randint(1, 20))
        load.recovered(range(BACKENDS), time.monotonic(), 15.0)
        stage.proxy.check_alive()
        self.rounds += 1
        self.faults += len(faults)


def lane(options):
    """Plays the episodes of one lane in this process."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    deadline = time.monotonic() + options.seconds
    number, total = options.episode or 1, [0, 0, 0]
    while True:
        episode = Episode(options.seed, options.lane, number)
        try:
            episode.play(deadline)
        except Exception as failure:  # noqa: BLE001 - it is the result
            if not isinstance(failure, harness.Failed):
                import traceback
                traceback.print_exc()
            print(f"FAILED: {episode.name} ({episode.io}), round {episode.rounds + 1}: {failure}\n"
                  f"again:  ./dev soak --seed {options.seed} --lane {options.lane} --episode {number}", flush=True)
            return 1
        total = [a + b for a, b in zip(total, (episode.rounds, episode.faults, episode.answers))]
        if options.episode or time.monotonic() >= deadline:
            print(f"ok: {options.lane}: {number} episodes, {total[0]} rounds, {total[1]} faults, {total[2]:,} answers checked",
                  flush=True)
            return 0
        number += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("SOAK_SECONDS", "300")) / 60)
    parser.add_argument("--seed", type=int, help="without it another one each time")
    parser.add_argument("--lane", choices=("redis", "memcache", "redis_cluster"), help="this one alone")
    parser.add_argument("--episode", type=int, help="this one alone, of --lane")
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.seconds is not None or options.episode:
        if not options.lane or options.seed is None:
            parser.error("--episode needs --lane and --seed")
        if options.seconds is None:
            options.seconds = 3600
        return lane(options)
    if not harness.PROXY.exists():
        parser.error(f"{harness.PROXY} is missing: build it, or set OVERLORD_BIN_DIR")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    lanes = [options.lane] if options.lane else ["redis", "memcache"]
    if not options.lane and options.minutes >= 3:
        lanes.append("redis_cluster")
    print(f"soak: {options.minutes * 60:.0f} s, seed {seed}, {' and '.join(lanes)}, "
          f"{harness.SANITIZER or 'no'} sanitizer", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    children = [subprocess.Popen(["setpriv", "--pdeathsig", "TERM", sys.executable, "-B", __file__, "--seed", str(seed),
                                  "--lane", one, "--seconds", str(options.minutes * 60)], stdin=subprocess.DEVNULL)
                for one in lanes]
    late = time.monotonic() + options.minutes * 60 + 180 * harness.SCALE
    failed = []
    for one, child in zip(lanes, children):
        try:
            status = child.wait(max(1, late - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.terminate()
            status = child.wait()
            print(f"FAILED: {one} did not end")
        if status:
            failed.append(one)
    print(f"soak: seed {seed}: {'FAILED: ' + ', '.join(failed) if failed else 'all well'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
