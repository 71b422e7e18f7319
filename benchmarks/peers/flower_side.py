"""The contest under Flower: a SuperLink, SuperNodes, and what these start."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.learning.contest import LOCAL, PATIENCE_S, Contest, Side, save
from benchmarks.peers import install
from benchmarks.peers.install import MissingError
from benchmarks.peers.memory import Memory, end
from benchmarks.peers.wire_meter import WireMeter

APP = Path(__file__).parent / "flower"
LOOK_S = 0.01
TRIES = 6


def play(contest: Contest) -> Side:
    """Play the contest to its end.

    Raises:
        MissingError: Flower cannot be installed, or does not come to its end.
    """
    commands = install.flower()
    with tempfile.TemporaryDirectory(prefix="flower-") as place:
        folder = Path(place)
        _prepare(folder, contest)
        side = Side("flower", Memory(), Memory())
        processes = _Processes(commands, folder)
        try:
            _play(contest, folder, processes, side)
        finally:
            side.client.stop()
            side.server.stop()
            processes.end()
        return side


class _Processes:
    """What was started, with logs in a folder."""

    def __init__(self, commands: Path, folder: Path) -> None:
        self._commands, self._folder = commands, folder
        self._environment = {
            **os.environ,
            "PATH": f"{commands}:{os.environ['PATH']}",
            "FLWR_HOME": str(folder / "home"),
            "FLWR_TELEMETRY_ENABLED": "0",
            "OPENBLAS_NUM_THREADS": "1",
        }
        self._environment.pop("PYTHONPATH", None)
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, *words: str) -> int:
        """Start one; its process id."""
        with (self._folder / f"{name}.log").open("wb") as log:
            command = [str(self._commands / words[0]), *words[1:]]
            one = subprocess.Popen(
                command, cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )
        self._running.append(one)
        return one.pid

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one to its end."""
        command = [str(self._commands / words[0]), *words[1:]]
        return subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def end(self) -> None:
        """End them and what they started; those that ask others to work come last."""
        end([one.pid for one in reversed(self._running)])
        for one in self._running:
            one.wait()


def _prepare(folder: Path, contest: Contest) -> None:
    shutil.copytree(APP, folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    for name, part in contest.fleet.devices.items():
        save(part, folder / f"{name}.npz")
    save(contest.fleet.test, folder / "test.npz")
    np.savez(folder / "first.npz", *contest.arrays(contest.first))
    (folder / "home").mkdir()


def _play(contest: Contest, folder: Path, processes: _Processes, side: Side) -> None:
    port, *ports = _free_ports(1 + len(contest.fleet.devices))
    connection = f'[superlink]\ndefault = "b"\n\n[superlink.b]\naddress = "127.0.0.1:{port}"\n'
    (folder / "home" / "config.toml").write_text(f"{connection}insecure = true\n")
    local = ("--insecure", "--host", "127.0.0.1", "--port")
    link = processes.start(
        *("superlink", "flower-superlink", "--disable-runtime-dependency-installation"),
        *(*local, str(port)),
    )
    _until_listening(port)
    with WireMeter(port, len(ports)) as meter:
        for number, own in enumerate(ports):
            node = processes.start(
                *(f"node{number}", "flower-supernode", *local, str(own)),
                *("--superlink", f"127.0.0.1:{meter.ports[number]}"),
                *("--node-config", f"data={json.dumps(str(folder / f'd{number}.npz'))}"),
            )
            if number == 0:
                side.client.watch(node)
        side.server.watch(link)
        _submit(contest, folder, processes)
        lines, until = folder / "rounds.jsonl", time.monotonic() + PATIENCE_S
        while len(side.at_s) <= contest.rounds:
            seen = lines.read_text().splitlines() if lines.exists() else []
            for line in seen[len(side.at_s) :]:
                told = json.loads(line)
                side.mark(told["at"], told["accuracy"], meter.read())
            if time.monotonic() > until:
                raise MissingError(f"flower: {len(side.at_s)} models in {PATIENCE_S:g} s")
            time.sleep(LOOK_S)


def _submit(contest: Contest, folder: Path, processes: _Processes) -> None:
    devices = len(contest.fleet.devices)
    config = (
        f"folder={json.dumps(str(folder))} rounds={contest.rounds} devices={devices} "
        f"rate={LOCAL.learning_rate} batch={LOCAL.batch}"
    )
    for _ in range(TRIES):  # its own patience is short on a busy machine
        done = processes.run("flwr", "run", "app", "b", "--run-config", config)
        if not done.returncode:
            return
    raise MissingError(f"flower: {(done.stdout + done.stderr).strip()[-200:]}")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _until_listening(port: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > until:
                raise MissingError("flower: its SuperLink does not listen") from None
            time.sleep(0.1)
        else:
            return
