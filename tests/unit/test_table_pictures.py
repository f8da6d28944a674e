"""Pictures in a row of a table: what comes back is what went in, to half a grey value."""

import json
from typing import Any

import pytest
import torch
from torch import Tensor

from vaebook import tables


def test_each_of_the_256_grey_values_comes_back_from_json_as_it_was() -> None:
    images = (torch.arange(256) / 255).view(4, 1, 8, 8)
    packed = json.loads(json.dumps(tables.pack_images(images)))
    assert torch.equal(tables.unpack_images(packed), images)


@pytest.mark.parametrize("shape", [(2, 3), (5, 3, 4, 6), (2, 3, 1, 4, 6)])
def test_values_between_greys_come_back_to_half_a_grey_value(shape: tuple[int, ...]) -> None:
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    found = tables.unpack_images(tables.pack_images(images))
    assert found.shape == images.shape
    assert (found - images).abs().max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("images", [torch.full((1, 2), -0.1), torch.full((1, 2), 1.1)])
def test_images_beyond_grey_are_refused_by_name(images: Tensor) -> None:
    with pytest.raises(ValueError, match=r"images must .*1"):
        tables.pack_images(images)


@pytest.mark.parametrize(
    "damage",
    [
        {"shape": [2, 4]},
        {"shape": "large"},
        {"uint8_zlib_base64": "?"},
        {"uint8_zlib_base64": "AAAA"},
        {"uint8_zlib_base64": None},
    ],
)
def test_a_damaged_entry_is_refused(damage: dict[str, Any]) -> None:
    packed = tables.pack_images(torch.zeros(2, 3)) | damage
    with pytest.raises(ValueError, match="packed must be what pack_images returns"):
        tables.unpack_images(packed)
