"""What is wrong with a call, in the words of a real Mesos (tests/data/mesos). Shared by master and agents."""

import base64
import json

from doors import Refused

JSON = "application/json"
PROTOBUF = "application/x-protobuf"

# The fields of calls whose types are checked: a name for text, {} for a message, [] for a list.
ID = {"value": "text"}
SCHEDULER = {
    "type": "text", "framework_id": ID,
    "subscribe": {"framework_info": {"user": "text", "name": "text", "id": ID, "roles": ["text"]}},
    "accept": {"offer_ids": [ID], "operations": [{"type": "text", "launch": {"task_infos": [{
        "name": "text", "task_id": ID, "agent_id": ID, "data": "bytes", "executor": {"executor_id": ID}}]}}]},
    "decline": {"offer_ids": [ID]}, "kill": {"task_id": ID, "agent_id": ID},
    "acknowledge": {"agent_id": ID, "task_id": ID, "uuid": "bytes"},
    "reconcile": {"tasks": [{"task_id": ID, "agent_id": ID}]},
    "message": {"agent_id": ID, "executor_id": ID, "data": "bytes"},
    "shutdown": {"executor_id": ID, "agent_id": ID},
}
EXECUTOR = {
    "type": "text", "framework_id": ID, "executor_id": ID,
    "subscribe": {"unacknowledged_tasks": [{}], "unacknowledged_updates": [{}]},
    "update": {"status": {"task_id": ID, "state": "text", "uuid": "bytes", "source": "text"}},
    "message": {"data": "bytes"},
}
REQUIRED = {
    "subscribe.framework_info": ("user", "name"), "framework_id": ("value",), "kill": ("task_id",),
    "acknowledge": ("agent_id", "task_id", "uuid"), "message": ("agent_id", "executor_id", "data"),
    "update": ("status",), "update.status": ("task_id", "state"),
}
# Types of calls and the field that goes with them.
SCHEDULER_TYPES = {"SUBSCRIBE": "subscribe", "TEARDOWN": None, "ACCEPT": "accept", "DECLINE": "decline", "REVIVE": None,
                   "SUPPRESS": None, "KILL": "kill", "SHUTDOWN": "shutdown", "ACKNOWLEDGE": "acknowledge",
                   "RECONCILE": "reconcile", "MESSAGE": "message",
                   "UPDATE_FRAMEWORK": "update_framework"}
EXECUTOR_TYPES = {"SUBSCRIBE": "subscribe", "UPDATE": "update", "MESSAGE": "message", "HEARTBEAT": None}


def bad(text):
    return Refused(400, text)


def check_types(value, shape, where):
    if shape == "text" or shape == "bytes":
        if not isinstance(value, str):
            kind = {bool: "boolean", int: "number", float: "number", dict: "object", list: "array"}.get(type(value), "null")
            raise bad(f"Failed to convert JSON into Call protobuf: Not expecting a JSON {kind} for field '{where}'")
        if shape == "bytes":
            for character in value:
                if not (character.isalnum() and character.isascii() or character in "+/="):
                    raise bad("Failed to convert JSON into Call protobuf: Failed to base64 decode bytes field "
                              f"'{where}': Invalid character '{character}'")
    elif isinstance(shape, list):
        for item in value if isinstance(value, list) else []:
            check_types(item, shape[0], where)
    elif isinstance(value, dict):
        for name, inner in shape.items():
            if name in value:
                check_types(value[name], inner, name)


def check_required(call, where, required):
    for path, names in required.items():
        at = call
        for part in path.split("."):
            at = at.get(part) if isinstance(at, dict) else None
        if isinstance(at, dict):
            missing = [f"{path}.{name}" for name in names if name not in at]
            if missing:
                raise bad("Failed to convert JSON into Call protobuf: Missing required fields: " + ", ".join(missing))


def read_call(request, body, kind):
    """The call, or a refusal. kind: "scheduler" or "Executor", as error texts have it."""
    shapes, types = (SCHEDULER, SCHEDULER_TYPES) if kind == "scheduler" else (EXECUTOR, EXECUTOR_TYPES)
    if request.command != "POST":
        raise Refused(405, f"405 Method Not Allowed. Expecting one of {{ 'POST' }}, but received '{request.command}'.",
                      {"Allow": "POST"})
    content = request.headers.get("Content-Type")
    if content is None:
        raise bad("Expecting 'Content-Type' to be present")
    if content not in (JSON, PROTOBUF):
        raise Refused(415, f"Expecting 'Content-Type' of {JSON} or {PROTOBUF}")
    try:
        call = json.loads(body)
    except ValueError:
        near = body.decode(errors="replace").lstrip("{")
        raise bad(f"Failed to parse body into JSON: syntax error at line 1 near: {near}") from None
    check_types(call, shapes, "")
    required = REQUIRED if kind == "scheduler" else {k: v for k, v in REQUIRED.items() if k.startswith("update")}
    check_required(call, "", required)
    invalid = f"Failed to validate {kind if kind == 'Executor' else 'scheduler'}::Call: "
    name = call.get("type")
    if name not in types:
        raise bad(invalid + "Expecting 'type' to be present")
    field = types[name]
    if name == "SUBSCRIBE" and kind == "scheduler":
        if field not in call:
            raise bad(invalid + "Expecting 'subscribe' to be present")
        if call["subscribe"]["framework_info"].get("id") != call.get("framework_id"):
            raise bad(invalid + "'framework_id' differs from 'subscribe.framework_info.id'")
    elif kind == "scheduler" and "framework_id" not in call:
        raise bad(invalid + "Expecting 'framework_id' to be present")
    if field and field not in call:
        raise bad(invalid + f"Expecting '{field}' to be present")
    accept = request.headers.get("Accept", "*/*")
    if name == "SUBSCRIBE" and not any(kind in accept for kind in (JSON, PROTOBUF, "*/*")):
        raise Refused(406, f"Expecting 'Accept' to allow '{PROTOBUF}' or '{JSON}'")
    uuid = call.get("acknowledge", {}).get("uuid") or call.get("update", {}).get("status", {}).get("uuid")
    if uuid is not None and len(base64.b64decode(uuid)) != 16:
        raise bad(invalid + "Not a valid UUID")
    if name == "UPDATE":
        check_update(call, invalid)
    return call


def check_update(call, invalid):
    status = call["update"]["status"]
    who = f"executor {call['executor_id']['value']} of framework {call['framework_id']['value']}"
    if "uuid" not in status:
        raise bad(invalid + "Expecting 'uuid' to be present")
    if status["state"] == "TASK_STAGING":
        raise bad(invalid + f"Received TASK_STAGING from {who} which is not allowed")
    if status.get("source") != "SOURCE_EXECUTOR":
        raise bad(invalid + f"Received Call from {who} with invalid source, expecting 'SOURCE_EXECUTOR'")
