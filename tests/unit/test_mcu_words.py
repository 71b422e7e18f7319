"""What the commands for microcontrollers read and write, without a device."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import AgentError, ConfigError, LinkError, ModelError, UnavailableError
from agent.mcu.door import translated
from agent.mcu.fault_words import parse
from agent.mcu.operators import NAMES, operators
from agent.mcu.tensors import pack, unpack
from agent.runtime.protocol import TensorInfo
from agent.runtime.tensor_record import TensorRecord
from firmware_bridge.calls.methods import CallStatus
from firmware_bridge.errors import CallError, LinkDownError, PortError, RecordError
from toolchain.plan.numbers import Opcode


def test_every_operator_has_the_toolchains_name():
    assert {opcode.value: opcode.name for opcode in Opcode} == NAMES


def test_operators_are_read_from_a_plan():
    header = bytearray(64)
    header[22:24] = (3).to_bytes(2, "little")
    header[36:40] = (64).to_bytes(4, "little")
    table = b"".join(code.to_bytes(2, "little") + bytes(22) for code in (1, 7, 999))
    assert operators(bytes(header) + table) == ("CONV_2D_S8", "SOFTMAX_S8", "operator 999")
    with pytest.raises(ModelError, match="damaged plan: 3 operators at byte 64"):
        operators((bytes(header) + table)[:-1])


@given(st.binary(max_size=200))
def test_operators_of_anything_are_a_refusal_or_names(data):
    with suppress(ModelError):
        assert all(isinstance(name, str) for name in operators(data))


def test_a_bad_line_is_read():
    damage = parse("corrupt=1e-4, drop=0.5,delay_ms=30,seed=9")
    assert (damage.rates.corrupt, damage.rates.drop, damage.rates.delay_ms) == (1e-4, 0.5, 30)
    assert (damage.rates.split, damage.seed) == (0.0, 9)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("noise=1", "'noise' is not one of corrupt"),
        ("", "'' is not one of"),
        ("corrupt", "number from 0 to 1 is wanted"),
        ("corrupt=nan", "number from 0 to 1 is wanted"),
        ("corrupt=1.1", "number from 0 to 1 is wanted"),
        ("drop=-1", "number from 0 to 1 is wanted"),
        ("seed=1.5", "number from 0 to 4294967295"),
        ("delay_ms=10001", "number from 0 to 10000"),
    ],
)
def test_a_bad_line_that_is_none_is_refused(word, told):
    with pytest.raises(ConfigError, match=told):
        parse(word)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (PortError("gone"), LinkError),
        (LinkDownError("nobody"), LinkError),
        (RecordError("no record"), LinkError),
        (CallError("busy", CallStatus.BUSY), LinkError),
        (CallError("refused", CallStatus.PLAN_REFUSED, 8), ModelError),
        (CallError("room", CallStatus.NO_ROOM), ModelError),
        (CallError("none", CallStatus.NOT_BUILT_IN), UnavailableError),
    ],
)
def test_the_bridges_errors_become_the_agents(error, kind):
    with pytest.raises(AgentError, match=str(error)) as told, translated():
        raise error
    assert type(told.value) is kind
    assert "\n" not in str(told.value)


def test_a_refused_plan_names_the_engines_reason():
    with pytest.raises(ModelError, match="an operator that this engine lacks"), translated():
        raise CallError("x", CallStatus.PLAN_REFUSED, 8)


def records(*dtypes: str) -> list[TensorRecord]:
    made = []
    for dtype in dtypes:
        stored = "int8" if dtype == "uint8" else dtype
        size = 6 * np.dtype(stored).itemsize
        info = TensorInfo(dtype, (2, 3), dtype, 0.5, 3)
        made.append(TensorRecord(info, stored, size, 0, in_arena=True))
    return made


@given(st.data())
def test_tensors_come_back_as_they_went(data):
    wanted = records("int8", "uint8", "int16", "float32")
    arrays = [
        np.frombuffer(data.draw(st.binary(min_size=one.bytes, max_size=one.bytes)), one.info.dtype)
        for one in wanted
    ]
    arrays = [array.reshape(2, 3) for array in arrays]
    packed = pack(wanted, arrays)
    back = unpack(wanted, packed)
    assert [array.tobytes() for array in back] == [array.tobytes() for array in arrays]
    assert packed[6:12] == bytes(byte ^ 0x80 for byte in arrays[1].tobytes())


def test_tensors_of_another_size_are_refused():
    with pytest.raises(LinkError, match="5 bytes, which are not"):
        unpack(records("int8"), bytes(5))
    with pytest.raises(ModelError, match="the model wants int8"):
        pack(records("int8"), [np.zeros((3, 2), np.int8)])
