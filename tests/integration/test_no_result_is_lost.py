"""Nothing that was acknowledged or stored is lost, whatever is killed; the campaign does more."""

from tests.support.agents import Bench
from tests.support.storm import storm

SEED = 20


def test_no_result_is_lost(bench: Bench) -> None:
    outcome = storm(bench, results=9_000, broker_kills=2, agent_kills=2, seed=SEED)
    assert outcome.lost_acknowledged == set()
    assert outcome.lost_stored == set()
    assert outcome.results >= 9_000
    assert outcome.acknowledged >= 8_000
    assert outcome.stored_at_kills > 0
