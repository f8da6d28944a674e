"""A real JupyterLab with a real kernel: its live figures, and the text between them."""

import io
import json
import os
import re
import secrets
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import pytest
from PIL import Image
from playwright.sync_api import Browser, Error, Locator, Page, expect

pytestmark = pytest.mark.weekly

# Where Python puts each figure.
PLACES = {
    "pipeline": [1.5, -0.0625],
    "beta": [1.0, 0.5, -0.5],
    "map": [1.0, -0.5],
    "dials": [0.5] * 8,
    "chains": [0.25, 0.75],
    "bench": [0.5, 0.25],
    "easel": [-1.0, 0.5],
    "twins": [0.5, -0.5, 1.0],
    "panel": [1.5, 2.5, -0.25],
    "tails": [20.0, 2.5],
    "walk": [0.5, -0.5, 1.0],
    "ways": [1.0, 2.0, 0.5, 2.0, 0.5, -0.5],
    "trainer": [0.25, -0.25],
    "half": [20.0],
    "prior": [0.0, -0.5],
    "fall": [0.5, 1.0, -0.5],
    "cells": [0.5, -0.25],
    "simplex": [0.2, 0.5, -0.25, 1.0],
}
# What they answer differs from what was asked: the code of what is drawn, an image that is near,
# the nearest step of a dial.
NEAR = {"easel": 0.5, "prior": 0.5, "trainer": 0.5, "fall": 0.025, "cells": 0.005}
TEXT = "A.\n\n```{prf:theorem} A claim\n:label: thm:claim\n$1 + 1 = 2$\n```"
TEXT += (
    "\n\n::::{admonition} A sum\n:class: check numeric\n\nWhat is 1 + 1?\n\n"
    ":::{dropdown} 1\nOnce is not enough.\n:::\n:::{dropdown} 2\nRight: as claimed.\n:::\n::::"
)
READ = "import json\nprint(json.dumps({name: widget.z for name, widget in widgets.items()}))"
CELLS = [
    f"import sys\nsys.path.insert(0, {os.path.dirname(__file__)!r})\n"
    "from gallery import figure, with_kernel\n"
    f"widgets = {{name: figure(name).widget() for name in {list(PLACES)}}}",
    *(f"figure({name!r})" for name in PLACES),
    *(f"widgets[{name!r}]" for name in PLACES),
    *(f"widgets[{name!r}].z = {place}" for name, place in PLACES.items()),
    "kernels = with_kernel()\nkernels['train']",
    "kernels['chains']",
    *(
        f"kernels[{name!r}]"
        for name in ("evidence", "islands", "anchors", "price", "tell", "along", "own")
    ),
    READ,
]


KERNELS = 5  # live figures among their widgets


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A notebook in a JupyterLab of its own, without a setting of the user's."""
    home = tmp_path_factory.mktemp("lab")
    root = home / "root"
    root.mkdir()
    cells = [nbformat.v4.new_code_cell(c) for c in CELLS]
    notebook = nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_markdown_cell(TEXT)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, root / "figures.ipynb")
    names = ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"]
    names += ["JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"]
    settings = home / "JUPYTERLAB_SETTINGS_DIR" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    token = secrets.token_hex(8)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}"]
    environment = os.environ | {name: str(home / name) for name in names}
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            yield f"{started(server, home)}lab/tree/figures.ipynb?token={token}"
        finally:
            server.terminate()
            server.wait(30)


def started(server: "subprocess.Popen[bytes]", home: Path) -> str:
    """The server's address once it answers."""
    for _ in range(240):
        for file in (home / "JUPYTER_RUNTIME_DIR").glob("jpserver-*.json"):
            try:
                url: str = json.loads(file.read_text())["url"]
                urlopen(url + "api").close()
            except (ValueError, URLError):
                continue
            return url
        if server.poll() is not None:
            break
        time.sleep(0.5)
    pytest.fail((home / "log").read_text())


def not_of_the_lab(error: Error) -> list[str]:
    """The error with its stack, unless every frame of it is in JupyterLab's own scripts.

    JupyterLab 4.6 now and then takes a cell out of its list twice, and throws when it looks for
    the node of what is gone. Figures run from blobs, widgets from extensions.
    """
    frames = re.findall(r"\bat .*", error.stack or "")
    if frames and all("/static/lab/" in frame for frame in frames):
        return []
    return [f"{error.message}\n{error.stack}"]


@pytest.fixture(scope="module")
def lab(browser: Browser, address: str) -> Iterator[Page]:
    """The notebook, run from top to bottom, which asked for nothing outside and broke nothing."""
    # In calm, so that nothing is trained before the reader asks for it.
    window = browser.new_page(viewport={"width": 1300, "height": 900}, reduced_motion="reduce")
    heard: list[str] = []
    window.on("pageerror", lambda error: heard.extend(not_of_the_lab(error)))
    inside = (address.split("lab/")[0], "data:", "blob:")
    window.on("request", lambda r: None if r.url.startswith(inside) else heard.append(r.url))
    window.goto(address)
    expect(window.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()
    window.get_by_role("menuitem", name="Run", exact=True).click()
    window.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    expect(window.get_by_text(f"[{len(CELLS)}]:").first).to_be_attached(timeout=300_000)
    expect(window.locator(".vaebook-is-live")).to_have_count(2 * len(PLACES) + KERNELS)
    yield window
    window.close()
    assert heard == []


def live(lab: Page, kind: str) -> dict[str, list[float]]:
    """Where the figures are, either those shown as they are or the widgets."""
    code = "cells => cells.map((c) => Array.from(c.querySelector('.vaebook-is-live')?.z ?? []))"
    cells = lab.locator(".jp-Notebook .jp-CodeCell").evaluate_all(code)
    first = 1 if kind == "shown" else 1 + len(PLACES)
    return dict(zip(PLACES, cells[first : first + len(PLACES)], strict=True))


def read(lab: Page) -> dict[str, list[float]]:
    """What the kernel knows, by running the last cell again."""
    cell = lab.locator(".jp-Notebook .jp-CodeCell").last
    before = cell.locator(".jp-InputPrompt").inner_text()
    cell.locator(".jp-InputArea-editor").click()
    lab.keyboard.press("Control+Enter")
    expect(cell.locator(".jp-InputPrompt")).not_to_have_text(before)
    expect(cell.locator(".jp-InputPrompt")).not_to_have_text("[*]:")
    answer: dict[str, list[float]] = json.loads(cell.locator(".jp-OutputArea-output").inner_text())
    return answer


def test_a_theorem_is_shown_as_one(lab: Page) -> None:
    text = lab.locator(".jp-Notebook .jp-MarkdownCell").last
    expect(text.get_by_role("link", name="Link to this Theorem")).to_have_text("Theorem 1")


def test_a_question_has_a_fold_for_each_answer(lab: Page) -> None:
    folds = lab.locator(".jp-Notebook .jp-MarkdownCell").last.locator("details")
    expect(folds).to_have_count(2)
    folds.last.locator("summary").click()
    expect(folds.last.get_by_text("Right: as claimed.")).to_be_visible()


def test_all_figures_are_alive_as_they_are_and_as_widgets(lab: Page) -> None:
    expect(lab.locator(".vaebook-is-live")).to_have_count(2 * len(PLACES) + KERNELS)
    expect(lab.locator(".vaebook-live-error")).to_have_count(0)


def test_python_drives_every_figure(lab: Page) -> None:
    found = live(lab, "widgets")
    for name, place in PLACES.items():
        near = {"abs": NEAR[name]} if name in NEAR else {}
        assert found[name] == pytest.approx(place, **near), name
    assert live(lab, "shown")["map"] != pytest.approx(PLACES["map"])


def test_python_reads_where_the_reader_has_moved_every_figure(lab: Page) -> None:
    for name, before in live(lab, "widgets").items():
        cell = lab.locator(".jp-Notebook .jp-CodeCell").nth(
            1 + len(PLACES) + list(PLACES).index(name)
        )
        if name in ("easel", "prior", "cells"):
            cell.get_by_role("radio").nth(1).check()
        else:
            # Of the chains the first dial is the step's, of the bench the datum's; of the trainer
            # the last one is the image's.
            which = {"chains": 1, "bench": 1, "trainer": -1}.get(name, 0)
            cell.get_by_role("slider").nth(which).focus()
            lab.keyboard.press("ArrowLeft")
        assert live(lab, "widgets")[name] != before
    assert read(lab) == {name: pytest.approx(z) for name, z in live(lab, "widgets").items()}


def test_a_reader_trains_again_with_other_settings(lab: Page) -> None:
    cell = lab.locator(".jp-CodeCell", has=lab.locator("vaebook-run")).first
    cell.scroll_into_view_if_needed()
    terms = cell.locator("vaebook-run dd")
    before = terms.all_text_contents()
    beta = cell.get_by_role("slider").first
    for _ in range(2):  # from 1 to 10
        beta.press("ArrowRight")
    cell.get_by_role("button", name="train again").click()
    expect(cell.get_by_text("trained for 12 epochs")).to_be_visible(timeout=60_000)
    expect(cell.get_by_role("button", name="train again")).to_be_enabled()
    after = [float(text) for text in terms.all_text_contents()]
    # A higher price is paid, and the pixels are worse for it.
    assert after[0] > float(before[0])
    assert after[0] + after[1] == pytest.approx(after[2], abs=0.11)


def test_a_reader_runs_chains_on_a_drawing(lab: Page) -> None:
    cell = lab.locator(".jp-CodeCell", has=lab.get_by_role("button", name="run chains"))
    cell.scroll_into_view_if_needed()
    picture = cell.locator("img.widget-image, .widget-image img, img").first
    table, source = cell.locator("table").inner_text(), picture.get_attribute("src") or ""
    assert "effective sample size" in table
    cell.get_by_role("radio").nth(1).check()
    cell.get_by_role("button", name="run chains").click()
    expect(cell.locator("table")).not_to_have_text(table, timeout=60_000)
    expect(cell.get_by_role("button", name="run chains")).to_be_enabled()
    expect(picture).not_to_have_attribute("src", source)


def test_a_reader_compares_the_bounds_of_a_drawing(lab: Page) -> None:
    cell = lab.locator(".jp-CodeCell", has=lab.get_by_role("button", name="compare"))
    cell.scroll_into_view_if_needed()
    before = cell.locator("table").inner_text()
    assert "gap of the ELBO" in before
    cell.get_by_role("radio").nth(1).check()
    cell.get_by_role("button", name="compare").click()
    expect(cell.locator("table")).not_to_have_text(before, timeout=60_000)
    expect(cell.get_by_role("button", name="compare")).to_be_enabled()
    expect(cell.get_by_role("img", name="The mean of the estimates")).to_be_visible()


def test_a_reader_embeds_again(lab: Page) -> None:
    cell = lab.locator(".jp-CodeCell", has=lab.get_by_role("button", name="embed again"))
    cell.scroll_into_view_if_needed()
    picture = cell.get_by_role("img", name="codes by t-SNE")
    source = picture.get_attribute("src") or ""
    cell.get_by_role("slider").nth(0).press("ArrowLeft")
    cell.get_by_role("button", name="embed again").click()
    expect(picture).not_to_have_attribute("src", source, timeout=60_000)
    expect(cell.get_by_text("neighbours kept")).to_be_visible()


def test_a_reader_moves_an_anchor(lab: Page) -> None:
    cell = lab.locator(".jp-CodeCell", has=lab.locator("vaebook-run")).last
    cell.scroll_into_view_if_needed()
    terms = cell.locator("vaebook-run dd")
    before = terms.all_text_contents()
    cell.get_by_role("combobox").first.select_option("↗ top right")
    cell.get_by_role("button", name="train again").click()
    expect(cell.get_by_text("trained for 12 epochs")).to_be_visible(timeout=60_000)
    assert terms.all_text_contents() != before


def test_a_reader_pays_another_price(lab: Page) -> None:
    cell = lab.locator(".jp-CodeCell", has=lab.get_by_role("button", name="train at this price"))
    cell.scroll_into_view_if_needed()
    before = cell.locator("table").inner_text()
    for _ in range(3):
        cell.get_by_role("slider").first.press("ArrowRight")
    cell.get_by_role("button", name="train at this price").click()
    expect(cell.get_by_text("trained for 12 epochs")).to_be_visible(timeout=60_000)
    expect(cell.locator("table")).not_to_have_text(before)
    expect(cell.get_by_role("img", name="Squared error against rate")).to_be_visible()


def test_a_reader_gives_a_code_another_latent(lab: Page) -> None:
    cell = lab.locator(".jp-CodeCell", has=lab.get_by_role("button", name="train and tell"))
    cell.scroll_into_view_if_needed()
    assert "4 latents" not in cell.locator("table").inner_text()
    cell.get_by_role("slider").first.press("ArrowRight")
    cell.get_by_role("button", name="train and tell").click()
    expect(cell.get_by_text("trained for 12 epochs")).to_be_visible(timeout=60_000)
    expect(cell.locator("table")).to_contain_text("4 latents, 128 hidden units, seed 0")
    expect(cell.get_by_role("img", name="Codes of the images set aside")).to_be_visible()


def test_a_reader_trains_along_with_another_prior(lab: Page) -> None:
    cell = lab.locator(".jp-CodeCell", has=lab.get_by_role("button", name="train with this prior"))
    cell.scroll_into_view_if_needed()
    cell.get_by_role("slider").first.press("ArrowRight")
    cell.get_by_role("button", name="train with this prior").click()
    expect(cell.get_by_text("trained for 12 epochs")).to_be_visible(timeout=60_000)
    expect(cell.locator("table")).to_contain_text("VampPrior of 10, seed 0")
    expect(cell.get_by_role("img", name="on the prior: VampPrior of 10")).to_be_visible()


def picture(i: int) -> bytes:
    """One of a row of colours, as a file."""
    file = io.BytesIO()
    Image.new("RGB", (20, 20), (i % 256, 90, 200)).save(file, "PNG")
    return file.getvalue()


def hand_over(cell: Locator, name: str, content: bytes) -> None:
    with cell.page.expect_file_chooser() as chooser:
        cell.get_by_role("button", name="a zip or pictures").click()
    chooser.value.set_files({"name": name, "mimeType": "", "buffer": content})


def packed(n: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as inside:
        for i in range(n):
            inside.writestr(f"mine/{i:03}.png", picture(i))
    return file.getvalue()


def test_a_reader_trains_on_pictures_of_their_own(lab: Page) -> None:
    cell = lab.locator(".jp-CodeCell", has=lab.get_by_text("a zip or pictures"))
    cell.scroll_into_view_if_needed()
    button = cell.get_by_role("button", name="train", exact=True)
    hand_over(cell, "one.png", picture(0))
    button.click()
    expect(cell.get_by_text("pictures must be 32 or more, got 1")).to_be_visible()
    hand_over(cell, "mine.zip", packed(40))
    button.click()
    expect(cell.get_by_text("40 pictures of 1 class")).to_be_visible(timeout=60_000)
    expect(cell.locator("vaebook-latent-map.vaebook-is-live")).to_have_count(1)
    expect(cell.get_by_role("img", name="their reconstructions")).to_be_visible()


def test_a_training_can_be_stopped(lab: Page) -> None:
    cell = lab.locator(".jp-CodeCell", has=lab.get_by_text("a zip or pictures"))
    button = cell.get_by_role("button", name="train", exact=True)
    expect(button).to_be_enabled(timeout=60_000)
    hand_over(cell, "many.zip", packed(400))
    for dial in (0, 3):  # as many pixels and epochs as can be
        for _ in range(4):
            cell.get_by_role("slider").nth(dial).press("ArrowRight")
    button.click()
    expect(cell.get_by_text("of 96")).to_be_visible(timeout=60_000)
    cell.get_by_role("button", name="stop", exact=True).click()
    expect(cell.get_by_text("stopped")).to_be_visible(timeout=60_000)
    expect(button).to_be_enabled()
