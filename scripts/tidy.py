#!/usr/bin/python3
"""clang-tidy over the sources given (paths from the checkout's root), as ./dev lint --full runs it. A file that
passed is not looked at again until it, a header of ours that it reaches, or .clang-tidy changes."""

import hashlib
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PASSED = ROOT / "build" / "tidy"  # one empty file for each state of a source that passed
INCLUDE = re.compile(rb'^\s*#\s*include\s+"([^"]+)"', re.M)
COMMAND = ["clang-tidy-19", "--quiet", "-p", "build/release"]


def state(source: Path) -> str:
    """A digest of all that the verdict on a source hangs on, but for the system's headers."""
    digest = hashlib.sha256((ROOT / ".clang-tidy").read_bytes())
    digest.update((ROOT / "src" / "CMakeLists.txt").read_bytes())
    waiting, seen = [source], {source}
    while waiting:
        path = waiting.pop()
        text = path.read_bytes()
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + text)
        for name in INCLUDE.findall(text):
            for folder in (ROOT / "src", path.parent):
                header = folder / name.decode()
                if header.is_file() and header not in seen:
                    seen.add(header)
                    waiting.append(header)
    return digest.hexdigest()


def check(source: Path) -> str:
    """What clang-tidy says against the source; empty when it passes."""
    stamp = PASSED / state(source)
    if stamp.exists():
        return ""
    ran = subprocess.run([*COMMAND, str(source)], cwd=ROOT, capture_output=True, text=True)
    if ran.returncode == 0:
        stamp.touch()
        return ""
    return ran.stdout or ran.stderr


def main() -> int:
    PASSED.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        said = [text for text in pool.map(check, (ROOT / name for name in sys.argv[1:])) if text]
    print("\n".join(said).replace(f"{ROOT}/", ""), end="")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
