"""Free ports for servers, outside the ephemeral range, so that outgoing connections do not take them.

Every test process has blocks of its own as long as it lives, so that no two choose the same port between looking and
listening, and chooses none twice: it may belong to a server that is about to start again.
"""

import fcntl
import os
import pathlib
import random
import socket
import tempfile
import threading

_BLOCK = 500
_blocks = []  # the first ports of those we have
_block_locks = []
_ports_given = 0
_choosing = threading.Lock()


def _port_range():
    """The larger part of 10000 to 32767, or of what is above the ephemeral ports, that is free of these."""
    try:
        low, high = map(int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    except OSError:
        low, high = 32768, 60999
    first, last = max(((10000, min(low, 32768)), (max(high + 1, 10000), 65536)), key=lambda part: part[1] - part[0])
    # Without any such room another process may take what was chosen, and the servers' starts are tried again.
    return (first, last) if last - first >= 4 * _BLOCK else (12000, 31000)


def _take_block():
    folder = pathlib.Path(tempfile.gettempdir()) / f"overlord-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    first, last = _port_range()
    blocks = [start for start in range(first, last - _BLOCK + 1, _BLOCK) if start not in _blocks]
    random.SystemRandom().shuffle(blocks)
    for start in blocks:
        lock = open(folder / str(start), "w")  # noqa: SIM115 - held until we end
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        _block_locks.append(lock)
        _blocks.append(start)
        return True
    return False


def _next_port():
    global _ports_given
    if _ports_given == len(_blocks) * _BLOCK and not _take_block():
        if not _blocks:
            raise AssertionError("all blocks of ports are in use")
        _ports_given = 0  # from the beginning: what was given out first is the least likely to be needed again
    port = _blocks[_ports_given // _BLOCK] + _ports_given % _BLOCK
    _ports_given += 1
    return port


def free_port(host="127.0.0.1"):
    with _choosing:
        for _ in range(4 * _BLOCK):
            port = _next_port()
            if can_bind(host, port):
                return port
    raise AssertionError("no free port")


def can_bind(host, port):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            return True
        except OSError:
            return False
