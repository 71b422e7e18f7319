"""Two hundred SIGKILLs of an aggregator at random times of ten-round jobs: the same bytes."""

from broker.adapters import private_broker
from tests.support.aggregator_rig import run_job

ROUNDS, JOBS, KILLS = 10, 10, 20


def test_the_model_is_the_same_after_two_hundred_kills(tmp_path):
    models = set()
    for seed in range(JOBS + 1):
        kills = KILLS if seed else 0
        with private_broker.start(engine="mosquitto") as running:
            state = tmp_path / f"{seed}"
            fleet = run_job(running.url, running.address.port, state, ROUNDS, kills, seed)
        assert fleet.status.state == "done"
        models.add(fleet.final_model().tobytes())
    assert len(models) == 1
    print(f"{JOBS * KILLS} kills over {JOBS} jobs of {ROUNDS} rounds, seeds 1 to {JOBS}")
