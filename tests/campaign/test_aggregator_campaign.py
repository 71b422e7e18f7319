"""SIGKILLs of an aggregator, and orders of arrival, at random in ten-round jobs: the same bytes."""

from pathlib import Path

from broker.adapters import private_broker
from tests.support.aggregator_rig import run_job

ROUNDS, JOBS, KILLS, ORDERS = 10, 10, 20, 50


def final_model(folder: Path, kills: int, seed: int) -> bytes:
    with private_broker.start(engine="mosquitto") as running:
        fleet = run_job(running.url, running.address.port, folder, ROUNDS, kills, seed)
    assert fleet.status.state == "done"
    return fleet.final_model().tobytes()


def test_the_model_is_the_same_after_two_hundred_kills(tmp_path):
    models = {
        final_model(tmp_path / f"{seed}", KILLS if seed else 0, seed) for seed in range(JOBS + 1)
    }
    assert len(models) == 1
    print(f"\n{JOBS * KILLS} kills over {JOBS} jobs of {ROUNDS} rounds, seeds 1 to {JOBS}")


def test_the_model_is_the_same_in_fifty_orders_of_arrival(tmp_path):
    """All slices of a round's devices are shuffled, on their way to a real aggregator."""
    models = {final_model(tmp_path / f"{seed}", 0, seed) for seed in range(ORDERS)}
    assert len(models) == 1
    print(f"\n{ORDERS} orders of {ROUNDS} rounds each, seeds 0 to {ORDERS - 1}")
