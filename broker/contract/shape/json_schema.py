"""JSON Schema (draft 2020-12) of the same shapes that `parse` reads."""

import dataclasses
import types
from typing import Any, Literal, Union, get_args, get_origin

from broker.contract.shape.parse import fields_of
from broker.contract.shape.tree import to_tree

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TYPES: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def json_schema(shape: Any, *, open_objects: bool = False) -> dict[str, Any]:
    """Return the JSON Schema of `shape`.

    Args:
        shape: what `parse` takes.
        open_objects: allow keys that the shape does not name, as messages do.
    """
    return {"$schema": DRAFT, **_any(shape, open_objects)}


def _any(shape: Any, open_objects: bool) -> dict[str, Any]:
    if hasattr(shape, "__metadata__"):
        schema = _any(shape.__origin__, open_objects)
        for constraint in shape.__metadata__:
            kind = schema.get("type", "")
            schema |= constraint.schema(kind if isinstance(kind, str) else kind[0])
        return schema
    if dataclasses.is_dataclass(shape):
        return _dataclass(shape, open_objects)
    origin = get_origin(shape)
    if origin is Literal:
        return {"enum": list(get_args(shape))}
    if origin in (Union, types.UnionType):
        return _union(get_args(shape), open_objects)
    if origin in (list, tuple):
        return {"type": "array", "items": _any(get_args(shape)[0], open_objects)}
    if origin is dict:
        key, item = (_any(arg, open_objects) for arg in get_args(shape))
        named = {"propertyNames": key} if "pattern" in key else {}
        return {"type": "object", **named, "additionalProperties": item}
    return {"type": _TYPES[shape]} if shape in _TYPES else {}


def _union(arms: tuple[Any, ...], open_objects: bool) -> dict[str, Any]:
    schemas = [_any(arm, open_objects) for arm in arms if arm is not type(None)]
    optional = len(schemas) < len(arms)
    if len(schemas) > 1:
        named = all(dataclasses.is_dataclass(arm) for arm in arms if arm is not type(None))
        null = [{"type": "null"}] if optional else []
        return {"oneOf" if named else "anyOf": [*schemas, *null]}
    schema = schemas[0]
    if optional and "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    elif optional and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    return schema


def _dataclass(shape: Any, open_objects: bool) -> dict[str, Any]:
    hints, required = fields_of(shape)
    properties = {name: _any(hint, open_objects) for name, hint in hints.items()}
    for field in dataclasses.fields(shape):
        if field.default is not dataclasses.MISSING and field.default is not None:
            properties[field.name]["default"] = to_tree(field.default)
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if doc := (shape.__doc__ or "").strip():
        schema["description"] = doc.splitlines()[0]
    if needed := [name for name in hints if name in required]:
        schema["required"] = needed
    if not open_objects:
        schema["additionalProperties"] = False
    return schema
