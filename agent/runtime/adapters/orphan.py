"""A child that does not outlive its parent, however that ends."""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
FIRST_TO_GO = "900"


def end_with_parent(parent: int | None = None) -> None:
    """Be killed with the parent; `parent` is its process id, for it may be gone already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os._exit(0)


def be_an_errand() -> None:
    """Be killed with the parent that the arguments name, and before it where memory runs out."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO, encoding="ascii")
    end_with_parent(int(sys.argv[1]) if sys.argv[1:] else None)
