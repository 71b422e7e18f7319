"""Taking in a remote document: every good key, no bad one, and nothing that is local only."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.device import LOCAL_ONLY, DeviceConfig, remote_schema
from agent.config.layers import Layers, admit, check, get, has, leaves, merge
from agent.control.shadow import without_local
from agent.errors import ConfigError
from broker.contract.shape import to_tree
from tests.support.config_documents import DOCUMENTS, NEW, OWN, document

FILES = Layers(below=OWN)


def local_values(config: DeviceConfig) -> dict[str, Any]:
    tree = to_tree(config)
    values = {key: tree.get(key) for key in ("device_id", "state_dir", "broker")}
    for name, pipeline in tree["pipelines"].items():
        values[f"{name} delegate"] = pipeline["delegate"]
        if pipeline["source"]["kind"] == "picamera2":
            values[f"{name} python"] = pipeline["source"]["python"]
    return values


ALLOWED = {
    "cam delegate": {"/opt/delegate.so", "xnnpack"},
    "cam python": {"/opt/python", "/usr/bin/python3"},
}
"""Its own, or, when a remote document removed the pipeline and made one anew, the default."""


@given(DOCUMENTS, DOCUMENTS)
def test_whatever_comes_the_result_is_valid_and_local_keys_are_untouched(
    wanted: Any, before: Any
) -> None:
    accepted = admit(FILES, before, {}).patch
    admitted = admit(FILES, wanted, accepted)
    assert check(to_tree(admitted.config)) == admitted.config
    assert check(merge(OWN, admitted.patch)) == admitted.config
    for key, value in local_values(admitted.config).items():
        if key in ("device_id", "state_dir", "broker"):
            assert value == to_tree(check(OWN)).get(key)
        else:
            assert value in ALLOWED.get(key, {"xnnpack", "/usr/bin/python3"}), key
    for path in leaves(admitted.patch):
        assert not any(
            len(path) >= len(pattern)
            and all(w in ("*", g) for w, g in zip(pattern, path, strict=False))
            for pattern in LOCAL_ONLY
        )
    for key, text in admitted.errors.items():
        assert key
        assert text
        assert "\n" not in text


@given(DOCUMENTS)
def test_a_document_without_a_fault_is_in_force_whole(wanted: Any) -> None:
    admitted = admit(FILES, wanted, {})
    if not admitted.errors:
        assert admitted.patch == wanted
        assert check(merge(OWN, wanted)) == admitted.config


@given(DOCUMENTS)
def test_what_was_admitted_is_admitted_again_without_a_fault(wanted: Any) -> None:
    first = admit(FILES, wanted, {})
    again = admit(FILES, first.patch, first.patch)
    assert again.config == first.config
    assert not again.errors


GOOD = {
    ("log_level",): "debug",
    ("metrics_interval_s",): 7.5,
    ("outbox", "window"): 12,
    ("outbox", "max_age_s"): 99,
    ("pipelines", "cam", "threads"): 3,
    ("pipelines", "cam", "postprocess", "top_k"): 4,
    ("pipelines", "cam", "postprocess", "threshold"): 0.95,
    ("pipelines", "cam", "source", "rate_hz"): 2.5,
    ("pipelines", "mic", "priority"): 9,
    ("pipelines", "mic", "preprocess", "mel_bins"): 64,
    ("pipelines", "new"): NEW,
}
BAD = {
    ("log_levle",): "debug",
    ("metrics_interval_s",): -1,
    ("outbox", "limit_bytes"): 10**30,
    ("outbox", "commit_interval_ms"): True,
    ("pipelines", "cam", "model"): 5,
    ("pipelines", "cam", "deadline_ms"): "soon",
    ("pipelines", "cam", "source", "width"): 1e9,
    ("pipelines", "cam", "source", "hight"): 4,
    ("pipelines", "cam", "source", "python"): "/tmp/evil",
    ("pipelines", "cam", "postprocess", "debounce"): 0,
    ("pipelines", "cam", "postprocess", "release"): 0.99,
    ("pipelines", "mic", "preprocess", "upper_hz"): 9000,
    ("pipelines", "mic", "preprocess", "coefficients"): 500,
    ("pipelines", "mic", "source"): {"kind": "mqtt"},
    ("pipelines", "half"): {"source": {"kind": "replay", "path": "/data"}},
    ("pipelines", "UPPER"): NEW,
    ("broker",): {"url": "mqtt://evil"},
}


def reasons(errors: dict[str, str], path: tuple[str, ...]) -> list[str]:
    """The errors at a path, above it or below it."""
    dotted = ".".join(path)
    return [
        text
        for key, text in errors.items()
        if key == dotted or key.startswith(dotted + ".") or dotted.startswith(key + ".")
    ]


@given(st.sets(st.sampled_from(sorted(GOOD)), min_size=1), st.sets(st.sampled_from(sorted(BAD))))
@settings(max_examples=150)
def test_every_good_key_is_in_force_and_every_bad_one_is_named(
    good: set[tuple[str, ...]], bad: set[tuple[str, ...]]
) -> None:
    good -= bad
    if ("pipelines", "cam", "postprocess", "release") in bad:
        good -= {("pipelines", "cam", "postprocess", "threshold")}  # the other side of it
    if ("pipelines", "mic", "preprocess", "coefficients") in bad:
        good -= {("pipelines", "mic", "preprocess", "mel_bins")}
    wanted = document([(path, GOOD[path]) for path in sorted(good)])
    wanted = merge(wanted, document([(path, BAD[path]) for path in sorted(bad)]))
    admitted = admit(FILES, wanted, {})
    tree = to_tree(admitted.config)
    for path in good:
        expected = GOOD[path]
        held = get(tree, path)
        if isinstance(expected, dict):
            assert merge(held, expected) == held, path
        else:
            assert held == expected, path
    for path in bad:
        assert reasons(admitted.errors, path), path
        assert not has(tree, path) or get(tree, path) != BAD[path]


@pytest.mark.parametrize("path", sorted(BAD))
def test_a_bad_key_keeps_the_value_that_was_accepted_before(path: tuple[str, ...]) -> None:
    accepted_values = {
        ("metrics_interval_s",): 3.0,
        ("outbox", "limit_bytes"): 99_999,
        ("outbox", "commit_interval_ms"): 17,
        ("pipelines", "cam", "model"): "/before.tflite",
        ("pipelines", "cam", "deadline_ms"): 777,
        ("pipelines", "cam", "source", "width"): 64,
        ("pipelines", "cam", "postprocess", "debounce"): 6,
        ("pipelines", "cam", "postprocess", "release"): 0.1,
        ("pipelines", "mic", "preprocess", "upper_hz"): 5000.0,
        ("pipelines", "mic", "preprocess", "coefficients"): 9,
        ("pipelines", "mic", "source"): {"kind": "alsa", "chunk_ms": 50},
    }
    if path not in accepted_values:
        accepted_values[path] = None
        before = admit(FILES, {}, {})
    else:
        before = admit(FILES, document([(path, accepted_values[path])]), {})
        assert not before.errors
    after = admit(FILES, document([(path, BAD[path])]), before.patch)
    assert to_tree(after.config) == to_tree(before.config)
    assert reasons(after.errors, path)


def test_a_contradiction_costs_only_the_key_that_made_it() -> None:
    wanted = document(
        [
            (("pipelines", "cam", "postprocess", "threshold"), 0.5),  # release is 0.8 in the file
            (("pipelines", "cam", "postprocess", "top_k"), 5),
        ]
    )
    admitted = admit(FILES, wanted, {})
    post = admitted.config.pipelines["cam"].postprocess
    assert (post.threshold, post.release, post.top_k) == (0.9, 0.8, 5)
    assert admitted.errors == {
        "pipelines.cam.postprocess.threshold": "release 0.8 must not exceed threshold 0.5"
    }


def test_an_accepted_value_that_no_longer_fits_goes_too() -> None:
    path = ("pipelines", "cam", "postprocess", "release")
    accepted = document([(path, 0.85)])
    files = Layers(merge(OWN, document([((*path[:-1], "threshold"), 0.82)])))
    admitted = admit(files, document([(path, 7)]), accepted)
    assert get(to_tree(admitted.config), path) == 0.8


def test_what_the_device_overrides_is_said_and_the_rest_is_in_force() -> None:
    layers = Layers(
        OWN, {"outbox": {"window": 5}, "pipelines": {"cam": {"source": {"rate_hz": 1}}}}
    )
    wanted = {
        "outbox": {"window": 7, "max_age_s": 60},
        "pipelines": {"cam": {"source": {"rate_hz": 3}}},
    }
    admitted = admit(layers, wanted, {})
    assert admitted.config.outbox.window == 5
    assert admitted.config.outbox.max_age_s == 60
    assert set(admitted.errors) == {"outbox.window", "pipelines.cam.source.rate_hz"}


def test_an_override_of_another_kind_hides_all_that_is_under_it() -> None:
    layers = Layers(OWN, {"pipelines": {"cam": {"source": {"kind": "v4l2"}}}})
    admitted = admit(layers, {"pipelines": {"cam": {"source": {"camera": 3}}}}, {})
    assert admitted.config.pipelines["cam"].source.kind == "v4l2"
    assert set(admitted.errors) == {"pipelines.cam.source.camera"}


def test_a_device_that_is_wrong_alone_is_an_error_and_no_endless_loop() -> None:
    with pytest.raises(ConfigError, match=r"outbox\.window"):
        admit(Layers({"outbox": {"window": 0}}), {"log_level": "debug", "x": 1}, {"log_level": 5})


@pytest.mark.parametrize(
    "wanted",
    [
        {"pipelines": {"cam": {"source": {"kind": "picamera2", "python": "/tmp/evil"}}}},
        {"pipelines": {"cam": {"source": {"python": "/tmp/evil"}}}},
        {"pipelines": {"cam": {"source": {"python": None}}}},
        {"pipelines": {"cam": {"source": {"python": {}}}}},
        {"pipelines": {"cam": {"source": {"python": {"a": {"b": "/tmp/evil"}}}}}},
        {"pipelines": {"cam": {"source": {"python": ["/tmp/evil"]}}}},
        {"pipelines": {"cam": {"delegate": "/tmp/evil"}}},
        {"pipelines": {"cam": {"delegate": None}}},
        {"broker": None},
        {"broker": {}},
        {"broker": {"password_file": {"x": {}}}},
        {"device_id": None, "state_dir": {"a": "b"}},
    ],
)
def test_no_shape_of_document_reaches_a_local_key(wanted: Any) -> None:
    admitted = admit(FILES, wanted, wanted)  # nor by way of what is remembered
    assert admitted.config == check(OWN)
    assert admitted.errors
    assert all("on the device itself only" in text for text in admitted.errors.values())


def test_what_was_accepted_by_an_older_version_reaches_no_local_key_either() -> None:
    accepted = {"pipelines": {"cam": {"delegate": "/tmp/evil", "threads": 2}}}
    admitted = admit(FILES, {"pipelines": {"cam": 5}}, accepted)
    assert admitted.config.pipelines["cam"].threads == 2
    assert admitted.config.pipelines["cam"].delegate == "/opt/delegate.so"


def test_a_new_pipeline_gets_the_defaults_of_local_keys() -> None:
    evil = {"delegate": "/tmp/e.so", "source": {"kind": "picamera2", "python": "/tmp/e"}}
    admitted = admit(FILES, {"pipelines": {"new": NEW | evil}}, {})
    pipeline = admitted.config.pipelines["new"]
    assert pipeline.delegate == "xnnpack"
    assert pipeline.source.python == "/usr/bin/python3"
    assert len(admitted.errors) == 2


def test_the_schema_names_no_local_key_and_the_report_shows_none() -> None:
    schema = remote_schema()
    assert not {"device_id", "state_dir", "broker"} & schema["properties"].keys()
    pipeline = schema["properties"]["pipelines"]["additionalProperties"]["properties"]
    assert "delegate" not in pipeline
    assert "model" in pipeline
    assert all("python" not in arm["properties"] for arm in pipeline["source"]["oneOf"])
    text = json.dumps(without_local(to_tree(check(OWN))))
    assert not any(secret in text for secret in ("/opt/", "own", "broker"))
    assert "/m.tflite" in text


@pytest.mark.parametrize(
    ("wanted", "key", "words"),
    [
        ({"metrics_interval_s": -1}, "metrics_interval_s", "at least 0.1, got -1"),
        ({"metrics_interval_s": True}, "metrics_interval_s", "a number, got True"),
        ({"metrics_interval_s": 10**400}, "metrics_interval_s", "finite"),
        ({"metrics_interval_s": float("nan")}, "metrics_interval_s", "finite"),
        ({"metrics_interval_s": float("inf")}, "metrics_interval_s", "finite"),
        ({"outbox": {"window": True}}, "outbox.window", "a whole number, got True"),
        ({"outbox": {"window": 1.5}}, "outbox.window", "a whole number, got 1.5"),
        ({"outbox": {"window": 10**400}}, "outbox.window", "at most 1000"),
        ({"outbox": {"windoww": 1}}, "outbox.windoww", "did you mean window?"),
        ({"log_levl": "x"}, "log_levl", "did you mean log_level?"),
        ({"log_level": 1}, "log_level", "one of debug, info, warning, error; got 1"),
        ({"outbox": [1]}, "outbox", "must be an object, got [1]"),
        ({"pipelines": {"cam": 1}}, "pipelines.cam", "must be an object, got 1"),
        (
            {"pipelines": {"cam": {"source": {"rate_hz": -5}}}},
            "pipelines.cam.source.rate_hz",
            "above 0, got -5",
        ),
        (
            {"pipelines": {"cam": {"source": {"kind": "camera"}}}},
            "pipelines.cam.source.kind",
            "choose from replay, v4l2",
        ),
    ],
)
def test_a_refusal_is_one_line_that_says_what_would_be_right(
    wanted: Any, key: str, words: str
) -> None:
    admitted = admit(FILES, wanted, {})
    assert set(admitted.errors) == {key}
    assert words in admitted.errors[key]
    assert "\n" not in admitted.errors[key]
    assert admitted.config == check(OWN)
