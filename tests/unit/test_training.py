"""The training loop: what it repeats, what survives a kill, what it refuses, what it says."""

import errno
import hashlib
import io
import math
import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import Dataset, TensorDataset

from vaebook import datasets, objectives
from vaebook.datasets import ImageSet
from vaebook.models import VAE, Autoencoder, Bernoulli, Classifier, Gaussian, OptimalGaussian
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.models.priors import DiagonalNormal
from vaebook.training import Recorder, TrainingDiverged, fit, one_cycle


def small_vae(seed=0, hidden=16, likelihood=None, prior=None):
    torch.manual_seed(seed)
    return VAE(
        MLPEncoder(4, (hidden,), (1, 8, 8)),
        MLPDecoder(2, (hidden,), (1, 8, 8)),
        2,
        Bernoulli() if likelihood is None else likelihood,
        prior,
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


def state_in(checkpoint):
    """Return what a checkpoint holds, behind its first line and its digest."""
    _, _, rest = Path(checkpoint).read_bytes().partition(b"\n")
    return torch.load(io.BytesIO(rest[32:]), weights_only=True)


def repacked(checkpoint, state):
    """Write another state into a checkpoint, with the digest that belongs to it."""
    first, _, _ = checkpoint.read_bytes().partition(b"\n")
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getvalue()
    checkpoint.write_bytes(first + b"\n" + hashlib.sha256(payload).digest() + payload)


def in_child(function):
    """Run a function in a forked process, and return the signal that ended it, or 0."""
    child = os.fork()
    if child == 0:
        try:
            function()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


class Steered(nn.Module):
    """A model with one weight, whose loss a test decides."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))


def steered(validation_losses):
    """Return an objective whose validation loss after each epoch is the next of the given ones."""
    losses = iter(validation_losses)

    def objective(model, batch, *, generator=None, progress=1.0):
        loss = model.weight if model.training else torch.tensor(next(losses))
        return {"loss": loss.expand(len(batch))}

    return objective


class Stop(Exception):
    """What a test stops a run with."""


def stopping_at(step):
    """Return an observer that stops a run after a step."""

    def observe(done, model):
        if done == step:
            raise Stop

    return observe


# ---------------------------------------------------------------------------------------------
# A killed run


def long_run(checkpoint):
    """Train with all that has a state: momentum, schedule, generators, best weights, variance."""
    images = torch.rand(600, 1, 8, 8, generator=torch.Generator().manual_seed(5))
    train, validation = ImageSet(images, title="noise").split(0.8, seed=0)
    model = small_vae(hidden=32, likelihood=OptimalGaussian())
    history = quietly(
        model,
        train,
        validation,
        epochs=30,
        batch_size=7,
        learning_rate=1e-2,
        schedule=one_cycle,
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
    return state_in(checkpoint)["epoch"]


@pytest.mark.weekly
@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_with_the_same_bits_as_one_never_stopped(tmp_path):
    uninterrupted, history = long_run(None)
    first = killed_at_random(tmp_path)
    second = killed_at_random(tmp_path)
    assert 1 <= first < second < 30
    resumed, continued = long_run(tmp_path / "run.checkpoint")
    assert bits(resumed) == bits(uninterrupted)
    assert record(continued) == record(history)


def kill(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)


def write_half_and_die(path, content):
    with path.open("wb") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        kill()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "name", "epochs"),
    [
        (Path, "write_bytes", 1),  # before the first byte
        (Path, "write_bytes", 2),
        (os, "replace", 1),  # written, but not in its place
        (os, "replace", 2),
    ],
)
@pytest.mark.parametrize("half", [False, True])
def test_a_kill_while_the_checkpoint_is_written_costs_no_bit(
    blobs, tmp_path, where, name, epochs, half
):
    path = tmp_path / "c"
    whole = small_vae()
    expected = quietly(whole, blobs)
    original, calls = getattr(where, name), []

    def deadly(*arguments):
        calls.append(1)
        if len(calls) == epochs:
            (write_half_and_die if half and where is Path else kill)(*arguments)
        return original(*arguments)

    def run():
        setattr(where, name, deadly)
        quietly(small_vae(), blobs, checkpoint=path)

    assert in_child(run) == signal.SIGKILL
    assert path.exists() == (epochs > 1)
    if path.exists():
        assert state_in(path)["epoch"] == epochs - 1
    resumed = small_vae()
    assert record(quietly(resumed, blobs, checkpoint=path)) == record(expected)
    assert bits(resumed) == bits(whole)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [1, 2, 4])
@pytest.mark.parametrize("schedule", [None, one_cycle, lambda progress: 0.9**progress])
def test_a_run_stopped_after_any_epoch_and_resumed_repeats_the_whole_one(
    blobs, tmp_path, stop, schedule
):
    train, validation = blobs.split(0.8, 0)
    settings = {"schedule": schedule, "epochs": 6, "transform": datasets.binarize}
    whole = small_vae()
    expected = quietly(whole, train, validation, **settings)
    steps_per_epoch = -(-len(train) // 32)
    # In the next epoch, when the checkpoint is written.
    stopping = stopping_at((stop + 1) * steps_per_epoch + 1)
    with pytest.raises(Stop):
        quietly(
            small_vae(),
            train,
            validation,
            checkpoint=tmp_path / "c",
            observers=[stopping],
            **settings,
        )
    resumed = small_vae(seed=99)  # the checkpoint brings its own weights
    history = quietly(resumed, train, validation, checkpoint=tmp_path / "c", **settings)
    assert bits(resumed) == bits(whole)
    assert record(history) == record(expected)


def test_a_checkpoint_changes_no_bit_of_the_run(blobs, tmp_path):
    with_one, without = small_vae(), small_vae()
    histories = [
        quietly(with_one, *blobs.split(0.8, 0), checkpoint=tmp_path / "new" / "c"),
        quietly(without, *blobs.split(0.8, 0)),
    ]
    assert bits(with_one) == bits(without)
    assert record(histories[0]) == record(histories[1])


def test_a_finished_run_is_not_trained_again(blobs, tmp_path):
    model = small_vae()
    history = quietly(model, blobs, checkpoint=tmp_path / "c")
    again = small_vae(seed=1)
    assert record(quietly(again, blobs, checkpoint=tmp_path / "c")) == record(history)
    assert bits(again) == bits(model)


def test_a_full_disk_is_named_with_the_file_and_leaves_nothing_behind(
    blobs, tmp_path, monkeypatch
):
    path = tmp_path / "c"
    with pytest.raises(Stop):
        quietly(small_vae(), blobs, checkpoint=path, observers=[stopping_at(15)])
    good = path.read_bytes()

    def full(partial, content):
        with partial.open("wb") as file:
            file.write(content[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    model = small_vae()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left on device") as caught:
            quietly(model, blobs, checkpoint=path)
    assert caught.value.filename == str(path)
    assert caught.value.errno == errno.ENOSPC
    assert [file.name for file in tmp_path.iterdir()] == ["c"]
    assert path.read_bytes() == good
    assert not model.training
    quietly(small_vae(), blobs, checkpoint=path)


def test_a_new_checkpoint_is_never_written_over_the_old_one(blobs, tmp_path):
    path, old = tmp_path / "c", tmp_path / "old"
    with pytest.raises(Stop):
        quietly(small_vae(), blobs, checkpoint=path, observers=[stopping_at(15)])
    old.hardlink_to(path)
    first = path.read_bytes()
    quietly(small_vae(), blobs, checkpoint=path)
    assert path.read_bytes() != first
    assert old.read_bytes() == first


# ---------------------------------------------------------------------------------------------
# A checkpoint that is not of this run


def doubled(model, batch, *, generator=None, progress=1.0):
    terms = objectives.negative_elbo(model, batch, generator=generator, progress=progress)
    return terms | {"loss": 2 * terms["loss"]}


def norm(model):
    return model.encoder.layers[0].weight.norm().item()


def spread(model):
    return model.encoder.layers[0].weight.std().item()


RUN = {
    "epochs": 4,
    "batch_size": 100,
    "learning_rate": 1e-3,
    "schedule": one_cycle,
    "patience": 4,
    "transform": partial(datasets.add_noise, scale=0.1),
    "seed": 0,
    "objective": partial(objectives.negative_elbo, beta=1.0),
}
OTHERS = {
    "epochs": 5,
    "batch_size": 99,
    "learning_rate": 2e-3,
    "schedule": None,
    "patience": 3,
    "transform": partial(datasets.add_noise, scale=0.2),
    "seed": 1,
    "objective": partial(objectives.negative_elbo, beta=4.0),
}


@pytest.fixture
def started(blobs, tmp_path):
    """Return the checkpoint of a run that was stopped, and what goes on from it."""
    path = tmp_path / "c"
    recorder = partial(Recorder, norm, [0, 3, 7])

    def run(changes=None, model=None, train=blobs, validation=blobs[:50], observers=None):
        return quietly(
            model or small_vae(likelihood=Gaussian(0.5)),
            train,
            validation,
            checkpoint=path,
            observers=[recorder()] if observers is None else observers,
            **(RUN | (changes or {})),
        )

    with pytest.raises(Stop):
        run(observers=[recorder(), stopping_at(4)])
    return path, run


def test_the_checkpoint_of_the_same_run_is_taken(started):
    _, run = started
    assert len(run().epochs["loss"]) == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_a_checkpoint_of_a_run_with_another_setting_is_refused(started, name):
    path, run = started
    before = path.read_bytes()
    with pytest.raises(ValueError, match="is of another run: its fingerprint is"):
        run({name: OTHERS[name]})
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "objective",
    [doubled, partial(objectives.negative_elbo, beta=one_cycle), objectives.negative_elbo],
)
def test_a_checkpoint_of_another_objective_is_refused(started, objective):
    with pytest.raises(ValueError, match="is of another run"):
        started[1]({"objective": objective})


OTHER_DATA = {
    "inverted": lambda blobs: ImageSet(1 - blobs.images, blobs.labels, title=blobs.title),
    "one image less": lambda blobs: blobs[:299],
    "another order": lambda blobs: blobs[torch.arange(299, -1, -1)],
    "other labels": lambda blobs: ImageSet(blobs.images, 2 - blobs.labels, title=blobs.title),
    "no labels": lambda blobs: ImageSet(blobs.images, title=blobs.title),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHER_DATA)
def test_a_checkpoint_of_other_images_of_one_title_is_refused(started, blobs, name):
    _, run = started
    other = OTHER_DATA[name](blobs)
    with pytest.raises(ValueError, match="is of another run"):
        run(train=other)
    with pytest.raises(ValueError, match="is of another run"):
        run(validation=other)


OTHER_MODELS = {
    "width": {"hidden": 17},
    "likelihood": {"likelihood": Bernoulli()},
    "variance": {"likelihood": Gaussian(0.4)},
    "kind of variance": {"likelihood": OptimalGaussian(0.5)},
    "prior": {"prior": DiagonalNormal(torch.zeros(2), torch.ones(2))},
}


@pytest.mark.parametrize("name", OTHER_MODELS)
def test_a_checkpoint_of_another_model_is_refused(started, name):
    changes = {"likelihood": Gaussian(0.5)} | OTHER_MODELS[name]
    settings = {"transform": None} if name == "likelihood" else {}
    with pytest.raises(ValueError, match="is of another run"):
        started[1](settings, model=small_vae(**changes))


@pytest.mark.parametrize(
    "observers",
    [
        [],
        [Recorder(norm, [0, 3])],
        [Recorder(spread, [0, 3, 7])],
        [Recorder(norm, [0, 3, 7]), Recorder(norm, [0, 3, 7])],
    ],
)
def test_a_checkpoint_with_what_other_observers_kept_is_refused(started, observers):
    with pytest.raises(ValueError, match="is of a run with other observers"):
        started[1](observers=observers)


@pytest.mark.slow
def test_every_flipped_bit_of_a_checkpoint_is_refused(started):
    path, run = started
    good = path.read_bytes()
    chance = random.Random(0)
    for _ in range(60):
        content = bytearray(good)
        content[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"checkpoint .*c is damaged"):
            run()


def test_a_checkpoint_that_was_cut_short_is_refused(started):
    path, run = started
    good = path.read_bytes()
    for length in (0, 1, 20, 40, 60, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.raises(ValueError, match="is damaged"):
            run()
        assert path.read_bytes() == good[:length]  # left alone


@pytest.mark.slow
def test_a_checkpoint_without_a_key_is_refused(started):
    path, run = started
    state = state_in(path)
    for name in state:
        repacked(path, {key: value for key, value in state.items() if key != name})
        with pytest.raises(ValueError, match="is damaged, or no checkpoint of fit"):
            run()
    repacked(path, state)
    run()


@pytest.mark.parametrize("content", [b"not a checkpoint", None])
def test_a_file_that_is_no_checkpoint_is_refused_and_left_alone(blobs, tmp_path, content):
    path = tmp_path / "c"
    if content is None:
        torch.save({"weights": torch.zeros(3)}, path)
        content = path.read_bytes()
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no checkpoint of fit; delete it or name another file"):
        quietly(small_vae(), blobs, checkpoint=path)
    assert path.read_bytes() == content


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


class Pairs(Dataset):
    """Images with labels that are read one by one, as a reader's own set would be."""

    def __init__(self, images, labelled=True):
        self.images = images
        self.labelled = labelled

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image, label = self.images[int(index)]
        return (image, int(label)) if self.labelled else image


@pytest.mark.slow
def test_images_alone_may_come_as_torchs_own_sets_give_them(blobs):
    runs = []
    for wrapped in (blobs, TensorDataset(blobs.images), TensorDataset(blobs.images, blobs.labels)):
        model = small_vae()
        quietly(model, wrapped)
        runs.append(bits(model))
    assert runs[0] == runs[1] == runs[2]
    trio = TensorDataset(blobs.images, blobs.labels, blobs.labels)
    with pytest.raises(ValueError, match=r"train must give images .* or pairs of image and label"):
        quietly(small_vae(), trio)


@pytest.mark.parametrize("pixel", [float("nan"), -1.0, 255.0])
def test_a_bad_pixel_of_a_set_that_is_read_one_by_one_is_refused_in_its_batch(blobs, pixel):
    images = blobs.images.clone()
    images[77, 0, 3, 3] = pixel
    with pytest.raises(ValueError, match=r"images must (be finite|lie in \[0, 1\])"):
        quietly(small_vae(), TensorDataset(images))


@pytest.mark.slow
@pytest.mark.parametrize("wrapped", [lambda images: images, Pairs])
def test_the_global_generator_neither_matters_nor_moves(blobs, wrapped):
    runs = []
    for seed in (0, 1):
        model = small_vae()
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        quietly(model, wrapped(blobs), transform=datasets.binarize)
        assert torch.equal(torch.get_rng_state(), before)
        runs.append(bits(model))
    assert runs[0] == runs[1]


def test_a_step_is_one_step_of_adam_on_the_mean_loss(blobs):
    """The whole loop against the same few steps written out by hand."""
    train = blobs[:50]
    model, by_hand = small_vae(), small_vae()
    history = quietly(model, train, epochs=2, batch_size=20, learning_rate=3e-3, seed=8)

    optimizer = torch.optim.Adam(by_hand.parameters(), lr=3e-3)
    shuffler, noise = torch.Generator().manual_seed(8), torch.Generator().manual_seed(9)
    losses = []
    for _ in range(2):
        order = torch.randperm(50, generator=shuffler)
        for index in (order[:17], order[17:34], order[34:]):
            terms = objectives.negative_elbo(by_hand, train[index], generator=noise)
            losses.append(terms["loss"].mean().item())
            optimizer.zero_grad()
            terms["loss"].mean().backward()
            optimizer.step()
    np.testing.assert_allclose(history.steps["loss"], losses, rtol=1e-6)
    for found, expected in zip(model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("size", "batch_size", "expected"),
    [
        (50, 16, [13, 13, 12, 12]),
        (257, 128, [86, 86, 85]),
        (129, 128, [65, 64]),
        (128, 128, [128]),
        (1, 128, [1]),
        (256, 128, [128, 128]),
    ],
)
def test_every_image_is_seen_once_an_epoch_in_another_order_and_no_batch_is_a_remnant(
    size, batch_size, expected
):
    images = (torch.arange(float(size)) / size).reshape(size, 1, 1, 1)
    seen = []

    def objective(model, batch, *, generator=None, progress=1.0):
        seen.append(batch.images.flatten())
        return {"loss": model.weight + batch.images.flatten()}

    quietly(Steered(), ImageSet(images), objective=objective, epochs=2, batch_size=batch_size)
    assert [len(batch) for batch in seen] == 2 * expected
    first, second = torch.cat(seen[: len(expected)]), torch.cat(seen[len(expected) :])
    assert size == 1 or not torch.equal(first, second)
    for epoch in (first, second):
        assert torch.equal(epoch.sort().values, images.flatten())


@pytest.mark.parametrize("size", [257, 129])
def test_batch_norm_survives_a_remainder_of_one(size):
    torch.manual_seed(0)
    features = nn.Sequential(nn.Flatten(), nn.Linear(9, 4), nn.BatchNorm1d(4))
    labels = torch.arange(size) % 3
    train = ImageSet(torch.rand(size, 1, 3, 3), labels)
    history = quietly(
        Classifier(features, 4, 3), train, objective=objectives.cross_entropy, batch_size=128
    )
    assert all(map(math.isfinite, history.steps["loss"]))


@pytest.mark.parametrize("size", [129, 131, 50])
def test_the_mean_of_an_epoch_weighs_images_not_batches(size):
    generator = torch.Generator().manual_seed(size)
    images = torch.rand(size, 1, 1, 1, generator=generator)
    images[0] = 1000.0  # one image that a mean over batches would weigh otherwise

    def objective(model, batch, *, generator=None, progress=1.0):
        return {"loss": 0 * model.weight + batch.images.flatten()}

    train = ImageSet(images, in_unit_range=False)
    history = quietly(Steered(), train, objective=objective, batch_size=32, epochs=2)
    assert size % len(history.steps["loss"]) != 0  # the batches are not all of one size
    for mean in history.epochs["loss"]:
        assert mean == pytest.approx(images.mean().item(), rel=1e-6)


def test_the_transform_changes_what_is_trained_and_validated_on(blobs):
    seen: dict[bool, list[torch.Tensor]] = {True: [], False: []}

    def objective(model, batch, *, generator=None, progress=1.0):
        seen[model.training].append(batch.images)
        return {"loss": model.weight.expand(len(batch))}

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


def test_the_one_cycle_schedule_is_torchs(blobs):
    total = 400
    optimizer = torch.optim.Adam(Steered().parameters(), lr=1e-2)
    torchs = OneCycleLR(optimizer, 1e-2, total_steps=total, cycle_momentum=False)
    expected, found = [], []
    for step in range(total):
        expected.append(torchs.get_last_lr()[0])
        found.append(1e-2 * one_cycle(step / total))
        optimizer.step()
        torchs.step()
    # Torch turns at step 119 of 400, not at 120, and is done at 399: one step's difference.
    largest = np.abs(np.diff(expected)).max()
    np.testing.assert_allclose(found, expected, atol=1.01 * largest)
    # The rate is all that is cycled: Adam's momentum stays.
    recorder = []
    quietly(
        small_vae(),
        blobs,
        schedule=one_cycle,
        observers=[lambda step, model: recorder.append(step)],
        epochs=2,
    )
    assert recorder == list(range(21))


def test_the_schedule_sets_the_rate_of_each_step_and_nothing_else(blobs, monkeypatch):
    rates, betas = [], []
    original = torch.optim.Adam.step

    def step(optimizer, *arguments):
        rates.append(optimizer.param_groups[0]["lr"])
        betas.append(optimizer.param_groups[0]["betas"])
        return original(optimizer, *arguments)

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    history = quietly(small_vae(), blobs, epochs=4, schedule=one_cycle, learning_rate=1e-2)
    np.testing.assert_allclose(rates, [1e-2 * one_cycle(i / 40) for i in range(40)])
    assert set(betas) == {(0.9, 0.999)}
    assert history.epochs["learning_rate"] == rates[9::10]
    constant = quietly(small_vae(), blobs, epochs=2, learning_rate=2e-3)
    assert constant.epochs["learning_rate"] == [2e-3, 2e-3]


def test_a_price_that_follows_the_progress_is_charged_in_training_and_in_full_in_validation(
    blobs,
):
    train, validation = blobs.split(0.8, 0)
    annealed = partial(objectives.negative_elbo, beta=lambda progress: progress / 2)
    history = quietly(small_vae(), train, validation, objective=annealed, epochs=5)
    steps = history.steps
    expected = np.arange(len(steps["kl"])) / len(steps["kl"]) / 2
    found = np.array(steps["loss"]) - steps["reconstruction"]
    np.testing.assert_allclose(found, expected * steps["kl"], atol=2e-5)  # of 45 in float32
    epochs = {name: np.array(values) for name, values in history.epochs.items()}
    charged = epochs["validation_loss"] - epochs["validation_reconstruction"]
    np.testing.assert_allclose(charged, epochs["validation_kl"] / 2, rtol=1e-3)


def test_what_a_recorder_kept_before_a_stop_is_in_the_resumed_run(blobs, tmp_path):
    whole = Recorder(norm, [0, 3, 12, 25])
    quietly(small_vae(), blobs, observers=[whole])
    assert list(whole.values) == [0, 3, 12, 25]
    part = Recorder(norm, [0, 3, 12, 25])
    with pytest.raises(Stop):
        quietly(small_vae(), blobs, checkpoint=tmp_path / "c", observers=[stopping_at(15), part])
    resumed = Recorder(norm, [0, 3, 12, 25])
    quietly(small_vae(), blobs, checkpoint=tmp_path / "c", observers=[resumed])
    assert resumed.values == whole.values


def test_an_observer_sees_the_untrained_model_and_then_each_step(blobs):
    seen = []
    model = small_vae()
    before = bits(model)
    quietly(
        model, blobs, epochs=2, observers=[lambda step, model: seen.append((step, bits(model)))]
    )
    assert [step for step, _ in seen] == list(range(21))
    assert seen[0][1] == before
    assert seen[-1][1] == bits(model)
    assert len({content["encoder.layers.0.weight"] for _, content in seen}) == 21


@pytest.mark.slow
def test_four_images_are_learned_by_heart(blobs):
    four = blobs[:4]
    torch.manual_seed(0)
    encoder, decoder = MLPEncoder(2, (64,), (1, 8, 8)), MLPDecoder(2, (64,), (1, 8, 8))
    model = Autoencoder(encoder, decoder, 2, Gaussian(0.5))
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


@pytest.mark.slow
def test_a_vae_learns_more_than_the_mean_image(blobs):
    train, test = blobs.split(0.8, 0)
    model = small_vae(hidden=64)
    quietly(model, train, epochs=60, learning_rate=5e-3)
    mean = train.images.mean(0).clamp(1e-4, 1 - 1e-4).logit()
    without = Bernoulli().log_prob(mean.expand_as(test.images), test.images).mean()
    terms = objectives.negative_elbo(model, test, generator=torch.Generator().manual_seed(0))
    assert -terms["loss"].mean() > without + 2


# ---------------------------------------------------------------------------------------------
# History, best weights, early stopping


def test_the_history_has_a_row_a_step_and_a_row_an_epoch(blobs):
    train, validation = blobs.split(0.8, 0)
    history = quietly(small_vae(), train, validation, epochs=4, batch_size=48)
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
    def objective(model, batch, *, generator=None, progress=1.0):
        return {"loss": model.weight * 0 + batch.images.mean((1, 2, 3))}

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
        epochs=settings.pop("epochs", len(losses)),
        observers=[lambda step, m: weights.append(m.weight.item())],
        **settings,
    )
    return weights[1:], model, history


def test_the_weights_of_the_best_epoch_are_kept():
    weights, model, history = weights_after_epochs([5.0, 3.0, 1.0, 4.0, 2.0])
    assert len(set(weights)) == 5
    assert history.best_epoch == 2
    assert model.weight.item() == weights[2]
    assert not model.training


def test_without_validation_the_last_weights_are_kept(blobs):
    model = small_vae()
    last = []
    history = quietly(model, blobs, observers=[lambda step, m: last.append(bits(m))])
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
    losses = [5.0, 1.0, 4.0, 4.0, 4.0, 4.0]
    whole, model, _ = weights_after_epochs(losses, patience=3)
    images = ImageSet(torch.zeros(10, 1, 1, 1))

    def run(model, losses, observers):
        settings = {"epochs": 6, "patience": 3, "checkpoint": tmp_path / "c"}
        objective = steered(losses)
        return quietly(model, images, images, objective=objective, observers=observers, **settings)

    with pytest.raises(Stop):
        run(Steered(), losses, [stopping_at(4)])  # one step an epoch
    resumed = Steered()
    history = run(resumed, losses[3:], [])
    assert len(whole) == len(history.epochs["loss"]) == 5
    assert history.best_epoch == 1
    assert resumed.weight.item() == model.weight.item() == whole[1]


# ---------------------------------------------------------------------------------------------
# Stopped by hand


def interrupting_at(step):
    def observe(done, model):
        if done == step:
            raise KeyboardInterrupt

    return observe


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [1, 2])
def test_ctrl_c_leaves_the_best_weights_in_eval_mode_and_the_history_so_far(blobs, epochs):
    train, validation = blobs.split(0.8, 0)
    model, whole = small_vae(), small_vae()
    with pytest.warns(UserWarning, match=rf"interrupted after {epochs} epochs: the weights of ep"):
        history = quietly(
            model, train, validation, epochs=9, observers=[interrupting_at(8 * epochs + 3)]
        )
    assert history.interrupted
    assert not model.training
    assert len(history.steps["loss"]) == 8 * epochs + 3
    assert {len(values) for values in history.epochs.values()} == {epochs}
    expected = quietly(whole, train, validation, epochs=9)
    assert history.epochs["loss"] == expected.epochs["loss"][:epochs]
    assert f"{epochs} epochs in" in str(history)
    # The weights of that epoch, not those of the step.
    short = small_vae()
    with pytest.raises(Stop):
        quietly(short, train, validation, epochs=9, observers=[stopping_at(8 * epochs + 1)])
    assert bits(model) == bits(short)


def test_ctrl_c_in_the_first_epoch_keeps_the_weights_of_the_moment(blobs):
    model, seen = small_vae(), []
    with pytest.warns(UserWarning, match="after 0 epochs: the weights of this moment are in the"):
        history = quietly(
            model,
            blobs,
            observers=[lambda step, m: seen.append(bits(m)), interrupting_at(4)],
        )
    assert bits(model) == seen[4]
    assert not model.training
    assert history.best_epoch == -1
    assert str(history) == "no epoch done, 4 steps"


def test_a_run_stopped_by_ctrl_c_goes_on_from_its_checkpoint(blobs, tmp_path):
    whole, part, resumed = small_vae(), small_vae(), small_vae()
    expected = quietly(whole, blobs)
    with pytest.warns(UserWarning, match="interrupted"):
        quietly(part, blobs, checkpoint=tmp_path / "c", observers=[interrupting_at(25)])
    assert record(quietly(resumed, blobs, checkpoint=tmp_path / "c")) == record(expected)
    assert bits(resumed) == bits(whole)


# ---------------------------------------------------------------------------------------------
# Divergence


def diverging(at_step, value):
    def objective(model, batch, *, generator=None, progress=1.0):
        terms = objectives.negative_elbo(model, batch, generator=generator, progress=progress)
        if model.training and round(progress * 15) == at_step:
            terms["loss"] = terms["loss"] * value
        return terms

    return objective


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_none_stops_at_its_step_and_leaves_the_best_weights(blobs, tmp_path, value):
    path = tmp_path / "c"
    model, two_epochs = small_vae(), small_vae()
    settings = {"objective": diverging(7, value), "batch_size": 100, "epochs": 5}
    # 300 images in batches of 100: step 7 is in epoch 2.
    with pytest.raises(
        TrainingDiverged, match=r"the loss is (nan|-?inf) at step 7 \(epoch 2\)"
    ) as caught:
        quietly(model, blobs, checkpoint=path, **settings)
    assert f"{path} holds the last good epoch" in str(caught.value)
    history = caught.value.history
    assert len(history.steps["loss"]) == 7
    assert len(history.epochs["loss"]) == 2
    assert not model.training
    with pytest.raises(Stop):
        quietly(two_epochs, blobs, observers=[stopping_at(7)], **settings)
    assert bits(model) == bits(two_epochs)
    assert state_in(path)["epoch"] == 2
    assert {n: t.numpy().tobytes() for n, t in state_in(path)["model"].items()} == bits(model)


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
    def objective(model, batch, *, generator=None, progress=1.0):
        terms = objectives.negative_elbo(model, batch, generator=generator)
        if round(progress * 6) == 5:
            terms["loss"] = Spoiled.apply(terms["loss"])
        return terms

    path, model = tmp_path / "c", small_vae()
    with pytest.raises(TrainingDiverged, match="weights is nan"):
        quietly(model, blobs, objective=objective, batch_size=100, epochs=2, checkpoint=path)
    assert state_in(path)["epoch"] == 1
    assert all(parameter.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_validation_loss_that_is_none_is_not_the_best(tmp_path, value):
    with pytest.raises(TrainingDiverged, match="the validation loss is"):
        weights_after_epochs([3.0, value, 2.0], checkpoint=tmp_path / "c")
    state = state_in(tmp_path / "c")
    assert state["epoch"] == 1
    assert state["epochs"]["validation_loss"] == [3.0]


# ---------------------------------------------------------------------------------------------
# Data from elsewhere, devices, precision


@pytest.mark.slow
@pytest.mark.parametrize(("labelled", "workers"), [(True, 0), (False, 0), (True, 1)])
def test_a_dataset_trains_as_the_resident_set_does(blobs, labelled, workers):
    resident, read = small_vae(), small_vae()
    expected = quietly(resident, blobs)
    found = quietly(read, Pairs(blobs, labelled), workers=workers)
    assert record(found) == record(expected)
    assert bits(read) == bits(resident)


@pytest.mark.slow
def test_a_run_on_a_dataset_resumes_with_the_same_bits(blobs, tmp_path):
    whole, resumed = small_vae(), small_vae()
    quietly(whole, Pairs(blobs))
    settings = {"checkpoint": tmp_path / "c"}
    with pytest.raises(Stop):
        quietly(small_vae(), Pairs(blobs), observers=[stopping_at(15)], **settings)
    quietly(resumed, Pairs(blobs), **settings)
    assert bits(resumed) == bits(whole)
    with pytest.raises(ValueError, match="is of another run"):
        quietly(small_vae(), Pairs(blobs[:299]), **settings)


@pytest.mark.slow
def test_labels_reach_an_objective_that_needs_them():
    """Softmax regression on separable blobs ends with every image right."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % 3
    images = torch.rand(120, 1, 3, 3, generator=generator) * 0.1
    images[torch.arange(120), 0, labels, labels] = 1.0
    whole = ImageSet(images, labels)
    train, validation = whole.split(0.8, 0)
    for given in (train, Pairs(train)):
        torch.manual_seed(0)
        model = Classifier(nn.Flatten(), 9, 3)
        history = quietly(
            model,
            given,
            validation,
            objective=objectives.cross_entropy,
            epochs=60,
            learning_rate=0.05,
        )
        assert (model(images).argmax(1) == labels).all()
        expected = -model(images).log_softmax(1)[torch.arange(120), labels]
        found = objectives.cross_entropy(model, whole)["loss"]
        torch.testing.assert_close(found, expected)
        assert history.epochs["validation_loss"][-1] < 0.1 < history.epochs["validation_loss"][0]


def test_an_objective_that_needs_labels_is_not_trained_without(blobs):
    bare = ImageSet(blobs.images)
    model = Classifier(nn.Flatten(), 64, 3)
    for train in (bare, Pairs(blobs, labelled=False)):
        with pytest.raises(ValueError, match="batch must have labels"):
            quietly(model, train, objective=objectives.cross_entropy)


@pytest.mark.slow
def test_training_under_autocast_is_that_of_full_precision_within_its_digits(blobs):
    train, validation = blobs.split(0.8, 0)
    full, half = small_vae(), small_vae()
    expected = quietly(full, train, validation, epochs=6)
    # Around the whole loop, where autocast keeps what it has cast until it ends.
    with torch.autocast("cpu", torch.bfloat16):
        found = quietly(half, train, validation, epochs=6)
    assert all(parameter.dtype == torch.float32 for parameter in half.parameters())
    assert expected.steps["loss"][0] - expected.steps["loss"][-1] > 5
    # Eight bits of mantissa: 0.4 % of the activations.
    np.testing.assert_allclose(found.steps["loss"], expected.steps["loss"], rtol=0.01)
    for name in ("loss", "reconstruction", "kl"):
        assert np.isfinite(found.steps[name]).all()
        # More digits than bfloat16 has, whose numbers above 16 are multiples of 1/8.
        assert any(value * 2**20 % 2**17 for value in found.steps[name])
    sums = np.array(found.steps["reconstruction"]) + np.array(found.steps["kl"])
    np.testing.assert_allclose(found.steps["loss"], sums, rtol=1e-5)


def test_a_model_in_double_precision_is_trained_in_it(blobs):
    train, validation = blobs.split(0.8, 0)
    for likelihood in (Bernoulli(), OptimalGaussian()):
        model = small_vae(likelihood=likelihood).double()
        history = quietly(model, train, validation)
        assert all(parameter.dtype == torch.float64 for parameter in model.parameters())
        assert np.isfinite(history.epochs["validation_loss"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("device", [None, "cpu", torch.device("cpu"), "auto"])
def test_the_model_is_trained_where_it_is_told(blobs, device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    model = small_vae()
    quietly(model, blobs, device=device)
    assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one here")
@pytest.mark.parametrize("device", ["cuda", "cuda:7", "mps", "meta", "gpu", 7, 1.5])
def test_a_device_that_is_not_here_is_refused_before_the_model_is_moved(blobs, device):
    model = small_vae()
    before = bits(model)
    with pytest.raises(ValueError, match=r"device must be .*got "):
        quietly(model, blobs, device=device)
    assert bits(model) == before
    assert model.training


def test_a_fused_adam_is_taken_only_where_there_is_one(blobs, monkeypatch):
    made, original = [], torch.optim.Adam.__init__

    def without(optimizer, *arguments, fused=None, **settings):
        made.append(fused)
        if fused:
            raise RuntimeError("`fused=True` requires all the params to be of supported devices")
        original(optimizer, *arguments, **settings)

    fused = small_vae()
    quietly(fused, blobs)
    monkeypatch.setattr(torch.optim.Adam, "__init__", without)
    plain = small_vae()
    quietly(plain, blobs)
    assert made == [True, None]
    for found, expected in zip(plain.parameters(), fused.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


DENORMALS = """
import numpy as np, torch
tiny = torch.full((4,), 1e-40)
assert (tiny * 0.5 != 0).all()
import vaebook
from vaebook import datasets, models, objectives, training
from vaebook.models.networks import MLPDecoder, MLPEncoder
model = models.VAE(MLPEncoder(4), MLPDecoder(2), 2, models.Bernoulli())
training.fit(model, objectives.negative_elbo, datasets.digits()[:64], epochs=2, progress=False)
assert (tiny * 0.5 != 0).all(), "denormals are flushed"
from scipy.spatial import KDTree
points = np.maximum(np.random.default_rng(0).normal(size=(100, 2)), 0)
print(KDTree(points).query(points)[0].max())
"""


@pytest.mark.slow
def test_neither_the_import_nor_a_fit_changes_how_the_process_counts():
    # With denormals flushed SciPy's tree crashes where many coordinates are 0.
    run = subprocess.run([sys.executable, "-c", DENORMALS], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "0.0\n"), run.stderr


@pytest.mark.slow
def test_moments_of_a_unit_that_is_dead_do_not_fade_into_denormals(blobs, monkeypatch):
    optimizers = []
    original = torch.optim.Adam.__init__

    def keep(optimizer, *arguments, **settings):
        optimizers.append(optimizer)
        original(optimizer, *arguments, **settings)

    def objective(model, batch, *, generator=None, progress=1.0):
        # A gradient in the first step, and none after it.
        return {"loss": model.weight * (progress == 0) + batch.images.mean((1, 2, 3))}

    monkeypatch.setattr(torch.optim.Adam, "__init__", keep)
    quietly(Steered(), blobs, objective=objective, epochs=160, batch_size=32)
    (state,) = optimizers[-1].state.values()
    assert state["step"] == 1600
    assert state["exp_avg"].item() == 0  # 0.9 ** 1600 is 6e-74; denormals begin at 1e-38
    assert state["exp_avg_sq"].item() > 0


# ---------------------------------------------------------------------------------------------
# What is refused


REFUSED = [
    ({"epochs": 0}, "epochs must be a whole number, 1 or more, got 0"),
    ({"epochs": 2.0}, "epochs must be a whole number"),
    ({"batch_size": 0}, "batch_size must be a whole number, 1 or more, got 0"),
    ({"batch_size": True}, "batch_size must be"),
    ({"learning_rate": 0}, "learning_rate must be a finite number in .0, inf., got 0"),
    ({"learning_rate": -1e-3}, "learning_rate must be"),
    ({"learning_rate": math.nan}, "learning_rate must be .* got nan"),
    ({"learning_rate": "fast"}, "learning_rate must be .* got 'fast'"),
    ({"patience": 3}, "patience needs validation, got patience 3 without"),
    ({"patience": 0}, "patience must be a whole number"),
    ({"seed": -1}, "seed must be a whole number, 0 or more, got -1"),
    ({"workers": -1}, "workers must be a whole number, 0 or more"),
    ({"schedule": 0.1}, "schedule must be a function, got 0.1"),
    ({"transform": "binarize"}, "transform must be a function, got 'binarize'"),
    ({"objective": None}, "objective must be a function, got None"),
    ({"observers": print}, "observers must be a list of functions"),
    ({"observers": [1]}, "observers must be a list of functions"),
    ({"validation": torch.zeros(5, 1, 8, 8)}, "validation must be an ImageSet with images"),
    ({"train": 5}, "train must be an ImageSet or a Dataset, got int"),
    ({"train": []}, "train must hold at least one image"),
    ({"train": ["a", "b"]}, "train must give images"),
    ({"model": None}, "model must be a module with float32 or float64 parameters, got NoneType"),
    ({"model": nn.Flatten()}, "model must be a module with .* parameters, got Flatten"),
]


@pytest.mark.parametrize(("settings", "said"), REFUSED)
def test_what_cannot_be_is_refused_by_name_before_a_step(blobs, settings, said):
    model = small_vae()
    before = bits(model)
    settings = {"model": model, "train": blobs} | settings
    with pytest.raises(ValueError, match=said):
        quietly(**settings)
    assert bits(model) == before


def test_half_a_model_is_refused(blobs):
    with pytest.raises(ValueError, match=r"got torch\.bfloat16; torch\.autocast saves time"):
        quietly(small_vae().bfloat16(), blobs)


def test_sets_of_nothing_are_refused(blobs):
    with pytest.raises(ValueError, match="train must hold at least one image"):
        quietly(small_vae(), blobs[:0])
    with pytest.raises(ValueError, match="validation must be an ImageSet with images"):
        quietly(small_vae(), blobs, blobs[:0])


def test_pixels_that_the_likelihood_gives_no_density_are_refused_by_image(blobs):
    images = blobs.images.clone()
    images[7] *= 255
    bad = ImageSet(images, in_unit_range=False)
    for train, validation in (
        (bad, None),
        (blobs, bad),
        (Pairs(ImageSet(images[7:], torch.zeros(293).long(), in_unit_range=False)), None),
    ):
        model = small_vae()
        before = bits(model)
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\] under a Bernoulli"):
            quietly(model, train, validation)
        assert bits(model) == before
    quietly(small_vae(likelihood=Gaussian(0.5)), bad)


def test_an_image_out_of_range_deep_in_a_dataset_is_refused_when_it_is_read(blobs):
    images = blobs.images.clone()
    images[299] += 1
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\] under a Bernoulli"):
        quietly(small_vae(), Pairs(ImageSet(images, blobs.labels, in_unit_range=False)))


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (lambda w, n: w, "must return tensors by name, 'loss' among them"),
        (lambda w, n: {"los": w.expand(n)}, "must return tensors by name, 'loss' among them"),
        (lambda w, n: {"loss": w}, r"one value per image, \[32\], got \[\] as 'loss'"),
        (lambda w, n: {"loss": w.expand(n, 1)}, r"got \[32, 1\] as 'loss'"),
        (lambda w, n: {"loss": w.expand(n), "kl": 1.0}, "got float as 'kl'"),
        (lambda w, n: {"loss": w.expand(n).bfloat16()}, "float32 or float64, got torch.bfloat16"),
        (lambda w, n: {"loss": w.expand(n), "n": torch.ones(n).int()}, "got torch.int32 as 'n'"),
    ],
)
def test_an_objective_that_returns_something_else_is_refused(returned, said):
    def objective(model, batch, *, generator=None, progress=1.0):
        return returned(model.weight, len(batch))

    with pytest.raises(ValueError, match=f"objective must return .*{said}|{said}"):
        quietly(Steered(), ImageSet(torch.zeros(32, 1, 1, 1)), objective=objective)


@pytest.mark.parametrize("value", [-1.0, math.nan, None])
def test_a_schedule_that_gives_no_rate_is_refused(blobs, value):
    with pytest.raises(ValueError, match="schedule must be a finite number"):
        quietly(small_vae(), blobs, schedule=lambda progress: value)


def test_a_recorder_refuses_steps_that_are_none():
    with pytest.raises(ValueError, match="steps must be a whole number, 0 or more, got -1"):
        Recorder(norm, [0, -1])
    with pytest.raises(ValueError, match="measure must be a function"):
        Recorder(5, [0])


@pytest.mark.parametrize("progress", [-0.1, 1.1, math.nan])
def test_one_cycle_has_no_rate_outside_the_training(progress):
    with pytest.raises(ValueError, match="progress must be a finite number"):
        one_cycle(progress)


# ---------------------------------------------------------------------------------------------
# What is printed


def test_a_run_prints_one_line_of_summary(blobs, capsys):
    history = quietly(small_vae(), blobs, progress=True)
    printed = capsys.readouterr().out
    assert printed == f"{history}\n"
    assert printed.count("\n") == 1
    loss = history.epochs["loss"][-1]
    assert f"3 epochs in {sum(history.epochs['seconds']):.1f} s: loss {loss:.2f}" in printed


@pytest.mark.slow
@pytest.mark.parametrize("rendered", [False, True])
def test_the_bar_is_shown_on_standard_error_but_not_in_a_rendered_page(rendered):
    # tqdm reads the variable when it is imported, hence a process of its own.
    script = """
import torch
from vaebook import datasets, models, objectives, training
from vaebook.models.networks import MLPDecoder, MLPEncoder
train = datasets.ImageSet(torch.rand(8, 1, 8, 8))
encoder, decoder = MLPEncoder(2, (8,), (1, 8, 8)), MLPDecoder(1, (8,), (1, 8, 8))
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


def test_who_trains_gets_gradients_whatever_stands_around_it(blobs):
    models = small_vae(), small_vae()
    quietly(models[0], blobs, epochs=1)
    with torch.no_grad():
        quietly(models[1], blobs, epochs=1)
        assert not torch.is_grad_enabled()
    assert bits(models[0]) == bits(models[1])
