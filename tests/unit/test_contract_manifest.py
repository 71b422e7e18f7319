"""The manifest of a model: one document, one digest; whatever else comes is refused in a line."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.contract.blobs import BlobRef
from broker.contract.bundle.manifest import (
    MAX_MANIFEST_BYTES,
    Artifact,
    Golden,
    InputSpec,
    Manifest,
    OutputSpec,
    TensorSpec,
    read_manifest,
    write_manifest,
)
from broker.contract.codec import encode_json
from broker.contract.errors import MessageError
from tests.support.shapes import JSON, near_trees

IMAGE = TensorSpec((1, 8, 8, 1), "int8", 0.0625, -128)
SCORES = TensorSpec((1, 3), "int8", 1 / 256, -128)


def ref(number: int, size_bytes: int) -> BlobRef:
    return BlobRef(f"{number:064x}", size_bytes)


def made(**changes) -> Manifest:
    manifest = Manifest(
        "digits",
        3,
        "classify",
        InputSpec("image", IMAGE),
        (OutputSpec(SCORES, ("a", "b", "c")),),
        (Artifact("tflite", ref(1, 5000)), Artifact("wasm-simd", ref(2, 90_000), 4096)),
        Golden(4, ref(3, 4 * 64), ref(4, 4 * 3), 2),
    )
    return replace(manifest, **changes)


def test_a_manifest_survives_the_round_trip_and_names_the_file_of_a_runtime():
    manifest = made()
    assert read_manifest(write_manifest(manifest)) == manifest
    assert manifest.artifact("wasm-simd") == manifest.artifacts[1]
    assert manifest.artifact("plan") is None


def test_keys_of_a_newer_release_are_passed_over_but_not_another_format():
    tree = json.loads(write_manifest(made()))
    assert read_manifest(encode_json(tree | {"signature": "x"})) == made()
    with pytest.raises(MessageError, match="format is not 1"):
        read_manifest(encode_json(tree | {"format": 2}))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"golden": Golden(4, ref(3, 255), ref(4, 12))}, "golden.inputs must have 256 bytes"),
        ({"golden": Golden(4, ref(3, 256), ref(4, 13))}, "golden.outputs must have 12 bytes"),
        ({"artifacts": (Artifact("plan", ref(1, 9)),) * 2}, "two artifacts"),
        ({"outputs": (OutputSpec(SCORES, ("a",)),)}, "1 labels do not fit"),
        (
            {"input": InputSpec("image", TensorSpec((2**20, 2**20), "int8", 1.0))},
            "too large",
        ),
        (
            {"input": InputSpec("image", TensorSpec((1, 16), "float32", 0.5))},
            "float32 tensors have no scale",
        ),
    ],
)
def test_a_manifest_that_contradicts_itself_is_neither_written_nor_read(changes, refusal):
    with pytest.raises(MessageError, match=refusal):
        write_manifest(made(**changes))


def test_the_length_is_bounded():
    with pytest.raises(MessageError, match="exceed"):
        write_manifest(made(input=InputSpec("image", IMAGE, {"x": "y" * MAX_MANIFEST_BYTES})))


@given(near_trees(Manifest) | JSON)
@settings(max_examples=30, deadline=None)
def test_any_json_is_a_manifest_or_refused(tree):
    refusal = ""
    try:
        read_manifest(encode_json(tree))
    except MessageError as error:
        refusal = str(error)
    assert "\n" not in refusal


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data):
    with pytest.raises(MessageError):
        read_manifest(data)
