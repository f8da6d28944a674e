"""Heatmaps of bivariate normal and t densities, whose generating factors are known."""

__all__ = ["heatmap_images", "heatmaps", "t_heatmap_images", "t_heatmaps"]

from collections.abc import Callable

import torch
from torch import Tensor

from vaebook.datasets.images import ImageSet


def heatmap_images(
    var_x: Tensor, var_y: Tensor, corr: Tensor, size: int = 36, extent: float = 3.0
) -> Tensor:
    r"""Draw centred bivariate normal densities, each divided by its largest pixel.

    .. math:: h(u) \propto \exp(-\tfrac12 u^\top \Sigma^{-1} u), \quad
        \Sigma = \begin{pmatrix} s_1 & \rho\sqrt{s_1 s_2} \\ \rho\sqrt{s_1 s_2} & s_2
        \end{pmatrix}

    Args:
        var_x: variance along the image's columns, > 0, [N] or broadcastable to it.
        var_y: variance along the image's rows, > 0, [N].
        corr: correlation, in (-1, 1), [N].
        size: pixels a side; an even size has no pixel at the mean.
        extent: the picture shows [-extent, extent] squared.

    Returns:
        Images in [0, 1], [N, 1, size, size]; row 0 is y = -extent.

    Raises:
        ValueError: when a variance is not positive or a correlation not inside (-1, 1).
    """
    var_x, var_y, corr = _broadcast(var_x=var_x, var_y=var_y, corr=corr)
    precision = _precision(var_x, var_y, corr)
    return _draw(precision, size, extent, lambda squared, rows: -0.5 * squared)


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
        var_x: first diagonal element of the scale matrix, > 0, [N].
        var_y: second diagonal element, > 0, [N].
        corr: correlation, in (-1, 1), [N].
        df: degrees of freedom, > 0, [N].
        size: pixels a side.
        extent: the picture shows [-extent, extent] squared.

    Returns:
        Images in [0, 1], [N, 1, size, size].

    Raises:
        ValueError: when a factor is out of range.
    """
    var_x, var_y, corr, nu = _broadcast(var_x=var_x, var_y=var_y, corr=corr, df=df)
    precision = _precision(var_x, var_y, corr)
    if not bool((nu > 0).all() and nu.isfinite().all()):
        raise ValueError(f"df must be positive and finite, got {_first_bad(nu, 0)}")
    nu = nu[:, None].float()

    def log_density(squared: Tensor, rows: slice) -> Tensor:
        return -0.5 * (nu[rows] + 2) * torch.log1p(squared / nu[rows])

    return _draw(precision, size, extent, log_density)


def heatmaps() -> ImageSet:
    """Return the 11,875 heatmaps: 19 correlations × 25 × 25 variances, without labels.

    Correlations run from -0.95 to 0.85 in steps of 0.1, variances from 0.1 to 4.9 in steps of
    0.2. Factors: `var_x`, `var_y`, `corr`.
    """
    var_x, var_y, corr = _factor_grid()
    factors = {"var_x": var_x.float(), "var_y": var_y.float(), "corr": corr.float()}
    images = heatmap_images(var_x, var_y, corr)
    return ImageSet(images, factors=factors, title="Gaussian heatmaps")


def t_heatmaps(seed: int = 0, independent: bool = False) -> ImageSet:
    r"""Return the 11,875 bivariate t heatmaps with a fourth factor, the degrees of freedom.

    An image has heavy tails (df = 2, label 1) when its variances add up to more than a threshold
    drawn for that image, uniform on :math:`[\sqrt{20}, \sqrt{30}]`, else df = 200 (label 0). The
    class is therefore random given the variances, but only where their sum lies in that range.

    Args:
        seed: of the thresholds, or of the coin.
        independent: a fair coin decides instead, so that the variances say nothing of the class.
    """
    var_x, var_y, corr = _factor_grid()
    generator = torch.Generator().manual_seed(seed)
    low, high = 20**0.5, 30**0.5
    threshold = low + (high - low) * torch.rand(
        len(corr), dtype=torch.float64, generator=generator
    )
    heavy = var_x + var_y > threshold
    if independent:
        heavy = torch.rand(len(corr), generator=generator) < 0.5
    df = torch.where(heavy, 2.0, 200.0).double()
    factors = {"var_x": var_x.float(), "var_y": var_y.float(), "corr": corr.float()}
    return ImageSet(
        t_heatmap_images(var_x, var_y, corr, df),
        heavy.long(),
        factors | {"df": df.float()},
        names=("df = 200", "df = 2"),
        title="t heatmaps",
    )


def _broadcast(**factors: Tensor) -> list[Tensor]:
    """Return the factors as float64, each [N]."""
    columns = [torch.as_tensor(factor, dtype=torch.float64) for factor in factors.values()]
    try:
        return [column.reshape(-1) for column in torch.broadcast_tensors(*columns)]
    except RuntimeError:
        shapes = [list(column.shape) for column in columns]
        raise ValueError(
            f"{', '.join(factors)} must broadcast to one [N], got {', '.join(map(str, shapes))}"
        ) from None


def _precision(var_x: Tensor, var_y: Tensor, corr: Tensor) -> Tensor:
    """Return the coefficients of x², xy and y² in the squared Mahalanobis distance, [N, 3]."""
    for name, column in {"var_x": var_x, "var_y": var_y}.items():
        if not bool((column > 0).all() and column.isfinite().all()):
            raise ValueError(f"{name} must be positive and finite, got {_first_bad(column, 0)}")
    if not bool((corr.abs() < 1).all()):
        bad = corr[~(corr.abs() < 1)][0].item()
        raise ValueError(f"corr must lie strictly between -1 and 1, got {bad}")
    cross = -2 * corr / (var_x * var_y).sqrt()
    return torch.stack([1 / var_x, cross, 1 / var_y], dim=1) / (1 - corr**2)[:, None]


def _first_bad(column: Tensor, floor: float) -> float:
    return column[~((column > floor) & column.isfinite())][0].item()


def _draw(
    precision: Tensor, size: int, extent: float, log_density: Callable[[Tensor, slice], Tensor]
) -> Tensor:
    """Draw a density of the squared Mahalanobis distance in the given rows, [N, 1, size, size]."""
    if size < 2:
        raise ValueError(f"size must be at least 2 pixels, got {size}")
    if not extent > 0:
        raise ValueError(f"extent must be positive, got {extent}")
    axis = torch.linspace(-extent, extent, size, dtype=torch.float64)
    y, x = torch.cartesian_prod(axis, axis).T
    basis = torch.stack([x * x, x * y, y * y])
    images = torch.empty(len(precision), size * size)
    # A few dozen images at a time stay in the processor's cache: three times as fast as all.
    for start in range(0, len(precision), 64):
        rows = slice(start, start + 64)
        # float64 as far as this: at corr = -0.95 the terms cancel to a thousandth of their size.
        values = log_density((precision[rows] @ basis).float(), rows)
        images[rows] = (values - values.amax(dim=1, keepdim=True)).exp()
    return images.reshape(-1, 1, size, size)


def _factor_grid() -> tuple[Tensor, Tensor, Tensor]:
    # Integers first: arange(-0.95, 0.95, 0.1) may or may not include its end.
    corr = torch.arange(-95, 95, 10, dtype=torch.float64) / 100
    variances = torch.arange(1, 50, 2, dtype=torch.float64) / 10
    grid = torch.cartesian_prod(corr, variances, variances)
    return grid[:, 1], grid[:, 2], grid[:, 0]
