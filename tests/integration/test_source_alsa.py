"""arecord itself, recording from ALSA's `file` and `null` plugins."""

import contextlib
import gc
import os
import shutil
import signal
import stat
import time
from pathlib import Path

import numpy as np
import pytest

from agent.config.sources import AlsaSource as Config
from agent.errors import SourceError
from agent.sources.adapters import alsa
from agent.sources.adapters.alsa import AlsaSource, discover

SIGNAL = np.random.default_rng(3).integers(-32768, 32768, 400_000).astype(np.int16)


@pytest.fixture(autouse=True)
def cards(tmp_path, monkeypatch, leaves_no_child):
    (tmp_path / "signal.raw").write_bytes(SIGNAL.astype("<i2").tobytes())
    (tmp_path / "asound.conf").write_text(
        "</usr/share/alsa/alsa.conf>\n"
        "pcm.known { type file\n slave.pcm null\n file /dev/null\n"
        f" infile {tmp_path}/signal.raw\n format raw }}\n"
    )
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "asound.conf"))


def opened(device="known", **options):
    return AlsaSource(Config("alsa", device, **options), time.monotonic_ns)


def listen(source):
    for _ in range(2000):
        source.read(0.5)


def descriptors():
    gc.collect()  # what earlier tests left open is not ours
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_known_signal_arrives_whole_and_in_order(monkeypatch):
    # The plugins give sound as fast as the pipe takes it: more than a second of it is not late.
    monkeypatch.setattr(alsa, "_BACKLOG_S", 3.0)
    before = descriptors()
    source = opened(sample_rate_hz=192000, chunk_ms=1000)
    sample = source.read(1.0)
    assert sample.rate_hz == 192000
    assert sample.data.dtype == np.int16
    assert (sample.data == SIGNAL[:192000]).all()
    second = source.read(1.0)
    assert (second.data == SIGNAL[192000:384000]).all()
    source.close()
    source.close()
    assert descriptors() == before


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_the_end_of_arecord_is_an_unplugged_microphone_and_it_opens_again(end):
    before = descriptors()
    for _ in range(3):
        source = opened()
        os.kill(source._stream.pid, end)
        with pytest.raises(SourceError, match="alsa: known"):
            listen(source)
        source.close()
    assert descriptors() == before


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("nosuch", "no such device; 'selvedge doctor'"),
        ("hw:7,0", "no such device; 'selvedge doctor'"),
        ("file:/tmp/x", "use a name such as"),
    ],
)
def test_what_cannot_be_opened(device, reason):
    before = descriptors()
    with pytest.raises(SourceError, match=reason) as refusal:
        opened(device)
    assert "\n" not in str(refusal.value)
    assert descriptors() == before


def test_alsa_utils_is_named_when_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="sudo apt install alsa-utils"):
        opened()


def fake_arecord(folder, monkeypatch, script):
    program = folder / "bin" / "arecord"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_a_consumer_that_is_late_gets_recent_sound_and_the_rest_is_counted(tmp_path, monkeypatch):
    fake_arecord(tmp_path, monkeypatch, f"head -c 320000 {tmp_path}/signal.raw; exec sleep 60")
    source = opened(sample_rate_hz=16000, chunk_ms=100)
    assert (source.read(1.0).data == SIGNAL[:1600]).all()
    while source._stream.waiting_bytes() < 320_000 - 3200:
        time.sleep(0.01)
    for number in range(90, 100):
        sample = source.read(1.0)
        assert (sample.data == SIGNAL[number * 1600 : (number + 1) * 1600]).all()
        assert source.dropped() == 89
        # Its last sample was heard before all that still waits in the pipe.
        behind_s = (time.monotonic_ns() - sample.captured_ns) / 1e9
        assert behind_s == pytest.approx((99 - number) * 0.1, abs=0.08)
    assert source.read(0.0) is None
    source.close()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("arecord: main:831: audio open error: Device or resource busy", "another program"),
        ("arecord: main:831: audio open error: Permission denied", "usermod -aG audio"),
        ("arecord: pcm_read:2221: read error: No such device", "read error: No such device"),
        ("", "ended with code 1"),
    ],
)
def test_words_of_arecord_become_remedies(tmp_path, monkeypatch, words, reason):
    fake_arecord(tmp_path, monkeypatch, f"echo '{words}' >&2; exit 1")
    with pytest.raises(SourceError, match=reason):
        opened()


def test_a_microphone_that_trickles_keeps_nobody_waiting(tmp_path, monkeypatch):
    fake_arecord(
        tmp_path,
        monkeypatch,
        "head -c 320 /dev/zero; while sleep 0.05; do head -c 77 /dev/zero; echo overrun >&2; done",
    )
    source = opened(chunk_ms=10)
    assert source.read(0.1) is not None
    samples = []
    while len(samples) < 3:
        start = time.monotonic()
        sample = source.read(0.02)
        assert time.monotonic() - start < 1.0
        if sample is not None:
            samples.append(sample)
    assert all(len(sample.data) == 160 for sample in samples)
    source.close()


def test_a_chatty_program_does_not_choke_on_its_own_words(tmp_path, monkeypatch):
    fake_arecord(
        tmp_path,
        monkeypatch,
        "i=0; while [ $i -lt 3000 ]; do echo 'a line of more than fifty characters, again and"
        " again' >&2; i=$((i+1)); done; head -c 3200 /dev/zero; exec sleep 5",
    )
    source = opened(chunk_ms=100)
    assert source.read(1.0) is not None
    source.close()


def test_a_program_that_ignores_its_end_is_killed(tmp_path, monkeypatch):
    fake_arecord(
        tmp_path, monkeypatch, "trap '' TERM PIPE; head -c 320 /dev/zero; while :; do sleep 1; done"
    )
    source = opened(chunk_ms=10)
    pid = source._stream.pid
    source.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_arecord_dies_with_its_parent(tmp_path):
    import subprocess
    import sys

    script = (
        "import os, time\n"
        "from agent.config.sources import AlsaSource as Config\n"
        "from agent.sources.adapters.alsa import AlsaSource\n"
        "source = AlsaSource(Config('alsa', 'known'), time.monotonic_ns)\n"
        "print(source._stream.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, stdout=subprocess.PIPE, check=False
    )
    pid = int(done.stdout)
    with contextlib.suppress(ProcessLookupError):
        for _ in range(300):
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state == "Z":  # nobody reaps orphans here, but it has ended
                return
            time.sleep(0.01)
        pytest.fail("arecord outlived its parent")


def test_discover(tmp_path):
    card = tmp_path / "card1"
    card.mkdir()
    (card / "id").write_text("Device\n")
    (tmp_path / "pcm").write_text("01-00: USB Audio : USB Audio : playback 1 : capture 1\n")
    (found,) = discover(tmp_path)
    assert found.address == "plughw:CARD=Device,DEV=0"
    assert found.problem is (None if shutil.which("arecord") else "x")
    assert discover(tmp_path / "nowhere") == []
