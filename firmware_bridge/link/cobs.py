"""Consistent overhead byte stuffing: bytes without a zero (Cheshire and Baker, 1999)."""

_LONGEST_RUN = 254


def encode(data: bytes) -> bytes:
    """Stuff `data`; at most one byte more for each 254, and one."""
    stuffed = bytearray()
    for run in data.split(b"\0"):
        start = 0
        while len(run) - start >= _LONGEST_RUN:
            stuffed.append(_LONGEST_RUN + 1)
            stuffed += run[start : start + _LONGEST_RUN]
            start += _LONGEST_RUN
        stuffed.append(len(run) - start + 1)
        stuffed += run[start:]
    return bytes(stuffed)


def decode(stuffed: bytes) -> bytes | None:
    """Undo `encode`; None if this cannot have come from it."""
    data = bytearray()
    at, end = 0, len(stuffed)
    while at < end:
        code = stuffed[at]
        if code == 0 or at + code > end:
            return None
        data += stuffed[at + 1 : at + code]
        at += code
        if code <= _LONGEST_RUN and at < end:
            data.append(0)
    return bytes(data)
