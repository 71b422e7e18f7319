"""A child for `agent.runtime.adapters.child.ask` that does as it is told, however bad."""

import ctypes
import os
import sys
import time
from typing import Any

from agent.errors import UnavailableError
from agent.runtime.adapters.child import answer


def misbehave(question: dict[str, Any]) -> dict[str, Any]:
    match question["do"]:
        case "answer":
            return {"got": question["what"], "pid": os.getpid()}
        case "crash":
            ctypes.string_at(0)
        case "hang":
            print(os.getpid(), file=sys.stderr, flush=True)
            time.sleep(3600)
        case "print":
            print("INFO: this is not JSON")
            os.write(1, b"neither is this\n")
            return {"got": "noise"}
        case "raise":
            raise UnavailableError("runtime x is not installed: install it")
        case "break":
            raise RuntimeError("a fault of ours")
        case "exit":
            os._exit(0)
    return {}


def flood() -> None:
    while True:
        os.write(1, b"x" * 65536)


if __name__ == "__main__":
    answer(misbehave)
