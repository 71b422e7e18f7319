"""The commands and their options, as the front door and its parsers know them."""

import argparse
from collections.abc import Iterator

import selvedge


def parsers() -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Name, purpose and parser of each command."""
    for name, (_, purpose) in selvedge.COMMANDS.items():
        yield name, purpose, selvedge.parser_of(name)


def options(parser: argparse.ArgumentParser) -> list[str]:
    """Its long options."""
    words = [word for action in parser._actions for word in action.option_strings]
    return sorted(word for word in words if word.startswith("--"))
