"""`selvedge config show`: this machine's configuration, and where each value comes from."""

import argparse
import os

from agent.adapters.config_files import read_files, state_folder
from agent.adapters.state_folder import read_remembered
from agent.cli import add_config_options, command_line
from agent.config.layers import admit
from agent.config.local import from_environment, origins, stack
from agent.control.shadow import recall
from broker.contract.outcome import Outcome


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    add_config_options(parser)
    parser.add_argument("--origin", action="store_true", help="say where each value comes from")


def run(arguments: argparse.Namespace) -> Outcome:
    """Print every value in force."""
    files = read_files(arguments.config)
    environment, strongest = from_environment(os.environ), command_line(arguments)
    layers, config = stack(files, environment, strongest)
    remembered = recall(read_remembered(state_folder(config.state_dir)))
    admitted = admit(layers, remembered.accepted, {})
    found = origins(
        admitted.config,
        [
            *files,
            ("desired over MQTT", admitted.patch),
            ("environment", environment),
            ("command line", strongest),
        ],
    )
    width = max(len(".".join(path)) for path in found)
    lines = [
        f"{'.'.join(path):{width}} = {value!r}" + (f"   # {origin}" if arguments.origin else "")
        for path, (value, origin) in found.items()
    ]
    tree = {".".join(path): {"value": value, "origin": o} for path, (value, o) in found.items()}
    return Outcome("\n".join(lines), tree)
