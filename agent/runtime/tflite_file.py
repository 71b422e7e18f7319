"""What is checked in a `.tflite` file before a runtime sees it.

tflite-runtime 2.14, the last for 32-bit systems, follows offsets unchecked: a truncated download
ends in SIGSEGV. Newer runtimes verify; the check here costs milliseconds and serves both. Field
numbers are those of the published schema (schema.fbs, version 3).
"""

from agent.errors import ModelError
from agent.runtime.flatbuffer import MisplacedError, Schema, Table, read_table
from agent.runtime.tflite_graph import check_graph, within

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
        10: "I",
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
    buffers = [_buffer_bytes(buffer, len(data)) for buffer in model.get(4, [])]
    codes = [max(code.get(0, 0), code.get(3, 0)) for code in model.get(1, [])]
    for graph in model[2]:
        check_graph(graph, codes, buffers)
    for signature in model.get(7, []):
        number = signature.get(4, 0)
        within([number], 0, len(model[2]), "graph")
        tensors = len(model[2][number].get(0, []))
        for pair in (*signature.get(0, []), *signature.get(1, [])):
            within([pair.get(1, 0)], 0, tensors, "tensor")


def _buffer_bytes(buffer: Table, end: int) -> int:
    # Files beyond 2 GB keep constants behind the flatbuffer; 0 and 1 are placeholders there.
    start = buffer.get(1, 0)
    size = int(buffer.get(2, 0)) if start > 1 else len(buffer.get(0, b""))
    if start > 1 and start + size > end:
        raise ModelError("is truncated or damaged: a buffer ends beyond it; copy it again")
    return size
