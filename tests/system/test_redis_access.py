"""Users: the same rules are given to the proxy and to a redis-server; both must allow and refuse the same calls."""

import hashlib
import time

import pytest

import harness
from clients import RedisConn

SECRET = "opensesame"
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()

# Rules and the calls that tell them apart are crossed: every user makes every call.
RULES = [
    "~* &* +@all",
    "~app:* &news:* +@read +set -keys",
    "%R~r:* %W~w:* +@all",
    "~a* ~[bc]? +@string -incr +del",
    "allkeys +@all -@dangerous -@scripting",
    "~* +@all -@write +@hash -hgetall",
    "~* +@connection +get -client +client|id",
    "+@all",
    "~* -@all",
]
CALLS = [
    ("GET", "app:1"), ("GET", "r:1"), ("GET", "w:1"), ("GET", "b1"), ("GET", "B1"), ("GET", "bb1"),
    ("SET", "app:1", "x"), ("SET", "w:1", "x"), ("SET", "w:1", "x", "GET"), ("SET", "r:1", "x"),
    ("SET", "w:1", "x", "EX", "10"), ("INCR", "a"), ("DEL", "app:1"), ("DEL", "a", "b"), ("MGET", "app:1"),
    ("MGET", "a1", "zz"), ("MSET", "a1", "1", "zz", "1"), ("COPY", "r:1", "w:1"), ("COPY", "w:1", "r:1"),
    ("EXISTS", "r:1"), ("EXISTS", "w:1"), ("EXISTS", "other"), ("BITFIELD", "r:1", "GET", "u8", "0"),
    ("BITFIELD", "w:1", "SET", "u8", "0", "1"), ("HSET", "h", "f", "v"), ("HGETALL", "h"), ("HGET", "h", "f"),
    ("EVAL", "return 1", "1", "app:1"), ("EVAL", "return 1", "1", "zz"), ("SORT", "a", "STORE", "zz"),
    ("CLIENT", "ID"), ("CLIENT", "GETNAME"), ("PING",), ("ECHO", "x"), ("ACL", "WHOAMI"),
    ("PUBLISH", "news:x", "m"), ("PUBLISH", "other", "m"), ("GETDEL", "w:1"), ("LMOVE", "r:1", "w:1", "LEFT", "LEFT"),
    ("SINTERCARD", "2", "app:1", "zz"), ("GEORADIUS", "r:1", "0", "0", "1", "m", "STORE", "w:1"),
    ("XREAD", "STREAMS", "app:1", "0"), ("NOSUCH", "x"), ("GET",),
]


def refused(reply):
    return str(reply) if str(reply).startswith(("NOPERM", "ERR unknown command", "ERR wrong number")) else None


@pytest.fixture(scope="module")
def server():
    one = harness.Redis()
    with RedisConn(one.address) as direct:
        for n, rules in enumerate(RULES):
            direct.ok("ACL", "SETUSER", f"u{n}", "on", "#" + DIGEST, *rules.split())
    yield one
    one.kill_now()


@pytest.fixture
def guarded(server, io):
    users = [f"u{n} on #{DIGEST} {rules}" for n, rules in enumerate(RULES)] + ["gone off #" + DIGEST + " ~* +@all"]
    with harness.Proxy(harness.redis([server], users=users, password="boss"), io=io) as proxy:
        yield proxy


def test_rules_allow_what_the_server_allows(server, guarded):
    for n, rules in enumerate(RULES):
        mine, theirs = RedisConn(guarded.address), RedisConn(server.address)
        for client in (mine, theirs):
            client.ok("AUTH", f"u{n}", SECRET)
        for call in CALLS:
            assert refused(mine.cmd(*call)) == refused(theirs.cmd(*call)), (rules, call)
        mine.close()
        theirs.close()


def test_who_comes_in(guarded):
    with RedisConn(guarded.address) as client:
        assert client.cmd("GET", "x") == "NOAUTH Authentication required."
        assert client.cmd("AUTH", "u0", "wrong").startswith("WRONGPASS")
        assert client.cmd("AUTH", "nobody", SECRET).startswith("WRONGPASS")
        assert client.cmd("AUTH", "gone", SECRET).startswith("WRONGPASS")
        assert client.cmd("AUTH", SECRET).startswith("WRONGPASS")
        client.ok("AUTH", "boss")
        assert client.cmd("ACL", "WHOAMI") == b"default"
        client.ok("AUTH", "u1", SECRET)
        assert client.cmd("GET", "x").startswith("NOPERM")
        assert client.cmd("HELLO", "2", "AUTH", "u0", SECRET)[1]
        assert client.cmd("ACL", "WHOAMI") == b"u0"
        assert client.cmd("ACL", "USERS")[:2] == [b"default", b"u0"]
        assert client.cmd("ACL", "LIST")[1] == f"user u0 on #{DIGEST} ~* &* +@all".encode()
        assert b"get" in client.cmd("ACL", "CAT", "string")
        assert client.cmd("ACL", "SETUSER", "x").startswith("ERR")


def test_users_without_a_default(server, io):
    with harness.Proxy(harness.redis([server], users=[f"app on #{DIGEST} ~* +@all"]), io=io) as proxy:
        with RedisConn(proxy.address) as client:
            assert client.cmd("GET", "x").startswith("NOAUTH")
            assert client.cmd("AUTH", "default", "").startswith("WRONGPASS")
            client.ok("AUTH", "app", SECRET)
            assert client.cmd("PING") == "PONG"


def test_guessing_is_slow_and_delays_nobody_else(guarded):
    with RedisConn(guarded.address) as guesser, RedisConn(guarded.address) as other:
        start = time.monotonic()
        for _ in range(4):
            guesser.send(b"AUTH boss1\r\n")
        guesser.send(b"AUTH boss\r\nPING\r\n")
        other.ok("AUTH", "boss")
        for _ in range(50):
            assert other.cmd("PING") == "PONG"
        busy = time.monotonic() - start
        for _ in range(4):
            assert guesser.reply().startswith("WRONGPASS")
        slow = time.monotonic() - start
        assert guesser.reply() == "OK" and guesser.reply() == "PONG"
        assert slow > 1.2 and slow > busy, "100 + 200 + 400 + 800 ms"
        guesser.send(b"AUTH wrong\r\n" * 3)  # leaves while its answer waits
    with RedisConn(guarded.address) as client:
        client.ok("AUTH", "boss")
        info = client.cmd("INFO", "stats").decode()
        assert int(info.split("acl_access_denied_auth:")[1].split("\r")[0]) >= 4


def test_large_values_obey_the_rules(guarded):
    value = b"v" * (1 << 20)
    with RedisConn(guarded.address) as client:
        client.ok("AUTH", "u1", SECRET)
        client.ok("SET", "app:big", value)
        assert client.cmd("SET", "zz:big", value).startswith("NOPERM")
        assert client.cmd("SETEX", "app:big", "10", value).startswith("NOPERM")
        assert client.cmd("GET", "app:big") == value


def test_users_file_and_secrets(server, io, tmp_path):
    (tmp_path / "users.acl").write_text(f"# made by hand\nuser default off\nuser app on #{DIGEST} ~* +@all\n\n")
    cluster = harness.redis([server], users_file=str(tmp_path / "users.acl"))
    with harness.Proxy(cluster, io=io) as proxy, RedisConn(proxy.address) as client:
        assert client.cmd("PING").startswith("NOAUTH")
        client.ok("AUTH", "app", SECRET)
    (tmp_path / "secret").write_text("boss\n")
    cluster = harness.redis([server], password_file=str(tmp_path / "secret"))
    with harness.Proxy(cluster, io=io) as proxy, RedisConn(proxy.address) as client:
        client.ok("AUTH", "boss")


@pytest.mark.parametrize("users,words", [
    (["app on #12"], "sha256sum"),
    (["app on nosuchrule"], "nosuchrule"),
    (["app on +@nosuch"], "category"),
    (["app on (+get ~x)"], "selectors"),
    (["app on", "app off"], "twice"),
    ([""], "no name"),
])
def test_check_names_what_is_wrong(tmp_path, users, words):
    path = tmp_path / "c.toml"
    path.write_text('[[clusters]]\nname = "a"\ncache_type = "redis"\nlisten_addr = "127.0.0.1:1"\n'
                    'servers = ["127.0.0.1:2:1"]\nusers = [' + ", ".join(f'"{u}"' for u in users) + "]\n")
    done = harness.run_proxy("-t", f"-cluster={path}")
    assert done.returncode == 2 and "clusters[1].users" in done.stderr and words in done.stderr, done.stderr


def parsed_log(client, *more):
    """ACL LOG without what cannot be the same twice."""
    entries = []
    for flat in client.cmd("ACL", "LOG", *more):
        entry = dict(zip(flat[::2], flat[1::2]))
        assert 0 <= float(entry.pop(b"age-seconds")) < 1000
        info = dict(part.split(b"=", 1) for part in entry.pop(b"client-info").split(b" "))
        entries.append((entry, info[b"user"], info[b"cmd"]))
    return entries


def test_dry_runs_say_what_the_server_says(server, guarded):
    with RedisConn(guarded.address) as mine, RedisConn(server.address) as theirs:
        mine.ok("AUTH", "boss")
        for n, rules in enumerate(RULES):
            for call in CALLS + [("CLIENT", "NOSUCH"), ("SUBSCRIBE", "news:1", "x"), ("PSUBSCRIBE", "news:*")]:
                line = ("ACL", "DRYRUN", f"u{n}", *call)
                assert mine.cmd_raw(*line) == theirs.cmd_raw(*line), (rules, call)
        for line in (("ACL", "DRYRUN", "nobody", "GET", "x"), ("ACL", "DRYRUN", "u0"), ("ACL", "GETUSER", "nobody"),
                     ("ACL", "GENPASS", "0"), ("ACL", "GENPASS", "4097"), ("ACL", "GENPASS", "x"),
                     ("ACL", "GENPASS", "1", "2"), ("ACL", "LOG", "x"), ("ACL", "LOG", "1", "2"), ("ACL", "GETUSER")):
            assert mine.cmd_raw(*line) == theirs.cmd_raw(*line), line


def test_users_are_shown_as_the_server_shows_them(server, guarded):
    # The server puts the rules of some users (those whose rules cancel others) into another order.
    alike = [n for n, rules in enumerate(RULES) if rules.count("+") + rules.count("-") == 1 or "dangerous" in rules]
    assert len(alike) == 5
    with RedisConn(guarded.address) as mine, RedisConn(server.address) as theirs:
        mine.ok("AUTH", "boss")
        for version in (2, 3):
            mine.cmd_raw("HELLO", version)
            theirs.cmd_raw("HELLO", version)
            for n in alike:
                assert mine.cmd_raw("ACL", "GETUSER", f"u{n}") == theirs.cmd_raw("ACL", "GETUSER", f"u{n}"), RULES[n]
        assert mine.cmd_raw("ACL", "GETUSER", "nobody") == b"_\r\n"


def test_passwords_are_made(guarded):
    with RedisConn(guarded.address) as client:
        client.ok("AUTH", "boss")
        made = {client.cmd("ACL", "GENPASS") for _ in range(20)}
        assert len(made) == 20 and all(len(word) == 64 and int(word, 16) >= 0 for word in made)
        assert [len(client.cmd("ACL", "GENPASS", bits)) for bits in (1, 4, 5, 4096)] == [1, 1, 2, 1024]
        for change in (("SETUSER", "x"), ("DELUSER", "u0"), ("LOAD",), ("SAVE",)):
            assert "`users_file`" in client.cmd("ACL", *change)


def test_the_log_tells_what_the_servers_log_tells(io, resources):
    """Everything that is refused, over all workers."""
    rules = "~app:* &news:* +@read +@transaction +@pubsub"
    direct = resources(harness.Redis())
    with harness.Proxy(harness.redis([direct], users=[f"u on #{DIGEST} {rules}"], password="boss"), io=io,
                       workers=3) as proxy:
        with RedisConn(direct.address) as boss:
            boss.ok("ACL", "SETUSER", "u", "reset", "on", "#" + DIGEST, *rules.split())
            boss.ok("ACL", "LOG", "RESET")
        logs = []
        for address, login in ((proxy.address, ["boss"]), (direct.address, None)):
            clients = [RedisConn(address) for _ in range(8)]
            for client in clients:
                client.cmd("AUTH", "u", SECRET)
            for n, client in enumerate(clients):
                client.cmd("SET", "app:1", n)
                client.cmd("GET", "app:1")
            clients[0].cmd("GET", "other")
            clients[0].cmd("CONFIG", "GET", "x")
            clients[1].cmd("SUBSCRIBE", "news:1", "olds")
            clients[2].cmd("AUTH", "u", "wrong")
            clients[3].ok("MULTI")
            clients[3].cmd("MGET", "app:1", "elsewhere")
            clients[3].cmd("DISCARD")
            with RedisConn(address) as boss:
                if login:
                    boss.ok("AUTH", *login)
                assert len(boss.cmd("ACL", "LOG", 2)) == 2
                assert boss.cmd("ACL", "LOG", 0) == []
                assert boss.cmd("ACL", "LOG", -3) == []
                # Workers count what they have refused themselves.
                counts = {}
                for entry, user, cmd in parsed_log(boss, 100):
                    count = entry.pop(b"count")
                    key = (*sorted(entry.items()), user, cmd)
                    counts[key] = counts.get(key, 0) + count
                logs.append(counts)
                boss.cmd_raw("HELLO", 3)
                raw = boss.cmd_raw("ACL", "LOG", 1)
                assert raw.startswith(b"*1\r\n%7\r\n$5\r\ncount\r\n") and b"\r\n$11\r\nage-seconds\r\n," in raw
                boss.ok("ACL", "LOG", "RESET")
                assert boss.cmd_raw("ACL", "LOG") == b"*0\r\n"
            for client in clients:
                client.close()
        assert logs[0] == logs[1]
        assert sum(logs[0].values()) == 13
