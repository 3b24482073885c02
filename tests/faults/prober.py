#!/usr/bin/python3
"""Clients of a process of their own that measure how long answers take. Usage: prober.py KIND HOST PORT

stdin, a line of JSON each: {"calm": keys, "hurt": keys} once, then {"seconds": S, "settle": BOOL}, answered by
{"p99": seconds, "count": N}. All the time eight connections ask for calm keys, one at a time, and are measured; and four
ask for hurt keys, 16 in a piece every 10 ms unless too many are unanswered: they see to it that requests wait there.
settle: the window begins when hurt keys are answered without an error. Windows end with the time alone.
"""

import json
import selectors
import socket
import sys
import time

MEASURED, PRESSING, PIECE, PERIOD, MOST = 8, 4, 16, 0.01, 256
PATIENCE = 60


class Link:
    def __init__(self, kind, address, keys, number):
        self.sock = socket.create_connection(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kind, self.keys, self.at = kind, keys, number * 7
        self.waiting, self.sent, self.rest, self.bad = 0, 0.0, b"", 0

    def ask(self, count):
        out = b""
        for _ in range(count):
            key = self.keys[self.at % len(self.keys)].encode()
            self.at += 1
            out += b"GET %s\r\n" % key if self.kind == "redis" else b"get %s\r\n" % key
        self.sent = time.perf_counter()
        self.waiting += count
        self.sock.sendall(out)

    def take(self):
        """How many answers have come, all of them misses or errors: no key is ever written."""
        data = self.sock.recv(65536)
        if not data:
            raise SystemExit("a client was closed")
        *lines, self.rest = (self.rest + data).split(b"\r\n")
        for line in lines:
            if line in (b"$-1", b"END"):
                self.bad = 0
            elif line.startswith((b"-ERR ", b"SERVER_ERROR ")):
                self.bad += 1
            else:
                raise SystemExit(f"an answer that was not asked for: {line!r}")
        self.waiting -= len(lines)
        if self.waiting < 0:
            raise SystemExit("more answers than requests")
        return len(lines)


class Prober:
    def __init__(self, kind, address, calm, hurt):
        self.poll = selectors.DefaultSelector()
        self.measured = [Link(kind, address, calm, n) for n in range(MEASURED)]
        self.pressing = [Link(kind, address, hurt, n) for n in range(PRESSING)]
        for link in self.measured + self.pressing:
            self.poll.register(link.sock, selectors.EVENT_READ, link)
        self.times, self.next = [], 0.0

    def turn(self):
        now = time.perf_counter()
        if now >= self.next:
            self.next = now + PERIOD
            for link in self.pressing:
                if link.waiting < MOST:
                    link.ask(PIECE)
        for link in self.measured:
            if not link.waiting:
                link.ask(1)
        for event, _ in self.poll.select(max(0.0, self.next - now)):
            link = event.data
            if link.take() and link in self.measured:
                if link.bad:
                    raise SystemExit("an error of a backend that is not hurt")
                self.times.append(time.perf_counter() - link.sent)

    def window(self, seconds, settle):
        until = time.perf_counter() + PATIENCE
        while settle and any(link.bad or link.waiting > 2 * PIECE for link in self.pressing):
            self.turn()
            if time.perf_counter() > until:
                raise SystemExit("what was hurt is not served again")
        self.times.clear()
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            self.turn()
        # What has not been answered yet counts as if it were now.
        self.times += [time.perf_counter() - link.sent for link in self.measured if link.waiting]
        self.times.sort()
        return {"p99": self.times[len(self.times) * 99 // 100], "count": len(self.times)}


def main():
    kind, host, port = sys.argv[1:]
    prober = Prober(kind, (host, int(port)), **json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        print(json.dumps(prober.window(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
