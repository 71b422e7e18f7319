"""A `Model` to bytes, by the rules that TFLite's own converter keeps.

Buffer 0 is empty, constants start at multiples of 16 bytes, and an operator code is written to the
old one-byte field (at most 127) as well as to the new one.
"""

from collections.abc import Callable, Iterable, Sequence

import flatbuffers
import numpy as np
import tflite
from flatbuffers.number_types import BoolFlags, Float32Flags, Int8Flags, Int32Flags

from toolchain.tflite.model import Graph, Model, Operator, Quantization, Signature, Tensor
from toolchain.tflite.operator_codes import CODES
from toolchain.tflite.option_tables import UNION
from toolchain.tflite.options import Options
from toolchain.tflite.reader import IDENTIFIER, SCHEMA_VERSION
from toolchain.tflite.slots import fields_of

DATA_ALIGNMENT_BYTES = 16
_FLAGS = {"b": Int8Flags, "i": Int32Flags, "?": BoolFlags, "f": Float32Flags}
_Code = tuple[str, str, int]


def write(model: Model) -> bytes:
    """Write a model; equal models give equal bytes, and `read` gives the model back.

    The model is not checked: read it back where it does not come from our own code.
    """
    builder = flatbuffers.Builder(1 << 16)
    constants = [tensor for graph in model.graphs for tensor in graph.tensors if tensor.data]
    numbers = {id(tensor): number for number, tensor in enumerate(constants, 1)}
    codes = _codes(model)
    # The builder writes back to front: constants go in first, so that they end up last.
    buffers = [_buffer(builder, data) for data in (None, *(one.data for one in constants))]
    offsets = {
        "buffers": _offsets(builder, buffers),
        "signatures": _tables(builder, model.signatures, _signature),
        "graphs": _offsets(builder, [_graph(builder, g, numbers, codes) for g in model.graphs]),
        "codes": _tables(builder, codes, _code),
        "description": builder.CreateString(model.description),
    }
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, SCHEMA_VERSION)
    tflite.ModelAddOperatorCodes(builder, offsets["codes"])
    tflite.ModelAddSubgraphs(builder, offsets["graphs"])
    tflite.ModelAddDescription(builder, offsets["description"])
    tflite.ModelAddBuffers(builder, offsets["buffers"])
    tflite.ModelAddSignatureDefs(builder, offsets["signatures"])
    builder.Finish(tflite.ModelEnd(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _codes(model: Model) -> list[_Code]:
    """The distinct operator codes, in order of first use."""
    found = (_code_of(operator) for graph in model.graphs for operator in graph.operators)
    return list(dict.fromkeys(found))


def _code_of(operator: Operator) -> _Code:
    return operator.name, operator.custom_name, operator.version


def _code(builder: flatbuffers.Builder, code: _Code) -> int:
    name, custom_name, version = code
    custom = builder.CreateString(custom_name) if custom_name else 0
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, min(CODES[name], 127))
    tflite.OperatorCodeAddCustomCode(builder, custom)
    tflite.OperatorCodeAddVersion(builder, version)
    tflite.OperatorCodeAddBuiltinCode(builder, CODES[name])
    return int(tflite.OperatorCodeEnd(builder))


def _buffer(builder: flatbuffers.Builder, data: bytes | memoryview | None) -> int:
    vector = _bytes(builder, data, DATA_ALIGNMENT_BYTES) if data else 0
    tflite.BufferStart(builder)
    tflite.BufferAddData(builder, vector)
    return int(tflite.BufferEnd(builder))


def _graph(
    builder: flatbuffers.Builder, graph: Graph, buffers: dict[int, int], codes: list[_Code]
) -> int:
    tensors = [_tensor(builder, one, buffers.get(id(one), 0)) for one in graph.tensors]
    operators = [_operator(builder, one, codes.index(_code_of(one))) for one in graph.operators]
    offsets = (
        _offsets(builder, tensors),
        _vector(builder, graph.inputs, "<i4"),
        _vector(builder, graph.outputs, "<i4"),
        _offsets(builder, operators),
        builder.CreateString(graph.name),
    )
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, offsets[0])
    tflite.SubGraphAddInputs(builder, offsets[1])
    tflite.SubGraphAddOutputs(builder, offsets[2])
    tflite.SubGraphAddOperators(builder, offsets[3])
    tflite.SubGraphAddName(builder, offsets[4])
    return int(tflite.SubGraphEnd(builder))


def _tensor(builder: flatbuffers.Builder, tensor: Tensor, buffer: int) -> int:
    name = builder.CreateString(tensor.name)
    shape = _vector(builder, tensor.shape, "<i4")
    signature = _vector(builder, tensor.signature, "<i4") if tensor.signature else 0
    quantization = _quantization(builder, tensor.quantization) if tensor.quantization else 0
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, tensor.dtype)
    tflite.TensorAddBuffer(builder, buffer)
    tflite.TensorAddName(builder, name)
    tflite.TensorAddQuantization(builder, quantization)
    tflite.TensorAddIsVariable(builder, tensor.is_variable)
    tflite.TensorAddShapeSignature(builder, signature)
    return int(tflite.TensorEnd(builder))


def _quantization(builder: flatbuffers.Builder, quantization: Quantization) -> int:
    scale = _vector(builder, quantization.scales, "<f4")
    zero_point = _vector(builder, quantization.zero_points, "<i8")
    tflite.QuantizationParametersStart(builder)
    tflite.QuantizationParametersAddScale(builder, scale)
    tflite.QuantizationParametersAddZeroPoint(builder, zero_point)
    tflite.QuantizationParametersAddQuantizedDimension(builder, quantization.axis)
    return int(tflite.QuantizationParametersEnd(builder))


def _operator(builder: flatbuffers.Builder, operator: Operator, code: int) -> int:
    inputs = _vector(builder, operator.inputs, "<i4")
    outputs = _vector(builder, operator.outputs, "<i4")
    custom = _bytes(builder, operator.custom_options, 1) if operator.custom_options else 0
    options = _options(builder, operator.options) if operator.options else 0
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, code)
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    if operator.options:
        tflite.OperatorAddBuiltinOptionsType(builder, UNION[type(operator.options)])
        tflite.OperatorAddBuiltinOptions(builder, options)
    tflite.OperatorAddCustomOptions(builder, custom)
    return int(tflite.OperatorEnd(builder))


def _options(builder: flatbuffers.Builder, options: Options) -> int:
    fields = fields_of(type(options))
    vectors = {
        field.name: _vector(builder, getattr(options, field.name), "<i4")
        for field in fields
        if field.slot.format == "[i]"
    }
    vectors |= {
        field.name: builder.CreateString(getattr(options, field.name))
        for field in fields
        if field.slot.format == "s"
    }
    builder.StartObject(max(field.slot.number for field in fields) + 1)
    for field in fields:
        number, value = field.slot.number, getattr(options, field.name)
        if field.name in vectors:
            builder.PrependUOffsetTRelativeSlot(number, vectors[field.name], 0)
        else:
            builder.PrependSlot(_FLAGS[field.slot.format], number, value, field.default)
    return int(builder.EndObject())


def _signature(builder: flatbuffers.Builder, signature: Signature) -> int:
    inputs = _tables(builder, signature.inputs, _argument)
    outputs = _tables(builder, signature.outputs, _argument)
    key = builder.CreateString(signature.key)
    tflite.SignatureDefStart(builder)
    tflite.SignatureDefAddInputs(builder, inputs)
    tflite.SignatureDefAddOutputs(builder, outputs)
    tflite.SignatureDefAddSignatureKey(builder, key)
    tflite.SignatureDefAddSubgraphIndex(builder, signature.graph)
    return int(tflite.SignatureDefEnd(builder))


def _argument(builder: flatbuffers.Builder, argument: tuple[str, int]) -> int:
    name = builder.CreateString(argument[0])
    tflite.TensorMapStart(builder)
    tflite.TensorMapAddName(builder, name)
    tflite.TensorMapAddTensorIndex(builder, argument[1])
    return int(tflite.TensorMapEnd(builder))


def _tables(
    builder: flatbuffers.Builder, items: Iterable[object], write_one: Callable[..., int]
) -> int:
    return _offsets(builder, [write_one(builder, item) for item in items])


def _offsets(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _vector(builder: flatbuffers.Builder, values: Sequence[float], dtype: str) -> int:
    return int(builder.CreateNumpyVector(np.asarray(values, dtype)))


def _bytes(builder: flatbuffers.Builder, data: bytes | memoryview, alignment: int) -> int:
    builder.StartVector(1, len(data), alignment)
    builder.head -= len(data)
    builder.Bytes[builder.head : builder.head + len(data)] = data
    return int(builder.EndVector())
