"""The commands and their options, as the front door and its parsers know them."""

import argparse
import importlib
from collections.abc import Iterator

import selvedge


def parsers() -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Name, purpose and parser of each command."""
    for name, (module, purpose) in selvedge.COMMANDS.items():
        parser = argparse.ArgumentParser(f"selvedge {name}", description=purpose)
        parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
        importlib.import_module(module).configure(parser)
        yield name, purpose, parser


def options(parser: argparse.ArgumentParser) -> list[str]:
    """Its long options."""
    words = [word for action in parser._actions for word in action.option_strings]
    return sorted(word for word in words if word.startswith("--"))
