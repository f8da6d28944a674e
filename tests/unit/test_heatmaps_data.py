"""The heatmaps against scipy's densities, and what their functions refuse."""

from itertools import product

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from vaebook import datasets

# Monte Carlo is held within this many standard errors: one false alarm in 150,000 per number.
SIGMAS = 4.5

VARIANCE = st.floats(0.05, 10)
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_by_a_coin_the_class_of_a_t_heatmap_says_nothing_of_its_variances():
    """Class against sum of variances: their correlation has standard error 0.0092; 4 of them."""
    data = datasets.t_heatmaps(heavy="coin")
    heavy = data.labels.double()
    assert abs(heavy.mean().item() - 0.5) < 4 * 0.5 / len(data) ** 0.5
    total = (data.factors["var_x"] + data.factors["var_y"]).double()
    for column in (total, data.factors["corr"].double()):
        assert abs(torch.corrcoef(torch.stack([heavy, column]))[0, 1]) < 4 / len(data) ** 0.5
    assert torch.equal(data.factors["df"] == 2, data.labels == 1)
    assert not torch.equal(datasets.t_heatmaps(1, heavy="coin").labels, data.labels)


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


@pytest.mark.slow
def test_each_t_heatmap_belongs_to_its_factors(t_heatmaps):
    for i in range(0, len(t_heatmaps), 97):
        factors = [t_heatmaps.factors[n][i].item() for n in ("var_x", "var_y", "corr", "df")]
        np.testing.assert_allclose(
            t_heatmaps.images[i, 0].numpy(), t_image(*factors), rtol=0, atol=1e-6
        )


@pytest.mark.weekly
@pytest.mark.slow
def test_tails_are_heavy_with_the_probability_that_the_random_threshold_gives():
    """The squared threshold is uniform on [20, 30], and not the threshold itself.

    Over 20 seeds the two ways differ by more than nine standard errors in the number of heavy
    tails, so that the wrong one is told with 4.5 of them to spare.
    """
    sets = [datasets.t_heatmaps(seed) for seed in range(20)]
    heavy = torch.stack([each.labels for each in sets]).double()
    tenths = (10 * (sets[0].factors["var_x"] + sets[0].factors["var_y"])).round().long()
    assert (heavy[:, tenths <= 44] == 0).all()
    assert (heavy[:, tenths >= 56] == 1).all()
    drawn = expected = variance = other = 0.0
    for total in (46, 48, 50, 52, 54):
        found = heavy[:, tenths == total].flatten()
        p = scipy.stats.uniform(20, 10).cdf((total / 10) ** 2)  # l + 20 < (s_1 + s_2)^2
        error = (p * (1 - p) / len(found)) ** 0.5
        assert abs(found.mean().item() - p) < SIGMAS * error
        drawn += found.sum().item()
        expected += p * len(found)
        variance += p * (1 - p) * len(found)
        other += (total / 10 - 20**0.5) / (30**0.5 - 20**0.5) * len(found)
    assert abs(drawn - expected) < SIGMAS * variance**0.5
    assert other - drawn > SIGMAS * variance**0.5
    for each in sets[:2]:
        assert torch.equal(each.factors["df"], torch.tensor([200.0, 2.0])[each.labels])


@pytest.mark.slow
def test_heavy_tails_to_the_small_are_the_other_class_of_the_same_factors():
    large, small = (datasets.t_heatmaps(3, heavy=heavy) for heavy in ("large", "small"))
    assert torch.equal(small.labels, 1 - large.labels)
    assert small.names == large.names
    assert torch.equal(small.factors["df"] == 2, small.labels == 1)
    total = small.factors["var_x"] + small.factors["var_y"]
    assert small.labels[total < 4.4].all()
    assert not small.labels[total > 5.6].any()


@pytest.mark.parametrize("bad", ["heavy", "", None, True, 1])
def test_a_rule_that_there_is_not_is_refused_with_those_that_there_are(bad):
    with pytest.raises(ValueError, match="heavy must be one of large, small, coin, got"):
        datasets.t_heatmaps(heavy=bad)


@pytest.mark.slow
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
    with pytest.raises(ValueError, match=rf"{name} must be (positive|finite), got {bad}"):
        datasets.heatmap_images(**factors)


@pytest.mark.parametrize("bad", [1.0, -1.0, 1.5, float("nan")])
def test_a_correlation_outside_its_range_is_refused(bad):
    with pytest.raises(
        ValueError, match=rf"corr must (lie strictly between -1 and 1|be finite), got {bad}"
    ):
        datasets.heatmap_images(torch.ones(1), torch.ones(1), torch.tensor([bad]))


@pytest.mark.parametrize("bad", [0.0, -2.0, float("nan"), float("inf")])
def test_degrees_of_freedom_that_are_none_are_refused(bad):
    one = torch.ones(1)
    with pytest.raises(ValueError, match=rf"df must be (positive|finite), got {bad}"):
        datasets.t_heatmap_images(one, one, 0 * one, bad * one)


def test_factors_of_different_lengths_and_empty_pictures_are_refused():
    one = torch.ones(1)
    with pytest.raises(
        ValueError, match=r"var_x, var_y, corr must broadcast.*\[2\], \[3\], \[1\]"
    ):
        datasets.heatmap_images(torch.ones(2), torch.ones(3), 0 * one)
    with pytest.raises(ValueError, match=r"df must broadcast"):
        datasets.t_heatmap_images(torch.ones(2), torch.ones(2), 0 * one, torch.ones(3))
    with pytest.raises(ValueError, match="size must be a whole number, 2 or more, got 1"):
        datasets.heatmap_images(one, one, 0 * one, size=1)
    for extent in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match=f"extent must be a finite number .* got {extent}"):
            datasets.heatmap_images(one, one, 0 * one, extent=extent)


@pytest.mark.parametrize("bad", [1.0, [1.0], np.ones(1), torch.ones(1).long(), torch.ones(1, 1)])
@pytest.mark.parametrize("name", ["var_x", "var_y", "corr", "df"])
def test_factors_that_are_no_columns_of_floats_are_refused_by_name(name, bad):
    factors = dict.fromkeys(("var_x", "var_y", "df"), torch.ones(1)) | {"corr": torch.zeros(1)}
    with pytest.raises(ValueError, match=rf"{name} must be a float tensor \[N\], got"):
        datasets.t_heatmap_images(**factors | {name: bad})


def test_heatmaps_too_narrow_for_their_pixels_are_refused_rather_than_drawn_as_nan():
    """An even size has no pixel at the mean: every one underflows where the variance is tiny."""
    narrow = torch.tensor([1.0, 1e-42], dtype=torch.float64)
    with pytest.raises(ValueError, match="factors and extent must be less extreme, got image 1"):
        datasets.heatmap_images(narrow, narrow, 0 * narrow)
    with pytest.raises(ValueError, match="factors and extent must be less extreme"):
        datasets.t_heatmap_images(narrow, narrow, 0 * narrow, 1e-300 * torch.ones(1).double())
    # With a pixel at the mean there is a right answer: that pixel.
    image = datasets.heatmap_images(narrow, narrow, 0 * narrow, size=35)[1, 0]
    assert image[17, 17] == 1
    assert image.sum() == 1


def test_images_are_float32_whatever_the_precision_of_their_factors():
    one = torch.ones(1)
    exact = datasets.heatmap_images(one.double(), one, 0.5 * one.double())
    assert exact.dtype == torch.float32
    assert torch.equal(exact, datasets.heatmap_images(one, one, 0.5 * one))


@pytest.mark.parametrize("seed", [-1, 0.5, None, True])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(ValueError, match="seed must be a whole number, 0 or more"):
        datasets.t_heatmaps(seed)
