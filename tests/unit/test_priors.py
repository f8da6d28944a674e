"""The priors against torch.distributions, Monte Carlo and autograd."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load as load_tensors
from torch import distributions as td
from torch import nn

from vaebook import recipes
from vaebook.datasets import ImageSet
from vaebook.models import VAE, Bernoulli
from vaebook.models.learned_priors import Flow, LearnedMixture, VampPrior, fit_to_codes
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.models.priors import (
    ConditionalShift,
    DiagonalNormal,
    FullNormal,
    Mixture,
    Prior,
    StandardNormal,
)
from vaebook.recipes import weights

# Monte Carlo is held within this many standard errors: one false alarm in 150,000 per number.
SIGMAS = 4.5
D = 3
N = 5


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def brightness(images):
    return images.flatten(1).mean(1)


def covariance(seed=3):
    root = draw(D, D, seed=seed)
    return root @ root.T + 0.3 * torch.eye(D).double()


WEIGHTS = torch.tensor([0.2, 0.7, 0.1], dtype=torch.float64)
SCORES = draw(N, seed=4)


def standard():
    one = td.MultivariateNormal(torch.zeros(D).double(), torch.eye(D).double())
    return StandardNormal(D).double(), None, one.expand((N,))


def diagonal():
    mean, logvar = draw(D), draw(D, seed=1)
    one = td.MultivariateNormal(mean, torch.diag(logvar.exp()))
    return DiagonalNormal(mean, logvar), None, one.expand((N,))


def full():
    mean = draw(D)
    return (
        FullNormal(mean, covariance()),
        None,
        td.MultivariateNormal(mean, covariance()).expand((N,)),
    )


def shifted():
    centre = -1.5 * SCORES[:, None].expand(N, D)
    prior = ConditionalShift(D, 1.5, brightness)
    return prior, SCORES, td.MultivariateNormal(centre, torch.eye(D).double().expand(N, D, D))


def mixture():
    means, logvars = 2 * draw(3, D), draw(3, D, seed=1)
    parts = td.Independent(td.Normal(means, (0.5 * logvars).exp()), 1)
    one = td.MixtureSameFamily(td.Categorical(WEIGHTS), parts)
    return Mixture(means, logvars, WEIGHTS), None, one.expand((N,))


GAUSSIAN = [standard, diagonal, full]
NORMAL = [*GAUSSIAN, shifted]
ALL = [*NORMAL, mixture]


@pytest.mark.parametrize("make", ALL)
def test_log_prob_is_torchs(make):
    prior, labels, expected = make()
    z = 2 * draw(N, D, seed=7)
    torch.testing.assert_close(prior.log_prob(z, labels), expected.log_prob(z))


@pytest.mark.parametrize("make", ALL)
def test_samples_have_the_moments_of_the_distribution(make):
    prior, labels, expected = make()
    n = 100_000
    if labels is not None:
        labels, row = labels[:1].expand(n), td.MultivariateNormal(expected.mean[0], torch.eye(D))
        mean, variance = row.mean.double(), torch.ones(D).double()
    else:
        mean, variance = expected.mean[0], expected.variance[0]
    z = prior.sample(n, labels, generator())
    assert z.shape == (n, D)
    squares = (z - mean).square()
    # Three dimensions, two moments: one false alarm in 25,000 per prior.
    assert ((z.mean(0) - mean) / (variance / n).sqrt()).abs().max() < SIGMAS
    assert ((squares.mean(0) - variance) / (squares.std(0) / n**0.5)).abs().max() < SIGMAS


def test_samples_of_a_full_normal_have_its_covariance():
    prior, _, _ = full()
    n = 100_000
    z = prior.sample(n, generator=generator()) - prior.mean
    products = z[:, :, None] * z[:, None]
    errors = (products.mean(0) - covariance()) / (products.std(0) / n**0.5)
    # Six different entries: one false alarm in 25,000.
    assert errors.abs().max() < SIGMAS


def test_samples_of_a_mixture_come_from_its_parts_as_often_as_their_weights_say():
    means = torch.tensor([[-50.0], [0.0], [50.0]])
    prior = Mixture(means, torch.zeros(3, 1), WEIGHTS.float())
    n = 100_000
    z = prior.sample(n, generator=generator())
    shares = ((z - means.T).abs() < 20).double().mean(0)
    assert shares.sum().item() == pytest.approx(1)
    errors = (shares - WEIGHTS) / (WEIGHTS * (1 - WEIGHTS) / n).sqrt()
    assert errors.abs().max() < SIGMAS


@pytest.mark.parametrize("make", ALL)
def test_samples_repeat_themselves_with_their_generator(make):
    prior, labels, _ = make()
    first, again, other = (prior.sample(N, labels, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("make", NORMAL)
def test_the_kl_of_a_normal_prior_is_torchs(make):
    prior, labels, expected = make()
    mu, logvar = draw(N, D, seed=5), draw(N, D, seed=6)
    q = td.MultivariateNormal(mu, torch.diag_embed(logvar.exp()))
    torch.testing.assert_close(prior.kl(mu, logvar, labels), td.kl_divergence(q, expected))


@pytest.mark.slow
@pytest.mark.parametrize("make", ALL)
def test_the_kl_is_the_mean_of_the_log_ratio(make):
    """For a mixture, whose KL is drawn, this is the drawn against another program's draws."""
    prior, labels, expected = make()
    mu, logvar = draw(N, D, seed=5), draw(N, D, seed=6) - 1
    q = td.Independent(td.Normal(mu, (0.5 * logvar).exp()), 1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        z = q.sample((40_000,))
    ratio = q.log_prob(z) - expected.log_prob(z)
    error = ratio.std(0) / len(ratio) ** 0.5
    own = 2**0.5 if make is mixture else 1  # as many draws of its own
    found = prior.kl(mu, logvar, labels, n_samples=40_000, generator=generator(1))
    assert ((found - ratio.mean(0)) / (own * error)).abs().max() < SIGMAS


@pytest.mark.slow
def test_a_drawn_kl_is_the_closed_form_on_average():
    """The base class against StandardNormal's own formula."""
    prior = StandardNormal(D).double()
    mu, logvar = draw(N, D, seed=5), draw(N, D, seed=6)
    drawn = torch.stack([Prior.kl(prior, mu, logvar, None, 1, generator(s)) for s in range(4000)])
    error = drawn.std(0) / len(drawn) ** 0.5
    assert ((drawn.mean(0) - prior.kl(mu, logvar)) / error).abs().max() < SIGMAS


@pytest.mark.slow
def test_the_kl_of_one_normal_of_a_mixture_is_that_of_the_normal():
    mean, logvar = draw(1, D), draw(1, D, seed=1)
    mu, spread = draw(N, D, seed=2), torch.full((N, D), -8.0).double()
    one = Mixture(mean, logvar).kl(mu, spread, n_samples=2000, generator=generator())
    expected = DiagonalNormal(mean[0], logvar[0]).kl(mu, spread)
    # q is so narrow that draws hardly differ.
    torch.testing.assert_close(one, expected, rtol=0.02, atol=0.05)


@given(st.integers(0, 2**31), st.floats(-10, 10))
def test_a_shift_of_the_prior_is_the_opposite_shift_of_the_code(seed, rate):
    """KL(N(mu, L) || N(-r c 1, I)) = KL(N(mu + r c 1, L) || N(0, I))."""
    mu, logvar, score = draw(N, D, seed=seed), draw(N, D, seed=seed + 1), draw(N, seed=seed + 2)
    found = ConditionalShift(D, rate, brightness).kl(mu, logvar, score)
    moved = StandardNormal(D).double().kl(mu + rate * score[:, None], logvar)
    torch.testing.assert_close(found, moved)


def test_a_shift_over_images_has_the_moments_that_its_docstring_says():
    n, rate = 100_000, 2.0
    score = 0.3 + 0.5 * draw(n, seed=1)
    z = ConditionalShift(2, rate, brightness).sample(n, score, generator())
    expected = torch.eye(2) + rate**2 * 0.25 * torch.ones(2, 2)
    # Variances of 2 from 100,000 draws are good to .009, means to .005.
    torch.testing.assert_close(z.T.cov(), expected.double(), rtol=0, atol=SIGMAS * 0.009)
    torch.testing.assert_close(
        z.mean(0), torch.full((2,), -rate * 0.3).double(), rtol=0, atol=SIGMAS * 0.005
    )


def test_only_a_shift_depends_on_the_image_and_its_score_is_a_constant():
    batch = ImageSet(torch.rand(N, 1, 4, 4, generator=generator()))
    weight = torch.ones((), requires_grad=True)
    found = ConditionalShift(D, 1.0, lambda images: weight * brightness(images)).condition(batch)
    assert torch.equal(found, brightness(batch.images))
    assert not found.requires_grad
    for make in (standard, diagonal, full, mixture):
        assert make()[0].condition(batch) is None


def test_a_positive_score_pulls_the_code_down_in_all_dimensions_alike():
    """With nothing to reconstruct, the best mean is -rate * score."""
    mu = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    kl = ConditionalShift(3, 5.0, brightness).kl(
        mu, torch.zeros_like(mu), torch.tensor([0.4], dtype=torch.float64)
    )
    (gradient,) = torch.autograd.grad(kl.sum(), mu)
    torch.testing.assert_close(-gradient, torch.full_like(mu, -2.0))


@pytest.mark.parametrize("make", ALL)
def test_gradients_reach_the_posterior_and_the_code(make):
    prior, labels, _ = make()
    mu, logvar, z = (draw(N, D, seed=s).requires_grad_() for s in (5, 6, 7))
    prior.kl(mu, logvar, labels, generator=generator()).sum().backward()
    prior.log_prob(z, labels).sum().backward()
    for value in (mu, logvar, z):
        assert value.grad.isfinite().all()
        assert (value.grad != 0).any(1).all()


@pytest.mark.parametrize("make", ALL)
def test_a_prior_goes_through_its_state_and_to_another_type(make, tmp_path):
    prior, labels, _ = make()
    z = draw(N, D, seed=7)
    expected = prior.log_prob(z, labels)
    other = make()[0]
    for buffer in other.buffers():
        buffer.zero_()
    other.load_state_dict(prior.state_dict())
    if make is not standard:  # whose zeros are not saved, nor needed
        torch.testing.assert_close(other.log_prob(z, labels), expected, rtol=0, atol=0)
    assert ("mean" in prior.state_dict()) == (make in (diagonal, full))
    single = prior.float()
    labels = None if labels is None else labels.float()
    found = single.log_prob(z.float(), labels)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)
    assert single.sample(N, labels, generator()).dtype == torch.float32


@pytest.mark.parametrize("make", GAUSSIAN)
def test_coloured_noise_is_what_whitening_undoes(make):
    prior, _, expected = make()
    noise = draw(N, D, seed=8)
    z = prior.mean + prior.color(noise)
    torch.testing.assert_close(prior.whiten(z), noise)
    squares = noise.square().sum(1)
    distance = z - expected.mean
    mahalanobis = (distance * torch.linalg.solve(expected.covariance_matrix, distance)).sum(1)
    torch.testing.assert_close(squares, mahalanobis)


@pytest.mark.parametrize("make", ALL)
def test_the_kl_stays_single_precision_under_autocast(make):
    prior, labels, _ = make()
    prior = prior.float()
    labels = None if labels is None else labels.float()
    mu, logvar = draw(N, D, seed=5).float(), draw(N, D, seed=6).float()
    expected = prior.kl(mu, logvar, labels, generator=generator())
    with torch.autocast("cpu", torch.bfloat16):
        found = prior.kl(mu, logvar, labels, generator=generator())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


def test_a_full_normal_survives_a_correlation_near_one():
    cov = torch.tensor([[1.0, 1 - 1e-6], [1 - 1e-6, 1.0]])
    prior = FullNormal(torch.zeros(2), cov)
    exact = td.MultivariateNormal(torch.zeros(2).double(), cov.double())
    z = torch.tensor([[1.0, 1.001]])
    torch.testing.assert_close(
        prior.log_prob(z).double(), exact.log_prob(z.double()), rtol=1e-2, atol=0
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: StandardNormal(0), "latent_dim must be a whole number"),
        (lambda: DiagonalNormal(torch.zeros(2, 2), torch.zeros(2)), "mean must be a float tensor"),
        (lambda: DiagonalNormal(torch.zeros(2), torch.zeros(3)), "logvar must be a float tensor"),
        (lambda: DiagonalNormal(torch.zeros(2).long(), torch.zeros(2)), "mean must be a float"),
        (lambda: FullNormal(torch.zeros(2), torch.zeros(2, 2)), "must be positive definite"),
        (
            lambda: FullNormal(torch.zeros(2), torch.tensor([[1.0, 0.5], [0.4, 1.0]])),
            "covariance must be symmetric",
        ),
        (
            lambda: FullNormal(torch.zeros(2), 1e-9 * torch.tensor([[1.0, 0.5], [0.4, 1.0]])),
            "covariance must be symmetric",
        ),
        (lambda: FullNormal(torch.zeros(2), torch.eye(2).double()), "must be of one dtype"),
        (lambda: ConditionalShift(2, float("nan"), brightness), "rate must be a finite number"),
        (lambda: ConditionalShift(2, 1.0, "donut"), "score must map images to numbers"),
        (lambda: Mixture(torch.zeros(2), torch.zeros(2)), "means must be a float tensor"),
        (lambda: Mixture(torch.zeros(2, 1), torch.zeros(1, 1)), "logvars must be a float tensor"),
        (
            lambda: Mixture(torch.zeros(2, 1), torch.zeros(2, 1), torch.tensor([0.5, 0.6])),
            "weights must be positive and sum to 1",
        ),
        (
            lambda: Mixture(torch.zeros(2, 1), torch.zeros(2, 1), torch.tensor([0.0, 1.0])),
            "weights must be positive and sum to 1",
        ),
    ],
)
def test_what_is_no_prior_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize("make", ALL)
def test_codes_that_do_not_fit_are_refused(make):
    prior, labels, _ = make()
    for z in (torch.zeros(N, D + 1), torch.zeros(D), torch.zeros(N, D).long(), [[0.0] * D]):
        with pytest.raises(ValueError, match="z must be a float tensor"):
            prior.log_prob(z, labels)
    with pytest.raises(ValueError, match="logvar must be a float tensor"):
        prior.kl(torch.zeros(N, D), torch.zeros(N, 1), labels)
    with pytest.raises(ValueError, match="n must be a whole number"):
        prior.sample(0, labels)


def test_a_shift_without_its_scores_is_refused():
    prior = ConditionalShift(D, 1.0, brightness)
    with pytest.raises(
        ValueError, match=r"labels must be the score of each image, \[N\], got None"
    ):
        prior.log_prob(torch.zeros(N, D))
    with pytest.raises(ValueError, match=r"labels must be a float tensor \[5\]"):
        prior.kl(torch.zeros(N, D), torch.zeros(N, D), torch.zeros(N + 1))
    with pytest.raises(ValueError, match=r"labels must be a float tensor \[5\], got int64"):
        prior.sample(N, torch.zeros(N).long())


def learned():
    return LearnedMixture(2 * draw(3, D), draw(3, D, seed=1))


def vamp():
    torch.manual_seed(0)
    encoder = MLPEncoder(2 * D, (5,), (1, 4, 4))
    return VampPrior(encoder, D, torch.rand(3, 1, 4, 4, generator=generator())).double()


def flow():
    torch.manual_seed(0)
    prior = Flow(D, 2, (8,)).double()
    for weight in prior.parameters():
        weight.data.mul_(3)  # untrained it is nearly N(0, I)
    return prior


LEARNED = [learned, vamp, flow]


@pytest.mark.parametrize("make", [learned, vamp])
def test_a_learned_mixture_is_the_fixed_one_of_its_components(make):
    prior, z = make(), 2 * draw(N, D, seed=7)
    means, logvars, log_weights = prior.components()
    fixed = Mixture(means, logvars, log_weights.exp())
    torch.testing.assert_close(prior.log_prob(z), fixed.log_prob(z))
    assert torch.equal(prior.sample(N, generator=generator()), fixed.sample(N, None, generator()))


def test_the_components_of_a_vampprior_are_the_posteriors_of_its_pseudo_inputs():
    encoder = MLPEncoder(2 * D, (5,), (1, 4, 4))
    images = torch.rand(3, 1, 4, 4, generator=generator()).clamp(0.01, 0.99)
    prior = VampPrior(encoder, D, images)
    torch.testing.assert_close(prior.pseudo_inputs, images)
    model = VAE(encoder, MLPDecoder(D, (5,), (1, 4, 4)), D, Bernoulli(), prior)
    means, logvars, log_weights = prior.components()
    torch.testing.assert_close((means, logvars), model.encode(images))
    assert log_weights.exp().tolist() == pytest.approx([1 / 3] * 3)
    with pytest.raises(ValueError, match="prior must have the model's own encoder"):
        VAE(MLPEncoder(2 * D, (5,), (1, 4, 4)), model.decoder, D, Bernoulli(), prior)


@pytest.mark.slow
def test_the_density_of_a_flow_integrates_to_one_and_is_that_of_its_samples():
    torch.manual_seed(0)
    prior = Flow(2, 2, (8,)).double()
    for weight in prior.parameters():
        weight.data.mul_(1.5)
    axis = torch.linspace(-8, 8, 801).double()
    points = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        density = prior.log_prob(points).exp() * (axis[1] - axis[0]) ** 2
        z = prior.sample(40_000, generator=generator())
    # Splines have corners in their second derivative: the sum over a grid is good to 1e-3.
    assert density.sum().item() == pytest.approx(1, abs=2e-3)

    def looked_at(x):  # 0.71 is between two points of the grid
        return torch.stack([*x.T, *x.square().T, x.prod(1), *(x > 0.71).to(x).T], 1)

    mean, seen = (density[:, None] * looked_at(points)).sum(0), looked_at(z)
    assert ((seen.mean(0) - mean) / (seen.std(0) / len(z) ** 0.5)).abs().max() < SIGMAS
    normal = StandardNormal(2).double().log_prob(points).exp() * (axis[1] - axis[0]) ** 2
    assert (density - normal).abs().sum() > 0.05  # or the identity would pass


@pytest.mark.slow
@pytest.mark.parametrize("make", LEARNED)
def test_training_reaches_every_parameter_of_a_learned_prior(make):
    prior = make()
    prior.kl(draw(N, D), draw(N, D, seed=1), generator=generator()).sum().backward()
    for name, weight in prior.named_parameters():
        assert weight.grad is not None, name
        assert (weight.grad != 0).any(), name


@pytest.mark.parametrize("make", LEARNED)
def test_a_learned_prior_repeats_its_samples_and_keeps_their_type(make):
    prior = make().float()
    first, again, other = (prior.sample(N, None, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(prior.sample(N, None, generator()), first)
        assert prior.log_prob(first).dtype == torch.float32


@pytest.mark.slow
@pytest.mark.parametrize("make", LEARNED)
def test_fitting_brings_the_cross_entropy_close_to_the_entropy_of_the_codes(make):
    """Of N(m, S) no density has a lower one than its entropy; a start has a much higher one."""
    prior = make().float()
    if isinstance(prior, VampPrior):
        prior.encoder.requires_grad_(False)
    mu, logvar = 1 + 0.8 * draw(4000, D).float(), torch.full((4000, D), -1.0)
    variance = mu.var(0) + logvar.exp()[0]
    entropy = 0.5 * (variance.log() + torch.tensor(2 * torch.pi).log() + 1).sum().item()
    losses = fit_to_codes(prior, mu, logvar, epochs=10, learning_rate=0.1, generator=generator())
    assert losses[-1] > entropy - 0.1
    assert losses[-1] < losses[0]
    if make is not vamp:  # whose encoder need not reach every Gaussian
        assert losses[-1] < entropy + 0.1


@pytest.mark.parametrize("make", LEARNED)
def test_draws_of_a_learned_prior_have_no_gradient(make):
    assert not make().sample(N).requires_grad


@pytest.mark.slow
@torch.no_grad()
def test_fitting_takes_its_gradients_whatever_stands_around_it():
    prior = learned().float()
    before = [weight.clone() for weight in prior.parameters()]
    fit_to_codes(prior, draw(N, D).float(), torch.zeros(N, D), epochs=1)
    changed = zip(before, prior.parameters(), strict=True)
    assert not any(torch.equal(old, new) for old, new in changed)


def test_fitting_leaves_the_graph_of_the_codes_alone():
    prior = learned().float()
    mu, logvar = (draw(N, D, seed=seed).float().requires_grad_() for seed in (0, 1))
    fit_to_codes(prior, 2 * mu, 2 * logvar, epochs=2)
    assert mu.grad is None
    assert logvar.grad is None


def test_a_flow_refuses_codes_beyond_its_splines():
    mu = torch.zeros(200, 2)
    mu[:2, 1] = -6  # of 200, one in 100
    torch.manual_seed(0)
    prior = Flow(2, 1, (4,))
    assert fit_to_codes(prior, mu, torch.zeros(200, 2), epochs=1)
    mu[2, 0] = 6
    with pytest.raises(ValueError, match=r"within 5 units, .* got 2% beyond: scale the codes"):
        fit_to_codes(prior, mu, torch.zeros(200, 2), epochs=1)
    # There it is N(0, I), whatever it has learned.
    far = torch.tensor([[7.0, -9.0]])
    assert prior.log_prob(far).item() == pytest.approx(StandardNormal(2).log_prob(far).item())


def test_a_learned_part_without_width_has_a_density_still():
    prior = LearnedMixture(torch.zeros(2, 2), torch.full((2, 2), -40.0))
    with torch.no_grad():
        prior.logvars.fill_(-300.0)
    z = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    found = prior.log_prob(z)
    assert found.isfinite().all()
    assert found[0] > found[1]
    assert prior.sample(5).isfinite().all()


def test_expectation_maximisation_finds_the_parts():
    means = torch.tensor([[-9.0, 0.0], [9.0, 3.0]])
    logvars = torch.tensor([[0.0, -1.0], [1.0, 0.5]])
    true = Mixture(means, logvars, torch.tensor([0.25, 0.75]))
    found = Mixture.fitted(true.sample(20_000, generator=generator()), 2)
    order = found.means[:, 0].argsort()
    torch.testing.assert_close(found.means[order], means, rtol=0, atol=0.1)
    torch.testing.assert_close(found.logvars[order], logvars, rtol=0, atol=0.1)
    weights = found.log_weights.exp()[order]
    torch.testing.assert_close(weights, torch.tensor([0.25, 0.75]), rtol=0, atol=0.02)


@pytest.mark.slow
def test_a_vampprior_that_was_saved_shares_its_encoder_again(tmp_path):
    encoder = MLPEncoder(4, (5,), (1, 4, 4))
    prior = VampPrior(encoder, 2, torch.rand(3, 1, 4, 4))
    model = VAE(encoder, MLPDecoder(2, (5,), (1, 4, 4)), 2, Bernoulli(), prior)
    images = ImageSet(torch.rand(8, 1, 4, 4))
    history = recipes.load("mnist-mlp-2d").history
    mine = recipes.Trained(model, history, {}, model.codes(images))
    recipes.save(mine, tmp_path / "mine.safetensors")
    again = recipes.load(tmp_path / "mine.safetensors").model
    assert again.prior.encoder is again.encoder
    z = torch.zeros(3, 2)
    assert torch.equal(again.prior.log_prob(z), model.prior.log_prob(z))
    content = (tmp_path / "mine.safetensors").read_bytes()
    assert not [name for name in load_tensors(content) if "prior.encoder" in name]


def test_a_file_of_before_that_has_a_shared_encoder_twice_is_read():
    encoder = MLPEncoder(4, (5,), (1, 4, 4))
    prior = VampPrior(encoder, 2, torch.rand(3, 1, 4, 4))
    model = VAE(encoder, MLPDecoder(2, (5,), (1, 4, 4)), 2, Bernoulli(), prior)
    once, twice = weights._once(model), model.state_dict()
    assert len(once) < len(twice)
    assert weights._shared(model, once).keys() == twice.keys()
    assert weights._shared(model, twice).keys() == twice.keys()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: LearnedMixture(torch.zeros(2), torch.zeros(2)), "means must be a float tensor"),
        (lambda: VampPrior("e", 2, torch.zeros(1, 1, 4, 4)), "encoder must be a Module"),
        (
            lambda: VampPrior(nn.Identity(), 2, torch.full((1, 1, 4, 4), 2.0)),
            r"pseudo_inputs must lie in \[0, 1\]",
        ),
        (
            lambda: VampPrior(MLPEncoder(6, (5,), (1, 4, 4)), 2, torch.rand(3, 1, 4, 4)).sample(1),
            r"encoder must return \[3, 4\] of the pseudo-inputs, got \[3, 6\]",
        ),
        (
            lambda: LearnedMixture(torch.zeros(2, 2), torch.full((2, 2), -90.0)),
            "logvars must be at most 40 in size",
        ),
        (lambda: Flow(2, 0), "transforms must be a whole number"),
        (lambda: Flow(2, hidden=(0,)), "each entry of hidden must be a whole number"),
        (lambda: Mixture.fitted(torch.zeros(3, 2), 4), "z must have at least 4 rows"),
        (
            lambda: fit_to_codes(vamp().float(), torch.zeros(5, D), torch.zeros(5, D), epochs=1),
            "prior must have a frozen encoder",
        ),
        (
            lambda: fit_to_codes(
                StandardNormal(D), torch.zeros(5, D), torch.zeros(5, D), epochs=1
            ),
            "prior must have parameters to train",
        ),
    ],
)
def test_what_is_no_learned_prior_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()
