"""What we write and read is the published schema: its generated code reads our files."""

import dataclasses

import numpy as np
import pytest
import tflite

from tests.support.small_models import activations, conv_model
from toolchain.tflite import options
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator
from toolchain.tflite.operator_codes import NAMES
from toolchain.tflite.option_tables import OF_OPERATOR, UNION
from toolchain.tflite.reader import read
from toolchain.tflite.slots import fields_of
from toolchain.tflite.writer import write

ACCESSORS = {
    "activation": "FusedActivationFunction",
    "dilation_h": "DilationHFactor",
    "dilation_w": "DilationWFactor",
    "filter_h": "FilterHeight",
    "filter_w": "FilterWidth",
    "transpose_left": "AdjX",
    "transpose_right": "AdjY",
    "source": "InDataType",
    "target": "OutDataType",
    "axes": "SqueezeDimsAsNumpy",
    "new_shape": "NewShapeAsNumpy",
    "graph": "InitSubgraphIndex",
}


def distinct(kind: type[options.Options]) -> options.Options:
    """Options in which every field differs from its default and, where it can, from the others."""
    values = {}
    for number, field in enumerate(fields_of(kind)):
        by_format = {
            "?": not field.default,
            "f": 0.5 + number,
            "[i]": (3, 1 + number),
            "b": 1,
            "s": "one",
        }
        values[field.name] = field.convert(by_format.get(field.slot.format, 7 + number))
    return kind(**values)


def test_operator_names_are_those_of_the_schema():
    assert dict(enumerate(NAMES)) == tflite.utils.BUILTIN_OPCODE2NAME


def test_element_types_are_those_of_the_schema():
    theirs = {n: v for n, v in vars(tflite.TensorType).items() if n.isupper()}
    assert {one.name: one.value for one in DType} == theirs


def test_union_numbers_are_those_of_the_schema():
    assert {f"{kind.__name__}Options": number for kind, number in UNION.items()} == {
        name: number
        for name, number in vars(tflite.BuiltinOptions).items()
        if number in UNION.values() and not name.startswith("_")
    }


@pytest.mark.parametrize("name", sorted(OF_OPERATOR))
def test_every_option_lies_in_the_slot_that_the_schema_gives_it(name):
    written = distinct(OF_OPERATOR[name])
    model = Model((Graph((), (Operator(name, (), (), 1, written),), (), ()),))

    operator = tflite.Model.GetRootAs(write(model)).Subgraphs(0).Operators(0)
    union = f"{type(written).__name__}Options"
    assert operator.BuiltinOptionsType() == getattr(tflite.BuiltinOptions, union)
    table = getattr(tflite, union)()
    table.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
    for field in dataclasses.fields(written):
        camel = field.name.title().replace("_", "")
        value = getattr(table, ACCESSORS.get(field.name, camel))()
        expected = getattr(written, field.name)
        value = value.decode() if isinstance(value, bytes) else value
        assert (tuple(value) if isinstance(expected, tuple) else value) == expected


def test_a_written_model_reads_the_same_through_the_generated_code():
    model = conv_model()
    data = write(model)
    assert tflite.Model.ModelBufferHasIdentifier(data, 0)
    root = tflite.Model.GetRootAs(data)
    graph = root.Subgraphs(0)
    assert root.Version() == 3
    assert root.Description() == b"a test"
    assert root.Buffers(0).DataIsNone()
    assert graph.InputsAsNumpy().tolist() == [0]
    assert graph.OutputsAsNumpy().tolist() == [6]
    for index, tensor in enumerate(model.main.tensors):
        found = graph.Tensors(index)
        assert found.Name() == tensor.name.encode()
        assert tuple(found.ShapeAsNumpy()) == tensor.shape
        assert found.Type() == tensor.dtype
        if tensor.quantization:
            assert tuple(found.Quantization().ScaleAsNumpy()) == tensor.quantization.scales
            assert tuple(found.Quantization().ZeroPointAsNumpy()) == tensor.quantization.zero_points
        buffer = root.Buffers(found.Buffer())
        assert (None if buffer.DataIsNone() else buffer.DataAsNumpy().tobytes()) == tensor.data
    for index, operator in enumerate(model.main.operators):
        found = graph.Operators(index)
        assert tuple(found.InputsAsNumpy()) == operator.inputs
        assert tuple(found.OutputsAsNumpy()) == operator.outputs
        code = root.OperatorCodes(found.OpcodeIndex())
        assert NAMES[code.BuiltinCode()] == operator.name
        assert code.DeprecatedBuiltinCode() == code.BuiltinCode()
        assert code.Version() == operator.version
    signature = root.SignatureDefs(0)
    assert signature.SignatureKey() == b"serve"
    assert signature.Inputs(0).Name() == b"x"
    assert signature.Outputs(0).TensorIndex() == 6


def test_constants_lie_at_multiples_of_16_bytes():
    data = write(conv_model())
    constants = [one.data for one in read(data).main.tensors if one.data is not None]
    starts = [address(one) - address(data) for one in constants]
    assert len(set(starts)) == 3
    assert all(0 < start < len(data) and start % 16 == 0 for start in starts)


def address(data):
    return np.frombuffer(data, np.uint8).ctypes.data


def test_codes_above_127_are_capped_in_the_old_field():
    tensors = activations([(2,), (2,)], DType.FLOAT32)
    gelu = Operator("GELU", (0,), (1,), 1, options.Gelu(approximate=True))
    data = write(Model((Graph(tensors, (gelu,), (0,), (1,)),)))
    code = tflite.Model.GetRootAs(data).OperatorCodes(0)
    assert (code.DeprecatedBuiltinCode(), NAMES[code.BuiltinCode()]) == (127, "GELU")
    assert read(data).main.operators == (gelu,)
