"""What the facts mean. A new check is one function, added to `CHECKS`."""

from collections.abc import Callable, Iterator
from typing import Literal

from agent.doctor.checks_of_service import (
    check_broker,
    check_configuration,
    check_service,
    check_service_groups,
    groups_of_inputs,
)
from agent.doctor.facts import Facts, Library
from agent.doctor.finding import Finding

MIB = 1024 * 1024
SUPPORTED = ((3, 11), (3, 13))
NEVER_SET_S = 1_700_000_000
"""A clock before November 2023 was never set."""

SIMD = {"x86_64": "sse4_1", "aarch64": "asimd", "armv7l": "neon"}
"""The kernel's name of what tflite and fast wasm modules compute with."""


def check_python(facts: Facts) -> Iterator[Finding]:
    """A Python for which there are wheels."""
    text = "Python {}.{}.{}".format(*facts.system.python)
    low, high = SUPPORTED
    if low <= facts.system.python[:2] <= high:
        yield Finding("python", "ok", text)
    else:
        remedy = "use Python {}.{} to {}.{}".format(*low, *high)
        yield Finding("python", "problem", text, remedy)


def check_system(facts: Facts) -> Iterator[Finding]:
    """A 64-bit system, for which the best runtime has wheels."""
    system = facts.system
    text = f"{system.name}, {system.machine}, {system.pointer_bits} bits"
    if system.machine == "armv6l":
        yield Finding(
            "system", "problem", text, "no runtime has wheels for it; use a Pi 3 or later"
        )
    elif system.pointer_bits < 64:
        remedy = "a 64-bit system gets the faster runtime, where the processor is a 64-bit one"
        yield Finding("system", "warn", text, remedy)
    else:
        yield Finding("system", "ok", text)


def check_simd(facts: Facts) -> Iterator[Finding]:
    """Instructions for several numbers at once."""
    name, features = SIMD.get(facts.system.machine), facts.system.features
    if name is None or features is None:
        return
    if name in features:
        yield Finding("simd", "ok", name)
    else:
        text = f"the processor has no {name}: tflite and modules with SIMD may fail"
        remedy = 'selvedge convert --target scalar, with runtime = "wasm3"'
        yield Finding("simd", "problem", text, remedy)


def check_memory(facts: Facts) -> Iterator[Finding]:
    """Enough memory for an agent with one pipeline, about 90 MB."""
    memory = facts.memory
    text = f"{memory.available // MIB} of {memory.total // MIB} MB are free"
    if memory.available < 90 * MIB:
        remedy = "stop other programs; one pipeline needs about 90 MB"
        yield Finding("memory", "problem", text, remedy)
    elif memory.available < 180 * MIB:
        yield Finding("memory", "warn", text, "enough for one pipeline, not for several")
    else:
        yield Finding("memory", "ok", text)


def check_camera_memory(facts: Facts) -> Iterator[Finding]:
    """Contiguous memory for a Pi camera, neither too little nor most of the machine."""
    memory = facts.memory
    if not memory.cma_total or memory.cma_free is None:
        return
    text = f"{memory.cma_total // MIB} MB set aside for cameras, {memory.cma_free // MIB} MB free"
    has_camera = any(found.kind == "picamera2" for found in facts.inputs)
    if memory.cma_total > memory.total // 2:
        remedy = "dtoverlay=vc4-kms-v3d,cma-128 in /boot/firmware/config.txt leaves more for models"
        yield Finding("camera memory", "warn", text, remedy)
    elif has_camera and memory.cma_total < 64 * MIB:
        remedy = "dtoverlay=vc4-kms-v3d,cma-128 in /boot/firmware/config.txt gives a camera enough"
        yield Finding("camera memory", "warn", text, remedy)
    else:
        yield Finding("camera memory", "ok", text)


def check_state(facts: Facts) -> Iterator[Finding]:
    """A state folder that can be written, with room for results that wait."""
    state = facts.state
    room = f"{state.path}: {state.free_bytes // MIB} MB free"
    if state.problem is not None:
        remedy = "choose another with --state DIR, or give this user the right to write it"
        if state.is_read_only:
            remedy = "dmesg tells whether the card failed; check it, and mount it for writing again"
        elif state.is_full:
            remedy = "make room; results that wait for the broker may take 32 MB"
        yield Finding("state folder", "problem", f"{state.path}: {state.problem}", remedy)
    elif state.free_bytes < 64 * MIB:
        remedy = "make room; results that wait for the broker may take 32 MB"
        yield Finding("state folder", "warn", room, remedy)
    else:
        yield Finding("state folder", "ok", room + (", to be made" if state.is_new else ""))


def check_clock(facts: Facts) -> Iterator[Finding]:
    """A clock that is set from the network."""
    if facts.system.unix_s < NEVER_SET_S:
        days = facts.system.unix_s // 86_400 + 1
        text = f"was never set: it says day {days} of 1970"
        remedy = "sudo timedatectl set-ntp true; until then no certificate is valid"
        yield Finding("clock", "problem", text, remedy)
    elif facts.system.clock_is_synced:
        yield Finding("clock", "ok", "set from a time source")
    else:
        remedy = "sudo timedatectl set-ntp true; until then results say that their time is unsure"
        yield Finding("clock", "warn", "not known to be set from a time source", remedy)


def check_runtimes(facts: Facts) -> Iterator[Finding]:
    """Of each runtime, one library that can run here."""
    for runtime in dict.fromkeys(library.runtime for library in facts.libraries):
        libraries = [library for library in facts.libraries if library.runtime == runtime]
        for library in libraries:
            if library.version is not None:
                yield _installed(library, facts.numpy)
        if not any(library.version is not None for library in libraries):
            level: Literal["warn", "problem"] = "warn" if usable(facts) else "problem"
            yield Finding("runtime", level, f"{runtime} is not installed", libraries[0].remedy)


def _installed(library: Library, numpy: str | None) -> Finding:
    text = f"{library.runtime}: {library.name} {library.version}"
    if not _works(library, numpy):
        text += f" with numpy {numpy}, under which it fails"
        return Finding("runtime", "problem", text, "pip install 'numpy<2'")
    return Finding("runtime", "ok", text)


def _works(library: Library, numpy: str | None) -> bool:
    # tflite-runtime was built for numpy 1 and declares no upper bound; it loads, and then raises.
    numpy_is_old = (numpy or "1").partition(".")[0] in ("0", "1")
    clash = library.name == "tflite_runtime" and not numpy_is_old
    return library.version is not None and not clash


def usable(facts: Facts) -> list[str]:
    """Return the names of the runtimes that can run here."""
    return list(
        dict.fromkeys(item.runtime for item in facts.libraries if _works(item, facts.numpy))
    )


def check_brokers(facts: Facts) -> Iterator[Finding]:
    """A broker that `selvedge broker` and `demo` can start."""
    for name, version in facts.brokers.items():
        yield Finding("broker program", "ok", f"{name} {version}".strip())
    if not facts.brokers:
        remedy = "sudo apt install mosquitto, or pip install 'selvedge[broker]'"
        yield Finding("broker program", "warn", "none; only a broker elsewhere can be used", remedy)


def check_inputs(facts: Facts) -> Iterator[Finding]:
    """Every input that the machine has, and why it cannot be opened."""
    for found in facts.inputs:
        text = f"{found.kind} {found.address}: {found.title}"
        if found.problem is None:
            yield Finding("input", "ok", text)
        else:
            what, _, remedy = found.problem.partition("; ")
            yield Finding("input", "warn", f"{text}: {what}", remedy)
    if not facts.inputs:
        remedy = "replay of files and topics of other devices need none"
        yield Finding("input", "ok", "no camera, microphone, sensor or serial port", remedy)


def check_groups(facts: Facts) -> Iterator[Finding]:
    """Membership in the groups that own the inputs."""
    user = facts.user
    if user.is_root:
        return
    for group in groups_of_inputs(facts):
        if group in user.groups:
            yield Finding("group", "ok", f"{user.name} is in {group}")
        else:
            remedy = f"sudo usermod -aG {group} {user.name}, then log in again"
            yield Finding("group", "warn", f"{user.name} is not in {group}", remedy)


CHECKS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    check_python,
    check_system,
    check_simd,
    check_memory,
    check_camera_memory,
    check_state,
    check_clock,
    check_runtimes,
    check_brokers,
    check_inputs,
    check_groups,
    check_service,
    check_service_groups,
    check_configuration,
    check_broker,
)


def examine(facts: Facts) -> list[Finding]:
    """Make every check."""
    return [finding for check in CHECKS for finding in check(facts)]
