"""The results of the chapters on class mixtures and on many dimensions, against other truths.

A test bears the label of its result. Integrals are sums over grids or SciPy's closed forms;
averages over draws have fixed seeds and limits of 5 standard errors, which a right result
exceeds once in 1.7 million times a number, some two hundred numbers in this file.
"""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from vaebook import mixtures

Z = np.linspace(-14, 14, 8001)
DZ = Z[1] - Z[0]
PRIOR = stats.norm.pdf(Z)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def kl(p: np.ndarray, q: np.ndarray) -> float:
    """KL of two densities on Z."""
    there = p > 1e-300
    return float((p[there] * np.log(p[there] / q[there])).sum() * DZ)


def agrees(draws: np.ndarray, truth: np.ndarray | float, errors: float = 5.0) -> bool:
    """Tell whether the mean of draws [N, ...] lies within so many standard errors of the truth."""
    standard_error = draws.std(0, ddof=1) / math.sqrt(len(draws))
    return bool((np.abs(draws.mean(0) - truth) <= errors * standard_error).all())


def random_codes(seed: int, n: int, d: int) -> tuple[Tensor, Tensor]:
    gen = generator(seed)
    mu = 1.5 * torch.randn(n, d, generator=gen, dtype=torch.float64)
    return mu, torch.randn(n, d, generator=gen, dtype=torch.float64) - 1


# --- Where the classes live ---------------------------------------------------------------------


def test_prop_mixtures_two_errors() -> None:
    """Images are numbers x ~ N(1, 1) of a class; q and p(z|x) are Gaussians on a line."""

    def q(x: np.ndarray) -> np.ndarray:
        return stats.norm.pdf(Z[::40], np.sin(x)[..., None], 0.3 + 0.2 * np.cos(x)[..., None] ** 2)

    # 1. Mean and variance over repeated sets of images, against sums over x.
    n, rng = 12, np.random.default_rng(0)
    x = np.linspace(-7, 9, 4001)
    weights = stats.norm.pdf(x, 1, 1) * (x[1] - x[0])
    truth = weights @ q(x)
    variance = weights @ q(x) ** 2 - truth**2
    sets = q(rng.normal(1, 1, (4000, n))).mean(1)
    inner = (np.abs(Z[::40]) < 1.5).nonzero()[0]
    assert agrees(sets[:, inner], truth[inner])
    squares = n * (sets[:, inner] - truth[inner]) ** 2
    assert agrees(squares, variance[inner])
    assert not agrees(squares, 1.5 * variance[inner])

    # The package's density is this average of Gaussians.
    some = rng.normal(1, 1, n)
    mu, sd = torch.from_numpy(np.sin(some)), torch.from_numpy(0.3 + 0.2 * np.cos(some) ** 2)
    ours = mixtures.log_density(
        torch.from_numpy(Z[::40])[:, None], mu[:, None], 2 * sd.log()[:, None]
    )
    np.testing.assert_allclose(ours.exp().numpy(), q(some).mean(0), rtol=1e-9, atol=1e-290)

    # 2. The divergence of the mixtures is at most the mean divergence, and not always equal.
    images = np.linspace(-2, 4, 41)
    weight = stats.norm.pdf(images, 1, 1)
    weight /= weight.sum()
    encoder = stats.norm.pdf(Z, np.sin(images)[:, None], 0.5)
    posterior = stats.norm.pdf(Z, 0.8 * np.sin(images + 0.2)[:, None], 0.7)
    mean_kl = sum(w * kl(a, b) for w, a, b in zip(weight, encoder, posterior, strict=True))
    assert 0 < kl(weight @ encoder, weight @ posterior) < mean_kl


def test_prop_mixtures_not_sum() -> None:
    mu, logvar = random_codes(1, 5, 2)
    sd, gen = (0.5 * logvar).exp(), generator(2)
    parts = mu + sd * torch.randn(200_000, 5, 2, generator=gen, dtype=torch.float64)
    pick = torch.randint(5, (200_000,), generator=gen)
    centre = mu.mean(0)
    moved = mu - centre
    claims = {
        "sum": (parts.sum(1), 5 * centre, logvar.exp().sum(0).diag()),
        "average": (parts.mean(1), centre, logvar.exp().sum(0).diag() / 25),
        "mixture": (
            parts[torch.arange(200_000), pick],
            centre,
            logvar.exp().mean(0).diag() + moved.T @ moved / 5,
        ),
    }
    for name, (draws, mean, covariance) in claims.items():
        assert agrees(draws.numpy(), mean.numpy()), name
        centred = (draws - mean).numpy()
        squares = centred[:, :, None] * centred[:, None, :]
        assert agrees(squares, covariance.numpy()), name
        assert not agrees(squares, 1.1 * covariance.numpy()), name
        normal = stats.kstest(centred[:20_000, 0] / math.sqrt(covariance[0, 0]), "norm").pvalue
        assert (normal < 1e-9) if name == "mixture" else (normal > 1e-4), name


def test_prop_mixtures_moments() -> None:
    """Against sums over a line, and for the outer product against draws in five dimensions."""
    mu, logvar = random_codes(3, 7, 1)
    found = mixtures.class_moments(mu, logvar, torch.zeros(7, dtype=torch.long))
    density = stats.norm.pdf(Z, mu, (0.5 * logvar).exp()).mean(0)
    mean = (Z * density).sum() * DZ
    assert found.means[0, 0].item() == pytest.approx(mean, rel=1e-9)
    variance = ((Z - mean) ** 2 * density).sum() * DZ
    assert found.covariances[0, 0, 0].item() == pytest.approx(variance, rel=1e-9)

    mu, logvar = random_codes(4, 30, 5)
    found = mixtures.class_moments(mu, logvar, torch.zeros(30, dtype=torch.long))
    rng = np.random.default_rng(5)
    pick = rng.integers(30, size=200_000)
    draws = mu.numpy()[pick] + np.exp(0.5 * logvar.numpy()[pick]) * rng.normal(size=(200_000, 5))
    centred = draws - found.means[0].numpy()
    squares = centred[:, :, None] * centred[:, None, :]
    assert agrees(squares, found.covariances[0].numpy())
    # The square in place of the outer product, as the diagonal matrix of squares.
    second = found.covariances[0] + found.means[0].outer(found.means[0])
    assert not agrees(squares, (second - found.means[0].square().diag()).numpy())


def test_prop_mixtures_narrow() -> None:
    """N(0, I) cut into slices: the moments of the slices are those of truncated normals."""
    cuts = [-np.inf, -0.8, 0.1, 1.2, np.inf]
    total, means = np.zeros((2, 2)), np.zeros((2, 2))
    for low, high in pairwise(cuts):
        piece = stats.truncnorm(low, high)
        share = stats.norm.cdf(high) - stats.norm.cdf(low)
        total += share * np.diag([piece.var(), 1.0])
        mean = np.array([piece.mean(), 0.0])
        means += share * np.outer(mean, mean)
    np.testing.assert_allclose(total, np.eye(2) - means, atol=1e-9)
    assert total[0, 0] < 0.3
    assert total[1, 1] == pytest.approx(1)  # narrower only where the means differ


def test_prop_mixtures_information() -> None:
    """Six encodings on a line in two classes: every term by quadrature."""
    mu, logvar = random_codes(6, 6, 1)
    labels = np.array([0, 0, 1, 0, 1, 1])
    parts = stats.norm.pdf(Z, mu, (0.5 * logvar).exp())
    aggregate = parts.mean(0)
    kinds = [parts[labels == c].mean(0) for c in (0, 1)]
    mean_kl = np.mean([kl(p, PRIOR) for p in parts])
    cloud = kl(aggregate, PRIOR)
    which_class = np.mean([kl(k, aggregate) for k in kinds])
    which_image = np.mean([kl(p, kinds[c]) for p, c in zip(parts, labels, strict=True)])
    assert min(cloud, which_class, which_image) > 0.05
    assert mean_kl == pytest.approx(cloud + which_class + which_image, rel=1e-9)
    per_class = np.mean([kl(k, PRIOR) for k in kinds])
    assert per_class == pytest.approx(cloud + which_class, rel=1e-9)

    ours = mixtures.aggregate_information(mu, logvar, 20_000, generator(7))
    assert ours.mean_kl == pytest.approx(mean_kl, rel=1e-6)
    for estimate, truth in (
        (ours.marginal_kl, cloud),
        (ours.information, which_class + which_image),
    ):
        assert abs(estimate.value - truth) < 5 * estimate.standard_error


def test_prop_mixtures_bhattacharyya() -> None:
    """The least error by quadrature lies between the bounds, for the package's distances."""
    rng = np.random.default_rng(8)
    tight = 0
    for _ in range(40):
        means, sds = rng.normal(size=2) * 2, rng.uniform(0.3, 2, size=2)
        p, q = (stats.norm.pdf(Z, m, s) for m, s in zip(means, sds, strict=True))
        error = 0.5 * np.minimum(p, q).sum() * DZ
        d = mixtures.bhattacharyya(
            torch.from_numpy(means)[:, None], torch.from_numpy(sds)[:, None, None] ** 2
        )[0, 1].item()
        assert d == pytest.approx(-math.log(np.sqrt(p * q).sum() * DZ), abs=1e-6)
        low, high = 0.5 * (1 - math.sqrt(1 - math.exp(-2 * d))), 0.5 * math.exp(-d)
        assert low - 1e-9 <= error <= high + 1e-9
        tight += error > 0.5 * high
    assert tight > 10
