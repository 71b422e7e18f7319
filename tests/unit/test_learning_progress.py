"""What an operator sees of jobs, and the files that they start from."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from broker.contract.blobs import blob_ref
from broker.contract.bundle.manifest import Judged
from broker.contract.errors import MessageError
from broker.contract.federated.round import JobStatus, RoundReport
from broker.contract.messages import encode
from broker.contract.topics import Topics
from broker.errors import UsageError
from broker.learning.job_file import check_outcome, resolve
from broker.learning.plot import png
from broker.learning.progress import Progress, bar, line, series, to_csv
from tests.support.npy import npy

HISTORY = tuple(
    RoundReport(n, 4, 1, 100, 5_000, 2.5, 2.0 / n, 0.3 + n / 10, 2.5 / n) for n in (1, 2, 4)
)


def test_a_line_tells_rounds_updates_privacy_and_bytes():
    status = JobStatus("running", 6, 5, 2, 4, epsilon=1.234, history=HISTORY)
    text = line("digits", status)
    for word in ("digits  running", "3/6", "2/4", "ε 1.23", "0.01 MB", "accuracy 70.0 %"):
        assert word in text
    assert "[##########..........] 3/6" in text


def test_a_foreign_reason_cannot_move_the_cursor():
    status = JobStatus("refused", 0, reason="no\x1b[2J" + "x" * 300)
    assert "\x1b" not in line("j", status)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_bar_always_has_its_width(part, whole):
    assert len(bar(part, whole)) == 22


def test_csv_has_a_row_for_each_round_and_blanks_for_the_unknown():
    history = (*HISTORY, RoundReport(5, 3))
    rows = list(csv.DictReader(io.StringIO(to_csv(history))))
    assert [row["number"] for row in rows] == ["1", "2", "4", "5"]
    assert rows[1]["loss"] == "1.0"
    assert rows[3]["loss"] == rows[3]["accuracy"] == ""


def test_the_picture_has_a_panel_for_each_curve_and_shows_where_it_goes():
    curves = series(HISTORY)
    assert list(curves) == ["accuracy", "loss", "training loss", "bytes received"]
    image = np.asarray(Image.open(io.BytesIO(png(curves))))
    assert image.shape == (720, 720, 3)
    blue = (image == (20, 90, 170)).all(axis=2)
    heights = {}
    for panel in range(4):
        ys, xs = np.nonzero(blue[panel * 180 : (panel + 1) * 180])
        heights[panel] = ys[xs == xs.min()].mean(), ys[xs == xs.max()].mean()
    assert heights[0][0] > heights[0][1] + 50, "accuracy goes up"
    assert heights[1][0] < heights[1][1] - 50, "loss goes down"
    assert abs(heights[3][0] - heights[3][1]) < 2, "bytes stay"


@given(st.lists(st.floats(-1e9, 1e9), max_size=5))
def test_any_curve_can_be_drawn(values):
    curves = {"loss": list(enumerate(values, 1))} if values else {}
    assert Image.open(io.BytesIO(png(curves))).width == 720


def test_status_of_one_job_and_nothing_else_is_collected():
    topics = Topics()
    progress = Progress(topics, "a")
    progress.receive("selvedge/v1/fl/a/status", encode(JobStatus("running", 3)))
    progress.receive("selvedge/v1/fl/a/status", b"{")
    progress.receive("elsewhere", b"")
    assert list(progress.jobs) == ["a"]
    assert progress.filters == ["selvedge/v1/fl/a/status"]


FILES = {"head.f32": np.zeros(10, "<f4").tobytes(), "simd.wasm": b"\0asm", "empty": b""}


def document(**model):
    return {
        "id": "digits",
        "model": {
            "name": "head",
            "initial": "head.f32",
            "trainers": {"simd": "simd.wasm"},
            "example_floats": 4,
            **model,
        },
    }


def test_a_job_file_names_files():
    job = resolve(document(), FILES.__getitem__)
    spec, payload, blobs = job.spec, job.payload, job.blobs
    assert spec.model.parameters == 10
    assert spec.model.trainers == {"simd": blob_ref(b"\0asm")}
    assert set(blobs.values()) == {FILES["head.f32"], FILES["simd.wasm"]}
    assert b"head.f32" not in payload


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ({"initial": "empty"}, UsageError),
        ({"parameters": 9}, MessageError),
        ({"trainers": {}}, MessageError),
        ({"colour": 1}, MessageError),
    ],
)
def test_a_wrong_job_file_is_refused(model, error):
    with pytest.raises(error):
        resolve(document(**model), FILES.__getitem__)


NETWORK = {"input": [4], "layers": [{"kind": "dense", "units": 2}]}


def shipping(**outcome):
    """A job whose ten parameters are those of a network of 4 to 2."""
    tree = document(example_floats=4, labels=["no", "yes"])
    return tree | {"outcome": {"network": "net.json", **outcome}}


def files(**more: bytes):
    held = FILES | {"head.f32": np.arange(10, dtype="<f4").tobytes()}
    held |= {"net.json": json.dumps(NETWORK).encode(), "cal.npy": npy(np.eye(4, dtype="<f4"))}
    return (held | more).__getitem__


def never(_model, _inputs):
    raise AssertionError("nothing is run without a backbone")


def test_calibration_is_for_the_aggregator_alone_and_the_network_stands_in_the_job():
    job = resolve(shipping(calibration="cal.npy"), files())
    calibration = npy(np.eye(4, dtype="<f4"))
    assert job.secret == {blob_ref(calibration): calibration}
    assert calibration not in job.blobs.values()
    assert job.spec.outcome.network == NETWORK
    check_outcome(job, never)


@pytest.mark.parametrize(
    ("held", "why"),
    [
        ({"head.f32": np.arange(9, dtype="<f4").tobytes()}, "has 10 parameters, the vector 9"),
        ({"cal.npy": npy(np.zeros((3, 5), "<f4"))}, "calibration: its shape is"),
        ({"cal.npy": b"no array"}, "calibration: no .npy"),
        ({"net.json": b'{"input": [4], "layers": [{"kind": "conv3d"}]}'}, "network: layers"),
        ({"net.json": json.dumps(NETWORK | {"input": [1, 2, 1]}).encode()}, "takes 2 numbers"),
    ],
)
def test_a_job_that_could_not_ship_is_refused_before_it_starts(held, why):
    job = resolve(shipping(calibration="cal.npy"), files(**held))
    with pytest.raises(UsageError, match=why):
        check_outcome(job, never)


def test_a_network_that_is_no_json_is_refused():
    with pytest.raises(MessageError, match="not JSON"):
        resolve(shipping(), files(**{"net.json": b"{"}))


def test_a_line_tells_what_devices_found_and_what_was_shipped():
    judged = Judged(7, 212, 0.31, 1.9, 0.91, 0.4)
    text = line(
        "digits", JobStatus("done", 6, history=HISTORY, judged=judged, release=3, shipped=True)
    )
    for word in ("loss 1.9 → 0.31", "40.0 % → 91.0 % on 212 examples of 7 devices", "release 3"):
        assert word in text
    text = line("digits", JobStatus("evaluating", 6, 7, 2, 4, history=HISTORY))
    assert "answers [##########..........] 2/4" in text
    kept = JobStatus("done", 6, judged=Judged(1, 2, 0.5), release=3, shipped=False, reason="gate")
    assert "held-out loss 0.5  gate" in line("digits", kept)
