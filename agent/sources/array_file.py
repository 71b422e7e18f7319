"""The header of a .npy file, checked against the size of the file before it is believed."""

import io
import math
from dataclasses import dataclass

import numpy as np

MAX_HEADER_BYTES = 4096
"""All that is ever read to parse a header; a header of plain numbers takes 128."""


@dataclass(frozen=True)
class ArrayHeader:
    """What follows in a .npy file: `data_bytes` from `offset` on."""

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    fortran_order: bool
    offset: int

    @property
    def data_bytes(self) -> int:
        """Size of the elements."""
        return math.prod(self.shape) * self.dtype.itemsize


def parse_header(start: bytes, file_bytes: int) -> ArrayHeader:
    """Parse the first `MAX_HEADER_BYTES` (or all) of a .npy file.

    Raises:
        ValueError: not a .npy file of numbers with at least one sample, or a header that claims
            more than the file has.
    """
    stream = io.BytesIO(start)
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, order, dtype = np.lib.format.read_array_header_1_0(stream, MAX_HEADER_BYTES)
        else:
            shape, order, dtype = np.lib.format.read_array_header_2_0(stream, MAX_HEADER_BYTES)
    except Exception as error:  # numpy evaluates the header as a literal: many kinds of errors
        reason = " ".join(str(error).split())[:100]
        raise ValueError(f"no .npy header: {reason}") from None
    header = ArrayHeader(dtype, shape, order, stream.tell())
    if dtype.kind not in "biuf" or dtype.hasobject:
        raise ValueError(f"dtype {str(dtype)[:40]}; numbers are needed")
    if not shape or not all(0 < size < 2**48 for size in shape) or len(shape) > 16:
        raise ValueError(f"shape {str(shape)[:60]}; the first axis counts samples, none is empty")
    if header.offset + header.data_bytes > file_bytes:
        missing = header.offset + header.data_bytes - file_bytes
        raise ValueError(f"the header claims {missing} bytes more than the file has")
    return header
