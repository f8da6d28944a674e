"""Encoders and decoders as plain modules: MLPs, and conv + max-pool blocks with their transposes.

An encoder maps images [N, 1, S, S] to `out_features` numbers an image: the code of an autoencoder,
or mean and log-variance of a VAE. A decoder maps codes [N, latent_dim] to [N, 1, S, S], what the
likelihood calls its outputs: logits for Bernoulli, the mean for Gaussian.
"""

__all__ = ["ConvDecoder", "ConvEncoder", "MLPDecoder", "MLPEncoder"]

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


def _check_images(images: Tensor, size: int) -> None:
    if images.shape[1:] != (1, size, size):
        raise ValueError(f"images must be [N, 1, {size}, {size}], got {list(images.shape)}")


def _check_codes(z: Tensor, latent_dim: int) -> None:
    if z.ndim != 2 or z.shape[1] != latent_dim:
        raise ValueError(f"z must be [N, {latent_dim}], got {list(z.shape)}")


def _check_channels(channels: Sequence[int]) -> None:
    if not channels:
        raise ValueError("channels must name at least one block, got none")


def _mlp(sizes: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class MLPEncoder(nn.Module):
    """Flatten, then linear layers with ReLU between them.

    Args:
        out_features: numbers returned an image.
        hidden: widths of the hidden layers.
        image_size: pixels a side.
    """

    def __init__(
        self, out_features: int, hidden: Sequence[int] = (400, 100), image_size: int = 28
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.layers = _mlp([image_size**2, *hidden, out_features])

    def forward(self, images: Tensor) -> Tensor:
        _check_images(images, self.image_size)
        return self.layers(images.flatten(1))


class MLPDecoder(nn.Module):
    """The mirror image of :class:`MLPEncoder`.

    Args:
        latent_dim: D.
        hidden: widths of the hidden layers, from the code upwards.
        image_size: pixels a side.
    """

    def __init__(
        self, latent_dim: int, hidden: Sequence[int] = (100, 400), image_size: int = 28
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.image_size = image_size
        self.layers = _mlp([latent_dim, *hidden, image_size**2])

    def forward(self, z: Tensor) -> Tensor:
        _check_codes(z, self.latent_dim)
        return self.layers(z).unflatten(1, (1, self.image_size, self.image_size))


class ConvEncoder(nn.Module):
    """Blocks of 3 × 3 convolution, ReLU and 2 × 2 max-pool, then one hidden layer.

    Args:
        out_features: numbers returned an image.
        channels: channels of each block.
        strides: stride of each block's convolution; 1 in all of them where None.
        hidden: width of the hidden layer.
        image_size: pixels a side.

    Raises:
        ValueError: when `strides` doesn't fit `channels` or the blocks leave no pixel.
    """

    def __init__(
        self,
        out_features: int,
        channels: Sequence[int] = (4, 8, 16),
        strides: Sequence[int] | None = None,
        hidden: int = 64,
        image_size: int = 36,
    ) -> None:
        super().__init__()
        _check_channels(channels)
        strides = [1] * len(channels) if strides is None else strides
        if len(strides) != len(channels):
            raise ValueError(f"strides must have {len(channels)} entries, got {list(strides)}")
        self.image_size = image_size
        blocks: list[nn.Module] = []
        side = image_size
        for (inputs, outputs), stride in zip(pairwise([1, *channels]), strides, strict=True):
            blocks += [
                nn.Conv2d(inputs, outputs, 3, stride, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            side = ((side - 1) // stride + 1) // 2
        if side < 1:
            raise ValueError(
                f"channels and strides leave no pixel of {image_size}: "
                f"got {list(channels)} and {list(strides)}"
            )
        self.blocks = nn.Sequential(*blocks)
        self.head = _mlp([channels[-1] * side**2, hidden, out_features])

    def forward(self, images: Tensor) -> Tensor:
        _check_images(images, self.image_size)
        return self.head(self.blocks(images).flatten(1))


class ConvDecoder(nn.Module):
    """One hidden layer, then transposed convolutions, each doubling the side.

    Args:
        latent_dim: D.
        channels: channels at each resolution below the image's, the coarsest first.
        hidden: width of the hidden layer.
        image_size: pixels a side, a multiple of 2 ** len(channels).

    Raises:
        ValueError: when `image_size` can't be halved that often.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: Sequence[int] = (16, 8),
        hidden: int = 64,
        image_size: int = 36,
    ) -> None:
        super().__init__()
        _check_channels(channels)
        side, rest = divmod(image_size, 2 ** len(channels))
        if rest:
            raise ValueError(
                f"image_size must be a multiple of {2 ** len(channels)}, got {image_size}"
            )
        self.latent_dim = latent_dim
        self.stem = _mlp([latent_dim, hidden, channels[0] * side**2])
        blocks: list[nn.Module] = [nn.Unflatten(1, (channels[0], side, side))]
        for inputs, outputs in pairwise([*channels, 1]):
            blocks += [nn.ReLU(), nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, z: Tensor) -> Tensor:
        _check_codes(z, self.latent_dim)
        return self.blocks(self.stem(z))
