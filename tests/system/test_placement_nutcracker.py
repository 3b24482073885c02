"""Placement under hash_compat = "twemproxy" is Debian's nutcracker's, key by key.

One nutcracker with a pool for every combination stores keys into real memcached servers. Asking each
server what it holds tells which one nutcracker chose; placement-tool tells which one we choose.
"""

import contextlib
import json
import os
import pathlib
import random
import socket
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN_DIR = pathlib.Path(os.environ.get("OVERLORD_BIN_DIR", ROOT / "build/release/bin"))
DEADLINE = 20.0

METHODS = (
    "fnv1a_64 fnv1_64 fnv1a_32 fnv1_32 crc16 crc32 crc32a md5 one_at_a_time hsieh murmur jenkins"
).split()

# Farms: where a pool's servers listen, and what its server lines add to the address.
# name -> (kind of address, weights, alias prefix or None)
FARMS = {
    "plain": ("port", [1, 1, 1, 1], None),
    "weighted": ("port", [1, 2, 5, 3], None),
    "aliased": ("port", [3, 1, 4, 1], "mc"),
    "rounded": ("port", [1, 29, 30], "f"),  # single precision loses a group here
    "many": ("port", [1] * 25, "f"),  # and with 25 equal weights
    "one": ("port", [7], None),
    "long_alias": ("port", [1, 1, 1], "n" * 100),
    "cut_alias": ("port", [1, 1, 1], "n" * 269),  # from the tenth group on the text is cut
    "socket": ("socket", [1, 2, 1], None),
    "default_port": ("11211", [1, 1, 1], None),  # 11211 is left out of the name
}


def pools():
    """(farm, method, distribution, hash tag) of every pool; the tag "" is nutcracker's absent one."""
    for method in METHODS:
        for distribution in ("ketama", "modula"):
            yield "plain", method, distribution, "{}"
            yield "aliased", method, distribution, ""
    yield "plain", "fnv1a_64", "ketama", "$$"
    for farm in ("weighted", "rounded", "many", "one", "long_alias", "cut_alias", "socket", "default_port"):
        yield farm, "murmur", "ketama", "{}"
        yield farm, "fnv1a_64", "ketama", ""
    for farm in ("weighted", "many", "socket", "default_port"):
        yield farm, "fnv1a_32", "modula", "{}"


def pool_name(pool):
    farm, method, distribution, tag = pool
    return f"{farm}-{method}-{distribution}-{'tag' + tag.encode().hex() if tag else 'whole'}"


POOLS = list(pools())


def legal(key):
    return 0 < len(key) <= 250 and all(byte > 32 and byte != 127 for byte in key)


def keys():
    """Keys that memcached accepts: plain, of every length, with bytes above 127, with tags."""
    chance = random.Random(2)
    made = [b"key_%d" % i for i in range(60)]
    made += [bytes(chance.choices(range(33, 127), k=length)) for length in range(1, 251, 3)]
    made += [bytes(chance.choices(range(128, 256), k=length)) for length in range(1, 41)]
    made += [b"mixed%d\xc3\xa9%s" % (i, b"z" * (i % 5)) for i in range(40)]
    made += [b"{user%d}.name" % i for i in range(20)] + [b"{user%d}.mail" % i for i in range(20)]
    made += [b"%d{}name:%d" % (i, i * i) for i in range(30)]
    made += [b"x{{%d}}" % i for i in range(10)]
    made += [b"p$%d$q" % i for i in range(10)] + [b"{open%d" % i for i in range(5)]
    made += [b"}shut%d{" % i for i in range(5)] + [b"n{\xe9%d}" % i for i in range(10)]
    vectors = json.loads((ROOT / "tests/data/hash-vectors.json").read_text())
    made += [bytes.fromhex(key["hex"]) for key in vectors["keys"]]
    return [key for key in dict.fromkeys(made) if legal(key)]


KEYS = keys()


def wait_until(condition, what):
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"waited {DEADLINE} s for {what}"
        time.sleep(0.005)


class Peer:
    """A client connection that is told what it waits for."""

    def __init__(self, address):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(address)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def store(self, all_keys, value):
        for start in range(0, len(all_keys), 100):
            some = all_keys[start : start + 100]
            self.socket.sendall(
                b"".join(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value) for key in some)
            )
            for key in some:
                line = self.file.readline()
                assert line == b"STORED\r\n", (key, line)

    def fetch(self, all_keys):
        found = {}
        for start in range(0, len(all_keys), 50):
            self.socket.sendall(b"get " + b" ".join(all_keys[start : start + 50]) + b"\r\n")
            while (line := self.file.readline()) != b"END\r\n":
                _, key, _, size = line.split()
                found[key] = self.file.read(int(size) + 2)[:-2]
        return found


class Backend:
    """A memcached: where clients reach it, and how a server line writes it."""

    def __init__(self, kind, folder, index):
        self.port_file = folder / f"port{index}"
        environment = dict(os.environ)
        command = ["memcached", "-U", "0", "-t", "1", "-m", "16", "-u", "nobody"]
        if os.geteuid() == 0:
            command[-1] = "root"
        if kind == "socket":
            self.address = self.text = str(folder / f"mc{index}.sock")
            command += ["-s", self.address]
        elif kind == "11211":
            host = "127.%d.%d.%d" % tuple(random.randint(1, 250) for _ in range(3))
            self.address, self.text = (host, 11211), f"{host}:11211"
            command += ["-l", host, "-p", "11211"]
        else:
            self.address = self.text = None
            command += ["-l", "127.0.0.1", "-p", "-1"]
            environment["MEMCACHED_PORT_FILENAME"] = str(self.port_file)
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def wait(self):
        wait_until(self._answers, f"memcached {self.process.args}")

    def _answers(self):
        if self.process.poll() is not None:
            raise ChildProcessError(self.process.stderr.read().decode())
        if self.address is None:
            if not self.port_file.exists():
                return False
            port = int(self.port_file.read_text().split()[-1])
            self.address, self.text = ("127.0.0.1", port), f"127.0.0.1:{port}"
        try:
            with Peer(self.address):
                return True
        except OSError:
            return False

    def stop(self):
        self.process.kill()  # asked politely it takes until its next clock tick
        self.process.wait()
        self.process.stderr.close()


@contextlib.contextmanager
def backends(kind, count, folder):
    running = []
    try:
        for index in range(count):
            running.append(Backend(kind, folder, index))
        for backend in running:
            backend.wait()
        yield running
    finally:
        for backend in running:
            backend.stop()


class Placement:
    """The servers of every farm, and one nutcracker in front of all of them."""

    def __init__(self, folder, by_kind):
        self.folder = folder
        self.by_kind = by_kind

    def usable(self, pool):
        return FARMS[pool[0]][0] in self.by_kind

    def farm(self, pool):
        kind, weights, _ = FARMS[pool[0]]
        return self.by_kind[kind][: len(weights)]

    def servers(self, pool):
        _, weights, alias = FARMS[pool[0]]
        return [
            f"{backend.text}:{weight}" + (f" {alias}{len(weights) - i}" if alias else "")
            for i, (backend, weight) in enumerate(zip(self.farm(pool), weights, strict=True))
        ]

    def listener(self, pool):
        return str(self.folder / f"pool{POOLS.index(pool)}.sock")

    def config(self):
        lines = []
        for pool in filter(self.usable, POOLS):
            _, method, distribution, tag = pool
            lines += [f"p{POOLS.index(pool)}:", f"  listen: {self.listener(pool)}"]
            lines += [f"  hash: {method}", f"  distribution: {distribution}"]
            lines += [f'  hash_tag: "{tag}"'] if tag else []
            lines += ["  timeout: 10000", "  servers:"]
            lines += [f"   - {server}" for server in self.servers(pool)]
        return "\n".join(lines) + "\n"

    def theirs(self, pool):
        """key -> index of the server that nutcracker stored it on."""
        value = pool_name(pool).encode()
        with Peer(self.listener(pool)) as client:
            client.store(KEYS, value)
        placed = {}
        for index, backend in enumerate(self.farm(pool)):
            with Peer(backend.address) as client:
                for key, held in client.fetch(KEYS).items():
                    if held == value:
                        assert key not in placed, f"{key} is on servers {placed[key]} and {index}"
                        placed[key] = index
        return placed

    def ours(self, pool, compat):
        _, method, distribution, tag = pool
        command = [BIN_DIR / "placement-tool", f"--compat={compat}", f"--hash={method}"]
        command += [f"--distribution={distribution}", f"--tag={tag}", *self.servers(pool)]
        text = "".join(key.hex() + "\n" for key in KEYS)
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return dict(zip(KEYS, map(int, done.stdout.split()), strict=True))


@contextlib.contextmanager
def nutcracker(placement):
    folder = placement.folder
    (folder / "nutcracker.yml").write_text(placement.config())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        stats_port = probe.getsockname()[1]
    command = ["nutcracker", "-c", folder / "nutcracker.yml", "-o", folder / "nutcracker.log"]
    command += ["-p", folder / "nutcracker.pid", "-a", "127.0.0.1", "-s", str(stats_port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def listens():
        assert process.poll() is None, (folder / "nutcracker.log").read_text()
        last = [pool for pool in POOLS if placement.usable(pool)][-1]
        try:
            with Peer(placement.listener(last)):
                return True
        except OSError:
            return False

    try:
        wait_until(listens, "nutcracker")
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def placement(tmp_path_factory):
    folder = tmp_path_factory.mktemp("placement")
    by_kind = {}
    with contextlib.ExitStack() as stack:
        for kind in ("port", "socket", "11211"):
            (folder / kind).mkdir()
            count = max(len(weights) for of, weights, _ in FARMS.values() if of == kind)
            try:
                by_kind[kind] = stack.enter_context(backends(kind, count, folder / kind))
            except ChildProcessError as failure:
                # Port 11211 is the only one that another program can hold.
                if kind != "11211" or "in use" not in str(failure):
                    raise
        made = Placement(folder, by_kind)
        stack.enter_context(nutcracker(made))
        yield made


@pytest.mark.parametrize("pool", POOLS, ids=pool_name)
def test_placement_is_nutcrackers(placement, pool):
    if not placement.usable(pool):
        pytest.skip("something else on this machine holds port 11211 on every address")
    theirs = placement.theirs(pool)
    assert theirs.keys() == set(KEYS)
    ours = placement.ours(pool, "twemproxy")
    moved = {key: (theirs[key], ours[key]) for key in KEYS if theirs[key] != ours[key]}
    assert not moved, f"{len(moved)} of {len(KEYS)} keys, (nutcracker, ours), servers " + str(
        placement.servers(pool)
    )


def test_overlord_differs_only_where_it_is_known_to(placement):
    """Same ring, so the keys that move are those with bytes above 127 or with nothing in the tag."""
    pool = ("plain", "one_at_a_time", "ketama", "{}")
    theirs = placement.theirs(pool)
    ours = placement.ours(pool, "overlord")
    moved = [key for key in KEYS if theirs[key] != ours[key]]
    assert any(b"{}" in key for key in moved)
    assert any(max(key) > 127 for key in moved)
    assert all(b"{}" in key or max(key) > 127 for key in moved)


def test_keys_reach_what_they_are_meant_to():
    assert len(KEYS) > 400
    assert sum(max(key) > 127 for key in KEYS) > 80
    assert {len(key) % 4 for key in KEYS if key[-1] > 127} == {0, 1, 2, 3}
