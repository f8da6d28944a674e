"""Models with discrete codes and their codebooks: sums by hand, k-means, an encoder's own use."""

import math

import pytest
import torch
from sklearn.cluster import KMeans
from torch import Generator, Tensor
from torch import distributions as td
from torch.nn import functional as F

from vaebook import objectives
from vaebook.datasets import ImageSet
from vaebook.models import Bernoulli, Gaussian, OptimalGaussian, codebooks, gradients
from vaebook.models.discrete import VQVAE, CategoricalVAE
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.training import fit

SHAPE = (1, 4, 4)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def categorical(k: int = 5) -> CategoricalVAE:
    torch.manual_seed(0)
    encoder = MLPEncoder(k, (8,), SHAPE, initial="torch")
    return CategoricalVAE(encoder, MLPDecoder(k, (8,), SHAPE), k, Bernoulli())


def vq(k: int = 6) -> VQVAE:
    torch.manual_seed(0)
    vectors = torch.randn(k, 2, generator=seeded(1))
    return VQVAE(MLPEncoder(6, (8,), SHAPE), MLPDecoder(6, (8,), SHAPE), vectors, 3, Gaussian(0.5))


def images(n: int = 7) -> Tensor:
    return torch.rand(n, *SHAPE, generator=seeded(2)).round()


def three_heaps(n: int = 300) -> Tensor:
    middles = torch.tensor([[-3.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    return middles.repeat(n // 3, 1) + 0.3 * torch.randn(n, 2, generator=seeded(3))


# A category


def test_the_elbo_is_the_sum_over_categories_and_the_evidence_is_above():
    model, pixels = categorical(), images()
    q = td.Categorical(logits=model.encode(pixels))
    values = torch.stack(
        [
            td.Bernoulli(logits=model.outputs(torch.eye(5)[k : k + 1]))
            .log_prob(pixels)
            .sum((1, 2, 3))
            for k in range(5)
        ],
        1,
    )
    prior = td.Categorical(torch.full((len(pixels), 5), 0.2))
    expected = (q.probs * values).sum(1) - td.kl_divergence(q, prior)
    torch.testing.assert_close(model.values(pixels), values)
    torch.testing.assert_close(model.elbo(pixels), expected)
    evidence = (0.2 * values.exp()).sum(1).log()
    torch.testing.assert_close(model.log_evidence(pixels), evidence)
    # The gap is the KL to the posterior, which is known.
    posterior = td.Categorical(logits=values)
    gap = td.kl_divergence(q, posterior)
    torch.testing.assert_close(evidence - expected, gap, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("images_or_set", [lambda x: x, ImageSet])
def test_a_set_is_taken_for_its_images(images_or_set):
    model = categorical()
    torch.testing.assert_close(model.elbo(images_or_set(images())), model.elbo(images()))


def test_the_objective_is_the_negative_elbo_with_its_gradient():
    model, batch = categorical(), ImageSet(images())
    terms = objectives.categorical_elbo(model, batch)
    torch.testing.assert_close(terms["loss"], -model.elbo(batch.images))
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + terms["kl"])
    weights = list(model.parameters())
    found = torch.autograd.grad(terms["loss"].mean(), weights)
    expected = torch.autograd.grad(-model.elbo(batch.images).mean(), weights)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_an_adaptive_likelihood_has_its_statistics_in_the_mean_over_categories():
    model, batch = categorical(), ImageSet(images())
    model.likelihood = OptimalGaussian(0.3)
    q = model.encode(batch.images).softmax(1)
    decoded = model.outputs(torch.eye(5))
    square = (decoded[None] - batch.images[:, None]).square().mean((2, 3, 4))
    for estimate in (gradients.exact, gradients.leave_one_out):
        terms = objectives.categorical_elbo(model, batch, estimate=estimate)
        torch.testing.assert_close(terms["mse"], (q * square).sum(1))
        assert not terms["mse"].requires_grad
    fit(model, objectives.categorical_elbo, batch, epochs=2, batch_size=4, progress=False)
    assert model.likelihood.variance != 0.3


@pytest.mark.slow
@pytest.mark.parametrize("estimate", [gradients.leave_one_out, gradients.score_function])
def test_an_estimate_without_bias_has_the_objectives_gradient_in_all_weights(estimate):
    model, batch = categorical(), ImageSet(images(2))
    weights = list(model.parameters())

    def flat(loss: Tensor) -> Tensor:
        parts = torch.autograd.grad(loss, weights)
        return torch.cat([part.flatten() for part in parts])

    exact = flat(objectives.categorical_elbo(model, batch)["loss"].mean())
    # Many copies of the batch are as many independent estimates; ten means of them have an error.
    copies = ImageSet(batch.images.repeat(2000, 1, 1, 1))
    means = torch.stack(
        [
            flat(
                objectives.categorical_elbo(
                    model, copies, estimate=estimate, generator=seeded(seed)
                )["loss"].mean()
            )
            for seed in range(10)
        ]
    )
    # The norm of the mean's error, against what ten means say of it: beyond 3 once in 1e6.
    error = (means.mean(0) - exact).norm()
    expected = (means.var(0).sum() / 10).sqrt()
    assert error < 3 * expected


@pytest.mark.slow
def test_a_categorical_model_learns_two_kinds_of_images():
    patterns = (torch.rand(2, *SHAPE, generator=seeded(4)) > 0.5).float()
    data = ImageSet(patterns[torch.arange(400) % 2])
    model = categorical(2)
    fit(
        model,
        objectives.categorical_elbo,
        data,
        epochs=40,
        batch_size=50,
        learning_rate=0.03,
        progress=False,
    )
    # Two images, equally frequent, are worth log 2, and one category is enough for each.
    assert (model.log_evidence(data.images).mean() + math.log(2)).abs() < 0.1
    shares = model.encode(patterns).softmax(1)
    assert (shares.max(1).values > 0.95).all()
    assert shares.argmax(1).unique().numel() == 2


# A codebook


def test_the_nearest_is_that_of_all_distances():
    z, vectors = torch.randn(50, 3, generator=seeded()), torch.randn(7, 3, generator=seeded(1))
    expected = torch.cdist(z, vectors).argmin(1)
    assert torch.equal(codebooks.nearest(z, vectors), expected)


def test_codes_are_rows_of_the_codebook():
    model = vq()
    indices = model.indices(images())
    assert indices.shape == (7, 3)
    codes = model.quantized(images()).view(7, 3, 2)
    assert torch.equal(codes, model.codebook[indices])
    flat = model.encode(images()).view(-1, 2)
    chosen = (flat - codes.flatten(0, 1)).norm(dim=1)
    assert (chosen[:, None] <= torch.cdist(flat, model.codebook) + 1e-5).all()


def test_steps_of_lloyd_end_where_k_means_does():
    z = three_heaps()
    start = z[:3].clone() + 0.1
    vectors, last = start, math.inf
    for _ in range(20):
        vectors = codebooks.lloyd(z, vectors)
        cost = torch.cdist(z, vectors).min(1).values.square().mean().item()
        assert cost <= last + 1e-6
        last = cost
    found = KMeans(3, init=start.numpy(), n_init=1).fit(z.numpy())
    torch.testing.assert_close(vectors, torch.from_numpy(found.cluster_centers_).float())


def test_moving_averages_settle_on_the_means():
    z = three_heaps()
    vectors = z[:3].clone()
    counts = torch.ones(3)
    for _ in range(200):
        vectors, counts = codebooks.ema_update(z, vectors, counts, decay=0.9)
    torch.testing.assert_close(vectors, codebooks.lloyd(z, vectors), atol=1e-4, rtol=0)
    torch.testing.assert_close(counts, torch.full((3,), 100.0), atol=1e-3, rtol=0)


def test_moving_averages_are_those_of_counts_and_sums():
    vectors, counts = torch.randn(4, 2, generator=seeded(1)), torch.tensor([3.0, 0.5, 0.0, 2.0])
    sums, kept = counts[:, None] * vectors, vectors
    for step in range(30):
        z = torch.randn(9, 2, generator=seeded(step)) - 1
        owners = codebooks.nearest(z, kept)
        kept, found = codebooks.ema_update(z, kept, counts, decay=0.8)
        each = F.one_hot(owners, 4).float()
        counts = 0.8 * counts + 0.2 * each.sum(0)
        sums = 0.8 * sums + 0.2 * each.T @ z
        torch.testing.assert_close(found, counts)
        seen = counts > 1e-3
        torch.testing.assert_close(kept[seen], (sums / counts[:, None])[seen])
    assert seen.sum() >= 3


def test_a_vector_that_takes_nothing_stays_however_small_its_count():
    vectors, counts = torch.tensor([[0.0], [9.0]]), torch.ones(2)
    for _ in range(400):
        vectors, counts = codebooks.ema_update(torch.ones(4, 1), vectors, counts, decay=0.5)
    assert (vectors[1], counts[1]) == (9, 0)
    # And it goes where codes are as soon as it takes some.
    moved, _ = codebooks.ema_update(torch.full((3, 1), 8.0), vectors, counts, decay=0.5)
    assert moved[1] == 8


def test_moving_averages_go_on_from_where_a_vector_was_restarted():
    z = torch.randn(40, 2, generator=seeded())
    vectors = torch.tensor([[0.0, 0.0], [50.0, 50.0], [60.0, -60.0]])
    counts = torch.tensor([40.0, 0.7, 0.9])
    used = torch.tensor([True, False, False])
    restarted = codebooks.restart(z, vectors, used, seeded())
    moved, _ = codebooks.ema_update(z, restarted, counts)
    assert moved.norm(dim=1).max() < z.norm(dim=1).max()


def test_what_is_moved_keeps_no_graph():
    z, vectors = three_heaps().requires_grad_(), torch.randn(3, 2).requires_grad_()
    used = torch.tensor([True, False, True])
    for moved in (
        *codebooks.ema_update(z, vectors, torch.ones(3)),
        codebooks.restart(z, vectors, used),
        codebooks.lloyd(z, vectors),
    ):
        assert not moved.requires_grad


@pytest.mark.parametrize("unused", [[1, 2], [0, 3, 4], [0, 1, 2, 3, 4]])
def test_what_is_not_used_is_put_on_codes_of_its_own_and_the_rest_stays(unused):
    z = torch.randn(5, 2, generator=seeded())
    vectors = torch.arange(10.0).view(5, 2) + 99
    used = torch.ones(5, dtype=torch.bool)
    used[unused] = False
    for seed in range(20):
        moved = codebooks.restart(z, vectors, used, seeded(seed))
        assert torch.equal(moved[used], vectors[used])
        on = (moved[unused, None] == z).all(2)
        assert on.any(1).all()
        assert on.any(0).sum() == len(unused)  # no two on one code


def test_any_code_can_be_drawn_by_any_vector():
    z, used = torch.arange(3.0)[:, None], torch.tensor([False, False])
    pairs = {
        tuple(codebooks.restart(z, torch.full((2, 1), 9.0), used, seeded(seed)).flatten().tolist())
        for seed in range(100)
    }
    assert pairs == {(a, b) for a in range(3) for b in range(3) if a != b}


def test_more_vectors_than_codes_share_them():
    moved = codebooks.restart(
        torch.tensor([[1.0], [2.0]]), torch.full((5, 1), 9.0), torch.zeros(5) > 0, seeded()
    )
    assert sorted(moved.flatten().tolist()) in ([1, 1, 1, 2, 2], [1, 1, 2, 2, 2])


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5])
@pytest.mark.parametrize("autocast", [False, True])
def test_the_nearest_is_so_far_from_the_origin_and_under_autocast(offset, autocast):
    # Whole numbers, which float32 has there, and no ties among the vectors.
    z = torch.randint(-40, 40, (500, 2), generator=seeded()).float() + offset
    vectors = torch.randint(-40, 40, (30, 2), generator=seeded(1)).float() + offset
    exact = torch.cdist(z.double(), vectors.double())
    with torch.autocast("cpu", enabled=autocast):
        found = codebooks.nearest(z, vectors)
    chosen = exact.gather(1, found[:, None])[:, 0]
    torch.testing.assert_close(chosen, exact.amin(1))


def test_perplexity_counts_vectors_in_use():
    assert codebooks.perplexity(torch.tensor([8.0, 0.0, 0.0])) == 1
    counts = torch.rand(5, 9, generator=seeded()) + 0.1
    entropy = td.Categorical(counts).entropy()
    torch.testing.assert_close(codebooks.perplexity(counts), entropy.exp())
    whole = torch.tensor([[3, 0, 1], [2, 2, 2]])
    torch.testing.assert_close(codebooks.perplexity(whole), codebooks.perplexity(whole.float()))
    # Counts of a whole data set must not overflow.
    assert codebooks.perplexity(torch.full((4,), 1e38)).round() == 4


def test_each_part_of_the_loss_reaches_what_it_is_for():
    model, batch = vq(), ImageSet(images())
    terms = objectives.quantized(model, batch, commitment=0.0)
    encoder, decoder = list(model.encoder.parameters()), list(model.decoder.parameters())
    z, e = model.encode(batch.images), model.quantized(batch.images)
    # The codebook: twice its distance from the codes, and nothing of the pixels.
    (found,) = torch.autograd.grad(terms["loss"].sum(), model.codebook, retain_graph=True)
    rows = 2 * (e - z).detach().view(-1, 2)
    expected = torch.zeros(6, 2).index_add(0, model.indices(batch.images).flatten(), rows)
    torch.testing.assert_close(found, expected)
    # The encoder: the gradient at the vectors, as if they were its codes.
    code = e.detach().requires_grad_()
    loss = -model.likelihood.log_prob(model.outputs(code), batch.images)
    (at_code,) = torch.autograd.grad(loss.sum(), code)
    through = torch.autograd.grad((z * at_code).sum(), encoder)
    own = torch.autograd.grad(terms["loss"].sum(), encoder, retain_graph=True)
    for one, other in zip(own, through, strict=True):
        torch.testing.assert_close(one, other)
    # A price on the distance moves the encoder only.
    dear = objectives.quantized(model, batch, commitment=2.0)
    torch.testing.assert_close(dear["loss"] - terms["loss"], 2 * terms["distance"])
    (same,) = torch.autograd.grad(dear["loss"].sum(), model.codebook, retain_graph=True)
    torch.testing.assert_close(same, expected)
    pairs = zip(
        torch.autograd.grad(dear["reconstruction"].sum(), decoder),
        torch.autograd.grad(terms["reconstruction"].sum(), decoder),
        strict=True,
    )
    for one, other in pairs:
        torch.testing.assert_close(one, other)


@pytest.mark.slow
def test_a_vq_vae_learns_and_can_be_fitted():
    patterns = (torch.rand(4, *SHAPE, generator=seeded(4)) > 0.5).float()
    data = ImageSet(patterns[torch.arange(400) % 4])
    model = vq(8)
    before = objectives.quantized(model, data)["reconstruction"].mean().item()
    fit(
        model,
        objectives.quantized,
        data,
        epochs=40,
        batch_size=50,
        learning_rate=0.01,
        progress=False,
    )
    after = objectives.quantized(model, data)["reconstruction"].mean().item()
    perfect = 8 * math.log(2 * math.pi * 0.5)  # the density of images that are met exactly
    assert after - perfect < 0.1 * (before - perfect)
    assert len(model.indices(patterns).unique(dim=0)) == 4


def test_odd_arguments_are_refused_by_name():
    with pytest.raises(ValueError, match="n_categories"):
        CategoricalVAE(MLPEncoder(1), MLPDecoder(1), 1, Bernoulli())
    with pytest.raises(ValueError, match="indices must lie in 0 to 5"):
        vq().embed(torch.full((2, 3), 6))
    with pytest.raises(ValueError, match="counts must not be negative"):
        codebooks.perplexity(torch.zeros(3))
    with pytest.raises(ValueError, match="commitment"):
        objectives.quantized(vq(), ImageSet(images()), commitment=-1.0)
