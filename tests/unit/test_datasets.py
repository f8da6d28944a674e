"""The data sets against scipy, scikit-learn, published checksums and a server of our own."""

import gzip
import hashlib
import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from vaebook import datasets
from vaebook.datasets import DatasetUnavailable, ImageSet

# Monte Carlo is held within this many standard errors: one false alarm in 150,000 per number.
SIGMAS = 4.5

VARIANCE = st.floats(0.05, 10)
# vaebook flushes denormals, which hypothesis would otherwise want to draw.
CORRELATION = st.floats(-0.99, 0.99, allow_subnormal=False)
CORNERS = list(product([0.1, 4.9], [0.1, 4.9], [-0.95, 0.85]))


def scale_matrix(var_x, var_y, corr):
    cross = corr * np.sqrt(var_x * var_y)
    return np.array([[var_x, cross], [cross, var_y]])


def normalised(log_density, size=36, extent=3.0):
    axis = np.linspace(-extent, extent, size)
    points = np.stack(np.meshgrid(axis, axis), axis=-1)
    values = log_density(points)
    return np.exp(values - values.max())


def normal_image(var_x, var_y, corr, size=36, extent=3.0):
    density = scipy.stats.multivariate_normal([0, 0], scale_matrix(var_x, var_y, corr))
    return normalised(density.logpdf, size, extent)


def t_image(var_x, var_y, corr, df):
    density = scipy.stats.multivariate_t([0, 0], scale_matrix(var_x, var_y, corr), df=df)
    return normalised(density.logpdf)


# ---------------------------------------------------------------------------------------------
# Heatmaps


@pytest.mark.parametrize("factors", CORNERS)
def test_heatmaps_at_the_corners_of_the_grid_are_scipys_normal_densities(factors):
    image = datasets.heatmap_images(*map(torch.tensor, factors))[0, 0].numpy()
    np.testing.assert_allclose(image, normal_image(*factors), rtol=0, atol=1e-6)


@given(VARIANCE, VARIANCE, CORRELATION, st.integers(2, 40), st.floats(0.5, 10))
def test_heatmaps_are_scipys_normal_densities(var_x, var_y, corr, size, extent):
    factors = torch.tensor([var_x, var_y, corr], dtype=torch.float64)
    image = datasets.heatmap_images(*factors, size, extent)[0, 0].numpy()
    expected = normal_image(var_x, var_y, corr, size, extent)
    np.testing.assert_allclose(image, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("df", [1.0, 2.0, 200.0])
@pytest.mark.parametrize("factors", CORNERS)
def test_t_heatmaps_at_the_corners_of_the_grid_are_scipys_t_densities(factors, df):
    image = datasets.t_heatmap_images(*map(torch.tensor, (*factors, df)))[0, 0].numpy()
    np.testing.assert_allclose(image, t_image(*factors, df), rtol=0, atol=1e-6)


@given(VARIANCE, VARIANCE, CORRELATION, st.floats(0.3, 500))
def test_t_heatmaps_are_scipys_t_densities(var_x, var_y, corr, df):
    factors = torch.tensor([var_x, var_y, corr, df], dtype=torch.float64)
    image = datasets.t_heatmap_images(*factors)[0, 0].numpy()
    np.testing.assert_allclose(image, t_image(var_x, var_y, corr, df), rtol=0, atol=1e-6)


def test_heatmaps_can_be_differentiated_by_their_factors():
    factors = torch.tensor([1.3, 0.6, -0.4], dtype=torch.float64)
    for draw, extra in ((datasets.heatmap_images, []), (datasets.t_heatmap_images, [3.0])):
        start = torch.cat([factors, torch.tensor(extra, dtype=torch.float64)])
        jacobian = torch.autograd.functional.jacobian(lambda f, draw=draw: draw(*f), start)
        for i, step in enumerate(1e-3 * torch.eye(len(start), dtype=torch.float64)):
            difference = (draw(*(start + step)) - draw(*(start - step))).double() / 2e-3
            # Central differences of float32 images are good to three digits.
            torch.testing.assert_close(jacobian[..., i].double(), difference, rtol=1e-3, atol=1e-3)


@pytest.fixture(scope="module")
def heatmaps():
    return datasets.heatmaps()


@pytest.fixture(scope="module")
def t_heatmaps():
    return datasets.t_heatmaps()


def test_by_a_coin_the_class_of_a_t_heatmap_says_nothing_of_its_variances():
    """Class against sum of variances: their correlation has standard error 0.0092; 4 of them."""
    data = datasets.t_heatmaps(independent=True)
    heavy = data.labels.double()
    assert abs(heavy.mean().item() - 0.5) < 4 * 0.5 / len(data) ** 0.5
    total = (data.factors["var_x"] + data.factors["var_y"]).double()
    for column in (total, data.factors["corr"].double()):
        assert abs(torch.corrcoef(torch.stack([heavy, column]))[0, 1]) < 4 / len(data) ** 0.5
    assert torch.equal(data.factors["df"] == 2, data.labels == 1)
    assert not torch.equal(datasets.t_heatmaps(1, independent=True).labels, data.labels)


def test_there_are_11875_heatmaps_of_19_correlations_and_25_variances_each_way(heatmaps):
    assert heatmaps.images.shape == (11_875, 1, 36, 36)
    assert heatmaps.images.dtype == torch.float32
    factors = {name: sorted(set(column.tolist())) for name, column in heatmaps.factors.items()}
    np.testing.assert_allclose(factors["corr"], np.linspace(-0.95, 0.85, 19), atol=1e-6)
    np.testing.assert_allclose(factors["var_x"], np.linspace(0.1, 4.9, 25), atol=1e-6)
    assert factors["var_y"] == factors["var_x"]
    rows = torch.stack(list(heatmaps.factors.values()), dim=1)
    assert len(torch.unique(rows, dim=0)) == 11_875 == 19 * 25 * 25


def test_each_heatmap_belongs_to_its_factors(heatmaps):
    for i in range(0, len(heatmaps), 97):
        var_x, var_y, corr = (heatmaps.factors[n][i].item() for n in ("var_x", "var_y", "corr"))
        expected = normal_image(var_x, var_y, corr)
        np.testing.assert_allclose(heatmaps.images[i, 0].numpy(), expected, rtol=0, atol=1e-6)


def test_a_heatmaps_columns_are_x_and_its_rows_are_y():
    image = datasets.heatmap_images(torch.tensor(4.0), torch.tensor(0.2), torch.tensor(0.0))[0, 0]
    assert image[18].sum() > 3 * image[:, 18].sum()
    tilted = datasets.heatmap_images(torch.tensor(1.0), torch.tensor(1.0), torch.tensor(0.8))[0, 0]
    assert tilted[30, 30] > 100 * tilted[30, 5]  # row 30 is y > 0, column 30 is x > 0


def test_each_t_heatmap_belongs_to_its_factors(t_heatmaps):
    for i in range(0, len(t_heatmaps), 97):
        factors = [t_heatmaps.factors[n][i].item() for n in ("var_x", "var_y", "corr", "df")]
        np.testing.assert_allclose(
            t_heatmaps.images[i, 0].numpy(), t_image(*factors), rtol=0, atol=1e-6
        )


def test_tails_are_heavy_with_the_probability_that_the_random_threshold_gives(t_heatmaps):
    total = (t_heatmaps.factors["var_x"] + t_heatmaps.factors["var_y"]).double()
    low, high = 20**0.5, 30**0.5
    probability = ((total - low) / (high - low)).clip(0, 1)
    heavy = t_heatmaps.labels.double()
    assert (heavy[probability == 0] == 0).all()
    assert (heavy[probability == 1] == 1).all()
    spread = (probability * (1 - probability)).sum().sqrt()
    assert spread > 10
    assert (heavy - probability).sum().abs() < SIGMAS * spread
    expected = torch.tensor([200.0, 2.0])[t_heatmaps.labels]
    assert torch.equal(t_heatmaps.factors["df"], expected)


def test_another_seed_draws_other_thresholds_and_the_same_seed_the_same(t_heatmaps):
    assert torch.equal(datasets.t_heatmaps(0).labels, t_heatmaps.labels)
    assert not torch.equal(datasets.t_heatmaps(1).labels, t_heatmaps.labels)


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["var_x", "var_y"])
def test_a_variance_that_is_none_is_refused_by_name(name, bad):
    factors = {n: torch.tensor([1.0, 1.0]) for n in ("var_x", "var_y")} | {
        "corr": torch.tensor(0.0)
    }
    factors[name][1] = bad
    with pytest.raises(ValueError, match=rf"{name} must be positive and finite, got {bad}"):
        datasets.heatmap_images(**factors)


@pytest.mark.parametrize("bad", [1.0, -1.0, 1.5, float("nan")])
def test_a_correlation_outside_its_range_is_refused(bad):
    with pytest.raises(ValueError, match=rf"corr must lie strictly between -1 and 1, got {bad}"):
        datasets.heatmap_images(torch.ones(1), torch.ones(1), torch.tensor([bad]))


@pytest.mark.parametrize("bad", [0.0, -2.0, float("nan"), float("inf")])
def test_degrees_of_freedom_that_are_none_are_refused(bad):
    one = torch.ones(1)
    with pytest.raises(ValueError, match=rf"df must be positive and finite, got {bad}"):
        datasets.t_heatmap_images(one, one, 0 * one, bad * one)


def test_factors_of_different_lengths_and_empty_pictures_are_refused():
    one = torch.ones(1)
    with pytest.raises(
        ValueError, match=r"var_x, var_y, corr must broadcast.*\[2\], \[3\], \[1\]"
    ):
        datasets.heatmap_images(torch.ones(2), torch.ones(3), 0 * one)
    with pytest.raises(ValueError, match=r"df must broadcast"):
        datasets.t_heatmap_images(torch.ones(2), torch.ones(2), 0 * one, torch.ones(3))
    with pytest.raises(ValueError, match="size must be at least 2 pixels, got 1"):
        datasets.heatmap_images(one, one, 0 * one, size=1)
    with pytest.raises(ValueError, match="extent must be positive, got 0"):
        datasets.heatmap_images(one, one, 0 * one, extent=0)


# ---------------------------------------------------------------------------------------------
# Image sets


def numbered(n):
    images = (torch.arange(n) / 1000.0).reshape(n, 1, 1, 1).expand(n, 1, 2, 2)
    return ImageSet(images, torch.arange(n), {"twice": 2 * torch.arange(n)}, title="numbers")


@given(st.integers(3, 200), st.floats(0.01, 0.99), st.integers(0, 2**31))
def test_a_split_is_disjoint_complete_and_repeats_itself(n, fraction, seed):
    whole = numbered(n)
    size = round(fraction * n)
    if not 0 < size < n:
        with pytest.raises(ValueError, match=r"fraction must lie in \(0, 1\) and leave both"):
            whole.split(fraction, seed)
        return
    first, rest = whole.split(fraction, seed)
    assert len(first) == size
    assert sorted(torch.cat([first.labels, rest.labels]).tolist()) == list(range(n))
    again, _ = whole.split(fraction, seed)
    assert torch.equal(first.labels, again.labels)
    for part in (first, rest):
        assert torch.equal(part.images[:, 0, 0, 0], part.labels / 1000.0)
        assert torch.equal(part.factors["twice"], 2 * part.labels)


def test_another_seed_splits_otherwise():
    whole = numbered(100)
    assert not torch.equal(whole.split(0.5, 0)[0].labels, whole.split(0.5, 1)[0].labels)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_a_fraction_outside_its_range_is_refused(fraction):
    with pytest.raises(ValueError, match=rf"fraction must lie in \(0, 1\).*got {fraction} of 10"):
        numbered(10).split(fraction, 0)


def test_a_subset_keeps_images_labels_and_factors_together():
    whole = numbered(10)
    assert whole[2:4].labels.tolist() == [2, 3]
    assert whole[torch.tensor([7, 1])].factors["twice"].tolist() == [14, 2]
    assert whole[whole.labels > 6].images[0, 0, 0, 0] == torch.tensor(0.007)
    with pytest.raises(ValueError, match="takes a slice or a 1-d tensor, got 3"):
        whole[torch.tensor(3)]


def test_an_image_set_refuses_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"images must be \[N, 1, H, W\], got \[5, 28, 28\]"):
        ImageSet(torch.zeros(5, 28, 28))
    with pytest.raises(ValueError, match=r"labels must be \[5\], got \[4\]"):
        ImageSet(torch.zeros(5, 1, 2, 2), torch.zeros(4))
    with pytest.raises(ValueError, match=r"size must be \[5\], got \[5, 1\]"):
        ImageSet(torch.zeros(5, 1, 2, 2), factors={"size": torch.zeros(5, 1)})


def test_binarised_pixels_have_the_grey_values_as_their_means():
    grey = torch.rand(50, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    grey[0] = 0
    grey[1] = 1
    binary = datasets.binarize(grey, torch.Generator().manual_seed(1))
    assert set(binary.unique().tolist()) == {0.0, 1.0}
    assert (binary[0] == 0).all()
    assert (binary[1] == 1).all()
    # Weighted by the grey value too: the right mean in the wrong pixels would pass the first.
    for weight in (torch.ones_like(grey), grey - 0.5):
        spread = (weight.square() * grey * (1 - grey)).sum().sqrt()
        assert ((binary - grey) * weight).sum().abs() < SIGMAS * spread
    assert torch.equal(binary, datasets.binarize(grey, torch.Generator().manual_seed(1)))
    assert not torch.equal(binary, datasets.binarize(grey, torch.Generator().manual_seed(2)))


# ---------------------------------------------------------------------------------------------
# Digits


@pytest.fixture(scope="module")
def digits():
    return datasets.digits()


def test_the_digits_are_scikit_learns_in_the_frame_of_mnist(digits):
    assert digits.images.shape == (1797, 1, 28, 28)
    assert digits.images.dtype == torch.float32
    assert digits.labels.tolist() == load_digits().target.tolist()
    assert digits.names == tuple("0123456789")
    assert digits.images.min() == 0
    assert torch.equal(digits.images.amax((1, 2, 3)), torch.ones(1797))


def test_the_digits_are_centred_by_mass_to_half_a_pixel(digits):
    frames = digits.images[:, 0].double()
    axis = torch.arange(28.0, dtype=torch.float64)
    mass = frames.sum((1, 2))
    rows = (frames.sum(2) @ axis) / mass
    columns = (frames.sum(1) @ axis) / mass
    assert (rows - 13.5).abs().max() < 0.501
    assert (columns - 13.5).abs().max() < 0.501


def test_the_digits_have_ink_like_mnist_and_leave_the_border_white(digits):
    # MNIST's training set has 13 % of all ink possible.
    assert 0.10 < digits.images.mean() < 0.17
    assert digits.images[:, :, 0].mean() < 0.001
    assert digits.images[:, :, :, 0].mean() < 0.001


def test_the_digits_can_still_be_told_apart_as_the_originals_can(digits):
    pixels, labels = digits.images.flatten(1).numpy(), digits.labels.numpy()
    originals = load_digits().data
    scores = [
        KNeighborsClassifier(1).fit(x[:1200], labels[:1200]).score(x[1200:], labels[1200:])
        for x in (pixels, originals)
    ]
    assert scores[0] > scores[1] - 0.02
    assert scores[1] > 0.94


# ---------------------------------------------------------------------------------------------
# MNIST and Fashion-MNIST

FILES = [
    f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
]


@pytest.fixture
def idx_files():
    """Return the bytes of four small IDX files by name."""
    rng = np.random.default_rng(0)
    files = {}
    for name in FILES:
        n = 20 if name.startswith("train") else 6
        if "images" in name:
            header = [0x803, n, 28, 28]
            content = rng.integers(0, 256, n * 784, dtype=np.uint8)
        else:
            header = [0x801, n]
            content = np.arange(n, dtype=np.uint8) % 10
        files[name] = np.array(header, dtype=">i4").tobytes() + content.tobytes()
    return files


@pytest.fixture
def home(tmp_path, monkeypatch, idx_files):
    """Return an empty machine on which the published checksums are those of `idx_files`."""
    monkeypatch.delenv("VAEBOOK_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    sums = {name: hashlib.md5(content).hexdigest() for name, content in idx_files.items()}
    monkeypatch.setattr(datasets, "_MD5", {"MNIST": sums, "FashionMNIST": sums})
    return tmp_path


@pytest.fixture
def server(tmp_path_factory, monkeypatch, idx_files):
    """Serve the four files on loopback in the place of the public mirrors."""
    folder = tmp_path_factory.mktemp("mirror")
    resources = []
    for name, content in idx_files.items():
        packed = gzip.compress(content, mtime=0)
        (folder / f"{name}.gz").write_bytes(packed)
        resources.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    torchvision = datasets._import_torchvision_datasets()
    for kind in (torchvision.MNIST, torchvision.FashionMNIST):
        monkeypatch.setattr(kind, "mirrors", [f"http://127.0.0.1:{http.server_port}/"])
        monkeypatch.setattr(kind, "resources", resources)
    yield folder
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def offline(monkeypatch):
    torchvision = datasets._import_torchvision_datasets()
    for kind in (torchvision.MNIST, torchvision.FashionMNIST):
        monkeypatch.setattr(kind, "mirrors", ["http://127.0.0.1:9/"])


def place(root, kind, idx_files, names=FILES):
    raw = root / kind / "raw"
    raw.mkdir(parents=True)
    for name in names:
        (raw / name).write_bytes(idx_files[name])
    return raw


def assert_is(found, idx_files, part):
    content = np.frombuffer(idx_files[f"{part}-images-idx3-ubyte"], np.uint8)[16:]
    expected = torch.tensor(content.reshape(-1, 1, 28, 28) / 255, dtype=torch.float32)
    assert torch.equal(found.images, expected)
    assert found.images.dtype == torch.float32
    assert found.labels.dtype == torch.int64
    assert found.labels.tolist() == list(idx_files[f"{part}-labels-idx1-ubyte"][8:])
    assert found.checksum == hashlib.sha256(content.tobytes()).hexdigest()


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize(
    ("load", "kind"), [(datasets.mnist, "MNIST"), (datasets.fashion_mnist, "FashionMNIST")]
)
def test_files_in_the_named_folder_are_read_as_they_are(
    home, monkeypatch, offline, idx_files, load, kind, train
):
    place(home / "data", kind, idx_files)
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    assert_is(load(train), idx_files, "train" if train else "t10k")


def test_files_in_the_cache_are_found_without_the_variable(home, offline, idx_files):
    place(home / "cache" / "vaebook", "MNIST", idx_files)
    assert_is(datasets.mnist(), idx_files, "train")


def test_the_named_folder_comes_before_the_cache(home, monkeypatch, offline, idx_files):
    raw = place(home / "cache" / "vaebook", "MNIST", idx_files)
    (raw / FILES[0]).write_bytes(b"not this one")
    place(home / "data", "MNIST", idx_files)
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    assert_is(datasets.mnist(), idx_files, "train")


def test_what_is_nowhere_is_downloaded_into_the_cache_once(home, server, monkeypatch, idx_files):
    assert_is(datasets.mnist(), idx_files, "train")
    assert (home / "cache" / "vaebook" / "MNIST" / "raw" / FILES[0]).is_file()
    for packed in server.iterdir():
        packed.unlink()
    assert_is(datasets.mnist(train=False), idx_files, "t10k")


@pytest.mark.parametrize("variable", [True, False])
def test_what_cannot_be_had_is_said_with_the_places_and_both_remedies(
    home, monkeypatch, offline, variable
):
    if variable:
        monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    for _ in range(2):  # the second call finds the folder that the failed download left
        with pytest.raises(DatasetUnavailable) as caught:
            datasets.fashion_mnist()
        message = str(caught.value)
        assert "Fashion-MNIST" in message
        assert str(home / "cache" / "vaebook") in message
        assert (str(home / "data") in message) == variable
        assert "connect to the internet" in message
        assert "set VAEBOOK_DATA to a folder that holds FashionMNIST/raw" in message


def test_an_altered_download_is_refused_and_not_kept_as_the_set(home, server):
    (server / f"{FILES[0]}.gz").write_bytes(gzip.compress(b"something else"))
    with pytest.raises(DatasetUnavailable, match=r"MNIST is in none of .* download failed"):
        datasets.mnist()


@pytest.mark.parametrize("damage", ["truncated", "altered"])
@pytest.mark.parametrize("name", FILES[:2])
def test_a_damaged_file_is_named_with_both_checksums(
    home, monkeypatch, offline, idx_files, name, damage
):
    raw = place(home / "data", "MNIST", idx_files)
    content = idx_files[name]
    bad = content[:-1] if damage == "truncated" else content[:-1] + bytes([content[-1] ^ 1])
    (raw / name).write_bytes(bad)
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    with pytest.raises(ValueError, match="truncated or altered") as caught:
        datasets.mnist()
    for part in (raw / name, hashlib.md5(content).hexdigest(), hashlib.md5(bad).hexdigest()):
        assert str(part) in str(caught.value)


@pytest.mark.parametrize("missing", FILES)
def test_a_missing_file_beside_its_siblings_is_named(
    home, monkeypatch, offline, idx_files, missing
):
    raw = place(home / "data", "MNIST", idx_files, [name for name in FILES if name != missing])
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    with pytest.raises(DatasetUnavailable) as caught:
        datasets.mnist(train=missing.startswith("train"))
    assert str(raw / missing) in str(caught.value)


def test_torchvision_is_imported_only_when_asked_for_and_then_works():
    script = """
import sys
import vaebook.datasets, vaebook.recipes
assert "torchvision" not in sys.modules
module = vaebook.datasets._import_torchvision_datasets()
assert module is vaebook.datasets._import_torchvision_datasets()
print(module.MNIST.__name__)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "MNIST\n"


needs_data = pytest.mark.skipif(
    not os.environ.get("VAEBOOK_DATA"), reason="VAEBOOK_DATA names no folder with MNIST"
)


@needs_data
@pytest.mark.parametrize(
    ("load", "mean", "deviation"),
    [(datasets.mnist, 0.1307, 0.3081), (datasets.fashion_mnist, 0.2860, 0.3530)],
)
def test_the_real_sets_have_their_published_size_mean_and_deviation(load, mean, deviation):
    train, test = load(), load(train=False)
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.images.mean().item() == pytest.approx(mean, abs=5e-5)
    assert train.images.std().item() == pytest.approx(deviation, abs=5e-5)
    assert len(train.names) == 10 == len(torch.bincount(train.labels))


@needs_data
def test_the_real_digits_come_as_often_as_published():
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert torch.bincount(datasets.mnist().labels).tolist() == counts


def test_the_checksums_are_those_that_torchvision_publishes_for_the_packed_files():
    # The packed sums are torchvision's; ours are of the unpacked files, checked where they lie.
    torchvision = datasets._import_torchvision_datasets()
    for kind in ("MNIST", "FashionMNIST"):
        packed = [name for name, _ in getattr(torchvision, kind).resources]
        assert sorted(f"{name}.gz" for name in datasets._MD5[kind]) == sorted(packed)
    if os.environ.get("VAEBOOK_DATA"):
        for kind, sums in datasets._MD5.items():
            for name, expected in sums.items():
                path = Path(os.environ["VAEBOOK_DATA"]) / kind / "raw" / name
                assert hashlib.md5(path.read_bytes()).hexdigest() == expected
