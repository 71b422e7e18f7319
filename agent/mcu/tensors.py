"""Arrays to and from the bytes of a call: tensors one behind the other, as the engine has them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import LinkError
from agent.runtime.engine_model import Slot
from agent.runtime.tensor_record import TensorRecord


def pack(records: Sequence[TensorRecord], arrays: Sequence[NDArray[Any]]) -> bytes:
    """Write arrays of the records' shapes and dtypes.

    Raises:
        ModelError: one is of another.
    """
    packed = []
    for record, array in zip(records, arrays, strict=True):
        record.info.check(array)
        slot = Slot(record, np.zeros(record.bytes, np.uint8))
        slot.view[...] = array
        packed.append(slot.packed())
    return b"".join(packed)


def unpack(records: Sequence[TensorRecord], data: bytes) -> list[NDArray[Any]]:
    """Read arrays; the reverse of `pack`.

    Raises:
        LinkError: there are more or fewer bytes.
    """
    if len(data) != sum(record.bytes for record in records):
        raise LinkError(f"the device answered {len(data)} bytes, which are not the model's outputs")
    arrays, at = [], 0
    for record in records:
        slot = Slot(record, np.zeros(record.bytes, np.uint8))
        slot.restore(data[at : at + record.bytes])
        arrays.append(slot.view)
        at += record.bytes
    return arrays
