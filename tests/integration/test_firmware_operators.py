"""The assembly of the Cortex-M kernels, on the emulated board, against the portable build."""

import pytest

from firmware_bridge.adapters.attached import Attached
from firmware_bridge.adapters.emulator import Emulator
from firmware_bridge.adapters.serial_port import SerialPort
from firmware_bridge.calls.methods import Method, pack_infer, unpack_outputs
from firmware_bridge.link.opening import PLAN_ID_BYTES
from tests.support.boards import image, plan_of
from tests.support.engine import engine_of
from tests.support.engine_cases import case, one_operator
from tests.support.engine_packed import WIDE, extreme
from toolchain.plan.decode import decode
from toolchain.plan.numbers import Target

CASES = 6
FAMILIES = ("conv", "depthwise", "fully_connected", *WIDE)


@pytest.fixture(scope="module")
def board():
    with Emulator(image()) as emulator, Attached(SerialPort(emulator.port)) as device:
        device.connect()
        yield device


@pytest.mark.parametrize("family", FAMILIES)
def test_the_assembly_gives_the_portable_bytes(board, family):
    seen = 0
    for seed in range(1000, 2000):
        made = one_operator(WIDE[family], family, seed) if family in WIDE else case(family, seed)
        made = extreme(made) if seed % 3 == 0 else made
        plan, sha256 = plan_of(made.model, Target.CORTEX_M)
        if decode(plan).operators[0].layout == 0:
            continue
        board.upload(plan, sha256)
        body = pack_infer(sha256, b"".join(one.tobytes() for one in made.inputs))
        _, outputs = unpack_outputs(board.call(Method.INFER, body))
        expected = engine_of(made.model).run(made.inputs)
        assert outputs == b"".join(one.tobytes() for one in expected), f"seed {seed}"
        board.call(Method.PLAN_DROP, sha256[:PLAN_ID_BYTES])
        seen += 1
        if seen == CASES:
            return
    raise AssertionError(f"only {seen} of 1000 cases were packed")
