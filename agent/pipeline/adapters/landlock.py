"""Landlock: files and TCP out of reach, for this thread and all that it starts, for ever.

https://docs.kernel.org/userspace-api/landlock.html; the numbers are those of `linux/landlock.h`.
"""

import ctypes
import os
import struct
from collections.abc import Mapping
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG = 1
PATH_BENEATH = 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15
ALL_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Rights that a version of the interface knows, by the first that knows them."""
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
READ = READ_FILE | READ_DIR | EXECUTE
WRITE = READ | WRITE_FILE | TRUNCATE | IOCTL_DEV
TCP = 3
SCOPES = 3
"""Abstract Unix sockets of others, and signals to others."""


def version() -> int:
    """Return the version of the kernel's interface; 0 where it has none."""
    return max(0, _call(CREATE_RULESET, None, 0, VERSION_FLAG))


def restrict(paths: Mapping[Path, int], *, network: bool) -> None:
    """Take away everything but these rights to these files and folders.

    Raises:
        OSError: the kernel refuses; nothing is restricted then.
    """
    known = version()
    handled = max(rights for first, rights in ALL_RIGHTS.items() if first <= max(1, known))
    words = [handled, 0 if network else TCP, SCOPES]
    size = 8 if known < 4 else 16 if known < 6 else 24
    attributes = struct.pack("<3Q", *words)[:size]
    ruleset = _checked(_call(CREATE_RULESET, attributes, size, 0))
    try:
        for path, rights in paths.items():
            _allow(ruleset, path, rights & handled)
        _checked(_call(RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no right
    try:
        if not path.is_dir():
            rights &= OF_FILES
        rule = struct.pack("<Qi", rights, place)
        _checked(_call(ADD_RULE, ruleset, PATH_BENEATH, rule, 0))
    finally:
        os.close(place)


def _call(number: int, *arguments: object) -> int:
    words = [
        ctypes.c_char_p(word) if isinstance(word, bytes) else ctypes.c_void_p(word)  # type: ignore[arg-type]
        for word in arguments
    ]
    return int(_libc.syscall(ctypes.c_long(number), *words))


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
