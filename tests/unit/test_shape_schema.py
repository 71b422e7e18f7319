"""The generated JSON Schema and `parse` agree on every document; `jsonschema` is the oracle."""

from functools import cache
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agent.config.device import DeviceConfig, remote_schema
from broker.contract.messages import MESSAGES
from broker.contract.shape import Doc, Length, Range, json_schema, parse
from tests.support.shapes import near_trees, trees

KINDS = sorted(MESSAGES.values(), key=lambda kind: kind.__name__)


@cache
def validator(shape: Any, *, open_objects: bool) -> Draft202012Validator:
    schema = json_schema(shape, open_objects=open_objects)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def agree(shape: Any, tree: Any, *, lenient: bool) -> bool:
    """Whether both accept; they must not differ."""
    parsed = parse(shape, tree, unknown="ignore" if lenient else "refuse")
    refused = isinstance(parsed, list)
    faults = [fault.message for fault in validator(shape, open_objects=lenient).iter_errors(tree)]
    assert refused == bool(faults), (tree, parsed, faults)
    return not refused


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
@settings(max_examples=30)
def test_messages_that_fit_are_accepted_by_both(kind, data):
    assert agree(kind, data.draw(trees(kind)), lenient=True)


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
@settings(max_examples=40)
def test_messages_that_nearly_fit_are_judged_alike(kind, data):
    agree(kind, data.draw(near_trees(kind)), lenient=True)


@given(trees(DeviceConfig))
@settings(max_examples=30, deadline=None)
def test_configuration_that_fits_is_accepted_by_both(tree):
    assert agree(DeviceConfig, tree, lenient=False)


@given(near_trees(DeviceConfig))
@settings(max_examples=40, deadline=None)
def test_configuration_that_nearly_fits_is_judged_alike(tree):
    agree(DeviceConfig, tree, lenient=False)


@pytest.mark.parametrize(
    ("shape", "tree", "fits"),
    [
        (Literal[1, 2], True, False),
        (Literal[1, 2], 1, True),
        (Literal[1, 2], 1.0, True),
        (Literal[True], 1, False),
        (Literal["a"], None, False),
        (Literal["a"] | None, None, True),
        (int, 1.0, True),
        (int, 1.5, False),
        (int, True, False),
        (float, 1, True),
        (float, False, False),
        (str | None, None, True),
        (Annotated[str | None, Length(2)], None, True),
        (Annotated[str | None, Length(2)], "abc", False),
        (Annotated[float | None, Range(above=0)], 0, False),
        (Annotated[float, Range(above=0)], 5e-324, True),
        (Annotated[int, Range(0, 3), Doc("of four")], 4, False),
        (tuple[int, ...], [1, 2], True),
        (tuple[int, ...], [1, "2"], False),
        (tuple[int, ...], {"0": 1}, False),
        (Annotated[tuple[int, ...], Length(2, minimum=1)], [], False),
        (dict[str, int], {"a": 1}, True),
        (dict[str, int], [], False),
        (Annotated[dict[str, int], Length(1)], {"a": 1, "b": 2}, False),
        (int | str, "1", True),
        (int | str, None, False),
        (int | str | None, None, True),
        (dict[str, Any], {"a": [None]}, True),
    ],
)
def test_corners_are_judged_alike(shape, tree, fits):
    assert agree(shape, tree, lenient=False) is fits


def test_defaults_in_the_schema_fit_the_schema():
    def walk(node: Any) -> int:
        if not isinstance(node, dict):
            return 0
        if "default" in node:
            Draft202012Validator(node).validate(node["default"])
        return ("default" in node) + sum(map(walk, node.values())) + sum(map(walk, _items(node)))

    def _items(node: dict[str, Any]) -> list[Any]:
        return [*node.get("oneOf", []), *node.get("anyOf", [])]

    assert walk(json_schema(DeviceConfig)) > 40


def test_the_remote_schema_is_valid_and_has_no_link():
    schema = remote_schema()
    Draft202012Validator.check_schema(schema)
    assert "broker" not in schema["properties"]
