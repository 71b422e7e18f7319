"""What is checked in a `.tflite` file before a runtime sees it.

tflite-runtime 2.14, the last for 32-bit systems, follows offsets unchecked: a truncated download
ends in SIGSEGV. Newer runtimes verify; the check here costs milliseconds and serves both. Field
numbers are those of the published schema (schema.fbs, version 3).
"""

from collections.abc import Iterable
from math import prod

from agent.errors import ModelError
from agent.runtime.flatbuffer import MisplacedError, Schema, Table, read_table

MAX_TENSOR_ELEMENTS = 1 << 28

_SCHEMA: Schema = {
    "Model": {
        0: "I",
        1: "[OperatorCode]",
        2: "[SubGraph]",
        3: "[B]",
        4: "[Buffer]",
        5: "[i]",
        6: "[Metadata]",
        7: "[SignatureDef]",
    },
    "OperatorCode": {0: "b", 1: "[B]", 2: "i", 3: "i"},
    "SubGraph": {0: "[Tensor]", 1: "[i]", 2: "[i]", 3: "[Operator]", 4: "[B]"},
    "Tensor": {
        0: "[i]",
        1: "b",
        2: "I",
        3: "[B]",
        4: "Quantization",
        5: "B",
        6: "Sparsity",
        7: "[i]",
        8: "B",
    },
    "Quantization": {0: "[f]", 1: "[f]", 2: "[f]", 3: "[q]", 4: "B", 5: "Options", 6: "i"},
    "Sparsity": {0: "[i]", 1: "[i]", 2: "[Dimension]"},
    "Dimension": {0: "b", 1: "i", 2: "B", 3: "Options", 4: "B", 5: "Options"},
    "Operator": {
        0: "I",
        1: "[i]",
        2: "[i]",
        3: "B",
        4: "Options",
        5: "[B]",
        6: "b",
        7: "[B]",
        8: "[i]",
        11: "B",
        12: "Options",
    },
    "Options": {},
    "Buffer": {0: "[B]", 1: "Q", 2: "Q"},
    "Metadata": {0: "[B]", 1: "I"},
    "SignatureDef": {0: "[TensorMap]", 1: "[TensorMap]", 2: "[B]", 4: "I"},
    "TensorMap": {0: "[B]", 1: "I"},
}


def check_tflite(data: bytes) -> None:
    """Refuse what is not a whole, consistent TFLite model.

    Raises:
        ModelError: empty, another format, truncated, or with an index that leads nowhere.
    """
    if not data:
        raise ModelError("is empty")
    if data[4:8] != b"TFL3":
        raise ModelError("is not a TFLite model: bytes 4 to 8 are not TFL3")
    try:
        model = read_table(data, "Model", _SCHEMA)
    except MisplacedError as error:
        raise ModelError(f"is truncated or damaged: {error}; copy it again") from None
    if model.get(0) != 3:
        raise ModelError(f"has TFLite schema version {model.get(0, 0)}; only 3 is supported")
    if not model.get(2):
        raise ModelError("holds no graph")
    for buffer in model.get(4, []):
        if buffer.get(1, 0) > 1 and buffer[1] + buffer.get(2, 0) > len(data):
            raise ModelError("is truncated or damaged: a buffer ends beyond it; copy it again")
    for graph in model[2]:
        _check_graph(graph, codes=len(model.get(1, [])), buffers=len(model.get(4, [])))


def _check_graph(graph: Table, codes: int, buffers: int) -> None:
    tensors = graph.get(0, [])
    for tensor in tensors:
        _within([tensor.get(2, 0)], 0, buffers, "buffer")
        shape = list(tensor.get(0, ()))
        if any(size < 0 for size in shape) or prod(shape) > MAX_TENSOR_ELEMENTS:
            raise ModelError(f"is damaged: a tensor of shape {shape[:8]} is out of bounds")
    _within([*graph.get(1, ()), *graph.get(2, ())], 0, len(tensors), "tensor")
    for operator in graph.get(3, []):
        _within([operator.get(0, 0)], 0, codes, "operator code")
        _within([*operator.get(1, ()), *operator.get(8, ())], -1, len(tensors), "tensor")
        _within(operator.get(2, ()), 0, len(tensors), "tensor")


def _within(indices: Iterable[int], lowest: int, end: int, what: str) -> None:
    for index in indices:
        if not lowest <= index < end:
            raise ModelError(f"is damaged: it refers to {what} {index} of {end}")
