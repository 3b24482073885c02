"""redis-benchmark as a user runs it: its tests, none of which may report an error."""

import subprocess

import report


class Benchmark(report.Runner):
    def version(self):
        return subprocess.run(["redis-benchmark", "--version"], capture_output=True, text=True).stdout.strip()

    def run(self, *flags, port=None):
        tls = ["--tls", "--cacert", self.ca] if self.ca else []
        done = subprocess.run(["redis-benchmark", "-h", "127.0.0.1", "-p", str(port or self.port), *tls, "-n", "1000", "-c",
                               "20", "-r", "1000", "-q", *flags], capture_output=True, text=True,
                              timeout=report.FEATURE_SECONDS - 1)
        # It says so when CONFIG is not for it, and goes on.
        said = "".join(line for line in done.stderr.splitlines(True) if not line.startswith("WARNING: Could not fetch"))
        text = done.stdout + said
        if done.returncode != 0 or said.strip() or "rror" in text or "MSET" not in text:
            raise AssertionError(f"it ended with {done.returncode}: {text[-300:].strip()}")

    def redis_benchmark(self):
        self.run()

    def redis_benchmark_p16(self):
        self.run("-P", "16", "-d", "500")

    def redis_benchmark_cluster(self):
        """It refuses a cluster of one node, so two listeners pose as two proxies before the same backends."""
        if not self.given["cluster"]:
            raise report.NotInClient("for clusters")
        self.run("--cluster", port=self.port_for("peer"))


Benchmark().main()
