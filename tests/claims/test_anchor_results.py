"""The templates of the anchors, and the results of the chapter on them."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributions as td

from vaebook import datasets, objectives

SIGMAS = 4.5


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ---------------------------------------------------------------------------------------------
# The templates


def test_a_donut_is_one_on_its_circle_and_turns_into_itself():
    ring = datasets.donut(size=29, radius=7.0, width=1.5)
    assert ring.shape == (29, 29)
    for row, column in ((14, 7), (14, 21), (7, 14), (21, 14)):
        assert ring[row, column].item() == pytest.approx(1)
    # A width away from the circle: exp(-1/2).
    wide = datasets.donut(size=29, radius=7.0, width=2.0)
    assert wide[14, 14 + 9].item() == pytest.approx(math.exp(-0.5))
    assert ring[14, 14].item() == pytest.approx(math.exp(-49 / 4.5), rel=1e-4)
    torch.testing.assert_close(ring, ring.rot90())
    torch.testing.assert_close(ring, ring.T)


def test_a_stick_is_one_on_its_segment_and_falls_off_beyond_its_ends():
    upright = datasets.stick(size=29, half_length=8.0, width=1.5, angle=0.0)
    assert upright[6:23, 14].tolist() == pytest.approx([1.0] * 17)
    assert upright[6 - 3, 14].item() == pytest.approx(math.exp(-9 / 4.5), rel=1e-5)
    assert upright[14, 17].item() == pytest.approx(math.exp(-9 / 4.5), rel=1e-5)
    torch.testing.assert_close(datasets.stick(29, 8.0, 1.5, 90.0), upright.T)
    leaning = datasets.stick(29, 8.0, 1.5, 30.0)
    rows, columns = torch.meshgrid(torch.arange(29.0), torch.arange(29.0), indexing="ij")
    upper = leaning * (rows < 14)
    # The upper half lies to the right of the centre, as slanted handwriting does.
    assert (upper * columns).sum() / upper.sum() > 15


@pytest.mark.parametrize("draw_template", [datasets.donut, datasets.stick])
def test_a_template_that_cannot_be_drawn_is_refused(draw_template):
    with pytest.raises(ValueError, match=r"can't reach 6\.0 from its centre"):
        draw_template(12, 6.0)
    with pytest.raises(ValueError, match="lengths must be positive"):
        draw_template(28, 6.0, 0.0)


def test_donutness_is_the_difference_of_two_cosines():
    ring, bar = datasets.donut(), datasets.stick()
    images = draw(20, 1, 28, 28).abs().float()
    flat = images.flatten(1)
    cosines = [
        torch.nn.functional.cosine_similarity(flat, template.flatten()[None])
        for template in (ring, bar)
    ]
    torch.testing.assert_close(datasets.donutness(images, ring, bar), cosines[0] - cosines[1])


def test_the_templates_themselves_score_highest_and_lowest():
    ring, bar = datasets.donut(), datasets.stick()
    pair = torch.stack([ring, bar])[:, None]
    found = datasets.donutness(pair, ring, bar)
    likeness = (ring * bar).sum() / (ring.norm() * bar.norm())
    torch.testing.assert_close(found, torch.stack([1 - likeness, likeness - 1]))
    assert found[0] > 0.5


@given(st.floats(1e-3, 10, allow_subnormal=False), st.integers(0, 2**31))
def test_donutness_does_not_change_with_brightness(brightness, seed):
    images = draw(3, 1, 28, 28, seed=seed).abs().float()
    first = datasets.donutness(images, datasets.donut(), datasets.stick())
    second = datasets.donutness(brightness * images, datasets.donut(), datasets.stick())
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-6)
    assert (first.abs() <= 1).all()


def test_a_black_image_scores_zero_and_a_bad_template_is_refused():
    ring, bar = datasets.donut(), datasets.stick()
    black = torch.zeros(2, 1, 28, 28)
    assert datasets.donutness(black, ring, bar).tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"stick must be \[28, 28\] as the images"):
        datasets.donutness(black, ring, datasets.stick(29))
    with pytest.raises(ValueError, match="donut must be non-negative and not all black"):
        datasets.donutness(black, torch.zeros(28, 28), bar)


# ---------------------------------------------------------------------------------------------
# The chapter


@given(st.integers(0, 2**31), st.floats(-10, 10, allow_subnormal=False), st.integers(1, 6))
def test_prop_anchor_prior(seed, rate, dim):
    """Shifting the posterior by r c is shifting the prior by -r c: KL against KL, by torch."""
    mu, logvar, score = (
        draw(5, dim, seed=seed),
        draw(5, dim, seed=seed + 1),
        draw(5, seed=seed + 2),
    )
    shift = rate * score[:, None]
    scale = (0.5 * logvar).exp()

    def normal(mean, deviation):
        return td.Independent(td.Normal(mean, deviation), 1)

    anchored = objectives.kl_divergence(mu + shift, logvar)
    shifted_q = td.kl_divergence(normal(mu + shift, scale), normal(torch.zeros_like(mu), 1.0))
    shifted_p = td.kl_divergence(normal(mu, scale), normal(-shift.expand_as(mu), 1.0))
    torch.testing.assert_close(anchored, shifted_q)
    torch.testing.assert_close(shifted_q, shifted_p)
    wrong_sign = td.kl_divergence(normal(mu, scale), normal(shift.expand_as(mu), 1.0))
    if (shift.abs() > 0.1).all():
        assert not torch.allclose(shifted_q, wrong_sign)


def test_prop_anchor_marginal():
    """Mean and covariance of the mixture prior, by draws of c and z: 4.5 standard errors."""
    n, dim, rate = 200_000, 3, 4.0
    generator = torch.Generator().manual_seed(0)
    score = 0.3 * torch.rand(n, generator=generator).double().square() - 0.1
    z = -rate * score[:, None] + draw(n, dim, seed=1)
    # Moments of 0.3 u^2 - 0.1 for uniform u: E u^2 = 1/3, Var u^2 = 1/5 - 1/9.
    mean, variance = 0.3 / 3 - 0.1, 0.09 * (1 / 5 - 1 / 9)
    expected = torch.eye(dim).double() + rate**2 * variance
    error = (expected.diagonal() / n).sqrt()
    assert ((z.mean(0) + rate * mean).abs() < SIGMAS * error).all()
    # The standard error of a covariance of near-normal columns is about (1 + v) sqrt(2 / n).
    tolerance = SIGMAS * expected.max() * (2 / n) ** 0.5
    assert (torch.cov(z.T) - expected).abs().max() < tolerance


@pytest.mark.parametrize(("n", "rate"), [(19, 0.05), (99, 0.05), (199, 0.01), (30, 0.1)])
def test_prop_anchor_false_alarms(n, rate):
    """The share of alarms among new draws is floor(a (n + 1)) / (n + 1), whatever the law."""
    k = math.floor(rate * (n + 1))
    runs = 40_000
    generator = torch.Generator().manual_seed(0)
    # An exponential of a Cauchy draw: no moments at all.
    values = torch.tan(math.pi * (torch.rand(runs, n + 1, generator=generator).double() - 0.5))
    held_out, new = values[:, :n], values[:, n]
    threshold = held_out.sort(dim=1, descending=True).values[:, k - 1]
    share = (new > threshold).double().mean().item()
    expected = k / (n + 1)
    assert expected <= rate
    assert abs(share - expected) < SIGMAS * math.sqrt(expected * (1 - expected) / runs)
