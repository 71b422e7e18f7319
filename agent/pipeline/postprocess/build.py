"""Choose the postprocessor that a configuration names."""

from collections.abc import Sequence

from agent.config.processing import (
    AnomalyPostprocess,
    ClassifyPostprocess,
    DetectPostprocess,
    Postprocess,
)
from agent.pipeline.postprocess.anomaly import AnomalyPostprocessor
from agent.pipeline.postprocess.classify import ClassifyPostprocessor
from agent.pipeline.postprocess.detect import DetectPostprocessor
from agent.pipeline.postprocess.regress import RegressPostprocessor
from agent.pipeline.protocol import Postprocessor
from agent.pipeline.sample import Floats
from agent.runtime.protocol import TensorInfo


def build_postprocessor(
    config: Postprocess,
    outputs: Sequence[TensorInfo],
    model_input: TensorInfo,
    *,
    anchors: Floats | None = None,
    previous: Postprocessor | None = None,
) -> Postprocessor:
    """Build what turns the model's outputs into the `outputs` of a result.

    Args:
        config: kind and settings.
        outputs: of the model.
        model_input: its input.
        anchors: [n, 4], what `config.anchors` names, for detectors of format ssd.
        previous: the postprocessor that this one follows while the pipeline runs; of the same kind
            it hands on its state, so that a new threshold does not forget what is active.

    Raises:
        ConfigError: this kind of postprocessing does not fit the model.
    """
    if isinstance(config, ClassifyPostprocess):
        before = previous if isinstance(previous, ClassifyPostprocessor) else None
        return ClassifyPostprocessor(config, outputs, before)
    if isinstance(config, DetectPostprocess):
        return DetectPostprocessor(config, outputs, model_input, anchors)
    if isinstance(config, AnomalyPostprocess):
        state = previous if isinstance(previous, AnomalyPostprocessor) else None
        return AnomalyPostprocessor(config, outputs, model_input, state)
    return RegressPostprocessor(config, outputs)
