"""Small VAEs that a notebook trains anew as the reader wants; a page shows the first run."""

__all__ = ["train_again", "train_anchored"]

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from vaebook import _checks
from vaebook.datasets import ImageSet
from vaebook.figures.renderer import CATEGORICAL
from vaebook.live import pictures, widgets
from vaebook.live.kernel import WithKernel
from vaebook.live.page import Live
from vaebook.models import VAE, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.models.priors import Prior, StandardNormal
from vaebook.objectives import negative_elbo
from vaebook.training import History, fit

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
        observers=[look],
        progress=False,
    )


def _small(
    train: ImageSet, width: int, latents: int, seed: int, prior: Prior | None = None
) -> VAE:
    """A VAE with one hidden layer, made without the random numbers of the process."""
    shape = tuple(train.images.shape[1:])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        networks = MLPEncoder(2 * latents, (width,), shape), MLPDecoder(latents, (width,), shape)
        return VAE(*networks, latents, Bernoulli(), prior).to(train.images.device)


def train_again(train: ImageSet, *, alt: str) -> WithKernel:
    r"""Train a small VAE anew with other settings, and see its plane and its loss move.

    The reader chooses :math:`\beta`, the width of the hidden layer, the number of latents and the
    seed. Codes and the terms of the loss, of a thousand images at most, are drawn after each of
    twelve epochs; where there are more latents than two, in the two most active. The first run,
    with a :math:`\beta` of 1, 64 hidden units, two latents and seed 0, is there at once.

    Args:
        train: 64 labelled images or more, in [0, 1]; some thousands take seconds.
        alt: what is to be seen.

    Raises:
        ValueError: for fewer images, or without labels.

    Example:
        >>> images = torch.rand(64, 1, 4, 4, generator=torch.Generator().manual_seed(0)).round()
        >>> again = train_again(ImageSet(images, torch.arange(64) % 2), alt="Train again.")
        >>> list(again.pictures)
        ['codes', 'loss']
    """
    shown = _Shown(train)

    def run(settings: Mapping[str, Any], follow: Follow = lambda _: None) -> None:
        beta, seed = settings["beta"], settings["seed"]
        model = _small(train, settings["width"], settings["latents"], seed)
        shown.run(model, beta, seed, follow)

    choices = {
        "beta": ("β", [0.0, 0.3, 1.0, 3.0, 10.0], 1.0),
        "width": ("hidden units", [8, 16, 64, 256], 64),
        "latents": ("latents", [2, 3, 5, 8], 2),
        "seed": ("seed", list(range(10)), 0),
    }
    run({key: value for key, (_, _, value) in choices.items()})
    build = partial(_run_widgets, shown, run, partial(widgets.dials, choices), alt)
    return WithKernel(shown.pictures(), alt, build)


class _Shown:
    """A run whose codes and loss are drawn: on a page's picture, and in a widget."""

    def __init__(self, train: ImageSet) -> None:
        _checks.instance(train, "train", ImageSet)
        if train.labels is None or len(train) < _BATCH:
            raise ValueError(f"train must be {_BATCH} labelled images or more, got {train}")
        self.train, self.some = train, train[:_SHOWN]
        flat = self.some.images.flatten(1).double()
        mean = train.images.flatten(1).double().mean(0).clamp(1e-3, 1 - 1e-3)
        entropy = torch.special.entr(flat) + torch.special.entr(1 - flat)
        self.floor = entropy.sum(1).mean().item()  # the least that grey pixels allow
        cost = -(flat * mean.log() + (1 - flat) * (1 - mean).log()).sum(1).mean().item()
        self.ceiling = cost - self.floor
        assert self.some.labels is not None
        self.labels = self.some.labels.cpu()
        self.names = self.some.names or [str(k) for k in range(int(self.labels.max()) + 1)]
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
                "names": list(self.names),
                "colours": CATEGORICAL,
            },
            "axes": [f"z{'₁₂₃₄₅₆₇₈'[j]}" for j in axes.tolist()],
            "ceiling": self.ceiling,
            "epochs": _EPOCHS,
            "history": {key: list(values) for key, values in history.items()},
        }

    def pictures(self) -> dict[str, str]:
        """What is drawn, as pictures."""
        cloud = pictures.cloud(self.mu, self.labels, self.names, pictures.half_side(self.mu))
        bands = pictures.bands(**self.config["history"], ceiling=self.ceiling)
        return {"codes": cloud, "loss": bands}


def _run_widgets(
    shown: _Shown,
    run: Callable[[Mapping[str, Any], Follow], None],
    build: Callable[[], dict[str, Any]],
    alt: str,
) -> Any:
    """Dials in two columns, a button to train, and the run in the page's own figure."""
    import ipywidgets

    dials = build()
    drawn = Live("vaebook-run", shown.config, {}, {}, [], alt).widget()

    def train(say: widgets.Say) -> None:
        def follow(epoch: int) -> None:
            drawn.config = shown.config
            say(f"epoch {epoch} of {_EPOCHS}")

        run(widgets.values(dials), follow)

    chosen = list(dials.values())
    pairs = [ipywidgets.HBox(chosen[i : i + 2]) for i in range(0, len(chosen), 2)]
    return ipywidgets.VBox([*pairs, widgets.runner("train again", train), drawn])


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
    class 1 at the upper right, is there at once.

    Args:
        train: 64 images or more in [0, 1], of two to twelve classes; some thousands take seconds.
        alt: what is to be seen.

    Raises:
        ValueError: for fewer images, without labels, or for other numbers of classes.

    Example:
        >>> images = torch.rand(64, 1, 4, 4, generator=torch.Generator().manual_seed(0)).round()
        >>> anchored = train_anchored(ImageSet(images, torch.arange(64) % 2), alt="Anchors.")
        >>> list(anchored.pictures)
        ['codes', 'loss']
    """
    shown = _Shown(train)
    names = [str(name) for name in shown.names]
    if not 2 <= len(names) <= 12:
        raise ValueError(f"train must have two to twelve classes, got {len(names)}")

    def run(settings: Mapping[str, Any], follow: Follow = lambda _: None) -> None:
        places = torch.tensor([_PLACES[settings[f"class {k}"]] for k in range(len(names))])
        prior = _Anchored(settings["distance"] / 2**0.5 * places)
        seed = settings["seed"]
        shown.run(_small(train, 64, 2, seed, prior), 1.0, seed, follow)

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
    run(first | {key: value for key, (_, _, value) in choices.items()})
    return WithKernel(shown.pictures(), alt, partial(_run_widgets, shown, run, build, alt))
