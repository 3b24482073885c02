"""What the tests of upgrades share: a proxy that gives way to new processes, which are followed as one."""

import ctypes
import json
import os
import signal
import subprocess
import time

import harness
from harness import wait_until

OVERLORD = harness.BIN_DIR / "overlord"

# Processes whose parent has ended become ours, so that their exit codes can be had.
ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


class Line(harness.Proxy):
    """A proxy and those that took over from it, in one process group and with one log."""

    def __init__(self, *clusters, **keywords):
        self.current = None
        self.http = None
        flags = [*keywords.pop("flags", ())]
        self.stat = f"{harness.tempfile.mkdtemp(prefix='overlord-stat-')}/s"
        super().__init__(*clusters, flags=[*flags, "-stat", f"unix:{self.stat}"], **keywords)
        wait_until(lambda: "ready" in self.output(), 20, "the proxy to be ready")
        self.current = self.child.pid

    @property
    def pid(self):
        return self.current or self.child.pid

    def signal(self, number):
        os.kill(self.pid, number)

    def ctl(self, *arguments):
        return subprocess.run([OVERLORD, "ctl", "--admin", self.stat, *arguments], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=100 * harness.SCALE)

    def upgraded_to(self, pid):
        old, self.current = self.pid, pid
        code = ended(old)
        assert code == 0, (code, self.output()[-8000:])

    def upgrade(self, *arguments):
        """By `overlord ctl upgrade`; returns its last page. The old process has ended then."""
        done = self.ctl("upgrade", "-o", "json", *arguments)
        assert done.returncode == 0, (done.stdout, done.stderr, self.output()[-8000:])
        page = json.loads(done.stdout)
        assert page["state"] == "done" and page["old_pid"] == self.pid, page
        self.upgraded_to(page["new_pid"])
        return page

    def stop(self):
        try:
            if self.pid == self.child.pid:
                return super().stop()
            self.signal(signal.SIGTERM)
            code, text = ended(self.pid), self.output()
            if code != 0 or any(word in text for word in harness.SANITIZER_WORDS):
                raise harness.Failed(f"the proxy exited with {code}:\n{text[-12000:]}")
        finally:
            self.kill_now()

    def kill_now(self):
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()
        super().kill_now()
        harness.shutil.rmtree(os.path.dirname(self.stat), ignore_errors=True)


def ended(pid):
    """The exit code of a process that is ours by now, once it has ended."""
    deadline = time.monotonic() + 20 * harness.SCALE
    while time.monotonic() < deadline:
        try:
            got, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:  # Popen was faster
            return 0
        if got == pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    raise harness.Failed(f"pid {pid} does not end")
