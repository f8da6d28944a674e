r"""Samplers in latent space: the aggregate posterior, and Markov chains.

A Markov chain is a :class:`Kernel`, that is `init` and a pure `move`, in a loop, :func:`run`.
`pcn`, `random_walk`, `mala` and `elliptical_slice` are one kernel each in the same loop, the first
three, if asked, after a warm-up that finds the step size. The kernels are public: other samplers
are built of them.

Everything lives on the device and in the dtype of the start. Log densities are kept in float64,
on the CPU where the start is on a device that has none (MPS). A log density must leave the
positions that it is asked about as they are.
"""

__all__ = [
    "Chain",
    "Info",
    "Kernel",
    "Noise",
    "State",
    "aggregate_posterior",
    "elliptical_slice",
    "elliptical_slice_kernel",
    "mala",
    "mala_kernel",
    "pcn",
    "pcn_kernel",
    "random_walk",
    "random_walk_kernel",
    "run",
]

import importlib
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, repeat
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from vaebook import _checks, _progress
from vaebook.models.priors import GaussianPrior

# Noise is drawn and states are written a block of steps at a time: at most so many steps, and so
# few numbers that they stay in a core's cache. The length depends on K and D alone, never on the
# number of steps, so that a short run is the beginning of a longer one with the same seed.
_BLOCK_STEPS = 256
_BLOCK_NUMBERS = 2**15

# Beyond it neighbouring float32 numbers are more than a hundredth of a nat apart.
_FLOAT32_NATS = 2**17

# With a deterministic log-likelihood a bracket shrinks to the current state long before this.
_MAX_SHRINKS = 500

LogDensity = Callable[[Tensor], Tensor]


def aggregate_posterior(
    n: int, mu: Tensor, logvar: Tensor, generator: Generator | None = None
) -> Tensor:
    r"""Draw from the mixture of all encodings.

    .. math:: z \sim q(z) = \frac{1}{N} \sum_{i=1}^N
        \mathcal{N}(z; \mu_i, \mathrm{diag}\, e^{\mathrm{logvar}_i})

    An image is drawn uniformly, then a code from its encoding.

    Args:
        n: the number of draws.
        mu: the means of the encodings [N, D].
        logvar: the log variances of the encodings [N, D].
        generator: the source of randomness; torch's global one if None.

    Returns:
        The draws [n, D], in the dtype and on the device of `mu`.

    Raises:
        ValueError: when `mu` and `logvar` are not finite, of one shape, dtype and device, or a log
            variance is beyond 80 in size, near the ends of float32.

    Example:
        >>> mu = torch.tensor([[-9.0, 0.0], [9.0, 0.0]])
        >>> z = aggregate_posterior(4, mu, torch.zeros(2, 2), torch.Generator().manual_seed(1))
        >>> z.shape, bool((z[:, 0].abs() > 4).all())
        (torch.Size([4, 2]), True)
    """
    _checks.count(n, "n")
    _checks.floats(mu, "mu", ("N", "D"))
    _checks.floats(logvar, "logvar", tuple(mu.shape), largest=80)
    _checks.alike(mu=mu, logvar=logvar)

    i = _checks.randint(len(mu), n, mu.device, generator)
    return mu[i] + torch.exp(0.5 * logvar[i]) * _checks.randn((n, mu.shape[1]), mu, generator)


@dataclass(frozen=True)
class Chain:
    r"""The history of K Markov chains, T rows of it.

    A slice is a chain again, a view on the same memory: `chain[500:]` leaves out the first 500
    rows.

    Attributes:
        positions: the states [T, K, D]; row t is that after `thin` steps times t + 1, repeated
            where nothing was accepted.
        moves: how many of the `thin` steps that end in row t were accepted, int32 [T, K].
        log_target: the logarithm of what was sampled at `positions`, nats, float64 [T, K]: the
            log-likelihood for samplers that know their prior, else the log density.
        evaluations: how often the whole run asked for the log density of all K chains, start and
            warm-up included.
        thin: the number of steps from row to row.
        step: the step size of all steps, None for a sampler that has none.
    """

    positions: Tensor
    moves: Tensor
    log_target: Tensor
    evaluations: int
    thin: int = 1
    step: float | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, rows: slice) -> "Chain":
        if not isinstance(rows, slice):
            raise ValueError(f"a chain takes a slice of rows, as in chain[500:], got {rows!r}")

        return replace(
            self,
            positions=self.positions[rows],
            moves=self.moves[rows],
            log_target=self.log_target[rows],
        )

    @property
    def accepted(self) -> Tensor:
        """Whether one of the `thin` steps that end in row t moved chain k, bool [T, K]."""
        return self.moves > 0

    @property
    def acceptance_rate(self) -> Tensor:
        """The share of accepted steps of each chain, those between the rows too, float64 [K]."""
        return _checks.double(self.moves).mean(dim=0) / self.thin

    def to_arviz(self) -> Any:
        """Return the chains as ArviZ's `InferenceData`: `z`, and `log_target` as `lp`."""
        positions, lp, accepted = (
            x.transpose(0, 1).cpu().numpy()
            for x in (self.positions, self.log_target, self.accepted)
        )

        return _arviz().from_dict(
            posterior={"z": positions}, sample_stats={"lp": lp, "accepted": accepted}
        )

    def rhat(self) -> Tensor:
        """Return the rank-normalised split R-hat of each dimension, by ArviZ, float64 [D].

        It is NaN, with a warning, in a dimension in which a chain never moved.

        Raises:
            ValueError: when there are fewer than 2 chains or 4 rows.

        Source:
            Rank-Normalization, Folding, and Localization: An Improved R-hat (Vehtari et al.,
            2021) | https://doi.org/10.1214/20-BA1221
        """
        if self.positions.shape[1] < 2:
            raise ValueError("rhat compares chains, 2 or more, got 1")

        return self._diagnosed("rhat")

    def ess(self) -> Tensor:
        """Return the bulk effective sample size of each dimension over all chains, by ArviZ, [D].

        It is NaN, with a warning, in a dimension in which a chain never moved.

        Raises:
            ValueError: when there are fewer than 4 rows.
        """
        return self._diagnosed("ess")

    def _diagnosed(self, name: str) -> Tensor:
        if len(self) < 4:
            raise ValueError(f"{name} needs 4 rows of a chain, or more, got {len(self)}")

        still = (self.positions == self.positions[0]).all(dim=0)
        if still.any():
            chain, dimension = still.nonzero()[0].tolist()
            warnings.warn(
                f"{name} is NaN in {int(still.any(dim=0).sum())} of {still.shape[1]} dimensions: "
                f"{int(still.any(dim=1).sum())} of {still.shape[0]} chains never moved there, "
                f"the first is chain {chain} in dimension {dimension}",
                stacklevel=3,
            )
        diagnose = getattr(_arviz(), name)
        values = [
            math.nan if stuck else float(diagnose(column))
            for stuck, column in zip(
                still.any(dim=0).tolist(),
                self.positions.permute(2, 1, 0).cpu().numpy(),
                strict=True,
            )
        ]

        return torch.tensor(values, dtype=torch.float64, device=self.log_target.device)


class State(NamedTuple):
    """Where K chains stand.

    Attributes:
        position: [K, D].
        log_target: the log density at `position` as the kernel knows it, nats, float64 [K]: for
            pCN and elliptical slice sampling the log-likelihood alone.
        gradient: of the log density [K, D] for MALA, None for those who don't need it.
    """

    position: Tensor
    log_target: Tensor
    gradient: Any = None


class Noise(NamedTuple):
    """All the randomness of one step.

    Attributes:
        normal: draws of N(0, 1), [K, D].
        log_u: logarithms of uniform draws, float64 [K].
        generator: the source of more, for a step that needs it.
    """

    normal: Tensor
    log_u: Tensor
    generator: Generator | None = None


class _Scaled(NamedTuple):
    """The noise of a step of :func:`pcn`, scaled for many steps at once; no other kernel sees it.

    Where log densities are on the CPU, the `log_u` of a single chain is a number, and the step
    hands on numbers for `log_target` and `accepted`: they are compared in a third of the time.
    """

    normal: Tensor
    log_u: Any


class Info(NamedTuple):
    """What happened in a step.

    Attributes:
        accepted: whether the step moved chain k, bool [K].
        evaluations: how often it asked for the log density of all K chains.
    """

    accepted: Tensor
    evaluations: int


# What a step by scaled noise says of a single chain.
_NO: Any = False
_YES: Any = True
_STAYED, _MOVED = Info(_NO, 1), Info(_YES, 1)


class Kernel(NamedTuple):
    r"""A sampler without its loop: where chains start, and how they take a step.

    Nothing is kept between steps but the state that one hands on, so that kernels combine: to
    Gibbs sampling by turns, or to tempering as here, where a second chain samples
    :math:`L(z)^{0.1}` and offers its place to the first.

    Attributes:
        init: from positions [K, D] to the state to start from.
        move: from a state and its noise to the next state and what happened, a pure function
            unless it draws more from the noise's generator.

    Example:
        >>> power = torch.tensor([1.0, 0.1])
        >>> warm = pcn_kernel(lambda z: -20 * power * (z[:, 0].abs() - 1.5) ** 2, 0.4)
        >>> def exchange(state, noise):
        ...     state, info = warm.move(state, noise)
        ...     log_l = state.log_target / power
        ...     u = torch.rand((), generator=noise.generator)
        ...     if u.log() < (power[0] - power[1]) * (log_l[1] - log_l[0]):
        ...         state = State(state.position.flip(0), power * log_l.flip(0))
        ...     return state, info
        >>> generator = torch.Generator().manual_seed(0)
        >>> tempered = Kernel(warm.init, exchange)
        >>> chain = run(tempered, torch.ones(2, 1), 3000, generator=generator)
        >>> bool(0.4 < (chain.positions[:, 0] > 0).double().mean() < 0.6)
        True
    """

    init: Callable[[Tensor], State]
    move: Callable[[State, Noise], tuple[State, Info]]

    def step(self, state: State, generator: Generator | None = None) -> tuple[State, Info]:
        """Take a step with noise of its own.

        Example:
            >>> kernel = random_walk_kernel(lambda z: -0.5 * z.square().sum(dim=1), 0.5)
            >>> state = kernel.init(torch.zeros(3, 2))
            >>> state, info = kernel.step(state, torch.Generator().manual_seed(0))
            >>> info.accepted
            tensor([True, True, True])
        """
        if not isinstance(state, State):
            raise ValueError(f"state must be a State, as init returns it, got {state!r}")
        with torch.no_grad():
            return self.move(state, next(_noise(state.position, generator, 1)))


def run(
    kernel: Kernel,
    start: Tensor,
    n_steps: int,
    *,
    thin: int = 1,
    generator: Generator | None = None,
    progress: bool = True,
) -> Chain:
    """Take steps with a kernel, the one loop of all samplers.

    Memory is taken for the rows that are kept, and not for those between. Ctrl-C ends a run
    early: what was sampled so far is returned, with a warning.

    Args:
        kernel: what takes a step.
        start: the K states to start from [K, D], float32 or float64.
        n_steps: the number of steps, a multiple of `thin`.
        thin: one step in every `thin` is kept, which makes T = n_steps / thin rows.
        generator: the source of randomness; torch's global one if None.
        progress: whether a run of more than two seconds shows a bar on stderr.

    Raises:
        ValueError: when an argument is unfit, or an answer of the kernel or of its log density
            is, in which case a note names the step.

    Example:
        >>> kernel = random_walk_kernel(lambda z: -0.5 * z.square().sum(dim=1), 0.5)
        >>> chain = run(kernel, torch.zeros(3, 2), 100, thin=10)
        >>> chain.positions.shape
        torch.Size([10, 3, 2])
    """
    if not isinstance(kernel, Kernel):
        raise ValueError(f"kernel must be a Kernel, got {kernel!r}")
    _checks.points(start, "start", ("K", "D"))

    def move(state: State, noise: Noise) -> tuple[State, Info]:
        following, info = kernel.move(state, noise)
        _check_state(following, state.position)
        _check_answer(info.accepted, "accepted", state.position.shape[:1], torch.bool)
        return following, info

    checked = Kernel(kernel.init, move)
    return _sample(
        lambda step: checked, start, n_steps, None, _Warmup(), thin, generator, progress
    )


def pcn(
    log_likelihood: LogDensity,
    start: Tensor,
    n_steps: int,
    step: float,
    *,
    prior: GaussianPrior | None = None,
    thin: int = 1,
    warmup: int = 0,
    target_acceptance: float = 0.3,
    generator: Generator | None = None,
    progress: bool = True,
) -> Chain:
    r"""Sample a likelihood times a normal prior by preconditioned Crank–Nicolson.

    For :math:`\pi(z) \propto L(z)\, \mathcal{N}(z; m, C)` the proposal

    .. math:: z' = m + \sqrt{1 - \mathrm{step}^2}\, (z - m) + \mathrm{step}\, \xi,
        \qquad \xi \sim \mathcal{N}(0, C),

    is reversible with respect to the prior, whatever its mean and covariance. The prior therefore
    cancels from the ratio of Metropolis and Hastings, and the step is accepted with probability
    :math:`\min(1, L(z') / L(z))`.

    Positions keep the dtype of `start`; the proposal is formed as z plus a small change, since
    :math:`\sqrt{1 - \mathrm{step}^2}` rounded to float32 falsifies the prior's variance by
    a hundredth at step 0.002. Log-likelihoods are subtracted and compared with :math:`\log u`
    in float64, which float32 values reach unharmed up to some :math:`10^5` nats; beyond that
    the spacing of float32 itself matters, and a warning says so.

    Args:
        log_likelihood: from [K, D] to [K], nats, one call for all chains, without gradients; an
            additive constant does not matter. A value of -inf is never accepted and cannot be a
            start.
        start: the K states to start from [K, D], float32 or float64.
        n_steps: the number of steps after the warm-up, a multiple of `thin`.
        step: the share of fresh noise, s in the book, in (0, 1]; where it begins if there is a
            warm-up.
        prior: the normal distribution that the likelihood is weighed with; N(0, I) if None.
        thin: one step in every `thin` is kept, which makes T = n_steps / thin rows.
        warmup: the number of steps before, in which `step` follows the acceptance rate of all
            chains; it is fixed afterwards and stands in `Chain.step`.
        target_acceptance: the acceptance rate the warm-up aims at.
        generator: the source of randomness; torch's global one if None.
        progress: whether a run of more than two seconds shows a bar on stderr.

    Returns:
        The chains; after Ctrl-C those of the steps so far, with a warning.

    Raises:
        ValueError: when an argument is unfit, or `log_likelihood` returns NaN, +inf, or anything
            but float32 or float64 [K].

    Source:
        MCMC Methods for Functions: Modifying Old Algorithms to Make Them Faster
        (Cotter, Roberts, Stuart and White, 2013), section 4 | https://arxiv.org/abs/1202.0709

    Example:
        The observation 2 of z + N(0, 1) under a prior with mean 1 has the posterior N(3/2, 1/2).

        >>> from vaebook.models.priors import DiagonalNormal
        >>> prior = DiagonalNormal(torch.ones(1), torch.zeros(1))
        >>> generator = torch.Generator().manual_seed(0)
        >>> chain = pcn(
        ...     lambda z: -0.5 * (2 - z[:, 0]) ** 2, torch.zeros(200, 1), 500, 0.7,
        ...     prior=prior, generator=generator,
        ... )
        >>> print(f"{chain.positions[50:].mean():.1f} {chain.positions[50:].var():.1f}")
        1.5 0.5
    """
    kernel_of = partial(pcn_kernel, log_likelihood, prior=prior)
    tuning = _Warmup(warmup, target_acceptance, largest=1.0)
    # A prior's colour is left to each step: the matrix product of a block has other last bits.
    scale_of = _pcn_scale if prior is None else None

    return _sample(kernel_of, start, n_steps, step, tuning, thin, generator, progress, scale_of)


def random_walk(
    log_density: LogDensity,
    start: Tensor,
    n_steps: int,
    step: float,
    *,
    thin: int = 1,
    warmup: int = 0,
    target_acceptance: float = 0.234,
    generator: Generator | None = None,
    progress: bool = True,
) -> Chain:
    r"""Sample a density :math:`\pi(z)` by random-walk Metropolis.

    .. math:: z' = z + \mathrm{step}\, \xi, \qquad \xi \sim \mathcal{N}(0, I),

    accepted with probability :math:`\min(1, \pi(z') / \pi(z))`.

    Args:
        log_density: from [K, D] to [K], the log of the whole density, a prior included, nats.
        step: the standard deviation of a move, positive.

    The other arguments, errors and Ctrl-C are those of :func:`pcn`.

    Source:
        Equation of State Calculations by Fast Computing Machines (Metropolis et al., 1953)
        | https://doi.org/10.1063/1.1699114

    Example:
        >>> chain = random_walk(
        ...     lambda z: -0.5 * z.square().sum(dim=1), torch.zeros(8, 2), 100, 1.0, warmup=50
        ... )
        >>> chain.positions.shape, chain.acceptance_rate.shape
        (torch.Size([100, 8, 2]), torch.Size([8]))
    """
    kernel_of = partial(random_walk_kernel, log_density)
    tuning = _Warmup(warmup, target_acceptance)

    return _sample(kernel_of, start, n_steps, step, tuning, thin, generator, progress)


def mala(
    log_density: LogDensity,
    start: Tensor,
    n_steps: int,
    step: float,
    *,
    thin: int = 1,
    warmup: int = 0,
    target_acceptance: float = 0.574,
    generator: Generator | None = None,
    progress: bool = True,
) -> Chain:
    r"""Sample a density :math:`\pi(z)` by the Metropolis-adjusted Langevin algorithm.

    .. math:: z' = z + \tfrac{1}{2} \mathrm{step}^2\, \nabla \log \pi(z) + \mathrm{step}\, \xi,
        \qquad \xi \sim \mathcal{N}(0, I),

    accepted with the ratio of Metropolis and Hastings. The noise that would lead back is
    :math:`\xi' = -\xi - \tfrac{1}{2} \mathrm{step}\, (\nabla \log \pi(z) + \nabla \log \pi(z'))`,
    so that :math:`\log q(z \mid z') - \log q(z' \mid z) = \tfrac{1}{2} (|\xi|^2 - |\xi'|^2)`
    without a difference of positions.

    Args:
        log_density: from [K, D] to [K], the log of the whole density, a prior included, nats;
            each value depends on its own row alone, differentiably.
        step: the standard deviation of a move's noise, positive.

    The other arguments, errors and Ctrl-C are those of :func:`pcn`.

    Source:
        Exponential Convergence of Langevin Distributions and Their Discrete Approximations
        (Roberts and Tweedie, 1996) | https://doi.org/10.2307/3318418

    Example:
        >>> chain = mala(
        ...     lambda z: -0.5 * z.square().sum(dim=1), torch.zeros(8, 2), 100, 1.0, thin=5
        ... )
        >>> chain.log_target.shape
        torch.Size([20, 8])
    """
    kernel_of = partial(mala_kernel, log_density)
    tuning = _Warmup(warmup, target_acceptance)

    return _sample(kernel_of, start, n_steps, step, tuning, thin, generator, progress)


def elliptical_slice(
    log_likelihood: LogDensity,
    start: Tensor,
    n_steps: int,
    *,
    prior: GaussianPrior | None = None,
    thin: int = 1,
    generator: Generator | None = None,
    progress: bool = True,
) -> Chain:
    r"""Sample a likelihood times a normal prior by elliptical slice sampling.

    A draw :math:`\xi \sim \mathcal{N}(0, C)` and the state span the ellipse
    :math:`z' = m + (z - m) \cos\theta + \xi \sin\theta`, and a uniform draw :math:`u` sets the
    level :math:`u L(z)`.
    Angles are drawn from a bracket that shrinks towards :math:`\theta = 0` until :math:`L(z')`
    exceeds the level. Every step moves and there is no step size; what varies is the number of
    calls, which is that of the slowest chain (`Chain.evaluations`).

    The arguments, errors and Ctrl-C are those of :func:`pcn`. Here `log_likelihood` must be
    deterministic.

    Source:
        Elliptical slice sampling (Murray, Adams and MacKay, 2010), figure 2
        | https://arxiv.org/abs/1001.0175

    Example:
        >>> chain = elliptical_slice(lambda z: -2 * (z[:, 0] - 1) ** 2, torch.zeros(8, 1), 50)
        >>> bool(chain.accepted.all())
        True
    """
    kernel = elliptical_slice_kernel(log_likelihood, prior)

    return _sample(lambda step: kernel, start, n_steps, None, _Warmup(), thin, generator, progress)


def pcn_kernel(
    log_likelihood: LogDensity, step: float, prior: GaussianPrior | None = None
) -> Kernel:
    """Return the kernel of :func:`pcn`, whose arguments these are.

    Example:
        >>> kernel = pcn_kernel(lambda z: -2 * (z[:, 0] - 1) ** 2, 0.5)
        >>> state, info = kernel.step(kernel.init(torch.zeros(3, 1)))
        >>> state.position.shape, info.evaluations
        (torch.Size([3, 1]), 1)
    """
    _checks.number(step, "step", 1e-30, 1)
    _check_prior(prior)
    evaluate = _evaluator(log_likelihood, "log_likelihood")
    # z' = z + share (m + scale xi - z) with share = 1 - sqrt(1 - step^2), without cancellation
    scale = _pcn_scale(step)
    share = step / scale

    def move(state: State, noise: Noise | _Scaled) -> tuple[State, Info]:
        scaled = isinstance(noise, _Scaled)
        far = noise.normal if scaled else scale * _colored(noise.normal, prior)
        if prior is not None:
            far += prior.mean
        position = torch.lerp(state.position, far, share)

        if scaled and isinstance(noise.log_u, float):
            values = _checked(log_likelihood(position), position, "log_likelihood")
            log_target: Any = values.item()
            # A tensor until the first move by scaled noise.
            if noise.log_u < log_target - float(state.log_target):
                return State(position, log_target), _MOVED
            return state, _STAYED

        proposed = evaluate(position)
        return _metropolis(state, proposed, proposed.log_target - state.log_target, noise.log_u)

    return Kernel(partial(_init, evaluate, prior), move)


def _pcn_scale(step: float) -> float:
    return (1 + math.sqrt(1 - step**2)) / step


def random_walk_kernel(log_density: LogDensity, step: float) -> Kernel:
    """Return the kernel of :func:`random_walk`, whose arguments these are.

    Example:
        >>> kernel = random_walk_kernel(lambda z: -0.5 * z.square().sum(dim=1), 0.5)
        >>> kernel.init(torch.ones(3, 2)).log_target
        tensor([-1., -1., -1.], dtype=torch.float64)
    """
    _checks.number(step, "step", 0, 1e9, open=True)
    evaluate = _evaluator(log_density, "log_density")

    def move(state: State, noise: Noise) -> tuple[State, Info]:
        proposed = evaluate(torch.add(state.position, noise.normal, alpha=step))

        return _metropolis(state, proposed, proposed.log_target - state.log_target, noise.log_u)

    return Kernel(partial(_init, evaluate, None), move)


def mala_kernel(log_density: LogDensity, step: float) -> Kernel:
    """Return the kernel of :func:`mala`, whose arguments these are.

    Example:
        >>> kernel = mala_kernel(lambda z: -0.5 * z.square().sum(dim=1), 0.5)
        >>> kernel.init(torch.ones(1, 2)).gradient
        tensor([[-1., -1.]])
    """
    _checks.number(step, "step", 0, 1e9, open=True)
    evaluate = _gradient_evaluator(log_density, "log_density")

    def move(state: State, noise: Noise) -> tuple[State, Info]:
        change = torch.add(step * noise.normal, state.gradient, alpha=0.5 * step**2)
        proposed = evaluate(state.position + change)

        back = noise.normal + 0.5 * step * (state.gradient + proposed.gradient)
        squares = noise.normal.square().sum(dim=1) - back.square().sum(dim=1)
        log_kernels = 0.5 * _checks.double(squares)
        log_ratio = proposed.log_target - state.log_target + log_kernels

        return _metropolis(state, proposed, log_ratio, noise.log_u)

    return Kernel(partial(_init, evaluate, None), move)


def elliptical_slice_kernel(
    log_likelihood: LogDensity, prior: GaussianPrior | None = None
) -> Kernel:
    """Return the kernel of :func:`elliptical_slice`, whose arguments these are.

    Example:
        >>> kernel = elliptical_slice_kernel(lambda z: -2 * (z[:, 0] - 1) ** 2)
        >>> state, info = kernel.step(kernel.init(torch.zeros(3, 1)))
        >>> info.accepted
        tensor([True, True, True])
    """
    _check_prior(prior)
    evaluate = _evaluator(log_likelihood, "log_likelihood")

    def move(state: State, noise: Noise) -> tuple[State, Info]:
        origin = state.position
        centred = origin if prior is None else origin - prior.mean
        colored = _colored(noise.normal, prior)
        level = state.log_target + noise.log_u
        high = 2 * math.pi * _checks.rand(level.shape, level, noise.generator)
        low = high - 2 * math.pi
        angle = high
        found = torch.zeros_like(level, dtype=torch.bool)

        for shrinks in range(_MAX_SHRINKS):
            # cos - 1 without cancellation, as in pCN's proposal
            contraction = (-2 * (0.5 * angle).sin().square()).to(colored)[:, None]
            change = contraction * centred + angle.sin().to(colored)[:, None] * colored
            proposed = evaluate(origin + change)

            hit = (proposed.log_target > level) & ~found
            state = _where(hit, proposed, state)
            found |= hit
            if found.all():
                return state, Info(found, shrinks + 1)

            low = torch.where(angle < 0, angle, low)
            high = torch.where(angle < 0, high, angle)
            angle = low + (high - low) * _checks.rand(level.shape, level, noise.generator)

        raise ValueError(
            f"log_likelihood must be deterministic, but chain {_first(~found)} found no point "
            f"above its level in {_MAX_SHRINKS} ever smaller moves"
        )

    return Kernel(partial(_init, evaluate, prior), move)


def _colored(noise: Tensor, prior: GaussianPrior | None) -> Tensor:
    return noise if prior is None else prior.color(noise)


def _metropolis(
    current: State, proposed: State, log_ratio: Tensor, log_u: Tensor
) -> tuple[State, Info]:
    accepted = log_u < log_ratio

    return _where(accepted, proposed, current), Info(accepted, 1)


def _where(moved: Tensor, new: State, old: State) -> State:
    if moved.shape[0] == 1:  # to ask is faster than to mix
        return new if moved else old
    column = moved.unsqueeze(1)
    if moved.is_cpu != new.position.is_cpu:
        column = column.to(new.position.device)
    gradient = old.gradient
    if gradient is not None:
        gradient = torch.where(column, new.gradient, gradient)

    return State(
        torch.where(column, new.position, old.position),
        torch.where(moved, new.log_target, old.log_target),
        gradient,
    )


def _evaluator(function: LogDensity, name: str) -> Callable[[Tensor], State]:
    """Return what makes a state of a position, with every answer of the function checked.

    The answer is copied, as the function may write its next one where the last is.
    """
    _check_callable(function, name)

    def evaluate(position: Tensor) -> State:
        return State(position, _checked(function(position), position, name).clone())

    return evaluate


def _gradient_evaluator(function: LogDensity, name: str) -> Callable[[Tensor], State]:
    """Return the same with the gradient."""
    _check_callable(function, name)

    def evaluate(position: Tensor) -> State:
        with torch.inference_mode(False), torch.enable_grad():
            leaf = position.clone().requires_grad_()
            values = function(leaf)
            log_target = _checked(values, position, name)
            gradient = None
            if values.requires_grad:
                (gradient,) = torch.autograd.grad(values.sum(), leaf, allow_unused=True)
            if gradient is None:
                raise ValueError(f"{name} must be differentiable with respect to its argument")

        log_target, gradient = log_target.detach().clone(), gradient.clone()
        bad = ~gradient.isfinite().all(dim=1).to(log_target.device) & (log_target > -math.inf)
        if bad.any():
            raise ValueError(
                f"{name} has a gradient that is not finite in chain {_first(bad)}, "
                f"{gradient[_first(bad)].tolist()} at {position[_first(bad)].tolist()}"
            )

        return State(position, log_target, gradient)

    return evaluate


def _checked(values: Tensor, position: Tensor, name: str) -> Tensor:
    chains = position.shape[0]
    if not isinstance(values, Tensor) or values.shape != (chains,):
        found = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(f"{name} must return one value per chain, [{chains}], got {found}")
    if values.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"{name} must return float32 or float64, got {values.dtype}")
    # The maximum is NaN if any value is: one reduction finds NaN and +inf alike.
    largest = values if chains == 1 else values.max()
    if not largest.item() < math.inf:
        chain = _first(~(values < math.inf))
        raise ValueError(
            f"{name} must return numbers or -inf, got {values[chain].item()} in chain {chain} "
            f"for {position[chain].tolist()}"
        )

    return _checks.double(values)


def _init(
    evaluate: Callable[[Tensor], State], prior: GaussianPrior | None, start: Tensor
) -> State:
    _checks.points(start, "start", ("K", "D" if prior is None else prior.latent_dim))
    if prior is not None:
        _checks.alike(start=start, prior=prior.mean)

    with torch.no_grad():
        state = evaluate(start.detach().clone())
    if state.log_target.device != _checks.double(start[:0]).device:
        raise ValueError(
            f"log densities must be on start's device, {start.device}, "
            f"got {state.log_target.device}"
        )
    impossible = state.log_target == -math.inf
    if impossible.any():
        raise ValueError(
            f"start must have positive density, but its logarithm is -inf for "
            f"{int(impossible.sum())} of {len(start)} chains, the first is {_first(impossible)}"
        )
    size = state.log_target.abs().max().item()
    if size > _FLOAT32_NATS and torch.equal(state.log_target.float().double(), state.log_target):
        warnings.warn(
            f"log densities near {size:.1e} come in float32, whose neighbours are too far apart "
            "there to decide a step by: return float64",
            stacklevel=4,
        )

    return state


@dataclass(frozen=True)
class _Warmup:
    r"""Robbins and Monro's search for the step with the acceptance rate aimed at.

    .. math:: \log \mathrm{step}_{t+1} = \log \mathrm{step}_t + (t + 1)^{-0.6} (a_t - a^*)

    Source:
        A tutorial on adaptive MCMC (Andrieu and Thoms, 2008), algorithm 4
        | https://doi.org/10.1007/s11222-008-9110-y
    """

    steps: int = 0
    acceptance: float = 0.5
    largest: float = math.inf

    def __post_init__(self) -> None:
        _checks.count(self.steps, "warmup", 0)
        _checks.number(self.acceptance, "target_acceptance", 0, 1, open=True)

    def __call__(self, step: Any, accepted: Tensor, t: int) -> Any:
        error = accepted.double().mean().item() - self.acceptance
        return min(self.largest, step * math.exp((t + 1) ** -0.6 * error))


def _sample(
    kernel_of: Callable[[Any], Kernel],
    start: Tensor,
    n_steps: int,
    step: float | None,
    warmup: _Warmup,
    thin: int,
    generator: Generator | None,
    progress: bool,
    scale_of: Callable[[Any], float] | None = None,
) -> Chain:
    """Run the loop of all samplers: start, warm-up, and n_steps steps.

    Where the kernel takes its noise scaled, `scale_of` says by how much at which step size. It is
    asked after the warm-up, in which the step size changes, and the block in which that ends
    stays unscaled.
    """
    _checks.count(n_steps, "n_steps")
    _checks.count(thin, "thin")
    if not isinstance(progress, bool):
        raise ValueError(f"progress must be True or False, got {progress!r}")
    if n_steps % thin:
        raise ValueError(f"n_steps must be a multiple of thin, got {n_steps} and {thin}")

    kernel = kernel_of(step)
    state = kernel.init(start)
    _check_state(state, start)
    evaluations = 1
    history = _History(n_steps // thin, state)
    scale: float | None = None
    draws = _noise(start, generator, _block_length(start), lambda: scale)
    bar = partial(_progress.bar, progress, unit="step", delay=2, leave=False)
    phase, t = "warm-up step", 0
    moves: Any = 0

    with torch.inference_mode():
        try:
            for t, noise in enumerate(
                bar(islice(draws, warmup.steps), desc="warm-up", total=warmup.steps)
            ):
                state, info = kernel.move(state, noise)
                evaluations += info.evaluations
                step = warmup(step, info.accepted, t)
                kernel = kernel_of(step)

            phase = "step"
            scale = None if scale_of is None else scale_of(step)
            for t, noise in enumerate(bar(islice(draws, n_steps), desc="sampling", total=n_steps)):
                state, info = kernel.move(state, noise)
                evaluations += info.evaluations
                moves = info.accepted if thin == 1 else moves + info.accepted
                if (t + 1) % thin == 0:
                    history.append(state, moves)
                    moves = 0
        except ValueError as error:
            error.add_note(f"at {phase} {t}")
            raise
        except KeyboardInterrupt:
            if len(history) == 0:
                raise
            warnings.warn(f"interrupted: {thin * len(history)} of {n_steps} steps", stacklevel=3)

        history.write()

    rows = slice(history.done)
    return Chain(
        history.positions[rows],
        history.moves[rows],
        history.log_target[rows],
        evaluations,
        thin,
        step,
    )


class _History:
    """The rows of a chain as they come, copied to their place a block at a time."""

    def __init__(self, n_rows: int, start: State) -> None:
        def rows(like: Tensor, dtype: torch.dtype) -> Tensor:
            return torch.empty(n_rows, *like.shape, dtype=dtype, device=like.device)

        self.positions = rows(start.position, start.position.dtype)
        self.moves = rows(start.log_target, torch.int32)
        self.log_target = rows(start.log_target, start.log_target.dtype)
        self.block_length = _block_length(start.position)
        self.block: list[tuple[State, Any]] = []
        self.done = 0

    def __len__(self) -> int:
        return self.done + len(self.block)

    def append(self, state: State, moves: Any) -> None:
        self.block.append((state, moves))
        if len(self.block) == self.block_length:
            self.write()

    def write(self) -> None:
        # An interrupt may come between any two lines: writing a block again does no harm.
        if self.block:
            here = slice(self.done, len(self))
            torch.stack([state.position for state, _ in self.block], out=self.positions[here])
            _fill(self.log_target[here], [state.log_target for state, _ in self.block])
            _fill(self.moves[here], [moves for _, moves in self.block])
            self.done, self.block = len(self), []


def _fill(rows: Tensor, values: list[Any]) -> None:
    """Write what is known of each row: tensors [K], or from some row on numbers of one chain."""
    if isinstance(values[-1], Tensor):
        rows.copy_(torch.stack(values))
    else:
        numbers = list(map(float, values))
        rows.copy_(torch.tensor(numbers, dtype=torch.float64, device="cpu").unsqueeze(1))


def _check_state(state: State, like: Tensor) -> None:
    """Refuse a state that is not of as many chains, dimensions and digits as these positions."""
    _check_answer(state.position, "position", like.shape, like.dtype)
    _check_answer(state.log_target, "log_target", like.shape[:1], torch.float64)


def _check_answer(value: object, name: str, shape: torch.Size, dtype: torch.dtype) -> None:
    if not isinstance(value, Tensor) or value.shape != shape or value.dtype != dtype:
        found = type(value).__name__
        if isinstance(value, Tensor):
            found = f"{value.dtype} of shape {list(value.shape)}"
        raise ValueError(f"a kernel must hand on {name} as {dtype} {list(shape)}, got {found}")


def _noise(
    like: Tensor,
    generator: Generator | None,
    n: int,
    scale: Callable[[], float | None] = lambda: None,
) -> Iterator[Any]:
    """Draw the noise of one step after the other, n steps at a time, and scale it if asked."""
    log_density = _checks.double(like[:, 0])

    while True:
        normal = _checks.randn((n, *like.shape), like, generator)
        log_u = _checks.rand((n, len(like)), log_density, generator).log_()
        factor = scale()
        if factor is None:
            yield from map(Noise, normal.unbind(), log_u.unbind(), repeat(generator))
        else:
            numbers = len(like) == 1 and log_u.is_cpu
            levels = log_u.flatten().tolist() if numbers else log_u.unbind()
            yield from map(_Scaled, normal.mul_(factor).unbind(), levels)


def _block_length(like: Tensor) -> int:
    return max(1, min(_BLOCK_STEPS, _BLOCK_NUMBERS // like.numel()))


def _arviz() -> Any:
    if "arviz" not in sys.modules:
        with warnings.catch_warnings():
            # ArviZ announces its next version when it is first imported.
            warnings.simplefilter("ignore", FutureWarning)
            importlib.import_module("arviz")

    return sys.modules["arviz"]


def _first(mask: Tensor) -> int:
    return int(mask.nonzero()[0])


def _check_callable(function: object, name: str) -> None:
    if not callable(function):
        raise ValueError(f"{name} must be a callable from [K, D] to [K], got {function!r}")


def _check_prior(prior: object) -> None:
    if prior is not None and not isinstance(prior, GaussianPrior):
        raise ValueError(f"prior must be a GaussianPrior, such as FullNormal, got {prior!r}")
