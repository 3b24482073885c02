"""Where the proxy answers otherwise than a redis-server 7.0, on purpose. The differential test accepts these and no
other. Each: commands (names, "container|sub"), what the proxy's reply must match, and why."""

import re

# Not sent at all: what they answer depends on the moment, the process or the connection.
NOT_COMPARED = {
    "time of day, process or chance": """
        time lastsave info randomkey command|info command|help srandmember spop hrandfield zrandmember memory|usage memory|stats memory|doctor
        memory|malloc-stats object|idletime object|freq acl|genpass command command|docs command|list command|count lolwut role
        latency|doctor latency|graph latency|histogram latency|history latency|latest latency|reset
        slowlog|get slowlog|len slowlog|reset dump restore function|dump function|restore function|stats
        script|load script|flush function|load function|flush function|delete function|list pttl pexpiretime
        xinfo|consumers xinfo|stream xinfo|groups xpending xclaim xautoclaim keys scan sscan hscan zscan dbsize""",
    "state of the connection, tested on their own": """
        auth hello quit reset select multi exec discard watch unwatch subscribe unsubscribe psubscribe punsubscribe
        ssubscribe sunsubscribe monitor client|caching client|getname client|getredir client|help client|id client|info
        client|kill client|list client|no-evict client|pause client|reply client|setname
        client|setinfo client|tracking client|trackinginfo client|unblock client|unpause asking readonly readwrite
        acl|whoami acl|users acl|list acl|cat acl|log acl|getuser acl|dryrun wait publish spublish pubsub|channels pubsub|numpat pubsub|numsub
        pubsub|shardchannels pubsub|shardnumsub config|get cluster|slots cluster|shards cluster|nodes cluster|info
        cluster|myid cluster|links cluster|replicas cluster|slaves""",
    "they wait, tested on their own": """
        blpop brpop blmove blmpop brpoplpush bzpopmin bzpopmax bzmpop xread xreadgroup""",
    "scripts, tested on their own": "eval eval_ro evalsha evalsha_ro fcall fcall_ro script|exists script|kill function|kill",
    "the whole data": "flushall flushdb",
}

# (commands, pattern of the proxy's reply, reason). "*" in commands: all.
DIFFERENCES = [
    ("sort sort_ro", rb"-ERR .*pattern", "BY and GET with a pattern read keys that are not named: they cannot be placed"),
    ("copy", rb"-ERR .*(DB|database)", "another database cannot be reached: a proxy serves one"),
    ("migrate move swapdb", rb"-ERR ", "they concern another server or database"),
    ("*", rb"-CROSSSLOT ", "keys on several backends, in a command that cannot be split"),
    ("*", rb"-ERR a command without keys cannot be placed", "a count of 0 keys names no node"),
    ("*", rb"-ERR '.*' is not supported", "refused: see docs/protocols.md"),
    ("acl|setuser acl|deluser acl|load acl|save", rb"-ERR users are made by", "users are those of the configuration"),
]


def excused(name, reply):
    return any((names == "*" or name in names.split()) and re.match(pattern, reply) for names, pattern, _ in DIFFERENCES)


def not_compared():
    return {name for names in NOT_COMPARED.values() for name in names.split()}
