"""The description as the engine reads it: engine/training/network.h."""

from dataclasses import dataclass

from toolchain.errors import ModelRefused
from toolchain.plan.parameters import Window
from toolchain.plan.records import U8, U16, U32, Record, size_bytes
from toolchain.training.memory import Plan, plan
from toolchain.training.network import Network
from toolchain.training.steps import Step, steps_of

MAGIC = int.from_bytes(b"SVTN", "little")
VERSION = 1
LOSSES = {"cross_entropy": 0, "squared_error": 1}
MAX_ARENA_BYTES = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Header(Record):
    """`sv_network`."""

    magic: U32
    version: U32
    length: U32
    arena_bytes: U32
    parameters: U32
    batch: U32
    group: U32
    loss: U32
    height: U32
    width: U32
    channels: U32
    layers: U32


@dataclass(frozen=True, slots=True)
class LayerRecord(Record):
    """`sv_layer`."""

    kind: U8
    activation: U8
    reserved: U16
    height: U16
    width: U16
    channels: U32
    window: Window


HEADER_BYTES = size_bytes(Header)
LAYER_BYTES = size_bytes(LayerRecord)


def encode(network: Network) -> tuple[bytes, Plan]:
    """Write a network as the engine wants it; with what it takes.

    Raises:
        ModelRefused: layers do not fit together, or need more than 2 GiB.
    """
    steps = steps_of(network)
    counts = plan(network, steps)
    if counts.arena_bytes > MAX_ARENA_BYTES:
        raise ModelRefused(
            f"network: training takes {counts.arena_bytes} bytes; a module has at most 2 GiB"
        )
    height, width, channels = steps[0].input
    header = Header(
        magic=MAGIC,
        version=VERSION,
        length=HEADER_BYTES + LAYER_BYTES * len(steps),
        arena_bytes=counts.arena_bytes,
        parameters=counts.parameters,
        batch=network.batch,
        group=counts.group,
        loss=LOSSES[network.loss],
        height=height,
        width=width,
        channels=channels,
        layers=len(steps),
    )
    return header.pack() + b"".join(map(_layer, steps)), counts


def _layer(step: Step) -> bytes:
    height, width, channels = step.output
    window = Window(*step.kernel, *step.stride, 1, 1, *step.pad)
    return LayerRecord(step.kind, step.activation, 0, height, width, channels, window).pack()
