"""Every public callable of the package, each with a good call: what sweeping tests stand on.

`CALLS` maps the name of a function, class, method or property to a maker of fresh arguments,
`() -> (callable, keyword arguments)`; all parameters are given, so that each can be replaced.
`public()` walks the package and says what there is; what has no good call stands in `EXEMPT`
with the reason.
"""

import importlib
import inspect
import pkgutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import torch
from PIL import Image
from plotly.subplots import make_subplots
from torch import Generator, Tensor, nn

import vaebook
from vaebook import (
    datasets,
    figures,
    jobs,
    live,
    models,
    objectives,
    recipes,
    tables,
    training,
)
from vaebook.datasets import ImageSet
from vaebook.latent import dense, diffusion, geometry, mixtures, paths, samplers, shapes, smooth
from vaebook.live.pack import pack, pack_decoder
from vaebook.measures import agreement, bounds, cone, disentanglement, heatmaps
from vaebook.models import codebooks, discrete, gradients, learned_priors, networks, priors
from vaebook.recipes import measure
from vaebook.tables import claims

Call = tuple[Callable[..., Any], dict[str, Any]]


def public() -> dict[str, Any]:
    """Return all that `__all__` of the package's modules names, with methods and properties."""
    found: dict[str, Any] = {}
    for info in pkgutil.walk_packages(vaebook.__path__, "vaebook."):
        if info.name.endswith("__main__"):
            continue  # importing it is harmless, but its one function is the command line's
        module = importlib.import_module(info.name)
        for name in module.__all__ if hasattr(module, "__all__") else ():
            thing = getattr(module, name)
            if callable(thing) and getattr(thing, "__module__", "") == info.name:
                path = f"{info.name.removeprefix('vaebook.')}.{name}"
                found[path] = thing
                if inspect.isclass(thing):
                    found |= {f"{path}.{key}": value for key, value in _members(thing)}
    return found


def _members(thing: type) -> Iterator[tuple[str, Any]]:
    """The methods and properties of a class, those of private bases too."""
    private = [base for base in thing.__mro__[1:] if base.__name__.startswith("_")]
    for base in (thing, *private):
        if not base.__module__.startswith("vaebook."):
            continue
        for key, value in vars(base).items():
            value = value.__func__ if isinstance(value, staticmethod | classmethod) else value
            shown = not key.startswith("_") or key in ("__call__", "__getitem__")
            if shown and (inspect.isfunction(value) or isinstance(value, property)):
                home = getattr(value, "fget", value).__module__
                if home == base.__module__:  # and not a field's default
                    yield key, value


_ABSTRACT = "abstract: its subclasses are called"
_PROTOCOL = "a protocol: what is handed in has this form"
_RECORD = "a record of what a function has returned or is about to read, which checks it"
_TORCH = "torch's or plotly's own hook, without an argument of a reader's"
_INSIDE = "serves other rooms with what they have checked"

EXEMPT = {
    "models.likelihoods.Likelihood.*": _ABSTRACT,
    "models.priors.Prior": _ABSTRACT,
    "models.priors.Prior.*": _ABSTRACT,
    "models.priors.GaussianPrior": _ABSTRACT,
    "models.priors.GaussianPrior.color": _ABSTRACT,
    "models.priors.GaussianPrior.whiten": _ABSTRACT,
    "models.priors.MixturePrior": _ABSTRACT,
    "models.priors.MixturePrior.components": _ABSTRACT,
    "*.extra_repr": _TORCH,
    "objectives.Objective*": _PROTOCOL,
    "training.*Observer*": _PROTOCOL,
    "training.Transform*": _PROTOCOL,
    "recipes.recipe.Measure*": _PROTOCOL,
    "training.Recorder.*state_dict": _PROTOCOL,
    "training.Recorder.__call__": "called by fit",
    "recipes.measure.*": "called by train and evaluate, with sets and a model of their own",
    "training.TrainingDiverged": "raised by fit",
    "jobs.Outcome": _RECORD,
    "jobs.WorkersLost": "raised by each",
    "tables.table.Table": _RECORD,
    "tables.claims.Claim": _RECORD,
    "tables.claims.Decision": _RECORD,
    "tables.claims.Part": _RECORD,
    "tables.claims.Tally": _RECORD,
    "tables.experiment.Failed": "raised by run",
    "datasets.downloads.DatasetUnavailable": "raised by the data sets",
    "models.latent.Codes": _RECORD,
    "latent.samplers.Chain": _RECORD,
    "latent.diffusion.Bound*": _RECORD,
    "figures.notes.Note": _RECORD,
    "figures.tables.Table": _RECORD,
    "figures.drawing.Drawing": _RECORD,
    "figures.drawing.Sheet*": _INSIDE,
    "live.kernel.WithKernel": _RECORD,
    "live.page.Live": _RECORD,
    "training.History": _RECORD,
    "figures.renderer.Figure": "plotly's own constructor",
    "_checks.*": "refuses arguments for all others, and is tested by what they refuse",
    "_files.*": _INSIDE,
    "_progress.*": _INSIDE,
    "figures.renderer.read_alt": _INSIDE,
    "recipes.structure.*": _INSIDE,
    "recipes.weights.halved": _INSIDE,
    "fingerprint.*": "takes anything, and is tested by itself",
    "figures.numbers.plain": _INSIDE,
    "figures.pictures.*": _INSIDE,
    "figures.renderer.faded": _INSIDE,
    "figures.renderer.script_json": _INSIDE,
    "live.pictures.*": _INSIDE,
    "live.widgets.*": _INSIDE,
    "live.bundle.bundle": _INSIDE,
    "measures.cone.chart": "differentiated by torch.func, which hides the values from any check",
    "live.pack.seal": _INSIDE,
    "recipes.weights.write": _INSIDE,
    "recipes.book.*": "lists of recipes, without an argument",
}


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=generator(seed))


def grey(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=generator(seed))


def classes(n: int, k: int = 2) -> Tensor:
    return torch.arange(n) % k


def image_set(n: int = 6, side: int = 4) -> ImageSet:
    return ImageSet(grey(n, 1, side, side), classes(n), {"slant": normal(n)}, ("a", "b"), "grey")


def seeded(make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make(*args, **kwargs)


def network(kind: str, inputs: int, outputs: int, side: int) -> nn.Module:
    shape = (1, side, side)
    if kind == "encoder":
        return seeded(networks.MLPEncoder, outputs, (3,), shape)
    return seeded(networks.MLPDecoder, inputs, (3,), shape)


def torus(z: Tensor) -> Tensor:
    """Codes [N, D] to a smooth surface [N, 3 D] that closes in every direction."""
    wide = 2 + z.roll(1, 1).cos()
    return torch.cat([wide * z.cos(), wide * z.sin(), z.sin()], 1)


def vae(
    latent_dim: int = 2, side: int = 4, likelihood: models.Likelihood | None = None, told: int = 0
) -> models.VAE:
    return models.VAE(
        network("encoder", 0, 2 * latent_dim, side),
        network("decoder", latent_dim + told, 0, side),
        latent_dim,
        models.Bernoulli() if likelihood is None else likelihood,
        n_classes=told,
    )


def autoencoder() -> models.Autoencoder:
    return models.Autoencoder(
        network("encoder", 0, 2, 4), network("decoder", 2, 0, 4), 2, models.Gaussian()
    )


def classifier() -> models.Classifier:
    return seeded(models.Classifier, network("encoder", 0, 3, 4), 3, 2)


def bell(z: Tensor) -> Tensor:
    return -0.5 * z.square().sum(-1)


def covariance(d: int = 2) -> Tensor:
    return torch.eye(d) + 0.3


def shift() -> priors.ConditionalShift:
    return priors.ConditionalShift(2, 0.5, lambda images: images.mean((1, 2, 3)))


def gaussian_priors() -> dict[str, Callable[[], priors.GaussianPrior]]:
    return {
        "StandardNormal": lambda: priors.StandardNormal(2),
        "DiagonalNormal": lambda: priors.DiagonalNormal(normal(2), 0.1 * normal(2, seed=1)),
        "FullNormal": lambda: priors.FullNormal(normal(2), covariance()),
    }


def mixture() -> priors.Mixture:
    return priors.Mixture(normal(3, 2), 0.1 * normal(3, 2, seed=1), torch.full((3,), 1 / 3))


def learned_mixture() -> learned_priors.LearnedMixture:
    return learned_priors.LearnedMixture(normal(3, 2), 0.1 * normal(3, 2, seed=1))


def vamp() -> learned_priors.VampPrior:
    return learned_priors.VampPrior(networks.MLPEncoder(4, (5,), (1, 4, 4)), 2, grey(3, 1, 4, 4))


def vamp_vae() -> models.VAE:
    encoder = seeded(networks.MLPEncoder, 4, (5,))
    prior = learned_priors.VampPrior(encoder, 2, grey(3, 1, 28, 28))
    decoder = seeded(networks.MLPDecoder, 2, (5,))
    return models.VAE(encoder, decoder, 2, models.Bernoulli(), prior)


def flow() -> learned_priors.Flow:
    return seeded(learned_priors.Flow, 2, 1, (4,))


def chain(t: int = 8) -> samplers.Chain:
    return samplers.Chain(
        normal(t, 3, 2), torch.ones(t, 3, dtype=torch.int32), normal(t, 3).double(), t
    )


def recipe() -> recipes.Recipe:
    sets = ImageSet(grey(24, 1, 4, 4), classes(24)), ImageSet(grey(8, 1, 4, 4), classes(8))
    return recipes.Recipe("tiny", sets, vae, epochs=1, batch_size=12, snapshots=(1,))


@cache
def trained_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="vaebook-tests-"))
    recipes.train(recipe(), folder, progress=False)
    return folder


@cache
def pictures_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="vaebook-tests-"))
    for name in ("a", "b"):
        Image.new("RGB", (4, 4), "red").save(folder / f"{name}.png")
    return folder


def distances(n: int) -> Tensor:
    x = normal(n, 3)
    return (x[:, None] - x).norm(dim=2)


def factors(n: int = 40) -> Tensor:
    return torch.stack([classes(n, 4), classes(n // 4, 5).repeat_interleave(4)], 1).float()


def _property(thing: object, name: str) -> Any:
    return getattr(thing, name)


def _calls() -> dict[str, Callable[[], Call]]:
    calls: dict[str, Callable[[], Call]] = {}
    for room in (
        _datasets, _networks, _likelihoods, _priors, _models, _discrete, _objectives, _training,
        _latent, _measures, _recipes, _experiments, _figures, _live,
    ):  # fmt: skip
        calls |= room()
    return calls


def _datasets() -> dict[str, Callable[[], Call]]:
    one = lambda: {  # noqa: E731
        "var_x": 0.5 + grey(3), "var_y": 0.5 + grey(3, seed=1), "corr": 0.5 * grey(3, seed=2)
    }  # fmt: skip
    return {
        "datasets.digits.digits": lambda: (datasets.digits, {}),
        "datasets.downloads.mnist": lambda: (datasets.mnist, {"train": False}),
        "datasets.downloads.fashion_mnist": lambda: (datasets.fashion_mnist, {"train": False}),
        "datasets.downloads.fetch": lambda: (
            datasets.fetch, {"title": "MNIST", "offline": True, "seconds": 1.0, "progress": False}
        ),
        "datasets.downloads.handwritten": lambda: (datasets.handwritten, {"train": False}),
        "datasets.heatmaps.heatmap_images": lambda: (
            datasets.heatmap_images, one() | {"size": 5, "extent": 3.0}
        ),
        "datasets.heatmaps.t_heatmap_images": lambda: (
            datasets.t_heatmap_images, one() | {"df": 2 + grey(3), "size": 5, "extent": 3.0}
        ),
        "datasets.heatmaps.heatmaps": lambda: (datasets.heatmaps, {}),
        "datasets.heatmaps.t_heatmaps": lambda: (
            datasets.t_heatmaps, {"seed": 0, "heavy": "large"}
        ),
        "datasets.images.ImageSet": lambda: (
            ImageSet,
            {
                "images": grey(6, 1, 4, 4), "labels": classes(6), "factors": {"slant": normal(6)},
                "names": ("a", "b"), "title": "grey", "in_unit_range": True,
            },
        ),
        "datasets.images.ImageSet.__getitem__": lambda: (
            image_set().__getitem__, {"index": torch.tensor([0, 2])}
        ),
        "datasets.images.ImageSet.with_images": lambda: (
            image_set().with_images, {"images": grey(6, 1, 4, 4, seed=1)}
        ),
        "datasets.images.ImageSet.to": lambda: (image_set().to, {"device": "cpu"}),
        "datasets.images.ImageSet.split": lambda: (
            image_set().split, {"fraction": 0.5, "seed": 0}
        ),
        "datasets.images.ImageSet.checksum": lambda: (
            partial(_property, image_set(), "checksum"), {}
        ),
        "datasets.images.add_noise": lambda: (
            datasets.add_noise,
            {"images": grey(3, 1, 4, 4), "scale": 0.1, "generator": generator()},
        ),
        "datasets.images.binarize": lambda: (
            datasets.binarize, {"images": grey(3, 1, 4, 4), "generator": generator()}
        ),
        "datasets.own.folder": lambda: (
            datasets.folder,
            {"path": pictures_folder(), "size": 4, "channels": 3, "progress": False},
        ),
        "datasets.own.from_arrays": lambda: (
            datasets.from_arrays,
            {
                "images": grey(6, 1, 4, 4), "labels": classes(6), "factors": {"slant": normal(6)},
                "names": ["a", "b"], "in_unit_range": True,
            },
        ),
        "datasets.templates.donut": lambda: (
            datasets.donut, {"size": 12, "radius": 3.0, "width": 1.0}
        ),
        "datasets.templates.stick": lambda: (
            datasets.stick, {"size": 12, "half_length": 3.0, "width": 1.0, "angle": 15.0}
        ),
        "datasets.templates.donutness": lambda: (
            datasets.donutness,
            {
                "images": grey(3, 1, 12, 12),
                "donut": datasets.donut(12, 3.0), "stick": datasets.stick(12, 3.0),
            },
        ),
    }  # fmt: skip


def _networks() -> dict[str, Callable[[], Call]]:
    mlp, conv = {"hidden": (3,), "initial": "he"}, {"hidden": 3, "initial": "he"}
    shape = {"shape": (1, 8, 8)}
    blocks = {"channels": (2, 2), "strides": (1, 1)}
    images, z = {"images": grey(3, 1, 4, 4)}, {"z": normal(3, 2)}
    return {
        "models.networks.MLPEncoder": lambda: (
            networks.MLPEncoder, {"out_features": 4} | mlp | shape
        ),
        "models.networks.MLPDecoder": lambda: (
            networks.MLPDecoder, {"latent_dim": 2} | mlp | shape
        ),
        "models.networks.ConvEncoder": lambda: (
            networks.ConvEncoder, {"out_features": 4} | conv | shape | blocks
        ),
        "models.networks.ConvDecoder": lambda: (
            networks.ConvDecoder, {"latent_dim": 2, "channels": (2, 2)} | conv | shape
        ),
        "models.networks.for_images": lambda: (
            networks.for_images, {"shape": (3, 8, 9), "latent_dim": 2, "kind": "cnn"}
        ),
        "models.networks.MLPEncoder.forward": lambda: (
            network("encoder", 0, 4, 4), dict(images)
        ),
        "models.networks.MLPDecoder.forward": lambda: (
            network("decoder", 2, 0, 4), dict(z)
        ),
        "models.networks.ConvEncoder.forward": lambda: (
            seeded(networks.ConvEncoder, 4, (2,), hidden=3, shape=(1, 4, 4)), dict(images)
        ),
        "models.networks.ConvDecoder.forward": lambda: (
            seeded(networks.ConvDecoder, 2, (2,), hidden=3, shape=(1, 4, 4)), dict(z)
        ),
        "models.networks.he_": lambda: (networks.he_, {"module": network("decoder", 2, 0, 4)}),
        "models.networks.live_units": lambda: (
            networks.live_units, {"module": network("decoder", 2, 0, 4), "inputs": normal(5, 2)}
        ),
    }  # fmt: skip


def _likelihoods() -> dict[str, Callable[[], Call]]:
    calls: dict[str, Callable[[], Call]] = {
        "models.likelihoods.Likelihood": lambda: (models.Likelihood, {}),
        "models.likelihoods.Bernoulli": lambda: (models.Bernoulli, {}),
        "models.likelihoods.Bernoulli.check": lambda: (
            models.Bernoulli().check, {"images": grey(3, 1, 4, 4)}
        ),
        "models.likelihoods.Gaussian.variance": lambda: (
            partial(_property, models.Gaussian(), "variance"), {}
        ),
        "models.likelihoods.Gaussian.statistics": lambda: (
            models.Gaussian().statistics,
            {"outputs": normal(3, 1, 4, 4), "images": grey(3, 1, 4, 4)},
        ),
    }  # fmt: skip
    for kind in (models.Bernoulli, models.Gaussian):
        path = f"models.likelihoods.{kind.__name__}"
        both = lambda: {  # noqa: E731
            "outputs": normal(3, 1, 4, 4), "images": grey(3, 1, 4, 4)
        }  # fmt: skip
        calls |= {
            f"{path}.mean": lambda kind=kind: (kind().mean, {"outputs": normal(3, 1, 4, 4)}),
            f"{path}.sample": lambda kind=kind: (
                kind().sample, {"outputs": normal(3, 1, 4, 4), "generator": generator()}
            ),
        } | {
            f"{path}.{name}": lambda kind=kind, name=name, both=both: (
                getattr(kind(), name), both()
            )
            for name in ("log_prob", "log_prob_pixels", "log_prob_pairs")
        }  # fmt: skip
    following = (models.OptimalGaussian, models.ConstrainedGaussian, models.GecoGaussian)
    for kind in (models.Gaussian, models.LearnedGaussian, *following):
        path = f"models.likelihoods.{kind.__name__}"
        calls[path] = lambda kind=kind: (kind, {"variance": 0.5})
        if kind is models.GecoGaussian:
            calls[path] = lambda kind=kind: (kind, {"variance": 0.5, "step": 0.01})
        if kind in following:
            calls[f"{path}.adapt"] = lambda kind=kind: (kind().adapt, {"statistics": {"mse": 0.3}})
            calls[f"{path}.initial_buffers"] = lambda kind=kind: (kind().initial_buffers, {})
    return calls


def _priors() -> dict[str, Callable[[], Call]]:
    q = lambda: {  # noqa: E731
        "mu": normal(4, 2), "logvar": 0.1 * normal(4, 2, seed=1),
        "n_samples": 2, "generator": generator(),
    }  # fmt: skip
    draw = lambda: {"n": 4, "generator": generator()}  # noqa: E731
    calls: dict[str, Callable[[], Call]] = {
        "models.priors.StandardNormal": lambda: (priors.StandardNormal, {"latent_dim": 2}),
        "models.priors.DiagonalNormal": lambda: (
            priors.DiagonalNormal, {"mean": normal(2), "logvar": 0.1 * normal(2, seed=1)}
        ),
        "models.priors.FullNormal": lambda: (
            priors.FullNormal, {"mean": normal(2), "covariance": covariance()}
        ),
        "models.priors.Mixture": lambda: (
            priors.Mixture,
            {
                "means": normal(3, 2), "logvars": 0.1 * normal(3, 2, seed=1),
                "weights": torch.tensor([0.2, 0.3, 0.5]),
            },
        ),
        "models.priors.ConditionalShift": lambda: (
            priors.ConditionalShift,
            {"latent_dim": 2, "rate": 0.5, "score": lambda images: images.mean((1, 2, 3))},
        ),
        "models.priors.ConditionalShift.condition": lambda: (
            shift().condition, {"batch": image_set()}
        ),
        "models.priors.ConditionalShift.log_prob": lambda: (
            shift().log_prob, {"z": normal(4, 2), "labels": normal(4)}
        ),
        "models.priors.ConditionalShift.sample": lambda: (
            shift().sample, draw() | {"labels": normal(4)}
        ),
        "models.priors.ConditionalShift.kl": lambda: (shift().kl, q() | {"labels": normal(4)}),
        "models.priors.MixturePrior.log_prob": lambda: (
            mixture().log_prob, {"z": normal(4, 2), "labels": None}
        ),
        "models.priors.MixturePrior.sample": lambda: (
            mixture().sample, draw() | {"labels": None}
        ),
        "models.priors.Mixture.components": lambda: (mixture().components, {}),
        "models.priors.Mixture.fitted": lambda: (
            priors.Mixture.fitted, {"z": normal(40, 2), "n_components": 2, "seed": 0}
        ),
        "models.learned_priors.LearnedMixture": lambda: (
            learned_priors.LearnedMixture,
            {"means": normal(3, 2), "logvars": 0.1 * normal(3, 2, seed=1)},
        ),
        "models.learned_priors.LearnedMixture.components": lambda: (
            learned_mixture().components, {}
        ),
        "models.learned_priors.LearnedMixture.sample": lambda: (
            learned_mixture().sample, draw() | {"labels": None}
        ),
        "models.learned_priors.VampPrior": lambda: (
            learned_priors.VampPrior,
            {
                "encoder": networks.MLPEncoder(4, (5,), (1, 4, 4)), "latent_dim": 2,
                "pseudo_inputs": grey(3, 1, 4, 4),
            },
        ),
        "models.learned_priors.VampPrior.components": lambda: (vamp().components, {}),
        "models.learned_priors.VampPrior.sample": lambda: (
            vamp().sample, draw() | {"labels": None}
        ),
        "models.learned_priors.VampPrior.pseudo_inputs": lambda: (
            partial(_property, vamp(), "pseudo_inputs"), {}
        ),
        "models.learned_priors.Flow": lambda: (
            learned_priors.Flow, {"latent_dim": 2, "transforms": 1, "hidden": (4,)}
        ),
        "models.learned_priors.Flow.log_prob": lambda: (
            flow().log_prob, {"z": normal(4, 2), "labels": None}
        ),
        "models.learned_priors.Flow.sample": lambda: (flow().sample, draw() | {"labels": None}),
        "models.learned_priors.fit_to_codes": lambda: (
            learned_priors.fit_to_codes,
            {
                "prior": learned_mixture(), "mu": normal(8, 2),
                "logvar": 0.1 * normal(8, 2, seed=1), "epochs": 1, "batch_size": 4,
                "learning_rate": 0.01, "generator": generator(),
            },
        ),
        "models.priors.GaussianPrior.log_prob": lambda: (
            gaussian_priors()["FullNormal"]().log_prob, {"z": normal(4, 2), "labels": None}
        ),
        "models.priors.GaussianPrior.sample": lambda: (
            gaussian_priors()["FullNormal"]().sample, draw() | {"labels": None}
        ),
    }  # fmt: skip
    for name, make in gaussian_priors().items():
        path = f"models.priors.{name}"
        calls |= {
            f"{path}.color": lambda make=make: (make().color, {"noise": normal(4, 2)}),
            f"{path}.whiten": lambda make=make: (make().whiten, {"z": normal(4, 2)}),
            f"{path}.kl": lambda make=make: (make().kl, q() | {"labels": None}),
        }
    return calls


def _models() -> dict[str, Callable[[], Call]]:
    nets = lambda outputs: {  # noqa: E731
        "encoder": network("encoder", 0, outputs, 4), "decoder": network("decoder", 2, 0, 4),
        "latent_dim": 2, "likelihood": models.Bernoulli(),
    }  # fmt: skip
    codes = lambda: models.Codes(normal(4, 2), normal(4, 2, seed=1), classes(4))  # noqa: E731
    calls: dict[str, Callable[[], Call]] = {
        "models.latent.VAE": lambda: (
            models.VAE, nets(4) | {"prior": priors.StandardNormal(2), "n_classes": 0}
        ),
        "models.latent.Autoencoder": lambda: (models.Autoencoder, nets(2)),
        "models.latent.Classifier": lambda: (
            models.Classifier,
            {"features": network("encoder", 0, 3, 4), "n_features": 3, "n_classes": 2},
        ),
        "models.latent.Classifier.forward": lambda: (
            classifier(), {"images": grey(3, 1, 4, 4)}
        ),
        "models.latent.Classifier.codes": lambda: (
            classifier().codes, {"images": grey(3, 1, 4, 4)}
        ),
        "models.latent.Codes.__getitem__": lambda: (
            codes().__getitem__, {"index": torch.tensor([0, 2])}
        ),
        "models.latent.Codes.sample": lambda: (codes().sample, {"generator": generator()}),
        "models.latent.VAE.reparameterize": lambda: (
            models.VAE.reparameterize,
            {"mu": normal(3, 2), "logvar": normal(3, 2, seed=1), "generator": generator()},
        ),
        "models.latent.evaluating": lambda: (_evaluated, {"model": nn.Dropout(0.5)}),
    }  # fmt: skip
    for kind, make in (("VAE", lambda: vae(told=2)), ("Autoencoder", autoencoder)):
        told = kind == "VAE"
        z = lambda told=told: {  # noqa: E731
            "z": normal(3, 2), "labels": classes(3) if told else None
        }  # fmt: skip
        path = f"models.latent.{kind}"
        calls |= {
            f"{path}.encode": lambda make=make: (make().encode, {"images": grey(3, 1, 4, 4)}),
            f"{path}.codes": lambda make=make: (make().codes, {"images": image_set()}),
            f"{path}.outputs": lambda make=make, z=z: (make().outputs, z()),
            f"{path}.decode": lambda make=make, z=z: (make().decode, z()),
            f"{path}.sample": lambda make=make, z=z: (
                make().sample, z() | {"generator": generator()}
            ),
            f"{path}.log_prob": lambda make=make, z=z: (
                make().log_prob, z() | {"images": grey(3, 1, 4, 4)}
            ),
        }  # fmt: skip
    for kind, make in (("VAE", vae), ("Autoencoder", autoencoder)):
        calls[f"models.latent.{kind}.target"] = lambda make=make: (
            partial(_targeted, make()),
            {
                "z": normal(3, 2), "image": grey(1, 4, 4),
                "mask": torch.tensor([[True], [True], [False], [True]]).expand(4, 4).clone(),
            },
        )  # fmt: skip
    del calls["models.latent.Autoencoder.outputs"]  # a method of the base that both have
    return calls | {
        "models.latent.Autoencoder.outputs": lambda: (
            autoencoder().outputs, {"z": normal(3, 2), "labels": None}
        )
    }  # fmt: skip


def _targeted(model: models.VAE, z: Tensor, image: Tensor, mask: Tensor | None) -> Tensor:
    return model.target(image, mask)(z)


def _evaluated(model: nn.Module) -> bool:
    with models.evaluating(model):
        return model.training


def _on_simplex(y: Tensor) -> Tensor:
    return (y.square() * torch.arange(1, y.shape[-1] + 1).to(y)).sum(-1)


def categorical() -> discrete.CategoricalVAE:
    nets = network("encoder", 0, 3, 4), network("decoder", 3, 0, 4)
    return discrete.CategoricalVAE(*nets, 3, models.Bernoulli())


def vq() -> discrete.VQVAE:
    nets = network("encoder", 0, 4, 4), network("decoder", 4, 0, 4)
    return discrete.VQVAE(*nets, normal(3, 2, seed=2), 2, models.Bernoulli())


def _discrete() -> dict[str, Callable[[], Call]]:
    drawn = lambda: {  # noqa: E731
        "logits": normal(3, 4), "f": _on_simplex, "generator": generator()
    }  # fmt: skip
    table = lambda: {"logits": normal(3, 4), "values": normal(3, 4, seed=1)}  # noqa: E731
    codes = lambda: {"z": normal(5, 2), "vectors": normal(3, 2, seed=1)}  # noqa: E731
    images = lambda: {"images": grey(3, 1, 4, 4)}  # noqa: E731
    calls: dict[str, Callable[[], Call]] = {
        "models.gradients.exact": lambda: (
            gradients.exact, drawn()
        ),
        "models.gradients.score_function": lambda: (
            gradients.score_function, drawn() | {"draws": 2, "baseline": 0.5}
        ),
        "models.gradients.leave_one_out": lambda: (
            gradients.leave_one_out, drawn() | {"draws": 3}
        ),
        "models.gradients.straight_through": lambda: (gradients.straight_through, drawn()),
        "models.gradients.gumbel_softmax": lambda: (
            gradients.gumbel_softmax, drawn() | {"temperature": 0.5, "hard": False}
        ),
        "models.gradients.rebar": lambda: (
            gradients.rebar, drawn() | {"temperature": 0.5, "weight": 1.0}
        ),
        "models.gradients.score_function_moments": lambda: (
            gradients.score_function_moments, table() | {"baseline": 0.5}
        ),
        "models.gradients.leave_one_out_moments": lambda: (
            gradients.leave_one_out_moments, table() | {"draws": 3}
        ),
        "models.gradients.straight_through_moments": lambda: (
            gradients.straight_through_moments,
            {"logits": normal(3, 4), "slopes": normal(3, 4, 4, seed=1)},
        ),
        "models.codebooks.nearest": lambda: (codebooks.nearest, codes()),
        "models.codebooks.lloyd": lambda: (codebooks.lloyd, codes()),
        "models.codebooks.perplexity": lambda: (codebooks.perplexity, {"counts": grey(2, 3) + 1}),
        "models.codebooks.ema_update": lambda: (
            codebooks.ema_update,
            codes() | {"counts": torch.ones(3), "decay": 0.9},
        ),
        "models.codebooks.restart": lambda: (
            codebooks.restart,
            codes() | {"used": torch.tensor([True, False, True]), "generator": generator()},
        ),
        "models.discrete.CategoricalVAE": lambda: (
            discrete.CategoricalVAE,
            {
                "encoder": network("encoder", 0, 3, 4), "decoder": network("decoder", 3, 0, 4),
                "n_categories": 3, "likelihood": models.Bernoulli(),
            },
        ),
        "models.discrete.VQVAE": lambda: (
            discrete.VQVAE,
            {
                "encoder": network("encoder", 0, 4, 4), "decoder": network("decoder", 4, 0, 4),
                "codebook": normal(3, 2), "n_places": 2, "likelihood": models.Bernoulli(),
            },
        ),
        "models.discrete.VQVAE.embed": lambda: (
            vq().embed, {"indices": torch.tensor([[0, 1], [2, 0]])}
        ),
        "models.discrete.VQVAE.nearest": lambda: (vq().nearest, {"z": normal(3, 4)}),
        "models.discrete.VQVAE.indices": lambda: (vq().indices, images()),
        "models.discrete.VQVAE.quantized": lambda: (vq().quantized, images()),
        "models.discrete.CategoricalVAE.values": lambda: (categorical().values, images()),
        "models.discrete.CategoricalVAE.elbo": lambda: (categorical().elbo, images()),
        "models.discrete.CategoricalVAE.log_evidence": lambda: (
            categorical().log_evidence, images()
        ),
    }  # fmt: skip
    for kind, make, width in (("CategoricalVAE", categorical, 3), ("VQVAE", vq, 4)):
        path = f"models.discrete.{kind}"
        z = lambda width=width: {"z": normal(3, width), "labels": None}  # noqa: E731
        calls |= {
            f"{path}.encode": lambda make=make: (make().encode, images()),
            f"{path}.codes": lambda make=make: (make().codes, {"images": image_set()}),
            f"{path}.outputs": lambda make=make, z=z: (make().outputs, z()),
            f"{path}.decode": lambda make=make, z=z: (make().decode, z()),
            f"{path}.sample": lambda make=make, z=z: (
                make().sample, z() | {"generator": generator()}
            ),
            f"{path}.log_prob": lambda make=make, z=z: (make().log_prob, z() | images()),
            f"{path}.target": lambda make=make, z=z, width=width: (
                partial(_targeted, make()),
                {
                    "z": normal(3, width), "image": grey(1, 4, 4),
                    "mask": torch.tensor([[True], [True], [False], [True]]).expand(4, 4).clone(),
                },
            ),
        }  # fmt: skip
    return calls


def _objectives() -> dict[str, Callable[[], Call]]:
    q = lambda: {"mu": normal(4, 2), "logvar": 0.1 * normal(4, 2, seed=1)}  # noqa: E731
    more = lambda: {  # noqa: E731
        "batch": image_set(), "generator": generator(), "progress": 0.5
    }  # fmt: skip
    return {
        "objectives.kl_divergence": lambda: (objectives.kl_divergence, q()),
        "objectives.kl_per_latent": lambda: (objectives.kl_per_latent, q()),
        "objectives.gaussian_kl": lambda: (
            objectives.gaussian_kl,
            {
                "mu_q": normal(3, 2), "cov_q": covariance().expand(3, 2, 2).clone(),
                "mu_p": normal(3, 2, seed=1), "cov_p": torch.eye(2).expand(3, 2, 2).clone(),
            },
        ),
        "objectives.negative_elbo": lambda: (
            objectives.negative_elbo, more() | {"model": vae(), "beta": 1.0}
        ),
        "objectives.categorical_elbo": lambda: (
            objectives.categorical_elbo,
            more() | {"model": categorical(), "estimate": gradients.leave_one_out},
        ),
        "objectives.quantized": lambda: (
            objectives.quantized, more() | {"model": vq(), "commitment": 0.5}
        ),
        "objectives.beta_tc": lambda: (
            objectives.beta_tc, more() | {"model": vae(), "n_images": 50, "beta": 3.0}
        ),
        "objectives.dip": lambda: (
            objectives.dip, more() | {"model": vae(), "off_diagonal": 5.0, "diagonal": 2.0}
        ),
        "objectives.info_vae": lambda: (
            objectives.info_vae, more() | {"model": vae(), "scale": 50.0, "alpha": 0.5}
        ),
        "objectives.reconstruction_only": lambda: (
            objectives.reconstruction_only, more() | {"model": autoencoder()}
        ),
        "objectives.cross_entropy": lambda: (
            objectives.cross_entropy, more() | {"model": classifier()}
        ),
    }  # fmt: skip


def _training() -> dict[str, Callable[[], Call]]:
    return {
        "training.one_cycle": lambda: (training.one_cycle, {"progress": 0.5}),
        "training.fit": lambda: (
            training.fit,
            {
                "model": vae(), "objective": objectives.negative_elbo, "train": image_set(12),
                "validation": image_set(6), "epochs": 1, "batch_size": 6, "learning_rate": 1e-3,
                "schedule": training.one_cycle, "patience": 1, "transform": datasets.binarize,
                "seed": 0, "device": None, "workers": 0, "checkpoint": None,
                "observers": (training.Recorder(lambda model: 0.0, [1]),), "progress": False,
            },
        ),
        "training.Recorder": lambda: (
            training.Recorder, {"measure": lambda model: 0.0, "steps": [0, 1]}
        ),
    }  # fmt: skip


def _latent() -> dict[str, Callable[[], Call]]:
    codes = lambda n=6, d=2: {  # noqa: E731
        "mu": normal(n, d), "logvar": 0.1 * normal(n, d, seed=1)
    }  # fmt: skip
    loop = lambda: {  # noqa: E731
        "start": normal(3, 2), "n_steps": 6, "thin": 2, "generator": generator(),
        "progress": False,
    }  # fmt: skip
    warm = lambda: {"step": 0.5, "warmup": 4, "target_acceptance": 0.4}  # noqa: E731
    prior = lambda: gaussian_priors()["FullNormal"]()  # noqa: E731
    ends = lambda: {"a": normal(3), "b": normal(3, seed=1), "n": 4}  # noqa: E731
    placed = lambda: {"start": normal(3, 2), "gen": generator()}  # noqa: E731
    hull = lambda: shapes.convex_hull(normal(12, 2))  # noqa: E731
    alignment = lambda: shapes.align(normal(12, 2), normal(12, 2, seed=1))  # noqa: E731
    noised = lambda: diffusion.NoisedMixture(**codes())  # noqa: E731
    denoiser = lambda: seeded(diffusion.Denoiser, 2, 4, 2)  # noqa: E731
    cloud = lambda: shapes.whiten(normal(12, 2), normal(5, 2, seed=1))  # noqa: E731
    density = {"log_density": bell}
    likelihood = {"log_likelihood": bell}
    return {
        "latent.mixtures.class_moments": lambda: (
            mixtures.class_moments,
            codes() | {"labels": classes(6), "classes": torch.tensor([0, 1])},
        ),
        "latent.mixtures.covariance_parts": lambda: (
            mixtures.covariance_parts,
            codes() | {"labels": classes(6), "classes": torch.tensor([0, 1])},
        ),
        "latent.mixtures.log_density": lambda: (
            mixtures.log_density, codes() | {"z": normal(4, 2, seed=2)}
        ),
        "latent.mixtures.log_posterior": lambda: (
            mixtures.log_posterior, codes() | {"z": normal(4, 2, seed=2), "labels": classes(6)}
        ),
        "latent.mixtures.mixture_kl": lambda: (
            mixtures.mixture_kl,
            {
                "mu_p": normal(5, 2), "logvar_p": 0.1 * normal(5, 2, seed=1),
                "mu_q": normal(4, 2, seed=2), "logvar_q": 0.1 * normal(4, 2, seed=3),
                "n_samples": 20, "generator": generator(),
            },
        ),
        "latent.mixtures.aggregate_information": lambda: (
            mixtures.aggregate_information,
            codes() | {"prior": prior(), "n_samples": 20, "generator": generator()},
        ),
        "latent.mixtures.surgery": lambda: (
            mixtures.surgery, codes() | {"prior": prior(), "step": 0.2}
        ),
        "latent.mixtures.bhattacharyya": lambda: (
            mixtures.bhattacharyya,
            {"means": normal(3, 2), "covariances": covariance().expand(3, 2, 2).clone()},
        ),
        "latent.diffusion.Field": lambda: (
            diffusion.Field, {"function": lambda z, t: z, "process": diffusion.Process()}
        ),
        "latent.diffusion.Field.__call__": lambda: (
            diffusion.Field(lambda z, t: z), {"z": normal(4, 2), "t": 0.5}
        ),
        "latent.diffusion.Process": lambda: (diffusion.Process, {"first": 5.0, "last": -4.0}),
        **{
            f"latent.diffusion.Process.{name}": partial(
                lambda name: (getattr(diffusion.Process(), name), {"t": grey(3)}), name
            )
            for name in ("log_snr", "alpha", "sigma")
        },
        "latent.diffusion.Process.noised": lambda: (
            diffusion.Process().noised,
            {"z": normal(4, 2), "t": grey(4), "noise": normal(4, 2, seed=1)},
        ),
        "latent.diffusion.NoisedMixture": lambda: (
            diffusion.NoisedMixture,
            codes() | {
                "weights": torch.full((6,), 1 / 6), "axes": torch.eye(2).expand(6, 2, 2).clone(),
                "process": diffusion.Process(),
            },
        ),
        "latent.diffusion.NoisedMixture.of_covariances": lambda: (
            diffusion.NoisedMixture.of_covariances,
            {
                "mu": normal(3, 2), "covariances": covariance().expand(3, 2, 2).clone(),
                "weights": torch.full((3,), 1 / 3), "process": diffusion.Process(),
            },
        ),
        **{
            f"latent.diffusion.NoisedMixture.{name}": partial(
                lambda name: (getattr(noised(), name), {"z": normal(4, 2), "t": grey(4)}), name
            )
            for name in ("forward", "score", "log_density")
        },
        "latent.diffusion.Denoiser": lambda: (
            diffusion.Denoiser,
            {"latent_dim": 2, "width": 4, "n_classes": 2, "process": diffusion.Process()},
        ),
        "latent.diffusion.Denoiser.forward": lambda: (
            denoiser().forward, {"z": normal(4, 2), "t": grey(4), "labels": classes(4)}
        ),
        "latent.diffusion.Denoiser.given": lambda: (denoiser().given, {"labels": classes(4)}),
        "latent.diffusion.denoising_loss": lambda: (
            diffusion.denoising_loss,
            {"field": noised(), "z": normal(4, 2), "generator": generator()},
        ),
        "latent.diffusion.fit": lambda: (
            diffusion.fit,
            {"denoiser": denoiser()} | codes() | {
                "labels": classes(6), "n_steps": 20, "batch_size": 4, "learning_rate": 1e-3,
                "drop": 0.2, "generator": generator(),
            },
        ),
        "latent.diffusion.sample_sde": lambda: (
            diffusion.sample_sde,
            {"field": noised(), "z": normal(4, 2), "n_steps": 3, "generator": generator()},
        ),
        "latent.diffusion.sample_ode": lambda: (
            diffusion.sample_ode,
            {"field": noised(), "z": normal(4, 2), "n_steps": 3},
        ),
        "latent.diffusion.log_density_ode": lambda: (
            diffusion.log_density_ode,
            {"field": noised(), "z": normal(4, 2), "n_steps": 3},
        ),
        "latent.diffusion.guided": lambda: (
            diffusion.guided,
            {"with_class": noised(), "without": noised(), "weight": 1.5},
        ),
        "latent.diffusion.bound": lambda: (
            diffusion.bound,
            {
                "field": noised(), "z": normal(4, 2), "n_steps": 3, "continuous": True,
                "generator": generator(),
            },
        ),
        "latent.paths.line": lambda: (paths.line, ends()),
        "latent.paths.slerp": lambda: (paths.slerp, ends()),
        "latent.paths.arc": lambda: (
            paths.arc,
            {
                "centre": normal(3), "plane": (0, 2), "radius": 1.0, "start": 0.0, "stop": 1.0,
                "n": 4,
            },
        ),
        "latent.paths.interpolate": lambda: (
            paths.interpolate,
            {
                "corners": normal(3, 2), "weights": torch.tensor([[0.2, 0.3, 0.5]]),
                "spherical": True,
            },
        ),
        "latent.paths.bilinear_weights": lambda: (
            paths.bilinear_weights, {"rows": 2, "columns": 3}
        ),
        "latent.paths.quantile_grid": lambda: (paths.quantile_grid, {"n": 3}),
        "latent.paths.resample": lambda: (paths.resample, {"polyline": normal(4, 2), "n": 5}),
        "latent.paths.shortest_tour": lambda: (paths.shortest_tour, {"distances": distances(4)}),
        "latent.shapes.align": lambda: (
            shapes.align, {"codes": normal(12, 2), "factors": normal(12, 2, seed=1)}
        ),
        "latent.shapes.Alignment.forward": lambda: (
            alignment().forward, {"codes": normal(5, 2)}
        ),
        "latent.shapes.Alignment.back": lambda: (alignment().back, {"points": normal(5, 2)}),
        "latent.shapes.whiten": lambda: (
            shapes.whiten, {"codes": normal(12, 2), "others": normal(5, 2, seed=1)}
        ),
        "latent.shapes.Cloud.forward": lambda: (cloud().forward, {"codes": normal(5, 2)}),
        "latent.shapes.Cloud.back": lambda: (cloud().back, {"points": normal(5, 2)}),
        "latent.shapes.Cloud.distance": lambda: (cloud().distance, {"points": normal(5, 2)}),
        "latent.shapes.Cloud.spacing": lambda: (cloud().spacing, {}),
        "latent.shapes.convex_hull": lambda: (shapes.convex_hull, {"points": normal(12, 2)}),
        "latent.shapes.Hull.depth": lambda: (hull().depth, {"points": normal(5, 2)}),
        "latent.shapes.bounding_plane": lambda: (
            shapes.bounding_plane,
            {"points": normal(12, 3), "axis": 2, "along": (0, 1), "above": True},
        ),
        "latent.shapes.Plane.gap": lambda: (
            shapes.bounding_plane(normal(12, 2), 1, (0,)).gap, {"points": normal(5, 2)}
        ),
        "latent.shapes.binned_spline": lambda: (
            shapes.binned_spline, {"points": normal(40, 2), "axis": 0, "n_bins": 3, "n": 5}
        ),
        "latent.dense.dense_paths": lambda: (
            dense.dense_paths,
            density | {
                "codes": normal(12, 2), "terminals": normal(2, 2, seed=1), "exponent": 0.5,
                "n_neighbors": 5, "n_points": 4, "n_steps": 2,
            },
        ),
        "latent.geometry.metric": lambda: (
            geometry.metric, {"decode": vae().decode, "z": normal(4, 2)}
        ),
        "latent.geometry.volume": lambda: (
            geometry.volume, {"decode": vae().decode, "z": normal(4, 2)}
        ),
        "latent.geometry.energy": lambda: (
            geometry.energy, {"decode": vae().decode, "paths": normal(3, 4, 2)}
        ),
        "latent.geometry.length": lambda: (
            geometry.length, {"decode": vae().decode, "paths": normal(3, 4, 2), "pieces": 2}
        ),
        "latent.geometry.geodesic": lambda: (
            geometry.geodesic,
            {
                "decode": vae().decode, "start": normal(2, 2), "end": normal(2, 2, seed=1),
                "n_points": 4, "initial": None, "n_steps": 3, "tolerance": 1e-3,
            },
        ),
        "latent.smooth.smooth_paths": lambda: (
            smooth.smooth_paths,
            {
                "decode": vae().decode, "start": normal(2, 2), "end": normal(2, 2, seed=1),
                "n_points": 4,
            },
        ),
        "latent.geometry.exp": lambda: (
            geometry.exp, {"decode": torus, "z": normal(3, 2), "v": normal(3, 2), "n_steps": 20}
        ),
        "latent.geometry.log": lambda: (
            geometry.log,
            {"decode": torus, "z": normal(3, 2), "w": normal(3, 2, seed=1), "n_steps": 20},
        ),
        "latent.geometry.transport": lambda: (
            geometry.transport,
            {"decode": vae().decode, "paths": normal(3, 4, 2), "v": normal(3, 2, seed=1)},
        ),
        "latent.geometry.curvature": lambda: (
            geometry.curvature,
            {
                "decode": torus, "z": normal(3, 2), "u": normal(3, 2),
                "v": normal(3, 2, seed=1),
            },
        ),
        "latent.samplers.aggregate_posterior": lambda: (
            samplers.aggregate_posterior, codes() | {"n": 4, "generator": generator()}
        ),
        "latent.samplers.run": lambda: (
            samplers.run, loop() | {"kernel": samplers.random_walk_kernel(bell, 0.5)}
        ),
        "latent.samplers.pcn": lambda: (
            samplers.pcn, loop() | warm() | likelihood | {"prior": prior()}
        ),
        "latent.samplers.random_walk": lambda: (
            samplers.random_walk, loop() | warm() | density
        ),
        "latent.samplers.mala": lambda: (samplers.mala, loop() | warm() | density),
        "latent.samplers.elliptical_slice": lambda: (
            samplers.elliptical_slice, loop() | likelihood | {"prior": prior()}
        ),
        "latent.samplers.pcn_kernel": lambda: (
            partial(_stepped, samplers.pcn_kernel),
            placed() | likelihood | {"step": 0.5, "prior": prior()},
        ),
        "latent.samplers.random_walk_kernel": lambda: (
            partial(_stepped, samplers.random_walk_kernel), placed() | density | {"step": 0.5}
        ),
        "latent.samplers.mala_kernel": lambda: (
            partial(_stepped, samplers.mala_kernel), placed() | density | {"step": 0.5}
        ),
        "latent.samplers.elliptical_slice_kernel": lambda: (
            partial(_stepped, samplers.elliptical_slice_kernel),
            placed() | likelihood | {"prior": prior()},
        ),
        "latent.samplers.Kernel.step": lambda: (
            (kernel := samplers.random_walk_kernel(bell, 0.5)).step,
            {"state": kernel.init(normal(3, 2)), "generator": generator()},
        ),
        "latent.samplers.Chain.__getitem__": lambda: (
            chain().__getitem__, {"rows": slice(2, None)}
        ),
        "latent.samplers.Chain.accepted": lambda: (partial(_property, chain(), "accepted"), {}),
        "latent.samplers.Chain.acceptance_rate": lambda: (
            partial(_property, chain(), "acceptance_rate"), {}
        ),
        "latent.samplers.Chain.to_arviz": lambda: (chain().to_arviz, {}),
        "latent.samplers.Chain.rhat": lambda: (chain().rhat, {}),
        "latent.samplers.Chain.ess": lambda: (chain().ess, {}),
    }  # fmt: skip


def _stepped(
    kernel: Callable[..., samplers.Kernel], start: Tensor, gen: Generator, **arguments: Any
) -> tuple[samplers.State, samplers.Info]:
    made = kernel(**arguments)
    return made.step(made.init(start), gen)


def _measures() -> dict[str, Callable[[], Call]]:
    both = lambda *shape: {"a": normal(*shape), "b": normal(*shape, seed=1)}  # noqa: E731
    images = lambda: {"images": image_set()}  # noqa: E731
    scored = lambda: {  # noqa: E731
        "codes": factors() + 0.1 * normal(40, 2), "factors": factors()
    }  # fmt: skip
    one = lambda: {  # noqa: E731
        "var_x": 0.5 + grey(3), "var_y": 0.5 + grey(3, seed=1), "corr": 0.5 * grey(3, seed=2)
    }  # fmt: skip
    return {
        "measures.agreement.compare": lambda: (
            agreement.compare, both(8, 2) | {"n_neighbors": 2, "generator": generator()}
        ),
        "measures.agreement.frechet_distance": lambda: (agreement.frechet_distance, both(5, 2)),
        "measures.agreement.mantel": lambda: (
            agreement.mantel,
            {
                "a": distances(5), "b": distances(5) ** 2, "n_permutations": 9,
                "generator": generator(),
            },
        ),
        "measures.agreement.match_dimensions": lambda: (agreement.match_dimensions, both(6, 2)),
        "measures.agreement.shape_distance": lambda: (
            agreement.shape_distance,
            {"images": grey(2, 1, 5, 5), "others": grey(2, 1, 5, 5, seed=1)},
        ),
        "measures.agreement.two_sample_test": lambda: (
            agreement.two_sample_test,
            both(5, 2) | {"n_permutations": 9, "generator": generator()},
        ),
        "measures.bounds.elbo": lambda: (
            bounds.elbo, images() | {"model": vae(), "n_samples": 2, "generator": generator()}
        ),
        "measures.bounds.log_evidence": lambda: (
            bounds.log_evidence,
            images() | {
                "model": vae(), "n_samples": 3, "generator": generator(), "progress": False
            },
        ),
        "measures.bounds.log_evidence_grid": lambda: (
            bounds.log_evidence_grid, images() | {"model": vae(), "size": 25, "extent": 5.0}
        ),
        "measures.bounds.reconstruction_errors": lambda: (
            bounds.reconstruction_errors, images() | {"model": vae(told=2)}
        ),
        "measures.bounds.kl_parts": lambda: (
            bounds.kl_parts,
            {"mu": normal(5, 2), "logvar": normal(5, 2, seed=1), "n_samples": 3,
             "generator": generator()},
        ),
        "measures.bounds.active_units": lambda: (
            bounds.active_units, {"mu": normal(5, 2), "threshold": 0.01}
        ),
        "measures.disentanglement.scores": lambda: (
            disentanglement.scores, scored() | {"generator": generator()}
        ),
        "measures.disentanglement.mutual_information": lambda: (
            disentanglement.mutual_information, scored() | {"n_bins": 5}
        ),
        "measures.disentanglement.mutual_information_gap": lambda: (
            disentanglement.mutual_information_gap, scored() | {"n_bins": 5}
        ),
        "measures.disentanglement.sap": lambda: (disentanglement.sap, scored()),
        "measures.disentanglement.dci": lambda: (
            disentanglement.dci, scored() | {"n_trees": 2, "generator": generator()}
        ),
        "measures.heatmaps.fit_heatmaps": lambda: (
            heatmaps.fit_heatmaps, {"images": datasets.heatmap_images(**one())}
        ),
        "measures.heatmaps.HeatmapFit.valid": lambda: (
            partial(_property, heatmaps.fit_heatmaps(datasets.heatmap_images(**one())), "valid"
            ),
            {},
        ),
        "measures.heatmaps.heatmap_metric": lambda: (heatmaps.heatmap_metric, one()),
        "measures.cone.cone_sector": lambda: (
            cone.cone_sector, {"start": grey(4, 3) + 0.1, "end": grey(4, 3) / 2 + 0.1}
        ),
        "measures.cone.places": lambda: (cone.places, {"factors": grey(4, 3) / 2 + 0.1}),
        "measures.cone.cone_path": lambda: (
            cone.cone_path,
            {"start": grey(4, 3) / 2 + 0.1, "end": grey(4, 3) / 3 + 0.1, "n_points": 4},
        ),
    }  # fmt: skip


def _recipes() -> dict[str, Callable[[], Call]]:
    return {
        "recipes.recipe.Recipe": lambda: (
            recipes.Recipe,
            {
                "name": "tiny", "data": recipe().data, "model": vae,
                "objective": objectives.negative_elbo, "epochs": 1, "patience": None,
                "learning_rate": 2e-3, "schedule": training.one_cycle, "batch_size": 12,
                "transform": None, "seed": 0, "keep_last": False, "snapshots": (1,),
                "measure": measure.bernoulli_vae, "n_samples": 0, "n_codes": 10,
                "keep_steps": True, "summary": "", "part": "", "tags": {},
            },
        ),
        "recipes.recipe.Recipe.sets": lambda: (recipe().sets, {}),
        "recipes.recipe.Recipe.start": lambda: (recipe().start, {}),
        "recipes.registry.available": lambda: (recipes.available, {}),
        "recipes.registry.trainable": lambda: (recipes.trainable, {}),
        "recipes.registry.get": lambda: (recipes.get, {"recipe": "mnist-mlp-2d"}),
        "recipes.registry.is_shipped": lambda: (recipes.is_shipped, {"name": "mnist-mlp-2d"}),
        "recipes.run.train": lambda: (
            recipes.train,
            {
                "recipe": recipe(), "directory": tempfile.mkdtemp(prefix="vaebook-tests-"),
                "n_samples": 0, "progress": False,
            },
        ),
        "recipes.run.evaluate": lambda: (
            recipes.evaluate,
            {"recipe": recipe(), "model": vae(), "n_samples": 0, "progress": False},
        ),
        "recipes.weights.load": lambda: (
            recipes.load, {"recipe": recipe(), "directory": trained_folder()}
        ),
        "recipes.weights.save": lambda: (
            recipes.save,
            {
                "trained": recipes.Trained(
                    vae(), training.History(), {}, models.Codes(normal(4, 2))
                ),
                "path": Path(tempfile.mkdtemp(prefix="vaebook-tests-")) / "mine.safetensors",
            },
        ),
        "recipes.weights.is_trained": lambda: (
            recipes.is_trained, {"recipe": recipe(), "directory": trained_folder()}
        ),
    }  # fmt: skip


def _experiments() -> dict[str, Callable[[], Call]]:
    def row(x: str) -> dict[str, str]:
        return {"twice": 2 * x}

    def experiment() -> tables.Experiment:
        return tables.Experiment("twice", row, {"x": ["a", "b"]})

    def folder() -> Path:
        return Path(tempfile.mkdtemp(prefix="vaebook-tests-"))

    def study() -> Path:
        path = folder() / "squares.py"
        text = "from vaebook.tables import Experiment\nx = Experiment('x', dict, {'n': [1]})\n"
        path.write_text(text, encoding="utf-8")
        return path

    def table() -> tables.Table:
        return tables.run(experiment(), folder(), progress=False)

    def claim() -> claims.Claim:
        part = claims.Part("x", "vae", None, {"kind": "vae"}, "at_least", 0.5, "half")
        return claims.Claim("1", "one", "X is large.", "x", "toy", (part,))

    def seeds() -> tables.Table:
        rows = [{"kind": "vae", "seed": seed, "x": 1.0} for seed in range(12)]
        return tables.Table("toy", {}, rows)

    def claims_file() -> Path:
        path = folder() / "claims.toml"
        path.write_bytes((tables.FOLDER / "claims.toml").read_bytes())
        return path

    def file() -> Path:
        into = folder()
        tables.run(experiment(), into, progress=False)
        return into / "twice.jsonl"

    return {
        "jobs.each": lambda: (
            jobs.each, {"function": row, "points": [{"x": "a"}], "n_jobs": 1, "scheduler": None}
        ),
        "tables.pictures.pack_images": lambda: (
            tables.pack_images, {"images": torch.zeros(2, 1, 3, 4)}
        ),
        "tables.pictures.unpack_images": lambda: (
            tables.unpack_images, {"packed": tables.pack_images(torch.zeros(2, 1, 3, 4))}
        ),
        "tables.claims.sign_test": lambda: (claims.sign_test, {"holds": 11, "n": 12}),
        "tables.claims.detectable": lambda: (
            claims.detectable, {"n": 12, "tests": 3, "alpha": 0.05, "power": 0.8}
        ),
        "tables.claims.decided": lambda: (claims.decided, {"family": "manifold"}),
        "tables.claims.register": lambda: (claims.register, {"path": claims_file()}),
        "tables.claims.decide": lambda: (
            claims.decide, {"claims": [claim()], "found": {"toy": seeds()}, "alpha": 0.05}
        ),
        "tables.claims.Claim.readings": lambda: (claim().readings, {}),
        "tables.claims.Part.values": lambda: (claim().parts[0].values, {"table": seeds()}),
        "tables.table.available": lambda: (tables.available, {}),
        "tables.table.load": lambda: (tables.load, {"name": "collapse"}),
        "tables.table.read": lambda: (tables.read, {"path": file()}),
        "tables.table.rounded": lambda: (tables.rounded, {"row": {"error": 0.1234567}}),
        "tables.table.Table.where": lambda: (table().where, {"x": "a"}),
        "tables.experiment.Experiment": lambda: (
            tables.Experiment,
            {
                "name": "twice",
                "row": row,
                "grid": {"x": ["a", "b"]},
                "uses": lambda x: [x],
                "about": {"power": 2},
                "summarize": None,
            },
        ),
        "tables.experiment.Experiment.points": lambda: (experiment().points, {}),
        "tables.experiment.Experiment.fingerprint": lambda: (experiment().fingerprint, {"x": "a"}),
        "tables.experiment.from_file": lambda: (tables.from_file, {"path": study()}),
        "tables.experiment.run": lambda: (
            tables.run,
            {
                "experiment": experiment(),
                "into": folder(),
                "n_jobs": 1,
                "scheduler": None,
                "progress": False,
            },
        ),
    }  # fmt: skip


def _figures() -> dict[str, Callable[[], Call]]:
    titled = {"alt": "Points.", "title": "Title"}
    axes = {"x_title": "x", "y_title": "y"}
    column = [0.0, 1.0, 2.0]
    return {
        "figures.notes.stand_in_note": lambda: (
            figures.stand_in_note, {"images": datasets.digits()[:3]}
        ),
        "figures.numbers.number": lambda: (
            figures.number, {"value": 0.5, "digits": 2, "sign": False}
        ),
        "figures.numbers.ranged": lambda: (
            figures.ranged, {"value": 1.0, "low": 0.5, "high": 1.5, "digits": 2}
        ),
        "figures.numbers.between": lambda: (
            figures.between, {"low": 0.5, "high": 1.5, "digits": 2}
        ),
        "figures.places.spread_out": lambda: (
            figures.spread_out, {"places": [[0.0, 0.0], [0.1, 0.0]], "least": 0.5}
        ),
        "figures.drawing.Drawing.data_url": lambda: (
            figures.schematics.bottleneck().data_url, {}
        ),
        "figures.drawing.Drawing.save": lambda: (
            figures.schematics.bottleneck().save,
            {"path": Path(tempfile.mkdtemp(prefix="vaebook-tests-")) / "bottleneck.svg"},
        ),
        "figures.schematics.elbo_bars": lambda: (
            figures.schematics.elbo_bars,
            {"reconstruction": -75.0, "kl": 20.0, "log_evidence": -90.0},
        ),
        **{
            f"figures.schematics.{name}": lambda name=name: (
                getattr(figures.schematics, name), {}
            )
            for name in figures.schematics.__all__
            if name != "elbo_bars"
        },
        "figures.tables.table": lambda: (
            figures.table,
            {"rows": [["a", 1, 0.5], ["b", 2, 1.5]], "columns": ["x", "y", "z"], "digits": 2},
        ),
        **{
            f"figures.many.{name}": lambda name=name: (
                getattr(figures, name),
                {
                    "points": normal(6, 3), "labels": torch.tensor([0, 0, 1, 1, 0, 1]),
                    "alt": "Points.", "names": ["a", "b"], "columns": list("xyz"),
                },
            )
            for name in ("class_violins", "pairs", "parallel")
        },
        "figures.many.film": lambda: (
            figures.film,
            {
                "figure": go.Figure(), "frames": [go.Frame(), go.Frame()], "values": [0.0, 0.5],
                "label": "t", "alt": "Nothing.", "aspect": 0.6, "max_width": 300,
            },
        ),
        "figures.plots.scatter": lambda: (
            figures.scatter,
            titled | axes | {
                "points": normal(5, 2), "labels": classes(5), "names": ["a", "b"], "colour": None,
                "colour_title": "", "images": grey(5, 1, 4, 4), "hover": list("abcde"),
                "z_title": "z",
            },
        ),
        "figures.plots.curves": lambda: (
            figures.curves,
            titled | axes | {
                "series": {"rate": (column, column)}, "log_x": False, "log_y": False,
                "markers": True,
            },
        ),
        "figures.plots.film_strip": lambda: (
            figures.film_strip, titled | {"images": grey(2, 1, 4, 4), "labels": ["a", "b"]}
        ),
        "figures.plots.heatmap": lambda: (
            figures.heatmap,
            titled | axes | {
                "values": normal(3, 2), "x": torch.tensor([0.0, 1.0]),
                "y": torch.tensor([0.0, 1.0, 2.0]), "contour": True, "equal": True,
                "colour_title": "",
            },
        ),
        "figures.plots.image_grid": lambda: (
            figures.image_grid,
            titled | {
                "images": grey(3, 1, 4, 4), "columns": 2, "row_labels": ["a", "b"],
                "column_labels": ["c", "d"], "hover": list("abc"), "fold": None,
            },
        ),
        "figures.many.on_phone": lambda: (
            figures.on_phone,
            {
                "figure": make_subplots(1, 2, subplot_titles="ab"), "aspect": 1.0,
                "domains": {"xaxis": [0, 1]}, "titles": {0: [0.5, 1.0]},
            },
        ),
        "figures.many.stacked": lambda: (
            figures.stacked, {"figure": make_subplots(1, 2), "aspect": 0.8}
        ),
        "figures.plots.manifold": lambda: (
            figures.manifold,
            titled | axes | {
                "images": grey(2, 3, 1, 4, 4), "z1": torch.tensor([-1.0, 0.0, 1.0]),
                "z2": torch.tensor([-1.0, 1.0]),
            },
        ),
        "figures.plots.slider": lambda: (
            figures.slider,
            titled | {"images": grey(2, 1, 4, 4), "values": [0.0, 0.5], "label": "t"}
            | {"active": 1},
        ),
        "figures.plots.violins": lambda: (
            figures.violins,
            titled | {
                "samples": {"codes": normal(5, 2)}, "names": ["a", "b"],
                "filled": {"codes": [True, False]}, "polar": False, "y_title": "y",
            },
        ),
        "figures.renderer.describe": lambda: (
            figures.describe,
            {"figure": go.Figure(), "alt": "Nothing.", "aspect": 0.6, "max_width": 300},
        ),
        "figures.renderer.Figure.alt": lambda: (
            lambda: figures.describe(go.Figure(), "Nothing.").alt, {}
        ),
        "figures.renderer.Figure.save": lambda: (
            figures.describe(go.Figure(), "Nothing.").save,
            {"path": Path(tempfile.mkdtemp(prefix="vaebook-tests-")) / "nothing.html"},
        ),
    }  # fmt: skip


def _live() -> dict[str, Callable[[], Call]]:
    told = {"alt": "A figure.", "names": "ab"}
    codes = lambda d=2: {"mu": normal(6, d), "labels": classes(6)}  # noqa: E731
    twin = lambda title: live.Twin(title, vae(3, 36), torch.zeros(3), torch.eye(3))  # noqa: E731
    run = lambda beta: live.BetaRun(beta, vae(), normal(6, 2), 1.0, 2.0)  # noqa: E731
    return {
        "live.pack.pack": lambda: (
            pack, {"module": network("decoder", 2, 0, 4), "shape": [2], "dtype": "int8"}
        ),
        "live.pack.pack_decoder": lambda: (pack_decoder, {"model": vae(), "dtype": "int8"}),
        "live.figures.latent_map": lambda: (
            live.latent_map,
            told | codes() | {
                "model": vae(), "start": [0.0, 1.0], "symbol": "u", "dtype": "int8",
            },
        ),
        "live.figures.pipeline": lambda: (
            live.pipeline,
            told | codes() | {"model": vae(), "images": grey(2, 1, 4, 4), "dtype": "int8"},
        ),
        "live.figures.chains": lambda: (
            live.chains,
            told | codes() | {
                "model": vae(), "image": grey(1, 4, 4), "start": (0.0, 0.0), "step": 0.1,
                "seed": 0, "dtype": "int8",
            },
        ),
        "live.figures.elbo_bench": lambda: (
            live.elbo_bench, {"alt": "A bench.", "x": 1.0, "noise": 0.3, "mu": 0.0, "sigma": 1.0}
        ),
        "live.figures.draw_digit": lambda: (
            live.draw_digit,
            told | codes() | {
                "model": vae(2, 28), "examples": grey(2, 1, 28, 28), "dtype": "int8"
            },
        ),
        "live.figures.draw_prior": lambda: (
            live.draw_prior,
            told | codes() | {
                "model": vamp_vae(), "logvar": 0.1 * normal(6, 2, seed=1),
                "others": {"N(0, I)": priors.StandardNormal(2)},
                "examples": grey(2, 1, 28, 28), "dtype": "int8",
            },
        ),
        "live.figures.half_digit": lambda: (
            live.half_digit,
            {
                "model": vae(), "images": grey(2, 1, 4, 4), "alt": "A half.", "rows": 2,
                "dtype": "int8",
            },
        ),
        "live.figures.shortest_ways": lambda: (
            live.shortest_ways,
            {
                "model": vae(3, 36), "alt": "Ways.", "start": (2.0, 1.0, 0.5, 1.0, 2.0, 0.0),
                "dtype": "int8",
            },
        ),
        "live.figures.twins": lambda: (
            live.twins,
            {
                "pair": [twin("one"), twin("two")], "codes": [normal(6, 3), normal(6, 3, seed=1)],
                "alt": "Twins.", "extent": 3.5, "start": (0.0, 0.0, 0.0), "dtype": "int8",
            },
        ),
        "live.codebook.codebook": lambda: (
            live.codebook,
            told | codes() | {"model": vae(), "vectors": normal(3, 2) / 4, "dtype": "int8"},
        ),
        "live.denoising.denoising": lambda: (
            live.denoising,
            told | codes() | {
                "model": vae(), "denoiser": seeded(diffusion.Denoiser, 2, 4),
                "mixture": diffusion.NoisedMixture(normal(3, 2), torch.zeros(3, 2)),
                "start": (0.5, 0.0, 1.0), "seed": 1, "dtype": "int8",
            },
        ),
        "live.figures.beta_dial": lambda: (
            live.beta_dial,
            told | {
                "runs": [run(1.0), run(4.0)], "labels": classes(6), "images": grey(2, 1, 4, 4),
                "dtype": "int8",
            },
        ),
        "live.refinement.refinement": lambda: (
            live.refinement,
            {"model": vae(), "images": grey(2, 1, 4, 4), "alt": "A climb."},
        ),
        "live.simplex.simplex": lambda: (
            live.simplex,
            {
                "alt": "A triangle.", "temperature": 0.3, "probabilities": (0.5, 0.25, 0.25),
                "seed": 1,
            },
        ),
        "live.figures.tails": lambda: (live.tails, {"alt": "Two.", "start": (2.0, 1.0)}),
        "live.figures.heatmap_panel": lambda: (
            live.heatmap_panel, {"alt": "A panel.", "start": (2.5, 1.0, 0.6)}
        ),
        "live.figures.heatmap_walk": lambda: (
            live.heatmap_walk,
            {
                "walked": twin("one"), "codes": normal(6, 3), "quantity": normal(6),
                "alt": "A walk.", "names": ("x", "y", "z"), "scale": "Colours.",
                "extent": 3.0, "start": (0.0, 0.0, 0.0), "dtype": "int8",
            },
        ),
        "live.figures.trainer": lambda: (
            live.trainer,
            {"train": ImageSet(grey(64, 1, 4, 4), classes(64)), "alt": "A training."},
        ),
        "live.kernel.chains_on_drawing": lambda: (
            live.chains_on_drawing,
            told | codes() | {"model": vae(2, 28), "examples": grey(1, 1, 28, 28)},
        ),
        "live.kernel.evidence_of_drawing": lambda: (
            live.evidence_of_drawing,
            told | codes() | {"model": vae(2, 28), "examples": grey(1, 1, 28, 28)},
        ),
        "live.kernel.embed_again": lambda: (
            live.embed_again,
            {"mu": normal(50, 3), "labels": classes(50, 3), "alt": "Islands.", "names": "012"},
        ),
        "live.retraining.train_anchored": lambda: (
            live.train_anchored,
            {"train": ImageSet(grey(64, 1, 4, 4), classes(64)), "alt": "Anchors."},
        ),
        "live.retraining.train_again": lambda: (
            live.train_again,
            {"train": ImageSet(grey(64, 1, 4, 4), classes(64)), "alt": "Train again."},
        ),
        "live.retraining.train_at_price": lambda: (
            live.train_at_price,
            {
                "train": ImageSet(grey(64, 1, 4, 4)), "known": {1.0: (5.0, 1.0), 9.0: (1.0, 2.0)},
                "noise": 0.1, "alt": "A price.",
            },
        ),
        "live.retraining.train_to_tell": lambda: (
            live.train_to_tell,
            {"train": ImageSet(grey(64, 1, 4, 4), classes(64)), "alt": "Two classes."},
        ),
        "live.retraining.train_with_prior": lambda: (
            live.train_with_prior,
            {"train": ImageSet(grey(64, 1, 4, 4), classes(64)), "alt": "A prior."},
        ),
        "live.handed.train_on_own": lambda: (
            live.train_on_own, {"example": ImageSet(grey(32, 1, 4, 4)), "alt": "My own."}
        ),
        "live.page.Live.save": lambda: (
            live.elbo_bench(alt="A bench.").save,
            {
                "path": Path(tempfile.mkdtemp(prefix="vaebook-tests-")) / "bench.html",
                "title": "A bench", "lang": "en",
            },
        ),
        "live.page.Live.widget": lambda: (lambda: type(live.elbo_bench(alt="A.").widget()), {}),
    }  # fmt: skip


CALLS = _calls()
