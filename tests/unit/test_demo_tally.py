"""What the demo counts: each result once, nothing that never came, and labels side by side."""

import pytest

from broker.contract.messages import Latency, Metrics, OutboxMetrics, PipelineMetrics, Result
from broker.demo.tally import Stream, Tally, report

LITE, WASM = Stream("d", "digits-tflite"), Stream("d", "digits-wasm3")
OTHER = Stream("e", "digits-tflite")


def result(
    sequence: int, index: int, label: str, runtime: str = "tflite", model: str = "0", **more
) -> Result:
    outputs = {"top": [{"label": label, "score": 1.0}], "active": label}
    latency = Latency(1, 2, 3, 9)
    name = f"x.npy[{index}]"
    return Result(
        sequence, 0, 40 * sequence, True, model * 64, runtime, outputs, latency, name, **more
    )


@pytest.fixture
def tally() -> Tally:
    return Tally({LITE: [3, 5], WASM: [3, 5], OTHER: [7]})


def test_every_input_of_every_pipeline_is_awaited(tally):
    assert (tally.lost, tally.count) == (5, 0)
    tally.add(LITE, result(0, 0, "3"))
    tally.add(LITE, result(0, 0, "3"))
    tally.add(WASM, result(0, 1, "5", "wasm3", late=True))
    assert (tally.lost, tally.count, tally.duplicates, tally.late) == (3, 2, 1, 1)
    assert tally.runtimes == {"tflite", "wasm3"}
    assert tally.accuracy() == 1.0


def test_labels_are_compared_where_all_pipelines_answered(tally):
    assert tally.agreed("d") == (0, 0)
    for stream, labels in ((LITE, "35"), (WASM, "39")):
        for index, label in enumerate(labels):
            tally.add(stream, result(index, index, label))
    assert tally.agreed("d") == (1, 2)
    assert tally.accuracy() == 0.75
    assert tally.agreed("e") == (0, 0)


def test_what_a_busy_machine_let_pass_is_not_lost(tally):
    pipelines = {LITE.pipeline: PipelineMetrics(1, 1, 1, 0, 4096)}
    metrics = Metrics(0, 0, 8192, 0.0, 0, 1, 0, OutboxMetrics(0, 0, 0, True), None, pipelines)
    for _ in range(2):
        tally.measure("d", metrics)
    assert tally.device_rss_bytes("d") == 4096 + 8192
    tally.add(LITE, result(0, 1, "5"))
    assert tally.lost == 3


def test_each_model_is_judged_by_the_same_digits_each_counted_once(tally):
    for sequence, (index, label, model) in enumerate(
        [(0, "3", "0"), (1, "3", "0"), (0, "9", "0"), (1, "5", "1"), (0, "3", "1"), (1, "4", "1")]
    ):
        tally.add(LITE, result(sequence, index, label, model=model))
    assert tally.models == {"0" * 64, "1" * 64}
    assert tally.accuracy(models={"0" * 64}) == 0.5
    assert tally.accuracy([LITE], {"1" * 64}) == 1.0
    assert tally.accuracy([OTHER]) is None
    assert tally.answered(LITE, {"1" * 64}) == 2
    assert tally.gap_ms(LITE, {"0" * 64}) == 40
    assert tally.gap_ms(OTHER, {"0" * 64}) is None


def test_of_an_endless_stream_the_gaps_are_counted():
    tally = Tally({LITE: [3, 5, 7]}, endless=frozenset({LITE}))
    for sequence, index in enumerate([0, 1, 2, 0, 1]):
        tally.add(LITE, result(sequence, index, "3"))
    assert tally.lost == 0
    tally.add(LITE, result(6, 0, "3"))
    assert tally.lost == 1, "the picture with index 2 is missing"
    tally.add(LITE, result(5, 2, "3", late=True))
    assert tally.lost == 0
    tally.add(LITE, result(8, 2, "3"))
    tally.stop()
    assert tally.lost == 1
    tally.add(LITE, result(9, 0, "3"))
    assert tally.count == 8, "what comes after the stop is not counted"
    tally.add(LITE, result(7, 1, "3", late=True))
    assert tally.lost == 0, "what was before it is"


def test_a_child_that_begins_anew_is_seen():
    tally = Tally({LITE: [3, 5, 7]}, endless=frozenset({LITE}))
    for sequence, index in enumerate([0, 1, 0]):
        tally.add(LITE, result(sequence, index, "3"))
    assert tally.lost == 1


def test_the_report_has_a_line_for_each_pipeline_that_answered(tally):
    tally.add(LITE, result(0, 0, "3"))
    tally.add(OTHER, result(0, 0, "7"))
    head, first, second = report(tally)
    assert head.split()[:2] == ["results", "preprocess"]
    assert first.split()[:4] == ["d", "tflite", "1", "1"]
    assert second.split()[:2] == ["e", "tflite"]
