"""The whole account of a model as one JSON tree."""

from typing import Any

from toolchain.inspect.arithmetic import arithmetic
from toolchain.inspect.macs import macs
from toolchain.inspect.runtimes import Verdict, warnings
from toolchain.memory.lifetimes import blocks_of
from toolchain.memory.placement import plan
from toolchain.tflite.model import Graph, Model, Tensor

Tree = dict[str, Any]


def report(model: Model, runtimes: tuple[Verdict, ...]) -> Tree:
    """Account for the first graph of a model.

    Returns:
        Plain JSON values: `operators`, `tensors`, `inputs`, `outputs`, `macs`, `weight_bytes`
        (constants that operators read), `arena_bytes` (a plan that can be used as it is),
        `arena_lower_bound_bytes`, `arithmetic`, `graphs`, `runtimes`, `warnings`.

    Raises:
        ModelRefused: more activations than can be planned.
    """
    graph = model.main
    placed = plan(blocks_of(graph))
    counts = [macs(graph, operator) for operator in graph.operators]
    return {
        "description": model.description,
        "arithmetic": arithmetic(graph),
        "graphs": len(model.graphs),
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "operators": [
            {
                "index": number,
                "name": operator.label,
                "version": operator.version,
                "inputs": list(operator.inputs),
                "outputs": list(operator.outputs),
                "macs": count,
            }
            for number, (operator, count) in enumerate(zip(graph.operators, counts, strict=True))
        ],
        "tensors": [_tensor(index, tensor) for index, tensor in enumerate(graph.tensors)],
        "macs": sum(counts),
        "weight_bytes": weight_bytes(graph),
        "arena_bytes": placed.arena_bytes,
        "arena_lower_bound_bytes": placed.lower_bound_bytes,
        "runtimes": [
            {"runtime": one.runtime, "can_run": one.can_run, "reason": one.reason}
            for one in runtimes
        ],
        "warnings": list(warnings(model)),
    }


def weight_bytes(graph: Graph) -> int:
    """Sum the constants that operators read: weights, biases, shapes; each once."""
    read = {index for operator in graph.operators for index in operator.inputs if index >= 0}
    return sum(graph.tensors[i].size_bytes for i in read if graph.tensors[i].is_constant)


def _tensor(index: int, tensor: Tensor) -> Tree:
    scale, zero_point, axis = _quantization(tensor)
    return {
        "index": index,
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype.label,
        "scale": scale,
        "zero_point": zero_point,
        "axis": axis,
        "bytes": tensor.size_bytes,
        "constant": tensor.is_constant,
    }


def _quantization(tensor: Tensor) -> tuple[Any, Any, int | None]:
    """Numbers for a whole tensor, lists with their axis for channels, None without."""
    found = tensor.quantization
    if found is None:
        return None, None, None
    if len(found.scales) == 1:
        return found.scales[0], found.zero_points[0], None
    return list(found.scales), list(found.zero_points), found.axis
