"""Whether a classifier and a VAE put the same images side by side, and when they learn to.

    make experiment NAME=class_neighbours

What is compared are the ten nearest others of each of the first 2,000 test images of MNIST, by
Euclidean distance: in the means of the codes of the VAEs `mnist-small-8d-s0` to `s4`, in the 64
features of classifiers, in the pixels. A share is that of an image's ten nearest which it has in
both spaces, the mean over the images in per cent; *within the class*, only images of its own
class are looked at.

A row of a seed is about the VAE of that seed and a classifier trained as `mnist-classifier` is,
from the seed's start, for its twelve epochs. Between the codes and each of the following it has
the share, and the share within the class:

- `vaes`: the codes of the other four VAEs, the mean over the four;
- `classifier`: the features at the end of the training, and `untrained`, those before it;
- `encoder`: the codes of an untrained VAE, and `wide`, of one with 64 latents;
- `narrow`: the features of an untrained classifier that has eight of them;
- `pixels`: the 784 grey values; `linear_8` and `linear_64`, a random linear map of them into as
  many dimensions; `components`, their first eight principal components;
- `label`: the image's class and nothing else, whose neighbours are drawn at random in the class;
- `shuffled`: the codes themselves, whose images are shuffled.

`beyond` has the shares among those neighbours in the codes that are not neighbours in the pixels,
for `vaes`, `classifier` and `untrained`.

`classifiers` is the share between the features and those of `mnist-classifier` itself: two
classifiers from different seeds.

What is asked was written down before a row was there. The unit is the seed, of which there are
five; an interval is that of 95 % of a mean by Student's t. A difference counts from five points
on, since less could not be seen in ten neighbours. The VAEs of `vaes` are shared among the
seeds, so that an interval with them is somewhat too narrow.

- *Same.* Of the neighbours a VAE and a classifier have as much in common as two VAEs have, if the
  interval of `vaes` minus `classifier` lies within -5 and 5; less, if it lies above 5.
- *More than the class.* They share more than the class if the interval of `classifier` minus
  `label`, both within the class, lies above 5; the class and little else if it lies within -5
  and 5.
- *Pixels.* The pixels are nearer to the codes than the classifier is if the interval of `pixels`
  minus `classifier` lies above 5, the classifier if it lies below -5; no matter which, if it lies
  within -5 and 5. Asked of all images, and within the class.
- *Learning.* Learning the classes brings a network's features nearer to the codes if the interval
  of `classifier` minus `untrained` lies above 5, and takes them away if it lies below -5. Asked of
  all images, and within the class.

Anything else is undecided. One form was added when all of the above was known, and before the
first of its numbers: the chapter had named dimensions as the reason for what an untrained
classifier has in common with the codes, without a control.

- *Dimensions.* Among random maps those into 64 dimensions have more in common with the codes than
  those into eight, if the intervals of `wide` minus `encoder` and of `untrained` minus `narrow`
  both lie above 5.

The last one, with `beyond`, `linear_*` and `components`, came when a referee had found, with one
classifier, that a trained one keeps 14 to 16 % of the neighbours which the pixels lack, and
untrained ones 7 to 8 %.

- *Beyond the pixels.* Learning the classes brings a network's features nearer to the codes in what
  the pixels lack, if the interval of `classifier` minus `untrained`, both of `beyond`, lies above
  5; and they stay less near than another VAE, if that of `vaes` minus `classifier` does.

The row `film` has the training of one classifier and of a VAE as `mnist-small-8d-s0` is, both
from seed 0: at eight steps the places of the first 300 test images in the plane of the first two
principal components of the last step, `vae` and `classifier` [8, 300, 2], what share of the
variance that plane has in the end (`planes`), the classes of the images, and the `shares` with
the last codes and the last features, of either network. No claim rests on it.

The chapter on the map of the classes reads the table.
"""

from dataclasses import replace
from functools import cache, partial
from typing import Any

import torch
from torch import Generator, Tensor, nn

from vaebook import datasets, recipes
from vaebook.datasets import ImageSet
from vaebook.models import VAE, Bernoulli, Classifier
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.recipes import Recipe
from vaebook.tables import Experiment
from vaebook.training import Recorder, fit

SEEDS, NEAREST, IMAGES, DRAWN, DIGITS = 5, 10, 2000, 300, 2
STEPS = (0, 10, 30, 100, 250, 600, 1300)  # and the last
CLASSIFIER, VAE_OF_SEED = "mnist-classifier", "mnist-small-8d-s{}".format


@cache
def images() -> ImageSet:
    return datasets.mnist(train=False)[:IMAGES]


def classes() -> Tensor:
    labels = images().labels
    assert labels is not None
    return labels


def nearest(points: Tensor, within: bool) -> Tensor:
    """Return whether image j is among the nearest of image i, [N, N]."""
    x = points.double()
    distances = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    distances.fill_diagonal_(torch.inf)
    if within:
        distances[classes()[:, None] != classes()] = torch.inf
    found = torch.zeros_like(distances, dtype=torch.bool)
    return found.scatter_(1, distances.topk(NEAREST, largest=False).indices, True)


def share(a: Tensor, b: Tensor) -> list[float]:
    """Return the share of neighbours that both have, of all images and within the class."""
    both = [nearest(a, within) & nearest(b, within) for within in (False, True)]
    return [round(100 * found.sum().item() / (IMAGES * NEAREST), DIGITS) for found in both]


def beyond(own: Tensor, other: Tensor, pixels: Tensor) -> list[float]:
    """Return what the other has of the neighbours that the pixels lack, as `share` does."""
    found = []
    for within in (False, True):
        left = nearest(own, within) & ~nearest(pixels, within)
        found.append((left & nearest(other, within)).sum().item() / left.sum().item())
    return [round(100 * value, DIGITS) for value in found]


def mean_of(shares: list[list[float]]) -> list[float]:
    return [round(value, DIGITS) for value in torch.tensor(shares).double().mean(0).tolist()]


def encoded(model: Any) -> Tensor:
    return model.codes(images()).mu


def learned(recipe: Recipe) -> list[Tensor]:
    """Train a recipe; return the codes before, meanwhile and at the end."""
    everything, _ = recipe.sets()
    training, validation = everything.split(11 / 12, seed=0)
    camera = Recorder(encoded, STEPS)
    model = recipe.start()
    fit(
        model,
        recipe.objective,
        training,
        None if recipe.keep_last else validation,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        schedule=recipe.schedule,
        seed=recipe.seed,
        observers=[camera],
        progress=False,
    )
    with torch.no_grad():
        return [*camera.values.values(), encoded(model)]


def vae_of(latents: int) -> VAE:
    """Build a VAE as those of the seeds are, with other latents."""
    encoder = MLPEncoder(2 * latents, (64,), initial="torch")
    return VAE(encoder, MLPDecoder(latents, (64,), initial="torch"), latents, Bernoulli())


def classifier_of(features: int) -> Classifier:
    """Build a classifier as `mnist-classifier` is, with other features."""
    layers = MLPEncoder(features, (128,), initial="torch"), nn.ReLU()
    return Classifier(nn.Sequential(*layers), features)


def of_seed(seed: int) -> dict[str, Any]:
    """Compare the VAE of a seed with all others."""
    generator = Generator().manual_seed(seed)
    codes = [recipes.load(VAE_OF_SEED(k)).codes.mu[:IMAGES] for k in range(SEEDS)]
    own = codes.pop(seed)
    recipe = replace(recipes.get(CLASSIFIER), name=f"{CLASSIFIER}-s{seed + 1}", seed=seed + 1)
    features = learned(recipe)
    pixels = images().images.flatten(1)
    label = torch.nn.functional.one_hot(classes(), 10).double()
    noise = torch.randn(IMAGES, 10, generator=generator, dtype=torch.float64)
    shipped = recipes.load(CLASSIFIER)
    vae = recipes.get(VAE_OF_SEED(seed))
    with torch.no_grad():
        untrained = encoded(vae.start())
        wide = encoded(replace(vae, model=partial(vae_of, 64)).start())
        narrow = encoded(replace(recipe, model=partial(classifier_of, 8)).start())
    order = torch.randperm(IMAGES, generator=generator)
    maps = {k: torch.randn(pixels.shape[1], k, generator=generator) for k in (8, 64)}
    axes = torch.linalg.svd((pixels - pixels.mean(0)).double(), full_matrices=False).Vh
    return {
        "vaes": mean_of([share(own, other) for other in codes]),
        "classifier": share(own, features[-1]),
        "untrained": share(own, features[0]),
        "encoder": share(own, untrained),
        "wide": share(own, wide),
        "narrow": share(own, narrow),
        "pixels": share(own, pixels),
        "label": share(own, label + 1e-3 * noise),
        "shuffled": share(own, own[order]),
        "classifiers": share(features[-1], shipped.codes.mu[:IMAGES]),
        **{f"linear_{k}": share(own, pixels @ each) for k, each in maps.items()},
        "components": share(own, pixels.double() @ axes[:8].T),
        "beyond": {
            "vaes": mean_of([beyond(own, other, pixels) for other in codes]),
            "classifier": beyond(own, features[-1], pixels),
            "untrained": beyond(own, features[0], pixels),
        },
    }


def film() -> dict[str, Any]:
    """Record how one classifier and one VAE learn."""
    networks = {
        name: learned(recipes.get(recipe))
        for name, recipe in (("vae", VAE_OF_SEED(0)), ("classifier", CLASSIFIER))
    }
    found: dict[str, Any] = {"planes": {}, "shares": {}, "classes": classes()[:DRAWN].tolist()}
    for name, states in networks.items():
        last = states[-1].double()
        values, axes = torch.linalg.svd(last - last.mean(0), full_matrices=False)[1:]
        found["planes"][name] = round(
            100 * (values[:2].square().sum() / values.square().sum()).item(), DIGITS
        )
        places = torch.stack([(state.double() - last.mean(0)) @ axes[:2].T for state in states])
        found[name] = [
            [[round(value, DIGITS) for value in place] for place in frame]
            for frame in places[:, :DRAWN].tolist()
        ]
        found["shares"][name] = {
            end: [share(state, networks[end][-1]) for state in states] for end in networks
        }
    return found


def row(source: str, seed: int) -> dict[str, Any]:
    """Compare the neighbours of a seed, or make the film."""
    return film() if source == "film" else of_seed(seed)


def weights_used(source: str, seed: int) -> list[str]:
    """Return what decides a row beside this file."""
    names = [VAE_OF_SEED(k) for k in range(SEEDS)] + [CLASSIFIER]
    if source == "film":
        return [recipes.get(name).fingerprint for name in (VAE_OF_SEED(0), CLASSIFIER)]
    return [
        recipes.get(CLASSIFIER).fingerprint,
        *(recipes.load(name).card["sha256"] for name in names),
    ]


class_neighbours = Experiment(
    "class_neighbours",
    row,
    [
        *({"source": "neighbours", "seed": seed} for seed in range(SEEDS)),
        {"source": "film", "seed": 0},
    ],
    uses=weights_used,
)
