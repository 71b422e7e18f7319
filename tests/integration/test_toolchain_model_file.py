"""Reading a model file takes the memory of the file, not of the largest one allowed."""

import tracemalloc
from pathlib import Path

import pytest

from toolchain.adapters.model_file import load
from toolchain.errors import ModelRefused
from toolchain.tflite.reader import MAX_FILE_BYTES


def test_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    file = tmp_path / "small.tflite"
    file.write_bytes(bytes(range(256)) * 40)
    tracemalloc.start()
    try:
        assert load(file) == file.read_bytes()
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_file_beyond_the_limit_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "large.tflite"
    with file.open("wb") as sparse:
        sparse.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(ModelRefused, match="more than the limit"):
        load(file)
