"""Opens the source that a configuration names, and imports only the code of that one."""

from agent.config import sources as config_of
from agent.errors import SourceError
from agent.sources.adapters.inbox import Inbox
from agent.sources.protocol import Clock, Sleep, Source


def open_source(
    config: config_of.Source, *, clock: Clock, sleep: Sleep, inbox: Inbox | None = None
) -> Source:
    """Open a source.

    Args:
        clock: monotonic ns.
        inbox: where an `mqtt` source finds its payloads; no other kind needs it.

    Raises:
        SourceError: what is missing: a package, a device, a group; the text names the remedy.
    """
    match config:
        case config_of.ReplaySource():
            from agent.sources.adapters.replay import ReplaySource

            return ReplaySource(config, clock, sleep)
        case config_of.V4l2Source():
            from agent.sources.adapters.v4l2 import V4l2Source

            return V4l2Source(config, clock)
        case config_of.Picamera2Source():
            from agent.sources.adapters.picamera2 import Picamera2Source

            return Picamera2Source(config, clock)
        case config_of.AlsaSource():
            from agent.sources.adapters.alsa import AlsaSource

            return AlsaSource(config, clock)
        case config_of.IioSource():
            from agent.sources.adapters.iio import IioSource

            return IioSource(config, clock, sleep)
        case config_of.MqttSource():
            from agent.sources.adapters.mqtt import MqttSource

            if inbox is None:
                raise SourceError(f"mqtt: {config.topic}: needs the agent's link; run the agent")
            return MqttSource(config, inbox)
        case config_of.SerialSource():
            try:
                from agent.sources.adapters.serial import SerialSource
            except ImportError:
                raise SourceError("serial: pyserial is missing; pip install pyserial") from None
            return SerialSource(config, clock)
