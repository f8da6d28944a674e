"""What the study of projections measures, against its definitions, and what its table decides."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vaebook import recipes, tables

pytestmark = pytest.mark.slow

ROWS = tables.load("projections").rows
BOTH = ("t-SNE", "UMAP")


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    """The names of the study's file."""
    path = Path(__file__).resolve().parents[2] / "experiments" / "projections.py"
    return tables.from_file(path).row.__globals__


def of(data: str) -> list[dict[str, Any]]:
    return [row for row in ROWS if row["data"] == data]


def agree(data: str, condition: Callable[[dict[str, Any]], bool]) -> int:
    """In how many of the five seeds a condition holds."""
    rows = of(data)
    assert [row["seed"] for row in rows] == list(range(5))
    return sum(condition(row) for row in rows)


def tear(row: dict[str, Any], method: str) -> float:
    return row[method]["torn_between"] - row[method]["torn_within"]


@pytest.fixture(scope="module")
def cloud() -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Points, a plane of them, and classes."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(90, 4))
    return points, points[:, :2] + 0.3 * rng.normal(size=(90, 2)), np.arange(90) % 3


def test_each_measure_is_what_the_study_says(study: dict[str, Any], cloud: tuple) -> None:
    points, plane, labels = cloud
    found = study["judged"](points, plane, labels)
    apart, near = (np.linalg.norm(x[:, None] - x, axis=2) for x in (points, plane))
    was, now = (np.argsort(d, 1).argsort(1) for d in (apart, near))  # ranks, 0 for oneself
    n, k = 90, 10
    scale = 2 / (n * k * (2 * n - 3 * k - 1))
    shown, true = (now <= k) & (now > 0), (was <= k) & (was > 0)
    assert found["kept"] == pytest.approx(1 - scale * np.maximum(was - k, 0)[shown].sum())
    assert found["found"] == pytest.approx(1 - scale * np.maximum(now - k, 0)[true].sum())
    same = labels[:, None] == labels
    assert found["same"] == pytest.approx(same[shown].mean())
    assert found["same_true"] == pytest.approx(same[true].mean())
    assert found["torn_within"] == pytest.approx((now > 50)[true & same].mean())
    assert found["torn_between"] == pytest.approx((now > 50)[true & ~same].mean())


def test_a_plane_of_flat_points_keeps_everything(study: dict[str, Any], cloud: tuple) -> None:
    _, plane, labels = cloud
    flat = np.concatenate([3 * plane, np.zeros((90, 2))], 1)
    found = study["judged"](flat, study["principal"](flat), labels)
    assert found["kept"] == found["found"] == 1
    assert found["gaps"] == found["radii"] == pytest.approx(1)
    assert found["spread"] == pytest.approx(found["spread_true"])
    assert found["torn_within"] == found["torn_between"] == 0


def test_islands_tell_clusters_from_a_disc(study: dict[str, Any]) -> None:
    rng = np.random.default_rng(1)
    centres = 10 * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    apart = np.concatenate([rng.normal(c, 1, (60, 2)) for c in centres])
    disc = rng.normal(size=(240, 3))
    disc /= np.linalg.norm(disc, axis=1, keepdims=True)  # its shadow on a plane is no island
    assert study["islands"](apart) > 0.7
    assert study["islands"](disc[:, :2]) < 0.5


def test_the_ball_has_no_clusters_and_the_moments_of_the_codes(study: dict[str, Any]) -> None:
    codes = study["model_of"]("digits", 0).codes.mu.numpy()
    points, cells = study["points_of"]("ball", 0)
    error = np.sqrt(codes.var(0) / len(points))
    assert (np.abs(points.mean(0) - codes.mean(0)) < 5 * error).all()
    np.testing.assert_allclose(np.cov(points.T), np.cov(codes.T), atol=0.2)
    assert np.bincount(cells).min() > 40


def test_three_clouds_have_the_ratios_that_the_page_names() -> None:
    for row in of("three"):
        assert row["truth"]["radius"] == pytest.approx(5, rel=0.1)
        assert row["truth"]["gap"] == pytest.approx(5, rel=0.05)


@pytest.mark.parametrize("data", ["digits", "clothes"])
@pytest.mark.parametrize("method", BOTH)
def test_neighbours_are_kept_and_sizes_are_not_evened_out(data: str, method: str) -> None:
    assert agree(data, lambda r: r[method]["kept"] > r["PCA"]["kept"]) == 5
    assert agree(data, lambda r: r[method]["found"] > r["PCA"]["found"]) == 5
    assert agree(data, lambda r: r[method]["spread"] < r[method]["spread_true"]) == 0
    assert agree(data, lambda r: tear(r, method) > 0.05) == 5
    random = f"{method} random"
    assert 0 < agree(data, lambda r: r[method]["gaps"] > r[random]["gaps"]) < 5


@pytest.mark.parametrize("method", BOTH)
def test_of_the_ball_more_neighbours_are_lost_than_by_pca(method: str) -> None:
    assert agree("ball", lambda r: r[method]["found"] < r["PCA"]["found"]) == 5


def test_islands_in_a_ball_hang_on_the_number_of_neighbours() -> None:
    new = lambda method: agree(  # noqa: E731
        "ball", lambda r: r[method]["islands"] - r["disc"]["islands"] > 0.03
    )
    assert new("t-SNE 3") == new("UMAP 3") == 5
    assert 0 < new("t-SNE") < 5
    assert agree("ball", lambda r: abs(r["UMAP"]["islands"] - r["disc"]["islands"]) < 0.03) == 5


@pytest.mark.parametrize("method", BOTH)
def test_three_clouds_are_evened_out(method: str) -> None:
    assert agree("three", lambda r: r[method]["radius"] < 1.5) == 5
    assert agree("three", lambda r: r[method]["gap"] < 1.5) == 5


@pytest.mark.parametrize("data", ["digits", "clothes"])
def test_pca_tears_pairs_between_classes_as_well(data: str) -> None:
    assert agree(data, lambda r: tear(r, "PCA") > 0.05) == 5


@pytest.mark.parametrize("method", BOTH)
def test_moats_are_undecided_for_digits_and_borders_for_clothes(method: str) -> None:
    balls = {row["seed"]: tear(row, method) for row in of("ball")}
    beyond = lambda data: agree(  # noqa: E731
        data, lambda r: tear(r, method) - balls[r["seed"]] > 0.05
    )
    assert 0 < beyond("digits") < 5
    assert beyond("clothes") == 0


@pytest.mark.parametrize("method", BOTH)
def test_distances_and_purity_gain_on_digits_only(method: str) -> None:
    gained = lambda r: r[method]["gaps"] - r["PCA"]["gaps"]  # noqa: E731
    assert agree("digits", lambda r: gained(r) > 0) == 5
    assert agree("clothes", lambda r: gained(r) < 0) == 5
    purer = lambda r: r[method]["same"] - r[method]["same_true"]  # noqa: E731
    assert agree("digits", lambda r: purer(r) > 0) == 5
    assert agree("clothes", lambda r: abs(purer(r)) < 0.015) == 5


def test_density_is_seen_under_t_sne_of_digits_only() -> None:
    lost = lambda data, method: agree(data, lambda r: r[method]["radii"] < 0.5)  # noqa: E731
    assert lost("digits", "t-SNE") == 0
    assert 0 < lost("clothes", "t-SNE") < 5
    assert all(lost(d, m) == 5 for d in ("digits", "clothes") for m in ("PCA", "UMAP"))


def test_two_seeds_agree_about_the_smallest_class() -> None:
    """The summary of the chapter; the page names the class and counts the seeds."""
    smallest = set()
    for seed in range(5):
        codes = recipes.load(f"mnist-small-8d-s{seed}").codes
        of_class = [np.cov(codes.mu[codes.labels == c].T) for c in range(10)]
        smallest.add(int(np.argmin([np.linalg.slogdet(cov)[1] for cov in of_class])))
    assert len(smallest) == 1
