"""The child that runs a backbone: it gives up files and network before it sees an example's code.

Inputs and outputs of the model are opened before the walls rise.
"""

from pathlib import Path
from typing import Any

import numpy as np

from agent.errors import ModelError
from agent.pipeline.adapters.confinement import confine
from agent.pipeline.postprocess.dequantize import Dequantizer
from agent.pipeline.preprocess.quantize import Quantizer
from agent.pipeline.reach import Reach
from agent.runtime.adapters.aot_cache import user_cache
from agent.runtime.adapters.child import answer
from agent.runtime.adapters.loading import Options, load
from agent.runtime.adapters.orphan import end_with_parent


def features(question: dict[str, Any]) -> dict[str, Any]:
    """Write the features of every example."""
    options = Options(cache=user_cache(), deadline_s=None)
    model, _, _ = load(question["model"], "auto", options)
    name, count = question["model"], question["count"]
    if len(model.inputs) != 1 or not model.outputs:
        raise ModelError(f"model {name}: a backbone has one input, and features as first output")
    into, out = Quantizer(model.inputs[0]), Dequantizer(model.outputs[0])
    given = np.frombuffer(Path(question["examples"]).read_bytes(), "<f4").reshape(count, -1)
    shape = model.inputs[0].shape
    for info, has, wants in (
        (model.inputs[0], int(np.prod(shape)), given.shape[1]),
        (model.outputs[0], int(np.prod(model.outputs[0].shape)), question["wanted"]),
    ):
        if has != wants:
            raise ModelError(f"model {name}: {info} holds {has} numbers, {wants} are needed")
    with Path(question["features"]).open("wb") as file:
        confine(Reach())
        for example in given:
            into.store(example.reshape(shape), model.input_view(0))
            model.invoke()
            file.write(out.real(model.output_view(0)).astype("<f4").tobytes())
    return {"runtime": model.info().runtime}


if __name__ == "__main__":
    end_with_parent()
    answer(features)
