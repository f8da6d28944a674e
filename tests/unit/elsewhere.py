"""A second device that isn't there: tensors with real numbers that say they lie elsewhere.

Under :func:`elsewhere` whatever is made with the device's name is an :class:`Elsewhere`, a tensor
that computes on the CPU and reports the other device. An operation of one with a plain tensor of
one axis or more is refused, as a real device refuses it, and so are `.numpy()`, float64 where the
device is MPS, and a generator of another device. `.cpu()` brings the numbers back.

Autograd runs above this, so that gradients, optimisers and samplers work as they do anywhere.
"""

# What it says of itself is not what torch's annotations say of a tensor.
# mypy: disable-error-code="override"

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map

_place: list[torch.device] = []


def here() -> torch.device:
    """Return the device that isn't there."""
    return _place[-1]


class WrongDevice(AssertionError):
    """A tensor was made off the input's device."""


class Elsewhere(Tensor):
    """A tensor that computes on the CPU and says that it lies on another device."""

    inner: Tensor

    # To torch it is a tensor without storage: autograd then needs nothing of the device.
    @staticmethod
    def __new__(cls, real: Tensor) -> "Elsewhere":
        if here().type == "mps" and real.dtype == torch.float64:
            raise WrongDevice("the device has no float64")
        made = Tensor._make_wrapper_subclass(
            cls,
            real.shape,
            strides=real.stride(),
            storage_offset=real.storage_offset(),
            dtype=real.dtype,
            device="meta",
            requires_grad=False,
        )
        made.inner = real.detach()
        return made

    device = property(lambda self: here())
    is_meta = property(lambda self: False)
    is_cpu = property(lambda self: False)
    is_cuda = property(lambda self: here().type == "cuda")
    is_mps = property(lambda self: here().type == "mps")

    def __repr__(self, **_: Any) -> str:
        return f"Elsewhere({self.inner})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 else repr(self)

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def numpy(self, **_: Any) -> Any:
        raise WrongDevice("numpy can't read another device: .cpu() comes first")

    def __array__(self, *_: Any) -> Any:
        self.numpy()

    def __getitem__(self, index: Any) -> Tensor:
        return super().__getitem__(_index(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(_index(index), value)

    def new_tensor(self, data: Any, dtype: torch.dtype | None = None) -> Tensor:
        return torch.tensor(data, dtype=dtype or self.dtype, device=self.device)

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(function, args, kwargs or {})


class _Named(TorchFunctionMode):
    """Hand the device on as "meta", of which torch asks nothing before it dispatches."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function in (torch.device, torch.get_device_module):
            return function(*args, **(kwargs or {}))
        args, kwargs = tree_map(_renamed, (args, kwargs or {}))
        generator = kwargs.get("generator")
        away = kwargs.get("device") == _META or any(isinstance(a, Elsewhere) for a in args)
        if away and isinstance(generator, Generator) and generator.device != here():
            raise WrongDevice(f"{function.__name__} with a generator on {generator.device}")
        return function(*args, **kwargs)


_META = torch.device("meta")


def _made(make: Any, data: Any, *, device: Any = None, **kwargs: Any) -> Tensor:
    """Make a tensor of numbers, of which torch makes nothing on meta."""
    made = make(data, **kwargs)
    return made if device is None else made.to(_renamed(torch.device(device)))


def _index(part: Any) -> Any:
    """Read a list in an index as it is read on a real device, not on meta."""
    if isinstance(part, tuple):
        return tuple(map(_index, part))
    return torch.tensor(part) if isinstance(part, list | np.ndarray) else part


def _renamed(leaf: Any) -> Any:
    named = isinstance(leaf, torch.device) and leaf.type == here().type
    return _META if named or (isinstance(leaf, str) and leaf == here().type) else leaf


class _Run(TorchDispatchMode):
    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(function, args, kwargs or {})


_INDEXING = ("aten::index", "aten::index_put_", "aten::index_put", "aten::_index_put_impl_")


def _run(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run an operation on the real numbers, and say where its result lies."""
    tensors = [leaf for leaf in tree_iter((args, kwargs)) if isinstance(leaf, Tensor)]
    away = any(isinstance(leaf, Elsewhere) for leaf in tensors)
    name = function._schema.name
    asked = kwargs.get("device")
    copies = name in ("aten::copy_", "aten::_to_copy")
    if away and not copies:
        # An index may come from the CPU, as the index of a list does.
        strangers = [
            leaf
            for leaf in (args[:1] if name in _INDEXING else tensors)
            if isinstance(leaf, Tensor) and not isinstance(leaf, Elsewhere) and leaf.ndim
        ]
        if strangers:
            shapes = [list(leaf.shape) for leaf in tensors]
            raise WrongDevice(f"{name} of {shapes}: some were made off the input's device")
    if asked is not None:
        away = torch.device(asked).type in (here().type, "meta")
        kwargs = kwargs | {"device": torch.device("cpu")}
    if copies and name == "aten::copy_":
        away = isinstance(args[0], Elsewhere)
    if "pin_memory" in kwargs:
        kwargs = kwargs | {"pin_memory": False}

    def inside(leaf: Any) -> Any:
        return leaf.inner if isinstance(leaf, Elsewhere) else leaf

    answer = function(*tree_map(inside, args), **tree_map(inside, kwargs))
    if function._schema.is_mutable:
        # What was written into is the caller's own object.
        known = {id(leaf.inner): leaf for leaf in tensors if isinstance(leaf, Elsewhere)}
        answer = tree_map(lambda leaf: known.get(id(leaf), leaf), answer)
    if not away:
        return answer
    return tree_map(
        lambda leaf: (
            Elsewhere(leaf) if isinstance(leaf, Tensor) and type(leaf) is not Elsewhere else leaf
        ),
        answer,
    )


class GeneratorElsewhere(Generator):
    """A generator that says it is on the device that isn't there."""

    place: torch.device

    def __new__(cls, device: Any = "cpu") -> "GeneratorElsewhere":
        made = super().__new__(cls)
        made.place = torch.device(device)
        return made

    device = property(lambda self: self.place)


@contextmanager
def elsewhere(kind: str) -> Iterator[torch.device]:
    """Let there be another device of a kind, such as "mps"."""
    _place.append(torch.device(kind, 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "tensor", partial(_made, torch.tensor))
        patch.setattr(torch, "as_tensor", partial(_made, torch.as_tensor))
        # Torch can't keep a tensor of a class of one's own in inference mode.
        patch.setattr(
            torch, "inference_mode", lambda on=True: torch.no_grad() if on else nullcontext()
        )
        try:
            with _Run(), _Named():
                yield here()
        finally:
            _place.pop()
