"""`fl simulate`: the aggregator and the participants together, under loss and dropouts."""

import json

import pytest

import selvedge


def simulated(capsys, *words):
    code = selvedge.main(["fl", "simulate", *map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_it_learns_and_every_round_closes_despite_dropouts(capsys, tmp_path):
    words = ("--devices", 120, "--rounds", 6, "--dropout", 0.2, "--out", tmp_path)
    code, told = simulated(capsys, *words)
    assert code == 0
    assert (told["state"], told["rounds"], told["opened"]) == ("done", 6, 6)
    assert told["accuracy_after"] > told["accuracy_before"] + 0.4
    assert told["dropped"] > 80
    assert told["messages_lost"] > 0
    assert (tmp_path / "simulation.csv").read_text().count("\n") == 7
    assert simulated(capsys, *words)[1] | {"seconds": 0} == told | {"seconds": 0}, "seeded"
    assert simulated(capsys, *words, "--seed", 1)[1]["accuracy"] != told["accuracy"]


@pytest.mark.parametrize(
    "terms",
    [
        ["strategy.name=scaffold", "strategy.options.devices=40"],
        ["strategy.name=fedyogi", "codec.name=one_bit"],
        ["codec.name=top_k", "codec.options.fraction=0.1"],
        ["robust.rule=median", "codec.name=f32"],
        ["strategy.name=fedprox", "local.prox_mu=0.1", "slice_parameters=64"],
    ],
)
def test_other_terms_learn_too(capsys, terms):
    sets = [word for term in terms for word in ("--set", term)]
    code, told = simulated(
        capsys, "--devices", 40, "--rounds", 8, "--alpha", 5, "--loss", 0.1, *sets
    )
    assert (code, told["state"]) == (0, "done")
    assert told["accuracy_after"] > told["accuracy_before"] + 0.2


def test_a_goal_that_cannot_be_met_lapses_and_fails(capsys):
    terms = ("--set", "participation.goal=50", "--set", "participation.quorum=50")
    code, told = simulated(capsys, "--devices", 40, "--rounds", 2, *terms)
    assert code == 3
    assert told["state"] == "failed"
    assert told["opened"] == 4
    assert "quorum is 50" in told["reason"]


@pytest.mark.parametrize("words", [("--devices", 0), ("--loss", 1), ("--set", "codec.name=zip")])
def test_what_makes_no_sense_is_refused(capsys, words):
    assert simulated(capsys, *words)[0] == 2
