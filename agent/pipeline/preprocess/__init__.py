"""From samples to model inputs."""

from agent.pipeline.preprocess.build import build_preprocessor

__all__ = ["build_preprocessor"]
