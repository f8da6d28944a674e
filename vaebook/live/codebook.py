"""A codebook in the plane as a live figure: vectors to drag, their cells, and what they cost."""

__all__ = ["codebook"]

from collections.abc import Sequence

import torch
from torch import Tensor

from vaebook import _checks
from vaebook.live import pictures
from vaebook.live.figures import _ANY, _DIGITS, _check_plane, _cloud, _codes, _plane, _rounded
from vaebook.live.pack import Precision, pack_decoder, seal
from vaebook.live.page import Live
from vaebook.models import VAE

_MOST = 32  # vectors, each of which is decoded at every step


def codebook(
    model: VAE,
    vectors: Tensor,
    mu: Tensor,
    labels: Tensor | None = None,
    *,
    alt: str,
    names: Sequence[str] = _DIGITS,
    dtype: Precision = "float16",
) -> Live:
    """Vectors to drag over a cloud of codes, their Voronoi cells, and steps of k-means.

    Args:
        model: a VAE with two latent dimensions, the prior N(0, I) and Bernoulli pixels.
        vectors: of the codebook at the start, [K, 2], K from 2 to 32.
        mu: codes of images for the cloud, [N, 2].
        labels: their classes, [N], from 0 on; None where there are none.
        alt: what is to be seen, for those who cannot see it.
        names: of the classes; their numbers where there are none.
        dtype: of the weights on the page.

    Raises:
        ValueError: for a model of another kind, or vectors that don't fit or lie outside the
            plane.

    Example:
        >>> from vaebook.models import Bernoulli
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> model = VAE(MLPEncoder(4), MLPDecoder(2), 2, Bernoulli())
        >>> live = codebook(model, torch.eye(2), torch.randn(9, 2), alt="Two cells.")
        >>> live.config["vectors"]
        [[1.0, 0.0], [0.0, 1.0]]
    """
    _check_plane(model)
    _checks.points(vectors, "vectors", ("K", 2))
    if not 2 <= len(vectors) <= _MOST:
        raise ValueError(f"vectors must be 2 to {_MOST}, got {len(vectors)}")
    mu, labels, names = _codes(model, mu, labels, names)
    extent = pictures.half_side(mu)
    if (farthest := vectors.abs().max().item()) > extent:
        raise ValueError(f"vectors must lie within {extent:g}, the plane of mu, got {farthest:g}")
    decoder, text = seal(pack_decoder(model, dtype))
    rows = _rounded(vectors)
    config = {
        "model": decoder,
        "vectors": rows,
        "start": rows[0],
        "plane": _plane(mu, labels, names, extent),
    }
    with torch.no_grad():
        weight = _checks.first_weight(model, torch.zeros(()))
        decoded = model.decode(vectors.detach().to(weight))
    drawn = {
        "cloud": _cloud(mu, labels, names, extent),
        "images decoded at the vectors": pictures.grid(decoded[None]),
    }
    return Live("vaebook-codebook", config, {decoder: text}, drawn, [_ANY, _ANY], alt)
