r"""How much of the prior lies where there are no codes, and what is decoded there.

    make experiment NAME=prior_holes

A row is one of eight seeds, which splits the 10,000 test images of MNIST in two halves, known and
fresh; the model has 20 latent dimensions and was trained on other images. The mixture of the 5,000
known q(z|x) is no density that could say where codes are: in 20 dimensions its components hardly
overlap, and it calls empty what lies between them. Normal mixtures with full covariances and 1, 5,
20 and 60 components are fitted to one draw from each known q(z|x) instead. Draws of one half of
the fresh images choose among them by their log density, and those of the other half set the
threshold that 1 % of them fall below. A *hole* is what lies below it.

- `in_hole`: the share of 5,000 draws of the prior there;
- `spikes_in_hole`: the same by the mixture of the known q(z|x), with 500 draws for the threshold;
- `divergence`: the mean of log g(z) - log p(z) over the other fresh half, g the mixture chosen. On
  average it lies below KL(q(z) || p(z)), by the divergence of q(z) from g;
- `rate`: the mean KL(q(z|x) || p(z)), which lies above it;
- `doubt_in`, `doubt_out`, `doubt_fresh`: the entropy of the shipped classifier's prediction for
  what is decoded from draws of the prior in holes and elsewhere, and from codes of fresh images;
- `doubt_nearest`: for the 1 % of fresh codes below the threshold.

What decides, written down before the run; the unit is a seed:

- the prior has holes: the 95 % t-interval of `in_hole` over seeds lies above .01;
- what is decoded there is worse: that of `doubt_in` - `doubt_out` lies above 0;
- the mixture of posteriors was the wrong measure: that of `spikes_in_hole` - `in_hole` does not
  hold 0.

The seeds share images and one model: their spread is that of splits, fits and draws alone. The
chapter on the ways to sample reads the table.
"""

import math
import statistics
from functools import cache
from typing import Any

import torch
from scipy import stats
from sklearn.mixture import GaussianMixture
from torch import Generator, Tensor

from vaebook import datasets, recipes
from vaebook.models import VAE
from vaebook.tables import Experiment

MODEL, JUDGE, SEEDS = "mnist-mlp-20d", "mnist-classifier", 8
COMPONENTS = [1, 5, 20, 60]
DRAWS = 5000


@cache
def models_and_codes() -> tuple[VAE, Any, Tensor, Tensor]:
    model = recipes.load(MODEL).model
    codes = model.codes(datasets.mnist(train=False))
    return model, recipes.load(JUDGE).model, codes.mu, codes.logvar


def log_spikes(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log of the mixture of N(mu_i, exp logvar_i) at each z, nats."""
    precision = (-logvar).exp()
    square = z.square() @ precision.T - 2 * z @ (precision * mu).T
    square = square + (precision * mu.square()).sum(1)
    constant = (logvar + math.log(2 * math.pi)).sum(1)
    return (-0.5 * (square + constant)).logsumexp(1) - math.log(len(mu))


def row(seed: int) -> dict[str, Any]:
    """Fit, choose, set the threshold and count."""
    model, judge, mu, logvar = models_and_codes()
    generator = Generator().manual_seed(seed)

    def doubt(z: Tensor) -> float:
        with torch.no_grad():
            p = judge(model.decode(z)).softmax(1)
        return torch.special.entr(p).sum(1).mean().item()

    order = torch.randperm(len(mu), generator=generator)
    known, choosing, fresh = order[:5000], order[5000:7500], order[7500:]
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator)
    fits = {
        n: GaussianMixture(n, reg_covar=1e-4, random_state=seed).fit(z[known].double())
        for n in COMPONENTS
    }
    chosen = max(fits, key=lambda n: fits[n].score(z[choosing].double()))

    def log_g(z: Tensor) -> Tensor:
        return torch.from_numpy(fits[chosen].score_samples(z.double().numpy()))

    of_fresh = log_g(z[fresh])
    prior = torch.randn(DRAWS, mu.shape[1], generator=generator)
    threshold = of_fresh.quantile(0.01)
    hole = log_g(prior) < threshold
    spikes = log_spikes(z[fresh[:500]], mu[known], logvar[known]).quantile(0.01)
    log_p = -0.5 * (z[fresh].square() + math.log(2 * math.pi)).sum(1)
    rate = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)[fresh]
    found = {
        "in_hole": hole.double().mean().item(),
        "spikes_in_hole": (log_spikes(prior, mu[known], logvar[known]) < spikes)
        .double()
        .mean()
        .item(),
        "divergence": (of_fresh - log_p).mean().item(),
        "rate": rate.mean().item(),
        "doubt_in": doubt(prior[hole]),
        "doubt_out": doubt(prior[~hole]),
        "doubt_fresh": doubt(z[fresh]),
        "doubt_nearest": doubt(z[fresh][of_fresh < threshold]),
    }
    return {key: float(f"{value:.4g}") for key, value in found.items()} | {"components": chosen}


def summarize(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return means over seeds and the intervals that decide."""

    def interval(values: list[float]) -> list[float]:
        half = stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values)
        half /= math.sqrt(len(values))
        centre = statistics.mean(values)
        return [float(f"{end:.4g}") for end in (centre - half, centre + half)]

    keys = [key for key in rows[0] if key not in ("seed", "components")]
    summary: dict[str, Any] = {
        key: float(f"{statistics.mean(row[key] for row in rows):.4g}") for key in keys
    }
    return summary | {
        "in_hole_interval": interval([row["in_hole"] for row in rows]),
        "spikes_range": [end(row["spikes_in_hole"] for row in rows) for end in (min, max)],
        "doubt_interval": interval([row["doubt_in"] - row["doubt_out"] for row in rows]),
        "spikes_interval": interval([row["spikes_in_hole"] - row["in_hole"] for row in rows]),
        "components": sorted({row["components"] for row in rows}),
    }


def weights_used(seed: int) -> list[str]:
    """Return what decides a row beside this file."""
    return [recipes.load(name).card["sha256"] for name in (MODEL, JUDGE)]


prior_holes = Experiment(
    "prior_holes", row, {"seed": range(SEEDS)}, uses=weights_used, summarize=summarize
)
