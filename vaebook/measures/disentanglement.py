r"""Do single latent dimensions follow single factors? Three scores: MIG, DCI and SAP.

All of them take codes [N, D] and the true factors [N, K]. They do not look at the scale of a
code, so that a dead dimension whose means tremble in step with a factor counts like a live one.
Hand over draws of q(z|x) rather than means: in a draw, a dead dimension is noise.
"""

__all__ = ["DCI", "dci", "mutual_information", "mutual_information_gap", "sap"]

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

_MOST_VALUES = 50


class DCI(NamedTuple):
    """Disentanglement, completeness and informativeness, each at most 1.

    Attributes:
        disentanglement: 1 where each code serves one factor.
        completeness: 1 where each factor is served by one code.
        informativeness: R² of the predictions on the half that the trees have not seen.
        importance: how much each code helps to predict each factor, [D, K]; columns sum to 1.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importance: Tensor


def mutual_information(codes: Tensor, factors: Tensor, bins: int = 20) -> Tensor:
    r"""Return the mutual information of each code and each factor, [D, K], nats.

    .. math:: I_{jk} = \sum_{b, v} p(b, v) \log \frac{p(b, v)}{p(b)\,p(v)}

    over `bins` equal bins between the least and the largest value of a code, and over the
    distinct values of a factor. The frequencies of a sample make it too large by about
    :math:`(B - 1)(V - 1) / 2N`.

    Args:
        codes: [N, D].
        factors: [N, K], each with at most 50 distinct values.
        bins: B.

    Raises:
        ValueError: for other shapes, values that are not finite, or too many distinct ones.
    """
    _check(codes, factors)
    if bins < 2:
        raise ValueError(f"bins must be at least 2, got {bins}")
    values = _values(factors)
    low, high = codes.amin(0), codes.amax(0)
    share = (codes - low) / (high - low).clamp_min(torch.finfo(codes.dtype).tiny)
    binned = (share * bins).long().clamp_max(bins - 1)
    result = torch.zeros(codes.shape[1], factors.shape[1], dtype=torch.float64)
    for j, column in enumerate(binned.T):
        for k, (index, count) in enumerate(values):
            joint = torch.bincount(column * count + index, minlength=bins * count)
            result[j, k] = _information(joint.view(bins, count).double() / len(codes))
    return result


def mutual_information_gap(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    r"""Return by how much the best code of a factor beats the second best, in [0, 1].

    .. math:: \mathrm{MIG} = \frac1K \sum_k \frac{I_{j_1 k} - I_{j_2 k}}{H(v_k)}

    where :math:`j_1, j_2` are the codes with the most mutual information about factor k.

    Source: Chen et al., Isolating Sources of Disentanglement in VAEs (2018), section 4; bins:
    Locatello et al. (2019), appendix.

    Args:
        codes: [N, D], D > 1; the source takes draws of q(z|x).
        factors: [N, K], each with at most 50 distinct values.
        bins: of a code.

    Raises:
        ValueError: for other shapes, values that are not finite, or a factor that is constant.
    """
    information = mutual_information(codes, factors, bins)
    if len(information) < 2:
        raise ValueError(f"codes must be [N, D] with D > 1, got {list(codes.shape)}")
    entropy = [
        _entropy(torch.bincount(index).double() / len(codes)) for index, _ in _values(factors)
    ]
    best = information.topk(2, dim=0).values
    return ((best[0] - best[1]) / torch.stack(entropy)).mean().item()


def sap(codes: Tensor, factors: Tensor) -> float:
    r"""Return the separated attribute predictability of continuous factors, in [0, 1].

    .. math:: \mathrm{SAP} = \frac1K \sum_k \left(R^2_{j_1 k} - R^2_{j_2 k}\right)

    with :math:`R^2_{jk}` the squared correlation of code j and factor k, that is how well a
    straight line of one code predicts the factor.

    Source: Kumar, Sattigeri and Balakrishnan, Variational Inference of Disentangled Latent
    Concepts (2018), section 3.

    Args:
        codes: [N, D], D > 1.
        factors: [N, K].

    Raises:
        ValueError: for other shapes, values that are not finite, or a factor that is constant.
    """
    _check(codes, factors)
    if codes.shape[1] < 2:
        raise ValueError(f"codes must be [N, D] with D > 1, got {list(codes.shape)}")
    x, y = (column.double() - column.double().mean(0) for column in (codes, factors))
    scale = x.square().sum(0)[:, None] * y.square().sum(0)
    squared = (x.T @ y).square() / scale.clamp_min(torch.finfo(torch.float64).tiny)
    best = squared.topk(2, dim=0).values
    return (best[0] - best[1]).mean().item()


def dci(codes: Tensor, factors: Tensor, trees: int = 20, seed: int = 0) -> DCI:
    r"""Return disentanglement, completeness and informativeness by random forests.

    A forest predicts each factor from all codes; R are its importances (the share of the
    variance that splits on a code take away). With :math:`P_{jk} = R_{jk} / \sum_k R_{jk}` and
    :math:`\tilde P_{jk} = R_{jk} / \sum_j R_{jk}`,

    .. math:: D = \sum_j \rho_j \left(1 - H_K(P_{j\cdot})\right), \qquad
        C = \frac1K \sum_k \left(1 - H_D(\tilde P_{\cdot k})\right)

    where the logarithm of an entropy has as its base the number of its entries, and
    :math:`\rho_j` is code j's share of all importance.

    Source: Eastwood and Williams, A Framework for the Quantitative Evaluation of Disentangled
    Representations (2018), section 2.

    Args:
        codes: [N, D], D > 1.
        factors: [N, K], K > 1.
        trees: of a forest, ten levels deep.
        seed: of the division into halves and of the forests.

    Raises:
        ValueError: for other shapes, values that are not finite, or a factor that is constant.
    """
    from sklearn.ensemble import RandomForestRegressor

    _check(codes, factors)
    if codes.shape[1] < 2 or factors.shape[1] < 2:
        raise ValueError(
            "codes and factors must have at least two columns, "
            f"got {list(codes.shape)} and {list(factors.shape)}"
        )
    order = torch.randperm(len(codes), generator=torch.Generator().manual_seed(seed))
    fitted, held_out = order.chunk(2)
    x, y = codes.numpy(), factors.numpy()
    columns, scores = [], []
    for k in range(factors.shape[1]):
        forest = RandomForestRegressor(trees, max_depth=10, random_state=seed)
        forest.fit(x[fitted], y[fitted, k])
        columns.append(forest.feature_importances_)
        scores.append(forest.score(x[held_out], y[held_out, k]))
    importance = torch.from_numpy(np.stack(columns, axis=1))
    total = importance.sum()
    per_code = 1 - _relative_entropy(importance)
    weights = importance.sum(1) / total.clamp_min(1e-12)
    completeness = 1 - _relative_entropy(importance.T)
    return DCI(
        (weights * per_code).sum().item(),
        completeness.mean().item(),
        float(np.mean(scores)),
        importance,
    )


def _relative_entropy(rows: Tensor) -> Tensor:
    """Return the entropy of each row as a share of the largest possible; 1 for a row of zeros."""
    total = rows.sum(1, keepdim=True)
    shares = torch.where(total > 0, rows / total.clamp_min(1e-300), 1 / rows.shape[1])
    return -torch.xlogy(shares, shares).sum(1) / np.log(rows.shape[1])


def _information(joint: Tensor) -> Tensor:
    return _entropy(joint.sum(0)) + _entropy(joint.sum(1)) - _entropy(joint.flatten())


def _entropy(shares: Tensor) -> Tensor:
    return -torch.xlogy(shares, shares).sum()


def _values(factors: Tensor) -> list[tuple[Tensor, int]]:
    """Return the index of each value among the distinct ones, and their number, of each factor."""
    found = []
    for k, column in enumerate(factors.T):
        distinct, index = torch.unique(column, return_inverse=True)
        if len(distinct) > _MOST_VALUES:
            raise ValueError(
                f"a factor must have at most {_MOST_VALUES} distinct values, "
                f"factor {k} has {len(distinct)}: bin it first"
            )
        found.append((index, len(distinct)))
    return found


def _check(codes: Tensor, factors: Tensor) -> None:
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors) or len(codes) < 2:
        raise ValueError(
            "codes and factors must be [N, D] and [N, K] with one N > 1, "
            f"got {list(codes.shape)} and {list(factors.shape)}"
        )
    for name, table in (("codes", codes), ("factors", factors)):
        if not bool(table.isfinite().all()):
            raise ValueError(f"{name} must be finite")
    constant = (factors == factors[0]).all(0)
    if bool(constant.any()):
        raise ValueError(f"factor {int(constant.nonzero()[0])} is constant")
