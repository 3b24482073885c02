"""A reload needs all workers: while one hangs it is refused, says so, and changes nothing."""

import harness
from clients import RedisConn
from hung_worker import held
from metrics_page import Watched, fetch


def test_a_reload_is_refused_while_a_worker_hangs(pool, resources):
    proxy = resources(Watched(harness.redis(pool.backends("redis")[:1], name="c"), workers=2))
    proxy.clusters[0].keys["max_key_size"] = 99
    proxy.cluster_file.write_text("\n".join(c.toml() for c in proxy.clusters))
    with held(proxy, 1):
        status, text = fetch(proxy.http, "/reload", "POST")
        assert status == 422 and "worker-1" in text and "worker-0" not in text
        assert '"max_key_size": 65536' in proxy.page("/config")
    status, text = fetch(proxy.http, "/reload", "POST")
    assert status == 200 and "max_key_size 65536 -> 99" in text
    with RedisConn(proxy.address) as client:
        assert client.cmd("PING") == "PONG"
        assert "key" in str(client.cmd("GET", "k" * 100)).lower()
