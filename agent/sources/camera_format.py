"""Which pixel format to ask of a camera that has several."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

FORMATS = ("rgb", "yuyv", "mjpeg", "grey")
"""The cheapest to convert first; grey last, since it has lost the colour."""


@dataclass(frozen=True)
class Offer:
    """A format of a camera, and how many frames per second it gives.

    Attributes:
        rate_hz: 0.0 when the camera does not say.
        fits: whether frames come in the wanted size, or only in one near it.
    """

    format: str
    rate_hz: float
    fits: bool = True


def choose_format(wanted: str, offers: Iterable[Offer], rate_hz: float) -> str:
    """Choose the cheapest format that fits and is fast enough; else the fastest that fits.

    Args:
        wanted: one of `FORMATS`, or `auto`.

    Raises:
        ValueError: the camera has none of our formats, or not the wanted one.
    """
    known = [offer for offer in offers if offer.format in FORMATS]
    if wanted == "auto":
        known = [offer for offer in known if offer.fits] or known
    rates: Mapping[str, float] = {offer.format: offer.rate_hz or rate_hz for offer in known}
    if not rates:
        raise ValueError(f"it gives none of {', '.join(FORMATS)}")
    if wanted != "auto":
        if wanted not in rates:
            raise ValueError(f"it gives no {wanted}, only {', '.join(sorted(rates))}")
        return wanted
    # Cameras say 29.97 for 30.
    enough = [name for name in FORMATS if rates.get(name, 0.0) >= rate_hz * 0.98]
    return enough[0] if enough else max(rates, key=lambda name: rates[name])


def missed_frames(previous: int | None, sequence: int) -> int:
    """Count the frames between two sequence numbers (32 bits); 0 if the driver does not count."""
    gap = 0 if previous is None else (sequence - previous - 1) & 0xFFFFFFFF
    return gap if gap < 2**31 else 0
