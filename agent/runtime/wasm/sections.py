"""A module as its sections, in order and whole."""

from agent.runtime.wasm.reading import DamagedError, Reader

MAGIC = b"\0asm"
PREAMBLE = MAGIC + b"\1\0\0\0"
CUSTOM, TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL = range(7)
EXPORT, START, ELEMENT, CODE, DATA, DATA_COUNT = range(7, 13)
NAMES = (
    *("custom", "type", "import", "function", "table", "memory", "global"),
    *("export", "start", "element", "code", "data", "data count"),
)
# The order in which they stand; custom ones stand anywhere.
_PLACE = (
    *(TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL),
    *(EXPORT, START, ELEMENT, DATA_COUNT, CODE, DATA),
)
MAX_SECTIONS = 64

Sections = dict[int, tuple[int, int]]
"""Where the payload of each kind begins and ends; custom sections are left out."""


def split(data: bytes) -> tuple[Sections, dict[str, tuple[int, int]]]:
    """Find the sections, and the payloads of the custom ones by name; the first of a name counts.

    Raises:
        DamagedError: one is unknown, out of order, twice there, or longer than the module.
    """
    if not data.startswith(PREAMBLE):
        raise DamagedError(0, "does not begin with \\0asm and version 1")
    reader = Reader(data, len(PREAMBLE))
    sections: Sections = {}
    custom: dict[str, tuple[int, int]] = {}
    place = -1
    for _ in range(MAX_SECTIONS):
        if reader.at == reader.end:
            return sections, custom
        start = reader.at
        kind = reader.byte()
        if kind >= len(NAMES):
            raise DamagedError(start, f"section {kind} is unknown")
        part = reader.part()
        if kind == CUSTOM:
            custom.setdefault(part.name(), (part.at, part.end))
            continue
        if _PLACE.index(kind) <= place:
            raise DamagedError(start, f"the {NAMES[kind]} section is out of order")
        place = _PLACE.index(kind)
        sections[kind] = part.at, part.end
    if reader.at != reader.end:
        raise DamagedError(reader.at, f"more than {MAX_SECTIONS} sections")
    return sections, custom


def without_custom(data: bytes, sections: Sections) -> bytes:
    """The same module with only what runs: wasm3 0.5.0 reads names without bounds.

    https://github.com/advisories/GHSA-fmq6-4w57-2w3v
    """
    parts = [PREAMBLE]
    for kind in sorted(sections, key=_PLACE.index):
        if kind != DATA_COUNT:
            start, end = sections[kind]
            parts += [bytes([kind]), _unsigned(end - start), data[start:end]]
    return b"".join(parts)


def _unsigned(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
