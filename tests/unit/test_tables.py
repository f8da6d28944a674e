"""The tables that pages read: each there under its name, and about the recipes of today."""

import pytest

from vaebook import recipes, tables


@pytest.mark.parametrize("name", tables.available())
def test_a_table_is_about_the_recipes_as_they_stand(name: str) -> None:
    stamp = tables.load(name)["stamp"]
    assert len(stamp["fingerprint"]) == 16
    for recipe, fingerprint in stamp["recipes"].items():
        assert recipes.get(recipe).fingerprint == fingerprint, recipe


def test_there_is_a_table_of_every_experiment_that_pages_quote() -> None:
    assert {"annealing", "anchors", "beta_sweep", "vae_against_ae"} <= set(tables.available())


def test_loading_twice_gives_two_tables() -> None:
    one, two = tables.load("annealing"), tables.load("annealing")
    one["ways"].clear()
    assert two["ways"]


@pytest.mark.parametrize("name", ["anealing", "", "../weights/mnist-mlp-2d", 3])
def test_a_table_that_is_not_there_is_refused_with_those_near_it(name: str) -> None:
    with pytest.raises(ValueError, match="name must be a table"):
        tables.load(name)
    with pytest.raises(ValueError, match="annealing"):
        tables.load("anealing")
