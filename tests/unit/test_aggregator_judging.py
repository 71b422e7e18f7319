"""From what devices say of the final model to whether it ships."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.aggregator.adapters.store_sqlite import SqliteStore
from broker.aggregator.job.judging import Panel, judgement, refusal, weighed
from broker.aggregator.store import Judgement
from broker.contract.bundle.manifest import Judged
from broker.contract.federated.job import EvaluationSpec, ParticipationSpec
from broker.contract.federated.round import Evaluation
from tests.support.aggregation import job

SPEC = job(participation=ParticipationSpec(max_examples=50), evaluation=EvaluationSpec(0.2))
ANSWERS = st.builds(
    Evaluation,
    st.integers(1, 2**20),
    st.floats(0, 1e9),
    st.integers(0, 2**53 - 1),
    st.none() | st.floats(0, 1e9),
    st.none() | st.integers(0, 2**53 - 1),
)


def test_examples_weigh_and_claims_are_bounded():
    told = [Judgement(25, 1.0, 25, 3.0, 5), Judgement(2**20, 4.0, 0, 6.0, 2**20)]
    found = weighed(SPEC, told)
    assert (found.devices, found.examples) == (2, 75)
    assert found.loss == pytest.approx((25 * 1 + 50 * 4) / 75)
    assert found.baseline_loss == pytest.approx((25 * 3 + 50 * 6) / 75)
    assert found.accuracy == pytest.approx(25 / 75)
    assert found.baseline_accuracy == pytest.approx((5 + 50) / 75)


def test_who_judged_only_one_model_does_not_count():
    told = [Judgement(25, 1.0, 25, 3.0, 5), Judgement(25, 900.0, 0)]
    assert weighed(SPEC, told).devices == 1
    assert weighed(SPEC, told[1:]) is None
    assert weighed(SPEC, []) is None


def test_targets_have_no_accuracy():
    spec = replace(SPEC, model=replace(SPEC.model, label_kind=2))
    found = weighed(spec, [Judgement(25, 1.0, 0, 3.0, 0)])
    assert (found.loss, found.accuracy, found.baseline_accuracy) == (1.0, None, None)


@given(st.lists(ANSWERS, max_size=8))
def test_whatever_devices_say_the_verdict_is_sound(answers):
    store = SqliteStore(None)
    panel = Panel(SPEC, store, of_both=True)
    for n, told in enumerate(answers):
        panel.take(f"d{n % 3}", told)
        panel.take(f"d{n % 3}", Evaluation(1, 0.0, 0, 0.0, 0))
    again = Panel(SPEC, store, of_both=True)
    found = again.verdict()
    assert len(panel) == len(again) == (0 if found is None else found.devices)
    if found is not None:
        assert found.devices <= min(3, len(answers))
        assert found.examples <= 50 * found.devices
        assert 0 <= found.loss <= 1e9 * (1 + 1e-9)
        assert 0 <= found.accuracy <= 1 + 1e-9
    store.close()


def test_nobody_has_more_right_answers_than_examples():
    assert judgement(Evaluation(8, 1.0, 99, 2.0, 99)) == Judgement(8, 1.0, 8, 2.0, 8)


GOOD = Judged(4, 100, 0.5, 0.9)


@pytest.mark.parametrize(
    ("gates", "judged", "why"),
    [
        ({}, None, None),
        ({}, Judged(1, 1, 1e9, 0.0), None),
        ({"gate_loss": 0.5}, GOOD, None),
        ({"gate_loss": 0.4}, GOOD, "held-out loss 0.5 exceeds the gate of 0.4"),
        ({"gate_loss": 0.5, "quorum": 5}, GOOD, "4 devices judged the model, its gate asks for 5"),
        ({"gate_loss": 9.0}, None, "0 devices judged the model, its gate asks for 1"),
        ({"gate_baseline": True}, GOOD, None),
        ({"gate_baseline": True}, replace(GOOD, baseline_loss=0.5), None),
        (
            {"gate_baseline": True},
            replace(GOOD, baseline_loss=0.4),
            "held-out loss 0.5 exceeds that of the first model, 0.4",
        ),
        ({"gate_baseline": True}, None, "0 devices judged"),
    ],
)
def test_a_gate_is_open_or_says_why_not(gates, judged, why):
    spec = replace(SPEC, evaluation=EvaluationSpec(0.2, **gates))
    found = refusal(spec, judged)
    assert found is None if why is None else found.startswith(why)
