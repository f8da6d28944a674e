"""A small VAE for pictures that are handed over, and what is said of those that it can't take."""

import io
import time
import zipfile
from datetime import UTC, datetime

import pytest
from PIL import Image

from tests.unit.kernel_widgets import blobs, press, widgets
from vaebook import live

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
    found["a zip or pictures"].value = ({**told, "content": memoryview(content)},)


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
        ("a.zip", lambda: b"PK", "a.zip can&#x27;t be unpacked: File is not a zip file"),
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
