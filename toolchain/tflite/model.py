"""A TFLite model as frozen values: what the reader returns after checking and the writer takes."""

from dataclasses import dataclass
from math import prod

from toolchain.tflite.dtype import DType
from toolchain.tflite.options import Options


@dataclass(frozen=True, slots=True)
class Quantization:
    """Affine quantization: real = scale · (quantized − zero_point).

    Attributes:
        scales: one, or one for each index along `axis`.
        zero_points: as many as scales.
        axis: the dimension that the scales go along when there are several.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor.

    Attributes:
        shape: with 1 in place of a dimension that is only known at run time.
        data: the little-endian bytes of a constant; None for an activation.
        signature: the shape with −1 for such dimensions; empty if there is none.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    quantization: Quantization | None = None
    data: bytes | memoryview | None = None
    is_variable: bool = False
    signature: tuple[int, ...] = ()

    @property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes of the tensor; a constant's own length where its type has no fixed size."""
        if self.dtype.bits is None and self.data is not None:
            return len(self.data)
        return self.dtype.size_bytes(self.elements)

    @property
    def is_dynamic(self) -> bool:
        """Whether a dimension other than the batch is only known at run time."""
        return -1 in self.signature[1:]

    @property
    def is_constant(self) -> bool:
        """Whether the value is part of the model."""
        return self.data is not None


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator; `inputs` and `outputs` index the graph's tensors, −1 is an input left out.

    `name` is the schema's name, such as `CONV_2D`; `CUSTOM` operators have a `custom_name` and
    their options as uninterpreted bytes.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    version: int = 1
    options: Options | None = None
    custom_name: str = ""
    custom_options: bytes | memoryview = b""

    @property
    def label(self) -> str:
        """The name for people."""
        return f"CUSTOM {self.custom_name}" if self.custom_name else self.name


@dataclass(frozen=True, slots=True)
class Graph:
    """Operators in the order of execution, over tensors; `inputs` and `outputs` index tensors."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """A named way to call one graph: argument names to tensor indices."""

    key: str
    graph: int
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A whole model; the first graph is the one that runs when no signature is named."""

    graphs: tuple[Graph, ...]
    description: str = ""
    signatures: tuple[Signature, ...] = ()

    @property
    def main(self) -> Graph:
        """The first graph."""
        return self.graphs[0]
