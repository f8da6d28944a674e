"""The results of the chapters on classes, their map and many dimensions, against other truths.

A test bears the label of its result. Integrals are sums over grids or SciPy's closed forms;
averages over draws have fixed seeds and limits of 5 standard errors, which a right result
exceeds once in 1.7 million times a number, some two hundred numbers in this file.
"""

import ast
import json
import math
from itertools import combinations, pairwise, permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import linalg, stats
from scipy.spatial import distance
from torch import Tensor

from vaebook import objectives, recipes, tables
from vaebook.latent import mixtures, paths
from vaebook.models import Codes

ROOT = Path(__file__).resolve().parent.parent.parent
Z = np.linspace(-14, 14, 8001)
DZ = Z[1] - Z[0]
PRIOR = stats.norm.pdf(Z)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def kl(p: np.ndarray, q: np.ndarray) -> float:
    """KL of two densities on Z."""
    there = p > 1e-300
    return float((p[there] * np.log(p[there] / q[there])).sum() * DZ)


def agrees(draws: np.ndarray, truth: np.ndarray | float, errors: float = 5.0) -> bool:
    """Tell whether the mean of draws [N, ...] lies within so many standard errors of the truth."""
    standard_error = draws.std(0, ddof=1) / math.sqrt(len(draws))
    return bool((np.abs(draws.mean(0) - truth) <= errors * standard_error).all())


def random_codes(seed: int, n: int, d: int) -> tuple[Tensor, Tensor]:
    gen = generator(seed)
    mu = 1.5 * torch.randn(n, d, generator=gen, dtype=torch.float64)
    return mu, torch.randn(n, d, generator=gen, dtype=torch.float64) - 1


# --- Where the classes live ---------------------------------------------------------------------


@pytest.mark.slow
def test_prop_mixtures_two_errors() -> None:
    """Images are numbers x ~ N(1, 1) of a class; q and p(z|x) are Gaussians on a line."""

    def q(x: np.ndarray) -> np.ndarray:
        return stats.norm.pdf(Z[::40], np.sin(x)[..., None], 0.3 + 0.2 * np.cos(x)[..., None] ** 2)

    # 1. Mean and variance over repeated sets of images, against sums over x.
    n, rng = 12, np.random.default_rng(0)
    x = np.linspace(-7, 9, 4001)
    weights = stats.norm.pdf(x, 1, 1) * (x[1] - x[0])
    truth = weights @ q(x)
    variance = weights @ q(x) ** 2 - truth**2
    sets = q(rng.normal(1, 1, (4000, n))).mean(1)
    inner = (np.abs(Z[::40]) < 1.5).nonzero()[0]
    assert agrees(sets[:, inner], truth[inner])
    squares = n * (sets[:, inner] - truth[inner]) ** 2
    assert agrees(squares, variance[inner])
    assert not agrees(squares, 1.5 * variance[inner])

    # The package's density is this average of Gaussians.
    some = rng.normal(1, 1, n)
    mu, sd = torch.from_numpy(np.sin(some)), torch.from_numpy(0.3 + 0.2 * np.cos(some) ** 2)
    ours = mixtures.log_density(
        torch.from_numpy(Z[::40])[:, None], mu[:, None], 2 * sd.log()[:, None]
    )
    np.testing.assert_allclose(ours.exp().numpy(), q(some).mean(0), rtol=1e-9, atol=1e-290)

    # 2. The divergence of the mixtures is at most the mean divergence, and not always equal.
    images = np.linspace(-2, 4, 41)
    weight = stats.norm.pdf(images, 1, 1)
    weight /= weight.sum()
    encoder = stats.norm.pdf(Z, np.sin(images)[:, None], 0.5)
    posterior = stats.norm.pdf(Z, 0.8 * np.sin(images + 0.2)[:, None], 0.7)
    mean_kl = sum(w * kl(a, b) for w, a, b in zip(weight, encoder, posterior, strict=True))
    assert 0 < kl(weight @ encoder, weight @ posterior) < mean_kl


@pytest.mark.slow
def test_prop_mixtures_not_sum() -> None:
    mu, logvar = random_codes(1, 5, 2)
    sd, gen = (0.5 * logvar).exp(), generator(2)
    parts = mu + sd * torch.randn(200_000, 5, 2, generator=gen, dtype=torch.float64)
    pick = torch.randint(5, (200_000,), generator=gen)
    centre = mu.mean(0)
    moved = mu - centre
    claims = {
        "sum": (parts.sum(1), 5 * centre, logvar.exp().sum(0).diag()),
        "average": (parts.mean(1), centre, logvar.exp().sum(0).diag() / 25),
        "mixture": (
            parts[torch.arange(200_000), pick],
            centre,
            logvar.exp().mean(0).diag() + moved.T @ moved / 5,
        ),
    }
    for name, (draws, mean, covariance) in claims.items():
        assert agrees(draws.numpy(), mean.numpy()), name
        centred = (draws - mean).numpy()
        squares = centred[:, :, None] * centred[:, None, :]
        assert agrees(squares, covariance.numpy()), name
        assert not agrees(squares, 1.1 * covariance.numpy()), name
        normal = stats.kstest(centred[:20_000, 0] / math.sqrt(covariance[0, 0]), "norm").pvalue
        assert (normal < 1e-9) if name == "mixture" else (normal > 1e-4), name


@pytest.mark.slow
def test_prop_mixtures_moments() -> None:
    """Against sums over a line, and for the outer product against draws in five dimensions."""
    mu, logvar = random_codes(3, 7, 1)
    found = mixtures.class_moments(mu, logvar, torch.zeros(7, dtype=torch.long))
    density = stats.norm.pdf(Z, mu, (0.5 * logvar).exp()).mean(0)
    mean = (Z * density).sum() * DZ
    assert found.means[0, 0].item() == pytest.approx(mean, rel=1e-9)
    variance = ((Z - mean) ** 2 * density).sum() * DZ
    assert found.covariances[0, 0, 0].item() == pytest.approx(variance, rel=1e-9)

    mu, logvar = random_codes(4, 30, 5)
    found = mixtures.class_moments(mu, logvar, torch.zeros(30, dtype=torch.long))
    rng = np.random.default_rng(5)
    pick = rng.integers(30, size=200_000)
    draws = mu.numpy()[pick] + np.exp(0.5 * logvar.numpy()[pick]) * rng.normal(size=(200_000, 5))
    centred = draws - found.means[0].numpy()
    squares = centred[:, :, None] * centred[:, None, :]
    assert agrees(squares, found.covariances[0].numpy())
    # The square in place of the outer product, as the diagonal matrix of squares.
    second = found.covariances[0] + found.means[0].outer(found.means[0])
    assert not agrees(squares, (second - found.means[0].square().diag()).numpy())


def test_prop_mixtures_narrow() -> None:
    """N(0, I) cut into slices: the moments of the slices are those of truncated normals."""
    cuts = [-np.inf, -0.8, 0.1, 1.2, np.inf]
    total, means = np.zeros((2, 2)), np.zeros((2, 2))
    for low, high in pairwise(cuts):
        piece = stats.truncnorm(low, high)
        share = stats.norm.cdf(high) - stats.norm.cdf(low)
        total += share * np.diag([piece.var(), 1.0])
        mean = np.array([piece.mean(), 0.0])
        means += share * np.outer(mean, mean)
    np.testing.assert_allclose(total, np.eye(2) - means, atol=1e-9)
    assert total[0, 0] < 0.3
    assert total[1, 1] == pytest.approx(1)  # narrower only where the means differ


def test_prop_mixtures_information() -> None:
    """Six encodings on a line in two classes: every term by quadrature."""
    mu, logvar = random_codes(6, 6, 1)
    labels = np.array([0, 0, 1, 0, 1, 1])
    parts = stats.norm.pdf(Z, mu, (0.5 * logvar).exp())
    aggregate = parts.mean(0)
    kinds = [parts[labels == c].mean(0) for c in (0, 1)]
    mean_kl = np.mean([kl(p, PRIOR) for p in parts])
    cloud = kl(aggregate, PRIOR)
    which_class = np.mean([kl(k, aggregate) for k in kinds])
    which_image = np.mean([kl(p, kinds[c]) for p, c in zip(parts, labels, strict=True)])
    assert min(cloud, which_class, which_image) > 0.05
    assert mean_kl == pytest.approx(cloud + which_class + which_image, rel=1e-9)
    per_class = np.mean([kl(k, PRIOR) for k in kinds])
    assert per_class == pytest.approx(cloud + which_class, rel=1e-9)

    ours = mixtures.aggregate_information(mu, logvar, n_samples=20_000, generator=generator(7))
    assert ours.mean_kl == pytest.approx(mean_kl, rel=1e-6)
    for estimate, truth in (
        (ours.marginal_kl, cloud),
        (ours.information, which_class + which_image),
    ):
        assert abs(estimate.value - truth) < 5 * estimate.standard_error


def test_prop_mixtures_held_out() -> None:
    """Six encodings on a line, some densities and rules: every term by quadrature."""
    mu, logvar = random_codes(6, 6, 1)
    labels = np.array([0, 0, 1, 0, 1, 1])
    parts = stats.norm.pdf(Z, mu, (0.5 * logvar).exp())
    aggregate = parts.mean(0)
    cloud, information = kl(aggregate, PRIOR), np.mean([kl(p, aggregate) for p in parts])
    told = np.mean([kl(parts[labels == c].mean(0), aggregate) for c in (0, 1)])
    joint = np.stack([parts[labels == c].sum(0) / 6 for c in (0, 1)])
    for mean, sd in ((0.0, 1.0), (0.3, 2.0), (-0.5, 1.4)):
        r = stats.norm.pdf(Z, mean, sd)
        gain = float((aggregate * np.log(r / PRIOR)).sum() * DZ)
        over = np.mean([kl(p, r) for p in parts])
        assert cloud - gain == pytest.approx(kl(aggregate, r), rel=1e-6)
        assert over - information == pytest.approx(kl(aggregate, r), rel=1e-6)
        assert kl(aggregate, r) > 0.01
        rule = 1 / (1 + np.exp(-mean - sd * Z))
        log_rule = np.log(np.stack([1 - rule, rule]).clip(1e-300))
        assert math.log(2) + (joint * log_rule).sum() * DZ < told
    exact = np.log((joint / joint.sum(0)).clip(1e-300))
    assert math.log(2) + (joint * exact).sum() * DZ == pytest.approx(told, rel=1e-6)


def page_of(chapter: str, *names: str) -> dict[str, Any]:
    """The functions of these names as a chapter defines them."""
    cells = json.loads((ROOT / "chapters" / f"{chapter}.ipynb").read_text(encoding="utf-8"))[
        "cells"
    ]
    space: dict[str, Any] = {"math": math, "np": np, "torch": torch, "mixtures": mixtures}
    for cell in cells:
        if cell["cell_type"] == "code" and "first-cell" not in cell["id"]:
            body = ast.parse("".join(cell["source"])).body
            wanted = [n for n in body if isinstance(n, ast.FunctionDef) and n.name in names]
            exec(compile(ast.Module(wanted, []), chapter, "exec"), space)
    return {name: space[name] for name in names}


def test_what_the_pages_define_is_what_the_package_has() -> None:
    page = page_of("04_class_mixtures", "log_mixture", "moments", "bayes_rule")
    mu, logvar = random_codes(20, 60, 3)
    labels = torch.arange(60) % 10
    z = random_codes(21, 8, 3)[0]
    torch.testing.assert_close(
        page["log_mixture"](z, mu, logvar), mixtures.log_density(z, mu, logvar)
    )
    found = mixtures.class_moments(mu, logvar, labels)
    mean, covariance = page["moments"](mu[labels == 3], logvar[labels == 3])
    torch.testing.assert_close(mean, found.means[3])
    torch.testing.assert_close(covariance, found.covariances[3])
    torch.testing.assert_close(
        page["bayes_rule"](Codes(mu, logvar, labels), z),
        mixtures.log_posterior(z, mu, logvar, labels),
    )


def test_the_drawn_layout_is_compared_in_ten_planes() -> None:
    """What the page says of the drawing and of two seeds, by SciPy from the table."""
    rows = tables.load("class_planes").rows
    assert [row["seed"] for row in rows] == list(range(10))
    planes = np.array([row["means"] for row in rows])
    measured = [distance.pdist(plane) for plane in planes]
    paper = np.zeros((10, 2))
    for line, digits in enumerate(("17", "253", "08694")):
        for column, digit in enumerate(digits):
            paper[int(digit)] = column - 0.5 * len(digits), -line
    found = [stats.spearmanr(distance.pdist(paper), m).statistic for m in measured]
    low, high = stats.t.interval(0.95, 9, np.mean(found), stats.sem(found))
    seeds = [stats.spearmanr(a, b).statistic for a, b in combinations(measured, 2)]
    assert 0.2 < low < 0.5  # something of the layout, by the rule that the study sets
    assert high < min(seeds)  # any two seeds have more in common

    # The classes' own variance is positive definite in every plane.
    xx, xy, yy = np.moveaxis(np.array([row["covariances"] for row in rows]), -1, 0)
    assert (xx * yy > xy**2).all()


def test_a_plane_keeps_most_neighbours_and_fewer_than_eight_dimensions() -> None:
    """By the Bhattacharyya distance in both, from SciPy's distances and determinants."""

    def apart(means: np.ndarray, covariances: np.ndarray) -> np.ndarray:
        found = np.full((10, 10), np.inf)
        for i, j in permutations(range(10), 2):
            s = (covariances[i] + covariances[j]) / 2
            found[i, j] = distance.mahalanobis(means[i], means[j], np.linalg.inv(s)) ** 2 / 8
            volumes = [np.linalg.slogdet(c)[1] for c in (s, covariances[i], covariances[j])]
            found[i, j] += volumes[0] / 2 - (volumes[1] + volumes[2]) / 4
        return found

    in_plane, in_deep = [], []
    for row in tables.load("class_planes").rows:
        covariances = np.array(row["covariances"])[:, [0, 1, 1, 2]].reshape(10, 2, 2)
        in_plane.append(apart(np.array(row["means"]), covariances))
    for seed in range(5):
        codes = recipes.load(f"mnist-small-8d-s{seed}").codes
        assert codes.labels is not None
        members = [codes.labels.numpy() == c for c in range(10)]
        mu, own = codes.mu.double().numpy(), codes.logvar.double().exp().numpy()
        spread = [np.cov(mu[m].T, bias=True) + np.diag(own[m].mean(0)) for m in members]
        in_deep.append(apart(np.array([mu[m].mean(0) for m in members]), np.array(spread)))
    plane, deep = ([d.argmin(1).tolist() for d in group] for group in (in_plane, in_deep))

    def shared(runs: list[list[int]]) -> float:
        return float(np.mean([np.equal(a, b).mean() for a, b in combinations(runs, 2)]))

    def firm(runs: tuple[list[int], ...]) -> int:
        return sum(len({*neighbours}) == 1 for neighbours in zip(*runs, strict=True))

    assert 0.5 < shared(plane) < shared(deep)
    assert max(firm(five) for five in combinations(plane, 5)) < firm(tuple(deep))

    # The layout as a whole suffers little.
    def alike(group: list[np.ndarray]) -> float:
        sides = [d[np.triu_indices(10, 1)] for d in group]
        return float(
            np.median([stats.spearmanr(a, b).statistic for a, b in combinations(sides, 2)])
        )

    assert alike(in_deep) - 0.1 < alike(in_plane) < alike(in_deep)


def test_seeds_agree_better_about_room_than_about_volume() -> None:
    """What chapter 6 says of the order of the classes, in log-determinants by NumPy."""
    volume, own = [], []
    for seed in range(5):
        codes = recipes.load(f"mnist-small-8d-s{seed}").codes
        assert codes.labels is not None
        mu, logvar = codes.mu.double().numpy(), codes.logvar.double().numpy()
        members = [codes.labels.numpy() == c for c in range(10)]
        spread = [np.cov(mu[m].T, bias=True) + np.diag(np.exp(logvar[m]).mean(0)) for m in members]
        volume.append(np.linalg.slogdet(np.array(spread))[1] / 2)
        own.append([logvar[m].sum(1).mean() / 2 for m in members])

    def orders(values: np.ndarray) -> list[float]:
        return [stats.spearmanr(a, b).statistic for a, b in combinations(values, 2)]

    room = orders(np.array(volume) - np.array(own))
    assert min(room) > 0.7
    assert min(room) > min(orders(np.array(volume))) + 0.3


@pytest.mark.slow
def test_a_classifier_keeps_half_of_the_neighbours_that_another_vae_keeps() -> None:
    """What the page counts, by scikit-learn's search; and the order that the page speaks of."""
    from sklearn.neighbors import NearestNeighbors

    def kept(a: np.ndarray, b: np.ndarray) -> float:
        near = [NearestNeighbors(n_neighbors=10).fit(x).kneighbors()[1] for x in (a, b)]
        return 100 * float(np.mean([len({*i} & {*j}) for i, j in zip(*near, strict=True)])) / 10

    names = ("mnist-small-8d-s0", "mnist-small-8d-s1", "mnist-classifier")
    codes, other, features = (recipes.load(name).codes.mu[:2000] for name in names)
    page = page_of("05_map_of_classes", "ten_nearest", "share_kept")
    for b in (other, features):
        found = page["share_kept"](*map(page["ten_nearest"], (codes, b)))
        assert found == pytest.approx(kept(codes.double().numpy(), b.double().numpy()), abs=0.1)

    rows = tables.load("class_neighbours").where(source="neighbours")
    assert [row["seed"] for row in rows] == list(range(5))
    share = {key: np.array([row[key] for row in rows]) for key in rows[0] if key != "source"}
    everywhere = {key: values[:, 0] for key, values in share.items() if values.ndim == 2}
    order = ("vaes", "pixels", "classifier", "untrained", "encoder", "label", "shuffled")
    for more, less in pairwise(order):
        assert (everywhere[more] > everywhere[less]).all()
    assert (everywhere["classifiers"] > 1.5 * everywhere["classifier"]).all()
    # Of the neighbours that the pixels lack.
    beyond = {
        key: np.array([row["beyond"][key][0] for row in rows])
        for key in ("vaes", "classifier", "untrained")
    }
    for more, less in pairwise(beyond):
        ahead = beyond[more] - beyond[less]
        assert stats.t.interval(0.95, 4, ahead.mean(), stats.sem(ahead))[0] > 5
    # Within the class training adds less, something still, and five points are undecided.
    sides = np.array(
        [np.subtract(row["beyond"]["classifier"], row["beyond"]["untrained"]) for row in rows]
    )
    for gap, inside in ((sides[:, 1], 5), (sides[:, 0] - sides[:, 1], 2)):
        low, high = stats.t.interval(0.95, 4, gap.mean(), stats.sem(gap))
        assert 0 < low < inside < high
    # Not the number of dimensions alone: a few that keep much of the pixels do as well as many.
    assert (everywhere["components"] > 2 * everywhere["linear_8"]).all()
    # Among random maps 64 dimensions have more in common with the codes than eight.
    for many, few in (("wide", "encoder"), ("untrained", "narrow")):
        ahead = everywhere[many] - everywhere[few]
        assert stats.t.interval(0.95, 4, ahead.mean(), stats.sem(ahead))[0] > 5
    assert everywhere["classifier"] / everywhere["vaes"] == pytest.approx(0.5, abs=0.05)
    # While the VAE finds the second half of its neighbours, it comes no nearer to the classifier.
    (film,) = tables.load("class_neighbours").where(source="film")
    own, theirs = (np.array(film["shares"]["vae"][end])[5:, 0] for end in ("vae", "classifier"))
    assert own[0] < 60
    assert own[-1] == 100
    assert np.ptp(theirs) < 2
    # Chance, of ten among 1,999 and within the class.
    sizes = torch.bincount(recipes.load(names[0]).codes.labels[:2000], minlength=10)
    assert everywhere["shuffled"].mean() == pytest.approx(1000 / 1999, abs=0.1)
    within = 1000 * float((sizes / (sizes - 1)).sum()) / 2000
    assert share["label"][:, 1].mean() == pytest.approx(within, abs=0.3)


def test_prop_mixtures_bhattacharyya() -> None:
    """The least error by quadrature lies between the bounds, for the package's distances."""
    rng = np.random.default_rng(8)
    tight = 0
    for _ in range(40):
        means, sds = rng.normal(size=2) * 2, rng.uniform(0.3, 2, size=2)
        p, q = (stats.norm.pdf(Z, m, s) for m, s in zip(means, sds, strict=True))
        error = 0.5 * np.minimum(p, q).sum() * DZ
        d = mixtures.bhattacharyya(
            torch.from_numpy(means)[:, None], torch.from_numpy(sds)[:, None, None] ** 2
        )[0, 1].item()
        assert d == pytest.approx(-math.log(np.sqrt(p * q).sum() * DZ), abs=1e-6)
        low, high = 0.5 * (1 - math.sqrt(1 - math.exp(-2 * d))), 0.5 * math.exp(-d)
        assert low - 1e-9 <= error <= high + 1e-9
        tight += error > 0.5 * high
    assert tight > 10


# --- Seeing more than three dimensions ----------------------------------------------------------


def orthogonal(seed: int, d: int) -> Tensor:
    """A uniform orthogonal matrix, from SciPy."""
    draw = stats.ortho_group(d, seed=seed).rvs()
    return torch.from_numpy(np.atleast_2d(draw))


def off_diagonal(matrices: Tensor) -> float:
    """The largest entry off the diagonal, in size."""
    diagonal = matrices.diagonal(dim1=-2, dim2=-1).diag_embed()
    return (matrices - diagonal).abs().max().item()


@pytest.mark.slow
def test_prop_dims_axes() -> None:
    mu, logvar = random_codes(9, 6, 3)
    covariances = logvar.exp().diag_embed()
    rotation = orthogonal(10, 3)
    turned = rotation @ covariances @ rotation.T

    # 1. The KL terms stay, and so does what the decoder makes of matched draws.
    prior = torch.zeros(6, 3).double(), torch.eye(3).double().expand(6, 3, 3)
    before = objectives.gaussian_kl(mu, covariances, *prior)
    after = objectives.gaussian_kl(mu @ rotation.T, turned, *prior)
    torch.testing.assert_close(before, after)
    torch.testing.assert_close(before, objectives.kl_divergence(mu, logvar))
    weight = random_codes(11, 5, 3)[0]
    z = random_codes(12, 20, 3)[0]
    torch.testing.assert_close((z @ weight.T).sin(), (z @ rotation.T @ rotation @ weight.T).sin())

    # 2. Signed permutations keep them diagonal, all 48 of them; 500 other rotations do not.
    for order, signs in product(permutations(range(3)), product((-1.0, 1.0), repeat=3)):
        signed = torch.eye(3).double()[list(order)] * torch.tensor(signs).double()
        assert off_diagonal(signed @ covariances @ signed.T) < 1e-12
    for seed in range(500):
        other = orthogonal(1000 + seed, 3)
        if other.abs().amax(1).min() < 0.999:
            assert off_diagonal(other @ covariances @ other.T) > 1e-4

    # 3. Round posteriors are round from every side.
    round_ones = torch.rand(6, 1, 1).double() * torch.eye(3).double()
    assert off_diagonal(rotation @ round_ones @ rotation.T) < 1e-12


@pytest.mark.slow
def test_prop_dims_volume() -> None:
    """Against SciPy's entropy, an ellipse counted on a grid, and determinants."""
    covariance = np.array([[1.3, 0.6], [0.6, 0.8]])
    half = 0.5 * np.linalg.slogdet(covariance)[1]
    entropy = stats.multivariate_normal(cov=covariance).entropy()
    assert half + math.log(2 * math.pi * math.e) == pytest.approx(entropy)

    axis = np.linspace(-4, 4, 2001)
    points = np.stack(np.meshgrid(axis, axis), -1)
    inside = (points @ np.linalg.inv(covariance) * points).sum(-1) <= 1.5**2
    area = inside.sum() * (axis[1] - axis[0]) ** 2
    formula = math.pi / math.gamma(2) * 1.5**2 * math.exp(half)
    assert area == pytest.approx(formula, rel=2e-3)

    stretch = random_codes(13, 5, 5)[0].numpy()
    mu, logvar = random_codes(14, 60, 5)
    moments = mixtures.class_moments(mu, logvar, torch.arange(60) % 3)
    changes = [
        0.5 * (np.linalg.slogdet(stretch @ c @ stretch.T)[1] - np.linalg.slogdet(c)[1])
        for c in moments.covariances.numpy()
    ]
    np.testing.assert_allclose(changes, math.log(abs(np.linalg.det(stretch))), rtol=1e-9)


def test_prop_dims_angles() -> None:
    rng = np.random.default_rng(15)
    u, v = (np.linalg.qr(rng.normal(size=(7, 3)))[0] for _ in range(2))
    cosines = np.linalg.svd(u.T @ v, compute_uv=False)
    np.testing.assert_allclose(np.sort(cosines), np.sort(np.cos(linalg.subspace_angles(u, v))))
    overlap = (np.linalg.norm(u.T @ v) ** 2) / 3
    assert overlap == pytest.approx((cosines**2).mean())
    assert np.linalg.norm(u.T @ u) ** 2 / 3 == pytest.approx(1)

    # The mean over uniform subspaces is k / D.
    draws = rng.normal(size=(20_000, 7, 3))
    bases = np.linalg.qr(draws)[0]
    values = (np.einsum("di,ndj->nij", u, bases) ** 2).sum((1, 2)) / 3
    assert agrees(values, 3 / 7)
    assert not agrees(values, 3 / 8)


def test_alg_dims_held_karp() -> None:
    """Against all permutations, distances that lack the triangle inequality among them."""
    rng = np.random.default_rng(16)
    for n in (2, 5, 7):
        d = rng.exponential(size=(n, n))
        d = d + d.T
        tour = paths.shortest_tour(torch.from_numpy(d))
        every = [sum(d[a, b] for a, b in pairwise(p)) for p in permutations(range(n))]
        assert tour.length == pytest.approx(min(every))
        order = tour.order.tolist()
        assert sorted(order) == list(range(n))
        assert sum(d[a, b] for a, b in pairwise(order)) == pytest.approx(tour.length)


def test_prop_dims_procrustes() -> None:
    """Against a scan over all turns and reflections of the plane, and SciPy in five dimensions."""
    rng = np.random.default_rng(17)
    a, b = rng.normal(size=(2, 40, 2))
    u, s, vt = np.linalg.svd(a.T @ b)
    formula = (a**2).sum() + (b**2).sum() - 2 * s.sum()
    assert ((a @ u @ vt - b) ** 2).sum() == pytest.approx(formula)
    t = np.linspace(0, 2 * math.pi, 20_001)
    turns = np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]]).transpose(2, 0, 1)
    both = np.concatenate([turns, turns * np.array([1, -1])])
    scanned = (a**2).sum() + (b**2).sum() - 2 * np.einsum("nij,ij->n", both, a.T @ b)
    assert scanned.min() == pytest.approx(formula, rel=1e-6)
    assert scanned.min() >= formula - 1e-9

    a, b = rng.normal(size=(2, 30, 5))
    theirs, total = linalg.orthogonal_procrustes(a, b)
    u, s, vt = np.linalg.svd(a.T @ b)
    np.testing.assert_allclose(u @ vt, theirs, atol=1e-12)
    assert s.sum() == pytest.approx(total)
