"""The keys of JSON documents in words."""

import json
from collections.abc import Iterator
from typing import Any

from broker.contract.shape import json_schema
from docs.tables import dashed, table

Schema = dict[str, Any]


def document(kind: type) -> str:
    """The keys of a JSON document, and of every object in it."""
    name, text = dashed(kind.__name__), ""
    for title, schema in sections(name, json_schema(kind, open_objects=True)):
        heading = f"## {title}" if title == name else f"### `{title}`"
        source = f" Schema: [{name}.json](schemas/{name}.json)." if title == name else ""
        text += f"\n{heading}\n\n{schema['description']}{source}\n\n"
        text += table(["key", "value", "default", "meaning"], keys(schema))
    return text


def sections(title: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Every object of a schema, with the path that leads to it."""
    if "oneOf" in schema:
        for arm in schema["oneOf"]:
            yield from sections(f"{title} = {arm['properties']['kind']['enum'][0]}", arm)
    elif "properties" in schema:
        yield title, schema
        base = f"{title}." if title else ""
        for key, inner in schema["properties"].items():
            yield from sections(f"{base}{key}", inner)
    elif "properties" in schema.get("items", ()):
        yield from sections(f"{title}[]", schema["items"])
    elif isinstance(schema.get("additionalProperties"), dict):
        yield from sections(f"{title}.<name>", schema["additionalProperties"])


def keys(schema: Schema) -> Iterator[list[str]]:
    """One row for each key of an object: name, value, default, meaning."""
    for key, inner in schema["properties"].items():
        required = key in schema.get("required", ())
        default = inner.get("default")
        shown = (
            "required" if required else f"`{json.dumps(default)}`" if default is not None else ""
        )
        if isinstance(default, dict):
            shown = ""
        meaning = "" if "properties" in inner else inner.get("description", "")
        yield [f"`{key}`", value(inner), shown, meaning]


def value(schema: Schema) -> str:
    """What a key may hold, in words."""
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"] if choice is not None)
    if "oneOf" in schema or "properties" in schema:
        return "object, see below"
    if "anyOf" in schema:
        return " or ".join(value(arm) for arm in schema["anyOf"] if arm.get("type") != "null")
    kinds = schema.get("type", "any")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "array":
        entries = bounds(schema, "minItems", "maxItems", " entries")
        return f"list{entries}, each: {value(schema['items'])}"
    if kind == "object":
        inner = value(schema["additionalProperties"]) if schema["additionalProperties"] else ""
        return (
            inner
            if inner.startswith("object")
            else "object" + (f", each: {inner}" if inner else "")
        )
    if kind == "string":
        meaning = f": {schema['$comment']}" if "$comment" in schema else ""
        return "string" + meaning + bounds(schema, "minLength", "maxLength", " characters")
    above = f" above {schema['exclusiveMinimum']}" if "exclusiveMinimum" in schema else ""
    return kind + above + bounds(schema, "minimum", "maximum")


def bounds(schema: Schema, lowest: str, highest: str, unit: str = "") -> str:
    """Lower and upper bound in words; bounds that say nothing are left out."""
    low, high = schema.get(lowest), schema.get(highest)
    low = None if unit and low == 0 else low
    high = None if high == 2**53 - 1 else high
    if low is not None and high is not None:
        return f", {low} to {high}{unit}" if low != high else f", {low}{unit}"
    if low is not None:
        return f", at least {low}{unit}"
    return f", at most {high}{unit}" if high is not None else ""
