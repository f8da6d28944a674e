"""Pictures in a row of a table: eight bits per pixel, compressed, as text that JSON can hold."""

__all__ = ["pack_images", "unpack_images"]

import base64
import binascii
import math
import zlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vaebook import _checks


def pack_images(images: Tensor) -> dict[str, Any]:
    """Return images as an entry of a row, rounded to the nearest of 256 grey values.

    Args:
        images: [..., H, W] in [0, 1], with any number of leading dimensions.

    Raises:
        ValueError: when they are no floats in [0, 1].

    Example:
        >>> pack_images(torch.zeros(2, 1, 28, 28))["shape"]
        [2, 1, 28, 28]
    """
    _checks.floats(images, "images", ("...", "H", "W"), largest=1.0)
    if images.numel() and images.min() < 0:
        raise ValueError(f"images must lie in [0, 1], got {images.min().item():g}")
    grey = (255 * images.detach().cpu()).round().to(torch.uint8).contiguous()
    packed = base64.b64encode(zlib.compress(grey.numpy().tobytes(), 9))
    return {"shape": list(grey.shape), "uint8_zlib_base64": packed.decode()}


def unpack_images(packed: Mapping[str, Any]) -> Tensor:
    """Return the images that :func:`pack_images` packed, float32 in [0, 1].

    Args:
        packed: what :func:`pack_images` returned.

    Raises:
        ValueError: when it is none, or damaged.

    Example:
        >>> images = torch.tensor([[[[0.0, 0.2], [0.4, 1.0]]]])
        >>> torch.equal(unpack_images(pack_images(images)), images)
        True
    """
    _checks.instance(packed, "packed", Mapping)
    try:
        shape = [int(size) for size in packed["shape"]]
        grey = zlib.decompress(base64.b64decode(packed["uint8_zlib_base64"], validate=True))
        if len(grey) != math.prod(shape):
            raise ValueError(f"{len(grey)} pixels for the shape {shape}")
        return torch.frombuffer(bytearray(grey), dtype=torch.uint8).view(shape).float() / 255
    except (KeyError, TypeError, ValueError, RuntimeError, binascii.Error, zlib.error) as error:
        raise ValueError(f"packed must be what pack_images returns: {error!r}") from error
