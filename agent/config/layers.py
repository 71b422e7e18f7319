"""Layers of configuration: merging them, and taking in what is good of a remote one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.config.checks import contradictions
from agent.config.device import DeviceConfig, local_only
from agent.errors import ConfigError
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


def combine(over: Mapping[str, Any], under: Mapping[str, Any], base: Tree) -> Tree:
    """Return one patch that does to `base` what applying `under`, then `over`, does."""
    combined = dict(under)
    for key, value in over.items():
        if key not in under or not isinstance(value, Mapping):
            combined[key] = value
            continue
        before, held = base.get(key), under[key]
        between = merge({key: before}, {key: held}).get(key)
        kept = _mergeable(before, held) if isinstance(held, Mapping) else None
        if kept is not None and _mergeable(between, value) is not None:
            combined[key] = combine(value, held, kept)
        else:
            combined[key] = _turning(before, merge({key: between}, {key: value})[key])
    return combined


def _turning(before: Any, after: Mapping[str, Any]) -> Tree:
    """Return the patch that makes `after` of `before`, every key named."""
    kept = _mergeable(before, after)
    if kept is None:
        return dict(after)
    patch: Tree = dict.fromkeys(kept.keys() - after.keys())
    for key, value in after.items():
        patch[key] = _turning(kept.get(key), value) if isinstance(value, Mapping) else value
    return patch


def _mergeable(under: Any, patch: Mapping[str, Any]) -> Tree | None:
    if isinstance(under, dict) and patch.get("kind") in (None, under.get("kind")):
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
        layers: what the device itself says.
        wanted: the remote document, a JSON merge patch.
        accepted: the patch in force so far; where a new value is refused, its value stays.

    Raises:
        ConfigError: what the device itself says is not valid alone.
    """
    errors: dict[str, str] = {}
    patch = _without_local(wanted, errors)
    fallback = _without_local(accepted, {})
    tried: set[Path] = set()
    while True:
        remote = merge(layers.below, patch)
        config = check(merge(remote, layers.above))
        if isinstance(config, DeviceConfig):
            for path in _overridden(patch, remote, layers.above):
                errors.setdefault(".".join(path), "is overridden on the device itself")
            return Admitted(patch, config, errors)
        if not patch:
            raise ConfigError(str(config[0]))
        for fault, culprit in _culprits(patch, config):
            errors.setdefault(".".join(fault.path), fault.text)
            patch = _retreat(patch, fallback, culprit, tried)


def _overridden(patch: Tree, remote: Tree, above: Tree) -> list[Path]:
    final = merge(remote, above)
    return [
        path
        for path in leaves(patch)
        if get(patch, path) != {} and get(remote, path) != get(final, path)
    ]


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


def has(tree: Any, path: Path) -> bool:
    """Tell whether there is anything at `path`."""
    return get(tree, path) is not _ABSENT


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


def _without_local(tree: Mapping[str, Any], errors: dict[str, str], path: Path = ()) -> Tree:
    kept: Tree = {}
    for key, value in tree.items():
        here = (*path, key)
        if local_only(here):
            errors[".".join(here)] = "can be set on the device itself only"
        else:
            nested = isinstance(value, Mapping)
            kept[key] = _without_local(value, errors, here) if nested else value
    return kept


def _culprits(patch: Tree, faults: list[Fault]) -> list[tuple[Fault, Path]]:
    """Pair each fault with what of the patch must yield for it.

    That is the key at fault, where the patch itself sets it; only where it sets none of them is it
    the longest part of the path that it has, or everything.
    """
    pairs = [(fault, _held(patch, fault.path)) for fault in faults]
    exact = [
        (fault, held)
        for fault, held in pairs
        if held and (held == fault.path or not isinstance(get(patch, held), Mapping))
    ]
    return exact or pairs


def _held(patch: Tree, path: Path) -> Path:
    while path and get(patch, path) is _ABSENT:
        path = path[:-1]
    return path


def _retreat(patch: Tree, accepted: Tree, path: Path, tried: set[Path]) -> Tree:
    """Put the accepted value back at `path`; at the second fault there, remove it."""
    if not path:
        return {}
    before = _made(accepted, path)
    if path in tried:
        before = _ABSENT
    tried.add(path)
    return with_value(patch, path, before)


def _made(patch: Tree, path: Path) -> Any:
    """What a patch makes of `path`; below what it deletes, everything is deleted."""
    value: Any = patch
    for key in path:
        if value is None:
            return None
        value = get(value, (key,))
    return value
