"""One of each live figure, for a page and for a notebook."""

import torch

from vaebook import datasets, explorer, recipes


def figures() -> dict[str, explorer.Live]:
    """One of each, from models that the package ships."""
    plane = recipes.load("mnist-mlp-2d")
    eight = recipes.load("mnist-small-8d-s0")
    codes = (plane.codes.mu, plane.codes.labels)
    images = datasets.digits().images[[0, 11, 22]]
    pair, clouds = [], []
    for title, name in (("VAE", "heatmap-vae-optimal-s0"), ("AE", "heatmap-ae-s0")):
        trained = recipes.load(name)
        mu = trained.codes.mu
        pair.append(explorer.Twin(title, trained.model, mu.mean(0), torch.diag(mu.std(0))))
        clouds.append(mu)
    runs = []
    for beta in (0.01, 1.0):
        trained = recipes.load(f"beta-mnist-b{beta:g}-s0")
        metrics = trained.card["metrics"]
        rate, fit = metrics["kl"]["nats"], metrics["log_p_x_given_z"]["nats"]
        runs.append(explorer.BetaRun(beta, trained.model, trained.codes.mu, rate, -fit))
    betas = explorer.beta_dial(runs, trained.codes.labels, images, name="b", alt="A dial.")
    return {
        "beta": betas,
        "map": explorer.latent_map(plane.model, *codes, name="plane", alt="A map."),
        "dials": explorer.latent_map(
            eight.model, eight.codes.mu, eight.codes.labels, name="eight", alt="Eight dials."
        ),
        "chains": explorer.chains(plane.model, images[0], *codes, name="half", alt="Two chains."),
        "bench": explorer.elbo_bench(alt="A bench."),
        "easel": explorer.draw_digit(plane.model, *codes, images, name="plane", alt="An easel."),
        "twins": explorer.twins(pair, clouds, alt="Twins."),
    }
