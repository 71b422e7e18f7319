"""The child of `selvedge infer`: loads the model, runs it once, writes its outputs."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import ModelError, SourceError
from agent.infer.arrays import MAX_ARRAY_BYTES, read_npy, read_npz, write_npz
from agent.infer.fit import fit
from agent.pipeline.postprocess.dequantize import Dequantizer
from agent.runtime.adapters.aot_cache import user_cache
from agent.runtime.adapters.child import answer
from agent.runtime.adapters.loading import Options, load

SHOWN_VALUES = 64
SPARE = 0.5
"""What can be stopped is stopped well before the whole child is, and says why."""


def infer(question: dict[str, Any]) -> dict[str, Any]:
    """Answer one question of `agent.infer.cli`."""
    model, sha256, reason = load(
        question["model"],
        question["runtime"],
        Options(
            question["threads"],
            question["delegate"],
            cache=user_cache(),
            deadline_s=SPARE * question["deadline_s"],
        ),
    )
    arrays = _read_arrays(question["input"])
    try:
        inputs = fit(arrays, model.inputs, quantized=question["quantize"])
    except ModelError as error:
        raise ModelError(f"input {question['input']}: {error}") from None
    start = time.perf_counter()
    outputs = model.run(inputs)
    latency_ms = (time.perf_counter() - start) * 1e3
    if question["dequantize"]:
        outputs = [
            Dequantizer(info).real(array) if info.scale > 0 else array
            for array, info in zip(outputs, model.outputs, strict=True)
        ]
    names = [info.name for info in model.outputs]
    if len(set(names)) < len(names):
        names = [f"{name}.{index}" for index, name in enumerate(names)]
    named = dict(zip(names, outputs, strict=True))
    if question["output"]:
        _write(question["output"], named)
    return {
        "runtime": model.info().runtime,
        "outputs": [_described(name, array, question["output"]) for name, array in named.items()],
        "latency_ms": round(latency_ms, 4),
        "detail": model.info().detail,
        "reason": reason,
        "sha256": sha256,
    }


def _described(name: str, array: NDArray[Any], file: str | None) -> dict[str, Any]:
    tree = {"name": name, "shape": array.shape, "dtype": array.dtype.name, "file": file}
    if array.size <= SHOWN_VALUES and np.isfinite(array).all():
        tree["values"] = array.tolist()
    return tree


def _read_arrays(path: str) -> dict[str, NDArray[Any]]:
    try:
        with Path(path).open("rb") as file:
            data = file.read(min(os.fstat(file.fileno()).st_size, MAX_ARRAY_BYTES))
        return read_npz(data) if data[:2] == b"PK" else {"input": read_npy(data)}
    except OSError as error:
        raise SourceError(f"input {path} cannot be read: {error.strerror}") from None
    except ModelError as error:
        raise ModelError(f"input {path} {error}") from None


def _write(path: str, arrays: dict[str, NDArray[Any]]) -> None:
    several = path.endswith(".npz")
    if len(arrays) > 1 and not several:
        raise ModelError(f"the model has {len(arrays)} outputs: give --output a name in .npz")
    unfinished = Path(f"{path}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            if several:
                write_npz(file, arrays)
            else:
                np.save(file, next(iter(arrays.values())), allow_pickle=False)
        unfinished.replace(path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise SourceError(f"output {path} cannot be written: {error.strerror}") from None


if __name__ == "__main__":
    answer(infer)
