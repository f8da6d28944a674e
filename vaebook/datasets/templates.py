r"""Two templates drawn from geometry, a donut and a stick, and how much an image is like either.

The score pulls an image's code to one corner or the other, see
:func:`vaebook.objectives.anchored`.
"""

__all__ = ["donut", "donutness", "stick"]

import math

import torch
from torch import Tensor


def donut(size: int = 28, radius: float = 6.5, width: float = 1.5) -> Tensor:
    r"""Draw a ring around the centre, [size, size], grey values in [0, 1].

    .. math:: t = \exp\left(-\frac{(\sqrt{x^2 + y^2} - R)^2}{2 w^2}\right)

    Args:
        size: pixels a side.
        radius: R, of the ring's middle line, in pixels.
        width: w, in pixels.

    Raises:
        ValueError: when a length isn't positive or the ring leaves the frame.
    """
    _check(size, radius, width)
    x, y = _axes(size)
    return torch.exp(-((torch.hypot(x, y) - radius) ** 2) / (2 * width**2))


def stick(
    size: int = 28, half_length: float = 8.0, width: float = 1.5, angle: float = 15.0
) -> Tensor:
    r"""Draw a stick through the centre, [size, size], grey values in [0, 1].

    .. math:: t = \exp\left(-\frac{d^2}{2 w^2}\right)

    with d the distance from the segment of the given half-length.

    Args:
        size: pixels a side.
        half_length: from the centre to an end, in pixels.
        width: w, in pixels.
        angle: from the vertical, clockwise, in degrees: as people write.

    Raises:
        ValueError: when a length isn't positive or the stick leaves the frame.
    """
    _check(size, half_length, width)
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
        images: non-negative, [N, 1, H, W]; a black one has score 0.
        donut: :math:`t_\circ \ge 0`, [H, W].
        stick: :math:`t_| \ge 0`, [H, W].

    Raises:
        ValueError: for templates of another size, or a negative or black one.
    """
    for name, template in (("donut", donut), ("stick", stick)):
        if template.shape != images.shape[2:]:
            raise ValueError(
                f"{name} must be {list(images.shape[2:])} as the images, "
                f"got {list(template.shape)}"
            )
        if not bool((template >= 0).all() and (template > 0).any()):
            raise ValueError(f"{name} must be non-negative and not all black")
    direction = donut / donut.norm() - stick / stick.norm()
    flat = images.flatten(1)
    norm = torch.linalg.vector_norm(flat, dim=1)
    # A tiny floor instead of 0 / 0; no image of grey values in steps of 1/255 is below it.
    return flat @ direction.flatten().to(flat.dtype) / norm.clamp_min(1e-6)


def _axes(size: int) -> tuple[Tensor, Tensor]:
    axis = torch.arange(size) - (size - 1) / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return x, y


def _check(size: int, reach: float, width: float) -> None:
    if not (reach > 0 and width > 0):
        raise ValueError(f"lengths must be positive, got {reach} and {width} pixels")
    if reach > (size - 1) / 2:
        raise ValueError(f"a template of {size} pixels can't reach {reach} from its centre")
