"""Names and formula of the Linux industrial I/O ABI (Documentation/ABI/testing/sysfs-bus-iio)."""

import math
import re
from collections.abc import Iterator

DEVICE = re.compile(r"iio:device(0|[1-9][0-9]{0,5})")


def attribute_names(channel: str, attribute: str) -> Iterator[str]:
    """Yield the files that may hold an attribute of a channel, the most specific first.

    A driver gives scale and offset per channel (`in_accel_x_scale`), for all of a type
    (`in_accel_scale`, `in_voltage-voltage_scale`), or for a direction (`in_scale`).

    Args:
        channel: without the leading `in_`, such as `accel_x` or `voltage0`.
        attribute: `raw`, `input`, `scale` or `offset`.
    """
    yield f"in_{channel}_{attribute}"
    if attribute in ("raw", "input"):
        return
    seen = {channel}
    words = channel.split("_")
    for count in range(len(words), 0, -1):
        for name in (
            "_".join(words[:count]),
            re.sub(r"[0-9]+", "", "_".join(words[:count])),
        ):
            if name not in seen:
                seen.add(name)
                yield f"in_{name}_{attribute}"
    yield f"in_{attribute}"


def parse_number(text: bytes) -> float:
    """Parse what the kernel writes in an attribute.

    Raises:
        ValueError: not a finite number.
    """
    # Scales in dB carry their unit: "1.500000 dB"; those are no factors, so they are refused too.
    value = float(text.decode("ascii"))
    if not math.isfinite(value):
        raise ValueError("not finite")
    return value


def processed(raw: float, offset: float, scale: float) -> float:
    """Return the value in the unit of the ABI: (raw + offset) × scale."""
    return (raw + offset) * scale
