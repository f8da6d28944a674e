import itertools
import math
import warnings
import weakref

import numpy as np
import pytest
import torch
import tqdm.std
from scipy import stats

from tests.often import often
from tests.unit.samplers_checks import (
    LinearGaussian,
    bonferroni,
    diagonal_prior,
    full_prior,
    seeded,
    standard_normal_p,
)
from vaebook.latent import samplers
from vaebook.latent.samplers import (
    Kernel,
    aggregate_posterior,
    elliptical_slice,
    mala,
    pcn,
    random_walk,
    run,
)
from vaebook.models.priors import FullNormal, Mixture, StandardNormal

# Each statistical test below fails for a right sampler with at most this probability over the
# choice of seeds, all of them together with less than one in 10,000.
FALSE_ALARM = 1e-6


def posterior(log_likelihood):
    return lambda z: log_likelihood(z) - 0.5 * z.square().sum(dim=1)


# name: (log_likelihood, start, n_steps, seed, ...) -> Chain, likelihood times N(0, I)
SAMPLERS = {
    "pcn": lambda f, z, n, seed, **more: pcn(f, z, n, 0.3, generator=seeded(seed), **more),
    "random_walk": lambda f, z, n, seed, **more: random_walk(
        posterior(f), z, n, 1.5 / z.shape[1] ** 0.5, generator=seeded(seed), **more
    ),
    "mala": lambda f, z, n, seed, **more: mala(
        posterior(f), z, n, 0.6, generator=seeded(seed), **more
    ),
    "elliptical_slice": lambda f, z, n, seed, **more: elliptical_slice(
        f, z, n, generator=seeded(seed), **more
    ),
}
KERNELS = {
    "pcn": lambda f: samplers.pcn_kernel(f, 0.3),
    "random_walk": lambda f: samplers.random_walk_kernel(posterior(f), 0.8),
    "mala": lambda f: samplers.mala_kernel(posterior(f), 0.6),
    "elliptical_slice": lambda f: samplers.elliptical_slice_kernel(f),
}


def gaussian(z):
    return -2.0 * (z - 1).square().sum(dim=1)


def start(chains=3, dim=2, dtype=torch.float64):
    return torch.randn(chains, dim, generator=seeded(0), dtype=dtype)


def mean_and_covariance_p(white):
    """H0: each row of white [T, K, D] is N(0, I) in distribution, and the K chains independent.

    The time average of each coordinate and of each product of two is one number a chain, the
    standard error comes from the spread over the chains.
    """
    t, k, d = white.shape
    products = torch.einsum("tki,tkj->kij", white, white) / t - torch.eye(d)
    i, j = np.triu_indices(d)
    averages = torch.cat([white.mean(dim=0), products[:, i, j]], dim=1)
    error = averages.std(dim=0) / math.sqrt(k)
    scores = (averages.mean(dim=0) / error).abs()

    return bonferroni((2 * stats.t.sf(scores.numpy(), k - 1)).tolist())


@pytest.mark.slow
@pytest.mark.parametrize(
    "dim", [1, 2, 5, *(pytest.param(d, marks=pytest.mark.slow) for d in (20, 50))]
)
@pytest.mark.parametrize("name", SAMPLERS)
def test_mean_and_covariance_are_those_of_the_linear_gaussian_posterior(name, dim):
    problem = LinearGaussian(dim, seed=dim)
    exact = problem.draw(1000, seeded(100 + dim))
    chain = SAMPLERS[name](problem.log_likelihood, exact, 60, 200 + dim)

    assert mean_and_covariance_p(problem.whiten(chain.positions)) > FALSE_ALARM
    assert standard_normal_p(problem.whiten(chain.positions[-1])) > FALSE_ALARM


@pytest.mark.slow
@pytest.mark.parametrize("dim", [1, 2, 5, 20])
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_chain_from_elsewhere_arrives_at_the_linear_gaussian_posterior(name, dim):
    problem = LinearGaussian(dim, seed=dim)
    elsewhere = torch.full((1000, dim), 2.0, dtype=torch.float64)
    before = standard_normal_p(problem.whiten(elsewhere))
    chain = SAMPLERS[name](problem.log_likelihood, elsewhere, 400, 300 + dim)

    assert before < FALSE_ALARM
    assert standard_normal_p(problem.whiten(chain.positions[-1])) > FALSE_ALARM


@pytest.mark.slow
@pytest.mark.parametrize("dim", often([2, 1, 20], 2))
@pytest.mark.parametrize("prior_of", [diagonal_prior, full_prior])
@pytest.mark.parametrize("name", ["pcn", "elliptical_slice"])
def test_the_posterior_under_a_prior_with_a_mean_is_that_of_the_closed_form(name, prior_of, dim):
    prior = prior_of(dim)
    problem = LinearGaussian(dim, seed=dim, prior=prior)
    exact = problem.draw(1000, seeded(400 + dim))
    chain = SAMPLERS[name](problem.log_likelihood, exact, 60, 500 + dim, prior=prior)
    elsewhere = torch.full((1000, dim), 2.0, dtype=torch.float64)
    arrived = SAMPLERS[name](problem.log_likelihood, elsewhere, 400, 600 + dim, prior=prior)

    assert mean_and_covariance_p(problem.whiten(chain.positions)) > FALSE_ALARM
    assert standard_normal_p(problem.whiten(elsewhere)) < FALSE_ALARM
    assert standard_normal_p(problem.whiten(arrived.positions[-1])) > FALSE_ALARM


@pytest.mark.parametrize("name", ["pcn", "elliptical_slice"])
def test_the_standard_normal_prior_is_the_default(name):
    default = SAMPLERS[name](gaussian, start(), 50, 1)
    standard = SAMPLERS[name](gaussian, start(), 50, 1, prior=StandardNormal(2).double())
    identity = FullNormal(torch.zeros(2).double(), torch.eye(2).double())
    full = SAMPLERS[name](gaussian, start(), 50, 1, prior=identity)

    assert torch.equal(standard.positions, default.positions)
    torch.testing.assert_close(full.positions, default.positions)


@pytest.mark.parametrize("warmup", [0, 37, 300])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("chains", [1, 3])
def test_noise_scaled_for_many_steps_at_once_takes_the_steps_of_one_after_the_other(
    chains, dtype, warmup
):
    """Under a prior that is handed over pCN scales the noise of each step by itself."""
    z = start(chains, dtype=dtype)
    more = {"warmup": warmup, "thin": 3}
    at_once = SAMPLERS["pcn"](gaussian, z, 600, 1, **more)
    each = SAMPLERS["pcn"](gaussian, z, 600, 1, prior=StandardNormal(2).to(dtype), **more)

    assert torch.equal(at_once.positions, each.positions)
    assert torch.equal(at_once.moves, each.moves)
    assert torch.equal(at_once.log_target, each.log_target)
    assert at_once.step == each.step
    assert 0.1 < at_once.acceptance_rate.mean() < 0.9


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_float32_positions_and_float64_positions_are_both_exact(dtype):
    problem = LinearGaussian(5, seed=5)
    chain = pcn(
        lambda z: problem.log_likelihood(z.double()).to(dtype),
        problem.draw(1000, seeded(1)).to(dtype),
        100,
        0.3,
        generator=seeded(2),
    )

    assert chain.positions.dtype == dtype
    assert chain.log_target.dtype == torch.float64
    assert mean_and_covariance_p(problem.whiten(chain.positions.double())) > FALSE_ALARM


def test_a_small_step_contracts_in_float32_as_in_exact_arithmetic():
    step = 0.001
    z = torch.randn(2**20, 1, generator=seeded(1))
    noise = torch.randn(2**20, 1, generator=seeded(2))
    kernel = samplers.pcn_kernel(lambda z: z.new_zeros(len(z)), step)
    log_u = torch.full((2**20,), -1.0, dtype=torch.float64)
    state, _ = kernel.move(kernel.init(z), samplers.Noise(noise, log_u))

    z, moved = z.double(), state.position.double() - step * noise.double()
    contraction = ((moved - z) * z).sum() / z.square().sum()
    exact = -math.expm1(0.5 * math.log1p(-(step**2)))
    in_float32 = 1 - float(np.float32(math.sqrt(1 - step**2)))

    assert -contraction.item() == pytest.approx(exact, rel=1e-3)
    assert in_float32 != pytest.approx(exact, rel=3e-2)


def test_784_pixels_neither_underflow_nor_stand_still():
    generator = seeded(1)
    weight = torch.randn(2, 784, generator=generator)
    pixels = torch.bernoulli(torch.sigmoid(torch.randn(1, 2, generator=generator) @ weight))

    def log_likelihood(z):
        return -torch.nn.functional.binary_cross_entropy_with_logits(
            z @ weight, pixels.expand(len(z), -1), reduction="none"
        ).sum(dim=1)

    z = torch.randn(8, 2, generator=generator)
    chain = pcn(log_likelihood, z, 500, 0.1, generator=generator)

    assert torch.exp(chain.log_target.float()).max() == 0
    assert chain.acceptance_rate.min() > 0.05


@pytest.mark.parametrize("name", SAMPLERS)
def test_rows_repeat_where_rejected_and_carry_their_own_log_density(name):
    chain = SAMPLERS[name](gaussian, start(50), 40, 1)
    target = posterior(gaussian) if name in ("random_walk", "mala") else gaussian
    previous = torch.cat([start(50)[None], chain.positions[:-1]])

    assert torch.equal((chain.positions != previous).any(dim=2), chain.accepted)
    expected = target(chain.positions.flatten(0, 1)).view(40, 50)
    assert torch.allclose(chain.log_target, expected, rtol=0, atol=1e-12)
    assert torch.allclose(chain.acceptance_rate, chain.accepted.double().mean(0))
    if name != "elliptical_slice":
        assert 0 < chain.acceptance_rate.mean() < 1


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_seed_fixes_the_chain_and_a_short_run_is_the_head_of_a_long_one(name):
    # 300 steps are more than one block of noise.
    long = SAMPLERS[name](gaussian, start(), 300, 7)
    again = SAMPLERS[name](gaussian, start(), 300, 7)
    short = SAMPLERS[name](gaussian, start(), 20, 7)
    other = SAMPLERS[name](gaussian, start(), 20, 8)

    assert torch.equal(long.positions, again.positions)
    assert torch.equal(long[:20].positions, short.positions)
    assert not torch.equal(other.positions, short.positions)


def test_without_a_generator_the_global_seed_fixes_the_chain():
    torch.manual_seed(3)
    first = pcn(gaussian, start(), 20, 0.3)
    torch.manual_seed(3)
    second = pcn(gaussian, start(), 20, 0.3)

    assert torch.equal(first.positions, second.positions)


@pytest.mark.parametrize("name", ["pcn", "random_walk", "mala"])
def test_all_chains_share_one_call_a_step(name):
    shapes = []

    def counted(z):
        shapes.append(tuple(z.shape))
        return gaussian(z)

    chain = SAMPLERS[name](counted, start(6), 20, 1)

    assert shapes == [(6, 2)] * 21
    assert chain.evaluations == 21


def test_the_caller_s_start_is_left_alone_and_chains_carry_no_gradient():
    z = start().requires_grad_()
    before = z.detach().clone()
    weight = torch.ones(2, dtype=torch.float64, requires_grad=True)
    for sampler in SAMPLERS.values():
        chain = sampler(lambda z: gaussian(z * weight), z, 5, 1)
        for x in (chain.positions, chain.log_target):
            assert not x.requires_grad
            assert not x.is_inference()

    assert torch.equal(z, before)
    assert weight.grad is None


@pytest.mark.parametrize("chains", [1, 20])
def test_a_buffer_that_the_log_likelihood_reuses_does_no_harm(chains):
    z, buffer = start(chains), torch.empty(chains, dtype=torch.float64)

    def reusing(z):
        return buffer.copy_(gaussian(z))

    prior = {"prior": StandardNormal(2).double()}
    for name, more in (("pcn", {}), ("pcn", prior), ("random_walk", {}), ("elliptical_slice", {})):
        expected = SAMPLERS[name](gaussian, z, 50, 1, **more)
        found = SAMPLERS[name](reusing, z, 50, 1, **more)
        assert torch.equal(found.positions, expected.positions)
        assert torch.equal(found.log_target, expected.log_target)
        assert expected.acceptance_rate.min() > 0
        assert len(expected.log_target.unique()) > 5


@pytest.mark.parametrize("chains", [1, 20])
def test_a_gradient_in_memory_that_is_reused_does_no_harm(chains):
    z = start(chains)
    values, gradients = torch.empty_like(z), torch.empty_like(z)

    class Reusing(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return values[:, 0].copy_(gaussian(z))

        @staticmethod
        def backward(ctx, g):
            (z,) = ctx.saved_tensors
            return gradients.copy_(-4.0 * (z - 1) * g[:, None])

    def chain(log_density):
        return mala(log_density, z, 50, 0.6, generator=seeded(1))

    expected, found = chain(gaussian), chain(Reusing.apply)
    torch.testing.assert_close(found.positions, expected.positions)
    assert torch.equal(found.moves, expected.moves)
    assert 0 < expected.acceptance_rate.min() < 1


@pytest.mark.parametrize("thin", [1, 2])
@pytest.mark.parametrize(
    ("field", "changed", "message"),
    [
        ("position", lambda x: x[:1], r"torch.float64 \[3, 2\], got .* \[1, 2\]"),
        ("position", torch.Tensor.float, r"torch.float64 \[3, 2\], got torch.float32"),
        ("log_target", lambda x: x[:1], r"torch.float64 \[3\], got .* \[1\]"),
        ("log_target", lambda x: 0.0, r"torch.float64 \[3\], got float"),
        ("accepted", lambda x: x[:1], r"torch.bool \[3\], got .* \[1\]"),
        ("accepted", torch.Tensor.double, r"torch.bool \[3\], got torch.float64"),
        ("accepted", lambda x: True, r"torch.bool \[3\], got bool"),
    ],
)
def test_a_kernel_that_does_not_answer_for_all_chains_is_refused(field, changed, message, thin):
    kernel = samplers.pcn_kernel(gaussian, 0.3)
    steps = itertools.count()

    def move(*before):
        answer = kernel.move(*before)
        if next(steps) < 3:
            return answer
        return tuple(
            part._replace(**{field: changed(getattr(part, field))})
            if field in part._fields
            else part
            for part in answer
        )

    with pytest.raises(ValueError, match=f"a kernel must hand on {field} as {message}") as caught:
        run(Kernel(kernel.init, move), start(3), 10, thin=thin)
    assert caught.value.__notes__ == ["at step 3"]


def test_a_kernel_that_starts_with_other_than_all_chains_is_refused():
    kernel = samplers.pcn_kernel(gaussian, 0.3)
    for first, message in (
        (lambda z: kernel.init(z[:1]), r"position as torch.float64 \[3, 2\], got .* \[1, 2\]"),
        (lambda z: samplers.State(z, z.new_zeros(())), r"log_target as .* \[3\], got .* \[\]"),
    ):
        with pytest.raises(ValueError, match=message):
            run(Kernel(first, kernel.move), start(3), 10)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampler", "aim"), [(pcn, 0.3), (random_walk, 0.234), (mala, 0.574), (pcn, 0.6)]
)
def test_a_warmup_finds_the_step_and_leaves_it_alone(sampler, aim):
    problem = LinearGaussian(5, seed=5, noise=0.2)
    target = problem.log_likelihood if sampler is pcn else posterior(problem.log_likelihood)
    z = problem.draw(200, seeded(1))
    chain = sampler(target, z, 500, 0.01, generator=seeded(2), warmup=300, target_acceptance=aim)
    fixed = sampler(target, z, 500, chain.step, generator=seeded(3))

    assert len(chain) == 500
    assert chain.acceptance_rate.mean().item() == pytest.approx(aim, abs=0.03)
    assert fixed.step == chain.step
    assert fixed.acceptance_rate.mean().item() == pytest.approx(aim, abs=0.03)


def test_a_warmup_never_leaves_the_unit_interval():
    chain = pcn(lambda z: z.new_zeros(len(z)), start(), 5, 0.5, generator=seeded(1), warmup=50)
    assert chain.step == 1


@pytest.mark.slow
@pytest.mark.parametrize("calls", [2, 20, 300])
@pytest.mark.parametrize("name", SAMPLERS)
def test_an_interrupt_returns_what_was_sampled_so_far(name, calls):
    count = 0

    def interrupted(z):
        nonlocal count
        count += 1
        # The slice sampler asks several times a step.
        if count == (calls + 1) * (4 if name == "elliptical_slice" else 1):
            raise KeyboardInterrupt
        return gaussian(z)

    with pytest.warns(UserWarning, match=r"interrupted: \d+ of 600 steps"):
        chain = SAMPLERS[name](interrupted, start(), 600, 1)
    whole = SAMPLERS[name](gaussian, start(), 600, 1)

    assert 0 < len(chain) < 600
    if name != "elliptical_slice":
        assert len(chain) == calls - 1
    for field in ("positions", "accepted", "log_target"):
        assert torch.equal(getattr(chain, field), getattr(whole[: len(chain)], field))


def test_an_interrupt_before_the_first_step_is_passed_on():
    def interrupted(z):
        if not torch.equal(z, start()):
            raise KeyboardInterrupt
        return gaussian(z)

    with pytest.raises(KeyboardInterrupt):
        pcn(interrupted, start(), 10, 0.3)
    with pytest.raises(KeyboardInterrupt):
        pcn(interrupted, start(), 10, 0.3, warmup=10)


@pytest.mark.slow
def test_minus_infinity_is_never_entered():
    def half(z):
        return torch.where(z[:, 0] > 0, gaussian(z), -math.inf)

    for sampler in SAMPLERS.values():
        chain = sampler(half, start(20).abs(), 200, 1)
        assert (chain.positions[..., 0] > 0).all()
        assert chain.log_target.isfinite().all()


@pytest.mark.parametrize("name", SAMPLERS)
def test_minus_infinity_is_no_start(name):
    def half(z):
        return torch.where(z[:, 0] > 0, gaussian(z), -math.inf)

    z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    with pytest.raises(ValueError, match=r"start must have positive density.* 1 of 3 .* is 2"):
        SAMPLERS[name](half, z, 10, 1)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", SAMPLERS)
def test_nan_and_plus_infinity_are_refused_with_step_and_chain(name, value):
    calls = itertools.count()

    def spoilt(z):
        if next(calls) < 1:
            return gaussian(z)
        # -inf in another chain must not hide it.
        return gaussian(z) + torch.tensor([-math.inf, 0.0, value])

    with pytest.raises(
        ValueError, match=rf"log.* or -inf, got {value} in chain 2 for \[.*\]\nat step 0"
    ):
        SAMPLERS[name](spoilt, start(), 10, 1)
    assert next(calls) == 2


def test_an_error_says_whether_it_came_from_the_start_or_the_warmup():
    def bad(z):
        return gaussian(z) * math.nan

    with pytest.raises(ValueError, match="got nan in chain 0") as caught:
        pcn(bad, start(), 10, 0.3)
    assert not hasattr(caught.value, "__notes__")

    def later(z):
        return gaussian(z) if torch.equal(z, start()) else bad(z)

    with pytest.raises(ValueError, match=r"got nan in chain 0 .*\nat warm-up step 0"):
        pcn(later, start(), 10, 0.3, warmup=5)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda z: gaussian(z)[:, None], r"one value per chain, \[3\], got \[3, 1\]"),
        (lambda z: gaussian(z).sum(), r"one value per chain, \[3\], got \[\]"),
        (lambda z: gaussian(z).tolist(), r"one value per chain, \[3\], got list"),
        (lambda z: gaussian(z).half(), "float32 or float64, got torch.float16"),
        (lambda z: gaussian(z).long(), "float32 or float64, got torch.int64"),
    ],
)
def test_a_log_likelihood_of_the_wrong_kind_is_refused(answer, message):
    for sampler in (pcn, random_walk, mala):
        with pytest.raises(ValueError, match=message):
            sampler(answer, start(), 10, 0.3)
    with pytest.raises(ValueError, match=message):
        elliptical_slice(answer, start(), 10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"step": 0.0}, r"step must be a finite number in \[1e-30, 1\], got 0.0"),
        ({"step": 1.0001}, r"step must be a finite number in \[1e-30, 1\], got 1.0001"),
        ({"step": math.nan}, "step must be a finite number .*, got nan"),
        ({"step": "0.3"}, "step must be a finite number .*, got '0.3'"),
        ({"step": torch.tensor(0.3)}, r"step must be a finite number .*, got tensor\(0.3000\)"),
        ({"n_steps": 0}, "n_steps must be a whole number, 1 or more, got 0"),
        ({"n_steps": 10.0}, "n_steps must be a whole number, 1 or more, got 10.0"),
        ({"warmup": -1}, "warmup must be a whole number, 0 or more, got -1"),
        ({"target_acceptance": 1.0}, r"target_acceptance must be .* in \(0, 1\), got 1.0"),
        ({"thin": 0}, "thin must be a whole number, 1 or more, got 0"),
        ({"thin": 3}, "n_steps must be a multiple of thin, got 10 and 3"),
        ({"thin": 20}, "n_steps must be a multiple of thin, got 10 and 20"),
        ({"progress": "no"}, "progress must be True or False, got 'no'"),
        ({"generator": 3}, "generator must be a torch.Generator or None, got 3"),
        ({"start": torch.zeros(2)}, r"start must be a float tensor \[K, D\], .* shape \[2\]"),
        ({"start": torch.zeros(0, 2)}, r"start must be a float tensor .* shape \[0, 2\]"),
        ({"start": [[0.0]]}, r"start must be a float tensor \[K, D\], got list"),
        ({"start": np.zeros((1, 2))}, r"start must be a float tensor \[K, D\], got ndarray"),
        ({"start": torch.zeros(1, 2).long()}, "start must be a float tensor .*, got int64"),
        ({"start": torch.zeros(1, 2).half()}, "start must be a float tensor .*, got float16"),
        (
            {"start": torch.tensor([[0.0], [math.inf]])},
            r"start must be finite, got inf at \[1, 0\]",
        ),
        (
            {"start": torch.zeros(1, 2, device="meta")},
            "start must hold values, got a tensor on the device meta",
        ),
        ({"prior": 3}, "prior must be a GaussianPrior, such as FullNormal, got 3"),
        ({"prior": seeded(1)}, "prior must be a GaussianPrior, such as FullNormal, got <torch"),
        (
            {"prior": Mixture(torch.zeros(2, 2), torch.zeros(2, 2))},
            "prior must be a GaussianPrior, such as FullNormal, got Mixture",
        ),
        ({"prior": StandardNormal(3).double()}, r"start must be .*\[K, 3\], .* shape \[3, 2\]"),
        ({"prior": StandardNormal(2)}, "start torch.float64, prior torch.float32"),
        (
            {"log_likelihood": 3},
            r"log_likelihood must be a callable from \[K, D\] to \[K\], got 3",
        ),
    ],
)
def test_pcn_refuses_what_it_cannot_take(arguments, message):
    good = {"log_likelihood": gaussian, "start": start(), "n_steps": 10, "step": 0.3}
    with pytest.raises(ValueError, match=message):
        pcn(**(good | arguments))


@pytest.mark.parametrize("step", [0.0, -1.0, math.inf, math.nan])
@pytest.mark.parametrize("sampler", [random_walk, mala])
def test_a_step_that_is_not_positive_and_finite_is_refused(sampler, step):
    with pytest.raises(ValueError, match=r"step must be a finite number in \(0, 1e\+09\)"):
        sampler(gaussian, start(), 10, step)


def test_mala_refuses_a_density_without_a_finite_gradient():
    weight = torch.ones(2, dtype=torch.float64, requires_grad=True)
    for constant in (gaussian, lambda z: gaussian(z * weight)):
        with pytest.raises(ValueError, match="log_density must be differentiable"):
            mala(lambda z, f=constant: f(z.detach()), start(), 10, 0.3)
    with pytest.raises(ValueError, match="gradient that is not finite in chain 1"):
        mala(lambda z: -z.square().sum(dim=1).sqrt(), torch.eye(2)[:, :1], 10, 0.3)


def test_a_random_log_likelihood_cannot_trap_the_slice_sampler():
    calls = itertools.count()

    def falling(z):
        return gaussian(z) * 0 - next(calls)

    with pytest.raises(ValueError, match="log_likelihood must be deterministic"):
        elliptical_slice(falling, start(), 10, generator=seeded(1))


def test_a_coarse_float32_log_likelihood_warns():
    with pytest.warns(UserWarning, match="near .* come in float32, .* return float64"):
        pcn(lambda z: gaussian(z).float() - 1e6, start(), 3, 0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pcn(lambda z: gaussian(z).float() - 1e4, start(), 3, 0.3)
        pcn(lambda z: gaussian(z) - 1e6, start(), 3, 0.3)


def test_burn_in_is_a_view():
    chain = pcn(gaussian, start(), 100, 0.3, generator=seeded(1))
    part = chain[20::10]

    assert len(part) == 8
    assert part.positions.data_ptr() == chain.positions[20].data_ptr()
    assert torch.equal(part.log_target, chain.log_target[20::10])
    assert torch.equal(part.accepted, chain.accepted[20::10])
    with pytest.raises(ValueError, match="a chain takes a slice"):
        chain[3]


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLERS)
def test_thinning_keeps_every_tenth_step_and_counts_all(name):
    whole = SAMPLERS[name](gaussian, start(20), 600, 1)
    thinned = SAMPLERS[name](gaussian, start(20), 600, 1, thin=10)

    assert len(thinned) == 60
    assert torch.equal(thinned.positions, whole.positions[9::10])
    assert torch.equal(thinned.log_target, whole.log_target[9::10])
    assert torch.equal(thinned.moves, whole.moves.view(60, 10, 20).sum(dim=1).int())
    assert torch.equal(thinned.accepted, whole.accepted.view(60, 10, 20).any(dim=1))
    torch.testing.assert_close(thinned.acceptance_rate, whole.acceptance_rate)
    assert thinned.evaluations == whole.evaluations


def test_a_row_of_a_thinned_chain_repeats_the_one_before_where_nothing_was_accepted():
    chain = pcn(lambda z: 20 * gaussian(z), start(50), 400, 0.5, thin=4, generator=seeded(1))
    moved = (chain.positions[1:] != chain.positions[:-1]).any(dim=2)

    assert torch.equal(moved, chain.accepted[1:])
    assert 0.1 < moved.double().mean() < 0.9


@pytest.mark.slow
def test_memory_is_bounded_by_the_rows_that_are_kept():
    proposals = []

    def watched(z):
        proposals.append(weakref.ref(z))
        # Alive are at most the rows kept so far, the state and the proposal.
        assert sum(reference() is not None for reference in proposals[-2000:]) <= 6
        return gaussian(z)

    chain = pcn(watched, start(), 4000, 0.3, thin=1000, generator=seeded(1))
    assert len(chain) == 4


def test_an_interrupt_of_a_thinned_run_keeps_whole_rows():
    calls = itertools.count()

    def interrupted(z):
        if next(calls) == 38:
            raise KeyboardInterrupt
        return gaussian(z)

    with pytest.warns(UserWarning, match="interrupted: 30 of 600 steps"):
        chain = pcn(interrupted, start(), 600, 0.3, thin=10, generator=seeded(1))
    whole = pcn(gaussian, start(), 600, 0.3, thin=10, generator=seeded(1))
    assert torch.equal(chain.positions, whole.positions[:3])
    assert torch.equal(chain.moves, whole.moves[:3])


@pytest.mark.parametrize("name", KERNELS)
def test_a_step_is_pure(name):
    kernel = KERNELS[name](gaussian)
    z = start()
    before = kernel.init(z)
    copy = [None if x is None else x.clone() for x in before]
    first, info = kernel.step(before, seeded(1))
    again, _ = kernel.step(before, seeded(1))
    other, _ = kernel.step(before, seeded(2))

    assert torch.equal(first.position, again.position)
    assert not torch.equal(first.position, other.position)
    assert torch.equal(first.log_target, KERNELS[name](gaussian).init(first.position).log_target)
    assert torch.equal((first.position != z).any(dim=1), info.accepted)
    assert info.evaluations >= 1
    for x, y in zip(before, copy, strict=True):
        assert x is y is None or torch.equal(x, y)
    with pytest.raises(ValueError, match="state must be a State, as init returns it"):
        kernel.step(z)


@pytest.mark.parametrize("chains", [1, 3])
@pytest.mark.parametrize("name", ["pcn", "random_walk", "mala"])
def test_noise_that_chains_share_moves_all_of_them(name, chains):
    kernel = KERNELS[name](gaussian)
    shared = samplers.Noise(torch.zeros(chains, 2, dtype=torch.float64), -math.inf)
    state, info = kernel.move(kernel.init(start(chains)), shared)

    assert torch.equal(info.accepted, torch.ones(chains, dtype=torch.bool))
    assert state.log_target.shape == (chains,)


@pytest.mark.slow
@pytest.mark.parametrize("chains", [1, 3])
@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_in_the_loop_is_the_sampler(name, chains):
    z = start(chains)
    sampler = {
        "pcn": lambda: pcn(gaussian, z, 300, 0.3, generator=seeded(1)),
        "random_walk": lambda: random_walk(posterior(gaussian), z, 300, 0.8, generator=seeded(1)),
        "mala": lambda: mala(posterior(gaussian), z, 300, 0.6, generator=seeded(1)),
        "elliptical_slice": lambda: elliptical_slice(gaussian, z, 300, generator=seeded(1)),
    }[name]
    chain = run(KERNELS[name](gaussian), z, 300, generator=seeded(1))

    assert torch.equal(chain.positions, sampler().positions)
    assert chain.evaluations == sampler().evaluations
    assert chain.step is None
    with pytest.raises(ValueError, match="kernel must be a Kernel"):
        run(KERNELS[name], z, 300)


@pytest.mark.slow
def test_kernels_combine_to_tempering():
    """Two modes ten prior deviations apart in the ratio 1 to 3, which pCN alone never leaves."""

    def log_l(z):
        return torch.logaddexp(
            -200 * (z[:, 0] - 1).square(), math.log(3) - 200 * (z[:, 0] + 1).square()
        )

    ladders, rungs = 400, 6
    power = (0.35 ** torch.arange(rungs, dtype=torch.float64)).repeat(ladders)
    kernel = samplers.pcn_kernel(lambda z: power * log_l(z), 0.3)

    def exchange(state, noise):
        state, info = kernel.move(state, noise)
        order = torch.arange(rungs * ladders).view(ladders, rungs)
        lower = torch.randint(rungs - 1, (1,), generator=noise.generator).item()
        a, b = order[:, lower].clone(), order[:, lower + 1].clone()
        plain = state.log_target / power
        u = torch.rand(ladders, generator=noise.generator, dtype=torch.float64)
        swap = u.log() < (power[a] - power[b]) * (plain[b] - plain[a])
        order[swap, lower], order[swap, lower + 1] = b[swap], a[swap]
        return kernel.init(state.position[order.flatten()]), info

    z = torch.ones(rungs * ladders, 1, dtype=torch.float64)
    tempered = run(Kernel(kernel.init, exchange), z, 600, generator=seeded(1))
    alone = pcn(log_l, z[:ladders], 600, 0.3, generator=seeded(1))
    right = int((tempered.positions[-1, ::rungs, 0] > 0).sum())

    assert (alone.positions[-1] > 0).all()
    # Both modes have the prior's weight, so that a quarter of the independent ladders is right.
    assert stats.binomtest(right, ladders, 0.25).pvalue > FALSE_ALARM


@pytest.mark.slow
def test_arviz_diagnoses_chains_by_dimension():
    problem = LinearGaussian(3, seed=1)
    mixed = pcn(problem.log_likelihood, problem.draw(4, seeded(1)), 2000, 0.5, generator=seeded(2))
    apart = torch.tensor([[-3.0], [-3.0], [3.0], [3.0]])
    stuck = pcn(
        lambda z: -50 * (z.abs() - 3).square().sum(dim=1), apart, 500, 0.05, generator=seeded(3)
    )
    # Independent draws have as many effective samples as draws.
    independent = pcn(lambda z: z.new_zeros(len(z)), start(4, 3), 2000, 1.0, generator=seeded(4))

    assert mixed.rhat().shape == (3,)
    assert (mixed.rhat() < 1.05).all()
    assert (stuck.rhat() > 1.5).all()
    assert (mixed.ess() < independent.ess()).all()
    assert torch.allclose(independent.ess(), torch.tensor(8000.0).double(), rtol=0.1)
    data = mixed.to_arviz()
    assert data.posterior["z"].shape == (4, 2000, 3)
    assert np.array_equal(data.posterior["z"][1], mixed.positions[:, 1])
    assert np.array_equal(data.sample_stats["lp"][1], mixed.log_target[:, 1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ess", "rhat"])
def test_chains_that_never_moved_have_no_effective_size_and_no_rhat(name):
    def never(z):
        return torch.where((z == start(4)).all(dim=1), 0.0, -math.inf)

    chain = pcn(never, start(4), 100, 0.3, generator=seeded(1))
    assert chain.acceptance_rate.sum() == 0
    with pytest.warns(UserWarning, match=f"{name} is NaN in 2 of 2 .* 4 of 4 chains never moved"):
        assert getattr(chain, name)().isnan().all()

    # One chain that stands still in one dimension, among others that move.
    mixed = pcn(lambda z: z.new_zeros(len(z)), start(4), 100, 0.3, generator=seeded(1))
    mixed.positions[:, 2, 1] = 0.5
    with pytest.warns(UserWarning, match="1 of 4 .* first is chain 2 in dimension 1"):
        values = getattr(mixed, name)()
    assert values.isnan().tolist() == [False, True]


def test_diagnostics_refuse_too_few_rows_or_chains():
    chain = pcn(gaussian, start(2), 100, 0.3, generator=seeded(1))
    for diagnose in (chain[:3].ess, chain[:3].rhat):
        with pytest.raises(ValueError, match="needs 4 rows of a chain, or more, got 3"):
            diagnose()
    with pytest.raises(ValueError, match="rhat compares chains, 2 or more, got 1"):
        pcn(gaussian, start(1), 100, 0.3).rhat()


def test_only_a_long_run_shows_a_bar(capsys, monkeypatch):
    pcn(gaussian, start(), 600, 0.3)
    assert capsys.readouterr().err == ""

    options = []

    class Impatient(tqdm.std.tqdm):
        def __init__(self, *args, **kwargs):
            options.append(kwargs)
            # Shown even where TQDM_DISABLE is set, unless the sampler itself says no.
            super().__init__(*args, **({"disable": False} | kwargs | {"delay": 0}))

    monkeypatch.setattr(tqdm.std, "tqdm", Impatient)
    pcn(gaussian, start(), 600, 0.3, warmup=5)
    out, err = capsys.readouterr()
    assert [o["delay"] for o in options] == [2, 2]
    assert "warm-up" in err
    assert "sampling" in err
    assert out == ""
    pcn(gaussian, start(), 600, 0.3, progress=False)
    assert capsys.readouterr().err == ""


def test_the_aggregate_posterior_is_the_equal_mixture_of_the_encodings():
    mu = torch.tensor([[-4.0, 0.0], [4.0, 1.0], [0.0, 8.0]], dtype=torch.float64)
    logvar = torch.log(torch.tensor([[0.25, 1.0], [1.0, 0.04], [0.01, 0.5]])).double()
    z = aggregate_posterior(6000, mu, logvar, seeded(1))
    nearest = torch.cdist(z, mu).argmin(dim=1)
    white = (z - mu[nearest]) * torch.exp(-0.5 * logvar[nearest])
    counts = torch.bincount(nearest, minlength=3).numpy()

    assert z.dtype == torch.float64
    assert stats.chisquare(counts).pvalue > FALSE_ALARM
    assert standard_normal_p(white) > FALSE_ALARM


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: aggregate_posterior(0, torch.ones(2, 2), torch.ones(2, 2)), "n must be a whole"),
        (
            lambda: aggregate_posterior(2, torch.ones(2, 2), torch.ones(2, 1)),
            r"logvar must be a float tensor \[2, 2\], got float32 of shape \[2, 1\]",
        ),
        (
            lambda: aggregate_posterior(2, torch.ones(2, 2), torch.full((2, 2), math.nan)),
            r"logvar must be finite, got nan at \[0, 0\]",
        ),
        (
            lambda: aggregate_posterior(2, torch.ones(2, 2), torch.full((2, 2), 200.0)),
            r"logvar must be at most 80 in size, got 200 at \[0, 0\]",
        ),
        (
            lambda: aggregate_posterior(2, torch.ones(2, 2), torch.ones(2, 2).double()),
            "mu torch.float32, logvar torch.float64",
        ),
        (
            lambda: aggregate_posterior(2, torch.ones(2, 2), torch.ones(2, 2), 1),
            "generator must be a torch.Generator or None, got 1",
        ),
    ],
)
def test_the_draws_refuse_what_they_cannot_take(call, message):
    with pytest.raises(ValueError, match=message):
        call()
