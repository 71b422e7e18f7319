"""Reads a model file, bounded and checked."""

import hashlib
import os
from dataclasses import dataclass
from stat import S_ISREG

from agent.errors import ModelError
from agent.runtime import plan_file, tflite_file
from agent.runtime.plan_file import PlanFile
from agent.runtime.wasm import sections
from agent.runtime.wasm.sealed import SealedModule, needs_simd, seal

MAX_MODEL_BYTES = 256 << 20


@dataclass(frozen=True)
class ModelFile:
    """A checked model: what was hashed is what runs, whatever happens to the file meanwhile.

    Attributes:
        content: what was read of it; the bytes themselves of a `.tflite` file.
    """

    content: bytes | SealedModule | PlanFile
    sha256: str
    runtimes: tuple[str, ...]


def read_model(path: str, limit_bytes: int = MAX_MODEL_BYTES) -> ModelFile:
    """Read and check a model; its first bytes tell what it is.

    Raises:
        ModelError: missing, not a file, too large, truncated, or not a model.
    """
    try:
        data = _read(path, limit_bytes)
        content, runtimes = _checked(data)
    except OSError as error:
        raise ModelError(f"model {path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # also a NUL byte in the path
        raise ModelError(f"model {path!r} {error}") from None
    return ModelFile(content, hashlib.sha256(data).hexdigest(), runtimes)


def _checked(data: bytes) -> tuple[bytes | SealedModule | PlanFile, tuple[str, ...]]:
    if data.startswith(sections.MAGIC):
        module = seal(data)
        return module, ("wasmtime",) if needs_simd(module) else ("wasmtime", "wasm3")
    if data.startswith(plan_file.MAGIC):
        return plan_file.read_plan(data), ("host",)
    tflite_file.check_tflite(data)
    return data, ("tflite",)


def _read(path: str, limit_bytes: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO would hold us for ever
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not S_ISREG(found.st_mode):
            raise ModelError("is not a file")
        if found.st_size > limit_bytes:
            raise ModelError(f"has {found.st_size} bytes; the limit is {limit_bytes}")
        return file.read(found.st_size)
