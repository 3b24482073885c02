"""docs/operations.md tells no lies: what it says to type is typed, in order, and prints what stands below it."""

import os
import re
import shutil

import pytest

import harness
from harness import REPO, Memcached, Process, Redis, free_port, wait_until

PAGES = ["operations.md"]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.M | re.S)


def commands(page):
    """(command, printed) of every `$ ` line of the page's console blocks."""
    found = []
    for block in BLOCK.findall((REPO / "docs" / page).read_text()):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, printed = part.partition("\n")
            found.append((command, printed))
    return found


def matches(printed, expected):
    """`...` stands for anything within a line; a line that is nothing else for any lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else ".*".join(map(re.escape, line.split("..."))) + r"\n"
        for line in expected.rstrip("\n").split("\n")) if expected.strip() else ""
    return re.fullmatch(pattern, printed if not printed or printed.endswith("\n") else printed + "\n") is not None


class Terminal(Process):
    """A shell in a folder of its own that has etc/ in it; the ports of the examples are replaced by free ones."""

    def __init__(self, ports):
        super().__init__("docs")
        self.ports = {name: str(port) for name, port in ports.items()}
        (self.folder / "etc").mkdir()
        for file in (REPO / "etc").glob("*.toml"):
            (self.folder / "etc" / file.name).write_text(self.moved(file.read_text()))

    def moved(self, text):
        return re.sub(r"(?<![\d.])(21211|26379|11211|6379|2110)\b", lambda found: self.ports[found.group()], text)

    def type(self, lines):
        """Runs all lines in one shell; what each printed."""
        script = "exec 2>&1\n" + "".join(f"{self.moved(line)}\nprintf '\\001%s\\001' {i}\n" for i, line in enumerate(lines))
        (self.folder / "script").write_text(script)
        env = dict(os.environ, PATH=f"{harness.BIN_DIR}:{os.environ['PATH']}")
        # --no-raw: what a terminal shows, which a pipe would not get.
        (self.folder / "bin").mkdir()
        redis_cli = self.folder / "bin" / "redis-cli"
        redis_cli.write_text(f'#!/bin/sh\nexec {shutil.which("redis-cli")} --no-raw "$@"\n')
        redis_cli.chmod(0o755)
        env["PATH"] = f"{self.folder}/bin:{env['PATH']}"
        self.spawn(["bash", "script"], env=env)
        wait_until(lambda: not self.alive(), 40, "the page's last line to be done")
        return re.split(r"\001\d+\001", self.stdout_path.read_text())


@pytest.mark.parametrize("page", PAGES)
def test_lines_print_what_the_page_says(page, resources):
    cases = commands(page)
    assert len(cases) >= 5
    memcached, redis = resources(Memcached()), resources(Redis())
    terminal = resources(Terminal({"21211": free_port(), "26379": free_port(), "2110": free_port(),
                                   "11211": memcached.port, "6379": redis.port}))
    outputs = terminal.type([command for command, _ in cases])
    assert len(outputs) == len(cases) + 1, outputs
    for (command, expected), printed in zip(cases, outputs):
        assert matches(printed, terminal.moved(expected)), f"$ {command}\n{printed}\ninstead of\n{expected}"


def test_matching_finds_differences():
    assert matches("2026 info  ready\n", "... info  ready\n") and matches("", "\n") and matches("a\nb\nc\n", "a\n...\nc\n")
    assert not matches("other\n", "ready\n") and not matches("", "x\n") and not matches("a\n", "")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", (REPO / "docs" / page).read_text()):
        assert target.startswith("https://") or (REPO / "docs" / target).exists(), target
