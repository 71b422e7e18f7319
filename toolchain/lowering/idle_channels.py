"""Channels that hold one number whatever the input: they are not computed.

Strong regularisation leaves filters whose weights are all zero. What such a filter gives is known,
and what depthwise convolutions and pooling make of it as well; where the next sum takes it up, it
is a part of that sum's bias. All of it is integer arithmetic, so that no result changes.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolchain.lowering.activation_range import activation_range
from toolchain.lowering.constants import ConstantPool
from toolchain.lowering.node import Node
from toolchain.lowering.output_stage import stage_numbers
from toolchain.lowering.requantize import requantize
from toolchain.lowering.settings import Settings
from toolchain.lowering.site import Site
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Quantization, Tensor
from toolchain.tflite.options import Conv2D, DepthwiseConv2D, Pool2D
from toolchain.tflite.slots import Padding

LANES = 8
"""Channels remain in whole groups of so many, as the packed kernels like them."""
_POOLS = frozenset({"AVERAGE_POOL_2D", "MAX_POOL_2D"})
_SUMS = frozenset({"CONV_2D", "FULLY_CONNECTED"})
Known = dict[int, int]
"""The number that a channel holds."""


def without_idle_channels(
    graph: Graph, nodes: Sequence[Node], settings: Settings, were_uint8: frozenset[int]
) -> tuple[Graph, tuple[Node, ...]]:
    """Leave out what need not be computed between a CONV_2D and the next sum.

    Raises:
        ModelRefused: what lowering these operators would raise.
    """
    thinning = _Thinning(graph, list(nodes), settings, were_uint8)
    for position in range(len(nodes)):
        thinning.thin(position)
    tensors = tuple(thinning.tensors)
    operators = tuple(node.operator for node in thinning.nodes)
    return replace(graph, tensors=tensors, operators=operators), tuple(thinning.nodes)


class _Thinning:
    def __init__(
        self, graph: Graph, nodes: list[Node], settings: Settings, were_uint8: frozenset[int]
    ) -> None:
        self.nodes = nodes
        self.tensors = list(graph.tensors)
        self._graph = graph
        self._settings = settings
        self._were_uint8 = were_uint8
        self._readers = defaultdict(list)
        for position, node in enumerate(nodes):
            for index in node.operator.inputs:
                self._readers[index].append(position)

    def thin(self, position: int) -> None:
        """Thin the channels that begin with this operator, if it is a CONV_2D."""
        site = self._site(position)
        if site.operator.name != "CONV_2D" or not self._is_plain(site):
            return
        chain, known = [position], _known_of_weights(site, 0, {})
        while known and (reader := self._only_reader(chain[-1])) is not None:
            site = self._site(reader)
            name = site.operator.name
            if name in _SUMS:
                if self._is_plain(site) and self._width(reader) == self._width(chain[-1], out=True):
                    self._take(chain, reader, _foldable(site, known))
                return
            if name == "DEPTHWISE_CONV_2D":
                if not self._is_plain(site) or site.input(0).shape[3] != site.output().shape[3]:
                    return
                known = _known_of_weights(site, 3, known)
            elif name in _POOLS and site.output().dtype is DType.INT8:
                known = _known_of_pool(site, known)
            elif name != "RESHAPE" or site.input(0).shape[-1] != site.output().shape[-1]:
                return
            chain.append(reader)

    def _site(self, position: int) -> Site:
        graph = replace(self._graph, tensors=tuple(self.tensors))
        return Site(self.nodes[position], graph, self._settings, ConstantPool(), self._were_uint8)

    def _only_reader(self, position: int) -> int | None:
        """Who alone reads what this operator writes, as its first input."""
        outputs = self.nodes[position].operator.outputs
        if len(outputs) != 1 or outputs[0] in self._graph.outputs:
            return None
        readers = self._readers[outputs[0]]
        if len(readers) != 1 or self.nodes[readers[0]].operator.inputs[0] != outputs[0]:
            return None
        return readers[0]

    def _is_plain(self, site: Site) -> bool:
        """Whether all is int8, with constant symmetric weights and bias, and not in groups."""
        inputs = site.operator.inputs
        if site.node.graph or len(inputs) < 2 or self._were_uint8.intersection(inputs):
            return False
        data, weights = (self.tensors[index] for index in inputs[:2])
        target = self.tensors[site.operator.outputs[0]]
        bias = site.index(2)
        depth = weights.shape[-1] if weights.shape else 0
        is_deep = site.operator.name != "CONV_2D" or depth == data.shape[-1]
        return (
            is_deep
            and {data.dtype, weights.dtype, target.dtype} == {DType.INT8}
            and weights.data is not None
            and weights.quantization is not None
            and not any(weights.quantization.zero_points)
            and (bias is None or self.tensors[bias].data is not None)
        )

    def _width(self, position: int, *, out: bool = False) -> int:
        """Channels that an operator writes, or that each of its sums takes."""
        operator = self.nodes[position].operator
        return self.tensors[operator.outputs[0] if out else operator.inputs[1]].shape[-1]

    def _take(self, chain: list[int], sink: int, known: Known) -> None:
        """Take channels away from a chain and from the sums at its end."""
        width = self._width(chain[-1], out=True)
        alive = width - len(known)
        spare = max(-alive % LANES, LANES - alive) if alive else LANES
        taken = sorted(known)[spare:]
        if not taken:
            return
        kept = np.setdiff1d(np.arange(width), taken)
        self._fold_into_bias(sink, {channel: known[channel] for channel in taken})
        self._slice(sink, 1, -1, kept)
        for position in chain:
            name = self.nodes[position].operator.name
            if name == "CONV_2D":
                self._slice(position, 1, 0, kept)
            elif name == "DEPTHWISE_CONV_2D":
                self._slice(position, 1, 3, kept)
            if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
                self._slice(position, 2, 0, kept)
            index = self.nodes[position].operator.outputs[0]
            shape = (*self.tensors[index].shape[:-1], len(kept))
            self.tensors[index] = replace(self.tensors[index], shape=shape, signature=())

    def _slice(self, position: int, number: int, axis: int, kept: NDArray[Any]) -> None:
        """Give an operator a constant that has only what is kept along an axis."""
        site = self._site(position)
        index = site.index(number)
        if index is None:
            return
        tensor = self.tensors[index]
        axis %= len(tensor.shape)
        values = site.constant(number, tensor.dtype).take(kept, axis)
        quantization = tensor.quantization
        if quantization and len(quantization.scales) > 1 and quantization.axis == axis:
            quantization = Quantization(
                tuple(quantization.scales[channel] for channel in kept),
                tuple(quantization.zero_points[channel] for channel in kept),
                axis,
            )
        made = replace(tensor, shape=values.shape, data=values.tobytes(), quantization=quantization)
        self._set_input(position, number, made)

    def _fold_into_bias(self, position: int, known: Known) -> None:
        site = self._site(position)
        weights = site.constant(1, DType.INT8).astype(np.int64)
        sums = weights.reshape(weights.shape[0], -1, weights.shape[-1]).sum(1)
        _, zero_point = site.per_tensor(site.input(0))
        channels = list(known)
        away = np.array([known[channel] - zero_point for channel in channels], np.int64)
        bias = np.zeros(len(sums), np.int64)
        if site.index(2) is not None:
            bias += site.constant(2, DType.INT32).reshape(-1)
        # Sums wrap at 32 bits in the engine, and so may a part of them.
        values = (bias + sums[:, channels] @ away).astype(np.int32).astype("<i4")
        name = f"{site.output().name} bias"
        made = Tensor(name, (len(values),), DType.INT32, data=values.tobytes())
        self._set_input(position, 2, made)

    def _set_input(self, position: int, number: int, tensor: Tensor) -> None:
        node = self.nodes[position]
        inputs = [*node.operator.inputs, *[-1] * (number + 1 - len(node.operator.inputs))]
        inputs[number] = len(self.tensors)
        self.tensors.append(tensor)
        self.nodes[position] = replace(node, operator=replace(node.operator, inputs=tuple(inputs)))


def _known_of_weights(site: Site, axis: int, known: Known) -> Known:
    """What filters of zeros give, and depthwise filters over channels that are known."""
    options = site.operator.options
    assert isinstance(options, Conv2D | DepthwiseConv2D)
    weights = site.constant(1, DType.INT8).astype(np.int64)
    around = tuple(dimension for dimension in range(weights.ndim) if dimension != axis)
    idle = np.asarray(np.abs(weights).sum(around) == 0)
    sums = weights.sum(around)
    _, zero_point = site.per_tensor(site.input(0))
    edges = _has_edges(site)
    numbers = stage_numbers(site, weights.astype(np.int8), axis, options.activation)
    found = {}
    for channel in range(len(sums)):
        if idle.item(channel):
            total = int(numbers.bias[channel])
        elif channel in known and (known[channel] == zero_point or not edges):
            total = int(numbers.bias[channel] + known[channel] * sums[channel])
        else:
            continue
        found[channel] = requantize(site, numbers, channel, total)
    return found


def _known_of_pool(site: Site, known: Known) -> Known:
    options = site.operator.options
    assert isinstance(options, Pool2D)
    low, high = activation_range(site, options.activation)
    return {channel: max(low, min(high, value)) for channel, value in known.items()}


def _foldable(site: Site, known: Known) -> Known:
    """Channels that add the same to every sum: at edges, only the zero point does."""
    _, zero_point = site.per_tensor(site.input(0))
    if site.operator.name == "CONV_2D" and _has_edges(site):
        return {channel: value for channel, value in known.items() if value == zero_point}
    return known


def _has_edges(site: Site) -> bool:
    """Whether a window may reach beyond the picture."""
    options = site.operator.options
    assert isinstance(options, Conv2D | DepthwiseConv2D)
    _, height, width, _ = site.input(1).shape
    return any(site.node.pad) or (options.padding is Padding.SAME and height * width > 1)
