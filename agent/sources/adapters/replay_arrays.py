"""Arrays whose first axis counts samples."""

import mmap
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import SourceError
from agent.sources.array_file import MAX_HEADER_BYTES, ArrayHeader, parse_header

MAX_ARCHIVED_BYTES = 256 * 1024 * 1024
"""An array of an .npz has to be unpacked into memory, of which a device may have 512 MB."""


class MappedArray:
    """A .npy file, memory-mapped: samples are views, read from disk when they are touched."""

    def __init__(self, path: Path) -> None:
        """Map the file read-only.

        Raises:
            SourceError: it cannot be read, or its header does not fit it.
        """
        try:
            with path.open("rb") as file:
                header = parse_header(file.read(MAX_HEADER_BYTES), path.stat().st_size)
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise SourceError(f"replay: {path}: {_reason(error)}") from None
        self._array = _shaped(mapped, header, header.offset)
        self._name = path.name

    def __len__(self) -> int:
        return len(self._array)

    def load(self, index: int) -> tuple[NDArray[Any], str, int]:
        """Return a view of a sample."""
        return self._array[index, ...], f"{self._name}[{index}]", 0

    def close(self) -> None:
        """Let go of the file; it is unmapped when no sample of it is in use any more."""
        self._array = np.empty(0)


class ArchivedArray:
    """One array of an .npz file."""

    def __init__(self, path: Path, name: str | None) -> None:
        """Unpack the array `name`, or the first.

        Raises:
            SourceError: it cannot be read, is not there, or is too large to unpack.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                member = _member(archive, name)
                with archive.open(member) as file:
                    header = parse_header(file.read(MAX_HEADER_BYTES), member.file_size)
                if header.data_bytes > MAX_ARCHIVED_BYTES:
                    raise ValueError(
                        f"{member.filename} is above {MAX_ARCHIVED_BYTES} bytes; "
                        "save it as .npy, which is not unpacked into memory"
                    )
                with archive.open(member) as file:
                    file.read(header.offset)
                    data = file.read(header.data_bytes)
            if len(data) < header.data_bytes:
                raise ValueError(f"{member.filename} is cut short")
        except _ARCHIVE_ERRORS as error:
            raise SourceError(f"replay: {path}: {_reason(error)}") from None
        self._array = _shaped(data, header, 0)
        self._name = member.filename.removesuffix(".npy")

    def __len__(self) -> int:
        return len(self._array)

    def load(self, index: int) -> tuple[NDArray[Any], str, int]:
        """Return a view of a sample."""
        return self._array[index, ...], f"{self._name}[{index}]", 0

    def close(self) -> None:
        """Free the array once no sample of it is in use."""
        self._array = np.empty(0)


# A damaged archive raises any of these, and an encrypted one the last but one.
_ARCHIVE_ERRORS = (
    OSError,
    ValueError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,
    NotImplementedError,
)


def _member(archive: zipfile.ZipFile, name: str | None) -> zipfile.ZipInfo:
    arrays = [item for item in archive.infolist() if item.filename.endswith(".npy")]
    for item in arrays:
        if name is None or item.filename == f"{name}.npy":
            return item
    names = ", ".join(item.filename.removesuffix(".npy") for item in arrays[:10])
    raise ValueError(f"array {name or ''} is not in it; it has: {names or 'none'}")


def _shaped(data: bytes | mmap.mmap, header: ArrayHeader, offset: int) -> NDArray[Any]:
    shape = header.shape[::-1] if header.fortran_order else header.shape
    array: NDArray[Any] = np.ndarray(shape, header.dtype, data, offset)
    return array.T if header.fortran_order else array


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
