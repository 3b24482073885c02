"""The load generator must notice every lie of a server: a benchmark of wrong answers is worth nothing.

The liar is an honest little server whose replies one function may tamper with; without tampering it must pass, so a
failure is the lie's doing.
"""

import socket
import subprocess
import threading

import pytest

import harness

LOADGEN = harness.BIN_DIR / "overlord-loadgen"
KEYS = 60


def run(proto, address, *options, requests=600):
    command = [LOADGEN, "--proto", proto, "--addr", address, "--connections", "4", "--keys", str(KEYS), "--preload",
               "--requests", str(requests), *options]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60 * harness.SCALE,
                          check=False)


class Server:
    """Stores what it is given. tamper(kind, replies) gets the replies to one read as a list of (key, bytes) and returns
    the bytes to send, or None to close after what it has put into .last_words."""

    def __init__(self, proto, tamper):
        self.proto = proto
        self.tamper = tamper
        self.data = {}
        self.last_words = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        unread = b""
        parse = self.parse_redis if self.proto == "redis" else self.parse_memcache
        with peer:
            while True:
                try:
                    got = peer.recv(1 << 16)
                except OSError:
                    return
                if not got:
                    return
                replies, unread = parse(unread + got)
                if not replies:
                    continue
                out = self.tamper(self, replies)
                try:
                    peer.sendall(self.last_words if out is None else out)
                except OSError:
                    return
                if out is None:
                    return

    def parse_redis(self, data):
        replies = []
        while True:
            parts, rest = [], data
            try:
                head, rest = rest.split(b"\r\n", 1)
                for _ in range(int(head[1:])):
                    size, rest = rest.split(b"\r\n", 1)
                    size = int(size[1:])
                    if len(rest) < size + 2:
                        raise ValueError
                    parts.append(rest[:size])
                    rest = rest[size + 2:]
            except ValueError:
                return replies, data
            data = rest
            if parts[0] == b"SET":
                self.data[parts[1]] = parts[2]
                replies.append((None, b"+OK\r\n"))
            else:
                bulks = [b"$%d\r\n%s\r\n" % (len(self.data[k]), self.data[k]) for k in parts[1:]]
                head = b"*%d\r\n" % len(bulks) if parts[0] == b"MGET" else b""
                replies.append((parts[1:], head + b"".join(bulks)))

    def parse_memcache(self, data):
        replies = []
        while b"\r\n" in data:
            line, rest = data.split(b"\r\n", 1)
            words = line.split()
            if words[0] == b"set":
                size = int(words[4])
                if len(rest) < size + 2:
                    break
                self.data[words[1]] = (words[2], rest[:size])
                rest = rest[size + 2:]
                replies.append((None, b"STORED\r\n"))
            else:
                replies.append((words[1:], b"".join(self.value(k) for k in words[1:]) + b"END\r\n"))
            data = rest
        return replies, data

    def value(self, key, of=None):
        flags, value = self.data[of or key]
        return b"VALUE %s %s %d\r\n%s\r\n" % (key, flags, len(value), value)

    def other(self, key):
        return next(k for k in self.data if k != key)


def honest(_, replies):
    return b"".join(r for _, r in replies)


def every_nth_read(n, lie):
    """Applies lie(server, keys, reply) to every nth reply to a read; the rest stays honest."""
    seen = [0]

    def tamper(server, replies):
        out = []
        for keys, reply in replies:
            if keys is not None:
                seen[0] += 1
                if seen[0] % n == 0:
                    reply = lie(server, keys, reply)
            if reply is None:
                server.last_words = b"".join(out) + server.last_words
                return None
            out.append(reply)
        return b"".join(out)

    return tamper


def value_of_another(server, keys, reply):
    other = server.other(keys[0])
    if server.proto == "redis":
        return reply.replace(server.data[keys[0]], server.data[other])
    return reply.replace(server.data[keys[0]][1], server.data[other][1])


def one_byte_off(server, keys, reply):
    at = reply.index(b"\r\n") + 2 + 57
    return reply[:at] + bytes([reply[at] ^ 1]) + reply[at + 1:]


def shorter_value(server, keys, reply):
    value = server.data[keys[0]] if server.proto == "redis" else server.data[keys[0]][1]
    return reply.replace(b"%d\r\n%s" % (len(value), value), b"%d\r\n%s" % (len(value) - 1, value[:-1]))


def cut_and_close(server, keys, reply):
    server.last_words = reply[:len(reply) // 2]
    return None


def twice(server, keys, reply):
    return reply + reply


def bare_lf(server, keys, reply):
    return reply.replace(b"\r\n", b"\n", 1)


def garbage(server, keys, reply):
    return b"HTTP/1.1 400 Bad Request\r\n\r\n"


WRONG = {f.__name__: f for f in (value_of_another, one_byte_off, shorter_value, cut_and_close, twice, bare_lf, garbage)}


def swap_neighbours(server, replies):
    """Swaps two replies to reads of one batch."""
    reads = [i for i, (keys, _) in enumerate(replies) if keys is not None]
    replies = list(replies)
    for i, j in zip(reads, reads[1:]):
        if replies[i][1] != replies[j][1]:
            replies[i], replies[j] = replies[j], replies[i]
            break
    return b"".join(r for _, r in replies)


@pytest.mark.parametrize("proto", ["redis", "memcache"])
class TestLies:
    @pytest.mark.parametrize("options", [(), ("--pipeline", "8"), ("--pipeline", "8", "--pipeline-mode", "window"),
                                         ("--multi-get", "5"), ("--multi-get", "5", "--pipeline", "4"),
                                         ("--rate", "5000", "--pipeline", "4"), ("--value-size", "20000")])
    def test_the_honest_server_passes(self, proto, options):
        with Server(proto, honest) as server:
            done = run(proto, server.address, "--strict-order", *options)
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize("lie", WRONG)
    @pytest.mark.parametrize("pipeline", ["1", "8"])
    def test_a_wrong_reply_fails_the_run(self, proto, pipeline, lie):
        with Server(proto, every_nth_read(50, WRONG[lie])) as server:
            done = run(proto, server.address, "--pipeline", pipeline)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "wrong reply" in done.stderr

    def test_one_single_lie_is_enough(self, proto):
        with Server(proto, every_nth_read(500, value_of_another)) as server:
            done = run(proto, server.address)
        assert done.returncode == 1 and "wrong 1," in done.stdout

    def test_allow_errors_does_not_allow_lies(self, proto):
        with Server(proto, every_nth_read(50, value_of_another)) as server:
            assert run(proto, server.address, "--allow-errors").returncode == 1

    def test_swapped_replies_fail_the_run(self, proto):
        with Server(proto, swap_neighbours) as server:
            done = run(proto, server.address, "--pipeline", "8")
        assert done.returncode == 1, done.stdout + done.stderr

    def test_errors_and_misses_are_counted_apart(self, proto):
        error = b"-ERR broken\r\n" if proto == "redis" else b"SERVER_ERROR broken\r\n"
        miss = b"$-1\r\n" if proto == "redis" else b"END\r\n"
        for answer, counted in ((error, "errors"), (miss, "misses")):
            lie = lambda server, keys, reply, answer=answer: answer  # noqa: E731
            with Server(proto, every_nth_read(50, lie)) as server:
                done = run(proto, server.address)
                assert done.returncode == 3 and f"{counted} 0" not in done.stdout.splitlines()[-2], done.stdout
                assert run(proto, server.address, "--allow-errors").returncode == 0

    def test_a_connection_closed_between_replies_is_no_lie_but_lost(self, proto):
        def close(server, keys, reply):
            server.last_words = b""
            return None

        with Server(proto, every_nth_read(50, close)) as server:
            done = run(proto, server.address)
        assert done.returncode == 3 and "wrong 0," in done.stdout.splitlines()[-2]

    def test_multi_get_with_one_wrong_value(self, proto):
        def wrong_last(server, keys, reply):
            value = server.data[keys[-1]] if proto == "redis" else server.data[keys[-1]][1]
            assert value in reply
            return reply.replace(value, value[::-1])

        with Server(proto, every_nth_read(50, wrong_last)) as server:
            assert run(proto, server.address, "--multi-get", "5").returncode == 1

    def test_idle_connections(self, proto):
        with Server(proto, honest) as server:
            assert run(proto, server.address).returncode == 0
            held = subprocess.run([str(LOADGEN), "--proto", proto, "--addr", server.address, "--keys", str(KEYS),
                                   "--idle", "20"], input="get\nget\nclose\n", capture_output=True, text=True,
                                  timeout=60 * harness.SCALE, check=False)
            assert (held.returncode, held.stdout) == (0, "open 20\ngot 20\ngot 20\nclosed\n")
            server.tamper = every_nth_read(10, value_of_another)
            held = subprocess.run([str(LOADGEN), "--proto", proto, "--addr", server.address, "--keys", str(KEYS),
                                   "--idle", "20"], input="get\n", capture_output=True, text=True,
                                  timeout=60 * harness.SCALE, check=False)
            assert held.returncode == 1


def test_redis_array_of_another_length():
    with Server("redis", every_nth_read(50, lambda s, keys, reply: reply.replace(b"*5", b"*4", 1))) as server:
        assert run("redis", server.address, "--multi-get", "5").returncode == 1


def test_redis_mget_values_in_another_order():
    def reverse(server, keys, reply):
        return b"*%d\r\n" % len(keys) + b"".join(b"$100\r\n%s\r\n" % server.data[k] for k in reversed(keys))

    with Server("redis", every_nth_read(50, reverse)) as server:
        assert run("redis", server.address, "--multi-get", "5").returncode == 1


MEMCACHE_MULTI = {
    "other order": (lambda s, keys: [s.value(k) for k in reversed(keys)], 0),
    "one key twice": (lambda s, keys: [s.value(k) for k in [*keys, keys[0]]], 1),
    "a key not asked": (lambda s, keys: [s.value(next(k for k in s.data if k not in keys))], 1),
    "one key's value under another's name": (lambda s, keys: [s.value(keys[0], of=keys[1])], 1),
    "one missing": (lambda s, keys: [s.value(k) for k in keys[1:]], 3),
}


@pytest.mark.parametrize("name", MEMCACHE_MULTI)
def test_memcache_multi_get(name):
    values, code = MEMCACHE_MULTI[name]
    lie = lambda server, keys, reply: b"".join(values(server, keys)) + b"END\r\n"  # noqa: E731
    with Server("memcache", every_nth_read(50, lie)) as server:
        assert run("memcache", server.address, "--multi-get", "5").returncode == code
        if code == 0:
            assert run("memcache", server.address, "--multi-get", "5", "--strict-order").returncode == 1


def test_a_server_that_goes_silent_is_noticed():
    """Half a reply and then nothing, with the connection open: the stall limit ends the run."""
    def half(server, keys, reply):
        return reply[:20]

    with Server("redis", every_nth_read(50, half)) as server:
        done = run("redis", server.address)
    assert done.returncode in (1, 3), done.stdout


@pytest.mark.parametrize("proto, kind", [("redis", "redis"), ("memcache", "memcached")])
@pytest.mark.parametrize("options", [(), ("--pipeline", "16"), ("--multi-get", "10", "--strict-order"),
                                     ("--value-size", "100000"), ("--rate", "3000")])
def test_real_servers_pass(pool, proto, kind, options):
    server = pool.backends(kind)[0]
    done = run(proto, "127.0.0.1:%d" % server.port, *options, requests=3000)
    assert (done.returncode, done.stderr) == (0, "")


def test_usage_errors_say_what_to_change():
    for options, text in ((["--connections", "0"], "must be a number from 1"), (["--proto", "smtp"], "redis or memcache"),
                          (["--bogus", "1"], "unknown option"), ([], "say how long")):
        done = subprocess.run([str(LOADGEN), "--addr", "127.0.0.1:1", *options], capture_output=True, text=True,
                              timeout=30, check=False)
        assert done.returncode == 2 and text in done.stderr
