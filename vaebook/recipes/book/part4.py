"""Data with known factors: VAE and autoencoder on heatmaps, with three factors and with four."""

__all__ = ["recipes"]

from functools import partial

from vaebook.models import VAE, Autoencoder, Gaussian, OptimalGaussian
from vaebook.models.networks import ConvDecoder, ConvEncoder
from vaebook.objectives import negative_elbo, reconstruction_only
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
    vae = {"objective": negative_elbo, "measure": measure.gaussian_vae}
    kinds = {
        "vae-optimal": ("VAE, optimal variance", partial(_vae, OptimalGaussian), vae),
        "vae-half": ("VAE, variance 1/2", partial(_vae, Gaussian), vae),
        "ae": (
            "autoencoder",
            _autoencoder,
            {"objective": reconstruction_only, "measure": measure.autoencoder},
        ),
    }
    sets = [
        ("heatmap", "", "heatmaps", HEATMAPS, 40, ("vae-optimal", "vae-half", "ae")),
        ("t-heatmap", "", "t heatmaps", T_RULE, 25, ("vae-optimal", "ae")),
        ("t-heatmap", "-coin", "t heatmaps with df by a coin", T_COIN, 25, ("vae-optimal", "ae")),
    ]
    return [
        Recipe(
            f"{prefix}-{kind}{suffix}-s{seed}",
            data,
            kinds[kind][1],
            **kinds[kind][2],
            part=PART,
            epochs=epochs,
            patience=8,
            learning_rate=4e-3,
            seed=seed,
            summary=f"{kinds[kind][0]}, three conv + max-pool blocks, 3 latents, on {title}",
            tags={"data": prefix + suffix, "kind": kind, "seed": seed},
        )
        for prefix, suffix, title, data, epochs, kinds_there in sets
        for kind in kinds_there
        for seed in range(5)
    ]
