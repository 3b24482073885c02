"""The README's examples print what the README says, against the configuration that ./dev run serves."""

import re
import subprocess

import harness
import pytest
from harness import REPO, Memcached, Process, Redis, can_connect, free_port, wait_until

README = (REPO / "README.md").read_text()
BLOCK = re.compile(r"^```console\n(.*?)^```", re.M | re.S)


def examples():
    """(command, printed) of every `$ ` line of the README's console blocks that talks to the proxy."""
    found = []
    for block in BLOCK.findall(README):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, printed = part.partition("\n")
            if not command.startswith("./dev"):
                found.append((command, printed))
    return found


class ExampleProxy(Process):
    """overlord-proxy on etc/proxy-cluster.toml, every port of it replaced by a free one."""

    def __init__(self, memcached, redis):
        super().__init__("readme")
        self.ports = {"21211": free_port(), "26379": free_port(), "11211": memcached.port, "6379": redis.port}
        file = self.folder / "cluster.toml"
        file.write_text(self.moved((REPO / "etc/proxy-cluster.toml").read_text()))
        self.spawn([harness.PROXY, f"-cluster={file}", "-std"])
        for port in ("21211", "26379"):
            address = ("127.0.0.1", self.ports[port])
            wait_until(lambda: not self.alive() or can_connect(address), 20, f"the proxy to listen on {address}")
        assert self.alive(), self.output()

    def moved(self, text):
        return re.sub(r"\b(21211|26379|11211|6379)\b", lambda found: str(self.ports[found.group()]), text)


@pytest.fixture(scope="module")
def shell():
    """shell(command) runs a README line on a fresh proxy and servers, shared by the module, and returns its output."""
    made = [Memcached(), Redis()]
    try:
        made.append(ExampleProxy(*made))
        proxy = made[-1]

        def run(command):
            moved = proxy.moved(command)
            assert moved != command, f"no port of the proxy in: {command}"
            # --no-raw: what a terminal shows, which a pipe would not get.
            moved = moved.replace("redis-cli ", "redis-cli --no-raw ")
            done = subprocess.run(["bash", "-c", moved], capture_output=True, text=True, timeout=20 * harness.SCALE)
            return (done.stdout + done.stderr).replace("\r\n", "\n")

        yield run
    finally:
        for process in reversed(made):
            process.kill_now()


def test_examples_print_what_the_readme_says(shell):
    cases = examples()
    assert sum("nc " in command for command, _ in cases) >= 2
    assert sum("redis-cli " in command for command, _ in cases) >= 4
    for command, printed in cases:
        assert shell(command).rstrip("\n") == printed.rstrip("\n"), command


def test_the_classic_lines_answer(shell):
    """`./dev run` prints these to type next; they are in use since the first Overlord."""
    printed = (REPO / "scripts/run.sh").read_text()
    memcache = r'echo -e "set a_11 0 0 5\r\nhello\r\n" | nc 127.0.0.1 21211'
    assert memcache in printed and "redis-cli -p 26379 set k v" in printed
    # nc stays until its own Ctrl-C; -q 1 ends it without changing what is sent.
    assert shell(memcache.replace("nc ", "nc -q 1 ")).startswith("STORED\n")
    assert shell("redis-cli -p 26379 set k v") == "OK\n"


def test_links_lead_somewhere():
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (REPO / page).read_text()):
            assert target.startswith("https://") or (REPO / target).exists(), f"{page}: {target}"


def test_the_map_names_the_folders_that_exist():
    folders = re.findall(r"^\| `([\w/]+)/` \|", README, re.M)
    assert len(folders) >= 10
    assert [name for name in folders if not (REPO / name).is_dir()] == []
