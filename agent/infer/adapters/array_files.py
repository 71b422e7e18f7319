"""Files of arrays: `.npy`, and `.npz` with several."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import ModelError, SourceError
from agent.infer.arrays import MAX_ARRAY_BYTES, read_npy, read_npz, write_npz


def read_arrays(path: str) -> dict[str, NDArray[Any]]:
    """Read the arrays of a file by name; the one of a `.npy` is `input`.

    Raises:
        SourceError: it cannot be read.
        ModelError: it holds no arrays.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(min(os.fstat(file.fileno()).st_size, MAX_ARRAY_BYTES))
        return read_npz(data) if data[:2] == b"PK" else {"input": read_npy(data)}
    except OSError as error:
        raise SourceError(f"input {path} cannot be read: {error.strerror}") from None
    except ModelError as error:
        raise ModelError(f"input {path} {error}") from None


def write_arrays(path: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays; the file is whole or not there.

    Raises:
        SourceError: it cannot be written.
        ModelError: several arrays need a name in `.npz`.
    """
    several = path.endswith(".npz")
    if len(arrays) > 1 and not several:
        raise ModelError(f"the model has {len(arrays)} outputs: give --output a name in .npz")
    unfinished = Path(f"{path}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            if several:
                write_npz(file, arrays)
            else:
                np.save(file, next(iter(arrays.values())), allow_pickle=False)
        unfinished.replace(path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise SourceError(f"output {path} cannot be written: {error.strerror}") from None
