"""The models of `runtimes.py`, each in the forms that the runtimes take."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.mobilenet_v2 import SIZES, models
from benchmarks.peers.install import MissingError
from toolchain.convert.adapters.prebuilt_engine import load as load_engine
from toolchain.convert.convert import Choices, to_module, to_plan
from toolchain.errors import ModelRefused, UnavailableError
from toolchain.lowering.lower import lower
from toolchain.plan.encode import encode
from toolchain.tflite.dtype import DType
from toolchain.tflite.reader import read
from toolchain.tflite.writer import write

SHARED = Path(__file__).parents[3] / "shared" / "models"
TINY = {
    "ad01": "ad01_int8",
    "kws": "kws_ref_model",
    "resnet8": "pretrainedResnet_quant",
    "vww": "vww_96_int8",
}


def models_named(part: str) -> Iterator[tuple[str, bytes | Path]]:
    """Names and .tflite bytes of all models whose name contains a word; a path that is missing."""
    for name, file in TINY.items():
        if part in name:
            path = SHARED / f"{file}.tflite"
            yield name, path.read_bytes() if path.exists() else path
    for width, size in SIZES[::-1]:
        if part in f"mobilenet_v2_{width}_{size}" or part.startswith("mobilenet"):
            made = models(width, size)
            yield from ((name, write(model)) for name, model in made.items() if part in name)


def save(model: bytes, form: str, folder: Path) -> Path:
    """Write a model as `tflite`, `plan`, `scalar.wasm` or `simd.wasm`.

    Raises:
        MissingError: the toolchain cannot make it.
    """
    path = folder / f"model.{form}"
    try:
        path.write_bytes(_convert(model, form))
    except (ModelRefused, UnavailableError) as error:
        raise MissingError(f"convert: {error}") from None
    return path


def _convert(model: bytes, form: str) -> bytes:
    match form.split("."):
        case ["tflite"]:
            return model
        case ["plan"]:
            return encode(lower(read(model)))
        case [target, _]:
            choices = Choices(target=target)
            return to_module(to_plan(model, choices), load_engine(target), "benchmark", choices)
    raise ValueError(form)


def save_input(model: bytes, folder: Path) -> Path:
    """Write random values for the model's only input, the same in every run."""
    graph = read(model).main
    tensor = graph.tensors[graph.inputs[0]]
    rng = np.random.default_rng(0)
    path = folder / "input.bin"
    if tensor.dtype is DType.FLOAT32:
        values = rng.uniform(-1, 1, tensor.shape).astype("<f4").tobytes()
    else:
        values = rng.bytes(tensor.size_bytes)
    path.write_bytes(values)
    return path
