"""Reads a model file, bounded and checked."""

import hashlib
import os
from dataclasses import dataclass
from stat import S_ISREG

from agent.errors import ModelError
from agent.runtime.tflite_file import check_tflite

MAX_MODEL_BYTES = 256 << 20


@dataclass(frozen=True)
class ModelFile:
    """A checked model: what was hashed is what runs, whatever happens to the file meanwhile."""

    data: bytes
    sha256: str
    runtimes: tuple[str, ...]


def read_model(path: str, limit_bytes: int = MAX_MODEL_BYTES) -> ModelFile:
    """Read and check a model.

    Raises:
        ModelError: missing, not a file, too large, truncated, or not a model.
    """
    try:
        data = _read(path, limit_bytes)
        check_tflite(data)
    except OSError as error:
        raise ModelError(f"model {path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # also a NUL byte in the path
        raise ModelError(f"model {path!r} {error}") from None
    return ModelFile(data, hashlib.sha256(data).hexdigest(), ("tflite",))


def _read(path: str, limit_bytes: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO would hold us for ever
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not S_ISREG(found.st_mode):
            raise ModelError("is not a file")
        if found.st_size > limit_bytes:
            raise ModelError(f"has {found.st_size} bytes; the limit is {limit_bytes}")
        return file.read(found.st_size)
