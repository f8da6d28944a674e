r"""Priors that are learned: a mixture, the mixture of a model's own posteriors, a flow.

Each is trained along with its model by :func:`vaebook.objectives.negative_elbo`, which reaches its
parameters through the KL, or afterwards, on the codes of a trained model, by :func:`fit_to_codes`.
The KL is estimated from draws.
"""

__all__ = ["Flow", "LearnedMixture", "VampPrior", "fit_to_codes"]

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from vaebook import _checks
from vaebook.models.priors import MixturePrior, Prior

_LARGEST = 40.0  # of log-variances
_REACH = 5.0  # of zuko's splines


class _Learned(MixturePrior):
    """A mixture with parameters; its draws have no gradient, as the choice of a part has none."""

    @torch.no_grad()
    def sample(
        self,
        n: int,
        labels: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        return super().sample(n, labels, generator)


class LearnedMixture(_Learned):
    r"""A mixture of K diagonal normals whose means, variances and weights are parameters.

    .. math:: p(z) = \sum_k w_k\, \mathcal{N}(z; m_k, \mathrm{diag} \exp \mathrm{logvar}_k), \qquad
        w = \mathrm{softmax}(\mathrm{logits})

    It starts where it is told to; :class:`~vaebook.models.priors.Mixture` is the one that stays.

    Args:
        means: [K, D]; all different, or components that start alike stay alike.
        logvars: [K, D], from -40 to 40, where they stay in training.

    Raises:
        ValueError: when a shape doesn't fit, a value isn't finite, or a variance is out of range.

    Example:
        >>> prior = LearnedMixture(torch.tensor([[-1.0], [1.0]]), torch.zeros(2, 1))
        >>> [name for name, _ in prior.named_parameters()]
        ['means', 'logvars', 'logits']
    """

    def __init__(self, means: Tensor, logvars: Tensor) -> None:
        _checks.floats(means, "means", ("K", "D"))
        super().__init__(means.shape[1])
        _checks.floats(logvars, "logvars", tuple(means.shape), largest=_LARGEST)
        _checks.alike(means=means, logvars=logvars)
        self.means = nn.Parameter(means.detach().clone())
        self.logvars = nn.Parameter(logvars.detach().clone())
        self.logits = nn.Parameter(torch.zeros_like(self.means[:, 0]))

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        # A part without width has a density that is no number.
        logvars = self.logvars.clamp(-_LARGEST, _LARGEST)
        return self.means, logvars, self.logits.log_softmax(0)


class VampPrior(_Learned):
    r"""The equal mixture of the posteriors of K pseudo-inputs, which are learned images.

    .. math:: p(z) = \frac1K \sum_k q(z|u_k)

    The encoder is the model's own, and so belongs to both: what trains one changes the other. The
    pseudo-inputs are the sigmoids of parameters, so that their pixels stay in (0, 1).

    Args:
        encoder: maps images to [N, 2 D], as that of a :class:`~vaebook.models.VAE`.
        latent_dim: the number of latent dimensions, D.
        pseudo_inputs: where u starts, [K, C, H, W] in [0, 1], such as noise or a few training
            images; clamped to [0.01, 0.99], since a pixel of 0 would need an infinite parameter.

    Raises:
        ValueError: when the encoder is no module, or a pixel lies beyond [0, 1]; when components
            are asked for, if the encoder returns anything but [K, 2 D].

    Source:
        VAE with a VampPrior (Tomczak and Welling, 2018) | https://arxiv.org/abs/1705.07120; in
        their code, https://github.com/jmtomczak/vae_vampprior, sigmoids keep the pixels in
        (0, 1) at first, and clipping later. They start as almost even grey, with a little noise,
        or, if asked for, as training images.

    Example:
        >>> from vaebook.models import VAE, Bernoulli
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> encoder = MLPEncoder(4)
        >>> prior = VampPrior(encoder, 2, torch.rand(5, 1, 28, 28))
        >>> VAE(encoder, MLPDecoder(2), 2, Bernoulli(), prior).prior.sample(3).shape
        torch.Size([3, 2])
    """

    def __init__(self, encoder: nn.Module, latent_dim: int, pseudo_inputs: Tensor) -> None:
        super().__init__(latent_dim)
        _checks.instance(encoder, "encoder", nn.Module)
        _checks.floats(pseudo_inputs, "pseudo_inputs", ("K", "C", "H", "W"))
        low, high = (extreme.item() for extreme in pseudo_inputs.detach().aminmax())
        if not 0 <= low <= high <= 1:
            raise ValueError(f"pseudo_inputs must lie in [0, 1], got {low:g} to {high:g}")
        self.encoder = encoder
        self.logits = nn.Parameter(pseudo_inputs.detach().clamp(0.01, 0.99).logit())

    @property
    def pseudo_inputs(self) -> Tensor:
        """The learned images u, [K, C, H, W]."""
        return self.logits.sigmoid()

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        with torch.autocast(self.logits.device.type, enabled=False):
            posteriors = self.encoder(self.pseudo_inputs)
        if posteriors.shape != (len(self.logits), 2 * self.latent_dim):
            raise ValueError(
                f"encoder must return [{len(self.logits)}, {2 * self.latent_dim}] of the "
                f"pseudo-inputs, got {list(posteriors.shape)}"
            )
        means, logvars = posteriors.chunk(2, dim=1)
        return means, logvars, torch.zeros_like(means[:, 0]).log_softmax(0)


class Flow(Prior):
    r"""A normalising flow: white noise, made into codes by a map that can be undone.

    .. math:: \log p(z) = \log \mathcal{N}(f(z); 0, I) + \log \left| \det
        \frac{\partial f}{\partial z} \right|

    The map f is a neural spline flow of zuko: each coordinate goes through a monotone spline whose
    knots depend on the coordinates before it. The splines reach from -5 to 5 in each dimension,
    and beyond f leaves the coordinate as it is. So a flow has the tails of N(0, 1) there, whatever
    it was fitted to: a code at 10 costs some 50 nats, and learning can't help. Codes that reach
    farther have to be scaled first, which :func:`fit_to_codes` insists on.

    Args:
        latent_dim: the number of latent dimensions, D.
        transforms: the number of maps in a row.
        hidden: widths of the networks that choose the knots.

    Source:
        Neural Spline Flows (Durkan et al., 2019) | https://arxiv.org/abs/1906.04032, by zuko
        (Rozet et al., 2022) | https://github.com/probabilists/zuko

    Example:
        >>> prior = Flow(2)
        >>> z = prior.sample(5)
        >>> prior.log_prob(z).shape
        torch.Size([5])
    """

    def __init__(
        self, latent_dim: int, transforms: int = 3, hidden: Sequence[int] = (64, 64)
    ) -> None:
        super().__init__(latent_dim)
        _checks.count(transforms, "transforms")
        _checks.counts(hidden, "hidden")
        from zuko.flows import NSF

        self.transforms = transforms
        self.hidden = tuple(hidden)
        self.flow = NSF(latent_dim, transforms=transforms, hidden_features=self.hidden)

    def log_prob(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        # Beyond it the networks that choose the knots would say NaN.
        _checks.floats(z, "z", ("N", self.latent_dim), finite=False, largest=1e9)
        _checks.suits(z, "z", self)
        with torch.autocast(z.device.type, enabled=False):
            return self.flow().log_prob(z)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        labels: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """Draw n codes [n, D], without a gradient."""
        _checks.count(n, "n")
        weight = next(self.flow.parameters())
        noise = _checks.randn((n, self.latent_dim), weight, generator)
        with torch.autocast(weight.device.type, enabled=False):
            return self.flow().transform.inv(noise)


@torch.enable_grad()
def fit_to_codes(
    prior: Prior,
    mu: Tensor,
    logvar: Tensor,
    *,
    epochs: int,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    generator: Generator | None = None,
) -> list[float]:
    r"""Fit a prior to fixed codes, and return its loss in each epoch, nats.

    .. math:: -\frac1N \sum_n \log p(z_n), \quad z_n \sim q(z|x_n) \text{ anew in each epoch}

    The loss is :math:`\mathrm{KL}(q(z)\,\|\,p)` plus the entropy of q(z), which no prior changes.
    To lower it is all that a prior can do for the ELBO of a model whose other parts are fixed. It
    is minimised by Adam, whose rate falls to zero along half a cosine. The loss of an epoch is the
    mean over its batches, each before its step: that of the prior on the way, not at the end.

    Args:
        prior: trained in place.
        mu: means of the codes, [N, D]; for a :class:`Flow`, 99 % of them within its splines.
        logvar: their log-variances, [N, D].
        epochs: passes through the codes.
        batch_size: codes per step, at most.
        learning_rate: at the start.
        generator: source of order and noise.

    Raises:
        ValueError: when the codes don't fit the prior, or it has nothing to train; when the
            encoder of a :class:`VampPrior` isn't frozen, as it would change the codes; when too
            many codes lie beyond the splines of a :class:`Flow`, or the loss is not finite.

    Example:
        >>> prior = LearnedMixture(torch.tensor([[-1.0], [1.0]]), torch.zeros(2, 1))
        >>> codes = torch.cat([torch.full((500, 1), -4.0), torch.full((500, 1), 4.0)])
        >>> losses = fit_to_codes(
        ...     prior, codes, torch.zeros(1000, 1), epochs=50, learning_rate=0.2
        ... )
        >>> prior.means.detach().flatten().round().tolist()
        [-4.0, 4.0]
    """
    _checks.instance(prior, "prior", Prior)
    _checks.points(mu, "mu", ("N", prior.latent_dim))
    _checks.floats(logvar, "logvar", tuple(mu.shape), largest=40)
    _checks.alike(mu=mu, logvar=logvar)
    _checks.count(epochs, "epochs")
    _checks.count(batch_size, "batch_size")
    _checks.number(learning_rate, "learning_rate", 0, 1e6, open=True)
    trained = [weight for weight in prior.parameters() if weight.requires_grad]
    if not trained:
        raise ValueError(f"prior must have parameters to train, got {type(prior).__name__}")
    if isinstance(prior, VampPrior) and any(w.requires_grad for w in prior.encoder.parameters()):
        raise ValueError("prior must have a frozen encoder: requires_grad_(False) freezes it")
    mu, logvar = mu.detach(), logvar.detach()
    if isinstance(prior, Flow):
        beyond = (mu.abs() > _REACH).any(1).double().mean().item()
        if beyond > 0.01:
            raise ValueError(
                f"mu must lie within {_REACH:g} units, where a Flow's splines end, for 99 codes "
                f"in 100, got {beyond:.0%} beyond: scale the codes"
            )
    adam = torch.optim.Adam(trained, lr=learning_rate)
    steps = epochs * -(-len(mu) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for rows in _checks.permutation(len(mu), mu.device, generator).split(batch_size):
            noise = _checks.randn((len(rows), prior.latent_dim), mu, generator)
            loss = -prior.log_prob(mu[rows] + (0.5 * logvar[rows]).exp() * noise).mean()
            if not bool(loss.isfinite()):
                raise ValueError(
                    f"learning_rate must be less than {learning_rate:g}, or mu nearer to the "
                    f"prior: the loss is {loss.item()}"
                )
            adam.zero_grad()
            loss.backward()
            adam.step()
            schedule.step()
            total += loss.item() * len(rows)
        losses.append(total / len(mu))
    return losses
