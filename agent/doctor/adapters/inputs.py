"""Every input that the sources can find."""

from collections.abc import Callable, Iterator
from functools import partial

from agent.sources.protocol import Found


def read_inputs(system_python: str) -> tuple[Found, ...]:
    """Ask each source that has devices what it finds.

    Args:
        system_python: the Python that has picamera2.
    """
    return tuple(found for discover in _discoveries(system_python) for found in discover())


def _discoveries(system_python: str) -> Iterator[Callable[[], list[Found]]]:
    from agent.sources.adapters import alsa, iio, picamera2, v4l2_cameras

    yield v4l2_cameras.discover
    yield partial(picamera2.discover, system_python)
    yield alsa.discover
    yield iio.discover
    try:
        from agent.sources.adapters import serial
    except ImportError:
        return
    yield serial.discover
