"""Small VAEs that a notebook trains anew as the reader wants; a page shows the first run."""

__all__ = ["train_again", "train_on_own"]

import io
import math
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from vaebook import _checks, datasets
from vaebook.datasets import ImageSet
from vaebook.figures.renderer import CATEGORICAL
from vaebook.live import pictures, widgets
from vaebook.live.figures import latent_map
from vaebook.live.kernel import WithKernel
from vaebook.live.page import Live
from vaebook.models import VAE, Bernoulli, OptimalGaussian
from vaebook.models.networks import MLPDecoder, MLPEncoder, for_images
from vaebook.models.priors import Prior
from vaebook.objectives import negative_elbo
from vaebook.training import History, fit

_EPOCHS = 12
_BATCH = 64
_SHOWN = 1000  # images whose codes are drawn
_LEAST = 32  # pictures of a reader's own
_UNPACKED = 2**30  # bytes

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


def train_on_own(example: ImageSet, *, alt: str) -> WithKernel:
    """Train a VAE with two latents on pictures that the reader hands over.

    They are a zip, of a folder as :func:`vaebook.datasets.folder` reads it, or some picture files;
    without any, those of the example. A tenth is set aside: when the training is done, their
    reconstructions stand under the map of all, with its decoder alive in it.

    Args:
        example: 32 images or more, in [0, 1], on which the first run is trained at once.
        alt: what is to be seen.

    Raises:
        ValueError: for fewer images.

    Example:
        >>> images = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> list(train_on_own(ImageSet(images), alt="My own.").pictures)
        ['codes', 'pictures that were set aside, and below them their reconstructions']
    """
    _checks.instance(example, "example", ImageSet)
    if len(example) < _LEAST or not example.in_unit_range:
        raise ValueError(f"example must be {_LEAST} images or more in [0, 1], got {example}")
    choices = {
        "side": ("pixels a side", [16, 24, 32, 48, 64], 24),
        "colour": ("read as", [("grey", 1), ("colour", 3)], 3),
        "noise": ("likelihood", ["Bernoulli", "optimal Gaussian"], "Bernoulli"),
        "epochs": ("epochs", [12, 24, 48, 96], 12),
        "seed": ("seed", list(range(10)), 0),
    }
    own = _Own(example, alt)
    own.run(example, {key: value for key, (_, _, value) in choices.items()})
    return WithKernel(own.pictures, alt, partial(_own_widgets, own, choices))


class _Own:
    """A map of pictures and some reconstructions, of the pictures that were trained on last."""

    def __init__(self, example: ImageSet, alt: str) -> None:
        self.example, self.alt = example, alt

    def run(
        self, images: ImageSet, settings: Mapping[str, Any], say: widgets.Say = lambda _: None
    ) -> None:
        """Train, and say how far it is."""
        epochs, seed = settings["epochs"], settings["seed"]
        train, aside = images.split(0.9, seed=0)
        bernoulli = settings["noise"] == "Bernoulli"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            networks = for_images(tuple(images.images.shape[1:]), 2)
        model = VAE(*networks, 2, Bernoulli() if bernoulli else OptimalGaussian())

        def follow(epoch: int) -> None:
            say(f"epoch {epoch} of {epochs}")

        model.to(images.images.device)
        history = _train(model, train, aside, epochs=epochs, seed=seed, follow=follow)
        mu, labels, names = model.codes(images).mu, images.labels, images.names
        self.map = latent_map(model, mu, labels, names=names, alt=self.alt)
        low, high = mu.cpu().aminmax(dim=0)
        half = 0.52 * (high - low).max().item()
        labels = None if labels is None else labels.cpu()
        some = aside.images[:8]
        with torch.no_grad():
            pairs = torch.stack([some, model.decode(model.codes(some).mu).clamp(0, 1)])
        self.pictures = {
            "codes": pictures.cloud(mu.cpu() - (low + high) / 2, labels, names, half),
            "pictures that were set aside, and below them their reconstructions": (
                pictures.grid(pairs)
            ),
        }
        kinds = f" of {len(names)} class{'es' * (len(names) > 1)}" if names else ""
        loss = min(history.epochs["validation_loss"])
        say(f"{len(images)} pictures{kinds}; loss of those set aside {loss:.0f} nats per picture")


def _own_widgets(own: _Own, choices: Mapping[str, tuple[str, Any, Any]]) -> Any:
    import ipywidgets

    kinds = ".zip,.png,.jpg,.jpeg,.webp"
    handed = ipywidgets.FileUpload(accept=kinds, multiple=True, description="a zip or pictures")
    handed.layout.width = "auto"
    dials = widgets.dials(choices)
    pairs = ipywidgets.HTML()
    shown = ipywidgets.VBox()

    def show() -> None:
        _, (words, url) = own.pictures.items()
        pairs.value = widgets.picture(url, words)
        shown.children = [own.map.widget(), pairs]

    def train(say: widgets.Say) -> None:
        settings = widgets.values(dials)
        images, left_out = own.example, ""
        if handed.value:
            say("reading")
            images, left_out = _handed_over(handed.value, settings["side"], settings["colour"])

        def tell(text: str) -> None:
            say(f"{text}{left_out}")

        own.run(images, settings, tell)
        show()

    show()
    rows = [[handed, dials["side"]], [dials["colour"], dials["noise"]]]
    rows += [[dials["epochs"], dials["seed"]]]
    button = widgets.runner("train", train)
    return ipywidgets.VBox([*map(ipywidgets.HBox, rows), button, shown])


def _handed_over(
    files: Sequence[Mapping[str, Any]], side: int, channels: int
) -> tuple[ImageSet, str]:
    """The pictures of a zip or of some files, and in words which files were left out."""
    with TemporaryDirectory() as place, warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        root = Path(place)
        for file in files:
            name, content = Path(file["name"]).name, bytes(file["content"])
            if name.lower().endswith(".zip"):
                _unpack(name, content, root)
            else:
                (root / name).write_bytes(content)
        try:
            images = datasets.folder(_inside(root), side, channels, progress=False)
        except ValueError as refusal:
            words = str(refusal).replace(f"in {_inside(root)}", "in what you have handed over")
            raise ValueError(words) from None
    if len(images) < _LEAST:
        raise ValueError(f"pictures must be {_LEAST} or more, got {len(images)}")
    return images, "".join(f"\n{warning.message}" for warning in heard)


def _unpack(name: str, content: bytes, root: Path) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
            if size > _UNPACKED:
                raise ValueError(f"{name} must hold {_UNPACKED:,} bytes at most, got {size:,}")
            packed.extractall(root)
    # A password, or a way of packing that Python hasn't.
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise ValueError(f"{name} can't be unpacked: {error}") from None


def _inside(root: Path) -> Path:
    """Where the classes are: zips often hold one folder around everything, and a Mac's own."""
    shown = [part for part in root.iterdir() if part.name[0] not in "._"]
    if len(shown) == 1 and shown[0].is_dir():
        return _inside(shown[0]) if any(part.is_dir() for part in shown[0].iterdir()) else root
    return root
