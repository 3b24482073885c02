"""Backends that misbehave: a listening socket and a Python function per connection."""

import socket
import struct
import threading

from harness import SCALE


class Fake:
    """behave(peer, fake) runs in a thread of its own for every connection; returning closes it.

    The default answers PING and INFO server (redis) and version (memcache) as a healthy server, so that a proxy which validates
    its connections gets past that: see Peer.
    """

    def __init__(self, behave, host="127.0.0.1", backlog=128):
        self.behave = behave
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, 0))
        self.listener.listen(backlog)
        self.address = self.listener.getsockname()
        self.spec = f"{host}:{self.address[1]}"
        self.connections = 0
        self.received = bytearray()  # everything any connection sent, without probes
        self.release = threading.Event()  # for behaviours that wait for the test
        self.peers = []
        self.closed = False
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self.closed:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                peer = Peer(sock, self)
                self.peers.append(peer)
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        try:
            self.behave(peer, self)
        except (OSError, EOFError):
            pass
        finally:
            peer.close()

    def close(self):
        self.closed = True
        self.release.set()
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for peer in list(self.peers):
            peer.close()


class Peer:
    """One connection from the proxy."""

    def __init__(self, sock, fake):
        self.sock = sock
        self.fake = fake
        self.sock.settimeout(60 * SCALE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def _fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self.buffer += data

    def line(self):
        while b"\n" not in self.buffer:
            self._fill()
        at = self.buffer.index(b"\n") + 1
        data = bytes(self.buffer[:at])
        del self.buffer[:at]
        return data

    def exact(self, count):
        while len(self.buffer) < count:
            self._fill()
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def redis_request(self, probes=True):
        """The next command as a list of bytes; what a proxy itself asks is answered here, unless probes is false: PING, and
        the questions about the server's commands."""
        while True:
            head = self.line()
            assert head[:1] == b"*", head
            args = []
            for _ in range(int(head[1:])):
                size = int(self.line()[1:])
                args.append(self.exact(size + 2)[:-2])
            if probes and args[0].upper() == b"PING":
                self.send(b"+PONG\r\n")
                continue
            if probes and args == [b"INFO", b"server"]:
                self.send(b"$32\r\n# Server\r\nredis_version:7.0.15\r\n\r\n")
                continue
            if probes and args in ([b"COMMAND", b"COUNT"], [b"COMMAND"]):
                self.send(b"-ERR unknown command\r\n")
                continue
            self.fake.received += b" ".join(args) + b"\n"
            return args

    def mc_request(self):
        """The next command line as a list of words (the value of a storage command behind it is taken too)."""
        while True:
            line = self.line()
            words = line.split()
            if words and words[0] == b"version":
                self.send(b"VERSION 1.6.18\r\n")
                continue
            if words and words[0] in (b"set", b"add", b"replace", b"append", b"prepend", b"cas"):
                words.append(self.exact(int(words[4]) + 2)[:-2])
            self.fake.received += b" ".join(words) + b"\n"
            return words


def answers_redis(reply):
    """Behaviour: every command gets `reply` (bytes, or a function of the arguments)."""
    def behave(peer, fake):
        while True:
            args = peer.redis_request()
            peer.send(reply(args) if callable(reply) else reply)
    return behave


def full_backlog():
    """A listening socket that completes no further connection: (address, things to close)."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    return listener.getsockname(), [listener, *fillers]
