"""The ground floor: what a function can take, float64 where a device has it, seeded noise."""

__all__ = [
    "alike",
    "bernoulli",
    "cholesky",
    "count",
    "counts",
    "device",
    "double",
    "first_weight",
    "floats",
    "instance",
    "integers",
    "number",
    "path",
    "permutation",
    "points",
    "rand",
    "randint",
    "randn",
    "rows",
    "same_device",
    "suits",
]

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def floats(
    value: object,
    name: str,
    shape: Sequence[int | str],
    finite: bool = True,
    largest: float = math.inf,
) -> None:
    """Refuse what is not a float32 or float64 tensor of a shape, or holds NaN or infinity.

    Args:
        value: to be looked at.
        name: of the argument.
        shape: a number where the size must be that, a letter where it must be at least 1;
            the same letter twice must be the same size; "..." first for any leading sizes.
        finite: whether every entry must be finite.
        largest: the size that no entry may pass.

    Raises:
        ValueError: with the name, what was found and what would be right.

    Example:
        >>> floats(torch.zeros(5, 2), "z", ("N", 2))
        >>> floats(torch.zeros(5, 3), "z", ("N", 2))
        Traceback (most recent call last):
        ...
        ValueError: z must be a float tensor [N, 2], got float32 of shape [5, 3]
    """
    _check_kind(value, name, shape, "a float", (torch.float32, torch.float64))
    assert isinstance(value, Tensor)
    if value.device.type == "meta":
        if largest < math.inf:
            raise ValueError(f"{name} must hold values, got a tensor on the device meta")
        return
    if not value.numel() or not (finite or largest < math.inf):
        return
    # NaN and infinity show in the extremes: one pass where all is well.
    extremes = [extreme.item() for extreme in value.detach().aminmax()]
    if finite and not all(map(math.isfinite, extremes)):
        first = (~value.isfinite()).nonzero()[0].tolist()
        raise ValueError(f"{name} must be finite, got {value[tuple(first)].item()} at {first}")
    size = max(map(abs, extremes))
    if size > largest:
        first = (value.abs() == size).nonzero()[0].tolist()
        raise ValueError(
            f"{name} must be at most {largest:g} in size, "
            f"got {value[tuple(first)].item():g} at {first}"
        )


def points(value: object, name: str, shape: Sequence[int | str]) -> None:
    """Refuse what :func:`floats` refuses, and coordinates beyond 1e9.

    The squares of nearer ones, and their quotients by the variances of codes, fit into float32.
    """
    floats(value, name, shape, largest=1e9)


def rows(value: Tensor, name: str, least: int) -> None:
    """Refuse a tensor [N, ...] with fewer than `least` rows."""
    if len(value) < least:
        raise ValueError(f"{name} must have at least {least} rows, got {list(value.shape)}")


def integers(value: object, name: str, shape: Sequence[int | str]) -> None:
    """Refuse what is not a tensor of integers of a shape, as :func:`floats` reads it."""
    _check_kind(value, name, shape, "an integer", _INTEGERS)


def _check_kind(
    value: object,
    name: str,
    shape: Sequence[int | str],
    kind: str,
    dtypes: tuple[torch.dtype, ...],
) -> None:
    if isinstance(value, Tensor) and value.dtype in dtypes and _fits(value.shape, shape):
        return
    found = type(value).__name__
    if isinstance(value, Tensor):
        found = f"{str(value.dtype).removeprefix('torch.')} of shape {list(value.shape)}"
    wanted = ", ".join(map(str, shape))
    raise ValueError(f"{name} must be {kind} tensor [{wanted}], got {found}")


def _fits(sizes: Sequence[int], shape: Sequence[int | str]) -> bool:
    if shape and shape[0] == "...":
        shape = shape[1:]
        sizes = sizes[max(0, len(sizes) - len(shape)) :]
    if len(sizes) != len(shape):
        return False
    known: dict[str, int] = {}
    for size, wanted in zip(sizes, shape, strict=True):
        if isinstance(wanted, str):
            if size < 1 or known.setdefault(wanted, size) != size:
                return False
        elif size != wanted:
            return False
    return True


def count(value: object, name: str, least: int = 1) -> None:
    """Refuse what is not a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number, {least} or more, got {value!r}")


def counts(value: object, name: str, n: int | None = None, least: int = 1) -> None:
    """Refuse what is not a sequence of whole numbers of at least `least`; n of them if given."""
    good = isinstance(value, Sequence) and not isinstance(value, str)
    if not good or (n is not None and len(value) != n):  # type: ignore[arg-type]
        many = "" if n is None else f"{n} "
        raise ValueError(f"{name} must be a sequence of {many}whole numbers, got {value!r}")
    for size in value:  # type: ignore[attr-defined]
        count(size, f"each entry of {name}", least)


def instance(value: object, name: str, *kinds: type) -> None:
    """Refuse what is none of some classes."""
    if not isinstance(value, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        found = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise ValueError(f"{name} must be a {wanted}, got {found}")


def number(
    value: object, name: str, low: float = -math.inf, high: float = math.inf, open: bool = False
) -> None:
    """Refuse what is not a finite number in [low, high], or in (low, high) where `open`."""
    good = (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max
        and (low < value < high if open else low <= value <= high)
    )
    if not good:
        left, right = ("(", ")") if open else ("[", "]")
        raise ValueError(
            f"{name} must be a finite number in {left}{low:g}, {high:g}{right}, got {value!r}"
        )


def device(value: object) -> torch.device:
    """Return the device of a name, and refuse one that isn't here."""
    try:
        return torch.empty(0, device=value).device  # type: ignore[call-overload]
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device must be one that is here, got {value!r}: {reason}") from None


def path(value: object, name: str) -> Path:
    """Return a path, its ~ the home directory, and refuse what names no file."""
    if not isinstance(value, str | os.PathLike) or not str(value) or "\0" in str(value):
        raise ValueError(f"{name} must be a path, got {value!r}")
    return Path(os.path.expanduser(value))


def same_device(**tensors: Tensor) -> None:
    """Refuse tensors of several devices."""
    devices = {name: tensor.device for name, tensor in tensors.items()}
    if len(set(devices.values())) > 1:
        found = ", ".join(f"{name} on {device}" for name, device in devices.items())
        raise ValueError(f"{' and '.join(devices)} must be on one device, got {found}")


def alike(**tensors: Tensor) -> None:
    """Refuse tensors of several devices or dtypes."""
    same_device(**tensors)
    dtypes = {name: tensor.dtype for name, tensor in tensors.items()}
    if len(set(dtypes.values())) > 1:
        found = ", ".join(f"{name} {dtype}" for name, dtype in dtypes.items())
        raise ValueError(f"{' and '.join(dtypes)} must be of one dtype, got {found}")


def suits(value: Tensor, name: str, network: nn.Module) -> None:
    """Refuse a tensor of another dtype or device than the weights of a network, if it has any."""
    weight = first_weight(network, value)
    kind = weight.device.type
    known = torch.amp.is_autocast_available(kind)  # meta's isn't
    cast = value.is_floating_point() and known and torch.is_autocast_enabled(kind)
    if value.device != weight.device or not (cast or value.dtype == weight.dtype):
        raise ValueError(
            f"{name} must be {weight.dtype} on {weight.device} as the network is, got "
            f"{value.dtype} on {value.device}"
        )


def first_weight(network: nn.Module, otherwise: Tensor) -> Tensor:
    """Return a network's first weight, in a tenth of the time that `parameters()` takes."""
    for weight in network._parameters.values():
        if weight is not None:
            return weight
    for part in network._modules.values():
        if part is not None:
            found = first_weight(part, otherwise)
            if found is not otherwise:
                return found
    return otherwise


def double(value: Tensor) -> Tensor:
    """Return a tensor in float64, on the CPU where its device has no float64 (MPS)."""
    if value.dtype == torch.float64:
        return value
    if value.device.type == "mps":
        value = value.cpu()
    return value.double()


def shares(value: object, name: str, n: int) -> None:
    """Refuse what isn't a distribution over n things, each of which has a part, [n]."""
    floats(value, name, (n,))
    assert isinstance(value, Tensor)
    if not (bool((value > 0).all()) and abs(value.sum().item() - 1) < 1e-4):
        raise ValueError(f"{name} must be positive and sum to 1, got {value.tolist()}")


def cholesky(covariance: Tensor, name: str) -> Tensor:
    r"""Return the root L of covariances :math:`LL^\top`, [..., D, D], in the kind of `double`.

    Raises:
        ValueError: when one isn't symmetric, up to rounding, or not positive definite.
    """
    covariance = double(covariance)
    if covariance.device.type == "meta":
        return covariance
    size = covariance.abs()
    tolerance = 1e-4 * size + 1e-6 * size.amax((-2, -1), keepdim=True)
    if not bool(((covariance - covariance.mT).abs() <= tolerance).all()):
        raise ValueError(f"{name} must be symmetric, got {covariance.tolist()}")
    root, info = torch.linalg.cholesky_ex(covariance)
    if bool((info != 0).any()):
        raise ValueError(f"{name} must be positive definite, got {covariance.tolist()}")
    return root


def _source(device: torch.device, generator: Generator | None) -> torch.device:
    if generator is None:
        return device
    if not isinstance(generator, Generator):
        raise ValueError(f"generator must be a torch.Generator or None, got {generator!r}")
    return generator.device


def randn(shape: Sequence[int], like: Tensor, generator: Generator | None = None) -> Tensor:
    """Draw N(0, 1) in the dtype and on the device of `like`, with the bits of the generator."""
    device = _source(like.device, generator)
    noise = torch.randn(tuple(shape), generator=generator, dtype=like.dtype, device=device)
    return noise.to(like.device)


def rand(shape: Sequence[int], like: Tensor, generator: Generator | None = None) -> Tensor:
    """Draw from [0, 1) as :func:`randn` does."""
    device = _source(like.device, generator)
    noise = torch.rand(tuple(shape), generator=generator, dtype=like.dtype, device=device)
    return noise.to(like.device)


def randint(high: int, n: int, device: torch.device, generator: Generator | None = None) -> Tensor:
    """Draw n whole numbers from 0 to high - 1, int64 [n]."""
    source = _source(device, generator)
    return torch.randint(high, (n,), generator=generator, device=source).to(device)


def bernoulli(probabilities: Tensor, generator: Generator | None = None) -> Tensor:
    """Draw 0 or 1 with the given probabilities of 1, in their dtype and on their device."""
    device = _source(probabilities.device, generator)
    if probabilities.device.type == "meta":
        return torch.empty_like(probabilities)
    return torch.bernoulli(probabilities.to(device), generator=generator).to(probabilities.device)


def permutation(n: int, device: torch.device, generator: Generator | None = None) -> Tensor:
    """Draw an order of n things, int64 [n]."""
    source = _source(device, generator)
    return torch.randperm(n, generator=generator, device=source).to(device)
