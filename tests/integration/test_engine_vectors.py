"""The C reader on the vectors that the Python codec is locked to."""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.support.engine import Engine, Memory, check, library
from toolchain.plan.numbers import Status

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "plan.json").read_text())
PLAN = bytes.fromhex("".join(VECTOR["plan"]))


def test_the_plan_gives_its_output():
    engine = Engine(PLAN)
    (output,) = engine.run([np.array(VECTOR["input"], np.int8).reshape(1, 4, 4, 2)])
    assert output.ravel().tolist() == VECTOR["output"]


@pytest.mark.parametrize("change", VECTOR["refusals"], ids=lambda one: one["name"])
def test_a_change_is_refused(change):
    data, piece = bytearray(PLAN), bytes.fromhex(change["bytes"])
    data[change["offset"] : change["offset"] + len(piece)] = piece
    if change["mend_crc"]:
        data[12:16] = struct.pack("<I", zlib.crc32(data[16:]))
    assert check(bytes(data), VECTOR["arena_bytes"]) is Status[change["status"]]


def test_every_shorter_plan_is_refused():
    assert {check(PLAN[:length], VECTOR["arena_bytes"]) for length in range(len(PLAN))} == {
        Status.TRUNCATED
    }


def test_memory_that_is_missing_or_not_aligned_is_refused():
    plan, arena = Memory(len(PLAN), PLAN), Memory(VECTOR["arena_bytes"])
    engine = library()
    for address in (None, plan.address + 8):
        assert engine.sv_plan_check(address, len(PLAN), 64) == Status.BAD_ARGUMENT
    for address in (None, arena.address + 8):
        assert engine.sv_plan_run(plan.address, address) == Status.BAD_ARGUMENT
    assert engine.sv_plan_run(None, arena.address) == Status.BAD_ARGUMENT
    assert engine.sv_plan_step(plan.address, arena.address, 2) == Status.BAD_ARGUMENT


def test_a_smaller_arena_is_refused():
    assert check(PLAN, VECTOR["arena_bytes"] - 1) is Status.ARENA_TOO_SMALL


def test_steps_one_by_one_give_the_same():
    engine, inputs = Engine(PLAN), np.array(VECTOR["input"], np.int8).reshape(1, 4, 4, 2)
    engine.tensor(engine.plan.inputs[0])[...] = inputs
    for number in range(len(engine.plan.operators)):
        engine.step(number)
    assert engine.tensor(engine.plan.outputs[0]).ravel().tolist() == VECTOR["output"]
