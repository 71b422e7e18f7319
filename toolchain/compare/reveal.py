"""A model whose every tensor can be seen."""

from dataclasses import dataclass, replace

from toolchain.errors import ModelRefused
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Model, Operator

_SEEN = frozenset({DType.INT8, DType.UINT8, DType.INT16, DType.INT32, DType.FLOAT32})


@dataclass(frozen=True, slots=True)
class Layer:
    """A tensor that an operator of the first graph makes.

    Attributes:
        tensor: its index, under which the revealed model's output is called `key`.
        operator: the position of the operator in the order of execution.
    """

    tensor: int
    name: str
    operator: int
    operator_name: str

    @property
    def key(self) -> str:
        """The name of the revealed model's output."""
        return f"t{self.tensor}"


def reveal(model: Model) -> tuple[Model, tuple[Layer, ...]]:
    """Make every activation an output, in the order of execution.

    What is an output is not folded into its neighbour and not overwritten, so all stay to be seen.
    What depends on constants only is left out: converting computes it beforehand.

    Raises:
        ModelRefused: there is nothing to see.
    """
    graph = model.main
    fixed = {index for index, tensor in enumerate(graph.tensors) if tensor.is_constant} | {-1}
    layers: list[Layer] = []
    for number, operator in enumerate(graph.operators):
        if fixed.issuperset(operator.inputs):
            fixed.update(operator.outputs)
            continue
        layers += [
            Layer(index, graph.tensors[index].name, number, operator.label)
            for index in _seen(model, operator)
        ]
    if not layers:
        raise ModelRefused("no operator makes a tensor that could be compared; is it a model?")
    tensors = list(graph.tensors)
    for layer in layers:
        tensors[layer.tensor] = replace(tensors[layer.tensor], name=layer.key)
    outputs = tuple(layer.tensor for layer in layers)
    revealed = replace(graph, tensors=tuple(tensors), outputs=outputs)
    return replace(model, graphs=(revealed, *model.graphs[1:]), signatures=()), tuple(layers)


def _seen(model: Model, operator: Operator) -> list[int]:
    tensors = model.main.tensors
    return [
        index
        for index in operator.outputs
        if index >= 0 and tensors[index].dtype in _SEEN and not tensors[index].is_variable
    ]
