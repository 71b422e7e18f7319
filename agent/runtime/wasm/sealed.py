"""What a module must be before a runtime sees it: closed on all sides, and with our interface.

docs/reference/module.md specifies that of models, docs/reference/train-abi.md that of trainers,
docs/explain/sealed.md gives the reasons.
"""

import json
from dataclasses import dataclass
from typing import Any

from agent.errors import ModelError
from agent.runtime.wasm import sections as s
from agent.runtime.wasm.module import F32, I32, PAGE_BYTES, V128, Module, Segment, read_module

MAX_MEMORY_BYTES = 256 << 20
"""Of one module; its memory is all that it can ever have."""
MAX_LABEL_BYTES = 4096
MAX_NAME = 128
_FUNCTION, _MEMORY = 0, 2
Functions = dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
"""Types of parameters and results by name."""
INTERFACE: Functions = {
    "sv_abi": ((), (I32,)),
    "sv_input": ((I32,), (I32,)),
    "sv_output": ((I32,), (I32,)),
    "sv_invoke": ((), (I32,)),
    "sv_describe": ((), (I32,)),
}
OPTIONAL: Functions = {"sv_reset": ((), (I32,))}


@dataclass(frozen=True, slots=True)
class Interface:
    """What a module exports beside its memory; `noun` says what it is then."""

    noun: str
    needed: Functions
    optional: Functions


MODEL = Interface("model", INTERFACE, OPTIONAL)


@dataclass(frozen=True, slots=True)
class SealedModule:
    """A module that passed; its code is not checked yet.

    Attributes:
        data: the whole file.
        core: the file without its custom sections.
        memory_bytes: what its memory has, at its start and for ever.
        optional: those optional functions that it exports.
        target: the build of the engine, by the module's own label; empty if it does not say.
        macs: multiply-accumulates of one run, likewise; None if it does not say.
    """

    data: bytes
    core: bytes
    module: Module
    segments: tuple[Segment, ...]
    memory_bytes: int
    optional: frozenset[str]
    target: str
    macs: int | None

    @property
    def has_reset(self) -> bool:
        """It is a model with variables."""
        return "sv_reset" in self.optional


def seal(data: bytes, interface: Interface = MODEL) -> SealedModule:
    """Check everything in a module but its code.

    Raises:
        ModelError: it is damaged, wants something of its host, or lacks the interface.
    """
    sections, custom = s.split(data)
    if s.IMPORT in sections:
        raise ModelError("is not sealed: it has an import section; link it without imports")
    if s.START in sections:
        raise ModelError("is not sealed: it has a start function; export what must be called")
    module = read_module(data, sections)
    label = _label(data, custom.get("selvedge"))
    macs = label.get("macs")
    return SealedModule(
        data,
        s.without_custom(data, sections),
        module,
        tuple(module.data),
        _memory_bytes(module),
        _check_interface(module, interface),
        str(label.get("target", ""))[:16],
        macs if isinstance(macs, int) and not isinstance(macs, bool) and macs > 0 else None,
    )


def needs_simd(module: SealedModule) -> bool:
    """Tell whether a module says by its label or types that it uses SIMD; else its code may."""
    inner = module.module
    vectors = any(V128 in (*each.parameters, *each.results) for each in inner.types)
    return module.target == "simd" or vectors or any(kind == V128 for kind, _ in inner.globals)


def _memory_bytes(module: Module) -> int:
    if len(module.memory) != 1:
        raise ModelError(f"is not sealed: it has {len(module.memory)} memories, not one")
    least, most = module.memory[0]
    if least != most:
        raise ModelError(
            f"is not sealed: its memory may grow from {least} pages to "
            f"{'any number' if most is None else most}; link it with equal limits"
        )
    if least * PAGE_BYTES > MAX_MEMORY_BYTES:
        raise ModelError(
            f"wants {least * PAGE_BYTES} bytes of memory; the limit is {MAX_MEMORY_BYTES}"
        )
    return least * PAGE_BYTES


def _check_interface(module: Module, interface: Interface) -> frozenset[str]:
    """Check the exports; return those of the optional ones that are there."""
    noun = interface.noun
    if module.exports.get("memory", (None, 0))[0] != _MEMORY:
        raise ModelError(f"is no {noun}: it does not export its memory as 'memory'")
    for name, (parameters, results) in (interface.needed | interface.optional).items():
        if name not in module.exports and name in interface.optional:
            continue
        kind, index = module.exports.get(name, (None, 0))
        if kind != _FUNCTION:
            raise ModelError(f"is no {noun}: it does not export the function {name}")
        found = module.functions[index]
        if (found.parameters, found.results) != (parameters, results):
            wanted = _words(results)
            raise ModelError(f"is no {noun}: {name} takes or returns something else than {wanted}")
    return frozenset(interface.optional.keys() & module.exports.keys())


def _words(results: tuple[int, ...]) -> str:
    return {I32: "i32", F32: "i32 and f32"}[results[0]] if results else "nothing"


def _label(data: bytes, place: tuple[int, int] | None) -> dict[str, Any]:
    """What the module says about itself; it is believed in nothing that matters."""
    if place is None or place[1] - place[0] > MAX_LABEL_BYTES:
        return {}
    try:
        tree = json.loads(data[slice(*place)])
    except (ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}
