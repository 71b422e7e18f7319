"""The device's own layers: files, environment and command line, with the origin of each value."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from agent.config.device import DeviceConfig
from agent.config.layers import Layers, Tree, check, combine, get, has, leaves, merge, with_value
from agent.errors import ConfigError
from broker.contract.shape import json_schema, to_tree
from broker.contract.shape.constraints import shorten
from broker.contract.shape.parse import Path

ENVIRONMENT_PREFIX = "SELVEDGE_"
MAX_LEVELS = 16
"""No key lies so deep."""


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
        if path[0] in known and all(path) and len(path) <= MAX_LEVELS:
            tree = with_value(tree, path, value_of(path, environment[name]))
    return tree


def from_assignments(assignments: Iterable[str]) -> Tree:
    """Read `a.b=value` words of a command line.

    Raises:
        ConfigError: a word has no key or no equals sign, or more levels than any key has.
    """
    tree: Tree = {}
    for word in assignments:
        key, equals, text = word.partition("=")
        path = tuple(key.split("."))
        if not equals or not all(path) or len(path) > MAX_LEVELS:
            raise ConfigError(f"--set {shorten(word)}: write it as key.key=value")
        tree = with_value(tree, path, value_of(path, text))
    return tree


def value_of(path: Path, text: str) -> Any:
    """Read a value as JSON where it is JSON, else, or where its key calls for text, as it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if not isinstance(value, str | None) and _calls_for_text(path) else value


def _calls_for_text(path: Path) -> bool:
    nodes = [json_schema(DeviceConfig)]
    for key in path:
        arms = [arm for node in nodes for arm in (node, *node.get("oneOf", ()))]
        below = [
            arm.get("properties", {}).get(key, arm.get("additionalProperties")) for arm in arms
        ]
        nodes = [node for node in below if isinstance(node, dict)]
    return any(
        "string" in node.get("type", ()) or isinstance(node.get("enum", [None])[0], str)
        for node in nodes
    )


def stack(
    files: Iterable[tuple[str, Tree]], environment: Tree, command_line: Tree
) -> tuple[Layers, DeviceConfig]:
    """Build the device's own layers, and the configuration without anything remote.

    Args:
        files: (name, tree) of each file, the weakest first.

    Raises:
        ConfigError: a value is wrong; the text names the layer, the key and what would be right.
    """
    named = [(name, tree) for name, tree in files]
    below: Tree = {}
    config = DeviceConfig()
    for name, tree in named:
        below = merge(below, tree)
        config = _checked(name, below)
    above: Tree = {}
    for name, tree in (("environment", environment), ("command line", command_line)):
        above = combine(tree, above, below)
        config = _checked(name, merge(below, above))
    return Layers(below, above), config


def _checked(name: str, tree: Tree) -> DeviceConfig:
    config = check(tree)
    if isinstance(config, list):
        more = f" (and {len(config) - 1} more)" if len(config) > 1 else ""
        raise ConfigError(f"{name}: {config[0]}{more}")
    return config


def origins(
    config: DeviceConfig, layers: Iterable[tuple[str, Tree]]
) -> dict[Path, tuple[Any, str]]:
    """Return every value in force by path, with the name of the strongest layer that set it.

    Args:
        layers: (name, tree), the weakest first; what none of them sets is `default`.
    """
    merged: Tree = {}
    origin: dict[Path, str] = {}
    for name, layer in layers:
        merged = merge(merged, layer)
        origin |= dict.fromkeys(leaves(layer), name)
    tree = to_tree(config)
    return {
        path: (get(tree, path), origin.get(path, "default") if has(merged, path) else "default")
        for path in leaves(tree)
    }
