"""What a page says about itself: whose images it shows where MNIST could not be had."""

__all__ = ["Note", "stand_in_note"]

from dataclasses import dataclass
from html import escape

from vaebook import _checks
from vaebook.datasets import ImageSet


@dataclass(frozen=True)
class Note:
    """A remark in a box, as the last value of a cell.

    Args:
        title: the words on top of the box.
        text: what it says, in HTML.
    """

    title: str
    text: str

    def _repr_html_(self) -> str:
        return (
            f'<div class="admonition warning vaebook-stand-in" role="note">'
            f'<p class="admonition-title">{self.title}</p><p>{self.text}</p></div>'
        )


def stand_in_note(images: ImageSet) -> Note | None:
    """Return the note of a page that was built without MNIST, or None where it was there.

    Args:
        images: what `datasets.handwritten` gave, or a part of it.

    Example:
        >>> from vaebook import datasets
        >>> stand_in_note(datasets.digits()).title
        'Built without MNIST'
    """
    _checks.instance(images, "images", ImageSet)
    if images.title == "MNIST":
        return None
    return Note(
        "Built without MNIST",
        "The images of MNIST could not be had when this page was made. "
        f"{escape(images.title)} stand in for them, or they are left out, and some figures and "
        "numbers are not those that the text speaks of. <code>python -m vaebook data</code> "
        "fetches the images.",
    )
