"""An honest little server for each protocol of the load generator, whose replies one function may tamper with."""

import socket
import struct
import threading


class Server:
    """Stores what it is given. tamper(server, replies) gets the replies to one read of the socket as a list of
    (keys, bytes), where keys is None unless it answers a retrieval, and returns the bytes to send, or None to close
    after what it has put into .last_words. context: of TLS."""

    def __init__(self, proto, tamper, context=None):
        self.proto = proto
        self.context = context
        self.tamper = tamper
        self.data = {}
        self.last_words = b""
        self.parse = getattr(self, {"resp3": "parse_redis", "meta": "parse_memcache"}.get(proto, f"parse_{proto}"))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        unread = b""
        with self.secured(peer) as peer:
            while True:
                try:
                    got = peer.recv(1 << 16)
                except OSError:
                    return
                if not got:
                    return
                replies, unread = self.parse(unread + got)
                if not replies:
                    continue
                out = self.tamper(self, replies)
                try:
                    peer.sendall(self.last_words if out is None else out)
                except OSError:
                    return
                if out is None:
                    return

    def secured(self, peer):
        return peer if self.context is None else self.context.wrap_socket(peer, server_side=True)

    def value(self, key):
        """The bytes that only this key's reply holds."""
        return self.data[key] if self.proto in ("redis", "resp3") else self.data[key][1]

    def other(self, key):
        return next(k for k in self.data if k != key)

    def parse_redis(self, data):
        replies = []
        while True:
            parts, rest = [], data
            try:
                head, rest = rest.split(b"\r\n", 1)
                for _ in range(int(head[1:])):
                    size, rest = rest.split(b"\r\n", 1)
                    size = int(size[1:])
                    if len(rest) < size + 2:
                        raise ValueError
                    parts.append(rest[:size])
                    rest = rest[size + 2:]
            except ValueError:
                return replies, data
            data = rest
            replies.append(self.answer_redis(*parts))

    def answer_redis(self, name, *args):
        three = self.proto == "resp3"
        if name == b"HELLO":
            return None, b"%1\r\n$5\r\nproto\r\n:3\r\n"
        if name == b"PING":
            return None, b"+PONG\r\n"
        if name == b"SET":
            self.data[args[0]] = args[1]
            return None, b"+OK\r\n"
        if name == b"HSET":
            self.data[args[0]] = b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in args[1:])
            return None, b":10\r\n"
        if name == b"ZADD":
            self.data[args[0]] = b"".join(
                (b"*2\r\n$%d\r\n%s\r\n,%s\r\n" if three else b"$%d\r\n%s\r\n$%d\r\n%s\r\n")
                % ((len(member), member, score) if three else (len(member), member, len(score), score))
                for score, member in zip(args[1::2], args[2::2]))
            return None, b":10\r\n"
        if name == b"HGETALL":
            return args, (b"%10\r\n" if three else b"*20\r\n") + self.data[args[0]]
        if name == b"ZRANGE":
            return args[:1], (b"*10\r\n" if three else b"*20\r\n") + self.data[args[0]]
        bulks = [b"$%d\r\n%s\r\n" % (len(self.data[k]), self.data[k]) for k in args]
        return args, (b"*%d\r\n" % len(bulks) if name == b"MGET" else b"") + b"".join(bulks)

    def parse_memcache(self, data):
        """Text and meta."""
        replies = []
        while b"\r\n" in data:
            line, rest = data.split(b"\r\n", 1)
            words = line.split()
            if words[0] in (b"set", b"ms"):
                meta = words[0] == b"ms"
                size = int(words[2 if meta else 4])
                if len(rest) < size + 2:
                    break
                self.data[words[1]] = (words[3][1:] if meta else words[2], rest[:size])
                rest = rest[size + 2:]
                replies.append((None, b"HD\r\n" if meta else b"STORED\r\n"))
            elif words[0] == b"mg":
                flags, value = self.data[words[1]]
                replies.append((words[1:2], b"VA %d f%s\r\n%s\r\n" % (len(value), flags, value)))
            else:
                replies.append((words[1:], b"".join(self.block(k) for k in words[1:]) + b"END\r\n"))
            data = rest
        return replies, data

    def block(self, key, of=None):
        """What a text retrieval answers for one key."""
        flags, value = self.data[of or key]
        return b"VALUE %s %s %d\r\n%s\r\n" % (key, flags, len(value), value)

    def parse_binary(self, data):
        replies = []
        while len(data) >= 24:
            _, opcode, key_size, extras, _, _, body, opaque, _ = struct.unpack(">BBHBBHIIQ", data[:24])
            if len(data) < 24 + body:
                break
            key = data[24 + extras:24 + extras + key_size]
            if opcode == 1:
                self.data[key] = (data[24:28], data[24 + extras + key_size:24 + body])
                replies.append((None, binary_reply(1, opaque)))
            else:
                replies.append(([key], binary_reply(0, opaque, *self.data[key])))
            data = data[24 + body:]
        return replies, data


def binary_reply(opcode, opaque, flags=b"", value=b"", status=0):
    return struct.pack(">BBHBBHIIQ", 0x81, opcode, 0, len(flags), 0, status, len(flags) + len(value), opaque,
                       7) + flags + value


def honest(_, replies):
    return b"".join(r for _, r in replies)


def every_nth_read(n, lie):
    """Applies lie(server, keys, reply) to every nth reply to a read; the rest stays honest."""
    seen = [0]

    def tamper(server, replies):
        out = []
        for keys, reply in replies:
            if keys is not None:
                seen[0] += 1
                if seen[0] % n == 0:
                    reply = lie(server, keys, reply)
            if reply is None:
                server.last_words = b"".join(out) + server.last_words
                return None
            out.append(reply)
        return b"".join(out)

    return tamper


def value_of_another(server, keys, reply):
    return reply.replace(server.value(keys[0]), server.value(server.other(keys[0])))


def one_byte_off(server, keys, reply):
    at = len(reply) - 20
    return reply[:at] + bytes([reply[at] ^ 1]) + reply[at + 1:]


def shorter_value(server, keys, reply):
    value = server.value(keys[0])
    return reply.replace(b"%d\r\n%s" % (len(value), value), b"%d\r\n%s" % (len(value) - 1, value[:-1]))


def cut_and_close(server, keys, reply):
    server.last_words = reply[:len(reply) // 2]
    return None


def twice(server, keys, reply):
    return reply + reply


def bare_lf(server, keys, reply):
    return reply.replace(b"\r\n", b"\n", 1)


def garbage(server, keys, reply):
    return b"HTTP/1.1 400 Bad Request\r\n\r\n"


def swap_neighbours(server, replies):
    """Swaps two replies to reads of one batch."""
    reads = [i for i, (keys, _) in enumerate(replies) if keys is not None]
    replies = list(replies)
    for i, j in zip(reads, reads[1:]):
        if replies[i][1] != replies[j][1]:
            replies[i], replies[j] = replies[j], replies[i]
            break
    return b"".join(r for _, r in replies)
