r"""Codebooks: which vector is nearest, how many are used, and two ways to move them."""

__all__ = ["follow", "lloyd", "nearest", "perplexity", "revive"]

import torch
from torch import Generator, Tensor

from vaebook import _checks


def nearest(z: Tensor, vectors: Tensor) -> Tensor:
    r"""Return the number of the vector that is nearest to each code, int64 [N].

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
    # The square of z is the same for all vectors.
    return (vectors.square().sum(1) - 2 * z @ vectors.T).argmin(1)


def perplexity(counts: Tensor) -> Tensor:
    r"""Return the effective number of vectors in use, :math:`e^{H}`, of usage counts [..., K].

    From 1, where one vector takes all codes, to K, where all take equally many.

    Args:
        counts: how many codes each vector has taken, [..., K], with a positive sum.

    Raises:
        ValueError: when a count is negative or all are zero.

    Example:
        >>> perplexity(torch.tensor([5.0, 5.0, 0.0]))
        tensor(2.)
    """
    _checks.floats(counts, "counts", ("...", "K"))
    if counts.device.type != "meta" and not bool(
        (counts >= 0).all() and (counts.sum(-1) > 0).all()
    ):
        raise ValueError("counts must not be negative, nor all zero")
    shares = counts / counts.amax(-1, keepdim=True)
    shares = shares / shares.sum(-1, keepdim=True)
    return torch.special.entr(shares).sum(-1).exp()


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


def follow(
    z: Tensor, vectors: Tensor, counts: Tensor, sums: Tensor, decay: float = 0.99
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Let the vectors follow the codes of a batch by moving averages.

    .. math:: N_k \leftarrow \gamma N_k + (1 - \gamma)\, n_k, \quad
        m_k \leftarrow \gamma m_k + (1 - \gamma) \sum_{z \to k} z, \quad e_k = m_k / N_k

    Args:
        z: codes of the batch, [N, D].
        vectors: of the codebook, [K, D].
        counts: N, [K], positive at the start.
        sums: m, [K, D].
        decay: :math:`\gamma`, in [0, 1).

    Returns:
        Vectors, counts and sums after it. A vector whose count has decayed to nothing stays.

    Raises:
        ValueError: when the shapes differ, or the decay is out of its range.

    Source:
        Neural Discrete Representation Learning (van den Oord, Vinyals and Kavukcuoglu, 2017) |
        https://arxiv.org/abs/1711.00937

    Example:
        >>> e = torch.tensor([[0.0], [9.0]])
        >>> follow(torch.ones(4, 1), e, torch.ones(2), e, decay=0.5)[0]
        tensor([[0.8000],
                [9.0000]])
    """
    _check(z, vectors)
    _checks.floats(counts, "counts", (len(vectors),))
    _checks.floats(sums, "sums", tuple(vectors.shape))
    _checks.alike(z=z, vectors=vectors, counts=counts, sums=sums)
    _checks.number(decay, "decay", 0, 1)
    new, total = _taken(z, vectors)
    counts = decay * counts + (1 - decay) * new
    sums = decay * sums + (1 - decay) * total
    least = torch.finfo(counts.dtype).tiny ** 0.5
    moved = sums / counts.clamp_min(least)[:, None]
    return torch.where(counts[:, None] > least, moved, vectors), counts, sums


def revive(z: Tensor, vectors: Tensor, used: Tensor, generator: Generator | None = None) -> Tensor:
    """Put each vector that isn't used where a code lies that is drawn at random, [K, D].

    Args:
        z: codes, [N, D].
        vectors: of the codebook, [K, D].
        used: whether a vector is left alone, bool [K].
        generator: source of the draws.

    Raises:
        ValueError: when the shapes differ or a value isn't finite.

    Source:
        Jukebox (Dhariwal et al., 2020), "random restarts" | https://arxiv.org/abs/2005.00341

    Example:
        >>> e = torch.tensor([[0.0], [9.0]])
        >>> revive(torch.ones(4, 1), e, torch.tensor([True, False]))
        tensor([[0.],
                [1.]])
    """
    _check(z, vectors)
    if not isinstance(used, Tensor) or used.dtype != torch.bool or used.shape != vectors.shape[:1]:
        raise ValueError(f"used must be a bool tensor [{len(vectors)}], got {used!r}")
    _checks.same_device(vectors=vectors, used=used)
    drawn = z[_checks.randint(len(z), len(vectors), z.device, generator)]
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
