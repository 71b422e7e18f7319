"""A device in federated jobs: what it fetches, asks of its learner, sends, keeps and says."""

import dataclasses

import pytest

from agent.control.events import LearnerEnded, Overflowed, Taken
from agent.learning.jobs.conditions import Conditions, trainer_of
from agent.learning.jobs.job import LOOK_AGAIN_MS, UNTOLD
from agent.learning.jobs.jobs import MAX_JOBS
from agent.learning.jobs.upload import WINDOW, Upload
from broker.contract.federated.round import Ack, Evaluation
from broker.contract.messages import encode
from tests.support.fake_jobs import FakeJobs
from tests.support.learning_rig import (
    SCALAR,
    SIMD,
    SLICES,
    LearningRig,
    job,
    model,
    opened,
    ref,
    samples,
    topic,
)
from tests.support.sim import PREFIX, pipeline

MINUTE_MS = 60_000


def test_a_round_from_its_message_to_its_settlement():
    rig = LearningRig()
    rig.link_up()
    assert {name for name in rig.filters if name.endswith(("/spec", "/round"))} == {
        f"{PREFIX}/fl/digits/spec",
        f"{PREFIX}/fl/digits/round",
    }
    rig.spec(job())
    assert f"{PREFIX}/fl/digits/+/ack/dev" in rig.filters
    assert f"{PREFIX}/fl/digits/+/missing/dev" in rig.filters
    rig.round(opened())
    asked = rig.request
    assert (asked.device, asked.pipeline, asked.round.number) == ("dev", "cam", 1)
    assert (asked.model, asked.trainer) == (rig.path(model(1)), rig.path(SIMD))
    assert (asked.runtime, asked.backbone, asked.residual) == ("wasmtime", None, None)
    assert asked.deadline_s == 600.0
    assert rig.where() == "training"
    rig.learn()
    assert rig.where() == "uploading"
    assert rig.places() == [0, 1, 2, 3]
    rig.take()
    assert [message.topic for message in rig.slices()] == [topic(n) for n in range(SLICES)]
    assert not any(message.retain for message in rig.slices())
    assert rig.jobs.updates
    rig.ack()
    assert (rig.where(), rig.jobs.updates) == ("acknowledged", {})
    assert rig.jobs.residuals == {"digits": 1}
    rig.round(opened(2))
    assert rig.request.residual == "/jobs/digits/residual-1"
    rig.wait(MINUTE_MS)
    told = rig.last("metrics")["learning"]
    assert (told["trainings"], told["updates"], told["failures"]) == (2, 1, 0)
    assert told["sent_bytes"] == sum(len(message.payload) for message in rig.slices())


def test_the_round_may_come_before_the_job():
    rig = LearningRig()
    rig.link_up()
    rig.round(opened())
    assert rig.learners == {}
    rig.spec(job())
    rig.wait(1)
    assert rig.request.round.number == 1


def test_a_pattern_finds_jobs_and_the_first_pipeline_that_names_one_serves_it():
    pipelines = {
        "door": pipeline(enabled=False, learning={"jobs": ["digits-1"]}),
        "cam": pipeline(enabled=False, learning={"jobs": ["digits-*", "faces"]}),
    }
    rig = LearningRig(tree={"pipelines": pipelines})
    rig.samples.put("door", samples(9), None, None)
    rig.link_up()
    wanted = {name for name in rig.filters if name.endswith("/spec")}
    assert wanted == {f"{PREFIX}/fl/{job}/spec" for job in ("+", "faces", "digits-1")}
    for name in ("digits-1", "digits-2", "other"):
        rig.spec(job(name))
        rig.round(opened(name=name))
    rig.wait(300)
    told = rig.last("status")["learning"]
    assert {name: one["pipeline"] for name, one in told.items()} == {
        "digits-1": "door",
        "digits-2": "cam",
    }
    assert not any("/fl/other/" in name for name in rig.filters)


def test_two_jobs_share_one_learner_and_take_turns():
    rig = LearningRig("digits", "faces")
    rig.link_up()
    for name in ("digits", "faces"):
        rig.spec(job(name))
        rig.round(opened(name=name))
    assert rig.request.spec.id == "digits"
    assert (rig.where("digits"), rig.where("faces")) == ("training", "training")
    rig.learn()
    assert rig.request.spec.id == "faces"
    rig.learn()
    rig.take()
    assert len(rig.slices()) == 2 * SLICES


def test_a_job_that_waits_for_the_learner_can_leave_the_queue():
    rig = LearningRig("digits", "faces")
    rig.link_up()
    for name in ("digits", "faces"):
        rig.spec(job(name))
        rig.round(opened(name=name))
    rig.round(opened(name="faces", state="closed"))
    rig.learn()
    assert rig.learners == {}
    assert rig.stopped == []


def test_a_few_slices_are_on_their_way_at_a_time():
    rig = LearningRig().serving()
    rig.learn()
    assert len(rig.flying) == WINDOW
    rig.take(1)
    assert rig.places() == [0, 1, 2, 3, 4]
    rig.take(2)
    assert len(rig.flying) == WINDOW


def test_what_the_link_lost_is_sent_again_and_old_receipts_count_for_nothing():
    rig = LearningRig().serving()
    rig.learn()
    rig.take(2)
    old = list(rig.flying)
    rig.link_down()
    rig.link_up()
    rig.flying.clear()
    assert rig.places()[-4:] == [0, 1, 2, 3]
    for receipt in old:
        rig.handle(Taken(receipt))
    assert len(rig.places()) == 6 + 4
    sent = [len(message.payload) for message in rig.slices()[:2]]
    rig.wait(MINUTE_MS)
    assert rig.last("metrics")["learning"]["sent_bytes"] == sum(sent)


def test_nothing_is_said_without_a_link_and_all_of_it_with_one():
    rig = LearningRig().serving()
    rig.link_down()
    rig.learn()
    assert rig.slices() == []
    rig.link_up()
    rig.take()
    assert rig.places() == list(range(SLICES))


def test_what_the_aggregator_lacks_is_sent_and_what_nobody_confirms_too():
    rig = LearningRig().serving()
    rig.learn()
    rig.take()
    rig.lack((2, 3))
    assert rig.places()[SLICES:] == [2, 3]
    rig.take()
    rig.wait(10_000)
    assert rig.places()[SLICES + 2 :] == [2, 3]


def test_a_slice_that_the_broker_refuses_is_no_end_of_the_world():
    rig = LearningRig().serving()
    rig.learn()
    for _ in range(SLICES):
        rig.handle(Taken(rig.flying.pop(0), refused="not authorized"))
    assert rig.places() == list(range(SLICES))
    assert "not authorized" in rig.logs[-1].text
    rig.wait(10_000)
    assert len(rig.places()) > SLICES


def test_after_a_restart_the_same_update_is_sent_without_training():
    rig = LearningRig().serving()
    rig.learn(Evaluation(2, 0.5, 1))
    rig.take(3)
    before = {message.topic: message.payload for message in rig.slices()}
    again = rig.again().serving()
    again.take()
    assert again.learners == {}
    assert before.items() <= {m.topic: m.payload for m in again.slices()}.items()
    assert len(again.slices()) == SLICES
    assert again.evaluations() == [{"examples": 2, "loss": 0.5, "correct": 1}]
    again.ack()
    third = again.again().serving()
    assert (third.learners, third.slices(), third.where()) == ({}, [], "acknowledged")
    third.round(opened(2))
    assert third.request.residual == "/jobs/digits/residual-1"


def test_a_restart_while_it_trained_trains_again():
    rig = LearningRig().serving()
    assert rig.learners
    again = rig.again().serving()
    assert again.request.round.number == 1


def test_a_new_round_ends_what_was_begun_for_the_old_one():
    rig = LearningRig().serving()
    (token,) = rig.learners
    rig.round(opened(2))
    assert rig.stopped == [token]
    assert rig.request.round.number == 2
    rig.learn()
    rig.round(opened(3))
    assert rig.jobs.updates == {}
    rig.round(opened(3, state="closed"))
    assert (rig.learners, rig.where()) == ({}, "idle")
    assert rig.why() == "round 3 is closed"


def test_the_evaluation_goes_out_before_the_slices():
    rig = LearningRig().serving()
    rig.learn(Evaluation(2, 0.5, 1))
    topics = [m.topic for m in rig.published if "/eval/" in m.topic or "/up/" in m.topic]
    assert topics[0] == f"{PREFIX}/fl/digits/1/eval/dev"


def test_too_few_samples_are_not_enough_and_their_number_is_not_told():
    rig = LearningRig()
    rig.samples.kept = {"cam": {}}
    rig.samples.put("cam", [*samples(2), *samples(7, "perhaps")], None, None)
    rig.serving()
    assert (rig.learners, rig.where()) == ({}, "idle")
    assert rig.why() == "has fewer than 3 examples"
    rig.samples.put("cam", samples(3), None, None)
    rig.wait(LOOK_AGAIN_MS)
    assert rig.request.round.number == 1


def test_samples_that_are_held_out_do_not_count():
    spec = job(evaluation={"holdout": 0.9})
    assert LearningRig().serving(spec).learners == {}


def test_power_and_idleness():
    learning = {"jobs": ["digits"], "power": "mains", "idle_load": 0.5}
    tree = {"pipelines": {"cam": pipeline(enabled=False, learning=learning)}}
    rig = LearningRig(tree=tree)
    rig.conditions = Conditions(on_battery=True)
    rig.serving()
    assert (rig.learners, rig.why()) == ({}, "on battery")
    rig.conditions = Conditions(load=0.6)
    rig.wait(LOOK_AGAIN_MS)
    assert (rig.learners, rig.why()) == ({}, "not idle")
    rig.conditions = Conditions(load=0.4)
    rig.wait(LOOK_AGAIN_MS)
    (token,) = rig.learners
    rig.conditions = Conditions(load=0.9)  # by the training itself
    rig.wait(LOOK_AGAIN_MS)
    assert rig.learners
    rig.conditions = Conditions(on_battery=True)
    rig.wait(LOOK_AGAIN_MS)
    assert (rig.stopped, rig.learners) == ([token], {})
    rig.conditions = Conditions()
    rig.wait(LOOK_AGAIN_MS)
    assert rig.learners


@pytest.mark.parametrize(
    ("trainers", "wanted", "runtimes", "found"),
    [
        (("simd", "scalar"), "auto", ("wasmtime", "wasm3"), ("wasmtime", "simd")),
        (("scalar",), "auto", ("wasmtime", "wasm3"), ("wasmtime", "scalar")),
        (("simd", "scalar"), "wasm3", ("wasmtime", "wasm3"), ("wasm3", "scalar")),
        (("simd", "scalar"), "auto", ("tflite", "wasm3"), ("wasm3", "scalar")),
        (("simd",), "auto", ("wasm3",), None),
        (("simd",), "wasmtime", ("wasm3",), None),
        (("mine",), "auto", ("wasmtime", "wasm3"), None),
    ],
)
def test_the_trainer_is_that_for_the_machine(trainers, wanted, runtimes, found):
    named = dataclasses.replace(job().model, trainers={name: ref(1) for name in trainers})
    one = dict(zip(trainers, map(ref, range(len(trainers))), strict=True))
    named = dataclasses.replace(named, trainers=one)
    assert trainer_of(named, wanted, runtimes) == (found and (found[0], one[found[1]]))


def test_wasm3_gets_the_scalar_module():
    learning = {"jobs": ["digits"], "runtime": "wasm3", "limit_s": 60}
    rig = LearningRig(tree={"pipelines": {"cam": pipeline(enabled=False, learning=learning)}})
    asked = rig.serving().request
    assert (asked.runtime, asked.trainer) == ("wasm3", rig.path(SCALAR))
    assert asked.deadline_s == 60.0


def test_a_job_that_is_too_large_or_has_no_trainer_for_this_machine_is_left_alone():
    for learning, why in (
        ({"limit_parameters": 69}, "70 parameters exceed limit_parameters"),
        ({"runtime": "wasmtime"}, "the job has no trainer for what this machine runs"),
    ):
        tree = {"pipelines": {"cam": pipeline(learning={"jobs": ["digits"]} | learning)}}
        told = dataclasses.replace(job().model, trainers={"mine": ref(1)})
        spec = job() if "limit_parameters" in learning else dataclasses.replace(job(), model=told)
        rig = LearningRig(tree=tree).serving(spec)
        assert (rig.learners, rig.why()) == ({}, why)


def test_a_backbone_and_a_control_are_fetched_as_well():
    base = job()
    told = dataclasses.replace(base.model, backbone=ref(7))
    spec = dataclasses.replace(base, model=told)
    rig = LearningRig()
    rig.serving(spec, opened(control=ref(8)))
    assert rig.request.backbone == rig.path(model(7))
    assert rig.request.control == rig.path(model(8))


def test_a_learner_that_fails_is_tried_once_more_and_says_why_in_the_log_only():
    rig = LearningRig().serving()
    rig.fail("step 17 of sample digit 4")
    assert rig.why() == UNTOLD
    assert "step 17" in rig.logs[-1].text
    rig.wait(10_000)
    rig.fail()
    assert rig.where() == "aborted"
    rig.round(opened(2))
    assert rig.request.round.number == 2


def test_an_update_of_another_shape_than_the_jobs_is_not_sent():
    rig = LearningRig().serving()
    rig.learn(slices=SLICES - 1)
    assert (rig.slices(), rig.where()) == ([], "training")
    assert "another update" in rig.logs[-1].text


def test_a_refusal_is_final_for_the_round():
    rig = LearningRig().serving()
    rig.learn()
    rig.ack(ack=Ack(whole=False, refused="x is 0"))
    assert (rig.where(), rig.why()) == ("aborted", "refused: x is 0")
    assert rig.jobs.residuals == {}
    assert rig.again().serving().learners == {}


def ask_to_forget(rig: LearningRig, label: str | None = None) -> None:
    args = {"pipeline": "cam"} | ({"label": label} if label else {})
    rig.receive("devices/dev/cmd/forget/1", {"status": "init", "args": args})


def test_forgetting_ends_the_learner_before_it_deletes():
    rig = LearningRig().serving()
    (token,) = rig.learners
    rig.jobs.residuals["digits"] = 0
    ask_to_forget(rig)
    assert rig.stopped == [token]
    assert rig.samples.counts("cam") == {"yes": 5}
    assert rig.last("cmd/forget/1")["status"] == "executing"
    rig.wait(1)
    assert rig.samples.counts("cam") == {}
    assert rig.last("cmd/forget/1")["status"] == "successful"
    assert rig.jobs.prepared == set()
    rig.handle(LearnerEnded(token, reason="late"))
    rig.wait(2000)
    assert (rig.learners, rig.jobs.residuals) == ({}, {})
    assert rig.why() == "has fewer than 3 examples"


def test_forgetting_some_samples_trains_with_the_rest():
    rig = LearningRig().serving()
    rig.samples.put("cam", samples(3, "no"), None, None)
    ask_to_forget(rig, "no")
    rig.wait(2000)
    assert len(rig.stopped) == 1
    assert rig.request.round.number == 1


def test_an_update_of_forgotten_samples_is_sent_no_further_and_never_another():
    rig = LearningRig().serving()
    rig.learn()
    ask_to_forget(rig)
    rig.wait(1)
    assert rig.jobs.updates == {}
    sent = len(rig.slices())
    rig.samples.put("cam", samples(5), None, None)
    rig.take()
    rig.lack((0, 6))
    rig.round(opened())
    rig.wait(MINUTE_MS)
    assert (len(rig.slices()), rig.learners) == (sent, {})
    assert rig.where() == "aborted"
    assert rig.again().serving().learners == {}


def test_forgetting_elsewhere_or_without_a_job_is_done_at_once():
    rig = LearningRig().serving()
    rig.samples.put("door", samples(1), None, None)
    args = {"status": "init", "args": {"pipeline": "door"}}
    rig.receive("devices/dev/cmd/forget/2", args)
    assert rig.last("cmd/forget/2")["status"] == "successful"
    assert rig.learners


def desire(rig: LearningRig, **learning) -> None:
    tree = {"pipelines": {"cam": {"learning": learning}}}
    rig.receive("devices/dev/config/desired", tree)


def test_a_job_that_is_no_longer_served_is_left_with_all_that_it_had():
    rig = LearningRig().serving()
    desire(rig, jobs=["other"])
    assert (len(rig.stopped), rig.learners) == (1, {})
    assert not any("/fl/digits/" in name for name in rig.filters)
    rig.wait(300)
    assert "learning" not in rig.last("status")
    desire(rig, jobs=["digits"])
    rig.spec(job())
    rig.round(opened())
    assert rig.request.round.number == 1


def test_an_update_that_was_begun_to_be_sent_is_not_made_anew_when_a_job_is_served_again():
    rig = LearningRig().serving()
    rig.learn()
    desire(rig, jobs=[])
    assert rig.jobs.updates == {}
    desire(rig, jobs=["digits"])
    rig.spec(job())
    rig.round(opened())
    assert (rig.learners, rig.where()) == ({}, "acknowledged")


def test_other_conditions_end_the_training_under_the_old_ones():
    rig = LearningRig().serving()
    desire(rig, runtime="wasm3")
    assert len(rig.stopped) == 1
    rig.wait(1)
    assert rig.request.runtime == "wasm3"
    desire(rig, runtime="wasm3")
    assert len(rig.stopped) == 1


def test_another_job_beside_it_does_not_disturb_a_training():
    rig = LearningRig().serving()
    desire(rig, jobs=["digits", "faces"], adopt=False)
    assert (rig.stopped, len(rig.learners)) == ([], 1)


def test_of_many_jobs_those_that_are_over_make_room():
    rig = LearningRig("*")
    rig.link_up()
    for number in range(MAX_JOBS + 1):
        rig.spec(job(f"job-{number}"))
    assert "serves 32 jobs already" in rig.why(f"job-{MAX_JOBS}")
    rig.round(opened(1, "job-7", state="done"))
    rig.wait(10_000)
    assert rig.where(f"job-{MAX_JOBS}") == "idle"
    told = rig.last("status")["learning"]
    assert len(told) == MAX_JOBS
    assert "job-7" not in told
    rig.round(opened(1, f"job-{MAX_JOBS}"))
    assert rig.request.spec.id == f"job-{MAX_JOBS}"


def test_a_round_that_was_dropped_unread_is_asked_for_again():
    rig = LearningRig()
    rig.link_up()
    mine = {name for name in rig.filters if name.endswith(("/spec", "/round", "/outcome"))}
    rig.filters.clear()
    for _ in range(3):
        rig.handle(Overflowed(5))
    rig.wait(MINUTE_MS - 1)
    assert rig.filters == set()
    rig.wait(1)
    assert rig.filters == mine
    rig.filters.clear()
    rig.wait(10 * MINUTE_MS)
    assert rig.filters == set()


def test_what_a_learner_says_is_one_line_of_the_log():
    rig = LearningRig().serving()
    rig.fail("wasm trap: unreachable\n    at <module>\r\n" + "x" * 9999)
    assert len(rig.logs[-1].text) < 500


def test_other_terms_are_another_job():
    rig = LearningRig().serving()
    rig.learn()
    rig.spec(job(rounds=3))
    assert rig.jobs.updates == {}
    rig.round(opened())
    assert rig.request.spec.rounds == 3


def test_the_same_terms_again_change_nothing():
    rig = LearningRig().serving()
    rig.spec(job())
    rig.round(opened())
    assert (rig.stopped, len(rig.learners)) == ([], 1)


def test_a_job_that_is_withdrawn_leaves_nothing_behind():
    rig = LearningRig().serving()
    rig.learn()
    rig.receive("fl/digits/spec", b"")
    assert rig.jobs.updates == {}
    assert rig.jobs.removed == ["digits"]
    rig.wait(300)
    assert "learning" not in rig.last("status")


def test_a_job_that_is_done_leaves_nothing_behind():
    rig = LearningRig().serving()
    rig.learn()
    rig.ack()
    rig.round(opened(1, state="done"))
    assert (rig.jobs.removed, rig.jobs.residuals) == (["digits"], {})


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        encode(job("other")),
        encode(job()).replace(b'"rounds"', b'"surprise":1,"rounds"'),
        b"9" * 70_000,
    ],
)
def test_a_document_that_is_no_job_is_refused_and_says_so(payload):
    rig = LearningRig()
    rig.link_up()
    rig.receive("fl/digits/spec", payload)
    rig.round(opened())
    assert (rig.learners, rig.where()) == ({}, "idle")
    assert rig.why()
    rig.spec(job())
    rig.round(opened())
    assert rig.request.spec == job()


@pytest.mark.parametrize("place", ["round", "1/ack/dev", "1/missing/dev"])
def test_words_that_make_no_sense_are_logged(place):
    rig = LearningRig().serving()
    rig.receive(f"fl/digits/{place}", b'{"whole": 5}')
    assert rig.logs[-1].level == "warning"
    rig.receive("fl/digits/round", encode(opened(9, "other")))
    assert "is one of other" in rig.logs[-1].text
    assert rig.request.round.number == 1


@pytest.mark.parametrize(
    "method", ["recall", "prepare", "keep", "piece", "settle", "discard", "prune"]
)
def test_a_disk_that_refuses_is_logged_and_the_next_round_goes_through(method):
    disk = FakeJobs()
    disk.refuse = lambda name: name == method
    rig = LearningRig(jobs=disk).serving()
    if rig.learners:
        rig.learn()
        rig.take()
        rig.ack()
    if method == "discard":
        rig.round(opened(2))
        rig.learn()
        rig.round(opened(3))
    assert any("No space left" in log.text for log in rig.logs)
    rig.jobs.refuse = lambda _: False
    rig.spec(job())
    rig.round(opened(4))
    rig.learn()
    rig.take()
    rig.ack(4)
    assert rig.jobs.residuals == {"digits": 4}


def test_a_job_that_the_disk_refused_is_tried_again():
    disk = FakeJobs()
    disk.refuse = lambda name: name == "recall"
    rig = LearningRig(jobs=disk).serving()
    assert "No space left" in rig.why()
    disk.refuse = lambda _: False
    rig.wait(10_000)
    assert rig.request.round.number == 1


def test_samples_that_cannot_be_read_keep_it_out():
    rig = LearningRig()
    rig.samples.refuses = True
    rig.serving()
    assert (rig.learners, rig.why()) == ({}, "its samples cannot be read")


def closing(number: int = 4, **changes):
    return opened(number, state="closed", **({"baseline": ref(0)} | changes))


JUDGED = {"holdout": 0.5}


def test_the_final_model_is_judged_beside_the_first_without_training():
    rig = LearningRig().serving(job(evaluation=JUDGED), closing())
    asked = rig.request
    assert asked.output is None
    assert (asked.model, asked.baseline) == (rig.path(model(4)), rig.path(model(0)))
    assert rig.where() == "judging"
    rig.learn(Evaluation(2, 0.5, 1, 0.7, 0))
    told = {"examples": 2, "loss": 0.5, "correct": 1, "baseline_loss": 0.7, "baseline_correct": 0}
    assert rig.evaluations() == [told]
    assert rig.where() == "idle"
    rig.round(closing())
    assert rig.learners == {}
    rig.wait(MINUTE_MS)
    assert len(rig.evaluations()) > 1, "nobody acknowledges it, so it is said again"
    rig.round(opened(4, state="done"))
    count = len(rig.evaluations())
    rig.wait(20 * MINUTE_MS)
    assert len(rig.evaluations()) == count


def test_a_device_that_holds_nothing_out_does_not_judge():
    rig = LearningRig()
    rig.samples.kept = {"cam": {}}
    assert rig.serving(job(evaluation=JUDGED), closing()).learners == {}


def test_a_judgement_that_fails_is_tried_again_and_ends_with_the_question():
    rig = LearningRig().serving(job(evaluation=JUDGED), closing())
    rig.fail()
    rig.wait(MINUTE_MS)
    assert rig.learners
    ask_to_forget(rig)
    assert (len(rig.stopped), rig.learners) == (1, {})
    rig.wait(2000)
    assert rig.learners == {}


def test_an_answer_that_no_link_carried_is_told_with_the_next():
    rig = LearningRig().serving(job(evaluation=JUDGED), closing())
    rig.link_down()
    rig.learn(Evaluation(2, 0.5, 1, 0.7, 0))
    before = len(rig.evaluations())
    rig.link_up()
    assert len(rig.evaluations()) == before + 1


def test_nothing_of_it_outlives_the_agent():
    rig = LearningRig().serving()
    (token,) = rig.learners
    rig.perform(rig.agent.end(rig.now()))
    assert rig.stopped == [token]
    rig.wait(MINUTE_MS)
    assert rig.learners == {}


def test_a_blob_that_does_not_come_is_asked_for_until_the_round_ends():
    rig = LearningRig()
    del rig.blobs.whole[ref(1).sha256]
    rig.serving()
    assert rig.where() == "fetching"
    rig.wait(10 * MINUTE_MS)
    assert "does not give" in rig.why()
    rig.round(opened(1, state="closed"))
    assert not any("/blobs/" in name for name in rig.filters)


def test_a_device_without_jobs_says_and_does_nothing():
    rig = LearningRig(tree={"pipelines": {"cam": pipeline(enabled=False)}})
    rig.serving()
    assert not any("/fl/" in name for name in rig.filters)
    rig.wait(MINUTE_MS)
    assert "learning" not in rig.last("metrics")
    assert "learning" not in rig.last("status")


def test_an_upload_is_through_once_and_only_when_all_of_it_is():
    upload = Upload()
    assert not upload.is_through()
    upload.begin(range(6))
    assert upload.next() == [0, 1, 2, 3]
    assert upload.next() == []
    assert not upload.taken(0, 0)
    for place in range(4):
        assert upload.taken(1, place)
    assert not upload.taken(1, 0)
    assert upload.next() == [4, 5]
    assert not upload.is_through()
    assert upload.taken(1, 5)
    assert upload.taken(1, 4)
    assert upload.is_through()
    assert not upload.is_through()
    upload.begin([3])
    upload.stop()
    assert (upload.next(), upload.is_through()) == ([], False)
