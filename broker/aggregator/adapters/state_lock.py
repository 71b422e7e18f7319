"""One aggregator a state folder; the lock goes when its process does, however that ends."""

import fcntl
from io import BufferedWriter
from pathlib import Path

from broker.errors import ConfigError


def lock(folder: Path) -> BufferedWriter:
    """Lock a folder, and create it if need be; closing the file unlocks it.

    Raises:
        ConfigError: another aggregator has it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("wb")
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}; make the folder writable") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ConfigError(f"{folder}: another aggregator uses it; choose another folder") from None
    return file
