"""`selvedge trainer IN.json OUT.wasm`: make a module that trains a small network."""

import argparse
import hashlib
import json
from pathlib import Path

from broker.contract.outcome import Outcome
from toolchain.adapters.model_file import load
from toolchain.convert.adapters.output_file import save
from toolchain.convert.adapters.prebuilt_engine import load as load_engine
from toolchain.errors import ModelRefused
from toolchain.training.encode import encode
from toolchain.training.initial import initial_parameters
from toolchain.training.network import Network, read_network
from toolchain.training.trainer import TARGETS, to_trainer

MAX_SEED = (1 << 64) - 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "input", metavar="IN.json", type=Path, help="input shape, layers, loss and batch"
    )
    parser.add_argument("output", metavar="OUT.wasm", type=Path, help="the module")
    parser.add_argument(
        "--target",
        choices=TARGETS,
        default="scalar",
        help="the build of the engine: scalar, which runs everywhere, or simd; equal results",
    )
    parser.add_argument(
        "--parameters",
        metavar="FILE",
        type=Path,
        help="write parameters to begin with, little-endian float32",
    )
    parser.add_argument(
        "--seed", type=_seed, default=0, help="of these parameters; equal seeds, equal bytes"
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """Make one module.

    Raises:
        ModelRefused: the description cannot be read, or does not fit together.
        UnavailableError: there is no prebuilt trainer, or the output cannot be written.
    """
    source: Path = arguments.input
    output: Path = arguments.output
    try:
        network = _read(source)
        _, counts = encode(network)
        data = to_trainer(
            network, load_engine(f"trainer-{arguments.target}"), source.stem, arguments.target
        )
        initial = initial_parameters(network, arguments.seed).astype("<f4").tobytes()
    except ModelRefused as error:
        raise ModelRefused(f"{source}: {error}") from None
    save(output, data)
    tree = {
        "file": str(output),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "parameters": counts.parameters,
        "arena_bytes": counts.arena_bytes,
        "target": arguments.target,
    }
    text = f"{output}: {len(data):,} bytes, {counts.parameters:,} parameters"
    if arguments.parameters is not None:
        save(arguments.parameters, initial)
        tree["parameters_file"] = str(arguments.parameters)
        tree["parameters_sha256"] = hashlib.sha256(initial).hexdigest()
    return Outcome(f"{text}, arena {counts.arena_bytes:,} bytes", tree)


def _read(source: Path) -> Network:
    data = load(source)
    try:
        return read_network(json.loads(data))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ModelRefused):
            raise
        raise ModelRefused("is not JSON; see docs/reference/train-abi.md") from None


def _seed(word: str) -> int:
    number = int(word) if word.isdecimal() else -1
    if not 0 <= number <= MAX_SEED:
        raise argparse.ArgumentTypeError(f"{word!r} is no number from 0 to 2^64 - 1")
    return number
