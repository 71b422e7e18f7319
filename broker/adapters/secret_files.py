"""Files that are whole or not there, and keys that only their owner reads."""

import os
from pathlib import Path

from broker.errors import ConfigError

KEY_MODE = 0o600
PUBLIC_MODE = 0o644


def write_whole(path: Path, data: bytes, mode: int = PUBLIC_MODE) -> None:
    """Write a file so that a crash leaves the old one or the new one.

    Raises:
        ConfigError: the file system refuses.
    """
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, mode)
            stream.write(data)
            stream.flush()
            os.fsync(descriptor)
        draft.replace(path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


def read_if_there(path: Path, limit_bytes: int = 64 * 1024) -> bytes | None:
    """Return a file's content, or None if there is no such file.

    Raises:
        ConfigError: it cannot be read or is too long to be what it should be.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(limit_bytes + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > limit_bytes:
        raise ConfigError(f"{path} is longer than {limit_bytes} bytes")
    return data


def make_folder(path: Path, mode: int) -> None:
    """Make a folder unless it is there.

    Raises:
        ConfigError: the file system refuses.
    """
    try:
        path.mkdir(mode=mode, exist_ok=True, parents=True)
    except OSError as error:
        raise ConfigError(f"cannot make folder {path}: {error.strerror}") from error
