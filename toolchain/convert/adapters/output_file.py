"""What a command made, as a file: whole or not at all."""

import os
import tempfile
from pathlib import Path

from toolchain.errors import UnavailableError


def save(path: Path, data: bytes) -> None:
    """Write a file; one that was there is kept if that fails.

    Raises:
        UnavailableError: the folder is missing, full, or may not be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        made = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            made.chmod(0o666 & ~_umask())
            made.replace(path)
        except BaseException:
            made.unlink()
            raise
    except OSError as error:
        raise UnavailableError(f"{path}: cannot be written: {error.strerror}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
