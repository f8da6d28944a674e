"""Image sets: computed heatmaps, scikit-learn's digits in MNIST's frame, MNIST, Fashion-MNIST."""

__all__ = [
    "DatasetUnavailable",
    "ImageSet",
    "binarize",
    "digits",
    "fashion_mnist",
    "heatmap_images",
    "heatmaps",
    "mnist",
    "t_heatmap_images",
    "t_heatmaps",
]

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor


class DatasetUnavailable(RuntimeError):
    """A data set is neither on this machine nor downloadable from here."""


@dataclass(frozen=True)
class ImageSet:
    """Images with what is known about them.

    Args:
        images: float32 in [0, 1], [N, 1, H, W].
        labels: class of each image, int64 [N], or None where there are no classes.
        factors: generating factors by name, each [N].
        names: name of each class, in the order of the labels.
        title: name of the set, as a figure or a card would print it.
    """

    images: Tensor
    labels: Tensor | None = None
    factors: Mapping[str, Tensor] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    title: str = "images"

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.shape[1] != 1:
            raise ValueError(f"images must be [N, 1, H, W], got {list(self.images.shape)}")
        columns = dict(self.factors) | ({} if self.labels is None else {"labels": self.labels})
        for name, column in columns.items():
            if column.shape != (len(self),):
                raise ValueError(f"{name} must be [{len(self)}], got {list(column.shape)}")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Tensor | slice) -> "ImageSet":
        """Return the subset of an index tensor, a boolean mask or a slice."""
        if not isinstance(index, slice) and index.ndim == 0:
            raise ValueError(f"an ImageSet takes a slice or a 1-d tensor, got {index}")
        return ImageSet(
            self.images[index],
            None if self.labels is None else self.labels[index],
            {name: column[index] for name, column in self.factors.items()},
            self.names,
            self.title,
        )

    def split(self, fraction: float, seed: int) -> tuple["ImageSet", "ImageSet"]:
        """Return a random part with the given fraction of the images, and the rest.

        Raises:
            ValueError: when `fraction` is not in (0, 1) or one part would be empty.
        """
        size = round(fraction * len(self)) if 0 < fraction < 1 else 0
        if not 0 < size < len(self):
            raise ValueError(
                f"fraction must lie in (0, 1) and leave both parts non-empty: "
                f"got {fraction} of {len(self)} images"
            )
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return self[order[:size]], self[order[size:]]

    @property
    def checksum(self) -> str:
        """SHA-256 of the images as 8-bit grey values, the same on every machine."""
        pixels = (self.images * 255).round().to(torch.uint8).contiguous()
        return hashlib.sha256(pixels.numpy().tobytes()).hexdigest()


def binarize(images: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw each pixel from Bernoulli(grey value): the dynamic binarisation of the literature.

    Source: Salakhutdinov and Murray, On the quantitative analysis of deep belief networks (2008).
    """
    return torch.bernoulli(images, generator=generator)


# ---------------------------------------------------------------------------------------------
# Heatmaps


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


def _factor_grid() -> tuple[Tensor, Tensor, Tensor]:
    # Integers first: arange(-0.95, 0.95, 0.1) may or may not include its end.
    corr = torch.arange(-95, 95, 10, dtype=torch.float64) / 100
    variances = torch.arange(1, 50, 2, dtype=torch.float64) / 10
    grid = torch.cartesian_prod(corr, variances, variances)
    return grid[:, 1], grid[:, 2], grid[:, 0]


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


# ---------------------------------------------------------------------------------------------
# Digits of scikit-learn, framed as MNIST frames its own


def digits() -> ImageSet:
    """Return scikit-learn's 1,797 handwritten digits in MNIST's frame, [1797, 1, 28, 28].

    The 8 × 8 originals are enlarged to 20 × 20 by cubic splines, sharpened until strokes are
    about as black as MNIST's, and centred by mass in a 28 × 28 frame. They stand in for MNIST
    where it can't be had.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI (1998).
    """
    from scipy import ndimage
    from sklearn.datasets import load_digits

    bunch = load_digits()
    frames = np.zeros((len(bunch.images), 28, 28))
    large = ndimage.zoom(
        bunch.images / 16.0, (1, 2.5, 2.5), order=3, grid_mode=True, mode="grid-constant"
    )
    # Strokes of 8 × 8 pixels come out blurred; a steep contrast curve gives them edges again.
    frames[:, 4:24, 4:24] = 1 / (1 + np.exp(-12 * (large.clip(0, 1) - 0.45)))
    frames -= 1 / (1 + np.exp(12 * 0.45))
    frames = frames.clip(0, 1) / frames.max(axis=(1, 2), keepdims=True)
    for i, frame in enumerate(frames):
        shift = 13.5 - np.array(ndimage.center_of_mass(frame))
        frames[i] = ndimage.shift(frame, np.rint(shift), order=0)
    images = torch.tensor(frames, dtype=torch.float32)[:, None]
    labels = torch.tensor(bunch.target, dtype=torch.int64)
    return ImageSet(images, labels, names=_DIGITS, title="UCI digits")


# ---------------------------------------------------------------------------------------------
# MNIST and Fashion-MNIST through torchvision

_DIGITS = tuple("0123456789")
_CLOTHES = (
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# MD5 of the unpacked files as published.
_MD5 = {
    "MNIST": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "FashionMNIST": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
}


def mnist(train: bool = True) -> ImageSet:
    """Return MNIST's 60,000 training or 10,000 test digits.

    Looked for in the folder that `VAEBOOK_DATA` names, then in the cache `~/.cache/vaebook`,
    then downloaded into that cache by torchvision.

    Raises:
        DatasetUnavailable: when none of the three has it.
        ValueError: when a file is truncated or altered.
    """
    return _torchvision_set("MNIST", train, _DIGITS, "MNIST")


def fashion_mnist(train: bool = True) -> ImageSet:
    """Return Fashion-MNIST's 60,000 training or 10,000 test pictures of clothes.

    Looked for as :func:`mnist` does.

    Raises:
        DatasetUnavailable: when it is neither here nor downloadable.
        ValueError: when a file is truncated or altered.
    """
    return _torchvision_set("FashionMNIST", train, _CLOTHES, "Fashion-MNIST")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vaebook"


def _torchvision_set(kind: str, train: bool, names: tuple[str, ...], title: str) -> ImageSet:
    roots = [Path(os.environ["VAEBOOK_DATA"])] if os.environ.get("VAEBOOK_DATA") else []
    roots.append(_cache())
    prefix = "train" if train else "t10k"
    checksums = {name: md5 for name, md5 in _MD5[kind].items() if name.startswith(prefix)}
    # A download that failed leaves an empty folder behind: only a file counts.
    found = (r for r in roots if any((r / kind / "raw" / name).is_file() for name in checksums))
    root = next(found, None)
    dataset_class = getattr(_import_torchvision_datasets(), kind)
    if root is None:
        root = _cache()
        try:
            dataset_class(str(root), train=train, download=True)
        except (OSError, RuntimeError) as error:
            reason = str(error).splitlines()[0].rstrip(":")
            raise DatasetUnavailable(
                f"{title} is in none of {', '.join(str(r) for r in roots)} and its download "
                f"failed ({reason}). Either connect to the internet and call again, or set "
                f"VAEBOOK_DATA to a folder that holds {kind}/raw with the four unpacked IDX files."
            ) from error
    _verify(root / kind / "raw", checksums)
    dataset = dataset_class(str(root), train=train, download=False)
    return ImageSet(
        dataset.data[:, None].to(torch.float32).div_(255),
        dataset.targets,
        names=names,
        title=title,
    )


def _verify(folder: Path, checksums: Mapping[str, str]) -> None:
    for name, expected in checksums.items():
        path = folder / name
        if not path.is_file():
            raise DatasetUnavailable(
                f"{path} is missing. Put the unpacked file there, or delete {folder} so that "
                f"the next call downloads the set."
            )
        found = hashlib.md5(path.read_bytes()).hexdigest()
        if found != expected:
            raise ValueError(
                f"{path} is truncated or altered: expected MD5 {expected}, found {found}. "
                f"Delete {folder} so that the next call downloads the set."
            )


def _import_torchvision_datasets() -> ModuleType:
    """Import torchvision where torch is a CPU build.

    The registry's Linux wheel of torchvision carries operators built for CUDA. With a CPU build
    of torch they can't be loaded and the import fails where it registers their meta kernels.
    Declaring the operators makes the import work; nothing of the book calls them.
    """
    if torch.version.cuda is None:
        try:
            for name in ("nms", "qnms"):
                torch.library.define(
                    f"torchvision::{name}",
                    "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
                )
        except RuntimeError:
            pass  # declared already: by torchvision itself, or by an earlier call
    from torchvision import datasets

    return datasets
