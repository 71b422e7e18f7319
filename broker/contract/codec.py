"""Bytes of a payload to JSON and back, with every length checked before it is believed."""

import json
from typing import Any, NoReturn

from broker.contract.errors import MessageError

MAX_JSON_BYTES = 256 * 1024
"""No control message comes near this; a device with a hundred pipelines reports about 60 kB."""


def decode_json(payload: bytes | bytearray | memoryview, *, limit: int = MAX_JSON_BYTES) -> Any:
    """Decode one JSON document from outside.

    Raises:
        MessageError: longer than `limit` bytes, not UTF-8, not JSON, NaN or infinite, too deep,
            or with a key given twice.
    """
    if len(payload) > limit:
        raise MessageError(f"payload of {len(payload)} bytes exceeds the limit of {limit}")
    try:
        text = bytes(payload).decode("utf-8")
    except UnicodeDecodeError as error:
        raise MessageError(f"payload is not UTF-8: byte {error.start}") from None
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_twins)
    except RecursionError:
        raise MessageError("payload is nested too deeply") from None
    except ValueError as error:
        raise MessageError(f"payload is not JSON: {error}") from None


def encode_json(tree: Any) -> bytes:
    """Encode plain JSON values compactly; NaN and infinities are refused, for they are not JSON.

    Raises:
        MessageError: the tree holds what JSON cannot.
    """
    try:
        return json.dumps(tree, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (TypeError, ValueError) as error:
        raise MessageError(f"cannot encode: {error}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise ValueError("a key is given twice")
    return tree
