"""Plans to bytes and back; the bytes themselves are locked by tests/vectors/plan.json."""

import json
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolchain.errors import ModelRefused
from toolchain.plan.decode import decode
from toolchain.plan.encode import encode
from toolchain.plan.layout import HEADER_BYTES, OPERATOR_BYTES, TENSOR_BYTES
from toolchain.plan.numbers import Opcode, Place, Rounding, Status, Target
from toolchain.plan.operators import PARAMETERS
from toolchain.plan.parameters import Conv2D, OutputStage, Softmax, Window
from toolchain.plan.plan import Plan, PlanOperator, PlanTensor
from toolchain.plan.records import Record, layout, size_bytes
from toolchain.tflite.dtype import DType

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "plan.json").read_text())
BYTES = bytes.fromhex("".join(VECTOR["plan"]))


def records(kind: type[Record]) -> st.SearchStrategy[Record]:
    """Any record of a kind."""
    limits = {"b": (-128, 127), "B": (0, 255), "H": (0, 65535), "i": (-(2**31), 2**31 - 1)}
    limits["h"] = (-(2**15), 2**15 - 1)
    numbers = [st.integers(*limits.get(one, (0, 2**32 - 1))) for one in layout(kind)[1:]]
    return st.tuples(*numbers).map(lambda values: kind.unpack(struct.pack(layout(kind), *values)))


tensors = st.builds(
    PlanTensor,
    dtype=st.sampled_from([DType.FLOAT32, DType.INT8, DType.INT16, DType.INT32]),
    shape=st.lists(st.integers(1, 9), max_size=6).map(tuple),
    place=st.sampled_from(Place),
    offset=st.integers(0, 2**32 - 1),
    scale=st.floats(width=32, allow_nan=False),
    zero_point=st.integers(-(2**31), 2**31 - 1),
    name=st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=9),
    is_uint8_outside=st.booleans(),
    is_variable=st.booleans(),
)
indices = st.lists(st.integers(0, 65535), max_size=4).map(tuple)


@st.composite
def operators(draw):
    opcode = draw(st.sampled_from(Opcode))
    numbers = [draw(st.integers(0, 255)) for _ in range(2)]
    words = [draw(st.integers(0, 2**32 - 1)) for _ in range(2)]
    record = draw(records(PARAMETERS[opcode]))
    return PlanOperator(opcode, draw(indices), draw(indices), record, *numbers, *words)


plans = st.builds(
    Plan,
    rounding=st.sampled_from(Rounding),
    target=st.sampled_from(Target),
    arena_bytes=st.integers(0, 2**32 - 1),
    tensors=st.lists(tensors, max_size=4).map(tuple),
    operators=st.lists(operators(), max_size=4).map(tuple),
    inputs=indices,
    outputs=indices,
    resets=st.integers(0, 2**32 - 1),
    constants=st.binary(max_size=64).map(lambda data: data + bytes(-len(data) % 4)),
)


@given(plans)
def test_what_is_encoded_is_decoded(plan):
    data = encode(plan)
    assert decode(data) == plan
    assert encode(decode(data)) == data


def test_the_bytes_are_those_of_the_vector():
    plan = decode(BYTES)
    assert encode(plan) == BYTES
    assert [(one.name, one.shape, one.offset) for one in plan.tensors] == [
        ("in", (1, 4, 4, 2), 0),
        ("conv", (1, 2, 2, 3), 32),
        ("flat", (1, 12), 32),
        ("out", (1, 12), 32),
    ]
    conv, softmax = plan.operators
    assert conv.parameters == Conv2D(
        OutputStage(bias=0, multiplier=16, shift=32, low=5, high=127),
        Window(3, 3, 1, 1, 1, 1, 0, 0),
        weights=48,
        depth=2,
    )
    assert softmax.parameters == Softmax(table=112)
    assert (plan.inputs, plan.outputs, plan.arena_bytes) == ((0,), (3,), VECTOR["arena_bytes"])


def test_records_have_the_sizes_of_the_specification():
    assert (HEADER_BYTES, TENSOR_BYTES, OPERATOR_BYTES) == (64, 48, 24)
    assert {opcode: size_bytes(PARAMETERS[opcode]) for opcode in Opcode}[Opcode.CONV_2D_S8] == 40


@pytest.mark.parametrize(
    ("offset", "data", "reason"),
    [
        (0, b"SVPX", "not a plan"),
        (4, b"\2\0", "format version 2"),
        (8, b"\xff\xff", "copy it again"),
        (300, b"\xff", "CRC-32"),
    ],
)
def test_a_foreign_or_damaged_plan_is_refused_in_one_line(offset, data, reason):
    damaged = BYTES[:offset] + data + BYTES[offset + len(data) :]
    with pytest.raises(ModelRefused, match=reason) as told:
        decode(damaged)
    assert "\n" not in str(told.value)


@given(st.integers(0, len(BYTES)))
def test_a_truncated_plan_is_refused(length):
    if length < len(BYTES):
        with pytest.raises(ModelRefused):
            decode(BYTES[:length])


@given(st.lists(st.tuples(st.integers(16, len(BYTES) - 4), st.binary(min_size=1, max_size=4))))
def test_any_bytes_are_a_plan_or_refused(changes):
    data = bytearray(BYTES)
    for offset, piece in changes:
        data[offset : offset + len(piece)] = piece
    data[12:16] = struct.pack("<I", zlib.crc32(data[16:]))
    try:
        decode(bytes(data))
    except ModelRefused as refused:
        assert "\n" not in str(refused)  # noqa: PT017


def test_a_number_that_does_not_fit_is_refused():
    tensor = PlanTensor(DType.INT8, (1,), Place.ARENA, 2**32)
    plan = Plan(Rounding.DOUBLE, Target.PORTABLE, 0, (tensor,), (), (), (), b"")
    with pytest.raises(ModelRefused, match="too large"):
        encode(plan)


def test_the_vector_has_a_case_for_every_refusal():
    told = {Status[one["status"]] for one in VECTOR["refusals"]}
    assert told == set(Status) - {Status.OK, Status.BAD_ARGUMENT}
