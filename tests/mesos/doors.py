"""HTTP as Mesos speaks it: calls that are answered at once, and SUBSCRIBE, whose answer is a stream of RecordIO events.

A Door is one listening address; handle(request) decides. All connections of a door can be cut at once, as when its
process dies.
"""

import email.utils
import http.server
import json
import queue
import socket
import socketserver
import threading

CUT = object()  # the connection breaks, without a word
END = object()  # the server ends the stream: a chunk of length 0


class Refused(Exception):
    """An answer other than the usual one."""

    def __init__(self, status, text="", headers=None):
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers or {}


class Stream:
    """Events on their way to one subscriber.

    pieces: how records are cut into chunks: "record" (one each, as a real Mesos does), "bytes" (every chunk is a byte) or
    "merged" (all that is waiting, cut in the middle of the last record).
    """

    def __init__(self, pieces="record", headers=None):
        self.queue = queue.Queue()
        self.pieces = pieces
        self.headers = headers or {}
        self.over = threading.Event()

    def send(self, event):
        self.queue.put(event)

    def end(self):
        self.queue.put(END)

    def cut(self):
        self.queue.put(CUT)

    def chunks(self):
        """Chunks of bytes; ends with END or CUT."""
        kept = b""
        while True:
            items = [self.queue.get()]
            while self.pieces == "merged" and not self.queue.empty():
                items.append(self.queue.get())
            for item in items:
                if item is END or item is CUT:
                    if kept:
                        yield kept
                    yield item
                    return
                body = item if isinstance(item, bytes) else json.dumps(item, separators=(",", ":")).encode()
                record = str(len(body)).encode() + b"\n" + body
                if self.pieces == "record":
                    yield record
                elif self.pieces == "bytes":
                    yield from (record[i : i + 1] for i in range(len(record)))
                else:
                    kept += record
            if kept:
                cut = max(1, len(kept) - 7)
                yield kept[:cut]
                yield kept[cut:]
                kept = b""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.server.door.opened(self.connection)

    def finish(self):
        try:
            super().finish()
        except OSError:
            pass
        self.server.door.closed(self.connection)

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.serve(b"")

    def do_POST(self):
        self.serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def serve(self, body):
        try:
            made = self.server.door.handle(self, body)
        except Refused as refused:
            return self.answer(refused.status, refused.text.encode(), refused.headers)
        if isinstance(made, Stream):
            return self.stream(made)
        status, content = made
        self.answer(status, content)

    def answer(self, status, body=b"", headers=None):
        lines = {"Date": email.utils.formatdate(usegmt=True), **(headers or {})}
        if body:
            lines.setdefault("Content-Type", "text/plain; charset=utf-8")
        self.begin(status, {**lines, "Content-Length": str(len(body))}, body)

    def begin(self, status, headers, body=b""):
        reason = http.server.BaseHTTPRequestHandler.responses.get(status, ("",))[0]
        head = f"HTTP/1.1 {status} {reason}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.wfile.write(head.encode() + b"\r\n" + body)

    def stream(self, stream):
        self.close_connection = True
        # Whoever subscribes says nothing more: when it hangs up, the stream is over.
        watcher = threading.Thread(target=self.watch, args=(stream,), daemon=True)
        try:
            self.begin(200, {"Date": email.utils.formatdate(usegmt=True), "Transfer-Encoding": "chunked",
                             **stream.headers, "Content-Type": "application/json"})
            watcher.start()
            for chunk in stream.chunks():
                if chunk is CUT:
                    break
                if chunk is END:
                    self.wfile.write(b"0\r\n\r\n")
                    break
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        except OSError:
            pass
        stream.over.set()
        shut(self.connection)
        if watcher.is_alive():
            watcher.join()
        self.server.door.gone(stream)

    def watch(self, stream):
        try:
            while self.connection.recv(4096):
                pass
        except OSError:
            pass
        stream.cut()


def shut(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # without looking for the host's name
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, *_):
        pass


class Door:
    def __init__(self, host, port=0):
        self.address = (host, port)
        self.server = None
        self.guard = threading.Lock()
        self.connections = set()

    @property
    def port(self):
        return self.address[1]

    def open(self):
        self.server = Server(self.address, Handler)
        self.server.door = self
        self.address = self.server.server_address[:2]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self):
        """As when the process is killed: nobody listens, and all connections break."""
        if self.server is None:
            return
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.server = None
        self.cut_all()

    def cut_all(self):
        with self.guard:
            for connection in self.connections:
                shut(connection)

    def opened(self, connection):
        with self.guard:
            self.connections.add(connection)

    def closed(self, connection):
        with self.guard:
            self.connections.discard(connection)

    def handle(self, request, body):
        raise NotImplementedError

    def gone(self, stream):
        """The subscriber of the stream has hung up, or the stream was ended."""
