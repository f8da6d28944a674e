r"""Two templates drawn from geometry, a donut and a stick, and how much an image is like either.

The score pulls an image's code to one corner or the other, see
:func:`vaebook.objectives.anchored`.
"""

__all__ = ["donut", "donutness", "stick"]

import math

import torch
from torch import Tensor

from vaebook import _checks


def donut(size: int = 28, radius: float = 6.5, width: float = 1.5) -> Tensor:
    r"""Draw a ring around the centre, [size, size], grey values in [0, 1].

    .. math:: t = \exp\left(-\frac{(\sqrt{x^2 + y^2} - R)^2}{2 w^2}\right)

    Args:
        size: pixels per side.
        radius: R, of the ring's middle line, in pixels.
        width: w, in pixels, at least 0.1.

    Raises:
        ValueError: when a length isn't positive or the ring leaves the frame.

    Example:
        >>> [round(x, 3) for x in donut()[14, 14::3].tolist()]  # outwards from the centre
        [0.001, 0.142, 1.0, 0.133, 0.0]
    """
    _check(size, "radius", radius, width)
    x, y = _axes(size)
    return torch.exp(-((torch.hypot(x, y) - radius) ** 2) / (2 * width**2))


def stick(
    size: int = 28, half_length: float = 8.0, width: float = 1.5, angle: float = 15.0
) -> Tensor:
    r"""Draw a stick through the centre, [size, size], grey values in [0, 1].

    .. math:: t = \exp\left(-\frac{d^2}{2 w^2}\right)

    with d the distance from the segment of the given half-length.

    Args:
        size: pixels per side.
        half_length: from the centre to an end, in pixels.
        width: w, in pixels, at least 0.1.
        angle: from the vertical, clockwise, in degrees: as people write.

    Raises:
        ValueError: when a length isn't positive or the stick leaves the frame.

    Example:
        >>> upright = stick(size=5, half_length=2.0, width=1.0, angle=0.0)
        >>> upright[0]
        tensor([0.1353, 0.6065, 1.0000, 0.6065, 0.1353])
        >>> bool((upright == upright[0]).all())
        True
    """
    _check(size, "half_length", half_length, width)
    _checks.number(angle, "angle")
    x, y = _axes(size)
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    # Rows count downwards: the upper end leans to the right.
    along = (x * sine - y * cosine).clamp(-half_length, half_length)
    distance = torch.hypot(x - along * sine, y + along * cosine)
    return torch.exp(-(distance**2) / (2 * width**2))


def donutness(images: Tensor, donut: Tensor, stick: Tensor) -> Tensor:
    r"""Return how much more an image is like the donut than like the stick, [N], in [-1, 1].

    .. math:: c(x) = \frac{\langle x, t_\circ \rangle}{\|x\| \|t_\circ\|}
        - \frac{\langle x, t_| \rangle}{\|x\| \|t_|\|}

    Args:
        images: non-negative, grey, [N, 1, H, W]; a black one has score 0.
        donut: :math:`t_\circ \ge 0`, [H, W]; taken to the device and dtype of the images.
        stick: :math:`t_| \ge 0`, [H, W].

    Raises:
        ValueError: for images in colour, negative pixels, templates of another size or black.

    Example:
        >>> ring, bar = donut(), stick()
        >>> round(donutness(torch.stack([ring, bar])[:, None], ring, bar)[0].item(), 2)
        0.61
    """
    _checks.points(images, "images", ("N", 1, "H", "W"))
    directions = []
    for name, template in {"donut": donut, "stick": stick}.items():
        _checks.floats(template, name, images.shape[2:])
        template = template.to(images)
        norm = template.norm()
        if bool((template < 0).any()) or not bool(norm > 0):
            raise ValueError(f"{name} must be non-negative and not all black")
        directions.append(template / norm)
    if bool((images < 0).any()):
        i = int((images < 0).flatten(1).any(1).nonzero()[0])
        raise ValueError(f"images must be non-negative, but image {i} is not")
    flat = images.flatten(1)
    norm = torch.linalg.vector_norm(flat, dim=1)
    # A tiny floor instead of 0 / 0; no image of grey values in steps of 1/255 is below it.
    return flat @ (directions[0] - directions[1]).flatten() / norm.clamp_min(1e-6)


def _axes(size: int) -> tuple[Tensor, Tensor]:
    axis = torch.arange(size) - (size - 1) / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return x, y


def _check(size: int, name: str, reach: float, width: float) -> None:
    _checks.count(size, "size", 2)
    _checks.number(width, "width", 0.1, 1e6)
    _checks.number(reach, name, 0, open=True)
    if reach > (size - 1) / 2:
        raise ValueError(
            f"{name} must be at most {(size - 1) / 2:g} in {size} pixels, got {reach}"
        )
