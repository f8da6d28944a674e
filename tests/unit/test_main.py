"""The command line: what it prints where, and its exit status."""

import dataclasses
import json
import subprocess
import sys

import pytest
from tqdm.std import tqdm

import vaebook.__main__ as cli
from vaebook import datasets, recipes
from vaebook.__main__ import main

DIGITS = "digits-mlp-2d"


@pytest.fixture
def tiny(monkeypatch):
    """Shorten the digits recipe to two epochs of a few images."""
    recipe = recipes.get(DIGITS)

    def data():
        train, test = recipe.data()
        return train[:240], test[:60]

    short = dataclasses.replace(recipe, data=data, epochs=2, n_samples=3)
    monkeypatch.setitem(recipes._RECIPES, DIGITS, short)


@pytest.fixture
def without_data(monkeypatch, tmp_path):
    """Take away the folder, the cache and the mirrors."""
    monkeypatch.delenv("VAEBOOK_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    torchvision = datasets._import_torchvision_datasets()
    monkeypatch.setattr(torchvision.MNIST, "mirrors", ["http://127.0.0.1:9/"])


def test_list_has_a_line_a_recipe(capsys):
    assert main(["list"]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert [line.split()[0] for line in lines] == recipes.available()
    for line in lines:
        assert recipes.get(line.split()[0]).summary in line
    assert printed.err == ""


def test_a_recipe_whose_weights_are_there_is_not_trained_again(tiny, tmp_path, capsys):
    assert main(["train", DIGITS, "--into", str(tmp_path)]) == 0
    written = (tmp_path / f"{DIGITS}.safetensors").stat().st_mtime_ns
    capsys.readouterr()
    assert main(["train", DIGITS, "--into", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{DIGITS} is there already\n"
    assert (tmp_path / f"{DIGITS}.safetensors").stat().st_mtime_ns == written
    # Neither a card without its weights nor one of another budget counts.
    card = json.loads((tmp_path / f"{DIGITS}.json").read_text())
    assert recipes.is_trained(DIGITS, tmp_path)
    card["budget"]["epochs"] += 1
    (tmp_path / f"{DIGITS}.json").write_text(json.dumps(card))
    assert not recipes.is_trained(DIGITS, tmp_path)
    (tmp_path / f"{DIGITS}.safetensors").write_bytes(b"")
    assert not recipes.is_trained(DIGITS, tmp_path)
    assert not recipes.is_trained(DIGITS, tmp_path / "elsewhere")


def test_a_sweep_that_was_stopped_goes_on_with_one_bar(tiny, monkeypatch, tmp_path, capsys):
    recipe = recipes.get(DIGITS)
    names = [f"{DIGITS}-s{seed}" for seed in range(3)]
    for seed, name in enumerate(names):
        other = dataclasses.replace(recipe, name=name, seed=seed)
        monkeypatch.setitem(recipes._RECIPES, name, other)
    # tqdm reads TQDM_DISABLE when it is imported.
    monkeypatch.setattr(cli, "tqdm", lambda *a, **k: tqdm(*a, **{"disable": False, **k}))
    train = recipes.train

    def stop(name, *arguments, **settings):
        if name == names[1]:
            raise KeyboardInterrupt
        return train(name, *arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(recipes, "train", stop)
        with pytest.raises(KeyboardInterrupt):
            main(["train", f"{DIGITS}-s*", "--into", str(tmp_path)])
    assert recipes.is_trained(names[0], tmp_path)
    capsys.readouterr()
    assert main(["train", f"{DIGITS}-s*", "--into", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == f"{names[0]} is there already"
    assert all(recipes.is_trained(name, tmp_path) for name in names)
    # One bar, of recipes; none of epochs.
    assert "3/3" in printed.err
    assert "epoch" not in printed.err


def test_info_prints_the_card_as_json(capsys):
    assert main(["info", DIGITS]) == 0
    assert json.loads(capsys.readouterr().out) == recipes.load(DIGITS).card


def test_evaluate_prints_the_metrics_that_the_card_has(capsys):
    assert main(["evaluate", DIGITS, "--samples", "2"]) == 0
    found = json.loads(capsys.readouterr().out)
    card = recipes.load(DIGITS).card["metrics"]
    assert found["elbo"]["nats"] == pytest.approx(card["elbo"]["nats"], abs=0.005)
    assert found["log_p_iw"]["samples"] == 2


def test_train_writes_weights_and_card_where_it_is_told(tiny, tmp_path, capsys):
    into = tmp_path / "new"
    assert main(["train", "digits-*", "--into", str(into), "--samples", "2"]) == 0
    assert sorted(path.name for path in into.iterdir()) == [
        f"{DIGITS}.json",
        f"{DIGITS}.safetensors",
    ]
    card = recipes.load(DIGITS, into).card
    assert card["metrics"]["log_p_iw"]["samples"] == 2
    assert capsys.readouterr().out.splitlines()[0] == DIGITS


@pytest.mark.parametrize("command", ["info", "evaluate", "train"])
def test_an_unknown_name_gives_status_2_and_the_nearest_names(command, capsys, tmp_path):
    into = ["--into", str(tmp_path)] if command == "train" else []
    assert main([command, "mnist-mlp-3d", *into]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "got 'mnist-mlp-3d'" in printed.err
    assert "mnist-mlp-2d" in printed.err
    assert "Traceback" not in printed.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["evaluate", "train"])
def test_missing_data_gives_status_2_and_both_remedies(command, without_data, capsys, tmp_path):
    into = ["--into", str(tmp_path / "new")] if command == "train" else []
    assert main([command, "mnist-mlp-2d", *into]) == 2
    error = capsys.readouterr().err
    assert "vaebook: MNIST is in none of" in error
    assert "set VAEBOOK_DATA" in error


def test_a_negative_number_of_samples_gives_status_2(capsys):
    assert main(["evaluate", DIGITS, "--samples", "-1"]) == 2
    assert "n_samples must be at least 1, got -1" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["sing"], ["info"], ["train"]])
def test_a_command_that_is_none_gives_status_2_and_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m vaebook" in capsys.readouterr().err


def test_the_exit_status_reaches_the_shell():
    done = subprocess.run(
        [sys.executable, "-m", "vaebook", "info", "nothing-like-it"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("vaebook: name must be a recipe, got 'nothing-like-it'")
