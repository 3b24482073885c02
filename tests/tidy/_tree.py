"""What the rules share: the files of a tree, and how a rule reports. A rule is a function of a root folder that
yields one text per fault; run as a program it prints them and fails when there is one."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ("src", "apps", "bench", "fuzz", "tests", "scripts", "cmake")


def files(root: Path, suffixes: tuple[str, ...], folders: tuple[str, ...] = OURS) -> Iterator[Path]:
    """Files below the folders that git knows or would add, so that what a build leaves behind is not looked at."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]
        listed = subprocess.run([*command, *folders], check=True, capture_output=True, text=True).stdout
        found = {root / name for name in listed.split("\0") if name}
    else:
        found = {path for folder in folders for path in (root / folder).rglob("*")}
    return (path for path in sorted(found) if path.name.endswith(suffixes) and path.is_file())


def main(rule: Callable[[Path], Iterator[str]]) -> None:
    faults = list(rule(ROOT))
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)
