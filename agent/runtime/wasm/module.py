"""Everything in a module but the code: types, memory, table, globals, exports, segments."""

from collections.abc import Sized
from dataclasses import dataclass, field

from agent.runtime.wasm import sections as s
from agent.runtime.wasm.reading import DamagedError, Reader

I32, I64, F32, F64, V128, FUNCREF = 0x7F, 0x7E, 0x7D, 0x7C, 0x7B, 0x70
NUMBERS = (I32, I64, F32, F64)
FUNC = 0x60
PAGE_BYTES = 65536
MAX_PAGES = 1 << 16
MAX_ENTRIES = 20_000
"""Of any list but bytes; the largest of our own has some hundred."""
MAX_PARAMETERS = 64
_BITS = {I32: 32, I64: 64}
_FLOAT_BYTES = {F32: 4, F64: 8}
_CONST = {I32: 0x41, I64: 0x42, F32: 0x43, F64: 0x44}
END = 0x0B


@dataclass(frozen=True, slots=True)
class Signature:
    """Types of a function's parameters and results."""

    parameters: tuple[int, ...]
    results: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes `start` to `end` of the module are at `address` in its memory when it starts."""

    address: int
    start: int
    end: int


@dataclass(slots=True)
class Module:
    """What a module declares.

    Attributes:
        functions: the type of each function.
        memory: smallest and largest number of pages of each memory; None: no largest.
        table_size: entries of the table; None: there is none.
        globals: type and whether it can be written.
        exports: kind (0 function, 1 table, 2 memory, 3 global) and index by name.
        bodies: where each function's code begins and ends.
    """

    types: list[Signature] = field(default_factory=list)
    functions: list[Signature] = field(default_factory=list)
    memory: list[tuple[int, int | None]] = field(default_factory=list)
    table_size: int | None = None
    globals: list[tuple[int, bool]] = field(default_factory=list)
    exports: dict[str, tuple[int, int]] = field(default_factory=dict)
    bodies: list[tuple[int, int]] = field(default_factory=list)
    data: list[Segment] = field(default_factory=list)


def read_module(data: bytes, found: s.Sections) -> Module:
    """Read every section, of a module without imports.

    Raises:
        DamagedError: something is truncated, inconsistent, or beyond wasm 1.0.
    """
    module = Module()
    for kind, read in _READERS.items():
        if kind in found:
            reader = Reader(data, *found[kind])
            read(module, reader)
            reader.done()
    if len(module.bodies) != len(module.functions):
        at = found.get(s.CODE, (len(data), 0))[0]
        raise DamagedError(at, f"{len(module.functions)} functions, {len(module.bodies)} bodies")
    if s.DATA_COUNT in found:
        count = Reader(data, *found[s.DATA_COUNT])
        if count.unsigned() != len(module.data):
            raise DamagedError(count.at, "another number of data segments follows")
        count.done()
    return module


def _types(module: Module, reader: Reader) -> None:
    for _ in range(reader.unsigned(MAX_ENTRIES)):
        reader.expect(FUNC, "a type")
        parameters = tuple(_value_type(reader) for _ in range(reader.unsigned(MAX_PARAMETERS)))
        results = tuple(_value_type(reader) for _ in range(reader.unsigned(MAX_PARAMETERS)))
        module.types.append(Signature(parameters, results))


def _functions(module: Module, reader: Reader) -> None:
    for _ in range(reader.unsigned(MAX_ENTRIES)):
        module.functions.append(module.types[_index(reader, module.types, "type")])


def _table(module: Module, reader: Reader) -> None:
    for _ in range(reader.unsigned(1)):
        reader.expect(FUNCREF, "a table's type")
        module.table_size = _limits(reader, MAX_ENTRIES)[0]


def _memory(module: Module, reader: Reader) -> None:
    for _ in range(reader.unsigned(16)):
        module.memory.append(_limits(reader, MAX_PAGES))


def _globals(module: Module, reader: Reader) -> None:
    for _ in range(reader.unsigned(MAX_ENTRIES)):
        kind, mutable = _value_type(reader), reader.byte()
        if mutable > 1:
            raise DamagedError(reader.at - 1, f"{mutable} does not say whether it can be written")
        _constant(reader, kind)
        module.globals.append((kind, bool(mutable)))


def _exports(module: Module, reader: Reader) -> None:
    tables = [] if module.table_size is None else [None]
    spaces: tuple[Sized, ...] = (module.functions, tables, module.memory, module.globals)
    for _ in range(reader.unsigned(MAX_ENTRIES)):
        name, kind = reader.name(), reader.byte()
        if kind >= len(spaces) or name in module.exports:
            raise DamagedError(reader.at - 1, f"export {name[:40]!r} is unknown or twice there")
        module.exports[name] = kind, _index(reader, spaces[kind], "export")


def _elements(module: Module, reader: Reader) -> None:
    for _ in range(reader.unsigned(MAX_ENTRIES)):
        reader.expect(0, "an element segment")
        start = _constant(reader, I32)
        count = reader.unsigned(MAX_ENTRIES)
        if not 0 <= start <= (module.table_size or 0) - count or module.table_size is None:
            raise DamagedError(reader.at, f"{count} elements at {start} lie outside the table")
        for _ in range(count):
            _index(reader, module.functions, "function")


def _code(module: Module, reader: Reader) -> None:
    for _ in range(reader.unsigned(MAX_ENTRIES)):
        part = reader.part()
        module.bodies.append((part.at, part.end))


def _data(module: Module, reader: Reader) -> None:
    size = module.memory[0][0] * PAGE_BYTES if module.memory else -1
    for _ in range(reader.unsigned(MAX_ENTRIES)):
        reader.expect(0, "a data segment")
        address = _constant(reader, I32) & 0xFFFFFFFF
        part = reader.part()
        if address + part.end - part.at > size:
            raise DamagedError(part.at, f"data at {address} lies outside the memory")
        module.data.append(Segment(address, part.at, part.end))


_READERS = {
    s.TYPE: _types,
    s.FUNCTION: _functions,
    s.TABLE: _table,
    s.MEMORY: _memory,
    s.GLOBAL: _globals,
    s.EXPORT: _exports,
    s.ELEMENT: _elements,
    s.CODE: _code,
    s.DATA: _data,
}


def _value_type(reader: Reader) -> int:
    kind = reader.byte()
    if kind not in NUMBERS and kind != V128:
        raise DamagedError(reader.at - 1, f"{kind:#x} is not a type of numbers")
    return kind


def _index(reader: Reader, space: Sized, what: str) -> int:
    at, index = reader.at, reader.unsigned()
    if index >= len(space):
        raise DamagedError(at, f"{what} {index} of {len(space)}")
    return index


def _limits(reader: Reader, most: int) -> tuple[int, int | None]:
    flags = reader.byte()
    if flags > 1:
        raise DamagedError(reader.at - 1, "is shared, or of 64 bits")
    least = reader.unsigned(most)
    if not flags:
        return least, None
    largest = reader.unsigned()
    if largest < least:
        raise DamagedError(reader.at, f"at most {largest} is less than at least {least}")
    return least, largest


def _constant(reader: Reader, kind: int) -> int:
    """The value of an expression that is one constant; floats are passed over."""
    if kind == V128:
        reader.expect(0xFD, "a vector's start")
        reader.expect(12, "a vector's start")
        reader.skip(16)
        value = 0
    else:
        reader.expect(_CONST[kind], "a start value")
        if kind in _BITS:
            value = reader.signed(_BITS[kind])
        else:
            reader.skip(_FLOAT_BYTES[kind])
            value = 0
    reader.expect(END, "the end of a start value")
    return value
