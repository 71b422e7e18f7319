"""Hypothesis strategies that follow a shape: JSON trees that fit it, and trees that nearly do."""

import dataclasses
import types
from typing import Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st

from broker.contract.shape import Length, Pattern, Range
from broker.contract.shape.parse import fields_of


def texts(low: int = 0, high: int = 20) -> st.SearchStrategy[str]:
    """Strings without a newline at the end: Python's $ matches before it, ECMAScript's does not."""
    letters = st.characters(exclude_categories=["Cs"])
    return st.text(letters, min_size=low, max_size=high).filter(
        lambda text: not text.endswith("\n")
    )


TEXT = texts()
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(-1e9, 1e9)
    | st.sampled_from([0, 1, 1.0, -1, 0.5])
    | TEXT
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def trees(shape: Any, *bounds: Any) -> st.SearchStrategy[Any]:
    """Trees that fit `shape`."""
    if hasattr(shape, "__metadata__"):
        return trees(shape.__origin__, *bounds, *shape.__metadata__)
    if dataclasses.is_dataclass(shape):
        hints, required = fields_of(shape)
        return st.fixed_dictionaries(
            {name: trees(hint) for name, hint in hints.items() if name in required},
            optional={name: trees(hint) for name, hint in hints.items() if name not in required},
        )
    origin, arguments = get_origin(shape), get_args(shape)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, types.UnionType):
        arms = [arm for arm in arguments if arm is not type(None)]
        null = [st.none()] if len(arms) < len(arguments) else []
        return st.one_of(*[trees(arm, *bounds) for arm in arms], *null)
    low, high = _lengths(bounds)
    if origin in (list, tuple):
        return st.lists(trees(arguments[0]), min_size=low, max_size=min(high, low + 2))
    if origin is dict:
        key, item = map(trees, arguments)
        return st.dictionaries(key, item, min_size=low, max_size=min(high, low + 2))
    return _scalars(shape, bounds)


def _scalars(shape: Any, bounds: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    ranges = [bound for bound in bounds if isinstance(bound, Range)]
    lowest = max([-1e9, *(r.minimum for r in ranges if r.minimum is not None)])
    highest = min([2**53 - 1, *(r.maximum for r in ranges if r.maximum is not None)])
    above = max([lowest, *(r.above for r in ranges if r.above is not None)])
    if shape is bool:
        return st.booleans()
    if shape is int:
        return st.integers(int(lowest), int(highest))
    if shape is float:
        return st.floats(above, highest, exclude_min=above > lowest or above in _above(ranges))
    if shape is str:
        for bound in bounds:
            if isinstance(bound, Pattern):
                return st.from_regex(bound.regex, fullmatch=True).filter(
                    lambda text: (
                        not text.endswith("\n") and not any(b.broken_by(text) for b in bounds)
                    )
                )
        return texts(*_lengths(bounds))
    return JSON


def _above(ranges: list[Range]) -> list[float]:
    return [bound.above for bound in ranges if bound.above is not None]


def _lengths(bounds: tuple[Any, ...]) -> tuple[int, int]:
    lengths = [bound for bound in bounds if isinstance(bound, Length)]
    return max([0, *(b.minimum for b in lengths)]), min([20, *(b.maximum for b in lengths)])


@st.composite
def near_trees(draw: st.DrawFn, shape: Any) -> Any:
    """Trees that fit, and such with up to two places spoilt."""
    tree = draw(trees(shape))
    for _ in range(draw(st.integers(0, 2))):
        tree = _spoilt(draw, tree)
    return tree


def _spoilt(draw: st.DrawFn, tree: Any) -> Any:
    if isinstance(tree, dict) and tree and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(tree)))
        match draw(st.sampled_from(["deeper", "deeper", "drop", "add"])):
            case "drop":
                return {name: item for name, item in tree.items() if name != key}
            case "add":
                return {**tree, draw(TEXT): draw(SCALARS)}
        return {**tree, key: _spoilt(draw, tree[key])}
    if isinstance(tree, list) and tree and draw(st.booleans()):
        index = draw(st.integers(0, len(tree) - 1))
        return [*tree[:index], _spoilt(draw, tree[index]), *tree[index + 1 :]]
    return draw(JSON)
