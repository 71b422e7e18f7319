"""A model on microcontrollers, and on this machine when they fail."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.config.mcus import OffloadConfig
from agent.errors import ModelError
from agent.offload.devices import MEANING, NO_BRIDGE, WRONG, Devices
from agent.offload.trust import Trust
from agent.runtime.engine_model import Slot
from agent.runtime.plan_file import PlanFile
from agent.runtime.protocol import LoadedModel, RuntimeInfo
from firmware_bridge.bridge.health import Health
from firmware_bridge.bridge.jobs import Verdict
from firmware_bridge.bridge.protocol import Told
from firmware_bridge.errors import LinkDownError

RUNTIME = "mcu"
LONGEST_SILENCE_MS = 5000
"""So long, at most, a bridge that did not answer is not asked again."""
LOCAL_RUNS = 2
LOCAL_PART = 0.1
"""Runs on this machine, and the part of a deadline, that are kept free at its end."""
_NS = 1_000_000


class NoAnswerError(ModelError):
    """No device answered, and this machine is not asked."""


class OffloadedModel:
    """See `LoadedModel`; answers are there within the deadline, wherever they come from.

    Args:
        local: what computes here; None: nothing does.
        referee: the plan in our own engine, to check devices by; None: they are not checked.
        clock: monotonic ns.

    Attributes:
        where: the runtime of the last answer, and the microcontroller that computed it.
        warning: why the last answer was computed here; None if that was meant to be.
    """

    def __init__(
        self,
        plan: PlanFile,
        devices: Devices,
        local: LoadedModel | None,
        referee: LoadedModel | None,
        config: OffloadConfig,
        clock: Callable[[], int],
    ) -> None:
        """Take what was loaded; runs `local` once to see how long that takes.

        Raises:
            ModelError: plan and local model differ in inputs or outputs.
        """
        records = [[record for _, record in part] for part in (plan.inputs, plan.outputs)]
        self._slots, self._results = (
            [Slot(record, np.zeros(record.bytes, np.uint8)) for record in part] for part in records
        )
        self.inputs = tuple(slot.info for slot in self._slots)
        self.outputs = tuple(slot.info for slot in self._results)
        self._devices = devices
        self._local = local
        self._referee = referee
        self._config = config
        self._clock = clock
        self._trust = Trust(config.check_every)
        self._bridge = Health(longest_ms=LONGEST_SILENCE_MS)
        self._handed: tuple[int, bytes, int] | None = None
        self._local_ns = 0
        self.where: tuple[str, str | None] = (RUNTIME, None)
        self.warning: str | None = None
        for other in (local, referee):
            if other is not None:
                _check_alike(self, other)
        if local is not None:
            self._here(None)

    def info(self) -> RuntimeInfo:
        """Say what serves the model."""
        here = self._local.info().runtime if self._local else ""
        return RuntimeInfo(RUNTIME, self._config.policy, 1, here)

    def macs(self) -> int | None:
        """Return the multiply-accumulates of one run, if they are known."""
        return self._local.macs() if self._local else None

    def input_view(self, index: int) -> NDArray[Any]:
        """Return a writable view of an input."""
        return self._slots[index].view

    def output_view(self, index: int) -> NDArray[Any]:
        """Return a view of an output, valid until the next `invoke` or `collect`."""
        return self._results[index].view

    def invoke(self) -> None:
        """Compute the outputs from the inputs: there by policy, else here.

        Raises:
            NoAnswerError: no device answered, and the policy allows nothing else.
            ModelError: the runtime here failed.
        """
        if self._config.policy == "spill":
            self._here(None)
        else:
            packed = self._packed()
            self._settle(packed, self._ask(lambda: self._devices.infer(packed, self._left_ms())))

    def hand_over(self) -> bool:
        """Give the inputs to a device without waiting; False if none is asked now."""
        packed = self._packed()
        number = self._ask(lambda: self._devices.begin(packed, self._left_ms()))
        if number is None:
            return False
        self._handed = number, packed, self._clock() + self._left_ms() * _NS
        return True

    def collect(self, *, is_late: bool = False) -> bool:
        """Put the outputs for what was handed over in place; False while they are awaited.

        Inputs are changed.

        Args:
            is_late: await them no longer.
        """
        assert self._handed is not None
        number, packed, expires_ns = self._handed
        told = self._ask(lambda: self._devices.take(number))
        is_late = is_late or self._clock() >= expires_ns
        if told is None and self.warning is None and not is_late:
            return False
        self._handed = None
        at = 0
        for slot in self._slots:
            slot.restore(packed[at : at + slot.size])
            at += slot.size
        self._settle(packed, told)
        return True

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Copy `inputs` in, invoke, and copy the outputs out."""
        if len(inputs) != len(self.inputs):
            raise ModelError(f"the model wants {len(self.inputs)} inputs, got {len(inputs)}")
        for slot, array in zip(self._slots, inputs, strict=True):
            slot.info.check(array)
            slot.view[...] = array
        self.invoke()
        return [slot.view.copy() for slot in self._results]

    def _packed(self) -> bytes:
        return b"".join(slot.packed() for slot in self._slots)

    def _left_ms(self) -> int:
        reserve_ms = LOCAL_RUNS * self._local_ns / _NS + LOCAL_PART * self._config.deadline_ms
        return max(1, int(self._config.deadline_ms - reserve_ms))

    def _ask(self, question: Callable[[], Any]) -> Any:
        """Ask the bridge, unless it was silent lately; None if there is no answer."""
        self.warning = NO_BRIDGE
        if self._clock() // _NS < self._bridge.until_ms:
            return None
        try:
            answer = question()
        except LinkDownError:
            self._bridge.blame(self._clock() // _NS)
            return None
        self.warning = None
        return answer

    def _settle(self, packed: bytes, told: Told | None) -> None:
        if told is None:
            self._here(self.warning)
        elif told.verdict is not Verdict.OK:
            self._here(MEANING[told.verdict])
        elif self._is_wrong(packed, told):
            self._trust.betrayed(told.where)
            self._ask(lambda: self._devices.distrust(told.where))
            self._here(WRONG)
        else:
            self._bridge.praise()
            self._take(told.outputs)
            self.where, self.warning = (RUNTIME, told.where), None

    def _take(self, outputs: bytes) -> None:
        at = 0
        for slot in self._results:
            slot.restore(outputs[at : at + slot.size])
            at += slot.size

    def _is_wrong(self, packed: bytes, told: Told) -> bool:
        if len(told.outputs) != sum(slot.size for slot in self._results):
            return True
        if self._referee is None or not self._trust.wants_check(told.where, told.epoch):
            return False
        self._compute(self._referee)
        return told.outputs != b"".join(slot.packed() for slot in self._results)

    def _here(self, warning: str | None) -> None:
        self.warning = warning
        if self._local is None:
            raise NoAnswerError(warning or "no microcontroller answered")
        began_ns = self._clock()
        self._compute(self._local)
        took_ns = self._clock() - began_ns
        self._local_ns = max(took_ns, self._local_ns * 7 // 8)
        self.where = self._local.info().runtime, None

    def _compute(self, model: LoadedModel) -> None:
        for number, slot in enumerate(self._slots):
            model.input_view(number)[...] = slot.view
        model.invoke()
        for number, slot in enumerate(self._results):
            slot.view[...] = model.output_view(number)


def _check_alike(ours: OffloadedModel, local: LoadedModel) -> None:
    for mine, other in ((ours.inputs, local.inputs), (ours.outputs, local.outputs)):
        if [_kind(one) for one in mine] != [_kind(one) for one in other]:
            raise ModelError(
                f"the plan has {', '.join(map(str, mine))}, the model {', '.join(map(str, other))}"
                "; convert the plan from this model"
            )


def _kind(info: Any) -> tuple[object, ...]:
    return info.shape, info.dtype, info.zero_point, np.float32(info.scale)
