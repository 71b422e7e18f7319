"""What an aggregator finds in its folder and cannot use is named, and nothing is left behind."""

import shutil
import subprocess

import pytest

from broker.aggregator.adapters.store_sqlite import SqliteStore
from broker.aggregator.app import SPEC, Aggregator
from broker.aggregator.exporting.adapters.process import ExportProcess
from broker.aggregator.job.releasing import Order
from broker.contract.blobs import blob_ref
from broker.contract.bundle.manifest import TrainingRecord
from broker.contract.messages import encode
from broker.errors import ConfigError
from broker.fleet.broker_address import BrokerAddress
from tests.support.aggregation import START, job
from tests.support.aggregator_rig import CALIBRATION, npy, shipping_job

NOWHERE = BrokerAddress("127.0.0.1", 1)


def keep(path, payload: bytes, journal: bytes | None = None) -> None:
    """A job's file as an aggregator leaves it."""
    store = SqliteStore(path)
    store.put_vector(SPEC, payload)
    if journal is not None:
        store.append(journal)
    store.commit()
    store.close()


@pytest.mark.parametrize(
    ("payload", "journal", "why"),
    [
        (b"{", None, "not JSON"),
        (encode(job())[:-1] + b',"noise":true}', None, "noise: is not a known key"),
        (encode(job()), b'{"event":"Danced"}', "an event that is not known"),
        (encode(job()), b'{"event":"Lapsed"}', "Lapsed: number: is missing"),
        (encode(job()), b"[]", "an event that is not known"),
        (encode(job()), b"\xff", "not UTF-8"),
    ],
)
def test_a_job_that_cannot_be_read_names_its_file(payload, journal, why, tmp_path):
    keep(tmp_path / "digits.sqlite", payload, journal)
    with pytest.raises(ConfigError, match=rf"digits\.sqlite: .*{why}.*move it away"):
        Aggregator(NOWHERE, tmp_path)


def test_a_copy_of_a_job_is_not_taken_for_another(tmp_path):
    keep(tmp_path / "digits.sqlite", encode(job()))
    shutil.copy(tmp_path / "digits.sqlite", tmp_path / "digits-old.sqlite")
    with pytest.raises(ConfigError, match=r"digits-old\.sqlite: .*digits.*move it away"):
        Aggregator(NOWHERE, tmp_path)


def test_a_making_that_cannot_start_leaves_nothing_behind(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(12, "Cannot allocate memory")

    spec, files = shipping_job(1), {blob_ref(npy(CALIBRATION)): npy(CALIBRATION)}
    record = TrainingRecord(spec.id, 1, 4, spec.model.initial)
    order = Order(spec, 1, START.tobytes(), files, record, None)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(OSError, match="allocate"):
        ExportProcess(order, tmp_path)
    assert not list(tmp_path.iterdir()), "an operator's calibration was left"
