"""Vectors in, the update out; the report is written last, and then all of it is on the disk."""

import json
import os
from pathlib import Path

import numpy as np

from agent.adapters.durable import synchronise
from agent.errors import ModelError, StorageError
from agent.learning.learner.dataset import Floats
from agent.learning.learner.learn import Learned
from agent.learning.learner.request import OWN_CONTROL, REPORT, RESIDUAL, Report
from broker.contract.shape import to_tree


def read_vector(path: str | None, shape: tuple[int, ...]) -> Floats | None:
    """A vector of little-endian float32; None where no path is.

    Raises:
        StorageError: it cannot be read.
        ModelError: it is of another length, or not finite.
    """
    if path is None:
        return None
    data = read(path, 4 * int(np.prod(shape)))
    found = np.frombuffer(data, "<f4").astype(np.float32)
    if not np.isfinite(found).all():
        raise ModelError(f"{path}: a parameter is not finite")
    return found.reshape(shape)


def read(path: str, length: int | None = None, most: int | None = None) -> bytes:
    """A file of exactly `length` bytes, or of at most `most`.

    Raises:
        StorageError: it cannot be read.
        ModelError: it is of another length.
    """
    limit = length if length is not None else most
    try:
        with Path(path).open("rb") as file:
            data = file.read(-1 if limit is None else limit + 1)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from None
    if limit is not None and (len(data) > limit or (length is not None and len(data) < length)):
        raise ModelError(f"{path}: has not the {limit} bytes that it must have")
    return data


def write(folder: str, learned: Learned, report: Report) -> None:
    """Leave an update in an empty folder.

    Raises:
        StorageError: it cannot be written, or the folder is not empty.
    """
    files = {str(number): message for number, message in enumerate(learned.messages)}
    for name, vector in ((RESIDUAL, learned.residual), (OWN_CONTROL, learned.own_control)):
        if vector is not None:
            files[name] = vector.astype("<f4").tobytes()
    files[f"{REPORT}.part"] = json.dumps(to_tree(report)).encode()
    place = Path(folder)
    try:
        for name, data in files.items():
            with (place / name).open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        (place / f"{REPORT}.part").rename(place / REPORT)
        synchronise(place)
    except OSError as error:
        raise StorageError(f"{folder}: {error.strerror}; give an empty folder") from None
