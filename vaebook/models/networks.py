"""Encoders and decoders as plain modules: MLPs, and conv + max-pool blocks with their transposes.

An encoder maps images [N, C, H, W] to `out_features` numbers per image: the code of an
autoencoder, or mean and log-variance of a VAE. A decoder maps codes [N, latent_dim] to
[N, C, H, W], what the likelihood calls its outputs: logits for Bernoulli, the mean for Gaussian.
"""

__all__ = [
    "ConvDecoder",
    "ConvEncoder",
    "MLPDecoder",
    "MLPEncoder",
    "for_images",
    "he_",
    "live_units",
]

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from vaebook import _checks

Initial = Literal["he", "torch"]


class _Network(nn.Module):
    """`version` is raised when the code changes a result of training."""

    version: ClassVar[int] = 1

    def _start(self, initial: Initial) -> None:
        if initial not in ("he", "torch"):
            raise ValueError(f"initial must be 'he' or 'torch', got {initial!r}")
        self.initial = initial
        if initial == "he":
            he_(self)


@torch.no_grad()
def he_(module: nn.Module) -> None:
    r"""Draw the weights of a ReLU network so that its signal keeps its size; biases are zero.

    .. math:: w \sim \mathcal{N}(0, 2/n), \qquad w \sim \mathcal{N}(0, 0.1/n)
        \text{ in the last layer,}

    with n the number of inputs to an output. The layers are taken in the order in which the
    module lists them. Torch's own start shrinks the signal from layer to layer, and units that
    never fire in the first steps may never learn to. A last layer of full size would start with
    logits and log-variances that must first be unlearned, and a last layer near zero passes hardly
    any gradient on. With one in between heatmaps are learned fastest, and digits as fast as with
    any.

    Args:
        module: changed in place.

    Raises:
        ValueError: when it has no linear or convolutional layer.

    Source:
        Delving Deep into Rectifiers (He et al., 2015), equation 10 |
        https://arxiv.org/abs/1502.01852

    Example:
        >>> network = nn.Sequential(nn.Linear(1000, 500), nn.ReLU(), nn.Linear(500, 1))
        >>> he_(network)
        >>> signal = network[:2](torch.randn(100, 1000))
        >>> round(signal.square().mean().item())  # as much as that of the inputs
        1
    """
    _checks.instance(module, "module", nn.Module)
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    layers = [layer for layer in module.modules() if isinstance(layer, kinds)]
    if not layers:
        raise ValueError(f"module must have a linear or convolutional layer, got {module}")
    for layer in layers:
        summands: float = layer.weight[0].numel()
        if isinstance(layer, nn.ConvTranspose2d):
            # Each output is reached by one in stride² of the kernel's places.
            summands = layer.weight.numel() / layer.out_channels / math.prod(layer.stride)
        gain = 0.1 if layer is layers[-1] else 2.0
        layer.weight.normal_(0, math.sqrt(gain / summands))
        if layer.bias is not None:
            layer.bias.zero_()


@torch.no_grad()
def live_units(module: nn.Module, inputs: Tensor) -> dict[str, int]:
    """Count the units of each ReLU that fire for at least one input; a channel is one unit.

    A unit that fires for none has no gradient: it is dead until other layers move its inputs.

    Args:
        module: a network with :class:`torch.nn.ReLU` layers.
        inputs: what it takes, [N, ...].

    Returns:
        Live units by name of the layer.

    Raises:
        ValueError: when the module has no ReLU layer, or there are no inputs.

    Example:
        >>> network = nn.Sequential(nn.Linear(1, 2), nn.ReLU())
        >>> _ = network[0].weight.data.copy_(torch.tensor([[1.0], [-1.0]]))
        >>> _ = network[0].bias.data.zero_()
        >>> live_units(network, torch.ones(5, 1))
        {'1': 1}
    """
    _checks.instance(module, "module", nn.Module)
    watched = {name: part for name, part in module.named_modules() if isinstance(part, nn.ReLU)}
    if not watched:
        raise ValueError(f"module must have a ReLU layer, got {module}")
    if not isinstance(inputs, Tensor) or not inputs.ndim or not len(inputs):
        raise ValueError(f"inputs must be a tensor [N, ...] with N > 0, got {inputs!r}")
    _checks.floats(inputs, "inputs", ("...", "D"))
    live: dict[str, int] = {}

    def count(name: str, _module: nn.Module, _inputs: object, outputs: Tensor) -> None:
        fired = (outputs > 0).transpose(0, 1).flatten(1).any(1)
        live[name] = int(fired.sum())

    handles = [part.register_forward_hook(partial(count, name)) for name, part in watched.items()]
    try:
        module(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return live


def _check_input(value: Tensor, name: str, shape: Sequence[int], network: nn.Module) -> None:
    """Refuse what is no float tensor [N, *shape]; N may be 0, and what isn't finite may pass."""
    wanted = ", ".join(map(str, shape))
    if not isinstance(value, Tensor):
        raise ValueError(f"{name} must be a tensor [N, {wanted}], got {type(value).__name__}")
    if value.ndim != len(shape) + 1 or value.shape[1:] != tuple(shape):
        raise ValueError(f"{name} must be [N, {wanted}], got {list(value.shape)}")
    _checks.suits(value, name, network)


def _check_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    _check_widths("shape", shape, 3)
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(f"shape must be (C, H, W) of an image, C of 1 or 3, got {shape!r}")
    channels, height, width = shape
    return channels, height, width


def _check_widths(name: str, widths: Sequence[int], least: int) -> None:
    good = isinstance(widths, Sequence) and len(widths) >= least
    if not good or not all(isinstance(width, int) and width > 0 for width in widths):
        raise ValueError(f"{name} must be {least} or more positive sizes, got {widths!r}")


def _mlp(sizes: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class MLPEncoder(_Network):
    """Flatten, then linear layers with ReLU between them.

    Args:
        out_features: numbers returned per image.
        hidden: widths of the hidden layers.
        shape: (C, H, W) of an image.
        initial: weights by :func:`he_`, or torch's own.

    Example:
        >>> MLPEncoder(4, shape=(3, 8, 8))(torch.rand(5, 3, 8, 8)).shape
        torch.Size([5, 4])
    """

    def __init__(
        self,
        out_features: int,
        hidden: Sequence[int] = (400, 100),
        shape: Sequence[int] = (1, 28, 28),
        initial: Initial = "he",
    ) -> None:
        super().__init__()
        _checks.count(out_features, "out_features")
        _check_widths("hidden", hidden, 0)
        self.shape = _check_shape(shape)
        self.layers = _mlp([math.prod(self.shape), *hidden, out_features])
        self._start(initial)

    def forward(self, images: Tensor) -> Tensor:
        _check_input(images, "images", self.shape, self)
        return self.layers(images.flatten(1))


class MLPDecoder(_Network):
    """The mirror image of :class:`MLPEncoder`.

    Args:
        latent_dim: the number of latent dimensions, D.
        hidden: widths of the hidden layers, from the code upwards.
        shape: (C, H, W) of an image.
        initial: weights by :func:`he_`, or torch's own.

    Example:
        >>> MLPDecoder(2, shape=(3, 8, 8))(torch.zeros(5, 2)).shape
        torch.Size([5, 3, 8, 8])
    """

    def __init__(
        self,
        latent_dim: int,
        hidden: Sequence[int] = (100, 400),
        shape: Sequence[int] = (1, 28, 28),
        initial: Initial = "he",
    ) -> None:
        super().__init__()
        _checks.count(latent_dim, "latent_dim")
        _check_widths("hidden", hidden, 0)
        self.latent_dim = latent_dim
        self.shape = _check_shape(shape)
        self.layers = _mlp([latent_dim, *hidden, math.prod(self.shape)])
        self._start(initial)

    def forward(self, z: Tensor) -> Tensor:
        _check_input(z, "z", (self.latent_dim,), self)
        return self.layers(z).unflatten(1, self.shape)


class ConvEncoder(_Network):
    """Blocks of 3 × 3 convolution, ReLU and 2 × 2 max-pool, then one hidden layer.

    Args:
        out_features: numbers returned per image.
        channels: channels of each block.
        strides: stride of each block's convolution; 1 in all of them where None.
        hidden: width of the hidden layer.
        shape: (C, H, W) of an image.
        initial: weights by :func:`he_`, or torch's own.

    Raises:
        ValueError: when `strides` doesn't fit `channels` or the blocks leave no pixel.

    Example:
        >>> ConvEncoder(4, channels=(8, 16), shape=(3, 15, 20))(torch.rand(5, 3, 15, 20)).shape
        torch.Size([5, 4])
    """

    def __init__(
        self,
        out_features: int,
        channels: Sequence[int] = (4, 8, 16),
        strides: Sequence[int] | None = None,
        hidden: int = 64,
        shape: Sequence[int] = (1, 36, 36),
        initial: Initial = "he",
    ) -> None:
        super().__init__()
        _checks.count(out_features, "out_features")
        _checks.count(hidden, "hidden")
        _check_widths("channels", channels, 1)
        strides = [1] * len(channels) if strides is None else strides
        _check_widths("strides", strides, 1)
        if len(strides) != len(channels):
            raise ValueError(f"strides must have {len(channels)} entries, got {list(strides)}")
        self.shape = _check_shape(shape)
        blocks: list[nn.Module] = []
        colours, *sides = self.shape
        for (inputs, outputs), stride in zip(pairwise([colours, *channels]), strides, strict=True):
            blocks += [
                nn.Conv2d(inputs, outputs, 3, stride, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            sides = [((side - 1) // stride + 1) // 2 for side in sides]
        if min(sides) < 1:
            raise ValueError(
                f"channels and strides leave no pixel of {list(self.shape)}: "
                f"got {list(channels)} and {list(strides)}"
            )
        self.blocks = nn.Sequential(*blocks)
        self.head = _mlp([channels[-1] * math.prod(sides), hidden, out_features])
        self._start(initial)

    def forward(self, images: Tensor) -> Tensor:
        _check_input(images, "images", self.shape, self)
        return self.head(self.blocks(images).flatten(1))


class ConvDecoder(_Network):
    """One hidden layer, then transposed convolutions, each doubling the sides.

    A side that is odd is reached by a kernel of 3 instead of 4, which makes :math:`2n - 1` of n.

    Args:
        latent_dim: the number of latent dimensions, D.
        channels: channels at each resolution below the image's, the coarsest first.
        hidden: width of the hidden layer.
        shape: (C, H, W) of an image.
        initial: weights by :func:`he_`, or torch's own.

    Example:
        >>> ConvDecoder(2, shape=(3, 15, 20))(torch.zeros(1, 2)).shape
        torch.Size([1, 3, 15, 20])
    """

    def __init__(
        self,
        latent_dim: int,
        channels: Sequence[int] = (16, 8),
        hidden: int = 64,
        shape: Sequence[int] = (1, 36, 36),
        initial: Initial = "he",
    ) -> None:
        super().__init__()
        _checks.count(latent_dim, "latent_dim")
        _checks.count(hidden, "hidden")
        _check_widths("channels", channels, 1)
        self.latent_dim = latent_dim
        self.shape = _check_shape(shape)
        colours, height, width = self.shape
        sides = [(height, width)]
        for _ in channels:
            sides.insert(0, (-(-sides[0][0] // 2), -(-sides[0][1] // 2)))
        self.stem = _mlp([latent_dim, hidden, channels[0] * math.prod(sides[0])])
        blocks: list[nn.Module] = [nn.Unflatten(1, (channels[0], *sides[0]))]
        for (inputs, outputs), side in zip(pairwise([*channels, colours]), sides[1:], strict=True):
            kernel = (4 - side[0] % 2, 4 - side[1] % 2)
            blocks += [nn.ReLU(), nn.ConvTranspose2d(inputs, outputs, kernel, 2, padding=1)]
        self.blocks = nn.Sequential(*blocks)
        self._start(initial)

    def forward(self, z: Tensor) -> Tensor:
        _check_input(z, "z", (self.latent_dim,), self)
        return self.blocks(self.stem(z))


def for_images(
    shape: Sequence[int], latent_dim: int, kind: Literal["mlp", "cnn"] = "mlp"
) -> tuple[nn.Module, nn.Module]:
    """Return an encoder and a decoder of a VAE for images of any size, grey or in colour.

    "mlp" is the book's network, from C H W pixels by way of 400 and 100 units to 2 D numbers, and
    its mirror image. "cnn" has another encoder: convolutions halve the sides until the shorter one
    has 8 pixels or fewer, with up to 64 channels, and one hidden layer of 128 follows.

    The decoder is the MLP in either. :class:`ConvDecoder` learns colours from codes that tell
    them, but in a VAE, where the encoder learns from the decoder what to tell, it spends thousands
    of steps on shapes of one mean colour, whatever its activation, width, start or learning rate.
    An MLP decoder has some 400 C H W weights: 5 million at 64 × 64 in colour, 79 million at
    256 × 256.

    Args:
        shape: (C, H, W) of an image, C of 1 or 3, as `images.images.shape[1:]` has it.
        latent_dim: the number of latent dimensions, D.
        kind: "mlp" or "cnn".

    Returns:
        Networks from images [N, C, H, W] to mean and log-variance [N, 2 D], and from codes
        [N, D] to outputs [N, C, H, W].

    Raises:
        ValueError: when the shape is of no image, or a side of a CNN's images has one pixel.

    Example:
        >>> encoder, decoder = for_images((3, 48, 65), latent_dim=8, kind="cnn")
        >>> codes = encoder(torch.rand(5, 3, 48, 65))
        >>> list(codes.shape), list(decoder(codes[:, :8]).shape)
        ([5, 16], [5, 3, 48, 65])
    """
    shape = _check_shape(shape)
    _checks.count(latent_dim, "latent_dim")
    if kind not in ("mlp", "cnn"):
        raise ValueError(f"kind must be 'mlp' or 'cnn', got {kind!r}")
    decoder = MLPDecoder(latent_dim, shape=shape)
    if kind == "mlp":
        return MLPEncoder(2 * latent_dim, shape=shape), decoder
    side = min(shape[1:])
    if side < 2:
        raise ValueError(f"shape must have sides of 2 or more for a CNN, got {list(shape)}")
    halvings = max(1, math.ceil(math.log2(side / 8)))
    channels = [min(16 * 2**i, 64) for i in range(halvings)]
    strides = [1] * halvings
    if halvings > 2:
        # A stride in the first block halves a second time: the finest resolution costs most.
        channels, strides = channels[1:], [2, *strides[2:]]
    return ConvEncoder(2 * latent_dim, channels, strides, hidden=128, shape=shape), decoder
