"""How much memory a program takes with all its children, looked at again and again."""

import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

EVERY_S = 0.2


@dataclass
class Peak:
    """The largest that was seen, in bytes.

    Attributes:
        rss: resident pages of all processes; those that they share count in each of them.
        alone: what the program would take on a machine of its own: pages of files that are mapped
            and not changed count once, in the process that has most of them.
    """

    rss: int = 0
    alone: int = 0
    processes: list[str] = field(default_factory=list)


class Memory:
    """Watches trees of processes from the start to `stop`."""

    def __init__(self, *without: str) -> None:
        """Begin with no process; commands with one of these words are counted apart."""
        self._without = without
        self._roots: list[int] = []
        self.peak, self.apart = Peak(), Peak()
        self._asked_to_stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def watch(self, *roots: int) -> Self:
        """Look at these process ids and all that they start."""
        self._roots += roots
        if not self._thread.is_alive():
            self._thread.start()
        return self

    def stop(self) -> None:
        """Look no more."""
        self._asked_to_stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def told(self) -> dict[str, Any]:
        """Megabytes (10^6)."""
        told: dict[str, Any] = {"rss_mb": round(self.peak.rss / 1e6, 1)}
        told["alone_mb"] = round(self.peak.alone / 1e6, 1)
        told["processes"] = self.peak.processes
        if self.apart.rss:
            told["apart_rss_mb"] = round(self.apart.rss / 1e6, 1)
        return told

    def _run(self) -> None:
        while not self._asked_to_stop.wait(EVERY_S):
            self._look()

    def _look(self) -> None:
        counted, apart = _Sum(), _Sum()
        for pid in _with_children(self._roots):
            words = _words(pid)
            one = apart if any(part in words for part in self._without) else counted
            with suppress(OSError):
                one.add(words, Path(f"/proc/{pid}/smaps").read_text())
        if counted.rss > self.peak.rss:
            self.peak.processes, self.peak.rss = counted.processes, counted.rss
        self.peak.alone = max(self.peak.alone, counted.alone)
        self.apart.rss = max(self.apart.rss, apart.rss)


@dataclass
class _Sum:
    """Of one look."""

    rss: int = 0
    own: int = 0
    files: dict[str, int] = field(default_factory=dict)
    processes: list[str] = field(default_factory=list)

    @property
    def alone(self) -> int:
        return self.own + sum(self.files.values())

    def add(self, words: str, maps: str) -> None:
        """Count a process; `maps` as in proc(5), smaps."""
        self.processes.append(_name(words.split()))
        clean: Counter[str] = Counter()
        path, rss = "", 0
        for line in maps.splitlines():
            key, *rest = line.split()
            if not key.endswith(":"):
                path = rest[4] if len(rest) > 4 else ""
            elif key == "Rss:":
                rss = int(rest[0]) << 10
                self.rss += rss
            elif key == "Private_Dirty:":
                changed = int(rest[0]) << 10 if path.startswith("/") else rss
                self.own += changed
                if path.startswith("/"):
                    clean[path] += rss - changed
        for path, size in clean.items():
            self.files[path] = max(size, self.files.get(path, 0))


def _with_children(roots: list[int]) -> list[int]:
    found = list(roots)
    for pid in found:  # grows as children are found
        with suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _name(words: list[str]) -> str:
    """What a command runs: the module after `-m`, or the script."""
    if "-m" in words:
        return " ".join(words[words.index("-m") + 1 :][: 2 if "selvedge" in words else 1])
    scripts = [word.rsplit("/", 1)[-1] for word in words[:3] if not word.startswith("-")]
    is_python = len(scripts) > 1 and scripts[0].startswith("python")
    return scripts[1] if is_python else "".join(scripts[:1])


def end(roots: list[int], patience_s: float = 5.0) -> None:
    """End processes and all that they started: asked first, then forced."""
    trees: list[psutil.Process] = []
    for root in roots:
        with suppress(psutil.Error):
            process = psutil.Process(root)
            trees += [*process.children(recursive=True), process]
    for process in trees:
        with suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(trees, patience_s)
    for process in alive:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, patience_s)
