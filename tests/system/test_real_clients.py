"""Client libraries and tools as people use them."""

import subprocess

import pytest

import harness


def run(*argv, stdin=None):
    return subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, timeout=60 * harness.SCALE)


def test_redis_cli(proxy):
    port = proxy.clusters[1].port
    done = run("redis-cli", "-p", port, "set", "cli-k", "v")
    assert (done.returncode, done.stdout) == (0, b"OK\n")
    assert run("redis-cli", "-p", port, "get", "cli-k").stdout == b"v\n"
    assert run("redis-cli", "-p", port, "mget", "cli-k", "cli-none").stdout == b"v\n\n"
    assert run("redis-cli", "-p", port, stdin=b"set a{x} 1\nset b{x} 2\nmget a{x} b{x}\ndel a{x} b{x}\nquit\n").stdout \
        == b"OK\nOK\n1\n2\n2\n"
    assert b"ERR unknown command" in run("redis-cli", "-p", port, "nosuch").stdout


def test_netcat_session(proxy):
    """The lines of the README."""
    port = proxy.clusters[0].port
    done = run("nc", "-q", "1", "127.0.0.1", port, stdin=b"set a_11 0 0 5\r\nhello\r\nget a_11\r\nquit\r\n")
    assert done.stdout == b"STORED\r\nVALUE a_11 0 5\r\nhello\r\nEND\r\n"


@pytest.mark.parametrize("depth", [1, 16])
def test_redis_benchmark(proxy, depth):
    done = run("redis-benchmark", "-p", proxy.clusters[1].port, "-t", "set,get,incr,lpush,rpop,sadd,hset,mset", "-n",
               harness.load(4000), "-c", "20", "-P", depth, "-r", "1000", "-q")
    # it asks for CONFIG, which no proxy answers, and says so
    assert done.returncode == 0 and done.stderr in (b"", b"WARNING: Could not fetch server CONFIG\n"), done
    text = done.stdout.decode().lower()
    assert "error" not in text and "mset" in text, text


def test_redis_py(proxy):
    redis = pytest.importorskip("redis")
    client = redis.Redis(port=proxy.clusters[1].port, socket_timeout=20 * harness.SCALE, client_name="tests")
    names = [f"redis-py-{n}" for n in range(50)]
    assert client.ping()
    assert client.mset({k: k for k in names})
    assert client.mget(names) == [k.encode() for k in names]
    with client.pipeline(transaction=False) as pipe:
        for k in names:
            pipe.set(k, 1)
            pipe.incr(k)
        assert pipe.execute() == [x for _ in names for x in (True, 2)]
    assert client.hset("redis-py-h", mapping={"a": 1, "b": 2}) in (0, 2)
    assert client.hgetall("redis-py-h") == {b"a": b"1", b"b": b"2"}
    with pytest.raises(redis.ResponseError):
        client.execute_command("NOSUCH")
    with pytest.raises(redis.ResponseError):
        client.lpush(names[0], 1)
    assert client.delete(*names) == 50
    assert client.info()["redis_version"]
    client.close()


def test_pymemcache(proxy):
    base = pytest.importorskip("pymemcache.client.base")
    client = base.Client(("127.0.0.1", proxy.clusters[0].port), timeout=20 * harness.SCALE, default_noreply=False)
    names = [f"pymemcache-{n}" for n in range(50)]
    assert client.set_many({k: k for k in names}) == []
    assert client.get_many(names + ["pymemcache-none"]) == {k: k.encode() for k in names}
    value, cas = client.gets(names[0])
    assert client.cas(names[0], "new", cas) is True
    assert client.cas(names[0], "newer", cas) is False
    assert client.get(names[0]) == b"new"
    client.set("pymemcache-n", "1")
    assert client.incr("pymemcache-n", 5) == 6
    assert client.decr("pymemcache-n", 2) == 4
    assert client.touch("pymemcache-n", 100)
    client.set("pymemcache-q", "x", noreply=True)
    assert client.append("pymemcache-q", "y") and client.get("pymemcache-q") == b"xy"
    assert client.add("pymemcache-q", "z") is False
    assert client.delete_many(names)
    assert client.get_many(names) == {}
    with pytest.raises(Exception):
        client.get("key with spaces")
    assert client.version()
    client.close()
