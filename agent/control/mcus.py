"""The bridge to microcontrollers: one supervised child, and what it says of each of them."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from agent.channel.messages import FromChild, Mcu, Mcus, Stop
from agent.config.mcus import McuConfig
from agent.control.events import BRIDGE, Action, Kill, Log, Now, SpawnBridge, Tell
from agent.control.supervisor import Effect, Event, Limits, State, Supervisor
from broker.contract.messages import McuMetrics, McuStatus

DEADLINE_MS = 10_000
"""The bridge speaks every second."""
START_MS = 20_000
NEVER = 1 << 30
ANSWERING = ("ready", "uploading")


class Microcontrollers:
    """Microcontrollers by name; the bridge runs while there is one."""

    def __init__(self, random: Callable[[], float], limits: Limits | None = None) -> None:
        patient = replace(limits or Limits(), start_ms=START_MS, crashes=NEVER)
        self._supervisor = Supervisor(DEADLINE_MS, random, patient)
        self._wanted: Mapping[str, McuConfig] = {}
        self._seen: dict[str, Mcu] = {}

    @property
    def restarts(self) -> int:
        """Of the bridge."""
        return self._supervisor.restarts

    def configure(self, wanted: Mapping[str, McuConfig], now: Now) -> list[Action]:
        """Start the bridge, or start it again with others, or stop it."""
        before, self._wanted = self._wanted, wanted
        if not wanted:
            return self._event(Event.STOP, now)
        return self._event(Event.START if before in ({}, wanted) else Event.RESTART, now)

    def stop(self, now: Now) -> list[Action]:
        """Ask the bridge to end; what is configured stays known."""
        return self._event(Event.STOP, now)

    def is_stopped(self) -> bool:
        """Tell whether there is no bridge."""
        return self._supervisor.state in (State.STOPPED, State.BACKOFF)

    def said(self, message: FromChild, now: Now) -> list[Action]:
        """Take what the bridge says."""
        if not isinstance(message, Mcus):
            return []
        self._seen = {name: mcu for name, mcu in message.mcus.items() if name in self._wanted}
        ready = self._event(Event.READY, now)
        return [*ready, *self._event(Event.PROGRESS, now)]

    def ended(self, cause: str, now: Now) -> list[Action]:
        """The bridge is gone, wanted or not; pipelines go on without it."""
        self._seen = {}
        actions = self._event(Event.EXITED, now, cause)
        if self._supervisor.state is State.BACKOFF:
            actions.append(Log("warning", f"bridge: {cause}"))
        return actions

    def tick(self, now: Now) -> list[Action]:
        """Let time pass."""
        return self._event(Event.DUE, now)

    def due_ms(self) -> int | None:
        """When `tick` has something to do."""
        return self._supervisor.due_ms

    def statuses(self) -> dict[str, McuStatus]:
        """How each microcontroller is, as far as is known."""
        reason = self._supervisor.reason
        unknown = McuStatus("stopped", reason=f"no bridge: {reason}"[:400] if reason else None)
        return {name: self._status(name, unknown) for name in self._wanted}

    def answering(self) -> tuple[str, ...]:
        """Names of those that are there."""
        return tuple(name for name, status in self.statuses().items() if status.state in ANSWERING)

    def metrics(self) -> dict[str, McuMetrics]:
        """Counters of each since the bridge's start."""
        return {name: mcu.counts for name, mcu in self._seen.items()}

    def _status(self, name: str, unknown: McuStatus) -> McuStatus:
        return self._seen[name].status if name in self._seen else unknown

    def _event(self, event: Event, now: Now, detail: str = "") -> list[Action]:
        effects = self._supervisor.handle(event, now.monotonic_ms, detail)
        return [self._action(effect) for effect in effects]

    def _action(self, effect: Effect) -> Action:
        if effect is Effect.SPAWN:
            return SpawnBridge(self._wanted)
        return Kill(BRIDGE) if effect is Effect.KILL else Tell(BRIDGE, Stop("stop"))
