"""A filter of system calls: no new sockets, no other program, no look into other processes.

It is for all threads of the process at once. https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import errno
import platform
import struct

SET_MODE_FILTER, TSYNC = 1, 1
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
NUMBER_AT, MACHINE_AT, FAMILY_AT = 0, 4, 16
AF_UNIX = 1
X32_BIT = 0x40000000
"""Numbers from here on are those of a second table of x86-64."""

# The kernel's name of the machine, its number of seccomp(2), and those that are refused: socket,
# socketpair, connect, bind, execve, execveat, ptrace, process_vm_readv, process_vm_writev,
# io_uring_setup. A process of another table (32-bit on 64-bit) gets no filter.
MACHINES = {
    "x86_64": (0xC000003E, 317, (41, 53, 42, 49, 59, 322, 101, 310, 311, 425)),
    "aarch64": (0xC00000B7, 277, (198, 199, 203, 200, 221, 281, 117, 270, 271, 425)),
    "armv7l": (0x40000028, 383, (281, 288, 283, 282, 11, 387, 26, 376, 377, 425)),
}


def program(machine: int, refused: tuple[int, ...], unix_socket: int | None = None) -> bytes:
    """Write the filter: numbers in the list fail with EPERM, and so do those of other machines.

    Args:
        unix_socket: the number of socket(2), which then fails for all but Unix sockets.
    """
    count = len(refused)
    asks = 0 if unix_socket is None else 3
    family = [
        (EQUAL, 0, 2, unix_socket or 0),
        (LOAD, 0, 0, FAMILY_AT),
        (EQUAL, 0, 1, AF_UNIX),
    ][:asks]
    lines = [
        (LOAD, 0, 0, MACHINE_AT),
        (EQUAL, 0, count + asks + 3, machine),
        (LOAD, 0, 0, NUMBER_AT),
        (AT_LEAST, count + asks + 1, 0, X32_BIT),
        *((EQUAL, count + asks - place, 0, number) for place, number in enumerate(refused)),
        *family,
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    ]
    return b"".join(struct.pack("<HBBI", *line) for line in lines)


def restrict(*, unix: bool = False) -> bool:
    """Install the filter; return whether it is there. `no_new_privs` must be set before.

    Args:
        unix: connections to Unix sockets stay possible.
    """
    if struct.calcsize("P") == 4 and platform.machine() not in ("armv7l",):
        return False
    found = MACHINES.get(platform.machine())
    if found is None:
        return False
    machine, seccomp, refused = found
    socket, connect = refused[0], refused[2]
    if unix:
        others = tuple(number for number in refused if number not in (socket, connect))
        code = program(machine, others, socket)
    else:
        code = program(machine, refused)
    held = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(code) // 8, ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    words = (ctypes.c_long(number) for number in (seccomp, SET_MODE_FILTER, TSYNC))
    return int(libc.syscall(*words, ctypes.c_char_p(header))) == 0
