"""A pipeline's model on microcontrollers: answers keep the order of their inputs."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from numpy.typing import NDArray

from agent.offload.model import NoAnswerError, OffloadedModel
from agent.pipeline.answers import Answered, Where
from agent.pipeline.inference import Inference
from agent.pipeline.protocol import Postprocessor, Preprocessor
from agent.pipeline.recent import Recent
from agent.pipeline.sample import Sample

MAX_HELD = 64
"""Answers that wait for an earlier one; more would be late themselves."""


class _Work(NamedTuple):
    """An input that was begun: its sample, when, and what the postprocessing wants of it."""

    sample: Sample
    began: int
    invoked: int
    model_input: NDArray[Any] | None


class _Done(NamedTuple):
    """Its outputs, and what computed them when."""

    work: _Work
    answered: int
    outputs: list[NDArray[Any]]
    where: Where


class OffloadedInference(Inference):
    """See `Inference`; with policy `spill`, an input that had to wait goes to a device."""

    def __init__(
        self,
        model: OffloadedModel,
        preprocessor: Preprocessor,
        postprocessor: Postprocessor,
        clock: Callable[[], int],
        *,
        spills: bool,
        recent: Recent | None = None,
    ) -> None:
        super().__init__(model, preprocessor, postprocessor, clock, recent)
        self._offloaded = model
        self._spills = spills
        self._handed: _Work | None = None
        self._held: deque[_Done] = deque()

    @property
    def is_waiting(self) -> bool:
        """Whether `due` must be called every few milliseconds."""
        return self._handed is not None

    @property
    def warning(self) -> str | None:
        """Why the last answer was computed here, if it should have been elsewhere."""
        return self._offloaded.warning

    def answers(self, sample: Sample, *, has_waited: bool = False) -> Iterator[Answered]:
        """Yield the answers that are ready; see `Inference.answers`."""
        began = self._clock()
        self.frames += 1
        for _ in range(self._preprocessor.push(sample)):
            self._preprocessor.fill(self._model.input_view(0))
            work = _Work(sample, began, self._clock(), self._input())
            is_free = self._spills and has_waited and self._handed is None
            if is_free and self._offloaded.hand_over():
                self._handed = work
            else:
                yield from self._run(work)
            yield from self.due()
            began = self._clock()

    def due(self) -> Iterator[Answered]:
        """Yield what a device has answered, and what waited for that."""
        is_late = len(self._held) >= MAX_HELD
        if self._handed is None or not self._offloaded.collect(is_late=is_late):
            return
        work, self._handed = self._handed, None
        yield from self._answer(self._done(work, is_held=False))
        while self._held:
            yield from self._answer(self._held.popleft())

    def _run(self, work: _Work) -> Iterator[Answered]:
        try:
            self._offloaded.invoke()
        except NoAnswerError:
            self.skipped += 1
            return
        done = self._done(work, is_held=self._handed is not None)
        if self._handed is None:
            yield from self._answer(done)
        else:
            self._held.append(done)

    def _done(self, work: _Work, *, is_held: bool) -> _Done:
        views = [self._model.output_view(number) for number in self._outputs]
        outputs = [view.copy() for view in views] if is_held else views
        return _Done(work, self._clock(), outputs, self._offloaded.where)

    def _answer(self, done: _Done) -> Iterator[Answered]:
        work = done.work
        outputs = self._post.result(done.outputs, work.model_input)
        if outputs is not None:
            self._note(outputs, work.model_input)
            marks = (work.began, work.invoked, done.answered, self._clock())
            yield work.sample.captured_ns, work.sample.id, outputs, marks, done.where
