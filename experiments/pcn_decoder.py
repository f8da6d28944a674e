"""Effective samples of four samplers on the posterior of real images in 16 dimensions.

    VAEBOOK_DATA=DATA OMP_NUM_THREADS=1 python experiments/pcn_decoder.py

runs pCN, random walk, MALA and elliptical slice sampling on p(z|x) of five MNIST test images
under the recipe mnist-cnn-16d, four chains each from draws of q(z|x), at the step that a warm-up
finds, and writes vaebook/tables/pcn_decoder.json. Effective samples are ArviZ's bulk estimate of
the slowest dimension; `used` leaves out the dimensions whose q(z|x) has more than half the prior's
variance. Seconds are processor time. The chapter on pCN reads the file.
"""

import json
import statistics
import time
from datetime import date
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaebook import datasets, recipes
from vaebook.latent import samplers
from vaebook.latent.samplers import Chain

MODEL, IMAGES, CHAINS, STEPS, WARMUP = "mnist-cnn-16d", 5, 4, 30_000, 500
# Elliptical slice sampling calls the decoder a dozen times a step.
SLICE_STEPS = STEPS // 3


def chains_of(model: Any, image: Tensor, seed: int) -> dict[str, tuple[Chain, float]]:
    """One run of each sampler on one image, with its processor time."""
    generator = torch.Generator().manual_seed(seed)
    start = model.codes(image.expand(CHAINS, -1, -1, -1)).sample(generator)
    log_likelihood = model.target(image)

    def log_density(z: Tensor) -> Tensor:
        return log_likelihood(z) - 0.5 * z.square().sum(1)

    found = {}
    for name, run, target in (
        ("pCN", samplers.pcn, log_likelihood),
        ("random walk", samplers.random_walk, log_density),
        ("MALA", samplers.mala, log_density),
    ):
        quiet: dict[str, Any] = {"generator": generator, "progress": False}
        warm = run(target, start, 1, 0.1, warmup=WARMUP, **quiet)
        assert warm.step is not None
        begin = time.process_time()
        chain = run(target, start, STEPS, warm.step, **quiet)
        found[name] = (chain, time.process_time() - begin)
    begin = time.process_time()
    chain = samplers.elliptical_slice(
        log_likelihood, start, SLICE_STEPS, generator=generator, progress=False
    )
    found["elliptical slice"] = (chain, time.process_time() - begin)
    return found


def main() -> None:
    torch.set_num_threads(1)
    model = recipes.load(MODEL).model
    images = datasets.mnist(train=False).images[:IMAGES]
    unused = (model.codes(images).logvar.exp() > 0.5).any(0)

    rows: dict[str, list[dict[str, float]]] = {}
    for seed, image in enumerate(images):
        for name, (chain, seconds) in chains_of(model, image, seed).items():
            effective = chain.ess()
            row = {
                "per_step": effective.min().item() / chain.accepted.numel(),
                "per_evaluation": effective.min().item() / (CHAINS * chain.evaluations),
                "per_second": effective.min().item() / seconds,
                "per_step_used": effective[~unused].min().item() / chain.accepted.numel(),
                "largest_rhat": chain.rhat().max().item(),
            }
            rows.setdefault(name, []).append(row)
            print(f"image {seed}, {name}: {row}, step {chain.step}, {seconds:.1f} s", flush=True)

    summary: dict[str, Any] = {}
    for name, found in rows.items():
        summary[name] = {key: statistics.median(row[key] for row in found) for key in found[0]}
        summary[name]["largest_rhat"] = max(row["largest_rhat"] for row in found)
        ratios = [a["per_step"] / b["per_step"] for a, b in zip(found, rows["pCN"], strict=True)]
        summary[name]["ratio_range"] = [min(ratios), max(ratios)]
    report = {
        "date": date.today().isoformat(),
        "model": MODEL,
        "images": IMAGES,
        "chains": CHAINS,
        "steps": STEPS,
        "slice_steps": SLICE_STEPS,
        "unused": int(unused.sum()),
        "samplers": summary,
    }
    text = json.dumps(report, indent=2) + "\n"
    (Path(__file__).parents[1] / "vaebook" / "tables" / "pcn_decoder.json").write_text(text)


if __name__ == "__main__":
    main()
