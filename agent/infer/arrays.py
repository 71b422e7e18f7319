"""Arrays from outside: `.npy` and `.npz` bytes, with every size checked before it is believed.

The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

import io
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from math import prod
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import ModelError

MAX_ARRAY_BYTES = 1 << 30
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npy(data: bytes) -> NDArray[Any]:
    """Return the array of a `.npy` file as a read-only view of `data`.

    Raises:
        ModelError: not `.npy`, pickled, of no plain number type, or not as long as it claims.
    """
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        shape, fortran, dtype = _HEADERS[version](file)
    except (ValueError, KeyError, TypeError, SyntaxError, OverflowError, RecursionError) as error:
        raise ModelError(f"is not an array: {_line(error)}") from None
    except (tokenize.TokenError, MemoryError):
        raise ModelError("is not an array: its header cannot be read") from None
    if dtype.kind not in "biuf":
        raise ModelError(f"holds {str(dtype)[:40]}; plain numbers are wanted")
    claimed, present = prod(shape) * dtype.itemsize, len(data) - file.tell()
    if any(size < 0 for size in shape) or claimed != present:
        raise ModelError(f"claims {claimed} bytes of numbers and holds {present}")
    array = np.frombuffer(data, dtype, offset=file.tell())
    return array.reshape(shape, order="F" if fortran else "C")


def read_npz(data: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of a `.npz` file by name.

    Raises:
        ModelError: not `.npz`, larger unpacked than `MAX_ARRAY_BYTES`, or with a bad member.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            claimed = sum(member.file_size for member in members)
            if claimed > MAX_ARRAY_BYTES:
                raise ModelError(f"claims {claimed} bytes; the limit is {MAX_ARRAY_BYTES}")
            return {
                member.filename.removesuffix(".npy"): read_npy(archive.read(member))
                for member in members
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise ModelError(f"is not a .npz file: {_line(error)}") from None
    except (NotImplementedError, ValueError, OverflowError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"is not a .npz file: {_line(error)}") from None


def write_npz(file: IO[bytes], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as `.npz`; unlike `numpy.savez` it takes any name, such as `file`."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
