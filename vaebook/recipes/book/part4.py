"""Data with known factors: VAE and autoencoder on heatmaps, with three factors and with four."""

__all__ = ["recipes"]

from collections.abc import Callable
from functools import partial

from vaebook.models import VAE, Autoencoder, Gaussian, OptimalGaussian
from vaebook.models.networks import ConvDecoder, ConvEncoder
from vaebook.objectives import reconstruction_only
from vaebook.recipes import measure
from vaebook.recipes.book.data import HEATMAPS, T_COIN, T_LARGE, T_SMALL
from vaebook.recipes.recipe import Recipe

PART = "IV. Data with known factors"


# Seeds 0 to 21 were looked at while the claims on heatmaps were put into their final form.
_SEEDS = range(22, 34)


def _vae(likelihood: type[Gaussian]) -> VAE:
    return VAE(ConvEncoder(6), ConvDecoder(3, hidden=32), 3, likelihood(0.5))


def _autoencoder() -> Autoencoder:
    return Autoencoder(ConvEncoder(3), ConvDecoder(3, hidden=32), 3, Gaussian(0.5))


def recipes() -> list[Recipe]:
    """Return the recipes of Part IV; the spread over seeds is in tables, one seed is shipped."""
    vae = partial(Recipe, measure=measure.gaussian_vae)
    autoencoder = partial(Recipe, objective=reconstruction_only, measure=measure.autoencoder)
    kinds: dict[str, tuple[str, Callable[..., Recipe], Callable[..., VAE | Autoencoder]]] = {
        "vae-optimal": ("VAE, optimal variance", vae, partial(_vae, OptimalGaussian)),
        "vae-half": ("VAE, variance 1/2", vae, partial(_vae, Gaussian)),
        "ae": ("autoencoder", autoencoder, _autoencoder),
    }
    both = ("vae-optimal", "ae")
    sets = [
        ("heatmap", "", "heatmaps", HEATMAPS, tuple(kinds)),
        ("t-heatmap", "-large", "t heatmaps, heavy tails to large sums", T_LARGE, both),
        ("t-heatmap", "-small", "t heatmaps, heavy tails to small sums", T_SMALL, both),
        ("t-heatmap", "-coin", "t heatmaps, heavy tails by a coin", T_COIN, both),
    ]
    found = []
    for prefix, suffix, title, data, wanted in sets:
        for kind in wanted:
            about, make, model = kinds[kind]
            for seed in _SEEDS:
                recipe = make(
                    f"{prefix}-{kind}{suffix}-s{seed}",
                    data,
                    model=model,
                    part=PART,
                    epochs=40,
                    patience=8,
                    learning_rate=4e-3,
                    seed=seed,
                    summary=f"{about}, three conv + max-pool blocks, 3 latents, on {title}",
                    tags={"data": prefix + suffix, "kind": kind, "seed": seed},
                )
                found.append(recipe)
    return found
