"""What the service takes of an emulated Pi: memory of each process, and room on the disk."""

import json
from dataclasses import asdict, dataclass

from deploy.emulator.machine import Machine

GROUP = "/sys/fs/cgroup/system.slice/selvedge-agent.service"
SCRIPT = """
for pid in $(cat GROUP/cgroup.procs); do
    [ -r /proc/$pid/smaps_rollup ] || continue
    echo "process $(tr '\\0' ' ' </proc/$pid/cmdline)"
    grep -oE 'wasmtime|wasm3|ai_edge_litert' /proc/$pid/maps | sort -u
    grep -E '^(Rss|Pss):' /proc/$pid/smaps_rollup
done
""".replace("GROUP", GROUP)
MODULES = {
    "agent.pipeline.app": "pipeline",
    "firmware_bridge.app": "bridge",
    "selvedge agent": "main",
}
LIBRARIES = {"wasmtime": "wasmtime", "wasm3": "wasm3", "ai_edge_litert": "tflite"}
FOLDERS = ("/opt/selvedge", "/var/lib/private/selvedge", "/etc/selvedge")


@dataclass
class Process:
    """One process of the service."""

    name: str
    rss_kb: int = 0
    pss_kb: int = 0


@dataclass
class Footprint:
    """All of them, and the folders."""

    processes: list[Process]
    group_kb: int
    folders_kb: dict[str, int]

    def as_json(self) -> str:
        """For the log."""
        return json.dumps(asdict(self), indent=1)


def measure(pi: Machine) -> Footprint:
    """Look at the running service."""
    processes: list[Process] = []
    for line in pi.must("sh", "-c", SCRIPT).splitlines():
        first, _, rest = line.partition(" ")
        if first == "process":
            kinds = [kind for module, kind in MODULES.items() if module in rest]
            processes.append(Process(kinds[0] if kinds else rest[:60]))
        elif first in LIBRARIES:
            processes[-1].name = f"{processes[-1].name.partition(' ')[0]} {LIBRARIES[first]}"
        elif first == "Rss:":
            processes[-1].rss_kb = int(rest.split()[0])
        elif first == "Pss:":
            processes[-1].pss_kb = int(rest.split()[0])
    group = int(pi.must("cat", f"{GROUP}/memory.current")) // 1024
    sizes = pi.must("du", "-sk", *FOLDERS).splitlines()
    folders = {path: int(size) for size, path in (line.split("\t") for line in sizes)}
    return Footprint(processes, group, folders)
