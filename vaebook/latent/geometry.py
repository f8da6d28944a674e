r"""The geometry that a decoder gives to latent space: metric, lengths, geodesics, curvature.

A decoder, or any other map from codes z [N, D] to images [N, ...], immerses latent space in the
space of images and pulls its Euclidean metric back,

.. math:: G(z) = J(z)^\top J(z), \qquad J = \partial g / \partial z,

so that a path is as long as its film of images changes. The map must be differentiable, treat
each code by itself and give the same images each time: a model in eval mode. It may be a model's
`decode`; its means and standard deviations side by side, whose metric is the expected one of
draws (Arvanitidis et al., 2018); the members of an ensemble side by side, over the root of their
number, whose metric is the ensemble's mean; or the formula of a surface. Answers come on the
device and in the dtype of the codes.
"""

__all__ = [
    "Geodesic",
    "curvature",
    "energy",
    "exp",
    "geodesic",
    "length",
    "log",
    "metric",
    "transport",
    "volume",
]

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import jvp, vmap

from vaebook import _checks
from vaebook._checks import double

# Codes decoded at a time, and tangents carried along at a time: the caches hold no more.
_CODES = 1024
# Bytes of the Jacobians that are kept for all paths of a batch.
_JACOBIANS = 2**27
# Newton's steps of a logarithm, and how often one is halved, at most.
_CORRECTIONS, _HALVINGS = 20, 10
# The share of its speed that a geodesic may lose or win on its way.
_DRIFT = 0.01


@torch.no_grad()
def metric(decode: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    r"""Return the pull-back metric :math:`G = J^\top J` at codes.

    A step v from z changes the image by :math:`\sqrt{v^\top G v}`, to first order. Where the
    decoder ignores a direction G is singular.

    Args:
        decode: codes [N, D] to images [N, ...].
        z: codes [N, D].

    Returns:
        Metrics [N, D, D], squared units of an image per squared unit of a code.

    Raises:
        ValueError: when z is not finite floats, or decode doesn't give each code an image of its
            own, the same each time.

    Source:
        Latent space oddity: on the curvature of deep generative models (Arvanitidis, Hansen and
        Hauberg, 2018, ICLR), https://arxiv.org/abs/1710.11379, section 2.

    Example:
        >>> saddle = lambda z: torch.cat([z, z.prod(1, keepdim=True)], 1)
        >>> metric(saddle, torch.tensor([[0.0, 2.0]]))
        tensor([[[5., 0.],
                 [0., 1.]]])
    """
    _checks.points(z, "z", ("N", "D"))
    _check_map(decode, z, "z")

    return _metric(decode, z).to(z)


@torch.no_grad()
def volume(decode: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    r"""Return :math:`\sqrt{\det G(z)}`, by how much the decoder magnifies a small piece of space.

    Args:
        decode: codes [N, D] to images [N, ...].
        z: codes [N, D].

    Returns:
        Volumes [N], of images per volume of codes; 0 where the decoder ignores a direction.

    Raises:
        ValueError: as :func:`metric` does.

    Source:
        Latent space oddity (Arvanitidis, Hansen and Hauberg, 2018), section 2: the magnification
        factor.

    Example:
        >>> volume(lambda z: 3 * z, torch.zeros(1, 2))
        tensor([9.])
    """
    _checks.points(z, "z", ("N", "D"))
    _check_map(decode, z, "z")

    return _metric(decode, z).det().clamp_min(0).sqrt().to(z)


@torch.no_grad()
def energy(decode: Callable[[Tensor], Tensor], paths: Tensor) -> Tensor:
    r"""Return the discrete energy of paths.

    .. math:: E = \sum_t \|g(z_{t+1}) - g(z_t)\|^2 \ge \frac{L^2}{n - 1},

    with equality where all chords are equally long; times n - 1 it tends to the integral of
    :math:`\|J_g \dot z\|^2` over unit time as the path is refined.

    Args:
        decode: codes [N, D] to images [N, ...].
        paths: vertices [B, n, D], n at least 2.

    Returns:
        Energies [B], in squared units of an image.

    Raises:
        ValueError: when paths are not finite floats of two points or more, or decode doesn't give
            each code an image of its own, the same each time.

    Source:
        The Riemannian geometry of deep generative models (Shao, Kumar and Fletcher, 2018, CVPR
        workshops), https://arxiv.org/abs/1711.08014, equation 4.

    Example:
        >>> energy(lambda z: 2 * z, torch.tensor([[[0.0], [1.0], [3.0]]]))
        tensor([20.])
    """
    _check_paths(decode, paths, "paths")

    return _chords(decode, paths).square().sum(1).to(paths)


@torch.no_grad()
def length(decode: Callable[[Tensor], Tensor], paths: Tensor, pieces: int = 1) -> Tensor:
    r"""Return the lengths of paths as their images change.

    .. math:: L = \sum_t \|g(z_{t+1}) - g(z_t)\|

    Chords are shorter than the curve, so the length grows towards
    :math:`\int \|J_g \dot z\| dt` as the path is refined.

    Args:
        decode: codes [N, D] to images [N, ...].
        paths: vertices [B, n, D], n at least 2.
        pieces: into which each segment is cut before it is decoded.

    Returns:
        Lengths [B], in units of an image.

    Raises:
        ValueError: when paths are not finite floats of two points or more, pieces is no whole
            number, or decode doesn't give each code an image of its own, the same each time.

    Source:
        Latent space oddity (Arvanitidis, Hansen and Hauberg, 2018), equation 5.

    Example:
        >>> bow = lambda z: torch.cat([z.cos(), z.sin()], 1)
        >>> half = torch.tensor([[[0.0], [torch.pi]]])
        >>> length(bow, half), length(bow, half, pieces=100)
        (tensor([2.]), tensor([3.1415]))
    """
    _check_paths(decode, paths, "paths")
    _checks.count(pieces, "pieces")
    t = torch.arange(pieces).to(paths)[:, None] / pieces
    cut = torch.lerp(paths[:, :-1, None], paths[:, 1:, None], t).flatten(1, 2)

    return _chords(decode, torch.cat([cut, paths[:, -1:]], 1)).sum(1).to(paths)


class Geodesic(NamedTuple):
    """Paths of least energy: vertices [B, n, D], their lengths [B], which converged, bool [B]."""

    paths: Tensor
    lengths: Tensor
    converged: Tensor


@torch.no_grad()
def geodesic(
    decode: Callable[[Tensor], Tensor],
    start: Tensor,
    end: Tensor,
    n_points: int = 32,
    initial: Tensor | None = None,
    n_steps: int = 100,
    tolerance: float = 1e-4,
) -> Geodesic:
    r"""Find the shortest paths near to given ones, by default to straight lines.

    Each path minimises its discrete energy :math:`\sum_t \|g(z_{t+1}) - g(z_t)\|^2`, its ends
    held, whose minimum has equal chords and the least length. Linearised, the energy is quadratic
    in the inner points, with the blocks

    .. math:: H_{tt} = 2 J_t^\top J_t, \quad H_{t,t+1} = -J_t^\top J_{t+1}, \quad
        b_t = J_t^\top \left( 2 g_t - g_{t-1} - g_{t+1} \right),

    and a step solves :math:`(H + \mu I)\,\delta = -b` (Gauss–Newton, with Levenberg's
    damping). A path takes a step only where it lowers the energy; its damping is relaxed where
    the energy falls as promised, and grows where it doesn't. No second derivative is asked for,
    so that decoders of ReLU have geodesics too, though a path may come to rest at a kink a little
    above its minimum. What is found is a local one.

    Args:
        decode: codes [N, D] to images [N, ...].
        start: where the paths begin [B, D].
        end: where they end [B, D].
        n_points: points of a path, at least 3. Chords between few points may jump over what
            lies between: compare :func:`length` with more pieces.
        initial: paths to begin with [B, n_points, D]; straight lines by default.
        n_steps: steps of a path at most.
        tolerance: a path has converged when a step would lower its energy by less than this
            share of it.

    Returns:
        Paths [B, n_points, D], their lengths by chords [B], no longer than what they began with,
        and whether they converged [B].

    Raises:
        ValueError: when shapes, dtypes or devices differ, a code is not finite, an option is
            outside its range, initial doesn't join the ends, or decode doesn't give each code an
            image of its own, the same each time.

    Source:
        The Riemannian geometry of deep generative models (Shao, Kumar and Fletcher, 2018),
        algorithm 1, for the energy; Numerical optimization (Nocedal and Wright, 2006), section
        10.3, for the steps.

    Example:
        >>> def sphere(z):
        ...     u, v = z.T  # longitude and latitude
        ...     return torch.stack([u.cos() * v.cos(), u.sin() * v.cos(), v.sin()], 1)
        >>> ends = torch.tensor([[0.0, 1.0], [2.0, 1.0]])
        >>> found = geodesic(sphere, ends[:1], ends[1:], n_points=100)
        >>> found.lengths, found.converged
        (tensor([0.9440]), tensor([True]))
        >>> torch.acos(sphere(ends).prod(0).sum())  # along the great circle
        tensor(0.9440)
    """
    _checks.points(start, "start", ("B", "D"))
    _checks.points(end, "end", start.shape)
    _checks.alike(start=start, end=end)
    _checks.count(n_points, "n_points", least=3)
    _checks.count(n_steps, "n_steps")
    _checks.number(tolerance, "tolerance", 0, 1, open=True)
    if initial is None:
        t = torch.linspace(0, 1, n_points).to(start)[:, None]
        initial = torch.lerp(start[:, None], end[:, None], t)
    else:
        _checks.points(initial, "initial", (len(start), n_points, start.shape[1]))
        _checks.alike(start=start, initial=initial)
        if not (torch.equal(initial[:, 0], start) and torch.equal(initial[:, -1], end)):
            raise ValueError("initial must begin at start and end at end")
    pixels = _check_map(decode, initial.flatten(0, 1)[:n_points], "start")

    size = start.shape[1] * (n_points - 2) * pixels * start.element_size()
    parts = initial.split(max(1, _JACOBIANS // size))
    found = [_relax(decode, part, n_steps, tolerance) for part in parts]
    paths = torch.cat([path for path, _ in found])
    lengths, before = (_chords(decode, p).sum(1).to(start) for p in (paths, initial))
    paths = torch.where((lengths > before)[:, None, None], initial, paths)

    return Geodesic(
        paths, torch.minimum(lengths, before), torch.cat([converged for _, converged in found])
    )


@torch.no_grad()
def exp(decode: Callable[[Tensor], Tensor], z: Tensor, v: Tensor, n_steps: int = 32) -> Tensor:
    r"""Return the geodesics that leave codes with given velocities, over unit time.

    They solve, by Runge and Kutta's method of fourth order,

    .. math:: \ddot z = -G^{-1} J^\top\, D^2 g[\dot z, \dot z],

    which leaves the image no acceleration along the surface. A solution keeps its speed
    :math:`\|J \dot z\|`. One that doesn't is refused: its steps were too long, or the decoder is
    not smooth. One of ReLU has no second derivative at its kinks and a zero one between them, and
    its geodesics bend at the kinks only: take :func:`geodesic` there.

    Args:
        decode: codes [N, D] to images [N, ...], twice differentiable.
        z: where they begin [N, D].
        v: velocities [N, D]; the length of a geodesic is the speed of its image, :math:`\|J v\|`.
        n_steps: even steps of time.

    Returns:
        Paths [N, n_steps + 1, D]; the last point is the exponential map of v at z.

    Raises:
        ValueError: when shapes, dtypes or devices differ, a number is not finite, n_steps is no
            whole number, decode doesn't give each code an image of its own, the same each time,
            or a speed changes by more than 1 %.

    Source:
        Riemannian manifolds: an introduction to curvature (Lee, 1997), chapter 5, for the map;
        Latent space oddity (Arvanitidis, Hansen and Hauberg, 2018), equation 7, for its equation.

    Example:
        >>> def sphere(z):
        ...     u, v = z.T  # longitude and latitude
        ...     return torch.stack([u.cos() * v.cos(), u.sin() * v.cos(), v.sin()], 1)
        >>> north = torch.tensor([[0.0, 1.0]])
        >>> exp(sphere, torch.zeros(1, 2), north)[0, -1]  # along the meridian
        tensor([0., 1.])
    """
    _check_bundle(decode, z, v=v)
    _checks.count(n_steps, "n_steps")
    paths, speeds = _shoot(decode, z, v, n_steps)
    _check_speeds(speeds, "v")

    return paths


@torch.no_grad()
def log(decode: Callable[[Tensor], Tensor], z: Tensor, w: Tensor, n_steps: int = 32) -> Tensor:
    r"""Return the velocities with which geodesics leave z and reach w after unit time.

    :func:`geodesic` finds the paths; their first velocities are corrected by Newton's method
    until :func:`exp` arrives.

    Args:
        decode: codes [N, D] to images [N, ...], twice differentiable.
        z: where they begin [N, D].
        w: where they arrive [N, D].
        n_steps: even steps of time.

    Returns:
        Velocities [N, D]. The length of the geodesic is :math:`\|J v\|`, that of its image.

    Raises:
        ValueError: when shapes, dtypes or devices differ, a code is not finite, n_steps is no
            whole number, decode doesn't give each code an image of its own, the same each time,
            or a geodesic doesn't arrive, as happens where the decoder is not smooth.

    Source:
        Riemannian manifolds: an introduction to curvature (Lee, 1997), chapter 5; Numerical
        recipes (Press et al., 2007), section 18.1, for shooting.

    Example:
        >>> cylinder = lambda z: torch.stack([z[:, 0].cos(), z[:, 0].sin(), z[:, 1]], 1)
        >>> log(cylinder, torch.zeros(1, 2), torch.tensor([[2.0, 1.0]]))
        tensor([[2., 1.]])
    """
    _check_bundle(decode, z, w=w)
    _checks.count(n_steps, "n_steps", least=2)
    found = geodesic(decode, z, w, n_steps + 1, tolerance=1e-6).paths
    # Through the first points, a parabola's slope.
    v = n_steps * (2 * (found[:, 1] - z) - 0.5 * (found[:, 2] - z))
    paths, speeds = _shoot(decode, z, v, n_steps)
    _check_speeds(speeds, "w")
    close = torch.finfo(z.dtype).eps ** 0.5
    wanted = close * (w - z).norm(dim=1)

    for _ in range(_CORRECTIONS):
        left = w - paths[:, -1]
        missed = left.norm(dim=1)
        if bool((missed <= wanted).all()):
            break
        step = torch.linalg.lstsq(_spread(decode, z, v, paths[:, -1], n_steps), left[..., None])
        # Halved where it leads no nearer.
        share = torch.ones_like(missed)
        for _ in range(_HALVINGS):
            trial = v + share[:, None] * step.solution[..., 0].nan_to_num(0, 0, 0)
            tried, kept = _shoot(decode, z, trial, n_steps)
            nearer = (w - tried[:, -1]).norm(dim=1) < missed
            if bool((nearer | (missed <= wanted)).all()):
                break
            share = torch.where(nearer, share, share / 2)
        v = torch.where(nearer[:, None], trial, v)
        paths = torch.where(nearer[:, None, None], tried, paths)
        speeds = torch.where(nearer[:, None], kept, speeds)

    missed = (w - paths[:, -1]).norm(dim=1)
    if not bool((missed <= wanted).all()):
        worst = int((missed / wanted.clamp_min(1e-300)).nan_to_num(math.inf).argmax())
        raise ValueError(
            f"w must be reached: the geodesic of row {worst} misses it by "
            f"{missed[worst].item():g}; decode must be smooth, and n_steps enough"
        )
    _check_speeds(speeds, "w")

    return v


@torch.no_grad()
def transport(decode: Callable[[Tensor], Tensor], paths: Tensor, v: Tensor) -> Tensor:
    r"""Carry vectors along paths without turning them, as seen within the images.

    From one vertex to the next a vector goes by the isometry of both tangent spaces that is
    nearest to the orthogonal projection,

    .. math::

        v_{t+1} &= R_{t+1}^{-1}\, U W^\top R_t\, v_t, \\
        J_t = Q_t R_t, &\quad Q_{t+1}^\top Q_t = U S W^\top,

    with orthonormal columns in Q and the right side a singular value decomposition. It keeps
    lengths and angles among the images, and tends to Levi-Civita's parallel transport as the path
    is refined. Only first derivatives are asked for, so that decoders of ReLU will do.

    Args:
        decode: codes [N, D] to images [N, ...].
        paths: vertices [B, n, D], n at least 2.
        v: vectors at the first vertices [B, D].

    Returns:
        The vectors at all vertices [B, n, D]. What of v the decoder ignores is left out of all
        but the first.

    Raises:
        ValueError: when shapes, dtypes or devices differ, a number is not finite, or decode
            doesn't give each code an image of its own, the same each time.

    Source:
        The Riemannian geometry of deep generative models (Shao, Kumar and Fletcher, 2018), for
        vectors projected from one tangent space to the next. That the projection is brought to
        an isometry is our own.

    Example:
        >>> cylinder = lambda z: torch.stack([z[:, 0].cos(), z[:, 0].sin(), z[:, 1]], 1)
        >>> around = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [2.0, 1.0]]])
        >>> transport(cylinder, around, torch.tensor([[1.0, 1.0]]))[0, -1]
        tensor([1., 1.])
    """
    _check_paths(decode, paths, "paths")
    _checks.points(v, "v", (len(paths), paths.shape[2]))
    _checks.alike(paths=paths, v=v)
    carried = [v]
    basis, root, _ = _frame(decode, paths[:, 0])
    within = (root @ double(v)[..., None])[..., 0]
    for t in range(1, paths.shape[1]):
        following, _, back = _frame(decode, paths[:, t])
        left, _, right = torch.linalg.svd(following.mT @ basis)
        within = (left @ right @ within[..., None])[..., 0]
        basis = following
        carried.append((back @ within[..., None])[..., 0].to(v))

    return torch.stack(carried, 1)


@torch.no_grad()
def curvature(decode: Callable[[Tensor], Tensor], z: Tensor, u: Tensor, v: Tensor) -> Tensor:
    r"""Return the sectional curvatures of planes at codes, by Gauss' equation.

    .. math:: K = \frac{\langle \mathrm{I\!I}(u, u), \mathrm{I\!I}(v, v) \rangle
        - \|\mathrm{I\!I}(u, v)\|^2}{\|Ju\|^2 \|Jv\|^2 - \langle Ju, Jv \rangle^2},

    where :math:`\mathrm{I\!I}(u, v)` is the part of :math:`D^2 g[u, v]` at right angles to the
    surface. Positive where geodesics draw together, as on a sphere. A decoder of ReLU is flat
    but for its kinks, which no derivative sees: the answer is 0, as it is between them.

    Args:
        decode: codes [N, D] to images [N, ...], twice differentiable.
        z: codes [N, D].
        u: a first direction of each plane [N, D].
        v: a second one [N, D].

    Returns:
        Curvatures [N], per squared unit of an image.

    Raises:
        ValueError: when shapes, dtypes or devices differ, a number is not finite, decode doesn't
            give each code an image of its own, the same each time, or the images of u and v span
            no plane.

    Source:
        Riemannian manifolds: an introduction to curvature (Lee, 1997), theorem 8.4.

    Example:
        >>> def saddle(z):
        ...     return torch.cat([z, z.prod(1, keepdim=True)], 1)
        >>> axes = torch.eye(2)
        >>> curvature(saddle, torch.zeros(1, 2), axes[:1], axes[1:])
        tensor([-1.])
    """
    _check_bundle(decode, z, u=u, v=v)
    curvatures = []
    size = _codes(z)
    for codes, a, b in zip(z.split(size), u.split(size), v.split(size), strict=True):
        first, aa = (double(t) for t in _twice(decode, codes, a, a))
        second, bb = (double(t) for t in _twice(decode, codes, b, b))
        ab = double(_twice(decode, codes, a, b)[1])
        # An orthonormal basis of the surface: what is left of a second derivative is normal to it.
        basis = torch.linalg.qr(double(_jacobian(decode, codes)).permute(1, 2, 0)).Q
        aa, bb, ab = (t - _along(basis, t) for t in (aa, bb, ab))
        area = (first.square().sum(1) * second.square().sum(1)) - (first * second).sum(1).square()
        flat = area <= 1e-9 * first.square().sum(1) * second.square().sum(1)
        if bool(flat.any()):
            raise ValueError("u and v must span a plane, and so must their images")
        curvatures.append(((aa * bb).sum(1) - ab.square().sum(1)) / area)

    return torch.cat(curvatures).to(z)


def _relax(
    decode: Callable[[Tensor], Tensor], paths: Tensor, n_steps: int, tolerance: float
) -> tuple[Tensor, Tensor]:
    """Paths [B, n, D] of least energy near to the given ones, and which converged [B]."""
    b, n, d = paths.shape
    paths = paths.clone()
    images = _images(decode, paths.flatten(0, 1)).unflatten(0, (b, n))
    least = _energy(images)
    jacobians = paths.new_empty(d, b, n - 2, images.shape[2])
    diagonal, beside = least.new_empty(b, n - 2, d, d), least.new_empty(b, n - 3, d, d)
    damping = torch.full_like(least, 1e-3)
    converged = torch.zeros_like(least, dtype=torch.bool)
    active = changed = torch.arange(b, device=paths.device)

    for _ in range(n_steps):
        if len(changed):
            inner = paths[changed, 1:-1].flatten(0, 1)
            fresh = _jacobian(decode, inner).unflatten(1, (len(changed), n - 2))
            jacobians[:, changed] = fresh
            diagonal[changed] = 2 * double(torch.einsum("dbtp,ebtp->btde", fresh, fresh))
            pairs = torch.einsum("dbtp,ebtp->btde", fresh[:, :, :-1], fresh[:, :, 1:])
            beside[changed] = -double(pairs)
        bend = -images[active].diff(n=2, dim=1)
        slope = double(torch.einsum("dbtp,btp->btd", jacobians[:, active], bend))
        scale = diagonal[active].diagonal(dim1=2, dim2=3).mean((1, 2))
        mu = (damping[active] * scale).clamp_min(1e-300)
        step = _solve(diagonal[active], beside[active], mu, -slope).nan_to_num(0, 0, 0)
        promised = mu * step.square().sum((1, 2)) - (slope * step).sum((1, 2))

        trial = paths[active, 1:-1] + step.to(paths)
        seen = images[active]
        seen[:, 1:-1] = _images(decode, trial.flatten(0, 1)).unflatten(0, trial.shape[:2])
        reached = _energy(seen)
        gain = least[active] - reached
        lower = gain > 0
        kept = gain / promised.clamp_min(1e-300)
        allowed = tolerance * least[active]
        done = (promised <= allowed) | (lower & (gain <= allowed) & (kept > 0.25))

        factor = torch.where(kept > 0.75, 0.2, torch.where(kept > 0.25, 1.0, 4.0)).to(damping)
        damping[active] = (damping[active] * factor).clamp_min(1e-7)
        converged[active] = done
        moved = active[lower]
        paths[moved, 1:-1] = trial[lower]
        images[moved], least[moved] = seen[lower], reached[lower]
        active, changed = active[~done], active[lower & ~done]
        if not len(active):
            break

    return paths, converged


def _solve(diagonal: Tensor, beside: Tensor, mu: Tensor, right: Tensor) -> Tensor:
    """The x [B, m, D] of a symmetric block-tridiagonal system, mu added to its diagonal.

    Its blocks are [B, m, D, D] and above the diagonal [B, m - 1, D, D]; right is [B, m, D].
    """
    diagonal = diagonal + mu[:, None, None, None] * torch.eye(right.shape[2]).to(diagonal)
    roots: list[Tensor] = []
    across: list[Tensor] = []
    reduced: list[Tensor] = []
    for t in range(right.shape[1]):
        block, value = diagonal[:, t], right[:, t, :, None]
        if t:
            block = block - beside[:, t - 1].mT @ across[-1]
            value = value - across[-1].mT @ reduced[-1]
        root, _ = torch.linalg.cholesky_ex(block)
        roots.append(root)
        reduced.append(value)
        if t < beside.shape[1]:
            across.append(torch.cholesky_solve(beside[:, t], root))
    x = [torch.cholesky_solve(reduced[-1], roots[-1])]
    for t in reversed(range(len(across))):
        x.append(torch.cholesky_solve(reduced[t], roots[t]) - across[t] @ x[-1])

    return torch.stack(x[::-1], 1)[..., 0]


def _images(decode: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """Images [N, P] of codes [N, D], some at a time."""
    return torch.cat([decode(part).flatten(1) for part in z.split(_CODES)])


def _energy(images: Tensor) -> Tensor:
    """Energies [B], float64, of paths of images [B, n, P]."""
    return double(images.diff(dim=1)).square().sum((1, 2))


def _chords(decode: Callable[[Tensor], Tensor], paths: Tensor) -> Tensor:
    """Distances [B, n - 1], float64, between the images of successive points [B, n, D]."""
    chords = []
    for part in paths.split(max(1, _CODES // paths.shape[1])):
        images = _images(decode, part.flatten(0, 1)).unflatten(0, part.shape[:2])
        chords.append(double(images.diff(dim=1)).norm(dim=2))

    return torch.cat(chords)


def _jacobian(decode: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """Derivatives [D, N, P] of the images of codes [N, D], by forward mode."""
    directions = torch.eye(z.shape[1]).to(z)
    parts = [
        vmap(lambda v, part=part: jvp(decode, (part,), (v.expand_as(part),))[1])(directions)
        for part in z.split(_codes(z))
    ]

    return torch.cat([part.flatten(2) for part in parts], 1)


def _metric(decode: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """Metrics [N, D, D], float64."""
    metrics = []
    for part in z.split(_codes(z)):
        jacobian = double(_jacobian(decode, part))
        metrics.append(torch.einsum("dnp,enp->nde", jacobian, jacobian))

    return torch.cat(metrics)


def _frame(decode: Callable[[Tensor], Tensor], z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Bases of the tangent spaces [N, P, D], to their coordinates and back [N, D, D], float64.

    Columns for directions that the decoder ignores are zero.
    """
    # Rows of one memory, as `expand` makes them, can't be duals.
    jacobian = double(_jacobian(decode, z.contiguous())).permute(1, 2, 0)
    values, axes = torch.linalg.eigh(jacobian.mT @ jacobian)
    used = values > 10 * torch.finfo(z.dtype).eps * values[:, -1:]
    sizes = torch.where(used, values, 0).sqrt()
    inverse = torch.where(used, values, 1).rsqrt() * used
    back = axes * inverse[:, None]

    return jacobian @ back, sizes[..., None] * axes.mT, back


def _shoot(
    decode: Callable[[Tensor], Tensor], z: Tensor, v: Tensor, n_steps: int
) -> tuple[Tensor, Tensor]:
    """Geodesics [N, n_steps + 1, D] from z with velocity v [N, D], and their speeds, float64."""
    h = 1 / n_steps
    paths, speeds = [z], []
    for _ in range(n_steps):
        a1, speed = _acceleration(decode, z, v)
        a2, _ = _acceleration(decode, z + h / 2 * v, v + h / 2 * a1)
        a3, _ = _acceleration(decode, z + h / 2 * v + h**2 / 4 * a1, v + h / 2 * a2)
        a4, _ = _acceleration(decode, z + h * v + h**2 / 2 * a2, v + h * a3)
        z = z + h * v + h**2 / 6 * (a1 + a2 + a3)
        v = v + h / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
        paths.append(z)
        speeds.append(speed)
    speeds.append(_acceleration(decode, z, v)[1])

    return torch.stack(paths, 1), torch.stack(speeds, 1)


def _acceleration(
    decode: Callable[[Tensor], Tensor], z: Tensor, v: Tensor
) -> tuple[Tensor, Tensor]:
    """The acceleration [N, D] of geodesics at z with velocity v [N, D], and their speed [N]."""
    accelerations, speeds = [], []
    # Directions that the decoder ignores are left alone.
    least = 10 * torch.finfo(z.dtype).eps
    for codes, velocity in zip(z.split(_codes(z)), v.split(_codes(z)), strict=True):
        moving, bend = (double(t) for t in _twice(decode, codes, velocity, velocity))
        jacobian = double(_jacobian(decode, codes))
        metrics = torch.einsum("dnp,enp->nde", jacobian, jacobian)
        pull = torch.einsum("dnp,np->nd", jacobian, bend)
        inverse = torch.linalg.pinv(metrics.nan_to_num(0, 0, 0), rtol=least, hermitian=True)
        accelerations.append(-(inverse @ pull[..., None])[..., 0].to(z))
        speeds.append(moving.norm(dim=1))

    return torch.cat(accelerations), torch.cat(speeds)


def _spread(
    decode: Callable[[Tensor], Tensor], z: Tensor, v: Tensor, reached: Tensor, n_steps: int
) -> Tensor:
    """How the points that v reaches from z move with v, [N, D, D], by differences."""
    d = z.shape[1]
    step = torch.finfo(z.dtype).eps ** (1 / 3) * v.norm(dim=1).clamp_min(1e-9)
    moved = v + step[:, None] * torch.eye(d).to(z)[:, None]
    ends = _shoot(decode, z.repeat(d, 1), moved.flatten(0, 1), n_steps)[0][:, -1]

    return ((ends.unflatten(0, (d, len(z))) - reached) / step[:, None]).permute(1, 2, 0)


def _twice(
    decode: Callable[[Tensor], Tensor], z: Tensor, u: Tensor, v: Tensor
) -> tuple[Tensor, Tensor]:
    """The derivative along u, and the second along u and v, of the images of codes, [N, P]."""

    def along(codes: Tensor) -> Tensor:
        return jvp(decode, (codes,), (u.contiguous(),))[1]

    # Rows of one memory, as `expand` makes them, can't be duals.
    first, second = jvp(along, (z.contiguous(),), (v.contiguous(),))[:2]

    return first.flatten(1), second.flatten(1)


def _along(basis: Tensor, x: Tensor) -> Tensor:
    """The part of x [N, P] in the span of orthonormal columns [N, P, D]."""
    return (basis @ (basis.mT @ x[..., None]))[..., 0]


def _codes(z: Tensor) -> int:
    """How many codes to derive at a time."""
    return max(1, _CODES // z.shape[1])


def _check_bundle(decode: Callable[[Tensor], Tensor], z: Tensor, **vectors: Tensor) -> None:
    _checks.points(z, "z", ("N", "D"))
    for name, vector in vectors.items():
        _checks.points(vector, name, tuple(z.shape))
    _checks.alike(z=z, **vectors)
    _check_map(decode, z, "z")


def _check_speeds(speeds: Tensor, name: str) -> None:
    """Refuse geodesics whose speed [N, T] isn't what it was."""
    drift = (speeds - speeds[:, :1]).abs().amax(1)
    bad = ~(drift <= _DRIFT * speeds[:, 0])
    if bool(bad.any()):
        i = int(bad.nonzero()[0])
        raise ValueError(
            f"{name} must lead along geodesics: in row {i} a speed of {speeds[i, 0].item():g} "
            f"changes by {drift[i].item():g}; decode must be smooth, and n_steps enough"
        )


def _check_paths(decode: Callable[[Tensor], Tensor], paths: Tensor, name: str) -> None:
    _checks.points(paths, name, ("B", "n", "D"))
    if paths.shape[1] < 2:
        raise ValueError(f"{name} must have at least 2 points each, got {list(paths.shape)}")
    _check_map(decode, paths[0], name)


def _check_map(decode: Callable[[Tensor], Tensor], z: Tensor, name: str) -> int:
    """Refuse what gives codes [N, D] no images, or no steady ones, and return their pixels."""
    if not callable(decode):
        raise ValueError(f"decode must map codes to images, got {decode!r}")
    both = z[[0, -1]]
    images = decode(both)
    if not isinstance(images, Tensor) or images.ndim < 2 or len(images) != 2:
        found = list(images.shape) if isinstance(images, Tensor) else repr(images)
        raise ValueError(f"decode must map 2 codes to images [2, ...], got {found}")
    images = images.flatten(1)
    _checks.points(images, f"decode({name})", (2, "pixels"))
    again = decode(both[[0, 0]]).flatten(1)
    if not torch.allclose(again[0], images[0], rtol=1e-3, atol=1e-3 * images.abs().max().item()):
        raise ValueError(
            "decode must treat each code by itself, and the same each time: is its model in "
            "training mode? Call eval() first"
        )

    return images.shape[1]
