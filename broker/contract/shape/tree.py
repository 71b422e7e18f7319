"""From typed values back to what `json.dumps` takes."""

import dataclasses
from typing import Any

from broker.contract.shape.parse import fields_of


def to_tree(value: Any) -> Any:
    """Turn dataclasses into plain JSON values; keys whose value is None are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        hints, _ = fields_of(type(value))
        named = ((name, getattr(value, name)) for name in hints)
        return {name: to_tree(item) for name, item in named if item is not None}
    if isinstance(value, dict):
        return {key: to_tree(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_tree(item) for item in value]
    return value
