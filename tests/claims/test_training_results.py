"""The results of the chapter on training, and the measurements that its page reads.

A test that bears the label of a result holds it against draws with a fixed seed, within 5 standard
errors, which a right result exceeds once in 1.7 million times a number.
"""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Normal

from vaebook import objectives, tables
from vaebook.latent import paths


@pytest.mark.parametrize("corners", [2, 3, 7])
def test_prop_blend_norm(corners: int) -> None:
    generator = torch.Generator().manual_seed(corners)
    weights = torch.rand(corners, dtype=torch.float64, generator=generator)
    weights /= weights.sum()
    z = torch.randn(corners, 20_000, 20, dtype=torch.float64, generator=generator)
    for spherical, variance in ((False, weights.square().sum().item()), (True, 1.0)):
        blends = paths.interpolate(z, weights, spherical)
        squares = blends.square().sum(1)
        error = squares.std().item() / math.sqrt(len(squares))
        assert abs(squares.mean().item() - variance * 20) < 5 * error
        # The whole distribution, not only its second moment.
        share = (blends < math.sqrt(variance)).double().mean().item()
        expected = Normal(0.0, 1.0).cdf(torch.tensor(1.0, dtype=torch.float64)).item()
        deviation = math.sqrt(expected * (1 - expected) / blends.numel())
        assert abs(share - expected) < 5 * deviation


@pytest.mark.slow
@given(st.lists(st.floats(0, 1, allow_subnormal=False), min_size=1, max_size=9))
def test_even_weights_make_the_shortest_blend(raw: list[float]) -> None:
    total = math.fsum(raw)
    weights = [value / total for value in raw] if total > 1e-6 else [1 / len(raw)] * len(raw)
    assert math.fsum(w * w for w in weights) >= 1 / len(weights) - 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_prop_kl_parts(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    mu = 1.5 + 2 * torch.randn(50, 4, dtype=torch.float64, generator=generator)
    logvar = torch.randn(50, 4, dtype=torch.float64, generator=generator)
    variance = logvar.exp()
    shift = 0.5 * mu.mean(0).square().sum()
    spread = 0.5 * mu.var(0, correction=0).sum()
    width = 0.5 * (variance - 1 - logvar).mean(0).sum()
    # The mean KL from draws alone: log q - log p, with torch's own densities.
    z = mu + variance.sqrt() * torch.randn(20_000, 50, 4, dtype=torch.float64, generator=generator)
    log_ratio = Normal(mu, variance.sqrt()).log_prob(z) - Normal(0.0, 1.0).log_prob(z)
    draws = log_ratio.sum(2).mean(1)
    error = draws.std().item() / math.sqrt(len(draws))
    assert abs(draws.mean().item() - (shift + spread + width).item()) < 5 * error
    assert min(shift, spread, width) > 0
    exact = objectives.kl_divergence(mu, logvar).mean()
    torch.testing.assert_close(exact, shift + spread + width)


def test_the_recorded_parts_of_the_kl_add_up_in_five_seeds_of_each_way() -> None:
    measured = tables.load("kl_phases")
    for way in measured.about["ways"]:
        assert sorted(run["seed"] for run in measured.where(way=way)) == list(range(5))
    for run in measured.rows:
        parts = torch.tensor([run[name] for name in ("shift", "spread", "width")])
        torch.testing.assert_close(parts.sum(0), torch.tensor(run["kl"]), rtol=1e-3, atol=2e-3)


def test_every_usual_run_spikes_and_collapses_and_none_that_knows_the_mean_image() -> None:
    for run in tables.load("kl_phases").rows:
        spike, collapse = run["phases"]["spike"], run["phases"]["collapse"]
        assert run["phases"]["start"]["kl"] < 0.03
        if run["way"] in ("recipe", "constant"):
            assert spike["kl"] > 10
            assert collapse["kl"] < spike["kl"] / 5
            assert spike["spread"] < spike["kl"] / 10
        elif run["way"] == "mean image":
            assert spike["kl"] < 0.03


def test_skip_connections_empty_the_code_in_every_seed() -> None:
    measured = tables.load("unet")
    runs = {way: measured.where(way=way) for way in ("none", "7x7", "all")}
    assert all(sorted(r["seed"] for r in group) == list(range(5)) for group in runs.values())
    for run in runs["none"]:
        assert run["kl"] > 5
        assert run["active_units"] > 0
        assert run["error_prior_code"] > 1.5 * run["error"]
        assert run["error_swapped_maps"] == run["error"]
    for run in runs["7x7"] + runs["all"]:
        assert run["kl"] < 1e-3
        assert run["active_units"] == 0
        assert run["error_prior_code"] < 1.05 * run["error"]
        assert run["error_swapped_maps"] > 5 * run["error"]
