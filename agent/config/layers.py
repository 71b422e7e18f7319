"""Layers of configuration: merging them, and taking in what is good of a remote one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.config.checks import contradictions
from agent.config.device import DeviceConfig, local_only
from broker.contract.shape import Fault, parse
from broker.contract.shape.parse import Path

Tree = dict[str, Any]
_ABSENT = object()


@dataclass(frozen=True)
class Layers:
    """What the device itself says: `below` (its files) yields to remote, `above` does not."""

    below: Tree = field(default_factory=dict)
    above: Tree = field(default_factory=dict)


@dataclass(frozen=True)
class Admitted:
    """What became of a remote document.

    Attributes:
        patch: the part of it that is in force; to be remembered.
        config: the whole configuration with it.
        errors: dotted key to the reason it was refused.
    """

    patch: Tree
    config: DeviceConfig
    errors: dict[str, str]


def merge(base: Tree, patch: Mapping[str, Any]) -> Tree:
    """Return `base` with a JSON merge patch applied (RFC 7396): null deletes, objects merge.

    An object of another `kind` replaces the one that was there, whose keys mean nothing to it.
    """
    merged = dict(base)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            under = merged.get(key)
            merged[key] = merge(_mergeable(under, value) or {}, value)
        else:
            merged[key] = value
    return merged


def combine(over: Mapping[str, Any], under: Tree) -> Tree:
    """Return one patch that does what applying `under`, then `over`, does; nulls are kept."""
    combined = dict(under)
    for key, value in over.items():
        held = combined.get(key)
        under_it = _mergeable(held, value) if isinstance(value, Mapping) else None
        combined[key] = value if under_it is None else combine(value, under_it)
    return combined


def _mergeable(under: Any, patch: Mapping[str, Any]) -> Tree | None:
    if isinstance(under, dict) and patch.get("kind", under.get("kind")) == under.get("kind"):
        return under
    return None


def check(tree: Tree) -> DeviceConfig | list[Fault]:
    """Parse a whole configuration, contradictions between keys included."""
    config = parse(DeviceConfig, tree)
    if isinstance(config, list):
        return config
    assert isinstance(config, DeviceConfig)
    return contradictions(config) or config


def admit(layers: Layers, wanted: Tree, accepted: Tree) -> Admitted:
    """Take in every good key of a remote document; a bad one never undoes a good one.

    Args:
        layers: what the device itself says; it must be valid alone.
        wanted: the remote document, a JSON merge patch.
        accepted: the patch in force so far; where a new value is refused, its value stays.
    """
    errors: dict[str, str] = {}
    patch = _without_local(wanted, errors)
    tried: set[Path] = set()
    while True:
        config = check(merge(merge(layers.below, patch), layers.above))
        if isinstance(config, DeviceConfig):
            for path in leaves(patch):
                if get(layers.above, path) is not _ABSENT:
                    errors.setdefault(".".join(path), "is overridden on the device itself")
            return Admitted(patch, config, errors)
        for fault in config:
            errors.setdefault(".".join(fault.path), fault.text)
            patch = _retreat(patch, accepted, _culprit(patch, fault.path), tried)


def leaves(tree: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    """Yield the path of every value that is not an object with something in it."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def get(tree: Any, path: Path) -> Any:
    """Return what is at `path`, or a sentinel that equals nothing."""
    for key in path:
        if not isinstance(tree, Mapping) or key not in tree:
            return _ABSENT
        tree = tree[key]
    return tree


def with_value(tree: Tree, path: Path, value: Any) -> Tree:
    """Return a copy of `tree` with `path` set, or removed when `value` is the sentinel."""
    head, *rest = path
    copy = dict(tree)
    if rest:
        under = copy.get(head)
        copy[head] = with_value(under if isinstance(under, dict) else {}, tuple(rest), value)
    elif value is _ABSENT:
        copy.pop(head, None)
    else:
        copy[head] = value
    return copy


def _without_local(wanted: Tree, errors: dict[str, str]) -> Tree:
    patch = wanted
    for path in leaves(wanted):
        if local_only(path):
            errors[".".join(path)] = "can be set on the device itself only"
            patch = with_value(patch, path, _ABSENT)
    return patch


def _culprit(patch: Tree, path: Path) -> Path:
    """The longest part of a fault's path that the patch itself has; its whole top if none."""
    while path and get(patch, path) is _ABSENT:
        path = path[:-1]
    return path


def _retreat(patch: Tree, accepted: Tree, path: Path, tried: set[Path]) -> Tree:
    """Put the accepted value back at `path`; at the second fault there, remove it."""
    if not path:
        return {}
    before = get(accepted, path)
    if path in tried:
        before = _ABSENT
    tried.add(path)
    return with_value(patch, path, before)
