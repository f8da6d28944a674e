"""Widgets that ask a trained model, and the pictures that stand for them on a page."""

import base64
from functools import partial

import pytest
import torch

from tests.unit.kernel_widgets import WIDGET, press, widgets
from vaebook import live
from vaebook.latent import samplers
from vaebook.live.kernel import _run_chains
from vaebook.models import VAE, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder

pytestmark = pytest.mark.slow


@pytest.fixture
def plane():
    torch.manual_seed(0)
    return VAE(MLPEncoder(4, (16,)), MLPDecoder(2, (16,)), 2, Bernoulli()).eval()


def test_a_page_gets_pictures_and_a_link_and_a_notebook_widgets():
    from ipywidgets import HTML

    figure = live.WithKernel({"codes": "data:,a", "loss": "data:,b"}, 'Train "again".', HTML)
    bundle = figure._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", WIDGET}
    page = bundle["text/html"]
    assert page.count("<img ") == 2
    assert 'alt="Train &quot;again&quot;."' in page
    assert "vaebook-launch" in page
    assert "<script" not in page


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
    before = found["HTML 2"].value, found["HTML 3"].value
    press(found, "run chains")  # nothing has been drawn yet: the first example
    assert (found["HTML 2"].value, found["HTML 3"].value) == before
    drawn = torch.zeros(28, 28, dtype=torch.uint8)
    drawn[4:24, 13:15] = 255
    found["LiveWidget"].drawn = base64.b64encode(drawn.numpy().tobytes()).decode()
    press(found, "run chains")
    settings = {"start": "prior", "chains": 8, "steps": 500, "step": 0.05}
    _, words = _run_chains(plane, drawn[None] / 255, settings)
    assert found["HTML 2"].value == words != before[0]


def test_a_model_that_is_no_plane_is_refused(plane):
    mu = torch.randn(9, 2)
    with pytest.raises(ValueError, match=r"examples must be .*\[E, 1, 28, 28\]"):
        live.chains_on_drawing(plane, mu, None, torch.zeros(1, 28, 28), alt="x")
