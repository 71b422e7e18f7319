"""MACs by operator, and the rows and table of `bench`."""

import pytest

from agent.bench.table import row, table
from agent.runtime.operators import Operator, macs


@pytest.mark.parametrize(
    ("operator", "count"),
    [
        (Operator("CONV_2D", ((1, 8, 8, 3), (16, 3, 3, 3), (16,)), ((1, 8, 8, 16),)), 27648),
        (Operator("DEPTHWISE_CONV_2D", ((1, 8, 8, 4), (1, 3, 3, 4), (4,)), ((1, 8, 8, 4),)), 2304),
        (Operator("FULLY_CONNECTED", ((1, 640), (128, 640), ()), ((1, 128),)), 81920),
        (Operator("TRANSPOSE_CONV", ((4,), (8, 2, 2, 3), (1, 4, 4, 3)), ((1, 8, 8, 8),)), 1536),
        (Operator("SOFTMAX", ((1, 10),), ((1, 10),)), 0),
        (Operator("BATCH_MATMUL", ((1, 2, 3), (1, 3, 4)), ((1, 2, 4),)), None),
    ],
    ids=lambda value: value.name if isinstance(value, Operator) else None,
)
def test_macs_of_one_operator(operator, count):
    assert macs([operator]) == count


def test_one_uncountable_operator_makes_the_sum_unknown():
    dense = Operator("FULLY_CONNECTED", ((1, 2), (3, 2)), ((1, 3),))
    assert macs([dense, dense]) == 12
    assert macs([dense, Operator("UNIDIRECTIONAL_SEQUENCE_LSTM", (), ())]) is None


ANSWER = {"median_ms": 0.5, "p99_ms": 1.0, "load_ms": 2.0, "rss_mb": 40.0, "macs": 1_000_000}


def test_a_row_has_the_keys_of_the_contract():
    measured = row("a/b.tflite", "tflite", ANSWER)
    assert list(measured)[:7] == [
        "model",
        "runtime",
        "median_ms",
        "p99_ms",
        "load_ms",
        "rss_mb",
        "ns_per_mac",
    ]
    assert measured["ns_per_mac"] == 0.5


@pytest.mark.parametrize("count", [None, 0])
def test_without_macs_there_is_no_time_per_mac(count):
    assert row("m", "tflite", {**ANSWER, "macs": count})["ns_per_mac"] is None


def test_a_failed_row_shows_its_error_and_widens_no_column():
    rows = [
        row("a/good.tflite", "tflite", ANSWER),
        row("bad", "tflite", {"error": "model bad is empty " + "x" * 100}),
        row("m", "tflite:none", {**ANSWER, "rss_mb": None}),
    ]
    head, good, bad, part = table(rows).splitlines()
    assert len(good) == len(head) == len(part)
    assert good.split() == ["good.tflite", "tflite", "0.500", "1.000", "2.0", "40.0", "0.5000"]
    assert bad.startswith("bad          tflite       model bad is empty")
    assert "–" in part
