"""The results of the chapters on the heatmaps' manifold and on the fourth factor.

A test bears the label of its result. The truth is algebra, quadrature, an eigenvalue routine or
Monte Carlo with fixed seeds and limits of 5 standard errors, which a right result exceeds once in
1.7 million times a number, some twenty numbers in this file.
"""

import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy import integrate, linalg, optimize
from torch import Tensor

from tests.conftest import LinearGaussian
from vaebook import datasets

LOW, HIGH = math.sqrt(20), math.sqrt(30)


def normal(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


# --- The manifold -------------------------------------------------------------------------------


def test_prop_manifold_sampled_error(linear_gaussian: Callable[..., LinearGaussian]) -> None:
    linear = linear_gaussian(3, side=3, orthogonal=False)
    image, mean = linear.images(1), normal(0, 1, 3)
    variance = torch.tensor([0.3, 0.02, 1.1], dtype=torch.float64)
    gen = torch.Generator().manual_seed(1)

    # An affine decoder: equality, by Monte Carlo on the package's own reparameterisation.
    z = linear.model.reparameterize(
        mean.expand(100_000, 3), variance.log().expand(100_000, 3), gen
    )
    squares = (image - linear.model.decode(z)).flatten(1).square().sum(1)
    residual = (image - linear.model.decode(mean)).square().sum()
    trace = torch.trace(linear.weight @ torch.diag(variance) @ linear.weight.T)
    error = squares.std() / math.sqrt(len(squares))
    assert abs(squares.mean() - residual - trace) < 5 * error
    assert trace > 50 * error

    # One that bends, with one pixel and one latent, by quadrature: what is left falls like t^2,
    # and without the term of the curvature only like t.
    def left(t: float, curvature: bool) -> float:
        x, m = 0.9, 0.4
        g, slope, bend = math.sin(2 * m), 2 * math.cos(2 * m), -4 * math.sin(2 * m)

        def integrand(e: float) -> float:
            density = math.exp(-0.5 * e * e) / math.sqrt(2 * math.pi)
            return density * (x - math.sin(2 * (m + math.sqrt(t) * e))) ** 2

        exact = integrate.quad(integrand, -9, 9, epsabs=1e-14)[0]
        return exact - (x - g) ** 2 - t * slope**2 + (t * (x - g) * bend if curvature else 0)

    assert left(1e-3, True) / left(5e-4, True) == pytest.approx(4, rel=0.02)
    assert left(1e-3, False) / left(5e-4, False) == pytest.approx(2, rel=0.02)


def test_prop_manifold_procrustes() -> None:
    z, f = normal(0, 40, 3), normal(1, 40, 3)
    z, f = z - z.mean(0), (f - f.mean(0)) / f.std(0)
    u, s, vh = torch.linalg.svd(z.T @ f)
    best = u @ vh
    gain = torch.trace(best.T @ z.T @ f)
    assert gain.item() == pytest.approx(s.sum().item())
    np.testing.assert_allclose(best, linalg.orthogonal_procrustes(z.numpy(), f.numpy())[0])
    nearest = (z @ best - f).norm()
    for seed in range(300):
        # Near the maximum and far from it, with reflections: never better, and strictly worse.
        skew = normal(2 + seed, 3, 3) * (0.01 if seed % 2 else 1.0)
        turn = torch.linalg.matrix_exp(skew - skew.T)
        turn = turn @ torch.diag(torch.tensor([1.0, 1.0, (-1.0) ** (seed % 3)]).double())
        other = best @ turn
        assert torch.trace(other.T @ z.T @ f) < gain - 1e-6
        assert (z @ other - f).norm() > nearest + 1e-9

    # Covariances of the turned axes with the factors, N - 1 times.
    turned = z @ best
    covariances = [np.cov(turned[:, j], f[:, j])[0, 1] for j in range(3)]
    assert 39 * sum(covariances) == pytest.approx(gain.item())


def direction(s1: float, s2: float, corr: float) -> float:
    """The long axis by LAPACK, in radians in (-pi/2, pi/2]."""
    cross = corr * math.sqrt(s1 * s2)
    _, vectors = linalg.eigh([[s1, cross], [cross, s2]])
    x, y = vectors[:, 1]
    return math.atan(y / x)


def test_prop_manifold_turn() -> None:
    for s1, s2 in ((3.0, 1.0), (0.4, 4.9), (2.0, 1.9)):
        for corr in (-0.9, -0.2, 0.35, 0.85):
            h = 1e-6
            step = direction(s1, s2, corr + h) - direction(s1, s2, corr - h)
            slope = (step + math.pi / 2) % math.pi - math.pi / 2
            formula = math.sqrt(s1 * s2) * (s1 - s2) / ((s1 - s2) ** 2 + 4 * corr**2 * s1 * s2)
            assert slope / (2 * h) == pytest.approx(formula, rel=1e-5)
            theta = 0.5 * math.atan2(2 * corr * math.sqrt(s1 * s2), s1 - s2)
            assert math.tan(theta) == pytest.approx(math.tan(direction(s1, s2, corr)))
            assert (formula > 0) == (s1 > s2)
    for corr in (-0.8, -0.1, 0.1, 0.6):
        assert direction(2.3, 2.3, corr) == pytest.approx(math.copysign(math.pi / 4, corr))
        values = linalg.eigvalsh([[2.3, 2.3 * corr], [2.3 * corr, 2.3]])
        ratio = math.sqrt((1 + abs(corr)) / (1 - abs(corr)))
        assert math.sqrt(values[1] / values[0]) == pytest.approx(ratio)


# --- The fourth factor --------------------------------------------------------------------------


def heavy_probability(total: float) -> float:
    """P(T < total) by integrating the density of T, whose square is uniform on [20, 30]."""
    inside = min(max(total, LOW), HIGH)
    return integrate.quad(lambda t: 2 * t / 10, LOW, inside)[0]


@pytest.mark.slow
def test_prop_fourth_injective() -> None:
    # Along a ray the difference of the log-images of two triples has one turning point at most:
    # found by counting sign changes of its increments on a fine grid of squared radii.
    t = np.linspace(0.01, 60, 20_001)
    for alpha, beta in itertools.product((0.05, 0.4, 3.0, 30.0), repeat=2):
        for nu, other in ((2.0, 200.0), (200.0, 2.0), (2.0, 5.0)):
            difference = 0.5 * (nu + 2) * np.log1p(alpha * t / nu)
            difference -= 0.5 * (other + 2) * np.log1p(beta * t / other)
            signs = np.sign(np.diff(difference))
            assert np.count_nonzero(np.diff(signs[signs != 0])) <= 1

    # And the nearest image of the other class is never the same image: an optimiser that fits
    # variances, correlation and height to it stays away.
    def nearest(target: Tensor, df: float, start: tuple[float, float, float]) -> float:
        def distance(p: np.ndarray) -> float:
            s1, s2, corr = math.exp(p[0]), math.exp(p[1]), math.tanh(p[2])
            image = datasets.t_heatmap_images(*map(torch.tensor, (s1, s2, corr, df)))
            return (image - target).norm().item()

        first = np.array([math.log(start[0]), math.log(start[1]), math.atanh(start[2])])
        return float(optimize.minimize(distance, first, method="Nelder-Mead").fun)

    for factors in ((0.1, 0.1, 0.05), (2.5, 2.5, 0.35), (4.9, 0.1, -0.95), (4.9, 4.9, 0.85)):
        for df, other in ((2.0, 200.0), (200.0, 2.0)):
            target = datasets.t_heatmap_images(*map(torch.tensor, (*factors, df)))
            assert nearest(target, other, factors) > 0.01
            assert nearest(target, df, factors) < 1e-3


@pytest.mark.slow
def test_prop_fourth_bayes() -> None:
    # The sum over the grid in exact fractions of its 625 pairs, weighed by quadrature.
    tenths = range(1, 50, 2)
    counts: dict[int, int] = {}
    for a, b in itertools.product(tenths, repeat=2):
        counts[a + b] = counts.get(a + b, 0) + 1
    assert sum(counts.values()) == 625
    open_pairs = {total: n for total, n in counts.items() if LOW < total / 10 < HIGH}
    assert open_pairs == {46: 23, 48: 24, 50: 25, 52: 24, 54: 23}
    share = {t: Fraction(n, 625) for t, n in counts.items()}
    chances = {t: heavy_probability(t / 10) for t in counts}
    rate = sum(float(share[t]) * max(p, 1 - p) for t, p in chances.items())

    # The closed form of the text.
    f = data().factors
    total = (f["var_x"] + f["var_y"]).double()
    p = ((total.square() - 20) / 10).clamp(0, 1)
    closed = torch.maximum(p, 1 - p).mean().item()
    assert rate == pytest.approx(closed, abs=1e-6)
    # And by hand: 23, 24, 25, 24, 23 pairs, right with .884, .696, .5, .704, .916.
    assert rate == pytest.approx((506 + 87.5) / 625, abs=1e-9)

    # The rule that reaches it, on data: right as often, within 5 standard errors of 8 draws.
    middle = 5.0
    right = []
    for seed in range(8):
        labels = datasets.t_heatmaps(seed=seed).labels
        assert labels is not None
        right.append(((total > middle) == labels.bool()).double().mean().item())
    error = math.sqrt((p * (1 - p)).mean().item() / 11_875 / 8)
    assert np.mean(right) == pytest.approx(rate, abs=5 * error)

    # No other threshold, and no help of the correlation: the best label of each cell of the
    # grid is the same for all correlations.
    for threshold in np.linspace(4.0, 6.0, 41):
        guess = (total > threshold).double()
        assert (guess * p + (1 - guess) * (1 - p)).mean() <= closed + 1e-12


def data() -> datasets.ImageSet:
    return datasets.t_heatmaps()


@pytest.mark.slow
def test_def_fourth_rules() -> None:
    for seed in range(3):
        large = datasets.t_heatmaps(seed=seed)
        f, labels = large.factors, large.labels
        assert labels is not None
        small = datasets.t_heatmaps(seed=seed, heavy="small").labels
        assert small is not None
        assert torch.equal(small, 1 - labels)
        assert torch.equal(f["df"], torch.where(labels == 1, 2.0, 200.0))
        total = (f["var_x"] + f["var_y"]).double()
        assert labels[total > HIGH].all()
        assert not labels[total < LOW].any()
        # Between the thresholds the share of heavy tails is P(T < sum), for each sum.
        for tenths in (46, 48, 50, 52, 54):
            part = labels[(10 * total).round() == tenths].double()
            p = heavy_probability(tenths / 10)
            assert part.mean().item() == pytest.approx(
                p, abs=5 * math.sqrt(p * (1 - p) / len(part))
            )

        coin = datasets.t_heatmaps(seed=seed, heavy="coin")
        assert coin.labels is not None
        heavy = coin.labels.double()
        assert heavy.mean().item() == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(11_875))
        # A mean over the half with the larger sums: no tie to the variances.
        part = heavy[total > total.median()]
        assert part.mean().item() == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(len(part)))
