"""The dashboard and the alerts of etc/ against a real Prometheus that reads a live proxy."""

import json
import re
import subprocess
import urllib.parse

import pytest

import harness
from clients import McConn, RedisConn, RedisError
from harness import wait_until
from metrics_page import Watched, fetch

RULES = harness.REPO / "etc/prometheus/overlord.rules.yml"
DASHBOARD = harness.REPO / "etc/grafana/overlord-proxy.json"


class Prometheus(harness.Process):
    def __init__(self, target):
        super().__init__("prometheus")
        self.address = ("127.0.0.1", harness.free_port())
        config = self.folder / "prometheus.yml"
        config.write_text(json.dumps({  # JSON is YAML
            "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "500ms"},
            "rule_files": [str(RULES)],
            "scrape_configs": [{"job_name": "overlord-proxy", "static_configs": [{"targets": [f"{target[0]}:{target[1]}"]}]}],
        }))
        self.spawn(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/data",
                    f"--web.listen-address={self.address[0]}:{self.address[1]}", "--log.level=warn"])
        wait_until(lambda: not self.alive() or harness.listens(self.pid, self.address), 30, "prometheus to listen")
        assert self.alive(), self.output()

    def ask(self, path, **parameters):
        status, text = fetch(self.address, f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        answer = json.loads(text)
        assert status == 200 and answer["status"] == "success", (parameters, text)
        return answer["data"]

    def query(self, expression):
        return self.ask("query", query=expression)["result"]


def dashboard_queries():
    """(panel, expression) of every query, with the dashboard's variables filled in."""
    found = []
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"].replace("$__rate_interval", "10s")
            found.append((panel["title"], re.sub(r"\$(instance|cluster|node)", ".*", expression)))
    assert len(found) > 40 and not any("$" in expression for _, expression in found)
    return found


# What no traffic of this test brings about: it may be empty.
MAY_BE_EMPTY = ("overlord_proxy_worker_up{",)


def test_every_query_returns_data(resources, pool, keys):
    servers = [resources(harness.Redis()) for _ in range(3)]
    proxy = resources(Watched(
        harness.redis(servers[:2], name="rd", ping_auto_eject=True, ping_fail_limit=2, ping_interval=50,
                      eject_retry_interval=60000),
        harness.memcache(pool.backends("memcached"), name="mc"), harness.redis(servers[2:], name="gone"), io=harness.io_drivers()[0], workers=2))
    prometheus = resources(Prometheus(proxy.http))
    names = keys.many(20)
    with RedisConn(proxy.clusters[0].address) as rd, McConn(proxy.clusters[1].address) as mc, \
            RedisConn(proxy.clusters[2].address) as gone:
        servers[0].kill9()  # leaves the ring
        servers[2].kill9()  # has no ring to leave: its requests fail

        def traffic():
            failed = 0
            for key in names:
                rd.cmd("SET", key, "x")
                failed += isinstance(gone.cmd("GET", key), RedisError)
                assert mc.set(key, b"x") == b"STORED\r\n"
            return failed

        wait_until(lambda: prometheus.query('up{job="overlord-proxy"} == 1'))
        failed = traffic()
        queries = dashboard_queries()
        empty = {}

        def all_have_data():
            nonlocal failed
            failed += traffic()
            empty.clear()
            for panel, expression in queries:
                if not prometheus.query(expression) and not any(word in expression for word in MAY_BE_EMPTY):
                    empty[panel] = expression
            return not empty

        try:
            wait_until(all_have_data, 20)
        except harness.Failed as late:
            raise AssertionError(f"no data ({failed} requests failed): {json.dumps(empty, indent=1)}") from late
    rules = prometheus.ask("rules")["groups"][0]["rules"]
    assert len(rules) == len(ALERTS)
    wait_until(lambda: all(rule["health"] == "ok" for rule in prometheus.ask("rules")["groups"][0]["rules"]))
    # the node is out of the ring, which the alert sees before its `for` is over
    wait_until(lambda: {a["labels"]["alertname"] for a in prometheus.ask("alerts")["alerts"]} >= {"OverlordBackendEjected"})
    for variable in json.loads(DASHBOARD.read_text())["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
            found = prometheus.query(f"count by ({label}) ({re.sub(chr(92) + '$[a-z]+', '.*', selector)})")
            assert found, variable


def promtool(*arguments):
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rules_are_valid():
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", RULES)


# 20 minutes of a proxy that is well, in steps of 15 s, and for each alert what is different when it has to fire.
WELL = {
    'up{job="overlord-proxy",instance="p"}': "1x80",
    'process_start_time_seconds{job="overlord-proxy",instance="p"}': "1700000000x80",
    'process_open_fds{job="overlord-proxy",instance="p"}': "50x80",
    'process_max_fds{job="overlord-proxy",instance="p"}': "1000x80",
    'overlord_proxy_worker_up{instance="p",worker="0"}': "1x80",
    'overlord_proxy_worker_cpu_seconds_total{instance="p",worker="0"}': "0+3x80",
    'overlord_proxy_conns{instance="p",cluster="c"}': "100x80",
    'overlord_proxy_max_connections{instance="p"}': "0x80",
    'overlord_proxy_backend_up{instance="p",cluster="c",node="n"}': "1x80",
    'overlord_proxy_backend_in_ring{instance="p",cluster="c",node="n"}': "1x80",
    'overlord_proxy_backend_ejections_total{instance="p",cluster="c",node="n"}': "0x80",
    'overlord_proxy_backend_queue_requests{instance="p",cluster="c",node="n"}': "10x80",
    'overlord_proxy_backend_failures_total{instance="p",cluster="c",node="n",cmd="read",error="timed_out"}': "1x80",
    'overlord_proxy_requests_total{instance="p",cluster="c"}': "0+1000x80",
    'overlord_proxy_failures_total{instance="p",cluster="c",error="timed_out"}': "0+1x80",
    'overlord_proxy_limit_hits_total{instance="p",cluster="c",limit="max_connections"}': "3x80",
    'overlord_proxy_limit_hits_total{instance="p",cluster="c",limit="max_pipeline"}': "0+100x80",
    'overlord_proxy_tls_failures_total{instance="p",cluster="c",side="client"}': "0+1x80",
    'overlord_proxy_timer_bucket{instance="p",cluster="c",cmd="get",le="1000"}': "0+1000x80",
    'overlord_proxy_timer_bucket{instance="p",cluster="c",cmd="get",le="100000"}': "0+1000x80",
    'overlord_proxy_timer_bucket{instance="p",cluster="c",cmd="get",le="+Inf"}': "0+1000x80",
}
ALERTS = {
    "OverlordProxyDown": {"up{job": "1x70 0x10"},
    "OverlordProxyRestarted": {"process_start_time_seconds{": "1700000000x70 1700000900x10"},
    "OverlordProxyWorkerStuck": {"overlord_proxy_worker_up{": "1x70 0x10"},
    "OverlordProxyWorkerSaturated": {"overlord_proxy_worker_cpu_seconds_total{": "0+14.5x80"},
    "OverlordBackendDown": {"overlord_proxy_backend_up{": "1x70 0x10"},
    "OverlordBackendEjected": {"overlord_proxy_backend_in_ring{": "1x70 0x10"},
    "OverlordBackendFlapping": {"overlord_proxy_backend_ejections_total{": "0+0.2x80"},
    "OverlordErrors": {"overlord_proxy_failures_total{": "0+20x80"},
    "OverlordTimeouts": {"overlord_proxy_backend_failures_total{": "0+3x80"},
    "OverlordSlow": {'le="1000"': "0+900x80"},
    "OverlordQueueLong": {"overlord_proxy_backend_queue_requests{": "10x70 5000x10"},
    "OverlordLimitHit": {'limit="max_connections"': "3x60 3+1x20"},
    "OverlordClientsNearLimit": {"overlord_proxy_max_connections{": "110x80"},
    "OverlordDescriptorsShort": {"process_open_fds{": "50x60 950x20"},
    "OverlordTlsFailures": {"overlord_proxy_tls_failures_total{": "0+30x80"},
}


@pytest.mark.parametrize("alert", [None, *ALERTS])
def test_an_alert_fires_when_it_should_and_alone(tmp_path, alert):
    series = dict(WELL)
    for part, values in ALERTS.get(alert, {}).items():
        changed = [name for name in series if part in name]
        assert len(changed) == 1, (part, changed)
        series[changed[0]] = values
    want = [{"labels": f'{{alertname="{alert}"}}', "value": 1}] if alert else []
    (tmp_path / "test.yml").write_text(json.dumps({
        "rule_files": [str(RULES)], "evaluation_interval": "15s",
        "tests": [{"interval": "15s", "input_series": [{"series": s, "values": v} for s, v in series.items()],
                   "promql_expr_test": [{"expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                                         "eval_time": "20m", "exp_samples": want}]}]}))
    promtool("test", "rules", tmp_path / "test.yml")
