"""`selvedge fl start JOB.toml`: publish a job and its blobs."""

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

from broker.adapters.operator_link import OperatorLink
from broker.adapters.operator_options import add_broker_options, chosen_broker
from broker.contract.blobs import blob_chunks
from broker.contract.codec import encode_json
from broker.contract.errors import MessageError
from broker.contract.federated.channels import JobControlChannel, JobFileChannel, JobSpecChannel
from broker.contract.federated.job import MAX_JOB_BYTES
from broker.contract.outcome import Outcome
from broker.errors import UsageError
from broker.learning.job_file import Read, check_outcome, resolve
from broker.learning.progress import Progress
from broker.learning.watch_cli import add_watch_options, watched
from toolchain.export.adapters.engine_run import EngineRun


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    add_broker_options(parser)
    parser.add_argument("file", metavar="JOB", type=Path, help="the job as .toml or .json")
    parser.add_argument("--id", help="the job's name, instead of that in the file")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change a key, such as participation.goal=8; the value is JSON, or a word",
    )
    parser.add_argument(
        "--calibration",
        metavar="FILE",
        type=Path,
        help="inputs as .npy for quantizing the outcome; only the aggregator gets them",
    )
    add_watch_options(parser, "--wait")


def run(arguments: argparse.Namespace) -> Outcome:
    """Publish blobs first, the job last.

    Raises:
        UsageError: the file cannot be read, or the job is refused.
        LinkError: there is no broker, or it does not take them.
    """
    tree = read_tree(arguments.file)
    for text in [*([f"id={arguments.id}"] if arguments.id else []), *arguments.set]:
        changed(tree, text)
    if arguments.calibration is not None:
        changed(tree, f"outcome.calibration={json.dumps(str(arguments.calibration.absolute()))}")
    try:
        job = resolve(tree, reader(arguments.file.parent))
        check_outcome(job, EngineRun())
    except MessageError as error:
        raise UsageError(f"{arguments.file}: {error}") from None
    spec, address = job.spec, chosen_broker(arguments)
    topics = address.topics
    with OperatorLink(address) as link:
        for ref, data in job.blobs.items():
            for place, chunk in blob_chunks(ref, data):
                link.publish_retained(topics.topic(place), chunk)
        for ref, data in job.secret.items():
            for place, chunk in blob_chunks(ref, data):
                file = JobFileChannel(spec.id, place.sha256, place.bucket, place.chunk)
                link.publish_retained(topics.topic(file), chunk)
        control = encode_json({"wanted": "run"})
        link.publish_retained(topics.topic(JobControlChannel(spec.id)), control)
        link.publish_retained(topics.topic(JobSpecChannel(spec.id)), job.payload)
        if arguments.wait or arguments.out:
            return watched(link, Progress(topics, spec.id), spec.id, arguments)
    sent = sum(map(len, [*job.blobs.values(), *job.secret.values()]))
    text = f"job {spec.id}: {spec.rounds} rounds of {spec.model.parameters} parameters, "
    return Outcome(
        f"{text}{sent} bytes published; 'selvedge fl status {spec.id}' tells how it goes",
        {"job": spec.id, "parameters": spec.model.parameters, "published_bytes": sent},
    )


def read_tree(path: Path) -> dict[str, Any]:
    """A document in TOML or JSON.

    Raises:
        UsageError: it cannot be read, or is no object.
    """
    data = reader(Path())(str(path))
    if len(data) > MAX_JOB_BYTES:
        raise UsageError(f"{path}: has more than {MAX_JOB_BYTES} bytes")
    try:
        text = data.decode()
        tree = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: {error}") from None
    if not isinstance(tree, dict):
        raise UsageError(f"{path}: must be an object of keys and values")
    return tree


def reader(folder: Path) -> Read:
    """What gives the bytes of a path below a folder, or refuses with its name."""

    def read(name: str) -> bytes:
        try:
            return (folder / name).read_bytes()
        except OSError as error:
            raise UsageError(f"{folder / name}: {error.strerror}") from None

    return read


def changed(tree: dict[str, Any], text: str) -> None:
    """Do in place what `--set KEY=VALUE` says.

    Raises:
        UsageError: there is no such place.
    """
    path, equals, word = text.partition("=")
    *parents, last = path.split(".")
    if not equals or not last:
        raise UsageError(f"--set {text}: use KEY=VALUE, such as participation.goal=8")
    for key in parents:
        inner = tree.setdefault(key, {})
        if not isinstance(inner, dict):
            raise UsageError(f"--set {text}: {key} has no keys")
        tree = inner
    try:
        tree[last] = json.loads(word)
    except ValueError:
        tree[last] = word
