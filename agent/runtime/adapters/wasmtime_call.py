"""A call into wasmtime that has been prepared: the way in is most of what a small model costs."""

import ctypes
from collections.abc import Callable
from typing import Any

Call = Callable[[], int]


def prepared(wasmtime: Any, store: Any, function: Any) -> Call:
    """Prepare the call of an exported function without arguments whose result is an i32.

    wasmtime's own call asks for the function's type and makes its arrays each time: 10 µs of
    Python. Only its bindings of the C API do without; where another version has other names,
    the call is wasmtime's own.

    The call raises what wasmtime's own does: WasmtimeError or Trap.
    """
    try:
        from wasmtime import _bindings as c

        call, context = c.wasmtime_func_call_unchecked, store._context()
        failed, trapped = wasmtime.WasmtimeError._from_ptr, wasmtime.Trap._from_ptr
        trap_pointer, place = ctypes.POINTER(c.wasm_trap_t), ctypes.byref(function._func)
        values, traps = (c.wasmtime_val_raw_t * 1)(), (trap_pointer * 1)()
    except (ImportError, AttributeError):
        return lambda: int(function(store))

    def run() -> int:
        error = call(context, place, values, 1, traps)
        if error:
            raise failed(error)
        if traps[0]:
            trap = ctypes.cast(traps[0], trap_pointer)
            traps[0] = trap_pointer()
            raise trapped(trap)
        return int(values[0].i32)

    return run
