"""A file that is given up when the disk is full, so that there is room to tidy up."""

import os
from pathlib import Path


class Ballast:
    """Keeps `size_bytes` of a disk; SQLite needs room even to delete."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes
        self.take()

    def take(self) -> None:
        """Occupy the space, where it is not yet; a disk without it is left as it is."""
        try:
            if self._path.exists():
                return
            with self._path.open("xb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size_bytes)
        except OSError:
            self.give_up()

    def give_up(self) -> None:
        """Free the space."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            return
