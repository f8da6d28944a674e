"""What an ImageSet holds, refuses and gives back; the noise of training against its moments."""

import dataclasses
import hashlib
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from vaebook import datasets
from vaebook.datasets import ImageSet, images

# Monte Carlo is held within this many standard errors: one false alarm in 150,000 per number.
SIGMAS = 4.5


def numbered(n):
    pixels = (torch.arange(n) / 1000.0).reshape(n, 1, 1, 1).expand(n, 1, 2, 2)
    return ImageSet(pixels, torch.arange(n), {"twice": 2 * torch.arange(n)}, title="numbers")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------------------------------------
# What it holds


@pytest.mark.parametrize("shape", [(5, 1, 28, 28), (5, 3, 64, 48), (1, 3, 1, 1)])
def test_grey_and_coloured_images_of_any_size_are_taken(shape):
    assert ImageSet(torch.rand(shape)).images.shape == shape


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        (torch.zeros(5, 28, 28), r"float32 of shape \[5, 28, 28\]"),
        (torch.zeros(5, 2, 28, 28), r"float32 of shape \[5, 2, 28, 28\]"),
        (torch.zeros(5, 28, 28, 3), r"float32 of shape \[5, 28, 28, 3\]"),
        (torch.zeros(0, 1, 28, 28), r"float32 of shape \[0, 1, 28, 28\]"),
        (torch.zeros(5, 1, 28, 28).double(), "float64 of shape"),
        (torch.zeros(5, 1, 28, 28).half(), "float16 of shape"),
        (torch.zeros(5, 1, 28, 28).bool(), "bool of shape"),
        (torch.zeros(5, 1, 28, 28, dtype=torch.complex64), "complex64 of shape"),
        (torch.zeros(5, 1, 28, 28).byte(), "uint8 .*: divide grey values of 0 to 255 by 255"),
        (np.zeros((5, 1, 28, 28), np.float32), "ndarray"),
        ([[[[0.0]]]], "list"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_stack_of_images_is_refused_with_what_was_found(bad, found):
    with pytest.raises(ValueError, match=rf"images must be .*float32.* got {found}"):
        ImageSet(bad)


@pytest.mark.parametrize("pixel", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("in_unit_range", [True, False])
def test_the_first_image_that_is_not_finite_is_named(pixel, in_unit_range):
    pixels = torch.rand(9, 3, 4, 4)
    pixels[[4, 7], 2, 3, 1] = pixel
    with pytest.raises(ValueError, match=f"must be finite, but image 4 has a pixel of {pixel}"):
        ImageSet(pixels, in_unit_range=in_unit_range)


@pytest.mark.parametrize("pixel", [-0.25, 1.5, 255.0])
def test_pixels_outside_the_unit_range_must_be_declared(pixel):
    pixels = torch.rand(9, 1, 4, 4)
    pixels[[3, 8], 0, 1, 1] = pixel
    with pytest.raises(
        ValueError, match=rf"grey values in \[0, 1\], but image 3 has a pixel of {pixel}: divide"
    ):
        ImageSet(pixels)
    standardised = ImageSet(pixels, in_unit_range=False)
    assert not standardised.in_unit_range
    assert torch.equal(standardised.images, pixels)


def test_a_subset_of_standardised_images_stays_declared_so_wherever_its_pixels_lie():
    pixels = torch.rand(4, 1, 4, 4)
    pixels[0] = -1
    assert not ImageSet(pixels, in_unit_range=False)[1:].in_unit_range
    assert ImageSet(pixels[1:])[1:].in_unit_range


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.zeros(4).long(), r"labels must be an integer tensor \[5\], got int64 of shape \[4"),
        (torch.zeros(5, 1).long(), r"labels must be an integer tensor \[5\], got .*\[5, 1\]"),
        (torch.zeros(5), r"labels must be an integer tensor \[5\], got float32"),
        (torch.zeros(5).int(), "labels must be int64, got torch.int32"),
        (torch.zeros(5).bool(), r"labels must be an integer tensor \[5\], got bool"),
        ([0, 1, 0, 1, 0], r"labels must be an integer tensor \[5\], got list"),
        (torch.tensor([0, 1, 0, -1, 0]), "labels must be 0 or more, but image 3 has -1"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        ImageSet(torch.zeros(5, 1, 2, 2), labels)


def test_a_label_without_a_name_and_names_without_labels_are_refused():
    pixels, labels = torch.zeros(3, 1, 2, 2), torch.tensor([0, 2, 1])
    with pytest.raises(ValueError, match=r"labels must be 0 to 1, as .* but image 1 has 2"):
        ImageSet(pixels, labels, names=("a", "b"))
    with pytest.raises(
        ValueError, match=r"names must be a tuple of texts, and beside labels, got \('a',"
    ):
        ImageSet(pixels, names=("a", "b"))
    with pytest.raises(ValueError, match="names must be a tuple of texts"):
        ImageSet(pixels, labels, names="abc")


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (torch.zeros(5, 1), r"\[5\], got float32 of shape \[5, 1\]"),
        (torch.zeros(4), r"\[5\], got float32 of shape \[4\]"),
        (torch.zeros(5).bool(), r"\[5\], got bool"),
        (np.zeros(5), r"\[5\], got ndarray"),
        (torch.tensor([0, 0, 1, float("nan"), 0]), r"finite, got nan at \[3\]"),
    ],
)
def test_factors_that_are_no_columns_are_refused_by_name(factor, message):
    with pytest.raises(ValueError, match=r"factors\['size'\] must be .*" + message):
        ImageSet(torch.zeros(5, 1, 2, 2), factors={"good": torch.zeros(5), "size": factor})
    with pytest.raises(ValueError, match="factors must be a mapping, got list"):
        ImageSet(torch.zeros(5, 1, 2, 2), factors=[factor])


def test_parts_on_several_devices_are_refused():
    pixels = torch.zeros(5, 1, 2, 2)
    elsewhere = torch.zeros(5, device="meta")
    with pytest.raises(ValueError, match="images and labels must be on one device"):
        ImageSet(pixels, elsewhere.long())


def test_an_image_set_says_in_one_line_what_it_holds():
    assert repr(numbered(7)) == (
        "ImageSet(title='numbers', images=[7, 1, 2, 2], labels=[7], factors=['twice'])"
    )
    assert repr(ImageSet(torch.zeros(2, 3, 4, 5))) == (
        "ImageSet(title='images', images=[2, 3, 4, 5])"
    )


# ---------------------------------------------------------------------------------------------
# As a data set of torch


def test_a_data_loader_of_torch_takes_it_as_it_is():
    whole = numbered(10)
    assert isinstance(whole, Dataset)
    seen = []
    for pixels, labels in DataLoader(whole, batch_size=4, shuffle=True, generator=seeded()):
        assert labels.dtype == torch.int64
        assert torch.equal(pixels[:, 0, 0, 0], labels / 1000.0)
        assert pixels.shape[1:] == (1, 2, 2)
        seen += labels.tolist()
    assert sorted(seen) == list(range(10))
    assert seen != list(range(10))
    bare = next(iter(DataLoader(ImageSet(torch.rand(10, 3, 4, 4)), batch_size=4)))
    assert bare.shape == (4, 3, 4, 4)


def test_it_can_be_walked_through_and_ends():
    whole = numbered(5)
    assert [int(label) for _, label in list(whole)] == [0, 1, 2, 3, 4]
    assert [image.shape for image in list(ImageSet(whole.images))] == 5 * [(1, 2, 2)]


@pytest.mark.parametrize("i", [3, -7, np.int64(3), torch.tensor(3)])
def test_an_int_gives_one_image_and_its_label(i):
    image, label = numbered(10)[i]
    assert image.shape == (1, 2, 2)
    assert image[0, 0, 0] == torch.tensor(0.003)
    assert label == 3


@pytest.mark.parametrize("i", [10, -11])
@pytest.mark.parametrize("wrap", [int, lambda i: [i], lambda i: torch.tensor([0, i])])
def test_an_index_out_of_range_is_an_index_error(i, wrap):
    with pytest.raises(IndexError, match=r"out of (bounds|range)"):
        numbered(10)[wrap(i)]


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (slice(2, 4), [2, 3]),
        (slice(None, None, 4), [0, 4, 8]),
        (slice(20, 30), []),
        ([7, 1, -1], [7, 1, 9]),
        ([], []),
        (range(3), [0, 1, 2]),
        (np.array([7, 1]), [7, 1]),
        (np.arange(10) > 7, [8, 9]),
        ([i in (2, 5) for i in range(10)], [2, 5]),
        (torch.tensor([7, 1, 7]), [7, 1, 7]),
        (torch.tensor([1, 0, 1], dtype=torch.uint8), [1, 0, 1]),
        (torch.tensor([7, 1], dtype=torch.int16), [7, 1]),
        (torch.arange(10) > 7, [8, 9]),
        (torch.zeros(10).bool(), []),
    ],
)
def test_several_rows_give_the_set_of_them_with_all_that_is_known(index, expected):
    part = numbered(10)[index]
    assert isinstance(part, ImageSet)
    assert part.labels.tolist() == expected
    assert part.factors["twice"].tolist() == [2 * i for i in expected]
    assert torch.equal(part.images[:, 0, 0, 0], torch.tensor(expected) / 1000.0)
    assert part.title == "numbers"


@pytest.mark.parametrize(
    "bad",
    [
        1.0,
        True,
        None,
        "a",
        ["a"],
        {},
        (0, 1),
        (slice(2), 0),
        [0.0, 1.0],
        [[0, 1]],
        torch.tensor([0.0]),
        torch.tensor([[0, 1]]),
        torch.ones(9).bool(),
        torch.ones(10, 1).bool(),
    ],
)
def test_what_is_no_index_is_refused_with_what_would_be(bad):
    with pytest.raises(ValueError, match=r"an index must be an int, a slice, .*|a mask must be"):
        numbered(10)[bad]


def test_a_batch_is_not_checked_again(monkeypatch):
    whole = numbered(100)

    def fail(*arguments):
        raise AssertionError("the pixels were looked at")

    monkeypatch.setattr(images, "_pixel_range", fail)
    monkeypatch.setattr(ImageSet, "__post_init__", fail)
    assert len(whole[10:20]) == len(whole[torch.arange(10)]) == 10


def test_a_set_can_be_pickled_and_copied_with_other_fields():
    whole = numbered(4)[1:]
    again = pickle.loads(pickle.dumps(whole))
    assert again.checksum == whole.checksum
    assert again.title == "numbers"
    renamed = dataclasses.replace(whole, title="others")
    assert renamed.title == "others"
    assert renamed.images is whole.images
    with pytest.raises(dataclasses.FrozenInstanceError):
        whole.title = "changed"


def test_a_set_goes_to_a_device_as_a_whole():
    moved = numbered(4).to("meta")
    tensors = [moved.images, moved.labels, moved.factors["twice"]]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    part = moved[torch.tensor([1, 2])]
    assert part.images.device.type == "meta"
    assert part.images.shape == (2, 1, 2, 2)
    assert ImageSet(torch.zeros(2, 1, 2, 2)).to("meta").labels is None


# ---------------------------------------------------------------------------------------------
# Transformed images


def test_other_images_keep_what_is_known_about_them():
    whole = numbered(10)
    other = whole.with_images(1 - whole.images)
    assert torch.equal(other.images, 1 - whole.images)
    assert other.labels is whole.labels
    assert other.factors is whole.factors
    assert other.in_unit_range


def test_other_images_say_whether_they_left_the_unit_range():
    whole = numbered(10)
    noisy = whole.with_images(datasets.add_noise(whole.images, 0.1, seeded()))
    assert not noisy.in_unit_range
    assert noisy.with_images(datasets.binarize(whole.images, seeded())).in_unit_range


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(9, 1, 2, 2), "images must be 10 as before, got 9"),
        (torch.zeros(10, 4), "images must be float32"),
        (torch.full((10, 1, 2, 2), float("nan")), "images must be finite, but image 0"),
        (torch.zeros(10, 1, 2, 2).double(), "images must be float32 .* got float64"),
    ],
)
def test_other_images_are_checked(bad, message):
    with pytest.raises(ValueError, match=message):
        numbered(10).with_images(bad)


# ---------------------------------------------------------------------------------------------
# Splits


@given(st.integers(3, 200), st.floats(0.01, 0.99), st.integers(0, 2**31))
def test_a_split_is_disjoint_complete_and_repeats_itself(n, fraction, seed):
    whole = numbered(n)
    size = round(fraction * n)
    if not 0 < size < n:
        with pytest.raises(ValueError, match=r"fraction must leave both parts non-empty"):
            whole.split(fraction, seed)
        return
    first, rest = whole.split(fraction, seed)
    assert len(first) == size
    assert sorted(torch.cat([first.labels, rest.labels]).tolist()) == list(range(n))
    again, _ = whole.split(fraction, seed)
    assert torch.equal(first.labels, again.labels)
    for part in (first, rest):
        assert torch.equal(part.images[:, 0, 0, 0], part.labels / 1000.0)
        assert torch.equal(part.factors["twice"], 2 * part.labels)


def test_another_seed_splits_otherwise():
    whole = numbered(100)
    assert not torch.equal(whole.split(0.5, 0)[0].labels, whole.split(0.5, 1)[0].labels)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan"), "half", torch.tensor(0.5)])
def test_a_fraction_outside_its_range_is_refused(fraction):
    with pytest.raises(ValueError, match=r"fraction must be a finite number in \(0, 1\), got"):
        numbered(10).split(fraction, 0)


@pytest.mark.parametrize("seed", [-1, 0.5, None])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(ValueError, match="seed must be a whole number, 0 or more, got"):
        numbered(10).split(0.5, seed)


# ---------------------------------------------------------------------------------------------
# The checksum


def test_the_checksum_is_the_sha256_of_shapes_grey_values_labels_and_factors():
    grey = np.arange(8, dtype=np.uint8).reshape(2, 1, 2, 2)
    labels, size = np.array([1, 0]), np.array([0.5, 2.0], np.float32)
    found = ImageSet(
        torch.tensor(grey / 255, dtype=torch.float32),
        torch.tensor(labels),
        {"size": torch.tensor(size)},
    )
    expected = hashlib.sha256(
        b"images uint8 [2, 1, 2, 2]\n"
        + grey.tobytes()
        + b"labels int64 [2]\n"
        + labels.astype("<i8").tobytes()
        + b"factors size float32 [2]\n"
        + size.astype("<f4").tobytes()
    )
    assert found.checksum == expected.hexdigest()


def test_images_outside_the_unit_range_count_with_all_their_bits():
    pixels = torch.tensor([[[[-1.5, 0.25]]]])
    expected = hashlib.sha256(
        b"images float32 [1, 1, 1, 2]\n" + np.array([-1.5, 0.25], "<f4").tobytes()
    )
    assert ImageSet(pixels, in_unit_range=False).checksum == expected.hexdigest()
    nearly = pixels * (1 + 1e-6)
    assert ImageSet(nearly, in_unit_range=False).checksum != expected.hexdigest()


def test_the_checksum_forgives_less_than_half_a_grey_value():
    grey = torch.arange(256.0).reshape(1, 1, 16, 16) / 255
    nudged = (grey + 0.4 / 255 * torch.linspace(-1, 1, 256).reshape(1, 1, 16, 16)).clamp(0, 1)
    assert ImageSet(nudged).checksum == ImageSet(grey).checksum
    grey[0, 0, 3, 3] += 1 / 255
    assert ImageSet(nudged).checksum != ImageSet(grey).checksum


def test_the_checksum_changes_with_all_that_decides_the_data_and_with_nothing_else():
    pixels, labels = torch.rand(6, 1, 4, 4, generator=seeded()), torch.arange(6) % 2
    factors = {"a": torch.rand(6), "b": torch.rand(6)}
    base = ImageSet(pixels, labels, factors)
    others = {
        "inverted": ImageSet(1 - pixels, labels, factors),
        "another shape": ImageSet(pixels.reshape(6, 1, 2, 8), labels, factors),
        "another number": base[:5],
        "another order": base[[1, 0, 2, 3, 4, 5]],
        "other labels": ImageSet(pixels, 1 - labels, factors),
        "no labels": ImageSet(pixels, None, factors),
        "no factors": ImageSet(pixels, labels),
        "one factor": ImageSet(pixels, labels, {"a": factors["a"]}),
        "factors swapped": ImageSet(pixels, labels, {"a": factors["b"], "b": factors["a"]}),
        "a factor of another name": ImageSet(pixels, labels, {**factors, "c": factors["b"]}),
        "as standardised": ImageSet(pixels, labels, factors, in_unit_range=False),
    }
    sums = {"base": base.checksum} | {name: other.checksum for name, other in others.items()}
    assert len(set(sums.values())) == len(sums), sums
    reordered = {"b": factors["b"], "a": factors["a"]}
    same = ImageSet(pixels.clone(), labels, reordered, names=("even", "odd"), title="renamed")
    assert same.checksum == base.checksum


def test_the_checksum_of_many_images_is_that_of_their_bytes_in_one_piece():
    grey = np.random.default_rng(0).integers(0, 256, (5000, 1, 1, 2), dtype=np.uint8)
    found = ImageSet(torch.tensor(grey / 255, dtype=torch.float32)).checksum
    whole = b"images uint8 [5000, 1, 1, 2]\n" + grey.tobytes()
    assert found == hashlib.sha256(whole).hexdigest()


# ---------------------------------------------------------------------------------------------
# Noise


def test_binarised_pixels_have_the_grey_values_as_their_means():
    grey = torch.rand(50, 1, 64, 64, generator=seeded())
    grey[0] = 0
    grey[1] = 1
    binary = datasets.binarize(grey, seeded(1))
    assert set(binary.unique().tolist()) == {0.0, 1.0}
    assert (binary[0] == 0).all()
    assert (binary[1] == 1).all()
    # Weighted by the grey value too: the right mean in the wrong pixels would pass the first.
    for weight in (torch.ones_like(grey), grey - 0.5):
        spread = (weight.square() * grey * (1 - grey)).sum().sqrt()
        assert ((binary - grey) * weight).sum().abs() < SIGMAS * spread
    assert torch.equal(binary, datasets.binarize(grey, seeded(1)))
    assert not torch.equal(binary, datasets.binarize(grey, seeded(2)))


def test_noise_has_mean_zero_the_given_deviation_and_is_independent_of_the_pixels():
    clean = torch.rand(40, 3, 32, 32, generator=seeded())
    noise = (datasets.add_noise(clean, 0.2, seeded(1)) - clean).double().flatten()
    n = len(noise)
    assert noise.mean().abs() < SIGMAS * 0.2 / n**0.5
    # The variance of a squared standard normal is 2.
    assert ((noise / 0.2).square().mean() - 1).abs() < SIGMAS * (2 / n) ** 0.5
    pixels = clean.double().flatten()
    correlation = torch.corrcoef(torch.stack([noise, pixels]))[0, 1]
    assert correlation.abs() < SIGMAS / n**0.5
    assert torch.equal(datasets.add_noise(clean, 0.0), clean)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noise_comes_in_the_dtype_of_the_images(dtype):
    grey = torch.rand(2, 1, 4, 4, dtype=dtype)
    assert datasets.binarize(grey).dtype == dtype
    assert datasets.add_noise(grey, 0.1).dtype == dtype


@pytest.mark.parametrize("pixel", [-0.1, 1.1, float("nan"), float("inf")])
def test_pixels_that_are_no_probabilities_cannot_be_binarised(pixel):
    grey = torch.rand(5, 1, 4, 4)
    grey[3, 0, 2, 2] = pixel
    with pytest.raises(ValueError, match=r"probabilities in \[0, 1\], but image 3 has a pixel of"):
        datasets.binarize(grey)


@pytest.mark.parametrize("scale", [-0.1, float("nan"), float("inf"), "a", torch.tensor(0.1)])
def test_a_deviation_that_is_none_is_refused(scale):
    with pytest.raises(ValueError, match=r"scale must be a finite number in \[0, inf\], got"):
        datasets.add_noise(torch.zeros(1, 1, 2, 2), scale)


@pytest.mark.parametrize("noise", [datasets.binarize, lambda x: datasets.add_noise(x, 0.1)])
@pytest.mark.parametrize(
    "bad", [torch.zeros(4, 4), torch.zeros(1, 1, 4, 4).byte(), np.zeros((1, 1, 4, 4)), [[0.0]]]
)
def test_noise_goes_to_stacks_of_images_only(noise, bad):
    with pytest.raises(ValueError, match=r"images must be a float tensor \[N, C, H, W\], got"):
        noise(bad)
