"""Calls of every command of redis-server 7.0, with every option that changes the form of the reply.

Each entry is (words before, the call): the words before are commands that prepare an empty server. Words that hold
blanks are given as tuples. NOT_CALLED names the commands that cannot be called here, each with its reason.
"""


def split(call):
    return tuple(call.split(" ")) if isinstance(call, str) else tuple(call)


S = ["SET s value", "SET n 10"]
H = ["HSET h a 1 b 2"]
L = ["RPUSH l a b c d"]
SET_A = ["SADD a 1 2 3", "SADD b 2 3 4"]
Z = ["ZADD z 1 one 2.5 two inf three", "ZADD y 1 one 3 four"]
G = ["GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania"]
X = ["XADD x 1-1 f v g w", "XADD x 1-2 f v2", "XGROUP CREATE x grp 0", "XREADGROUP GROUP grp me COUNT 1 STREAMS x >"]
LIB = [("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function{function_name='f', callback=function(k, a) return a[1] end,"
        " description='what', flags={'no-writes'}}\nredis.register_function('g', function() return false end)")]

CALLS = [(before, split(call)) for before, calls in [
    (S, """APPEND s x|APPEND new x|BITCOUNT s|BITCOUNT nokey|BITFIELD s GET u8 0|BITFIELD_RO s GET u8 0
        BITFIELD s OVERFLOW FAIL INCRBY u2 0 3 INCRBY u2 0 3|BITOP NOT d s|BITPOS s 1
        COPY s d|COPY nokey d|DECR n|DECRBY n 2|DEL s n|DUMP nokey|EXISTS s nokey|EXPIRE s 100|EXPIREAT s 9999999999
        EXPIRETIME s|EXPIRETIME nokey|GET s|GET nokey|GETBIT s 1|GETDEL s|GETDEL nokey|GETEX s EX 100|GETEX nokey
        GETRANGE s 0 1|GETSET s x|GETSET nokey x|INCR n|INCRBY n 2|INCRBYFLOAT n 1.5|LCS s n|LCS s s IDX
        LCS s s IDX MINMATCHLEN 2 WITHMATCHLEN|LCS s s LEN|LCS nokey s|LCS nokey s IDX|MGET s nokey n|MSET a 1 b 2
        MSETNX a 1|MSETNX s 1|PERSIST s|PEXPIRE s 10000|PEXPIREAT s 9999999999999|PEXPIRETIME s|PSETEX s 10000 v
        PTTL s|PTTL nokey|RANDOMKEY|RENAME s t|RENAMENX s t|SET s v|SET s v NX|SET s v XX|SET nokey v XX|SET s v GET
        SET nokey v GET|SET nokey v NX GET|SET s v KEEPTTL|SETBIT s 1 1|SETEX s 100 v|SETNX s v|SETRANGE s 1 xx|STRLEN s
        SUBSTR s 0 1|TOUCH s n|TTL s|TYPE s|TYPE nokey|UNLINK s|OBJECT ENCODING s|OBJECT ENCODING nokey|OBJECT FREQ s
        OBJECT IDLETIME s|OBJECT REFCOUNT s|OBJECT REFCOUNT nokey|OBJECT HELP|MEMORY USAGE s|MEMORY USAGE nokey|MOVE s 1
        MOVE nokey 1|SORT nokey|KEYS s|KEYS nokey|SCAN 0|SCAN 0 MATCH nokey|DBSIZE|FLUSHDB|FLUSHALL|SWAPDB 0 1
        PFADD p a b|PFCOUNT p|PFMERGE d p|PFDEBUG GETREG s|PFSELFTEST|GET|SET s|INCR s|WAIT 0 0|RESTORE r 0 x
        RESTORE-ASKING r 0 x|MIGRATE 127.0.0.1 1 nokey 0 100"""),
    (H, """HDEL h a|HEXISTS h a|HGET h a|HGET h nofield|HGET nokey a|HGETALL h|HGETALL nokey|HINCRBY h a 2|HINCRBYFLOAT h a 0.5
        HKEYS h|HKEYS nokey|HLEN h|HMGET h a nofield b|HMGET nokey a|HMSET h c 3|HRANDFIELD h|HRANDFIELD nokey
        HRANDFIELD h 2|HRANDFIELD h 2 WITHVALUES|HRANDFIELD h -1|HRANDFIELD nokey 2|HRANDFIELD nokey 2 WITHVALUES|HSCAN h 0
        HSCAN nokey 0|HSET h c 3|HSETNX h a 1|HSTRLEN h a|HVALS h|HVALS nokey|HGETALL s"""),
    (L, """BLMOVE l d LEFT RIGHT 1|BLMOVE nokey d LEFT RIGHT 0.01|BLMPOP 1 1 l LEFT|BLMPOP 1 1 l LEFT COUNT 2|BLMPOP 0.01 1 nokey LEFT
        BLPOP l 1|BLPOP nokey 0.01|BRPOP l 1|BRPOP nokey 0.01|BRPOPLPUSH l d 1|BRPOPLPUSH nokey d 0.01|LINDEX l 0|LINDEX l 9
        LINSERT l BEFORE a x|LLEN l|LMOVE l d LEFT RIGHT|LMOVE nokey d LEFT RIGHT|LMPOP 1 l LEFT|LMPOP 1 l LEFT COUNT 2
        LMPOP 1 nokey LEFT|LPOP l|LPOP l 2|LPOP l 0|LPOP nokey|LPOP nokey 2|LPOS l a|LPOS l nothing|LPOS l a COUNT 0|LPOS l nothing COUNT 0
        LPOS nokey a|LPOS nokey a COUNT 0|LPUSH l x|LPUSHX l x|LRANGE l 0 -1|LRANGE nokey 0 -1|LREM l 0 a|LSET l 0 x|LTRIM l 0 1
        RPOP l|RPOP l 2|RPOP nokey|RPOP nokey 2|RPOPLPUSH l d|RPOPLPUSH nokey d|RPUSH l x|RPUSHX nokey x|SORT l ALPHA|SORT_RO l ALPHA
        SORT l ALPHA GET # GET nokey_*|SORT l ALPHA STORE d"""),
    (SET_A, """SADD a 9|SCARD a|SDIFF a b|SDIFF a a|SDIFFSTORE d a b|SINTER a b|SINTER a nokey|SINTERCARD 2 a b|SINTERSTORE d a b|SISMEMBER a 1
        SMEMBERS b|SMEMBERS nokey|SMISMEMBER a 1 9|SMISMEMBER nokey 1|SMOVE a b 1|SPOP nokey|SPOP a 3|SPOP a 0|SPOP nokey 3|SRANDMEMBER nokey
        SRANDMEMBER nokey 2|SREM a 1|SSCAN a 0|SUNION a b|SUNION nokey|SUNIONSTORE d a b"""),
    (["SADD one 1"], "SPOP one|SPOP one 1|SPOP one 5|SRANDMEMBER one|SRANDMEMBER one 1|SRANDMEMBER one -2"),
    (Z, """BZMPOP 1 1 z MIN|BZMPOP 1 1 z MIN COUNT 2|BZMPOP 0.01 1 nokey MIN|BZPOPMAX z 1|BZPOPMAX nokey 0.01|BZPOPMIN z 1|BZPOPMIN nokey 0.01
        ZADD z 9 nine|ZADD z CH 9 one|ZADD z INCR 1 one|ZADD z NX INCR 1 one|ZADD z XX INCR 1 nothing|ZCARD z|ZCOUNT z -inf +inf
        ZDIFF 2 z y|ZDIFF 2 z y WITHSCORES|ZDIFF 1 nokey WITHSCORES|ZDIFFSTORE d 2 z y|ZINCRBY z 1.5 one|ZINTER 2 z y|ZINTER 2 z y WITHSCORES
        ZINTER 2 z y WEIGHTS 2 3 AGGREGATE MAX WITHSCORES|ZINTERCARD 2 z y|ZINTERSTORE d 2 z y|ZLEXCOUNT z - +|ZMPOP 1 z MIN|ZMPOP 1 z MAX COUNT 2
        ZMPOP 1 nokey MIN|ZMSCORE z one nothing|ZMSCORE nokey one|ZPOPMAX z|ZPOPMAX z 2|ZPOPMAX nokey|ZPOPMAX nokey 2|ZPOPMIN z|ZPOPMIN z 1|ZPOPMIN z 2
        ZPOPMIN z 0|ZPOPMIN nokey|ZPOPMIN nokey 1|ZRANDMEMBER y 2|ZRANDMEMBER nokey|ZRANDMEMBER z 5 WITHSCORES|ZRANDMEMBER nokey 5 WITHSCORES
        ZRANGE z 0 -1|ZRANGE z 0 -1 WITHSCORES|ZRANGE z 0 -1 REV WITHSCORES|ZRANGE z -inf +inf BYSCORE LIMIT 0 2 WITHSCORES|ZRANGE z - + BYLEX
        ZRANGE nokey 0 -1 WITHSCORES|ZRANGE z 0 -1 withscores|ZRANGEBYLEX z - +|ZRANGEBYSCORE z -inf +inf|ZRANGEBYSCORE z -inf +inf WITHSCORES
        ZRANGEBYSCORE z -inf +inf WITHSCORES LIMIT 0 1|ZRANGESTORE d z 0 -1|ZRANK z one|ZRANK z nothing|ZREM z one|ZREMRANGEBYLEX z - +
        ZREMRANGEBYRANK z 0 0|ZREMRANGEBYSCORE z 1 1|ZREVRANGE z 0 -1|ZREVRANGE z 0 -1 WITHSCORES|ZREVRANGEBYLEX z + -|ZREVRANGEBYSCORE z +inf -inf
        ZREVRANGEBYSCORE z +inf -inf WITHSCORES|ZREVRANK z one|ZREVRANK z nothing|ZSCAN z 0|ZSCORE z one|ZSCORE z three|ZSCORE z nothing
        ZSCORE nokey one|ZUNION 2 z y|ZUNION 2 z y WITHSCORES|ZUNION 1 WITHSCORES|ZUNION 1 WITHSCORES WITHSCORES|ZUNIONSTORE d 2 z y"""),
    (["ZADD WITHSCORES 1 one"], "ZUNION 1 WITHSCORES|ZUNION 1 WITHSCORES WITHSCORES|ZRANDMEMBER WITHSCORES|ZRANDMEMBER WITHSCORES 1"),
    (G, """GEOADD g 1 1 here|GEODIST g Palermo Catania|GEODIST g Palermo nothing|GEODIST nokey a b|GEOHASH g Palermo nothing|GEOHASH nokey a
        GEOPOS g Palermo nothing|GEOPOS nokey a|GEORADIUS g 15 37 200 km|GEORADIUS g 15 37 200 km WITHDIST|GEORADIUS g 15 37 200 km WITHCOORD
        GEORADIUS g 15 37 200 km WITHCOORD WITHDIST WITHHASH ASC|GEORADIUS g 15 37 200 km STORE d|GEORADIUS nokey 15 37 200 km WITHCOORD
        GEORADIUS_RO g 15 37 200 km WITHCOORD|GEORADIUSBYMEMBER g Palermo 200 km WITHCOORD WITHDIST|GEORADIUSBYMEMBER_RO g Palermo 200 km WITHCOORD
        GEOSEARCH g FROMMEMBER Palermo BYRADIUS 200 km ASC|GEOSEARCH g FROMMEMBER Palermo BYRADIUS 200 km ASC WITHCOORD WITHDIST WITHHASH
        GEOSEARCH nokey FROMLONLAT 1 1 BYBOX 1 1 km WITHCOORD|GEOSEARCHSTORE d g FROMMEMBER Palermo BYRADIUS 200 km"""),
    (X, """XACK x grp 1-1|XADD x 9-9 f v|XADD nokey NOMKSTREAM * f v|XAUTOCLAIM x grp you 0 0|XAUTOCLAIM x grp you 0 0 JUSTID|XCLAIM x grp you 0 1-1
        XCLAIM x grp you 0 1-1 JUSTID|XDEL x 1-1|XGROUP CREATE x g2 $|XGROUP CREATECONSUMER x grp you|XGROUP DELCONSUMER x grp me|XGROUP DESTROY x grp
        XGROUP HELP|XGROUP SETID x grp 0|XINFO CONSUMERS x grp|XINFO GROUPS x|XINFO STREAM x|XINFO STREAM x FULL|XINFO STREAM x FULL COUNT 1
        XINFO STREAM nokey|XINFO HELP|XLEN x|XPENDING x grp|XPENDING x grp - + 10|XRANGE x - +|XRANGE nokey - +|XREAD COUNT 1 STREAMS x 0
        XREAD STREAMS x nokey 0 0|XREAD STREAMS x $|XREAD BLOCK 10 STREAMS x 0|XREAD BLOCK 1 STREAMS x $|XREADGROUP GROUP grp me STREAMS x >
        XREADGROUP GROUP grp me STREAMS x 0|XREADGROUP GROUP grp you STREAMS x 0|XREVRANGE x + -|XSETID x 9-9|XTRIM x MAXLEN 1"""),
    (["XADD x 1-1 f v", "XADD y 1-1 f v"], "XREAD STREAMS x y 0 0"),
    (["XADD x 1-1 f v", "XGROUP CREATE x grp 0", "XREADGROUP GROUP grp me STREAMS x >", "XDEL x 1-1"],
     "XREADGROUP GROUP grp me STREAMS x 0|XINFO STREAM x|XINFO STREAM x FULL|XPENDING x grp|XCLAIM x grp you 0 1-1|XAUTOCLAIM x grp you 0 0"),
    (["XGROUP CREATE e g $ MKSTREAM"], "XINFO STREAM e|XINFO STREAM e FULL|XPENDING e g|XINFO GROUPS e|XINFO CONSUMERS e g"),
    (LIB, "FUNCTION DUMP|FUNCTION LIST|FUNCTION LIST WITHCODE|FUNCTION LIST LIBRARYNAME nosuch|FUNCTION STATS|FUNCTION DELETE lib|FUNCTION FLUSH"
          "|FUNCTION KILL|FUNCTION HELP|FUNCTION RESTORE x|FUNCTION LOAD nothing|FCALL f 0 x|FCALL g 0|FCALL_RO f 0 x"),
    (S, """SCRIPT DEBUG NO|SCRIPT EXISTS abc|SCRIPT FLUSH|SCRIPT HELP|SCRIPT KILL|SCRIPT LOAD x|EVALSHA abc 0|EVALSHA_RO abc 0
        EVAL return(1) 0|EVAL return(nil) 0|EVAL return(false) 0|EVAL return(true) 0|EVAL return({1,false,'x',{false}}) 0|EVAL return{1.5} 0
        EVAL_RO return(redis.call('hgetall','nokey')) 0|EVAL return(redis.call('get','nokey')) 0|EVAL return{ok='fine'} 0|EVAL return{err='bad'} 0"""),
    (H, [("EVAL", "return redis.call('hgetall', KEYS[1])", "1", "h")]),
    (Z, [("EVAL", "return redis.call('zscore', KEYS[1], 'one')", "1", "z"),
         ("EVAL", "return redis.call('zrange', KEYS[1], 0, -1, 'withscores')", "1", "z")]),
    ([], """ACL CAT|ACL CAT geo|ACL DELUSER nobody|ACL DRYRUN default GET a|ACL GENPASS|ACL GETUSER default|ACL GETUSER nobody|ACL HELP|ACL LIST|ACL LOAD
        ACL LOG|ACL LOG RESET|ACL SAVE|ACL SETUSER someone on >secret ~a* %R~b* +@read (+get ~c*)|ACL USERS|ACL WHOAMI|AUTH x|AUTH default x
        CLIENT CACHING YES|CLIENT GETNAME|CLIENT GETREDIR|CLIENT HELP|CLIENT ID|CLIENT INFO|CLIENT KILL 1.2.3.4:5|CLIENT KILL ID 99999
        CLIENT LIST|CLIENT LIST TYPE replica|CLIENT LIST ID 99999|CLIENT NO-EVICT OFF|CLIENT PAUSE 0|CLIENT REPLY ON|CLIENT SETNAME x|CLIENT TRACKING OFF
        CLIENT TRACKINGINFO|CLIENT UNBLOCK 99999|CLIENT UNPAUSE
        COMMAND|COMMAND COUNT|COMMAND DOCS get|COMMAND DOCS nosuch|COMMAND DOCS set zadd client|COMMAND DOCS georadius|COMMAND GETKEYS GET a|COMMAND GETKEYSANDFLAGS SET a b
        COMMAND HELP|COMMAND INFO get nosuch|COMMAND INFO client|COMMAND INFO eval xadd|COMMAND LIST FILTERBY PATTERN xr*|COMMAND LIST FILTERBY ACLCAT nosuch
        CONFIG GET maxmemory*|CONFIG GET nosuch|CONFIG GET maxmemory timeout|CONFIG HELP|CONFIG RESETSTAT|CONFIG REWRITE|CONFIG SET timeout 0
        ECHO x|INFO nosuch|INFO replication|LASTSAVE|LATENCY DOCTOR|LATENCY HELP|LATENCY HISTORY nosuch|LATENCY LATEST|LATENCY RESET|LATENCY GRAPH nosuch
        LATENCY HISTOGRAM nosuch|LOLWUT VERSION 1|MEMORY DOCTOR|MEMORY HELP|MEMORY PURGE|MODULE HELP|MODULE LIST|MODULE LOAD x|MODULE LOADEX x
        MODULE UNLOAD x|PING|PING x|PUBLISH c m|PUBSUB CHANNELS|PUBSUB HELP|PUBSUB NUMPAT|PUBSUB NUMSUB c|PUBSUB SHARDCHANNELS|PUBSUB SHARDNUMSUB c
        ROLE|SAVE|SELECT 0|SLOWLOG GET|SLOWLOG HELP|SLOWLOG LEN|SLOWLOG RESET|SPUBLISH c m|TIME|UNWATCH|WATCH a|MULTI|DISCARD|EXEC|ASKING|READONLY|READWRITE
        QUIT|RESET|MULTI x|CLUSTER INFO|FAILOVER|REPLICAOF NO ONE|SLAVEOF NO ONE|DEBUG HELP|LATENCY RESET x
        SUBSCRIBE c|PSUBSCRIBE p*|SSUBSCRIBE c|UNSUBSCRIBE|PUNSUBSCRIBE|SUNSUBSCRIBE|UNSUBSCRIBE c|NOSUCH x|HELLO 2 x"""),
    (["CONFIG SET latency-monitor-threshold 1", "DEBUG SLEEP 0.002", "CONFIG SET latency-monitor-threshold 0"],
     "LATENCY LATEST|LATENCY HISTORY command|LATENCY GRAPH command|LATENCY HISTOGRAM debug|LATENCY RESET"),
    (["CONFIG SET slowlog-log-slower-than 0", "GET a", "CONFIG SET slowlog-log-slower-than 100000000"], "SLOWLOG GET 1"),
    (["ACL SETUSER someone on >secret ~a* %R~b* &ch* +@read (+get ~c*)"], "ACL GETUSER someone|ACL LIST"),
    (["ACL DRYRUN default GET a", "AUTH nobody wrong"], "ACL LOG 1"),
] for call in (calls if isinstance(calls, list) else [c.strip() for line in calls.split("\n") for c in line.split("|") if c.strip()])]

# Commands of a cluster's node.
CLUSTER_CALLS = [((), split(call)) for call in """CLUSTER COUNTKEYSINSLOT 0|CLUSTER COUNT-FAILURE-REPORTS x|CLUSTER GETKEYSINSLOT 0 1|CLUSTER HELP|CLUSTER INFO
    CLUSTER KEYSLOT a|CLUSTER LINKS|CLUSTER MYID|CLUSTER NODES|CLUSTER REPLICAS x|CLUSTER SLAVES x|CLUSTER SHARDS|CLUSTER SLOTS|CLUSTER ADDSLOTS 0
    CLUSTER ADDSLOTSRANGE 0 1|CLUSTER BUMPEPOCH|CLUSTER DELSLOTS 5000|CLUSTER DELSLOTSRANGE 5000 5001|CLUSTER FAILOVER|CLUSTER FLUSHSLOTS x
    CLUSTER FORGET x|CLUSTER MEET x y|CLUSTER REPLICATE x|CLUSTER SAVECONFIG|CLUSTER SET-CONFIG-EPOCH x|CLUSTER SETSLOT x y|CLUSTER RESET x
    INFO cluster|READONLY|READWRITE|ASKING""".replace("\n", "|").split("|") if call.strip() for call in [call.strip()]]

NOT_CALLED = {
    "shutdown": "ends the server",
    "monitor": "a stream, refused by the proxy",
    "psync": "replication", "sync": "replication", "replconf": "replication",
    "bgsave": "what it answers depends on what runs", "bgrewriteaof": "what it answers depends on what runs",
    "memory|stats": "its numbers change; compared by form",
    "memory|malloc-stats": "its numbers change; compared by form",
}
