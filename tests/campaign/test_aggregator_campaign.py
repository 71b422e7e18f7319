"""SIGKILLs of an aggregator, and orders of arrival, at random in ten-round jobs: the same bytes."""

from pathlib import Path

from broker.adapters import private_broker
from broker.contract.federated.job import JobSpec
from broker.contract.messages import encode
from tests.support.aggregator_rig import Fleet, nearest_job, run_job, shipping_job

ROUNDS, JOBS, KILLS, ORDERS = 10, 10, 20, 50
AIMS = ("evaluating", "publishing")
"""Of each job's kills one comes in each of these states."""


def ended(spec: JobSpec, folder: Path, seed: int, kills: int = 0, aims=()) -> Fleet:
    with private_broker.start(engine="mosquitto") as running:
        fleet = run_job(running.url, running.address.port, folder, spec, kills, seed, aims)
    assert fleet.status.state == "done"
    return fleet


def test_model_and_outcome_are_the_same_after_two_hundred_kills(tmp_path):
    spec = shipping_job(ROUNDS)
    calm = ended(spec, tmp_path / "0", 0)
    killed = range(1, JOBS + 1)
    fleets = [ended(spec, tmp_path / f"{n}", n, KILLS - len(AIMS), AIMS) for n in killed] + [calm]
    assert len({fleet.final_model().tobytes() for fleet in fleets}) == 1
    assert len({encode(fleet.outcome) for fleet in fleets}) == 1
    print(f"\n{JOBS * KILLS} kills over {JOBS} jobs of {ROUNDS} rounds, seeds 1 to {JOBS}")


def test_the_model_is_the_same_in_fifty_orders_of_arrival(tmp_path):
    """All slices of a round's devices are shuffled, on their way to a real aggregator."""
    spec = nearest_job(ROUNDS)
    models = {ended(spec, tmp_path / f"{n}", n).final_model().tobytes() for n in range(ORDERS)}
    assert len(models) == 1
    print(f"\n{ORDERS} orders of {ROUNDS} rounds each, seeds 0 to {ORDERS - 1}")
