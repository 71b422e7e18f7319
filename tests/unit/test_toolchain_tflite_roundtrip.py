"""What is written is read back the same, whatever it is."""

from hypothesis import given, settings
from hypothesis import strategies as st

from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Quantization, Signature, Tensor
from toolchain.tflite.operator_codes import NAMES
from toolchain.tflite.operator_shapes import RULES
from toolchain.tflite.option_tables import OF_OPERATOR
from toolchain.tflite.reader import read
from toolchain.tflite.slots import fields_of
from toolchain.tflite.writer import write

NAMES_OF_THINGS = st.text(st.characters(codec="utf-8"), max_size=12)
SCALES = st.floats(2**-40, 2**40, width=32)
ZERO_POINTS = st.integers(-(2**63), 2**63 - 1)
FREE = sorted(set(NAMES) - set(RULES) - {"CUSTOM"})
"""Operators whose operands are not checked, so that any tensors will do."""


@st.composite
def tensors(draw, constant=None):
    shape = tuple(draw(st.lists(st.integers(1, 4), max_size=4)))
    dtype = draw(st.sampled_from([one for one in DType if one.bits]))
    tensor = Tensor(draw(NAMES_OF_THINGS), shape, dtype)
    axis = draw(st.integers(0, max(0, len(shape) - 1)))
    count = draw(st.sampled_from([0, 1, shape[axis] if shape else 1]))
    several = {"min_size": count, "max_size": count}
    quantization = Quantization(
        tuple(draw(st.lists(SCALES, **several))),
        tuple(draw(st.lists(ZERO_POINTS, **several))),
        axis,
    )
    is_constant = draw(st.booleans()) if constant is None else constant
    size = tensor.size_bytes
    return Tensor(
        tensor.name,
        shape,
        dtype,
        quantization if count else None,
        draw(st.binary(min_size=size, max_size=size)) if is_constant else None,
        is_variable=not is_constant and draw(st.booleans()),
        signature=tuple(draw(st.sampled_from([(), (-1, *shape[1:])]))) if shape else (),
    )


@st.composite
def options_of(draw, name):
    kind = OF_OPERATOR.get(name)
    if kind is None:
        return None
    by_format = {
        "b": st.integers(0, 1),
        "?": st.booleans(),
        "i": st.integers(-(2**31), 2**31 - 1),
        "f": st.floats(width=32, allow_nan=False),
        "s": st.text(st.characters(codec="utf-8"), max_size=9),
        "[i]": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4).map(tuple),
    }
    fields = fields_of(kind)
    return kind(**{one.name: one.convert(draw(by_format[one.slot.format])) for one in fields})


@st.composite
def graphs(draw):
    """A graph in which each operator reads what is there and makes one new tensor."""
    known = [draw(tensors(constant=False)), *draw(st.lists(tensors(), max_size=3))]
    operators = []
    for _ in range(draw(st.integers(0, 4))):
        name = draw(st.sampled_from([*FREE, "CUSTOM"]))
        given_ = [i for i, one in enumerate(known) if i in (0, *_made(operators)) or _given(one)]
        inputs = tuple(draw(st.lists(st.sampled_from([-1, *given_]), max_size=4)))
        known.append(draw(tensors(constant=False)))
        operators.append(
            Operator(
                name,
                inputs,
                (len(known) - 1,),
                draw(st.integers(1, 9)),
                draw(options_of(name)),
                draw(st.text("abcXYZ_", min_size=1)) if name == "CUSTOM" else "",
                draw(st.binary(max_size=8)) if name == "CUSTOM" else b"",
            )
        )
    outputs = (len(known) - 1,) if operators else (0,)
    return Graph(tuple(known), tuple(operators), (0,), outputs, draw(NAMES_OF_THINGS))


def _made(operators):
    return [index for operator in operators for index in operator.outputs]


def _given(tensor):
    return tensor.is_constant or tensor.is_variable


@st.composite
def models(draw):
    found = tuple(draw(st.lists(graphs(), min_size=1, max_size=2)))
    signature = Signature(
        draw(NAMES_OF_THINGS), len(found) - 1, ((draw(NAMES_OF_THINGS), 0),), (("y", 0),)
    )
    signatures = (signature,) if draw(st.booleans()) else ()
    return Model(found, draw(NAMES_OF_THINGS), signatures)


@settings(max_examples=60, deadline=None)
@given(models())
def test_read_gives_back_what_write_was_given(model):
    data = write(model)
    assert read(data) == model
    assert write(model) == data
