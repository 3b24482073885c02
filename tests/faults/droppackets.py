"""Makes the sockets of another process drop every packet that reaches them, as a network that lost its way would.

Their descriptors are taken over with pidfd_getfd, and get a socket filter that accepts nothing: neither data nor
acknowledgements nor, on a listening socket, new connections. No end of a connection is told. Needs no firewall, no
namespace and no netem, only the right to trace the process.
"""

import ctypes
import os
import pathlib
import socket
import struct

_GETFD = 438  # pidfd_getfd, the same number everywhere
_ATTACH, _DETACH = 26, 27  # SO_ATTACH_FILTER, SO_DETACH_FILTER
_libc = ctypes.CDLL(None, use_errno=True)


def sockets_of(pid):
    """Copies of the TCP sockets of a process."""
    process = os.pidfd_open(pid)
    found = []
    try:
        for file in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            try:
                if not os.readlink(file).startswith("socket:"):
                    continue
            except OSError:
                continue
            fd = _libc.syscall(_GETFD, process, int(file.name), 0)
            if fd < 0:
                if ctypes.get_errno() == 9:  # it was closed meanwhile
                    continue
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            sock = socket.socket(fileno=fd)
            if sock.family in (socket.AF_INET, socket.AF_INET6):
                found.append(sock)
            else:
                sock.close()
    finally:
        os.close(process)
    return found


class Dropping:
    def __init__(self, pid):
        self.sockets = sockets_of(pid)
        nothing = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # BPF: return 0
        for sock in self.sockets:
            sock.setsockopt(socket.SOL_SOCKET, _ATTACH, struct.pack("HL", 1, ctypes.addressof(nothing)))

    def close(self):
        for sock in self.sockets:
            try:
                sock.setsockopt(socket.SOL_SOCKET, _DETACH, 0)
            except OSError:
                pass  # the process has ended
            sock.close()
        self.sockets = []
