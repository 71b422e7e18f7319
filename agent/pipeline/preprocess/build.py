"""Choose the preprocessor that a configuration names."""

from agent.config.processing import (
    AudioPreprocess,
    ImagePreprocess,
    Preprocess,
    TensorPreprocess,
)
from agent.pipeline.preprocess.audio import AudioPreprocessor
from agent.pipeline.preprocess.image import ImagePreprocessor
from agent.pipeline.preprocess.tensor import TensorPreprocessor
from agent.pipeline.preprocess.vector import VectorPreprocessor
from agent.pipeline.protocol import Preprocessor
from agent.runtime.protocol import TensorInfo


def build_preprocessor(
    config: Preprocess, tensor: TensorInfo, previous: Preprocessor | None = None
) -> Preprocessor:
    """Build what turns samples into inputs for `tensor`.

    Args:
        config: kind and settings.
        tensor: the model's input.
        previous: the preprocessor of the same configuration that this one follows while the
            pipeline runs; what it has of a window that is not full goes on.

    Raises:
        ConfigError: this kind of preprocessing cannot feed a tensor of this shape or type.
    """
    if isinstance(config, TensorPreprocess):
        return TensorPreprocessor(tensor)
    if isinstance(config, ImagePreprocess):
        return ImagePreprocessor(config, tensor)
    if isinstance(config, AudioPreprocess):
        heard = previous if isinstance(previous, AudioPreprocessor) else None
        return AudioPreprocessor(config, tensor, heard)
    before = previous if isinstance(previous, VectorPreprocessor) else None
    return VectorPreprocessor(config, tensor, before)
