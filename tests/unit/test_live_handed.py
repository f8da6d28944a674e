"""A small VAE for pictures that are handed over, and what is said of those that it can't take."""

import io
import time
import warnings
import zipfile
from datetime import UTC, datetime
from tempfile import gettempdir

import pytest
from PIL import Image

from tests.unit.kernel_widgets import blobs, press, widgets
from vaebook import live
from vaebook.datasets import own as reading
from vaebook.live import handed

pytestmark = pytest.mark.slow


def pictures(n=20, kinds=("dark", "light")):
    """A zip of a folder of class folders, as one packs it on a Mac."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for k, kind in enumerate(kinds):
            for i in range(n):
                picture = io.BytesIO()
                Image.new("RGB", (30, 20), (3 * i, 200 * k, 90)).save(picture, "PNG")
                file.writestr(f"mine/{kind}/{i:02d}.png", picture.getvalue())
        file.writestr("__MACOSX/mine/._dark", b"")
        file.writestr("mine/notes.txt", b"")
    return packed.getvalue()


def hand_over(found, name, content):
    when = datetime(2026, 1, 1, tzinfo=UTC)
    told = {"name": name, "type": "", "size": len(content), "last_modified": when}
    found["a zip or pictures, at most 10 MB"].value = ({**told, "content": memoryview(content)},)


@pytest.fixture
def own():
    return widgets(live.train_on_own(blobs(), alt="My own."))


def test_a_model_is_trained_on_the_pictures_of_a_zip(own):
    first = own["LiveWidget"].config, own["HTML 2"].value
    hand_over(own, "mine.zip", pictures())
    own["pixels a side"].value = 16
    press(own, "train")
    assert own["HTML"].value.startswith("40 pictures of 2 classes; loss of those set aside")
    assert "left out: notes.txt" in own["HTML"].value
    drawn = own["VBox 2"].children[0]
    assert drawn.config["plane"]["names"] == ["dark", "light"]
    assert (drawn.config, own["HTML 2"].value) != first
    assert not own["train"].disabled


def test_dials_for_pictures_that_are_handed_over_wait_for_them(own):
    dials = [own[name] for name in ("pixels a side", "read as")]
    assert [dial.disabled for dial in dials] == [True, True]
    assert own["Label"].value == "until then: 96 pictures in grey, 4 × 4 pixels"
    hand_over(own, "mine.zip", pictures())
    assert [dial.disabled for dial in dials] == [False, False]
    assert own["Label"].value == "1 file handed over"
    own["a zip or pictures, at most 10 MB"].value = ()
    assert [dial.disabled for dial in dials] == [True, True]


def test_without_pictures_the_example_is_trained_on_again(own):
    before = own["HTML 2"].value
    press(own, "train")
    assert own["HTML"].value.startswith("96 pictures; loss")
    assert own["HTML 2"].value == before
    own["likelihood"].value = "optimal Gaussian"
    press(own, "train")
    assert own["HTML 2"].value != before


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.zip", lambda: b"PK", "a.zip can&#x27;t be read: File is not a zip file"),
        ("a.png", lambda: b"<html>", "a.png: no PNG, JPEG or WebP, whatever its name says"),
        ("a.zip", lambda: pictures(2), "pictures must be 32 or more, got 4"),
        ("a.txt", lambda: b"words", "got none in what you have handed over, but a.txt"),
    ],
)
def test_what_cannot_be_read_is_named_in_the_widget(own, name, make, message):
    before = own["HTML 2"].value
    hand_over(own, name, make())
    press(own, "train")
    assert message in own["HTML"].value
    assert own["HTML 2"].value == before
    assert not own["train"].disabled


def test_a_training_that_is_stopped_leaves_what_was_there(own):
    before = own["HTML 2"].value
    own["epochs"].value = 96
    own["seed"].value = 1
    own["train"].click()
    assert own["train"].disabled
    own["stop"].click()
    while own["train"].disabled:
        time.sleep(0.01)
    assert (own["HTML"].value, own["HTML 2"].value) == ("stopped", before)
    press(own, "train")  # and again, from the beginning
    assert own["HTML"].value.startswith("96 pictures")
    assert own["HTML 2"].value != before


def picture(shade):
    packed = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, shade, shade)).save(packed, "PNG")
    return packed.getvalue()


def packed(files, way=zipfile.ZIP_STORED):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", way) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return made.getvalue()


def read(**files):
    """What is read of files by name, of which the last _ stands for the dot."""
    found = []
    for name, content in files.items():
        found.append({"name": ".".join(name.rsplit("_", 1)), "content": content})
    return handed._handed_over(found, 8, 1)


def many(place="", shade=0):
    return {f"{place}{i}.png": picture(shade) for i in range(20)}


def test_each_of_several_zips_is_a_class():
    cats, dogs = packed(many()), packed(many("around/dogs/", 255) | {"__MACOSX/._dogs": b""})
    images, left_out = read(cats_zip=cats, dogs_zip=dogs)
    assert (images.names, left_out) == (("cats", "dogs"), "")
    assert images.labels.bincount().tolist() == [20, 20]
    assert images.images[images.labels == 0].max() == 0
    assert images.images[images.labels == 1].min() == 1


def test_files_of_one_name_are_refused():
    with pytest.raises(ValueError, match=r"must have names of their own, got two a$"):
        read(a_zip=packed(many()), a_ZIP=packed(many()))


def test_folders_are_classes_whatever_their_names_begin_with():
    files = many("mine/_cats/") | many("mine/dogs/", 255) | {"mine/dogs/notes/a.txt": b""}
    assert read(mine_zip=packed(files))[0].names == ("_cats", "dogs")


def test_a_folder_without_pictures_beside_them_makes_no_class():
    files = {f"mine/{i}.png": picture(i) for i in range(40)} | {"mine/notes/a.txt": b""}
    assert read(mine_zip=packed(files))[0].names == ("mine",)


def test_a_warning_of_a_cell_meanwhile_is_not_taken_for_a_left_out_file(monkeypatch):
    def read_beside_a_cell(*inputs):
        warnings.warn("of the cell", stacklevel=1)
        return plain(*inputs)

    plain = reading._read
    monkeypatch.setattr(reading, "_read", read_beside_a_cell)
    files = many("a/") | many("b/") | {"notes.txt": b""}
    with pytest.warns(UserWarning, match="of the cell"):
        _, left_out = read(mine_zip=packed(files))
    assert left_out == "\nnot PNG, JPEG or WebP by name, and left out: notes.txt"


def damaged(way):
    """A zip whose only file has other bytes in its middle."""
    content = bytearray(packed({"a.png": bytes(range(256)) * 40}, way))
    content[45:60] = bytes(255 - value for value in content[45:60])
    return bytes(content)


def locked():
    """A zip that says of its file that it has a password."""
    content = bytearray(packed({"a.png": b"words"}))
    content[6] |= 1  # in the file's own header, and in the list at the end
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a_zip": damaged(zipfile.ZIP_DEFLATED)}, "^a.zip can't be read: "),
        ({"a_zip": damaged(zipfile.ZIP_LZMA)}, "^a.zip can't be read: "),
        ({"a_zip": damaged(zipfile.ZIP_BZIP2)}, "^a.zip can't be read: "),
        ({"a_zip": packed({"b": b"", "b/c.png": b""})}, "^a.zip can't be read: [A-Z][a-z ]+$"),
        ({"a" * 300 + "_png": b""}, "^a+.png can't be read: File name too long$"),
        ({"a_zip": locked()}, "^a.zip has a password$"),
        ({"a_zip": packed(many() | many("b/"))}, "^pictures must hold either pictures or"),
    ],
)
def test_what_cannot_be_read_is_named_and_no_place_of_ours(files, message):
    with pytest.raises(ValueError, match=message) as refusal:
        read(**files)
    assert gettempdir() not in str(refusal.value)


def test_there_are_limits_for_all_files_together(monkeypatch):
    cats, dogs = packed(many()), packed(many())
    size = 20 * len(picture(0))
    monkeypatch.setattr(handed, "_UNPACKED", 2 * size)
    read(cats_zip=cats, dogs_zip=dogs)
    with pytest.raises(ValueError, match=f"must be {2 * size:,} bytes at most, unpacked, got"):
        read(cats_zip=cats, dogs_zip=dogs, a_png=picture(0))
    monkeypatch.undo()
    monkeypatch.setattr(handed, "_ENTRIES", 39)
    with pytest.raises(ValueError, match="must be 39 files at most, got 40"):
        read(cats_zip=cats, dogs_zip=dogs)
