"""What jobs ship, through a whole core: pipelines, blobs, installers and status around it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.channel.messages import (
    Adopt,
    Adopted,
    Answer,
    NotAdopted,
    Progress,
    Ready,
    Refused,
    Stop,
)
from agent.config.device import PipelineConfig
from agent.control.events import Installed, Overflowed, StartInstaller
from agent.control.supervisor import State
from agent.errors import ModelError
from agent.models.choice import artifact_of, as_released
from agent.models.journal import Links
from agent.models.request import Golden, Report, Verify
from broker.contract.bundle.manifest import InputSpec, OutputSpec, TensorSpec
from broker.contract.federated.outcome import JobOutcome
from broker.contract.messages import encode
from broker.contract.shape import parse
from tests.support.releases import MadeRelease
from tests.support.sim import LATENCY, Rig, pipeline

LEARNS = {"jobs": ["digits", "kws-*"]}
ONE, TWO = MadeRelease(1), MadeRelease(2)
PATH = f"/models/{ONE.id}/{ONE.manifest.artifacts[0].blob.sha256}.tflite"


def rig_of(**changes: Any) -> Rig:
    rig = Rig({"pipelines": {"cam": pipeline(learning=LEARNS, **changes)}})
    rig.serve()
    rig.link_up()
    return rig


def offer(rig: Rig, made: MadeRelease, **changes: Any) -> None:
    """The files are there already; the word comes."""
    rig.blobs.whole |= made.blobs
    rig.models.blobs |= {made.id: made.document}
    release = made.release
    outcome = JobOutcome(release.job, release.release, True, release.manifest)
    rig.receive(f"fl/{release.job}/outcome", encode(replace(outcome, **changes)))
    rig.wait(10)


def install(rig: Rig, made: MadeRelease) -> None:
    """The installer does what it is asked."""
    verify, golden = None, None
    while len(rig.installs) and (action := rig.installs.pop(0)):
        if isinstance(action.request, Verify):
            verify = action.request
            rig.models.put_together(made.id, [item.ref for item in verify.items])
        else:
            golden = action.request
        rig.handle(found_by(action))
    assert isinstance(verify, Verify)
    assert isinstance(golden, Golden)
    assert {item.ref.sha256 for item in verify.items} <= made.blobs.keys()
    assert golden.folder == f"/models/{made.id}"


def asked(rig: Rig) -> Adopt:
    message = rig.told[-1][1]
    assert isinstance(message, Adopt)
    return message


def take(rig: Rig) -> None:
    """The child goes over."""
    rig.say(Adopted("adopted", asked(rig).id, asked(rig).sha256 or "?", "tflite", "so", 1.0))


def shipped(rig: Rig) -> dict[str, Any]:
    rig.wait(0)  # so the main loop ends a turn
    rig.wait(1000)
    found: dict[str, Any] = rig.last("status")["pipelines"]["cam"]["shipped"]
    return found


def spawned(rig: Rig, name: str = "cam") -> str:
    """The model that the pipeline is, or would be, started with."""
    return rig.agent._pipelines.items()[name].config.model


def test_an_outcome_goes_all_the_way() -> None:
    rig = rig_of()
    assert "selvedge/v1/fl/+/outcome" in rig.filters
    offer(rig, ONE)
    assert shipped(rig)["step"] == "verify"
    install(rig, ONE)
    adopt = asked(rig)
    assert (adopt.model, adopt.sha256) == (PATH, ONE.manifest.artifacts[0].blob.sha256)
    rig.answer(n=1)
    take(rig)
    rig.answer(n=2)
    rig.send_out()
    models = {result["outputs"]["n"]: result["model"] for result in rig.results()}
    assert models == {1: "sha", 2: adopt.sha256}
    assert [result["sequence"] for result in rig.results()] == [0, 1]
    assert shipped(rig) == {
        "step": "probation",
        "job": "digits",
        "release": 1,
        "coming": "release 1 of digits",
    }
    for _ in range(100):
        rig.answer()
        rig.wait(700)
        rig.say(Progress("progress", 1, 0, "open"))
    assert shipped(rig) == {"step": "idle", "job": "digits", "release": 1}
    assert rig.alive == {"cam"}
    assert rig.killed == []


def test_a_pipeline_that_seldom_tells_passes_by_its_inputs() -> None:
    rig = rig_of()
    offer(rig, ONE)
    install(rig, ONE)
    take(rig)
    for count in range(0, 700, 5):
        rig.say(Progress("progress", count, 0, "open"))
        rig.wait(500)
    assert shipped(rig)["step"] == "idle"


@pytest.mark.parametrize("late", [True, False])
def test_a_child_that_cannot_go_over_is_restarted(late: bool) -> None:
    rig = rig_of()
    offer(rig, ONE)
    install(rig, ONE)
    if late:
        for _ in range(70):
            rig.say(Progress("progress", 1, 0, "open"))
            rig.wait(1000)
    else:
        rig.say(NotAdopted("not_adopted", asked(rig).id, "another preprocessing"))
    assert rig.told[-1] == ("cam", Stop("stop"))
    rig.exit()
    assert rig.alive == {"cam"}
    assert spawned(rig) == PATH
    rig.say(Ready("ready", "new", "tflite", "so", 1.0))
    assert rig.agent._pipelines.items()["cam"].supervisor.restarts == 0
    rig.exit(cause="killed by signal 11 (SIGSEGV)")
    assert rig.alive == {"cam"}, "at once, without a wait"
    assert spawned(rig) == "/m.tflite"
    assert "SIGSEGV" in shipped(rig)["refused"]


def test_what_differs_in_more_than_the_model_needs_a_new_child() -> None:
    preprocessing = {"kind": "vector", "window": 1, "mean": [0.5]}
    tensor = TensorSpec((1, 4), "int8", 0.5)
    made = MadeRelease(1, input=InputSpec("vector", tensor, preprocessing))
    rig = rig_of()
    offer(rig, made)
    install(rig, made)
    assert rig.told[-1] == ("cam", Stop("stop"))
    rig.exit()
    config = rig.agent._pipelines.items()["cam"].config
    assert config.preprocess.kind == "vector"
    rig.say(Ready("ready", "new", "tflite", "so", 1.0))
    rig.say(Refused("refused", "the source gives pictures"))
    rig.exit()
    assert rig.agent._pipelines.items()["cam"].config.preprocess.kind == "tensor"
    assert rig.alive == {"cam"}


def test_a_model_that_fails_in_use_goes_back_though_a_restart_would_not_help() -> None:
    rig = rig_of()
    offer(rig, ONE)
    install(rig, ONE)
    take(rig)
    rig.say(Refused("refused", "the runtime failed"))
    rig.exit()
    assert rig.alive == {"cam"}
    assert spawned(rig) == "/m.tflite"
    rig.serve()
    assert rig.agent._pipelines.items()["cam"].supervisor.state is State.RUNNING
    assert shipped(rig)["refused"] == "release 1 of digits: the runtime failed"


def test_a_child_that_is_stopped_on_purpose_is_no_fault() -> None:
    rig = rig_of()
    offer(rig, ONE)
    install(rig, ONE)
    take(rig)
    rig.receive("devices/dev/config/desired", {"pipelines": {"cam": {"threads": 2}}})
    rig.exit(cause="ended")
    assert spawned(rig) == PATH
    rig.say(Ready("ready", "new", "tflite", "so", 1.0))
    assert shipped(rig)["step"] == "probation"


def test_a_restart_of_the_agent_serves_what_served() -> None:
    rig = rig_of()
    offer(rig, ONE)
    install(rig, ONE)
    take(rig)
    again = Rig(rig.tree, models=rig.models, blobs=rig.blobs)
    assert spawned(again) == PATH
    changed = {"pipelines": {"cam": pipeline(learning=LEARNS, model="/other.tflite")}}
    other = Rig(changed, models=rig.models, blobs=rig.blobs)
    assert spawned(other) == "/other.tflite"
    assert rig.models.links("cam") == Links()


def test_the_operator_changes_the_model_while_a_release_serves() -> None:
    rig = rig_of()
    offer(rig, ONE)
    install(rig, ONE)
    take(rig)
    rig.receive("devices/dev/config/desired", {"pipelines": {"cam": {"model": "/o.tflite"}}})
    assert rig.told[-1] == ("cam", Stop("stop"))
    rig.exit()
    assert spawned(rig) == "/o.tflite"
    offer(rig, ONE)
    assert rig.installs == []
    offer(rig, TWO)
    install(rig, TWO)
    assert asked_path(rig) == TWO.id


def asked_path(rig: Rig) -> str:
    """The release whose file the pipeline's configuration names."""
    return spawned(rig).split("/")[2]


def test_a_command_takes_a_release_back() -> None:
    rig = rig_of()
    offer(rig, ONE)
    install(rig, ONE)
    take(rig)
    command = {"status": "init", "args": {"pipeline": "cam"}}
    rig.receive("devices/dev/cmd/rollback/1", command)
    assert asked(rig).model == "/m.tflite"
    assert asked(rig).sha256 is None
    assert rig.last("cmd/rollback/1")["status"] == "successful"
    rig.receive("devices/dev/cmd/rollback/2", command)
    assert "is configured with" in rig.last("cmd/rollback/2")["reason"]
    rig.receive("devices/dev/cmd/rollback/3", {"status": "init", "args": {"pipeline": 7}})
    assert "there are cam" in rig.last("cmd/rollback/3")["reason"]


def test_what_could_not_be_had_is_tried_again_by_itself() -> None:
    rig = rig_of()
    rig.models.full = True
    offer(rig, ONE)
    assert shipped(rig)["refused"] == "release 1 of digits: no room"
    rig.models.full = False
    for _ in range(61):
        rig.say(Progress("progress", 1, 0, "open"))
        rig.wait(60_000 // 4)
    assert rig.installs == []
    for _ in range(400):
        rig.say(Progress("progress", 1, 0, "open"))
        rig.wait(9_000)
    install(rig, ONE)
    assert asked_path(rig) == ONE.id


def test_only_who_adopts_asks_and_takes() -> None:
    rig = Rig({"pipelines": {"cam": pipeline(learning=LEARNS | {"adopt": False})}})
    rig.serve()
    rig.link_up()
    assert "selvedge/v1/fl/+/outcome" not in rig.filters
    offer(rig, ONE)
    assert rig.installs == []
    rig.receive("devices/dev/config/desired", {"pipelines": {"cam": {"learning": {"adopt": True}}}})
    assert "selvedge/v1/fl/+/outcome" in rig.filters
    rig.wait(10)
    assert [one.request.folder for one in rig.installs] == [f"/models/{ONE.id}.new"], "remembered"


def test_what_was_dropped_may_have_been_an_outcome_and_is_asked_for_again() -> None:
    rig = rig_of()
    outcomes = "selvedge/v1/fl/+/outcome"
    rig.filters.clear()
    rig.handle(Overflowed(3))
    rig.wait(59_000)
    assert outcomes not in rig.filters
    rig.wait(1_000)
    assert outcomes in rig.filters
    rig.filters.clear()
    rig.wait(600_000)
    assert outcomes not in rig.filters


def test_the_first_pipeline_that_names_a_job_takes_it() -> None:
    pipelines = {name: pipeline(learning=LEARNS) for name in ("one", "two")}
    rig = Rig({"pipelines": pipelines})
    rig.link_up()
    offer(rig, ONE)
    rig.wait(1000)
    standing = rig.last("status")["pipelines"]
    assert (standing["one"]["shipped"]["step"], standing["two"].get("shipped")) == ("verify", None)


@pytest.mark.parametrize(
    "changes", [{"shipped": False}, {"manifest": None}, {"job": "another"}, {"release": 0}]
)
def test_words_that_ship_nothing_change_nothing(changes: dict[str, Any]) -> None:
    rig = rig_of()
    offer(rig, ONE, **changes)
    if "release" in changes:  # it is offered, and its manifest says otherwise
        assert "its manifest is of release 1" in shipped(rig)["refused"]
    assert rig.installs == []
    assert spawned(rig) == "/m.tflite"


@given(st.one_of(st.binary(max_size=200), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["job", "release", "shipped", "manifest", "sha256", "bytes", "x"]),
        inner, max_size=5),
    max_leaves=12,
).map(lambda tree: json.dumps(tree).encode())))  # fmt: skip
def test_any_word_on_an_outcome_is_survived(payload: bytes) -> None:
    rig = rig_of()
    rig.receive("fl/digits/outcome", payload)
    rig.wait(10)
    assert rig.alive == {"cam"}


@given(st.binary(max_size=300))
def test_any_manifest_is_survived(document: bytes) -> None:
    rig = rig_of()
    made = MadeRelease(1)
    made.blobs[made.id] = document.ljust(len(made.document))
    made.document = document
    offer(rig, made)
    assert rig.installs == []
    assert "release 1 of digits" in shipped(rig)["refused"]


def config(**changes: Any) -> PipelineConfig:
    found = parse(PipelineConfig, pipeline(**changes))
    assert isinstance(found, PipelineConfig)
    return found


@pytest.mark.parametrize(
    ("model", "runtime", "here", "wanted"),
    [
        ("/m.tflite", "auto", ("tflite", "wasmtime"), "tflite"),
        ("/m.wasm", "auto", ("tflite", "wasmtime"), "wasm-simd"),
        ("/m.wasm", "auto", ("tflite", "wasm3"), "wasm-scalar"),
        ("/m.wasm", "auto", ("tflite",), "tflite"),
        ("/m.tflite", "wasm3", ("tflite", "wasm3"), "wasm-scalar"),
        ("/m.tflite", "mcu", ("tflite", "wasm3"), "tflite"),
        ("/m.plan", "auto", ("tflite", "wasmtime"), "tflite"),
        ("/m.tflite", "host", ("host",), None),
        ("/m.tflite", "auto", ("host",), None),
    ],
)
def test_which_file_a_pipeline_runs(
    model: str, runtime: str, here: tuple[str, ...], wanted: str | None
) -> None:
    made = MadeRelease(1, runtimes=("tflite", "wasm-simd", "wasm-scalar"))
    asked_for = config(model=model, runtime=runtime)
    if wanted is None:
        with pytest.raises(ModelError, match="it has tflite, wasm-simd, wasm-scalar"):
            artifact_of(made.manifest, asked_for, here)
    else:
        assert artifact_of(made.manifest, asked_for, here).runtime == wanted


def test_what_a_release_brings_with_it() -> None:
    labels = tuple("abcdefghij")
    tensor = TensorSpec((1, 4), "int8", 0.5)
    made = MadeRelease(
        1,
        outputs=(OutputSpec(TensorSpec((1, 10), "int8", 0.5), labels),),
        input=InputSpec("vector", tensor, {"kind": "vector", "window": 2}),
    )
    plain = config(mcu={"plan": "/m.plan"})
    found = as_released(plain, made.manifest, "/new")
    assert (found.model, found.preprocess.kind, found.mcu.plan) == ("/new", "vector", None)
    assert found.postprocess.labels == labels
    named = config(postprocess={"kind": "classify", "labels": ["x"]})
    assert as_released(named, made.manifest, "/new").postprocess.labels == ("x",)
    wrong = MadeRelease(1, input=InputSpec("vector", tensor, {"kind": "magic"}))
    with pytest.raises(ModelError, match=r"input\.preprocessing"):
        as_released(plain, wrong.manifest, "/new")


def test_answers_of_the_old_model_do_not_count_for_the_new() -> None:
    rig = rig_of()
    offer(rig, ONE)
    install(rig, ONE)
    for _ in range(100):
        rig.say(Answer("answer", 1, {}, LATENCY))
        rig.wait(1000)
    assert shipped(rig)["step"] == "probation"


def test_a_child_that_is_being_replaced_does_not_serve_the_new_model() -> None:
    rig = Rig({"pipelines": {"cam": pipeline(learning=LEARNS)}})
    rig.link_up()
    offer(rig, ONE)
    install(rig, ONE)
    assert rig.told[-1] == ("cam", Stop("stop")), "it had only begun"
    rig.serve()
    assert adopter(rig).due_ms is None, "the old one was ready before it heard"
    rig.exit()
    rig.say(Ready("ready", "new", "tflite", "so", 1.0))
    assert adopter(rig).due_ms is not None


def adopter(rig: Rig) -> Any:
    return rig.agent._adoptions._adopters["cam"].installation


def test_a_pipeline_that_is_no_more_leaves_nothing() -> None:
    rig = rig_of()
    offer(rig, ONE)
    install(rig, ONE)
    take(rig)
    rig.receive("devices/dev/config/desired", {"pipelines": {"cam": None}})
    assert (rig.models.journals, rig.models.files, rig.models.serving) == ({}, {}, {})


def test_what_an_earlier_installer_found_is_not_taken_for_what_is_asked_now() -> None:
    rig = rig_of()
    offer(rig, ONE)
    [old] = rig.installs
    rig.receive("devices/dev/config/desired", {"pipelines": {"cam": None}})
    assert rig.installs == [], "nobody waits for it any more"
    rig.exit()
    rig.receive("devices/dev/config/desired", {})
    rig.serve()
    rig.wait(10)
    [verify] = rig.installs
    assert isinstance(verify.request, Verify)
    assert verify.request == old.request
    rig.models.put_together(ONE.id, [item.ref for item in verify.request.items])
    rig.handle(found_by(old))
    assert shipped(rig)["step"] == "verify"
    rig.installs.clear()
    rig.handle(found_by(verify))
    rig.handle(found_by(verify))
    assert shipped(rig)["step"] == "golden", "nobody has tried it yet"
    [golden] = rig.installs
    assert isinstance(golden.request, Golden)
    rig.installs.clear()
    rig.handle(found_by(golden))
    assert shipped(rig)["step"] == "probation"


def verified(rig: Rig) -> None:
    """The installer puts together what it is asked for."""
    [action] = rig.installs
    rig.installs.clear()
    assert isinstance(action.request, Verify)
    release = action.request.folder.removeprefix("/models/").removesuffix(".new")
    rig.models.put_together(release, [item.ref for item in action.request.items])
    rig.handle(found_by(action))


BOTH = MadeRelease(1, runtimes=("tflite", "wasm-scalar"))


@pytest.mark.parametrize("made", [ONE, BOTH])
@pytest.mark.parametrize("step", ["download", "verify", "golden", "probation"])
def test_another_runtime_is_configured_while_a_release_comes(made: MadeRelease, step: str) -> None:
    rig = rig_of()
    offer(rig, made)
    if step == "download":
        rig = Rig(rig.tree, models=rig.models)
        rig.serve()
        rig.link_up()
        rig.wait(10)
    if step in ("golden", "probation"):
        verified(rig)
    if step == "probation":
        [golden] = rig.installs
        rig.installs.clear()
        rig.handle(found_by(golden))
        take(rig)
    assert shipped(rig)["step"] == step
    rig.blobs.whole |= made.blobs
    rig.receive("devices/dev/config/desired", {"pipelines": {"cam": {"runtime": "wasm3"}}})
    rig.exit()
    rig.serve()
    rig.wait(100)
    if made is ONE:
        assert shipped(rig)["step"] == "idle"
        assert "runtime wasm3 here takes wasm-scalar" in shipped(rig)["refused"]
        assert spawned(rig) == "/m.tflite"
        return
    install(rig, made)
    assert spawned(rig) == f"/models/{made.id}/{made.manifest.artifacts[1].blob.sha256}.wasm"


def test_a_later_release_ends_the_installer_of_the_one_before() -> None:
    rig = rig_of()
    offer(rig, ONE)
    [old] = rig.installs
    offer(rig, TWO)
    [new] = rig.installs
    assert old.request != new.request
    rig.handle(found_by(old))
    install(rig, TWO)
    assert asked_path(rig) == TWO.id


def test_installers_of_two_pipelines_work_one_after_the_other() -> None:
    pipelines = {"one": pipeline(learning={"jobs": ["digits"]})}
    pipelines["two"] = pipeline(learning={"jobs": ["other"]})
    rig = Rig({"pipelines": pipelines})
    rig.link_up()
    offer(rig, ONE)
    other = MadeRelease(1, job="other")
    offer(rig, other)
    steps = []
    for _ in range(4):
        [action] = rig.installs
        rig.installs.clear()
        steps.append((action.request.kind, action.request.folder.split("/")[2][:64]))
        if isinstance(action.request, Verify):
            refs = [item.ref for item in action.request.items]
            rig.models.put_together(steps[-1][1], refs)
        rig.handle(found_by(action))
    assert rig.installs == []
    assert sorted(steps) == sorted(
        (kind, made.id) for kind in ("verify", "golden") for made in (ONE, other)
    )
    served = [spawned(rig, name).split("/")[2] for name in pipelines]
    assert served == [ONE.id, other.id]


def test_an_agent_that_leaves_ends_its_installer() -> None:
    rig = rig_of()
    offer(rig, ONE)
    [verify] = rig.installs
    rig.perform(rig.agent.end(rig.now()))
    assert rig.installs == []
    rig.handle(found_by(verify))
    assert rig.installs == []


def found_by(action: StartInstaller) -> Installed:
    """The word of the installer that did this well."""
    return Installed(action.token, Report())
