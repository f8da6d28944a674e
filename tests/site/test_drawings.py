"""Schematics in a browser, as wide as a phone's column and as they are on a desktop."""

import pytest

from tests.site.conftest import NewPage
from vaebook.figures import schematics
from vaebook.figures.drawing import Drawing, Sheet

WIDTHS = {"phone": 390, "desktop": 1280}
EVERY = {
    name: getattr(schematics, name)
    if name != "elbo_bars"
    else lambda: schematics.elbo_bars(-75.0, 20.0, -90.0)
    for name in schematics.__all__
}
PAGE = "<style>body {{ font-family: system-ui, sans-serif; margin: 16px }}</style>{}"

# Words must lie in a shape or beside it, and all in the frame; lines may pass under words.
FAULTS = """() => {
  const svg = document.querySelector("svg");
  const box = (element) => element.getBoundingClientRect();
  const inside = (a, b, slack) => a.left >= b.left - slack && a.right <= b.right + slack
    && a.top >= b.top - slack && a.bottom <= b.bottom + slack;
  const apart = (a, b) => a.right <= b.left || a.left >= b.right
    || a.bottom <= b.top + 2 || a.top >= b.bottom - 2;
  const faults = [];
  for (const element of svg.querySelectorAll("text, rect, circle, polygon, path"))
    if (!inside(box(element), box(svg), 1)) faults.push(`out of frame: ${element.outerHTML}`);
  const words = [...svg.querySelectorAll("text")];
  for (const [i, text] of words.entries()) {
    for (const frame of svg.querySelectorAll("rect"))
      if (!inside(box(text), box(frame), 1) && !apart(box(text), box(frame)))
        faults.push(`across an edge: ${text.textContent}`);
    for (const other of words.slice(i + 1))
      if (!apart(box(text), box(other)))
        faults.push(`on each other: ${text.textContent}, ${other.textContent}`);
  }
  for (const shape of svg.querySelectorAll(".vaebook-shape")) {
    const text = shape.querySelector("text");
    if (text && !inside(box(text), box(shape.firstElementChild), 1))
      faults.push(`out of shape: ${text.textContent}`);
  }
  return faults;
}"""
SIZES = """() => {
  const { width } = document.querySelector("svg").getBoundingClientRect();
  const scale = width / document.querySelector("svg").viewBox.baseVal.width;
  const size = (text) => scale * parseFloat(getComputedStyle(text).fontSize);
  return [...document.querySelectorAll("text")].map(size);
}"""


def faults(new_page: NewPage, drawing: Drawing, width: int) -> tuple[list[str], list[float]]:
    """What is wrong with a drawing on a page of some width, and the sizes of its letters."""
    page = new_page(viewport={"width": width, "height": 700})
    page.set_content(PAGE.format(drawing._repr_html_()))
    found = page.evaluate(FAULTS), page.evaluate(SIZES)
    page.close()
    return found


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
def test_words_are_in_their_shapes_and_large_enough_to_read(
    new_page: NewPage, draw: object, width: int
) -> None:
    wrong, sizes = faults(new_page, draw(), width)
    assert wrong == []
    assert min(sizes) > 11
    assert max(sizes) < 20


def test_words_that_leave_their_place_are_found(new_page: NewPage) -> None:
    sheet = Sheet(100, 60)
    sheet.box(10, 10, 30, 20, "a long word")
    sheet.words(95, 50, "outside")
    sheet.words(20, 11, "in")
    wrong, _ = faults(new_page, sheet.done("Faults."), 390)
    kinds = {fault.split(":")[0] for fault in wrong}
    assert kinds == {"out of frame", "across an edge", "out of shape", "on each other"}
