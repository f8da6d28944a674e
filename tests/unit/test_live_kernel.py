"""Widgets that ask a trained model, and the pictures that stand for them on a page."""

import base64
import re
from functools import partial

import pytest
import torch

from tests.unit.kernel_widgets import WIDGET, press, widgets
from vaebook import live
from vaebook.figures import number
from vaebook.latent import samplers
from vaebook.live.kernel import _compare, _embed, _run_chains
from vaebook.measures import bounds
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


def test_the_bounds_of_a_drawing_are_those_of_the_measures(plane):
    image = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(1))
    said: list[str] = []
    url, words = _compare(plane, image, {"draws": 30, "seed": 0}, said.append)
    exact = bounds.log_evidence_grid(plane, image[None]).item()
    assert f">{number(exact, 1)} nats<" in words
    assert said == [f"estimates from {k} draws" for k in (3, 10, 30)]
    drawn = base64.b64decode(url.partition(",")[2]).decode()
    assert "log p(x), by the grid" in drawn
    # Each mean lies below log p(x), further down on the sheet, and rises with the draws.
    lines = re.findall('<path d="M([^"]*)" stroke="(#[0-9a-f]+)"', drawn)
    heights = [[float(y) for y in line.split()[1::2]] for line, _ in lines]
    estimates, truth = (next(h for h in heights if len(h) == n) for n in (4, 2))
    assert estimates[0] > estimates[-1] >= truth[0] - 1


def test_the_bounds_follow_the_drawing(plane):
    examples = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    mu = torch.randn(9, 2, generator=torch.Generator().manual_seed(2))
    found = widgets(live.evidence_of_drawing(plane, mu, None, examples, alt="Bounds."))
    before = found["HTML 2"].value, found["HTML 3"].value
    press(found, "compare")
    assert (found["HTML 2"].value, found["HTML 3"].value) == before
    drawn = torch.zeros(28, 28, dtype=torch.uint8)
    drawn[4:24, 13:15] = 255
    found["LiveWidget"].drawn = base64.b64encode(drawn.numpy().tobytes()).decode()
    press(found, "compare")
    assert found["HTML"].value == ""
    assert found["HTML 2"].value != before[0]
    assert found["HTML 3"].value != before[1]


def clouds():
    labels = torch.arange(90) % 3
    noise = torch.randn(90, 5, generator=torch.Generator().manual_seed(0))
    return noise + 20.0 * torch.eye(5)[labels], labels


def test_an_embedding_is_drawn_again_as_it_is_wanted():
    found = widgets(live.embed_again(*clouds(), alt="Three islands."))
    before = found["HTML 2"].value, found["HTML 3"].value
    press(found, "embed again")
    assert (found["HTML 2"].value, found["HTML 3"].value) == before
    found["perplexity"].value = 2
    press(found, "embed again")
    assert found["HTML 3"].value != before[1]
    assert 'alt="Three islands."' in found["HTML 3"].value


def test_clouds_far_apart_keep_their_neighbours():
    _, words = _embed(*clouds(), ("a", "b", "c"), {"perplexity": 15, "seed": 0})
    kept = float(re.search("trustworthiness.*?<td>([^<]*)", words).group(1))
    assert kept > 0.85  # of at most 1


@pytest.mark.parametrize(
    ("mu", "labels", "message"),
    [
        (torch.zeros(40, 2), torch.arange(40) % 3, "mu must"),
        (torch.zeros(60, 2), torch.arange(60) % 2, r"three classes or more.*got \[0, 1\]"),
        (torch.zeros(60, 2), torch.arange(60) % 12, "have names, got"),
    ],
)
def test_codes_that_make_no_islands_are_refused(mu, labels, message):
    with pytest.raises(ValueError, match=message):
        live.embed_again(mu, labels, alt="x")


def test_a_figure_of_widgets_needs_a_description():
    with pytest.raises(ValueError, match="alt"):
        live.embed_again(*clouds(), alt="")
