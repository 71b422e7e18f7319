"""The installer's process: verifies a release's files, or tries its golden samples.

`InstallerProcess` starts it, and it ends with whoever did. The model's native code runs here first,
behind the walls that a pipeline has, so that what it does to a process it does to this one.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

from agent.adapters.durable import synchronise
from agent.config.device import PipelineConfig
from agent.errors import AgentError, ConfigError, UnavailableError
from agent.models.choice import MANIFEST, golden_name
from agent.models.request import Golden, Item, Report, Request, Verify
from agent.runtime.adapters.child import answer
from agent.runtime.adapters.orphan import be_an_errand
from broker.contract.bundle.manifest import MAX_MANIFEST_BYTES, read_manifest
from broker.contract.errors import MessageError
from broker.contract.shape import parse, to_tree

COPY_BYTES = 1 << 20


def verify(request: Verify) -> Report:
    """Copy every file into the new folder and see that what was written is what was named."""
    folder = Path(request.folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in folder.iterdir():
        left.unlink()
    for item in request.items:
        _copy(item, folder / item.name)
    synchronise(folder)
    return Report()


def _copy(item: Item, target: Path) -> None:
    digest, left = hashlib.sha256(), item.ref.bytes
    with Path(item.path).open("rb") as source, target.open("wb") as file:
        while left and (data := source.read(min(left, COPY_BYTES))):
            digest.update(data)
            file.write(data)
            left -= len(data)
        if left or source.read(1) or digest.hexdigest() != item.ref.sha256:
            raise OSError(None, "is not what it was fetched as", item.path)
        file.flush()
        os.fsync(file.fileno())


def golden(request: Golden) -> Report:
    """Load the model as the pipeline would, and see that it answers as it must.

    Raises:
        AgentError: it does not; the text says where.
    """
    from agent.models.installer.golden import check_samples, check_tensors, samples_of
    from agent.pipeline.adapters.assembling import Assembly, Places
    from agent.pipeline.adapters.confinement import confine
    from agent.pipeline.reach import Reach

    folder = Path(request.folder)
    manifest = read_manifest(_read(folder / MANIFEST, MAX_MANIFEST_BYTES))
    config = parse(PipelineConfig, request.config)
    if isinstance(config, list):
        raise ConfigError(f"its pipeline: {config[0]}")
    cache = None if request.cache is None else Path(request.cache)
    model = Assembly(config, Places(cache), lambda: 0).trial()
    check_tensors(manifest, model)
    tensors = [manifest.input.tensor], [one.tensor for one in manifest.outputs]
    refs = manifest.golden.inputs, manifest.golden.outputs
    inputs, outputs = (
        samples_of(_read(folder / golden_name(ref), ref.bytes), manifest.golden.count, specs)
        for ref, specs in zip(refs, tensors, strict=True)
    )
    confine(Reach())
    check_samples(manifest.golden, inputs, outputs, model.run)
    return Report()


def _read(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most)


def work(question: dict[str, Any]) -> dict[str, Any]:
    """Answer one request; what speaks against the release is in the report."""
    tree: dict[str, Any] = to_tree(_report(question))
    return tree


def _report(question: dict[str, Any]) -> Report:
    request = parse(Request, question)
    if isinstance(request, list):
        return Report(f"request of the installer: {request[0]}"[:400])
    try:
        return verify(request) if isinstance(request, Verify) else golden(request)
    except OSError as error:
        return Report(f"{error.filename or 'the disk'}: {error.strerror}"[:400])
    except UnavailableError as error:
        return Report(_line(error))
    except (AgentError, MessageError, MemoryError) as error:
        return Report(_line(error), is_final=True)


def _line(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:400]


if __name__ == "__main__":
    be_an_errand()
    answer(work)
