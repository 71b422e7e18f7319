"""The rows of `runtimes.py`: which processes are compared, and what is hoped for."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import install
from benchmarks.peers.install import MissingError

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """One runtime: which file of the model it takes, and how its process is started."""

    name: str
    takes: str
    runtime: str = ""
    delegate: str = "-"


ROWS = (
    Row("litert-xnnpack", "tflite", "tflite", "xnnpack"),
    Row("litert-none", "tflite", "tflite", "none"),
    Row("tflite-runtime", "tflite", "tflite", "xnnpack"),
    Row("tflite-micro", "tflite", "micro"),
    Row("tfjs-tflite", "tflite", "tfjs"),
    Row("node", "simd.wasm", "module"),
    Row("wasmtime-simd", "simd.wasm", "wasmtime"),
    Row("wasmtime-scalar", "scalar.wasm", "wasmtime"),
    Row("wasm3", "scalar.wasm", "wasm3"),
    Row("host", "plan", "host"),
)


def command(row: Row, model: Path, inputs: Path, cache: Path) -> list[str]:
    """The process of a row.

    Raises:
        MissingError: this machine lacks it.
    """
    if row.runtime in ("tfjs", "module"):
        node = shutil.which("node")
        if not node:
            raise MissingError("node is not installed")
        modules = install.npm(HERE) if row.runtime == "tfjs" else HERE
        return [node, *map(str, (HERE / "worker.mjs", row.runtime, model, inputs, modules))]
    python = str(install.tflite_runtime()) if row.name == "tflite-runtime" else sys.executable
    arguments = (row.runtime, row.delegate, model, inputs, cache)
    return [python, "-m", "benchmarks.peers.worker", *map(str, arguments)]


@dataclass(frozen=True)
class Goal:
    """At most `limit` × the peer's median; without peer, `limit` of a column itself."""

    models: tuple[str, ...]
    rows: tuple[str, ...]
    limit: float
    peer: str = ""
    column: str = "median_ms"


OURS = ("wasmtime-simd", "node")
GOALS = (
    Goal(("vww", "kws", "resnet8"), OURS, 0.9, "tfjs-tflite"),
    Goal(("vww", "kws", "ad01"), OURS, 0.7, "tflite-runtime"),
    Goal(("mobilenet_v2_1.0_224_int8", "mobilenet_v2_0.35_96_int8"), OURS, 0.9, "tfjs-tflite"),
    Goal(
        ("mobilenet_v2_1.0_224_float32", "mobilenet_v2_0.35_96_float32"), OURS, 1.1, "tfjs-tflite"
    ),
    Goal(("resnet8",), ("wasm3",), 2.5, column="ns_per_mac"),
    Goal(("vww",), ("wasm3",), 20.0),
    Goal(("ad01", "kws", "resnet8", "vww"), ("wasmtime-simd",), 15.0, column="ready_ms"),
)
