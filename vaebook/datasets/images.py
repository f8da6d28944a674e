"""Images with what is known about them, in memory, and the noise that training adds to them."""

__all__ = ["ImageSet", "add_noise", "binarize"]

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import overload

import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset

from vaebook import _checks


@dataclass(frozen=True, eq=False, repr=False)
class ImageSet(Dataset[Tensor | tuple[Tensor, Tensor]]):
    """Images with what is known about them: a torch `Dataset` and a value that can be sliced.

    An int gives one image [C, H, W], as a pair with its label where there are labels, so that a
    `DataLoader` can collate it. A slice, a list of ints, an integer tensor or a mask gives the
    ImageSet of those images. What is held is checked once; a subset is not checked again.

    Args:
        images: float32, [N, C, H, W] with C of 1 or 3.
        labels: class of each image from 0 up, int64 [N], or None where there are no classes.
        factors: generating factors by name, each [N].
        names: name of each class, in the order of the labels.
        title: name of the set, as a figure or a card would print it.
        in_unit_range: whether the pixels are grey values in [0, 1], as a Bernoulli likelihood
            needs them. Standardised pixels must be declared with False.

    Raises:
        ValueError: when a tensor has another type or shape, or a value that it can't have; the
            first bad image is named.

    Example:
        >>> images = ImageSet(torch.rand(5, 1, 28, 28), torch.tensor([0, 1, 0, 1, 1]))
        >>> images[images.labels == 1]
        ImageSet(title='images', images=[3, 1, 28, 28], labels=[3])
        >>> image, label = images[0]
        >>> list(image.shape), int(label)
        ([1, 28, 28], 0)
        >>> ImageSet(torch.full((5, 1, 28, 28), 255.0))
        Traceback (most recent call last):
        ...
        ValueError: images must be grey values in [0, 1], but image 0 has a pixel of 255.0: \
divide by their largest possible value, or say in_unit_range=False if they are standardised
    """

    images: Tensor
    labels: Tensor | None = None
    factors: Mapping[str, Tensor] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    title: str = "images"
    in_unit_range: bool = True

    def __post_init__(self) -> None:
        low, high = _pixel_range(self.images)
        if self.in_unit_range and not (low >= 0 and high <= 1):
            i, pixel = _first_bad(self.images, (self.images >= 0) & (self.images <= 1))
            raise ValueError(
                f"images must be grey values in [0, 1], but image {i} has a pixel of {pixel}: "
                f"divide by their largest possible value, or say in_unit_range=False if they are "
                f"standardised"
            )
        texts = isinstance(self.names, tuple) and all(isinstance(n, str) for n in self.names)
        if not texts or (self.names and self.labels is None):
            raise ValueError(
                f"names must be a tuple of texts, and beside labels, got {self.names!r}"
            )
        if self.labels is not None:
            self._check_labels(self.labels)
        if not isinstance(self.factors, Mapping):
            raise ValueError(f"factors must be a mapping, got {type(self.factors).__name__}")
        for name, column in self.factors.items():
            self._check_factor(f"factors[{name!r}]", column)

    def _check_labels(self, labels: Tensor) -> None:
        _checks.integers(labels, "labels", (len(self),))
        if labels.dtype != torch.int64:
            raise ValueError(f"labels must be int64, got {labels.dtype}")
        _checks.same_device(images=self.images, labels=labels)
        n_names = len(self.names) or None
        bad = labels < 0 if n_names is None else (labels < 0) | (labels >= n_names)
        if bool(bad.any()):
            i = int(bad.nonzero()[0])
            wanted = "0 or more" if n_names is None else f"0 to {n_names - 1}, as there are names"
            raise ValueError(f"labels must be {wanted}, but image {i} has {int(labels[i])}")

    def _check_factor(self, name: str, column: Tensor) -> None:
        if isinstance(column, Tensor) and not column.is_floating_point():
            _checks.integers(column, name, (len(self),))
        else:
            _checks.floats(column, name, (len(self),))
        _checks.same_device(images=self.images, **{name: column})

    def __repr__(self) -> str:
        parts = [f"title={self.title!r}", f"images={list(self.images.shape)}"]
        if self.labels is not None:
            parts.append(f"labels={list(self.labels.shape)}")
        if self.factors:
            parts.append(f"factors={list(self.factors)}")
        return f"ImageSet({', '.join(parts)})"

    def __len__(self) -> int:
        return len(self.images)

    @overload
    def __getitem__(self, index: int) -> Tensor | tuple[Tensor, Tensor]: ...

    @overload
    def __getitem__(self, index: slice | Tensor | Sequence[int]) -> "ImageSet": ...

    def __getitem__(
        self, index: int | slice | Tensor | Sequence[int]
    ) -> "Tensor | tuple[Tensor, Tensor] | ImageSet":
        """Return one image, with its label where there are labels, or the set of several.

        Raises:
            IndexError: when an index is out of range.
            ValueError: when it is no index.
        """
        rows = index if isinstance(index, slice) else self._rows(index)
        images = self.images[rows]
        labels = None if self.labels is None else self.labels[rows]
        if isinstance(rows, int):
            return images if labels is None else (images, labels)
        factors = {name: column[rows] for name, column in self.factors.items()}
        return self._with(images=images, labels=labels, factors=factors)

    def _rows(self, index: object) -> int | Tensor:
        """Return an index that torch reads as it was meant: an int, int64 [n] or bool [N]."""
        if isinstance(index, Integral) and not isinstance(index, bool):
            return int(index)
        try:
            rows = torch.as_tensor(index)
        except (TypeError, ValueError, RuntimeError):
            rows = torch.tensor(math.nan)
        if rows.shape == (0,):
            rows = rows.long()  # torch makes an empty list a float tensor
        if isinstance(index, tuple) or rows.is_floating_point() or rows.is_complex():
            raise ValueError(f"an index must be {_INDICES}, got {index!r}")
        if rows.dtype == torch.bool:
            if rows.shape != (len(self),):
                raise ValueError(
                    f"an index that is a mask must be [{len(self)}], got {list(rows.shape)}"
                )
        elif rows.ndim == 0:
            return int(rows)
        elif rows.ndim > 1:
            raise ValueError(f"an index must be {_INDICES}, got {list(rows.shape)}")
        # Integers of eight bits would be read as a mask.
        return rows.to(self.images.device, rows.dtype if rows.dtype == torch.bool else torch.int64)

    def _with(self, **fields: object) -> "ImageSet":
        """Return a copy with other fields, unchecked: a batch must cost next to nothing."""
        copy = object.__new__(ImageSet)
        copy.__dict__.update(self.__dict__, **fields)
        return copy

    def with_images(self, images: Tensor) -> "ImageSet":
        """Return the set with its images transformed, e.g. binarised or with noise.

        Args:
            images: float32, [N, C, H, W], finite; `in_unit_range` says afterwards whether they
                are in [0, 1].

        Raises:
            ValueError: when they are of another type, number or shape, or not finite.

        Example:
            >>> grey = ImageSet(torch.rand(5, 1, 28, 28))
            >>> grey.with_images(add_noise(grey.images, 0.1)).in_unit_range
            False
        """
        low, high = _pixel_range(images)
        if len(images) != len(self):
            raise ValueError(f"images must be {len(self)} as before, got {len(images)}")
        return self._with(images=images, in_unit_range=low >= 0 and high <= 1)

    def to(self, device: torch.device | str) -> "ImageSet":
        """Return the set on another device.

        Raises:
            ValueError: when this machine has no such device.
        """
        device = _checks.device(device)
        return self._with(
            images=self.images.to(device),
            labels=None if self.labels is None else self.labels.to(device),
            factors={name: column.to(device) for name, column in self.factors.items()},
        )

    def split(self, fraction: float, seed: int) -> tuple["ImageSet", "ImageSet"]:
        """Return a random part with the given fraction of the images, and the rest.

        Args:
            fraction: in (0, 1).
            seed: of the order; the same on every device.

        Raises:
            ValueError: when `fraction` is not in (0, 1) or one part would be empty.

        Example:
            >>> train, test = ImageSet(torch.rand(10, 3, 8, 8)).split(0.8, seed=0)
            >>> len(train), len(test)
            (8, 2)
        """
        _checks.number(fraction, "fraction", 0, 1, open=True)
        _checks.count(seed, "seed", 0)
        size = round(fraction * len(self))
        if not 0 < size < len(self):
            raise ValueError(
                f"fraction must leave both parts non-empty, got {fraction} of {len(self)} images"
            )
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return self[order[:size]], self[order[size:]]

    @property
    def checksum(self) -> str:
        """SHA-256 of images, labels and factors with their shapes.

        Images in [0, 1] count as 8-bit grey values, which are the same on every machine; others
        as they are. Title and names don't count.

        Example:
            >>> images = ImageSet(torch.zeros(4, 1, 2, 2), title="black")
            >>> images.checksum == ImageSet(images.images, title="dark").checksum
            True
            >>> images.checksum == ImageSet(images.images, torch.zeros(4).long()).checksum
            False
        """
        digest = hashlib.sha256()
        kind = torch.uint8 if self.in_unit_range else torch.float32
        _feed(digest, "images", self.images, kind)
        if self.labels is not None:
            _feed(digest, "labels", self.labels, torch.int64)
        for name in sorted(self.factors):
            _feed(digest, f"factors {name}", self.factors[name], self.factors[name].dtype)
        return digest.hexdigest()


def binarize(images: Tensor, generator: Generator | None = None) -> Tensor:
    """Draw each pixel from Bernoulli(grey value): the dynamic binarisation of the literature.

    Args:
        images: in [0, 1], [N, C, H, W].
        generator: of the randomness.

    Returns:
        Pixels of 0 and 1, [N, C, H, W].

    Raises:
        ValueError: when a pixel is no probability.

    Source:
        On the Quantitative Analysis of Deep Belief Networks (Salakhutdinov and Murray, 2008) |
        https://doi.org/10.1145/1390156.1390266

    Example:
        >>> binarize(torch.full((1, 1, 2, 2), 0.5), torch.Generator().manual_seed(0))
        tensor([[[[1., 0.],
                  [1., 1.]]]])
    """
    _checks.floats(images, "images", ("N", "C", "H", "W"), finite=False)
    low, high = torch.aminmax(images)
    if not bool((low >= 0) & (high <= 1)):
        i, pixel = _first_bad(images, (images >= 0) & (images <= 1))
        raise ValueError(
            f"images must be probabilities in [0, 1], but image {i} has a pixel of {pixel}"
        )
    return _checks.bernoulli(images, generator)


def add_noise(images: Tensor, scale: float, generator: Generator | None = None) -> Tensor:
    r"""Add Gaussian noise to each pixel, :math:`x + \sigma \epsilon`; nothing is clipped.

    Args:
        images: [N, C, H, W].
        scale: standard deviation :math:`\sigma \ge 0` of the noise, in units of the pixels.
        generator: of the randomness.

    Returns:
        Noisy images, [N, C, H, W], some of them outside [0, 1].

    Raises:
        ValueError: when the images are not finite or the scale is negative.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> noisy = add_noise(torch.zeros(1, 1, 100, 100), 0.1, generator)
        >>> round(noisy.std().item(), 2)
        0.1
    """
    _checks.floats(images, "images", ("N", "C", "H", "W"))
    _checks.number(scale, "scale", 0)
    return images + scale * _checks.randn(images.shape, images, generator)


_INDICES = "an int, a slice, a list of ints, an integer tensor [n] or a mask"


def _pixel_range(images: Tensor) -> tuple[float, float]:
    """Return the least and the largest pixel of what can be the images of a set."""
    if not isinstance(images, Tensor):
        raise ValueError(f"images must be a float32 tensor, got {type(images).__name__}")
    shape, dtype = list(images.shape), images.dtype
    if dtype != torch.float32 or len(shape) != 4 or shape[1] not in (1, 3) or 0 in shape:
        hint = ": divide grey values of 0 to 255 by 255" if dtype == torch.uint8 else ""
        raise ValueError(
            f"images must be float32 [N, C, H, W] with C of 1 or 3, got "
            f"{str(dtype).removeprefix('torch.')} of shape {shape}{hint}"
        )
    low, high = torch.stack(torch.aminmax(images)).tolist()
    if not high - low < float("inf"):  # NaN too: it comes through as both
        i, pixel = _first_bad(images, images.isfinite())
        raise ValueError(f"images must be finite, but image {i} has a pixel of {pixel}")
    return low, high


def _first_bad(images: Tensor, good: Tensor) -> tuple[int, float]:
    """Return the number of the first image with a pixel that is not good, and that pixel."""
    i = int((~good).flatten(1).any(1).nonzero()[0])
    return i, images[i][~good[i]][0].item()


def _feed(digest: "hashlib._Hash", name: str, values: Tensor, kind: torch.dtype) -> None:
    digest.update(f"{name} {str(kind).removeprefix('torch.')} {list(values.shape)}\n".encode())
    for part in values.detach().split(4096):  # the copies of 60,000 images would take 0.4 GB
        if kind == torch.uint8 and part.is_floating_point():
            part = (part * 255).round()
        array = part.to(kind).cpu().numpy()
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
