"""The load generator must notice every lie of a server: a benchmark of wrong answers is worth nothing.

The liar is an honest little server whose replies one function may tamper with; without tampering it must pass, so a
failure is the lie's doing.
"""

import subprocess

import pytest

import harness
from lying_server import (Server, bare_lf, cut_and_close, every_nth_read, garbage, honest, one_byte_off, shorter_value,
                          swap_neighbours, twice, value_of_another)

LOADGEN = harness.BIN_DIR / "overlord-loadgen"
KEYS = 60


def run(proto, address, *options, requests=600):
    command = [LOADGEN, "--proto", proto, "--addr", address, "--connections", "4", "--keys", str(KEYS), "--preload",
               "--requests", str(requests), *options]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60 * harness.SCALE,
                          check=False)


WRONG = {f.__name__: f for f in (value_of_another, one_byte_off, shorter_value, cut_and_close, twice, bare_lf, garbage)}


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
            value = server.value(keys[-1])
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
    "other order": (lambda s, keys: [s.block(k) for k in reversed(keys)], 0),
    "one key twice": (lambda s, keys: [s.block(k) for k in [*keys, keys[0]]], 1),
    "a key not asked": (lambda s, keys: [s.block(next(k for k in s.data if k not in keys))], 1),
    "one key's value under another's name": (lambda s, keys: [s.block(keys[0], of=keys[1])], 1),
    "one missing": (lambda s, keys: [s.block(k) for k in keys[1:]], 3),
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
    for options, text in ((["--connections", "0"], "must be a number from 1"), (["--proto", "smtp"], "must be redis, resp3, memcache, meta or binary"),
                          (["--bogus", "1"], "unknown option"), ([], "say how long"),
                          (["--preload", "--shape", "hash"], "at most 64"),
                          (["--preload", "--multi-get", "2", "--proto", "meta"], "--multi-get is for strings"),
                          (["--preload", "--resume"], "--resume is for --tls"),
                          (["--slots", "5-16384"], "within 0-16383")):
        done = subprocess.run([str(LOADGEN), "--addr", "127.0.0.1:1", *options], capture_output=True, text=True,
                              timeout=30, check=False)
        assert done.returncode == 2 and text in done.stderr
