"""`selvedge convert IN.tflite OUT.wasm|OUT.plan`: make a model run without a TFLite interpreter."""

import argparse
import hashlib
from pathlib import Path

from broker.contract.outcome import Outcome
from toolchain.adapters.model_file import load
from toolchain.convert.adapters.output_file import save
from toolchain.convert.adapters.prebuilt_engine import load as load_engine
from toolchain.convert.convert import ROUNDINGS, TARGETS, Choices, macs_of, to_module, to_plan
from toolchain.errors import ModelRefused, UnavailableError
from toolchain.plan.layout import Header

_DEFAULT = {".wasm": "scalar", ".plan": "portable"}
_FOR_PLANS = ("portable", "cortex-m")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("input", metavar="IN.tflite", type=Path, help="a quantized model")
    parser.add_argument(
        "output",
        metavar="OUT.wasm|OUT.plan",
        type=_output,
        help="a module with the engine in it, or the plan alone",
    )
    parser.add_argument(
        "--rounding",
        choices=tuple(ROUNDINGS),
        default="double",
        help="double gives the bytes of TFLite Micro, single those of LiteRT (XNNPACK)",
    )
    parser.add_argument(
        "--target",
        choices=tuple(TARGETS),
        help="the build of the engine: for modules scalar, which runs everywhere, or simd; "
        "for plans portable, or cortex-m for microcontrollers with DSP instructions",
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """Convert one model file.

    Raises:
        ModelRefused: it cannot be read, or the engine lacks what it needs.
        UnavailableError: there is no prebuilt engine, or the output cannot be written.
    """
    source: Path = arguments.input
    output: Path = arguments.output
    is_module = output.suffix == ".wasm"
    choices = Choices(arguments.rounding, arguments.target or _DEFAULT[output.suffix])
    if is_module and choices.target in _FOR_PLANS:
        raise UnavailableError(
            f"{output}: modules are made for scalar or simd, not for {choices.target}"
        )
    model = load(source)
    try:
        plan = to_plan(model, choices)
        data = plan
        if is_module:
            data = to_module(
                plan, load_engine(choices.target), source.stem, choices, macs_of(model)
            )
    except ModelRefused as error:
        raise ModelRefused(f"{source}: {error}") from None
    save(output, data)
    header = Header.unpack(memoryview(plan))
    tree = {
        "file": str(output),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "plan_sha256": hashlib.sha256(plan).hexdigest(),
        "arena_bytes": header.arena_bytes,
        "operators": header.operator_count,
        "rounding": choices.rounding,
        "target": choices.target,
    }
    text = f"{output}: {len(data):,} bytes, {header.operator_count} operators"
    return Outcome(f"{text}, arena {header.arena_bytes:,} bytes", tree)


def _output(word: str) -> Path:
    path = Path(word)
    if path.suffix not in _DEFAULT:
        raise argparse.ArgumentTypeError(f"{word!r} must end in .wasm or .plan")
    return path
