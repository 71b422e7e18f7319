"""A model that is untrue about itself ends every command in one line and exit 4."""

import struct

import numpy as np
import pytest
import tflite

import selvedge
from tests.support.small_models import conv_model
from tests.unit.test_toolchain_tflite_refusals import LIES
from toolchain.tflite.writer import write

RIGHT = write(conv_model())


def with_offset_outside() -> bytes:
    """The first tensor's name lies behind the end of the file."""
    data = bytearray(RIGHT)
    tensor = tflite.Model.GetRootAs(data).Subgraphs(0).Tensors(0)._tab
    struct.pack_into("<I", data, tensor.Pos + tensor.Offset(10), len(data))
    return bytes(data)


MODELS = {
    "truncated": RIGHT[: len(RIGHT) // 2],
    "an offset outside": with_offset_outside(),
    **{
        name: write(LIES[name][0])
        for name in (
            "cycle",
            "huge",
            "input index",
            "itself",
            "long buffer",
            "made twice",
            "negative dimension",
            "no graph",
            "output never made",
            "short buffer",
            "signature's tensor",
            "unsorted",
            "writes the input",
        )
    },
}


@pytest.fixture
def words(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1, 4, 4, 2), np.int8))
    model = str(tmp_path / "m.tflite")
    return {
        "convert": ["convert", model, str(tmp_path / "m.plan")],
        "inspect": ["inspect", model],
        "infer": ["infer", model, "--input", str(tmp_path / "x.npy")],
    }


@pytest.mark.parametrize("command", ["convert", "inspect", "infer"])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_it_is_refused_in_one_line(name, command, words, tmp_path, capsys):
    (tmp_path / "m.tflite").write_bytes(MODELS[name])
    assert selvedge.main(words[command]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "m.tflite" in err
    assert not (tmp_path / "m.plan").exists()


@pytest.mark.parametrize("command", ["convert", "inspect", "infer"])
def test_the_right_model_is_not(command, words, tmp_path):
    (tmp_path / "m.tflite").write_bytes(RIGHT)
    assert selvedge.main(words[command]) == 0
