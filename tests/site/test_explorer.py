"""Live figures in Chromium: what they compute against Python, and how they are handled."""

import base64
import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import numpy as np
import pytest
import torch
from built_site import SITE, pages
from gallery import figures
from playwright.sync_api import Browser, Page, expect
from scipy import integrate, stats
from torch import nn

from vaebook import datasets, live, recipes
from vaebook.latent import samplers
from vaebook.measures.heatmaps import fit_heatmaps

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
SCRIPT = Path(live.__file__).with_suffix(".js").read_text(encoding="utf-8")
POINTS = 500
# The largest and the mean difference of a pixel. The weights are stored in half precision; in 8
# bits each is off by 0.4 % of its row's largest at most, and edges of strokes show it most.
BOUNDS = {"float16": (1e-3, 1e-4), "int8": (0.1, 3e-3)}

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Figures</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
</head><body><main><h1>Figures</h1>{}</main></body></html>"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page with all figures, on the disk."""
    live._SENT.clear()
    body = "".join(
        f'<section id="{name}">{figure._repr_html_()}</section>'
        for name, figure in figures().items()
    )
    live._SENT.clear()
    path = tmp_path_factory.mktemp("explorer") / "page.html"
    path.write_text(PAGE.format(body), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def page(browser: Browser, file: str) -> Iterator[Page]:
    """That page in a new window, which must ask for nothing and complain of nothing."""
    context = browser.new_context(viewport={"width": 1000, "height": 900})
    window = context.new_page()
    heard: list[str] = []
    window.on("console", lambda m: heard.append(m.text) if m.type == "error" else None)
    window.on("pageerror", lambda error: heard.append(str(error)))
    window.on(
        "request",
        lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else heard.append(r.url),
    )
    window.goto(file)
    yield window
    context.close()
    assert heard == []


@pytest.fixture(scope="module")
def workshop(browser: Browser) -> Iterator[Page]:
    """A page with nothing but the script."""
    window = browser.new_page()
    window.set_content(PAGE.format(f'<script type="module">{SCRIPT}</script>'))
    window.wait_for_function("globalThis.vaebook")
    yield window
    window.close()


def run(page: Page, spec: dict[str, Any], inputs: torch.Tensor, method: str) -> torch.Tensor:
    """What a packed network makes of each input, in the page."""
    code = (
        "([spec, inputs, method]) => { const net = new vaebook.Network(spec);"
        " const out = inputs.map((x) => Array.from(net[method](Float32Array.from(x)))).flat();"
        " const bytes = new Uint8Array(Float32Array.from(out).buffer); let text = '';"
        " for (const byte of bytes) text += String.fromCharCode(byte); return btoa(text); }"
    )
    data = base64.b64decode(page.evaluate(code, [spec, inputs.tolist(), method]))
    return torch.from_numpy(np.frombuffer(data, "<f4").copy()).view(len(inputs), -1)


# ---------------------------------------------------------------------------------------------
# What they compute


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize(
    "name",
    [
        "mnist-mlp-2d",
        "mnist-small-8d-s0",
        "mnist-cnn-16d",
        "fashion-mlp-2d",
        "digits-mlp-2d",
        "heatmap-vae-optimal-s0",
        "heatmap-ae-s0",
    ],
)
def test_the_page_decodes_as_torch_does(workshop: Page, name: str, dtype: Any) -> None:
    trained = recipes.load(name)
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(trained.codes.mu), generator=generator)[: POINTS // 2]
    z = torch.cat(
        [
            trained.codes.mu[order],
            torch.randn(POINTS - len(order), trained.model.latent_dim, generator=generator),
        ]
    )
    found = run(workshop, live._decoder(trained.model, dtype), z, "decode")
    with torch.no_grad():
        expected = trained.model.decode(z).flatten(1)
    error = (found - expected).abs()
    assert error.max() <= BOUNDS[dtype][0]
    assert error.mean() <= BOUNDS[dtype][1]


@pytest.mark.parametrize("name", ["mnist-mlp-2d", "heatmap-vae-optimal-s0", "mnist-cnn-16d"])
def test_the_page_encodes_as_torch_does(workshop: Page, name: str) -> None:
    model = recipes.load(name).model
    images = datasets.heatmaps().images[::119] if "heat" in name else datasets.digits().images[:99]
    spec = live.pack(model.encoder, images.shape[1:], "float16")
    found = run(workshop, spec, images.flatten(1), "run")
    with torch.no_grad():
        torch.testing.assert_close(found, model.encoder(images), rtol=1e-3, atol=1e-3)


def test_the_page_knows_strides_and_odd_sizes(workshop: Page) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 3, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(2), nn.ConvTranspose2d(3, 2, 4, 2, 1)
    )
    images = torch.rand(9, 1, 11, 13)
    found = run(workshop, live.pack(module, [1, 11, 13], "float16"), images.flatten(1), "run")
    with torch.no_grad():
        expected = module(images).flatten(1)
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=1e-3)


def test_the_random_numbers_are_uniform_normal_and_their_own(workshop: Page) -> None:
    """Kolmogorov and Smirnov, 20,000 numbers each: a false alarm in 10,000 runs."""
    code = (
        "(seed) => { const c = new vaebook.Chain('pCN', () => 0, [0], seed);"
        " return [0, 1].map((k) => Array.from({ length: 20000 },"
        " () => k ? c.random.normal() : c.random.uniform())); }"
    )
    uniform, normal = workshop.evaluate(code, 1)
    assert stats.kstest(uniform, "uniform").pvalue > 1e-4
    assert stats.kstest(normal, "norm").pvalue > 1e-4
    assert abs(np.corrcoef(normal[1:], normal[:-1])[0, 1]) < 4 / len(normal) ** 0.5
    again, _ = workshop.evaluate(code, 1)
    other, _ = workshop.evaluate(code, 2)
    assert again == uniform
    assert other[:5] != uniform[:5]


@pytest.mark.parametrize("kind", ["pCN", "random walk"])
def test_the_chains_accept_as_often_as_the_samplers(workshop: Page, kind: str) -> None:
    """Thirty chains each, their mean acceptance by Welch's t: a false alarm in 10,000 runs."""
    trained = recipes.load("mnist-mlp-2d")
    image = datasets.digits().images[0].mul(255).round().div(255)
    model = trained.model.requires_grad_(False)
    start = model.encode(image[None])[0][0]
    step, steps, n = 0.08, 400, 30
    code = (
        "([spec, image, start, kind, step, steps, n]) => {"
        " const net = new vaebook.Network(spec);"
        " const logL = (z) => net.logLikelihood(image, z);"
        " return Array.from({ length: n }, (_, seed) => {"
        "  const chain = new vaebook.Chain(kind, logL, start, seed);"
        "  for (let i = 0; i < steps; i++) chain.advance(step);"
        "  return chain.accepted / steps; }); }"
    )
    spec = live._decoder(model, "float16")
    given = [spec, image.flatten().tolist(), start.tolist(), kind, step, steps, n]
    found = workshop.evaluate(code, given)
    generator = torch.Generator().manual_seed(0)

    def log_likelihood(z: torch.Tensor) -> torch.Tensor:
        return model.log_prob(image.expand(len(z), -1, -1, -1), z)

    def log_density(z: torch.Tensor) -> torch.Tensor:
        return log_likelihood(z) - 0.5 * z.square().sum(1)

    starts = start.expand(n, 2).clone()
    if kind == "pCN":
        chain = samplers.pcn(log_likelihood, starts, steps, step, generator, progress=False)
    else:
        chain = samplers.random_walk(log_density, starts, steps, step, generator, progress=False)
    expected = chain.acceptance_rate.numpy()
    assert 0.02 < expected.mean() < 0.98
    assert stats.ttest_ind(found, expected, equal_var=False).pvalue > 1e-4


@pytest.mark.parametrize("bent", [False, True])
@pytest.mark.parametrize(("x", "mu", "sigma"), [(1.0, 0.0, 1.0), (2.5, -1.4, 0.1), (-3, 2, 0.05)])
def test_the_bench_integrates_as_scipy_does(
    workshop: Page, bent: bool, x: float, mu: float, sigma: float
) -> None:
    noise = 0.5
    g = "(z) => z * z" if bent else "(z) => z"
    terms = workshop.evaluate(
        f"([x, noise, mu, sigma]) => vaebook.elboTerms({{ g: {g}, x, noise }}, mu, sigma)",
        [x, noise, mu, sigma],
    )

    def log_likelihood(z: float) -> float:
        return stats.norm.logpdf(x, z * z if bent else z, noise)

    def expectation(e: float) -> float:
        return stats.norm.pdf(e) * log_likelihood(mu + sigma * e)

    def joint(z: float) -> float:
        return np.exp(log_likelihood(z)) * stats.norm.pdf(z)

    reconstruction = integrate.quad(expectation, -9, 9)[0]
    evidence = np.log(integrate.quad(joint, -9, 9, points=[-1.6, 0, 1.6], limit=200)[0])
    kl = 0.5 * (mu**2 + sigma**2 - 1) - np.log(sigma)
    assert terms["reconstruction"] == pytest.approx(reconstruction, abs=1e-5)
    assert terms["evidence"] == pytest.approx(evidence, abs=1e-5)
    assert terms["kl"] == pytest.approx(kl, abs=1e-9)
    assert terms["gap"] == pytest.approx(evidence - reconstruction + kl, abs=1e-5)
    assert terms["gap"] > -1e-6


def test_the_best_q_of_a_straight_decoder_is_the_posterior(workshop: Page) -> None:
    code = "() => vaebook.bestQ({ g: (z) => z, x: 1.2, noise: 0.5 }, -1, 2)"
    mu, sigma = workshop.evaluate(code)
    assert mu == pytest.approx(1.2 / 1.25, abs=1e-3)
    assert sigma == pytest.approx((1 / 5) ** 0.5, abs=1e-3)


def shrunk(array: np.ndarray, n: int) -> np.ndarray:
    """The mean over each of n equal stretches of the rows, by differences of their integral."""
    integral = np.concatenate([np.zeros((1, array.shape[1])), array.cumsum(0)])
    edges = np.linspace(0, len(array), n + 1)
    at = [np.interp(edges, np.arange(len(integral)), column) for column in integral.T]
    return np.diff(np.stack(at, 1), axis=0) / (len(array) / n)


def test_a_drawing_is_framed_by_areas_and_by_its_centre_of_mass(workshop: Page) -> None:
    generator = np.random.default_rng(0)
    for _ in range(5):
        ink = np.zeros((280, 280), np.float32)
        top, left, high, wide = generator.integers((5, 5, 60, 30), (60, 60, 200, 200))
        ink[top : top + high, left : left + wide] = generator.random((high, wide)) * 0.9 + 0.1
        found = np.reshape(
            workshop.evaluate(
                "(ink) => Array.from(vaebook.frame(Float32Array.from(ink), 280))",
                ink.ravel().round(6).tolist(),
            ),
            (28, 28),
        )
        scale = 20 / max(high, wide)
        size = max(1, int(wide * scale + 0.5)), max(1, int(high * scale + 0.5))
        patch = ink[top : top + high, left : left + wide]
        small = shrunk(shrunk(patch, size[1]).T, size[0]).T
        rows, columns = np.nonzero(found > 0.01)
        inside = found[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        np.testing.assert_allclose(inside, small, atol=2e-3)
        centre = [np.average(np.arange(28), weights=found.sum(axis)) for axis in (1, 0)]
        assert np.abs(np.array(centre) - 13.5).max() <= 0.51


def test_an_empty_easel_has_no_frame(workshop: Page) -> None:
    assert workshop.evaluate("() => vaebook.frame(new Float32Array(78400), 280)") is None


def test_the_page_finds_the_nearest_heatmap_as_the_package_does(workshop: Page) -> None:
    model = recipes.load("heatmap-ae-s0").model
    z = torch.randn(60, 3, generator=torch.Generator().manual_seed(0)) * 2
    with torch.no_grad():
        images = model.decode(z)
    fit = fit_heatmaps(images)
    found = workshop.evaluate(
        "(images) => images.map((x) => vaebook.fitHeatmap(x).relative)",
        images.flatten(1).tolist(),
    )
    # The page has other starts than the package and single images two minima of nearly one depth:
    # then the share differs, by less than the half per cent that a reader might notice.
    near = fit.relative.numpy() < 0.3
    assert near.sum() > 20
    difference = np.abs(np.array(found) - fit.relative.numpy())
    assert np.quantile(difference[near], 0.9) < 1e-4
    assert difference[near].max() < 5e-3
    assert np.mean(difference < 1e-2) > 0.9


# ---------------------------------------------------------------------------------------------
# How they are handled


def test_every_figure_comes_to_life(page: Page) -> None:
    for name in figures():
        box = page.locator(f"#{name}")
        expect(box.locator(".vaebook-is-live")).to_have_count(1)
        expect(box.locator(".vaebook-live")).to_be_visible()
        expect(box.locator(".vaebook-live-static")).to_be_hidden()
        expect(box.locator("[role=alert]")).to_have_count(0)


def spoken(page: Page, name: str) -> str:
    """All that a figure says: outputs, facts and the descriptions of its pictures."""
    code = (
        "(box) => [...box.querySelectorAll('output, dd')].map((n) => n.textContent).concat("
        "[...box.querySelectorAll('canvas[aria-label]')].map((n) => n.ariaLabel)).join('|')"
    )
    return page.locator(f"#{name}").evaluate(code)


def test_every_figure_obeys_the_keyboard(page: Page) -> None:
    for name in figures():
        for i in range(page.locator(f"#{name} input[type=range]").count()):
            before = spoken(page, name)
            dial = page.locator(f"#{name} input[type=range]").nth(i)
            dial.focus()
            page.keyboard.press("ArrowRight")
            assert spoken(page, name) != before, f"{name}, dial {i}"
            assert dial.get_attribute("aria-valuetext")
    for name, button in (("chains", "500 steps"), ("bench", "nearest best q"), ("easel", "clear")):
        before = spoken(page, name)
        page.locator(f"#{name}").get_by_role("button", name=button).focus()
        page.keyboard.press("Enter")
        page.wait_for_timeout(50)
        assert spoken(page, name) != before, name


def test_a_digit_can_be_drawn_by_keyboard(page: Page) -> None:
    box = page.locator("#easel")
    box.get_by_role("button", name="clear").click()
    assert box.locator("dd").all_text_contents() == ["–", "–", "–"]
    box.get_by_role("application").focus()
    page.keyboard.press(" ")
    for _ in range(12):
        page.keyboard.press("ArrowDown")
    expect(box.locator("dd").first).to_have_text(re.compile(r"−\d+\.\d"))
    # A vertical bar is a one, and lies where MNIST's ones do.
    z = box.locator("vaebook-draw-digit").evaluate("(figure) => Array.from(figure.z)")
    codes = recipes.load("mnist-mlp-2d").codes
    nearest = codes.labels[
        (codes.mu - torch.tensor(z)).norm(dim=1).topk(15, largest=False).indices
    ]
    assert nearest.mode().values == 1


def test_every_map_obeys_the_pointer_and_the_finger(browser: Browser, file: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True)
    window = context.new_page()
    window.goto(file)
    for name in ("map", "chains", "twins", "beta"):
        area = window.locator(f"#{name} .vaebook-live-pad")
        area.scroll_into_view_if_needed()
        edge = area.bounding_box()
        assert edge is not None
        x, y = edge["x"] + 0.3 * edge["width"], edge["y"] + 0.6 * edge["height"]
        window.touchscreen.tap(x, y)
        touched = spoken(window, name)
        window.mouse.move(x, y)
        window.mouse.down()
        window.mouse.move(x + 40, y - 30, steps=3)
        window.mouse.up()
        assert spoken(window, name) != touched, name
    figure = window.locator("#map vaebook-latent-map")
    extent = figure.evaluate("(figure) => figure.config.extent")
    area = window.locator("#map .vaebook-live-pad")
    area.scroll_into_view_if_needed()
    edge = area.bounding_box()
    assert edge is not None
    window.touchscreen.tap(edge["x"] + 0.25 * edge["width"], edge["y"] + 0.25 * edge["height"])
    z = figure.evaluate("(figure) => Array.from(figure.z)")
    assert z == pytest.approx([-extent / 2, extent / 2], abs=0.05 * extent)
    context.close()


def test_chains_run_when_asked_and_calmly_for_who_asked_for_calm(
    browser: Browser, file: str
) -> None:
    pictures = {}
    for motion in ("no-preference", "reduce"):
        context = browser.new_context(reduced_motion=motion)  # type: ignore[arg-type]
        window = context.new_page()
        window.goto(file)
        box = window.locator("#chains")
        box.scroll_into_view_if_needed()
        steps = box.locator("dd").nth(2)
        window.wait_for_timeout(300)
        expect(steps).to_have_text("0")  # nothing moves by itself
        window.evaluate(
            "() => { globalThis.seen = 0; new MutationObserver(() => globalThis.seen++)"
            ".observe(document.querySelectorAll('#chains dd')[2], { childList: true }); }"
        )
        box.get_by_role("button", name="run").click()
        window.wait_for_timeout(2500)
        box.get_by_role("button", name="pause").click()
        pictures[motion] = window.evaluate("globalThis.seen")
        assert int(steps.text_content() or "") > 0
        context.close()
    assert 1 <= pictures["reduce"] <= 4 < pictures["no-preference"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1000, 360])
def test_the_figures_fit_and_are_accessible(
    browser: Browser, file: str, width: int, scheme: Any
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True
    )
    window = context.new_page()
    window.goto(file)
    overflow = window.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0
    window.evaluate(AXE)
    found = window.evaluate("axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })")
    assert [(v["id"], v["nodes"][0]["html"][:120]) for v in found["violations"]] == []
    context.close()


def test_without_scripts_and_in_print_there_are_pictures(browser: Browser, file: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    window = context.new_page()
    window.goto(file)
    for name in figures():
        expect(window.locator(f"#{name} .vaebook-live-static img").first).to_be_visible()
    context.close()
    window = browser.new_page()
    window.goto(file)
    window.wait_for_selector("#twins .vaebook-is-live")
    window.emulate_media(media="print")
    expect(window.locator("#map .vaebook-live-static")).to_be_visible()
    expect(window.locator("#map .vaebook-live")).to_be_hidden()
    window.close()


def spoilt(spec: dict[str, Any], how: str) -> str:
    """A model's text with a fault in it."""
    spec = copy.deepcopy(spec)
    if how == "cut":
        spec["data"] = spec["data"][:400]
    elif how == "not base64":
        spec["data"] = "@" + spec["data"][1:]
    elif how == "unknown layer":
        spec["layers"][0]["op"] = "attention"
    elif how == "another shape":
        spec["layers"][0]["weight"]["shape"][0] -= 1
    elif how == "not finite":
        spec["data"] = "AHwAfAB8AHwA" + spec["data"][12:]
    text = json.dumps(spec)
    return text[:-40] if how == "no JSON" else text


@pytest.mark.parametrize(
    "how", ["cut", "not base64", "unknown layer", "another shape", "not finite", "no JSON", "gone"]
)
def test_a_spoilt_model_shows_a_message_and_the_picture(browser: Browser, how: str) -> None:
    plane = recipes.load("digits-mlp-2d")
    live._SENT.clear()
    figure = live.latent_map(
        plane.model, plane.codes.mu, plane.codes.labels, name="p", alt="A map.", dtype="float16"
    )
    text = figure._repr_html_()
    live._SENT.clear()
    good = re.search(r'<script type="application/json" id="vaebook-model-p">.*?</script>', text)
    assert good
    bad = spoilt(figure.models["p"], how) if how != "gone" else "{}"
    name = "other" if how == "gone" else "p"
    script = f'<script type="application/json" id="vaebook-model-{name}">{bad}</script>'
    window = browser.new_page()
    heard: list[str] = []
    window.on("pageerror", lambda error: heard.append(str(error)))
    window.set_content(PAGE.format(text.replace(good[0], script)))
    message = window.get_by_role("alert")
    expect(message).to_have_count(1)
    expect(message).to_contain_text("could not be brought to life")
    expect(window.locator("img").first).to_be_visible()
    expect(window.locator(".vaebook-live")).to_have_count(0)
    assert heard == []
    window.close()


def test_a_live_notebook_reads_and_sets_the_place(workshop: Page) -> None:
    """The module of the widget against a stand-in for the model that JupyterLab hands it."""
    plane = recipes.load("digits-mlp-2d")
    codes = plane.codes
    figure = live.latent_map(plane.model, codes.mu, codes.labels, name="w", alt="A map.")
    widget = figure.widget()
    state = {"tag": widget.tag, "config": widget.config, "models": widget.models, "z": widget.z}
    saved = workshop.evaluate(
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
        [SCRIPT, state],
    )
    assert saved["saves"][0][0] == 1.5
    assert saved["z"] == [-1, 0.5]
    assert saved["live"] == "vaebook-is-live"


@pytest.mark.parametrize(
    "name", [n for n in pages() if "vaebook-live-static" in (SITE / n).read_text(encoding="utf-8")]
)
def test_every_live_figure_of_the_book_comes_to_life(
    browser: Browser, base: str, name: str
) -> None:
    window = browser.new_page()
    window.goto(base + name)
    count = window.locator(".vaebook-live-static").count()
    expect(window.locator(".vaebook-is-live")).to_have_count(count)
    expect(window.locator(".vaebook-live-error")).to_have_count(0)
    window.close()
