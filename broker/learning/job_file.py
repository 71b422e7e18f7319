"""A job as an operator writes it: the document of the contract, with files instead of blobs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from broker.aggregator.job.check import check_runnable
from broker.contract.blobs import MAX_BLOB_BYTES, BlobRef, blob_ref
from broker.contract.codec import decode_json, encode_json
from broker.contract.federated.job import MAX_JOB_BYTES, JobSpec, read_job
from broker.contract.shape import to_tree
from broker.errors import UsageError
from toolchain.errors import ModelRefused, UnavailableError
from toolchain.export.quantize import Run
from toolchain.export.release import Files, quantized

Read = Callable[[str], bytes]
Blobs = dict[BlobRef, bytes]


@dataclass(frozen=True)
class JobFile:
    """A job that can be published.

    Attributes:
        payload: its document for the broker.
        blobs: the files that it names; `secret`: those that are for the aggregator alone.
    """

    spec: JobSpec
    payload: bytes
    blobs: Blobs
    secret: Blobs


def resolve(tree: dict[str, Any], read: Read) -> JobFile:
    """Read the files that a job names.

    `model.initial`, `model.backbone`, the values of `model.trainers`, `outcome.network` and
    `outcome.calibration` may be paths; `model.parameters` then follows from the length of
    `model.initial`, little-endian float32.

    Args:
        tree: the document.
        read: the bytes of a path.

    Raises:
        UsageError: a file is empty, too large, or not what it should be.
        MessageError: the document is refused.
    """
    blobs: Blobs = {}
    secret: Blobs = {}
    tree = dict(tree)
    if isinstance(model := tree.get("model"), dict):
        tree["model"] = _model(model, read, blobs)
    if isinstance(outcome := tree.get("outcome"), dict):
        tree["outcome"] = _outcome(outcome, read, secret)
    payload = encode_json(tree)
    spec = read_job(payload)
    check_runnable(spec)
    return JobFile(spec, payload, blobs, secret)


def _model(model: dict[str, Any], read: Read, blobs: Blobs) -> dict[str, Any]:
    initial, trainers = _named(model.get("initial"), read, blobs), model.get("trainers")
    model = {**model, "initial": initial}
    if "backbone" in model:
        model["backbone"] = _named(model["backbone"], read, blobs)
    if isinstance(trainers, dict):
        model["trainers"] = {name: _named(path, read, blobs) for name, path in trainers.items()}
    if isinstance(initial, Mapping) and "parameters" not in model:
        model["parameters"] = int(initial.get("bytes", 0)) // 4
    return model


def _outcome(outcome: dict[str, Any], read: Read, secret: Blobs) -> dict[str, Any]:
    outcome = dict(outcome)
    if isinstance(network := outcome.get("network"), str):
        outcome["network"] = decode_json(read(network), limit=MAX_JOB_BYTES)
    if "calibration" in outcome:
        outcome["calibration"] = _named(outcome["calibration"], read, secret)
    return outcome


def _named(path: object, read: Read, blobs: Blobs) -> object:
    """A path as the name of its content; what is no path stays."""
    if not isinstance(path, str):
        return path
    data = read(path)
    if not 0 < len(data) <= MAX_BLOB_BYTES:
        raise UsageError(f"{path}: must have 1 to {MAX_BLOB_BYTES} bytes, has {len(data)}")
    ref = blob_ref(data)
    blobs[ref] = data
    return to_tree(ref)


def check_outcome(job: JobFile, run: Run) -> None:
    """Quantize the first parameters, so that a job that could not ship is refused at once.

    Args:
        job: as resolved; what it names without a file cannot be looked at.
        run: for the features of a backbone.

    Raises:
        UsageError: network, parameters, backbone and calibration do not go together.
    """
    spec, initial, files = job.spec, job.blobs.get(job.spec.model.initial), outcome_files(job)
    if spec.outcome is None or initial is None or files is None:
        return
    try:
        quantized(spec, np.frombuffer(initial, "<f4").astype(np.float32), files, run)
    except ModelRefused as error:
        raise UsageError(f"the job could not ship its model: {error}") from None
    except UnavailableError:
        return  # a machine that cannot run a backbone: the aggregator's word will do


def outcome_files(job: JobFile) -> Files | None:
    """What a release is made of beside the parameters; None if the file names only digests."""
    backbone = job.spec.model.backbone
    calibration = None if job.spec.outcome is None else job.spec.outcome.calibration
    files = Files(
        None if backbone is None else job.blobs.get(backbone),
        None if calibration is None else job.secret.get(calibration),
    )
    whole = (backbone is None) == (files.backbone is None)
    return files if whole and (calibration is None) == (files.calibration is None) else None
