#!/usr/bin/python3
"""The stages of ./dev test: builds, runs, counts. Called by scripts/test.sh with the stages to run, in order."""

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "test"
CPUS = os.cpu_count() or 1
TEST_SECONDS = 600  # one test may take this long, under the slowest sanitizer
STAGE_SECONDS = 40 * 60  # a stage that takes longer hangs


class Tally:
    """Counts of one stage, with the names of what failed and what was skipped."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed: list[str] = []
        self.skipped: list[str] = []
        self.second_try: list[str] = []

    def check(self, name: str, good: bool) -> bool:
        if good:
            self.passed += 1
        else:
            self.failed.append(name)
        return good

    def add_junit(self, path: Path, what: str, status: int) -> None:
        """Adds the cases of a JUnit report. A run that failed without naming a case counts as a failure itself."""
        failed_before = len(self.failed)
        cases = ET.parse(path).getroot().iter("testcase") if path.exists() else []
        for case in cases:
            group, name = case.get("classname", ""), str(case.get("name"))
            name = f"{what} {name if group in ('', name) else f'{group}::{name}'}"
            if case.find("failure") is not None or case.find("error") is not None:
                self.failed.append(name)
            elif case.find("skipped") is not None:
                self.skipped.append(name)
            else:
                self.passed += 1
        if status != 0 and len(self.failed) == failed_before:
            self.failed.append(f"{what}: ended with status {status}")


def run(
    command: list[str], env: dict[str, str] | None = None, drop: str = "", log: IO[str] | None = None,
    seconds: float = STAGE_SECONDS,
) -> int:
    """Runs a command in its own process group; ends the group when it takes too long or we are interrupted.
    drop: a pattern of grep; the lines of the output that match it are not shown. log: where the output goes."""
    if drop:
        filtered = 'set -o pipefail; drop=$1; shift; "$@" | { grep --line-buffered -vE "$drop" || true; }'
        command = ["bash", "-c", filtered, "run", drop, *command]
    sys.stdout.flush()
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        start_new_session=True,
    )
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        print(f"dev: no end after {seconds} s: {' '.join(command)}", file=log or sys.stdout)
        return 124
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def build(tally: Tally, preset: str, *targets: str) -> bool:
    return tally.check(f"build of {preset}", run(["./dev", "build", preset, *targets]) == 0)


def unit(tally: Tally, preset: str, env: dict[str, str]) -> None:
    report = LOGS / f"{preset}-unit.xml"
    report.unlink(missing_ok=True)
    command = ["ctest", "--test-dir", f"build/{preset}", "-L", "unit", "-j", str(CPUS), "--timeout", str(TEST_SECONDS)]
    command += ["--repeat", "until-pass:2", "--output-on-failure", "--no-tests=error", "--output-junit", str(report)]
    # Those that pass would be hundreds of lines; the last lines say how many they were.
    passing = r"^ +Start +[0-9]+: |^ *[0-9]+/[0-9]+ Test +#[0-9]+: .* Passed +[0-9.]+ sec$"
    tally.add_junit(report, f"{preset} unit", run(command, env, drop=passing))


def unit_by_program(tally: Tally, preset: str, env: dict[str, str], only: str = "") -> None:
    """As unit(), but a few processes for each program and not one for each test: with a sanitizer it takes long to
    start."""
    listing = subprocess.run(
        ["ctest", "--test-dir", f"build/{preset}", "-L", "unit", "--show-only=json-v1"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )
    # Those that were not built have no command.
    tests = [test for test in json.loads(listing.stdout)["tests"] if "command" in test]
    programs = sorted({test["command"][0] for test in tests})
    programs = [program for program in programs if not only or Path(program).name == only]
    tally.check("there are unit tests", bool(programs))

    def work(program: str, shard: int) -> tuple[str, list[ET.Element], list[str], int, str]:
        name = Path(program).name + f"-{shard}"
        shards = {"GTEST_TOTAL_SHARDS": str(CPUS), "GTEST_SHARD_INDEX": str(shard)}
        report = LOGS / f"{preset}-{name}.xml"
        out = LOGS / f"{preset}-{name}.log"
        again: list[str] = []
        cases: list[ET.Element] = []
        for turn in range(2):
            report.unlink(missing_ok=True)
            command = [program, "--gtest_brief=1", f"--gtest_output=xml:{report}"]
            if again:
                command.append("--gtest_filter=" + ":".join(again))
            with out.open("w" if turn == 0 else "a") as log:
                status = run(command, env | ({} if again else shards), log=log, seconds=TEST_SECONDS)
            found = list(ET.parse(report).getroot().iter("testcase")) if report.exists() else []
            found = [c for c in found if c.get("status") == "run"]
            cases = [c for c in cases if c.find("failure") is None] + found
            failed = [c for c in found if c.find("failure") is not None]
            if status == 0 or not failed:
                break
            if turn == 0:
                again = [f"{c.get('classname')}.{c.get('name')}" for c in failed]
        return name, cases, again, status, out.read_text(errors="replace")[-6000:]

    shards_of = [shard for shard in range(CPUS) for _ in programs]
    with ThreadPoolExecutor(CPUS) as pool:
        for name, cases, again, status, text in pool.map(work, programs * CPUS, shards_of):
            tally.second_try += [f"{preset} unit {name}:{x}" for x in again if status == 0]
            for case in cases:
                what = f"{preset} unit {name}:{case.get('classname')}.{case.get('name')}"
                tally.check(what, case.find("failure") is None)
            if status != 0:
                tally.check(f"{preset} unit {name}: ended with status {status}", False)
                print(text)
            print(f"{name}: {len(cases)} tests" + ("" if status == 0 else f", ended with status {status}"), flush=True)


# So many failures of a stage are tried a second time.
FEW = 5

# Of the soak at the end of the stage asan; the last round of faults comes on top.
SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "40"))

# Not run on sanitizer builds, which have no bench/: these test the load generator, the comparison and, by the
# placement tool, the rings, whose unit tests the sanitizers see.
NEEDS_BENCH = ("test_bench.py", "test_loadgen.py", "test_loadgen_dialects.py", "test_placement_nutcracker.py")


# What the thread sanitizer runs: several workers, and whatever else has a thread of its own. OVERLORD_WHOLE=1: everything.
THREADED = ("test_listeners.py", "test_redis_client.py", "test_redis_learned.py", "test_redis_scripts.py",
            "test_sentinel.py", "test_tls_reload.py", "test_backend_faults.py", "test_eject.py", "test_cli.py",
            "test_timeouts.py", "test_ordering.py", "test_redis_pubsub.py", "test_redis_cluster.py",
            "test_reload.py", "test_metrics.py", "test_slowlog.py", "test_hot_keys.py", "test_limits.py", "test_upgrade.py",
            "test_tail.py", "test_traces.py")


def system(tally: Tally, preset: str, env: dict[str, str]) -> None:
    report = LOGS / f"{preset}-system.xml"
    report.unlink(missing_ok=True)
    few = preset == "tsan" and "OVERLORD_WHOLE" not in os.environ
    what = [f"tests/system/{name}" for name in THREADED] if few else ["tests/system"]
    # Tests wait most of their time; with the thread sanitizer they compute.
    jobs = CPUS * (2 if preset == "tsan" else 3)
    command = [sys.executable, "-m", "pytest", *what, "-q", "-n", str(jobs), f"--junitxml={report}"]
    command += ["--timeout", str(TEST_SECONDS), "--durations=5", "-o", "cache_dir=build/test/pytest"]
    if preset != "release":
        command += [f"--ignore=tests/system/{name}" for name in NEEDS_BENCH]
    env = {**env, **binaries(preset)}
    status = run(command, env)
    again = failed_cases(report)
    if status == 1 and 0 < len(again) <= FEW:
        status = second_try(tally, f"{preset} system", report, again, env)
    tally.add_junit(report, f"{preset} system", status)


def failed_cases(report: Path) -> list[ET.Element]:
    cases = ET.parse(report).getroot().iter("testcase") if report.exists() else []
    return [c for c in cases if c.find("failure") is not None or c.find("error") is not None]


def second_try(tally: Tally, what: str, report: Path, failed: list[ET.Element], env: dict[str, str]) -> int:
    """Runs the few that failed once more, with the machine to themselves: a machine that stood still for a moment is
    not a defect, and is named in the summary. Answers the status of the stage; the report says how it ended."""
    ids = []
    for case in failed:
        module, *classes = str(case.get("classname")).removeprefix("tests.system.").split(".")
        ids.append("::".join([f"tests/system/{module}.py", *classes, str(case.get("name"))]))
    print(f"dev: {len(ids)} failed; running them again, alone")
    alone = report.with_name(report.stem + "-again.xml")
    alone.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", *ids, f"--junitxml={alone}", "--timeout", str(TEST_SECONDS)]
    if run([*command, "-o", "cache_dir=build/test/pytest"], env) != 0:
        return 1
    tree = ET.parse(report)
    for case in tree.getroot().iter("testcase"):
        broken = [x for x in case if x.tag in ("failure", "error")]
        for x in broken:
            case.remove(x)
        if broken:
            tally.second_try.append(f"{what} {case.get('classname')}::{case.get('name')}")
    tree.write(report)
    return 0


def binaries(preset: str) -> dict[str, str]:
    return {"OVERLORD_BIN_DIR": str(ROOT / "build" / preset / "bin"), "OVERLORD_PRESET": preset}


def stage_unit(tally: Tally) -> None:
    if build(tally, "release", "all", "unit_tests"):
        unit(tally, "release", {})


def stage_system(tally: Tally) -> None:
    # The simulation of jobs, whole; with a sanitizer only a part of it is run.
    if build(tally, "release", "all", "jobs_test"):
        unit_by_program(tally, "release", {}, only="jobs_test")
        system(tally, "release", {})


def stage_clients(tally: Tally) -> None:
    if not build(tally, "release", "overlord-proxy"):
        return
    command = [sys.executable, "-m", "pytest", "-q", "tests/clients", "-o", "cache_dir=build/test/pytest"]
    tally.check("the comparison of the compatibility suite", run(command) == 0)
    verdicts = LOGS / "clients.txt"
    verdicts.unlink(missing_ok=True)
    option = os.environ.get("CLIENTS_OPTION")
    command = [sys.executable, "-B", "tests/clients/run.py", *([option] if option else [])]
    status = run(command, {**binaries("release"), "CLIENTS_RESULTS": str(verdicts)})
    for line in verdicts.read_text().splitlines() if verdicts.exists() else []:
        verdict, name = line.split(" ", 1)
        if verdict == "again":
            tally.second_try.append(f"clients {name}")
        else:
            tally.check(f"clients {name}", verdict == "ok")
    if status != 0 and not tally.failed:
        tally.failed.append(f"clients: ended with status {status}")


def stage_faults(tally: Tally) -> None:
    if not build(tally, "release", "overlord-proxy"):
        return
    verdicts = LOGS / "faults.txt"
    verdicts.unlink(missing_ok=True)
    command = [sys.executable, "-B", "tests/faults/run.py"]
    if "OVERLORD_WHOLE" not in os.environ:
        command.append("--half")
    status = run(command, {**binaries("release"), "FAULTS_RESULTS": str(verdicts)})
    for line in verdicts.read_text().splitlines() if verdicts.exists() else []:
        verdict, name = line.split(" ", 1)
        if verdict == "skipped":
            tally.skipped.append(f"faults {name}")
            continue
        if verdict == "again":
            tally.second_try.append(f"faults {name}")
        tally.check(f"faults {name}", verdict != "failed")
    if status != 0 and not tally.failed:
        tally.failed.append(f"faults: ended with status {status}")


def io_uring_works() -> bool:
    probe = "import harness; print(harness.io_uring_allowed())"
    found = subprocess.run([sys.executable, "-c", probe], cwd=ROOT / "tests" / "system", capture_output=True, text=True)
    return found.stdout.strip() == "True"


def sanitized(tally: Tally, preset: str) -> None:
    """Unit and system tests on a sanitizer build. A report of any process counts, even where no test looks at it."""
    if not build(tally, preset, "all", "unit_tests"):
        return
    reports = LOGS / f"{preset}-report"
    for old in LOGS.glob(f"{reports.name}.*"):
        old.unlink()
    common = f"log_path={reports}:exitcode=86"
    env = {
        "ASAN_OPTIONS": f"{common}:detect_leaks=1:detect_stack_use_after_return=1",
        "UBSAN_OPTIONS": f"{common}:print_stacktrace=1",
        "TSAN_OPTIONS": f"{common}:halt_on_error=0:second_deadlock_stack=1",
    }
    unit_by_program(tally, preset, env)
    # System tests on one driver each, which halves the time; the unit tests drive both. OVERLORD_IO=epoll,io_uring: both.
    if "OVERLORD_IO" not in os.environ:
        env["OVERLORD_IO"] = {"asan": "io_uring", "tsan": "epoll"}[preset] if io_uring_works() else "epoll"
    system(tally, preset, env)
    if preset == "asan":
        command = [sys.executable, "-B", "tests/faults/soak.py", "--minutes", str(SOAK_SECONDS / 60)]
        tally.check("asan soak", run(command, {**env, **binaries(preset)}) == 0)
    found = sorted(LOGS.glob(f"{reports.name}.*"))
    for path in found[:5]:
        print(f"---- {path.relative_to(ROOT)}\n{path.read_text(errors='replace')[:6000]}")
    tally.check(f"{preset}: {len(found)} sanitizer reports in build/test/{reports.name}.*", not found)


def stage_lint(tally: Tally) -> None:
    counts = LOGS / "lint"
    counts.unlink(missing_ok=True)
    status = run(["./dev", "lint", "--full"], {"LINT_RESULTS": str(counts)})
    results = counts.read_text().splitlines() if counts.exists() else []
    for line in results:
        verdict, name = line.split(" ", 1)
        tally.check(f"lint {name}", verdict == "ok")
    if status != 0 and not tally.failed:
        tally.failed.append(f"lint: ended with status {status}")


def stage_fuzz(tally: Tally) -> None:
    if not build(tally, "fuzz"):
        return
    targets = sorted((ROOT / "fuzz").glob("*_fuzz.cpp"))
    tally.check("there are fuzz targets", bool(targets))
    seconds = os.environ.get("FUZZ_SECONDS", "5")

    def fuzz(source: Path) -> tuple[str, bool]:
        name = source.name.removesuffix("_fuzz.cpp")
        with (LOGS / f"fuzz-{name}.log").open("w") as out:
            return name, subprocess.call(["./dev", "fuzz", name, seconds], cwd=ROOT, stdout=out, stderr=out) == 0

    with ThreadPoolExecutor(CPUS) as pool:
        for name, good in pool.map(fuzz, targets):
            lines = (LOGS / f"fuzz-{name}.log").read_text(errors="replace").splitlines()
            print(f"{name}: " + (next((x for x in reversed(lines) if x.startswith("Done ")), "") if good else "broken"))
            if not good:
                print("\n".join(lines[-40:]))
            tally.check(f"fuzz {name}", good)


STAGES = {
    "unit": stage_unit,
    "system": stage_system,
    "faults": stage_faults,
    "clients": stage_clients,
    "lint": stage_lint,
    "fuzz": stage_fuzz,
    "asan": lambda tally: sanitized(tally, "asan"),
    "tsan": lambda tally: sanitized(tally, "tsan"),
}


def main(stages: list[str]) -> int:
    LOGS.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    total, summary = Tally(), []
    for name in stages:
        print(f"\n==> {name}")
        tally, start = Tally(), time.monotonic()
        STAGES[name](tally)
        seconds = time.monotonic() - start
        summary.append(f"{name:8} {seconds:6.0f} s  {tally.passed} passed, {len(tally.failed)} failed")
        if tally.skipped:
            summary[-1] += f", {len(tally.skipped)} skipped"
        total.passed += tally.passed
        total.failed += tally.failed
        total.skipped += tally.skipped
        total.second_try += tally.second_try
        if tally.failed:
            break
    print("\n==> stages")
    for line in summary:
        print(f"    {line}")
    for name in stages[len(summary):]:
        print(f"    {name:8}  not run")
    for name in total.second_try:
        print(f"    passed only when run again: {name}")
    for name in total.skipped:
        print(f"    skipped: {name}")
    for name in total.failed:
        print(f"    FAILED: {name}")
    print(f"\n{total.passed} passed, {len(total.failed)} failed", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
