"""What figures are given is read as it is or refused by name; images keep every pixel."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from tests.unit.figures_checks import COLOURED, GRID, RNG, eight_bits, opened, pixels
from vaebook.figures.pictures import (
    album,
    data_url,
    picture,
    read_axis,
    read_classes,
    read_images,
    read_numbers,
    read_per_point,
    read_texts,
    round_ticks,
)

# --- Reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        [1, 2.5],
        np.array([1, 2.5]),
        torch.tensor([1, 2.5], requires_grad=True),
        torch.tensor([1, 2.5], dtype=torch.float64),
        torch.tensor([1, 2.5], dtype=torch.float16),
        torch.tensor([1, 2.5], dtype=torch.bfloat16),
        [torch.tensor(1), torch.tensor(2.5)],
    ],
)
def test_numbers_are_read_from_tensors_arrays_and_lists(value: object) -> None:
    array = read_numbers(value, "x", "[N]")
    assert array.dtype == np.float32
    assert_array_equal(array, [1, 2.5])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1, 2], [3]], "x must be a tensor, an array or a list of numbers, got list"),
        (["a", "b"], "x must be numbers, got <U1"),
        (None, "x must be numbers, got object"),
        ([1j, 2], "x must be numbers, got complex128"),
        (torch.zeros(2, dtype=torch.complex64), "x must be numbers, got complex64"),
        (torch.zeros(2, device="meta"), "x must be a tensor, an array"),
        (torch.zeros(2).to_sparse(), "x must be a tensor, an array"),
        ([torch.zeros(2, requires_grad=True)], "x must be a tensor, an array"),
        ([], r"x must be \[N\], got shape \[0\]"),
        (1.0, r"x must be \[N\], got shape \[\]"),
        (torch.zeros(2, 2), r"x must be \[N\], got shape \[2, 2\]"),
        ([1, np.nan], "x must be finite in float32, got 1 values not so"),
        ([1, -np.inf, np.inf], "x must be finite in float32, got 2 values not so"),
        ([1.0, 1e300], "x must be finite in float32, got 1 values not so"),
    ],
)
def test_what_is_no_list_of_numbers_is_refused_by_name(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_numbers(value, "x", "[N]")


def test_gaps_are_left_where_they_are_allowed_and_overflow_is_refused_all_the_same() -> None:
    assert_array_equal(read_numbers([1, np.nan], "x", "[N]", finite=False), [1, np.nan])
    with pytest.raises(ValueError, match="x must be finite in float32, got 1 values not so"):
        read_numbers([np.nan, 1e300], "x", "[N]", finite=False)


@pytest.mark.parametrize("value", [[1, 1, 2], [0, 1, 0]])
def test_an_axis_that_turns_back_is_refused(value: list[float]) -> None:
    with pytest.raises(ValueError, match="x must rise, or fall"):
        read_axis(value, "x")


def test_an_axis_may_fall_or_have_one_number() -> None:
    assert_array_equal(read_axis([3, 1], "x"), [3, 1])
    assert_array_equal(read_axis([3], "x"), [3])


def test_numbers_and_labels_are_one_per_point() -> None:
    assert_array_equal(read_per_point([1, 2], "colour", 2), [1, 2])
    with pytest.raises(ValueError, match=r"colour must be \[3\], one per point, got \[2\]"):
        read_per_point([1, 2], "colour", 3)
    with pytest.raises(ValueError, match=r"labels must be \[3\], one per point, got \[2\]"):
        read_classes([1, 2], "labels", 3)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0.0, 1.0], "labels must be integers, got float64"),
        (["cat", "dog"], "labels must be integers, got <U3"),
        ([0, -1], "labels must be 0 or more, got -1"),
    ],
)
def test_labels_are_whole_numbers_from_zero_on(labels: list[object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_classes(labels, "labels", 2)


def test_labels_may_be_of_any_integer_type_and_truth_values() -> None:
    for labels in ([1, 0], np.uint8([1, 0]), torch.tensor([1, 0]), torch.tensor([True, False])):
        assert read_classes(labels, "labels", 2).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 28, 28), r"images must be \[N, C, H, W\], got shape \[2, 28, 28\]"),
        ((2, 2, 8, 8), r"with C of 1 or 3, got \[2, 2, 8, 8\]"),
        ((0, 1, 8, 8), r"images must be \[N, C, H, W\], got shape \[0, 1, 8, 8\]"),
    ],
)
def test_images_of_another_shape_are_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_images(np.zeros(shape))


@pytest.mark.parametrize("shift", [-0.01, 0.01])
def test_pixels_outside_0_and_1_are_refused_and_rounding_is_not(shift: float) -> None:
    extremes = np.array([0.0, 1.0]).reshape(1, 1, 1, 2)
    read_images(extremes + shift * 1e-5)
    with pytest.raises(ValueError, match=r"images must lie in \[0, 1\], got values from"):
        read_images(extremes + shift)


def test_texts_are_words_or_short_numbers_with_true_minus_signs() -> None:
    given = [-0.12345, np.float32(0.5), torch.tensor(3), "a", 10**6]
    assert read_texts(given, "labels", 5, "image") == [
        "\N{MINUS SIGN}0.123",
        "0.5",
        "3",
        "a",
        "1000000",
    ]
    assert read_texts(torch.tensor([0.25, 1]), "labels", 2, "image") == ["0.25", "1"]
    assert read_texts(range(2), "labels", 2, "image") == ["0", "1"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("ab", "labels must be 3, one per image, got 2"),
        (5, "labels must be words or numbers, got 5"),
        (np.eye(3), "labels must be words or numbers"),
        (torch.eye(3), "labels must be words or numbers"),
    ],
)
def test_texts_that_do_not_fit_are_refused(texts: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_texts(texts, "labels", 3, "image")


# --- Pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [GRID, COLOURED], ids=["grey", "colour"])
def test_a_picture_keeps_every_pixel_and_its_gaps_are_transparent(cells: np.ndarray) -> None:
    found = pixels(picture(cells, gap=1))
    assert found.shape == (3 * 6 - 1, 4 * 7 - 1, 4)
    for r in range(3):
        for k in range(4):
            cell = found[6 * r : 6 * r + 5, 7 * k : 7 * k + 6]
            assert_array_equal(cell[..., :3], eight_bits(cells[r, k]))
            assert (cell[..., 3] == 255).all()
    assert (found[5, :, 3] == 0).all()
    assert (found[:, 6, 3] == 0).all()


def test_a_picture_without_gaps_is_opaque_and_a_missing_image_is_not() -> None:
    cells = COLOURED.copy()
    assert opened(picture(cells, gap=0).source).mode == "RGB"
    cells[1, 2] = np.nan
    found = pixels(picture(cells, gap=0))
    assert (found[5:10, 12:18, 3] == 0).all()
    assert (found[..., 3] == 0).sum() == 5 * 6


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_data_url_holds_the_image(mode: str) -> None:
    image = Image.fromarray(RNG.integers(0, 255, (4, 5, 3), dtype=np.uint8)).convert(mode)
    assert_array_equal(np.asarray(opened(data_url(image))), np.asarray(image))
    assert data_url(image.convert("L"), "JPEG", quality=50).startswith("data:image/jpeg;base64,")


@given(
    n=st.integers(1, 12),
    height=st.integers(2, 20),
    width=st.integers(2, 20),
    channels=st.sampled_from([1, 3]),
)
def test_each_image_of_an_album_lies_in_its_place_of_the_sheet(
    n: int, height: int, width: int, channels: int
) -> None:
    hue = np.linspace(1, 0.6, channels)[None, :, None, None]
    grey = np.arange(n) / max(1, n - 1)
    slope = np.linspace(0, 0.2, width)[None, None, None, :]
    images = hue * np.broadcast_to(
        0.8 * grey[:, None, None, None] + slope, (n, channels, height, width)
    )
    found = album(images.astype(np.float32))
    sheet = np.asarray(opened(found["source"]).convert("RGB")) / 255
    assert found["count"] == n
    assert found["size"] == [width, height]
    across, down = found["pitch"]
    for i in range(n):
        row, column = divmod(i, found["columns"])
        cell = sheet[row * down :, column * across :][:height, :width]
        # What JPEG loses of a slope is a few greys of 255; the images are further apart.
        assert_allclose(cell, eight_bits(images[i]) / 255, atol=0.045)


@given(
    st.floats(-50, 50, allow_subnormal=False),
    st.floats(0.01, 100),
    st.integers(2, 30),
    st.integers(1, 40),
    st.booleans(),
)
def test_ticks_of_a_manifold_stand_at_their_own_coordinates(
    low: float, span: float, n: int, pitch: int, down: bool
) -> None:
    values = np.linspace(low, low + span, n).astype(np.float32)[:: -1 if down else 1]
    ticks = round_ticks(values, pitch)
    places = (np.array(ticks["tickvals"]) - (pitch - 1) / 2) / pitch
    found = np.interp(places, np.arange(n), values)
    shown = [float(t.replace("\N{MINUS SIGN}", "-")) for t in ticks["ticktext"]]
    assert 1 <= len(shown) <= 8
    assert_allclose(found, shown, atol=6e-3 * max(abs(low), abs(low + span), span))
