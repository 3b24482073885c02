"""redis: single-key commands answer byte for byte as a plain redis-server does."""

import pytest

import harness
from clients import RedisConn, resp

# Lines of words; K, L, M are fresh keys. '"..."' is a word with escapes as Python writes them.
CONVERSATIONS = {
    "strings": """
        GET K | SET K v | GET K | SET K v2 NX | SET K v3 XX | SET K v4 GET | GETSET K v5 | SETNX K x | SETNX L x
        APPEND K abc | STRLEN K | GETRANGE K 1 3 | SETRANGE K 2 zz | GETDEL K | GET K | GETEX L | GETEX L PERSIST
        SUBSTR L 0 1 | SET K v EX 100 | SET K v KEEPTTL | SET K v PX 100000 | SETEX K 100 v | PSETEX K 100000 v
        PERSIST K | TTL K | LCS K K | SET K v EX 0 | SETEX K 0 v | SET K v NX XX | SET K v foo""",
    "numbers": """
        INCR K | INCRBY K 41 | DECR K | DECRBY K 7 | INCRBYFLOAT K 1.5 | INCR K | SET L abc | INCR L | INCRBY K x
        DECRBY L 1 | GET K""",
    "bits": """
        SETBIT K 7 1 | GETBIT K 7 | GETBIT K 100 | BITCOUNT K | BITCOUNT K 0 -1 | BITPOS K 1 | BITFIELD K SET u8 0 255
        BITFIELD K GET u4 0 INCRBY u8 0 10 | BITFIELD_RO K GET u8 0 | SETBIT K -1 1 | SETBIT K 0 2""",
    "hashes": """
        HSET K f1 v1 f2 v2 | HGET K f1 | HGET K nope | HMGET K f1 nope f2 | HGETALL K | HDEL K f1 f9 | HEXISTS K f2
        HLEN K | HKEYS K | HVALS K | HSETNX K f3 v | HINCRBY K n 5 | HINCRBYFLOAT K n 0.5 | HSTRLEN K f2
        HMSET K a 1 b 2 | HSCAN K 0 | HRANDFIELD K 0 | HSET K odd | GET K | TYPE K | HGETALL L | HINCRBY K f2 1""",
    "lists": """
        LPUSH K a b c | RPUSH K d e | LRANGE K 0 -1 | LLEN K | LINDEX K 0 | LINDEX K 99 | LINSERT K BEFORE a x
        LREM K 1 x | LSET K 0 z | LSET K 99 z | LTRIM K 0 2 | LPOP K | RPOP K | LPUSHX K q | RPUSHX L q | LPOP K 5
        LPOS K q | LPOP L | RPOP L 2 | LRANGE L 0 -1 | LPUSH K | LPUSH K a | INCR K""",
    "sets": """
        SADD K a b c a | SCARD K | SISMEMBER K a | SISMEMBER K z | SMISMEMBER K a z | SREM K a c z | SCARD L
        SPOP L | SRANDMEMBER L | SMEMBERS L | SADD M only | SMEMBERS M | SPOP M | SSCAN M 0 | SRANDMEMBER L 3
        SINTER K | SUNION L | SDIFF L""",
    "sorted-sets": """
        ZADD K 1 a 2 b 3 c | ZADD K XX CH 5 a | ZADD K INCR 2 b | ZRANGE K 0 -1 WITHSCORES | ZREVRANGE K 0 1
        ZSCORE K a | ZMSCORE K a z | ZRANK K a | ZREVRANK K a | ZCARD K | ZCOUNT K -inf +inf | ZINCRBY K 1.5 c
        ZRANGEBYSCORE K 0 10 WITHSCORES LIMIT 0 2 | ZREVRANGEBYSCORE K 10 0 | ZLEXCOUNT K - + | ZRANGEBYLEX K - +
        ZREVRANGEBYLEX K + - | ZPOPMIN K | ZPOPMAX K 2 | ZPOPMIN L | ZREM K a | ZREMRANGEBYRANK K 0 0
        ZREMRANGEBYSCORE K 0 1 | ZREMRANGEBYLEX K - + | ZSCAN K 0 | ZRANDMEMBER K | ZADD K nan x | ZADD K 1
        ZRANGE K 0 -1 BYSCORE | ZRANK L x""",
    "streams": """
        XADD K 1-1 f v | XADD K 1-2 f w | XLEN K | XRANGE K - + | XREVRANGE K + - | XADD K 1-1 f v | XDEL K 1-1
        XTRIM K MAXLEN 1 | XGROUP CREATE K g 0 | XINFO STREAM K | XPENDING K g | XACK K g 1-2 | XREAD COUNT 1 STREAMS K 0
        XREADGROUP GROUP g c COUNT 1 STREAMS K > | XINFO GROUPS K | XGROUP DESTROY K g | XADD L NOMKSTREAM * a b
        XSETID K 9-9""",
    "geo": """
        GEOADD K 13.361389 38.115556 Palermo 15.087269 37.502669 Catania | GEODIST K Palermo Catania
        GEOHASH K Palermo | GEOPOS K Palermo x | GEOSEARCH K FROMLONLAT 15 37 BYRADIUS 200 km ASC
        GEORADIUS_RO K 15 37 100 km | GEORADIUSBYMEMBER_RO K Palermo 200 km""",
    "hyperloglog": "PFADD K a b c | PFADD K a | PFCOUNT K | PFCOUNT L | PFMERGE K",
    "generic": """
        EXISTS K | SET K v | EXISTS K | TYPE K | TYPE L | EXPIRE K 100 | EXPIRE K 100 NX | EXPIREAT K 33177117420
        PEXPIRE K 100000000 GT | PEXPIREAT K 33177117420000 | EXPIRETIME K | PEXPIRETIME K | TTL L | PTTL L | PERSIST K | PERSIST K
        OBJECT ENCODING K | OBJECT REFCOUNT L | DUMP L | DEL K | DEL K | UNLINK K | TOUCH K | SORT K | SORT_RO K
        COPY K K | RENAME K K | EXPIRE K x | RESTORE L 0 junk | OBJECT FREQ K""",
    "sort": "RPUSH K 3 1 2 | SORT K | SORT K DESC LIMIT 0 2 | SORT_RO K | RPUSH K x | SORT K | SORT K ALPHA",
    "wrong-type": """
        SET K v | LPUSH K a | HGET K a | SADD K a | ZADD K 1 a | LPUSH L a | GET L | INCR L | GETRANGE L 0 1
        STRLEN L | XADD L * a b | PFADD L a | GETBIT L 0 | APPEND L a""",
    "arity": """
        GET | GET K L | SET K | INCR | HSET K f | LPUSH K | EXPIRE K | ZADD | SETEX K 1 | DEL | MGET | MSET | MSET K
        EXISTS | UNLINK | TOUCH | STRLEN | get | hGeT K | APPEND K | TYPE | TTL K L | MSETNX | MSETNX K""",
    "case": "set K v | gEt K | INCRBY L 5 | incrby L 5 | hset M a b | HGETALL M",
    "binary": r'''
        SET K "\x00\r\n\xff$5\r\n*2" | GET K | APPEND K "\r\n" | STRLEN K | SET L "" | GET L | HSET M "" "" | HGETALL M
        HGET M ""''',
    "eval": """
        EVAL 'return{1,2,{3,"x"}}' 1 K | EVAL 'return{KEYS[1],ARGV[1]}' 1 K arg | EVAL 'return{err="MY"}' 1 K
        EVAL 'return{ok="fine"}' 1 K | EVAL 'return{}' 1 K | EVAL 'return{{},{},false}' 1 K | EVAL_RO 'return{1}' 1 K""",
    "many-arguments": "RPUSH K " + " ".join(f"element{i}" for i in range(2000)) + " | LRANGE K 0 -1 | LLEN K",
}


def words(line, names):
    out, rest = [], line.strip()
    while rest:
        if rest[0] == '"':
            end = rest.index('"', 1)
            out.append(rest[1:end].encode("latin-1").decode("unicode_escape").encode("latin-1"))
            rest = rest[end + 1:].lstrip()
        elif rest[0] == "'":
            end = rest.index("'", 1)
            out.append(rest[1:end].encode())
            rest = rest[end + 1:].lstrip()
        else:
            word, _, rest = rest.partition(" ")
            out.append(names.get(word, word.encode()))
            rest = rest.lstrip()
    return out


def commands_of(text, keys):
    names = {letter: keys.any() for letter in "KLM"}
    lines = [part for line in text.strip().splitlines() for part in line.split(" | ")]
    return [words(line, names) for line in lines]


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_same_as_redis(rd, rd_direct, keys, name):
    proxied, direct = rd(), rd_direct()
    for command in commands_of(CONVERSATIONS[name], keys):
        want = direct.cmd_raw(*command)
        assert proxied.cmd_raw(*command) == want, command


def test_same_in_one_pipeline(rd, rd_direct, keys):
    """All conversations in one send."""
    every = [c for text in CONVERSATIONS.values() for c in commands_of(text, keys)]
    wire = b"".join(resp(*c) for c in every)
    proxied, direct = rd(), rd_direct()
    direct.send(wire)
    proxied.send(wire)
    for command in every:
        assert proxied.raw() == direct.raw(), command


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_same_in_small_packets(rd, rd_direct, keys, size):
    every = [c for name in ("strings", "hashes", "lists", "binary", "eval", "wrong-type")
             for c in commands_of(CONVERSATIONS[name], keys)]
    wire = b"".join(resp(*c) for c in every)
    proxied, direct = rd(), rd_direct()
    direct.send(wire)
    for at in range(0, len(wire), size):
        proxied.send(wire[at:at + size])
    for command in every:
        assert proxied.raw() == direct.raw(), command


def test_dump_and_restore(rd, keys):
    client = rd()
    for _ in range(8):
        a, b = keys.any(), keys.any()
        client.ok("SET", a, "some value")
        dumped = client.cmd("DUMP", a)
        client.ok("RESTORE", b, 0, dumped)
        assert client.cmd("GET", b) == b"some value"


@pytest.mark.parametrize("size", [0, 1, 100, 1000, 4095, 4096, 4097, 16384, 65535, 65536, 65537, 300000, 1 << 20])
def test_value_sizes(rd, keys, size):
    client = rd()
    value = bytes(keys.random.randbytes(size))
    for key in keys.spread(1):
        client.ok("SET", key, value)
        assert client.cmd("GET", key) == value
        assert client.cmd("STRLEN", key) == size
        assert client.cmd("ECHO", value) == value
    assert client.pipeline([("GET", key)] * 3) == [value] * 3


def test_sort_by_patterns_where_all_keys_are_on_one_server(io, resources):
    """With more servers it is refused: nobody knows where the keys of a pattern are."""
    server = resources(harness.Redis())
    with harness.Proxy(harness.redis([server]), io=io) as proxy, RedisConn(proxy.address) as client, \
            RedisConn(server.address) as direct:
        client.ok("MSET", "w_1", 3, "w_2", 1, "w_3", 2)
        assert client.cmd("RPUSH", "l", 1, 2, 3) == 3
        for line in ("SORT l BY w_* GET # GET w_*", "SORT_RO l BY nokey_* GET h_*->f", "SORT l GET w_* STORE to"):
            assert client.cmd_raw(*line.split()) == direct.cmd_raw(*line.split())
        assert client.cmd("SORT", "l", "BY", "w_*") == [b"2", b"3", b"1"]
