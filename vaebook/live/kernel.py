r"""What needs a kernel: widgets in a notebook; on a page their picture, and a link to start it.

Each function returns a :class:`WithKernel`. Here a trained model is asked for what takes many
draws; :mod:`vaebook.live.retraining` trains small ones again.
"""

__all__ = ["WithKernel", "chains_on_drawing"]

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
from vaebook.figures.renderer import read_alt
from vaebook.latent import samplers
from vaebook.live import pictures, widgets
from vaebook.live.figures import draw_digit
from vaebook.live.page import Live
from vaebook.measures import bounds
from vaebook.models import VAE

_WIDGET = "application/vnd.jupyter.widget-view+json"


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
        >>> from vaebook.models import Bernoulli
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
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
    return cloud, widgets.table(rows)


def _chain_widgets(model: VAE, easel: Live, image: Tensor, first: tuple[str, str]) -> Any:
    choices = {
        "start": ("start", ["prior", "q(z|x)"], "prior"),
        "chains": ("chains", [2, 4, 8, 16], 8),
        "steps": ("steps", [500, 2000, 8000], 500),
        "step": ("step", [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0], 0.05),
    }
    dials = widgets.dials(choices)
    run = partial(_run_chains, model)
    return _drawing_widgets("run chains", "the chains", easel, image, dials, run, first)


def _drawing_widgets(
    words: str,
    seen: str,
    easel: Live,
    image: Tensor,
    dials: Mapping[str, Any],
    run: Callable[[Tensor, Mapping[str, Any]], tuple[str, str]],
    first: tuple[str, str],
) -> Any:
    """An easel, dials with a button and a table below them, and a picture."""
    import ipywidgets

    drawing = easel.widget()
    shown, told = ipywidgets.HTML(), ipywidgets.HTML()

    def show(found: tuple[str, str]) -> None:
        shown.value, told.value = widgets.picture(found[0], seen), found[1]

    def ask(say: widgets.Say) -> None:
        drawn = image
        if drawing.drawn:
            pixels = bytearray(base64.b64decode(drawing.drawn))
            drawn = torch.frombuffer(pixels, dtype=torch.uint8).view(1, 28, 28) / 255
        show(run(drawn, widgets.values(dials)))
        say("")

    show(first)
    column = ipywidgets.VBox([*dials.values(), widgets.runner(words, ask), told])
    return ipywidgets.VBox([drawing, ipywidgets.HBox([column, shown])])
