"""Labels that a sensor gives by itself: what it tells is the outcome of an earlier input."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.channel.messages import Recalled
from agent.config.samples import OutcomeConfig
from agent.control.events import Action, Log, Now, Received, Tell
from agent.control.labelling import Labelling, Wanted
from agent.control.pipelines import Pipelines
from agent.errors import AgentError, SampleError
from agent.sources.dotted import at
from broker.contract.codec import MAX_JSON_BYTES
from broker.contract.shape.constraints import shorten

MAX_WAITING = 16
"""Labels at a time whose input a pipeline still has to hand over; each is up to 1 MB."""

PATIENCE_MS = 10_000
PREFIX = "outcome "
"""No command has an id with a space."""


@dataclass
class Outcomes:
    """The sensors of one device that label its inputs; what fails is told to its log."""

    labelling: Labelling
    pipelines: Pipelines
    _waiting: dict[str, tuple[int, Wanted]] = field(default_factory=dict)
    _last: int = 0

    def topics(self) -> set[str]:
        """Topics that are read for labels."""
        return {outcome.topic for _, outcome in self._wanted()}

    def heard(self, event: Received, now: Now) -> list[Action]:
        """Ask for the inputs that a sensor's message labels; a retained one is of no known time."""
        if event.retained:
            return []
        return [
            action
            for name, outcome in self._wanted()
            if outcome.topic == event.topic
            for action in self._label(name, outcome, event.payload, now)
        ]

    def recalled(self, message: Recalled, now: Now) -> list[Action]:
        """Keep an input that a pipeline handed over, if it is still waited for."""
        _, wanted = self._waiting.pop(message.id, (0, None))
        if wanted is None:
            return []
        try:
            self.labelling.keep(wanted, message, now)
        except AgentError as error:
            return [_failed(wanted.pipeline, error)]
        return []

    def _wanted(self) -> Iterator[tuple[str, OutcomeConfig]]:
        for name, pipeline in self.pipelines.items().items():
            outcome = pipeline.config.samples.outcome
            if outcome is not None and pipeline.wanted:
                yield name, outcome

    def _label(self, name: str, outcome: OutcomeConfig, payload: bytes, now: Now) -> list[Action]:
        try:
            return [self._ask(name, outcome, payload, now)]
        except SampleError as error:
            return [_failed(name, error)]

    def _ask(self, name: str, outcome: OutcomeConfig, payload: bytes, now: Now) -> Tell:
        self._waiting = {k: one for k, one in self._waiting.items() if now.monotonic_ms < one[0]}
        label = label_in(payload, outcome)
        moment_ms = now.monotonic_ms - 1000 * outcome.after_s
        sequence = self.labelling.nearest(name, moment_ms, 1000 * outcome.within_s)
        if sequence is None:
            raise SampleError("no input of that moment is held")
        if len(self._waiting) >= MAX_WAITING:
            raise SampleError(f"{MAX_WAITING} labels are on their way already")
        self._last += 1
        key, args = f"{PREFIX}{self._last}", {"sequence": sequence, "label": label}
        wanted, tell = self.labelling.ask(key, {"pipeline": name, **args})
        self._waiting[key] = (now.monotonic_ms + PATIENCE_MS, wanted)
        return tell


def label_in(payload: bytes, outcome: OutcomeConfig) -> object:
    """The label that a message holds, as `label_of` reads it.

    A class that is no JSON is its own name, as sensors say `ON`; true and false are named so.

    Raises:
        SampleError: it holds none.
    """
    if len(payload) > MAX_JSON_BYTES:
        raise SampleError(f"a message of {len(payload)} bytes exceeds {MAX_JSON_BYTES}")
    try:
        text = payload.decode()
        try:
            said = json.loads(text)
        except ValueError:
            if outcome.path is not None or outcome.label == "target":
                raise
            return text.strip()
        if outcome.path is not None:
            said = at(said, outcome.path)
    except (ValueError, RecursionError) as error:
        where = outcome.path or "a label"
        raise SampleError(f"its message holds no {where}: {shorten(str(error))}") from None
    if outcome.label == "target":
        return said if isinstance(said, list) else [said]
    return str(said).lower() if isinstance(said, bool) else said


def _failed(name: str, error: AgentError) -> Log:
    return Log("debug", f"pipeline {name}: an outcome labels nothing: {error}")
