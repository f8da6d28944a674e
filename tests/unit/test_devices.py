"""Every public callable with its tensors on a device other than the CPU.

The good calls of `public_calls` are made with all tensors, models and sets on a second device
that isn't there, see `elsewhere`: once like CUDA, once like MPS, which has no float64. A tensor
made off the input's device fails the call, and results must lie there again, or on the CPU where
the documentation says so. Gradients are covered too (training, MALA, geodesics): autograd runs
above the device. Figures and live figures take what they draw from there.

Not covered without a real device: which operations its kernels lack, pinned memory, streams. The
same calls therefore run on a real one, marked `gpu`, where there is one.
"""

import fnmatch
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import partial
from types import MethodType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.often import often
from tests.unit.elsewhere import Elsewhere, GeneratorElsewhere, WrongDevice, elsewhere
from tests.unit.public_calls import CALLS
from vaebook import training
from vaebook.datasets import ImageSet

pytestmark = pytest.mark.slow

# Nothing of theirs lies on a device, by pattern of the name.
_ON_THE_CPU = {
    "datasets.digits.*": "makes a set",
    "datasets.downloads.*": "makes sets",
    "datasets.heatmaps.heatmaps": "makes a set",
    "datasets.heatmaps.t_heatmaps": "makes a set",
    "datasets.own.folder": "makes a set",
    "datasets.images.ImageSet.to": "moves a set where it is told to",
    "live.kernel.*": "makes generators on the device, which a pretended one has none of",
    "live.handed.*": "makes generators on the device, which a pretended one has none of",
    "live.retraining.*": "makes generators on the device, which a pretended one has none of",
    "models.latent.Classifier": "makes weights, which are moved as torch's are",
    "recipes.*": "runs on the CPU, where a recipe gives the same bits again",
    "tables.*": "reads files",
}

# Log densities and the points of a cloud are float64, which MPS hasn't: they are on the CPU there,
# and what is decided by them; positions and codes are not.
_PARTLY_ON_THE_CPU = ("latent.samplers.*", "latent.shapes.whiten", "latent.shapes.Cloud.*")

# What torch.func wraps lies on meta, where the pretended device keeps its values: a model refuses
# it. They run on a real device below.
_THROUGH_FUNC = (
    "latent.smooth.smooth_paths",
    *(
        f"latent.geometry.{name}"
        for name in ("curvature", "exp", "geodesic", "log", "metric", "transport", "volume")
    ),
)


def moved(value: Any, device: torch.device) -> Any:
    """Return a value with all its tensors, models and sets on a device."""
    if isinstance(value, Tensor | ImageSet | nn.Module):
        if isinstance(value, Tensor) and value.dtype == torch.float64 and device.type == "mps":
            return value
        return value.to(device)
    if isinstance(value, MethodType):
        return MethodType(value.__func__, moved(value.__self__, device))
    if isinstance(value, partial):
        return partial(value.func, *moved(value.args, device))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(moved(item, device) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(moved(item, device) for item in value)
    if isinstance(value, Mapping):
        return {key: moved(item, device) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        inside = {f.name: moved(getattr(value, f.name), device) for f in fields(value) if f.init}
        return replace(value, **inside)
    return value


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors of an answer, a model's own included."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, nn.Module):
        yield from value.state_dict().values()
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from tensors(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from tensors(getattr(value, field.name))


# They take two thirds of the time of all.
_DEAR = (
    *("live.refinement.refinement", "live.denoising.denoising", "live.figures.half_digit"),
    *("live.figures.trainer", "latent.samplers.Chain.to_arviz", "figures.notes.stand_in_note"),
)
NAMES = [name for name in CALLS if not any(fnmatch.fnmatch(name, p) for p in _ON_THE_CPU)]


def call_on(name: str, device: torch.device) -> list[str]:
    """Make a good call on a device; return where its results lie wrongly."""
    function, arguments = CALLS[name]()
    function, arguments = moved(function, device), moved(arguments, device)
    given = any(True for _ in tensors([arguments, getattr(function, "__self__", None)]))
    if "device" in arguments:
        arguments["device"] = None
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = function(**arguments)
    wanted = device.type
    if not given:
        return []
    partly = any(fnmatch.fnmatch(name, pattern) for pattern in _PARTLY_ON_THE_CPU)
    return [
        f"{tensor.dtype} {list(tensor.shape)} on {tensor.device}"
        for tensor in tensors(answer)
        if tensor.device.type != wanted
        and not (wanted == "mps" and partly and tensor.dtype != torch.float32)
    ]


@pytest.mark.parametrize("kind", often(["cuda", "mps"], 1))
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.weekly] if name in _DEAR else [])
        for name in NAMES
        if name not in _THROUGH_FUNC
    ],
)
def test_results_lie_where_the_arguments_do(
    name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "Generator", GeneratorElsewhere)
    with elsewhere(kind) as device:
        assert call_on(name, device) == []


@pytest.mark.gpu
@pytest.mark.parametrize("name", NAMES)
def test_results_lie_on_a_real_device_too(name: str) -> None:
    if not torch.accelerator.is_available():
        pytest.skip("no accelerator here")
    assert call_on(name, torch.accelerator.current_accelerator()) == []


def test_the_device_that_is_not_there_refuses_what_a_real_one_refuses() -> None:
    with elsewhere("mps") as device:
        there = torch.ones(3, 2).to(device)
        assert isinstance(there, Elsewhere)
        assert there.device == device
        for wrong in (
            lambda: there + torch.ones(3, 2),
            lambda: torch.cat([there, torch.ones(3, 2)]),
            lambda: there.numpy(),
            lambda: there.double(),
            lambda: torch.zeros(2, dtype=torch.float64, device=device),
            lambda: torch.randn(2, device=device, generator=torch.Generator()),
            lambda: torch.bernoulli(there, generator=torch.Generator()),
            lambda: nn.Linear(2, 2)(there),
        ):
            with pytest.raises(WrongDevice):
                wrong()


def test_the_device_that_is_not_there_computes() -> None:
    with elsewhere("cuda") as device:
        layer = nn.Linear(2, 1).to(device)
        x = torch.tensor([[1.0, 2.0]], device=device)
        (gradient,) = torch.autograd.grad(layer(x).sum(), layer.weight)
        assert isinstance(gradient, Elsewhere)
        assert gradient.cpu().tolist() == [[1.0, 2.0]]
        assert x.new_zeros(2).device == device
        assert not isinstance(x.cpu(), Elsewhere)
