"""The widgets of a figure that needs a kernel, to be set and pressed by a test."""

import time
from typing import Any

import torch

from vaebook.datasets import ImageSet
from vaebook.live import WithKernel

WIDGET = "application/vnd.jupyter.widget-view+json"


def blobs(n: int = 96) -> ImageSet:
    """Two classes of images of 4 × 4 pixels: light on the left, and on the right."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 2
    light = torch.zeros(2, 4, 4)
    light[0, :, :2] = light[1, :, 2:] = 0.8
    noise = 0.2 * torch.rand(n, 4, 4, generator=generator)
    return ImageSet((light[labels] + noise)[:, None], labels)


def widgets(figure: WithKernel) -> dict[str, Any]:
    """Return what a figure consists of, by description, or by kind and number: HTML, HTML 2."""
    from ipywidgets.widgets.widget import _instances

    found: dict[str, Any] = {}

    def walk(widget: Any) -> None:
        name = getattr(widget, "description", "") or type(widget).__name__
        n = sum(key.split(" ")[0] == name for key in found)
        found[f"{name} {n + 1}" if n else name] = widget
        for child in getattr(widget, "children", ()):
            walk(child)

    walk(_instances[figure._repr_mimebundle_()[WIDGET]["model_id"]])
    return found


def press(found: dict[str, Any], words: str) -> None:
    """Press a button, and wait until what it has begun is done."""
    found[words].click()
    for _ in range(3000):
        if not found[words].disabled:
            return
        time.sleep(0.01)
    raise AssertionError(f"{words} takes more than half a minute")
