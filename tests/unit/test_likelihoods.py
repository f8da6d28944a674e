"""The likelihoods against torch.distributions, enumeration, autograd and Monte Carlo."""

import math
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributions as td

from tests.unit.kinds import LIKELIHOODS
from vaebook.models import (
    Bernoulli,
    ConstrainedGaussian,
    Gaussian,
    GecoGaussian,
    LearnedGaussian,
    OptimalGaussian,
)

# Monte Carlo is held within this many standard errors: one false alarm in 150,000 per number.
SIGMAS = 4.5

GAUSSIANS = [Gaussian, LearnedGaussian, OptimalGaussian, ConstrainedGaussian]


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pixels(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


# ---------------------------------------------------------------------------------------------
# Bernoulli


@given(st.integers(0, 2**31), st.floats(0.1, 30))
def test_bernoulli_log_prob_is_torchs(seed, scale):
    logits = scale * draw(5, 3, 3, 4, seed=seed)
    images = torch.bernoulli(
        torch.full_like(logits, 0.5), generator=torch.Generator().manual_seed(seed)
    )
    expected = td.Independent(td.Bernoulli(logits=logits), 3).log_prob(images)
    # softplus cuts at 20, where the rest is 2e-9 a pixel.
    torch.testing.assert_close(Bernoulli().log_prob(logits, images), expected, rtol=0, atol=1e-7)


def test_bernoulli_log_prob_of_grey_is_the_mean_over_all_its_binarisations():
    logits = draw(1, 1, 2, 3)
    grey = pixels(1, 1, 2, 3).double()
    binary = torch.tensor(list(product([0.0, 1.0], repeat=6)), dtype=torch.float64)
    binary = binary.reshape(64, 1, 2, 3)
    probability = td.Independent(td.Bernoulli(grey), 3).log_prob(binary).exp()
    log_prob = td.Independent(td.Bernoulli(logits=logits), 3).log_prob(binary)
    assert probability.sum().item() == pytest.approx(1)
    found = Bernoulli().log_prob(logits, grey).item()
    assert found == pytest.approx((probability @ log_prob).item(), abs=1e-8)


def test_bernoulli_stays_finite_for_a_decoder_that_is_very_sure():
    logits = torch.tensor([[-1e4, 1e4]]).reshape(1, 1, 1, 2)
    right, wrong = torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([[[[1.0, 0.0]]]])
    assert Bernoulli().log_prob(logits, right).item() == 0
    assert Bernoulli().log_prob(logits, wrong).item() == -2e4


@pytest.mark.parametrize("bad", [-0.1, 1.5, 255.0, float("nan"), float("inf")])
def test_bernoulli_refuses_pixels_that_are_no_probabilities_and_names_the_first(bad):
    images = pixels(5, 1, 2, 2)
    images[3, 0, 1, 0] = bad
    for call in (
        lambda: Bernoulli().check(images),
        lambda: Bernoulli().log_prob(torch.zeros(5, 1, 2, 2), images),
        lambda: Bernoulli().log_prob_pairs(torch.zeros(2, 1, 2, 2), images),
    ):
        with pytest.raises(ValueError, match=r"images must lie in \[0, 1\].*image is number 3"):
            call()


# ---------------------------------------------------------------------------------------------
# Gaussian


@given(st.integers(0, 2**31), st.floats(1e-3, 10), st.sampled_from(GAUSSIANS))
def test_gaussian_log_prob_is_torchs(seed, variance, kind):
    outputs, images = draw(5, 1, 3, 4, seed=seed), draw(5, 1, 3, 4, seed=seed + 1)
    likelihood = kind(variance).double()
    scale = likelihood.variance.detach().sqrt()
    assert scale.item() == pytest.approx(variance**0.5, rel=1e-6)
    expected = td.Independent(td.Normal(outputs, scale), 3).log_prob(images)
    torch.testing.assert_close(likelihood.log_prob(outputs, images), expected)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gaussian_refuses_pixels_that_are_not_finite(bad):
    images = torch.zeros(2, 1, 2, 2)
    images[1, 0, 0, 1] = bad
    with pytest.raises(
        ValueError, match=r"images must be finite, got (nan|inf) at \[1, 0, 0, 1\]"
    ):
        Gaussian().log_prob(torch.zeros(2, 1, 2, 2), images)


@given(st.integers(0, 2**31))
def test_the_variance_is_best_at_the_mean_squared_error(seed):
    """What OptimalGaussian follows: the closed form against the slope in the variance."""
    outputs, images = draw(7, 1, 3, 4, seed=seed), draw(7, 1, 3, 4, seed=seed + 1)
    likelihood = LearnedGaussian().double()
    with torch.no_grad():
        mse = likelihood.statistics(outputs, images)["mse"].mean()
        likelihood.log_variance.copy_(mse.log())
    best = likelihood.log_prob(outputs, images).sum()
    (slope,) = torch.autograd.grad(best, likelihood.log_variance)
    assert abs(slope.item()) < 1e-9
    for factor in (0.5, 0.9, 1.1, 2.0):
        other = td.Normal(outputs, (factor * mse).sqrt()).log_prob(images).sum()
        assert best > other


def test_the_statistics_are_each_images_mean_squared_error():
    outputs, images = draw(7, 3, 3, 4), draw(7, 3, 3, 4, seed=1)
    for kind in GAUSSIANS:
        (name, found), *rest = kind().double().statistics(outputs, images).items()
        assert name == "mse"
        assert not rest
        torch.testing.assert_close(found, (images - outputs).square().mean((1, 2, 3)))
    assert Bernoulli().statistics(outputs, images) == {}


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.3])
def test_a_learned_variance_recovers_a_known_noise(sigma):
    clean = pixels(200, 1, 8, 8)
    images = clean + sigma * draw(200, 1, 8, 8, seed=1).float()
    likelihood = LearnedGaussian()
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.05)
    for _ in range(400):
        loss = -likelihood.log_prob(clean, images).mean() / 64
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # The standard error of a variance from n normal draws is the variance times sqrt(2 / n).
    n = images.numel()
    assert likelihood.variance.item() == pytest.approx(
        sigma**2, rel=SIGMAS * (2 / n) ** 0.5 + 1e-3
    )


def test_only_a_learned_variance_is_a_parameter_and_all_are_saved():
    for kind in GAUSSIANS:
        likelihood = kind()
        assert len(list(likelihood.parameters())) == (kind is LearnedGaussian)
        assert list(likelihood.state_dict()) == ["log_variance"]


@pytest.mark.parametrize("variance", [0, -1, float("inf"), float("nan"), 10**400, True, "1", None])
def test_a_variance_that_is_none_is_refused(variance):
    for kind in GAUSSIANS:
        with pytest.raises(ValueError, match=r"variance must be a finite number in \(0, inf\)"):
            kind(variance)


# ---------------------------------------------------------------------------------------------
# Variances that follow the errors


@pytest.mark.parametrize("make", LIKELIHOODS)
def test_log_prob_changes_nothing_in_training_either(make):
    likelihood = make().train()
    before = {name: value.clone() for name, value in likelihood.state_dict().items()}
    outputs, images = draw(5, 1, 3, 3).float(), pixels(5, 1, 3, 3)
    first = likelihood.log_prob(outputs, images)
    likelihood.statistics(outputs, images)
    assert torch.equal(first, likelihood.log_prob(outputs, images))
    assert torch.equal(first, likelihood.eval().log_prob(outputs, images))
    for name, value in likelihood.state_dict().items():
        assert torch.equal(value, before[name])


def test_the_fixed_and_the_learned_do_not_adapt():
    for kind in (Gaussian, LearnedGaussian, Bernoulli):
        likelihood = kind()
        before = likelihood.state_dict().get("log_variance", torch.zeros(())).clone()
        likelihood.adapt({"mse": 7.0})
        assert torch.equal(likelihood.state_dict().get("log_variance", torch.zeros(())), before)


def test_an_optimal_variance_moves_a_tenth_of_the_way_in_the_logarithm_and_settles():
    likelihood = OptimalGaussian(0.5).double()
    start, goal = likelihood.log_variance.item(), torch.tensor(0.03).log().item()
    likelihood.adapt({"mse": 0.03, "loss": 1.0})
    assert likelihood.log_variance.item() == pytest.approx(start + 0.1 * (goal - start))
    for _ in range(400):
        likelihood.adapt({"mse": 0.03})
    assert likelihood.variance.item() == pytest.approx(0.03, rel=1e-6)


def test_an_optimal_variance_survives_images_that_are_drawn_exactly():
    likelihood = OptimalGaussian()
    for _ in range(1000):
        likelihood.adapt({"mse": 0.0})
    assert likelihood.variance.item() > 0
    assert likelihood.log_variance.isfinite()


def test_a_moved_variance_goes_through_a_file(tmp_path):
    likelihood = OptimalGaussian()
    likelihood.adapt({"mse": 0.1})
    assert likelihood.variance.item() != pytest.approx(0.5)
    torch.save(likelihood.state_dict(), tmp_path / "weights")
    other = OptimalGaussian()
    other.load_state_dict(torch.load(tmp_path / "weights", weights_only=True))
    assert other.variance.item() == likelihood.variance.item()


@pytest.mark.slow
@pytest.mark.parametrize("tolerance", [0.02, 0.05])
def test_a_constrained_variance_holds_the_error_at_the_tolerance(tolerance):
    """Shrinking the images by k costs (1 - k)^2 of their power and has a price of its own."""
    images = draw(100, 1, 8, 8).float()
    power = images.square().mean().item()
    shrink = torch.zeros((), requires_grad=True)
    likelihood = ConstrainedGaussian(tolerance)
    optimizer = torch.optim.SGD([shrink], lr=0.002)
    price = 100 * 64
    for _ in range(4000):
        outputs = shrink * images
        loss = (-likelihood.log_prob(outputs, images).sum() + price * shrink**2) / price
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        mse = likelihood.statistics(outputs.detach(), images)["mse"].mean().item()
        likelihood.adapt({"mse": mse})
    error = (1 - shrink.item()) ** 2 * power
    assert error == pytest.approx(tolerance, rel=0.02)
    # There the slopes of the two terms are equal: power (1 - k) / variance = 2 k.
    variance = power * (1 - shrink.item()) / (2 * shrink.item())
    assert likelihood.variance.item() == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize(
    ("mse", "factor"), [(0.0101, -0.01), (0.0099, 0.01), (1.0, -0.1), (0.0, 0.1)]
)
def test_a_constrained_variance_moves_against_the_error_by_a_hundredth_at_most(mse, factor):
    likelihood = ConstrainedGaussian(0.01).double()
    likelihood.log_variance.zero_()
    likelihood.adapt({"mse": mse})
    assert likelihood.log_variance.item() == pytest.approx(0.1 * factor)


def test_a_constrained_variance_stays_above_the_tolerance_while_errors_are_large():
    likelihood = ConstrainedGaussian(0.01)
    for _ in range(100):
        likelihood.adapt({"mse": 1.0})
    assert likelihood.variance.item() == pytest.approx(0.01)
    likelihood.adapt({"mse": 0.0})
    assert likelihood.variance.item() > 0.01


@pytest.mark.parametrize("step", [0.01, 0.002])
def test_gecos_multiplier_follows_the_average_of_what_is_missed(step):
    likelihood = GecoGaussian(0.01, step).double()
    multiplier, average = 1.0, 1.0
    for mse in (0.02, 0.03, 0.005, 0.0):
        average = 0.99 * average + 0.01 * (mse / 0.01 - 1)
        multiplier *= math.exp(step * average)
        likelihood.adapt({"mse": mse})
        assert 1 / (2 * likelihood.variance.item()) == pytest.approx(multiplier)


@pytest.mark.slow
def test_gecos_multiplier_settles_where_the_error_is_the_tolerance():
    """An error that falls with the multiplier as that of a linear code does, variance / 2."""
    likelihood = GecoGaussian(0.05)
    for _ in range(20_000):
        likelihood.adapt({"mse": min(0.5, likelihood.variance.item() / 2)})
    assert likelihood.variance.item() == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize("step", [0.0, -1.0, math.nan, "0.1"])
def test_a_step_of_geco_that_is_none_is_refused(step):
    with pytest.raises(ValueError, match="step must be"):
        GecoGaussian(0.1, step)


@pytest.mark.parametrize("kind", [OptimalGaussian, ConstrainedGaussian, GecoGaussian])
def test_a_variance_that_follows_errors_refuses_to_go_without(kind):
    with pytest.raises(ValueError, match=rf"mse, which {kind.__name__} follows, got loss, kl"):
        kind().adapt({"loss": 1.0, "kl": 2.0})
    with pytest.raises(ValueError, match="mse must be a finite number"):
        kind().adapt({"mse": float("nan")})


# ---------------------------------------------------------------------------------------------
# All of them


@pytest.mark.parametrize("make", LIKELIHOODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pairs_are_each_image_under_each_output(make, dtype):
    likelihood = make().to(dtype)
    outputs, images = draw(4, 3, 3, 2).to(dtype), pixels(6, 3, 3, 2).to(dtype)
    pairs = likelihood.log_prob_pairs(outputs, images)
    assert pairs.shape == (6, 4)
    assert pairs.dtype == dtype
    for m in range(4):
        one = likelihood.log_prob(outputs[m].expand_as(images), images)
        torch.testing.assert_close(pairs[:, m], one, rtol=1e-5, atol=1e-5)


def test_pairs_keep_small_errors_of_large_images():
    """1,296 bright pixels, errors of 1e-3: what 2 x g + |x|^2 + |g|^2 would lose."""
    images = 10 + pixels(3, 1, 36, 36)
    outputs = images[:1] + 1e-3 * draw(40, 1, 36, 36).float()
    likelihood = Gaussian(1e-6)
    exact = td.Normal(outputs.double(), likelihood.variance.double().sqrt())
    expected = exact.log_prob(images[:1].double()).sum((1, 2, 3))
    found = likelihood.log_prob_pairs(outputs, images[:1])[0].double()
    assert (found - expected).abs().max() < 0.1


@pytest.mark.parametrize("make", LIKELIHOODS)
def test_pixels_add_up_to_the_image(make):
    likelihood = make().double()
    outputs, images = draw(4, 1, 3, 5), pixels(4, 1, 3, 5).double()
    each = likelihood.log_prob_pixels(outputs, images)
    assert each.shape == images.shape
    torch.testing.assert_close(each.sum((1, 2, 3)), likelihood.log_prob(outputs, images))
    one = likelihood.log_prob_pixels(outputs, images[:1])
    expected = likelihood.log_prob(outputs, images[:1].expand_as(outputs))
    torch.testing.assert_close(one.sum((1, 2, 3)), expected)


@pytest.mark.parametrize("make", LIKELIHOODS)
def test_half_precision_outputs_are_summed_in_single(make):
    outputs, images = draw(4, 1, 8, 8).bfloat16(), pixels(4, 1, 8, 8)
    likelihood = make()
    with torch.autocast("cpu", torch.bfloat16):
        found = likelihood.log_prob(outputs, images)
        pairs = likelihood.log_prob_pairs(outputs, images)
    assert found.dtype == pairs.dtype == torch.float32
    torch.testing.assert_close(found, likelihood.log_prob(outputs.float(), images))
    torch.testing.assert_close(pairs, likelihood.log_prob_pairs(outputs.float(), images))


@pytest.mark.parametrize("make", LIKELIHOODS)
def test_shapes_that_would_broadcast_are_refused(make):
    likelihood, outputs = make(), torch.zeros(6, 1, 4, 4)
    for images in (torch.zeros(6, 4, 4), torch.zeros(1, 1, 4, 4), torch.zeros(6, 1, 4, 1)):
        with pytest.raises(ValueError, match="images must"):
            likelihood.log_prob(outputs, images)
    for images in (torch.zeros(1, 1, 4, 1), torch.zeros(1, 1, 1, 1), torch.zeros(5, 1, 4, 4)):
        with pytest.raises(ValueError, match="images must have the shape"):
            likelihood.log_prob_pixels(outputs, images)
    with pytest.raises(ValueError, match="images must have the shape"):
        likelihood.log_prob_pairs(outputs, torch.zeros(2, 1, 4, 1))
    with pytest.raises(ValueError, match="outputs must be a float tensor"):
        likelihood.log_prob(outputs.long(), torch.zeros(6, 1, 4, 4))


@pytest.mark.parametrize("make", LIKELIHOODS)
def test_the_gradient_of_log_prob_is_that_of_the_formula(make):
    likelihood = make().double()
    outputs, images = draw(3, 1, 2, 2).requires_grad_(), pixels(3, 1, 2, 2).double()
    (found,) = torch.autograd.grad(likelihood.log_prob(outputs, images).sum(), outputs)
    scale = 1 if make is Bernoulli else likelihood.variance.detach()
    torch.testing.assert_close(found, (images - likelihood.mean(outputs)) / scale)


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(0.09)])
def test_a_sample_has_the_mean_and_the_variance_of_its_likelihood(likelihood):
    n = 40_000
    outputs = draw(1, 1, 4, 4).float()
    mean = likelihood.mean(outputs)[0].double()
    generator = torch.Generator().manual_seed(0)
    draws = likelihood.sample(outputs.expand(n, 1, 4, 4), generator).double()
    if isinstance(likelihood, Bernoulli):
        assert set(draws.unique().tolist()) == {0.0, 1.0}
        variance, fourth = mean * (1 - mean), mean * (1 - mean) * (1 - 3 * mean * (1 - mean))
    else:
        variance = torch.full_like(mean, 0.09)
        fourth = 3 * variance**2
    # 16 pixels and two moments: one false alarm in 4,600 seeds.
    errors = (draws.mean(0) - mean) / (variance / n).sqrt()
    assert errors.abs().max() < SIGMAS
    squares = (draws - mean).square().mean(0)
    errors = (squares - variance) / ((fourth - variance**2) / n).sqrt().clamp_min(1e-12)
    assert errors.abs().max() < SIGMAS
