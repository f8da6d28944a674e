"""Image sets: a reader's own, computed heatmaps, digits, MNIST and Fashion-MNIST; templates."""

from vaebook.datasets.digits import digits
from vaebook.datasets.downloads import (
    DatasetUnavailable,
    fashion_mnist,
    fetch,
    handwritten,
    mnist,
)
from vaebook.datasets.heatmaps import heatmap_images, heatmaps, t_heatmap_images, t_heatmaps
from vaebook.datasets.images import ImageSet, add_noise, binarize
from vaebook.datasets.own import folder, from_arrays
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
    "fetch",
    "folder",
    "from_arrays",
    "handwritten",
    "heatmap_images",
    "heatmaps",
    "mnist",
    "stick",
    "t_heatmap_images",
    "t_heatmaps",
]
