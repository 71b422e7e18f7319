"""`selvedge fl export JOB.toml PARAMETERS DIR`: what a job would ship, without a job."""

import argparse
import json
from pathlib import Path

import numpy as np

from broker.contract.blobs import blob_ref
from broker.contract.bundle.manifest import Manifest, TrainingRecord, read_manifest
from broker.contract.errors import MessageError
from broker.contract.outcome import Outcome
from broker.contract.shape import to_tree
from broker.errors import UsageError
from broker.learning.job_file import JobFile, outcome_files, resolve
from broker.learning.start_cli import changed, read_tree, reader
from toolchain.convert.adapters.output_file import save
from toolchain.convert.adapters.prebuilt_engine import load
from toolchain.export.adapters.engine_run import EngineRun
from toolchain.export.release import Release, Tools, release

NAMES = {
    "tflite": "model.tflite",
    "wasm-simd": "model-simd.wasm",
    "wasm-scalar": "model-scalar.wasm",
    "plan": "model.plan",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("file", metavar="JOB", type=Path, help="the job as .toml or .json")
    parser.add_argument(
        "parameters", metavar="PARAMETERS", type=Path, help="the vector, little-endian float32"
    )
    parser.add_argument("output", metavar="DIR", type=Path, help="where the files go")
    parser.add_argument(
        "--calibration", metavar="FILE", type=Path, help="inputs as .npy, from which ranges come"
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """Quantize, convert, run golden samples, and write it all.

    Raises:
        UsageError: a file cannot be read, or the job is refused.
        ModelRefused: its parts do not go together.
        UnavailableError: there is no wasmtime or no prebuilt engine, or a file cannot be written.
    """
    tree = read_tree(arguments.file)
    if arguments.calibration is not None:
        changed(tree, f"outcome.calibration={json.dumps(str(arguments.calibration.absolute()))}")
    try:
        job = resolve(tree, reader(arguments.file.parent))
    except MessageError as error:
        raise UsageError(f"{arguments.file}: {error}") from None
    made = _made(job, reader(Path())(str(arguments.parameters)), arguments.file)
    manifest = read_manifest(made.blobs[made.manifest])
    files = _files(made, manifest)
    try:
        arguments.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{arguments.output}: {error.strerror}; choose a folder") from None
    for name, data in files.items():
        save(arguments.output / name, data)
    assert manifest.training is not None, "it is written above"
    agreement = manifest.training.agreement
    text = [f"{arguments.output / name}: {len(data):,} bytes" for name, data in files.items()]
    if agreement is not None:
        text.append(f"quantization keeps {100 * agreement:.1f} % of the largest outputs")
    return Outcome(
        "\n".join(text),
        {
            "files": [str(arguments.output / name) for name in files],
            "agreement": agreement,
            "manifest": to_tree(manifest),
        },
    )


def _made(job: JobFile, data: bytes, where: Path) -> Release:
    spec, files = job.spec, outcome_files(job)
    if files is None:
        raise UsageError(f"{where}: name the backbone and the calibration as files")
    if len(data) != 4 * spec.model.parameters:
        raise UsageError(f"the job has {spec.model.parameters} parameters, not {len(data) / 4:g}")
    return release(
        spec,
        1,
        np.frombuffer(data, "<f4").astype(np.float32),
        files,
        TrainingRecord(spec.id, 0, 0, blob_ref(data)),
        None,
        Tools(EngineRun("single"), EngineRun("double"), load),
    )


def _files(made: Release, manifest: Manifest) -> dict[str, bytes]:
    golden = manifest.golden
    return {
        "manifest.json": made.blobs[made.manifest],
        **{NAMES[one.runtime]: made.blobs[one.blob] for one in manifest.artifacts},
        "golden-inputs.bin": made.blobs[golden.inputs],
        "golden-outputs.bin": made.blobs[golden.outputs],
    }
