"""The Video4Linux2 cameras of this machine: which there are, and how to open one."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from agent.errors import SourceError
from agent.sources.adapters.v4l2_device import V4l2Device
from agent.sources.protocol import Found

MAJOR = 81
"""Number of every Video4Linux device; to open another one, such as a watchdog, can do harm."""

NAMES = Path("/sys/class/video4linux")


def open_camera(path: str) -> V4l2Device:
    """Open the device at `path`.

    Raises:
        SourceError: it is not there, not a video device, or no permission.
    """
    try:
        return _opened(path)
    except (OSError, ValueError) as error:
        raise SourceError(f"v4l2: {path}: {remedy(error)}") from None


def discover(folder: Path = Path("/dev"), names: Path = NAMES) -> list[Found]:
    """List cameras, those on USB first, each with what hinders it from being opened."""
    return [found for _, found in sorted(_search(folder, names), key=lambda item: item[0])]


def first_camera(folder: Path) -> str:
    """Return the path of the first camera that can be opened.

    Raises:
        SourceError: there is none.
    """
    cameras = discover(folder)
    for camera in cameras:
        if camera.problem is None:
            return camera.address
    problem = "; ".join(f"{camera.address}: {camera.problem}" for camera in cameras)
    raise SourceError(f"v4l2: {problem or 'no camera is plugged in'}")


def _search(folder: Path, names: Path) -> Iterator[tuple[bool, Found]]:
    """Yield every camera, and whether it is built in: a Pi has nodes of its own ahead of any."""
    for path in sorted(folder.glob("video[0-9]*"), key=lambda path: (len(path.name), path.name)):
        title = _name(names / path.name / "name") or path.name
        try:
            with contextlib.closing(_opened(str(path))) as device:
                capability = device.capability()
        except (OSError, ValueError) as error:
            yield True, Found("v4l2", str(path), title, remedy(error))
            continue
        if capability.problem is None:
            is_built_in = not capability.bus.startswith("usb-")
            yield is_built_in, Found("v4l2", str(path), capability.card or title)


def _opened(path: str) -> V4l2Device:
    status = Path(path).stat()
    if not stat.S_ISCHR(status.st_mode) or os.major(status.st_rdev) != MAJOR:
        raise ValueError("not a video device; use /dev/videoN")
    return V4l2Device(path)


def _name(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(256).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def remedy(error: Exception) -> str:
    """Say in a few words what went wrong, and what to do."""
    code = getattr(error, "errno", None)
    if code == errno.ENOENT:
        return "is not there; 'selvedge doctor' lists the cameras"
    if code in (errno.EACCES, errno.EPERM):
        return "no permission; sudo usermod -aG video $USER, then log in again"
    if code == errno.EBUSY:
        return "another program uses it"
    if code in (errno.ENODEV, errno.ENXIO):
        return "it is gone; plug it in"
    if code == errno.ENOSPC:
        return "its USB bus has no bandwidth left; use a smaller size or another port"
    if code == errno.EIO:
        return "its stream broke off; plug it in anew"
    if code in (errno.ENOTTY, errno.EINVAL):
        return "it is not a camera, or refuses this size; try another /dev/videoN"
    return getattr(error, "strerror", None) or str(error)
