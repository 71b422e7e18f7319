"""From an operator's label on a result to a sample in the device's store."""

from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from typing import Any

from agent.channel.messages import ForgetInputs, FromChild, Ready, Recall, Recalled
from agent.config.processing import ClassifyPostprocess
from agent.config.samples import SamplesConfig
from agent.control.events import Action, Log, Now, Tell
from agent.control.pipelines import Pipelines
from agent.errors import SampleError, StorageError
from agent.learning.samples.sample import Example, Label, Sample, class_name, label_of
from agent.learning.samples.store import SampleStore
from broker.contract.shape.constraints import shorten

TEND_MS = 3_600_000
"""Samples that are too old go this often."""


@dataclass
class _Numbers:
    """Which answer of a pipeline's present child got which sequence."""

    answers: int = 0
    by_sequence: dict[int, int] = field(default_factory=dict)
    at_ms: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """A sample that lacks its example."""

    pipeline: str
    origin: str
    label: Label


class Labelling:
    """Labels of one device."""

    def __init__(self, samples: SampleStore, pipelines: Pipelines) -> None:
        self._samples = samples
        self._pipelines = pipelines
        self._numbers: dict[str, _Numbers] = {}
        self._tend_due_ms = 0

    def heard(self, pipeline: str, message: FromChild) -> None:
        """A child spoke; if it is a new one, what an earlier one was given is gone."""
        if isinstance(message, Ready):
            self._numbers[pipeline] = _Numbers()

    def answered(self, pipeline: str, sequence: int | None, now: Now) -> None:
        """The child gave its next answer, which got this sequence, if any."""
        numbers = self._numbers.setdefault(pipeline, _Numbers())
        most = self._bounds(pipeline).recent
        if sequence is not None and most:
            numbers.by_sequence[sequence] = numbers.answers
            numbers.at_ms[sequence] = now.monotonic_ms
            while len(numbers.by_sequence) > most:
                oldest = next(iter(numbers.by_sequence))
                del numbers.by_sequence[oldest], numbers.at_ms[oldest]
        numbers.answers += 1

    def nearest(self, pipeline: str, at_ms: float, within_ms: float) -> int | None:
        """The sequence of the held result that came nearest to a moment, if one is near."""
        known = self._numbers.get(pipeline, _Numbers()).at_ms
        best = min(known, key=lambda sequence: abs(known[sequence] - at_ms), default=None)
        return best if best is not None and abs(known[best] - at_ms) <= within_ms else None

    def ask(self, command_id: str, args: dict[str, Any]) -> tuple[Wanted, Tell]:
        """Ask the child for the input of a result that somebody labels.

        Raises:
            SampleError: there is no such result, or this is no label.
        """
        name, sequence = self._pipeline_of(args, "sequence", "label"), args.get("sequence")
        running = self._pipelines.running()
        if name not in running:
            choice = ", ".join(running) or "none"
            raise SampleError(f"args.pipeline must name a running pipeline: {choice}")
        if not self._bounds(name).recent:
            raise SampleError(
                f"pipeline {name} holds no inputs; set pipelines.{name}.samples.recent"
            )
        label = self._named(name, label_of(args.get("label")))
        numbers = self._numbers.get(name, _Numbers())
        number = numbers.by_sequence.get(sequence) if type(sequence) is int else None
        if number is None:
            raise SampleError(
                f"the input of sequence {shorten(sequence)} is no longer held; label sooner, or"
                f" raise pipelines.{name}.samples.recent"
            )
        tell = Tell(name, Recall("recall", command_id, number))
        return Wanted(name, f"result {sequence}", label), tell

    def keep(self, wanted: Wanted, recalled: Recalled, now: Now) -> None:
        """Put a sample in the store.

        Raises:
            SampleError: the child does not hold the example any more.
            StorageError: the store refuses.
        """
        if recalled.data is None:
            raise SampleError(f"the input is not there: {recalled.reason}")
        try:
            data = b64decode(recalled.data, validate=True)
        except Base64Error:
            raise SampleError("the pipeline answered with nonsense") from None
        example = Example(data, recalled.dtype, recalled.scale, recalled.zero_point)
        sample = Sample(wanted.origin, wanted.label, example)
        at_ms = now.unix_ms if now.synced else None
        self._samples.put(wanted.pipeline, [sample], self._bounds(wanted.pipeline), at_ms)

    def forget(self, args: dict[str, Any]) -> list[Action]:
        """Delete the samples of a pipeline, or of one of its labels, and the inputs it holds.

        Raises:
            SampleError: it is not said what.
            StorageError: the store refuses.
        """
        name = self._pipeline_of(args, "label")
        label = self._named(name, label_of(args["label"])) if "label" in args else None
        if isinstance(label, tuple):
            raise SampleError("args.label must be a class; leave it out to forget targets")
        self._samples.forget(name, label)
        if name not in self._pipelines.running():
            return []
        return [Tell(name, ForgetInputs("forget_inputs"))]

    def tend(self, now: Now) -> list[Action]:
        """Let go what is too old, now and then; nothing is while the time is not known."""
        if not now.synced or now.monotonic_ms < self._tend_due_ms:
            return []
        self._tend_due_ms = now.monotonic_ms + TEND_MS
        ages = {n: p.config.samples.max_age_s for n, p in self._pipelines.items().items()}
        try:
            self._samples.expire(ages, SamplesConfig().max_age_s, now.unix_ms)
        except StorageError as error:
            return [Log("error", f"samples that are too old could not be deleted: {error}")]
        return []

    def _bounds(self, name: str) -> SamplesConfig:
        pipeline = self._pipelines.items().get(name)
        return pipeline.config.samples if pipeline else SamplesConfig()

    def _named(self, name: str, label: Label) -> Label:
        """The name of a class that was given by its number, where the pipeline has names."""
        pipeline = self._pipelines.items().get(name)
        post = pipeline.config.postprocess if pipeline else None
        return class_name(label, post.labels if isinstance(post, ClassifyPostprocess) else ())

    @staticmethod
    def _pipeline_of(args: dict[str, Any], *others: str) -> str:
        known = ("pipeline", *others)
        if strange := sorted(args.keys() - set(known)):
            # A misspelt `label` would otherwise forget everything.
            raise SampleError(f"args.{shorten(strange[0])} is not known; {', '.join(known)} are")
        if not isinstance(name := args.get("pipeline"), str):
            raise SampleError("args.pipeline must name a pipeline")
        return name
