"""The trainer's process: a module, a pipe, and nothing else. The parent may kill it at any time."""

import os
import signal
import sys
from pathlib import Path

from agent.errors import AgentError, ModelError, UnavailableError
from agent.learning.trainer import wire
from agent.learning.trainer.abi import TRAINER, Places, Shape, describe
from agent.learning.trainer.adapters import pipe
from agent.learning.trainer.adapters.instances import Instance, start
from agent.learning.trainer.adapters.walls import limit_loading, limit_time, raise_walls
from agent.learning.trainer.wire import Answer, Op
from agent.runtime.adapters.orphan import end_with_parent
from agent.runtime.wasm.sealed import seal


class Child:
    """Serves requests until the parent goes away."""

    def __init__(self, instance: Instance, shape: Shape, places: Places) -> None:
        self._instance, self._shape, self._places = instance, shape, places

    def serve(self) -> None:
        """Answer one request after the other; a module that traps is done."""
        while head := pipe.read(wire.REQUEST.size):
            number, count = wire.REQUEST.unpack(head)
            op = Op(number)
            wire.check_request(op, count, self._shape)
            lengths = wire.request_bytes(op, count, self._shape)
            for at, length in zip(self._targets(op), lengths, strict=True):
                if not pipe.read_into(self._instance.memory[at : at + length]):
                    return
            answer = self._run(op, count)
            pipe.write(bytes([Answer.DONE]), answer)

    def _targets(self, op: Op) -> tuple[int, ...]:
        places = self._places
        return {
            Op.WRITE_PARAMETERS: (places.params,),
            Op.WRITE_ANCHOR: (places.anchor,),
            Op.WRITE_CONTROL: (places.control,),
            Op.WRITE_HYPER: (places.hyper,),
            Op.TRAIN: (places.examples, places.labels),
            Op.EVALUATE: (places.examples, places.labels),
        }.get(op, ())

    def _run(self, op: Op, count: int) -> bytes | memoryview:
        call = self._instance.call
        match op:
            case Op.BEGIN:
                call("sv_begin")
            case Op.TRAIN:
                return wire.LOSS.pack(call("sv_train", count))
            case Op.EVALUATE:
                return wire.EVALUATION.pack(call("sv_evaluate", count), call("sv_correct"))
        sources = {
            Op.READ_PARAMETERS: self._places.params,
            Op.READ_OUTPUTS: self._places.outputs,
            Op.READ_NORMS: self._places.norms,
        }
        at = sources.get(op, 0)
        return self._instance.memory[at : at + wire.answer_bytes(op, count, self._shape)]


def _begin(cache: Path | None) -> Child | None:
    """Read the module, load it, raise the walls, and only then call it."""
    head = pipe.read(wire.SETUP.size)
    if head is None:
        return None
    module_bytes, memory_bytes, processor_s, name_bytes = wire.SETUP.unpack(head)
    limit_time(processor_s)
    limit_loading(memory_bytes)
    name, data = pipe.read(name_bytes), pipe.read(module_bytes)
    if name is None or data is None:
        return None
    module = seal(data, TRAINER)
    if module.memory_bytes > memory_bytes:
        raise ModelError(
            f"wants {module.memory_bytes} bytes of memory; the limit is {memory_bytes}"
        )
    instance = start(module, name.decode(), cache)
    held = raise_walls().encode()
    shape, places = describe(
        lambda function: int(instance.call(function)), module.memory_bytes, module.optional
    )
    pipe.write(bytes([Answer.DONE]), wire.pack_shape(shape), wire.LENGTH.pack(len(held)), held)
    return Child(instance, shape, places)


def main(cache: Path | None) -> int:
    """Serve the parent at the other end of stdin and stdout; machine code is kept in `cache`."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        if child := _begin(cache):
            child.serve()
    except UnavailableError as error:
        pipe.refuse(str(error), Answer.UNAVAILABLE)
    except AgentError as error:
        pipe.refuse(str(error))
    return 0


if __name__ == "__main__":
    code = main(Path(sys.argv[1]) if sys.argv[1:] else None)
    os._exit(code)
