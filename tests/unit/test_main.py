"""The command line: what it prints where, and its exit status."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from vaebook import datasets, recipes
from vaebook.__main__ import main
from vaebook.recipes import registry

pytestmark = pytest.mark.slow

DIGITS = "digits-mlp-2d"


@pytest.fixture
def tiny(monkeypatch):
    """Shorten the digits recipe to two epochs of a few images, in three seeds."""
    recipe = recipes.get(DIGITS)
    train, test = recipe.sets()
    short = dataclasses.replace(recipe, data=(train[:240], test[:60]), epochs=2, n_samples=3)
    known = dict(registry._recipes())
    known[DIGITS] = short
    for seed in range(3):
        name = f"{DIGITS}-s{seed}"
        known[name] = dataclasses.replace(short, name=name, seed=seed)
    monkeypatch.setattr(registry, "_recipes", lambda: known)


@pytest.fixture
def without_data(monkeypatch, tmp_path):
    """Take away the folder, the cache and the mirrors."""
    monkeypatch.delenv("VAEBOOK_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("VAEBOOK_OFFLINE", "1")


def test_list_has_a_line_a_recipe_under_its_part_and_marks_what_is_shipped(capsys):
    assert main(["list"]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    marked = [line.split()[1] for line in lines[1:] if line.startswith("* ")]
    bare = [line.split()[0] for line in lines if line.startswith("  ")]
    assert marked == recipes.available()
    assert set(marked) | set(bare) == set(recipes.trainable())
    assert len(marked) + len(bare) == len(recipes.trainable())
    part = None
    for line in lines[1:]:
        if line.startswith(("* ", "  ")):
            recipe = recipes.get(line.lstrip("* ").split()[0])
            assert recipe.part == part
            assert line.endswith(recipe.summary)
        elif line:
            part = line
    assert printed.err == ""


def test_a_reader_who_has_seen_enough_ends_the_list_quietly():
    # The pipe is closed before anything is written.
    script = f"exec {sys.executable} -m vaebook list | true; exit ${{PIPESTATUS[0]}}"
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    script = f"{sys.executable} -m vaebook list | head -n 3"
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert (len(run.stdout.splitlines()), run.stderr) == (3, "")


def test_a_recipe_whose_weights_are_there_is_not_trained_again(tiny, tmp_path, capsys):
    arguments = ["train", DIGITS, "--into", str(tmp_path)]
    assert main(arguments) == 0
    written = (tmp_path / f"{DIGITS}.safetensors").stat().st_mtime_ns
    capsys.readouterr()
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"{DIGITS} is there already\n"
    assert (tmp_path / f"{DIGITS}.safetensors").stat().st_mtime_ns == written
    # Neither a card of another recipe counts nor one without its weights.
    card = json.loads((tmp_path / f"{DIGITS}.json").read_text())
    (tmp_path / f"{DIGITS}.json").write_text(json.dumps(card | {"fingerprint": "0" * 16}))
    assert main(arguments) == 0
    assert "is there already" not in capsys.readouterr().out
    (tmp_path / f"{DIGITS}.safetensors").write_bytes(b"")
    assert main(arguments) == 0
    assert "is there already" not in capsys.readouterr().out
    assert recipes.is_trained(DIGITS, tmp_path)


def test_a_sweep_that_was_stopped_says_how_to_go_on_and_goes_on_with_one_bar(
    tiny, monkeypatch, tmp_path, capsys
):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    names = [f"{DIGITS}-s{seed}" for seed in range(3)]
    train = recipes.train

    def stop(name, *arguments, **settings):
        if name == names[1]:
            raise KeyboardInterrupt
        return train(name, *arguments, **settings)

    arguments = ["train", f"{DIGITS}-s*", "--into", str(tmp_path)]
    with monkeypatch.context() as patch:
        patch.setattr(recipes, "train", stop)
        assert main(arguments) == 130
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1] == (
        "vaebook: interrupted; the same command goes on from there"
    )
    assert recipes.is_trained(names[0], tmp_path)
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == f"{names[0]} is there already"
    assert all(recipes.is_trained(name, tmp_path) for name in names)
    # No bar of epochs, whose unit is their own.
    assert "epoch" not in printed.err


def test_a_sweep_shows_one_bar_of_recipes(tmp_path):
    # tqdm reads TQDM_DISABLE when it is imported, hence a process of its own.
    script = f"""
import dataclasses, sys
from vaebook import recipes
from vaebook.recipes import registry
from vaebook.__main__ import main
recipe = recipes.get("{DIGITS}")
train, test = recipe.sets()
short = dataclasses.replace(recipe, data=(train[:24], test[:6]), epochs=2, n_samples=0)
known = {{f"x{{seed}}": dataclasses.replace(short, name=f"x{{seed}}") for seed in range(3)}}
registry._recipes = lambda: known
sys.exit(main(["train", "x*", "--into", {str(tmp_path)!r}]))
"""
    environment = {k: v for k, v in os.environ.items() if k != "TQDM_DISABLE"}
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert "3/3" in run.stderr
    assert "recipe" in run.stderr
    assert "epoch" not in run.stderr


def test_ctrl_c_in_a_real_training_ends_with_130_and_the_next_call_goes_on(tmp_path):
    command = [sys.executable, "-m", "vaebook", "train", DIGITS, "--into", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / f"{DIGITS}.checkpoint").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "vaebook: interrupted; the same command goes on from there"
    assert "Traceback" not in errors
    assert [path.name for path in tmp_path.iterdir()] == [f"{DIGITS}.checkpoint"]


def test_info_prints_the_card_as_json(capsys):
    assert main(["info", DIGITS]) == 0
    assert json.loads(capsys.readouterr().out) == recipes.load(DIGITS).card


def test_evaluate_prints_the_metrics_that_the_card_has_as_json(capsys):
    assert main(["evaluate", DIGITS, "--samples", "2"]) == 0
    found = json.loads(capsys.readouterr().out)
    card = recipes.load(DIGITS).card["metrics"]
    assert found["elbo"]["nats"] == pytest.approx(card["elbo"]["nats"], abs=0.005)
    assert found["log_p_iw"]["samples"] == 2


def test_train_writes_weights_and_card_where_it_is_told(tiny, tmp_path, capsys):
    into = tmp_path / "new"
    assert main(["train", f"{DIGITS}-s1", "--into", str(into), "--samples", "2"]) == 0
    assert sorted(path.name for path in into.iterdir()) == [
        f"{DIGITS}-s1.json",
        f"{DIGITS}-s1.safetensors",
    ]
    card = recipes.load(f"{DIGITS}-s1", into).card
    assert card["metrics"]["log_p_iw"]["samples"] == 2
    assert capsys.readouterr().out.splitlines()[0] == f"{DIGITS}-s1"
    # What isn't shipped is told of where it is.
    assert main(["info", f"{DIGITS}-s1"]) == 2
    assert "python -m vaebook train digits-mlp-2d-s1" in capsys.readouterr().err
    assert main(["info", f"{DIGITS}-s1", "--from", str(into)]) == 0
    assert json.loads(capsys.readouterr().out) == card
    assert main(["evaluate", f"{DIGITS}-s1", "--from", str(into), "--samples", "2"]) == 0
    assert json.loads(capsys.readouterr().out) == card["metrics"]


@pytest.mark.parametrize("command", ["info", "evaluate", "train"])
def test_an_unknown_name_gives_status_2_and_the_nearest_names(command, capsys, tmp_path):
    into = ["--into", str(tmp_path)] if command == "train" else []
    assert main([command, "mnist-mlp-3d", *into]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "got 'mnist-mlp-3d'; near it are mnist-mlp-8d, mnist-mlp-2d" in printed.err
    assert len(printed.err) < 250
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["evaluate", "train"])
def test_missing_data_gives_status_2_and_both_remedies(command, without_data, capsys, tmp_path):
    into = ["--into", str(tmp_path / "new")] if command == "train" else []
    assert main([command, "mnist-mlp-2d", *into]) == 2
    error = capsys.readouterr().err
    assert error.startswith("vaebook: MNIST (")
    assert "set VAEBOOK_DATA" in error


def test_a_scheduler_that_is_not_there_is_not_passed_over(tiny, tmp_path, capsys):
    into = ["--into", str(tmp_path), "--scheduler", "tcp://127.0.0.1:1"]
    assert main(["train", DIGITS, *into]) == 2
    assert "scheduler must be the address of a running Dask cluster" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_negative_number_of_samples_gives_status_2(capsys):
    assert main(["evaluate", DIGITS, "--samples", "-1"]) == 2
    assert "n_samples must be a whole number, 0 or more, got -1" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_gives_status_2(tiny, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["train", DIGITS, "--into", str(tmp_path / "file")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("vaebook: ")
    assert str(tmp_path / "file") in error
    assert "Traceback" not in error


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
    assert done.stderr.startswith("vaebook: recipe must be one, or the name of one of the book's")


# ---------------------------------------------------------------------------------------------
# The import


def seconds(script):
    """Return what a script prints, the least of five runs."""
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        for _ in range(5)
    ]
    return min(float(run.stdout) for run in runs)


@pytest.mark.alone
def test_importing_the_package_costs_next_to_nothing_beside_torch():
    script = """
import time
import torch
start = time.process_time()
import vaebook
print(time.process_time() - start)
"""
    assert seconds(script) < 0.1


def test_a_recipe_loads_right_after_the_import():
    script = """
import sys
import vaebook
print(vaebook.recipes.load("mnist-mlp-2d").model.latent_dim)
late = {"plotly", "scipy", "sklearn", "torchvision"} & set(sys.modules)
assert not late, late
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "2\n"), run.stderr


def test_the_data_sets_are_not_read_to_list_recipes(monkeypatch, capsys):
    def refuse(*arguments, **settings):
        raise AssertionError("a data set was read")

    for name in ("mnist", "fashion_mnist", "digits", "heatmaps", "t_heatmaps"):
        monkeypatch.setattr(datasets, name, refuse)
    assert main(["list"]) == 0
