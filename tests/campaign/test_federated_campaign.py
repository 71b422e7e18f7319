"""SIGKILLs of agents and aggregator at random: each device counts once a round, with one update."""

from collections import Counter

from broker.adapters import private_broker
from tests.support.federation_kills import run_killed

ROUNDS, JOBS, KILLS = 10, 5, 20


def test_a_hundred_kills_of_agents_and_aggregator(tmp_path):
    died = Counter[str]()
    for seed in range(JOBS):
        with private_broker.start(engine="mosquitto") as broker:
            died += run_killed(broker, tmp_path / f"{seed}", ROUNDS, KILLS, seed)
    assert died["training"] > 5
    assert died["sending"] > 5
    assert died["aggregator"] > 5
    print(f"\n{died.total()} kills over {JOBS} jobs of {ROUNDS} rounds, seeds 0 to {JOBS - 1}:")
    print(", ".join(f"{count} while {state}" for state, count in sorted(died.items())))
