"""-reload: the proxy follows its file, however it is changed."""

import os
import time

import harness
from harness import wait_until
from reload_load import Live


class Watched(Live):
    """Follows its file, which is in a folder of its own."""

    def __init__(self, cluster, file, io):
        self.own_file = file
        super().__init__(cluster, io=io, flags=["-cluster", str(file), "-reload"])
        self.cluster_file = file

    def listening(self, argv, env):
        self.own_file.write_text(self.clusters[0].toml())
        return super().listening(argv, env)


def switch_link(proxy, text):
    """As Kubernetes changes a volume: a new folder, then the link ..data moves over to it."""
    folder = proxy.cluster_file.parent
    fresh = folder / f"..{time.monotonic_ns()}"
    fresh.mkdir()
    (fresh / "cluster.toml").write_text(text)
    (folder / "..tmp").symlink_to(fresh.name)
    os.rename(folder / "..tmp", folder / "..data")
    if not proxy.cluster_file.is_symlink():
        (folder / "cluster.tmp").symlink_to("..data/cluster.toml")
        os.rename(folder / "cluster.tmp", proxy.cluster_file)


def replace_folder(proxy, text):
    folder = proxy.cluster_file.parent
    fresh = folder.with_name(folder.name + "-fresh")
    fresh.mkdir()
    (fresh / "cluster.toml").write_text(text)
    os.rename(folder, folder.with_name(folder.name + "-old"))
    os.rename(fresh, folder)


def test_the_watch_sees_every_way_to_change_a_file(io, pool, tmp_path):
    cluster = harness.redis(pool.backends("redis", 1), name="watched")
    cluster.port = harness.free_port()
    folder = tmp_path / "conf"
    folder.mkdir()
    file = folder / "cluster.toml"
    file.write_text(cluster.toml())
    with Watched(cluster, file, io) as proxy:
        size = 1000

        def expect(change):
            nonlocal size
            before = proxy.outcomes()
            size += 1
            cluster.keys["max_key_size"] = size
            change(cluster.toml())
            wait_until(lambda: f"-> {size}" in proxy.output(), 15, "the change to be seen")
            return proxy.outcomes() - before

        assert expect(proxy.cluster_file.write_text) == 1
        assert expect(proxy.write) == 1
        assert expect(lambda text: switch_link(proxy, text)) == 1
        assert expect(lambda text: switch_link(proxy, text)) == 1
        assert expect(lambda text: replace_folder(proxy, text)) == 1
        assert expect(proxy.cluster_file.write_text) == 1
        # In pieces, as a slow editor writes: no half of it is read.
        def in_pieces(text):
            with open(proxy.cluster_file, "w") as out:
                for start in range(0, len(text), 40):
                    out.write(text[start:start + 40])
                    out.flush()
                    time.sleep(0.01)
        assert expect(in_pieces) == 1
