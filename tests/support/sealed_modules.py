"""Modules that try something, by what it is; each is refused, or stopped when it runs."""

import struct

from tests.support.wasm_text import (
    ENDLESS_RECURSION,
    FOREVER,
    GROW,
    IMPORT,
    OUTSIDE,
    TRAP,
    Made,
    const,
    record,
    table,
)

REFUSED = {
    "imports": (Made(imports=IMPORT), "has an import section"),
    "start function": (Made(start=b"\4"), "has a start function"),
    "memory without a limit": (Made(pages=(1, None)), "may grow from 1 pages to any number"),
    "4 GiB": (Made(pages=(65536, 65536)), "wants 4294967296 bytes of memory"),
    "no interface": (Made(exports=(("memory", 2, 0),)), "does not export the function sv_abi"),
    "a lie about a shape": (
        Made(records=record(shape=(1 << 20, 1 << 11), size=1 << 31) + record()),
        "claims 2147483648 bytes",
    ),
    "a lie about a place": (Made(input=const(65535)), "at address 65535 of 65536"),
    "a lie about the table": (Made(describe=const(-1)), "has a table at address 4294967295"),
    "a lie about the count": (Made(table=table(inputs=1 << 30)), "claims 1073741824 inputs"),
    "a lie about a number": (Made(operands=struct.pack("<2H", 65535, 1)), "has a table at address"),
    "code of a wrong type": (
        Made(invoke=const(0) + b"\x43\0\0\0\0" + const(0) + b"\xfc\x0b\0" + const(0)),
        "",
    ),
    "a trap while it is described": (Made(describe=TRAP), "unreachable"),
}
"""What no runtime gets as far as running; with a part of what is said."""

STOPPED = {
    "trap": (TRAP, "unreachable"),
    "endless recursion": (ENDLESS_RECURSION, "stack"),
    "write outside": (OUTSIDE, "out of bounds"),
    "status": (const(7), "status 7"),
    "loop for ever": (FOREVER, ""),
}
"""What `sv_invoke` does, and a part of what is said; a loop is ended by the clock."""

GROWS = GROW
"""Growing is refused by our proof, and under wasmtime gets -1."""
