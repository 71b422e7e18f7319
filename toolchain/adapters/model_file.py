"""Model files: bytes from a path, or one line that says why not."""

import os
import stat
from pathlib import Path

from toolchain.errors import ModelRefused
from toolchain.tflite.reader import MAX_FILE_BYTES


def load(path: Path) -> bytes:
    """Read a whole model file.

    Raises:
        ModelRefused: missing, unreadable, not a regular file, or too large.
    """
    try:
        # Opening a FIFO or a terminal would otherwise wait for somebody to write.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            _check_kind(path, status)
            # No more than that is asked for: room for all of it is taken before it is read.
            return file.read(status.st_size)
    except ModelRefused:
        raise
    except FileNotFoundError:
        raise ModelRefused(f"{path}: no such file; check the path") from None
    except IsADirectoryError:
        raise ModelRefused(f"{path}: is a folder; name the .tflite file in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelRefused(f"{path}: cannot be read: {reason}") from None


def _check_kind(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ModelRefused(f"{path}: is a device or pipe; name a .tflite file")
    if status.st_size > MAX_FILE_BYTES:
        raise ModelRefused(
            f"{path}: {status.st_size} bytes, more than the limit of {MAX_FILE_BYTES}"
        )
