r"""Estimators of the gradient of an expectation over categories, and their exact moments.

All are of :math:`\nabla\,\mathbb{E}_{z \sim q} f(e_z)`, where q is the softmax of `logits`
[..., K] and :math:`e_z` a corner of the simplex. An estimator returns a surrogate of the
shape ``[...]``: its value estimates the expectation, and its gradient, in the logits and in
whatever f depends on, is the estimate of the gradient. `f` maps points of the simplex [M, ..., K]
to [M, ...]; points that are the same for all of the batch come as [M, 1, ..., 1, K].

The mean and the variance of those that see corners only are finite sums: nothing is drawn.
"""

__all__ = [
    "Moments",
    "exact",
    "gumbel_softmax",
    "leave_one_out",
    "leave_one_out_moments",
    "rebar",
    "score_function",
    "score_function_moments",
    "straight_through",
    "straight_through_moments",
]

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from vaebook import _checks

Function = Callable[[Tensor], Tensor]


class Moments(NamedTuple):
    """What an estimator of the gradient in the logits is on average, and how it varies.

    Attributes:
        mean: of the estimate, [..., K].
        variance: sum over the K entries of their variances, [...].
    """

    mean: Tensor
    variance: Tensor


def exact(logits: Tensor, f: Function, *, generator: Generator | None = None) -> Tensor:
    r"""Return the expectation itself, :math:`\sum_k q_k f(e_k)`, ``[...]``.

    Args:
        logits: of q, [..., K].
        f: maps corners [K, 1, ..., 1, K] to values [K, ...].
        generator: unused, there is nothing to draw.

    Raises:
        ValueError: when the logits aren't finite floats, or f's values have another shape.

    Example:
        >>> exact(torch.zeros(5, 2), lambda y: y[..., 0])
        tensor([0.5000, 0.5000, 0.5000, 0.5000, 0.5000])
    """
    _check(logits, f)
    n = logits.shape[-1]
    corners = torch.eye(n, dtype=logits.dtype, device=logits.device)
    corners = corners.view(n, *(1,) * (logits.ndim - 1), n)
    values = _values(f, corners, (n, *logits.shape[:-1]))
    return (logits.softmax(-1) * values.movedim(0, -1)).sum(-1)


def score_function(
    logits: Tensor,
    f: Function,
    *,
    draws: int = 1,
    baseline: float | Tensor = 0.0,
    generator: Generator | None = None,
) -> Tensor:
    r"""Return a surrogate of the score-function estimator, REINFORCE, ``[...]``.

    .. math:: \frac1M \sum_m (f(e_{z_m}) - b)\,\nabla \log q(z_m), \quad z_m \sim q

    Without bias for every baseline b that doesn't depend on the draws.

    Args:
        logits: of q, [..., K].
        f: maps corners [M, ..., K] to values [M, ...].
        draws: M.
        baseline: b, a number or [...].
        generator: source of the draws.

    Raises:
        ValueError: when an argument is out of range or f's values have another shape.

    Source:
        Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning
        (Williams, 1992) | https://doi.org/10.1007/BF00992696

    Example:
        >>> logits = torch.zeros(2, requires_grad=True)
        >>> score_function(logits, lambda y: 1 + 0 * y[..., 0], baseline=1.0).backward()
        >>> logits.grad
        tensor([0., 0.])
    """
    _check(logits, f)
    _checks.count(draws, "draws")
    baseline = _baseline(baseline, logits)
    log_q, value = _drawn(logits, f, draws, generator)
    return (value + (value.detach() - baseline) * (log_q - log_q.detach())).mean(0)


def leave_one_out(
    logits: Tensor, f: Function, *, draws: int = 4, generator: Generator | None = None
) -> Tensor:
    r"""Return a surrogate of the score function with the mean of the other draws as its baseline.

    .. math:: \frac1M \sum_m \Big(f(e_{z_m}) - \frac{1}{M - 1} \sum_{l \ne m} f(e_{z_l})\Big)
        \nabla \log q(z_m)

    In the logits that is the sample covariance of :math:`f(e_z)` and :math:`e_z`.

    Args:
        logits: of q, [..., K].
        f: maps corners [M, ..., K] to values [M, ...].
        draws: M, at least 2, with replacement.
        generator: source of the draws.

    Raises:
        ValueError: when an argument is out of range or f's values have another shape.

    Source:
        Variational Inference for Monte Carlo Objectives (Mnih and Rezende, 2016), for the idea |
        https://arxiv.org/abs/1602.06725; Buy 4 REINFORCE Samples, Get a Baseline for Free! (Kool
        et al., 2019) | https://openreview.net/forum?id=r1lgTGL5DE

    Example:
        >>> logits = torch.zeros(2, requires_grad=True)
        >>> leave_one_out(logits, lambda y: 7 + 0 * y[..., 0]).backward()
        >>> logits.grad
        tensor([0., 0.])
    """
    _check(logits, f)
    _checks.count(draws, "draws", 2)
    log_q, value = _drawn(logits, f, draws, generator)
    # A value minus the mean of the others is M / (M - 1) times what it is off the mean of all.
    above = (value.detach() - value.detach().mean(0)) * (draws / (draws - 1))
    return (value + above * (log_q - log_q.detach())).mean(0)


def straight_through(logits: Tensor, f: Function, *, generator: Generator | None = None) -> Tensor:
    r"""Return a surrogate that goes forward by a draw and back by its probabilities, [...].

    .. math:: f(e_z) \text{ with the gradient } (\operatorname{diag} q - q q^\top)\,\nabla f(e_z),
        \quad z \sim q

    Biased, unless f's tangent at each corner meets f at the others.

    Args:
        logits: of q, [..., K].
        f: maps points of the simplex [1, ..., K] to values [1, ...], differentiable.
        generator: source of the draw.

    Raises:
        ValueError: when the logits aren't finite floats, or f's values have another shape.

    Source:
        Estimating or Propagating Gradients Through Stochastic Neurons for Conditional Computation
        (Bengio, Léonard and Courville, 2013), for binary neurons |
        https://arxiv.org/abs/1308.3432

    Example:
        >>> logits = torch.zeros(2, requires_grad=True)
        >>> straight_through(logits, lambda y: y[..., 0]).backward()
        >>> logits.grad
        tensor([ 0.2500, -0.2500])
    """
    _check(logits, f)
    drawn = _corners((logits + _gumbel(logits[None], generator)).argmax(-1), logits)
    q = logits.softmax(-1)
    return _values(f, drawn + (q - q.detach()), drawn.shape[:-1])[0]


def gumbel_softmax(
    logits: Tensor,
    f: Function,
    *,
    temperature: float,
    hard: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    r"""Return f at a draw of the Gumbel-softmax, or Concrete, distribution, ``[...]``.

    .. math:: f(y), \quad y = \operatorname{softmax}\big((\mathrm{logits} + g) / \tau\big), \quad
        g_k = -\log(-\log u_k), \quad u_k \sim U(0, 1)

    The gradient is that of :math:`\mathbb{E} f(y)` without bias, which is another objective: the
    draw lies inside the simplex, and only for small temperatures near a corner.

    Args:
        logits: of q, [..., K].
        f: maps points of the simplex [1, ..., K] to values [1, ...], differentiable.
        temperature: :math:`\tau`, in [1e-6, 1e6].
        hard: whether the value is that at the corner nearest to y, with the gradient of y: the
            source's straight-through Gumbel estimator.
        generator: source of the draw.

    Raises:
        ValueError: when an argument is out of range or f's values have another shape.

    Source:
        Categorical Reparameterization with Gumbel-Softmax (Jang, Gu and Poole, 2017) |
        https://arxiv.org/abs/1611.01144; The Concrete Distribution (Maddison et al.,
        2017) | https://arxiv.org/abs/1611.00712

    Example:
        >>> logits = torch.zeros(3, requires_grad=True)
        >>> gumbel_softmax(logits, lambda y: y.sum(-1), temperature=0.5).detach().round()
        tensor(1.)
    """
    _check(logits, f)
    _checks.number(temperature, "temperature", 1e-6, 1e6)
    noisy = (logits + _gumbel(logits[None], generator)) / temperature
    y = noisy.softmax(-1)
    if hard:
        y = _corners(noisy.argmax(-1), logits) + (y - y.detach())
    return _values(f, y, y.shape[:-1])[0]


def rebar(
    logits: Tensor,
    f: Function,
    *,
    temperature: float = 0.5,
    weight: float = 1.0,
    generator: Generator | None = None,
) -> Tensor:
    r"""Return a surrogate of the score function with relaxed draws as its control variate, [...].

    .. math:: \big(f(e_z) - \eta f(\tilde y)\big) \nabla \log q(z)
        + \eta \nabla f(y) - \eta \nabla f(\tilde y)

    Here y is a draw of the Gumbel-softmax whose largest entry is z, and :math:`\tilde y` another
    one, drawn given z, so that its noise depends on z only. Without bias for every temperature
    and weight; the source learns both; here they are given.

    Args:
        logits: of q, [..., K].
        f: maps points of the simplex [1, ..., K] to values [1, ...], differentiable.
        temperature: of both relaxed draws, in [1e-6, 1e6].
        weight: :math:`\eta`.
        generator: source of the draws.

    Raises:
        ValueError: when an argument is out of range or f's values have another shape.

    Source:
        REBAR (Tucker et al., 2017) | https://arxiv.org/abs/1703.07370; Backpropagation through the
        Void (Grathwohl et al., 2018), for the draw given a category |
        https://arxiv.org/abs/1711.00123

    Example:
        >>> logits = torch.zeros(3, requires_grad=True)
        >>> rebar(logits, lambda y: y.sum(-1)).detach().round()
        tensor(1.)
    """
    _check(logits, f)
    _checks.number(temperature, "temperature", 1e-6, 1e6)
    _checks.number(weight, "weight", -1e6, 1e6)
    log_q = logits.log_softmax(-1)
    noisy = log_q + _gumbel(logits[None], generator)
    z = noisy.argmax(-1)
    corner = _corners(z, logits)
    shape = corner.shape[:-1]
    # Given z the largest has the distribution of any Gumbel number, and the others lie below it.
    waiting = -_uniform(corner, generator).log()
    largest = (waiting * corner).sum(-1, keepdim=True)
    below = -torch.logaddexp(waiting.log() - log_q, largest.log())
    again = torch.where(corner > 0, -largest.log(), below)
    at_draw = _values(f, corner, shape)
    relaxed = _values(f, (noisy / temperature).softmax(-1), shape)
    given = _values(f, (again / temperature).softmax(-1), shape)
    log_prob = (log_q * corner).sum(-1)
    score = (at_draw - weight * given).detach() * (log_prob - log_prob.detach())
    return (at_draw + score + weight * (relaxed - given))[0]


def score_function_moments(
    logits: Tensor, values: Tensor, baseline: float | Tensor = 0.0
) -> Moments:
    r"""Return the mean and the variance of :func:`score_function` with one draw.

    .. math:: \mathbb{E}\,\hat g &= q \circ (F - \bar F), \\
        \mathbb{E} \|\hat g\|^2 &= \sum_k q_k (F_k - b)^2 \|e_k - q\|^2

    with :math:`\bar F` the mean of F over q. The mean is the exact gradient; with M draws the
    variance is divided by M.

    Args:
        logits: of q, [..., K].
        values: :math:`F_k = f(e_k)`, [..., K].
        baseline: b, a number or [...].

    Raises:
        ValueError: when the shapes differ or a value isn't finite.

    Source:
        Derived in the book's chapter on discrete codes.

    Example:
        >>> score_function_moments(torch.zeros(2), torch.tensor([1.0, -1.0]))
        Moments(mean=tensor([ 0.5000, -0.5000]), variance=tensor(0.))
    """
    q, values = _table(logits, values)
    baseline = _baseline(baseline, logits)
    mean = q * (values - (q * values).sum(-1, keepdim=True))
    reach = 1 - 2 * q + q.square().sum(-1, keepdim=True)
    squares = (q * (values - baseline[..., None]).square() * reach).sum(-1)
    return Moments(mean, (squares - mean.square().sum(-1)).clamp_min(0))


def leave_one_out_moments(logits: Tensor, values: Tensor, draws: int = 4) -> Moments:
    r"""Return the mean and the variance of :func:`leave_one_out`.

    The estimate is a sample covariance. Its mean is the exact gradient g, and its variance is

    .. math:: \sum_k \frac{1}{M}\Big(\mu_{22,k} &- \frac{M - 2}{M - 1}\,g_k^2 \\
        &+ \frac{1}{M - 1}\,\operatorname{Var} f \; q_k (1 - q_k)\Big)

    with :math:`\bar F` the mean of f over q, Var f its variance, and :math:`\mu_{22,k}` the mean
    of :math:`(f(e_z) - \bar F)^2 (1_{z = k} - q_k)^2`.

    Args:
        logits: of q, [..., K].
        values: :math:`F_k = f(e_k)`, [..., K].
        draws: M, at least 2.

    Raises:
        ValueError: when the shapes differ, a value isn't finite, or there are fewer draws.

    Source:
        Derived in the book's chapter on discrete codes.

    Example:
        >>> leave_one_out_moments(torch.zeros(2), torch.tensor([1.0, -1.0]), 2).variance
        tensor(0.5000)
    """
    q, values = _table(logits, values)
    _checks.count(draws, "draws", 2)
    off = values - (q * values).sum(-1, keepdim=True)
    mean = q * off
    spread = (q * off.square()).sum(-1)
    reach = 1 - 2 * q + q.square().sum(-1, keepdim=True)
    fourth = (q * off.square() * reach).sum(-1)
    squares = mean.square().sum(-1)
    product = spread * (q * (1 - q)).sum(-1)
    variance = (fourth - ((draws - 2) * squares - product) / (draws - 1)) / draws
    return Moments(mean, variance.clamp_min(0))


def straight_through_moments(logits: Tensor, slopes: Tensor) -> Moments:
    r"""Return the mean and the variance of :func:`straight_through`.

    .. math:: \mathbb{E}\,\hat g = (\operatorname{diag} q - q q^\top) \sum_i q_i \nabla f(e_i)

    Args:
        logits: of q, [..., K].
        slopes: :math:`\nabla f(e_i)` in row i, [..., K, K].

    Raises:
        ValueError: when the shapes differ or a value isn't finite.

    Source:
        Derived in the book's chapter on discrete codes.

    Example:
        >>> slopes = torch.tensor([[1.0, 0.0], [1.0, 0.0]])  # f(y) = y_1
        >>> straight_through_moments(torch.zeros(2), slopes)
        Moments(mean=tensor([ 0.2500, -0.2500]), variance=tensor(0.))
    """
    _checks.floats(logits, "logits", ("...", "K"))
    n = logits.shape[-1]
    _checks.floats(slopes, "slopes", (*logits.shape, n))
    _checks.alike(logits=logits, slopes=slopes)
    q = logits.softmax(-1)
    each = q[..., None, :] * (slopes - (slopes * q[..., None, :]).sum(-1, keepdim=True))
    mean = (q[..., None] * each).sum(-2)
    squares = (q * (each - mean[..., None, :]).square().sum(-1)).sum(-1)
    return Moments(mean, squares)


def _check(logits: Tensor, f: Function) -> None:
    _checks.floats(logits, "logits", ("...", "K"))
    if not callable(f):
        raise ValueError(f"f must be a function of points of the simplex, got {f!r}")


def _baseline(baseline: float | Tensor, logits: Tensor) -> Tensor:
    if not isinstance(baseline, Tensor):
        _checks.number(baseline, "baseline", -1e9, 1e9)
        return logits.new_tensor(baseline)
    if baseline.shape not in ((), logits.shape[:-1]):
        raise ValueError(
            f"baseline must be a number or {list(logits.shape[:-1])}, got {list(baseline.shape)}"
        )
    return baseline


def _table(logits: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    _checks.floats(logits, "logits", ("...", "K"))
    _checks.floats(values, "values", tuple(logits.shape))
    _checks.alike(logits=logits, values=values)
    return logits.softmax(-1), values


def _values(f: Function, y: Tensor, shape: tuple[int, ...]) -> Tensor:
    values = f(y)
    if isinstance(values, Tensor) and values.shape == y.shape[:-1]:
        values = values.expand(shape)
    if not isinstance(values, Tensor) or values.shape != shape:
        found = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(f"f must return {list(shape)} of points {list(y.shape)}, got {found}")
    return values


def _uniform(like: Tensor, generator: Generator | None) -> Tensor:
    noise = _checks.rand(like.shape, like, generator)
    return noise.clamp_min(torch.finfo(like.dtype).tiny)


def _gumbel(like: Tensor, generator: Generator | None) -> Tensor:
    return -(-_uniform(like, generator).log()).log()


def _corners(index: Tensor, like: Tensor) -> Tensor:
    corners = like.new_zeros((*index.shape, like.shape[-1]))
    return corners.scatter(-1, index[..., None], 1.0)


def _drawn(
    logits: Tensor, f: Function, draws: int, generator: Generator | None
) -> tuple[Tensor, Tensor]:
    """Log-probabilities of some draws, and f at them, each [M, ...]."""
    noise = _gumbel(logits.expand(draws, *logits.shape), generator)
    corners = _corners((logits + noise).argmax(-1), logits)
    return (logits.log_softmax(-1) * corners).sum(-1), _values(f, corners, corners.shape[:-1])
