"""The archive that a kernel unpacks into its first root file system (cpio, form `newc`)."""

import stat
from collections.abc import Mapping

MAGIC = b"070701"
END = "TRAILER!!!"


def archive(files: Mapping[str, bytes | None], links: Mapping[str, str]) -> bytes:
    """Pack files for root.

    Args:
        files: contents by path without a leading slash; None makes a folder. Folders come before
            what lies in them. Everything may be executed.
        links: targets of symbolic links by path.
    """
    parts = []
    for number, (path, data) in enumerate(files.items(), start=1):
        kind = stat.S_IFDIR if data is None else stat.S_IFREG
        parts.append(_entry(number, path, kind | 0o755, data or b""))
    for number, (path, target) in enumerate(links.items(), start=len(files) + 1):
        parts.append(_entry(number, path, stat.S_IFLNK | 0o777, target.encode()))
    parts.append(_entry(0, END, 0, b""))
    return b"".join(parts)


def _entry(number: int, path: str, mode: int, data: bytes) -> bytes:
    name = path.encode() + b"\0"
    # number, mode, owner, group, links, time, size, four device numbers, length of the name, sum
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
    head = MAGIC + b"".join(b"%08X" % field for field in fields) + name
    return _padded(head) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
