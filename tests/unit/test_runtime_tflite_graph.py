"""A graph that lies is refused before a runtime sees it; one that is only unusual is not."""

import pytest

from agent.errors import ModelError
from agent.runtime.tflite_file import check_tflite
from agent.runtime.tflite_graph import CUSTOM, check_graph
from tests.support.small_models import conv_model, with_operator, with_tensor
from tests.unit.test_toolchain_tflite_refusals import LIES, constant_behind
from toolchain.tflite.dtype import DType
from toolchain.tflite.writer import write

INT8, STRING, INT4 = 9, 5, 17
NO_CODE, ADD = [], 0


def tensor(kind=INT8, shape=(4,), buffer=0, **others):
    """A table as the flatbuffer's reader gives it, by the numbers of its fields."""
    named = {"is_variable": 5, "sparsity": 6, "external_buffer": 10}
    return {0: shape, 1: kind, 2: buffer} | {named[name]: what for name, what in others.items()}


def operator(inputs, outputs, code=0):
    return {0: code, 1: inputs, 2: outputs}


def graph(tensors, *operators, inputs=(0,), outputs=()):
    return {0: tensors, 1: inputs, 2: outputs, 3: list(operators)}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cycle", "operator 0 reads tensor 2, which no earlier one makes; export it again"),
        ("itself", "operator 0 reads tensor 1"),
        ("unsorted", "operator 0 reads tensor 5"),
        ("made twice", "operator 1 writes tensor 1, which already has a value; export it again"),
        ("writes the input", "operator 0 writes tensor 0"),
        ("writes a constant", "operator 0 writes tensor 1"),
        ("output never made", "output 1 is never made; export it again"),
        ("long buffer", r"tensor 2 of shape \[3\] needs 12 bytes, its buffer has 13; export"),
        ("short buffer", r"tensor 1 of shape \[3, 3, 3, 2\] needs 54 bytes, its buffer has 3"),
        ("signature's graph", "refers to graph 3 of 1"),
        ("signature's tensor", "refers to tensor 70 of 7"),
    ],
)
def test_a_lie_is_refused_where_it_stands(name, text):
    with pytest.raises(ModelError, match=text) as refusal:
        check_tflite(write(LIES[name][0]))
    assert "\n" not in str(refusal.value)


def test_a_tensor_that_nobody_makes_is_refused_unless_the_operator_is_none_of_tflite():
    one = graph([tensor(), tensor(), tensor()], operator((0, 1), (2,)), outputs=(2,))
    with pytest.raises(ModelError, match="operator 0 reads tensor 1"):
        check_graph(one, [ADD], [0])
    check_graph(one, [CUSTOM], [0])  # scratch memory of an accelerator


def test_what_a_later_operator_makes_is_scratch_for_nobody():
    one = graph([tensor()] * 3, operator((0, 1), (2,)), operator((2,), (1,)))
    with pytest.raises(ModelError, match="operator 0 reads tensor 1"):
        check_graph(one, [CUSTOM], [0])


@pytest.mark.parametrize(
    "given",
    [
        tensor(is_variable=True),
        tensor(external_buffer=1),
        tensor(shape=(0,)),
        tensor(shape=(), buffer=1, kind=INT8),
    ],
    ids=["a variable", "kept in another file", "empty", "a scalar"],
)
def test_what_has_a_value_otherwise_may_be_read_and_be_an_output(given):
    one = graph([tensor(), given, tensor()], operator((0, 1), (2,)), outputs=(1, 2))
    check_graph(one, [ADD], [0, 1])


def test_an_empty_tensor_may_be_made():
    check_graph(
        graph([tensor(), tensor(shape=(2, 0))], operator((0,), (1,)), outputs=(1,)), [0], [0]
    )


def test_an_operand_may_be_left_out_and_an_input_be_an_output():
    check_graph(graph([tensor(), tensor()], operator((0, -1), (1,)), outputs=(0, 1)), [0], [0])


@pytest.mark.parametrize(
    ("held", "bytes_held"),
    [
        (tensor(STRING, (2,), 1), 37),
        (tensor(INT8, (1 << 10,), 1, sparsity={}), 12),
        (tensor(99, (5,), 1), 3),
        (tensor(-1, (5,), 1), 3),
        (tensor(INT4, (5,), 1), 3),
        (tensor(INT4, (5,), 1), 5),
    ],
    ids=["strings", "sparse", "a newer type", "no type", "packed", "not packed"],
)
def test_a_constant_whose_bytes_do_not_follow_from_its_shape_passes(held, bytes_held):
    check_graph(graph([held], inputs=()), NO_CODE, [0, bytes_held])


@pytest.mark.parametrize("bytes_held", [2, 4, 6])
def test_four_bit_constants_have_one_of_two_lengths(bytes_held):
    with pytest.raises(ModelError, match="needs 3 bytes"):
        check_graph(graph([tensor(INT4, (5,), 1)], inputs=()), NO_CODE, [0, bytes_held])


@pytest.mark.parametrize("kind", [kind for kind in DType if kind.bits])
def test_every_type_has_the_size_that_the_toolchain_gives_it(kind):
    held = tensor(kind, (3, 7), 1)
    check_graph(graph([held], inputs=()), NO_CODE, [0, kind.size_bytes(21)])
    with pytest.raises(ModelError, match=f"needs {kind.size_bytes(21)} bytes"):
        check_graph(graph([held], inputs=()), NO_CODE, [0, kind.size_bytes(21) + 30])


def test_the_first_buffer_means_no_data_whatever_it_holds():
    check_graph(graph([tensor()]), NO_CODE, [99])


def test_several_tensors_may_share_one_buffer():
    check_graph(
        graph([tensor(shape=(2, 3), buffer=1), tensor(shape=(6,), buffer=1)], inputs=()), [], [0, 6]
    )


def test_a_constant_behind_the_flatbuffer_is_measured_too():
    end = len(constant_behind(1 << 20, 4))
    check_tflite(constant_behind(end, 4) + b"abcd")
    with pytest.raises(ModelError, match="needs 4 bytes, its buffer has 5"):
        check_tflite(constant_behind(end, 5) + b"abcde")
    with pytest.raises(ModelError, match="a buffer ends beyond it"):
        check_tflite(constant_behind(end, 4) + b"abc")


def test_a_variable_that_nobody_writes_passes_in_a_whole_model():
    state = with_tensor(conv_model(), 4, data=None, is_variable=True)
    check_tflite(write(state))
    with pytest.raises(ModelError, match="operator 1 reads tensor 4"):
        check_tflite(write(with_tensor(conv_model(), 4, data=None)))


def test_the_order_of_operators_is_all_that_is_asked_of_an_operand():
    check_tflite(write(with_operator(conv_model(), 1, inputs=(3, 4, 2))))
