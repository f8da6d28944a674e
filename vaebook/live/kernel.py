r"""What needs a kernel: widgets in a notebook; on a page their picture, and a link to start it.

Each function returns a :class:`WithKernel`. Here a trained model is asked for what takes many
draws; :mod:`vaebook.live.retraining` trains small ones again.
"""

__all__ = ["WithKernel", "chains_on_drawing", "embed_again", "evidence_of_drawing"]

import base64
import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vaebook import _checks
from vaebook.figures.numbers import number
from vaebook.figures.pictures import read_texts
from vaebook.figures.renderer import read_alt
from vaebook.figures.schematics import TERMS
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
            "<p>This is only a picture of it, since it needs Python. "
            '<a class="vaebook-launch" hidden>Start this chapter as a notebook</a></p></div>'
        )


class _Found(NamedTuple):
    """What came of a run: a picture, its description, and a table of what it is worth."""

    url: str
    alt: str
    table: str


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
        examples: images to begin with, [E, 1, 28, 28] in [0, 1]; the chains of the first are
            shown at the start.
        alt: what is to be seen, for those who cannot see it.
        names: of the classes.

    Raises:
        ValueError: for a model of another kind or examples of another size.

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
    choices = {
        "start": ("start", ["prior", "q(z|x)"], "prior"),
        "chains": ("chains", [2, 4, 8, 16], 8),
        "steps": ("steps", [500, 2000, 8000], 500),
        "step": ("step", [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0], 0.05),
    }
    run = partial(_run_chains, model)
    return _on_drawing("run chains", "chains", easel, examples[0], choices, run)


@torch.no_grad()
def _run_chains(
    model: VAE, image: Tensor, settings: Mapping[str, Any], say: widgets.Say = lambda _: None
) -> _Found:
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
    cloud = pictures.paths(torch.cat([start[None], chain.positions]).cpu())
    say("judging them")
    half = chain[len(chain) // 2 :]
    moved = (half.positions != half.positions[0]).any(dim=0).all(dim=1)
    rhat = ess = math.nan
    if moved.all():
        rhat, ess = half.rhat().max().item(), half.ess().min().item()
    rows = {
        "accepted": f"{number(100 * chain.acceptance_rate.mean(), 0)} %",
        "largest R̂, second half": number(rhat) if math.isfinite(rhat) else "–",
        "smallest effective sample size": (
            f"{number(ess, 0)} of {number(len(half) * n, 0)}" if math.isfinite(ess) else "–"
        ),
    }
    still = n - int(moved.sum())
    if still:
        rows["never moved in the second half"] = f"{still} of {n} chains: take smaller steps"
    try:
        evidence = bounds.log_evidence_grid(model, image[None])
        gap = evidence - bounds.elbo(model, image[None], 100, generator).elbo
        rows["gap log p(x) − ELBO"] = f"{number(gap, 1)} nats"
    except ValueError:  # the posterior is narrower than the grid
        rows["gap log p(x) − ELBO"] = "the posterior is too narrow for the grid"
    alt = (
        f"The paths of {n} chains in the plane of codes, {steps:,} steps of size "
        f"{settings['step']:g} each, begun at draws of {settings['start']}"
    )
    return _Found(cloud, alt, widgets.table(rows))


def _on_drawing(
    words: str,
    seen: str,
    easel: Live,
    image: Tensor,
    choices: widgets.Choices,
    run: Callable[..., _Found],
) -> WithKernel:
    """What is asked of a drawing, of an image at once: a picture of `seen`, and words to it."""
    first = run(image, widgets.beginning(choices))
    drawn = {seen: first.url, "drawing": pictures.picture(image)}
    build = partial(_drawing_widgets, words, easel, image, choices, run, first)
    return WithKernel(drawn, easel.alt, build)


def _drawing_widgets(
    words: str,
    easel: Live,
    image: Tensor,
    choices: widgets.Choices,
    run: Callable[..., _Found],
    first: _Found,
) -> Any:
    """An easel, dials with a button and a table below them, and a picture."""
    import ipywidgets

    drawing, dials = easel.widget(), widgets.dials(choices)
    shown, told = ipywidgets.HTML(), ipywidgets.HTML()

    def show(found: _Found) -> None:
        shown.value, told.value = widgets.picture(found.url, found.alt), found.table

    def read() -> tuple[Tensor, dict[str, Any]]:
        drawn = image
        if drawing.drawn:
            pixels = bytearray(base64.b64decode(drawing.drawn))
            drawn = torch.frombuffer(pixels, dtype=torch.uint8).view(1, 28, 28) / 255
        return drawn, widgets.values(dials)

    def ask(asked: tuple[Tensor, dict[str, Any]], say: widgets.Say) -> None:
        show(run(*asked, say))

    show(first)
    column = ipywidgets.VBox([*dials.values(), widgets.runner(words, read, ask), told])
    return ipywidgets.VBox([drawing, ipywidgets.HBox([column, shown])])


def evidence_of_drawing(
    model: VAE,
    mu: Tensor,
    labels: Tensor | None,
    examples: Tensor,
    *,
    alt: str,
    names: Sequence[str] = "0123456789",
) -> WithKernel:
    r"""Compare, for an image that the reader has drawn, :math:`\log p(x)` with bounds from below.

    The first is integrated over the plane; the others are the ELBO and importance-weighted
    estimates from more and more draws, each the mean of repeated ones.

    Args:
        model: a VAE of 28 × 28 images with two latent dimensions, the prior N(0, I) and Bernoulli
            pixels.
        mu: codes of images for the background of the easel, [N, 2].
        labels: their classes, [N], from 0 on; None where there are none.
        examples: images to begin with, [E, 1, 28, 28] in [0, 1]; the bounds of the first are
            shown at the start.
        alt: what is to be seen, for those who cannot see it.
        names: of the classes.

    Raises:
        ValueError: for a model of another kind or examples of another size, or a first example
            whose posterior is too narrow for the grid.

    Example:
        >>> from vaebook.models import Bernoulli
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> model = VAE(MLPEncoder(4, (8,)), MLPDecoder(2, (8,)), 2, Bernoulli())
        >>> digits = torch.zeros(1, 1, 28, 28)
        >>> found = evidence_of_drawing(model, torch.randn(9, 2), None, digits, alt="Bounds.")
        >>> list(found.pictures)
        ['bounds', 'drawing']
    """
    easel = draw_digit(model, mu, labels, examples, alt=alt, names=names)
    choices = {
        "draws": ("draws", [30, 100, 300, 1000, 3000], 300),
        "seed": ("seed", list(range(10)), 0),
    }
    run = partial(_compare, model)
    return _on_drawing("compare", "bounds", easel, examples[0], choices, run)


@torch.no_grad()
def _compare(
    model: VAE, image: Tensor, settings: Mapping[str, Any], say: widgets.Say = lambda _: None
) -> _Found:
    """A picture of the bounds against the draws, and in words how far below they are."""
    weight = _checks.first_weight(model, torch.zeros(()))
    image = image.to(weight)[None]
    generator = torch.Generator(weight.device).manual_seed(settings["seed"])
    try:
        exact = bounds.log_evidence_grid(model, image).item()
    except ValueError:
        raise ValueError("the posterior of this image is too narrow for the grid") from None
    elbo = bounds.elbo(model, image, 300, generator).elbo.item()
    counts = [k for k in (1, 3, 10, 30, 100, 300, 1000, 3000) if k <= settings["draws"]]
    means = [elbo]  # which is the mean of estimates from one draw
    for k in counts[1:]:
        say(f"estimates from {k:,} draws")
        repeats = image.expand(max(5, min(300, 3000 // k)), -1, -1, -1)
        means.append(bounds.log_evidence(model, repeats, k, generator).mean().item())
    top = max(exact, *means)  # by chance a mean may lie above
    step = _round_step(max(top - min(means), 1e-3) / 4)
    low, high = math.floor(min(means) / step), math.ceil(top / step + 0.2)
    lines: dict[str, Any] = {
        "mean of the estimates": (list(zip(counts, means, strict=True)), {}),
        "log p(x), by the grid": ([(1, exact), (counts[-1], exact)], {"dashed": True}),
        "ELBO": ([(1, elbo), (counts[-1], elbo)], {"colour": TERMS["elbo"]}),
    }
    drawn = pictures.chart(
        lines,
        {},
        x_title="draws K",
        y_title="nats",
        x_ticks=[10**e for e in range(len(str(counts[-1])))] + [counts[-1]],
        y_ticks=[step * k for k in range(low, high + 1)],
        log_x=True,
    )
    rows = {
        "log p(x), by the grid": f"{number(exact, 1)} nats",
        "ELBO": f"{number(elbo, 1)} nats",
        "gap of the ELBO": f"{number(exact - elbo, 1)} nats",
        f"{counts[-1]:,} draws are short by": f"{number(exact - means[-1], 2)} nats",
    }
    alt = (
        f"The mean of the estimates rises from {number(elbo, 1)} nats, the ELBO, for one draw "
        f"to {number(means[-1], 1)} for {counts[-1]:,}; log p(x) is {number(exact, 1)}"
    )
    return _Found(drawn, alt, widgets.table(rows))


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, … and their tenths that is no less."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)


def embed_again(
    mu: Tensor, labels: Tensor, *, alt: str, names: Sequence[str] = "0123456789"
) -> WithKernel:
    """Draw codes by t-SNE again, at a perplexity and from a start that the reader chooses.

    Beside the picture stands what it keeps: neighbours, and the order of the classes' distances.

    Args:
        mu: codes of images, [N, D] with N of 50 or more; some hundreds take seconds.
        labels: their classes, [N], from 0 on.
        alt: what is to be seen, for those who cannot see it.
        names: of the classes.

    Raises:
        ValueError: for fewer codes, fewer than three classes, a label without a name, or
            classes of equal distances.

    Source:
        Visualizing Data using t-SNE (van der Maaten and Hinton, 2008) |
        https://www.jmlr.org/papers/v9/vandermaaten08a.html

    Example:
        >>> mu = torch.randn(60, 8, generator=torch.Generator().manual_seed(0))
        >>> list(embed_again(mu, torch.arange(60) % 3, alt="Islands.").pictures)
        ['codes']
    """
    _checks.floats(mu, "mu", ("N", "D"))
    _checks.rows(mu, "mu", 50)
    _checks.integers(labels, "labels", (len(mu),))
    _checks.same_device(mu=mu, labels=labels)
    names = read_texts(names, "names")
    there = labels.unique()
    if len(there) < 3 or not 0 <= int(there[0]) <= int(there[-1]) < len(names):
        raise ValueError(
            f"labels must be of three classes or more from 0 to {len(names) - 1}, which have "
            f"names, got {there.tolist()}"
        )
    mu, labels = mu.detach().cpu().float(), labels.cpu()
    gaps = _gaps(mu, labels)
    if not bool(gaps.isfinite().all()) or bool((gaps == gaps[0]).all()):
        raise ValueError("mu must have classes at different distances from one another")
    run = partial(_embed, mu, labels, names)
    most = (len(mu) - 1) / 3
    offered = [2, 5, 15, 30, *(p for p in (60, 120) if p < most)]
    choices = {
        "perplexity": ("perplexity", [p for p in offered if p < len(mu)], 30),
        "seed": ("seed", list(range(10)), 0),
    }
    first = run(widgets.beginning(choices))
    build = partial(_embed_widgets, choices, run, first)
    return WithKernel({"codes": first.url}, alt, build)


def _gaps(points: Tensor, labels: Tensor) -> Tensor:
    """The distances between the means of the classes."""
    means = [points[labels == kind].mean(0) for kind in labels.unique()]
    return torch.pdist(torch.stack(means))


def _embed(
    mu: Tensor, labels: Tensor, names: Sequence[str], settings: Mapping[str, Any]
) -> _Found:
    """A picture of the embedding, and in words what it keeps."""
    from scipy.stats import spearmanr
    from sklearn.manifold import TSNE, trustworthiness

    embedding = TSNE(
        2,
        perplexity=settings["perplexity"],
        init="random",
        random_state=settings["seed"],
        max_iter=500,
        n_jobs=1,
    )
    found = torch.from_numpy(embedding.fit_transform(mu.numpy()))
    order = spearmanr(_gaps(mu, labels), _gaps(found, labels)).statistic
    kept = number(trustworthiness(mu.numpy(), found.numpy(), n_neighbors=10), 3)
    rows = {
        "neighbours kept (trustworthiness)": kept,
        "order of the classes’ distances (rank correlation)": number(float(order)),
    }
    alt = (
        f"{len(mu):,} codes by t-SNE at perplexity {settings['perplexity']} from seed "
        f"{settings['seed']}, coloured and named by class; trustworthiness {kept}"
    )
    return _Found(pictures.whole_cloud(found, labels, names), alt, widgets.table(rows))


def _embed_widgets(
    choices: widgets.Choices,
    run: Callable[[Mapping[str, Any]], _Found],
    first: _Found,
) -> Any:
    import ipywidgets

    dials = widgets.dials(choices)
    shown, told = ipywidgets.HTML(), ipywidgets.HTML()

    def show(found: _Found) -> None:
        shown.value, told.value = widgets.picture(found.url, found.alt), found.table

    def embed(settings: dict[str, Any], _: widgets.Say) -> None:
        show(run(settings))

    show(first)
    read = partial(widgets.values, dials)
    column = [*dials.values(), widgets.runner("embed again", read, embed, stops=False), told]
    return ipywidgets.HBox([ipywidgets.VBox(column), shown])
