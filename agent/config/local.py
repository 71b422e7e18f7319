"""The device's own layers: files, environment and command line, with the origin of each value."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from agent.config.device import DeviceConfig
from agent.config.layers import Layers, Tree, check, combine, leaves, merge, with_value
from agent.errors import ConfigError
from broker.contract.shape import to_tree
from broker.contract.shape.parse import Path

ENVIRONMENT_PREFIX = "SELVEDGE_"


def from_environment(environment: Mapping[str, str]) -> Tree:
    """Read `SELVEDGE_BROKER__URL=…` as `broker.url`; names in lower case, `__` between levels.

    Only names whose first level is a key of the configuration count.
    """
    known = DeviceConfig.__dataclass_fields__
    tree: Tree = {}
    for name in sorted(environment):
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        path = tuple(name[len(ENVIRONMENT_PREFIX) :].lower().split("__"))
        if path[0] in known and all(path):
            tree = with_value(tree, path, value_of(environment[name]))
    return tree


def from_assignments(assignments: Iterable[str]) -> Tree:
    """Read `a.b=value` words of a command line.

    Raises:
        ConfigError: a word has no key or no equals sign.
    """
    tree: Tree = {}
    for word in assignments:
        key, equals, text = word.partition("=")
        path = tuple(key.split("."))
        if not equals or not all(path):
            raise ConfigError(f"--set {word}: write it as key.key=value")
        tree = with_value(tree, path, value_of(text))
    return tree


def value_of(text: str) -> Any:
    """Read a value as JSON where it is JSON, else as the string that it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def stack(
    files: Iterable[tuple[str, Tree]], environment: Tree, command_line: Tree
) -> tuple[Layers, DeviceConfig]:
    """Build the device's own layers, and the configuration without anything remote.

    Args:
        files: (name, tree) of each file, the weakest first.

    Raises:
        ConfigError: a value is wrong; the text names the layer, the key and what would be right.
    """
    below: Tree = {}
    named = [(name, tree) for name, tree in files]
    for name, tree in (*named, ("environment", environment), ("command line", command_line)):
        result = check(merge(below, tree))
        if isinstance(result, list):
            more = f" (and {len(result) - 1} more)" if len(result) > 1 else ""
            raise ConfigError(f"{name}: {result[0]}{more}")
        below = merge(below, tree)
    files_tree: Tree = {}
    for _, tree in named:
        files_tree = merge(files_tree, tree)
    config = check(below)
    assert isinstance(config, DeviceConfig)
    return Layers(files_tree, combine(command_line, environment)), config


def origins(
    config: DeviceConfig, layers: Iterable[tuple[str, Tree]]
) -> dict[Path, tuple[Any, str]]:
    """Return every value in force by path, with the name of the strongest layer that set it.

    Args:
        layers: (name, tree), the weakest first; what none of them sets is `default`.
    """
    named = [(name, set(leaves(tree))) for name, tree in layers]
    found: dict[Path, tuple[Any, str]] = {}
    tree = to_tree(config)
    for path in leaves(tree):
        value = tree
        for key in path:
            value = value[key]
        origin = next((name for name, paths in reversed(named) if path in paths), "default")
        found[path] = (value, origin)
    return found
