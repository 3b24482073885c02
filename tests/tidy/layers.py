#!/usr/bin/python3
"""Floors: a module of src/ includes only from itself and from the modules that its overlord_module line in
src/CMakeLists.txt names, directly or through them. Programs, benchmarks and fuzz targets may include any module."""

import re
from collections.abc import Iterator
from pathlib import Path

import _tree

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
MODULE = re.compile(r"^overlord_module\(\s*(\w+)\s+([\w/]+)([^)]*)\)", re.M)


def modules(cmake: str) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Folder of each module, and the modules each may include from (itself among them)."""
    folders: dict[str, str] = {}
    direct: dict[str, list[str]] = {}
    for name, folder, rest in MODULE.findall(cmake):
        deps = re.search(r"\bDEPS\s+([\w\s]*?)(?=\b(?:LIBS|TEST_LIBS)\b|$)", rest)
        folders[name] = folder
        direct[name] = deps.group(1).split() if deps else []

    reachable: dict[str, set[str]] = {}
    for name in folders:  # a module can only name modules above it in the file, so these are complete already
        reachable[name] = {name}
        for dep in direct[name]:
            reachable[name] |= reachable.get(dep, {f"{dep} (declared below {name}, or not at all)"})
    return folders, reachable


def owner(path: str, folders: dict[str, str]) -> str | None:
    """The module whose folder holds the path (relative to src/); the deepest folder wins."""
    holding = [name for name, folder in folders.items() if path.startswith(folder + "/")]
    return max(holding, key=lambda name: len(folders[name]), default=None)


def faults(root: Path) -> Iterator[str]:
    folders, reachable = modules((root / "src/CMakeLists.txt").read_text())
    for name, allowed in reachable.items():
        for unknown in sorted(allowed - folders.keys()):
            yield f"src/CMakeLists.txt: {name} depends on {unknown}"
    for path in _tree.files(root, (".h", ".cpp"), ("src",)):
        inside = path.relative_to(root / "src").as_posix()
        module = owner(inside, folders)
        if module is None:
            yield f"src/{inside}: belongs to no module of src/CMakeLists.txt"
            continue
        for included in INCLUDE.findall(path.read_text()):
            other = owner(included, folders)
            if other is None:
                yield f'src/{inside}: "{included}" is no path from src/ into a module'
            elif other not in reachable[module]:
                yield f'src/{inside}: {module} must not include from {other} ("{included}")'


if __name__ == "__main__":
    _tree.main(faults)
