"""What a trainer gives up for ever before it runs anything: all but its pipe, its memory, its time.

docs/explain/sealed.md says what that is worth.
"""

import ctypes
import os
import resource

from agent.pipeline.adapters import landlock, seccomp
from agent.pipeline.adapters.confinement import PR_SET_NO_NEW_PRIVS
from agent.runtime.adapters.loading_memory import LOADING_BYTES, data_bytes, limit

SPARE_BYTES = 64 << 20
"""For Python, beside what the process has by now."""


def limit_time(processor_s: int) -> None:
    """Let the kernel end a process that computes for longer; it leaves no core behind."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (processor_s, processor_s + 1))


def limit_loading(memory_bytes: int) -> None:
    """Let the kernel refuse memory to a compiler that is given a monster."""
    limit(data_bytes() + memory_bytes + LOADING_BYTES)


def raise_walls() -> str:
    """Give up files, network, programs and further memory; return what holds, for people."""
    silence = os.open(os.devnull, os.O_WRONLY)  # wasm3 prints every frame of a trap
    os.dup2(silence, 2)
    os.close(silence)
    ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for kind, most in (
        (resource.RLIMIT_DATA, data_bytes() + SPARE_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(kind, (most, most))
    holds = ["no-new-privs", "limits"]
    if known := landlock.version():
        try:
            landlock.restrict({}, network=False)
            holds.append(f"landlock {known}")
        except OSError as error:
            holds.append(f"no landlock ({error.strerror})")
    if seccomp.restrict():
        holds.append("seccomp")
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))  # after this nothing can be opened
    return f"confined by {', '.join(holds)}"
