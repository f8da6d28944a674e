"""Shortest paths in latent space that prefer dense regions."""

__all__ = ["DensePaths", "dense_paths"]

import math
from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vaebook import _checks
from vaebook._checks import double
from vaebook.latent.paths import line, resample


class DensePaths(NamedTuple):
    """Shortest paths between terminals: lengths [C, C], polylines[i][j] from i to j [n, D].

    The path from a terminal to itself is that one point.
    """

    lengths: Tensor
    polylines: list[list[Tensor]]


@torch.no_grad()
def dense_paths(
    codes: Tensor,
    terminals: Tensor,
    log_density: Callable[[Tensor], Tensor],
    exponent: float | None = None,
    n_neighbors: int = 10,
    n_points: int = 24,
    n_steps: int = 60,
) -> DensePaths:
    r"""Find paths between terminals that prefer dense regions, and their lengths.

    The length of a path :math:`\gamma` is

    .. math:: \int_\gamma f(z) \|dz\|, \qquad
        f(z) = \left( \frac{q(z)}{q_{\max}} \right)^{-\alpha},

    Euclidean where the density is that of the densest node and longer elsewhere. Each path starts
    twice: as the shortest way in the graph that joins each node (code or terminal) to its nearest
    neighbours, which finds the way round a hole, and as the straight line, since codes of many
    dimensions lie on shells and a graph of them misses the denser inside. Both are relaxed to a
    least energy :math:`\sum_t f^2 \|\Delta z_t\|^2` and the shortest of all four is kept: a local
    minimum, never longer than the line.

    Why not the decoder's metric, :func:`~vaebook.latent.geometry.geodesic`? Nothing keeps a
    deterministic decoder from being flat where it was never trained, and then its geodesics cross
    the holes instead of avoiding them.

    Args:
        codes: nodes of the graph [P, D]; some thousands will do.
        terminals: the nodes to connect [C, D].
        log_density: points [M, D] to log-densities [M], differentiable. Where the encodings'
            Gaussians hardly overlap, their mixture is a spike at each code and says nothing of
            what lies between: take the Gaussians of the classes.
        exponent: :math:`\alpha \ge 0`; 0 is Euclidean. By default 1/D: a step then costs its
            length times the typical distance of neighbours there, in any dimension.
        n_neighbors: neighbours of each node.
        n_points: vertices of a path while it is relaxed, at least 3.
        n_steps: iterations of the relaxation; 0 leaves the graph's ways and the lines.

    Raises:
        ValueError: when shapes do not fit, an argument is outside its range, a density is not
            finite, or terminals lie in parts of the graph that are not connected.

    Source:
        Semi-supervised learning with density based distances (Bijral, Ratliff and Srebro, 2011);
        for the fault of the deterministic metric, Latent space oddity (Arvanitidis et al., 2018).

    Example:
        >>> codes = torch.linspace(-2, 2, 40)[:, None]
        >>> ends = torch.tensor([[-1.0], [1.0]])
        >>> found = dense_paths(codes, ends, lambda z: torch.zeros(len(z)))
        >>> found.lengths
        tensor([[0., 2.],
                [2., 0.]])
    """
    _checks.points(codes, "codes", ("P", "D"))
    _checks.points(terminals, "terminals", ("C", codes.shape[1]))
    _checks.alike(codes=codes, terminals=terminals)
    if not callable(log_density):
        raise ValueError(f"log_density must map points to log-densities, got {log_density!r}")
    if exponent is not None:
        _checks.number(exponent, "exponent", 0)
    _checks.count(n_neighbors, "n_neighbors")
    _checks.count(n_points, "n_points", least=3)
    _checks.count(n_steps, "n_steps", least=0)
    nodes = torch.cat([terminals, codes])
    if n_neighbors >= len(nodes):
        raise ValueError(f"n_neighbors must be at most {len(nodes) - 1}, got {n_neighbors}")

    heights = log_density(nodes)
    _checks.floats(heights, "log_density(nodes)", (len(nodes),))
    highest = heights.max().item()
    alpha = 1 / nodes.shape[1] if exponent is None else exponent

    def log_cost(z: Tensor) -> Tensor:
        """log f at points [..., D], float64."""
        height = double(log_density(z.flatten(0, -2))).reshape(z.shape[:-1])
        return alpha * (highest - height)

    c = len(terminals)
    lengths = torch.zeros(c, c, dtype=torch.float64)
    polylines = [[nodes[[i]] for _ in range(c)] for i in range(c)]
    for (i, j), way in _graph_ways(nodes, c, log_cost, n_neighbors).items():
        starts = [way, line(nodes[i], nodes[j], n_points)]
        if n_steps and not torch.equal(nodes[i], nodes[j]):
            starts += [_relax(resample(start, n_points), log_cost, n_steps) for start in starts]
        # The graph's way has a length; a path out of the density's support may have none.
        measured = torch.stack([_length(start, log_cost) for start in starts]).nan_to_num(math.inf)
        best = int(measured.argmin())
        lengths[i, j] = lengths[j, i] = measured[best]
        polylines[i][j], polylines[j][i] = starts[best], starts[best].flip(0)

    return DensePaths(lengths.to(terminals), polylines)


def _graph_ways(
    nodes: Tensor, c: int, log_cost: Callable[[Tensor], Tensor], n_neighbors: int
) -> dict[tuple[int, int], Tensor]:
    """The cheapest way in the graph of neighbours between each two of the first c nodes."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra
    from scipy.spatial import KDTree

    places = nodes.detach().cpu().double().numpy()
    _, neighbours = KDTree(places).query(places, n_neighbors + 1)
    pairs = np.stack([np.arange(len(nodes)).repeat(n_neighbors + 1), neighbours.ravel()])
    i, j = np.unique(np.sort(pairs[:, pairs[0] != pairs[1]], axis=0), axis=1)
    edges = torch.stack([nodes[i], nodes[j]], 1)
    weights = _length(edges, log_cost).detach().cpu().numpy()

    graph = coo_array((weights, (i, j)), shape=(len(nodes), len(nodes)))
    lengths, before = dijkstra(graph, directed=False, indices=range(c), return_predecessors=True)
    apart = np.argwhere(~np.isfinite(lengths[:, :c]))
    if len(apart):
        raise ValueError(
            f"terminals {apart[0][0]} and {apart[0][1]} are not connected with n_neighbors "
            f"{n_neighbors}: take more, a smaller exponent, or a log_density finite between them"
        )

    return {(a, b): nodes[_trace(before[a], a, b)] for a, b in combinations(range(c), 2)}


def _length(path: Tensor, log_cost: Callable[[Tensor], Tensor]) -> Tensor:
    """Length of paths [..., n, D] with the given cost, three midpoints a segment [...]."""
    start, end = path[..., :-1, :], path[..., 1:, :]
    mean = sum(log_cost(torch.lerp(start, end, t)).exp() for t in (1 / 6, 1 / 2, 5 / 6)) / 3

    return (mean * double(end - start).norm(dim=-1)).sum(-1)


def _relax(path: Tensor, log_cost: Callable[[Tensor], Tensor], n_steps: int) -> Tensor:
    """The path [n, D] moved, its ends held, to a least energy."""
    inner = path[1:-1].clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [inner], max_iter=n_steps, tolerance_change=1e-6, line_search_fn="strong_wolfe"
    )

    # Its logarithm, since the energy of a way through empty space is beyond any number.
    def log_energy() -> Tensor:
        optimizer.zero_grad()
        moved = torch.cat([path[:1], inner, path[-1:]])
        squared = double(moved.diff(dim=0)).square().sum(1).clamp_min(1e-300)
        middle = torch.lerp(moved[:-1], moved[1:], 0.5)
        loss = (2 * log_cost(middle) + squared.log()).logsumexp(0)
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(log_energy)

    return torch.cat([path[:1], inner.detach(), path[-1:]])


def _trace(before: np.ndarray, start: int, end: int) -> list[int]:
    """The nodes from start to end, from each node's predecessor on the way from start."""
    path = [end]
    while path[-1] != start:
        path.append(int(before[path[-1]]))

    return path[::-1]
