"""Features of examples, from a frozen model in a process of its own.

Examples and features pass through memory that has no name: a sample that is to be forgotten never
lies in another file than the store's.
"""

import os
from collections.abc import Sequence

import numpy as np

from agent.errors import ModelError
from agent.learning.learner.dataset import Floats
from agent.runtime.adapters.child import ask


def features(
    model: str, examples: Sequence[Floats], wanted: int, deadline_s: float
) -> list[Floats]:
    """The model's first output for every example, float32[wanted] each.

    Args:
        model: path of a .tflite or .wasm file.
        examples: real values, all of one size.

    Raises:
        ModelError: the model is refused, died, or has other inputs or outputs.
    """
    given, found = os.memfd_create("examples"), os.memfd_create("features")
    try:
        with os.fdopen(os.dup(given), "wb") as file:
            for row in examples:
                file.write(row.tobytes())
        question = {
            "model": model,
            "examples": f"/proc/{os.getpid()}/fd/{given}",
            "features": f"/proc/{os.getpid()}/fd/{found}",
            "count": len(examples),
            "wanted": wanted,
        }
        ask("agent.learning.backbone.app", question, deadline_s)
        size_bytes = os.fstat(found).st_size
        if size_bytes != 4 * wanted * len(examples):
            raise ModelError(f"{model}: gave {size_bytes} bytes of features")
        told = np.frombuffer(os.pread(found, size_bytes, 0), "<f4").astype(np.float32)
        if not np.isfinite(told).all():
            raise ModelError(f"{model}: a feature is not finite")
        return list(told.reshape(len(examples), wanted))
    finally:
        os.close(given)
        os.close(found)
