"""One sample through preprocessing, model and postprocessing."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from agent.config.processing import Postprocess
from agent.pipeline.answers import Answered
from agent.pipeline.postprocess import build_postprocessor
from agent.pipeline.protocol import Postprocessor, Preprocessor
from agent.pipeline.sample import Sample
from agent.runtime.protocol import LoadedModel


class Inference:
    """The model and what surrounds it; time is read from `clock`, in monotonic ns.

    Attributes:
        skipped: model inputs that nothing computed.
    """

    def __init__(
        self,
        model: LoadedModel,
        preprocessor: Preprocessor,
        postprocessor: Postprocessor,
        clock: Callable[[], int],
    ) -> None:
        self._model = model
        self._preprocessor = preprocessor
        self._post = postprocessor
        self._clock = clock
        self._outputs = range(len(model.outputs))
        self.frames = self.skipped = 0
        self.latest: dict[str, Any] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether `due` must be called every few milliseconds."""
        return False

    @property
    def warning(self) -> str | None:
        """What is amiss; None if nothing is."""
        return None

    def due(self) -> Iterable[Answered]:
        """Return answers that became ready without an input."""
        return ()

    def answers(self, sample: Sample, *, has_waited: bool = False) -> Iterator[Answered]:
        """Yield the answer of every model input that `sample` completes.

        Args:
            has_waited: it was there before the model was free.

        Raises:
            ConfigError: the sample does not fit the model.
            ModelError: the runtime failed.
        """
        clock, model, post = self._clock, self._model, self._post
        began = clock()
        self.frames += 1
        for _ in range(self._preprocessor.push(sample)):
            self._preprocessor.fill(model.input_view(0))
            model_input = model.input_view(0).copy() if post.needs_input else None
            invoked = clock()
            model.invoke()
            answered = clock()
            outputs = post.result([model.output_view(i) for i in self._outputs], model_input)
            if outputs is not None:
                self.latest = outputs
                marks = (began, invoked, answered, clock())
                yield sample.captured_ns, sample.id, outputs, marks, None
            began = clock()

    def retune(self, config: Postprocess, anchors: Any) -> None:
        """Take over another postprocessing; the old one stays if this one does not fit.

        Raises:
            ConfigError: it does not fit the model.
        """
        model = self._model
        self._post = build_postprocessor(
            config, model.outputs, model.inputs[0], anchors=anchors, previous=self._post
        )
