r"""Live figures: models that run in the reader's browser, without a kernel.

A figure is a custom element of `explorer.js`. Shown at the end of a cell it is HTML that carries
the script and the weights inside the page, once a page, so that it works on the rendered page,
from a disk, and in live notebooks alike; `widget()` makes an anywidget of it, whose `z` Python can
read and set. A static picture stands in its place in print and where no script runs.
"""

__all__ = [
    "BetaRun",
    "Live",
    "Twin",
    "beta_dial",
    "chains",
    "draw_digit",
    "elbo_bench",
    "latent_map",
    "pack",
    "twins",
]

import base64
import html
import io
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn
from vaebook.figures.renderer import CATEGORICAL
from vaebook.models.networks import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder

from vaebook.models import Bernoulli

_SCRIPT = Path(__file__).with_suffix(".js")
# What this kernel has put on its page already; a page needs each only once.
_SENT: set[str] = set()

_LARGE = 4096

_ANY = (-math.inf, math.inf)

Precision = Literal["float16", "int8"]


# ---------------------------------------------------------------------------------------------
# Models as the script reads them


class _Packer:
    def __init__(self, dtype: Precision) -> None:
        self.dtype = dtype
        self.data = bytearray()
        self.layers: list[dict[str, Any]] = []

    def tensor(self, values: Tensor) -> dict[str, Any]:
        """Append a tensor, and return what the script needs to find it."""
        # What is small saves nothing, and errors of the first layer would grow in all others.
        dtype = self.dtype if values.numel() >= _LARGE else "float16"
        offset, array = len(self.data), values.detach().float().numpy()
        if dtype == "float16":
            self.data += array.astype("<f2").tobytes()
        else:
            rows = array.reshape(len(array), -1)
            scales = np.abs(rows).max(1, keepdims=True) / 127
            scales[scales == 0] = 1.0
            self.data += scales.astype("<f4").tobytes()
            self.data += np.rint(rows / scales).astype("i1").tobytes()
        return {"shape": list(array.shape), "dtype": dtype, "offset": offset}

    def add(self, module: nn.Module) -> None:
        """Append the layers of a module."""
        if isinstance(module, nn.Sequential):
            for part in module:
                self.add(part)
        elif isinstance(module, (MLPEncoder, MLPDecoder)):
            if isinstance(module, MLPEncoder):
                self.layers.append({"op": "reshape", "shape": [module.image_size**2]})
            self.add(module.layers)
            if isinstance(module, MLPDecoder):
                side = module.image_size
                self.layers.append({"op": "reshape", "shape": [1, side, side]})
        elif isinstance(module, ConvEncoder):
            self.add(module.blocks)
            first = module.head[0]
            assert isinstance(first, nn.Linear)
            self.layers.append({"op": "reshape", "shape": [first.in_features]})
            self.add(module.head)
        elif isinstance(module, ConvDecoder):
            self.add(module.stem)
            self.add(module.blocks)
        else:
            self.layers.append(self.layer(module))

    def layer(self, module: nn.Module) -> dict[str, Any]:
        """Return one layer."""
        if isinstance(module, nn.ReLU):
            return {"op": "relu"}
        if isinstance(module, nn.Unflatten):
            return {"op": "reshape", "shape": list(module.unflattened_size)}
        if isinstance(module, nn.MaxPool2d):
            return {"op": "max_pool", "kernel": module.kernel_size}
        if not isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            raise ValueError(f"the page can't run a layer {type(module).__name__}")
        assert module.bias is not None
        weights = {"weight": self.tensor(module.weight), "bias": self.tensor(module.bias)}
        if isinstance(module, nn.Linear):
            return {"op": "linear"} | weights
        op = "conv" if isinstance(module, nn.Conv2d) else "conv_transpose"
        sizes = {"kernel": module.kernel_size, "stride": module.stride, "padding": module.padding}
        return {"op": op} | {name: size[0] for name, size in sizes.items()} | weights


def pack(module: nn.Module, shape: Sequence[int], dtype: Precision = "int8") -> dict[str, Any]:
    """Return a network as the page's script runs it: layers, and the weights in base64.

    Weights are stored as `dtype`: half precision, or 8-bit integers with one scale a row, the
    row's largest weight over 127. Tensors of fewer than 4,096 numbers stay in half precision.

    Args:
        module: a network of :mod:`vaebook.networks`, or a sequence of their layers.
        shape: of one input, without N.
        dtype: of the weights.

    Raises:
        ValueError: for a layer that the script doesn't know, or another dtype.
    """
    if dtype not in ("float16", "int8"):
        raise ValueError(f"dtype must be 'float16' or 'int8', got {dtype!r}")
    packer = _Packer(dtype)
    packer.add(module)
    data = base64.b64encode(packer.data).decode()
    return {"input": list(shape), "layers": packer.layers, "data": data}


def _decoder(model: Any, dtype: Precision) -> dict[str, Any]:
    """Return a model's decoder, and how its outputs become the mean of the likelihood."""
    mean = "sigmoid" if isinstance(model.likelihood, Bernoulli) else "identity"
    return pack(model.decoder, [model.latent_dim], dtype) | {"mean": mean}


# ---------------------------------------------------------------------------------------------
# Figures


@dataclass(frozen=True)
class Live:
    """A figure that runs on the page; show it, or take its `widget()`.

    Attributes:
        tag: name of the custom element.
        config: what the element reads.
        models: the networks that it runs, by name.
        pictures: data URLs of the static pictures, by part.
        bounds: of each number of the widget's `z`.
        alt: what is to be seen, for readers who cannot see it.
    """

    tag: str
    config: dict[str, Any]
    models: dict[str, dict[str, Any]] = field(repr=False)
    pictures: dict[str, str] = field(repr=False)
    bounds: Sequence[tuple[float, float]]
    alt: str

    def _repr_html_(self) -> str:
        parts = []
        everything = {f"vaebook-model-{name}": _json(spec) for name, spec in self.models.items()}
        for name, text in everything.items():
            parts.append(
                _once(name, f'<script type="application/json" id="{name}">{text}</script>')
            )
        images = "".join(
            f'<img data-part="{part}" src="{source}" alt="{_alt(self.alt, part)}">'
            for part, source in self.pictures.items()
        )
        parts.append(
            f'<{self.tag} role="group" aria-label="{html.escape(self.alt)}">'
            f'<script type="application/json">{_json(self.config)}</script>'
            f'<div class="vaebook-live-static">{images}</div></{self.tag}>'
        )
        script = _SCRIPT.read_text(encoding="utf-8")
        parts.append(_once("script", f'<script type="module">{script}</script>'))
        return "".join(parts)

    def widget(self) -> Any:
        """Return the figure as an anywidget, whose traitlet `z` follows the reader.

        Setting `z` moves the point of a map or of twins, the start of chains, mean and standard
        deviation of the bench's q, and the beta dial's [number of the model, place on its map].
        On the easel it draws the image decoded there; `z` is then the mean of q(z|x) of it.
        What a figure can't take is refused with a `TraitError`.

        Raises:
            ImportError: when anywidget isn't installed.
        """
        import anywidget
        import traitlets

        bounds = self.bounds

        class LiveWidget(anywidget.AnyWidget):
            _esm = _SCRIPT
            tag = traitlets.Unicode().tag(sync=True)
            config = traitlets.Dict().tag(sync=True)
            models = traitlets.Dict().tag(sync=True)
            z = traitlets.List(traitlets.Float()).tag(sync=True)

            @traitlets.validate("z")
            def _within_bounds(self, proposal: Any) -> list[float]:
                z: list[float] = proposal["value"]
                # An easel has no code before its page has encoded the first drawing.
                if z and not (
                    len(z) == len(bounds)
                    and all(map(math.isfinite, z))
                    and all(low <= v <= high for v, (low, high) in zip(z, bounds, strict=True))
                ):
                    limits = ", ".join(f"[{low:g}, {high:g}]" for low, high in bounds)
                    raise traitlets.TraitError(f"z must be numbers in {limits}, got {z}")
                return z

        config = self.config | {"cloud": self.pictures.get("cloud", "")}
        return LiveWidget(
            tag=self.tag, config=config, models=self.models, z=self.config.get("start", [])
        )


def _json(value: Any) -> str:
    # Inside a script element only "<" can end the element early.
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _once(name: str, text: str) -> str:
    """Return the text the first time that this kernel's page needs it; Colab's cells are pages."""
    if name in _SENT and "google.colab" not in sys.modules:
        return ""
    _SENT.add(name)
    return text


def _alt(alt: str, part: str) -> str:
    return html.escape(alt if part == "cloud" else f"{part}")


def _data_url(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _bytes(image: Tensor) -> str:
    """An image in 8 bits a pixel, in base64."""
    return base64.b64encode((255 * image.clamp(0, 1)).round().byte().numpy().tobytes()).decode()


def _picture(image: Tensor) -> str:
    """An image [1, H, W] in [0, 1] as a PNG, six times as large."""
    grey = Image.fromarray((255 * image[0].clamp(0, 1)).round().byte().numpy())
    return _data_url(grey.resize((6 * grey.width, 6 * grey.height), Image.Resampling.NEAREST))


def _cloud(points: Tensor, labels: Tensor, names: Sequence[str], extent: float) -> str:
    """A scatter plot of points [N, 2] without axes, transparent, with the classes' names on it."""
    side, radius = 840, 3
    sheet = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(sheet)
    places = (0.5 + 0.5 * points / extent * torch.tensor([1.0, -1.0])) * side
    for (x, y), label in zip(places.tolist(), labels.tolist(), strict=True):
        colour = CATEGORICAL[label % len(CATEGORICAL)]
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    font = ImageFont.load_default(34)
    for label in labels.unique().tolist():
        x, y = places[labels == label].median(0).values.tolist()
        draw.text((x, y), names[label], "#111", font, "mm", stroke_width=4, stroke_fill="#fff")
    return _data_url(sheet.quantize(24, method=Image.Quantize.FASTOCTREE))


def _extent(mu: Tensor) -> float:
    """Half the side of a square that holds nearly all codes [N, 2]."""
    return float(np.ceil(2 * mu.abs().quantile(0.99).item()) / 2)


def _bench(x: float, noise: float, mu: float, sigma: float) -> str:
    """Prior, posterior and q of the bench's straight decoder, which are Gaussians."""
    width, height = 1400, 480
    sheet = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(sheet)
    z = np.linspace(-4, 4, width)
    spread = (1 + noise**-2) ** -0.5
    curves = (
        (0.0, 1.0, "#808080"),
        (x * spread**2 / noise**2, spread, CATEGORICAL[1]),
        (mu, sigma, CATEGORICAL[0]),
    )
    for centre, scale, colour in curves:
        density = np.exp(-0.5 * ((z - centre) / scale) ** 2) / (scale * np.sqrt(2 * np.pi))
        heights = height - 20 - (height - 40) * density * spread * np.sqrt(2 * np.pi)
        draw.line(list(zip(range(width), heights.tolist(), strict=True)), colour, 5)
    return _data_url(sheet)


def latent_map(
    model: Any,
    mu: Tensor,
    labels: Tensor,
    *,
    name: str,
    alt: str,
    names: Sequence[str] = "0123456789",
    start: Sequence[float] | None = None,
    dtype: Precision = "int8",
) -> Live:
    """A point in latent space to drag or to dial, and the image decoded there.

    In two dimensions the point lies on the cloud of codes; in more each dimension has a dial from
    -3 to 3, the most active ones first.

    Args:
        model: a VAE or an autoencoder.
        mu: codes of images, [N, D].
        labels: their classes, [N].
        name: of the model on its page.
        alt: what is to be seen.
        names: of the classes.
        start: where the point lies first; the median code by default.
        dtype: of the weights on the page.

    Raises:
        ValueError: for shapes that don't fit, or a layer that the page can't run.
    """
    if mu.ndim != 2 or mu.shape[1] != model.latent_dim or labels.shape != mu.shape[:1]:
        raise ValueError(
            f"mu must be [N, {model.latent_dim}] and labels [N], "
            f"got {list(mu.shape)} and {list(labels.shape)}"
        )
    flat = model.latent_dim == 2
    extent = _extent(mu) if flat else 3.0
    first = mu.median(0).values if start is None else mu.new_tensor(start)
    order = list(range(2)) if flat else mu.var(0).argsort(descending=True).tolist()
    with torch.no_grad():
        decoded = model.decode(first[None])[0]
    pictures = {"cloud": _cloud(mu[:2000], labels[:2000], names, extent)} if flat else {}
    pictures["decoded image"] = _picture(decoded)
    config = {
        "model": name,
        "start": [round(value, 4) for value in first.tolist()],
        "order": order,
        "extent": extent,
    }
    models = {name: _decoder(model, dtype)}
    return Live("vaebook-latent-map", config, models, pictures, model.latent_dim * [_ANY], alt)


def chains(
    model: Any,
    image: Tensor,
    mu: Tensor,
    labels: Tensor,
    *,
    name: str,
    alt: str,
    names: Sequence[str] = "0123456789",
    start: Sequence[float] = (0.0, 0.0),
    step: float = 0.1,
    seed: int = 0,
    dtype: Precision = "float16",
) -> Live:
    """PCN and a random walk that run on the page, on the posterior p(z|x) of one image.

    Args:
        model: a VAE with two latent dimensions and Bernoulli pixels.
        image: the observed one, [1, H, W], kept in 8 bits.
        mu: codes of images for the background, [N, 2].
        labels: their classes, [N].
        name: of the model on its page.
        alt: what is to be seen.
        names: of the classes.
        start: where both chains start.
        step: of both, in (0, 1].
        seed: of the page's random numbers.
        dtype: of the weights on the page.

    Raises:
        ValueError: for another model, an image of another size, or a step out of range.
    """
    if model.latent_dim != 2 or not isinstance(model.likelihood, Bernoulli):
        raise ValueError(
            "model must have 2 latent dimensions and Bernoulli pixels, got "
            f"{model.latent_dim} and {type(model.likelihood).__name__}"
        )
    if not 0 < step <= 1:
        raise ValueError(f"step must lie in (0, 1], got {step}")
    with torch.no_grad():
        decoded = model.decode(mu.new_tensor(start)[None])[0]
    if image.shape != decoded.shape:
        raise ValueError(f"image must be {list(decoded.shape)}, got {list(image.shape)}")
    extent = _extent(mu)
    config = {
        "model": name,
        "image": _bytes(image),
        "start": list(start),
        "extent": extent,
        "step": step,
        "seed": seed,
    }
    pictures = {
        "cloud": _cloud(mu[:2000], labels[:2000], names, extent),
        "observed image": _picture(image),
        "decoded image": _picture(decoded),
    }
    models = {name: _decoder(model, dtype)}
    return Live("vaebook-chains", config, models, pictures, 2 * [_ANY], alt)


def elbo_bench(
    *, alt: str, x: float = 1.0, noise: float = 0.3, mu: float = 0.0, sigma: float = 1.0
) -> Live:
    r"""One datum, one latent dimension: the reader moves q, and sees ELBO, gap and posterior.

    .. math:: z \sim N(0, 1), \quad x \mid z \sim N(g(z), \mathrm{noise}^2), \quad
        q(z) = N(\mu, \sigma^2)

    with g(z) = z, where q can close the gap, or g(z) = (z² + z)/2, where it can't. Integrals are
    taken on a grid of 2,401 points.

    Args:
        alt: what is to be seen.
        x: the datum, in [-3, 3].
        noise: standard deviation of x given z, at least 0.1: the grid resolves no less.
        mu: mean of q at the start, in [-3, 3].
        sigma: standard deviation of q at the start, in [0.05, 2].

    Raises:
        ValueError: for a value out of its range.
    """
    ranges = {"x": (x, -3, 3), "noise": (noise, 0.1, 3), "mu": (mu, -3, 3)}
    for name, (value, low, high) in (ranges | {"sigma": (sigma, 0.05, 2)}).items():
        if not low <= value <= high:
            raise ValueError(f"{name} must lie in [{low}, {high}], got {value}")
    config = {"x": x, "noise": noise, "mu": mu, "sigma": sigma, "start": [mu, sigma]}
    pictures = {"cloud": _bench(x, noise, mu, sigma)}
    bounds = [_ANY, (1e-3, math.inf)]  # the best q may lie beyond the dials
    return Live("vaebook-elbo-bench", config, {}, pictures, bounds, alt)


def draw_digit(
    model: Any,
    mu: Tensor,
    labels: Tensor,
    examples: Tensor,
    *,
    name: str,
    alt: str,
    names: Sequence[str] = "0123456789",
    dtype: Precision = "int8",
) -> Live:
    """An easel: what the reader draws is framed as MNIST's digits are, encoded, and redrawn.

    Args:
        model: a VAE with two latent dimensions and Bernoulli pixels, of 28 × 28 images.
        mu: codes of images for the background, [N, 2].
        labels: their classes, [N].
        examples: images to begin with, [E, 1, 28, 28].
        name: of the model on its page.
        alt: what is to be seen.
        names: of the classes.
        dtype: of the weights on the page.

    Raises:
        ValueError: for another model or examples of another size.
    """
    if model.latent_dim != 2 or not isinstance(model.likelihood, Bernoulli):
        raise ValueError(
            "model must have 2 latent dimensions and Bernoulli pixels, got "
            f"{model.latent_dim} and {type(model.likelihood).__name__}"
        )
    if examples.shape[1:] != (1, 28, 28) or not len(examples):
        raise ValueError(f"examples must be [E, 1, 28, 28], E > 0, got {list(examples.shape)}")
    extent = _extent(mu)
    config = {
        "encoder": f"{name}-encoder",
        "decoder": name,
        "extent": extent,
        "examples": [_bytes(image) for image in examples],
    }
    packed = {
        f"{name}-encoder": pack(model.encoder, [1, 28, 28], dtype),
        name: _decoder(model, dtype),
    }
    with torch.no_grad():
        decoded = model.decode(model.encode(examples[:1])[0])[0]
    pictures = {
        "cloud": _cloud(mu[:2000], labels[:2000], names, extent),
        "drawing": _picture(examples[0]),
        "decoded image": _picture(decoded),
    }
    return Live("vaebook-draw-digit", config, packed, pictures, 2 * [_ANY], alt)


class Twin(NamedTuple):
    """A decoder of heatmaps, and the axes in which it is walked: z = centre + axes @ u."""

    title: str
    model: Any
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
    """One cursor in two latent spaces of heatmaps, and how far each decoded image is from any.

    The validity is that of :func:`vaebook.validity.fit_heatmaps`, computed on the page.

    Args:
        pair: two decoders of 36 × 36 heatmaps with three latent dimensions.
        codes: of each, [N, 3], for the background.
        alt: what is to be seen.
        extent: each coordinate of u runs from -extent to extent.
        start: u at first.
        dtype: of the weights on the page.

    Raises:
        ValueError: when there are not two, or their dimensions are others.
    """
    if len(pair) != 2 or len(codes) != 2 or any(twin.model.latent_dim != 3 for twin in pair):
        raise ValueError("pair must be two models with three latent dimensions, with their codes")
    first = codes[0].new_tensor(start)
    config = {
        "twins": [
            {
                "model": twin.title,
                "title": twin.title,
                "centre": twin.centre.tolist(),
                "axes": twin.axes.tolist(),
            }
            for twin in pair
        ],
        "extent": extent,
        "start": list(start),
    }
    flat = [
        torch.linalg.solve(twin.axes, (z - twin.centre).T).T[:1000, :2]
        for twin, z in zip(pair, codes, strict=True)
    ]
    which = torch.arange(2).repeat_interleave(len(flat[0]))
    pictures = {"cloud": _cloud(torch.cat(flat), which, ["", ""], extent)}
    with torch.no_grad():
        for twin in pair:
            z = twin.centre + twin.axes @ first
            pictures[f"decoded by the {twin.title}"] = _picture(twin.model.decode(z[None])[0])
    packed = {twin.title: _decoder(twin.model, dtype) for twin in pair}
    return Live("vaebook-twins", config, packed, pictures, 3 * [(-extent, extent)], alt)


class BetaRun(NamedTuple):
    """A VAE that was trained with some beta, its codes [N, D], and its terms in nats an image."""

    beta: float
    model: Any
    mu: Tensor
    rate: float
    distortion: float


def beta_dial(
    runs: Sequence[BetaRun],
    labels: Tensor,
    images: Tensor,
    *,
    name: str,
    alt: str,
    names: Sequence[str] = "0123456789",
    dtype: Precision = "int8",
) -> Live:
    """Models that differ in beta only: cloud, rate, distortion and reconstruction move together.

    Args:
        runs: by rising beta.
        labels: classes of the codes, the same in each run, [N].
        images: to be encoded by each and decoded on the page, [E, 1, H, W].
        name: of the models on their page, to which their beta is added.
        alt: what is to be seen.
        names: of the classes.
        dtype: of the weights on the page.

    Raises:
        ValueError: for fewer than two runs, or betas that don't rise.
    """
    betas = [run.beta for run in runs]
    if len(runs) < 2 or betas != sorted(set(betas)):
        raise ValueError(f"runs must be two or more by rising beta, got {betas}")
    axes = [run.mu.var(0).topk(2).indices for run in runs]
    planes = [run.mu[:1500, pair] for run, pair in zip(runs, axes, strict=True)]
    extent = max(_extent(plane) for plane in planes)
    with torch.no_grad():
        codes = [run.model.encode(images)[0] for run in runs]
        decoded = runs[0].model.decode(codes[0][:1])[0]
    clouds = [_cloud(plane, labels[:1500], names, extent) for plane in planes]
    packed = {f"{name}-{run.beta:g}": _decoder(run.model, dtype) for run in runs}
    config = {
        "models": list(packed),
        "betas": betas,
        "rates": [run.rate for run in runs],
        "distortions": [run.distortion for run in runs],
        "active": [int((run.mu.var(0) > 0.01).sum()) for run in runs],
        "codes": [[[round(v, 4) for v in code] for code in group.tolist()] for group in codes],
        "axes": [pair.tolist() for pair in axes],
        "clouds": clouds,
        "originals": [_bytes(image) for image in images],
        "size": list(images.shape[2:]),
        "extent": extent,
        "start": [0.0, *codes[0][0, axes[0]].tolist()],
    }
    pictures = {
        "cloud": clouds[0],
        "image": _picture(images[0]),
        "decoded image": _picture(decoded),
    }
    bounds = [(0, len(runs) - 1), _ANY, _ANY]
    return Live("vaebook-beta-dial", config, packed, pictures, bounds, alt)
