"""The fit of heatmaps and their metric against dense tables, difference quotients and SciPy."""

import math

import numpy as np
import pytest
import torch
from scipy import optimize, stats

from vaebook import datasets
from vaebook.measures.heatmaps import fit_heatmaps, heatmap_metric
from vaebook.models.networks import ConvDecoder


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------------------------------------
# The nearest heatmap

NEAR = ("blends", "noisy", "shifted", "dimmed")
FAR = ("differences", "noise", "decoded")


def odd_images(n, seed=0):
    """Images that are no heatmaps, some near, some farther from any than its norm."""
    data = datasets.heatmaps().images
    draws = generator(seed)
    pick = torch.randint(len(data), (6, n), generator=draws)
    one, two = data[pick[0]], data[pick[1]]
    noise = torch.randn(n, 1, 36, 36, generator=draws)
    torch.manual_seed(seed)
    untrained = ConvDecoder(3).eval()
    with torch.no_grad():
        decoded = 4 * untrained(3 * torch.randn(n, 3, generator=draws))
    return {
        "blends": 0.5 * one + 0.5 * two,
        "differences": one - two,
        "noisy": data[pick[2]] + 0.2 * noise,
        "noise": noise,
        "shifted": data[pick[3]].roll((3, -2), (2, 3)),
        "dimmed": 0.4 * data[pick[4]],
        "decoded": decoded,
    }


def slack(kind):
    """How far above the least distance the fit may end, as a share."""
    return 0.0 if kind in NEAR else 0.02


@pytest.mark.slow
@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.weekly), 7])
def test_factors_of_clean_heatmaps_are_recovered_over_the_whole_grid(every):
    data = datasets.heatmaps()
    fit = fit_heatmaps(data.images[::every])
    for name, truth in data.factors.items():
        assert (getattr(fit, name) - truth[::every]).abs().max() < 1e-5
    # Images are float32: each of 1,296 pixels is good to 6e-8.
    assert fit.distance.max() < 1296**0.5 * 1e-7
    assert fit.valid.all()
    assert not fit.at_limit.any()
    # Well-posed everywhere, by the fit's own measure.
    assert fit.sensitivity.min() > 0.1


@pytest.mark.slow
def test_factors_off_the_grid_and_beyond_its_range_are_recovered():
    draws = generator()
    u = torch.rand(3, 500, generator=draws, dtype=torch.float64)
    low, high = math.log(0.02), math.log(30)
    var_x, var_y = (low + (high - low) * u[:2]).exp()
    corr = 1.96 * u[2] - 0.98
    fit = fit_heatmaps(datasets.heatmap_images(var_x, var_y, corr))
    for found, truth in zip(fit[:3], (var_x, var_y, corr), strict=True):
        # An image in float32 is 36 * 6e-8 away at most; the sensitivity says what that does.
        assert ((found - truth).abs() <= 36 * 6e-8 / fit.sensitivity + 1e-6).all()
    assert not fit.at_limit.any()


@pytest.mark.weekly
@pytest.mark.slow
def test_no_heatmap_of_a_dense_table_is_nearer_than_the_fit():
    kinds = odd_images(100)
    images = torch.cat(list(kinds.values()))
    variances = torch.logspace(math.log10(0.01), math.log10(50), 40, dtype=torch.float64)
    grid = torch.cartesian_prod(variances, variances)
    nearest = torch.full((len(images),), math.inf)
    for rho in torch.linspace(-0.995, 0.995, 41, dtype=torch.float64):
        table = datasets.heatmap_images(grid[:, 0], grid[:, 1], rho)
        table = table.flatten(1).where(table.flatten(1) > 1e-30, 0)  # denormals multiply slowly
        nearest = nearest.minimum(torch.cdist(images.flatten(1), table).amin(1))
    for kind, least in zip(kinds, nearest.split(100), strict=True):
        fit = fit_heatmaps(kinds[kind])
        # The table is float32.
        assert (fit.distance <= (1 + slack(kind)) * least + 1e-3).all(), kind


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[] if kind in (NEAR[0], FAR[-1]) else [pytest.mark.weekly])
        for kind in NEAR + FAR
    ],
)
def test_scipy_from_many_starts_finds_nothing_nearer(kind):
    images = odd_images(4, seed=1)[kind]
    fit = fit_heatmaps(images)
    box = np.array([[math.log(0.01)] * 2 + [-0.995], [math.log(50)] * 2 + [0.995]])
    starts = stats.qmc.Sobol(3, seed=0).random(8 if kind in NEAR else 4)
    for image, distance in zip(images.double().flatten(1).numpy(), fit.distance, strict=True):

        def residual(factors, image=image):
            var_x, var_y, corr = np.exp(factors[0]), np.exp(factors[1]), factors[2]
            columns = (torch.tensor([value]) for value in (var_x, var_y, corr))
            return datasets.heatmap_images(*columns).double().flatten().numpy() - image

        costs = [
            optimize.least_squares(
                residual, box[0] + s * (box[1] - box[0]), bounds=box, diff_step=1e-4
            ).cost
            for s in 0.1 + 0.8 * starts
        ]
        assert distance.item() <= (1 + slack(kind)) * math.sqrt(2 * min(costs)) + 1e-5


@pytest.mark.slow
def test_the_distance_is_that_of_the_fitted_factors():
    images = torch.cat(list(odd_images(20).values()))
    fit = fit_heatmaps(images)
    nearest = datasets.heatmap_images(*fit[:3])
    distance = (images - nearest).flatten(1).norm(dim=1)
    torch.testing.assert_close(fit.distance, distance, rtol=1e-5, atol=1e-5)
    relative = distance / nearest.flatten(1).norm(dim=1)
    torch.testing.assert_close(fit.relative, relative, rtol=1e-5, atol=1e-5)
    assert torch.equal(fit.valid, fit.relative <= 0.1)


def test_a_fit_that_ends_where_the_search_ends_says_so():
    white, black = torch.ones(1, 1, 36, 36), torch.zeros(1, 1, 36, 36)
    stripe = torch.zeros(1, 1, 36, 36)
    stripe[:, :, 17:19] = 1.0
    fit = fit_heatmaps(torch.cat([white, black, stripe]))
    assert fit.at_limit.all()
    assert fit.var_x[0] == pytest.approx(50)
    assert (fit.var_x[2] > 40, fit.var_y[2] < 0.02) == (True, True)
    assert fit.relative[1] == pytest.approx(1)


@pytest.mark.slow
def test_an_image_that_moves_moves_the_factors_by_no_more_than_the_sensitivity_says():
    data = datasets.heatmaps()
    some = data[torch.randperm(len(data), generator=generator())[:300]]
    noise = 1e-3 * torch.randn(some.images.shape, generator=generator(1))
    fit = fit_heatmaps(some.images)
    moved = fit_heatmaps(some.images + noise)
    factors = torch.stack([a - b for a, b in zip(fit[:3], moved[:3], strict=True)], dim=1)
    bound = noise.flatten(1).norm(dim=1) / fit.sensitivity
    assert (factors.norm(dim=1) <= 1.01 * bound).all()


@pytest.mark.slow
def test_fits_do_not_depend_on_their_batch():
    images = torch.cat(list(odd_images(30).values()))
    whole = torch.stack(fit_heatmaps(images)[:6])
    parts = [torch.stack(fit_heatmaps(i)[:6]) for i in images.split(17)]
    # Values, not factors: where an image has no clear nearest heatmap rounding chooses.
    torch.testing.assert_close(whole[3:5], torch.cat(parts, 1)[3:5], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 1, 28, 28), r"images must be .*\[N, 1, 36, 36\], .* \[2, 1, 28, 28\]"),
        (torch.zeros(36, 36), r"of shape \[36, 36\]"),
        (torch.zeros(0, 1, 36, 36), r"of shape \[0, 1, 36, 36\]"),
        (torch.full((1, 1, 36, 36), math.nan), "images must be finite, got nan at"),
        (torch.full((1, 1, 36, 36), math.inf), "images must be finite, got inf at"),
        (torch.zeros(2, 1, 36, 36).long(), r"images must be a float tensor .* got int64"),
        (torch.zeros(2, 1, 36, 36).byte().numpy(), r"images must be a float tensor .* ndarray"),
    ],
)
def test_what_cannot_be_fitted_is_refused(images, message):
    with pytest.raises(ValueError, match=message):
        fit_heatmaps(images)


# ---------------------------------------------------------------------------------------------
# The metric of the factors


def difference_quotients(factors, step=1e-5):
    """Central differences of the images in each factor, [N, 1296, 3], by float64 densities."""
    axis = np.linspace(-3, 3, 36)
    u = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)

    def draw(s1, s2, rho):
        cov = np.array([[s1, rho * math.sqrt(s1 * s2)], [rho * math.sqrt(s1 * s2), s2]])
        exponents = -0.5 * np.einsum("pi,ij,pj->p", u, np.linalg.inv(cov), u)
        return np.exp(exponents - exponents.max())

    return np.stack(
        [
            np.stack(
                [(draw(*(row + e)) - draw(*(row - e))) / (2 * step) for e in step * np.eye(3)], 1
            )
            for row in factors
        ]
    )


def test_the_metric_is_the_gram_matrix_of_difference_quotients():
    draws = generator()
    u = torch.rand(40, 3, generator=draws, dtype=torch.float64)
    factors = torch.tensor([0.1, 0.1, -0.95]) + u * torch.tensor([4.8, 4.8, 1.8])
    factors = torch.cat([factors, torch.tensor([[0.1, 0.1, -0.95], [4.9, 4.9, 0.85]])]).double()
    jacobian = difference_quotients(factors.numpy())
    expected = np.einsum("npi,npj->nij", jacobian, jacobian)
    found = heatmap_metric(*factors.T).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ((0.0, 1.0, 0.0), r"var_x must lie in \[1e-6, 1e6\], got 0\.0"),
        ((1.0, math.inf, 0.0), "var_y must be finite, got inf"),
        ((1.0, 1.0, -1.0), "corr must lie strictly between -1 and 1, got -1.0"),
    ],
)
def test_the_metric_refuses_factors_out_of_range(factors, message):
    with pytest.raises(ValueError, match=message):
        heatmap_metric(*(torch.tensor([value]) for value in factors))


def test_the_metric_refuses_factors_of_different_length():
    with pytest.raises(ValueError, match=r"corr must be a float tensor \[3\], .* \[2\]"):
        heatmap_metric(torch.ones(3), torch.ones(3), torch.zeros(2))
    with pytest.raises(ValueError, match=r"var_x must be a float tensor \[N\], got int64"):
        heatmap_metric(torch.ones(3).long(), torch.ones(3), torch.zeros(3))
    with pytest.raises(ValueError, match="must be of one dtype"):
        heatmap_metric(torch.ones(3), torch.ones(3).double(), torch.zeros(3))
    with pytest.raises(ValueError, match="must hold values"):
        heatmap_metric(torch.ones(3), torch.ones(3), torch.zeros(3).to("meta"))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_fit_and_metric_come_back_in_the_type_of_what_was_given(dtype):
    data = datasets.heatmaps()
    fit = fit_heatmaps(data.images[:3].to(dtype))
    assert {column.dtype for column in fit[:6]} == {dtype}
    assert fit.at_limit.dtype == torch.bool
    factors = [column[:3].to(dtype) for column in data.factors.values()]
    assert heatmap_metric(*factors).dtype == dtype
