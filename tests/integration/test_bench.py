"""`selvedge bench`: rows as the design names them; a model that fails does not stop the others."""

import json

import pytest

import selvedge
from tests.integration.test_runtime_tflite import MACS, shared

KEYS = {"model", "runtime", "median_ms", "p99_ms", "load_ms", "rss_mb", "ns_per_mac"}


def bench(capsys, *words: str) -> tuple[int, list[dict]]:
    code = selvedge.main(["bench", *words, "--repeat", "5", "--json"])
    return code, json.loads(capsys.readouterr().out)["results"]


def test_each_model_is_measured_under_each_runtime(capsys):
    models = [shared("kws_ref_model"), shared("ad01_int8")]
    code, rows = bench(capsys, *models, "--runtimes", "tflite,tflite:reference")
    assert code == 0
    assert [(row["model"], row["runtime"]) for row in rows] == [
        (model, runtime) for model in models for runtime in ("tflite", "tflite:reference")
    ]
    for row in rows:
        assert row.keys() >= KEYS
        assert all(row[key] > 0 for key in KEYS - {"model", "runtime"})
        assert row["p99_ms"] >= row["median_ms"]
        assert row["runs"] == 5
        assert row["ns_per_mac"] == pytest.approx(row["median_ms"] * 1e6 / row["macs"], rel=1e-3)
    assert rows[0]["macs"] == MACS["kws_ref_model"]
    assert rows[1]["detail"].endswith("reference")


def test_a_failing_model_is_listed_and_decides_the_exit_code(capsys):
    code, rows = bench(capsys, "/nowhere.tflite", shared("ad01_int8"))
    assert code == 4
    assert "cannot be read" in rows[0]["error"]
    assert rows[0]["median_ms"] is None
    assert rows[1]["median_ms"] > 0


def test_a_delegate_that_is_missing_is_not_the_models_fault(capsys):
    code, rows = bench(capsys, shared("ad01_int8"), "--runtimes", "tflite:/nowhere.so")
    assert code == 6
    assert "delegate /nowhere.so" in rows[0]["error"]


def test_people_read_a_table(capsys):
    assert selvedge.main(["bench", shared("ad01_int8"), "--repeat", "5"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == [
        "model",
        "runtime",
        "median_ms",
        "p99_ms",
        "load_ms",
        "rss_mb",
        "ns_per_mac",
    ]
    assert row.split()[:2] == ["ad01_int8.tflite", "tflite"]


@pytest.mark.parametrize(
    "words", [["--runtimes", "tflite,wasm"], ["--repeat", "0"], ["--runtimes", ""]]
)
def test_wrong_usage_ends_with_2(words):
    with pytest.raises(SystemExit) as end:
        selvedge.main(["bench", shared("ad01_int8"), *words])
    assert end.value.code == 2
