"""Data with known factors: VAE and autoencoder on heatmaps, with three factors and with four."""

__all__ = ["recipes"]

from collections.abc import Callable
from functools import partial

from vaebook.models import VAE, Autoencoder, Gaussian, OptimalGaussian
from vaebook.models.networks import ConvDecoder, ConvEncoder
from vaebook.objectives import reconstruction_only
from vaebook.recipes import measure
from vaebook.recipes.book.data import HEATMAPS, T_COIN, T_RULE
from vaebook.recipes.recipe import Recipe

PART = "IV. Data with known factors"


def _decoder() -> ConvDecoder:
    return ConvDecoder(3, hidden=32, initial="torch")


def _vae(likelihood: type[Gaussian]) -> VAE:
    return VAE(ConvEncoder(6, initial="torch"), _decoder(), 3, likelihood(0.5))


def _autoencoder() -> Autoencoder:
    return Autoencoder(ConvEncoder(3, initial="torch"), _decoder(), 3, Gaussian(0.5))


def recipes() -> list[Recipe]:
    """Return the recipes of Part IV; the spread over seeds is in tables, one seed is shipped."""
    kinds: dict[str, tuple[str, Callable[..., Recipe]]] = {
        "vae-optimal": (
            "VAE, optimal variance",
            partial(Recipe, model=partial(_vae, OptimalGaussian), measure=measure.gaussian_vae),
        ),
        "vae-half": (
            "VAE, variance 1/2",
            partial(Recipe, model=partial(_vae, Gaussian), measure=measure.gaussian_vae),
        ),
        "ae": (
            "autoencoder",
            partial(
                Recipe,
                model=_autoencoder,
                objective=reconstruction_only,
                measure=measure.autoencoder,
            ),
        ),
    }
    sets = [
        ("heatmap", "", "heatmaps", HEATMAPS, 40, ("vae-optimal", "vae-half", "ae")),
        ("t-heatmap", "", "t heatmaps", T_RULE, 25, ("vae-optimal", "ae")),
        ("t-heatmap", "-coin", "t heatmaps with df by a coin", T_COIN, 25, ("vae-optimal", "ae")),
    ]
    found = []
    for prefix, suffix, title, data, epochs, wanted in sets:
        for kind in wanted:
            about, make = kinds[kind]
            for seed in range(5):
                recipe = make(
                    f"{prefix}-{kind}{suffix}-s{seed}",
                    data,
                    part=PART,
                    epochs=epochs,
                    patience=8,
                    learning_rate=4e-3,
                    seed=seed,
                    summary=f"{about}, three conv + max-pool blocks, 3 latents, on {title}",
                    tags={"data": prefix + suffix, "kind": kind, "seed": seed},
                )
                found.append(recipe)
    return found
