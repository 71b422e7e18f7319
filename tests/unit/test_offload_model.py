"""A model on devices that answer well, badly, late or not at all: what comes out is right."""

from collections import deque
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.mcus import OffloadConfig
from agent.errors import ModelError
from agent.offload.inference import MAX_HELD, OffloadedInference
from agent.offload.model import NoAnswerError, OffloadedModel
from agent.offload.trust import Trust
from agent.pipeline.sample import Sample
from agent.runtime.engine_model import EngineModel, Slot
from agent.runtime.plan_file import PlanFile
from agent.runtime.protocol import RuntimeInfo, TensorInfo
from agent.runtime.tensor_record import TensorRecord
from firmware_bridge.bridge.jobs import Verdict
from firmware_bridge.bridge.protocol import Told
from firmware_bridge.errors import LinkDownError

RECORD = TensorRecord(TensorInfo("x", (4,), "uint8", 0.5, 128), "int8", 4, 0, in_arena=True)
PLAN = PlanFile(b"", 16, ((0, RECORD),), ((1, RECORD),))
MS = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


def computed(packed: bytes) -> bytes:
    return bytes((3 * value + 1) % 256 for value in packed)


def here(clock: Clock, run_ms: int = 1) -> EngineModel:
    slots = [Slot(RECORD, np.zeros(4, np.uint8)) for _ in range(2)]

    def run() -> int:
        clock.ns += run_ms * MS
        slots[1]._memory[:] = np.frombuffer(computed(slots[0]._memory.tobytes()), np.uint8)
        return 0

    return EngineModel(slots[:1], slots[1:], run, RuntimeInfo("host", "test", 1))


class Bridge:
    """Devices that behave as the next words say; the last word holds."""

    def __init__(self, clock: Clock, *words: str, name: str = "m4") -> None:
        self.clock = clock
        self.words = deque(words)
        self.name = name
        self.epoch = 1
        self.asked: list[int] = []
        self.distrusted: list[str] = []
        self.open: dict[int, tuple[str, bytes]] = {}

    def infer(self, inputs: bytes, deadline_ms: int) -> Told:
        word = self._next()
        self.asked.append(deadline_ms)
        self.clock.ns += (deadline_ms if word in ("silence", "LATE") else 2) * MS
        return self._told(word, inputs)

    def begin(self, inputs: bytes, deadline_ms: int) -> int:
        word = self._next()
        self.asked.append(deadline_ms)
        if word == "no bridge":
            raise LinkDownError("no bridge")
        self.open[len(self.asked)] = word, inputs
        return len(self.asked)

    def take(self, number: int) -> Told | None:
        word, inputs = self.open[number]
        if word == "wait":
            return None
        return self._told(word, inputs)

    def distrust(self, name: str) -> None:
        self.distrusted.append(name)

    def _next(self) -> str:
        return self.words.popleft() if len(self.words) > 1 else self.words[0]

    def _told(self, word: str, inputs: bytes) -> Told:
        if word in ("silence", "no bridge"):
            raise LinkDownError(word)
        if word in Verdict.__members__ and word != "OK":
            return Told(1, Verdict[word])
        outputs = computed(inputs)
        if word == "wrong":
            outputs = outputs[::-1] + b""
        elif word == "short":
            outputs = outputs[:3]
        return Told(1, Verdict.OK, self.epoch, 7, self.name, outputs)


def model(bridge: Bridge, *, is_alone: bool = False, **config: Any) -> OffloadedModel:
    local = None if is_alone else here(bridge.clock)
    referee = here(bridge.clock)
    settings = OffloadConfig(**{"deadline_ms": 100} | config)
    return OffloadedModel(PLAN, bridge, local, referee, settings, bridge.clock)


def asked(offloaded: OffloadedModel, *values: int) -> list[int]:
    inputs = np.array(values or (1, 2, 3, 200), np.uint8)
    outputs = offloaded.run([inputs])[0]
    flipped = bytes(value ^ 0x80 for value in inputs.tobytes())
    assert outputs.tobytes() == bytes(value ^ 0x80 for value in computed(flipped))
    return outputs.tolist()


WORDS = ["OK", "wrong", "short", "silence", "no bridge", *(one.name for one in Verdict)]


@given(st.lists(st.sampled_from([word for word in WORDS if word != "wrong"]), min_size=1))
def test_whatever_devices_do_answers_are_right_and_within_the_deadline(words):
    bridge = Bridge(Clock(), *words, "OK")
    offloaded = model(bridge)
    for number in range(len(words)):
        began_ns = bridge.clock.ns
        asked(offloaded, number, 2, 3, 4)
        assert bridge.clock.ns - began_ns <= 100 * MS
        assert (offloaded.warning is None) == (offloaded.where == ("mcu", "m4"))


def test_where_an_answer_came_from_is_said():
    bridge = Bridge(Clock(), "NO_DEVICE", "OK")
    offloaded = model(bridge)
    asked(offloaded)
    assert offloaded.where == ("host", None)
    assert offloaded.warning == "no microcontroller is healthy"
    asked(offloaded)
    assert offloaded.where == ("mcu", "m4")
    assert offloaded.warning is None


def test_a_device_that_lies_is_found_out_at_its_first_answer_after_each_start():
    bridge = Bridge(Clock(), "wrong")
    offloaded = model(bridge, check_every=1000)
    for _ in range(3):
        asked(offloaded)
        assert offloaded.where == ("host", None)
    assert bridge.distrusted == ["m4"] * 3
    bridge.words = deque(["OK"])
    asked(offloaded)
    bridge.words, bridge.epoch = deque(["wrong"]), 2
    asked(offloaded)
    assert offloaded.warning == "a microcontroller gave a wrong answer"


def test_each_answer_is_checked_if_so_configured():
    bridge = Bridge(Clock(), *["OK", "wrong"] * 20)
    offloaded = model(bridge, check_every=1)
    for _ in range(40):
        asked(offloaded)
    assert len(bridge.distrusted) == 20


@given(st.integers(1, 50), st.integers(1, 200))
def test_checks_come_first_and_then_one_in_so_many(every, count):
    trust = Trust(every)
    due = [trust.wants_check("m4", 9) for _ in range(count)]
    assert due == [number % every == 0 for number in range(count)]
    assert trust.wants_check("m4", 10)
    assert trust.wants_check("m7", 10)


def test_a_silent_bridge_is_not_waited_for_again_and_again():
    bridge = Bridge(Clock(), "silence")
    offloaded = model(bridge)
    for _ in range(400):
        asked(offloaded)
        bridge.clock.ns += 50 * MS
    assert len(bridge.asked) < 12
    bridge.words = deque(["OK"])
    bridge.clock.ns += 5000 * MS
    asked(offloaded)
    assert offloaded.where == ("mcu", "m4")


def test_only_there_or_not_at_all():
    bridge = Bridge(Clock(), "OK", "LATE", "wrong", "no bridge", "OK")
    offloaded = model(bridge, is_alone=True, policy="only", check_every=1)
    asked(offloaded)
    for _ in range(3):
        with pytest.raises(NoAnswerError):
            asked(offloaded)
    bridge.clock.ns += 5000 * MS
    asked(offloaded)


def test_a_plan_of_another_model_is_refused():
    clock = Clock()
    record = TensorRecord(TensorInfo("x", (2, 2), "uint8", 0.5, 128), "int8", 4, 0, in_arena=True)
    plan = PlanFile(b"", 16, ((0, record),), ((1, RECORD),))
    with pytest.raises(ModelError, match="convert the plan from this model"):
        OffloadedModel(plan, Bridge(clock, "OK"), here(clock), None, OffloadConfig(), clock)


class Pipeline:
    """A spilling pipeline whose answers carry their inputs."""

    def __init__(self, *words: str, run_ms: int = 5) -> None:
        self.clock = Clock()
        self.bridge = Bridge(self.clock, *words)
        local = here(self.clock, run_ms)
        config = OffloadConfig(policy="spill", deadline_ms=100)
        offloaded = OffloadedModel(PLAN, self.bridge, local, local, config, self.clock)
        self.filled: deque[int] = deque()
        before = SimpleNamespace(push=self._push, fill=self._fill)
        after = SimpleNamespace(needs_input=True, result=self._result)
        self.inference = OffloadedInference(offloaded, before, after, self.clock, spills=True)
        self.answers: list[Any] = []

    def _push(self, sample: Sample) -> int:
        self.filled.append(int(sample.data[0]))
        return 1

    def _fill(self, tensor: Any) -> None:
        tensor[...] = self.filled.popleft()

    def _result(self, outputs: Any, model_input: Any) -> dict[str, Any]:
        flipped = bytes(value ^ 0x80 for value in model_input.tobytes())
        assert outputs[0].tobytes() == bytes(value ^ 0x80 for value in computed(flipped))
        return {"input": int(model_input[0])}

    def feed(self, number: int, *, has_waited: bool) -> None:
        sample = Sample(np.full(1, number % 256), self.clock.ns, str(number))
        self.answers += self.inference.answers(sample, has_waited=has_waited)

    def idle(self, ms: int) -> None:
        self.clock.ns += ms * MS
        self.answers += self.inference.due()


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["OK", "wait", "LATE", "LOST", "no bridge", "wrong"]), min_size=1),
    st.lists(st.booleans() | st.integers(0, 120), max_size=100),
)
def test_spilled_inputs_are_all_answered_rightly_and_in_order(words, steps):
    pipeline, count = Pipeline(*words, "OK"), 0
    for step in steps:
        if isinstance(step, bool):
            pipeline.feed(count, has_waited=step)
            count += 1
        else:
            pipeline.idle(step)
        assert len(pipeline.inference._held) <= MAX_HELD
    pipeline.idle(200)
    assert [answer[1] for answer in pipeline.answers] == [str(one) for one in range(count)]
    assert not pipeline.inference.is_waiting


def test_inputs_spill_only_while_they_wait():
    pipeline = Pipeline("OK")
    for number in range(5):
        pipeline.feed(number, has_waited=False)
    assert pipeline.bridge.asked == []
    pipeline.bridge.words = deque(["wait"])
    for number in range(5, 9):
        pipeline.feed(number, has_waited=True)
    assert len(pipeline.bridge.asked) == 1, "one at a time"
    assert len(pipeline.answers) == 5, "later ones wait for it"
    pipeline.bridge.open[1] = ("OK", pipeline.bridge.open[1][1])
    pipeline.idle(1)
    places = [answer[4] for answer in pipeline.answers]
    assert places[5:] == [("mcu", "m4"), *3 * [("host", None)]]
