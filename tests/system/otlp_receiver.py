"""An OpenTelemetry collector as the protocol describes it: takes POST /v1/traces in JSON and checks every field of it against
the messages of opentelemetry.proto (trace/v1, common/v1, resource/v1)."""

import http.server
import json
import re
import threading

U64 = ("u64",)  # fixed64 and int64: decimal text
HEX16, HEX8 = ("hex", 32), ("hex", 16)

# message -> field -> type: a message's name, [type] for repeated, or one of the above. What is not here is not in a request.
MESSAGES = {
    "ExportTraceServiceRequest": {"resourceSpans": ["ResourceSpans"]},
    "ResourceSpans": {"resource": "Resource", "scopeSpans": ["ScopeSpans"], "schemaUrl": str},
    "Resource": {"attributes": ["KeyValue"], "droppedAttributesCount": int},
    "ScopeSpans": {"scope": "InstrumentationScope", "spans": ["Span"], "schemaUrl": str},
    "InstrumentationScope": {"name": str, "version": str, "attributes": ["KeyValue"], "droppedAttributesCount": int},
    "Span": {"traceId": HEX16, "spanId": HEX8, "traceState": str, "parentSpanId": HEX8, "flags": int, "name": str,
             "kind": int, "startTimeUnixNano": U64, "endTimeUnixNano": U64, "attributes": ["KeyValue"],
             "droppedAttributesCount": int, "status": "Status"},
    "Status": {"message": str, "code": int},
    "KeyValue": {"key": str, "value": "AnyValue"},
    "AnyValue": {"stringValue": str, "boolValue": bool, "intValue": U64, "doubleValue": float},
}


def check(value, kind, where="request"):
    if isinstance(kind, list):
        assert isinstance(value, list), where
        for i, one in enumerate(value):
            check(one, kind[0], f"{where}[{i}]")
    elif isinstance(kind, str):
        assert isinstance(value, dict), where
        for name, one in value.items():
            assert name in MESSAGES[kind], f"{where}: {kind} has no {name}"
            check(one, MESSAGES[kind][name], f"{where}.{name}")
        if kind == "AnyValue":
            assert len(value) == 1, f"{where} is one of"
        if kind == "Span":
            assert value["name"] and 1 <= value["kind"] <= 5, where
            assert 0 < int(value["startTimeUnixNano"]) <= int(value["endTimeUnixNano"]), where
    elif kind == U64:
        assert isinstance(value, str) and re.fullmatch(r"\d+", value) and int(value) < 2**64, f"{where}: {value!r}"
    elif isinstance(kind, tuple):
        assert isinstance(value, str) and re.fullmatch("[0-9a-f]{%d}" % kind[1], value), f"{where}: {value!r}"
        assert int(value, 16) != 0, f"{where} is no id"
    else:
        assert isinstance(value, kind) and (kind is bool or not isinstance(value, bool)), f"{where}: {value!r}"


def attributes(of):
    return {a["key"]: next(iter(a["value"].values())) for a in of["attributes"]}


class Receiver:
    """answers: (status, headers, body) of the requests to come, the last of all that follow."""

    def __init__(self):
        self.answers = [(200, {}, "{}")]
        self.bodies = []  # as they came, refused ones too
        self.faults = []
        self.held = threading.Event()  # cleared: nobody is answered
        self.held.set()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                text = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    assert self.path == "/v1/traces", self.path
                    assert self.headers["Content-Type"] == "application/json"
                    body = json.loads(text)
                    check(body, "ExportTraceServiceRequest")
                    receiver.bodies.append(body)
                except (AssertionError, KeyError, ValueError) as fault:
                    receiver.faults.append(repr(fault))
                receiver.held.wait()
                status, headers, answer = receiver.answers[0] if len(receiver.answers) == 1 else receiver.answers.pop(0)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def spans(self):
        assert not self.faults, self.faults
        return [span for body in list(self.bodies) for resource in body["resourceSpans"]
                for scope in resource["scopeSpans"] for span in scope["spans"]]

    def roots(self):
        return [span for span in self.spans() if "parentSpanId" not in span]

    def close(self):
        self.held.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
