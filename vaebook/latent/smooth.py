r"""Smooth paths under a decoder, for geodesics to begin from.

:func:`~vaebook.latent.geometry.geodesic` finds the shortest path near the one that it begins with,
and near a straight line that may be a poor one. A path of a few waves is too smooth to follow
small bumps, and is a better beginning.
"""

__all__ = ["smooth_paths"]

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from vaebook import _checks
from vaebook._checks import double
from vaebook.latent.geometry import _JACOBIANS, _check_map, _energy, _images, _jacobian

# Points at which a path is looked at, and how far its middle is bent to begin with, as shares of
# the straight line.
_POINTS, _BOWS = 16, (-0.5, -0.25, 0.25, 0.5)
# Waves that bend it further, and steps to find their heights.
_WAVES, _STEPS = 2, 4


@torch.no_grad()
def smooth_paths(
    decode: Callable[[Tensor], Tensor], start: Tensor, end: Tensor, n_points: int = 32
) -> Tensor:
    r"""Find paths of little energy among those with a few waves.

    Of the straight line and bows to either side of it, in :math:`D - 1` directions at right angles
    to it and to each other, the one of least energy :math:`\sum_t \|g(z_{t+1}) - g(z_t)\|^2` is
    taken, and bent by

    .. math:: \sum_{k=1}^{2} w_k \sin(k \pi t), \qquad 0 \le t \le 1,

    with the heights :math:`w_k` of a few damped Gauss–Newton steps. Energies are those of
    16 points; what a decoder does between two of them is not seen. Hand the paths to
    :func:`~vaebook.latent.geometry.geodesic` as `initial`: it finds shorter ones from there more
    often than from straight lines, where the decoder is rough.

    Args:
        decode: codes [N, D] to images [N, ...], as the functions of
            :mod:`~vaebook.latent.geometry` want it.
        start: where the paths begin [B, D].
        end: where they end [B, D].
        n_points: points of a path, at least 3.

    Returns:
        Paths [B, n_points, D].

    Raises:
        ValueError: when shapes, dtypes or devices differ, a code is not finite, n_points is less
            than 3, or decode doesn't give each code an image of its own, the same each time.

    Source:
        The Riemannian Geometry of Deep Generative Models (Shao, Kumar and Fletcher, 2018), for
        the energy | https://arxiv.org/abs/1711.08014; Latent Space Oddity: on the Curvature of
        Deep Generative Models (Arvanitidis, Hansen and Hauberg, 2018), for paths of few numbers |
        https://arxiv.org/abs/1710.11379

    Example:
        >>> from vaebook.latent import geometry
        >>> def hill(z):  # steep enough that the way round is shorter
        ...     return torch.cat([z, 3 * (-z.square().sum(1, keepdim=True)).exp()], 1)
        >>> start, end = torch.tensor([[-2.0, 0.0]]), torch.tensor([[2.0, 0.0]])
        >>> geometry.geodesic(hill, start, end).lengths  # straight over the top
        tensor([7.3662])
        >>> paths = smooth_paths(hill, start, end)
        >>> geometry.geodesic(hill, start, end, initial=paths).lengths
        tensor([4.9909])
    """
    _checks.points(start, "start", ("B", "D"))
    _checks.points(end, "end", start.shape)
    _checks.alike(start=start, end=end)
    _checks.count(n_points, "n_points", least=3)
    pixels = _check_map(decode, start, "start")

    size = _WAVES * start.shape[1] * _POINTS * pixels * start.element_size()
    both = torch.stack([start, end], 1).split(max(1, _JACOBIANS // size))
    coarse = torch.cat([_bent(decode, _bowed(decode, *ends.unbind(1))) for ends in both])
    paths = interpolate(coarse.mT, n_points, mode="linear", align_corners=True).mT.contiguous()
    paths[:, 0], paths[:, -1] = start, end

    return paths


def _bowed(decode: Callable[[Tensor], Tensor], start: Tensor, end: Tensor) -> Tensor:
    """The line or bow [B, _POINTS, D] of least energy from start to end [B, D]."""
    across = end - start
    t = torch.linspace(0, 1, _POINTS).to(start)[:, None]
    best = torch.lerp(start[:, None], end[:, None], t)
    least = _energy(_film(decode, best))
    line = best

    directions = torch.eye(start.shape[1]).to(start).expand(len(start), -1, -1)
    basis = torch.linalg.qr(torch.cat([across[:, :, None], directions], 2))[0]
    for direction in basis.unbind(2)[1:]:
        for height in _BOWS:
            bow = height * across.norm(dim=1, keepdim=True) * direction
            tried = line + (math.pi * t).sin() * bow[:, None]
            energy = _energy(_film(decode, tried))
            lower = (energy < least).to(best.device)
            best = torch.where(lower[:, None, None], tried, best)
            least = torch.minimum(energy, least)

    return best


def _bent(decode: Callable[[Tensor], Tensor], paths: Tensor) -> Tensor:
    """Paths [B, _POINTS, D] with the waves added that lower their energy most."""
    b, _, d = paths.shape
    inner = torch.linspace(0, 1, _POINTS)[1:-1, None]
    waves = (math.pi * torch.arange(1, _WAVES + 1) * inner).sin().to(paths)
    paths, images = paths.clone(), _film(decode, paths)
    least = _energy(images)
    damping = torch.full_like(least, 1e-3)
    identity = torch.eye(_WAVES * d).to(least)

    for _ in range(_STEPS):
        jacobian = _jacobian(decode, paths[:, 1:-1].flatten(0, 1)).unflatten(1, (b, -1))
        moved = torch.einsum("tk,dbtp->bkdtp", waves, jacobian).flatten(1, 2)
        # What a height changes in the chords: nothing at the ends, which stay.
        chords = torch.nn.functional.pad(moved, (0, 0, 1, 1)).diff(dim=2).flatten(2)
        hessian = double(chords @ chords.mT)
        slope = double(chords @ images.diff(dim=1).flatten(1)[:, :, None])
        scale = hessian.diagonal(dim1=1, dim2=2).mean(1)
        mu = (damping * scale).clamp_min(1e-300)[:, None, None]
        heights = torch.linalg.solve(hessian + mu * identity, -slope).nan_to_num(0, 0, 0)

        trial = paths.clone()
        trial[:, 1:-1] += torch.einsum("tk,bkd->btd", waves, heights.to(paths).view(b, -1, d))
        seen = _film(decode, trial)
        reached = _energy(seen)
        lower = reached < least
        paths[lower], images[lower], least[lower] = trial[lower], seen[lower], reached[lower]
        damping = damping * torch.where(lower, 0.2, 4.0).to(damping)

    return paths


def _film(decode: Callable[[Tensor], Tensor], paths: Tensor) -> Tensor:
    """Images [B, n, P] of paths [B, n, D]."""
    return _images(decode, paths.flatten(0, 1)).unflatten(0, paths.shape[:2])
