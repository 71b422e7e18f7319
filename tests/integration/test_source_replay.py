import contextlib
import io
import itertools
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from agent.config.sources import ReplaySource as Config
from agent.errors import SourceError
from agent.sources.adapters.replay import ReplaySource
from agent.sources.protocol import EndOfSource


class Time:
    def __init__(self):
        self.now = 5_000_000

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += round(seconds * 1e9)


@contextlib.contextmanager
def opened(path, time=None, **options):
    time = time or Time()
    source = ReplaySource(Config("replay", str(path), **options), time.clock, time.sleep)
    try:
        yield source
    finally:
        source.close()
        source.close()


def play(source, limit=1000):
    samples = []
    with contextlib.suppress(EndOfSource):
        for _ in range(limit):
            sample = source.read(1.0)
            if sample is not None:
                samples.append(sample)
    return samples


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32", ">f4", "bool"])
def test_npy(tmp_path, dtype, order):
    array = np.asarray(np.random.default_rng(1).integers(0, 2, (7, 3, 2)), dtype, order=order)
    np.save(tmp_path / "digits.npy", array)
    with opened(tmp_path / "digits.npy") as source:
        samples = play(source)
        assert [sample.id for sample in samples] == [f"digits.npy[{index}]" for index in range(7)]
        assert all((s.data == array[i]).all() for i, s in enumerate(samples))
        assert samples[0].data.dtype == array.dtype
        assert source.dropped() == 0
        with pytest.raises(EndOfSource):
            source.read(1.0)


def test_npy_is_mapped_and_not_copied(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(12, dtype=np.uint8).reshape(4, 3))
    with opened(tmp_path / "x.npy") as source:
        sample = source.read(0)
        assert not sample.data.flags.writeable
        with (tmp_path / "x.npy").open("r+b") as file:
            file.seek(128)
            file.write(b"\x63")
        assert sample.data[0] == 0x63
    assert sample.data[0] == 0x63  # a sample outlives its source


def test_rows_of_single_numbers_are_arrays(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(3, dtype=np.float32))
    with opened(tmp_path / "x.npy") as source:
        assert [sample.data.tolist() for sample in play(source)] == [0.0, 1.0, 2.0]
        assert isinstance(source._items.load(0)[0], np.ndarray)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    path = tmp_path / "x.npz"
    save(path, images=np.arange(8, dtype=np.uint8).reshape(4, 2), labels=np.arange(4))
    with opened(path) as source:
        samples = play(source)
        assert [s.id for s in samples] == [f"images[{i}]" for i in range(4)]
        assert samples[3].data.tolist() == [6, 7]
    with opened(path, array="labels") as source:
        assert [int(s.data) for s in play(source)] == [0, 1, 2, 3]
    with pytest.raises(SourceError, match="it has: images, labels"), opened(path, array="nothing"):
        pass


def header(shape):
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({shape},), }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def npz_of(member):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", member)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.npy", header(2**31) + bytes(10), "claims 2147483638 bytes more than the file has"),
        ("x.npz", npz_of(header(2**31) + bytes(10)), "claims 2147483638 bytes more"),
        ("x.npz", npz_of(header(300 << 20) + bytes(300 << 20)), "save it as .npy"),
        ("x.npy", b"", "no .npy header"),
        ("x.npy", b"\x93NUMPY", "no .npy header"),
        ("x.npz", b"PK\x03\x04 and no archive", "not a zip file"),
        ("x.npz", npz_of(b"no array"), "no .npy header"),
        ("x.npz", npz_of(header(10) + bytes(10))[:-60], "zip"),
        ("x.gif", b"GIF89a", "no file that can be played"),
    ],
)
def test_refusals_are_one_line_with_the_file(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=reason) as refusal, opened(tmp_path / name):
        pass
    assert "\n" not in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)


def test_every_damage_to_an_archive_is_a_refusal(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, a=np.arange(50, dtype=np.int16))
    whole = path.read_bytes()
    for at in range(len(whole)):
        for change in (0x00, 0xFF, whole[at] ^ 0x10):
            path.write_bytes(whole[:at] + bytes([change]) + whole[at + 1 :])
            with contextlib.suppress(SourceError), opened(path) as source:
                play(source)


def test_nothing_there(tmp_path):
    with pytest.raises(SourceError, match="is not there"), opened(tmp_path / "x.npy"):
        pass
    with pytest.raises(SourceError, match="no file that can be played"), opened(tmp_path):
        pass
    with pytest.raises(SourceError, match="replay: "), opened("x" * 1000):
        pass


def test_pictures_in_the_order_of_their_names(tmp_path):
    for number, kind in enumerate(["b.png", "a.bmp", "c.PGM"]):
        grey = np.full((4, 6), number * 50, np.uint8)
        Image.fromarray(grey).save(tmp_path / kind)
    (tmp_path / "notes.txt").write_text("not a picture")
    with opened(tmp_path) as source:
        samples = play(source)
    assert [(s.id, int(s.data.max())) for s in samples] == [
        ("a.bmp", 50),
        ("b.png", 0),
        ("c.PGM", 100),
    ]
    with opened(tmp_path / "a.bmp") as source:
        assert [s.id for s in play(source)] == ["a.bmp"]


def test_sounds_keep_their_rate(tmp_path):
    tone = np.arange(-500, 500, dtype=np.int16)
    soundfile.write(tmp_path / "tone.wav", tone, 22050)
    with opened(tmp_path) as source:
        sample = source.read(0)
    assert sample.rate_hz == 22050
    assert (sample.data == tone).all()


def test_pictures_beside_sounds_are_refused(tmp_path):
    soundfile.write(tmp_path / "tone.wav", np.zeros(5, np.int16), 8000)
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(SourceError, match="one kind"), opened(tmp_path):
        pass


def test_damaged_files_are_counted_and_named_once(tmp_path, caplog):
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "b.png")
    (tmp_path / "a.png").write_bytes(b"no picture")
    (tmp_path / "c.png").write_bytes((tmp_path / "b.png").read_bytes()[:40])
    with opened(tmp_path, loop=True) as source:
        samples = play(source, limit=9)
        assert [s.id for s in samples] == ["b.png"] * 3
        assert source.dropped() == 6
    assert sorted(record.args[0].name for record in caplog.records) == ["a.png", "c.png"]


def test_a_folder_of_damaged_files_ends_in_an_error(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.png").write_bytes(b"no picture")
    with opened(tmp_path, loop=True) as source, pytest.raises(SourceError, match="not one file"):
        play(source)


def test_a_slow_consumer_without_rate_misses_nothing(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(10, dtype=np.uint8))
    time = Time()
    with opened(tmp_path / "x.npy", time) as source:
        values = []
        for _ in range(10):
            values.append(int(source.read(0).data))
            time.now += 10**9
        assert values == list(range(10))
        assert source.dropped() == 0


@pytest.mark.parametrize("loop", [False, True])
def test_a_slow_consumer_of_a_rate_misses_frames_which_are_counted(tmp_path, loop):
    np.save(tmp_path / "x.npy", np.arange(20, dtype=np.uint8))
    time = Time()
    with opened(tmp_path / "x.npy", time, rate_hz=10.0, loop=loop) as source:
        seen = []
        for _ in range(8):
            start = time.now
            try:
                sample = source.read(1.0)
            except EndOfSource:
                break
            assert start - 100_000_000 < sample.captured_ns <= time.now
            seen.append(int(sample.data))
            time.now += 350_000_000
        if loop:
            assert seen == [0, 3, 7, 10, 14, 17, 1, 4]
            assert source.dropped() == 20 + 4 + 1 - 8
        else:
            assert seen == [0, 3, 7, 10, 14, 17, 19]
            assert source.dropped() == 20 - 7


def test_a_fast_consumer_is_held_to_the_rate_and_never_waits_long(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(5, dtype=np.uint8))
    time = Time()
    start = time.now
    with opened(tmp_path / "x.npy", time, rate_hz=10.0) as source:
        answers = []
        with contextlib.suppress(EndOfSource):
            while True:
                before = time.now
                answers.append(source.read(0.03))
                assert time.now - before <= 31_000_000
    assert sum(answer is not None for answer in answers) == 5
    assert time.now - start == pytest.approx(400_000_000, abs=2000)


def test_real_time(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1000, 4), np.uint8))
    config = Config("replay", str(tmp_path / "x.npy"), rate_hz=200.0)
    source = ReplaySource(config, time.monotonic_ns, time.sleep)
    samples = [source.read(1.0) for _ in range(20)]
    source.close()
    gaps = [(b.captured_ns - a.captured_ns) % 5_000_000 for a, b in itertools.pairwise(samples)]
    assert gaps == [0] * 19
    assert samples[-1].captured_ns - samples[0].captured_ns >= 19 * 5_000_000


def test_nothing_stays_open(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((5, 4), np.uint8))
    np.savez(tmp_path / "x.npz", np.zeros((5, 4), np.uint8))
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "bad.npy").write_bytes(header(2**31))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        for name in ("x.npy", "x.npz", "a.png"):
            with opened(tmp_path / name) as source:
                assert play(source)
        with contextlib.suppress(SourceError), opened(tmp_path / "bad.npy"):
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before
