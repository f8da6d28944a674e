"""The digits against scikit-learn's originals and against MNIST's frame."""

import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from vaebook import datasets


@pytest.fixture(scope="module")
def digits():
    return datasets.digits()


@pytest.mark.slow
def test_the_digits_are_scikit_learns_in_the_frame_of_mnist(digits):
    assert digits.images.shape == (1797, 1, 28, 28)
    assert digits.images.dtype == torch.float32
    assert digits.labels.tolist() == load_digits().target.tolist()
    assert digits.names == tuple("0123456789")
    assert digits.images.min() == 0
    assert torch.equal(digits.images.amax((1, 2, 3)), torch.ones(1797))


@pytest.mark.slow
def test_the_digits_are_centred_by_mass_to_half_a_pixel(digits):
    frames = digits.images[:, 0].double()
    axis = torch.arange(28.0, dtype=torch.float64)
    mass = frames.sum((1, 2))
    rows = (frames.sum(2) @ axis) / mass
    columns = (frames.sum(1) @ axis) / mass
    assert (rows - 13.5).abs().max() < 0.501
    assert (columns - 13.5).abs().max() < 0.501


@pytest.mark.slow
def test_the_digits_have_ink_like_mnist_and_leave_the_border_white(digits):
    # MNIST's training set has 13 % of all ink possible.
    assert 0.10 < digits.images.mean() < 0.17
    assert digits.images[:, :, 0].mean() < 0.001
    assert digits.images[:, :, :, 0].mean() < 0.001


@pytest.mark.slow
def test_the_digits_can_still_be_told_apart_as_the_originals_can(digits):
    pixels, labels = digits.images.flatten(1).numpy(), digits.labels.numpy()
    originals = load_digits().data
    scores = [
        KNeighborsClassifier(1).fit(x[:1200], labels[:1200]).score(x[1200:], labels[1200:])
        for x in (pixels, originals)
    ]
    assert scores[0] > scores[1] - 0.02
    assert scores[1] > 0.94
