"""`selvedge inspect MODEL`: say what is in a model."""

import argparse
import hashlib
from importlib.util import find_spec
from pathlib import Path

from broker.contract.outcome import Outcome
from toolchain.adapters.model_file import load
from toolchain.convert.sections import PREAMBLE
from toolchain.errors import ModelRefused
from toolchain.inspect import converted
from toolchain.inspect.engine_runtimes import LIBRARIES, of_model
from toolchain.inspect.report import report
from toolchain.inspect.runtimes import TFLITE_PACKAGES, verdicts
from toolchain.inspect.table import text
from toolchain.plan.numbers import MAGIC
from toolchain.tflite.reader import read


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="a .tflite, .wasm or .plan file")


def run(arguments: argparse.Namespace) -> Outcome:
    """Read, check and describe one model file.

    Raises:
        ModelRefused: it cannot be read, or is not what it says.
    """
    path: Path = arguments.model
    data = load(path)
    kind = _kind(data)
    installed = {name for name in (*TFLITE_PACKAGES, *LIBRARIES) if find_spec(name)}
    try:
        if kind == "tflite":
            model = read(data)
            judged = (*verdicts(model, installed), *of_model(model, installed))
            account, layout = report(model, judged), text
        else:
            account, layout = converted.report(data, kind, installed), converted.text
    except ModelRefused as error:
        raise ModelRefused(f"{path}: {error}") from None
    tree = {
        "file": str(path),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        **account,
    }
    return Outcome(layout(f"{path.name}, {len(data):,} bytes", tree), tree)


def _kind(data: bytes) -> str:
    """What a file is, by its first bytes; a name may lie."""
    return {MAGIC: "plan", PREAMBLE[:4]: "wasm"}.get(data[:4], "tflite")
