"""The results of the chapter on anchors."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributions as td

from vaebook import objectives
from vaebook.models import priors

SIGMAS = 4.5


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ---------------------------------------------------------------------------------------------
# The chapter


@pytest.mark.slow
@given(st.integers(0, 2**31), st.floats(-10, 10, allow_subnormal=False), st.integers(1, 6))
def test_prop_anchor_prior(seed, rate, dim):
    """Shifting the posterior by r c is shifting the prior by -r c: KL against KL, by torch."""
    mu, logvar, score = (
        draw(5, dim, seed=seed),
        draw(5, dim, seed=seed + 1),
        draw(5, seed=seed + 2),
    )
    shift = rate * score[:, None]
    scale = (0.5 * logvar).exp()

    def normal(mean, deviation):
        return td.Independent(td.Normal(mean, deviation), 1)

    anchored = objectives.kl_divergence(mu + shift, logvar)
    shifted_q = td.kl_divergence(normal(mu + shift, scale), normal(torch.zeros_like(mu), 1.0))
    shifted_p = td.kl_divergence(normal(mu, scale), normal(-shift.expand_as(mu), 1.0))
    torch.testing.assert_close(anchored, shifted_q)
    torch.testing.assert_close(shifted_q, shifted_p)
    prior = priors.ConditionalShift(dim, rate, lambda _: score)
    torch.testing.assert_close(prior.kl(mu, logvar, score), shifted_p)
    wrong_sign = td.kl_divergence(normal(mu, scale), normal(shift.expand_as(mu), 1.0))
    if (shift.abs() > 0.1).all():
        assert not torch.allclose(shifted_q, wrong_sign)


def test_prop_anchor_marginal():
    """Mean and covariance of the mixture prior, by draws of c and z: 4.5 standard errors."""
    n, dim, rate = 200_000, 3, 4.0
    generator = torch.Generator().manual_seed(0)
    score = 0.3 * torch.rand(n, generator=generator).double().square() - 0.1
    z = -rate * score[:, None] + draw(n, dim, seed=1)
    # Moments of 0.3 u^2 - 0.1 for uniform u: E u^2 = 1/3, Var u^2 = 1/5 - 1/9.
    mean, variance = 0.3 / 3 - 0.1, 0.09 * (1 / 5 - 1 / 9)
    expected = torch.eye(dim).double() + rate**2 * variance
    error = (expected.diagonal() / n).sqrt()
    assert ((z.mean(0) + rate * mean).abs() < SIGMAS * error).all()
    # The standard error of a covariance of near-normal columns is about (1 + v) sqrt(2 / n).
    tolerance = SIGMAS * expected.max() * (2 / n) ** 0.5
    assert (torch.cov(z.T) - expected).abs().max() < tolerance


@pytest.mark.slow
@pytest.mark.parametrize(("n", "rate"), [(19, 0.05), (99, 0.05), (199, 0.01), (30, 0.1)])
def test_prop_anchor_false_alarms(n, rate):
    """The share of alarms among new draws is floor(a (n + 1)) / (n + 1), whatever the law."""
    k = math.floor(rate * (n + 1))
    runs = 40_000
    generator = torch.Generator().manual_seed(0)
    # An exponential of a Cauchy draw: no moments at all.
    values = torch.tan(math.pi * (torch.rand(runs, n + 1, generator=generator).double() - 0.5))
    held_out, new = values[:, :n], values[:, n]
    threshold = held_out.sort(dim=1, descending=True).values[:, k - 1]
    share = (new > threshold).double().mean().item()
    expected = k / (n + 1)
    assert expected <= rate
    assert abs(share - expected) < SIGMAS * math.sqrt(expected * (1 - expected) / runs)
