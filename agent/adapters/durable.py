"""Files that outlive a loss of power: what is on the disk when a function here returns, stays."""

import os
from pathlib import Path


def synchronise(folder: Path) -> None:
    """Have the disk know which names are in a folder.

    Raises:
        OSError: the disk refuses.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(target: Path, fresh: Path, text: str) -> None:
    """Replace a file whole, or not at all; `fresh` is what it is called until then.

    Raises:
        OSError: the disk refuses.
    """
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(target)
    synchronise(target.parent)
