"""Contradictions between keys that are each valid alone."""

from collections.abc import Iterator

from agent.config.device import DeviceConfig, PipelineConfig
from agent.config.processing import AnomalyPostprocess, AudioPreprocess, ClassifyPostprocess
from broker.contract.shape import Fault

PLACES = ("port", "by_id", "vid_pid")


def contradictions(config: DeviceConfig) -> list[Fault]:
    """Return a fault at every key that takes part in a contradiction; any of them may yield."""
    faults = [
        Fault(("pipelines", name, part, key), text)
        for name, pipeline in config.pipelines.items()
        for part, keys, text in _in_pipeline(pipeline)
        for key in keys
    ]
    for name, mcu in config.mcus.items():
        said = [key for key in PLACES if getattr(mcu, key) is not None]
        if len(said) != 1:
            text = f"one of {', '.join(PLACES)} must say where it is"
            faults += [Fault(("mcus", name, key), text) for key in said or PLACES[:1]]
    if bool(config.broker.cert) != bool(config.broker.key):
        faults.append(Fault(("broker", "cert"), "cert and key must be given together"))
    return faults


def _in_pipeline(pipeline: PipelineConfig) -> Iterator[tuple[str, tuple[str, ...], str]]:
    post, pre = pipeline.postprocess, pipeline.preprocess
    if (
        isinstance(post, ClassifyPostprocess | AnomalyPostprocess)
        and post.release is not None
        and post.release > post.threshold
    ):
        yield (
            "postprocess",
            ("release", "threshold"),
            f"release {post.release:g} must not exceed threshold {post.threshold:g}",
        )
    if pipeline.samples.outcome is not None and not pipeline.samples.recent:
        yield (
            "samples",
            ("outcome", "recent"),
            "recent must be above 0: an outcome labels an input that is still held",
        )
    if pipeline.runtime == "mcu" and pipeline.mcu.deadline_ms >= pipeline.deadline_ms:
        yield (
            "mcu",
            ("deadline_ms",),
            f"deadline_ms {pipeline.mcu.deadline_ms} of mcu must lie below that of the pipeline, "
            f"{pipeline.deadline_ms}",
        )
    if isinstance(pre, AudioPreprocess):
        nyquist_hz = pre.sample_rate_hz / 2
        if not pre.lower_hz < pre.upper_hz <= nyquist_hz:
            yield (
                "preprocess",
                ("upper_hz", "lower_hz", "sample_rate_hz"),
                f"upper_hz {pre.upper_hz:g} must lie above lower_hz {pre.lower_hz:g}"
                f" and not above half of sample_rate_hz, {nyquist_hz:g}",
            )
        if pre.features == "mfcc" and pre.coefficients > pre.mel_bins:
            yield (
                "preprocess",
                ("coefficients", "mel_bins", "features"),
                f"coefficients {pre.coefficients} must not exceed mel_bins {pre.mel_bins}",
            )
