import os
from pathlib import Path

import numpy as np
import pytest

from agent.config.sources import IioSource as Config
from agent.errors import SourceError
from agent.sources.adapters.iio import IioSource, discover


class Time:
    def __init__(self):
        self.now = 0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += round(seconds * 1e9)


@pytest.fixture
def root(tmp_path):
    adc = tmp_path / "iio:device0"
    imu = tmp_path / "iio:device10"
    trigger = tmp_path / "trigger0"
    for folder in (adc, imu, trigger):
        folder.mkdir()
    write(adc, name="ads1015", in_voltage0_raw=1200, in_voltage1_raw=-7, in_voltage_scale=2.0)
    write(adc, in_voltage1_offset=107, in_temp_input=21500)
    write(imu, name="mpu6050", in_accel_x_raw=16384, in_accel_y_raw=-8192)
    write(imu, in_accel_scale="0.000598550", in_accel_offset=10, in_accel_y_scale=1)
    write(trigger, name="mpu6050-dev10")
    return tmp_path


def write(folder, **values):
    for name, value in values.items():
        (folder / name).write_text(f"{value}\n")


def opened(root, device, *channels, time=None, rate_hz=10.0):
    time = time or Time()
    return IioSource(Config("iio", device, channels, rate_hz), time.clock, time.sleep, root)


def read(root, device, *channels):
    source = opened(root, device, *channels)
    try:
        return source.read(1.0).data
    finally:
        source.close()


def test_values_in_the_units_of_the_abi(root):
    assert read(root, "ads1015", "voltage0", "voltage1").tolist() == [2400.0, 200.0]
    accel = read(root, "iio:device10", "in_accel_x", "accel_y")
    assert accel.dtype == np.float32
    assert accel == pytest.approx([(16384 + 10) * 0.000598550, -8192 + 10])
    assert read(root, "ads1015", "temp").tolist() == [21500.0]


def test_every_poll_measures_anew_and_late_polls_are_counted(root):
    time = Time()
    source = opened(root, "ads1015", "voltage0", time=time)
    values = []
    for raw in (1, 2, 30):
        write(root / "iio:device0", in_voltage0_raw=raw)
        values.append(source.read(1.0).data[0])
    assert values == [2.0, 4.0, 60.0]
    assert time.now == 200_000_000
    assert source.read(0.05) is None
    assert time.now == 250_000_000
    time.now += 400_000_000
    assert source.read(0.0) is not None
    assert source.dropped() == 3
    source.close()


@pytest.mark.parametrize(
    ("device", "channel", "reason"),
    [
        ("bme280", "temp", r"there is: iio:device0 \(ads1015\), iio:device10 \(mpu6050\)"),
        ("ads1015", "voltage7", "it has: temp, voltage0, voltage1"),
        ("ads1015", "../../etc/passwd", "not a channel name"),
        ("../x", "voltage0", "no device"),
        ("iio:device0/../iio:device10", "accel_x", "no device"),
        ("trigger0", "x", "no device"),
    ],
)
def test_refusals_name_what_is_there(root, device, channel, reason):
    with pytest.raises(SourceError, match=reason):
        opened(root, device, channel)


def test_no_industrial_io_at_all(tmp_path):
    with pytest.raises(SourceError, match="driver"):
        opened(tmp_path / "nowhere", "x", "y")
    assert discover(tmp_path / "nowhere") == []


@pytest.mark.parametrize("text", ["", "nan", "12 dB", "x" * 500])
def test_a_driver_that_talks_nonsense(root, text):
    write(root / "iio:device0", in_voltage0_raw=text)
    source = opened(root, "ads1015", "voltage0")
    with pytest.raises(SourceError, match="voltage0"):
        source.read(1.0)
    source.close()
    write(root / "iio:device0", in_voltage_scale=text)
    with pytest.raises(SourceError, match="in_voltage_scale"):
        opened(root, "ads1015", "voltage0")


def test_a_sensor_that_answers_with_an_input_output_error(root):
    channel = root / "iio:device0" / "in_voltage0_raw"
    channel.unlink()
    channel.symlink_to("/proc/self/mem")  # opens, and fails to be read at 0
    source = opened(root, "ads1015", "voltage0")
    with pytest.raises(SourceError, match="voltage0: Input/output error"):
        source.read(1.0)
    source.close()


def test_unplugged_and_plugged_in_again(root):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        source = opened(root, "ads1015", "voltage0", "voltage1")
        assert source.read(1.0) is not None
        # A removed sysfs device answers ENODEV; the nearest on a file system: an emptied file.
        os.truncate(root / "iio:device0" / "in_voltage1_raw", 0)
        with pytest.raises(SourceError):
            source.read(1.0)
        source.close()
        source.close()
        (root / "iio:device0" / "in_voltage1_raw").unlink()
        with pytest.raises(SourceError, match="no channel voltage1"):
            opened(root, "ads1015", "voltage0", "voltage1")
        write(root / "iio:device0", in_voltage1_raw=4)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_discover(root):
    found = discover(root)
    assert [(item.address, item.title) for item in found] == [
        ("iio:device0", "ads1015: temp, voltage0, voltage1"),
        ("iio:device10", "mpu6050: accel_x, accel_y"),
    ]
