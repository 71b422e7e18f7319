"""Names of ALSA capture devices."""

import re

from agent.sources.protocol import Found

_PLAIN = r"[A-Za-z0-9_]+"
_WITH_ARGUMENTS = (
    r"(?:hw|plughw|plug|default|sysdefault|front|dsnoop):[A-Za-z0-9_=]+(?:,[A-Za-z0-9_=]+)*"
)
_NAME = re.compile(f"(?:{_PLAIN}|{_WITH_ARGUMENTS})")
_DEVICE = re.compile(r"([0-9]{1,3})-([0-9]{1,3}): ([^:]*):")


def is_safe_name(name: str) -> bool:
    """Tell whether `name` only names a device.

    ALSA takes whole plugin definitions as names, among them `file:…` and `tee:…`, which write
    files; and this name can come from the broker.
    """
    return _NAME.fullmatch(name) is not None


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
