"""What the page computes of a diffusion, in node, against the package, and what it is given."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from vaebook import live
from vaebook.latent.diffusion import Denoiser, NoisedMixture, Process, sample_ode
from vaebook.live.bundle import SCRIPTS, bundle
from vaebook.models import VAE, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder

PROCESS = Process(8.0, -7.0)


def made() -> tuple[VAE, Denoiser, NoisedMixture]:
    """A model, a denoiser with the weights that the page has, and a mixture."""
    torch.manual_seed(0)
    model = VAE(MLPEncoder(4, (8,)), MLPDecoder(2, (8,)), 2, Bernoulli())
    denoiser = Denoiser(2, 24, process=PROCESS).half().float().requires_grad_(False)
    means = torch.tensor([[-2.0, 0.5], [1.0, 1.0], [0.5, -2.0]])
    logvar = torch.tensor([[-2.0, -1.0], [-3.0, -3.0], [0.0, -4.0]])
    weights = torch.tensor([0.5, 0.3, 0.2])
    return model, denoiser, NoisedMixture(means, logvar, weights, process=PROCESS)


def figure(**changes: Any) -> live.Live:
    model, denoiser, mixture = made()
    mu = torch.randn(20, 2, generator=torch.Generator().manual_seed(1))
    given = {"model": model, "denoiser": denoiser, "mixture": mixture, "mu": mu, "alt": "A fall."}
    return live.denoising(**(given | changes))


@pytest.fixture
def run(node: Callable[[str], str], tmp_path: Path) -> Callable[[Any, str], Any]:
    """What a program prints as JSON, which knows what is given and the figure's module."""
    folder = os.path.relpath(SCRIPTS, tmp_path.resolve())
    entry = tmp_path / "entry.js"
    entry.write_text(
        f'import {{ exactField, learnedField, levels, wayBack }} from "{folder}/field.js";\n'
        f'import {{ Network }} from "{folder}/network.js";\n'
    )

    def run(given: Any, program: str) -> Any:
        script = f"const given = {json.dumps(given)};\n{bundle(str(entry))}"
        return json.loads(node(f"{script}\nconsole.log(JSON.stringify({program}));"))

    return run


@pytest.mark.slow
def test_the_page_knows_the_process_both_fields_and_the_way_back(run: Any) -> None:
    _, denoiser, mixture = made()
    shown = figure()
    z = 2 * torch.randn(30, 2, generator=torch.Generator().manual_seed(2))
    times = [0.0, 0.17, 0.5, 1.0]
    config = shown.config
    given = {
        "process": config["process"],
        "mixture": config["mixture"],
        "network": json.loads(shown.models[config["denoiser"]]),
        "z": z.tolist(),
        "times": times,
    }
    program = """(() => {
      const fields = [
        exactField(given.mixture, given.process),
        learnedField(new Network(given.network), given.process),
      ];
      return {
        levels: given.times.map((t) => Object.values(levels(given.process, t))),
        fields: fields.map((f) => given.times.map((t) => given.z.map((z) => f(z, t)))),
        ways: fields.map((f) => given.z.map((z) => wayBack(f, given.process, z, 40).at(-1))),
        drawn: given.z.map((z, i) => wayBack(fields[0], given.process, z, 40, i).at(-1)),
        again: given.z.map((z, i) => wayBack(fields[0], given.process, z, 40, i).at(-1)),
      };
    })()"""
    found = run(given, program)
    t = torch.tensor(times)
    expected = torch.stack([PROCESS.log_snr(t), PROCESS.alpha(t), PROCESS.sigma(t)], 1)
    torch.testing.assert_close(torch.tensor(found["levels"]), expected)
    for field, values, ways in zip(
        (mixture, denoiser), found["fields"], found["ways"], strict=True
    ):
        for time, each in zip(times, values, strict=True):
            torch.testing.assert_close(torch.tensor(each), field(z, time), atol=1e-3, rtol=1e-3)
        end = sample_ode(field, z, 40)
        torch.testing.assert_close(torch.tensor(ways), end, atol=0.01, rtol=0.01)
    assert found["drawn"] == found["again"]
    assert found["drawn"] != found["ways"][0]


@pytest.mark.slow
def test_the_stochastic_way_of_the_page_ends_in_the_mixture(run: Any) -> None:
    """Moments of 2,000 draws within five standard errors, once in a million by chance."""
    _, _, mixture = made()
    z = torch.randn(2000, 2, generator=torch.Generator().manual_seed(3))
    given = {"process": figure().config["process"], "mixture": figure().config["mixture"]}
    given["z"] = z.tolist()
    program = """given.z.map((z, i) =>
      wayBack(exactField(given.mixture, given.process), given.process, z, 100, i).at(-1))"""
    drawn = torch.tensor(run(given, program))
    weights = mixture.weights[:, None]
    mean = (weights * mixture.mu).sum(0)
    variance = (weights * (mixture.logvar.exp() + (mixture.mu - mean).square())).sum(0)
    assert ((drawn.mean(0) - mean).abs() < 5 * (variance / 2000).sqrt()).all()
    assert ((drawn.var(0) / variance - 1).abs() < 5 * (2 / 2000) ** 0.5).all()


def test_the_figure_carries_its_start_and_two_networks() -> None:
    shown = figure(start=(0.25, 1.0, -1.0), seed=3)
    assert shown.config["start"] == [0.25, 1.0, -1.0]
    assert shown.config["seed"] == 3
    assert set(shown.models) == {shown.config["model"], shown.config["denoiser"]}
    assert sum(shown.config["mixture"]["weights"]) == pytest.approx(1, abs=1e-4)


def test_what_does_not_fit_is_refused_by_name() -> None:
    _, _, mixture = made()
    wrong = {
        "denoiser must have 2": {"denoiser": Denoiser(2, 8, n_classes=3, process=PROCESS)},
        "mixture must have 2": {
            "mixture": NoisedMixture(torch.zeros(1, 3), None, process=PROCESS)
        },
        "mixture must be of the denoiser's process": {
            "mixture": NoisedMixture(mixture.mu, mixture.logvar)
        },
        "start must be a time and a place": {"start": (0.0, 1.0)},
        "the time of start": {"start": (1.5, 0.0, 0.0)},
        "seed must be": {"seed": 2**32},
    }
    for words, changes in wrong.items():
        with pytest.raises(ValueError, match=words):
            figure(**changes)
