"""bench/run.py end to end, with short rounds: that it starts, measures, judges and cleans up. No figure is asserted
that a slow machine could miss."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

import harness

RUN = harness.REPO / "bench" / "run.py"


def bench(*options, folder=None):
    """folder: where it keeps its files, to find what it started by."""
    command = [sys.executable, str(RUN), "--bin-dir", str(harness.BIN_DIR), "--repeats", "2", "--seconds", "0.2",
               *[str(o) for o in options]]
    env = dict(os.environ, TMPDIR=str(folder)) if folder else None
    return subprocess.run(command, capture_output=True, text=True, timeout=300 * harness.SCALE, check=False, env=env)


def running_with(text):
    found = []
    for cmdline in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in cmdline.read_bytes().decode(errors="replace"):
                found.append(cmdline.parent.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("work", ["redis-mget10", "memcache-c50p16"])
def test_peers(tmp_path, work):
    out = tmp_path / "out.json"
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n")
    done = bench("--only", work, "--proxy-cmd", f"nutcracker -c {{nutcracker}} -s {harness.free_port()}",
                 "--json", out, "--markdown", page, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(out.read_text())
    rows = {row["target"]: row for row in results["works"][work]}
    assert list(rows) == ["nutcracker", "overlord", "direct"] and results["failures"] == []
    for name, row in rows.items():
        assert row["requests_per_second"] > 0 and row["backend_cpu"] > 0 and row["loadgen_cpu"] > 0
        assert 0 < row["p50"] <= row["p99"] <= row["p999"] <= row["max"]
        assert len(row["samples"]) == 2
        assert (row["proxy_cpu"] > 0) == (name != "direct")
    ours = rows["overlord"]
    assert ours["ratio_cpu"] > 0 and ours["goals"] and all(g["met"] == (g["got"] <= g["goal"]) for g in ours["goals"])
    text = page.read_text()
    assert text.startswith("before\n<!-- bench:begin -->\n") and text.endswith("<!-- bench:end -->\nafter\n")
    assert f"| {work} | overlord |" in text and "old" not in text
    assert running_with(f"{tmp_path}/overlord-bench-") == []


@pytest.mark.parametrize("work, rows, base", [
    ("resp3-zrange10", ["overlord RESP2", "overlord RESP3"], "RESP2"),
    ("cluster-c50p16", ["nutcracker ketama", "overlord ketama", "overlord redis_cluster", "direct master"], "ketama"),
    ("tls-c50p16", ["overlord plain", "overlord TLS"], "plain"),
    ("tls-connect", ["overlord plain", "overlord TLS, full", "overlord TLS, resumed"], "plain"),
    ("observation-redis-p16", ["overlord unobserved", "overlord observed"], "unobserved"),
    ("dialects-c50p1", ["nutcracker text", "overlord text", "overlord meta", "overlord binary"], "text")])
def test_works_that_compare_ways_to_use_one_proxy(tmp_path, work, rows, base):
    out = tmp_path / "out.json"
    done = bench("--only", work, "--no-syscalls", "--json", out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"to {base}" in done.stdout
    got = {row["target"]: row for row in json.loads(out.read_text())["works"][work]}
    assert list(got) == rows
    for name, row in got.items():
        assert row["backend_cpu"] > 0 and (row["proxy_cpu"] > 0) == (not name.startswith("direct"))
        compared = name.startswith("overlord") and not name.endswith(f" {base}")
        assert ("ratio_cpu" in row) == compared and bool(row.get("goals")) == (compared and work[0] not in "dt")


def test_reloads_of_a_big_pool(tmp_path):
    out = tmp_path / "out.json"
    done = bench("--only", "reload", "--repeats", "1", "--no-syscalls", "--json", out, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    row, = json.loads(out.read_text())["reload"]
    assert row["target"] == "overlord" and row["reloads"] >= 1
    assert row["added_p99_ms"] == (row["busy"][0]["p99"] - row["quiet"][0]["p99"]) / 1000
    assert "added ms" in done.stdout
    assert running_with(f"{tmp_path}/overlord-bench-") == []


def test_a_proxy_that_answers_errors_is_no_fast_proxy(tmp_path):
    """Nothing listens where its backends should be: every request ends in an error, and no figure is printed."""
    script = tmp_path / "broken-proxy"
    script.write_text("#!/bin/sh\n"
                      f"sed 's/- 127.0.0.1:[0-9]*:1/- 127.0.0.1:1:1/' \"$1\" > {tmp_path}/nowhere.yml\n"
                      f"exec nutcracker -c {tmp_path}/nowhere.yml -s {harness.free_port()}\n")
    script.chmod(0o755)
    done = bench("--only", "redis-c50p1", "--no-syscalls", "--proxy-cmd", f"{script} {{nutcracker}}")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "redis-c50p1, overlord: overlord: load generator ended with 3" in done.stdout
    assert "  overlord  " not in done.stdout


def test_a_proxy_that_does_not_start_is_reported_with_its_output():
    done = bench("--only", "redis-c50p1", "--proxy-cmd", "nutcracker --no-such-option")
    assert done.returncode == 1 and "ended with code" in done.stderr and "no-such-option" in done.stderr


def test_unknown_names_are_refused_with_the_known():
    done = bench("--only", "redis-c50p17")
    assert done.returncode == 1 and "redis-c50p17" in done.stderr and "redis-c50p16" in done.stderr
