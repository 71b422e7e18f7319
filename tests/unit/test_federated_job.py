"""Jobs, cuts and who takes part: what one key cannot say, and the arithmetic around rounds."""

import dataclasses
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract.blobs import BlobRef, blob_chunks, blob_ref
from broker.contract.errors import MessageError
from broker.contract.federated.codecs.spec import CODEC_IDS, CodecSpec
from broker.contract.federated.errors import JobError, UpdateError
from broker.contract.federated.job import (
    EvaluationSpec,
    JobSpec,
    ModelSpec,
    ParticipationSpec,
    PrivacySpec,
    StrategySpec,
    check_job,
    read_job,
)
from broker.contract.federated.selection import share_of, takes_part
from broker.contract.federated.slices import MAX_MISSING, Cut, missing, numbers_in, ranges
from broker.contract.messages import encode

ROOT = Path(__file__).resolve().parents[2]
REF = BlobRef("ab" * 32, 2600)
MODEL = ModelSpec("head", 650, REF, {"simd": REF}, 64)
JOB = JobSpec("digits-7", MODEL)
CUTS = st.builds(Cut, st.integers(1, 5000), st.integers(1, 700), st.integers(1, 2))


def test_a_job_of_defaults_is_read_back():
    assert read_job(encode(JOB)) == JOB
    assert JOB.cut == Cut(650, 8192, 1)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"model": dataclasses.replace(MODEL, parameters=651)}, "must be 2604"),
        ({"model": dataclasses.replace(MODEL, label_kind=1, labels=("a",))}, "only classes"),
        ({"participation": ParticipationSpec(goal=2, quorum=3)}, "quorum"),
        ({"privacy": PrivacySpec("local", noise_multiplier=1.0)}, "clip_norm"),
        ({"privacy": PrivacySpec("central", clip_norm=1.0)}, "noise_multiplier"),
        ({"privacy": PrivacySpec("central", 1e6, 1e6)}, "times clip_norm, it must be at most"),
        ({"evaluation": EvaluationSpec(gate_loss=2.0)}, "a gate needs a holdout"),
        (
            {
                "evaluation": EvaluationSpec(0.2, gate_baseline=True),
                "privacy": PrivacySpec("local", 1.0, 1.0),
            },
            "privacy that is not local",
        ),
        (
            {
                "model": ModelSpec("m", 2**17, BlobRef("ab" * 32, 2**19), {"simd": REF}, 64),
                "slice_parameters": 1,
            },
            "131072 slices exceed",
        ),
        (
            {
                "model": ModelSpec("m", 2**17, BlobRef("ab" * 32, 2**19), {"simd": REF}, 64),
                "slice_parameters": 2**16,
            },
            "may take 262144 bytes",
        ),
    ],
)
def test_a_job_that_contradicts_itself_is_refused(change, why):
    with pytest.raises(JobError, match=why):
        read_job(encode(dataclasses.replace(JOB, **change)))


def test_a_key_that_is_not_known_is_refused():
    with pytest.raises(MessageError, match="secure_sum: is not a known key"):
        read_job(encode(JOB)[:-1] + b',"secure_sum":true}')


def test_a_slice_of_half_the_bytes_may_be_longer():
    model = ModelSpec("m", 2**17, BlobRef("ab" * 32, 2**19), {"simd": REF}, 64)
    for name in set(CODEC_IDS) - {"f32", "int8"}:
        check_job(JobSpec("a", model, slice_parameters=2**16, codec=CodecSpec(name)))


def test_scaffold_sends_two_vectors():
    assert dataclasses.replace(JOB, strategy=StrategySpec("scaffold")).cut.count == 2


def test_codec_ids_tell_codecs_apart():
    assert len(set(CODEC_IDS.values())) == len(CODEC_IDS)


@given(CUTS)
def test_slices_cover_each_vector_once_and_in_order(cut):
    spans = [cut.span(index) for index in range(cut.per_vector)]
    covered = [place for span in spans for place in range(span.start, span.stop)]
    assert covered == list(range(cut.parameters))
    assert [cut.length(index) for index in range(cut.per_vector)] == [
        span.stop - span.start for span in spans
    ]
    places = [(cut.vector_of(number), cut.index_of(number)) for number in range(cut.count)]
    assert places == [(v, i) for v in range(cut.vectors) for i in range(cut.per_vector)]


@given(st.sets(st.integers(0, 300)), st.integers(1, 301))
def test_what_is_missing_is_what_is_not_held(held, count):
    told = missing(held, count)
    assert set(numbers_in(told, count)) == set(range(count)) - held
    assert ranges(numbers_in(told, count)) == told


def test_only_so_many_ranges_are_told_at_once():
    assert len(missing(range(0, 10_000, 2), 10_000)) == MAX_MISSING


@pytest.mark.parametrize(
    "told",
    [[(1,)], [(1, 2, 3)], [(2, 1)], [(-1, 0)], [(0, 10)], [(0, 3), (3, 4)], [(5, 6), (1, 2)]],
)
def test_ranges_from_outside_are_bounded(told):
    with pytest.raises(UpdateError):
        numbers_in(told, 10)


@given(st.binary(min_size=1, max_size=300_000))
def test_chunks_of_a_blob_join_to_it(data):
    ref = blob_ref(data)
    chunks = list(blob_chunks(ref, data))
    assert b"".join(chunk for _, chunk in chunks) == data
    assert sha256(data).hexdigest() == ref.sha256
    for channel, chunk in chunks:
        assert channel.sha256 == ref.sha256
        assert channel.chunk in ref.chunks_of(channel.bucket)
        assert len(chunk) == ref.chunk_bytes(channel.chunk) <= 64_000
    assert sum(len(ref.chunks_of(bucket)) for bucket in range(ref.buckets)) == len(chunks)


def test_a_share_of_devices_takes_part_and_another_seed_chooses_others():
    names = [f"pi-{number}" for number in range(4000)]
    chosen = {n for n in names if takes_part(n, "digits", 3, "00ff00ff00ff00ff", 0.25)}
    others = {n for n in names if takes_part(n, "digits", 3, "00ff00ff00ff00fe", 0.25)}
    assert abs(len(chosen) - 1000) < 5 * (4000 * 0.25 * 0.75) ** 0.5
    assert abs(len(chosen & others) - 250) < 5 * (4000 / 16 * 15 / 16) ** 0.5
    for name in names[:50]:
        told = sha256(f"{name}/digits/3/00ff00ff00ff00ff".encode()).digest()
        assert (name in chosen) == (int.from_bytes(told[:8], "big") < 2**62)


def test_everyone_takes_part_when_the_share_is_whole():
    assert share_of(ParticipationSpec(fraction=0.9, over_selection=1.3)) == 1.0
    assert share_of(ParticipationSpec(fraction=0.5, over_selection=1.3)) == 0.65
    assert takes_part("a", "b", 1, "0" * 16, 1.0)
    assert not takes_part("a", "b", 1, "0" * 16, 0.0)


def test_what_an_agents_main_process_reads_needs_no_numpy():
    modules = "job, round, messages, update, slices, selection, channels, codecs.spec, "
    modules += "participant.machine, participant.eligible"
    lines = [f"import broker.contract.federated.{name}" for name in modules.split(", ")]
    lines.append("import broker.contract.blob_download")
    program = "; ".join([*lines, "import sys; print('numpy' in sys.modules)"])
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout.strip()) == (0, "False"), told.stderr
