"""What an emulated Pi is led through, step by step; a step takes the world and says what it saw."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.contract.messages import McuStatus, Result, Status, decode
from broker.contract.topics import McuStatusChannel
from deploy.emulator.machine import Machine
from firmware_bridge.adapters.emulator import Emulator
from tests.support.agents import LABELS
from tests.support.boards import image
from tests.support.federation import Watch as FederationWatch
from tests.support.pi_footprint import measure
from tests.support.pi_machine import CACHE, MODELS

DEVICE = "pi-under-test"
AGENT = "selvedge-agent.service"
CAMERA = "/dev/video0"
FRAMES = f"{MODELS}/frames.npy"
RUNTIMES = ("tflite", "wasm3", "wasmtime")
BOARD = "board"
PATIENCE_S = 240.0
"""For one thing to happen on an emulated machine that others keep from running."""


class Watch(FederationWatch):
    """What the device publishes; the operator's certificate where there is TLS."""

    def __init__(self, port: int, prepare: Callable[[Any], object] = lambda _: None) -> None:
        self.mcus: dict[str, McuStatus | None] = {}
        super().__init__(port, "pi-watch", prepare)

    def _sort(self, channel: object, payload: bytes) -> None:
        if isinstance(channel, McuStatusChannel):
            self.mcus[channel.mcu] = decode(McuStatus, payload) if payload else None
        super()._sort(channel, payload)

    def of(self, pipeline: str) -> list[Result]:
        return self.results.get((DEVICE, pipeline), [])

    def is_in(self, state: str) -> bool:
        last: Status | None = self.status(DEVICE)
        return last is not None and last.state == state


@dataclass
class World:
    """The Pi and all that is around it."""

    pi: Machine
    watch: Watch
    board: Emulator | None = None
    frames: int = 0
    labels: dict[str, dict[str, str]] = field(default_factory=dict)

    def wait(self, condition: Callable[[], bool]) -> None:
        self.watch.wait(condition, PATIENCE_S)


Step = Callable[[World], str]


class Log:
    """Lines with the time that each step took; printed, and kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._began = self._last = time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")

    def note(self, name: str, words: str) -> None:
        now = time.monotonic()
        line = f"{now - self._began:7.1f} s  +{now - self._last:6.1f}  {name}: {words}\n"
        self._last = now
        with self._path.open("a") as file:
            file.write(line)
        print(line, end="")


def camera(top_k: int, rate_hz: float = 5.0) -> dict[str, Any]:
    return {
        "model": f"{MODELS}/digits.tflite",
        "source": {
            "kind": "v4l2",
            "device": CAMERA,
            "width": 320,
            "height": 180,
            "rate_hz": rate_hz,
        },
        "preprocess": {"kind": "image"},
        "postprocess": {"kind": "classify", "labels": LABELS, "top_k": top_k},
        "deadline_ms": 120_000,
    }


OFF = {"enabled": False}


def replay(runtime: str) -> dict[str, Any]:
    suffix = "wasm" if runtime.startswith("wasm") else "tflite"
    more = {"mcu": {"policy": "prefer", "deadline_ms": 20_000}} if runtime == "mcu" else {}
    return {
        "model": f"{MODELS}/digits.{suffix}",
        "runtime": runtime,
        "source": {"kind": "replay", "path": FRAMES, "rate_hz": 2.0, "loop": True},
        "preprocess": {"kind": "image"},
        "postprocess": {"kind": "classify", "labels": LABELS},
        "deadline_ms": 120_000,
        **more,
    }


def configuration(
    url: str, *, secured: bool, pipeline: str = "camera", rate_hz: float = 5.0
) -> str:
    """The file of the device: where the broker is, a camera, and a board that may be plugged in."""
    text = f'device_id = "{DEVICE}"\nmetrics_interval_s = 2.0\n\n[broker]\nurl = "{url}"\n'
    if secured:
        for key, name in (("ca", "ca.crt"), ("cert", "client.crt"), ("key", "client.key")):
            text += f'{key} = "$CREDENTIALS_DIRECTORY/mqtt_{name}"\n'
    text += "\n[outbox]\ncommit_interval_ms = 1000\n"
    text += '\n[mcus.board]\nby_id = "usb-QEMU_QEMU_USB_SERIAL_*"\n'
    text += f"\n[pipelines.{pipeline}]\n"
    return text + "".join(f"{key} = {toml(value)}\n" for key, value in camera(1, rate_hz).items())


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        inside = ", ".join(f"{key} = {toml(each)}" for key, each in value.items())
        return "{" + inside + "}"
    return json.dumps(value)


def boots(world: World) -> str:
    """The kernel and systemd come up, so far that programs can be run."""
    world.pi.wait_until_up(PATIENCE_S)
    return world.pi.must("uname", "-srm").strip()


def is_active(world: World) -> str:
    """systemd was notified: the unit is of Type=notify and becomes active by that alone."""
    deadline = time.monotonic() + PATIENCE_S
    while world.pi.agent.run("systemctl", "is-active", AGENT).stdout.strip() != "active":
        assert time.monotonic() < deadline, journal(world.pi)
        time.sleep(0.5)
    shown = ["systemctl", "show", AGENT, "-p", "Type", "-p", "NotifyAccess", "-p", "NRestarts"]
    told = world.pi.must(*shown).split()
    assert "Type=notify" in told
    return " ".join(told)


def is_online(world: World) -> str:
    world.wait(lambda: world.watch.is_in("online"))
    status = world.watch.status(DEVICE)
    assert status is not None
    assert set(RUNTIMES) <= set(status.runtimes)
    return f"version {status.version}, runtimes {', '.join(status.runtimes)}"


def sees(world: World) -> str:
    """Results from the camera."""
    world.wait(lambda: len(world.watch.of("camera")) >= 10)
    first, *_, last = world.watch.of("camera")
    assert all(len(one.outputs["top"]) == 1 for one in world.watch.of("camera"))
    return f"results {first.sequence} to {last.sequence} under {last.runtime}"


def takes_a_change(world: World) -> str:
    """A desired configuration is reported as applied, and results show it."""
    world.watch.desire({"version": 2, "pipelines": {"camera": camera(3)}}, DEVICE)
    world.wait(lambda: world.watch.reports[DEVICE][-1].version == 2)
    report = world.watch.reports[DEVICE][-1]
    assert report.errors == {}
    assert report.applied["pipelines"]["camera"]["postprocess"]["top_k"] == 3
    world.wait(lambda: len(world.watch.of("camera")[-1].outputs["top"]) == 3)
    return "three labels instead of one"


def keeps_frames(world: World) -> str:
    """The camera is let go, and frames of it are kept in a file by the agent's own source."""
    world.watch.desire({"version": 3, "pipelines": {"camera": OFF}}, DEVICE)
    world.wait(lambda: world.watch.reports[DEVICE][-1].version == 3)
    script = Path(__file__).with_name("guest_frames.py").read_bytes()
    world.pi.agent.write("/run/guest_frames.py", script)
    program = ["/opt/selvedge/bin/python3", "/run/guest_frames.py", CAMERA, FRAMES]
    world.frames, different = map(int, world.pi.must(*program, timeout_s=PATIENCE_S).split())
    assert different >= 10
    return f"{world.frames} frames, {different} of them different"


def agrees(world: World) -> str:
    """The same frames under three runtimes have equal labels."""
    pipelines = {"camera": OFF} | {f"frames-{name}": replay(name) for name in RUNTIMES}
    world.watch.desire({"version": 4, "pipelines": pipelines}, DEVICE)
    for name in RUNTIMES:
        labels = world.labels.setdefault(name, {})
        world.wait(lambda name=name: _distinct(world.watch.of(f"frames-{name}")) == world.frames)
        for one in world.watch.of(f"frames-{name}"):
            assert one.runtime == name
            assert one.input is not None
            labels[one.input] = one.outputs["top"][0]["label"]
    first, *others = [world.labels[name] for name in RUNTIMES]
    assert all(other == first for other in others)
    assert len(set(first.values())) >= 2
    return f"{len(first)} frames, labels {' '.join(sorted(set(first.values())))}"


def weighs(world: World) -> str:
    """Memory of each process, and room on the disk."""
    footprint = measure(world.pi)
    names = {process.name for process in footprint.processes}
    assert {"main", "bridge", *(f"pipeline {name}" for name in RUNTIMES)} <= names, names
    (CACHE / "footprint.json").write_text(footprint.as_json())
    shares = [f"{each.name} {each.pss_kb / 1024:.1f} MB" for each in footprint.processes]
    return ", ".join([*shares, f"all {footprint.group_kb / 1024:.1f} MB"])


def offloads(world: World) -> str:
    """A board is plugged in; the same frames are answered by it, with the same labels."""
    world.board = Emulator(image())
    world.pi.plug_serial(BOARD, world.board.port)
    pipelines = {"camera": OFF, "frames-mcu": replay("mcu")}
    world.watch.desire({"version": 5, "pipelines": pipelines}, DEVICE)
    world.wait(lambda: _distinct(_by_board(world)) >= 5)
    answers = _by_board(world)
    for one in answers:
        assert one.runtime == "mcu"
        assert one.input is not None
        assert one.outputs["top"][0]["label"] == world.labels["wasm3"][one.input]
    status = world.watch.mcus[BOARD]
    assert status is not None
    return f"{len(answers)} answers of {status.board} at {status.port}"


def survives_unplugging(world: World) -> str:
    """Without the board the Pi answers itself."""
    before = len(world.watch.of("frames-mcu"))
    world.pi.unplug_serial(BOARD)
    world.wait(
        lambda: _distinct([o for o in world.watch.of("frames-mcu")[before:] if not o.mcu]) > 1
    )
    return f"answered by {world.watch.of('frames-mcu')[-1].runtime}"


CHAIN: tuple[Step, ...] = (
    *(boots, is_active, is_online, sees, takes_a_change),
    *(keeps_frames, agrees, weighs, offloads, survives_unplugging),
)
"""In this order; `pi_learning` goes on."""


def walk(world: World, steps: tuple[Step, ...], log: Log) -> None:
    """Take the steps, and note each."""
    try:
        for step in steps:
            log.note(step.__name__.replace("_", " "), step(world))
    finally:
        if world.board is not None:
            world.board.close()


def journal(pi: Machine) -> str:
    """What the agent said last."""
    return pi.agent.run("journalctl", "-u", "selvedge-*", "--no-pager", "-n", "30").stdout


def _by_board(world: World) -> list[Result]:
    return [one for one in world.watch.of("frames-mcu") if one.mcu == BOARD]


def _distinct(results: list[Result]) -> int:
    return len({one.input for one in results})
