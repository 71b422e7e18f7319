"""Configuration of microcontrollers, and of what pipelines compute there."""

from dataclasses import dataclass
from typing import Annotated, Literal

from agent.config.sources import PathText, ShortText
from broker.contract.shape import Doc, Pattern, Range

MCU_PORT = r"/(?!.*://)[^\x00-\x1f\x7f]*|socket://[!-~]*"


@dataclass(frozen=True)
class McuConfig:
    """A microcontroller on a serial port; one of `port`, `by_id` and `vid_pid` says where."""

    port: Annotated[
        Annotated[
            ShortText, Pattern(MCU_PORT, "a path such as /dev/ttyACM0, or socket://host:port")
        ]
        | None,
        Doc("a device file, which may come and go"),
    ] = None
    by_id: Annotated[
        Annotated[ShortText, Pattern(r"[^/\x00-\x1f\x7f]+", "a name, not a path")] | None,
        Doc("a name below /dev/serial/by-id; * stands for anything"),
    ] = None
    vid_pid: Annotated[
        Annotated[str, Pattern("[0-9a-f]{4}:[0-9a-f]{4}", "such as 0483:374b")] | None,
        Doc("USB vendor and product; the first that is free"),
    ] = None
    baud: Annotated[int, Range(1200, 12_000_000)] = 921_600


@dataclass(frozen=True)
class OffloadConfig:
    """How a pipeline of runtime `mcu` uses microcontrollers; others ignore it."""

    policy: Annotated[
        Literal["prefer", "only", "spill"],
        Doc(
            "prefer: there, and here when that fails; only: there or not at all; "
            "spill: here, and there as well when inputs come faster than that"
        ),
    ] = "prefer"
    deadline_ms: Annotated[
        int,
        Range(20, 60_000),
        Doc("an answer is there after this long; the run here that it may take is part of it"),
    ] = 500
    local: Annotated[
        Literal["auto", "tflite", "wasmtime", "wasm3", "host"],
        Doc("runtime for what is computed here; auto: host, whose bytes are the device's"),
    ] = "auto"
    plan: Annotated[
        PathText | None, Doc("plan for all devices; made of a .tflite model if left out")
    ] = None
    check_every: Annotated[
        int,
        Range(1, 1_000_000),
        Doc("so many answers of a device to one that is computed here as well, and compared"),
    ] = 100
