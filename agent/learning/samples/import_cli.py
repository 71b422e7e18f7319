"""`selvedge samples import`: labelled samples out of a file."""

import argparse
from hashlib import sha256
from pathlib import Path

from agent.adapters.machine import Machine
from agent.cli import add_config_options
from agent.errors import ConfigError, SampleError
from agent.infer.adapters.array_files import read_arrays
from agent.learning.samples.adapters.configured import configured, names_of
from agent.learning.samples.imported import samples_of
from broker.contract.outcome import Outcome


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("pipeline", metavar="PIPELINE", help="that learns from them")
    parser.add_argument("file", metavar="FILE", help=".npz of `examples` and `labels`")
    parser.add_argument(
        "--scale",
        type=float,
        default=0.0,
        help="real = scale × (stored - zero point); 0: stored ones are real",
    )
    parser.add_argument("--zero-point", type=int, default=0, help="of integers (0)")
    parser.add_argument("--state", metavar="DIR", help="the agent's state folder")
    add_config_options(parser)


def run(arguments: argparse.Namespace) -> Outcome:
    """Put the samples of a file into the store; the same file again changes nothing."""
    store, pipelines = configured(arguments)
    pipeline = pipelines.get(arguments.pipeline)
    if pipeline is None:
        choice = ", ".join(pipelines) or "none"
        raise ConfigError(f"no pipeline {arguments.pipeline!r} is configured; there are {choice}")
    arrays = read_arrays(arguments.file)
    digest = sha256(Path(arguments.file).read_bytes()).hexdigest()[:16]
    names = names_of(pipeline)
    try:
        samples = samples_of(arrays, f"file {digest}", names, arguments.scale, arguments.zero_point)
    except SampleError as error:
        raise SampleError(f"{arguments.file}: {error}") from None
    now = Machine().now()
    at_ms = now.unix_ms if now.synced else None
    store.put(arguments.pipeline, samples, pipeline.samples, at_ms)
    counts = store.counts(arguments.pipeline)
    held = sum(counts.values())
    store.close()
    tree = {"pipeline": arguments.pipeline, "imported": len(samples), "held": held}
    return Outcome(f"{len(samples)} samples came; {arguments.pipeline} now has {held}", tree)
