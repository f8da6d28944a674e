"""A recipe as a value: what its fingerprint hangs on, and what it refuses to be."""

import dataclasses
from functools import partial

import pytest
import torch

from vaebook import datasets, objectives, recipes
from vaebook.datasets import ImageSet
from vaebook.models import VAE, Bernoulli, Gaussian, OptimalGaussian
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.models.priors import ConditionalShift, DiagonalNormal
from vaebook.recipes import Data, Recipe, measure
from vaebook.recipes.recipe import checksum_of


def build(width=8, latent_dim=2, likelihood=Bernoulli, prior=None, initial="he"):
    """Build a small model for images of 8 × 8 pixels."""
    return VAE(
        MLPEncoder(2 * latent_dim, (width,), (1, 8, 8), initial),
        MLPDecoder(latent_dim, (width,), (1, 8, 8), initial),
        latent_dim,
        likelihood(),
        None if prior is None else prior(),
    )


def brightness(images):
    """Return the mean of each image."""
    return images.mean((1, 2, 3))


def darkness(images):
    """Return one minus the mean of each image."""
    return 1 - images.mean((1, 2, 3))


def slower(progress):
    """Return a falling rate."""
    return 1 - progress / 2


NOISE = partial(datasets.add_noise, scale=0.1)


def recipe(blobs, **changes):
    settings = {
        "name": "mine",
        "data": blobs.split(0.8, seed=0),
        "model": build,
        "objective": partial(objectives.negative_elbo, beta=1.0),
        "transform": NOISE,
        "patience": 3,
        "snapshots": (0, 10),
        "measure": measure.gaussian_vae,
    }
    return Recipe(**(settings | changes))


def inverted(blobs):
    return ImageSet(1 - blobs.images, blobs.labels, title=blobs.title)


def relabelled(blobs):
    return ImageSet(blobs.images, 2 - blobs.labels, title=blobs.title)


# Each field that decides the result, with other values.
DECIDES: dict[str, list] = {
    "data": [
        lambda blobs: inverted(blobs).split(0.8, seed=0),
        lambda blobs: relabelled(blobs).split(0.8, seed=0),
        lambda blobs: blobs.split(0.8, seed=1),
        lambda blobs: blobs.split(0.7, seed=0),
        lambda blobs: blobs.split(0.8, seed=0)[::-1],
        lambda blobs: Data(lambda: blobs.split(0.8, seed=0), "another checksum"),
    ],
    "model": [
        partial(build, width=9),
        partial(build, latent_dim=3),
        partial(build, likelihood=partial(Gaussian, 0.5)),
        partial(build, likelihood=partial(Gaussian, 0.25)),
        partial(build, likelihood=partial(OptimalGaussian, 0.5)),
        partial(build, initial="torch"),
        partial(build, prior=partial(DiagonalNormal, torch.zeros(2), torch.ones(2))),
        partial(build, prior=partial(DiagonalNormal, torch.ones(2), torch.ones(2))),
        partial(build, prior=partial(ConditionalShift, 2, 3.0, brightness)),
        partial(build, prior=partial(ConditionalShift, 2, 10.0, brightness)),
        partial(build, prior=partial(ConditionalShift, 2, 3.0, darkness)),
    ],
    "objective": [
        partial(objectives.negative_elbo, beta=4.0),
        partial(objectives.negative_elbo, beta=slower),
        objectives.reconstruction_only,
    ],
    "epochs": [31],
    "patience": [4, None],
    "learning_rate": [1e-3],
    "schedule": [None, slower, lambda progress: 1.0, lambda progress: 0.5],
    "batch_size": [64],
    "transform": [None, partial(datasets.add_noise, scale=0.2), datasets.binarize],
    "seed": [1],
    "keep_last": [True],
    "snapshots": [(0, 11), ()],
    "measure": [measure.noisy_vae],
    "n_codes": [50],
    "keep_steps": [False],
}
# Each that doesn't.
DECIDES_NOTHING = {
    "name": "another",
    "summary": "one more line",
    "part": "V",
    "tags": {"seed": 3},
    "n_samples": 100,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DECIDES)
def test_each_field_that_decides_the_result_changes_the_fingerprint(blobs, name):
    values = DECIDES[name]
    if name == "data":
        values = [value(blobs) for value in values]
    found = [recipe(blobs).fingerprint]
    found += [recipe(blobs, **{name: value}).fingerprint for value in values]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("name", DECIDES_NOTHING)
def test_what_only_describes_a_recipe_does_not_change_the_fingerprint(blobs, name):
    changed = recipe(blobs, **{name: DECIDES_NOTHING[name]})
    assert changed.fingerprint == recipe(blobs).fingerprint


def test_every_field_is_known_to_decide_or_not():
    fields = {field.name for field in dataclasses.fields(Recipe)}
    assert fields == set(DECIDES) | set(DECIDES_NOTHING)


def test_a_replaced_recipe_has_its_own_fingerprint(blobs):
    # It is computed once per recipe and kept, which a copy must not take over.
    one = recipe(blobs)
    before = one.fingerprint
    assert dataclasses.replace(one, seed=7).fingerprint != before
    assert dataclasses.replace(one, seed=0).fingerprint == before == one.fingerprint


def test_the_fingerprint_neither_loads_the_data_nor_moves_the_global_generator(blobs):
    def refuse():
        raise AssertionError("the data was loaded")

    known = recipe(blobs, data=Data(refuse, checksum_of(*blobs.split(0.8, seed=0))))
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert known.fingerprint == recipe(blobs).fingerprint
    assert torch.equal(torch.get_rng_state(), before)


def test_data_that_is_not_that_of_the_checksum_is_refused(blobs):
    expected = checksum_of(*blobs.split(0.8, seed=0))
    other = recipe(blobs, data=Data(lambda: inverted(blobs).split(0.8, seed=0), expected))
    with pytest.raises(ValueError, match=rf"the data of mine must have the checksum {expected}"):
        other.sets()


def test_the_weights_of_a_start_are_those_of_the_seed_whatever_torch_draws(blobs):
    def weights(seed):
        return recipe(blobs, seed=seed).start().encoder.layers[0].weight

    torch.manual_seed(1)
    first = weights(0)
    torch.manual_seed(2)
    assert torch.equal(weights(0), first)
    assert not torch.equal(weights(1), first)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(weights(0), first)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "name must be one that a file can have, got ''"),
        ({"name": "a/b"}, "name must be one that a file can have, got 'a/b'"),
        ({"name": 5}, "name must be one that a file can have, got 5"),
        ({"model": None}, "model must be a function that builds the untrained model, got None"),
        ({"objective": "elbo"}, "objective must be a function, got 'elbo'"),
        ({"measure": None}, "measure must be a function, got None"),
        ({"data": "MNIST"}, "data must be a pair of image sets"),
        ({"data": (1, 2)}, "data must be a pair of image sets"),
        ({"snapshots": (0, -1)}, "snapshots must be a whole number, 0 or more, got -1"),
        ({"n_samples": -1}, "n_samples must be a whole number, 0 or more, got -1"),
        ({"n_codes": 0}, "n_codes must be a whole number, 1 or more, got 0"),
    ],
)
def test_what_no_recipe_can_be_is_refused_by_name(blobs, changes, said):
    with pytest.raises(ValueError, match=said):
        recipe(blobs, **changes)


def test_a_built_model_is_no_builder(blobs):
    # A module can be called, but it is no function that builds one.
    with pytest.raises(ValueError, match="model must be a function that builds"):
        recipe(blobs, model=build())


@pytest.mark.slow
@pytest.mark.parametrize("name", recipes.available())
def test_the_fingerprint_of_a_shipped_recipe_is_that_on_its_card(name):
    assert recipes.load(name).card["fingerprint"] == recipes.get(name).fingerprint
