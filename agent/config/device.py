"""The whole configuration of a device, and which of it only the device itself may set."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from agent.config.learning import LearningConfig
from agent.config.mcus import McuConfig, OffloadConfig
from agent.config.processing import Postprocess, Preprocess, TensorPreprocess
from agent.config.samples import SamplesConfig
from agent.config.sources import PathText, ShortText, Source
from broker.contract.fields import Name
from broker.contract.shape import Doc, Length, Pattern, Range, json_schema
from broker.contract.topics import DEFAULT_PREFIX, PREFIX

BROKER_URL = r"mqtts?://[A-Za-z0-9_.:\[\]-]{1,255}"


@dataclass(frozen=True)
class BrokerConfig:
    """How to reach the MQTT broker; set on the device itself only."""

    url: Annotated[str, Pattern(BROKER_URL, "mqtt://host[:port] or mqtts://host[:port]")] = (
        "mqtt://localhost:1883"
    )
    prefix: Annotated[str, Pattern(PREFIX, "one to four levels of a-z 0-9 _ -")] = DEFAULT_PREFIX
    protocol: Annotated[
        Literal["auto", "5", "3.1.1"], Doc("auto tries 5, and 3.1.1 where the broker refuses it")
    ] = "auto"
    keepalive_s: Annotated[int, Range(5, 3600)] = 30
    ca: Annotated[
        PathText | None, Doc("the broker's authority; $CREDENTIALS_DIRECTORY/… works")
    ] = None
    cert: Annotated[PathText | None, Doc("this device's certificate")] = None
    key: Annotated[PathText | None, Doc("its private key")] = None
    username: ShortText | None = None
    password_file: PathText | None = None


@dataclass(frozen=True)
class OutboxConfig:
    """Bounds of the store of results that the broker has not acknowledged yet."""

    limit_bytes: Annotated[int, Range(64 * 1024, 2**34)] = 32 * 1024 * 1024
    max_age_s: Annotated[int, Range(1, 10**8), Doc("time that the agent ran, not of the clock")] = (
        7 * 24 * 3600
    )
    commit_interval_ms: Annotated[
        int,
        Range(0, 60_000),
        Doc("a result is on disk at most this long after it came, unless it was acknowledged"),
    ] = 40_000
    window: Annotated[int, Range(1, 1000), Doc("results on their way at a time")] = 64


@dataclass(frozen=True)
class BlobsConfig:
    """Files that the device fetched for federated jobs and models."""

    limit_bytes: Annotated[
        int, Range(2**20, 2**36), Doc("of all; what was not used for longest goes first")
    ] = 256 * 2**20


@dataclass(frozen=True)
class ModelsConfig:
    """Models that federated jobs end with, and when one is kept for good."""

    limit_bytes: Annotated[
        int, Range(2**20, 2**36), Doc("of all that are kept; a release that does not fit waits")
    ] = 256 * 2**20
    probation_results: Annotated[
        int, Range(1, 10**6), Doc("inputs that a new model must have answered before it is kept")
    ] = 20
    probation_s: Annotated[
        float, Range(0.1, 30 * 86_400), Doc("time that it must have served without an error")
    ] = 60.0


@dataclass(frozen=True)
class PipelineConfig:
    """One source, one model, and what surrounds it."""

    source: Source
    model: Annotated[PathText, Doc("path of a .tflite, .wasm or .plan file")]
    postprocess: Postprocess
    preprocess: Preprocess = field(default_factory=lambda: TensorPreprocess("tensor"))
    runtime: Annotated[
        Literal["auto", "tflite", "wasmtime", "wasm3", "host", "mcu"],
        Doc("mcu: on the device's microcontrollers, as `mcu` says"),
    ] = "auto"
    mcu: OffloadConfig = field(default_factory=OffloadConfig)
    threads: Annotated[int, Range(1, 16)] = 1
    delegate: Annotated[
        PathText, Doc("tflite: xnnpack, none, reference, or the path of a delegate's library")
    ] = "xnnpack"
    deadline_ms: Annotated[
        int, Range(100, 600_000), Doc("a pipeline without progress for this long is restarted")
    ] = 10_000
    priority: Annotated[int, Range(0, 9), Doc("when the outbox is full, the lowest goes first")] = 5
    samples: SamplesConfig = field(default_factory=SamplesConfig)
    learning: LearningConfig = field(default_factory=LearningConfig)
    enabled: bool = True


@dataclass(frozen=True)
class HomeAssistantConfig:
    """Discovery by Home Assistant (docs/how-to/home-assistant.md)."""

    enabled: bool = False
    prefix: Annotated[
        str, Pattern(PREFIX, "one to four levels of a-z 0-9 _ -"), Doc("as configured there")
    ] = "homeassistant"


@dataclass(frozen=True)
class DeviceConfig:
    """Everything that can be configured on a device."""

    device_id: Annotated[Name | None, Doc("the host name if left out")] = None
    state_dir: Annotated[PathText | None, Doc("/var/lib/selvedge, or the user's state folder")] = (
        None
    )
    broker: BrokerConfig = BrokerConfig()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    metrics_interval_s: Annotated[float, Range(0.1, 86_400)] = 30.0
    outbox: OutboxConfig = OutboxConfig()
    blobs: BlobsConfig = BlobsConfig()
    models: ModelsConfig = ModelsConfig()
    pipelines: Annotated[dict[Name, PipelineConfig], Length(32)] = field(default_factory=dict)
    mcus: Annotated[dict[Name, McuConfig], Length(16)] = field(default_factory=dict)
    home_assistant: HomeAssistantConfig = HomeAssistantConfig()


LOCAL_ONLY: tuple[tuple[str, ...], ...] = (
    ("device_id",),
    ("state_dir",),
    ("broker",),
    ("pipelines", "*", "delegate"),
    ("pipelines", "*", "source", "python"),
)
"""Identity, the link itself, and whatever names code to run: never taken from the broker."""


def local_only(path: tuple[str, ...]) -> bool:
    """Tell whether `path`, or something that holds it, can be set on the device only."""
    return any(
        len(path) >= len(pattern)
        and all(want in ("*", got) for want, got in zip(pattern, path, strict=False))
        for pattern in LOCAL_ONLY
    )


def remote_schema() -> dict[str, Any]:
    """JSON Schema of what can be set over MQTT: the whole, less what is local only."""
    schema = json_schema(DeviceConfig)
    for pattern in LOCAL_ONLY:
        _prune(schema, pattern)
    schema["properties"]["version"] = {
        "type": "integer",
        "description": "the operator's own number of this document; it comes back in the report",
    }
    return schema


def _prune(node: dict[str, Any], pattern: tuple[str, ...]) -> None:
    for arm in node.get("oneOf", ()):
        _prune(arm, pattern)
    head, *rest = pattern
    if head == "*":
        _prune(node["additionalProperties"], tuple(rest))
    elif not rest:
        node.get("properties", {}).pop(head, None)
    elif head in node.get("properties", {}):
        _prune(node["properties"][head], tuple(rest))
