#!/usr/bin/python3
"""Heavy headers: libraries that cost seconds of compile time per file, or that one module wraps for all others, are
included only where this table says, and never from a header unless it names that header."""

import re
from collections.abc import Iterator
from pathlib import Path

import _tree

# An #include <...>, or the folder it starts with -> the files (below the root) that may name it, as prefixes.
ALLOWED = {
    "toml++/": ("src/config/", "src/settings/", "src/api/config_reader"),
    "toml.hpp": ("src/config/",),
    "yaml-cpp/": ("src/config/",),
    "spdlog/": ("src/base/log",),
    "CLI/": ("apps/",),
    "event2/": ("src/http/server",),
    "curl/": ("src/http/client",),
    "archive.h": ("src/executor/archive",),
    "hiredis.h": ("src/proxy/sentinel_", "src/redisctl/"),
    "liburing.h": ("src/net/",),
    "openssl/": ("src/net/tls_", "src/http/server_tls", "src/access/", "src/proxy/script_cache", "src/proxy/redis_acl",
                 "src/executor/archive", "src/api/secrets", "bench/loadgen/channel"),
    "sys/epoll.h": ("src/net/", "bench/"),
    "nlohmann/json.hpp": ("src/hashing/", "src/admin/", "src/slowlog/json", "src/ctl/", "src/cli/",
                          "src/store/etcd_json", "src/otlp/", "src/model/json", "src/jobs/step_json",
                          "src/executor/task_file", "src/engine/local/", "src/mesos/", "src/api/", "bench/", "tests/"),
    "sqlite3.h": ("src/store/sqlite_",),
    "regex": (),
    "iostream": ("apps/", "bench/"),
}
# In headers these may not stand at all: whoever includes the header would pay.
NOT_IN_HEADERS = ("toml++/", "toml.hpp", "yaml-cpp/", "spdlog/", "CLI/", "nlohmann/json.hpp", "openssl/")
INCLUDE = re.compile(r"^\s*#\s*include\s+<([^>]+)>", re.M)


def faults(root: Path) -> Iterator[str]:
    for path in _tree.files(root, (".h", ".cpp")):
        name = path.relative_to(root).as_posix()
        test = name.endswith(("_test.cpp", "_test.h")) or name.startswith("tests/") or "/testing/" in name
        for included in INCLUDE.findall(path.read_text()):
            heavy = next((key for key in ALLOWED if included == key or key.endswith("/") and included.startswith(key)), None)
            if heavy is None:
                continue
            if heavy in NOT_IN_HEADERS and name.endswith(".h"):
                yield f"{name}: <{included}> in a header"
            elif not test and not name.startswith(ALLOWED[heavy]):
                where = ", ".join(ALLOWED[heavy]) or "tests"
                yield f"{name}: <{included}> belongs to {where} alone"


if __name__ == "__main__":
    _tree.main(faults)
