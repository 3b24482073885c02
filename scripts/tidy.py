#!/usr/bin/python3
"""clang-tidy over the sources given (paths from the checkout's root), as ./dev lint --full runs it. A file that
passed is not looked at again until it, a header of ours that it reaches, .clang-tidy or an installed package that it
may see changes. That is remembered beside the compiler's cache, so that a new checkout profits too."""

import hashlib
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = re.compile(rb'^\s*#\s*include\s+"([^"]+)"', re.M)
KEPT_SECONDS = 30 * 24 * 3600
COMMAND = ["clang-tidy-19", "--quiet", "-p", "build/release"]


def output(*command: str) -> bytes:
    return subprocess.run(command, capture_output=True, check=True).stdout


def passed_folder() -> Path:
    """Where an empty file stands for each state of a source that passed."""
    return Path(output("ccache", "-k", "cache_dir").decode().strip()) / "overlord-tidy"


def common_state() -> bytes:
    """What the verdict on every source hangs on: the rules, how it is compiled, and the packages with headers."""
    packages = output("dpkg-query", "-W", "clang-tidy-19", "libc6-dev", "libstdc++-*-dev", "lib*-dev")
    return b"\0".join([(ROOT / ".clang-tidy").read_bytes(), (ROOT / "CMakeLists.txt").read_bytes(),
                       (ROOT / "src" / "CMakeLists.txt").read_bytes(), packages])


def state(source: Path, common: bytes) -> str:
    """A digest of all that the verdict on a source hangs on."""
    digest = hashlib.sha256(common)
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


def check(source: Path, stamp: Path) -> str:
    """What clang-tidy says against the source; empty when it passes."""
    if stamp.exists():
        stamp.touch()
        return ""
    ran = subprocess.run([*COMMAND, str(source)], cwd=ROOT, capture_output=True, text=True)
    if ran.returncode == 0:
        stamp.touch()
        return ""
    return ran.stdout or ran.stderr


def main() -> int:
    passed, common = passed_folder(), common_state()
    passed.mkdir(parents=True, exist_ok=True)
    for stamp in passed.iterdir():
        if stamp.stat().st_mtime < time.time() - KEPT_SECONDS:
            stamp.unlink(missing_ok=True)
    sources = [ROOT / name for name in sys.argv[1:]]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        said = [text for text in pool.map(check, sources, (passed / state(x, common) for x in sources)) if text]
    print("\n".join(said).replace(f"{ROOT}/", ""), end="")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
