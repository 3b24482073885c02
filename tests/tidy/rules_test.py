"""Every rule passes on a good tree and fails on each fault it exists for."""

from pathlib import Path

import pytest

import heavy
import layers
import marks
import sizes

CMAKE = """
overlord_module(base base LIBS spdlog::spdlog)
overlord_module(redis protocol/redis DEPS base)
overlord_module(routing routing
  DEPS redis
  LIBS x)
overlord_module(proxy proxy DEPS routing TEST_LIBS y)
"""


@pytest.fixture
def tree(tmp_path: Path):
    """A small tree that all rules accept; called with a path and a text it adds a file."""

    def add(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return tmp_path

    add("src/CMakeLists.txt", CMAKE)
    add("src/base/bytes.h", "#pragma once\n#include <span>\n")
    add("src/base/log.cpp", '#include "base/bytes.h"\n#include <spdlog/spdlog.h>\n')
    add("src/protocol/redis/parse.h", '#include "base/bytes.h"\n')
    add("src/routing/route.cpp", '#include "protocol/redis/parse.h"\n#include "base/bytes.h"\n')
    add("src/proxy/worker_test.cpp", '#include "base/bytes.h"\n#include <regex>\n')
    return add


@pytest.mark.parametrize("rule", [heavy, layers, marks, sizes])
def test_a_good_tree_passes(tree, rule):
    assert list(rule.faults(tree("apps/proxy.cpp", '#include "proxy/worker.h"\n#include <CLI/CLI.hpp>\n'))) == []


@pytest.mark.parametrize(
    "rule, name, text, words",
    [
        (layers, "src/base/up.h", '#include "protocol/redis/parse.h"\n', "base must not include from redis"),
        (layers, "src/protocol/redis/up.cpp", '  #  include "routing/route.h"\n', "redis must not include from routing"),
        (layers, "src/base/local.cpp", '#include "bytes.h"\n', "no path from src/"),
        (layers, "src/base/back.cpp", '#include "../proxy/worker.h"\n', "no path from src/"),
        (layers, "src/stray/a.cpp", "\n", "belongs to no module"),
        (layers, "src/CMakeLists.txt", CMAKE + "overlord_module(api api DEPS nothing)\n", "api depends on nothing"),
        (sizes, "src/base/long.cpp", "\n" * 501, "501 lines"),
        (sizes, "scripts/long.sh", "\n" * 501, "501 lines"),
        (marks, "src/base/later.cpp", "int x;  // TO" + "DO: more\n", ":1: TO" + "DO"),
        (marks, "docs/a.md", "one\nX" + "XX\n", "docs/a.md:2"),
        (heavy, "src/routing/r.cpp", "#include <spdlog/spdlog.h>\n", "belongs to src/base/log alone"),
        (heavy, "src/config/c.h", "#include <toml++/toml.h>\n", "in a header"),
        (heavy, "src/proxy/p.cpp", "#include <liburing.h>\n", "belongs to src/net/ alone"),
        (heavy, "src/proxy/q.cpp", "#include <regex>\n", "belongs to tests alone"),
    ],
)
def test_a_fault_is_found(tree, rule, name, text, words):
    found = list(rule.faults(tree(name, text)))
    assert len(found) == 1 and words in found[0]


def test_five_hundred_lines_are_not_too_long(tree):
    assert list(sizes.faults(tree("src/base/long.cpp", "\n" * 500))) == []
