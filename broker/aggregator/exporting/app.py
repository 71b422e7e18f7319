"""The process that makes a release: reads a folder, quantizes, converts, and leaves files there.

It takes memory and time that the aggregator would otherwise not have, and may be killed at any
moment: equal questions have equal answers.
"""

import ctypes
import signal
import sys
from pathlib import Path

import numpy as np

from broker.aggregator.exporting.question import ANSWER, MODEL, QUESTION, Answer, Question
from broker.contract.blobs import BlobRef
from broker.contract.codec import decode_json, encode_json
from broker.contract.errors import ContractError
from broker.contract.shape import parse, to_tree
from toolchain.convert.adapters.prebuilt_engine import load
from toolchain.errors import ToolchainError
from toolchain.export.adapters.engine_run import EngineRun
from toolchain.export.release import Files, Release, Tools, release

PR_SET_PDEATHSIG = 1
MAX_QUESTION_BYTES = 200_000


def work(folder: Path) -> Answer:
    """Make the release that the folder asks for."""
    question = parse(
        Question, decode_json((folder / QUESTION).read_bytes(), limit=MAX_QUESTION_BYTES)
    )
    assert isinstance(question, Question), question
    try:
        made = _released(folder, question)
    except (ToolchainError, ContractError) as error:
        return Answer(refused=str(error).partition("\n")[0][:380])
    for ref, data in made.blobs.items():
        (folder / ref.sha256).write_bytes(data)
    return Answer(made.manifest, tuple(made.blobs))


def _released(folder: Path, question: Question) -> Release:
    spec = question.spec

    def file(ref: BlobRef | None) -> bytes | None:
        return None if ref is None else (folder / ref.sha256).read_bytes()

    calibration = None if spec.outcome is None else spec.outcome.calibration
    return release(
        spec,
        question.number,
        np.frombuffer((folder / MODEL).read_bytes(), "<f4").astype(np.float32),
        Files(file(spec.model.backbone), file(calibration)),
        question.record,
        question.privacy,
        Tools(EngineRun("single"), EngineRun("double"), load),
    )


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    place = Path(sys.argv[1])
    (place / ANSWER).write_bytes(encode_json(to_tree(work(place))))
