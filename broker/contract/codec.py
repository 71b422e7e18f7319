"""Bytes of a payload to JSON and back, with every length checked before it is believed."""

import json
import json.encoder
from collections.abc import Callable
from math import isfinite
from typing import Any, NoReturn

from broker.contract.errors import MessageError

MAX_JSON_BYTES = 256 * 1024
"""No control message comes near this; a device with a hundred pipelines reports about 60 kB."""

MAX_DEPTH = 64
"""Whoever walks a decoded tree by recursion is safe below this."""

MAX_DIGITS = 20
"""An unsigned 64-bit number has as many; longer ones break what stores or prints them."""

_Encode = Callable[[Any], str]


def _compact_encoder() -> _Encode:
    """Return what encodes a tree; `JSONEncoder.encode` would make a C encoder for each call."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
    quote = json.encoder.encode_basestring_ascii
    chunks = make(None, _not_json, quote, None, ":", ",", False, False, False)
    return lambda tree: "".join(chunks(tree, 0))


def _not_json(value: object) -> NoReturn:
    raise TypeError(f"{type(value).__name__} is not JSON")


to_json: _Encode = _compact_encoder()
"""Plain JSON values to compact ASCII text; raises TypeError, ValueError or RecursionError."""


def decode_json(payload: bytes | bytearray | memoryview, *, limit: int = MAX_JSON_BYTES) -> Any:
    """Decode one JSON document from outside.

    Raises:
        MessageError: longer than `limit` bytes, not UTF-8, not JSON, too deep, with a key given
            twice, half of a surrogate pair, or a number that is NaN, infinite or too long.
    """
    if len(payload) > limit:
        raise MessageError(f"payload of {len(payload)} bytes exceeds the limit of {limit}")
    try:
        text = bytes(payload).decode("utf-8")
    except UnicodeDecodeError as error:
        raise MessageError(f"payload is not UTF-8: byte {error.start}") from None
    try:
        tree = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(tree, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise MessageError("payload is nested too deeply") from None
    except UnicodeEncodeError:
        raise MessageError("payload holds half of a surrogate pair") from None
    except ValueError as error:
        raise MessageError(f"payload is not JSON: {error}") from None
    if _is_deeper(tree, MAX_DEPTH):
        raise MessageError("payload is nested too deeply")
    return tree


def encode_json(tree: Any) -> bytes:
    """Encode plain JSON values compactly; NaN and infinities are refused, for they are not JSON.

    Raises:
        MessageError: the tree holds what JSON cannot.
    """
    try:
        return to_json(tree).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise MessageError(f"cannot encode: {error}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError(f"{digits[:MAX_DIGITS]} is too large")
    return number


def _bounded(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"{digits[:MAX_DIGITS]}… has more than {MAX_DIGITS} digits")
    return int(digits)


def _is_deeper(tree: Any, limit: int) -> bool:
    level = [tree]
    for _ in range(limit + 1):
        level = [node for node in level if isinstance(node, dict | list)]
        if not level:
            return False
        level = [
            item for node in level for item in (node.values() if isinstance(node, dict) else node)
        ]
    return True


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise ValueError("a key is given twice")
    return tree


_DECODER = json.JSONDecoder(
    parse_constant=_no_constant,
    parse_float=_finite,
    parse_int=_bounded,
    object_pairs_hook=_no_twins,
)
