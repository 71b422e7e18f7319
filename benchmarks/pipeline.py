"""What the pipeline adds to the model: time of a frame beside the bare `interpreter.invoke()`.

Both run in this process on interpreters of their own, in turns of `BLOCK` frames, so that a change
of the machine's speed meets both. The pipeline is the child's own loop: source, preprocessing,
model, postprocessing, and the answer sent over the channel to another process, which reads it.
"""

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from agent.config.device import PipelineConfig
from agent.pipeline.adapters.main_link import MainLink
from agent.pipeline.app import Child
from agent.runtime.adapters.loading import Options, load
from agent.runtime.adapters.tflite import TfliteModel
from agent.sources.adapters.inbox import Inbox
from broker.contract.shape import parse

MODELS = Path(__file__).parents[2] / "shared" / "models"
FRAMES = 64
BLOCK = 400
BLOCKS = 20

CASES: dict[str, tuple[tuple[int, ...], str, dict[str, Any], dict[str, Any]]] = {
    "vww_96_int8": ((96, 96, 3), "uint8", {"kind": "image"}, {"kind": "classify", "top_k": 1}),
    "kws_ref_model": ((49, 10, 1), "int8", {"kind": "tensor"}, {"kind": "classify", "top_k": 3}),
    "pretrainedResnet_quant": (
        (32, 32, 3),
        "uint8",
        {"kind": "image", "std": [1.0]},
        {"kind": "classify", "top_k": 3},
    ),
    "ad01_int8": ((640,), "float32", {"kind": "vector"}, {"kind": "anomaly", "threshold": 10.0}),
}


def measure(name: str, delegate: str, folder: Path) -> dict[str, Any]:
    """Measure one model."""
    shape, dtype, preprocess, postprocess = CASES[name]
    model = str(MODELS / f"{name}.tflite")
    frames = folder / f"{name}.npy"
    rng = np.random.default_rng(1)
    low, high = (-128, 128) if dtype == "int8" else (0, 256)
    np.save(frames, rng.integers(low, high, (FRAMES, *shape)).astype(dtype))
    config = parse(
        PipelineConfig,
        {
            "source": {"kind": "replay", "path": str(frames), "loop": True},
            "model": model,
            "preprocess": preprocess,
            "postprocess": postprocess,
            "delegate": delegate,
        },
    )
    assert isinstance(config, PipelineConfig), config
    ours, theirs = socket.socketpair()
    reader = subprocess.Popen(["cat"], stdin=theirs.fileno(), stdout=subprocess.DEVNULL)
    theirs.close()
    inbox = Inbox(time.monotonic_ns)
    child = Child(MainLink(ours.detach(), inbox), inbox, config)
    loaded = load(model, options=Options(delegate=delegate)).model
    assert isinstance(loaded, TfliteModel)
    bare = loaded._interpreter.invoke
    pipeline_us, bare_us = [], []
    for _ in range(BLOCKS):
        pipeline_us.append(per_call_us(child.turn))
        bare_us.append(per_call_us(bare))
    reader.kill()
    reader.wait()
    pipeline, alone = statistics.median(pipeline_us), statistics.median(bare_us)
    added = statistics.median(a - b for a, b in zip(pipeline_us, bare_us, strict=True))
    return {
        "model": name,
        "delegate": delegate,
        "bare_us": round(alone, 1),
        "pipeline_us": round(pipeline, 1),
        "overhead_us": round(added, 1),
        "overhead_percent": round(100 * added / alone, 1),
    }


def per_call_us(call: Callable[[], object]) -> float:
    """Mean time of a call over one block."""
    began = time.perf_counter_ns()
    for _ in range(BLOCK):
        call()
    return (time.perf_counter_ns() - began) / BLOCK / 1000


def main() -> None:
    """Print one JSON object."""
    if not MODELS.is_dir():
        sys.exit(f"{MODELS}: the models of MLPerf Tiny are needed")
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(n, kind, Path(folder)) for kind in ("xnnpack", "none") for n in CASES]
    print(json.dumps({"benchmark": "pipeline", "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
