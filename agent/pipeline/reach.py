"""What a pipeline child still needs of its machine once its model is loaded."""

from dataclasses import dataclass, replace

from agent.config.device import PipelineConfig
from agent.config.processing import DetectPostprocess
from agent.config.sources import (
    AlsaSource,
    IioSource,
    MqttSource,
    ReplaySource,
    SerialSource,
    Source,
    V4l2Source,
)

DEVICES = ("/dev", "/sys", "/proc/asound", "/usr/share/alsa")


@dataclass(frozen=True)
class Reach:
    """What may be opened.

    Attributes:
        read: files and folders.
        write: those that are written, too.
        network: connections.
        bridge: the Unix socket of the bridge to microcontrollers.
    """

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    network: bool = False
    bridge: bool = False


def reach_of(config: PipelineConfig, also: tuple[str, ...] = ()) -> Reach | None:
    """Return what a pipeline opens, also when its source is lost; None: other programs.

    Args:
        also: files and folders that it reads later, whatever its source.
    """
    reach = _of_source(config.source)
    if reach:
        reach = replace(reach, read=(*reach.read, *also))
    if reach and config.runtime == "mcu":
        reach = replace(reach, bridge=True)
    post = config.postprocess
    if reach and isinstance(post, DetectPostprocess) and post.anchors:
        return replace(reach, read=(*reach.read, post.anchors))
    return reach


def _of_source(source: Source) -> Reach | None:
    match source:
        case MqttSource():  # the main process hands it what comes
            return Reach()
        case ReplaySource():
            return Reach(read=(source.path,))
        case V4l2Source() | AlsaSource() | IioSource():
            return Reach(write=DEVICES)
        case SerialSource():
            return Reach(write=DEVICES, network="://" in source.port)
        case _:
            return None
