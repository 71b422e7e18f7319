"""The command line in words."""

import argparse

from docs.tables import table
from selvedge import COMMANDS, parser_of

OF_EVERY_COMMAND = ("help", "json")


def cli() -> str:
    """Every command with its arguments."""
    text = (
        "# Command line\n\n"
        "Every command takes `--json`: one JSON object on stdout and nothing else there. A\n"
        "refusal is one line on stderr. Exit codes: [exit-codes.md](exit-codes.md).\n"
    )
    for name, (_, meaning) in COMMANDS.items():
        parser = parser_of(name)
        # There is no public way to list arguments, and the layout of help differs by version.
        actions = [one for one in parser._actions if one.dest not in OF_EVERY_COMMAND]
        usage = " ".join([f"selvedge {name}", *map(usage_of, actions)])
        text += (
            f"\n## `selvedge {name}`\n\n{meaning[0].upper()}{meaning[1:]}.\n\n```\n{usage}\n```\n"
        )
        if rows := [argument(action) for action in actions]:
            text += "\n" + table(["argument", "default", "meaning"], rows)
        if parser.epilog:
            text += f"\n{parser.epilog}\n"
    return text


def usage_of(action: argparse.Action) -> str:
    """One argument as in a line of usage."""
    shown = " ".join([*action.option_strings[-1:], *metavar(action)])
    if action.nargs in ("+", "*"):
        shown += " …"
    return shown if is_required(action) else f"[{shown}]"


def is_required(action: argparse.Action) -> bool:
    """Whether a command without this argument is refused; versions of Python differ about `*`."""
    return action.required if action.option_strings else action.nargs not in ("?", "*")


def metavar(action: argparse.Action) -> list[str]:
    """The name of an argument's value, or nothing for a switch."""
    if action.nargs == 0:
        return []
    if action.choices and not action.metavar:
        return ["|".join(map(str, action.choices))]
    return [str(action.metavar or action.dest.upper())]


def argument(action: argparse.Action) -> list[str]:
    """One row about an argument."""
    default = ",".join(action.default) if isinstance(action.default, list) else action.default
    shown = "" if default in (None, "") or default is False else f"`{default}`"
    name = " ".join([", ".join(action.option_strings), *metavar(action)]).strip()
    meaning = (action.help or "").replace("%(default)s", str(default))
    return [f"`{name}`", "required" if is_required(action) else shown, meaning]
