"""The refinement of q that the page computes, in node, against torch and sums over a grid."""

import base64
import json
import math
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vaebook import datasets, live, recipes
from vaebook.live.bundle import SCRIPTS, bundle
from vaebook.models import VAE, Bernoulli, Gaussian
from vaebook.models.networks import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder

Run = Callable[[Any, str], Any]

TOOLS = """
const finish = (work) => {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
};
const bound = new Bound(new Network(given.decoder), given.nodes);
const pixels = given.images.map(({ pixels }) => pixelsOf(pixels));
"""


@cache
def model() -> VAE:
    """The model of the figure with the weights that the page has, in double precision."""
    found = recipes.load("mnist-mlp-2d").model
    assert isinstance(found, VAE)
    return found.half().double().eval().requires_grad_(False)


@cache
def images() -> Tensor:
    """As the page has them, in eight bits."""
    return (255 * datasets.digits().images[[0, 11]]).round() / 255


@cache
def shown() -> live.Live:
    return live.refinement(recipes.load("mnist-mlp-2d").model, images(), alt="A climb.")


@pytest.fixture
def run(node: Callable[[str], str], tmp_path: Path) -> Run:
    """What a program prints as JSON, which knows the figure and a few places."""
    folder = os.path.relpath(SCRIPTS, tmp_path.resolve())
    entry = tmp_path / "entry.js"
    used = {"bytes.js": "pixelsOf", "climb.js": "Bound, Climb", "network.js": "Network"}
    imports = [f'import {{ {names} }} from "{folder}/{file}";\n' for file, names in used.items()]
    entry.write_text("".join(imports) + TOOLS, encoding="utf-8")

    def run(given: Any, program: str) -> Any:
        config = dict(shown().config) | {
            "decoder": json.loads(shown().models[shown().config["model"]])
        }
        script = f"const given = {json.dumps(config | given)};\n{bundle(str(entry))}"
        return json.loads(
            node(f"{script}console.log(JSON.stringify((() => {{ {program} }})()));\n")
        )

    return run


def elbo(image: Tensor, q: Tensor, n: int = 8) -> Tensor:
    """Of a Gaussian with means and logarithms of standard deviations [4], by n x n nodes."""
    roots, masses = (torch.tensor(part) for part in np.polynomial.hermite_e.hermegauss(n))
    places = torch.cartesian_prod(roots, roots)
    z = q[:2] + q[2:].exp() * places
    logits = model().decoder(z).flatten(1)
    x = image.double().flatten().expand_as(logits)
    fit = -nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    kl = 0.5 * (q[:2].square() + (2 * q[2:]).exp() - 1).sum() - q[2:].sum()
    return fit @ torch.outer(masses, masses).flatten() / (2 * math.pi) - kl


def start(k: int) -> Tensor:
    """The encoder's q of an image."""
    codes = model().codes(images()[k : k + 1].double())
    assert codes.logvar is not None
    return torch.cat([codes.mu[0], 0.5 * codes.logvar[0]])


def places() -> list[tuple[int, Tensor]]:
    """The encoder's q's, and wider, narrower and shifted ones."""
    moves = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return [
        (k, start(k) + move)
        for k in range(len(images()))
        for move in (torch.zeros(4), *(0.5 * moves))
    ]


def asked(q: Tensor) -> dict[str, list[float]]:
    return {"mu": q[:2].tolist(), "sigma": q[2:].exp().tolist()}


@pytest.mark.slow
def test_elbo_and_gradient_are_those_of_torch(run: Run) -> None:
    given = {"asked": [[k, asked(q)] for k, q in places()]}
    found = run(given, "return given.asked.map(([k, q]) => finish(bound.of(pixels[k], q)));")
    for (k, place), here in zip(places(), found, strict=True):
        q = place.clone().requires_grad_()
        expected = elbo(images()[k], q)
        (slopes,) = torch.autograd.grad(expected, q)
        assert here["elbo"] == pytest.approx(expected.item(), rel=1e-5, abs=1e-3)
        size = slopes.abs().max().item()
        assert here["slopes"] == pytest.approx(slopes.tolist(), rel=1e-4, abs=1e-4 * size)


@pytest.mark.slow
def test_the_gradient_is_the_slope_of_what_the_page_calls_the_elbo(run: Run) -> None:
    """By differences of the page's own values: none of torch's rules."""
    program = """
      const [k, { mu, sigma }] = given.asked;
      const at = (e, j) => finish(bound.of(pixels[k], {
        mu: mu.map((v, i) => v + (i === j ? e : 0)),
        sigma: sigma.map((v, i) => v * Math.exp(i + 2 === j ? e : 0)),
      })).elbo;
      const step = 1e-3;
      return [
        [0, 1, 2, 3].map((j) => (at(step, j) - at(-step, j)) / (2 * step)),
        finish(bound.of(pixels[k], { mu, sigma })).slopes,
      ];"""
    differences, slopes = run({"asked": [1, asked(start(1) + 0.3)]}, program)
    assert slopes == pytest.approx(differences, rel=2e-2, abs=0.05)


@pytest.mark.slow
def test_a_climb_takes_the_steps_of_the_chapter(run: Run) -> None:
    program = """
      const { encoder } = given.images[0];
      const climb = new Climb(encoder.sigma, encoder);
      const levels = [];
      for (let t = 0; t < 40; t++) {
        const { elbo, slopes } = finish(bound.of(pixels[0], climb.q));
        levels.push(elbo);
        climb.move(slopes);
      }
      return { levels, way: climb.way };"""
    found = run({}, program)
    q, moves = start(0), torch.zeros(4, dtype=torch.float64, requires_grad=True)
    unit = torch.cat([q[2:].exp(), torch.ones(2, dtype=torch.float64)])
    optimiser = torch.optim.Adam([moves], lr=0.1, betas=(0.9, 0.99))
    levels, way = [], []
    for _ in range(40):
        value = elbo(images()[0], q + unit * moves)
        levels.append(value.item())
        way.append((q + unit * moves)[:2].tolist())
        optimiser.zero_grad()
        (-value).backward()
        optimiser.step()
    assert found["levels"] == pytest.approx(levels, abs=0.01)
    torch.testing.assert_close(
        torch.tensor(found["way"][:40]),
        torch.tensor(way),
        rtol=0,
        atol=0.05 * unit[:2].max().item(),
    )
    assert levels[-1] > levels[0]


@pytest.mark.slow
@pytest.mark.weekly
def test_the_gap_is_the_divergence_from_the_posterior() -> None:
    """KL(q || p(z|x)) and log p(x) by sums over a fine grid, without the rule's nodes."""
    for k, image in enumerate(shown().config["images"]):
        middle, half = torch.tensor(image["encoder"]["mu"]).double(), image["half"]
        axis = torch.linspace(-half, half, 321).double()
        z = middle + torch.cartesian_prod(axis, axis)
        cell = (axis[1] - axis[0]) ** 2
        logits = model().decoder(z).flatten(1)
        fit = logits @ images()[k].double().flatten() - nn.functional.softplus(logits).sum(1)
        joint = fit - 0.5 * z.square().sum(1) - math.log(2 * math.pi)
        evidence = joint.logsumexp(0) + cell.log()
        assert image["evidence"] == pytest.approx(evidence.item(), abs=2e-3)
        for q in (image["encoder"], image["best"]):
            mu, sigma = torch.tensor(q["mu"]).double(), torch.tensor(q["sigma"]).double()
            log_q = (-0.5 * ((z - mu) / sigma).square() - sigma.log()).sum(1) - math.log(
                2 * math.pi
            )
            gap = (log_q.exp() * (log_q - joint + evidence)).sum() * cell
            assert image["evidence"] - q["elbo"] == pytest.approx(gap.item(), abs=0.02, rel=3e-3)


@pytest.mark.slow
def test_the_best_q_is_a_top_of_the_elbo_and_the_encoders_is_what_it_says() -> None:
    for k, image in enumerate(shown().config["images"]):
        own, best = image["encoder"], image["best"]
        assert [*own["mu"], *own["sigma"]] == pytest.approx(
            [*start(k)[:2].tolist(), *start(k)[2:].exp().tolist()], abs=1e-4
        )
        q = torch.tensor([*best["mu"], *np.log(best["sigma"])]).double()
        value = elbo(images()[k], q)
        assert best["elbo"] == pytest.approx(value.item(), abs=2e-3)
        # No mean moved by a tenth of its width, and no width by a tenth of itself, is better.
        unit = torch.tensor([*best["sigma"], 1.0, 1.0])
        for move in (*(0.1 * torch.eye(4)), *(-0.1 * torch.eye(4))):
            assert elbo(images()[k], q + unit * move) < value + 1e-3
        # Not the maximum of a rule with too few nodes, which err by some hundredths of a nat.
        assert own["elbo"] < best["elbo"] < image["evidence"] + 0.02
        assert value.item() == pytest.approx(elbo(images()[k], q, 16).item(), abs=0.02)


@pytest.mark.slow
def test_the_figure_carries_one_network_and_the_posteriors_about_the_encoders_means() -> None:
    config = shown().config
    assert set(shown().models) == {config["model"]}
    first = config["images"][0]
    assert config["start"] == [*first["encoder"]["mu"], *first["encoder"]["sigma"]]
    for image in config["images"]:
        away = np.abs(np.subtract(image["best"]["mu"], image["encoder"]["mu"]))
        assert (away + 4 * np.array(image["best"]["sigma"]) < image["half"]).all()
        assert len(base64.b64decode(image["shade"])) == 96**2
    assert list(shown().pictures) == ["posterior", "image", "decoded image"]


def small(latent_dim: int = 2) -> VAE:
    torch.manual_seed(0)
    return VAE(
        MLPEncoder(2 * latent_dim, (8,)), MLPDecoder(latent_dim, (8,)), latent_dim, Bernoulli()
    )


@pytest.mark.slow
def test_what_does_not_fit_is_refused_by_name() -> None:
    good = images()[:1]
    bent = good.clone()
    bent[0, 0, 0, 0] = math.nan
    conv = VAE(ConvEncoder(4), ConvDecoder(2), 2, Bernoulli())
    normal = VAE(MLPEncoder(4, (8,)), MLPDecoder(2, (8,)), 2, Gaussian())
    wrong: list[tuple[str, Any, Any]] = [
        ("2 latent dimensions", small(3), good),
        ("Bernoulli pixels", normal, good),
        ("fully connected decoder of ReLU units, got one with conv_transpose", conv, good),
        (r"images must .*\[E, 1, 28, 28\]", small(), good[:, :, :14]),
        (r"images must .*\[E, 1, 28, 28\]", small(), good[0]),
        ("images", small(), good[:0]),
        ("images", small(), bent),
        (r"images must lie in \[0, 1\], got 0 to 2", small(), 2 * good),
        ("images must lie in", small(), -good),
        ("model must be", "a model", good),
    ]
    for words, of, given in wrong:
        with pytest.raises(ValueError, match=words):
            live.refinement(of, given, alt="x")
    with pytest.raises(ValueError, match="alt"):
        live.refinement(small(), good, alt="")
