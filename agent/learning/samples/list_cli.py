"""`selvedge samples list`: how many samples each pipeline has of each label."""

import argparse

from agent.cli import add_config_options
from agent.learning.samples.adapters.configured import configured
from broker.contract.outcome import Outcome


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("pipeline", metavar="PIPELINE", nargs="?", help="all if left out")
    parser.add_argument("--state", metavar="DIR", help="the agent's state folder")
    add_config_options(parser)


def run(arguments: argparse.Namespace) -> Outcome:
    """Print the counts."""
    store, _ = configured(arguments)
    names = store.pipelines() if arguments.pipeline is None else [arguments.pipeline]
    tree = {name: store.counts(name) for name in names}
    store.close()
    lines = [
        f"{name}  {label or '(targets)'}  {count}"
        for name, counts in tree.items()
        for label, count in counts.items()
    ]
    return Outcome("\n".join(lines) or "no samples", {"pipelines": tree})
