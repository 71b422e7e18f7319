"""Loads mutated modules one after the other and runs each once: it may die, its parent goes on.

Standard input: a seed a line. Standard output: the seed and what came of it, a line for each.
"""

import hashlib
import resource
import sys
from pathlib import Path

import numpy as np

from agent.errors import ModelError
from agent.runtime.adapters.wasm3 import Wasm3Model
from agent.runtime.adapters.wasmtime import WasmtimeModel
from agent.runtime.wasm.sealed import seal
from tests.support.wasm_mutants import mutant


def outcome(module: bytes, runtime: str) -> str:
    try:
        sealed, sha256 = seal(module), hashlib.sha256(module).hexdigest()
        if runtime == "wasm3":
            model = Wasm3Model(sealed, sha256)
        else:
            model = WasmtimeModel(sealed, sha256, None, 2.0)
    except ModelError:
        return "refused"
    try:
        model.run([np.zeros(info.shape, info.dtype) for info in model.inputs])
    except ModelError:
        return "stopped"
    return "answered"


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    module, runtime = Path(sys.argv[1]).read_bytes(), sys.argv[2]
    for line in sys.stdin:
        sys.stdout.write(f"{line.strip()} begun\n")
        sys.stdout.flush()
        sys.stdout.write(f"{line.strip()} {outcome(mutant(module, int(line)), runtime)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
