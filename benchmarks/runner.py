"""What the runner of experiments costs, on one machine and on a cluster.

    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python benchmarks/runner.py

prints

- how much sooner a sweep of eight small models is done by two processes than by one;
- what share of ten seconds per row the runner takes;
- how many rows that do nothing it writes per second, with 64 workers of a cluster in this process,
  and the memory beyond what the libraries take.
"""

import resource
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from vaebook import datasets, models, objectives, tables
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.training import fit


def train(seed: int) -> dict[str, float]:
    """Train a small VAE for some ten seconds."""
    torch.manual_seed(seed)
    model = models.VAE(MLPEncoder(16), MLPDecoder(8), 8, models.Bernoulli())
    history = fit(
        model,
        objectives.negative_elbo,
        datasets.digits(),
        epochs=60,
        batch_size=64,
        seed=seed,
        progress=False,
    )
    return {"loss": history.epochs["loss"][-1]}


def wait(n: int) -> dict[str, int]:
    """Take two seconds, most of which nobody computes in."""
    time.sleep(2)
    return {"n squared": n * n}


def nothing(n: int) -> dict[str, int]:
    """Return a row at once."""
    return {"nothing": 0}


def seconds(name: str, n_jobs: int) -> float:
    """Return the seconds of a sweep."""
    sweep = tables.Experiment(name, train, {"seed": range(8)})
    with TemporaryDirectory() as folder:
        start = time.perf_counter()
        tables.run(sweep, folder, n_jobs=n_jobs, progress=False)
        return time.perf_counter() - start


def megabytes() -> float:
    """Return the most that this process has taken so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    from distributed import LocalCluster

    libraries = megabytes()
    many = tables.Experiment("many", nothing, {"n": range(10_000)})
    settings = {"processes": False, "memory_limit": 0, "dashboard_address": None}
    with (
        LocalCluster(n_workers=64, threads_per_worker=1, **settings) as cluster,
        TemporaryDirectory() as folder,
    ):
        start = time.perf_counter()
        tables.run(many, folder, scheduler=cluster.scheduler_address, progress=False)
        rate = 10_000 / (time.perf_counter() - start)
    print(f"64 workers: {rate:.0f} rows/s, {megabytes() - libraries:.0f} MB")

    stamps: list[float] = []

    def stamped(n: int) -> dict[str, int]:
        stamps.append(time.perf_counter())
        row = wait(n)
        stamps.append(time.perf_counter())
        return row

    with TemporaryDirectory() as folder:
        waiting = tables.Experiment("waiting", stamped, {"n": range(8)})
        tables.run(waiting, Path(folder), progress=False)
    between = [after - before for before, after in pairwise(stamps)][1::2]
    print(
        f"between rows: {1000 * sum(between) / len(between):.1f} ms, "
        f"{100 * sum(between) / len(between) / 10:.2f} % of ten seconds"
    )

    one, two = seconds("one", 1), seconds("two", 2)
    print(f"eight models: {one:.1f} s by one process, {two:.1f} s by two: {one / two:.2f} times")


if __name__ == "__main__":
    main()
