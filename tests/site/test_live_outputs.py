"""Live figures where they are shown: pages, files, exported notebooks, widgets."""

import base64
import hashlib
import io
import json
import math
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from nbconvert import HTMLExporter
from nbconvert.preprocessors import ExecutePreprocessor
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from torch import nn

from share import share
from tests.often import often
from tests.site.built_site import SITE, pages
from tests.site.conftest import NewPage
from tests.site.gallery import PAGE
from tests.site.listening import hear
from vaebook import live
from vaebook.live.bundle import bundle
from vaebook.live.pack import seal
from vaebook.models import VAE, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder


def own_model(seed: int, shape: tuple[int, int, int] = (1, 8, 8)) -> VAE:
    """A model that a user has made."""
    torch.manual_seed(seed)
    n = math.prod(shape)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(n, 4))
    decoder = nn.Sequential(nn.Linear(2, 9), nn.ReLU(), nn.Linear(9, n), nn.Unflatten(1, shape))
    return VAE(encoder, decoder, 2, Bernoulli())


def map_of(model: VAE) -> live.Live:
    """A map of some codes, which starts at (0.5, -1)."""
    mu = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    return live.latent_map(model, mu, alt="A map.", start=[0.5, -1.0])


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[[str], Page]]:
    """Open a text as a file, on a machine without a network, where nothing may fail."""
    context = browser.new_context(offline=True)
    window = context.new_page()
    heard = hear(window)

    def open_(text: str) -> Page:
        path = tmp_path / "page.html"
        path.write_text(text, encoding="utf-8")
        window.goto(path.as_uri())
        return window

    yield open_
    context.close()
    assert heard == []


def pixels(page: Page, i: int = 0) -> torch.Tensor:
    """What stands on the i-th picture of a page: [3, H, W] in [0, 1]."""
    code = (
        "c => [c.width, c.height, Array.from(c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data)]"
    )
    width, height, data = page.locator("canvas.vaebook-live-view").nth(i).evaluate(code)
    return torch.tensor(data).view(height, width, 4)[..., :3].permute(2, 0, 1) / 255


# ---------------------------------------------------------------------------------------------
# Pages


def test_two_models_of_one_page_show_their_own_pictures(opened: Any) -> None:
    models = [own_model(0), own_model(1)]
    page = opened(PAGE.format("".join(map_of(model)._repr_html_() for model in models)))
    expect(page.locator(".vaebook-is-live")).to_have_count(2)
    for i, model in enumerate(models):
        with torch.no_grad():
            expected = model.decode(torch.tensor([[0.5, -1.0]]))[0]
        torch.testing.assert_close(pixels(page, i), expected.expand(3, 8, 8), atol=3e-3, rtol=0)


def test_an_output_that_is_shown_twice_is_alive_twice_and_each_alone(opened: Any) -> None:
    text = map_of(own_model(0))._repr_html_()
    page = opened(PAGE.format(text + text))
    expect(page.locator(".vaebook-is-live")).to_have_count(2)
    # A notebook puts the output of a cell that was run again in the place of the old one.
    page.evaluate("text => { document.querySelector('main').innerHTML = text; }", text)
    expect(page.locator(".vaebook-is-live")).to_have_count(1)
    page.get_by_role("slider").first.press("ArrowRight")
    expect(page.locator("output").first).to_have_text("0.55")


def test_what_outputs_share_is_sent_once(opened: Any) -> None:
    same, other = map_of(own_model(0))._repr_html_(), map_of(own_model(1))._repr_html_()
    bench = live.elbo_bench(alt="A bench.")._repr_html_()
    whole = PAGE.format(same + bench + other + same)
    page = share(whole)
    assert page.count("data-vaebook-live") == 1
    assert len(re.findall('data-model="[0-9a-f]', page)) == 2
    assert page.count("<vaebook-") == 4
    assert share(page) == page
    window = opened(page)
    expect(window.locator(".vaebook-is-live")).to_have_count(4)
    expect(window.locator(".vaebook-live-error")).to_have_count(0)


def test_images_in_colour_that_are_not_square_are_drawn_so(opened: Any) -> None:
    model = own_model(0, (3, 10, 14))
    observed = torch.rand(3, 10, 14, generator=torch.Generator().manual_seed(0))
    mu = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    chains = live.chains(model, observed, mu, alt="Chains.")
    runs = [live.BetaRun(beta, model, mu, 5.0, 100.0) for beta in (1.0, 2.0)]
    dial = live.beta_dial(runs, None, observed[None], alt="A dial.")
    figures = (map_of(model), chains, dial)
    page = opened(PAGE.format("".join(figure._repr_html_() for figure in figures)))
    expect(page.locator(".vaebook-is-live")).to_have_count(3)
    page.get_by_role("button", name="start again").click()
    places = torch.tensor([[0.5, -1.0], [0.0, 0.0]])
    with torch.no_grad():
        at_map, at_start = model.decode(places)
        at_code = model.decode(model.codes(observed[None]).mu)[0]
    for i, expected in enumerate([at_map, observed, at_start, at_start, observed, at_code]):
        torch.testing.assert_close(pixels(page, i), expected, atol=3e-3, rtol=0)


# ---------------------------------------------------------------------------------------------
# Files and notebooks


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_saved_figure_lives_in_a_file_without_a_network(
    browser: Browser, tmp_path: Path, scheme: Any
) -> None:
    file = tmp_path / "map.html"
    map_of(own_model(0)).save(file, title="My own model")
    context = browser.new_context(offline=True, color_scheme=scheme)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    expect(page).to_have_title("My own model")
    expect(page.locator(".vaebook-is-live")).to_have_count(1)
    expect(page.get_by_role("group", name="A map.")).to_be_visible()
    page.get_by_role("slider").first.press("ArrowRight")
    expect(page.locator("output").first).to_have_text("0.55")
    ink = page.locator(".vaebook-live").evaluate("box => getComputedStyle(box).color")
    assert (int(re.findall(r"\d+", ink)[0]) > 128) == (scheme == "dark")
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    context.close()


def test_an_exported_notebook_is_alive_with_a_cell_run_twice(opened: Any) -> None:
    cells = [
        "import torch\nfrom vaebook import live\nfrom vaebook.models import VAE, Bernoulli\n"
        "from vaebook.models.networks import MLPDecoder, MLPEncoder\n"
        "model = VAE(MLPEncoder(4, (8,)), MLPDecoder(2, (8,)), 2, Bernoulli())\n"
        "figure = live.latent_map(model, torch.randn(20, 2), alt='A map.')",
        "figure",
        "figure",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    ExecutePreprocessor(timeout=120, kernel_name="python3").preprocess(notebook)
    saved = nbformat.reads(nbformat.writes(notebook), as_version=4)
    # The export's own layout loads scripts of other hosts; what is tried is the outputs alone.
    body, _ = HTMLExporter(template_name="basic").from_notebook_node(saved)
    page = opened(PAGE.format(body))
    expect(page.locator(".vaebook-is-live")).to_have_count(2)
    before = pixels(page, 1)
    page.locator("vaebook-latent-map").last.get_by_role("slider").first.press("End")
    assert (pixels(page, 1) != before).any()


# ---------------------------------------------------------------------------------------------
# Models that were damaged


def spoilt(text: str, how: str) -> str:
    """A model's text with a fault in it."""
    spec = json.loads(text)
    data = bytearray(base64.b64decode(spec["data"]))
    if how == "a flipped bit":
        data[5000] ^= 1
    elif how == "no number for a scale":
        large = next(x for x in spec["layers"] if x.get("weight", {}).get("dtype") == "int8")
        struct.pack_into("<f", data, large["weight"]["offset"], math.nan)
    elif how == "no finite weight":
        data[:8] = b"\0\x7c" * 4
    elif how == "cut":
        data = data[:400]
    elif how == "unknown layer":
        spec["layers"][0]["op"] = "attention"
    elif how == "another shape":
        spec["layers"][0]["weight"]["shape"][0] -= 1
    spec["data"] = base64.b64encode(data).decode()
    text = seal(spec)[1]
    return text[:-40] if how == "no JSON" else text


@pytest.mark.parametrize("known", [False, True], ids=["its hash", "the hash of what came"])
@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("a flipped bit", "damaged"),
        ("no number for a scale", "not finite"),
        ("no finite weight", "not finite"),
        ("cut", "weights end before"),
        ("unknown layer", 'no layer "attention"'),
        ("another shape", "does not fit"),
        ("no JSON", "could not be brought to life"),
        ("gone", "is not on this page"),
    ],
)
def test_a_spoilt_model_shows_a_message_and_the_picture(
    opened: Any, how: str, says: str, known: bool
) -> None:
    """By its hash, and what is caught without it as well."""
    torch.manual_seed(0)
    model = VAE(MLPEncoder(4, (64,)), MLPDecoder(2, (64,)), 2, Bernoulli())
    figure = map_of(model)
    ((name, text),) = figure.models.items()
    bad = spoilt(text, how)
    whole = figure._repr_html_()
    if how == "gone":
        whole = whole.replace(f'data-model="{name}"', f'data-model="{64 * "0"}"')
    elif known and how not in ("a flipped bit", "no JSON"):
        whole = whole.replace(text, bad)
        whole = whole.replace(name, hashlib.sha256(bad.encode()).hexdigest())
    else:
        says = "the weights of its model are damaged"
        whole = whole.replace(text, bad)
    page = opened(PAGE.format(whole))
    message = page.get_by_role("alert")
    expect(message).to_have_count(1)
    expect(message).to_contain_text("could not be brought to life")
    expect(message).to_contain_text(says)
    expect(page.locator("img").first).to_be_visible()
    expect(page.locator(".vaebook-live")).to_have_count(0)


# ---------------------------------------------------------------------------------------------
# Widgets, and the book


def test_a_live_notebook_reads_and_sets_the_place(new_page: NewPage) -> None:
    """The module of the widget against a stand-in for the model that JupyterLab hands it."""
    widget = map_of(own_model(0)).widget()
    state = {"tag": widget.tag, "config": widget.config, "models": widget.models, "z": widget.z}
    page = new_page()
    page.set_content(PAGE.format(""))
    saved = page.evaluate(
        """async ([script, state]) => {
          const source = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
          const { default: module } = await import(source);
          const saves = [], listeners = {};
          const model = {
            get: (key) => state[key], set: (key, value) => { state[key] = value; },
            save_changes: () => saves.push([...state.z]),
            on: (event, action) => { listeners[event] = action; },
          };
          const el = document.createElement("div");
          document.body.append(el);
          module.render({ model, el });
          const figure = el.firstChild, dial = el.querySelector("input");
          dial.value = 1.5;
          dial.dispatchEvent(new Event("input"));
          state.z = [-1, 0.5];
          listeners["change:z"]();
          return { saves, z: Array.from(figure.z), live: figure.className };
        }""",
        [bundle(), state],
    )
    assert saved["saves"][0][0] == 1.5
    assert saved["z"] == [-1, 0.5]
    assert saved["live"] == "vaebook-is-live"
    page.close()


@pytest.mark.parametrize(
    "name", often([n for n in pages() if "vaebook-kernel" in (SITE / n).read_text()], 5)
)
def test_what_needs_a_kernel_shows_its_picture_and_starts_the_notebook(
    new_page: NewPage, base: str, name: str
) -> None:
    window = new_page()
    window.route("**/mathjax/**", lambda route: route.abort())  # formulas take most of the time
    window.goto(base + name)
    box = window.locator(".vaebook-kernel")
    expect(box.locator("img")).not_to_have_count(0)
    link = box.get_by_role("link", name="Start this chapter as a notebook")
    expect(link).to_be_visible()
    address = link.get_attribute("href") or ""
    assert address.startswith("https://mybinder.org/")
    assert address.endswith(name.removesuffix(".html") + ".ipynb")
    assert "widget-state" not in window.content()
    window.close()


def test_a_picture_of_what_needs_a_kernel_has_the_ground_of_a_dark_page(new_page: NewPage) -> None:
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="60" style="background: white">'
        '<path d="M0 30 H60" stroke="#222832" stroke-width="12"/></svg>'
    )
    source = f"data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}"
    shown = live.WithKernel({"line": source}, "A line.", lambda: None)._html()
    style = (Path(__file__).parents[2] / "_static" / "vaebook.css").read_text(encoding="utf-8")
    page = new_page()
    page.set_content(
        f'<html data-theme="dark"><style>{style} body {{ background: #121212 }}</style>'
        f'<div class="bd-content"><div class="cell_output">{shown}</div></div></html>'
    )
    image = Image.open(io.BytesIO(page.locator("img").screenshot())).convert("L")
    ground, line = image.getpixel((30, 8)), image.getpixel((30, 30))
    page.close()
    assert abs(ground - 0x12) < 4
    assert line > 180


def test_a_note_that_an_output_is_has_no_light_ground_on_a_dark_page(new_page: NewPage) -> None:
    style = (Path(__file__).parents[2] / "_static" / "vaebook.css").read_text(encoding="utf-8")
    theme = (
        "html[data-theme=dark] .bd-content div.cell_output .text_html:not(:has(table.dataframe))"
        "{ background-color: #eeeeee; color: #121212 }"
    )
    note = '<div class="admonition warning"><p>The images could not be had.</p></div>'
    page = new_page()
    page.set_content(
        f'<html data-theme="dark"><style>{theme} {style} body {{ color: #eeeeee }}</style><div '
        f'class="bd-content"><div class="cell_output"><div class="text_html">{note}</div></div>'
        "</div></html>"
    )
    seen = "(box) => [getComputedStyle(box).backgroundColor, getComputedStyle(box).color]"
    ground, ink = page.locator(".text_html").evaluate(seen)
    page.close()
    assert (ground, ink) == ("rgba(0, 0, 0, 0)", "rgb(238, 238, 238)")
