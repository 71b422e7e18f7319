"""Commands over MQTT, each a retained state machine: init → executing → successful | failed."""

from collections.abc import Callable
from typing import Any, NamedTuple

from agent.channel.messages import Recalled, Snapshot, TakeSnapshot
from agent.control.adoptions import Adoptions
from agent.control.events import Action, End, Now, Publish, SetLogLevel, Tell
from agent.control.labelling import Labelling, Wanted
from agent.control.outcomes import Outcomes
from agent.control.pipelines import Pipelines
from agent.errors import AgentError, SampleError
from agent.learning.samples.store import SampleStore
from broker.contract.codec import MAX_JSON_BYTES
from broker.contract.errors import MessageError
from broker.contract.messages import Command, decode, encode
from broker.contract.shape.constraints import shorten
from broker.contract.topics import CommandChannel, Topics

LEVELS = ("debug", "info", "warning", "error")
SNAPSHOT_LIMIT_MS = 10_000
"""A pipeline has as long to hand over an input that is labelled."""

MAX_SNAPSHOTS = 16
"""At a time; each is a message of up to 64 kB."""

MAX_LABELS = 16
"""Likewise; each is an input of up to 1 MB."""

KEPT = 256
"""So many finished commands are remembered, against one that comes twice."""

Answer = tuple[Command, list[Action]]
Key = tuple[str, str]


class _Waiting(NamedTuple):
    """A command that a pipeline has to answer."""

    due_ms: int
    wanted: Wanted | None = None


class Commands:
    """The commands of one device."""

    def __init__(
        self,
        topics: Topics,
        device: str,
        pipelines: Pipelines,
        adoptions: Adoptions,
        samples: SampleStore,
        before_forgetting: Callable[[str, Now], list[Action]],
    ) -> None:
        """Call `before_forgetting` with a pipeline whose samples are about to go."""
        self._topics = topics
        self._device = device
        self._pipelines = pipelines
        self._adoptions = adoptions
        self.labelling = Labelling(samples, pipelines)
        self.outcomes = Outcomes(self.labelling, pipelines)
        self._seen: dict[Key, Command] = {}
        self._waiting: dict[Key, _Waiting] = {}
        self._before_forgetting = before_forgetting
        self._forgetting: dict[str, dict[str, Any]] = {}
        self._ops: dict[str, Callable[[str, dict[str, Any], Now], Answer]] = {
            "ping": self._ping,
            "restart": self._restart,
            "set-log-level": self._set_log_level,
            "snapshot": self._snapshot,
            "label": self._label,
            "forget": self._forget,
            "rollback": self._roll_back,
        }

    def handle(self, channel: CommandChannel, payload: bytes, now: Now) -> list[Action]:
        """Take a message of a command topic; our own answers and clearings come back here too."""
        key = (channel.op, channel.id)
        if not payload:
            self._seen.pop(key, None)
            self._waiting.pop(key, None)
            return []
        try:
            command = decode(Command, payload)
        except MessageError as error:
            return [] if key in self._seen else [self._say(key, _failed(str(error)))]
        if key in self._seen or key in self._waiting:
            return []
        if command.status == "executing":
            return [self._say(key, self._after_restart(channel.op, command))]
        if command.status != "init":
            return []
        run = self._ops.get(channel.op)
        if run is None:
            known = ", ".join(self._ops)
            return [self._say(key, _failed(f"unknown command {channel.op}; known are {known}"))]
        begun = self._say(key, Command("executing", command.args))
        answer, actions = run(channel.id, command.args or {}, now)
        if answer.status == "executing":
            return [begun, *actions]
        return [begun, self._say(key, answer), *actions]

    def answered(self, message: Snapshot | Recalled, now: Now) -> list[Action]:
        """A pipeline answered; it counts if the command is still waited for."""
        if isinstance(message, Recalled):
            return self._recalled(message, now)
        if self._waiting.pop(("snapshot", message.id), None) is None:
            return []
        answer = Command("successful", result=message.result)
        if (size_bytes := len(encode(answer))) > MAX_JSON_BYTES:
            answer = _failed(f"snapshot of {size_bytes} bytes exceeds {MAX_JSON_BYTES}")
        return [self._say(("snapshot", message.id), answer)]

    def _recalled(self, message: Recalled, now: Now) -> list[Action]:
        waiting = self._waiting.pop(("label", message.id), None)
        if waiting is None or waiting.wanted is None:
            return self.outcomes.recalled(message, now)
        try:
            self.labelling.keep(waiting.wanted, message, now)
        except AgentError as error:
            answer = _failed(str(error))
        else:
            answer = Command("successful")
        return [self._say(("label", message.id), answer)]

    def tick(self, now: Now) -> list[Action]:
        """Fail the commands that no pipeline answered in time; let samples go that are too old."""
        forgotten: list[Action] = []
        for command_id, args in self._forgetting.items():
            answer, actions = self._forget_now(args)
            forgotten += [self._say(("forget", command_id), answer), *actions]
        self._forgetting = {}
        late = [key for key, one in self._waiting.items() if now.monotonic_ms >= one.due_ms]
        for key in late:
            del self._waiting[key]
        text = f"the pipeline did not answer within {SNAPSHOT_LIMIT_MS} ms"
        failed: list[Action] = [self._say(key, _failed(text)) for key in late]
        return forgotten + failed + self.labelling.tend(now)

    def due_ms(self) -> int | None:
        """When `tick` has something to do."""
        if self._forgetting:
            return 0
        return min((one.due_ms for one in self._waiting.values()), default=None)

    def _say(self, key: tuple[str, str], command: Command) -> Publish:
        self._seen[key] = command
        while len(self._seen) > KEPT:
            self._seen.pop(next(iter(self._seen)))
        topic = self._topics.topic(CommandChannel(self._device, *key))
        return Publish(topic, encode(command), retain=True)

    def _after_restart(self, op: str, command: Command) -> Command:
        if op == "restart" and not (command.args or {}).get("pipeline"):
            return Command("successful", command.args)
        return _failed("the agent was restarted meanwhile")

    def _ping(self, _: str, __: dict[str, Any], now: Now) -> Answer:
        result = {"time_ms": now.unix_ms, "monotonic_ms": now.monotonic_ms}
        return Command("successful", result=result), []

    def _restart(self, _: str, args: dict[str, Any], now: Now) -> Answer:
        if "pipeline" not in args:
            return Command("executing", args), [End(again=True)]
        name, enabled = args["pipeline"], self._pipelines.enabled()
        if name not in enabled:
            choice = ", ".join(enabled) or "none"
            return _failed(f"no enabled pipeline {shorten(name)}; there are {choice}"), []
        return Command("successful", args), self._pipelines.restart(name, now)

    def _set_log_level(self, _: str, args: dict[str, Any], __: Now) -> Answer:
        level = args.get("level")
        if level not in LEVELS:
            return _failed(f"level must be one of {', '.join(LEVELS)}"), []
        return Command("successful", args), [SetLogLevel(level)]

    def _snapshot(self, command_id: str, args: dict[str, Any], now: Now) -> Answer:
        running = self._pipelines.running()
        name = args.get("pipeline", running[0] if len(running) == 1 else None)
        if name not in running:
            choice = ", ".join(running) or "none"
            return _failed(f"args.pipeline must name a running pipeline: {choice}"), []
        if self._count_waiting("snapshot") >= MAX_SNAPSHOTS:
            return _failed(
                f"{MAX_SNAPSHOTS} snapshots are being taken already; ask again later"
            ), []
        self._waiting["snapshot", command_id] = _Waiting(now.monotonic_ms + SNAPSHOT_LIMIT_MS)
        tell = Tell(name, TakeSnapshot("take_snapshot", command_id))
        return Command("executing", args), [tell]

    def _label(self, command_id: str, args: dict[str, Any], now: Now) -> Answer:
        if self._count_waiting("label") >= MAX_LABELS:
            return _failed(f"{MAX_LABELS} labels are on their way already; send it later"), []
        try:
            wanted, tell = self.labelling.ask(command_id, args)
        except SampleError as error:
            return _failed(str(error)), []
        due_ms = now.monotonic_ms + SNAPSHOT_LIMIT_MS
        self._waiting["label", command_id] = _Waiting(due_ms, wanted)
        return Command("executing", args), [tell]

    def _forget(self, command_id: str, args: dict[str, Any], now: Now) -> Answer:
        """A learner that reads samples is ended first: what it reads could not be deleted."""
        halted: list[Action] = []
        if isinstance(pipeline := args.get("pipeline"), str):
            halted = self._before_forgetting(pipeline, now)
        if not halted:
            return self._forget_now(args)
        self._forgetting[command_id] = args
        return Command("executing", args), halted

    def _forget_now(self, args: dict[str, Any]) -> Answer:
        try:
            return Command("successful", args), self.labelling.forget(args)
        except AgentError as error:  # how many they were stays here
            return _failed(str(error)), []

    def _roll_back(self, _: str, args: dict[str, Any], now: Now) -> Answer:
        try:
            return Command("successful", args), self._adoptions.roll_back(args.get("pipeline"), now)
        except AgentError as error:
            return _failed(str(error)), []

    def _count_waiting(self, op: str) -> int:
        return sum(key[0] == op for key in self._waiting)


def _failed(reason: str) -> Command:
    return Command("failed", reason=reason[:400])
