"""The tools of libmemcached: memcapable, which is a test suite of the protocols, and memcslap, a load."""

import re
import subprocess

import report


class Tools(report.Runner):
    def version(self):
        done = subprocess.run(["memcslap", "--version"], capture_output=True, text=True)
        return " ".join(done.stdout.split())

    def memcapable(self, flag):
        done = subprocess.run(["memccapable", "-h", "127.0.0.1", "-p", str(self.port_for("flush")), "-t", "5", flag],
                              capture_output=True, text=True, timeout=report.FEATURE_SECONDS - 1)
        text = done.stdout + done.stderr
        passed = re.findall(r"^(.*?)\s+\[pass\]", text, re.M)
        failed = re.findall(r"^(.*?)\s+\[FAIL\]", text, re.M)
        if done.returncode != 0 or failed or not passed:
            what = ", ".join(failed[:4]) + (f" and {len(failed) - 4} more" if len(failed) > 4 else "")
            raise AssertionError(f"{len(passed)} of its tests passed; failed: {what or text[-300:]}")

    def memcapable_text(self):
        self.memcapable("-a")

    def memcapable_binary(self):
        self.memcapable("-b")

    def memslap(self, *flags):
        for test in ("set", "get", "mget"):
            done = subprocess.run(["memcslap", "--servers", f"127.0.0.1:{self.port}", f"--test={test}",
                                   "--concurrency=4", "--execute-number=500", *flags],
                                  capture_output=True, text=True, timeout=report.FEATURE_SECONDS - 1)
            if done.returncode != 0 or re.search("error|fail", done.stdout + done.stderr, re.I):
                said = [line for line in (done.stdout + done.stderr).splitlines() if re.search("error|fail", line, re.I)]
                what = re.sub(r"'\w{20,}'", "'KEY'", said[0] if said else "")
                raise AssertionError(f"{test} ended with {done.returncode}: {what}")

    def memslap_text(self):
        self.memslap()

    def memslap_binary(self):
        self.memslap("--binary")


Tools().main()
