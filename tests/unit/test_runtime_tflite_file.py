"""A damaged file is refused before native code follows its offsets."""

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import ModelError
from agent.runtime.flatbuffer import MisplacedError, read_table
from agent.runtime.tflite_file import check_tflite
from tests.support.small_models import conv_model, with_graph, with_operator, with_tensor
from toolchain.tflite.model import Model
from toolchain.tflite.writer import write

GOOD = write(conv_model())
SHARED = Path(__file__).parents[3] / "shared/models"


def test_whole_models_pass():
    check_tflite(GOOD)
    models = sorted(SHARED.glob("*.tflite"))
    assert len(models) >= 4
    for path in models:
        check_tflite(path.read_bytes())


def test_every_truncation_is_refused():
    for length in range(len(GOOD)):
        with pytest.raises(ModelError):
            check_tflite(GOOD[:length])


@given(st.data())
@settings(max_examples=300)
def test_any_damage_passes_or_is_refused(data):
    model = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(model) - 4))
        model[at : at + 4] = data.draw(
            st.binary(min_size=4, max_size=4)
            | st.sampled_from(
                [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\x80"]
            )
        )
    with suppress(ModelError):
        check_tflite(bytes(model))


@given(st.binary(max_size=200))
def test_any_bytes_behind_the_identifier_pass_or_are_refused(tail):
    with suppress(ModelError):
        check_tflite(b"\x1c\0\0\0TFL3" + tail)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "is empty"),
        (b"TFL3", "is not a TFLite model"),
        (b"PK\x03\x04" + b"\0" * 100, "is not a TFLite model"),
        (GOOD[:100], "is truncated or damaged: .*; copy it again"),
        (write(Model(())), "holds no graph"),
        (write(with_graph(conv_model(), inputs=(7,))), "refers to tensor 7 of 7"),
        (write(with_graph(conv_model(), outputs=(-1,))), "refers to tensor -1 of 7"),
        (write(with_operator(conv_model(), 0, inputs=(0, 1, 99))), "refers to tensor 99 of 7"),
        (write(with_operator(conv_model(), 0, outputs=(-1,))), "refers to tensor -1 of 7"),
        (write(with_tensor(conv_model(), 0, shape=(1, -1, 4, 2))), "out of bounds"),
        (write(with_tensor(conv_model(), 0, shape=(1 << 20, 1 << 20))), "out of bounds"),
    ],
)
def test_a_refusal_says_what_is_wrong(data, text):
    with pytest.raises(ModelError, match=text) as refusal:
        check_tflite(data)
    assert "\n" not in str(refusal.value)


def test_an_operand_may_be_left_out():
    check_tflite(write(with_operator(conv_model(), 0, inputs=(0, 1, -1))))


def layers(count: int, width: int) -> bytes:
    """Tables that each hold `width` references to the next: `width` ** `count` ways to the end."""
    size = 8 + 8 + 4 + 4 * width  # vtable and padding, table, vector
    data = struct.pack("<I", 4 + 8)
    for layer in range(count):
        last = layer == count - 1
        data += struct.pack("<HHHxxiII", 6, 8, 0 if last else 4, 8, 4, width)
        to_next = (size - 12 - 4 * index for index in range(width))
        data += struct.pack(f"<{width}I", *to_next)
    return data


NODES = {"Node": {0: "[Node]"}}


def test_tables_in_tables_are_followed():
    tree = read_table(layers(3, 2), "Node", NODES)
    assert tree == {0: [{0: [{}, {}]}, {0: [{}, {}]}]}


@pytest.mark.parametrize(("count", "width"), [(10, 50), (40, 1)])
def test_a_small_file_with_tables_without_end_is_refused(count, width):
    with pytest.raises(MisplacedError, match="tables without end"):
        read_table(layers(count, width), "Node", NODES)
