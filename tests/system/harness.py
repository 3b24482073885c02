"""Real servers and the proxy under test: started on free ports in temporary folders, always stopped.

Environment:
  OVERLORD_BIN_DIR   folder of overlord-proxy (default build/release/bin)
  OVERLORD_IO        restricts the io drivers: "epoll", "io_uring" or both with a comma
  OVERLORD_SCALE     multiplies every time-out (sanitizer builds get 8 by themselves)
"""

import atexit
import ctypes
import os
import pathlib
import platform
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from ports import can_bind, free_port

REPO = pathlib.Path(__file__).resolve().parents[2]
BIN_DIR = pathlib.Path(os.environ.get("OVERLORD_BIN_DIR", REPO / "build/release/bin")).resolve()
PROXY = BIN_DIR / "overlord-proxy"

_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if _soft < _hard:
    resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))


def _sanitizer():
    """'address', 'thread' or '' as the proxy binary was built."""
    try:
        data = PROXY.read_bytes()
    except OSError:
        return ""
    if b"libasan.so" in data or b"__asan_init" in data:
        return "address"
    if b"libtsan.so" in data or b"__tsan_init" in data:
        return "thread"
    return ""


SANITIZER = _sanitizer()
# How much more memory a process may take: the sanitizers' shadows of it, and what address keeps in quarantine.
MEMORY = {"": 1, "address": 3, "thread": 8}[SANITIZER]
SCALE = float(os.environ.get("OVERLORD_SCALE", "8" if SANITIZER else "1"))
# How much work a campaign test does; smaller under sanitizers.
LOAD = 0.1 if SANITIZER else 1.0


def load(count):
    return max(1, int(count * LOAD))


class Failed(AssertionError):
    pass


def wait_until(predicate, timeout=10.0, what=None):
    """Polls until predicate() is true and returns its value; fails after timeout (scaled) seconds."""
    deadline = time.monotonic() + timeout * SCALE
    pause = 0.001
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"not within {timeout * SCALE:.0f} s: {what or predicate}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


# ---------------------------------------------------------------------------------------------------------------
# io drivers


def io_uring_allowed():
    """Whether this kernel lets us set up a ring at all."""
    if platform.system() != "Linux":
        return False
    params = ctypes.create_string_buffer(120)
    fd = ctypes.CDLL(None, use_errno=True).syscall(425, 4, params)
    if fd < 0:
        return False
    os.close(fd)
    return True


def io_drivers():
    wanted = os.environ.get("OVERLORD_IO")
    if wanted:
        return [name.strip() for name in wanted.split(",") if name.strip()]
    return ["epoll", "io_uring"] if io_uring_allowed() else ["epoll"]


# ---------------------------------------------------------------------------------------------------------------
# processes

_live = set()


@atexit.register
def _stop_all():
    for process in list(_live):
        process.kill_now()


class Process:
    """One child in a process group of its own that dies with us. Output goes to files in `folder`."""

    def __init__(self, name):
        self.name = name
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"overlord-{name}-"))
        self.child = None

    def spawn(self, argv, env=None):
        self.stdout_path = self.folder / "stdout"
        self.stderr_path = self.folder / "stderr"
        with open(self.stdout_path, "ab") as out, open(self.stderr_path, "ab") as err:
            self.child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *map(str, argv)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=self.folder, env=env,
                start_new_session=True)
        _live.add(self)

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def output(self):
        return (self.stdout_path.read_text(errors="replace") + self.stderr_path.read_text(errors="replace"))

    def signal(self, number):
        os.kill(self.child.pid, number)

    def freeze(self):
        """SIGSTOP, and waits until every thread has stopped."""
        self.signal(signal.SIGSTOP)

        def stopped():
            tasks = pathlib.Path(f"/proc/{self.pid}/task")
            return all(f.read_text().rsplit(")", 1)[1].split()[0] in "TtZ" for f in tasks.glob("*/stat"))

        wait_until(stopped, 5, f"{self.name} to stop")

    def thaw(self):
        self.signal(signal.SIGCONT)

    def kill_now(self):
        if self.child is not None and self.child.poll() is None:
            try:
                os.killpg(self.child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.child.wait()
        _live.discard(self)
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill9(self):
        """Kills the process as a crash would; the folder stays, so it can start() again."""
        os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()


def can_connect(address):
    family = socket.AF_UNIX if isinstance(address, str) else (socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(address)
            return True
        except OSError:
            return False


def listens(pid, address):
    """Whether the process itself takes connections there: another that has the port would, too."""
    if not can_connect(address):
        return False
    if isinstance(address, str):
        return True
    inodes = set()
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            part = line.split()
            if part[3] == "0A" and int(part[1].rsplit(":", 1)[1], 16) == address[1]:  # LISTEN
                inodes.add(f"socket:[{part[9]}]")
    for file in pathlib.Path(f"/proc/{pid}/fd").glob("*"):
        try:
            if os.readlink(file) in inodes:
                return True
        except OSError:
            continue
    return False


class Server(Process):
    """A backend. `address` is what a socket connects to; `spec` is how a server line names it."""

    start_attempts = 5

    def __init__(self, name, host="127.0.0.1", unix=False, options=()):
        super().__init__(name)
        self.host = host
        self.unix = unix
        self.options = list(options)
        self.port = 0
        self.start()

    def start(self):
        """Starts (again, on the same address once it has one)."""
        for _ in range(self.start_attempts):
            if not self.unix and not self.port:
                self.port = free_port(self.host)
                fresh = True
            else:
                fresh = False
            self.spawn(self.argv())
            try:
                wait_until(lambda: not self.alive() or listens(self.pid, self.address), 10, f"{self.name} to listen")
            except Failed:
                self.kill_now()
                raise
            if self.alive():
                return self
            if fresh:
                self.port = 0  # somebody else was faster
        raise Failed(f"{self.name} did not start: {self.output()}")

    @property
    def address(self):
        return str(self.folder / "s.sock") if self.unix else (self.host, self.port)

    @property
    def spec(self):
        if self.unix:
            return f"unix:{self.folder}/s.sock"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Memcached(Server):
    def __init__(self, **keywords):
        super().__init__("memcached", **keywords)

    def argv(self):
        where = ["-s", self.address] if self.unix else ["-l", self.host, "-p", str(self.port), "-U", "0"]
        user = ["-u", "root"] if os.geteuid() == 0 else []
        return ["memcached", *where, *user, "-t", "1", "-m", "128", "-c", "20000", *self.options]


class Redis(Server):
    def __init__(self, **keywords):
        super().__init__("redis", **keywords)

    def argv(self):
        where = (["--port", "0", "--unixsocket", self.address] if self.unix
                 else ["--bind", self.host, "--port", str(self.port)])
        return ["redis-server", *where, "--dir", str(self.folder), "--save", "", "--appendonly", "no",
                "--daemonize", "no", "--protected-mode", "no", "--enable-debug-command", "yes",
                "--maxclients", "15000", *self.options]


class Nutcracker(Process):
    """Debian's twemproxy in front of `servers` (list of "host:port:weight name")."""

    def __init__(self, servers, redis=False, **keys):
        super().__init__("nutcracker")
        self.port = free_port()
        settings = {"listen": f"127.0.0.1:{self.port}", "redis": "true" if redis else "false",
                    "hash": "fnv1a_64", "distribution": "ketama", "preconnect": "true", **keys}
        text = "pool:\n" + "".join(f"  {k}: {v}\n" for k, v in settings.items())
        text += "  servers:\n" + "".join(f"   - {line}\n" for line in servers)
        self.file = self.folder / "nutcracker.yml"
        self.file.write_text(text)
        self.spawn(["nutcracker", "-c", self.file, "-s", str(free_port()), "-m", "16384"])
        self.address = ("127.0.0.1", self.port)
        wait_until(lambda: can_connect(self.address), 10, "nutcracker to listen")


# ---------------------------------------------------------------------------------------------------------------
# the proxy


def toml_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def server_lines(servers, aliases=True, weight=1):
    """The `servers` of a cluster: Server objects, fakes (anything with .spec), or lines as they are."""
    lines = []
    for i, server in enumerate(servers):
        if isinstance(server, str):
            lines.append(server)
        else:
            lines.append(f"{server.spec}:{weight}" + (f" n{i}" if aliases else ""))
    return lines


class Cluster:
    """One [[clusters]] table. Keys given override or extend the defaults below; None leaves a key out."""

    def __init__(self, cache_type, servers, host="127.0.0.1", listen=None, aliases=True, **keys):
        self.cache_type = cache_type
        self.servers = list(servers)
        self.host = host
        self.listen = listen
        self.port = None
        self.keys = {"name": f"test-{cache_type}", "cache_type": cache_type, "hash_method": "fnv1a_64",
                     "hash_distribution": "ketama", "hash_tag": "{}", "dial_timeout": int(1000 * SCALE),
                     "read_timeout": int(5000 * SCALE), "write_timeout": int(5000 * SCALE),
                     "node_connections": 1, "servers": server_lines(servers, aliases), **keys}

    @property
    def address(self):
        if self.listen is not None:
            return self.listen
        return (self.host, self.port)

    def toml(self):
        keys = dict(self.keys)
        if self.listen is not None:
            keys.setdefault("listen_proto", "unix")
            keys.setdefault("listen_addr", self.listen)
        else:
            keys.setdefault("listen_addr", f"[{self.host}]:{self.port}" if ":" in self.host
                            else f"{self.host}:{self.port}")
        sub = {k: v for k, v in keys.items() if isinstance(v, dict)}
        text = "[[clusters]]\n" + "".join(
            f"{k} = {toml_value(v)}\n" for k, v in keys.items() if v is not None and k not in sub)
        for name, table in sub.items():
            text += f"[clusters.{name}]\n" + "".join(f"{k} = {toml_value(v)}\n" for k, v in table.items())
        return text


def memcache(servers, **keys):
    return Cluster("memcache", servers, **keys)


def redis(servers, **keys):
    return Cluster("redis", servers, **keys)


SANITIZER_WORDS = ("Sanitizer", "runtime error:", "Assertion", "terminate called")


class Proxy(Process):
    """overlord-proxy with the given clusters. stop() checks that it ends cleanly and reported nothing bad.

    conf: keys of the [proxy] table of -conf, e.g. {"read_timeout": 100}.
    """

    def __init__(self, *clusters, io="epoll", workers=1, conf=None, flags=(), env=None, preload=None):
        super().__init__("proxy")
        self.start_attempts = 5
        if not PROXY.exists():
            raise Failed(f"{PROXY} is missing: build it, or set OVERLORD_BIN_DIR")
        self.clusters = list(clusters)
        self.io = io
        moving = [c for c in self.clusters if c.listen is None and "listen_addr" not in c.keys]
        for _ in range(self.start_attempts):
            for cluster in moving:
                cluster.port = free_port(cluster.host)
            self.cluster_file = self.folder / "cluster.toml"
            self.cluster_file.write_text("\n".join(c.toml() for c in self.clusters))
            argv = [PROXY, "-cluster", self.cluster_file, "-std", "-workers", str(workers), "-io", io, *flags]
            if conf is not None:
                self.conf_file = self.folder / "proxy.toml"
                self.conf_file.write_text("[proxy]\n" + "".join(f"{k} = {toml_value(v)}\n" for k, v in conf.items()))
                argv += ["-conf", self.conf_file]
            full_env = dict(os.environ)
            full_env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:exitcode=99")
            full_env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1:exitcode=98")
            full_env.setdefault("TSAN_OPTIONS", "halt_on_error=0:exitcode=97")
            full_env.update(env or {})
            if preload:
                full_env["LD_PRELOAD"] = str(preload)
            if self.listening(argv, full_env):
                break
        if not self.alive():
            raise Failed(f"the proxy ended with {self.child.returncode}:\n{self.cluster_file.read_text()}\n{self.output()}")

    def listening(self, argv, env):
        """Starts, and waits until it listens. False when it ended because an address was in use: a port that somebody
        was faster with, or one whose last owner's sockets the kernel has not closed yet."""
        self.spawn(argv, env=env)
        wait_until(lambda: not self.alive() or all(listens(self.pid, c.address) for c in self.clusters), 20,
                   "the proxy to listen")
        if self.alive() or "in use" not in self.output():
            return True
        fixed = [c.address for c in self.clusters if not isinstance(c.address, str)]
        deadline = time.monotonic() + SCALE
        while not all(can_bind(*address[:2]) for address in fixed) and time.monotonic() < deadline:
            time.sleep(0.02)
        return False

    @property
    def address(self):
        return self.clusters[0].address

    def status(self, field):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise KeyError(field)

    def rss(self):
        """Resident bytes."""
        return self.status("VmRSS") * 1024

    def peak_rss(self):
        return self.status("VmHWM") * 1024

    def reset_peak_rss(self):
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def clients(self):
        """Client connections (IPv4) that the proxy has not closed."""
        ports = {f"{c.port:04X}" for c in self.clusters if c.port}
        count = 0
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            part = line.split()
            # ESTABLISHED and CLOSE_WAIT; an inode says that a process holds the socket
            if part[3] in ("01", "08") and part[1].split(":")[1] in ports and part[9] != "0":
                count += 1
        return count

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def check_alive(self):
        if not self.alive():
            raise Failed(f"the proxy died with {self.child.returncode}:\n{self.output()[-8000:]}")

    def stop(self):
        """SIGTERM; fails unless the proxy was alive, exits 0 and printed no sanitizer report."""
        try:
            self.check_alive()
            self.signal(signal.SIGTERM)
            try:
                code = self.child.wait(10 * SCALE)
            except subprocess.TimeoutExpired:
                raise Failed(f"the proxy did not end after SIGTERM:\n{self.output()[-8000:]}") from None
            text = self.output()
            if code != 0 or any(word in text for word in SANITIZER_WORDS):
                raise Failed(f"the proxy exited with {code}:\n{text[-12000:]}")
        finally:
            self.kill_now()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.stop()
        else:
            tail = self.output()[-6000:] if self.child else ""
            code = self.child.poll() if self.child else None
            self.kill_now()
            print(f"--- proxy (exit {code}) said ---\n{tail}")


def run_proxy(*flags, timeout=20, env=None):
    """Runs overlord-proxy to its end: CompletedProcess with text output."""
    return subprocess.run([str(PROXY), *map(str, flags)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout * SCALE, env=env, cwd=tempfile.gettempdir())
