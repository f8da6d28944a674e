"""The autoencoder, the VAE, their codes, and the classifier."""

import pytest
import torch
from torch import distributions as td
from torch import nn

from tests.unit.kinds import LIKELIHOODS
from vaebook.datasets import ImageSet
from vaebook.models import (
    VAE,
    Autoencoder,
    Bernoulli,
    Classifier,
    Codes,
    Gaussian,
    evaluating,
)
from vaebook.models.networks import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder
from vaebook.models.priors import StandardNormal

# Monte Carlo is held within this many standard errors: one false alarm in 150,000 per number.
SIGMAS = 4.5

SHAPES = [(1, 4, 4), (3, 5, 8), (1, 12, 7)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def small(kind=VAE, likelihood=Bernoulli, latent_dim=2, shape=(1, 4, 4), n_classes=0):
    torch.manual_seed(0)
    encoder = MLPEncoder((2 if kind is VAE else 1) * latent_dim, (8,), shape)
    decoder = MLPDecoder(latent_dim + n_classes, (8,), shape)
    settings = {"n_classes": n_classes} if kind is VAE else {}
    return kind(encoder, decoder, latent_dim, likelihood(), **settings)


def convolutional(likelihood=Bernoulli, shape=(3, 20, 14)):
    torch.manual_seed(0)
    return VAE(ConvEncoder(4, (4, 4), shape=shape), ConvDecoder(2, shape=shape), 2, likelihood())


def pixels(n, shape=(1, 4, 4), seed=0):
    return torch.rand(n, *shape, generator=generator(seed))


# ---------------------------------------------------------------------------------------------
# Codes


def test_codes_are_taken_by_slice_number_and_mask():
    codes = Codes(draw(5, 2), draw(5, 2, seed=1), torch.arange(5))
    assert len(codes) == 5
    for index in (slice(1, 3), torch.tensor([4, 0, -1]), torch.arange(5) % 2 == 0):
        part = codes[index]
        assert torch.equal(part.labels, torch.arange(5)[index])
        assert torch.equal(part.mu, codes.mu[index])
        assert torch.equal(part.logvar, codes.logvar[index])
    assert len(codes[codes.labels > 7]) == 0
    bare = Codes(codes.mu)[1:]
    assert bare.logvar is None
    assert bare.labels is None


@pytest.mark.parametrize(
    "index",
    [
        0,
        [0, 1],
        torch.tensor(0),
        torch.tensor([5]),
        torch.tensor([0.0]),
        torch.tensor([1], dtype=torch.uint8),
        torch.tensor([True]),
        torch.zeros(1, 1).long(),
        None,
        "mu",
    ],
)
def test_what_is_no_index_of_codes_is_refused(index):
    with pytest.raises(ValueError, match=r"index must be a slice, an int64 tensor \[M\]"):
        Codes(draw(5, 2))[index]


def test_codes_cannot_be_walked_through_by_mistake():
    with pytest.raises(ValueError, match="index must be a slice"):
        list(Codes(draw(5, 2)))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ((draw(5),), r"mu must be a tensor \[N, D\]"),
        (([[0.0]],), r"mu must be a tensor \[N, D\]"),
        ((draw(5, 2), draw(5, 1)), r"logvar must be a tensor \[5, 2\]"),
        ((draw(5, 2), draw(4, 2)), r"logvar must be a tensor \[5, 2\]"),
        ((draw(5, 2), None, torch.zeros(4).long()), r"labels must be a tensor \[5\]"),
        ((draw(5, 2), None, torch.zeros(5, 1).long()), r"labels must be a tensor \[5\]"),
    ],
)
def test_codes_whose_parts_do_not_fit_are_refused(parts, said):
    with pytest.raises(ValueError, match=said):
        Codes(*parts)


def test_codes_are_drawn_from_q_and_are_their_own_draw_without_spread():
    n = 40_000
    mu, logvar = torch.tensor([[1.5, -0.3]]), torch.tensor([[-1.0, 0.8]])
    z = Codes(mu.expand(n, 2), logvar.expand(n, 2)).sample(generator()).double()
    assert ((z.mean(0) - mu[0]) / (logvar[0].exp() / n).sqrt()).abs().max() < SIGMAS
    assert ((z.var(0) / logvar[0].exp() - 1) / (2 / n) ** 0.5).abs().max() < SIGMAS
    assert torch.equal(Codes(mu).sample(generator()), mu)


@pytest.mark.parametrize("kind", [VAE, Autoencoder])
def test_codes_of_a_set_are_those_of_its_images_with_its_labels(kind):
    model = small(kind)
    images = ImageSet(pixels(2300), torch.arange(2300) % 3)  # more than two batches
    codes = model.codes(images)
    with torch.no_grad():
        found = model.encode(images.images)
    mu, logvar = found if kind is VAE else (found, None)
    torch.testing.assert_close(codes.mu, mu)
    assert torch.equal(codes.labels, images.labels)
    if kind is VAE:
        torch.testing.assert_close(codes.logvar, logvar)
    else:
        assert codes.logvar is None
    bare = model.codes(images.images)
    assert torch.equal(bare.mu, codes.mu)
    assert bare.labels is None
    assert not codes.mu.requires_grad


def test_two_images_of_an_autoencoder_are_two_codes():
    codes = small(Autoencoder).codes(pixels(2))
    assert codes.mu.shape == (2, 2)
    assert codes.logvar is None


def with_dropout():
    torch.manual_seed(0)
    encoder = nn.Sequential(MLPEncoder(4, (8,), (1, 4, 4)), nn.Dropout(0.5))
    return VAE(encoder, MLPDecoder(2, (8,), (1, 4, 4)), 2, Bernoulli())


def test_codes_are_taken_in_eval_mode_and_each_module_put_back():
    model = with_dropout().train()
    model.decoder.eval()
    images = pixels(20)
    before = [module.training for module in model.modules()]
    first, second = model.codes(images), model.codes(images)
    assert torch.equal(first.mu, second.mu)
    assert [module.training for module in model.modules()] == before
    assert model.training
    assert not model.decoder.training


def test_modes_and_gradients_come_back_after_an_error():
    model = small().train()
    found = []

    def fail():
        with evaluating(model):
            found.extend([model.training, torch.is_grad_enabled()])
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()
    assert found == [False, False]
    assert model.training
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(0, 1, 4, 4),
        torch.zeros(4, 4),
        torch.zeros(1, 1, 4, 4).long(),
        torch.full((1, 1, 4, 4), float("nan")),
        torch.zeros(1, 1, 4, 4).half(),
        torch.zeros(1, 1, 4, 4).numpy(),
        [0.0],
        torch.zeros(2, 1, 5, 4),
        torch.zeros(2, 3, 4, 4),
    ],
)
def test_codes_refuse_what_is_no_image_of_the_model(images):
    for kind in (VAE, Autoencoder):
        with pytest.raises(ValueError, match="images must be"):
            small(kind).codes(images)


# ---------------------------------------------------------------------------------------------
# Encoding, drawing, decoding


def test_encode_returns_means_first_and_log_variances_second():
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(4, 4))
    with torch.no_grad():
        encoder[1].weight.zero_()
        encoder[1].bias.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    decoder = MLPDecoder(2, (), (1, 2, 2))
    mu, logvar = VAE(encoder, decoder, 2, Bernoulli()).encode(torch.zeros(5, 1, 2, 2))
    assert mu.tolist() == 5 * [[1.0, 2.0]]
    assert logvar.tolist() == 5 * [[3.0, 4.0]]
    decoder = MLPDecoder(4, (), (1, 2, 2))
    codes = Autoencoder(encoder, decoder, 4, Bernoulli()).encode(torch.zeros(5, 1, 2, 2))
    assert codes.tolist() == 5 * [[1.0, 2.0, 3.0, 4.0]]


def test_reparameterized_codes_have_the_moments_of_q():
    n = 100_000
    mu, logvar = torch.tensor([[1.5, -0.3]]), torch.tensor([[-1.0, 0.8]])
    z = VAE.reparameterize(mu.expand(n, 2), logvar.expand(n, 2), generator()).double()
    variance = logvar[0].exp().double()
    assert ((z.mean(0) - mu[0]) / (variance / n).sqrt()).abs().max() < SIGMAS
    assert ((z.var(0) / variance - 1) / (2 / n) ** 0.5).abs().max() < SIGMAS
    assert abs(torch.corrcoef(z.T)[0, 1]) < SIGMAS / n**0.5


def test_gradients_pass_through_the_draw_to_mean_and_log_variance():
    mu, logvar = draw(6, 3).requires_grad_(), draw(6, 3, seed=1).requires_grad_()
    z = VAE.reparameterize(mu, logvar, generator())
    weights = draw(6, 3, seed=2)
    to_mu, to_logvar = torch.autograd.grad((weights * z).sum(), (mu, logvar))
    torch.testing.assert_close(to_mu, weights)
    # z = mu + exp(logvar / 2) eps, so dz / dlogvar is half of what the noise added.
    torch.testing.assert_close(to_logvar, weights * 0.5 * (z - mu).detach())


def test_a_draw_refuses_parts_that_would_broadcast():
    for mu, logvar in (
        (draw(5, 2), draw(5, 1)),
        (draw(5, 2), draw(2)),
        (draw(5, 2).long(), draw(5, 2)),
        (draw(5, 2), draw(5, 2).float()),
    ):
        with pytest.raises(ValueError, match="must be"):
            VAE.reparameterize(mu, logvar)


@pytest.mark.parametrize("likelihood", [Bernoulli, Gaussian])
def test_one_code_gives_another_image_each_time_but_one_mean(likelihood):
    model = small(likelihood=likelihood)
    z = torch.zeros(1, 2)
    assert torch.equal(model.decode(z), model.decode(z))
    source = generator()
    first, second = model.sample(z, generator=source), model.sample(z, generator=source)
    assert not torch.equal(first, second)
    assert torch.equal(first, model.sample(z, generator=generator()))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_log_prob_is_pure_in_training(likelihood):
    model = small(likelihood=likelihood).train()
    images, z = pixels(7), torch.randn(7, 2, generator=generator())
    state = {name: value.clone() for name, value in model.state_dict().items()}
    first = model.log_prob(images, z)
    assert torch.equal(first, model.log_prob(images, z))
    assert torch.equal(first, model.eval().log_prob(images, z))
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_images_of_any_shape_and_models_of_any_type(shape, dtype):
    for model in (
        small(shape=shape),
        small(Autoencoder, Gaussian, shape=shape),
        convolutional(shape=(shape[0], 20, 14)),
    ):
        model.to(dtype)
        images = pixels(3, model.encoder.shape)  # of single precision, as sets hold them
        codes = model.codes(images)
        assert codes.mu.dtype == dtype
        assert model.decode(codes.mu).shape == images.shape
        assert model.sample(codes.mu, generator=generator()).shape == images.shape
        log_prob = model.log_prob(images, codes.mu)
        assert log_prob.shape == (3,)
        assert log_prob.dtype == dtype
        each = torch.stack([model.target(image)(codes.mu) for image in images])
        torch.testing.assert_close(each.diagonal(), log_prob)


def test_everything_happens_on_the_device_of_the_model():
    for likelihood in LIKELIHOODS:
        model = convolutional(likelihood).to("meta")
        images = pixels(3, (3, 20, 14)).to("meta")
        mu, logvar = model.encode(images)
        z = model.reparameterize(mu, logvar, generator())
        for result in (
            z,
            model.decode(z),
            model.sample(z, generator=generator()),
            model.log_prob(images, z),
            model.prior.kl(mu, logvar),
            model.prior.sample(4, generator=generator()),
        ):
            assert result.device.type == "meta"
        with pytest.raises(ValueError, match="as the network is"):
            model.encode(images.new_zeros(images.shape, device="cpu"))
        with pytest.raises(ValueError, match="as the network is"):
            model.decode(torch.zeros(3, 2))


# ---------------------------------------------------------------------------------------------
# The target of samplers


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_target_is_the_sum_over_seen_pixels(likelihood):
    model = small(likelihood=likelihood, shape=(3, 4, 5)).double().requires_grad_(False)
    image, z = pixels(1, (3, 4, 5)).double(), draw(7, 2)
    whole = model.log_prob(image.expand(7, 3, 4, 5), z)
    torch.testing.assert_close(model.target(image)(z), whole)
    torch.testing.assert_close(model.target(image[0])(z), whole)
    seen = torch.rand(3, 4, 5, generator=generator()) < 0.4
    torch.testing.assert_close(model.target(image, torch.ones_like(seen))(z), whole)
    outputs = model.outputs(z)
    if likelihood is Bernoulli:
        each = td.Bernoulli(logits=outputs, validate_args=False).log_prob(image)
    else:
        each = td.Normal(outputs, model.likelihood.variance.sqrt()).log_prob(image)
    torch.testing.assert_close(model.target(image, seen)(z), each[:, seen].sum(1))
    torch.testing.assert_close(model.target(image, seen[0])(z), each[:, :, seen[0]].sum((1, 2)))
    parts = model.target(image, seen)(z) + model.target(image, ~seen)(z)
    torch.testing.assert_close(parts, whole)


@pytest.mark.parametrize("junk", [0.0, 1.0, -7.0, float("nan"), float("inf")])
def test_unseen_pixels_do_not_matter_to_the_target_whatever_they_are(junk):
    model = small()
    seen = torch.zeros(4, 4, dtype=torch.bool)
    seen[:2] = True
    image, z = pixels(1)[0], torch.randn(7, 2, generator=generator())
    spoiled = torch.where(seen, image, torch.tensor(junk))
    assert torch.equal(model.target(spoiled, seen)(z), model.target(image, seen)(z))
    with pytest.raises(ValueError, match="images must"):
        model.target(torch.where(seen, torch.tensor(7.0), image), seen)


def test_the_target_has_the_gradient_of_its_formula():
    model = small().double()
    z = draw(5, 2).requires_grad_()
    image = pixels(1)[0].double()
    (found,) = torch.autograd.grad(model.target(image)(z).sum(), z)
    expected = model.log_prob(image.expand(5, 1, 4, 4), z).sum()
    torch.testing.assert_close(found, torch.autograd.grad(expected, z)[0])


@pytest.mark.parametrize(
    ("image", "mask", "said"),
    [
        (torch.zeros(4, 4), None, "image must be a float tensor"),
        (torch.zeros(2, 1, 4, 4), None, "image must be a float tensor"),
        (torch.zeros(1, 4, 4).long(), None, "image must be a float tensor"),
        (torch.zeros(1, 4, 4), torch.ones(4, 4), "mask must be a bool tensor"),
        (torch.zeros(1, 4, 4), torch.ones(4, 5) > 0, r"mask must be \[4, 4\] or \[1, 4, 4\]"),
        (torch.zeros(1, 4, 4), torch.ones(4) > 0, r"mask must be \[4, 4\] or \[1, 4, 4\]"),
        (torch.zeros(1, 4, 4), torch.zeros(4, 4) > 0, r"a pixel that was seen, got .* 0 seen"),
    ],
)
def test_the_target_refuses_what_is_no_image_or_mask(image, mask, said):
    with pytest.raises(ValueError, match=said):
        small().target(image, mask)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 4, 1), (1, 1, 4), (3, 4, 4), (1, 5, 5)])
@pytest.mark.parametrize("likelihood", [Bernoulli, Gaussian])
def test_the_target_refuses_an_image_that_the_decoder_cannot_draw(shape, likelihood):
    with pytest.raises(ValueError, match="image"):
        small(likelihood=likelihood).target(torch.zeros(shape))(torch.zeros(2, 2))


# ---------------------------------------------------------------------------------------------
# A decoder that is told the class


def test_the_class_is_a_bias_of_a_linear_decoder():
    """The one-hot columns of its weights."""
    torch.manual_seed(0)
    model = VAE(
        MLPEncoder(4, (8,), (1, 4, 4)), MLPDecoder(5, (), (1, 4, 4)), 2, Bernoulli(), n_classes=3
    ).double()
    z, labels = draw(9, 2), torch.arange(9) % 3
    weight, bias = model.decoder.layers[0].weight, model.decoder.layers[0].bias
    expected = z @ weight[:, :2].T + weight[:, 2 + labels].T + bias
    torch.testing.assert_close(model.outputs(z, labels).flatten(1), expected)
    torch.testing.assert_close(model.outputs(z, labels.to(torch.int32)).flatten(1), expected)
    torch.testing.assert_close(model.decode(z, labels).flatten(1), expected.sigmoid())
    images = pixels(9).double()
    log_p = td.Bernoulli(logits=expected, validate_args=False).log_prob(images.flatten(1)).sum(1)
    torch.testing.assert_close(model.log_prob(images, z, labels), log_p)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (None, r"labels must be the class of each code, \[N\], got None"),
        (torch.tensor([0, 1]), r"labels must be an integer tensor \[3\]"),
        (torch.tensor([0.0, 1.0, 2.0]), r"labels must be an integer tensor \[3\]"),
        (torch.tensor([0, 1, 3]), "labels must lie in 0 to 2, got 0 to 3"),
        (torch.tensor([0, 1, -1]), "labels must lie in 0 to 2, got -1 to 1"),
        ([0, 1, 2], r"labels must be an integer tensor \[3\]"),
    ],
)
def test_classes_that_a_conditional_decoder_cannot_take_are_refused(labels, said):
    model = small(n_classes=3)
    for call in (model.outputs, model.decode, model.sample):
        with pytest.raises(ValueError, match=said):
            call(torch.zeros(3, 2), labels)


def test_a_class_is_refused_where_the_decoder_is_not_told_it_and_a_target_where_it_is():
    for kind in (VAE, Autoencoder):
        with pytest.raises(ValueError, match="labels must be None"):
            small(kind).decode(torch.zeros(3, 2), torch.zeros(3).long())
    with pytest.raises(ValueError, match="told a class"):
        small(n_classes=3).target(torch.zeros(1, 4, 4))


# ---------------------------------------------------------------------------------------------
# Refusals


@pytest.mark.slow
@pytest.mark.parametrize(
    "z", [torch.zeros(2), torch.zeros(3, 3), torch.zeros(3, 2).long(), torch.zeros(3, 2).double()]
)
def test_codes_that_the_decoder_cannot_take_are_refused(z):
    for model in (small(), small(Autoencoder), convolutional()):
        for call in (model.decode, model.outputs, model.sample):
            with pytest.raises(ValueError, match="z must be"):
                call(z)


def test_an_encoder_of_the_wrong_width_is_refused():
    with pytest.raises(
        ValueError, match=r"encoder or features must return \[N, 6\] of images, got \[5, 3\]"
    ):
        VAE(MLPEncoder(3), MLPDecoder(3), 3, Bernoulli()).encode(torch.zeros(5, 1, 28, 28))
    with pytest.raises(
        ValueError, match=r"encoder or features must return \[N, 3\] of images, got \[5, 6\]"
    ):
        Autoencoder(MLPEncoder(6), MLPDecoder(3), 3, Bernoulli()).encode(torch.zeros(5, 1, 28, 28))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((None, MLPDecoder(2), 2, Bernoulli()), "encoder must be a Module, got None"),
        ((MLPEncoder(4), len, 2, Bernoulli()), "decoder must be a Module"),
        ((MLPEncoder(4), MLPDecoder(2), 0, Bernoulli()), "latent_dim must be a whole number"),
        ((MLPEncoder(4), MLPDecoder(2), 2, "bernoulli"), "likelihood must be a Likelihood"),
        ((MLPEncoder(4), MLPDecoder(2), 2, Bernoulli), "likelihood must be a Likelihood"),
        (
            (MLPEncoder(4), MLPDecoder(2), 2, Bernoulli(), StandardNormal(3)),
            "prior must be a Prior of 2 dimensions",
        ),
        ((MLPEncoder(4), MLPDecoder(2), 2, Bernoulli(), "normal"), "prior must be a Prior of 2"),
        ((MLPEncoder(4), MLPDecoder(2), 2, Bernoulli(), None, -1), "n_classes must be a whole"),
    ],
)
def test_what_makes_no_model_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        VAE(*arguments)


def test_networks_without_weights_will_do():
    class Half(nn.Module):
        def forward(self, images):
            return images.flatten(1)[:, :4]

    class Fill(nn.Module):
        def forward(self, z):
            return z.sum(1)[:, None, None, None].expand(-1, 1, 2, 4)

    model = VAE(Half(), Fill(), 2, Gaussian())
    images = pixels(3, (1, 2, 4))
    codes = model.codes(images)
    assert torch.equal(codes.mu, images.flatten(1)[:, :2])
    assert model.log_prob(images, codes.mu).shape == (3,)
    assert model.target(images[0])(codes.mu).shape == (3,)


# ---------------------------------------------------------------------------------------------
# The classifier


def test_a_classifier_is_a_linear_layer_on_its_features():
    torch.manual_seed(0)
    features = MLPEncoder(6, (), (1, 4, 4))
    model = Classifier(features, 6, 3)
    images = pixels(5)
    logits = features(images) @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model(images), logits)
    codes = model.codes(ImageSet(images, torch.tensor([0, 1, 2, 0, 1])))
    torch.testing.assert_close(codes.mu, features(images))
    assert codes.logvar is None
    assert codes.labels.tolist() == [0, 1, 2, 0, 1]
    with pytest.raises(ValueError, match=r"must return \[N, 7\] of images, got \[5, 6\]"):
        Classifier(features, 7, 3)(images)
    for arguments in ((features, 0), (features, 6, 0)):
        with pytest.raises(ValueError, match="must be a whole number, 1 or more"):
            Classifier(*arguments)
