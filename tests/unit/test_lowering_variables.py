"""Variables: where copies are left out, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.engine_cases_state import SHAPE, Building, starting
from toolchain.errors import ModelRefused
from toolchain.lowering.lower import lower
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Model, Operator
from toolchain.tflite.options import Add, CallOnce
from toolchain.tflite.reader import read
from toolchain.tflite.writer import write

START = np.arange(12, dtype=np.int8).reshape(SHAPE)
CALL = Operator("CALL_ONCE", (), (), 1, CallOnce(1))


def model(build, start=True):
    """What `build` makes of a graph and its input; the variable is set to START first."""
    main = Building()
    x = main.tensor(SHAPE)
    main.operators += [CALL] if start else []
    outputs = build(main, x)
    graphs = (main.graph((x,), outputs), *((starting([START]),) if start else ()))
    return Model(graphs)


def opcodes(made):
    plan = lower(read(write(made)))
    names = [one.opcode.name for one in plan.operators]
    return names[: plan.resets], names[plan.resets :]


def add(main, left, right):
    return main.operate("ADD", (left, right), SHAPE, Add(), 2)


def test_a_sum_is_made_in_the_variable_once_the_old_value_is_gone():
    def build(main, x):
        old = main.read(0, SHAPE)
        twice = add(main, old, old)
        new = add(main, twice, x)
        main.assign(0, new)
        return (new,)

    assert opcodes(model(build)) == (["STRIDED_COPY"], ["ADD_S8", "ADD_S8"])


def test_a_sum_of_the_old_value_is_copied_since_it_may_not_be_made_over_it():
    def build(main, x):
        new = add(main, main.read(0, SHAPE), x)
        main.assign(0, new)
        return (new,)

    assert opcodes(model(build))[1] == ["ADD_S8", "STRIDED_COPY"]


def test_an_old_value_that_is_wanted_after_the_assignment_is_copied():
    def build(main, x):
        old = main.read(0, SHAPE)
        main.assign(0, x)
        return (add(main, old, x),)

    assert opcodes(model(build))[1] == ["STRIDED_COPY", "STRIDED_COPY", "ADD_S8"]


def test_an_old_value_that_is_an_output_is_copied():
    def build(main, x):
        old = main.read(0, SHAPE)
        main.assign(0, x)
        return (old,)

    assert opcodes(model(build))[1] == ["STRIDED_COPY", "STRIDED_COPY"]


def test_an_assignment_of_what_was_read_is_nothing():
    def build(main, x):
        old = main.read(0, SHAPE)
        new = add(main, old, x)
        main.assign(0, old)
        return (new,)

    assert opcodes(model(build))[1] == ["ADD_S8"]


def test_variables_live_for_ever_and_apart():
    def build(main, x):
        old = main.read(0, SHAPE)
        new = add(main, x, x)
        behind = add(main, new, old)
        main.assign(0, x)
        return (add(main, behind, behind),)

    plan = lower(read(write(model(build))))
    (variable,) = (tensor for tensor in plan.tensors if tensor.is_variable)
    shown = {tensor.name for tensor in plan.tensors if tensor.offset == variable.offset}
    assert variable.name == "streams/v0"
    assert shown == {"streams/v0", plan.tensors[plan.operators[2].inputs[1]].name}


@pytest.mark.parametrize("value", [None, 5])
def test_equal_elements_are_kept_as_one(value):
    made = model(read_plain, start=value is not None)
    if value is not None:
        made = replace(made, graphs=(made.main, starting([np.full(SHAPE, value, np.int8)])))
    plan = lower(read(write(made)))
    assert plan.resets == 1
    (source,) = plan.operators[0].inputs
    assert plan.tensors[source].shape == (1,)
    assert plan.constants[plan.tensors[source].offset] == (value or 3)


def read_plain(main, x):
    return (add(main, main.read(0, SHAPE), x),)


def late(main, x):
    old = main.read(0, SHAPE)
    main.operators += [CALL]
    return (add(main, old, x),)


def two_shapes(main, x):
    main.assign(0, main.operate("RELU", (x,), SHAPE, None, 2))
    return (main.read(0, (1, 12)),)


def no_handle(main, x):
    resource = main.tensor((1,), dtype=DType.RESOURCE)
    return (main.operate("READ_VARIABLE", (resource,), SHAPE),)


def wrong_handle(main, x):
    return (main.operate("READ_VARIABLE", (x,), SHAPE),)


def no_resource(main, x):
    return (main.operate("VAR_HANDLE", (), (1,)),)


def no_value(main, x):
    handle = main.handle(0)
    main.operators.append(Operator("ASSIGN_VARIABLE", (handle,), ()))
    return (add(main, x, x),)


RIGHT = model(read_plain)
OTHER = RIGHT.graphs[1]
WHERE = Operator("WHERE", (), ())


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (model(late), r"operator 3 \(CALL_ONCE\): stands behind"),
        (model(two_shapes), r"operator 4 \(READ_VARIABLE\): its variable is int8\[1, 4, 3\], not"),
        (model(no_handle), r"operator 1 \(READ_VARIABLE\): its variable is not the output of a"),
        (model(wrong_handle), r"operator 1 \(READ_VARIABLE\): input 0 is int8, not a variable's"),
        (model(no_resource), r"operator 1 \(VAR_HANDLE\): makes int8 of 0 inputs"),
        (model(no_value), r"operator 2 \(ASSIGN_VARIABLE\): lacks input 1"),
        (replace(RIGHT, graphs=RIGHT.graphs[:1]), r"CALL_ONCE\): graph 1 of 1 cannot be called"),
        (
            replace(RIGHT, graphs=(RIGHT.main, RIGHT.main)),
            r"graph 0, operator 0 \(CALL_ONCE\): graph 1 takes or gives tensors",
        ),
        (
            replace(RIGHT, graphs=(RIGHT.main, replace(OTHER, operators=(CALL,)))),
            "graph 1 calls another one",
        ),
        (
            replace(
                RIGHT, graphs=(RIGHT.main, replace(OTHER, operators=(*OTHER.operators, WHERE)))
            ),
            r"graph 1, operator 2 \(WHERE\): is not supported",
        ),
    ],
)
def test_a_model_is_refused(made, reason):
    with pytest.raises(ModelRefused, match=reason) as told:
        lower(read(write(made)))
    assert "\n" not in str(told.value)
