#!/usr/bin/python3
"""Marks: nothing is left for later in the tree. Work that remains is an issue, not a comment."""

import re
from collections.abc import Iterator
from pathlib import Path

import _tree

# Put together from halves so that this file does not contain them.
MARKS = re.compile(r"\b(" + "|".join(a + b for a, b in (("TO", "DO"), ("FIX", "ME"), ("X", "XX"), ("HA", "CK"))) + r")\b")


def faults(root: Path) -> Iterator[str]:
    for path in _tree.files(root, (".h", ".cpp", ".py", ".sh", ".cmake", ".txt", ".md", ".toml"), (*_tree.OURS, "docs", "etc")):
        if "corpus" in path.parts:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if found := MARKS.search(line):
                yield f"{path.relative_to(root)}:{number}: {found.group(1)}"


if __name__ == "__main__":
    _tree.main(faults)
