"""A diffusion in the plane as a live figure: codes under noise, two fields, and a draw."""

__all__ = ["denoising"]

from collections.abc import Sequence

import torch
from torch import Tensor

from vaebook import _checks
from vaebook.latent.diffusion import Denoiser, NoisedMixture, sample_ode
from vaebook.live import pictures
from vaebook.live.figures import (
    _ANY,
    _DIGITS,
    _check_plane,
    _cloud,
    _codes,
    _decode,
    _plane,
    _rounded,
)
from vaebook.live.pack import Precision, pack, pack_decoder, seal
from vaebook.live.page import Live
from vaebook.models import VAE

_STEPS = 100  # of a way back, as on the page
_DRAWN = 500  # codes: among more, arrows that lie on each other can't be told apart


def denoising(
    model: VAE,
    denoiser: Denoiser,
    mixture: NoisedMixture,
    mu: Tensor,
    labels: Tensor | None = None,
    *,
    alt: str,
    names: Sequence[str] = _DIGITS,
    start: Sequence[float] = (0.3, 1.5, -1.0),
    seed: int = 0,
    dtype: Precision = "float16",
) -> Live:
    """Codes under noise, the fields of a mixture and of a denoiser, and a draw that falls.

    Args:
        model: a VAE with two latent dimensions, the prior N(0, I) and Bernoulli pixels.
        denoiser: of two dimensions, without classes.
        mixture: its exact field is drawn beside that of the denoiser; of diagonal components, and
            of the denoiser's process.
        mu: codes of images for the cloud, [N, 2].
        labels: their classes, [N], from 0 on; None where there are none.
        alt: what is to be seen, for those who cannot see it.
        names: of the classes; their numbers where there are none.
        start: the time, and where the way back begins at time 1.
        seed: of the page's random numbers, less than 2³².
        dtype: of the weights on the page.

    Raises:
        ValueError: for a model of another kind, denoiser or mixture, or a value out of its range.

    Example:
        >>> from vaebook.models import Bernoulli
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> networks = MLPEncoder(4), MLPDecoder(2)
        >>> model = VAE(*networks, 2, Bernoulli())
        >>> fields = Denoiser(2), NoisedMixture(torch.zeros(1, 2), torch.zeros(1, 2))
        >>> live = denoising(model, *fields, torch.randn(9, 2), alt="A draw that falls.")
        >>> live.config["process"]
        [9.0, -9.0]
    """
    _check_plane(model)
    _checks.instance(denoiser, "denoiser", Denoiser)
    _checks.instance(mixture, "mixture", NoisedMixture)
    if denoiser.latent_dim != 2 or denoiser.n_classes:
        raise ValueError(
            "denoiser must have 2 latent dimensions and no classes, got "
            f"{denoiser.latent_dim} and {denoiser.n_classes}"
        )
    if mixture.mu.shape[1] != 2 or mixture.axes is not None:
        raise ValueError("mixture must have 2 dimensions and no axes of its own")
    if mixture.process != denoiser.process:
        raise ValueError(
            f"mixture must be of the denoiser's process, got {mixture.process} and "
            f"{denoiser.process}"
        )
    _checks.count(seed, "seed", 0)
    if seed >= 2**32:
        raise ValueError(f"seed must be less than 2³², got {seed}")
    if not isinstance(start, Sequence) or len(start) != 3:
        raise ValueError(f"start must be a time and a place, got {start!r}")
    for value in start:
        _checks.number(value, "each entry of start")
    _checks.number(start[0], "the time of start", 0, 1)

    decoder, text = seal(pack_decoder(model, dtype))
    inputs = next(denoiser.layers.parameters()).shape[1]
    taught, weights = seal(pack(denoiser.layers, [inputs], dtype))
    mu, labels, names = _codes(model, mu, labels, names)
    extent = pictures.half_side(mu)
    drawn_codes = mu[:_DRAWN], None if labels is None else labels[:_DRAWN]

    config = {
        "model": decoder,
        "denoiser": taught,
        "mixture": {
            "means": _rounded(mixture.mu),
            "variances": _rounded(mixture.logvar.exp()),
            "weights": _rounded(mixture.weights[None])[0],
        },
        "process": [denoiser.process.first, denoiser.process.last],
        "start": [float(value) for value in start],
        "seed": seed,
        "plane": _plane(*drawn_codes, names, extent),
    }
    weight = _checks.first_weight(denoiser, torch.zeros(()))
    end = sample_ode(denoiser, torch.tensor([start[1:]]).to(weight), _STEPS)
    drawn = {
        "cloud": _cloud(*drawn_codes, names, extent),
        "decoded image": pictures.picture(_decode(model, end[0])),
    }
    bounds = [(0.0, 1.0), _ANY, _ANY]
    models = {decoder: text, taught: weights}
    return Live("vaebook-denoising", config, models, drawn, bounds, alt)
