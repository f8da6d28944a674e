"""The results of the chapter on autoencoders, each against something else.

A test bears the label of its result. Principal components come from scikit-learn, minima from
SciPy's optimiser.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import optimize
from sklearn.decomposition import PCA
from torch import Tensor, nn

from vaebook import models, objectives, tables
from vaebook.datasets import ImageSet
from vaebook.models import networks

CHAPTER = Path(__file__).parents[2] / "chapters" / "01_from_autoencoders_to_vaes.ipynb"


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    """Other test files keep their own precision."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def small_pair(latent_dim: int, seed: int = 0) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(seed)
    encoder = networks.MLPEncoder(latent_dim, (7, 5), shape=(1, 4, 4))
    return encoder, networks.MLPDecoder(latent_dim, (5, 7), shape=(1, 4, 4))


def grey(n: int, seed: int = 1) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    return ImageSet(torch.rand(n, 1, 4, 4, generator=generator, dtype=torch.float32))


def test_def_autoencoder() -> None:
    """Code, reconstruction and loss of the package, against NumPy, pixel by pixel."""
    encoder, decoder = small_pair(2)
    model = models.Autoencoder(encoder, decoder, 2, models.Bernoulli())
    batch = grey(6)
    x = batch.images.double()
    with torch.no_grad():
        z = model.encode(x)
        decoded = model.decode(z)
        loss = objectives.reconstruction_only(model, batch)["loss"]
        assert torch.equal(z, encoder(x))
    assert z.shape == (6, 2)
    assert decoded.min() >= 0
    assert decoded.max() <= 1
    pixels, means = x.flatten(1).numpy(), decoded.flatten(1).numpy()
    by_hand = -(pixels * np.log(means) + (1 - pixels) * np.log(1 - means)).sum(1)
    np.testing.assert_allclose(loss.numpy(), by_hand, rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "pixels", "latent_dim"), [(40, 6, 1), (40, 6, 3), (5, 9, 2)])
def test_prop_linear_autoencoder(n: int, pixels: int, latent_dim: int) -> None:
    """The best affine autoencoder that an optimiser finds is scikit-learn's PCA, never better."""
    rng = np.random.default_rng(n + pixels + latent_dim)
    data = rng.normal(size=(n, pixels)) * np.linspace(2.0, 0.5, pixels) + rng.normal(size=pixels)
    pca = PCA(latent_dim).fit(data)
    projected = pca.inverse_transform(pca.transform(data))
    bound = np.linalg.eigvalsh(np.cov(data.T, ddof=0))[: pixels - latent_dim].sum()
    assert ((data - projected) ** 2).sum(1).mean() == pytest.approx(bound, rel=1e-9)

    x = torch.from_numpy(data)
    shapes = [(pixels, latent_dim), (latent_dim,), (latent_dim, pixels), (pixels,)]
    sizes = [int(np.prod(shape)) for shape in shapes]

    def decode(theta: Tensor) -> Tensor:
        parts = [p.view(s) for p, s in zip(theta.split(sizes), shapes, strict=True)]
        return (x @ parts[0] + parts[1]) @ parts[2] + parts[3]

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        weights = torch.from_numpy(theta).requires_grad_()
        loss = (x - decode(weights)).square().sum(1).mean()
        loss.backward()
        assert weights.grad is not None
        return loss.item(), weights.grad.numpy()

    for _ in range(3):
        start = rng.normal(size=sum(sizes))
        assert objective(start)[0] > bound
        options = {"maxiter": 5000, "maxfun": 10_000, "ftol": 1e-15, "gtol": 1e-10}
        found = optimize.minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
        assert found.fun == pytest.approx(bound, rel=1e-6)
        assert found.fun > bound * (1 - 1e-9)
        reached = decode(torch.from_numpy(found.x)).numpy()
        np.testing.assert_allclose(reached, projected, atol=2e-3)


@pytest.mark.slow
def test_prop_code_scale() -> None:
    """An affine map slipped in between, written into the layers or left as a curved function."""
    encoder, decoder = small_pair(3)
    plain = models.Autoencoder(encoder, decoder, 3, models.Bernoulli())
    batch = grey(8)
    x = batch.images.double()
    generator = torch.Generator().manual_seed(2)
    H = torch.randn(3, 3, generator=generator) + 3 * torch.eye(3)
    k = torch.randn(3, generator=generator)

    new_encoder, new_decoder = small_pair(3)
    inverse = torch.linalg.inv(H)
    with torch.no_grad():
        last, first = new_encoder.layers[-1], new_decoder.layers[0]
        last.weight.copy_(H @ last.weight)
        last.bias.copy_(H @ last.bias + k)
        first.bias.sub_(first.weight @ inverse @ k)
        first.weight.copy_(first.weight @ inverse)
    affine = models.Autoencoder(new_encoder, new_decoder, 3, models.Bernoulli())

    class Bend(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return (20 * z).sinh()

    class Straighten(nn.Module):
        def forward(self, y: Tensor) -> Tensor:
            return y.asinh() / 20

    curved = models.Autoencoder(
        nn.Sequential(encoder, Bend()), nn.Sequential(Straighten(), decoder), 3, models.Bernoulli()
    )
    with torch.no_grad():
        z = plain.encode(x)
        torch.testing.assert_close(affine.encode(x), z @ H.T + k)
        torch.testing.assert_close(curved.encode(x), (20 * z).sinh())
        for other in (affine, curved):
            assert not torch.allclose(other.encode(x), z, atol=1e-2)
            torch.testing.assert_close(other.decode(other.encode(x)), plain.decode(z))
            theirs = objectives.reconstruction_only(other, batch)["loss"]
            ours = objectives.reconstruction_only(plain, batch)["loss"]
            torch.testing.assert_close(theirs, ours)


def defined_in_the_chapter(*names: str) -> dict[str, Any]:
    """What the cells of the chapter define that define one of the names."""
    space: dict[str, Any] = {"torch": torch, "nn": nn}
    for cell in json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if any(f"{kind} {name}" in source for kind in ("def", "class") for name in names):
            exec(source, space)
    return space


def small_images(n: int) -> ImageSet:
    generator = torch.Generator().manual_seed(3)
    return ImageSet(torch.rand(n, 1, 28, 28, generator=generator, dtype=torch.float32))


def test_the_ten_lines_of_the_chapter_are_the_packages_autoencoder() -> None:
    chapter = defined_in_the_chapter("small_networks", "cross_entropy")
    torch.manual_seed(0)
    pair = chapter["small_networks"](2, 2)
    batch = small_images(5)
    mine = chapter["TinyAutoencoder"](*pair)
    package = models.Autoencoder(*pair, 2, models.Bernoulli())
    x = batch.images.double()
    torch.testing.assert_close(mine.decode(mine.encode(x)), package.decode(package.encode(x)))
    theirs = objectives.reconstruction_only(package, batch)["loss"]
    torch.testing.assert_close(mine.loss(x), theirs, rtol=1e-6, atol=1e-4)


def test_the_vae_of_the_chapter_is_the_packages_and_its_price_is_that_of_torch() -> None:
    chapter = defined_in_the_chapter("small_networks", "cross_entropy", "TinyVAE")
    torch.manual_seed(0)
    pair = chapter["small_networks"](2, 4)
    batch = small_images(5)
    x = batch.images.double()
    mine, package = chapter["TinyVAE"](*pair), models.VAE(*pair, 2, models.Bernoulli())
    loss = mine.loss(x, torch.Generator().manual_seed(1))
    same_noise = torch.Generator().manual_seed(1)
    terms = objectives.negative_elbo(package, batch, generator=same_noise)
    torch.testing.assert_close(loss, terms["loss"], rtol=1e-6, atol=1e-4)

    mu, logvar = mine.encode(x)
    posterior = torch.distributions.Normal(mu, (0.5 * logvar).exp())
    prior = torch.distributions.Normal(torch.zeros(2), torch.ones(2))
    kl = torch.distributions.kl_divergence(posterior, prior).sum(1)
    reconstruction = chapter["cross_entropy"](mine.decode(posterior.mean), x)
    decoded = package.decode(posterior.mean)
    by_hand = -(x * decoded.log() + (1 - x) * (1 - decoded).log()).flatten(1).sum(1)
    torch.testing.assert_close(reconstruction, by_hand)
    torch.testing.assert_close(terms["kl"], kl)


def test_what_the_chapter_calls_reproduced_came_out_every_time_and_the_rest_did_not() -> None:
    """Not a truth about the kinds, but about the table that the prose is written for."""
    study = tables.load("two_planes")

    def values(kind: str, measure: str) -> list[float]:
        return [row[measure] for row in study.where(kind=kind)]

    for measure in (
        "long", "short", "empty_0", "empty_1", "empty_5", "largest_step", "response",
        "wrong_prior", "wrong_fitted",
    ):  # fmt: skip
        assert max(values("vae", measure)) < min(values("ae", measure)), measure
    for measure in ("empty_1", "empty_5"):
        assert min(values("vae", measure)) > study.summary[measure]
    assert max(values("ae", "lines")) < min(values("vae", "lines")) < 1.1
    undecided = [
        (values("ae", "error"), values("vae", "error")),
        (values("ae", "wrong_fitted"), values("vae", "wrong_prior")),
    ]
    for one, other in undecided:
        assert max(one) >= min(other)
        assert max(other) >= min(one)
