"""Configuration of what happens to an input before the model, and to its answer after it."""

from dataclasses import dataclass
from typing import Annotated, Literal

from agent.config.sources import PathText, ShortText
from broker.contract.shape import Doc, Length, Range

Fraction = Annotated[float, Range(0, 1)]
Finite = float


@dataclass(frozen=True)
class TensorPreprocess:
    """The input already has the model's shape; floats are quantized, integers pass through."""

    kind: Literal["tensor"]


@dataclass(frozen=True)
class ImagePreprocess:
    """Resize, colour and value range of a picture; the model's real input is (pixel - mean)/std."""

    kind: Literal["image"]
    fit: Annotated[
        Literal["stretch", "crop", "letterbox"],
        Doc("stretch ignores the aspect ratio, crop cuts, letterbox pads"),
    ] = "stretch"
    interpolation: Literal["nearest", "bilinear", "area"] = "bilinear"
    colour: Literal["rgb", "bgr"] = "rgb"
    layout: Literal["auto", "nhwc", "nchw"] = "auto"
    pad: Annotated[int, Range(0, 255), Doc("pixel value beside a letterboxed picture")] = 0
    mean: Annotated[
        tuple[Finite, ...] | None,
        Length(3, minimum=1),
        Doc(
            "per channel of the model; with std left out too, 8-bit models get the pixels as "
            "they are, over their whole range, and others 0 to 1"
        ),
    ] = None
    std: Annotated[
        tuple[Annotated[float, Range(above=0)], ...] | None,
        Length(3, minimum=1),
        Doc("255 if left out beside a mean"),
    ] = None


@dataclass(frozen=True)
class AudioPreprocess:
    """Sound as waveform, log-mel spectrogram or MFCC."""

    kind: Literal["audio"]
    features: Literal["waveform", "log_mel", "mfcc"] = "mfcc"
    sample_rate_hz: Annotated[int, Range(4000, 192000), Doc("what the model was trained on")] = (
        16000
    )
    frame_ms: Annotated[float, Range(above=0, maximum=1000)] = 30.0
    stride_ms: Annotated[float, Range(above=0, maximum=1000)] = 20.0
    fft_size: Annotated[int | None, Range(16, 16384), Doc("next power of two if left out")] = None
    mel_bins: Annotated[int, Range(1, 512)] = 40
    coefficients: Annotated[int, Range(1, 512), Doc("mfcc only")] = 10
    lower_hz: Annotated[float, Range(minimum=0)] = 20.0
    upper_hz: Annotated[float, Range(above=0)] = 4000.0
    mel_scale: Annotated[
        Literal["htk", "slaney", "tensorflow"],
        Doc("htk and slaney as in librosa; tensorflow as in tf.signal"),
    ] = "htk"
    mel_norm: Literal["none", "slaney"] = "none"
    power: Annotated[Literal[1, 2], Doc("1 magnitude, 2 power spectrum")] = 1
    log: Literal["ln", "log10", "db"] = "ln"
    log_floor: Annotated[
        float, Range(above=0), Doc("ln and log10: added before; db: the least energy")
    ] = 1e-6
    dct: Annotated[
        Literal["ortho", "tensorflow"],
        Doc("mfcc only: as in librosa, or as in tf.signal, whose coefficient 0 is √2 times it"),
    ] = "ortho"
    every_ms: Annotated[
        float | None,
        Range(above=0),
        Doc("time between inferences, a multiple of stride_ms; the whole input if left out"),
    ] = None


@dataclass(frozen=True)
class VectorPreprocess:
    """A sliding window over sensor values; the model's real input is (value - mean)/std."""

    kind: Literal["vector"]
    window: Annotated[int, Range(1, 65536), Doc("rows of one model input")] = 1
    stride: Annotated[int, Range(1, 65536), Doc("rows between two model inputs")] = 1
    mean: Annotated[tuple[Finite, ...], Length(4096, minimum=1)] = (0.0,)
    std: Annotated[tuple[Annotated[float, Range(above=0)], ...], Length(4096, minimum=1)] = (1.0,)


Preprocess = TensorPreprocess | ImagePreprocess | AudioPreprocess | VectorPreprocess


@dataclass(frozen=True)
class ClassifyPostprocess:
    """The most likely labels, and the one that is held as active."""

    kind: Literal["classify"]
    labels: Annotated[tuple[Annotated[str, Length(128)], ...], Length(4096)] = ()
    top_k: Annotated[int, Range(1, 100)] = 1
    activation: Literal["none", "softmax", "sigmoid"] = "none"
    threshold: Annotated[Fraction, Doc("score at which a label may become active")] = 0.5
    release: Annotated[
        Fraction | None, Doc("score below which it ceases; the threshold if left out")
    ] = None
    debounce: Annotated[int, Range(1, 1000), Doc("results in a row before a change counts")] = 1
    report: Annotated[
        Literal["every", "change"], Doc("every result, or only changes of the active label")
    ] = "every"


@dataclass(frozen=True)
class DetectPostprocess:
    """Boxes, from a model with TFLite's detection operator or from raw heads with our own NMS."""

    kind: Literal["detect"]
    format: Annotated[
        Literal["tflite", "yolo", "ssd"],
        Doc("tflite: boxes, classes, scores, count; yolo: one tensor; ssd: boxes, scores, anchors"),
    ] = "tflite"
    labels: Annotated[tuple[Annotated[str, Length(128)], ...], Length(4096)] = ()
    threshold: Fraction = 0.5
    iou: Annotated[Fraction, Doc("overlap above which the weaker box goes")] = 0.5
    limit: Annotated[int, Range(1, 100), Doc("most boxes in one result")] = 20
    objectness: Annotated[bool, Doc("yolo: the fifth value is the box's own score")] = False
    coordinates: Annotated[
        Literal["normalised", "pixels"], Doc("yolo: parts of the model's input, or its pixels")
    ] = "normalised"
    anchors: Annotated[PathText | None, Doc("ssd: .npy of [n, 4] as y, x, height, width")] = None
    box_scale: Annotated[
        tuple[Annotated[float, Range(above=0)], ...],
        Length(4, minimum=4),
        Doc("ssd: y, x, height, width divisors"),
    ] = (10.0, 10.0, 5.0, 5.0)
    activation: Literal["none", "softmax", "sigmoid"] = "none"
    report: Annotated[Literal["every", "present"], Doc("present: only results with a box")] = (
        "every"
    )


@dataclass(frozen=True)
class AnomalyPostprocess:
    """How far a reconstruction is from its input."""

    kind: Literal["anomaly"]
    threshold: Annotated[float, Range(above=0), Doc("error at which the state becomes anomalous")]
    error: Literal["mse", "mae"] = "mse"
    release: Annotated[float | None, Range(above=0)] = None
    debounce: Annotated[int, Range(1, 1000)] = 1
    report: Literal["every", "change"] = "every"


@dataclass(frozen=True)
class RegressPostprocess:
    """Numbers, scaled to what they mean: value × scale + offset."""

    kind: Literal["regress"]
    names: Annotated[tuple[ShortText, ...], Length(1024)] = ()
    scale: Annotated[tuple[Finite, ...], Length(1024, minimum=1)] = (1.0,)
    offset: Annotated[tuple[Finite, ...], Length(1024, minimum=1)] = (0.0,)


Postprocess = ClassifyPostprocess | DetectPostprocess | AnomalyPostprocess | RegressPostprocess
