"""Configuration of the inputs that a pipeline can read."""

from dataclasses import dataclass
from typing import Annotated, Literal

from broker.contract.shape import Doc, Length, Pattern, Range

PathText = Annotated[str, Length(1024, minimum=1), Pattern(r"[^\x00]*", "a path without NUL")]
RateHz = Annotated[float, Range(above=0, maximum=1000), Doc("inputs per second")]
TOPIC = r"[^+#\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]*"
"""A filter with a stray wildcard or a control character would cost us the connection, for ever."""

ShortText = Annotated[str, Length(256, minimum=1)]

ALSA_NAME = (
    "[A-Za-z0-9_]+|(?:hw|plughw|plug|default|sysdefault|front|dsnoop)"
    ":[A-Za-z0-9_=]+(?:,[A-Za-z0-9_=]+)*"
)
"""ALSA takes whole plugin definitions as names, some of which write files (`file:…`, `tee:…`)."""

IIO_CHANNEL = "(?:in_)?[a-z0-9][a-z0-9_-]{0,95}"
"""Such as accel_x or voltage0-voltage1; it becomes part of a file's name."""

SERIAL_SCHEMES = ("loop", "socket", "rfc2217")
"""pyserial has others that write files or load code."""

SERIAL_PORT = rf"/(?!.*://)[^\x00-\x1f\x7f]*|(?:{'|'.join(SERIAL_SCHEMES)})://[!-~]*"


@dataclass(frozen=True)
class ReplaySource:
    """A folder of images or WAV files, or one .npy or .npz file, played as if it were live."""

    kind: Literal["replay"]
    path: PathText
    rate_hz: Annotated[RateHz | None, Doc("as fast as the model goes when left out")] = None
    loop: bool = False
    array: Annotated[ShortText | None, Doc("which array of an .npz; the first if left out")] = None


@dataclass(frozen=True)
class V4l2Source:
    """A USB or other Video4Linux2 camera."""

    kind: Literal["v4l2"]
    device: Annotated[
        ShortText,
        Pattern(r"auto|/dev/[^\x00-\x20\x7f]+", "auto, /dev/videoN or /dev/v4l/by-id/…"),
    ] = "auto"
    width: Annotated[int, Range(16, 8192)] = 640
    height: Annotated[int, Range(16, 8192)] = 480
    rate_hz: RateHz = 10.0
    format: Literal["auto", "yuyv", "mjpeg", "rgb", "grey"] = "auto"


@dataclass(frozen=True)
class Picamera2Source:
    """A Raspberry Pi camera, read by the system's own Python."""

    kind: Literal["picamera2"]
    camera: Annotated[int, Range(0, 7)] = 0
    width: Annotated[int, Range(16, 8192)] = 320
    height: Annotated[int, Range(16, 8192)] = 240
    rate_hz: RateHz = 10.0
    python: Annotated[PathText, Doc("the Python that has picamera2")] = "/usr/bin/python3"


@dataclass(frozen=True)
class AlsaSource:
    """A microphone."""

    kind: Literal["alsa"]
    device: Annotated[
        ShortText,
        Pattern(ALSA_NAME, "an ALSA name such as plughw:1,0 or default"),
    ] = "default"
    sample_rate_hz: Annotated[int, Range(4000, 192000)] = 16000
    chunk_ms: Annotated[int, Range(10, 1000)] = 100


@dataclass(frozen=True)
class IioSource:
    """A sensor of Linux industrial I/O, read through sysfs; values are (raw + offset) × scale."""

    kind: Literal["iio"]
    device: Annotated[
        ShortText,
        Pattern(r"[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*", "a name, not a path"),
        Doc("its name, or iio:deviceN"),
    ]
    channels: Annotated[
        tuple[Annotated[str, Pattern(IIO_CHANNEL, "a channel, such as accel_x or voltage0")], ...],
        Length(64, minimum=1),
    ]
    rate_hz: RateHz = 10.0


@dataclass(frozen=True)
class MqttSource:
    """Another device's topic as a sensor."""

    kind: Literal["mqtt"]
    topic: Annotated[str, Length(256, minimum=1), Pattern(TOPIC, "a topic without wildcards")]
    payload: Literal["json", "raw"] = "json"
    paths: Annotated[
        tuple[ShortText, ...],
        Length(64),
        Doc("json: a dotted path for each value, or none if the payload is a number or a list"),
    ] = ()
    dtype: Annotated[
        Literal["uint8", "int8", "int16", "float32"], Doc("raw: little-endian element type")
    ] = "float32"


@dataclass(frozen=True)
class SerialSource:
    """Lines of numbers from a serial port."""

    kind: Literal["serial"]
    port: Annotated[
        ShortText,
        Pattern(
            SERIAL_PORT, "a path such as /dev/ttyUSB0, socket://host:port or rfc2217://host:port"
        ),
    ]
    baud: Annotated[int, Range(50, 4_000_000)] = 115200
    separator: Annotated[str, Length(4)] = ","
    columns: Annotated[tuple[int, ...], Length(64), Doc("which columns; all if left out")] = ()


Source = (
    ReplaySource | V4l2Source | Picamera2Source | AlsaSource | IioSource | MqttSource | SerialSource
)
