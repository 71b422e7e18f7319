"""Dotted keys and desired documents."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import ConfigError, UsageError
from broker.fleet.document import (
    Change,
    apply_changes,
    flatten,
    overlap,
    parse_changes,
    select,
    version_of,
)

names = st.from_regex(r"[a-z0-9_-]{1,4}", fullmatch=True)
paths = st.lists(names, min_size=1, max_size=4).map(tuple)
scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4)
trees = st.dictionaries(
    names,
    st.recursive(scalars, lambda inner: st.dictionaries(names, inner, max_size=3)),
    max_size=4,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b=0.5", 0.5),
        ("a.b=true", True),
        ("a.b=null", None),
        ('a.b={"c":[1]}', {"c": [1]}),
        ('a.b="7"', "7"),
        ("a.b=pi", "pi"),
        ("a.b=", ""),
        ("a.b=x=y", "x=y"),
        ("a.b=NaN", "NaN"),
        ("a.b={broken", "{broken"),
        ("a.b=\udcff", "\udcff"),
    ],
)
def test_values_are_json_where_they_are_json(text, value):
    assert parse_changes([text], []) == [Change(("a", "b"), value)]


@pytest.mark.parametrize(
    ("assignments", "removals"),
    [
        ([], []),
        (["a"], []),
        (["=1"], []),
        (["a..b=1"], []),
        (["a b=1"], []),
        ([".".join("a" * 13) + "=1"], []),
        (["version=5"], []),
        ([], ["version"]),
        (["a=1", "a=2"], []),
        (["a.b=1", "a=2"], []),
        (["a=1"], ["a.b"]),
        ([], [""]),
        (["é=1"], []),
    ],
)
def test_refused_changes(assignments, removals):
    with pytest.raises(UsageError) as refusal:
        parse_changes(assignments, removals)
    assert str(refusal.value).isprintable()


@given(st.text(max_size=60))
def test_any_text_as_assignment_is_read_or_refused(text):
    try:
        (change,) = parse_changes([text], [])
    except UsageError as refusal:
        line = str(refusal)
    else:
        line = ".".join(change.path)
        assert text.startswith(f"{line}=")
    assert line.isprintable()


@given(trees, paths, scalars)
def test_setting_sets_that_key_and_leaves_all_that_does_not_overlap(tree, path, value):
    before = json.dumps(tree)
    try:
        result = apply_changes(tree, [Change(path, value)], 7)
    except ConfigError:
        assert any(not isinstance(_get(tree, path[:n]), dict) for n in range(1, len(path)))
        return
    finally:
        assert json.dumps(tree) == before
    assert version_of(result) == 7
    if path[0] != "version":
        assert select(result, path) == value
    for key, old in flatten(tree):
        levels = tuple(key.split(".")) if key else ()
        if levels and not overlap(levels, path) and levels[0] != "version":
            assert select(result, levels) == old


def _get(tree, path):
    try:
        return select(tree, path)
    except KeyError:
        return {}


@given(trees, paths)
def test_unsetting_undoes_setting(tree, path):
    result = apply_changes(tree, [Change(path, remove=True)], 1)
    with pytest.raises(KeyError):
        select({key: value for key, value in result.items() if key != "version"}, path)
    if not any(overlap(path, tuple(key.split("."))) for key, _ in flatten(tree)):
        assert {**tree, "version": 1} == result


def test_unsetting_the_last_key_takes_the_empty_object_with_it():
    document = {"a": {"b": {"c": 1}}, "d": {"e": 1, "f": 2}}
    changes = parse_changes([], ["a.b.c", "d.e"])
    assert apply_changes(document, changes, 1) == {"d": {"f": 2}, "version": 1}


@pytest.mark.parametrize(
    ("given_version", "version"),
    [(None, 0), (3, 3), (-1, 0), (True, 0), ("3", 0), (2.0, 0), (2**60, 0)],
)
def test_version_counts_only_as_a_sane_integer(given_version, version):
    assert version_of({"version": given_version}) == version
    assert version_of({}) == 0
