"""A figure shows itself, says what is to be seen, and can be saved for print."""

import html
import io
import json
import os
import re
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from threading import Event

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
import pytest
from colorspacious import cspace_convert
from IPython.core.formatters import DisplayFormatter
from PIL import Image
from plotly.offline import get_plotlyjs, get_plotlyjs_version
from plotly.subplots import make_subplots
from pypdf import PdfReader

from tests.unit.figures_checks import GRID, RNG, STRIP
from vaebook import figures
from vaebook.figures import CATEGORICAL, SEQUENTIAL, renderer
from vaebook.figures.renderer import faded, script_json

EVERY = {
    "curves": figures.curves({"a": ([1, 2], [3, 4])}, alt="A line.", title="Up"),
    "cloud": figures.scatter(RNG.normal(size=(20, 2)), np.arange(20) % 3, alt="Points."),
    "grid": figures.image_grid(GRID, alt="Noise."),
    "slider": figures.slider(GRID[0], range(4), label="t", alt="Noise."),
    "described": figures.describe(go.Figure(go.Bar(y=[1, 2])), "Two bars."),
}
MIME = "application/vnd.plotly.v1+json"


def bundle(figure: go.Figure) -> dict:
    """What a kernel sends for a figure that ends a cell."""
    formatter = DisplayFormatter()
    formatter.active_types = list(formatter.formatters)
    return formatter.format(figure)[0]


def page_json(figure: go.Figure) -> dict:
    """Read the figure back from the HTML that a page gets."""
    return json.loads(
        re.search(r'application/json">(.*?)</script>', bundle(figure)["text/html"])[1]
    )


# --- The process --------------------------------------------------------------------------------


@pytest.mark.slow
def test_importing_the_figures_changes_nothing_of_plotly() -> None:
    script = (
        "import plotly.io as pio\n"
        "state = lambda: (pio.renderers.default, pio.templates.default, sorted(pio.templates),"
        " sorted(pio.renderers), [vars(pio.renderers[n]) for n in pio.renderers])\n"
        "before = repr(state())\n"
        "import vaebook.figures, vaebook.live\n"
        "assert repr(state()) == before\n"
    )
    environment = {**os.environ, "PLOTLY_RENDERER": "plotly_mimetype"}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize("renderer", ["plotly_mimetype", "browser", "png", ""])
def test_a_figure_shows_itself_whatever_plotly_would_choose(
    renderer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pio.renderers.default
    pio.renderers.default = renderer
    try:
        assert set(bundle(EVERY["curves"])) == {MIME, "text/html", "text/plain"}
    finally:
        pio.renderers.default = before


# --- On a page ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_every_figure_is_sent_to_jupyter_and_to_the_page_with_all_its_data(name: str) -> None:
    figure = EVERY[name]
    sent = bundle(figure)
    whole = json.loads(pio.to_json(figure, engine="json"))
    for content in (sent[MIME], page_json(figure)):
        assert content["data"] == whole["data"]
        assert content.get("frames") == whole.get("frames")
        assert content["layout"]["template"]["layout"]["colorway"] == list(CATEGORICAL)
        assert content["config"]["displaylogo"] is False


@pytest.mark.parametrize("name", EVERY)
def test_every_figure_says_what_is_to_be_seen(name: str) -> None:
    alt = EVERY[name].layout.meta["alt"]
    sent = bundle(EVERY[name])
    assert alt.endswith(".")
    assert sent["text/plain"] == EVERY[name].alt == alt
    assert f'aria-label="{alt}"' in sent["text/html"]
    assert f'<p class="vaebook-plot-fallback">{alt}</p>' in sent["text/html"]


def test_no_text_of_a_figure_can_end_its_script_or_its_attribute() -> None:
    nasty = '</script><b>"it"&'
    figure = figures.curves({"a": ([1], [2])}, alt=nasty, x_title=nasty)
    text = bundle(figure)["text/html"]
    assert text.count("</script>") == 2
    assert f'aria-label="{html.escape(nasty)}"' in text
    assert page_json(figure)["layout"]["xaxis"]["title"]["text"] == nasty


def test_json_for_a_script_reads_back_the_same_and_ends_no_script() -> None:
    value = {"a": ["</script>", "<!--", 1.5, None]}
    assert json.loads(script_json(value)) == value
    assert "<" not in script_json(value)


def test_elsewhere_the_bundle_is_that_of_the_installed_plotly() -> None:
    text = bundle(EVERY["curves"])["text/html"]
    assert f"https://cdn.plot.ly/plotly-{get_plotlyjs_version()}.min.js" in text
    assert pio.to_html(go.Figure(), include_plotlyjs="cdn").count(
        re.search(r'integrity = "(.*?)"', text)[1]
    )


def test_a_figure_stays_itself_when_it_is_changed() -> None:
    changed = (
        figures.Figure(EVERY["curves"]).update_layout(title="Another").add_scatter(x=[1], y=[1])
    )
    assert isinstance(changed, figures.Figure)
    assert changed.alt == "A line."


# --- Describing ---------------------------------------------------------------------------------


def test_describing_a_figure_leaves_it_as_it_is() -> None:
    figure = go.Figure(go.Bar(y=[1, 2]))
    before = figure.to_json()
    described = figures.describe(figure, "Two  bars,\nthe second higher.", max_width=400)
    assert figure.to_json() == before
    assert described.alt == "Two bars, the second higher."
    assert described.layout.width == 400
    assert described.layout.height > 0


def test_describing_again_keeps_what_else_was_noted_in_a_figure() -> None:
    cloud = figures.scatter(np.eye(12)[:, :2], images=STRIP, alt="Points.")
    again = figures.describe(cloud, "The same points.")
    assert again.layout.meta["album"] == cloud.layout.meta["album"]
    assert again.alt == "The same points."
    strange = go.Figure(layout={"meta": "mine"})
    assert 'class="vaebook-plot-canvas"' in figures.Figure(strange)._repr_html_()


def test_subplots_stay_subplots_and_frames_stay_frames() -> None:
    figure = make_subplots(2, 1)
    figure.frames = [go.Frame(data=[go.Bar(y=[3])], name="later")]
    described = figures.describe(figure, "Two panels.").add_bar(y=[1], row=2, col=1)
    assert described.data[0].yaxis == "y2"
    assert [frame.name for frame in described.frames] == ["later"]


def test_the_area_for_plotting_has_the_aspect_that_was_asked_for() -> None:
    for aspect in (0.3, 1.0):
        layout = figures.describe(go.Figure(), "Nothing.", aspect=aspect, max_width=300).layout
        width = 300 - layout.margin.l - layout.margin.r
        height = layout.height - layout.margin.t - layout.margin.b
        assert height == pytest.approx(aspect * width, abs=0.51)


@pytest.mark.parametrize("alt", ["", "  ", None, 3])
def test_a_figure_without_description_is_refused(alt: object) -> None:
    with pytest.raises(ValueError, match="alt must say"):
        figures.describe(go.Figure(), alt)


@pytest.mark.parametrize(
    ("figure", "options", "message"),
    [
        ({"data": []}, {}, "figure must be a plotly figure, got dict"),
        (go.Figure(), {"aspect": 0}, "aspect must be a finite number in"),
        (go.Figure(), {"aspect": float("nan")}, "aspect must be a finite number in"),
        (go.Figure(), {"max_width": 0}, "max_width must be a whole number, 1 or more, got 0"),
    ],
)
def test_what_can_not_be_described_is_refused(figure: object, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        figures.describe(figure, "x", **options)


# --- Colours ------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2."""
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("page", ["#ffffff", "#14181e", "#121212"])
def test_the_colours_of_classes_stand_out_from_the_page(page: str) -> None:
    assert len(set(CATEGORICAL)) == 10
    for colour in CATEGORICAL:
        low, high = sorted([luminance(colour), luminance(page)])
        assert (high + 0.05) / (low + 0.05) >= 2.99


def seen(colours: tuple[str, ...], anomaly: str) -> np.ndarray:
    """Colours as somebody sees them by Machado et al. (2009), in the even space CAM02-UCS."""
    vision = {"name": "sRGB1+CVD", "cvd_type": anomaly, "severity": 100} if anomaly else "sRGB1"
    given = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours])
    shown = cspace_convert(given, vision, "sRGB1").clip(0, 1)
    return cspace_convert(shown, "sRGB1", "CAM02-UCS")


def least_distance(colours: tuple[str, ...], anomaly: str) -> float:
    """Between any two colours; 1 is what can just be told apart, side by side."""
    places = seen(colours, anomaly)
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(places, 2))


@pytest.mark.parametrize(
    ("anomaly", "least"),
    [("", 21), ("protanomaly", 11.5), ("deuteranomaly", 11.5), ("tritanomaly", 11.5)],
)
def test_everybody_can_tell_the_colours_of_classes_apart(anomaly: str, least: float) -> None:
    assert least_distance(CATEGORICAL, anomaly) >= least


def test_colours_that_some_mix_up_are_found() -> None:
    tens = ("#d62728", "#2ca02c")  # red and green of a common palette
    assert least_distance(tens, "") > 55
    assert least_distance(tens, "deuteranomaly") < 11.5


@pytest.mark.parametrize("pair", [(3, 5), (3, 8), (5, 8), (4, 9), (7, 9), (1, 7), (2, 7)])
def test_digits_that_look_alike_have_colours_that_do_not(pair: tuple[int, int]) -> None:
    for anomaly in ("protanomaly", "deuteranomaly", "tritanomaly"):
        assert least_distance(tuple(CATEGORICAL[k] for k in pair), anomaly) >= 14


@pytest.mark.parametrize("page", ["#ffffff", "#14181e", "#121212"])
def test_every_colour_of_a_quantity_is_seen_on_the_page(page: str) -> None:
    for colour in SEQUENTIAL:
        low, high = sorted([luminance(colour), luminance(page)])
        assert (high + 0.05) / (low + 0.05) >= 2


@pytest.mark.parametrize("anomaly", ["", "protanomaly", "deuteranomaly", "tritanomaly"])
def test_everybody_sees_the_order_of_a_quantity(anomaly: str) -> None:
    places = seen(SEQUENTIAL, anomaly)
    assert (np.diff(places[:, 0]) >= 8).all()  # each is clearly lighter than the one before
    farther = [np.linalg.norm(places[k:] - places[k - 1], axis=1) for k in range(1, len(places))]
    assert all((np.diff(distances) > 0).all() for distances in farther)


def test_a_faded_colour_is_the_colour_with_an_opacity() -> None:
    assert faded("#ff8000", 0.25) == "rgba(255, 128, 0, 0.25)"


# --- Print --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> None:
    """Kaleido and its browser; without them the tests are skipped aloud, and fail in CI."""
    pytest.importorskip("kaleido")
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    if not (os.environ.get("BROWSER_PATH") or any(map(shutil.which, names))):
        missing = "no Chromium found (apt-get install chromium): nothing was saved for print"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)


@pytest.mark.slow
@pytest.mark.usefixtures("browser")
def test_a_png_is_dark_ink_on_opaque_white_at_three_pixels_per_pixel(tmp_path: Path) -> None:
    figure = EVERY["curves"]
    figure.save(tmp_path / "walk.png")
    image = Image.open(tmp_path / "walk.png")
    assert image.size == (3 * 700, 3 * figure.layout.height)
    found = np.asarray(image.convert("RGBA")).astype(int)
    assert (found[..., 3] == 255).all()
    assert (found[0] == 255).all()
    # The title is the only ink in the upper left corner.
    corner = found[:100, :400, :3]
    assert luminance("#" + "".join(f"{v:02x}" for v in corner.reshape(-1, 3).min(0))) < 0.03


@pytest.mark.slow
@pytest.mark.usefixtures("browser")
def test_an_svg_and_a_pdf_keep_text_as_text(tmp_path: Path) -> None:
    figure = EVERY["curves"]
    figure.save(str(tmp_path / "walk.svg"))
    svg = (tmp_path / "walk.svg").read_text(encoding="utf-8")
    assert ">Up</text>" in svg
    assert "fill: rgb(255, 255, 255); fill-opacity: 1" in svg
    assert "rgb(34, 40, 50)" in svg
    figure.save(tmp_path / "walk.PDF")
    (page,) = PdfReader(io.BytesIO((tmp_path / "walk.PDF").read_bytes())).pages
    assert "Up" in page.extract_text()


def test_a_page_of_its_own_holds_plotly_and_the_description(tmp_path: Path) -> None:
    EVERY["grid"].save(tmp_path / "grid.html")
    text = (tmp_path / "grid.html").read_text(encoding="utf-8")
    assert get_plotlyjs() in text
    assert "<title>Noise.</title>" in text
    assert 'aria-label="Noise."' in text
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=", text)


def test_saving_leaves_the_figure_as_it_is(tmp_path: Path) -> None:
    before = EVERY["grid"].to_json()
    EVERY["grid"].save(tmp_path / "grid.html")
    assert EVERY["grid"].to_json() == before


@pytest.mark.parametrize("path", ["walk", "walk.jpg", "walk.svg.gz"])
def test_another_kind_of_file_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"path must end in \.svg, \.pdf, \.png or \.html"):
        EVERY["curves"].save(path)


def test_without_kaleido_saving_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kaleido", None)
    with pytest.raises(ImportError, match=r"pip install 'vaebook\[export\]'"):
        EVERY["curves"].save(tmp_path / "walk.svg")
    assert not list(tmp_path.iterdir())


def test_without_a_browser_saving_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kaleido = pytest.importorskip("kaleido")
    errors = pytest.importorskip("kaleido.errors")

    def missing(*_: object, **__: object) -> None:
        raise errors.ChromeNotFoundError

    monkeypatch.setattr(kaleido, "calc_fig_sync", missing)
    with pytest.raises(ImportError, match="Chrome or Chromium"):
        EVERY["curves"].save(tmp_path / "walk.svg")


def test_a_browser_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kaleido = pytest.importorskip("kaleido")
    answer = Event()
    monkeypatch.setattr(kaleido, "calc_fig_sync", lambda *_, **__: answer.wait())
    monkeypatch.setattr(renderer, "_PATIENCE", 0.1)
    try:
        with pytest.raises(TimeoutError, match=r"did not answer in 0.1 s: try again"):
            EVERY["curves"].save(tmp_path / "walk.svg")
    finally:
        answer.set()
    assert not list(tmp_path.iterdir())


def test_a_drawing_that_takes_kaleido_too_long_says_what_kaleido_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kaleido = pytest.importorskip("kaleido")

    def slow(*_: object, **__: object) -> None:
        raise TimeoutError("ninety seconds are over")

    monkeypatch.setattr(kaleido, "calc_fig_sync", slow)
    with pytest.raises(TimeoutError, match="ninety seconds are over"):
        EVERY["curves"].save(tmp_path / "walk.svg")
