"""The npm clients, installed as node/package-lock.json says: once, until that file changes, under build/."""

import hashlib
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent / "node"
FOLDER = HERE.parents[2] / "build" / "clients" / "npm"
MODULES = FOLDER / "node_modules"
LOCKED = ("package.json", "package-lock.json")


def node():
    """The Node of the lock file: Debian 12's own is too old for these clients."""
    return next(MODULES.glob("node-linux-*/bin/node"))


def install():
    state = hashlib.sha256(b"\0".join((HERE / name).read_bytes() for name in LOCKED)).hexdigest()
    stamp = FOLDER / "installed"
    if stamp.exists() and stamp.read_text() == state:
        return
    print("    installing the npm clients (tests/clients/node/package-lock.json)", flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for name in LOCKED:
        shutil.copy(HERE / name, FOLDER / name)
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=FOLDER,
                          capture_output=True, text=True, timeout=600, env={**os.environ, "CI": "1"})
    if done.returncode != 0:
        raise SystemExit(f"npm ci ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    stamp.write_text(state)
