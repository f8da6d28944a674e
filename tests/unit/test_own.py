"""A reader's own images: what becomes of each kind of file and array, and what is refused."""

import io
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vaebook import datasets, models
from vaebook.datasets import ImageSet

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)


def load(path, size=8, channels=3):
    return datasets.folder(path, size, channels, progress=False)


def save(path, pixels=PHOTO, mode=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    image = image if mode is None else image.convert(mode)
    image.save(path, **options)
    return path


def eight_bits(images):
    """Images [N, C, H, W] as [N, H, W, C] of uint8."""
    return (255 * images).round().byte().permute(0, 2, 3, 1).numpy()


def one(path, **settings):
    """What becomes of the one picture of a folder, [H, W, C] of uint8."""
    return eight_bits(load(path, **settings).images)[0]


# ---------------------------------------------------------------------------------------------
# Folders


def test_class_folders_give_labels_and_names_in_the_order_of_the_alphabet(tmp_path):
    for i, name in enumerate(("dogs/b.png", "cats/2.png", "dogs/a.png", "cats/10.png")):
        save(tmp_path / "pets" / name, np.full((8, 8), i, np.uint8))
    pets = load(tmp_path / "pets")
    assert pets.names == ("cats", "dogs")
    assert pets.labels.tolist() == [0, 0, 1, 1]
    assert pets.title == "pets"
    assert eight_bits(pets.images)[:, 0, 0, 0].tolist() == [3, 1, 2, 0]


def test_a_flat_folder_has_no_labels(tmp_path):
    for name in ("b.png", "a.png", "C.PNG"):
        save(tmp_path / name)
    images = load(tmp_path)
    assert images.images.shape == (3, 3, 8, 8)
    assert (images.labels, images.names) == (None, ())
    assert images.in_unit_range


def test_a_path_may_be_a_text_and_begin_at_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / "photos" / "a.png")
    assert len(load("~/photos")) == len(load(str(tmp_path / "photos"))) == 1


@pytest.mark.parametrize(
    "name", ["a.png", "a.PNG", "a.jpg", "a.JPG", "a.jpeg", "a.JpEg", "a.webp", "a.WEBP"]
)
def test_png_jpeg_and_webp_are_read_whatever_their_suffix_looks_like(tmp_path, name):
    save(tmp_path / name, np.full((8, 8, 3), 200, np.uint8))
    assert abs(one(tmp_path).astype(int) - 200).max() <= 2


def test_a_picture_under_the_suffix_of_another_kind_is_read(tmp_path):
    save(tmp_path / "a.jpg", format="PNG")
    assert (one(tmp_path) == PHOTO).all()


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_of_a_moving_picture_the_first_frame_is_taken(tmp_path, kind):
    first, second = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    options = {"lossless": True} if kind == "webp" else {}
    first.save(tmp_path / f"a.{kind}", save_all=True, append_images=[second], **options)
    assert (one(tmp_path) == [255, 0, 0]).all()


def test_a_photograph_with_a_second_picture_inside_is_read(tmp_path):
    # As phones write them: the camera's picture, and a preview or a depth map behind it.
    first, second = (Image.new("RGB", (64, 64), colour) for colour in ("red", "blue"))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
    assert abs(one(tmp_path).astype(int) - [255, 0, 0]).max() <= 2


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    save(tmp_path / "cats" / "a.png")
    save(tmp_path / ".thumbnails" / "a.png")
    save(tmp_path / "cats" / ".cache" / "a.png")
    for name in (".DS_Store", "cats/.DS_Store", "cats/._a.png"):
        (tmp_path / name).write_bytes(b"\0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images = load(tmp_path)
    assert images.names == ("cats",)
    assert len(images) == 1


def test_other_files_are_left_out_with_a_warning_that_names_them(tmp_path):
    save(tmp_path / "cats" / "a.png")
    for name in ("notes.txt", "cats/photo.heic", *(f"cats/{i}.gif" for i in range(5))):
        (tmp_path / name).write_bytes(b"\0")
    (tmp_path / "empty").mkdir()
    with pytest.warns(UserWarning, match=r"left out: notes.txt, cats/0.gif, .* and 2 more"):
        images = load(tmp_path)
    assert images.names == ("cats",)


def test_links_to_files_and_folders_are_followed(tmp_path):
    save(tmp_path / "elsewhere" / "a.png")
    root = tmp_path / "linked"
    root.mkdir()
    (root / "cats").symlink_to(tmp_path / "elsewhere")
    save(root / "dogs" / "a.png")
    (root / "dogs" / "b.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    assert load(root).labels.tolist() == [0, 1, 1]


def test_the_order_does_not_depend_on_that_of_the_file_system(tmp_path, monkeypatch):
    for i in range(6):
        save(tmp_path / "ab"[i % 2] / f"{i}.png", np.full((8, 8), i, np.uint8))
    expected = load(tmp_path)
    listing = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: reversed(list(listing(path))))
    assert load(tmp_path).checksum == expected.checksum


def test_a_bar_counts_the_pictures_unless_nobody_wants_it(tmp_path, capsys, monkeypatch):
    for i in range(3):
        save(tmp_path / f"{i}.png")
    load(tmp_path)
    assert capsys.readouterr().err == ""
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    datasets.folder(tmp_path, 8)
    assert "3/3" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------
# Pictures


def test_the_pixels_of_a_picture_of_the_right_size_are_kept(tmp_path):
    save(tmp_path / "a.png")
    images = load(tmp_path).images
    assert images.dtype == torch.float32
    assert (eight_bits(images)[0] == PHOTO).all()
    assert images.max() == PHOTO.max() / np.float32(255)


@pytest.mark.parametrize(("height", "width"), [(8, 14), (15, 8), (8, 9)])
def test_the_square_in_the_middle_is_cut_out(tmp_path, height, width):
    # Black with a white square in the middle; between two pixels where the rest is odd.
    pixels = np.zeros((height, width), np.uint8)
    top, left = (height - 8) // 2, (width - 8) // 2
    pixels[top : top + 8, left : left + 8] = 255
    save(tmp_path / "a.png", pixels)
    found = one(tmp_path, channels=1)[..., 0]
    assert (found[1:-1, 1:-1] == 255).all()
    if (height - width) % 2 == 0:
        assert (found == 255).all()


@pytest.mark.parametrize(("size", "was"), [(16, 8), (8, 64), (7, 100), (64, 1)])
def test_other_sizes_keep_the_brightness_of_each_place(tmp_path, size, was):
    # A slope from left to right, against its mean over each new pixel.
    slope = np.linspace(40, 220, was).round().astype(np.uint8)
    save(tmp_path / "a.png", np.tile(slope, (was, 1)))
    found = one(tmp_path, size=size, channels=1)[..., 0].astype(float)
    assert found.shape == (size, size)
    edges = np.linspace(0, was, size + 1)
    middles = (edges[1:] + edges[:-1]) / 2 - 0.5
    expected = np.interp(middles, np.arange(was), slope)
    inner = slice(1, -1)  # at the edges less is known
    assert abs(found - expected)[:, inner].max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_a_picture_is_turned_as_its_camera_says(tmp_path, orientation, suffix):
    # The corners of the scene: red, green, blue, white. Tag 274 of EXIF 2.3, section 4.6.4 A:
    # where row 0 and column 0 of what is stored lie in the scene.
    scene = np.zeros((64, 64, 3), np.uint8)
    scene[:32, :32, 0] = scene[:32, 32:, 1] = scene[32:, :32, 2] = 255
    scene[32:, 32:] = 255
    stored = {
        1: scene,
        2: scene[:, ::-1],
        3: scene[::-1, ::-1],
        4: scene[::-1],
        5: scene.transpose(1, 0, 2),
        6: scene[:, ::-1].transpose(1, 0, 2),
        7: scene[::-1, ::-1].transpose(1, 0, 2),
        8: scene[::-1].transpose(1, 0, 2),
    }
    exif = Image.Exif()
    exif[274] = orientation
    save(tmp_path / f"a.{suffix}", np.ascontiguousarray(stored[orientation]), exif=exif)
    found = load(tmp_path).images[0]
    corners = found[:, 1::5, 1::5].round()[:, :2, :2].flatten(1).T.tolist()
    assert corners == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]


def test_grey_pictures_have_equal_channels_and_colours_become_their_luma(tmp_path):
    save(tmp_path / "grey" / "a.png", PHOTO[..., 0])
    found = one(tmp_path / "grey")
    assert (found == PHOTO[..., :1]).all()
    save(tmp_path / "colour" / "a.png")
    luma = PHOTO @ [0.299, 0.587, 0.114]
    assert abs(one(tmp_path / "colour", channels=1)[..., 0] - luma).max() <= 1


@pytest.mark.parametrize("kind", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_laid_on_white(tmp_path, kind):
    alpha = np.zeros((8, 8), np.uint8)
    alpha[:, 2:4], alpha[:, 4:] = 128, 255
    image = Image.new("RGB", (8, 8), (100, 100, 100))
    options = {}
    if kind == "P":
        alpha[alpha == 128] = 255
        palette = Image.new("P", (8, 8), 0)
        palette.putpalette([7, 7, 7, 100, 100, 100])
        palette.paste(1, (2, 0, 8, 8))
        image, options = palette, {"transparency": 0}
    else:
        image.putalpha(Image.fromarray(alpha))
        image = image.convert(kind)
    image.save(tmp_path / "a.png", **options)
    expected = np.rint(100 * (alpha / 255) + 255 * (1 - alpha / 255))
    for channels in (1, 3):
        found = one(tmp_path, channels=channels)
        assert abs(found - expected[..., None]).max() <= 1


def test_transparent_webp_is_laid_on_white(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "a.webp", lossless=True, exact=True)
    assert (one(tmp_path) == 255).all()


@pytest.mark.parametrize("mode", ["1", "P", "CMYK"])
def test_bilevel_palette_and_printers_colours_are_read(tmp_path, mode):
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:, 4:] = [255, 0, 0] if mode != "1" else 255
    save(tmp_path / ("a.jpg" if mode == "CMYK" else "a.png"), pixels, mode)
    assert abs(one(tmp_path)[:, [0, -1]].astype(int) - pixels[:, [0, -1]]).max() <= 8


def test_a_grey_picture_of_16_bits_keeps_its_brightness(tmp_path):
    deep = np.linspace(0, 65535, 64).round().astype(np.uint16).reshape(8, 8)
    Image.fromarray(deep).save(tmp_path / "a.png")
    found = one(tmp_path)
    assert (found == np.rint(deep / 257)[..., None]).all()


def test_a_large_photograph_is_read_as_if_it_was_decoded_in_full(tmp_path):
    slope = np.linspace(20, 230, 1200)
    scene = np.stack(np.broadcast_arrays(slope, slope[:, None], 128.0), -1)
    save(tmp_path / "a.jpg", scene.astype(np.uint8), quality=95)
    with Image.open(tmp_path / "a.jpg") as opened:
        full = np.asarray(opened.resize((8, 8), Image.Resampling.BOX), float)
    assert abs(one(tmp_path) - full)[1:-1, 1:-1].max() <= 2


# ---------------------------------------------------------------------------------------------
# What a folder refuses


def test_all_pictures_that_cannot_be_read_are_named_in_one_error(tmp_path):
    for i in range(48):
        save(tmp_path / f"photo{i:02}.jpg", RNG.integers(0, 256, (20, 9 + i, 3), dtype=np.uint8))
    whole = (tmp_path / "photo00.jpg").read_bytes()
    (tmp_path / "photo17.jpg").write_bytes(whole[:-50])
    (tmp_path / "photo30.jpg").write_bytes(b"")
    (tmp_path / "photo48.jpg").write_text("<html>404</html>")
    (tmp_path / "photo49.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(ValueError, match=r"4 of 50 in .* can't be\. Delete or replace") as caught:
        load(tmp_path)
    _, *named = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in named] == [
        "photo17.jpg",
        "photo30.jpg",
        "photo48.jpg",
        "photo49.png",
    ]
    assert "truncated" in named[0]
    assert "no PNG, JPEG or WebP, whatever its name says" in named[2]
    assert "No such file" in named[3]
    for line in named:
        (tmp_path / line.split(":")[0]).unlink()
    assert len(load(tmp_path)) == 46


@pytest.mark.parametrize("kind", ["png", "webp", "jpg"])
def test_a_file_cut_off_anywhere_is_named_and_no_other_error_comes(tmp_path, kind):
    buffer = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(
        buffer, "JPEG" if kind == "jpg" else kind
    )
    whole = buffer.getvalue()
    for end in range(0, len(whole) - 20, len(whole) // 12):
        (tmp_path / f"{end:05}.{kind}").write_bytes(whole[:end])
    n = len(list(tmp_path.iterdir()))
    with pytest.raises(ValueError, match=f"but {n} of {n} in"):
        load(tmp_path)


def test_a_picture_of_another_kind_under_a_known_suffix_is_named(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / "cat.jpg", format="GIF")
    with pytest.raises(ValueError, match=r"cat\.jpg: no PNG, JPEG or WebP"):
        load(tmp_path)


def test_what_is_no_folder_of_pictures_is_refused_by_name(tmp_path):
    file = save(tmp_path / "file.png")
    with pytest.raises(ValueError, match=r"path must be a folder .*nowhere': nothing there"):
        load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"path must be a folder of pictures, .*: a file"):
        load(file)
    for name in ("empty", "only/hollow"):
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(ValueError, match=r"got none in .*empty$"):
        load(tmp_path / "empty")
    with pytest.raises(ValueError, match=r"got none in .*only$"):
        load(tmp_path / "only")
    (tmp_path / "empty" / "IMG_1.HEIC").write_bytes(b"\0")
    with pytest.raises(ValueError, match=r"got none in .*empty, but IMG_1.HEIC$"):
        load(tmp_path / "empty")


def test_pictures_beside_class_folders_or_further_down_are_refused(tmp_path):
    save(tmp_path / "mixed" / "a.png")
    save(tmp_path / "mixed" / "cats" / "b.png")
    with pytest.raises(ValueError, match=r"either .*, got both in .*: a.png beside cats"):
        load(tmp_path / "mixed")
    save(tmp_path / "deep" / "train" / "cats" / "b.png")
    save(tmp_path / "deeper" / "cats" / "b.png")
    save(tmp_path / "deeper" / "cats" / "old" / "2020" / "b.png")
    for name, where in (("deep", "train/cats"), ("deeper", "cats/old/2020")):
        with pytest.raises(ValueError, match=rf"some further down, in {where}$"):
            load(tmp_path / name)
    assert load(tmp_path / "deep" / "train").names == ("cats",)


@pytest.mark.parametrize("size", [0, -1, 8.0, True, "8", None, (8, 8)])
def test_a_size_that_is_none_is_refused(tmp_path, size):
    with pytest.raises(ValueError, match="size must be a whole number, 1 or more"):
        load(tmp_path, size)


@pytest.mark.parametrize("channels", [0, 2, 4, True, "3", None, "RGB"])
def test_channels_other_than_one_or_three_are_refused(tmp_path, channels):
    with pytest.raises(ValueError, match="channels must be 1 or 3, got"):
        load(tmp_path, channels=channels)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads Linux's own account")
def test_loading_takes_little_more_memory_than_the_images(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "PNG")
    for i in range(2000):
        (tmp_path / f"{i}.png").write_bytes(buffer.getvalue())
    code = (
        "import re, sys; from vaebook import datasets; import PIL.ImageOps;"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]);"
        "before = peak(); images = datasets.folder(sys.argv[1], progress=False).images;"
        "print((peak() - before) * 1024 / images.nbytes)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    # The images themselves have 98 MB; the decoders take a few more.
    assert 0.9 < float(done.stdout) < 1.25


# ---------------------------------------------------------------------------------------------
# Arrays


STACK = RNG.integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (STACK, STACK.transpose(0, 3, 1, 2)),
        (STACK[..., :1], STACK[..., :1].transpose(0, 3, 1, 2)),
        (STACK[..., 0], STACK[:, None, :, :, 0]),
        (np.ascontiguousarray(STACK.transpose(0, 3, 1, 2)), STACK.transpose(0, 3, 1, 2)),
        (STACK[:, None, :, :, 0], STACK[:, None, :, :, 0]),
        (STACK[:1, ..., 0], STACK[:1, None, :, :, 0]),
    ],
    ids=["NHWC", "NHW1", "NHW", "NCHW", "N1HW", "1HW"],
)
def test_stacks_of_every_layout_become_n_c_h_w(kind, images, expected):
    found = datasets.from_arrays(kind(images)).images
    assert found.dtype == torch.float32
    assert found.is_contiguous()
    np.testing.assert_array_equal((255 * found).round().byte().numpy(), expected)
    as_floats = datasets.from_arrays(kind((images / 255).astype(np.float64))).images
    torch.testing.assert_close(as_floats, found)


@pytest.mark.slow
@given(
    n=st.integers(1, 9),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    channels=st.sampled_from([None, 1, 3]),
    last=st.booleans(),
)
def test_a_shape_is_read_in_the_one_way_there_is_or_refused(n, height, width, channels, last):
    grey = np.random.default_rng(0).random((n, channels or 1, height, width), np.float32)
    images = grey[:, 0] if channels is None else grey.transpose(0, 2, 3, 1) if last else grey
    if images.ndim == 3:
        twofold = n == 3 or width in (1, 3)
    else:
        twofold = images.shape[1] in (1, 3) and images.shape[3] in (1, 3)
    if twofold:
        with pytest.raises(ValueError, match=r"images of shape \[.*\] may "):
            datasets.from_arrays(images)
    else:
        assert (datasets.from_arrays(images).images.numpy() == grey).all()


def test_what_an_ambiguous_shape_is_told_to_write_is_taken():
    photo = STACK[0]  # [6, 7, 3]
    with pytest.raises(ValueError, match=r"write images\[None\] for one, images\[..., None\] for"):
        datasets.from_arrays(photo)
    assert datasets.from_arrays(photo[None]).images.shape == (1, 3, 6, 7)
    assert datasets.from_arrays(photo[..., None]).images.shape == (6, 1, 7, 3)


@pytest.mark.parametrize(
    "shape", [(5,), (5, 6), (5, 2, 6, 7), (5, 6, 7, 4), (5, 6, 7, 2), (1, 2, 5, 6, 3), ()]
)
def test_a_shape_that_is_of_no_images_is_refused(shape):
    with pytest.raises(ValueError, match=r"images must be \[N, H, W\], \[N, H, W, C\] or"):
        datasets.from_arrays(np.zeros(shape))


def test_labels_factors_and_names_come_along():
    labels, slant = np.array([0, 1, 1, 0, 2], np.uint8), np.linspace(0, 1, 5)
    images = datasets.from_arrays(
        STACK, labels, {"slant": slant, "count": np.arange(5)}, names=["a", "b", "c"]
    )
    assert images.labels.dtype == torch.int64
    assert images.labels.tolist() == labels.tolist()
    assert images.names == ("a", "b", "c")
    assert images.factors["slant"].tolist() == slant.tolist()
    assert images.factors["count"].tolist() == [0, 1, 2, 3, 4]


def test_bools_are_black_and_white_and_uint8_of_zeros_and_ones_is_refused():
    mask = STACK > 100
    assert datasets.from_arrays(mask).images.unique().tolist() == [0, 1]
    with pytest.raises(ValueError, match="bool or float where their largest value is 1"):
        datasets.from_arrays(mask.astype(np.uint8))
    assert datasets.from_arrays(0 * STACK).images.max() == 0


def test_an_array_that_is_read_only_is_copied_without_a_warning():
    frozen = (STACK / 255).astype(np.float32)
    frozen.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = datasets.from_arrays(frozen)
    assert (found.images.permute(0, 2, 3, 1).numpy() == frozen).all()


def test_values_that_a_tensor_would_lose_are_refused():
    with pytest.raises(ValueError, match=r"images must be without masked values"):
        datasets.from_arrays(np.ma.masked_greater(STACK, 100))
    with pytest.raises(
        ValueError, match=r"labels must be an integer tensor \[5\], got complex128"
    ):
        datasets.from_arrays(STACK, np.arange(5) + 1j)


def test_floats_out_of_range_are_refused_unless_they_are_declared():
    with pytest.raises(ValueError, match=r"image 0 has a pixel of .*in_unit_range=False"):
        datasets.from_arrays(STACK.astype(np.float32))
    standardised = (STACK - STACK.mean()) / STACK.std()
    images = datasets.from_arrays(standardised, in_unit_range=False)
    assert not images.in_unit_range
    with pytest.raises(ValueError, match=r"\[0, 1\] under a Bernoulli likelihood"):
        models.Bernoulli().check(images)
    models.Gaussian().check(images)
    standardised[3, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="image 3 has a pixel of nan"):
        datasets.from_arrays(standardised, in_unit_range=False)


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (STACK.astype(np.int64), "got int64"),
        (STACK.astype(np.complex64), "got complex64"),
        (STACK.astype(np.uint16), "got uint16"),
        (STACK.astype(str), "array of numbers, got <U3"),
        (np.array([None]), "array of numbers, got object"),
        (STACK.tolist(), "an array or a tensor, got list"),
        ("photos", "an array or a tensor, got str"),
        (None, "an array or a tensor, got NoneType"),
    ],
)
def test_other_kinds_of_numbers_are_refused(images, found):
    with pytest.raises(ValueError, match=f"images must be .*{found}"):
        datasets.from_arrays(images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(5), "labels must be an integer tensor .* got float64"),
        (np.zeros(5, bool), "labels must be an integer tensor .* got bool"),
        (np.zeros((5, 1), int), r"labels must be an integer tensor \[5\]"),
        (np.array(["cat"] * 5), "labels must be an array of numbers, got <U3"),
        ([0] * 5, "labels must be an array or a tensor, got list"),
        (np.array([0, 1, -1, 0, 0]), "labels must be 0 or more, but image 2 has -1"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        datasets.from_arrays(STACK, labels)


def test_arrays_as_others_make_them_are_read():
    turned = STACK[:, ::-1]  # negative strides
    swapped = (STACK / 255).astype(">f8")
    for array, expected in ((turned, turned), (swapped, STACK)):
        found = eight_bits(datasets.from_arrays(array).images)
        np.testing.assert_array_equal(found, expected)
    tensor = torch.rand(2, 3, 4, 5, requires_grad=True)
    assert not datasets.from_arrays(tensor).images.requires_grad
    assert isinstance(datasets.from_arrays(tensor), ImageSet)
