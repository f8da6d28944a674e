"""The empty code of the chapter on beta: when it is a local minimum, and what the study found."""

import math

import pytest
import torch
from torch.nn import functional as F

from vaebook import tables

N, PIXELS, UNITS = 12, 5, 3


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def quadrature(points=40):
    """Nodes and weights of E f(z) for z from N(0, 1), by Gauss and Hermite."""
    import numpy as np

    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    return torch.from_numpy(nodes), torch.from_numpy(weights) / math.sqrt(2 * math.pi)


def bernoulli(pixels, logits):
    return (logits * pixels - F.softplus(logits)).sum(-1)


def gaussian(pixels, outputs):
    return -0.5 * (pixels - outputs).square().sum(-1) / 0.3


class Tiny:
    """A decoder that sees the pixels before each, and one latent; nothing of it from the book."""

    def __init__(self, log_prob, seed):
        self.log_prob = log_prob
        self.images = (draw(N, PIXELS, seed=seed) > 0.2).double()
        if log_prob is gaussian:
            self.images = draw(N, PIXELS, seed=seed)
        self.top = draw(UNITS, PIXELS, seed=seed + 1)
        self.entered = 0.3 * draw(UNITS, seed=seed + 2)
        self.before = 0.5 * draw(PIXELS, PIXELS, seed=seed + 3).tril(-1)
        self.bias = torch.zeros(PIXELS, dtype=torch.float64)
        # Newton's method for the bias: without code the mean residual is zero.
        for _ in range(50):
            slope, curvature = torch.zeros(PIXELS), torch.zeros(PIXELS, PIXELS)
            loss = self.without_code
            slope = torch.autograd.functional.jacobian(loss, self.bias)
            curvature = torch.autograd.functional.hessian(loss, self.bias)
            self.bias = self.bias - torch.linalg.solve(curvature, slope)

    def value(self, entered, bias):
        """log p(x|z) of all images, from what enters the decoder, [..., N, UNITS]."""
        outputs = torch.tanh(entered) @ self.top + self.images @ self.before.T + bias
        return self.log_prob(self.images, outputs)

    def without_code(self, bias):
        return -self.value(self.entered.expand(N, UNITS), bias).mean()

    def loss(self, flat, beta):
        """D + beta R in its weights of the code and a free posterior of each image."""
        w, mu, logvar = flat.split([UNITS, N, N])
        nodes, weights = quadrature()
        z = mu + (0.5 * logvar).exp() * nodes[:, None]
        values = self.value(self.entered + z[..., None] * w, self.bias)
        rate = 0.5 * (mu.square() + logvar.exp() - 1 - logvar)
        return -(weights @ values).mean() + beta * rate.mean()

    def threshold(self):
        """The proposition's: the largest eigenvalue of C against A."""

        def of(entered):
            return self.value(entered.expand(N, UNITS), self.bias)

        residual = torch.autograd.functional.jacobian(of, self.entered)
        curvature = -torch.autograd.functional.hessian(lambda h: of(h).mean(), self.entered)
        root = torch.linalg.cholesky(curvature)
        half = torch.linalg.solve_triangular(root, residual.T, upper=False)
        return torch.linalg.eigvalsh(half @ half.T / N).max().item()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("log_prob", [bernoulli, gaussian])
def test_prop_beta_empty_code(log_prob, seed):
    model = Tiny(log_prob, seed)
    limit = model.threshold()
    nothing = torch.zeros(UNITS + 2 * N, dtype=torch.float64)
    for beta, stable in ((0.98 * limit, False), (1.02 * limit, True)):
        slope = torch.autograd.functional.jacobian(lambda v, b=beta: model.loss(v, b), nothing)
        assert slope.abs().max() < 1e-9
        hessian = torch.autograd.functional.hessian(lambda v, b=beta: model.loss(v, b), nothing)
        lowest, direction = torch.linalg.eigh(hessian)
        assert (lowest[0] > 0) == stable
        # Not only to second order: a short walk in the worst direction goes down, or up.
        walked = model.loss(0.02 * direction[:, 0], beta) - model.loss(nothing, beta)
        assert (walked > 0) == stable


def test_the_empty_code_of_a_linear_decoder_dies_at_the_largest_eigenvalue():
    """The Gaussian case, against the eigenvalues of the images' own covariance."""
    images, variance = draw(N, PIXELS, seed=5), 0.3
    eigenvalues = torch.linalg.eigvalsh(torch.cov(images.T, correction=0))
    residual = (images - images.mean(0)) / variance
    scatter = residual.T @ residual / N
    threshold = torch.linalg.eigvalsh(scatter * variance).max()
    torch.testing.assert_close(variance * threshold, eigenvalues[-1])


def test_the_threshold_of_a_decoder_that_knows_the_distribution_is_one():
    """Fisher's identity, over all images of three pixels, each weighted by its probability."""
    before, bias = draw(3, 3, seed=1).tril(-1), draw(3, seed=2)
    images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 3)
    logits = images @ before.T + bias
    weight = bernoulli(images, logits).exp()
    assert weight.sum().item() == pytest.approx(1)
    p = logits.sigmoid()
    scatter = (images - p).T @ (weight[:, None] * (images - p))
    curvature = (weight @ (p * (1 - p))).diag()
    torch.testing.assert_close(scatter, curvature)


# ---------------------------------------------------------------------------------------------
# What the pages say of the study in words


def found(price, way):
    (row,) = tables.load("collapse").where(price=price, way=way)
    return row


def collapsed(price, way):
    return [rate < 0.1 for rate in found(price, way)["rate"]]


def test_at_the_middle_price_a_schedule_decides():
    constant, linear = found(1.1, "constant"), found(1.1, "linear")
    assert max(constant["threshold"]) < 1.1
    assert all(collapsed(1.1, "constant"))
    assert all(collapsed(1.1, "long"))
    assert not any(collapsed(1.1, "fresh"))
    assert not any(collapsed(1.1, "coded"))
    assert min(linear["rate"]) > 1
    for cost, other in zip(linear["cost"], constant["cost"], strict=True):
        assert cost <= min(other, constant["empty"]) - 0.05
    # Models that start with a code cost less than none, so that the empty code is no optimum.
    assert max(found(1.1, "coded")["cost"]) < constant["empty"]


@pytest.mark.parametrize("way", ["constant", "linear", "cyclical", "coded"])
def test_at_the_high_price_no_schedule_keeps_a_code(way):
    assert all(collapsed(3.0, way))


@pytest.mark.parametrize("way", ["free bits", "delta"])
def test_at_the_high_price_a_code_that_is_forced_does_not_pay(way):
    row = found(3.0, way)
    assert min(row["rate"]) > 1.5
    assert min(row["cost"]) > found(3.0, "constant")["empty"] + 1


def test_at_the_low_price_the_code_comes_alive_without_a_schedule():
    constant, linear = found(0.5, "constant"), found(0.5, "linear")
    assert min(constant["threshold"]) > 0.5
    assert not any(collapsed(0.5, "constant"))
    # But later: after the same steps it costs more, and the study had expected otherwise.
    assert min(constant["cost"]) > max(linear["cost"]) + 0.3


def test_each_row_adds_up():
    for row in tables.load("collapse").rows:
        for rate, distortion, cost, each in zip(
            row["rate"], row["distortion"], row["cost"], row["kl_each"], strict=True
        ):
            assert cost == pytest.approx(distortion + row["price"] * rate, abs=2e-3)
            assert rate == pytest.approx(sum(each), abs=1e-3)


# ---------------------------------------------------------------------------------------------
# A dead start


def started(way, key):
    return [row[key] for row in tables.load("dead_start").where(way=way)]


@pytest.mark.parametrize("way", ["dead", "annealed", "free bits"])
def test_no_schedule_wakes_an_encoder_that_starts_dead(way):
    assert max(started(way, "live")) == 0
    assert max(started(way, "spread")) < 0.01
    assert min(started(way, "cost")) > min(started(way, "empty")) - 0.5


@pytest.mark.parametrize("way", ["blind", "revived"])
def test_what_has_a_gradient_ends_as_if_it_had_been_alive_from_the_start(way):
    for cost, alive in zip(started(way, "cost"), started("alive", "cost"), strict=True):
        assert cost <= alive + 1


def test_leaky_units_come_back_more_slowly_and_four_of_many_are_not_enough():
    assert min(started("leaky", "live")) > 32
    assert min(started("leaky", "cost")) > max(started("alive", "cost"))
    assert max(started("leaky", "cost")) < min(started("few", "cost"))
    assert max(started("few", "cost")) < min(started("few", "empty")) - 5
