"""Models without their weights, as plain JSON: what they are built of, and built again from it.

Only the classes that are listed here are built, and only from numbers and texts.
"""

__all__ = ["build", "structure_of"]

from collections.abc import Callable, Mapping
from dataclasses import asdict
from reprlib import repr as shorten
from typing import Any

import torch
from torch import Tensor, nn

from vaebook import _checks
from vaebook.latent import diffusion
from vaebook.models import learned_priors, likelihoods, priors
from vaebook.models.discrete import VQVAE, CategoricalVAE
from vaebook.models.latent import VAE, Autoencoder, Classifier
from vaebook.models.networks import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder


def structure_of(model: nn.Module) -> dict[str, Any]:
    """Return the classes of a model and of its parts, with the arguments that build them.

    Args:
        model: of this package, with its networks, likelihoods and priors.

    Raises:
        ValueError: when a part is of another class, such as a network of one's own.

    Example:
        >>> structure_of(likelihoods.Gaussian(0.1))
        {'class': 'Gaussian', 'arguments': {'variance': 0.1}}
        >>> structure_of(nn.Linear(2, 3))
        Traceback (most recent call last):
        ...
        ValueError: model must be of vaebook's own networks, likelihoods and priors, got Linear: \
save the weights of your own with safetensors.torch.save_model
    """
    _checks.instance(model, "model", nn.Module)
    kind = type(model)
    if kind not in _ARGUMENTS:
        raise ValueError(
            f"model must be of vaebook's own networks, likelihoods and priors, got "
            f"{kind.__name__}: save the weights of your own with safetensors.torch.save_model"
        )
    try:
        arguments = _ARGUMENTS[kind](model)
    except (AttributeError, IndexError, TypeError):
        raise ValueError(
            f"model must be as its class built it, got a {kind.__name__} whose layers were changed"
        ) from None
    return {
        "class": kind.__name__,
        "arguments": {name: _plain(value) for name, value in arguments.items()},
    }


def build(structure: Mapping[str, Any]) -> Any:
    """Return an untrained model of a structure; torch's own generator stays as it was.

    Raises:
        ValueError: when it is the structure of nothing that can be built.

    Example:
        >>> build({"class": "Gaussian", "arguments": {"variance": 0.1}})
        Gaussian(0.1)
    """
    with torch.random.fork_rng(devices=[]):
        try:
            model = _built(structure)
            _checks.instance(model, "structure", nn.Module)
            return model
        except (KeyError, TypeError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"structure must be that of a model, got {shorten(structure)}: {error}"
            ) from None


def _linears(layers: nn.Module) -> list[nn.Linear]:
    return [layer for layer in layers.children() if isinstance(layer, nn.Linear)]


def _named(*names: str) -> Callable[[Any], dict[str, Any]]:
    """Return what reads arguments that are attributes of the same names."""
    return lambda module: {name: getattr(module, name) for name in names}


def _network(read: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    return lambda network: {"shape": network.shape, "initial": network.initial} | read(network)


def _convolutions(network: ConvEncoder) -> list[nn.Conv2d]:
    return [layer for layer in network.blocks if isinstance(layer, nn.Conv2d)]


# How the arguments of a class are read off what it has built.
_ARGUMENTS: dict[type[nn.Module], Callable[[Any], dict[str, Any]]] = {
    VAE: _named("encoder", "decoder", "latent_dim", "likelihood", "prior", "n_classes"),
    Autoencoder: _named("encoder", "decoder", "latent_dim", "likelihood"),
    CategoricalVAE: lambda model: {
        "encoder": model.encoder,
        "decoder": model.decoder,
        "n_categories": model.latent_dim,
        "likelihood": model.likelihood,
    },
    VQVAE: _named("encoder", "decoder", "codebook", "n_places", "likelihood"),
    Classifier: lambda model: {
        "features": model.features,
        "n_features": model.head.in_features,
        "n_classes": model.head.out_features,
    },
    MLPEncoder: _network(
        lambda network: {
            "out_features": network.layers[-1].out_features,
            "hidden": [layer.out_features for layer in _linears(network.layers)[:-1]],
        }
    ),
    MLPDecoder: _network(
        lambda network: {
            "latent_dim": network.latent_dim,
            "hidden": [layer.out_features for layer in _linears(network.layers)[:-1]],
        }
    ),
    ConvEncoder: _network(
        lambda network: {
            "out_features": network.head[-1].out_features,
            "channels": [layer.out_channels for layer in _convolutions(network)],
            "strides": [layer.stride[0] for layer in _convolutions(network)],
            "hidden": network.head[0].out_features,
        }
    ),
    ConvDecoder: _network(
        lambda network: {
            "latent_dim": network.latent_dim,
            "channels": [
                layer.in_channels
                for layer in network.blocks
                if isinstance(layer, nn.ConvTranspose2d)
            ],
            "hidden": network.stem[0].out_features,
        }
    ),
    likelihoods.Bernoulli: _named(),
    **{
        kind: lambda likelihood: {"variance": likelihood.start}
        for kind in (
            likelihoods.Gaussian,
            likelihoods.LearnedGaussian,
            likelihoods.OptimalGaussian,
            likelihoods.ConstrainedGaussian,
        )
    },
    likelihoods.GecoGaussian: lambda likelihood: {
        "variance": likelihood.start,
        "step": likelihood.step,
    },
    priors.StandardNormal: _named("latent_dim"),
    priors.DiagonalNormal: _named("mean", "logvar"),
    priors.FullNormal: lambda prior: {
        "mean": prior.mean,
        "covariance": prior.root @ prior.root.mT,
    },
    priors.Mixture: lambda prior: {
        "means": prior.means,
        "logvars": prior.logvars,
        "weights": prior.log_weights.exp(),
    },
    learned_priors.LearnedMixture: _named("means", "logvars"),
    learned_priors.VampPrior: lambda prior: {
        "encoder": prior.encoder,
        "latent_dim": prior.latent_dim,
        "pseudo_inputs": prior.pseudo_inputs,
    },
    learned_priors.Flow: _named("latent_dim", "transforms", "hidden"),
    diffusion.Denoiser: _named("latent_dim", "width", "n_classes", "process"),
}
_KINDS: dict[str, Callable[..., Any]] = {kind.__name__: kind for kind in _ARGUMENTS}
_KINDS["Process"] = diffusion.Process


def _plain(value: Any) -> Any:
    if isinstance(value, nn.Module):
        return structure_of(value)
    if isinstance(value, diffusion.Process):
        return {"class": "Process", "arguments": asdict(value)}
    if isinstance(value, Tensor):
        return {"tensor": value.tolist()}
    return list(value) if isinstance(value, tuple) else value


def _built(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if "tensor" in value:
        return torch.tensor(value["tensor"], dtype=torch.float32)
    arguments = {name: _built(part) for name, part in value["arguments"].items()}
    if isinstance(arguments.get("prior"), learned_priors.VampPrior):
        arguments["prior"].encoder = arguments["encoder"]  # one, which both have
    return _KINDS[value["class"]](**arguments)
