"""The device's own layers: files, environment, command line; who wins, and who is named."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.layers import admit, check, leaves, merge
from agent.config.local import from_assignments, from_environment, origins, stack
from agent.errors import ConfigError
from broker.contract.shape import to_tree
from tests.support.config_documents import DOCUMENTS, NEW, OWN

LEVELS = ["default", "file", "second file", "desired", "environment", "command line"]


@pytest.mark.parametrize("strongest", range(len(LEVELS)))
def test_command_line_beats_environment_beats_desired_beats_files(strongest: int) -> None:
    trees = [{"outbox": {"window": 10 + level}} if level <= strongest else {} for level in range(6)]
    trees[0] = {}
    files = [("file", trees[1]), ("second file", trees[2])]
    layers, own = stack(files, trees[4], trees[5])
    admitted = admit(layers, trees[3], {})
    expected = 10 + strongest if strongest else 64
    assert admitted.config.outbox.window == expected
    found = origins(
        admitted.config,
        [
            *files,
            ("desired", admitted.patch),
            ("environment", trees[4]),
            ("command line", trees[5]),
        ],
    )
    assert found[("outbox", "window")] == (expected, LEVELS[strongest])
    assert found[("log_level",)] == ("info", "default")
    if LEVELS[strongest] not in ("desired",):
        assert own == admitted.config


@given(DOCUMENTS, DOCUMENTS, DOCUMENTS, DOCUMENTS)
def test_the_device_alone_is_valid_or_refused_and_remote_never_breaks_it(
    file: Any, environment: Any, command_line: Any, wanted: Any
) -> None:
    refusal = ""
    try:
        layers, config = stack([("base", OWN), ("file", file)], environment, command_line)
    except ConfigError as error:
        refusal = str(error)
    if refusal:
        assert len(refusal.splitlines()) == 1
        assert refusal.startswith(("file: ", "environment: ", "command line: "))
        return
    assert check(merge(merge(merge(OWN, file), environment), command_line)) == config
    assert admit(layers, {}, {}).config == config
    remote = admit(layers, wanted, {}).config
    assert check(to_tree(remote)) == remote
    for path in leaves(command_line):
        value = _at(command_line, path)
        if not isinstance(value, dict) and value is not None:
            assert _at(to_tree(remote), path) == value


def test_origins_cover_every_value_in_force_and_forget_what_another_kind_replaced() -> None:
    files = [("file", OWN)]
    desired = {"pipelines": {"cam": {"source": {"kind": "v4l2"}}, "new": NEW}}
    layers, _ = stack(files, {}, {})
    config = admit(layers, desired, {}).config
    found = origins(config, [*files, ("desired", desired)])
    assert {path: value for path, (value, _) in found.items()} == {
        path: _at(to_tree(config), path) for path in leaves(to_tree(config))
    }
    source = ("pipelines", "cam", "source")
    assert found[(*source, "kind")] == ("v4l2", "desired")
    assert found[(*source, "rate_hz")] == (10.0, "default")  # the file's was the other kind's
    assert found[("pipelines", "new", "model")] == ("/n.tflite", "desired")
    assert found[("pipelines", "mic", "model")] == ("/m.tflite", "file")


def test_a_null_of_the_environment_takes_away_what_a_file_gives() -> None:
    layers, config = stack([("file", OWN)], {"pipelines": {"mic": None}}, {})
    assert set(config.pipelines) == {"cam"}
    mic = OWN["pipelines"]["mic"]
    assert set(admit(layers, {"pipelines": {"mic": mic}}, {}).config.pipelines) == {"cam"}


def test_words_and_variables_become_a_tree() -> None:
    assert from_assignments(["outbox.window=5", "broker.url=mqtt://a:1", "log_level=debug"]) == {
        "outbox": {"window": 5},
        "broker": {"url": "mqtt://a:1"},
        "log_level": "debug",
    }
    variables = {
        "SELVEDGE_BROKER__URL": "mqtt://b",
        "SELVEDGE_PIPELINES__CAM__THREADS": "2",
        "SELVEDGE_OUTBOX": '{"window": 9}',
        "SELVEDGE_OUTBOX__MAX_AGE_S": "60",
        "SELVEDGE_HARDWARE_CAMERA": "1",
        "SELVEDGE_": "x",
        "SELVEDGE_BROKER__": "x",
        "SELVEDGE___URL": "x",
        "OTHER_BROKER__URL": "x",
    }
    assert from_environment(variables) == {
        "broker": {"url": "mqtt://b"},
        "pipelines": {"cam": {"threads": 2}},
        "outbox": {"window": 9, "max_age_s": 60},
    }


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("broker.protocol=5", "5"),
        ("device_id=123", "123"),
        ('device_id="123"', "123"),
        ("broker.username=null", None),
        ("broker.username=true", "true"),
        ("pipelines.cam.source.path=7", "7"),
        ("pipelines.cam.threads=7", 7),
        ("pipelines.cam.postprocess.kind=1", "1"),
        ("pipelines.cam.enabled=false", False),
        ("pipelines.cam.preprocess.power=2", 2),
        ("metrics_interval_s=1e1", 10.0),
        ("outbox={}", {}),
        ("broker.url=a=b", "a=b"),
        ("log_level=", ""),
        ("outbox.window=" + "[" * 100_000, "[" * 100_000),
    ],
)
def test_a_word_is_read_as_its_key_calls_for(word: str, value: object) -> None:
    tree: Any = from_assignments([word])
    for key in word.partition("=")[0].split("."):
        tree = tree[key]
    assert tree == value
    assert type(tree) is type(value)


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_word_is_a_tree_or_one_line(key: str, value: str) -> None:
    refusal = "one line"
    try:
        stack([], {}, from_assignments([f"{key}={value}"]))
    except ConfigError as error:
        refusal = str(error)
    assert len(refusal.splitlines()) == 1


@given(st.dictionaries(st.from_regex(r"(SELVEDGE_)?[A-Z_]{0,20}", fullmatch=True), st.text()))
def test_any_environment_is_a_tree(variables: dict[str, str]) -> None:
    assert isinstance(from_environment(variables), dict)


@pytest.mark.parametrize("word", ["a", "=1", ".a=1", "a..b=1", "", "." * 5000 + "=1", "a." * 99])
def test_a_word_without_key_or_equals_sign_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match=r"write it as key\.key=value"):
        from_assignments([word])


def test_very_many_levels_are_refused_or_ignored() -> None:
    deep = ".".join(["pipelines"] + ["a"] * 5000)
    with pytest.raises(ConfigError):
        from_assignments([f"{deep}=1"])
    assert from_environment({"SELVEDGE_" + deep.upper().replace(".", "__"): "1"}) == {}


@pytest.mark.parametrize(
    ("files", "environment", "words", "text"),
    [
        ([("a.toml", {"outbox": {"window": 0}})], {}, {}, "a.toml: outbox.window: must be at lea"),
        ([], {"metrics_interval_s": -1}, {}, "environment: metrics_interval_s: must be at least"),
        ([], {}, {"metrics_intervall_s": 1}, "did you mean metrics_interval_s?"),
        ([], {}, {"log_level": "x", "outbox": {"window": "x"}}, "(and 1 more)"),
        ([], {}, {"device_id": "a/+"}, "command line: device_id: must be 1 to 64 of a-z 0-9 _ -"),
        ([], {}, {"broker": {"url": "tcp://x"}}, "mqtt://host[:port]"),
        ([], {}, {"broker": {"prefix": "a/#"}}, "broker.prefix"),
        ([], {}, {"broker": {"cert": "/c"}}, "cert and key must be given together"),
        ([], {}, {"state_dir": "/a\0b"}, "a path without NUL"),
    ],
)
def test_a_wrong_value_names_layer_key_and_remedy(
    files: Any, environment: Any, words: Any, text: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        stack(files, environment, words)
    assert text in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("topic", ["#", "a/#/b", "+", "a/+/b", "a\0", "a\n", "", "\x85", "\ufffe"])
def test_a_topic_that_would_cost_the_connection_is_refused(topic: str) -> None:
    source = {"kind": "mqtt", "topic": topic}
    pipelines = {"a": {"source": source, "model": "m", "postprocess": {"kind": "regress"}}}
    with pytest.raises(ConfigError, match=r"source\.topic"):
        stack([("file", {"pipelines": pipelines})], {}, {})


def _at(tree: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree
