"""The parameters that each opcode has."""

from toolchain.plan import parameters, parameters_f32, parameters_s16
from toolchain.plan.numbers import Opcode
from toolchain.plan.records import Record

PARAMETERS: dict[Opcode, type[Record]] = {
    **parameters.OF_OPCODE,
    **parameters_f32.OF_OPCODE,
    **parameters_s16.OF_OPCODE,
}
