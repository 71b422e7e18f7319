"""The page `selvedge(1)`, written from the parsers."""

import argparse
import gzip

from broker.contract.exit_code import MEANINGS
from broker.contract.version import VERSION
from deploy.package.commands_of_selvedge import parsers

FILES = {
    "/etc/selvedge/*.toml": "configuration of the agent, in order of name",
    "/etc/selvedge/credentials": "ca.crt, client.crt, client.key: for root alone; the service gets "
    "copies",
    "/var/lib/selvedge": "what must last: results on their way, desired configuration",
}


def compressed() -> bytes:
    """The page as `man` wants it; equal sources give equal bytes."""
    return gzip.compress(page().encode(), 9, mtime=0)


def page() -> str:
    """The page in the language of man(7)."""
    lines = [
        f'.TH SELVEDGE 1 "" "selvedge {VERSION}"',
        ".SH NAME",
        "selvedge \\- edge AI agent and its tools",
        ".SH SYNOPSIS",
        ".B selvedge",
        ".I command",
        r"[\-\-json] ...",
        ".SH COMMANDS",
    ]
    for name, purpose, parser in parsers():
        lines += [f".SS selvedge {_escaped(name)}", _escaped(purpose) + "."]
        for action in parser._actions:
            if action.help != argparse.SUPPRESS and "--help" not in action.option_strings:
                lines += [".TP", rf"\fB{_escaped(_shown(action))}\fR", _escaped(_help(action))]
        if parser.epilog:
            lines += [".PP", _escaped(parser.epilog)]
    lines += [".SH FILES"]
    for path, meaning in FILES.items():
        lines += [".TP", rf"\fI{_escaped(path)}\fR", _escaped(meaning)]
    lines += [".SH EXIT STATUS"]
    for code, meaning in MEANINGS.items():
        lines += [".TP", str(int(code)), _escaped(meaning)]
    return "\n".join([*lines, ""])


def _shown(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if not action.option_strings:
        return value
    words = ", ".join(action.option_strings)
    return words if action.nargs == 0 else f"{words} {value}"


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")


def _escaped(text: str) -> str:
    safe = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{safe}" if safe.startswith((".", "'")) else safe
