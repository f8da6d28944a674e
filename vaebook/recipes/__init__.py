"""Recipes, each with all that decides a training run, and the trained models of the book.

`load` needs no network and no data set: weights, history and the codes of the test set are part of
the package. `train` makes them again, or those of a recipe of one's own.
"""

from vaebook.recipes.recipe import Data, Measure, Recipe
from vaebook.recipes.registry import available, get, is_shipped, trainable
from vaebook.recipes.run import evaluate, train
from vaebook.recipes.weights import Snapshots, Trained, is_trained, load, save

__all__ = [
    "Data",
    "Measure",
    "Recipe",
    "Snapshots",
    "Trained",
    "available",
    "evaluate",
    "get",
    "is_shipped",
    "is_trained",
    "load",
    "save",
    "train",
    "trainable",
]
