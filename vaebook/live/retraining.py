"""Small VAEs that a notebook trains anew as the reader wants; a page shows the first run."""

__all__ = [
    "train_again",
    "train_anchored",
    "train_at_price",
    "train_to_tell",
    "train_with_prior",
]

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from vaebook import _checks
from vaebook.datasets import ImageSet, add_noise
from vaebook.figures.numbers import number
from vaebook.figures.renderer import CATEGORICAL
from vaebook.live import pictures, widgets
from vaebook.live.kernel import WithKernel, _round_step
from vaebook.live.page import Live
from vaebook.models import VAE, Bernoulli, Gaussian, Likelihood, OptimalGaussian
from vaebook.models.learned_priors import LearnedMixture, VampPrior
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.models.priors import Prior, StandardNormal
from vaebook.objectives import kl_per_latent, negative_elbo
from vaebook.training import History, Transform, fit

_EPOCHS = 12
_BATCH = 64
_SHOWN = 1000  # images whose codes are drawn

Follow = Callable[[int], None]


def _train(
    model: VAE,
    train: ImageSet,
    validation: ImageSet | None = None,
    *,
    beta: float = 1.0,
    epochs: int = _EPOCHS,
    seed: int = 0,
    transform: Transform | None = None,
    follow: Follow = lambda _: None,
) -> History:
    """Train, and call `follow` with the number of each epoch that is done."""
    steps = math.ceil(len(train) / _BATCH)

    def look(step: int, _: VAE) -> None:
        if step and step % steps == 0:
            follow(step // steps)

    return fit(
        model,
        partial(negative_elbo, beta=beta),
        train,
        validation,
        epochs=epochs,
        batch_size=_BATCH,
        learning_rate=2e-3,
        seed=seed,
        transform=transform,
        observers=[look],
        progress=False,
    )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Let networks start from a seed, and the random numbers of the process as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _small(
    train: ImageSet,
    width: int,
    latents: int,
    seed: int,
    prior: Prior | None = None,
    likelihood: Likelihood | None = None,
) -> VAE:
    """A VAE with one hidden layer, made without the random numbers of the process."""
    shape = tuple(train.images.shape[1:])
    with _seeded(seed):
        networks = MLPEncoder(2 * latents, (width,), shape), MLPDecoder(latents, (width,), shape)
        made = VAE(*networks, latents, likelihood or Bernoulli(), prior)
        return made.to(train.images.device)


def train_again(train: ImageSet, *, alt: str) -> WithKernel:
    r"""Train a small VAE anew with other settings, and see its plane and its loss move.

    The reader chooses :math:`\beta`, the width of the hidden layer, the number of latents and the
    seed. Codes and the terms of the loss, of a thousand images at most, are drawn after each of
    twelve epochs; where there are more latents than two, in the two most active. The first run,
    with a :math:`\beta` of 1, 64 hidden units, two latents and seed 0, is shown at the start.

    Args:
        train: 64 labelled images or more, in [0, 1]; some thousands take seconds.
        alt: what is to be seen, for those who cannot see it.

    Raises:
        ValueError: for fewer images, or without labels.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> images = torch.rand(64, 1, 4, 4, generator=generator).round()
        >>> again = train_again(ImageSet(images, torch.arange(64) % 2), alt="Train again.")
        >>> list(again.pictures)
        ['codes', 'loss']
    """
    shown = _Shown(train)

    def make(settings: Mapping[str, Any]) -> tuple[VAE, float, int]:
        seed = settings["seed"]
        return _small(train, settings["width"], settings["latents"], seed), settings["beta"], seed

    choices = {
        "beta": ("β", [0.0, 0.3, 1.0, 3.0, 10.0], 1.0),
        "width": ("hidden units", [8, 16, 64, 256], 64),
        "latents": ("latents", [2, 3, 5, 8], 2),
        "seed": ("seed", list(range(10)), 0),
    }
    shown.run(*make(widgets.beginning(choices)))
    build = partial(_run_widgets, shown, make, partial(widgets.dials, choices), alt)
    return WithKernel(shown.pictures(), alt, build)


def _check_labelled(train: ImageSet) -> None:
    """Refuse fewer images than a batch has, or without classes."""
    _checks.instance(train, "train", ImageSet)
    if train.labels is None or len(train) < _BATCH:
        raise ValueError(f"train must be {_BATCH} labelled images or more, got {train}")


class _Shown:
    """A run whose codes and loss are drawn: on a page's picture, and in a widget."""

    def __init__(self, train: ImageSet) -> None:
        _check_labelled(train)
        assert train.labels is not None
        self.train = train
        # Of a set that is sorted by class the first would lack classes.
        order = torch.randperm(len(train), generator=Generator().manual_seed(0))
        self.some = train[order[:_SHOWN].sort().values]
        flat = self.some.images.flatten(1).double()
        mean = train.images.flatten(1).double().mean(0).clamp(1e-3, 1 - 1e-3)
        entropy = torch.special.entr(flat) + torch.special.entr(1 - flat)
        self.floor = entropy.sum(1).mean().item()  # the least that grey pixels allow
        cost = -(flat * mean.log() + (1 - flat) * (1 - mean).log()).sum(1).mean().item()
        self.ceiling = cost - self.floor
        assert self.some.labels is not None
        self.labels = self.some.labels.cpu()
        self.names = pictures.class_names(train)
        self.config: dict[str, Any] = {}

    def run(self, model: VAE, beta: float, seed: int, follow: Follow = lambda _: None) -> None:
        """Train, and hand over what is to be drawn after each epoch."""
        history: dict[str, list[float]] = {"pixels": [], "price": []}

        def look(epoch: int) -> None:
            self.look(model, beta, history)
            follow(epoch)

        _train(model, self.train, beta=beta, seed=seed, follow=look)

    @torch.no_grad()
    def look(self, model: VAE, beta: float, history: dict[str, list[float]]) -> None:
        """Note the codes in the two most active latents, and the terms of the loss."""
        generator = torch.Generator(self.some.images.device).manual_seed(0)
        terms = negative_elbo(model, self.some, generator=generator)
        history["pixels"].append(terms["reconstruction"].mean().item() - self.floor)
        history["price"].append(beta * terms["kl"].mean().item())
        mu = model.codes(self.some).mu.detach().cpu()
        axes = mu.var(0, unbiased=False).topk(2).indices.sort().values
        self.mu = mu[:, axes]
        extent = max(3.0, self.mu.abs().max().item())
        self.config = {
            "plane": {
                "points": pictures.points(self.mu, self.labels, extent),
                "names": self.names,
                "colours": CATEGORICAL,
            },
            "axes": [f"z{'₁₂₃₄₅₆₇₈'[j]}" for j in axes.tolist()],
            "ceiling": self.ceiling,
            "epochs": _EPOCHS,
            "history": {key: list(values) for key, values in history.items()},
        }

    def pictures(self) -> dict[str, str]:
        """What is drawn, as pictures."""
        half = pictures.half_side(self.mu)
        cloud = pictures.cloud(self.mu, self.labels, self.names, half, inked=True)
        history = self.config["history"]
        losses = [a + b for a, b in zip(*history.values(), strict=True)]
        y_ticks = _ticks(max(self.ceiling, *losses))
        bands = pictures.bands(**history, ceiling=self.ceiling, y_ticks=y_ticks)
        return {"codes": cloud, "loss": bands}


def _run_widgets(
    shown: _Shown,
    make: Callable[[Mapping[str, Any]], tuple[VAE, float, int]],
    build: Callable[[], dict[str, Any]],
    alt: str,
) -> Any:
    """Dials in two columns, a button to train, and the run in the page's own figure."""
    import ipywidgets

    dials, shown = build(), copy(shown)  # later runs are of this display alone
    drawn = Live("vaebook-run", shown.config, {}, {}, [], alt).widget()

    def prepare() -> tuple[VAE, float, int]:
        return make(widgets.values(dials))

    def train(made: tuple[VAE, float, int], say: widgets.Say) -> str:
        def follow(epoch: int) -> None:
            say(f"epoch {epoch} of {_EPOCHS}")
            drawn.config = shown.config

        shown.run(*made, follow)
        return f"trained for {_EPOCHS} epochs"

    chosen = list(dials.values())
    pairs = [ipywidgets.HBox(chosen[i : i + 2]) for i in range(0, len(chosen), 2)]
    return ipywidgets.VBox([*pairs, widgets.runner("train again", prepare, train), drawn])


class _Anchored(StandardNormal):
    """N(a, I) with a mean for each class: the codes of a class are pulled to its anchor."""

    def __init__(self, anchors: Tensor) -> None:
        super().__init__(anchors.shape[1])
        self.register_buffer("anchors", anchors, persistent=False)

    def condition(self, batch: ImageSet) -> Tensor | None:
        return batch.labels

    def kl(
        self,
        mu: Tensor,
        logvar: Tensor,
        labels: Tensor | None = None,
        n_samples: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        anchors: Tensor = self.get_buffer("anchors")
        return super().kl(mu - anchors[labels], logvar)


_PLACES = {
    "free": (0.0, 0.0),
    "↖ top left": (-1.0, 1.0),
    "↑ top": (0.0, 1.4),
    "↗ top right": (1.0, 1.0),
    "← left": (-1.4, 0.0),
    "→ right": (1.4, 0.0),
    "↙ bottom left": (-1.0, -1.0),
    "↓ bottom": (0.0, -1.4),
    "↘ bottom right": (1.0, -1.0),
}


def train_anchored(train: ImageSet, *, alt: str) -> WithKernel:
    """Train a small VAE anew whose prior has a mean for each class, where the reader puts it.

    Each class is free, with the prior N(0, I), or has an anchor in one of eight directions, at a
    distance for all: its prior is N(a, I). The first run, with class 0 at the lower left and
    class 1 at the upper right, is shown at the start.

    Args:
        train: 64 images or more in [0, 1], of two to twelve classes; some thousands take seconds.
        alt: what is to be seen, for those who cannot see it.

    Raises:
        ValueError: for fewer images, without labels, or for other numbers of classes.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> images = torch.rand(64, 1, 4, 4, generator=generator).round()
        >>> anchored = train_anchored(ImageSet(images, torch.arange(64) % 2), alt="Anchors.")
        >>> list(anchored.pictures)
        ['codes', 'loss']
    """
    shown = _Shown(train)
    names = [str(name) for name in shown.names]
    if not 2 <= len(names) <= 12:
        raise ValueError(f"train must have two to twelve classes, got {len(names)}")

    def make(settings: Mapping[str, Any]) -> tuple[VAE, float, int]:
        places = torch.tensor([_PLACES[settings[f"class {k}"]] for k in range(len(names))])
        prior = _Anchored(settings["distance"] / 2**0.5 * places)
        seed = settings["seed"]
        return _small(train, 64, 2, seed, prior), 1.0, seed

    begin = ["↙ bottom left", "↗ top right", *("free" for _ in names[2:])]
    choices = {
        "distance": ("distance", [1.0, 2.0, 4.0, 6.0, 8.0], 6.0),
        "seed": ("seed", list(range(10)), 0),
    }

    def build() -> dict[str, Any]:
        import ipywidgets

        menus = {
            f"class {k}": ipywidgets.Dropdown(
                description=names[k], options=list(_PLACES), value=begin[k]
            )
            for k in range(len(names))
        }
        return menus | widgets.dials(choices)

    first = {f"class {k}": place for k, place in enumerate(begin)}
    shown.run(*make(first | widgets.beginning(choices)))
    return WithKernel(shown.pictures(), alt, partial(_run_widgets, shown, make, build, alt))


def train_at_price(
    train: ImageSet, known: Mapping[float, tuple[float, float]], *, noise: float, alt: str
) -> WithKernel:
    r"""Train a small VAE of noisy images at a price, and see where it lands among known models.

    The reader chooses :math:`\beta`, the number of latents and the seed. Each run leaves its rate
    and squared error in the picture; a table has the rate of each latent. A tenth of the images is
    set aside for both. The first run, with a :math:`\beta` of 1, is shown at the start.

    Args:
        train: 64 images or more in [0, 1], without noise; some thousands take seconds.
        known: rate and expected squared error, in nats and summed over pixels, by :math:`\beta`.
        noise: standard deviation of what is added to each pixel, anew in each batch, in (0, 1].
        alt: what is to be seen, for those who cannot see it.

    Raises:
        ValueError: for fewer images, fewer than two known models, or noise out of range.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> images = ImageSet(torch.rand(64, 1, 4, 4, generator=generator))
        >>> known = {1.0: (5.0, 1.0), 10.0: (1.0, 2.0)}
        >>> list(train_at_price(images, known, noise=0.1, alt="A price.").pictures)
        ['rate and error', 'noisy images that were set aside, and below them reconstructions']
    """
    _checks.instance(train, "train", ImageSet)
    if len(train) < _BATCH or not train.in_unit_range:
        raise ValueError(f"train must be {_BATCH} images or more in [0, 1], got {train}")
    _checks.instance(known, "known", Mapping)
    for beta, point in known.items():
        _checks.number(beta, "beta in known", 0)
        if not isinstance(point, Sequence) or len(point) != 2:
            raise ValueError(f"known must map beta to (rate, squared error), got {point!r}")
        for value in point:
            _checks.number(value, f"known[{beta:g}]", 0, 1e6)
    if len(known) < 2:
        raise ValueError(f"known must have two models or more, got {len(known)}")
    _checks.number(noise, "noise", 1e-3, 1)
    choices = {
        "beta": ("β", [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 10_000.0], 1.0),
        "latents": ("latents", [2, 3, 6, 10], 6),
        "seed": ("seed", list(range(10)), 0),
    }
    points = sorted((rate, error) for rate, error in known.values())
    priced = _Priced(train, points, float(noise))
    first = widgets.beginning(choices)
    priced.run(priced.make(first), first)
    build = partial(_outcome_widgets, priced, choices, "train at this price")
    return WithKernel(priced.pictures, alt, build)


class _Priced:
    """Runs at several prices, drawn among known models."""

    def __init__(
        self, train: ImageSet, known: Sequence[tuple[float, float]], noise: float
    ) -> None:
        self.train, aside = train.split(0.9, seed=0)
        self.aside = aside[:500]
        generator = torch.Generator(train.images.device).manual_seed(0)
        self.noisy = self.aside.with_images(add_noise(self.aside.images, noise, generator))
        self.known, self.noise = known, noise
        self.landed: dict[tuple[float, float], Mapping[str, Any]] = {}

    def make(self, settings: Mapping[str, Any]) -> VAE:
        """A model that is to be trained."""
        latents, seed = settings["latents"], settings["seed"]
        return _small(self.train, 128, latents, seed, likelihood=Gaussian(self.noise**2))

    def run(
        self, model: VAE, settings: Mapping[str, Any], follow: Follow = lambda _: None
    ) -> None:
        """Train at one price, and draw where it lands."""
        beta, seed, variance = settings["beta"], settings["seed"], self.noise**2
        spread = partial(add_noise, scale=self.noise)
        _train(model, self.train, beta=beta, seed=seed, transform=spread, follow=follow)
        generator = torch.Generator(self.noisy.images.device).manual_seed(0)
        with torch.no_grad():
            terms = negative_elbo(model, self.noisy, generator=generator)
            codes = model.codes(self.noisy)
            again = model.decode(codes.mu[:8])
        assert codes.logvar is not None
        self.rates = kl_per_latent(codes.mu, codes.logvar).mean(0).tolist()
        pixels = self.noisy.images[0].numel()
        constant = pixels / 2 * math.log(2 * math.pi * variance)
        self.rate = terms["kl"].mean().item()
        self.error = 2 * variance * (terms["reconstruction"].mean().item() - constant)
        self.landed = self.landed | {(self.rate, self.error): dict(settings)}
        points = [*self.known, *self.landed]
        x_ticks, y_ticks = (_ticks(max(column)) for column in zip(*points, strict=True))
        self.pictures = {
            "rate and error": pictures.chart(
                {"known models": (self.known, {"colour": CATEGORICAL[0]})},
                self.marks(),
                x_title="rate, nats",
                y_title="squared error",
                x_ticks=x_ticks,
                y_ticks=y_ticks,
            ),
            "noisy images that were set aside, and below them reconstructions": pictures.pairs(
                self.noisy.images, again
            ),
        }

    def marks(self) -> dict[tuple[float, float], str]:
        """What is written beside each run: its price, and what tells it from others at that."""
        marks = {}
        for point, run in self.landed.items():
            rivals = [other for other in self.landed.values() if other["beta"] == run["beta"]]
            marks[point] = f"β = {run['beta']:g}"
            if len({other["latents"] for other in rivals}) > 1:
                marks[point] += f", {run['latents']} latents"
            if len({other["seed"] for other in rivals}) > 1:
                marks[point] += f", seed {run['seed']}"
        return marks

    def alt(self) -> str:
        """The description of the curve, with all runs so far."""
        runs = (
            f"{words}: {number(rate, 1)} nats and {number(error, 1)}"
            for (rate, error), words in self.marks().items()
        )
        return f"Squared error against rate of known models and of runs. {'; '.join(runs)}"

    def words(self) -> str:
        """A table of what came of the last run."""
        rows = {"rate": f"{number(self.rate, 1)} nats", "squared error": number(self.error, 1)}
        for j, rate in enumerate(self.rates, 1):
            idle = ", idle" if rate < 0.1 else ""
            rows[f"latent {j}"] = f"{number(rate)} nats{idle}"
        return widgets.table(rows)


def _ticks(most: float) -> list[float]:
    """Round numbers from 0 to one beyond all."""
    step = _round_step(max(most, 1e-3) / 4)
    return [step * k for k in range(math.floor(most / step) + 2)]


def train_to_tell(train: ImageSet, *, alt: str) -> WithKernel:
    """Train a small VAE with more latents or fewer, and see how well its codes tell the class.

    The reader chooses the number of latents, the width of the hidden layer and the seed; the
    variance of the pixels follows the errors. A fifth of the images is set aside, and the class of
    each is taken to be that of the nearest code among the others. Each run leaves a row in a
    table. The first run, with three latents, 128 hidden units and seed 0, is shown at the start.

    Args:
        train: 64 labelled images or more; some thousands take seconds.
        alt: what is to be seen, for those who cannot see it.

    Raises:
        ValueError: for fewer images, or without labels.

    Source:
        Nearest Neighbor Pattern Classification (Cover and Hart, 1967) |
        https://doi.org/10.1109/TIT.1967.1053964

    Example:
        >>> images = torch.rand(64, 1, 4, 4, generator=torch.Generator().manual_seed(0))
        >>> telling = train_to_tell(ImageSet(images, torch.arange(64) % 2), alt="Two classes.")
        >>> list(telling.pictures)
        ['codes', 'images that were set aside, and below them reconstructions']
    """
    choices = {
        "latents": ("latents", [2, 3, 4, 5, 6], 3),
        "width": ("hidden units", [32, 128, 256], 128),
        "seed": ("seed", list(range(10)), 0),
    }
    told = _Told(train)
    first = widgets.beginning(choices)
    told.run(told.make(first), first)
    build = partial(_outcome_widgets, told, choices, "train and tell")
    return WithKernel(told.pictures, alt, build)


class _SetAside:
    """Runs on four fifths of labelled images; what comes of them is seen on the last."""

    def __init__(self, train: ImageSet) -> None:
        _check_labelled(train)
        self.names = pictures.class_names(train)
        self.train, self.aside = train.split(0.8, seed=0)
        assert self.aside.labels is not None
        self.labels = self.aside.labels
        self.rows: dict[str, str] = {}


class _Told(_SetAside):
    """Runs whose codes are asked for the class of images that were set aside."""

    def __init__(self, train: ImageSet) -> None:
        super().__init__(train)
        assert self.train.labels is not None
        self.known = self.train.labels
        guessed = self.known.bincount().argmax()
        self.rows = {"always the largest class": self.share(guessed.expand_as(self.labels))}

    def share(self, guesses: Tensor) -> str:
        """The share of right guesses."""
        return f"{number(100 * (guesses == self.labels).double().mean(), 0)} % right"

    def make(self, settings: Mapping[str, Any]) -> VAE:
        """A model that is to be trained."""
        latents, width, seed = (settings[key] for key in ("latents", "width", "seed"))
        return _small(self.train, width, latents, seed, likelihood=OptimalGaussian())

    def run(
        self, model: VAE, settings: Mapping[str, Any], follow: Follow = lambda _: None
    ) -> None:
        """Train, guess the class of what was set aside, and draw its codes."""
        _train(model, self.train, seed=settings["seed"], follow=follow)
        with torch.no_grad():
            mu, known = model.codes(self.aside).mu, model.codes(self.train).mu
            again = model.decode(mu[:8])
        guesses = self.known[torch.cdist(mu, known).argmin(1)]
        run = "{latents} latents, {width} hidden units, seed {seed}".format(**settings)
        self.rows = self.rows | {run: self.share(guesses)}
        axes = mu.var(0, unbiased=False).topk(2).indices.sort().values
        self.pictures = {
            "codes": pictures.whole_cloud(mu[:, axes].cpu(), self.labels.cpu(), self.names),
            "images that were set aside, and below them reconstructions": pictures.pairs(
                self.aside.images, again
            ),
        }

    def alt(self) -> str:
        """The description of the codes."""
        return "Codes of the images set aside, by class, in the two latents that vary most"

    def words(self) -> str:
        """A table of all runs."""
        return widgets.table(self.rows)


def train_with_prior(train: ImageSet, *, alt: str) -> WithKernel:
    r"""Train a small VAE anew along with its prior, and see the codes lie on it.

    The reader chooses N(0, I), a mixture or a VampPrior, of how many parts, and the seed. The
    picture has the codes of a fifth of the images, which is set aside, on shades: the smallest
    regions that hold 50, 90 and 99 % of the prior, by the densities of its own draws. Some draws
    are decoded. Each run leaves the ELBO of those images and its KL in a table. The first run,
    along with a mixture of ten, is shown at the start.

    Args:
        train: 64 labelled images or more, in [0, 1]; some thousands take seconds.
        alt: what is to be seen, for those who cannot see it.

    Raises:
        ValueError: for fewer images, or without labels.

    Source:
        VAE with a VampPrior (Tomczak and Welling, 2018) | https://arxiv.org/abs/1705.07120

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> images = torch.rand(64, 1, 4, 4, generator=generator).round()
        >>> found = train_with_prior(ImageSet(images, torch.arange(64) % 2), alt="A prior.")
        >>> list(found.pictures)
        ['codes on the prior', 'decoded draws of the prior']
    """
    choices = {
        "prior": ("prior", [_NORMAL, "mixture", "VampPrior"], "mixture"),
        "parts": ("of parts", [2, 5, 10, 20, 50], 10),
        "seed": ("seed", list(range(10)), 0),
    }
    runs = _WithPrior(train)
    first = widgets.beginning(choices)
    runs.run(runs.make(first), first)
    build = partial(_outcome_widgets, runs, choices, "train with this prior")
    return WithKernel(runs.pictures, alt, build)


_NORMAL = "N(0, I)"


class _WithPrior(_SetAside):
    """Runs along with several priors, of two latents."""

    def make(self, settings: Mapping[str, Any]) -> VAE:
        """A model that is to be trained, whose prior starts wide: parts at random, or noise."""
        kind, parts = settings["prior"], settings["parts"]
        model = _small(self.train, 128, 2, settings["seed"])
        with _seeded(settings["seed"]):
            if kind == "mixture":
                model.prior = LearnedMixture(torch.randn(parts, 2), torch.full((parts, 2), -1.0))
            elif kind == "VampPrior":
                noise = torch.rand(parts, *self.train.images.shape[1:])
                model.prior = VampPrior(model.encoder, 2, noise)
        return model.to(self.train.images.device)

    def run(
        self, model: VAE, settings: Mapping[str, Any], follow: Follow = lambda _: None
    ) -> None:
        """Train, and draw codes and prior."""
        _train(model, self.train, seed=settings["seed"], follow=follow)
        generator = Generator(self.aside.images.device).manual_seed(0)
        with torch.no_grad():
            terms = negative_elbo(model, self.aside, generator=generator)
            draws = model.prior.sample(2000, generator=generator)
            again = model.decode(draws[:16]).unflatten(0, (4, 4))
            mu = model.codes(self.aside).mu
            low, high = torch.cat([mu, draws]).aminmax(dim=0)
            middle, half = (low + high) / 2, 0.52 * (high - low).max().item()
            shades = _shades(model.prior, draws, middle, half)
        loss, kl = (terms[key].mean().item() for key in ("loss", "kl"))
        of = "" if settings["prior"] == _NORMAL else f" of {settings['parts']}"
        run = "{prior}{of}, seed {seed}".format(**settings, of=of)
        self.rows = self.rows | {run: f"{number(-loss, 1)}, KL {number(kl, 1)}"}
        plane = (mu - middle).cpu()
        self.pictures = {
            "codes on the prior": pictures.cloud(
                plane, self.labels.cpu(), self.names, half, under=shades, inked=True
            ),
            "decoded draws of the prior": pictures.grid(again),
        }

    def alt(self) -> str:
        """The description of the codes."""
        return f"Codes of the images set aside, by class, on the prior: {list(self.rows)[-1]}"

    def words(self) -> str:
        """A table of all runs."""
        return widgets.table({"run": "ELBO and KL, nats", **self.rows})


def _shades(prior: Prior, draws: Tensor, middle: Tensor, half: float) -> Tensor:
    """Of three regions, which hold 50, 90 and 99 % of a prior, the share that a place lies in."""
    axis = torch.linspace(-half, half, 140, device=draws.device)
    places = prior.log_prob(torch.cartesian_prod(axis, axis) + middle).view(140, 140)
    levels = prior.log_prob(draws).quantile(draws.new_tensor([0.01, 0.1, 0.5]))
    return (places[..., None] > levels).double().mean(2)


def _outcome_widgets(
    runs: _Priced | _Told | _WithPrior, choices: widgets.Choices, words: str
) -> Any:
    """Dials, a button and what came of the runs, beside the pictures of the last one."""
    import ipywidgets

    dials, runs = widgets.dials(choices), copy(runs)  # later runs are of this display alone
    drawn, pairs, told = (ipywidgets.HTML() for _ in range(3))

    def show() -> None:
        (_, picture), (seen, url) = runs.pictures.items()
        drawn.value = widgets.picture(picture, runs.alt())
        pairs.value = widgets.picture(url, seen)
        told.value = runs.words()

    def prepare() -> tuple[VAE, dict[str, Any]]:
        settings = widgets.values(dials)
        return runs.make(settings), settings

    def train(made: tuple[VAE, dict[str, Any]], say: widgets.Say) -> str:
        runs.run(*made, lambda epoch: say(f"epoch {epoch} of {_EPOCHS}"))
        show()
        return f"trained for {_EPOCHS} epochs"

    show()
    button = widgets.runner(words, prepare, train)
    column = ipywidgets.VBox([*dials.values(), button, told])
    return ipywidgets.HBox([column, ipywidgets.VBox([drawn, pairs])])
