"""What a U-Net's skip connections do to a VAE's latent code.

    make experiment NAME=unet

A row is one training: a convolutional VAE on 6,000 digits of MNIST, with no skip connection,
with one at 7 × 7 pixels or with all three, four epochs. Three seeds, each of the images that are
taken, the initial weights, the batches and the noise. It says what the code carries on the first
1,000 test images, and what the reconstruction owes to it; the rows of seed 0 also keep pictures.
The chapter on training reads the table.
"""

from functools import cache
from typing import Any

import torch
from torch import Generator, Tensor, nn

from vaebook import datasets, objectives
from vaebook.datasets import ImageSet
from vaebook.measures import bounds
from vaebook.models import VAE, Bernoulli
from vaebook.tables import Experiment, pack_images
from vaebook.training import fit, one_cycle

LATENT_DIM, EPOCHS, SEEDS, BATCH, RATE = 16, 4, 3, 32, 1e-2
N_TRAIN, N_TEST = 6000, 1000
LEVELS = {"none": (), "7x7": (7,), "all": (7, 14, 28)}


class SkipVAE(VAE):
    """A conv VAE whose decoder sees the encoder's feature maps at some of three resolutions.

    Maps of the other resolutions are replaced by zeros: all variants have the same weights and
    cost. The decoder's density is then of x given z *and* maps of x itself.

    Args:
        levels: sides of the feature maps that are handed over, of 7, 14 and 28.
    """

    def __init__(self, levels: tuple[int, ...]) -> None:
        super().__init__(nn.Identity(), nn.Identity(), LATENT_DIM, Bernoulli())
        self.levels = levels
        self.down = nn.ModuleDict(
            {"28": nn.Conv2d(1, 8, 3, padding=1), "14": nn.Conv2d(8, 16, 3, padding=1)}
        )
        self.head = nn.Sequential(nn.Linear(16 * 49, 128), nn.ReLU(), nn.Linear(128, 32))
        self.stem = nn.Sequential(nn.Linear(LATENT_DIM, 128), nn.ReLU(), nn.Linear(128, 16 * 49))
        self.up = nn.ModuleDict(
            {
                "14": nn.ConvTranspose2d(16 + 16, 8, 4, stride=2, padding=1),
                "28": nn.ConvTranspose2d(8 + 16, 8, 4, stride=2, padding=1),
                "out": nn.Conv2d(8 + 8, 1, 3, padding=1),
            }
        )

    def maps(self, images: Tensor) -> dict[int, Tensor]:
        """Return the encoder's feature maps by their side, those of 7 × 7 pixels last."""
        fine = self.down["28"](images).relu()
        middle = self.down["14"](nn.functional.max_pool2d(fine, 2)).relu()
        return {28: fine, 14: middle, 7: nn.functional.max_pool2d(middle, 2)}

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = self.head(self.maps(images)[7].flatten(1)).chunk(2, dim=1)
        return mu, logvar

    def logits(self, z: Tensor, maps: dict[int, Tensor]) -> Tensor:
        """Return the logits from codes and feature maps."""
        seen = {
            side: m if side in self.levels else torch.zeros_like(m) for side, m in maps.items()
        }
        hidden = self.stem(z).relu().unflatten(1, (16, 7, 7))
        hidden = self.up["14"](torch.cat([hidden, seen[7]], 1)).relu()
        hidden = self.up["28"](torch.cat([hidden, seen[14]], 1)).relu()
        return self.up["out"](torch.cat([hidden, seen[28]], 1))

    def log_prob(self, images: Tensor, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.likelihood.log_prob(self.logits(z, self.maps(images)), images)


def negative_elbo(
    model: SkipVAE, batch: ImageSet, *, generator: Generator | None = None, progress: float = 1.0
) -> dict[str, Tensor]:
    """The package's, for a decoder that sees the image."""
    mu, logvar = model.encode(batch.images)
    z = model.reparameterize(mu, logvar, generator)
    kl = objectives.kl_divergence(mu, logvar)
    return {"loss": kl - model.log_prob(batch.images, z), "kl": kl}


@torch.no_grad()
def measure(model: SkipVAE, images: Tensor, others: Tensor) -> dict[str, Any]:
    """Measure a trained model; `others` are as many images, none in its own place in `images`.

    Distances are Frobenius norms in pixels, means over the images.
    """
    generator = Generator().manual_seed(0)
    mu, logvar = model.encode(images)
    z = model.reparameterize(mu, logvar, generator)
    prior = torch.randn(mu.shape, generator=generator)
    maps, other_maps = model.maps(images), model.maps(others)
    mean_maps = {side: m.mean(0).expand_as(m) for side, m in maps.items()}

    def decode(codes: Tensor, features: dict[int, Tensor]) -> Tensor:
        return model.logits(codes, features).sigmoid()

    def distance(a: Tensor, b: Tensor) -> float:
        return (a - b).flatten(1).norm(dim=1).mean().item()

    sampled = decode(prior, mean_maps)
    borrowed = decode(prior, other_maps)
    return {
        "kl": objectives.kl_divergence(mu, logvar).mean().item(),
        "active_units": int(bounds.active_units(mu).sum()),
        "reconstruction": -model.log_prob(images, z).mean().item(),
        "error": distance(decode(mu, maps), images),
        "error_prior_code": distance(decode(prior, maps), images),
        "error_swapped_code": distance(decode(model.encode(others)[0], maps), images),
        "error_swapped_maps": distance(decode(mu, other_maps), images),
        "borrowed_to_donor": distance(borrowed, others),
        "sample_variety": distance(sampled, sampled.roll(1, 0)),
        "data_variety": distance(images, others),
    }


@torch.no_grad()
def pictures(model: SkipVAE, images: Tensor, others: Tensor) -> Tensor:
    """Return [4, N, H, W]: the images, decoded; with codes of the prior; with maps of others."""
    mu, _ = model.encode(images)
    prior = torch.randn(mu.shape, generator=Generator().manual_seed(1))
    maps, other_maps = model.maps(images), model.maps(others)
    rows = [(mu, maps), (prior, maps), (mu, other_maps)]
    decoded = [model.logits(z, features).sigmoid() for z, features in rows]
    return torch.cat([images, *decoded], 1).transpose(0, 1)


@cache
def images(train: bool) -> ImageSet:
    """Return the images of MNIST."""
    return datasets.mnist(train=train)


def row(way: str, seed: int) -> dict[str, Any]:
    """Train one variant and measure it."""
    torch.manual_seed(seed)
    train = images(True)
    chosen = torch.randperm(len(train), generator=Generator().manual_seed(seed))[:N_TRAIN]
    train, test = train[chosen], images(False)[:N_TEST]
    model = SkipVAE(LEVELS[way])
    # From the grey of the mean pixel on, none of the variants has to learn it through the code.
    with torch.no_grad():
        model.up["out"].get_parameter("bias").fill_(train.images.mean().logit())
    fit(
        model,
        negative_elbo,
        train,
        epochs=EPOCHS,
        batch_size=BATCH,
        learning_rate=RATE,
        schedule=one_cycle,
        seed=seed,
        progress=False,
    )
    measured = measure(model, test.images, test.images.roll(1, 0))
    found: dict[str, Any] = {name: round(value, 4) for name, value in measured.items()}
    if seed == 0:
        found["pictures"] = pack_images(pictures(model, test.images[:8], test.images[8:16]))
    return found


unet = Experiment(
    "unet",
    row,
    {"way": list(LEVELS), "seed": range(SEEDS)},
    about={"latent_dim": LATENT_DIM, "epochs": EPOCHS, "n_train": N_TRAIN, "n_test": N_TEST},
)
