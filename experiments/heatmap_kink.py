"""How lines of heatmaps bend in the codes of the trained models, over five seeds.

    python -m vaebook train "heatmap-*" --into WEIGHTS
    python experiments/heatmap_kink.py --weights WEIGHTS

encodes three lines along the correlation from -0.95 to 0.85: both variances 4.9, constant
determinant from the same start, both variances 0.1. Of each model that did not collapse it writes
the turns of the first two in degrees, and the length of the first over that of the third, to
heatmap_kink.json, which the chapter on heatmaps reads.
"""

import argparse
import json
import math
from pathlib import Path

import torch
from torch import Tensor

from vaebook import datasets, recipes
from vaebook.measures import bounds

KINDS, SEEDS = ("vae-optimal", "vae-half", "ae"), 5


def lines(n: int = 181) -> Tensor:
    """The images of the three lines, one after the other, [3 n, 1, 36, 36]."""
    start, end = -0.95, 0.85
    r = torch.linspace(start, end, n, dtype=torch.float64)
    level = 4.9 * math.sqrt(1 - start**2) / (1 - r**2).sqrt()
    variances = torch.cat([torch.full_like(r, 4.9), level, torch.full_like(r, 0.1)])
    return datasets.heatmap_images(variances, variances, r.repeat(3))


def turn(path: Tensor) -> float:
    """The angle between the first and the last tenth of a path, in degrees."""
    n = len(path) // 10
    a, b = path[n] - path[0], path[-1] - path[-1 - n]
    return math.degrees(torch.acos(torch.cosine_similarity(a, b, dim=0)).item())


def length(path: Tensor) -> float:
    return path.diff(dim=0).norm(dim=1).sum().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True)
    weights = parser.parse_args().weights
    torch.set_num_threads(1)
    images = lines()
    found: dict[str, dict[str, list[float]]] = {}
    for kind in KINDS:
        for seed in range(SEEDS):
            codes = recipes.load(f"heatmap-{kind}-s{seed}", weights).model.codes(images).mu
            if not bounds.active_units(codes).any():
                continue  # collapsed: all codes are one
            along, across, little = codes.chunk(3)
            row = [turn(along), turn(across), length(along) / length(little)]
            found.setdefault(kind, {})[str(seed)] = [round(value, 4) for value in row]
    text = json.dumps(found, indent=1) + "\n"
    (Path(__file__).parents[1] / "vaebook" / "tables" / "heatmap_kink.json").write_text(text)


if __name__ == "__main__":
    main()
