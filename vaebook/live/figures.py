r"""The live figures: the pipeline, maps, chains, the ELBO's bench, an easel, dials, a training.

Each takes a model, codes and images on any device, and returns a :class:`vaebook.live.Live`.
"""

__all__ = [
    "BetaRun",
    "Twin",
    "beta_dial",
    "chains",
    "draw_digit",
    "draw_prior",
    "elbo_bench",
    "half_digit",
    "heatmap_panel",
    "heatmap_walk",
    "latent_map",
    "pipeline",
    "shortest_ways",
    "tails",
    "trainer",
    "twins",
]

import copy
import math
from collections.abc import Mapping, Sequence
from reprlib import repr as shorten
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vaebook import _checks
from vaebook.datasets import ImageSet, heatmap_images, t_heatmap_images
from vaebook.figures.pictures import picture, read_texts
from vaebook.figures.renderer import CATEGORICAL, SEQUENTIAL
from vaebook.latent import mixtures, samplers
from vaebook.live import pictures
from vaebook.live.pack import Precision, pack, pack_decoder, seal
from vaebook.live.page import Live
from vaebook.measures.cone import cone_path
from vaebook.models import VAE, Autoencoder, Bernoulli
from vaebook.models.learned_priors import VampPrior
from vaebook.models.priors import Prior, StandardNormal
from vaebook.objectives import negative_elbo
from vaebook.training import fit

_DIGITS = "0123456789"
_SHOWN = 2000  # codes of a cloud
_BATCH = 64  # images of a step on the page
_ANY = (-math.inf, math.inf)
_NOISE = (1.2, -0.8)  # of the pipeline's first draw
# Degrees of freedom that can be dialled, steps that look alike.
_LADDER = (2.0, 2.5, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200)
_FACTORS = ("var_x", "var_y", "corr")
_CELLS, _DEPTH = 96, 24.0  # of a density on the page: points along a side, nats down from its peak
_SHADES = 12  # of a quantity on a plane


def latent_map(
    model: VAE | Autoencoder,
    mu: Tensor,
    labels: Tensor | None = None,
    *,
    alt: str,
    names: Sequence[str] = _DIGITS,
    start: Sequence[float] | None = None,
    symbol: str = "z",
    dtype: Precision = "int8",
) -> Live:
    """A point in latent space to drag or to dial, and the image decoded there.

    In two dimensions the point lies on the cloud of codes; in more each dimension has a dial from
    -3 to 3, the most active ones first.

    Args:
        model: whose decoder :func:`vaebook.live.pack` takes.
        mu: codes of images, [N, D].
        labels: their classes, [N], from 0 on; None where there are none.
        alt: what is to be seen, for those who cannot see it.
        names: of the classes; their numbers where there are none.
        start: where the point lies first, D numbers; where codes lie densest by default.
        symbol: of the coordinates, a letter.
        dtype: of the weights on the page.

    Raises:
        ValueError: for shapes that don't fit, a label without a name, a symbol that is no letter,
            or a network that the page can't run.

    Example:
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> model = VAE(MLPEncoder(4), MLPDecoder(2), 2, Bernoulli())
        >>> live = latent_map(model, torch.randn(9, 2), alt="Nine points.", start=[0.0, 1.0])
        >>> live.config["start"]
        [0.0, 1.0]
    """
    if not (isinstance(symbol, str) and len(symbol) == 1 and symbol.isalpha()):
        raise ValueError(f"symbol must be a letter, got {symbol!r}")
    name, text = seal(pack_decoder(model, dtype))
    mu, labels, names = _codes(model, mu, labels, names)
    flat = model.latent_dim == 2
    extent = pictures.half_side(mu) if flat else 3.0
    if start is None:
        start = _densest(mu, extent)
    place = _place(start, model.latent_dim)
    drawn = {"cloud": _cloud(mu, labels, names, extent)} if flat else {}
    drawn["decoded image"] = pictures.picture(_decode(model, place))
    config = {
        "model": name,
        "start": place,
        "order": [0, 1] if flat else _by_activity(mu),
        "extent": extent,
        "plane": _plane(mu, labels, names, extent) if flat else None,
        "symbol": symbol,
    }
    return Live("vaebook-latent-map", config, {name: text}, drawn, model.latent_dim * [_ANY], alt)


def pipeline(
    model: VAE,
    images: Tensor,
    mu: Tensor,
    labels: Tensor | None = None,
    *,
    alt: str,
    names: Sequence[str] = _DIGITS,
    dtype: Precision = "int8",
) -> Live:
    r"""A VAE at work: image, q(z|x), a draw of it, what is decoded, the two terms of the loss.

    .. math:: x \to (\mu, \sigma), \quad z = \mu + \sigma\varepsilon, \quad
        -\log p(x|z) + \mathrm{KL}(q(z|x) \,\|\, p(z))

    The reader chooses the image, draws the noise again or drags it, and all of it moves. Encoder
    and decoder run in the page.

    Args:
        model: a VAE with two latent dimensions, the prior N(0, I) and Bernoulli pixels.
        images: to choose from, [E, C, H, W] in [0, 1], kept in 8 bits; eight to twelve fill a row.
        mu: codes of images for the background, [N, 2].
        labels: their classes, [N], from 0 on; None where there are none.
        alt: what is to be seen, for those who cannot see it.
        names: of the classes.
        dtype: of the weights on the page.

    Raises:
        ValueError: for a model of another kind, or images of another size.

    Example:
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> model = VAE(MLPEncoder(4), MLPDecoder(2), 2, Bernoulli())
        >>> some = torch.zeros(3, 1, 28, 28)
        >>> live = pipeline(model, some, torch.randn(9, 2), alt="An image and its code.")
        >>> len(live.models), len(live.config["images"])
        (2, 3)
    """
    _check_plane(model)
    decoder = pack_decoder(model, dtype)
    _check_images(images, "images", ["E", *decoder["output"]])
    encoder = _pack_encoder(model, decoder["output"], dtype)
    networks, models = _sealed(encoder, decoder)
    mu, labels, names = _codes(model, mu, labels, names)
    extent = pictures.half_side(mu)
    codes = model.codes(images[:1])
    assert codes.logvar is not None
    z = codes.mu + (codes.logvar / 2).exp() * codes.mu.new_tensor(_NOISE)
    config = {
        **networks,
        "start": [round(value, 4) for value in z[0].tolist()],
        "noise": _NOISE,
        "images": [pictures.bytes_of(image) for image in images],
        "plane": _plane(mu, labels, names, extent),
    }
    drawn = {
        "cloud": _cloud(mu, labels, names, extent),
        "image": pictures.picture(images[0]),
        "decoded image": pictures.picture(_decode(model, z[0])),
    }
    return Live("vaebook-pipeline", config, models, drawn, 2 * [_ANY], alt)


def chains(
    model: VAE,
    image: Tensor,
    mu: Tensor,
    labels: Tensor | None = None,
    *,
    alt: str,
    names: Sequence[str] = _DIGITS,
    start: Sequence[float] = (0.0, 0.0),
    step: float = 0.1,
    seed: int = 0,
    dtype: Precision = "float16",
) -> Live:
    """A pCN chain and a random walk that run on the page, on the posterior p(z|x) of one image.

    Args:
        model: a VAE with two latent dimensions, the prior N(0, I) and Bernoulli pixels.
        image: the observed one, [C, H, W] in [0, 1], kept in 8 bits.
        mu: codes of images for the background, [N, 2].
        labels: their classes, [N], from 0 on; None where there are none.
        alt: what is to be seen, for those who cannot see it.
        names: of the classes; their numbers where there are none.
        start: where both chains start.
        step: of both, in (0, 1].
        seed: of the page's random numbers, less than 2³².
        dtype: of the weights on the page.

    Raises:
        ValueError: for a model of another kind, an image of another size, or a value out of its
            range.

    Example:
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> networks = MLPEncoder(4), MLPDecoder(2)
        >>> model = VAE(*networks, 2, Bernoulli())
        >>> live = chains(model, torch.zeros(1, 28, 28), torch.randn(9, 2), alt="Two chains.")
        >>> live.config["step"]
        0.1
    """
    _check_plane(model)
    _checks.number(step, "step", 1e-3, 1)
    _checks.count(seed, "seed", 0)
    if seed >= 2**32:
        raise ValueError(f"seed must be less than 2³², got {seed}")
    packed = pack_decoder(model, dtype)
    _check_images(image, "image", packed["output"])
    name, text = seal(packed)
    mu, labels, names = _codes(model, mu, labels, names)
    extent = pictures.half_side(mu)
    place = _place(start, 2)
    config = {
        "model": name,
        "image": pictures.bytes_of(image),
        "start": place,
        "step": step,
        "seed": seed,
        "plane": _plane(mu, labels, names, extent),
    }
    drawn = {
        "cloud": _cloud(mu, labels, names, extent),
        "observed image": pictures.picture(image),
        "decoded image": pictures.picture(_decode(model, place)),
    }
    return Live("vaebook-chains", config, {name: text}, drawn, 2 * [_ANY], alt)


def elbo_bench(
    *, alt: str, x: float = 1.0, noise: float = 0.3, mu: float = -0.5, sigma: float = 0.5
) -> Live:
    r"""One datum, one latent dimension: the reader moves q, and sees ELBO, gap and posterior.

    .. math:: z \sim \mathcal{N}(0, 1), \quad x \mid z \sim \mathcal{N}(g(z), \mathrm{noise}^2),
        \quad q(z) = \mathcal{N}(\mu, \sigma^2)

    with g(z) = z, where q can close the gap, or g(z) = (z² + z)/2, where it can't. Integrals are
    taken on a grid of 2,401 points.

    Args:
        alt: what is to be seen, for those who cannot see it.
        x: the datum, in [-3, 3].
        noise: standard deviation of x given z, at least 0.1: the grid resolves no less.
        mu: mean of q at the start, in [-3, 3].
        sigma: standard deviation of q at the start, in [0.05, 2].

    Raises:
        ValueError: for a value out of its range.

    Example:
        >>> elbo_bench(alt="A bench.", sigma=0.3).widget().z
        [-0.5, 0.3]
    """
    _checks.number(x, "x", -3, 3)
    _checks.number(noise, "noise", 0.1, 3)
    _checks.number(mu, "mu", -3, 3)
    _checks.number(sigma, "sigma", 0.05, 2)
    config = {"x": x, "noise": noise, "mu": mu, "sigma": sigma, "start": [mu, sigma]}
    drawn = {"cloud": pictures.bench(x, noise, mu, sigma)}
    bounds = [_ANY, (1e-3, math.inf)]  # the best q may lie beyond the dials
    return Live("vaebook-elbo-bench", config, {}, drawn, bounds, alt)


def draw_digit(
    model: VAE,
    mu: Tensor,
    labels: Tensor | None,
    examples: Tensor,
    *,
    alt: str,
    names: Sequence[str] = _DIGITS,
    dtype: Precision = "int8",
) -> Live:
    """An easel: what the reader draws is framed as MNIST's digits are, encoded, and redrawn.

    Args:
        model: a VAE of 28 × 28 images with two latent dimensions, the prior N(0, I) and Bernoulli
            pixels.
        mu: codes of images for the background, [N, 2].
        labels: their classes, [N], from 0 on; None where there are none.
        examples: images to begin with, [E, 1, 28, 28] in [0, 1].
        alt: what is to be seen, for those who cannot see it.
        names: of the classes; their numbers where there are none.
        dtype: of the weights on the page.

    Raises:
        ValueError: for a model of another kind or examples of another size.

    Example:
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> networks = MLPEncoder(4), MLPDecoder(2)
        >>> model = VAE(*networks, 2, Bernoulli())
        >>> digits = torch.zeros(2, 1, 28, 28)
        >>> live = draw_digit(model, torch.randn(9, 2), None, digits, alt="An easel.")
        >>> len(live.models), len(live.config["examples"])
        (2, 2)
    """
    _check_plane(model)
    _check_images(examples, "examples", ["E", 1, 28, 28])
    networks, models = _networks_of_drawings(model, dtype)
    mu, labels, names = _codes(model, mu, labels, names)
    extent = pictures.half_side(mu)
    config = {
        **networks,
        "examples": [pictures.bytes_of(image) for image in examples],
        "plane": _plane(mu, labels, names, extent),
    }
    drawn = {
        "cloud": _cloud(mu, labels, names, extent),
        "drawing": pictures.picture(examples[0]),
        "decoded image": pictures.picture(_decode(model, model.codes(examples[:1]).mu[0])),
    }
    return Live("vaebook-draw-digit", config, models, drawn, 2 * [_ANY], alt)


def draw_prior(
    model: VAE,
    mu: Tensor,
    logvar: Tensor,
    labels: Tensor | None,
    others: Mapping[str, Prior],
    examples: Tensor,
    *,
    alt: str,
    names: Sequence[str] = _DIGITS,
    dtype: Precision = "int8",
) -> Live:
    r"""A VampPrior to draw: pseudo-inputs on an easel, the prior that they make, and its samples.

    .. math:: p(z) = \frac1K \sum_k q(z|u_k), \qquad \mathrm{KL}(q(z)\,\|\,p)
        = -H(q) - \mathbb{E}_{q} \log p(z)

    The reader scratches a pseudo-input away, draws another, and the prior's contours on the plane,
    the KL and decoded draws follow; encoder and decoder run in the page. Density, KL and draws
    of the other priors are computed beforehand. H(q) is that of the codes given, by a grid; the
    expectation is the mean over four draws of each code.

    Args:
        model: a VAE of 28 × 28 images with two latent dimensions, a VampPrior and Bernoulli
            pixels; ten pseudo-inputs fill two rows.
        mu: means of held-out codes, [N, 2].
        logvar: their log-variances, [N, 2].
        labels: their classes, [N], from 0 on; None where there are none.
        others: priors to compare with, by what they are called.
        examples: images to put in place of a pseudo-input, [E, 1, 28, 28] in [0, 1].
        alt: what is to be seen, for those who cannot see it.
        names: of the classes; their numbers where there are none.
        dtype: of the weights on the page.

    Raises:
        ValueError: for a model of another kind, examples of another size, or a prior that is not
            of the plane.

    Example:
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> encoder, digits = MLPEncoder(4), torch.zeros(2, 1, 28, 28)
        >>> prior = VampPrior(encoder, 2, digits)
        >>> model = VAE(encoder, MLPDecoder(2), 2, Bernoulli(), prior)
        >>> normal = {"N(0, I)": StandardNormal(2)}
        >>> codes = torch.randn(9, 2), torch.zeros(9, 2), None
        >>> live = draw_prior(model, *codes, normal, digits, alt="A prior.")
        >>> len(live.config["inputs"]), live.config["others"][0]["title"]
        (2, 'N(0, I)')
    """
    _checks.instance(model, "model", VAE)
    prior = model.prior
    if not (model.latent_dim == 2 and isinstance(prior, VampPrior)) or not isinstance(
        model.likelihood, Bernoulli
    ):
        raise ValueError(
            "model must be a VAE with 2 latent dimensions, a VampPrior and Bernoulli pixels, got "
            f"{model.latent_dim}, {type(prior).__name__} and {type(model.likelihood).__name__}"
        )
    _check_images(examples, "examples", ["E", 1, 28, 28])
    networks, models = _networks_of_drawings(model, dtype)
    _checks.instance(others, "others", Mapping)
    for title, other in others.items():
        if not isinstance(other, Prior) or other.latent_dim != 2:
            raise ValueError(f"others must be Priors over 2 dimensions, got {title}: {other!r}")
    mu, labels, names = _codes(model, mu, labels, names)
    _checks.floats(logvar, "logvar", tuple(mu.shape), largest=40)
    mu, logvar = mu.float(), logvar.detach().cpu().float()
    with torch.no_grad():
        reach = max(_reach(one, mu) for one in (prior, *others.values()))
    extent = max(pictures.half_side(mu), math.ceil(2 * reach) / 2)
    deviation = (0.5 * logvar).exp()
    noise = torch.randn((4, *mu.shape), generator=torch.Generator().manual_seed(0))
    drawn = (mu + deviation * noise).flatten(0, 1)
    step = min(0.02 * extent, deviation.min().item())
    own = 0.5 * (logvar.double() + math.log(2 * math.pi * math.e)).sum(1).mean().item()
    entropy = own + mixtures.surgery(mu, logvar, step=step).information
    with torch.no_grad():
        inputs = prior.pseudo_inputs.cpu()
        compared = [
            _compared(title, other, drawn, entropy, extent) for title, other in others.items()
        ]
        sample = prior.sample(18, None, torch.Generator().manual_seed(0))
        decoded = model.decode(sample).cpu()
    config = {
        **networks,
        "inputs": [pictures.bytes_of(image) for image in inputs],
        "examples": [pictures.bytes_of(image) for image in examples],
        "others": compared,
        "drawn": _reached(drawn),
        "entropy": entropy,
        "plane": _plane(mu, labels, names, extent),
    }
    shown = {
        "pseudo-inputs": pictures.grid(inputs[None]),
        "cloud": _cloud(mu, labels, names, extent),
        "decoded draws": pictures.grid(decoded.unflatten(0, (2, 9))),
    }
    return Live("vaebook-draw-prior", config, models, shown, 2 * [_ANY], alt)


def _reach(prior: Prior, like: Tensor) -> float:
    """How far the densest 99 % of a prior reach along an axis: within the last line."""
    prior = copy.deepcopy(prior).to(like)
    z = prior.sample(4000, None, torch.Generator().manual_seed(0))
    logs = prior.log_prob(z)
    return z[logs >= logs.quantile(0.01)].abs().max().item()


def _reached(z: Tensor) -> dict[str, Any]:
    """Places of 16 bits in the square that holds them all."""
    extent = max(1.0, z.abs().max().item())
    return {"data": pictures.places(z, extent), "extent": extent}


def _compared(
    title: str, prior: Prior, drawn: Tensor, entropy: float, extent: float
) -> dict[str, Any]:
    """What the page shows of a prior that it can't compute: density, KL and draws."""
    axis = torch.linspace(-extent, extent, _CELLS)
    y, x = torch.meshgrid(axis.flip(0), axis, indexing="ij")
    prior = copy.deepcopy(prior).to(drawn)
    logs = prior.log_prob(torch.stack([x.flatten(), y.flatten()], 1))
    logs = ((logs - logs.max()) / _DEPTH + 1).clamp(0, 1)
    draws = prior.sample(18, None, torch.Generator().manual_seed(0))
    return {
        "title": title,
        "logs": pictures.bytes_of(logs),
        "kl": -entropy - prior.log_prob(drawn).mean().item(),
        "draws": _reached(draws),
    }


def half_digit(
    model: VAE,
    images: Tensor,
    *,
    alt: str,
    rows: int = 12,
    dtype: Precision = "int8",
) -> Live:
    r"""An image of which the reader scratches pixels away, and chains of pCN that fill them in.

    .. math:: p(z | x_S) \propto p(z) \prod_{j \in S} p(x_j | z)

    Six chains run on the page, on the pixels S that are still seen, and what they decode to
    changes as the reader hides pixels or uncovers them.

    Args:
        model: a VAE of grey images with the prior N(0, I) and Bernoulli pixels.
        images: to choose from, [E, 1, H, W] in [0, 1], kept in 8 bits.
        alt: what is to be seen, for those who cannot see it.
        rows: how many are seen at first, from the top, 1 to H.
        dtype: of the weights on the page.

    Raises:
        ValueError: for a model of another kind, images of another size, or more rows than they
            have.

    Example:
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> model = VAE(MLPEncoder(16), MLPDecoder(8), 8, Bernoulli())
        >>> half_digit(model, torch.zeros(3, 1, 28, 28), alt="Half a digit.").config["start"]
        [12.0]
    """
    _checks.instance(model, "model", VAE)
    prior, likelihood = type(model.prior), type(model.likelihood)
    packed = pack_decoder(model, dtype)
    channels, height, width = packed["output"]
    if (prior, likelihood, channels) != (StandardNormal, Bernoulli, 1):
        raise ValueError(
            "model must be a VAE of grey images with the prior StandardNormal and Bernoulli "
            f"pixels, got {channels} channels, {prior.__name__} and {likelihood.__name__}"
        )
    _check_images(images, "images", ["E", 1, height, width])
    _checks.count(rows, "rows")
    if rows > height:
        raise ValueError(f"rows must be at most {height}, got {rows}")
    name, text = seal(packed)
    seen = torch.zeros(height, width, dtype=torch.bool)
    seen[:rows] = True
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(8, model.latent_dim, generator=generator)
    place = _checks.first_weight(model, torch.zeros(()))
    chain = samplers.pcn(
        model.target(images[0].to(place), mask=seen.to(place.device)),
        start.to(place),
        100,
        0.3,
        warmup=300,
        generator=generator,
        progress=False,
    )
    with torch.no_grad():
        completed = model.decode(chain.positions[-1]).cpu()
    shown = images[0].detach().cpu()
    drawn = {
        "half-seen image": pictures.picture(torch.where(seen, shown, torch.tensor(0.35))),
        "eight completions": pictures.grid(completed.view(2, 4, 1, height, width)),
    }
    config = {
        "model": name,
        "images": [pictures.bytes_of(image) for image in images],
        "start": [float(rows)],
    }
    return Live("vaebook-half-digit", config, {name: text}, drawn, [(0.0, height)], alt)


class Twin(NamedTuple):
    """A decoder of heatmaps, and the axes in which it is walked: z = centre + axes @ u."""

    title: str
    model: VAE | Autoencoder
    centre: Tensor
    axes: Tensor


def twins(
    pair: Sequence[Twin],
    codes: Sequence[Tensor],
    *,
    alt: str,
    extent: float = 3.5,
    start: Sequence[float] = (0.0, 0.0, 0.0),
    dtype: Precision = "float16",
) -> Live:
    """One cursor in two latent spaces of heatmaps, and how far what is decoded is from a heatmap.

    The distance is `relative` of :func:`vaebook.measures.heatmaps.fit_heatmaps`, a share of the
    heatmap's norm, computed on the page.

    Args:
        pair: two decoders of 36 × 36 heatmaps with three latent dimensions.
        codes: of each, [N, 3], for the background.
        alt: what is to be seen, for those who cannot see it.
        extent: the largest size of each coordinate of u.
        start: u at first.
        dtype: of the weights on the page.

    Raises:
        ValueError: when there are not two with different titles, or they have other dimensions.

    Example:
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> shape = {"shape": (1, 36, 36)}
        >>> model = VAE(MLPEncoder(6, **shape), MLPDecoder(3, **shape), 3, Bernoulli())
        >>> pair = [Twin(title, model, torch.zeros(3), torch.eye(3)) for title in "ab"]
        >>> live = twins(pair, [torch.randn(9, 3), torch.randn(9, 3)], alt="Two cursors.")
        >>> len(live.models)  # both have the same
        1
    """
    _check_records(pair, "pair", Twin)
    titles = [twin.title for twin in pair]
    if len(pair) != 2 or titles[0] == titles[1]:
        raise ValueError(f"pair must be two Twins of different titles, got {titles}")
    _checks.instance(codes, "codes", Sequence)
    if len(codes) != 2:
        raise ValueError(f"codes must be two tensors, got {len(codes)}")
    u, extent = _within(start, extent)
    config: dict[str, Any] = {"twins": [], "start": u}
    models, flat, decoded = {}, [], {}
    for twin, z in zip(pair, codes, strict=True):
        taken, text, places = _walked(twin, z, "pair", dtype)
        models[taken["model"]] = text
        config["twins"].append(taken)
        flat.append(places[: _SHOWN // 2])
        image = _decode(twin.model, _along(taken, u))
        decoded[f"decoded by the {twin.title}"] = pictures.picture(image)
    which = torch.cat([torch.full((len(part),), i) for i, part in enumerate(flat)])
    config["plane"] = _plane(torch.cat(flat), which, (), extent)
    drawn = {"cloud": pictures.cloud(torch.cat(flat), which, (), extent)} | decoded
    return Live("vaebook-twins", config, models, drawn, 3 * [(-extent, extent)], alt)


class BetaRun(NamedTuple):
    """A model trained with some beta, its codes [N, D], and its terms in nats per image."""

    beta: float
    model: VAE | Autoencoder
    mu: Tensor
    rate: float
    distortion: float


def beta_dial(
    runs: Sequence[BetaRun],
    labels: Tensor | None,
    images: Tensor,
    *,
    alt: str,
    names: Sequence[str] = _DIGITS,
    dtype: Precision = "int8",
) -> Live:
    """Models that differ in beta only: cloud, rate, distortion and reconstruction move together.

    The first to be seen is the one whose beta is nearest to 1. Each latent has a dial, which
    begins at the code of the chosen image; the map shows the two most active ones.

    Args:
        runs: by rising beta.
        labels: classes of the codes, the same in each run, [N], from 0 on; None where there are
            none.
        images: to be encoded by each and decoded on the page, [E, C, H, W] in [0, 1].
        alt: what is to be seen, for those who cannot see it.
        names: of the classes; their numbers where there are none.
        dtype: of the weights on the page.

    Raises:
        ValueError: for fewer than two runs, betas that don't rise, or models of different shapes.

    Example:
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> networks = MLPEncoder(4), MLPDecoder(2)
        >>> model = VAE(*networks, 2, Bernoulli())
        >>> codes = torch.randn(9, 2)
        >>> runs = [BetaRun(beta, model, codes, 10 / beta, 100.0) for beta in (1, 4)]
        >>> beta_dial(runs, None, torch.zeros(2, 1, 28, 28), alt="A dial.").config["rates"]
        [10.0, 2.5]
    """
    _check_records(runs, "runs", BetaRun)
    betas = [run.beta for run in runs]
    for beta in betas:
        _checks.number(beta, "beta", 0)
    if len(betas) < 2 or betas != sorted(set(betas)):
        raise ValueError(f"runs must be two or more BetaRuns by rising beta, got {betas}")
    models, order, codes, axes, planes, used = {}, [], [], [], [], []
    for run in runs:
        _checks.number(run.rate, "rate")
        _checks.number(run.distortion, "distortion")
        packed = pack_decoder(run.model, dtype)
        _check_images(images, "images", ["E", *packed["output"]])
        mu, labels, names = _codes(run.model, run.mu, labels, names)
        if mu.shape[1] != runs[0].model.latent_dim or mu.shape[1] < 2:
            raise ValueError(f"runs must have one number of latents, two or more, got {mu.shape}")
        name, models[name] = seal(packed)
        order.append(name)
        codes.append(run.model.codes(images).mu.detach().cpu())
        axes.append(_by_activity(mu)[:2])
        planes.append(mu[:, axes[-1]])
        used.append((mu.var(0, unbiased=False) > 0.01).nonzero()[:, 0].tolist())
    extent = max(pictures.half_side(plane) for plane in planes)
    first = min(range(len(runs)), key=lambda i: abs(betas[i] - 1))
    rounded = [[[round(v, 4) for v in code] for code in group.tolist()] for group in codes]
    config = {
        "models": order,
        "betas": betas,
        "rates": [run.rate for run in runs],
        "distortions": [run.distortion for run in runs],
        "used": used,
        "codes": rounded,
        "axes": axes,
        "planes": [pictures.points(plane[:_SHOWN], labels, extent) for plane in planes],
        "plane": _plane(planes[0][:0], labels, names, extent),
        "originals": [pictures.bytes_of(image) for image in images],
        "start": [float(first), *(rounded[first][0][j] for j in axes[first])],
    }
    drawn = {
        "cloud": _cloud(planes[first], labels, names, extent),
        "image": pictures.picture(images[0]),
        "decoded image": pictures.picture(_decode(runs[first].model, codes[first][0])),
    }
    bounds = [(0.0, len(runs) - 1.0), _ANY, _ANY]
    return Live("vaebook-beta-dial", config, models, drawn, bounds, alt)


def heatmap_panel(*, alt: str, start: Sequence[float] = (2.5, 1.0, 0.6)) -> Live:
    """Three factors to dial, and the heatmap that they make, with its long axis in words.

    Args:
        alt: what is to be seen, for those who cannot see it.
        start: variances in x and y, in [0.1, 4.9], and correlation, in [-0.95, 0.95].

    Raises:
        ValueError: for factors out of their range.

    Example:
        >>> heatmap_panel(alt="A heatmap.").config["start"]
        [2.5, 1.0, 0.6]
    """
    factors = _place(start, 3)
    bounds = [(0.1, 4.9), (0.1, 4.9), (-0.95, 0.95)]
    for name, value, (low, high) in zip(_FACTORS, factors, bounds, strict=True):
        _checks.number(value, f"start, its {name},", low, high)
    var_x, var_y, corr = torch.tensor(factors)[:, None]
    image = heatmap_images(var_x, var_y, corr)[0]
    drawn = {"heatmap": pictures.picture(image)}
    return Live("vaebook-heatmap-panel", {"start": factors}, {}, drawn, bounds, alt)


def heatmap_walk(
    walked: Twin,
    codes: Tensor,
    quantity: Tensor,
    *,
    alt: str,
    names: Sequence[str],
    scale: str = "",
    extent: float = 3.0,
    start: Sequence[float] = (0.0, 0.0, 0.0),
    dtype: Precision = "float16",
) -> Live:
    """A plane of a decoder of heatmaps to drag through, and the true heatmap nearest to its image.

    The page fits the heatmap as :func:`vaebook.measures.heatmaps.fit_heatmaps` does.

    Args:
        walked: a decoder of 36 × 36 heatmaps with three latent dimensions, and its axes: the
            plane shows `u1` and `u2`, and `u3` has a dial.
        codes: [N, 3], for the background.
        quantity: what colours them, [N].
        alt: what is to be seen, for those who cannot see it.
        names: of the three axes.
        scale: a sentence below the figure that says what colours and axes are.
        extent: the largest size of each coordinate of u.
        start: u at first.
        dtype: of the weights on the page.

    Raises:
        ValueError: for another decoder, or shapes and names that don't fit.

    Example:
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> shape = {"shape": (1, 36, 36)}
        >>> model = VAE(MLPEncoder(6, **shape), MLPDecoder(3, **shape), 3, Bernoulli())
        >>> walked = Twin("VAE", model, torch.zeros(3), torch.eye(3))
        >>> codes = torch.randn(9, 3)
        >>> live = heatmap_walk(walked, codes, codes[:, 0], alt="A walk.", names="xyz")
        >>> live.config["names"]
        ['x', 'y', 'z']
    """
    import plotly.colors

    _checks.instance(walked, "walked", Twin)
    names = read_texts(names, "names", 3, "axis")
    if not isinstance(scale, str):
        raise ValueError(f"scale must be a sentence, got {shorten(scale)}")
    u, extent = _within(start, extent)
    taken, text, flat = _walked(walked, codes, "walked", dtype)
    _checks.floats(quantity, "quantity", (len(codes),))
    low, high = quantity.aminmax()
    shades = _SHADES * (quantity.detach() - low) / (high - low).clamp_min(1e-12)
    labels = shades.long().clamp_max(_SHADES - 1).cpu()
    colours = plotly.colors.sample_colorscale(SEQUENTIAL, _SHADES)
    config = {
        "walked": taken,
        "names": names,
        "scale": scale,
        "start": u,
        "plane": _plane(flat, labels, (), extent) | {"colours": colours},
    }
    drawn = {
        "cloud": pictures.cloud(flat[:_SHOWN], labels[:_SHOWN], (), extent, colours),
        "decoded image": pictures.picture(_decode(walked.model, _along(taken, u))),
    }
    bounds = 3 * [(-extent, extent)]
    return Live("vaebook-heatmap-walk", config, {taken["model"]: text}, drawn, bounds, alt)


def shortest_ways(
    model: VAE | Autoencoder,
    *,
    alt: str,
    start: Sequence[float] = (4.8, 0.3, 0.8, 0.3, 4.8, 0.8),
    dtype: Precision = "float16",
) -> Live:
    r"""Two heatmaps to pick, and three ways from one to the other, computed in the page.

    The true way minimises :math:`\sum_t \|h_{t + 1} - h_t\|^2` over heatmaps of 36 × 36 pixels,
    the decoder's shortest way :math:`\sum_t \|g(z_{t + 1}) - g(z_t)\|^2` over codes; the third is
    the straight line between both codes. Beside them stand the flat sector of the heatmaps on a
    frame without edges, and the ellipse of the decoder's metric in a plane of latent space.

    Args:
        model: of 36 × 36 heatmaps with three latent dimensions, whose encoder and decoder
            :func:`vaebook.live.pack` takes; its decoder is linear, transposed convolutions, ReLU.
        alt: what is to be seen, for those who cannot see it.
        start: variances in x and y and correlation of the first heatmap, and of the second:
            variances in [0.1, 4.9], correlations in [-0.95, 0.85], as in the data.
        dtype: of the weights on the page.

    Raises:
        ValueError: for a model of another kind, or factors out of their range.

    Source:
        For the metric, Latent space oddity (Arvanitidis et al., 2018).

    Example:
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> shape = {"shape": (1, 36, 36)}
        >>> model = VAE(MLPEncoder(6, **shape), MLPDecoder(3, **shape), 3, Bernoulli())
        >>> shortest_ways(model, alt="Three ways.").config["start"]
        [4.8, 0.3, 0.8, 0.3, 4.8, 0.8]
    """
    decoder = pack_decoder(model, dtype)
    if decoder["input"] != [3] or decoder["output"] != [1, 36, 36]:
        raise ValueError(
            f"model must decode three dimensions to [1, 36, 36], got {decoder['input']} and "
            f"{decoder['output']}"
        )
    encoder = pack(model.encoder, [1, 36, 36], dtype)
    factors = _place(start, 6)
    bounds = 2 * [(0.1, 4.9), (0.1, 4.9), (-0.95, 0.85)]
    for name, value, (low, high) in zip(2 * _FACTORS, factors, bounds, strict=True):
        _checks.number(value, f"start, its {name},", low, high)
    steps = [torch.linspace(*reach, n) for reach, n in zip(bounds, (12, 12, 14), strict=False)]
    weight = _checks.first_weight(model, torch.zeros(()))
    mu = model.codes(heatmap_images(*torch.cartesian_prod(*steps).to(weight).T)).mu.cpu()
    extent = mu.abs().max().item()
    pair = torch.tensor(factors, dtype=torch.float64).view(2, 1, 3)
    ends = model.codes(heatmap_images(*pair[:, 0].to(weight).T)).mu
    line = torch.lerp(ends[0], ends[1], torch.linspace(0, 1, 7).to(weight)[:, None])
    with torch.no_grad():
        decoded = model.decode(line).cpu()
    true = heatmap_images(*cone_path(pair[0], pair[1], 7)[0].float().T)
    networks, models = _sealed(encoder, decoder)
    config = {
        **networks,
        "codes": pictures.places(mu, extent),
        "extent": extent,
        "start": factors,
    }
    drawn = {
        "the shortest way among heatmaps": pictures.grid(true[None]),
        "the straight line in latent space, decoded": pictures.grid(decoded[None]),
    }
    return Live("vaebook-shortest-ways", config, models, drawn, bounds, alt)


def tails(*, alt: str, start: Sequence[float] = (2.0, 1.0)) -> Live:
    """A round bivariate t density beside a normal one, and a cut through both on a log axis.

    The reader dials degrees of freedom and scale s, and whether the normal density has the
    variance s or the same core, half of the peak at the same distance.

    Args:
        alt: what is to be seen, for those who cannot see it.
        start: degrees of freedom, and the scale in [0.1, 4.9]; of the former the dial has 2, 2.5,
            3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150 and 200.

    Raises:
        ValueError: for degrees of freedom off the ladder, or a scale out of its range.

    Example:
        >>> tails(alt="Two densities.").config["start"]
        [2.0, 1.0]
    """
    df, variance = _place(start, 2)
    if df not in _LADDER:
        rungs = ", ".join(f"{rung:g}" for rung in _LADDER)
        raise ValueError(f"start must begin with one of {rungs}, got {df:g}")
    _checks.number(variance, "start, its scale,", 0.1, 4.9)
    one = torch.tensor([variance])
    drawn = {
        "t density": pictures.picture(t_heatmap_images(one, one, 0 * one, torch.tensor([df]))[0]),
        "normal density": pictures.picture(heatmap_images(one, one, 0 * one)[0]),
    }
    config = {"start": [df, variance], "choices": list(_LADDER)}
    bounds = [(_LADDER[0], _LADDER[-1]), (0.1, 4.9)]
    return Live("vaebook-tails", config, {}, drawn, bounds, alt)


def trainer(train: ImageSet, *, alt: str) -> Live:
    r"""A VAE with two latent dimensions that the reader's browser trains.

    .. math:: (\mu, \log\sigma^2) &= A \tanh(W x + b) + a, \qquad z = \mu + \sigma\varepsilon, \\
        p(x|z) &= \mathrm{Bernoulli}(\mathrm{sigmoid}(B \tanh(V z + c) + d))

    The page shows the codes of all images, what is decoded around them, and the loss, while Adam
    learns from minibatches of 64. The reader sets beta, the learning rate, the hidden units and
    the seed, and turns the noise off, which leaves an autoencoder. The settings stand in the
    address of the page, as in `#trainer?beta=4`. The picture in print shows the same network,
    trained beforehand for 40 epochs.

    Args:
        train: 64 labelled images or more, grey and small, with a number of pixels that 4 divides.
            They are kept in 5 bits per pixel: exactly where all pixels are multiples of 1/n, n at
            most 31, as those of scikit-learn's digits are of 1/16, others to 1/62.
        alt: what is to be seen, for those who cannot see it.

    Raises:
        ValueError: for fewer than 64 images, no labels, or images that don't fit.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> images = torch.rand(64, 1, 4, 4, generator=generator).round()
        >>> live = trainer(ImageSet(images, torch.arange(64) % 2), alt="A plane of codes.")
        >>> live.config["levels"], live.config["shape"]
        (1, [1, 4, 4])
    """
    _checks.instance(train, "train", ImageSet)
    _check_images(train.images, "train, its images,", ["N", 1, "H", "W"])
    n, *shape = train.images.shape
    if train.labels is None or n < _BATCH or shape[1] * shape[2] % 4:
        raise ValueError(
            f"train must be {_BATCH} labelled images or more, of a number of pixels that 4 "
            f"divides, got {train}"
        )
    levels, text = pictures.five_bits(train.images)
    names = pictures.class_names(train)
    config = {
        "images": text,
        "levels": levels,
        "shape": shape,
        "labels": train.labels.tolist(),
        "names": names,
        "colours": CATEGORICAL,
    }
    return Live("vaebook-trainer", config, {}, _trained(train, names), 2 * [_ANY], alt)


def _densest(mu: Tensor, extent: float) -> list[float]:
    """A code whose tenth neighbour is nearest: where there are many, decoded images are clear."""
    inside = mu[(mu.abs() <= extent).all(1)]
    shown = (inside if len(inside) else mu)[:_SHOWN]
    reach = torch.cdist(shown, shown).topk(min(11, len(shown)), largest=False).values[:, -1]
    return [round(value, 4) for value in shown[reach.argmin()].tolist()]


def _trained(train: ImageSet, names: Sequence[str]) -> dict[str, str]:
    """Pictures of the page's network after 40 epochs: its codes, and what it decodes."""
    shape = tuple(train.images.shape[1:])
    n_pixels, hidden, tiles, extent = math.prod(shape), 32, 12, 3.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(n_pixels, hidden), nn.Tanh(), nn.Linear(hidden, 4)
        )
        decoder = nn.Sequential(
            nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, n_pixels), nn.Unflatten(1, shape)
        )
    model = VAE(encoder, decoder, 2, Bernoulli()).to(train.images.device)
    fit(
        model,
        negative_elbo,
        train,
        epochs=40,
        batch_size=_BATCH,
        learning_rate=0.01,
        progress=False,
    )
    mu = model.codes(train.images).mu.detach().cpu()
    centres = (2 * torch.arange(tiles) + 1) / tiles - 1
    z = extent * torch.cartesian_prod(-centres, centres).flip(1)
    with torch.no_grad():
        decoded = model.decode(z.to(train.images)).view(tiles, tiles, *shape).cpu()
    assert train.labels is not None
    return {
        "codes": _cloud(mu, train.labels.cpu(), names, extent),
        "decoded grid": picture(decoded.numpy(), 1).source,
    }


def _within(start: Sequence[float], extent: float) -> tuple[list[float], float]:
    _checks.number(extent, "extent", 0, 100, open=True)
    u = _place(start, 3)
    if max(map(abs, u)) > extent:
        raise ValueError(f"start must lie in [-{extent:g}, {extent:g}], got {u}")
    return u, extent


def _walked(
    twin: Twin, codes: Tensor, name: str, dtype: Precision
) -> tuple[dict[str, Any], str, Tensor]:
    """What the page takes of a twin, the text of its network, and its codes' u1 and u2."""
    packed = pack_decoder(twin.model, dtype)
    if twin.model.latent_dim != 3 or packed["output"] != [1, 36, 36]:
        raise ValueError(
            f"{name} must decode three dimensions to [1, 36, 36], got {twin.model.latent_dim} and "
            f"{packed['output']}"
        )
    _checks.floats(twin.centre, "centre", (3,))
    _checks.floats(twin.axes, "axes", (3, 3))
    _checks.floats(codes, "codes", ("N", 3))
    centre, axes, z = (
        _checks.double(part.detach()).cpu() for part in (twin.centre, twin.axes, codes)
    )
    if torch.linalg.matrix_rank(axes) < 3:
        raise ValueError(f"axes must be invertible, got {axes.tolist()}")
    network, text = seal(packed)
    taken = {
        "model": network,
        "title": twin.title,
        "centre": centre.tolist(),
        "axes": axes.tolist(),
    }
    return taken, text, torch.linalg.solve(axes, (z - centre).T).T[:, :2]


def _along(taken: Mapping[str, Any], u: Sequence[float]) -> Tensor:
    """The code at a place in a twin's own axes."""
    return torch.tensor(taken["centre"]) + torch.tensor(taken["axes"]) @ torch.tensor(u)


def _check_records(value: object, name: str, kind: type) -> None:
    if not isinstance(value, Sequence) or not all(isinstance(part, kind) for part in value):
        raise ValueError(f"{name} must be a sequence of {kind.__name__}s, got {shorten(value)}")


def _check_plane(model: object) -> None:
    _checks.instance(model, "model", VAE)
    assert isinstance(model, VAE)
    prior, likelihood = type(model.prior), type(model.likelihood)
    if (model.latent_dim, prior, likelihood) != (2, StandardNormal, Bernoulli):
        raise ValueError(
            "model must be a VAE with 2 latent dimensions, the prior StandardNormal and Bernoulli "
            f"pixels, got {model.latent_dim}, {prior.__name__} and {likelihood.__name__}"
        )


def _pack_encoder(model: VAE, shape: Sequence[int], dtype: Precision) -> dict[str, Any]:
    packed = pack(model.encoder, shape, dtype)
    if packed["output"] != [4]:
        raise ValueError(f"model must encode to [4], got {packed['output']}")
    return packed


def _sealed(
    encoder: dict[str, Any], decoder: dict[str, Any]
) -> tuple[dict[str, str], dict[str, str]]:
    """What a figure calls its two networks, and their texts by these names."""
    sealed = {"encoder": seal(encoder), "decoder": seal(decoder)}
    return {role: name for role, (name, _) in sealed.items()}, dict(sealed.values())


def _networks_of_drawings(model: VAE, dtype: Precision) -> tuple[dict[str, str], dict[str, str]]:
    """The same of a model of images that a reader can draw."""
    decoder = pack_decoder(model, dtype)
    if decoder["output"] != [1, 28, 28]:
        raise ValueError(
            f"model must be of grey images [1, 28, 28], as one draws them, got {decoder['output']}"
        )
    return _sealed(_pack_encoder(model, [1, 28, 28], dtype), decoder)


def _rounded(values: Tensor) -> list[list[float]]:
    """Rows of numbers with five digits each."""
    return [[float(f"{value:.5g}") for value in row] for row in values.tolist()]


def _codes(
    model: VAE | Autoencoder, mu: Tensor, labels: Tensor | None, names: Sequence[str]
) -> tuple[Tensor, Tensor | None, list[str]]:
    """Codes [N, D] and labels [N] on the CPU, and the names of the labels."""
    _checks.floats(mu, "mu", ("N", model.latent_dim))
    names = read_texts(names, "names")
    if labels is not None:
        _checks.integers(labels, "labels", (len(mu),))
        low, high = int(labels.min()), int(labels.max())
        names = names or [str(label) for label in range(high + 1)]
        if low < 0 or high >= len(names):
            raise ValueError(
                f"labels must lie in 0 to {len(names) - 1}, which have names, got {low} to {high}"
            )
        labels = labels.cpu()
    return mu.detach().cpu(), labels, names


def _check_images(images: Tensor, name: str, shape: Sequence[int | str]) -> None:
    _checks.floats(images, name, shape)
    low, high = images.min().item(), images.max().item()
    if low < 0 or high > 1:
        raise ValueError(f"{name} must lie in [0, 1], got {low:g} to {high:g}")


def _place(start: Sequence[float], n: int) -> list[float]:
    """A list of n finite numbers."""
    good = isinstance(start, Sequence) and len(start) == n and not isinstance(start, str)
    if not good:
        raise ValueError(f"start must be a sequence of {n} finite numbers, got {start!r}")
    for value in start:
        _checks.number(value, "each entry of start")
    return [float(value) for value in start]


def _decode(model: VAE | Autoencoder, z: Tensor | Sequence[float]) -> Tensor:
    """The image [C, H, W] decoded at one code, on the CPU."""
    code = torch.as_tensor(z).to(_checks.first_weight(model, torch.zeros(())))
    with torch.no_grad():
        return model.decode(code[None])[0].cpu()


def _by_activity(mu: Tensor) -> list[int]:
    return mu.var(0, unbiased=False).argsort(descending=True).tolist()


def _plane(
    mu: Tensor, labels: Tensor | None, names: Sequence[str], extent: float
) -> dict[str, Any]:
    """What the page draws a plane of: points with their classes, names, colours."""
    return {
        "points": pictures.points(mu[:_SHOWN], labels, extent),
        "names": list(names) if labels is not None else [],
        "colours": CATEGORICAL,
    }


def _cloud(mu: Tensor, labels: Tensor | None, names: Sequence[str], extent: float) -> str:
    labels = None if labels is None else labels[:_SHOWN]
    return pictures.cloud(mu[:_SHOWN], labels, names if labels is not None else (), extent)
