"""Time the moments and the density of class mixtures beside plainer ways of computing them.

    python benchmarks/mixtures.py

60,000 random encodings of 20 dimensions in 10 classes, one thread. The ways alternate in one run;
what is printed is the median CPU time of the repeats, the ratio to `vaebook` and the largest
difference of the results.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch import distributions as td

from vaebook.latent import mixtures

N, D, C = 60_000, 20, 10


def covariances_per_class(mu: Tensor, logvar: Tensor, labels: Tensor) -> Tensor:
    """A loop over the classes with numpy's covariance."""
    return torch.stack(
        [
            torch.from_numpy(np.cov(mu[labels == c].double().numpy().T, bias=True))
            + logvar[labels == c].double().exp().mean(0).diag()
            for c in range(C)
        ]
    )


def covariances_per_image(mu: Tensor, logvar: Tensor, labels: Tensor) -> Tensor:
    """The formula read aloud: a loop over the classes and, within, over the images."""
    covariances = []
    for c in range(C):
        rows = (labels == c).nonzero().flatten().tolist()
        second, mean = torch.zeros(D, D, dtype=torch.float64), torch.zeros(D, dtype=torch.float64)
        for i in rows:
            m = mu[i].double()
            second += logvar[i].double().exp().diag() + m.outer(m)
            mean += m
        mean /= len(rows)
        covariances.append(second / len(rows) - mean.outer(mean))
    return torch.stack(covariances)


def density_of_torch(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """torch.distributions in float64, a few points at a time, for it holds [points, N, D]."""
    components = td.Independent(td.Normal(mu.double(), (0.5 * logvar.double()).exp()), 1)
    mixture = td.MixtureSameFamily(td.Categorical(torch.ones(N, dtype=torch.float64)), components)
    return torch.cat([mixture.log_prob(some.double()) for some in z.split(10)])


def compare(title: str, repeats: int, **ways: Callable[[], Tensor]) -> None:
    """Print the median CPU time of each way; the others are compared with the first."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    results = {}
    for repeat in range(repeats + 1):
        for name, way in ways.items():
            start = time.process_time()
            results[name] = way()
            if repeat:
                seconds[name].append(time.process_time() - start)

    ours = next(iter(ways))
    print(title)
    for name in ways:
        median = statistics.median(seconds[name])
        ratio = median / statistics.median(seconds[ours])
        gap = (results[name] - results[ours]).abs().max().item()
        print(f"  {name:<20}{1e3 * median:>10.1f} ms{ratio:>9.1f} x   differs by {gap:.1e}")


def main() -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    mu = 1.5 * torch.randn(N, D, generator=generator)
    logvar = torch.randn(N, D, generator=generator) - 2
    labels = torch.randint(C, (N,), generator=generator)
    z = 1.5 * torch.randn(10_000, D, generator=generator)

    print(f"torch {torch.__version__}")
    compare(
        f"moments of {C} classes, {N} encodings of {D} dimensions",
        9,
        vaebook=lambda: mixtures.class_moments(mu, logvar, labels).covariances,
        per_class=lambda: covariances_per_class(mu, logvar, labels),
        per_image=lambda: covariances_per_image(mu, logvar, labels),
    )
    compare(
        f"log-density of {N} components at 200 points",
        3,
        vaebook=lambda: mixtures.log_density(z[:200], mu, logvar),
        torch_distributions=lambda: density_of_torch(z[:200], mu, logvar),
    )
    compare(
        f"log-density of {N} components at {len(z)} points",
        3,
        vaebook=lambda: mixtures.log_density(z, mu, logvar),
    )


if __name__ == "__main__":
    main()
