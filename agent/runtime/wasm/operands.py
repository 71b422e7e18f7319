"""The types of operands and the blocks that are open, at one place of a function's code."""

from dataclasses import dataclass

from agent.errors import ModelError
from agent.runtime.wasm.reading import DamagedError, Reader

MAX_OPERANDS = 500
MAX_DEPTH = 200


@dataclass(slots=True)
class Frame:
    """A block that is open.

    Attributes:
        taken: types that a branch to it takes along.
        left: types that it leaves at its end.
        height: operands that were there when it began.
    """

    opcode: int
    taken: tuple[int, ...]
    left: tuple[int, ...]
    height: int


class Operands:
    """A stack of types; those below the open block's height cannot be reached."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._stack: list[int] = []
        self._frames: list[Frame] = []
        self._live = True
        """What follows can be reached."""

    def _pop(self, kinds: tuple[int, ...]) -> None:
        if not kinds:
            return
        stack, count = self._stack, len(kinds)
        if len(stack) - count < self._frames[-1].height or tuple(stack[-count:]) != kinds:
            raise DamagedError(self._reader.at, "an operand is missing or of another type")
        del stack[-count:]

    def _top(self) -> int:
        if len(self._stack) <= self._frames[-1].height:
            raise DamagedError(self._reader.at, "an operand is missing")
        return self._stack[-1]

    def _bound(self) -> None:
        if len(self._stack) > MAX_OPERANDS:
            raise beyond(self._reader.at, f"more than {MAX_OPERANDS} operands at a time")

    def _open(self, frame: Frame) -> None:
        self._frames.append(frame)
        if len(self._frames) > MAX_DEPTH:
            raise beyond(self._reader.at, f"blocks more than {MAX_DEPTH} deep")

    def _close(self) -> Frame:
        frame = self._frames[-1]
        if self._live:
            self._pop(frame.left)
            if len(self._stack) != frame.height:
                raise DamagedError(self._reader.at, "a block leaves more than its type says")
        else:
            del self._stack[frame.height :]
        self._live = True
        return self._frames.pop()


def beyond(at: int, what: str) -> ModelError:
    """Valid wasm, perhaps, but not for wasm3."""
    return ModelError(
        f"uses {what} at byte {at}, which wasm3 lacks or must not be given; run it with wasmtime, "
        "or convert with --target scalar"
    )
