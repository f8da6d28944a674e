"""What the page's script computes, against torch, scipy and the package."""

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Page
from scipy import integrate, stats

from tests.often import often
from tests.site.conftest import NewPage
from tests.site.gallery import PAGE
from vaebook import datasets, live, objectives, recipes
from vaebook.latent import samplers
from vaebook.live.bundle import bundle
from vaebook.live.pack import pack_decoder
from vaebook.measures.heatmaps import fit_heatmaps
from vaebook.models.networks import ConvDecoder, ConvEncoder

POINTS = 500
# The largest and the mean difference of a pixel. The weights are stored in half precision; in 8
# bits each is off by 0.4 % of its row's largest at most, and edges of strokes show it most.
BOUNDS = {"float16": (1e-3, 1e-4), "int8": (0.1, 3e-3)}


@pytest.fixture(scope="module")
def workshop(new_page: NewPage) -> Iterator[Page]:
    """A page with nothing but the script."""
    window = new_page()
    window.set_content(PAGE.format(f'<script type="module">{bundle()}</script>'))
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


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize(
    "name",
    [
        "mnist-mlp-2d",
        "mnist-small-8d-s0",
        "mnist-cnn-16d",
        "fashion-mlp-2d",
        "digits-mlp-2d",
        "heatmap-vae-optimal-s22",
        "heatmap-ae-s22",
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
    found = run(workshop, pack_decoder(trained.model, dtype), z, "decode")
    with torch.no_grad():
        expected = trained.model.decode(z).flatten(1)
    error = (found - expected).abs()
    assert error.max() <= BOUNDS[dtype][0]
    assert error.mean() <= BOUNDS[dtype][1]


@pytest.mark.parametrize("name", ["mnist-mlp-2d", "heatmap-vae-optimal-s22", "mnist-cnn-16d"])
def test_the_page_encodes_as_torch_does(workshop: Page, name: str) -> None:
    model = recipes.load(name).model
    images = datasets.heatmaps().images[::119] if "heat" in name else datasets.digits().images[:99]
    spec = live.pack(model.encoder, images.shape[1:], "float16")
    found = run(workshop, spec, images.flatten(1), "run")
    with torch.no_grad():
        torch.testing.assert_close(found, model.encoder(images), rtol=1e-3, atol=1e-3)


def test_the_page_knows_colours_and_odd_sizes(workshop: Page) -> None:
    torch.manual_seed(0)
    shape = (3, 15, 20)
    images = torch.rand(9, *shape)
    for module, inputs in (
        (ConvEncoder(4, shape=shape), images),
        (ConvDecoder(4, shape=shape), torch.randn(9, 4)),
    ):
        module.half().float()  # as it is stored
        spec = live.pack(module, inputs.shape[1:], "float16")
        found = run(workshop, spec, inputs.flatten(1), "run")
        with torch.no_grad():
            expected = module(inputs).flatten(1)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


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


def test_the_log_likelihood_of_the_pixels_seen_is_that_of_the_samplers_target(
    workshop: Page,
) -> None:
    model = recipes.load("mnist-small-8d-s0").model.requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    image = datasets.digits().images[0].mul(255).round().div(255)
    seen = torch.rand(28, 28, generator=generator) < 0.4
    z = torch.randn(5, 8, generator=generator)
    code = (
        "([spec, image, seen, z]) => { const net = new vaebook.Network(spec);"
        " return z.map((one) => net.logProb(image, one, seen)); }"
    )
    spec = pack_decoder(model, "float16")
    given = [spec, image.flatten().tolist(), seen.flatten().int().tolist(), z.tolist()]
    found = torch.tensor(workshop.evaluate(code, given))
    torch.testing.assert_close(found, model.target(image, mask=seen)(z), rtol=1e-3, atol=0.05)
    assert (found - model.target(image)(z)).abs().min() > 5


@pytest.mark.parametrize("kind", often(["pCN", "random walk"], 1))
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
        " const logL = (z) => net.logProb(image, z);"
        " return Array.from({ length: n }, (_, seed) => {"
        "  const chain = new vaebook.Chain(kind, logL, start, seed);"
        "  for (let i = 0; i < steps; i++) chain.advance(step);"
        "  return chain.accepted / steps; }); }"
    )
    spec = pack_decoder(model, "float16")
    given = [spec, image.flatten().tolist(), start.tolist(), kind, step, steps, n]
    found = workshop.evaluate(code, given)
    generator = torch.Generator().manual_seed(0)

    target = model.target(image)
    starts = start.expand(n, 2).clone()
    settings = {"generator": generator, "progress": False}
    if kind == "pCN":
        chain = samplers.pcn(target, starts, steps, step, **settings)
    else:
        chain = samplers.random_walk(
            lambda z: target(z) - 0.5 * z.square().sum(1), starts, steps, step, **settings
        )
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


@pytest.mark.parametrize("image", [0, 7])
def test_the_pipeline_is_torchs_from_end_to_end(new_page: NewPage, image: int) -> None:
    trained = recipes.load("mnist-mlp-2d")
    images = datasets.digits().images[:110:11].mul(255).round().div(255)
    figure = live.pipeline(
        trained.model, images, trained.codes.mu, alt="A pipeline.", dtype="float16"
    )
    page = new_page(reduced_motion="reduce")
    page.set_content(PAGE.format(figure._repr_html_()))
    page.wait_for_selector(".vaebook-is-live")
    e = [-1.3, 0.7]
    found = page.locator("vaebook-pipeline").evaluate(
        """(figure, [image, e1, e2]) => {
          figure.set({ image, e1, e2 });
          const { mu, sigma } = figure.goal;
          return { mu, sigma, z: Array.from(figure.z), mean: figure.mean(image) };
        }""",
        [image, *e],
    )
    shown = [float(text) for text in page.locator("dd").all_text_contents()[-3:]]
    page.close()
    model, x = trained.model, images[image : image + 1]
    with torch.no_grad():
        mu, logvar = model.encode(x)
        sigma = (logvar / 2).exp()
        z = mu + sigma * torch.tensor([e])
        fit = -model.target(x[0])(z).item()
        rate = objectives.kl_divergence(mu, logvar).item()
        draws = mu + sigma * torch.randn(4000, 2, generator=torch.Generator().manual_seed(0))
        costs = rate - model.target(x[0])(draws)
    assert found["mu"] == pytest.approx(mu[0].tolist(), abs=2e-3)
    assert found["sigma"] == pytest.approx(sigma[0].tolist(), rel=5e-3)
    assert found["z"] == pytest.approx(z[0].tolist(), abs=2e-3)
    assert shown == pytest.approx([fit, rate, fit + rate], abs=0.3)
    assert shown[0] + shown[1] == pytest.approx(shown[2], abs=0.11)
    # The mean of 64 draws: four standard errors, a false alarm in 15,000 runs.
    assert abs(found["mean"] - costs.mean().item()) < 4 * costs.std().item() / 8 + 0.3


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
    trained = recipes.load("heatmap-ae-s22")
    noise = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        images = trained.model.decode(trained.codes.mu.mean(0) + trained.codes.mu.std(0) * noise)
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
