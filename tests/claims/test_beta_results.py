"""The results of the chapter on beta."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats
from torch.distributions import Independent, Normal

from vaebook import models, objectives, tables
from vaebook.datasets import ImageSet
from vaebook.measures import disentanglement
from vaebook.models import networks


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ---------------------------------------------------------------------------------------------
# The constraint


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(-50, 50)), min_size=1, max_size=30),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_prop_beta_constraint(family, low, more):
    """Over a finite family, in integers: nothing is rounded."""
    high = low + more

    def best(beta):
        return min(family, key=lambda model: model[1] + beta * model[0])

    for beta in (low, high):
        rate, distortion = best(beta)
        assert min(d for r, d in family if r <= rate) == distortion
        # The supporting line has no model below it.
        assert all(d + beta * r >= distortion + beta * rate for r, d in family)
    assert best(low)[0] >= best(high)[0]
    assert best(low)[1] <= best(high)[1]


# ---------------------------------------------------------------------------------------------
# Beta and the variance


def tiny(variance, seed=0):
    torch.manual_seed(seed)
    encoder = networks.MLPEncoder(4, (8,), shape=(1, 4, 4))
    decoder = networks.MLPDecoder(2, (8,), shape=(1, 4, 4))
    return models.VAE(encoder, decoder, 2, models.Gaussian(variance)).double()


def gradient(model, batch, beta):
    noise = torch.Generator().manual_seed(0)
    loss = objectives.negative_elbo(model, batch, beta=beta, generator=noise)["loss"].mean()
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])


@pytest.mark.parametrize(("variance", "beta", "factor"), [(0.1, 4.0, 3.0), (1.0, 0.2, 0.01)])
def test_prop_beta_variance(variance, beta, factor):
    batch = ImageSet(torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(1)))
    images = batch.images.double()
    first = gradient(tiny(variance), batch, beta)
    # The same product, another pair: gradients differ by the ratio of the betas.
    second = gradient(tiny(variance * factor), batch, beta / factor)
    torch.testing.assert_close(first, factor * second, rtol=1e-5, atol=1e-8)
    # Another product: not proportional.
    third = gradient(tiny(variance), batch, 20 * beta)
    cosine = torch.nn.functional.cosine_similarity(first, third, dim=0)
    assert cosine < 0.9999
    # The same model has another ELBO for another variance, as scipy's densities say.
    model, other = tiny(variance), tiny(variance * factor)
    z = draw(20, 2)
    difference = (model.log_prob(images, z) - other.log_prob(images, z)).detach()
    mean = model.decode(z).detach().numpy()
    log_p = [
        stats.norm(mean, math.sqrt(v)).logpdf(images.numpy()).sum((1, 2, 3))
        for v in (variance, variance * factor)
    ]
    torch.testing.assert_close(
        difference, torch.from_numpy(log_p[0] - log_p[1]), rtol=1e-5, atol=0
    )
    squared = (images - model.decode(z).detach()).square().sum((1, 2, 3))
    formula = -0.5 * squared * (1 / variance - 1 / (variance * factor)) + 8 * math.log(factor)
    torch.testing.assert_close(difference, formula, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_adam_takes_the_same_steps_for_the_same_product():
    batch = ImageSet(torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(1)))
    ends = []
    for variance, beta in ((0.1, 4.0), (0.4, 1.0), (0.1, 1.0)):
        model = tiny(variance)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-14)
        for t in range(30):
            noise = torch.Generator().manual_seed(t)
            terms = objectives.negative_elbo(model, batch, beta=beta, generator=noise)
            optimizer.zero_grad()
            terms["loss"].mean().backward()
            optimizer.step()
        ends.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    torch.testing.assert_close(ends[0], ends[1], rtol=0, atol=1e-6)
    assert (ends[0] - ends[2]).abs().max() > 1e-3


# ---------------------------------------------------------------------------------------------
# The linear VAE


def linear_optimum(eigenvalues, latents, kappa, seed=0):
    """Squared error and rate of a linear VAE by numerical minimisation of the exact loss."""
    pixels = len(eigenvalues)
    basis = torch.linalg.qr(draw(pixels, pixels, seed=seed)).Q
    covariance = basis @ torch.diag(torch.tensor(eigenvalues).double()) @ basis.T
    eye = torch.eye(pixels).double()

    def terms(flat):
        w, v = flat[: 2 * pixels * latents].view(2, pixels, latents)
        logvar = flat[2 * pixels * latents :]
        miss = eye - w @ v.T
        squared = (miss @ covariance @ miss.T).trace() + (logvar.exp() * w.square().sum(0)).sum()
        spread = (v.T @ covariance @ v).diagonal()
        rate = 0.5 * (spread + logvar.exp() - 1 - logvar).sum()
        return squared, rate

    def loss(values):
        flat = torch.from_numpy(values).requires_grad_()
        squared, rate = terms(flat)
        total = squared / (2 * kappa) + rate
        (slope,) = torch.autograd.grad(total, flat)
        return total.item(), slope.numpy()

    start = 0.3 * draw(2 * pixels * latents + latents, seed=seed + 1).numpy()
    options = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-15, "gtol": 1e-9}
    found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    return [value.item() for value in terms(torch.from_numpy(found.x))]


EIGENVALUES = [5.0, 2.0, 1.0, 0.3, 0.2, 0.1]


@pytest.mark.slow
@pytest.mark.parametrize("kappa", [0.15, 0.7, 1.5, 3.0, 6.0])
@pytest.mark.parametrize("latents", [2, 3])
def test_prop_beta_water_filling(kappa, latents):
    squared, rate = linear_optimum(EIGENVALUES, latents, kappa)
    used, rest = EIGENVALUES[:latents], EIGENVALUES[latents:]
    assert squared == pytest.approx(sum(min(kappa, v) for v in used) + sum(rest), rel=1e-3)
    expected = 0.5 * sum(max(0.0, math.log(v / kappa)) for v in used)
    assert rate == pytest.approx(expected, abs=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("latents", [1, 2, 3])
def test_prop_beta_calibrated(latents):
    # 1: the best variance of given errors is their mean, by a search over scipy's densities.
    errors = draw(50, 12).numpy()

    def negative(log_variance):
        return -stats.norm(0, math.exp(0.5 * log_variance)).logpdf(errors).sum()

    best = optimize.minimize_scalar(negative, bounds=(-4, 4), method="bounded").x
    mse = float((errors**2).mean())
    assert math.exp(best) == pytest.approx(mse, rel=1e-4)
    constant = 0.5 * errors.size * (math.log(2 * math.pi) + 1)
    assert negative(best) == pytest.approx(0.5 * errors.size * math.log(mse) + constant)
    # 2 and 3: iterating towards a fixed point of the numerical optimum.
    kappa = 0.4
    for _ in range(25):
        kappa = linear_optimum(EIGENVALUES, latents, kappa)[0] / len(EIGENVALUES)
    left_out = EIGENVALUES[latents:]
    assert kappa == pytest.approx(sum(left_out) / len(left_out), rel=5e-3)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_a_linear_vae_meets_a_tolerance_by_a_variance_above_it(share):
    """The optimal variance below the tolerance: ConstrainedGaussian's limit cuts nothing off."""
    eigenvalues = draw(20).square().sort(descending=True).values
    used, rest = eigenvalues[:4], eigenvalues[4:].sum().item()

    def mse(kappa):
        return (used.clamp_max(kappa).sum().item() + rest) / 20

    optimal = optimize.brentq(lambda kappa: mse(kappa) - kappa, 1e-6, 10)
    tolerance = optimal + share * (eigenvalues.mean().item() - optimal)
    assert optimize.brentq(lambda kappa: mse(kappa) - tolerance, 1e-6, 10) > tolerance


# ---------------------------------------------------------------------------------------------
# The impossibility


def test_thm_beta_impossibility():
    """A linear decoder and its turned twin: one p(x), other latents, other scores."""
    weight, dim = draw(9, 3), 3
    turn = torch.linalg.qr(draw(dim, dim, seed=5)).Q
    assert turn.abs().min() > 0.05
    noise = 0.1 * torch.eye(9).double()
    densities = [
        torch.distributions.MultivariateNormal(torch.zeros(9).double(), w @ w.T + noise)
        for w in (weight, weight @ turn)
    ]
    images = densities[0].sample((50,))
    torch.testing.assert_close(densities[0].log_prob(images), densities[1].log_prob(images))
    # The prior of the turned latents is N(0, I): moments, and each coordinate by Kolmogorov.
    z = draw(20_000, dim, seed=7)
    turned = z @ turn.T
    assert (torch.cov(turned.T) - torch.eye(dim)).abs().max() < 4.5 * (2 / 20_000) ** 0.5
    for column in turned.T.numpy():
        assert stats.kstest(column, "norm").pvalue > 1e-4
    # Each turned latent follows each factor, and the scores notice.
    factors = torch.bucketize(z, torch.linspace(-2, 2, 9).double()).double()
    both = torch.corrcoef(torch.cat([turned, factors], 1).T)[:dim, dim:]
    assert both.abs().min() > 0.04
    assert disentanglement.sap(z, factors) > 0.9
    assert disentanglement.sap(turned, factors) < disentanglement.sap(z, factors) - 0.2


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_prop_beta_parts(seed: int) -> None:
    """Each part by its own integral over the plane, the sum by the closed form of the KL."""
    generator = torch.Generator().manual_seed(seed)
    n = 5
    mu = 1.2 * torch.randn(n, 2, dtype=torch.float64, generator=generator)
    logvar = 0.5 * torch.randn(n, 2, dtype=torch.float64, generator=generator) - 1
    axis = torch.linspace(-9, 9, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    cell = (axis[1] - axis[0]) ** 2
    codes = Independent(Normal(mu, (0.5 * logvar).exp()), 1)
    each = codes.log_prob(grid[:, None]).exp()  # [points, codes]
    mixture = each.mean(1)
    square = mixture.view(601, 601)
    marginals = [square.sum(axis=1 - j) * cell.sqrt() for j in (0, 1)]
    product = (marginals[0][:, None] * marginals[1]).flatten()

    def kl(p: torch.Tensor, q: torch.Tensor, size: torch.Tensor) -> float:
        return float((torch.xlogy(p, p) - torch.xlogy(p, q)).nan_to_num(0.0).sum() * size)

    information = sum(kl(each[:, i], mixture, cell) for i in range(n)) / n
    dependence = kl(mixture, product, cell)
    prior = Normal(0.0, 1.0).log_prob(axis).exp()
    misfit = sum(kl(marginal, prior, cell.sqrt()) for marginal in marginals)
    expected = objectives.kl_divergence(mu, logvar).mean().item()
    assert information + dependence + misfit == pytest.approx(expected, rel=1e-6)
    assert min(information, dependence, misfit) > 0.001
    assert information < math.log(n)


# ---------------------------------------------------------------------------------------------
# Samples


def test_a_mixture_of_codes_draws_better_than_any_price_does_from_the_prior():
    at = tables.load("beta_sweep").where(data="mnist")
    fitted = {row["name"]: row for row in tables.load("fitted_codes").rows}
    for seed in range(5):
        best = min(row["frechet"] for row in at if row["seed"] == seed)
        drawn = fitted[f"beta-mnist-optimal-s{seed}"]
        assert drawn["mixture"] < drawn["gaussian"]
        assert drawn["mixture"] < best
        assert drawn["mixture"] > fitted["test images"]["floor"]
