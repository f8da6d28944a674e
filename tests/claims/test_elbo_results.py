"""The results of the chapter on the evidence lower bound, each against something else.

A test bears the label of its result. Integrals are computed on grids, by SciPy's quadrature or
by Gauss-Hermite rules; averages over draws have fixed seeds and limits of 5 standard errors,
which a right result exceeds once in 1.7 million times a number.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats
from torch import Tensor, nn
from torch.distributions import Laplace, MultivariateNormal, Normal

from vaebook import models, objectives
from vaebook.datasets import ImageSet
from vaebook.measures import bounds


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    """Quadrature in sixteen digits; other test files keep their own precision."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def real(low: float, high: float) -> st.SearchStrategy[float]:
    # vaebook flushes subnormal numbers, which hypothesis would want to draw.
    return st.floats(low, high, allow_subnormal=False)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tensor(value: object) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64)


def agrees(draws: Tensor, truth: Tensor | float, errors: float = 5.0) -> bool:
    """Tell whether the mean of draws [N, ...] lies within so many standard errors of the truth."""
    standard_error = draws.std(0) / math.sqrt(len(draws))
    return bool(((draws.mean(0) - truth).abs() <= errors * standard_error).all())


# A model with one latent and one pixel, whose posterior has two humps, on a grid.

Z = torch.linspace(-14, 14, 2801, dtype=torch.float64)
PIXEL = 1.0


def integral(values: Tensor) -> Tensor:
    return torch.trapezoid(values, Z)


def parabola(z: Tensor, weight: Tensor | float = 0.5) -> Tensor:
    return weight * z**2 + 0.5 * z


def log_joint(pixel: float = PIXEL, weight: Tensor | float = 0.5) -> Tensor:
    one, half = tensor(1.0), tensor(0.5)
    log_likelihood = Normal(parabola(Z, weight), half).log_prob(tensor(pixel))
    return log_likelihood + Normal(0 * one, one).log_prob(Z)


def log_evidence(pixel: float = PIXEL, weight: Tensor | float = 0.5) -> Tensor:
    return integral(log_joint(pixel, weight).exp()).log()


def elbo_of(log_q: Tensor, joint: Tensor) -> Tensor:
    """Return E_q[log p(x, z) - log q(z)]."""
    return integral(log_q.exp() * (joint - log_q))


def kl_of(log_q: Tensor, log_p: Tensor) -> Tensor:
    return integral(log_q.exp() * (log_q - log_p))


def normal(mean: Tensor | float, std: Tensor | float) -> Tensor:
    return Normal(tensor(mean), tensor(std)).log_prob(Z)


class _Parabola(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return parabola(z).view(-1, 1, 1, 1)


class _Constant(nn.Module):
    """An encoder that returns one mean and log-variance for all images."""

    def __init__(self, features: list[float]) -> None:
        super().__init__()
        self.features = torch.tensor(features)

    def forward(self, images: Tensor) -> Tensor:
        return self.features.expand(len(images), -1)


def parabola_vae(mean: float, std: float) -> models.VAE:
    encoder = _Constant([mean, 2 * math.log(std)])
    return models.VAE(encoder, _Parabola(), 1, models.Gaussian(0.25)).eval()


# The linear-Gaussian model with two latents and 2 x 3 pixels.


class Linear:
    """p(x|z) = N(Wz + b, variance I), and what the chapter says follows from it."""

    def __init__(self, seed: int = 0, pixels: int = 6, dim: int = 2) -> None:
        gen = generator(seed)
        mixing = torch.eye(dim) + 0.6 * torch.ones(dim, dim).triu(1)
        self.weight = 0.5 * torch.randn(pixels, dim, generator=gen) @ mixing
        self.bias = torch.randn(pixels, generator=gen)
        self.variance = 0.3
        self.pixels, self.dim = pixels, dim
        self.precision = torch.eye(dim) + self.weight.T @ self.weight / self.variance
        code = torch.randn(dim, generator=gen)
        noise = math.sqrt(self.variance) * torch.randn(pixels, generator=gen)
        self.image = self.weight @ code + self.bias + noise

    @property
    def evidence(self) -> MultivariateNormal:
        cov = self.weight @ self.weight.T + self.variance * torch.eye(self.pixels)
        return MultivariateNormal(self.bias, cov)

    @property
    def mean(self) -> Tensor:
        projected = self.weight.T @ (self.image - self.bias) / self.variance
        return torch.linalg.solve(self.precision, projected)

    def log_joint(self, z: Tensor) -> Tensor:
        std = tensor(math.sqrt(self.variance))
        log_likelihood = Normal(z @ self.weight.T + self.bias, std).log_prob(self.image).sum(-1)
        return log_likelihood + Normal(tensor(0.0), tensor(1.0)).log_prob(z).sum(-1)

    def elbo(self, mu: Tensor, cov: Tensor) -> Tensor:
        square = (self.image - self.bias - self.weight @ mu).square().sum()
        square = square + torch.trace(self.weight @ cov @ self.weight.T)
        constant = 0.5 * self.pixels * math.log(2 * math.pi * self.variance)
        rate = objectives.gaussian_kl(mu, cov, torch.zeros(self.dim), torch.eye(self.dim))
        return -constant - square / (2 * self.variance) - rate

    def vae(self, std_factor: float = 1.0) -> models.VAE:
        """Return the VAE with the best diagonal encoder, its deviations times std_factor."""
        return models.VAE(
            _LinearEncoder(self, std_factor),
            _LinearDecoder(self),
            self.dim,
            models.Gaussian(self.variance),
        ).eval()


class _LinearEncoder(nn.Module):
    def __init__(self, linear: Linear, std_factor: float) -> None:
        super().__init__()
        self.linear, self.std_factor = linear, std_factor

    def forward(self, images: Tensor) -> Tensor:
        centred = images.flatten(1) - self.linear.bias
        mu = centred @ self.linear.weight @ self.linear.precision.inverse() / self.linear.variance
        logvar = 2 * math.log(self.std_factor) - self.linear.precision.diagonal().log()
        return torch.cat([mu, logvar.expand_as(mu)], dim=1)


class _LinearDecoder(nn.Module):
    def __init__(self, linear: Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, z: Tensor) -> Tensor:
        return (z @ self.linear.weight.T + self.linear.bias).view(len(z), 1, 2, -1)


def plane(extent: float = 8.0, n: int = 401) -> tuple[Tensor, float]:
    """Return the points of a grid in the plane and the area of its cell."""
    axis = torch.linspace(-extent, extent, n)
    return torch.cartesian_prod(axis, axis), (2 * extent / (n - 1)) ** 2


def hermite(n: int, dim: int) -> tuple[Tensor, Tensor]:
    """Return nodes [n**dim, dim] and probabilities of a rule for N(0, I)."""
    nodes, weights = map(tensor, np.polynomial.hermite_e.hermegauss(n))
    points = torch.cartesian_prod(*[nodes] * dim).view(-1, dim)
    probability = torch.cartesian_prod(*[weights / math.sqrt(2 * math.pi)] * dim)
    return points, probability.view(-1, dim).prod(1)


@pytest.mark.slow
def test_def_latent_variable_model() -> None:
    """Joint, evidence and posterior are densities, with the package's log p(x|z) inside."""
    vae = parabola_vae(0.0, 1.0)
    pixels = torch.linspace(-4, 40, 4401)
    evidence = tensor([log_evidence(float(pixel)).exp() for pixel in pixels[::4]])
    # 3 units in the tails of z reach a pixel of 6; 40 is a code of 8.
    assert torch.trapezoid(evidence, pixels[::4]).item() == pytest.approx(1.0, abs=1e-6)
    posterior = log_joint() - log_evidence()
    assert integral(posterior.exp()).item() == pytest.approx(1.0, abs=1e-12)
    images = pixels.view(-1, 1, 1, 1)
    likelihood = vae.log_prob(images, torch.full((len(pixels), 1), 1.3)).exp()
    assert torch.trapezoid(likelihood, pixels).item() == pytest.approx(1.0, abs=1e-9)
    log_p = vae.log_prob(torch.full((len(Z), 1, 1, 1), PIXEL), Z[:, None])
    prior = Normal(tensor(0.0), tensor(1.0)).log_prob(Z)
    torch.testing.assert_close(log_p + prior, log_joint())


@pytest.mark.parametrize("seed", range(3))
def test_lem_linear_gaussian(seed: int) -> None:
    """Evidence and posterior moments against sums over a grid of the latent plane."""
    linear = Linear(seed)
    points, cell = plane()
    joint = linear.log_joint(points)
    log_p = joint.logsumexp(0) + math.log(cell)
    assert linear.evidence.log_prob(linear.image).item() == pytest.approx(log_p.item(), abs=1e-9)
    weights = (joint - log_p).exp() * cell
    mean = weights @ points
    cov = (weights[:, None] * (points - mean)).T @ (points - mean)
    torch.testing.assert_close(linear.mean, mean)
    torch.testing.assert_close(linear.precision.inverse(), cov)


@pytest.mark.slow
def test_prop_prior_monte_carlo() -> None:
    noise, pixels = 0.4, tensor([0.3, -1.6, 0.9])
    wide = math.sqrt(1 + noise**2)
    truth = stats.norm(0, wide).pdf(pixels).prod()

    def rho(pixel: float) -> float:
        posterior = stats.norm(pixel / wide**2, noise / wide)
        return integrate.quad(
            lambda z: posterior.pdf(z) ** 2 / stats.norm.pdf(z), -8, 8, points=[pixel]
        )[0]

    # Part 3's factors against the integral of part 2.
    factors = stats.norm(0, math.sqrt(1 + noise**2 / 2)).pdf(pixels) / (
        math.sqrt(4 * math.pi) * noise * stats.norm(0, wide).pdf(pixels) ** 2
    )
    np.testing.assert_allclose(factors, [rho(float(pixel)) for pixel in pixels], rtol=1e-6)

    # Parts 1 and 2 against 40,000 estimates of 50 draws each.
    z = torch.randn(40_000, 50, 3, generator=generator(0))
    estimates = Normal(z, tensor(noise)).log_prob(pixels).sum(-1).exp().mean(1)
    assert agrees(estimates, float(truth))
    squares = (estimates / truth - 1).square()
    assert agrees(squares, (factors.prod() - 1) / 50)
    assert not agrees(squares, (factors.prod() - 1) / 40)
    assert estimates.log().mean() < math.log(truth) - 0.01

    # Growth: E log rho_j > 0 for every signal, however weak.
    for signal in (0.05, 0.3, 1.0, 5.0):
        v = signal**2 + noise**2
        expected = integrate.quad(
            lambda x, s=signal, v=v: (
                stats.norm(0, v**0.5).pdf(x)
                * (
                    stats.norm(0, math.sqrt(s**2 + noise**2 / 2)).logpdf(x)
                    - 0.5 * math.log(4 * math.pi * noise**2)
                    - 2 * stats.norm(0, v**0.5).logpdf(x)
                )
            ),
            -12 * v**0.5,
            12 * v**0.5,
        )[0]
        assert expected > 1e-7


@pytest.mark.parametrize(("mean", "std"), [(1.0, 0.3), (-1.5, 0.8), (0.0, 1.0)])
def test_def_elbo(mean: float, std: float) -> None:
    """The package's estimates average to the integral of the definition."""
    truth = elbo_of(normal(mean, std), log_joint())
    vae = parabola_vae(mean, std)
    images = ImageSet(torch.full((100_000, 1, 1, 1), PIXEL, dtype=torch.float32))
    assert agrees(-objectives.negative_elbo(vae, images, generator=generator(1))["loss"], truth)
    assert agrees(bounds.elbo(vae, images, 1, generator(2)).elbo, truth)
    assert agrees(bounds.elbo(vae, images[:20_000], 5, generator(3)).elbo, truth)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(mean=real(-4, 4), std=real(0.05, 1.5), pixel=real(-1, 5))
def test_thm_jensen_bound(mean: float, std: float, pixel: float) -> None:
    joint = log_joint(pixel)
    assert elbo_of(normal(mean, std), joint) <= log_evidence(pixel) + 1e-9

    # And for q that is zero where the joint density is not: the posterior of one side alone.
    right = (Z - mean) > 0
    for side in (right, ~right):
        part = torch.where(side, (joint - log_evidence(pixel)).exp(), 0.0)
        mass = integral(part)
        if mass < 1e-6:
            continue
        q = part / mass
        inside = torch.where(q > 0, joint - torch.where(q > 0, q, 1.0).log(), 0.0)
        elbo = integral(q * inside).item()
        assert elbo <= log_evidence(pixel).item() + 1e-9
        # What is lost is -log of the mass that is left, as the grid cuts it.
        assert elbo == pytest.approx((log_evidence(pixel) + mass.log()).item(), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    share=real(0, 1),
    first=real(-3, 3),
    second=real(-3, 3),
    std=real(0.3, 1.2),
)
def test_lem_gibbs(share: float, first: float, second: float, std: float) -> None:
    def mixture(weight: float) -> Tensor:
        parts = torch.stack([normal(first, std), normal(second, 0.7)])
        return torch.logsumexp(parts + tensor([weight, 1 - weight]).log()[:, None], 0)

    p, q = mixture(0.5), mixture(share)
    divergence = kl_of(q, p).item()
    assert divergence >= -1e-10
    assert kl_of(q, q).item() == 0
    # Pinsker's inequality makes the strictness quantitative.
    total_variation = 0.5 * integral((q.exp() - p.exp()).abs()).item()
    assert divergence >= 2 * total_variation**2 - 1e-9


@pytest.mark.parametrize("shift", [-2.0, 0.0, 1.1])
def test_thm_elbo_gap(shift: float) -> None:
    """For q of three shapes, Gaussian or not, with every term its own integral."""
    posterior = log_joint() - log_evidence()
    heavy = torch.logaddexp(normal(shift, 0.5), normal(0.0, 1.2)) - math.log(2)
    laplace = Laplace(tensor(shift), tensor(0.25)).log_prob(Z)
    # Only the Gaussians are exactly normalised on the grid.
    laplace = laplace - integral(laplace.exp()).log()
    for log_q in (normal(shift, 0.4), heavy, laplace):
        gap = kl_of(log_q, posterior)
        assert gap > 0.01
        total = elbo_of(log_q, log_joint()) + gap
        assert total.item() == pytest.approx(log_evidence().item(), abs=1e-9)


def test_cor_tight() -> None:
    posterior = log_joint() - log_evidence()
    tight = elbo_of(posterior, log_joint())
    assert tight.item() == pytest.approx(log_evidence().item(), abs=1e-12)
    for tilt in (-0.3, -0.01, 0.01, 0.3):
        moved = posterior + tilt * Z
        moved = moved - integral(moved.exp()).log()
        loss = log_evidence() - elbo_of(moved, log_joint())
        # For a small tilt t the gap is t^2/2 times the posterior's variance.
        assert loss > 0.1 * tilt**2


@pytest.mark.parametrize(("mean", "std"), [(1.0, 0.3), (-1.5, 0.8)])
def test_prop_rate_reconstruction(mean: float, std: float) -> None:
    log_q = normal(mean, std)
    log_likelihood = Normal(parabola(Z), tensor(0.5)).log_prob(tensor(PIXEL))
    reconstruction = integral(log_q.exp() * log_likelihood)
    rate = kl_of(log_q, normal(0.0, 1.0))
    difference = reconstruction - rate
    assert difference.item() == pytest.approx(elbo_of(log_q, log_joint()).item(), abs=1e-9)
    parts = bounds.elbo(
        parabola_vae(mean, std), torch.full((100_000, 1, 1, 1), PIXEL), 1, generator(0)
    )
    assert agrees(parts.log_prob, reconstruction)
    assert parts.kl[0].item() == pytest.approx(rate.item(), abs=1e-9)


def test_prop_two_gradients() -> None:
    def bound(mean: float, std: float, weight: float) -> float:
        return elbo_of(normal(mean, std), log_joint(weight=weight)).item()

    def gap(mean: float, std: float, weight: float) -> float:
        posterior = log_joint(weight=weight) - log_evidence(weight=weight)
        return kl_of(normal(mean, std), posterior).item()

    at = (0.8, 0.4, 0.5)
    h = 1e-5

    def slope(function: Callable[..., float], k: int) -> float:
        up, down = list(at), list(at)
        up[k], down[k] = at[k] + h, at[k] - h
        return (function(*up) - function(*down)) / (2 * h)

    for k in (0, 1):
        assert slope(bound, k) == pytest.approx(-slope(gap, k), abs=1e-6)
        assert abs(slope(bound, k)) > 0.01
    evidence = (log_evidence(weight=0.5 + h) - log_evidence(weight=0.5 - h)).item() / (2 * h)
    assert slope(bound, 2) == pytest.approx(evidence - slope(gap, 2), abs=1e-6)
    assert abs(slope(gap, 2)) > 0.01  # the two gradients in theta do differ here

    # Both as expectations of the slope of log p(x, z), which is (x - g(z)) z^2 / sigma^2.
    inner = (PIXEL - parabola(Z)) * Z**2 / 0.25
    posterior = (log_joint() - log_evidence()).exp()
    assert integral(normal(0.8, 0.4).exp() * inner).item() == pytest.approx(
        slope(bound, 2), abs=1e-6
    )
    assert integral(posterior * inner).item() == pytest.approx(evidence, abs=1e-6)

    # Sufficient, not necessary: in the linear model the right mean is enough for b's gradient.
    linear = Linear(0)
    bias = linear.bias.clone().requires_grad_()
    linear.bias = bias
    (truth,) = torch.autograd.grad(linear.evidence.log_prob(linear.image), bias)
    mean = linear.mean.detach()
    for cov in (0.01 * torch.eye(2), 3 * torch.eye(2), linear.precision.inverse()):
        (slope_b,) = torch.autograd.grad(linear.elbo(mean, cov), bias)
        torch.testing.assert_close(slope_b, truth)
    (wrong,) = torch.autograd.grad(linear.elbo(mean + 0.1, torch.eye(2)), bias)
    assert not torch.allclose(wrong, truth)


def test_prop_bound_not_evidence() -> None:
    x, m, lam, variance = 2.0, 1.5, 0.3, 0.25
    log_q = normal(m, math.sqrt(lam))
    prior = normal(0.0, 1.0)

    def joint(w: float) -> Tensor:
        return Normal(w * Z, tensor(math.sqrt(variance))).log_prob(tensor(x)) + prior

    def evidence(w: float) -> float:
        return integral(joint(w).exp()).log().item()

    def bound(w: float) -> float:
        return elbo_of(log_q, joint(w)).item()

    best = optimize.minimize_scalar(lambda w: -evidence(w), bounds=(0, 5), method="bounded").x
    top = optimize.minimize_scalar(lambda w: -bound(w), bounds=(-5, 5), method="bounded").x
    assert best == pytest.approx(math.sqrt(x**2 - variance), abs=1e-4)
    assert top == pytest.approx(m * x / (m**2 + lam), abs=1e-4)
    # From between the two tops to that of the ELBO, the one rises and the other falls.
    way = np.linspace(top + 0.6 * (best - top), top, 12)
    assert (np.diff([bound(w) for w in way]) > 0).all()
    assert (np.diff([evidence(w) for w in way]) < 0).all()
    # Beyond the evidence's top, which is no such place, both fall or both rise.
    beyond = np.linspace(best + 1, best + 0.1, 5)
    assert (np.diff([bound(w) for w in beyond]) > 0).all()
    assert (np.diff([evidence(w) for w in beyond]) > 0).all()


def test_lem_gaussian_quadratic() -> None:
    """Exactly, on a distribution of finitely many points that is far from Gaussian."""
    gen = generator(0)
    points = torch.randn(7, 3, generator=gen).exp()
    probability = torch.rand(7, generator=gen)
    probability = probability / probability.sum()
    a, b = torch.randn(3, generator=gen), torch.randn(3, 3, generator=gen)
    mean = probability @ points
    cov = (probability[:, None] * (points - mean)).T @ (points - mean)
    direct = sum(p * (z - a) @ b @ (z - a) for p, z in zip(probability, points, strict=True))
    torch.testing.assert_close(direct, torch.trace(b @ cov) + (mean - a) @ b @ (mean - a))


@pytest.mark.parametrize("seed", range(5))
def test_thm_gaussian_kl(seed: int) -> None:
    """Formula and package against the integral over the plane; upside down it fails."""
    gen = generator(seed)
    roots = torch.randn(2, 2, 2, generator=gen)
    cov_q, cov_p = 0.5 * roots @ roots.mT + 0.3 * torch.eye(2)
    mu_q, mu_p = torch.randn(2, 2, generator=gen)
    points, cell = plane(extent=10, n=601)
    log_q = MultivariateNormal(mu_q, cov_q).log_prob(points)
    log_p = MultivariateNormal(mu_p, cov_p).log_prob(points)
    truth = (log_q.exp() * (log_q - log_p)).sum().item() * cell

    shift, inverse = mu_p - mu_q, cov_p.inverse()
    log_ratio = torch.log(torch.det(cov_p) / torch.det(cov_q))
    rest = torch.trace(inverse @ cov_q) + shift @ inverse @ shift - 2
    assert 0.5 * (rest + log_ratio).item() == pytest.approx(truth, abs=1e-6)
    assert objectives.gaussian_kl(mu_q, cov_q, mu_p, cov_p).item() == pytest.approx(
        truth, abs=1e-6
    )
    assert 0.5 * (rest - log_ratio).item() != pytest.approx(truth, abs=1e-2)


@settings(max_examples=50, deadline=None)
@given(
    mu=st.lists(real(-3, 3), min_size=3, max_size=3),
    logvar=st.lists(real(-5, 1), min_size=3, max_size=3),
)
def test_cor_diagonal_kl(mu: list[float], logvar: list[float]) -> None:
    truth = sum(
        kl_of(normal(m, math.exp(v / 2)), normal(0.0, 1.0)).item()
        for m, v in zip(mu, logvar, strict=True)
    )
    formula = 0.5 * sum(m**2 + math.exp(v) - 1 - v for m, v in zip(mu, logvar, strict=True))
    assert formula == pytest.approx(truth, abs=1e-8)
    assert objectives.kl_divergence(tensor([mu]), tensor([logvar])).item() == pytest.approx(
        truth, abs=1e-8
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_prop_linear_gaussian_elbo(seed: int) -> None:
    linear = Linear(seed)
    root = 0.3 * torch.randn(2, 2, generator=generator(seed))
    mu, cov = linear.mean + 0.2, root @ root.T + 0.1 * torch.eye(2)
    points, cell = plane(extent=9, n=601)
    log_q = MultivariateNormal(mu, cov).log_prob(points)
    truth = (log_q.exp() * (linear.log_joint(points) - log_q)).sum().item() * cell
    assert linear.elbo(mu, cov).item() == pytest.approx(truth, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_prop_diagonal_optimum(seed: int) -> None:
    """A general-purpose search over quadratures of the ELBO ends at the stated optimum."""
    linear = Linear(seed)
    eps, probability = hermite(8, 2)  # exact for the quadratics that are averaged here

    def loss(phi: np.ndarray) -> float:
        mu, log_std = tensor(phi[:2]), tensor(phi[2:])
        z = mu + log_std.exp() * eps
        log_q = (-0.5 * eps.square() - log_std - 0.5 * math.log(2 * math.pi)).sum(1)
        return -(probability @ (linear.log_joint(z) - log_q)).item()

    found = optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-7})
    variances = 1 / (1 + (linear.weight.T @ linear.weight).diagonal() / linear.variance)
    np.testing.assert_allclose(found.x[:2], linear.mean, atol=1e-5)
    np.testing.assert_allclose(np.exp(2 * found.x[2:]), variances, rtol=1e-4)
    gap = 0.5 * (linear.precision.diagonal().log().sum() - torch.logdet(linear.precision))
    log_p = linear.evidence.log_prob(linear.image).item()
    assert log_p + found.fun == pytest.approx(gap.item(), abs=1e-8)
    assert gap > 0.01
    # Each coordinate is too narrow, never too wide; across the tilt q sticks out all the same.
    covariance = linear.precision.inverse()
    assert (covariance.diagonal() > variances).all()
    across, along = torch.linalg.eigvalsh(covariance - variances.diag())
    assert across < -1e-3
    assert along > 1e-3


@pytest.mark.parametrize("likelihood", [models.Bernoulli(), models.Gaussian(0.1)])
def test_the_objective_that_is_displayed_is_the_packages(likelihood: models.Likelihood) -> None:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(9, 4))
    decoder = nn.Sequential(nn.Linear(2, 9), nn.Unflatten(1, (1, 3, 3)))
    vae = models.VAE(encoder, decoder, 2, likelihood)
    images = torch.rand(5, 1, 3, 3, generator=generator(1)).round(decimals=3)
    terms = objectives.negative_elbo(vae, ImageSet(images.float()), generator=generator(2))

    images = images.float().double()
    mu, log_lambda = encoder(images).chunk(2, 1)
    eps = torch.randn(5, 2, generator=generator(2))
    g = decoder(mu + (log_lambda / 2).exp() * eps)
    if isinstance(likelihood, models.Bernoulli):
        g = 1 / (1 + (-g).exp())
        log_likelihood = images * g.log() + (1 - images) * (1 - g).log()
    else:
        log_likelihood = -((images - g) ** 2) / 0.2 - 0.5 * math.log(2 * math.pi * 0.1)
    rate = 0.5 * (mu**2 + log_lambda.exp() - 1 - log_lambda).sum(1)
    torch.testing.assert_close(-terms["loss"], log_likelihood.flatten(1).sum(1) - rate)
    torch.testing.assert_close(terms["kl"], rate)


def test_prop_minibatch() -> None:
    """All batches of two of four images, with every pair of nodes of a rule for the noise."""
    nodes, probability = hermite(5, 1)
    images = tensor([[0.9, 0.1], [0.2, 0.6], [0.4, 0.4], [1.0, 0.8]])
    weight = tensor([0.7]).requires_grad_()

    def estimate(image: Tensor, eps: Tensor, w: Tensor) -> Tensor:
        """One latent and two pixels; w serves the encoder and the decoder."""
        mu, log_lambda = w * (image[0] - image[1]), -w
        z = mu + (log_lambda / 2).exp() * eps
        logits = torch.cat([w * z, 1 - w * z**2])
        log_likelihood = (image * logits - torch.nn.functional.softplus(logits)).sum()
        return log_likelihood - 0.5 * (mu**2 + log_lambda.exp() - 1 - log_lambda).sum()

    draws = tensor(
        [
            [torch.autograd.grad(estimate(image, eps, weight), weight)[0].item() for eps in nodes]
            for image in images
        ]
    )
    means = draws @ probability
    within = (draws.square() @ probability - means**2).mean()
    between = means.var(correction=0)

    batches = [(i, j) for i in range(4) for j in range(i)]
    pairs = probability[:, None] * probability
    both = [(draws[i][:, None] + draws[j]) / 2 for i, j in batches]
    mean = sum((pairs * value).sum() for value in both) / len(batches)
    square = sum((pairs * value**2).sum() for value in both) / len(batches)

    def whole(w: Tensor) -> float:
        values = [[estimate(image, eps, w).item() for eps in nodes] for image in images]
        return (tensor(values) @ probability).mean().item()

    slope = (whole(tensor([0.7 + 1e-5])) - whole(tensor([0.7 - 1e-5]))) / 2e-5
    assert mean.item() == pytest.approx(slope, abs=1e-8)
    variance = (within + (4 - 2) / (4 - 1) * between) / 2
    assert (square - mean**2).item() == pytest.approx(variance.item(), rel=1e-10)
    assert min(within, between) > 1e-4


@pytest.mark.parametrize("seed", range(3))
def test_def_inference_gaps(seed: int) -> None:
    """Both parts in the linear model, by a search over the family and by the divergences."""
    linear = Linear(seed)
    log_p = linear.evidence.log_prob(linear.image)
    given = linear.mean + 0.3, 0.5 / linear.precision.diagonal()

    def loss(phi: np.ndarray) -> float:
        return -linear.elbo(tensor(phi[:2]), tensor(np.exp(phi[2:])).diag()).item()

    best = -optimize.minimize(loss, np.zeros(4), method="BFGS").fun
    bound = linear.elbo(given[0], given[1].diag())
    approximation, amortisation = log_p - best, best - bound
    assert approximation > 0.01
    assert amortisation > 0.1
    # By the divergences from the posterior, with which the search has nothing to do.
    posterior = linear.mean, linear.precision.inverse()
    inside = (1 / linear.precision.diagonal()).diag()
    least = objectives.gaussian_kl(linear.mean, inside, *posterior)
    whole = objectives.gaussian_kl(given[0], given[1].diag(), *posterior)
    assert approximation.item() == pytest.approx(least.item(), abs=1e-7)
    assert (approximation + amortisation).item() == pytest.approx(whole.item(), abs=1e-9)


def _bent(z: Tensor) -> Tensor:
    return torch.sin(z[..., 0]) * z[..., 1] ** 2 + z[..., 0] ** 3 * 0.1


@pytest.mark.parametrize("which", [0, 1, 2, 3])
def test_thm_pathwise_gradient(which: int) -> None:
    """Single-draw gradients through the package's draw against differences of a quadrature."""
    parameters = [0.3, -0.5, 0.6, 0.9]
    eps, probability = hermite(40, 2)

    def objective(values: list[float]) -> float:
        mu, std = tensor(values[:2]), tensor(values[2:])
        return (probability @ _bent(mu + std * eps)).item()

    up, down = list(parameters), list(parameters)
    up[which] += 1e-5
    down[which] -= 1e-5
    truth = (objective(up) - objective(down)) / 2e-5

    mu = tensor(parameters[:2]).expand(200_000, 2).clone().requires_grad_()
    std = tensor(parameters[2:]).expand(200_000, 2).clone().requires_grad_()
    z = models.VAE.reparameterize(mu, 2 * std.log(), generator(which))
    gradients = torch.cat(torch.autograd.grad(_bent(z).sum(), [mu, std]), dim=1)[:, which]
    assert agrees(gradients, truth)
    assert not agrees(gradients, truth + 0.1)


def test_thm_score_gradient() -> None:
    """Also for a step function, where F is a normal distribution function; with a constant."""
    mu, std, edge = 0.4, 0.7, 1.0
    eps = torch.randn(400_000, generator=generator(0))
    z = mu + std * eps
    density = stats.norm.pdf((edge - mu) / std) / std
    truth = {"mu": density, "std": density * (edge - mu) / std}
    for constant in (0.0, 0.5):
        values = (z > edge).double() - constant
        by_mu = values * (z - mu) / std**2
        by_std = values * ((z - mu).square() / std**3 - 1 / std)
        assert agrees(by_mu, truth["mu"])
        assert agrees(by_std, truth["std"])
        assert not agrees(by_mu, truth["mu"] + 0.02)

    # And it agrees with the pathwise gradient where both exist.
    gen = generator(1)
    center, scale = tensor([0.3, -0.5]), tensor([0.6, 0.9])
    noise = torch.randn(400_000, 2, generator=gen)
    points = (center + scale * noise).requires_grad_()
    values = _bent(points)
    (path,) = torch.autograd.grad(values.sum(), points)
    score = values.detach()[:, None] * noise / scale
    assert agrees(path - score, 0.0)
    assert (score.var(0) > path.var(0)).all()


@pytest.mark.slow
@pytest.mark.parametrize("dim", [1, 3, 16])
def test_prop_gradient_variance(dim: int) -> None:
    # The moments of chi^2 that the proof uses, from SciPy.
    for n in (1, 2, 3):
        moment = math.prod(dim + 2 * k for k in range(n))
        assert stats.chi2(dim).moment(n) == pytest.approx(moment)
    mu = torch.zeros(400_000, dim, requires_grad=True)
    eps = torch.randn(400_000, dim, generator=generator(dim))
    values = -0.5 * (mu + eps).square().sum(1)
    (path,) = torch.autograd.grad(values.sum(), mu)
    values = values.detach()[:, None]
    best = -0.5 * (dim + 2)
    for draws, variance in [
        (path, 1.0),
        (values * eps, (dim + 2) * (dim + 4) / 4),
        ((values - best) * eps, (dim + 2) / 2),
    ]:
        assert agrees(draws, 0.0)
        assert agrees(draws.square(), variance)
    for other in (best - 0.5, best + 0.5):
        assert ((values - other) * eps).square().mean() > ((values - best) * eps).square().mean()


def test_prop_grey_bernoulli() -> None:
    """Part 1 by summing over all binary images, part 2 by quadrature, part 3 by search."""
    logits = torch.randn(1, 1, 2, 2, generator=generator(0))
    grey = torch.rand(1, 1, 2, 2, generator=generator(1))
    likelihood = models.Bernoulli()
    expected = 0.0
    for bits in product([0.0, 1.0], repeat=4):
        image = torch.tensor(bits).view(1, 1, 2, 2)
        probability = torch.where(image == 1, grey, 1 - grey).prod().item()
        expected += probability * likelihood.log_prob(logits, image).item()
    assert likelihood.log_prob(logits, grey).item() == pytest.approx(expected, abs=1e-12)

    # The bound: one latent, two pixels with logits z and 1 - 2z, a grey image.
    values = tensor([0.3, 0.8])
    log_q, prior = normal(0.2, 0.6), normal(0.0, 1.0)

    def log_p_given_z(image: Tensor) -> Tensor:
        outputs = torch.stack([Z, 1 - 2 * Z], 1).view(-1, 1, 1, 2)
        return likelihood.log_prob(outputs, image.view(1, 1, 1, 2).expand(len(Z), 1, 1, 2))

    bound = integral(log_q.exp() * log_p_given_z(values)) - kl_of(log_q, prior)
    evidence = torch.zeros((), dtype=torch.float64)
    for bits in product([0.0, 1.0], repeat=2):
        image = tensor(bits)
        weight = torch.where(image == 1, values, 1 - values).prod()
        evidence += weight * integral((log_p_given_z(image) + prior).exp()).log()
    assert bound < evidence

    for pi in (0.01, 0.3, 0.5, 0.9):
        area = integrate.quad(lambda x, pi=pi: pi**x * (1 - pi) ** (1 - x), 0, 1)[0]
        formula = 0.5 if pi == 0.5 else (2 * pi - 1) / (math.log(pi) - math.log(1 - pi))
        assert formula == pytest.approx(area, abs=1e-10)
        assert area <= 0.5

    for value in (0.1, 0.5, 0.8):
        image = torch.full((1, 1, 1, 1), value)

        def loss(logit: float, image: Tensor = image) -> float:
            return -likelihood.log_prob(torch.full((1, 1, 1, 1), logit), image).item()

        found = optimize.minimize_scalar(loss, bounds=(-6, 6), method="bounded")
        assert 1 / (1 + math.exp(-found.x)) == pytest.approx(value, abs=1e-4)
        assert found.fun == pytest.approx(stats.bernoulli(value).entropy(), abs=1e-8)


def test_prop_optimal_variance() -> None:
    gen = generator(0)
    images = torch.rand(8, 1, 4, 4, generator=gen)
    weight = torch.randn(16, 3, generator=gen).requires_grad_()
    codes = torch.randn(8, 3, generator=gen)
    decoded = (codes @ weight.T).view(8, 1, 4, 4)
    mse = (images - decoded).square().mean()

    def mean_loss(variance: float) -> float:
        return -models.Gaussian(variance).log_prob(decoded, images).mean().item()

    found = optimize.minimize_scalar(
        lambda v: mean_loss(math.exp(v)), bounds=(-6, 6), method="bounded"
    )
    assert math.exp(found.x) == pytest.approx(mse.item(), rel=1e-4)
    least = 8 * math.log(mse.item()) + 8 * (1 + math.log(2 * math.pi))
    assert found.fun == pytest.approx(least, abs=1e-6)

    def gradient(loss: Tensor) -> Tensor:
        return torch.autograd.grad(loss, weight, retain_graph=True)[0]

    by_log = gradient(8 * mse.log())
    fixed = gradient(-models.Gaussian(mse.item()).log_prob(decoded, images).mean())
    optimal = models.OptimalGaussian(1.0)
    for _ in range(400):
        optimal.adapt({"mse": mse.item()})
    assert optimal.variance.item() == pytest.approx(mse.item())
    torch.testing.assert_close(fixed, by_log)
    torch.testing.assert_close(gradient(-optimal.log_prob(decoded, images).mean()), by_log)


def test_prop_mse_beta() -> None:
    pixels = 16
    gen = generator(0)
    batch = ImageSet(torch.rand(5, 1, 4, 4, generator=gen, dtype=torch.float32))
    images = batch.images.double()
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 6))
    decoder = nn.Sequential(nn.Linear(3, pixels), nn.Unflatten(1, (1, 4, 4)))
    weights = [*encoder.parameters(), *decoder.parameters()]

    def by_package(variance: float, beta: float) -> Tensor:
        vae = models.VAE(encoder, decoder, 3, models.Gaussian(variance))
        terms = objectives.negative_elbo(vae, batch, beta=beta, generator=generator(1))
        return flat(terms["loss"].mean())

    def by_hand(reduce: Callable[[Tensor], Tensor], beta: float) -> Tensor:
        mu, logvar = encoder(images).chunk(2, 1)
        z = models.VAE.reparameterize(mu, logvar, generator(1))
        error = reduce((images - decoder(z)).square().flatten(1))
        kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
        return flat((error + beta * kl).mean())

    def flat(loss: Tensor) -> Tensor:
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights)])

    close = torch.testing.assert_close
    close(by_hand(lambda e: e.sum(1), 1.0), by_package(0.5, 1.0))
    close(by_hand(lambda e: e.mean(1), 1.0), by_package(pixels / 2, 1.0))
    close(pixels * by_hand(lambda e: e.mean(1), 1.0), by_hand(lambda e: e.sum(1), pixels))
    close(by_hand(lambda e: 0.5 * e.sum(1), 1.0), by_package(1.0, 1.0))
    close(by_hand(lambda e: e.sum(1), 0.3), 0.3 * by_package(0.15, 1.0))
    close(by_package(0.2, 4.0), 4 * by_package(0.8, 1.0))
    different = by_package(0.2, 4.0) - by_package(0.8, 1.0)
    assert different.norm() > 0.1 * by_package(0.8, 1.0).norm()


def bound_of(values: list[float], shares: list[float], n: int) -> float:
    """Return E log of the mean of n weights that take three values, by summing all cases."""
    total = 0.0
    law = stats.multinomial(n, shares)
    for i in range(n + 1):
        j = np.arange(n - i + 1)
        counts = np.stack([np.full_like(j, i), j, n - i - j], axis=1)
        total += float(law.pmf(counts) @ np.log(counts @ np.array(values) / n))
    return total


def test_thm_iw_bound() -> None:
    values, shares = [0.02, 1.0, 9.0], [0.6, 0.3, 0.1]
    log_p = math.log(np.dot(values, shares))
    limits = [bound_of(values, shares, n) for n in (1, 2, 3, 4, 8, 30, 100, 300)]
    assert limits[0] == pytest.approx(np.dot(np.log(values), shares))
    assert all(before < after for before, after in pairwise(limits))
    assert limits[-1] < log_p
    assert log_p - limits[-1] < 0.02

    # The package's estimate of a linear model: rising in K, below, and close in the end.
    linear = Linear(0)
    vae, truth = linear.vae(), linear.evidence.log_prob(linear.image)
    image = linear.image.view(1, 1, 2, 3)
    many = {n: image.expand(40_000 // n, 1, 2, 3) for n in (1, 4, 40)}
    means = {
        n: bounds.log_evidence(vae, images, n, generator(n)).mean() for n, images in many.items()
    }
    assert means[1] < means[4] < means[40] < truth
    far = bounds.log_evidence(vae, image, 100_000, generator(0))
    assert far.item() == pytest.approx(truth.item(), abs=0.01)
    one = bounds.log_evidence(vae, many[1], 1, generator(5))
    assert agrees(one, linear.elbo(linear.mean, (1 / linear.precision.diagonal()).diag()))


def test_prop_iw_bias() -> None:
    """Exactly, from all outcomes of n draws of three values: n times the bias tends to rho^2/2."""
    values, shares = [0.5, 1.0, 2.5], [0.3, 0.5, 0.2]
    mean = float(np.dot(values, shares))
    rho2 = float(np.dot(np.square(values), shares)) / mean**2 - 1
    limits = [n * (math.log(mean) - bound_of(values, shares, n)) for n in (25, 100, 400)]
    errors = [abs(limit - rho2 / 2) for limit in limits]
    # What is left falls like 1/n.
    assert errors[1] < errors[0] / 3
    assert errors[2] < errors[1] / 3
    assert limits[-1] == pytest.approx(rho2 / 2, rel=5e-3)


@pytest.mark.slow
def test_the_bias_needs_two_moments_of_the_weights_and_not_three() -> None:
    """For weights with the Pareto law of index 2.5, whose third moment is infinite.

    E log of a mean of K weights is the integral of (e^-t - L(t/K)^K)/t over t > 0, with the
    Laplace transform L of a weight; both integrals by quadrature.
    """
    index = 2.5
    mean, rho2 = index / (index - 1), 1 / (index * (index - 2))
    places, parts = np.polynomial.legendre.leggauss(1000)
    u = ((places + 1) / 2) ** 3  # more points where the weight u^(-1/index) is large
    weight, mass = u ** (-1 / index), parts / 2 * 3 * ((places + 1) / 2) ** 2

    log_t = np.linspace(-30, 5, 3001)

    def bias(k: int) -> float:
        scaled = np.exp(log_t) / k
        missing = -np.expm1(-scaled[:, None] * weight) @ mass  # 1 - L, without cancellation
        power = np.exp(k * np.log1p(-np.minimum(missing, 1 - 1e-12)))
        return math.log(mean) - float(np.trapezoid(np.exp(-scaled * k) - power, log_t))

    ratios = [bias(k) * 2 * k / rho2 for k in (10, 100, 1000, 10_000)]
    shortfalls = [1 - ratio for ratio in ratios]
    # The rest falls, but slowly: like a power of K that is smaller than one.
    assert all(0 < after < before for before, after in pairwise(shortfalls))
    assert shortfalls[-1] < 0.05
    assert shortfalls[0] > 0.2


def test_the_diagonal_proposal_of_the_exercise_loses_its_variance_at_one_half() -> None:
    """The closed form against a sum over the plane, and what the third moment needs."""
    for r in (0.1, 0.3, 0.45):
        precision = tensor([[2.0, r * 2**0.5], [r * 2**0.5, 1.0]])
        d = precision.diagonal()
        closed = precision.det() / (d.prod() * (2 * precision - d.diag()).det()).sqrt()
        assert closed.item() == pytest.approx((1 - r**2) / math.sqrt(1 - 4 * r**2))
        points, cell = plane(extent=24, n=481)
        log_p = MultivariateNormal(torch.zeros(2), precision_matrix=precision).log_prob(points)
        log_q = Normal(torch.zeros(2), d.rsqrt()).log_prob(points).sum(1)
        total = (2 * log_p - log_q).exp().sum().item() * cell
        assert total == pytest.approx(closed.item(), rel=1e-4)
        third = torch.linalg.eigvalsh(3 * precision - 2 * d.diag()).min()
        assert bool(third > 0) == (r < 1 / 3)


@pytest.mark.slow
def test_prop_iw_narrow() -> None:
    for c in (0.6, 0.7, 1.5, 4.0):
        one = integrate.quad(
            lambda u, c=c: math.exp(2 * stats.norm.logpdf(u) - stats.norm.logpdf(u, scale=c**0.5)),
            -30,
            30,
        )[0]
        assert math.sqrt(c**2 / (2 * c - 1)) == pytest.approx(one, rel=1e-7)
    # At c <= 1/2 the integral grows with its range without end.
    for c in (0.5, 0.4):
        areas = [
            integrate.quad(
                lambda u, c=c: math.exp(
                    2 * stats.norm.logpdf(u) - stats.norm.logpdf(u, scale=c**0.5)
                ),
                -r,
                r,
                limit=500,
            )[0]
            for r in (10, 20, 40)
        ]
        assert areas[2] > 1.9 * areas[1] > 3.6 * areas[0]

    # The weights of real draws, in the linear model with its tilted posterior, are Pareto.
    linear = Linear(0)
    log_p = linear.evidence.log_prob(linear.image)
    cov = linear.precision.inverse()
    for c in (0.1, 0.7):
        root = torch.linalg.cholesky(c * cov)
        eps = torch.randn(20_000, 2, generator=generator(0))
        z = linear.mean + eps @ root.T
        log_q = MultivariateNormal(linear.mean, c * cov).log_prob(z)
        ratio = (linear.log_joint(z) - log_q - log_p).exp().numpy()
        law = stats.pareto(1 / (1 - c), scale=c)
        assert stats.kstest(ratio, law.cdf).pvalue > 1e-4
        assert stats.kstest(ratio * 1.1, law.cdf).pvalue < 1e-4
        # The inverse of the index from the 2,000 largest; the limit is 5 standard errors.
        largest = np.sort(np.log(ratio))[-2001:]
        assert (largest[1:] - largest[0]).mean() == pytest.approx(1 - c, rel=5 / math.sqrt(2000))


@pytest.mark.slow
def test_prop_local_variance() -> None:
    gen = generator(0)
    first, second = torch.randn(5, 2, generator=gen), 0.5 * torch.randn(9, 5, generator=gen)
    eps, probability = hermite(16, 2)

    def curved(z: Tensor) -> Tensor:
        return torch.tanh(z @ first.T) @ second.T

    def log_likelihood(z: Tensor, image: Tensor, noise: float) -> Tensor:
        return -(image - curved(z)).square().sum(-1) / (2 * noise**2)

    worst = {}
    for noise in (0.03, 0.3):
        codes = 0.7 * torch.randn(6, 2, generator=gen)
        images = curved(codes) + noise * torch.randn(6, 9, generator=gen)
        ratios = []
        for code, image in zip(codes, images, strict=True):

            def loss(phi: np.ndarray, image: Tensor = image, noise: float = noise):
                phi_ = tensor(phi).requires_grad_()
                z = phi_[:2] + phi_[2:].exp() * eps
                rate = objectives.kl_divergence(phi_[None, :2], 2 * phi_[None, 2:]).sum()
                value = rate - probability @ log_likelihood(z, image, noise)
                (slope,) = torch.autograd.grad(value, phi_)
                return value.item(), slope.numpy()

            start = np.concatenate([code, np.log([noise, noise])])
            found = optimize.minimize(
                loss, start, jac=True, method="BFGS", options={"gtol": 1e-8}
            ).x
            mu, variance = tensor(found[:2]), tensor(np.exp(2 * found[2:]))

            # The two identities, with derivatives of log p taken by torch.
            z = mu + variance.sqrt() * eps

            def one(z: Tensor, image: Tensor = image, noise: float = noise) -> Tensor:
                return log_likelihood(z, image, noise)

            slope = torch.func.vmap(torch.func.grad(one))(z)
            curvature = torch.func.vmap(torch.func.hessian(one))(z).diagonal(dim1=1, dim2=2)
            precision = 1 - probability @ curvature
            torch.testing.assert_close(probability @ slope, mu, atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(precision, 1 / variance, rtol=1e-4, atol=0)

            jacobian = torch.func.jacrev(curved)(mu)
            rule = 1 / (1 + jacobian.square().sum(0) / noise**2)
            ratios.append((variance / rule).log().abs())
        worst[noise] = torch.cat(ratios).max().item()
    assert worst[0.03] < 0.2  # good where q is narrow against the bends of the decoder
    assert worst[0.03] < worst[0.3]

    # The second derivative for Bernoulli pixels, by torch.
    image = torch.rand(9, generator=gen).round()

    def bernoulli(z: Tensor) -> Tensor:
        logits = curved(z)
        return (image * logits - torch.nn.functional.softplus(logits)).sum()

    z = torch.randn(2, generator=gen)
    slopes = torch.func.jacrev(curved)(z)
    bends = torch.func.jacrev(torch.func.jacrev(curved))(z).diagonal(dim1=1, dim2=2)
    pi = curved(z).sigmoid()
    formula = (pi * (1 - pi)) @ slopes**2 - (image - pi) @ bends
    torch.testing.assert_close(-torch.func.hessian(bernoulli)(z).diagonal(), formula)
    by_means = torch.func.jacrev(lambda z: curved(z).sigmoid())(z) ** 2 / (pi * (1 - pi))[:, None]
    torch.testing.assert_close((pi * (1 - pi)) @ slopes**2, by_means.sum(0))
