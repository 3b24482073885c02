"""redis: the CLIENT commands, RESET, and what clients ask to know the server, against the live server where it says it."""

import pytest

import harness
from clients import RedisConn, RedisError, resp


def lines(text):
    found = [dict(part.split("=", 1) for part in line.split(" ")) for line in text.decode().split("\n") if line]
    return {int(line["id"]): line for line in found}


# Answered as by a server of one database.
SAME = """CLIENT KILL a|CLIENT KILL ID x|CLIENT KILL ID 0|CLIENT KILL ID 99999999|CLIENT KILL TYPE x|CLIENT KILL TYPE master|CLIENT KILL SKIPME x
    CLIENT KILL ADDR a LADDR|CLIENT KILL ADDR 1.2.3.4:5|CLIENT KILL USER nobody|CLIENT KILL WHAT x|CLIENT KILL ID 99999999 ADDR x SKIPME no|CLIENT KILL
    CLIENT NO-EVICT x|CLIENT NO-EVICT ON|CLIENT NO-EVICT OFF|CLIENT REPLY x|CLIENT REPLY ON|CLIENT REPLY|CLIENT TRACKING x|CLIENT TRACKING OFF
    CLIENT CACHING YES|CLIENT GETREDIR|CLIENT TRACKINGINFO|CLIENT LIST x|CLIENT LIST TYPE x|CLIENT LIST TYPE normal x|CLIENT LIST ID|CLIENT LIST ID x
    CLIENT LIST ID 0|CLIENT LIST TYPE replica|CLIENT LIST TYPE PUBSUB|CLIENT SETNAME a\tb|CLIENT GETNAME|CLIENT HELP|CONFIG HELP|SLOWLOG HELP|LATENCY HELP
    RESET|ROLE|SLOWLOG GET|SLOWLOG GET -1|SLOWLOG GET -2|SLOWLOG GET x|SLOWLOG LEN|SLOWLOG RESET|LATENCY LATEST|LATENCY HISTORY x|LATENCY RESET
    LATENCY RESET a b|LATENCY GRAPH x|LATENCY HISTOGRAM nosuch|CONFIG GET nosuch|CONFIG GET save|CONFIG GET appendonly|CONFIG GET SAVE
    CONFIG GET maxmemory|CONFIG GET maxmemory-policy|CONFIG GET databases|CONFIG GET d[a]tabases|CONFIG GET s?ve nosuch|CONFIG GET|SWAPDB 0 0|SWAPDB 0 1|SWAPDB x 0|SWAPDB 0 x
    SELECT 0|SELECT 1|SELECT -1|SELECT x|SELECT 00|SELECT 99999999999999999999"""


@pytest.mark.parametrize("protocol", [2, 3])
def test_answers_of_one_database(resources, rd, protocol):
    server = resources(harness.Redis(options=["--databases", "1"]))
    wrong = []
    for call in (c.strip().split(" ") for row in SAME.split("\n") for c in row.split("|")):
        with RedisConn(server.address) as direct:
            ours = rd()
            if protocol == 3:
                ours.cmd_raw("HELLO", "3"), direct.cmd_raw("HELLO", "3")
            a, b = ours.cmd_raw(*call), direct.cmd_raw(*call)
            if a != b:
                wrong.append((call, a, b))
            ours.close()
    assert not wrong, wrong


def test_info_of_a_client(rd):
    client = rd()
    client.ok("CLIENT", "SETNAME", "someone")
    client.ok("CLIENT", "SETINFO", "LIB-NAME", "lib")
    client.ok("CLIENT", "SETINFO", "lib-ver", "1.2")
    number = client.cmd("CLIENT", "ID")
    line = lines(client.cmd("CLIENT", "INFO"))[number]
    here = client.sock.getsockname()
    there = client.sock.getpeername()
    assert line["addr"] == f"{here[0]}:{here[1]}" and line["laddr"] == f"{there[0]}:{there[1]}"
    assert (line["name"], line["lib-name"], line["lib-ver"]) == ("someone", "lib", "1.2")
    assert (line["user"], line["resp"], line["cmd"], line["db"]) == ("default", "2", "client|info", "0")
    client.cmd_raw("HELLO", "3")
    assert b" resp=3" in client.cmd_raw("CLIENT", "INFO")


def test_states_are_shown_as_the_server_shows_them(rd, rd_direct, keys):
    k = keys.any()
    seen = []
    for make in (rd, rd_direct):
        me, other, waiter = make(), make(), make()
        number = other.cmd("CLIENT", "ID")
        waiting = waiter.cmd("CLIENT", "ID")
        states = []

        def state(client_id, me=me, states=states):
            line = lines(me.cmd("CLIENT", "LIST", "ID", client_id))[client_id]
            states.append([line[name] for name in ("flags", "sub", "psub", "ssub", "multi", "resp", "cmd")])

        state(number)
        other.ok("MULTI")
        state(number)
        other.cmd("SET", k, 1)
        other.cmd("CLIENT", "GETNAME")
        state(number)
        other.cmd("EXEC")
        other.send(resp("SUBSCRIBE", k + b"1", k + b"2") + resp("PSUBSCRIBE", k + b"*") + resp("SSUBSCRIBE", k))
        for _ in range(4):
            other.reply()
        state(number)
        listed = lines(me.cmd("CLIENT", "LIST", "TYPE", "pubsub"))
        assert number in listed and waiting not in listed
        listed = lines(me.cmd("CLIENT", "LIST", "TYPE", "normal"))
        assert number not in listed and waiting in listed
        waiter.send(resp("BLPOP", k + b"list", 0))
        harness.wait_until(lambda me=me, waiting=waiting: b"flags=b " in me.cmd("CLIENT", "LIST", "ID", waiting), 10,
                           "the client to wait")
        state(waiting)
        other.close()
        waiter.close()
        seen.append(states)
    assert seen[0] == seen[1]


def test_list_has_the_fields_of_the_server(rd, rd_direct):
    ours, theirs = rd(), rd_direct()
    a, b = (list(next(iter(lines(c.cmd("CLIENT", "INFO")).values()))) for c in (ours, theirs))
    assert a == b


@pytest.fixture
def shared(resources, io):
    """A proxy of three workers with clients on all of them."""
    server = resources(harness.Redis())
    with harness.Proxy(harness.redis([server]), harness.redis([server], name="other"), io=io, workers=3) as proxy:
        clients = [RedisConn(proxy.address) for _ in range(24)]
        yield proxy, clients, [c.cmd("CLIENT", "ID") for c in clients]
        for client in clients:
            client.close()


def test_list_over_all_workers(shared):
    proxy, clients, ids = shared
    with RedisConn(proxy.clusters[1].address) as other:
        stranger = other.cmd("CLIENT", "ID")
        for client in clients[:4]:
            listed = lines(client.cmd("CLIENT", "LIST"))
            assert set(ids) <= set(listed) and stranger not in listed and list(listed) == sorted(listed)
    assert set(lines(clients[0].cmd("CLIENT", "LIST", "ID", *ids[3:6], 10**9))) == set(ids[3:6])
    # Several at once, in one pipeline with others.
    clients[0].send(resp("PING") + resp("CLIENT", "LIST") * 3 + resp("PING"))
    got = [clients[0].reply() for _ in range(5)]
    assert got[0] == got[4] == "PONG" and all(set(ids) <= set(lines(text)) for text in got[1:4])


def test_kill(shared):
    _, clients, ids = shared
    me = clients[0]
    assert me.cmd("CLIENT", "KILL", "ID", ids[5]) == 1
    assert clients[5].rest() == b""
    host, port = clients[6].sock.getsockname()
    me.ok("CLIENT", "KILL", f"{host}:{port}")
    assert clients[6].rest() == b""
    assert me.cmd("CLIENT", "KILL", f"{host}:{port}") == RedisError("ERR No such client")
    host, port = clients[7].sock.getsockname()
    assert me.cmd("CLIENT", "KILL", "ADDR", f"{host}:{port}", "USER", "default") == 1
    assert clients[7].rest() == b""
    assert me.cmd("CLIENT", "KILL", "ID", ids[0]) == 0  # SKIPME is yes
    me.send(resp("CLIENT", "KILL", "ID", ids[0], "SKIPME", "no") + resp("PING"))
    assert me.rest() == b":1\r\n"
    me = clients[1]
    assert me.cmd("CLIENT", "KILL", "TYPE", "normal") >= 19
    assert all(client.rest() == b"" for client in clients[2:])
    assert set(lines(me.cmd("CLIENT", "LIST"))) & set(ids) == {ids[1]}


def test_a_client_that_leaves_while_it_asks(shared):
    proxy, clients, _ = shared
    for _ in range(30):
        with RedisConn(proxy.address) as leaver:
            leaver.send(resp("CLIENT", "LIST") * 20)
    assert clients[0].cmd("PING") == "PONG"


def test_a_command_that_has_to_wait_is_skipped_once(rd, rd_direct, keys):
    name = keys.any()
    for client in (rd(), rd_direct()):
        for waits in (resp("WATCH", name), resp("BLPOP", name + b"l", "0.01"), resp("WAIT", 0, 0)):
            client.send(resp("SET", name, "v") + resp("CLIENT", "REPLY", "SKIP") + waits + resp("GET", name) + resp("PING"))
            assert [client.reply() for _ in range(3)] == ["OK", b"v", "PONG"]


@pytest.mark.parametrize("big", [False, True])
def test_reply_modes(rd, rd_direct, keys, big):
    name = keys.any()
    value = b"v" * (300_000 if big else 10)
    for client in (rd(), rd_direct()):
        client.ok("SET", name, value)
        client.send(resp("CLIENT", "REPLY", "SKIP") + resp("GET", name) + resp("ECHO", "a")
                    + resp("CLIENT", "REPLY", "OFF") + resp("GET", name) + resp("MGET", name, "x") + resp("NOSUCH") + resp("SET", name, value)
                    + resp("CLIENT", "REPLY", "SKIP") + resp("PING") + resp("CLIENT", "REPLY", "ON") + resp("ECHO", "b"))
        assert [client.reply() for _ in range(3)] == [b"a", "OK", b"b"]
        assert client.cmd("GET", name) == value


def test_reset(resources, io):
    server = resources(harness.Redis())
    with harness.Proxy(harness.redis([server], password="secret"), io=io) as proxy, RedisConn(proxy.address) as client:
        client.cmd_raw("HELLO", "3", "AUTH", "default", "secret", "SETNAME", "me")
        assert client.cmd_raw("GET", "x") == b"_\r\n"
        assert client.cmd("RESET") == "RESET"
        assert client.cmd("GET", "x").startswith("NOAUTH")
        client.ok("AUTH", "secret")
        assert client.cmd_raw("GET", "x") == b"$-1\r\n" and client.cmd("CLIENT", "GETNAME") is None


def test_what_newer_clients_send(rd):
    client = rd()
    client.ok("CLIENT", "MAINT_NOTIFICATIONS", "ON", "moving-endpoint-type", "none")
    client.ok("CLIENT", "NO-TOUCH", "ON")
    assert "client-side caching" in client.cmd("CLIENT", "TRACKING", "ON")
    for command in ("READONLY", "READWRITE", "ASKING"):
        client.ok(command)


@pytest.mark.parametrize("first", [b"POST / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"post a\r\n", b"*1\r\n$5\r\nhost:\r\n"])
def test_http_is_closed_at_once(rd, rd_direct, first):
    for client in (rd(), rd_direct()):
        client.send(first + b"SET x 1\r\n")
        # What came before has its answer from the proxy (GET with too many arguments).
        assert client.rest() in (b"", b"-ERR wrong number of arguments for 'get' command\r\n")


def test_small_limits_before_the_password(resources, io):
    direct = resources(harness.Redis(options=["--requirepass", "secret"]))
    server = resources(harness.Redis())
    with harness.Proxy(harness.redis([server], password="secret"), io=io) as proxy:
        for wire in (b"*11\r\n", b"*1000000\r\n", b"*2\r\n$3\r\nGET\r\n$16385\r\n", b"*2\r\n$600000000\r\n", b"*99999999999999\r\n"):
            with RedisConn(proxy.address) as ours, RedisConn(direct.address) as theirs:
                for conn in (ours, theirs):
                    conn.send(wire)
                assert ours.rest() == theirs.rest(), wire
        with RedisConn(proxy.address) as client:
            assert client.cmd("GET", b"x" * 16384).startswith("NOAUTH")
            client.send(resp("AUTH", "secret") + resp("ECHO", b"y" * 20000) + resp("MGET", *range(50)))
            assert client.reply() == "OK" and client.reply() == b"y" * 20000 and client.reply() == [None] * 50
