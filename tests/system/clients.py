"""Raw protocol clients: nothing is hidden, every byte of an answer can be compared."""

import socket
import struct
import typing

from harness import SCALE


class Closed(Exception):
    """The peer closed the connection; .data is what came before and was not read."""

    def __init__(self, data=b""):
        super().__init__(f"closed after {data[:200]!r}")
        self.data = data


class Conn:
    def __init__(self, address, timeout=15.0, rcvbuf=None):
        if isinstance(address, str):
            family = socket.AF_UNIX
        else:
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout * SCALE)
        self.sock.connect(address)
        if family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.start = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Closes with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def abort(self):
        """As reset(), while another thread may be reading."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            self.sock.shutdown(socket.SHUT_RD)
        except OSError:
            pass

    def rest_quietly(self):
        """Reads to the end and keeps nothing; errors are the end too."""
        try:
            while self.sock.recv(1 << 16):
                pass
        except OSError:
            pass

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def send(self, data):
        if isinstance(data, str):
            data = data.encode()
        self.sock.sendall(data)

    def pending(self):
        return bytes(self.buffer[self.start:])

    def _fill(self, size=1 << 18):
        try:
            data = self.sock.recv(size)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed(self.pending())
        if self.start > 1 << 20:
            del self.buffer[:self.start]
            self.start = 0
        self.buffer += data

    def line(self):
        """One line with its CRLF."""
        searched = self.start
        while True:
            at = self.buffer.find(b"\n", searched)
            if at >= 0:
                data = bytes(self.buffer[self.start:at + 1])
                self.start = at + 1
                return data
            offset = len(self.buffer) - self.start
            self._fill()
            searched = self.start + offset

    def exact(self, count):
        while len(self.buffer) - self.start < count:
            self._fill()
        data = bytes(self.buffer[self.start:self.start + count])
        self.start += count
        return data

    def skip(self, count, chunk=1 << 18, digest=None):
        """Takes count bytes without keeping them; feeds them to digest.update when given."""
        while count:
            if self.start < len(self.buffer):
                data = self.buffer[self.start:self.start + count]
                self.start += len(data)
            else:
                self.buffer.clear()
                self.start = 0
                data = self.sock.recv(min(chunk, count))
                if not data:
                    raise Closed()
            if digest is not None:
                digest.update(data)
            count -= len(data)

    def until(self, ending, limit=1 << 26):
        """Everything up to and with `ending`."""
        while True:
            at = self.buffer.find(ending, self.start)
            if at >= 0:
                return self.exact(at + len(ending) - self.start)
            assert len(self.buffer) - self.start < limit, "too much without the expected end"
            self._fill()

    def rest(self):
        """Everything until the peer closes."""
        try:
            while True:
                self._fill()
        except Closed:
            data = self.pending()
            self.start = len(self.buffer)
            return data

    def expect_silence(self, seconds=0.15):
        """Nothing may arrive for a moment (and the connection stays open)."""
        assert not self.pending(), self.pending()
        old = self.sock.gettimeout()
        self.sock.settimeout(seconds * min(SCALE, 3))
        try:
            data = self.sock.recv(65536)
        except (TimeoutError, socket.timeout):
            return
        finally:
            self.sock.settimeout(old)
        raise AssertionError("closed" if not data else f"unexpected {data[:200]!r}")


# ---------------------------------------------------------------------------------------------------------------
# redis


class RedisError(str):
    """An error reply, without '-' and line end."""


class Simple(str):
    """A simple string reply."""


def resp(*args):
    out = [b"*%d\r\n" % len(args)]
    for arg in args:
        if isinstance(arg, str):
            arg = arg.encode()
        elif isinstance(arg, (int, float)):
            arg = str(arg).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
    return b"".join(out)


class RedisConn(Conn):
    def raw(self):
        """One whole reply as its bytes."""
        head = self.line()
        kind = head[:1]
        if kind in b"+-:_,#(":
            return head
        count = int(head[1:])
        if kind in b"$!=":
            return head if count < 0 else head + self.exact(count + 2)
        if kind in b"*~>":
            return head + b"".join(self.raw() for _ in range(max(count, 0)))
        if kind == b"%":
            return head + b"".join(self.raw() for _ in range(2 * count))
        raise AssertionError(f"not RESP: {head!r}")

    def reply(self):
        """One reply as a value: bytes, int, None, list, Simple, RedisError."""
        head = self.line()
        assert head.endswith(b"\r\n"), head
        kind, text = head[:1], head[1:-2]
        if kind == b"+":
            return Simple(text.decode("latin-1"))
        if kind == b"-":
            return RedisError(text.decode("latin-1"))
        if kind == b":":
            return int(text)
        if kind == b"$":
            count = int(text)
            if count < 0:
                return None
            data = self.exact(count + 2)
            assert data[-2:] == b"\r\n", data[-40:]
            return data[:-2]
        if kind == b"*":
            count = int(text)
            return None if count < 0 else [self.reply() for _ in range(count)]
        raise AssertionError(f"not RESP: {head!r}")

    def cmd(self, *args):
        self.send(resp(*args))
        return self.reply()

    def cmd_raw(self, *args):
        self.send(resp(*args))
        return self.raw()

    def ok(self, *args):
        got = self.cmd(*args)
        assert got == "OK" and isinstance(got, Simple), (args, got)

    def pipeline(self, commands):
        self.send(b"".join(resp(*c) for c in commands))
        return [self.reply() for _ in commands]


# ---------------------------------------------------------------------------------------------------------------
# memcache


def fields(line):
    return line.rstrip(b"\r\n").split(b" ")


class McConn(Conn):
    def ask(self, data):
        """Sends and takes one line."""
        self.send(data)
        return self.line()

    def set(self, key, value, flags=0, exptime=0, verb=b"set", tail=b""):
        if isinstance(key, str):
            key = key.encode()
        return self.ask(b"%s %s %d %d %d%s\r\n%s\r\n" % (verb, key, flags, exptime, len(value), tail, value))

    def items(self):
        """The answer to a retrieval: list of (key, flags, value, cas or None); an error line is raised."""
        found = []
        while True:
            line = self.line()
            if line == b"END\r\n":
                return found
            if not line.startswith(b"VALUE "):
                raise AssertionError(f"in a retrieval: {line!r}")
            part = fields(line)
            data = self.exact(int(part[3]) + 2)
            assert data[-2:] == b"\r\n", (line, data[-20:])
            found.append((part[1], int(part[2]), data[:-2], int(part[4]) if len(part) > 4 else None))

    def raw_items(self):
        """The answer to a retrieval, or one error line, as bytes."""
        out = b""
        while True:
            line = self.line()
            out += line
            if line == b"END\r\n" or not line.startswith(b"VALUE "):
                return out
            out += self.exact(int(fields(line)[3]) + 2)

    def get(self, *keys, verb=b"get"):
        self.send(b"%s %s\r\n" % (verb, b" ".join(k.encode() if isinstance(k, str) else k for k in keys)))
        return self.items()

    def value(self, key):
        found = self.get(key)
        return found[0][2] if found else None


# ---------------------------------------------------------------------------------------------------------------
# memcache binary


class Frame(typing.NamedTuple):
    """A reply of the binary protocol."""

    op: int
    status: int
    opaque: int
    cas: int
    extras: bytes
    key: bytes
    value: bytes


class Op:
    """Opcodes by name."""

    GET, SET, ADD, REPLACE, DELETE, INCR, DECR, QUIT, FLUSH, GETQ, NOOP, VERSION, GETK, GETKQ, APPEND, PREPEND = range(16)
    STAT, SETQ, ADDQ, REPLACEQ, DELETEQ, INCRQ, DECRQ, QUITQ, FLUSHQ, APPENDQ, PREPENDQ, VERBOSITY = range(16, 28)
    TOUCH, GAT, GATQ, SASL_LIST, SASL_AUTH, SASL_STEP, GATK, GATKQ = 0x1c, 0x1d, 0x1e, 0x20, 0x21, 0x22, 0x23, 0x24


_HEADER = struct.Struct(">BBHBBHIIQ")


def frame(op, key=b"", extras=b"", value=b"", opaque=0, cas=0, magic=0x80, key_size=None, extras_size=None,
          body_size=None, data_type=0, vbucket=0):
    """A request. The sizes are true unless given."""
    return _HEADER.pack(magic, op, len(key) if key_size is None else key_size,
                        len(extras) if extras_size is None else extras_size, data_type, vbucket,
                        len(extras) + len(key) + len(value) if body_size is None else body_size,
                        opaque, cas) + extras + key + value


def store(op, key, value, flags=0, exptime=0, **more):
    return frame(op, key, struct.pack(">II", flags, exptime), value, **more)


def arithmetic(op, key, delta, initial=0, exptime=0xffffffff, **more):
    return frame(op, key, struct.pack(">QQI", delta, initial, exptime), **more)


def touching(op, key, exptime, **more):
    return frame(op, key, struct.pack(">I", exptime), **more)


class BinaryConn(Conn):
    def reply(self):
        magic, op, key_size, extras_size, data_type, status, body_size, opaque, cas = _HEADER.unpack(self.exact(24))
        assert magic == 0x81 and data_type == 0 and key_size + extras_size <= body_size, (magic, key_size, body_size)
        body = self.exact(body_size)
        return Frame(op, status, opaque, cas, body[:extras_size], body[extras_size:extras_size + key_size],
                     body[extras_size + key_size:])

    def ask(self, data):
        self.send(data)
        return self.reply()

    def fenced(self, data, opaque=0xfe9ce):
        """Sends the frames and a Noop; the replies before the Noop's."""
        self.send(data + frame(Op.NOOP, opaque=opaque))
        replies = []
        while True:
            reply = self.reply()
            if (reply.op, reply.opaque) == (Op.NOOP, opaque):
                assert reply.status == 0 and not reply.value
                return replies
            replies.append(reply)

    def until_closed(self):
        """Whole replies until the peer closes."""
        replies = []
        try:
            while True:
                replies.append(self.reply())
        except Closed as end:
            assert not end.data, end.data
            return replies

    def set(self, key, value, flags=0, exptime=0):
        reply = self.ask(store(Op.SET, key, value, flags, exptime))
        assert reply.status == 0 and reply.cas != 0, reply
        return reply.cas

    def value(self, key):
        reply = self.ask(frame(Op.GET, key))
        return reply.value if reply.status == 0 else None
