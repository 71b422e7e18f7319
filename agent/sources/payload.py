"""Payloads of another device's topic as numbers."""

import json
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from agent.sources.dotted import at
from agent.sources.lines import finite_row

MAX_PAYLOAD_BYTES = 256 * 1024


def decode_json_payload(payload: bytes, paths: Sequence[str] = ()) -> NDArray[np.float32]:
    """Return the numbers at dotted `paths` as float32 [values], in their order.

    A step is a key of an object or an index of a list. Without paths the document itself is a
    number or a flat list of numbers. True and false count as 1 and 0.

    Raises:
        ValueError: too long, not JSON, a path leads nowhere, or a value is not a finite number.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"{len(payload)} bytes exceed {MAX_PAYLOAD_BYTES}")
    try:
        tree = json.loads(payload.decode("utf-8"), parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if paths:
        return finite_row([_number(at(tree, path)) for path in paths])
    return finite_row([_number(item) for item in (tree if isinstance(tree, list) else [tree])])


def decode_raw_payload(payload: bytes, dtype: str) -> NDArray[Any]:
    """Return little-endian elements as an array [elements] of `dtype`, without a copy.

    Raises:
        ValueError: too long, empty, not a whole number of elements, or not finite.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"{len(payload)} bytes exceed {MAX_PAYLOAD_BYTES}")
    values = np.frombuffer(payload, np.dtype(dtype).newbyteorder("<"))
    if not len(values):
        raise ValueError("empty")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError("a value is not finite")
    return values


def _number(value: Any) -> float:
    if not isinstance(value, int | float):
        raise ValueError(f"{type(value).__name__} is not a number")  # noqa: TRY004
    try:
        return float(value)
    except OverflowError:
        raise ValueError("a value is not finite") from None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
