r"""What a page can't do: train again, run many chains on a drawing. Widgets with a kernel behind.

Each function returns a :class:`WithKernel`: widgets in a live notebook, and on a page a picture of
what they show first, with a link that starts the notebook.
"""

__all__ = ["WithKernel", "chains_on_drawing", "train_again"]

import base64
import html
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vaebook import _checks
from vaebook.datasets import ImageSet
from vaebook.figures.renderer import CATEGORICAL, read_alt
from vaebook.latent import samplers
from vaebook.live import pictures
from vaebook.live.figures import draw_digit
from vaebook.live.page import Live
from vaebook.measures import bounds
from vaebook.models import VAE, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.objectives import negative_elbo
from vaebook.training import fit

_WIDGET = "application/vnd.jupyter.widget-view+json"
_EPOCHS = 12
_BATCH = 64
_SHOWN = 1000  # images whose codes are drawn


@dataclass(frozen=True)
class WithKernel:
    """A figure that needs a kernel: widgets in a notebook, their picture on a page.

    Attributes:
        pictures: data URLs of what the widgets show first, by what is to be seen.
        alt: what is to be seen and done, for readers who cannot see it.
        widget: builds the widgets.
    """

    pictures: Mapping[str, str] = field(repr=False)
    alt: str
    widget: Callable[[], Any] = field(repr=False)

    def __post_init__(self) -> None:
        read_alt(self.alt)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        page = {"text/plain": self.alt, "text/html": self._html()}
        return page | {_WIDGET: self.widget()._repr_mimebundle_()[_WIDGET]}

    def _html(self) -> str:
        alt = html.escape(read_alt(self.alt))
        images = "".join(
            f'<img class="dark-light" src="{source}" alt="{html.escape(part) if i else alt}">'
            for i, (part, source) in enumerate(self.pictures.items())
        )
        return (
            f'<div class="vaebook-kernel"><div class="vaebook-live-static">{images}</div>'
            "<p>This is a picture of it: it needs Python. "
            '<a class="vaebook-launch" hidden>Start this chapter as a notebook</a></p></div>'
        )


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
    _checks.instance(train, "train", ImageSet)
    if train.labels is None or len(train) < _BATCH:
        raise ValueError(f"train must be {_BATCH} labelled images or more, got {train}")
    shown = _Shown(train)
    shown.run({"beta": 1.0, "width": 64, "latents": 2, "seed": 0})
    return WithKernel(shown.pictures(), alt, partial(_training_widgets, shown, alt))


class _Shown:
    """A run whose codes and loss are drawn: on a page's picture, and in a widget."""

    def __init__(self, train: ImageSet) -> None:
        self.train, self.some = train, train[:_SHOWN]
        flat = self.some.images.flatten(1).double()
        mean = train.images.flatten(1).double().mean(0).clamp(1e-3, 1 - 1e-3)
        entropy = torch.special.entr(flat) + torch.special.entr(1 - flat)
        self.floor = entropy.sum(1).mean().item()  # the least that grey pixels allow
        cost = -(flat * mean.log() + (1 - flat) * (1 - mean).log()).sum(1).mean().item()
        self.ceiling = cost - self.floor
        self.config: dict[str, Any] = {}

    def run(
        self,
        settings: Mapping[str, Any],
        follow: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        """Train, and hand over what is to be drawn after each epoch."""
        beta, width, n, seed = (settings[key] for key in ("beta", "width", "latents", "seed"))
        shape = tuple(self.train.images.shape[1:])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            networks = MLPEncoder(2 * n, (width,), shape), MLPDecoder(n, (width,), shape)
            model = VAE(*networks, n, Bernoulli()).to(self.train.images.device)
        history: dict[str, list[float]] = {"pixels": [], "price": []}
        an_epoch = math.ceil(len(self.train) / _BATCH)

        def look(step: int, model: VAE) -> None:
            if step and step % an_epoch == 0:
                self.look(model, beta, history)
                follow(self.config)

        fit(
            model,
            partial(negative_elbo, beta=beta),
            self.train,
            epochs=_EPOCHS,
            batch_size=_BATCH,
            learning_rate=2e-3,
            seed=seed,
            observers=[look],
            progress=False,
        )

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
        assert self.some.labels is not None
        extent = max(3.0, self.mu.abs().max().item())
        names = self.some.names or [str(k) for k in range(int(self.some.labels.max()) + 1)]
        self.config = {
            "plane": {
                "points": pictures.points(self.mu, self.some.labels.cpu(), extent),
                "names": list(names),
                "colours": CATEGORICAL,
            },
            "axes": [f"z{'₁₂₃₄₅₆₇₈'[j]}" for j in axes.tolist()],
            "ceiling": self.ceiling,
            "epochs": _EPOCHS,
            "history": {key: list(values) for key, values in history.items()},
        }

    def pictures(self) -> dict[str, str]:
        """What is drawn, as pictures."""
        assert self.some.labels is not None
        plane, history = self.config["plane"], self.config["history"]
        cloud = pictures.cloud(self.mu, self.some.labels.cpu(), plane["names"], 3.0)
        return {"codes": cloud, "loss": pictures.bands(**history, ceiling=self.ceiling)}


def _training_widgets(shown: _Shown, alt: str) -> Any:
    import ipywidgets

    choices = {
        "beta": ("β", [0.0, 0.3, 1.0, 3.0, 10.0], 1.0),
        "width": ("hidden units", [8, 16, 64, 256], 64),
        "latents": ("latents", [2, 3, 5, 8], 2),
        "seed": ("seed", list(range(10)), 0),
    }
    dials = _dials(choices)
    drawn = Live("vaebook-run", shown.config, {}, {}, [], alt).widget()
    said = ipywidgets.Label(f"{_EPOCHS} epochs")

    def follow(config: dict[str, Any]) -> None:
        drawn.config = config
        said.value = f"epoch {len(config['history']['pixels'])} of {_EPOCHS}"

    def train() -> None:
        shown.run(_values(dials), follow)

    button = _button("train again", train)
    rows = [ipywidgets.HBox([dials["beta"], dials["width"]])]
    rows += [ipywidgets.HBox([dials["latents"], dials["seed"]])]
    return ipywidgets.VBox([*rows, ipywidgets.HBox([button, said]), drawn])


def chains_on_drawing(
    model: VAE,
    mu: Tensor,
    labels: Tensor | None,
    examples: Tensor,
    *,
    alt: str,
    names: Sequence[str] = "0123456789",
) -> WithKernel:
    r"""Run chains of pCN on the posterior of an image that the reader has drawn, and judge them.

    Beside the chains stand their acceptance, :math:`\hat R`, effective sample size, and the gap of
    the ELBO, for which :math:`\log p(x)` is integrated over the plane.

    Args:
        model: a VAE of 28 × 28 images with two latent dimensions, the prior N(0, I) and Bernoulli
            pixels.
        mu: codes of images for the background of the easel, [N, 2].
        labels: their classes, [N], from 0 on; None where there are none.
        examples: images to begin with, [E, 1, 28, 28] in [0, 1]; of the first the chains are there
            at once.
        alt: what is to be seen.
        names: of the classes.

    Raises:
        ValueError: for another model or examples of another size.

    Example:
        >>> networks = MLPEncoder(4), MLPDecoder(2)
        >>> model = VAE(*networks, 2, Bernoulli())
        >>> digits = torch.zeros(1, 1, 28, 28)
        >>> found = chains_on_drawing(model, torch.randn(9, 2), None, digits, alt="Chains.")
        >>> list(found.pictures)
        ['chains', 'drawing']
    """
    easel = draw_digit(model, mu, labels, examples, alt=alt, names=names)
    settings = {"start": "prior", "chains": 8, "steps": 500, "step": 0.05}
    cloud, words = _run_chains(model, examples[0], settings)
    drawn = {"chains": cloud, "drawing": pictures.picture(examples[0])}
    build = partial(_chain_widgets, model, easel, examples[0], (cloud, words))
    return WithKernel(drawn, alt, build)


@torch.no_grad()
def _run_chains(model: VAE, image: Tensor, settings: Mapping[str, Any]) -> tuple[str, str]:
    """A picture of the chains, and in words what they are worth."""
    n, steps = settings["chains"], settings["steps"]
    weight = _checks.first_weight(model, torch.zeros(()))
    image = image.to(weight)
    generator = torch.Generator(weight.device).manual_seed(0)
    start = torch.randn(n, 2, generator=generator, device=weight.device, dtype=weight.dtype)
    if settings["start"] == "q(z|x)":
        codes = model.codes(image[None])
        assert codes.logvar is not None
        start = codes.mu + (codes.logvar / 2).exp() * start
    chain = samplers.pcn(
        model.target(image), start, steps, settings["step"], generator=generator, progress=False
    )
    places = chain.positions.transpose(0, 1).flatten(0, 1).cpu()
    which = torch.arange(n).repeat_interleave(len(chain))
    thin = max(1, len(places) // 4000)
    cloud = pictures.cloud(places[::thin], which[::thin], (), pictures.half_side(places))
    half = chain[len(chain) // 2 :]
    with warnings.catch_warnings():  # of chains that never moved, which the table tells
        warnings.simplefilter("ignore")
        rhat, ess = half.rhat().max().item(), half.ess().min().item()
    rows = {
        "accepted": f"{100 * chain.acceptance_rate.mean():.0f} %",
        "largest R̂, second half": f"{rhat:.2f}",
        "smallest effective sample size": f"{ess:.0f} of {len(half) * n}",
    }
    if math.isnan(rhat):
        rows["a chain never moved"] = "take smaller steps"
    try:
        evidence = bounds.log_evidence_grid(model, image[None])
        gap = evidence - bounds.elbo(model, image[None], 100, generator).elbo
        rows["gap log p(x) − ELBO"] = f"{gap.item():.1f} nats"
    except ValueError:  # the posterior is narrower than the grid
        rows["gap log p(x) − ELBO"] = "the posterior is too narrow for the grid"
    cells = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows.items())
    return cloud, f"<table>{cells}</table>"


def _chain_widgets(model: VAE, easel: Live, image: Tensor, first: tuple[str, str]) -> Any:
    import ipywidgets

    choices = {
        "start": ("start", ["prior", "q(z|x)"], "prior"),
        "chains": ("chains", [2, 4, 8, 16], 8),
        "steps": ("steps", [500, 2000, 8000], 500),
        "step": ("step", [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0], 0.05),
    }
    dials = _dials(choices)
    drawing = easel.widget()
    shown = ipywidgets.Image(value=_bytes(first[0]), width=360)
    words = ipywidgets.HTML(first[1])

    def run() -> None:
        seen = image
        if drawing.drawn:
            pixels = bytearray(base64.b64decode(drawing.drawn))
            seen = torch.frombuffer(pixels, dtype=torch.uint8).view(1, 28, 28) / 255
        cloud, words.value = _run_chains(model, seen, _values(dials))
        shown.value = _bytes(cloud)

    button = _button("run chains", run)
    column = ipywidgets.VBox([*dials.values(), button, words])
    return ipywidgets.VBox([drawing, ipywidgets.HBox([column, shown])])


def _dials(choices: Mapping[str, tuple[str, Any, Any]]) -> dict[str, Any]:
    """Sliders by key, each of a name, its options and the value it begins with."""
    import ipywidgets

    return {
        key: ipywidgets.SelectionSlider(description=name, options=options, value=value)
        for key, (name, options, value) in choices.items()
    }


def _values(dials: Mapping[str, Any]) -> dict[str, Any]:
    return {key: dial.value for key, dial in dials.items()}


def _button(words: str, action: Callable[[], None]) -> Any:
    """A button that can't be pressed again while its action runs."""
    import ipywidgets

    button = ipywidgets.Button(description=words)

    def press(_: object) -> None:
        button.disabled = True
        try:
            action()
        finally:
            button.disabled = False

    button.on_click(press)
    return button


def _bytes(url: str) -> bytes:
    return base64.b64decode(url.partition(",")[2])
