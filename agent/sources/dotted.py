"""Dotted paths into JSON; without numpy, for the main process follows some, too."""

from typing import Any


def at(tree: Any, path: str) -> Any:
    """Return what is at a path; a step is a key of an object or an index of a list.

    Raises:
        ValueError: it leads nowhere.
    """
    for step in path.split("."):
        if isinstance(tree, dict) and step in tree:
            tree = tree[step]
        elif isinstance(tree, list) and step.isdecimal() and len(step) < 7:
            if int(step) >= len(tree):
                raise ValueError(f"{path}: no such element")
            tree = tree[int(step)]
        else:
            raise ValueError(f"{path}: not there")
    return tree
