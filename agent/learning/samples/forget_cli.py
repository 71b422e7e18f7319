"""`selvedge samples forget`: delete samples so that no file holds their bytes."""

import argparse

from agent.cli import add_config_options
from agent.learning.samples.adapters.configured import configured, names_of
from agent.learning.samples.sample import class_name
from broker.contract.outcome import Outcome


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("pipeline", metavar="PIPELINE", help="whose samples go")
    parser.add_argument(
        "--label", metavar="NAME", help="only those of this class; its name or number"
    )
    parser.add_argument("--state", metavar="DIR", help="the agent's state folder")
    add_config_options(parser)


def run(arguments: argparse.Namespace) -> Outcome:
    """Delete them."""
    store, pipelines = configured(arguments)
    label = arguments.label
    if label is not None:
        label = class_name(label, names_of(pipelines.get(arguments.pipeline)))
    gone = store.forget(arguments.pipeline, label)
    store.close()
    tree = {"pipeline": arguments.pipeline, "forgotten": gone}
    return Outcome(f"{gone} samples of {arguments.pipeline} are forgotten", tree)
