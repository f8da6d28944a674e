"""Time all 11,875 heatmaps beside one scipy call an image.

    python benchmarks/heatmaps.py

One thread; the two alternate in one run, median of the repeats, and the largest difference of a
pixel.
"""

import statistics
import time

import numpy as np
import torch
from scipy.stats import multivariate_normal

from vaebook import datasets

REPEATS = 5


def one_scipy_call_an_image(var_x: np.ndarray, var_y: np.ndarray, corr: np.ndarray) -> np.ndarray:
    """Return the images, [N, 36, 36], by way of scipy's density."""
    axis = np.linspace(-3, 3, 36)
    points = np.stack(np.meshgrid(axis, axis), axis=-1)
    images = []
    for s1, s2, rho in zip(var_x, var_y, corr, strict=True):
        cross = rho * np.sqrt(s1 * s2)
        density = multivariate_normal.pdf(points, [0, 0], [[s1, cross], [cross, s2]])
        images.append(density / density.max())
    return np.stack(images)


def main() -> None:
    torch.set_num_threads(1)
    known = datasets.heatmaps().factors
    factors = known["var_x"].double(), known["var_y"].double(), known["corr"].double()
    ways = {
        "heatmap_images": lambda: datasets.heatmap_images(*factors)[:, 0].numpy(),
        "scipy": lambda: one_scipy_call_an_image(*(column.numpy() for column in factors)),
    }
    clock: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    results = {}
    for _ in range(REPEATS):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            results[name] = way()
            clock[name].append(time.perf_counter() - wall)
            processor[name].append(time.process_time() - cpu)

    print(f"{len(factors[0]):,} heatmaps, one thread, median of {REPEATS}")
    for title, seconds in (("clock", clock), ("processor", processor)):
        ours, theirs = (statistics.median(seconds[name]) for name in ways)
        ratio = theirs / ours
        print(f"{title:<10} ours {ours:6.3f} s   scipy {theirs:6.3f} s   ratio {ratio:5.1f}")
    gap = np.abs(results["heatmap_images"] - results["scipy"]).max()
    print(f"largest difference of a pixel: {gap:.1e}")


if __name__ == "__main__":
    main()
