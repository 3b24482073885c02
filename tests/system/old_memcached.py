"""What memcached before 1.6 says: a relay that knows the commands of 1.4 and no others, before a real server.

It reads a line at a time, as the old server did: the value of an unknown command is taken for the next one.
"""

from clients import McConn
from fakes import Fake

STORAGE = (b"set", b"add", b"replace", b"append", b"prepend", b"cas")
LINES = (b"incr", b"decr", b"delete", b"touch", b"flush_all", b"verbosity")


class OldMemcached(Fake):
    def __init__(self, server, version=b"1.4.39"):
        self.server, self.version = server, version
        self.unknown = []  # lines that were answered ERROR
        super().__init__(self.relay)

    def relay(self, peer, _):
        with McConn(self.server.address) as node:
            while True:
                line = peer.line()
                verb = line.split()[0] if line.split() else b""
                if verb == b"version":
                    peer.send(b"VERSION %s\r\n" % self.version)
                elif verb in STORAGE:
                    node.send(line + peer.exact(int(line.split()[4]) + 2))
                    peer.send(node.line())
                elif verb in LINES:
                    node.send(line)
                    peer.send(node.line())
                elif verb in (b"get", b"gets", b"stats"):
                    node.send(line)
                    self.pass_on(node, peer)
                else:
                    self.unknown.append(line)
                    peer.send(b"ERROR\r\n")

    @staticmethod
    def pass_on(node, peer):
        while True:
            line = node.line()
            if line.startswith(b"VALUE "):
                line += node.exact(int(line.split()[3]) + 2)
            peer.send(line)
            if not line.startswith((b"VALUE ", b"STAT ")):
                return
