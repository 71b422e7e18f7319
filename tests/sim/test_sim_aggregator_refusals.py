"""Bad input is refused with a reason and counted, and the round goes on; jobs stop as told."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.aggregator.job import judging
from broker.aggregator.job.check import check_runnable
from broker.aggregator.job.machine import State
from broker.contract.federated.errors import JobError
from broker.contract.federated.job import (
    LocalSpec,
    ParticipationSpec,
    PrivacySpec,
    RobustSpec,
    StrategySpec,
)
from broker.contract.federated.round import Evaluation, JobControl, Missing
from tests.support.aggregation import START, Bench, job, update
from tests.support.lying_updates import LIES, f32, greedy, times


@pytest.fixture
def bench(tmp_path):
    made = Bench(job(codec="f32"), tmp_path / "job")
    yield made
    made.store.close()


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_refused_and_the_round_goes_on(bench, name):
    for place, payload in enumerate(LIES[name]):
        bench.at.receive(1, "liar", place, payload, bench.now_ms)
    bench.commit()
    ack = bench.ack("liar")
    assert ack.refused
    assert not ack.counted
    assert bench.at.round.refused >= 1
    assert [row for row in bench.store.held() if row[0] == "liar"] == []
    bench.restart()
    bench.at.receive(1, "liar", 0, f32(np.zeros(256)), bench.now_ms)
    bench.commit()
    assert bench.ack("liar").refused == ack.refused, "the verdict survives a restart"
    for n in range(4):
        bench.send(f"pi-{n}")
    bench.commit()
    assert bench.at.job.history[0].updates == 4
    assert bench.at.job.history[0].refused >= 1
    assert np.isfinite(bench.at.vectors.model).all()


def test_too_many_values_of_top_k_are_refused(tmp_path):
    bench = Bench(job(codec="top_k"), tmp_path / "job")
    for n, payload in enumerate(greedy(bench.spec, "liar", 1, bench.seed)):
        bench.at.receive(1, "liar", n, payload, bench.now_ms)
    bench.commit()
    assert "exceed" in bench.ack("liar").refused


def test_an_update_a_thousand_times_too_large_is_clipped(tmp_path):
    spec = job(codec="f32", devices=1, privacy=PrivacySpec(clip_norm=0.5))
    bench = Bench(spec, tmp_path / "job")
    for n, payload in enumerate(times(spec, "liar", 1, 1000)):
        bench.at.receive(1, "liar", n, payload, bench.now_ms)
    bench.commit()
    moved = bench.at.vectors.model.astype(np.float64) - START
    assert np.linalg.norm(moved) == pytest.approx(0.5, rel=1e-4)


def test_examples_weigh_no_more_than_the_job_allows(tmp_path):
    wanted = ParticipationSpec(goal=2, quorum=2, max_examples=100)
    bench = Bench(job(codec="f32", participation=wanted), tmp_path / "job")
    for device, value, examples in (("a", 1.0, 2**20), ("b", 0.0, 100)):
        for n, length in enumerate((256, 256, 88)):
            payload = f32([value] * length, n, examples=examples)
            bench.at.receive(1, device, n, payload, bench.now_ms)
    bench.commit()
    np.testing.assert_allclose(bench.at.vectors.model, START + 0.5, atol=1e-6)


def test_wrong_round_and_wrong_slice_number(bench):
    for _ in range(5):
        bench.at.receive(7, "pi-0", 0, f32(np.zeros(256)), bench.now_ms)
    before = len(bench.said)
    bench.commit()
    assert len(bench.said) == before + 1, "told once"
    assert "round 7 is not open" in bench.ack("pi-0").refused
    assert not bench.at.round.senders


def test_gaps_are_told_once_for_many_duplicates(bench):
    bench.send("pi-0", [0, 2])
    bench.commit()
    told = [out.message for out in bench.said if isinstance(getattr(out, "message", None), Missing)]
    assert told == [Missing(((1, 1),))]
    bench.send("pi-0", [0, 0, 2, 2])
    bench.commit()
    assert len([o for o in bench.said if isinstance(getattr(o, "message", None), Missing)]) == 2


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_no_message_breaks_the_aggregation(tmp_path_factory, data):
    bench = Bench(job(codec="int4"), tmp_path_factory.mktemp("fuzz") / "job")
    pieces = update(bench.spec, "pi-0", 1, bench.seed)
    for _ in range(8):
        payload = bytearray(data.draw(st.sampled_from(pieces)))
        for _ in range(data.draw(st.integers(0, 3))):
            payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
        cut = data.draw(st.integers(0, 3)) and len(payload)
        number, place = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 3))
        device = data.draw(st.sampled_from(["pi-0", "pi-1"]))
        bench.at.receive(number, device, place, bytes(payload[:cut]), bench.now_ms)
    bench.commit()
    for device in ("a", "b", "c", "d"):
        bench.send(device, number=1)
    bench.commit()
    assert bench.at.job.finished == 1
    bench.store.close()


def test_a_flood_of_names_is_bounded(bench):
    for n in range(200):
        bench.at.receive(1, f"d{n}", 0, f32(np.zeros(256)), bench.now_ms)
    assert len(bench.at.round.senders) == 4 * 4 + 100
    bench.commit()
    assert "too many" in bench.ack("d199").refused


def test_a_flood_of_judges_is_bounded(bench, monkeypatch):
    monkeypatch.setattr(judging, "MAX_JUDGES", 5)
    for n in range(200):
        bench.at.evaluated(1, f"d{n}", Evaluation(10, 1.0, 5), bench.now_ms)
    assert len(bench.store.judgements()) == 5


def test_too_few_updates_open_the_round_again_and_then_fail(bench):
    for _ in range(2):
        number = bench.at.job.number
        bench.send("pi-0")
        bench.now_ms = bench.at.due_ms
        bench.at.tick(bench.now_ms)
        bench.commit()
        assert bench.at.job.number in (number, number + 1)
    assert bench.at.job.state is State.FAILED
    assert "quorum is 2" in bench.at.job.reason
    bench.restart()
    assert bench.at.job.state is State.FAILED


def test_an_operator_stops_a_job_and_lets_it_run_again(bench):
    bench.send("pi-0")
    bench.at.control(JobControl("stop", "lunch"), bench.now_ms)
    bench.commit()
    assert (bench.at.job.state, bench.at.job.reason) == (State.STOPPED, "lunch")
    bench.restart()
    bench.at.control(JobControl("stop"), bench.now_ms)
    assert bench.at.job.reason == "lunch"
    bench.at.control(JobControl("run"), bench.now_ms)
    bench.commit()
    assert (bench.at.job.state, bench.at.job.number) == (State.RUNNING, 2)
    assert bench.at.round.senders == {}


def test_the_budget_stops_the_job(tmp_path):
    privacy = PrivacySpec("central", clip_norm=1.0, noise_multiplier=2.0, max_epsilon=4.0)
    bench = Bench(job(codec="f32", rounds=50, privacy=privacy), tmp_path / "job")
    while bench.at.job.state is State.RUNNING:
        for n in range(4):
            bench.send(f"pi-{n}")
        bench.commit()
    assert bench.at.job.state is State.STOPPED
    assert "budget is 4" in bench.at.job.reason
    assert 0 < bench.at.job.finished < 50
    assert bench.at.job.epsilon <= 4


def test_central_noise_is_as_strong_as_the_job_says(tmp_path):
    privacy = PrivacySpec("central", clip_norm=0.5, noise_multiplier=2.0)
    bench = Bench(job(codec="f32", privacy=privacy), tmp_path / "job")
    for device in range(4):
        for n, length in enumerate((256, 256, 88)):
            bench.at.receive(1, f"d{device}", n, f32(np.zeros(length), n), bench.now_ms)
    moved = bench.at.vectors.model.astype(np.float64) - START
    assert moved.std() == pytest.approx(0.5 * 2.0 / 4, rel=0.1)


def test_evaluations_weigh_no_more_than_the_job_allows():
    wanted = replace(job().participation, max_examples=10)
    bench = Bench(job(participation=wanted), None)
    bench.at.evaluated(1, "a", Evaluation(2**20, 5.0, 0), bench.now_ms)
    bench.at.evaluated(1, "b", Evaluation(30, 1.0, 15), bench.now_ms)
    for n in range(4):
        bench.send(f"pi-{n}")
    told = bench.at.job.history[0]
    assert (told.loss, told.accuracy) == (3.0, 0.25)


def test_who_predicts_numbers_is_not_said_to_be_always_wrong():
    spec = job()
    bench = Bench(replace(spec, model=replace(spec.model, label_kind=2)), None)
    bench.at.evaluated(1, "a", Evaluation(30, 1.0), bench.now_ms)
    for n in range(4):
        bench.send(f"pi-{n}")
    told = bench.at.job.history[0]
    assert (told.loss, told.accuracy) == (1.0, None)


def test_evaluations_are_weighted_and_count_once(bench):
    bench.at.evaluated(1, "a", Evaluation(30, 1.0, 15), bench.now_ms)
    bench.at.evaluated(1, "a", Evaluation(9000, 100.0, 0), bench.now_ms)
    bench.at.evaluated(1, "b", Evaluation(10, 3.0, 10), bench.now_ms)
    bench.at.evaluated(2, "c", Evaluation(10, 900.0, 10), bench.now_ms)
    bench.restart()  # nothing of it was committed
    bench.at.evaluated(1, "a", Evaluation(30, 1.0, 15), bench.now_ms)
    bench.at.evaluated(1, "a", Evaluation(9000, 100.0, 0), bench.now_ms)
    bench.at.evaluated(1, "b", Evaluation(10, 3.0, 10), bench.now_ms)
    for n in range(4):
        bench.send(f"pi-{n}")
    bench.commit()
    told = bench.at.job.history[0]
    assert (told.loss, told.accuracy, told.training_loss) == (1.5, 25 / 40, 2.0)
    assert told.bytes == sum(
        len(piece) for n in range(4) for piece in update(bench.spec, f"pi-{n}", 1, "0" * 16)
    )


@pytest.mark.parametrize(
    "more",
    [
        {"strategy": StrategySpec("best")},
        {"strategy": StrategySpec("fedprox")},
        {"robust": RobustSpec("krum", {"liars": 3})},
        {"robust": RobustSpec("median"), "privacy": PrivacySpec("central", 1.0, 1.0)},
        {
            "strategy": StrategySpec("scaffold", {"devices": 4}),
            "privacy": PrivacySpec("central", 1.0, 1.0),
        },
        {"privacy": PrivacySpec("central", 1.0, 1.0, 1e-5, max_epsilon=0.5)},
    ],
)
def test_what_cannot_be_run_is_refused(more):
    with pytest.raises(JobError):
        check_runnable(job(**more))


def test_what_can_be_run_is_not_refused():
    check_runnable(job())
    check_runnable(job(strategy=StrategySpec("fedprox"), local=LocalSpec(prox_mu=0.1)))
    check_runnable(job(devices=9, robust=RobustSpec("krum", {"liars": 0})))
