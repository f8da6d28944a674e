"""Statistical checks of a sampler: each takes one and returns a p-value.

A check compares the sampler with a distribution that is known in closed form or by quadrature,
over many independent chains. So the p-value is uniform for a right sampler (or larger, where a
bound of Bonferroni is in it), whatever the correlation within a chain.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from vaebook.latent.samplers import Chain
from vaebook.models.priors import DiagonalNormal, FullNormal, GaussianPrior

LogDensity = Callable[[Tensor], Tensor]
# (log_likelihood, start, n_steps, generator, prior=N(0, I)) to a chain that targets likelihood
# times prior; only pCN and elliptical slice sampling take another prior.
Sampler = Callable[..., Chain]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bonferroni(p_values: list[float]) -> float:
    return min(1.0, len(p_values) * min(p_values))


def diagonal_prior(dim: int) -> GaussianPrior:
    generator = seeded(50 + dim)
    mean, logvar = torch.randn(2, dim, generator=generator, dtype=torch.float64)
    return DiagonalNormal(2 * mean, logvar)


def full_prior(dim: int) -> GaussianPrior:
    generator = seeded(60 + dim)
    mean = 2 * torch.randn(dim, generator=generator, dtype=torch.float64)
    factor = torch.randn(dim, dim, generator=generator, dtype=torch.float64) / math.sqrt(dim)
    return FullNormal(mean, factor @ factor.T + 0.2 * torch.eye(dim, dtype=torch.float64))


class LinearGaussian:
    """y = A z + noise with z ~ N(m, C), else N(0, I): the posterior N(mean, cov) is known."""

    def __init__(
        self, dim: int, seed: int, noise: float = 1.0, prior: GaussianPrior | None = None
    ) -> None:
        generator = seeded(seed)
        self.matrix = torch.randn(dim, dim, generator=generator, dtype=torch.float64)
        self.matrix /= math.sqrt(dim)
        self.noise = noise
        self.data = self.matrix @ torch.randn(dim, generator=generator, dtype=torch.float64)
        self.data += noise * torch.randn(dim, generator=generator, dtype=torch.float64)

        # What the prior says of itself: its log density, here a quadratic form, twice derived.
        origin = torch.zeros(dim, dtype=torch.float64)

        def log_prior(z: Tensor) -> Tensor:
            return -0.5 * z.square().sum() if prior is None else prior.log_prob(z[None])[0]

        of_prior = -torch.func.hessian(log_prior)(origin)
        precision = of_prior + self.matrix.T @ self.matrix / noise**2
        self.root = torch.linalg.cholesky(precision)
        pull = torch.func.grad(log_prior)(origin) + self.matrix.T @ self.data / noise**2
        self.mean = torch.linalg.solve(precision, pull)

    def log_likelihood(self, z: Tensor) -> Tensor:
        return -0.5 * (self.data - z @ self.matrix.T).square().sum(dim=1) / self.noise**2

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        white = torch.randn(n, len(self.mean), generator=generator, dtype=torch.float64)
        return self.mean + torch.linalg.solve_triangular(self.root.T, white.T, upper=True).T

    def whiten(self, z: Tensor) -> Tensor:
        """N(0, I) if and only if z follows the posterior."""
        return (z - self.mean) @ self.root


def standard_normal_p(z: Tensor) -> float:
    """H0: the rows of z [K, D] are independent draws of N(0, I)."""
    k, d = z.shape
    mean = stats.chi2.sf(k * z.mean(dim=0).square().sum().item(), d)
    length = stats.chi2(k * d)
    total = z.square().sum().item()
    p_values = [mean, 2 * min(length.cdf(total), length.sf(total))]
    # Known mean, so that tr(K S) has moments: each product of two coordinates has variance 1.
    if d > 1:
        products = (z.T @ z)[np.triu_indices(d, 1)] / math.sqrt(k)
        p_values += (2 * stats.norm.sf(products.abs().numpy())).tolist()
    p_values += [stats.kstest(column, "norm", method="asymp").pvalue for column in z.T.numpy()]

    return bonferroni(p_values)


def prior_is_invariant(sampler: Sampler) -> float:
    """With L = 1 chains that start from N(0, I) stay there."""
    generator = seeded(1)
    start = torch.randn(20_000, 2, generator=generator, dtype=torch.float64)
    chain = sampler(lambda z: z.new_zeros(len(z)), start, 10, generator)

    return standard_normal_p(chain.positions[-1])


def posterior_is_invariant(sampler: Sampler) -> float:
    """Chains that start from exact draws of a linear-Gaussian posterior stay there."""
    generator = seeded(2)
    problem = LinearGaussian(2, seed=3, noise=0.5)
    chain = sampler(problem.log_likelihood, problem.draw(20_000, generator), 20, generator)

    return standard_normal_p(problem.whiten(chain.positions[-1]))


def posterior_is_reached(sampler: Sampler) -> float:
    """Chains that start elsewhere arrive at a linear-Gaussian posterior."""
    generator = seeded(4)
    problem = LinearGaussian(2, seed=5)
    start = problem.mean + torch.tensor([2.0, -2.0], dtype=torch.float64)
    chain = sampler(problem.log_likelihood, start.expand(4_000, 2), 150, generator)

    return standard_normal_p(problem.whiten(chain.positions[-1]))


def joint_distribution_is_kept(sampler: Sampler) -> float:
    """Geweke's test: z | y by the sampler and y | z by simulation keep p(z) p(y | z).

    Each chain has its own y, and p(y | z) is not linear in z. Getting it right: Joint
    Distribution Tests of Posterior Simulators (Geweke, 2004).
    """
    generator = seeded(6)
    z = torch.randn(20_000, 2, generator=generator, dtype=torch.float64)

    def forward(z: Tensor) -> Tensor:
        return torch.stack([torch.sin(2 * z[:, 0]) + z[:, 1], z.prod(dim=1)], dim=1)

    for _ in range(5):
        noise = torch.randn(z.shape, generator=generator, dtype=torch.float64)
        y = forward(z) + 0.5 * noise
        chain = sampler(lambda z, y=y: -2 * (y - forward(z)).square().sum(dim=1), z, 2, generator)
        z = chain.positions[-1]

    return standard_normal_p(torch.cat([z, (y - forward(z)) / 0.5], dim=1))


def detailed_balance_holds(sampler: Sampler) -> float:
    """In one dimension as many chains step from bin i to bin j as from j to i.

    The posterior has two modes; the chains start from it, drawn on a grid of 20,001 points.
    Given their sum, the two counts of a pair of bins are binomial with 1/2.
    """
    generator = seeded(7)

    def log_likelihood(z: Tensor) -> Tensor:
        return -2 * (z[:, 0].square() - 1).square() + z[:, 0]

    grid = torch.linspace(-6, 6, 20_001, dtype=torch.float64)
    weights = torch.exp(log_likelihood(grid[:, None]) - 0.5 * grid.square())
    cdf = weights.cumsum(0) / weights.sum()
    u = torch.rand(100_000, generator=generator, dtype=torch.float64)
    cell = torch.searchsorted(cdf, u).clamp(max=len(grid) - 1)
    # A draw is uniform within the cell of its grid point.
    start = grid[cell] + (torch.rand(u.shape, generator=generator, dtype=torch.float64) - 0.5) * (
        grid[1] - grid[0]
    )

    end = sampler(log_likelihood, start[:, None], 1, generator).positions[-1, :, 0]
    edges = torch.tensor([-1.2, -0.9, -0.5, 0.0, 0.5, 0.9, 1.2], dtype=torch.float64)
    bins = len(edges) + 1
    pairs = torch.bucketize(start, edges) * bins + torch.bucketize(end, edges)
    counts = torch.bincount(pairs, minlength=bins**2).view(bins, bins).double()
    there, back = counts[np.triu_indices(bins, 1)], counts.T[np.triu_indices(bins, 1)]
    used = there + back >= 20
    assert used.sum() >= 10, "too few moves to judge by"
    squares = ((there - back).square() / (there + back))[used]

    return float(stats.chi2.sf(squares.sum().item(), int(used.sum())))


def chains_are_independent(sampler: Sampler) -> float:
    """The number of chains that move in one step varies as for independent chains, or less.

    The number moved is a sum of K independent 0/1 variables, so its variance is at most K/4 and
    the statistic over seeds at most chi squared. Likewise for the number whose first coordinate
    grew, which is the one that counts for a sampler that always moves.
    """
    repeats, chains = 150, 100
    moved = []
    for seed in range(repeats):
        generator = seeded(1000 + seed)
        start = 0.3 * torch.randn(chains, 2, generator=generator, dtype=torch.float64)
        chain = sampler(lambda z: -0.5 * z.square().sum(dim=1) / 0.25, start, 1, generator)
        up = (chain.positions[0, :, 0] > start[:, 0]).double().sum().item()
        moved.append((chain.accepted[0].double().sum().item(), up))

    counts = np.array(moved)
    statistic = ((counts - counts.mean(axis=0)) ** 2).sum(axis=0) / (chains / 4)

    return bonferroni(stats.chi2.sf(statistic, repeats - 1).tolist())


def steps_have_the_reported_size(sampler: Sampler) -> float:
    """For pCN alone, L = 1: z and the residual (z' - sqrt(1 - step^2) z) / step are N(0, I)."""
    generator = seeded(8)
    start = torch.randn(20_000, 1, generator=generator, dtype=torch.float64)
    chain = sampler(lambda z: z.new_zeros(len(z)), start, 20, generator)

    def p_value(before: Tensor, after: Tensor) -> float:
        residual = (after - math.sqrt(1 - chain.step**2) * before) / chain.step
        return standard_normal_p(torch.cat([before, residual], dim=1))

    first, second, *_, last_but_one, last = chain.positions
    return bonferroni([p_value(first, second), p_value(last_but_one, last)])


def another_prior_is_invariant(sampler: Sampler) -> float:
    """With L = 1 chains that start from a prior with a mean and correlations stay there."""
    generator = seeded(9)
    prior = full_prior(2)
    start = prior.sample(20_000, generator=generator)
    chain = sampler(lambda z: z.new_zeros(len(z)), start, 10, generator, prior)

    return standard_normal_p(prior.whiten(chain.positions[-1]))


def posterior_of_another_prior_is_reached(sampler: Sampler) -> float:
    """Chains that start elsewhere arrive at the posterior under such a prior."""
    generator = seeded(10)
    prior = full_prior(2)
    problem = LinearGaussian(2, seed=5, prior=prior)
    start = problem.mean + torch.tensor([2.0, -2.0], dtype=torch.float64)
    chain = sampler(problem.log_likelihood, start.expand(4_000, 2), 150, generator, prior)

    return standard_normal_p(problem.whiten(chain.positions[-1]))


PRIOR_CHECKS = [another_prior_is_invariant, posterior_of_another_prior_is_reached]
CHECKS = [
    prior_is_invariant,
    posterior_is_invariant,
    detailed_balance_holds,
    joint_distribution_is_kept,
    posterior_is_reached,
    chains_are_independent,
]
