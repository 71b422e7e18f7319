"""Where a picture of one size comes to lie in an input of another."""

from dataclasses import dataclass
from typing import Literal

Fit = Literal["stretch", "crop", "letterbox"]


@dataclass(frozen=True)
class Rect:
    """A rectangle of whole pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Placement:
    """The part `source` of the picture is scaled onto the part `target` of the input."""

    source: Rect
    target: Rect


def place(fit: Fit, source: tuple[int, int], target: tuple[int, int]) -> Placement:
    """Place a picture; sizes are (height, width).

    Crop takes the largest centred part of the input's aspect ratio, letterbox fills the largest
    centred part of the picture's; the shorter side is rounded to the nearest pixel, at least one.
    """
    whole_source = Rect(0, 0, source[1], source[0])
    whole_target = Rect(0, 0, target[1], target[0])
    if fit == "crop":
        return Placement(_inscribed(source, target), whole_target)
    if fit == "letterbox":
        return Placement(whole_source, _inscribed(target, source))
    return Placement(whole_source, whole_target)


def _inscribed(frame: tuple[int, int], aspect: tuple[int, int]) -> Rect:
    """The largest centred part of `frame` with the aspect ratio of `aspect`."""
    height, width = frame
    aspect_height, aspect_width = aspect
    if width * aspect_height > height * aspect_width:
        width = max(1, (2 * height * aspect_width + aspect_height) // (2 * aspect_height))
    else:
        height = max(1, (2 * width * aspect_height + aspect_width) // (2 * aspect_width))
    return Rect((frame[1] - width) // 2, (frame[0] - height) // 2, width, height)
