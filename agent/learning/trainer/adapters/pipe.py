"""Whole pieces through a pipe, on the child's side: it may wait for ever."""

import os

from agent.learning.trainer.wire import LENGTH, MAX_TEXT, Answer

_IN, _OUT = 0, 1


def read_into(view: memoryview) -> bool:
    """Fill a piece of memory; False: the parent is gone."""
    while len(view):
        count = os.readv(_IN, [view])
        if count == 0:
            return False
        view = view[count:]
    return True


def read(length: int) -> bytes | None:
    """Read so many bytes; None: the parent is gone."""
    data = bytearray(length)
    return bytes(data) if read_into(memoryview(data)) else None


def write(*pieces: bytes | memoryview) -> None:
    """Write pieces one after the other."""
    for piece in pieces:
        view = memoryview(piece)
        while view:
            view = view[os.write(_OUT, view) :]


def refuse(text: str, kind: Answer = Answer.REFUSED) -> None:
    """Answer with one line."""
    line = " ".join(text.split()).encode(errors="replace")[:MAX_TEXT]
    write(bytes([kind]), LENGTH.pack(len(line)), line)
