"""`selvedge inspect MODEL`: say what is in a model."""

import argparse
import hashlib
from importlib.util import find_spec
from pathlib import Path

from broker.contract.outcome import Outcome
from toolchain.adapters.model_file import load
from toolchain.errors import ModelRefused
from toolchain.inspect.report import report
from toolchain.inspect.runtimes import TFLITE_PACKAGES, verdicts
from toolchain.inspect.table import text
from toolchain.tflite.reader import read


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="a .tflite file")


def run(arguments: argparse.Namespace) -> Outcome:
    """Read, check and describe one model file.

    Raises:
        ModelRefused: it cannot be read, or is not what it says.
    """
    path: Path = arguments.model
    data = load(path)
    try:
        model = read(data)
        installed = {name for name in TFLITE_PACKAGES if find_spec(name)}
        account = report(model, verdicts(model, installed))
    except ModelRefused as error:
        raise ModelRefused(f"{path}: {error}") from None
    tree = {
        "file": str(path),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        **account,
    }
    return Outcome(text(f"{path.name}, {len(data):,} bytes", tree), tree)
