"""The training loop: what it repeats, what survives a kill, what it refuses, what it says."""

import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, StepLR

from vaebook import datasets, models, objectives, training
from vaebook.models import networks
from vaebook.datasets import ImageSet
from vaebook.models import VAE, Autoencoder, Bernoulli, Classifier, Gaussian
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.training import TrainingDiverged, fit, one_cycle


def small_vae(seed=0, size=8, hidden=16, likelihood=None):
    torch.manual_seed(seed)
    return VAE(
        MLPEncoder(4, (hidden,), size),
        MLPDecoder(2, (hidden,), size),
        2,
        Bernoulli() if likelihood is None else likelihood,
    )


def quietly(model, train, validation=None, objective=objectives.negative_elbo, **settings):
    settings = {"epochs": 3, "batch_size": 32, "progress": False} | settings
    return fit(model, objective, train, validation, **settings)


def bits(model):
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


def record(history):
    """Return all of a history that isn't time."""
    epochs = {name: values for name, values in history.epochs.items() if name != "seconds"}
    return dict(history.steps), epochs, history.best_epoch


class Steered(nn.Module):
    """A model with one weight, whose loss a test decides."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))


def steered(validation_losses):
    """Return an objective whose validation loss after each epoch is the next of the given ones."""
    losses = iter(validation_losses)

    def objective(model, images, *, generator=None):
        loss = model.weight if model.training else torch.tensor(next(losses))
        return {"loss": loss.expand(len(images))}

    return objective


# ---------------------------------------------------------------------------------------------
# A killed run


def long_run(checkpoint):
    """Train with all that has a state: momentum, schedule, generator, best weights, variance."""
    images = torch.rand(600, 1, 8, 8, generator=torch.Generator().manual_seed(5))
    train, validation = ImageSet(images, title="noise").split(0.8, seed=0)
    model = small_vae(hidden=32, likelihood=Gaussian(mode="optimal"))
    history = quietly(
        model,
        train,
        validation,
        epochs=30,
        batch_size=7,
        schedule=one_cycle(30 * 69, 1e-2),
        transform=datasets.binarize,
        seed=3,
        checkpoint=checkpoint,
    )
    return model, history


def killed_at_random(folder):
    """Start the run in a process of its own, kill it at a random moment between two epochs.

    Returns the epoch that the checkpoint then holds.
    """
    checkpoint = folder / "run.checkpoint"
    script = "import pathlib, sys, torch; torch.set_num_threads(1); import test_training as t; "
    script += "t.long_run(pathlib.Path(sys.argv[1]))"
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(checkpoint)], cwd=Path(__file__).parent
    )
    try:
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        deadline = time.monotonic() + 120
        while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before:
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.3))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return torch.load(checkpoint, weights_only=True)["epoch"]


def test_a_run_killed_at_random_moments_ends_with_the_same_bits_as_one_never_stopped(tmp_path):
    uninterrupted, history = long_run(None)
    first = killed_at_random(tmp_path)
    second = killed_at_random(tmp_path)
    assert 1 <= first < second < 30
    resumed, continued = long_run(tmp_path / "run.checkpoint")
    assert bits(resumed) == bits(uninterrupted)
    assert record(continued) == record(history)


@pytest.mark.parametrize("stop", [1, 2, 4])
@pytest.mark.parametrize(
    "schedule",
    [
        None,
        one_cycle(50, 5e-3),
        lambda o: StepLR(o, 7),
        lambda o: LambdaLR(o, lambda step: 0.99**step),
    ],
)
def test_a_run_stopped_after_any_epoch_and_resumed_repeats_the_whole_one(
    blobs, tmp_path, stop, schedule
):
    train, validation = blobs.split(0.8, 0)
    settings = {"schedule": schedule, "epochs": 6, "transform": datasets.binarize}
    whole = small_vae()
    expected = quietly(whole, train, validation, **settings)

    class Stop(Exception):
        pass

    steps_per_epoch = -(-len(train) // 32)

    def stop_here(step, model):
        if step == (stop + 1) * steps_per_epoch + 1:  # in the next epoch, the checkpoint written
            raise Stop

    with pytest.raises(Stop):
        quietly(
            small_vae(),
            train,
            validation,
            checkpoint=tmp_path / "c",
            after_step=stop_here,
            **settings,
        )
    resumed = small_vae(seed=99)  # the checkpoint brings its own weights
    history = quietly(resumed, train, validation, checkpoint=tmp_path / "c", **settings)
    assert bits(resumed) == bits(whole)
    assert record(history) == record(expected)


def test_a_finished_run_is_not_trained_again(blobs, tmp_path):
    model = small_vae()
    history = quietly(model, blobs, checkpoint=tmp_path / "c")
    again = small_vae(seed=1)
    assert record(quietly(again, blobs, checkpoint=tmp_path / "c")) == record(history)
    assert bits(again) == bits(model)


def test_a_checkpoint_cut_short_while_written_does_not_replace_the_last_good_one(
    blobs, tmp_path, monkeypatch
):
    path = tmp_path / "c"
    quietly(small_vae(), blobs, epochs=2, checkpoint=path)
    good = path.read_bytes()

    def killed(state, partial):
        Path(partial).write_bytes(good[: len(good) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(training.torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        quietly(small_vae(), blobs, epochs=3, checkpoint=path)
    assert path.read_bytes() == good
    monkeypatch.undo()
    assert len(quietly(small_vae(), blobs, epochs=3, checkpoint=path).epochs["loss"]) == 3


def test_a_new_checkpoint_is_never_written_over_the_old_one(blobs, tmp_path):
    path, old = tmp_path / "c", tmp_path / "old"
    quietly(small_vae(), blobs, epochs=1, checkpoint=path)
    old.hardlink_to(path)
    first = path.read_bytes()
    quietly(small_vae(), blobs, epochs=2, checkpoint=path)
    assert path.read_bytes() != first
    assert old.read_bytes() == first


# ---------------------------------------------------------------------------------------------
# What decides a run


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(blobs):
    runs = []
    for seed in (0, 0, 1):
        model = small_vae()
        history = quietly(model, blobs, seed=seed)
        runs.append((bits(model), record(history)))
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[2][0]


def test_the_global_generator_neither_matters_nor_moves(blobs):
    runs = []
    for seed in (0, 1):
        model = small_vae()
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        quietly(model, blobs, transform=datasets.binarize)
        assert torch.equal(torch.get_rng_state(), before)
        runs.append(bits(model))
    assert runs[0] == runs[1]


def test_a_step_is_one_step_of_adam_on_the_mean_loss(blobs):
    """The whole loop against the same few steps written out by hand."""
    train = blobs[torch.arange(50)]
    model, by_hand = small_vae(), small_vae()
    history = quietly(model, train, epochs=2, batch_size=20, learning_rate=3e-3, seed=8)

    optimizer = torch.optim.Adam(by_hand.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(8)
    losses = []
    for _ in range(2):
        order = torch.randperm(50, generator=generator)
        for index in (order[:20], order[20:40], order[40:]):
            terms = objectives.negative_elbo(by_hand, train.images[index], generator=generator)
            losses.append(terms["loss"].mean().item())
            optimizer.zero_grad()
            terms["loss"].mean().backward()
            optimizer.step()
    np.testing.assert_allclose(history.steps["loss"], losses, rtol=1e-6)
    for found, expected in zip(model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_every_image_is_seen_once_an_epoch_in_another_order():
    images = (torch.arange(50.0) / 100).reshape(50, 1, 1, 1)
    seen = []

    def objective(model, images, *, generator=None):
        seen.append(images.flatten())
        return {"loss": model.weight + images.flatten()}

    quietly(Steered(), ImageSet(images), objective=objective, epochs=2, batch_size=16)
    assert [len(batch) for batch in seen] == 2 * [16, 16, 16, 2]
    first, second = torch.cat(seen[:4]), torch.cat(seen[4:])
    assert not torch.equal(first, second)
    for epoch in (first, second):
        assert torch.equal(epoch.sort().values, images.flatten())


def test_the_transform_changes_what_is_trained_and_validated_on(blobs):
    seen = {True: [], False: []}

    def objective(model, images, *, generator=None):
        seen[model.training].append(images)
        return {"loss": model.weight.expand(len(images))}

    train, validation = blobs.split(0.5, 0)
    quietly(Steered(), train, validation, objective=objective, transform=datasets.binarize)
    for batches in seen.values():
        assert set(torch.cat(batches).unique().tolist()) == {0.0, 1.0}
    # Anew in each training batch, always the same for the comparison of epochs.
    first, second, third = seen[False]
    assert torch.equal(first, second)
    assert torch.equal(second, third)
    sums = [torch.cat(seen[True][i : i + 5]).sum().item() for i in (0, 5, 10)]
    assert len(set(sums)) == 3


def test_the_one_cycle_schedule_rises_to_its_peak_and_falls_to_almost_nothing(blobs):
    steps = 10 * 10
    history = quietly(small_vae(), blobs, epochs=10, schedule=one_cycle(steps, 1e-2))
    rates = history.epochs["learning_rate"]
    assert max(rates) == pytest.approx(1e-2, rel=0.01)
    assert rates[0] < 5e-3
    assert rates[-1] < 1e-4
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    constant = quietly(small_vae(), blobs, epochs=2, learning_rate=2e-3)
    assert constant.epochs["learning_rate"] == [2e-3, 2e-3]


def test_four_images_are_learned_by_heart(blobs):
    four = blobs[torch.tensor([0, 1, 2, 3])]
    torch.manual_seed(0)
    model = Autoencoder(MLPEncoder(2, (64,), 8), MLPDecoder(2, (64,), 8), 2, Gaussian(0.5))
    quietly(
        model,
        four,
        objective=objectives.reconstruction_only,
        epochs=1500,
        batch_size=4,
        learning_rate=3e-3,
    )
    error = (model.decode(model.encode(four.images)) - four.images).abs().max()
    assert error < 0.02
    assert (four.images[0] - four.images[3]).abs().max() > 0.2


def test_a_vae_learns_more_than_the_mean_image(blobs):
    train, test = blobs.split(0.8, 0)
    model = small_vae(hidden=64)
    quietly(model, train, epochs=60, learning_rate=5e-3)
    mean = train.images.mean(0).clamp(1e-4, 1 - 1e-4).logit()
    without = Bernoulli().log_prob(mean.expand_as(test.images), test.images).mean()
    terms = objectives.negative_elbo(model, test.images, generator=torch.Generator().manual_seed(0))
    assert -terms["loss"].mean() > without + 2


# ---------------------------------------------------------------------------------------------
# History, best weights, early stopping


def test_the_history_has_a_row_a_step_and_a_row_an_epoch(blobs):
    train, validation = blobs.split(0.8, 0)
    history = quietly(small_vae(), train, validation, epochs=4, batch_size=50)
    terms = {"loss", "reconstruction", "kl"}
    assert {name: len(values) for name, values in history.steps.items()} == dict.fromkeys(
        terms, 4 * 5
    )
    names = terms | {f"validation_{term}" for term in terms} | {"learning_rate", "seconds"}
    assert {name: len(values) for name, values in history.epochs.items()} == dict.fromkeys(
        names, 4
    )
    for name in terms:
        steps = np.array(history.steps[name]).reshape(4, 5)
        np.testing.assert_allclose(history.epochs[name], steps.mean(1))
    sums = np.array(history.steps["reconstruction"]) + np.array(history.steps["kl"])
    np.testing.assert_allclose(history.steps["loss"], sums, rtol=1e-5)


def test_the_validation_loss_is_the_mean_over_all_its_images(blobs):
    def objective(model, images, *, generator=None):
        return {"loss": model.weight * 0 + images.mean((1, 2, 3))}

    images = blobs.images.repeat(8, 1, 1, 1)[:2300]  # more than one block, the last not full
    history = quietly(Steered(), blobs, ImageSet(images), objective=objective, epochs=1)
    assert history.epochs["validation_loss"][0] == pytest.approx(images.mean().item(), rel=1e-5)


def weights_after_epochs(losses, **settings):
    """Return the weight after each epoch of steered validation losses, the model, the history."""
    weights = []
    images = ImageSet(torch.zeros(10, 1, 1, 1))
    model = Steered()
    history = quietly(
        model,
        images,
        images,
        objective=steered(losses),
        epochs=len(losses),
        after_step=lambda step, m: weights.append(m.weight.item()),
        **settings,
    )
    return weights, model, history


def test_the_weights_of_the_best_epoch_are_kept():
    weights, model, history = weights_after_epochs([5.0, 3.0, 1.0, 4.0, 2.0])
    assert len(set(weights)) == 5
    assert history.best_epoch == 2
    assert model.weight.item() == weights[2]
    assert not model.training


def test_without_validation_the_last_weights_are_kept(blobs):
    model = small_vae()
    last = []
    history = quietly(model, blobs, after_step=lambda step, m: last.append(bits(m)))
    assert history.best_epoch == 2
    assert bits(model) == last[-1]


@pytest.mark.parametrize(
    ("losses", "patience", "epochs", "best"),
    [
        ([5, 4, 3, 4, 4, 1], 2, 5, 2),
        ([5, 4, 3, 4, 4, 1], 3, 6, 5),
        ([1, 2, 3, 4, 5, 6], 1, 2, 0),
        ([1, 1, 1, 1, 1, 1], 3, 4, 0),  # no better is not better
        ([6, 5, 4, 3, 2, 1], 1, 6, 5),
    ],
)
def test_training_stops_after_so_many_epochs_without_improvement(losses, patience, epochs, best):
    weights, model, history = weights_after_epochs([float(x) for x in losses], patience=patience)
    assert len(history.epochs["loss"]) == len(weights) == epochs
    assert history.best_epoch == best
    assert model.weight.item() == weights[best]


def test_early_stopping_remembers_the_best_epoch_across_a_resume(tmp_path):
    losses = [5.0, 1.0, 4.0, 4.0, 4.0]
    whole, model, _ = weights_after_epochs(losses, patience=3)
    path = tmp_path / "c"
    weights_after_epochs(losses[:3], patience=3, checkpoint=path)
    images = ImageSet(torch.zeros(10, 1, 1, 1))
    resumed = Steered()
    history = quietly(
        resumed,
        images,
        images,
        objective=steered(losses[3:]),
        epochs=9,
        patience=3,
        checkpoint=path,
    )
    assert len(whole) == len(history.epochs["loss"]) == 5
    assert history.best_epoch == 1
    assert resumed.weight.item() == model.weight.item() == whole[1]


# ---------------------------------------------------------------------------------------------
# What is refused


def diverging(at_step, value):
    count = 0

    def objective(model, images, *, generator=None):
        nonlocal count
        terms = objectives.negative_elbo(model, images, generator=generator)
        if model.training:
            if count == at_step:
                terms["loss"] = terms["loss"] * value
            count += 1
        return terms

    return objective


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_none_stops_at_its_step_and_leaves_the_last_good_checkpoint(
    blobs, tmp_path, value
):
    path = tmp_path / "c"
    # 300 images in batches of 100: step 7 is in epoch 2.
    with pytest.raises(
        TrainingDiverged, match=r"the loss is (nan|-?inf) at step 7 \(epoch 2\)"
    ) as e:
        quietly(
            small_vae(),
            blobs,
            objective=diverging(7, value),
            batch_size=100,
            epochs=5,
            checkpoint=path,
        )
    assert f"{path} holds the last good epoch" in str(e.value)
    resumed, whole = small_vae(), small_vae()
    quietly(resumed, blobs, batch_size=100, epochs=5, checkpoint=path)
    quietly(whole, blobs, batch_size=100, epochs=5)
    assert bits(resumed) == bits(whole)


def test_a_loss_that_is_none_in_the_first_epoch_promises_no_checkpoint(blobs, tmp_path):
    with pytest.raises(TrainingDiverged, match=r"at step 0 \(epoch 0\)") as caught:
        quietly(small_vae(), blobs, objective=diverging(0, math.nan), checkpoint=tmp_path / "c")
    assert "last good" not in str(caught.value)
    assert not (tmp_path / "c").exists()


class Spoiled(torch.autograd.Function):
    """The identity, with a gradient that is NaN."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * math.nan


def test_weights_that_the_last_step_of_an_epoch_spoiled_never_reach_the_checkpoint(
    blobs, tmp_path
):
    count = 0

    def objective(model, images, *, generator=None):
        nonlocal count
        terms = objectives.negative_elbo(model, images, generator=generator)
        count += 1
        if count == 6:
            terms["loss"] = Spoiled.apply(terms["loss"])
        return terms

    path = tmp_path / "c"
    with pytest.raises(TrainingDiverged, match="weights is nan"):
        quietly(small_vae(), blobs, objective=objective, batch_size=100, epochs=2, checkpoint=path)
    assert torch.load(path, weights_only=True)["epoch"] == 1


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_validation_loss_that_is_none_is_not_the_best(tmp_path, value):
    with pytest.raises(TrainingDiverged, match="the validation loss is"):
        weights_after_epochs([3.0, value, 2.0], checkpoint=tmp_path / "c")
    state = torch.load(tmp_path / "c", weights_only=True)
    assert state["epoch"] == 1
    assert state["epochs"]["validation_loss"] == [3.0]


OTHERS = {
    "seed": {"seed": 1},
    "batch_size": {"batch_size": 31},
    "initial_learning_rate": {"learning_rate": 2e-3},
    "schedule": {"schedule": lambda o: StepLR(o, 5)},
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_checkpoint_of_another_run_is_refused(blobs, tmp_path, name):
    path = tmp_path / "c"
    quietly(small_vae(), blobs, checkpoint=path)
    with pytest.raises(ValueError, match=rf"of another run: .*'{name}'"):
        quietly(small_vae(), blobs, checkpoint=path, **OTHERS[name])


def test_a_checkpoint_of_another_model_or_other_data_is_refused(blobs, tmp_path):
    path = tmp_path / "c"
    quietly(small_vae(), blobs, checkpoint=path)
    renamed = ImageSet(blobs.images, title="others")
    for model, train, validation in (
        (small_vae(hidden=17), blobs, None),
        (small_vae(), blobs[:299], None),
        (small_vae(), renamed, None),
        (small_vae(), blobs, blobs[:10]),
    ):
        with pytest.raises(ValueError, match="of another run"):
            quietly(model, train, validation, checkpoint=path)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_file_that_is_no_checkpoint_is_refused_and_left_alone(blobs, tmp_path, content):
    path = tmp_path / "c"
    if content is None:
        torch.save({"weights": torch.zeros(3)}, path)
        content = path.read_bytes()
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is no checkpoint of fit"):
        quietly(small_vae(), blobs, checkpoint=path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epochs": 0}, "epochs and batch_size must be at least 1, got 0, 32"),
        ({"batch_size": 0}, "epochs and batch_size must be at least 1, got 3, 0"),
        ({"learning_rate": 0}, "learning_rate must be positive and finite, got 0"),
        ({"learning_rate": -1e-3}, "learning_rate must be positive"),
        ({"learning_rate": math.nan}, "learning_rate must be positive and finite, got nan"),
        ({"patience": 3}, "patience must be at least 1 and needs validation, got 3"),
    ],
)
def test_settings_out_of_range_are_refused_before_a_step(blobs, settings, said):
    model = small_vae()
    before = bits(model)
    with pytest.raises(ValueError, match=said):
        quietly(model, blobs, **settings)
    assert bits(model) == before


def test_patience_of_nothing_and_sets_of_nothing_are_refused(blobs):
    with pytest.raises(ValueError, match="patience must be at least 1"):
        quietly(small_vae(), blobs, blobs, patience=0)
    for train, validation in ((blobs[:0], None), (blobs, blobs[:0])):
        with pytest.raises(ValueError, match="must hold at least one image"):
            quietly(small_vae(), train, validation)


# ---------------------------------------------------------------------------------------------
# What is printed


def test_a_run_prints_one_line_of_summary(blobs, capsys):
    history = quietly(small_vae(), blobs, progress=True)
    printed = capsys.readouterr().out
    assert printed == f"{history}\n"
    assert printed.count("\n") == 1
    loss = history.epochs["loss"][-1]
    assert f"3 epochs in {sum(history.epochs['seconds']):.1f} s: loss {loss:.2f}" in printed


@pytest.mark.parametrize("rendered", [False, True])
def test_the_bar_is_shown_on_standard_error_but_not_in_a_rendered_page(rendered):
    # tqdm reads the variable when it is imported, hence a process of its own.
    script = """
import torch
from vaebook import datasets, models, networks, objectives, training
train = datasets.ImageSet(torch.rand(8, 1, 8, 8))
encoder = networks.MLPEncoder(2, hidden=(8,), image_size=8)
decoder = networks.MLPDecoder(1, hidden=(8,), image_size=8)
vae = models.VAE(encoder, decoder, 1, models.Bernoulli())
training.fit(vae, objectives.negative_elbo, train, epochs=3)
"""
    environment = {k: v for k, v in os.environ.items() if k != "TQDM_DISABLE"}
    environment |= {"TQDM_DISABLE": "1"} if rendered else {}
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("3 epochs in ")
    assert run.stdout.count("\n") == 1
    if rendered:
        assert run.stderr == ""
    else:
        assert "3/3" in run.stderr


def test_a_quiet_run_prints_nothing(blobs, capsys):
    quietly(small_vae(), blobs)
    assert capsys.readouterr() == ("", "")


def test_labels_reach_an_objective_that_needs_them():
    """Softmax regression on separable blobs ends with every image right."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % 3
    images = torch.rand(120, 1, 3, 3, generator=generator) * 0.1
    images[torch.arange(120), 0, labels, labels] = 1.0
    blobs = ImageSet(images, labels)
    torch.manual_seed(0)
    model = Classifier(nn.Flatten(), 9, 3)
    history = quietly(
        model,
        *blobs.split(0.8, 0),
        objective=objectives.cross_entropy,
        with_labels=True,
        epochs=60,
        learning_rate=0.05,
    )
    assert (model(images).argmax(1) == labels).all()
    expected = -model(images).log_softmax(1)[torch.arange(120), labels]
    found = objectives.cross_entropy(model, images, labels=labels)["loss"]
    torch.testing.assert_close(found, expected)
    assert history.epochs["validation_loss"][-1] < 0.1 < history.epochs["validation_loss"][0]


def test_an_objective_that_needs_labels_is_not_trained_without(blobs):
    bare = ImageSet(blobs.images)
    with pytest.raises(ValueError, match="with_labels needs labels, but train has none"):
        quietly(small_vae(), bare, with_labels=True)
