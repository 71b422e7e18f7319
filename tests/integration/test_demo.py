"""`selvedge demo`: agents learn from each other, nothing is lost, one object at the end."""

import json
import subprocess
import sys
from pathlib import Path

from agent.runtime.adapters.installed import available
from broker.adapters import private_broker
from broker.adapters.operator_link import OperatorLink
from broker.contract.federated.channels import BlobChannel, JobOutcomeChannel
from broker.contract.topics import FleetDesiredChannel, Topics
from broker.demo.adapters import wasm_model
from broker.demo.adapters.board import EmulatedBoard
from broker.demo.adapters.watcher import Watcher
from broker.demo.app import OWN_PREFIX
from broker.demo.tally import Tally
from broker.fleet.broker_address import broker_address

ROOT = Path(__file__).resolve().parents[2]


def test_the_demo_plays_the_whole_circle():
    told = subprocess.run(
        [sys.executable, "-m", "selvedge", "demo", "--agents", "2", "--rounds", "4", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    tree = json.loads(told.stdout)
    here = {found.runtime for found in available()}
    assert set(tree["runtimes"]) - {"host"} == (here & {"tflite", "wasmtime", "wasm3"}) | {"mcu"}
    assert {"wasm3", "wasmtime"} & set(tree["runtimes"])
    assert (tree["lost"], tree["same_labels"], tree["rounds"]) == (0, True, 4)
    assert tree["accuracy_before"] + 0.08 < tree["accuracy_after"]
    parameters, devices = 6090, 2
    assert parameters < tree["bytes_per_round"] / devices < 1.05 * parameters, "int8, and heads"
    assert "digits of demo-1 got the same label by tflite" in told.stderr
    assert "the new model serves on 2 of 2 agents" in told.stderr


def test_without_an_emulator_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    told = []
    emulated = EmulatedBoard()
    assert emulated.with_plan(tmp_path / "x.plan", b"", lambda *line: told.append(line)) is None
    emulated.stop()
    ((topic, line),) = told
    assert topic == "mcu"
    assert line.startswith("without a microcontroller: qemu-system-arm is not installed; apt")


def test_without_pywasm3_one_line_says_so(monkeypatch):
    find = wasm_model.find_spec
    monkeypatch.setattr(wasm_model, "find_spec", lambda n: None if n == "wasm3" else find(n))
    names, lacking = wasm_model.runtimes()
    assert "wasm3" not in names
    assert lacking == ["without wasm3: pywasm3 needs gcc and python3-dev to be installed"]


def test_on_a_broker_of_others_the_demo_clears_its_own_and_nothing_else():
    fleets, own, chunk = Topics(), Topics(OWN_PREFIX), BlobChannel("0" * 64, 0, 0)
    theirs = {fleets.topic(each) for each in (FleetDesiredChannel(), chunk)}
    with private_broker.start() as broker:
        address = broker_address({"url": broker.url}, {})
        watcher = Watcher(broker.address, own, Tally({}))
        watcher.connect()
        watcher.desire({"version": 1})
        with OperatorLink(address) as link:
            for topic in (*theirs, own.topic(chunk), own.topic(JobOutcomeChannel("digits"))):
                link.publish_retained(topic, b"{}")
        assert watcher.wait_until(lambda: watcher.left == 3, 5, lambda: None)
        watcher.forget()
        watcher.leave()
        with OperatorLink(address) as link:
            assert set(dict(link.retained(["#"]))) == theirs


def test_a_broker_that_went_is_not_mourned_twice():
    """The run has ended with the reason by then; clearing must not put another in its place."""
    with private_broker.start() as broker:
        watcher = Watcher(broker.address, Topics(OWN_PREFIX), Tally({}))
        watcher.connect()
        watcher.desire({"version": 1})
        assert watcher.wait_until(lambda: watcher.left == 1, 5, lambda: None)
    watcher.forget()
    watcher.leave()
