"""The firmware on the emulated board: four models, equal bytes, equal counts, crashes told.

`tests/campaign/test_firmware_campaign.py` asks for 100 inputs each.
"""

import hashlib

import numpy as np
import pytest

from firmware_bridge.adapters.attached import Attached
from firmware_bridge.adapters.emulator import Emulator, instructions
from firmware_bridge.adapters.serial_port import SerialPort
from firmware_bridge.calls.methods import (
    Method,
    Stat,
    Timing,
    pack_bench,
    pack_infer,
    unpack_outputs,
)
from firmware_bridge.errors import BridgeError, CallError, PortError
from firmware_bridge.firmware.build import build
from tests.support.boards import compare_on_board, firmware_process, image, plan_of
from tests.support.engine import MODEL_NAMES, MODELS, Micro, edge_inputs
from tests.support.engine_cases_f32 import case_f32
from toolchain.plan.numbers import Status, Target

INPUTS = 10
ARENA_BYTES = dict(zip(MODEL_NAMES, (768, 16_000, 49_152, 55_296), strict=True))


@pytest.fixture(scope="module")
def board():
    with Emulator(image()) as emulator, Attached(SerialPort(emulator.port)) as device:
        device.connect()
        yield device


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_the_board_answers_what_the_host_and_tflite_micro_answer(board, name):
    assert compare_on_board(board, name, INPUTS, np.random.default_rng(4)) == INPUTS
    plan, sha256 = plan_of((MODELS / f"{name}.tflite").read_bytes(), Target.CORTEX_M)
    assert board.upload(plan, sha256).arena_bytes == ARENA_BYTES[name]


def test_instructions_are_the_same_in_every_start():
    model = (MODELS / "kws_ref_model.tflite").read_bytes()
    plan, sha256 = plan_of(model, Target.CORTEX_M)
    counts = []
    for _ in range(2):
        with (
            Emulator(image(counting=True), counts_instructions=True) as emulator,
            Attached(SerialPort(emulator.port)) as device,
        ):
            device.connect()
            device.upload(plan, sha256)
            timing = Timing.unpack(device.call(Method.BENCH, pack_bench(sha256, 2)))
            counts.append([instructions(ticks) for ticks in timing.operator_ticks])
    print(f"kws: {sum(counts[0])} instructions")
    assert counts[0] == counts[1]
    assert 2_656_768 / 2 < sum(counts[0]) < 2_656_768 * 2, "each SMLAD makes two products"


@pytest.mark.parametrize(
    ("kind", "cause", "told"), [(1, 2, "usage fault"), (2, 2, "bus fault"), (3, 3, "hang")]
)
def test_a_crash_is_told_after_the_reset(kind, cause, told):
    with (
        Emulator(image(crashes=True)) as emulator,
        Attached(SerialPort(emulator.port)) as device,
    ):
        before = device.connect()
        with pytest.raises(BridgeError):
            device.call(Method.FAULT, bytes([kind]), timeout_s=0.5)
        stat = Stat.unpack(device.call(Method.STAT, timeout_s=20))
        assert (stat.reset_cause, stat.fault.split(" at ")[0]) == (cause, told)
        assert 0 < stat.fault_pc < stat.code_bytes
        assert device.client.welcome.boot_nonce != before.boot_nonce
        assert device.client.welcome.about.has_fault


def test_the_image_has_room_for_models_beside_it(board):
    assert Stat.unpack(board.call(Method.STAT)).code_bytes <= 40_000
    assert board.client.welcome.about.target == Target.CORTEX_M


def test_networks_of_floats_need_an_image_that_was_asked_for():
    plan, sha256 = plan_of(case_f32("fully_connected", 1).model, Target.CORTEX_M)
    with Emulator(image()) as emulator, Attached(SerialPort(emulator.port)) as device:
        device.connect()
        with pytest.raises(CallError, match=rf"engine status {Status.UNKNOWN_OPERATOR:d}"):
            device.upload(plan, sha256)
    whole = build(families=("f32",))
    with Emulator(whole) as emulator, Attached(SerialPort(emulator.port)) as device:
        device.connect()
        assert device.upload(plan, sha256).output_bytes > 0


def test_a_restart_is_done_once():
    with Emulator(image()) as emulator, Attached(SerialPort(emulator.port)) as device:
        device.connect()
        device.call(Method.RESTART)
        # The board restarts when its answer has gone out; until then the old one answers.
        stat = Stat.unpack(device.call(Method.STAT))
        while stat.reset_cause != 1 and stat.uptime_ms < 2_000:
            stat = Stat.unpack(device.call(Method.STAT))
        assert stat.reset_cause == 1
        assert stat.fault == ""


def test_refusals_name_what_is_wrong(board):
    with pytest.raises(CallError, match="NO_PLAN to INFER"):
        board.call(Method.INFER, pack_infer(bytes(32), b"1"))
    with pytest.raises(CallError, match="NOT_BUILT_IN to FAULT"):
        board.call(Method.FAULT, b"\1")
    with pytest.raises(CallError, match="WRONG_HASH"):
        board.upload(bytes(64), bytes(32))
    junk = bytes(range(64))
    with pytest.raises(CallError, match=r"PLAN_REFUSED to PLAN_COMMIT \(engine status 2\)"):
        board.upload(junk, hashlib.sha256(junk).digest())
    with pytest.raises(CallError, match="NO_ROOM"):
        board.upload(bytes(2 << 20), bytes(31) + b"\1")


def test_a_port_has_one_owner(board):
    with pytest.raises(PortError, match="in use by another program"):
        SerialPort(board._port.url)


def test_the_same_firmware_runs_as_a_process_under_sanitizers():
    model = (MODELS / "kws_ref_model.tflite").read_bytes()
    plan, sha256 = plan_of(model, Target.PORTABLE)
    micro = Micro(model)
    with firmware_process() as process, Attached(SerialPort(process.port)) as device:
        device.connect()
        device.upload(plan, sha256)
        for values in edge_inputs((1, 49, 10, 1), np.random.default_rng(1), 5):
            body = device.call(Method.INFER, pack_infer(sha256, values.tobytes()))
            assert unpack_outputs(body)[1] == micro.run([values])[0].tobytes()
        assert process.process.poll() is None
