"""The system, its memory, the state folder and who asks."""

import errno
import grp
import os
import platform
import pwd
import shutil
import struct
import sys
import tempfile
import time
from pathlib import Path

from agent.adapters.machine import clock_is_synced
from agent.doctor.facts import Folder, Memory, System, User


def read_system() -> System:
    """Read what Python and the system say of themselves."""
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        name = platform.system()
    return System(
        python=sys.version_info[:3],
        name=name,
        machine=platform.machine(),
        pointer_bits=struct.calcsize("P") * 8,
        clock_is_synced=clock_is_synced(),
        unix_s=max(0, int(time.time())),
        features=read_features(),
    )


def read_features(path: Path = Path("/proc/cpuinfo")) -> frozenset[str] | None:
    """Read the features of the first processor that names any; None if none does."""
    try:
        lines = path.read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, words = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(words.split())
    return None


def read_memory(path: Path = Path("/proc/meminfo")) -> Memory:
    """Read the kernel's account of memory; 0 where it says nothing."""
    sizes: dict[str, int] = {}
    try:
        for line in path.read_text("ascii").splitlines():
            name, _, rest = line.partition(":")
            words = rest.split()
            if words and words[0].isdecimal():
                sizes[name] = int(words[0]) * 1024
    except (OSError, UnicodeDecodeError):
        pass
    return Memory(
        total=sizes.get("MemTotal", 0),
        available=sizes.get("MemAvailable", 0),
        cma_total=sizes.get("CmaTotal"),
        cma_free=sizes.get("CmaFree"),
    )


def read_folder(path: Path) -> Folder:
    """Try to write below `path`, or below the nearest folder above it; leaves nothing behind."""
    there = path.absolute()
    # Unlike Path.exists() this says no where one may not look, as in the service's own folder.
    while not os.path.exists(there) and there != there.parent:  # noqa: PTH110
        there = there.parent
    problem, number, free_bytes = None, None, 0
    try:
        free_bytes = shutil.disk_usage(there).free
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        problem, number = error.strerror or str(error), error.errno
    return Folder(
        str(path),
        there != path.absolute(),
        problem,
        free_bytes,
        is_read_only=number == errno.EROFS,
        is_full=number in (errno.ENOSPC, errno.EDQUOT),
    )


def read_user() -> User:
    """Read the groups that this process has, which may lag behind what was granted."""
    number = os.geteuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = str(number)
    groups = set()
    for group in {os.getegid(), *os.getgroups()}:
        try:
            groups.add(grp.getgrgid(group).gr_name)
        except KeyError:
            groups.add(str(group))
    return User(name, number == 0, frozenset(groups))
