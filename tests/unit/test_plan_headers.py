"""The engine's headers and the toolchain say the same about plans."""

import re
from pathlib import Path

import pytest

from toolchain.plan import parameters as p
from toolchain.plan import parameters_f32 as f
from toolchain.plan import parameters_s16 as s
from toolchain.plan.layout import Header, OperatorRecord, TensorRecord
from toolchain.plan.numbers import (
    ALIGNMENT_BYTES,
    MAX_RANK,
    UINT8_OUTSIDE,
    VARIABLE,
    VERSION,
    Function,
    Opcode,
    Place,
    Rounding,
    Status,
    Target,
)
from toolchain.plan.operators import PARAMETERS
from toolchain.plan.records import layout
from toolchain.tflite.dtype import DType

HEADERS = Path(__file__).parents[2] / "engine" / "include" / "selvedge"
TEXT = "".join((HEADERS / name).read_text() for name in ("plan.h", "parameters.h", "status.h"))
CODE = re.sub(r"/\*.*?\*/", "", TEXT, flags=re.DOTALL)
FORMATS = {
    "int8_t": "b",
    "int16_t": "h",
    "uint8_t": "B",
    "uint16_t": "H",
    "int32_t": "i",
    "uint32_t": "I",
    "float": "f",
}


def enumeration(name: str) -> dict[str, int]:
    body = re.search(rf"enum {name} {{(.*?)}}", CODE, re.DOTALL).group(1)
    return {key: int(value) for key, value in re.findall(r"SV_(\w+) = (\d+)", body)}


def struct_format(name: str) -> str:
    body = re.search(rf"struct SV_MAY_ALIAS {name} {{(.*?)}}", CODE, re.DOTALL).group(1)
    found = ""
    for kind, field, count in re.findall(r"(\w+) (\w+)(?:\[(\w+)\])?;", body):
        times = {"": 1, "SV_MAX_RANK": MAX_RANK}.get(count) or int(count)
        one = FORMATS.get(kind) or struct_format(kind)
        found += "4s" if (kind, field) == ("uint8_t", "magic") else one * times
    return found


@pytest.mark.parametrize(
    ("name", "mirror"),
    [
        ("sv_status", Status),
        ("sv_opcode", Opcode),
        ("sv_target", Target),
        ("sv_function", Function),
    ],
)
def test_enumerations(name, mirror):
    found = enumeration(name).items()
    theirs = {re.sub("^(TARGET|FUNCTION)_", "", key): value for key, value in found}
    assert theirs == {one.name: one.value for one in mirror}


def test_numbers():
    assert enumeration("sv_rounding") == {"ROUND_DOUBLE": 0, "ROUND_SINGLE": 1}
    assert (Rounding.DOUBLE, Rounding.SINGLE) == (0, 1)
    assert enumeration("sv_place") == {"IN_ARENA": Place.ARENA, "IN_CONSTANTS": Place.CONSTANTS}
    assert enumeration("sv_dtype") == {name: DType[name] for name in enumeration("sv_dtype")}
    flags = {"UINT8_OUTSIDE": UINT8_OUTSIDE, "VARIABLE": VARIABLE}
    assert enumeration("sv_tensor_flag") == flags
    limits = dict(re.findall(r"(SV_PLAN_\w+|SV_MAX_RANK) = (\d+)", CODE))
    assert {key: int(value) for key, value in limits.items()} == {
        "SV_PLAN_VERSION": VERSION,
        "SV_PLAN_ALIGNMENT": ALIGNMENT_BYTES,
        "SV_MAX_RANK": MAX_RANK,
    }


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("sv_plan", Header),
        ("sv_tensor", TensorRecord),
        ("sv_operator", OperatorRecord),
        ("sv_output_stage", p.OutputStage),
        ("sv_window", p.Window),
        ("sv_conv2d_parameters", p.Conv2D),
        ("sv_depthwise_parameters", p.DepthwiseConv2D),
        ("sv_fully_connected_parameters", p.FullyConnected),
        ("sv_pool2d_parameters", p.Pool2D),
        ("sv_add_parameters", p.Add),
        ("sv_mul_parameters", p.Mul),
        ("sv_softmax_parameters", p.Softmax),
        ("sv_table_parameters", p.Table),
        ("sv_mean_parameters", p.Mean),
        ("sv_pad_parameters", p.Pad),
        ("sv_concatenation_parameters", p.Concatenation),
        ("sv_strided_copy_parameters", p.StridedCopy),
        ("sv_resize_parameters", p.Resize),
        ("sv_float_stage", f.FloatStage),
        ("sv_conv2d_f32_parameters", f.Conv2D),
        ("sv_depthwise_f32_parameters", f.DepthwiseConv2D),
        ("sv_fully_connected_f32_parameters", f.FullyConnected),
        ("sv_pool2d_f32_parameters", f.Pool2D),
        ("sv_add_f32_parameters", f.Add),
        ("sv_mul_f32_parameters", f.Mul),
        ("sv_softmax_f32_parameters", f.Softmax),
        ("sv_mean_f32_parameters", f.Mean),
        ("sv_unary_f32_parameters", f.Unary),
        ("sv_resize_bilinear_f32_parameters", f.ResizeBilinear),
        ("sv_output_stage_s16", s.OutputStage),
        ("sv_conv2d_s16_parameters", s.Conv2D),
        ("sv_depthwise_s16_parameters", s.DepthwiseConv2D),
        ("sv_fully_connected_s16_parameters", s.FullyConnected),
        ("sv_pool2d_s16_parameters", s.Pool2D),
        ("sv_add_s16_parameters", s.Add),
        ("sv_mul_s16_parameters", s.Mul),
        ("sv_softmax_s16_parameters", s.Softmax),
        ("sv_sigmoid_s16_parameters", s.Sigmoid),
    ],
)
def test_structs(name, record):
    assert "<" + struct_format(name) == layout(record)


def test_every_parameter_struct_has_been_compared():
    structs = set(re.findall(r"struct SV_MAY_ALIAS (\w+_parameters)", CODE))
    kinds = {kind for kind in PARAMETERS.values() if kind is not p.NoParameters}
    assert len(structs) == len(kinds)
