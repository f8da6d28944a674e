r"""Samplers in latent space: the prior, the aggregate posterior, and Markov chains."""

__all__ = [
    "Chain",
    "aggregate_posterior",
    "elliptical_slice",
    "mala",
    "pcn",
    "prior",
    "random_walk",
]

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from tqdm.std import tqdm

# Noise is drawn and states are written a block of steps at a time: at most so many steps, and so
# few numbers that they stay in a core's cache. The length depends on K and D alone, never on the
# number of steps, so that a short run is the beginning of a longer one with the same seed.
_BLOCK_STEPS = 256
_BLOCK_NUMBERS = 2**15

# Beyond it neighbouring float32 numbers are more than a hundredth of a nat apart.
_FLOAT32_NATS = 2**17

# With a deterministic log-likelihood a bracket shrinks to the current state long before this.
_MAX_SHRINKS = 500


def prior(n: int, latent_dim: int, generator: torch.Generator | None = None) -> Tensor:
    r"""Draws :math:`z \sim \mathcal{N}(0, I)`.

    Args:
        n: The number of draws.
        latent_dim: The number of latent dimensions :math:`D`.
        generator: The source of randomness; torch's global one if None.

    Returns:
        The draws, float32 [n, D].
    """

    _check_count("n", n)
    _check_count("latent_dim", latent_dim)

    return torch.randn(n, latent_dim, generator=generator, device=_device_of(generator))


def aggregate_posterior(
    n: int, mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    r"""Draws from the mixture of all encodings.

    .. math:: z \sim q(z) = \frac{1}{N} \sum_{i=1}^N
        \mathcal{N}(z; \mu_i, \mathrm{diag}\, e^{\mathrm{logvar}_i})

    An image is drawn uniformly, then a latent from its encoding.

    Args:
        n: The number of draws.
        mu: The means of the encodings [N, D].
        logvar: The log variances of the encodings [N, D].
        generator: The source of randomness; torch's global one if None.

    Returns:
        The draws [n, D], in the dtype of `mu`.

    Raises:
        ValueError: If `mu` and `logvar` are not finite matrices of one shape.
    """

    _check_count("n", n)
    _check_matrix("mu", mu, "[N, D]")
    _check_matrix("logvar", logvar, "[N, D]")
    if mu.shape != logvar.shape:
        raise ValueError(
            f"mu and logvar must have one shape, got {tuple(mu.shape)} and {tuple(logvar.shape)}"
        )
    _check_generator(generator, mu.device)

    i = torch.randint(len(mu), (n,), generator=generator, device=mu.device)
    noise = torch.randn(n, mu.shape[1], generator=generator, dtype=mu.dtype, device=mu.device)

    return mu[i] + torch.exp(0.5 * logvar[i]) * noise


@dataclass(frozen=True)
class Chain:
    r"""The history of K Markov chains over T steps.

    A slice is a chain again, a view on the same memory: `chain[500:]` leaves out the first 500
    steps, `chain[500::10]` keeps every tenth of the rest.

    Attributes:
        positions: Row t is the state after step t, repeated where the step was rejected
            [T, K, D].
        accepted: Whether step t moved chain k [T, K].
        log_likelihood: The log-likelihood of `positions`, for samplers that take a log density
            that density, float64 [T, K].
        step: The step size of all T steps, None for a sampler that has none.
        evaluations: How often the whole run asked for the log-likelihood of all K chains,
            start and warm-up included.
    """

    positions: Tensor
    accepted: Tensor
    log_likelihood: Tensor
    step: float | None
    evaluations: int

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, steps: slice) -> "Chain":
        if not isinstance(steps, slice):
            raise ValueError(
                f"a chain takes a slice of steps, as in chain[500::10], got {steps!r}"
            )

        return replace(
            self,
            positions=self.positions[steps],
            accepted=self.accepted[steps],
            log_likelihood=self.log_likelihood[steps],
        )

    @property
    def acceptance_rate(self) -> Tensor:
        """The share of steps that moved each chain, float64 [K]."""
        return self.accepted.double().mean(dim=0)

    def to_arviz(self) -> Any:
        """The chains as ArviZ's `InferenceData`: `z` and the log-likelihood `lp`."""
        positions, lp, accepted = (
            x.transpose(0, 1).cpu().numpy()
            for x in (self.positions, self.log_likelihood, self.accepted)
        )

        return _arviz().from_dict(
            posterior={"z": positions}, sample_stats={"lp": lp, "accepted": accepted}
        )

    def rhat(self) -> Tensor:
        """The rank-normalised split R-hat of each dimension, by ArviZ, float64 [D].

        References:
            Rank-Normalization, Folding, and Localization: An Improved R-hat (Vehtari et al.,
            2021) | https://doi.org/10.1214/20-BA1221
        """
        return torch.from_numpy(_arviz().rhat(self.to_arviz())["z"].to_numpy())

    def ess(self) -> Tensor:
        """The bulk effective sample size of each dimension over all chains, by ArviZ, [D]."""
        return torch.from_numpy(_arviz().ess(self.to_arviz())["z"].to_numpy())


def pcn(
    log_likelihood: Callable[[Tensor], Tensor],
    start: Tensor,
    n_steps: int,
    step: float,
    generator: torch.Generator | None = None,
    *,
    warmup: int = 0,
    target_acceptance: float = 0.3,
    progress: bool = True,
) -> Chain:
    r"""Samples :math:`\pi(z) \propto L(z)\, \mathcal{N}(z; 0, I)` by preconditioned Crank and
    Nicolson.

    .. math:: z' = \sqrt{1 - \mathrm{step}^2}\, z + \mathrm{step}\, \xi,
        \qquad \xi \sim \mathcal{N}(0, I),

    is reversible with respect to the prior. The prior therefore cancels from the ratio of
    Metropolis and Hastings, and the step is accepted with probability
    :math:`\min(1, L(z') / L(z))`.

    Positions keep the dtype of `start`; the proposal is formed as z plus a small change, since
    :math:`\sqrt{1 - \mathrm{step}^2}` rounded to float32 falsifies the prior's variance by
    a hundredth at step 0.002. Log-likelihoods are subtracted and compared with :math:`\log u`
    in float64, which float32 values reach unharmed up to some :math:`10^5` nats; beyond that
    their own spacing counts, and a warning says so.

    Ctrl-C ends a run early: what was sampled so far is returned, with a warning.

    The log-likelihood is called in inference mode, in which `torch.func` differentiates but
    `backward` does not.

    Args:
        log_likelihood: From [K, D] to [K], in nats, one call for all chains; an additive
            constant does not matter. A value of -inf is never accepted and cannot be a start.
        start: The K states to start from [K, D], float32 or float64.
        n_steps: The number of steps T that are kept.
        step: The share of fresh noise, pCN's beta, in (0, 1]; where it begins if there is a
            warm-up.
        generator: The source of randomness; torch's global one if None.
        warmup: The number of steps before those kept, in which `step` follows the acceptance
            rate of all chains; it is fixed afterwards and stands in `Chain.step`.
        target_acceptance: The acceptance rate the warm-up aims at.
        progress: Whether a run of more than two seconds shows a bar on stderr.

    Raises:
        ValueError: If an argument is unfit, or `log_likelihood` returns NaN, +inf, or anything
            but float32 or float64 [K].

    References:
        MCMC Methods for Functions: Modifying Old Algorithms to Make Them Faster
        (Cotter, Roberts, Stuart & White, 2013), section 4 | https://arxiv.org/abs/1202.0709
    """

    if not 0 < step <= 1:
        raise ValueError(f"step must lie in (0, 1], got {step!r}")

    target = _Target(log_likelihood, "log_likelihood")
    adaptation = _Adaptation(warmup, target_acceptance, largest=1.0)

    return _run(_pcn_kernel, target, start, n_steps, step, generator, adaptation, progress)


def random_walk(
    log_density: Callable[[Tensor], Tensor],
    start: Tensor,
    n_steps: int,
    step: float,
    generator: torch.Generator | None = None,
    *,
    warmup: int = 0,
    target_acceptance: float = 0.234,
    progress: bool = True,
) -> Chain:
    r"""Samples :math:`\pi(z) \propto e^{\mathrm{log\_density}(z)}` by random-walk Metropolis.

    .. math:: z' = z + \mathrm{step}\, \xi, \qquad \xi \sim \mathcal{N}(0, I),

    accepted with probability :math:`\min(1, \pi(z') / \pi(z))`.

    Args:
        log_density: From [K, D] to [K], the log of the whole density, a prior included.
        step: The standard deviation of a move, positive.

    The other arguments, errors and Ctrl-C are those of :func:`pcn`.

    References:
        Equation of State Calculations by Fast Computing Machines (Metropolis et al., 1953)
        | https://doi.org/10.1063/1.1699114
    """

    _check_positive("step", step)
    target = _Target(log_density, "log_density")
    adaptation = _Adaptation(warmup, target_acceptance)

    return _run(_random_walk_kernel, target, start, n_steps, step, generator, adaptation, progress)


def mala(
    log_density: Callable[[Tensor], Tensor],
    start: Tensor,
    n_steps: int,
    step: float,
    generator: torch.Generator | None = None,
    *,
    warmup: int = 0,
    target_acceptance: float = 0.574,
    progress: bool = True,
) -> Chain:
    r"""Samples :math:`\pi(z) \propto e^{\mathrm{log\_density}(z)}` by the Metropolis-adjusted
    Langevin algorithm.

    .. math:: z' = z + \tfrac{1}{2} \mathrm{step}^2\, \nabla \log \pi(z) + \mathrm{step}\, \xi,
        \qquad \xi \sim \mathcal{N}(0, I),

    accepted with the ratio of Metropolis and Hastings. The noise that would lead back is
    :math:`\xi' = -\xi - \tfrac{1}{2} \mathrm{step}\, (\nabla \log \pi(z) + \nabla \log \pi(z'))`,
    so that :math:`\log q(z \mid z') - \log q(z' \mid z) = \tfrac{1}{2} (|\xi|^2 - |\xi'|^2)`
    without a difference of positions.

    Args:
        log_density: From [K, D] to [K], the log of the whole density, a prior included; each
            value depends on its own row alone, differentiably.
        step: The standard deviation of a move's noise, positive.

    The other arguments, errors and Ctrl-C are those of :func:`pcn`.

    References:
        Exponential Convergence of Langevin Distributions and Their Discrete Approximations
        (Roberts & Tweedie, 1996) | https://doi.org/10.2307/3318418
    """

    _check_positive("step", step)
    target = _Target(log_density, "log_density", differentiate=True)
    adaptation = _Adaptation(warmup, target_acceptance)

    return _run(_mala_kernel, target, start, n_steps, step, generator, adaptation, progress)


def elliptical_slice(
    log_likelihood: Callable[[Tensor], Tensor],
    start: Tensor,
    n_steps: int,
    generator: torch.Generator | None = None,
    *,
    progress: bool = True,
) -> Chain:
    r"""Samples :math:`\pi(z) \propto L(z)\, \mathcal{N}(z; 0, I)` by elliptical slice sampling.

    A prior draw :math:`\xi` and the state span the ellipse
    :math:`z' = z \cos\theta + \xi \sin\theta`, and :math:`u` a level :math:`u L(z)`. Angles are
    drawn from a bracket that shrinks towards :math:`\theta = 0` until :math:`L(z')` exceeds
    the level. Every step moves and there is no step size; what varies is the number of calls,
    which is that of the slowest chain (`Chain.evaluations`).

    The arguments, errors and Ctrl-C are those of :func:`pcn`. Here `log_likelihood` must be
    deterministic.

    References:
        Elliptical slice sampling (Murray, Adams & MacKay, 2010), figure 2
        | https://arxiv.org/abs/1001.0175
    """

    target = _Target(log_likelihood, "log_likelihood")
    kernel = partial(_elliptical_slice_kernel, generator=generator)

    return _run(kernel, target, start, n_steps, None, generator, _Adaptation(), progress)


class _State(NamedTuple):
    """Where the chains stand."""

    position: Tensor  # [K, D]
    log_density: Tensor  # [K], float64
    gradient: Any = None  # [K, D] for MALA, None for those who don't need it


class _Kernel(Protocol):
    """One step of all chains: from a state and fresh noise to the next state and who moved."""

    def __call__(
        self, target: "_Target", state: _State, step: Any, noise: Tensor, log_u: Tensor
    ) -> tuple[_State, Tensor]: ...


def _pcn_kernel(
    target: "_Target", state: _State, step: float, noise: Tensor, log_u: Tensor
) -> tuple[_State, Tensor]:
    # sqrt(1 - step^2) - 1 without cancellation
    contraction = -(step**2) / (1 + math.sqrt(1 - step**2))
    change = (step * noise).add_(state.position, alpha=contraction)
    proposed = target(change.add_(state.position))

    return _metropolis(state, proposed, proposed.log_density - state.log_density, log_u)


def _random_walk_kernel(
    target: "_Target", state: _State, step: float, noise: Tensor, log_u: Tensor
) -> tuple[_State, Tensor]:
    proposed = target(torch.add(state.position, noise, alpha=step))

    return _metropolis(state, proposed, proposed.log_density - state.log_density, log_u)


def _mala_kernel(
    target: "_Target", state: _State, step: float, noise: Tensor, log_u: Tensor
) -> tuple[_State, Tensor]:
    change = torch.add(step * noise, state.gradient, alpha=0.5 * step**2)
    proposed = target(state.position + change)

    back = noise + 0.5 * step * (state.gradient + proposed.gradient)
    log_kernels = 0.5 * (noise.square().sum(dim=1) - back.square().sum(dim=1))
    log_ratio = proposed.log_density - state.log_density + log_kernels

    return _metropolis(state, proposed, log_ratio, log_u)


def _elliptical_slice_kernel(
    target: "_Target",
    state: _State,
    step: None,
    noise: Tensor,
    log_u: Tensor,
    generator: torch.Generator | None,
) -> tuple[_State, Tensor]:
    position, log_density = state.position, state.log_density
    level = log_density + log_u

    def uniform() -> Tensor:
        return torch.rand(log_u.shape, generator=generator, dtype=log_u.dtype, device=log_u.device)

    high = 2 * math.pi * uniform()
    low = high - 2 * math.pi
    angle = high
    found = torch.zeros_like(log_u, dtype=torch.bool)

    for _ in range(_MAX_SHRINKS):
        # cos - 1 without cancellation, as in pCN's proposal
        contraction = (-2 * (0.5 * angle).sin().square()).to(noise.dtype)[:, None]
        change = contraction * state.position + angle.sin().to(noise.dtype)[:, None] * noise
        proposed = target(state.position + change)

        hit = (proposed.log_density > level) & ~found
        position = torch.where(hit[:, None], proposed.position, position)
        log_density = torch.where(hit, proposed.log_density, log_density)
        found |= hit
        if found.all():
            return _State(position, log_density), found

        low = torch.where(angle < 0, angle, low)
        high = torch.where(angle < 0, high, angle)
        angle = low + (high - low) * uniform()

    raise ValueError(
        f"{target.name} is not deterministic at {target.where}: chain {_first(~found)} found no "
        f"point above its level in {_MAX_SHRINKS} ever smaller moves"
    )


def _metropolis(
    current: _State, proposed: _State, log_ratio: Tensor, log_u: Tensor
) -> tuple[_State, Tensor]:
    accepted = log_u < log_ratio
    column = accepted.unsqueeze(1)

    position = torch.where(column, proposed.position, current.position)
    log_density = torch.where(accepted, proposed.log_density, current.log_density)
    gradient = current.gradient
    if gradient is not None:
        gradient = torch.where(column, proposed.gradient, gradient)

    return _State(position, log_density, gradient), accepted


class _Target:
    """A log density whose every answer is checked before a chain sees it."""

    def __init__(
        self, function: Callable[[Tensor], Tensor], name: str, differentiate: bool = False
    ) -> None:
        if not callable(function):
            raise ValueError(f"{name} must be a callable from [K, D] to [K], got {function!r}")
        self.function = function
        self.name = name
        self.differentiate = differentiate
        self.where = "the start"
        self.calls = 0

    def __call__(self, position: Tensor) -> _State:
        if not self.differentiate:
            return _State(position, self._checked(self.function(position), position))

        with torch.enable_grad():
            position = position.detach().requires_grad_()
            values = self.function(position)
            log_density = self._checked(values, position)
            if not values.requires_grad:
                raise ValueError(
                    f"{self.name} must be differentiable with respect to its argument"
                )
            (gradient,) = torch.autograd.grad(values.sum(), position)

        log_density = log_density.detach()
        bad = ~gradient.isfinite().all(dim=1) & (log_density > -math.inf)
        if bad.any():
            raise ValueError(
                f"{self.name} has a gradient that is not finite at {self.where}, "
                f"chain {_first(bad)}: {gradient[_first(bad)].tolist()}"
            )

        return _State(position.detach(), log_density, gradient)

    def _checked(self, values: Tensor, position: Tensor) -> Tensor:
        self.calls += 1
        chains = len(position)
        if not isinstance(values, Tensor) or values.shape != (chains,):
            shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(
                f"{self.name} must return one value a chain, [{chains}], "
                f"got {shape} at {self.where}"
            )
        if values.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"{self.name} must return float32 or float64, got {values.dtype} at {self.where}"
            )
        # The maximum is NaN if any value is: one reduction finds NaN and +inf alike.
        if not values.max().item() < math.inf:
            chain = _first(~(values < math.inf))
            raise ValueError(
                f"{self.name} returned {values[chain].item()} at {self.where}, chain {chain}, "
                f"for {position[chain].tolist()}; it must be a number or -inf"
            )
        self.dtype = values.dtype

        return values.double()


class _Adaptation:
    r"""Robbins and Monro's search for the step with the acceptance rate aimed at.

    .. math:: \log \mathrm{step}_{t+1} = \log \mathrm{step}_t + (t + 1)^{-0.6} (a_t - a^*)

    References:
        A tutorial on adaptive MCMC (Andrieu & Thoms, 2008), algorithm 4
        | https://doi.org/10.1007/s11222-008-9110-y
    """

    def __init__(self, steps: int = 0, acceptance: float = 0.5, largest: float = math.inf) -> None:
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
            raise ValueError(f"warmup must be a whole number of steps, 0 or more, got {steps!r}")
        if not 0 < acceptance < 1:
            raise ValueError(f"target_acceptance must lie in (0, 1), got {acceptance!r}")
        self.steps = steps
        self.acceptance = acceptance
        self.largest = largest

    def __call__(self, step: Any, accepted: Tensor, t: int) -> Any:
        error = accepted.double().mean().item() - self.acceptance
        return min(self.largest, step * math.exp((t + 1) ** -0.6 * error))


def _run(
    kernel: _Kernel,
    target: _Target,
    start: Tensor,
    n_steps: int,
    step: float | None,
    generator: torch.Generator | None,
    adaptation: _Adaptation,
    progress: bool,
) -> Chain:
    """The loop of all samplers: start, warm-up, n_steps steps that are kept."""
    _check_count("n_steps", n_steps)
    _check_matrix("start", start, "[K, D]")
    _check_generator(generator, start.device)

    history = _History(n_steps, start)
    draws = _draws(start, generator)
    # No `disable` where the bar is wanted, so that tqdm's own TQDM_DISABLE is heard.
    silence = {} if progress else {"disable": True}
    bar = partial(tqdm, unit="step", delay=2, leave=False, **silence)

    with torch.inference_mode(not target.differentiate), torch.no_grad():
        state = _started(target, start)

        for t, (noise, log_u) in enumerate(
            bar(islice(draws, adaptation.steps), "warm-up", adaptation.steps)
        ):
            target.where = f"warm-up step {t}"
            state, accepted = kernel(target, state, step, noise, log_u)
            step = adaptation(step, accepted, t)

        try:
            for t, (noise, log_u) in enumerate(bar(islice(draws, n_steps), "sampling", n_steps)):
                target.where = f"step {t}"
                state, accepted = kernel(target, state, step, noise, log_u)
                history.append(state, accepted)
        except KeyboardInterrupt:
            if len(history) == 0:
                raise
            warnings.warn(f"interrupted: {len(history)} of {n_steps} steps", stacklevel=3)

        chain = history.chain(step, target.calls)

    size = chain.log_likelihood[-1].abs().max().item()
    if target.dtype == torch.float32 and size > _FLOAT32_NATS:
        warnings.warn(
            f"{target.name} returns float32 values near {size:.1e}, too far apart to decide a "
            "step by: return float64",
            stacklevel=3,
        )

    return chain


def _started(target: _Target, start: Tensor) -> _State:
    state = target(start.detach().clone())
    impossible = state.log_density == -math.inf
    if impossible.any():
        raise ValueError(
            f"start must have positive density, but {target.name} is -inf for "
            f"{int(impossible.sum())} of {len(start)} chains, the first is {_first(impossible)}"
        )

    # The caller's function may return the same memory again and again.
    return state._replace(log_density=state.log_density.clone())


class _History:
    """The rows of a chain as they come, copied to their place a block at a time."""

    def __init__(self, n_steps: int, start: Tensor) -> None:
        def rows(dtype: torch.dtype, *shape: int) -> Tensor:
            return torch.empty(n_steps, *shape, dtype=dtype, device=start.device)

        self.positions = rows(start.dtype, *start.shape)
        self.accepted = rows(torch.bool, len(start))
        self.log_likelihood = rows(torch.float64, len(start))
        self.block_length = _block_length(start)
        self.block: list[tuple[_State, Tensor]] = []
        self.done = 0

    def __len__(self) -> int:
        return self.done + len(self.block)

    def append(self, state: _State, accepted: Tensor) -> None:
        self.block.append((state, accepted))
        if len(self.block) == self.block_length:
            self.write()

    def write(self) -> None:
        # An interrupt may come between any two lines: writing a block again does no harm.
        if self.block:
            here = slice(self.done, len(self))
            torch.stack([state.position for state, _ in self.block], out=self.positions[here])
            torch.stack(
                [state.log_density for state, _ in self.block], out=self.log_likelihood[here]
            )
            torch.stack([accepted for _, accepted in self.block], out=self.accepted[here])
            self.done, self.block = len(self), []

    def chain(self, step: float | None, evaluations: int) -> Chain:
        self.write()
        rows = slice(self.done)

        return Chain(
            self.positions[rows], self.accepted[rows], self.log_likelihood[rows], step, evaluations
        )


def _draws(start: Tensor, generator: torch.Generator | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Standard normal noise [K, D] and log u [K] for one step after the other."""
    n = _block_length(start)
    options: dict[str, Any] = {"generator": generator, "device": start.device}

    while True:
        if start.dtype == torch.float64:
            noise = _normal_float64((n, *start.shape), options)
        else:
            noise = torch.randn(n, *start.shape, **options)
        log_u = torch.rand(n, len(start), dtype=torch.float64, **options).log_()
        yield from zip(noise.unbind(), log_u.unbind(), strict=True)


def _block_length(start: Tensor) -> int:
    return max(1, min(_BLOCK_STEPS, _BLOCK_NUMBERS // start.numel()))


def _normal_float64(shape: tuple[int, ...], options: dict[str, Any]) -> Tensor:
    """Box and Muller's transform, here twice as fast as torch.randn in float64."""
    numbers = math.prod(shape)
    uniform = torch.rand(2, (numbers + 1) // 2, dtype=torch.float64, **options)
    radius = uniform[0].neg().log1p_().mul_(-2).sqrt_()
    angle = uniform[1].mul_(2 * math.pi)

    return torch.cat([radius * angle.cos(), radius * angle.sin()])[:numbers].view(shape)


def _arviz() -> Any:
    with warnings.catch_warnings():
        # ArviZ announces its next version whenever it is imported.
        warnings.simplefilter("ignore", FutureWarning)
        import arviz

    return arviz


def _first(mask: Tensor) -> int:
    return int(mask.nonzero()[0])


def _device_of(generator: torch.Generator | None) -> torch.device | None:
    return None if generator is None else generator.device


def _check_count(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a whole number, 1 or more, got {value!r}")


def _check_positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value!r}")


def _check_matrix(name: str, value: Tensor, shape: str) -> None:
    if not isinstance(value, Tensor):
        raise ValueError(f"{name} must be a tensor {shape}, got {type(value).__name__}")
    if value.dim() != 2 or value.numel() == 0:
        raise ValueError(f"{name} must be {shape} and not empty, got shape {tuple(value.shape)}")
    if value.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"{name} must be float32 or float64, got {value.dtype}")
    bad = ~value.isfinite().all(dim=1)
    if bad.any():
        row = _first(bad)
        raise ValueError(f"{name} must be finite, got {value[row].tolist()} in row {row}")


def _check_generator(generator: torch.Generator | None, device: torch.device) -> None:
    if generator is not None and generator.device.type != device.type:
        raise ValueError(f"generator must be on {device}, got one on {generator.device}")
