"""Data with known factors: VAE and autoencoder on heatmaps, with three factors and with four."""

__all__ = ["recipes"]

from collections.abc import Callable
from functools import partial

from vaebook.models import VAE, Autoencoder, Gaussian, OptimalGaussian
from vaebook.models.networks import ConvDecoder, ConvEncoder, Initial
from vaebook.objectives import reconstruction_only
from vaebook.recipes import measure
from vaebook.recipes.book.data import HEATMAPS, T_COIN, T_LARGE, T_SMALL
from vaebook.recipes.recipe import Recipe

PART = "IV. Data with known factors"


# Seeds 0 to 4 start from weights of torch, with which a model may be born with dead units; what is
# claimed of heatmaps is decided by fresh seeds that start from He's.
_TORCH_SEEDS, _HE_SEEDS = range(5), range(22, 34)


def _networks(outputs: int, initial: Initial) -> tuple[ConvEncoder, ConvDecoder]:
    encoder = ConvEncoder(outputs, initial=initial)
    return encoder, ConvDecoder(3, hidden=32, initial=initial)


def _vae(likelihood: type[Gaussian], initial: Initial) -> VAE:
    return VAE(*_networks(6, initial), 3, likelihood(0.5))


def _autoencoder(initial: Initial) -> Autoencoder:
    return Autoencoder(*_networks(3, initial), 3, Gaussian(0.5))


def recipes() -> list[Recipe]:
    """Return the recipes of Part IV; the spread over seeds is in tables, one seed is shipped."""
    vae = partial(Recipe, measure=measure.gaussian_vae)
    autoencoder = partial(Recipe, objective=reconstruction_only, measure=measure.autoencoder)
    kinds: dict[str, tuple[str, Callable[..., Recipe], Callable[..., VAE | Autoencoder]]] = {
        "vae-optimal": ("VAE, optimal variance", vae, partial(_vae, OptimalGaussian)),
        "vae-half": ("VAE, variance 1/2", vae, partial(_vae, Gaussian)),
        "ae": ("autoencoder", autoencoder, _autoencoder),
    }
    torch_seeds: list[tuple[int, Initial]] = [(seed, "torch") for seed in _TORCH_SEEDS]
    he_seeds: list[tuple[int, Initial]] = [(seed, "he") for seed in _HE_SEEDS]
    both = ("vae-optimal", "ae")
    sets = [
        ("heatmap", "", "heatmaps", HEATMAPS, tuple(kinds), torch_seeds + he_seeds),
        ("t-heatmap", "-large", "t heatmaps, heavy tails to large sums", T_LARGE, both, he_seeds),
        ("t-heatmap", "-small", "t heatmaps, heavy tails to small sums", T_SMALL, both, he_seeds),
        ("t-heatmap", "-coin", "t heatmaps, heavy tails by a coin", T_COIN, both, he_seeds),
    ]
    found = []
    for prefix, suffix, title, data, wanted, starts in sets:
        for kind in wanted:
            about, make, model = kinds[kind]
            for seed, initial in starts:
                recipe = make(
                    f"{prefix}-{kind}{suffix}-s{seed}",
                    data,
                    model=partial(model, initial=initial),
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
