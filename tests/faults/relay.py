#!/usr/bin/python3
"""A TCP relay before one backend that can be told to hurt its connections. Usage: relay.py HOST PORT

Prints the port it listens on. Commands are lines on stdin; the end of stdin ends it:
  pass           bytes go through as they come
  delay SECONDS  every byte is held that long, in both directions; also a new connection's
  reset          every 20th reply is cut in the middle, then the connection is reset
  garbage        every 20th reply is replaced by bytes that are no protocol
"""

import collections
import os
import random
import selectors
import socket
import struct
import sys
import time

EVERY = 20
# How replies begin. Values of the load never do, so nothing inside a value is replaced: no proxy could tell that.
REPLIES = (b"+", b"-", b":", b"$", b"*", b"VALUE ", b"END\r", b"STORED", b"NOT_", b"VA ", b"EN\r", b"HD", b"DELETED",
           *(b"%d" % n for n in range(10)))


class Side:
    """One socket of a pair, and what is to be sent on it: (when, bytes); None is the end."""

    def __init__(self, sock):
        self.sock, self.queue, self.other = sock, collections.deque(), None
        self.is_server = self.cut = False


class Relay:
    def __init__(self, target):
        self.target = target
        self.mode, self.delay, self.replies = "pass", 0.0, 0
        self.sides = {}
        self.dying = []  # (when, side): to be reset
        self.poll = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.setblocking(False)
        self.poll.register(self.listener, selectors.EVENT_READ, self.accept)
        self.poll.register(0, selectors.EVENT_READ, self.command)
        print(self.listener.getsockname()[1], flush=True)

    def command(self, _):
        text = os.read(0, 4096)
        if not text:
            sys.exit(0)
        for line in text.decode().splitlines():
            self.mode, *rest = line.split()
            self.delay = float(rest[0]) if rest else 0.0

    def accept(self, _):
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        server = socket.socket()
        a, b = Side(client), Side(server)
        a.other, b.other, b.is_server = b, a, True
        for side in (a, b):
            side.sock.setblocking(False)
            side.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sides[side.sock] = side
        # Others do not wait for it. A refusal is found when it is read from, and resets the client.
        server.connect_ex(self.target)
        for side in (a, b):
            self.poll.register(side.sock, selectors.EVENT_READ, self.readable)

    def readable(self, sock):
        side = self.sides.get(sock)
        if side is None:
            return
        try:
            data = sock.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            return self.reset(side)
        due = time.monotonic() + self.delay
        if not data:
            self.poll.unregister(sock)
            side.other.queue.append((due, None))
            return
        if side.cut:
            return  # what follows half a reply would be taken for its other half
        if side.is_server and self.mode in ("reset", "garbage") and data.startswith(REPLIES):
            self.replies += 1
            if self.replies % EVERY == 0:
                if self.mode == "garbage":
                    data = b"\x00" + random.randbytes(len(data)) + b"\r\n"
                else:
                    data = data[:len(data) // 2]
                    side.cut = True
                    self.dying.append((time.monotonic() + 0.002, side))
        side.other.queue.append((due, data))

    def reset(self, side):
        for one in (side, side.other):
            if self.sides.pop(one.sock, None) is None:
                continue
            try:
                self.poll.unregister(one.sock)
            except KeyError:
                pass
            one.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.sock.close()

    def push(self, side, now):
        """Sends what is due. Seconds until there is something to do again, or None."""
        while side.queue:
            due, data = side.queue[0]
            if due > now:
                return due - now
            try:
                if data is None:
                    side.sock.shutdown(socket.SHUT_WR)
                    sent = 0
                else:
                    sent = side.sock.send(data)
            except BlockingIOError:
                return 0.001
            except OSError:
                self.reset(side)
                return None
            if data is not None and sent < len(data):
                side.queue[0] = (due, data[sent:])
            else:
                side.queue.popleft()
                if data is None and side.sock not in self.poll.get_map() and not side.other.queue:
                    self.reset(side)  # both ends are through
                    return None
        return None

    def run(self):
        while True:
            now = time.monotonic()
            waits = [w for side in list(self.sides.values()) if (w := self.push(side, now)) is not None]
            for entry in [e for e in self.dying if e[0] <= now]:
                self.dying.remove(entry)
                self.reset(entry[1])
            waits += [when - now for when, _ in self.dying]
            for key, _ in self.poll.select(max(min(waits), 0.0005) if waits else None):
                key.data(key.fileobj)


if __name__ == "__main__":
    Relay((sys.argv[1], int(sys.argv[2]))).run()
