"""What a child gives up before it runs a module: files, network, other programs.

docs/explain/sealed.md says what that is worth.
"""

import ctypes
import resource
import sysconfig
from pathlib import Path

from agent.pipeline.adapters import landlock, seccomp
from agent.pipeline.reach import Reach

PR_SET_NO_NEW_PRIVS = 38
ROOT = Path(__file__).resolve().parents[3]
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
OURS = ("agent", "broker")
PYTHON = ("stdlib", "platstdlib", "purelib", "platlib")


def confine(reach: Reach | None) -> str:
    """Give up all but what the source needs; return what holds, for people.

    What a kernel does not have is left out, so that the same agent runs everywhere.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    holds = ["no-new-privs"]
    if reach is None:
        return f"confined by {holds[0]} only: the source starts another program"
    if known := landlock.version():
        try:
            landlock.restrict(_rights(reach), network=reach.network)
            holds.append(f"landlock {known}")
        except OSError as error:
            holds.append(f"no landlock ({error.strerror})")
    if not reach.network and seccomp.restrict(unix=reach.bridge):
        holds.append("seccomp")
    return f"confined by {', '.join(holds)}"


def _rights(reach: Reach) -> dict[Path, int]:
    """Code may be loaded, as Python does when it is first needed; nothing else but the source."""
    code = [*LIBRARIES, *map(sysconfig.get_path, PYTHON), *(str(ROOT / name) for name in OURS)]
    rights = {Path(path): landlock.READ for path in code}
    rights |= {_there(path): landlock.READ for path in reach.read}
    return rights | {Path(path): landlock.WRITE for path in reach.write}


def _there(path: str) -> Path:
    """The path, or the folder in which it will be."""
    found = Path(path).expanduser().absolute()
    return found if found.exists() else found.parent
