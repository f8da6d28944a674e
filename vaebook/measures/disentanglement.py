r"""Do single latents follow single factors? Three scores: MIG, SAP and DCI.

All of them take codes [N, D] and the true factors, either as one tensor [N, K] or by name, each
[N], as :class:`vaebook.datasets.ImageSet` holds them. **A factor of integers is a class, one of
floats a number.** The names of classes mean nothing: renumbered, they give the same scores.

No score looks at the scale of a latent, so that a dead one whose means tremble in step with a
factor counts like a live one. Hand over draws of q(z|x) rather than means: in a draw, a dead
latent is noise.
"""

__all__ = ["DCI", "Scores", "dci", "mutual_information", "mutual_information_gap", "sap", "scores"]

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from vaebook import _checks
from vaebook._checks import double

Factors = Tensor | Mapping[str, Tensor]

_MOST_VALUES = 50

# The share of a latent's values at either end that does not stretch its bins.
_TAIL = 0.01


class DCI(NamedTuple):
    """Disentanglement, completeness and informativeness, each at most 1.

    Attributes:
        disentanglement: 1 where each latent serves one factor.
        completeness: 1 where each factor is served by one latent.
        informativeness: R² of the predictions on the half that the trees have not seen.
        importance: how much each latent helps to predict each factor, [D, K]; columns sum to 1.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importance: Tensor


class Scores(NamedTuple):
    """The three scores of a set of codes, each in a unit of its own; 1 is the best of each."""

    mig: float
    sap: float
    dci: DCI


def scores(codes: Tensor, factors: Factors, generator: Generator | None = None) -> Scores:
    """Return all three scores, as the functions of this module do at their defaults.

    Args:
        codes: [N, D], D > 1; draws of q(z|x), such as ``model.codes(images).sample()``.
        factors: [N, K] or by name, each [N], K > 1; integers are classes, at most 50 of them,
            floats numbers.
        generator: source of DCI's halves and forests.

    Raises:
        ValueError: as the three functions do.

    Example:
        >>> factors = torch.cartesian_prod(torch.arange(5.0), torch.arange(4.0)).repeat(10, 1)
        >>> found = scores(factors, factors)
        >>> round(found.mig, 2), round(found.sap, 2), round(found.dci.disentanglement, 2)
        (1.0, 1.0, 1.0)
    """
    return Scores(
        mutual_information_gap(codes, factors),
        sap(codes, factors),
        dci(codes, factors, generator=generator),
    )


def mutual_information(codes: Tensor, factors: Factors, n_bins: int = 20) -> Tensor:
    r"""Return the mutual information of each latent and each factor, [D, K], nats.

    .. math:: I_{jk} = \sum_{b, v} p(b, v) \log \frac{p(b, v)}{p(b)\,p(v)}

    over B bins of a latent and over the distinct values of a factor. If a latent has at most B
    distinct values, they are its bins. Any other has B equal bins between its first and its 99th
    percentile, and what lies beyond falls into the outermost ones: bins over the whole range would
    let one outlier put all other values into a single bin. A factor of floats with more than 50
    values is binned as latents are; the information is then that about its bin. The frequencies of
    a sample make the information too large by about :math:`(B - 1)(V - 1) / (2N)`, with V the
    number of values.

    Args:
        codes: [N, D].
        factors: [N, K] or by name, each [N]; at most 50 classes.
        n_bins: B, the number of bins.

    Raises:
        ValueError: for shapes that don't fit, values that are not finite, a factor that is
            constant or has too many classes.

    Source:
        Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations
        (Locatello et al., 2019), appendix, for equal bins | https://arxiv.org/abs/1811.12359; The
        Future of Data Analysis (Tukey, 1962), section 14, for Winsor's treatment of the tails.

    Example:
        >>> bit = torch.tensor([0.0, 0.0, 1.0, 1.0])[:, None]
        >>> mutual_information(bit, bit)
        tensor([[0.6931]])
    """
    return _information(codes, _columns(codes, factors), n_bins).to(codes)


def mutual_information_gap(codes: Tensor, factors: Factors, n_bins: int = 20) -> float:
    r"""Return by how much the best latent for a factor beats the second best, in [0, 1].

    .. math:: \mathrm{MIG} = \frac1K \sum_k \frac{I_{j_1 k} - I_{j_2 k}}{H(v_k)}

    where :math:`j_1, j_2` are the latents with the most :func:`mutual_information` about factor k.
    The entropy of a factor that is binned is that of its bins: its own may be negative.

    Args:
        codes: [N, D], D > 1; the source takes draws of q(z|x).
        factors: [N, K] or by name, each [N]; at most 50 classes.
        n_bins: of a latent, and of a factor of floats with more than 50 values.

    Raises:
        ValueError: for shapes that don't fit, values that are not finite, a factor that is
            constant or has too many classes.

    Source:
        Isolating Sources of Disentanglement in VAEs (Chen et al., 2018), section 4 |
        https://arxiv.org/abs/1802.04942

    Example:
        >>> factors = torch.cartesian_prod(torch.arange(3.0), torch.arange(4.0))
        >>> round(mutual_information_gap(factors[:, [0, 0, 1]], factors), 4)
        0.5
    """
    columns = _columns(codes, factors)
    _check_several(codes)
    information = _information(codes, columns, n_bins)
    entropies = [
        _entropy(double(_values(column, k, n_bins)[0].bincount()))
        for k, column in enumerate(columns)
    ]
    best = information.topk(2, dim=0).values
    return ((best[0] - best[1]) / torch.stack(entropies)).mean().item()


def sap(codes: Tensor, factors: Factors) -> float:
    r"""Return the separated attribute predictability, in [0, 1].

    .. math:: \mathrm{SAP} = \frac1K \sum_k \left(R^2_{j_1 k} - R^2_{j_2 k}\right)

    with :math:`j_1, j_2` the latents of the largest :math:`R^2_{jk}`. For a number this is the
    squared correlation of latent j and factor k: how well a straight line in one latent predicts
    the factor. For a class it is the squared correlation ratio, the share of the latent's variance
    that lies between the classes; for two classes both are the same. (For classes the source takes
    the accuracy of a threshold on one latent, whose best gap is less than 1.)

    Args:
        codes: [N, D], D > 1.
        factors: [N, K] or by name, each [N].

    Raises:
        ValueError: for shapes that don't fit, values that are not finite, or a factor that is
            constant.

    Source:
        Variational Inference of Disentangled Latent Concepts (Kumar, Sattigeri and Balakrishnan,
        2018), section 3 | https://arxiv.org/abs/1711.00848

    Example:
        >>> factors = torch.cartesian_prod(torch.arange(3.0), torch.arange(4.0))
        >>> round(sap(factors[:, [0, 0, 1]], factors), 4)
        0.5
    """
    columns = _columns(codes, factors)
    _check_several(codes)
    x = double(codes)
    x = x - x.mean(0)
    explained = torch.stack([_explained(x, column) for column in columns], dim=1)
    best = explained.topk(2, dim=0).values
    return (best[0] - best[1]).mean().item()


def dci(
    codes: Tensor, factors: Factors, n_trees: int = 20, generator: Generator | None = None
) -> DCI:
    r"""Return disentanglement, completeness and informativeness by random forests.

    A forest predicts each factor from all latents; R are its importances (the share of the
    variance that splits on a latent take away). With :math:`P_{jk} = R_{jk} / \sum_k R_{jk}` and
    :math:`\tilde P_{jk} = R_{jk} / \sum_j R_{jk}`,

    .. math:: D = \sum_j \rho_j \left(1 - H_K(P_{j\cdot})\right), \qquad
        C = \frac1K \sum_k \left(1 - H_D(\tilde P_{\cdot k})\right)

    where the logarithm of an entropy has as its base the number of its entries, and
    :math:`\rho_j` is latent j's share of all importance. A class is predicted by its indicators:
    their variances add up to the Gini impurity, and R² is the Brier skill score.

    Args:
        codes: [N, D], D > 1.
        factors: [N, K] or by name, each [N], K > 1.
        n_trees: of a forest, ten levels deep.
        generator: source of the division into halves and of the forests.

    Raises:
        ValueError: for shapes that don't fit, values that are not finite, or so few rows that a
            factor is constant in one half of them.

    Source:
        A Framework for the Quantitative Evaluation of Disentangled Representations (Eastwood and
        Williams, 2018), section 2 | https://openreview.net/forum?id=By-7dz-AZ

    Example:
        >>> factors = torch.cartesian_prod(torch.arange(5.0), torch.arange(4.0)).repeat(10, 1)
        >>> round(dci(factors, factors).disentanglement, 2)
        1.0
    """
    from sklearn.ensemble import RandomForestRegressor

    columns = _columns(codes, factors)
    _check_several(codes)
    if len(columns) < 2:
        raise ValueError("factors must be two or more, got 1")
    _checks.rows(codes, "codes", 4)
    _checks.count(n_trees, "n_trees")

    cpu = torch.device("cpu")
    order = _checks.permutation(len(codes), cpu, generator)
    seed = int(_checks.randint(2**31 - 1, 1, cpu, generator))
    fitted, held_out = (half.numpy() for half in order.chunk(2))
    # Trees take what differs by less than 1e-7 for equal: standard scores, whatever the unit.
    x = _standard(codes.detach().cpu().double().numpy())
    importances, skills = [], []
    for k, column in enumerate(columns):
        y = _targets(column)
        if not (np.ptp(y[fitted], axis=0).any() and np.ptp(y[held_out], axis=0).any()):
            raise ValueError(f"factor {k} is constant in one half of {len(codes)} rows: too few")
        forest = RandomForestRegressor(n_trees, max_depth=10, random_state=seed)
        forest.fit(x[fitted], y[fitted].squeeze())
        error = y[held_out] - forest.predict(x[held_out]).reshape(y[held_out].shape)
        spread = y[held_out] - y[held_out].mean(0)
        importances.append(forest.feature_importances_)
        skills.append(1 - np.square(error).sum() / np.square(spread).sum())

    importance = torch.from_numpy(np.stack(importances, axis=1))
    weights = importance.sum(1) / importance.sum().clamp_min(1e-12)
    return DCI(
        (weights * (1 - _relative_entropy(importance))).sum().item(),
        (1 - _relative_entropy(importance.T)).mean().item(),
        float(np.mean(skills)),
        importance.to(codes),
    )


def _information(codes: Tensor, columns: list[Tensor], n_bins: int) -> Tensor:
    """Return the mutual information of codes and factors, [D, K], float64."""
    _checks.count(n_bins, "n_bins", least=2)
    values = [_values(column, k, n_bins) for k, column in enumerate(columns)]
    result = torch.zeros(codes.shape[1], len(columns), dtype=torch.float64)
    for j, code in enumerate(codes.T):
        binned, bins = _binned(code, n_bins)
        for k, (index, count) in enumerate(values):
            joint = torch.bincount(binned * count + index, minlength=bins * count)
            joint = double(joint.view(bins, count))
            marginals = _entropy(joint.sum(0)) + _entropy(joint.sum(1))
            result[j, k] = marginals - _entropy(joint.flatten())
    return result.to(double(codes[:1]).device)


def _binned(code: Tensor, n_bins: int) -> tuple[Tensor, int]:
    """Return the bin of each value [N], and how many bins there are."""
    distinct, index = code.unique(return_inverse=True)
    if len(distinct) <= n_bins:
        return index, len(distinct)
    ordered = double(code).sort().values
    low = ordered[math.ceil(_TAIL * (len(code) - 1))]
    high = ordered[math.floor((1 - _TAIL) * (len(code) - 1))]
    share = (double(code) - low) / (high - low).clamp_min(torch.finfo(torch.float64).tiny)
    return (share * n_bins).clamp(0, n_bins - 1).long().to(code.device), n_bins


def _values(column: Tensor, k: int, n_bins: int) -> tuple[Tensor, int]:
    """Return the index of each value among the distinct ones or the bins [N], and their number."""
    distinct, index = column.unique(return_inverse=True)
    if len(distinct) <= _MOST_VALUES:
        return index, len(distinct)
    if column.is_floating_point():
        return _binned(column, n_bins)
    raise ValueError(
        f"factors must have at most {_MOST_VALUES} classes each, factor {k} has {len(distinct)}: "
        "those that are numbers are to be floats"
    )


def _entropy(counts: Tensor) -> Tensor:
    """Return the entropy of the frequencies of some counts, nats."""
    shares = counts / counts.sum()
    return -torch.xlogy(shares, shares).sum()


def _relative_entropy(rows: Tensor) -> Tensor:
    """Return the entropy of each row as a share of the largest possible; 1 for a row of zeros."""
    total = rows.sum(1, keepdim=True)
    shares = torch.where(total > 0, rows / total.clamp_min(1e-300), 1 / rows.shape[1])
    return -torch.xlogy(shares, shares).sum(1) / math.log(rows.shape[1])


def _explained(x: Tensor, column: Tensor) -> Tensor:
    """Return R² of each centred code [N, D] and one factor, [D]; 0 for a code that is constant."""
    if column.is_floating_point():
        y = double(column) - double(column).mean()
        together = (x.T @ y).square() / y.square().sum()
    else:
        _, index, counts = column.unique(return_inverse=True, return_counts=True)
        sums = x.new_zeros(len(counts), x.shape[1]).index_add_(0, index.to(x.device), x)
        together = (sums.square() / counts.to(x)[:, None]).sum(0)
    return together / x.square().sum(0).clamp_min(torch.finfo(torch.float64).tiny)


def _targets(column: Tensor) -> np.ndarray:
    """Return what a forest predicts of a factor: a number [N, 1], or a class's indicators."""
    if column.is_floating_point():
        return _standard(column.detach().cpu().double().numpy()[:, None])
    _, index = column.cpu().unique(return_inverse=True)
    return torch.nn.functional.one_hot(index).double().numpy()


def _standard(values: np.ndarray) -> np.ndarray:
    """Return columns of mean 0 and variance 1, but for constant ones, which stay 0."""
    centred = values - values.mean(0)
    spread = centred.std(0)
    return centred / np.where(spread > 0, spread, 1)


def _columns(codes: Tensor, factors: Factors) -> list[Tensor]:
    """Return the factors one by one, each [N]; refuse what are no codes and factors."""
    _checks.points(codes, "codes", ("N", "D"))
    _checks.rows(codes, "codes", 2)
    if isinstance(factors, Mapping):
        named = {f"factors[{name!r}]": column for name, column in factors.items()}
    elif isinstance(factors, Tensor) and factors.ndim == 2:
        named = {f"factors[:, {k}]": column for k, column in enumerate(factors.unbind(1))}
    else:
        kind = list(factors.shape) if isinstance(factors, Tensor) else type(factors).__name__
        raise ValueError(f"factors must be a tensor [N, K] or tensors [N] by name, got {kind}")
    if not named:
        raise ValueError("factors must be one or more, got none")
    for name, column in named.items():
        if isinstance(column, Tensor) and not column.is_floating_point():
            _checks.integers(column, name, (len(codes),))
        else:
            _checks.floats(column, name, (len(codes),), largest=1e30)
        _checks.same_device(**{"codes": codes, name: column})
        if bool((column == column[0]).all()):
            raise ValueError(f"{name} must vary, it is constant")
        if column.is_floating_point() and bool(column.max() - column.min() < 1e-30):
            raise ValueError(f"{name} must vary by 1e-30 at least, give it other units")
    return list(named.values())


def _check_several(codes: Tensor) -> None:
    if codes.shape[1] < 2:
        raise ValueError(f"codes must be [N, D] with D > 1, got {list(codes.shape)}")
