"""Estimators of a discrete gradient, against finite sums, enumeration and automatic derivatives.

Monte Carlo is held within 4.5 standard errors: one false alarm in 150,000 per number.
"""

import itertools
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Generator, Tensor

from vaebook.models import gradients

N, K, SIGMAS = 3, 4, 4.5


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def logits() -> Tensor:
    return torch.randn(N, K, generator=seeded(1)).double()


def curved(y: Tensor) -> Tensor:
    """A function of the simplex that no line is: [..., K] to [...]."""
    at = torch.tensor([0.7, -1.1, 0.4, 1.9]).double()
    return (y @ at).exp() + 2 * y[..., 0] * y[..., 1] - (y - 0.3).square() @ at


def straight(y: Tensor) -> Tensor:
    return y @ torch.tensor([0.7, -1.1, 0.4, 1.9]).double() + 3


def per_image(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The same f for all images, of corners [K, 1, K] too."""
    return lambda y: f(y).expand(len(y), N)


def corners() -> Tensor:
    return torch.eye(K).double()


def values(f: Callable[[Tensor], Tensor] = curved) -> Tensor:
    return f(corners()).expand(N, K)


def truth(f: Callable[[Tensor], Tensor] = curved) -> Tensor:
    """The gradient of the finite sum, by automatic differentiation."""
    leaf = logits().requires_grad_()
    (leaf.softmax(-1) * values(f)).sum().backward()
    assert leaf.grad is not None
    return leaf.grad


def gradient(estimate: Callable[..., Tensor], leaf: Tensor, f: object, **how: object) -> Tensor:
    leaf = leaf.clone().requires_grad_()
    estimate(leaf, f, **how).sum().backward()
    assert leaf.grad is not None
    return leaf.grad


def many(estimate: Callable[..., Tensor], n: int = 20_000, f: object = curved) -> Tensor:
    """Return n gradients of each image, [n, N, K]: one call, with n rows per image."""
    rows = logits().expand(n, N, K).reshape(n * N, K)
    return gradient(estimate, rows, f, generator=seeded()).view(n, N, K)


def within(drawn: Tensor, mean: Tensor) -> None:
    error = drawn.std(0) / len(drawn) ** 0.5
    assert ((drawn.mean(0) - mean).abs() <= SIGMAS * error + 1e-9).all()


UNBIASED = {
    "score function": gradients.score_function,
    "score function, baseline": partial(gradients.score_function, baseline=1.7),
    "score function, three draws": partial(gradients.score_function, draws=3),
    "leave-one-out, two draws": partial(gradients.leave_one_out, draws=2),
    "leave-one-out, five draws": partial(gradients.leave_one_out, draws=5),
    "REBAR": gradients.rebar,
    "REBAR, cold": partial(gradients.rebar, temperature=0.1),
    "REBAR, half a weight": partial(gradients.rebar, temperature=1.0, weight=0.5),
}


def test_the_exact_gradient_is_that_of_the_sum():
    found = gradient(gradients.exact, logits(), per_image(curved))
    torch.testing.assert_close(found, truth())


def test_its_value_is_the_expectation_whatever_f_depends_on():
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)
    value = gradients.exact(logits(), lambda y: weight * curved(y).expand(len(y), N))
    expected = (logits().softmax(-1) * values()).sum(-1)
    torch.testing.assert_close(value, expected)
    value.sum().backward()
    torch.testing.assert_close(weight.grad, expected.sum())


@pytest.mark.slow
@pytest.mark.parametrize("name", UNBIASED)
def test_what_is_said_to_be_without_bias_is(name):
    within(many(UNBIASED[name]), truth())


@pytest.mark.slow
@pytest.mark.parametrize("name", UNBIASED)
def test_surrogates_have_the_expectation_as_their_value(name):
    rows = logits()[:1].expand(20_000, K)
    found = UNBIASED[name](rows, curved, generator=seeded())
    expected = (logits()[0].softmax(-1) * values()[0]).sum()
    assert (found.mean() - expected).abs() <= SIGMAS * found.std() / len(found) ** 0.5


def test_a_hard_draw_has_the_corners_value_and_the_relaxed_draws_gradient():
    # At a corner that f sees, with the slope of f there, through the softmax of the same noise.
    leaf = logits().requires_grad_()
    seen: list[Tensor] = []

    def f(y: Tensor) -> Tensor:
        seen.append(y.detach())
        return curved(y)

    found = gradients.gumbel_softmax(leaf, f, temperature=0.6, hard=True, generator=seeded())
    (own,) = torch.autograd.grad(found.sum(), leaf)
    assert torch.equal(seen[0].sum(-1).round(), torch.ones(1, N).double())
    corner = seen[0].round().requires_grad_()
    (slope,) = torch.autograd.grad(curved(corner).sum(), corner)
    torch.testing.assert_close(found, curved(corner)[0])

    def relaxed(y: Tensor) -> Tensor:
        return (y * slope).sum(-1)

    expected = gradient(
        gradients.gumbel_softmax, logits(), relaxed, temperature=0.6, generator=seeded()
    )
    torch.testing.assert_close(own, expected)
    assert own.norm() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("name", [*UNBIASED, "straight-through", "hard Gumbel", "Gumbel"])
def test_what_f_depends_on_has_the_gradient_of_its_expectation(name):
    hard = partial(gradients.gumbel_softmax, temperature=0.5, hard=True)
    soft = partial(gradients.gumbel_softmax, temperature=0.5)
    more = {
        "straight-through": gradients.straight_through, "hard Gumbel": hard, "Gumbel": soft,
    }  # fmt: skip
    estimate = (UNBIASED | more)[name]
    rows = logits()[:1].expand(20_000, K)
    weight = torch.ones(20_000, K).double().requires_grad_()

    def f(y: Tensor) -> Tensor:
        return (weight * y).square().sum(-1) + curved(y)

    estimate(rows, f, generator=seeded()).sum().backward()
    assert weight.grad is not None
    # Of corners the square is y itself, so that the mean is 2 q; of relaxed draws it is less.
    relaxed = seeded()
    if name == "Gumbel":
        noise = -torch.empty_like(rows).exponential_(generator=relaxed).log()
        expected = 2 * ((rows + noise) / 0.5).softmax(-1).square().mean(0)
        assert (expected < 1.95 * logits()[0].softmax(-1)).all()
        slack = 2**0.5
    else:
        expected, slack = 2 * logits()[0].softmax(-1), 1.0
    error = slack * weight.grad.std(0) / len(rows) ** 0.5
    assert ((weight.grad.mean(0) - expected).abs() <= SIGMAS * error + 1e-9).all()


def test_leave_one_out_is_the_mean_over_all_tuples_of_draws():
    q = logits()[0].softmax(-1)
    f = values()[0]
    draws = 3
    mean, square = torch.zeros(K).double(), 0.0
    for chosen in itertools.product(range(K), repeat=draws):
        probability = q[list(chosen)].prod()
        own = f[list(chosen)]
        others = (own.sum() - own) / (draws - 1)
        estimate = ((own - others)[:, None] * (corners()[list(chosen)] - q)).mean(0)
        mean = mean + probability * estimate
        square = square + probability * estimate.square().sum()
    found = gradients.leave_one_out_moments(logits()[0], f, draws)
    torch.testing.assert_close(mean, truth()[0])
    torch.testing.assert_close(found.mean, mean)
    torch.testing.assert_close(found.variance, square - mean.square().sum())


@pytest.mark.parametrize("baseline", [0.0, 2.5])
def test_moments_of_the_score_function_are_those_of_its_enumeration(baseline):
    q = logits().softmax(-1)
    each = (values() - baseline)[..., None] * (corners() - q[:, None])
    mean = (q[..., None] * each).sum(1)
    variance = (q * each.square().sum(-1)).sum(1) - mean.square().sum(-1)
    found = gradients.score_function_moments(logits(), values(), baseline)
    torch.testing.assert_close(found.mean, truth())
    torch.testing.assert_close(found.mean, mean)
    torch.testing.assert_close(found.variance, variance)


def slopes(f: Callable[[Tensor], Tensor]) -> Tensor:
    leaf = corners().requires_grad_()
    (found,) = torch.autograd.grad(f(leaf).sum(), leaf)
    return found.expand(N, K, K)


@pytest.mark.slow
def test_moments_of_straight_through_are_those_of_its_draws():
    found = gradients.straight_through_moments(logits(), slopes(curved))
    drawn = many(gradients.straight_through)
    within(drawn, found.mean)
    spread = (drawn - found.mean).square().sum(-1)
    within(spread, found.variance)


def test_straight_through_has_a_bias_but_for_a_line():
    bias = gradients.straight_through_moments(logits(), slopes(curved)).mean - truth()
    assert bias.norm() > 0.1 * truth().norm()
    line = gradients.straight_through_moments(logits(), slopes(straight))
    torch.testing.assert_close(line.mean, truth(straight))
    torch.testing.assert_close(line.variance, torch.zeros(N).double(), atol=1e-12, rtol=0)


@pytest.mark.slow
def test_the_largest_of_logits_with_gumbel_noise_is_a_draw_of_q():
    n = 40_000
    hard = partial(gradients.gumbel_softmax, temperature=0.5, hard=True)
    rows = logits()[:1].expand(n, K)
    counts = torch.stack(
        [hard(rows, lambda y, k=k: y[..., k], generator=seeded()).sum() for k in range(K)]
    )
    q = logits()[0].softmax(-1)
    assert counts.sum().round() == n
    assert ((counts / n - q).abs() <= SIGMAS * (q * (1 - q) / n).sqrt()).all()


@pytest.mark.slow
def test_a_relaxed_draw_has_the_density_of_the_concrete_distribution():
    two = torch.tensor([0.4, -0.6]).double()
    temperature, n = 0.7, 40_000
    rows = two.expand(n, 2)
    relaxed = partial(gradients.gumbel_softmax, temperature=temperature)
    y = relaxed(rows, lambda y: y[..., 0], generator=seeded())
    # Of two categories: y's logit is (difference of logits plus logistic noise) / temperature.
    for level in (0.1, 0.3, 0.5, 0.8):
        share = (temperature * torch.tensor(level).double().logit() - (two[0] - two[1])).sigmoid()
        error = (share * (1 - share) / n).sqrt()
        assert ((y < level).double().mean() - share).abs() <= SIGMAS * error


@pytest.mark.slow
def test_the_gradient_of_a_relaxed_draw_is_that_of_another_objective():
    warm = many(partial(gradients.gumbel_softmax, temperature=1.0))
    error = warm.std(0) / len(warm) ** 0.5
    assert ((warm.mean(0) - truth()).abs() > 2 * SIGMAS * error).any()


@pytest.mark.slow
def test_rebar_varies_less_than_the_score_function():
    variance = [
        many(estimate).var(0).sum() for estimate in (gradients.rebar, gradients.score_function)
    ]
    assert variance[0] < 0.5 * variance[1]


def test_the_same_generator_gives_the_same_estimate():
    for estimate in UNBIASED.values():
        first, second = (gradient(estimate, logits(), curved, generator=seeded()) for _ in "ab")
        assert torch.equal(first, second)


def test_a_function_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="f must return"):
        gradients.exact(logits(), lambda y: y)
    with pytest.raises(ValueError, match="draws must be"):
        gradients.leave_one_out(logits(), curved, draws=1)
    with pytest.raises(ValueError, match="temperature must be"):
        gradients.gumbel_softmax(logits(), curved, temperature=0.0)


def test_rebar_has_finite_gradients_where_a_category_has_no_probability():
    logits = torch.tensor([[0.0, -150.0, 30.0, -1.0]] * 50, requires_grad=True)
    square = lambda y: (y * torch.arange(4.0)).sum(-1).square()  # noqa: E731
    gradients.rebar(logits, square, generator=torch.Generator().manual_seed(0)).sum().backward()
    assert logits.grad.isfinite().all()
