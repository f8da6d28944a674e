"""Each broken sampler is caught by a statistical check, and the right ones pass them all.

The mutants are made from the module's own source: in one function one expression is replaced.
"""

import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch

from tests.unit.samplers_checks import CHECKS, PRIOR_CHECKS, Sampler, steps_have_the_reported_size
from vaebook.latent import samplers

pytestmark = [pytest.mark.slow, pytest.mark.weekly]

# A right sampler fails a check with at most this probability over the choice of seeds, hence one
# of the 59 below with at most 6e-5. A mutant counts as caught only beyond it.
FALSE_ALARM = 1e-6


def by_hand(kernel, start, n_steps, generator):
    """A chain by a public kernel's own steps, as a reader would write it."""
    state, positions, moves = kernel.init(start), [], []
    for _ in range(n_steps):
        state, info = kernel.step(state, generator)
        positions.append(state.position)
        moves.append(info.accepted)

    return samplers.Chain(
        torch.stack(positions), torch.stack(moves).int(), torch.zeros(0), n_steps, step=0.6
    )


def sampler_of(module: ModuleType, name: str) -> Sampler:
    """The samplers of a module in one form: a likelihood times a prior, at a fixed step."""

    def posterior(log_likelihood):
        return lambda z: log_likelihood(z) - 0.5 * z.square().sum(dim=1)

    return {
        "pcn": lambda f, z, n, g, prior=None: module.pcn(f, z, n, 0.6, prior=prior, generator=g),
        "pcn, adapted": lambda f, z, n, g, prior=None: module.pcn(
            f, z, n, 0.02, prior=prior, warmup=5, generator=g
        ),
        "pcn by hand": lambda f, z, n, g, prior=None: by_hand(
            module.pcn_kernel(f, 0.6, prior), z, n, g
        ),
        "random_walk": lambda f, z, n, g: module.random_walk(posterior(f), z, n, 0.8, generator=g),
        "random_walk by hand": lambda f, z, n, g: by_hand(
            module.random_walk_kernel(posterior(f), 0.8), z, n, g
        ),
        "mala": lambda f, z, n, g: module.mala(posterior(f), z, n, 0.9, generator=g),
        "mala by hand": lambda f, z, n, g: by_hand(module.mala_kernel(posterior(f), 0.9), z, n, g),
        "elliptical_slice": lambda f, z, n, g, prior=None: module.elliptical_slice(
            f, z, n, prior=prior, generator=g
        ),
        "elliptical_slice by hand": lambda f, z, n, g, prior=None: by_hand(
            module.elliptical_slice_kernel(f, prior), z, n, g
        ),
    }[name]


def mutant_of(function: str, old: str, new: str) -> ModuleType:
    source = inspect.getsource(samplers)
    part = inspect.getsource(getattr(samplers, function))
    assert source.count(part) == 1
    assert part.count(old) == 1, f"{old!r} must stand once in {function}"

    mutant = ModuleType("mutant")
    exec(source.replace(part, part.replace(old, new)), vars(mutant))
    return mutant


def p_values(module: ModuleType, name: str) -> Iterator[tuple[str, float]]:
    sampler = sampler_of(module, name)
    if name.startswith("pcn"):
        yield "steps_have_the_reported_size", steps_have_the_reported_size(sampler)
    takes_a_prior = name.startswith(("pcn", "elliptical"))
    for check in CHECKS + PRIOR_CHECKS * takes_a_prior:
        yield check.__name__, check(sampler)


@pytest.mark.parametrize("way", ["", " by hand"])
@pytest.mark.parametrize("kind", ["pcn", "random_walk", "mala", "elliptical_slice"])
def test_a_right_sampler_passes_every_check(kind, way):
    for check, p in p_values(samplers, kind + way):
        assert p > FALSE_ALARM, f"{check}: p = {p:.1e}"


def test_a_step_is_what_the_chain_reports_after_a_warmup():
    p = steps_have_the_reported_size(sampler_of(samplers, "pcn, adapted"))
    assert p > FALSE_ALARM


RATIO = "proposed.log_target - state.log_target"
SQUARES = "proposed.position.square().sum(dim=1) - state.position.square().sum(dim=1)"
ACCEPT = "accepted = log_u < log_ratio"
PROPOSAL = "torch.lerp(state.position, far, share)"
NOISE = "_colored(noise.normal, prior)"
KEPT = "                moves = info.accepted if thin == 1 else moves + info.accepted\n"
STEP = f"""\
                state, info = kernel.move(state, noise)
                evaluations += info.evaluations
{KEPT}"""
PCN = "pcn_kernel"
SLICE = "elliptical_slice_kernel"

MUTANTS = {
    "the ratio with swapped kernels, as printed": (
        "pcn", PCN, RATIO, f"{RATIO} - ({SQUARES})"
    ),
    "the prior counted twice": ("pcn", PCN, RATIO, f"{RATIO} - 0.5 * ({SQUARES})"),
    "the ratio upside down": ("pcn", PCN, RATIO, f"-({RATIO})"),
    "no square root": (
        "pcn", PCN, PROPOSAL, "(1 - step**2) * state.position + share * far"
    ),
    "no contraction": ("pcn", PCN, PROPOSAL, "state.position + share * far"),
    "the step squared": ("pcn", PCN, "    scale = ", "    step = step**2\n    scale = "),
    "the noise times the step squared": (
        "pcn", PCN, f"scale * {NOISE}", f"scale * step * {NOISE}"
    ),
    "the noise of a block scaled once too often": (
        "pcn", "_noise", "mul_(factor)", "mul_(factor).mul_(factor)"
    ),
    "the scale of the step before the warm-up": (
        "pcn, adapted", "_sample", "else scale_of(step)", "else scale_of(0.02)"
    ),
    "the noise of a block left unscaled": ("pcn", "_noise", ".mul_(factor)", ""),
    "one noise for all chains": (
        "pcn", PCN, NOISE, "noise.normal[:1].expand_as(noise.normal)"
    ),
    "the prior's mean ignored": ("pcn", PCN, "far += prior.mean", "pass"),
    "the prior's mean as a drift": ("pcn", PCN, "far += prior.mean", "far += prior.mean / share"),
    "the prior's mean without its share": (
        "pcn", PCN, "far += prior.mean", "far += step * prior.mean / share"
    ),
    "the prior's covariance ignored": ("pcn", PCN, NOISE, "noise.normal"),
    "one uniform for all chains": (
        "pcn", "_metropolis", ACCEPT, "accepted = log_u[0] < log_ratio"
    ),
    "the noise of the first step in every step": (
        "random_walk", "_noise", "normal.unbind()", "normal[:1].expand_as(normal).unbind()"
    ),
    "the noise of the first step in every step of a block": (
        "pcn", "_noise", "mul_(factor)", "mul_(factor)[:1].expand_as(normal)"
    ),
    "u instead of log u": ("pcn", "_metropolis", ACCEPT, "accepted = log_u.exp() < log_ratio"),
    "max(1, ratio): always accepted": (
        "pcn", "_metropolis", ACCEPT, "accepted = log_u < log_ratio.clamp(min=0)"
    ),
    "only uphill": ("pcn", "_metropolis", ACCEPT, "accepted = log_ratio > 0"),
    "the square root of the ratio": (
        "pcn", "_metropolis", ACCEPT, "accepted = log_u < 0.5 * log_ratio"
    ),
    "the log-likelihood of the start kept for good": (
        "pcn", "_where",
        "torch.where(moved, new.log_target, old.log_target)", "old.log_target",
    ),
    "the log-likelihood of the last proposal, accepted or not": (
        "pcn", "_where",
        "torch.where(moved, new.log_target, old.log_target)", "new.log_target",
    ),
    "a neighbour's log-likelihood": (
        "pcn", PCN, RATIO, "proposed.log_target.roll(1) - state.log_target"
    ),
    "a rejected step not repeated": (
        "pcn", "_sample", STEP, STEP.replace("kernel.move(state, noise)",
        "_insistent(kernel, state, draws)"),
    ),
    "the proposal recorded for a rejected step": (
        "pcn", "_where", "torch.where(column, new.position, old.position)", "new.position",
    ),
    "an adaptation that goes on": (
        "pcn, adapted", "_sample", KEPT, KEPT + "                step = "
        "warmup(step, info.accepted, t)\n                kernel = kernel_of(step)\n",
    ),
    "a random walk with a drift": (
        "random_walk", "random_walk_kernel", "normal, alpha", "normal + 0.1, alpha"
    ),
    "Langevin without the kernels": ("mala", "mala_kernel", " + log_kernels", ""),
    "Langevin with swapped kernels": ("mala", "mala_kernel", " + log_kernels", " - log_kernels"),
    "Langevin with twice the drift": ("mala", "mala_kernel", "alpha=0.5 *", "alpha=1.0 *"),
    "Langevin with the gradient of the start": (
        "mala", "_where", "gradient = torch.where(column, new.gradient, gradient)", "pass",
    ),
    "a slice without its level": ("elliptical_slice", SLICE, "+ noise.log_u", "+ 2 * noise.log_u"),
    "a slice on half the ellipse": (
        "elliptical_slice", SLICE, "low = high - 2 * math.pi", "low = 0 * high"
    ),
    "a slice without the cosine": (
        "elliptical_slice", SLICE, "contraction * centred + ", ""
    ),
    "a slice without the prior's mean": (
        "elliptical_slice", SLICE, "origin - prior.mean", "origin"
    ),
    "a slice without the prior's covariance": ("elliptical_slice", SLICE, NOISE, "noise.normal"),
}  # fmt: skip


@pytest.mark.parametrize("fault", MUTANTS)
def test_a_broken_sampler_is_caught(fault):
    name, function, old, new = MUTANTS[fault]
    mutant = mutant_of(function, old, new)
    vars(mutant)["_insistent"] = insistent

    found = []
    for check, p in p_values(mutant, name):
        found.append(f"{check}: p = {p:.1e}")
        if p < FALSE_ALARM:
            return
    pytest.fail("no check noticed: " + ", ".join(found))


def insistent(kernel, state, draws):
    """Steps until each chain was accepted once: what is left when rejected rows are dropped."""
    done = torch.zeros(len(state.position), dtype=torch.bool)
    position, log_target = state.position, state.log_target
    for _ in range(50):
        proposed, info = kernel.move(state, next(draws))
        new = info.accepted & ~done
        position = torch.where(new[:, None], proposed.position, position)
        log_target = torch.where(new, proposed.log_target, log_target)
        done |= info.accepted
        if done.all():
            break
    return samplers.State(position, log_target), samplers.Info(done, 1)
