"""Slices, splits, transposes and paddings that say untrue things are refused where they stand."""

import numpy as np
import pytest

from toolchain.errors import ModelRefused
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Tensor
from toolchain.tflite.options import (
    Pack,
    Reducer,
    ResizeBilinear,
    Split,
    SplitV,
    StridedSlice,
    Unpack,
)
from toolchain.tflite.reader import read
from toolchain.tflite.writer import write


def model(name, options, inputs, outputs):
    """One operator; shapes are tensors given at run time, lists are constants of int32."""
    tensors = [_tensor(one) for one in (*inputs, *outputs)]
    count = len(inputs)
    operator = Operator(name, tuple(range(count)), tuple(range(count, len(tensors))), 1, options)
    given = tuple(number for number in range(count) if tensors[number].data is None)
    return Model((Graph(tuple(tensors), (operator,), given, tuple(range(count, len(tensors)))),))


def _tensor(one):
    if isinstance(one, tuple):
        return Tensor("t", one, DType.INT8)
    values = np.array(one, "<i4")
    return Tensor("c", values.shape, DType.INT32, None, values.tobytes())


def cut(begin, end, strides, target, shape=(4, 6), **masks):
    sources = [shape, begin, end, strides]
    return model("STRIDED_SLICE", StridedSlice(**masks), sources, [target])


def resize(size, target, **corners):
    return model("RESIZE_BILINEAR", ResizeBilinear(**corners), [(1, 2, 2, 1), size], [target])


LIES = {
    "stride 0": (cut([0, 0], [4, 6], [1, 0], (4, 6)), "a stride is 0"),
    "lists": (cut([0, 0], [4, 6], [1], (4, 6)), "2 begins, 2 ends and 1 strides"),
    "more lists than dimensions": (cut([0] * 3, [1] * 3, [1] * 3, (1, 1)), "3 begins"),
    "ellipsis": (cut([0], [4], [1], (4, 6), ellipsis_mask=1), "ellipsis_mask is not supported"),
    "new axis": (cut([0], [4], [1], (4, 6), new_axis_mask=1), "new_axis_mask is not supported"),
    "offset": (cut([0], [4], [1], (4, 6), offset=True), "offset is not supported"),
    "index outside": (cut([4], [5], [1], (6,), shrink_axis_mask=1), "index 4 .* dimension of 4"),
    "index below": (cut([-5], [0], [1], (6,), shrink_axis_mask=1), "index -5 .* of 4"),
    "index backwards": (cut([1], [0], [-1], (6,), shrink_axis_mask=1), "index 1 with stride -1"),
    "slice's shape": (cut([0, 1], [4, 6], [1, 2], (4, 4)), r"\[4, 4\], but \[4, 3\] comes out"),
    "float limits": (
        model("STRIDED_SLICE", StridedSlice(), [(4,), (1,), [1], [1]], [(1,)]),
        "input 1 is int8, not int32",
    ),
    "no limits": (model("STRIDED_SLICE", StridedSlice(), [(4,)], [(1,)]), "lacks input 1"),
    "begin below 0": (model("SLICE", None, [(4,), [-1], [2]], [(2,)]), "reach outside"),
    "slice beyond": (model("SLICE", None, [(4,), [3], [2]], [(2,)]), "reach outside"),
    "size below -1": (model("SLICE", None, [(4,), [1], [-2]], [(2,)]), "reach outside"),
    "slice of another rank": (model("SLICE", None, [(4,), [1, 1], [1, 1]], [(1,)]), "2 begins"),
    "split count": (model("SPLIT", Split(3), [[0], (4,)], [(2,), (2,)]), "2 outputs for 3"),
    "split of no parts": (model("SPLIT", Split(0), [[0], (4,)], []), "0 outputs for 0"),
    "uneven split": (model("SPLIT", Split(2), [[0], (5,)], [(2,), (3,)]), "5 do not split into 2"),
    "split axis": (model("SPLIT", Split(2), [[1], (4,)], [(2,), (2,)]), "axis 1 of 1"),
    "split axes": (model("SPLIT", Split(2), [[0, 0], (4,)], [(2,), (2,)]), "2 axes, not 1"),
    "split's shape": (model("SPLIT", Split(2), [[0], (4,)], [(2,), (3,)]), "but"),
    "sizes": (model("SPLIT_V", SplitV(2), [(4,), [1, 2], [0]], [(1,), (2,)]), "do not add up"),
    "two rests": (model("SPLIT_V", SplitV(2), [(4,), [-1, -1], [0]], [(2,), (2,)]), "sizes"),
    "sizes beyond": (model("SPLIT_V", SplitV(2), [(4,), [5, -1], [0]], [(5,), (1,)]), "sizes"),
    "too few sizes": (model("SPLIT_V", SplitV(2), [(4,), [4], [0]], [(4,), (1,)]), "sizes"),
    "packed shapes": (model("PACK", Pack(2), [(2,), (3,)], [(2, 2)]), "2 inputs of 2 shapes"),
    "packed count": (model("PACK", Pack(3), [(2,), (2,)], [(2, 2)]), "not 3 of one"),
    "packed axis": (model("PACK", Pack(2, 2), [(2,), (2,)], [(2, 2)]), "axis 2 of 2"),
    "unpacked count": (model("UNPACK", Unpack(2), [(3, 2)], [(2,), (2,)]), "num 2 for a dim"),
    "unpacked axis": (model("UNPACK", Unpack(1, -2), [(1,)], [()]), "axis -2 of 1"),
    "twice an axis": (model("TRANSPOSE", None, [(2, 3), [0, 0]], [(2, 2)]), "not a permutation"),
    "axis beyond": (model("TRANSPOSE", None, [(2, 3), [0, 2]], [(2, 2)]), "not a permutation"),
    "short order": (model("TRANSPOSE", None, [(2, 3), [0]], [(2,)]), "not a permutation"),
    "no size": (resize([0, 4], (1, 0, 4, 1)), "is not a height and a width"),
    "negative size": (resize([4, -1], (1, 4, 1, 1)), r"size \[4, -1\]"),
    "three sizes": (resize([4, 4, 1], (1, 4, 4, 1)), "is not a height"),
    "resized shape": (resize([4, 4], (1, 4, 5, 1)), "but"),
    "both centres": (
        resize([4, 4], (1, 4, 4, 1), align_corners=True, half_pixel_centers=True),
        "exclude each other",
    ),
    "summed axis": (model("MEAN", Reducer(), [(2, 3), [2]], [(2,)]), "axis 2 of 2"),
    "summed axis below": (model("SUM", Reducer(), [(2, 3), [-3]], [(2,)]), "axis -3 of 2"),
    "kept dimensions": (model("MEAN", Reducer(True), [(2, 3), [1]], [(2,)]), r"but \[2, 1\]"),
    "axes that are a shape": (model("MEAN", Reducer(), [(2, 3), (1,)], [(2,)]), "not int32"),
    "negative padding": (model("PAD", None, [(3,), [[1, -1]]], [(3,)]), "are negative"),
    "padding's shape": (model("PAD", None, [(3,), [1, 1]], [(5,)]), r"paddings of shape \[2\]"),
    "padded shape": (model("PAD", None, [(3,), [[1, 1]]], [(4,)]), r"\[4\], but \[5\] comes out"),
}


@pytest.mark.parametrize("name", sorted(LIES))
def test_a_lie_is_refused_where_it_stands(name):
    lie, pattern = LIES[name]
    with pytest.raises(ModelRefused, match=pattern) as refusal:
        read(write(lie))
    assert str(refusal.value).startswith(f"operator 0 ({lie.main.operators[0].name}): ")
    assert "\n" not in str(refusal.value)


def test_what_is_only_known_at_run_time_is_not_held_to_a_shape():
    tensors = (
        Tensor("x", (4,), DType.INT8),
        Tensor("limit", (1,), DType.INT32),
        Tensor("y", (3,), DType.INT8),
    )
    operator = Operator("STRIDED_SLICE", (0, 1, 1, 1), (2,), 1, StridedSlice())
    graph = Graph(tensors, (operator,), (0, 1), (2,))
    assert read(write(Model((graph,)))).main == graph
