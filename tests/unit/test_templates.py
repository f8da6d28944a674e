"""The templates against the geometry they are drawn from, and the score against its formula."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vaebook import datasets


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).abs()


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
    with pytest.raises(ValueError, match=r"must be at most 5\.5 in 12 pixels, got 6\.0"):
        draw_template(12, 6.0)
    with pytest.raises(ValueError, match=r"width must be a finite number in .*, got 0"):
        draw_template(28, 6.0, 0)
    with pytest.raises(ValueError, match=r"(radius|half_length) must be a finite number in \(0"):
        draw_template(28, -6.0)
    for size in (1, 28.0, "28"):
        with pytest.raises(ValueError, match="size must be a whole number, 2 or more, got"):
            draw_template(size)


def test_an_angle_that_is_none_is_refused():
    with pytest.raises(ValueError, match="angle must be a finite number"):
        datasets.stick(angle=float("inf"))


def test_donutness_is_the_difference_of_two_cosines():
    ring, bar = datasets.donut(), datasets.stick()
    images = draw(20, 1, 28, 28)
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


@pytest.mark.slow
@given(st.floats(1e-3, 10, allow_subnormal=False), st.integers(0, 2**31))
def test_donutness_does_not_change_with_brightness(brightness, seed):
    images = draw(3, 1, 28, 28, seed=seed)
    first = datasets.donutness(images, datasets.donut(), datasets.stick())
    second = datasets.donutness(brightness * images, datasets.donut(), datasets.stick())
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-6)
    assert (first.abs() <= 1).all()


def test_a_black_image_scores_zero_and_a_bad_template_is_refused():
    ring, bar = datasets.donut(), datasets.stick()
    black = torch.zeros(2, 1, 28, 28)
    assert datasets.donutness(black, ring, bar).tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"stick must be a float tensor \[28, 28\], got .*29"):
        datasets.donutness(black, ring, datasets.stick(29))
    for bad in (torch.zeros(28, 28), -ring):
        with pytest.raises(ValueError, match="donut must be non-negative and not all black"):
            datasets.donutness(black, bad, bar)


def test_images_that_have_no_donutness_are_refused_by_name():
    ring, bar = datasets.donut(), datasets.stick()
    with pytest.raises(ValueError, match=r"images must be a float tensor \[N, 1, H, W\].* 3, 28"):
        datasets.donutness(draw(2, 3, 28, 28), ring, bar)
    with pytest.raises(ValueError, match=r"images must be a float tensor .* got int64"):
        datasets.donutness(torch.ones(2, 1, 28, 28).long(), ring, bar)
    images = draw(4, 1, 28, 28)
    images[2, 0, 3, 3] = -0.1
    with pytest.raises(ValueError, match="images must be non-negative, but image 2 is not"):
        datasets.donutness(images, ring, bar)


def test_the_score_comes_in_the_dtype_of_the_images():
    ring, bar = datasets.donut(), datasets.stick()
    images = draw(5, 1, 28, 28)
    exact = datasets.donutness(images.double(), ring, bar)
    assert exact.dtype == torch.float64
    torch.testing.assert_close(exact.float(), datasets.donutness(images, ring, bar))
