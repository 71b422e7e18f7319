"""The configuration shadow: documents in, configuration and report out; kept through a restart."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.layers import Layers, check, merge
from agent.control.shadow import MAX_ERRORS, MAX_KEYS, Remembered, Shadow, recall
from broker.contract.codec import MAX_JSON_BYTES
from broker.contract.messages import ReportedConfig, decode, encode
from tests.support.config_documents import DOCUMENTS, NEW, OWN
from tests.support.sim import Rig

FILES = Layers(OWN)
CAM = {"pipelines": {"cam": {"threads": 2}}}


def shadow() -> Shadow:
    return Shadow(FILES, Remembered())


def desire(it: Shadow, tree: Any, scope: Any = "device") -> bool:
    return it.desire(scope, json.dumps(tree).encode())


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["fleet", "device"]),
            DOCUMENTS.map(lambda tree: json.dumps(tree).encode()) | st.binary(max_size=20),
        ),
        max_size=5,
    )
)
def test_a_restart_changes_neither_configuration_nor_report(messages: list[Any]) -> None:
    it = shadow()
    for scope, payload in messages:
        it.desire(scope, payload)
    kept = json.loads(json.dumps(it.remembered()))
    again = Shadow(FILES, recall(kept))
    assert again.config == it.config
    assert merge({}, again.remembered()["accepted"]) == merge({}, kept["accepted"])
    report = decode(ReportedConfig, encode(it.report()))
    assert all(len(text.splitlines()) == 1 for text in report.errors.values())


def test_a_bad_key_does_not_bring_back_what_the_fleet_deleted() -> None:
    it = shadow()
    desire(it, {"pipelines": None}, "fleet")
    assert it.config.pipelines == {}
    desire(it, {"pipelines": {"cam": True}})
    assert it.config.pipelines == {}
    assert it.report().errors["pipelines.cam"].startswith("must be an object")


@given(st.binary(max_size=60), st.sampled_from(["fleet", "device"]))
def test_bytes_that_are_no_object_change_nothing_but_the_report(payload: bytes, scope: Any) -> None:
    it = shadow()
    desire(it, CAM)
    before = it.config
    try:
        is_object = isinstance(json.loads(payload), dict)
    except (ValueError, RecursionError):
        is_object = not payload
    if not is_object:
        assert not it.desire(scope, payload)
        assert it.config == before
        assert f"{scope} document" in it.report().errors


def test_a_good_document_clears_the_complaint_about_a_broken_one() -> None:
    it = shadow()
    it.desire("device", b"{")
    assert "device document" in it.report().errors
    assert desire(it, CAM)
    assert it.report().errors == {}
    it.desire("device", b"{")
    assert not desire(it, CAM), "it is what is in force"
    assert it.report().errors == {}


def test_an_empty_payload_stands_for_an_empty_document() -> None:
    it = shadow()
    desire(it, CAM)
    assert it.desire("device", b"")
    assert it.config == check(OWN)


@pytest.mark.parametrize(("wrong", "right"), [(1, True), (0, False)])
def test_a_document_that_differs_only_in_the_type_of_a_value_is_taken(
    wrong: object, right: object
) -> None:
    it = shadow()
    path = "pipelines.cam.enabled"
    assert desire(it, {"pipelines": {"cam": {"enabled": wrong}}})
    assert path in it.report().errors
    assert desire(it, {"pipelines": {"cam": {"enabled": right}}})
    assert path not in it.report().errors
    assert it.config.pipelines["cam"].enabled is right


def test_the_device_wins_over_the_fleet_and_its_bad_key_does_not_undo_the_fleets_good_one() -> None:
    for order in (("fleet", "device"), ("device", "fleet")):
        it = shadow()
        documents = {
            "fleet": {"outbox": {"window": 10, "max_age_s": 100}, "version": 3},
            "device": {"outbox": {"window": 20, "max_age_s": -1}, "version": 4},
        }
        for scope in order:
            desire(it, documents[scope], scope)
        assert it.config.outbox.window == 20
        assert it.config.outbox.max_age_s == 100
        report = it.report()
        assert (report.version, report.fleet_version) == (4, 3)
        assert set(report.errors) == {"outbox.max_age_s"}


def test_a_part_from_the_fleet_and_a_part_from_the_device_make_one_pipeline() -> None:
    for order in ((0, 1), (1, 0)):
        it = shadow()
        halves = [
            ("fleet", {"pipelines": {"new": {"postprocess": NEW["postprocess"]}}}),
            ("device", {"pipelines": {"new": {k: NEW[k] for k in ("source", "model")}}}),
        ]
        for index in order:
            scope, tree = halves[index]
            desire(it, tree, scope)
        assert "new" in it.config.pipelines
        assert it.report().errors == {}


@pytest.mark.parametrize("version", ["1", 1.5, True, None, [], {}])
def test_a_version_that_is_no_number_is_no_error_of_the_configuration(version: object) -> None:
    it = shadow()
    desire(it, {"version": version, **CAM})
    assert it.report().version is None
    assert it.report().errors == {}
    assert it.config.pipelines["cam"].threads == 2


def test_a_document_of_thousands_of_bad_keys_is_refused_at_once() -> None:
    it = shadow()
    desire(it, CAM)
    before = it.config
    assert not desire(it, {f"k{i}": 1 for i in range(MAX_KEYS + 1)})
    assert it.config == before
    assert "more than" in it.report().errors["device document"]


def test_the_report_of_as_many_bad_keys_as_may_be_stays_within_the_contract() -> None:
    it = shadow()
    tree = {f"k{i}" + "\n" * (i % 2) + "x" * 90: "y" for i in range(MAX_KEYS - 1)}
    assert desire(it, tree | {"log_level": "debug"})
    assert it.config.log_level == "debug"
    report = it.report()
    assert len(report.errors) == MAX_ERRORS + 1
    assert report.errors["…"] == f"and {MAX_KEYS - 1 - MAX_ERRORS} more"
    assert all(key.isprintable() for key in report.errors)
    assert len(encode(report)) < MAX_JSON_BYTES


@pytest.mark.parametrize(
    "tree",
    [None, 5, [], {"fleet": 1}, {"device": {}, "x": 1}, {"accepted": []}, {"fleet": {"a": 1e400}}],
)
def test_damage_to_what_was_kept_counts_as_nothing_or_is_judged_again(tree: Any) -> None:
    assert Shadow(FILES, recall(tree)).config == check(OWN)


def test_what_is_kept_cannot_reach_local_keys_either() -> None:
    evil = {"broker": {"url": "mqtt://evil"}, "pipelines": {"cam": {"delegate": "/tmp/e.so"}}}
    for tree in ({"accepted": evil}, {"device": evil}, {"fleet": evil, "accepted": evil}):
        assert Shadow(FILES, recall(tree)).config == check(OWN)


@settings(max_examples=30)
@given(DOCUMENTS)
def test_what_is_reported_holds_nothing_local(tree: Any) -> None:
    it = shadow()
    desire(it, tree)
    text = json.dumps(it.report().applied)
    assert not any(secret in text for secret in ("mqtt://own", "/opt/", '"delegate"', '"python"'))


def test_every_desired_message_is_answered_by_a_report_while_linked() -> None:
    rig = Rig()
    rig.receive("devices/dev/config/desired", CAM)
    assert rig.last("config/reported") is None
    rig.link_up()
    for payload in (b"{", CAM, CAM, b"", b"\xff"):
        rig.published.clear()
        rig.receive("devices/dev/config/desired", payload)
        assert len([m for m in rig.published if m.topic.endswith("/reported")]) == 1


def test_remote_configuration_outlives_the_agent() -> None:
    rig = Rig()
    rig.receive("fleet/config/desired", {"outbox": {"window": 9}})
    rig.receive("devices/dev/config/desired", {"metrics_interval_s": 5, "log_level": "nope"})
    again = Rig(remembered=rig.remembered)
    assert again.outbox._config.window == 9
    again.link_up()
    assert again.last("config/reported")["applied"]["metrics_interval_s"] == 5
    assert "log_level" in again.last("config/reported")["errors"]
