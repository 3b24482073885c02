"""The fault matrix as data: a row says who is hurt and how, what every client may see meanwhile, and what comes after.

Nothing that is not said here may happen to a client: no error of a backend that is not a victim, no other text, no
closed connection, no wrong, mixed-up or missing value.
"""

import dataclasses
import typing

import cluster_hurts
import harness
import head_of_line
import hurts
import stage

LOST = ("backend connection lost", "backend is down")
LATE = ("backend timed out", "backend is down")
BOTH = ("redis", "memcache")


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    what: str  # is hurt, and how
    sees: str  # what clients see while it lasts
    hurt: typing.Callable  # of hurts.py
    errors: tuple = ()  # texts that keys of the victims may be answered with
    victims: tuple = (0,)  # backends
    felt: int = 20  # so many such errors must come, or the fault was none
    loses: bool = False  # the victims come back empty
    kinds: tuple = BOTH
    backends: int = 4
    relayed: bool = False  # every backend has a relay before it
    big: bool = True  # some values of 6 KB
    late: bool = False  # it hurts from before the proxy's start
    answers: int = 150  # of each client, while it is hurt
    watch: int = 50  # answers of each client that are checked after that
    within: float = 10.0  # seconds (scaled) until everything must be served again
    prepare: typing.Callable | None = None  # of the stage, before the proxy starts: keywords for it
    alone: bool = False  # it measures: nothing else is played meanwhile
    figure: str = ""  # what stage.figure is: text with {}
    needs: typing.Callable | None = None  # why it cannot be played on this machine, or ''
    settings: dict = dataclasses.field(default_factory=dict)  # keys of the cluster


# A Redis Cluster of three masters with a replica each.
# Requests wait for the replica as long as read_timeout allows, so few of them fail.
CLUSTER = dict(kinds=("redis_cluster",), backends=3, within=30.0)
FEW = dict(felt=3, **CLUSTER)
MOVING = ("CLUSTERDOWN ", *LOST, *LATE)
NOTHING = dict(victims=(), felt=0)
# Where no backend is hurt: the moment for which a busy test machine may stand still is no fault of anybody.
UNHURRIED = {"read_timeout": 5 * stage.READ_TIMEOUT}

ROWS = [
    Row("killed", "one of four backends is killed (SIGKILL), later started again",
        "its keys: `connection lost` for what was in flight, `is down` at once after that; then its keys are gone",
        hurts.killed, LOST, loses=True),
    Row("all-killed", "all four backends are killed, later started again",
        "the same for every key; what the proxy answers itself (ECHO) goes on", hurts.all_killed, LOST, (0, 1, 2, 3), loses=True),
    Row("gone-at-start", "no backend is there when the proxy starts; they come later",
        "`is down` for every key", hurts.gone_at_start, LOST, (0, 1, 2, 3), late=True, prepare=hurts.kill_all),
    Row("stopped", "one of four backends hangs (SIGSTOP)",
        "its keys: `timed out` after `read_timeout`, then `is down` at once", hurts.stopped, LATE),
    Row("head-of-line", "one of four backends hangs (SIGSTOP), and goes on, several times",
        "as `stopped`; p99 of the other keys less than 1.2 times what it is else", head_of_line.head_of_line, LATE,
        alone=True, figure="p99 {} times"),
    Row("half-open", "every packet to one of four backends is dropped, also those of new connections; nobody is told",
        "its keys: `timed out` after `read_timeout`, then `is down` at once", hurts.half_open, LATE, needs=stage.packets,
        within=15.0, watch=3000),
    Row("slow", "one of four backends answers 60 ms later (a relay)",
        "nothing, but that its keys take that long", hurts.relayed("delay 0.03"), felt=0, relayed=True),
    Row("too-slow", "one of four backends answers later than `read_timeout` (a relay)",
        "its keys: `timed out` after `read_timeout`, or `is down`; the late replies reach nobody",
        hurts.relayed(f"delay {stage.READ_TIMEOUT * 0.6 / 1000}"), LATE, relayed=True, within=15.0),
    Row("resets", "connections to one of four backends are reset in the middle of a reply, again and again (a relay)",
        "`connection lost` for what was in flight there", hurts.relayed("reset"), LOST, relayed=True),
    Row("garbage", "replies of one of four backends are replaced by random bytes, again and again (a relay)",
        "`malformed reply` for what was in flight there",
        hurts.relayed("garbage"), ("backend sent a malformed reply", *LOST), relayed=True, big=False),
    Row("other-server", "one of four backends ends and a server of the other kind (memcached, redis-server) has its port",
        "its keys: `is down`; then they are gone", hurts.other_kind,
        ("backend sent a malformed reply", "backend refused the handshake", *LOST, *LATE), loses=True),
    Row("name-moves", "a backend that is given by name ends, is started elsewhere, and the name follows",
        "its keys: as if it had been killed; found at the new address without a restart", hurts.moved, LOST, loses=True,
        prepare=hurts.named, needs=stage.mounts, within=15.0),
    Row("descriptors", "the proxy may open ten more descriptors (RLIMIT_NOFILE), and 60 clients come",
        "nothing; new clients wait until others leave", hurts.few_descriptors, **NOTHING),
    Row("disk-full", "the disk of the log is full, and there is much to log: a backend is killed and comes back",
        "as when it is killed; the log goes on when there is room, with no torn line", hurts.disk_full, LOST, loses=True,
        prepare=hurts.small_disk, needs=stage.mounts),
    Row("clock-jumps", "the wall clock goes a day on, a day back, and on again", "nothing", hurts.clock_jumps,
        prepare=hurts.own_clock, needs=stage.clock, **NOTHING),
    Row("clock-back", "a backend hangs (SIGSTOP) and the wall clock goes back a day",
        "its keys: `timed out` after `read_timeout` all the same", hurts.clock_back_stopped, LATE,
        prepare=hurts.own_clock, needs=stage.clock),
    Row("connect-storm", "10,000 clients connect in one moment and ask something", "nothing; all of them are answered",
        hurts.connect_storm(harness.load(10000)), settings=UNHURRIED, **NOTHING),
    Row("slow-loris", "300 clients send a write byte by byte", "nothing; their writes are done when they are whole",
        hurts.slow_loris, settings=UNHURRIED, **NOTHING),
    Row("memory", "120 clients ask for 16 MiB each and read nothing; a memory limit (cgroup) 192 MiB above the quiet state",
        "nothing; what greedy clients would get waits at the backends", hurts.short_memory, needs=stage.groups,
        settings={"max_client_buffer": 1 << 20, **UNHURRIED}, **NOTHING),
    Row("reload-storm", "the cluster file changes 100 times, and is loaded each time (SIGHUP)", "nothing",
        hurts.reloads(100), settings=UNHURRIED, **NOTHING),
    Row("upgrade-storm", "20 upgrades: a new process takes over, and the next one from it (SIGUSR2)", "nothing",
        hurts.upgrades(20), settings=UNHURRIED, **NOTHING),
    Row("cluster-killed", "a master of a Redis Cluster is killed (SIGKILL); its replica takes over",
        "its keys: `connection lost`, then `is down`, until the replica has taken over", cluster_hurts.killed, MOVING,
        **FEW),
    Row("cluster-stopped", "a master of a Redis Cluster hangs (SIGSTOP) until its replica has taken over, then goes on",
        "its keys: `timed out`, then `is down`, until the replica has taken over", cluster_hurts.stopped, MOVING,
        **FEW),
    Row("cluster-resharded", "slots that are written to and read move between the masters of a Redis Cluster, key by key",
        "nothing", cluster_hurts.resharded, settings=UNHURRIED, **CLUSTER, **NOTHING),
    Row("cluster-forgets", "a master of a Redis Cluster comes back with an empty map, as a node of no cluster; later its "
        "replica is told to take over (CLUSTER FAILOVER TAKEOVER)",
        "its keys: `connection lost`, then CLUSTERDOWN, until the replica has taken over; then they are gone",
        cluster_hurts.forgets, MOVING, loses=True, answers=5, **FEW),
    Row("cluster-all-killed", "all nodes of a Redis Cluster are killed, later started again",
        "`connection lost`, then `is down`, for every key; then they are gone", cluster_hurts.all_killed, MOVING, (0, 1, 2),
        loses=True, answers=5, **FEW),
]
BY_NAME = {row.name: row for row in ROWS}
