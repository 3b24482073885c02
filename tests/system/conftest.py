"""Fixtures. Servers are started once per test process, on first use; keys are random, so tests do not meet."""

import pytest

import harness
from clients import McConn, RedisConn
from ring import Keys


def pytest_collection_modifyitems(config, items):
    limited = config.pluginmanager.hasplugin("timeout")
    for item in items:
        if limited and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(120 * min(harness.SCALE, 6)))
        if item.get_closest_marker("campaign") and not harness.os.environ.get("OVERLORD_CAMPAIGN"):
            item.add_marker(pytest.mark.skip(reason="a campaign: set OVERLORD_CAMPAIGN=1"))


@pytest.fixture(params=harness.io_drivers())
def io(request):
    return request.param


class Pool:
    """What all tests of this process share."""

    def __init__(self):
        self.servers = {}
        self.proxies = {}

    def backends(self, kind, count=4):
        """Shared, never harmed servers."""
        made = self.servers.setdefault(kind, [])
        while len(made) < count:
            made.append({"memcached": lambda: harness.Memcached(options=["-I", "8m"]), "redis": harness.Redis}[kind]())
        return made[:count]

    def proxy(self, io):
        """The standard proxy: 4 memcached and 4 redis behind one worker."""
        found = self.proxies.get(io)
        if found is None or not found.alive():
            found = harness.Proxy(
                harness.memcache(self.backends("memcached"), name="mc"),
                harness.redis(self.backends("redis"), name="rd"), io=io)
            self.proxies[io] = found
        return found

    def stop(self):
        failures = []
        for proxy in self.proxies.values():
            if proxy.child.returncode is None or proxy.alive():
                try:
                    proxy.stop()
                except AssertionError as failure:
                    failures.append(str(failure))
        for made in self.servers.values():
            for server in made:
                server.kill_now()
        assert not failures, "\n".join(failures)


@pytest.fixture(scope="session")
def pool():
    made = Pool()
    yield made
    made.stop()


@pytest.fixture
def proxy(pool, io):
    """The standard proxy; the test that kills it is the one that fails."""
    running = pool.proxy(io)
    yield running
    running.check_alive()


@pytest.fixture
def keys():
    return Keys(4)


class Clients:
    """Opens clients that are closed with the test."""

    def __init__(self, address, kind):
        self.address, self.kind, self.open = address, kind, []

    def __call__(self, address=None, **keywords):
        client = self.kind(address or self.address, **keywords)
        self.open.append(client)
        return client

    def many(self, count):
        return [self() for _ in range(count)]

    def close(self):
        for client in self.open:
            client.close()


@pytest.fixture
def mc(proxy):
    """mc() opens a memcache client of the standard proxy."""
    made = Clients(proxy.clusters[0].address, McConn)
    yield made
    made.close()


@pytest.fixture
def rd(proxy):
    """rd() opens a redis client of the standard proxy."""
    made = Clients(proxy.clusters[1].address, RedisConn)
    yield made
    made.close()


@pytest.fixture
def mc_direct(pool):
    """A client of a plain memcached that no proxy uses."""
    if "memcached-direct" not in pool.servers:
        pool.servers["memcached-direct"] = [harness.Memcached(options=["-I", "8m"])]
    made = Clients(pool.servers["memcached-direct"][0].address, McConn)
    yield made
    made.close()


@pytest.fixture
def rd_direct(pool):
    """A client of a plain redis-server that no proxy uses."""
    if "redis-direct" not in pool.servers:
        pool.servers["redis-direct"] = [harness.Redis()]
    made = Clients(pool.servers["redis-direct"][0].address, RedisConn)
    yield made
    made.close()


@pytest.fixture
def resources():
    """Registers processes and fakes to be stopped with the test: resources(harness.Redis())."""
    made = []

    def keep(thing):
        made.append(thing)
        return thing

    yield keep
    for thing in reversed(made):
        if isinstance(thing, harness.Process):
            thing.kill_now()
        else:
            thing.close()
