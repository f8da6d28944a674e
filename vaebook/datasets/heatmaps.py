"""Heatmaps of bivariate normal and t densities, whose generating factors are known."""

__all__ = ["heatmap_images", "heatmaps", "t_heatmap_images", "t_heatmaps"]

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

from vaebook import _checks
from vaebook.datasets.images import ImageSet

Heavy = Literal["large", "small", "coin"]


def heatmap_images(
    var_x: Tensor, var_y: Tensor, corr: Tensor, size: int = 36, extent: float = 3.0
) -> Tensor:
    r"""Draw centred bivariate normal densities, each divided by its largest pixel.

    .. math:: h(u) \propto \exp(-\tfrac12 u^\top \Sigma^{-1} u), \quad
        \Sigma = \begin{pmatrix} s_1 & \rho\sqrt{s_1 s_2} \\ \rho\sqrt{s_1 s_2} & s_2
        \end{pmatrix}

    Args:
        var_x: variance from left to right, positive, [N], or one number [] or [1] for all.
        var_y: variance from top to bottom, positive, [N].
        corr: correlation, in (-1, 1), [N].
        size: pixels per side; an even size has no pixel at the mean.
        extent: the picture shows [-extent, extent] squared.

    Returns:
        Images in [0, 1], [N, 1, size, size], on the factors' device, and float32 as all images
        are; row 0 is y = -extent.

    Raises:
        ValueError: when a variance is not positive or a correlation not inside (-1, 1).

    Example:
        >>> image = heatmap_images(torch.ones(1), torch.ones(1), torch.zeros(1), size=3)
        >>> bool((image[0, 0, 1] == torch.exp(torch.tensor([-4.5, 0, -4.5]))).all())
        True
    """
    columns = _broadcast(var_x=var_x, var_y=var_y, corr=corr)
    precision = _precision(*columns)
    return _draw(precision, size, extent, corr.device, lambda squared, rows: -0.5 * squared)


def t_heatmap_images(
    var_x: Tensor,
    var_y: Tensor,
    corr: Tensor,
    df: Tensor,
    size: int = 36,
    extent: float = 3.0,
) -> Tensor:
    r"""Draw centred bivariate t densities, each divided by its largest pixel.

    .. math:: h(u) \propto (1 + u^\top \Sigma^{-1} u / \nu)^{-(\nu + 2)/2}

    :math:`\Sigma` is the scale matrix, not the covariance: that is infinite at
    :math:`\nu = 2` and :math:`\Sigma \nu/(\nu - 2)` above.

    Args:
        var_x: first diagonal element of the scale matrix, positive, [N].
        var_y: second diagonal element, positive, [N].
        corr: correlation, in (-1, 1), [N].
        df: degrees of freedom, positive, [N].
        size: pixels per side.
        extent: the picture shows [-extent, extent] squared.

    Returns:
        Images in [0, 1], float32 [N, 1, size, size], on the factors' device.

    Raises:
        ValueError: when a factor is out of range.

    Example:
        >>> one = torch.ones(1)
        >>> image = t_heatmap_images(one, one, 0 * one, 2 * one, size=3)
        >>> [round(pixel, 4) for pixel in image[0, 0, 1].tolist()]  # (1 + 9 / 2) ** -2
        [0.0331, 1.0, 0.0331]
    """
    *columns, nu = _broadcast(var_x=var_x, var_y=var_y, corr=corr, df=df)
    precision = _precision(*columns)
    _refuse_unless(nu > 0, "df must be positive", nu)
    nu = nu[:, None].float()

    def log_density(squared: Tensor, rows: slice) -> Tensor:
        return -0.5 * (nu[rows] + 2) * torch.log1p(squared / nu[rows])

    return _draw(precision, size, extent, corr.device, log_density)


def heatmaps() -> ImageSet:
    """Return the 11,875 heatmaps: 19 correlations × 25 × 25 variances, without labels.

    Correlations run from -0.95 to 0.85 in steps of 0.1, variances from 0.1 to 4.9 in steps of
    0.2. Factors: `var_x`, `var_y`, `corr`.

    Example:
        >>> heatmaps()
        ImageSet(title='Gaussian heatmaps', images=[11875, 1, 36, 36], \
factors=['var_x', 'var_y', 'corr'])
    """
    var_x, var_y, corr = _factor_grid()
    factors = {"var_x": var_x.float(), "var_y": var_y.float(), "corr": corr.float()}
    images = heatmap_images(var_x, var_y, corr)
    return ImageSet(images, factors=factors, title="Gaussian heatmaps")


def t_heatmaps(seed: int = 0, heavy: Heavy = "large") -> ImageSet:
    r"""Return the 11,875 bivariate t heatmaps with a fourth factor, the degrees of freedom.

    An image has heavy tails (df = 2, label 1) or light ones (df = 200, label 0), by the sum of
    its variances: the square of the sum, less a number drawn for that image, uniform on
    :math:`[0, 10]`, is more than 20 or not. The class is therefore random given the variances,
    but only where their sum lies between :math:`\sqrt{20}` and :math:`\sqrt{30}`.

    Args:
        seed: of the thresholds, or of the coin.
        heavy: the images with heavy tails: those whose sum is "large", or "small", or by a fair
            "coin", so that the variances say nothing of the class.

    Raises:
        ValueError: when the seed is not a whole number, 0 or more, or `heavy` none of the three.

    Example:
        >>> large, small = t_heatmaps(heavy="large"), t_heatmaps(heavy="small")
        >>> large.names, bool((large.labels + small.labels == 1).all())
        (('df = 200', 'df = 2'), True)
    """
    _checks.count(seed, "seed", 0)
    if heavy not in get_args(Heavy):
        raise ValueError(f"heavy must be one of {', '.join(get_args(Heavy))}, got {heavy!r}")
    var_x, var_y, corr = _factor_grid()
    generator = torch.Generator().manual_seed(seed)
    if heavy == "coin":
        is_heavy = torch.rand(len(corr), generator=generator) < 0.5
    else:
        drawn = 10 * torch.rand(len(corr), dtype=torch.float64, generator=generator)
        is_heavy = ((var_x + var_y) ** 2 - drawn > 20) == (heavy == "large")
    df = torch.where(is_heavy, 2.0, 200.0).double()
    factors = {"var_x": var_x.float(), "var_y": var_y.float(), "corr": corr.float()}
    return ImageSet(
        t_heatmap_images(var_x, var_y, corr, df),
        is_heavy.long(),
        factors | {"df": df.float()},
        names=("df = 200", "df = 2"),
        title="t heatmaps",
    )


def _broadcast(**factors: Tensor) -> list[Tensor]:
    """Return the factors as float64, each [N]."""
    for name, factor in factors.items():
        # A number for all is read as one of a column.
        alone = isinstance(factor, Tensor) and factor.ndim == 0
        _checks.floats(factor, name, () if alone else ("N",))
    _checks.same_device(**factors)
    try:
        columns = torch.broadcast_tensors(*map(_checks.double, factors.values()))
    except RuntimeError:
        shapes = [list(factor.shape) for factor in factors.values()]
        raise ValueError(
            f"{', '.join(factors)} must broadcast to one [N], got {', '.join(map(str, shapes))}"
        ) from None
    return [column.reshape(-1) for column in columns]


def _precision(var_x: Tensor, var_y: Tensor, corr: Tensor) -> Tensor:
    """Return the coefficients of x², xy and y² in the squared Mahalanobis distance, [N, 3]."""
    _refuse_unless(var_x > 0, "var_x must be positive", var_x)
    _refuse_unless(var_y > 0, "var_y must be positive", var_y)
    _refuse_unless(corr.abs() < 1, "corr must lie strictly between -1 and 1", corr)
    cross = -2 * corr / (var_x * var_y).sqrt()
    return torch.stack([1 / var_x, cross, 1 / var_y], dim=1) / (1 - corr**2)[:, None]


def _refuse_unless(good: Tensor, claim: str, column: Tensor) -> None:
    if not bool(good.all()):
        raise ValueError(f"{claim}, got {column[~good][0].item()}")


def _draw(
    precision: Tensor,
    size: int,
    extent: float,
    device: torch.device,
    log_density: Callable[[Tensor, slice], Tensor],
) -> Tensor:
    """Draw a density of the squared Mahalanobis distance in the given rows, [N, 1, size, size]."""
    _checks.count(size, "size", 2)
    _checks.number(extent, "extent", 0, open=True)
    axis = torch.linspace(-extent, extent, size, dtype=precision.dtype, device=precision.device)
    y, x = torch.cartesian_prod(axis, axis).T
    basis = torch.stack([x * x, x * y, y * y])
    images = precision.new_empty(len(precision), size * size, dtype=torch.float32)
    # A few dozen images at a time stay in the processor's cache: three times as fast as all.
    for start in range(0, len(precision), 64):
        rows = slice(start, start + 64)
        # float64 as far as this: at corr = -0.95 the terms cancel to a thousandth of their size.
        values = log_density((precision[rows] @ basis).float(), rows)
        peaks = values.amax(dim=1, keepdim=True)
        if not bool(peaks.isfinite().all()):
            i = start + int((~peaks.isfinite()).nonzero()[0, 0])
            raise ValueError(f"the factors and extent must be less extreme, got image {i} black")
        images[rows] = (values - peaks).exp()
    return images.reshape(-1, 1, size, size).to(device)


def _factor_grid() -> tuple[Tensor, Tensor, Tensor]:
    # Integers first: arange(-0.95, 0.95, 0.1) may or may not include its end.
    corr = torch.arange(-95, 95, 10, dtype=torch.float64) / 100
    variances = torch.arange(1, 50, 2, dtype=torch.float64) / 10
    grid = torch.cartesian_prod(corr, variances, variances)
    return grid[:, 1], grid[:, 2], grid[:, 0]
