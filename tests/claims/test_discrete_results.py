"""The results of the chapter on discrete codes."""

import itertools
import math
import statistics
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from vaebook import tables
from vaebook.models import codebooks, gradients

K = 4
SIGMAS = 5.0  # of a mean over draws: once in a million by chance


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def case(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities, values at the corners, and the exact gradient by autograd."""
    logits = draw(K, seed=seed).requires_grad_()
    values = 3 * draw(K, seed=seed + 100) - 5
    (logits.softmax(0) * values).sum().backward()
    assert logits.grad is not None
    return logits.detach().softmax(0), values, logits.grad


def jacobian(q: Tensor) -> Tensor:
    return torch.diag(q) - torch.outer(q, q)


def corners() -> Tensor:
    return torch.eye(K, dtype=torch.float64)


# ---------------------------------------------------------------------------------------------
# Estimators


def test_prop_discrete_sum() -> None:
    for seed in range(5):
        q, values, exact = case(seed)
        mean = q @ values
        torch.testing.assert_close(q * (values - mean), exact)
        torch.testing.assert_close(jacobian(q) @ values, exact)
        covariance = (q[:, None] * (values - mean)[:, None] * (corners() - q)).sum(0)
        torch.testing.assert_close(covariance, exact)


def moments_of_score(q: Tensor, values: Tensor, b: float) -> tuple[Tensor, Tensor]:
    """Mean and total variance by enumeration."""
    each = (values - b)[:, None] * (corners() - q)
    mean = q @ each
    return mean, q @ (each - mean).square().sum(1)


def test_prop_discrete_score() -> None:
    for seed in range(5):
        q, values, exact = case(seed)
        reach = (corners() - q).square().sum(1)
        best = (q * reach * values).sum() / (q * reach).sum()
        least = moments_of_score(q, values, best.item())[1]
        for b in (0.0, -4.0, 2.5):
            mean, variance = moments_of_score(q, values, b)
            torch.testing.assert_close(mean, exact)
            second = (q * (values - b).square() * reach).sum()
            torch.testing.assert_close(variance, second - exact.square().sum())
            more = (b - best).square() * (1 - q.square().sum())
            torch.testing.assert_close(variance, least + more)


def test_prop_discrete_loo() -> None:
    """By all tuples of draws, for each entry of the gradient."""
    q, values, exact = case(1)
    for draws in (2, 3, 4):
        mean, square = torch.zeros(K).double(), torch.zeros(K).double()
        for chosen in itertools.product(range(K), repeat=draws):
            z = list(chosen)
            own = values[z]
            above = own - (own.sum() - own) / (draws - 1)
            estimate = (above[:, None] * (corners()[z] - q)).mean(0)
            centred = (own - own.mean())[:, None] * (corners()[z] - corners()[z].mean(0))
            torch.testing.assert_close(estimate, centred.sum(0) / (draws - 1))
            mean += q[z].prod() * estimate
            square += q[z].prod() * estimate.square()
        torch.testing.assert_close(mean, exact)
        off = values - q @ values
        fourth = (q[:, None] * off.square()[:, None] * (corners() - q).square()).sum(0)
        spread = (q * off.square()).sum()
        expected = fourth - (draws - 2) / (draws - 1) * exact.square()
        expected = (expected + spread * q * (1 - q) / (draws - 1)) / draws
        torch.testing.assert_close(square - exact.square(), expected)


def straight(f: Callable[[Tensor], Tensor], q: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of straight-through by enumeration, and the exact gradient."""
    at = corners().requires_grad_()
    values = f(at)
    (slopes,) = torch.autograd.grad(values.sum(), at)
    return jacobian(q) @ (q @ slopes), jacobian(q) @ values.detach()


def test_prop_discrete_straight() -> None:
    slope = draw(K, seed=3)

    def line(y: Tensor) -> Tensor:
        return y @ slope

    def bent_between_corners(y: Tensor) -> Tensor:
        return y @ slope + 7 * (y[:, 0] * y[:, 1]).square()

    def parabola(y: Tensor) -> Tensor:
        return y[:, 0] ** 2

    def right_slopes_wrong_rise(y: Tensor) -> Tensor:
        """Flat at all corners, so that the tangents agree with each other but not with f."""
        return (3 * y**2 - 2 * y**3) @ slope

    q = case(2)[0]
    for f in (line, bent_between_corners):
        found, exact = straight(f, q)
        torch.testing.assert_close(found, exact)
    for f in (parabola, right_slopes_wrong_rise):
        found, exact = straight(f, q)
        assert (found - exact).norm() > 0.1 * exact.norm()
    # It is exact there for one q only: where the two probabilities of the first are one half.
    found, exact = straight(parabola, torch.tensor([0.5, 0.5, 0.0, 0.0]).double())
    torch.testing.assert_close(found, exact)
    two = torch.tensor([0.3, 0.7, 0.0, 0.0]).double()
    found, exact = straight(parabola, two)
    torch.testing.assert_close(found[0], 2 * two[0] ** 2 * two[1])
    torch.testing.assert_close(exact[0], two[0] * two[1])


@pytest.mark.slow
def test_prop_discrete_gumbel() -> None:
    q = case(0)[0]
    n = 200_000
    times = torch.distributions.Exponential(torch.ones(K).double())
    torch.manual_seed(0)
    waiting = times.sample((n,))
    noisy = q.log() - waiting.log()
    z = noisy.argmax(1)
    shares = z.bincount(minlength=K) / n
    assert ((shares - q).abs() < SIGMAS * (q * (1 - q) / n).sqrt()).all()

    # Cold draws have the mean of the corners, warm ones another.
    def bend(y: Tensor) -> Tensor:
        return (y @ torch.tensor([1.0, -1.0, 0.5, 0.0]).double()) ** 2

    exact = q @ bend(corners())
    cold, warm = (bend((noisy / tau).softmax(1)) for tau in (0.002, 1.0))
    assert (cold.mean() - exact).abs() < SIGMAS * cold.std() / n**0.5 + 0.005
    assert (warm.mean() - exact).abs() > 0.1 * exact

    # The gradient of the mean, by E f(y)(1 - E_k), tends to the exact one.
    truth = jacobian(q) @ bend(corners())
    slope = bend((noisy / 0.002).softmax(1))[:, None] * (1 - waiting)
    assert ((slope.mean(0) - truth).abs() < SIGMAS * slope.std(0) / n**0.5 + 0.005).all()

    # The draw given the category: the same mean and spread of each number, category by category.
    again = times.sample((n,))
    largest = again.gather(1, z[:, None])
    given = -(again / q + largest).log()
    given.scatter_(1, z[:, None], -largest.log())
    assert (given.argmax(1) == z).all()
    for k in range(K):
        first, second = noisy[z == k], given[z == k]
        error = ((first.var(0) + second.var(0)) / len(first)).sqrt()
        assert ((first.mean(0) - second.mean(0)).abs() < SIGMAS * error).all()
        assert ((first.std(0) / second.std(0)).log().abs() < 0.1).all()


@pytest.mark.slow
@pytest.mark.parametrize(("temperature", "weight"), [(0.3, 1.0), (1.0, 0.5), (2.0, -1.0)])
def test_prop_discrete_rebar(temperature: float, weight: float) -> None:
    logits = draw(K, seed=5)
    aim = draw(K, seed=6)

    def bend(y: Tensor) -> Tensor:
        return (y @ aim) ** 2 + 3 * (y @ aim)

    n = 100_000
    rows = logits.expand(n, K).clone().requires_grad_()
    generator = torch.Generator().manual_seed(0)
    how: dict[str, Any] = {"temperature": temperature, "weight": weight, "generator": generator}
    gradients.rebar(rows, bend, **how).sum().backward()
    assert rows.grad is not None
    exact = jacobian(logits.softmax(0)) @ bend(corners())
    error = rows.grad.std(0) / n**0.5
    assert ((rows.grad.mean(0) - exact).abs() < SIGMAS * error).all()


# ---------------------------------------------------------------------------------------------
# Codebooks


def test_prop_discrete_kmeans() -> None:
    z, vectors = draw(300, 2), torch.cat([draw(6, 2, seed=1), torch.full((1, 2), 9.0).double()])
    indices = codebooks.nearest(z, vectors)
    counts = indices.bincount(minlength=7).double()
    assert counts[6] == 0
    means = torch.zeros(7, 2).double().index_add(0, indices, z) / counts.clamp_min(1)[:, None]
    leaf = vectors.clone().requires_grad_()
    (z - leaf[indices]).square().sum().backward()
    assert leaf.grad is not None
    away = torch.where(counts[:, None] > 0, vectors - means, 0.0)
    torch.testing.assert_close(leaf.grad, 2 * counts[:, None] * away)
    step = vectors - leaf.grad / (2 * counts.clamp_min(1))[:, None]
    torch.testing.assert_close(step, codebooks.lloyd(z, vectors))

    def cost(e: Tensor) -> float:
        return torch.cdist(z, e).square().amin(1).sum().item()

    moving, costs = vectors, [cost(vectors)]
    for _ in range(20):
        moving = codebooks.lloyd(z, moving)
        costs.append(cost(moving))
    assert all(b <= a + 1e-9 for a, b in itertools.pairwise(costs))
    assert costs[1] < costs[0]

    followed, _ = codebooks.ema_update(z, vectors, counts, 0.7)
    alive = counts > 0
    torch.testing.assert_close(followed[alive], (0.7 * vectors + 0.3 * means)[alive])
    for moved in (step, codebooks.lloyd(z, vectors), followed):
        torch.testing.assert_close(moved[6], vectors[6])


def test_prop_discrete_rate() -> None:
    """Of images with two numbers each, and a decoder of three binary pixels."""
    joint = draw(3, 4, seed=7).flatten().softmax(0).view(3, 4)  # of the numbers over images
    prior = draw(3, 4, seed=8).flatten().softmax(0).view(3, 4)
    rate = -(joint * prior.log()).sum()
    entropy = -(joint * joint.log()).sum()
    divergence = (joint * (joint / prior).log()).sum()
    torch.testing.assert_close(rate, entropy + divergence)
    uniform = torch.full((3, 4), 1 / 12).double()
    assert -(joint * uniform.log()).sum().item() == pytest.approx(math.log(3) + math.log(4))
    first, second = joint.sum(1), joint.sum(0)
    independent = -(joint * torch.outer(first, second).log()).sum()
    perplexities = codebooks.perplexity(first), codebooks.perplexity(second)
    torch.testing.assert_close(independent, perplexities[0].log() + perplexities[1].log())
    correlation = (joint * (joint / torch.outer(first, second)).log()).sum()
    torch.testing.assert_close(independent, entropy + correlation)
    for seed in range(9, 14):
        other = torch.outer(draw(3, seed=seed).softmax(0), draw(4, seed=seed).softmax(0))
        assert -(joint * other.log()).sum() > independent
    # The evidence is at least any of its terms.
    p = torch.rand(12, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for image in itertools.product((0.0, 1.0), repeat=3):
        x = torch.tensor(image).double()
        terms = (x * p.log() + (1 - x) * (1 - p).log()).sum(1) + prior.flatten().log()
        assert (terms.logsumexp(0) >= terms).all()


# ---------------------------------------------------------------------------------------------
# What the sentences say of the two studies


def test_sentences_on_estimators_agree_with_the_table() -> None:
    study = tables.load("discrete_gradients")
    last = study.about["points"][-1]

    def moments(way: str, step: int, key: str) -> Tensor:
        (row,) = study.where(what="moments", way=way, step=step)
        return torch.tensor(row[key])

    for way in ("straight-through", "Gumbel 0.5"):  # on average they point away
        assert (moments(way, last, "cosine") < 0).all()
    start = {way: moments(way, 0, "noise").mean() for way in study.about["ways"] if way != "exact"}
    assert min(start, key=lambda way: start[way].item()) == "straight-through"
    cold = moments("Gumbel 0.1", last, "bias") - 2 * moments("Gumbel 0.1", last, "error")
    assert (cold < 0).all()
    for step in study.about["points"]:  # what REBAR is off is chance
        off = moments("REBAR 0.5", step, "bias") / moments("REBAR 0.5", step, "error")
        assert (off < 3).all()
        assert moments("leave-one-out", step, "bias").max() < 1e-3
    norms = [moments("straight-through", s, "exact") for s in study.about["points"]]
    absolute = [
        moments("straight-through", s, "bias") * norm
        for s, norm in zip(study.about["points"], norms, strict=True)
    ]
    assert (absolute[0] < absolute[1]).all()
    assert (absolute[1] < absolute[2]).all()
    assert (norms[2] < norms[1]).all()
    assert (norms[0] < norms[1]).all()

    def best(way: str, key: str) -> Tensor:
        rows = study.where(what="training", way=way)
        return torch.tensor(max(rows, key=lambda r: torch.tensor(r["elbo"]).median())[key])

    gap = {
        k: (best("exact", k) - best("straight-through", k)).mean() for k in ("elbo", "evidence")
    }
    assert gap["evidence"] < 0.5 * gap["elbo"]
    best_rates = {way: best(way, "rate") for way in study.about["ways"]}
    largest = max(study.about["rates"])
    assert [way for way in best_rates if best_rates[way] == largest] == study.summary["largest"]
    ended = {t: best(f"Gumbel {t}", "elbo").median() for t in ("1", "0.5", "0.1", "0.03")}
    assert max(ended, key=lambda t: ended[t].item()) == "0.5"
    assert ended["0.5"] >= best("running mean", "elbo").median()


def test_verdicts_of_the_estimators_are_those_of_the_seeds() -> None:
    """Recomputed from the trainings, form by form, as they were written down."""
    study = tables.load("discrete_gradients")

    def best(way: str) -> Tensor:
        rows = [torch.tensor(r["elbo"]) for r in study.where(what="training", way=way)]
        return max(rows, key=lambda values: values.quantile(0.5).item())

    exact, loo = best("exact"), best("leave-one-out")
    relaxed = max(
        (best(f"Gumbel {t}") for t in ("1", "0.5", "0.1", "0.03")), key=lambda v: v.quantile(0.5)
    )
    (last,) = study.where(what="moments", way="straight-through", step=study.about["points"][-1])
    counts = [
        (exact - loo < 0.3).sum(),
        (exact - best("score function") > 1).sum(),
        (exact - best("straight-through") > 0.5).sum(),
        (exact - relaxed > 0.3).sum(),
        (torch.tensor(last["bias"]) > 1).sum(),
        (loo - best("four draws") > 0.3).sum(),
        (best("Gumbel 0.1") - best("Gumbel 0.03") > 0).sum(),
    ]
    assert [int(count) for count in counts] == [10, 10, 10, 9, 10, 10, 10]


def test_sentences_on_codebooks_agree_with_the_table() -> None:
    books = tables.load("codebooks")

    def mean(size: int, way: str, get: Callable[[dict[str, Any]], float]) -> float:
        return statistics.mean(get(row) for row in books.where(size=size, way=way))

    def perplexity(row: dict[str, Any]) -> float:
        return float(row["perplexity"])

    by_gradient, own, by_averages, restarted = (
        mean(64, way, perplexity) for way in books.about["ways"]
    )
    assert restarted - by_averages < 0.2 * (by_averages - by_gradient)  # the large step
    assert own - by_gradient > 0.8 * (by_averages - by_gradient)  # mostly its rate
    for way in ("own rate", "averages", "restarts"):
        assert all(row["used"] == 64 for row in books.where(size=64, way=way))
    assert all(row["used"] == 256 for row in books.where(size=256, way="restarts"))
    assert all(row["used"] < 200 for row in books.where(size=256, way="averages"))
    drop = [mean(256, way, lambda r: r["distortion"]) for way in ("averages", "restarts")]
    assert drop[1] < drop[0] < mean(256, "own rate", lambda r: r["distortion"])
    assert mean(256, "averages", lambda r: r["used"]) < mean(256, "own rate", lambda r: r["used"])
    assert any(row["used"] < 256 for row in books.where(size=256, way="own rate"))
    stuck = books.where(size=64, way="gradient")
    both = torch.tensor([[r["perplexity"], r["distortion"]] for r in stuck])
    assert both.T.corrcoef()[0, 1] > 0.5  # a fuller codebook is no better one
    saved = [
        mean(64, "restarts", lambda r, a=a, b=b: r["rate"][a] - r["rate"][b])
        for a, b in (("uniform", "independent"), ("independent", "autoregressive"))
    ]
    assert saved[1] > saved[0] > 0
    # The larger the codebook, the worse one prior's samples and the better the other's.
    for prior, sign in (("uniform", 1), ("autoregressive", -1)):
        far = [
            mean(size, "restarts", lambda r, p=prior: r["frechet"][p])
            for size in books.about["sizes"]
        ]
        assert far == sorted(far, reverse=sign < 0)
    assert (
        books.summary["larger"][0] > books.summary["larger_256"][1]
    )  # the second step gains less


def test_verdicts_of_the_codebooks_are_those_of_the_intervals() -> None:
    """As they were written down: all lie above their limits."""
    found = dict(tables.load("codebooks").summary)
    limits = {"used_16": 2, "own_16": 2}
    limits |= dict.fromkeys(("used_64", "own_64", "averages_64", "restarts_256", "own_256"), 8)
    assert {key for key, (low, _) in found.items() if low > limits.get(key, 1)} == {*found}
