"""The results of the chapter on training, and the measurements that its page reads.

A test that bears the label of a result compares it with draws of a fixed seed, within 5 standard
errors, which a right result exceeds once in 1.7 million times a number.
"""

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal

from vaebook import datasets, objectives, recipes, tables
from vaebook.latent import mixtures, paths
from vaebook.models import VAE, Bernoulli, Gaussian
from vaebook.models.likelihoods import Likelihood
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.training import Recorder, fit


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(0.3)], ids=["bernoulli", "gaussian"])
@pytest.mark.parametrize("seed", range(3))
def test_prop_decoder_average(likelihood: Likelihood, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(6, 1, 2, 2, dtype=torch.float64, generator=generator)
    q = Normal(torch.randn(6, dtype=torch.float64, generator=generator), 0.7)
    for place in (-1.0, 0.3, 2.0):
        z = torch.tensor(place, dtype=torch.float64)
        density = q.log_prob(z).exp()
        outputs = torch.zeros(1, 1, 2, 2, dtype=torch.float64, requires_grad=True)

        def loss(o: Tensor, density: Tensor = density) -> Tensor:
            return -(density * likelihood.log_prob(o.expand_as(images), images)).sum()

        # Newton's method on the likelihood itself; one pixel's slope depends on that pixel only.
        for _ in range(12):
            (slope,) = torch.autograd.grad(loss(outputs), outputs, create_graph=True)
            (bend,) = torch.autograd.grad(slope.sum(), outputs)
            outputs = (outputs - slope / bend).detach().requires_grad_()
        average = sum(d * x for d, x in zip(density / density.sum(), images, strict=True))
        torch.testing.assert_close(likelihood.mean(outputs)[0], average, rtol=1e-8, atol=1e-10)
        # And any other mean is worse.
        other = outputs + 0.1 * torch.randn(
            outputs.shape, dtype=torch.float64, generator=generator
        )
        assert loss(other) > loss(outputs)


@pytest.mark.parametrize("corners", [2, 3, 7])
def test_prop_blend_norm(corners: int) -> None:
    generator = torch.Generator().manual_seed(corners)
    weights = torch.rand(corners, dtype=torch.float64, generator=generator)
    weights /= weights.sum()
    z = torch.randn(corners, 20_000, 20, dtype=torch.float64, generator=generator)
    for spherical, variance in ((False, weights.square().sum().item()), (True, 1.0)):
        blends = paths.interpolate(z, weights, spherical)
        squares = blends.square().sum(1)
        error = squares.std().item() / math.sqrt(len(squares))
        assert abs(squares.mean().item() - variance * 20) < 5 * error
        # The whole distribution, not only its second moment.
        share = (blends < math.sqrt(variance)).double().mean().item()
        expected = Normal(0.0, 1.0).cdf(torch.tensor(1.0, dtype=torch.float64)).item()
        deviation = math.sqrt(expected * (1 - expected) / blends.numel())
        assert abs(share - expected) < 5 * deviation


@pytest.mark.slow
@given(st.lists(st.floats(0, 1, allow_subnormal=False), min_size=1, max_size=9))
def test_even_weights_make_the_shortest_blend(raw: list[float]) -> None:
    total = math.fsum(raw)
    weights = [value / total for value in raw] if total > 1e-6 else [1 / len(raw)] * len(raw)
    assert math.fsum(w * w for w in weights) >= 1 / len(weights) - 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_prop_kl_parts(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    mu = 1.5 + 2 * torch.randn(50, 4, dtype=torch.float64, generator=generator)
    logvar = torch.randn(50, 4, dtype=torch.float64, generator=generator)
    variance = logvar.exp()
    shift = 0.5 * mu.mean(0).square().sum()
    spread = 0.5 * mu.var(0, correction=0).sum()
    width = 0.5 * (variance - 1 - logvar).mean(0).sum()
    # The mean KL from draws alone: log q - log p, with torch's own densities.
    z = mu + variance.sqrt() * torch.randn(20_000, 50, 4, dtype=torch.float64, generator=generator)
    log_ratio = Normal(mu, variance.sqrt()).log_prob(z) - Normal(0.0, 1.0).log_prob(z)
    draws = log_ratio.sum(2).mean(1)
    error = draws.std().item() / math.sqrt(len(draws))
    assert abs(draws.mean().item() - (shift + spread + width).item()) < 5 * error
    assert min(shift, spread, width) > 0
    exact = objectives.kl_divergence(mu, logvar).mean()
    torch.testing.assert_close(exact, shift + spread + width)


def test_the_recorded_parts_of_the_kl_add_up_in_five_seeds_of_each_way() -> None:
    measured = tables.load("kl_phases")
    for way in measured.about["ways"]:
        assert sorted(run["seed"] for run in measured.where(way=way)) == list(range(5))
    for run in measured.rows:
        parts = torch.tensor([run[name] for name in ("shift", "spread", "width")])
        torch.testing.assert_close(parts.sum(0), torch.tensor(run["kl"]), rtol=1e-3, atol=2e-3)


def test_every_usual_run_spikes_and_collapses_and_none_that_knows_the_mean_image() -> None:
    for run in tables.load("kl_phases").rows:
        spike, collapse = run["phases"]["spike"], run["phases"]["collapse"]
        # White paper makes the first, random codes a little larger.
        assert run["phases"]["start"]["kl"] < (0.2 if run["way"] == "negatives" else 0.03)
        if run["way"] in ("recipe", "constant"):
            assert spike["kl"] > 10
            assert collapse["kl"] < spike["kl"] / 5
            assert spike["spread"] < spike["kl"] / 10
        elif run["way"] == "negatives":
            # Black on white, a Gaussian decoder has its mean image to learn as well.
            assert spike["kl"] > 5
            assert collapse["kl"] < spike["kl"] / 3
        else:
            assert spike["kl"] < (0.03 if run["way"] == "mean image" else 0.5)


def test_the_film_of_the_first_page_begins_grey_and_ends_with_ink_and_paper() -> None:
    measured = tables.load("growth")
    assert [run["recipe"] for run in measured.rows] == [f"mnist-mlp-{d}d" for d in (2, 8, 20)]
    for run in measured.rows:
        film = tables.unpack_images(run["pictures"])
        steps, draws = measured.about["steps"], measured.about["draws"]
        assert film.shape == (len(steps), draws, 1, 28, 28)
        assert (film[0] - 0.5).abs().max() < 0.2
        decided = ((film < 0.1) | (film > 0.9)).float().mean((1, 2, 3, 4))
        assert decided[-1] > 0.7
        # The same draws are told apart in the end.
        assert film[-1].std(0).max() > 0.3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist-mlp-8d", "mnist-mlp-20d"])
def test_shortness_makes_images_grey_and_blending_makes_them_doubtful(name: str) -> None:
    judge = recipes.load("mnist-classifier").model
    model, _, _, codes, _ = recipes.load(name)

    def greyness(images: Tensor) -> float:
        return torch.special.entr(torch.stack([images, 1 - images])).sum().item() / len(images)

    def doubt(images: Tensor) -> float:
        return torch.special.entr(judge(images).softmax(1)).sum(1).mean().item()

    # Seeds that the page doesn't use. Of 500 pairs each; a mean grey has a standard error of 2.
    for seed in (101, 102):
        generator = torch.Generator().manual_seed(seed)
        z = model.reparameterize(codes.mu, codes.logvar, generator)
        a, b = z[torch.randperm(len(z), generator=generator)[:1000]].chunk(2)
        middle = torch.stack([paths.slerp(x, y, 3)[1] for x, y in zip(a, b, strict=True)])
        own, short, blended = (model.decode(v) for v in (a, a / math.sqrt(2), middle))
        greyer = greyness(short) - greyness(own)
        assert greyer > 0.12 * greyness(own)
        assert greyness(blended) - greyness(own) < 0.5 * greyer
        assert doubt(blended) > doubt(own) + 0.15
        assert doubt(short) < doubt(own) + 0.08


@pytest.mark.slow
def test_draws_with_more_latents_are_crisper_and_more_doubtful() -> None:
    judge = recipes.load("mnist-classifier").model
    grey, doubt = {}, {}
    for dim in (2, 8, 20):
        model = recipes.load(f"mnist-mlp-{dim}d").model
        z = torch.randn(1000, dim, generator=torch.Generator().manual_seed(103))
        images = model.decode(z)
        grey[dim] = torch.special.entr(torch.stack([images, 1 - images])).sum().item() / 1000
        doubt[dim] = torch.special.entr(judge(images).softmax(1)).sum(1).mean().item()
    assert grey[2] > 1.2 * grey[8] > 1.2 * grey[20]
    assert doubt[2] + 0.08 < min(doubt[8], doubt[20])


@pytest.mark.slow
def test_draws_of_the_prior_are_doubtful_wherever_they_lie_and_codes_are_not() -> None:
    judge = recipes.load("mnist-classifier").model
    model, _, _, codes, _ = recipes.load("mnist-mlp-20d")
    generator = torch.Generator().manual_seed(104)
    prior = torch.randn(1000, 20, generator=generator)
    others = model.reparameterize(codes.mu[5000:6000], codes.logvar[5000:6000], generator)

    def doubts(z: Tensor) -> Tensor:
        return torch.special.entr(judge(model.decode(z)).softmax(1)).sum(1)

    # Three standard deviations of a mean of 1,000 doubts are about 0.05.
    assert doubts(prior).mean() > doubts(others).mean() + 0.2
    log_q = mixtures.log_density(prior, codes.mu[:5000], codes.logvar[:5000])
    empty = Normal(0.0, 1.0).log_prob(prior).sum(1) - log_q
    ranks = [v.argsort().argsort().double() for v in (empty, doubts(prior))]
    # Of independent draws it is within 4 / sqrt(1000), but for once in 16,000 times.
    assert abs(torch.corrcoef(torch.stack(ranks))[0, 1]) < 0.13


@pytest.mark.weekly
def test_overfitting_to_a_few_digits_is_the_encoders() -> None:
    # Other digits than the page's, easier ones, so fewer of them; and another seed.
    digits = datasets.digits()
    order = torch.randperm(len(digits), generator=torch.Generator().manual_seed(105))
    few, others = digits[order[:20]], digits[order[20:220]]
    torch.manual_seed(105)
    hidden = {"initial": "torch"}
    best = VAE(
        MLPEncoder(40, (400, 100), **hidden), MLPDecoder(20, (100, 400), **hidden), 20, Bernoulli()
    )
    film = Recorder(copy.deepcopy, [1200])
    fit(
        best,
        objectives.negative_elbo,
        few,
        others,
        epochs=300,
        batch_size=5,
        learning_rate=2e-3,
        observers=[film],
        progress=False,
    )

    def loss(model: VAE, mu: Tensor, logvar: Tensor, generator: torch.Generator) -> Tensor:
        z = model.reparameterize(mu, logvar, generator)
        kl = objectives.kl_divergence(mu, logvar)
        return (kl - model.log_prob(others.images, z)).mean()

    encoded, fitted = [], []
    for model in (best, film.values[1200]):
        model.requires_grad_(False)
        generator = torch.Generator().manual_seed(0)
        codes = [c.clone().requires_grad_() for c in model.encode(others.images)]
        encoded.append(loss(model, *codes, generator).item())
        adam = torch.optim.Adam(codes, lr=0.05)
        for _ in range(200):
            adam.zero_grad()
            (len(others) * loss(model, *codes, generator)).backward()
            adam.step()
        fitted.append(loss(model, *codes, generator).item())
    assert encoded[1] > encoded[0] + 5
    assert fitted[1] < fitted[0] - 2


def test_skip_connections_empty_the_code_in_every_seed() -> None:
    measured = tables.load("unet")
    runs = {way: measured.where(way=way) for way in ("none", "7x7", "all")}
    assert all(sorted(r["seed"] for r in group) == list(range(3)) for group in runs.values())
    for run in runs["none"]:
        assert run["kl"] > 5
        assert run["active_units"] > 0
        assert run["error_prior_code"] > 1.5 * run["error"]
        assert run["error_swapped_maps"] == run["error"]
    for run in runs["7x7"] + runs["all"]:
        assert run["kl"] < 1e-3
        assert run["active_units"] == 0
        assert run["error_prior_code"] < 1.05 * run["error"]
        assert run["error_swapped_maps"] > 5 * run["error"]
