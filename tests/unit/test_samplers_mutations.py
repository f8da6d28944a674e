"""Each broken sampler is caught by a statistical check, and the right ones pass them all.

The mutants are made from the module's own source: in one function one expression is replaced.
"""

import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from samplers_checks import (
    CHECKS,
    Sampler,
    steps_have_the_reported_size,
)

from vaebook.latent import samplers

# A right sampler fails a check with at most this probability over the choice of seeds, hence one
# of the 26 below with at most 3e-5. A mutant counts as caught only beyond it.
FALSE_ALARM = 1e-6


def sampler_of(module: ModuleType, name: str) -> Sampler:
    """The samplers of a module in one form: a likelihood times N(0, I), at a fixed step."""

    def posterior(log_likelihood):
        return lambda z: log_likelihood(z) - 0.5 * z.square().sum(dim=1)

    return {
        "pcn": lambda f, z, n, g: module.pcn(f, z, n, 0.6, g),
        "pcn, adapted": lambda f, z, n, g: module.pcn(f, z, n, 0.02, g, warmup=5),
        "random_walk": lambda f, z, n, g: module.random_walk(posterior(f), z, n, 0.8, g),
        "mala": lambda f, z, n, g: module.mala(posterior(f), z, n, 0.9, g),
        "elliptical_slice": lambda f, z, n, g: module.elliptical_slice(f, z, n, g),
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
    for check in CHECKS:
        yield check.__name__, check(sampler)


@pytest.mark.parametrize("name", ["pcn", "random_walk", "mala", "elliptical_slice"])
def test_a_right_sampler_passes_every_check(name):
    for check, p in p_values(samplers, name):
        assert p > FALSE_ALARM, f"{check}: p = {p:.1e}"


def test_a_step_is_what_the_chain_reports_after_a_warmup():
    p = steps_have_the_reported_size(sampler_of(samplers, "pcn, adapted"))
    assert p > FALSE_ALARM


RATIO = "proposed.log_density - state.log_density"
SQUARES = "proposed.position.square().sum(dim=1) - state.position.square().sum(dim=1)"
ACCEPT = "accepted = log_u < log_ratio"
CONTRACTION = "alpha=contraction"
KEPT = """\
                state, accepted = kernel(target, state, step, noise, log_u)
                history.append(state, accepted)
"""
PCN = "_pcn_kernel"
SLICE = "_elliptical_slice_kernel"

MUTANTS = {
    "the ratio with swapped kernels, as printed": (
        "pcn", PCN, RATIO, f"{RATIO} - ({SQUARES})"
    ),
    "the prior counted twice": ("pcn", PCN, RATIO, f"{RATIO} - 0.5 * ({SQUARES})"),
    "the ratio upside down": ("pcn", PCN, RATIO, f"-({RATIO})"),
    "no square root": ("pcn", PCN, CONTRACTION, "alpha=-(step**2)"),
    "no contraction": ("pcn", PCN, CONTRACTION, "alpha=0"),
    "the step squared": (
        "pcn", PCN, "    change = ", "    step = 1 - (1 + contraction) ** 2\n    contraction = "
        "(1 - step**2) ** 0.5 - 1\n    change = "
    ),
    "the noise times the step squared": ("pcn", PCN, "step * noise", "step**2 * noise"),
    "one noise for all chains": (
        "pcn", PCN, "step * noise", "step * noise[:1].expand_as(noise)"
    ),
    "one uniform for all chains": (
        "pcn", "_metropolis", ACCEPT, "accepted = log_u[0] < log_ratio"
    ),
    "the noise of the first step in every step": (
        "pcn", "_draws", "noise.unbind()", "noise[:1].expand_as(noise).unbind()"
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
        "pcn", "_metropolis",
        "torch.where(accepted, proposed.log_density, current.log_density)", "current.log_density",
    ),
    "the log-likelihood of the last proposal, accepted or not": (
        "pcn", "_metropolis",
        "torch.where(accepted, proposed.log_density, current.log_density)", "proposed.log_density",
    ),
    "a neighbour's log-likelihood": (
        "pcn", PCN, RATIO, "proposed.log_density.roll(1) - state.log_density"
    ),
    "a rejected step not repeated": (
        "pcn", "_run", KEPT, KEPT.replace("kernel(target, state, step, noise, log_u)",
        "_insistent(kernel, target, state, step, draws)"),
    ),
    "the proposal recorded for a rejected step": (
        "pcn", "_metropolis",
        "torch.where(column, proposed.position, current.position)", "proposed.position",
    ),
    "an adaptation that goes on": (
        "pcn, adapted", "_run", KEPT,
        KEPT + "                step = adaptation(step, accepted, t)\n",
    ),
    "a random walk with a drift": (
        "random_walk", "_random_walk_kernel", "noise, alpha", "noise + 0.1, alpha"
    ),
    "Langevin without the kernels": ("mala", "_mala_kernel", " + log_kernels", ""),
    "Langevin with swapped kernels": ("mala", "_mala_kernel", " + log_kernels", " - log_kernels"),
    "Langevin with twice the drift": ("mala", "_mala_kernel", "alpha=0.5 *", "alpha=1.0 *"),
    "Langevin with the gradient of the start": (
        "mala", "_metropolis", "gradient = torch.where(column, proposed.gradient, gradient)",
        "pass",
    ),
    "a slice without its level": ("elliptical_slice", SLICE, "+ log_u", "+ 2 * log_u"),
    "a slice on half the ellipse": (
        "elliptical_slice", SLICE, "low = high - 2 * math.pi", "low = 0 * high"
    ),
    "a slice without the cosine": (
        "elliptical_slice", SLICE, "contraction * state.position + ", ""
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", MUTANTS)
def test_a_broken_sampler_is_caught(fault):
    name, function, old, new = MUTANTS[fault]
    mutant = mutant_of(function, old, new)
    mutant._insistent = insistent

    found = []
    for check, p in p_values(mutant, name):
        found.append(f"{check}: p = {p:.1e}")
        if p < FALSE_ALARM:
            return
    pytest.fail("no check noticed: " + ", ".join(found))


def insistent(kernel, target, state, step, draws):
    """Steps until each chain was accepted once: what is left when rejected rows are dropped."""
    done = torch.zeros(len(state.position), dtype=torch.bool)
    position, log_density = state.position, state.log_density
    for _ in range(50):
        proposed, accepted = kernel(target, state, step, *next(draws))
        new = accepted & ~done
        position = torch.where(new[:, None], proposed.position, position)
        log_density = torch.where(new, proposed.log_density, log_density)
        done |= accepted
        if done.all():
            break
    return state._replace(position=position, log_density=log_density), done
