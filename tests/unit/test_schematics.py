"""Schematics: what they say, what is to scale in them, and what is refused."""

import math
import re
from importlib.resources import files
from xml.etree import ElementTree

import pytest

from vaebook import figures
from vaebook.figures import schematics
from vaebook.figures.drawing import Drawing, Sheet
from vaebook.figures.renderer import CATEGORICAL

SVG = "{http://www.w3.org/2000/svg}"
EVERY = {
    name: getattr(schematics, name)()
    if name != "elbo_bars"
    else schematics.elbo_bars(-75.0, 20.0, -90.0)
    for name in schematics.__all__
}

each = pytest.mark.parametrize("drawing", EVERY.values(), ids=EVERY)


def elements(drawing: Drawing) -> ElementTree.Element:
    """The drawing as a tree."""
    html = drawing._repr_html_()
    return ElementTree.fromstring(html[html.index("<svg") : html.index("</svg>") + 6])


def said(drawing: Drawing) -> list[str]:
    """Each line of words."""
    return ["".join(text.itertext()) for text in elements(drawing).iter(f"{SVG}text")]


@each
def test_a_schematic_is_an_image_with_a_description(drawing):
    svg = elements(drawing)
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == repr(drawing) == drawing.alt
    assert len(drawing.alt) > 60


@each
def test_words_are_in_the_ink_of_the_page_and_nothing_needs_a_name(drawing):
    for text in elements(drawing).iter(f"{SVG}text"):
        assert text.get("fill") == "currentColor"
    # A page may show a drawing twice, and a name must be the only one of its kind.
    assert not any("id" in element.attrib for element in elements(drawing).iter())


@pytest.mark.parametrize("alt", ["", "  ", None])
def test_a_drawing_without_a_description_is_refused(alt):
    with pytest.raises(ValueError, match="alt must say what is to be seen"):
        Sheet(10, 10).done(alt)


def test_a_drawing_is_saved_for_print(tmp_path):
    path = tmp_path / "bottleneck.svg"
    schematics.bottleneck().save(path)
    svg = ElementTree.parse(path).getroot()
    assert "background: #ffffff; color: #222832" in svg.get("style")
    with pytest.raises(ValueError, match=r"path must end in \.svg, got .*'walk.png'"):
        schematics.bottleneck().save("walk.png")


def test_words_are_set_as_the_tags_say():
    sheet = Sheet(100, 40)
    sheet.words(50, 20, "<b>a</b> & <i>z</i><sub>1</sub>b")
    (text,) = elements(sheet.done("Letters."))
    assert "".join(text.itertext()) == "a & z1b"
    bold, slanted, low, after = text
    assert bold.get("font-weight") == "600"
    assert slanted.get("font-style") == "italic"
    # What is lowered is raised again afterwards.
    assert float(low.get("dy")) == -float(after.get("dy")) > 0


@pytest.mark.parametrize(
    ("reconstruction", "kl", "log_evidence"), [(-75, 20, -90), (-3.5, 0, -3.5), (12, 4, 9.5)]
)
def test_the_bars_of_the_elbo_are_to_scale(reconstruction, kl, log_evidence):
    drawing = schematics.elbo_bars(reconstruction, kl, log_evidence)
    bars = [
        (float(bar.get("x")), float(bar.get("width")))
        for bar in elements(drawing).iter(f"{SVG}rect")
    ]
    elbo = reconstruction - kl
    spans = [(0, reconstruction), (elbo, reconstruction), (0, elbo), (0, log_evidence)]
    spans.append((elbo, log_evidence))
    lengths = [abs(a - b) for a, b in spans]
    unit = sum(width for _, width in bars) / sum(lengths)
    for (x, width), length, span in zip(bars, lengths, spans, strict=True):
        assert width == pytest.approx(unit * length, abs=0.01)
        assert x - bars[0][0] == pytest.approx(unit * (min(span) - min(spans[0])), abs=0.01)
    words = " ".join(said(drawing))
    for value in (reconstruction, -kl, elbo, log_evidence, log_evidence - elbo):
        assert figures.number(value, 1) in words


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((-75, -1, -90), r"kl must be a finite number in \[0"),
        ((-75, 20, -96), "log_evidence must be reconstruction - kl = -95 or more, got -96"),
        ((math.nan, 20, -90), "reconstruction must be a finite number"),
        ((-75, 20, math.inf), "log_evidence must be a finite number"),
    ],
)
def test_bars_that_no_bound_has_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        schematics.elbo_bars(*values)


def test_pcn_stays_on_the_circle_and_the_random_walk_leaves_it():
    step = 0.8
    shell, *dots = elements(EVERY["pcn_circle"]).iter(f"{SVG}circle")
    radius = float(shell.get("r"))
    centre, z, xi, circle, walk = (complex(float(d.get("cx")), float(d.get("cy"))) for d in dots)
    for place in (z, xi, circle):
        assert abs(place - centre) == pytest.approx(radius, rel=1e-2)
    assert abs(walk - centre) == pytest.approx(radius * math.hypot(1, step), rel=1e-2)
    c = math.sqrt(1 - step**2)
    assert abs(circle - centre - c * (z - centre) - step * (xi - centre)) < 1


def test_each_ellipse_of_the_pull_back_becomes_a_circle_of_one_size():
    drawing = elements(EVERY["pull_back"])
    lines = [
        pairs(path.get("d").replace("L", " "))
        for path in drawing.iter(f"{SVG}path")
        if path.get("d").count(" ") > 20
    ]
    codes = [line for line in lines if line[0][0] < 150]
    images = [line for line in lines if line[0][0] > 150]
    assert len(codes) == len(images) == 10
    circles = [c for c in drawing.iter(f"{SVG}circle") if c.get("fill-opacity")]
    (radius,) = {float(circle.get("r")) for circle in circles}
    ellipses = [
        [tuple(map(float, corner.split(","))) for corner in shape.get("points").split()]
        for shape in drawing.iter(f"{SVG}polygon")
        if shape.get("stroke")
    ]
    assert len(ellipses) == len(circles) == 3
    for ellipse, circle in zip(ellipses, circles, strict=True):
        centre = [sum(part) / len(ellipse) for part in zip(*ellipse, strict=True)]
        # How the grid lines through the centre are sent on: the columns of the Jacobian.
        columns = []
        for before, after in zip(codes, images, strict=True):
            k = min(range(1, 20), key=lambda k: math.dist(before[k], centre))
            if math.dist(before[k], centre) < 0.1:
                step = math.dist(before[k + 1], before[k - 1])
                here = [(before[k + 1][i] - before[k - 1][i]) / step for i in (0, 1)]
                there = [(after[k + 1][i] - after[k - 1][i]) / step for i in (0, 1)]
                columns.append((here, there))
                assert math.dist(after[k], [float(circle.get(c)) for c in ("cx", "cy")]) < 0.1
        assert len(columns) == 2
        for x, y in ellipse:
            shares = [(x - centre[0]) * u[0] + (y - centre[1]) * u[1] for u, _ in columns]
            moved = [
                sum(share * column[i] for share, (_, column) in zip(shares, columns, strict=True))
                for i in (0, 1)
            ]
            assert math.hypot(*moved) == pytest.approx(radius, rel=0.03)


def test_the_hole_and_the_gap_are_to_scale_and_their_paths_cross_them_or_do_not():
    drawing = elements(EVERY["hole_and_gap"])
    boxes = [
        [float(box.get(key)) for key in ("x", "y", "width", "height")]
        for box in drawing.iter(f"{SVG}rect")
    ]
    paths = [pairs(path.get("d")) for path in drawing.iter(f"{SVG}path")]
    for panel, tall in ((0, 3.1), (1, 4.8)):
        frame, out = boxes[2 * panel : 2 * panel + 2]
        assert out[2] / frame[2] == pytest.approx(1.4 / 1.9, rel=1e-3)
        assert out[3] / frame[3] == pytest.approx(tall / 4.8, rel=1e-3)
        across, clear = paths[2 * panel : 2 * panel + 2]
        for line, passes in ((across, True), (clear, False)):
            (x, y), (right, level) = line
            for place in line:
                assert not lies_in(place, out)
                assert lies_in(place, frame)
            between = [(x + t / 50 * (right - x), y + t / 50 * (level - y)) for t in range(51)]
            assert any(lies_in(place, out) for place in between) == passes


def lies_in(place: tuple[float, float], box: list[float]) -> bool:
    """Whether a place is in a box of left edge, top, width and height."""
    x, y, width, height = box
    return x <= place[0] <= x + width and y <= place[1] <= y + height


def test_each_skip_passes_the_code_by_and_the_code_is_the_only_other_way():
    drawing = EVERY["skips"]
    codes = [
        box for box in elements(drawing).iter(f"{SVG}rect") if box.get("stroke") == CATEGORICAL[1]
    ]
    top = min(float(box.get("y")) for box in codes)
    dashed = [
        path for path in elements(drawing).iter(f"{SVG}path") if "stroke-dasharray" in path.attrib
    ]
    assert len(dashed) == 3
    for path in dashed:
        (start, y), (end, level) = pairs(path.get("d"))
        assert y == level < top
        assert start < drawing.width / 2 < end
    solid = [path for path in elements(drawing).iter(f"{SVG}path") if path not in dashed]
    across = [path.get("d") for path in solid if len(pairs(path.get("d"))) == 3]
    assert len(across) == 2
    assert all(float(y) > top for d in across for _, y in pairs(d)[1:2])


def pairs(path: str) -> list[tuple[float, float]]:
    """The places of a path of straight lines."""
    numbers = [float(n) for n in path.removeprefix("M").split()]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def test_the_terms_of_the_elbo_have_the_same_colours_in_live_figures() -> None:
    script = files("vaebook.live").joinpath("js/elements.js").read_text(encoding="utf-8")
    declared = script.partition("export const TERMS = {")[2].partition("}")[0]
    assert dict(re.findall(r'(\w+): "(#[0-9a-f]{6})"', declared)) == schematics.TERMS
