"""Images with what is known about them, in memory."""

__all__ = ["ImageSet", "binarize"]

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor


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
