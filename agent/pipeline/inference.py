"""One sample through preprocessing, model and postprocessing."""

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from agent.channel.messages import Recall, Recalled
from agent.config.processing import Postprocess, Preprocess
from agent.learning.samples.sample import MAX_EXAMPLE_BYTES
from agent.pipeline.answers import Answered
from agent.pipeline.postprocess import build_postprocessor
from agent.pipeline.preprocess import build_preprocessor
from agent.pipeline.protocol import Postprocessor, Preprocessor
from agent.pipeline.recent import Recent
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
        recent: Recent | None = None,
    ) -> None:
        self._model = model
        self._preprocessor = preprocessor
        self._post = postprocessor
        self._clock = clock
        self._recent = recent
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
            model_input = self._input()
            invoked = clock()
            model.invoke()
            answered = clock()
            outputs = post.result([model.output_view(i) for i in self._outputs], model_input)
            if outputs is not None:
                self._note(outputs, model_input)
                marks = (began, invoked, answered, clock())
                yield sample.captured_ns, sample.id, outputs, marks, None
            began = clock()

    def recalled(self, request: Recall) -> Recalled:
        """Answer with an input that the model was given, if it is still there."""
        found = None if self._recent is None else self._recent.get(request.answer)
        if found is None:
            return Recalled("recalled", request.id, reason="newer ones have taken its place")
        if found.nbytes > MAX_EXAMPLE_BYTES:
            reason = f"{found.nbytes} bytes exceed {MAX_EXAMPLE_BYTES}"
            return Recalled("recalled", request.id, reason=reason)
        info, data = self._model.inputs[0], b64encode(found.tobytes()).decode("ascii")
        kind = (info.dtype, info.scale, info.zero_point)
        return Recalled("recalled", request.id, data, *kind)

    def forget_inputs(self) -> None:
        """Forget the inputs that are held for labels."""
        if self._recent is not None:
            self._recent.clear()

    def _input(self) -> NDArray[Any] | None:
        """A copy of what the model is given, if anybody will want it; a run may overwrite it."""
        wanted = self._post.needs_input or self._recent is not None
        return self._model.input_view(0).copy() if wanted else None

    def _note(self, outputs: dict[str, Any], model_input: NDArray[Any] | None) -> None:
        self.latest = outputs
        if self._recent is not None and model_input is not None:
            self._recent.keep(model_input)

    def retune(self, config: Postprocess, anchors: Any) -> None:
        """Take over another postprocessing; the old one stays if this one does not fit.

        Raises:
            ConfigError: it does not fit the model.
        """
        model = self._model
        self._post = build_postprocessor(
            config, model.outputs, model.inputs[0], anchors=anchors, previous=self._post
        )

    def adopt(
        self, model: LoadedModel, preprocess: Preprocess, postprocess: Postprocess, anchors: Any
    ) -> None:
        """Go over to another model; everything stays as it was if it does not fit.

        What the preprocessor has of an input that is not complete stays too, and so does what the
        postprocessor holds as active; inputs that are held for labels go if the new model would
        read them otherwise.

        Raises:
            ConfigError: it does not fit what surrounds it.
        """
        before, after = self._model.inputs[0], model.inputs[0]
        same = replace(before, name=after.name) == after
        preprocessor = self._preprocessor
        if not same:
            preprocessor = build_preprocessor(preprocess, after, preprocessor)
        self._post = build_postprocessor(
            postprocess, model.outputs, after, anchors=anchors, previous=self._post
        )
        self._model, self._preprocessor = model, preprocessor
        self._outputs = range(len(model.outputs))
        if not same:
            self.forget_inputs()
