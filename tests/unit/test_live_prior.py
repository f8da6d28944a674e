"""The prior that a reader draws: densities and lines of the page, and what Python hands over."""

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
from torch import Tensor

from vaebook import live
from vaebook.latent import mixtures
from vaebook.live.bundle import SCRIPTS, bundle
from vaebook.models import VAE, Bernoulli, Gaussian
from vaebook.models.learned_priors import VampPrior
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.models.priors import Mixture, StandardNormal

pytestmark = pytest.mark.slow

Run = Callable[[Any, str], Any]
USED = {"contours.js": "SIDE, contour, gridPlace, levelOf", "posteriors.js": "Posteriors"}


@pytest.fixture
def run(node: Callable[[str], str], tmp_path: Path) -> Run:
    """What a program prints as JSON, which knows what is given and the modules of the figure."""
    folder = os.path.relpath(SCRIPTS, tmp_path.resolve())
    entry = tmp_path / "entry.js"
    imports = [f'import {{ {names} }} from "{folder}/{file}";\n' for file, names in USED.items()]
    entry.write_text("".join(imports), encoding="utf-8")

    def execute(given: Any, program: str) -> Any:
        text = bundle(os.path.relpath(entry.resolve(), SCRIPTS))
        head = f"const given = {json.dumps(given)};\n"
        ask = f"console.log(JSON.stringify((() => {{ {program} }})()));\n"
        return json.loads(node(text + head + ask))

    return execute


@cache
def model() -> VAE:
    torch.manual_seed(0)
    encoder = MLPEncoder(4, (8,))
    prior = VampPrior(encoder, 2, torch.rand(4, 1, 28, 28))
    return VAE(encoder, MLPDecoder(2, (8,)), 2, Bernoulli(), prior).eval()


def codes() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    mu = torch.randn(300, 2, generator=generator)
    return mu, -2 + 0.3 * torch.randn(300, 2, generator=generator), torch.arange(300) % 10


def figure() -> live.Live:
    other = Mixture(torch.tensor([[-1.0, 0.0], [1.0, 0.5]]), torch.zeros(2, 2))
    others = {"N(0, I)": StandardNormal(2), "two": other}
    return live.draw_prior(model(), *codes(), others, torch.rand(2, 1, 28, 28), alt="A prior.")


def test_the_density_of_the_page_is_that_of_the_vamp_prior(run: Run) -> None:
    prior = model().prior
    assert isinstance(prior, VampPrior)
    means, logvars, _ = (part.detach() for part in prior.components())
    z = torch.randn(20, 2, generator=torch.Generator().manual_seed(2))
    parts = [
        {"mu": mu.tolist(), "logvar": logvar.tolist()}
        for mu, logvar in zip(means, logvars, strict=True)
    ]
    found, draws = run(
        {"parts": parts, "z": z.tolist()},
        """const mixture = new Posteriors(given.parts);
        let state = 0;
        const random = { uniform: () => (state = (state + 0.6180339887) % 1), normal: () => 0 };
        return [given.z.map((z) => mixture.logDensity(z)),
                Array.from({ length: 200 }, () => mixture.sample(random))];""",
    )
    torch.testing.assert_close(torch.tensor(found), prior.log_prob(z).detach(), rtol=0, atol=1e-4)
    # Without noise a draw is one of the means, and each comes as often.
    nearest = torch.cdist(torch.tensor(draws), means).argmin(1)
    assert torch.cdist(torch.tensor(draws), means).amin(1).max() < 1e-3
    assert (nearest.bincount(minlength=4) - 50).abs().max() <= 2


def test_lines_hold_the_mass_that_they_say(run: Run) -> None:
    """Of N(0, I) the circle of radius r holds 1 - exp(-r^2 / 2)."""
    shares = [0.5, 0.9, 0.99]
    levels, lines = run(
        shares,
        """const logs = Float64Array.from({ length: SIDE ** 2 }, (_, k) => {
          const [x, y] = gridPlace(k, 4.5);
          return -0.5 * (x * x + y * y);
        });
        const levels = given.map((share) => levelOf(logs, share));
        return [levels, levels.map((level) => contour(logs, level))];""",
    )
    for share, level, segments in zip(shares, levels, lines, strict=True):
        radius = math.sqrt(-2 * math.log(1 - share))
        assert math.sqrt(-2 * level) == pytest.approx(radius, abs=0.06)
        places = torch.tensor(segments).view(-1, 2) * (9 / 95) - 4.5
        torch.testing.assert_close(
            places.norm(dim=1), torch.full((len(places),), radius), rtol=0, atol=0.07
        )
        assert len(segments) > 40


def test_the_page_gets_densities_and_kl_of_the_other_priors() -> None:
    config = figure().config
    mu, logvar, _ = codes()
    extent = config["plane"]["points"]["extent"]
    step = (0.5 * logvar).exp().min().item()
    for given, prior in zip(
        config["others"],
        [StandardNormal(2), Mixture(torch.tensor([[-1.0, 0.0], [1.0, 0.5]]), torch.zeros(2, 2))],
        strict=True,
    ):
        exact = mixtures.surgery(mu, logvar, prior, step).marginal_kl
        assert given["kl"] == pytest.approx(exact, abs=0.08)
        logs = np.frombuffer(base64.b64decode(given["logs"]), np.uint8) * (24 / 255)
        axis = torch.linspace(-extent, extent, 96)
        # Row by row from the top, as the page has it.
        places = torch.cartesian_prod(axis.flip(0), axis).flip(1)
        expected = prior.log_prob(places)
        expected = (expected - expected.max() + 24).clamp_min(0)
        np.testing.assert_allclose(logs, expected.numpy(), atol=0.05)


def test_the_plane_holds_the_lines_of_every_prior() -> None:
    """Of N(0, 9 I) 99 % lie within 9.1 units, far beyond the codes."""
    wide = {"wide": Mixture(torch.zeros(1, 2), torch.full((1, 2), math.log(9)))}
    shown = live.draw_prior(model(), *codes(), wide, torch.rand(2, 1, 28, 28), alt="A prior.")
    wanted = 3 * math.sqrt(2 * math.log(100))
    assert wanted - 0.3 < shown.config["plane"]["points"]["extent"] < wanted + 1
    assert figure().config["plane"]["points"]["extent"] < 4.5


def test_the_page_can_compute_the_kl_of_the_learned_prior() -> None:
    """As it does: minus the entropy, minus the mean log density of the draws handed over."""
    config = figure().config
    mu, logvar, _ = codes()
    numbers = np.frombuffer(base64.b64decode(config["drawn"]["data"]), "<u2").astype(float)
    drawn = torch.tensor(config["drawn"]["extent"] * (numbers / 32767.5 - 1)).view(-1, 2).float()
    prior = model().prior
    found = -config["entropy"] - prior.log_prob(drawn).mean().item()
    step = (0.5 * logvar).exp().min().item()
    exact = mixtures.surgery(mu, logvar, prior, step).marginal_kl
    assert found == pytest.approx(exact, abs=0.08)
    assert [len(base64.b64decode(image)) for image in config["inputs"]] == [784] * 4


def test_a_prior_refuses_what_it_cannot_show() -> None:
    mu, logvar, labels = codes()
    examples, others = torch.rand(2, 1, 28, 28), {"N(0, I)": StandardNormal(2)}
    plain = VAE(MLPEncoder(4, (4,)), MLPDecoder(2, (4,)), 2, Bernoulli())
    grey = VAE(model().encoder, model().decoder, 2, Gaussian(), model().prior)
    for wrong in (plain, grey):
        with pytest.raises(ValueError, match="a VampPrior and Bernoulli pixels, got 2, "):
            live.draw_prior(wrong, mu, logvar, labels, others, examples, alt="x")
    tries = [
        ("others must be Priors over 2", mu, logvar, {"one": StandardNormal(3)}, examples),
        ("others must be", mu, logvar, [StandardNormal(2)], examples),
        (r"examples must be .*\[E, 1, 28, 28\]", mu, logvar, others, examples[0]),
        ("logvar must be", mu, logvar[:5], others, examples),
    ]
    for message, means, widths, other, images in tries:
        with pytest.raises(ValueError, match=message):
            live.draw_prior(model(), means, widths, labels, other, images, alt="x")
