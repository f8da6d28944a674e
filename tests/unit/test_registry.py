"""The book's recipes by name: which there are, which are shipped, what tells them apart."""

import pytest

from vaebook import recipes
from vaebook.recipes.book import part5
from vaebook.recipes.registry import WEIGHTS

ALL = [recipes.get(name) for name in recipes.trainable()]


@pytest.mark.slow
def test_every_recipe_has_its_own_name_fingerprint_summary_and_part():
    assert len({recipe.name for recipe in ALL}) == len(ALL)
    assert len({recipe.fingerprint for recipe in ALL}) == len(ALL)
    assert all(recipe.summary and recipe.part for recipe in ALL)


def test_the_parts_come_in_the_order_of_the_book():
    parts = list(dict.fromkeys(recipe.part for recipe in ALL))
    assert parts == sorted(parts)
    assert [part.split(".")[0] for part in parts] == ["I", "II", "IV", "V", "VI"]


def test_the_recipes_of_part_one_are_all_there():
    assert {
        "mnist-mlp-2d",
        "mnist-mlp-8d",
        "mnist-mlp-20d",
        "mnist-cnn-16d",
        "mnist-ae-2d",
        "fashion-mlp-2d",
        "fashion-mlp-20d",
        "digits-mlp-2d",
    } <= set(recipes.available())


@pytest.mark.slow
def test_what_is_available_is_what_is_shipped_and_all_of_it_loads():
    assert recipes.available() == [r.name for r in ALL if recipes.is_shipped(r.name)]
    assert all(recipes.is_trained(name) for name in recipes.available())
    assert {path.stem for path in WEIGHTS.iterdir()} == set(recipes.available())


def test_tags_tell_the_recipes_of_a_sweep_apart():
    for prefix in ("beta-", "anchor-", "heatmap-", "t-heatmap-", "mnist-small-", "fashion-small"):
        tags = [recipe.tags for recipe in ALL if recipe.name.startswith(prefix)]
        assert tags
        assert len({str(sorted(tag.items(), key=str)) for tag in tags}) == len(tags), prefix
    for recipe in ALL:
        if "seed" in recipe.tags:
            assert recipe.tags["seed"] == recipe.seed
        if "beta" in recipe.tags:
            assert recipe.tags["beta"] == recipe.objective.keywords["beta"]


def test_the_sweep_has_eight_prices_and_its_seeds_of_two_data_sets_and_both_collapse():
    for data, betas, threshold in (
        ("heatmap", part5.HEATMAP_BETAS, 2600),
        ("mnist", part5.MNIST_BETAS, 10),
    ):
        assert len(betas) >= 8
        assert len(part5.SWEEP_SEEDS[data]) >= 5
        assert min(betas) < 1 < threshold < max(betas)
        found = {
            (recipe.tags["beta"], recipe.seed)
            for recipe in ALL
            if recipe.tags.get("way") == "fixed" and recipe.tags["data"] == data
        }
        assert found == {(beta, seed) for beta in betas for seed in part5.SWEEP_SEEDS[data]}


def test_a_recipe_is_its_own_name():
    recipe = recipes.get("digits-mlp-2d")
    assert recipes.get(recipe) is recipe


@pytest.mark.parametrize("call", [recipes.get, recipes.load, recipes.train, recipes.is_trained])
def test_an_unknown_name_is_refused_with_the_nearest_and_not_with_all(call):
    with pytest.raises(ValueError, match=r"got 'mnist-mlp-2'; near it are mnist-mlp-2d") as caught:
        call("mnist-mlp-2")
    assert len(str(caught.value)) < 200
    with pytest.raises(ValueError, match=r"got 'zzz'; `python -m vaebook list` shows them"):
        call("zzz")
    for other in (5, None, ["digits-mlp-2d"]):
        with pytest.raises(ValueError, match="recipe must be one, or the name of one"):
            call(other)
