"""How a live figure gets into a notebook, onto a page and into a file."""

import builtins
import hashlib
import html.parser
import json
import math

import pytest
import torch
import traitlets

from vaebook import live
from vaebook.live.bundle import bundle
from vaebook.models import VAE, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder

pytestmark = pytest.mark.slow


def model(seed=0):
    torch.manual_seed(seed)
    return VAE(MLPEncoder(4, (16,)), MLPDecoder(2, (16,)), 2, Bernoulli()).eval()


@pytest.fixture
def plane():
    return model()


@pytest.fixture
def cloud():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(60, 2, generator=generator), torch.arange(60) % 10


def parts(text):
    """The elements of a figure's HTML: tag, attributes and text of each."""
    found = []

    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append([tag, dict(attrs), ""])

        def handle_data(self, data):
            if found:
                found[-1][2] += data

    Reader().feed(text)
    return found


def test_every_output_has_all_that_it_needs_however_often_it_is_shown(plane, cloud):
    figure = live.latent_map(plane, *cloud, alt="A map.")
    first, second = figure._repr_html_(), figure._repr_html_()
    assert first == second
    found = parts(first)
    tags = ["script", "vaebook-latent-map", "script", "div", "img", "img", "script"]
    assert [tag for tag, _, _ in found] == tags
    config = json.loads(found[2][2])
    assert found[0][1]["data-model"] == config["model"]
    assert found[-1] == ["script", {"type": "module", "data-vaebook-live": ""}, bundle()]


def test_a_model_is_known_by_its_content_alone(cloud):
    first = live.latent_map(model(0), *cloud, alt="A map.")
    again = live.latent_map(model(0), *cloud, alt="Another map.")
    other = live.latent_map(model(1), *cloud, alt="A map.")
    assert first.models == again.models
    assert set(first.models).isdisjoint(other.models)
    for name, text in first.models.items():
        assert name == hashlib.sha256(text.encode()).hexdigest()
        assert "<" not in text


def test_the_description_is_on_the_figure_and_on_its_picture(plane, cloud):
    alt = 'Ten clouds,\n "1" < "0".'
    found = parts(live.latent_map(plane, *cloud, alt=alt)._repr_html_())
    tags = {tag: attributes for tag, attributes, _ in reversed(found)}
    assert tags["vaebook-latent-map"]["aria-label"] == 'Ten clouds, "1" < "0".'
    pictures = [a for tag, a, _ in found if tag == "img"]
    assert [a["alt"] for a in pictures] == ['Ten clouds, "1" < "0".', "decoded image"]
    assert all(a["src"].startswith("data:image/png;base64,") for a in pictures)


def test_no_text_of_a_figure_can_end_its_script_early(cloud):
    pair = [
        live.Twin(title, decoder(seed), torch.zeros(3), torch.eye(3))
        for seed, title in enumerate(("</script><b>", "<!--<script>"))
    ]
    figure = live.twins(pair, [torch.randn(9, 3)] * 2, alt="</script>")
    found = parts(figure._repr_html_())
    assert not any(tag == "b" for tag, _, _ in found)
    configs = [t for _, a, t in found if a.get("type") == "application/json"]
    assert [json.loads(text) for text in configs][-1]["twins"][0]["title"] == "</script><b>"


def decoder(seed):
    torch.manual_seed(seed)
    shape = (1, 36, 36)
    return VAE(MLPEncoder(6, (4,), shape), MLPDecoder(3, (4,), shape), 3, Bernoulli())


@pytest.mark.parametrize("alt", ["", "  ", None])
def test_a_figure_without_a_description_is_refused(plane, cloud, alt):
    with pytest.raises(ValueError, match="alt must say what is to be seen"):
        live.latent_map(plane, *cloud, alt=alt)


def test_a_saved_figure_is_one_page_with_a_title(plane, cloud, tmp_path):
    file = tmp_path / "map.html"
    figure = live.latent_map(plane, *cloud, alt="A map.")
    figure.save(file, title="My <map>", lang="en-GB")
    text = file.read_text(encoding="utf-8")
    found = parts(text)
    tags = {tag: (attributes, inside) for tag, attributes, inside in reversed(found)}
    assert text.startswith("<!doctype html>")
    assert tags["html"][0]["lang"] == "en-GB"
    assert tags["title"][1].strip() == "My <map>"
    names = [a.get("name", "charset") for tag, a, _ in found if tag == "meta"]
    assert names == ["charset", "viewport", "color-scheme"]
    assert figure._repr_html_() in text


def test_a_file_that_is_no_page_is_refused(plane, cloud, tmp_path):
    figure = live.latent_map(plane, *cloud, alt="A map.")
    with pytest.raises(ValueError, match=r"path must end in '.html', got '.*map.png'"):
        figure.save(tmp_path / "map.png")
    with pytest.raises(ValueError, match="title must be a text that is not empty, got ''"):
        figure.save(tmp_path / "map.html", title="")
    assert list(tmp_path.iterdir()) == []


def test_a_widget_carries_the_figure_and_its_place(plane, cloud):
    figure = live.latent_map(plane, *cloud, alt="A map.", start=[0.5, -1.0])
    widget = figure.widget()
    assert widget.tag == "vaebook-latent-map"
    assert widget.z == [0.5, -1.0]
    assert widget.models == figure.models
    assert widget.config == figure.config
    widget.z = [1.0, 1.0]
    assert widget.z == [1.0, 1.0]


@pytest.mark.parametrize("place", [[0.0], [0.0, 1.0, 2.0], [0.0, math.nan], [math.inf, 0.0]])
def test_a_widget_refuses_a_place_that_its_figure_does_not_have(plane, cloud, place):
    widget = live.latent_map(plane, *cloud, alt="A map.").widget()
    with pytest.raises(traitlets.TraitError, match=r"z must be numbers in \[-inf, inf\], \["):
        widget.z = place


def test_a_bench_a_panel_and_a_dial_have_ends(plane, cloud):
    bench = live.elbo_bench(alt="A bench.").widget()
    with pytest.raises(traitlets.TraitError, match=r"in \[-inf, inf\], \[0.001, inf\], got"):
        bench.z = [0.0, 0.0]
    panel = live.heatmap_panel(alt="A panel.").widget()
    with pytest.raises(traitlets.TraitError, match=r"\[-0.95, 0.95\], got"):
        panel.z = [1.0, 1.0, 1.0]
    runs = [live.BetaRun(beta, plane, cloud[0], 5.0, 100.0) for beta in (1.0, 2.0)]
    dial = live.beta_dial(runs, cloud[1], torch.zeros(1, 1, 28, 28), alt="A dial.").widget()
    dial.z = [1.0, 9.0, 9.0]
    with pytest.raises(traitlets.TraitError, match=r"in \[0, 1\], "):
        dial.z = [2.0, 0.0, 0.0]


def test_the_package_needs_anywidget_only_for_widgets(plane, cloud, monkeypatch):
    figure = live.latent_map(plane, *cloud, alt="A map.")
    load = builtins.__import__

    def refuse(name, *rest, **settings):
        if name == "anywidget":
            raise ImportError(name)
        return load(name, *rest, **settings)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert figure._repr_html_()
    with pytest.raises(ImportError, match="anywidget"):
        figure.widget()
