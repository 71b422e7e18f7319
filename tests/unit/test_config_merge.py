"""Merging of configuration trees: RFC 7396 but for `kind`, and patches that stand for two."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.layers import combine, get, has, leaves, merge, with_value

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/merge_patch.json").read_text())

KEYS = st.sampled_from(["a", "b", "c", "kind"])
SCALARS = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["x", "y"])
VALUES = st.recursive(
    SCALARS | st.lists(st.integers(0, 1), max_size=2),
    lambda inner: st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
PATCHES = st.dictionaries(KEYS, VALUES, max_size=4)
BASES = PATCHES.map(lambda patch: merge({}, patch))


def rfc7396(target: Any, patch: Any) -> Any:
    """The pseudocode of RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = rfc7396(result.get(name), value)
    return result


@pytest.mark.parametrize(("original", "patch", "result"), VECTORS["cases"])
def test_the_appendix_of_rfc_7396(original: Any, patch: Any, result: Any) -> None:
    wrapped = {} if result is None else {"under": result}  # one level down, null deletes
    assert merge({"under": original}, {"under": patch}) == wrapped
    if isinstance(original, dict) and isinstance(patch, dict):
        assert merge(original, patch) == result


@pytest.mark.parametrize(("original", "patch", "result"), VECTORS["kinds"])
def test_an_object_of_another_kind_replaces(original: Any, patch: Any, result: Any) -> None:
    assert merge(original, patch) == result


@given(BASES, PATCHES)
def test_without_kinds_it_is_rfc_7396(base: Any, patch: Any) -> None:
    base, patch = _renamed(base), _renamed(patch)
    assert merge(base, patch) == rfc7396(base, patch)


@given(BASES, PATCHES)
def test_merge_leaves_its_arguments_alone_and_leaves_no_null(base: Any, patch: Any) -> None:
    before = json.dumps([base, patch])
    merged = merge(base, patch)
    assert json.dumps([base, patch]) == before
    assert all(get(merged, path) is not None for path in leaves(merged))


@given(BASES, PATCHES, PATCHES)
def test_a_combined_patch_does_what_both_do_in_turn(base: Any, under: Any, over: Any) -> None:
    before = json.dumps([base, under, over])
    assert merge(base, combine(over, under, base)) == merge(merge(base, under), over)
    assert json.dumps([base, under, over]) == before


def test_a_key_of_both_patches_is_kept_though_it_equals_the_base() -> None:
    assert combine({"b": 1}, {"a": 1}, {"a": 1, "b": 1}) == {"a": 1, "b": 1}
    assert combine({}, {"a": None}, {}) == {"a": None}


@given(PATCHES)
def test_leaves_name_every_value_that_get_finds(tree: Any) -> None:
    paths = list(leaves(tree))
    assert len(set(paths)) == len(paths)
    for path in paths:
        value = get(tree, path)
        assert has(tree, path)
        assert not (isinstance(value, dict) and value)
    rebuilt: dict[str, Any] = {}
    for path in paths:
        rebuilt = with_value(rebuilt, path, get(tree, path))
    assert rebuilt == tree


@given(PATCHES, st.lists(KEYS, min_size=1, max_size=4).map(tuple))
def test_with_value_sets_and_removes_one_path(tree: Any, path: tuple[str, ...]) -> None:
    before = json.dumps(tree)
    changed = with_value(tree, path, "new")
    assert get(changed, path) == "new"
    assert not has(with_value(changed, path, get({}, ("nothing",))), path)
    assert json.dumps(tree) == before


def _renamed(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {("k" if key == "kind" else key): _renamed(value) for key, value in tree.items()}
    return tree
