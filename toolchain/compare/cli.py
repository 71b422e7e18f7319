"""`selvedge compare MODEL --runtimes a,b`: find the first tensor in which two runtimes differ."""

import argparse
import tempfile
from pathlib import Path

from broker.contract.exit_code import ExitCode
from broker.contract.outcome import Outcome
from toolchain.adapters.model_file import load
from toolchain.compare.adapters.runner import Answer, save
from toolchain.compare.adapters.runner import run as run_variant
from toolchain.compare.inputs import random_inputs
from toolchain.compare.report import compare
from toolchain.compare.report import text as laid_out
from toolchain.compare.reveal import reveal
from toolchain.compare.variant import Variant, parse_pair
from toolchain.convert.adapters.prebuilt_engine import load as load_engine
from toolchain.convert.convert import ROUNDINGS, macs_of, to_module, to_plan
from toolchain.errors import ModelRefused, UsageError
from toolchain.tflite.reader import read
from toolchain.tflite.writer import write


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="a .tflite file")
    parser.add_argument(
        "--runtimes",
        required=True,
        metavar="A,B",
        help="two of tflite, wasm3, wasmtime, host; with options behind a colon: tflite:none and "
        "tflite:reference are other kernels than XNNPACK's, wasmtime:simd the SIMD engine, "
        "host:single single rounding",
    )
    parser.add_argument(
        "--input", type=Path, metavar="FILE", help=".npy, or .npz with an array for each input"
    )
    parser.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="of the random input where none is given"
    )
    parser.add_argument(
        "--rounding",
        choices=tuple(ROUNDINGS),
        default="double",
        help="of what is converted for wasm3, wasmtime and host",
    )
    parser.add_argument(
        "--tolerance",
        type=_distance,
        default=0.0,
        metavar="D",
        help="values at most this far apart count as equal; in steps of an integer tensor",
    )
    parser.add_argument(
        "--deadline", type=_seconds, default=60.0, metavar="S", help="give a runtime S seconds"
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """Compare two runtimes on one model; exit code 1 where they differ.

    Raises:
        UsageError: a runtime has no such name.
        ModelRefused: the model, its input, or a side of the comparison is refused.
        UnavailableError: a runtime is not on this machine.
    """
    path: Path = arguments.model
    variants = _variants(arguments.runtimes, arguments.rounding)
    data = load(path)
    try:
        model, layers = reveal(read(data))
        revealed = write(model)
        with tempfile.TemporaryDirectory(prefix="selvedge-compare-") as name:
            folder = Path(name)
            given = arguments.input
            if given is None:
                given = folder / "input.npz"
                save(given, random_inputs(model.main, arguments.seed))
            left, right = (
                _answer(one, revealed, given, folder / str(side), arguments.deadline)
                for side, one in enumerate(variants)
            )
        account = compare(layers, left.outputs, right.outputs, arguments.tolerance)
    except ModelRefused as error:
        raise ModelRefused(f"{path}: {error}") from None
    tree = {
        "file": str(path),
        "runtimes": [
            {"name": one.name, "detail": answer.detail, "latency_ms": answer.latency_ms}
            for one, answer in zip(variants, (left, right), strict=True)
        ],
        "seed": None if arguments.input else arguments.seed,
        "tolerance": arguments.tolerance,
        **account,
    }
    code = ExitCode.DONE if account["equal"] else ExitCode.FINDINGS
    return Outcome(laid_out(tree), tree, code)


def _variants(words: str, rounding: str) -> tuple[Variant, Variant]:
    try:
        return parse_pair(words, rounding)
    except ValueError as error:
        raise UsageError(f"--runtimes: {error}") from None


def _answer(
    variant: Variant, revealed: bytes, arrays: Path, folder: Path, deadline_s: float
) -> Answer:
    """Write the file that this side wants, and run it."""
    folder.mkdir()
    content = revealed
    if variant.choices is not None:
        content = to_plan(revealed, variant.choices)
        if variant.suffix == "wasm":
            engine = load_engine(variant.choices.target)
            content = to_module(content, engine, "compared", variant.choices, macs_of(revealed))
    model = folder / f"model.{variant.suffix}"
    model.write_bytes(content)
    return run_variant(variant, model, arrays, folder / "outputs.npz", deadline_s)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return int(text)


def _distance(text: str) -> float:
    return _number(text, 0.0, 1e38)


def _seconds(text: str) -> float:
    return _number(text, 1e-3, 86_400.0)


def _number(text: str, low: float, high: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
    return number
