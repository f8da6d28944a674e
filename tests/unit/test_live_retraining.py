"""Small VAEs that a notebook trains anew, and the pictures that stand for them on a page."""

import io
import time
import zipfile
from datetime import UTC, datetime

import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from tests.unit.kernel_widgets import press, widgets
from vaebook import live
from vaebook.datasets import ImageSet
from vaebook.live.retraining import _Shown, _small

pytestmark = pytest.mark.slow


def blobs(n=96):
    """Two classes of images of 4 × 4 pixels: light on the left, and on the right."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 2
    light = torch.zeros(2, 4, 4)
    light[0, :, :2] = light[1, :, 2:] = 0.8
    noise = 0.2 * torch.rand(n, 4, 4, generator=generator)
    return ImageSet((light[labels] + noise)[:, None], labels)


def test_the_curve_lies_between_the_least_loss_there_is_and_that_of_the_mean_image():
    shown = _Shown(blobs())
    x = shown.train.images
    least = F.binary_cross_entropy(x, x, reduction="none").flatten(1).sum(1).mean()
    mean = x.mean(0, keepdim=True).expand_as(x)
    top = F.binary_cross_entropy(mean, x, reduction="none").flatten(1).sum(1).mean()
    assert shown.floor == pytest.approx(least.item(), rel=1e-5)
    assert shown.ceiling == pytest.approx((top - least).item(), rel=1e-4)
    shown.run(_small(shown.train, 16, 2, seed=0), 0.3, seed=0)
    history = shown.config["history"]
    loss = [sum(pair) for pair in zip(history["pixels"], history["price"], strict=True)]
    assert len(loss) == 12
    assert min(history["pixels"]) > 0
    assert loss[-1] < loss[0]
    assert loss[-1] < shown.ceiling


def test_a_click_trains_with_what_is_chosen_and_changes_no_random_numbers_of_the_process():
    found = widgets(live.train_again(blobs(), alt="Train again."))
    drawn = found["LiveWidget"]
    first = drawn.config
    torch.manual_seed(3)
    before = torch.get_rng_state()
    found["latents"].value = 5
    found["seed"].value = 4
    press(found, "train again")
    assert torch.equal(torch.get_rng_state(), before)
    assert drawn.config["history"] != first["history"]
    assert len(set(drawn.config["axes"])) == 2
    assert not found["train again"].disabled
    for key, value in (("latents", 2), ("seed", 0)):
        found[key].value = value
    press(found, "train again")
    assert drawn.config == first  # a run repeats itself


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (blobs(63), "64 labelled images or more"),
        (ImageSet(torch.zeros(64, 1, 4, 4)), "64 labelled images or more"),
        (torch.zeros(64, 1, 4, 4), "train must be a ImageSet, got Tensor"),
    ],
)
def test_few_images_are_refused(train, message):
    with pytest.raises(ValueError, match=message):
        live.train_again(train, alt="x")


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
