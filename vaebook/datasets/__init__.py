"""Image sets: computed heatmaps, digits of scikit-learn, MNIST and Fashion-MNIST; templates."""

from vaebook.datasets.digits import digits
from vaebook.datasets.downloads import (
    DatasetUnavailable,
    fashion_mnist,
    handwritten,
    mnist,
)
from vaebook.datasets.heatmaps import heatmap_images, heatmaps, t_heatmap_images, t_heatmaps
from vaebook.datasets.images import ImageSet, add_noise, binarize
from vaebook.datasets.templates import donut, donutness, stick

__all__ = [
    "DatasetUnavailable",
    "ImageSet",
    "add_noise",
    "binarize",
    "digits",
    "donut",
    "donutness",
    "fashion_mnist",
    "handwritten",
    "heatmap_images",
    "heatmaps",
    "mnist",
    "stick",
    "t_heatmap_images",
    "t_heatmaps",
]
