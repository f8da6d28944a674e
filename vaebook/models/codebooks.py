r"""Codebooks: which vector is nearest, how many are used, and three ways to move them."""

__all__ = ["ema_update", "lloyd", "nearest", "perplexity", "restart"]

import torch
from torch import Generator, Tensor

from vaebook import _checks


def nearest(z: Tensor, vectors: Tensor) -> Tensor:
    r"""Return the index of the vector that is nearest to each code, int64 [N].

    .. math:: \arg\min_k \|z - e_k\|

    Args:
        z: codes, [N, D].
        vectors: of the codebook, [K, D].

    Raises:
        ValueError: when the shapes differ or a value isn't finite.

    Source:
        Neural Discrete Representation Learning (van den Oord, Vinyals and Kavukcuoglu, 2017) |
        https://arxiv.org/abs/1711.00937

    Example:
        >>> nearest(torch.tensor([[0.9, 0.0]]), torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
        tensor([1])
    """
    _check(z, vectors)
    # By differences: |e|^2 - 2 z.e has no digits left far from the origin, nor under autocast.
    return torch.cdist(z, vectors, compute_mode="donot_use_mm_for_euclid_dist").argmin(1)


def perplexity(counts: Tensor) -> Tensor:
    r"""Return the effective number of vectors in use, :math:`e^{H}`, of usage counts [..., K].

    From 1, where one vector takes all codes, to K, where all take equally many.

    Args:
        counts: how many codes each vector has taken, [..., K], floats or integers, with a positive
            sum.

    Raises:
        ValueError: when a count is negative or all are zero.

    Example:
        >>> perplexity(torch.tensor([5, 5, 0]))
        tensor(2.)
    """
    if isinstance(counts, Tensor) and not counts.is_floating_point():
        _checks.integers(counts, "counts", ("...", "K"))
        counts = counts.to(torch.get_default_dtype())
    _checks.floats(counts, "counts", ("...", "K"))
    if counts.device.type != "meta" and not bool(
        (counts >= 0).all() and (counts.sum(-1) > 0).all()
    ):
        raise ValueError("counts must not be negative, nor all zero")
    shares = counts / counts.amax(-1, keepdim=True)
    shares = shares / shares.sum(-1, keepdim=True)
    return torch.special.entr(shares).sum(-1).exp()


@torch.no_grad()
def lloyd(z: Tensor, vectors: Tensor) -> Tensor:
    r"""Move each vector to the mean of the codes that it is nearest to, [K, D]: a step of k-means.

    A vector that is nearest to none stays where it is. The mean squared distance never rises.

    Args:
        z: codes, [N, D].
        vectors: of the codebook, [K, D].

    Raises:
        ValueError: when the shapes differ or a value isn't finite.

    Example:
        >>> lloyd(torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [-9.0]]))
        tensor([[ 2.],
                [-9.]])
    """
    counts, sums = _taken(z, vectors)
    return torch.where(counts[:, None] > 0, sums / counts.clamp_min(1)[:, None], vectors)


@torch.no_grad()
def ema_update(
    z: Tensor, vectors: Tensor, counts: Tensor, decay: float = 0.99
) -> tuple[Tensor, Tensor]:
    r"""Let the vectors follow the codes of a batch by exponential moving averages.

    .. math:: N_k \leftarrow \gamma N_k + (1 - \gamma)\, n_k, \quad
        m_k \leftarrow \gamma m_k + (1 - \gamma) \sum_{z \to k} z, \quad e_k = m_k / N_k

    The sums m are :math:`N_k e_k`, so nothing else has to be kept: a vector that was moved, as by
    :func:`restart`, goes on from where it is.

    Args:
        z: codes of the batch, [N, D].
        vectors: of the codebook, [K, D].
        counts: N, how many codes each vector has taken, [K], not negative; ones at the start.
        decay: :math:`\gamma`, in [0, 1].

    Returns:
        Vectors and counts after it, without a graph. A vector that takes no code stays where it
        is.

    Raises:
        ValueError: when the shapes differ, a count is negative, or the decay is out of its range.

    Source:
        Neural Discrete Representation Learning (van den Oord, Vinyals and Kavukcuoglu, 2017) |
        https://arxiv.org/abs/1711.00937

    Example:
        >>> e = torch.tensor([[0.0], [9.0]])
        >>> ema_update(torch.ones(4, 1), e, torch.ones(2), decay=0.5)
        (tensor([[0.8000],
                [9.0000]]), tensor([2.5000, 0.5000]))
    """
    _check(z, vectors)
    _checks.floats(counts, "counts", (len(vectors),))
    _checks.alike(z=z, vectors=vectors, counts=counts)
    if counts.device.type != "meta" and counts.min() < 0:
        raise ValueError(f"counts must not be negative, got {counts.min().item():g}")
    _checks.number(decay, "decay", 0, 1)
    taken, sums = _taken(z, vectors)
    after = decay * counts + (1 - decay) * taken
    # By how far all codes taken lie off it, so that nothing is lost where the counts are small.
    step = (1 - decay) * (sums - taken[:, None] * vectors)
    return vectors + step / after.clamp_min(torch.finfo(after.dtype).tiny)[:, None], after


@torch.no_grad()
def restart(
    z: Tensor, vectors: Tensor, used: Tensor, generator: Generator | None = None
) -> Tensor:
    """Move each unused vector to a code drawn at random, and return all vectors, [K, D].

    No code is drawn twice, unless there are fewer codes than unused vectors.

    Args:
        z: codes, [N, D].
        vectors: of the codebook, [K, D].
        used: which vectors stay where they are, bool [K].
        generator: source of the draws.

    Raises:
        ValueError: when the shapes differ or a value isn't finite.

    Source:
        Jukebox (Dhariwal et al., 2020), "random restarts" | https://arxiv.org/abs/2005.00341

    Example:
        >>> e = torch.tensor([[0.0], [9.0]])
        >>> restart(torch.ones(4, 1), e, torch.tensor([True, False]))
        tensor([[0.],
                [1.]])
    """
    _check(z, vectors)
    if not isinstance(used, Tensor) or used.dtype != torch.bool or used.shape != vectors.shape[:1]:
        raise ValueError(f"used must be a bool tensor [{len(vectors)}], got {used!r}")
    _checks.same_device(vectors=vectors, used=used)
    place = (~used).cumsum(0).sub(1).clamp_min(0)  # among those that aren't used
    drawn = z[_checks.permutation(len(z), z.device, generator)][place % len(z)]
    return torch.where(used[:, None], vectors, drawn)


def _check(z: Tensor, vectors: Tensor) -> None:
    _checks.points(z, "z", ("N", "D"))
    _checks.points(vectors, "vectors", ("K", z.shape[1]))
    _checks.alike(z=z, vectors=vectors)


def _taken(z: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """How many codes each vector takes, [K], and their sums, [K, D]."""
    index = nearest(z, vectors)
    counts = z.new_zeros(len(vectors)).index_add(0, index, z.new_ones(len(z)))
    return counts, torch.zeros_like(vectors).index_add(0, index, z)
