"""A job as an operator writes it: the document of the contract, with files instead of blobs."""

from collections.abc import Callable, Mapping
from typing import Any

from broker.aggregator.job.check import check_runnable
from broker.contract.blobs import MAX_BLOB_BYTES, BlobRef, blob_ref
from broker.contract.codec import encode_json
from broker.contract.federated.job import JobSpec, read_job
from broker.contract.shape import to_tree
from broker.errors import UsageError

Read = Callable[[str], bytes]


def resolve(tree: dict[str, Any], read: Read) -> tuple[JobSpec, bytes, dict[BlobRef, bytes]]:
    """Read the files that a job names.

    `model.initial`, `model.backbone` and the values of `model.trainers` may be paths;
    `model.parameters` then follows from the length of `model.initial`, little-endian float32.

    Args:
        tree: the document.
        read: the bytes of a path.

    Returns:
        The job, its document for the broker, and the blobs that it names.

    Raises:
        UsageError: a file is empty, too large, or no vector.
        MessageError: the document is refused.
    """
    blobs: dict[BlobRef, bytes] = {}

    def named(path: object) -> object:
        if not isinstance(path, str):
            return path
        data = read(path)
        if not 0 < len(data) <= MAX_BLOB_BYTES:
            raise UsageError(f"{path}: must have 1 to {MAX_BLOB_BYTES} bytes, has {len(data)}")
        ref = blob_ref(data)
        blobs[ref] = data
        return to_tree(ref)

    model = tree.get("model")
    if isinstance(model, dict):
        model = dict(model)
        initial, trainers = named(model.get("initial")), model.get("trainers")
        model["initial"] = initial
        if "backbone" in model:
            model["backbone"] = named(model["backbone"])
        if isinstance(trainers, dict):
            model["trainers"] = {target: named(path) for target, path in trainers.items()}
        if isinstance(initial, Mapping) and "parameters" not in model:
            model["parameters"] = int(initial.get("bytes", 0)) // 4
        tree = {**tree, "model": model}
    payload = encode_json(tree)
    spec = read_job(payload)
    check_runnable(spec)
    return spec, payload, blobs
