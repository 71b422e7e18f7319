import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from agent.config import sources as config_of
from agent.errors import SourceError
from agent.sources.adapters.inbox import Inbox
from agent.sources.adapters.opening import open_source

ROOT = Path(__file__).parents[2]
HEAVY = {
    "PIL",
    "asyncio",
    "serial",
    "subprocess",
    "wave",
    "zipfile",
}


def opened(config, inbox=None):
    return open_source(config, clock=time.monotonic_ns, sleep=time.sleep, inbox=inbox)


def test_every_source_of_the_configuration_is_opened_or_refused_in_one_line(tmp_path):
    configs = [
        config_of.ReplaySource("replay", str(tmp_path / "nothing")),
        config_of.V4l2Source("v4l2", str(tmp_path / "video0")),
        config_of.Picamera2Source("picamera2", python=str(tmp_path / "python")),
        config_of.AlsaSource("alsa", "no-such-name"),
        config_of.IioSource("iio", "no-such-device", ("x",)),
        config_of.MqttSource("mqtt", "a/b"),
        config_of.SerialSource("serial", str(tmp_path / "ttyUSB0")),
    ]
    assert {type(config) for config in configs} == set(get_args(config_of.Source))
    for config in configs:
        with pytest.raises(SourceError) as refusal:
            opened(config)
        text = str(refusal.value)
        assert text.startswith(f"{config.kind}: ")
        assert "\n" not in text


def test_the_ones_that_need_no_device(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(3))
    source = opened(config_of.ReplaySource("replay", str(tmp_path / "x.npy")))
    assert source.read(0).data == 0
    source.close()
    inbox = Inbox(time.monotonic_ns)
    source = opened(config_of.MqttSource("mqtt", "a/b"), inbox)
    inbox.put(b"[1, 2]")
    assert source.read(0).data.tolist() == [1, 2]
    assert source.read(0.01) is None
    source.close()
    source = opened(config_of.SerialSource("serial", "loop://"))
    assert source.read(0.01) is None
    source.close()


@pytest.mark.parametrize(
    ("config", "allowed"),
    [
        ("ReplaySource('replay', 'x.npy')", {"zipfile"}),
        ("MqttSource('mqtt', 'a/b')", set()),
        ("SerialSource('serial', 'loop://')", {"serial"}),
        ("IioSource('iio', 'x', ('y',))", set()),
        ("V4l2Source('v4l2', '/dev/video63')", set()),
        ("AlsaSource('alsa', '-')", {"subprocess"}),
    ],
)
def test_a_source_loads_only_what_it_needs(tmp_path, config, allowed):
    np.save(tmp_path / "x.npy", np.arange(3))
    script = (
        "import sys, time, contextlib\n"
        "import numpy\n"
        "before = set(sys.modules)\n"
        "from agent.config.sources import *\n"
        "from agent.sources.adapters.opening import open_source\n"
        "with contextlib.suppress(Exception):\n"
        f"    open_source({config}, clock=time.monotonic_ns, sleep=time.sleep)\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{script}"],
        cwd=tmp_path,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.split()
    assert "agent.sources.adapters.opening" in loaded
    assert {name.split(".")[0] for name in loaded} & HEAVY <= allowed
