"""The most likely labels, and the one that holds."""

from collections.abc import Sequence

from agent.config.processing import ClassifyPostprocess
from agent.errors import ConfigError
from agent.pipeline.postprocess.bounds import check_size
from agent.pipeline.postprocess.dequantize import Tree, describe_output, elements
from agent.pipeline.postprocess.latch import Latch
from agent.pipeline.postprocess.scores import build_scores
from agent.pipeline.sample import Tensor
from agent.runtime.protocol import TensorInfo

_NONE = -1


class ClassifyPostprocessor:
    """Ranks the classes; the best one becomes active at `threshold` and ceases below `release`."""

    needs_input = False

    def __init__(
        self,
        config: ClassifyPostprocess,
        outputs: Sequence[TensorInfo],
        previous: "ClassifyPostprocessor | None",
    ) -> None:
        """Prepare for the output with the scores; the state of `previous` goes on.

        Raises:
            ConfigError: no output has a score for each label, release exceeds the threshold, or
                results could grow too long.
        """
        self._position = _scored_output(config, outputs)
        output = outputs[self._position]
        classes = elements(output)
        self._labels = config.labels or tuple(str(index) for index in range(classes))
        self._count = min(config.top_k, classes)
        check_size(self._labels, self._count + 1, 56, "lower top_k or shorten the labels")
        self._scores = build_scores(output, config.activation)
        self._threshold = config.threshold
        self._release = config.threshold if config.release is None else config.release
        if self._release > self._threshold:
            raise ConfigError(
                f"postprocess.release: {self._release:g} exceeds the threshold "
                f"{self._threshold:g}: give a score at which a label ceases, or leave it out"
            )
        self._only_news = config.report == "change"
        before = previous._latch if previous and previous._labels == self._labels else None
        self._latch: Latch[int] = Latch(
            before.state if before else _NONE,
            config.debounce,
            fresh=before.fresh if before else True,
        )
        self._finite = True

    def result(self, outputs: Sequence[Tensor], model_input: Tensor | None) -> Tree | None:
        """Return the best labels and the active one, or None when that is no news."""
        latch = self._latch
        active = latch.state
        ranking = self._scores.rank(outputs[self._position], self._count, max(active, 0))
        if ranking is None:
            return self._not_finite()
        indices, scores, watched = ranking
        if scores[0] >= self._threshold:
            wanted = indices[0]
        elif active != _NONE and watched >= self._release:
            wanted = active
        else:
            wanted = _NONE
        news = latch.step(wanted) or not self._finite
        self._finite = True
        if self._only_news and not news:
            return None
        labels = self._labels
        return {
            "task": "classify",
            "top": [
                {"label": labels[index], "index": index, "score": scores[place]}
                for place, index in enumerate(indices)
            ],
            "active": labels[latch.state] if latch.state != _NONE else None,
        }

    def _not_finite(self) -> Tree | None:
        """The state holds: nothing is known."""
        news = self._finite
        self._finite = False
        if self._only_news and not news:
            return None
        active = self._labels[self._latch.state] if self._latch.state != _NONE else None
        return {"task": "classify", "top": [], "active": active, "finite": False}


def _scored_output(config: ClassifyPostprocess, outputs: Sequence[TensorInfo]) -> int:
    """Which output has the scores: the only one, or the only one with a value for each label."""
    wanted = len(config.labels)
    fitting = [
        position
        for position, output in enumerate(outputs)
        if elements(output) and (elements(output) == wanted or (not wanted and len(outputs) == 1))
    ]
    if len(fitting) == 1:
        return fitting[0]
    given = "; ".join(describe_output(output) for output in outputs[:4])
    raise ConfigError(
        f"postprocess.labels: {wanted} labels, but the model's {given}: "
        "give a label for each value of one output"
    )
