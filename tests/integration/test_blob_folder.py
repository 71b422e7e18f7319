"""Blobs on a real disk: whole ones, parts that outlive their process, a disk that is full."""

import os
import random
from pathlib import Path

import pytest

from agent.blobs.adapters.blob_folder import BlobFolder
from agent.errors import StorageError
from broker.contract.blobs import CHUNK_BYTES, blob_chunks, blob_ref

DATA = random.Random(5).randbytes(3 * CHUNK_BYTES + 77)
REF = blob_ref(DATA)
CHUNKS = {place.chunk: part for place, part in blob_chunks(REF, DATA)}


def test_a_blob_from_its_first_chunk_to_its_end(tmp_path):
    folder = BlobFolder(tmp_path / "blobs")
    assert (folder.held(), folder.chunks(REF)) == ([], set())
    for chunk in (3, 0):
        folder.write(REF, chunk, CHUNKS[chunk])
    again = BlobFolder(tmp_path / "blobs")
    assert again.chunks(REF) == {0, 3}
    assert [(one.sha256, one.whole) for one in again.held()] == [(REF.sha256, False)]
    for chunk in (1, 2):
        again.write(REF, chunk, CHUNKS[chunk])
    assert again.read(REF, 0, len(DATA) + 9) == DATA
    again.finish(REF)
    assert [(one.bytes, one.whole) for one in again.held()] == [(len(DATA), True)]
    assert Path(again.path(REF.sha256)).read_bytes() == DATA
    assert [path.name for path in (tmp_path / "blobs").iterdir()] == [REF.sha256]
    again.delete(REF.sha256)
    assert [*(tmp_path / "blobs").iterdir()] == []
    again.delete(REF.sha256)


def test_a_part_is_discarded_and_the_whole_one_stays(tmp_path):
    folder = BlobFolder(tmp_path)
    (tmp_path / REF.sha256).write_bytes(DATA)
    folder.write(REF, 1, CHUNKS[1])
    folder.discard(REF)
    assert [one.whole for one in folder.held()] == [True]
    assert folder.chunks(REF) == set()


def test_the_longest_unused_comes_first(tmp_path):
    folder = BlobFolder(tmp_path)
    names = [f"{number:064x}" for number in range(3)]
    for age, name in enumerate(names):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    assert [one.sha256 for one in folder.held()] == names[::-1]
    folder.use(names[2])
    assert [one.sha256 for one in folder.held()] == [names[1], names[0], names[2]]


def test_strange_files_are_left_alone(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    (tmp_path / f"{REF.sha256}.have").write_bytes(b"\x09")
    assert BlobFolder(tmp_path).held() == []
    assert BlobFolder(tmp_path).chunks(REF) == set()


def test_a_disk_that_is_full_says_so(tmp_path):
    folder = BlobFolder(tmp_path)
    (tmp_path / f"{REF.sha256}.have").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="No space left"):
        folder.write(REF, 0, CHUNKS[0])


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "blobs").write_text("")
    folder = BlobFolder(tmp_path / "blobs")
    for use in (folder.held, lambda: folder.write(REF, 0, CHUNKS[0]), lambda: folder.finish(REF)):
        with pytest.raises(StorageError, match="blobs: "):
            use()
