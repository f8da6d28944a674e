"""Widgets that need a kernel, and the pictures that stand for them on a page."""

import base64
from functools import partial

import pytest
import torch
from torch.nn import functional as F

from vaebook import live
from vaebook.datasets import ImageSet
from vaebook.latent import samplers
from vaebook.live.kernel import _run_chains, _Shown
from vaebook.models import VAE, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder

pytestmark = pytest.mark.slow

WIDGET = "application/vnd.jupyter.widget-view+json"


def blobs(n=96):
    """Two classes of images of 4 × 4 pixels: light on the left, and on the right."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 2
    light = torch.zeros(2, 4, 4)
    light[0, :, :2] = light[1, :, 2:] = 0.8
    noise = 0.2 * torch.rand(n, 4, 4, generator=generator)
    return ImageSet((light[labels] + noise)[:, None], labels)


def widgets(figure):
    """The model of a figure's widgets, by what they are."""
    from ipywidgets import Widget
    from ipywidgets.widgets.widget import _instances

    bundle = figure._repr_mimebundle_()
    box: Widget = _instances[bundle[WIDGET]["model_id"]]
    found: dict[str, Widget] = {}

    def walk(widget):
        found.setdefault(getattr(widget, "description", "") or type(widget).__name__, widget)
        for child in getattr(widget, "children", ()):
            walk(child)

    walk(box)
    return found


@pytest.fixture
def plane():
    torch.manual_seed(0)
    return VAE(MLPEncoder(4, (16,)), MLPDecoder(2, (16,)), 2, Bernoulli()).eval()


def test_a_page_gets_pictures_and_a_link_and_a_notebook_widgets():
    figure = live.train_again(blobs(), alt='Train "again".')
    bundle = figure._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", WIDGET}
    page = bundle["text/html"]
    assert page.count("<img ") == 2
    assert 'alt="Train &quot;again&quot;."' in page
    assert "vaebook-launch" in page
    assert "<script" not in page


def test_the_curve_lies_between_the_least_loss_there_is_and_that_of_the_mean_image():
    shown = _Shown(blobs())
    x = shown.train.images
    least = F.binary_cross_entropy(x, x, reduction="none").flatten(1).sum(1).mean()
    mean = x.mean(0, keepdim=True).expand_as(x)
    top = F.binary_cross_entropy(mean, x, reduction="none").flatten(1).sum(1).mean()
    assert shown.floor == pytest.approx(least.item(), rel=1e-5)
    assert shown.ceiling == pytest.approx((top - least).item(), rel=1e-4)
    shown.run({"beta": 0.3, "width": 16, "latents": 2, "seed": 0})
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
    found["train again"].click()
    assert torch.equal(torch.get_rng_state(), before)
    assert drawn.config["history"] != first["history"]
    assert len(set(drawn.config["axes"])) == 2
    assert not found["train again"].disabled
    for key, value in (("latents", 2), ("seed", 0)):
        found[key].value = value
    found["train again"].click()
    assert drawn.config == first  # a run repeats itself


def test_the_chains_are_those_of_the_sampler(plane):
    image = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(1))
    settings = {"start": "q(z|x)", "chains": 4, "steps": 500, "step": 0.1}
    _, words = _run_chains(plane, image, settings)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        codes = plane.codes(image[None])
        start = codes.mu + (codes.logvar / 2).exp() * torch.randn(4, 2, generator=generator)
        run = partial(samplers.pcn, plane.target(image), start, 500, 0.1, progress=False)
        chain = run(generator=generator)
    assert f">{100 * chain.acceptance_rate.mean():.0f} %<" in words
    assert f">{chain[250:].rhat().max():.2f}<" in words


def test_chains_run_on_what_has_been_drawn(plane):
    examples = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    mu = torch.randn(9, 2, generator=torch.Generator().manual_seed(2))
    found = widgets(live.chains_on_drawing(plane, mu, None, examples, alt="Chains."))
    before = found["HTML"].value, found["Image"].value
    found["run chains"].click()  # nothing has been drawn yet: the first example
    assert (found["HTML"].value, found["Image"].value) == before
    drawn = torch.zeros(28, 28, dtype=torch.uint8)
    drawn[4:24, 13:15] = 255
    found["LiveWidget"].drawn = base64.b64encode(drawn.numpy().tobytes()).decode()
    found["run chains"].click()
    settings = {"start": "prior", "chains": 8, "steps": 500, "step": 0.05}
    _, words = _run_chains(plane, drawn[None] / 255, settings)
    assert found["HTML"].value == words != before[0]


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


def test_a_model_that_is_no_plane_is_refused(plane):
    mu = torch.randn(9, 2)
    with pytest.raises(ValueError, match=r"examples must be .*\[E, 1, 28, 28\]"):
        live.chains_on_drawing(plane, mu, None, torch.zeros(1, 28, 28), alt="x")
