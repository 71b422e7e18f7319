"""After the last round: an aggregator that is killed between any two steps says the same."""

import sqlite3
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.aggregator.job.machine import State
from broker.aggregator.job.releasing import Made
from broker.aggregator.job.words import Say, Show, Supersede, WithdrawFile
from broker.contract.blobs import BlobRef, blob_ref
from broker.contract.bundle.manifest import (
    Artifact,
    Golden,
    InputSpec,
    Manifest,
    OutputSpec,
    TensorSpec,
    write_manifest,
)
from broker.contract.federated.channels import JobOutcomeChannel, RoundChannel
from broker.contract.federated.job import EvaluationSpec, PrivacySpec
from broker.contract.federated.outcome import JobOutcome, OutcomeSpec
from broker.contract.federated.round import Evaluation, JobControl
from broker.contract.messages import encode
from tests.support.aggregation import START, Bench, job

DEVICES = [f"pi-{n}" for n in range(4)]
CALIBRATION = b"\x93NUMPY and what follows"
OUTCOME = OutcomeSpec({"input": [59]}, calibration=blob_ref(CALIBRATION))
TENSOR = TensorSpec((1, 2), "int8", 0.5)


def spec_of(**more):
    settings_ = {"evaluation": EvaluationSpec(0.2, deadline_s=90.0), "outcome": OUTCOME}
    return job(rounds=1, **(settings_ | more))


def made(order) -> Made:
    """A release as the process makes one: the same for the same order."""
    files = [b"a .tflite of " + order.model[:8], b"1212", b"3434"]
    manifest = write_manifest(
        Manifest(
            order.spec.model.name,
            order.number,
            "classify",
            InputSpec("vector", TENSOR),
            (OutputSpec(TENSOR),),
            (Artifact("tflite", blob_ref(files[0])),),
            Golden(2, blob_ref(files[1]), blob_ref(files[2])),
            order.privacy,
            order.record,
        )
    )
    return Made(blob_ref(manifest), {blob_ref(data): data for data in (*files, manifest)})


def trained(spec, path) -> Bench:
    bench = Bench(spec, path)
    bench.at.keep(CALIBRATION)
    bench.commit()
    for device in DEVICES:
        bench.send(device)
        bench.commit()
    return bench


def answers(bench, devices=DEVICES):
    for n, device in enumerate(devices):
        told = Evaluation(10 + n, 0.5 + n, 5 + n, 2.5, 1)
        yield lambda device=device, told=told: bench.at.evaluated(
            bench.at.job.number, device, told, bench.now_ms
        )


def outcome_of(bench) -> JobOutcome:
    told = [o.message for o in bench.said if isinstance(o, Say) and _is_outcome(o)]
    assert len({encode(one) for one in told}) == 1
    return told[-1]


def _is_outcome(out) -> bool:
    return isinstance(out.channel, JobOutcomeChannel)


def finish(bench) -> JobOutcome:
    for answer in answers(bench):
        answer()
        bench.commit()
    order = bench.at.order
    assert order is not None
    bench.at.exported(order.number, made(order), bench.now_ms)
    bench.commit()
    assert bench.at.job.state is State.DONE
    return outcome_of(bench)


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    return finish(trained(spec_of(), tmp_path_factory.mktemp("calm") / "job"))


def play(bench, crashes) -> None:
    """From the question to the outcome; `crashes` say after which uncommitted step it is killed."""
    left = iter(crashes)

    def done(step) -> None:
        step()
        if next(left):
            bench.restart()
        bench.commit()

    while bench.at.job.state is State.EVALUATING:
        # Devices go on until the aggregator says that it has enough.
        for answer in answers(bench):
            done(answer)
    while (order := bench.at.order) is not None:
        done(lambda order=order: bench.at.exported(order.number, made(order), bench.now_ms))
    done(lambda: None)


@given(st.lists(st.booleans(), max_size=8))
@settings(max_examples=20, deadline=None)
def test_a_crash_between_any_two_steps_changes_nothing(tmp_path_factory, calm, crashes):
    bench = trained(spec_of(), tmp_path_factory.mktemp("sim") / "job")
    play(bench, [*crashes, *[False] * 99])
    bench.restart()
    assert encode(outcome_of(bench)) == encode(calm)


def test_devices_are_asked_about_both_models_and_both_are_there(tmp_path):
    bench = trained(spec_of(), tmp_path / "job")
    told = [o.message for o in bench.said if isinstance(o, Say) and _is_round(o)][-1]
    assert (told.state, told.number, told.goal, told.open_for_s) == ("closed", 2, 4, 90.0)
    assert told.baseline == bench.spec.model.initial
    assert told.model != told.baseline
    shown = {out.ref for out in bench.said if isinstance(out, Show)}
    assert {told.model, told.baseline} <= shown
    assert WithdrawFile(OUTCOME.calibration) in bench.said


def _is_round(out) -> bool:
    return isinstance(out.channel, RoundChannel)


def test_files_are_told_before_the_outcome_and_again_to_a_broker_that_forgot(tmp_path):
    bench = trained(spec_of(), tmp_path / "job")
    outcome = finish(bench)
    for _ in range(2):
        at = next(n for n, o in enumerate(bench.said) if isinstance(o, Say) and _is_outcome(o))
        before = [out.ref for out in bench.said[:at] if isinstance(out, Show)]
        assert outcome.manifest in before
        assert len(set(before)) >= 5
        bench.said = []
        bench.restart()


def test_the_deadline_ends_the_judging_with_what_there_is(tmp_path):
    bench = trained(spec_of(), tmp_path / "job")
    for answer in answers(bench, DEVICES[:2]):
        answer()
    bench.at.tick(bench.now_ms + 89_000)
    assert bench.at.job.state is State.EVALUATING
    bench.restart()
    bench.at.tick(bench.now_ms + 90_000)
    assert bench.at.job.state is State.PUBLISHING
    assert bench.at.job.judged is None, "what was not committed is gone"


def test_answers_before_a_crash_count_towards_the_goal(tmp_path):
    bench = trained(spec_of(), tmp_path / "job")
    *before, last = answers(bench)
    for answer in before:
        answer()
    bench.commit()
    bench.restart()
    assert bench.at.job.state is State.EVALUATING
    last()
    assert bench.at.job.state is State.PUBLISHING
    assert bench.at.job.judged.devices == len(DEVICES)


def test_answers_that_are_late_doubled_or_of_one_model_change_nothing(tmp_path):
    bench = trained(spec_of(), tmp_path / "job")
    number = bench.at.job.number
    bench.at.evaluated(number, "pi-0", Evaluation(10, 1.0, 5, 2.0, 1), bench.now_ms)
    bench.at.evaluated(number, "pi-0", Evaluation(10, 9.0, 5, 2.0, 1), bench.now_ms)
    bench.at.evaluated(number - 1, "pi-1", Evaluation(10, 9.0, 5, 2.0, 1), bench.now_ms)
    bench.at.evaluated(number, "pi-2", Evaluation(10, 9.0, 5), bench.now_ms)
    bench.commit()
    bench.restart()
    bench.at.evaluated(number, "pi-0", Evaluation(10, 9.0, 5, 2.0, 1), bench.now_ms)
    bench.at.tick(bench.now_ms + 90_000)
    assert (bench.at.job.judged.devices, bench.at.job.judged.loss) == (1, 1.0)
    bench.at.evaluated(number, "pi-3", Evaluation(10, 9.0, 5, 2.0, 1), bench.now_ms)
    assert bench.at.job.judged.devices == 1


def test_a_gate_ends_the_job_without_a_release(tmp_path):
    bench = trained(spec_of(evaluation=EvaluationSpec(0.2, gate_loss=0.1)), tmp_path / "job")
    for answer in answers(bench):
        answer()
    bench.commit()
    assert bench.at.order is None
    assert bench.at.job.state is State.DONE
    outcome = outcome_of(bench)
    assert (outcome.shipped, outcome.manifest, outcome.release) == (False, None, 1)
    assert bench.at.job.reason == f"not shipped: {outcome.reason}"


def test_what_cannot_be_made_is_told(tmp_path):
    bench = trained(spec_of(), tmp_path / "job")
    for answer in answers(bench):
        answer()
    bench.at.exported(7, "of another release", bench.now_ms)
    assert bench.at.job.state is State.PUBLISHING
    bench.at.exported(1, "no engine", bench.now_ms)
    bench.commit()
    assert (outcome_of(bench).shipped, outcome_of(bench).reason) == (False, "no engine")


def test_a_stop_while_it_is_judged_or_made_can_be_undone(tmp_path):
    bench = trained(spec_of(), tmp_path / "job")
    bench.at.control(JobControl("stop"), bench.now_ms)
    bench.commit()
    assert bench.at.job.state is State.STOPPED
    bench.at.control(JobControl("run"), bench.now_ms)
    bench.commit()
    assert (bench.at.job.state, bench.at.job.number) == (State.EVALUATING, 3)
    for answer in answers(bench):
        answer()
    bench.commit()
    order = bench.at.order
    bench.at.control(JobControl("stop"), bench.now_ms)
    bench.at.exported(order.number, made(order), bench.now_ms)
    bench.commit()
    assert (bench.at.job.state, bench.at.job.outcome) == (State.STOPPED, None)
    bench.at.control(JobControl("run"), bench.now_ms)
    bench.commit()
    assert finish(bench).release == 2


def test_releases_count_on_from_what_the_broker_has(tmp_path):
    bench = trained(spec_of(), tmp_path / "job")
    old = BlobRef("77" * 32, 900)
    bench.at.heard(JobOutcome("digits", 41, True, old))
    bench.at.heard(JobOutcome("another", 99, True, old))
    assert finish(bench).release == 42
    assert Supersede(old) in bench.said
    bench.said = []
    bench.restart()
    assert bench.at.job.outcome.release == 42
    assert Supersede(old) in bench.said


def test_a_job_that_ships_nothing_ends_with_its_judgement(tmp_path):
    bench = trained(spec_of(outcome=None), tmp_path / "job")
    for answer in answers(bench):
        answer()
    bench.commit()
    assert bench.at.job.state is State.DONE
    assert bench.at.job.judged.devices == 4
    assert not [out for out in bench.said if isinstance(out, Say) and _is_outcome(out)]


def test_privacy_stands_in_the_order_and_local_privacy_is_not_judged(tmp_path):
    privacy = PrivacySpec("local", 1.0, 1.0)
    spec = spec_of(privacy=privacy, evaluation=EvaluationSpec(0.2))
    bench = trained(spec, tmp_path / "job")
    assert bench.at.job.state is State.PUBLISHING
    order = bench.at.order
    assert order.privacy.epsilon == bench.at.job.epsilon > 0
    assert "each device adds" in order.privacy.mechanism
    bench.at.exported(order.number, made(order), bench.now_ms)
    bench.commit()
    outcome = outcome_of(bench)
    assert (outcome.epsilon, outcome.delta) == (order.privacy.epsilon, 1e-5)


def test_a_file_of_an_older_release_is_taken_up(tmp_path):
    path = tmp_path / "job"
    bench = Bench(replace(spec_of(), outcome=None), path)
    bench.store.close()
    db = sqlite3.connect(path)
    db.execute("DROP TABLE files")
    db.execute("ALTER TABLE judgements DROP COLUMN baseline_loss")
    db.execute("ALTER TABLE judgements DROP COLUMN baseline_correct")
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    bench.restart()
    for device in DEVICES:
        bench.send(device)
    bench.commit()
    assert bench.at.job.state is State.EVALUATING
    # Its first parameters were not kept as a file then: devices have them, or get them again.
    assert bench.at.vectors.model.tobytes() != START.tobytes()
    for answer in answers(bench):
        answer()
    assert bench.at.job.state is State.DONE
