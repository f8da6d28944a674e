"""The live figures, as Python makes them; what the page does with them is in tests/site."""

import base64
import io
import json
import math
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from vaebook import datasets, live, recipes
from vaebook.live import pictures
from vaebook.live.bundle import bundle
from vaebook.models import VAE, Autoencoder, Bernoulli, Gaussian
from vaebook.models.networks import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder, for_images
from vaebook.models.priors import DiagonalNormal

pytestmark = pytest.mark.slow


def colour_model(height=10, width=14):
    """A model of images in colour that are not square, of plain layers."""
    torch.manual_seed(0)
    shape = (3, height, width)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), 4))
    decoder = nn.Sequential(nn.Linear(2, math.prod(shape)), nn.Unflatten(1, shape))
    return VAE(encoder, decoder, 2, Bernoulli())


def autoencoder():
    return Autoencoder(ConvEncoder(3), ConvDecoder(3), 3, Gaussian())


@pytest.fixture
def plane():
    torch.manual_seed(0)
    return VAE(MLPEncoder(4, (16,)), MLPDecoder(2, (16,)), 2, Bernoulli()).eval()


@pytest.fixture
def cloud():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(60, 2, generator=generator), torch.arange(60) % 10


def pixels(url):
    """The pixels of a data URL."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))))


def test_in_more_than_two_dimensions_the_most_active_come_first():
    torch.manual_seed(0)
    model = VAE(MLPEncoder(10, (8,)), MLPDecoder(5, (8,)), 5, Bernoulli())
    mu = torch.randn(200, 5) * torch.tensor([0.1, 2.0, 0.5, 1.0, 0.01])
    figure = live.latent_map(model, mu, alt="Dials.")
    assert figure.config["order"] == [1, 3, 2, 0, 4]
    assert figure.config["extent"] == 3.0
    assert list(figure.pictures) == ["decoded image"]


def test_the_map_holds_nearly_all_codes(plane):
    mu = torch.randn(5000, 2, generator=torch.Generator().manual_seed(1))
    figure = live.latent_map(plane, mu, alt="A map.")
    inside = (mu.abs() <= figure.config["extent"]).all(1).double().mean()
    assert inside > 0.98
    one = live.latent_map(plane, torch.zeros(1, 2), alt="One point.")
    assert one.config["extent"] > 0


def test_a_map_opens_where_codes_lie_densest_and_not_in_the_hole_of_a_ring(plane):
    generator = torch.Generator().manual_seed(2)
    angle = 2 * torch.pi * torch.rand(500, generator=generator)
    ring = torch.stack([angle.cos(), angle.sin()], 1)
    crowd = torch.tensor([1.0, 0.0]) + 0.01 * torch.randn(30, 2, generator=generator)
    figure = live.latent_map(plane, torch.cat([ring, crowd]), alt="A ring.")
    assert figure.config["start"] == pytest.approx([1.0, 0.0], abs=0.05)


def test_pictures_are_in_the_colours_of_the_image():
    image = torch.rand(3, 10, 14)
    drawn = pixels(pictures.picture(image))
    fold = drawn.shape[0] // 10
    assert drawn.shape == (10 * fold, 14 * fold, 3)
    expected = (255 * image).round().byte().permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(drawn[::fold, ::fold], expected)
    grey = pixels(pictures.picture(image[:1]))
    np.testing.assert_array_equal(grey[::fold, ::fold], expected[..., 0])


def test_bytes_of_an_image_are_its_channels_one_after_the_other():
    image = torch.arange(24.0).view(3, 2, 4) / 255
    assert list(base64.b64decode(pictures.bytes_of(image))) == list(range(24))


def drawn(url, height):
    """An enlarged picture of so many rows of pixels, as an image [C, H, W] of whole numbers."""
    found = pixels(url)
    fold = found.shape[0] // height
    return found[::fold, ::fold].transpose(2, 0, 1).astype(int)


@pytest.mark.parametrize("kind", ["plain", "mlp", "cnn"])
def test_figures_take_images_in_colour_that_are_not_square(cloud, kind):
    torch.manual_seed(0)
    model = colour_model()
    if kind != "plain":
        model = VAE(*for_images((3, 10, 14), 2, kind), 2, Bernoulli())
    images = torch.rand(4, 3, 10, 14)
    runs = [live.BetaRun(beta, model, cloud[0], 5.0, 100.0) for beta in (1.0, 2.0)]
    place = [0.5, -1.0]
    shown = {
        "map": (live.latent_map(model, *cloud, alt="A map.", start=place), torch.tensor([place])),
        "chains": (
            live.chains(model, images[0], *cloud, alt="Chains.", start=place),
            torch.tensor([place]),
        ),
        "dial": (live.beta_dial(runs, cloud[1], images, alt="A dial."), model.codes(images).mu),
    }
    observed = (255 * images).round().int().numpy()
    for figure, code in shown.values():
        with torch.no_grad():
            expected = 255 * model.decode(code[:1])[0].numpy()
        assert abs(drawn(figure.pictures["decoded image"], 10) - expected).max() <= 0.51
    for figure, part in ((shown["chains"][0], "observed image"), (shown["dial"][0], "image")):
        np.testing.assert_array_equal(drawn(figure.pictures[part], 10), observed[0])
    # What the page reads, channel by channel.
    for i, text in enumerate(shown["dial"][0].config["originals"]):
        assert list(base64.b64decode(text)) == observed[i].ravel().tolist()


def test_labels_may_be_missing(plane, cloud):
    mu, _ = cloud
    image = torch.rand(1, 28, 28)
    figures = [
        live.latent_map(plane, mu, alt="A map."),
        live.chains(plane, image, mu, alt="Chains."),
        live.draw_digit(plane, mu, None, image[None], alt="An easel."),
    ]
    clouds = {figure.pictures["cloud"] for figure in figures}
    assert len(clouds) == 1
    named = live.latent_map(plane, mu, torch.zeros(60, dtype=torch.long), alt="A map.")
    assert named.pictures["cloud"] not in clouds  # it has a name on it


def test_the_page_gets_the_places_and_the_classes_of_the_codes_that_the_map_shows(plane):
    mu = 1.2 * torch.randn(3000, 2, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(3000) % 7
    figure = live.latent_map(plane, mu, labels, alt="A map.")
    given = figure.config["plane"]["points"]
    x, y, label = (
        np.frombuffer(base64.b64decode(given["data"]), "<u2").reshape(-1, 3).T.astype(float)
    )
    extent = figure.config["extent"]
    inside = (mu[:2000].abs() <= extent).all(1)
    assert 0.9 < inside.double().mean() < 1
    found = extent * (2 * np.stack([x, y], 1) / 65535 - 1)
    np.testing.assert_allclose(found, mu[:2000][inside], atol=extent / 65535)
    np.testing.assert_array_equal(label, labels[:2000][inside])


def test_names_of_classes_that_lie_on_each_other_are_drawn_apart():
    generator = torch.Generator().manual_seed(0)
    mu = 0.01 * torch.randn(200, 2, generator=generator)
    labels = torch.arange(200) % 2

    def dark(which):
        url = pictures.cloud(mu[which], labels[which], "14", 1.0)
        shown = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGBA")
        *colours, alpha = np.asarray(shown).transpose(2, 0, 1)
        return int(((np.max(colours, 0) < 60) & (alpha > 250)).sum())

    apart = dark(labels == 0) + dark(labels == 1)
    # Each name's ink is there, which it would not be if one lay on the other.
    assert dark(labels < 2) > 0.95 * apart > 100


def test_labels_are_pushed_apart_as_on_the_page(node):
    generator = np.random.default_rng(0)
    places, sizes = generator.uniform(0, 60, (8, 2)), generator.uniform(10, 50, (8, 2))
    given = json.dumps([places.tolist(), sizes.tolist()])
    call = f"\nconsole.log(JSON.stringify(spread(...{given})));"
    found = json.loads(node(bundle("sheet.js") + call))
    assert pictures._spread(places, sizes) == pytest.approx(np.array(found))


def test_a_still_of_the_bench_shows_what_the_bench_shows():
    shown = pixels(pictures.bench(1.0, 0.3, -2.0, 0.5)).astype(int)
    middle = shown.shape[1] // 2
    colours = shown[..., :3][shown[..., 3] > 250]
    assert (colours.max(1) - colours.min(1)).max() < 8  # ink and greys, no term's colour
    # The posterior is filled, at .9; q at -2 is not.
    filled = (shown[..., 3] > 0).sum(0)
    assert filled[middle + int(0.9 * 175)] > 300 > 60 > filled[middle - 2 * 175 + 40]


def test_the_bands_of_a_loss_lie_on_each_other_and_within_the_axes():
    url = pictures.bands([30.0, 10.0], [5.0, 2.0], 20.0, [0, 20, 40])
    drawn = base64.b64decode(url.split(",")[1]).decode()
    kl, reconstruction = (
        np.array([[float(n) for n in corner.split(",")] for corner in corners.split()])
        for corners in re.findall(r'polygon points="([^"]*)"', drawn)
    )
    ground, top = reconstruction[:, 1].max(), 18 * 3 + 14  # below a legend of three lines
    nats = 40 / (ground - top)
    assert (ground - kl[:, 1]) * nats == pytest.approx([35, 12, 10, 30])
    assert (ground - reconstruction[:, 1]) * nats == pytest.approx([30, 10, 0, 0])


@pytest.mark.parametrize("n", [1, 3, 4, 6, 8])
def test_each_image_stands_above_what_it_was_made_into(n):
    images = torch.linspace(0, 0.4, 8)[:, None, None, None].expand(8, 1, 4, 4)
    shown = pixels(pictures.pairs(images, 1 - images[:n]))
    columns = min(4, n)
    rows = 2 * math.ceil(n / columns)
    side = shown.shape[1] / columns
    middles = [
        [shown[int((i + 0.5) * side), int((j + 0.4) * side)] / 255 for j in range(columns)]
        for i in range(rows)
    ]
    above, below = np.array(middles[::2]).ravel()[:n], np.array(middles[1::2]).ravel()[:n]
    assert above == pytest.approx(images[:n].flatten(1)[:, 0].numpy(), abs=0.01)
    assert below == pytest.approx(1 - above, abs=0.01)


def test_chains_are_grey_and_go_from_a_hollow_ring_to_a_full_dot_on_any_ground():
    across = torch.linspace(-1, 1, 50)
    chain = torch.stack([across, torch.zeros(50)], 1)[:, None]
    url = pictures.paths(chain)
    shown = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGBA")
    *colours, alpha = np.asarray(shown).transpose(2, 0, 1).astype(int)
    seen = alpha > 100
    assert np.abs(np.array(colours)[:, seen] - 128).max() < 8  # apart from white and from black
    middle, start, end = len(alpha) // 2, 20, len(alpha) - 20
    assert alpha[middle, start] < 10 < 250 < alpha[middle, start - 11]
    assert alpha[middle, end] > 250


def test_the_pipeline_carries_both_networks_and_the_images(plane, cloud):
    images = torch.rand(3, 1, 28, 28)
    figure = live.pipeline(plane, images, *cloud, alt="A pipeline.")
    assert set(figure.models) == {figure.config["encoder"], figure.config["decoder"]}
    for i, text in enumerate(figure.config["images"]):
        kept = (255 * images[i]).round().byte().flatten().tolist()
        assert list(base64.b64decode(text)) == kept
    with torch.no_grad():
        decoded = 255 * plane.decode(torch.tensor([figure.config["start"]]))[0, 0].numpy()
        mu, logvar = plane.encode(images[:1])
    noise = (torch.tensor(figure.config["start"]) - mu[0]) / (logvar[0] / 2).exp()
    assert noise.tolist() == pytest.approx(figure.config["noise"], abs=1e-2)
    found = pixels(figure.pictures["decoded image"])[::6, ::6]
    assert abs(found - decoded).max() <= 0.51


def test_the_dial_opens_where_beta_is_nearest_to_one(plane, cloud):
    mu, labels = cloud
    images = torch.rand(2, 1, 28, 28)
    for betas, first in (((0.1, 1.0, 4.0), 1), ((0.0, 0.3), 1), ((2.0, 30.0), 0)):
        runs = [live.BetaRun(beta, plane, mu, 5.0, 100.0) for beta in betas]
        start = live.beta_dial(runs, labels, images, alt="A dial.").config["start"]
        assert start[0] == first
        code = plane.codes(images).mu[0].tolist()
        assert sorted(start[1:]) == pytest.approx(sorted(code), abs=1e-4)


def test_names_may_be_numbers(plane, cloud):
    mu, z = cloud
    numbered = live.latent_map(plane, mu, z, alt="A map.", names=range(10))
    assert numbered == live.latent_map(plane, mu, z, alt="A map.")


def test_classes_of_a_set_without_names_are_numbered(plane, cloud):
    mu, labels = cloud
    bare = datasets.ImageSet(torch.rand(len(mu), 1, 2, 2), labels)
    found = live.latent_map(plane, mu, bare.labels, alt="A map.", names=bare.names)
    assert found == live.latent_map(plane, mu, labels, alt="A map.")
    flat = live.latent_map(plane, mu, None, alt="A map.", names=bare.names)
    assert flat == live.latent_map(plane, mu, alt="A map.")


def test_double_precision_and_gradients_make_no_difference(plane, cloud):
    mu, labels = cloud
    expected = live.latent_map(plane, mu, labels, alt="A map.")
    found = live.latent_map(plane, mu.double().requires_grad_(), labels.int(), alt="A map.")
    assert found == expected
    assert live.latent_map(plane.double(), mu, labels, alt="A map.").models == expected.models


def refused(tries, draw):
    """Hold that each message is raised for its arguments."""
    for message, *arguments in tries:
        with pytest.raises(ValueError, match=message):
            draw(*arguments, alt="x")


def test_a_map_refuses_codes_and_labels_that_do_not_fit(plane, cloud):
    mu, z = cloud[0], cloud[1]
    tries = [
        (r"mu must be a float tensor \[N, 2\], got .*\[60, 3\]", plane, torch.zeros(60, 3)),
        ("mu must be finite", plane, mu / 0),
        ("mu must be a float tensor", plane, mu.tolist()),
        ("mu must be a float tensor", plane, z[:, None].expand(-1, 2)),
        (r"labels must be an integer tensor \[60\], got .*\[5\]", plane, mu, z[:5]),
        ("labels must be an integer tensor", plane, mu, z.float()),
        ("labels must be an integer tensor", plane, mu, z > 3),
        ("labels must lie in 0 to 9, .* got 0 to 10", plane, mu, z + (z > 8)),
        ("labels must lie in 0 to 9, .* got -1 to 8", plane, mu, z - 1),
        ("model must be a VAE or an Autoencoder, got MLPDecoder", plane.decoder, mu),
    ]
    refused(tries, live.latent_map)
    for symbol in ("", "z_1", 1, None):
        with pytest.raises(ValueError, match="symbol must be a letter, got"):
            live.latent_map(plane, mu, alt="A map.", symbol=symbol)


def test_chains_pipeline_and_easel_refuse_models_and_images_that_do_not_fit(plane, cloud):
    mu, labels = cloud
    image = torch.zeros(1, 28, 28)
    gaussian = VAE(MLPEncoder(4, (4,)), MLPDecoder(2, (4,)), 2, Gaussian())
    moved = VAE(plane.encoder, plane.decoder, 2, Bernoulli(), DiagonalNormal(mu[0], mu[0]))
    tries = [
        ("got 2, StandardNormal and Gaussian", gaussian, image, mu),
        ("got 2, DiagonalNormal and Bernoulli", moved, image, mu),
        ("model must be a VAE, got .*Autoencoder", autoencoder(), image, mu),
        (r"image must be .*\[1, 28, 28\], got .*\[1, 8, 8\]", plane, image[:, :8, :8], mu),
        (r"image must lie in \[0, 1\], got 2 to 2", plane, image + 2, mu),
    ]
    refused(tries, live.chains)
    images = image[None]
    tries = [
        ("got 2, StandardNormal and Gaussian", gaussian, images, mu),
        (r"images must be .*\[E, 1, 28, 28\], got .*\[1, 28, 28\]", plane, image, mu),
        (r"images must lie in \[0, 1\], got 2 to 2", plane, images + 2, mu),
        (r"mu must be a float tensor \[N, 2\]", plane, images, mu[:, :1]),
    ]
    refused(tries, live.pipeline)
    tries = [
        (r"examples must be .*\[E, 1, 28, 28\]", plane, mu, labels, image),
        (r"examples must be .*\[E, 1, 28, 28\]", plane, mu, labels, image[None][:0]),
        (
            r"grey images \[1, 28, 28\], as one draws them, got \[3, 10, 14\]",
            colour_model(),
            mu,
            labels,
            image[None],
        ),
    ]
    refused(tries, live.draw_digit)


def test_half_a_digit_shows_the_rows_seen_and_completions_that_agree_with_them():
    model = recipes.load("mnist-small-8d-s0").model
    images = datasets.digits().images[[0, 11]]
    figure = live.half_digit(model, images, alt="Half a digit.", rows=14)
    assert figure.config["start"] == [14.0]
    assert len(figure.models) == 1
    seen = pixels(figure.pictures["half-seen image"])[::6, ::6]
    assert seen.shape == (28, 28)
    np.testing.assert_array_equal(seen[:14], (255 * images[0, 0, :14]).round().int().numpy())
    assert (seen[14:] == seen[14, 0]).all()  # nothing of the rest is given away
    sheet = pixels(figure.pictures["eight completions"])
    sheet = sheet[:: len(sheet) // 57, :: len(sheet) // 57]
    sheet = torch.from_numpy(sheet.copy()).float() / 255
    grid = torch.nn.functional.pad(sheet, (0, 1, 0, 1)).unfold(0, 29, 29).unfold(1, 29, 29)
    halves = grid[..., :14, :28].flatten(0, 1)
    off = (halves - images[0, 0, :14]).square().mean((1, 2))
    assert (off < (halves - images[1, 0, :14]).square().mean((1, 2))).all()


def test_half_a_digit_refuses_models_images_and_rows_that_do_not_fit(plane):
    images = torch.zeros(2, 1, 28, 28)
    gaussian = VAE(MLPEncoder(4, (4,)), MLPDecoder(2, (4,)), 2, Gaussian())
    tries = [
        ("got 1 channels, StandardNormal and Gaussian", gaussian, images),
        ("got 3 channels, StandardNormal and Bernoulli", colour_model(), images),
        ("model must be a VAE, got .*Autoencoder", autoencoder(), images),
        (r"images must be .*\[E, 1, 28, 28\], got .*\[1, 28, 28\]", plane, images[0]),
    ]
    refused(tries, live.half_digit)
    with pytest.raises(ValueError, match="rows must be at most 28, got 29"):
        live.half_digit(plane, images, alt="x", rows=29)


def test_a_dial_refuses_runs_that_do_not_fit(plane, cloud):
    mu, labels = cloud
    image = torch.zeros(1, 28, 28)
    run = live.BetaRun(1.0, plane, mu, 5.0, 100.0)
    later = run._replace(beta=2.0)
    rising = r"two or more BetaRuns by rising beta, got "
    tries = [
        (rising + r"\[1.0, 1.0\]", [run, run], labels, image[None]),
        (rising + r"\[1.0\]", [run], labels, image[None]),
        ("runs must be a sequence of BetaRuns", [run, "run"], labels, image[None]),
        ("beta must be a finite", [run._replace(beta="low"), later], labels, image[None]),
        (r"images must be .*28, 28\]", [run, later], labels, image),
        ("rate must be a finite", [run._replace(rate=math.nan), later], labels, image[None]),
    ]
    refused(tries, live.beta_dial)


def test_twins_refuse_what_is_no_pair_of_heatmaps(plane):
    codes = [torch.zeros(5, 3)] * 2
    one = live.Twin("AE", autoencoder(), torch.zeros(3), torch.eye(3))
    two = one._replace(title="2")
    colours = VAE(*for_images((3, 36, 36), 3), 3, Bernoulli())
    tries = [
        (r"two Twins of different titles, got \['AE'\]", [one], codes[:1]),
        ("pair must be a sequence of Twins", one, codes),
        ("two Twins of different titles", [one, one], codes),
        ("axes must be invertible", [one, two._replace(axes=torch.zeros(3, 3))], codes),
        (r"codes must be a float tensor \[N, 3\]", [one, two], [codes[0], codes[0][:, :2]]),
        (r"got 3 and \[3, 36, 36\]", [one, two._replace(model=colours)], codes),
        (r"three dimensions to \[1, 36, 36\], got 2", [one, two._replace(model=plane)], codes),
    ]
    refused(tries, live.twins)


def test_a_walk_refuses_what_it_cannot_show(plane):
    codes = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    one = live.Twin("AE", autoencoder(), torch.zeros(3), torch.eye(3))
    tries = [
        ("walked must be a Twin", autoencoder(), codes, codes[:, 0], "xyz"),
        (r"names must be .*3", one, codes, codes[:, 0], "xy"),
        (r"quantity must be a float tensor \[5\]", one, codes, codes[:4, 0], "xyz"),
        (r"codes must be a float tensor \[N, 3\]", one, codes[:, :2], codes[:, 0], "xyz"),
        ("axes must be inv", one._replace(axes=torch.zeros(3, 3)), codes, codes[:, 0], "xyz"),
        ("1, 36, 36", one._replace(model=plane), codes, codes[:, 0], "xyz"),
    ]
    for message, walked, mu, quantity, names in tries:
        with pytest.raises(ValueError, match=message):
            live.heatmap_walk(walked, mu, quantity, names=names, alt="x")


def test_shades_of_a_walk_follow_the_quantity_from_its_least_to_its_largest():
    codes = torch.zeros(13, 3)
    one = live.Twin("AE", autoencoder(), torch.zeros(3), torch.eye(3))
    figure = live.heatmap_walk(one, codes, torch.arange(13.0), names="xyz", alt="x")
    numbers = np.frombuffer(base64.b64decode(figure.config["plane"]["points"]["data"]), "<u2")
    assert numbers.reshape(-1, 3)[:, 2].tolist() == [*range(12), 11]
    assert len(set(figure.config["plane"]["colours"])) == 12


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("step", 1.5, r"step must be a finite number in \[0.001, 1\], got 1.5"),
        ("step", True, "step must be a finite number"),
        ("seed", -1, "seed must be a whole number"),
        ("seed", 0.5, "seed must be a whole number"),
        ("seed", 2**32, "seed must be less than"),
        ("start", [0.0], "start must be a sequence of 2 finite numbers"),
        ("start", [0.0, math.nan], "each entry of start must be a finite number"),
        ("dtype", "float32", "dtype must be"),
    ],
)
def test_chains_refuse_settings_out_of_range(plane, cloud, name, value, message):
    with pytest.raises(ValueError, match=message):
        live.chains(plane, torch.zeros(1, 28, 28), *cloud, alt="x", **{name: value})


def test_a_bench_and_a_panel_refuse_what_their_dials_do_not_reach():
    with pytest.raises(ValueError, match=r"noise must be a finite number in \[0.1, 3\], got 0.01"):
        live.elbo_bench(alt="x", noise=0.01)
    with pytest.raises(ValueError, match=r"its corr, must be .*\[-0.95, 0.95\], got 1.0"):
        live.heatmap_panel(alt="x", start=[1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match=r"start must begin with one of 2, 2.5, .* 200, got 7"):
        live.tails(alt="x", start=[7.0, 1.0])
    with pytest.raises(ValueError, match=r"its scale, must be .*\[0.1, 4.9\], got 5"):
        live.tails(alt="x", start=[3.0, 5.0])


def stripes(n=64, **changes):
    """Labelled images of 4 × 4 pixels, black and white."""
    images = torch.rand(n, 1, 4, 4, generator=torch.Generator().manual_seed(0)).round()
    return datasets.ImageSet(images, **{"labels": torch.arange(n) % 3, **changes})


def test_a_trainer_carries_its_images_their_classes_and_a_picture_of_what_it_learns():
    data = stripes(names=("a", "b", "c"))
    figure = live.trainer(data, alt="A training.")
    assert figure.config["labels"] == data.labels.tolist()
    assert figure.config["names"] == ["a", "b", "c"]
    bits = np.unpackbits(np.frombuffer(base64.b64decode(figure.config["images"]), np.uint8))
    read = bits.reshape(-1, 5) @ np.array([16, 8, 4, 2, 1]) / figure.config["levels"]
    np.testing.assert_array_equal(read.reshape(data.images.shape), data.images)
    grid = pixels(figure.pictures["decoded grid"])
    assert grid.shape[0] == grid.shape[1]
    assert grid.shape[0] % (12 * 5 - 1) == 0


def test_a_trainer_changes_no_random_numbers_and_is_the_same_each_time():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = live.trainer(stripes(), alt="A training.")
    assert torch.equal(torch.get_rng_state(), before)
    assert live.trainer(stripes(), alt="A training.") == first
    assert first.config["names"] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (stripes(63), r"64 labelled images or more.*\[63, 1, 4, 4\]"),
        (stripes(labels=None), "64 labelled images or more"),
        (datasets.ImageSet(torch.zeros(64, 1, 3, 3), torch.arange(64)), "pixels that 4 divides"),
        (datasets.ImageSet(torch.zeros(64, 3, 4, 4), torch.arange(64)), r"\[N, 1, H, W\]"),
        (
            datasets.ImageSet(torch.zeros(64, 1, 4, 4) - 1, torch.arange(64), in_unit_range=False),
            r"train, its images, must lie in \[0, 1\], got -1 to -1",
        ),
        (torch.zeros(64, 1, 4, 4), "train must be a ImageSet, got Tensor"),
    ],
)
def test_a_trainer_refuses_images_that_the_page_can_not_train_on(data, message):
    with pytest.raises(ValueError, match=message):
        live.trainer(data, alt="x")
