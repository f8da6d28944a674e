"""What the appendix of errata states and no other test holds, each against something else.

Averages over draws have fixed seeds; their limits are five standard errors.
"""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from vaebook import datasets, objectives


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ellipse(s1: float, s2: float, rho: float) -> np.ndarray:
    cross = rho * math.sqrt(s1 * s2)
    return np.array([[s1, cross], [cross, s2]])


def test_erratum_4_total_covariance_is_the_mean_variance_plus_the_covariance_of_the_means() -> (
    None
):
    mu = torch.randn(5, 2, generator=generator(0), dtype=torch.float64)
    variances = torch.rand(5, 2, generator=generator(1), dtype=torch.float64)
    # Second moments of the mixture by quadrature, in each pair of coordinates.
    nodes, weights = map(torch.from_numpy, np.polynomial.hermite_e.hermegauss(5))
    eps = torch.cartesian_prod(nodes, nodes)
    probability = torch.cartesian_prod(weights, weights).prod(1) / (2 * math.pi)
    z = mu[:, None] + variances.sqrt()[:, None] * eps
    mean = (z * probability[:, None]).sum(1).mean(0)
    centred = z - mean
    cov = torch.einsum("ngi,ngj,g->ij", centred, centred, probability) / 5
    spread = mu - mu.mean(0)
    torch.testing.assert_close(cov, variances.mean(0).diag() + spread.T @ spread / 5)


def test_erratum_5_an_average_of_independent_variables_is_narrower_than_its_terms() -> None:
    variances = torch.tensor([0.5, 1.0, 2.0, 4.0], dtype=torch.float64)
    draws = variances.sqrt() * torch.randn(400_000, 4, generator=generator(0), dtype=torch.float64)
    average = draws.mean(1)
    squares = average.square()
    error = squares.std() / math.sqrt(len(squares))
    assert (squares.mean() - variances.sum() / 16).abs() < 5 * error
    assert variances.sum() / 16 < variances.mean()


def test_erratum_6_classes_of_a_standard_normal_aggregate_are_narrower_than_it() -> None:
    """Cut N(0, I) into four classes by any rule, here by angle and norm."""
    z = torch.randn(200_000, 2, generator=generator(0), dtype=torch.float64)
    labels = (z[:, 0] > 0.3).long() + 2 * (z.norm(dim=1) > 1).long()
    within, means, shares = torch.zeros(2, 2, dtype=torch.float64), [], []
    for label in range(4):
        part = z[labels == label]
        share = len(part) / len(z)
        within += share * torch.cov(part.T, correction=0)
        means.append(part.mean(0))
        shares.append(share)
    weights = torch.tensor(shares, dtype=torch.float64)
    centred = torch.stack(means) - weights @ torch.stack(means)
    between = (weights[:, None] * centred).T @ centred
    # Entries of a sample covariance have standard errors of sqrt(2 / n) at most.
    error = 5 * math.sqrt(2 / len(z))
    assert (within - (torch.eye(2) - between)).abs().max() < error
    assert between[0, 0] > 0.1


@pytest.mark.slow
def test_erratum_7_swapped_kernels_sample_the_likelihood_times_the_cubed_prior() -> None:
    """pCN by hand in one dimension, L = N(z; 2, 1): the chain's mean is 1, swapped it is 1/2."""
    gen = generator(0)
    step, chains = 0.8, 4000
    for power, truth in ((0, 1.0), (2, 0.5)):
        z = torch.randn(chains, generator=gen, dtype=torch.float64)
        for _ in range(300):
            noise = torch.randn(chains, generator=gen, dtype=torch.float64)
            proposal = math.sqrt(1 - step**2) * z + step * noise
            log_ratio = 0.5 * ((z - 2) ** 2 - (proposal - 2) ** 2)
            # Swapping P(z -> z') and P(z' -> z) leaves (p'/p)^2 behind.
            log_ratio = log_ratio + power * 0.5 * (z**2 - proposal**2)
            accept = torch.rand(chains, generator=gen, dtype=torch.float64).log() < log_ratio
            z = torch.where(accept, proposal, z)
        # L p has precision 2 and mean 1; L p^3 has precision 4 and mean 1/2.
        error = z.std() / math.sqrt(chains)
        assert (z.mean() - truth).abs() < 5 * error
        variance = 0.5 if power == 0 else 0.25
        assert z.var().item() == pytest.approx(variance, abs=5 * variance * math.sqrt(2 / chains))


def test_erratum_10_many_images_of_one_code_are_one_mean_image() -> None:
    images = torch.rand(50, 9, generator=generator(0), dtype=torch.float64)
    decoded = torch.rand(7, 9, generator=generator(1), dtype=torch.float64)
    together = (images[:, None] - decoded).square().sum((0, 2))
    mean = 50 * (images.mean(0) - decoded).square().sum(1)
    torch.testing.assert_close(together - together[0], mean - mean[0])


def test_erratum_16_the_grid_of_factors() -> None:
    correlations, variances = np.arange(-0.95, 0.95, 0.1), np.arange(0.1, 5, 0.2)
    assert (len(correlations), len(variances)) == (19, 25)
    assert correlations[-1] == pytest.approx(0.85)
    assert variances[-1] == pytest.approx(4.9)
    assert len(correlations) * len(variances) ** 2 == 11_875
    assert (len(correlations) + 1) * len(variances) ** 2 == 12_500


@pytest.mark.parametrize(("s1", "s2"), [(1.0, 1.0), (4.9, 0.1), (0.5, 2.0)])
@pytest.mark.parametrize("rho", [-0.95, -0.3, 0.2, 0.85])
def test_erratum_17_angle_and_elongation_of_the_ellipse(s1: float, s2: float, rho: float) -> None:
    values, vectors = np.linalg.eigh(ellipse(s1, s2, rho))
    long_axis = vectors[:, 1]
    angle = 0.5 * math.atan2(2 * rho * math.sqrt(s1 * s2), s1 - s2)
    turn = abs(long_axis @ [math.cos(angle), math.sin(angle)])
    assert turn == pytest.approx(1.0)
    if s1 == s2:
        assert abs(angle) == pytest.approx(math.pi / 4)
        ratio = math.sqrt((1 + abs(rho)) / (1 - abs(rho)))
        assert math.sqrt(values[1] / values[0]) == pytest.approx(ratio)


def test_erratum_18_three_pixels_give_the_factors_back() -> None:
    """Invert the map by a linear fit of log h, at the far end of both variances and elsewhere."""
    axis = np.linspace(-3, 3, 36)
    x, y = (part.ravel() for part in np.meshgrid(axis, axis))
    design = np.stack([x * x, x * y, y * y, np.ones_like(x)], axis=1)
    for factors in ((4.9, 4.9, 0.85), (4.9, 4.9, -0.95), (0.7, 4.9, 0.1)):
        image = datasets.heatmap_images(*(torch.tensor([f]) for f in factors))[0, 0]
        values = image.double().numpy().ravel()
        lit = values > 1e-3
        fit = np.linalg.lstsq(design[lit], np.log(values[lit]), rcond=None)[0]
        precision = -np.array([[2 * fit[0], fit[1]], [fit[1], 2 * fit[2]]])
        np.testing.assert_allclose(np.linalg.inv(precision), ellipse(*factors), rtol=1e-3)


@pytest.mark.parametrize(
    ("s", "which", "stated"), [(4.9, 2, 8.3), (0.1, 2, 1.8), (0.1, 0, 14.5), (4.9, 0, 1.3)]
)
def test_erratum_18_slopes_of_the_image(s: float, which: int, stated: float) -> None:
    """The density's slopes, differenced with SciPy's normal density."""
    axis = np.linspace(-3, 3, 36)
    points = np.stack(np.meshgrid(axis, axis), axis=-1)

    def image(factors: list[float]) -> np.ndarray:
        density = stats.multivariate_normal([0, 0], ellipse(*factors)).pdf(points)
        return density / density.max()

    up, down = [s, s, 0.0], [s, s, 0.0]
    up[which] += 1e-5
    down[which] -= 1e-5
    slope = np.linalg.norm((image(up) - image(down)) / 2e-5)
    assert slope == pytest.approx(stated, abs=0.05)


@pytest.mark.parametrize(("s", "stated"), [(4.9, 0.38), (0.1, 0.50)])
def test_erratum_18_the_share_of_the_image_that_the_correlation_moves(
    s: float, stated: float
) -> None:
    axis = np.linspace(-3, 3, 36)
    points = np.stack(np.meshgrid(axis, axis), axis=-1)

    def image(rho: float) -> np.ndarray:
        density = stats.multivariate_normal([0, 0], ellipse(s, s, rho)).pdf(points)
        return density / density.max()

    slope = np.linalg.norm((image(1e-5) - image(-1e-5)) / 2e-5)
    assert slope / np.linalg.norm(image(0.0)) == pytest.approx(stated, abs=0.005)


def test_erratum_19_an_even_picture_has_no_pixel_at_the_peak() -> None:
    axis = np.linspace(-3, 3, 36)
    nearest = np.min(np.abs(axis))
    assert nearest > 0.08
    narrow = stats.multivariate_normal([0, 0], ellipse(0.1, 0.1, 0.0))
    assert narrow.pdf([nearest, nearest]) < 0.95 * narrow.pdf([0, 0])


def test_erratum_23_covariances_of_the_t_distribution() -> None:
    scale = ellipse(2.0, 0.5, 0.6)
    draws = stats.multivariate_t([0, 0], scale, df=200, seed=0).rvs(400_000)
    products = draws[:, :, None] * draws[:, None, :]
    error = products.std(0) / math.sqrt(len(draws))
    assert (np.abs(products.mean(0) - scale * 200 / 198) < 5 * error).all()
    assert np.isinf(stats.t(df=2).var())


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 20, 200])
def test_erratum_29_midpoints_of_codes_have_the_norm_of_half_the_dimension(dim: int) -> None:
    pairs = torch.randn(20_000, 2, dim, generator=generator(0), dtype=torch.float64)
    norms = pairs.mean(1).norm(dim=1)
    truth = stats.chi(dim).mean() / math.sqrt(2)
    assert abs(norms.mean().item() - truth) < 5 * norms.std().item() / math.sqrt(len(norms))
    assert truth == pytest.approx(math.sqrt(dim / 2), rel=0.15 if dim == 2 else 0.02)


def test_erratum_29_the_prior_has_hardly_any_mass_at_the_midpoint_s_norm() -> None:
    assert stats.chi(20).cdf(math.sqrt(10)) < 0.04


def test_erratum_30_an_anchored_code_is_a_conditional_prior() -> None:
    gen = generator(0)
    mu, variances = torch.randn(3, generator=gen), torch.rand(3, generator=gen) + 0.1
    shift = 4.0 * torch.rand(1, generator=gen) * torch.ones(3)
    anchored = objectives.kl_divergence((mu + shift)[None], variances.log()[None])
    conditional = objectives.gaussian_kl(mu, variances.diag(), -shift, torch.eye(3))
    torch.testing.assert_close(anchored[0], conditional)

    # The marginal prior, from draws of a feature that is one of three values.
    rate, n = 5.0, 400_000
    feature = torch.tensor([0.1, 0.4, 0.9], dtype=torch.float64)[
        torch.randint(3, (n,), generator=gen)
    ]
    z = -rate * feature[:, None] + torch.randn(n, 2, generator=gen, dtype=torch.float64)
    mean, variance = 1.4 / 3, 0.98 / 3 - (1.4 / 3) ** 2
    assert ((z.mean(0) + rate * mean).abs() < 5 * z.std(0) / math.sqrt(n)).all()
    truth = torch.eye(2, dtype=torch.float64) + rate**2 * variance
    assert (torch.cov(z.T) - truth).abs().max() < 5 * truth.max() * math.sqrt(2 / n)


def test_erratum_31_the_mean_rate_is_information_plus_the_aggregate_s_divergence() -> None:
    """Four images with one latent each, by quadrature."""
    z = torch.linspace(-12, 12, 4801, dtype=torch.float64)
    mu = torch.tensor([-2.0, -0.5, 0.4, 2.2], dtype=torch.float64)[:, None]
    std = torch.tensor([0.3, 0.8, 0.2, 0.5], dtype=torch.float64)[:, None]
    log_q = torch.distributions.Normal(mu, std).log_prob(z)
    prior = torch.distributions.Normal(mu.new_zeros(()), mu.new_ones(())).log_prob(z)
    aggregate = log_q.logsumexp(0) - math.log(4)
    rate = objectives.kl_divergence(mu, 2 * std.log()).mean()
    information = torch.trapezoid(log_q.exp() * (log_q - aggregate), z).mean()
    divergence = torch.trapezoid(aggregate.exp() * (aggregate - prior), z)
    torch.testing.assert_close(rate, information + divergence)
