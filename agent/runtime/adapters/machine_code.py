"""From a sealed module to machine code with bounds, by wasmtime, or out of the cache.

Whoever calls this imports wasmtime; numpy is not needed.
"""

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.runtime.adapters.aot_cache import AotCache
from agent.runtime.adapters.installed import version
from agent.runtime.adapters.loading_memory import bounded
from agent.runtime.wasm.sealed import SealedModule

_OPTIONS: dict[str, Any] = {
    "wasm_threads": False,
    "wasm_multi_memory": False,
    "wasm_memory64": False,
    "wasm_relaxed_simd": False,  # its answers differ from machine to machine
}


def machine_code(
    wasmtime: Any,
    module: SealedModule,
    sha256: str,
    options: Mapping[str, Any],
    cache: Path | None,
) -> tuple[Any, Any, str]:
    """Compile a module; return wasmtime's engine and module, and where the code comes from.

    Raises:
        wasmtime.WasmtimeError: it is refused; the caller translates.
    """
    config = wasmtime.Config()
    chosen = _OPTIONS | dict(options)
    for name, value in chosen.items():
        setattr(config, name, value)
    engine = wasmtime.Engine(config)
    kept = AotCache(cache)
    key = (sha256, repr(chosen), version("wasmtime"), platform.machine(), _processor())
    if code := kept.get(*key):
        try:
            return engine, wasmtime.Module.deserialize(engine, code), "from the cache"
        except wasmtime.WasmtimeError:
            pass  # of another processor or version after all: it is made anew
    with bounded(len(module.core)):
        found = wasmtime.Module(engine, module.core)
    if kept.is_usable:
        kept.put(bytes(found.serialize()), *key)
        return engine, found, "compiled"
    return engine, found, "compiled, not kept"


def one_line(error: BaseException) -> str:
    """The last line of a complaint, which names the trap or the fault."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    last = lines[-1] if lines else type(error).__name__
    return last.partition("wasm trap: ")[2][:300] or last[:300]


def _processor() -> str:
    """What the processor can; machine code is made for just that."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(sorted({line for line in lines if line.startswith(("flags", "Features"))}))
