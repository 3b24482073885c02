"""RESP3: the form of every command's reply, measured on the live server.

Each call of redis_calls.py is made over RESP2 and over RESP3 on servers in the same state. The converter (by itself,
and inside the proxy) must make the second answer from the first.
"""

import subprocess

import pytest

import harness
import redis_calls
from clients import RedisConn, resp

# What these answer is another each time: only the types are compared.
VARIES = {"randomkey", "hrandfield", "time", "acl|genpass", "slowlog|get", "client|id", "client|info", "client|list", "info",
          "xinfo|stream", "xinfo|consumers", "xpending", "latency|histogram", "latency|latest", "latency|history",
          "latency|graph", "acl|log", "lastsave", "memory|stats", "memory|malloc-stats", "object|idletime", "role", "xadd",
          "cluster|links", "cluster|bumpepoch", "srandmember", "zrandmember", "geosearch"}
RESET = (("FLUSHALL",), ("FUNCTION", "FLUSH"), ("SCRIPT", "FLUSH"), ("ACL", "DELUSER", "someone"), ("ACL", "LOG", "RESET"),
         ("SLOWLOG", "RESET"), ("LATENCY", "RESET"), ("CONFIG", "RESETSTAT"))


def full_name(containers, call):
    name = call[0].lower()
    return f"{name}|{call[1].lower()}" if name in containers and len(call) > 1 else name


def form(raw):
    """The types of a reply and how they are nested, without what they hold."""
    lines = raw.split(b"\r\n")

    def value(at, left):
        kind = raw[at:at + 1]
        end = raw.index(b"\r\n", at)
        number = raw[at + 1:end]
        if kind in b"$=" and number != b"-1":
            return (kind, None), end + 2 + int(number) + 2
        if kind in b"*%~>" and number != b"-1":
            items = []
            at = end + 2
            for _ in range(int(number) * (2 if kind == b"%" else 1)):
                item, at = value(at, left)
                items.append(item)
            return (kind, items), at
        return (kind, number if kind in b"$*_" else None), end + 2

    assert lines
    found, at = value(0, None)
    assert at == len(raw)
    return found


@pytest.fixture(scope="module")
def server():
    made = harness.Redis()
    yield made
    made.kill_now()


@pytest.fixture(scope="module")
def containers(server):
    with RedisConn(server.address) as direct:
        return {entry[0].decode() for entry in direct.cmd("COMMAND") if entry[9]}


def prepare(control, before):
    control.pipeline([*RESET, *map(redis_calls.split, before)])


def answer(address, protocol, call, control, before):
    """What a new connection gets for `call`, the server being prepared."""
    prepare(control, before)
    with RedisConn(address) as conn:
        if protocol == 3:
            assert conn.cmd_raw("HELLO", "3").startswith(b"%7\r\n")
        return conn.cmd_raw(*call)


def same(call, name, ours, wanted):
    if ours == wanted or (name in VARIES and form(ours) == form(wanted)):
        return []
    return [f"{' '.join(call)}:\n  {ours[:1500]!r} instead of\n  {wanted[:1500]!r}"]


def converted(pairs):
    """The RESP2 replies of (call, reply) as the converter makes them RESP3."""
    run = subprocess.run([str(harness.BIN_DIR / "resp3_convert")], input=b"".join(resp(*call) + reply for call, reply in pairs),
                         capture_output=True, timeout=60 * harness.SCALE)
    assert run.returncode == 0, run.stderr
    rest, out = run.stdout, []
    while rest:
        size, rest = rest.split(b"\n", 1)
        out.append(rest[:int(size)])
        rest = rest[int(size):]
    assert len(out) == len(pairs)
    return out


def compare(address, calls, containers):
    two, three = [], []
    with RedisConn(address) as control:
        for before, call in calls:
            two.append((call, answer(address, 2, call, control, before)))
            three.append(answer(address, 3, call, control, before))
    wrong = []
    for (call, _), ours, wanted in zip(two, converted(two), three):
        wrong += same(call, full_name(containers, call), ours, wanted)
    assert not wrong, "\n".join(wrong)


def test_the_converter_makes_the_servers_replies(server, containers):
    compare(server.address, redis_calls.CALLS, containers)


def test_statistics_of_memory(server, containers):
    compare(server.address, [(("SET a b",), ("MEMORY", "STATS")), ((), ("MEMORY", "MALLOC-STATS"))], containers)


def test_replies_of_a_cluster_node(containers):
    node = harness.Redis(options=["--cluster-enabled", "yes", "--cluster-port", str(harness.free_port())])
    try:
        with RedisConn(node.address) as control:
            control.ok("CLUSTER", "ADDSLOTSRANGE", 0, 100)
        two, three = [], []
        for _, call in redis_calls.CLUSTER_CALLS:
            for protocol, got in ((2, two), (3, three)):
                with RedisConn(node.address) as conn:
                    if protocol == 3:
                        conn.cmd_raw("HELLO", "3")
                    got.append((call, conn.cmd_raw(*call)))
        wrong = []
        for (call, _), ours, (_, wanted) in zip(two, converted(two), three):
            wrong += same(call, full_name(containers, call), ours, wanted)
        assert not wrong, "\n".join(wrong)
    finally:
        node.kill_now()


def test_every_command_is_called(server, containers):
    with RedisConn(server.address) as direct:
        listed = {name.decode() for name in direct.cmd("COMMAND", "LIST")} - containers
    listed |= {"command"}
    called = {full_name(containers, call) for _, call in [*redis_calls.CALLS, *redis_calls.CLUSTER_CALLS]}
    assert listed - called == set(redis_calls.NOT_CALLED) & listed
    assert not set(redis_calls.NOT_CALLED) - listed


def test_through_the_proxy(server, containers, io):
    """Every command that the proxy sends to a node."""
    local = ("client", "swapdb", "asking", "readonly", "readwrite", "command", "config", "hello", "info", "latency", "slowlog", "acl", "cluster", "function", "script")
    wrong, passed = [], 0
    with harness.Proxy(harness.redis([server]), io=io) as proxy, RedisConn(server.address) as control:
        for before, call in redis_calls.CALLS:
            name = full_name(containers, call)
            if name.split("|")[0] in local or "BLOCK" in call or name.startswith(("b", "auth", "quit", "reset", "failover")):
                continue
            ours = answer(proxy.address, 3, call, control, before)
            if ours.startswith(b"-") and b"proxy" in ours:
                continue
            passed += 1
            wrong += same(call, name, ours, answer(server.address, 3, call, control, before))
    assert not wrong, "\n".join(wrong)
    assert passed > 250
