#!/usr/bin/python3
"""Sizes: no source file of ours is longer than 500 lines; one idea a file keeps most between 100 and 300."""

from collections.abc import Iterator
from pathlib import Path

import _tree

MOST = 500


def faults(root: Path) -> Iterator[str]:
    for path in _tree.files(root, (".h", ".cpp", ".py", ".sh", ".cmake", "CMakeLists.txt")):
        lines = path.read_text().count("\n")
        if lines > MOST:
            yield f"{path.relative_to(root)}: {lines} lines, more than {MOST}: split it by idea"


if __name__ == "__main__":
    _tree.main(faults)
