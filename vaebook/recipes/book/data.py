"""The data of the book's recipes, with their checksums: nobody has to load them to know a recipe.

`python -c "from vaebook.recipes.book import data; data.print_checksums()"` computes them.
"""

__all__ = [
    "DIGITS",
    "FASHION",
    "HEATMAPS",
    "MNIST",
    "MNIST_THIRD",
    "T_COIN",
    "T_LARGE",
    "T_SMALL",
    "print_checksums",
]

from functools import partial
from typing import Literal

from vaebook import datasets
from vaebook.datasets import ImageSet
from vaebook.recipes.recipe import Data, checksum_of


def _mnist() -> tuple[ImageSet, ImageSet]:
    return datasets.mnist(train=True), datasets.mnist(train=False)


def _mnist_third() -> tuple[ImageSet, ImageSet]:
    train, test = _mnist()
    return train.split(1 / 3, seed=0)[0], test.split(1 / 5, seed=0)[0]


def _fashion() -> tuple[ImageSet, ImageSet]:
    return datasets.fashion_mnist(train=True), datasets.fashion_mnist(train=False)


def _digits() -> tuple[ImageSet, ImageSet]:
    return datasets.digits().split(0.8, seed=0)


def _heatmaps() -> tuple[ImageSet, ImageSet]:
    return datasets.heatmaps().split(0.8, seed=0)


def _t_heatmaps(heavy: Literal["large", "small", "coin"]) -> tuple[ImageSet, ImageSet]:
    return datasets.t_heatmaps(heavy=heavy).split(0.8, seed=0)


MNIST = Data(_mnist, "6e0bb2c9286da3df61e6e137cfe4e493d56ac0ac5270eac636b7924b0f58c14b")
MNIST_THIRD = Data(
    _mnist_third, "f0c9b9a0a898354c9efcedec6825d9265488ff9b08e534d0f10a5941e91ec5d4"
)
FASHION = Data(_fashion, "7fdf4f98f4574ebbc30e7f007f6e6fb72629a5ef065b448137070bc08329245e")
DIGITS = Data(_digits, "d00fe596ebe2a862285cbe4345f0f69f5d0c115292be1cb1260acddd9294e010")
HEATMAPS = Data(_heatmaps, "3f5e553e31fbcb95bcb91dc60442847567c7d20d3af62590f838dfa7de260068")
T_LARGE = Data(
    partial(_t_heatmaps, "large"),
    "a6d05f0ea8fdc7469e29c6a5e29c32c338cd235bed4fd71c1010b66f09147d85",
)
T_SMALL = Data(
    partial(_t_heatmaps, "small"),
    "988bf0d6be81054e017b2aade6b308e8625f70b73e511c240f8743674371a77c",
)
T_COIN = Data(
    partial(_t_heatmaps, "coin"),
    "43e56f480e37117bcd57fd439ddada5deeb4459cb69cdd57f28ec147d19f1d31",
)


def print_checksums() -> None:
    """Print the checksums as the data has them now."""
    for name in __all__[:-1]:
        print(name, checksum_of(*globals()[name].load()))
