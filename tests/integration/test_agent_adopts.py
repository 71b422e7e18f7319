"""Agents that run what jobs ship, over a real broker."""

import signal
from typing import Any

import pytest

from broker.adapters.private_broker import RunningBroker
from tests.support.adoption import (
    LONG,
    QUICK,
    check_sequences,
    killed_at_random,
    last_model,
    pipeline,
    refused,
    serves,
    turns,
)
from tests.support.agents import Bench, Fleet, RunningAgent
from tests.support.shipping import Shipment, shipment


@pytest.mark.parametrize("runtime", ["tflite", "wasmtime", "wasm3"])
def test_an_outcome_is_adopted_without_a_gap_and_taken_back(
    mosquitto: RunningBroker, bench: Bench, runtime: str
) -> None:
    port = mosquitto.address.port
    one, two = shipment(1, 1), shipment(2, 2)
    if runtime != "tflite":
        kind = "wasm-simd" if runtime == "wasmtime" else "wasm-scalar"
        bench.model = bench.folder / "digits.wasm"
        artifact = [a.runtime for a in one.manifest.artifacts].index(kind)
        bench.model.write_bytes(shipment(9, 9).files[artifact])
    else:
        kind = "tflite"
    changes = {"runtime": runtime, "model": str(bench.model)}
    config = bench.config({"digits": pipeline(bench, **changes)}, models=QUICK)
    with Fleet(port) as fleet:
        with RunningAgent(config, port) as agent:
            fleet.wait(lambda: fleet.count("digits") >= 20)
            child = agent.children()[0].pid
            first = last_model(fleet)
            for made in (one, two):
                made.publish(fleet.client)
                number = made.manifest.release
                fleet.wait(lambda number=number: serves(fleet, number), 40)
                fleet.wait(lambda made=made: last_model(fleet) == made.sha256(kind))
            assert turns(fleet) == [first, one.sha256(kind), two.sha256(kind)]
            check_sequences(fleet)
            assert [process.pid for process in agent.children()] == [child], "the same process"
            fleet.order_command("rollback", "back", {"pipeline": "digits"})
            assert fleet.outcome("rollback", "back").status == "successful"
            fleet.wait(lambda: last_model(fleet) == one.sha256(kind))
            fleet.wait(lambda: refused(fleet, 2, "rolled back by command"))
            assert [process.pid for process in agent.children()] == [child]
            check_sequences(fleet)
            assert agent.stop() == 0
        before = fleet.count("digits")
        with RunningAgent(config, port) as agent:
            fleet.wait(lambda: fleet.count("digits") >= before + 5)
            assert turns(fleet)[-1] == one.sha256(kind), "also after a restart, from the start"
            fleet.wait(lambda: serves(fleet, 1))
            check_sequences(fleet)
            fleet.order_command("rollback", "further", {"pipeline": "digits"})
            assert fleet.outcome("rollback", "further").status == "successful"
            fleet.wait(lambda: last_model(fleet) == first)
            fleet.order_command("rollback", "no", {"pipeline": "digits"})
            reason = fleet.outcome("rollback", "no").reason or ""
            assert "serves the model that it is configured with" in reason
            check_sequences(fleet)


def test_what_cannot_serve_is_refused_and_the_old_one_serves_on(
    mosquitto: RunningBroker, bench: Bench
) -> None:
    port = mosquitto.address.port
    config = bench.config({"digits": pipeline(bench)}, models=QUICK)
    with Fleet(port) as fleet, RunningAgent(config, port) as agent:
        fleet.wait(lambda: fleet.count("digits") >= 5)
        first = last_model(fleet)
        good = shipment(1, 5)
        lies = good.bent(golden=_swapped(good), release=6)
        lies.publish(fleet.client)
        fleet.wait(lambda: refused(fleet, 6, "golden sample 0"))
        shipment(2, 7, model=_broken(good)).publish(fleet.client)
        fleet.wait(lambda: refused(fleet, 7, ""), 20)
        damaged = shipment(3, 8)
        damaged.publish(fleet.client, corrupt=damaged.sha256())
        fleet.wait(lambda: refused(fleet, 8, "SHA-256"), 30)
        shipment(1, 9).publish(fleet.client, shipped=False)
        good.publish(fleet.client)
        fleet.order_command("ping", "one")
        fleet.outcome("ping", "one")
        assert set(turns(fleet)) == {first}
        child = agent.children()[0].pid
        shipment(1, 10).publish(fleet.client)
        fleet.wait(lambda: serves(fleet, 10), 30)
        assert [process.pid for process in agent.children()] == [child]
        assert turns(fleet) == [first, good.sha256()], "the same file under a later number"
        check_sequences(fleet)
        held = {path.name for path in (agent.state / "models").iterdir()}
        assert held == {"serving", "journal", shipment(1, 10).release.id}


def _swapped(good: Shipment) -> Any:
    """Golden samples whose outputs are those of another order."""
    from dataclasses import replace

    from broker.contract.blobs import blob_ref

    golden = good.manifest.golden
    outputs = next(data for data in good.files if blob_ref(data) == golden.outputs)
    good.files.append(outputs[::-1])
    return replace(golden, outputs=blob_ref(outputs[::-1]))


def _broken(good: Shipment) -> bytes:
    """A model whose answers are of another number of classes."""
    from tests.support.small_models import conv_model
    from toolchain.tflite.writer import write

    return write(conv_model())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_pipeline_that_dies_on_probation_comes_back_with_the_old_model(
    mosquitto: RunningBroker, bench: Bench, how: signal.Signals
) -> None:
    port = mosquitto.address.port
    config = bench.config({"digits": pipeline(bench)}, models=LONG)
    made = shipment(1, 1)
    with Fleet(port) as fleet, RunningAgent(config, port) as agent:
        fleet.wait(lambda: fleet.count("digits") >= 5)
        first = last_model(fleet)
        made.publish(fleet.client)
        fleet.wait(lambda: last_model(fleet) == made.sha256(), 30)
        fleet.wait(lambda: serves(fleet, 1, "probation"))
        agent.children()[0].send_signal(how)
        fleet.wait(lambda: last_model(fleet) == first, 30)
        assert turns(fleet) == [first, made.sha256(), first]
        reason = "SIGKILL" if how is signal.SIGKILL else "stuck"
        fleet.wait(lambda: refused(fleet, 1, reason))
        check_sequences(fleet)
        made.publish(fleet.client)
        fleet.order_command("ping", "one")
        fleet.outcome("ping", "one")
        assert last_model(fleet) == first


def test_another_model_in_the_configuration_wins(mosquitto: RunningBroker, bench: Bench) -> None:
    port = mosquitto.address.port
    config = bench.config({"digits": pipeline(bench)}, models=QUICK)
    other = bench.folder / "other.tflite"
    other.write_bytes(shipment(4, 1).files[0])
    with Fleet(port) as fleet, RunningAgent(config, port):
        fleet.wait(lambda: fleet.count("digits") >= 5)
        shipment(1, 1).publish(fleet.client)
        fleet.wait(lambda: serves(fleet, 1), 30)
        fleet.desire({"pipelines": {"digits": {"model": str(other)}}})
        fleet.wait(lambda: last_model(fleet) == shipment(4, 1).sha256())
        shipment(1, 1).publish(fleet.client)
        fleet.order_command("ping", "one")
        fleet.outcome("ping", "one")
        assert last_model(fleet) == shipment(4, 1).sha256()
        shipment(2, 2).publish(fleet.client)
        fleet.wait(lambda: serves(fleet, 2), 30)
        assert last_model(fleet) == shipment(2, 2).sha256()


def test_killed_while_it_installs(mosquitto: RunningBroker, bench: Bench) -> None:
    port = mosquitto.address.port
    config = bench.config({"digits": pipeline(bench)}, models=QUICK)
    with Fleet(port) as fleet:
        steps = killed_at_random(fleet, config, port, seed=5, kills=3)
    assert steps.total() == 3
