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


def build_preprocessor(config: Preprocess, tensor: TensorInfo) -> Preprocessor:
    """Build what turns samples into inputs for `tensor`.

    Raises:
        ConfigError: this kind of preprocessing cannot feed a tensor of this shape or type.
    """
    if isinstance(config, TensorPreprocess):
        return TensorPreprocessor(tensor)
    if isinstance(config, ImagePreprocess):
        return ImagePreprocessor(config, tensor)
    if isinstance(config, AudioPreprocess):
        return AudioPreprocessor(config, tensor)
    return VectorPreprocessor(config, tensor)
