"""Contradictions between keys that are each valid alone."""

from collections.abc import Iterator

from agent.config.device import DeviceConfig, PipelineConfig
from agent.config.processing import AnomalyPostprocess, AudioPreprocess, ClassifyPostprocess
from broker.contract.shape import Fault


def contradictions(config: DeviceConfig) -> list[Fault]:
    """Return a fault for each pair of keys that cannot both hold."""
    faults = [
        Fault(("pipelines", name, *path), text)
        for name, pipeline in config.pipelines.items()
        for path, text in _in_pipeline(pipeline)
    ]
    if bool(config.broker.cert) != bool(config.broker.key):
        faults.append(Fault(("broker", "cert"), "cert and key must be given together"))
    return faults


def _in_pipeline(pipeline: PipelineConfig) -> Iterator[tuple[tuple[str, ...], str]]:
    post, pre = pipeline.postprocess, pipeline.preprocess
    if (
        isinstance(post, ClassifyPostprocess | AnomalyPostprocess)
        and post.release is not None
        and post.release > post.threshold
    ):
        yield (
            ("postprocess", "release"),
            f"must not exceed the threshold {post.threshold:g}, got {post.release:g}",
        )
    if isinstance(pre, AudioPreprocess):
        nyquist_hz = pre.sample_rate_hz / 2
        if not pre.lower_hz < pre.upper_hz <= nyquist_hz:
            yield (
                ("preprocess", "upper_hz"),
                f"must lie above lower_hz {pre.lower_hz:g} and not above half the sample rate"
                f" {nyquist_hz:g}, got {pre.upper_hz:g}",
            )
        if pre.features == "mfcc" and pre.coefficients > pre.mel_bins:
            yield (
                ("preprocess", "coefficients"),
                f"must not exceed mel_bins {pre.mel_bins}, got {pre.coefficients}",
            )
