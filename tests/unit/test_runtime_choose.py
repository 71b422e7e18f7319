"""Which runtime serves a model, and the reason that status shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ModelError, UnavailableError
from agent.runtime.choose import RUNTIMES, Choice, choose

NAMES = [runtime.name for runtime in RUNTIMES]
SOME = st.sets(st.sampled_from([*NAMES, "another"]))


def test_auto_takes_what_both_have_and_says_so():
    choice = choose("auto", ["tflite"], ["tflite"])
    assert choice == Choice("tflite", "first that model and machine have")


def test_what_is_asked_for_is_taken():
    assert choose("tflite", ["tflite"], ["tflite"]).reason == "asked for by configuration"


@pytest.mark.parametrize(
    ("asked", "model", "machine", "error", "text"),
    [
        ("tflight", ["tflite"], ["tflite"], ModelError, "choose from auto, tflite"),
        ("tflite", ["plan"], ["tflite"], ModelError, "the model is made for plan, not for tflite"),
        ("tflite", [], ["tflite"], ModelError, "the model is made for no runtime"),
        ("tflite", ["tflite"], [], UnavailableError, "install ai-edge-litert"),
        ("auto", ["tflite"], [], UnavailableError, "install ai-edge-litert"),
        ("auto", ["plan"], ["tflite"], UnavailableError, "the model has none for it"),
    ],
)
def test_a_refusal_names_the_remedy(asked, model, machine, error, text):
    with pytest.raises(error, match=text):
        choose(asked, model, machine)


@given(st.sampled_from(["auto", *NAMES]), SOME, SOME)
def test_what_is_chosen_is_there(asked, model, machine):
    try:
        choice = choose(asked, model, machine)
    except (ModelError, UnavailableError):
        assert not ({asked} if asked != "auto" else set(NAMES)) & model & machine
    else:
        assert choice.runtime in model & machine
        assert choice.reason
