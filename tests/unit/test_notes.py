"""The note of a page that has other images than MNIST's."""

import pytest
import torch

from vaebook import datasets, figures


def test_a_page_with_mnist_has_no_note():
    images = datasets.ImageSet(torch.rand(4, 1, 28, 28), title="MNIST")
    assert figures.stand_in_note(images) is None
    assert figures.stand_in_note(images[:2]) is None


@pytest.mark.slow
def test_the_note_says_what_stands_in_and_how_to_get_the_images():
    note = figures.stand_in_note(datasets.digits()[:5])
    html = note._repr_html_()
    for words in ("MNIST could not be had", "UCI digits stand in", "python -m vaebook data"):
        assert words in html
    # The theme draws a box by these classes, the tools find the note by the last.
    assert 'class="admonition warning vaebook-stand-in"' in html
