"""From model outputs to the `outputs` of a result."""

from agent.pipeline.postprocess.build import build_postprocessor

__all__ = ["build_postprocessor"]
