"""relay.py as a process of its own: it may not take the load's interpreter lock."""

import pathlib
import subprocess
import sys

import harness


class RelayProcess(harness.Process):
    def __init__(self, server):
        super().__init__("relay")
        script = pathlib.Path(__file__).with_name("relay.py")
        self.child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, "-B", str(script), server.host, str(server.port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        harness._live.add(self)
        self.spec = f"127.0.0.1:{int(self.child.stdout.readline())}"

    def tell(self, mode):
        self.child.stdin.write(mode.encode() + b"\n")
        self.child.stdin.flush()

    def kill_now(self):
        super().kill_now()
        self.child.stdin.close()
        self.child.stdout.close()
