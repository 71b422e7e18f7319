"""`selvedge agent`."""

import argparse
import logging
import os
import sys

from agent.adapters.config_files import read_files
from agent.app import run as run_agent
from agent.config.layers import Tree
from agent.config.local import from_assignments, from_environment, stack
from broker.contract.outcome import Outcome

SYSLOG_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    add_config_options(parser)
    parser.add_argument("--broker", metavar="URL", help="mqtt://host[:port] or mqtts://…")
    parser.add_argument("--device", metavar="ID", help="this device's name in the contract")
    parser.add_argument("--state", metavar="DIR", help="where the agent keeps what must last")


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Options that name layers of configuration."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        action="append",
        default=[],
        help="a TOML file; may be given again; /etc/selvedge/*.toml if left out",
    )
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="e.g. log_level=debug"
    )


def command_line(arguments: argparse.Namespace) -> Tree:
    """The strongest layer of configuration."""
    named = {
        "broker.url": getattr(arguments, "broker", None),
        "device_id": getattr(arguments, "device", None),
        "state_dir": getattr(arguments, "state", None),
    }
    words = [f"{key}={value}" for key, value in named.items() if value is not None]
    return from_assignments([*words, *arguments.set])


def run(arguments: argparse.Namespace) -> Outcome:
    """Run until told to end."""
    layers, config = stack(
        read_files(arguments.config), from_environment(os.environ), command_line(arguments)
    )
    _log_to_stderr(config.log_level)
    run_agent(layers, config)
    return Outcome()


def _log_to_stderr(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    if os.environ.get("JOURNAL_STREAM"):
        handler.setFormatter(_ForJournal())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


class _ForJournal(logging.Formatter):
    """One line for the journal, which has the time already, with the priority that it reads."""

    def format(self, record: logging.LogRecord) -> str:
        line = " ".join(record.getMessage().split())
        return f"<{SYSLOG_PRIORITY.get(record.levelno, 6)}>{line}"
