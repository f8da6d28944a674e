"""Live figures, as Python makes them; what the page's script does with them is in tests/site."""

import base64
import builtins
import html.parser
import json
import math
import sys

import numpy as np
import pytest
import torch
import traitlets
from torch import nn

from vaebook import live
from vaebook.models import VAE, Autoencoder, Bernoulli, Gaussian
from vaebook.models.networks import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder


@pytest.fixture(autouse=True)
def fresh_page(monkeypatch):
    """Begin a page of its own for each test."""
    monkeypatch.setattr(explorer, "_SENT", set())


@pytest.fixture
def plane():
    torch.manual_seed(0)
    return VAE(MLPEncoder(4, (16,)), MLPDecoder(2, (16,)), 2, Bernoulli()).eval()


@pytest.fixture
def cloud():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(60, 2, generator=generator), torch.arange(60) % 10


def stored(packed, spec):
    """The numbers of a tensor, read back by numpy."""
    data = base64.b64decode(packed["data"])
    n = int(np.prod(spec["shape"]))
    if spec["dtype"] == "float16":
        return np.frombuffer(data, "<f2", n, spec["offset"]).reshape(spec["shape"])
    rows = spec["shape"][0]
    scales = np.frombuffer(data, "<f4", rows, spec["offset"])
    values = np.frombuffer(data, "i1", n, spec["offset"] + 4 * rows).reshape(rows, -1)
    return (values * scales[:, None]).reshape(spec["shape"])


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (MLPEncoder(4, (9, 5)), [1, 28, 28]),
        (MLPDecoder(2, (5,)), [2]),
        (ConvEncoder(6), [1, 36, 36]),
        (ConvDecoder(3), [3]),
    ],
    ids=lambda x: type(x).__name__,
)
def test_every_weight_is_stored_within_half_a_step_of_its_row(module, shape, dtype):
    packed = live.pack(module, shape, dtype)
    assert packed["input"] == shape
    tensors = [
        layer[name] for layer in packed["layers"] for name in ("weight", "bias") if name in layer
    ]
    parameters = list(module.parameters())
    assert len(tensors) == len(parameters)
    for spec, parameter in zip(tensors, parameters, strict=True):
        found, expected = stored(packed, spec), parameter.detach().numpy()
        assert found.shape == expected.shape
        largest = np.abs(expected).max(tuple(range(1, expected.ndim)), keepdims=True)
        quantised = dtype == "int8" and expected.size >= 4096
        assert spec["dtype"] == ("int8" if quantised else "float16")
        step = largest / 254 if quantised else np.abs(expected) * 2**-11 + 2**-25
        assert (np.abs(found - expected) <= step * 1.001).all()


def test_a_layer_that_the_page_cannot_run_is_named():
    with pytest.raises(ValueError, match="can't run a layer Dropout"):
        live.pack(nn.Sequential(nn.Linear(2, 2), nn.Dropout()), [2])
    with pytest.raises(ValueError, match="dtype must be 'float16' or 'int8', got 'float32'"):
        live.pack(nn.Linear(2, 2), [2], "float32")


def parts(text):
    """The elements of a figure's HTML: tag, attributes and text of each."""
    found = []

    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append([tag, dict(attrs), ""])

        def handle_data(self, data):
            found[-1][2] += data

    Reader().feed(text)
    return found


def test_a_page_gets_the_script_and_each_model_once(plane, cloud):
    one = live.latent_map(plane, *cloud, name="plane", alt="A map.")
    two = live.latent_map(plane, *cloud, name="plane", alt="Another.")
    first, second = parts(one._repr_html_()), parts(two._repr_html_())
    ids = [attributes.get("id") for _, attributes, _ in first]
    assert ids.count("vaebook-model-plane") == 1
    assert any(a.get("type") == "module" for _, a, _ in first)
    assert [tag for tag, _, _ in second] == ["vaebook-latent-map", "script", "div", "img", "img"]


def test_each_cell_of_colab_is_a_page_of_its_own(plane, cloud, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", object())
    figure = live.latent_map(plane, *cloud, name="plane", alt="A map.")
    assert figure._repr_html_() == figure._repr_html_()
    assert "vaebook-model-plane" in figure._repr_html_()


def test_the_description_is_on_the_figure_and_on_its_picture(plane, cloud):
    alt = 'Ten clouds, "1" < "0".'
    found = parts(live.latent_map(plane, *cloud, name="plane", alt=alt)._repr_html_())
    tags = {tag: attributes for tag, attributes, _ in reversed(found)}
    assert tags["vaebook-latent-map"]["aria-label"] == alt
    pictures = [a for tag, a, _ in found if tag == "img"]
    assert [a["alt"] for a in pictures] == [alt, "decoded image"]
    assert all(a["src"].startswith("data:image/png;base64,") for a in pictures)


def test_no_text_of_a_model_can_end_its_script_early(plane, cloud):
    found = parts(live.latent_map(plane, *cloud, name="plane", alt="</script>")._repr_html_())
    for tag, attributes, text in found:
        if tag == "script" and attributes["type"] == "application/json":
            json.loads(text)


def test_in_more_than_two_dimensions_the_most_active_come_first():
    torch.manual_seed(0)
    model = VAE(MLPEncoder(10, (8,)), MLPDecoder(5, (8,)), 5, Bernoulli())
    scales = torch.tensor([0.1, 2.0, 0.5, 1.0, 0.01])
    mu = torch.randn(200, 5) * scales
    figure = live.latent_map(model, mu, torch.zeros(200).long(), name="five", alt="Dials.")
    assert figure.config["order"] == [1, 3, 2, 0, 4]
    assert figure.config["extent"] == 3.0
    assert list(figure.pictures) == ["decoded image"]


def test_the_map_holds_nearly_all_codes(plane):
    mu = torch.randn(5000, 2, generator=torch.Generator().manual_seed(1))
    figure = live.latent_map(plane, mu, torch.zeros(5000).long(), name="p", alt="A map.")
    inside = (mu.abs() <= figure.config["extent"]).all(1).double().mean()
    assert inside > 0.98


def test_a_widget_carries_the_figure_and_its_place(plane, cloud):
    figure = live.latent_map(plane, *cloud, name="plane", alt="A map.", start=[0.5, -1.0])
    widget = figure.widget()
    assert widget.tag == "vaebook-latent-map"
    assert widget.z == [0.5, -1.0]
    assert set(widget.models) == {"plane"}
    assert widget.config["cloud"] == figure.pictures["cloud"]
    widget.z = [1.0, 1.0]
    assert widget.z == [1.0, 1.0]


@pytest.mark.parametrize("place", [[0.0], [0.0, 1.0, 2.0], [0.0, math.nan], [math.inf, 0.0]])
def test_a_widget_refuses_a_place_that_its_figure_does_not_have(plane, cloud, place):
    widget = live.latent_map(plane, *cloud, name="plane", alt="A map.").widget()
    with pytest.raises(traitlets.TraitError, match=r"z must be numbers in \[-inf, inf\], \["):
        widget.z = place


def test_a_bench_and_a_dial_have_ends(plane, cloud):
    bench = live.elbo_bench(alt="A bench.").widget()
    with pytest.raises(traitlets.TraitError, match=r"in \[-inf, inf\], \[0.001, inf\], got"):
        bench.z = [0.0, 0.0]
    runs = [live.BetaRun(beta, plane, cloud[0], 5.0, 100.0) for beta in (1.0, 2.0)]
    images = torch.zeros(1, 1, 28, 28)
    dial = live.beta_dial(runs, cloud[1], images, name="b", alt="A dial.").widget()
    dial.z = [1.0, 9.0, 9.0]
    with pytest.raises(traitlets.TraitError, match=r"in \[0, 1\], "):
        dial.z = [2.0, 0.0, 0.0]


def test_the_package_needs_anywidget_only_for_widgets(plane, cloud, monkeypatch):
    figure = live.latent_map(plane, *cloud, name="plane", alt="A map.")
    load = builtins.__import__

    def refuse(name, *rest, **settings):
        if name == "anywidget":
            raise ImportError(name)
        return load(name, *rest, **settings)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert figure._repr_html_()
    with pytest.raises(ImportError, match="anywidget"):
        figure.widget()


def test_what_a_figure_cannot_take_it_refuses(plane, cloud):
    mu, labels = cloud
    image = torch.zeros(1, 28, 28)
    gaussian = VAE(MLPEncoder(4, (4,)), MLPDecoder(2, (4,)), 2, Gaussian())
    three = Autoencoder(ConvEncoder(3), ConvDecoder(3), 3, Gaussian())
    given = {"name": "p", "alt": "x"}
    with pytest.raises(ValueError, match=r"mu must be \[N, 2\] and labels \[N\], got \[60, 3\]"):
        live.latent_map(plane, torch.zeros(60, 3), labels, **given)
    with pytest.raises(ValueError, match=r"got \[60, 2\] and \[5\]"):
        live.latent_map(plane, mu, labels[:5], **given)
    with pytest.raises(ValueError, match="Bernoulli pixels, got 2 and Gaussian"):
        live.chains(gaussian, image, mu, labels, **given)
    with pytest.raises(ValueError, match=r"step must lie in \(0, 1\], got 1.5"):
        live.chains(plane, image, mu, labels, step=1.5, **given)
    with pytest.raises(ValueError, match=r"image must be \[1, 28, 28\], got \[1, 8, 8\]"):
        live.chains(plane, image[:, :8, :8], mu, labels, **given)
    with pytest.raises(ValueError, match=r"examples must be \[E, 1, 28, 28\]"):
        live.draw_digit(plane, mu, labels, image, **given)
    with pytest.raises(ValueError, match=r"noise must lie in \[0.1, 3\], got 0.01"):
        live.elbo_bench(alt="x", noise=0.01)
    run = live.BetaRun(1.0, plane, mu, 5.0, 100.0)
    with pytest.raises(ValueError, match=r"two or more by rising beta, got \[1.0, 1.0\]"):
        live.beta_dial([run, run], labels, image[None], **given)
    twin = live.Twin("AE", three, torch.zeros(3), torch.eye(3))
    with pytest.raises(ValueError, match="two models with three latent dimensions"):
        live.twins([twin], [torch.zeros(5, 3)], alt="x")
