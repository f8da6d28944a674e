"""Trained models on disk: what is shipped holds what its card says; what is damaged is refused."""

import hashlib
import json
import shutil
import socket
from functools import cache

import numpy as np
import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from vaebook import datasets, recipes
from vaebook.models import VAE, Autoencoder, Bernoulli, Classifier, Gaussian
from vaebook.recipes import run
from vaebook.recipes.registry import WEIGHTS

NAMES = recipes.available()
DIGITS = "digits-mlp-2d"

each = pytest.mark.parametrize("name", NAMES)
trained = cache(recipes.load)


def is_vae(name):
    return isinstance(trained(name).model, VAE)


def state(model):
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


# ---------------------------------------------------------------------------------------------
# What is shipped


@pytest.mark.slow
@each
def test_the_shipped_weights_have_the_sum_and_the_fingerprint_on_their_card(name):
    card = trained(name).card
    content = (WEIGHTS / f"{name}.safetensors").read_bytes()
    assert card["sha256"] == hashlib.sha256(content).hexdigest()
    assert card["recipe"] == name
    assert card["fingerprint"] == recipes.get(name).fingerprint


def test_the_package_ships_nothing_but_weights_of_its_recipes_under_28_megabytes():
    files = sorted(WEIGHTS.iterdir())
    names = sorted(f"{name}{end}" for name in NAMES for end in (".json", ".safetensors"))
    assert [file.name for file in files] == names
    assert sum(file.stat().st_size for file in files) < 28e6


@pytest.mark.slow
@each
def test_a_card_says_what_was_done_with_what(name):
    card, recipe = trained(name).card, recipes.get(name)
    assert card["summary"] == recipe.summary
    assert set(card["data"]) == {"train", "validation", "test"}
    budget = card["budget"]
    for key in ("epochs", "batch_size", "learning_rate", "seed"):
        assert budget[key] == getattr(recipe, key)
    assert budget["seconds"] > 0
    assert budget["threads"] >= 1
    assert set(card["versions"]) >= {"python", "torch", "vaebook"}
    likelihood = getattr(trained(name).model, "likelihood", None)
    assert ("binarised" in card["convention"]) == isinstance(likelihood, Bernoulli)


@pytest.mark.slow
@each
def test_the_metrics_of_a_card_fit_each_other(name):
    found, recipe = trained(name), recipes.get(name)
    metrics, model = found.card["metrics"], found.model
    nats = {key: value["nats"] for key, value in metrics.items() if isinstance(value, dict)}
    # At the highest price of a sweep nothing is coded, and all codes are one.
    collapsed = name in ("beta-mnist-b30-s0", "beta-heatmap-b10000-s0")
    assert all(
        (value["standard_error"] >= 0 if collapsed else value["standard_error"] > 0)
        and value["standard_error"] < (50 if "heatmap" in name else 2)  # densities vary more
        for value in metrics.values()
        if isinstance(value, dict)
    )
    if isinstance(model, Classifier):
        assert set(metrics) == {"accuracy", "cross_entropy"}
        assert 0.97 < metrics["accuracy"] < 1
        return
    assert 0 < metrics["frobenius_pixels"] < 28
    if isinstance(model, Autoencoder):
        assert set(metrics) == {"frobenius_pixels"}
        return
    assert nats["elbo"] == pytest.approx(nats["log_p_x_given_z"] - nats["kl"], abs=0.002)
    assert (0 if collapsed else 1) <= metrics["active_units"] <= model.latent_dim
    assert (metrics["active_units"] == 0) == collapsed
    assert ("frobenius_sampled" in metrics) == isinstance(model.likelihood, Gaussian)
    if "frobenius_sampled" in metrics:
        assert collapsed or metrics["frobenius_pixels"] < metrics["frobenius_sampled"]
    assert ("log_p_iw" in nats) == (recipe.n_samples > 0)
    assert ("log_p_grid" in nats) == (recipe.n_samples > 0 and model.latent_dim <= 2)
    if "log_p_iw" in nats:
        assert nats["elbo"] < nats["log_p_iw"] < 0
        assert metrics["log_p_iw"]["samples"] == recipe.n_samples
    if "log_p_grid" in nats:
        # What importance sampling estimates from below, the grid has in full.
        assert nats["log_p_iw"] < nats["log_p_grid"]


@pytest.mark.parametrize("name", [name for name in NAMES if "heatmap-vae" in name])
def test_every_vae_of_the_heatmaps_uses_its_three_latents(name):
    assert trained(name).card["metrics"]["active_units"] == 3


@each
def test_the_history_is_that_of_the_card(name):
    found, recipe = trained(name), recipes.get(name)
    epochs, steps = found.history.epochs, found.history.steps
    (length,) = {len(values) for values in epochs.values()}
    assert length == recipe.epochs or length == found.card["best_epoch"] + 1 + recipe.patience
    terms = {"loss", "reconstruction", "kl"} if is_vae(name) else {"loss"}
    assert terms < set(epochs)
    # A variance that is fitted follows the mean squared error, which is then recorded as well.
    assert set(steps) - {"mse"} == (terms if recipe.keep_steps else set())
    images = int(found.card["data"]["train"].split(", ")[1].split()[0].replace(",", ""))
    per_epoch = -(-images // recipe.batch_size)
    sizes = [len(part) for part in np.array_split(np.arange(images), per_epoch)]
    for term in steps:
        assert len(steps[term]) == length * per_epoch
        means = np.reshape(steps[term], (length, per_epoch))
        # Over images; weights of the first edition have means over steps.
        found_by = (np.average(means, axis=1, weights=w) for w in (sizes, None))
        assert any(np.allclose(epochs[term], mean, rtol=1e-4, atol=0) for mean in found_by)
    best = found.history.best_epoch
    assert best == found.card["best_epoch"] == int(np.argmin(epochs["validation_loss"]))


@each
def test_the_shipped_codes_have_a_row_an_image_and_a_label(name):
    found, recipe = trained(name), recipes.get(name)
    model, codes = found.model, found.codes
    n = min(int(found.card["data"]["test"].split()[0].replace(",", "")), recipe.n_codes)
    width = 64 if isinstance(model, Classifier) else model.latent_dim
    assert codes.mu.shape == (n, width)
    assert (codes.logvar is not None) == is_vae(name)
    for part in (codes.mu, codes.logvar):
        if part is not None:
            assert part.shape == (n, width)
            assert part.dtype == torch.float32
            assert part.isfinite().all()
    if codes.labels is None:
        assert name.startswith(("heatmap", "beta-heatmap"))
    else:
        classes = 2 if name.startswith("t-") else 10
        assert codes.labels.shape == (n,)
        assert codes.labels.unique().tolist() == list(range(classes))


def decodes_classes(name):
    """Tell whether codes alone are enough to decode digits or clothes."""
    return not any(part in name for part in ("heatmap", "classifier", "conditional", "beta-mnist"))


def cosine(a, b):
    return (a @ b.T) / (a.norm(dim=1)[:, None] * b.norm(dim=1))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(filter(decodes_classes, NAMES)))
def test_a_trained_model_decodes_codes_of_one_class_into_images_of_that_class(name):
    """The decoded test codes of each class correlate best with their own class's mean."""
    found = trained(name)
    model, codes = found.model, found.codes
    means = torch.stack([model.decode(codes.mu[codes.labels == c]).mean(0) for c in range(10)])
    decoded = model.decode(codes.mu[:500])
    assert ((means >= 0) & (means <= 1)).all()
    flat, decoded = means.flatten(1), decoded.flatten(1)
    flat, decoded = flat - flat.mean(0), decoded - means.mean(0).flatten()
    share = (cosine(decoded, flat).argmax(1) == codes.labels[:500]).double().mean()
    # Networks of 64 and 32 units, whose two latents tell fewer digits apart.
    narrow = name.startswith(("anchor", "prior-2d"))
    assert share > (0.4 if narrow else 0.5)


@cache
def computed_sets(name):
    return recipes.get(name).sets()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if "heatmap" in name])
def test_a_model_of_heatmaps_redraws_the_test_images_from_the_shipped_codes(name):
    found, recipe = trained(name), recipes.get(name)
    test = recipe.sets()[1]
    noisy = run._transformed(recipe, test).images[: recipe.n_codes]
    clean = test.images[: recipe.n_codes]
    decoded = found.model.decode(found.codes.mu)
    errors = (decoded - noisy).flatten(1).norm(dim=1).mean().item()
    # The card is about all test images, of which the sweep ships 500 codes.
    assert errors == pytest.approx(found.card["metrics"]["frobenius_pixels"], rel=0.02)
    # At the two highest prices of the sweep the code is too poor for that.
    if recipe.tags.get("beta", 1.0) < 1000:
        errors = (decoded - clean).flatten(1).norm(dim=1).mean()
        assert errors < 0.1 * clean.flatten(1).norm(dim=1).mean()


@pytest.mark.parametrize("name", [name for name in NAMES if recipes.get(name).snapshots])
def test_snapshots_run_from_the_untrained_to_the_trained_codes(name):
    found, recipe = trained(name), recipes.get(name)
    steps, mu, labels = found.snapshots
    assert tuple(steps.tolist()) == recipe.snapshots
    assert mu.shape == (len(steps), 500, found.model.latent_dim)
    assert torch.equal(labels, found.codes.labels)
    assert steps[-1] == len(found.history.steps["loss"])
    if found.card["best_epoch"] == recipe.epochs - 1:
        torch.testing.assert_close(mu[-1], found.codes.mu, rtol=0.01, atol=0.01)
    # Nothing is sorted before the first step.
    spread = [within_classes(frame, labels) for frame in mu]
    assert spread[0] > 2 * spread[-1]


def within_classes(points, labels):
    """The share of the variance that is left when each class is centred."""
    inside = sum(
        points[labels == c].var(0, correction=0).sum() * (labels == c).sum() for c in range(10)
    )
    return (inside / len(points) / points.var(0, correction=0).sum()).item()


def test_a_higher_price_buys_less_rate_and_more_distortion():
    sweep = [recipes.get(name) for name in NAMES]
    sweep = [r for r in sweep if r.tags.get("way") == "fixed" and r.tags["data"] == "mnist"]
    sweep.sort(key=lambda recipe: recipe.tags["beta"])
    cards = [trained(recipe.name).card["metrics"] for recipe in sweep]
    assert len(cards) == 8
    rates = [card["kl"]["nats"] for card in cards]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0, abs=0.01)
    # At the lowest prices training does not quite find the minimum.
    errors = [card["frobenius_sampled"] for card in cards]
    assert errors[3:] == sorted(errors[3:])


# ---------------------------------------------------------------------------------------------
# What loading needs


@pytest.mark.slow
@each
def test_loading_needs_neither_network_nor_data(name, monkeypatch, tmp_path):
    def refuse(*arguments, **settings):
        raise AssertionError("loading reached for the network or a data set")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.delenv("VAEBOOK_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for source in ("mnist", "fashion_mnist", "digits", "heatmaps", "t_heatmaps"):
        monkeypatch.setattr(datasets, source, refuse)
    monkeypatch.setattr(run, "fit", refuse)
    monkeypatch.chdir(tmp_path)
    assert recipes.load(name).card["recipe"] == name


def test_a_loaded_model_is_frozen_and_in_eval_mode():
    for name in (DIGITS, "mnist-ae-2d", "mnist-classifier"):
        model = trained(name).model
        assert not any(module.training for module in model.modules())
        assert not any(parameter.requires_grad for parameter in model.parameters())


def test_loading_neither_uses_nor_moves_the_global_generator():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = state(recipes.load(DIGITS).model)
    assert torch.equal(torch.get_rng_state(), before)
    assert first == state(trained(DIGITS).model)


# ---------------------------------------------------------------------------------------------
# What it refuses


@pytest.fixture
def copied(tmp_path):
    """Copy a recipe's files, and return their paths."""

    def copy(name=DIGITS, under=None):
        paths = [tmp_path / f"{under or name}.{end}" for end in ("json", "safetensors")]
        for path in paths:
            shutil.copy(WEIGHTS / f"{name}{path.suffix}", path)
        return paths

    return copy


@pytest.fixture
def spoiled(copied, tmp_path):
    """Change the tensors of a file, with a card that agrees, and load it."""

    def load(change, name=DIGITS):
        card, path = copied(name)
        tensors = load_tensors(path.read_bytes())
        change(tensors)
        path.write_bytes(save_tensors(tensors))
        content = json.loads(card.read_text())
        content["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        card.write_text(json.dumps(content))
        return recipes.load(name, tmp_path)

    return load


@pytest.mark.slow
@each
def test_an_altered_byte_is_refused(name, copied, tmp_path):
    card, path = copied(name)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="does not match its card") as caught:
        recipes.load(name, tmp_path)
    expected = json.loads(card.read_text())["sha256"]
    for part in (path, expected, hashlib.sha256(content).hexdigest()):
        assert str(part) in str(caught.value)
    assert not recipes.is_trained(name, tmp_path)


def test_weights_that_are_missing_are_named_with_the_command_that_makes_them(copied, tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"python -m vaebook train {DIGITS}") as caught:
        recipes.load(DIGITS, tmp_path)
    assert str(tmp_path / DIGITS) in str(caught.value)
    copied()[1].unlink()
    with pytest.raises(FileNotFoundError, match=rf"{DIGITS}.safetensors does not exist"):
        recipes.load(DIGITS, tmp_path)


@pytest.mark.parametrize(
    "content",
    ["{}", "[]", "null", "3", "", "{", '{"fingerprint": "1"}', '{"sha256": 1, "best_epoch": 1}'],
)
def test_a_card_that_is_none_is_refused(copied, tmp_path, content):
    card, _ = copied()
    card.write_text(content)
    with pytest.raises(ValueError, match=rf"{card} is no card"):
        recipes.load(DIGITS, tmp_path)
    assert not recipes.is_trained(DIGITS, tmp_path)


def test_a_card_that_is_no_text_is_refused(copied, tmp_path):
    card, _ = copied()
    card.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is no card"):
        recipes.load(DIGITS, tmp_path)


@pytest.mark.parametrize(
    ("name", "under"),
    [
        ("fashion-mlp-2d", "mnist-mlp-2d"),
        ("mnist-mlp-2d", "fashion-mlp-2d"),
        ("mnist-small-8d-beta4-s0", "mnist-small-8d-s0"),
        ("mnist-small-8d-s1", "mnist-small-8d-s0"),
        ("beta-mnist-b0.3-s0", "beta-mnist-b1-s0"),
        ("anchor-r0-s0", "anchor-r10-s0"),
        ("anchor-means-s0", "anchor-r10-s0"),
    ],
)
def test_the_files_of_another_recipe_under_this_name_are_refused(copied, tmp_path, name, under):
    copied(name, under)
    expected = recipes.get(under).fingerprint
    with pytest.raises(ValueError, match=rf"made under another fingerprint: .*{expected}"):
        recipes.load(under, tmp_path)
    assert not recipes.is_trained(under, tmp_path)


WEIGHT = "model.encoder.layers.0.weight"


@pytest.mark.parametrize("key", [WEIGHT, "codes.mu", "codes.logvar"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused_by_name(spoiled, key, value):
    def change(tensors):
        tensors[key].flatten()[3] = value

    with pytest.raises(ValueError, match=f"has numbers that are not finite: {key}"):
        spoiled(change)


def test_weights_that_are_missing_or_of_another_shape_are_refused_by_name(spoiled):
    with pytest.raises(
        ValueError, match=r"(?s)doesn't fit the model of digits.*layers\.0\.weight"
    ):
        spoiled(lambda tensors: tensors.pop(WEIGHT))
    with pytest.raises(
        ValueError, match=r"(?s)doesn't fit the model of digits.*layers\.0\.weight"
    ):
        spoiled(lambda tensors: tensors.update({WEIGHT: tensors[WEIGHT].T.contiguous()}))
    with pytest.raises(ValueError, match=r"(?s)doesn't fit the model of digits.*extra"):
        spoiled(lambda tensors: tensors.update({"model.extra": torch.zeros(3)}))


def test_seven_codes_with_more_labels_are_refused(spoiled):
    with pytest.raises(
        ValueError, match=r"codes that don't fit each other: logvar must be .* \[7, 2\]"
    ):
        spoiled(lambda tensors: tensors.update({"codes.mu": tensors["codes.mu"][:7]}))

    def change(tensors):
        for key in ("codes.mu", "codes.logvar"):
            tensors[key] = tensors[key][:7]

    with pytest.raises(
        ValueError, match=r"codes that don't fit each other: labels must be .* \[7\]"
    ):
        spoiled(change)
    with pytest.raises(ValueError, match="has no codes"):
        spoiled(lambda tensors: tensors.pop("codes.mu"))


def test_snapshots_that_are_missing_are_refused(spoiled):
    with pytest.raises(ValueError, match="has no snapshots, or not one per step"):
        spoiled(lambda tensors: tensors.pop("snapshots.mu"), "mnist-snapshots-2d")

    def change(tensors):
        tensors["snapshots.steps"] = tensors["snapshots.steps"][:-1]

    with pytest.raises(ValueError, match="has no snapshots, or not one per step"):
        spoiled(change, "mnist-snapshots-2d")


@pytest.mark.slow
def test_a_file_that_holds_no_tensors_is_refused(copied, tmp_path):
    card, path = copied()
    path.write_bytes(b"nothing of the kind")
    content = json.loads(card.read_text())
    content["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    card.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="is no file of tensors"):
        recipes.load(DIGITS, tmp_path)
