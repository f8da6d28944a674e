"""Networks as the page's script reads them: layers as JSON, weights in base64.

What the script would run otherwise than torch does, or not at all, is refused here by name.
"""

__all__ = ["Precision", "pack", "pack_decoder", "seal"]

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from vaebook import _checks
from vaebook.models import VAE, Autoencoder
from vaebook.models.networks import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder

Precision = Literal["float16", "int8"]

_LARGE = 4096

# The only value of each setting that the script can run.
_FIXED: dict[type[nn.Module], dict[str, Any]] = {
    nn.Linear: {},
    nn.Conv2d: {"dilation": 1, "groups": 1, "padding_mode": "zeros"},
    nn.ConvTranspose2d: {
        "dilation": 1,
        "groups": 1,
        "padding_mode": "zeros",
        "output_padding": 0,
    },
    nn.MaxPool2d: {"padding": 0, "dilation": 1, "ceil_mode": False, "return_indices": False},
    nn.ReLU: {},
    nn.SiLU: {},
    nn.Flatten: {"start_dim": 1, "end_dim": -1},
    nn.Unflatten: {"dim": 1},
}


def pack(module: nn.Module, shape: Sequence[int], dtype: Precision = "int8") -> dict[str, Any]:
    """Return a network as the page's script runs it: layers, and the weights in base64.

    Weights are stored as `dtype`: half precision, or 8-bit integers with one scale per row, the
    row's largest weight over 127. Tensors of fewer than 4,096 numbers stay in half precision.

    Args:
        module: a network of :mod:`vaebook.models.networks`, or a sequence of `Linear`, `Conv2d`,
            `ConvTranspose2d`, `MaxPool2d`, `ReLU`, `SiLU`, `Flatten` and `Unflatten`, on any
            device.
        shape: of one input, without N.
        dtype: of the weights.

    Raises:
        ValueError: for a layer or a setting of one that the script doesn't know, a shape that the
            network doesn't take, weights that aren't finite, or another dtype.

    Example:
        >>> packed = pack(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), [2])
        >>> [layer["op"] for layer in packed["layers"]]
        ['linear', 'relu']
        >>> pack(nn.Sequential(nn.Linear(2, 3), nn.Tanh()), [2])
        Traceback (most recent call last):
        ...
        ValueError: module must be of layers that the page can run, got Tanh()
    """
    if dtype not in ("float16", "int8"):
        raise ValueError(f"dtype must be 'float16' or 'int8', got {dtype!r}")
    if not isinstance(module, nn.Module):
        raise ValueError(f"module must be a network, got {type(module).__name__}")
    if not isinstance(shape, Sequence) or not shape:
        raise ValueError(f"shape must be the sizes of one input, got {shape!r}")
    for size in shape:
        _checks.count(size, "each entry of shape")
    data = bytearray()
    layers = []
    for name, weight in module.named_parameters():
        empty = weight.is_meta or nn.parameter.is_lazy(weight)
        if empty or not weight.is_floating_point() or not weight.isfinite().all():
            raise ValueError(f"module must have finite real weights, {name} has others")
    x = _checks.first_weight(module, torch.zeros(())).new_zeros(1, *shape)
    for layer in _layers(module):
        _check_settings(layer)
        with torch.no_grad():
            y = _run(layer, x)
        layers.append(_packed(layer, y.shape[1:], data, dtype))
        x = y
    encoded = base64.b64encode(data).decode()
    return {"input": list(shape), "output": list(x.shape[1:]), "layers": layers, "data": encoded}


def pack_decoder(model: VAE | Autoencoder, dtype: Precision = "int8") -> dict[str, Any]:
    """Return a model's decoder as :func:`pack` does, and how its outputs become an image.

    Raises:
        ValueError: for a network that :func:`pack` refuses, one that doesn't decode to an image
            of one or three channels, a decoder that is told the class, or a likelihood whose mean
            is neither the outputs nor their sigmoid.

    Example:
        >>> from vaebook.models import Bernoulli
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> packed = pack_decoder(VAE(MLPEncoder(4), MLPDecoder(2), 2, Bernoulli()))
        >>> packed["output"], packed["mean"]
        ([1, 28, 28], 'sigmoid')
    """
    if not isinstance(model, VAE | Autoencoder):
        raise ValueError(f"model must be a VAE or an Autoencoder, got {type(model).__name__}")
    if getattr(model, "n_classes", 0):
        raise ValueError(f"model must decode codes alone, got {model.n_classes} classes as well")
    packed = pack(model.decoder, [model.latent_dim], dtype)
    shape = packed["output"]
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(f"model must decode to [1, H, W] or [3, H, W], got {shape}")
    probe = torch.linspace(-3, 3, shape[0] * shape[1] * shape[2]).view(1, *shape)
    weight = _checks.first_weight(model, probe)
    mean = model.likelihood.mean(probe.to(weight)).cpu().to(probe)
    for name, expected in (("identity", probe), ("sigmoid", probe.sigmoid())):
        if mean.shape == probe.shape and torch.allclose(mean, expected, atol=1e-6):
            return packed | {"mean": name}
    raise ValueError(f"model must not have a {type(model.likelihood).__name__} likelihood")


def seal(packed: dict[str, Any]) -> tuple[str, str]:
    """Return the SHA-256 of a packed network's text, by which a page knows it, and the text."""
    text = json.dumps(packed, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest(), text


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    """The layers of a network in the order in which they run."""
    if module._forward_hooks or module._forward_pre_hooks:
        raise ValueError(f"module must be without hooks, got one of {type(module).__name__}")
    # A subclass may have another forward.
    if type(module) is nn.Sequential:
        for part in module.children():
            yield from _layers(part)
    elif type(module) is MLPEncoder:
        yield nn.Flatten()
        yield from _layers(module.layers)
    elif type(module) is MLPDecoder:
        yield from _layers(module.layers)
        yield nn.Unflatten(1, module.shape)
    elif type(module) is ConvEncoder:
        yield from _layers(module.blocks)
        yield nn.Flatten()
        yield from _layers(module.head)
    elif type(module) is ConvDecoder:
        yield from _layers(module.stem)
        yield from _layers(module.blocks)
    elif type(module) in _FIXED:
        yield module
    else:
        raise ValueError(f"module must be of layers that the page can run, got {module}")


def _check_settings(layer: nn.Module) -> None:
    for name, only in _FIXED[type(layer)].items():
        value = getattr(layer, name)
        if value not in (only, (only, only)):
            raise ValueError(f"{name} must be {only!r} for the page to run it, got {layer}")
    if isinstance(layer, nn.MaxPool2d) and _sides(layer, "stride") != _sides(layer, "kernel_size"):
        raise ValueError(f"stride must be the kernel's size for the page to run it, got {layer}")


def _sides(layer: nn.Module, name: str) -> list[int]:
    """A size along height and width."""
    value = getattr(layer, name)
    if isinstance(value, str):
        raise ValueError(f"{name} must be numbers for the page to run it, got {layer}")
    return list(value) if isinstance(value, tuple) else [value, value]


def _run(layer: nn.Module, x: Tensor) -> Tensor:
    """What a layer makes of an array of zeros; torch's own refusals are named."""
    dimensions = {nn.Linear: 2, nn.Conv2d: 4, nn.ConvTranspose2d: 4, nn.MaxPool2d: 4}
    shape = list(x.shape[1:])
    # Torch takes these, as more dimensions of a batch or as one image without a batch.
    if x.ndim != dimensions.get(type(layer), x.ndim):
        raise ValueError(f"shape must fit the layers: {layer} gets {shape}")
    try:
        return layer(x)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"shape must fit the layers: {layer} gets {shape}") from error


def _packed(
    layer: nn.Module, shape: Sequence[int], data: bytearray, dtype: Precision
) -> dict[str, Any]:
    if isinstance(layer, nn.ReLU):
        return {"op": "relu"}
    if isinstance(layer, nn.SiLU):
        return {"op": "silu"}
    if isinstance(layer, nn.Flatten | nn.Unflatten):
        return {"op": "reshape", "shape": list(shape)}
    if isinstance(layer, nn.MaxPool2d):
        return {"op": "max_pool", "kernel": _sides(layer, "kernel_size")}
    assert isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
    n_outputs = shape[0]
    bias = layer.weight.new_zeros(n_outputs) if layer.bias is None else layer.bias
    weights = {"weight": _store(layer.weight, data, dtype), "bias": _store(bias, data, dtype)}
    if isinstance(layer, nn.Linear):
        return {"op": "linear"} | weights
    op = "conv" if isinstance(layer, nn.Conv2d) else "conv_transpose"
    sizes = {"kernel": "kernel_size", "stride": "stride", "padding": "padding"}
    return {"op": op} | {key: _sides(layer, name) for key, name in sizes.items()} | weights


def _store(values: Tensor, data: bytearray, dtype: Precision) -> dict[str, Any]:
    """Append a tensor, and return what the script needs to find it."""
    array = values.detach().cpu().double().numpy()
    # What is small saves nothing, and errors of the first layer would grow in all others.
    dtype = dtype if array.size >= _LARGE else "float16"
    limit = 65504 if dtype == "float16" else 1e38
    if np.abs(array).max() > limit:
        raise ValueError(
            f"module must have weights within {limit:g} to be stored as {dtype}, "
            f"got {np.abs(array).max():g}"
        )
    offset = len(data)
    if dtype == "float16":
        data += array.astype("<f2").tobytes()
    else:
        rows = array.reshape(len(array), -1)
        largest = np.abs(rows).max(1, keepdims=True)
        scales = np.maximum(largest / 127, np.finfo("f4").tiny).astype("<f4")
        data += scales.tobytes()
        data += np.rint(rows / scales).astype("i1").tobytes()
    return {"shape": list(array.shape), "dtype": dtype, "offset": offset}
