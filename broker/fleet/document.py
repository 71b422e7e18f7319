"""Desired documents: dotted keys in, a new document out."""

import re
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from broker.contract.codec import decode_json
from broker.contract.errors import MessageError
from broker.contract.shape.constraints import shorten
from broker.errors import ConfigError, UsageError

VERSION = "version"
MAX_LEVELS = 12
_LEVEL = r"[A-Za-z0-9_-]{1,64}"
Tree = dict[str, Any]
KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One key to set, or to remove where `remove` is true."""

    path: KeyPath
    value: Any = None
    remove: bool = False


def parse_key(text: str) -> KeyPath:
    """Split a dotted key.

    Raises:
        UsageError: an empty, strange or too deep key.
    """
    levels = tuple(text.split("."))
    if len(levels) > MAX_LEVELS or not all(re.fullmatch(_LEVEL, level) for level in levels):
        raise UsageError(f"key {shorten(text)} is refused: use names of a-z 0-9 _ - with dots")
    return levels


def parse_changes(assignments: Iterable[str], removals: Iterable[str]) -> list[Change]:
    """Read `KEY=VALUE` and `--unset KEY`; a value that is not JSON is a string.

    Raises:
        UsageError: no change at all, no `=`, a strange key, or one that another contradicts.
    """
    changes = []
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{shorten(text)} is refused: use KEY=VALUE")
        changes.append(Change(parse_key(key), _value(value)))
    changes += [Change(parse_key(key), remove=True) for key in removals]
    if not changes:
        raise UsageError("nothing to change: give KEY=VALUE or --unset KEY")
    for at, change in enumerate(changes):
        if change.path == (VERSION,):
            raise UsageError("version is counted by this command and cannot be set")
        for other in changes[:at]:
            if overlap(change.path, other.path):
                keys = f"{'.'.join(other.path)} and {'.'.join(change.path)}"
                raise UsageError(f"{keys} contradict each other: give one of them")
    return changes


def read_document(payload: bytes) -> Tree:
    """Read a desired document; nothing retained is an empty one.

    Raises:
        MessageError: it is not a JSON object.
    """
    document = decode_json(payload) if payload else {}
    if not isinstance(document, dict):
        raise MessageError("it is not a JSON object")
    return document


def version_of(document: Tree) -> int:
    """The document's version; 0 where it has none that counts."""
    version = document.get(VERSION)
    return version if type(version) is int and 0 <= version < 2**53 - 1 else 0


def apply_changes(document: Tree, changes: Sequence[Change], version: int) -> Tree:
    """Return a new document of the given version.

    Raises:
        ConfigError: a key lies below one that is no object.
    """
    result = deepcopy(document)
    for change in changes:
        if change.remove:
            _remove(result, change.path)
        else:
            _set(result, change)
    return {**result, VERSION: version}


def overlap(one: KeyPath, other: KeyPath) -> bool:
    """Whether one key is the other, above it or below it."""
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]


def select(tree: Any, path: KeyPath) -> Any:
    """The value at a key.

    Raises:
        KeyError: there is none.
    """
    for level in path:
        if not isinstance(tree, dict):
            raise KeyError(level)
        tree = tree[level]
    return tree


def flatten(tree: Any, path: KeyPath = ()) -> list[tuple[str, Any]]:
    """Dotted keys and values of a tree's leaves; an empty object is a leaf."""
    if isinstance(tree, dict) and (tree or not path):
        pairs = (flatten(value, (*path, str(key))) for key, value in tree.items())
        return [pair for group in pairs for pair in group]
    return [(".".join(path), tree)]


def _value(text: str) -> Any:
    try:
        return decode_json(text.encode())
    except (MessageError, UnicodeEncodeError):
        return text


def _set(tree: Tree, change: Change) -> None:
    *parents, last = change.path
    for depth, level in enumerate(parents, 1):
        tree = tree.setdefault(level, {})
        if not isinstance(tree, dict):
            above = ".".join(change.path[:depth])
            raise ConfigError(f"{'.'.join(change.path)}: {above} is a value, not an object")
    tree[last] = change.value


def _remove(tree: Any, path: KeyPath) -> None:
    level, *rest = path
    if not isinstance(tree, dict) or level not in tree:
        return
    if rest:
        _remove(tree[level], tuple(rest))
    if not rest or tree[level] == {}:
        del tree[level]
