"""The ways to hurt a Redis Cluster; hurts.py says what they are made of."""

from harness import wait_until
from redis_cluster import slot_of


def replicated(stage, load, victims):
    """From here on the replicas of the victims have all that was acknowledged until now. What is acknowledged after this
    may be lost when they take over: that is Redis Cluster's asynchronous replication and not the proxy's doing."""
    with load.resting():
        for victim in victims:
            master = stage.servers[victim]
            written = master.ask("ROLE")[1]

            def has_all(master=master, written=written):
                replicas = master.ask("ROLE")[2]
                return replicas and int(replicas[0][2]) >= written

            wait_until(has_all, 20, f"the replica of master {victim} to have everything")
        load.forgiven = frozenset(victims)


def taken_over(stage, victim):
    """Until the victim's replica is a master, and the other masters say so."""
    master = stage.servers[victim]
    replica = stage.nodes.replica_of(master)
    first = stage.nodes.slots[victim][0]

    def told(node):
        return any(entry[0] <= first <= entry[1] and entry[2][1] == replica.port for entry in node.ask("CLUSTER", "SLOTS"))

    others = [node for n, node in enumerate(stage.servers) if n != victim]
    wait_until(lambda: all(told(node) for node in [replica, *others]), 30, "the replica to take over")


def killed(stage, load):
    replicated(stage, load, [stage.victim])
    stage.server.kill9()
    yield
    taken_over(stage, stage.victim)


def stopped(stage, load):
    replicated(stage, load, [stage.victim])
    stage.server.freeze()
    yield
    taken_over(stage, stage.victim)
    stage.server.thaw()


def forgets(stage, load):
    """It comes back under its old address as a node of no cluster. The others know that it is not the one they miss, and
    wait for that one: no replica takes over until it is told to. By then it may have copied the newcomer's emptiness."""
    load.forgiven = frozenset([stage.victim])
    stage.server.kill9()
    (stage.server.folder / "nodes.conf").unlink()
    stage.server.start()
    yield
    stage.nodes.replica_of(stage.server).ok("CLUSTER", "FAILOVER", "TAKEOVER")
    taken_over(stage, stage.victim)


def all_killed(stage, load):
    """None of them writes anything to disk but its map."""
    load.forgiven = frozenset(range(len(stage.servers)))
    for node in stage.nodes.nodes:
        node.kill9()
    yield
    for node in stage.nodes.nodes:
        node.start()


def resharded(stage, load):
    """Slots of keys of every client go to the next master, and those after them to the one before."""
    for n, client in enumerate(load.clients):
        slots = list(dict.fromkeys(slot_of(key) for key in [client.counters[n % 3], client.keys[n], client.keys[-1 - n]]))
        for slot in slots:
            source = stage.nodes.owner(slot)
            target = stage.servers[(stage.servers.index(source) + 1) % len(stage.servers)]
            stage.nodes.begin_move(slot, source, target)
            while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 1):
                stage.nodes.move_keys(source, target, *keys)
                load.progress(3)
            stage.nodes.end_move(slot, target)
    yield
