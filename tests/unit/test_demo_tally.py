"""What the demo counts: each result once, nothing that never came, and labels side by side."""

import pytest

from broker.contract.messages import Latency, Metrics, OutboxMetrics, PipelineMetrics, Result
from broker.demo.tally import Stream, Tally, report

LITE, WASM = Stream("d", "digits-tflite"), Stream("d", "digits-wasm3")
OTHER = Stream("e", "digits-tflite")


def result(sequence: int, index: int, label: str, runtime: str = "tflite", **more) -> Result:
    outputs = {"top": [{"label": label, "score": 1.0}], "active": label}
    latency = Latency(1, 2, 3, 9)
    name = f"x.npy[{index}]"
    return Result(sequence, 0, 0, True, "0" * 64, runtime, outputs, latency, name, **more)


@pytest.fixture
def tally() -> Tally:
    return Tally({LITE: [3, 5], WASM: [3, 5], OTHER: [7]})


def test_every_input_of_every_pipeline_is_awaited(tally):
    assert (tally.expected, tally.lost, tally.count) == (5, 5, 0)
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


def test_the_report_has_a_line_for_each_pipeline_that_answered(tally):
    tally.add(LITE, result(0, 0, "3"))
    tally.add(OTHER, result(0, 0, "7"))
    head, first, second = report(tally)
    assert head.split()[:2] == ["results", "preprocess"]
    assert first.split()[:4] == ["d", "tflite", "1", "1"]
    assert second.split()[:2] == ["e", "tflite"]
