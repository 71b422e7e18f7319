"""The child of `selvedge infer`: loads the model, runs it once, writes its outputs."""

import time
from typing import Any

from agent.errors import ModelError
from agent.infer.adapters.array_files import read_arrays, write_arrays
from agent.infer.fit import fit
from agent.infer.report import described, named
from agent.pipeline.postprocess.dequantize import Dequantizer
from agent.runtime.adapters.aot_cache import user_cache
from agent.runtime.adapters.child import answer
from agent.runtime.adapters.loading import Options, load

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
    arrays = read_arrays(question["input"])
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
    answers = named(model.outputs, outputs)
    if question["output"]:
        write_arrays(question["output"], answers)
    return {
        "runtime": model.info().runtime,
        "outputs": [described(name, array, question["output"]) for name, array in answers.items()],
        "latency_ms": round(latency_ms, 4),
        "detail": model.info().detail,
        "reason": reason,
        "sha256": sha256,
    }


if __name__ == "__main__":
    answer(infer)
