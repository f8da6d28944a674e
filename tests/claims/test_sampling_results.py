"""The results of the chapters on sampling and on pCN, each against something else.

A test bears the label of its result. Integrals are sums over grids or SciPy's quadrature;
averages over draws have fixed seeds and limits of 5 standard errors, which a right result
exceeds once in 1.7 million times a number, some sixty numbers in this file.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from tests.conftest import LinearGaussian
from vaebook import models
from vaebook.latent import samplers

Z = torch.linspace(-10, 10, 4001, dtype=torch.float64)
DZ = (Z[1] - Z[0]).item()
PRIOR = stats.norm.pdf(Z.numpy())


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed))


def agrees(draws: Tensor, truth: Tensor | float, errors: float = 5.0) -> bool:
    """Tell whether the mean of draws [N, ...] lies within so many standard errors of the truth."""
    draws = draws.double()
    standard_error = draws.std(0) / math.sqrt(len(draws))
    return bool(((draws.mean(0) - truth).abs() <= errors * standard_error).all())


def on_grid(log_density: Tensor) -> Tensor:
    """Return a density on Z from its logarithm up to a constant."""
    return log_density.softmax(0) / DZ


# --- Three ways to sample -----------------------------------------------------------------------


@pytest.mark.slow
def test_prop_three_samplers(linear_gaussian: Callable[..., LinearGaussian]) -> None:
    linear = linear_gaussian(2, side=2, seed=3)
    gen = generator(0)

    # 1. Images of prior draws have the covariance of p(x).
    z = torch.randn(100_000, 2, dtype=torch.float64, generator=gen)
    centred = linear.model.sample(z, generator=gen).flatten(1) - linear.bias
    squares = centred[:, :, None] * centred[:, None, :]
    assert agrees(squares, linear.marginal().covariance_matrix)
    assert not agrees(squares, 1.1 * linear.marginal().covariance_matrix)

    # 2. The package draws from the mixture; the KL of images is at most that of codes.
    mu, logvar = torch.tensor([[-1.5], [0.5], [2.0]]), torch.tensor([[-1.0], [-2.0], [0.0]])
    draws = samplers.aggregate_posterior(200_000, mu, logvar, gen)[:, 0]
    for threshold in (-1.5, 0.0, 0.7, 2.5):
        truth = stats.norm.cdf(threshold, mu, (0.5 * logvar).exp()).mean()
        assert agrees((draws < threshold).double(), float(truth))
    noise, pixels = 0.6, np.linspace(-12, 12, 1201)
    aggregate = stats.norm.pdf(Z.numpy()[:, None], mu.T, (0.5 * logvar).exp().T).mean(1)
    kernel = stats.norm.pdf(pixels[:, None], np.sin(2 * Z.numpy()) + Z.numpy(), noise)
    p_hat, p_model = kernel @ aggregate * DZ, kernel @ PRIOR * DZ
    kl_images = np.trapezoid(p_hat * np.log(p_hat / p_model), pixels)
    kl_codes = np.sum(aggregate * np.log(aggregate / PRIOR)) * DZ
    joint = kernel * aggregate
    log_ratio = np.log(aggregate / PRIOR) - np.log(p_hat / p_model)[:, None]
    gap = joint * log_ratio
    remainder = np.trapezoid(gap.sum(1) * DZ, pixels)
    assert 0.1 < kl_images < kl_codes
    assert kl_images + remainder == pytest.approx(kl_codes, rel=1e-6)

    # 3. Posteriors pooled over p(x) are the prior, for a decoder that is not linear.
    posteriors = kernel * PRIOR / p_model[:, None]
    pooled = np.trapezoid(posteriors * p_model[:, None], pixels, axis=0)
    inner = np.abs(Z.numpy()) < 4
    np.testing.assert_allclose(pooled[inner], PRIOR[inner], rtol=1e-6)


def test_prop_shared_code() -> None:
    images = torch.rand(40, 1, 4, 5, dtype=torch.float64, generator=generator(1))
    outputs = normal(2, 30, 1, 4, 5)
    mean = images.mean(0, keepdim=True)
    for likelihood in (models.Bernoulli(), models.Gaussian(0.2).double()):
        sums = likelihood.log_prob_pairs(outputs, images).sum(0)
        alone = 40 * likelihood.log_prob_pairs(outputs, mean)[0]
        constant = sums - alone
        torch.testing.assert_close(constant, constant[0].expand(30))
        if isinstance(likelihood, models.Bernoulli):
            torch.testing.assert_close(constant, torch.zeros_like(constant))
            g, x = outputs.sigmoid().flatten(1).numpy(), mean.flatten().numpy()
            entropy = stats.bernoulli(x).entropy().sum()
            kl = (x * np.log(x / g) + (1 - x) * np.log((1 - x) / (1 - g))).sum(1)
            np.testing.assert_allclose(sums.numpy(), -40 * (entropy + kl), rtol=1e-10)
        else:
            scatter = (images - mean).square().sum() / (2 * 0.2)
            assert abs((constant[0] + scatter).item()) < 1e-4  # the variance is kept as a float32

    # One observation with variance sigma^2 / N has the same shape in z.
    tight = models.Gaussian(0.2 / 40).double().log_prob_pairs(outputs, mean)[0]
    loose = models.Gaussian(0.2).double().log_prob_pairs(outputs, images).sum(0)
    torch.testing.assert_close(tight - tight[0], loose - loose[0], rtol=1e-6, atol=1e-4)


@pytest.mark.slow
def test_prop_shared_code_collapse() -> None:
    """Moments against sums over the plane; the acceptance of steps a / sqrt(N) settles."""
    weight, bias, variance = normal(3, 5, 2), normal(4, 5), 0.5
    data = normal(5, 10_000, 5) + 1
    axis = torch.linspace(-6, 6, 601, dtype=torch.float64)
    points = torch.cartesian_prod(axis, axis)
    rates = {}
    for n in (1, 10, 100, 10_000):
        precision = torch.eye(2).double() + n / variance * weight.T @ weight
        pull = weight.T @ (data[:n].mean(0) - bias)
        mean = n / variance * torch.linalg.solve(precision, pull)

        def log_l(z: Tensor, n: int = n) -> Tensor:
            decoded = z @ weight.T + bias
            mean_of = data[:n].mean(0)
            scatter = (data[:n] - mean_of).square().sum()
            return -(n * (mean_of - decoded).square().sum(1) + scatter) / (2 * variance)

        if n <= 100:  # beyond, the grid is too coarse
            product = sum(
                -(x - points @ weight.T - bias).square().sum(1) / (2 * variance) for x in data[:n]
            )
            p = (product - 0.5 * points.square().sum(1)).softmax(0)
            torch.testing.assert_close(p @ points, mean, rtol=1e-6, atol=1e-8)
            centred = points - mean
            cov = (p[:, None] * centred).T @ centred
            torch.testing.assert_close(cov, torch.linalg.inv(precision), rtol=1e-5, atol=1e-9)
        start = MultivariateNormal(mean, precision_matrix=precision)
        torch.manual_seed(n + 1)
        chain = samplers.pcn(
            log_l,
            start.sample((20_000,)),
            1,
            0.5 / math.sqrt(n),
            generator=generator(n),
            progress=False,
        )
        rates[n] = chain.acceptance_rate
    assert n * torch.linalg.inv(precision) == pytest.approx(
        variance * torch.linalg.inv(weight.T @ weight), rel=1e-3
    )
    # The limit: a random walk with step a on N(0, sigma^2 (W'W)^-1).
    limit = MultivariateNormal(torch.zeros(2).double(), precision_matrix=weight.T @ weight / 0.5)
    torch.manual_seed(0)
    w = limit.sample((100_000,))

    def accepted(a: float) -> float:
        moved = limit.log_prob(w + a * torch.randn_like(w)) - limit.log_prob(w)
        return moved.exp().clamp(max=1).mean().item()

    for n in (100, 10_000):
        assert agrees(rates[n], accepted(0.5), errors=6)  # the reference has an error of its own
    assert not agrees(rates[10_000], accepted(0.4), errors=6)
    assert not agrees(rates[10_000], accepted(0.6), errors=6)


@pytest.mark.slow
def test_def_class_targets() -> None:
    """Each target, sampled by the package, against its density on a line."""
    data = torch.tensor([0.3, 1.1, 1.6, 2.4], dtype=torch.float64)
    noise = 0.5

    def decode(z: Tensor) -> Tensor:
        return z + 0.5 * torch.sin(2 * z)

    def log_p(x: Tensor, z: Tensor) -> Tensor:
        return -0.5 * ((x - decode(z)) / noise) ** 2

    def classifier(z: Tensor) -> Tensor:
        return torch.nn.functional.logsigmoid(6 * (decode(z) - 1))

    log_prior = -0.5 * Z**2
    singles = torch.stack([on_grid(log_p(x, Z) + log_prior) for x in data])
    tempered = on_grid(sum(0.7 / 4 * log_p(x, Z) for x in data) + log_prior)
    pseudo = on_grid(3.0 * classifier(Z) + log_prior)

    def moments(density: Tensor) -> Tensor:
        return torch.stack([(density * Z**k).sum() * DZ for k in (1, 2)])

    def chains(log_l: Callable[[Tensor], Tensor], seed: int) -> Tensor:
        start = 0.5 * normal(100 + seed, 4000, 1) + 1
        chain = samplers.pcn(
            log_l, start, 1, 0.6, warmup=150, generator=generator(seed), progress=False
        )
        z = chain.positions[-1, :, 0]
        return torch.stack([z, z**2], 1)

    mean = data.mean()
    assert agrees(chains(lambda z: 0.7 * log_p(mean, z[:, 0]), 1), moments(tempered))
    assert agrees(chains(lambda z: 3.0 * classifier(z[:, 0]), 2), moments(pseudo))
    own = data.repeat(1000)
    pooled = chains(lambda z: log_p(own, z[:, 0]), 3)
    assert agrees(pooled, moments(singles.mean(0)))
    assert not agrees(pooled, moments(on_grid(sum(log_p(x, Z) for x in data) + log_prior)))

    # kappa = 1 is the prior conditioned by the classifier: rejection finds the same.
    z = normal(4, 200_000)
    kept = z[torch.rand(200_000, generator=generator(5)).log() < classifier(z)]
    assert agrees(kept, moments(on_grid(classifier(Z) + log_prior))[0])


# --- pCN, proved and measured -------------------------------------------------------------------


def test_def_metropolis_hastings() -> None:
    """The package's MALA and pCN accept as often as the definition, densities written out."""
    precision = torch.tensor([2.0, 0.7], dtype=torch.float64)

    def log_pi(z: Tensor) -> Tensor:
        return -0.5 * (precision * z.square()).sum(1) - 0.3 * z.prod(1) ** 2

    def drift(z: Tensor) -> Tensor:
        return -precision * z - 0.6 * z.prod(1, keepdim=True) * z.flip(1)

    start, step = 1.5 * normal(0, 100_000, 2), 0.9
    for name, mean_of in (
        ("mala", lambda z: z + 0.5 * step**2 * drift(z)),
        ("pcn", lambda z: math.sqrt(1 - step**2) * z),
    ):
        proposal = mean_of(start) + step * normal(1, 100_000, 2)
        there = Normal(mean_of(start), step).log_prob(proposal).sum(1)
        back = Normal(mean_of(proposal), step).log_prob(start).sum(1)
        log_ratio = log_pi(proposal) + back - log_pi(start) - there
        expected = log_ratio.exp().clamp(max=1)
        wrong = (log_ratio + 2 * (there - back)).exp().clamp(max=1)

        def log_l(z: Tensor) -> Tensor:
            return log_pi(z) + 0.5 * z.square().sum(1)

        target = log_pi if name == "mala" else log_l
        chain = getattr(samplers, name)(
            target, start, 1, step, generator=generator(2), progress=False
        )
        difference = chain.accepted[0].double() - expected
        assert agrees(difference, 0.0)
        assert not agrees(chain.accepted[0].double() - wrong, 0.0)
        stayed = ~chain.accepted[0]
        assert torch.equal(chain.positions[0][stayed], start[stayed])


def test_thm_metropolis_reversible() -> None:
    rng = np.random.default_rng(0)
    for size in (2, 5, 9):
        target, kernel = rng.dirichlet(np.ones(size)), rng.dirichlet(np.ones(size), size)
        flow = target[:, None] * kernel
        chain = kernel * np.minimum(1, flow.T / flow)
        chain += np.diag(1 - chain.sum(1))
        balance = target[:, None] * chain
        np.testing.assert_allclose(balance, balance.T, atol=1e-15)
        # Eigenvalues, not algebra: the only distribution that stays is the target.
        values, vectors = np.linalg.eig(chain.T)
        stationary = vectors[:, np.argmax(values.real)].real
        np.testing.assert_allclose(stationary / stationary.sum(), target, atol=1e-12)
        swapped = kernel * np.minimum(1, (flow.T / flow) * (kernel / kernel.T) ** 2)
        swapped += np.diag(1 - swapped.sum(1))
        assert np.abs(target @ swapped - target).max() > 1e-3 or size == 2


def test_def_pcn() -> None:
    """One step of the package's pCN from a fixed state, with nothing to reject it."""
    state = torch.tensor([[1.5, -0.5, 3.0]], dtype=torch.float64)
    for step in (0.05, 0.6, 1.0):
        chain = samplers.pcn(
            lambda z: torch.zeros(len(z)), state.expand(50_000, 3), 1, step,
            generator=generator(1), progress=False,
        )  # fmt: skip
        assert chain.accepted.all()
        moved = chain.positions[0] - math.sqrt(1 - step**2) * state
        assert agrees(moved, 0.0)
        assert agrees(moved[:, :, None] * moved[:, None, :], step**2 * torch.eye(3).double())


def test_thm_pcn_reversible() -> None:
    rng = np.random.default_rng(1)
    prior = stats.multivariate_normal(np.zeros(4))
    for step in (0.01, 0.3, 0.99):
        c = math.sqrt(1 - step**2)
        z, z_new = 2 * rng.standard_normal((2, 4))
        kernel = stats.multivariate_normal(np.zeros(4), step**2 * np.eye(4))
        there = prior.logpdf(z) + kernel.logpdf(z_new - c * z)
        back = prior.logpdf(z_new) + kernel.logpdf(z - c * z_new)
        assert there == pytest.approx(back, rel=1e-9)
        joint = np.block([[np.eye(4), c * np.eye(4)], [c * np.eye(4), np.eye(4)]])
        pair = stats.multivariate_normal(np.zeros(8), joint)
        assert pair.logpdf(np.r_[z, z_new]) == pytest.approx(there, rel=1e-9)
    wrong = stats.multivariate_normal((1 - 0.3) * z, 0.09 * np.eye(4)).logpdf(z_new)
    back = stats.multivariate_normal((1 - 0.3) * z_new, 0.09 * np.eye(4)).logpdf(z)
    assert abs(prior.logpdf(z) + wrong - prior.logpdf(z_new) - back) > 0.1


def log_f(z: Tensor) -> Tensor:
    """A likelihood with two humps."""
    return torch.logaddexp(-0.5 * ((z - 1.5) / 0.4) ** 2, -0.5 * ((z + 1) / 0.3) ** 2 - 0.5)


def draw(density: Tensor, n: int, seed: int) -> Tensor:
    """Draw from a density on the grid Z, uniformly within a cell."""
    gen = generator(seed)
    i = torch.multinomial(density, n, replacement=True, generator=gen)
    return Z[i] + DZ * (torch.rand(n, dtype=torch.float64, generator=gen) - 0.5)


def test_thm_pcn_acceptance() -> None:
    step, c = 0.7, math.sqrt(1 - 0.7**2)
    for power in (1.0, 0.3):  # f = L, and another f

        def f(z: Tensor, power: float = power) -> Tensor:
            return power * log_f(z)

        density = on_grid(f(Z) - 0.5 * Z**2)
        rows = Z[::10]
        kernel = torch.exp(Normal(c * rows[:, None], step).log_prob(Z))
        alpha = (f(Z) - f(rows)[:, None]).exp().clamp(max=1)
        accept = (kernel * alpha).sum(1) * DZ
        weights = density[::10] / density[::10].sum()
        expected = float(weights @ accept)

        start = draw(density, 100_000, 3)[:, None]
        chain = samplers.pcn(
            lambda z: f(z[:, 0]), start, 1, step, generator=generator(4), progress=False
        )
        assert agrees(chain.accepted[0].double(), expected)
        # The pair is exchangeable: every antisymmetric function has mean zero.
        a, b = start[:, 0], chain.positions[0, :, 0]
        for g in (a - b, a**2 * b - b**2 * a, (a > 0).double() - (b > 0).double()):
            assert agrees(g, 0.0)


def test_prop_exchanged_ratio() -> None:
    """The ratio with the kernels exchanged, densities written out, leaves L p^3 alone."""
    step, c = 0.6, 0.8
    start = draw(on_grid(log_f(Z) - 1.5 * Z**2), 200_000, 5)
    proposal = c * start + step * normal(6, 200_000)

    def log_target(z: Tensor) -> Tensor:
        return log_f(z) - 0.5 * z**2

    there = Normal(c * start, step).log_prob(proposal)
    back = Normal(c * proposal, step).log_prob(start)
    log_ratio = log_target(proposal) + there - log_target(start) - back
    claimed = log_f(proposal) - log_f(start) - proposal**2 + start**2
    torch.testing.assert_close(log_ratio, claimed, rtol=1e-9, atol=1e-8)
    accepted = torch.rand(200_000, dtype=torch.float64, generator=generator(7)).log() < log_ratio
    moved = torch.where(accepted, proposal, start)
    for g in (start - moved, start**2 - moved**2, (start > 0.8).double() - (moved > 0.8).double()):
        assert agrees(g, 0.0)
    truth = on_grid(log_target(Z))
    assert not agrees(moved**2, (truth * Z**2).sum().item() * DZ)


@pytest.mark.slow
def test_prop_random_walk_prior() -> None:
    def quadrature(dim: int, step: float) -> float:
        """2 E Phi(-step |xi| / 2) over the chi distribution of |xi|."""
        return integrate.quad(
            lambda r: 2 * stats.norm.cdf(-step * r / 2) * stats.chi(dim).pdf(r), 0, np.inf
        )[0]

    for dim, step in ((1, 0.5), (3, 1.0), (20, 0.3)):
        formula = 2 * stats.t.cdf(-0.5 * step * math.sqrt(dim), dim)
        assert formula == pytest.approx(quadrature(dim, step), rel=1e-6)
        chain = samplers.random_walk(
            lambda z: -0.5 * z.square().sum(1), normal(dim, 50_000, dim), 1, step,
            generator=generator(100), progress=False,
        )  # fmt: skip
        assert agrees(chain.accepted[0].double(), formula)
    large = 10**6
    for scale in (0.5, 2.38):
        rate = 2 * stats.t.cdf(-0.5 * scale, large)
        assert rate == pytest.approx(2 * stats.norm.cdf(-scale / 2), rel=1e-5)
    assert 2 * stats.t.cdf(-0.25 * math.sqrt(large), large) < 1e-300


@pytest.mark.slow
def test_prop_pcn_dimension() -> None:
    tau, step = 0.7, 0.5
    c = math.sqrt(1 - step**2)
    y = math.sqrt(1 + tau**2) * normal(0, 40)

    def run(dim: int, k: int, seed: int, rotate: bool = False) -> Tensor:
        """Whether 20,000 chains in equilibrium accept a step."""
        z = normal(seed, 20_000, dim)
        z[:, :k] = y[:k] / (1 + tau**2) + tau / math.sqrt(1 + tau**2) * z[:, :k]
        turn = torch.linalg.qr(normal(99, dim, dim)).Q if rotate else torch.eye(dim).double()

        def log_l(z: Tensor) -> Tensor:
            return -0.5 * (y[:k] - (z @ turn.T)[:, :k]).square().sum(1) / tau**2

        chain = samplers.pcn(
            log_l, z @ turn, 1, step, generator=generator(500 + seed), progress=False
        )
        return chain.accepted[0].double()

    # 1. The uninformed dimensions don't matter, in any basis.
    small, large, turned = run(3, 3, 1), run(100, 3, 2), run(60, 3, 3, rotate=True)
    assert agrees(small - large, 0.0)
    assert agrees(small - turned, 0.0)

    # 3. The closed form against quadrature over the joint Gaussian of z and z'.
    def rho(pixel: float) -> float:
        pair = stats.multivariate_normal(np.zeros(2), [[1, c], [c, 1]])
        axis = np.linspace(-8, 8, 801)
        a, b = np.meshgrid(axis, axis, indexing="ij")
        likelihood = stats.norm(pixel, tau).pdf(axis)
        weights = pair.pdf(np.stack([a, b], -1)) * np.sqrt(np.outer(likelihood, likelihood))
        return weights.sum() * 0.02**2 / stats.norm(0, math.sqrt(1 + tau**2)).pdf(pixel)

    squares = y.numpy() ** 2
    formula = np.sqrt(4 * tau**2 * (tau**2 + 1) / ((2 * tau**2 + 1) ** 2 - c**2)) * np.exp(
        squares / (2 * (tau**2 + 1)) - squares / (2 * tau**2 + 1 + c)
    )
    np.testing.assert_allclose([rho(float(pixel)) for pixel in y[:4]], formula[:4], rtol=1e-6)
    assert (formula < 1).all()

    # 2. The bound holds, and both it and the rate fall with the number of informed directions.
    rates = [run(k, k, 10 + k).mean().item() for k in (2, 10, 40)]
    bounds = [formula[:k].prod() for k in (2, 10, 40)]
    assert all(rate < bound for rate, bound in zip(rates, bounds, strict=True))
    assert rates[0] > 0.4 > 0.25 > rates[1] > 3 * rates[2]


@pytest.mark.slow
def test_prop_pcn_informed() -> None:
    """Both parts: the bound, and a rate that does not fall with the dimension."""
    step = 0.5
    c = math.sqrt(1 - step**2)

    def rate(noise: Tensor, y: Tensor, seed: int) -> float:
        total = 1 + noise**2
        z = y / total + noise / total.sqrt() * normal(seed, 4000, len(noise))

        def log_l(z: Tensor) -> Tensor:
            return -0.5 * ((y - z) / noise).square().sum(1)

        chain = samplers.pcn(log_l, z, 1, step, generator=generator(seed + 50), progress=False)
        return chain.accepted.double().mean().item()

    # 1. rho at y = 0 is the largest of all y, and bounds the rate by its power.
    tau = 0.7
    rho = math.sqrt(4 * tau**2 * (tau**2 + 1) / ((2 * tau**2 + 1) ** 2 - c**2))
    zeros = torch.zeros(30).double()
    for dim in (5, 30):
        assert rate(torch.full((dim,), tau).double(), zeros[:dim], dim) < rho**dim
    assert rho**30 < 0.3

    # 2. The terms of the proof, by quadrature over the pair (z, z').
    roots, masses = np.polynomial.hermite_e.hermegauss(20)
    first, second = np.meshgrid(roots, roots, indexing="ij")
    mass = np.outer(masses, masses) / (2 * np.pi)
    noise, y = 3.0, 4.0
    m, v = y / (1 + noise**2), noise**2 / (1 + noise**2)
    z = m + math.sqrt(v) * first
    proposed = c * z + step * second
    r = ((y - z) ** 2 - (y - proposed) ** 2) / (2 * noise**2)
    mean = ((1 - c) * m * ((1 + c) * m - 2 * y) - step**2 * (1 - v)) / (2 * noise**2)
    assert (mass * r).sum() == pytest.approx(mean, rel=1e-9)
    factored = (proposed - z) * (2 * y - z - proposed) / (2 * noise**2)
    np.testing.assert_allclose(r, factored, atol=1e-12)

    # The rate at noise j stays, and at equal noise it is gone long before.
    fading = torch.arange(1, 4097, dtype=torch.float64)
    data = (1 + fading**2).sqrt() * normal(7, 4096)
    small, large = (rate(fading[:n], data[:n], n) for n in (64, 4096))
    assert abs(small - large) < 0.1  # the directions beyond 64 have a sum of 1 / j^2 of 1/64
    assert large > 0.5
    equal = torch.ones(256).double()
    assert rate(equal, math.sqrt(2) * normal(8, 256), 9) < 0.01
