"""Proof that a function's code is well-typed, for an interpreter that trusts its input.

wasm3 0.5.0 compiles code without checking types, and a wrong type becomes a wild address. What
passes here is valid wasm; some that is valid is refused too: code that can never run (no compiler
leaves any), `memory.grow` (what has been handed out would move), and more locals, nesting or
operands than wasm3 was made for. The algorithm is that of the specification's appendix, without
its polymorphic stack: https://webassembly.github.io/spec/core/appendix/algorithm.html
"""

from collections.abc import Callable

from agent.runtime.wasm import opcodes as op
from agent.runtime.wasm.module import F32, F64, I32, I64, NUMBERS, Module, Signature
from agent.runtime.wasm.operands import Frame, Operands, beyond
from agent.runtime.wasm.reading import DamagedError, Reader

MAX_LOCALS = 1000
MAX_TARGETS = 1000


def check_bodies(data: bytes, module: Module) -> None:
    """Check the code of every function.

    Raises:
        ModelError: it is not valid, or uses more than wasm3 has; the text says where.
    """
    for signature, (start, end) in zip(module.functions, module.bodies, strict=True):
        _Body(module, signature, Reader(data, start, end)).check()


class _Body(Operands):
    def __init__(self, module: Module, signature: Signature, reader: Reader) -> None:
        super().__init__(reader)
        self._module = module
        self._locals = _locals(signature, reader)
        self._results = signature.results
        self._open(Frame(op.BLOCK, signature.results, signature.results, 0))

    def check(self) -> None:
        reader, stack = self._reader, self._stack
        numeric, other = op.NUMERIC, _OTHERS
        while self._frames:
            opcode = reader.byte()
            if not self._live and opcode not in (op.END, op.ELSE):
                raise DamagedError(reader.at - 1, "code that can never run")
            if opcode in numeric:
                taken, left = numeric[opcode]
                self._pop(taken)
                stack.append(left)  # type: ignore[arg-type]  # every one of them leaves something
            elif opcode in op.ACCESSES:
                self._access(opcode)
            elif opcode in other:
                other[opcode](self)
                self._bound()
            elif opcode == op.VECTOR:
                raise beyond(reader.at - 1, "SIMD")
            else:
                raise beyond(reader.at - 1, f"instruction {opcode:#x}")
        reader.done()

    def _apply(self, effect: op.Effect) -> None:
        taken, left = effect
        self._pop(taken)
        if left is not None:
            self._stack.append(left)

    def _access(self, opcode: int) -> None:
        effect, log2 = op.ACCESSES[opcode]
        if not self._module.memory:
            raise DamagedError(self._reader.at, "there is no memory")
        self._reader.unsigned(log2)
        self._reader.unsigned()
        self._apply(effect)

    def _zero(self) -> None:
        self._reader.expect(0, "a reserved byte")
        if not self._module.memory:
            raise DamagedError(self._reader.at, "there is no memory")

    def leave(self) -> None:
        self._live = False

    # blocks and branches

    def open(self, opcode: int) -> None:
        kind = self._reader.byte()
        if kind != op.EMPTY and kind not in NUMBERS:
            raise beyond(self._reader.at - 1, f"a block of type {kind:#x}")
        left = () if kind == op.EMPTY else (kind,)
        self._open(Frame(opcode, () if opcode == op.LOOP else left, left, len(self._stack)))

    def if_(self) -> None:
        self._pop((I32,))
        self.open(op.IF)

    def else_(self) -> None:
        frame = self._close()
        if frame.opcode != op.IF:
            raise DamagedError(self._reader.at, "else without if")
        self._open(Frame(op.ELSE, frame.taken, frame.left, frame.height))

    def end(self) -> None:
        frame = self._close()
        if frame.opcode == op.IF and frame.left:
            raise DamagedError(self._reader.at, "an if without else leaves something")
        self._stack += frame.left

    def _target(self) -> Frame:
        return self._frames[-1 - self._reader.unsigned(len(self._frames) - 1)]

    def br(self) -> None:
        self._pop(self._target().taken)
        self._live = False

    def br_if(self) -> None:
        target = self._target()
        self._pop((I32,))
        self._pop(target.taken)
        self._stack += target.taken

    def br_table(self) -> None:
        self._pop((I32,))
        targets = {self._target().taken for _ in range(self._reader.unsigned(MAX_TARGETS))}
        default = self._target().taken
        if targets - {default}:
            raise DamagedError(self._reader.at, "the targets of a table take different types")
        self._pop(default)
        self._live = False

    def return_(self) -> None:
        self._pop(self._results)
        self._live = False

    def _call(self, signature: Signature) -> None:
        _check_numbers(signature, self._reader.at)
        self._pop(signature.parameters)
        self._stack += signature.results

    def call(self) -> None:
        functions = self._module.functions
        self._call(functions[self._reader.unsigned(len(functions) - 1)])

    def call_indirect(self) -> None:
        signature = self._module.types[self._reader.unsigned(len(self._module.types) - 1)]
        self._reader.expect(0, "a table's number")
        if self._module.table_size is None:
            raise DamagedError(self._reader.at, "there is no table")
        self._pop((I32,))
        self._call(signature)

    # the rest

    def drop(self) -> None:
        self._top()
        self._stack.pop()

    def select(self) -> None:
        self._pop((I32,))
        kind = self._top()
        self._pop((kind, kind))
        self._stack.append(kind)

    def _local(self) -> int:
        return self._locals[self._reader.unsigned(len(self._locals) - 1)]

    def local_get(self) -> None:
        self._stack.append(self._local())

    def local_set(self) -> None:
        self._pop((self._local(),))

    def local_tee(self) -> None:
        kind = self._local()
        self._pop((kind,))
        self._stack.append(kind)

    def _global(self) -> tuple[int, bool]:
        found = self._module.globals
        return found[self._reader.unsigned(len(found) - 1)]

    def global_get(self) -> None:
        self._stack.append(self._global()[0])

    def global_set(self) -> None:
        kind, is_mutable = self._global()
        if not is_mutable:
            raise DamagedError(self._reader.at, "a constant is written")
        self._pop((kind,))

    def memory_size(self) -> None:
        self._zero()
        self._stack.append(I32)

    def memory_grow(self) -> None:
        raise beyond(self._reader.at - 1, "memory.grow")

    def number(self, kind: int) -> None:
        if kind in (I32, I64):
            self._reader.signed(32 if kind == I32 else 64)
        else:
            self._reader.skip(4 if kind == F32 else 8)
        self._stack.append(kind)

    def prefixed(self) -> None:
        at, code = self._reader.at, self._reader.unsigned()
        if code in op.SATURATING:
            self._apply(op.SATURATING[code])
        elif code in (op.MEMORY_COPY, op.MEMORY_FILL):
            for _ in range(2 if code == op.MEMORY_COPY else 1):
                self._zero()
            self._pop((I32, I32, I32))
        else:
            raise beyond(at, f"instruction 0xfc {code}")


def _locals(signature: Signature, reader: Reader) -> list[int]:
    found = list(signature.parameters)
    for _ in range(reader.unsigned(MAX_LOCALS)):
        count, kind = reader.unsigned(MAX_LOCALS), reader.byte()
        found += [kind] * count
        if len(found) > MAX_LOCALS:
            raise beyond(reader.at, f"more than {MAX_LOCALS} locals")
        if kind not in NUMBERS:
            raise beyond(reader.at - 1, f"a local of type {kind:#x}")
    _check_numbers(signature, reader.at)
    return found


def _check_numbers(signature: Signature, at: int) -> None:
    if len(signature.results) > 1 or {*signature.parameters, *signature.results} - {*NUMBERS}:
        raise beyond(at, "a function with vectors or several results")


_OTHERS: dict[int, Callable[[_Body], None]] = {
    op.UNREACHABLE: _Body.leave,
    op.NOP: lambda body: None,
    op.BLOCK: lambda body: body.open(op.BLOCK),
    op.LOOP: lambda body: body.open(op.LOOP),
    op.IF: _Body.if_,
    op.ELSE: _Body.else_,
    op.END: _Body.end,
    op.BR: _Body.br,
    op.BR_IF: _Body.br_if,
    op.BR_TABLE: _Body.br_table,
    op.RETURN: _Body.return_,
    op.CALL: _Body.call,
    op.CALL_INDIRECT: _Body.call_indirect,
    op.DROP: _Body.drop,
    op.SELECT: _Body.select,
    op.LOCAL_GET: _Body.local_get,
    op.LOCAL_SET: _Body.local_set,
    op.LOCAL_TEE: _Body.local_tee,
    op.GLOBAL_GET: _Body.global_get,
    op.GLOBAL_SET: _Body.global_set,
    op.MEMORY_SIZE: _Body.memory_size,
    op.MEMORY_GROW: _Body.memory_grow,
    op.I32_CONST: lambda body: body.number(I32),
    op.I64_CONST: lambda body: body.number(I64),
    op.F32_CONST: lambda body: body.number(F32),
    op.F64_CONST: lambda body: body.number(F64),
    op.PREFIX: _Body.prefixed,
}
