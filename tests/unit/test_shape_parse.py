"""`parse` names every fault with its path, and what would be right, in one bounded line."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings

from agent.config.device import DeviceConfig
from broker.contract.shape import Fault, Length, Pattern, Range, parse, to_tree
from broker.contract.shape.parse import MAX_FAULTS
from tests.support.shapes import JSON, near_trees, trees


@dataclass(frozen=True)
class Round:
    kind: Literal["round"]
    radius: Annotated[float, Range(above=0, maximum=10)]


@dataclass(frozen=True)
class Square:
    kind: Literal["square"]
    side: Annotated[int, Range(1)] = 1


@dataclass(frozen=True)
class Drawing:
    name: Annotated[str, Pattern("[a-z]+", "small letters")]
    figures: Annotated[tuple[Round | Square, ...], Length(3)] = ()
    tags: dict[str, int] = field(default_factory=dict)
    note: str | None = None


@pytest.mark.parametrize(
    ("tree", "fault"),
    [
        ([], "document: must be an object, got []"),
        ({}, "name: is missing"),
        ({"name": "A"}, "name: must be small letters, got 'A'"),
        ({"name": "a\n"}, "name: must be small letters, got 'a\\n'"),
        ({"name": 1}, "name: must be a string, got 1"),
        ({"name": "a", "figurs": []}, "figurs: is not a known key; did you mean figures?"),
        (
            {"name": "a", "zzz": 1},
            "zzz: is not a known key; known are figures, name, note, tags",
        ),
        ({"name": "a", "tags": {"x": 1.5}}, "tags.x: must be a whole number, got 1.5"),
        ({"name": "a", "tags": {"x": True}}, "tags.x: must be a whole number, got True"),
        ({"name": "a", "figures": 3}, "figures: must be a list, got 3"),
        ({"name": "a", "figures": [{}]}, "figures.0.kind: is missing; choose from round, square"),
        (
            {"name": "a", "figures": [{"kind": "oval"}]},
            "figures.0.kind: 'oval' is unknown; choose from round, square",
        ),
        (
            {"name": "a", "figures": [{"kind": "round", "radius": -1}]},
            "figures.0.radius: must be above 0, got -1",
        ),
        (
            {"name": "a", "figures": [{"kind": "round", "radius": 10**400}]},
            "figures.0.radius: must be a finite number",
        ),
        (
            {"name": "a", "figures": [{"kind": "square", "side": 0}]},
            "figures.0.side: must be at least 1, got 0",
        ),
        (
            {"name": "a", "figures": [{"kind": "square"}] * 4},
            "figures: must have 0 to 3 entries, has 4",
        ),
        ({"name": "a", "note": 1}, "note: must be a string, got 1"),
    ],
)
def test_a_fault_says_where_and_what_would_be_right(tree, fault):
    assert [str(each) for each in parse(Drawing, tree)] == [fault]


def test_every_fault_is_reported_in_the_order_of_the_shape():
    faults = parse(Drawing, {"tags": 1, "note": 2})
    assert [fault.path for fault in faults] == [("name",), ("tags",), ("note",)]


def test_messages_ignore_what_configuration_refuses():
    tree = {"name": "a", "newer": 1, "figures": [{"kind": "square", "newer": 2}]}
    assert parse(Drawing, tree, unknown="ignore") == Drawing("a", (Square("square"),))
    assert {fault.path for fault in parse(Drawing, tree)} == {("newer",), ("figures", "0", "newer")}


def test_a_misspelt_key_of_the_configuration_gets_the_right_one():
    faults = parse(DeviceConfig, {"metrics_intervall_s": 5})
    assert str(faults[0]).endswith("did you mean metrics_interval_s?")


def test_a_hostile_document_is_refused_within_bounds():
    faults = parse(DeviceConfig, {f"key{i}\n{'x' * 300}": 1 for i in range(20_000)})
    assert len(faults) == MAX_FAULTS
    assert all(len(str(fault)) < 300 and "\n" not in str(fault) for fault in faults)


def test_beyond_the_last_kept_fault_nothing_is_built_from_missing_parts():
    tree = {"pipelines": {f"p{i}": {"source": {"kind": "replay"}} for i in range(200)}}
    faults = parse(DeviceConfig, tree)
    assert len(faults) == MAX_FAULTS
    assert all(isinstance(fault, Fault) for fault in faults)


@given(near_trees(DeviceConfig))
@settings(max_examples=40, deadline=None)
def test_any_document_ends_in_a_value_or_in_faults(tree):
    parsed = parse(DeviceConfig, tree)
    if isinstance(parsed, list):
        assert parsed
        assert all(str(fault) and "\n" not in str(fault) for fault in parsed)
    else:
        assert isinstance(parsed, DeviceConfig)


@given(JSON)
def test_any_json_is_refused_or_parsed(tree):
    assert isinstance(parse(Drawing, tree), list | Drawing)


@given(trees(DeviceConfig))
@settings(max_examples=30, deadline=None)
def test_to_tree_is_the_inverse_of_parse(tree):
    parsed = parse(DeviceConfig, tree)
    assert parse(DeviceConfig, to_tree(parsed)) == parsed
