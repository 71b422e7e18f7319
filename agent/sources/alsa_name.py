"""Names of ALSA capture devices."""

import re

from agent.config.sources import ALSA_NAME
from agent.sources.protocol import Found

_DEVICE = re.compile(r"([0-9]{1,3})-([0-9]{1,3}): ([^:]*):")


def is_safe_name(name: str) -> bool:
    """Tell whether `name` only names a device, and defines no plugin."""
    return re.fullmatch(ALSA_NAME, name) is not None


def parse_devices(pcm: str, card_ids: dict[int, str]) -> list[Found]:
    """List the microphones in the text of /proc/asound/pcm.

    Args:
        pcm: lines such as `01-00: USB Audio : USB Audio : capture 1`.
        card_ids: what stays the same for each card number, from /proc/asound/cardN/id.
    """
    found = []
    for line in pcm.splitlines():
        match = _DEVICE.match(line)
        if match and " capture " in f"{line} ":
            card, device = int(match[1]), int(match[2])
            name = f"CARD={card_ids[card]},DEV={device}" if card in card_ids else f"{card},{device}"
            found.append(Found("alsa", f"plughw:{name}", match[3].strip()))
    return found
