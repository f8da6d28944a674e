"""Where ten trainings of one VAE put the digits in the plane, and a layout drawn by hand.

    make experiment NAME=class_planes

A row is one training of a VAE with two latents, one hidden layer of 64 units on either side, for
fifteen epochs of 55,000 images of MNIST, and the mean and covariance of the codes of each class,
the encoder's own variance included, over the 10,000 test images.

The layout is that of lecture notes, three rows of digits, which can be read as centred or as flush
left. What is asked was written down before a row was there. Distances are those between the ten
class means in the plane, on paper those of the drawing, and two layouts are compared by Spearman's
correlation of their 45 distances. Seeds are the unit.

- *Drawn.* The drawing has the layout of the plane if the 95 % interval, by Student's t over ten
  seeds, of its mean correlation lies above 0.5; it has something of it if the interval lies above
  0.2; it has next to none of it if the interval lies within -0.2 and 0.2; anything else is
  undecided. The better of the two readings counts, which favours the drawing.
- *By chance.* The drawing itself is one: how many of 2,000 random renamings of its digits have a
  mean correlation with the ten planes that is as high says what one drawing can show.
- *Another seed.* The yardstick is the correlation of two planes, 45 pairs of seeds: a layout that
  another seed doesn't find again, no drawing can have.

The chapter on the map of the classes reads the table.
"""

from functools import cache

import torch

from vaebook import datasets
from vaebook.datasets import ImageSet
from vaebook.latent import mixtures
from vaebook.models import VAE, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.objectives import negative_elbo
from vaebook.tables import Experiment
from vaebook.training import fit, one_cycle

SEEDS, EPOCHS = 10, 15


@cache
def images() -> tuple[ImageSet, ImageSet]:
    """Return training and test images."""
    train, _ = datasets.mnist(train=True).split(11 / 12, seed=0)
    return train, datasets.mnist(train=False)


def row(seed: int) -> dict[str, list[list[float]]]:
    """Train a plane; return the classes' means [C, 2] and covariances [C, 3] (xx, xy, yy)."""
    train, test = images()
    torch.manual_seed(seed)
    model = VAE(MLPEncoder(4, (64,)), MLPDecoder(2, (64,)), 2, Bernoulli())
    fit(
        model,
        negative_elbo,
        train,
        epochs=EPOCHS,
        batch_size=256,
        learning_rate=4e-3,
        schedule=one_cycle,
        seed=seed,
        progress=False,
    )
    codes = model.requires_grad_(False).codes(test)
    assert codes.labels is not None
    _, means, covariances = mixtures.class_moments(codes.mu, codes.logvar, codes.labels)
    upper = covariances[:, (0, 0, 1), (0, 1, 1)]
    return {
        name: [[round(value, 4) for value in line] for line in values.tolist()]
        for name, values in (("means", means), ("covariances", upper))
    }


class_planes = Experiment("class_planes", row, {"seed": range(SEEDS)})
